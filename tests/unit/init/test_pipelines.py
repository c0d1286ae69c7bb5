# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps that need no host do what they say: secrets as the README makes them, and the review of a change."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import yaml
from init_samples import VAULT_PASSWORD, Repository, commit, passes, run

VAULT = {"ANSIBLE_VAULT_PASSWORD_FILE": "scripts/vault-password", "BULWARK_VAULT_PASSWORD": VAULT_PASSWORD}


def shell(script: str, *, where: Path, stdin: str = "", **environment: str) -> CompletedProcess[str]:
    """Run a script as the runners do, which stop at the first failure."""
    return run("bash", "-eo", "pipefail", "-c", script, where=where, stdin=stdin, environment=environment)


@pytest.fixture(scope="module")
def begun(repository: Repository, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with secrets, made with the commands of its own README, and rendered; on the branch main."""
    folder = tmp_path_factory.mktemp("begun") / "fleet"
    shutil.copytree(repository("both", "vault"), folder, symlinks=True)
    readme = (folder / "README.md").read_text("utf-8")
    [block] = [text for text in re.findall(r"```console\n(.*?)```", readme, re.DOTALL) if "encrypt_string" in text]
    commands = "\n".join(re.sub(r"^ *[$>] ?", "", line) for line in block.splitlines())
    made = shell(commands, where=folder, stdin=f"{VAULT_PASSWORD}\n")
    assert made.returncode == 0, made.stderr
    passes("ansible-playbook", "bulwark.mqtt.render", where=folder, environment=VAULT)
    commit(folder)
    return folder


def review_of_github(folder: Path) -> CompletedProcess[str]:
    """The steps of the job `render`, the base branch checked out as its second step says."""
    job = yaml.safe_load((folder / ".github/workflows/review.yml").read_text("utf-8"))["jobs"]["render"]
    assert job["steps"][1]["with"]["path"] == ".base"
    passes("git", "worktree", "add", "--force", "--detach", ".base", "main", where=folder)
    steps = "\n".join(step["run"] for step in job["steps"] if "run" in step)
    return shell(steps, where=folder, GITHUB_STEP_SUMMARY=str(folder.parent / "summary.md"), **VAULT)


def review_of_gitlab(folder: Path) -> CompletedProcess[str]:
    """The job `render`, of a clone whose origin is itself."""
    document = yaml.safe_load((folder / ".gitlab-ci.yml").read_text("utf-8"))
    job = document["render"]
    steps = "\n".join(job["script"])
    variables = {"CI_PROJECT_DIR": str(folder), "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main", **VAULT}
    passes("git", "remote", "add", "origin", str(folder), where=folder)
    for name, value in (document["variables"] | job["variables"]).items():
        variables[name] = value.replace("$CI_PROJECT_DIR", str(folder))
    return shell(steps, where=folder, **variables)


def test_the_secrets_are_encrypted_and_pass_the_linter(begun: Path):
    secrets = (begun / "group_vars/all/secrets.yml").read_text("utf-8")
    names = re.findall(r"^(\w+): !vault \|$", secrets, re.MULTILINE)
    assert names == ["vault_pki_passphrase", "vault_digest_key", "vault_dashboard_password"]
    passes("yamllint", "--strict", ".", where=begun)
    # The fleet compiles without the password: a review can lint what it may not open.
    passes("ansible-inventory", "--list", where=begun)


@pytest.mark.parametrize("review", [review_of_github, review_of_gitlab])
def test_the_review_shows_what_merging_changes_and_fails_where_it_is_not_rendered(
    begun: Path, tmp_path: Path, review: object
):
    folder = tmp_path / "fleet"
    shutil.copytree(begun, folder, symlinks=True)
    passes("git", "switch", "--quiet", "--create", "change", where=folder)
    fleet = (folder / "fleet.yml").read_text("utf-8")
    (folder / "fleet.yml").write_text(fleet.replace('readwrite: ["devices/%u/#"]', 'write: ["devices/%u/#"]'), "utf-8")
    commit(folder)
    assert callable(review)
    told = review(folder)
    assert "reload mosquitto on 2 hosts (mqtt1.mqtt.example.com, mqtt2.mqtt.example.com)" in told.stdout, told.stderr
    assert "-pattern readwrite devices/%u/#\n+pattern write devices/%u/#\n" in told.stdout
    assert told.returncode == 1
    assert "rendered/ is not what is rendered: run bulwark.mqtt.render and commit rendered/" in told.stdout


def test_a_change_that_is_rendered_passes_the_review(begun: Path, tmp_path: Path):
    folder = tmp_path / "fleet"
    shutil.copytree(begun, folder, symlinks=True)
    passed = review_of_github(folder)
    assert passed.returncode == 0, passed.stdout + passed.stderr
    summary = (tmp_path / "summary.md").read_text("utf-8")
    assert summary.startswith("```diff\n")
    assert '"nothing changes"' in summary
