# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""A minimal MQTT 3.1.1 and 5 client on a connected socket: enough to prove that a broker moves a client's messages.

Standard library only, because this file runs on hosts as a part of ``bulwark-tls``, where no MQTT client is installed.
Section numbers are those of the OASIS MQTT 5.0 standard; 3.1.1 differs only where the code asks for the version.
"""

from __future__ import annotations

import secrets
import socket
import struct
import time
from dataclasses import dataclass
from typing import Protocol

from .errors import ProbeError

V311 = 4
V5 = 5

CONNECT, CONNACK, PUBLISH, PUBACK = 1, 2, 3, 4
SUBSCRIBE, SUBACK, PINGREQ, PINGRESP, DISCONNECT = 8, 9, 12, 13, 14

# 3.1.1 section 3.2.2.3: the return codes of CONNACK. All other reasons come from the table of MQTT 5.
CONNACK_V311 = {
    0: "accepted",
    1: "unacceptable protocol version",
    2: "identifier rejected",
    3: "server unavailable",
    4: "bad user name or password",
    5: "not authorized",
}

# Section 2.4, those that a server can answer to what this client sends.
REASONS_V5 = {
    0x00: "success",
    0x01: "granted QoS 1",
    0x02: "granted QoS 2",
    0x10: "no matching subscribers",
    0x80: "unspecified error",
    0x81: "malformed packet",
    0x82: "protocol error",
    0x83: "implementation specific error",
    0x84: "unsupported protocol version",
    0x85: "client identifier not valid",
    0x86: "bad user name or password",
    0x87: "not authorized",
    0x88: "server unavailable",
    0x89: "server busy",
    0x8A: "banned",
    0x8B: "server shutting down",
    0x8C: "bad authentication method",
    0x8D: "keep alive timeout",
    0x8E: "session taken over",
    0x8F: "topic filter invalid",
    0x90: "topic name invalid",
    0x93: "receive maximum exceeded",
    0x94: "topic alias invalid",
    0x95: "packet too large",
    0x96: "message rate too high",
    0x97: "quota exceeded",
    0x98: "administrative action",
    0x99: "payload format invalid",
    0x9A: "retain not supported",
    0x9B: "QoS not supported",
    0x9C: "use another server",
    0x9D: "server moved",
    0x9E: "shared subscriptions not supported",
    0x9F: "connection rate exceeded",
    0xA0: "maximum connect time",
    0xA1: "subscription identifiers not supported",
    0xA2: "wildcard subscriptions not supported",
}


class MqttError(ProbeError):
    """The peer broke the protocol, closed the connection or did not answer in time."""


@dataclass(frozen=True)
class Packet:
    """One control packet: its type, the flags of the fixed header, everything after the remaining length."""

    kind: int
    flags: int
    body: bytes


@dataclass(frozen=True)
class Connack:
    """The server's answer to CONNECT; 0 lets the client in."""

    code: int
    session_present: bool


@dataclass(frozen=True)
class Message:
    """A PUBLISH from the server."""

    topic: str
    payload: bytes
    qos: int
    retain: bool
    packet_id: int


def random_id() -> str:
    """A client identifier that nobody has.

    23 characters of letters and digits are all that 3.1.1 obliges a server to take (section 3.1.3.1).
    """
    return f"bulwark{secrets.token_hex(8)}"


def last_words(connection: Connection) -> OSError | None:
    """The alert of a server that has already hung up: it waits to be read when the write fails."""
    try:
        connection.recv(65536)
    except OSError as error:
        return error
    return None


def reason_text(*, code: int, version: int) -> str:
    """The standard's name of a CONNACK code (3.1.1) or a reason code (5), ``reason 0xNN`` when it has none."""
    table = CONNACK_V311 if version == V311 else REASONS_V5
    return table.get(code, f"reason 0x{code:02x}")


def _string(text: str) -> bytes:
    return _binary(text.encode())


def _binary(data: bytes) -> bytes:
    if len(data) > 0xFFFF:
        raise MqttError(f"a string of {len(data)} bytes does not fit into MQTT, which allows 65535")
    return struct.pack("!H", len(data)) + data


def _variable_int(value: int) -> bytes:
    """Section 1.5.5: seven bits a byte, the lowest first."""
    encoded = bytearray()
    while True:
        value, digit = divmod(value, 128)
        encoded.append(digit | (0x80 if value else 0))
        if not value:
            return bytes(encoded)


def _read_variable_int(data: bytes, offset: int) -> tuple[int, int] | None:
    """The number at the offset and the offset behind it, None when the data ends inside it."""
    value = 0
    for index in range(4):
        if offset + index >= len(data):
            return None
        value |= (data[offset + index] & 0x7F) << (7 * index)
        if not data[offset + index] & 0x80:
            return value, offset + index + 1
    raise MqttError("the server sent a length of more than four bytes, which is not MQTT")


