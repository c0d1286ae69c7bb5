# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""The intent: what can be in `fleet.yml`, as values and as the records that read them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Union

from .._pki.keys import KEY_TYPES
from .._pki.names import COMMON_NAME
from .kinds import Choice, Either, Encrypted, Field, Flag, ListOf, MapOf, Number, Record, Secret, Text

PLUGIN = "bulwark.mqtt.fleet"

# What is not compiled yet. The part's own module takes the place of its words here.
_ABSENT_PARTS = {
    "clusters": "is no part: the brokers of a domain are a cluster where its emqx says so; give emqx.cluster",
}

SecretText = Union[str, Encrypted]


@dataclass(frozen=True)
class Edge:
    """Where TLS ends, and how."""

    at: str = ""
    topology: str = "broker"
    stapling: str = "auto"
    source: str = "distribution"


@dataclass(frozen=True)
class Certbot:
    """How ACME certificates are obtained; None leaves the role its default."""

    at: str = ""
    email: str | None = None
    server: str | None = None
    staging: bool | None = None
    roots: str | None = None
    profile: str | None = None
    plugins: tuple[str, ...] | None = None
    authenticator: str | None = None
    authenticator_arguments: tuple[str, ...] | None = None
    eab_kid: str | None = None
    eab_hmac_key: SecretText | None = None


@dataclass(frozen=True)
class Provided:
    """Where a bought certificate is."""

    at: str = ""
    certificate: str | None = None
    chain: str | None = None
    private_key: SecretText | None = None
    pkcs12: SecretText | None = None
    certificate_path: str | None = None
    private_key_path: str | None = None
    pkcs12_path: str | None = None
    passphrase: SecretText | None = None


@dataclass(frozen=True)
class Certificates:
    """Where the certificates of servers come from: the private CA, unless one of the others is given."""

    at: str = ""
    certbot: Certbot | None = None
    provided: Provided | None = None

    @property
    def private(self) -> bool:
        """Whether the private CA issues them."""
        return not self.certbot and not self.provided


@dataclass(frozen=True)
class Firewall:
    """What the firewall lets in beside MQTT; None leaves the role its default."""

    at: str = ""
    mode: str = "close_plaintext"
    plaintext_ports: tuple[int, ...] | None = None
    management_ports: tuple[int, ...] | None = None
    management_sources: tuple[str, ...] | None = None
    rate: int | None = None
    burst: int | None = None
    ceiling: int | None = None
    ceiling_per_source: int | None = None


@dataclass(frozen=True)
class Ports:
    """The ports that clients connect to."""

    at: str = ""
    certificate: int = 8883
    password: int = 8884


@dataclass(frozen=True)
class Cluster:
    """How the brokers of a domain find each other: by their list, or by the records of a name."""

    at: str = ""
    dns_name: str | None = None
    dns_record: str = "srv"


@dataclass(frozen=True)
class Emqx:
    """What the engine emqx needs beside the rest; None leaves the role its default."""

    at: str = ""
    version: str | None = None
    source: str | None = None
    package: str | None = None
    package_sha256: str | None = None
    key_fingerprint: str | None = None
    licence_key: SecretText | None = None
    node_cookie: SecretText | None = None
    dashboard_password: SecretText | None = None
    cluster: Cluster | None = None


@dataclass(frozen=True)
class Host:
    """A broker or an edge."""

    at: str = ""
    address: str | None = None
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Settings:
    """What a domain and the defaults can say; None leaves it to the defaults, there to these here."""

    at: str = ""
    engine: str | None = None
    emqx: Emqx | None = None
    edge: Edge | None = None
    certificates: Certificates | None = None
    tls_profile: str | None = None
    firewall: Firewall | None = None
    ports: Ports | None = None
    sources: tuple[str, ...] | None = None

    def over(self, lower: Settings) -> Settings:
        """These settings, and those of `lower` where these say nothing."""
        given = {
            known.name: value for known in dataclasses.fields(self) if (value := getattr(self, known.name)) is not None
        }
        return dataclasses.replace(lower, **given)


BUILT_IN = Settings(
    engine="mosquitto",
    emqx=Emqx(),
    edge=Edge(),
    certificates=Certificates(),
    tls_profile="intermediate",
    firewall=Firewall(),
    ports=Ports(),
    sources=(),
)


