# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.

"""The accounts that certbot has, in an encrypted archive, and back: the format of the CA's, under another first line.

Inside is a tar archive of certbot's directory `accounts` with `manifest.json` first. certbot stores the keys in clear.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import json
import os
import shutil
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from . import _certbot_rollover as rollover
from ._host import files, lineage
from ._pki import archive, keys
from ._pki.errors import ArchiveError
from ._pki.passphrase import Source

_MANIFEST = "manifest.json"
_UNFINISHED = ".bulwark-restored-"


@dataclass(frozen=True)
class Result:
    """What was done, or would be, and why; no reasons: nothing had to be."""

    # Paths below the directory of the accounts: server and account.
    accounts: tuple[str, ...]
    created: str
    reasons: tuple[str, ...]
    kept: tuple[str, ...] = ()


def back_up(directory: str, target: str, *, passphrase: Source, check_mode: bool, now: dt.datetime) -> Result:
    """Write an archive in one rename unless the one that is there has the same; ArchiveError for what cannot be one."""
    content = _content(directory)
    found = _accounts(content)
    if not found:
        raise ArchiveError(f"{directory} has no account: nothing is there to back up, run the role certbot first")
    state = _state(content)
    reasons, created = [f"{target} is not there yet"], lineage.show(now)
    if os.path.lexists(target):
        with open(target, "rb") as stream:
            if not archive.is_archive(stream, kind=archive.ACCOUNTS):
                raise ArchiveError(
                    f"{target} is no archive of accounts of certbot and is not overwritten: give another path"
                )
        try:
            manifest, _files = _opened(target, passphrase=passphrase)
        except ArchiveError as error:
            reasons = [f"the archive that is there is replaced: {error}"]
        else:
            if manifest["state"] == state:
                return Result(found, manifest["created"], ())
            reasons = [f"the accounts changed since the archive of {manifest['created']}"]
    # Asked for in check mode too: a passphrase that will not do should fail then.
    secret = passphrase.value
    keys.check_passphrase(secret, what=passphrase.what)
    if not check_mode:
        sealed = _sealed({"created": created, "state": state}, content, secret=secret)
        files.put(target, files.File(sealed, 0o600, os.geteuid(), os.getegid()))
    return Result(found, created, tuple(reasons))


def restore(
    source: str, directory: str, *, passphrase: Source, replace: bool, check_mode: bool, now: dt.datetime
) -> Result:
    """Put back each account of an archive that is missing; ArchiveError for one in whose place another is.

    Killed at any moment, each account is complete or not there, and the next run goes on.
    """
    manifest, content = _opened(source, passphrase=passphrase)
    found = _accounts(content)
    missing = [account for account in found if not _is_there(directory, account, content)]
    rivals = {account: _rivals(directory, account) for account in missing}
    for account, others in rivals.items():
        if others and not replace:
            raise ArchiveError(_in_the_way(directory, account, others, content, created=manifest["created"]))
    kept = []
    stamp = lineage.show(now).replace(":", "").replace("-", "")
    for account, others in rivals.items():
        for other in others:
            aside = os.path.join(f"{directory}.replaced-{stamp}", other)
            kept.append(aside)
            if not check_mode:
                os.makedirs(os.path.dirname(aside), mode=0o700, exist_ok=True)
                os.rename(os.path.join(directory, other), aside)
        if not check_mode:
            _put(directory, account, content)
    reasons = [f"{account} is restored from the archive of {manifest['created']}" for account in missing]
    return Result(found, manifest["created"], tuple(reasons), tuple(kept))


def _content(directory: str) -> dict[str, tuple[int, bytes]]:
    """Mode and content of every file, by its path below the directory."""
    found = {}
    for parent, _directories, names in os.walk(directory):
        for name in names:
            path = os.path.join(parent, name)
            entry = files.observe(path)
            if isinstance(entry, files.File):
                found[os.path.relpath(path, directory)] = (entry.mode, entry.content)
    return dict(sorted(found.items()))


def _accounts(content: Mapping[str, object]) -> tuple[str, ...]:
    return tuple(sorted(os.path.dirname(path) for path in content if os.path.basename(path) == rollover.KEY))


def _state(content: Mapping[str, tuple[int, bytes]]) -> str:
    digest = hashlib.sha256()
    for path, (mode, data) in content.items():
        digest.update(json.dumps([path, mode, hashlib.sha256(data).hexdigest()]).encode())
    return digest.hexdigest()


def _sealed(manifest: Mapping[str, str], content: Mapping[str, tuple[int, bytes]], *, secret: str) -> bytes:
    plain, sealed = io.BytesIO(), io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as tar:
        described = json.dumps(manifest, indent=2).encode()
        for name, (mode, data) in {_MANIFEST: (0o600, described), **content}.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), mode
            tar.addfile(member, io.BytesIO(data))
    writer = archive.Writer(sealed, passphrase=secret, created=manifest["created"], kind=archive.ACCOUNTS)
    writer.write(plain.getvalue())
    writer.finish()
    return sealed.getvalue()


def _opened(source: str, *, passphrase: Source) -> tuple[dict[str, str], dict[str, tuple[int, bytes]]]:
    """The manifest, and the files with their modes; nothing in it can lead out of the directory."""
    try:
        with open(source, "rb") as stream:
            reader = archive.Reader(stream, where=source, passphrase=passphrase, kind=archive.ACCOUNTS)
            plain = reader.read()
    except OSError as error:
        raise ArchiveError(f"{source} cannot be read ({error.strerror}): correct the path") from error
    content = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(plain), mode="r:") as tar:
            for member in tar:
                inside = PurePosixPath(member.name)
                stored = tar.extractfile(member)
                if stored is None or inside.is_absolute() or ".." in inside.parts:
                    raise archive.damaged(source)
                content[member.name] = (member.mode & 0o700, stored.read())
        manifest = json.loads(content.pop(_MANIFEST)[1])
        return {name: str(manifest[name]) for name in ("created", "state")}, content
    except (tarfile.TarError, ValueError, KeyError, TypeError, EOFError) as error:
        raise archive.damaged(source) from error


def _is_there(directory: str, account: str, content: Mapping[str, tuple[int, bytes]]) -> bool:
    held = files.observe(os.path.join(directory, account, rollover.KEY))
    return isinstance(held, files.File) and held.content == content[os.path.join(account, rollover.KEY)][1]


def _rivals(directory: str, account: str) -> list[str]:
    """The accounts at the same server; with two of them, certbot does not know which one to use."""
    server = os.path.dirname(account)
    return [os.path.join(server, name) for name in rollover.identities(os.path.join(directory, server))]


def _in_the_way(
    directory: str, account: str, others: list[str], content: Mapping[str, tuple[int, bytes]], *, created: str
) -> str:
    stored = json.loads(content[os.path.join(account, rollover.REGISTRATION)][1])["uri"]
    for other in others:
        if rollover.uri_of(os.path.join(directory, other)) == stored:
            return (
                f"{os.path.join(directory, other)} has a newer key of {stored} than the archive of {created}: it was"
                " changed since, and the CA accepts the old one no more; back up again, or set replace to true where"
                " it is the newer one that the CA does not accept"
            )
    return (
        f"{os.path.join(directory, others[0])} is in the place of {account}, and certbot can use one account with a"
        " server: set replace to true to put it aside"
    )


def _put(directory: str, account: str, content: Mapping[str, tuple[int, bytes]]) -> None:
    target = os.path.join(directory, account)
    unfinished = os.path.join(directory, _UNFINISHED + os.path.basename(account))
    os.makedirs(os.path.dirname(target), mode=0o700, exist_ok=True)
    staged = rollover.staging(account)
    if staged in content:
        # The backup was made when a change of its key was under way: which one is valid, the next change asks.
        files.put(os.path.join(directory, staged), files.File(content[staged][1], 0o600, os.geteuid(), os.getegid()))
    shutil.rmtree(unfinished, ignore_errors=True)
    os.mkdir(unfinished, 0o700)
    for path, (mode, data) in content.items():
        if os.path.dirname(path) == account:
            name = os.path.join(unfinished, os.path.basename(path))
            files.put(name, files.File(data, mode, os.geteuid(), os.getegid()))
    os.rename(unfinished, target)
