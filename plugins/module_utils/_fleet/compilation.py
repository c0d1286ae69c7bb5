# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""From an intent to hosts, groups and plain variables of roles. It knows no Ansible, so other targets can use it.

Each engine is a function in `_ENGINES`; what is fleet-wide, of a domain or of a host is set in that group or host only.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Callable

from .model import Authority, Domain, Fleet, Host, Monitoring, Topics

Variables = dict[str, Any]

# The name that Ansible gives the host, for hosts whose names another inventory knows.
_ANY_HOST = "{{ inventory_hostname }}"
_PROXY_SOCKET = "/run/bulwark-mqtt/proxy.sock"
_PASSWORD_SOCKET = "/run/bulwark-mqtt/password.sock"
# Where EMQX hears nginx: it has no sockets.
PROXIED_PORT = 11883
_NGINX_GROUP = "bulwark-nginx"
_LINEAGE = "mqtt"
_CLUSTER_LINEAGE = "cluster"
_EXPORTER = "exporter"
_MONITORING = "monitoring"
_METRICS_GROUP = "prometheus"
_SYSTEM_ROOTS = "/etc/ssl/certs/ca-certificates.crt"


@dataclass(frozen=True)
class Group:
    """A group: the hosts and groups in it, and their variables."""

    hosts: tuple[str, ...] = ()
    children: tuple[str, ...] = ()
    variables: Variables = field(default_factory=dict)


@dataclass(frozen=True)
class Compiled:
    """The fleet as an inventory: groups by name, and each host's own variables."""

    groups: Mapping[str, Group]
    hosts: Mapping[str, Variables]


def slug(name: str) -> str:
    """A domain's name as a part of a group's name."""
    return re.sub(r"[^a-z0-9]", "_", name)


def probe_name(host: str) -> str:
    """The name of the client that proves a broker from the host itself."""
    return f"probe.{host}"


def watcher_name(host: str) -> str:
    """The name under which a host asks the others for what they measure."""
    return f"{_MONITORING}.{host}"


def domain_groups(domain: Domain) -> tuple[str, str, str]:
    """The groups of a domain: of all its hosts, of its brokers, of its edges."""
    name = slug(domain.name)
    return f"domain_{name}", f"brokers_{name}", f"edges_{name}"


def compile_fleet(fleet: Fleet) -> Compiled:
    """Hosts and groups with the variables that the intent means, the same for the same intent."""
    groups: dict[str, Group] = {}
    hosts: dict[str, Variables] = {}
    engines: dict[str, list[str]] = {}
    nginx: list[str] = []
    for domain in fleet.domains:
        of_all, of_brokers, of_edges = domain_groups(domain)
        hosts.update({domain.host(name): _host(domain, name, host) for name, host in domain.brokers.items()})
        hosts.update({domain.host(name): _edge_host(domain, name, host) for name, host in domain.edges.items()})
        variables = _ENGINES[domain.engine](fleet, domain)
        if domain.brokers_group:
            variables.update(_broker_certificates(domain, _ANY_HOST, ()))
        if domain.edge.topology == "nginx":
            variables.update(_nginx(fleet, domain))
            nginx.append(of_brokers)
        groups[of_brokers] = _group(domain, domain.brokers, domain.brokers_group, variables)
        engines.setdefault(domain.engine, []).append(of_brokers)
        if domain.edge_is_apart:
            variables = _nginx(fleet, domain)
            if domain.edges_group:
                variables.update(_edge_certificates(domain, _ANY_HOST, ()))
            groups[of_edges] = _group(domain, domain.edges, domain.edges_group, variables)
            nginx.append(of_edges)
        children = (of_brokers, of_edges) if domain.edge_is_apart else (of_brokers,)
        groups[of_all] = Group(children=children, variables=_common(domain))
    for engine, children_of_engine in engines.items():
        groups[engine] = Group(children=tuple(children_of_engine))
    if nginx:
        groups["nginx_stream"] = Group(children=tuple(nginx))
    members = [domain_groups(domain)[0] for domain in fleet.domains]
    variables = _authority(fleet)
    if fleet.monitoring:
        _watched(hosts, groups)
        hosts.update({name: _watcher(name, host) for name, host in fleet.monitoring.hosts.items()})
        groups["monitoring"] = _monitoring(fleet.monitoring)
        members.append("monitoring")
        variables.update(
            monitoring_exporter_address="0.0.0.0",
            monitoring_exporter_lineage=_EXPORTER,
            monitoring_exporter_sources=list(fleet.monitoring.asking),
        )
    groups["bulwark"] = Group(children=tuple(members), variables=variables)
    return Compiled(groups=groups, hosts=hosts)


