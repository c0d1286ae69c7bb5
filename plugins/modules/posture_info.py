#!/usr/bin/python
# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: posture_info
version_added: 1.0.0
short_description: What many MQTT endpoints serve, accept and refuse
author:
  - Bulwark contributors (@bulwark-mqtt)
description:
  - Asks each endpoint what M(bulwark.mqtt.tls_endpoint_info) and M(bulwark.mqtt.mqtt_probe) ask one by one, for all
    endpoints at once. The filter P(bulwark.mqtt.posture_proofs#filter) judges the answers.
  - As its client it publishes and subscribes below C(devices/<name>/) and tries the topics of another. Without a
    certificate, with those that must be refused, and in the name of another client, it tries to be let in.
  - A refusal is a result, as is a closed port.
extends_documentation_fragment:
  - bulwark.mqtt.attributes
attributes:
  check_mode:
    support: full
    details: It connects in check mode too. Messages go to C(devices/<name>/verify) of the clients that are named only.
  diff_mode:
    support: none
requirements:
  - cryptography >= 38.0
options:
  endpoints:
    description:
      - The endpoints.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - Name of the endpoint in the result.
        type: str
        required: true
      address:
        description:
          - Name or IP address of the endpoint.
        type: str
        required: true
      port:
        description:
          - Its port.
        type: int
        default: 8883
      server_name:
        description:
          - Name that the certificate must have, also sent as SNI. The O(endpoints[].address) when it is not given.
        type: str
      websocket:
        description:
          - Path at which to ask for a WebSocket, such as V(/mqtt), in which MQTT then goes.
        type: str
      ca:
        description:
          - File with the certificates of the authorities that may have signed the server's certificate.
        type: path
        required: true
      client:
        description:
          - The client to connect as.
        type: dict
        required: true
        suboptions:
          name:
            description:
              - Its name, as in its topics.
            type: str
            required: true
          identity:
            description:
              - Directory with its C(fullchain.pem) and C(privkey.pem).
            type: path
            required: true
      other:
        description:
          - Another client, whose messages the first must not receive, and which claims the identifier of the first one.
        type: dict
        suboptions:
          name:
            description:
              - Its name, as in its topics.
            type: str
            required: true
          identity:
            description:
              - Directory with its C(fullchain.pem) and C(privkey.pem).
            type: path
            required: true
      refused:
        description:
          - Identities that must not be let in.
        type: list
        elements: dict
        default: []
        suboptions:
          what:
            description:
              - What it is, for the result.
            type: str
            required: true
          identity:
            description:
              - Directory with its C(fullchain.pem) and C(privkey.pem).
            type: path
            required: true
      edge:
        description:
          - Whether to try a header of the PROXY protocol that claims another client's name.
        type: bool
        default: false
      plaintext_ports:
        description:
          - Ports to knock at.
        type: list
        elements: int
        default: []
      dashboard_port:
        description:
          - Port of EMQX's dashboard, where to try the user and the password that EMQX comes with, with TLS or without.
          - With V(0) they are not tried.
        type: int
        default: 0
      broker:
        description:
          - Name of the broker behind the endpoint, where several endpoints lead to one broker or to one cluster.
          - Those are asked as a client one after the other, since a broker that knows clients by their names ends the
            older session of a name.
        type: str
  timeout:
    description:
      - Seconds to wait for each answer and each message.
    type: float
    default: 5
  parallel:
    description:
      - Questions at a time. Nearly all of the time is spent on waiting.
    type: int
    default: 64
notes:
  - An endpoint chooses from what the host where this runs offers, and that is what its OpenSSL knows.
seealso:
  - module: bulwark.mqtt.tls_endpoint_info
  - module: bulwark.mqtt.mqtt_probe
  - plugin: bulwark.mqtt.posture_proofs
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Ask both brokers
  bulwark.mqtt.posture_info:
    endpoints:
      - name: mqtt1
        address: mqtt1.example.com
        ca: &ca /etc/ssl/mqtt/ca.pem
        client: &client
          name: verify
          identity: /etc/ssl/mqtt/verify
        plaintext_ports: [1883]
      - name: mqtt2
        address: mqtt2.example.com
        ca: *ca
        client: *client
        plaintext_ports: [1883]
  register: asked

- name: Expect that nobody comes in without a certificate, and nobody without TLS
  ansible.builtin.assert:
    that:
      - item.problem is none
      - item.endpoint.verified
      - not item.anonymous.connected
      - item.plaintext | map(attribute="state") | difference(["closed", "filtered"]) | length == 0
  loop: "{{ asked.endpoints }}"
  loop_control:
    label: "{{ item.name }}"
"""

RETURN = r"""
endpoints:
  description: The answers of each endpoint, in the order of O(endpoints).
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The endpoint's name.
      type: str
    problem:
      description:
        - Why the endpoint cannot be asked, such as a file that cannot be read or a name that does not resolve; V(null)
          when it can.
        - With a problem, all other values are V(null).
      type: str
    endpoint:
      description: What M(bulwark.mqtt.tls_endpoint_info) returns.
      type: dict
    device:
      description:
        - What M(bulwark.mqtt.mqtt_probe) returns for the client, whose round trips are its own topic, another's, and
          with O(endpoints[].other) everything.
      type: dict
    anonymous:
      description: What M(bulwark.mqtt.mqtt_probe) returns without a certificate.
      type: dict
    refused:
      description: What M(bulwark.mqtt.mqtt_probe) returns for each of O(endpoints[].refused), with C(what) it is.
      type: list
      elements: dict
    forged:
      description: What M(bulwark.mqtt.mqtt_probe) returns for a forged name; V(null) without O(endpoints[].edge).
      type: dict
    plaintext:
      description:
        - The C(port) and C(state) of each of O(endpoints[].plaintext_ports).
        - The state is V(open), V(closed) or V(filtered).
      type: list
      elements: dict
    dashboard:
      description:
        - The C(port) of the dashboard, its C(state), and C(status), with which the login was answered in HTTP, V(null)
          where nothing spoke it.
        - V(null) without O(endpoints[].dashboard_port).
      type: dict
  sample:
    - name: mqtt1
      problem: "/etc/ssl/mqtt/ca.pem: cannot be used as CA file: No such file or directory"
      endpoint: null
      device: null
      anonymous: null
      refused: null
      forged: null
      plaintext: null
      dashboard: null
"""

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._module import run
from ..module_utils._probes import questions


def ensure(params: Mapping[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """The answers of each endpoint."""
    answers = questions.ask(params["endpoints"], timeout=params["timeout"], parallel=params["parallel"])
    return {"changed": False, "endpoints": answers}


def main() -> None:
    """The module."""
    module = AnsibleModule(
        argument_spec={
            "endpoints": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "name": {"type": "str", "required": True},
                    "address": {"type": "str", "required": True},
                    "port": {"type": "int", "default": 8883},
                    "server_name": {"type": "str"},
                    "websocket": {"type": "str"},
                    "ca": {"type": "path", "required": True},
                    "client": {
                        "type": "dict",
                        "required": True,
                        "options": {
                            "name": {"type": "str", "required": True},
                            "identity": {"type": "path", "required": True},
                        },
                    },
                    "other": {
                        "type": "dict",
                        "options": {
                            "name": {"type": "str", "required": True},
                            "identity": {"type": "path", "required": True},
                        },
                    },
                    "refused": {
                        "type": "list",
                        "elements": "dict",
                        "default": [],
                        "options": {
                            "what": {"type": "str", "required": True},
                            "identity": {"type": "path", "required": True},
                        },
                    },
                    "edge": {"type": "bool", "default": False},
                    "plaintext_ports": {"type": "list", "elements": "int", "default": []},
                    "dashboard_port": {"type": "int", "default": 0},
                    "broker": {"type": "str"},
                },
            },
            "timeout": {"type": "float", "default": 5},
            "parallel": {"type": "int", "default": 64},
        },
        supports_check_mode=True,
    )
    run(module, ensure, needs_cryptography=True)


if __name__ == "__main__":
    main()
