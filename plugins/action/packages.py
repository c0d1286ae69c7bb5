# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action `packages`; its documentation is that of the module of this name."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

# What dpkg can be asked about; a name with a version, for one, is left to apt.
_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")
_QUERY = "dpkg-query --show --showformat='${db:Status-Status} ${Package}\\n'"
# Roles that come later ask what could be installed, which a host without package lists does not know.
_LISTS = "ls /var/lib/apt/lists/*Packages* >/dev/null 2>&1 && echo lists"


class ActionModule(ActionBase):
    """Ansible looks for this name."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Ask dpkg, and apt where a package is missing; dnf on EL."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _spec, params = self.validate_argument_spec(
            {
                "name": {"type": "list", "elements": "str", "required": True},
                "install_recommends": {"type": "bool"},
                "policy_rc_d": {"type": "int"},
            }
        )
        given = task_vars or {}
        family = given.get("ansible_facts", {}).get("os_family", "")
        wanted = {"name": params["name"], "state": "present"}
        if family == "RedHat":
            return {**result, **self._execute_module("ansible.builtin.dnf", module_args=wanted, task_vars=given)}
        if family != "Debian":
            raise AnsibleActionFail(
                f"the fact os_family is {family or 'not known'}: read it with ansible.builtin.setup or "
                "bulwark.mqtt.system_facts first; packages are installed on Debian and RedHat"
            )
        missing, lists = self._look(params["name"])
        if missing or not lists:
            options = {key: params[key] for key in ("install_recommends", "policy_rc_d") if params[key] is not None}
            wanted |= {"update_cache": True, "cache_valid_time": 86400, **options}
            result.update(self._execute_module("ansible.builtin.apt", module_args=wanted, task_vars=given))
        else:
            result["changed"] = False
        return {**result, "missing": missing}

    def _look(self, names: Sequence[str]) -> tuple[list[str], bool]:
        """The packages that are not installed as far as dpkg says, and whether there are package lists."""
        asked = [shlex.quote(name) for name in names if _NAME.fullmatch(name)]
        # No module: the start of one is what all of this is to save.
        command = f"{' '.join([_QUERY, *asked])}; {_LISTS}" if asked else _LISTS
        lines = self._low_level_execute_command(command)["stdout_lines"]
        installed = {line.partition(" ")[2] for line in lines if line.startswith("installed ")}
        return [name for name in names if name not in installed], "lists" in lines
