# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.

"""Private and public keys: the types that are used here, their files, and what is refused."""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import re
from typing import Callable, Union

from . import der
from .errors import RefusedKeyError

with contextlib.suppress(ImportError):  # _module.py says what is missing
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

    PrivateKey = Union[ec.EllipticCurvePrivateKey, ed25519.Ed25519PrivateKey, rsa.RSAPrivateKey]
    _PRIVATE = (ec.EllipticCurvePrivateKey, ed25519.Ed25519PrivateKey, rsa.RSAPrivateKey)
    PublicKey = Union[ec.EllipticCurvePublicKey, ed25519.Ed25519PublicKey, rsa.RSAPublicKey]

KEY_TYPES = ("ec-p256", "ec-p384", "rsa-3072", "rsa-4096", "ed25519")

# Encrypted PKCS#8 as OpenSSL writes it has 2,048 PBKDF2 iterations only: the passphrase's length makes up for it.
PASSPHRASE_MINIMUM = 12

_PEM = re.compile(rb"-----BEGIN (ENCRYPTED )?PRIVATE KEY-----\s([^-]+)-----END (?:ENCRYPTED )?PRIVATE KEY-----")


# How a SubjectPublicKeyInfo of these types begins; what follows is the key itself.
_BEGINNINGS = {
    bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200"): "ec-p256",
    bytes.fromhex("3076301006072a8648ce3d020106052b81040022036200"): "ec-p384",
    bytes.fromhex("302a300506032b6570032100"): "ed25519",
}


def generate(key_type: str) -> PrivateKey:
    """A new private key of one of KEY_TYPES; RefusedKeyError for any other type."""
    if key_type == "ec-p256":
        return ec.generate_private_key(ec.SECP256R1())
    if key_type == "ec-p384":
        return ec.generate_private_key(ec.SECP384R1())
    if key_type == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    if key_type in ("rsa-3072", "rsa-4096"):
        return rsa.generate_private_key(public_exponent=65537, key_size=int(key_type[4:]))
    raise RefusedKeyError(f"key_type {key_type!r} is unknown: use one of {', '.join(KEY_TYPES)}")


def type_of(key: object) -> str:
    """The type of a public key in the words of KEY_TYPES, or such as `rsa-1024` and `ec-secp521r1`."""
    if isinstance(key, ec.EllipticCurvePublicKey):
        return {"secp256r1": "ec-p256", "secp384r1": "ec-p384"}.get(key.curve.name, f"ec-{key.curve.name}")
    if isinstance(key, ed25519.Ed25519PublicKey):
        return "ed25519"
    if isinstance(key, rsa.RSAPublicKey):
        return f"rsa-{key.key_size}"
    return type(key).__name__


def type_of_info(info_: bytes) -> str:
    """The same for a SubjectPublicKeyInfo, read only where its beginning does not tell; ValueError when it is none."""
    for beginning, key_type in _BEGINNINGS.items():
        if info_.startswith(beginning):
            return key_type
    try:
        return type_of(serialization.load_der_public_key(info_))
    except UnsupportedAlgorithm as error:
        raise ValueError(str(error)) from error


def bits(info_: bytes) -> bytes:
    """The public key in a SubjectPublicKeyInfo without its algorithm; IndexError when it is none."""
    for beginning in _BEGINNINGS:
        if info_.startswith(beginning):
            return info_[len(beginning) :]
    _algorithm, found = der.elements(der.content(info_))
    # The first byte of a bit string says how many bits of the last are unused.
    return der.content(found)[1:]


def check_public(key: object) -> PublicKey:
    """Return a public key that may be certified, KEY_TYPES or RSA from 3072 bits on; RefusedKeyError for the others."""
    key_type = type_of(key)
    if isinstance(key, rsa.RSAPublicKey) and key.key_size >= 3072:
        return key
    if isinstance(key, (ec.EllipticCurvePublicKey, ed25519.Ed25519PublicKey)) and key_type in KEY_TYPES:
        return key
    raise RefusedKeyError(f"a key of type {key_type} is refused: use one of {', '.join(KEY_TYPES)}")


