# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.

"""Rollover: a new issuing CA, or a new root with an issuing CA below it, takes the place of the old in four steps.

    introduce  the new CA is made and in the bundle; the old one signs
    reissue    the new CA signs; every certificate of the old one is due
    cut_over   nothing of the old CA is left in use, or what is left is revoked
    retire     the old CA leaves the bundle

A step is one transaction in the ledger. Only the first makes folders, each in one rename, so a run that is killed is
completed by the next one. A new root is certified by the old one as well: who has only the old root in its bundle
accepts what the new CA issues, because the chain has that certificate until the old root is retired.

    cancel     after introduce: the new CA, which signed for nobody, leaves the bundle and is named no more
               after reissue: the two change places, so that cut_over and retire then take the new one out
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from . import authority, certificates, ledger, lifetimes
from .authority import CANCELLED, CUT_OVER, INTRODUCED, ISSUING, REPLACED, RETIRED, ROOT, SIGNING
from .errors import AuthorityError, RefusedRolloverError

PHASES = ("introduce", "reissue", "cut_over", "retire")
# What can be asked for instead of the next phase, until the new CA is the only one that counts.
CANCEL = "cancel"

# How many certificates a refusal names; pki_info lists all.
_NAMED = 5


@dataclass(frozen=True)
class Goal:
    """The phase that a rollover should be in."""

    of: str
    phase: str
    # Cut over although certificates of the old CA are in use and not replaced: they are revoked.
    leave_behind: bool = False
    # Have a new root certified by the old one.
    cross_certificate: bool = True


@dataclass(frozen=True)
class Status:
    """Where the last rollover is; `of` and `phase` are empty when there was none."""

    of: str = ""
    phase: str = ""
    old: tuple[authority.Ca, ...] = ()
    new: tuple[authority.Ca, ...] = ()

    @property
    def next_phase(self) -> str:
        """The phase that follows, '' after the last one and where nothing was begun."""
        return PHASES[PHASES.index(self.phase) + 1] if self.phase and self.phase != PHASES[-1] else ""

    @property
    def under_way(self) -> bool:
        """Whether a rollover was begun and not ended."""
        return bool(self.next_phase)

    @property
    def cancelled(self) -> bool:
        """Whether the new CA is the one that goes: it signed, and the one before it took its place back."""
        old, new = (max((ca.number for ca in cas if ca.kind == ISSUING), default=0) for cas in (self.old, self.new))
        return 0 < new < old


def status(authority_: authority.Authority) -> Status:
    """Where the last rollover is."""
    introduced = _in_phase(authority_, INTRODUCED)
    signing = (authority_.root, authority_.issuing)
    if introduced:
        of = _kind(introduced)
        old = tuple(ca for ca in signing if of == ROOT or ca.kind == ISSUING)
        return Status(of=of, phase="introduce", old=old, new=introduced)
    for phase, name in ((REPLACED, "reissue"), (CUT_OVER, "cut_over"), (RETIRED, "retire")):
        old = _latest(_in_phase(authority_, phase))
        if old:
            of = _kind(old)
            new = tuple(ca for ca in signing if of == ROOT or ca.kind == ISSUING)
            return Status(of=of, phase=name, old=old, new=new)
    return Status()


def left(authority_: authority.Authority, book: ledger.Ledger, *, now: dt.datetime) -> list[ledger.Record]:
    """What is left to re-issue: certificates of the old CA in use that the new one has not replaced; none at rest."""
    current = status(authority_)
    new = next((ca for ca in current.new if ca.kind == ISSUING), None)
    if not current.under_way or new is None:
        return []
    old = [ca.key_id for ca in current.old if ca.kind == ISSUING]
    return book.unreplaced(issuers=old, successor=new.key_id, now=now)


def facts(authority_: authority.Authority, *, now: dt.datetime) -> dict[str, object]:
    """Where the last rollover is, as data; {} when there was none."""
    current = status(authority_)
    if not current.phase:
        return {}
    with authority_.open_ledger() as book:
        remaining = len(left(authority_, book, now=now))
    return {
        "of": current.of,
        "phase": current.phase,
        "next_phase": current.next_phase,
        "old": [ca.name for ca in current.old],
        "new": [ca.name for ca in current.new],
        "left": remaining,
        "cancelled": current.cancelled,
    }


def plan(authority_: authority.Authority, goal: Goal, *, now: dt.datetime) -> list[str]:
    """What `advance` would do, as reasons, none when the phase is reached; RefusedRolloverError for what it refuses."""
    current = status(authority_)
    _check_clock(authority_, now=now)
    if goal.phase == CANCEL:
        return _plan_cancel(authority_, current, now=now)
    _check_order(current, goal)
    if goal.phase == "introduce":
        return [f"{name} is introduced" for name in _to_introduce(authority_, goal)]
    if current.phase == "introduce" and _to_introduce(authority_, goal):
        raise RefusedRolloverError(
            f"the introduction of {_listed(current.new)} was interrupted: run the phase introduce again"
        )
    if current.phase == goal.phase:
        return []
    with authority_.open_ledger() as book:
        remaining = left(authority_, book, now=now)
    if goal.phase in ("cut_over", "retire") and remaining and not goal.leave_behind:
        raise RefusedRolloverError(_left_message(current, remaining))
    old, new = _listed(current.old), _listed(current.new)
    if goal.phase == "reissue":
        return [f"{new} signs, certificates of {old} are due: {len(remaining)}"]
    if goal.phase == "cut_over":
        return [f"{old} is cut over", *_revoked_reasons(remaining)]
    return [f"{old} is retired and leaves the bundle", *_revoked_reasons(remaining)]


def advance(
    authority_: authority.Authority, goal: Goal, wanted: authority.Wanted, *, now: dt.datetime
) -> tuple[authority.Authority, list[str]]:
    """Bring a rollover to its next phase; the authority as it is then, and what was done, nothing when it was there."""
    directory = authority_.directory
    with authority.disk_errors(directory), authority.locked(directory):
        # Another run may have done it while this one waited.
        authority_ = authority.load(directory)
        done = plan(authority_, goal, now=now)
        if done and goal.phase == "introduce":
            _introduce(authority_, goal, wanted, now=now)
        elif done and goal.phase == CANCEL:
            _cancel(authority_, wanted, now=now)
        elif done:
            _move(authority_, goal, wanted, now=now)
    return authority.load(directory), done


def _plan_cancel(authority_: authority.Authority, current: Status, *, now: dt.datetime) -> list[str]:
    """What `_cancel` would do, nothing where it was done; RefusedRolloverError where it is too late, or nothing."""
    if current.cancelled or (not current.under_way and _was_cancelled(authority_)):
        return []
    if not current.under_way:
        raise RefusedRolloverError("there is no rollover to cancel")
    new = _listed(current.new)
    if current.phase == "introduce":
        return [f"{new} is cancelled and leaves the bundle"]
    if current.phase == "reissue":
        with authority_.open_ledger() as book:
            issuers = [ca.key_id for ca in current.new if ca.kind == ISSUING]
            due = book.unreplaced(issuers=issuers, successor=_issuing_of(current.old).key_id, now=now)
        return [f"back to {_listed(current.old)}, certificates of {new} are due: {len(due)}"]
    raise RefusedRolloverError(
        f"the rollover to {new} is in the phase {current.phase}, what was left behind is revoked: it cannot be "
        f"cancelled, go on with {current.next_phase}"
    )


def _cancel(authority_: authority.Authority, wanted: authority.Wanted, *, now: dt.datetime) -> None:
    current = status(authority_)
    with authority_.open_ledger() as book:
        if current.phase == "reissue":
            # Found out now, as in the phase reissue.
            _issuing_of(current.old).unlock(wanted.issuing_passphrase)
            phases = {**{ca.name: SIGNING for ca in current.old}, **{ca.name: REPLACED for ca in current.new}}
            book.move(phases, at=now)
            return
        phases = {ca.name: CANCELLED for ca in current.new}
        revoked = _still_certified(authority_, current.new)
        book.move(phases, at=now, revoked=revoked, reason="cessation_of_operation")


def _was_cancelled(authority_: authority.Authority) -> bool:
    """Whether the last that happened to any CA was that one was cancelled."""
    return any(ca.phase == CANCELLED for ca in _latest(authority_.cas))


def _issuing_of(cas: Sequence[authority.Ca]) -> authority.Ca:
    return next(ca for ca in cas if ca.kind == ISSUING)


def _still_certified(authority_: authority.Authority, leaving: Sequence[authority.Ca]) -> list[str]:
    """The certificates of CAs that leave by one that stays trusted, and with it all below: its list has to say so."""
    staying = {ca.key_id for ca in authority_.trusted if ca not in leaving}
    certified = [certificate for ca in leaving for certificate in (ca.certificate, ca.cross) if certificate is not None]
    return [
        certificates.serial_hex(certificate.serial_number)
        for certificate in certified
        if certificates.issuer_key_id(certificate) in staying
    ]


def _introduce(authority_: authority.Authority, goal: Goal, wanted: authority.Wanted, *, now: dt.datetime) -> None:
    directory = authority_.directory
    root = authority_.root
    authority.check_passphrases(wanted)
    for name in _to_introduce(authority_, goal):
        if name.startswith(ROOT):
            certified_by = root if goal.cross_certificate else None
            if certified_by:
                _check_path_length(certified_by)
            authority.add_root(directory, name, wanted, phase=INTRODUCED, now=now, certified_by=certified_by)
        else:
            # Read again: the root may be the one that was added just now.
            added = _in_phase(authority.load(directory), INTRODUCED)
            above = next((ca for ca in added if ca.kind == ROOT), root)
            authority.add_issuing(directory, name, wanted, above, phase=INTRODUCED, now=now)


def _check_path_length(root: authority.Ca) -> None:
    allowed = certificates.path_length(root.certificate)
    # Below it come the new root and its issuing CA.
    if allowed is not None and allowed < 2:
        raise RefusedRolloverError(
            f"{root.name} allows {allowed} CA below it, so it cannot certify a new root with an issuing CA: set "
            "cross_certificate: false, and give every client the new bundle before the phase reissue"
        )


def _move(authority_: authority.Authority, goal: Goal, wanted: authority.Wanted, *, now: dt.datetime) -> None:
    current = status(authority_)
    with authority_.open_ledger() as book:
        if goal.phase == "reissue":
            for ca in current.new:
                if ca.kind == ISSUING:
                    # Found out now, not when the first host waits for its certificate.
                    ca.unlock(wanted.issuing_passphrase)
            phases = {**{ca.name: REPLACED for ca in current.old}, **{ca.name: SIGNING for ca in current.new}}
            book.move(phases, at=now)
            return
        revoked = [record.serial for record in left(authority_, book, now=now)]
        if goal.phase == "retire":
            revoked += _still_certified(authority_, current.old)
        phase = CUT_OVER if goal.phase == "cut_over" else RETIRED
        book.move({ca.name: phase for ca in current.old}, at=now, revoked=revoked, reason="superseded")


def _to_introduce(authority_: authority.Authority, goal: Goal) -> list[str]:
    """The names of the CAs that are still to be made; some may be there already when a run was killed."""
    introduced = _in_phase(authority_, INTRODUCED)
    kinds = [ROOT, ISSUING] if goal.of == ROOT else [ISSUING]
    return [
        authority.nth_name(kind, 1 + max(ca.number for ca in authority_.cas if ca.kind == kind))
        for kind in kinds
        if not any(ca.kind == kind for ca in introduced)
    ]


def _check_clock(authority_: authority.Authority, *, now: dt.datetime) -> None:
    for ca in authority_.cas:
        if ca.since is not None and now < ca.since:
            raise AuthorityError(
                f"{ca.name} is {ca.phase} since {lifetimes.show(ca.since)}, it is {lifetimes.show(now)} here: "
                "set the clock"
            )


def _check_order(current: Status, goal: Goal) -> None:
    if current.under_way and current.of != goal.of:
        raise RefusedRolloverError(
            f"a rollover of the {current.of} CA is under way ({_listed(current.old)} to {_listed(current.new)}, phase "
            f"{current.phase}): finish it before one of the {goal.of} CA begins"
        )
    if goal.phase == "introduce" and not current.under_way:
        return
    if not current.phase:
        raise RefusedRolloverError(f"there is no rollover to {goal.phase}: begin one with the phase introduce")
    wanted, reached = PHASES.index(goal.phase), PHASES.index(current.phase)
    if not current.under_way and goal.phase == "retire" and current.of == goal.of:
        return
    if not current.under_way:
        raise RefusedRolloverError(
            f"there is no rollover to {goal.phase}: the last one is complete; begin one with the phase introduce"
        )
    if wanted < reached:
        raise RefusedRolloverError(
            f"the rollover to {_listed(current.new)} is in the phase {current.phase} and does not go back to "
            f"{goal.phase}: go on with {current.next_phase}"
        )
    if wanted > reached + 1:
        raise RefusedRolloverError(
            f"the rollover to {_listed(current.new)} is in the phase {current.phase}, {goal.phase} would skip "
            f"{current.next_phase}: run that first"
        )


def _left_message(current: Status, remaining: Sequence[ledger.Record]) -> str:
    named = ", ".join(
        f"{record.profile} {record.common_name} ({record.serial}, until {lifetimes.show(record.not_after)})"
        for record in remaining[:_NAMED]
    )
    more = f" and {len(remaining) - _NAMED} more" if len(remaining) > _NAMED else ""
    old = _listed(tuple(ca for ca in current.old if ca.kind == ISSUING))
    return (
        f"certificates of {old} that are in use and not replaced: {len(remaining)}: {named}{more}; issue them again "
        "(pki_info lists them with status: left), or go on without them with leave_behind: true, which revokes them"
    )


def _revoked_reasons(remaining: Sequence[ledger.Record]) -> list[str]:
    return [f"{record.profile} {record.common_name} is left behind: {record.serial} is revoked" for record in remaining]


def _in_phase(authority_: authority.Authority, phase: str) -> tuple[authority.Ca, ...]:
    return tuple(ca for ca in authority_.cas if ca.phase == phase)


def _latest(cas: tuple[authority.Ca, ...]) -> tuple[authority.Ca, ...]:
    """Those that came into their phase last, which is together."""
    latest = max((ca.since for ca in cas if ca.since), default=None)
    return tuple(ca for ca in cas if ca.since == latest)


def _kind(cas: tuple[authority.Ca, ...]) -> str:
    return ROOT if any(ca.kind == ROOT for ca in cas) else ISSUING


def _listed(cas: Sequence[authority.Ca]) -> str:
    return " and ".join(ca.name for ca in cas)
