# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a role writes is evaluated as in a play, and only that by itself in which a host differs from others."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.template import trust_as_template
from ansible_collections.bulwark.mqtt.plugins.module_utils._rendering.errors import RenderError
from ansible_collections.bulwark.mqtt.plugins.module_utils._rendering.evaluation import Evaluator
from ansible_collections.bulwark.mqtt.plugins.module_utils._rendering.wiring import Play, RoleUse
from ansible_collections.bulwark.mqtt.plugins.plugin_utils import _rendered_fleet

VARS = """
__broker_files:
  - path: "{{ broker_folder }}/broker.conf"
    content: "name {{ inventory_hostname }}"
    owner: "{{ 'root' if broker_is_root else 'broker' }}"
  - path: "{{ broker_folder }}/limits.conf"
    content: "{{ __broker_limits }}"
    mode: "{{ broker_mode | default(omit) }}"
__broker_clients: "{{ groups_of_host | length * 100 }}"
__broker_limits: "clients {{ __broker_clients }}{{ broker_secret if broker_is_odd else '' }}"
"""
TASKS = """
- name: Refuse
  ansible.builtin.import_tasks: preflight.yml
"""
PREFLIGHT = """
- name: Refuse an old one
  ansible.builtin.fail:
    msg: "{{ inventory_hostname }} has {{ __broker_stack }}"
  when:
    - __broker_stack == broker_refused
- name: Refuse what the inventory was asked about
  ansible.builtin.fail:
    msg: never said
  when:
    - broker_folder == '/etc'
"""
PLAY = Play(name="Deploy", hosts="all", roles=(RoleUse("broker"),))
HOST = {
    "broker_folder": "/etc",
    "broker_is_root": True,
    "broker_is_odd": False,
    "broker_refused": "1",
    "groups_of_host": ["all"],
}


@pytest.fixture(name="evaluated")
def _evaluated() -> Counter[str]:
    """How often each text was evaluated."""
    return Counter()


@pytest.fixture(name="evaluator")
def _evaluator(tmp_path: Path, evaluated: Counter[str]) -> Evaluator:
    """One for a role `broker`."""
    for name, text in (("vars/main", VARS), ("tasks/main", TASKS), ("tasks/preflight", PREFLIGHT)):
        path = tmp_path / f"broker/{name}.yml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    real = _rendered_fleet.ansible(DataLoader())

    def evaluate(value: Any, variables: Mapping[str, Any]) -> Any:
        evaluated[str(value)] += 1
        return real.evaluate(value, variables)

    return Evaluator(dataclasses.replace(real, evaluate=evaluate), roles=tmp_path, extra={})


def files(evaluator: Evaluator, name: str, *, stack: str = "2", **more: Any) -> dict[str, tuple[str | None, str, str]]:
    """The content, owner and mode of each file of a host."""
    host = {**HOST, "inventory_hostname": name, **more}
    scope = evaluator.scope(PLAY, PLAY.roles[0], host, {"__broker_stack": stack})
    return {file.path: (file.content, file.owner, file.mode) for file in evaluator.files(scope)}


def test_files_are_evaluated_with_the_variables_of_the_host(evaluator: Evaluator):
    assert files(evaluator, "mqtt1", broker_is_root=False, groups_of_host=["all", "x"]) == {
        "/etc/broker.conf": ("name mqtt1", "broker", "0644"),
        "/etc/limits.conf": ("clients 200", "root", "0644"),
    }


def test_only_what_differs_is_evaluated_for_the_next_host(evaluator: Evaluator, evaluated: Counter[str]):
    files(evaluator, "mqtt1")
    before = evaluated.copy()
    assert files(evaluator, "mqtt2")["/etc/broker.conf"] == ("name mqtt2", "root", "0644")
    assert evaluated - before == {"name {{ inventory_hostname }}": 1}


def test_what_is_made_from_other_things_and_is_the_same_is_not_evaluated_again(
    evaluator: Evaluator, evaluated: Counter[str]
):
    files(evaluator, "mqtt1", groups_of_host=["all", "a"])
    before = evaluated.copy()
    assert files(evaluator, "mqtt1", groups_of_host=["all", "b"])["/etc/limits.conf"][0] == "clients 200"
    assert evaluated - before == {"{{ groups_of_host | length * 100 }}": 1}


def test_a_variable_that_cannot_be_evaluated_fails_only_whoever_asks_for_it(evaluator: Evaluator):
    # The expression names it; only hosts that are odd ask for it.
    broken = trust_as_template("{{ nothing_at_all }}")
    files(evaluator, "mqtt1", broker_secret=broken)
    with pytest.raises(AnsibleError, match="nothing_at_all"):
        files(evaluator, "mqtt2", broker_secret=broken, broker_is_odd=True)


def test_what_the_role_refuses_is_told_alike_for_all_hosts(evaluator: Evaluator, evaluated: Counter[str]):
    for name in ("mqtt1", "mqtt2"):
        with pytest.raises(RenderError) as refused:
            files(evaluator, name, stack="1")
        assert str(refused.value) == "the host has 1"
    assert evaluated == {"{{ inventory_hostname }} has {{ __broker_stack }}": 2}
