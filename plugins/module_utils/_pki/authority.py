# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.

"""The CA directory: a root and an issuing CA with encrypted keys, the ledger, and nothing that others can read.

    DIRECTORY/            0700
      .lock               held by whoever changes something
      ledger.sqlite       0600
      root-1/             0700  cert.pem, key.pem (0600, encrypted; may be taken offline), crl.pem
      issuing-1/          0700  cert.pem, key.pem (0600, encrypted)

Each CA is a folder that appears in one rename, complete, after the ledger knows its certificate. The number leaves
room for a successor beside it.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import errno
import fcntl
import os
import shutil
import stat
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from . import build, certificates, crl, keys, ledger
from .drift import drift
from .errors import AuthorityError

with contextlib.suppress(ImportError):  # _module.py says what is missing
    from cryptography import x509

ROOT = "root-1"
ISSUING = "issuing-1"
LEDGER = "ledger.sqlite"

# How long a run waits for another one that changes the same directory.
LOCK_SECONDS = 60


@dataclass(frozen=True)
class Passphrase:
    """A passphrase and the name of the setting it comes from, for messages."""

    value: str
    what: str


def issuing_passphrase(value: str) -> Passphrase:
    """The passphrase of the issuing CA as the modules are given it."""
    return Passphrase(value, "passphrase (role variable pki_passphrase)")


@dataclass(frozen=True)
class Wanted:
    """What a new authority should be."""

    root: build.Spec
    issuing: build.Spec
    root_passphrase: Passphrase
    issuing_passphrase: Passphrase


@dataclass(frozen=True)
class Ca:
    """One CA on disk."""

    directory: Path
    certificate: x509.Certificate

    @property
    def key_path(self) -> Path:
        """Where its key is, unless it was taken offline."""
        return self.directory / "key.pem"

    def unlock(self, passphrase: Passphrase) -> build.Signer:
        """The CA with its key; RefusedKeyError for a wrong passphrase or a damaged file, AuthorityError without one."""
        if not self.key_path.exists():
            raise AuthorityError(
                f"{self.key_path} is missing: bring the key back from where it is kept offline, then run again"
            )
        key = keys.from_pem(
            self.key_path.read_bytes(),
            where=str(self.key_path),
            passphrase=passphrase.value.encode(),
            what=passphrase.what,
        )
        if keys.fingerprint(key.public_key()) != keys.fingerprint(keys.check_public(self.certificate.public_key())):
            raise AuthorityError(f"{self.key_path} does not belong to cert.pem beside it: restore both from one backup")
        return build.Signer(certificate=self.certificate, key=key)


@dataclass(frozen=True)
class Authority:
    """A CA directory that was read and found in order."""

    directory: Path
    root: Ca
    issuing: Ca

    @property
    def chain(self) -> str:
        """What a server sends after its own certificate, in PEM: the CAs between it and the root."""
        return certificates.to_pem(self.issuing.certificate)

    @property
    def bundle(self) -> str:
        """What peers trust, in PEM: the root first, then the issuing CA."""
        return certificates.to_pem(self.root.certificate) + self.chain

    @property
    def root_list(self) -> str:
        """The root's revocation list in PEM, '' for a CA that was made before there was one."""
        path = self.root.directory / "crl.pem"
        return path.read_text(encoding="ascii") if path.is_file() else ""

    def open_ledger(self) -> ledger.Ledger:
        """The ledger of this authority."""
        return ledger.Ledger(self.directory / LEDGER)


def missing(directory: Path) -> list[str]:
    """What has to be created, as reasons; AuthorityError when something was lost that must not be created anew."""
    found = {name: (directory / name).is_dir() for name in (ROOT, ISSUING)}
    if all(found.values()):
        return []
    _refuse_what_was_lost(directory, found)
    return [
        f"{directory} has no {name} CA"
        for name, exists in (("root", found[ROOT]), ("issuing", found[ISSUING]))
        if not exists
    ]


def load(directory: Path) -> Authority:
    """The authority in a directory; AuthorityError when it is incomplete, or for every path open to others."""
    lacking = missing(directory)
    if lacking:
        raise AuthorityError(
            f"{'; '.join(lacking)}: create the authority first (module pki_authority), or correct the directory"
        )
    check_modes(directory)
    return Authority(directory=directory, root=_read(directory / ROOT), issuing=_read(directory / ISSUING))


def find(directory: Path) -> Authority | None:
    """The authority in a directory, None where it is still to be created; AuthorityError for what `load` refuses."""
    return None if missing(directory) else load(directory)


def create(directory: Path, wanted: Wanted, *, now: dt.datetime) -> Authority:
    """The authority in a directory, what is missing of it created first; killed at any point, it can run again."""
    with disk_errors(directory):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with locked(directory):
        if missing(directory):
            check_modes(directory)
            _complete(directory, wanted, now=now)
    return load(directory)


