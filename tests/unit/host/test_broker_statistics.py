# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Mosquitto counts, read from a scripted broker; the scenario `monitoring` reads it from real ones."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from ansible_collections.bulwark.mqtt.plugins.module_utils._host import broker_statistics, metrics, mqtt, service
from ansible_collections.bulwark.mqtt.plugins.module_utils._host.errors import ProbeError

LABELS = '{service="mosquitto"}'


@pytest.fixture(name="counted")
def fixture_counted(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let the host's session be one with a broker that has these topics retained, after this CONNACK code."""

    def counted(topics: Mapping[str, str], *, code: int = 0) -> None:
        @contextlib.contextmanager
        def session(_item: Mapping[str, Any], *, store: str) -> Iterator[tuple[mqtt.Client, int]]:
            near, server = socket.socketpair()
            with near, server:
                broker = threading.Thread(target=lambda: answer(server, topics))
                broker.start()
                try:
                    yield mqtt.Client(connection=near, version=mqtt.V311, timeout=5), code
                finally:
                    near.shutdown(socket.SHUT_WR)
                    broker.join()

        monkeypatch.setattr(service, "session", session)

    return counted


def answer(server: socket.socket, topics: Mapping[str, str]) -> None:
    """Grant a subscription to everything that is counted, and send it."""
    request = server.recv(4096)
    if not request:
        return
    assert request.endswith(b"\x00\x0d$SYS/broker/#\x00")
    server.sendall(bytes([0x90, 3]) + request[2:4] + b"\x00")
    for topic, payload in topics.items():
        server.sendall(
            mqtt.encode_publish(version=mqtt.V311, topic=topic, payload=payload.encode(), qos=0, packet_id=0)
        )


def lines() -> list[str]:
    samples = metrics._of_broker("mosquitto", {}, store="/nonexistent")
    return [line for line in metrics.render(iter(list(samples))).splitlines() if not line.startswith("#")]


def test_each_topic_is_a_metric_and_others_are_not(counted: Any) -> None:
    counted(
        {
            "$SYS/broker/uptime": "62 seconds",
            "$SYS/broker/clients/connected": "7",
            "$SYS/broker/publish/messages/dropped": "3",
            "$SYS/broker/store/messages/bytes": "1234",
            "$SYS/broker/version": "mosquitto version 2.1.2",
            "$SYS/broker/load/messages/sent/1min": "91.38",
        }
    )
    assert lines() == [
        f"bulwark_mosquitto_readable{LABELS} 1",
        f"bulwark_mosquitto_uptime_seconds{LABELS} 62",
        f"bulwark_mosquitto_clients_connected{LABELS} 7",
        f"bulwark_mosquitto_stored_bytes{LABELS} 1234",
        f"bulwark_mosquitto_publish_dropped_total{LABELS} 3",
    ]


def test_what_is_no_number_is_left_out(counted: Any) -> None:
    counted({"$SYS/broker/clients/connected": "many", "$SYS/broker/clients/disconnected": "0"})
    assert lines() == [f"bulwark_mosquitto_readable{LABELS} 1", f"bulwark_mosquitto_clients_disconnected{LABELS} 0"]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (0, "$SYS/broker/#: nothing came; the ACL must let this host's client read it"),
        (5, "$SYS/broker/#: the broker answers CONNECT with CONNACK 5"),
    ],
)
def test_a_broker_that_tells_nothing_is_a_metric(counted: Any, code: int, message: str) -> None:
    counted({}, code=code)
    with pytest.raises(ProbeError) as failure:
        broker_statistics.read({}, store="/nonexistent")
    assert str(failure.value) == message
    counted({}, code=code)
    assert lines() == [f"bulwark_mosquitto_readable{LABELS} 0"]


def test_every_topic_has_a_metric_of_its_own_with_the_suffix_of_its_type() -> None:
    names = [name for name, _help in broker_statistics.TOPICS.values()]
    assert len({*names}) == len(names)
    assert {*names} <= {*metrics.HELP}
