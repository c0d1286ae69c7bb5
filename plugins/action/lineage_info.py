# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action `lineage_info`; its documentation is that of the module of this name."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from typing import Any

from ansible.plugins.action import ActionBase

_CERTIFICATE = "fullchain.pem"
# `current` is a link to a version, and so are some of the files in one. A line each: group, lineage, name.
_LOOK = """\
cd {store} 2>/dev/null || exit 0
for path in {patterns}; do
  test ! -f "$path" || stat -L -c '%G %n' -- "$path"
done"""


class ActionModule(ActionBase):
    """Ansible looks for this name."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Ask the host's shell."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _spec, params = self.validate_argument_spec(
            {
                "names": {"type": "list", "elements": "str", "required": True},
                "store": {"type": "str", "default": "/etc/bulwark/tls"},
            }
        )
        lines: Sequence[str] = ()
        if params["names"]:
            # No module: the start of one takes longer than all that is asked.
            lines = self._low_level_execute_command(_question(**params))["stdout_lines"]
        return {**result, "changed": False, "lineages": _lineages(lines)}


def _question(names: Iterable[str], store: str) -> str:
    patterns = " ".join(f"{shlex.quote(f'./{name}')}/current/*" for name in names)
    return _LOOK.format(store=shlex.quote(store), patterns=patterns)


def _lineages(lines: Iterable[str]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for line in lines:
        group, path = line.split(" ", 1)
        name, file = path.split("/", 3)[1::2]
        lineage = found.setdefault(name, {"group": "", "files": []})
        lineage["files"].append(file)
        if file == _CERTIFICATE:
            lineage["group"] = group
    return {name: lineage for name, lineage in found.items() if _CERTIFICATE in lineage["files"]}
