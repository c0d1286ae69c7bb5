# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""The lists of files of a host's roles, evaluated with its variables as in a play; what hosts share, once."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from . import manifest
from .dependencies import Analyst, Needs
from .errors import RenderError
from .rules import Rule, rules
from .stamps import Numbers, Stamps
from .wiring import Play, RoleUse

_SUM_OF_NAMES = re.compile(r"\{\{\s*\w+(?:\s*\+\s*\w+)*\s*\}\}")
_NAME = re.compile(r"\w+")
# Where a lookup searches for files.
_PLACES = frozenset({"ansible_search_path", "role_path"})
_THE_HOST = "the host"


@dataclass(frozen=True)
class Ansible:
    """What is asked of Ansible: to evaluate, and to read a file of variables or a playbook, its templates trusted."""

    evaluate: Callable[[Any, Mapping[str, Any]], Any]
    holds: Callable[[Any, Mapping[str, Any]], bool]
    read: Callable[[Path], Any]
    trusted: Callable[[str], bool]
    # What it raises for what cannot be evaluated.
    failures: tuple[type[Exception], ...]
    template: Callable[[str], str]


@dataclass(frozen=True)
class Scope:
    """The variables of a role in a play on a host, in Ansible's order of precedence."""

    role: str
    path: Path
    variables: Mapping[str, Any]
    stamps: Stamps
    # Names of those that the role would have learned on the host.
    learned: frozenset[str] = frozenset()


