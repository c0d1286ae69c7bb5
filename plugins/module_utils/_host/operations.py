# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""What modules and the tool do: install a lineage's version, go back to one, configure a service, recover."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from . import candidate, descriptor, files, lineage, published, service, transaction
from .descriptor import NONE, START, Descriptor
from .errors import CheckError, HostError, StoreError
from .transaction import State

HOST_STATE = State(journals="/var/lib/bulwark/transactions", lock="/run/lock/bulwark.lock", run="/run/bulwark")


@dataclass(frozen=True)
class Material:
    """What a source brings for a lineage; None keeps what is current."""

    certificate: bytes | None = None
    chain: bytes | None = None
    ca: bytes | None = None
    # All that the own certificate may verify to, where that is not `ca`.
    roots: bytes | None = None
    crl: bytes | None = None
    ocsp: bytes | None = None
    key: str | None = None


@dataclass(frozen=True)
class Installed:
    """What became of an installation."""

    changed: bool
    version: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    activated: list[str] = field(default_factory=list)
    recovered: list[str] = field(default_factory=list)
    # What did not work and did not matter enough to refuse the rest.
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class ManagedFile:
    """A file that a service role manages, and what makes the service read a new one."""

    path: str
    entry: files.Entry
    activation: str


@dataclass(frozen=True)
class Configured:
    """What became of a configuration."""

    changed_files: list[str]
    activation: str
    checks: list[str]
    recovered: list[str]
    before: Mapping[str, files.Entry]
    # Until somebody confirms, and for so many seconds at most; 0 when it holds already.
    confirm_seconds: int = 0


def install(
    target: lineage.Lineage,
    material: Material,
    *,
    declaration: lineage.Declaration,
    check_mode: bool = False,
    expected: str | None = None,
) -> Installed:
    """Make `material` the current version of a lineage and every running service that uses it serve it.

    StoreError when `expected` is given and another version is current by now.
    """
    with _working(state_of(target.store), check_mode=check_mode) as (state, recovered):
        if expected is not None and target.current_version() != expected:
            raise StoreError(f"{target.current}: was changed by another run in the meantime; the next run looks again")
        current = target.read(target.current_version())
        version = _assembled(target, material, current)
        notes = [] if material.ocsp is not None else _settle_response(target, version, declaration, state)
        installed = _install(
            target, version, declaration=declaration, state=state, check_mode=check_mode, recovered=recovered
        )
        return dataclasses.replace(installed, notes=notes)


@contextlib.contextmanager
def key_in_memory(key: bytes) -> Iterator[str]:
    """The path of a private key, on a file system in memory and for its owner only, as long as the context lasts."""
    with tempfile.TemporaryDirectory(prefix="bulwark-key-", dir="/dev/shm") as directory:
        path = os.path.join(directory, lineage.KEY)
        files.create(path, files.File(key, 0o600, os.geteuid(), os.getegid()))
        yield path


def roll_back(target: lineage.Lineage) -> Installed:
    """Make certificate, key and CA of the version before the current one current again, with all checks and probes."""
    with _working(state_of(target.store), check_mode=False) as (state, recovered):
        version = target.read(lineage.previous_version(target))
        declaration = target.declaration()
        # Not the list: an older one would let in who was revoked since.
        current = target.read(target.current_version())
        if lineage.CRL in current:
            version[lineage.CRL] = current[lineage.CRL]
        notes = _settle_response(target, version, declaration, state)
        installed = _install(
            target, version, declaration=declaration, state=state, check_mode=False, recovered=recovered
        )
        return dataclasses.replace(installed, notes=notes)


def configure(name: str, managed: Sequence[ManagedFile], *, check_mode: bool = False) -> Configured:
    """Put a service's files in place and make it use them with the strongest activation that a changed content needs.

    A wrong owner or mode alone is put right without an activation: the service has read the content already, and the
    candidate check proves that it can read it again.
    """
    with _working(HOST_STATE, check_mode=check_mode) as (state, recovered):
        if not check_mode:
            # Whoever did not wait to confirm an earlier change was killed; what it left is no ground to build on.
            recovered.extend(transaction.undo_unconfirmed(state, [_transaction_of(name)], restore=service.restore))
        before = {item.path: files.observe(item.path) for item in managed}
        changes = _changes_of(managed, before)
        if not changes:
            return Configured([], NONE, [], recovered, before)
        new, old = _descriptors(name, managed)
        content = [item for item in managed if not _same_content(before[item.path], item.entry)]
        activation = descriptor.strongest(item.activation for item in content)
        if activation != NONE and not service.unit_state(new.unit).active:
            activation = START
        checks = _judge([new], changes, state=state, check_mode=check_mode)
        confirm_seconds = new.confirm_seconds if activation != NONE else 0
        if not check_mode:
            daemon_reload = any(change.path.startswith("/etc/systemd/") for change in changes)
            planned = [(new, activation, old.probes if old else ())]
            plan = service.planned(planned, daemon_reload=daemon_reload, store=lineage.STORE)
            if confirm_seconds:
                # Before the first file changes: from here on the way back needs nobody.
                service.arm_way_back(_transaction_of(name), seconds=confirm_seconds)
            _run(state, _transaction_of(name), changes, plan, confirmed=not confirm_seconds)
        changed = [item.path for item in managed if before[item.path] != item.entry]
        return Configured(changed, activation, checks, recovered, before, confirm_seconds)


