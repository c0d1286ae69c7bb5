# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""What is wrong with an intent: every problem with its line, key, value and remedy, all of them in one error."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, order=True)
class Problem:
    """One thing to put right: where it is, and the value with the remedy in words."""

    line: int
    key: str
    text: str


@dataclass
class Reading:
    """What is found out while a file is read: its problems, and in which line each key is."""

    problems: list[Problem] = field(default_factory=list)
    lines: dict[str, int] = field(default_factory=dict)

    def report(self, key: str, text: str, *, line: int | None = None) -> None:
        """Note a problem; without a line, in that of the key or of what the key is in."""
        self.problems.append(Problem(line=line or self.line_of(key), key=key, text=text))

    def line_of(self, key: str) -> int:
        """The line of a key, or of the nearest thing around it that is in the file."""
        while key not in self.lines and key:
            key = key[: max(key.rfind("."), key.rfind("["), 0)]
        return self.lines.get(key, 1)

    def check(self, file: str) -> None:
        """Raise FleetError when there is a problem."""
        if self.problems:
            raise FleetError(file, self.problems)


class FleetError(Exception):
    """An intent that cannot be: `str()` has a line for each problem, in the order of the file."""

    def __init__(self, file: str, problems: Iterable[Problem]) -> None:
        self.problems = sorted(problems)
        super().__init__("\n".join(f"{file}:{found.line}: {found.key}: {found.text}" for found in self.problems))


def unknown(word: str, known: Sequence[str]) -> str:
    """The words for a name that is none of those known, with the one that was probably meant."""
    near = difflib.get_close_matches(word, known, n=1)
    known_are = f"nown are {', '.join(known)}"
    return (
        f"{word!r} is unknown; did you mean {near[0]}? K{known_are}" if near else f"{word!r} is unknown; k{known_are}"
    )
