# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.

"""Publishing what is revoked, as static files: a web server needs no key and no program of ours.

    DESTINATION/
      ca/root-1.crt, ca/issuing-1.crt          CA certificates, DER: what caIssuers in certificates names
      crl/issuing-1.crl, crl/issuing-1.crl.pem the revocation list, DER and PEM
      ocsp/issuing-1/SERIAL.sha1.der           the response for one certificate, to staple; .sha256.der beside it
      ocsp/BASE64                              the same, where a client asks by GET (RFC 9919, section 5)

Each file appears in one rename. The list is in the ledger, with its number, before any file has it: a run that is
killed is completed by the next one with the same list.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from . import authority, build, certificates, crl, filesystem, ledger, lifetimes, profiles, responses
from .errors import AuthorityError, PkiError

_URL = re.compile(r"http://[A-Za-z0-9._~:\[\]-]+(/[A-Za-z0-9._~-]+)*")

_CRL = f"crl/{authority.ISSUING}.crl"


@dataclass(frozen=True)
class Settings:
    """What is published, where, and for how long it is valid."""

    destination: Path
    crl_lifetime: dt.timedelta = dt.timedelta(days=7)
    ocsp_lifetime: dt.timedelta = dt.timedelta(days=7)
    # In the list as IssuingDistributionPoint: certificates without this URL in them are then refused with it.
    crl_url: str = ""


@dataclass(frozen=True)
class Published:
    """What is published now, and every change with its reason; in a plan the old list, or none."""

    changes: tuple[str, ...]
    revocation_list: ledger.RevocationList | None
    ocsp: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class _Due:
    """A response that has to be signed."""

    question: responses.Question
    algorithm: str
    reason: str


@dataclass(frozen=True)
class _State:
    """What has to be signed, and the files that are good as they are recorded or can be copied."""

    entries: tuple[crl.Entry, ...]
    last: ledger.RevocationList | None
    number: int
    crl_reasons: tuple[str, ...]
    due: tuple[_Due, ...]
    kept: Mapping[str, bytes]
    ocsp: Mapping[str, bytes]

    @property
    def reasons(self) -> list[str]:
        return [
            *(f"{_CRL}: {reason}" for reason in self.crl_reasons),
            *(f"{_response(due.question, due.algorithm)}: {due.reason}" for due in self.due),
        ]


def urls(base: str) -> build.Urls:
    """The URLs for certificates when the destination is served at this one, none for ''; PkiError as `check_url`."""
    if not base:
        return build.Urls()
    check_url(base, what="publish_url")
    return build.Urls(ocsp=f"{base}/ocsp", ca_issuers=f"{base}/ca/{authority.ISSUING}.crt", crl=f"{base}/{_CRL}")


def check_url(url: str, *, what: str) -> str:
    """Return a URL that may stand in certificates and lists; PkiError names ``what`` was set to something else."""
    # HTTPS would need a verified certificate to find out whether a certificate is verified (RFC 5280, section 8).
    if url and not _URL.fullmatch(url):
        raise PkiError(f"{what} is {url!r}: give an address that begins with http:// and does not end with a slash")
    return url


def plan(authority_: authority.Authority | None, settings: Settings, *, now: dt.datetime) -> Published:
    """What `publish` would change, with nothing signed or written."""
    if authority_ is None:
        return Published(changes=("there is no CA yet",), revocation_list=None)
    with authority.disk_errors(settings.destination), authority_.open_ledger() as book:
        state = _look(authority_, book, settings, now=now)
        differing = _differing(settings.destination, state.kept)
    return Published(
        changes=(*state.reasons, *differing),
        revocation_list=state.last,
        ocsp=state.ocsp,
    )


def publish(
    authority_: authority.Authority, settings: Settings, *, passphrase: authority.Passphrase, now: dt.datetime
) -> Published:
    """Bring the files up to date; the key of the CA is opened only when something has to be signed."""
    explained = authority.disk_errors(settings.destination)
    with authority.locked(authority_.directory), explained, authority_.open_ledger() as book:
        state = _look(authority_, book, settings, now=now)
        last = state.last
        made: dict[str, bytes] = {}
        if state.reasons:
            last, made = _sign(authority_, book, state, settings, passphrase=passphrase, now=now)
        changes = (*state.reasons, *_differing(settings.destination, state.kept))
        _write(settings.destination, {**state.kept, **made})
        _remove_expired(settings.destination / "ocsp", now=now)
    answered = {due.question.record.serial for due in state.due if due.algorithm == "sha1"}
    new = {serial: made[f"ocsp/{authority.ISSUING}/{serial}.sha1.der"] for serial in answered}
    return Published(changes=changes, revocation_list=last, ocsp={**state.ocsp, **new})


def _look(authority_: authority.Authority, book: ledger.Ledger, settings: Settings, *, now: dt.datetime) -> _State:
    issuing = authority_.issuing.certificate
    issuer = certificates.key_id(issuing)
    last = book.revocation_list(issuer)
    listed = _read(last, where=book)
    # An entry stays until a list was made after the certificate's end (RFC 5280, section 3.3).
    since = min(listed.this_update, now) if listed else now
    entries = tuple(
        crl.Entry(serial=record.serial, revoked_at=record.revoked_at, reason=record.reason)
        for record in book.find(ledger.Filter(issuer=issuer, revoked=True, expires_from=since))
        if record.revoked_at is not None
    )
    seen = _number_in(settings.destination / _CRL, issuer=issuer)
    crl_reasons = _crl_reasons(listed, entries, settings, seen=seen, now=now)
    kept = {
        f"ca/{authority.ROOT}.crt": certificates.to_der(authority_.root.certificate),
        f"ca/{authority.ISSUING}.crt": certificates.to_der(issuing),
    }
    if last and not crl_reasons:
        kept.update(_crl_files(last.der))
    due, answered, current = _look_at_responses(authority_, book, settings, now=now)
    return _State(
        entries=entries,
        last=last,
        number=max(listed.number if listed else 0, seen) + 1,
        crl_reasons=tuple(crl_reasons),
        due=tuple(due),
        kept={**kept, **answered},
        ocsp=current,
    )


def _read(last: ledger.RevocationList | None, *, where: ledger.Ledger) -> crl.Listed | None:
    if last is None:
        return None
    try:
        return crl.read(last.der)
    except ValueError as error:
        raise where.damaged("a revocation list in it cannot be read") from error


def _crl_reasons(
    listed: crl.Listed | None, entries: tuple[crl.Entry, ...], settings: Settings, *, seen: int, now: dt.datetime
) -> list[str]:
    if listed is None:
        return ["there is no list yet"]
    if now < listed.this_update:
        raise AuthorityError(
            f"revocation list {listed.number} was made for {lifetimes.show(listed.this_update)} and later, "
            f"it is {lifetimes.show(now)} here: set the clock"
        )
    missing = set(entries) - listed.entries
    found = [f"revocations that it lacks: {len(missing)}"] if missing else []
    if seen > listed.number:
        found.append(f"the published list has number {seen}, the ledger knows {listed.number}")
    if listed.url != settings.crl_url:
        found.append(f"its URL differs: it has {listed.url or 'none'}, wanted is {settings.crl_url or 'none'}")
    return found + crl.age(listed.this_update, listed.next_update, lifetime=settings.crl_lifetime, now=now)


def _number_in(path: Path, *, issuer: str) -> int:
    """The number of the list that is published; 0 for what cannot be read or is another CA's."""
    try:
        der = path.read_bytes()
        return crl.read(der).number if crl.issuer_key_id(der) == issuer else 0
    except (OSError, ValueError):
        return 0


