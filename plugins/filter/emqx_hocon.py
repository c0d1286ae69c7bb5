# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter `emqx_hocon`; its documentation is in emqx_hocon.yml."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable

from ansible.errors import AnsibleFilterError


def emqx_hocon(settings: Mapping[str, Any], indent: int = 0) -> str:
    """Nested settings as HOCON."""
    from ..module_utils._emqx_config import ConfigError, render

    try:
        return render(settings, indent=indent)
    except ConfigError as error:
        raise AnsibleFilterError(f"emqx_hocon: {error}") from error


class FilterModule:
    """Ansible looks for this name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters of this file."""
        return {"emqx_hocon": emqx_hocon}
