# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters `lineage_declarations` and `lineage_directories`; the documentation is in files of these names."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Callable


def lineage_declarations(lineages: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """The file in which each lineage of the store says what is required of its certificate."""
    return [
        {
            "path": f"/etc/bulwark/tls/{lineage['name']}/lineage.json",
            "content": _text({key: value for key, value in lineage.items() if key != "name"}),
            "owner": "root",
            "group": lineage["group"],
            "mode": "0640",
            # Who uses a certificate reads it again when there is one, not when more is required of it.
            "activation": "none",
        }
        for lineage in lineages
    ]


def lineage_directories(lineages: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """The directories of each lineage: its own, for its group, and that of keys without a certificate, for root."""
    return [
        directory
        for lineage in lineages
        for directory in (
            {"path": f"/etc/bulwark/tls/{lineage['name']}", "group": lineage["group"], "mode": "0750"},
            {"path": f"/etc/bulwark/tls/{lineage['name']}/pending", "group": "root", "mode": "0700"},
        )
    ]


def _text(declaration: Mapping[str, Any]) -> str:
    return json.dumps(_plain(declaration), indent=4, sort_keys=True) + "\n"


def _plain(value: Any) -> Any:
    """The value in containers of Python's own: Ansible's evaluate what is in them when it is asked for."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


class FilterModule:
    """Ansible looks for this name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters of this file."""
        return {"lineage_declarations": lineage_declarations, "lineage_directories": lineage_directories}
