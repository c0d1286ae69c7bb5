# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.

"""Another key for an ACME account of certbot, which has no command for it (RFC 8555, 7.3.5).

The new key is on disk before the CA hears of it, where certbot does not look; without that, an answer that was lost
would be an account that was lost. A run that finds such a key asks the CA which of the two is valid and goes on.

certbot names an account's directory after its key and writes that name into what it renews. So the account gets a new
directory before the old one goes, and at no moment does what certbot renews lead to no account.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shutil
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from ._host import files
from ._host.errors import StoreError

KEY, REGISTRATION = "private_key.json", "regr.json"
_STAGED = ".bulwark-rollover-"
_UNFINISHED = ".bulwark-account-"


class Ca(Protocol):
    """What the CA and its library are asked; StoreError when there is no answer, or a refusal."""

    def identity(self, key: str) -> str:
        """The name of the directory that certbot gives an account with this key."""

    def make_key(self, like: str) -> str:
        """A new key as certbot stores one, of the size of another."""

    def accepts(self, key: str) -> bool:
        """Whether this is the account's key."""

    def change(self, old: str, new: str) -> None:
        """Have the account's key replaced."""


@dataclass(frozen=True)
class Account:
    """An account that certbot has; one whose key was being changed has the new one in `staged`."""

    accounts: str
    server: str
    identity: str
    # What the CA calls it.
    uri: str
    staged: str = ""

    @property
    def place(self) -> str:
        """The directory of the accounts with its server."""
        return place(self.accounts, self.server)

    @property
    def directory(self) -> str:
        """Its own directory."""
        return os.path.join(self.place, self.identity)

    @property
    def staging(self) -> str:
        """Where its new key waits until it is the key."""
        return os.path.join(self.accounts, staging(self.identity))


@dataclass(frozen=True)
class Rolled:
    """What became of it."""

    before: str
    after: str
    # Whether it was an earlier run that was brought to its end.
    resumed: bool


def place(accounts: str, server: str) -> str:
    """Where certbot keeps the accounts with a server."""
    parts = urllib.parse.urlsplit(server)
    return os.path.join(accounts, *(parts.netloc + parts.path).strip("/").split("/"))


def staging(account: str) -> str:
    """The file, in the directory of the accounts, with the new key of one."""
    return f"{_STAGED}{os.path.basename(account)}.json"


def read(path: str) -> str:
    """A file of certbot's; StoreError without it."""
    entry = files.observe(path)
    if not isinstance(entry, files.File):
        raise StoreError(f"{path}: is missing, so certbot cannot use the account either; restore it from a backup")
    return entry.content.decode()


def find(accounts: str, *, server: str, identity: str = "") -> Account:
    """The account with a server; StoreError when there is none, or more than one to choose from."""
    for name in sorted(os.listdir(accounts)) if os.path.isdir(accounts) else []:
        if name.startswith(_STAGED):
            staged = json.loads(read(os.path.join(accounts, name)))
            if staged["server"] == server and identity in ("", staged["account"]):
                return Account(accounts, server, staged["account"], staged["uri"], staged["key"])
    where = place(accounts, server)
    known = identities(where)
    if identity and identity not in known:
        raise StoreError(f"{where}: has no account {identity}; it has {', '.join(known) or 'none'}")
    if not known:
        raise StoreError(f"{where}: certbot has no account with {server} on this host; run the role certbot first")
    if len(known) > 1 and not identity:
        raise StoreError(f"{where}: has the accounts {', '.join(known)}; say which one with account")
    found = identity or known[0]
    return Account(accounts, server, found, uri_of(os.path.join(where, found)))


def uri_of(directory: str) -> str:
    """What the CA calls the account in a directory of certbot's."""
    return str(json.loads(read(os.path.join(directory, REGISTRATION)))["uri"])


def identities(where: str) -> list[str]:
    """The accounts in a directory of certbot's."""
    names = sorted(os.listdir(where)) if os.path.isdir(where) else []
    return [name for name in names if os.path.isfile(os.path.join(where, name, KEY))]


@contextlib.contextmanager
def alone(directory: str) -> Iterator[None]:
    """certbot does not run meanwhile: its own lock, taken as it takes it; StoreError when it is running."""
    path = os.path.join(directory, ".certbot.lock")
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StoreError(f"{path}: certbot is running; run this again when it has ended") from None
        yield
        # As certbot does, while it is locked: whoever opened it meanwhile sees that it is another file.
        os.unlink(path)
    finally:
        os.close(descriptor)


def roll_over(account: Account, ca: Ca, *, renewal: str) -> Rolled:
    """Have the CA take another key and certbot use it; a run that was killed is brought to its end instead."""
    new, resumed = account.staged, bool(account.staged)
    old_path = os.path.join(account.directory, KEY)
    if new and not os.path.exists(old_path):
        # Killed when nothing was left to do but to remove what is old.
        _forget(account)
        return Rolled(account.identity, ca.identity(new), resumed)
    old = read(old_path)
    if not new:
        new = ca.make_key(old)
        begun = {"account": account.identity, "key": new, "server": account.server, "uri": account.uri}
        files.put(account.staging, _private(json.dumps(begun)))
    if not (resumed and ca.accepts(new)):
        ca.change(old, new)
    after = ca.identity(new)
    _adopt(account, new, after=after)
    # From here on, what leads to the old directory finds the valid key there too.
    files.put(old_path, _private(new, mode=0o400))
    _point(renewal, before=account.identity, after=after)
    _forget(account)
    return Rolled(account.identity, after, resumed)


def _forget(account: Account) -> None:
    """Remove the old directory, and last what tells that a change is under way."""
    shutil.rmtree(account.directory, ignore_errors=True)
    files.put(account.staging, None)


def _adopt(account: Account, key: str, *, after: str) -> None:
    """Make the directory of the new key, in one rename."""
    target = os.path.join(account.place, after)
    unfinished = os.path.join(account.accounts, f"{_UNFINISHED}{after}")
    shutil.rmtree(unfinished, ignore_errors=True)
    if os.path.isdir(target):
        return
    shutil.copytree(account.directory, unfinished)
    files.put(os.path.join(unfinished, KEY), _private(key, mode=0o400))
    os.rename(unfinished, target)


def _point(renewal: str, *, before: str, after: str) -> None:
    """Have everything that is renewed with the account use its new directory."""
    for name in sorted(os.listdir(renewal)) if os.path.isdir(renewal) else []:
        path = os.path.join(renewal, name)
        entry = files.observe(path)
        if isinstance(entry, files.File) and name.endswith(".conf"):
            text = re.sub(rf"(?m)^(account *= *){re.escape(before)}$", rf"\g<1>{after}", entry.content.decode())
            if text.encode() != entry.content:
                files.put(path, files.File(text.encode(), entry.mode, entry.uid, entry.gid))


def _private(content: str, *, mode: int = 0o600) -> files.File:
    return files.File(content.encode(), mode, os.geteuid(), os.getegid())
