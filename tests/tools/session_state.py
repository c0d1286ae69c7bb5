#!/usr/bin/env python3
# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Give brokers something to remember, or ask them for it: a retained message, and messages queued for absent clients.

The password of `dashboard`, which may write to every device, comes from the environment variable DASHBOARD_PASSWORD.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import ssl
import sys
import threading
import time

import paho.mqtt.client as mqtt

PATIENCE_SECONDS = 10
QUEUED = ("one", "two", "three")
RETAINED = ("devices/meter/state", "42")
CERTIFICATE_PORT, PASSWORD_PORT = 8883, 8884


class Client:
    """A client that waits for what it asked for; RuntimeError when it does not come."""

    def __init__(self, pki: pathlib.Path, address: str, name: str, *, password: str | None = None) -> None:
        self.received: list[tuple[str, str]] = []
        self.present: bool | None = None
        self._told = threading.Event()
        identity = pki / "clients" / name / "current"
        context = ssl.create_default_context(cafile=str(pki / "clients/verify/current/ca.pem"))
        context.check_hostname = False
        # A session that outlives the connection.
        self.client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2, client_id=name, clean_session=False, protocol=mqtt.MQTTv311
        )
        if password is None:
            context.load_cert_chain(identity / "fullchain.pem", identity / "privkey.pem")
        else:
            self.client.username_pw_set(name, password)
        self.client.tls_set_context(context)
        self.client.tls_insecure_set(True)
        self.client.on_connect = self._on_connect
        self.client.on_subscribe = lambda *_: self._told.set()
        self.client.on_publish = lambda *_: self._told.set()
        self.client.on_message = lambda _c, _u, message: self.received.append((message.topic, message.payload.decode()))
        self.client.connect(address, CERTIFICATE_PORT if password is None else PASSWORD_PORT, keepalive=30)
        self.client.loop_start()
        self._wait(f"{address}: {name} is not let in")

    def subscribe(self, topic: str) -> None:
        """Subscribe with QoS 1."""
        self.client.subscribe(topic, qos=1)
        self._wait(f"no answer to the subscription to {topic}")

    def publish(self, topic: str, payload: str, *, retain: bool = False) -> None:
        """Publish with QoS 1."""
        self.client.publish(topic, payload, qos=1, retain=retain)
        self._wait(f"no answer to a message to {topic}")

    def close(self) -> None:
        """Leave; the session stays."""
        self.client.disconnect()
        self.client.loop_stop()

    def _on_connect(
        self, _client: mqtt.Client, _userdata: object, flags: mqtt.ConnectFlags, reason: object, _properties: object
    ) -> None:
        if str(reason) == "Success":
            self.present = flags.session_present
            self._told.set()

    def _wait(self, problem: str) -> None:
        if not self._told.wait(PATIENCE_SECONDS):
            raise RuntimeError(problem)
        self._told.clear()


def prepare(pki: pathlib.Path, address: str, names: list[str], password: str) -> None:
    """Leave a session with queued messages for each name, and a retained message."""
    for name in names:
        absent = Client(pki, address, name)
        absent.subscribe(f"devices/{name}/#")
        absent.close()
    dashboard = Client(pki, address, "dashboard", password=password)
    for name in names:
        for payload in QUEUED:
            dashboard.publish(f"devices/{name}/command", payload)
    dashboard.publish(*RETAINED, retain=True)
    dashboard.close()


def expect(pki: pathlib.Path, address: str, names: list[str], password: str) -> None:
    """RuntimeError unless each name finds its session and messages, and the retained message is there."""
    for name in names:
        back = Client(pki, address, name)
        await_all(back, [(f"devices/{name}/command", payload) for payload in QUEUED], f"{address}: {name}")
        if not back.present:
            raise RuntimeError(f"{address}: {name} has no session any more")
        back.close()
    dashboard = Client(pki, address, "dashboard", password=password)
    dashboard.subscribe(RETAINED[0])
    await_all(dashboard, [RETAINED], f"{address}: dashboard")
    dashboard.publish("devices/connected/after", "still there")
    dashboard.close()


def await_all(client: Client, wanted: list[tuple[str, str]], who: str) -> None:
    """Wait for these messages."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while client.received != wanted:
        if time.monotonic() > deadline:
            raise RuntimeError(f"{who} received {client.received} instead of {wanted}")
        time.sleep(0.05)


def main() -> int:
    """Prepare or expect, and say what is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pki", type=pathlib.Path, required=True, help="the CA directory")
    parser.add_argument("what", choices=["prepare", "expect"])
    parser.add_argument("address", help="the broker's")
    parser.add_argument("names", nargs="+", help="clients with a certificate, whose sessions are meant")
    arguments = parser.parse_args()
    action = prepare if arguments.what == "prepare" else expect
    try:
        action(arguments.pki, arguments.address, arguments.names, os.environ["DASHBOARD_PASSWORD"])
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
