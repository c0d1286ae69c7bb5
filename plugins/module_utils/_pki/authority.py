# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.

"""The CA directory: root and issuing CAs with encrypted keys, the ledger, and nothing that others can read.

    DIRECTORY/            0700
      .lock               held by whoever changes something
      ledger.sqlite       0600
      root-1/             0700  cert.pem, key.pem (0600, encrypted; may be taken offline)
      issuing-1/          0700  cert.pem, key.pem (0600, encrypted)
      root-2/, ...              a successor, see rollover.py; cross.pem is its certificate by the root before it

Each CA is a folder that appears in one rename, complete, after the ledger knows its certificate and its phase.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import errno
import fcntl
import os
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from . import build, certificates, external, keys, ledger, permissions, profiles
from .drift import drift
from .errors import AuthorityError
from .names import check_title
from .passphrase import Source

with contextlib.suppress(ImportError):  # _module.py says what is missing
    from cryptography import x509

ROOT = "root"
ISSUING = "issuing"
KINDS = (ROOT, ISSUING)
# The phases of a CA, in the order of its life: INTRODUCED is trusted and signs nothing yet, one CA of each kind is
# SIGNING, REPLACED has certificates that are due, CUT_OVER has none that count, RETIRED is trusted no more. CANCELLED
# was introduced, never signed for anybody, and is trusted no more.
INTRODUCED, SIGNING, REPLACED, CUT_OVER, RETIRED = "introduced", "signing", "replaced", "cut_over", "retired"
CANCELLED = "cancelled"
LEFT = (RETIRED, CANCELLED)

LEDGER = "ledger.sqlite"

# How long a run waits for another one that changes the same directory.
LOCK_SECONDS = 60

_NAME = re.compile(r"(root|issuing)-([1-9][0-9]*)")


@dataclass(frozen=True)
class Wanted:
    """What a new authority should be."""

    root: build.Spec
    issuing: build.Spec
    root_passphrase: Source
    issuing_passphrase: Source
    # Where what is published is served; issuing CAs name the files of their root there.
    publish_url: str = ""
    # Keys of new CAs that are in tokens; without, a key is made and written.
    root_signer: external.Signer | None = None
    issuing_signer: external.Signer | None = None


def nth_name(kind: str, number: int) -> str:
    """The name of the CA of that kind and generation: of its folder, and of its files where they are published."""
    return f"{kind}-{number}"


@dataclass(frozen=True)
class Ca:
    """One CA on disk; `cross` is the certificate that the root before gave a root, if it did."""

    directory: Path
    certificate: x509.Certificate
    phase: str = SIGNING
    since: dt.datetime | None = None
    cross: x509.Certificate | None = None

    @property
    def name(self) -> str:
        """Such as `issuing-1`."""
        return self.directory.name

    @property
    def kind(self) -> str:
        """ROOT or ISSUING."""
        return self.name.partition("-")[0]

    @property
    def number(self) -> int:
        """Which generation it is."""
        return int(self.name.partition("-")[2])

    @property
    def key_id(self) -> str:
        """What the ledger calls the issuer of its certificates."""
        return certificates.key_id(self.certificate)

    @property
    def trusted(self) -> bool:
        """Whether peers have it in their bundle."""
        return self.phase not in LEFT

    @property
    def key_path(self) -> Path:
        """Where its key is, unless it was taken offline."""
        return self.directory / "key.pem"

    @property
    def signer_path(self) -> Path:
        """What names the program that signs, where the key is in a token; it goes before a key in a file."""
        return self.directory / "signer.json"

    @property
    def key_is_here(self) -> bool:
        """Whether it could sign now, with the passphrase."""
        return self.signer_path.exists() or self.key_path.exists()

    def unlock(self, passphrase: Source) -> build.Signer:
        """The CA with its key; RefusedKeyError for a wrong passphrase or a damaged file, AuthorityError without one."""
        if self.signer_path.exists():
            program = external.read(self.signer_path)
            public_key = keys.check_public(self.certificate.public_key())
            held = external.key(program, public_key, passphrase=passphrase)
            return build.Signer(certificate=self.certificate, key=held)
        if not self.key_is_here:
            raise AuthorityError(offline(self))
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
    """A CA directory that was read and found in order; its CAs in a fixed order, roots first, the oldest first."""

    directory: Path
    cas: tuple[Ca, ...]

    @property
    def issuing(self) -> Ca:
        """The issuing CA that signs now."""
        return next(ca for ca in self.cas if ca.kind == ISSUING and ca.phase == SIGNING)

    @property
    def root(self) -> Ca:
        """The root above the issuing CA that signs now."""
        return self.root_of(self.issuing)

    def root_of(self, ca: Ca) -> Ca:
        """The root that certified an issuing CA, a root itself; AuthorityError when its folder is gone."""
        above = certificates.issuer_key_id(ca.certificate)
        for root in self.cas:
            if root.kind == ROOT and root.key_id == above:
                return root
        raise AuthorityError(
            f"{self.directory} has no root that certified {ca.name}: restore the CA directory from a backup"
        )

    @property
    def chain(self) -> str:
        """What is sent after a certificate that is issued now, in PEM: the CAs between it and the root.

        While peers may know the root before only, the new root's certificate by that one is among them.
        """
        between = [self.issuing.certificate]
        cross = self.root.cross
        if cross is not None and self._is_trusted(certificates.issuer_key_id(cross)):
            between.append(cross)
        return "".join(map(certificates.to_pem, between))

    @property
    def trusted(self) -> tuple[Ca, ...]:
        """The CAs that peers trust: all but those that left."""
        return tuple(ca for ca in self.cas if ca.trusted)

    @property
    def bundle(self) -> str:
        """What peers trust, in PEM: the roots first, then the issuing CAs.

        It changes when a CA is introduced, retired or cancelled, and at no other time: brokers restart for it.
        """
        return "".join(certificates.to_pem(ca.certificate) for ca in self.trusted)

    def open_ledger(self) -> ledger.Ledger:
        """The ledger of this authority."""
        return ledger.Ledger(self.directory / LEDGER)

    def signer(self, passphrase: Source) -> build.Signer:
        """The CA that signs now, with its key; hold the lock. AuthorityError when another run made another CA sign."""
        signing = load(self.directory).issuing.name
        if signing != self.issuing.name:
            raise AuthorityError(
                f"{self.directory}: another run made {signing} sign in the place of {self.issuing.name}; run again"
            )
        return self.issuing.unlock(passphrase)

    def _is_trusted(self, key_id: str) -> bool:
        return any(ca.key_id == key_id for ca in self.trusted)


def offline(ca: Ca) -> str:
    """What to do about a key that is needed and not there, with what tells the right one."""
    fingerprint = keys.fingerprint(keys.check_public(ca.certificate.public_key()))
    return (
        f"{ca.key_path} is missing: bring back the key of {certificates.common_name(ca.certificate)} (SHA-256 of its "
        f"public key: {fingerprint}) from where it is kept offline, then run again"
    )


def missing(directory: Path) -> list[str]:
    """What has to be created, as reasons; AuthorityError when something was lost that must not be created anew."""
    expected = _expected(_standings(directory))
    found = {name: (directory / name).is_dir() for name in expected}
    if all(found.values()):
        return []
    _refuse_what_was_lost(directory, found)
    return [f"{directory} has no {name.partition('-')[0]} CA" for name, exists in found.items() if not exists]


def load(directory: Path) -> Authority:
    """The authority in a directory; AuthorityError when it is incomplete, or for every path open to others."""
    lacking = missing(directory)
    if lacking:
        raise AuthorityError(
            f"{'; '.join(lacking)}: create the authority first (module pki_authority), or correct the directory"
        )
    check_modes(directory)
    standings = _standings(directory)
    return Authority(directory=directory, cas=tuple(_read(directory / name, standings) for name in names(directory)))


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
    """PermissionsError that names every path of the CA which others than its owner may use, and who can replace it."""
    files = ("", "key.pem", "signer.json")
    permissions.check_directory(
        directory,
        [directory, directory / LEDGER, *(directory / name / file for name in names(directory) for file in files)],
    )


@contextlib.contextmanager
def alone(directory: Path) -> Iterator[None]:
    """Be the only one who restores something in this directory; AuthorityError when another run does not end."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _take(descriptor, directory)
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Be the only one who changes this directory; AuthorityError when another run does not end."""
    path = directory / ".lock"
    while True:
        with disk_errors(directory):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            _take(descriptor, directory)
            # The directory may have been replaced by a restored one meanwhile: then this lock is that of the old one.
            if _is_at(descriptor, path):
                yield
                return
        finally:
            os.close(descriptor)


def differences(authority: Authority, wanted: Wanted, *, now: dt.datetime) -> list[str]:
    """Where the CAs that sign are not what is wanted now; nothing changes them in place."""
    pairs = ((authority.root, wanted.root), (authority.issuing, wanted.issuing))
    return [
        f"{ca.directory}: {reason}"
        for ca, spec in pairs
        for reason in drift(ca.certificate, nth(spec, ca.number), now=now)
    ]


def nth(spec: build.Spec, number: int) -> build.Spec:
    """What the CA of this generation should be: from the second on, its name has the number.

    Two CAs of one name in a bundle are told apart by key identifiers alone, which not every program looks at.
    """
    if number == 1:
        return spec
    return spec._replace(common_name=check_title(f"{spec.common_name} {number}", what="common name"))


def add(
    directory: Path,
    name: str,
    *,
    certificate: x509.Certificate,
    key: keys.PrivateKey,
    passphrase: Source,
    phase: str,
    now: dt.datetime,
    cross: x509.Certificate | None = None,
) -> None:
    """Write the folder of a CA beside its place, record the certificate, then rename; hold the lock.

    Killed before the rename, the next run starts over with another key; the ledger then knows a CA that nobody saw.
    """
    target, staged = directory / name, directory / f".{name}.new"
    if staged.exists():
        shutil.rmtree(staged)
    staged.mkdir(mode=0o700)
    command = external.command_of(key)
    if command:
        _write(staged / "signer.json", external.written(command), mode=0o600)
    else:
        _write(staged / "key.pem", keys.to_pem(key, passphrase=passphrase.value.encode()), mode=0o600)
    _write(staged / "cert.pem", certificates.to_pem(certificate).encode(), mode=0o644)
    entries = [ledger.Entry(certificate=certificate, profile=name.partition("-")[0])]
    if cross is not None:
        _write(staged / "cross.pem", certificates.to_pem(cross).encode(), mode=0o644)
        entries.append(ledger.Entry(certificate=cross, profile="cross"))
    sync(staged)
    with ledger.Ledger(directory / LEDGER) as book:
        book.record_authority(entries, name=name, phase=phase, at=now)
    os.rename(staged, target)
    sync(directory)


def _standings(directory: Path) -> dict[str, ledger.Standing]:
    """The phase of each CA by its name; a ledger that is missing, or was made before there were phases, has none."""
    if not (directory / LEDGER).exists():
        return {}
    with ledger.Ledger(directory / LEDGER) as book:
        return book.standings()


def _expected(standings: dict[str, ledger.Standing]) -> list[str]:
    """The CAs that have to be there, at least one of each kind.

    Not those that were introduced: before the folder is there, nobody saw the CA. Nor those that left: their keys may
    be destroyed.
    """
    needed = [name for name, standing in standings.items() if standing.phase not in (INTRODUCED, *LEFT)]
    names = [
        *needed,
        *(nth_name(kind, 1) for kind in KINDS if not any(name.startswith(f"{kind}-") for name in needed)),
    ]
    return sorted(names, key=_order)


def names(directory: Path) -> list[str]:
    """The folders of CAs, in the order of `Authority.cas`."""
    try:
        found = [path.name for path in directory.iterdir() if _NAME.fullmatch(path.name) and path.is_dir()]
    except FileNotFoundError:
        return []
    return sorted(found, key=_order)


def _order(name: str) -> tuple[int, int]:
    kind, _separator, number = name.partition("-")
    return KINDS.index(kind), int(number)


def _refuse_what_was_lost(directory: Path, found: dict[str, bool]) -> None:
    """An interrupted creation has signed no leaf yet: when the ledger knows leaves, a CA that is missing was lost."""
    lost = [name for name, exists in found.items() if not exists]
    if not (directory / LEDGER).exists():
        if any(found.values()):
            raise AuthorityError(f"{directory / LEDGER} is missing: restore the CA directory from a backup")
        return
    with ledger.Ledger(directory / LEDGER) as book:
        issued = book.count_leaves()
    orphaned = any(exists for name, exists in found.items() if name.startswith(ISSUING)) and any(
        name.startswith(ROOT) for name in lost
    )
    if issued or orphaned or any(name not in (nth_name(kind, 1) for kind in KINDS) for name in lost):
        raise AuthorityError(
            f"{' and '.join(str(directory / name) for name in lost)} is missing, but the ledger knows {issued} "
            "certificates that were issued: restore the CA directory from a backup"
        )


def _complete(directory: Path, wanted: Wanted, *, now: dt.datetime) -> None:
    check_passphrases(wanted)
    root, issuing = nth_name(ROOT, 1), nth_name(ISSUING, 1)
    with disk_errors(directory):
        if not (directory / LEDGER).exists():
            ledger.create(directory / LEDGER)
        if not (directory / root).exists():
            add_root(directory, root, wanted, phase=SIGNING, now=now)
        if not (directory / issuing).exists():
            add_issuing(directory, issuing, wanted, _read(directory / root, {}), phase=SIGNING, now=now)


def check_passphrases(wanted: Wanted) -> None:
    """RefusedKeyError for a passphrase that is too short for a new key."""
    pairs = ((wanted.root_passphrase, wanted.root_signer), (wanted.issuing_passphrase, wanted.issuing_signer))
    for passphrase, signer in pairs:
        # A PIN is short: a token counts wrong ones.
        if signer is None:
            keys.check_passphrase(passphrase.value, what=passphrase.what)


def add_root(
    directory: Path,
    name: str,
    wanted: Wanted,
    *,
    phase: str,
    now: dt.datetime,
    certified_by: Ca | None = None,
) -> None:
    """Add a root, with a certificate by another one when that is given, whose key it takes; hold the lock."""
    spec = nth(wanted.root, int(name.partition("-")[2]))
    key = _new_key(directory, spec, wanted.root_signer, wanted.root_passphrase)
    cross = None
    if certified_by is not None:
        urls = build.urls_below(wanted.publish_url, certified_by.name, answered=False)
        signer = certified_by.unlock(wanted.root_passphrase)
        cross_spec = spec._replace(profile=profiles.get("cross"), urls=urls)
        cross = build.certificate(cross_spec, key.public_key(), signer, now=now)
    certificate = build.root(spec, key, now=now)
    add(
        directory, name,
        certificate=certificate, key=key, passphrase=wanted.root_passphrase, phase=phase, now=now, cross=cross,
    )  # fmt: skip


def add_issuing(directory: Path, name: str, wanted: Wanted, root: Ca, *, phase: str, now: dt.datetime) -> None:
    """Add an issuing CA below a root, whose key it takes; hold the lock."""
    urls = build.urls_below(wanted.publish_url, root.name, answered=False)
    spec = nth(wanted.issuing, int(name.partition("-")[2]))._replace(urls=urls)
    signer = root.unlock(wanted.root_passphrase)
    key = _new_key(directory, spec, wanted.issuing_signer, wanted.issuing_passphrase)
    certificate = build.certificate(spec, key.public_key(), signer, now=now)
    add(
        directory, name,
        certificate=certificate, key=key, passphrase=wanted.issuing_passphrase, phase=phase, now=now,
    )  # fmt: skip


def _new_key(directory: Path, spec: build.Spec, signer: external.Signer | None, passphrase: Source) -> keys.PrivateKey:
    """A key of the type that the CA should have, or the one in a token, which no other CA here may have."""
    wanted = spec.key_type or spec.profile.key_type
    if signer is None:
        return keys.generate(wanted)
    key = signer.key(passphrase)
    found = keys.type_of(key.public_key())
    if found != wanted:
        raise AuthorityError(f"{signer.what} names a key of type {found}, wanted is {wanted}: set the type of the key")
    # By fingerprint: keys themselves compare since cryptography 40.
    own = keys.fingerprint(key.public_key())
    for name in names(directory):
        if keys.fingerprint(keys.check_public(_read_certificate(directory / name).public_key())) == own:
            raise AuthorityError(f"{signer.what} names the key of {name}: make another key in the token")
    external.prove(key)
    return key


def _read_certificate(directory: Path) -> x509.Certificate:
    path = directory / "cert.pem"
    if not path.is_file():
        raise AuthorityError(f"{path} is missing: restore the CA directory from a backup")
    return certificates.from_pem(path.read_bytes(), where=str(path))


def _read(directory: Path, standings: dict[str, ledger.Standing]) -> Ca:
    certificate = _read_certificate(directory)
    cross = directory / "cross.pem"
    standing = standings.get(directory.name)
    if standing is None and int(directory.name.partition("-")[2]) > 1:
        raise AuthorityError(f"{directory} is not known to the ledger: restore the whole CA directory from one backup")
    return Ca(
        directory=directory,
        certificate=certificate,
        phase=standing.phase if standing else SIGNING,
        since=standing.since if standing else None,
        cross=certificates.from_pem(cross.read_bytes(), where=str(cross)) if cross.exists() else None,
    )


def _write(path: Path, content: bytes, *, mode: int) -> None:
    with open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode), "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def sync(directory: Path) -> None:
    """Make what was created, renamed or removed in a directory durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


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
