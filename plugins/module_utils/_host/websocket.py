# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""A client's end of a WebSocket (RFC 6455) on a connected socket, as MQTT uses one (OASIS MQTT 5.0, section 6).

Standard library only, for the reason that ``mqtt`` gives.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import socket
import struct

from . import mqtt
from .errors import ProbeError

# RFC 6455 section 1.3: what a server appends to the key, so that nothing but a WebSocket server answers rightly.
_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_CONTINUATION, _BINARY, _CLOSE, _PING, _PONG = 0x0, 0x2, 0x8, 0x9, 0xA
_FINAL = _MASKED = 0x80
_HEADER_LIMIT = 8192


class WebSocket:
    """What is sent and received goes as the payload of binary frames; the rest is as of the socket below.

    Raises ProbeError when the server does not switch to WebSockets or breaks the protocol.
    """

    def __init__(self, connection: socket.socket, *, host: str, path: str) -> None:
        self._connection = connection
        self._data = b""
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        request = [
            f"GET {path} HTTP/1.1",
            f"Host: {host}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Protocol: mqtt",
        ]
        try:
            self._ask("\r\n".join([*request, "", ""]).encode())
            self._expect_switch(key)
        except OSError as error:
            raise ProbeError(f"no WebSocket: {error}") from error

    def _ask(self, request: bytes) -> None:
        try:
            self._connection.sendall(request)
        except OSError as error:
            raise mqtt.last_words(self._connection) or error from error

    def settimeout(self, seconds: float) -> None:
        """How long each operation may take."""
        self._connection.settimeout(seconds)

    def sendall(self, data: bytes) -> None:
        """Send it as one message."""
        self._send(_BINARY, data)

    def recv(self, _size: int) -> bytes:
        """The payload of the next frame that has one, of any size; nothing when the server has closed."""
        while True:
            frame = self._read_frame()
            if frame is None or frame[0] == _CLOSE:
                return b""
            kind, payload = frame
            if kind == _PING:
                self._send(_PONG, payload)
            elif kind in (_BINARY, _CONTINUATION) and payload:
                return payload

    def _expect_switch(self, key: str) -> None:
        while b"\r\n\r\n" not in self._data:
            received = self._connection.recv(_HEADER_LIMIT)
            self._data += received
            if not received or len(self._data) > _HEADER_LIMIT:
                break
        head, _separator, self._data = self._data.partition(b"\r\n\r\n")
        status, *lines = head.decode("latin-1").split("\r\n")
        headers = {
            name.strip().lower(): value.strip() for name, _colon, value in (line.partition(":") for line in lines)
        }
        accept = base64.b64encode(hashlib.sha1((key + _GUID).encode(), usedforsecurity=False).digest()).decode()
        if status.split(" ")[1:2] != ["101"] or headers.get("sec-websocket-accept") != accept:
            raise ProbeError(f"no WebSocket: the server answered {status[:80]!r}")

    def _send(self, kind: int, payload: bytes) -> None:
        """A frame; those of a client are masked (section 5.3), which hides nothing."""
        mask = secrets.token_bytes(4)
        size = len(payload)
        if size < 126:
            length = bytes([_MASKED | size])
        elif size <= 0xFFFF:
            length = struct.pack("!BH", _MASKED | 126, size)
        else:
            length = struct.pack("!BQ", _MASKED | 127, size)
        masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
        self._connection.sendall(bytes([_FINAL | kind]) + length + mask + masked)

    def _read_frame(self) -> tuple[int, bytes] | None:
        """Kind and payload of the next frame, None when the connection ended."""
        while True:
            frame = self._split_frame()
            if frame is not None:
                return frame
            received = self._connection.recv(65536)
            if not received:
                return None
            self._data += received

    def _split_frame(self) -> tuple[int, bytes] | None:
        """The first frame of what came, None while it is incomplete."""
        if len(self._data) < 2:
            return None
        kind, size, start = self._data[0] & 0x0F, self._data[1], 2
        if size & _MASKED:
            raise ProbeError("the server sent a masked frame, which is not WebSockets")
        if size > 125:
            code = "!H" if size == 126 else "!Q"
            start += struct.calcsize(code)
            if len(self._data) < start:
                return None
            (size,) = struct.unpack(code, self._data[2:start])
        if len(self._data) < start + size:
            return None
        payload, self._data = self._data[start : start + size], self._data[start + size :]
        return kind, payload
