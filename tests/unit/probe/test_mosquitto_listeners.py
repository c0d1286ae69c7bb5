# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.bulwark.mqtt.plugins.module_utils._mosquitto_listeners import problems

SOCKET = "/run/bulwark-mqtt/x.sock"


@pytest.mark.parametrize(
    "listener",
    [
        pytest.param({"port": 8883, "lineage": "mqtt"}, id="tls"),
        pytest.param({"port": 8884, "lineage": "mqtt", "identity": "password"}, id="tls-with-passwords"),
        pytest.param({"socket": SOCKET, "identity": "password"}, id="socket-with-passwords"),
        pytest.param({"socket": SOCKET, "proxy_protocol": True}, id="behind-a-proxy"),
    ],
)
def test_a_listener_that_can_be_has_no_problem(listener: dict[str, Any]) -> None:
    assert problems([listener]) == []


@pytest.mark.parametrize(
    ("listener", "problem"),
    [
        pytest.param({"lineage": "mqtt"}, "a listener has neither port nor socket; give it one of them", id="nowhere"),
        pytest.param(
            {"port": 1, "socket": SOCKET},
            f"port 1 and socket {SOCKET} are one listener's; make it two",
            id="port-and-socket",
        ),
        pytest.param(
            {"port": 8883},
            "port 8883 has no lineage; give the name of the certificate that it serves, such as mqtt",
            id="port-without-certificate",
        ),
        pytest.param(
            {"port": 8883, "lineage": "mqtt", "proxy_protocol": True},
            "port 8883 has proxy_protocol, with which whoever reaches it can claim any name; "
            "give it a socket instead of the port",
            id="header-from-everybody",
        ),
        pytest.param(
            {"socket": "/tmp/mqtt.sock", "identity": "password"},
            "socket /tmp/mqtt.sock is not /run/bulwark-<directory>/<name> with at most 107 of the characters "
            "A-Z a-z 0-9 . _ -; choose such a path",
            id="socket-elsewhere",
        ),
        pytest.param(
            {"socket": SOCKET, "identity": "password", "lineage": "mqtt"},
            f"socket {SOCKET} has a lineage, but no TLS; leave it out",
            id="socket-with-certificate",
        ),
        pytest.param(
            {"socket": SOCKET, "identity": "password", "proxy_protocol": True},
            f"socket {SOCKET} has proxy_protocol, which tells a common name and no password; set identity: certificate",
            id="header-and-passwords",
        ),
        pytest.param(
            {"socket": SOCKET},
            f"socket {SOCKET} has identity certificate, but no proxy that tells it; "
            "set proxy_protocol: true, or identity: password",
            id="identity-from-nobody",
        ),
    ],
)
def test_a_contradiction_is_named_with_its_remedy(listener: dict[str, Any], problem: str) -> None:
    assert problems([listener]) == [problem]


def test_two_listeners_cannot_share_a_socket() -> None:
    listener = {"socket": SOCKET, "identity": "password"}
    assert problems([listener, listener]) == [
        f"the sockets are {SOCKET}, {SOCKET}; give each listener a socket of its own"
    ]
