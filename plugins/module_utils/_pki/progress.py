# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.

"""A file that says how far a long run is, since a module says nothing before it ends."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from . import authority
from .device_run import Progress

# How often the file is replaced, in seconds.
INTERVAL = 1.0


class ProgressFile:
    """Called with each progress, replaces the file in one step; AuthorityError when it cannot be written."""

    def __init__(self, path: Path) -> None:
        """Write to this file."""
        self._path = path
        self._phase = ""
        self._next = 0.0

    def __call__(self, progress: Progress) -> None:
        """Write how far the run is, once a second, and at the beginning and the end of each phase."""
        if progress.phase == self._phase and progress.seconds < self._next and progress.done != progress.total:
            return
        self._phase, self._next = progress.phase, progress.seconds + INTERVAL
        staged = self._path.with_name(f".{self._path.name}.new")
        with authority.disk_errors(self._path):
            staged.write_text(json.dumps(summary(progress)) + "\n", encoding="ascii")
            os.rename(staged, self._path)


def summary(progress: Progress) -> dict[str, Any]:
    """A progress with its rate and, once the total is known, the seconds that are left."""
    rate = progress.done / progress.seconds if progress.seconds else 0.0
    left = None if progress.total is None or not rate else round((progress.total - progress.done) / rate, 1)
    return {
        "phase": progress.phase,
        "done": progress.done,
        "total": progress.total,
        "issued": progress.issued,
        "seconds": round(progress.seconds, 1),
        "per_second": round(rate),
        "seconds_left": left,
    }
