# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""The one table of TLS protocols, cipher suites and groups, rendered for each server software.

The profiles are those of Mozilla's guideline 6.0 (wiki.mozilla.org/Security/Server_Side_TLS).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable

from ._stack import StackError, capabilities

_HYBRID_GROUP = "X25519MLKEM768"


class PolicyError(ValueError):
    """A profile, software or version that the table does not know."""


@dataclass(frozen=True)
class Profile:
    """Versions from old to new, and OpenSSL's names of suites and groups in order of preference."""

    versions: tuple[str, ...]
    ciphersuites: tuple[str, ...]
    ciphers: tuple[str, ...]
    groups: tuple[str, ...]


_SUITES_1_3 = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
_CIPHERS_1_2 = (
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
)
_GROUPS = (_HYBRID_GROUP, "X25519", "prime256v1", "secp384r1")

PROFILES = {
    # No handshake of `modern` uses its TLS 1.2 list: it is there because servers refuse an empty one or, without one,
    # take their own.
    "modern": Profile(versions=("TLSv1.3",), ciphersuites=_SUITES_1_3, ciphers=_CIPHERS_1_2, groups=_GROUPS),
    "intermediate": Profile(
        versions=("TLSv1.2", "TLSv1.3"), ciphersuites=_SUITES_1_3, ciphers=_CIPHERS_1_2, groups=_GROUPS
    ),
}

Policy = dict[str, object]


def policy(*, profile: str, software: str, openssl: str | None) -> Policy:
    """The profile in the software's own words.

    Always: `minimum_protocol`, `ciphers` (TLS 1.2 and earlier), `ciphersuites` (TLS 1.3) and `groups`, as OpenSSL
    writes them; then what the software calls things. `openssl` is the version on the host: a group that it does not
    know would be an error (SSL_CTX_set1_groups(3)). Without a version only groups that every OpenSSL 3 knows are named.
    Raises PolicyError.
    """
    if profile not in PROFILES:
        raise PolicyError(f"TLS profile {profile!r} is unknown; known are {', '.join(sorted(PROFILES))}")
    if software not in _RENDERERS:
        raise PolicyError(f"tls_policy knows no software {software!r}; it knows {', '.join(sorted(_RENDERERS))}")
    chosen = PROFILES[profile]
    groups = _groups(chosen, openssl)
    common: Policy = {
        "profile": profile,
        "minimum_protocol": chosen.versions[0],
        "ciphers": ":".join(chosen.ciphers),
        "ciphersuites": ":".join(chosen.ciphersuites),
        "groups": ":".join(groups),
    }
    return {**common, **_RENDERERS[software](chosen, groups)}


def _groups(profile: Profile, openssl: str | None) -> tuple[str, ...]:
    try:
        hybrid = capabilities(software="openssl", version=openssl)["hybrid_groups"]
    except StackError as error:
        raise PolicyError(f"tls_policy: OpenSSL {error}") from error
    return tuple(group for group in profile.groups if hybrid or group != _HYBRID_GROUP)


def _mosquitto(profile: Profile, groups: tuple[str, ...]) -> Policy:
    """mosquitto.conf(5): tls_version is the minimum; there is no directive for groups (they come from OPENSSL_CONF)."""
    return {"tls_version": profile.versions[0].lower()}


def _nginx(profile: Profile, groups: tuple[str, ...]) -> Policy:
    """ssl_protocols is a list; Mozilla leaves the order of suites to the client."""
    return {"protocols": " ".join(profile.versions), "prefer_server_ciphers": False}


def _emqx(profile: Profile, groups: tuple[str, ...]) -> Policy:
    """EMQX takes the suites of all versions in one list, and has no option for groups."""
    suites = profile.ciphersuites + (profile.ciphers if "TLSv1.2" in profile.versions else ())
    return {
        "versions": [version.lower() for version in reversed(profile.versions)],
        "suites": list(suites),
        "honor_cipher_order": False,
    }


def _openssl_conf(profile: Profile, groups: tuple[str, ...]) -> Policy:
    """The commands of SSL_CONF_cmd(3), for the section that system_default names."""
    return {
        "settings": {
            "MinProtocol": profile.versions[0],
            "CipherString": ":".join(profile.ciphers),
            "Ciphersuites": ":".join(profile.ciphersuites),
            "Groups": ":".join(groups),
        }
    }


_RENDERERS: dict[str, Callable[[Profile, tuple[str, ...]], Policy]] = {
    "mosquitto": _mosquitto,
    "nginx": _nginx,
    "emqx": _emqx,
    "openssl_conf": _openssl_conf,
}
