# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""Which variables a template can read, found in its text: what does not change them cannot change the result.

Where a template could read what its text does not name, it is said to be `open`, and nothing is concluded from it.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

with contextlib.suppress(ImportError):  # ansible-core brings it where this runs, and hosts have none
    from jinja2 import Environment, TemplateSyntaxError, meta, nodes

_LOOKUPS = frozenset({"lookup", "query", "q"})
# Who reads these reads variables by names that are values, those of other hosts, or the clock.
_OPEN_NAMES = frozenset({"vars", "hostvars", "now"})
_OPEN_FILTERS = frozenset({"random", "shuffle", "ansible.builtin.random", "ansible.builtin.shuffle"})
_OPENERS = ("{{", "{%")


@dataclass(frozen=True)
class Needs:
    """The names that something reads, and whether it could read others."""

    names: frozenset[str] = frozenset()
    open: bool = False

    @functools.cached_property
    def ordered(self) -> tuple[str, ...]:
        """The names in an order that is always the same."""
        return tuple(sorted(self.names))

    def __or__(self, other: Needs) -> Needs:
        return Needs(self.names | other.names, self.open or other.open)


class _AnyPlugin(dict[str, Any]):
    """Jinja refuses to read a template with a filter or test that it has not got; here it needs none."""

    def get(self, _name: str, _default: Any = None) -> Any:
        return str


_OPEN = Needs(open=True)
_NOTHING = Needs()


class Analyst:
    """Reads templates once; the templates and files of a role are below its directory."""

    def __init__(self) -> None:
        self._environment = Environment(extensions=["jinja2.ext.do", "jinja2.ext.loopcontrols"], autoescape=True)
        self._environment.filters = self._environment.tests = _AnyPlugin()
        self._texts: dict[tuple[str, str], Needs] = {}
        self._files: dict[tuple[Path, str], Needs] = {}
        # By identity, with the object itself, so that no other one can have the same.
        self._values: dict[tuple[int, str], tuple[Any, Needs]] = {}

    def reached(self, needs: Needs, variables: Mapping[str, Any], *, role: Path) -> Needs:
        """These, and what the variables need that they name."""
        seen: set[str] = set()
        waiting = list(needs.names)
        is_open = needs.open
        while waiting and not is_open:
            name = waiting.pop()
            if name in seen:
                continue
            seen.add(name)
            if name in variables:
                more = self.needs(variables[name], role=role)
                waiting.extend(more.names - seen)
                is_open = more.open
        return Needs(frozenset(seen), is_open)

    def needs(self, value: Any, *, role: Path) -> Needs:
        """What a value needs by itself."""
        if isinstance(value, str):
            return self._text(value, role) if any(opener in value for opener in _OPENERS) else _NOTHING
        if not isinstance(value, (Mapping, list, tuple)):
            return _NOTHING
        key = (id(value), str(role))
        if key not in self._values:
            found = _NOTHING
            for item in value.values() if isinstance(value, Mapping) else value:
                found |= self.needs(item, role=role)
            self._values[key] = (value, found)
        return self._values[key][1]

    def _text(self, text: str, role: Path) -> Needs:
        key = (text, str(role))
        if key not in self._texts:
            self._texts[key] = self._parsed(text, role)
        return self._texts[key]

    def _parsed(self, text: str, role: Path) -> Needs:
        try:
            tree = self._environment.parse(text)
        except TemplateSyntaxError:
            # Whoever evaluates it says so, in better words.
            return _OPEN
        if any(tree.find_all((nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends))):
            return _OPEN
        if any(node.name in _OPEN_FILTERS for node in tree.find_all(nodes.Filter)):
            return _OPEN
        if any(opener in node.value for node in tree.find_all(nodes.Const) for opener in _OPENERS if _is_text(node)):
            return _OPEN
        names = meta.find_undeclared_variables(tree)
        if names & _OPEN_NAMES:
            return _OPEN
        found = Needs(frozenset(names - _LOOKUPS))
        calls = [call for call in tree.find_all(nodes.Call) if _is_lookup(call.node)]
        if len(calls) != sum(1 for node in tree.find_all(nodes.Name) if _is_lookup(node)):
            return _OPEN
        for call in calls:
            found |= self._lookup(call, role)
        return found

    def _lookup(self, call: nodes.Call, role: Path) -> Needs:
        """A lookup of one file of the role by a name that is written there; anything else is open."""
        constant = all(isinstance(argument, nodes.Const) for argument in call.args)
        options = all(isinstance(option.value, nodes.Const) for option in call.kwargs)
        if not constant or not options or call.dyn_args or call.dyn_kwargs or len(call.args) != 2:
            return _OPEN
        plugin, name = (argument.value for argument in call.args if isinstance(argument, nodes.Const))
        if plugin == "ansible.builtin.file" and (role / "files" / name).is_file():
            return _NOTHING
        if plugin == "bulwark.mqtt.template" and not call.kwargs and (role / "templates" / name).is_file():
            return self._template(role, name)
        return _OPEN

    def _template(self, role: Path, name: str) -> Needs:
        key = (role, name)
        if key not in self._files:
            self._files[key] = self._parsed((role / "templates" / name).read_text(encoding="utf-8"), role)
        return self._files[key]


def _is_lookup(node: Any) -> bool:
    return isinstance(node, nodes.Name) and node.name in _LOOKUPS


def _is_text(node: nodes.Const) -> bool:
    return isinstance(node.value, str)
