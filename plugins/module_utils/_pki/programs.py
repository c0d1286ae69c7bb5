# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.

"""Starting a program that gives a passphrase or a signature, without a shell; its errors for the operator."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence

from .errors import PkiError

# A program may ask a remote vault, or somebody who has to touch a token.
SECONDS = 60


def run(
    command: Sequence[str],
    *,
    where: str,
    error: type[PkiError],
    remedy: str,
    content: bytes = b"",
    secret: tuple[str, str] | None = None,
) -> bytes:
    """What a program prints; ``error`` with ``where`` it is named, what it said and the remedy when it fails.

    A secret is a variable for its environment with its value. That, and what was printed, is never in a message.
    """
    where = f"{where} {' '.join(command)}"
    try:
        # `AnsibleModule.run_command`, which ansible-test asks for, is not for what knows nothing of Ansible.
        result = subprocess.run(  # pylint: disable=ansible-bad-function
            command,
            input=content,
            capture_output=True,
            env={**os.environ, **dict([secret] if secret else [])},
            timeout=SECONDS,
            check=False,
        )
    except OSError as problem:
        raise error(f"{where} cannot be started ({problem.strerror}): correct the command") from problem
    except subprocess.TimeoutExpired as problem:
        raise error(f"{where} did not end within {SECONDS} seconds: {remedy}") from problem
    if result.returncode:
        said = result.stderr.decode(errors="replace").strip().splitlines() or ["it said nothing"]
        reason = "; ".join(said[-3:])
        for hidden in (secret[1] if secret else "", result.stdout.decode(errors="replace").strip()):
            reason = reason.replace(hidden, "********") if hidden else reason
        raise error(f"{where} failed with {result.returncode} ({reason}): {remedy}")
    return result.stdout
