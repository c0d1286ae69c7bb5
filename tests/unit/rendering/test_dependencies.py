# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a template reads is found in its text, and where it is not, nothing is concluded."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.bulwark.mqtt.plugins.module_utils._rendering.dependencies import Analyst, Needs

A = Needs(frozenset({"a"}))


@pytest.fixture
def role(tmp_path: Path) -> Path:
    """A role with a template and a file."""
    for folder in ("templates", "files"):
        (tmp_path / folder).mkdir()
    (tmp_path / "templates/a.conf.j2").write_text(
        "{% for item in items %}{{ item | bulwark.mqtt.x }}{{ other }}{% endfor %}"
    )
    (tmp_path / "templates/b.conf.j2").write_text("{% include 'a.conf.j2' %}")
    (tmp_path / "files/c.js").write_text("{{ not_a_template }}")
    return tmp_path


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ("plain", set()),
        (3, set()),
        ("{{ a }}{% if b is defined %}{{ c | default(d) }}{% endif %}", {"a", "b", "c", "d"}),
        ({"x": ["{{ a }}", {"y": "{{ b.c }}"}], "z": True}, {"a", "b"}),
        ("{{ lookup('bulwark.mqtt.template', 'a.conf.j2') }}", {"items", "other"}),
        ("{{ lookup('ansible.builtin.file', 'c.js', rstrip=false) }}", set()),
        ("{{ [x for_y] if", None),
        ("{{ vars['a'] }}", None),
        ("{{ hostvars.other.a }}", None),
        ("{{ lookup('bulwark.mqtt.template', 'b.conf.j2') }}", None),
        ("{{ lookup('bulwark.mqtt.template', name) }}", None),
        ("{{ lookup('bulwark.mqtt.template', 'a.conf.j2', template_vars=a) }}", None),
        ("{{ lookup('bulwark.mqtt.template', 'a.conf.j2', **options) }}", None),
        ("{{ lookup('ansible.builtin.env', 'HOME') }}", None),
        ("{{ query('ansible.builtin.varnames', '^a') }}", None),
        ("{{ [1] | map(lookup) }}", None),
        ("{{ 60 | random(seed=a) }}", None),
        ("{{ '{{ a }}' }}", None),
        ("{{ now() }}", None),
    ],
)
def test_the_names_that_a_value_reads(role: Path, value: object, names: set[str] | None):
    found = Analyst().needs(value, role=role)
    assert found.open if names is None else found == Needs(frozenset(names))


def test_what_variables_read_belongs_to_it(role: Path):
    variables = {"a": "{{ b }}", "b": ["{{ c }}"], "c": 1, "unrelated": "{{ lookup('ansible.builtin.env', 'HOME') }}"}
    assert Analyst().reached(A, variables, role=role) == Needs(frozenset({"a", "b", "c"}))
    assert Analyst().reached(A, {**variables, "c": "{{ unrelated }}"}, role=role).open


def test_variables_that_read_each_other_are_no_end(role: Path):
    assert Analyst().reached(A, {"a": "{{ b }}", "b": "{{ a }}"}, role=role).names == {"a", "b"}
