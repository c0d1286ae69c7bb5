# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.

"""OCSP responses that are signed in advance (RFC 6960, RFC 9919), by a signer that lives for one run.

Responses of one signer differ in little: `Signer` has the library build one and encodes the rest like it, in a third of
the time. The tests compare the two byte for byte.
"""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from . import build, certificates, crl, der, keys, ledger, lifetimes, profiles

with contextlib.suppress(ImportError):  # _module.py says what is missing
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.x509 import ocsp

# CertIDs: SHA-1 is what `openssl ocsp`, nginx and most clients ask with, SHA-256 what RFC 9919 recommends. The hash
# only names the issuer; responses are signed with SHA-256. With each its AlgorithmIdentifier, in DER.
_IDENTIFIERS = {
    "sha1": bytes.fromhex("300906052b0e03021a0500"),
    "sha256": bytes.fromhex("300d06096086480165030402010500"),
}
ALGORITHMS = tuple(_IDENTIFIERS)

# The signer outlives its responses by this, so that none is refused because of its signer in its last second.
_MARGIN = dt.timedelta(days=1)

# Of a response (RFC 6960, 4.2.1): implicitly tagged choices of the status, and what is explicitly tagged.
_GOOD, _REVOKED, _FIRST = 0x80, 0xA1, 0xA0
_TIME = 0x18


class Issuer:
    """A CA as the questions about its certificates name it."""

    def __init__(self, certificate: x509.Certificate) -> None:
        """Hash its name and its key (RFC 6960, 4.1.1)."""
        # Version, serial, algorithm, issuer, validity, subject and key;
        name, info = der.elements(der.content(certificate.tbs_certificate_bytes))[5:7]
        key = keys.bits(info)
        self._names: dict[str, bytes] = {}
        self._key_hashes: dict[str, bytes] = {}
        for algorithm, identifier in _IDENTIFIERS.items():
            of_name, of_key = (hashlib.new(algorithm, part, usedforsecurity=False).digest() for part in (name, key))
            hashed = b"".join(der.element(der.OCTET_STRING, value) for value in (of_name, of_key))
            self._names[algorithm] = identifier + hashed
            self._key_hashes[algorithm] = of_key

    def key_hash(self, algorithm: str) -> bytes:
        """The hash of its key, by which a question and its response name it."""
        return self._key_hashes[algorithm]

    def cert_id(self, serial: str, algorithm: str) -> bytes:
        """What names a certificate in questions and responses (RFC 6960, 4.1.1), by its serial in hexadecimal."""
        return der.element(der.SEQUENCE, self._names[algorithm] + der.integer(int(serial, 16)))

    def request_path(self, serial: str, algorithm: str) -> str:
        """What a client appends to the URL to ask by GET (RFC 9919, section 5), as a web server decodes it.

        The Base64 of the request can have slashes: on a disk they are folders, and an empty folder name is none.
        """
        request = der.nested((der.SEQUENCE,) * 4, self.cert_id(serial, algorithm))
        text = base64.b64encode(request).decode()
        return text if "/" not in text else "/".join(part for part in text.split("/") if part)


@dataclass(frozen=True)
class Question:
    """A certificate that is asked about as the ledger knows it, and the hash in which its issuer is named."""

    record: ledger.Record
    algorithm: str


def delegate(issuing: build.Signer, *, lifetime: dt.timedelta, now: dt.datetime) -> build.Signer:
    """A new OCSP signer whose key is never written; its certificate is for the ledger."""
    spec = build.Spec(
        profile=profiles.get("ocsp_signer"),
        common_name="OCSP signer",
        lifetime=lifetime + _MARGIN,
        issuer_key_id=certificates.key_id(issuing.certificate),
    )
    key = keys.generate(spec.profile.key_type)
    return build.Signer(certificate=build.certificate(spec, key.public_key(), issuing, now=now), key=key)


