# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action `stack_info`; its documentation is that of the module of this name."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

from ..module_utils import _packages
from ..module_utils._host.errors import HostError
from ..module_utils._stack import SOFTWARE


class ActionModule(ActionBase):
    """Ansible looks for this name."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Ask the host's shell, and say what the answer means."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        known = sorted(SOFTWARE)
        _spec, params = self.validate_argument_spec(
            {"software": {"type": "list", "elements": "str", "choices": known, "default": known}}
        )
        software = params["software"]
        # No module: the start of one takes longer than all that is asked.
        answer = self._low_level_execute_command(_packages.question(software))
        try:
            return {**result, "changed": False, **_packages.report(software, _packages.read(answer["stdout_lines"]))}
        except HostError as error:
            return {**result, "failed": True, "msg": str(error)}
