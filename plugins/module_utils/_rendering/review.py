# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""Changes of many hosts as somebody reads them: each difference once, and what it does to which services."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Iterable, Sequence

from .tree import CLASSES, Change

# Hosts that a line names before it only counts.
_NAMED = 8


def differences(changes: Iterable[Change]) -> list[dict[str, str]]:
    """Diffs as Ansible shows them, one for all hosts on which the same lines of a file change.

    The lines around them are those of the first host: they can have its name in them.
    """
    alike: dict[tuple[object, ...], list[Change]] = {}
    for change in changes:
        attributes = (change.before.attributes, change.after.attributes)
        key = (change.path, *attributes, _changed_lines(change.before.text, change.after.text))
        alike.setdefault(key, []).append(change)
    return [_difference(group) for group in alike.values()]


# Most hosts of a group have the same file.
@functools.lru_cache(maxsize=1024)
def _changed_lines(before: str, after: str) -> tuple[str, ...]:
    diff = difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
    # Where in the file they are is not what tells two changes apart.
    return tuple(line for line in list(diff)[2:] if not line.startswith("@@"))


def _difference(group: Sequence[Change]) -> dict[str, str]:
    first = group[0]
    return {
        "before": first.before.text,
        "after": first.after.text,
        "before_header": f"{first.path} ({first.before.attributes})",
        "after_header": f"{first.path} ({first.after.attributes}) on {hosts([item.host for item in group])}",
    }


def summary(changes: Sequence[Change], *, new: Sequence[str], removed: Sequence[str]) -> list[str]:
    """What a deployment will do: hosts that come and go, and services by the strongest that they need."""
    strongest: dict[tuple[str, str], str] = {}
    for change in changes:
        if change.host not in new:
            key = (change.service, change.host)
            strongest[key] = max(strongest.get(key, "none"), change.needs, key=CLASSES.index)
    lines = [f"new: {hosts(new)}"] if new else []
    lines += [f"no longer in the inventory: {hosts(removed)}"] if removed else []
    for needs in reversed(CLASSES):
        services = sorted({service for (service, _host), found in strongest.items() if found == needs})
        for service in services:
            affected = [host for (name, host), found in strongest.items() if name == service and found == needs]
            what = f"{needs} {service}" if needs != "none" else f"change files of {service} and activate nothing"
            lines.append(f"{what} on {hosts(affected)}")
    return lines or ["nothing changes"]


def hosts(names: Sequence[str]) -> str:
    """Names of hosts, as many as one reads."""
    ordered = sorted(names)
    count = f"{len(ordered)} host{'' if len(ordered) == 1 else 's'}"
    more = ", ..." if len(ordered) > _NAMED else ""
    return f"{count} ({', '.join(ordered[:_NAMED])}{more})"
