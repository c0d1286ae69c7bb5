# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What listens is asked whether it speaks MQTT without TLS, plainly and over a WebSocket; nothing else is found."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bulwark.mqtt.plugins.module_utils._host import mqtt, websocket
from ansible_collections.bulwark.mqtt.plugins.modules import firewall_info

CONNACK_V5 = b"\x20\x03\x00\x00\x00"


@pytest.fixture(autouse=True)
def _no_firewall(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """A host without ufw and firewalld."""
    monkeypatch.setattr(firewall_info, "_UFW", str(tmp_path / "ufw.conf"))
    monkeypatch.setattr(
        firewall_info.process, "run", lambda command: subprocess.CompletedProcess(command, 0, "ActiveState=inactive\n")
    )


def asked(monkeypatch: pytest.MonkeyPatch, *ports: int, **params: Any) -> dict[str, Any]:
    """What the module says of a host on which these ports are reached."""
    sockets = [{"port": port, "address": "127.0.0.1"} for port in ports]
    monkeypatch.setattr(firewall_info, "listening_sockets", lambda _tables, order: sockets)
    return firewall_info.ensure({"find": True, "ignored": [], "timeout": 1.0, "users": [], **params}, check_mode=True)


def broker(connection: Any) -> None:
    assert connection.recv(1024)[:1] == b"\x10"
    connection.sendall(CONNACK_V5)


def refusing(connection: Any) -> None:
    connection.recv(1024)
    connection.sendall(b"\x20\x03\x00\x87\x00")


def web(connection: Any) -> None:
    """Speaks HTTP only, and knows no WebSocket."""
    connection.recv(4096)
    connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")


def test_brokers_are_found_and_others_are_not(
    serve: Callable[[Callable[[Any], None]], int], monkeypatch: pytest.MonkeyPatch
):
    found, refuses, other = serve(broker), serve(refusing), serve(web)
    result = asked(monkeypatch, found, refuses, other)
    assert result == {"changed": False, "plaintext_ports": [found, refuses], "beside": [], "unknown_users": []}


def test_a_broker_over_a_websocket_is_found(
    serve: Callable[[Callable[[Any], None]], int], monkeypatch: pytest.MonkeyPatch
):
    asked_for: list[str] = []

    class Stand:
        """Answers as a broker behind a WebSocket would."""

        def __init__(self, connection: Any, *, host: str, path: str) -> None:
            asked_for.append(path)
            self._connection = connection

        def __getattr__(self, name: str) -> Any:
            return getattr(self._connection, name)

    def one_that_hangs_up_first(connection: Any) -> None:
        if connection.recv(1024)[:1] == b"\x10" and asked_for:
            connection.sendall(CONNACK_V5)

    monkeypatch.setattr(websocket, "WebSocket", Stand)
    port = serve(one_that_hangs_up_first)
    assert asked(monkeypatch, port)["plaintext_ports"] == [port]
    assert asked_for == ["/mqtt"]


def test_ports_can_be_left_alone(serve: Callable[[Callable[[Any], None]], int], monkeypatch: pytest.MonkeyPatch):
    port = serve(broker)
    assert asked(monkeypatch, port, ignored=[port])["plaintext_ports"] == []
    assert asked(monkeypatch, port, find=False)["plaintext_ports"] == []


def test_a_port_that_closed_in_the_meantime_is_no_error(
    serve: Callable[[Callable[[Any], None]], int], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(firewall_info.probe, "connect_tcp", lambda **_where: (_ for _ in ()).throw(mqtt.MqttError("x")))
    assert asked(monkeypatch, 1)["plaintext_ports"] == []


def test_other_firewalls_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / "ufw.conf").write_text("# on\nENABLED=yes\nLOGLEVEL=low\n", encoding="utf-8")
    monkeypatch.setattr(
        firewall_info.process, "run", lambda command: subprocess.CompletedProcess(command, 0, "ActiveState=active\n")
    )
    assert asked(monkeypatch)["beside"] == ["ufw", "firewalld"]
    (tmp_path / "ufw.conf").write_text("ENABLED=no\n", encoding="utf-8")
    assert asked(monkeypatch)["beside"] == ["firewalld"]


def test_users_that_are_missing_are_named(monkeypatch: pytest.MonkeyPatch):
    assert asked(monkeypatch, users=["root", "nobody-of-this-name"])["unknown_users"] == ["nobody-of-this-name"]
