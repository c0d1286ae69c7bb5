# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""The lineage store: where a certificate with its key lives, what it must satisfy, and what a new version changes."""

from __future__ import annotations

import datetime as dt
import grp
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import files, openssl
from .errors import CheckError, StoreError

STORE = "/etc/bulwark/tls"
KEY, CERTIFICATE, CHAIN, FULLCHAIN, CA, CRL, OCSP = (
    "privkey.pem",
    "cert.pem",
    "chain.pem",
    "fullchain.pem",
    "ca.pem",
    "crl.pem",
    "ocsp.der",
)
# What the lineage's own certificate verifies to, where that is not the CA of its peers: a broker with a public
# certificate whose clients have certificates of a private CA.
ROOTS = "roots.pem"
# Only while a response is judged: the CA that issued the certificate.
ISSUER = "issuer.pem"
# Which part of a service's descriptor each file belongs to.
PARTS: Mapping[str, str] = {
    KEY: "certificate",
    CERTIFICATE: "certificate",
    CHAIN: "certificate",
    FULLCHAIN: "certificate",
    ROOTS: "certificate",
    CA: "ca",
    CRL: "crl",
    OCSP: "ocsp",
}
PURPOSES: Mapping[str, tuple[str, str]] = {
    "server": ("sslserver", "TLS Web Server Authentication"),
    "client": ("sslclient", "TLS Web Client Authentication"),
}
PREVIOUS_VERSIONS = 2
# A responder dates its answers with its own clock; OpenSSL and nginx allow the same.
CLOCK_SKEW = dt.timedelta(minutes=5)

_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_SHOWN = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True)
class Refresh:
    """What the host fetches by itself, and from where when it is not what the certificate names."""

    ocsp: bool = False
    ocsp_url: str = ""
    crl: bool = False
    crl_urls: tuple[str, ...] = ()


@dataclass(frozen=True)
class Declaration:
    """What a lineage is for: who asks for it, under which names, which group reads it, and what the host fetches."""

    purpose: str
    names: tuple[str, ...]
    group: str
    refresh: Refresh = Refresh()


@dataclass(frozen=True)
class Lineage:
    """One lineage in one store."""

    store: str
    name: str

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or self.name in (".", ".."):
            raise StoreError(f"lineage: {self.name!r} is not a name; use letters, digits, '.', '_' and '-', at most 64")

    @property
    def path(self) -> str:
        """The directory of the lineage."""
        return os.path.join(self.store, self.name)

    @property
    def current(self) -> str:
        """The link to the version that is served; the same path for every version."""
        return os.path.join(self.path, "current")

    @property
    def pending_key(self) -> str:
        """The key that has no certificate yet."""
        return os.path.join(self.path, "pending", KEY)

    def version_path(self, version: str) -> str:
        """The directory of a version."""
        return os.path.join(self.path, "versions", version)

    def current_version(self) -> str:
        """The id of the version that is served; empty when there is none."""
        entry = files.observe(self.current)
        return os.path.basename(entry.target) if isinstance(entry, files.Link) else ""

    def versions(self) -> list[str]:
        """The ids of the versions on this host, oldest first."""
        directory = os.path.join(self.path, "versions")
        try:
            names = os.listdir(directory)
        except FileNotFoundError:
            return []
        return sorted(names, key=lambda name: (os.stat(os.path.join(directory, name)).st_mtime_ns, name))

    def read(self, version: str) -> dict[str, bytes]:
        """The files of a version; empty when there is none."""
        if not version:
            return {}
        found = {}
        for name in PARTS:
            entry = files.observe(os.path.join(self.version_path(version), name))
            if isinstance(entry, files.File):
                found[name] = entry.content
        return found

    def declaration(
        self, *, purpose: str | None = None, names: Sequence[str] | None = None, group: str | None = None
    ) -> Declaration:
        """What lineage.json says, with what is given in its place; StoreError when neither says what the purpose is."""
        path = os.path.join(self.path, "lineage.json")
        entry = files.observe(path)
        declared: dict[str, Any] = {}
        if isinstance(entry, files.File):
            try:
                declared = json.loads(entry.content)
            except ValueError as failure:
                raise StoreError(f"{path}: is not JSON ({failure}); run the role tls_store") from None
        purpose = str(purpose or declared.get("purpose", ""))
        if purpose not in PURPOSES:
            raise StoreError(
                f"{path}: purpose is {purpose!r}, it must be server or client; declare it in tls_store_lineages"
            )
        return Declaration(
            purpose=purpose,
            names=tuple(declared.get("names", ()) if names is None else names),
            group=group or declared.get("group", ""),
            refresh=_refresh(declared.get("refresh") or {}, source=path),
        )


