# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""What values of an intent mean to each other, and cannot: each rule reports with the key and the remedy."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, TypeVar

from .._emqx_acl import render as render_emqx_acl
from .._emqx_listeners import OWN_PORTS
from .._pki.errors import RefusedNameError
from .._pki.names import Constraints, check_common_name, parse, parse_constraints
from .._stack import capabilities
from .compilation import PROXIED_PORT, access_rules, domain_groups, probe_name, slug, watcher_name
from .model import Domain, Fleet, Monitoring
from .problems import Reading, unknown

_Value = TypeVar("_Value")
_RESERVED_GROUPS = {"all", "ungrouped", "bulwark", "mosquitto", "emqx", "nginx_stream", "monitoring"}


def apply(fleet: Fleet, reading: Reading) -> None:
    """Report everything that does not fit together."""
    permitted = _permitted(fleet, reading)
    for domain in fleet.domains:
        _hosts(domain, reading)
        _edge(domain, reading)
        _ports(domain, reading)
        _networks(domain, reading)
        _certificates(domain, reading)
        _names(domain, permitted, reading)
        _clients(fleet, domain, reading)
        if domain.engine == "emqx":
            _emqx(fleet, domain, reading)
    names = [(domain.host(name), host.at) for domain in fleet.domains for name, host in _all_hosts(domain)]
    _once(names, "the host {name} is {first}, too; a host is in one domain, once", reading)
    if fleet.monitoring:
        _monitoring(fleet.monitoring, dict(names), permitted, reading)
    _once(
        ((slug(domain.name), domain.at) for domain in fleet.domains),
        "its group would be domain_{name}, that of {first}; choose another name, and give this one as suffix",
        reading,
    )
    _groups(fleet, reading)
    _devices(fleet, reading)


def _of_settings(domain: Domain, key: str, reading: Reading) -> str:
    """The key in the file that a setting of the domain comes from."""
    own = f"{domain.at}.{key}"
    return own if own in reading.lines else f"defaults.{key}"


def _all_hosts(domain: Domain) -> Iterable[tuple[str, Any]]:
    yield from domain.brokers.items()
    yield from domain.edges.items()


def _try(make: Callable[[], _Value], at: str, reading: Reading, *, remedy: str = "") -> _Value | None:
    """What `make` returns; what it refuses is reported in its words, with the remedy where these have none."""
    try:
        return make()
    except (ValueError, RefusedNameError) as error:
        reading.report(at, f"{error}; {remedy}" if remedy else str(error))
        return None


def _once(names: Iterable[tuple[str, str]], words: str, reading: Reading) -> None:
    first: dict[str, str] = {}
    for name, at in names:
        if name in first:
            reading.report(at, words.format(name=name, first=first[name]))
        first.setdefault(name, at)


def _permitted(fleet: Fleet, reading: Reading) -> Constraints:
    authority = fleet.authority
    constraints = partial(parse_constraints, authority.permitted_domains, authority.permitted_networks)
    return _try(constraints, f"{authority.at}.permitted_networks", reading) or Constraints()


def _hosts(domain: Domain, reading: Reading) -> None:
    if bool(domain.brokers) == bool(domain.brokers_group):
        reading.report(domain.at, "give its brokers, or brokers_group for hosts of another inventory: one of the two")
    given = bool(domain.edges) + bool(domain.edges_group)
    if domain.edge_is_apart and given != 1:
        reading.report(
            domain.at,
            f"edge {domain.edge.topology} has nginx on hosts of its own; give edges, or edges_group for hosts of "
            "another inventory: one of the two",
        )
    if not domain.edge_is_apart and given:
        reading.report(
            f"{domain.at}.edges" if domain.edges else f"{domain.at}.edges_group",
            f"edge {domain.edge.topology} has no hosts of its own; take them out, or choose passthrough or reencrypt",
        )
    for _name, host in _all_hosts(domain):
        if host.address is not None:
            address = partial(ipaddress.ip_address, host.address)
            _try(address, f"{host.at}.address", reading, remedy="give an IP address, such as 192.0.2.10")


