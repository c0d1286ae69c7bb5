# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`init` writes what it was asked for, once, and nothing over what is there."""

from __future__ import annotations

import os
import re
import tarfile
from pathlib import Path

import pytest
import yaml
from init_samples import ROOT, Repository, files, init, message, passes

ALWAYS = {
    ".ansible-lint",
    ".gitignore",
    ".yamllint",
    "README.md",
    "ansible.cfg",
    "execution-environment.yml",
    "fleet.yml",
    "group_vars/all/main.yml",
    "requirements.txt",
    "requirements.yml",
}
GITHUB = {
    ".github/actions/setup/action.yml",
    ".github/workflows/deploy.yml",
    ".github/workflows/nightly.yml",
    ".github/workflows/review.yml",
}
GITLAB = {".gitlab-ci.yml"}
PIPELINES = {"github": GITHUB, "gitlab": GITLAB, "both": GITHUB | GITLAB, "none": set[str]()}
SECRETS = {"vault": {"scripts/vault-password"}, "sops": {".sops.yaml"}}


@pytest.mark.parametrize("secrets", SECRETS)
@pytest.mark.parametrize("pipeline", PIPELINES)
def test_the_answers_choose_the_files(repository: Repository, pipeline: str, secrets: str):
    written = files(repository(pipeline, secrets))
    assert written.keys() == ALWAYS | PIPELINES[pipeline] | SECRETS[secrets]
    # So that what is true of the files of `both` is true of all.
    both = files(repository("both", secrets))
    assert {name: text for name, text in written.items() if name != "README.md"}.items() <= both.items()


@pytest.mark.parametrize("secrets", SECRETS)
def test_the_readme_speaks_of_what_is_there_and_of_nothing_else(repository: Repository, secrets: str):
    for pipeline, has in PIPELINES.items():
        readme = files(repository(pipeline, secrets))["README.md"]
        assert readme.startswith("# The MQTT fleet of Exämple\n")
        assert ("**GitHub**" in readme) == bool(has & GITHUB)
        assert ("**GitLab**" in readme) == bool(has & GITLAB)
        assert ("ansible-vault encrypt_string" in readme, "age-keygen" in readme) == (
            secrets == "vault",
            secrets == "sops",
        )


def test_no_file_is_left_with_a_gap(repository: Repository):
    for secrets in SECRETS:
        for name, text in files(repository("both", secrets)).items():
            assert not re.search(r"{%|<<|%}|\n\n\n", text), name
            assert text.endswith("\n"), name
            assert not text.endswith("\n\n"), name


def test_what_is_written_names_playbooks_and_variables_that_exist(repository: Repository):
    playbooks = {path.stem: path.read_text(encoding="utf-8") for path in ROOT.glob("playbooks/*.yml")}
    for secrets in SECRETS:
        for name, text in files(repository("both", secrets)).items():
            known = playbooks.keys() | ({"fleet"} if name == "fleet.yml" else set())
            assert set(re.findall(r"\bbulwark\.mqtt\.(?!git\b)(\w+)", text)) <= known, name
            for playbook, variable in re.findall(r"bulwark\.mqtt\.(\w+) .*(bulwark_\w+)=", text):
                assert f"# {variable} " in playbooks[playbook], f"{name}: {variable}"


def test_the_collection_is_asked_for_in_the_version_that_wrote_it(repository: Repository):
    galaxy = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))
    wanted = yaml.safe_load(files(repository("none", "vault"))["requirements.yml"])
    assert wanted["collections"] == [{"name": "bulwark.mqtt", "version": galaxy["version"]}]


def test_the_package_of_the_collection_has_all_templates(tmp_path: Path):
    passes("ansible-galaxy", "collection", "build", str(ROOT), f"--output-path={tmp_path}", where=tmp_path)
    [package] = tmp_path.glob("*.tar.gz")
    with tarfile.open(package) as archive:
        packed = set(archive.getnames())
    names = ALWAYS | GITHUB | GITLAB | SECRETS["vault"] | SECRETS["sops"]
    assert {f"playbooks/templates/init/{name}.j2" for name in names} <= packed


def test_a_second_run_changes_nothing(repository: Repository):
    folder = repository("github", "vault")
    before = files(folder)
    again = init(where=folder.parent, directory="fleet", organization="Exämple")
    assert "changed=0 " in again.stdout, again.stdout + again.stderr
    assert files(folder) == before


def test_check_mode_shows_everything_and_writes_nothing(tmp_path: Path):
    result = init("--check", "--diff", where=tmp_path, directory="a/fleet", domain="mqtt.example.net")
    assert "changed=1 " in result.stdout
    assert f"+++ after: {tmp_path}/a/fleet/fleet.yml\n" in result.stdout
    assert "+  mqtt.example.net:\n" in result.stdout
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_not_overwritten_and_nothing_is_written_beside_it(tmp_path: Path):
    (tmp_path / "fleet/.github").mkdir(parents=True)
    (tmp_path / "fleet/.github/workflows").symlink_to(tmp_path)
    (tmp_path / "fleet/README.md").write_text("# Mine\n", "utf-8")
    (tmp_path / "fleet/notes.txt").write_text("not in the way\n", "utf-8")
    refused = init(where=tmp_path, directory="fleet")
    assert message(refused) == (
        f"{tmp_path}/fleet has other files than would be written: .github/workflows, README.md; "
        "nothing was written: move them away, or choose another directory"
    )
    assert files(tmp_path / "fleet").keys() == {"README.md", "notes.txt"}


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ({}, "Say where to write the repository: -e bulwark_init_directory=fleet"),
        (
            {"directory": "fleet", "pipeline": "jenkins"},
            'bulwark_init_pipeline is "jenkins"; choose one of github, gitlab, both, none',
        ),
        ({"directory": "fleet", "secrets": "clear"}, 'bulwark_init_secrets is "clear"; choose one of vault, sops'),
        (
            {"directory": "fleet", "domain": "Example.COM"},
            'bulwark_init_domain is "Example.COM"; give a domain in lower case, such as mqtt.example.com',
        ),
    ],
)
def test_an_answer_that_is_none_is_refused(tmp_path: Path, answers: dict[str, str], expected: str):
    assert message(init(where=tmp_path, **answers)) == expected
    assert os.listdir(tmp_path) == []
