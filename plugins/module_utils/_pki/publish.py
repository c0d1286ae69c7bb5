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

Each file appears in one rename or as a second name of one that did. The list is in the ledger, with its number, before
any file has it: a run that is killed is completed by the next one with the same list. Responses are signed, staged and
shown on all cores.

Who trusts a CA needs its list, so every CA that is in the bundle has one. One that was retired keeps it until its last
certificate has ended: somebody may have the bundle of before. The list of a root whose key is offline is good for long,
and what is to be done about it is a warning, so that the other lists never wait for a root.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import errno
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .._workers import available, each
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
    processes: int = field(default_factory=available)


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


# How many responses a worker signs and stages, or shows, at once; so many take less than to start a worker.
_BATCH = 250


@dataclass(frozen=True)
class _Due:
    """A response that has to be signed, and its two names."""

    ca: authority.Ca
    question: responses.Question
    names: tuple[str, str]
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
    # All responses that somebody still asks for, as they are named.
    answered: frozenset[str]

    @property
    def revoked(self) -> frozenset[str]:
        """The serials on any of the lists."""
        return frozenset(entry.serial for found in self.lists for entry in found.entries)

    @property
    def reasons(self) -> list[str]:
        return [
            *(f"{_crl(found.ca)}: {reason}" for found in self.lists if found.due for reason in found.reasons),
            *(f"{due.names[0]}: {due.reason}" for due in self.due),
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
    with authority.locked(authority_.directory), authority.disk_errors(settings.destination):
        # Another run may have moved a CA to its next phase while this one waited.
        authority_ = authority.load(authority_.directory)
        # Closed before workers are started, who must not inherit it.
        with authority_.open_ledger() as book:
            state = _look(authority_, book, settings, now=now)
        _make_directories(settings.destination)
        signed = _sign(state, settings, passphrases=passphrases, now=now) if state.reasons else _Signed()
        if state.reasons:
            with authority_.open_ledger() as book:
                book.record_publication(signed.lists, signers=signed.delegates)
        made = dict(signed.files)
        if signed.lists:
            made.update(_trusted_files(authority_, _trusted(state.lists, signed.lists, now=now)))
        changes = [*state.reasons, *_differing(settings.destination, state.kept)]
        _write(settings, {**state.kept, **made}, pairs=[due.names for due in state.due])
        _remove_expired(settings.destination, state.answered, now=now)
    return state.published(changes, signed.lists, signed.ocsp, now=now)


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
    answers = _look_at_responses(publishing, book, settings, now=now)
    kept.update(answers.lacking)
    return _State(
        lists=lists, due=tuple(answers.due), kept=kept, ocsp=answers.current, answered=frozenset(answers.names)
    )


def _publishes(ca: authority.Ca, book: ledger.Ledger, *, now: dt.datetime) -> bool:
    if ca.phase == authority.SIGNING:
        return True
    if certificates.not_after(ca.certificate) <= now:
        return False
    end = book.last_end(ca.key_id)
    return ca.trusted or (end is not None and end >= now)


def _is_away(ca: authority.Ca) -> bool:
    """Whether the key is not here and need not be: roots can be offline, who left can be destroyed."""
    return not ca.key_is_here and (ca.kind == authority.ROOT or ca.phase in authority.LEFT)


def _look_at_list(ca: authority.Ca, book: ledger.Ledger, settings: Settings, *, now: dt.datetime) -> _List:
    last = book.revocation_list(ca.key_id)
    listed = _read(last, where=book)
    # An entry stays until a list was made after the certificate's end (RFC 5280, section 3.3).
    since = min(listed.this_update, now) if listed else now
    entries = tuple(
        crl.Entry(serial, revoked_at, reason)
        for serial, revoked_at, reason in book.revoked(issuer=ca.key_id, expires_from=since)
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


@dataclass
class _Responses:
    """What is due, the second names that lack the file of the first, those to staple by serial, and all names."""

    due: list[_Due] = field(default_factory=list)
    lacking: dict[str, bytes] = field(default_factory=dict)
    current: dict[str, bytes] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)


def _look_at_responses(
    cas: Sequence[authority.Ca], book: ledger.Ledger, settings: Settings, *, now: dt.datetime
) -> _Responses:
    found = _Responses()
    for ca in cas:
        if _is_away(ca):
            continue
        issuer = responses.Issuer(ca.certificate)
        wanted = ledger.Filter(issuer=ca.key_id, profiles=profiles.ANSWERED, expires_from=now)
        for record in book.find(wanted):
            for algorithm in responses.ALGORITHMS:
                asked = issuer.request_path(record.serial, algorithm)
                names = (f"ocsp/{ca.name}/{record.serial}.{algorithm}.der", f"ocsp/{asked}")
                question = responses.Question(record=record, algorithm=algorithm)
                der, inode = _open(f"{settings.destination}/{names[0]}")
                reasons = responses.reasons(der, question, issuer, lifetime=settings.ocsp_lifetime, now=now)
                found.names.extend(names)
                if reasons or der is None:
                    found.due.append(_Due(ca=ca, question=question, names=names, reason=reasons[0]))
                    continue
                if not _is_same(f"{settings.destination}/{names[1]}", inode):
                    found.lacking[names[1]] = der
                if algorithm == "sha1":
                    found.current[record.serial] = der
    return found


@dataclass
class _Signed:
    """What is new: lists by the key identifier of their CA, their files, the responses to staple, staged as all are."""

    lists: dict[str, ledger.RevocationList] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    ocsp: dict[str, bytes] = field(default_factory=dict)
    delegates: list[ledger.Entry] = field(default_factory=list)


def _sign(state: _State, settings: Settings, *, passphrases: Mapping[str, Source], now: dt.datetime) -> _Signed:
    """What is due, signed but neither recorded nor shown."""
    made = _Signed()
    for found in state.lists:
        due = [due for due in state.due if due.ca == found.ca]
        if not found.due and not due:
            continue
        signer = found.ca.unlock(passphrases[found.ca.kind])
        if found.due:
            der = crl.build(signer, found.entries, number=found.number, lifetime=found.lifetime, url=found.url, now=now)
            made.lists[found.ca.key_id] = ledger.RevocationList(number=found.number, der=der)
            made.files.update(_crl_files(found.ca, der))
        if due:
            delegate = responses.delegate(signer, lifetime=settings.ocsp_lifetime, now=now)
            made.delegates.append(ledger.Entry(certificate=delegate.certificate, profile="ocsp_signer"))
            answering = responses.Signer(found.ca.certificate, delegate, lifetime=settings.ocsp_lifetime, now=now)
            made.ocsp.update(_answer(due, answering, settings))
    return made


def _answer(due: Sequence[_Due], answering: responses.Signer, settings: Settings) -> Iterator[tuple[str, bytes]]:
    """Stage all responses, on all cores; those to staple by serial."""

    def answer(start: int) -> list[tuple[str, bytes]]:
        batch = due[start : start + _BATCH]
        answers = list(zip(batch, answering.answer([one.question for one in batch])))
        with authority.disk_errors(settings.destination):
            for one, der in answers:
                _stage(f"{settings.destination}/{one.names[0]}", der)
        return [(one.question.record.serial, der) for one, der in answers if one.question.algorithm == "sha1"]

    # Workers have what is due already: they are told where to begin.
    for found in each(answer, range(0, len(due), _BATCH), processes=settings.processes, error=PkiError):
        yield from found


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


def _differing(destination: Path, wanted: Mapping[str, bytes]) -> list[str]:
    return [
        f"{name}: {reason}" for name, content in wanted.items() for reason in _difference(destination / name, content)
    ]


def _difference(path: Path, content: bytes) -> list[str]:
    try:
        return [] if path.read_bytes() == content else ["it is not what was published"]
    except FileNotFoundError:
        return ["it is missing"]


def _open(path: str) -> tuple[bytes | None, tuple[int, int]]:
    """The content of a file, None when there is none, and what tells it from every other."""
    try:
        with open(path, "rb", buffering=0) as stream:
            status = os.fstat(stream.fileno())
            return stream.read(), (status.st_dev, status.st_ino)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None, (0, 0)


def _is_same(path: str, inode: tuple[int, int]) -> bool:
    """Whether a path is another name of a file."""
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return (status.st_dev, status.st_ino) == inode


def _write(settings: Settings, wanted: Mapping[str, bytes], *, pairs: Sequence[tuple[str, str]]) -> None:
    """Show what differs from what is wanted, and the responses that are staged, under both of their names."""
    destination = settings.destination
    differing = [name for name, content in wanted.items() if _difference(destination / name, content)]
    for name in differing:
        _stage(f"{destination}/{name}", wanted[name])
    if differing or pairs:
        # Before any of them is seen, and once for all: a fleet's responses are some thousands.
        filesystem.sync(destination)
    for name in differing:
        os.rename(_staged(f"{destination}/{name}"), f"{destination}/{name}")

    def show(start: int) -> None:
        with authority.disk_errors(destination):
            for first, second in pairs[start : start + _BATCH]:
                _show(f"{destination}/{first}", f"{destination}/{second}")

    for _shown in each(show, range(0, len(pairs), _BATCH), processes=settings.processes, error=PkiError):
        pass


def _stage(path: str, content: bytes) -> None:
    """Write a file beside its place; what fails half-way is removed."""
    new = _staged(path)
    # A dot file that a killed run left is overwritten; web servers do not list it, and nobody asks for it.
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
    try:
        descriptor = os.open(new, flags, 0o644)
    except FileNotFoundError:
        _make_directories(Path(path).parent)
        descriptor = os.open(new, flags, 0o644)
    try:
        os.fchmod(descriptor, 0o644)
        written = os.write(descriptor, content)
        while written < len(content):
            written += os.write(descriptor, content[written:])
    except OSError:
        os.unlink(new)
        raise
    finally:
        os.close(descriptor)


def _staged(path: str) -> str:
    folder, _slash, name = path.rpartition("/")
    return f"{folder}/.{name}.new"


def _show(first: str, second: str) -> None:
    """Show a staged file under both names; the second is a link, which takes half of the time of another file."""
    os.rename(_staged(first), first)
    new = _staged(second)
    try:
        if _link(first, second):
            return
        with contextlib.suppress(FileNotFoundError):
            # A killed run left it.
            os.unlink(new)
        _link(first, new)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # Not on every file system that a web server reads from.
        _stage(second, Path(first).read_bytes())
        filesystem.sync(Path(second).parent)
    os.rename(new, second)


def _link(first: str, second: str) -> bool:
    """Give a file another name; False where there is a file of that name."""
    try:
        os.link(first, second)
    except FileExistsError:
        return False
    except FileNotFoundError:
        _make_directories(Path(second).parent)
        os.link(first, second)
    return True


# What link(2) says where it cannot, or not once more.
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)


def _make_directories(directory: Path) -> None:
    if directory.is_dir():
        return
    _make_directories(directory.parent)
    directory.mkdir(exist_ok=True)
    # Whatever the umask of the operator is: a web server reads it.
    directory.chmod(0o755)


def _remove_expired(destination: Path, answered: frozenset[str], *, now: dt.datetime) -> None:
    """Lists and responses that nobody accepts any more; those that are still asked for were replaced before."""
    for path in (destination / "crl").glob("*.crl"):
        if crl.expired(path.read_bytes(), now=now):
            path.with_name(f"{path.name}.pem").unlink(missing_ok=True)
            path.unlink()
    answers = str(destination / "ocsp")
    for folder, _folders, files in os.walk(answers, topdown=False):
        inside = folder[len(answers) - len("ocsp") :]
        removed = 0
        for name in files:
            if f"{inside}/{name}" not in answered:
                content, _inode = _open(f"{folder}/{name}")
                if content is not None and responses.expired(content, now=now):
                    os.unlink(f"{folder}/{name}")
                    removed += 1
        if removed == len(files) and folder != answers:
            with contextlib.suppress(OSError):
                os.rmdir(folder)
