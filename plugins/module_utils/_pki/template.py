# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.

"""Certificates of one kind in bulk: `build` makes one, each other differs from it in serial, names and key.

A builder spends four times as long on a certificate as the signature takes. Here it is used once; of what it made,
only the parts that differ are encoded again. The tests compare the two byte for byte.

What is done to many is done step by step to all of them: what a processor has at hand of Python for one step, the
signature drives out, and device by device it would take half as long again.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import ipaddress
import itertools
from collections.abc import Sequence
from typing import NamedTuple

from . import build, certificates, der, keys, ledger
from .names import Names, of_common_name

with contextlib.suppress(ImportError):  # _module.py says what is missing
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import rsa

_EXTENSIONS = 0xA3
# The choices of GeneralName (RFC 5280, 4.2.1.6), implicitly tagged.
_DNS, _URI, _ADDRESS = 0x82, 0x86, 0x87

_COMMON_NAME = bytes.fromhex("0603550403")
_KEY_IDENTIFIER = bytes.fromhex("0603551d0e")
_ALTERNATIVE_NAMES = bytes.fromhex("0603551d11")
# The extensions that differ. In the sample both are short, so that their identifier begins at the third byte.
_OPEN = (_KEY_IDENTIFIER, _ALTERNATIVE_NAMES)
# An extension with the 20 bytes of a key identifier, up to these.
_KEY_IDENTIFIER_HEAD = bytes.fromhex("301d0603551d0e04160414")

# No organization is called so: in the subject, it is replaced.
_SAMPLE = "the-common-name-of-the-sample"


class Subject(NamedTuple):
    """Whom a certificate is for, with the public key as SubjectPublicKeyInfo."""

    common_name: str
    names: Names
    info: bytes


class Template:
    """Certificates of one issuer, profile, lifetime and moment."""

    def __init__(self, spec: build.Spec, issuer: x509.Certificate, *, now: dt.datetime) -> None:
        """Take everything but the common name, the names and the key from a spec; AuthorityError as in `build`."""
        stand_in = _stand_in(issuer)
        sample_spec = spec._replace(common_name=_SAMPLE, names=of_common_name(_SAMPLE))
        unsigned = build.unsigned(sample_spec, keys.generate("ec-p256").public_key(), issuer, now=now)
        sample = unsigned.sign(stand_in, keys.signature_hash(stand_in))
        self._sample = ledger.row(ledger.Entry(certificate=sample, profile=spec.profile.name))
        parts = der.elements(der.content(sample.tbs_certificate_bytes))
        self._version, _serial, self._algorithm, issuer_, self._validity, subject, _key, extensions = parts
        # What names it stands right behind the algorithm, in every certificate.
        self._issuer = self._algorithm + issuer_
        self._subject = b"".join(der.elements(der.content(subject))[:-1])
        self._extensions = _merged(der.elements(der.content(der.content(extensions))))

    def issue(self, key: keys.PrivateKey, subjects: Sequence[Subject]) -> list[ledger.Row]:
        """A certificate for each of them, signed with the issuer's key, for the ledger."""
        serials = [certificates.random_serial() for _subject in subjects]
        return [
            self._sample._replace(
                serial=certificates.serial_hex(serial),
                subject=self._sample.subject.replace(_SAMPLE, subject.common_name),
                common_name=subject.common_name,
                names=str(subject.names),
                key=keys.fingerprint_of(subject.info),
                der=signed,
            )
            for serial, subject, signed in zip(serials, subjects, self.sign(key, serials, subjects))
        ]

    def sign(self, key: keys.PrivateKey, serials: Sequence[int], subjects: Sequence[Subject]) -> list[bytes]:
        """The certificates of `issue` with these serials, in DER."""
        unsigned = [
            self._tbs(der.integer(serial), self._validity, subject) for serial, subject in zip(serials, subjects)
        ]
        signatures = list(map(keys.signing(key), unsigned))
        return [
            der.element(der.SEQUENCE, tbs + self._algorithm + der.nested((der.BIT_STRING, b"\0"), signature))
            for tbs, signature in zip(unsigned, signatures)
        ]

    def fits(self, found: bytes, *, common_name: str, names: Names, key_type: str | None = None) -> bytes:
        """The public key of a certificate that is what would be signed now for its serial and key, b'' for another.

        Its validity may be any, and its key of any type unless one is given.
        """
        try:
            signed = der.content(found)
            tbs = signed[: der.end(signed)]
            # Only as far as it takes to find what may differ; that the rest is the same, the comparison says.
            body, serial_at = der.content(tbs), len(self._version)
            issuer_at = der.end(body, serial_at)
            validity_at = issuer_at + len(self._issuer)
            subject_at = der.end(body, validity_at)
            info_at = der.end(body, subject_at)
            info = body[info_at : der.end(body, info_at)]
            fits = key_type is None or keys.type_of_info(info) == key_type
        except (IndexError, ValueError):
            return b""
        expected = self._tbs(body[serial_at:issuer_at], body[validity_at:subject_at], Subject(common_name, names, info))
        return info if fits and tbs == expected else b""

    def _tbs(self, serial: bytes, validity: bytes, subject: Subject) -> bytes:
        extensions = b"".join(
            [
                extension if identifier not in _OPEN else _filled(identifier, subject)
                for identifier, extension in self._extensions
            ]
        )
        return der.element(
            der.SEQUENCE,
            self._version
            + serial
            + self._issuer
            + validity
            + der.element(der.SEQUENCE, self._subject + _relative_name(subject.common_name))
            + subject.info
            + der.nested((_EXTENSIONS, der.SEQUENCE), extensions),
        )


def _merged(extensions: Sequence[bytes]) -> list[tuple[bytes, bytes]]:
    """Each with its identifier; those that are the same in every certificate are joined with their neighbours."""
    found: list[tuple[bytes, bytes]] = []
    for same, some in itertools.groupby(extensions, key=lambda extension: extension[2:7] not in _OPEN):
        members = list(some)
        found.extend([(b"", b"".join(members))] if same else [(member[2:7], member) for member in members])
    return found


def _filled(identifier: bytes, subject: Subject) -> bytes:
    """One of the extensions that depend on the key or the names."""
    if identifier == _KEY_IDENTIFIER:
        return _KEY_IDENTIFIER_HEAD + _key_identifier(subject.info)
    layers = (der.SEQUENCE, _ALTERNATIVE_NAMES, der.OCTET_STRING, der.SEQUENCE)
    return der.nested(layers, _general_names(subject.names))


def _key_identifier(info: bytes) -> bytes:
    """SHA-1 over the public key without its algorithm (RFC 5280, 4.2.1.2); it names, it does not protect."""
    return hashlib.sha1(keys.bits(info), usedforsecurity=False).digest()


def _general_names(names: Names) -> bytes:
    found = [der.element(_DNS, name.encode()) for name in names.dns]
    found += [der.element(_ADDRESS, ipaddress.ip_address(address).packed) for address in names.addresses]
    found += [der.element(_URI, uri.encode()) for uri in names.uris]
    return b"".join(found)


def _relative_name(common_name: str) -> bytes:
    return der.nested((der.SET, der.SEQUENCE, _COMMON_NAME, der.UTF8_STRING), common_name.encode())


def _stand_in(issuer: x509.Certificate) -> keys.PrivateKey:
    """A key that makes the sample name the issuer's algorithm, since the CA's own is closed while nothing is signed."""
    public_key = keys.check_public(issuer.public_key())
    if isinstance(public_key, rsa.RSAPublicKey):
        # Of any size, the algorithm is the same; this one takes the least time.
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return keys.generate(keys.type_of(public_key))
