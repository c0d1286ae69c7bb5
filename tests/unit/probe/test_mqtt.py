# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The bytes of the MQTT client against paho-mqtt's, and its behaviour against scripted servers."""

from __future__ import annotations

import socket
import struct
from contextlib import ExitStack, closing
from typing import Any

import pytest
from ansible_collections.bulwark.mqtt.plugins.module_utils._host import mqtt
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

VERSIONS = pytest.mark.parametrize("version", [pytest.param(mqtt.V311, id="3.1.1"), pytest.param(mqtt.V5, id="5")])
CONNACK = {mqtt.V311: bytes.fromhex("20020000"), mqtt.V5: bytes.fromhex("2003000000")}


class TappedPaho(paho.Client):
    """paho-mqtt on one end of a socket pair; the test is the server on the other end."""

    def __init__(self, *, version: int, client_id: str = "") -> None:
        self.near, self.server = socket.socketpair()
        self.server.settimeout(5)
        super().__init__(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=paho.MQTTv311 if version == mqtt.V311 else paho.MQTTv5,
        )

    def _create_socket_connection(self) -> socket.socket:
        return self.near

    def close(self) -> None:
        """Close both ends and paho's own pair, which wakes its loop."""
        self._reset_sockets()
        self.near.close()
        self.server.close()

    def sent(self) -> bytes:
        """What paho sent since the last call."""
        return self.server.recv(65536)

    def connected(self) -> TappedPaho:
        """This client behind a CONNACK that lets it in."""
        self.connect("tapped", keepalive=60)
        self.sent()
        self.server.sendall(CONNACK[mqtt.V5 if self.protocol == paho.MQTTv5 else mqtt.V311])
        self.loop_read()
        return self


@pytest.fixture
def tapped():
    """Make clients that are closed in the end."""
    with ExitStack() as stack:

        def make(**arguments: Any) -> TappedPaho:
            return stack.enter_context(closing(TappedPaho(**arguments)))

        yield make


@VERSIONS
@pytest.mark.parametrize(
    ("username", "password"),
    [(None, None), ("dashboard", None), ("dashboard", "pä$$wörd")],
    ids=["anonymous", "name", "name-and-password"],
)
def test_connect_is_what_paho_sends(tapped, version, username, password):
    theirs = tapped(version=version, client_id="sensor-1")
    theirs.username_pw_set(username, password)
    theirs.connect("tapped", keepalive=60)
    ours = mqtt.encode_connect(
        version=version, client_id="sensor-1", keepalive=60, username=username, password=password
    )
    assert ours == theirs.sent()


@VERSIONS
@pytest.mark.parametrize("qos", [0, 1])
@pytest.mark.parametrize("payload", [b"", b"hello", bytes(200), bytes(20000)], ids=["0", "5", "200", "20000"])
def test_publish_is_what_paho_sends_and_is_read_back(tapped, version, qos, payload):
    theirs = tapped(version=version).connected()
    sent = theirs.publish("devices/ü/state", payload, qos=qos)
    ours = mqtt.encode_publish(version=version, topic="devices/ü/state", payload=payload, qos=qos, packet_id=sent.mid)
    wire = theirs.sent()
    while len(wire) < len(ours):
        wire += theirs.sent()
    assert ours == wire
    packet, rest = mqtt.split_packet(wire + b"next")
    assert rest == b"next"
    assert mqtt.decode_publish(packet, version=version) == mqtt.Message(
        topic="devices/ü/state", payload=payload, qos=qos, retain=False, packet_id=sent.mid if qos else 0
    )


@VERSIONS
def test_subscribe_is_what_paho_sends(tapped, version):
    theirs = tapped(version=version).connected()
    options = paho.SubscribeOptions(qos=1) if version == mqtt.V5 else None
    _rc, mid = theirs.subscribe("devices/+/#", qos=0 if options else 1, options=options)
    assert mqtt.encode_subscribe(version=version, topic="devices/+/#", qos=1, packet_id=mid) == theirs.sent()


@pytest.mark.parametrize(
    ("version", "wire"),
    [
        pytest.param(mqtt.V311, "20020005", id="3.1.1-not-authorized"),
        pytest.param(mqtt.V5, "2003008700", id="5-not-authorized"),
        pytest.param(mqtt.V5, "20060000032100 14".replace(" ", ""), id="5-with-a-property"),
    ],
)
def test_connack_is_read_as_paho_reads_it(tapped, version, wire):
    seen: list[Any] = []
    theirs = tapped(version=version)
    theirs.on_connect = lambda client, userdata, flags, reason, properties: seen.append(reason)
    theirs.connect("tapped", keepalive=60)
    theirs.server.sendall(bytes.fromhex(wire))
    theirs.loop_read()
    packet, _rest = mqtt.split_packet(bytes.fromhex(wire))
    connack = mqtt.decode_connack(packet)
    assert mqtt.reason_text(code=connack.code, version=version).lower() in (str(seen[0]).lower(), "accepted")
    assert (connack.code == 0) == (not seen[0].is_failure)


