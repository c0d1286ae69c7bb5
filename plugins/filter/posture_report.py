# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter `posture_report`; its documentation is in posture_report.yml."""

from __future__ import annotations

from typing import Any, Callable


def posture_report(*given: Any, **options: Any) -> Any:
    """The report on a fleet."""
    from ..module_utils._posture.report import assemble

    return assemble(*given, **options)


class FilterModule:
    """Ansible looks for this name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters of this file."""
        return {"posture_report": posture_report}
