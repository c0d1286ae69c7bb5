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
from ansible_collections.bulwark.mqtt.plugins.module_utils import (
    _emqx_acl,
    _emqx_listeners,
    _mosquitto_acl,
    _mosquitto_listeners,
    _nginx_stream,
)
from ansible_collections.bulwark.mqtt.plugins.module_utils._fleet.kinds import Encrypted
from ansible_collections.bulwark.mqtt.plugins.module_utils._fleet.model import FLEET
from ansible_collections.bulwark.mqtt.plugins.module_utils._fleet.problems import Reading
from ansible_collections.bulwark.mqtt.plugins.module_utils._fleet.source import schema
from fleet_intents import intents, words
from fleet_samples import compiled, intent, refused_by_roles, variables_of
from hypothesis import given, settings
from hypothesis import strategies as st

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
SCHEMA = jsonschema.Draft202012Validator(schema())


@settings(max_examples=60, deadline=None)
@given(intents())
def test_any_valid_intent_compiles_to_what_the_roles_accept(document: dict[str, Any]):
    found = compiled(document)
    for name in [*found.hosts, *(f"group_{number}" for number in range(3))]:
        variables = variables_of(found, name)
        assert refused_by_roles(variables) == []
        assert _mosquitto_listeners.problems(variables.get("mosquitto_listeners", [])) == []
        listeners = variables.get("emqx_listeners", [{"port": 8883, "lineage": "mqtt"}])
        assert _emqx_listeners.problems(listeners, publish_url=variables.get("pki_publish_url", "")) == []
        servers = _nginx_stream.complete(variables.get("nginx_stream_servers", []))
        assert [problem for server in servers for problem in server["problems"]] == []
        _mosquitto_acl.render(variables.get("mosquitto_acl", {}))
        _emqx_acl.render(variables.get("emqx_acl", {}))


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
