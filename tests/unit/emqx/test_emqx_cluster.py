# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Clusters that cannot be, and what the role writes for one that can."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bulwark.mqtt.plugins.module_utils import _emqx_cluster
from ansible_collections.bulwark.mqtt.plugins.module_utils._host import descriptor
from emqx_samples import Render
from hocon_schema import Schema
from test_emqx_files import parsed

VM_ARGS, SSL_DIST, CONTROL = "/etc/emqx/vm.args", "/etc/emqx/ssl_dist.conf", "/etc/bulwark/emqx/control.sh"
SERVICE = "/etc/bulwark/services.d/emqx.json"


def node(number: int, **options: Any) -> dict[str, Any]:
    return {"host": f"mqtt{number}.example.com", "address": f"192.0.2.1{number}", **options}


NODES = [node(1), node(2), node(3)]
CLUSTER = {
    "emqx_cluster_discovery": "static",
    "emqx_cluster_host": "mqtt1.example.com",
    "emqx_cluster_nodes": NODES,
    "emqx_node_cookie": "a-cookie-of-this-test",
}


def problems(nodes: list[dict[str, Any]], **options: Any) -> list[str]:
    return _emqx_cluster.problems(nodes, **{"host": "mqtt1.example.com", "discovery": "static", **options})


@pytest.mark.parametrize(
    ("nodes", "options", "message"),
    [
        pytest.param(
            NODES,
            {"discovery": "none"},
            (
                "emqx_cluster_nodes has 3 nodes and emqx_cluster_discovery is none; choose static or dns, or take them"
                " out"
            ),
            id="nodes-without-discovery",
        ),
        pytest.param(
            NODES[:1],
            {},
            "emqx_cluster_nodes: there are 1; give all nodes of the cluster, two at least",
            id="one-node",
        ),
        pytest.param(
            NODES,
            {"host": "mqtt9.example.com"},
            (
                "emqx_cluster_host is mqtt9.example.com, and emqx_cluster_nodes has no such node; add it, or correct"
                " the name"
            ),
            id="another-host",
        ),
        pytest.param(
            [*NODES, node(4, host="mqtt2.example.com")],
            {},
            "emqx_cluster_nodes: two nodes have the host mqtt2.example.com; give each node its own",
            id="two-names-alike",
        ),
        pytest.param(
            [*NODES, node(4, address="192.0.2.12")],
            {},
            "emqx_cluster_nodes: two nodes have the address 192.0.2.12; give each node its own",
            id="two-addresses-alike",
        ),
        pytest.param(
            [*NODES, node(4, host="mqtt4")],
            {},
            (
                "emqx_cluster_nodes: the host 'mqtt4' cannot be a node's; give a full DNS name in lower case, such as"
                " mqtt1.example.com, or an IPv4 address"
            ),
            id="a-short-name",
        ),
        pytest.param(
            [*NODES, node(4, address="2001:db8::4")],
            {},
            (
                "emqx_cluster_nodes: mqtt4.example.com has the address '2001:db8::4'; give the IPv4 address"
                " that the others see"
            ),
            id="an-address-of-ipv6",
        ),
        pytest.param(
            [node(1, role="replicant"), node(2, role="replicant")],
            {},
            (
                "emqx_cluster_nodes: all nodes are replicants, which keep no data of their own; make one a core, better"
                " three"
            ),
            id="replicants-without-a-core",
        ),
        pytest.param(
            [*NODES, node(4, role="replicant")],
            {"replicants": False, "version": "5.8.9"},
            (
                "emqx_cluster_nodes: mqtt4.example.com is a replicant, which EMQX 5.8.9 knows in its enterprise edition"
                " only; make it a core, or give emqx_licence_key"
            ),
            id="a-replicant-of-the-open-edition",
        ),
        pytest.param(
            NODES,
            {"needs_licence": True, "version": "5.10.4"},
            (
                "emqx_version is 5.10.4, and a cluster of EMQX 5.9 and later needs a licence; give emqx_licence_key, or"
                " take a version of 5.8, the last that clusters without one"
            ),
            id="no-licence",
        ),
        pytest.param(
            NODES,
            {"discovery": "dns"},
            (
                "emqx_cluster_discovery is dns, and emqx_cluster_dns_name is empty; give the name whose records are the"
                " nodes"
            ),
            id="dns-without-a-name",
        ),
        pytest.param(
            NODES,
            {"discovery": "dns", "dns_name": "emqx example"},
            "emqx_cluster_dns_name is 'emqx example'; give a DNS name, such as emqx.example.com",
            id="dns-with-no-name",
        ),
        pytest.param(
            NODES,
            {"dns_name": "emqx.example.com"},
            (
                "emqx_cluster_dns_name is emqx.example.com and emqx_cluster_discovery is static; choose dns, or take"
                " the name out"
            ),
            id="a-name-without-dns",
        ),
        pytest.param(
            NODES,
            {"discovery": "dns", "dns_name": "emqx.example.com", "dns_record": "a"},
            (
                "emqx_cluster_dns_record is a, with which nodes are called by their addresses, and emqx_cluster_nodes"
                " has the host mqtt1.example.com; give addresses as hosts, or take srv"
            ),
            id="names-behind-addresses",
        ),
        pytest.param(
            [node(1, host="192.0.2.11"), node(2, host="192.0.2.12")],
            {"discovery": "dns", "dns_name": "emqx.example.com", "host": "192.0.2.11"},
            (
                "emqx_cluster_dns_record is srv, with which nodes are called by their names, and emqx_cluster_nodes has"
                " the host 192.0.2.11; give names as hosts, or take a"
            ),
            id="addresses-behind-names",
        ),
    ],
)
def test_a_cluster_that_cannot_be_is_named_with_the_remedy(
    nodes: list[dict[str, Any]], options: dict[str, Any], message: str
):
    assert problems(nodes, **options) == [message]


