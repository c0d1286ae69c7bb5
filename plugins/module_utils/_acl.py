# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""What the access rules of every broker have in common: the shape of the data, and what a name and a topic can be.

`%u` in a topic is the client's name and `%c` its client identifier, whatever the broker writes for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

ACCESS = ("read", "write", "readwrite", "deny")
# MQTT 5 section 1.5.4.
_LONGEST = 65535


class AclError(ValueError):
    """An entry that cannot become a rule; the message names it."""


def entries(where: str, data: Mapping[str, Any], *, key: str | None = None) -> Iterable[Any]:
    """The list below a key, empty without one. Raises AclError when it is none."""
    value = data.get(key or where) or []
    if not isinstance(value, list):
        raise AclError(f"{where} is not a list")
    return value


def check_keys(where: str, data: Any, *, required: tuple[str, ...], optional: tuple[str, ...]) -> None:
    """Raises AclError unless `data` is a dictionary with the required keys and no others than the optional ones."""
    if not isinstance(data, Mapping):
        raise AclError(f"{where} is not a dictionary")
    unknown = sorted(set(data) - set(required) - set(optional))
    if unknown:
        raise AclError(f"{where}: {', '.join(unknown)} is unknown; known are {', '.join(required + optional)}")
    missing = [key for key in required if key not in data]
    if missing:
        raise AclError(f"{where}: {', '.join(missing)} is missing")


def check_access(where: str, access: Any) -> None:
    """Raises AclError when it is none of `ACCESS`."""
    if access not in ACCESS:
        raise AclError(f"{where}: access {access!r} is unknown; it is one of {', '.join(ACCESS)}")


def check_name(where: str, name: Any, *, called: str = "name") -> None:
    """Raises AclError for a name that would reach into other clients' topics, or not survive its way into a file."""
    problem = _name_problem(name)
    if problem is not None:
        raise AclError(f"{where}: {called} {name!r} {problem}")


def topic_problem(topic: Any, *, most_levels: int) -> str | None:
    """Why a topic filter is none (MQTT 5 section 4.7.1), or not one for the broker."""
    if not isinstance(topic, str):
        return "is not a string"
    if not topic.strip():
        return "is empty"
    levels = topic.split("/")
    if any("+" in level and level != "+" for level in levels):
        return "has a + that is not alone between two slashes"
    if any("#" in level and level != "#" for level in levels) or "#" in levels[:-1]:
        return "has a # that is not alone in the last level"
    if len(levels) > most_levels:
        return f"has {len(levels)} levels; the broker allows {most_levels}"
    return _line_problem(topic)


def _name_problem(name: Any) -> str | None:
    if not isinstance(name, str):
        return "is not a string"
    if not name.strip():
        return "is empty"
    # Mosquitto refuses + and # where %u stands, EMQX takes them for wildcards; a / would reach into others' trees.
    if any(character in name for character in "+#/"):
        return "has one of + # /, with which it would reach other clients' topics; rename the client"
    return _line_problem(name)


def _line_problem(text: str) -> str | None:
    """What would not survive the way through a line of the file."""
    if any(character in text for character in "\n\r\0"):
        return "has a line break or a NUL"
    if text != text.strip():
        return "begins or ends with a blank, which the broker strips"
    if len(text.encode()) > _LONGEST:
        return f"is longer than {_LONGEST} bytes, the limit of MQTT"
    return None