def _edge(domain: Domain, reading: Reading) -> None:
    edge, at = domain.edge, _of_settings(domain, "edge", reading)
    if edge.stapling != "auto" and edge.topology in {"broker", "passthrough"}:
        reading.report(
            f"{at}.stapling",
            f"with edge {edge.topology} no nginx ends TLS, so nothing staples; leave it out, or choose nginx",
        )
    if edge.stapling == "required" and domain.certificates.certbot:
        reading.report(
            f"{at}.stapling",
            "is required, and certificates of certbot's CAs may have no OCSP responder; give auto, or certificates pki",
        )
    if not domain.edge_is_apart:
        return
    if domain.brokers_group:
        reading.report(
            f"{domain.at}.brokers_group",
            f"edge {edge.topology} needs the addresses of the brokers; give them as brokers, each with its address",
        )
    for host in domain.brokers.values():
        if host.address is None:
            reading.report(
                host.at,
                f"has no address, and edge {edge.topology} must know it: nginx would not start while no name server "
                "answers; give its IP address",
            )
    if edge.topology == "reencrypt" and not domain.names:
        reading.report(
            domain.at, "edge reencrypt verifies its brokers by a name that all of them have; give it in names"
        )


def _ports(domain: Domain, reading: Reading) -> None:
    ports, at = domain.ports, _of_settings(domain, "ports", reading)
    if ports.certificate == ports.password:
        reading.report(
            f"{at}.password", f"{ports.password} is the port for certificates, too; give each a port of its own"
        )
    closed = domain.firewall.plaintext_ports or (1883,)
    for key, port in (("certificate", ports.certificate), ("password", ports.password)):
        if port in closed and domain.firewall.mode != "absent":
            reading.report(
                f"{at}.{key}", f"{port} is closed by the firewall as a port without TLS; give another one, such as 8883"
            )


def _networks(domain: Domain, reading: Reading) -> None:
    for key, networks in (
        (_of_settings(domain, "sources", reading), domain.sources),
        (f"{_of_settings(domain, 'firewall', reading)}.management_sources", domain.firewall.management_sources or ()),
    ):
        for number, network in enumerate(networks):
            remedy = "give an address or a network, such as 192.0.2.0/24"
            _try(partial(ipaddress.ip_network, network), f"{key}[{number}]", reading, remedy=remedy)


def _certificates(domain: Domain, reading: Reading) -> None:
    certbot, provided = domain.certificates.certbot, domain.certificates.provided
    at = _of_settings(domain, "certificates", reading)
    if certbot:
        if certbot.staging and not certbot.roots:
            reading.report(
                f"{at}.certbot.staging",
                "no system trusts a staging server's certificates; give the file of its roots as roots",
            )
        if bool(certbot.eab_kid) != bool(certbot.eab_hmac_key):
            reading.report(
                f"{at}.certbot", "eab_kid and eab_hmac_key belong together; give both, from one account of the CA"
            )
        several = len(domain.brokers) + len(domain.edges) > 1 or domain.brokers_group or domain.edges_group
        if domain.names and several and certbot.authenticator in {None, "standalone"}:
            reading.report(
                f"{domain.at}.names",
                f"only one host is reached as {domain.names[0]}, so the others could not answer certbot's standalone "
                "challenge; give certbot a DNS plugin as authenticator",
            )
    if provided:
        ways = ("certificate", "certificate_path", "pkcs12", "pkcs12_path")
        given = [way for way in ways if getattr(provided, way)]
        if len(given) != 1:
            reading.report(
                f"{at}.provided", f"{' and '.join(given) or 'no certificate'} is given; give one of {', '.join(ways)}"
            )
        elif given[0].startswith("certificate") and not (provided.private_key or provided.private_key_path):
            reading.report(f"{at}.provided", f"{given[0]} has no key; give private_key or private_key_path")


