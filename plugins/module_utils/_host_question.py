# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""Whether a host has files, directories, groups and units as they are wanted: what its shell is asked and answers.

Text in and text out, so that the controller can ask without a module, whose start takes longer than the question. It
answers with no for all that it does not understand: then the module looks.
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# `find` prints nothing about what is not there, and `l` for a link, which nothing that is wanted is.
_QUESTION = """\
export LC_ALL=C
exec 2>/dev/null
find {paths} -maxdepth 0 -printf '%y %m %u %g %p\\n'
echo; sha256sum -- {files}
echo; getent group {groups} | cut -d : -f 1
echo; {units} | grep .
echo; ls -d {journals}/*/journal.json"""
_ANSWERS = 5
# What is asked about where nothing is wanted of that kind; `getent` without a name would print all.
_NONE = "/bulwark-asks-for-nothing"

_STOPPED = ("inactive", "failed")


@dataclass(frozen=True)
class Unit:
    """A unit of systemd, and whether it is to run, now and after a boot."""

    name: str
    running: bool = True


@dataclass(frozen=True)
class Host:
    """How a host is to be; files and directories have what `service_config` and `host_layout` take, with defaults."""

    files: Sequence[Mapping[str, Any]]
    directories: Sequence[Mapping[str, Any]] = ()
    groups: Sequence[str] = ()
    units: Sequence[Unit] = ()
    # Where transactions have their journals, of which there must be none; empty for whom that does not concern.
    journals: str = ""

    def question(self) -> str:
        """What a shell is asked."""
        entries = [*self.files, *self.directories]
        names = [unit.name for unit in self.units]
        return _QUESTION.format(
            paths=_words(item["path"] for item in entries),
            files=_words(item["path"] for item in self.files),
            groups=_words(self.groups),
            # Without a name, it would show systemd itself.
            units=f"systemctl show {_words(names)} --property=ActiveState --property=UnitFileState"
            if names
            else "true",
            journals=shlex.quote(self.journals or _NONE),
        )

    def is_so(self, lines: Sequence[str]) -> bool:
        """Whether the answer says so."""
        answers = sections(lines)
        if len(answers) != _ANSWERS:
            return False
        entries, digests, groups, units, journals = answers
        there = [item for item in self.files if item.get("state") != "absent"]
        wanted = [*(_entry("f", item) for item in there), *(_entry("d", item) for item in self.directories)]
        contents = [f"{hashlib.sha256(item['content'].encode()).hexdigest()}  {item['path']}" for item in there]
        return (
            sorted(entries) == sorted(wanted)
            and sorted(digests) == sorted(contents)
            and set(self.groups) <= set(groups)
            and self._units_are_so(units)
            and not journals
        )

    def _units_are_so(self, lines: Sequence[str]) -> bool:
        """Two lines for each unit, in the order in which they were asked about."""
        if len(lines) != 2 * len(self.units):
            return False
        for number, unit in enumerate(self.units):
            state = dict(line.partition("=")[::2] for line in lines[2 * number : 2 * number + 2])
            active, enabled = state.get("ActiveState"), state.get("UnitFileState") == "enabled"
            if unit.running and not (active == "active" and enabled):
                return False
            if not unit.running and (active not in _STOPPED or enabled):
                return False
        return True


def sections(lines: Iterable[str]) -> list[list[str]]:
    """What stands between the empty lines of an answer."""
    found: list[list[str]] = [[]]
    for line in lines:
        if line:
            found[-1].append(line)
        else:
            found.append([])
    return found


def _entry(kind: str, item: Mapping[str, Any]) -> str:
    return f"{kind} {item['mode'].lstrip('0') or '0'} {item['owner']} {item['group']} {item['path']}"


def _words(values: Iterable[str]) -> str:
    return " ".join(shlex.quote(value) for value in values) or _NONE
