# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""What a broker does with a client."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Mapping
from typing import Any

from .._host import mqtt, probe, proxy_v2, websocket
from .._host.errors import ProbeError

VERSIONS = {"3.1.1": mqtt.V311, "5": mqtt.V5}
# Every code from 0x80 on is a refusal (MQTT 5 section 2.4); 3.1.1 knows only 0x80.
REFUSED = 0x80
# How long to wait for what should not arrive.
GRACE = 1.0


def answer(code: int | None) -> dict[str, Any] | None:
    """A reason code as it is returned."""
    if code is None:
        return None
    return {"code": code, "reason": mqtt.reason_text(code=code, version=mqtt.V5), "refused": code >= REFUSED}


def granted(code: int) -> dict[str, Any]:
    """A code of SUBACK, in which 0 grants QoS 0."""
    words = "granted QoS 0" if code == 0 else mqtt.reason_text(code=code, version=mqtt.V5)
    return {"code": code, "reason": words, "refused": code >= REFUSED}


def received(client: mqtt.Client, *, published: tuple[str, bytes] | None, wait: float) -> str | None:
    """The payload of the published message, or of any where none was published, that arrives within the wait."""
    deadline = time.monotonic() + wait
    while True:
        message = client.receive(timeout=max(0.0, deadline - time.monotonic()))
        if message is None:
            return None
        if published is None or (message.topic, message.payload) == published:
            return message.payload.decode(errors="replace")


def roundtrip(client: mqtt.Client, item: Mapping[str, Any], *, timeout: float) -> dict[str, Any]:
    """Subscribe, publish and wait, leaving out what is not named. Raises MqttError."""
    payload = item["payload"].encode()
    result: dict[str, Any] = {"subscribed": None, "published": None, "received": None}
    if item["subscribe_topic"]:
        result["subscribed"] = granted(client.subscribe(topic=item["subscribe_topic"], qos=item["qos"]))
    if item["publish_topic"]:
        result["published"] = answer(client.publish(topic=item["publish_topic"], payload=payload, qos=item["qos"]))
    if result["subscribed"] and not result["subscribed"]["refused"]:
        refused = result["published"] and result["published"]["refused"]
        result["received"] = received(
            client,
            published=(item["publish_topic"], payload) if item["publish_topic"] else None,
            wait=min(timeout, GRACE) if item["expect_nothing"] or refused else timeout,
        )
    return result


def context_of(params: Mapping[str, Any], identity: Mapping[str, Any]) -> ssl.SSLContext:
    """TLS as this identity speaks it. Raises ProbeError for files that cannot be used."""
    return probe.client_context(
        server_name=params["server_name"] or params["address"],
        cafile=params["ca"],
        certfile=identity["certificate"],
        keyfile=identity["private_key"],
    )


def connect(params: Mapping[str, Any], context: ssl.SSLContext) -> socket.socket:
    """A connection to the listener, with TLS where it is asked for. Raises ProbeError."""
    address, port, timeout = params["address"], params["port"], params["timeout"]
    if not params["tls"]:
        return probe.connect_tcp(address=address, port=port, timeout=timeout)
    return probe.connect_tls(
        address=address, port=port, server_name=params["server_name"] or address, timeout=timeout, context=context
    )


def introduce(
    connection: socket.socket, params: Mapping[str, Any], identity: Mapping[str, Any], *, client_id: str
) -> tuple[mqtt.Client, dict[str, Any]]:
    """A client that has sent CONNECT, and the broker's answer as it is returned. Raises ProbeError."""
    version = VERSIONS[params["protocol_version"]]
    carrier: mqtt.Connection = connection
    if params["websocket"]:
        host = probe.endpoint(params["server_name"] or params["address"], params["port"])
        carrier = websocket.WebSocket(connection, host=host, path=params["websocket"])
    client = mqtt.Client(connection=carrier, version=version, timeout=params["timeout"])
    connack = client.connect(client_id=client_id, username=identity["username"], password=identity["password"])
    return client, {"code": connack.code, "reason": mqtt.reason_text(code=connack.code, version=version)}


def converse(
    connection: socket.socket, params: Mapping[str, Any], result: dict[str, Any], *, rival: ssl.SSLContext | None
) -> None:
    """Fill the result with what the broker does, as far as the conversation goes. Raises ProbeError."""
    client_id = params["client_id"] or mqtt.random_id()
    client, result["connack"] = introduce(connection, params, params, client_id=client_id)
    result["connected"] = result["connack"]["code"] == 0
    if not result["connected"]:
        return
    for item in params["roundtrips"]:
        result["roundtrips"].append(roundtrip(client, item, timeout=params["timeout"]))
    if rival:
        result["rival"] = compete(client, params, rival, client_id=client_id)
        if result["rival"]["took_over"]:
            return
    client.disconnect()


def compete(
    client: mqtt.Client, params: Mapping[str, Any], context: ssl.SSLContext, *, client_id: str
) -> dict[str, Any]:
    """Let the rival publish, then claim the identifier of a client that is connected; see what becomes of that one."""
    asked = params["rival"]
    result: dict[str, Any] = {
        "connected": False,
        "why": None,
        "published": None,
        "overheard": False,
        "took_over": False,
    }
    topic, payload = asked["publish_topic"], asked["payload"].encode()
    try:
        with connect(params, context) as connection:
            rival, connack = introduce(connection, params, asked, client_id=mqtt.random_id())
            if connack["code"]:
                return {**result, "why": connack["reason"]}
            result["connected"] = True
            if topic:
                result["published"] = answer(rival.publish(topic=topic, payload=payload, qos=1))
                heard = received(client, published=(topic, payload), wait=min(params["timeout"], GRACE))
                result["overheard"] = heard is not None
            rival.disconnect()
        with connect(params, context) as connection:
            rival, connack = introduce(connection, params, asked, client_id=client_id)
            result["took_over"] = not alive(client)
            if connack["code"] == 0:
                rival.disconnect()
    except ProbeError as error:
        # A broker may hang up on somebody who claims what is not his.
        if not result["connected"]:
            result["why"] = probe.cause_text(error)
    return result


def alive(client: mqtt.Client) -> bool:
    """Whether the broker still answers it."""
    try:
        client.ping()
    except mqtt.MqttError:
        return False
    return True


def probe_as(params: Mapping[str, Any]) -> dict[str, Any]:
    """What happened to a client with the parameters of the module mqtt_probe.

    Raises ProbeError for arguments that cannot be used.
    """
    result: dict[str, Any] = {
        "state": probe.reachability(address=params["address"], port=params["port"], timeout=params["timeout"]),
        "connected": False,
        "connack": None,
        "tls_error": None,
        "error": None,
        "roundtrips": [],
        "rival": None,
    }
    # Files that cannot be used are an error also where nobody listens.
    context = context_of(params, params)
    rival = context_of(params, params["rival"]) if params["rival"] else None
    if result["state"] != "open":
        return result
    try:
        with connect(params, context) as connection:
            if params["forged_name"]:
                connection.sendall(proxy_v2.header(common_name=params["forged_name"]))
            converse(connection, params, result, rival=rival)
    except probe.TlsError as error:
        result["tls_error"] = probe.cause_text(error)
    except mqtt.MqttError as error:
        result["tls_error" if probe.is_tls(error) else "error"] = probe.cause_text(error)
    except ProbeError as error:
        # Before there is MQTT: a WebSocket is the first to hear of an alert that comes after the handshake.
        if probe.is_tls(error):
            result["tls_error"] = probe.cause_text(error)
        else:
            result["error"] = str(error)
    return result