def is_kept_running(name: str, managed: Sequence[ManagedFile]) -> bool:
    """Whether the service runs, and will after a boot."""
    return service.kept_running(_descriptors(name, managed)[0].unit)


def confirm(name: str) -> None:
    """Let a service's change that waits for it hold; StoreError when its time was up."""
    with transaction.locked(HOST_STATE, restore=service.restore):
        transaction.confirm(HOST_STATE, _transaction_of(name))
        service.disarm_way_back(_transaction_of(name))


def recover(*, before_boot: bool = False) -> list[str]:
    """Undo what was interrupted or not confirmed; before the services start at boot, without starting any."""
    if before_boot:
        # Who holds the lock then is a change that starts this unit: waiting for each other would be a deadlock.
        restore: transaction.Restore = service.restore_before_boot
        patience = 0.0
    else:
        restore, patience = service.restore, transaction.LOCK_SECONDS
    with transaction.locked(HOST_STATE, restore=restore, patience=patience) as recovered:
        return recovered + transaction.undo_unconfirmed(HOST_STATE, restore=restore)


def state_of(store: str) -> State:
    """The host's state for the host's store; a store elsewhere (client bundles, of any user) carries its own."""
    if store == lineage.STORE:
        return HOST_STATE
    base = os.path.join(store, ".state")
    return State(
        journals=os.path.join(base, "transactions"), lock=os.path.join(base, "lock"), run=os.path.join(base, "run")
    )


@contextlib.contextmanager
def _working(state: State, *, check_mode: bool) -> Iterator[tuple[State, list[str]]]:
    """The lock, with interrupted transactions undone; in check mode neither, only a directory that goes away."""
    if check_mode:
        with tempfile.TemporaryDirectory(prefix="bulwark-check-") as run:
            yield State(journals=state.journals, lock=state.lock, run=run), []
    else:
        with transaction.locked(state, restore=service.restore) as recovered:
            yield state, recovered


def _now() -> dt.datetime:
    return dt.datetime.now(dt.timezone.utc)


def _assembled(target: lineage.Lineage, material: Material, current: Mapping[str, bytes]) -> dict[str, bytes]:
    def given(value: bytes | None, name: str) -> bytes:
        return current.get(name, b"") if value is None else value

    certificate = given(material.certificate, lineage.CERTIFICATE)
    # A stapled response is about one certificate: a new one starts without.
    same = material.certificate is None or current.get(lineage.CERTIFICATE, b"").strip() == certificate.strip()
    # Who brings a certificate with the CA of its peers, and no roots, has one CA for both.
    one_ca = material.certificate is not None and material.ca is not None
    keys = [material.key] if material.key else [target.pending_key, os.path.join(target.current, lineage.KEY)]
    return lineage.assemble(
        target,
        certificate=certificate,
        chain=given(material.chain, lineage.CHAIN),
        ca=given(material.ca, lineage.CA),
        roots=b"" if material.roots is None and one_ca else given(material.roots, lineage.ROOTS),
        crl=given(material.crl, lineage.CRL),
        ocsp=given(material.ocsp, lineage.OCSP) if same or material.ocsp is not None else b"",
        keys=keys,
    )


def _settle_response(
    target: lineage.Lineage, version: dict[str, bytes], declaration: lineage.Declaration, state: State
) -> list[str]:
    """Leave a kept response out when it cannot be stapled any more, and fetch one where the host does that by itself.

    A stale one must not stand in the way of what is new, and a new certificate's first handshake is stapled.
    Returns why there is none, when there should be.
    """
    with state.scratch() as scratch:
        if lineage.OCSP in version:
            try:
                lineage.require_good(lineage.answered(target, version, scratch=scratch), now=_now())
                return []
            except CheckError:
                del version[lineage.OCSP]
        places = published.responders(version, declaration.refresh) if declaration.refresh.ocsp else ()
        if places:
            try:
                found = published.response(target, version, places, scratch=scratch, now=_now())
                version[lineage.OCSP] = found.der
            except HostError as failure:
                return [f"{target.name}: installed without a stapled response: {failure}"]
    return []


