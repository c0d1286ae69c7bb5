# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter `pki_material`; its documentation is in pki_material.yml."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Callable


def pki_material(
    requests: Iterable[Mapping[str, Any]],
    *,
    issued: Mapping[str, Mapping[str, Any]],
    crl: str = "",
    responses: Mapping[str, str] | None = None,
    unsigned: bool = False,
) -> list[dict[str, str]]:
    """What there is to install for each request: its certificate, and of a server the list and the response, too."""
    return [
        {
            "lineage": request["lineage"],
            **{part: issued[request["name"]][part] for part in ("certificate", "chain", "ca")},
            # Without a list or response, one of another time is removed: it would expire in the lineage.
            "crl": crl if request["profile"] == "server" else "",
            **_response(request, issued[request["name"]]["serial"], responses or {}, unsigned=unsigned),
        }
        for request in requests
    ]


def _response(
    request: Mapping[str, Any], serial: str, responses: Mapping[str, str], *, unsigned: bool
) -> dict[str, str]:
    """The response of a server's certificate; one that would be signed is not there to be told from none."""
    if request["profile"] != "server":
        return {"ocsp": ""}
    return {} if unsigned and serial not in responses else {"ocsp": responses.get(serial, "")}


class FilterModule:
    """Ansible looks for this name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters of this file."""
        return {"pki_material": pki_material}
