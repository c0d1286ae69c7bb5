# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action `system_facts`; its documentation is that of the module of this name."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

# In a shell of its own: the file sets variables. A directory of its own is how sd_booted(3) tells systemd.
_LOOK = (
    '(. /etc/os-release && test -n "$VERSION_CODENAME" && test -d /run/systemd/system && '
    'printf "%s\\n%s\\n" "$ID" "$VERSION_CODENAME") 2>/dev/null'
)
# The names that ansible.builtin.setup has for these distributions by their ID (os-release(5)).
_NAMES = {"debian": "Debian", "ubuntu": "Ubuntu"}
_SUBSETS = ["!all", "!min", "distribution", "service_mgr"]


class ActionModule(ActionBase):
    """Ansible looks for this name."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Ask the host's shell, and `setup` on what is neither Debian nor Ubuntu with systemd."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        self.validate_argument_spec({})
        # No module: the start of one takes longer than all that is asked.
        lines = self._low_level_execute_command(_LOOK)["stdout_lines"]
        if len(lines) != 2 or lines[0] not in _NAMES:
            arguments: dict[str, Any] = {"gather_subset": _SUBSETS}
            return {**result, **self._execute_module("ansible.builtin.setup", arguments, task_vars=task_vars)}
        facts = {
            "ansible_distribution": _NAMES[lines[0]],
            "ansible_distribution_release": lines[1],
            "ansible_os_family": "Debian",
            "ansible_service_mgr": "systemd",
        }
        return {**result, "changed": False, "ansible_facts": facts}
