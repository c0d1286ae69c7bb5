# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One command runs everything, nothing on disk is left out, and nothing names the machine it was written on."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import scenarios
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


def requires(scenario: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """What a scenario says of this machine where nothing is named of what it requires, but for `environment`."""
    return subprocess.run(
        [tree.ROOT / "molecule" / scenario / "requires"],
        cwd=tree.ROOT,
        env={**{key: value for key, value in os.environ.items() if not key.startswith("BULWARK_")}, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


CONDITIONAL = [path.name for path in SCENARIOS if (path / "requires").is_file()]


def test_there_are_scenarios_that_require_something():
    assert CONDITIONAL


@pytest.mark.parametrize("scenario", CONDITIONAL)
def test_a_scenario_says_what_it_lacks(scenario: str):
    lacking = requires(scenario)
    assert (lacking.returncode, lacking.stdout) == (scenarios.SKIP, "no EMQX package\n")


def test_what_is_named_and_is_not_there_is_an_error_and_no_reason_to_skip():
    wrong = requires("emqx", BULWARK_EMQX_PACKAGE="/nonexistent.tar.gz")
    assert wrong.returncode == 1
    assert wrong.stderr == ("BULWARK_EMQX_PACKAGE: /nonexistent.tar.gz is not there; correct the path, or unset it\n")


def test_a_repository_that_cannot_be_reached_is_a_reason_to_skip():
    away = requires("emqx", BULWARK_EMQX_KEY_FINGERPRINT="A" * 40, BULWARK_EMQX_REPOSITORY="http://127.0.0.1:9/")
    assert (away.returncode, away.stdout) == (scenarios.SKIP, "no EMQX package\n")


def test_the_run_of_all_scenarios_ends_with_how_each_of_them_ended():
    summary = project.would_run(tree.ROOT, "molecule")[-1].split()
    assert summary[:3] == ["python", "tests/tools/scenarios.py", "summary"]
    assert sorted(summary[3:]) == [path.name for path in SCENARIOS]


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


def test_no_two_unit_test_files_have_one_name():
    nothing(project.repeated_names(tree.ROOT))
