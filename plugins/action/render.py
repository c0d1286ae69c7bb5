# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action `render`; its documentation is that of the module of this name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.vars import load_extra_vars

from ..module_utils._rendering import review, tree
from ..module_utils._rendering.errors import RenderError
from ..plugin_utils._rendered_fleet import Fleet, ansible, write


class ActionModule(ActionBase):
    """Ansible looks for this name."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Render all hosts of the play; the files are on the controller, and no host is asked."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _spec, params = self.validate_argument_spec(
            {
                "directory": {"type": "path", "required": True},
                "facts": {"type": "path", "required": True},
                "release_variable": {"type": "str", "default": "bulwark_release"},
                "digest_key": {"type": "str", "default": "", "no_log": True},
            }
        )
        try:
            result.update(self._render(params, task_vars or {}, check_mode=self._task.check_mode))
        except RenderError as error:
            result.update(failed=True, msg=str(error))
        return result

    def _render(self, params: Mapping[str, Any], task_vars: dict[str, Any], *, check_mode: bool) -> dict[str, Any]:
        directory = Path(params["directory"])
        fleet = Fleet(
            ansible(self._loader),
            task_vars,
            extra=load_extra_vars(self._loader),
            facts=Path(params["facts"]),
            release_variable=params["release_variable"],
        )
        hosts = fleet.compared(directory, key=params["digest_key"])
        new = [host.host for host in hosts if host.new]
        removed = tree.gone(directory, task_vars["groups"]["all"])
        changes = [change for host in hosts for change in host.changes]
        if not check_mode:
            write(directory, hosts)
            for name in removed:
                tree.remove(directory, name)
        return {
            "changed": any(host.wanted for host in hosts) or bool(removed),
            "hosts": [host.host for host in hosts],
            "new_hosts": new,
            "removed_hosts": removed,
            "summary": review.summary(changes, new=new, removed=removed),
            "diff": review.differences(changes),
        }
