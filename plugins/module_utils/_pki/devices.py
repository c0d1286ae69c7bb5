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
import hashlib
import heapq
import re
import time
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Callable

from . import authority, build, certificates, device_rows, issue, keys, ledger, profiles, template, workers
from .device_files import CHAIN, COMBINED, KEY, PKCS12, Device, Folders, Output, place
from .drift import age, drift
from .errors import DevicesError, PkiError, RefusedKeyError, RefusedRequestError, RefusedRowError

with contextlib.suppress(ImportError):  # _module.py says what is missing
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.serialization import pkcs12

PROFILE = profiles.get("client")

# Files beside key and chain that a device can have.
FORMATS = {"combined": COMBINED, "pkcs12": PKCS12}

# How many refused rows a message shows, and how many devices with their reasons a result has.
SHOWN = 20

_PEM_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----\n?", re.DOTALL)


@dataclass(frozen=True)
class Settings:
    """What holds for all devices, and for those whose row says nothing else."""

    key_type: str = "ec-p256"
    lifetime: dt.timedelta = PROFILE.lifetime
    urls: build.Urls = field(default_factory=build.Urls)
    formats: tuple[str, ...] = ()
    key_passphrase: authority.Passphrase | None = None
    processes: int = 1

    @property
    def batch(self) -> int:
        """How many devices are worked on at once, and again after a kill: some seconds of work at most."""
        slow = self.key_type.startswith("rsa") or "pkcs12" in self.formats
        return 20 if slow else 1000


@dataclass(frozen=True, order=True)
class Finding:
    """A device that gets something new, with the reason, or a row that is refused."""

    line: int
    common_name: str
    reason: str


@dataclass(frozen=True)
class Progress:
    """How far a run is; the total is not known while the list is examined."""

    phase: str
    done: int
    total: int | None
    issued: int
    seconds: float


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


@dataclass(frozen=True)
class Run:
    """A list of devices and what is made of it, at one moment."""

    source: device_rows.Source
    output: Output
    settings: Settings
    now: dt.datetime
    report: Callable[[Progress], None] = lambda _progress: None


@dataclass(frozen=True)
class _Decision:
    """What a device needs; without a reason nothing. `info` is the public key and `certificate` what stays as it is."""

    row: device_rows.Row
    spec: build.Spec
    reason: str = ""
    info: bytes = b""
    certificate: bytes = b""

    @property
    def due(self) -> bool:
        return bool(self.reason)

    @property
    def signs(self) -> bool:
        return self.due and not self.certificate

    @property
    def keeps_key(self) -> bool:
        """Whether a key that was generated here stays."""
        return not self.row.csr and bool(self.info or self.certificate)


@dataclass(frozen=True)
class _Examined:
    """What the rows of a batch are; hashes of their names and of the keys in their requests, with their lines."""

    count: int
    issue: int
    write: int
    refused: Sequence[Finding]
    refused_count: int
    first: Sequence[Finding]
    names: Sequence[int]
    name_lines: Sequence[int]
    keys: Sequence[int]
    key_lines: Sequence[int]


@dataclass(frozen=True)
class _Made:
    """What a worker made of a batch: rows for the ledger, and what the output staged."""

    count: int
    rows: list[ledger.Row]
    written: int
    staged: Any


def plan(authority_: authority.Authority | None, run: Run) -> Outcome:
    """What `enroll` would do, with nothing signed or written; RefusedRowError names the rows that cannot be granted.

    Without an authority, which is created in the same run, there can be no certificate yet.
    """
    with authority.disk_errors(run.output.directory):
        found = _examine(authority_, run)
        if found.due:
            run.output.refuse()
        return replace(found, completed=int(run.output.unfinished()))


def enroll(authority_: authority.Authority, run: Run, *, passphrase: authority.Passphrase) -> Outcome:
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
                signer = authority_.issuing.unlock(passphrase) if found.issued else None
                issued, written = _make(authority_, run, signer, total=found.total)
                found = replace(found, issued=issued, written=written)
            ca_changed = output.finish(authority_.bundle.encode())
    return replace(found, completed=completed, ca_changed=ca_changed)


