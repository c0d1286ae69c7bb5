# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This plugin util is PRIVATE to the collection: it can change at any time.
"""Actions that ask a host's shell whether all is as it is wanted, before the module of their name starts there."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase


class Question(Protocol):
    """What is asked, and what the answer says: see module_utils/_host_question.py."""

    def question(self) -> str:
        """For a shell."""

    def is_so(self, lines: Sequence[str]) -> bool:
        """Whether the answer says that nothing is to be done."""


class AskingAction(ActionBase):  # type: ignore[misc]
    """An action of a module that changes a host; it changes nothing itself."""

    TRANSFERS_FILES = False

    argument_spec: ClassVar[Mapping[str, Any]]
    # What the module returns when there is nothing to do.
    nothing_done: ClassVar[Mapping[str, Any]]

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Ask; the module starts where the answer is not yes, and where there is nothing that a shell can be asked."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        asked = self._asked()
        # No module: the start of one is what all of this is to save.
        if asked and asked.is_so(self._low_level_execute_command(asked.question())["stdout_lines"]):
            return {**result, "changed": False, "diff": [], **self.nothing_done}
        return {**result, **self._execute_module(task_vars=task_vars)}

    @abstractmethod
    def asked(self, params: Mapping[str, Any]) -> Question | None:
        """What a shell is asked for valid parameters, None for what the module has to look at."""

    def _asked(self) -> Question | None:
        try:
            _validated, params = self.validate_argument_spec(self.argument_spec)
        except AnsibleError:
            # The module refuses them, in its own words.
            return None
        return self.asked(params)
