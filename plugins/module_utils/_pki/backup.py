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

from . import archive, authority, crl, keys, ledger, lifetimes, permissions
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
    with (
        authority.disk_errors(target.parent),
        tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as work,
    ):
        copy = Path(work) / authority.LEDGER
        files = _settled(found, copy, skip=published)
        with ledger.Ledger(copy) as book:
            summary = book.summary()
        manifest = Manifest(
            created=created,
            state=_state(directory, files, copy),
            certificates=summary.certificates,
            revoked=summary.revoked,
            root_key=found.root.key_is_here,
        )
        existing, reasons = _compare(target, manifest, passphrase=passphrase)
        if not reasons:
            return Backup(manifest=existing or manifest, reasons=())
        # Asked for in check mode too: a command that fails should fail then.
        secret = passphrase.value
        keys.check_passphrase(secret, what=passphrase.what)
        if not check_mode:
            _write(Path(work) / "archive", directory, files, copy, manifest=manifest, secret=secret)
            os.rename(Path(work) / "archive", target)
            authority.sync(target.parent)
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
        warnings = []
        if not manifest.root_key:
            key = directory / restored.root.name / "key.pem"
            warnings.append(f"the key of the root CA was offline: bring it back to {key} when the root is needed")
        with _held(directory):
            reasons, kept = _decide(order, directory, staged, manifest, now=now)
            if reasons and not check_mode:
                _commit(directory, staged, kept=kept, published=order.published)
    return Restored(manifest=manifest, reasons=tuple(reasons), kept=kept, warnings=tuple(warnings))


def facts(manifest: Manifest) -> dict[str, object]:
    """What an archive says about itself, as modules return it."""
    return {
        "created": manifest.created,
        "ledger_certificates": manifest.certificates,
        "ledger_revoked": manifest.revoked,
        "root_key": manifest.root_key,
    }


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
            existing = _read_manifest(
                archive.Reader(stream, where=str(target), passphrase=passphrase), where=str(target)
            )
    except ArchiveError as error:
        return None, [f"the archive that is there is replaced: {error}"]
    if existing.state != wanted.state:
        return existing, [f"the CA changed since the archive of {existing.created}"]
    return existing, []


def _write(
    path: Path, directory: Path, files: dict[str, os.stat_result], copy: Path, *, manifest: Manifest, secret: str
) -> None:
    with open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as stream:
        writer = archive.Writer(stream, passphrase=secret, created=manifest.created)
        with tarfile.open(fileobj=writer, mode="w|", format=tarfile.PAX_FORMAT) as tar:  # type: ignore[call-overload]
            described = json.dumps(dataclasses.asdict(manifest), indent=2).encode()
            tar.addfile(_member(_MANIFEST, size=len(described)), io.BytesIO(described))
            with copy.open("rb") as content:
                tar.addfile(_member(authority.LEDGER, size=copy.stat().st_size), content)
            for name, status in files.items():
                _add(tar, directory / name, name, status)
        writer.finish()
        stream.flush()
        os.fsync(stream.fileno())


def _add(tar: tarfile.TarFile, path: Path, name: str, status: os.stat_result) -> None:
    member = _member(name, mode=stat.S_IMODE(status.st_mode))
    if stat.S_ISDIR(status.st_mode):
        member.type = tarfile.DIRTYPE
        tar.addfile(member)
    elif stat.S_ISLNK(status.st_mode):
        member.type, member.linkname = tarfile.SYMTYPE, os.readlink(path)
        tar.addfile(member)
    else:
        member.size = status.st_size
        with path.open("rb") as content:
            tar.addfile(member, content)


def _member(name: str, *, size: int = 0, mode: int = 0o600) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, mode
    return member


def _read_manifest(reader: archive.Reader, *, where: str) -> Manifest:
    with _reading(reader, where=where) as tar:
        return _manifest(tar, tar.next(), where=where)


def _manifest(tar: tarfile.TarFile, member: tarfile.TarInfo | None, *, where: str) -> Manifest:
    content = tar.extractfile(member) if member is not None and member.name == _MANIFEST else None
    if content is None:
        raise archive.damaged(where)
    return Manifest(**json.loads(content.read()))


