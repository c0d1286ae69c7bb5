# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""The rules that an endpoint is judged by, each with its severity, its remedy and the clauses that it supports."""

from __future__ import annotations

from dataclasses import dataclass

# From the one that can wait to the one that cannot.
SEVERITIES = ("low", "medium", "high", "critical")

_NETWORK = ("ETSI EN 303 645 5.6-1", "IEC 62443-3-3 SR 7.7")
_CRYPTOGRAPHY = (
    "ETSI EN 303 645 5.5-1",
    "IEC 62443-3-3 SR 3.1",
    "IEC 62443-3-3 SR 4.1",
    "IEC 62443-3-3 SR 4.3",
    "(EU) 2024/2690 Annex 9.2",
)
_CERTIFICATES = ("IEC 62443-3-3 SR 1.8", "IEC 62443-3-3 SR 1.9", "(EU) 2024/2690 Annex 9.2")
_IDENTITY = ("ETSI EN 303 645 5.5-5", "IEC 62443-3-3 SR 1.2")
_AUTHORIZATION = ("IEC 62443-3-3 SR 2.1",)


@dataclass(frozen=True)
class Rule:
    """One thing that is true of an endpoint in order."""

    name: str
    severity: str
    remedy: str
    clauses: tuple[str, ...]


RULES = {
    rule.name: rule
    for rule in (
        Rule("endpoint", "critical", "start the broker, or correct posture_address and posture_port", ()),
        Rule(
            "certificate",
            "critical",
            "run bulwark.mqtt.issue; check the names of the lineage and the clock",
            (*_CRYPTOGRAPHY, *_CERTIFICATES),
        ),
        Rule(
            "lifetime",
            "medium",
            "issue certificates for a year at most (pki_server_lifetime)",
            _CERTIFICATES,
        ),
        Rule("renewal", "high", "find out why bulwark.mqtt.issue did not renew it, and run it", _CERTIFICATES),
        Rule("key", "medium", "use a key of type ec-p256, or RSA with 3072 bits (pki_key_type)", _CERTIFICATES),
        Rule("names", "medium", "issue the certificate with subject alternative names", _CERTIFICATES),
        Rule("protocol", "high", "set mosquitto_tls_profile to intermediate or modern", _CRYPTOGRAPHY),
        Rule("old_versions", "high", "set mosquitto_tls_profile to intermediate or modern", _CRYPTOGRAPHY),
        Rule("suites", "high", "set mosquitto_tls_profile to intermediate or modern", _CRYPTOGRAPHY),
        Rule(
            "client_certificate",
            "critical",
            "give the listener identity: certificate",
            (*_IDENTITY, *_CERTIFICATES),
        ),
        Rule(
            "foreign_authority",
            "critical",
            "let the listener trust the private CA only (ca.pem of its lineage)",
            (*_IDENTITY, *_CERTIFICATES),
        ),
        Rule("own_topic", "high", "check the patterns of mosquitto_acl", _AUTHORIZATION),
        Rule("foreign_topic", "critical", "bind patterns of mosquitto_acl to the client with %u", _AUTHORIZATION),
        Rule(
            "wildcard",
            "critical",
            "give no pattern of mosquitto_acl a wildcard above the client's name",
            _AUTHORIZATION,
        ),
        Rule(
            "takeover",
            "high",
            "set use_username_as_clientid of the listener to true",
            ("ETSI EN 303 645 5.5-5", "IEC 62443-3-3 SR 1.2", "IEC 62443-3-3 SR 3.8"),
        ),
        Rule(
            "staple",
            "high",
            "run bulwark.mqtt.refresh; look into bulwark-tls status on the host",
            _CERTIFICATES,
        ),
        Rule(
            "proxy_header",
            "critical",
            "let no listener with the PROXY protocol be reached by anybody but the edge",
            _IDENTITY,
        ),
        Rule(
            "plaintext",
            "critical",
            "close the port with the role firewall, and remove the listener",
            (*_NETWORK, *_CRYPTOGRAPHY),
        ),
    )
}