def signature_hash(key: PrivateKey) -> hashes.SHA256 | hashes.SHA384 | None:
    """The hash to sign with: as strong as the curve, none for Ed25519, which has its own."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return None
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.key_size > 256:
        return hashes.SHA384()
    return hashes.SHA256()


def signing(key: PrivateKey) -> Callable[[bytes], bytes]:
    """What makes signatures as certificates have them, the same that cryptography's builders make."""
    hash_ = signature_hash(key) or hashes.SHA256()
    if isinstance(key, ec.EllipticCurvePrivateKey):
        algorithm, ec_sign = ec.ECDSA(hash_), key.sign
        return lambda content: ec_sign(content, algorithm)
    if isinstance(key, rsa.RSAPrivateKey):
        scheme, rsa_sign = padding.PKCS1v15(), key.sign
        return lambda content: rsa_sign(content, scheme, hash_)
    return key.sign


def info(key: PublicKey) -> bytes:
    """The SubjectPublicKeyInfo in DER."""
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def fingerprint(key: PublicKey) -> str:
    """SHA-256 over the SubjectPublicKeyInfo, in hexadecimal: the ledger's name for a key."""
    return fingerprint_of(info(key))


def fingerprint_of(info_: bytes) -> str:
    """The same for a SubjectPublicKeyInfo."""
    return hashlib.sha256(info_).hexdigest()


def check_passphrase(passphrase: str, *, what: str) -> bytes:
    """The bytes of a passphrase for a new key; RefusedKeyError when it is too short to protect one."""
    if len(passphrase) < PASSPHRASE_MINIMUM:
        raise RefusedKeyError(
            f"{what} has {len(passphrase)} characters: use {PASSPHRASE_MINIMUM} or more, generated at random "
            "(for example: openssl rand -base64 24)"
        )
    return passphrase.encode()


def to_pem(key: PrivateKey, *, passphrase: bytes | None = None) -> bytes:
    """The key as PKCS#8 PEM, encrypted when there is a passphrase."""
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase is not None:
        encryption = serialization.BestAvailableEncryption(passphrase)
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


def from_pem(pem: bytes, *, where: str, passphrase: bytes | None = None, what: str = "passphrase") -> PrivateKey:
    """The private key in a file; RefusedKeyError tells a damaged file from a wrong passphrase, which ``what`` names."""
    encrypted = is_encrypted(pem, where=where)
    if encrypted and not passphrase:
        raise RefusedKeyError(f"{where} is encrypted: give its passphrase in {what}")
    try:
        key = serialization.load_pem_private_key(pem, passphrase if encrypted else None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        if encrypted:
            raise RefusedKeyError(f"{where} cannot be opened: the passphrase is wrong, check {what}") from error
        raise RefusedKeyError(
            f"{where} is damaged: it is no private key in PEM form; restore it from a backup"
        ) from error
    if isinstance(key, _PRIVATE):
        return key
    raise RefusedKeyError(f"{where} holds a key that is used nowhere here: use one of {', '.join(KEY_TYPES)}")


def is_encrypted(pem: bytes, *, where: str) -> bool:
    """Whether a private key is; RefusedKeyError for a damaged file, which OpenSSL reports like a wrong passphrase."""
    return plain(pem, where=where) is None


def plain(pem: bytes, *, where: str) -> bytes | None:
    """A private key in DER, None when it is encrypted; RefusedKeyError as in `is_encrypted`."""
    match = _PEM.search(pem)
    try:
        body = base64.b64decode(match[2], validate=False) if match else b""
    except binascii.Error:
        body = b""
    if not match or not _is_whole_sequence(body):
        raise RefusedKeyError(f"{where} is damaged: it is no private key in PEM form; restore it from a backup")
    return body if match[1] is None else None


def is_of(private: bytes, info_: bytes) -> bool:
    """Whether a private key in DER is that of a SubjectPublicKeyInfo."""
    # Keys of curves and of RSA have the public key in them (RFC 5915, section 3; RFC 8017, A.1.2): nothing is computed.
    if info_[-64:] in private:
        return True
    try:
        key = serialization.load_der_private_key(private, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return False
    return isinstance(key, _PRIVATE) and info(key.public_key()) == info_


def _is_whole_sequence(body: bytes) -> bool:
    try:
        return body[0] == der.SEQUENCE and der.end(body) == len(body)
    except IndexError:
        return False
