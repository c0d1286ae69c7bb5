# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.

"""Publishing what is revoked, as static files: a web server needs no key and no program of ours.

    DESTINATION/
      ca/root-1.crt, ca/issuing-1.crt          CA certificates, DER: what caIssuers in certificates names
      crl/issuing-1.crl, crl/issuing-1.crl.pem the revocation list, DER and PEM; one of each root, too
      ca/trusted.pem, crl/trusted.pem          the bundle and all its lists, under names that stay when CAs change
      ocsp/issuing-1/SERIAL.sha1.der           the response for one certificate, to staple; .sha256.der beside it
      ocsp/BASE64                              the same, where a client asks by GET (RFC 9919, section 5)

Each file appears in one rename. The list is in the ledger, with its number, before any file has it: a run that is
killed is completed by the next one with the same list.

Who trusts a CA needs its list, so every CA that is in the bundle has one. One that was retired keeps it until its last
certificate has ended: somebody may have the bundle of before. The list of a root whose key is offline is good for long,
and what is to be done about it is a warning, so that the other lists never wait for a root.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from . import authority, build, certificates, crl, filesystem, ledger, lifetimes, profiles, responses
from .errors import AuthorityError, PkiError
from .passphrase import Source

_URL = re.compile(r"http://[A-Za-z0-9._~:\[\]-]+(/[A-Za-z0-9._~-]+)*")


@dataclass(frozen=True)
class Settings:
    """What is published, where, and for how long it is valid."""

    destination: Path
    crl_lifetime: dt.timedelta = dt.timedelta(days=7)
    ocsp_lifetime: dt.timedelta = dt.timedelta(days=7)
    # A root whose key is kept offline signs on the days on which it is brought back.
    root_crl_lifetime: dt.timedelta = dt.timedelta(days=360)
    # Where the folder `crl` is served. With it each list has its URL as IssuingDistributionPoint: certificates that do
    # not name that URL are then refused with it.
    crl_url: str = ""


@dataclass(frozen=True)
class Published:
    """What is published now, and every change with its reason; in a plan the old lists, or none.

    `ocsp` are the responses to staple by serial; a revoked certificate has none, a staple could only harm its owner.
    """

    changes: tuple[str, ...]
    # Of the CAs in the bundle, in its order: what a broker that trusts them needs. By the name of the CA.
    lists: Mapping[str, ledger.RevocationList] = field(default_factory=dict)
    ocsp: Mapping[str, bytes] = field(default_factory=dict)
    revoked: frozenset[str] = frozenset()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Due:
    """A response that has to be signed."""

    ca: authority.Ca
    question: responses.Question
    algorithm: str
    reason: str


@dataclass(frozen=True)
class _List:
    """The revocation list of a CA: the last one, what the next one has, and why that is due."""

    ca: authority.Ca
    entries: tuple[crl.Entry, ...]
    last: ledger.RevocationList | None
    listed: crl.Listed | None
    number: int
    lifetime: dt.timedelta
    url: str
    reasons: tuple[str, ...]

    @property
    def due(self) -> bool:
        """Whether it is signed now; without the key that is an error, but where the key may be away."""
        return bool(self.reasons) and not _is_away(self.ca)

    def warnings(self, *, now: dt.datetime) -> list[str]:
        """What cannot be signed here and has to be before long; while only its age counts, there is time."""
        if self.due or not self.reasons:
            return []
        complete = self.listed is not None and set(self.entries) <= self.listed.entries and self.listed.url == self.url
        if complete and self.listed is not None and (self.listed.next_update - now) * 3 > self.lifetime:
            return []
        return [f"{_crl(self.ca)}: {'; '.join(self.reasons)}; {authority.offline(self.ca)}"]


@dataclass(frozen=True)
class _State:
    """What has to be signed, and the files that are good as they are recorded or can be copied."""

    lists: tuple[_List, ...]
    due: tuple[_Due, ...]
    kept: Mapping[str, bytes]
    ocsp: Mapping[str, bytes]

    @property
    def revoked(self) -> frozenset[str]:
        """The serials on any of the lists."""
        return frozenset(entry.serial for found in self.lists for entry in found.entries)

    @property
    def reasons(self) -> list[str]:
        return [
            *(f"{_crl(found.ca)}: {reason}" for found in self.lists if found.due for reason in found.reasons),
            *(f"{_response(due.ca, due.question, due.algorithm)}: {due.reason}" for due in self.due),
        ]

    def published(
        self,
        changes: list[str],
        new: Mapping[str, ledger.RevocationList],
        ocsp: Mapping[str, bytes],
        *,
        now: dt.datetime,
    ) -> Published:
        revoked = self.revoked
        return Published(
            changes=tuple(changes),
            lists=_trusted(self.lists, new, now=now),
            ocsp={serial: der for serial, der in {**self.ocsp, **ocsp}.items() if serial not in revoked},
            revoked=revoked,
            warnings=tuple(warning for found in self.lists for warning in found.warnings(now=now)),
        )


def urls(base: str, authority_: authority.Authority | None) -> build.Urls:
    """The URLs for certificates that are issued now when the destination is served at this one, none for ''.

    PkiError as `check_url`. Without an authority, which is created in the same run, they are those of the first CA.
    """
    issuing = authority_.issuing.name if authority_ else authority.nth_name(authority.ISSUING, 1)
    return build.urls_below(check_url(base, what="publish_url"), issuing, answered=True)


def check_url(url: str, *, what: str) -> str:
    """Return a URL that may stand in certificates and lists; PkiError names ``what`` was set to something else."""
    # HTTPS would need a verified certificate to find out whether a certificate is verified (RFC 5280, section 8).
    if url and not _URL.fullmatch(url):
        raise PkiError(f"{what} is {url!r}: give an address that begins with http:// and does not end with a slash")
    return url


def plan(authority_: authority.Authority | None, settings: Settings, *, now: dt.datetime) -> Published:
    """What `publish` would change, with nothing signed or written."""
    if authority_ is None:
        return Published(changes=("there is no CA yet",))
    with authority.disk_errors(settings.destination), authority_.open_ledger() as book:
        state = _look(authority_, book, settings, now=now)
        differing = _differing(settings.destination, state.kept)
    return state.published([*state.reasons, *differing], {}, {}, now=now)


def publish(
    authority_: authority.Authority,
    settings: Settings,
    *,
    passphrase: Source,
    root_passphrase: Source | None = None,
    now: dt.datetime,
) -> Published:
    """Bring the files up to date; the key of a CA is opened only when it has to sign something.

    Without a passphrase of their own the roots' keys have that of the issuing CAs.
    """
    passphrases = {authority.ISSUING: passphrase, authority.ROOT: root_passphrase or passphrase}
    explained = authority.disk_errors(settings.destination)
    with authority.locked(authority_.directory), explained, authority_.open_ledger() as book:
        # Another run may have moved a CA to its next phase while this one waited.
        authority_ = authority.load(authority_.directory)
        state = _look(authority_, book, settings, now=now)
        lists: Mapping[str, ledger.RevocationList] = {}
        made: dict[str, bytes] = {}
        if state.reasons:
            lists, made = _sign(book, state, settings, passphrases=passphrases, now=now)
        if lists:
            made.update(_trusted_files(authority_, _trusted(state.lists, lists, now=now)))
        changes = [*state.reasons, *_differing(settings.destination, state.kept)]
        _write(settings.destination, {**state.kept, **made})
        _remove_expired(settings.destination, now=now)
    answered = {due.question.record.serial: due for due in state.due if due.algorithm == "sha1"}
    new = {serial: made[_response(due.ca, due.question, "sha1")] for serial, due in answered.items()}
    return state.published(changes, lists, new, now=now)


def _look(authority_: authority.Authority, book: ledger.Ledger, settings: Settings, *, now: dt.datetime) -> _State:
    publishing = [ca for ca in authority_.cas if _publishes(ca, book, now=now)]
    lists = tuple(_look_at_list(ca, book, settings, now=now) for ca in publishing)
    kept = {f"ca/{ca.name}.crt": certificates.to_der(ca.certificate) for ca in authority_.cas}
    kept.update({f"ca/{ca.name}.cross.crt": certificates.to_der(ca.cross) for ca in authority_.cas if ca.cross})
    for found in lists:
        if found.last and found.listed and not found.due and found.listed.next_update > now:
            kept.update(_crl_files(found.ca, found.last.der))
    if not any(found.due for found in lists):
        kept.update(_trusted_files(authority_, _trusted(lists, {}, now=now)))
    due, answered, current = _look_at_responses(publishing, book, settings, now=now)
    return _State(lists=lists, due=tuple(due), kept={**kept, **answered}, ocsp=current)


def _publishes(ca: authority.Ca, book: ledger.Ledger, *, now: dt.datetime) -> bool:
    if ca.phase == authority.SIGNING:
        return True
    if certificates.not_after(ca.certificate) <= now:
        return False
    end = book.last_end(ca.key_id)
    return ca.trusted or (end is not None and end >= now)


def _is_away(ca: authority.Ca) -> bool:
    """Whether the key is not here and need not be: roots can be offline, who is retired can be destroyed."""
    return not ca.key_is_here and (ca.kind == authority.ROOT or ca.phase == authority.RETIRED)


def _look_at_list(ca: authority.Ca, book: ledger.Ledger, settings: Settings, *, now: dt.datetime) -> _List:
    last = book.revocation_list(ca.key_id)
    listed = _read(last, where=book)
    # An entry stays until a list was made after the certificate's end (RFC 5280, section 3.3).
    since = min(listed.this_update, now) if listed else now
    entries = tuple(
        crl.Entry(serial=record.serial, revoked_at=record.revoked_at, reason=record.reason)
        for record in book.find(ledger.Filter(issuer=ca.key_id, revoked=True, expires_from=since))
        if record.revoked_at is not None
    )
    seen = _number_in(settings.destination / _crl(ca), issuer=ca.key_id)
    lifetime = settings.root_crl_lifetime if ca.kind == authority.ROOT else settings.crl_lifetime
    url = f"{settings.crl_url}/{ca.name}.crl" if settings.crl_url else ""
    return _List(
        ca=ca,
        entries=entries,
        last=last,
        listed=listed,
        number=max(listed.number if listed else 0, seen) + 1,
        lifetime=lifetime,
        url=url,
        reasons=tuple(_crl_reasons(listed, entries, lifetime=lifetime, url=url, seen=seen, now=now)),
    )


def _read(last: ledger.RevocationList | None, *, where: ledger.Ledger) -> crl.Listed | None:
    if last is None:
        return None
    try:
        return crl.read(last.der)
    except ValueError as error:
        raise where.damaged("a revocation list in it cannot be read") from error


def _crl_reasons(
    listed: crl.Listed | None,
    entries: tuple[crl.Entry, ...],
    *,
    lifetime: dt.timedelta,
    url: str,
    seen: int,
    now: dt.datetime,
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
    if listed.url != url:
        found.append(f"its URL differs: it has {listed.url or 'none'}, wanted is {url or 'none'}")
    return found + crl.age(listed.this_update, listed.next_update, lifetime=lifetime, now=now)


def _number_in(path: Path, *, issuer: str) -> int:
    """The number of the list that is published; 0 for what cannot be read or is another CA's."""
    try:
        der = path.read_bytes()
        return crl.number(der) if crl.issuer_key_id(der) == issuer else 0
    except (OSError, ValueError):
        return 0


