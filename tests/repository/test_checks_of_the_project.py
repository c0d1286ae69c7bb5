# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The checkers of the project as a whole find what they are for."""

from __future__ import annotations

from pathlib import Path

import pytest
from checks import project
from checks.tree import Write

# Put together here, so that this file does not name what it forbids.
CHECKOUT = "/" + "workspace"
REGISTRY = "registry" + ".npmjs.org"


@pytest.mark.parametrize(
    ("line", "hit"),
    [
        pytest.param(f"cd {CHECKOUT}/x", CHECKOUT, id="checkout"),
        pytest.param("path: '/" + "home/alice/x'", "/" + "home/alice", id="home"),
        pytest.param(f"npm --registry https://{REGISTRY}/", REGISTRY, id="registry"),
    ],
)
def test_machine_paths_and_registries_are_found_with_their_line(write: Write, tmp_path: Path, line: str, hit: str):
    path = write("file", f"first\n{line}\n")
    assert project.machine_paths(path, root=tmp_path) == [f"{path}:2: names {hit}"]


def test_the_path_of_the_checkout_itself_is_found(write: Write, tmp_path: Path):
    path = write("file", f"{tmp_path}/x\n")
    assert project.machine_paths(path, root=tmp_path) == [f"{path}:1: names {tmp_path}"]


@pytest.mark.parametrize(
    "line", ["owner: root", "/etc/bulwark/root/x", "https://example.com/work", "docs/workspace/x", "{{ x }}/root"]
)
def test_what_only_looks_like_a_machine_path_is_allowed(write: Write, line: str):
    assert project.machine_paths(write("file", line), root=Path("/nowhere")) == []


def test_a_make_target_without_help_is_found(write: Write):
    makefile = write(
        "Makefile", "X := 1\nlint: venv  ## Check the style\n\truff\nclean:\n\trm x\n.cache/x: y\n\ttouch x\n"
    )
    assert project.make_targets(makefile) == {"lint": "Check the style", "clean": ""}
    assert project.targets_without_help(makefile) == ["Makefile: target clean has no help"]


@pytest.mark.parametrize("name", ["enroll-devices", "Site", "issue_all_now", "issue2"])
def test_a_playbook_that_is_not_called_verb_or_verb_noun_is_found(name: str):
    assert project.badly_named(Path(f"{name}.yml")) != []


@pytest.mark.parametrize("name", ["site", "rollover_ca"])
def test_a_playbook_called_verb_or_verb_noun_is_fine(name: str):
    assert project.badly_named(Path(f"{name}.yml")) == []


def test_a_release_without_changelog_is_found(tmp_path: Path, write: Write):
    write("galaxy.yml", "version: 1.2.0\n")
    assert project.release(tmp_path) == ["galaxy.yml has version 1.2.0, the changelogs no release and 0 fragments"]


def test_a_version_that_is_behind_the_changelog_is_found(tmp_path: Path, write: Write):
    write("galaxy.yml", "version: 1.2.0\n")
    write("changelogs/changelog.yaml", "releases: {1.2.0: {}, 1.10.0: {}}\n")
    assert project.release(tmp_path) != []


@pytest.mark.parametrize("name", ["changelogs/changelog.yaml", "changelogs/fragments/1.yml"])
def test_a_released_version_and_one_with_fragments_are_fine(tmp_path: Path, write: Write, name: str):
    write("galaxy.yml", "version: 1.2.0\n")
    write(name, "releases: {1.2.0: {}}\n")
    assert project.release(tmp_path) == []


def test_a_scenario_that_verifies_nothing_is_found(tmp_path: Path, write: Write):
    write("molecule/x/molecule.yml", "{}")
    write("molecule/x/converge.yml", "[]")
    assert project.incomplete_scenarios(tmp_path / "molecule/x") == ["molecule/x: has no verify.yml"]


RUN = "\n$(SCENARIOS):\n\tpython tests/tools/scenarios.py run $@\n"


def test_a_scenario_that_make_would_not_run_is_found(tmp_path: Path, write: Write):
    write("molecule/new/molecule.yml", "{}")
    write("Makefile", "SCENARIOS := pki\ntest: $(SCENARIOS) ## Test" + RUN)
    assert project.left_out(tmp_path, "test", ["pki", "new"]) == ["molecule/new: make test does not run it"]


def test_scenarios_that_make_finds_by_listing_the_folder_are_run(tmp_path: Path, write: Write):
    write("molecule/new/molecule.yml", "{}")
    write("Makefile", "SCENARIOS := $(notdir $(wildcard molecule/*))\ntest: $(SCENARIOS) ## Test" + RUN)
    assert project.left_out(tmp_path, "test", ["new"]) == []


@pytest.mark.parametrize(
    ("aliases", "scenario", "findings"),
    [
        pytest.param("", "", [], id="ansible-test-runs-it"),
        pytest.param("unsupported\n", "targets: [thing]\n", [], id="a-scenario-runs-it"),
        pytest.param(
            "unsupported\n",
            "targets: [thing_else]\n",
            ["thing: its aliases keep ansible-test from running it, and no scenario does"],
            id="nobody-runs-it",
        ),
    ],
)
def test_an_integration_target_that_nobody_runs_is_found(
    tmp_path: Path, write: Write, aliases: str, scenario: str, findings: list[str]
):
    write("tests/integration/targets/thing/aliases", aliases)
    write("molecule/x/verify.yml", scenario)
    assert project.unrun_targets(tmp_path) == findings


def test_yaml_that_does_not_parse_is_found(write: Write):
    assert project.unparsable(write("x.yml", "a: *.example.com\n")) != []


def test_two_unit_test_files_of_one_name_are_found(tmp_path: Path, write: Write):
    for folder in ("a", "b"):
        write(f"tests/unit/{folder}/conftest.py", "")
        write(f"tests/unit/{folder}/test_x.py", "")
    write("tests/unit/b/test_y.py", "")
    assert project.repeated_names(tmp_path) == ["test_x.py: is in tests/unit/a and in tests/unit/b; rename one"]
