# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One command runs everything, nothing on disk is left out, and nothing names the machine it was written on."""

from __future__ import annotations

from pathlib import Path

import pytest
from checks import project, tree
from checks.report import nothing

MAKEFILE = tree.ROOT / "Makefile"
SCENARIOS = tree.scenarios(tree.ROOT)
TARGETS = tree.targets(tree.ROOT)


def text(name: str) -> str:
    """The text of a file in the repository."""
    return (tree.ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("command", ["quickstart", "test"])
def test_the_readme_names_both_commands_and_make_knows_them(command: str):
    assert f"$ make {command}\n" in text("README.md")
    assert command in project.make_targets(MAKEFILE)


def test_every_make_target_has_a_line_of_help():
    nothing(project.targets_without_help(MAKEFILE))


def test_ci_runs_what_a_developer_runs():
    assert "make test" in text(".ci/run")
    workflows = list((tree.ROOT / ".github/workflows").glob("*.yml"))
    assert workflows
    for workflow in workflows:
        body = workflow.read_text(encoding="utf-8")
        assert ".ci/run" in body or "make test" in body, f"{workflow.name} runs something else"


@pytest.mark.parametrize(
    "command",
    [
        "ruff check .",
        "mypy",
        "yamllint --strict .",
        "ansible-lint --offline",
        "antsibull-changelog lint",
        "pytest tests/repository",
        "pytest tests/unit",
        "tests/tools/ansible_test sanity",
        "tests/tools/ansible_test integration",
    ],
)
def test_make_test_runs_every_kind_of_test(command: str):
    assert command in project.would_run(tree.ROOT, "test")


def test_make_test_runs_every_scenario_on_disk():
    assert SCENARIOS
    nothing(project.left_out(tree.ROOT, "test", [path.name for path in SCENARIOS]))


def test_every_integration_target_on_disk_is_run():
    assert TARGETS
    nothing(project.unrun_targets(tree.ROOT))


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda path: path.name)
def test_every_scenario_converges_and_verifies(scenario: Path):
    nothing(project.incomplete_scenarios(scenario))


def test_every_playbook_has_a_name_that_can_be_called():
    assert tree.playbooks(tree.ROOT)
    nothing(found for path in tree.playbooks(tree.ROOT) for found in project.badly_named(path))


def test_the_release_and_the_changelogs_agree_on_the_version():
    nothing(project.release(tree.ROOT))


def test_the_readme_installs_the_version_that_make_builds():
    galaxy = tree.read(tree.ROOT / "galaxy.yml")
    assert f"{galaxy['namespace']}-{galaxy['name']}-{galaxy['version']}.tar.gz" in text("README.md")


def test_no_file_names_a_machine_path_or_a_package_registry():
    files = tree.tracked(tree.ROOT)
    assert files
    nothing(found for path in files for found in project.machine_paths(path, root=tree.ROOT))


def test_every_yaml_file_parses():
    files = [path for path in tree.tracked(tree.ROOT) if path.suffix in {".yml", ".yaml"}]
    assert files
    nothing(found for path in files for found in project.unparsable(path))
