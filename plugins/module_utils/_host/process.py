# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""The one place that starts programs, always without a shell.

`AnsibleModule.run_command`, which ansible-test asks for, does not exist in bulwark-tls: hence the exceptions below.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence


def run(
    command: Sequence[str],
    *,
    content: bytes = b"",
    environment: Mapping[str, str] | None = None,
    timeout: float | None = None,
    merged: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end with `content` as its input; `merged` puts its errors into its output.

    Raises FileNotFoundError without the program and subprocess.TimeoutExpired after `timeout` seconds.
    """
    result = subprocess.run(  # pylint: disable=ansible-bad-function
        command,
        input=content,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if merged else subprocess.PIPE,
        env=environment,
        timeout=timeout,
        check=False,
    )
    output, errors = ((text or b"").decode(errors="replace") for text in (result.stdout, result.stderr))
    return subprocess.CompletedProcess(list(command), result.returncode, output, errors)


def start(command: Sequence[str], *, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start a program with no input, its errors in its output, and / as its directory."""
    return subprocess.Popen(  # pylint: disable=ansible-bad-function
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd="/",
    )
