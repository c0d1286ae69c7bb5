# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.

"""Issuing a batch: for each request the certificate it already has, or a new one and the reasons."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from . import authority, build, certificates, keys, ledger, lifetimes, names, profiles, template
from .drift import drift
from .errors import PkiError, RefusedNameError, RefusedRequestError
from .passphrase import Source

with contextlib.suppress(ImportError):  # _module.py says what is missing
    from cryptography import x509


@dataclass(frozen=True)
class Request:
    """A certificate that is asked for; of its signing request, empty without a key, only the public key counts."""

    name: str
    profile: str
    common_name: str | None
    names: tuple[str, ...]
    csr: str
    key_type: str | None = None


@dataclass(frozen=True)
class Policy:
    """What the CA decides and a request cannot."""

    lifetimes: Mapping[str, dt.timedelta]
    urls: build.Urls = field(default_factory=build.Urls)


@dataclass(frozen=True)
class Result:
    """The certificate for a request, None when it would be issued; the reasons are empty when it was there already."""

    name: str
    certificate: x509.Certificate | None
    reasons: tuple[str, ...]

    @property
    def issued(self) -> bool:
        """Whether the certificate is new, or would be."""
        return bool(self.reasons)


@dataclass(frozen=True)
class _Candidate:
    name: str
    spec: build.Spec
    public_key: keys.PublicKey | None


def plan(
    authority_: authority.Authority | None, requests: Sequence[Request], *, policy: Policy, now: dt.datetime
) -> list[Result]:
    """What `issue` would do, with nothing signed; RefusedRequestError names every request that cannot be granted.

    Without an authority, which is created in the same run, there can be no certificate yet.
    """
    candidates = _check(authority_, requests, policy=policy)
    if authority_ is None:
        return [
            Result(name=candidate.name, certificate=None, reasons=("there is no CA yet",)) for candidate in candidates
        ]
    with authority_.open_ledger() as book:
        return _look_up_all(book, candidates, now=now)


def issue(
    authority_: authority.Authority,
    requests: Sequence[Request],
    *,
    policy: Policy,
    passphrase: Source,
    now: dt.datetime,
) -> list[Result]:
    """The certificate of each request, in order; all new ones are recorded in the ledger, or none is issued.

    The key of the CA is opened only when something has to be signed.
    """
    candidates = _check(authority_, requests, policy=policy)
    keyless = [candidate.name for candidate in candidates if candidate.public_key is None]
    if keyless:
        raise RefusedRequestError(
            f"{', '.join(keyless)}: the signing request is empty; make one with pki_request, not in check mode"
        )
    with authority_.open_ledger() as book:
        results = _look_up_all(book, candidates, now=now)
        if not any(result.issued for result in results):
            return results
        with authority.locked(authority_.directory):
            # Another run may have issued them while this one waited.
            results = _look_up_all(book, candidates, now=now)
            return _sign_due(authority_, book, candidates, results, passphrase=passphrase, now=now)


def _check(authority_: authority.Authority | None, requests: Sequence[Request], *, policy: Policy) -> list[_Candidate]:
    problems = [
        f"{name}: asked for {count} times" for name, count in Counter(r.name for r in requests).items() if count > 1
    ]
    candidates = []
    for request in requests:
        try:
            candidates.append(_candidate(authority_, request, policy=policy))
        except PkiError as error:
            problems.append(f"{request.name}: {error}")
    problems.extend(_shared_keys(candidates))
    if problems:
        raise RefusedRequestError("; ".join(problems))
    return candidates


def _candidate(authority_: authority.Authority | None, request: Request, *, policy: Policy) -> _Candidate:
    leaf = build.leaf_spec(profile=request.profile, common_name=request.common_name, alternative_names=request.names)
    if authority_:
        leaf = within(leaf, authority_.issuing, given=bool(request.names))
    spec = leaf._replace(
        lifetime=policy.lifetimes.get(leaf.profile.name, leaf.profile.lifetime),
        issuer_key_id=authority_.issuing.key_id if authority_ else None,
        urls=policy.urls if leaf.profile.name in profiles.ANSWERED else replace(policy.urls, ocsp=""),
    )
    return _Candidate(name=request.name, spec=spec, public_key=_public_key(request))


def within(leaf: build.Spec, issuing: authority.Ca, *, given: bool) -> build.Spec:
    """What the CA may certify of it; RefusedNameError for names outside of its name constraints.

    A client whose common name is no host name gets it as a URN: as a DNS name it would be outside.
    """
    permitted = certificates.constraints(issuing.certificate)
    if not permitted:
        return leaf
    if not given and leaf.profile.name == "client" and "." not in leaf.common_name:
        leaf = leaf._replace(names=names.as_urn(leaf.common_name))
    outside = permitted.outside(leaf.names)
    # OpenSSL and others take a common name with a dot for a host name where no DNS name is beside it.
    if not leaf.names.dns and "." in leaf.common_name and not permitted.permit_dns(leaf.common_name):
        outside.append(leaf.common_name)
    if outside:
        raise RefusedNameError(
            f"{issuing.name} may not certify {', '.join(outside)}: its name constraints permit {permitted}; ask for "
            "other names, or roll over to an issuing CA that may"
        )
    return leaf


def _public_key(request: Request) -> keys.PublicKey | None:
    if not request.csr:
        return None
    public_key = build.public_key_of_request(request.csr)
    if request.key_type and keys.type_of(public_key) != request.key_type:
        raise RefusedRequestError(f"its key is of type {keys.type_of(public_key)}, key_type is {request.key_type}")
    return public_key


def _shared_keys(candidates: Sequence[_Candidate]) -> list[str]:
    """Hosts cloned from one image ask with one key; each would hold what identifies the other."""
    owners: dict[str, set[str]] = {}
    for candidate in candidates:
        if candidate.public_key is not None:
            owners.setdefault(keys.fingerprint(candidate.public_key), set()).add(candidate.name)
    return [
        f"{' and '.join(sorted(sharing))}: they use the same key; remove it on all but one"
        for sharing in owners.values()
        if len(sharing) > 1
    ]


def _look_up_all(book: ledger.Ledger, candidates: Sequence[_Candidate], *, now: dt.datetime) -> list[Result]:
    """What the ledger has for each; RefusedRequestError names every one whose key somebody else may have."""
    problems = [
        f"{candidate.name}: {compromised(record.serial, record.revoked_at)}"
        for candidate in candidates
        if candidate.public_key is not None
        for record in book.find(ledger.Filter(key=keys.fingerprint(candidate.public_key), reason="key_compromise"))[:1]
        if record.revoked_at is not None
    ]
    if problems:
        raise RefusedRequestError("; ".join(problems))
    return [_look_up(book, candidate, now=now) for candidate in candidates]


def compromised(serial: str, revoked_at: dt.datetime) -> str:
    """Why a key is not certified any more, whose certificate with this serial was revoked for that."""
    return (
        f"its key is compromised, certificate {serial} was revoked for that at {lifetimes.show(revoked_at)}; "
        "remove the key where it is used, so that a new one is made"
    )


def _look_up(book: ledger.Ledger, candidate: _Candidate, *, now: dt.datetime) -> Result:
    if candidate.public_key is None:
        return Result(name=candidate.name, certificate=None, reasons=("there is no key yet",))
    known = book.newest(key=keys.fingerprint(candidate.public_key), profile=candidate.spec.profile.name)
    if known is None:
        return Result(name=candidate.name, certificate=None, reasons=(_why_none(book, candidate),))
    reasons = tuple(drift(known, candidate.spec, now=now))
    return Result(name=candidate.name, certificate=None if reasons else known, reasons=reasons)


def _why_none(book: ledger.Ledger, candidate: _Candidate) -> str:
    key = keys.fingerprint(candidate.public_key) if candidate.public_key is not None else ""
    issued = book.issued("key", [key], profile=candidate.spec.profile.name).get(key)
    if not issued:
        return "no certificate was issued for this key yet"
    return f"certificate {issued[-1].serial} was revoked ({issued[-1].reason})"


def _sign_due(
    authority_: authority.Authority,
    book: ledger.Ledger,
    candidates: Sequence[_Candidate],
    results: Sequence[Result],
    *,
    passphrase: Source,
    now: dt.datetime,
) -> list[Result]:
    if not any(result.issued for result in results):
        return list(results)
    book.check_clock(now)
    signer = authority_.signer(passphrase)
    forms: dict[object, template.Template] = {}
    complete, rows = [], []
    for candidate, result in zip(candidates, results):
        if result.issued and candidate.public_key is not None:
            spec = candidate.spec
            kind = (spec.profile.name, spec.lifetime, spec.urls)
            if kind not in forms:
                forms[kind] = template.Template(spec, signer.certificate, now=now)
            subject = template.Subject(spec.common_name, spec.names, keys.info(candidate.public_key))
            (row,) = forms[kind].issue(signer.key, [subject])
            rows.append(row)
            certificate = x509.load_der_x509_certificate(row.der)
            complete.append(Result(name=result.name, certificate=certificate, reasons=result.reasons))
        else:
            complete.append(result)
    book.record(rows)
    return complete
