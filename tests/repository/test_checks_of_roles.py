# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The checkers of roles find what they are for."""

from __future__ import annotations

from pathlib import Path

import pytest
from checks import roles, specs
from checks.tree import Write

SPEC = """
    argument_specs:
      main:
        options:
          r_port:
            description: Port.
            type: int
            default: 8883
          r_secret:
            description: Secret.
            type: str
            required: true
"""


@pytest.fixture
def role(tmp_path: Path, write: Write) -> Path:
    """A role whose API is in order."""
    write("r/meta/argument_specs.yml", SPEC)
    write("r/defaults/main.yml", "# Port.\nr_port: 8883\n\n# Secret.\n#\n# r_secret: x\n")
    write("r/vars/main.yml", "__r_user: x\n")
    return tmp_path / "r"


def test_a_role_in_order_has_no_findings(role: Path):
    assert specs.disagreements(role) == []
    assert specs.incomplete(role) == []
    assert specs.foreign_names(role) == []
    assert specs.uncommented_defaults(role) == []


@pytest.mark.parametrize(
    ("defaults", "finding"),
    [
        pytest.param(
            "# Port.\nr_port: 1883\n# r_secret: x\n",
            "r: r_port is 1883 in defaults/main.yml and 8883 in argument_specs",
            id="another-value",
        ),
        pytest.param(
            "# Port.\nr_port: '8883'\n# r_secret: x\n",
            'r: r_port is "8883" in defaults/main.yml and 8883 in argument_specs',
            id="another-type",
        ),
        pytest.param(
            "# r_secret: x\n",
            "r: r_port has a default in argument_specs only, where Ansible ignores it",
            id="only-in-the-spec",
        ),
        pytest.param(
            "r_port: 8883\n",
            "r: r_secret has no default and is not in a comment of defaults/main.yml either",
            id="required-and-not-shown",
        ),
        pytest.param(
            "r_port: 8883\nr_secret: changeme\n",
            "r: r_secret has a default in defaults/main.yml that argument_specs does not know",
            id="default-for-what-is-required",
        ),
        pytest.param(
            "r_port: 8883\nr_prot: 1\n# r_secret: x\n",
            "r: r_prot has a default but no description in argument_specs",
            id="not-described",
        ),
    ],
)
def test_defaults_that_say_something_else_than_the_spec_are_found(
    role: Path, write: Write, defaults: str, finding: str
):
    write("r/defaults/main.yml", defaults)
    assert finding in specs.disagreements(role)


def test_another_order_is_found(role: Path, write: Write):
    write("r/meta/argument_specs.yml", SPEC.replace("            required: true", "            default: x"))
    write("r/defaults/main.yml", "r_secret: x\nr_port: 8883\n")
    assert specs.disagreements(role) == [
        "r: defaults/main.yml and argument_specs list the variables in different orders"
    ]


def test_true_and_one_are_different_values(role: Path, write: Write):
    write("r/meta/argument_specs.yml", SPEC.replace("8883", "1"))
    write("r/defaults/main.yml", "r_port: true\n# r_secret: x\n")
    assert specs.disagreements(role) == ["r: r_port is true in defaults/main.yml and 1 in argument_specs"]


def test_options_that_do_not_fit_together_are_found(role: Path, write: Write):
    write(
        "r/meta/argument_specs.yml",
        """
        argument_specs:
          main:
            options:
              r_list: {description: x, type: list}
              r_text: {description: x, type: str, options: {a: {type: str, description: x}}}
              r_both: {description: x, type: str, required: true, default: a}
              r_pick: {description: x, type: str, choices: [a], default: b}
              r_deep: {description: x, type: dict, options: {inner: {type: str}}}
        """,
    )
    assert specs.incomplete(role) == [
        "r: r_list has type list and no elements",
        "r: r_text has options, which only a dict or a list of dict can have",
        "r: r_both is required and has a default",
        "r: r_pick has a default that is not one of its choices",
        "r: r_deep.inner has no description",
    ]


def test_names_without_the_prefix_of_the_role_are_found(role: Path, write: Write):
    write("r/meta/argument_specs.yml", SPEC.replace("r_port", "port"))
    write("r/vars/main.yml", "__user: x\nr_firewall_rules: []\nr_rules: []\n")
    assert specs.foreign_names(role) == [
        "r: port does not begin with r_",
        "r: __user in vars/main.yml does not begin with __r_",
        "r: r_rules in vars/main.yml does not begin with __r_",
    ]


