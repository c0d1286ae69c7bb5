# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mosquitto's ACL file from data, and what cannot become one."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.bulwark.mqtt.plugins.filter.mosquitto_acl import FilterModule

mosquitto_acl = FilterModule().filters()["mosquitto_acl"]


def rule(topic, access="read"):
    return {"access": access, "topic": topic}


def test_anonymous_rules_come_before_the_first_user():
    acl = {
        "users": [
            {"username": "dash board", "topics": [rule("devices/#"), rule("devices/+/secret", "deny")]},
            {"username": "nobody", "topics": []},
        ],
        "patterns": [rule("devices/%u/#", "readwrite"), rule("news/#")],
        "anonymous": [rule("public/+", "write")],
    }
    assert mosquitto_acl(acl).splitlines() == [
        "topic write public/+",
        "pattern readwrite devices/%u/#",
        "pattern read news/#",
        "user dash board",
        "topic read devices/#",
        "topic deny devices/+/secret",
        "user nobody",
    ]


@pytest.mark.parametrize("acl", [{}, {"users": []}, {"patterns": None}], ids=["empty", "no-users", "none"])
def test_no_rules_are_no_lines(acl):
    assert mosquitto_acl(acl) == ""


@pytest.mark.parametrize("topic", ["#", "+", "/", "a//b", "+/+/#", "$SYS/#", "a b/c", "ü/#", "a/" * 199 + "a"])
def test_legal_topics_pass(topic):
    assert mosquitto_acl({"anonymous": [rule(topic)]}) == f"topic read {topic}"


@pytest.mark.parametrize(
    ("topic", "problem"),
    [
        ("", "is empty"),
        ("a+/b", "has a + that is not alone between two slashes"),
        ("a/b+", "has a + that is not alone between two slashes"),
        ("a/#/b", "has a # that is not alone in the last level"),
        ("a#", "has a # that is not alone in the last level"),
        ("a\nuser root", "has a line break or a NUL"),
        ("a\0", "has a line break or a NUL"),
        (" a", "begins or ends with a blank, which the broker strips"),
        ("a\t", "begins or ends with a blank, which the broker strips"),
        ("devices/%u/#", "has %u or %c, which the broker replaces in patterns only"),
        ("a/" * 200 + "a", "has 201 levels; the broker allows 200"),
        ("ü" * 32768, "is longer than 65535 bytes, the limit of MQTT"),
        (7, "is not a string"),
    ],
)
def test_an_illegal_topic_is_an_error_that_names_the_entry(topic, problem):
    with pytest.raises(AnsibleFilterError) as caught:
        mosquitto_acl({"users": [{"username": "a", "topics": [rule("ok"), rule(topic)]}]})
    assert str(caught.value) == f"mosquitto_acl: users[0].topics[1]: topic {topic!r} {problem}"


@pytest.mark.parametrize(
    ("username", "problem"),
    [
        ("", "is empty"),
        ("a\ntopic readwrite", "has a line break or a NUL"),
        ("a#", "has one of + # /, with which it would reach other clients' topics; rename the client"),
        ("+", "has one of + # /, with which it would reach other clients' topics; rename the client"),
        ("a/b", "has one of + # /, with which it would reach other clients' topics; rename the client"),
        ("a ", "begins or ends with a blank, which the broker strips"),
        ("first", "is there twice; give all its topics in one entry"),
        (None, "is not a string"),
    ],
)
def test_an_unusable_name_is_an_error_that_names_the_entry(username, problem):
    users = [{"username": "first", "topics": []}, {"username": username, "topics": []}]
    with pytest.raises(AnsibleFilterError) as caught:
        mosquitto_acl({"users": users})
    assert str(caught.value) == f"mosquitto_acl: users[1]: username {username!r} {problem}"


