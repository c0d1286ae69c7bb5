# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This plugin util is PRIVATE to the collection: it can change at any time.
"""Actions that do without the module of their name where a host's shell is enough, which starts in no time."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase


class ShellFirst(ActionBase):
    """One of them, with the arguments of its module."""

    TRANSFERS_FILES = False

    argument_spec: ClassVar[Mapping[str, Any]]

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """What the module would return; it starts where that cannot be told without it."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        params = self._valid()
        told = None if params is None else self.told(params)
        return {**result, **(self._execute_module(task_vars=task_vars) if told is None else told)}

    @abstractmethod
    def told(self, params: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """What the module would return for valid parameters, None for what it has to look at."""

    def said(self, command: str) -> list[str]:
        """What the host's shell says: lines."""
        lines: list[str] = self._low_level_execute_command(command)["stdout_lines"]
        return lines

    def _valid(self) -> Mapping[str, Any] | None:
        try:
            _validated, params = self.validate_argument_spec(self.argument_spec)
        except AnsibleError:
            # The module refuses them, in its own words.
            return None
        valid: Mapping[str, Any] = params
        return valid