def _look_at_responses(
    authority_: authority.Authority, book: ledger.Ledger, settings: Settings, *, now: dt.datetime
) -> tuple[list[_Due], dict[str, bytes], dict[str, bytes]]:
    """What is due, the files that need no signature, and the responses to staple by serial."""
    issuing = authority_.issuing.certificate
    wanted = ledger.Filter(issuer=certificates.key_id(issuing), profiles=profiles.ANSWERED, expires_from=now)
    due: list[_Due] = []
    files: dict[str, bytes] = {}
    current: dict[str, bytes] = {}
    for record in book.find(wanted):
        certificate = book.certificate(record.serial)
        if certificate is None:
            continue
        question = responses.Question(certificate=certificate, issuer=issuing, record=record)
        for algorithm in responses.ALGORITHMS:
            path = settings.destination / _response(question, algorithm)
            der = path.read_bytes() if path.is_file() else None
            reasons = responses.reasons(der, question, algorithm=algorithm, lifetime=settings.ocsp_lifetime, now=now)
            if reasons or der is None:
                due.append(_Due(question=question, algorithm=algorithm, reason=reasons[0]))
                continue
            files.update(_response_files(question, algorithm, der))
            if algorithm == "sha1":
                current[record.serial] = der
    return due, files, current


def _sign(
    authority_: authority.Authority,
    book: ledger.Ledger,
    state: _State,
    settings: Settings,
    *,
    passphrase: authority.Passphrase,
    now: dt.datetime,
) -> tuple[ledger.RevocationList | None, dict[str, bytes]]:
    issuing = authority_.issuing.unlock(passphrase)
    made: dict[str, bytes] = {}
    new: ledger.RevocationList | None = None
    if state.crl_reasons:
        der = crl.build(
            issuing,
            state.entries,
            number=state.number,
            lifetime=settings.crl_lifetime,
            url=settings.crl_url,
            now=now,
        )
        new = ledger.RevocationList(number=state.number, der=der)
        made.update(_crl_files(der))
    signers = []
    if state.due:
        signer = responses.signer(issuing, lifetime=settings.ocsp_lifetime, now=now)
        signers.append(ledger.Entry(certificate=signer.certificate, profile="ocsp_signer"))
        for due in state.due:
            der = responses.answer(
                due.question, signer, algorithm=due.algorithm, lifetime=settings.ocsp_lifetime, now=now
            )
            made.update(_response_files(due.question, due.algorithm, der))
    book.record_publication(issuer=certificates.key_id(issuing.certificate), revocation_list=new, signers=signers)
    return new or state.last, made


