# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.

"""Who else could read or replace a file of the CA: modes, owners and the directories above."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import stat
from collections.abc import Iterable
from pathlib import Path

from .errors import PermissionsError


def check_private(paths: Iterable[Path]) -> None:
    """PermissionsError that names each of these paths that is somebody else's or that others may use."""
    _report(finding for path in paths if path.exists() for finding in _of_private(path))


def check_directory(directory: Path, private: Iterable[Path]) -> None:
    """PermissionsError for each of the private paths as `check_private`, and each directory above that others write.

    Who may write there can put a directory of their own in the place of this one.
    """
    above = dict.fromkeys([*directory.absolute().parents, *directory.resolve().parents])
    _report(
        [
            *(finding for path in private if path.exists() for finding in _of_private(path)),
            *(finding for path in above if path.exists() for finding in _of_parent(path)),
        ]
    )


def _report(findings: Iterable[str]) -> None:
    found = list(findings)
    if found:
        raise PermissionsError("; ".join(found))


def _of_private(path: Path) -> list[str]:
    status = path.stat()
    mode = stat.S_IMODE(status.st_mode)
    found = []
    if mode & 0o077:
        wanted = 0o700 if stat.S_ISDIR(status.st_mode) else 0o600
        found.append(f"{path} has mode {mode:04o}, which lets others in: run chmod {wanted:04o} {path}")
    if status.st_uid != os.geteuid():
        found.append(
            f"{path} belongs to {_user(status.st_uid)}, this runs as {_user(os.geteuid())}: run it as its owner, "
            "or change the owner of the whole directory"
        )
    return found


def _of_parent(path: Path) -> list[str]:
    status = path.stat()
    mode = stat.S_IMODE(status.st_mode)
    if status.st_uid not in (0, os.geteuid()):
        owner, wanted = _user(status.st_uid), _user(os.geteuid())
        return [f"{path} belongs to {owner}, who could replace what is in it: use a directory of {wanted} or root"]
    # In a sticky directory, such as /tmp, nobody can rename or remove what belongs to others.
    if mode & stat.S_ISVTX:
        return []
    shared = mode & stat.S_IWGRP and not _is_private_group(status.st_gid, owner=status.st_uid)
    if mode & stat.S_IWOTH or shared:
        return [f"{path} has mode {mode:04o}, so others could replace what is in it: run chmod go-w {path}"]
    return []


def _is_private_group(gid: int, *, owner: int) -> bool:
    """Whether nobody but the owner and root is in a group: the group of its own that Debian gives each user."""
    names = {_user(owner), _user(0)}
    members = {entry.pw_name for entry in pwd.getpwall() if entry.pw_gid == gid}
    with contextlib.suppress(KeyError):
        members.update(grp.getgrgid(gid).gr_mem)
    return members <= names


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
