# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""Which roles a playbook runs on which hosts, with which variables: read from the playbook that deploys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Callable

from .errors import RenderError

COLLECTION = "bulwark.mqtt."
_IMPORT = "ansible.builtin.import_playbook"
_BRINGING = ("ansible.builtin.import_role", "ansible.builtin.include_role")


@dataclass(frozen=True)
class RoleUse:
    """A role in a play, with the conditions and variables that it has there."""

    name: str
    conditions: tuple[Any, ...] = ()
    variables: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Play:
    """A play with roles; its pattern of hosts as it is written."""

    name: str
    hosts: Any
    roles: tuple[RoleUse, ...]
    variables: Mapping[str, Any] = field(default_factory=dict)


def plays(name: str, read: Callable[[str], Sequence[Mapping[str, Any]]]) -> Iterator[Play]:
    """The plays with roles of a playbook and of those that it imports, in their order; `read` gets a file's name."""
    for entry in read(name):
        if _IMPORT in entry:
            yield from plays(str(entry[_IMPORT]), read)
            continue
        roles = tuple(_roles(entry))
        if roles:
            yield Play(
                name=str(entry["name"]),
                hosts=entry["hosts"],
                roles=roles,
                variables=entry.get("vars", {}),
            )


def _roles(play: Mapping[str, Any]) -> Iterator[RoleUse]:
    """The roles of a play, listed or brought by tasks, in the order in which they run."""
    for task in play.get("pre_tasks", []):
        yield from _brought(task)
    for item in play.get("roles", []):
        yield _use(str(item["role"]), item)
    for task in [*play.get("tasks", []), *play.get("post_tasks", [])]:
        yield from _brought(task)


def _brought(task: Mapping[str, Any]) -> Iterator[RoleUse]:
    """The role that a task brings; with tasks of another name it deploys nothing."""
    for action in _BRINGING:
        given = task.get(action)
        if given and "tasks_from" not in given:
            yield _use(str(given["name"]), task)


def _use(full: str, item: Mapping[str, Any]) -> RoleUse:
    if not full.startswith(COLLECTION):
        raise RenderError(f"role {full}: is none of {COLLECTION}*, so nobody knows which files it writes")
    given = item.get("when", [])
    return RoleUse(
        name=full[len(COLLECTION) :],
        conditions=tuple(given) if isinstance(given, list) else (given,),
        variables=item.get("vars", {}),
    )


def matching(pattern: str, groups: Mapping[str, Sequence[str]]) -> list[str]:
    """The hosts of a pattern of names joined by `:`, with `!` in front of those to leave out."""
    wanted: dict[str, None] = {}
    refused: set[str] = set()
    for part in pattern.split(":"):
        name = part.lstrip("!")
        members = groups.get(name, [name] if name in groups.get("all", ()) else [])
        if part.startswith("!"):
            refused.update(members)
        else:
            wanted.update(dict.fromkeys(members))
    return [name for name in wanted if name not in refused]