class Signer:
    """Answers what is asked about the certificates of a CA, at one moment, valid no longer than its delegate."""

    def __init__(
        self, issuer: x509.Certificate, delegate_: build.Signer, *, lifetime: dt.timedelta, now: dt.datetime
    ) -> None:
        """Sign for this CA; AuthorityError when the delegate itself is not valid now."""
        self._issuer = Issuer(issuer)
        self._sign = keys.signing(delegate_.key)
        start, end = crl.window(delegate_.certificate, lifetime=lifetime, now=now)
        builder = ocsp.OCSPResponseBuilder().add_response(
            # Only names the issuer: RFC 9919, section 3.1.
            cert=delegate_.certificate, issuer=issuer, algorithm=hashes.SHA1(), cert_status=ocsp.OCSPCertStatus.GOOD,
            this_update=start, next_update=end, revocation_time=None, revocation_reason=None,
        )  # fmt: skip
        sample = (
            builder.responder_id(ocsp.OCSPResponderEncoding.HASH, delegate_.certificate)
            .certificates([delegate_.certificate])
            .sign(delegate_.key, keys.signature_hash(delegate_.key))
            .public_bytes(serialization.Encoding.DER)
        )
        status, envelope = der.elements(der.content(sample))
        type_, basic = der.elements(_inside(envelope, levels=2))
        data, self._algorithm, _signature, self._certificates = der.elements(_inside(basic, levels=2))
        responder, _produced, _responses = der.elements(der.content(data))
        self._around = (der.SEQUENCE, status, _FIRST, der.SEQUENCE, type_, der.OCTET_STRING, der.SEQUENCE)
        self._around_data = (der.SEQUENCE, responder + _time(now), der.SEQUENCE, der.SEQUENCE)
        self._validity = _time(start) + der.element(_FIRST, _time(end))

    def answer(self, questions: Sequence[Question]) -> list[bytes]:
        """Signed responses in DER; step by step for all of them, as in template.py."""
        data = [self._data(question) for question in questions]
        signatures = [self._sign(unsigned) for unsigned in data]
        return [self._response(*parts) for parts in zip(data, signatures)]

    def _data(self, question: Question) -> bytes:
        cert_id = self._issuer.cert_id(question.record.serial, question.algorithm)
        return der.nested(self._around_data, cert_id + _status(question.record) + self._validity)

    def _response(self, data: bytes, signature: bytes) -> bytes:
        signed = data + self._algorithm + der.nested((der.BIT_STRING, b"\0"), signature) + self._certificates
        return der.nested(self._around, signed)


def reasons(
    response: bytes | None, question: Question, issuer: Issuer, *, lifetime: dt.timedelta, now: dt.datetime
) -> list[str]:
    """Every reason to answer the question again; an empty list means: the response is good."""
    if response is None:
        return ["there is no response yet"]
    record = question.record
    try:
        read = ocsp.load_der_ocsp_response(response)
        said = _said(read)
        start, end = crl.moment(read, "this_update"), crl.moment(read, "next_update")
        certified = [certificates.not_after(found) for found in read.certificates]
        same = certificates.serial_hex(read.serial_number) == record.serial and read.issuer_key_hash == issuer.key_hash(
            question.algorithm
        )
    except ValueError:
        return ["the response cannot be read"]
    if not same or not certified:
        return ["the response is about another certificate"]
    wanted = f"revoked ({record.reason})" if record.revoked else "good"
    if said != wanted:
        return [f"it says {said}, the ledger says {wanted}"]
    if min(certified) < end:
        return [f"its signer expires at {lifetimes.show(min(certified))}"]
    return crl.age(start, end, lifetime=lifetime, now=now)


def expired(response: bytes, *, now: dt.datetime) -> bool:
    """Whether this is a response that nobody accepts any more; what cannot be read is not taken for one."""
    try:
        return crl.moment(ocsp.load_der_ocsp_response(response), "next_update") <= now
    except ValueError:
        return False


def _said(response: ocsp.OCSPResponse) -> str:
    if response.certificate_status == ocsp.OCSPCertStatus.GOOD:
        return "good"
    flag = response.revocation_reason
    return f"revoked ({next((name for name, known in crl.FLAGS.items() if known == flag), 'unspecified')})"


def _status(record: ledger.Record) -> bytes:
    if not record.revoked or record.revoked_at is None:
        return der.element(_GOOD, b"")
    reason = b""
    if record.reason in crl.CODES:
        reason = der.element(_FIRST, der.element(der.ENUMERATED, bytes((crl.CODES[record.reason],))))
    return der.element(_REVOKED, _time(record.revoked_at) + reason)


def _time(moment: dt.datetime) -> bytes:
    return der.element(_TIME, moment.strftime("%Y%m%d%H%M%SZ").encode())


def _inside(element: bytes, *, levels: int) -> bytes:
    for _level in range(levels):
        element = der.content(element)
    return element
