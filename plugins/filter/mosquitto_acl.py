# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter `mosquitto_acl`; its documentation is in mosquitto_acl.yml."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Callable

from ansible.errors import AnsibleFilterError


def mosquitto_acl(acl: Mapping[str, Any], denied: Sequence[str] = (), metrics: Sequence[str] = ()) -> str:
    """The lines of Mosquitto's ACL file."""
    from ..module_utils._acl import AclError
    from ..module_utils._mosquitto_acl import render

    try:
        return render(acl, denied=denied, metrics=metrics)
    except AclError as error:
        raise AnsibleFilterError(f"mosquitto_acl: {error}") from error


class FilterModule:
    """Ansible looks for this name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters of this file."""
        return {"mosquitto_acl": mosquitto_acl}