@pytest.mark.parametrize(
    ("acl", "message"),
    [
        ([], "the ACL is not a dictionary"),
        ({"pattern": []}, "the ACL: pattern is unknown; known are anonymous, patterns, groups, users"),
        ({"patterns": {"topic": "a"}}, "patterns is not a list"),
        ({"patterns": ["a"]}, "patterns[0] is not a dictionary"),
        ({"patterns": [{"topic": "a/%u"}]}, "patterns[0]: access is missing"),
        (
            {"patterns": [rule("a/%u", "all")]},
            "patterns[0]: access 'all' is unknown; it is one of read, write, readwrite, deny",
        ),
        ({"users": [{"username": "a"}]}, "users[0]: topics is missing"),
        ({"users": [{"name": "a", "topics": []}]}, "users[0]: name is unknown; known are username, topics"),
    ],
)
def test_data_of_another_shape_is_an_error_that_names_the_place(acl, message):
    with pytest.raises(AnsibleFilterError) as caught:
        mosquitto_acl(acl)
    assert str(caught.value) == f"mosquitto_acl: {message}"


def test_a_groups_rules_become_those_of_each_member():
    acl = {
        "groups": [
            {"name": "meters", "members": ["m1", "m2"], "topics": [rule("tariffs/#"), rule("readings/%u", "write")]},
            {"name": "pilots", "members": ["m2"], "topics": [rule("tariffs/#"), rule("beta/#")]},
        ],
        "users": [{"username": "m2", "topics": [rule("own")]}],
    }
    assert mosquitto_acl(acl).splitlines() == [
        "user m2",
        "topic read own",
        "topic read tariffs/#",
        "topic write readings/m2",
        "topic read beta/#",
        "user m1",
        "topic read tariffs/#",
        "topic write readings/m1",
    ]


def test_a_denied_client_may_nothing_whatever_else_is_said():
    acl = {"patterns": [rule("devices/%u/#")], "users": [{"username": "stolen", "topics": [rule("a")]}]}
    assert mosquitto_acl(acl, denied=["stolen", "other"]).splitlines() == [
        "pattern read devices/%u/#",
        "user stolen",
        "topic deny #",
        "topic deny $SYS/#",
        "topic deny $CONTROL/#",
        "topic deny $share/#",
        "user other",
        "topic deny #",
        "topic deny $SYS/#",
        "topic deny $CONTROL/#",
        "topic deny $share/#",
    ]


def test_a_metrics_client_reads_the_brokers_metrics_and_nothing_that_a_pattern_allows():
    lines = mosquitto_acl({"patterns": [rule("devices/%u/#")]}, metrics=["metrics"]).splitlines()
    assert lines[1:] == ["user metrics", "topic deny #", "topic read $SYS/#"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"denied": ["a#"]}, "denied[0]: name 'a#' has one of + # /, with which it would reach other clients' topics"),
        ({"metrics": ["a"]}, "metrics[0]: name 'a' has rules among users or groups, too; take it out there"),
    ],
)
def test_names_of_the_other_lists_are_judged_too(arguments, message):
    with pytest.raises(AnsibleFilterError) as caught:
        mosquitto_acl({"users": [{"username": "a", "topics": []}]}, **arguments)
    assert str(caught.value).startswith(f"mosquitto_acl: {message}")


@pytest.mark.parametrize(
    ("group", "message"),
    [
        (
            {"name": "g", "members": ["a", "b+"], "topics": []},
            (
                "groups[0].members[1]: name 'b+' has one of + # /, with which it would reach other clients' topics; "
                "rename the client"
            ),
        ),
        (
            {"name": "g", "members": ["a"], "topics": [rule("x/%c")]},
            (
                "groups[0].topics[0]: topic 'x/%c' has %c, which the broker replaces in patterns only; "
                "a group's topics have %u"
            ),
        ),
        ({"name": "g", "topics": []}, "groups[0]: members is missing"),
    ],
)
def test_an_unusable_group_is_an_error_that_names_the_entry(group, message):
    with pytest.raises(AnsibleFilterError) as caught:
        mosquitto_acl({"groups": [group]})
    assert str(caught.value) == f"mosquitto_acl: {message}"
