# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""EMQX's acl.conf from the rules that Mosquitto's ACL file is made of as well.

EMQX takes the first rule that matches, so their order is ours: what is denied, what a client may, what everybody may,
and nothing else. It looks at a subscription once, at the filter and not at each message (emqx_authz_rule.erl), so what
cannot be kept from a subscriber is an error here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ._acl import AclError, check_access, check_keys, check_name, entries, topic_problem

_SECTIONS = ("patterns", "groups", "users")
_ACTIONS = {"read": "subscribe", "write": "publish", "readwrite": "all", "deny": "all"}
# Ours for the client's name and identifier -> EMQX's.
_PLACEHOLDERS = {"%u": "${username}", "%c": "${clientid}"}
# mqtt.max_topic_levels, which the role leaves at its default.
_MOST_LEVELS = 128
# A certificate can have a common name that is a wildcard where the name stands in a topic, and EMQX puts it there.
_UNSAFE_NAMES = '{deny, {username, {re, "[+#/]"}}, all, all}.'
_LAST = "{deny, all}."


@dataclass(frozen=True)
class _Rule:
    where: str
    access: str
    topic: str

    @property
    def levels(self) -> list[str]:
        return self.topic.split("/")

    @property
    def reads(self) -> bool:
        return self.access in ("read", "readwrite")

    @property
    def named(self) -> bool:
        return any(placeholder in self.topic for placeholder in _PLACEHOLDERS)


def render(acl: Mapping[str, Any], *, denied: Sequence[str] = (), metrics: Sequence[str] = ()) -> str:
    """The rules of the file, one a line, without a line break at the end. Raises AclError.

    `denied` are names that may do nothing, whatever else is said about them; `metrics` are names that read `$SYS/#` and
    nothing else. Within one client, and within the patterns, denials come first.
    """
    check_keys("the ACL", acl, required=(), optional=_SECTIONS)
    patterns = [_pattern(f"patterns[{i}]", rule) for i, rule in enumerate(entries("patterns", acl))]
    rules: dict[str, list[_Rule]] = {}
    for index, user in enumerate(entries("users", acl)):
        _user(f"users[{index}]", user, rules)
    for index, group in enumerate(entries("groups", acl)):
        _group(f"groups[{index}]", group, rules)
    _check_kept(patterns, patterns)
    for own in rules.values():
        _check_kept(own, own + patterns)
    lines = [_UNSAFE_NAMES]
    for index, name in enumerate(denied):
        check_name(f"denied[{index}]", name)
        lines.append(_term("deny", _client(name), "all", "all"))
    for index, name in enumerate(metrics):
        check_name(f"metrics[{index}]", name)
        if name in rules:
            raise AclError(f"metrics[{index}]: name {name!r} has rules among users or groups, too; take it out there")
        lines += [_term("allow", _client(name), "subscribe", '["$SYS/#"]'), _term("deny", _client(name), "all", "all")]
    for name, own in rules.items():
        lines += _terms(_client(name), own, all_rules=own + patterns)
    lines += _terms("all", patterns, all_rules=patterns)
    return "\n".join([*lines, _LAST])


def _pattern(where: str, rule: Any) -> _Rule:
    made = _rule(where, rule)
    if made.reads and made.named and made.levels[-1] == "+":
        raise AclError(
            f"{where}: topic {made.topic!r} ends with +, and EMQX lets a subscription with # in its place through;"
            " name the level, or end with #"
        )
    return made


def _user(where: str, user: Any, rules: dict[str, list[_Rule]]) -> None:
    check_keys(where, user, required=("username", "topics"), optional=())
    name = user["username"]
    check_name(where, name, called="username")
    if name in rules:
        raise AclError(f"{where}: username {name!r} is there twice; give all its topics in one entry")
    topics = entries(f"{where}.topics", user, key="topics")
    rules[name] = [_unnamed(_rule(f"{where}.topics[{i}]", rule)) for i, rule in enumerate(topics)]


