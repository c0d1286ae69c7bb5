# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.bulwark.mqtt.plugins.module_utils._mosquitto_bridges import problems

TOPICS = [{"pattern": "readings/#", "direction": "out"}]


def bridge(**changes: Any) -> dict[str, Any]:
    return {"name": "central", "address": "central.example.com", "lineage": "bridge", "topics": TOPICS, **changes}


def test_a_bridge_with_a_certificate_has_no_problem() -> None:
    assert problems([bridge()]) == []


def test_a_bridge_with_a_password_and_a_ca_has_no_problem() -> None:
    without = {key: value for key, value in bridge().items() if key != "lineage"}
    assert problems([{**without, "cafile": "/etc/ssl/ca.pem", "username": "a", "password": "b c"}]) == []


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        pytest.param(
            {"name": "a/b"}, "a/b cannot be a name; use at most 64 of the characters A-Z a-z 0-9 . _ -", id="name"
        ),
        pytest.param(
            {"username": "a"}, "central has one of username and password; give both, or a lineage", id="half-a-login"
        ),
        pytest.param({"topics": []}, "central has no topics, so nothing would be exchanged; give it some", id="idle"),
        pytest.param({"address": "a b"}, "central has a blank in address; take it out", id="blank"),
        pytest.param(
            {"username": "a", "password": "x\nallow_anonymous true"},
            "central has a password that begins or ends with a blank, or has a line break; choose another",
            id="another-line",
        ),
        pytest.param(
            {"topics": [{"pattern": "a b", "direction": "in"}]},
            "central has a blank in pattern 'a b', which the broker's file cannot say; choose another topic",
            id="topic-of-two-words",
        ),
    ],
)
def test_what_the_broker_could_not_read_is_named(changes: dict[str, Any], problem: str) -> None:
    assert problems([bridge(**changes)]) == [problem]


def test_a_bridge_that_verifies_nobody_is_named() -> None:
    without = {key: value for key, value in bridge().items() if key != "lineage"}
    assert problems([without]) == [
        "central has neither lineage nor cafile, so nothing could verify the other broker; give one of them"
    ]


def test_two_bridges_cannot_share_a_name() -> None:
    assert problems([bridge(), bridge()]) == ["the names are central, central; give each a name of its own"]
