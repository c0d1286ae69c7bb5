# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter `stack_capabilities`; its documentation is in stack_capabilities.yml."""

from __future__ import annotations

from typing import Any, Callable

from ansible.errors import AnsibleFilterError


def stack_capabilities(version: str, software: str) -> dict[str, bool]:
    """What this version of the software can do."""
    from ..module_utils._stack import StackError, capabilities

    try:
        return capabilities(software=software, version=version)
    except StackError as error:
        raise AnsibleFilterError(f"stack_capabilities: {software} {error}") from error


class FilterModule:
    """Ansible looks for this name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters of this file."""
        return {"stack_capabilities": stack_capabilities}
