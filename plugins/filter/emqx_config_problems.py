# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter `emqx_config_problems`; its documentation is in emqx_config_problems.yml."""

from __future__ import annotations

from typing import Any, Callable


def emqx_config_problems(*given: Any, **options: Any) -> Any:
    """Why settings of the operator's own cannot be beside the role's."""
    from ..module_utils._emqx_config import problems

    return problems(*given, **options)


class FilterModule:
    """Ansible looks for this name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters of this file."""
        return {"emqx_config_problems": emqx_config_problems}
