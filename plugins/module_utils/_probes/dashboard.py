# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""Whether EMQX's dashboard lets in who knows what EMQX comes with."""

from __future__ import annotations

import http.client
import json
import ssl
from typing import Any

from .._host import probe

# The API behind the dashboard's login, and the user that every EMQX is installed with (etc/emqx.conf of the release).
_LOGIN = "/api/v5/login"
_KNOWN = {"username": "admin", "password": "public"}


def log_in(*, address: str, port: int, timeout: float) -> dict[str, Any]:
    """The port's `state`, and the `status` of HTTP that the login was answered with, over TLS or else without it.

    The certificate is not verified: this asks about a refusal only. Raises ProbeError for a name that does not resolve.
    """
    state = probe.reachability(address=address, port=port, timeout=timeout)
    result: dict[str, Any] = {"port": port, "state": state, "status": None}
    if state == "open":
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        for connection in (
            http.client.HTTPSConnection(address, port, timeout=timeout, context=context),
            http.client.HTTPConnection(address, port, timeout=timeout),
        ):
            try:
                connection.request("POST", _LOGIN, json.dumps(_KNOWN), {"Content-Type": "application/json"})
                return {**result, "status": connection.getresponse().status}
            except (OSError, http.client.HTTPException):
                continue
            finally:
                connection.close()
    return result
