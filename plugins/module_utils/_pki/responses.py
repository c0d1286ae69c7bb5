# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.

"""OCSP responses that are signed in advance (RFC 6960, RFC 9919), by a signer that lives for one run."""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
from dataclasses import dataclass

from . import build, certificates, crl, keys, ledger, lifetimes, profiles

with contextlib.suppress(ImportError):  # _module.py says what is missing
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.x509 import ocsp

# CertIDs: SHA-1 is what `openssl ocsp`, nginx and most clients ask with, SHA-256 what RFC 9919 recommends. The hash
# only names the issuer; responses are signed with SHA-256.
ALGORITHMS = ("sha1", "sha256")

# The signer outlives its responses by this, so that none is refused because of its signer in its last second.
_MARGIN = dt.timedelta(days=1)


@dataclass(frozen=True)
class Question:
    """A certificate that is asked about, with its issuer and what the ledger knows of it."""

    certificate: x509.Certificate
    issuer: x509.Certificate
    record: ledger.Record


def signer(issuing: build.Signer, *, lifetime: dt.timedelta, now: dt.datetime) -> build.Signer:
    """A new OCSP signer whose key is never written; its certificate is for the ledger."""
    spec = build.Spec(
        profile=profiles.get("ocsp_signer"),
        common_name="OCSP signer",
        lifetime=lifetime + _MARGIN,
        issuer_key_id=certificates.key_id(issuing.certificate),
    )
    key = keys.generate(spec.profile.key_type)
    return build.Signer(certificate=build.certificate(spec, key.public_key(), issuing, now=now), key=key)


def answer(
    question: Question, signer_: build.Signer, *, algorithm: str, lifetime: dt.timedelta, now: dt.datetime
) -> bytes:
    """A signed response in DER, valid no longer than its signer."""
    start, end = crl.window(signer_.certificate, lifetime=lifetime, now=now)
    record = question.record
    builder = ocsp.OCSPResponseBuilder().add_response(
        cert=question.certificate,
        issuer=question.issuer,
        algorithm=_hash(algorithm),
        cert_status=ocsp.OCSPCertStatus.REVOKED if record.revoked else ocsp.OCSPCertStatus.GOOD,
        this_update=start,
        next_update=end,
        revocation_time=record.revoked_at,
        revocation_reason=crl.FLAGS.get(record.reason) if record.revoked else None,
    )
    signed = (
        builder.responder_id(ocsp.OCSPResponderEncoding.HASH, signer_.certificate)
        .certificates([signer_.certificate])
        .sign(signer_.key, keys.signature_hash(signer_.key))
    )
    return signed.public_bytes(serialization.Encoding.DER)


def request_path(question: Question, *, algorithm: str) -> str:
    """What a client appends to the URL to ask by GET (RFC 9919, section 5), as a web server decodes it.

    The Base64 of the request can have slashes: on a disk they are folders, and an empty folder name is none.
    """
    request = ocsp.OCSPRequestBuilder().add_certificate(question.certificate, question.issuer, _hash(algorithm)).build()
    text = base64.b64encode(request.public_bytes(serialization.Encoding.DER)).decode()
    return "/".join(part for part in text.split("/") if part)


def reasons(
    der: bytes | None, question: Question, *, algorithm: str, lifetime: dt.timedelta, now: dt.datetime
) -> list[str]:
    """Every reason to answer the question again; an empty list means: the response is good."""
    if der is None:
        return ["there is no response yet"]
    try:
        response = ocsp.load_der_ocsp_response(der)
        said = _said(response)
        start, end = crl.moment(response, "this_update"), crl.moment(response, "next_update")
        certified = [certificates.not_after(found) for found in response.certificates]
        same = response.serial_number == question.certificate.serial_number and response.issuer_key_hash == _key_hash(
            question, algorithm
        )
    except ValueError:
        return ["the response cannot be read"]
    if not same or not certified:
        return ["the response is about another certificate"]
    wanted = f"revoked ({question.record.reason})" if question.record.revoked else "good"
    if said != wanted:
        return [f"it says {said}, the ledger says {wanted}"]
    if min(certified) < end:
        return [f"its signer expires at {lifetimes.show(min(certified))}"]
    return crl.age(start, end, lifetime=lifetime, now=now)


def expired(der: bytes, *, now: dt.datetime) -> bool:
    """Whether this is a response that nobody accepts any more; what cannot be read is not taken for one."""
    try:
        return crl.moment(ocsp.load_der_ocsp_response(der), "next_update") <= now
    except ValueError:
        return False


def _said(response: ocsp.OCSPResponse) -> str:
    if response.certificate_status == ocsp.OCSPCertStatus.GOOD:
        return "good"
    flag = response.revocation_reason
    return f"revoked ({next((name for name, known in crl.FLAGS.items() if known == flag), 'unspecified')})"


def _key_hash(question: Question, algorithm: str) -> bytes:
    request = ocsp.OCSPRequestBuilder().add_certificate(question.certificate, question.issuer, _hash(algorithm)).build()
    return request.issuer_key_hash


def _hash(algorithm: str) -> hashes.SHA1 | hashes.SHA256:
    # Not a signature: RFC 9919, section 3.1.
    return hashes.SHA1() if algorithm == "sha1" else hashes.SHA256()