def _look_at_responses(
    cas: Sequence[authority.Ca], book: ledger.Ledger, settings: Settings, *, now: dt.datetime
) -> tuple[list[_Due], dict[str, bytes], dict[str, bytes]]:
    """What is due, the files that need no signature, and the responses to staple by serial."""
    due: list[_Due] = []
    files: dict[str, bytes] = {}
    current: dict[str, bytes] = {}
    for ca, record in _answered([ca for ca in cas if not _is_away(ca)], book, now=now):
        certificate = book.certificate(record.serial)
        if certificate is None:
            continue
        question = responses.Question(certificate=certificate, issuer=ca.certificate, record=record)
        for algorithm in responses.ALGORITHMS:
            path = settings.destination / _response(ca, question, algorithm)
            der = path.read_bytes() if path.is_file() else None
            reasons = responses.reasons(der, question, algorithm=algorithm, lifetime=settings.ocsp_lifetime, now=now)
            if reasons or der is None:
                due.append(_Due(ca=ca, question=question, algorithm=algorithm, reason=reasons[0]))
                continue
            files.update(_response_files(ca, question, algorithm, der))
            if algorithm == "sha1":
                current[record.serial] = der
    return due, files, current


def _answered(
    cas: Sequence[authority.Ca], book: ledger.Ledger, *, now: dt.datetime
) -> Iterator[tuple[authority.Ca, ledger.Record]]:
    for ca in cas:
        wanted = ledger.Filter(issuer=ca.key_id, profiles=profiles.ANSWERED, expires_from=now)
        yield from ((ca, record) for record in book.find(wanted))