def _group(where: str, group: Any, rules: dict[str, list[_Rule]]) -> None:
    """The rules of a class of clients, added to those of each member, with its name in the place of `%u`."""
    check_keys(where, group, required=("name", "members", "topics"), optional=())
    topics = [
        _rule(f"{where}.topics[{i}]", rule) for i, rule in enumerate(entries(f"{where}.topics", group, key="topics"))
    ]
    for number, name in enumerate(entries(f"{where}.members", group, key="members")):
        check_name(f"{where}.members[{number}]", name)
        own = rules.setdefault(name, [])
        for rule in topics:
            if "%c" in rule.topic:
                raise AclError(
                    f"{rule.where}: topic {rule.topic!r} has %c, which the broker replaces in patterns only;"
                    " a group's topics have %u"
                )
            made = _Rule(rule.where, rule.access, rule.topic.replace("%u", name))
            if made not in own:
                own.append(made)


def _rule(where: str, rule: Any) -> _Rule:
    check_keys(where, rule, required=("access", "topic"), optional=())
    access, topic = rule["access"], rule["topic"]
    check_access(where, access)
    problem = topic_problem(topic, most_levels=_MOST_LEVELS)
    if problem is None and topic.startswith("eq "):
        problem = "begins with 'eq ', which EMQX takes for an operator"
    if problem is None and "${" in topic:
        problem = (
            "has ${, with which EMQX begins a placeholder; write %u for the client's name and %c for its identifier"
        )
    if problem is not None:
        raise AclError(f"{where}: topic {topic!r} {problem}")
    return _Rule(where, access, topic)


def _unnamed(rule: _Rule) -> _Rule:
    if rule.named:
        raise AclError(f"{rule.where}: topic {rule.topic!r} has %u or %c, which the broker replaces in patterns only")
    return rule


def _check_kept(own: Iterable[_Rule], all_rules: Sequence[_Rule]) -> None:
    """Raises AclError for what is denied and would be delivered, on a subscription that is allowed."""
    wild = [rule for rule in all_rules if rule.reads and {"+", "#"} & set(rule.levels)]
    for denial in (rule for rule in own if rule.access == "deny"):
        for rule in wild:
            if _overlap(denial.levels, rule.levels) and not _covers(denial.levels, rule.levels):
                raise AclError(
                    f"{denial.where}: topic {denial.topic!r} would be delivered on a subscription to {rule.topic!r}"
                    f" ({rule.where}), because EMQX looks at subscriptions and not at messages; list what may be read"
                    " without it"
                )


def _terms(who: str, rules: Sequence[_Rule], *, all_rules: Sequence[_Rule]) -> list[str]:
    """Denials, then what is allowed; before it, the subscription with # that a + as the last level lets through."""
    lines = [_term("deny", who, "all", _topics(rule.topic)) for rule in rules if rule.access == "deny"]
    # emqx_topic:match_tokens/2 takes the # of a filter for a level like any other.
    for rule in (rule for rule in rules if rule.reads and rule.levels[-1] == "+"):
        wider = [*rule.levels[:-1], "#"]
        if not any(other.reads and _covers(other.levels, wider) for other in all_rules):
            lines.append(_term("deny", who, "subscribe", f"[{{eq, {_string('/'.join(wider))}}}]"))
    lines += [
        _term("allow", who, _ACTIONS[rule.access], _topics(rule.topic)) for rule in rules if rule.access != "deny"
    ]
    return list(dict.fromkeys(lines))


def _covers(wide: Sequence[str], narrow: Sequence[str]) -> bool:
    """Whether everything that `narrow` matches is matched by `wide`, too."""
    if list(wide) == list(narrow):
        return True
    for index, level in enumerate(wide):
        if level == "#":
            return True
        if index >= len(narrow) or narrow[index] == "#" or level not in ("+", narrow[index]):
            return False
    return len(wide) == len(narrow)


def _overlap(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether a topic can match both; a placeholder can stand for any level."""
    for index in range(max(len(one), len(other))):
        here = [levels[index] if index < len(levels) else None for levels in (one, other)]
        if "#" in here:
            return True
        if None in here:
            # A # after this level matches the level above it as well.
            return False
        if "+" not in here and here[0] != here[1] and not any("%u" in str(h) or "%c" in str(h) for h in here):
            return False
    return True


def _client(name: str) -> str:
    return f"{{username, {_string(name)}}}"


def _topics(topic: str) -> str:
    for ours, theirs in _PLACEHOLDERS.items():
        topic = topic.replace(ours, theirs)
    return f"[{_string(topic)}]"


def _term(permission: str, who: str, action: str, topics: str) -> str:
    return f"{{{permission}, {who}, {action}, {topics}}}."


def _string(text: str) -> str:
    """A string of Erlang, whose files are UTF-8."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
