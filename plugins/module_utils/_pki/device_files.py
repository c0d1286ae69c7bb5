# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.

"""Where the files of devices go: folders that a million of them fit into, or one tar archive.

    DESTINATION/               0700
      .lock                    held by the run that writes here
      .staged/                 what is not in the ledger yet, or not in its place
      ca.pem                   what peers trust, the same for every device
      3f7/meter-0001/          0700, by the beginning of SHA-256 over the name
        privkey.pem            0600, only where the key was generated here
        fullchain.pem          0644

A device is staged, recorded in the ledger, then revealed: its folder appears, or changes places with the old one, in
one step. What a killed run left staged is revealed by the next one when the ledger knows it, and removed when not.
"""

from __future__ import annotations

import errno
import functools
import hashlib
import os
import shutil
import tarfile
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Callable, NamedTuple

from . import filesystem
from .errors import DevicesError

KEY = "privkey.pem"
CHAIN = "fullchain.pem"
CA = "ca.pem"
# Both hold the key as well.
COMBINED = "combined.pem"
PKCS12 = "identity.p12"

_STAGED = ".staged"
_PUBLIC = (CHAIN, CA)


class Device(NamedTuple):
    """All files of a device by their names, the chain last: in an archive, it tells that they are complete."""

    common_name: str
    files: Mapping[str, bytes]


# Of each chain its place in the order in which the ledger recorded them, 0 when it does not know the certificate.
Known = Callable[[Sequence[bytes]], Sequence[int]]


# The same device is asked about several times in a row.
@functools.lru_cache(maxsize=16)
def place(common_name: str) -> str:
    """The path of a device below the destination: 4096 folders have 250 of a million devices each."""
    return f"{hashlib.sha256(common_name.encode()).hexdigest()[:3]}/{common_name}"


class Output(ABC):
    """Where devices go; between `begin` and `finish`, batches are staged by workers, then secured and revealed."""

    # The folder that exists and is locked while a run writes.
    directory: Path

    @abstractmethod
    def unfinished(self) -> bool:
        """Whether an earlier run was killed and `begin` has something to complete."""

    @abstractmethod
    def refuse(self) -> None:
        """DevicesError when nothing may be written here now."""

    @abstractmethod
    def begin(self, known: Known) -> int:
        """Complete what an earlier run left; how many devices that were."""

    @abstractmethod
    def stage(self, devices: Sequence[Device]) -> Any:
        """Prepare devices where nobody looks for them; returns what the next two steps take."""

    @abstractmethod
    def secure(self, staged: Any) -> None:
        """Return when what was staged outlives a loss of power."""

    @abstractmethod
    def reveal(self, staged: Any) -> None:
        """Put what was staged in its place."""

    @abstractmethod
    def lacks(self, ca: bytes) -> bool:
        """Whether `finish` would change `ca.pem` of a destination that needs nothing else."""

    @abstractmethod
    def finish(self, ca: bytes) -> None:
        """Complete the destination after the last batch, or without any."""


