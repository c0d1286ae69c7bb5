# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter `emqx_cluster_problems`; its documentation is in emqx_cluster_problems.yml."""

from __future__ import annotations

from typing import Any, Callable


def emqx_cluster_problems(*given: Any, **options: Any) -> Any:
    """Why a cluster cannot be."""
    from ..module_utils._emqx_cluster import problems

    return problems(*given, **options)


class FilterModule:
    """Ansible looks for this name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters of this file."""
        return {"emqx_cluster_problems": emqx_cluster_problems}