@dataclass(frozen=True)
class Domain:
    """Brokers that are alike, and the names that clients know them by. Its settings are complete."""

    at: str
    name: str
    suffix: str
    names: tuple[str, ...]
    brokers: Mapping[str, Host]
    brokers_group: str | None
    edges: Mapping[str, Host]
    edges_group: str | None
    engine: str
    emqx: Emqx
    edge: Edge
    certificates: Certificates
    tls_profile: str
    firewall: Firewall
    ports: Ports
    sources: tuple[str, ...]

    @property
    def edge_is_apart(self) -> bool:
        """Whether nginx is on hosts of its own."""
        return self.edge.topology in {"passthrough", "reencrypt"}

    def host(self, name: str) -> str:
        """The full name of a broker or an edge: with the domain behind it, unless it has a dot."""
        return name if "." in name else f"{name}.{self.suffix}"


@dataclass(frozen=True)
class Authority:
    """The private CA, which issues to clients, and to servers where no other source is given."""

    passphrase: SecretText
    at: str = ""
    root_passphrase: SecretText | None = None
    backup_passphrase: SecretText | None = None
    host: str | None = None
    directory: str | None = None
    key_type: str | None = None
    permitted_domains: tuple[str, ...] = ()
    permitted_networks: tuple[str, ...] = ()
    publish_url: str | None = None
    revocation_lists: bool = False
    clients: tuple[str, ...] = ()


@dataclass(frozen=True)
class Monitoring:
    """Who watches all others."""

    at: str = ""
    hosts: Mapping[str, Host] = dataclasses.field(default_factory=dict)
    hosts_group: str | None = None
    sources: tuple[str, ...] = ()

    @property
    def asking(self) -> tuple[str, ...]:
        """From where exporters are asked."""
        return self.sources or tuple(host.address for host in self.hosts.values() if host.address)


@dataclass(frozen=True)
class Topics:
    """The topics of a class, by what may be done on them; %u is the client's name."""

    at: str = ""
    deny: tuple[str, ...] = ()
    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    readwrite: tuple[str, ...] = ()


@dataclass(frozen=True)
class Members:
    """Who belongs to a class: everybody, names, or names with passwords."""

    everybody: bool = False
    names: tuple[str, ...] = ()
    passwords: Mapping[str, SecretText] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True)
class DeviceClass:
    """Clients that may do the same."""

    members: Members
    topics: Topics
    at: str = ""
    domains: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Fleet:
    """The whole intent, with each domain's settings complete."""

    organization: str | None
    authority: Authority
    domains: tuple[Domain, ...]
    devices: Mapping[str, DeviceClass]
    monitoring: Monitoring | None

    def classes(self, domain: Domain) -> dict[str, DeviceClass]:
        """The classes whose devices connect to a domain, by name."""
        return {
            name: known for name, known in self.devices.items() if known.domains is None or domain.name in known.domains
        }


def _fleet(
    *,
    at: str,
    plugin: str,
    organization: str | None,
    authority: Authority,
    defaults: Settings,
    domains: Mapping[str, Mapping[str, Any]],
    devices: Mapping[str, DeviceClass],
    monitoring: Monitoring | None,
) -> Fleet:
    return Fleet(
        organization=organization,
        authority=authority,
        domains=tuple(_domain(name, given, defaults) for name, given in (domains or {}).items() if given),
        devices=devices,
        monitoring=monitoring,
    )


def _domain(name: str, given: Mapping[str, Any], defaults: Settings) -> Domain:
    own = {key: value for key, value in given.items() if key not in _OF_DOMAIN}
    complete = Settings(**own).over((defaults or Settings()).over(BUILT_IN))
    return Domain(
        name=name,
        suffix=given["suffix"] or name,
        **{key: given[key] for key in _OF_DOMAIN if key != "suffix"},
        **{known.name: getattr(complete, known.name) for known in dataclasses.fields(complete)},
    )


