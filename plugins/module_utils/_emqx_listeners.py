# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""What cannot be among EMQX's listeners: rules across the options of one, and across listeners."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

# Of a node called emqx@..., without a number in its name (ekka_dist.erl, gen_rpc).
OWN_PORTS = {4370: "Erlang's distribution", 5370: "its RPC"}
# What a listener's security rests on.
_GUARDED = ("bind", "enable", "enabled", "enable_authn", "proxy_protocol", "zone")
# What is said where TLS ends, before nginx's header tells the listener who the client is.
_OF_TLS = ("lineage", "identity", "protocol", "address", "sources", "crl", "stapling")
_GUARDED_SSL = ("verify", "fail_if_no_peer_cert", "cacertfile", "cacerts", "certfile", "keyfile", "versions", "ciphers")


def problems(listeners: Sequence[Mapping[str, Any]], *, publish_url: str = "") -> list[str]:
    """Why the broker could not, or must not, open these; each names the listener and the remedy.

    `publish_url` is where revocation lists and OCSP responses are published, empty for nowhere.
    """
    if not listeners:
        return ["there is none; give at least one"]
    found = [
        f"port {listener['port']} {problem}" for listener in listeners for problem in _problems(listener, publish_url)
    ]
    ports = [listener["port"] for listener in listeners]
    if len(set(ports)) != len(ports):
        found.append(f"the ports are {', '.join(map(str, ports))}; give each listener a port of its own")
    proxied = [str(listener["port"]) for listener in listeners if listener.get("proxy_protocol")]
    if len(proxied) > 1:
        found.append(
            f"ports {', '.join(proxied)} have proxy_protocol, and nginx needs one of them; take the others out"
        )
    # The cache has one place for each signature algorithm (emqx_ocsp_cache.erl): one would staple the other's response.
    stapling = [str(listener["port"]) for listener in listeners if listener.get("stapling")]
    if len(stapling) > 1:
        found.append(
            f"ports {', '.join(stapling)} have stapling, and EMQX keeps one response for all of them; leave it to one"
        )
    return found


def _problems(listener: Mapping[str, Any], publish_url: str) -> list[str]:
    found = []
    if listener["port"] in OWN_PORTS:
        found.append(f"is EMQX's own, for {OWN_PORTS[listener['port']]}; choose another one")
    if listener.get("proxy_protocol"):
        useless = [option for option in _OF_TLS if option in listener]
        if useless:
            found.append(
                f"has proxy_protocol, so it is on the loopback and nginx ends TLS, and {', '.join(useless)} would do"
                " nothing; take it out"
            )
    elif not listener.get("lineage"):
        found.append("has no lineage; name the certificate that it serves, or set proxy_protocol behind nginx")
    if listener.get("crl") and listener.get("identity", "certificate") == "password":
        found.append("has crl, and its clients have no certificate; take it out, or set identity: certificate")
    for option in ("crl", "stapling"):
        if listener.get(option) and listener.get("protocol", "mqtt") == "websockets":
            found.append(f"has {option}, which EMQX has not got over WebSockets; take it out")
    if listener.get("crl") and not publish_url:
        found.append(
            "has crl, and EMQX fetches lists from the address in the client's certificate alone, which has none;"
            " set pki_publish_url"
        )
    if listener.get("stapling") and not publish_url:
        found.append("has stapling, and there is no address to fetch responses from; set pki_publish_url")
    guarded = [key for key in listener.get("extra", {}) if key in _GUARDED]
    if guarded:
        found.append(f"has {guarded[0]} in extra, which is the role's own; take it out")
    options = listener.get("extra", {}).get("ssl_options", {})
    guarded = [key for key in options if key in _GUARDED_SSL] if isinstance(options, Mapping) else ["ssl_options"]
    if guarded:
        found.append(f"has ssl_options.{guarded[0]} in extra, which is the role's own; take it out")
    return found
