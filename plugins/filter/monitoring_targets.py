# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters `monitoring_targets` and `monitoring_unreachable`, documented beside this file."""

from __future__ import annotations

from typing import Any, Callable


def monitoring_targets(*given: Any, **options: Any) -> Any:
    """The files with what Prometheus watches."""
    from ..module_utils._monitoring import target_files

    return target_files(*given, **options)


def monitoring_unreachable(*given: Any, **options: Any) -> Any:
    """Whom Prometheus could not reach."""
    from ..module_utils._monitoring import unreachable

    return unreachable(*given, **options)


class FilterModule:
    """Ansible looks for this name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters of this file."""
        return {"monitoring_targets": monitoring_targets, "monitoring_unreachable": monitoring_unreachable}
