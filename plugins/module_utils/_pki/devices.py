# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.

"""Identities of devices in bulk: a list is examined as a whole, then what is due is issued, in batches, on all cores.

Each batch is signed and staged by a worker, recorded in the ledger, then revealed. Memory holds a few batches and, to
find what is there twice, 16 bytes for each row.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import heapq
import time
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from .._workers import each
from . import authority, build, certificates, device_rows, ledger
from .device_decisions import Examiner
from .device_files import CHAIN
from .device_making import Maker
from .device_run import PROFILE, SHOWN, Finding, Progress, Run, silent
from .errors import PkiError, RefusedRowError
from .passphrase import Source


@dataclass(frozen=True)
class Outcome:
    """What was done, or would be: issued, written for a certificate that was there, completed for a killed run."""

    total: int = 0
    issued: int = 0
    written: int = 0
    completed: int = 0
    ca_changed: bool = False
    first: tuple[Finding, ...] = ()

    @property
    def due(self) -> bool:
        """Whether a device gets something new."""
        return bool(self.issued or self.written)

    @property
    def changed(self) -> bool:
        """Whether anything is new."""
        return bool(self.due or self.completed or self.ca_changed)


def plan(authority_: authority.Authority | None, run: Run) -> Outcome:
    """What `enroll` would do, with nothing signed or written; RefusedRowError names the rows that cannot be granted.

    Without an authority, which is created in the same run, there can be no certificate yet.
    """
    with authority.disk_errors(run.output.directory):
        found = _examine(authority_, replace(run, report=silent))
        if found.due:
            run.output.refuse()
        ca_changed = authority_ is not None and run.output.lacks(authority_.bundle.encode())
        return replace(found, completed=int(run.output.unfinished()), ca_changed=ca_changed)


def enroll(authority_: authority.Authority, run: Run, *, passphrase: Source) -> Outcome:
    """Issue what is due and put all files in place; RefusedRowError as in `plan`, before anything is signed.

    The key of the CA is opened only when something has to be signed.
    """
    output = run.output
    with authority.disk_errors(output.directory):
        output.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with authority.locked(output.directory):
            with authority_.open_ledger() as book:
                completed = output.begin(lambda chains: _recorded(book, chains))
            found = _examine(authority_, run)
            if found.due:
                output.refuse()
                signer = _signer(authority_, passphrase, now=run.now) if found.issued else None
                issued, written = _make(authority_, run, signer, total=found.total)
                found = replace(found, issued=issued, written=written)
            ca = authority_.bundle.encode()
            ca_changed = output.lacks(ca)
            output.finish(ca)
    return replace(found, completed=completed, ca_changed=ca_changed)


def _signer(authority_: authority.Authority, passphrase: Source, *, now: dt.datetime) -> build.Signer:
    """The CA with its key, where nothing stands against issuing now; the lock is held for the question only."""
    with authority.locked(authority_.directory), authority_.open_ledger() as book:
        book.check_clock(now)
        return authority_.signer(passphrase)


class _Seen:
    """Which values come more than once, by 64 bits of their hash: 16 bytes a row, where a set would take 100."""

    def __init__(self) -> None:
        self._parts = [(array("Q"), array("Q")) for _number in range(256)]

    def add(self, hashes: Sequence[int], lines: Sequence[int]) -> None:
        """Note values and the lines that they are on."""
        for value, line in zip(hashes, lines):
            values, at = self._parts[value & 0xFF]
            values.append(value)
            at.append(line)

    def repeated(self) -> Iterator[tuple[int, int]]:
        """Each line that has the value of an earlier one, and that line."""
        for values, at in self._parts:
            first: dict[int, int] = {}
            for value, line in sorted(zip(values, at)):
                if first.setdefault(value, line) != line:
                    yield line, first[value]


def _examine(authority_: authority.Authority | None, run: Run) -> Outcome:
    """Examine the whole list; RefusedRowError names the first rows that cannot be granted, and how many there are."""
    clock = _Clock(run, "examine")
    names, public_keys = _Seen(), _Seen()
    refused: list[Finding] = []
    refused_count = 0
    found = Outcome()
    with Examiner(authority_, run) as examiner:
        for part in each(examiner.examine, _batches(run), processes=run.settings.processes, error=PkiError):
            names.add(part.names, part.name_lines)
            public_keys.add(part.keys, part.key_lines)
            refused = heapq.nsmallest(SHOWN, [*refused, *part.refused])
            refused_count += part.refused_count
            found = replace(
                found,
                total=found.total + part.count,
                issued=found.issued + part.issue,
                written=found.written + part.write,
                first=tuple(heapq.nsmallest(SHOWN, [*found.first, *part.first])),
            )
            clock.tick(found.total)
    clock.end()
    unit = run.source.unit
    repeated = [
        *(Finding(line, "", f"its common_name is that of {unit} {other}") for line, other in names.repeated()),
        *(Finding(line, "", f"its key is that of {unit} {other}") for line, other in public_keys.repeated()),
    ]
    refused_count += len(repeated)
    if refused_count:
        raise _refusal(run, heapq.nsmallest(SHOWN, [*refused, *repeated]), count=refused_count, total=found.total)
    return found


def _refusal(run: Run, shown: Sequence[Finding], *, count: int, total: int) -> RefusedRowError:
    findings = "; ".join(f"{run.source.unit} {finding.line}: {finding.reason}" for finding in shown)
    more = f"; and {count - len(shown)} more" if count > len(shown) else ""
    return RefusedRowError(f"{run.source.name}: {count} of {total} rows are refused: {findings}{more}")


def _make(authority_: authority.Authority, run: Run, signer: build.Signer | None, *, total: int) -> tuple[int, int]:
    """Issue and write what is due; how many certificates were issued, and devices written without."""
    clock = _Clock(run, "enroll", total=total)
    done = issued = written = 0
    with contextlib.ExitStack() as stack:
        examiner = stack.enter_context(Examiner(authority_, run))
        maker = Maker(examiner, run, signer)
        book: ledger.Ledger | None = None
        for made in each(maker.make, _batches(run), processes=run.settings.processes, error=PkiError):
            done += made.count
            if made.staged is not None:
                # Not before: a connection must not be inherited by the workers.
                book = book or stack.enter_context(authority_.open_ledger())
                run.output.secure(made.staged)
                if made.rows:
                    with authority.locked(authority_.directory):
                        book.record(made.rows)
                run.output.reveal(made.staged)
                issued += len(made.rows)
                written += made.written
            clock.tick(done, issued=issued)
    clock.end()
    return issued, written


class _Clock:
    """Reports how far a phase is."""

    def __init__(self, run: Run, phase: str, *, total: int | None = None) -> None:
        self._report = run.report
        self._start = time.monotonic()
        self._last = Progress(phase, done=0, total=total, issued=0, seconds=0.0)
        self._report(self._last)

    def tick(self, done: int, *, issued: int = 0) -> None:
        """Report so many rows."""
        self._last = replace(self._last, done=done, issued=issued, seconds=time.monotonic() - self._start)
        self._report(self._last)

    def end(self) -> None:
        """Report that these were all."""
        self._report(replace(self._last, total=self._last.done))


def _batches(run: Run) -> Iterable[list[device_rows.Raw]]:
    return device_rows.batches(run.source.rows(), size=run.settings.batch)


def _recorded(book: ledger.Ledger, chains: Sequence[bytes]) -> list[int]:
    """See `device_files.Known`."""
    numbers = []
    for chain in chains:
        try:
            certificate = certificates.from_pem(chain, where=CHAIN)
        except PkiError:
            numbers.append(0)
            continue
        serial = certificates.serial_hex(certificate.serial_number)
        known = book.issued("serial", [serial], profile=PROFILE.name).get(serial, [])
        numbers.append(next((one.number for one in known if one.der == certificates.to_der(certificate)), 0))
    return numbers