@pytest.mark.parametrize(
    ("version", "tail", "expected"),
    [
        pytest.param(mqtt.V311, "", 0x00, id="3.1.1"),
        pytest.param(mqtt.V5, "", 0x00, id="5-success-left-out"),
        pytest.param(mqtt.V5, "87", 0x87, id="5-reason-without-properties"),
        pytest.param(mqtt.V5, "8700", 0x87, id="5-reason"),
        pytest.param(mqtt.V5, "1000", 0x10, id="5-no-matching-subscribers"),
    ],
)
def test_puback_is_read_as_paho_reads_it(tapped, version, tail, expected):
    seen: list[Any] = []
    theirs = tapped(version=version).connected()
    theirs.on_publish = lambda client, userdata, mid, reason, properties: seen.append((mid, reason.value))
    mid = theirs.publish("t", b"", qos=1).mid
    body = struct.pack("!H", mid) + bytes.fromhex(tail)
    wire = bytes([0x40, len(body)]) + body
    theirs.server.sendall(wire)
    theirs.loop_read()
    packet, _rest = mqtt.split_packet(wire)
    assert [mqtt.decode_puback(packet, version=version)] == seen == [(mid, expected)]


@pytest.mark.parametrize(
    ("version", "properties", "code"),
    [
        pytest.param(mqtt.V311, "", 0x80, id="3.1.1-refused"),
        pytest.param(mqtt.V311, "", 0x01, id="3.1.1-granted"),
        pytest.param(mqtt.V5, "00", 0x87, id="5-refused"),
        pytest.param(mqtt.V5, "061f0003626164", 0x8F, id="5-refused-with-a-reason-string"),
    ],
)
def test_suback_is_read_as_paho_reads_it(tapped, version, properties, code):
    seen: list[Any] = []
    theirs = tapped(version=version).connected()
    theirs.on_subscribe = lambda client, userdata, mid, reasons, properties: seen.append((mid, reasons[0].value))
    _rc, mid = theirs.subscribe("t")
    body = struct.pack("!H", mid) + bytes.fromhex(properties) + bytes([code])
    wire = bytes([0x90, len(body)]) + body
    theirs.server.sendall(wire)
    theirs.loop_read()
    packet, _rest = mqtt.split_packet(wire)
    assert [mqtt.decode_suback(packet, version=version)] == seen == [(mid, code)]


@pytest.mark.parametrize("size", [0, 127, 128, 16383, 16384, 2097151, 2097152])
def test_a_packet_is_whole_only_with_its_last_byte(size):
    wire = mqtt._frame(mqtt.PUBLISH, 0, bytes(size))
    assert mqtt.split_packet(wire[:-1]) is None
    packet, rest = mqtt.split_packet(wire)
    assert (len(packet.body), rest) == (size, b"")


@pytest.fixture
def pair():
    near, server = socket.socketpair()
    server.settimeout(5)
    with near, server:
        yield mqtt.Client(connection=near, version=mqtt.V5, timeout=0.2), server


def test_messages_that_arrive_before_an_answer_are_kept_and_acknowledged(pair):
    client, server = pair
    message = mqtt.encode_publish(version=mqtt.V5, topic="t", payload=b"early", qos=1, packet_id=7)
    server.sendall(message + bytes.fromhex("4002 0001"))
    assert client.publish(topic="t", payload=b"x", qos=1) == 0
    assert client.receive(timeout=0).payload == b"early"
    assert server.recv(4096).endswith(mqtt.encode_puback(packet_id=7))


def test_nothing_received_is_none(pair):
    client, _server = pair
    assert client.receive(timeout=0.01) is None


def test_a_silent_server_is_an_error_that_names_the_question(pair):
    client, _server = pair
    with pytest.raises(mqtt.MqttError, match=r"^no answer to CONNECT within 0.2 s$"):
        client.connect(client_id="c")


def test_a_closed_connection_is_an_error(pair):
    client, server = pair
    server.shutdown(socket.SHUT_WR)
    with pytest.raises(mqtt.MqttError, match=r"^the server closed the connection$"):
        client.ping()


def test_the_reason_of_a_disconnect_is_told(pair):
    client, server = pair
    server.sendall(bytes.fromhex("e0028e00"))
    with pytest.raises(mqtt.MqttError, match=r"^the server disconnected: session taken over$"):
        client.ping()


@pytest.mark.parametrize(
    ("wire", "message"),
    [
        pytest.param(
            "90050001000101", "the server sent a SUBACK that does not answer one topic filter", id="two-codes"
        ),
        pytest.param("900400020001", "the server answered packet 2 when 1 was sent", id="other-packet"),
        pytest.param(
            "90ffffffff7f", "the server sent a length of more than four bytes, which is not MQTT", id="length"
        ),
        pytest.param("9003000109", "the server sent properties that end outside their packet", id="properties"),
        pytest.param("100100", "the server sent packet type 1 unasked", id="type"),
    ],
)
def test_a_broken_answer_is_an_error_that_says_how(pair, wire, message):
    client, server = pair
    server.sendall(bytes.fromhex(wire))
    with pytest.raises(mqtt.MqttError, match=f"^{message}$"):
        client.subscribe(topic="t", qos=1)


def test_a_password_without_a_name_is_refused():
    with pytest.raises(mqtt.MqttError, match=r"^a password needs a username$"):
        mqtt.encode_connect(version=mqtt.V311, client_id="c", keepalive=60, password="p")
