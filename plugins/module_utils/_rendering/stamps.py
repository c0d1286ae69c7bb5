# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""Whether values are the same on two hosts, with everything that they are made from."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any, Callable

from .dependencies import Analyst, Needs

_MISSING = 0


class Numbers:
    """One number for all values that are the same; small ones stand for themselves."""

    def __init__(self, *, trusted: Callable[[str], bool]) -> None:
        self._trusted = trusted
        self._numbers: dict[Hashable, int] = {}
        # By identity, with the object itself, so that no other one can have the same.
        self._containers: dict[int, tuple[Any, int]] = {}

    def of(self, value: Any) -> Hashable:
        """What is the same for the same value and no other one."""
        if isinstance(value, str):
            # Of two texts that are the same, one may be a template and the other one not be trusted to be one.
            return (value, self._trusted(value)) if "{" in value else value
        if value is None or isinstance(value, (bool, int, float)):
            return (type(value).__name__, value)
        known = self._containers.get(id(value))
        if known is None:
            known = self._containers[id(value)] = (value, self.interned(self._parts(value)))
        return known[1]

    def interned(self, parts: Hashable) -> int:
        """The number of what has these parts."""
        return self._numbers.setdefault(parts, len(self._numbers) + 1)

    def _parts(self, value: Any) -> Hashable:
        if isinstance(value, Mapping):
            return ("mapping", *((str(key), self.of(item)) for key, item in value.items()))
        if isinstance(value, (list, tuple)):
            return ("list", *(self.of(item) for item in value))
        # An encrypted value, for one: the same only where it is the very same.
        return ("object", id(value))


class Stamps:
    """Numbers of a host's variables: each stands for the variable's text, and for those of all that it names."""

    def __init__(self, variables: Mapping[str, Any], numbers: Numbers, analyst: Analyst, *, role: Path) -> None:
        self._variables = variables
        self._numbers = numbers
        self._analyst = analyst
        self._role = role
        self._known: dict[str, int | None] = {}

    def of(self, needs: Needs) -> tuple[int, ...] | None:
        """What is the same where all that is needed is the same; None where that cannot be told."""
        if needs.open:
            return None
        found = []
        for name in needs.ordered:
            stamp = self._known[name] if name in self._known else self._of(name)
            if stamp is None:
                return None
            found.append(stamp)
        return tuple(found)

    def _of(self, name: str) -> int | None:
        # One that names itself cannot be told; whoever evaluates it says so.
        self._known[name] = None
        if name not in self._variables:
            self._known[name] = _MISSING
        else:
            value = self._variables[name]
            named = self.of(self._analyst.needs(value, role=self._role))
            if named is not None:
                self._known[name] = self._numbers.interned((self._numbers.of(value), named))
        return self._known[name]