@contextlib.contextmanager
def _reading(reader: archive.Reader, *, where: str) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(fileobj=reader, mode="r|") as tar:  # type: ignore[call-overload]
            yield tar
    except (tarfile.TarError, ValueError, TypeError, EOFError) as error:
        raise archive.damaged(where) from error


def _unpack(source: Path, target: Path, *, passphrase: Source) -> Manifest:
    """Unpack an archive into a folder; nothing outside of it is written, whatever the archive says."""
    where = str(source)
    try:
        stream = source.open("rb")
    except OSError as error:
        raise ArchiveError(f"{where} cannot be read ({error.strerror}): correct the path") from error
    with stream, authority.disk_errors(target):
        reader = archive.Reader(stream, where=where, passphrase=passphrase)
        with _reading(reader, where=where) as tar:
            manifest = _manifest(tar, tar.next(), where=where)
            while (member := tar.next()) is not None:
                _extract(tar, member, target, where=where)
        # What follows the end of the tar is authenticated too: an archive that was cut off there is not whole.
        while reader.read(1 << 20):
            pass
    return manifest


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path, *, where: str) -> None:
    inside = PurePosixPath(member.name)
    linked = PurePosixPath(member.linkname)
    if inside.is_absolute() or linked.is_absolute() or ".." in (*inside.parts, *linked.parts):
        raise archive.damaged(where)
    path = target / inside
    if member.isdir():
        path.mkdir(mode=0o700)
        path.chmod(member.mode & 0o777)
    elif member.issym():
        path.symlink_to(member.linkname)
    elif member.isreg():
        content = tar.extractfile(member)
        with open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as stream:
            shutil.copyfileobj(content or io.BytesIO(), stream)
            os.fchmod(stream.fileno(), member.mode & 0o777)
    else:
        raise archive.damaged(where)


def _check_place(directory: Path) -> None:
    if directory.is_symlink() or (directory.exists() and not directory.is_dir()):
        raise ArchiveError(f"{directory} is no directory: give the path of the CA directory itself")
    if _occupied(directory) and not (directory / authority.LEDGER).exists() and not authority.names(directory):
        raise ArchiveError(f"{directory} is not empty and holds no CA: give another directory, or empty it")
    permissions.check_directory(directory, [])


def _occupied(directory: Path) -> bool:
    return directory.is_dir() and any(True for _entry in directory.iterdir())


@contextlib.contextmanager
def _staging(directory: Path, *, check_mode: bool, now: dt.datetime) -> Iterator[Path]:
    """A folder beside the directory to make the CA complete in, for one run at a time."""
    if check_mode:
        with tempfile.TemporaryDirectory(prefix="bulwark-restore-") as work:
            yield Path(work)
        return
    with authority.disk_errors(directory.parent):
        directory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with authority.alone(directory.parent):
        staged = directory.with_name(f".{directory.name}.restored")
        with authority.disk_errors(staged):
            if staged.exists() and not (staged / _UNFINISHED).exists() and _occupied(staged):
                # A run was killed after it had a whole CA here, the restored one or the one that it replaced.
                staged.rename(_free(directory, now=now))
            shutil.rmtree(staged, ignore_errors=True)
            staged.mkdir(mode=0o700)
            (staged / _UNFINISHED).touch(mode=0o600)
        try:
            yield staged
        finally:
            if (staged / _UNFINISHED).exists():
                shutil.rmtree(staged)


def _free(directory: Path, *, now: dt.datetime) -> Path:
    """A name beside the directory for a CA that was replaced."""
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    path = directory.with_name(f"{directory.name}.replaced-{stamp}")
    number = 1
    while path.exists():
        number += 1
        path = directory.with_name(f"{directory.name}.replaced-{stamp}-{number}")
    return path


@contextlib.contextmanager
def _held(directory: Path) -> Iterator[None]:
    """Nobody else changes the CA that is there, if there is one."""
    with authority.locked(directory) if _occupied(directory) else contextlib.nullcontext():
        yield


