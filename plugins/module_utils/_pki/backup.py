# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.

"""Backing up a CA directory while it is in use, and restoring it: the old CA or the new one, never a mixture.

An archive is a tar stream in what archive.py encrypts. Its first member, `manifest.json`, says what is in it; then come
a snapshot of the ledger and everything else in the directory but locks, unfinished files and what is published, which
can be made again. Keys are in it as they are on disk, encrypted under their own passphrases too.

A restored CA is made complete in `.NAME.restored` beside its place. A rename puts it into a free place; where a CA is
replaced, the kernel exchanges the two, and the old one is kept as `NAME.replaced-TIME`.
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import datetime as dt
import errno
import hashlib
import io
import json
import os
import shutil
import stat
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from . import archive, authority, crl, ledger, lifetimes, permissions
from .errors import ArchiveError, LedgerError, PkiError
from .passphrase import Source

_MANIFEST = "manifest.json"

# How often a directory that changes while it is read is read again.
_ATTEMPTS = 5

# A folder that is being filled has it; one without is complete and may be the only copy of a CA.
_UNFINISHED = ".unfinished"

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


@dataclass(frozen=True)
class Manifest:
    """What an archive says about itself."""

    created: str
    state: str
    certificates: int
    revoked: int
    root_key: bool


@dataclass(frozen=True)
class Backup:
    """The archive that is there now, or would be, and why it was written; no reasons: nothing changed since."""

    manifest: Manifest
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Order:
    """What is restored where; the switches allow what could lose something."""

    source: Path
    directory: Path
    published: Path
    replace: bool = False
    older: bool = False


@dataclass(frozen=True)
class Restored:
    """What was restored, or would be, and where the old CA was put; no reasons: it is there as it is in the archive."""

    manifest: Manifest
    reasons: tuple[str, ...]
    kept: Path | None = None
    warnings: tuple[str, ...] = ()


def back_up(
    directory: Path, target: Path, *, published: Path, passphrase: Source, check_mode: bool, now: dt.datetime
) -> Backup:
    """Write an archive of the CA in one rename unless the one that is there has the same content."""
    target = _check_target(target, directory=directory)
    found = authority.load(directory)
    created = lifetimes.show(now)
    with authority.disk_errors(target.parent), tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as work:
        copy = Path(work) / authority.LEDGER
        files = _settled(found, copy, skip=published)
        with ledger.Ledger(copy) as book:
            summary = book.summary()
        manifest = Manifest(
            created=created,
            state=_state(directory, files, copy),
            certificates=summary.certificates,
            revoked=summary.revoked,
            root_key=found.root.key_path.exists(),
        )
        existing, reasons = _compare(target, manifest, passphrase=passphrase)
        if not reasons:
            return Backup(manifest=existing or manifest, reasons=())
        # Asked for in check mode too: a command that fails should fail then.
        secret = passphrase.value
        _check_secret(secret, what=passphrase.what)
        if not check_mode:
            _write(Path(work) / "archive", directory, files, copy, manifest=manifest, passphrase=secret)
            os.rename(Path(work) / "archive", target)
            _sync(target.parent)
        return Backup(manifest=manifest, reasons=tuple(reasons))


def restore(order: Order, *, passphrase: Source, check_mode: bool, now: dt.datetime) -> Restored:
    """Put the CA in an archive in its place; ArchiveError, and nothing is changed, when that would lose something.

    In check mode the archive is unpacked for the time of the check, and the directory is left as it is.
    """
    directory = Path(os.path.abspath(order.directory))
    _check_place(directory)
    with _staging(directory, check_mode=check_mode, now=now) as staged:
        manifest = _unpack(order.source, staged, passphrase=passphrase)
        restored = authority.load(staged)
        with restored.open_ledger() as book:
            book.check()
        warnings = () if manifest.root_key else (
            f"{order.source} has no key of the root CA, which was offline: bring it back to {restored.root.directory.name}/"
            "key.pem when the root is needed",
        )
        with _held(directory):
            reasons, kept = _decide(order, directory, staged, manifest, now=now)
            if reasons and not check_mode:
                _commit(directory, staged, kept=kept, published=order.published)
    return Restored(manifest=manifest, reasons=tuple(reasons), kept=kept, warnings=warnings)


def _check_target(target: Path, *, directory: Path) -> Path:
    target = Path(os.path.abspath(target))
    if directory.resolve() in (target.resolve(), *target.resolve().parents):
        raise ArchiveError(f"{target} is inside {directory}: keep the archive apart from what it is a copy of")
    if not target.parent.is_dir():
        raise ArchiveError(f"{target.parent} is no directory: create it, or give another path for the archive")
    if target.exists():
        with authority.disk_errors(target), target.open("rb") as stream:
            if not archive.is_archive(stream):
                raise ArchiveError(f"{target} is no archive of a CA and is not overwritten: give another path")
    return target


def _check_secret(secret: str, *, what: str) -> None:
    keys.check_passphrase(secret, what=what)


def _settled(found: authority.Authority, copy: Path, *, skip: Path) -> dict[str, os.stat_result]:
    """The files, and the ledger in a copy, of one moment: read again when something changed in between."""
    for _attempt in range(_ATTEMPTS):
        before = _files(found.directory, skip=skip)
        copy.unlink(missing_ok=True)
        with found.open_ledger() as book:
            book.snapshot(copy)
        after = _files(found.directory, skip=skip)
        if {name: _identity(status) for name, status in before.items()} == {
            name: _identity(status) for name, status in after.items()
        }:
            return after
    raise ArchiveError(f"{found.directory} changed each time it was read: back up when no other run changes it")


def _files(directory: Path, *, skip: Path) -> dict[str, os.stat_result]:
    """Everything in the directory by its relative path, folders before what is in them; without the ledger."""
    found: dict[str, os.stat_result] = {}
    pending = [directory]
    while pending:
        folder = pending.pop()
        with contextlib.suppress(FileNotFoundError):  # removed while it is read: the next look differs
            for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
                path = Path(entry.path)
                own = folder == directory and entry.name.startswith(authority.LEDGER)
                if own or entry.name.startswith(".") or path == skip:
                    continue
                status = entry.stat(follow_symlinks=False)
                if stat.S_ISDIR(status.st_mode):
                    pending.append(path)
                if stat.S_ISDIR(status.st_mode) or stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode):
                    found[path.relative_to(directory).as_posix()] = status
    return dict(sorted(found.items()))


def _identity(status: os.stat_result) -> tuple[int, ...]:
    if stat.S_ISDIR(status.st_mode):
        return (status.st_mode,)
    return (status.st_mode, status.st_ino, status.st_size, status.st_mtime_ns)


def _state(directory: Path, files: dict[str, os.stat_result], copy: Path) -> str:
    """A digest of all that an archive has, to see whether something changed."""
    state = hashlib.sha256()
    for name, status in files.items():
        content = _digest_of(directory / name, status.st_mode)
        state.update(json.dumps([name, stat.S_IMODE(status.st_mode), content]).encode())
    state.update(_digest_of(copy, stat.S_IFREG).encode())
    return state.hexdigest()


def _digest_of(path: Path, mode: int) -> str:
    if stat.S_ISDIR(mode):
        return ""
    if stat.S_ISLNK(mode):
        return os.readlink(path)
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _compare(target: Path, wanted: Manifest, *, passphrase: Source) -> tuple[Manifest | None, list[str]]:
    if not target.exists():
        return None, [f"{target} is not there yet"]
    try:
        with target.open("rb") as stream:
            existing = _read_manifest(archive.Reader(stream, where=str(target), passphrase=passphrase), where=str(target))
    except ArchiveError as error:
        return None, [f"the archive that is there is replaced: {error}"]
    if existing.state != wanted.state:
        return existing, [f"the CA changed since the archive of {existing.created}"]
    return existing, []
