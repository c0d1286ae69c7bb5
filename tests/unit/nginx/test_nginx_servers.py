# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re

import pytest
from ansible_collections.bulwark.mqtt.plugins.filter.nginx_servers import FilterModule

complete = FilterModule().filters()["nginx_servers"]

EDGE = {"port": 8883, "lineage": "mqtt"}
PASSTHROUGH = {"port": 8883, "topology": "passthrough", "brokers": ["127.0.0.1:9883"]}
REENCRYPT = {
    "port": 8883,
    "topology": "reencrypt",
    "lineage": "mqtt",
    "identity": "password",
    "brokers": ["192.0.2.1:8883", "[2001:db8::1]:8883"],
    "broker_name": "broker.example.com",
}


def problems(*servers):
    return [problem for server in complete(servers) for problem in server["problems"]]


def route(**changes):
    """The regular expression as nginx reads it, behind the mark that it is one."""
    pattern = complete([{**PASSTHROUGH, **changes}])[0]["route"]
    assert pattern.startswith("~*")
    return re.compile(pattern[2:], re.IGNORECASE)


def test_a_server_needs_a_port_and_a_lineage_and_gets_the_rest():
    assert complete([EDGE]) == [
        {
            "port": 8883,
            "topology": "nginx",
            "lineage": "mqtt",
            "names": [],
            "identity": "certificate",
            "client_certificates": True,
            "crl": False,
            "stapling": "auto",
            "alpn": ["mqtt"],
            "brokers": ["unix:/run/bulwark-mqtt/proxy.sock"],
            "balance": "least_conn",
            "broker_ca": "/etc/bulwark/tls/mqtt/current/ca.pem",
            "broker_name": "",
            "sources": [],
            "first_at_port": True,
            "proxy_protocol": True,
            "greeted": True,
            "route": "",
            "firewall_rule": {"name": "nginx_stream-8883", "port": 8883, "sources": []},
            "probe": {"kind": "tls", "port": 8883, "server_name": ""},
            "problems": [],
        }
    ]


def test_password_clients_are_not_asked_for_a_certificate_unless_that_is_said():
    assert not complete([{**EDGE, "identity": "password"}])[0]["client_certificates"]
    assert complete([{**EDGE, "identity": "password", "client_certificates": True}])[0]["client_certificates"]


def test_off_is_understood_as_yaml_reads_it():
    assert complete([{**EDGE, "stapling": False}])[0]["stapling"] == "off"


def test_only_where_tls_ends_beside_the_broker_a_header_tells_the_name_of_a_certificate():
    servers = [EDGE, {**EDGE, "identity": "password"}, PASSTHROUGH, REENCRYPT]
    assert [server["proxy_protocol"] for server in complete(servers)] == [True, False, False, False]


def test_the_first_server_of_a_port_answers_for_it():
    servers = [EDGE, {**EDGE, "names": ["b.example.com"]}, {**EDGE, "port": 8884}]
    assert [server["first_at_port"] for server in complete(servers)] == [True, False, True]


@pytest.mark.parametrize(
    ("changes", "asked", "goes"),
    [
        ({}, "|", True),
        ({}, "a.example.com|mqtt", True),
        ({"names": ["a.example.com"]}, "a.example.com|", True),
        ({"names": ["a.example.com"]}, "A.Example.Com|mqtt", True),
        ({"names": ["a.example.com"]}, "axexample.com|", False),
        ({"names": ["a.example.com"]}, "xa.example.com|", False),
        ({"names": ["a.example.com", "b.example.com"]}, "b.example.com|", True),
        ({"names": ["*.example.com"]}, "a.example.com|", True),
        ({"names": ["*.example.com"]}, "a.b.example.com|", False),
        ({"names": ["*.example.com"]}, ".example.com|", False),
        ({"alpn": ["mqtt"]}, "a|mqtt", True),
        ({"alpn": ["mqtt"]}, "a|x,mqtt,y", True),
        ({"alpn": ["mqtt"]}, "a|xmqtt", False),
        ({"alpn": ["mqtt"]}, "a|", False),
        ({"alpn": ["http/1.1"]}, "a|h2,http/1.1", True),
        ({"alpn": ["http/1.1"]}, "a|http/1x1", False),
    ],
)
def test_a_client_goes_where_its_name_and_protocol_fit(changes, asked, goes):
    assert bool(route(**changes).match(asked)) is goes


@pytest.mark.parametrize("servers", [[EDGE], [PASSTHROUGH], [REENCRYPT], [PASSTHROUGH, {**PASSTHROUGH, "alpn": ["x"]}]])
def test_good_servers_have_no_problems(servers):
    assert problems(*servers) == []


