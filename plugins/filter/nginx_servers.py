# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter `nginx_servers`; its documentation is in nginx_servers.yml."""

from __future__ import annotations

from typing import Any, Callable


def nginx_servers(*given: Any, **options: Any) -> Any:
    """The servers with all that the templates need."""
    from ..module_utils._nginx_stream import complete

    return complete(*given, **options)


class FilterModule:
    """Ansible looks for this name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters of this file."""
        return {"nginx_servers": nginx_servers}