def _frame(kind: int, flags: int, body: bytes) -> bytes:
    return bytes([kind << 4 | flags]) + _variable_int(len(body)) + body


def encode_connect(
    *, version: int, client_id: str, keepalive: int, username: str | None = None, password: str | None = None
) -> bytes:
    """CONNECT with a clean session (section 3.1); MQTT 3.1.1 allows a password only with a username."""
    if password is not None and username is None:
        raise MqttError("a password needs a username")
    flags = 0x02 | (0x80 if username is not None else 0) | (0x40 if password is not None else 0)
    body = _string("MQTT") + bytes([version, flags]) + struct.pack("!H", keepalive)
    if version == V5:
        body += b"\x00"
    body += _string(client_id)
    if username is not None:
        body += _string(username)
    if password is not None:
        body += _string(password)
    return _frame(CONNECT, 0, body)


def encode_publish(*, version: int, topic: str, payload: bytes, qos: int, packet_id: int) -> bytes:
    """PUBLISH without retain (section 3.3); QoS 0 carries no packet identifier."""
    body = _string(topic)
    if qos:
        body += struct.pack("!H", packet_id)
    if version == V5:
        body += b"\x00"
    return _frame(PUBLISH, qos << 1, body + payload)


def encode_puback(*, packet_id: int) -> bytes:
    """PUBACK with success, whose reason code MQTT 5 leaves out (section 3.4.2.1)."""
    return _frame(PUBACK, 0, struct.pack("!H", packet_id))


def encode_subscribe(*, version: int, topic: str, qos: int, packet_id: int) -> bytes:
    """SUBSCRIBE to one topic filter (section 3.8)."""
    properties = b"\x00" if version == V5 else b""
    return _frame(SUBSCRIBE, 2, struct.pack("!H", packet_id) + properties + _string(topic) + bytes([qos]))


def encode_pingreq() -> bytes:
    """PINGREQ (section 3.12)."""
    return _frame(PINGREQ, 0, b"")


def encode_disconnect() -> bytes:
    """DISCONNECT with normal disconnection, which MQTT 5 leaves out (section 3.14.2.1)."""
    return _frame(DISCONNECT, 0, b"")


def split_packet(data: bytes) -> tuple[Packet, bytes] | None:
    """The first packet of the data and what follows it, None while it is incomplete."""
    if not data:
        return None
    length = _read_variable_int(data, 1)
    if length is None:
        return None
    size, start = length
    if len(data) < start + size:
        return None
    return Packet(kind=data[0] >> 4, flags=data[0] & 0x0F, body=data[start : start + size]), data[start + size :]


def _after_properties(body: bytes, offset: int) -> int:
    """The offset behind the properties of an MQTT 5 packet, which this client does not use."""
    length = _read_variable_int(body, offset)
    if length is None or length[0] + length[1] > len(body):
        raise MqttError("the server sent properties that end outside their packet")
    return length[0] + length[1]


def decode_connack(packet: Packet) -> Connack:
    """CONNACK (section 3.2)."""
    if len(packet.body) < 2:
        raise MqttError("the server sent a CONNACK that is too short")
    return Connack(code=packet.body[1], session_present=bool(packet.body[0] & 1))


def decode_puback(packet: Packet, *, version: int) -> tuple[int, int]:
    """Packet identifier and reason code of a PUBACK; 3.1.1 has no reason and MQTT 5 leaves out success."""
    if len(packet.body) < 2:
        raise MqttError("the server sent a PUBACK that is too short")
    reason = packet.body[2] if version == V5 and len(packet.body) > 2 else 0
    return struct.unpack("!H", packet.body[:2])[0], reason


def decode_suback(packet: Packet, *, version: int) -> tuple[int, int]:
    """Packet identifier and the code of the only topic filter in a SUBACK (section 3.9)."""
    offset = _after_properties(packet.body, 2) if version == V5 else 2
    if len(packet.body) != offset + 1:
        raise MqttError("the server sent a SUBACK that does not answer one topic filter")
    return struct.unpack("!H", packet.body[:2])[0], packet.body[offset]


def decode_publish(packet: Packet, *, version: int) -> Message:
    """PUBLISH from the server (section 3.3)."""
    body, qos = packet.body, packet.flags >> 1 & 0x03
    if len(body) < 2:
        raise MqttError("the server sent a PUBLISH that is too short")
    offset = 2 + struct.unpack("!H", body[:2])[0]
    identifier = body[offset : offset + 2] if qos else b"\x00\x00"
    if len(identifier) < 2 or len(body) < offset:
        raise MqttError("the server sent a PUBLISH that is too short")
    topic = body[2:offset].decode(errors="replace")
    offset += 2 if qos else 0
    if version == V5:
        offset = _after_properties(body, offset)
    return Message(
        topic=topic,
        payload=body[offset:],
        qos=qos,
        retain=bool(packet.flags & 1),
        packet_id=struct.unpack("!H", identifier)[0],
    )