def _names(domain: Domain, permitted: Constraints, reading: Reading) -> None:
    for name, host in _all_hosts(domain):
        _try(partial(check_common_name, probe_name(domain.host(name))), host.at, reading)
    listed = [(domain.host(name), host.at) for name, host in _all_hosts(domain)] + [
        (name, f"{host.at}.names") for _host, host in _all_hosts(domain) for name in host.names
    ]
    listed += [(name, f"{domain.at}.names") for name in domain.names]
    for name, at in listed:
        names = _try(partial(parse, [name]), at, reading)
        if names and permitted.outside(names):
            reading.report(
                at,
                f"{name!r} is in none of authority.permitted_domains ({', '.join(permitted.dns)}), so the CA could not "
                "certify it; add its domain there",
            )


def _clients(fleet: Fleet, domain: Domain, reading: Reading) -> None:
    classes = fleet.classes(domain)
    if domain.edge.topology == "reencrypt":
        for known in classes.values():
            if not known.members.passwords:
                reading.report(
                    f"{known.at}.members",
                    f"the edge of domain {domain.name} is reencrypt, which hides from the broker whose certificate it "
                    "is; give passwords, or leave the domain out of domains, or choose edge passthrough",
                )
        if not any(known.members.passwords for known in classes.values()):
            reading.report(
                domain.at,
                "edge reencrypt is for clients with passwords, and no class of devices here has any; give one",
            )
    passwords: dict[str, str] = {}
    for known in classes.values():
        for name in known.members.passwords:
            at = f"{known.at}.members.{name}"
            if name in passwords:
                reading.report(at, f"has a password in {passwords[name]}, too; a client has one, keep one of the two")
            passwords.setdefault(name, at)
    for known in classes.values():
        for number, name in enumerate(known.members.names):
            if name in passwords:
                reading.report(
                    f"{known.at}.members[{number}]",
                    f"{name!r} has a password in {passwords[name]}, and would be two clients with one name; rename one",
                )


def _emqx(fleet: Fleet, domain: Domain, reading: Reading) -> None:
    """What the engine cannot do that another one can."""
    at = _of_settings(domain, "engine", reading)
    if domain.emqx.version is None:
        reading.report(at, "emqx needs its version and its secrets; give them as emqx")
    if domain.emqx.cluster:
        _cluster(domain, reading)
    for key in ("certificate", "password"):
        port = getattr(domain.ports, key)
        if port in OWN_PORTS:
            reading.report(
                f"{_of_settings(domain, 'ports', reading)}.{key}",
                f"{port} is EMQX's own, for {OWN_PORTS[port]}; give another one",
            )
    if domain.edge.topology == "nginx" and domain.firewall.mode == "absent":
        reading.report(
            _of_settings(domain, "firewall", reading),
            "is absent, and behind nginx emqx would believe every user of its host who they are; give close_plaintext",
        )
    if domain.edge.topology == "nginx" and domain.ports.certificate == PROXIED_PORT:
        reading.report(
            f"{_of_settings(domain, 'ports', reading)}.certificate",
            f"{PROXIED_PORT} is where EMQX hears nginx; give another one",
        )
    if fleet.authority.revocation_lists and not fleet.authority.publish_url and domain.edge.topology != "nginx":
        reading.report(
            f"{fleet.authority.at}.revocation_lists",
            "has emqx fetch the lists from an address in the certificates; give publish_url, or take it out",
        )
    for known in fleet.classes(domain).values():
        if known.members.passwords and domain.edge.topology == "nginx":
            reading.report(
                f"{known.at}.members",
                f"domain {domain.name} has nginx in front of emqx, which lets in clients with certificates only; give"
                " names, or leave the domain out of domains, or choose another edge",
            )
    _try(
        partial(render_emqx_acl, access_rules(fleet, domain)),
        at,
        reading,
        remedy="change the class of devices that it comes from",
    )


