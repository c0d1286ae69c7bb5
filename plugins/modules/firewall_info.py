#!/usr/bin/python
# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: firewall_info
version_added: 1.0.0
short_description: Tell what listens for MQTT without TLS on a host, and what else a firewall has to know
author:
  - Bulwark contributors (@bulwark-mqtt)
description:
  - Asks each TCP port that other hosts could reach with an MQTT CONNECT without TLS, and with one over a WebSocket.
  - It asks over the loopback or the host's own address, which the rules of the role firewall never close, so that a
    port is found again when it is closed already.
extends_documentation_fragment:
  - bulwark.mqtt.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
options:
  find:
    description: Whether to ask the ports.
    type: bool
    default: true
  ignored:
    description: Ports that are not asked.
    type: list
    elements: int
    default: []
  timeout:
    description: Seconds that a port has for its answer.
    type: float
    default: 1
  users:
    description: Names of users to look for.
    type: list
    elements: str
    default: []
seealso:
  - module: bulwark.mqtt.mqtt_probe
"""

EXAMPLES = r"""
- name: Look for MQTT without TLS beside SSH
  bulwark.mqtt.firewall_info:
    ignored: [22]
  register: found
  failed_when: found.plaintext_ports | length > 0
"""

RETURN = r"""
plaintext_ports:
  description: Ports at which a broker answered.
  returned: success
  type: list
  elements: int
  sample: [1993]
beside:
  description: Firewalls of somebody else that are on, V(ufw) or V(firewalld).
  returned: success
  type: list
  elements: str
  sample: []
unknown_users:
  description: Those of O(users) that the host does not have.
  returned: success
  type: list
  elements: str
  sample: []
"""

import contextlib
import pwd
import re
import sys
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._firewall import listening_sockets
from ..module_utils._host import mqtt, probe, process, websocket
from ..module_utils._host.errors import HostError
from ..module_utils._module import run

# EMQX and most others answer at this path; Mosquitto answers at any.
_PATH = "/mqtt"
_UFW = "/etc/ufw/ufw.conf"
# The kernel's own list: a virgin host may have no program that shows it.
_TABLES = ("/proc/net/tcp", "/proc/net/tcp6")


def ensure(params: Mapping[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """What was found."""
    sockets = listening_sockets([_read(path) for path in _TABLES], order=sys.byteorder) if params["find"] else []
    return {
        "changed": False,
        "plaintext_ports": [
            item["port"]
            for item in sockets
            if item["port"] not in params["ignored"]
            and any(answers(**item, path=path, timeout=params["timeout"]) for path in ("", _PATH))
        ],
        "beside": [*(["ufw"] if _ufw() else []), *(["firewalld"] if _firewalld() else [])],
        "unknown_users": [name for name in params["users"] if not _is_user(name)],
    }


def answers(*, address: str, port: int, path: str, timeout: float) -> bool:
    """Whether a port answers a CONNECT without TLS, over a WebSocket where there is a path."""
    try:
        with probe.connect_tcp(address=address, port=port, timeout=timeout) as connection:
            carrier: mqtt.Connection = connection
            if path:
                carrier = websocket.WebSocket(connection, host=probe.endpoint(address, port), path=path)
            client = mqtt.Client(connection=carrier, version=mqtt.V5, timeout=timeout)
            client.connect(client_id=mqtt.random_id())
    except HostError:
        return False
    # Any answer: one that refuses the client is a broker as well.
    return True


def _read(path: str) -> str:
    # A host without IPv6 has one of them only; one without ufw has no settings of it.
    with contextlib.suppress(FileNotFoundError), open(path, encoding="utf-8") as stream:
        return stream.read()
    return ""


def _ufw() -> bool:
    return re.search(r"^ENABLED=yes", _read(_UFW), re.MULTILINE) is not None


def _firewalld() -> bool:
    shown = process.run(["systemctl", "show", "firewalld.service", "--property=ActiveState"])
    return shown.stdout.strip() == "ActiveState=active"


def _is_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def main() -> None:
    """The module."""
    module = AnsibleModule(
        argument_spec={
            "find": {"type": "bool", "default": True},
            "ignored": {"type": "list", "elements": "int", "default": []},
            "timeout": {"type": "float", "default": 1},
            "users": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    run(module, ensure)


if __name__ == "__main__":
    main()