# Labels of DNS names (RFC 1123) in lower case, since Ansible compares names of hosts as text; the last is no number.
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_HOST = Text(
    rf"(?!(.*\.)?[0-9]+$)({_LABEL}\.)*{_LABEL}",
    "give a DNS name in lower case, such as mqtt1.example.com",
    longest=253,
)
_NAME = Text(
    rf"(\*\.)?({_LABEL}\.)+(?![0-9]+$){_LABEL}",
    "give a DNS name with its domain in lower case, such as mqtt.example.com",
    longest=253,
)
_CLIENT = Text(COMMON_NAME.pattern, "give 1 to 64 of the characters A-Z a-z 0-9 . _ -", longest=64)
_CLASS = _CLIENT
_GROUP = Text(r"[A-Za-z_][A-Za-z0-9_]{0,99}", "give the name of a group: letters, digits and _")
_ADDRESS = Text(r"[0-9A-Fa-f.:]{2,45}", "give an IP address, such as 192.0.2.10")
_NETWORK = Text(r"[0-9A-Fa-f.:]{2,45}(/[0-9]{1,3})?", "give an address or a network, such as 192.0.2.0/24")
# MQTT 5 section 4.7.1 for the wildcards; at most 200 levels, as Mosquitto allows. %c is %u: a client's id is its name.
_LEVEL = r"(\+|[^+#/\x00-\x1f\x7f]*)"
_TOPIC = Text(
    rf"(?=.)(?!\s)(?!.*\s$)(?!.*%c)(#|{_LEVEL}(/{_LEVEL}){{0,198}}(/#)?)",
    "give a topic, in which + is alone between two slashes, # alone at the end, and %u the client's name",
    longest=8192,
)
_ARGUMENT = Text(r"[^\x00-\x1f\x7f]*", "give text in one line")
_PLAIN = Text()
_PATH = Text(r"/[^\x00-\x1f\x7f]*", "give an absolute path on the host")
_PEM = Text(
    r"\{\{.*\}\}", "give a template that reads it, such as \"{{ lookup('ansible.builtin.file', 'broker.crt') }}\""
)

_EDGE_TOPOLOGIES = ("broker", "nginx", "passthrough", "reencrypt")


def _record_of(key: str, make: Any) -> Any:
    """What makes a value of one word: the record with that word."""
    return lambda word: make(**{key: word})