class Connection(Protocol):
    """What a client needs of a socket, which may be in TLS or a WebSocket."""

    def settimeout(self, seconds: float, /) -> None:
        """How long each operation may take."""

    def sendall(self, data: bytes, /) -> None:
        """Send all of it. Raises OSError."""

    def recv(self, size: int, /) -> bytes:
        """Some of what came, nothing when the peer has closed. Raises OSError."""


class Client:
    """One connection to a broker over a socket that is already connected, with or without TLS.

    Every call that waits ends within its timeout. Raises MqttError when the server closes the connection, breaks the
    protocol or does not answer; what the server refuses is returned as a code.
    """

    def __init__(self, *, connection: Connection, version: int, timeout: float) -> None:
        self._connection = connection
        self._version = version
        self._timeout = timeout
        self._data = b""
        self._messages: list[Message] = []
        self._packet_id = 0

    def connect(self, *, client_id: str, username: str | None = None, password: str | None = None) -> Connack:
        """Introduce the client. A server may also close the connection instead of answering."""
        keepalive = int(self._timeout) * 2 + 10
        self._send(
            encode_connect(
                version=self._version, client_id=client_id, keepalive=keepalive, username=username, password=password
            )
        )
        return decode_connack(self._wait(CONNACK, "CONNECT"))

    def subscribe(self, *, topic: str, qos: int) -> int:
        """Subscribe and return the server's code: the granted QoS, or 0x80 and above when it refuses."""
        identifier = self._next_packet_id()
        self._send(encode_subscribe(version=self._version, topic=topic, qos=qos, packet_id=identifier))
        answered, code = decode_suback(self._wait(SUBACK, "SUBSCRIBE"), version=self._version)
        self._expect_id(identifier, answered)
        return code

    def publish(self, *, topic: str, payload: bytes, qos: int) -> int | None:
        """Publish and return the reason code of the server's PUBACK, None for QoS 0, which has no answer."""
        identifier = self._next_packet_id() if qos else 0
        self._send(encode_publish(version=self._version, topic=topic, payload=payload, qos=qos, packet_id=identifier))
        if not qos:
            return None
        answered, code = decode_puback(self._wait(PUBACK, "PUBLISH"), version=self._version)
        self._expect_id(identifier, answered)
        return code

    def receive(self, *, timeout: float) -> Message | None:
        """The next message, None when there is none within the timeout."""
        deadline = time.monotonic() + timeout
        while not self._messages:
            packet = self._read_packet(deadline)
            if packet is None:
                return None
            self._handle(packet)
        return self._messages.pop(0)

    def ping(self) -> None:
        """Ask for a sign of life."""
        self._send(encode_pingreq())
        self._wait(PINGRESP, "PINGREQ")

    def disconnect(self) -> None:
        """Say goodbye; the caller closes the socket."""
        self._send(encode_disconnect())

    def _next_packet_id(self) -> int:
        self._packet_id = self._packet_id % 0xFFFF + 1
        return self._packet_id

    @staticmethod
    def _expect_id(sent: int, answered: int) -> None:
        if sent != answered:
            raise MqttError(f"the server answered packet {answered} when {sent} was sent")

    def _wait(self, kind: int, asked: str) -> Packet:
        """The packet that answers; messages that arrive before it are kept for receive()."""
        deadline = time.monotonic() + self._timeout
        while True:
            packet = self._read_packet(deadline)
            if packet is None:
                raise MqttError(f"no answer to {asked} within {self._timeout:g} s")
            if packet.kind == kind:
                return packet
            self._handle(packet)

    def _handle(self, packet: Packet) -> None:
        """Take a packet that nobody waits for."""
        if packet.kind == PUBLISH:
            message = decode_publish(packet, version=self._version)
            if message.qos:
                self._send(encode_puback(packet_id=message.packet_id))
            self._messages.append(message)
        elif packet.kind == DISCONNECT:
            code = packet.body[0] if packet.body else 0
            raise MqttError(f"the server disconnected: {reason_text(code=code, version=V5)}")
        else:
            raise MqttError(f"the server sent packet type {packet.kind} unasked")

    def _send(self, data: bytes) -> None:
        try:
            self._connection.settimeout(self._timeout)
            self._connection.sendall(data)
        except OSError as error:  # ssl.SSLError is one
            cause = last_words(self._connection) or error
            raise MqttError(f"cannot send: {cause}") from cause

    def _read_packet(self, deadline: float) -> Packet | None:
        """The next packet, None when the deadline passes first."""
        while True:
            split = split_packet(self._data)
            if split is not None:
                packet, self._data = split
                return packet
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                return None
            try:
                self._connection.settimeout(remaining)
                received = self._connection.recv(65536)
            except socket.timeout:
                return None
            except OSError as error:
                raise MqttError(f"the connection broke: {error}") from error
            if not received:
                raise MqttError("the server closed the connection")
            self._data += received