def _sign(
    book: ledger.Ledger,
    state: _State,
    settings: Settings,
    *,
    passphrases: Mapping[str, Source],
    now: dt.datetime,
) -> tuple[dict[str, ledger.RevocationList], dict[str, bytes]]:
    """The new lists by the key identifier of their CA, and all new files; recorded, not yet written."""
    made: dict[str, bytes] = {}
    lists: dict[str, ledger.RevocationList] = {}
    signers = []
    for found in state.lists:
        due = [due for due in state.due if due.ca == found.ca]
        if not found.due and not due:
            continue
        signer = found.ca.unlock(passphrases[found.ca.kind])
        if found.due:
            der = crl.build(signer, found.entries, number=found.number, lifetime=found.lifetime, url=found.url, now=now)
            lists[found.ca.key_id] = ledger.RevocationList(number=found.number, der=der)
            made.update(_crl_files(found.ca, der))
        if due:
            responder = responses.signer(signer, lifetime=settings.ocsp_lifetime, now=now)
            signers.append(ledger.Entry(certificate=responder.certificate, profile="ocsp_signer"))
            made.update(_answer(due, responder, settings, now=now))
    book.record_publication(lists, signers=signers)
    return lists, made


def _answer(due: Sequence[_Due], responder: build.Signer, settings: Settings, *, now: dt.datetime) -> dict[str, bytes]:
    made: dict[str, bytes] = {}
    for one in due:
        der = responses.answer(
            one.question, responder, algorithm=one.algorithm, lifetime=settings.ocsp_lifetime, now=now
        )
        made.update(_response_files(one.ca, one.question, one.algorithm, der))
    return made


