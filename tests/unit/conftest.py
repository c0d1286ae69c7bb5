# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes the collection importable by its full name, as ansible-core would find it, and has what several folders use."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COLLECTION = ROOT / ".cache/collections/ansible_collections/bulwark/mqtt"

if not COLLECTION.exists():
    COLLECTION.parent.mkdir(parents=True, exist_ok=True)
    COLLECTION.symlink_to("../../../..")
sys.path.insert(0, str(ROOT / ".cache/collections"))


@pytest.fixture(name="in_memory")
def fixture_in_memory() -> Iterator[Path]:
    """A folder in memory where there is such a place: thousands of runs wait for a disk longer than they compute."""
    place = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(dir=place) as path:
        yield Path(path)
