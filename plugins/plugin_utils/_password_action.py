# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This plugin util is PRIVATE to the collection: it can change at any time.
"""Actions that hash passwords for a broker's file on the controller, which has them, beside what the host has."""

from __future__ import annotations

import base64
import shlex
from collections.abc import Mapping
from typing import Any, ClassVar

from ..module_utils._host.errors import HostError
from ..module_utils._password_file import Form
from ..module_utils._password_module import ensure
from ._shell_first import ShellFirst

_READ, _NONE = "read", "none"
_LOOK = "if test -e {path}; then base64 -w 0 -- {path} && echo && echo read; else echo none; fi 2>/dev/null"
# Half a second of a core, which is what the start of a module takes on both sides together: from there on each host
# hashes its own.
_MOST_ITERATIONS = 500_000


class PasswordAction(ShellFirst):
    """An action of a module that returns the content of such a file."""

    form: ClassVar[Form]

    def told(self, params: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The content, beside what the host's shell reads there; the host hashes what would take longer here."""
        if len(params["users"]) * params["iterations"] > _MOST_ITERATIONS:
            return None
        try:
            return ensure(params, self.form, existing=self._existing(params["path"]))
        except (HostError, ValueError):
            # The module says what is wrong, in its own words.
            return None

    def _existing(self, path: str) -> str:
        """The content of the file, nothing where there is none; ValueError for another answer."""
        lines = self.said(_LOOK.format(path=shlex.quote(path)))
        if lines == [_NONE]:
            return ""
        content, said = lines
        if said != _READ:
            raise ValueError(said)
        return base64.b64decode(content, validate=True).decode(errors="replace")
