# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the pages say is so: tables are generated, examples parse, variables exist, links lead somewhere."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from types import ModuleType

import fleet_schema
import generated
import plugin_index
import pytest
import role_readme
from checks import markdown, messages, tree, variables
from checks.report import nothing

PAGES = tree.markdown(tree.ROOT)
INVENTORIES = sorted(tree.ROOT.glob("examples/*/inventory.yml"))
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(tree.ROOT)))
every_inventory = pytest.mark.parametrize("inventory", INVENTORIES, ids=lambda path: path.parent.name)
every_playbook = pytest.mark.parametrize("playbook", tree.playbooks(tree.ROOT), ids=lambda path: path.stem)


@cache
def known_variables() -> set[str]:
    """What a user can set."""
    return variables.known(tree.ROOT)


@cache
def printed() -> set[str]:
    """What the code can print."""
    return messages.printed(tree.ROOT)


def test_there_are_pages_and_examples_to_check():
    assert {tree.ROOT / "README.md", tree.ROOT / "CONTRIBUTING.md", tree.ROOT / "SECURITY.md"} <= set(PAGES)
    assert INVENTORIES


@pytest.mark.parametrize("generator", [role_readme, plugin_index, fleet_schema], ids=lambda tool: tool.__name__)
def test_generated_text_is_up_to_date(generator: ModuleType):
    nothing(f"{path}: run `make docs`" for path in generated.outdated(generator.wanted(tree.ROOT)))


@every_page
def test_yaml_in_the_pages_parses_and_sets_variables_that_exist(page: Path):
    nothing(markdown.bad_yaml(page, known_variables()))


@every_page
def test_pages_quote_the_examples_word_for_word(page: Path):
    nothing(markdown.misquoted(page))


@every_page
def test_relative_links_lead_somewhere(page: Path):
    nothing(markdown.broken_links(page))


@every_page
def test_troubleshooting_explains_messages_that_the_code_prints(page: Path):
    nothing(messages.unheard_of(page, printed()))


@every_inventory
def test_example_inventories_load_and_set_variables_that_exist(inventory: Path):
    nothing(variables.unknown_in_inventory(inventory, known_variables()))


@every_inventory
def test_every_example_is_run_by_a_scenario_or_by_make(inventory: Path):
    example = str(inventory.parent.relative_to(tree.ROOT))
    patterns = ("Makefile", "molecule/*/*.yml", "tests/tools/*", "tests/quickstart/*")
    users = [path for pattern in patterns for path in tree.ROOT.glob(pattern)]
    texts = [tree.text_of(path) or "" for path in users if path.is_file()]
    assert any(example in text for text in texts), f"nothing runs {example}"


@every_playbook
def test_every_playbook_explains_the_variables_it_reads(playbook: Path):
    nothing(variables.unexplained(playbook))
