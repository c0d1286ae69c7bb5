# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A layout is made once, told truthfully in check mode, and asked of systemd only where it has to be."""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bulwark.mqtt.plugins.module_utils._host.errors import StoreError
from ansible_collections.bulwark.mqtt.plugins.modules import host_layout

ME = pwd.getpwuid(os.geteuid()).pw_name
MINE = grp.getgrgid(os.getegid()).gr_name


class Systemd:
    """A host's commands, with units that are in a state."""

    def __init__(self, active: str, file: str) -> None:
        self.ran: list[str] = []
        self._shown = f"ActiveState={active}\nUnitFileState={file}\n"

    def __call__(self, command: Sequence[str]) -> str:
        if command[1] == "show":
            return self._shown
        self.ran.append(" ".join(command))
        return ""


def layout(root: Path, **changes: Any) -> dict[str, Any]:
    """Parameters with what the module's own defaults are."""
    return {
        "groups": [],
        "directories": [{"path": str(root / "d"), "group": MINE, "mode": "0750"}],
        "files": [{"path": str(root / "d/f"), "content": "text\n", "owner": ME, "group": MINE, "mode": "0640"}],
        "units": [],
        **changes,
    }


@pytest.fixture(autouse=True)
def _no_umask_and_no_root(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(host_layout, "_ROOT", os.geteuid())


def test_directories_and_files_are_made_once(tmp_path: Path):
    wanted = layout(tmp_path)
    checked = host_layout.ensure(wanted, check_mode=True)
    assert not (tmp_path / "d").exists()
    made = host_layout.ensure(wanted, check_mode=False)
    assert checked["changes"] == made["changes"] == [str(tmp_path / "d"), str(tmp_path / "d/f")]
    assert ((tmp_path / "d").stat().st_mode & 0o777, (tmp_path / "d/f").stat().st_mode & 0o777) == (0o750, 0o640)
    assert host_layout.ensure(wanted, check_mode=False) == {"changed": False, "changes": [], "diff": []}


def test_a_difference_is_shown_with_its_attributes(tmp_path: Path):
    host_layout.ensure(layout(tmp_path), check_mode=False)
    (tmp_path / "d/f").write_text("other\n")
    (tmp_path / "d/f").chmod(0o600)
    [difference] = host_layout.ensure(layout(tmp_path), check_mode=True)["diff"]
    who = f"uid {os.geteuid()}, gid {os.getegid()}"
    assert difference == {
        "before": "other\n",
        "after": "text\n",
        "before_header": f"{tmp_path}/d/f (0600, {who})",
        "after_header": f"{tmp_path}/d/f (0640, {who})",
    }


@pytest.mark.parametrize(
    ("active", "file", "running", "expected"),
    [
        ("active", "enabled", True, []),
        ("inactive", "enabled", True, ["start"]),
        ("inactive", "", True, ["enable", "start"]),
        ("inactive", "disabled", False, []),
        ("active", "enabled", False, ["stop", "disable"]),
    ],
)
def test_a_unit_is_told_what_it_lacks(tmp_path: Path, active: str, file: str, running: bool, expected: list[str]):
    wanted = layout(tmp_path, directories=[], files=[], units=[{"name": "x.timer", "running": running}])
    for check_mode in (True, False):
        systemd = Systemd(active, file)
        result = host_layout.ensure(wanted, check_mode=check_mode, command=systemd)
        assert result["changes"] == (["x.timer"] if expected else [])
        assert systemd.ran == ([] if check_mode else [f"systemctl {action} x.timer" for action in expected])


def test_systemd_reads_its_files_again_when_one_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(host_layout, "_UNITS", f"{tmp_path}/d/")
    systemd = Systemd("active", "enabled")
    for _run in range(2):
        host_layout.ensure(layout(tmp_path), check_mode=False, command=systemd)
    assert systemd.ran == ["systemctl daemon-reload"]


def test_a_group_is_made_before_what_is_for_it(tmp_path: Path):
    wanted = layout(tmp_path, groups=["bulwark-nobody"])
    systemd = Systemd("active", "enabled")
    assert host_layout.ensure(wanted, check_mode=True, command=systemd)["changes"][0] == "group bulwark-nobody"
    assert systemd.ran == []
    host_layout.ensure(wanted, check_mode=False, command=systemd)
    assert systemd.ran == ["groupadd --system bulwark-nobody"]


def test_a_group_that_nobody_makes_is_no_surprise_in_check_mode_only(tmp_path: Path):
    wanted = layout(tmp_path)
    wanted["directories"][0]["group"] = "bulwark-nobody"
    assert host_layout.ensure(wanted, check_mode=True)["changed"]
    with pytest.raises(StoreError) as refused:
        host_layout.ensure(wanted, check_mode=False)
    assert str(refused.value) == f"{tmp_path}/d: no group bulwark-nobody on this host; make it first"


def test_a_mode_is_octal(tmp_path: Path):
    wanted = layout(tmp_path)
    wanted["files"][0]["mode"] = "u=rw"
    with pytest.raises(StoreError) as refused:
        host_layout.ensure(wanted, check_mode=True)
    assert str(refused.value) == f"{tmp_path}/d/f: the mode 'u=rw' is not octal; write it like '0640'"


def test_a_link_is_nobodys_directory(tmp_path: Path):
    (tmp_path / "d").symlink_to(tmp_path)
    with pytest.raises(StoreError) as refused:
        host_layout.ensure(layout(tmp_path), check_mode=False)
    assert str(refused.value) == f"{tmp_path}/d: is not a directory; remove it"
