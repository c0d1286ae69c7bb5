# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""The lists of files of a host's roles, evaluated with its variables as in a play; what hosts share, once."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import manifest
from .dependencies import Analyst, Needs
from .errors import RenderError
from .memo import Memo
from .wiring import Play, RoleUse

_SUM_OF_NAMES = re.compile(r"\{\{\s*\w+(?:\s*\+\s*\w+)*\s*\}\}")
_NAME = re.compile(r"\w+")
_IMPORT = "ansible.builtin.import_tasks"
_ASSERT = "ansible.builtin.assert"
_FAIL = "ansible.builtin.fail"
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
    # Names of those that the role would have learned on the host.
    learned: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Rule:
    """What a role refuses: a failure or an assertion among its tasks, with the conditions under which it is met."""

    conditions: tuple[Any, ...]
    # What is asserted: nothing holds where a task only fails.
    holds: tuple[Any, ...]
    message: str
    variables: Mapping[str, Any]


class Evaluator:
    """Evaluates what roles write."""

    def __init__(self, ansible: Ansible, *, roles: Path, extra: Mapping[str, Any]) -> None:
        self._ansible = ansible
        self._roles = roles
        self._extra = extra
        self._analyst = Analyst()
        self._memo = Memo(trusted=ansible.trusted)
        self._files_of_roles: dict[tuple[str, str], Mapping[str, Any]] = {}
        self._rules_of_roles: dict[str, list[Rule]] = {}
        self._reading_rules: dict[str, list[Rule]] = {}

    def uses(self, play: Play, host: Mapping[str, Any]) -> Iterator[RoleUse]:
        """The roles of a play that run on a host."""
        for use in play.roles:
            variables = self.scope(play, use, host, {}).variables
            if all(self._holds(condition, variables, use.name) for condition in use.conditions):
                yield use

    def scope(self, play: Play, use: RoleUse, host: Mapping[str, Any], answers: Mapping[str, Any]) -> Scope:
        """The variables of a role in a play; `host` has those of the inventory."""
        names = [known.name for known in play.roles]
        variables: dict[str, Any] = {}
        for name in names:
            variables.update(self._of_role(name, "defaults"))
        variables.update(host)
        variables.update(play.variables)
        for name in names:
            variables.update(self._of_role(name, "vars"))
        path = self._roles / use.name
        variables.update(use.variables)
        variables.update(answers)
        variables.update(self._extra)
        variables.update(role_path=str(path), ansible_search_path=[str(path)])
        return Scope(role=use.name, path=path, variables=variables, learned=frozenset(answers))

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
        for rule in self._rules_that_read(scope) if scope.learned else ():
            # Words that name the host would make the same question another one on each.
            variables = {**scope.variables, **rule.variables, "inventory_hostname": _THE_HOST}
            asked = [
                self._condition_needs(condition, variables, scope) for condition in (*rule.conditions, *rule.holds)
            ]
            names = frozenset(name for needs in asked for name in needs.names)
            # Others ask the host itself for something, or were asked when the inventory was compiled.
            if not names & scope.learned or any(needs.open for needs in asked) or names - variables.keys():
                continue
            if all(self._holds(condition, variables, scope.role) for condition in rule.conditions) and not all(
                self._holds(condition, variables, scope.role) for condition in rule.holds
            ):
                yield str(self._ansible.evaluate(rule.message, variables)).strip()

    def _rules_that_read(self, scope: Scope) -> list[Rule]:
        """Those of a role that can read what it learns, told once from its own variables: most ask something else."""
        if scope.role not in self._reading_rules:
            own = {**self._of_role(scope.role, "defaults"), **self._of_role(scope.role, "vars")}
            self._reading_rules[scope.role] = [
                rule
                for rule in self._rules(scope.role)
                if any(
                    needs.open or needs.names & scope.learned
                    for condition in (*rule.conditions, *rule.holds)
                    for needs in [self._condition_needs(condition, {**own, **rule.variables}, scope)]
                )
            ]
        return self._reading_rules[scope.role]

    def _condition_needs(self, condition: Any, variables: Mapping[str, Any], scope: Scope) -> Needs:
        if not isinstance(condition, str):
            return Needs()
        return self._analyst.closure(self._ansible.template(f"{{{{ {condition} }}}}"), variables, role=scope.path)

    def _rules(self, role: str) -> list[Rule]:
        """The failures and assertions in the files that tasks/main.yml imports, in their order."""
        if role not in self._rules_of_roles:
            tasks = self._roles / role / "tasks"
            imported = [
                (task[_IMPORT], _listed(task.get("when")))
                for task in self._ansible.read(tasks / "main.yml")
                if _IMPORT in task
            ]
            self._rules_of_roles[role] = [
                Rule(
                    conditions=(*conditions, *_listed(task.get("when"))),
                    holds=_listed(task[_ASSERT]["that"]) if _ASSERT in task else (False,),
                    message=task[_ASSERT]["fail_msg"] if _ASSERT in task else task[_FAIL]["msg"],
                    variables=task.get("vars", {}),
                )
                for name, conditions in imported
                for task in self._ansible.read(tasks / name)
                if _ASSERT in task or _FAIL in task
            ]
        return self._rules_of_roles[role]

    def _of_role(self, name: str, kind: str) -> Mapping[str, Any]:
        if (name, kind) not in self._files_of_roles:
            path = self._roles / name / kind / "main.yml"
            self._files_of_roles[name, kind] = (self._ansible.read(path) or {}) if path.is_file() else {}
        return self._files_of_roles[name, kind]

    def _holds(self, condition: Any, variables: Mapping[str, Any], role: str) -> bool:
        if not isinstance(condition, str):
            return bool(condition)
        path = self._roles / role
        needs = self._analyst.closure(self._ansible.template(f"{{{{ {condition} }}}}"), variables, role=path)
        if needs.open:
            return self._ansible.holds(condition, variables)
        given = {name: variables[name] for name in needs.names if name in variables}
        return bool(
            self._memo.result(
                ("condition", condition), needs.names, variables, lambda: self._ansible.holds(condition, given)
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
        needs = self._analyst.closure(value, scope.variables, role=scope.path)
        if needs.open:
            return self._ansible.evaluate(value, scope.variables)
        # It is evaluated with what its text names and nothing else, so the same for the same values is no assumption.
        names = needs.names | {"ansible_search_path", "role_path"}
        return self._memo.result(
            (scope.role, id(value)) if not isinstance(value, str) else (scope.role, str(value)),
            names,
            scope.variables,
            lambda: self._ansible.evaluate(value, self._given(value, names, scope)),
        )

    def _given(self, value: Any, names: frozenset[str], scope: Scope) -> dict[str, Any]:
        """The variables that a value is evaluated with, what it names itself evaluated: hosts share it."""
        given = {name: scope.variables[name] for name in names if name in scope.variables}
        for name in self._analyst.needs(value, role=scope.path).names:
            # One that cannot be evaluated may not be asked for: whoever asks is told.
            with contextlib.suppress(*self._ansible.failures):
                if self._analyst.needs(given.get(name), role=scope.path).names:
                    given[name] = self._value(given[name], scope)
        return given


def _listed(value: Any) -> tuple[Any, ...]:
    """Conditions as Ansible takes them: none, one or a list."""
    if value is None:
        return ()
    return tuple(value) if isinstance(value, list) else (value,)
