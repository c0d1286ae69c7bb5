# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from ansible_collections.bulwark.mqtt.plugins.module_utils._firewall import (
    complete,
    families,
    listening_sockets,
    of_listeners,
)

LIMITS = {"rate": 100, "burst": 500, "ceiling": 16000, "ceiling_per_source": 8000}


def problems(*rules: dict[str, Any]) -> list[str]:
    return [problem for rule in complete(rules, LIMITS) for problem in rule["problems"]]


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param({"port": 8883}, id="a-port"),
        pytest.param({"port": "8000-8010"}, id="a-range"),
        pytest.param({"port": 8883, "sources": ["192.0.2.0/24", "2001:db8::/32", "192.0.2.7"]}, id="sources"),
        pytest.param({"port": 14567, "protocol": "udp", "interface": "eth0.5"}, id="an-interface"),
        pytest.param({"port": 11883, "skuid": "www-data"}, id="a-user"),
        pytest.param({"port": 11883, "skuid": 33}, id="the-number-of-a-user"),
        pytest.param({"port": 8883, "rate": 0, "interface": None, "skuid": None}, id="what-is-not-given"),
    ],
)
def test_a_rule_that_can_be_has_no_problem(rule: dict[str, Any]) -> None:
    assert problems({"name": "mqtt", **rule}) == []


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        pytest.param(
            {"port": 0}, "mqtt has port 0; give one from 1 to 65535, or a range such as '8000-8010'", id="no-port"
        ),
        pytest.param(
            {"port": "9-5"},
            "mqtt has port '9-5'; give one from 1 to 65535, or a range such as '8000-8010'",
            id="a-range-backwards",
        ),
        pytest.param(
            {"port": "80-65536"},
            "mqtt has port '80-65536'; give one from 1 to 65535, or a range such as '8000-8010'",
            id="a-range-beyond-the-end",
        ),
        pytest.param(
            {"sources": ["192.0.2.300"]},
            "mqtt: the source '192.0.2.300' is no address and no network; "
            "write one such as 192.0.2.0/24 or 2001:db8::/32",
            id="no-address",
        ),
        pytest.param(
            {"sources": ["192.0.2.7/24"]},
            "mqtt: the source '192.0.2.7/24' has bits beyond its prefix; write 192.0.2.0/24",
            id="bits-beyond-the-prefix",
        ),
        pytest.param(
            {"name": "a b"},
            "a rule has the name 'a b'; give 1 to 40 letters, digits, '_', '.' or '-', a letter first",
            id="a-name-with-a-space",
        ),
        pytest.param(
            {"interface": "eth0; drop"},
            "mqtt has interface 'eth0; drop'; give the name of one, such as eth0",
            id="no-interface",
        ),
        pytest.param({"skuid": "a b"}, "mqtt has skuid 'a b'; give the name or number of a user", id="no-user"),
        pytest.param(
            {"skuid": "www-data", "sources": ["192.0.2.1"]},
            "mqtt has skuid, so only this host comes in; take its sources and interface away",
            id="a-user-of-another-host",
        ),
        pytest.param(
            {"ceiling": -1}, "mqtt has ceiling -1; give a whole number, 0 for no limit", id="less-than-nothing"
        ),
    ],
)
def test_a_rule_that_cannot_be_is_named_with_the_remedy(rule: dict[str, Any], problem: str) -> None:
    assert problems({"name": "mqtt", "port": 8883, **rule}) == [f"firewall_rules: {problem}"]


def test_two_rules_of_one_name_are_refused() -> None:
    assert problems({"name": "mqtt", "port": 1}, {"name": "mqtt", "port": 2}) == [
        "firewall_rules: two rules have the name mqtt; give each a name of its own"
    ]


def test_two_rules_for_one_port_are_refused() -> None:
    assert problems({"name": "some", "port": "8000-8010"}, {"name": "one", "port": 8005}) == [
        "firewall_rules: some and one have a port in common; make it one rule"
    ]


def test_a_port_may_have_one_rule_for_each_protocol_and_for_this_host() -> None:
    rules = [{"port": 8883}, {"port": 8883, "protocol": "udp"}, {"port": 8883, "skuid": "nobody"}]
    assert problems(*({"name": f"r{number}", **rule} for number, rule in enumerate(rules))) == []


def test_limits_of_a_rule_come_before_those_of_all() -> None:
    [rule] = complete([{"name": "mqtt", "port": 8883, "rate": 7}], LIMITS)
    assert (rule["rate"], rule["burst"], rule["ceiling"]) == (7, 500, 16000)


def test_sources_are_sorted_by_family_and_those_within_others_left_out() -> None:
    assert families(["192.0.2.7", "2001:db8::/32", "192.0.2.0/24", "2001:db8:1::/48"]) == {
        "ip": ["192.0.2.0/24"],
        "ip6": ["2001:db8::/32"],
        "refused": [],
    }


def test_a_rule_whose_sources_were_all_refused_is_not_for_everyone() -> None:
    [rule] = complete([{"name": "mqtt", "port": 8883, "sources": ["nowhere"]}], LIMITS)
    assert not rule["everyone"]


def table(*sockets: str) -> str:
    """What the kernel lists, on a machine with little words."""
    return "\n".join(
        ["  sl  local_address rem_address   st ...", *(f"   0: {item} 00000000:0000 0A" for item in sockets)]
    )


def of(address: str, port: int) -> str:
    packed = ipaddress.ip_address(address).packed
    words = [int.from_bytes(packed[start : start + 4], "little") for start in range(0, len(packed), 4)]
    return f"{''.join(f'{word:08X}' for word in words)}:{port:04X}"


def test_sockets_that_other_hosts_reach_are_found_with_an_address_to_try() -> None:
    four = table(of("0.0.0.0", 22), of("198.51.100.7", 1886))
    six = table(of("::", 22), of("::", 1884), of("2001:db8::7", 1887))
    assert listening_sockets([four, six], order="little") == [
        {"port": 22, "address": "127.0.0.1"},
        {"port": 1884, "address": "::1"},
        {"port": 1886, "address": "198.51.100.7"},
        {"port": 1887, "address": "2001:db8::7"},
    ]


def test_addresses_are_read_in_the_order_of_the_machine() -> None:
    assert listening_sockets([table("C6336407:075E")], order="big") == [{"port": 1886, "address": "198.51.100.7"}]


def test_a_connection_that_is_no_listener_and_a_host_without_a_family_are_no_matter() -> None:
    established = table(of("198.51.100.7", 1886)).replace(" 0A", " 01")
    assert listening_sockets([established, ""], order="little") == []


@pytest.mark.parametrize("local", ["127.0.0.53", "::1", "::ffff:127.0.0.1", "fe80::1"])
def test_a_socket_that_other_hosts_do_not_reach_by_address_is_left_out(local: str) -> None:
    assert listening_sockets([table(of(local, 98))], order="little") == []


def test_a_listener_has_a_rule_with_its_port_and_its_sources() -> None:
    listeners = [{"port": 8883, "sources": ["192.0.2.0/24"], "identity": "certificate"}, {"port": 8443}]
    assert of_listeners(listeners, "broker") == [
        {"name": "broker-8883", "port": 8883, "sources": ["192.0.2.0/24"]},
        {"name": "broker-8443", "port": 8443},
    ]
