# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A listener for clients with passwords: what EMQX is told, and that its database holds the users of the file."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bulwark.mqtt.plugins.module_utils._host import descriptor
from emqx_samples import Render
from hocon_schema import Schema
from test_emqx_cluster import CLUSTER
from test_emqx_files import parsed

CONTROL, USERS = "/etc/bulwark/emqx/control.sh", "/etc/emqx/users.json"
UNIT, UNIT_OF_USERS = "/etc/systemd/system/emqx.service", "/etc/systemd/system/bulwark-emqx-users.service"
PASSWORDS: dict[str, Any] = {
    "emqx_listeners": [
        {"port": 8883, "lineage": "mqtt"},
        {"port": 8884, "lineage": "mqtt", "identity": "password"},
    ],
    "emqx_users": [{"name": "dashboard", "password": "a-password-of-a-client"}],
    "__emqx_passwords": {"content": "[]\n"},
}


def test_only_the_listener_for_passwords_asks_for_one(rendered: Render, schema: Schema):
    config = parsed(rendered(**PASSWORDS))
    assert schema.problems(config) == []
    listeners = config["listeners"]["ssl"]
    certificate, password = listeners["tls_8883"], listeners["tls_8884"]
    assert (certificate["enable_authn"], password["enable_authn"]) == (False, "quick_deny_anonymous")
    assert password["ssl_options"]["verify"] == "verify_none"
    assert certificate["ssl_options"]["verify"] == "verify_peer"
    assert config["authentication"] == [
        {
            "mechanism": "password_based",
            "backend": "built_in_database",
            "user_id_type": "username",
            "password_hash_algorithm": {"name": "pbkdf2", "mac_fun": "sha512", "iterations": 10000},
            "bootstrap_file": USERS,
            "bootstrap_type": "hash",
        }
    ]


@pytest.mark.parametrize("bound", [True, False])
def test_a_name_that_is_bound_is_the_identifier_with_a_password_too(rendered: Render, schema: Schema, bound: bool):
    config = parsed(rendered(**PASSWORDS, emqx_bind_client_id=bound))
    assert schema.problems(config) == []
    assert config["mqtt"]["use_username_as_clientid"] is bound


def test_without_such_a_listener_nobody_has_a_password(rendered: Render):
    files = rendered()
    assert "authentication" not in parsed(files)
    assert USERS not in files
    assert UNIT_OF_USERS not in files
    assert "emqx-users" not in files[UNIT]


def test_the_passwords_are_in_the_file_alone_and_the_brokers_user_must_be_able_to_read_it(rendered: Render):
    files = rendered(**PASSWORDS)
    assert not [path for path, content in files.items() if "a-password-of-a-client" in content]
    path = "/etc/bulwark/services.d/emqx.json"
    described = descriptor.parse(files[path].encode(), source=path)
    assert USERS in described.check.reads
    assert described.probes[1] == {"kind": "tls", "address": "127.0.0.1", "port": 8884, "lineage": "mqtt"}


def test_each_start_has_the_database_hold_the_users_and_waits_for_nobody(rendered: Render):
    files = rendered(**PASSWORDS)
    assert "Wants=network-online.target bulwark-emqx-users.service" in files[UNIT].splitlines()
    assert "TimeoutStartSec" not in files[UNIT]
    lines = files[UNIT_OF_USERS].splitlines()
    assert {"After=emqx.service", "PartOf=emqx.service", f"ExecStart=/bin/sh {CONTROL} started"} <= set(lines)
    assert {"TimeoutStartSec=infinity", "Restart=on-failure", "User=emqx"} <= set(lines)


@pytest.mark.parametrize(
    ("cluster", "asked"), [({}, ["users"]), (CLUSTER, ["users", "joined"])], ids=["alone", "in-a-cluster"]
)
def test_a_change_is_done_when_the_database_holds_the_users(
    rendered: Render, cluster: dict[str, Any], asked: list[str]
):
    path = "/etc/bulwark/services.d/emqx.json"
    described = descriptor.parse(rendered(**PASSWORDS, **cluster)[path].encode(), source=path)
    assert list(described.probes[2:]) == [{"kind": "program", "argv": ["/bin/sh", CONTROL, one]} for one in asked]


class Node:
    """An `emqx` that answers what it is told to, and remembers what it was asked."""

    def __init__(self, folder: Path, script: str):
        self.program, self.asked_in = folder / "emqx", folder / "asked"
        self.script = script.replace("/opt/emqx/5.8.9/bin/emqx", str(self.program))

    def run(self, action: str, *, users: str, looks: int = 1) -> subprocess.CompletedProcess[str]:
        """Run the script; `users` is what the node answers where it is asked for its users, once it was looked at."""
        self.program.write_text(
            f'#!/bin/sh\necho "$@" >>{self.asked_in}\n'
            f"case $* in *emqx_authn_chains*) {users} ;; *status*) [ $(grep -c status {self.asked_in}) -lt {looks} ] ||"
            " echo Node x 5.8.9 is started ;; *) echo '{ok,x}' ;; esac\n",
            encoding="utf-8",
        )
        self.program.chmod(0o755)
        # What it waits between two looks is none of this test's.
        quick = f"sleep() {{ :; }}\n{self.script}"
        return subprocess.run(["sh", "-s", action], input=quick, capture_output=True, text=True, check=False)

    def asked(self, text: str) -> int:
        """How often it was asked something."""
        return self.asked_in.read_text(encoding="utf-8").count(text)


@pytest.fixture(name="node")
def fixture_node(rendered: Render, tmp_path: Path) -> Node:
    """A node with the role's script."""
    return Node(tmp_path, rendered(**PASSWORDS)[CONTROL])


def test_a_reload_gives_the_node_its_users(node: Node):
    result = node.run("reload", users="echo '{users,1}'")
    assert (result.returncode, result.stderr) == (0, "")
    assert node.asked("{hash, File, Data}") == 1
    assert node.asked("ctl pem_cache clean all") == 1


def test_a_reload_that_the_node_did_not_take_fails_with_its_word(node: Node):
    result = node.run("reload", users="echo no function clause; exit 1")
    assert (result.returncode, result.stderr) == (
        1, f"Error: {USERS}: EMQX did not take it: no function clause\n"
    )  # fmt: skip


@pytest.mark.parametrize("action", ["users", "started"])
def test_the_users_are_given_alone(node: Node, action: str):
    result = node.run(action, users="echo '{users,1}'")
    assert (result.returncode, result.stderr) == (0, "")
    assert node.asked("{hash, File, Data}") == 1
    assert node.asked("ctl status") == (action == "started")
    assert node.asked("pem_cache") == 0


def test_a_start_waits_for_the_node_as_long_as_it_takes(node: Node):
    result = node.run("started", users="echo '{users,1}'", looks=40)
    assert (result.returncode, result.stderr) == (0, "")
    assert node.asked("ctl status") == 40
    assert node.asked("{hash, File, Data}") == 1


def test_users_that_the_node_did_not_take_are_an_error(node: Node):
    result = node.run("started", users="echo no such chain")
    assert (result.returncode, result.stderr) == (1, f"Error: {USERS}: EMQX did not take it: no such chain\n")
