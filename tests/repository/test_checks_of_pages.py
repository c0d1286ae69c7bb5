# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The checkers of pages and inventories find what they are for."""

from __future__ import annotations

from pathlib import Path

import pytest
from checks import markdown, variables
from checks.tree import Write

KNOWN = {"r_port"}


def page(body: str, *, lead: str = "Text.") -> str:
    """A page with one block of YAML."""
    return f"# Page\n\n{lead}\n\n```yaml\n{body}```\n"


@pytest.mark.parametrize(
    ("body", "finding"),
    [
        pytest.param("r_prot: 1\n", "sets r_prot, which no role and no playbook reads", id="variables-file"),
        pytest.param(
            "- hosts: all\n  vars: {r_prot: 1}\n", "sets r_prot, which no role and no playbook reads", id="play"
        ),
        pytest.param(
            "- hosts: all\n  roles: [{role: r, vars: {r_prot: 1}}]\n",
            "sets r_prot, which no role and no playbook reads",
            id="role-in-a-play",
        ),
        pytest.param(
            "brokers:\n  hosts:\n    a.example: {r_prot: 1}\n",
            "sets r_prot, which no role and no playbook reads",
            id="inventory",
        ),
        pytest.param("r_port: [1\n", "the YAML does not parse", id="not-yaml"),
    ],
)
def test_yaml_that_sets_what_nobody_reads_is_found_with_its_line(write: Write, body: str, finding: str):
    path = write("page.md", page(body))
    [found] = markdown.bad_yaml(path, KNOWN)
    assert found.startswith(f"{path}:5: {finding}")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("r_port: 1\n", id="known"),
        pytest.param("ansible_host: 192.0.2.1\nvault_x: y\n", id="ansible-and-vault"),
        pytest.param("brokers:\n  hosts:\n    a.example:\n  vars: {r_port: 1}\n", id="inventory"),
        pytest.param("- name: X\n  bulwark.mqtt.thing: {size: 1}\n", id="task"),
    ],
)
def test_yaml_that_sets_what_exists_has_no_findings(write: Write, body: str):
    assert markdown.bad_yaml(write("page.md", page(body)), KNOWN) == []


def test_a_quotation_that_is_not_what_the_file_says_is_found(write: Write):
    write("examples/one/inventory.yml", "a: 1\nb: 2\n")
    lead = "This is [examples/one/inventory.yml](examples/one/inventory.yml):"
    assert markdown.misquoted(write("good.md", page("b: 2\n", lead=lead))) == []
    bad = write("bad.md", page("b: 3\n", lead=lead))
    assert markdown.misquoted(bad) == [f"{bad}:5: is not what examples/one/inventory.yml says"]


def test_links_to_missing_files_and_headings_are_found(write: Write):
    write("there.md", "# There\n\n## One & two\n")
    path = write(
        "page.md",
        "[a](there.md) [b](there.md#one--two) [c](https://a.example) [d](gone.md) [e](there.md#three) [f](#nowhere)\n",
    )
    assert markdown.broken_links(path) == [
        f"{path}: links to gone.md, which is not there",
        f"{path}: links to there.md#three; there.md has no such heading",
        f"{path}: links to #nowhere; page.md has no such heading",
    ]


def test_an_inventory_that_sets_what_nobody_reads_is_found(write: Write):
    path = write("inventory.yml", "all: {hosts: {a.example: {r_port: 1, r_prot: 1}}}\n")
    assert variables.unknown_in_inventory(path, KNOWN) == [f"{path}: sets r_prot, which no role and no playbook reads"]


def test_an_inventory_may_set_what_it_reads_itself(write: Write):
    path = write("inventory.yml", 'all: {hosts: {a.example: {r_port: "{{ base }}", base: 1}}}\n')
    assert variables.unknown_in_inventory(path, KNOWN) == []


def test_an_inventory_that_does_not_load_is_found(write: Write):
    [found] = variables.unknown_in_inventory(write("inventory.yml", "all: {hosts: [\n"), KNOWN)
    assert "inventory.yml" in found


def test_a_variable_of_a_playbook_that_nothing_explains_is_found(tmp_path: Path, write: Write):
    path = write(
        "playbooks/site.yml",
        "# bulwark_serial: hosts at a time\n- serial: '{{ bulwark_serial }}'\n  x: '{{ bulwark_y }}'\n",
    )
    assert variables.unexplained(path) == ["site.yml: reads bulwark_y, which the comment at its top does not explain"]
    assert variables.known(tmp_path) == {"bulwark_serial", "bulwark_y"}
