# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes the collection importable by its full name, as ansible-core would find it."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COLLECTION = ROOT / ".cache/collections/ansible_collections/bulwark/mqtt"

if not COLLECTION.exists():
    COLLECTION.parent.mkdir(parents=True, exist_ok=True)
    COLLECTION.symlink_to("../../../..")
sys.path.insert(0, str(ROOT / ".cache/collections"))
