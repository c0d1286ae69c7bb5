# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The benchmarks run, on next to nothing: what they measure is for who calls them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks/pki"


@pytest.mark.parametrize(
    ("script", "arguments", "printed"),
    [
        (
            "devices.py",
            ["3"],
            [
                "3 devices, ",
                "plain loop",
                "plain loops, one for each core",
                "archive: nothing to do",
                "folders: nothing to do",
                "MiB",
            ],
        ),
        ("devices.py", ["3", "--only", "archive"], ["3 devices, ", "archive: nothing to do"]),
        ("statements.py", ["3", "2"], ["list with 3 entries", "OCSP responses, published"]),
        ("issue_batch.py", ["3"], ["issue a batch", "nothing to do"]),
        ("publish_list.py", ["3"], ["publish 3 entries", "nothing to do"]),
        ("others.py", ["1", "--only", "openssl"], ["openssl, a shell loop"]),
    ],
)
def test_a_benchmark_runs_and_prints_its_lines(script, arguments, printed):
    (BENCHMARKS.parents[2] / ".cache").mkdir(exist_ok=True)
    result = subprocess.run(
        [sys.executable, BENCHMARKS / script, *arguments], capture_output=True, text=True, check=False, timeout=120
    )
    assert result.returncode == 0, result.stderr
    assert [line for line in printed if line not in result.stdout] == []


def test_a_tool_that_is_not_installed_is_named_and_left_out(tmp_path):
    result = subprocess.run(
        [sys.executable, BENCHMARKS / "others.py", "1", "--only", "cfssl"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PATH": str(tmp_path)},
    )
    assert result.stdout == "cfssl: left out, cfssl is not installed (Debian's package golang-cfssl)\n"
