# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This plugin util is PRIVATE to the collection: it can change at any time.
"""The hosts of a play, and what is rendered of each."""

from __future__ import annotations

import gc
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, is_trusted_as_template, trust_as_template

from ..module_utils._rendering import answers, review, tree, wiring
from ..module_utils._rendering.errors import RenderError
from ..module_utils._rendering.evaluation import Ansible, Evaluator, Scope
from ..module_utils._rendering.manifest import File
from ..module_utils._workers import available, each

_COLLECTION = Path(__file__).resolve().parents[2]
_PLAYBOOK = "site.yml"
# Hosts that a process renders at a time: what those of a domain share is evaluated once, and a process costs little.
_SHARE = 25


def ansible(loader: DataLoader) -> Ansible:
    """What is asked of Ansible, with its templates and files."""

    # One for all: it keeps the filters and tests that it has looked up.
    one = Templar(loader=loader)

    def templar(variables: Mapping[str, Any]) -> Templar:
        one.available_variables = dict(variables)
        return one

    return Ansible(
        evaluate=lambda value, variables: templar(variables).template(value),
        holds=lambda condition, variables: bool(templar(variables).evaluate_conditional(condition)),
        read=lambda path: loader.load_from_file(str(path), unsafe=True, trusted_as_template=True),
        trusted=is_trusted_as_template,
        failures=(AnsibleError,),
        template=trust_as_template,
    )


def write(directory: Path, hosts: Iterable[tree.Comparison]) -> None:
    """Write those that are not current, or some and raise RenderError: which ones, the next run finds out."""
    wanted = [host.wanted for host in hosts if host.wanted is not None]

    def share(start: int) -> None:
        for host in wanted[start : start + _SHARE]:
            tree.write(directory, host)

    # Workers know the hosts from this process and are only told which of them are theirs.
    for _written in each(share, range(0, len(wanted), _SHARE), processes=available(), error=RenderError):
        pass


class _Host(NamedTuple):
    """What is known of a host before anything is evaluated."""

    variables: Mapping[str, Any]
    # What the host was found to be, or its release is.
    record: Mapping[str, Any]


class Fleet:
    """The hosts that are in plays of the collection's own playbook, which deploys."""

    def __init__(
        self,
        ansible: Ansible,
        task_vars: dict[str, Any],
        *,
        extra: Mapping[str, Any],
        facts: Path,
        release_variable: str,
    ) -> None:
        self._ansible = ansible
        self._groups = task_vars["groups"]
        self._task_vars = task_vars
        self._hostvars = task_vars["hostvars"]
        self._wanted = frozenset(task_vars["ansible_play_hosts_all"])
        self._facts = facts
        self._release_variable = release_variable
        self._evaluator = Evaluator(ansible, roles=_COLLECTION / "roles", extra=extra)
        self._plays = tuple(wiring.plays(_PLAYBOOK, lambda name: ansible.read(_COLLECTION / "playbooks" / name)))
        self._members = {play.name: self._hosts(play) for play in self._plays}
        self._known: dict[str, _Host] = {}
        self._watched: list[Any] | None = None

    def compared(self, directory: Path, *, key: str) -> list[tree.Comparison]:
        """What is written on each host beside what is there. Raises RenderError with all that cannot be rendered."""
        found: list[tree.Comparison] = []
        problems: dict[str, list[str]] = {}
        shares = _shares(self._wanted.intersection(*[self._all_members()]))

        def share(names: Sequence[str]) -> tuple[list[tree.Comparison], dict[str, str]]:
            return self._share(names, directory, key)

        for rendered, refused in each(share, shares, processes=available(), error=RenderError):
            found += rendered
            for name, problem in refused.items():
                problems.setdefault(problem, []).append(name)
        if problems:
            told = sorted((sorted(names), problem) for problem, names in problems.items())
            raise RenderError("\n".join(f"{review.hosts(names)}: {problem}" for names, problem in told))
        return sorted(found, key=lambda host: host.host)

    def _share(self, names: Sequence[str], directory: Path, key: str) -> tuple[list[tree.Comparison], dict[str, str]]:
        """What is written on each of these hosts, and why some cannot be rendered."""
        # A worker has it off; templates leave cycles.
        gc.enable()
        rendered, refused = [], {}
        for name in names:
            try:
                rendered.append(tree.compare(directory, tree.host(name, self._files(name), key=key)))
            except (RenderError, AnsibleError) as error:
                refused[name] = str(error)
        return rendered, refused

    def _all_members(self) -> set[str]:
        return {name for members in self._members.values() for name in members}

    def _hosts(self, play: wiring.Play) -> frozenset[str]:
        pattern = self._ansible.evaluate(play.hosts, self._task_vars)
        return frozenset(wiring.matching(str(pattern), self._groups))

    def _files(self, name: str) -> list[File]:
        return [
            file
            for play in self._plays
            if name in self._members[play.name]
            for use in self._evaluator.uses(play, self._host(name).variables)
            for file in self._evaluator.files(self._scope(play, use, name))
        ]

    def _scope(self, play: wiring.Play, use: wiring.RoleUse, name: str) -> Scope:
        host = self._host(name)
        known = answers.answers(use.name, host.record, template=self._ansible.template)
        scope = self._evaluator.scope(play, use, host.variables, known)
        if use.name == "monitoring" and "server" in self._evaluator.value("monitoring_parts", scope):
            return self._evaluator.scope(play, use, host.variables, {**known, "__monitoring_seen": self._seen()})
        return scope

    def _seen(self) -> list[Any]:
        """What a server watches: what each host of the fleet would have remembered of itself in the run."""
        if self._watched is None:
            self._watched = [seen for name in self._groups["all"] for seen in self._remembered(name)]
        return self._watched

    def _remembered(self, name: str) -> list[Any]:
        for play in self._plays:
            if name not in self._members[play.name]:
                continue
            variables = self._host(name).variables
            for use in self._evaluator.uses(play, variables):
                if use.name == "monitoring":
                    scope = self._evaluator.scope(play, use, variables, {})
                    if "host" in self._evaluator.value("monitoring_parts", scope):
                        return [self._evaluator.value("__monitoring_this", scope)]
        return []

    def _host(self, name: str) -> _Host:
        if name not in self._known:
            own = self._hostvars.raw_get(name)
            record = self._record(name, own.get(self._release_variable))
            variables = {**own, "hostvars": self._hostvars, "ansible_facts": record["facts"]}
            self._known[name] = _Host(variables, record)
        return self._known[name]

    def _record(self, name: str, release: Any) -> Mapping[str, Any]:
        """What a host was found to be, else what its release says. Raises RenderError where neither is known."""
        path = self._facts / f"{name}.json"
        try:
            return dict(json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            pass
        except ValueError as error:
            raise RenderError(f"{path}: is no JSON ({error}); run bulwark.mqtt.record again") from error
        if release is None:
            raise RenderError(
                "what the host runs is not known: run bulwark.mqtt.record on it, or, before there is such a host, set "
                f"{self._release_variable} to {', '.join(answers.RELEASES)}"
            )
        return answers.of_release(str(release), variable=self._release_variable)


def _shares(names: Collection[str]) -> Iterator[list[str]]:
    """The hosts in parts, those of a domain together."""
    ordered = sorted(names, key=lambda name: name.split(".")[::-1])
    for start in range(0, len(ordered), _SHARE):
        yield ordered[start : start + _SHARE]
