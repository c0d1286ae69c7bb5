# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""Change several paths as one: journal, swap, activate, and on failure or after a kill, undo.

A transaction is a directory `<journals>/<name>/` with `old/` (what is replaced) and `journal.json`, which decides:

- no journal: nothing was changed yet, or all is done; the directory is rubbish.
- phase `swapping`: some paths may be new, nobody was told; undo.
- phase `activating`: all paths are new, services may have been told; undo and tell them again.
- phase `unconfirmed`: the new version holds for now, until `confirm` makes it committed or somebody undoes it.
- phase `committed`: the new version holds; finish by removing what it replaced.

Every step can be repeated, so a kill during recovery is recovered in the same way.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Callable

from . import files
from .errors import HostError, StoreError

SWAPPING = "swapping"
ACTIVATING = "activating"
UNCONFIRMED = "unconfirmed"
COMMITTED = "committed"

# A plan is JSON: what `activate` and `restore` need to know, also in another process after a kill.
Plan = Mapping[str, Any]
Activate = Callable[[Plan], None]
Restore = Callable[[Plan, str], None]

LOCK_SECONDS = 120


@dataclass(frozen=True)
class State:
    """Where transactions live: journals, the one lock, and a directory for what may vanish."""

    journals: str
    lock: str
    run: str

    @contextlib.contextmanager
    def scratch(self) -> Iterator[str]:
        """A private directory that is removed afterwards, or by `recover` after a kill."""
        os.makedirs(self.run, mode=0o700, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="work-", dir=self.run) as path:
            yield path


