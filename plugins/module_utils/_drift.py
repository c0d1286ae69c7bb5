# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""How a host differs from the manifest of what was rendered for it. Standard library only: it runs there."""

from __future__ import annotations

import fnmatch
import grp
import hashlib
import hmac
import os
import pwd
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Callable

from . import _emqx_users as emqx_users
from . import _mosquitto_passwords as mosquitto_passwords
from ._host import files

CHANGED, MISSING, FOREIGN, STALE = "changed", "missing", "foreign", "stale"

# Everything in it is the collection's, but for what is in a lineage that the host is to have: the store's own versions.
ROOT = "/etc/bulwark"
_STORE = f"{ROOT}/tls"
# The key of nginx.org, which is fetched when the package is installed.
_FETCHED = frozenset({f"{ROOT}/nginx_org.asc"})
_DROP_INS = re.compile(r"/etc/systemd/system/[^/]+\.d")


@dataclass(frozen=True)
class Finding:
    """One difference: its kind, where it is (a path or a unit), and in words what it is."""

    kind: str
    where: str
    what: str


@dataclass(frozen=True)
class Unit:
    """What systemd says of a unit; times in seconds since 1970, 0 where there is none."""

    active: bool
    started: int
    # When it last changed its state: a reload is such a change.
    told: int
    needs_daemon_reload: bool


def differences(
    manifest: Mapping[str, Any],
    *,
    host: str,
    key: str,
    ignored: Sequence[str],
    unit: Callable[[str], Unit],
) -> list[Finding]:
    """All that is not as the manifest says, in the order of paths; then what services have not read."""
    entries = {entry["path"]: entry for entry in manifest["files"]}
    found = [
        *(finding for entry in entries.values() for finding in _of_file(entry, host, key)),
        *_foreign(entries, ignored),
    ]
    return [*sorted(found, key=lambda finding: finding.where), *_stale(manifest, unit)]


def parse_unit(output: str) -> Unit:
    """The properties that `systemctl show --timestamp=unix` prints."""
    values = dict(line.partition("=")[::2] for line in output.splitlines())

    def time(name: str) -> int:
        digits = values.get(name, "").lstrip("@")
        return int(digits) if digits.isdigit() else 0

    return Unit(
        active=values.get("ActiveState") in ("active", "reloading"),
        started=time("ActiveEnterTimestamp"),
        told=time("StateChangeTimestamp"),
        needs_daemon_reload=values.get("NeedDaemonReload") == "yes",
    )


PROPERTIES = "ActiveState,ActiveEnterTimestamp,StateChangeTimestamp,NeedDaemonReload"


def _of_file(entry: Mapping[str, Any], host: str, key: str) -> Iterator[Finding]:
    path = entry["path"]
    there = files.observe(path)
    if entry["state"] == "absent":
        if there is not None:
            yield Finding(FOREIGN, path, "is there, and is to be absent")
    elif there is None:
        yield Finding(MISSING, path, "is not there")
    elif not isinstance(there, files.File):
        yield Finding(CHANGED, path, "is no file")
    else:
        found = [*_content(entry, there, host, key), *_attributes(entry, there)]
        if found:
            yield Finding(CHANGED, path, "; ".join(found))


def _content(entry: Mapping[str, Any], there: files.File, host: str, key: str) -> Iterator[str]:
    if entry.get("made_on_host"):
        # Hashes with salts of their own: whom it lets in is what can be compared.
        names = _users(there.content.decode(errors="replace"))
        for name in sorted(names - set(entry["names"])):
            yield f"lets in {name}"
        for name in sorted(set(entry["names"]) - names):
            yield f"does not let in {name}"
    elif "hmac_sha256" in entry:
        message = f"{host}\0{entry['path']}\0".encode() + there.content
        if not hmac.compare_digest(hmac.new(key.encode(), message, hashlib.sha256).hexdigest(), entry["hmac_sha256"]):
            yield "has another content"
    elif hashlib.sha256(there.content).hexdigest() != entry["sha256"]:
        yield "has another content"


def _users(content: str) -> set[str]:
    """Whom a broker's file of passwords lets in: EMQX's is JSON, and no name in Mosquitto's could make it so."""
    if content.startswith("["):
        return set(emqx_users.FORM.read(content))
    return set(mosquitto_passwords.FORM.read(content))


def _attributes(entry: Mapping[str, Any], there: files.File) -> Iterator[str]:
    if there.mode != int(entry["mode"], 8):
        yield f"has mode {there.mode:04o}, not {entry['mode']}"
    owner, group = _name(pwd.getpwuid, there.uid), _name(grp.getgrgid, there.gid)
    if owner != entry["owner"]:
        yield f"belongs to {owner}, not to {entry['owner']}"
    if group != entry["group"]:
        yield f"has group {group}, not {entry['group']}"


def _name(look_up: Callable[[int], Any], number: int) -> str:
    try:
        return str(look_up(number)[0])
    except KeyError:
        return str(number)


def _foreign(entries: Mapping[str, Any], ignored: Sequence[str]) -> Iterator[Finding]:
    """What is in directories of the collection's and in no manifest."""
    lineages = {
        os.path.dirname(path)
        for path, entry in entries.items()
        if path.startswith(f"{_STORE}/") and entry["state"] == "present"
    }
    drop_ins = sorted({os.path.dirname(path) for path in entries if _DROP_INS.fullmatch(os.path.dirname(path))})
    for path in [*_below(ROOT, lineages), *(path for folder in drop_ins for path in _below(folder, ()))]:
        expected = path in entries or path in _FETCHED
        if not expected and not any(fnmatch.fnmatchcase(path, pattern) for pattern in ignored):
            yield Finding(FOREIGN, path, "is nobody's")


def _below(root: str, kept: Iterable[str]) -> Iterator[str]:
    """Everything below a directory that is no directory, without what is in those that are kept."""
    known = frozenset(kept)
    for folder, folders, names in os.walk(root):
        links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
        folders[:] = sorted(name for name in folders if os.path.join(folder, name) not in known)
        yield from (os.path.join(folder, name) for name in sorted([*names, *links]))


def _stale(manifest: Mapping[str, Any], unit: Callable[[str], Unit]) -> Iterator[Finding]:
    """Services that do not run, or that have not read what is in place."""
    for service, name in sorted(manifest["units"].items()):
        state = unit(name)
        if not state.active:
            yield Finding(STALE, name, "does not run")
            continue
        for needs, since, what in (("restart", state.started, "started"), ("reload", state.told, "reloaded")):
            paths = [
                entry["path"]
                for entry in manifest["files"]
                if entry["service"] == service and entry["change"] == needs and _time(entry["path"]) > since
            ]
            if paths:
                yield Finding(STALE, name, f"was {what} before {', '.join(paths)} changed")
        if state.needs_daemon_reload:
            yield Finding(STALE, name, "has a unit file that systemd has not read")


def _time(path: str) -> int:
    """When a file's content changed, in whole seconds, as systemd tells times; 0 where there is none."""
    try:
        return int(os.lstat(path).st_mtime)
    except OSError:
        return 0
