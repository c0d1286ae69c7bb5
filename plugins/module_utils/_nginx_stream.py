# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""The servers of nginx at the edge: what an entry of `nginx_stream_servers` means, and why it cannot be.

A proxy that ends TLS must not cost devices their identity, so what would is a problem here, not a surprise there.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

DEFAULT_BROKER = "unix:/run/bulwark-mqtt/proxy.sock"
_DEFAULTS: Mapping[str, Any] = {
    "topology": "nginx",
    "lineage": "",
    "names": [],
    "identity": "certificate",
    "crl": False,
    "stapling": "auto",
    "balance": "least_conn",
    "broker_ca": "",
    "broker_name": "",
    "sources": [],
}
# What only a server that ends TLS has.
_OF_TLS = ("lineage", "identity", "client_certificates", "crl", "stapling")
_NAME = re.compile(r"(\*\.)?[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9])?)*")
_PROTOCOL = re.compile(r"[A-Za-z0-9./_-]{1,255}")
# One word in nginx's configuration.
_SOCKET = re.compile(r"unix:(/[A-Za-z0-9._-]+)+")


def complete(servers: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Each server with the defaults of its options, what follows from them, and `problems`: why it cannot be."""
    known = [_with_defaults(server) for server in servers]
    return [
        {
            **server,
            "first_at_port": all(other["port"] != server["port"] for other in known[:number]),
            "proxy_protocol": server["topology"] == "nginx" and server["identity"] == "certificate",
            # Whether a client with a certificate is answered by a broker that it can speak MQTT to.
            "greeted": server["topology"] == "nginx"
            and server["identity"] == "certificate"
            and "mqtt" in server["alpn"],
            "route": _route(server),
            "firewall_rule": {
                "name": f"nginx_stream-{server['port']}",
                "port": server["port"],
                "sources": server["sources"],
            },
            "probe": {"kind": "tls", "port": server["port"], "server_name": "".join(server["names"][:1])},
            "problems": [
                f"nginx_stream_servers: the server on port {server['port']} {problem}"
                for problem in _problems(server, given=servers[number], earlier=known[:number])
            ],
        }
        for number, server in enumerate(known)
    ]


def _with_defaults(given: Mapping[str, Any]) -> dict[str, Any]:
    server = {**_DEFAULTS, **given}
    # YAML reads `off` as false.
    server["stapling"] = "off" if server["stapling"] is False else server["stapling"]
    ends_tls, certified = server["topology"] != "passthrough", server["identity"] == "certificate"
    server.setdefault("client_certificates", ends_tls and certified)
    # Without it a web page could make a browser speak to the broker (ALPACA); a client that names none is let in.
    server.setdefault("alpn", ["mqtt"] if ends_tls else [])
    server.setdefault("brokers", [DEFAULT_BROKER] if certified and server["topology"] == "nginx" else [])
    if not server["broker_ca"] and server["lineage"]:
        server["broker_ca"] = f"/etc/bulwark/tls/{server['lineage']}/current/ca.pem"
    return server


def _route(server: Mapping[str, Any]) -> str:
    """The regular expression of nginx's map for `name|protocols` as ssl_preread tells them; '' where TLS ends."""
    if server["topology"] != "passthrough":
        return ""
    names = "|".join(_name_pattern(name) for name in server["names"])
    protocols = "|".join(re.escape(protocol) for protocol in server["alpn"])
    return f"~*^{f'({names})' if names else '[^|]*'}\\|{f'(.*,)?({protocols})(,.*)?' if protocols else '.*'}$"


def _name_pattern(name: str) -> str:
    """A wildcard is one label (RFC 9525, section 6.3)."""
    return f"[^.|]+{re.escape(name[1:])}" if name.startswith("*.") else re.escape(name)


def _problems(
    server: Mapping[str, Any], *, given: Mapping[str, Any], earlier: Iterable[Mapping[str, Any]]
) -> Iterable[str]:
    yield from _words(server)
    yield from _brokers(server)
    yield from _beside(server, earlier)
    if server["topology"] == "passthrough":
        useless = [name for name in _OF_TLS if name in given]
        if useless:
            yield f"leaves TLS to the broker (passthrough), so {', '.join(useless)} would do nothing; leave it out"
    else:
        yield from _tls(server)


def _words(server: Mapping[str, Any]) -> Iterable[str]:
    if not 1 <= server["port"] <= 65535:
        yield "has no such port; give a number from 1 to 65535"
    for name in server["names"]:
        if not _NAME.fullmatch(name):
            yield f"has {name!r} among its names, which no client can ask for; give a DNS name, or *. and one"
    for protocol in server["alpn"]:
        if not _PROTOCOL.fullmatch(protocol):
            yield f"has {protocol!r} in alpn; give names of protocols, such as mqtt or http/1.1"


def _brokers(server: Mapping[str, Any]) -> Iterable[str]:
    if not server["brokers"]:
        yield "has no brokers; give addresses with ports, or unix:/path"
    for broker in server["brokers"]:
        host = _host(broker)
        if host is None:
            yield (
                f"has the broker {broker!r}; give unix:/path, or an IP address with a port: with a name, nginx would"
                " not start while no name server answers"
            )
        elif server["topology"] == "nginx" and host and not ipaddress.ip_address(host).is_loopback:
            yield (
                f"would speak to {broker} without TLS, where others could listen, and claim to be any client; use a"
                " socket or the loopback, or topology reencrypt or passthrough"
            )
    if server["balance"] == "identity" and not server["client_certificates"]:
        yield "balances by identity, but asks for no client certificate; use balance least_conn or source"


def _host(broker: str) -> str | None:
    """The address of a broker, '' for a unix socket, None for what is neither."""
    if _SOCKET.fullmatch(broker):
        return ""
    host, _separator, port = broker.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    try:
        address = ipaddress.ip_address(host[1:-1] if bracketed else host)
    except ValueError:
        return None
    if bracketed != (address.version == 6) or not re.fullmatch(r"[0-9]{1,5}", port) or not 1 <= int(port) <= 65535:
        return None
    return str(address)


def _beside(server: Mapping[str, Any], earlier: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    """What two servers on one port cannot be."""
    same = [other for other in earlier if other["port"] == server["port"]]
    passthrough = server["topology"] == "passthrough"
    if any((other["topology"] == "passthrough") != passthrough for other in same):
        yield "has another one beside it, and only one of them is passthrough; give them ports of their own"
    elif same and not passthrough and not server["names"]:
        yield "has another one before it and no names, so no client could ask for it; give it names"
    elif not passthrough:
        for name in server["names"]:
            if any(name in other["names"] for other in same):
                yield f"has another one for {name} before it; give each name once"


def _tls(server: Mapping[str, Any]) -> Iterable[str]:
    if not server["lineage"]:
        yield f"ends TLS (topology {server['topology']}) and has no lineage; name the certificate that it serves"
    if server["crl"] and not server["client_certificates"]:
        yield "has a revocation list (crl) and asks for no client certificate; set client_certificates: true"
    if server["identity"] == "certificate" and not server["client_certificates"]:
        yield "takes identities from certificates; leave out client_certificates: false, or set identity: password"
    if server["topology"] != "reencrypt":
        return
    if server["identity"] == "certificate":
        yield (
            "would hide from the broker which device it is (topology reencrypt with identity certificate); use topology"
            " passthrough, or identity: password, with client_certificates: true to ask for certificates as well"
        )
    if not server["broker_name"]:
        yield "speaks TLS to its brokers and has no broker_name; give the name that their certificate must have"
    for broker in server["brokers"]:
        if _host(broker) == "":
            yield f"speaks TLS to its brokers, and {broker} is on this host; use topology nginx"
