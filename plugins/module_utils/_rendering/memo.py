# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""Results that are the same for many hosts, computed once."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Any, Callable


class Memo:
    """Results by what they were computed from."""

    def __init__(self, *, trusted: Callable[[str], bool]) -> None:
        self._results: dict[Hashable, Any] = {}
        # By identity, with the object itself, so that no other one can have the same.
        self._prints: dict[int, tuple[Any, Hashable]] = {}
        self._trusted = trusted

    def result(
        self, what: Hashable, names: Iterable[str], variables: Mapping[str, Any], compute: Callable[[], Any]
    ) -> Any:
        """What `compute` gives, which reads no variables but these; the same for the same values of them."""
        key = (what, tuple((name, self._print(variables[name])) for name in sorted(names) if name in variables))
        if key not in self._results:
            self._results[key] = compute()
        return self._results[key]

    def _print(self, value: Any) -> Hashable:
        if isinstance(value, str):
            # Of two texts that are the same, one may be a template and the other one not be trusted to be one.
            return (str(value), self._trusted(value)) if "{" in value else str(value)
        if value is None or isinstance(value, (bool, int, float)):
            return (type(value).__name__, value)
        known = self._prints.get(id(value))
        if known is None:
            known = (value, self._container(value))
            self._prints[id(value)] = known
        return known[1]

    def _container(self, value: Any) -> Hashable:
        if isinstance(value, Mapping):
            return ("mapping", *((str(key), self._print(item)) for key, item in value.items()))
        if isinstance(value, (list, tuple)):
            return ("list", *(self._print(item) for item in value))
        # An encrypted value, for one: the same only where it is the very same.
        return ("object", id(value))