class Evaluator:
    """Evaluates what roles write."""

    def __init__(self, ansible: Ansible, *, roles: Path, extra: Mapping[str, Any]) -> None:
        self._ansible = ansible
        self._roles = roles
        self._extra = extra
        self._analyst = Analyst()
        self._numbers = Numbers(trusted=ansible.trusted)
        self._results: dict[Hashable, Any] = {}
        self._files_of_roles: dict[tuple[str, str], Mapping[str, Any]] = {}
        self._files_of_plays: dict[tuple[str, str], Mapping[str, Any]] = {}
        self._rules_of_roles: dict[str, list[tuple[Rule, Needs]]] = {}

    def uses(self, play: Play, host: Mapping[str, Any]) -> Iterator[RoleUse]:
        """The roles of a play that run on a host."""
        for use in play.roles:
            if not use.conditions:
                yield use
                continue
            scope = self.scope(play, use, host, {})
            if all(self._holds(condition, scope) for condition in use.conditions):
                yield use

    def scope(self, play: Play, use: RoleUse, host: Mapping[str, Any], answers: Mapping[str, Any]) -> Scope:
        """The variables of a role in a play; `host` has those of the inventory."""
        path = self._roles / use.name
        variables = {
            **self._of_play(play, "defaults"),
            **host,
            **play.variables,
            **self._of_play(play, "vars"),
            **use.variables,
            **answers,
            **self._extra,
            "role_path": str(path),
            "ansible_search_path": [str(path)],
        }
        return Scope(use.name, path, variables, self._stamps(variables, path), frozenset(answers))

    def files(self, scope: Scope) -> list[manifest.File]:
        """What the role writes. Raises RenderError with what the role refuses on such a host."""
        refused = next(self._refused(scope), None)
        if refused is not None:
            raise RenderError(refused)
        return [
            manifest.file(item, role=scope.role, service=service)
            for service, listed in self._lists(scope)
            for item in self._items(listed, scope)
        ]

    def value(self, name: str, scope: Scope) -> Any:
        """One variable."""
        return self._value(scope.variables[name], scope)

    def _refused(self, scope: Scope) -> Iterator[str]:
        """What the role would say on the host about what its software cannot do, in its own words."""
        if not scope.learned:
            return
        # Words that name the host would make the same question another one on each.
        anybody = self._with(scope, {"inventory_hostname": _THE_HOST})
        for number, (rule, needs) in enumerate(self._rules(scope.role)):
            asked = self._with(anybody, rule.variables) if rule.variables else anybody
            stamps = asked.stamps.of(needs)
            if stamps is None:
                # It asks the host itself for something.
                continue
            is_met = functools.partial(self._is_met, rule, needs, asked)
            if self._once(("rule", scope.role, number, stamps), is_met):
                yield str(self._ansible.evaluate(rule.message, asked.variables)).strip()

    def _with(self, scope: Scope, more: Mapping[str, Any]) -> Scope:
        variables = {**scope.variables, **more}
        return replace(scope, variables=variables, stamps=self._stamps(variables, scope.path))

    def _is_met(self, rule: Rule, needs: Needs, asked: Scope) -> bool:
        """Whether the role refuses the host; not by what was asked when the inventory was compiled."""
        names = self._analyst.reached(needs, asked.variables, role=asked.path).names
        return (
            bool(names & asked.learned)
            and names <= asked.variables.keys()
            and all(self._holds(condition, asked) for condition in rule.conditions)
            and not all(self._holds(condition, asked) for condition in rule.holds)
        )

    def _rules(self, role: str) -> list[tuple[Rule, Needs]]:
        """What a role refuses, and what the conditions for that name."""
        if role not in self._rules_of_roles:
            path = self._roles / role
            self._rules_of_roles[role] = [
                (rule, self._named((*rule.conditions, *rule.holds), role=path))
                for rule in rules(path, self._ansible.read)
            ]
        return self._rules_of_roles[role]

    def _named(self, conditions: tuple[Any, ...], *, role: Path) -> Needs:
        found = Needs()
        for condition in conditions:
            if isinstance(condition, str):
                found |= self._analyst.needs(self._ansible.template(f"{{{{ {condition} }}}}"), role=role)
        return found

    def _of_play(self, play: Play, kind: str) -> Mapping[str, Any]:
        """The defaults or variables of all roles of a play: each of them sees those of the others."""
        if (play.name, kind) not in self._files_of_plays:
            merged: dict[str, Any] = {}
            for use in play.roles:
                merged.update(self._of_role(use.name, kind))
            self._files_of_plays[play.name, kind] = merged
        return self._files_of_plays[play.name, kind]

    def _stamps(self, variables: Mapping[str, Any], path: Path) -> Stamps:
        return Stamps(variables, self._numbers, self._analyst, role=path)

    def _once(self, what: Hashable, compute: Callable[[], Any]) -> Any:
        """What `compute` gives, which does not depend on anything that is not in `what`."""
        if what not in self._results:
            self._results[what] = compute()
        return self._results[what]

    def _of_role(self, name: str, kind: str) -> Mapping[str, Any]:
        if (name, kind) not in self._files_of_roles:
            path = self._roles / name / kind / "main.yml"
            self._files_of_roles[name, kind] = (self._ansible.read(path) or {}) if path.is_file() else {}
        return self._files_of_roles[name, kind]

    def _holds(self, condition: Any, scope: Scope) -> bool:
        if not isinstance(condition, str):
            return bool(condition)
        needs = self._named((condition,), role=scope.path)
        stamps = scope.stamps.of(needs)
        if stamps is None:
            return self._ansible.holds(condition, scope.variables)
        return bool(
            self._once(
                ("condition", scope.role, condition, stamps),
                lambda: self._ansible.holds(condition, self._given(needs, scope)),
            )
        )

    def _lists(self, scope: Scope) -> Iterator[tuple[str, Any]]:
        """The role's lists by the service that they are for."""
        own = self._of_role(scope.role, "vars")
        prefix = f"__{scope.role}"
        if f"{prefix}_files" in own:
            yield scope.role, own[f"{prefix}_files"]
        elif f"{prefix}_files_of" in own:
            for service in self.value(f"{prefix}_services", scope):
                yield service, own[f"{prefix}_files_of"][service]

    def _items(self, listed: Any, scope: Scope) -> Iterator[Mapping[str, Any]]:
        """The entries of a list, each evaluated by itself where it is written as one: they need less."""
        if isinstance(listed, str) and _SUM_OF_NAMES.fullmatch(listed):
            names = _NAME.findall(listed)
            if all(isinstance(scope.variables.get(name), (list, str)) for name in names):
                for name in names:
                    yield from self._items_of(scope.variables[name], scope)
                return
        yield from self._items_of(listed, scope)

    def _items_of(self, listed: Any, scope: Scope) -> Iterator[Mapping[str, Any]]:
        if isinstance(listed, list):
            for item in listed:
                yield self._value(item, scope)
        else:
            yield from self._value(listed, scope)

    def _value(self, value: Any, scope: Scope) -> Any:
        needs = self._analyst.needs(value, role=scope.path)
        stamps = scope.stamps.of(needs)
        if stamps is None:
            return self._ansible.evaluate(value, scope.variables)
        what = (scope.role, self._numbers.of(value))
        return self._once(("value", what, stamps), lambda: self._made(what, value, needs, scope))

    def _made(self, what: Hashable, value: Any, needs: Needs, scope: Scope) -> Any:
        """A collection, each part of it by itself: of most, hosts have all but one in common."""
        if needs.names and "omit" not in needs.names:
            if isinstance(value, Mapping):
                return {key: self._value(item, scope) for key, item in value.items()}
            if isinstance(value, list):
                return [self._value(item, scope) for item in value]
        # It is evaluated with what its text names and nothing else, so the same for the same values is no assumption.
        # These may be the same though what they were made from is not.
        given = self._given(needs, scope)
        seen = tuple((name, self._numbers.of(given[name])) for name in sorted(given.keys() - _PLACES))
        return self._once(("made", what, seen), lambda: self._ansible.evaluate(value, given))

    def _given(self, needs: Needs, scope: Scope) -> dict[str, Any]:
        """The variables that are named, evaluated."""
        given = {name: scope.variables[name] for name in _PLACES}
        for name in needs.names & scope.variables.keys():
            given[name] = scope.variables[name]
            if not self._analyst.needs(given[name], role=scope.path).names:
                continue
            try:
                given[name] = self._value(given[name], scope)
            except self._ansible.failures:
                # It may not be asked for; whoever asks is told.
                reached = self._analyst.reached(Needs(frozenset({name})), scope.variables, role=scope.path).names
                given.update((more, scope.variables[more]) for more in reached & scope.variables.keys() - given.keys())
        return given
