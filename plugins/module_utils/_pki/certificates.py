# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.

"""Reading certificates: what stands in one, in the terms of names.py, keys.py and profiles.py."""

from __future__ import annotations

import base64
import contextlib
import datetime as dt

from . import names
from .errors import PkiError

with contextlib.suppress(ImportError):  # _module.py says what is missing
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

# Base64 for six bits that are set.
_SLASH = 0x3F


def from_pem(pem: bytes, *, where: str) -> x509.Certificate:
    """The first certificate in a file; PkiError when there is none that can be read."""
    try:
        return x509.load_pem_x509_certificate(pem)
    except ValueError as error:
        raise PkiError(f"{where} is damaged: it is no certificate in PEM form; restore it from a backup") from error


def to_pem(certificate: x509.Certificate) -> str:
    """The certificate as PEM text."""
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def der_to_pem(der: bytes, *, label: str = "CERTIFICATE") -> bytes:
    """The same text for a certificate in DER, or for something else, without reading it."""
    text, name = base64.b64encode(der), label.encode()
    lines = [text[start : start + 64] for start in range(0, len(text), 64)]
    return b"-----BEGIN %b-----\n%b\n-----END %b-----\n" % (name, b"\n".join(lines), name)


def to_der(certificate: x509.Certificate) -> bytes:
    """The certificate as it is signed."""
    return certificate.public_bytes(serialization.Encoding.DER)


def random_serial() -> int:
    """A new serial: 20 random bytes with the top bit clear, positive and at most 20 octets (RFC 5280, 4.1.2.2).

    It is the end of every question about the certificate. One whose last six bits are set would have that question end
    with a slash in Base64, and the path where it is asked by GET (RFC 9919, section 5) cannot be a file's.
    """
    while True:
        serial = x509.random_serial_number()
        if serial & _SLASH != _SLASH:
            return serial


def serial_hex(serial: int) -> str:
    """A serial as `openssl x509 -serial` prints it, padded to 40 digits so that serials sort and compare as text."""
    return f"{serial:040X}"


def not_before(certificate: x509.Certificate) -> dt.datetime:
    """Start of the validity; cryptography has the form with a time zone from 42 on and deprecates the other."""
    if hasattr(certificate, "not_valid_before_utc"):
        return certificate.not_valid_before_utc
    return certificate.not_valid_before.replace(tzinfo=dt.timezone.utc)


def not_after(certificate: x509.Certificate) -> dt.datetime:
    """End of the validity; see not_before."""
    if hasattr(certificate, "not_valid_after_utc"):
        return certificate.not_valid_after_utc
    return certificate.not_valid_after.replace(tzinfo=dt.timezone.utc)


def common_name(certificate: x509.Certificate) -> str:
    """The common name of the subject, '' when it has none."""
    return _attribute(certificate, NameOID.COMMON_NAME)


def organization(certificate: x509.Certificate) -> str:
    """The organization of the subject, '' when it has none."""
    return _attribute(certificate, NameOID.ORGANIZATION_NAME)


def _attribute(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> str:
    attributes = certificate.subject.get_attributes_for_oid(oid)
    return str(attributes[0].value) if attributes else ""


def alternative_names(certificate: x509.Certificate) -> names.Names:
    """The DNS names, addresses and URIs of the certificate; kinds that are never issued here are left out."""
    try:
        san = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return names.Names()
    return names.Names(
        dns=tuple(sorted(san.get_values_for_type(x509.DNSName))),
        addresses=tuple(sorted(str(address) for address in san.get_values_for_type(x509.IPAddress))),
        uris=tuple(sorted(san.get_values_for_type(x509.UniformResourceIdentifier))),
    )


def key_usage(certificate: x509.Certificate) -> tuple[str, ...]:
    """The key usages that are set, named as cryptography names them."""
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return ()
    flags = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    return tuple(flag for flag in (*flags, "key_cert_sign", "crl_sign") if getattr(usage, flag))


def extended_usage(certificate: x509.Certificate) -> tuple[str, ...]:
    """The extended key usages, as dotted OIDs in order."""
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return ()
    return tuple(sorted(oid.dotted_string for oid in usage))


def constraints(certificate: x509.Certificate) -> names.Constraints:
    """What a CA may certify by its name constraints, empty for anything."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.NameConstraints).value
    except x509.ExtensionNotFound:
        return names.Constraints()
    permitted = found.permitted_subtrees or ()
    return names.Constraints(
        dns=tuple(sorted(name.value for name in permitted if isinstance(name, x509.DNSName))),
        networks=tuple(sorted(str(name.value) for name in permitted if isinstance(name, x509.IPAddress))),
    )


def path_length(certificate: x509.Certificate) -> int | None:
    """How many CAs may be below this CA, None for any number."""
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length
    except x509.ExtensionNotFound:
        return None


def key_id(certificate: x509.Certificate) -> str:
    """The subject key identifier in hexadecimal, which names a CA in the ledger; '' when there is none."""
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest.hex()
    except x509.ExtensionNotFound:
        return ""


def issuer_key_id(certificate: x509.Certificate) -> str:
    """The authority key identifier in hexadecimal, '' when there is none."""
    try:
        identifier = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    except x509.ExtensionNotFound:
        return ""
    return identifier.hex() if identifier else ""


def access_urls(certificate: x509.Certificate) -> dict[str, tuple[str, ...]]:
    """The URLs in the certificate: of its OCSP responses, its issuer's certificate (`ca_issuers`) and its CRL."""
    found: dict[str, tuple[str, ...]] = {"ocsp": (), "ca_issuers": (), "crl": ()}
    with contextlib.suppress(x509.ExtensionNotFound):
        descriptions = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
        kinds = {AuthorityInformationAccessOID.OCSP: "ocsp", AuthorityInformationAccessOID.CA_ISSUERS: "ca_issuers"}
        for description in descriptions:
            if description.access_method in kinds:
                kind = kinds[description.access_method]
                found[kind] = (*found[kind], description.access_location.value)
    with contextlib.suppress(x509.ExtensionNotFound):
        points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
        found["crl"] = tuple(name.value for point in points for name in point.full_name or ())
    return found
