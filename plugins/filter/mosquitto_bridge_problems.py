# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter `mosquitto_bridge_problems`; its documentation is in mosquitto_bridge_problems.yml."""

from __future__ import annotations

from typing import Any, Callable


def mosquitto_bridge_problems(*given: Any, **options: Any) -> Any:
    """Why the broker could not have these bridges."""
    from ..module_utils._mosquitto_bridges import problems

    return problems(*given, **options)


class FilterModule:
    """Ansible looks for this name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters of this file."""
        return {"mosquitto_bridge_problems": mosquitto_bridge_problems}
