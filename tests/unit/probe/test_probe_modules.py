# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The modules mqtt_probe and tls_endpoint_info: refusals are data."""

from __future__ import annotations

import socket
import ssl

import pytest
from ansible_collections.bulwark.mqtt.plugins.module_utils._host import mqtt, probe, proxy_v2
from ansible_collections.bulwark.mqtt.plugins.module_utils._host.errors import ProbeError
from ansible_collections.bulwark.mqtt.plugins.module_utils._probes import endpoint
from ansible_collections.bulwark.mqtt.plugins.modules import mqtt_probe, tls_endpoint_info

ENDPOINT = {
    "address": "127.0.0.1",
    "server_name": "server.example",
    "ca": None,
    "certificate": None,
    "private_key": None,
    "timeout": 5.0,
}
CLIENT = {
    **ENDPOINT,
    "tls": True,
    "username": None,
    "password": None,
    "client_id": None,
    "websocket": None,
    "forged_name": None,
    "protocol_version": "5",
    "roundtrips": [],
    "rival": None,
}


def roundtrip(**changes):
    item = {"subscribe_topic": None, "publish_topic": None, "payload": "", "qos": 1, "expect_nothing": False}
    return {**item, **changes}


def broker(connection):
    """A broker of MQTT 5 in thirty lines: it denies publications below foreign/ and sends all others back."""
    data = b""
    while True:
        split = mqtt.split_packet(data)
        if split is None:
            received = connection.recv(4096)
            if not received:
                return
            data += received
            continue
        packet, data = split
        if packet.kind == mqtt.CONNECT:
            connection.sendall(bytes.fromhex("2003000000"))
        elif packet.kind == mqtt.SUBSCRIBE:
            connection.sendall(bytes([0x90, 4]) + packet.body[:2] + bytes([0, 1]))
        elif packet.kind == mqtt.PUBLISH:
            message = mqtt.decode_publish(packet, version=mqtt.V5)
            denied = message.topic.startswith("foreign/")
            if message.qos:
                reason = bytes([0x87 if denied else 0])
                connection.sendall(bytes([0x40, 3]) + message.packet_id.to_bytes(2, "big") + reason)
            if not denied:
                connection.sendall(
                    mqtt.encode_publish(
                        version=mqtt.V5, topic=message.topic, payload=message.payload, qos=0, packet_id=0
                    )
                )


@pytest.fixture
def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


def test_a_roundtrip_tells_what_the_broker_answered_and_what_arrived(serve_tls, authority):
    port = serve_tls(after=broker)
    own = roundtrip(subscribe_topic="own/#", publish_topic="own/a", payload="hello")
    foreign = roundtrip(subscribe_topic="foreign/#", publish_topic="foreign/a", payload="hello", expect_nothing=True)
    result = mqtt_probe.ensure(
        {**CLIENT, "port": port, "ca": authority.ca, "roundtrips": [own, foreign]}, check_mode=False
    )
    granted = {"code": 1, "reason": "granted QoS 1", "refused": False}
    assert result == {
        "changed": False,
        "state": "open",
        "connected": True,
        "connack": {"code": 0, "reason": "success"},
        "tls_error": None,
        "error": None,
        "roundtrips": [
            {
                "subscribed": granted,
                "published": {"code": 0, "reason": "success", "refused": False},
                "received": "hello",
            },
            {
                "subscribed": granted,
                "published": {"code": 0x87, "reason": "not authorized", "refused": True},
                "received": None,
            },
        ],
        "rival": None,
    }


def test_a_message_of_an_earlier_roundtrip_does_not_count(serve):
    first = roundtrip(publish_topic="own/a", payload="same")
    second = roundtrip(subscribe_topic="own/#", publish_topic="own/b", payload="same", qos=0)
    result = mqtt_probe.ensure(
        {**CLIENT, "port": serve(broker), "tls": False, "roundtrips": [first, second]}, check_mode=False
    )
    assert [item["received"] for item in result["roundtrips"]] == [None, "same"]
    assert result["roundtrips"][1]["published"] is None


def test_a_refused_connack_is_data_and_nothing_is_published(serve):
    def refuse(connection):
        connection.recv(4096)
        connection.sendall(bytes.fromhex("2003008600"))

    result = mqtt_probe.ensure(
        {**CLIENT, "port": serve(refuse), "tls": False, "roundtrips": [roundtrip(publish_topic="a")]}, check_mode=False
    )
    assert result["connack"] == {"code": 0x86, "reason": "bad user name or password"}
    assert (result["connected"], result["roundtrips"]) == (False, [])


def test_a_closed_port_is_data(free_port):
    result = mqtt_probe.ensure({**CLIENT, "port": free_port, "tls": False}, check_mode=False)
    assert (result["state"], result["connected"], result["error"]) == ("closed", False, None)


