# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""EMQX's users for its built-in database, as its bootstrap file of the type `hash`, with salts that stay.

A JSON list of objects, whose names are those of emqx_authn_mnesia.erl, convert_user/3. A hash is PBKDF2 with
HMAC-SHA-512, 64 bytes out, in lower case hexadecimal; the salt is the text that is stored, as it is.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping

from ._password_file import Form

Entry = Mapping[str, str]


def _name_problem(name: str) -> str | None:
    if any(character in name for character in "+#/"):
        return "the name contains +, # or /, and a client with such a name may do nothing"
    if any(ord(character) < 32 or ord(character) == 127 for character in name):
        return "the name contains a control character, which MQTT does not allow"
    return None


def _entry(*, password: str, iterations: int, salt: bytes) -> dict[str, str]:
    return _hashed(password, iterations, salt.hex())


def _hashed(password: str, iterations: int, salt: str) -> dict[str, str]:
    return {
        "password_hash": hashlib.pbkdf2_hmac("sha512", password.encode(), salt.encode(), iterations).hex(),
        "salt": salt,
    }


def _fits(stored: Entry, *, password: str, iterations: int) -> bool:
    expected = _hashed(password, iterations, stored["salt"])
    return hmac.compare_digest(stored["password_hash"], expected["password_hash"])


def _read(content: str) -> dict[str, Entry]:
    try:
        return {
            str(user["user_id"]): {key: str(user[key]) for key in ("password_hash", "salt")}
            for user in json.loads(content or "[]")
        }
    except (ValueError, TypeError, KeyError):
        return {}


def _write(entries: Mapping[str, Entry]) -> str:
    users = [{"user_id": name, **entry, "is_superuser": False} for name, entry in entries.items()]
    return json.dumps(users, indent=2, ensure_ascii=False) + "\n"


def _difference(_stored: Entry, _iterations: int) -> str:
    # A hash does not tell the iterations that it was made with.
    return "the password or the number of iterations differs"


FORM = Form(
    salt_bytes=16,
    name_problem=_name_problem,
    read=_read,
    write=_write,
    entry=_entry,
    fits=_fits,
    difference=_difference,
)
