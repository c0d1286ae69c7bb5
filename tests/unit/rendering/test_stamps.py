# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Variables of two hosts have the same stamp where they are the same with all that they are made from."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.bulwark.mqtt.plugins.module_utils._rendering.dependencies import Analyst, Needs
from ansible_collections.bulwark.mqtt.plugins.module_utils._rendering.stamps import Numbers, Stamps

ANALYST = Analyst()
A = Needs(frozenset({"a"}))
OTHER = "{{ lookup('ansible.builtin.env', 'HOME') }}"


def stamp(numbers: Numbers, variables: dict[str, object], needs: Needs = A) -> tuple[int, ...] | None:
    """That of what needs `a`."""
    return Stamps(variables, numbers, ANALYST, role=Path("/role")).of(needs)


@pytest.mark.parametrize(
    ("first", "second", "alike"),
    [
        ({"a": [1, "x"]}, {"a": [1, "x"]}, True),
        ({"a": 1}, {"a": True}, False),
        ({"a": 1}, {"a": "1"}, False),
        ({"a": {"x": 1, "y": 2}}, {"a": {"y": 2, "x": 1}}, False),
        ({"a": 1, "other": 1}, {"a": 1, "other": 2}, True),
        ({"a": None}, {}, False),
        ({}, {}, True),
        ({"a": object()}, {"a": object()}, False),
        ({"a": "{{ b }}", "b": 1}, {"a": "{{ b }}", "b": 1}, True),
        ({"a": "{{ b }}", "b": 1}, {"a": "{{ b }}", "b": 2}, False),
        ({"a": ["{{ b }}"], "b": "{{ c }}", "c": 1}, {"a": ["{{ b }}"], "b": "{{ c }}", "c": 2}, False),
        ({"a": "{{ b }}", "b": 1}, {"a": "{{ c }}", "c": 1}, False),
    ],
)
def test_the_same_values_have_the_same_stamp(first: dict[str, object], second: dict[str, object], alike: bool):
    numbers = Numbers(trusted=lambda _text: True)
    assert (stamp(numbers, first) == stamp(numbers, second)) is alike


@pytest.mark.parametrize("variables", [{"a": OTHER}, {"a": "{{ b }}", "b": OTHER}, {"a": "{{ b }}", "b": "{{ a }}"}])
def test_what_cannot_be_told_has_none(variables: dict[str, object]):
    assert stamp(Numbers(trusted=lambda _text: True), variables) is None


def test_what_needs_more_than_names_has_none():
    assert stamp(Numbers(trusted=lambda _text: True), {"a": 1}, Needs(frozenset({"a"}), open=True)) is None


def test_a_template_is_not_the_same_as_the_text_of_one():
    trust = iter([True, False])
    numbers = Numbers(trusted=lambda _text: next(trust))
    assert stamp(numbers, {"a": "{{ x }}"}) != stamp(numbers, {"a": "{{ x }}"})
