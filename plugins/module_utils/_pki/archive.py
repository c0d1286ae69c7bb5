# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.

"""An encrypted stream under a passphrase: what docs/operations.md describes so that it can be read without this code.

    bulwark-ca-archive 1                     kind and format
    {"created": ..., "n": ..., ...}          JSON in one line: parameters of scrypt, the salt
    HMAC-SHA256 of both lines                hexadecimal: tells a wrong passphrase
    SHA-256 of the three lines               hexadecimal: tells a damaged header
    chunks                                   AES-256-GCM, each 65536 bytes and a tag of 16, the last one shorter

scrypt gives 64 bytes: the key of the HMAC, then that of AES. A nonce is the number of the chunk in 11 bytes and a byte
that is 1 for the last chunk, so nothing can be cut off, left out or reordered. The header is authenticated with each.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

from .errors import ArchiveError
from .passphrase import Source

with contextlib.suppress(ImportError):  # _module.py says what is missing
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt


@dataclass(frozen=True)
class Kind:
    """What an archive is of, by its first line."""

    magic: bytes
    what: str
    writer: str


CA = Kind(b"bulwark-ca-archive 1\n", "a CA", "pki_backup")
ACCOUNTS = Kind(b"bulwark-accounts-archive 1\n", "accounts of certbot", "certbot_backup")

_CHUNK = 65536
_TAG = 16

# 128 MiB and a third of a second for each guess. A header asks for no more than 1 GiB.
_COST = {"n": 2**17, "r": 8, "p": 1}
_COST_MAXIMUM = {"n": 2**20, "r": 8, "p": 4}

# A header that is longer is none.
_LINE = 4096


class Writer:
    """A file that encrypts what is written to it, a context manager; without its end, nobody takes it for whole."""

    def __init__(self, stream: IO[bytes], *, passphrase: str, created: str, kind: Kind = CA) -> None:
        """Write the header."""
        salt = secrets.token_bytes(32)
        header = json.dumps({"created": created, **_COST, "salt": salt.hex()}, sort_keys=True).encode() + b"\n"
        keys = _derive(passphrase, salt=salt, **_COST)
        lines = kind.magic + header
        lines += keys.proof(lines) + b"\n"
        stream.write(lines + _sum(lines) + b"\n")
        self._stream = stream
        self._cipher = AESGCM(keys.content)
        self._header = kind.magic + header
        self._number = 0
        self._waiting = bytearray()

    def write(self, content: bytes) -> int:
        """Encrypt what fills chunks; one is always kept, because it could be the last."""
        self._waiting += content
        while len(self._waiting) > _CHUNK:
            self._seal(bytes(self._waiting[:_CHUNK]), last=False)
            del self._waiting[:_CHUNK]
        return len(content)

    def finish(self) -> None:
        """Write the last chunk."""
        self._seal(bytes(self._waiting), last=True)

    def _seal(self, content: bytes, *, last: bool) -> None:
        self._stream.write(self._cipher.encrypt(_nonce(self._number, last=last), content, self._header))
        self._number += 1


class Reader:
    """A file that decrypts; ArchiveError, with ``where`` it is, for a wrong passphrase and for any damage."""

    def __init__(self, stream: IO[bytes], *, where: str, passphrase: Source, kind: Kind = CA) -> None:
        """Read the header and check the passphrase."""
        self._where = where
        header = _read_header(stream, where=where, kind=kind)
        keys = _derive(passphrase.value, salt=header.salt, **header.cost)
        if not hmac.compare_digest(keys.proof(header.authenticated), header.proof):
            raise ArchiveError(f"{where} cannot be opened: the passphrase is wrong, check {passphrase.what}")
        self.created = header.created
        self._cipher = AESGCM(keys.content)
        self._header = header.authenticated
        self._chunks = self._open(stream)
        self._ready = b""

    def read(self, size: int = -1) -> bytes:
        """Up to so many bytes of the content, all of it for -1; fewer only at its end."""
        parts = [self._ready]
        have = len(self._ready)
        while size < 0 or have < size:
            chunk = next(self._chunks, None)
            if chunk is None:
                break
            parts.append(chunk)
            have += len(chunk)
        content = b"".join(parts)
        taken = len(content) if size < 0 else size
        self._ready = content[taken:]
        return content[:taken]

    def _open(self, stream: IO[bytes]) -> Iterator[bytes]:
        number = 0
        sealed = stream.read(_CHUNK + _TAG)
        while True:
            following = stream.read(_CHUNK + _TAG)
            try:
                yield self._cipher.decrypt(_nonce(number, last=not following), sealed, self._header)
            # ValueError: shorter than a tag, in some versions.
            except (InvalidTag, ValueError) as error:
                raise damaged(self._where) from error
            if not following:
                return
            number += 1
            sealed = following


def damaged(where: str) -> ArchiveError:
    """The error for an archive that is not as it was written."""
    return ArchiveError(f"{where} is damaged or incomplete: copy it again, or use another archive")


def is_archive(stream: IO[bytes], *, kind: Kind = CA) -> bool:
    """Whether a file begins as an archive of this kind, of any format, does."""
    return stream.read(len(kind.magic) - 2) == kind.magic[:-2]


@dataclass(frozen=True)
class _Keys:
    header: bytes
    content: bytes

    def proof(self, authenticated: bytes) -> bytes:
        return hmac.new(self.header, authenticated, hashlib.sha256).hexdigest().encode()


@dataclass(frozen=True)
class _Header:
    created: str
    salt: bytes
    cost: dict[str, int]
    authenticated: bytes
    proof: bytes


def _read_header(stream: IO[bytes], *, where: str, kind: Kind) -> _Header:
    magic, header, proof, total = (stream.readline(_LINE) for _number in range(4))
    if magic != kind.magic:
        if magic[:-2] == kind.magic[:-2]:
            raise ArchiveError(f"{where} has a format that this version does not know: update the collection")
        raise ArchiveError(f"{where} is no archive of {kind.what}: give a file that {kind.writer} wrote")
    if total != _sum(magic + header + proof) + b"\n":
        raise damaged(where)
    try:
        found: dict[str, Any] = json.loads(header)
        cost = {name: int(found[name]) for name in _COST}
        salt = bytes.fromhex(found["salt"])
        created = str(found["created"])
    except (ValueError, KeyError, TypeError) as error:
        raise damaged(where) from error
    if any(cost[name] > most for name, most in _COST_MAXIMUM.items()):
        raise damaged(where)
    return _Header(created=created, salt=salt, cost=cost, authenticated=magic + header, proof=proof.strip())


def _derive(passphrase: str, *, salt: bytes, n: int, r: int, p: int) -> _Keys:
    derived = Scrypt(salt=salt, length=64, n=n, r=r, p=p).derive(passphrase.encode())
    return _Keys(header=derived[:32], content=derived[32:])


def _sum(lines: bytes) -> bytes:
    return hashlib.sha256(lines).hexdigest().encode()


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])
