# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every role is built alike, and its documentation says what it does."""

from __future__ import annotations

from pathlib import Path

import pytest
from checks import roles, specs, tree
from checks.report import nothing

ROLES = tree.roles(tree.ROOT)
every_role = pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)


def test_there_are_roles_to_check():
    assert ROLES


@every_role
def test_every_role_has_the_same_files(role: Path):
    nothing(roles.missing_files(role))


@every_role
def test_the_main_task_file_is_a_table_of_contents(role: Path):
    nothing(roles.table_of_contents(role))


@every_role
def test_preflight_begins_by_refusing_mistyped_variables(role: Path):
    nothing(roles.typo_check(role))


@every_role
def test_defaults_and_argument_specs_agree_in_names_values_and_order(role: Path):
    nothing(specs.disagreements(role))


@every_role
def test_every_option_has_a_type_and_a_description_that_fit_together(role: Path):
    nothing(specs.incomplete(role))


@every_role
def test_no_list_of_a_role_is_in_an_order_by_chance(role: Path):
    nothing(roles.unordered(role))


@every_role
def test_every_default_has_a_comment_above_it(role: Path):
    nothing(specs.uncommented_defaults(role))


@every_role
def test_variables_carry_the_prefix_of_their_role(role: Path):
    nothing(specs.foreign_names(role))


@every_role
def test_every_readme_has_the_same_sections(role: Path):
    nothing(roles.readme_sections(role))


@every_role
def test_every_role_has_a_molecule_scenario_of_its_name(role: Path):
    nothing(roles.untested(role, tree.ROOT))
