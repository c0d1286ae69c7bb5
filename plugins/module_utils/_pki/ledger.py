# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.

"""The ledger: every certificate that was ever signed, in one SQLite file.

A certificate is recorded, durably, before anybody gets it: what a kill or a full disk interrupts was never issued.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from . import certificates, keys, lifetimes, profiles
from .errors import LedgerError

with contextlib.suppress(ImportError):  # _module.py says what is missing
    from cryptography import x509

# 'BlwK'; with it an emptied or foreign database is not taken for a ledger.
_APPLICATION_ID = 0x426C774B
_VERSION = 1

# The last revocation list of each CA with its number: the files are copies of it. Ledgers that were made without the
# table get it with their first list; who does not know it does not read it, so the format stays what it is.
_REVOCATION_LISTS = """
CREATE TABLE IF NOT EXISTS revocation_list (
    issuer TEXT    NOT NULL PRIMARY KEY,
    number INTEGER NOT NULL,
    der    BLOB    NOT NULL
)"""

# The phase of each CA by the name of its folder; ledgers get it as they get the table above. A ledger without it is of
# a time when the first CAs were the only ones.
_AUTHORITIES = """
CREATE TABLE IF NOT EXISTS authority (
    name  TEXT    NOT NULL PRIMARY KEY,
    phase TEXT    NOT NULL,
    since INTEGER NOT NULL
)"""

# The columns that revocation fills are there from the start, and the issuer with them: serials are unique to an issuer
# by RFC 5280, in this ledger to all of them.
_SCHEMA = f"""
CREATE TABLE certificate (
    serial        TEXT    NOT NULL PRIMARY KEY,
    issuer        TEXT    NOT NULL,
    profile       TEXT    NOT NULL,
    subject       TEXT    NOT NULL,
    common_name   TEXT    NOT NULL,
    names         TEXT    NOT NULL,
    not_before    INTEGER NOT NULL,
    not_after     INTEGER NOT NULL,
    status        TEXT    NOT NULL DEFAULT 'valid' CHECK (status IN ('valid', 'revoked')),
    revoked_at    INTEGER,
    revoke_reason TEXT,
    key           TEXT    NOT NULL,
    der           BLOB    NOT NULL
);
CREATE INDEX certificate_by_key ON certificate (key, profile, not_after);
CREATE INDEX certificate_by_common_name ON certificate (common_name);
CREATE INDEX certificate_by_not_after ON certificate (not_after);
{_REVOCATION_LISTS};
{_AUTHORITIES};
PRAGMA application_id = {_APPLICATION_ID};
PRAGMA user_version = {_VERSION};
"""

# What a Record is read from.
_RECORD = "serial, issuer, profile, common_name, names, not_before, not_after, status, revoked_at, revoke_reason"

# What is not a leaf; and what a CA makes for itself, which nobody has to replace.
_CAS = ", ".join(f"'{name}'" for name in profiles.CAS)
_NO_LEAVES = f"{_CAS}, 'ocsp_signer'"

# How many values one statement takes: 999 is the limit of SQLite before 3.32.
_VARIABLES = 500

# How long a run waits for another one that is writing.
BUSY_SECONDS = 60


@dataclass(frozen=True)
class Entry:
    """A certificate as the ledger knows it."""

    certificate: x509.Certificate
    profile: str


class Row(NamedTuple):
    """A certificate as a row of the ledger, for who has the parts at hand; the dates are in seconds."""

    serial: str
    issuer: str
    profile: str
    subject: str
    common_name: str
    names: str
    not_before: int
    not_after: int
    key: str
    der: bytes


class Issued(NamedTuple):
    """What `issued` has of a certificate, numbered as they were recorded; see `Record` for those not revoked."""

    number: int
    serial: str
    not_before: dt.datetime
    not_after: dt.datetime
    revoked: bool
    revoked_at: dt.datetime | None
    reason: str
    der: bytes


@dataclass(frozen=True)
class Record:
    """A row of the ledger; `reason` and `revoked_at` are empty for a certificate that is not revoked."""

    serial: str
    issuer: str
    profile: str
    common_name: str
    names: str
    not_before: dt.datetime
    not_after: dt.datetime
    revoked: bool
    revoked_at: dt.datetime | None
    reason: str


@dataclass(frozen=True)
class Filter:
    """Which rows are wanted; a part that is not given does not restrict."""

    serial: str | None = None
    common_name: str | None = None
    key: str | None = None
    issuer: str | None = None
    profiles: tuple[str, ...] = ()
    revoked: bool | None = None
    reason: str | None = None
    expires_from: dt.datetime | None = None
    expires_before: dt.datetime | None = None


@dataclass(frozen=True)
class Standing:
    """The phase of a CA, and since when it is in it."""

    phase: str
    since: dt.datetime


@dataclass(frozen=True)
class RevocationList:
    """The last revocation list of a CA."""

    number: int
    der: bytes


@dataclass(frozen=True)
class Summary:
    """What a ledger holds, in numbers."""

    certificates: int
    revoked: int


class Ledger:
    """An open ledger, a context manager; every method raises LedgerError with the file's name and the remedy."""

    def __init__(self, path: Path) -> None:
        """Open an existing ledger; LedgerError when it is missing, damaged or of another make."""
        self._path = path
        if not path.is_file():
            raise LedgerError(f"{path} is missing: restore the CA directory from a backup")
        with _explained(path):
            # mode=rw: a ledger that vanishes between the two statements is not created empty.
            self._connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=BUSY_SECONDS, isolation_level=None
            )
        try:
            with _explained(path):
                self._check_make()
                # FULL: a commit is on the disk when it returns, also in WAL mode, where NORMAL would not wait for it.
                self._connection.execute("PRAGMA synchronous = FULL")
        except LedgerError:
            self._connection.close()
            raise

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._connection.close()

    def record(self, entries: Iterable[Entry | Row]) -> None:
        """Record all certificates or none; they may be handed out once this returns."""
        with _explained(self._path), self._transaction():
            self._insert(entries)

    def newest(self, *, key: str, profile: str) -> x509.Certificate | None:
        """The unrevoked certificate for this key (its fingerprint) and profile that was recorded last, or None.

        Not the one that is valid longest: where lifetimes were shortened, that is the one that was replaced.
        """
        with _explained(self._path):
            row = self._connection.execute(
                "SELECT der FROM certificate WHERE key = ? AND profile = ? AND status = 'valid'"
                " ORDER BY rowid DESC LIMIT 1",
                (key, profile),
            ).fetchone()
        return None if row is None else self._load(row[0])

    def find(self, wanted: Filter) -> list[Record]:
        """The rows that a filter wants, the first to expire first; no certificate is read for it."""
        conditions, values = _conditions(wanted)
        with _explained(self._path):
            rows = self._connection.execute(
                f"SELECT {_RECORD} FROM certificate {conditions} ORDER BY not_after, rowid",
                values,
            ).fetchall()
        return [_record(row) for row in rows]

    def revoked(self, *, issuer: str, expires_from: dt.datetime) -> list[tuple[str, dt.datetime, str]]:
        """Serial, date and reason of what a CA (its key identifier) revoked, unless it has ended before."""
        with _explained(self._path):
            rows = self._connection.execute(
                "SELECT serial, revoked_at, revoke_reason FROM certificate WHERE issuer = ? AND status = 'revoked'"
                " AND not_after >= ? AND revoked_at IS NOT NULL ORDER BY not_after, rowid",
                (issuer, _seconds(expires_from)),
            ).fetchall()
        return [(serial, _moment(revoked_at), reason or "") for serial, revoked_at, reason in rows]

    def issued(self, column: str, values: Iterable[str], *, profile: str) -> dict[str, list[Issued]]:
        """By each value of `serial`, `common_name` or `key` its certificates of a profile, as they were recorded."""
        wanted = list(values)
        found: dict[str, list[Issued]] = {}
        for start in range(0, len(wanted), _VARIABLES):
            some = wanted[start : start + _VARIABLES]
            with _explained(self._path):
                rows = self._connection.execute(
                    f"SELECT {column}, rowid, serial, not_before, not_after, status, revoked_at, revoke_reason, der"
                    f" FROM certificate WHERE {column} IN ({', '.join('?' * len(some))}) AND profile = ?"
                    " ORDER BY rowid",
                    (*some, profile),
                ).fetchall()
            for row in rows:
                found.setdefault(str(row[0]), []).append(_issued(row))
        return found

    def certificate(self, serial: str) -> x509.Certificate | None:
        """The certificate with this serial as `serial_hex` writes it, or None."""
        with _explained(self._path):
            row = self._connection.execute("SELECT der FROM certificate WHERE serial = ?", (serial,)).fetchone()
        return None if row is None else self._load(row[0])

    def revoke(self, serials: Iterable[str], *, reason: str, at: dt.datetime) -> None:
        """Mark all certificates as revoked or none; one that is revoked keeps its date and gets the reason."""
        with _explained(self._path), self._transaction():
            self._revoke(serials, reason=reason, at=at)

    def revocation_list(self, issuer: str) -> RevocationList | None:
        """The last revocation list of the CA with this key identifier, None before its first."""
        with _explained(self._path):
            if not self._has("revocation_list"):
                return None
            row = self._connection.execute(
                "SELECT number, der FROM revocation_list WHERE issuer = ?", (issuer,)
            ).fetchone()
        return None if row is None else RevocationList(number=int(row[0]), der=bytes(row[1]))

    def record_publication(self, lists: Mapping[str, RevocationList], *, signers: Iterable[Entry]) -> None:
        """Record new revocation lists, by their CA, and the certificates of OCSP signers before they are published.

        All or nothing; LedgerError for a list whose number is not above the last.
        """
        with _explained(self._path), self._transaction():
            self._insert(signers)
            self._connection.execute(_REVOCATION_LISTS)
            for issuer, revocation_list in lists.items():
                changed = self._connection.execute(
                    "INSERT INTO revocation_list (issuer, number, der) VALUES (?, ?, ?) ON CONFLICT (issuer)"
                    " DO UPDATE SET number = excluded.number, der = excluded.der WHERE excluded.number > number",
                    (issuer, revocation_list.number, revocation_list.der),
                )
                if changed.rowcount != 1:
                    raise LedgerError(
                        f"{self._path} has a revocation list with number {revocation_list.number} or above: "
                        "nothing was published; report this as a bug"
                    )

    def last_end(self, issuer: str) -> dt.datetime | None:
        """When the last certificate of this CA (its key identifier) ends, None when it issued none."""
        with _explained(self._path):
            row = self._connection.execute(
                f"SELECT max(not_after) FROM certificate WHERE issuer = ? AND profile NOT IN ({_NO_LEAVES})", (issuer,)
            ).fetchone()
        return None if row[0] is None else _moment(row[0])

    def standings(self) -> dict[str, Standing]:
        """The phase of each CA by its name, in the order of their creation; empty in a ledger that knows no phases."""
        with _explained(self._path):
            if not self._has("authority"):
                return {}
            rows = self._connection.execute("SELECT name, phase, since FROM authority ORDER BY rowid").fetchall()
        return {str(name): Standing(phase=str(phase), since=_moment(since)) for name, phase, since in rows}

    def record_authority(self, entries: Iterable[Entry], *, name: str, phase: str, at: dt.datetime) -> None:
        """Record certificates of a CA and its phase, all or nothing; a CA of that name that nobody saw is replaced."""
        with _explained(self._path), self._transaction():
            self._insert(entries)
            self._stand({name: phase}, at=at)

    def move(
        self, phases: Mapping[str, str], *, at: dt.datetime, revoked: Iterable[str] = (), reason: str = ""
    ) -> None:
        """Move CAs to other phases and revoke certificates by serial, all or nothing."""
        with _explained(self._path), self._transaction():
            self._stand(phases, at=at)
            self._revoke(revoked, reason=reason, at=at)

    def unreplaced(self, *, issuers: Iterable[str], successor: str, now: dt.datetime) -> list[Record]:
        """The leaves of these CAs (key identifiers) that are valid, with none of the successor that says the same.

        The same is profile and common name: the key changes with every renewal, and names may. A rollover that is
        cancelled makes the successor the older CA, so what it issued before the certificate does not count.
        """
        wanted = tuple(issuers)
        with _explained(self._path):
            rows = self._connection.execute(
                f"SELECT {_RECORD} FROM certificate AS old"
                f" WHERE issuer IN ({', '.join('?' * len(wanted))}) AND profile NOT IN ({_NO_LEAVES})"
                " AND status = 'valid' AND not_after >= ? AND NOT EXISTS"
                " (SELECT 1 FROM certificate AS new WHERE new.common_name = old.common_name"
                " AND new.profile = old.profile AND new.issuer = ? AND new.status = 'valid' AND new.not_after >= ?"
                " AND new.rowid > old.rowid)"
                " ORDER BY not_after, rowid",
                (*wanted, _seconds(now), successor, _seconds(now)),
            ).fetchall()
        return [_record(row) for row in rows]

    def check_clock(self, now: dt.datetime) -> None:
        """LedgerError when the clock is behind the last certificate: what is issued then would expire too early.

        Backdating is what a clock may be behind by. What was issued while the clock was ahead has to be revoked first.
        """
        with _explained(self._path):
            row = self._connection.execute(
                "SELECT serial, not_before FROM certificate WHERE status = 'valid' ORDER BY rowid DESC LIMIT 1"
            ).fetchone()
        if row is not None and _seconds(now) < row[1]:
            raise LedgerError(
                f"{self._path}: the last certificate, {row[0]}, is valid from {lifetimes.show(_moment(row[1]))}, it is "
                f"{lifetimes.show(now)} here: set the clock, or revoke that certificate if the clock was wrong then"
            )

    def snapshot(self, target: Path) -> None:
        """Copy the ledger as it is at one moment, others may go on writing; the target must be a new file."""
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        with _explained(target), contextlib.closing(sqlite3.connect(target)) as copy:
            self._connection.backup(copy)

    def summary(self) -> Summary:
        """What it holds, in numbers."""
        with _explained(self._path):
            row = self._connection.execute(
                "SELECT count(*), count(*) FILTER (WHERE status = 'revoked') FROM certificate"
            ).fetchone()
        return Summary(certificates=row[0], revoked=row[1])

    def lacking_in(self, other: Path) -> list[str]:
        """What this ledger knows and another one, a file that nobody writes, does not: certificates, revocations."""
        address = f"{other.absolute().as_uri()}?immutable=1"
        with _explained(self._path):
            self._connection.execute("ATTACH ? AS other", (address,))
            try:
                certificates_ = self._connection.execute(
                    "SELECT count(*) FROM certificate WHERE serial NOT IN (SELECT serial FROM other.certificate)"
                ).fetchone()[0]
                revocations = self._connection.execute(
                    "SELECT count(*) FROM certificate JOIN other.certificate AS old USING (serial)"
                    " WHERE certificate.status = 'revoked' AND old.status = 'valid'"
                ).fetchone()[0]
            finally:
                self._connection.execute("DETACH other")
        found = {"certificates": certificates_, "revocations": revocations}
        return [f"{count} {what}" for what, count in found.items() if count]

    def count_leaves(self) -> int:
        """How many certificates were ever recorded that are not of a CA."""
        with _explained(self._path):
            row = self._connection.execute(f"SELECT count(*) FROM certificate WHERE profile NOT IN ({_CAS})").fetchone()
        return int(row[0])

    def check(self) -> None:
        """Read the whole file; LedgerError when a page of it is damaged or missing."""
        with _explained(self._path):
            findings = [str(row[0]) for row in self._connection.execute("PRAGMA quick_check(1)")]
        if findings != ["ok"]:
            raise LedgerError(_damaged(self._path, findings[0]))

    def damaged(self, finding: str) -> LedgerError:
        """The error for something in it that cannot be read."""
        return LedgerError(_damaged(self._path, finding))

    def _insert(self, entries: Iterable[Entry | Row]) -> None:
        self._connection.executemany(
            "INSERT INTO certificate"
            " (serial, issuer, profile, subject, common_name, names, not_before, not_after, key, der)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            map(row, entries),
        )

    def _revoke(self, serials: Iterable[str], *, reason: str, at: dt.datetime) -> None:
        self._connection.executemany(
            "UPDATE certificate SET status = 'revoked', revoked_at = COALESCE(revoked_at, ?), revoke_reason = ?"
            " WHERE serial = ?",
            [(_seconds(at), reason, serial) for serial in serials],
        )

    def _stand(self, phases: Mapping[str, str], *, at: dt.datetime) -> None:
        self._connection.execute(_AUTHORITIES)
        self._connection.executemany(
            "INSERT INTO authority (name, phase, since) VALUES (?, ?, ?)"
            " ON CONFLICT (name) DO UPDATE SET phase = excluded.phase, since = excluded.since",
            [(name, phase, _seconds(at)) for name, phase in phases.items()],
        )

    def _has(self, table: str) -> bool:
        row = self._connection.execute(
            "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = ?", (table,)
        ).fetchone()
        return bool(row[0])

    def _load(self, der: bytes) -> x509.Certificate:
        try:
            return x509.load_der_x509_certificate(der)
        except ValueError as error:
            raise LedgerError(_damaged(self._path, "a certificate in it cannot be read")) from error

    def _check_make(self) -> None:
        make = self._connection.execute("PRAGMA application_id").fetchone()[0]
        version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        if make != _APPLICATION_ID:
            raise LedgerError(_damaged(self._path, "it is no ledger of this collection"))
        if version != _VERSION:
            raise LedgerError(
                f"{self._path} has format {version}, this version of the collection knows {_VERSION}: "
                "update the collection"
            )

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        """All or nothing; the write lock is taken at once, so that two writers queue up instead of failing half-way."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise


def create(path: Path) -> None:
    """Create an empty ledger with mode 0600; killed at any point, it is either whole or not there."""
    staged = path.with_name(f".{path.name}.new")
    # The side files too: SQLite would replay an old journal into the new file.
    for side in ("", "-journal", "-wal", "-shm"):
        staged.with_name(staged.name + side).unlink(missing_ok=True)
    os.close(os.open(staged, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    with _explained(path), contextlib.closing(sqlite3.connect(staged)) as connection:
        connection.executescript(_SCHEMA)
        # Readers do not wait for the writer, and a backup can be taken while the CA is in use.
        connection.execute("PRAGMA journal_mode = WAL")
    os.rename(staged, path)


def row(entry: Entry | Row) -> Row:
    """A certificate as a row."""
    if isinstance(entry, Row):
        return entry
    certificate = entry.certificate
    return Row(
        certificates.serial_hex(certificate.serial_number),
        certificates.issuer_key_id(certificate),
        entry.profile,
        certificate.subject.rfc4514_string(),
        certificates.common_name(certificate),
        str(certificates.alternative_names(certificate)),
        _seconds(certificates.not_before(certificate)),
        _seconds(certificates.not_after(certificate)),
        keys.fingerprint(keys.check_public(certificate.public_key())),
        certificates.to_der(certificate),
    )


def _conditions(wanted: Filter) -> tuple[str, list[object]]:
    """The WHERE clause of a filter, and its values."""
    parts: list[tuple[str, object]] = [
        (f"{column} = ?", value)
        for column, value in (
            ("serial", wanted.serial),
            ("common_name", wanted.common_name),
            ("key", wanted.key),
            ("issuer", wanted.issuer),
            ("revoke_reason", wanted.reason),
        )
        if value is not None
    ]
    if wanted.revoked is not None:
        parts.append(("status = ?", "revoked" if wanted.revoked else "valid"))
    if wanted.expires_from is not None:
        parts.append(("not_after >= ?", _seconds(wanted.expires_from)))
    if wanted.expires_before is not None:
        parts.append(("not_after < ?", _seconds(wanted.expires_before)))
    texts = [text for text, _value in parts]
    values = [value for _text, value in parts]
    if wanted.profiles:
        texts.append(f"profile IN ({', '.join('?' * len(wanted.profiles))})")
        values.extend(wanted.profiles)
    return (f"WHERE {' AND '.join(texts)}" if texts else ""), values


def _record(row: tuple[object, ...]) -> Record:
    serial, issuer, profile, common_name, names, not_before, not_after, status, revoked_at, reason = row
    return Record(
        serial=str(serial),
        issuer=str(issuer),
        profile=str(profile),
        common_name=str(common_name),
        names=str(names),
        not_before=_moment(not_before),
        not_after=_moment(not_after),
        revoked=status == "revoked",
        revoked_at=None if revoked_at is None else _moment(revoked_at),
        reason=str(reason or ""),
    )


def _issued(row: Sequence[object]) -> Issued:
    _value, number, serial, not_before, not_after, status, revoked_at, reason, der = row
    return Issued(
        number if isinstance(number, int) else int(str(number)),
        str(serial),
        _moment(not_before),
        _moment(not_after),
        status == "revoked",
        None if revoked_at is None else _moment(revoked_at),
        str(reason or ""),
        der if isinstance(der, bytes) else b"",
    )


# Of certificates that were issued together, the dates are the same.
@functools.lru_cache(maxsize=256)
def _moment(seconds: object) -> dt.datetime:
    return dt.datetime.fromtimestamp(seconds if isinstance(seconds, int) else int(str(seconds)), dt.timezone.utc)


def _seconds(moment: dt.datetime) -> int:
    return int(moment.timestamp())


def _damaged(path: Path, finding: str) -> str:
    return f"{path} is damaged ({finding}): restore the CA directory from a backup"


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn what SQLite reports into what an operator can do about it."""
    try:
        yield
    except sqlite3.IntegrityError as error:
        raise LedgerError(
            f"{path} refused a certificate ({error}): nothing was issued; report this as a bug"
        ) from error
    except sqlite3.OperationalError as error:
        finding = str(error)
        if "locked" in finding:
            raise LedgerError(
                f"{path} has been in use for {BUSY_SECONDS} seconds: wait for the other run to end"
            ) from error
        if "full" in finding:
            raise LedgerError(
                f"{path} cannot be written, the disk is full: nothing was issued; free space, then run again"
            ) from error
        raise LedgerError(f"{path} cannot be used ({finding}): check its owner, its mode and the disk") from error
    except sqlite3.DatabaseError as error:
        raise LedgerError(_damaged(path, str(error))) from error
