# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role's files for any variables, each set rendered once, and EMQX's schema where it is to be had."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from emqx_samples import ROOT, Render, Rendered, render
from hocon_schema import Schema

SCHEMA = Path(os.environ.get("BULWARK_EMQX_SCHEMA", ROOT / "../shared/data/emqx-5.8.9-schema.json"))


@pytest.fixture(scope="session", name="rendered")
def fixture_rendered(tmp_path_factory: pytest.TempPathFactory) -> Render:
    """A function from variables of the role to its files."""
    made: dict[str, Rendered] = {}

    def once(**variables: Any) -> Rendered:
        key = json.dumps(variables)
        if key not in made:
            made[key] = render(tmp_path_factory.mktemp("rendered"), variables)
        return made[key]

    return once


@pytest.fixture(scope="session", name="schema")
def fixture_schema() -> Schema:
    """EMQX's schema; whoever needs it is skipped where it is not."""
    if not SCHEMA.is_file():
        pytest.skip(f"{SCHEMA.name} is not here: name it with BULWARK_EMQX_SCHEMA")
    return Schema(json.loads(SCHEMA.read_text(encoding="utf-8")))