def test_a_default_without_a_comment_is_found(role: Path, write: Write):
    write("r/defaults/main.yml", "# Port.\n\nr_port: 8883\n")
    assert specs.uncommented_defaults(role) == ["r: r_port has no comment above it in defaults/main.yml"]


def test_every_missing_file_and_section_is_named(tmp_path: Path, write: Write):
    write("r/README.md", "# r\n\n## How it behaves\n\n## Variables\n\n## Rollback\n")
    assert "r: has no tasks/preflight.yml" in roles.missing_files(tmp_path / "r")
    assert roles.readme_sections(tmp_path / "r") == ["r: README.md has no section '## Troubleshooting'"]
    assert roles.untested(tmp_path / "r", tmp_path) == ["r: has no Molecule scenario molecule/r"]


def test_tasks_in_the_table_of_contents_are_found(tmp_path: Path, write: Write):
    write("r/tasks/install.yml", "[]")
    write(
        "r/tasks/main.yml",
        """
        - name: Install
          ansible.builtin.import_tasks: install.yml
        - name: Configure
          ansible.builtin.include_tasks: configure.yml
        - name: Start
          ansible.builtin.import_tasks: start.yml
        """,
    )
    assert roles.table_of_contents(tmp_path / "r") == [
        "r: entry 2 of tasks/main.yml has ansible.builtin.include_tasks",
        "r: entry 2 of tasks/main.yml imports nothing",
        "r: tasks/main.yml imports start.yml, which is not there",
        "r: tasks/main.yml does not begin with preflight.yml under tags: [always]",
    ]


PREFLIGHT = """
    - name: Preflight | Reject mistyped variables
      when: __r_unknown | length > 0
      ansible.builtin.fail:
        msg: "Unknown variables, check the spelling: {{ __r_unknown | join(', ') }}"
      vars:
        __r_spec: "{{ lookup('ansible.builtin.file', role_path ~ '/meta/argument_specs.yml') | from_yaml }}"
        __r_unknown: >-
          {{ query('ansible.builtin.varnames', '^r_')
             | difference(__r_spec.argument_specs.main.options) }}
"""

PUBLISHED = """
        __r_published: >-
          {{ lookup('ansible.builtin.file', role_path ~ '/vars/main.yml') | from_yaml | select('match', 'r_') }}
"""


def test_the_check_for_mistyped_variables_is_recognised(tmp_path: Path, write: Write):
    write("r/tasks/preflight.yml", PREFLIGHT)
    write("r/vars/main.yml", "__r_user: x\n")
    assert roles.typo_check(tmp_path / "r") == []


def test_what_a_role_publishes_is_no_mistyped_variable(tmp_path: Path, write: Write):
    write("r/vars/main.yml", "r_firewall_rules: []\n")
    write("r/tasks/preflight.yml", PREFLIGHT)
    assert len(roles.typo_check(tmp_path / "r")) == 1
    write(
        "r/tasks/preflight.yml", PREFLIGHT.replace("options) }}", "options) | difference(__r_published) }}") + PUBLISHED
    )
    assert roles.typo_check(tmp_path / "r") == []


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        pytest.param("'^r_'", "'^other_'", id="the-prefix-of-another-role"),
        pytest.param("> 0", "> 99", id="a-condition-that-never-holds"),
        pytest.param("ansible.builtin.fail", "ansible.builtin.debug", id="only-said"),
    ],
)
def test_a_check_for_mistyped_variables_that_checks_nothing_is_found(
    tmp_path: Path, write: Write, was: str, becomes: str
):
    write("r/vars/main.yml", "__r_user: x\n")
    write("r/tasks/preflight.yml", PREFLIGHT.replace(was, becomes))
    assert roles.typo_check(tmp_path / "r") == [
        "r: tasks/preflight.yml does not begin with the check for mistyped variables in its usual form"
    ]


def test_a_list_in_an_order_by_chance_is_found(role: Path, write: Write):
    write("r/vars/main.yml", "---\n__r_names: \"{{ r_names | union(['a']) }}\"\n")
    assert roles.unordered(role) == ["r/vars/main.yml:2: has union, which keeps no order; write (a + b) | unique"]
