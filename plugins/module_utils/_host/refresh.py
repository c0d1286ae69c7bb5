# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""Keep the revocation lists and the stapled response of a lineage fresh: what the timer does on a host.

What was last good stays until something better is there: newer, signed by the right CA, fresh. Services hear of it only
when that changes what they do: a list with other entries, or one that replaces what is half way to its end.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Callable

from . import files, lineage, openssl, operations, published
from .errors import CheckError, HostError, StoreError

DIRECTORY = "/var/lib/bulwark/refresh"

INSTALLED, UNCHANGED, NOT_DUE, NOT_APPLICABLE, FAILED = "installed", "unchanged", "not due", "not applicable", "failed"
NOT_YET = "not yet"


@dataclass(frozen=True)
class Outcome:
    """What became of a lineage's ocsp or crl, with the reason or until when it holds."""

    part: str
    result: str
    detail: str


@dataclass(frozen=True)
class _Found:
    """What to install, None for nothing, and what to remember for the next run."""

    outcome: Outcome
    material: operations.Material | None = None
    asked: bool = True
    memory: Mapping[str, Any] | None = None
    # What to say in front of the reason when the material is refused.
    otherwise: str = ""


@dataclass(frozen=True)
class _Run:
    """One look at a lineage."""

    target: lineage.Lineage
    version: Mapping[str, bytes]
    refresh: lineage.Refresh
    scratch: str
    now: dt.datetime
    # Ask even when it is not due.
    always: bool

    def due(self, start: dt.datetime, end: dt.datetime) -> bool:
        who = f"{os.uname().nodename}/{self.target.name}"
        return self.always or self.now >= published.due(start, end, who=who)


def refresh(target: lineage.Lineage, *, now: dt.datetime, always: bool = False) -> list[Outcome]:
    """Refresh what a lineage declares; every failure is an outcome, and none keeps the other part from its turn."""
    wanted = target.declaration().refresh
    if not (wanted.ocsp or wanted.crl):
        return []
    outcomes = []
    with _alone(target) as memory:
        # The response first: an installation drops one that went stale, which a service may not be able to do without.
        for part, look in (("ocsp", _look_for_response), ("crl", _look_for_lists)):
            if getattr(wanted, part):
                outcomes.append(_refreshed(target, wanted, part, look, memory=memory, now=now, always=always))
    return outcomes


def remembered(target: lineage.Lineage) -> dict[str, Any]:
    """What earlier runs left for monitoring, by part: result, detail, last_attempt, last_success; empty before any."""
    entry = files.observe(_status_path(target))
    if not isinstance(entry, files.File):
        return {}
    try:
        found: dict[str, Any] = json.loads(entry.content)
    except ValueError:
        return {}
    return found


def _refreshed(
    target: lineage.Lineage,
    wanted: lineage.Refresh,
    part: str,
    look: Callable[[_Run, Mapping[str, Any]], _Found],
    *,
    memory: dict[str, Any],
    now: dt.datetime,
    always: bool,
) -> Outcome:
    before = memory.get(part, {})
    version_id = target.current_version()
    said = ""
    try:
        with operations.state_of(target.store).scratch() as scratch:
            run = _Run(target, target.read(version_id), wanted, scratch, now, always)
            found = look(run, before) if run.version else _not_applicable(part, "there is no certificate yet")
        if found.material:
            said = found.otherwise
            operations.install(target, found.material, declaration=target.declaration(), expected=version_id)
    except (HostError, OSError) as failure:
        found = _Found(Outcome(part, FAILED, f"{said}{failure}"))
    outcome = found.outcome
    after = {**before, **(found.memory or {}), "result": outcome.result, "detail": outcome.detail}
    if found.asked:
        after["last_attempt"] = lineage.show(now)
        if outcome.result != FAILED:
            after["last_success"] = lineage.show(now)
    memory[part] = after
    return outcome


def _look_for_response(run: _Run, _memory: Mapping[str, Any]) -> _Found:
    places = published.responders(run.version, run.refresh)
    if not places:
        return _not_applicable("ocsp", "the certificate names no OCSP responder, and refresh.ocsp_url is not set")
    old = _good_response(run)
    if old and old.next_update and not run.due(old.this_update, old.next_update):
        return _Found(Outcome("ocsp", NOT_DUE, f"until {lineage.show(old.next_update)}"), asked=False)
    try:
        new = published.response(run.target, run.version, places, scratch=run.scratch, now=run.now)
    except published.RevokedError as failure:
        return _withdrawn(run, str(failure))
    if old and old.next_update and old.this_update >= new.this_update:
        ends = lineage.show(old.next_update)
        if published.late(old.this_update, old.next_update, now=run.now):
            raise CheckError(f"nothing newer came than the response that expires at {ends}")
        return _Found(Outcome("ocsp", UNCHANGED, f"until {ends}"))
    return _Found(
        Outcome("ocsp", INSTALLED, f"until {lineage.show(new.next_update)}"), operations.Material(ocsp=new.der)
    )