def _crl_files(der: bytes) -> dict[str, bytes]:
    return {_CRL: der, f"{_CRL}.pem": crl.to_pem(der)}


def _response(question: responses.Question, algorithm: str) -> str:
    return f"ocsp/{authority.ISSUING}/{question.record.serial}.{algorithm}.der"


def _response_files(question: responses.Question, algorithm: str, der: bytes) -> dict[str, bytes]:
    asked = responses.request_path(question, algorithm=algorithm)
    return {_response(question, algorithm): der, f"ocsp/{asked}": der}


def _differing(destination: Path, wanted: Mapping[str, bytes]) -> list[str]:
    return [
        f"{name}: {reason}" for name, content in wanted.items() for reason in _difference(destination / name, content)
    ]


def _difference(path: Path, content: bytes) -> list[str]:
    try:
        return [] if path.read_bytes() == content else ["it is not what was published"]
    except FileNotFoundError:
        return ["it is missing"]


def _write(destination: Path, wanted: Mapping[str, bytes]) -> None:
    staged = {}
    for name, content in wanted.items():
        path = destination / name
        if not _difference(path, content):
            continue
        _make_directories(path.parent)
        # A dot file that a killed run left is overwritten; web servers do not list it, and nobody asks for it.
        staged[path] = path.with_name(f".{path.name}.new")
        with open(staged[path], "wb") as stream:
            os.fchmod(stream.fileno(), 0o644)
            stream.write(content)
    if staged:
        # Before any of them is seen, and once for all: a fleet's responses are some thousands.
        filesystem.sync(destination)
    for path, new in staged.items():
        os.rename(new, path)


def _make_directories(directory: Path) -> None:
    if directory.is_dir():
        return
    _make_directories(directory.parent)
    directory.mkdir(exist_ok=True)
    # Whatever the umask of the operator is: a web server reads it.
    directory.chmod(0o755)


def _remove_expired(directory: Path, *, now: dt.datetime) -> None:
    """Responses that nobody accepts any more; those of certificates that are still valid were replaced before."""
    for path in directory.rglob("*"):
        if path.is_file() and responses.expired(path.read_bytes(), now=now):
            path.unlink()
    for path in sorted((path for path in directory.rglob("*") if path.is_dir()), reverse=True):
        with contextlib.suppress(OSError):
            path.rmdir()
