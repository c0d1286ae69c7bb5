# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files are written all or none, and nothing that is there is touched."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bulwark.mqtt.plugins.module_utils._host.errors import CheckError
from ansible_collections.bulwark.mqtt.plugins.modules import new_files

FILES = {"a.yml": "a: ä\n", "b/c/run": "#!/bin/sh\n"}


def ensure(directory: Path, *, check_mode: bool = False, wanted: dict[str, str] | None = None) -> dict[str, Any]:
    """Run the module's code on a directory."""
    params = {"directory": str(directory), "files": wanted or FILES, "executable": ["b/c/run"]}
    return new_files.ensure(params, check_mode=check_mode)


def test_four_beats(tmp_path: Path):
    folder = tmp_path / "new"
    paths = [f"{folder}/a.yml", f"{folder}/b/c/run"]
    shown = ensure(folder, check_mode=True)
    assert (shown["changed"], shown["changed_files"], folder.exists()) == (True, paths, False)
    assert shown["diff"][0] == {
        "before_header": paths[0],
        "after_header": paths[0],
        "before": "",
        "after": "a: ä\n",
    }
    assert ensure(folder) == shown
    assert [Path(path).read_text("utf-8") for path in paths] == list(FILES.values())
    assert [stat.S_IMODE(os.stat(path).st_mode) for path in paths] == [0o644, 0o755]
    for check_mode in (False, True):
        assert ensure(folder, check_mode=check_mode) == {"changed": False, "changed_files": [], "diff": []}


def test_what_is_missing_is_added_to_what_is_the_same(tmp_path: Path):
    (tmp_path / "a.yml").write_text(FILES["a.yml"], "utf-8")
    assert ensure(tmp_path)["changed_files"] == [f"{tmp_path}/b/c/run"]


def other_content(folder: Path) -> str:
    """A file with another content."""
    (folder / "a.yml").write_text("mine\n", "utf-8")
    return "a.yml"


def link(folder: Path) -> str:
    """A link, even to a file with the right content."""
    (folder / "same").write_text(FILES["a.yml"], "utf-8")
    (folder / "a.yml").symlink_to("same")
    return "a.yml"


def directory(folder: Path) -> str:
    """A directory where a file should be."""
    (folder / "a.yml").mkdir()
    return "a.yml"


def file_for_a_folder(folder: Path) -> str:
    """A file where a directory should be."""
    (folder / "b").write_text("", "utf-8")
    return "b"


def link_for_a_folder(folder: Path) -> str:
    """A link to a directory that is somewhere else."""
    (folder / "b").symlink_to("/")
    return "b"


@pytest.mark.parametrize(
    "put",
    [other_content, link, directory, file_for_a_folder, link_for_a_folder],
    ids=lambda put: put.__name__,
)
@pytest.mark.parametrize("check_mode", [False, True])
def test_what_is_in_the_way_is_named_and_nothing_is_written(
    tmp_path: Path, put: Callable[[Path], str], check_mode: bool
):
    name = put(tmp_path)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(CheckError) as refused:
        ensure(tmp_path, check_mode=check_mode)
    assert str(refused.value) == (
        f"{tmp_path} has other files than would be written: {name}; "
        "nothing was written: move them away, or choose another directory"
    )
    assert sorted(tmp_path.iterdir()) == before


def test_all_that_is_in_the_way_is_named(tmp_path: Path):
    (tmp_path / "a.yml").write_text("mine\n", "utf-8")
    (tmp_path / "b/c").mkdir(parents=True)
    (tmp_path / "b/c/run").write_text("mine\n", "utf-8")
    with pytest.raises(CheckError, match=r"would be written: a\.yml, b/c/run;"):
        ensure(tmp_path)


@pytest.mark.parametrize("name", ["/etc/motd", "../a", "b/../../a", ""])
def test_a_path_that_leads_out_of_the_directory_is_refused(tmp_path: Path, name: str):
    with pytest.raises(CheckError) as refused:
        ensure(tmp_path, wanted={name: ""})
    assert str(refused.value) == f"files: {name!r} is no path below the directory; give a relative one without .."
