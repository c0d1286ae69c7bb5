# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter `drift_report`; its documentation is in drift_report.yml."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Callable


def drift_report(hosts: Mapping[str, Sequence[Mapping[str, Any]]], silent: Sequence[str] = ()) -> dict[str, Any]:
    """What differs on which host, counted, and in lines to read; `silent` are hosts that could not be asked."""
    found = {str(host): [dict(finding) for finding in findings] for host, findings in hosts.items()}
    differing = {host: findings for host, findings in sorted(found.items()) if findings}
    lines = [
        f"{host}: {finding['kind']}: {finding['where']} {finding['what']}"
        for host, findings in differing.items()
        for finding in findings
    ]
    return {
        "drifted": bool(differing),
        "asked": sorted(found),
        "silent": sorted(silent),
        "hosts": differing,
        "counts": dict(sorted(Counter(item["kind"] for findings in differing.values() for item in findings).items())),
        "lines": [*lines, *(f"{host}: could not be asked" for host in sorted(silent))] or ["nothing differs"],
    }


class FilterModule:
    """Ansible looks for this name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters of this file."""
        return {"drift_report": drift_report}
