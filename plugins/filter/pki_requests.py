# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter `pki_requests`; its documentation is in pki_requests.yml."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Callable


def pki_requests(
    certificates: Iterable[Mapping[str, Any]],
    *,
    prefix: str,
    names: Sequence[str] = (),
    key_type: str = "ec-p256",
    made: Iterable[Mapping[str, Any]] | None = None,
) -> list[dict[str, Any]]:
    """Each certificate with all that a request needs, and the signing request that was made for its lineage."""
    signing_requests = None if made is None else {request["lineage"]: request["csr"] for request in made}
    return [
        {**request, **({} if signing_requests is None else {"csr": signing_requests[request["lineage"]]})}
        for request in (_complete(certificate, prefix, names, key_type) for certificate in certificates)
    ]


def _complete(certificate: Mapping[str, Any], prefix: str, names: Sequence[str], key_type: str) -> dict[str, Any]:
    lineage = certificate.get("lineage") or certificate["common_name"]
    wanted = list(certificate.get("names") or names)
    return {
        "name": f"{prefix}/{lineage}",
        "lineage": lineage,
        "profile": certificate.get("profile", "client"),
        "common_name": certificate.get("common_name") or wanted[0],
        # None for a client that has no other name: its common name need not be a DNS name.
        "names": wanted,
        "key_type": certificate.get("key_type") or key_type,
    }


class FilterModule:
    """Ansible looks for this name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters of this file."""
        return {"pki_requests": pki_requests}
