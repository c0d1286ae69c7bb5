# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Small trees of files to try the checkers on."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest
from checks.tree import Write


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a file below tmp_path, its text without the indentation it has in the test, and return its path."""

    def _write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text).lstrip("\n"), encoding="utf-8")
        return path

    return _write