def _watched(hosts: Mapping[str, Variables], groups: Mapping[str, Group]) -> None:
    """Give each host, and each group of hosts that another inventory has, a certificate for its exporter."""
    of_groups = [(_ANY_HOST, group.variables) for group in groups.values()]
    for host, variables in [*hosts.items(), *of_groups]:
        if "tls_store_lineages" in variables:
            _certify(variables, _EXPORTER, "server", host)


def _watcher(host: str, given: Host) -> Variables:
    variables = {**_connection(given), "tls_store_lineages": [], "pki_certificates": []}
    _certify(variables, _EXPORTER, "server", host)
    _certify(variables, _MONITORING, "client", watcher_name(host))
    return variables


def _certify(
    variables: Variables, lineage: str, purpose: str, name: str, *, group: str = _METRICS_GROUP, profile: str = ""
) -> None:
    """Give a host one more lineage, with a certificate for one name; the profile is the purpose unless it is given."""
    variables["tls_store_lineages"].append({"name": lineage, "purpose": purpose, "names": [name], "group": group})
    variables["pki_certificates"].append({"lineage": lineage, "profile": profile or purpose, "names": [name]})


def _monitoring(monitoring: Monitoring) -> Group:
    variables: Variables = {"monitoring_client_lineage": _MONITORING}
    if not monitoring.hosts_group:
        return Group(hosts=tuple(monitoring.hosts), variables=variables)
    return Group(children=(monitoring.hosts_group,), variables={**variables, **_watcher(_ANY_HOST, Host())})


def _group(domain: Domain, hosts: Mapping[str, Host], other: str | None, variables: Variables) -> Group:
    return Group(
        hosts=tuple(domain.host(name) for name in hosts), children=(other,) if other else (), variables=variables
    )


def _given(prefix: str, values: Mapping[str, Any]) -> Variables:
    """Variables of what is not None, with lists in the place of tuples."""
    return {
        f"{prefix}{name}": list(value) if isinstance(value, tuple) else value
        for name, value in values.items()
        if value is not None
    }


def _fields(record: Any) -> dict[str, Any]:
    """What a record of the model says, by its keys; values as they are, where asdict would take them apart."""
    return {known.name: getattr(record, known.name) for known in dataclasses.fields(record) if known.name != "at"}


def _authority(fleet: Fleet) -> Variables:
    authority: Authority = fleet.authority
    staples = any(
        domain.certificates.private
        and domain.edge.topology in {"nginx", "reencrypt"}
        and domain.edge.stapling != "none"
        for domain in fleet.domains
    )
    return _given(
        "pki_",
        {
            "passphrase": authority.passphrase,
            "root_passphrase": authority.root_passphrase,
            "backup_passphrase": authority.backup_passphrase,
            "host": authority.host,
            "directory": authority.directory,
            "organization": fleet.organization,
            "key_type": authority.key_type,
            "permitted_dns": authority.permitted_domains,
            "permitted_addresses": authority.permitted_networks,
            "publish_url": authority.publish_url,
            "crl_enabled": authority.revocation_lists,
            "ocsp_enabled": staples,
            "clients": tuple({"common_name": name} for name in authority.clients),
        },
    )


def _common(domain: Domain) -> Variables:
    """What all hosts of a domain have."""
    rules = {key: value for key, value in _fields(domain.firewall).items() if key != "mode"}
    variables = {
        "firewall_state": "absent" if domain.firewall.mode == "absent" else "present",
        "firewall_mode": "close_plaintext" if domain.firewall.mode == "absent" else domain.firewall.mode,
        **_given("firewall_", rules),
        "posture_port": domain.ports.certificate,
        "posture_tls_profile": domain.tls_profile,
    }
    if domain.firewall.plaintext_ports:
        variables["posture_plaintext_ports"] = list(domain.firewall.plaintext_ports)
    if domain.edge.topology == "nginx" and domain.edge.stapling == "required":
        variables["posture_staple_required"] = True
    if domain.certificates.certbot:
        variables.update(_given("certbot_", _fields(domain.certificates.certbot)))
    return variables


def _host(domain: Domain, name: str, host: Host) -> Variables:
    full = domain.host(name)
    variables = {**_connection(host), **_broker_certificates(domain, full, host.names)}
    if domain.engine == "emqx" and domain.emqx.cluster:
        node = _node(domain, name, host)
        _certify(variables, _CLUSTER_LINEAGE, "server", node["host"], group=domain.engine, profile="cluster_node")
        variables["emqx_cluster_host"] = node["host"]
    return variables


def _node(domain: Domain, name: str, host: Host) -> Variables:
    """A broker among the nodes of its domain's cluster: behind A records, nodes are called by their addresses."""
    cluster = domain.emqx.cluster
    by_address = cluster and cluster.dns_name and cluster.dns_record == "a"
    return {"host": host.address if by_address else domain.host(name), "address": host.address}


