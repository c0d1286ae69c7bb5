# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules on variables that documentation, examples and scenarios set: each must exist in a role or a playbook."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import specs, tree

# Names that belong to Ansible, to the user's Vault, or are private to what sets them.
_OTHERS = re.compile(r"(ansible_|vault_|__)\w+")
_TEMPLATE = re.compile(r"{{(.*?)}}", flags=re.DOTALL)
_NAME = re.compile(r"[a-z_]\w*")


def playbook_variables(playbook: Path) -> set[str]:
    """The `bulwark_*` variables that a playbook reads."""
    text = "\n".join(
        line for line in playbook.read_text(encoding="utf-8").splitlines() if not line.lstrip().startswith("#")
    )
    return set(re.findall(r"\bbulwark_\w+", text))


def unexplained(playbook: Path) -> list[str]:
    """Variables that a playbook reads and its comments do not explain."""
    comments = "\n".join(
        line for line in playbook.read_text(encoding="utf-8").splitlines() if line.lstrip().startswith("#")
    )
    return [
        f"{playbook.name}: reads {name}, which the comment at its top does not explain"
        for name in sorted(playbook_variables(playbook))
        if not re.search(rf"\b{name}\b", comments)
    ]


def known(root: Path) -> set[str]:
    """Every variable that a user can set: of the roles and of the playbooks."""
    return specs.known_variables(root).union(*(playbook_variables(path) for path in tree.playbooks(root)))


def set_in(data: Any) -> Iterator[str]:
    """The variables that a piece of YAML sets, be it a play, an inventory, or a file of variables.

    Those below `vars` and below a host of an inventory; the top-level keys where it is neither a play nor an inventory.
    """
    if isinstance(data, dict) and not {"hosts", "children", "vars"} & _second_level(data):
        yield from (str(key) for key in data)
    for mapping in tree.mappings(data):
        if isinstance(mapping.get("vars"), dict):
            yield from (str(key) for key in mapping["vars"])
        if isinstance(mapping.get("hosts"), dict):
            for variables in mapping["hosts"].values():
                yield from (str(key) for key in variables or {})


def _second_level(data: dict[Any, Any]) -> set[str]:
    return {str(key) for value in data.values() if isinstance(value, dict) for key in value}


def unknown(data: Any, variables: set[str]) -> list[str]:
    """The variables that a piece of YAML sets and nobody reads."""
    return sorted({name for name in set_in(data) if name not in variables and not _OTHERS.fullmatch(name)})


def inventory(path: Path) -> dict[str, dict[str, Any]]:
    """The variables of each host as ansible-inventory reads them; raises ValueError when it refuses the file."""
    result = subprocess.run(
        [str(Path(sys.executable).with_name("ansible-inventory")), "--inventory", str(path), "--list"],
        capture_output=True,
        text=True,
        check=False,
        # Without this a file that does not parse is a warning and an empty inventory.
        env={
            **os.environ,
            "ANSIBLE_INVENTORY_UNPARSED_FAILED": "true",
            "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "true",
        },
    )
    if result.returncode != 0:
        raise ValueError(f"{path}: {result.stderr.strip()}")
    hosts: dict[str, dict[str, Any]] = json.loads(result.stdout)["_meta"]["hostvars"]
    return hosts


def unknown_in_inventory(path: Path, variables: set[str]) -> list[str]:
    """What is wrong with an inventory: not readable, no hosts, or variables that nobody reads, itself included."""
    try:
        hosts = inventory(path)
    except ValueError as error:
        return [str(error)]
    if not hosts:
        return [f"{path}: has no host with variables"]
    used = set(_NAME.findall(" ".join(_TEMPLATE.findall(path.read_text(encoding="utf-8")))))
    names = {name for values in hosts.values() for name in values} - used
    return [
        f"{path}: sets {name}, which no role and no playbook reads"
        for name in sorted(names - variables)
        if not _OTHERS.fullmatch(name)
    ]
