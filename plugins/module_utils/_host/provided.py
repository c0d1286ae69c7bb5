# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""Certificates that somebody bought: PEM in any order, or PKCS#12, with the key that came with them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from . import lineage, openssl
from .errors import CheckError

# From when on public CAs issue for how many days at most (CA/Browser Forum, Baseline Requirements 6.3.2).
LIMITS: Sequence[tuple[dt.date, int]] = (
    (dt.date(2026, 3, 15), 200),
    (dt.date(2027, 3, 15), 100),
    (dt.date(2029, 3, 15), 47),
)


@dataclass(frozen=True)
class Provided:
    """What was found in what was given."""

    certificate: bytes
    chain: bytes
    key: bytes
    lifetime: dt.timedelta
    not_before: dt.datetime
    not_after: str = ""


def from_pkcs12(content: bytes, *, passphrase: str, source: str) -> tuple[bytes, bytes]:
    """Certificates and key of a PKCS#12 file, as PEM; CheckError names `source` when it cannot be opened."""
    said = openssl.pkcs12(content, passphrase=passphrase, source=source)
    keys = openssl.blocks(said, "PRIVATE KEY")
    if len(keys) != 1:
        raise CheckError(f"{source}: holds {len(keys)} private keys; export it with the one of the certificate")
    return b"".join(openssl.blocks(said, "CERTIFICATE")), keys[0]


def sort(certificates: bytes, *, key: bytes, passphrase: str, source: str) -> Provided:
    """The key's certificate apart from all others, in whatever order they were given."""
    plain = openssl.plain_key(key, passphrase=passphrase, source=source) if b"ENCRYPTED" in key else key
    public = openssl.public_key(plain, source=source)
    given = openssl.certificates(certificates, source=source)
    own = [certificate for certificate in given if certificate.public_key == public]
    if not own:
        found = ", ".join(certificate.subject for certificate in given) or "none"
        raise CheckError(f"{source}: no certificate belongs to the private key (certificates: {found}); give its own")
    # One that was issued again for the same key: the one that lasts longest.
    leaf = max(own, key=lambda certificate: certificate.not_after)
    return Provided(
        certificate=leaf.pem,
        chain=b"".join(certificate.pem for certificate in given if certificate not in own),
        key=plain,
        lifetime=leaf.not_after - leaf.not_before,
        not_before=leaf.not_before,
        not_after=lineage.facts({lineage.CERTIFICATE: leaf.pem}, source=source)["not_after"],
    )


def lifetime_note(found: Provided) -> str:
    """What today's limits of public CAs say of a certificate that is valid for longer; empty when they allow it."""
    allowed = [days for since, days in LIMITS if found.not_before.date() >= since]
    if not allowed or found.lifetime <= dt.timedelta(days=allowed[-1]):
        return ""
    limits = ", ".join(f"{days} from {since}" for since, days in LIMITS)
    return (
        f"it is valid for {found.lifetime.days} days, which no public CA may issue (at most {limits}): who enforces"
        " that refuses it; a private CA's is fine"
    )
