# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The dashboard is what Grafana's own schema describes: its makers' types read it and lose nothing."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

PATH = Path(__file__).resolve().parents[3] / "roles/monitoring/files/dashboard.json"
# What Grafana asks for at an import; it is no part of the dashboard that is stored.
OF_THE_IMPORT = {"__inputs", "__requires"}
DASHBOARD = {name: value for name, value in json.loads(PATH.read_text()).items() if name not in OF_THE_IMPORT}
register_default_plugins()


def unknown(given: Any, read: Any, path: str = "") -> Iterator[str]:
    """Where what was read is not what was given."""
    if isinstance(given, dict) and isinstance(read, dict):
        for name, value in given.items():
            # Nothing and an empty list are what is left out as well.
            if name in read or value not in (None, [], {}):
                yield from unknown(value, read.get(name), f"{path}.{name}")
    elif isinstance(given, list) and isinstance(read, list) and len(given) == len(read):
        for index, (value, other) in enumerate(zip(given, read, strict=True)):
            yield from unknown(value, other, f"{path}[{index}]")
    elif given != read:
        yield path


def problems(dashboard: dict[str, Any]) -> list[str]:
    """The places that Grafana's types do not know."""
    return list(unknown(dashboard, json.loads(json.dumps(Dashboard.from_json(dashboard), cls=JSONEncoder))))


def test_grafana_knows_all_that_is_in_the_dashboard() -> None:
    assert problems(DASHBOARD) == []


@pytest.mark.parametrize(
    ("place", "path"),
    [
        (lambda board: board["panels"][0], ".panels[0].mistyped"),
        (lambda board: board["panels"][0]["options"], ".panels[0].options.mistyped"),
        (lambda board: board["panels"][0]["fieldConfig"]["defaults"], ".panels[0].fieldConfig.defaults.mistyped"),
        (lambda board: board["panels"][0]["targets"][0], ".panels[0].targets[0].mistyped"),
    ],
)
def test_what_it_does_not_know_is_found(place: Any, path: str) -> None:
    board = copy.deepcopy(DASHBOARD)
    place(board)["mistyped"] = True
    assert problems(board) == [path]