class _Examiner:
    """Decides what devices need, in the process that uses it first: it then opens the ledger."""

    def __init__(self, authority_: authority.Authority | None, run: Run) -> None:
        self._authority = authority_
        self._run = run
        self._open = contextlib.ExitStack()
        self._book: ledger.Ledger | None = None
        self._templates: dict[dt.timedelta, template.Template] = {}
        self.chain = authority_.chain.encode() if authority_ else b""

    def __enter__(self) -> _Examiner:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._open.close()

    def examine(self, batch: Sequence[device_rows.Raw]) -> _Examined:
        """What a batch needs, with nothing changed."""
        with authority.disk_errors(self._run.output.directory):
            decisions, refused = self.decide(batch)
        due = [decision for decision in decisions if decision.due]
        return _Examined(
            count=len(batch),
            issue=sum(decision.signs for decision in due),
            write=sum(not decision.signs for decision in due),
            refused=refused[:SHOWN],
            refused_count=len(refused),
            first=[Finding(decision.row.line, decision.row.common_name, decision.reason) for decision in due[:SHOWN]],
            names=array("Q", (_short(decision.row.common_name.encode()) for decision in decisions)),
            name_lines=array("Q", (decision.row.line for decision in decisions)),
            keys=array("Q", (_short(decision.info) for decision in decisions if decision.row.csr)),
            key_lines=array("Q", (decision.row.line for decision in decisions if decision.row.csr)),
        )

    def decide(self, batch: Sequence[device_rows.Raw]) -> tuple[list[_Decision], list[Finding]]:
        """What each device needs, and the rows that cannot be granted."""
        asked, refused = [], []
        for raw in batch:
            try:
                asked.append(self._asked(self._run.source.parse(raw)))
            except PkiError as error:
                refused.append(Finding(raw.line, "", str(error)))
        if self._authority is None:
            return [replace(decision, reason="there is no CA yet") for decision in asked], refused
        book = self._ledger(self._authority)
        by_name = book.issued(
            "common_name", [each.row.common_name for each in asked if not each.row.csr], profile=PROFILE.name
        )
        prints = {each.row.line: keys.fingerprint_of(each.info) for each in asked if each.row.csr}
        by_key = book.issued("key", prints.values(), profile=PROFILE.name)
        decisions = []
        for each in asked:
            try:
                if each.row.csr:
                    decisions.append(self._requested(each, by_key.get(prints[each.row.line], [])))
                else:
                    decisions.append(self._generated(each, by_name.get(each.row.common_name, [])))
            except RefusedRequestError as error:
                refused.append(Finding(each.row.line, each.row.common_name, str(error)))
        return decisions, refused

    def template(self, spec: build.Spec) -> template.Template:
        """The form of all certificates with this lifetime."""
        lifetime = spec.lifetime or PROFILE.lifetime
        if self._authority is not None and lifetime not in self._templates:
            issuer = self._authority.issuing.certificate
            self._templates[lifetime] = template.Template(spec, issuer, now=self._run.now)
        return self._templates[lifetime]

    def _ledger(self, authority_: authority.Authority) -> ledger.Ledger:
        if self._book is None:
            self._book = self._open.enter_context(authority_.open_ledger())
        return self._book

    def _asked(self, row: device_rows.Row) -> _Decision:
        """What is wanted of a device, with no reason yet; PkiError for what is not granted."""
        settings = self._run.settings
        leaf = build.leaf_spec(profile=PROFILE.name, common_name=row.common_name, alternative_names=row.names)
        spec = replace(
            leaf,
            lifetime=row.lifetime or settings.lifetime,
            issuer_key_id=certificates.key_id(self._authority.issuing.certificate) if self._authority else None,
            # Nobody staples for a client: devices are on the revocation list alone.
            urls=replace(settings.urls, ocsp=""),
            key_type=row.key_type if row.csr else row.key_type or settings.key_type,
        )
        if not row.csr:
            return _Decision(row=row, spec=spec)
        public_key = build.public_key_of_request(row.csr)
        if row.key_type and keys.type_of(public_key) != row.key_type:
            raise RefusedRequestError(f"its key is of type {keys.type_of(public_key)}, key_type is {row.key_type}")
        return _Decision(row=row, spec=spec, info=keys.info(public_key))

    def _requested(self, asked: _Decision, issued: Sequence[ledger.Issued]) -> _Decision:
        """For a key that the device has: as in `issue`, what was issued for it is given again."""
        for known in issued:
            if known.reason == "key_compromise" and known.revoked_at is not None:
                raise RefusedRequestError(issue.compromised(known.serial, known.revoked_at))
        newest = _newest(issued)
        if newest is None:
            return replace(asked, reason=_why_none(issued, "key"))
        reasons = self._drift(newest, asked)
        if reasons:
            return replace(asked, reason="; ".join(reasons))
        return replace(asked, certificate=newest.der, reason=self._file_reason(asked, newest, self._chain_of(asked)))

    def _generated(self, asked: _Decision, issued: Sequence[ledger.Issued]) -> _Decision:
        """For a key that is made here, once: it is kept unless there is a reason against it."""
        output, name = self._run.output, asked.row.common_name
        if not isinstance(output, Folders):
            newest = _newest(issued)
            reasons = self._drift(newest, asked) if newest else [_why_none(issued, "name")]
            return replace(asked, reason="; ".join(reasons))
        chain = output.read(name, CHAIN)
        if chain is None:
            return replace(asked, reason="it has no identity yet")
        known = next((one for one in reversed(issued) if chain[0].startswith(self.pem(one.der))), None)
        if known is None:
            return replace(asked, reason=f"the ledger does not know the certificate in {CHAIN}")
        if known.revoked:
            return replace(asked, reason=_revoked(known))
        try:
            key_reason = self._key_reason(output, name)
        except RefusedKeyError as error:
            return replace(asked, reason=str(error))
        reasons = self._drift(known, asked)
        if reasons:
            public_key = keys.check_public(self._load(known.der).public_key())
            same = keys.type_of(public_key) == asked.spec.key_type
            return replace(asked, reason="; ".join(reasons), info=keys.info(public_key) if same else b"")
        return replace(asked, certificate=known.der, reason=key_reason or self._file_reason(asked, known, chain))

    def _drift(self, known: ledger.Issued, asked: _Decision) -> list[str]:
        """As `drift` finds it, in a third of the time when there is none."""
        spec = asked.spec
        certificate = self._load(known.der)
        fits = (
            self.template(spec).fits(known.der, common_name=spec.common_name, names=spec.names)
            and (spec.key_type is None or keys.type_of(certificate.public_key()) == spec.key_type)
            and not age(known.not_before, known.not_after, spec, now=self._run.now)
        )
        return [] if fits else drift(certificate, spec, now=self._run.now)

    def _key_reason(self, output: Folders, name: str) -> str:
        """Why the key has to be written again, the same; RefusedKeyError when there is none that can be kept."""
        found = output.read(name, KEY)
        if found is None:
            raise RefusedKeyError(f"{KEY} is missing")
        content, mode = found
        if not keys.is_encrypted(content, where=KEY) and self._run.settings.key_passphrase:
            return f"{KEY} is not encrypted"
        return f"{KEY} has mode {mode:04o}, which lets others in" if mode & 0o077 else ""

    def _chain_of(self, asked: _Decision) -> tuple[bytes, int] | None:
        output = self._run.output
        return output.read(asked.row.common_name, CHAIN) if isinstance(output, Folders) else None

    def _file_reason(self, asked: _Decision, known: ledger.Issued, chain: tuple[bytes, int] | None) -> str:
        """Why the files of a device are written again."""
        output, name = self._run.output, asked.row.common_name
        if not isinstance(output, Folders):
            return ""
        if chain is None:
            return "its files are missing"
        if chain[0] != self.pem(known.der) + self.chain:
            return f"{CHAIN} is not what was issued"
        if asked.row.csr:
            return f"{KEY} is of an earlier identity" if output.has(name, KEY) else ""
        lacking = [FORMATS[form] for form in self._run.settings.formats if not output.has(name, FORMATS[form])]
        return f"{' and '.join(lacking)} is missing" if lacking else ""

    def pem(self, der: bytes) -> bytes:
        """A certificate of the ledger as text."""
        return certificates.to_pem(self._load(der)).encode()

    def _load(self, der: bytes) -> x509.Certificate:
        try:
            return x509.load_der_x509_certificate(der)
        except ValueError as error:
            assert self._book is not None
            raise self._book.damaged("a certificate in it cannot be read") from error


