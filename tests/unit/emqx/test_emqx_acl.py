# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""EMQX's rules from the data that Mosquitto's are made of, and what cannot become one."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.bulwark.mqtt.plugins.filter.emqx_acl import FilterModule

emqx_acl = FilterModule().filters()["emqx_acl"]
UNSAFE, LAST = '{deny, {username, {re, "[+#/]"}}, all, all}.', "{deny, all}."


def rule(topic, access="read"):
    return {"access": access, "topic": topic}


def rules(acl, **options):
    lines = emqx_acl(acl, **options).splitlines()
    assert (lines[0], lines[-1]) == (UNSAFE, LAST)
    return lines[1:-1]


@pytest.mark.parametrize("acl", [{}, {"users": []}, {"patterns": None}], ids=["empty", "no-users", "none"])
def test_without_rules_nobody_may_do_anything(acl):
    assert rules(acl) == []


def test_what_is_denied_comes_first_then_a_clients_own_then_everybodys():
    acl = {
        "patterns": [rule("devices/%u/#", "write"), rule("devices/%c/secret/#", "deny"), rule("news", "read")],
        "users": [{"username": "board", "topics": [rule("a/#", "write"), rule("a/b", "deny")]}],
        "groups": [{"name": "g", "members": ["m1", "board"], "topics": [rule("readings/%u", "write")]}],
    }
    assert rules(acl, denied=["lost"], metrics=["scraper"]) == [
        '{deny, {username, "lost"}, all, all}.',
        '{allow, {username, "scraper"}, subscribe, ["$SYS/#"]}.',
        '{deny, {username, "scraper"}, all, all}.',
        '{deny, {username, "board"}, all, ["a/b"]}.',
        '{allow, {username, "board"}, publish, ["a/#"]}.',
        '{allow, {username, "board"}, publish, ["readings/board"]}.',
        '{allow, {username, "m1"}, publish, ["readings/m1"]}.',
        '{deny, all, all, ["devices/${clientid}/secret/#"]}.',
        '{allow, all, publish, ["devices/${username}/#"]}.',
        '{allow, all, subscribe, ["news"]}.',
    ]


def test_a_plus_as_the_last_level_does_not_let_a_hash_through():
    acl = {"users": [{"username": "a", "topics": [rule("t/+")]}], "patterns": [rule("n/+", "readwrite")]}
    assert rules(acl) == [
        '{deny, {username, "a"}, subscribe, [{eq, "t/#"}]}.',
        '{allow, {username, "a"}, subscribe, ["t/+"]}.',
        '{deny, all, subscribe, [{eq, "n/#"}]}.',
        '{allow, all, all, ["n/+"]}.',
    ]


@pytest.mark.parametrize("wider", ["t/#", "#", "+/#"])
def test_unless_the_client_may_read_all_of_it(wider):
    acl = {"users": [{"username": "a", "topics": [rule("t/+"), rule(wider)]}]}
    assert not [line for line in rules(acl) if "eq" in line]


@pytest.mark.parametrize(("topic", "access"), [("t/+", "write"), ("t/+/x", "read"), ("t/x", "read")])
def test_other_rules_need_no_denial_in_front(topic, access):
    assert len(rules({"users": [{"username": "a", "topics": [rule(topic, access)]}]})) == 1


def test_names_and_topics_are_strings_of_erlang():
    acl = {"users": [{"username": 'a "b" \\', "topics": [rule("ü/\\")]}]}
    assert rules(acl) == ['{allow, {username, "a \\"b\\" \\\\"}, subscribe, ["ü/\\\\"]}.']


@pytest.mark.parametrize(
    ("denied", "allowed"),
    [
        pytest.param("devices/secret", "devices/#", id="below-a-hash"),
        pytest.param("devices/secret/#", "devices/+/x", id="crossing"),
        pytest.param("devices/+", "devices/#", id="wider-than-one-level"),
        pytest.param("a", "a/#", id="the-level-above-a-hash"),
    ],
)
def test_a_denial_that_would_keep_nothing_from_a_subscriber_is_refused(denied, allowed):
    acl = {"users": [{"username": "a", "topics": [rule(denied, "deny"), rule(allowed)]}]}
    with pytest.raises(AnsibleFilterError) as caught:
        emqx_acl(acl)
    assert str(caught.value) == (
        f"emqx_acl: users[0].topics[0]: topic {denied!r} would be delivered on a subscription to {allowed!r}"
        " (users[0].topics[1]), because EMQX looks at subscriptions and not at messages; list what may be read"
        " without it"
    )


