# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters `firewall_rules`, `firewall_families` and `listener_rules`, documented beside this file."""

from __future__ import annotations

from typing import Any, Callable


def firewall_rules(*given: Any, **options: Any) -> Any:
    """The rules with all that the template needs."""
    from ..module_utils._firewall import complete

    return complete(*given, **options)


def firewall_families(*given: Any, **options: Any) -> Any:
    """The families of addresses."""
    from ..module_utils._firewall import families

    return families(*given, **options)


def listener_rules(*given: Any, **options: Any) -> Any:
    """The rules of listeners."""
    from ..module_utils._firewall import of_listeners

    return of_listeners(*given, **options)


class FilterModule:
    """Ansible looks for this name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters of this file."""
        return {
            "firewall_rules": firewall_rules,
            "firewall_families": firewall_families,
            "listener_rules": listener_rules,
        }
