#!/usr/bin/python
# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mqtt_probe
version_added: 1.0.0
short_description: What a broker does with a client
author:
  - Bulwark contributors (@bulwark-mqtt)
description:
  - Connects to a broker as a client would, with or without TLS, a certificate and a password, and tells what happened.
  - Publishes and subscribes where asked, and tells what the broker answered and what arrived.
  - A refusal is a result. The module fails only on arguments that it cannot use.
  - Needs nothing but Python on the host where it runs.
extends_documentation_fragment:
  - bulwark.mqtt.attributes
attributes:
  check_mode:
    support: full
    details: It connects in check mode too. Messages go to the topics that are named in O(roundtrips) only.
  diff_mode:
    support: none
options:
  address:
    description:
      - Name or IP address of the broker.
    type: str
    required: true
  port:
    description:
      - Port of the listener.
    type: int
    default: 8883
  server_name:
    description:
      - Name that the server's certificate must have, also sent as SNI. The O(address) when it is not given.
    type: str
  tls:
    description:
      - Whether to speak TLS.
    type: bool
    default: true
  ca:
    description:
      - File with the certificates of the authorities that may have signed the server's certificate.
      - Without it the server's certificate is not verified, which suits a question about refusals only.
    type: path
  certificate:
    description:
      - File with the client's certificate and its chain.
    type: path
  private_key:
    description:
      - File with the key of the O(certificate).
    type: path
  username:
    description:
      - Name to send in CONNECT.
    type: str
  password:
    description:
      - Password to send in CONNECT. It needs a O(username).
    type: str
  client_id:
    description:
      - Client identifier. A random one that begins with C(bulwark) when it is not given.
    type: str
  forged_name:
    description:
      - A common name to claim in a header of the PROXY protocol, version 2, that is sent before CONNECT, as somebody
        would who wants to pass for another client.
    type: str
  protocol_version:
    description:
      - Version of MQTT. Only version 5 lets the broker say that it refused a message.
    type: str
    choices:
      - "3.1.1"
      - "5"
    default: "5"
  timeout:
    description:
      - Seconds to wait for each answer and each message.
    type: float
    default: 5
  roundtrips:
    description:
      - What to try, one after the other, on the same connection.
      - Each subscribes, publishes, and waits for the message, leaving out what is not named.
      - Subscriptions stay until the last entry is done.
    type: list
    elements: dict
    default: []
    suboptions:
      subscribe_topic:
        description:
          - Topic filter to subscribe to.
        type: str
      publish_topic:
        description:
          - Topic to publish to.
        type: str
      payload:
        description:
          - What to publish. Only a message with this topic and payload counts as received.
          - Without O(roundtrips[].publish_topic) any message counts.
        type: str
        default: ""
      qos:
        description:
          - Quality of service of both. With V(0) the broker does not answer a publication.
        type: int
        choices:
          - 0
          - 1
        default: 1
      expect_nothing:
        description:
          - Waits for the message for one second at most, for messages that should not arrive.
        type: bool
        default: false
  rival:
    description:
      - Another client that connects to the same listener after the O(roundtrips), while the first client is connected.
      - It publishes where asked. Then it connects once more and claims the client identifier of the first, whose
        session a broker that binds identifiers to identities does not end for that.
    type: dict
    suboptions:
      certificate:
        description:
          - File with that client's certificate and its chain.
        type: path
      private_key:
        description:
          - File with the key of the O(rival.certificate).
        type: path
      username:
        description:
          - Name to send in CONNECT.
        type: str
      password:
        description:
          - Password to send in CONNECT. It needs a O(rival.username).
        type: str
      publish_topic:
        description:
          - Topic to publish to with QoS 1. The first client waits one second for the message.
        type: str
      payload:
        description:
          - What to publish.
        type: str
        default: ""
seealso:
  - module: bulwark.mqtt.tls_endpoint_info
"""

EXAMPLES = r"""
- name: Publish and subscribe on an own and on a foreign topic
  bulwark.mqtt.mqtt_probe:
    address: broker.example.com
    ca: /etc/ssl/mqtt/ca.pem
    certificate: /etc/ssl/mqtt/sensor-1.pem
    private_key: /etc/ssl/mqtt/sensor-1.key
    roundtrips:
      - publish_topic: devices/sensor-1/state
        subscribe_topic: devices/sensor-1/state
        payload: hello
      - publish_topic: devices/sensor-2/state
        payload: hello
  register: probe
  failed_when: probe.roundtrips[0].received != "hello" or not probe.roundtrips[1].published.refused

- name: Prove that a sensor cannot end the session of another one, nor read its messages
  bulwark.mqtt.mqtt_probe:
    address: broker.example.com
    ca: /etc/ssl/mqtt/ca.pem
    certificate: /etc/ssl/mqtt/sensor-1.pem
    private_key: /etc/ssl/mqtt/sensor-1.key
    roundtrips:
      - subscribe_topic: "#"
        expect_nothing: true
    rival:
      certificate: /etc/ssl/mqtt/sensor-2.pem
      private_key: /etc/ssl/mqtt/sensor-2.key
      publish_topic: devices/sensor-2/state
      payload: for nobody else
  register: probe
  failed_when: not probe.rival.connected or probe.rival.took_over or probe.rival.overheard

- name: Prove that the plaintext port is closed
  bulwark.mqtt.mqtt_probe:
    address: broker.example.com
    port: 1883
    tls: false
  register: plaintext
  failed_when: plaintext.state == "open"
"""

RETURN = r"""
state:
  description:
    - V(open) when the port takes connections, V(closed) when the host refuses them, V(filtered) when nothing comes back
      or something on the way says no.
  returned: success
  type: str
  sample: open
