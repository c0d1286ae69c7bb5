# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.

"""Making what a device needs: its key, its certificate, and the files that hold them."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from . import authority, build, certificates, keys, ledger, template
from .device_decisions import Decision, Examiner
from .device_files import CHAIN, COMBINED, KEY, PKCS12, Device, Folders, place
from .device_rows import Raw
from .device_run import Run
from .errors import DevicesError

with contextlib.suppress(ImportError):  # _module.py says what is missing
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.serialization import pkcs12

_PEM_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----\n?", re.DOTALL)


@dataclass(frozen=True)
class Made:
    """What a worker made of a batch: rows for the ledger, and what the output staged."""

    count: int
    rows: list[ledger.Row]
    written: int
    staged: Any


class _Key(NamedTuple):
    """A public key, and of a key that was generated here its file; the key itself where a format takes it."""

    info: bytes
    pem: bytes = b""
    opened: keys.PrivateKey | None = None


class Maker:
    """Makes what devices need, in the process that uses it first."""

    def __init__(self, examiner: Examiner, run: Run, signer: build.Signer | None) -> None:
        self._examiner = examiner
        self._run = run
        self._signer = signer
        chain = _PEM_CERTIFICATE.findall(examiner.chain.decode())
        self._chain = [certificates.from_pem(pem.encode(), where="chain") for pem in chain]

    def make(self, batch: Sequence[Raw]) -> Made:
        """Sign and stage what is due of a batch."""
        output = self._run.output
        with authority.disk_errors(output.directory):
            decisions, refused = self._examiner.decide(batch)
            if refused:
                raise self._changed()
            due = [decision for decision in decisions if decision.due]
            has = [self._key(decision) for decision in due]
            rows = self._issue(due, has)
            devices = [self._device(*parts) for parts in zip(due, has, rows)]
            return Made(
                count=len(batch),
                rows=[row for row in rows if row],
                written=sum(not decision.signs for decision in due),
                staged=output.stage(devices) if devices else None,
            )

    def _key(self, decision: Decision) -> _Key:
        if decision.row.csr:
            return _Key(decision.info)
        if decision.keeps_key:
            return _Key(decision.info, *self._kept(decision.row.common_name))
        key = keys.generate(decision.spec.key_type or self._run.settings.key_type)
        return _Key(keys.info(key.public_key()), keys.to_pem(key, passphrase=self._passphrase), self._opened(key))

    def _issue(self, due: Sequence[Decision], has: Sequence[_Key]) -> list[ledger.Row | None]:
        """The new certificate of each, None for what keeps the one that it has."""
        rows: list[ledger.Row | None] = [None] * len(due)
        alike: dict[template.Template, list[int]] = {}
        for number, decision in enumerate(due):
            if decision.signs:
                alike.setdefault(self._examiner.template(decision.spec), []).append(number)
        for form, numbers in alike.items():
            subjects = [_subject(due[number].spec, has[number]) for number in numbers]
            if self._signer is None:
                raise self._changed()
            for number, row in zip(numbers, form.issue(self._signer.key, subjects)):
                rows[number] = row
        return rows

    def _device(self, decision: Decision, key: _Key, row: ledger.Row | None) -> Device:
        name = decision.row.common_name
        return Device(name, self._files(name, key, row.der if row else decision.certificate))

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
        return keys.to_pem(key, passphrase=self._passphrase) if encrypt else found[0], self._opened(key)

    def _opened(self, key: keys.PrivateKey) -> keys.PrivateKey | None:
        return key if "pkcs12" in self._run.settings.formats else None

    def _files(self, name: str, key: _Key, der: bytes) -> dict[str, bytes]:
        chain = certificates.der_to_pem(der) + self._examiner.chain
        files = {KEY: key.pem} if key.pem else {}
        if key.pem and "combined" in self._run.settings.formats:
            files[COMBINED] = key.pem + chain
        if key.opened is not None:
            files[PKCS12] = pkcs12.serialize_key_and_certificates(
                name.encode(),
                key.opened,
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


def _subject(spec: build.Spec, key: _Key) -> template.Subject:
    return template.Subject(spec.common_name, spec.names, key.info)