def _refresh(declared: Mapping[str, Any], *, source: str) -> Refresh:
    try:
        refresh = Refresh(**{**declared, "crl_urls": tuple(declared.get("crl_urls") or ())})
    except TypeError as failure:
        raise StoreError(f"{source}: refresh is not understood ({failure}); run the role tls_store") from None
    for name, value in (("ocsp", refresh.ocsp), ("crl", refresh.crl)):
        if not isinstance(value, bool):
            raise StoreError(f"{source}: refresh.{name} is {value!r}, it must be true or false")
    return refresh


def declared_lineages(store: str) -> list[Lineage]:
    """Every lineage in the store, by name."""
    try:
        names = os.listdir(store)
    except FileNotFoundError:
        return []
    return [Lineage(store, name) for name in sorted(names) if os.path.isfile(os.path.join(store, name, "lineage.json"))]


def assemble(
    lineage: Lineage,
    *,
    certificate: bytes,
    chain: bytes,
    ca: bytes,
    roots: bytes = b"",
    crl: bytes = b"",
    ocsp: bytes = b"",
    keys: Iterable[str] = (),
) -> dict[str, bytes]:
    """The files of a new version: the key that belongs to the certificate, and the chain in the order that TLS wants.

    `roots` can be all that a system trusts: those of this chain are kept.
    CheckError when no file of `keys` holds the certificate's key or an intermediate is missing.
    """
    leaf = _leaf(lineage.name, certificate)
    source = ROOTS if roots else CA
    anchors = openssl.certificates(roots or ca, source=f"{lineage.name}/{source}")
    if not anchors:
        raise CheckError(f"{lineage.name}/{CA}: holds no certificate; give the CA certificates that peers trust as PEM")
    ordered = _ordered_chain(lineage.name, leaf, chain=chain, trusted=anchors, source=source)
    version = {
        KEY: _matching_key(lineage.name, leaf, keys),
        CERTIFICATE: leaf.pem,
        CHAIN: ordered,
        FULLCHAIN: leaf.pem + ordered,
        CA: ca,
    }
    if roots:
        version[ROOTS] = _roots_of(lineage.name, [leaf, *openssl.certificates(ordered, source=CHAIN)], anchors)
    if crl:
        version[CRL] = crl
    if ocsp:
        version[OCSP] = ocsp
    return version


def check(
    lineage: Lineage, version: Mapping[str, bytes], *, declaration: Declaration, scratch: str, now: dt.datetime
) -> None:
    """Refuse a version that a service could load but peers would not accept; `scratch` is a private directory."""
    source = f"{lineage.name}/{CERTIFICATE}"
    leaf = _leaf(lineage.name, version[CERTIFICATE])
    _check_key(lineage.name, leaf, version[KEY])
    _check_dates(source, leaf, now)
    _check_usage(source, leaf, declaration)
    _check_names(source, leaf, declaration)
    anchors = anchor_file(version)
    paths = {name: _written(scratch, name, version[name]) for name in (CERTIFICATE, CHAIN, anchors)}
    reason = openssl.verify(
        certificate=paths[CERTIFICATE],
        chain=paths[CHAIN],
        roots=paths[anchors],
        purpose=PURPOSES[declaration.purpose][0],
    )
    if reason:
        raise CheckError(
            f"{source}: does not verify to {lineage.name}/{anchors}: {reason}; give the chain and CA that issued it"
        )
    if CRL in version:
        _check_crl(lineage, version, scratch=scratch, now=now)
    if OCSP in version:
        try:
            require_good(answered(lineage, version, scratch=scratch), now=now)
        except CheckError as failure:
            raise CheckError(
                f"{lineage.name}/{OCSP}: cannot be stapled: {failure}; get a new one from the CA"
            ) from None