def _edge_host(domain: Domain, name: str, host: Host) -> Variables:
    full = domain.host(name)
    return {**_connection(host), **_edge_certificates(domain, full, host.names)}


def _connection(host: Host) -> Variables:
    return {"ansible_host": host.address} if host.address else {}


def _broker_certificates(domain: Domain, host: str, more: tuple[str, ...]) -> Variables:
    # The broker runs as a user of its engine's name, with a group of that name.
    reader = _NGINX_GROUP if domain.edge.topology == "nginx" else domain.engine
    return _certificates(domain, host, more, reader=reader)


def _edge_certificates(domain: Domain, host: str, more: tuple[str, ...]) -> Variables:
    if domain.edge.topology == "passthrough":
        # It ends no TLS.
        return {"tls_store_lineages": [_probe_lineage(host)], "pki_certificates": [_probe_certificate(host)]}
    return _certificates(domain, host, more, reader=_NGINX_GROUP)


def _certificates(domain: Domain, host: str, more: tuple[str, ...], *, reader: str) -> Variables:
    """The lineages of a host that ends TLS, and where their certificates come from."""
    names = list(dict.fromkeys((host, *more, *domain.names)))
    lineages = [{"name": _LINEAGE, "purpose": "server", "names": names, "group": reader}, _probe_lineage(host)]
    variables: Variables = {"tls_store_lineages": lineages, "pki_certificates": [_probe_certificate(host)]}
    if domain.certificates.private:
        server = {"lineage": _LINEAGE, "profile": "server", "names": names}
        # A common name has at most 64 characters (RFC 5280, appendix A.1); the host's has fewer, with its probe's.
        variables["pki_certificates"].insert(0, {**server, "common_name": host})
        return variables
    variables["pki_trusting_lineages"] = [_LINEAGE]
    if domain.certificates.certbot:
        variables["certbot_certificates"] = [{"lineage": _LINEAGE, "names": names}]
    if domain.certificates.provided:
        variables["provided_certificates"] = [
            {"lineage": _LINEAGE, **_given("", _fields(domain.certificates.provided))}
        ]
    return variables


def _probe_lineage(host: str) -> Variables:
    return {"name": "probe", "purpose": "client", "names": [probe_name(host)], "group": "root"}


def _probe_certificate(host: str) -> Variables:
    return {"lineage": "probe", "profile": "client", "names": [probe_name(host)]}


def _passwords(fleet: Fleet, domain: Domain) -> dict[str, Any]:
    return {
        name: password for known in fleet.classes(domain).values() for name, password in known.members.passwords.items()
    }


def _users(passwords: Mapping[str, Any]) -> list[Variables]:
    return [{"name": name, "password": password} for name, password in passwords.items()]


def _mosquitto(fleet: Fleet, domain: Domain) -> Variables:
    """The variables of the role mosquitto."""
    passwords = _passwords(fleet, domain)
    variables: Variables = {
        "mosquitto_tls_profile": domain.tls_profile,
        "mosquitto_listeners": _mosquitto_listeners(fleet, domain, with_passwords=bool(passwords)),
        "mosquitto_users": _users(passwords),
    }
    if domain.edge.topology == "nginx":
        variables["mosquitto_socket_group"] = _NGINX_GROUP
    if fleet.devices:
        variables["mosquitto_acl"] = access_rules(fleet, domain)
    return variables


def _emqx(fleet: Fleet, domain: Domain) -> Variables:
    """The variables of the role emqx."""
    cluster = domain.emqx.cluster
    passwords = _passwords(fleet, domain)
    variables = {
        **_given("emqx_", {**_fields(domain.emqx), "cluster": None}),
        "emqx_tls_profile": domain.tls_profile,
        "emqx_listeners": _emqx_listeners(fleet, domain, with_passwords=bool(passwords)),
    }
    if passwords:
        variables["emqx_users"] = _users(passwords)
    if cluster:
        variables["emqx_cluster_discovery"] = "dns" if cluster.dns_name else "static"
        variables["emqx_cluster_nodes"] = [_node(domain, name, host) for name, host in domain.brokers.items()]
    if cluster and cluster.dns_name:
        variables.update({"emqx_cluster_dns_name": cluster.dns_name, "emqx_cluster_dns_record": cluster.dns_record})
    if fleet.devices:
        variables["emqx_acl"] = access_rules(fleet, domain)
    return variables


def _emqx_listeners(fleet: Fleet, domain: Domain, *, with_passwords: bool) -> list[Variables]:
    if domain.edge.topology == "nginx":
        return [{"port": PROXIED_PORT, "proxy_protocol": True}]
    return _tls_listeners(fleet, domain, with_passwords=with_passwords)


