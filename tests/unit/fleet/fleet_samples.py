# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tests of the fleet share: an intent that is small and valid, and the specs of the roles."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.bulwark.mqtt.plugins.module_utils._fleet.compilation import Compiled, Group, compile_fleet
from ansible_collections.bulwark.mqtt.plugins.module_utils._fleet.kinds import Encrypted
from ansible_collections.bulwark.mqtt.plugins.module_utils._fleet.source import read

ROOT = Path(__file__).resolve().parents[3]
ROLES = [path.name for path in sorted(ROOT.glob("roles/*/"))]
# What Ansible itself reads.
OF_ANSIBLE = {"ansible_host"}


def intent(**changes: Any) -> dict[str, Any]:
    """A small valid intent with some top-level keys in the place of its own."""
    return {
        "plugin": "bulwark.mqtt.fleet",
        "authority": {"passphrase": "{{ vault_pki_passphrase }}"},
        "domains": {"example.com": {"brokers": {"mqtt1": None}}},
        **changes,
    }


def compiled(document: dict[str, Any]) -> Compiled:
    """What an intent compiles to."""
    return compile_fleet(read(yaml.safe_dump(document, sort_keys=False), file="fleet.yml"))


def variables_of(found: Compiled, host: str) -> dict[str, Any]:
    """The variables of a host as Ansible merges them; no two groups of a host set the same one."""
    parents: dict[str, list[str]] = {}
    for name, group in found.groups.items():
        for child in (*group.hosts, *group.children):
            parents.setdefault(child, []).append(name)
    merged: dict[str, Any] = {}
    waiting, seen = [host], set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        own = found.hosts[name] if name in found.hosts else found.groups.get(name, Group()).variables
        assert not merged.keys() & own.keys(), f"{host}: {merged.keys() & own.keys()} are set twice"
        merged.update(own)
        waiting += parents.get(name, [])
    return merged


@cache
def _specs() -> dict[str, dict[str, Any]]:
    return {
        role: yaml.safe_load((ROOT / f"roles/{role}/meta/argument_specs.yml").read_text(encoding="utf-8"))[
            "argument_specs"
        ]["main"]["options"]
        for role in ROLES
    }


def refused_by_roles(variables: dict[str, Any]) -> list[str]:
    """What the argument specs of the roles say against variables: names that none has, and values."""
    specs = _specs()
    known = {name for options in specs.values() for name in options}
    found = [f"{name} is no variable of a role" for name in variables if name not in known | OF_ANSIBLE]
    for options in specs.values():
        given = {name: _opened(value) for name, value in variables.items() if name in options}
        subset = {name: options[name] for name in given}
        found += ArgumentSpecValidator(subset).validate(given).error_messages
    return found


def _opened(value: Any) -> Any:
    """The value as Ansible hands it to a role, what is encrypted as text."""
    if isinstance(value, Encrypted):
        return "opened"
    if isinstance(value, dict):
        return {key: _opened(item) for key, item in value.items()}
    return [_opened(item) for item in value] if isinstance(value, list) else value
