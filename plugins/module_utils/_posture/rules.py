# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""The rules that an endpoint is judged by, each with its severity, its remedy and the clauses that it supports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

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


# Who serves the endpoint: a broker, or nginx in front of one.
SERVERS = ("mosquitto", "emqx", "nginx_stream")


@dataclass(frozen=True)
class Rule:
    """One thing that is true of an endpoint in order.

    In the remedy, `{tls}` stands for the role that ends TLS there and `{broker}` for that of the broker behind it.
    `instead` has other remedies by the role that the broker is deployed with, or the edge.
    """

    name: str
    severity: str
    remedy: str
    clauses: tuple[str, ...]
    instead: Mapping[str, str] = field(default_factory=dict)

    def remedy_for(self, *, broker: str, edge: bool) -> str:
        """What to do about it on a host with this broker, which is behind an edge or not."""
        remedy = self.remedy
        for server in (broker, *(("nginx_stream",) if edge else ())):
            remedy = self.instead.get(server, remedy)
        return remedy.format(broker=broker, tls="nginx_stream" if edge else broker)


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
        Rule("protocol", "high", "set {tls}_tls_profile to intermediate or modern", _CRYPTOGRAPHY),
        Rule("old_versions", "high", "set {tls}_tls_profile to intermediate or modern", _CRYPTOGRAPHY),
        Rule("suites", "high", "set {tls}_tls_profile to intermediate or modern", _CRYPTOGRAPHY),
        Rule(
            "client_certificate",
            "critical",
            "give the listener identity: certificate",
            (*_IDENTITY, *_CERTIFICATES),
            {
                # Its role opens no other listeners.
                "emqx": "run bulwark.mqtt.site; what answers there is no listener of emqx_listeners",
                "nginx_stream": "give the server of nginx_stream_servers identity: certificate",
            },
        ),
        Rule(
            "foreign_authority",
            "critical",
            "let the listener trust the private CA only (ca.pem of its lineage)",
            (*_IDENTITY, *_CERTIFICATES),
        ),
        Rule(
            "refused_identity",
            "critical",
            "run bulwark.mqtt.refresh, so that the broker has the revocation list; give the listener crl: true",
            (*_IDENTITY, *_CERTIFICATES),
            {
                "emqx": "run bulwark.mqtt.refresh; give the listener crl: true; EMQX 5.8 lets servers' certificates in",
                "nginx_stream": "run bulwark.mqtt.refresh, so that nginx has the list; give its server crl: true",
            },
        ),
        Rule("own_topic", "high", "check the patterns of {broker}_acl", _AUTHORIZATION),
        Rule("foreign_topic", "critical", "bind patterns of {broker}_acl to the client with %u", _AUTHORIZATION),
        Rule(
            "wildcard",
            "critical",
            "give no pattern of {broker}_acl a wildcard above the client's name",
            _AUTHORIZATION,
        ),
        Rule(
            "takeover",
            "high",
            "set use_username_as_clientid of the listener to true",
            ("ETSI EN 303 645 5.5-5", "IEC 62443-3-3 SR 1.2", "IEC 62443-3-3 SR 3.8"),
            {"emqx": "set emqx_bind_client_id to true"},
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
        Rule(
            "dashboard",
            "critical",
            "give the user admin another password",
            ("ETSI EN 303 645 5.1-1", "IEC 62443-3-3 SR 1.5"),
            {"emqx": "run emqx ctl admins passwd admin; name in emqx_dashboard_sources who may reach the port"},
        ),
    )
}
