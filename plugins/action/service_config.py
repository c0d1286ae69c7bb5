# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action `service_config`; its documentation is that of the module of this name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ..module_utils._host import descriptor, operations
from ..module_utils._host.errors import StoreError
from ..module_utils._host_question import Host, Unit
from ..modules.service_config import ARGUMENT_SPEC
from ..plugin_utils._asking import AskingAction


class ActionModule(AskingAction):
    """Ansible looks for this name."""

    argument_spec = ARGUMENT_SPEC
    nothing_done: ClassVar[Mapping[str, Any]] = {
        "changed_files": [],
        "activation": descriptor.NONE,
        "checks": [],
        "confirm_seconds": 0,
        "recovered": [],
        "running": True,
    }

    def asked(self, params: Mapping[str, Any]) -> Host | None:
        """Whether the files are as given, the service runs, and no transaction is open."""
        there = [item for item in params["files"] if item["state"] == "present"]
        described = [item["content"] for item in there if item["path"] == descriptor.path_of(params["service"])]
        if len(described) != 1 or any(item["content"] is None for item in there):
            return None
        try:
            unit = descriptor.parse(described[0].encode(), source=descriptor.path_of(params["service"])).unit
        except StoreError:
            # The module refuses it, in its own words.
            return None
        return Host(files=params["files"], units=[Unit(unit)], journals=operations.HOST_STATE.journals)