class _Maker:
    """Makes what devices need, in the process that uses it first."""

    def __init__(self, examiner: _Examiner, run: Run, signer: build.Signer | None) -> None:
        self._examiner = examiner
        self._run = run
        self._signer = signer
        chain = _PEM_CERTIFICATE.findall(examiner.chain.decode())
        self._chain = [certificates.from_pem(pem.encode(), where="chain") for pem in chain]

    def make(self, batch: Sequence[device_rows.Raw]) -> _Made:
        """Sign and stage what is due of a batch."""
        output = self._run.output
        with authority.disk_errors(output.directory):
            decisions, refused = self._examiner.decide(batch)
            if refused:
                raise self._changed()
            due = [decision for decision in decisions if decision.due]
            made = [self._device(decision) for decision in due]
            return _Made(
                count=len(batch),
                rows=[row for row, _device in made if row],
                written=sum(not decision.signs for decision in due),
                staged=output.stage([device for _row, device in made]) if made else None,
            )

    def _device(self, decision: _Decision) -> tuple[ledger.Row | None, Device]:
        name, info = decision.row.common_name, decision.info
        pem, key = b"", None
        if decision.keeps_key:
            pem, key = self._kept(name)
        elif not decision.row.csr:
            key = keys.generate(decision.spec.key_type or self._run.settings.key_type)
            pem, info = keys.to_pem(key, passphrase=self._passphrase), keys.info(key.public_key())
        row = self._issue(decision, info) if decision.signs else None
        return row, Device(name, self._files(name, pem, key, row.der if row else decision.certificate))

    def _issue(self, decision: _Decision, info: bytes) -> ledger.Row:
        if self._signer is None:
            raise self._changed()
        spec = decision.spec
        form = self._examiner.template(spec)
        return form.issue(self._signer.key, common_name=spec.common_name, names=spec.names, info=info)

    def _kept(self, name: str) -> tuple[bytes, keys.PrivateKey | None]:
        """The key that a device has, encrypted if it is to be; opened only where that takes it."""
        output, settings = self._run.output, self._run.settings
        found = output.read(name, KEY) if isinstance(output, Folders) else None
        if found is None:
            raise self._changed()
        where = f"{output.directory}/{place(name)}/{KEY}"
        encrypt = settings.key_passphrase is not None and not keys.is_encrypted(found[0], where=where)
        if not encrypt and "pkcs12" not in settings.formats:
            return found[0], None
        what = settings.key_passphrase.what if settings.key_passphrase else ""
        key = keys.from_pem(found[0], where=where, passphrase=self._passphrase, what=what)
        return keys.to_pem(key, passphrase=self._passphrase) if encrypt else found[0], key

    def _files(self, name: str, pem: bytes, key: keys.PrivateKey | None, der: bytes) -> dict[str, bytes]:
        settings = self._run.settings
        chain = self._examiner.pem(der) + self._examiner.chain
        files = {KEY: pem} if pem else {}
        if pem and "combined" in settings.formats:
            files[COMBINED] = pem + chain
        if key is not None and "pkcs12" in settings.formats:
            files[PKCS12] = pkcs12.serialize_key_and_certificates(
                name.encode(),
                key,
                x509.load_der_x509_certificate(der),
                self._chain,
                serialization.BestAvailableEncryption(self._passphrase or b""),
            )
        return {**files, CHAIN: chain}

    @property
    def _passphrase(self) -> bytes | None:
        given = self._run.settings.key_passphrase
        return given.value.encode() if given else None

    def _changed(self) -> DevicesError:
        return DevicesError(
            f"{self._run.source.name} or {self._run.output.directory} was changed during the run: run again, "
            "with nobody else at work there"
        )