def answered(lineage: Lineage, version: Mapping[str, bytes], *, scratch: str) -> openssl.Ocsp:
    """What the response of a version says of its certificate; CheckError is the reason alone, where it says nothing."""
    leaf = _leaf(lineage.name, version[CERTIFICATE])
    with tempfile.TemporaryDirectory(prefix="ocsp-", dir=scratch) as directory:
        roots = version[anchor_file(version)]
        content = {OCSP: version[OCSP], CERTIFICATE: leaf.pem, CA: roots, ISSUER: issuer(lineage, version)}
        paths = {name: _written(directory, name, found) for name, found in content.items()}
        return openssl.ocsp(response=paths[OCSP], certificate=paths[CERTIFICATE], issuer=paths[ISSUER], roots=paths[CA])


def require_good(said: openssl.Ocsp, *, now: dt.datetime) -> dt.datetime:
    """Until when a response is good; CheckError is the reason alone, for one that must not be shown to peers now.

    A peer that gets a bad response ends the handshake; without one it goes on. Only a good one is better than none.
    """
    if said.status != "good":
        raise CheckError(f"it says {said.status}")
    if said.next_update is None:
        raise CheckError("it has no nextUpdate, so nobody knows until when it holds")
    if said.next_update <= now:
        raise CheckError(f"it expired at {show(said.next_update)}")
    if said.this_update > now + CLOCK_SKEW:
        raise CheckError(f"it is not valid before {show(said.this_update)}, check this host's clock")
    return said.next_update


def issuer(lineage: Lineage, version: Mapping[str, bytes]) -> bytes:
    """The certificate of the CA that issued the version's, as PEM; CheckError is the reason alone."""
    leaf = _leaf(lineage.name, version[CERTIFICATE])
    anchors = anchor_file(version)
    authorities = openssl.certificates(version[CHAIN] + version[anchors], source=f"{lineage.name}/{CHAIN}")
    for authority in authorities:
        if authority.subject == leaf.issuer:
            return authority.pem
    raise CheckError(f"the certificate of its issuer {leaf.issuer} is missing, add it to {lineage.name}/{anchors}")


def require_fresh_list(
    lineage: Lineage,
    found: openssl.Crl,
    version: Mapping[str, bytes],
    *,
    source: str,
    scratch: str,
    now: dt.datetime,
) -> None:
    """Refuse a revocation list that is not signed by a CA of the version, or not fresh: it locks out every client."""
    with tempfile.TemporaryDirectory(prefix="crl-", dir=scratch) as directory:
        path = _written(directory, CRL, found.pem)
        if not openssl.crl_signed_by(crl=path, issuer=_written(directory, CA, version[CA] + version[CHAIN])):
            raise CheckError(
                f"{source}: the list of {found.issuer} is not signed by a CA in {lineage.name}/{CA}; publish it again"
            )
    if found.next_update <= now:
        raise CheckError(f"{source}: the list of {found.issuer} expired at {show(found.next_update)}; publish it again")
    # No skew is allowed for: OpenSSL in the service does not allow for any either.
    if found.last_update > now:
        raise CheckError(
            f"{source}: the list of {found.issuer} is not valid before {show(found.last_update)}; set this host's clock"
        )


def anchor_file(version: Mapping[str, bytes]) -> str:
    """The file of a version that holds what its own certificate verifies to."""
    return ROOTS if ROOTS in version else CA


def version_id(version: Mapping[str, bytes]) -> str:
    """The name of a version: its content decides, so the same files are the same version everywhere."""
    digest = hashlib.sha256()
    for name in sorted(version):
        digest.update(f"{name}\0{len(version[name])}\0".encode() + version[name])
    return digest.hexdigest()[:16]


def changes(lineage: Lineage, version: Mapping[str, bytes], *, group: str) -> list[files.Change]:
    """What has to change on this host for `version` to be current; empty when all of it is so already."""
    identity = version_id(version)
    uid, gid = os.geteuid(), _gid(lineage, group)
    directory = lineage.version_path(identity)
    wanted = [
        files.Change(os.path.join(lineage.path, "versions"), files.Directory(0o750, uid, gid)),
        files.Change(directory, files.Directory(0o750, uid, gid)),
        *(
            files.Change(os.path.join(directory, name), files.File(version[name], 0o640, uid, gid))
            for name in sorted(version)
        ),
        files.Change(lineage.current, files.Link(os.path.join("versions", identity))),
    ]
    if not os.path.isdir(lineage.path):
        wanted.insert(0, files.Change(lineage.path, files.Directory(0o750, uid, gid)))
    pending = files.observe(lineage.pending_key)
    if isinstance(pending, files.File) and pending.content == version[KEY]:
        wanted.append(files.Change(lineage.pending_key, None))
    return [change for change in wanted if files.observe(change.path) != change.entry]