def _cluster(domain: Domain, reading: Reading) -> None:
    """What keeps the brokers of a domain from being one cluster."""
    at = f"{_of_settings(domain, 'emqx', reading)}.cluster"
    known = capabilities(software="emqx", version=domain.emqx.version)
    if known["cluster_needs_licence"] and not domain.emqx.licence_key:
        reading.report(
            at,
            f"EMQX {domain.emqx.version} needs a licence for a cluster; give licence_key, or a version of 5.8, the "
            "last that clusters without one",
        )
    if domain.brokers_group:
        reading.report(
            f"{domain.at}.brokers_group",
            "a cluster must know the names and addresses of its nodes; give them as brokers, each with its address",
        )
    elif len(domain.brokers) < 2:
        reading.report(
            at, f"domain {domain.name} has {len(domain.brokers)} broker; give it two at least, or take it out"
        )
    for host in domain.brokers.values():
        if host.address is None or ":" in host.address:
            reading.report(
                host.at,
                f"has {'no address' if host.address is None else 'the address ' + host.address}, and the nodes of a "
                "cluster are let in by their IPv4 addresses; give one, such as 192.0.2.10",
            )


def _monitoring(monitoring: Monitoring, others: Mapping[str, str], permitted: Constraints, reading: Reading) -> None:
    """What keeps hosts from watching the others."""
    if bool(monitoring.hosts) == bool(monitoring.hosts_group):
        reading.report(monitoring.at, "give its hosts, or hosts_group for hosts of another inventory: one of the two")
    elif not monitoring.asking:
        reading.report(
            monitoring.at,
            "has hosts without an address, so nobody could be let in to ask the exporters; give addresses, or sources",
        )
    for number, source in enumerate(monitoring.sources):
        network = partial(ipaddress.ip_network, source)
        _try(network, f"{monitoring.at}.sources[{number}]", reading, remedy="give a network, such as 192.0.2.0/24")
    for name, host in monitoring.hosts.items():
        if name in others:
            reading.report(host.at, f"the host {name} is {others[name]}, too; give one that only watches")
        if host.address is not None:
            address = partial(ipaddress.ip_address, host.address)
            _try(address, f"{host.at}.address", reading, remedy="give an IP address, such as 192.0.2.10")
        _try(partial(check_common_name, watcher_name(name)), host.at, reading)
        names = _try(partial(parse, [name]), host.at, reading)
        if names and permitted.outside(names):
            reading.report(
                host.at,
                f"{name!r} is in none of authority.permitted_domains ({', '.join(permitted.dns)}), so the CA could not "
                "certify it; add its domain there",
            )


def _groups(fleet: Fleet, reading: Reading) -> None:
    ours = _RESERVED_GROUPS.union(*(domain_groups(domain) for domain in fleet.domains))
    theirs = [
        (group, f"{domain.at}.{key}")
        for domain in fleet.domains
        for key, group in (("brokers_group", domain.brokers_group), ("edges_group", domain.edges_group))
        if group
    ]
    if fleet.monitoring and fleet.monitoring.hosts_group:
        theirs.append((fleet.monitoring.hosts_group, f"{fleet.monitoring.at}.hosts_group"))
    for group, at in theirs:
        if group in ours:
            reading.report(at, f"{group!r} is a group that the fleet makes; give one of the other inventory")
    _once(theirs, "the group {name} is {first}, too; a group is given once", reading)


def _devices(fleet: Fleet, reading: Reading) -> None:
    domains: Mapping[str, Domain] = {domain.name: domain for domain in fleet.domains}
    for known in fleet.devices.values():
        if not any((known.topics.deny, known.topics.read, known.topics.write, known.topics.readwrite)):
            reading.report(f"{known.at}.topics", "is empty; give topics below deny, read, write or readwrite")
        for number, name in enumerate(known.domains or ()):
            if name not in domains:
                reading.report(f"{known.at}.domains[{number}]", f"the domain {unknown(name, list(domains))}")
