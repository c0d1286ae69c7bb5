# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Look into all processes for secrets until a file appears.

watch.py SECRETS SEEN STOP
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from pathlib import Path


def texts() -> dict[int, bytes]:
    """Command line and environment of each process but this one."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        if process.name == str(os.getpid()):
            continue
        # It may end at any time.
        with contextlib.suppress(OSError):
            found[int(process.name)] = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
    return found


def main() -> None:
    """Watch, then write what was seen."""
    secrets_file, seen, stop = map(Path, sys.argv[1:])
    secrets = json.loads(secrets_file.read_text(encoding="utf-8"))
    modules: set[int] = set()
    leaked: set[str] = set()
    while not stop.exists():
        for process, text in texts().items():
            if b"AnsiballZ_" in text:
                modules.add(process)
            leaked.update(name for name, secret in secrets.items() if secret.encode() in text)
        time.sleep(0.02)
    lines = [
        f"processes with AnsiballZ: {len(modules)}",
        f"secrets in processes: {', '.join(sorted(leaked)) or 'none'}",
    ]
    seen.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
