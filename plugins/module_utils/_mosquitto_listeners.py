# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""What cannot be among Mosquitto's listeners: rules across the options of one, and across listeners."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

# One directory of its own below /run, which the broker's unit makes.
_SOCKET = re.compile(r"/run/bulwark-[A-Za-z0-9._-]+/[A-Za-z0-9._-]+")
# unix(7), sun_path with its NUL.
_LONGEST_SOCKET = 107


def problems(listeners: Sequence[Mapping[str, Any]]) -> list[str]:
    """Why the broker could not, or must not, open these; each names the listener and the remedy."""
    found = [problem for listener in listeners for problem in _problems(listener)]
    sockets = [listener["socket"] for listener in listeners if "socket" in listener]
    if len(set(sockets)) != len(sockets):
        found.append(f"the sockets are {', '.join(sockets)}; give each listener a socket of its own")
    return found


def _problems(listener: Mapping[str, Any]) -> list[str]:
    if "port" in listener and "socket" in listener:
        return [f"port {listener['port']} and socket {listener['socket']} are one listener's; make it two"]
    if "port" in listener:
        return [f"port {listener['port']} {problem}" for problem in _problems_of_port(listener)]
    if "socket" in listener:
        return [f"socket {listener['socket']} {problem}" for problem in _problems_of_socket(listener)]
    return ["a listener has neither port nor socket; give it one of them"]


def _problems_of_port(listener: Mapping[str, Any]) -> list[str]:
    found = []
    if "lineage" not in listener:
        found.append("has no lineage; give the name of the certificate that it serves, such as mqtt")
    if listener.get("proxy_protocol"):
        found.append(
            "has proxy_protocol, with which whoever reaches it can claim any name; give it a socket instead of the port"
        )
    return found


def _problems_of_socket(listener: Mapping[str, Any]) -> list[str]:
    found = []
    if not _SOCKET.fullmatch(listener["socket"]) or len(listener["socket"]) > _LONGEST_SOCKET:
        found.append(
            f"is not /run/bulwark-<directory>/<name> with at most {_LONGEST_SOCKET} of the characters "
            "A-Z a-z 0-9 . _ -; choose such a path"
        )
    if "lineage" in listener:
        found.append("has a lineage, but no TLS; leave it out")
    if listener.get("protocol", "mqtt") != "mqtt" and not listener.get("proxy_protocol"):
        found.append(
            f"has protocol {listener['protocol']}, which on a socket needs proxy_protocol: true; or give it a port and"
            " a lineage"
        )
    proxied, identity = listener.get("proxy_protocol", False), listener.get("identity", "certificate")
    if proxied and identity != "certificate":
        found.append("has proxy_protocol, which tells a common name and no password; set identity: certificate")
    if not proxied and identity == "certificate":
        found.append(
            "has identity certificate, but no proxy that tells it; set proxy_protocol: true, or identity: password"
        )
    return found