class Folders(Output):
    """A folder for each device."""

    def __init__(self, directory: Path) -> None:
        """Write below this directory, which is created."""
        self.directory = directory

    def read(self, common_name: str, name: str) -> tuple[bytes, int] | None:
        """The content and the mode of a file of a device, None when there is none."""
        try:
            descriptor = os.open(f"{self.directory}/{place(common_name)}/{name}", os.O_RDONLY | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            return None
        try:
            status = os.fstat(descriptor)
            return os.read(descriptor, status.st_size), status.st_mode & 0o777
        finally:
            os.close(descriptor)

    def has(self, common_name: str, name: str) -> bool:
        """Whether a device has a file."""
        return os.path.exists(f"{self.directory}/{place(common_name)}/{name}")

    def unfinished(self) -> bool:
        """Whether something is staged."""
        staged = self.directory / _STAGED
        return staged.is_dir() and any(staged.iterdir())

    def refuse(self) -> None:
        """Folders are never in the way."""

    def begin(self, known: Known) -> int:
        """Reveal what is staged and recorded, remove what is staged and not."""
        staged = self.directory / _STAGED
        staged.mkdir(mode=0o700, exist_ok=True)
        revealed = sum(self._settle(batch, known) for batch in staged.iterdir())
        self._check_exchange(staged)
        return revealed

    def stage(self, devices: Sequence[Device]) -> tuple[str, list[str]]:
        """Write the folders into one that is hidden."""
        batch = tempfile.mkdtemp(dir=self.directory / _STAGED)
        for device in devices:
            folder = f"{batch}/{device.common_name}"
            os.mkdir(folder, 0o700)
            for name, content in device.files.items():
                _create(f"{folder}/{name}", content, mode=0o644 if name in _PUBLIC else 0o600)
        return batch, [device.common_name for device in devices]

    def secure(self, staged: tuple[str, list[str]]) -> None:
        """Wait for the disk."""
        filesystem.sync(Path(staged[0]))

    def reveal(self, staged: tuple[str, list[str]]) -> None:
        """Rename each folder to its place."""
        batch, names = staged
        for name in names:
            self._reveal(f"{batch}/{name}", name)
        os.rmdir(batch)

    def lacks(self, ca: bytes) -> bool:
        """Whether `ca.pem` is another."""
        return _read(self.directory / CA) != ca

    def finish(self, ca: bytes) -> None:
        """Write `ca.pem` where it differs, and wait for the disk."""
        if self.lacks(ca):
            staged = self.directory / _STAGED / CA
            staged.unlink(missing_ok=True)
            _create(str(staged), ca, mode=0o644)
            filesystem.sync(self.directory)
            os.rename(staged, self.directory / CA)
        filesystem.sync(self.directory)

    def _reveal(self, folder: str, common_name: str) -> None:
        target = f"{self.directory}/{place(common_name)}"
        try:
            os.rename(folder, target)
        except FileNotFoundError:
            os.mkdir(os.path.dirname(target), 0o700)
            os.rename(folder, target)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            filesystem.exchange(Path(folder), Path(target))
            shutil.rmtree(folder)

    def _settle(self, batch: Path, known: Known) -> int:
        if not batch.is_dir():
            batch.unlink()
            return 0
        folders = sorted(batch.iterdir())
        recorded = known([_read(folder / CHAIN) for folder in folders])
        replaced = known([_read(self.directory / place(folder.name) / CHAIN) for folder in folders])
        revealed = 0
        for folder, number, other in zip(folders, recorded, replaced):
            # A run that was killed right after the exchange left the old one here.
            if number > other:
                self._reveal(str(folder), folder.name)
                revealed += 1
            else:
                shutil.rmtree(folder)
        batch.rmdir()
        return revealed

    def _check_exchange(self, staged: Path) -> None:
        """Find out now, not at the first renewal, a year from now."""
        pair = [Path(tempfile.mkdtemp(dir=staged)) for _number in range(2)]
        try:
            filesystem.exchange(*pair)
        except OSError as error:
            raise DevicesError(
                f"{self.directory} is on a file system that cannot exchange two folders ({error.strerror}): "
                "use a local one, such as ext4 or XFS"
            ) from error
        finally:
            for folder in pair:
                folder.rmdir()


class Archive(Output):
    """One tar archive of all that is new, with the paths that the folders have."""

    def __init__(self, path: Path, *, moment: int) -> None:
        """Write to this path; all files in the archive are of this moment."""
        self.directory = path.parent
        self._path = path
        self._staged = path.with_name(f".{path.name}{_STAGED}")
        self._moment = moment

    def unfinished(self) -> bool:
        """Whether there is an archive that was begun."""
        return self._staged.exists()

    def refuse(self) -> None:
        """DevicesError when the archive exists: nobody else has the keys in it."""
        if self._path.exists():
            raise DevicesError(
                f"{self._path} exists, with the keys of an earlier run: move it to where the devices get them, "
                "then run again"
            )

    def begin(self, known: Known) -> int:
        """Cut off what is not recorded from an archive that was begun."""
        if not self._staged.exists():
            return 0
        self.refuse()
        devices, end = 0, 0
        with self._staged.open("rb") as stream:
            for after, chain in _chains(stream):
                if not known([chain])[0]:
                    break
                devices, end = devices + 1, after
        os.truncate(self._staged, end)
        if not devices:
            self._staged.unlink()
        return devices

    def stage(self, devices: Sequence[Device]) -> bytes:
        """The part of the archive that has these devices."""
        return b"".join(
            _member(f"{place(device.common_name)}/{name}", content, moment=self._moment)
            for device in devices
            for name, content in device.files.items()
        )

    def secure(self, staged: bytes) -> None:
        """Append to the archive, and wait for the disk."""
        descriptor = os.open(self._staged, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with open(descriptor, "wb") as stream:
            stream.write(staged)
            stream.flush()
            os.fsync(stream.fileno())

    def reveal(self, staged: bytes) -> None:
        """A part of an archive is not shown."""

    def lacks(self, ca: bytes) -> bool:
        """Never: there is one in each archive that is made."""
        return False

    def finish(self, ca: bytes) -> None:
        """Give the archive its end and its name, when there is one."""
        if not self._staged.exists():
            return
        # Two empty blocks are the end (POSIX, pax).
        self.secure(_member(CA, ca, moment=self._moment) + bytes(2 * tarfile.BLOCKSIZE))
        os.rename(self._staged, self._path)
        filesystem.sync(self.directory)


def _chains(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Where each chain in an archive ends, with its content; what is incomplete is none."""
    while len(header := stream.read(tarfile.BLOCKSIZE)) == tarfile.BLOCKSIZE:
        try:
            member = tarfile.TarInfo.frombuf(header, "ascii", "strict")
        except tarfile.HeaderError:
            return
        content = stream.read(member.size + _padding(member.size))
        if len(content) < member.size + _padding(member.size):
            return
        if member.name.endswith(f"/{CHAIN}"):
            yield stream.tell(), content[: member.size]


def _member(path: str, content: bytes, *, moment: int) -> bytes:
    """A file in a tar archive: `tarfile` makes one header for all, in which path, size and checksum are put."""
    form, checksum = _header(public=path.rpartition("/")[2] in _PUBLIC, moment=moment)
    name, size = path.encode(), b"%011o" % len(content)
    # The checksum is over a header with spaces in its place (POSIX, ustar).
    return b"%b%b%b\0%b%06o\0 %b%b%b" % (
        name.ljust(100, b"\0"),
        form[100:124],
        size,
        form[136:148],
        checksum + sum(name) + sum(size),
        form[156:],
        content,
        bytes(_padding(len(content))),
    )


@functools.lru_cache
def _header(*, public: bool, moment: int) -> tuple[bytes, int]:
    """A header, and the sum of it without path, size and checksum."""
    info = tarfile.TarInfo("sample")
    info.mode = 0o644 if public else 0o600
    info.mtime = moment
    form = info.tobuf(tarfile.USTAR_FORMAT)
    return form, sum(form[100:124]) + sum(form[135:148]) + 8 * ord(" ") + sum(form[156:])


def _padding(size: int) -> int:
    return -size % tarfile.BLOCKSIZE


def _create(path: str, content: bytes, *, mode: int) -> None:
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, mode)
    try:
        written = os.write(descriptor, content)
        while written < len(content):
            written += os.write(descriptor, content[written:])
    finally:
        os.close(descriptor)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return b""
