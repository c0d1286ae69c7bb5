# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""Mosquitto's ACL file from data; the format is the same for 2.0 and 2.1 (mosquitto.conf(5), acl_file).

What the broker would refuse, or read as something else than was meant, is an error here: 2.0 would not start, 2.1 would
quit at the next reload.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

ACCESS = ("read", "write", "readwrite", "deny")
_SECTIONS = ("anonymous", "patterns", "groups", "users")
# MQTT 5 section 4.7.2: a # in front does not match topics that begin with $, so these are trees of their own.
EVERYTHING = ("#", "$SYS/#", "$CONTROL/#", "$share/#")
# MQTT 5 section 1.5.4, and TOPIC_HIERARCHY_LIMIT of mosquitto's config.h.
_LONGEST = 65535
_MOST_LEVELS = 200


class AclError(ValueError):
    """An entry that cannot become a line; the message names it."""


def render(acl: Mapping[str, Any], *, denied: Sequence[str] = (), metrics: Sequence[str] = ()) -> str:
    """The lines of the file without a line break at the end. Raises AclError.

    `denied` are names that may do nothing, whatever else is said about them; `metrics` are names that read `$SYS/#` and
    nothing else. Rules for anonymous clients come first: every `topic` line below a `user` line is that user's. Within
    one user, and within the patterns, the broker looks at denials first, in whatever order they are (acl__add_to_user).
    """
    _check_keys("the ACL", acl, required=(), optional=_SECTIONS)
    lines = [_rule("topic", f"anonymous[{i}]", rule) for i, rule in enumerate(_list("anonymous", acl))]
    lines += [_rule("pattern", f"patterns[{i}]", rule) for i, rule in enumerate(_list("patterns", acl))]
    rules: dict[str, list[str]] = {}
    for index, user in enumerate(_list("users", acl)):
        _user(f"users[{index}]", user, rules)
    for index, group in enumerate(_list("groups", acl)):
        _group(f"groups[{index}]", group, rules)
    for index, name in enumerate(metrics):
        _check_name(f"metrics[{index}]", name)
        if name in rules:
            raise AclError(f"metrics[{index}]: name {name!r} has rules among users or groups, too; take it out there")
        rules[name] = ["topic deny #", "topic read $SYS/#"]
    for index, name in enumerate(denied):
        _check_name(f"denied[{index}]", name)
        rules[name] = [f"topic deny {topic}" for topic in EVERYTHING]
    for name, topics in rules.items():
        lines += [f"user {name}", *topics]
    return "\n".join(lines)


def _user(where: str, user: Mapping[str, Any], rules: dict[str, list[str]]) -> None:
    _check_keys(where, user, required=("username", "topics"), optional=())
    name = user["username"]
    _check_name(where, name, called="username")
    if name in rules:
        raise AclError(f"{where}: username {name!r} is there twice; give all its topics in one entry")
    topics = _list(f"{where}.topics", user, key="topics")
    rules[name] = [_rule("topic", f"{where}.topics[{i}]", rule) for i, rule in enumerate(topics)]


def _group(where: str, group: Mapping[str, Any], rules: dict[str, list[str]]) -> None:
    """The rules of a class of clients, added to those of each member, with its name in the place of `%u`."""
    _check_keys(where, group, required=("name", "members", "topics"), optional=())
    topics = list(enumerate(_list(f"{where}.topics", group, key="topics")))
    for number, name in enumerate(_list(f"{where}.members", group, key="members")):
        _check_name(f"{where}.members[{number}]", name)
        own = rules.setdefault(name, [])
        for index, rule in topics:
            line = _rule("member", f"{where}.topics[{index}]", rule).replace("member", "topic", 1).replace("%u", name)
            if line not in own:
                own.append(line)


def _rule(keyword: str, where: str, rule: Mapping[str, Any]) -> str:
    _check_keys(where, rule, required=("access", "topic"), optional=())
    access, topic = rule["access"], rule["topic"]
    if access not in ACCESS:
        raise AclError(f"{where}: access {access!r} is unknown; it is one of {', '.join(ACCESS)}")
    problem = _topic_problem(topic)
    if problem is None and keyword == "topic" and ("%u" in topic or "%c" in topic):
        problem = "has %u or %c, which the broker replaces in patterns only"
    if problem is None and keyword == "member" and "%c" in topic:
        problem = "has %c, which the broker replaces in patterns only; a group's topics have %u"
    if problem is not None:
        raise AclError(f"{where}: topic {topic!r} {problem}")
    return f"{keyword} {access} {topic}"


def _check_name(where: str, name: Any, *, called: str = "name") -> None:
    problem = _name_problem(name)
    if problem is not None:
        raise AclError(f"{where}: {called} {name!r} {problem}")


def _name_problem(name: Any) -> str | None:
    if not isinstance(name, str):
        return "is not a string"
    if not name.strip():
        return "is empty"
    # The broker refuses + and # where %u stands; a / would reach into another client's tree (acl_check.c).
    if any(character in name for character in "+#/"):
        return "has one of + # /, with which it would reach other clients' topics; rename the client"
    return _line_problem(name)


def _topic_problem(topic: Any) -> str | None:
    """MQTT 5 section 4.7.1 for the wildcards."""
    if not isinstance(topic, str):
        return "is not a string"
    if not topic.strip():
        return "is empty"
    levels = topic.split("/")
    if any("+" in level and level != "+" for level in levels):
        return "has a + that is not alone between two slashes"
    if any("#" in level and level != "#" for level in levels) or "#" in levels[:-1]:
        return "has a # that is not alone in the last level"
    if len(levels) > _MOST_LEVELS:
        return f"has {len(levels)} levels; the broker allows {_MOST_LEVELS}"
    return _line_problem(topic)


def _line_problem(text: str) -> str | None:
    """What would not survive the way through a line of the file."""
    if any(character in text for character in "\n\r\0"):
        return "has a line break or a NUL"
    if text != text.strip():
        return "begins or ends with a blank, which the broker strips"
    if len(text.encode()) > _LONGEST:
        return f"is longer than {_LONGEST} bytes, the limit of MQTT"
    return None


def _list(where: str, data: Mapping[str, Any], *, key: str | None = None) -> Iterable[Any]:
    value = data.get(key or where) or []
    if not isinstance(value, list):
        raise AclError(f"{where} is not a list")
    return value


def _check_keys(where: str, data: Any, *, required: tuple[str, ...], optional: tuple[str, ...]) -> None:
    if not isinstance(data, Mapping):
        raise AclError(f"{where} is not a dictionary")
    unknown = sorted(set(data) - set(required) - set(optional))
    if unknown:
        raise AclError(f"{where}: {', '.join(unknown)} is unknown; known are {', '.join(required + optional)}")
    missing = [key for key in required if key not in data]
    if missing:
        raise AclError(f"{where}: {', '.join(missing)} is missing")
