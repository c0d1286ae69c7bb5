# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""What a TLS endpoint serves and refuses."""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from typing import Any

from .._host import probe
from .._host.errors import ProbeError
from .._pki import build, certificates, keys, profiles

with contextlib.suppress(ImportError):  # _module.py says what is missing
    from cryptography import x509

TIME = "%Y-%m-%dT%H:%M:%SZ"


def describe(der: bytes) -> dict[str, Any]:
    """The facts of a certificate."""
    certificate = x509.load_der_x509_certificate(der)
    names = certificates.alternative_names(certificate)
    return {
        "subject": certificate.subject.rfc4514_string(),
        "issuer": certificate.issuer.rfc4514_string(),
        "names": sorted([*names.dns, *names.addresses]),
        "serial": certificates.serial_hex(certificate.serial_number),
        "not_before": certificates.not_before(certificate).strftime(TIME),
        "not_after": certificates.not_after(certificate).strftime(TIME),
        "key_type": keys.type_of(certificate.public_key()),
        "sha256": hashlib.sha256(der).hexdigest(),
    }


def stapling(stapled: probe.Stapled | None, *, now: float) -> dict[str, Any] | None:
    """The facts of a stapled response."""
    if stapled is None:
        return None
    end = stapled.next_update
    return {
        "serial": stapled.serial,
        "status": stapled.status,
        "this_update": _utc(stapled.this_update),
        "next_update": None if end is None else _utc(end),
        "fresh": stapled.this_update <= now and (end is None or now < end),
    }


def _utc(seconds: int) -> str:
    return dt.datetime.fromtimestamp(seconds, tz=dt.timezone.utc).strftime(TIME)


def verification(endpoint: Mapping[str, Any], ca: str) -> dict[str, Any]:
    """Whether a client that trusts only these authorities accepts the server."""
    try:
        probe.served_certificate(cafile=ca, **endpoint)
    except probe.TlsError as error:
        return {"verified": False, "verification_error": probe.cause_text(error)}
    return {"verified": True, "verification_error": None}


@contextlib.contextmanager
def foreign_identity() -> Iterator[str]:
    """A file with the certificate and the key of a client whose authority was made up."""
    now = dt.datetime.now(dt.timezone.utc)
    authority_key, key = keys.generate("ec-p256"), keys.generate("ec-p256")
    authority = build.root(
        build.Spec(profile=profiles.get("root"), common_name="Foreign authority"), authority_key, now=now
    )
    spec = build.leaf_spec(profile="client", common_name="foreign", alternative_names=())
    certificate = build.certificate(spec, key.public_key(), build.Signer(authority, authority_key), now=now)
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "client.pem")
        with open(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600), "wb") as stream:
            stream.write(keys.to_pem(key) + certificates.to_pem(certificate).encode())
        yield path


def look(endpoint: Mapping[str, Any], params: Mapping[str, Any], *, foreign: str) -> dict[str, Any]:
    """What an open port serves, also to the client of a foreign authority.

    Raises ProbeError when it does not speak TLS, or stops answering.
    """
    client = {"certfile": params["certificate"], "keyfile": params["private_key"]}
    served = probe.served_certificate(**endpoint, **client)
    answers = probe.version_answers(**endpoint)
    result = {
        "protocol": served.protocol,
        "cipher": served.cipher,
        "group": probe.negotiated_group(**endpoint, **client),
        "stapled": stapling(probe.stapled_response(**endpoint, **client), now=time.time()),
        "refused": served.refused,
        "certificate": describe(served.der),
        "client_certificate_required": probe.client_certificate_required(**endpoint),
        "foreign_client": probe.refusal(certfile=foreign, keyfile=foreign, **endpoint),
        "suites": probe.suites(**endpoint),
        "versions": {name: answer.answer for name, answer in answers.items()},
        "version_alerts": {name: answer.alert for name, answer in answers.items() if answer.alert},
    }
    if params["ca"]:
        result.update(verification(endpoint, params["ca"]))
    return result


def examine(params: Mapping[str, Any], *, foreign: str) -> dict[str, Any]:
    """What the endpoint serves and refuses, also from the client in the file `foreign`.

    `params` are those of the module tls_endpoint_info. Raises ProbeError for arguments that cannot be used.
    """
    name = params["server_name"] or params["address"]
    probe.client_context(
        server_name=name, cafile=params["ca"], certfile=params["certificate"], keyfile=params["private_key"]
    )
    where = {"address": params["address"], "port": params["port"], "timeout": params["timeout"]}
    result: dict[str, Any] = {"state": probe.reachability(**where), "error": None}
    result.update(dict.fromkeys(("protocol", "cipher", "group", "refused", "certificate", "stapled", "verified")))
    result.update(dict.fromkeys(("verification_error", "client_certificate_required", "foreign_client")))
    result.update(suites=[], versions={}, version_alerts={})
    if result["state"] != "open":
        return result
    try:
        result.update(look({**where, "server_name": name}, params, foreign=foreign))
    except ProbeError as error:
        result["error"] = probe.cause_text(error)
    return result
