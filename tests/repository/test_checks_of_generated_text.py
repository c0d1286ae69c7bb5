# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The documentation generators say what the sources say."""

from __future__ import annotations

from pathlib import Path

import generated
import plugin_index
import pytest
import role_readme
from checks.tree import Write


@pytest.mark.parametrize(
    ("marked", "expected"),
    [
        ("C(ca.pem) and O(r_users)", "`ca.pem` and `r_users`"),
        ("V(f(x\\)) is B(bold) and I(italic)", "`f(x)` is **bold** and *italic*"),
        (
            "L(the guide, https://example.com) or U(https://example.org)",
            "[the guide](https://example.com) or <https://example.org>",
        ),
    ],
)
def test_markup_becomes_markdown(marked: str, expected: str):
    assert generated.markdown(marked) == expected


def test_options_are_listed_with_the_path_to_them():
    options = {
        "r_list": {
            "description": ["Things", "of all kinds."],
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {"kind": {"description": "Kind.", "type": "str", "choices": ["a", "b"], "required": True}},
        },
        "r_map": {
            "description": "Map.",
            "type": "dict",
            "options": {"x": {"description": "X.", "type": "bool", "default": True}},
        },
    }
    assert list(role_readme.rows(options)) == [
        ["`r_list`", "list of dict", "`[]`", "Things of all kinds."],
        ["`r_list[].kind`", "str", "**required**", "Kind. One of `a`, `b`."],
        ["`r_map`", "dict", "", "Map."],
        ["`r_map.x`", "bool", "`true`", "X."],
    ]


def test_a_bar_in_a_cell_does_not_end_it():
    assert generated.table(["a"], [["`x | y`"]]) == "| a |\n| --- |\n| `x \\| y` |"


def test_only_what_is_between_the_markers_changes():
    text = "before\n<!-- x:begin -->\nold\n<!-- x:end -->\nafter\n"
    assert generated.replace_between(text, "x", "new") == "before\n<!-- x:begin -->\nnew\n<!-- x:end -->\nafter\n"


@pytest.mark.parametrize("text", ["", "<!-- x:begin -->", "<!-- x:end --><!-- x:begin -->"])
def test_a_page_without_a_place_for_the_text_is_refused(text: str):
    with pytest.raises(generated.MissingMarkersError, match="needs one line '<!-- x:begin -->'"):
        generated.replace_between(text, "x", "new")


def test_check_changes_nothing_and_names_what_differs(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / "page.md"
    path.write_text("old", encoding="utf-8")
    assert generated.run({path: "new"}, check=True) == 1
    assert path.read_text(encoding="utf-8") == "old"
    assert capsys.readouterr().err == f"{path}: is not up to date: run `make docs`\n"


def test_without_check_the_file_is_written_and_a_second_run_is_content(tmp_path: Path):
    path = tmp_path / "page.md"
    assert generated.run({path: "new"}, check=False) == 0
    assert path.read_text(encoding="utf-8") == "new"
    assert generated.run({path: "new"}, check=True) == 0


def test_the_index_lists_modules_and_filters_by_their_documentation(tmp_path: Path, write: Write):
    write("plugins/modules/thing.py", 'DOCUMENTATION = "{module: thing, short_description: Makes a C(thing)}"\n')
    write("plugins/filter/shape.yml", "DOCUMENTATION: {name: shape, short_description: Shapes}\n")
    [text] = plugin_index.wanted(tmp_path).values()
    assert "| [`thing`](../plugins/modules/thing.py) | module | Makes a `thing` |" in text
    assert "| [`shape`](../plugins/filter/shape.yml) | filter | Shapes |" in text