@contextlib.contextmanager
def locked(state: State, *, restore: Restore, patience: float = LOCK_SECONDS) -> Iterator[list[str]]:
    """Be the only one who changes things, with interrupted transactions undone first; yields their names.

    StoreError when someone else is at work for longer than `patience` seconds.
    """
    os.makedirs(os.path.dirname(state.lock), exist_ok=True)
    descriptor = os.open(state.lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        _acquire(descriptor, state.lock, patience)
        yield recover(state, restore=restore)
    finally:
        os.close(descriptor)


def run(
    *,
    state: State,
    name: str,
    changes: Sequence[files.Change],
    plan: Plan,
    activate: Activate,
    restore: Restore,
    rubbish: Sequence[str] = (),
    confirmed: bool = True,
) -> None:
    """Put `changes` in place in their order and activate them; on any failure put everything back and raise its reason.

    Call it with the lock held. `rubbish` are directories that the new version makes superfluous. Without `confirmed`
    the journal stays, so that `undo_unconfirmed` can go back, until `confirm`.
    """
    home = os.path.join(state.journals, name)
    try:
        _begin(home, changes=changes, plan=plan, rubbish=rubbish)
        for change in changes:
            files.put(change.path, change.entry)
        _set_phase(home, ACTIVATING)
        activate(plan)
        _set_phase(home, COMMITTED if confirmed else UNCONFIRMED)
    except (HostError, OSError) as failure:
        kind = type(failure) if isinstance(failure, HostError) else StoreError
        raise kind(f"rolled back: {failure}{_undo_in_words(home, restore)}") from failure
    except BaseException:
        _undo(home, restore=restore)
        raise
    if confirmed:
        _finish(home)


def confirm(state: State, name: str) -> None:
    """Make an unconfirmed transaction the version that holds, with the lock held; StoreError when it is gone."""
    home = os.path.join(state.journals, name)
    journal = _read(home)
    if journal is None or journal["phase"] != UNCONFIRMED:
        raise StoreError(f"{name}: nothing waits to be confirmed; it was undone when its time was up, so run it again")
    _set_phase(home, COMMITTED)
    _finish(home)


def undo_unconfirmed(state: State, names: Sequence[str] | None = None, *, restore: Restore) -> list[str]:
    """Go back from every unconfirmed transaction, or from those in `names`, with the lock held; names of the undone."""
    undone = []
    for name in _names(state.journals) if names is None else names:
        home = os.path.join(state.journals, name)
        journal = _read(home)
        if journal is not None and journal["phase"] == UNCONFIRMED:
            undone.append(name)
            _undo(home, restore=restore)
    return undone


def recover(state: State, *, restore: Restore) -> list[str]:
    """Finish or undo every interrupted transaction, with the lock held, and remove its traces; names of the undone.

    One that waits to be confirmed is not interrupted: another change must not end its time.
    """
    undone = []
    for name in _names(state.journals):
        home = os.path.join(state.journals, name)
        journal = _read(home)
        if journal is not None and journal["phase"] == UNCONFIRMED:
            continue
        if journal is not None and journal["phase"] != COMMITTED:
            undone.append(name)
            _undo(home, restore=restore)
        else:
            _finish(home)
    for name in _names(state.run):
        shutil.rmtree(os.path.join(state.run, name))
    return undone


def _acquire(descriptor: int, path: str, patience: float) -> None:
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise StoreError(
                    f"{path}: another change has held the lock for {patience:g} seconds; let it end, then run again"
                ) from None
            time.sleep(0.1)


def _begin(home: str, *, changes: Sequence[files.Change], plan: Plan, rubbish: Sequence[str]) -> None:
    """Keep what is there, then write the journal: from that moment on the transaction exists."""
    os.makedirs(os.path.join(home, "old"), mode=0o700)
    entries = []
    for number, change in enumerate(changes):
        old = files.observe(change.path)
        if isinstance(old, files.File):
            files.put(_copy(home, number), files.File(old.content, 0o600, os.geteuid(), os.getegid()))
        entries.append({"path": change.path, **_describe(old)})
    _write(home, {"phase": SWAPPING, "entries": entries, "plan": plan, "rubbish": list(rubbish)})


def _undo(home: str, *, restore: Restore) -> None:
    journal = _read(home)
    if journal is None:
        shutil.rmtree(home, ignore_errors=True)
        return
    for number, entry in reversed(list(enumerate(journal["entries"]))):
        files.discard_temporary(entry["path"])
        old = _revive(home, number, entry)
        if files.observe(entry["path"]) != old:
            files.put(entry["path"], old)
    # Whoever waited to be confirmed was activated.
    phase = ACTIVATING if journal["phase"] == UNCONFIRMED else journal["phase"]
    try:
        restore(journal["plan"], phase)
    finally:
        _finish(home)


def _undo_in_words(home: str, restore: Restore) -> str:
    try:
        _undo(home, restore=restore)
    except HostError as failure:
        return f"; the previous version is back in place but did not come up: {failure}"
    return ""


def _finish(home: str) -> None:
    """Remove rubbish, then the journal (the last moment at which the transaction exists), then its directory."""
    journal = _read(home)
    if journal is not None:
        if journal["phase"] == COMMITTED:
            for path in journal["rubbish"]:
                shutil.rmtree(path, ignore_errors=True)
        files.put(_journal(home), None)
    shutil.rmtree(home)


def _describe(entry: files.Entry) -> dict[str, Any]:
    if entry is None:
        return {"kind": "none"}
    if isinstance(entry, files.Link):
        return {"kind": "link", "target": entry.target}
    kind = "file" if isinstance(entry, files.File) else "directory"
    return {"kind": kind, "mode": entry.mode, "uid": entry.uid, "gid": entry.gid}


def _revive(home: str, number: int, entry: Mapping[str, Any]) -> files.Entry:
    if entry["kind"] == "none":
        return None
    if entry["kind"] == "link":
        return files.Link(entry["target"])
    if entry["kind"] == "directory":
        return files.Directory(entry["mode"], entry["uid"], entry["gid"])
    with open(_copy(home, number), "rb") as stream:
        return files.File(stream.read(), entry["mode"], entry["uid"], entry["gid"])


def _set_phase(home: str, phase: str) -> None:
    journal = _read(home)
    if journal is None:
        raise StoreError(f"{_journal(home)}: vanished during the transaction; run again")
    _write(home, {**journal, "phase": phase})


def _write(home: str, journal: Mapping[str, Any]) -> None:
    content = json.dumps(journal, sort_keys=True).encode()
    files.put(_journal(home), files.File(content, 0o600, os.geteuid(), os.getegid()))


def _read(home: str) -> dict[str, Any] | None:
    try:
        with open(_journal(home), "rb") as stream:
            journal: dict[str, Any] = json.loads(stream.read())
    except FileNotFoundError:
        return None
    except ValueError as failure:
        raise StoreError(
            f"{_journal(home)}: is damaged ({failure}); compare the paths in it with {home}/old by hand"
        ) from None
    return journal


def _journal(home: str) -> str:
    return os.path.join(home, "journal.json")


def _copy(home: str, number: int) -> str:
    return os.path.join(home, "old", str(number))


def _names(directory: str) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except FileNotFoundError:
        return []