@pytest.mark.parametrize(
    ("nodes", "options"),
    [
        pytest.param([], {"discovery": "none"}, id="none"),
        pytest.param(NODES, {}, id="static"),
        pytest.param(NODES, {"needs_licence": True, "licence": True}, id="with-a-licence"),
        pytest.param([*NODES, node(4, role="replicant")], {"replicants": False, "licence": True}, id="enterprise"),
        pytest.param(NODES, {"discovery": "dns", "dns_name": "_emqx._tcp.example.com"}, id="srv"),
        pytest.param(
            [node(1, host="192.0.2.11"), node(2, host="192.0.2.12")],
            {"discovery": "dns", "dns_name": "emqx.example.com", "dns_record": "a", "host": "192.0.2.11"},
            id="addresses",
        ),
    ],
)
def test_a_cluster_that_can_be_has_no_problem(nodes: list[dict[str, Any]], options: dict[str, Any]):
    assert problems(nodes, **options) == []


def test_the_nodes_speak_tls_and_prove_their_cookie_in_no_older_way(rendered: Render, schema: Schema):
    config = parsed(rendered(**CLUSTER))
    assert schema.problems(config) == []
    tls = "/etc/bulwark/tls/cluster/current"
    assert config["node"]["name"] == "emqx@mqtt1.example.com"
    assert config["cluster"] == {
        "discovery_strategy": "static",
        "static": {"seeds": [f"emqx@mqtt{number}.example.com" for number in (1, 2, 3)]},
        "proto_dist": "inet_tls",
        "autoheal": True,
    }
    rpc = config["rpc"]
    assert {key: rpc[key] for key in ("protocol", "insecure_fallback", "tls_versions")} == {
        "protocol": "ssl", "insecure_fallback": False, "tls_versions": ["tlsv1.3"]
    }  # fmt: skip
    assert [rpc[key] for key in ("certfile", "keyfile", "cacertfile")] == [
        f"{tls}/fullchain.pem", f"{tls}/privkey.pem", f"{tls}/ca.pem"
    ]  # fmt: skip


def test_the_distribution_verifies_both_sides_and_lets_nodes_in_only(rendered: Render):
    files = rendered(**CLUSTER)
    server, client = files[SSL_DIST].split("{client,")
    for side in (server, client):
        assert side.count("{verify, verify_peer}") == 1
        assert "/etc/bulwark/tls/cluster/current/ca.pem" in side
        assert "verify_none" not in side
    assert "{fail_if_no_peer_cert, true}" in server
    assert "{verify_fun, {fun inet_tls_dist:verify_client/3, []}}" in server
    arguments = files[VM_ARGS].splitlines()
    assert (
        "-s net_kernel allow emqx@mqtt1.example.com emqx@mqtt2.example.com emqx@mqtt3.example.com mqtt1.example.com"
        in arguments
    )
    assert not [line for line in arguments if "inet_dist_use_interface" in line]


