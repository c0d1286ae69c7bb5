# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""What Mosquitto counts and publishes below `$SYS/broker/` (mosquitto(8), Broker Status), as metrics of Prometheus."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from . import mqtt, service
from .errors import ProbeError

_PREFIX = "$SYS/broker/"
# The broker sends what it has retained at once; what comes after a pause is an update of what came before.
_PAUSE = 0.3
_LONGEST = 3.0

# Topic -> metric and what it says.
TOPICS: Mapping[str, tuple[str, str]] = {
    "uptime": ("bulwark_mosquitto_uptime_seconds", "How long the broker has run."),
    "clients/connected": ("bulwark_mosquitto_clients_connected", "Clients that are connected, bridges included."),
    "clients/disconnected": ("bulwark_mosquitto_clients_disconnected", "Clients that are away and have a session."),
    "subscriptions/count": ("bulwark_mosquitto_subscriptions", "Subscriptions that are active."),
    "retained messages/count": ("bulwark_mosquitto_retained_messages", "Messages that are retained."),
    "store/messages/count": ("bulwark_mosquitto_stored_messages", "Messages in the store, retained or queued."),
    "store/messages/bytes": ("bulwark_mosquitto_stored_bytes", "Payload of the messages in the store."),
    "messages/received": ("bulwark_mosquitto_packets_received_total", "MQTT packets of any type that came."),
    "messages/sent": ("bulwark_mosquitto_packets_sent_total", "MQTT packets of any type that went."),
    "bytes/received": ("bulwark_mosquitto_bytes_received_total", "Bytes that came."),
    "bytes/sent": ("bulwark_mosquitto_bytes_sent_total", "Bytes that went."),
    "publish/messages/received": ("bulwark_mosquitto_publish_received_total", "Messages that clients published."),
    "publish/messages/sent": ("bulwark_mosquitto_publish_sent_total", "Messages that clients were given."),
    "publish/messages/dropped": ("bulwark_mosquitto_publish_dropped_total", "Messages lost to full queues."),
}


def read(item: Mapping[str, Any], *, store: str) -> dict[str, float]:
    """The values by metric, as the host's own client reads them at an endpoint of the broker.

    Raises ProbeError when it is not let in or may not read them.
    """
    with service.session(item, store=store) as (client, code):
        if code != 0:
            raise ProbeError(f"{_PREFIX}#: the broker answers CONNECT with CONNACK {code}")
        client.subscribe(topic=f"{_PREFIX}#", qos=0)
        found = _values(client)
    if not found:
        raise ProbeError(f"{_PREFIX}#: nothing came; the ACL must let this host's client read it")
    return found


def _values(client: mqtt.Client) -> dict[str, float]:
    found: dict[str, float] = {}
    deadline = time.monotonic() + _LONGEST
    while time.monotonic() < deadline and (message := client.receive(timeout=_PAUSE)):
        metric, _help = TOPICS.get(message.topic[len(_PREFIX) :], ("", ""))
        # The time that it has run comes as "62 seconds".
        number = message.payload.decode("ascii", "replace").partition(" ")[0]
        if metric and number.replace(".", "", 1).isdigit():
            found.setdefault(metric, float(number))
    return found
