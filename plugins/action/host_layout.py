# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action `host_layout`; its documentation is that of the module of this name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ..module_utils._host_question import Host, Unit
from ..modules.host_layout import ARGUMENT_SPEC
from ..plugin_utils._asking import AskingAction


class ActionModule(AskingAction):
    """Ansible looks for this name."""

    argument_spec = ARGUMENT_SPEC
    nothing_done: ClassVar[Mapping[str, Any]] = {"changes": []}

    def asked(self, params: Mapping[str, Any]) -> Host:
        """Whether all of it is as given."""
        return Host(
            files=params["files"],
            directories=[{"owner": "root", **item} for item in params["directories"]],
            groups=params["groups"],
            units=[Unit(item["name"], running=item["running"]) for item in params["units"]],
        )
