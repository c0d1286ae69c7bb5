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
  websocket:
    description:
      - Path at which to ask for a WebSocket, such as V(/mqtt), in which MQTT then goes.
      - Mosquitto answers at any path.
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

- name: Let a client in that comes over a WebSocket
  bulwark.mqtt.mqtt_probe:
    address: broker.example.com
    port: 8084
    websocket: /mqtt
    ca: /etc/ssl/mqtt/ca.pem
    username: dashboard
    password: "{{ vault_dashboard_password }}"
  register: probe
  failed_when: not probe.connected
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

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._module import run
from ..module_utils._probes import client


def ensure(params: Mapping[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """What happened. Raises ProbeError for arguments that cannot be used."""
    return {"changed": False, **client.probe_as(params)}


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
            "websocket": {"type": "str"},
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
