# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a rule fails: with one line for each finding and nothing else."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from . import tree


def nothing(findings: Iterable[str]) -> None:
    """Fail the test with the findings, if there are any; paths are shown from the root of the repository."""
    lines = [finding.replace(f"{tree.ROOT}/", "") for finding in findings]
    if lines:
        pytest.fail("\n".join(["the rule does not hold:", *lines]), pytrace=False)
