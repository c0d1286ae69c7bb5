# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""Files, links and directories as values: look at one, or put one in place so that no reader sees half of it."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import Optional, Union

from .errors import StoreError

TEMPORARY_PREFIX = ".bulwark-"


@dataclass(frozen=True)
class File:
    """A regular file."""

    content: bytes
    mode: int
    uid: int
    gid: int


@dataclass(frozen=True)
class Link:
    """A symbolic link."""

    target: str


@dataclass(frozen=True)
class Directory:
    """A directory, without what is in it."""

    mode: int
    uid: int
    gid: int


# What is, or should be, at a path; None is nothing.
Entry = Optional[Union[File, Link, Directory]]


@dataclass(frozen=True)
class Change:
    """What should be at a path."""

    path: str
    entry: Entry


def observe(path: str) -> Entry:
    """What is at `path` now; StoreError for a device, a socket or a pipe."""
    try:
        status = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    mode = stat.S_IMODE(status.st_mode)
    if stat.S_ISLNK(status.st_mode):
        return Link(os.readlink(path))
    if stat.S_ISDIR(status.st_mode):
        return Directory(mode, status.st_uid, status.st_gid)
    if stat.S_ISREG(status.st_mode):
        with open(path, "rb") as stream:
            return File(stream.read(), mode, status.st_uid, status.st_gid)
    raise StoreError(f"{path}: is neither a file, a link nor a directory; remove it")


def put(path: str, entry: Entry) -> None:
    """Make `path` be `entry`, durably and, for files and links, in one rename within its own directory."""
    if entry is None:
        _remove(path)
    elif isinstance(entry, Directory):
        _make_directory(path, entry)
    else:
        temporary = temporary_path(path)
        _remove(temporary)
        if isinstance(entry, Link):
            os.symlink(entry.target, temporary)
        else:
            create(temporary, entry)
            _keep_time(path, temporary, entry)
        os.replace(temporary, path)
    _sync_directory(os.path.dirname(path))


def _keep_time(path: str, temporary: str, entry: File) -> None:
    """A file is as old as its content: whether a service has read it is told from that."""
    before = observe(path)
    if isinstance(before, File) and before.content == entry.content:
        status = os.lstat(path)
        os.utime(temporary, ns=(status.st_atime_ns, status.st_mtime_ns))


def create(path: str, entry: File) -> None:
    """Write a file that must not exist yet; nobody else can open it before it has its owner."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(entry.content)
        stream.flush()
        _own(descriptor, entry.uid, entry.gid)
        os.fchmod(descriptor, entry.mode)
        os.fsync(descriptor)


def temporary_path(path: str) -> str:
    """The one name that a half-made `path` can have, so that recovery finds it; writers hold the lock."""
    directory, name = os.path.split(path)
    return os.path.join(directory, TEMPORARY_PREFIX + name)


def discard_temporary(path: str) -> None:
    """Remove what an interrupted `put` left beside `path`."""
    _remove(temporary_path(path))


def missing_parents(path: str) -> list[str]:
    """The directories above `path` that do not exist, outermost first."""
    missing: list[str] = []
    parent = os.path.dirname(path)
    while not os.path.lexists(parent):
        missing.insert(0, parent)
        parent = os.path.dirname(parent)
    return missing


def _make_directory(path: str, entry: Directory) -> None:
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        if not stat.S_ISDIR(os.lstat(path).st_mode):
            raise StoreError(f"{path}: is not a directory; remove it") from None
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        _own(descriptor, entry.uid, entry.gid)
        os.fchmod(descriptor, entry.mode)
    finally:
        os.close(descriptor)


def _own(descriptor: int, uid: int, gid: int) -> None:
    status = os.fstat(descriptor)
    if (status.st_uid, status.st_gid) != (uid, gid):
        os.fchown(descriptor, uid, gid)


def _remove(path: str) -> None:
    """Remove a file, a link or an empty directory; a directory that others put something into stays."""
    try:
        if stat.S_ISDIR(os.lstat(path).st_mode):
            if not os.listdir(path):
                os.rmdir(path)
        else:
            os.unlink(path)
    except (FileNotFoundError, NotADirectoryError):
        pass


def _sync_directory(path: str) -> None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