def _withdrawn(run: _Run, reason: str) -> _Found:
    """What is stapled says good and is refuted: it goes, and only a new certificate brings another."""
    if lineage.OCSP not in run.version:
        raise CheckError(f"{reason}; issue a new certificate")
    detail = f"{reason}; the stapled response was removed, issue a new certificate"
    otherwise = f"{reason}; issue a new certificate, for the stapled response could not be removed: "
    return _Found(Outcome("ocsp", FAILED, detail), operations.Material(ocsp=b""), otherwise=otherwise)


def _good_response(run: _Run) -> openssl.Ocsp | None:
    if lineage.OCSP not in run.version:
        return None
    try:
        said = lineage.answered(run.target, run.version, scratch=run.scratch)
        lineage.require_good(said, now=run.now)
    except CheckError:
        return None
    return said


def _look_for_lists(run: _Run, memory: Mapping[str, Any]) -> _Found:
    places = published.list_places(run.version, run.refresh)
    if not places:
        return _not_applicable("crl", "the certificate names no revocation list, and refresh.crl_urls is not set")
    content = run.version.get(lineage.CRL, b"")
    before = lists = openssl.crls(content, source=f"{run.target.name}/{lineage.CRL}")
    due = not lists or any(run.due(item.last_update, item.next_update) for item in lists)
    # What the server sent last time was compared with this very content, and nothing of it is due.
    known = memory.get("validators", {}) if memory.get("compared_with") == _digest(content) and not due else {}
    validators: dict[str, Mapping[str, str]] = {}
    problems = []
    for place in places:
        try:
            found, validators[place] = published.lists(place, known.get(place, {}))
        except HostError as failure:
            problems.append(str(failure))
            continue
        for item in found:
            try:
                lists = _with_list(run, lists, item, place)
            except HostError as failure:
                problems.append(str(failure))
    problems += [
        f"nothing newer came than the list of {item.issuer} that {_ends(item, run.now)}"
        for item in lists
        if published.late(item.last_update, item.next_update, now=run.now)
    ]
    # One that expired locks out its CA's clients, there or not; it must not keep a fresh one of another CA out.
    left = [item for item in lists if item.next_update > run.now]
    changed = lists != before
    new = b"".join(item.pem for item in left) if changed else content
    result = FAILED if problems else INSTALLED if changed else UNCHANGED
    until = f"until {lineage.show(min(item.next_update for item in left))}" if left else "there is no list"
    return _Found(
        Outcome("crl", result, "; ".join([*problems, until])),
        operations.Material(crl=new) if changed else None,
        memory={"validators": validators, "compared_with": _digest(new)},
    )


def _with_list(run: _Run, lists: list[openssl.Crl], new: openssl.Crl, place: str) -> list[openssl.Crl]:
    """The lists with a new one in the place of its issuer's; as they are when it does not say anything new.

    CheckError for one that the lineage's CAs did not sign, that is not fresh, or that is older than what is there.
    """
    if new in lists:
        return lists
    lineage.require_fresh_list(run.target, new, run.version, source=place, scratch=run.scratch, now=run.now)
    key, entries = openssl.crl_details(new.pem, source=place)
    for number, old in enumerate(lists):
        old_key, old_entries = openssl.crl_details(old.pem, source=f"{run.target.name}/{lineage.CRL}")
        if (old.issuer, old_key) != (new.issuer, key):
            continue
        if entries == old_entries and not run.due(old.last_update, old.next_update):
            return lists
        if new.last_update < old.last_update:
            # An old list is still signed: whoever can hold back the new one would undo a revocation with it.
            raise CheckError(
                f"{place}: the list of {new.issuer} is of {lineage.show(new.last_update)}, older than the one here"
            )
        return [*lists[:number], new, *lists[number + 1 :]]
    return [*lists, new]


def _ends(item: openssl.Crl, now: dt.datetime) -> str:
    return f"{'expired' if item.next_update <= now else 'expires'} at {lineage.show(item.next_update)}"


def _not_applicable(part: str, reason: str) -> _Found:
    return _Found(Outcome(part, NOT_APPLICABLE, reason), asked=False)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _status_path(target: lineage.Lineage) -> str:
    directory = DIRECTORY if target.store == lineage.STORE else os.path.join(target.store, ".state", "refresh")
    return os.path.join(directory, f"{target.name}.json")


@contextlib.contextmanager
def _alone(target: lineage.Lineage) -> Iterator[dict[str, Any]]:
    """What is remembered, to be changed, with no second refresh at the same time."""
    path = _status_path(target)
    # Whatever the umask is: monitors read it.
    for parent in files.missing_parents(path):
        files.put(parent, files.Directory(0o755, os.geteuid(), os.getegid()))
    descriptor = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreError(f"{os.path.dirname(path)}: another refresh is at work; let it end") from None
        memory = remembered(target)
        yield memory
        content = json.dumps(memory, indent=2, sort_keys=True).encode() + b"\n"
        files.put(path, files.File(content, 0o644, os.geteuid(), os.getegid()))
    finally:
        os.close(descriptor)
