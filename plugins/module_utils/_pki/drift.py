# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.

"""Why a certificate has to be issued again."""

from __future__ import annotations

import contextlib
import datetime as dt

from . import certificates, keys, lifetimes
from .build import BACKDATE, Spec
from .names import as_urn, of_common_name
from .profiles import EXTENDED_NAMES

with contextlib.suppress(ImportError):  # _module.py says what is missing
    from cryptography import x509


def drift(certificate: x509.Certificate, spec: Spec, *, now: dt.datetime) -> list[str]:
    """Every reason to issue the certificate again; an empty list means: keep it."""
    return [
        *age(certificates.not_before(certificate), certificates.not_after(certificate), spec, now=now),
        *_subject(certificate, spec),
        *_names(certificate, spec),
        *_key(certificate, spec),
        *_usage(certificate, spec),
        *_issuer(certificate, spec),
        *_urls(certificate, spec),
        *_constraints(certificate, spec),
    ]


def age(start: dt.datetime, end: dt.datetime, spec: Spec, *, now: dt.datetime) -> list[str]:
    """The reasons among those of `drift` that the validity of a certificate gives."""
    return [*_renewal(start, end, now=now), *_lifetime(start, end, spec)]


def _renewal(start: dt.datetime, end: dt.datetime, *, now: dt.datetime) -> list[str]:
    if now < start:
        return [f"not valid before {lifetimes.show(start)}"]
    if now > end:
        return [f"expired at {lifetimes.show(end)}"]
    # By fraction, so that six days and a year both leave time for what goes wrong (certbot does so since 4.0).
    if (end - now) * 3 <= end - start - BACKDATE:
        return [f"one third of the lifetime or less is left: it expires at {lifetimes.show(end)}"]
    return []


def _lifetime(start: dt.datetime, end: dt.datetime, spec: Spec) -> list[str]:
    """A lifetime that was shortened is a policy and holds now; a longer one can wait for the next renewal."""
    if spec.lifetime is None:
        return []
    actual = end - start
    wanted = spec.lifetime + BACKDATE
    if actual <= wanted:
        return []
    actual_text = lifetimes.written(actual - BACKDATE + dt.timedelta(seconds=1))
    return [f"it is valid for {actual_text}, longer than {lifetimes.written(spec.lifetime)}"]


def _subject(certificate: x509.Certificate, spec: Spec) -> list[str]:
    return [
        *_differs("common name", certificates.common_name(certificate), spec.common_name),
        *_differs("organization", certificates.organization(certificate), spec.organization),
    ]


def _names(certificate: x509.Certificate, spec: Spec) -> list[str]:
    actual = certificates.alternative_names(certificate)
    # Who asks does not know whether the CA has name constraints, for which it gives a client's name as a URN.
    if actual == as_urn(spec.common_name) and spec.names == of_common_name(spec.common_name):
        return []
    return _differs("names", str(actual), str(spec.names))


def _key(certificate: x509.Certificate, spec: Spec) -> list[str]:
    if spec.key_type is None:
        return []
    return _differs("key type", keys.type_of(certificate.public_key()), spec.key_type)


def _usage(certificate: x509.Certificate, spec: Spec) -> list[str]:
    actual = ", ".join(EXTENDED_NAMES.get(oid, oid) for oid in certificates.extended_usage(certificate))
    wanted = ", ".join(EXTENDED_NAMES[oid] for oid in sorted(spec.profile.extended))
    return [
        *_differs("key usage", ", ".join(certificates.key_usage(certificate)), ", ".join(spec.profile.key_usage)),
        *_differs("extended key usage", actual, wanted),
    ]


def _issuer(certificate: x509.Certificate, spec: Spec) -> list[str]:
    if spec.issuer_key_id is None or certificates.issuer_key_id(certificate) == spec.issuer_key_id:
        return []
    return ["another CA issued it"]


def _urls(certificate: x509.Certificate, spec: Spec) -> list[str]:
    if spec.urls is None:
        return []
    actual = certificates.access_urls(certificate)
    wanted = {"ocsp": spec.urls.ocsp, "ca_issuers": spec.urls.ca_issuers, "crl": spec.urls.crl}
    return [reason for kind, url in wanted.items() for reason in _differs(f"{kind} URL", ", ".join(actual[kind]), url)]


def _constraints(certificate: x509.Certificate, spec: Spec) -> list[str]:
    if not spec.profile.is_ca:
        return []
    return _differs("name constraint", str(certificates.constraints(certificate)), str(spec.constraints))


def _differs(what: str, actual: str, wanted: str) -> list[str]:
    if actual == wanted:
        return []
    return [f"{what} differ{'' if what == 'names' else 's'}: it has {actual or 'none'}, wanted is {wanted or 'none'}"]
