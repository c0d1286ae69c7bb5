# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.

"""The certificate profiles: what a certificate of each kind may be used for, how long, and with which key."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from .errors import PkiError

# RFC 5280, 4.2.1.12.
SERVER_AUTH = "1.3.6.1.5.5.7.3.1"
CLIENT_AUTH = "1.3.6.1.5.5.7.3.2"
OCSP_SIGNING = "1.3.6.1.5.5.7.3.9"

EXTENDED_NAMES = {SERVER_AUTH: "serverAuth", CLIENT_AUTH: "clientAuth", OCSP_SIGNING: "OCSPSigning"}


@dataclass(frozen=True)
class Profile:
    """What all certificates of one kind have in common."""

    name: str
    lifetime: dt.timedelta
    key_usage: tuple[str, ...]
    extended: tuple[str, ...] = ()
    is_ca: bool = False
    path_length: int | None = None
    # RFC 6960, 4.2.2.2.1: the responses that this certificate signs cannot be asked about its own revocation.
    ocsp_no_check: bool = False
    key_type: str = "ec-p256"


# digitalSignature alone for the leaves: every suite of the TLS policy is ephemeral, so no key ever decrypts.
_LEAF_USAGE = ("digital_signature",)
_CA_USAGE = ("key_cert_sign", "crl_sign")

PROFILES = {
    profile.name: profile
    for profile in (
        # No path length: it would keep a successor from being certified by this root, since that has a CA below it.
        Profile(name="root", lifetime=dt.timedelta(days=7300), key_usage=_CA_USAGE, is_ca=True),
        # A root, certified by the one before it.
        Profile(name="cross", lifetime=dt.timedelta(days=7300), key_usage=_CA_USAGE, is_ca=True, path_length=1),
        Profile(name="issuing", lifetime=dt.timedelta(days=1825), key_usage=_CA_USAGE, is_ca=True, path_length=0),
        Profile(name="server", lifetime=dt.timedelta(days=90), key_usage=_LEAF_USAGE, extended=(SERVER_AUTH,)),
        # A device may be off for a season; with a third of the lifetime left, it still has four months to come back.
        Profile(name="client", lifetime=dt.timedelta(days=365), key_usage=_LEAF_USAGE, extended=(CLIENT_AUTH,)),
        Profile(
            name="ocsp_signer",
            lifetime=dt.timedelta(days=30),
            key_usage=_LEAF_USAGE,
            extended=(OCSP_SIGNING,),
            ocsp_no_check=True,
        ),
        # Each node of a cluster dials the others and is dialled by them.
        Profile(
            name="cluster_node",
            lifetime=dt.timedelta(days=90),
            key_usage=_LEAF_USAGE,
            extended=(CLIENT_AUTH, SERVER_AUTH),
        ),
    )
}

CAS = tuple(profile.name for profile in PROFILES.values() if profile.is_ca)

# What may be asked for; the others are made by the authority itself.
REQUESTABLE = ("server", "client", "cluster_node")

# Whose revocation is answered by OCSP, since they can staple the answer; clients are on the revocation list alone.
ANSWERED = ("server", "cluster_node")


def get(name: str, *, among: Iterable[str] = tuple(PROFILES)) -> Profile:
    """The profile of that name; PkiError when it is not among those that may be used here."""
    choices = tuple(among)
    if name not in choices:
        raise PkiError(f"profile {name!r} is unknown: use one of {', '.join(choices)}")
    return PROFILES[name]
