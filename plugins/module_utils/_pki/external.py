# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.

"""A key that only a program can use: in a PKCS#11 token, for example.

The program is started without a shell for each signature. It reads from its standard input what the raw mechanisms of
every token take: for ECDSA the digest (CKM_ECDSA), for RSA the digest in a DigestInfo (CKM_RSA_PKCS). It writes the
signature to its standard output: for RSA as it is, for ECDSA in DER or as r and s side by side, as PKCS#11 has them.
The passphrase of the CA, here the PIN, is in its environment as BULWARK_PASSPHRASE.

Each signature is verified before it is used, so a wrong key, PIN or program issues nothing.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from . import keys, programs
from .errors import SignerError
from .passphrase import Source

with contextlib.suppress(ImportError):  # _module.py says what is missing
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

PASSPHRASE_VARIABLE = "BULWARK_PASSPHRASE"

# DigestInfo of SHA-256 up to the digest itself (RFC 8017, 9.2, note 1).
_SHA256_INFO = bytes.fromhex("3031300d060960864801650304020105000420")


@dataclass(frozen=True)
class Program:
    """What signs, and for messages the file or the option that names it."""

    command: tuple[str, ...]
    where: str

    def sign(self, content: bytes, *, passphrase: str) -> bytes:
        """What it returns for this content; SignerError with what it said when it failed."""
        return programs.run(
            self.command,
            where=f"{self.where}:",
            error=SignerError,
            remedy="check the token and its PIN",
            content=content,
            secret=(PASSPHRASE_VARIABLE, passphrase),
        )


@dataclass(frozen=True)
class Signer:
    """A key in a token for a new CA: what signs with it, and its public half in PEM; ``what`` names the option."""

    command: tuple[str, ...]
    public_key: str
    what: str

    def key(self, passphrase: Source) -> keys.PrivateKey:
        """The key; SignerError for a public key that cannot be read, RefusedKeyError for one that is not used here."""
        try:
            public_key = serialization.load_pem_public_key(self.public_key.encode())
        except (ValueError, UnsupportedAlgorithm) as error:
            raise SignerError(f"{self.what}: public_key cannot be read, give it in PEM form") from error
        program = Program(command=self.command, where=self.what)
        return key(program, keys.check_public(public_key), passphrase=passphrase)


def prove(key_: keys.PrivateKey) -> None:
    """Sign something, so that a wrong PIN or key is found before it matters; a key in memory needs no proof."""
    if isinstance(key_, _EcKey):
        key_.sign(b"bulwark", ec.ECDSA(hashes.SHA256()))
    elif isinstance(key_, _RsaKey):
        key_.sign(b"bulwark", padding.PKCS1v15(), hashes.SHA256())


def command_of(key_: keys.PrivateKey) -> tuple[str, ...]:
    """The command that signs with a key; () for a key in memory."""
    return key_.program.command if isinstance(key_, (_EcKey, _RsaKey)) else ()


def key(program: Program, public_key: keys.PublicKey, *, passphrase: Source) -> keys.PrivateKey:
    """A private key as cryptography's builders take it; SignerError for a type that has no raw mechanism everywhere."""
    if isinstance(public_key, ec.EllipticCurvePublicKey):
        return _EcKey(program, public_key, passphrase)
    if isinstance(public_key, rsa.RSAPublicKey):
        return _RsaKey(program, public_key, passphrase)
    raise SignerError(
        f"{program.where}: a key of type {keys.type_of(public_key)} cannot be used through a program: "
        "use one of ec-p256, ec-p384, rsa-3072, rsa-4096"
    )


def written(command: Sequence[str]) -> bytes:
    """The content of a file that names a program."""
    return (json.dumps({"command": list(command)}, indent=2) + "\n").encode()


def read(path: Path) -> Program:
    """The program that a file names; SignerError for a file that does not name one."""
    try:
        command = json.loads(path.read_bytes())["command"]
    except (ValueError, KeyError, TypeError) as error:
        raise SignerError(_damaged(path)) from error
    if not isinstance(command, list) or not command or not all(isinstance(part, str) for part in command):
        raise SignerError(_damaged(path))
    return Program(command=tuple(command), where=str(path))


def _damaged(path: Path) -> str:
    return f'{path} is damaged: expected is {{"command": ["program", "argument", ...]}}; restore it from a backup'


with contextlib.suppress(NameError):  # without cryptography there is nothing to derive from

    class _Program:
        """What both types of key share: everything but signing stays in the token."""

        def _init(self, program: Program, passphrase: Source) -> None:
            self.program = program
            self._passphrase = passphrase

        def _sign(self, content: bytes) -> bytes:
            return self.program.sign(content, passphrase=self._passphrase.value)

        def _foreign(self) -> SignerError:
            return SignerError(
                f"{self.program.where}: {' '.join(self.program.command)} returned no signature of the CA's key: "
                "name the key that belongs to its certificate"
            )

        def _refuse(self, *_arguments: object, **_named: object) -> NoReturn:
            raise SignerError(f"{self.program.where}: the key is in a token, which signs and does nothing else")

    class _EcKey(_Program, ec.EllipticCurvePrivateKey):
        def __init__(self, program: Program, public_key: ec.EllipticCurvePublicKey, passphrase: Source) -> None:
            self._init(program, passphrase)
            self._public_key = public_key

        def public_key(self) -> ec.EllipticCurvePublicKey:
            return self._public_key

        @property
        def curve(self) -> ec.EllipticCurve:
            return self._public_key.curve

        @property
        def key_size(self) -> int:
            return self._public_key.key_size

        def sign(
            self, data: bytes | bytearray | memoryview, signature_algorithm: ec.EllipticCurveSignatureAlgorithm
        ) -> bytes:
            algorithm = signature_algorithm.algorithm
            if not isinstance(algorithm, hashes.HashAlgorithm):
                self._refuse()
            returned = self._sign(_digest(data, algorithm))
            for signature in (returned, _joined(returned)):
                with contextlib.suppress(InvalidSignature):
                    self._public_key.verify(signature, data, signature_algorithm)
                    return signature
            raise self._foreign()

        exchange = private_numbers = private_bytes = __copy__ = __deepcopy__ = _Program._refuse

    class _RsaKey(_Program, rsa.RSAPrivateKey):
        def __init__(self, program: Program, public_key: rsa.RSAPublicKey, passphrase: Source) -> None:
            self._init(program, passphrase)
            self._public_key = public_key

        def public_key(self) -> rsa.RSAPublicKey:
            return self._public_key

        @property
        def key_size(self) -> int:
            return self._public_key.key_size

        def sign(self, data: bytes | bytearray | memoryview, scheme: object, algorithm: object) -> bytes:
            if not isinstance(scheme, padding.PKCS1v15) or not isinstance(algorithm, hashes.SHA256):
                self._refuse()
            signature = self._sign(_SHA256_INFO + _digest(data, algorithm))
            try:
                self._public_key.verify(signature, bytes(data), scheme, algorithm)
            except InvalidSignature:
                raise self._foreign() from None
            return signature

        decrypt = private_numbers = private_bytes = __copy__ = __deepcopy__ = _Program._refuse


def _digest(data: bytes | bytearray | memoryview, algorithm: hashes.HashAlgorithm) -> bytes:
    digest = hashes.Hash(algorithm)
    digest.update(data)
    return digest.finalize()


def _joined(signature: bytes) -> bytes:
    """The DER form of r and s side by side."""
    half = len(signature) // 2
    return encode_dss_signature(int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big"))
