# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Listeners and settings that cannot be, and HOCON from data."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.bulwark.mqtt.plugins.filter.emqx_hocon import FilterModule as Hocon
from ansible_collections.bulwark.mqtt.plugins.filter.stack_capabilities import FilterModule as Capabilities
from ansible_collections.bulwark.mqtt.plugins.module_utils import _emqx_config, _emqx_listeners
from pyhocon import ConfigFactory

emqx_hocon = Hocon().filters()["emqx_hocon"]
stack_capabilities = Capabilities().filters()["stack_capabilities"]
URL = "http://pki.example.com"


def listener(**options):
    return {"port": 8883, "lineage": "mqtt", **options}


@pytest.mark.parametrize(
    ("listeners", "message"),
    [
        ([], "there is none; give at least one"),
        ([listener(), listener()], "the ports are 8883, 8883; give each listener a port of its own"),
        ([listener(port=4370)], "port 4370 is EMQX's own, for Erlang's distribution; choose another one"),
        (
            [listener(protocol="websockets", crl=True)],
            "port 8883 has crl, which EMQX has not got over WebSockets; take it out",
        ),
        (
            [listener(stapling=True), listener(port=8884, stapling=True)],
            "ports 8883, 8884 have stapling, and EMQX keeps one response for all of them; leave it to one",
        ),
        (
            [{"port": 8883}],
            "port 8883 has no lineage; name the certificate that it serves, or set proxy_protocol behind nginx",
        ),
        (
            [listener(proxy_protocol=True, sources=["192.0.2.0/24"])],
            (
                "port 8883 has proxy_protocol, so it is on the loopback and nginx ends TLS, and lineage, sources would"
                " do nothing; take it out"
            ),
        ),
        (
            [listener(identity="password", crl=True)],
            "port 8883 has crl, and its clients have no certificate; take it out, or set identity: certificate",
        ),
        (
            [{"port": 11883, "proxy_protocol": True}, {"port": 11884, "proxy_protocol": True}],
            "ports 11883, 11884 have proxy_protocol, and nginx needs one of them; take the others out",
        ),
        (
            [listener(extra={"enable_authn": True})],
            "port 8883 has enable_authn in extra, which is the role's own; take it out",
        ),
        (
            [listener(extra={"ssl_options": {"verify": "verify_none"}})],
            "port 8883 has ssl_options.verify in extra, which is the role's own; take it out",
        ),
    ],
)
def test_a_listener_that_cannot_be_is_named_with_the_remedy(listeners, message):
    assert _emqx_listeners.problems(listeners, publish_url=URL) == [message]


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (
            "crl",
            (
                "port 8883 has crl, and EMQX fetches lists from the address in the client's certificate alone, which"
                " has none; set pki_publish_url"
            ),
        ),
        (
            "stapling",
            "port 8883 has stapling, and there is no address to fetch responses from; set pki_publish_url",
        ),
    ],
)
def test_what_emqx_fetches_needs_an_address(option, message):
    assert _emqx_listeners.problems([listener(**{option: True})]) == [message]
    assert _emqx_listeners.problems([listener(**{option: True})], publish_url=URL) == []


def test_other_settings_of_a_listener_are_left_to_the_check_of_emqx():
    extra = {"verify": "verify_peer", "acceptors": 8, "ssl_options": {"depth": 3}}
    assert _emqx_listeners.problems([listener(extra=extra)]) == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"listeners": {"tcp": {"x": {"bind": 1883}}}}, "listeners.tcp.x.bind is the role's own; use emqx_listeners"),
        ({"listeners.ssl.x.bind": 1}, "listeners.ssl.x.bind is the role's own; use emqx_listeners"),
        ({"gateway": {"stomp": {}}}, "gateway.stomp is the role's own; take it out"),
        ({"authentication": []}, "authentication is the role's own; use emqx_users"),
        ({"authorization": {"no_match": "allow"}}, "authorization.no_match is the role's own; use emqx_acl"),
        ({"node": {"cookie": "x"}}, "node.cookie is the role's own; use emqx_node_cookie"),
        ({"mqtts": {"x": 1}}, "mqtts.x: EMQX knows no mqtts, and would say nothing; correct the name"),
    ],
)
def test_a_setting_that_cannot_be_is_named_with_the_remedy(settings, message):
    assert _emqx_config.problems(settings) == [message]


@pytest.mark.parametrize(
    "settings", [{}, {"node": {"max_ports": 1}}, {"mqtt.max_topic_alias": 1}, {"crl_cache": {"capacity": 10}}]
)
def test_other_settings_are_left_to_the_check_of_emqx(settings):
    assert _emqx_config.problems(settings) == []


def test_settings_are_written_in_their_order_and_read_back_as_they_were():
    settings = {
        "b": {"text": 'a "b" ${c} ü\n', "on": True, "n": 7, "f": 1.5},
        "a": {"list": ["x", 1, {"k": "v"}], "9-odd key": "x"},
    }
    text = emqx_hocon(settings)
    assert text.splitlines()[0] == "b {"
    assert (
        ConfigFactory.parse_string(text).as_plain_ordered_dict()
        == {
            "b": settings["b"],
            "a": {"list": settings["a"]["list"], '"9-odd key"': "x"},
        }
        or ConfigFactory.parse_string(text).as_plain_ordered_dict() == settings
    )


def test_a_key_can_be_a_path_and_lines_can_be_indented():
    assert emqx_hocon({"mqtt.max_inflight": 3, "x": {"y": False}}, indent=1).splitlines() == [
        "  mqtt.max_inflight = 3",
        "  x {",
        "    y = false",
        "  }",
    ]


def test_what_hocon_cannot_write_is_an_error():
    with pytest.raises(AnsibleFilterError) as caught:
        emqx_hocon({"a": {"b": None}})
    assert str(caught.value) == (
        "emqx_hocon: b is None; give a string, a number, true or false, a list or a dictionary"
    )


def test_a_pinned_version_has_capabilities_before_anything_is_installed():
    assert not stack_capabilities("5.8.9", "emqx")["cluster_needs_licence"]
    assert stack_capabilities("5.9.0", "emqx")["cluster_needs_licence"]
    with pytest.raises(AnsibleFilterError) as caught:
        stack_capabilities("latest", "emqx")
    assert str(caught.value) == "stack_capabilities: emqx version 'latest' does not begin with a number"
