# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""What a role refuses: the failures and assertions in its tasks, with the conditions under which they are met."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

_IMPORT = "ansible.builtin.import_tasks"
_ASSERT = "ansible.builtin.assert"
_FAIL = "ansible.builtin.fail"


@dataclass(frozen=True)
class Rule:
    """A failure or an assertion."""

    conditions: tuple[Any, ...]
    # What is asserted: nothing holds where a task only fails.
    holds: tuple[Any, ...]
    message: str
    variables: Mapping[str, Any]


def rules(role: Path, read: Callable[[Path], Any]) -> Iterator[Rule]:
    """Those in the files that tasks/main.yml of a role imports, in their order; `read` gets a file's path."""
    for task in read(role / "tasks/main.yml"):
        if _IMPORT in task:
            conditions = _listed(task.get("when"))
            for imported in read(role / "tasks" / task[_IMPORT]):
                if _ASSERT in imported or _FAIL in imported:
                    yield _rule(imported, conditions)


def _rule(task: Mapping[str, Any], conditions: tuple[Any, ...]) -> Rule:
    return Rule(
        conditions=(*conditions, *_listed(task.get("when"))),
        holds=_listed(task[_ASSERT]["that"]) if _ASSERT in task else (False,),
        message=task[_ASSERT]["fail_msg"] if _ASSERT in task else task[_FAIL]["msg"],
        variables=task.get("vars", {}),
    )


def _listed(value: Any) -> tuple[Any, ...]:
    """Conditions as Ansible takes them: none, one or a list."""
    if value is None:
        return ()
    return tuple(value) if isinstance(value, list) else (value,)
