# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This plugin util is PRIVATE to the collection: it can change at any time.
"""Actions that ask a host's shell whether all is as it is wanted, before the module of their name starts there."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol

from ._shell_first import ShellFirst


class Question(Protocol):
    """What is asked, and what the answer says: see module_utils/_host_question.py."""

    def question(self) -> str:
        """For a shell."""

    def is_so(self, lines: Sequence[str]) -> bool:
        """Whether the answer says that nothing is to be done."""


class AskingAction(ShellFirst):
    """An action of a module that changes a host; it changes nothing itself."""

    # What the module returns when there is nothing to do.
    nothing_done: ClassVar[Mapping[str, Any]]

    def told(self, params: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """That nothing was done, where the answer is yes."""
        asked = self.asked(params)
        if asked and asked.is_so(self.said(asked.question())):
            return {"changed": False, "diff": [], **self.nothing_done}
        return None

    @abstractmethod
    def asked(self, params: Mapping[str, Any]) -> Question | None:
        """What a shell is asked for valid parameters, None for what the module has to look at."""
