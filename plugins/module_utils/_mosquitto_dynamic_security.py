# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""The first file of Mosquitto's dynamic security plugin: one client that administers it, and nothing else allowed.

What `mosquitto_ctrl dynsec init` writes (apps/mosquitto_ctrl/dynsec.c), in a form that 2.0 and 2.1 read, without a
password on a command line.
"""

from __future__ import annotations

import json

from ._mosquitto_passwords import FORM, entry
from ._password_file import User, check

_ROLE = "admin"
# May administer, and look at everything that is $SYS.
_ACLS = (
    ("publishClientSend", "$CONTROL/dynamic-security/#"),
    ("publishClientReceive", "$CONTROL/dynamic-security/#"),
    ("publishClientReceive", "$SYS/#"),
    ("subscribePattern", "$CONTROL/dynamic-security/#"),
    ("subscribePattern", "$SYS/#"),
    ("unsubscribePattern", "#"),
)


def bootstrap(*, username: str, password: str, iterations: int, salt: bytes) -> str:
    """The file's content. Raises PasswordFileError for a name or password that cannot be."""
    check(FORM, [User(name=username, password=password)])
    _empty, _kind, rounds, encoded_salt, encoded_hash = entry(
        password=password, iterations=iterations, salt=salt
    ).split("$")
    data = {
        # A client that nothing is said about may receive what it subscribed to, and subscribe to nothing.
        "defaultACLAccess": {
            "publishClientSend": False,
            "publishClientReceive": True,
            "subscribe": False,
            "unsubscribe": True,
        },
        "clients": [
            {
                "username": username,
                "textname": "Administers dynamic security",
                "roles": [{"rolename": _ROLE}],
                "password": encoded_hash,
                "salt": encoded_salt,
                "iterations": int(rounds),
            }
        ],
        "roles": [
            {
                "rolename": _ROLE,
                "acls": [{"acltype": kind, "topic": topic, "priority": 0, "allow": True} for kind, topic in _ACLS],
            }
        ],
    }
    return json.dumps(data, indent=2) + "\n"
