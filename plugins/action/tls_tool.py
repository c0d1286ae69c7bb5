# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action `tls_tool`; its documentation is that of the module of this name."""

from __future__ import annotations

import hashlib
import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from ..module_utils import _tool_code
from ..modules.tls_tool import ARGUMENT_SPEC
from ..plugin_utils._asking import AskingAction

_SOURCES = Path(__file__).resolve().parents[1] / "module_utils/_host"
# A line for each entry of the package, but for what Python compiled of it, and for the command; then what is in them.
_LOOK = """\
id -u; id -g
find {package} -mindepth 1 -maxdepth 1 ! -name __pycache__ -printf '%y %m %U %G %p\\n' 2>/dev/null
find {command} -maxdepth 0 -printf '%y %m %U %G %p\\n' 2>/dev/null
sha256sum -- {package}/* {command} 2>/dev/null"""


class ActionModule(AskingAction):
    """Ansible looks for this name."""

    argument_spec = ARGUMENT_SPEC
    nothing_done: ClassVar[Mapping[str, Any]] = {"changed_files": []}

    def asked(self, params: Mapping[str, Any]) -> _Tool:
        """Whether the code and the command are those of this collection."""
        return _Tool(**params)


@dataclass(frozen=True)
class _Tool:
    """Where the code and the command are to be."""

    directory: str
    command: str

    def question(self) -> str:
        """What a shell is asked."""
        package = _tool_code.package(self.directory)
        return _LOOK.format(package=shlex.quote(package), command=shlex.quote(self.command))

    def is_so(self, lines: Sequence[str]) -> bool:
        """Whether the answer says that all of it is in place, and nothing else."""
        package = _tool_code.package(self.directory)
        wanted = {os.path.join(package, name): content for name, content in _tool_code.sources(_SOURCES).items()}
        wanted[self.command] = _tool_code.command(self.directory).encode()
        owner = " ".join(lines[:2])
        entries = (f"f {'755' if path == self.command else '644'} {owner} {path}" for path in wanted)
        contents = (f"{hashlib.sha256(content).hexdigest()}  {path}" for path, content in wanted.items())
        return sorted(lines[2:]) == sorted([*entries, *contents])
