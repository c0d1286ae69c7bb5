#!/usr/bin/python
# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: host_layout
version_added: 1.0.0
short_description: Make groups, directories, files and units be as given, all in one task
author:
  - Bulwark contributors (@bulwark-mqtt)
description:
  - Makes system groups, then directories, then files, then starts or stops units, in the order in which they are given.
  - It is for what a role has before there is a service that could judge it. M(bulwark.mqtt.service_config) deploys the
    files of a service.
  - A list of tasks would start a module for each entry, which takes most of the time of a deployment that has nothing
    to do.
extends_documentation_fragment:
  - bulwark.mqtt.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
options:
  groups:
    description: System groups that are to be there.
    type: list
    elements: str
    default: []
  directories:
    description: Directories that are to be there; root owns them.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Absolute path. What is above it is there, or before it in the list.
        type: path
        required: true
      group:
        description: Group of the directory.
        type: str
        default: root
      mode:
        description: Permissions in octal.
        type: str
        default: "0755"
  files:
    description: Files that are to be there, each in place of the old one in one rename.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Absolute path.
        type: path
        required: true
      content:
        description: Content of the file.
        type: str
        required: true
      owner:
        description: User who owns the file.
        type: str
        default: root
      group:
        description: Group of the file.
        type: str
        default: root
      mode:
        description: Permissions in octal.
        type: str
        default: "0644"
      activation:
        description: No service uses them yet. The key is here so that the list of a role can be given as it is.
        type: str
        choices: ["none"]
        default: none
  units:
    description: Units of systemd, which reads its files again first when one of O(files) below C(/etc/systemd) changed.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the unit.
        type: str
        required: true
      running:
        description: Whether it runs, now and after a boot.
        type: bool
        default: true
seealso:
  - module: bulwark.mqtt.service_config
"""

EXAMPLES = r"""
- name: Make the directories and the timer
  bulwark.mqtt.host_layout:
    groups: [metrics]
    directories:
      - {path: /etc/bulwark}
      - {path: /etc/bulwark/metrics, group: metrics, mode: "0750"}
    files:
      - path: /etc/systemd/system/collect.timer
        content: "{{ lookup('bulwark.mqtt.template', 'collect.timer.j2') }}"
    units:
      - {name: collect.timer}
"""

RETURN = r"""
changes:
  description: What was changed, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: [group metrics, /etc/bulwark/metrics, collect.timer]
"""

import grp
import os
import pwd
from collections.abc import Mapping, Sequence
from typing import Any, Callable

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import _file_diff
from ..module_utils._host import files, process
from ..module_utils._host.errors import HostError, StoreError
from ..module_utils._module import run

# The action of this name reads them, too.
ARGUMENT_SPEC = {
    "groups": {"type": "list", "elements": "str", "default": []},
    "directories": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "path": {"type": "path", "required": True},
            "group": {"type": "str", "default": "root"},
            "mode": {"type": "str", "default": "0755"},
        },
    },
    "files": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "path": {"type": "path", "required": True},
            "content": {"type": "str", "required": True},
            "owner": {"type": "str", "default": "root"},
            "group": {"type": "str", "default": "root"},
            "mode": {"type": "str", "default": "0644"},
            "activation": {"type": "str", "choices": ["none"], "default": "none"},
        },
    },
    "units": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "running": {"type": "bool", "default": True},
        },
    },
}

_UNITS = "/etc/systemd/system/"
_ROOT = 0
# Nothing that is there belongs to it.
_UNKNOWN = -1

# Runs a program and returns its output. Raises HostError when it fails.
Command = Callable[[Sequence[str]], str]


def ensure(params: Mapping[str, Any], *, check_mode: bool, command: Command | None = None) -> dict[str, Any]:
    """Make the host be as given; HostError when it cannot be."""
    call = command or _command
    changes = [f"group {name}" for name in params["groups"] if not _known(grp.getgrnam, name)]
    if not check_mode:
        for change in changes:
            call(["groupadd", "--system", change.partition(" ")[2]])
    wanted: list[tuple[str, files.Entry]] = [
        *((item["path"], _directory(item, check_mode=check_mode)) for item in params["directories"]),
        *((item["path"], _file(item, check_mode=check_mode)) for item in params["files"]),
    ]
    diff = []
    for path, entry in wanted:
        before = files.observe(path)
        if before == entry:
            continue
        if not check_mode:
            files.put(path, entry)
        changes.append(path)
        diff.append(_file_diff.difference(path, before, entry))
    if not check_mode and any(change.startswith(_UNITS) for change in changes):
        call(["systemctl", "daemon-reload"])
    for unit in params["units"]:
        actions = _actions(unit, call)
        if not check_mode:
            for action in actions:
                call(["systemctl", action, unit["name"]])
        changes += [unit["name"]] if actions else []
    return {"changed": bool(changes), "changes": changes, "diff": diff}


def _actions(unit: Mapping[str, Any], command: Command) -> list[str]:
    """What systemctl has to do to a unit; one that is not there yet neither runs nor is enabled."""
    lines = command(["systemctl", "show", unit["name"], "--property=ActiveState,UnitFileState"]).splitlines()
    state = dict(line.partition("=")[::2] for line in lines)
    active = state.get("ActiveState") in ("active", "activating", "reloading")
    enabled = state.get("UnitFileState") == "enabled"
    if unit["running"]:
        return [*([] if enabled else ["enable"]), *([] if active else ["start"])]
    return [*(["stop"] if active else []), *(["disable"] if enabled else [])]


def _directory(item: Mapping[str, Any], *, check_mode: bool) -> files.Directory:
    return files.Directory(_mode(item), _ROOT, _group(item, check_mode=check_mode))


def _file(item: Mapping[str, Any], *, check_mode: bool) -> files.File:
    uid = _id(pwd.getpwnam, item["owner"], f"{item['path']}: no user {item['owner']}", check_mode=check_mode)
    return files.File(item["content"].encode(), _mode(item), uid, _group(item, check_mode=check_mode))


def _mode(item: Mapping[str, Any]) -> int:
    try:
        return int(item["mode"], 8)
    except ValueError:
        raise StoreError(f"{item['path']}: the mode {item['mode']!r} is not octal; write it like '0640'") from None


def _group(item: Mapping[str, Any], *, check_mode: bool) -> int:
    return _id(grp.getgrnam, item["group"], f"{item['path']}: no group {item['group']}", check_mode=check_mode)


def _id(look_up: Callable[[str], Any], name: str, problem: str, *, check_mode: bool) -> int:
    """The number of a user or group; in check mode nobody has made it yet."""
    found = _known(look_up, name)
    if found is None and not check_mode:
        raise StoreError(f"{problem} on this host; make it first")
    return _UNKNOWN if found is None else int(found[2])


def _known(look_up: Callable[[str], Any], name: str) -> Any:
    try:
        return look_up(name)
    except KeyError:
        return None


def _command(command: Sequence[str]) -> str:
    result = process.run(command, environment={**os.environ, "LC_ALL": "C"}, merged=True)
    if result.returncode != 0:
        raise HostError(f"{' '.join(command)}: {result.stdout.strip()}")
    return result.stdout


def main() -> None:
    """The module."""
    module = AnsibleModule(
        argument_spec=ARGUMENT_SPEC,
        supports_check_mode=True,
    )
    run(module, ensure)


if __name__ == "__main__":
    main()