def _trusted(
    lists: Sequence[_List], new: Mapping[str, ledger.RevocationList], *, now: dt.datetime
) -> dict[str, ledger.RevocationList]:
    """The lists of the CAs in the bundle by the name of the CA; the new ones come by its key identifier."""
    current = {found.ca.name: new.get(found.ca.key_id) or found.last for found in lists if found.ca.trusted}
    return {name: last for name, last in current.items() if last and crl.next_update(last.der) > now}


def _trusted_files(authority_: authority.Authority, lists: Mapping[str, ledger.RevocationList]) -> dict[str, bytes]:
    return {
        "ca/trusted.pem": authority_.bundle.encode(),
        "crl/trusted.pem": b"".join(crl.to_pem(last.der) for last in lists.values()),
    }


def _crl(ca: authority.Ca) -> str:
    return f"crl/{ca.name}.crl"


def _crl_files(ca: authority.Ca, der: bytes) -> dict[str, bytes]:
    return {_crl(ca): der, f"{_crl(ca)}.pem": crl.to_pem(der)}


def _response(ca: authority.Ca, question: responses.Question, algorithm: str) -> str:
    return f"ocsp/{ca.name}/{question.record.serial}.{algorithm}.der"


def _response_files(ca: authority.Ca, question: responses.Question, algorithm: str, der: bytes) -> dict[str, bytes]:
    asked = responses.request_path(question, algorithm=algorithm)
    return {_response(ca, question, algorithm): der, f"ocsp/{asked}": der}


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


def _remove_expired(destination: Path, *, now: dt.datetime) -> None:
    """Lists and responses that nobody accepts any more; those that are still wanted were replaced before."""
    for path in (destination / "crl").glob("*.crl"):
        if crl.expired(path.read_bytes(), now=now):
            path.with_name(f"{path.name}.pem").unlink(missing_ok=True)
            path.unlink()
    answers = destination / "ocsp"
    for path in answers.rglob("*"):
        if path.is_file() and responses.expired(path.read_bytes(), now=now):
            path.unlink()
    for path in sorted((path for path in answers.rglob("*") if path.is_dir()), reverse=True):
        with contextlib.suppress(OSError):
            path.rmdir()
