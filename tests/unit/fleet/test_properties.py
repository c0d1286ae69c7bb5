# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Any valid intent compiles, to what the roles accept; and the schema accepts and refuses as the validator does."""

from __future__ import annotations

import copy
import json
from typing import Any

import jsonschema
import pytest
import yaml
from ansible_collections.bulwark.mqtt.plugins.module_utils import _mosquitto_acl, _mosquitto_listeners, _nginx_stream
from ansible_collections.bulwark.mqtt.plugins.module_utils._fleet.kinds import Encrypted
from ansible_collections.bulwark.mqtt.plugins.module_utils._fleet.model import FLEET
from ansible_collections.bulwark.mqtt.plugins.module_utils._fleet.problems import Reading
from ansible_collections.bulwark.mqtt.plugins.module_utils._fleet.source import schema
from fleet_samples import compiled, intent, refused_by_roles, variables_of
from hypothesis import given, settings
from hypothesis import strategies as st

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
SCHEMA = jsonschema.Draft202012Validator(schema())

words = st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=8)
secrets = words.map(lambda word: f"{{{{ vault_{word} }}}}") | st.just("$ANSIBLE_VAULT;1.1;AES256\n6162")
addresses = st.ip_addresses().map(str)
networks = st.ip_addresses(v=4).map(lambda address: f"{address}/32")
ports = st.integers(2000, 65535)


def some(**known: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Mappings with any of the keys."""
    return st.fixed_dictionaries({}, optional=known)


def topics(prefix: str) -> st.SearchStrategy[dict[str, Any]]:
    level = words | st.sampled_from(["+", "%u"])
    topic = st.lists(level, min_size=1, max_size=4).map(lambda levels: "/".join([prefix, *levels]))
    wanted = st.lists(topic | st.just("#"), min_size=1, max_size=3, unique=True)
    return some(read=wanted, write=wanted, readwrite=wanted, deny=wanted).filter(bool)


@st.composite
def host_records(draw: st.DrawFn, *, addressed: bool) -> dict[str, Any]:
    record: dict[str, Any] = draw(some(names=st.lists(words.map(lambda word: f"{word}.example.net"), unique=True)))
    if addressed or draw(st.booleans()):
        record["address"] = draw(addresses)
    return record


@st.composite
def domains(draw: st.DrawFn, *, number: int, passwords: bool) -> dict[str, Any]:
    """A domain that fits together."""
    topologies = ["broker", "nginx", "passthrough", *(["reencrypt"] if passwords else [])]
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
        },
        "domains": {
            f"d{number}.example.com": draw(domains(number=number, passwords=passwords)) for number in range(count)
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
        devices["users"] = {"members": draw(members), "topics": draw(topics("users"))}
    if others and draw(st.booleans()):
        devices["everybody"] = {"members": "everybody", "topics": draw(topics("devices")), "domains": others}
    if others and draw(st.booleans()):
        members = st.lists(words.map(lambda word: f"device-{word}"), min_size=1, max_size=3, unique=True)
        devices["devices"] = {"members": draw(members), "topics": draw(topics("x")), "domains": others}
    if devices:
        document["devices"] = devices
    return document


@settings(max_examples=60, deadline=None)
@given(intents())
def test_any_valid_intent_compiles_to_what_the_roles_accept(document: dict[str, Any]):
    found = compiled(document)
    for name in [*found.hosts, *(f"group_{number}" for number in range(3))]:
        variables = variables_of(found, name)
        assert refused_by_roles(variables) == []
        assert _mosquitto_listeners.problems(variables.get("mosquitto_listeners", [])) == []
        servers = _nginx_stream.complete(variables.get("nginx_stream_servers", []))
        assert [problem for server in servers for problem in server["problems"]] == []
        _mosquitto_acl.render(variables.get("mosquitto_acl", {}))


@settings(max_examples=10, deadline=None)
@given(intents())
def test_the_same_intent_compiles_to_the_same_text(document: dict[str, Any]):
    def text() -> str:
        found = compiled(document)
        everything = [found.hosts, {name: vars(group) for name, group in found.groups.items()}]
        return json.dumps(everything, default=lambda value: value.ciphertext if isinstance(value, Encrypted) else value)

    assert text() == text()


def accepted(document: Any) -> bool:
    """Whether the model has nothing against the form of a document."""
    reading = Reading()
    node = yaml.compose(yaml.safe_dump(document, sort_keys=False), Loader=LOADER)
    FLEET.read(node, "", reading)
    return not reading.problems


@settings(max_examples=25, deadline=None)
@given(intents())
def test_the_schema_accepts_every_valid_intent(document: dict[str, Any]):
    assert accepted(document)
    SCHEMA.validate(document)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all values in a document."""
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, item in below for found in places(item, (*path, key)))]


words_and_numbers = [None, True, 0, -1, 70000, 1.5, "", "x", "X y", "a/b", "192.0.2.1", "/x", "{{ x }}", "2026-01-01"]
lists_and_mappings = [
    [],
    {},
    ["x"],
    ["x", "x"],
    [1],
    {"x": "y"},
    {"X!": None},
    {"certbot": None},
    {"topology": "broker"},
]
junk = st.sampled_from([*words_and_numbers, *lists_and_mappings, "everybody", "nginx"])


@settings(max_examples=150, deadline=None)
@given(document=intents(), data=st.data())
def test_the_schema_refuses_what_the_validator_refuses_for_its_form(document: dict[str, Any], data: st.DataObject):
    document = copy.deepcopy(document)
    path = data.draw(st.sampled_from([place for place in places(document) if place]))
    target = document
    for key in path[:-1]:
        target = target[key]
    change = data.draw(st.sampled_from(["replace", "remove", "add"]))
    if change == "remove":
        del target[path[-1]]
    elif change == "add" and isinstance(target, dict):
        target[data.draw(words)] = data.draw(junk)
    else:
        target[path[-1]] = data.draw(junk)
    assert accepted(document) == SCHEMA.is_valid(document), document


@pytest.mark.parametrize("part", ["authority", "domains", "plugin"])
def test_both_refuse_an_intent_without_what_it_needs(part: str):
    document = intent()
    del document[part]
    assert not accepted(document)
    assert not SCHEMA.is_valid(document)
