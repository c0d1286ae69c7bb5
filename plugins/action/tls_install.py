# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action `tls_install`; its documentation is that of the module of this name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ..module_utils._host import lineage
from ..module_utils._lineage_question import Versions
from ..modules.tls_install import ARGUMENT_SPEC, each
from ..plugin_utils._asking import AskingAction

# All that a version of a certificate is made of but for its key; what else can be said has to be looked at on the host.
_NEEDED = ("certificate", "ca")
_GIVEN = ("chain", "crl", "ocsp")


class ActionModule(AskingAction):
    """Ansible looks for this name."""

    argument_spec = ARGUMENT_SPEC
    nothing_done: ClassVar[Mapping[str, Any]] = {
        name: [] for name in ("changed_lineages", "activated", "recovered", "warnings")
    }

    def asked(self, params: Mapping[str, Any]) -> Versions | None:
        """Whether each of several lineages of the host's own store has what is given, and no transaction is open."""
        if params["store"] != lineage.STORE or params["lineage"] or not params["lineages"]:
            return None
        items = each(params)
        return Versions(items) if all(map(_askable, items)) else None


def _askable(item: Mapping[str, Any]) -> bool:
    given = {name for name, value in item.items() if value is not None}
    return given == {"store", "lineages", "lineage", *_NEEDED, *_GIVEN} and all(item[name] for name in _NEEDED)