def test_a_broker_of_its_own_has_nothing_of_it(rendered: Render):
    files = rendered()
    assert SSL_DIST not in files
    assert "net_kernel" not in files[VM_ARGS]
    assert not [word for word in ("joined", "ssl_pem_cache_dist") if word in files[CONTROL]]


def test_dns_names_what_to_ask_for(rendered: Render, schema: Schema):
    given = {
        **CLUSTER,
        "emqx_cluster_discovery": "dns",
        "emqx_cluster_dns_name": "emqx.example.com",
        "emqx_cluster_dns_record": "srv",
    }
    config = parsed(rendered(**given))
    assert schema.problems(config) == []
    assert config["cluster"]["discovery_strategy"] == "dns"
    assert config["cluster"]["dns"] == {"name": "emqx.example.com", "record_type": "srv"}


def test_a_replicant_says_so_and_is_no_seed(rendered: Render):
    nodes = [node(1, role="replicant"), node(2), node(3)]
    config = parsed(
        rendered(**{**CLUSTER, "emqx_version": "5.10.4", "emqx_licence_key": "x", "emqx_cluster_nodes": nodes})
    )
    assert config["node"]["role"] == "replicant"
    assert config["cluster"]["static"]["seeds"] == ["emqx@mqtt2.example.com", "emqx@mqtt3.example.com"]


def test_the_descriptor_knows_the_cluster(rendered: Render):
    described = descriptor.parse(rendered(**CLUSTER)[SERVICE].encode(), source=SERVICE)
    assert described.activation("cluster", {"certificate", "ca"}) == "reload"
    assert "/etc/bulwark/tls/cluster/current/privkey.pem" in described.check.reads
    assert described.probes[-1] == {"kind": "program", "argv": ["/bin/sh", CONTROL, "joined"]}
    assert described.probe_seconds == 180


@pytest.mark.parametrize(
    ("answer", "status", "said"),
    [
        pytest.param("echo '[]'", 0, "", id="together"),
        pytest.param(
            "echo \"['emqx@mqtt2.example.com']\"",
            1,
            (
                "Error: emqx@mqtt1.example.com is not in the cluster of ['emqx@mqtt2.example.com'], which answer at"
                " port 4370\n"
            ),
            id="apart",
        ),
        pytest.param(
            "echo 'Node not responding to pings.' >&2; exit 1",
            1,
            "Error: the node does not answer: Node not responding to pings.\n",
            id="not-up-yet",
        ),
    ],
)
def test_the_script_says_whether_the_node_is_with_the_others(
    rendered: Render, tmp_path: Path, answer: str, status: int, said: str
):
    program, given = tmp_path / "emqx", tmp_path / "given"
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >{given}\n{answer}\n', encoding="utf-8")
    program.chmod(0o755)
    script = rendered(**CLUSTER)[CONTROL].replace("/opt/emqx/5.8.9/bin/emqx", str(program))
    result = subprocess.run(["sh", "-s", "joined"], input=script, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (status, said)
    asked = given.read_text(encoding="utf-8")
    assert (
        "['emqx@mqtt1.example.com', 'emqx@mqtt2.example.com', 'emqx@mqtt3.example.com'] -- emqx:running_nodes()"
        in asked
    )


def test_a_reload_reads_the_certificate_between_nodes_again(rendered: Render, tmp_path: Path):
    program, given = tmp_path / "emqx", tmp_path / "given"
    program.write_text(f'#!/bin/sh\necho "$@" >>{given}\necho "{{ok, x}}"\n', encoding="utf-8")
    program.chmod(0o755)
    script = rendered(**CLUSTER)[CONTROL].replace("/opt/emqx/5.8.9/bin/emqx", str(program))
    result = subprocess.run(["sh", "-s", "reload"], input=script, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    asked = given.read_text(encoding="utf-8").splitlines()
    assert asked[:2] == [
        "ctl pem_cache clean all",
        "eval catch gen_server:call(ssl_pem_cache_dist, {unconditionally_clear_pem_cache, self()}).",
    ]
