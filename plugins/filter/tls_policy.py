# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter `tls_policy`; its documentation is in tls_policy.yml."""

from __future__ import annotations

from typing import Any, Callable

from ansible.errors import AnsibleFilterError


def tls_policy(profile: str, *, software: str, openssl: str | None = None) -> Any:
    """The TLS profile in the words of a server software."""
    from ..module_utils._tls_policy import PolicyError, policy

    try:
        return policy(profile=profile, software=software, openssl=openssl)
    except PolicyError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """Ansible looks for this name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters of this file."""
        return {"tls_policy": tls_policy}