def test_so_is_a_clients_denial_of_what_everybody_may_read():
    acl = {"patterns": [rule("devices/%u/#")], "users": [{"username": "a", "topics": [rule("devices/a/x", "deny")]}]}
    with pytest.raises(AnsibleFilterError, match=r"users\[0\]\.topics\[0\]: topic 'devices/a/x' would be delivered"):
        emqx_acl(acl)


@pytest.mark.parametrize(
    ("denied", "allowed"),
    [
        pytest.param(rule("devices/#", "deny"), rule("devices/+"), id="denied-as-a-whole"),
        pytest.param(rule("other/x", "deny"), rule("devices/#"), id="elsewhere"),
        pytest.param(rule("devices/x", "deny"), rule("devices/#", "write"), id="publishing"),
        pytest.param(rule("devices/x", "deny"), rule("devices/y"), id="without-wildcard"),
        pytest.param(rule("a/b/c", "deny"), rule("a/+"), id="deeper"),
    ],
)
def test_a_denial_that_keeps_what_it_says_is_a_rule(denied, allowed):
    assert any(line.startswith("{deny,") for line in rules({"patterns": [denied, allowed]}))


@pytest.mark.parametrize(
    ("acl", "message"),
    [
        ({"anonymous": []}, "the ACL: anonymous is unknown; known are patterns, groups, users"),
        ({"patterns": [{"topic": "a"}]}, "patterns[0]: access is missing"),
        (
            {"patterns": [rule("a", "all")]},
            "patterns[0]: access 'all' is unknown; it is one of read, write, readwrite, deny",
        ),
        ({"patterns": [rule("a+/b")]}, "patterns[0]: topic 'a+/b' has a + that is not alone between two slashes"),
        ({"patterns": [rule("a/" * 128 + "a")]}, None),
        (
            {"patterns": [rule("eq a")]},
            "patterns[0]: topic 'eq a' begins with 'eq ', which EMQX takes for an operator",
        ),
        (
            {"patterns": [rule("d/${username}")]},
            (
                "patterns[0]: topic 'd/${username}' has ${, with which EMQX begins a placeholder; write %u for the"
                " client's name and %c for its identifier"
            ),
        ),
        (
            {"patterns": [rule("d/%u/+")]},
            (
                "patterns[0]: topic 'd/%u/+' ends with +, and EMQX lets a subscription with # in its place through;"
                " name the level, or end with #"
            ),
        ),
        (
            {"users": [{"username": "a", "topics": [rule("d/%u")]}]},
            "users[0].topics[0]: topic 'd/%u' has %u or %c, which the broker replaces in patterns only",
        ),
        (
            {"users": [{"username": "+", "topics": []}]},
            (
                "users[0]: username '+' has one of + # /, with which it would reach other clients' topics;"
                " rename the client"
            ),
        ),
        (
            {"users": [{"username": "a", "topics": []}, {"username": "a", "topics": []}]},
            "users[1]: username 'a' is there twice; give all its topics in one entry",
        ),
        (
            {"groups": [{"name": "g", "members": ["a"], "topics": [rule("d/%c")]}]},
            (
                "groups[0].topics[0]: topic 'd/%c' has %c, which the broker replaces in patterns only;"
                " a group's topics have %u"
            ),
        ),
    ],
)
def test_what_cannot_become_a_rule_is_an_error_that_names_it(acl, message):
    with pytest.raises(AnsibleFilterError) as caught:
        emqx_acl(acl)
    topic = "a/" * 128 + "a"
    expected = message or f"patterns[0]: topic {topic!r} has 129 levels; the broker allows 128"
    assert str(caught.value) == f"emqx_acl: {expected}"


def test_a_client_that_reads_metrics_has_no_other_rules():
    with pytest.raises(AnsibleFilterError) as caught:
        emqx_acl({"users": [{"username": "a", "topics": []}]}, metrics=["a"])
    assert str(caught.value) == (
        "emqx_acl: metrics[0]: name 'a' has rules among users or groups, too; take it out there"
    )
