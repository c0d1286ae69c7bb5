# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""One report of many endpoints: the counts, the findings by severity, and what is new since the last one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .judge import FAILED, NOT_APPLICABLE, PROVED, UNTESTABLE, moment
from .rules import SEVERITIES


def assemble(hosts: Sequence[Mapping[str, Any]], *, time: str, previous: Mapping[str, Any] | None) -> dict[str, Any]:
    """The report; every host has `host`, `proofs` and `certificate`, which can be empty.

    `previous` is the last report, None where there is none.
    """
    findings = _findings(hosts)
    before, after = _keys(previous["findings"] if previous else []), _keys(findings)
    results = [proof["result"] for host in hosts for proof in host["proofs"]]
    return {
        "time": time,
        "summary": {
            "hosts": len(hosts),
            **{result: results.count(result) for result in (PROVED, FAILED, UNTESTABLE, NOT_APPLICABLE)},
            "severities": {name: sum(item["severity"] == name for item in findings) for name in reversed(SEVERITIES)},
        },
        "findings": findings,
        "compared_with": previous["time"] if previous else "",
        "new": sorted(after - before) if previous else [],
        "resolved": sorted(before - after),
        "hosts": [{**host, "elapsed": _elapsed(host["certificate"], time)} for host in hosts],
    }


def _findings(hosts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What failed, the most severe first, hosts in their order."""
    found = [{"host": host["host"], **proof} for host in hosts for proof in host["proofs"] if proof["result"] == FAILED]
    return sorted(found, key=lambda item: -SEVERITIES.index(item["severity"]))


def _elapsed(certificate: Mapping[str, str] | None, time: str) -> int:
    """How much of the certificate's lifetime is over, in percent."""
    if not certificate:
        return 0
    start, end, now = (moment(text) for text in (certificate["not_before"], certificate["not_after"], time))
    return max(0, min(100, round(100 * (now - start) / (end - start))))


def _keys(findings: Sequence[Mapping[str, Any]]) -> set[str]:
    return {f"{item['host']}: {item['what']}" for item in findings}