def _decide(
    order: Order, directory: Path, staged: Path, manifest: Manifest, *, now: dt.datetime
) -> tuple[list[str], Path | None]:
    """Why it is restored, none when it is there already, and where the CA that is there is put."""
    occupied = _occupied(directory)
    if occupied and _is_same(directory, manifest, skip=order.published):
        return [], None
    behind = [*_behind_ledger(directory, staged), *_behind_published(order.published, staged)]
    if behind and not order.older:
        raise ArchiveError(
            f"{order.source} of {manifest.created} is behind: {'; '.join(behind)}; restore a newer archive, or set "
            "older: true, after which nobody can revoke what it lacks"
        )
    if occupied and not order.replace:
        raise ArchiveError(
            f"{directory} holds a CA: set replace: true to put the one of {manifest.created} in its place, the old one "
            "is kept beside it"
        )
    return [f"{directory} is restored from the archive of {manifest.created}", *behind], (
        _free(directory, now=now) if occupied else None
    )


def _is_same(directory: Path, manifest: Manifest, *, skip: Path) -> bool:
    """Whether the directory has what the archive has; one that is damaged has not."""
    with contextlib.suppress(PkiError, OSError), tempfile.TemporaryDirectory(prefix="bulwark-restore-") as work:
        copy = Path(work) / authority.LEDGER
        files = _settled(authority.load(directory), copy, skip=skip)
        return _state(directory, files, copy) == manifest.state
    return False


def _behind_ledger(directory: Path, staged: Path) -> list[str]:
    path = directory / authority.LEDGER
    if not _occupied(directory):
        return []
    try:
        with ledger.Ledger(path) as book:
            book.check()
            return [
                f"{path} knows what it lacks: {', '.join(found)}"
                for found in [book.lacking_in(staged / path.name)]
                if found
            ]
    except LedgerError as error:
        return [f"what was issued since cannot be known ({error})"]


def _behind_published(published: Path, staged: Path) -> list[str]:
    """What a web server was given and the archive does not know: later lists, responses for other certificates."""
    found = []
    with ledger.Ledger(staged / authority.LEDGER) as book:
        for path in sorted((published / "crl").glob("*.crl")):
            with contextlib.suppress(ValueError, OSError):
                der = path.read_bytes()
                number, last = crl.read(der).number, book.revocation_list(crl.issuer_key_id(der))
                known = last.number if last else 0
                if number > known:
                    found.append(f"{path} has number {number}, its ledger knows {known}")
        serials = {path.name.partition(".")[0] for path in (published / "ocsp").glob("*/*.sha1.der")}
        unknown = [serial for serial in sorted(serials) if book.certificate(serial) is None]
    if unknown:
        found.append(f"{published / 'ocsp'} has responses for {len(unknown)} certificates that it lacks")
    return found


def _commit(directory: Path, staged: Path, *, kept: Path | None, published: Path) -> None:
    with authority.disk_errors(directory):
        if kept is not None and published.is_dir() and directory in published.parents:
            # It is served on. Files there are replaced, never changed, so a second name for each is enough.
            shutil.copytree(published, staged / published.relative_to(directory), copy_function=os.link)
        os.sync()
        (staged / _UNFINISHED).unlink()
        if kept is None:
            os.rename(staged, directory)
        else:
            try:
                _exchange(staged, directory)
            except (ArchiveError, OSError):
                (staged / _UNFINISHED).touch(mode=0o600)
                raise
            os.rename(staged, kept)
        authority.sync(directory.parent)


def _exchange(first: Path, second: Path) -> None:
    """Exchange two directories in one step of the kernel; Python has no function for it."""
    renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    if renameat2(_AT_FDCWD, os.fsencode(first), _AT_FDCWD, os.fsencode(second), _RENAME_EXCHANGE) == 0:
        return
    code = ctypes.get_errno()
    if code in (errno.EINVAL, errno.ENOSYS):
        raise ArchiveError(
            f"the file system of {second} cannot exchange directories: move {second} away, then run again"
        )
    raise OSError(code, os.strerror(code), str(second))
