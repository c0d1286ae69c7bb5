# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.

"""Certificates of one kind in bulk: `build` makes one, each other differs from it in serial, names and key.

A builder spends four times as long on a certificate as the signature takes. Here it is used once; of what it made,
only the parts that differ are encoded again (DER, X.690). The tests compare the two byte for byte.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import ipaddress
import itertools
from collections.abc import Sequence
from dataclasses import replace

from . import build, certificates, keys, ledger
from .names import Names, of_common_name

with contextlib.suppress(ImportError):  # _module.py says what is missing
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import rsa

_INTEGER, _BIT_STRING, _OCTET_STRING, _UTF8_STRING, _SEQUENCE, _SET = 0x02, 0x03, 0x04, 0x0C, 0x30, 0x31
_EXTENSIONS = 0xA3
# The choices of GeneralName (RFC 5280, 4.2.1.6), implicitly tagged.
_DNS, _URI, _ADDRESS = 0x82, 0x86, 0x87

_COMMON_NAME = bytes.fromhex("0603550403")
_KEY_IDENTIFIER = bytes.fromhex("0603551d0e")
_ALTERNATIVE_NAMES = bytes.fromhex("0603551d11")
# The extensions that differ. In the sample both are short, so that their identifier begins at the third byte.
_OPEN = (_KEY_IDENTIFIER, _ALTERNATIVE_NAMES)

# No organization is called so: in the subject, it is replaced.
_SAMPLE = "the-common-name-of-the-sample"


class Template:
    """Certificates of one issuer, profile, lifetime and moment."""

    def __init__(self, spec: build.Spec, issuer: x509.Certificate, *, now: dt.datetime) -> None:
        """Take everything but the common name, the names and the key from a spec; AuthorityError as in `build`."""
        stand_in = _stand_in(issuer)
        sample_spec = replace(spec, common_name=_SAMPLE, names=of_common_name(_SAMPLE))
        unsigned = build.unsigned(sample_spec, keys.generate("ec-p256").public_key(), issuer, now=now)
        sample = unsigned.sign(stand_in, keys.signature_hash(stand_in))
        self._sample = ledger.row(ledger.Entry(certificate=sample, profile=spec.profile.name))
        parts = _elements(_content(sample.tbs_certificate_bytes))
        self._version, _serial, self._algorithm, self._issuer, self._validity, subject, _key, extensions = parts
        self._subject = b"".join(_elements(_content(subject))[:-1])
        self._extensions = _merged(_elements(_content(_content(extensions))))

    def issue(self, key: keys.PrivateKey, *, common_name: str, names: Names, info: bytes) -> ledger.Row:
        """A certificate for a public key (as SubjectPublicKeyInfo), signed with the issuer's key, for the ledger."""
        serial = certificates.random_serial()
        return self._sample._replace(
            serial=certificates.serial_hex(serial),
            subject=self._sample.subject.replace(_SAMPLE, common_name),
            common_name=common_name,
            names=str(names),
            key=keys.fingerprint_of(info),
            der=self.sign(key, serial=serial, common_name=common_name, names=names, info=info),
        )

    def sign(self, key: keys.PrivateKey, *, serial: int, common_name: str, names: Names, info: bytes) -> bytes:
        """The certificate of `issue` with this serial, in DER."""
        number = _element(_INTEGER, serial.to_bytes(serial.bit_length() // 8 + 1, "big"))
        tbs = self._tbs(number, self._validity, common_name=common_name, names=names, info=info)
        return _element(_SEQUENCE, tbs + self._algorithm + _element(_BIT_STRING, b"\0" + keys.sign(key, tbs)))

    def fits(self, der: bytes, *, common_name: str, names: Names) -> bool:
        """Whether the certificate is what would be signed now for its serial and key, whatever its validity is."""
        try:
            tbs = _elements(_content(der))[0]
            _version, serial, _algorithm, _issuer, validity, _subject, info, _extensions = _elements(_content(tbs))
        except (IndexError, ValueError):
            return False
        return tbs == self._tbs(serial, validity, common_name=common_name, names=names, info=info)

    def _tbs(self, serial: bytes, validity: bytes, *, common_name: str, names: Names, info: bytes) -> bytes:
        subject = self._subject + _relative_name(common_name)
        extensions = b"".join(_filled(extension, names=names, info=info) for extension in self._extensions)
        return _element(
            _SEQUENCE,
            self._version
            + serial
            + self._algorithm
            + self._issuer
            + validity
            + _element(_SEQUENCE, subject)
            + info
            + _element(_EXTENSIONS, _element(_SEQUENCE, extensions)),
        )


def _merged(extensions: Sequence[bytes]) -> list[bytes]:
    """Those that are the same in every certificate joined with their neighbours, the other two by themselves."""
    found: list[bytes] = []
    for same, some in itertools.groupby(extensions, key=lambda extension: extension[2:7] not in _OPEN):
        members = list(some)
        found.extend([b"".join(members)] if same else members)
    return found


def _filled(extension: bytes, *, names: Names, info: bytes) -> bytes:
    """The extension as it is, unless it depends on the key or the names."""
    identifier = extension[2:7]
    if identifier == _KEY_IDENTIFIER:
        return _extension(_KEY_IDENTIFIER, _element(_OCTET_STRING, _key_identifier(info)))
    if identifier == _ALTERNATIVE_NAMES:
        return _extension(_ALTERNATIVE_NAMES, _element(_SEQUENCE, _general_names(names)))
    return extension


def _extension(identifier: bytes, value: bytes) -> bytes:
    return _element(_SEQUENCE, identifier + _element(_OCTET_STRING, value))


def _key_identifier(info: bytes) -> bytes:
    """SHA-1 over the public key without its algorithm (RFC 5280, 4.2.1.2); it names, it does not protect."""
    return hashlib.sha1(_content(_elements(_content(info))[1])[1:], usedforsecurity=False).digest()


def _general_names(names: Names) -> bytes:
    return b"".join(
        (
            *(_element(_DNS, name.encode()) for name in names.dns),
            *(_element(_ADDRESS, ipaddress.ip_address(address).packed) for address in names.addresses),
            *(_element(_URI, uri.encode()) for uri in names.uris),
        )
    )


def _relative_name(common_name: str) -> bytes:
    value = _element(_UTF8_STRING, common_name.encode())
    return _element(_SET, _element(_SEQUENCE, _COMMON_NAME + value))


def _stand_in(issuer: x509.Certificate) -> keys.PrivateKey:
    """A key that makes the sample name the issuer's algorithm, since the CA's own is closed while nothing is signed."""
    public_key = keys.check_public(issuer.public_key())
    if isinstance(public_key, rsa.RSAPublicKey):
        # Of any size, the algorithm is the same; this one takes the least time.
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return keys.generate(keys.type_of(public_key))


def _element(tag: int, content: bytes) -> bytes:
    length = len(content)
    if length < 0x80:
        return bytes((tag, length)) + content
    digits = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(digits))) + digits + content


def _elements(content: bytes) -> Sequence[bytes]:
    """The elements that stand one after the other."""
    found = []
    start = 0
    while start < len(content):
        end = _start(content, start) + _length(content, start)
        found.append(content[start:end])
        start = end
    return found


def _content(element: bytes) -> bytes:
    return element[_start(element, 0) :]


def _start(content: bytes, at: int) -> int:
    """Where the content of the element that begins there begins."""
    first = content[at + 1]
    return at + 2 + (first & 0x7F if first & 0x80 else 0)


def _length(content: bytes, at: int) -> int:
    first = content[at + 1]
    return int.from_bytes(content[at + 2 : _start(content, at)], "big") if first & 0x80 else first