@pytest.mark.parametrize(
    ("version", "alert"),
    [
        pytest.param(ssl.TLSVersion.TLSv1_2, "sslv3 alert handshake failure", id="1.2"),
        pytest.param(ssl.TLSVersion.TLSv1_3, "tlsv13 alert certificate required", id="1.3"),
    ],
)
@pytest.mark.parametrize("websocket", [None, "/mqtt"])
def test_a_missing_client_certificate_is_a_tls_error(serve_tls, authority, version, alert, websocket):
    port = serve_tls(minimum=version, maximum=version, client_required=True)
    asked = {**CLIENT, "port": port, "ca": authority.ca, "websocket": websocket}
    result = mqtt_probe.ensure(asked, check_mode=False)
    assert (result["connected"], result["tls_error"], result["error"]) == (False, alert, None)


def test_a_broker_that_hangs_up_is_data(serve):
    port = serve(lambda connection: connection.recv(4096))
    result = mqtt_probe.ensure({**CLIENT, "port": port, "tls": False}, check_mode=False)
    assert (result["state"], result["error"]) == ("open", "the server closed the connection")


def test_a_file_that_cannot_be_used_fails(tmp_path):
    missing = str(tmp_path / "ca.pem")
    for module in (mqtt_probe, tls_endpoint_info):
        with pytest.raises(ProbeError) as caught:
            module.ensure({**CLIENT, "port": 1, "ca": missing}, check_mode=False)
        assert str(caught.value) == f"{missing}: cannot be used as CA file: No such file or directory"


def test_a_file_of_the_rival_that_cannot_be_used_fails(tmp_path):
    missing = str(tmp_path / "other.pem")
    rival = {"certificate": missing, "private_key": missing, "publish_topic": "a", "payload": ""}
    with pytest.raises(ProbeError) as caught:
        mqtt_probe.ensure({**CLIENT, "port": 1, "rival": rival}, check_mode=False)
    assert str(caught.value) == (
        f"{missing} and {missing}: cannot be used as client certificate and key: No such file or directory"
    )


def test_a_forged_name_is_claimed_behind_the_handshake_and_before_connect(serve_tls, authority):
    received = []

    def record(connection):
        received.append(connection.recv(4096))

    port = serve_tls(after=record)
    result = mqtt_probe.ensure({**CLIENT, "port": port, "ca": authority.ca, "forged_name": "admin"}, check_mode=True)
    assert received[0].startswith(proxy_v2.header(common_name="admin"))
    assert not result["connected"]


@pytest.mark.parametrize(("now", "fresh"), [(99, False), (100, True), (199, True), (200, False)])
def test_a_staple_is_fresh_between_its_two_updates(now, fresh):
    stapled = probe.Stapled(serial="0" * 39 + "1", status="good", this_update=100, next_update=200)
    assert endpoint.stapling(stapled, now=now) == {
        "serial": "0" * 39 + "1",
        "status": "good",
        "this_update": "1970-01-01T00:01:40Z",
        "next_update": "1970-01-01T00:03:20Z",
        "fresh": fresh,
    }


def test_a_staple_without_an_end_stays_fresh():
    stapled = probe.Stapled(serial="0" * 40, status="good", this_update=100, next_update=None)
    found = endpoint.stapling(stapled, now=10**9)
    assert (found["fresh"], found["next_update"]) == (True, None)


def test_an_endpoint_is_described(serve_tls, authority):
    port = serve_tls(client_required=True)
    result = tls_endpoint_info.ensure({**ENDPOINT, "port": port, "ca": authority.ca}, check_mode=False)
    assert result["certificate"]["subject"] == "CN=server"
    assert result["certificate"]["issuer"] == "CN=root"
    assert result["certificate"]["names"] == ["127.0.0.1", "server.example"]
    assert result["certificate"]["key_type"] == "ec-p256"
    assert (result["protocol"], result["verified"], result["verification_error"]) == ("TLSv1.3", True, None)
    assert result["client_certificate_required"] is True
    assert result["versions"]["TLSv1.3"] == "accepted"


def test_a_certificate_of_another_name_is_described_and_not_verified(serve_tls, authority):
    result = tls_endpoint_info.ensure(
        {**ENDPOINT, "port": serve_tls(), "ca": authority.ca, "server_name": "other.example"}, check_mode=False
    )
    assert result["certificate"]["names"] == ["127.0.0.1", "server.example"]
    assert result["verified"] is False
    assert result["verification_error"] == (
        "certificate verify failed: Hostname mismatch, certificate is not valid for 'other.example'"
    )
    assert result["client_certificate_required"] is False


def test_a_closed_endpoint_is_data(free_port):
    result = tls_endpoint_info.ensure({**ENDPOINT, "port": free_port}, check_mode=False)
    assert (result["state"], result["certificate"], result["versions"]) == ("closed", None, {})


def test_a_port_without_tls_is_data(serve):
    def greet(connection):
        connection.recv(4096)
        connection.sendall(b"220 mail.example ESMTP\r\n")

    result = tls_endpoint_info.ensure({**ENDPOINT, "port": serve(greet)}, check_mode=False)
    assert (result["state"], result["error"]) == ("open", "wrong version number")
