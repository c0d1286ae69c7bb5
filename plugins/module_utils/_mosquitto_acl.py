# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""Mosquitto's ACL file from data; the format is the same for 2.0 and 2.1 (mosquitto.conf(5), acl_file).

What the broker would refuse, or read as something else than was meant, is an error here: 2.0 would not start, 2.1 would
quit at the next reload.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ._acl import AclError, check_access, check_keys, check_name, entries, topic_problem

_SECTIONS = ("anonymous", "patterns", "groups", "users")
# MQTT 5 section 4.7.2: a # in front does not match topics that begin with $, so these are trees of their own.
EVERYTHING = ("#", "$SYS/#", "$CONTROL/#", "$share/#")
# TOPIC_HIERARCHY_LIMIT of mosquitto's config.h.
_MOST_LEVELS = 200


def render(acl: Mapping[str, Any], *, denied: Sequence[str] = (), metrics: Sequence[str] = ()) -> str:
    """The lines of the file without a line break at the end. Raises AclError.

    `denied` are names that may do nothing, whatever else is said about them; `metrics` are names that read `$SYS/#` and
    nothing else. Rules for anonymous clients come first: every `topic` line below a `user` line is that user's. Within
    one user, and within the patterns, the broker looks at denials first, in whatever order they are (acl__add_to_user).
    """
    check_keys("the ACL", acl, required=(), optional=_SECTIONS)
    lines = [_rule("topic", f"anonymous[{i}]", rule) for i, rule in enumerate(entries("anonymous", acl))]
    lines += [_rule("pattern", f"patterns[{i}]", rule) for i, rule in enumerate(entries("patterns", acl))]
    rules: dict[str, list[str]] = {}
    for index, user in enumerate(entries("users", acl)):
        _user(f"users[{index}]", user, rules)
    for index, group in enumerate(entries("groups", acl)):
        _group(f"groups[{index}]", group, rules)
    for index, name in enumerate(metrics):
        check_name(f"metrics[{index}]", name)
        if name in rules:
            raise AclError(f"metrics[{index}]: name {name!r} has rules among users or groups, too; take it out there")
        rules[name] = ["topic deny #", "topic read $SYS/#"]
    for index, name in enumerate(denied):
        check_name(f"denied[{index}]", name)
        rules[name] = [f"topic deny {topic}" for topic in EVERYTHING]
    for name, topics in rules.items():
        lines += [f"user {name}", *topics]
    return "\n".join(lines)


def _user(where: str, user: Mapping[str, Any], rules: dict[str, list[str]]) -> None:
    check_keys(where, user, required=("username", "topics"), optional=())
    name = user["username"]
    check_name(where, name, called="username")
    if name in rules:
        raise AclError(f"{where}: username {name!r} is there twice; give all its topics in one entry")
    topics = entries(f"{where}.topics", user, key="topics")
    rules[name] = [_rule("topic", f"{where}.topics[{i}]", rule) for i, rule in enumerate(topics)]


def _group(where: str, group: Mapping[str, Any], rules: dict[str, list[str]]) -> None:
    """The rules of a class of clients, added to those of each member, with its name in the place of `%u`."""
    check_keys(where, group, required=("name", "members", "topics"), optional=())
    topics = list(enumerate(entries(f"{where}.topics", group, key="topics")))
    for number, name in enumerate(entries(f"{where}.members", group, key="members")):
        check_name(f"{where}.members[{number}]", name)
        own = rules.setdefault(name, [])
        for index, rule in topics:
            line = _rule("member", f"{where}.topics[{index}]", rule).replace("member", "topic", 1).replace("%u", name)
            if line not in own:
                own.append(line)


def _rule(keyword: str, where: str, rule: Mapping[str, Any]) -> str:
    check_keys(where, rule, required=("access", "topic"), optional=())
    access, topic = rule["access"], rule["topic"]
    check_access(where, access)
    problem = topic_problem(topic, most_levels=_MOST_LEVELS)
    if problem is None and keyword == "topic" and ("%u" in topic or "%c" in topic):
        problem = "has %u or %c, which the broker replaces in patterns only"
    if problem is None and keyword == "member" and "%c" in topic:
        problem = "has %c, which the broker replaces in patterns only; a group's topics have %u"
    if problem is not None:
        raise AclError(f"{where}: topic {topic!r} {problem}")
    return f"{keyword} {access} {topic}"