_EDGE = Record(
    {
        "topology": Field(
            Choice(_EDGE_TOPOLOGIES), "Where TLS ends: at the broker, or at nginx in one of its ways.", required=True
        ),
        "stapling": Field(
            Choice(("auto", "required", "none")), "Whether nginx staples an OCSP response.", default="auto"
        ),
        "source": Field(
            Choice(("distribution", "nginx_org")), "Where the package of nginx comes from.", default="distribution"
        ),
    },
    Edge,
)
_CERTBOT = Record(
    {
        "email": Field(_PLAIN, "Address of the CA's account."),
        "server": Field(_PLAIN, "The CA: a name that the role certbot knows, or the URL of an ACME directory."),
        "staging": Field(Flag(), "Ask the CA's staging server."),
        "roots": Field(_PATH, "File on the host with the roots that its certificates verify to."),
        "profile": Field(_PLAIN, "Profile that the CA must use, such as shortlived."),
        "plugins": Field(ListOf(_PLAIN), "Packages of certbot's plugins."),
        "authenticator": Field(_PLAIN, "What answers the challenge: standalone, webroot, manual or a DNS plugin."),
        "authenticator_arguments": Field(ListOf(_ARGUMENT), "More arguments for it."),
        "eab_kid": Field(_PLAIN, "Key identifier of the external account binding."),
        "eab_hmac_key": Field(Secret(), "Its key."),
    },
    Certbot,
    nullable=True,
)
_PROVIDED = Record(
    {
        "certificate": Field(_PEM, "The certificate, PEM, as a template that reads a file of the controller."),
        "chain": Field(_PEM, "Its intermediates, PEM, likewise."),
        "private_key": Field(Secret(), "Its key, PEM."),
        "pkcs12": Field(Secret(), "All three as PKCS#12, in Base64."),
        "certificate_path": Field(_PATH, "The certificate, as a file on the host."),
        "private_key_path": Field(_PATH, "Its key, as a file on the host."),
        "pkcs12_path": Field(_PATH, "All three, as a file on the host."),
        "passphrase": Field(Secret(), "Opens the key."),
    },
    Provided,
)
_CERTIFICATES = Record(
    {
        "certbot": Field(_CERTBOT, "From a CA that speaks ACME."),
        "provided": Field(_PROVIDED, "Bought, as files."),
    },
    Certificates,
    exactly_one=True,
)
_FIREWALL_MODES = ("close_plaintext", "default_deny", "absent")
_PORT = Number(1, 65535)
_LIMIT = Number(0, 1000000)
_FIREWALL = Record(
    {
        "mode": Field(Choice(_FIREWALL_MODES), "What is closed.", default="close_plaintext"),
        "plaintext_ports": Field(ListOf(_PORT, least=1), "Ports of MQTT without TLS, closed to other hosts."),
        "management_ports": Field(ListOf(_PORT), "Ports of SSH that default_deny leaves open."),
        "management_sources": Field(ListOf(_NETWORK), "Networks from which they are open."),
        "rate": Field(_LIMIT, "New connections a second from one source; 0 for no limit."),
        "burst": Field(Number(1, 1000000), "New connections of one source before the rate counts."),
        "ceiling": Field(_LIMIT, "Connections to a port; 0 for no limit."),
        "ceiling_per_source": Field(_LIMIT, "Connections of one source to a port; 0 for no limit."),
    },
    Firewall,
    nullable=True,
)
_PORTS = Record(
    {
        "certificate": Field(_PORT, "For clients with a certificate.", default=Ports.certificate),
        "password": Field(_PORT, "For clients with a password; open where there are some.", default=Ports.password),
    },
    Ports,
)
_CLUSTER = Record(
    {
        "dns_name": Field(
            Text(r"([A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.)+[A-Za-z0-9-]{1,63}", "give a DNS name"),
            "give the name whose records are the nodes",
            required=True,
        ),
        "dns_record": Field(
            Choice(("srv", "a")), "Names behind SRV records, or addresses behind A records.", default=Cluster.dns_record
        ),
    },
    Cluster,
)
_EMQX = Record(
    {
        "version": Field(
            Text(r"[0-9]+\.[0-9]+\.[0-9]+", "give a whole version, such as 5.8.9"),
            "give the version to install, such as 5.8.9",
            required=True,
        ),
        "source": Field(Choice(("vendor", "package", "tarball")), "Where it comes from.", default="vendor"),
        "package": Field(_PATH, "The file of package or tarball, on the controller."),
        "package_sha256": Field(Text(r"[0-9a-f]{64}", "give 64 hexadecimal digits"), "Its SHA-256."),
        "key_fingerprint": Field(
            Text(r"[0-9A-F]{40}", "give 40 hexadecimal digits in capitals"),
            "The key that signs the vendor's repository.",
        ),
        "licence_key": Field(Secret(), "Licence of 5.9 and later."),
        "node_cookie": Field(
            Secret(), "give the variable with the secret that programs of the host control the node with", required=True
        ),
        "dashboard_password": Field(
            Secret(), "give the variable with the first password of the dashboard", required=True
        ),
        "cluster": Field(
            Either(word=Choice(("static",), make=lambda _word: Cluster()), mapping=_CLUSTER),
            "The brokers of the domain are one cluster, and find each other by their list or by DNS.",
        ),
    },
    Emqx,
)
_SETTINGS = {
    "engine": Field(Choice(("mosquitto", "emqx")), "The broker's program (default: mosquitto)."),
    "emqx": Field(_EMQX, "What the engine emqx needs."),
    "edge": Field(
        Either(word=Choice(_EDGE_TOPOLOGIES, make=_record_of("topology", Edge)), mapping=_EDGE),
        "Where TLS ends (default: broker).",
    ),
    "certificates": Field(
        Either(
            word=Choice(
                ("pki", "certbot"), make=lambda word: Certificates(certbot=Certbot() if word == "certbot" else None)
            ),
            mapping=_CERTIFICATES,
        ),
        "Where the certificates of servers come from (default: pki, the private CA).",
    ),
    "tls_profile": Field(Choice(("intermediate", "modern")), "TLS 1.2 and 1.3, or 1.3 only (default: intermediate)."),
    "firewall": Field(
        Either(word=Choice(_FIREWALL_MODES, make=_record_of("mode", Firewall)), mapping=_FIREWALL),
        "What the firewall closes (default: close_plaintext).",
    ),
    "ports": Field(_PORTS, "The ports that clients connect to."),
    "sources": Field(ListOf(_NETWORK), "Networks that may connect to them; everybody when it is empty."),
}
_OF_HOST = Record(
    {
        "address": Field(_ADDRESS, "Its IP address: where Ansible connects to, and edges elsewhere."),
        "names": Field(ListOf(_NAME), "More names for its certificate.", default=()),
    },
    Host,
    nullable=True,
)
_OF_WATCHER = Record({"address": Field(_ADDRESS, "Its IP address.")}, Host, nullable=True)
_OF_DOMAIN = {
    "suffix": Field(_HOST, "What follows the names of hosts (default: the domain's own name)."),
    "names": Field(ListOf(_NAME), "Names that all its certificates have, such as that of a load balancer.", default=()),
    "brokers": Field(MapOf(_HOST, _OF_HOST), "Its brokers by name.", default={}),
    "brokers_group": Field(_GROUP, "Group of another inventory that its brokers are in, instead of brokers."),
    "edges": Field(MapOf(_HOST, _OF_HOST), "Hosts of nginx, where it is apart from the brokers.", default={}),
    "edges_group": Field(_GROUP, "Group of another inventory that they are in, instead of edges."),
}
_AUTHORITY = Record(
    {
        "passphrase": Field(Secret(), "give the variable with the passphrase of the CA's keys", required=True),
        "root_passphrase": Field(Secret(), "That of the root's key, where it has one of its own."),
        "backup_passphrase": Field(Secret(), "That of the CA's backups."),
        "host": Field(_HOST, "Host that holds the CA (default: the controller)."),
        "directory": Field(_PATH, "Its directory there (default: pki beside this file)."),
        "key_type": Field(Choice(KEY_TYPES), "Type of the keys that are certified."),
        "permitted_domains": Field(ListOf(_HOST), "Domains in which it may certify names.", default=()),
        "permitted_networks": Field(ListOf(_NETWORK), "Networks in which it may certify addresses.", default=()),
        "publish_url": Field(
            Text(r"https?://[^\s\x00-\x1f\x7f]+", "give a URL, such as http://pki.example.com"),
            "Where its lists and responses are served.",
        ),
        "revocation_lists": Field(
            Flag(), "Sign lists of the revoked and have brokers refuse who is on them.", default=False
        ),
        "clients": Field(
            ListOf(_CLIENT), "Identities that it makes complete; the first proves the brokers.", default=()
        ),
    },
    Authority,
)
_TOPICS = Record(
    {
        access: Field(ListOf(_TOPIC, least=1), f"Topics to {words}.", default=())
        for access, words in (
            ("deny", "keep from"),
            ("read", "subscribe to"),
            ("write", "publish to"),
            ("readwrite", "publish and subscribe to"),
        )
    },
    Topics,
)
_MEMBERS = Either(
    word=Choice(("everybody",), make=lambda _word: Members(everybody=True)),
    items=ListOf(_CLIENT, least=1),
    mapping=MapOf(_CLIENT, Secret()),
)