@pytest.mark.parametrize(
    ("server", "problem"),
    [
        ({**EDGE, "port": 0}, "port 0 has no such port; give a number from 1 to 65535"),
        ({"port": 1}, "port 1 ends TLS (topology nginx) and has no lineage; name the certificate that it serves"),
        (
            {**EDGE, "names": ["a b"]},
            "port 8883 has 'a b' among its names, which no client can ask for; give a DNS name, or *. and one",
        ),
        (
            {**EDGE, "alpn": ["a;b"]},
            "port 8883 has 'a;b' in alpn; give names of protocols, such as mqtt or http/1.1",
        ),
        (
            {**EDGE, "crl": True, "identity": "password", "brokers": ["unix:/run/x"]},
            "port 8883 has a revocation list (crl) and asks for no client certificate; set client_certificates: true",
        ),
        (
            {**EDGE, "client_certificates": False},
            (
                "port 8883 takes identities from certificates; leave out client_certificates: false, or set identity:"
                " password"
            ),
        ),
        (
            {**EDGE, "brokers": ["192.0.2.1:1883"]},
            (
                "port 8883 would speak to 192.0.2.1:1883 without TLS, where others could listen, and claim to be"
                " any client; use a socket or the loopback, or topology reencrypt or passthrough"
            ),
        ),
        (
            {**EDGE, "identity": "password", "balance": "identity", "brokers": ["unix:/run/x"]},
            "port 8883 balances by identity, but asks for no client certificate; use balance least_conn or source",
        ),
        ({**EDGE, "identity": "password"}, "port 8883 has no brokers; give addresses with ports, or unix:/path"),
        ({**PASSTHROUGH, "brokers": []}, "port 8883 has no brokers; give addresses with ports, or unix:/path"),
        (
            {**PASSTHROUGH, "crl": True, "lineage": "mqtt"},
            "port 8883 leaves TLS to the broker (passthrough), so lineage, crl would do nothing; leave it out",
        ),
        (
            {**REENCRYPT, "broker_name": ""},
            (
                "port 8883 speaks TLS to its brokers and has no broker_name; give the name that their certificate must"
                " have"
            ),
        ),
        (
            {**REENCRYPT, "brokers": ["unix:/run/x"]},
            "port 8883 speaks TLS to its brokers, and unix:/run/x is on this host; use topology nginx",
        ),
        (
            {**REENCRYPT, "identity": "certificate"},
            (
                "port 8883 would hide from the broker which device it is (topology reencrypt with identity"
                " certificate); use topology passthrough, or identity: password, with client_certificates: true to ask"
                " for certificates as well"
            ),
        ),
    ],
)
def test_a_server_that_cannot_be_is_named_with_the_reason_and_the_remedy(server, problem):
    assert problems(server) == [f"nginx_stream_servers: the server on {problem}"]


@pytest.mark.parametrize(
    "broker",
    [
        "broker.example.com:8883",
        "192.0.2.1",
        "192.0.2.1:0",
        "192.0.2.1:65536",
        "2001:db8::1:8883",
        "[192.0.2.1]:1",
        "unix:x",
        "unix:/a;b",
    ],
)
def test_a_broker_is_an_address_with_a_port_or_a_socket(broker):
    assert problems({**PASSTHROUGH, "brokers": [broker]}) == [
        (
            f"nginx_stream_servers: the server on port 8883 has the broker {broker!r}; give unix:/path, or an IP"
            " address with a port: with a name, nginx would not start while no name server answers"
        )
    ]


@pytest.mark.parametrize("broker", ["unix:/run/a/b.sock", "127.0.0.1:1883", "[::1]:1883"])
def test_a_broker_that_nobody_else_reaches_may_hear_names(broker):
    assert problems({**EDGE, "brokers": [broker]}) == []


def test_passthrough_shares_no_port_with_a_server_that_ends_tls():
    assert problems(EDGE, PASSTHROUGH) == [
        (
            "nginx_stream_servers: the server on port 8883 has another one beside it, and only one of them is"
            " passthrough; give them ports of their own"
        )
    ]


def test_a_second_server_on_a_port_needs_names():
    assert problems(EDGE, EDGE) == [
        (
            "nginx_stream_servers: the server on port 8883 has another one before it and no names, so no client"
            " could ask for it; give it names"
        )
    ]


def test_a_name_has_one_server():
    named = {**EDGE, "names": ["a.example.com"]}
    assert problems(named, named) == [
        "nginx_stream_servers: the server on port 8883 has another one for a.example.com before it; give each name once"
    ]