class _Seen:
    """Which values come more than once, by 64 bits of their hash: 16 bytes a row, where a set would take 100."""

    def __init__(self) -> None:
        self._parts = [(array("Q"), array("Q")) for _ in range(256)]

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
    with _Examiner(authority_, run) as examiner:
        for part in workers.each(examiner.examine, _batches(run), processes=run.settings.processes):
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
        examiner = stack.enter_context(_Examiner(authority_, run))
        maker = _Maker(examiner, run, signer)
        book: ledger.Ledger | None = None
        for made in workers.each(maker.make, _batches(run), processes=run.settings.processes):
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
    return issued, written


class _Clock:
    """Reports how far a phase is."""

    def __init__(self, run: Run, phase: str, *, total: int | None = None) -> None:
        self._run = run
        self._phase = phase
        self._total = total
        self._start = time.monotonic()
        self.tick(0)

    def tick(self, done: int, *, issued: int = 0) -> None:
        """Report so many rows."""
        seconds = time.monotonic() - self._start
        self._run.report(Progress(self._phase, done=done, total=self._total, issued=issued, seconds=seconds))


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


def _newest(issued: Sequence[ledger.Issued]) -> ledger.Issued | None:
    return next((one for one in reversed(issued) if not one.revoked), None)


def _why_none(issued: Sequence[ledger.Issued], of: str) -> str:
    return _revoked(issued[-1]) if issued else f"no certificate was issued for this {of} yet"


def _revoked(known: ledger.Issued) -> str:
    return f"certificate {known.serial} was revoked ({known.reason})"


def _short(value: bytes) -> int:
    return int.from_bytes(hashlib.sha256(value).digest()[:8], "big")
