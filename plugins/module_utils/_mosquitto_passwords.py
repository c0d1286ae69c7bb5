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
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Callable

from ._host.errors import HostError

SALT_BYTES = 12
_HASH_BYTES = 64
_LONGEST = 65535
_ENTRY = re.compile(r"\$7\$([1-9][0-9]{0,8})\$([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]+)")


class PasswordFileError(HostError):
    """A user that the file cannot hold; the message never contains a password."""


@dataclass(frozen=True)
class User:
    """A name and its password in clear."""

    name: str
    password: str


@dataclass(frozen=True)
class Rendered:
    """The content of the file and every way in which it differs from the one before."""

    content: str
    reasons: tuple[str, ...]


def check(users: Iterable[User]) -> None:
    """Raise PasswordFileError for what the broker would read as something else, naming the entry.

    The broker cuts a line at the first colon, strips blanks, and skips lines that begin with # (password_file_parse.c).
    """
    seen: set[str] = set()
    for index, user in enumerate(users):
        problem = _name_problem(user.name) or _password_problem(user.password)
        if problem is None and user.name in seen:
            problem = "the name is there twice"
        if problem is not None:
            raise PasswordFileError(f"users[{index}] ({user.name!r}): {problem}")
        seen.add(user.name)


def _name_problem(name: str) -> str | None:
    if not name:
        return "the name is empty"
    if name != name.strip():
        return "the name begins or ends with a blank, which the broker strips"
    if name.startswith("#"):
        return "the name begins with #, which makes the line a comment"
    if any(character in name for character in ":\n\r\0"):
        return "the name contains a colon, a line break or a NUL, which end it in the file"
    if len(name.encode()) > _LONGEST:
        return f"the name is longer than {_LONGEST} bytes, the limit of MQTT"
    return None


def _password_problem(password: str) -> str | None:
    if not password:
        return "the password is empty"
    if "\0" in password:
        return "the password contains a NUL, at which the broker stops reading"
    if len(password.encode()) > _LONGEST:
        return f"the password is longer than {_LONGEST} bytes, the limit of MQTT"
    return None


def entry(*, password: str, iterations: int, salt: bytes) -> str:
    """The part of a line behind the colon."""
    derived = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, iterations, dklen=_HASH_BYTES)
    return f"$7${iterations}${base64.b64encode(salt).decode()}${base64.b64encode(derived).decode()}"


def fits(stored: str, *, password: str, iterations: int) -> bool:
    """Whether a stored entry can stay: this password, these iterations, and a salt that every version reads."""
    found = _ENTRY.fullmatch(stored)
    if found is None or int(found.group(1)) != iterations:
        return False
    try:
        salt = base64.b64decode(found.group(2), validate=True)
    except binascii.Error:
        return False
    expected = entry(password=password, iterations=iterations, salt=salt)
    return len(salt) == SALT_BYTES and hmac.compare_digest(stored, expected)


def entries(content: str) -> dict[str, str]:
    """The entries of an existing file by name."""
    lines = (line.partition(":") for line in content.splitlines() if not line.startswith("#"))
    return {name.strip(): stored.strip() for name, colon, stored in lines if colon}


def render(*, users: list[User], existing: str, iterations: int, salt: Callable[[], bytes]) -> Rendered:
    """The file for these users, in their order; an entry of the existing file stays when it fits.

    Raises PasswordFileError.
    """
    check(users)
    if iterations < 1:
        raise PasswordFileError(f"iterations is {iterations}; the broker refuses less than 1")
    before = entries(existing)
    lines, reasons = [], []
    for user in users:
        stored = before.get(user.name)
        if stored is None or not fits(stored, password=user.password, iterations=iterations):
            reasons.append(f"{user.name}: {'new' if stored is None else _difference(stored, iterations)}")
            stored = entry(password=user.password, iterations=iterations, salt=salt())
        lines.append(f"{user.name}:{stored}\n")
    wanted = {user.name for user in users}
    reasons += [f"{name}: removed" for name in before if name not in wanted]
    content = "".join(lines)
    if content != existing and not reasons:
        reasons.append("order or comments differ")
    return Rendered(content=content, reasons=tuple(reasons))


def _difference(stored: str, iterations: int) -> str:
    found = _ENTRY.fullmatch(stored)
    if found is None:
        return "the stored hash is of another kind"
    if int(found.group(1)) != iterations:
        return f"{found.group(1)} iterations become {iterations}"
    return "the password or the length of the salt differs"
