# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter `host_record`; its documentation is in host_record.yml."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Callable


def host_record(facts: Mapping[str, Any], stack: Mapping[str, Any]) -> str:
    """The file in which a host is recorded."""
    from ..module_utils._rendering.answers import record

    return json.dumps(record(facts, stack), indent=2, sort_keys=True) + "\n"


class FilterModule:
    """Ansible looks for this name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters of this file."""
        return {"host_record": host_record}