def _mosquitto_listeners(fleet: Fleet, domain: Domain, *, with_passwords: bool) -> list[Variables]:
    if domain.edge.topology == "nginx":
        proxied = {"socket": _PROXY_SOCKET, "proxy_protocol": True, "identity": "certificate"}
        return [proxied, *([{"socket": _PASSWORD_SOCKET, "identity": "password"}] if with_passwords else [])]
    return _tls_listeners(fleet, domain, with_passwords=with_passwords)


def _tls_listeners(fleet: Fleet, domain: Domain, *, with_passwords: bool) -> list[Variables]:
    """Those that other hosts reach, in the shape that both brokers' roles take."""
    sources = {"sources": list(domain.sources)} if domain.sources else {}
    listeners = []
    if domain.edge.topology != "reencrypt":
        crl = {"crl": True} if fleet.authority.revocation_lists else {}
        listeners.append(
            {"port": domain.ports.certificate, "lineage": _LINEAGE, "identity": "certificate", **crl, **sources}
        )
    if with_passwords:
        listeners.append({"port": domain.ports.password, "lineage": _LINEAGE, "identity": "password", **sources})
    return listeners


def access_rules(fleet: Fleet, domain: Domain) -> Variables:
    """Who may do what at the brokers of a domain, in the shape that both brokers' roles take."""
    patterns: list[Variables] = []
    groups: list[Variables] = []
    for name, known in fleet.classes(domain).items():
        topics = _topics(known.topics)
        if known.members.everybody:
            patterns += topics
        else:
            members = [*known.members.names, *known.members.passwords]
            groups.append({"name": name, "members": members, "topics": topics})
    return {"patterns": patterns, "groups": groups}


def _topics(topics: Topics) -> list[Variables]:
    return [
        {"access": access, "topic": topic}
        for access in ("deny", "read", "write", "readwrite")
        for topic in getattr(topics, access)
    ]


def _nginx(fleet: Fleet, domain: Domain) -> Variables:
    """The variables of the role nginx_stream."""
    return {
        "nginx_stream_source": domain.edge.source,
        "nginx_stream_tls_profile": domain.tls_profile,
        "nginx_stream_servers": [
            {**server, **({"sources": list(domain.sources)} if domain.sources else {})}
            for server in _NGINX_SERVERS[domain.edge.topology](fleet, domain)
        ],
    }


def _stapling(domain: Domain) -> str:
    return "off" if domain.edge.stapling == "none" else domain.edge.stapling


def _here(fleet: Fleet, domain: Domain) -> list[Variables]:
    """Servers that end TLS in front of the broker on the same host."""
    common = {"topology": "nginx", "lineage": _LINEAGE, "stapling": _stapling(domain)}
    certificate = {
        "port": domain.ports.certificate,
        **common,
        "identity": "certificate",
        "crl": fleet.authority.revocation_lists,
        "brokers": [f"127.0.0.1:{PROXIED_PORT}" if domain.engine == "emqx" else f"unix:{_PROXY_SOCKET}"],
    }
    if not _passwords(fleet, domain):
        return [certificate]
    password = {
        "port": domain.ports.password,
        **common,
        "identity": "password",
        "brokers": [f"unix:{_PASSWORD_SOCKET}"],
    }
    return [certificate, password]


def _passed_through(fleet: Fleet, domain: Domain) -> list[Variables]:
    """Servers that leave TLS to brokers elsewhere."""
    ports = [domain.ports.certificate, *([domain.ports.password] if _passwords(fleet, domain) else [])]
    return [{"port": port, "topology": "passthrough", "brokers": _addresses(domain, port)} for port in ports]


def _encrypted_again(fleet: Fleet, domain: Domain) -> list[Variables]:
    """The server that ends TLS and speaks TLS to brokers elsewhere."""
    server = {
        "port": domain.ports.password,
        "topology": "reencrypt",
        "lineage": _LINEAGE,
        "identity": "password",
        "stapling": _stapling(domain),
        "brokers": _addresses(domain, domain.ports.password),
        "broker_name": domain.names[0],
    }
    # The lineage's ca.pem is the clients' CA; brokers with public certificates verify to the system's roots.
    return [server if domain.certificates.private else {**server, "broker_ca": _SYSTEM_ROOTS}]


def _addresses(domain: Domain, port: int) -> list[str]:
    addresses = [host.address or "" for host in domain.brokers.values()]
    return [f"[{address}]:{port}" if ":" in address else f"{address}:{port}" for address in addresses]


_ENGINES: Mapping[str, Callable[[Fleet, Domain], Variables]] = {"mosquitto": _mosquitto, "emqx": _emqx}
_NGINX_SERVERS: Mapping[str, Callable[[Fleet, Domain], list[Variables]]] = {
    "nginx": _here,
    "passthrough": _passed_through,
    "reencrypt": _encrypted_again,
}
