# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Intents that fit together, of any kind, as strategies of hypothesis."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

words = st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=8)
secrets = words.map(lambda word: f"{{{{ vault_{word} }}}}") | st.just("$ANSIBLE_VAULT;1.1;AES256\n6162")
addresses = st.ip_addresses().map(str)
networks = st.ip_addresses(v=4).map(lambda address: f"{address}/32")
# Without those that EMQX has for itself.
ports = st.integers(6000, 65535)


def some(**known: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Mappings with any of the keys."""
    return st.fixed_dictionaries({}, optional=known)


def topics(prefix: str, *, emqx: bool = False) -> st.SearchStrategy[dict[str, Any]]:
    level = words | st.sampled_from(["+", "%u"])
    topic = st.lists(level, min_size=1, max_size=4).map(lambda levels: "/".join([prefix, *levels]))
    if emqx:
        below = st.lists(topic.map(lambda name: f"{name}/#"), min_size=1, max_size=3, unique=True)
        return some(read=below, write=below, readwrite=below).filter(bool)
    wanted = st.lists(topic | st.just("#"), min_size=1, max_size=3, unique=True)
    return some(read=wanted, write=wanted, readwrite=wanted, deny=wanted).filter(bool)


@st.composite
def host_records(draw: st.DrawFn, *, addressed: bool) -> dict[str, Any]:
    record: dict[str, Any] = draw(some(names=st.lists(words.map(lambda word: f"{word}.example.net"), unique=True)))
    if addressed or draw(st.booleans()):
        record["address"] = draw(addresses)
    return record


@st.composite
def domains(draw: st.DrawFn, *, number: int, passwords: bool, emqx: bool = False) -> dict[str, Any]:
    """A domain that fits together."""
    topologies = ["broker", "nginx", "passthrough", *(["reencrypt"] if passwords else [])]
    if emqx and passwords:
        topologies.remove("nginx")
    topology = draw(st.sampled_from(topologies))
    apart = topology in {"passthrough", "reencrypt"}
    hosts = st.dictionaries(words.map(lambda word: f"b-{word}"), host_records(addressed=apart), min_size=1, max_size=3)
    domain: dict[str, Any] = draw(
        some(
            tls_profile=st.sampled_from(["intermediate", "modern"]),
            sources=st.lists(networks, unique=True, max_size=2),
            firewall=st.sampled_from(["close_plaintext", "default_deny", "absent"])
            | some(
                mode=st.sampled_from(["close_plaintext", "default_deny", "absent"]),
                rate=st.integers(0, 1000),
                burst=st.integers(1, 1000),
                management_sources=st.lists(networks, unique=True, max_size=2),
                plaintext_ports=st.just([1883, 1884]),
            ),
            certificates=st.sampled_from(["pki", "certbot"])
            | st.just({"certbot": {"authenticator": "dns-rfc2136", "email": "ops@example.com"}})
            | secrets.map(lambda secret: {"provided": {"pkcs12_path": "/etc/broker.p12", "passphrase": secret}}),
            ports=st.lists(ports, min_size=2, max_size=2, unique=True).map(
                lambda pair: {"certificate": pair[0], "password": pair[1]}
            ),
        )
    )
    if emqx:
        needed = {"version": st.just("5.8.9"), "node_cookie": secrets, "dashboard_password": secrets}
        sources = {"source": st.sampled_from(["vendor", "tarball"]), "package": st.just("/srv/emqx.tar.gz")}
        domain["engine"] = "emqx"
        # Its listener behind nginx is closed by the firewall.
        if topology == "nginx" and "absent" in json.dumps(domain.get("firewall")):
            del domain["firewall"]
        domain["emqx"] = draw(st.fixed_dictionaries(needed, optional={**sources, "licence_key": secrets}))
    if not apart and draw(st.booleans()):
        domain["brokers_group"] = f"group_{number}"
    else:
        domain["brokers"] = draw(hosts)
    if apart:
        edges = st.dictionaries(words.map(lambda word: f"e-{word}"), host_records(addressed=False) | st.none())
        domain["edges"] = draw(edges.filter(bool))
    # A name for all is no challenge for a DNS plugin only.
    if domain.get("certificates") != "certbot":
        domain["names"] = [f"mqtt.d{number}.example.com"]
    elif topology == "reencrypt":
        domain["certificates"] = "pki"
        domain["names"] = [f"mqtt.d{number}.example.com"]
    stapling = st.just("auto") if topology in {"broker", "passthrough"} else st.sampled_from(["auto", "none"])
    domain["edge"] = draw(
        st.just(topology) | st.fixed_dictionaries({"topology": st.just(topology), "stapling": stapling})
    )
    return domain


@st.composite
def intents(draw: st.DrawFn) -> dict[str, Any]:
    """Intents that fit together."""
    emqx = draw(st.booleans())
    passwords = draw(st.booleans())
    count = draw(st.integers(1, 3))
    document = {
        "plugin": "bulwark.mqtt.fleet",
        "authority": {
            "passphrase": draw(secrets),
            **draw(
                some(
                    revocation_lists=st.booleans(),
                    clients=st.lists(words, unique=True, max_size=3),
                    key_type=st.sampled_from(["ec-p256", "rsa-3072"]),
                    publish_url=st.just("http://pki.example.com"),
                )
            ),
            **({"publish_url": "http://pki.example.com"} if emqx else {}),
        },
        "domains": {
            f"d{number}.example.com": draw(domains(number=number, passwords=passwords, emqx=emqx and number % 2 == 0))
            for number in range(count)
        },
    }
    devices: dict[str, Any] = {}
    reencrypting = [
        name
        for name, domain in document["domains"].items()
        if "reencrypt" in (domain["edge"], domain["edge"].get("topology") if isinstance(domain["edge"], dict) else "")
    ]
    others = [name for name in document["domains"] if name not in reencrypting]
    if passwords:
        members = st.dictionaries(words.map(lambda word: f"user-{word}"), secrets, min_size=1, max_size=3)
        devices["users"] = {"members": draw(members), "topics": draw(topics("users", emqx=emqx))}
    if others and draw(st.booleans()):
        devices["everybody"] = {"members": "everybody", "topics": draw(topics("devices", emqx=emqx)), "domains": others}
    if others and draw(st.booleans()):
        members = st.lists(words.map(lambda word: f"device-{word}"), min_size=1, max_size=3, unique=True)
        devices["devices"] = {"members": draw(members), "topics": draw(topics("x", emqx=emqx)), "domains": others}
    if devices:
        document["devices"] = devices
    if draw(st.booleans()):
        watchers = st.dictionaries(
            words.map(lambda word: f"w-{word}.example.com"),
            st.fixed_dictionaries({"address": addresses}),
            min_size=1,
            max_size=2,
        )
        group = {"hosts_group": "group_watch", "sources": ["192.0.2.0/24"]}
        document["monitoring"] = draw(watchers.map(lambda hosts: {"hosts": hosts}) | st.just(group))
    return document
