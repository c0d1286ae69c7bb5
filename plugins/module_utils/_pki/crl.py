# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.

"""Revocation lists (RFC 5280, section 5): values in, signed lists out, the clock passed in."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from . import certificates, der, keys, lifetimes
from .build import BACKDATE, Signer
from .errors import AuthorityError

with contextlib.suppress(ImportError):  # _module.py says what is missing
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization

    # RFC 5280, 5.3.1, in the words of the ledger; a missing entry extension says `unspecified`, a zero should not.
    FLAGS = {
        "key_compromise": x509.ReasonFlags.key_compromise,
        "affiliation_changed": x509.ReasonFlags.affiliation_changed,
        "superseded": x509.ReasonFlags.superseded,
        "cessation_of_operation": x509.ReasonFlags.cessation_of_operation,
        "privilege_withdrawn": x509.ReasonFlags.privilege_withdrawn,
    }


# What stands for them in lists and responses.
CODES = {
    "key_compromise": 1,
    "affiliation_changed": 3,
    "superseded": 4,
    "cessation_of_operation": 5,
    "privilege_withdrawn": 9,
}
_NAMES = {code: name for name, code in CODES.items()}

# The extension of an entry that has the reason (RFC 5280, 5.3.1), and the older of the two kinds of dates.
_REASON = bytes.fromhex("0603551d15")
_UTC_TIME = 0x17


class Entry(NamedTuple):
    """A certificate on the list."""

    serial: str
    revoked_at: dt.datetime
    reason: str


@dataclass(frozen=True)
class Listed:
    """What a list says."""

    number: int
    this_update: dt.datetime
    next_update: dt.datetime
    url: str
    entries: frozenset[Entry]


def build(
    signer: Signer, entries: Iterable[Entry], *, number: int, lifetime: dt.timedelta, url: str, now: dt.datetime
) -> bytes:
    """A signed list in DER, valid no longer than its issuer; with a URL it is for certificates that name that URL only.

    AuthorityError when the issuer itself is not valid now.
    """
    start, end = window(signer.certificate, lifetime=lifetime, now=now)
    # The constructor takes them all: adding one by one copies the list each time.
    builder = (
        x509.CertificateRevocationListBuilder(revoked_certificates=[_revoked(entry) for entry in entries])
        .issuer_name(signer.certificate.subject)
        .last_update(start)
        .next_update(end)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.key.public_key()), critical=False)
        .add_extension(x509.CRLNumber(number), critical=False)
    )
    if url:
        point = x509.IssuingDistributionPoint(
            full_name=[x509.UniformResourceIdentifier(url)],
            relative_name=None,
            only_contains_user_certs=False,
            only_contains_ca_certs=False,
            only_some_reasons=None,
            indirect_crl=False,
            only_contains_attribute_certs=False,
        )
        builder = builder.add_extension(point, critical=True)
    signed = builder.sign(signer.key, keys.signature_hash(signer.key))
    return signed.public_bytes(serialization.Encoding.DER)


def read(list_: bytes) -> Listed:
    """What a list says; ValueError when it is none of ours."""
    crl = x509.load_der_x509_crl(list_)
    return Listed(
        number=number(list_),
        this_update=moment(crl, "last_update"),
        next_update=moment(crl, "next_update"),
        url=_url(crl),
        entries=frozenset(_entries(crl.tbs_certlist_bytes)),
    )


def number(list_: bytes) -> int:
    """The number of a list, without reading its entries; ValueError when it has none or cannot be read."""
    try:
        return x509.load_der_x509_crl(list_).extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    except x509.ExtensionNotFound as error:
        raise ValueError("a revocation list without a number") from error


def next_update(list_: bytes) -> dt.datetime:
    """The end of a list's validity, without reading its entries."""
    return moment(x509.load_der_x509_crl(list_), "next_update")


def expired(list_: bytes, *, now: dt.datetime) -> bool:
    """Whether this is a list that nobody accepts any more; what cannot be read is not taken for one."""
    try:
        return next_update(list_) <= now
    except ValueError:
        return False


def to_pem(list_: bytes) -> bytes:
    """A list as PEM text."""
    return certificates.der_to_pem(list_, label="X509 CRL")


