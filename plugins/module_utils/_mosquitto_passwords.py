# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""Mosquitto's password file, with salts that stay while the password stays.

A line is ``name:$7$<iterations>$<salt>$<hash>``: PBKDF2 with HMAC-SHA-512, 64 bytes out, salt and hash in base64
(mosquitto 2.0.22 src/password_mosq.c). The salt has 12 bytes: 2.0 reads no other length, 2.1 reads 12 and 64.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping

from ._password_file import Form

_SALT_BYTES = 12
_HASH_BYTES = 64
_ENTRY = re.compile(r"\$7\$([1-9][0-9]{0,8})\$([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]+)")


def _name_problem(name: str) -> str | None:
    """What the broker would read as something else.

    It cuts a line at the first colon, strips blanks, and skips lines that begin with # (password_file_parse.c).
    """
    if name != name.strip():
        return "the name begins or ends with a blank, which the broker strips"
    if name.startswith("#"):
        return "the name begins with #, which makes the line a comment"
    if any(character in name for character in ":\n\r\0"):
        return "the name contains a colon, a line break or a NUL, which end it in the file"
    return None


def entry(*, password: str, iterations: int, salt: bytes) -> str:
    """The part of a line behind the colon."""
    derived = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, iterations, dklen=_HASH_BYTES)
    return f"$7${iterations}${base64.b64encode(salt).decode()}${base64.b64encode(derived).decode()}"


def _fits(stored: str, *, password: str, iterations: int) -> bool:
    """Whether a stored entry can stay: this password, these iterations, and a salt that every version reads."""
    found = _ENTRY.fullmatch(stored)
    if found is None or int(found.group(1)) != iterations:
        return False
    try:
        salt = base64.b64decode(found.group(2), validate=True)
    except binascii.Error:
        return False
    expected = entry(password=password, iterations=iterations, salt=salt)
    return len(salt) == _SALT_BYTES and hmac.compare_digest(stored, expected)


def _read(content: str) -> dict[str, str]:
    lines = (line.partition(":") for line in content.splitlines() if not line.startswith("#"))
    return {name.strip(): stored.strip() for name, colon, stored in lines if colon}


def _write(entries: Mapping[str, str]) -> str:
    return "".join(f"{name}:{stored}\n" for name, stored in entries.items())


def _difference(stored: str, iterations: int) -> str:
    found = _ENTRY.fullmatch(stored)
    if found is None:
        return "the stored hash is of another kind"
    if int(found.group(1)) != iterations:
        return f"{found.group(1)} iterations become {iterations}"
    return "the password or the length of the salt differs"


FORM = Form(
    salt_bytes=_SALT_BYTES,
    name_problem=_name_problem,
    read=_read,
    write=_write,
    entry=entry,
    fits=_fits,
    difference=_difference,
)