def _install(
    target: lineage.Lineage,
    version: Mapping[str, bytes],
    *,
    declaration: lineage.Declaration,
    state: State,
    check_mode: bool,
    recovered: list[str],
) -> Installed:
    identity = lineage.version_id(version)
    current = target.read(target.current_version())
    changes = lineage.changes(target, version, group=declaration.group)
    before, after = (lineage.facts(files_, source=target.name) for files_ in (current, version))
    if not changes:
        return Installed(False, identity, before, after, recovered=recovered)
    with state.scratch() as scratch:
        lineage.check(target, version, declaration=declaration, scratch=scratch, now=_now())
    using = _services_using(target)
    _judge(using, changes, state=state, check_mode=check_mode)
    parts = lineage.changed_parts(current, version)
    activations = [(item, item.activation(target.name, parts), item.probes) for item in using]
    activations = [item for item in activations if item[1] != NONE]
    if not check_mode:
        rubbish = lineage.superfluous(target, successor=identity)
        plan = service.planned(activations, store=target.store)
        _run(state, f"lineage-{target.name}", changes, plan, rubbish=rubbish)
    activated = [f"{item.unit}: {action}" for item, action, _probes in activations]
    return Installed(True, identity, before, after, activated=activated, recovered=recovered)


def _services_using(target: lineage.Lineage) -> list[Descriptor]:
    """The running services that a change of the lineage concerns; a stopped one reads it when it starts."""
    if target.store != lineage.STORE:
        return []
    return [
        item
        for item in descriptor.installed().values()
        if target.name in item.lineages and service.unit_state(item.unit).active
    ]


def _judge(
    services: Sequence[Descriptor], changes: Sequence[files.Change], *, state: State, check_mode: bool
) -> list[str]:
    """Let each service's own program judge the changes; in check mode only where everything it needs is there."""
    checks = []
    for item in services:
        if check_mode and not (candidate.present(item.check) and _has_lineages(item)):
            continue
        user = item.check.user or service.unit_state(item.unit).user
        with state.scratch() as scratch:
            candidate.judge(item.check, changes, unit=item.unit, user=user, scratch=scratch)
        checks.append(" ".join(item.check.argv))
    return checks


def _has_lineages(item: Descriptor) -> bool:
    return all(lineage.Lineage(lineage.STORE, name).current_version() for name in item.lineages)


def _run(
    state: State,
    name: str,
    changes: Sequence[files.Change],
    plan: Mapping[str, Any],
    rubbish: Sequence[str] = (),
    *,
    confirmed: bool = True,
) -> None:
    transaction.run(
        state=state,
        name=name,
        changes=changes,
        plan=plan,
        activate=service.activate,
        restore=service.restore,
        rubbish=rubbish,
        confirmed=confirmed,
    )


def _transaction_of(service_name: str) -> str:
    return f"service-{service_name}"


def _changes_of(managed: Sequence[ManagedFile], before: Mapping[str, files.Entry]) -> list[files.Change]:
    changes: dict[str, files.Change] = {}
    for item in managed:
        if isinstance(before[item.path], files.Directory):
            raise StoreError(f"{item.path}: is a directory, a file is to be there; remove it")
        if before[item.path] == item.entry:
            continue
        if item.entry is not None:
            for parent in files.missing_parents(item.path):
                changes.setdefault(parent, files.Change(parent, files.Directory(0o755, 0, 0)))
        changes[item.path] = files.Change(item.path, item.entry)
    return list(changes.values())


def _same_content(before: files.Entry, after: files.Entry) -> bool:
    if isinstance(before, files.File) and isinstance(after, files.File):
        return before.content == after.content
    return before == after


def _descriptors(name: str, managed: Sequence[ManagedFile]) -> tuple[Descriptor, Descriptor | None]:
    """The descriptor that will hold, from the files to deploy or from disk, and the one that held before."""
    path = descriptor.path_of(name)
    on_disk = files.observe(path)
    old = descriptor.parse(on_disk.content, source=path) if isinstance(on_disk, files.File) else None
    staged = next((item.entry for item in managed if item.path == path), None)
    new = descriptor.parse(staged.content, source=path) if isinstance(staged, files.File) else old
    if new is None:
        raise StoreError(f"{path}: service {name} has no descriptor; put one among the files")
    return new, old
