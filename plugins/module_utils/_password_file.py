# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""Files of password hashes whose salts stay while the password stays; what a line is, each broker's form says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Callable

from ._host.errors import HostError

# What MQTT can carry (MQTT 5.0, 1.5.4 and 1.5.6).
LONGEST = 65535


class PasswordFileError(HostError):
    """A user that the file cannot hold; the message never contains a password."""


@dataclass(frozen=True)
class User:
    """A name and its password in clear."""

    name: str
    password: str


@dataclass(frozen=True)
class Form:
    """How a broker writes its users; an entry is what it stores of one password."""

    salt_bytes: int
    # What a name cannot be, beside what no broker takes.
    name_problem: Callable[[str], str | None]
    # The entries of an existing file by name; none of what it cannot read.
    read: Callable[[str], Mapping[str, Any]]
    write: Callable[[Mapping[str, Any]], str]
    # The entry of a password with these iterations and this salt.
    entry: Callable[..., Any]
    # Whether a stored entry is that of a password with these iterations.
    fits: Callable[..., bool]
    # How a stored entry differs from one with these iterations.
    difference: Callable[[Any, int], str]


@dataclass(frozen=True)
class Rendered:
    """The content of the file and every way in which it differs from the one before."""

    content: str
    reasons: tuple[str, ...]


def check(form: Form, users: Iterable[User]) -> None:
    """Raise PasswordFileError for what the broker would read as something else, naming the entry."""
    seen: set[str] = set()
    for index, user in enumerate(users):
        problem = _name_problem(user.name) or form.name_problem(user.name) or _password_problem(user.password)
        if problem is None and user.name in seen:
            problem = "the name is there twice"
        if problem is not None:
            raise PasswordFileError(f"users[{index}] ({user.name!r}): {problem}")
        seen.add(user.name)


def render(
    form: Form, *, users: Sequence[User], existing: str, iterations: int, salt: Callable[[int], bytes]
) -> Rendered:
    """The file for these users, in their order; an entry of the existing file stays when it fits.

    `salt` makes a new one of so many bytes. Raises PasswordFileError.
    """
    check(form, users)
    if iterations < 1:
        raise PasswordFileError(f"iterations is {iterations}; the broker refuses less than 1")
    before = form.read(existing)
    entries, reasons = {}, []
    for user in users:
        stored = before.get(user.name)
        if stored is None or not form.fits(stored, password=user.password, iterations=iterations):
            reasons.append(f"{user.name}: {'new' if stored is None else form.difference(stored, iterations)}")
            stored = form.entry(password=user.password, iterations=iterations, salt=salt(form.salt_bytes))
        entries[user.name] = stored
    reasons += [f"{name}: removed" for name in before if name not in entries]
    content = form.write(entries)
    if content != existing and not reasons:
        reasons.append("order or comments differ" if existing else "there is no file yet")
    return Rendered(content=content, reasons=tuple(reasons))


def _name_problem(name: str) -> str | None:
    if not name:
        return "the name is empty"
    if len(name.encode()) > LONGEST:
        return f"the name is longer than {LONGEST} bytes, the limit of MQTT"
    return None


def _password_problem(password: str) -> str | None:
    if not password:
        return "the password is empty"
    if "\0" in password:
        return "the password contains a NUL, at which the broker stops reading"
    if len(password.encode()) > LONGEST:
        return f"the password is longer than {LONGEST} bytes, the limit of MQTT"
    return None
