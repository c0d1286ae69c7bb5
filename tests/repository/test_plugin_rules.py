# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Modules and filters are documented truthfully and tested."""

from __future__ import annotations

from pathlib import Path

import pytest
from checks import plugins, tree
from checks.report import nothing

MODULES = tree.modules(tree.ROOT)
FILTERS = tree.filters(tree.ROOT)
every_module = pytest.mark.parametrize("module", MODULES, ids=lambda module: module.stem)


def test_there_are_modules_and_filters_to_check():
    assert MODULES
    assert FILTERS


@every_module
def test_every_module_has_documentation_examples_and_return_values(module: Path):
    nothing(plugins.undocumented(module))


@every_module
def test_every_return_value_says_what_it_is_and_when_it_is_returned(module: Path):
    nothing(plugins.untyped_returns(module))


@every_module
def test_documentation_and_code_name_the_same_parameters(module: Path):
    nothing(plugins.unlike_its_spec(module))


@every_module
def test_examples_use_full_names_and_documented_parameters(module: Path):
    nothing(plugins.bad_examples(module))


@every_module
def test_every_module_is_tested(module: Path):
    nothing(plugins.untested(module, tree.ROOT))


@pytest.mark.parametrize("plugin", FILTERS, ids=lambda plugin: plugin.stem)
def test_every_filter_has_its_documentation_beside_it(plugin: Path):
    nothing(plugins.undocumented_filters(plugin))
