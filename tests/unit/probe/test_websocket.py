# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The WebSocket client against scripted servers; the integration target has it talk to Mosquitto."""

from __future__ import annotations

import base64
import hashlib
import re
import socket
import ssl
import threading
from contextlib import closing, contextmanager

import pytest
from ansible_collections.bulwark.mqtt.plugins.module_utils._host import websocket
from ansible_collections.bulwark.mqtt.plugins.module_utils._host.errors import ProbeError


def accept(key: str) -> str:
    """RFC 6455 section 4.2.2, step 5.4."""
    return base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()


def read_request(server: socket.socket) -> str:
    data = b""
    while not data.endswith(b"\r\n\r\n"):
        data += server.recv(4096)
    return data.decode()


def switch(server: socket.socket, *, more: bytes = b"") -> str:
    """Take the request, and send `more` with the answer."""
    request = read_request(server)
    key = re.search(r"Sec-WebSocket-Key: (\S+)", request)[1]
    head = f"HTTP/1.1 101 Switching Protocols\r\nupgrade: WebSocket\r\nSec-WebSocket-Accept: {accept(key)}\r\n\r\n"
    server.sendall(head.encode() + more)
    return request


@contextmanager
def opened(answer, **arguments):
    """A client whose server runs `answer` first; both ends, and what the answer returned."""
    near, server = socket.socketpair()
    near.settimeout(5)
    server.settimeout(5)
    said: list[str] = []
    thread = threading.Thread(target=lambda: said.append(answer(server)))
    thread.start()
    with closing(near), closing(server):
        try:
            client = websocket.WebSocket(near, host="broker.example:8084", path="/mqtt", **arguments)
        finally:
            thread.join()
        yield client, server, said[0]


def unmasked(frame: bytes, *, start: int) -> bytes:
    mask, payload = frame[start : start + 4], frame[start + 4 :]
    return bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))


def test_the_example_of_the_standard_is_what_a_key_is_answered_with():
    # RFC 6455 section 1.3.
    assert accept("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def test_it_asks_for_mqtt_at_the_path():
    with opened(switch) as (_client, _server, request):
        lines = request.split("\r\n")
    assert lines[0] == "GET /mqtt HTTP/1.1"
    assert {"Host: broker.example:8084", "Upgrade: websocket", "Sec-WebSocket-Protocol: mqtt"} <= {*lines}


@pytest.mark.parametrize(
    ("size", "header"),
    [(5, b"\x82\x85"), (126, b"\x82\xfe\x00\x7e"), (70000, b"\x82\xff\x00\x00\x00\x00\x00\x01\x11\x70")],
)
def test_what_is_sent_is_one_masked_binary_frame(size, header):
    payload = bytes(index % 251 for index in range(size))
    with opened(switch) as (client, server, _request):
        thread = threading.Thread(target=client.sendall, args=[payload])
        thread.start()
        frame = server.recv(len(header) + 4 + size, socket.MSG_WAITALL)
        thread.join()
    assert frame.startswith(header)
    assert unmasked(frame, start=len(header)) == payload


@pytest.mark.parametrize(
    ("size", "header"),
    [(5, b"\x82\x05"), (300, b"\x82\x7e\x01\x2c"), (66000, b"\x82\x7f" + (66000).to_bytes(8, "big"))],
)
def test_what_comes_in_pieces_is_one_payload(size, header):
    payload = bytes(index % 251 for index in range(size))
    with opened(switch) as (client, server, _request):
        thread = threading.Thread(target=lambda: [server.sendall(part) for part in (header[:1], header[1:], payload)])
        thread.start()
        assert client.recv(1) == payload
        thread.join()


def test_what_comes_with_the_answer_is_not_lost_and_fragments_follow_each_other():
    with opened(lambda server: switch(server, more=b"\x02\x02ab\x80\x01c")) as (client, _server, _request):
        assert client.recv(65536) == b"ab"
        assert client.recv(65536) == b"c"


def test_a_ping_is_answered_and_a_close_is_the_end():
    with opened(lambda server: switch(server, more=b"\x89\x02hi\x82\x01x\x88\x00")) as (client, server, _request):
        assert client.recv(65536) == b"x"
        pong = server.recv(100)
        assert pong.startswith(b"\x8a\x82")
        assert unmasked(pong, start=2) == b"hi"
        assert client.recv(65536) == b""


def test_a_masked_frame_of_a_server_is_an_error():
    with (
        opened(lambda server: switch(server, more=b"\x82\x81\x00\x00\x00\x00x")) as (client, _server, _request),
        pytest.raises(ProbeError, match=r"^the server sent a masked frame, which is not WebSockets$"),
    ):
        client.recv(65536)


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (b"HTTP/1.0 404 File not found\r\n\r\n", "HTTP/1.0 404 File not found"),
        (
            b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: other\r\n\r\n",
            "HTTP/1.1 101 Switching Protocols",
        ),
        (b"220 mail.example ESMTP\r\n", "220 mail.example ESMTP"),
        (b"", ""),
    ],
)
def test_a_server_that_does_not_switch_is_named(answer, status):
    def refuse(server):
        read_request(server)
        server.sendall(answer)
        server.shutdown(socket.SHUT_WR)

    with pytest.raises(ProbeError) as error, opened(refuse):
        pass
    assert str(error.value).splitlines()[0].startswith(f"no WebSocket: the server answered '{status}")


def test_a_server_that_is_silent_times_out():
    near, server = socket.socketpair()
    near.settimeout(0.05)
    with closing(near), closing(server), pytest.raises(ProbeError, match=r"^no WebSocket: timed out$"):
        websocket.WebSocket(near, host="broker.example", path="/mqtt")


class HungUp:
    """A server that sent an alert and closed before the request came."""

    def settimeout(self, seconds: float) -> None:
        pass

    def sendall(self, _data: bytes) -> None:
        raise BrokenPipeError(32, "Broken pipe")

    def recv(self, _size: int) -> bytes:
        raise ssl.SSLError(1, "certificate required")


def test_the_alert_of_a_server_that_has_hung_up_is_the_cause():
    with pytest.raises(ProbeError) as refused:
        websocket.WebSocket(HungUp(), host="broker.example.com", path="/mqtt")
    assert isinstance(refused.value.__cause__, ssl.SSLError)