def changed_parts(old: Mapping[str, bytes], new: Mapping[str, bytes]) -> set[str]:
    """Which parts of a lineage (certificate, ca, crl, ocsp) differ between two versions."""
    return {part for name, part in PARTS.items() if old.get(name) != new.get(name)}


def superfluous(lineage: Lineage, *, successor: str) -> list[str]:
    """The directories that nobody goes back to once `successor` is current: too old, or rolled back from."""
    versions = lineage.versions()
    current = lineage.current_version()
    position = versions.index(current) + 1 if current in versions else len(versions)
    past, undone = versions[:position], versions[position:]
    if successor in past:
        return []
    gone = past[:-PREVIOUS_VERSIONS] + [version for version in undone if version != successor]
    return [lineage.version_path(version) for version in gone]


def previous_version(lineage: Lineage) -> str:
    """The newest version older than the current one; StoreError when there is none to go back to."""
    versions = lineage.versions()
    current = lineage.current_version()
    older = versions[: versions.index(current)] if current in versions else []
    if not older:
        raise StoreError(f"{lineage.path}: has no version before {current or 'the first'} to go back to")
    return older[-1]


def facts(version: Mapping[str, bytes], *, source: str) -> dict[str, Any]:
    """Serial, end and names of a version's certificate, for results and diffs; empty without one."""
    if CERTIFICATE not in version:
        return {}
    leaf = _leaf(source, version[CERTIFICATE])
    return {
        "serial": leaf.serial,
        "not_after": show(leaf.not_after),
        "names": list(leaf.names),
        "issuer": leaf.issuer,
        "crl": hashlib.sha256(version[CRL]).hexdigest() if CRL in version else "",
        "ca": hashlib.sha256(version[CA]).hexdigest() if CA in version else "",
        **({"roots": hashlib.sha256(version[ROOTS]).hexdigest()} if ROOTS in version else {}),
        "ocsp": hashlib.sha256(version[OCSP]).hexdigest() if OCSP in version else "",
    }


def list_facts(lineage: Lineage, version: Mapping[str, bytes]) -> list[dict[str, str]]:
    """Issuer and end of each revocation list of a version."""
    return [
        {"issuer": item.issuer, "next_update": show(item.next_update)}
        for item in openssl.crls(version.get(CRL, b""), source=f"{lineage.name}/{CRL}")
    ]


def response_facts(lineage: Lineage, version: Mapping[str, bytes], *, now: dt.datetime) -> dict[str, str]:
    """Until when the stapled response of a version is good, or what is wrong with it; empty without one."""
    if OCSP not in version:
        return {}
    said, problem = response(lineage, version, now=now)
    good = said.next_update if said and not problem else None
    return {"next_update": show(good) if good else "", "problem": problem}


def response(lineage: Lineage, version: Mapping[str, bytes], *, now: dt.datetime) -> tuple[openssl.Ocsp | None, str]:
    """What the response of a version says, None where it says nothing, and why it is not good; empty if it is."""
    said = None
    with tempfile.TemporaryDirectory(prefix="bulwark-status-") as scratch:
        try:
            said = answered(lineage, version, scratch=scratch)
            require_good(said, now=now)
        except CheckError as failure:
            return said, str(failure)
    return said, ""


def _leaf(name: str, pem: bytes) -> openssl.Certificate:
    found = openssl.certificates(pem, source=f"{name}/{CERTIFICATE}")
    if not found:
        raise CheckError(f"{name}/{CERTIFICATE}: holds no certificate; give the certificate as PEM")
    return found[0]


def _matching_key(name: str, leaf: openssl.Certificate, paths: Iterable[str]) -> bytes:
    tried = []
    for path in paths:
        entry = files.observe(os.path.realpath(path))
        if isinstance(entry, files.File):
            if openssl.public_key(entry.content, source=path) == leaf.public_key:
                return entry.content
            tried.append(path)
    if not tried:
        raise CheckError(
            f"{name}/{KEY}: there is no key on this host; run bulwark.mqtt.pki_request first, or give one as key"
        )
    raise CheckError(
        f"{' and '.join(tried)}: does not match {name}/{CERTIFICATE} (serial {leaf.serial});"
        " request a certificate for this key"
    )


