#!/usr/bin/env python3
# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Publish to devices/verify/websocket over MQTT over WebSockets over TLS, and say whether it was received or refused.

websocket_client.py IDENTITY ADDRESS:PORT [USERNAME PASSWORD]: with a login, the identity's certificate stays at home.
"""

from __future__ import annotations

import pathlib
import ssl
import sys
import threading

import paho.mqtt.client as mqtt

TOPIC = "devices/verify/websocket"


def main() -> None:
    """Connect, subscribe, publish, and wait for either answer."""
    identity, (address, port), login = pathlib.Path(sys.argv[1]), sys.argv[2].split(":"), sys.argv[3:]
    context = ssl.create_default_context(cafile=str(identity / "ca.pem"))
    context.check_hostname = False
    if not login:
        context.load_cert_chain(identity / "fullchain.pem", identity / "privkey.pem")
    said: list[str] = []
    done = threading.Event()

    def say(what: str) -> None:
        said.append(what)
        done.set()

    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, transport="websockets", protocol=mqtt.MQTTv5)
    client.tls_set_context(context)
    client.tls_insecure_set(True)
    if login:
        client.username_pw_set(*login)
    client.on_connect = lambda c, *_: c.subscribe(TOPIC, qos=1)
    client.on_subscribe = lambda c, *_: c.publish(TOPIC, "x", qos=1)
    client.on_message = lambda *_: say("received")
    client.on_publish = lambda _c, _u, _m, reason, _p: say("refused") if reason.is_failure else None
    client.connect(address, int(port), keepalive=10)
    client.loop_start()
    done.wait(10)
    client.disconnect()
    client.loop_stop()
    print(said[0] if said else "no answer")


if __name__ == "__main__":
    main()
