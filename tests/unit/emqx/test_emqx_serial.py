# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How many brokers `bulwark.mqtt.site` changes at a time, where there are clusters and where there are none."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from emqx_samples import ROOT, run

HOSTS = ("one", "two")


def serial(directory: Path, variables: dict[str, dict[str, Any]]) -> Any:
    """The play's `serial` for an inventory with these variables of its hosts."""
    plays = yaml.safe_load((ROOT / "playbooks/site.yml").read_text(encoding="utf-8"))
    (play,) = [play for play in plays if play["name"] == "Deploy the brokers that are EMQX"]
    (directory / "inventory.yml").write_text(
        json.dumps({"emqx": {"hosts": {host: variables.get(host, {}) for host in HOSTS}}}), encoding="utf-8"
    )
    asking = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "vars": {"ansible_python_interpreter": sys.executable},
        "tasks": [
            {
                "name": "Write it down",
                "ansible.builtin.copy": {
                    "content": "{{ {'serial': serial_of_play} | to_json }}",
                    "dest": str(directory / "serial.json"),
                    "mode": "0600",
                },
                "vars": {"serial_of_play": play["serial"]},
            }
        ],
    }
    run(directory, asking, "-i", str(directory / "inventory.yml"))
    return json.loads((directory / "serial.json").read_text(encoding="utf-8"))["serial"]


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        pytest.param({}, [1, "25%"], id="brokers-of-their-own"),
        pytest.param({"two": {"emqx_cluster_discovery": "none"}}, [1, "25%"], id="said-so"),
        pytest.param({"two": {"emqx_cluster_discovery": "static"}}, [1], id="a-cluster-among-them"),
        pytest.param(
            {"one": {"bulwark_serial": [2, 1]}, "two": {"emqx_cluster_discovery": "dns"}}, [2, 1], id="asked-for"
        ),
    ],
)
def test_nodes_of_a_cluster_are_changed_one_at_a_time(
    tmp_path: Path, variables: dict[str, dict[str, Any]], expected: Any
):
    assert serial(tmp_path, variables) == expected