def _ordered_chain(
    name: str, leaf: openssl.Certificate, *, chain: bytes, trusted: Iterable[openssl.Certificate], source: str
) -> bytes:
    """The intermediates from the issuer of the leaf upwards, without roots; what does not belong is left out."""
    given = {certificate.subject: certificate for certificate in openssl.certificates(chain, source=f"{name}/{CHAIN}")}
    anchors = {certificate.subject: certificate for certificate in trusted}
    ordered: list[bytes] = []
    below = leaf
    while not below.self_issued:
        above = given.pop(below.issuer, None)
        if above is None:
            if anchors.get(below.issuer, leaf).self_issued:
                break
            raise CheckError(
                f"{name}/{CHAIN}: the intermediate certificate {below.issuer}, issuer of {below.subject}, is missing;"
                f" add it to the chain, or to {name}/{source} if it is a root"
            )
        if above.self_issued:
            break
        ordered.append(above.pem)
        below = above
    return b"".join(ordered)


def _roots_of(name: str, path: Sequence[openssl.Certificate], anchors: Iterable[openssl.Certificate]) -> bytes:
    """The anchors that a chain can end in: its top's issuer, or below it one that another CA has signed as well."""
    issuers = {certificate.issuer for certificate in path}
    found = sorted({anchor.pem for anchor in anchors if anchor.subject in issuers})
    if not found:
        raise CheckError(
            f"{name}/{ROOTS}: holds no certificate of {path[-1].issuer}, which issued {path[-1].subject};"
            " add the root of that CA"
        )
    return b"".join(found)


def _check_key(name: str, leaf: openssl.Certificate, key: bytes) -> None:
    if openssl.public_key(key, source=f"{name}/{KEY}") != leaf.public_key:
        raise CheckError(
            f"{name}/{KEY}: does not match {name}/{CERTIFICATE} (serial {leaf.serial}); give the key that was certified"
        )


def _check_dates(source: str, leaf: openssl.Certificate, now: dt.datetime) -> None:
    if leaf.not_after <= now:
        raise CheckError(f"{source}: expired at {show(leaf.not_after)}; issue a new certificate")
    if leaf.not_before > now:
        raise CheckError(f"{source}: is not valid before {show(leaf.not_before)}; set this host's clock, or wait")


def _check_usage(source: str, leaf: openssl.Certificate, declaration: Declaration) -> None:
    usage = PURPOSES[declaration.purpose][1]
    if leaf.usages and usage not in leaf.usages:
        raise CheckError(
            f"{source}: its extended key usage is {', '.join(leaf.usages)}, a {declaration.purpose} needs {usage};"
            f" issue it with the {declaration.purpose} profile"
        )


def _check_names(source: str, leaf: openssl.Certificate, declaration: Declaration) -> None:
    missing = [name for name in declaration.names if not any(openssl.covers(pattern, name) for pattern in leaf.names)]
    if missing:
        raise CheckError(
            f"{source}: does not cover {', '.join(missing)} (it is for {', '.join(leaf.names) or 'no name'});"
            " issue it for the names of the lineage, or correct tls_store_lineages"
        )


def _check_crl(lineage: Lineage, version: Mapping[str, bytes], *, scratch: str, now: dt.datetime) -> None:
    source = f"{lineage.name}/{CRL}"
    found = openssl.crls(version[CRL], source=source)
    if not found:
        raise CheckError(f"{source}: holds no revocation list; give it as PEM")
    for item in found:
        require_fresh_list(lineage, item, version, source=source, scratch=scratch, now=now)


def _written(directory: str, name: str, content: bytes) -> str:
    path = os.path.join(directory, name)
    files.create(path, files.File(content, 0o600, os.geteuid(), os.getegid()))
    return path


def _gid(lineage: Lineage, group: str) -> int:
    """The group that reads the key; an unprivileged user's own where the lineage is in a directory of theirs."""
    if not group:
        return os.getegid()
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        raise StoreError(f"{lineage.path}: there is no group {group} on this host; run the role tls_store") from None


def show(when: dt.datetime) -> str:
    """A moment in UTC to the second, as RFC 3339 writes it."""
    return when.strftime(_SHOWN)


def moment(shown: str) -> dt.datetime:
    """The moment that `show` wrote."""
    return dt.datetime.strptime(shown, _SHOWN).replace(tzinfo=dt.timezone.utc)