def _device_class(*, at: str, members: Any, topics: Topics, domains: tuple[str, ...] | None) -> DeviceClass:
    if isinstance(members, tuple):
        members = Members(names=members)
    elif isinstance(members, dict):
        members = Members(passwords=members)
    return DeviceClass(at=at, members=members, topics=topics, domains=domains)


_DEVICE_CLASS = Record(
    {
        "members": Field(
            _MEMBERS,
            "give everybody, a list of names of certificates, or names with passwords",
            required=True,
        ),
        "topics": Field(
            _TOPICS, "give topics by what may be done on them: read, write, readwrite, deny", required=True
        ),
        "domains": Field(ListOf(_HOST, least=1), "The domains it connects to (default: all)."),
    },
    _device_class,
)
_MONITORING = Record(
    {
        "hosts": Field(MapOf(_HOST, _OF_WATCHER), "Hosts that watch, by their full names.", default={}),
        "hosts_group": Field(_GROUP, "Group of another inventory that they are in, instead of hosts."),
        "sources": Field(
            ListOf(_NETWORK), "Networks from which they ask the others (default: their addresses).", default=()
        ),
    },
    Monitoring,
)
FLEET = Record(
    {
        "plugin": Field(Choice((PLUGIN,)), f"give {PLUGIN}, by which Ansible knows the file", required=True),
        "organization": Field(Text(longest=64), "Organization in the names of the CA."),
        "authority": Field(_AUTHORITY, "give the private CA, at least its passphrase", required=True),
        "defaults": Field(Record(_SETTINGS, Settings), "Settings of every domain that has none of its own."),
        "domains": Field(
            MapOf(_HOST, Record({**_OF_DOMAIN, **_SETTINGS}, dict)), "give the brokers, by domain", required=True
        ),
        "devices": Field(MapOf(_CLASS, _DEVICE_CLASS), "Classes of devices by name, and their topics.", default={}),
        "monitoring": Field(_MONITORING, "Who watches all others; whom they tell is in monitoring_receivers."),
    },
    _fleet,
    absent=_ABSENT_PARTS,
)
