# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Repositories that were written once for all tests."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import init_samples
import pytest
from init_samples import Repository


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """The repository for a pipeline and a keeper of secrets, in Git; tests leave it as it is."""

    @cache
    def written(pipeline: str, secrets: str) -> Path:
        folder = tmp_path_factory.mktemp(f"{pipeline}_{secrets}")
        result = init_samples.init(
            where=folder, directory="fleet", pipeline=pipeline, secrets=secrets, organization="Exämple"
        )
        assert result.returncode == 0, result.stdout + result.stderr
        init_samples.passes("git", "init", "--quiet", "--initial-branch=main", where=folder / "fleet")
        init_samples.commit(folder / "fleet")
        return folder / "fleet"

    return written
