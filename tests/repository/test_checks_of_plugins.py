# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The checkers of modules and filters find what they are for."""

from __future__ import annotations

from pathlib import Path

import pytest
from checks import plugins
from checks.tree import Write

MODULE = '''
    DOCUMENTATION = """
    module: thing
    short_description: A thing
    options:
      name: {type: str, required: true, description: x}
      parts: {type: list, elements: dict, description: x, suboptions: {size: {type: int, description: x}}}
    """
    EXAMPLES = """
    - name: Make a thing
      bulwark.mqtt.thing:
        name: a
        parts: [{size: 1}]
    """
    RETURN = """
    path: {description: x, type: str, returned: always}
    """

    def main():
        AnsibleModule(argument_spec=dict(name=dict(), parts=dict()))
'''


@pytest.fixture
def module(write: Write) -> Path:
    """A module whose documentation is in order."""
    return write("plugins/modules/thing.py", MODULE)


def everything(module: Path) -> list[str]:
    """What all the checkers of documentation find."""
    return plugins.undocumented(module) or plugins.untyped_returns(module) + plugins.unlike_its_spec(
        module
    ) + plugins.bad_examples(module)


def test_a_module_in_order_has_no_findings(module: Path):
    assert everything(module) == []


@pytest.mark.parametrize(
    ("was", "becomes", "finding"),
    [
        pytest.param("RETURN", "RETURNS", "thing.py: has no RETURN", id="no-return"),
        pytest.param(
            "module: thing", "module: other", "thing.py: DOCUMENTATION is about another module", id="other-name"
        ),
        pytest.param(", returned: always", "", "thing.py: return value path has no returned", id="return-incomplete"),
        pytest.param("name=dict(), ", "", "thing.py: DOCUMENTATION names name, which it does not take", id="not-taken"),
        pytest.param(
            "parts=dict()",
            "parts=dict(), x=dict()",
            "thing.py: takes x, which DOCUMENTATION does not name",
            id="hidden",
        ),
        pytest.param(
            "bulwark.mqtt.thing:", "thing:", "thing.py: an example uses thing without its full name", id="short"
        ),
        pytest.param(
            "name: a\n",
            "nam: a\n",
            "thing.py: example 'Make a thing' sets nam, which is not documented",
            id="mistyped-parameter",
        ),
        pytest.param(
            "name: a\n",
            "parts: []\n",
            "thing.py: example 'Make a thing' does not set name, which is required",
            id="required-parameter",
        ),
        pytest.param(
            "[{size: 1}]",
            "[{siz: 1}]",
            "thing.py: example 'Make a thing', parts sets siz, which is not documented",
            id="nested-parameter",
        ),
    ],
)
def test_documentation_that_is_not_true_is_found(write: Write, was: str, becomes: str, finding: str):
    assert finding in everything(write("plugins/modules/thing.py", MODULE.replace(was, becomes)))


def test_options_that_are_unpacked_into_the_spec_are_taken(write: Write):
    unpacking = MODULE.replace(
        "AnsibleModule(argument_spec=dict(name=dict(), parts=dict()))",
        'shared: dict = {"parts": {}, "more": {}}\n        AnsibleModule(argument_spec={"name": {}, **shared})',
    )
    module = write("plugins/modules/thing.py", unpacking)
    assert everything(module) == ["thing.py: takes more, which DOCUMENTATION does not name"]


def test_documentation_that_does_not_parse_is_found(write: Write):
    module = write("plugins/modules/thing.py", MODULE.replace("short_description: A", "short_description: A: B"))
    assert plugins.undocumented(module)[0].startswith("thing.py: DOCUMENTATION does not parse: mapping values")


def test_a_module_without_target_and_without_unit_test_is_found(tmp_path: Path, module: Path):
    assert plugins.untested(module, tmp_path) == [
        "thing.py: has neither tests/integration/targets/thing nor a unit test that imports it"
    ]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param("tests/integration/targets/thing/tasks/main.yml", "---\n", id="target"),
        pytest.param("tests/unit/test_thing.py", "from a.plugins.modules import other, thing\n", id="imported"),
        pytest.param("tests/unit/test_thing.py", "from a.plugins.modules.thing import ensure\n", id="imported-from"),
    ],
)
def test_a_target_or_a_unit_test_is_enough(tmp_path: Path, module: Path, write: Write, name: str, text: str):
    write(name, text)
    assert plugins.untested(module, tmp_path) == []


FILTER = """
    class FilterModule:
        def filters(self):
            return {"shape": shape}
"""


def test_a_filter_without_documentation_is_found(write: Write):
    plugin = write("plugins/filter/shape.py", FILTER)
    assert plugins.undocumented_filters(plugin) == ["shape.py: filter shape has no shape.yml beside it"]


def test_a_filter_with_half_a_documentation_is_found(write: Write):
    plugin = write("plugins/filter/shape.py", FILTER)
    write("plugins/filter/shape.yml", "DOCUMENTATION: {name: shape}\nEXAMPLES: '{{ x | shape }}'\n")
    assert plugins.undocumented_filters(plugin) == [
        "shape.yml: has no RETURN",
        "shape.yml: no example uses bulwark.mqtt.shape",
    ]
