# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.

"""Revoking certificates in the ledger; `publish` tells the world."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from . import authority, certificates, ledger, profiles
from .errors import RefusedRevocationError

# RFC 5280, 5.3.1, without those for CAs, and without certificateHold: nothing here takes a revocation back.
REASONS = (
    "unspecified",
    "key_compromise",
    "affiliation_changed",
    "superseded",
    "cessation_of_operation",
    "privilege_withdrawn",
)

_SERIAL = re.compile(r"(0[xX])?([0-9A-Fa-f]{1,40})")


@dataclass(frozen=True)
class Target:
    """What is revoked: one certificate by serial or as a file, or all of a common name; one of the three is given."""

    serial: str | None = None
    common_name: str | None = None
    path: Path | None = None


@dataclass(frozen=True)
class Outcome:
    """A certificate that is revoked now, and whether it, or its reason, was not before."""

    before: ledger.Record
    reason: str

    @property
    def changed(self) -> bool:
        """Whether the ledger says something new."""
        return not self.before.revoked or self.before.reason != self.reason


def plan(authority_: authority.Authority, target: Target, *, reason: str) -> list[Outcome]:
    """What `revoke` would do; RefusedRevocationError for what the ledger does not know and for a CA."""
    with authority_.open_ledger() as book:
        return _outcomes(book, target, reason=reason)


def revoke(authority_: authority.Authority, target: Target, *, reason: str, now: dt.datetime) -> list[Outcome]:
    """Revoke the target, all of it or nothing, durable when this returns; RefusedRevocationError as in `plan`.

    What is revoked already keeps its date. It keeps its reason too, unless the key turns out to be compromised.
    """
    with authority.locked(authority_.directory), authority_.open_ledger() as book:
        outcomes = _outcomes(book, target, reason=reason)
        changed = [outcome.before.serial for outcome in outcomes if outcome.changed]
        if changed:
            book.revoke(changed, reason=reason, at=now)
        return outcomes


def normal_serial(text: str) -> str:
    """A serial as the ledger writes it; RefusedRevocationError when it is none."""
    match = _SERIAL.fullmatch(text.replace(":", "").strip())
    if not match:
        raise RefusedRevocationError(
            f"serial {text!r} is refused: give it in hexadecimal, as `openssl x509 -noout -serial` prints it"
        )
    return certificates.serial_hex(int(match[2], 16))


def _outcomes(book: ledger.Ledger, target: Target, *, reason: str) -> list[Outcome]:
    found = _find(book, target)
    for record in found:
        if record.profile in profiles.CAS:
            raise RefusedRevocationError(
                f"{record.common_name} (serial {record.serial}) is the {record.profile} CA and is not revoked here: "
                "begin a new CA instead, as docs/trust_model.md describes"
            )
    return [Outcome(before=record, reason=_reason(record, reason)) for record in found]


def _reason(record: ledger.Record, wanted: str) -> str:
    return record.reason if record.revoked and wanted != "key_compromise" else wanted


def _find(book: ledger.Ledger, target: Target) -> Sequence[ledger.Record]:
    if target.common_name is not None:
        found = book.find(ledger.Filter(common_name=target.common_name))
        if not found:
            raise RefusedRevocationError(
                f"common name {target.common_name!r} is unknown: no certificate in the ledger has it; "
                "list those that do exist with pki_info"
            )
        return found
    if target.path is not None:
        return _find_file(book, target.path)
    serial = normal_serial(target.serial or "")
    found = book.find(ledger.Filter(serial=serial))
    if not found:
        raise RefusedRevocationError(
            f"serial {serial} is unknown: no certificate in the ledger has it; list those that do exist with pki_info"
        )
    return found


def _find_file(book: ledger.Ledger, path: Path) -> Sequence[ledger.Record]:
    try:
        given = certificates.from_pem(path.read_bytes(), where=str(path))
    except OSError as error:
        raise RefusedRevocationError(f"{path} cannot be read ({error.strerror}): correct the path") from error
    serial = certificates.serial_hex(given.serial_number)
    # The serial alone could be that of a certificate of another CA.
    if book.certificate(serial) != given:
        raise RefusedRevocationError(
            f"{path} is unknown: this CA did not issue the certificate in it (serial {serial}); ask the CA that did"
        )
    return book.find(ledger.Filter(serial=serial))
