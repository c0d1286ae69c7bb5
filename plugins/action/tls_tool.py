# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action `tls_tool`; its documentation is that of the module of this name."""

from __future__ import annotations

import hashlib
import os
import shlex
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase

from ..module_utils import _tool_code

_SOURCES = Path(__file__).resolve().parents[1] / "module_utils/_host"
# A line for each entry of the package, but for what Python compiled of it, and for the command; then what is in them.
_LOOK = """\
id -u; id -g
find {package} -mindepth 1 -maxdepth 1 ! -name __pycache__ -printf '%y %m %U %G %p\\n' 2>/dev/null
find {command} -maxdepth 0 -printf '%y %m %U %G %p\\n' 2>/dev/null
sha256sum -- {package}/* {command} 2>/dev/null"""


class ActionModule(ActionBase):
    """Ansible looks for this name."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Ask the host what it has; the module, which brings the code, starts only where that differs."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _spec, params = self.validate_argument_spec(
            {
                # On the host they are paths: what stands for a home there stands for another one here.
                "directory": {"type": "str", "default": "/usr/local/lib/bulwark"},
                "command": {"type": "str", "default": "/usr/local/sbin/bulwark-tls"},
            }
        )
        if self._is_in_place(params["directory"], params["command"]):
            return {**result, "changed": False, "changed_files": [], "diff": []}
        result.update(self._execute_module(task_vars=task_vars))
        return result

    def _is_in_place(self, directory: str, command: str) -> bool:
        package = _tool_code.package(directory)
        wanted = {os.path.join(package, name): content for name, content in _tool_code.sources(_SOURCES).items()}
        wanted[command] = _tool_code.command(directory).encode()
        # No module: the start of one is what all of this is to save.
        script = _LOOK.format(package=shlex.quote(package), command=shlex.quote(command))
        lines = self._low_level_execute_command(script)["stdout_lines"]
        owner = " ".join(lines[:2])
        entries = (f"f {'755' if path == command else '644'} {owner} {path}" for path in wanted)
        contents = (f"{hashlib.sha256(content).hexdigest()}  {path}" for path, content in wanted.items())
        return sorted(lines[2:]) == sorted([*entries, *contents])