def issuer_key_id(list_: bytes) -> str:
    """The authority key identifier in hexadecimal; ValueError when the list cannot be read or has none."""
    try:
        extension = x509.load_der_x509_crl(list_).extensions.get_extension_for_class(x509.AuthorityKeyIdentifier)
    except x509.ExtensionNotFound as error:
        raise ValueError("a revocation list without an issuer") from error
    return (extension.value.key_identifier or b"").hex()


def window(issuer: x509.Certificate, *, lifetime: dt.timedelta, now: dt.datetime) -> tuple[dt.datetime, dt.datetime]:
    """From when until when a statement of this CA is valid: like a certificate, backdated and within its issuer's life.

    AuthorityError when the issuer itself is not valid now.
    """
    start, end = certificates.not_before(issuer), certificates.not_after(issuer)
    if not start <= now < end:
        raise AuthorityError(
            f"{certificates.common_name(issuer)} cannot publish at {lifetimes.show(now)}: it is valid from "
            f"{lifetimes.show(start)} to {lifetimes.show(end)}; check the clock, or replace the CA"
        )
    now = now.replace(microsecond=0)
    return max(now - BACKDATE, start), min(now + lifetime, end)


def age(start: dt.datetime, end: dt.datetime, *, lifetime: dt.timedelta, now: dt.datetime) -> list[str]:
    """Why a statement that is valid from start to end has to be made again; readers keep the old one until its end."""
    if now < start:
        return [f"not valid before {lifetimes.show(start)}"]
    if now >= end:
        return [f"expired at {lifetimes.show(end)}"]
    whole = end - start - BACKDATE
    if whole > lifetime:
        return [f"it is valid for {lifetimes.written(whole)}, longer than {lifetimes.written(lifetime)}"]
    if (end - now) * 3 < whole * 2:
        return [f"less than two thirds of its validity are left: it expires at {lifetimes.show(end)}"]
    return []


def _revoked(entry: Entry) -> x509.RevokedCertificate:
    builder = x509.RevokedCertificateBuilder().serial_number(int(entry.serial, 16)).revocation_date(entry.revoked_at)
    if entry.reason in FLAGS:
        builder = builder.add_extension(x509.CRLReason(FLAGS[entry.reason]), critical=False)
    return builder.build()


def _entries(signed: bytes) -> Iterator[Entry]:
    """The entries of a list that was loaded: as the library reads them, in a tenth of the time.

    Most have a reason and a date that others have as well.
    """
    # Version, algorithm, issuer and two dates; then the entries, or without any the extensions.
    fields = der.elements(der.content(signed))
    if len(fields) > 5 and fields[5][0] == der.SEQUENCE:
        for entry in der.elements(der.content(fields[5])):
            serial, revoked_at, *extensions = der.elements(der.content(entry))
            yield Entry(
                certificates.serial_hex(int.from_bytes(der.content(serial), "big")),
                _date(revoked_at),
                _reason(extensions[0]) if extensions else "unspecified",
            )


@functools.lru_cache(maxsize=1024)
def _date(element: bytes) -> dt.datetime:
    text = der.content(element).decode("ascii")
    if element[0] == _UTC_TIME:
        # RFC 5280, 4.1.2.5.1.
        text = f"{'19' if text >= '5' else '20'}{text}"
    return dt.datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=dt.timezone.utc)


@functools.lru_cache(maxsize=64)
def _reason(extensions: bytes) -> str:
    for extension in der.elements(der.content(extensions)):
        if der.content(extension).startswith(_REASON):
            code = der.content(der.content(der.elements(der.content(extension))[-1]))[0]
            return _NAMES.get(code, str(code))
    return "unspecified"


def _url(crl: x509.CertificateRevocationList) -> str:
    try:
        point = crl.extensions.get_extension_for_class(x509.IssuingDistributionPoint).value
    except x509.ExtensionNotFound:
        return ""
    return ", ".join(str(name.value) for name in point.full_name or ())


def moment(thing: object, name: str) -> dt.datetime:
    """A moment; cryptography has the form with a time zone from 42 on and deprecates the other."""
    found = getattr(thing, f"{name}_utc") if hasattr(thing, f"{name}_utc") else getattr(thing, name)
    if not isinstance(found, dt.datetime):
        raise ValueError(f"{name} is missing")
    return found.replace(tzinfo=dt.timezone.utc)
