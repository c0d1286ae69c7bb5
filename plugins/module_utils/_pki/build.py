# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.

"""Building certificates and signing requests (RFC 5280): values in, signed objects out, the clock passed in."""

from __future__ import annotations

import contextlib
import datetime as dt
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from . import certificates, keys, lifetimes, profiles
from .errors import AuthorityError, RefusedRequestError
from .names import Constraints, Names, check_common_name, of_common_name, parse

with contextlib.suppress(ImportError):  # _module.py says what is missing
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

# A device whose clock is behind refuses a certificate that starts now. One hour is what public CAs backdate by
# (Let's Encrypt: notBefore is one hour before issuance).
BACKDATE = dt.timedelta(hours=1)

_KEY_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


@dataclass(frozen=True)
class Urls:
    """Where the world finds what belongs to a certificate; an empty one is left out."""

    ocsp: str = ""
    ca_issuers: str = ""
    crl: str = ""


def urls_below(base: str, issuer: str, *, answered: bool) -> Urls:
    """Where the files about a certificate of this CA are when what is published is served at `base`, none for ''."""
    if not base:
        return Urls()
    return Urls(
        ocsp=f"{base}/ocsp" if answered else "",
        ca_issuers=f"{base}/ca/{issuer}.crt",
        crl=f"{base}/crl/{issuer}.crl",
    )


# A tuple, as Names is.
class Spec(NamedTuple):
    """What a certificate should be; `drift` compares one with it, `None` there means: any will do."""

    profile: profiles.Profile
    common_name: str
    names: Names = Names()
    organization: str = ""
    lifetime: dt.timedelta | None = None
    key_type: str | None = None
    issuer_key_id: str | None = None
    urls: Urls | None = None
    # Of a CA: what it may certify; empty for anything.
    constraints: Constraints = Constraints()


@dataclass(frozen=True)
class Signer:
    """A CA that can sign: its certificate and its key."""

    certificate: x509.Certificate
    key: keys.PrivateKey


def leaf_spec(
    *, profile: str, common_name: str | None, alternative_names: Sequence[str], key_type: str | None = None
) -> Spec:
    """What a leaf should be: its common name is the first of its names unless given, and its name when it has no other.

    RefusedNameError for what may not be a name.
    """
    common_name = check_common_name(common_name or (alternative_names[0] if alternative_names else ""))
    return Spec(
        profile=profiles.get(profile, among=profiles.REQUESTABLE),
        common_name=common_name,
        names=parse(alternative_names) or of_common_name(common_name),
        key_type=key_type,
    )


def root(spec: Spec, key: keys.PrivateKey, *, now: dt.datetime) -> x509.Certificate:
    """A self-signed root certificate for this key."""
    start, end = _validity(spec, now=now)
    subject = _subject(spec)
    return (
        _builder(spec, key.public_key(), subject=subject, issuer=subject, issuer_key=key.public_key())
        .not_valid_before(start)
        .not_valid_after(end)
        .sign(key, keys.signature_hash(key))
    )


def certificate(spec: Spec, public_key: keys.PublicKey, signer: Signer, *, now: dt.datetime) -> x509.Certificate:
    """A certificate for this public key, of an issuing CA or of a leaf, never valid longer than its issuer.

    AuthorityError when the issuer itself is not valid now.
    """
    unsigned_ = unsigned(spec, public_key, signer.certificate, now=now)
    return unsigned_.sign(signer.key, keys.signature_hash(signer.key))


def unsigned(
    spec: Spec, public_key: keys.PublicKey, issuer: x509.Certificate, *, now: dt.datetime
) -> x509.CertificateBuilder:
    """What `certificate` signs; AuthorityError as there."""
    start, end = _validity(spec, now=now)
    issuer_start, issuer_end = certificates.not_before(issuer), certificates.not_after(issuer)
    if not issuer_start <= now < issuer_end:
        raise AuthorityError(
            f"{certificates.common_name(issuer)} cannot issue at {lifetimes.show(now)}: it is valid from "
            f"{lifetimes.show(issuer_start)} to {lifetimes.show(issuer_end)}; check the clock, or replace the CA"
        )
    builder = _builder(
        spec,
        public_key,
        subject=_subject(spec),
        issuer=issuer.subject,
        issuer_key=keys.check_public(issuer.public_key()),
    )
    return builder.not_valid_before(max(start, issuer_start)).not_valid_after(min(end, issuer_end))


