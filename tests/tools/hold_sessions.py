#!/usr/bin/env python3
# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hold an MQTT session to each broker, publish to itself all the while, and report what happened to it.

A scenario starts this before it does harm, and afterwards asks for zero disconnects. The client is paho-mqtt and never
reconnects, so that a session which broke stays visible.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import ssl
import sys
import threading
import time
from dataclasses import dataclass, field

import paho.mqtt.client as mqtt


@dataclass
class Session:
    """One client and what it saw."""

    name: str
    address: str
    port: int
    topic: str
    connected: threading.Event = field(default_factory=threading.Event)
    disconnects: list[str] = field(default_factory=list)
    published: int = 0
    received: int = 0

    def open(self, *, context: ssl.SSLContext) -> None:
        """Connect and subscribe to the own topic."""
        self.client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2,
            client_id=f"hold-{self.name}",
            protocol=mqtt.MQTTv5,
            reconnect_on_failure=False,
        )
        self.client.tls_set_context(context)
        # The name is checked by the scenario's other clients; this one connects by address.
        self.client.tls_insecure_set(True)
        self.client.on_connect = self._on_connect
        self.client.on_disconnect = lambda _c, _u, _f, reason, _p: self.disconnects.append(str(reason))
        self.client.on_message = self._on_message
        self.client.connect(self.address, self.port, keepalive=10)
        self.client.loop_start()

    def _on_connect(
        self, client: mqtt.Client, _userdata: object, _flags: object, reason: object, _properties: object
    ) -> None:
        if str(reason) == "Success":
            client.subscribe(self.topic, qos=1)
            self.connected.set()

    def _on_message(self, _client: mqtt.Client, _userdata: object, _message: object) -> None:
        self.received += 1

    def beat(self) -> None:
        """Publish one message to the own topic."""
        self.client.publish(self.topic, str(self.published), qos=1)
        self.published += 1

    def report(self) -> dict[str, object]:
        """What happened, for the scenario's assertions."""
        return {"disconnects": self.disconnects, "published": self.published, "received": self.received}


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--identity", type=pathlib.Path, required=True, help="folder with fullchain.pem, privkey.pem and ca.pem"
    )
    parser.add_argument("--ca", type=pathlib.Path, help="what brokers are verified to, unless the identity's ca.pem")
    parser.add_argument("--count", type=int, default=1, help="sessions with each broker")
    parser.add_argument("--every", type=float, default=0.2, help="seconds between the messages of a session")
    parser.add_argument("--topic", required=True, help="topic that the identity may use; the broker's name is added")
    parser.add_argument("--stop", type=pathlib.Path, required=True, help="ends when this file appears")
    parser.add_argument("--ready", type=pathlib.Path, required=True, help="written when every session is up")
    parser.add_argument("--process", type=int, help="ends with this process too: a play that failed touches no file")
    parser.add_argument("--seconds", type=float, default=900, help="ends after this time in any case")
    parser.add_argument("targets", nargs="+", metavar="NAME=ADDRESS:PORT")
    return parser.parse_args()


def is_over(*, stop: pathlib.Path, process: int | None, deadline: float) -> bool:
    """Whether the sessions are to end."""
    gone = process is not None and not pathlib.Path(f"/proc/{process}").exists()
    return gone or stop.exists() or time.monotonic() >= deadline


def main() -> int:
    """Hold the sessions until told to stop; exit 1 when one could not be opened."""
    arguments = parse_arguments()
    context = ssl.create_default_context(cafile=str(arguments.ca or arguments.identity / "ca.pem"))
    context.check_hostname = False
    context.load_cert_chain(arguments.identity / "fullchain.pem", arguments.identity / "privkey.pem")
    sessions = []
    for target in arguments.targets:
        name, _, endpoint = target.partition("=")
        address, _, port = endpoint.rpartition(":")
        for number in range(arguments.count):
            one = f"{name}-{number}" if arguments.count > 1 else name
            session = Session(name=one, address=address, port=int(port), topic=f"{arguments.topic}/{one}")
            session.open(context=context)
            sessions.append(session)
    for session in sessions:
        if not session.connected.wait(timeout=20):
            print(f"no session with {session.name} at {session.address}:{session.port}", file=sys.stderr)
            return 1
    arguments.ready.touch()
    deadline = time.monotonic() + arguments.seconds
    while not is_over(stop=arguments.stop, process=arguments.process, deadline=deadline):
        for session in sessions:
            session.beat()
        time.sleep(arguments.every)
    time.sleep(1)  # the last messages are still on their way
    print(json.dumps({session.name: session.report() for session in sessions}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
