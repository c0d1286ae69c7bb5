# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.

"""What each device of a list needs, with the reason: from its row, the ledger, and the files that it has."""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from . import authority, build, certificates, issue, keys, ledger, template
from .device_files import CHAIN, KEY, Folders
from .device_rows import Raw, Row
from .device_run import FORMATS, PROFILE, SHOWN, Finding, Run
from .drift import age, drift
from .errors import PkiError, RefusedKeyError, RefusedRequestError
from .names import of_common_name, parse

with contextlib.suppress(ImportError):  # _module.py says what is missing
    from cryptography import x509


class Decision(NamedTuple):
    """What a device needs; without a reason nothing. `info` is the public key and `certificate` what stays as it is."""

    row: Row
    spec: build.Spec
    reason: str = ""
    info: bytes = b""
    certificate: bytes = b""

    @property
    def due(self) -> bool:
        """Whether the device gets something new."""
        return bool(self.reason)

    @property
    def signs(self) -> bool:
        """Whether it gets a new certificate."""
        return self.due and not self.certificate

    @property
    def keeps_key(self) -> bool:
        """Whether a key that was generated here stays."""
        return not self.row.csr and bool(self.info or self.certificate)


@dataclass(frozen=True)
class Examined:
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


class Examiner:
    """Decides what devices need, in the process that uses it first: it then opens the ledger."""

    def __init__(self, authority_: authority.Authority | None, run: Run) -> None:
        self._authority = authority_
        self._run = run
        self._open = contextlib.ExitStack()
        self._book: ledger.Ledger | None = None
        self._templates: dict[dt.timedelta, template.Template] = {}
        self._issuer = certificates.key_id(authority_.issuing.certificate) if authority_ else None
        # Nobody staples for a client: devices are on the revocation list alone.
        self._urls = replace(run.settings.urls, ocsp="")
        self._constrained = authority_ is not None and bool(certificates.constraints(authority_.issuing.certificate))
        self.chain = authority_.chain.encode() if authority_ else b""

    def __enter__(self) -> Examiner:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._open.close()

    def examine(self, batch: Sequence[Raw]) -> Examined:
        """What a batch needs, with nothing changed."""
        with authority.disk_errors(self._run.output.directory):
            decisions, refused = self.decide(batch)
        due = [decision for decision in decisions if decision.due]
        return Examined(
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

    def decide(self, batch: Sequence[Raw]) -> tuple[list[Decision], list[Finding]]:
        """What each device needs, and the rows that cannot be granted."""
        asked, refused = [], []
        for raw in batch:
            try:
                asked.append(self._asked(self._run.source.parse(raw)))
            except PkiError as error:
                refused.append(Finding(raw.line, "", str(error)))
        if self._authority is None:
            return [decision._replace(reason="there is no CA yet") for decision in asked], refused
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

    def _asked(self, row: Row) -> Decision:
        """What is wanted of a device, with no reason yet; PkiError for what is not granted."""
        settings = self._run.settings
        spec = build.Spec(
            profile=PROFILE,
            common_name=row.common_name,
            names=parse(row.names) if row.names else of_common_name(row.common_name),
            lifetime=row.lifetime or settings.lifetime,
            issuer_key_id=self._issuer,
            urls=self._urls,
            key_type=row.key_type if row.csr else row.key_type or settings.key_type,
        )
        if self._authority is not None and self._constrained:
            spec = issue.within(spec, self._authority.issuing, given=bool(row.names))
        if not row.csr:
            return Decision(row=row, spec=spec)
        public_key = build.public_key_of_request(row.csr)
        if row.key_type and keys.type_of(public_key) != row.key_type:
            raise RefusedRequestError(f"its key is of type {keys.type_of(public_key)}, key_type is {row.key_type}")
        return Decision(row=row, spec=spec, info=keys.info(public_key))

    def _requested(self, asked: Decision, issued: Sequence[ledger.Issued]) -> Decision:
        """For a key that the device has: as in `issue`, what was issued for it is given again."""
        for known in issued:
            if known.reason == "key_compromise" and known.revoked_at is not None:
                raise RefusedRequestError(issue.compromised(known.serial, known.revoked_at))
        newest = _newest(issued)
        if newest is None:
            return asked._replace(reason=_why_none(issued, "key"))
        _info, reasons = self._drift(newest, asked)
        if reasons:
            return asked._replace(reason="; ".join(reasons))
        pem = certificates.der_to_pem(newest.der)
        return asked._replace(certificate=newest.der, reason=self._file_reason(asked, pem, self._chain_of(asked)))

    def _generated(self, asked: Decision, issued: Sequence[ledger.Issued]) -> Decision:
        """For a key that is made here, once: it is kept unless there is a reason against it."""
        output, name = self._run.output, asked.row.common_name
        if not isinstance(output, Folders):
            newest = _newest(issued)
            reasons = self._drift(newest, asked)[1] if newest else [_why_none(issued, "name")]
            return asked._replace(reason="; ".join(reasons))
        chain = output.read(name, CHAIN)
        if chain is None:
            return asked._replace(reason="it has no identity yet")
        known, pem = _of_chain(issued, chain[0])
        if known is None:
            return asked._replace(reason=f"the ledger does not know the certificate in {CHAIN}")
        if known.revoked:
            return asked._replace(reason=_revoked(known))
        info, reasons = self._drift(known, asked)
        try:
            key_reason = self._key_reason(output, name, info)
        except RefusedKeyError as error:
            return asked._replace(reason=str(error))
        if reasons:
            same = keys.type_of_info(info) == asked.spec.key_type
            return asked._replace(reason="; ".join(reasons), info=info if same else b"")
        return asked._replace(certificate=known.der, reason=key_reason or self._file_reason(asked, pem, chain))

    def _drift(self, known: ledger.Issued, asked: Decision) -> tuple[bytes, list[str]]:
        """The public key of a certificate, and what `drift` finds: in a tenth of the time when that is nothing."""
        spec = asked.spec
        info = self.template(spec).fits(
            known.der, common_name=spec.common_name, names=spec.names, key_type=spec.key_type
        )
        if info and not age(known.not_before, known.not_after, spec, now=self._run.now):
            return info, []
        certificate = self._load(known.der)
        return keys.info(keys.check_public(certificate.public_key())), drift(certificate, spec, now=self._run.now)

    def _key_reason(self, output: Folders, name: str, info: bytes) -> str:
        """Why the key has to be written again, the same; RefusedKeyError when there is none that can be kept.

        One that is encrypted is not opened for it.
        """
        found = output.read(name, KEY)
        if found is None:
            raise RefusedKeyError(f"{KEY} is missing")
        content, mode = found
        der = keys.plain(content, where=KEY)
        if der is not None and not keys.is_of(der, info):
            raise RefusedKeyError(f"{KEY} is not the key of {CHAIN}")
        if der is not None and self._run.settings.key_passphrase:
            return f"{KEY} is not encrypted"
        return f"{KEY} has mode {mode:04o}, which lets others in" if mode & 0o077 else ""

    def _chain_of(self, asked: Decision) -> tuple[bytes, int] | None:
        output = self._run.output
        return output.read(asked.row.common_name, CHAIN) if isinstance(output, Folders) else None

    def _file_reason(self, asked: Decision, pem: bytes, chain: tuple[bytes, int] | None) -> str:
        """Why the files of a device, whose certificate is given, are written again."""
        output, name = self._run.output, asked.row.common_name
        if not isinstance(output, Folders):
            return ""
        if chain is None:
            return "its files are missing"
        if chain[0] != pem + self.chain:
            return f"{CHAIN} is not what was issued"
        if asked.row.csr:
            return f"{KEY} is of an earlier identity" if output.has(name, KEY) else ""
        lacking = [FORMATS[form] for form in self._run.settings.formats if not output.has(name, FORMATS[form])]
        return f"{' and '.join(lacking)} {'is' if len(lacking) == 1 else 'are'} missing" if lacking else ""

    def _load(self, der: bytes) -> x509.Certificate:
        try:
            return x509.load_der_x509_certificate(der)
        except ValueError as error:
            if self._book is None:
                raise
            raise self._book.damaged("a certificate in it cannot be read") from error


def _of_chain(issued: Sequence[ledger.Issued], chain: bytes) -> tuple[ledger.Issued | None, bytes]:
    """The certificate that a chain begins with, if it is one of these, and its PEM."""
    for one in reversed(issued):
        pem = certificates.der_to_pem(one.der)
        if chain.startswith(pem):
            return one, pem
    return None, b""


def _newest(issued: Sequence[ledger.Issued]) -> ledger.Issued | None:
    return next((one for one in reversed(issued) if not one.revoked), None)


def _why_none(issued: Sequence[ledger.Issued], of: str) -> str:
    return _revoked(issued[-1]) if issued else f"no certificate was issued for this {of} yet"


def _revoked(known: ledger.Issued) -> str:
    return f"certificate {known.serial} was revoked ({known.reason})"


def _short(value: bytes) -> int:
    return int.from_bytes(hashlib.sha256(value).digest()[:8], "big")
