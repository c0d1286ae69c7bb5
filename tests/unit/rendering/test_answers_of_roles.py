# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What roles learn on hosts and their files are made from is answered, or has a default that rendering can take."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.bulwark.mqtt.plugins.module_utils._rendering import answers
from ansible_collections.bulwark.mqtt.plugins.module_utils._rendering.dependencies import Analyst

ROOT = Path(__file__).resolve().parents[3]
DEPLOYING = [
    path.parents[1].name
    for path in sorted(ROOT.glob("roles/*/vars/main.yml"))
    if re.search(r"^__\w+_files(_of)?:", path.read_text(encoding="utf-8"), re.MULTILINE)
]
# Rendering takes the default: no port was found, no target is there, nobody is denied for this run, all users exist.
WITH_DEFAULTS = {
    "__emqx_denied_now",
    "__firewall_found",
    "__monitoring_found",
    "__mosquitto_denied_now",
}
# The action puts together what hosts would have remembered.
OF_THE_ACTION = {"__monitoring_host"}


def learned(role: str) -> set[str]:
    """The names that tasks of a role register or set."""
    return {
        name for path in ROOT.glob(f"roles/{role}/tasks/*.yml") for name in _learned(yaml.safe_load(path.read_text()))
    }


def _learned(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("register"), str):
            yield value["register"]
        yield from value.get("ansible.builtin.set_fact", {})
        for item in value.values():
            yield from _learned(item)
    elif isinstance(value, list):
        for item in value:
            yield from _learned(item)


def test_the_roles_that_deploy_files_are_known():
    assert DEPLOYING == ["certbot", "emqx", "firewall", "monitoring", "mosquitto", "nginx_stream", "tls_store"]
    assert {"__mosquitto_stack", "__mosquitto_passwords"} <= learned("mosquitto")


@pytest.mark.parametrize("role", DEPLOYING)
def test_what_a_role_learns_and_its_files_need_is_answered(role: str):
    path = ROOT / "roles" / role
    variables: dict[str, Any] = {}
    for kind in ("defaults", "vars"):
        variables.update(yaml.safe_load((path / kind / "main.yml").read_text(encoding="utf-8")))
    lists = {name: value for name, value in variables.items() if re.fullmatch(rf"__{role}_files(_of)?", name)}
    needed: set[str] = set()
    waiting = list(lists.values())
    analyst = Analyst()
    while waiting:
        names = analyst.needs(waiting.pop(), role=path).names - needed
        needed |= names
        waiting += [variables[name] for name in names if name in variables]
    answered = answers.answers(role, answers.of_release("debian-13"), template=str)
    assert needed & learned(role) <= answered.keys() | WITH_DEFAULTS | OF_THE_ACTION