def check_modes(directory: Path) -> None:
    """AuthorityError that names every path of the CA which others than its owner may use."""
    private = [
        directory,
        directory / LEDGER,
        *(directory / name / file for name in (ROOT, ISSUING) for file in ("", "key.pem")),
    ]
    findings = []
    for path in private:
        with contextlib.suppress(FileNotFoundError):
            mode = stat.S_IMODE(path.stat().st_mode)
            if mode & 0o077:
                wanted = 0o700 if path.is_dir() else 0o600
                findings.append(f"{path} has mode {mode:04o}, which lets others in: run chmod {wanted:04o} {path}")
    if findings:
        raise AuthorityError("; ".join(findings))


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Be the only one who changes this directory; AuthorityError when another run does not end."""
    with disk_errors(directory):
        descriptor = os.open(directory / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _take(descriptor, directory)
        yield
    finally:
        os.close(descriptor)


def differences(authority: Authority, wanted: Wanted, *, now: dt.datetime) -> list[str]:
    """Where an existing authority is not what is wanted now; nothing changes it in place."""
    pairs = ((ROOT, authority.root, wanted.root), (ISSUING, authority.issuing, wanted.issuing))
    return [
        f"{authority.directory / name}: {reason}"
        for name, ca, spec in pairs
        for reason in drift(ca.certificate, spec, now=now)
    ]


def _refuse_what_was_lost(directory: Path, found: dict[str, bool]) -> None:
    """An interrupted creation has signed no leaf yet: when the ledger knows leaves, a CA that is missing was lost."""
    if not (directory / LEDGER).exists():
        if any(found.values()):
            raise AuthorityError(f"{directory / LEDGER} is missing: restore the CA directory from a backup")
        return
    with ledger.Ledger(directory / LEDGER) as book:
        issued = book.count_leaves()
    if issued or (found[ISSUING] and not found[ROOT]):
        lost = [str(directory / name) for name, exists in found.items() if not exists]
        raise AuthorityError(
            f"{' and '.join(lost)} is missing, but the ledger knows {issued} certificates that were issued: "
            "restore the CA directory from a backup"
        )


def _complete(directory: Path, wanted: Wanted, *, now: dt.datetime) -> None:
    keys.check_passphrase(wanted.root_passphrase.value, what=wanted.root_passphrase.what)
    keys.check_passphrase(wanted.issuing_passphrase.value, what=wanted.issuing_passphrase.what)
    with disk_errors(directory):
        if not (directory / LEDGER).exists():
            ledger.create(directory / LEDGER)
        if not (directory / ROOT).exists():
            key = keys.generate(wanted.root.key_type or wanted.root.profile.key_type)
            root = build.root(wanted.root, key, now=now)
            files = {"crl.pem": _empty_list(build.Signer(certificate=root, key=key), now=now)}
            _store(directory / ROOT, root, key, "root", wanted.root_passphrase, files)
        if not (directory / ISSUING).exists():
            signer = _read(directory / ROOT).unlock(wanted.root_passphrase)
            key = keys.generate(wanted.issuing.key_type or wanted.issuing.profile.key_type)
            certificate = build.certificate(wanted.issuing, key.public_key(), signer, now=now)
            _store(directory / ISSUING, certificate, key, "issuing", wanted.issuing_passphrase)


def _empty_list(root: build.Signer, *, now: dt.datetime) -> bytes:
    """The root's revocation list, as PEM and good as long as the root: its key is offline when another would be due.

    The root certifies issuing CAs only, which are replaced and not revoked. Servers that check every CA of a client's
    chain, as nginx does (X509_V_FLAG_CRL_CHECK_ALL), refuse all clients without it.
    """
    lifetime = certificates.not_after(root.certificate) - now
    return crl.to_pem(crl.build(root, (), number=1, lifetime=lifetime, url="", now=now))


def _store(
    target: Path,
    certificate: x509.Certificate,
    key: keys.PrivateKey,
    profile: str,
    passphrase: Passphrase,
    files: Mapping[str, bytes] = MappingProxyType({}),
) -> None:
    """Write the folder of a CA beside its place, record the certificate, then rename.

    Killed before the rename, the next run starts over with another key; the ledger then knows a CA that nobody saw.
    """
    staged = target.with_name(f".{target.name}.new")
    if staged.exists():
        shutil.rmtree(staged)
    staged.mkdir(mode=0o700)
    _write(staged / "key.pem", keys.to_pem(key, passphrase=passphrase.value.encode()), mode=0o600)
    _write(staged / "cert.pem", certificates.to_pem(certificate).encode(), mode=0o644)
    for name, content in files.items():
        _write(staged / name, content, mode=0o644)
    _sync(staged)
    with ledger.Ledger(target.parent / LEDGER) as book:
        book.record([ledger.Entry(certificate=certificate, profile=profile)])
    os.rename(staged, target)
    _sync(target.parent)


def _read(directory: Path) -> Ca:
    path = directory / "cert.pem"
    if not path.is_file():
        raise AuthorityError(f"{path} is missing: restore the CA directory from a backup")
    return Ca(directory=directory, certificate=certificates.from_pem(path.read_bytes(), where=str(path)))


def _write(path: Path, content: bytes, *, mode: int) -> None:
    with open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode), "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _take(descriptor: int, directory: Path) -> None:
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise AuthorityError(
                    f"{directory} has been in use by another run for {LOCK_SECONDS} seconds: wait for it to end"
                ) from None
        time.sleep(0.05)


@contextlib.contextmanager
def disk_errors(directory: Path) -> Iterator[None]:
    """Turn what the kernel reports about files below a directory into AuthorityError with the remedy."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise AuthorityError(
                f"{directory} cannot be written, the disk is full: free space, then run again"
            ) from error
        raise AuthorityError(
            f"{error.filename or directory} cannot be used ({error.strerror}): check its owner and mode"
        ) from error