def request(spec: Spec, key: keys.PrivateKey) -> x509.CertificateSigningRequest:
    """A signing request (RFC 2986); it proves the possession of the key, its names are for the reader only."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(_subject(spec))
    if spec.names:
        builder = builder.add_extension(_alternative_names(spec.names), critical=False)
    return builder.sign(key, keys.signature_hash(key))


def public_key_of_request(pem: str) -> keys.PublicKey:
    """The public key of a signing request, all of it that is believed; RefusedRequestError when its signature lies."""
    try:
        csr = x509.load_pem_x509_csr(pem.encode())
        genuine = csr.is_signature_valid
        public_key = csr.public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise RefusedRequestError("the signing request cannot be read: give one in PEM form (PKCS#10)") from error
    if not genuine:
        raise RefusedRequestError("the signature of the signing request does not match its key: make a new request")
    return keys.check_public(public_key)


def _validity(spec: Spec, *, now: dt.datetime) -> tuple[dt.datetime, dt.datetime]:
    # X.509 has whole seconds; the end is the last second that is still valid (RFC 5280, 4.1.2.5).
    now = now.replace(microsecond=0)
    return now - BACKDATE, now + (spec.lifetime or spec.profile.lifetime) - dt.timedelta(seconds=1)


def _subject(spec: Spec) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, spec.common_name)]
    if spec.organization:
        attributes.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, spec.organization))
    return x509.Name(attributes)


def _builder(
    spec: Spec,
    public_key: keys.PublicKey,
    *,
    subject: x509.Name,
    issuer: x509.Name,
    issuer_key: keys.PublicKey,
) -> x509.CertificateBuilder:
    profile = spec.profile
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(certificates.random_serial())
        .add_extension(x509.BasicConstraints(ca=profile.is_ca, path_length=profile.path_length), critical=True)
        .add_extension(x509.KeyUsage(**{usage: usage in profile.key_usage for usage in _KEY_USAGES}), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), critical=False)
    )
    if profile.extended:
        usages = [x509.ObjectIdentifier(oid) for oid in profile.extended]
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    if profile.ocsp_no_check:
        builder = builder.add_extension(x509.OCSPNoCheck(), critical=False)
    if spec.names:
        builder = builder.add_extension(_alternative_names(spec.names), critical=False)
    if spec.constraints:
        builder = builder.add_extension(_name_constraints(spec.constraints), critical=True)
    return _with_urls(builder, spec.urls or Urls())


def _name_constraints(wanted: Constraints) -> x509.NameConstraints:
    # Kinds of names that are not listed are not restricted (RFC 5280, 4.2.1.10): no network is all networks, so
    # without one every address is excluded.
    everything = () if wanted.networks else ("0.0.0.0/0", "::/0")
    permitted = [
        *(x509.DNSName(name) for name in wanted.dns),
        *(x509.IPAddress(ipaddress.ip_network(network)) for network in wanted.networks),
    ]
    excluded = [x509.IPAddress(ipaddress.ip_network(network)) for network in everything]
    return x509.NameConstraints(permitted_subtrees=permitted, excluded_subtrees=excluded or None)


def _alternative_names(wanted: Names) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName(
        [
            *(x509.DNSName(name) for name in wanted.dns),
            *(x509.IPAddress(ipaddress.ip_address(address)) for address in wanted.addresses),
            *(x509.UniformResourceIdentifier(uri) for uri in wanted.uris),
        ]
    )


def _with_urls(builder: x509.CertificateBuilder, urls: Urls) -> x509.CertificateBuilder:
    methods = (
        (AuthorityInformationAccessOID.OCSP, urls.ocsp),
        (AuthorityInformationAccessOID.CA_ISSUERS, urls.ca_issuers),
    )
    descriptions = [
        x509.AccessDescription(method, x509.UniformResourceIdentifier(url)) for method, url in methods if url
    ]
    if descriptions:
        builder = builder.add_extension(x509.AuthorityInformationAccess(descriptions), critical=False)
    if urls.crl:
        point = x509.DistributionPoint([x509.UniformResourceIdentifier(urls.crl)], None, None, None)
        builder = builder.add_extension(x509.CRLDistributionPoints([point]), critical=False)
    return builder