connected:
  description: Whether the broker let the client in (CONNACK 0).
  returned: success
  type: bool
  sample: true
connack:
  description: The broker's answer to CONNECT, V(null) when there was none.
  returned: success
  type: dict
  contains:
    code:
      description: Return code (3.1.1) or reason code (5); 0 lets the client in.
      type: int
    reason:
      description: The standard's words for it.
      type: str
  sample:
    code: 0
    reason: success
tls_error:
  description:
    - Why TLS failed, in the handshake or by an alert after it; V(null) when it did not.
    - With TLS 1.3 a server refuses a client without a certificate after the handshake.
  returned: success
  type: str
  sample: tlsv13 alert certificate required
error:
  description: Why the conversation ended before its end, when TLS is not the reason; V(null) when it did not.
  returned: success
  type: str
  sample: the server closed the connection
roundtrips:
  description:
    - What happened to each entry of O(roundtrips), in their order.
    - Entries that the conversation did not come to are not in the list.
  returned: success
  type: list
  elements: dict
  contains:
    subscribed:
      description:
        - The broker's answer to the subscription as C(code), C(reason) and C(refused); V(null) without one.
        - Mosquitto grants subscriptions that its ACL does not deny by name, and then delivers nothing.
      type: dict
    published:
      description:
        - The broker's answer to the publication as C(code), C(reason) and C(refused).
        - V(null) without one, and with QoS 0, which has no answer. A broker that speaks 3.1.1 cannot refuse.
      type: dict
    received:
      description: The payload that arrived, V(null) when none did.
      type: str
  sample:
    - subscribed:
        code: 1
        reason: granted QoS 1
        refused: false
      published:
        code: 0
        reason: success
        refused: false
      received: hello
rival:
  description: What the O(rival) achieved, V(null) where none was asked for or the first client was not let in.
  returned: success
  type: dict
  contains:
    connected:
      description: Whether the broker let it in.
      type: bool
    why:
      description: Why not, V(null) when it did.
      type: str
    published:
      description: The broker's answer to the publication as C(code), C(reason) and C(refused); V(null) without one.
      type: dict
    overheard:
      description: Whether its message reached the first client.
      type: bool
    took_over:
      description: Whether the broker ended the session of the first client for it.
      type: bool
  sample:
    connected: true
    why: null
    published:
      code: 0
      reason: success
      refused: false
    overheard: false
    took_over: false
"""

import secrets
import socket
import ssl
import time
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._host import mqtt, probe, proxy_v2
from ..module_utils._host.errors import HostError, ProbeError
from ..module_utils._module import run

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
    """A client that has sent CONNECT, and the broker's answer as it is returned. Raises MqttError."""
    version = VERSIONS[params["protocol_version"]]
    client = mqtt.Client(connection=connection, version=version, timeout=params["timeout"])
    connack = client.connect(client_id=client_id, username=identity["username"], password=identity["password"])
    return client, {"code": connack.code, "reason": mqtt.reason_text(code=connack.code, version=version)}


def random_id() -> str:
    """A client identifier that nobody has."""
    return f"bulwark{secrets.token_hex(8)}"


def converse(
    connection: socket.socket, params: Mapping[str, Any], result: dict[str, Any], *, rival: ssl.SSLContext | None
) -> None:
    """Fill the result with what the broker does, as far as the conversation goes. Raises MqttError."""
    client_id = params["client_id"] or random_id()
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
    result = {"connected": False, "why": None, "published": None, "overheard": False, "took_over": False}
    topic, payload = asked["publish_topic"], asked["payload"].encode()
    try:
        with connect(params, context) as connection:
            rival, connack = introduce(connection, params, asked, client_id=random_id())
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


def ensure(params: Mapping[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """What happened. Raises ProbeError for arguments that cannot be used."""
    result: dict[str, Any] = {
        "changed": False,
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
    except HostError as error:
        result["error"] = str(error)
    return result


def main() -> None:
    """The module."""
    module = AnsibleModule(
        argument_spec={
            "address": {"type": "str", "required": True},
            "port": {"type": "int", "default": 8883},
            "server_name": {"type": "str"},
            "tls": {"type": "bool", "default": True},
            "ca": {"type": "path"},
            "certificate": {"type": "path"},
            "private_key": {"type": "path", "no_log": False},
            "username": {"type": "str"},
            "password": {"type": "str", "no_log": True},
            "client_id": {"type": "str"},
            "forged_name": {"type": "str"},
            "protocol_version": {"type": "str", "choices": ["3.1.1", "5"], "default": "5"},
            "timeout": {"type": "float", "default": 5},
            "roundtrips": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "subscribe_topic": {"type": "str"},
                    "publish_topic": {"type": "str"},
                    "payload": {"type": "str", "default": ""},
                    "qos": {"type": "int", "choices": [0, 1], "default": 1},
                    "expect_nothing": {"type": "bool", "default": False},
                },
                "required_one_of": [("subscribe_topic", "publish_topic")],
            },
            "rival": {
                "type": "dict",
                "options": {
                    "certificate": {"type": "path"},
                    "private_key": {"type": "path", "no_log": False},
                    "username": {"type": "str"},
                    "password": {"type": "str", "no_log": True},
                    "publish_topic": {"type": "str"},
                    "payload": {"type": "str", "default": ""},
                },
                "required_together": [("certificate", "private_key")],
                "required_by": {"password": ("username",)},
            },
        },
        required_together=[("certificate", "private_key")],
        required_by={"password": ("username",)},
        supports_check_mode=True,
    )
    run(module, ensure)


if __name__ == "__main__":
    main()
