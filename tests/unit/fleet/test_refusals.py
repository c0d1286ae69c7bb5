# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Wrong intents, and the message for each in full."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible_collections.bulwark.mqtt.plugins.module_utils._fleet.problems import FleetError
from ansible_collections.bulwark.mqtt.plugins.module_utils._fleet.source import read

WRONG = yaml.safe_load((Path(__file__).parent / "wrong_intents.yml").read_text(encoding="utf-8"))
RIGHT = """\
plugin: bulwark.mqtt.fleet
authority: {passphrase: "{{ vault_pki_passphrase }}"}
domains:
  example.com:
    brokers: {mqtt1: {address: 192.0.2.11}}
"""


def messages(text: str) -> str:
    with pytest.raises(FleetError) as caught:
        read(text, file="fleet.yml")
    return str(caught.value)


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong["name"])
def test_a_wrong_intent_is_refused_with_file_line_key_value_and_remedy(wrong: dict[str, str]):
    said, message = messages(wrong["intent"]), wrong["message"]
    if message.endswith("is no YAML:"):
        # What follows is the parser's, and differs between PyYAML's two.
        said = said[: len(message)]
    assert message in said.splitlines()


def test_there_are_at_least_twenty_of_them():
    assert len(WRONG) >= 20


def test_the_intent_that_the_wrong_ones_are_made_from_is_right():
    assert read(RIGHT, file="fleet.yml").domains[0].name == "example.com"


def test_all_problems_are_told_at_once_in_the_order_of_the_file():
    text = "plugin: bulwark\nauthority: {passphrase: open}\nbrokers: {}\ndefaults: {edge: 1}\n"
    lines = messages(text).splitlines()
    assert [line.split(": ")[0] + " " + line.split(": ")[1] for line in lines] == [
        "fleet.yml:1 domains",
        "fleet.yml:1 plugin",
        "fleet.yml:2 authority.passphrase",
        "fleet.yml:3 brokers",
        "fleet.yml:4 defaults.edge",
    ]


def test_all_that_does_not_fit_together_is_told_at_once_too():
    text = RIGHT + "    edge: reencrypt\n    ports: {certificate: 1883, password: 1883}\n"
    keys = [line.split(": ")[1] for line in messages(text).splitlines()]
    assert keys == [
        "domains.example.com",
        "domains.example.com",
        "domains.example.com",
        "domains.example.com.ports.certificate",
        "domains.example.com.ports.password",
        "domains.example.com.ports.password",
    ]


def test_a_secret_in_the_clear_is_in_no_message():
    text = RIGHT + "devices:\n  a: {members: {x: hunter2}, topics: {read: [x]}}\n"
    assert "hunter2" not in messages(text)


def test_an_alias_is_read_as_what_it_stands_for():
    text = RIGHT + "devices:\n  a: &a {members: everybody, topics: {read: [x]}}\n  b: *a\n"
    assert yaml.safe_load(text)["devices"]["a"] == yaml.safe_load(text)["devices"]["b"]
    assert [known.topics.read for known in read(text, file="fleet.yml").devices.values()] == [("x",), ("x",)]
