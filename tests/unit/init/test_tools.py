# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each file that `init` writes is accepted by the program that it is for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from init_samples import Repository, passes, run

every_keeper = pytest.mark.parametrize("secrets", ["vault", "sops"])


def scripts(folder: Path) -> Iterator[str]:
    """The shell in the pipelines of a repository."""
    for path in sorted(folder.glob(".github/**/*.yml")):
        yield from (found["run"] for found in mappings(yaml.safe_load(path.read_text("utf-8"))) if "run" in found)
    for job in mappings(yaml.safe_load((folder / ".gitlab-ci.yml").read_text("utf-8"))):
        for key in ("before_script", "script"):
            yield "\n".join(job.get(key, []))


def mappings(value: Any) -> Iterator[dict[str, Any]]:
    """The mappings in a document, but not defaults, in which `run` is no script."""
    if isinstance(value, dict):
        if not isinstance(value.get("run"), dict):
            yield value
        for item in value.values():
            yield from mappings(item)
    elif isinstance(value, list):
        for item in value:
            yield from mappings(item)


@every_keeper
def test_yamllint_and_ansible_lint(repository: Repository, secrets: str):
    folder = repository("both", secrets)
    passes("yamllint", "--strict", ".", where=folder)
    linted = run("ansible-lint", "--offline", where=folder)
    assert linted.returncode == 0, linted.stdout + linted.stderr
    assert "Profile 'production' was required, and it passed." in linted.stderr
    processed = re.search(r"in (\d+) files processed", linted.stderr)
    assert processed
    assert int(processed[1]) >= 10


@every_keeper
def test_the_schemas_of_github_and_gitlab(repository: Repository, secrets: str):
    folder = repository("both", secrets)
    for schema, pattern in (
        ("github-workflows", ".github/workflows/*.yml"),
        ("github-actions", ".github/actions/*/action.yml"),
        ("gitlab-ci", ".gitlab-ci.yml"),
    ):
        names = [str(path) for path in folder.glob(pattern)]
        assert names
        transform = ("--data-transform=gitlab-ci",) if schema == "gitlab-ci" else ()
        passes("check-jsonschema", f"--builtin-schema=vendor.{schema}", *transform, *names, where=folder)


@every_keeper
def test_shellcheck_reads_every_script(repository: Repository, secrets: str, tmp_path: Path):
    folder = repository("both", secrets)
    found = [re.sub(r"\${{.*?}}", "x", script) for script in scripts(folder) if script]
    assert len(found) > 15
    for number, script in enumerate(found):
        (tmp_path / f"{number}.sh").write_text(f"set -eo pipefail\n{script}\n", "utf-8")
    # Whether what is sourced exists depends on the machine.
    passes("shellcheck", "--shell=bash", "--exclude=SC1091", *map(str, tmp_path.iterdir()), where=tmp_path)


def test_the_script_for_the_vault_is_a_program_that_says_what_it_misses(repository: Repository):
    folder = repository("none", "vault")
    passes("shellcheck", "scripts/vault-password", where=folder)
    assert passes("scripts/vault-password", where=folder, environment={"BULWARK_VAULT_PASSWORD": "a b%s"}) == "a b%s\n"
    refused = run("scripts/vault-password", where=folder)
    assert refused.returncode != 0
    assert "BULWARK_VAULT_PASSWORD: is not set; set it, or run Ansible with --ask-vault-pass" in refused.stderr


@every_keeper
def test_ansible_knows_each_of_its_settings(repository: Repository, secrets: str):
    passes("ansible-config", "validate", "--config=ansible.cfg", where=repository("none", secrets))


@every_keeper
def test_ansible_builder_reads_the_execution_environment(repository: Repository, secrets: str, tmp_path: Path):
    folder = repository("none", secrets)
    passes("ansible-builder", "create", f"--context={tmp_path}", where=folder)
    made = (tmp_path / "Containerfile").read_text("utf-8")
    assert ("community.sops.install_localhost" in made) == (secrets == "sops")
    assert (tmp_path / "_build/requirements.yml").read_text("utf-8") == (folder / "requirements.yml").read_text("utf-8")


def test_the_fleet_compiles_as_it_is_written(repository: Repository):
    listed = json.loads(passes("ansible-inventory", "--list", where=repository("none", "vault")))
    assert listed["mosquitto"] == {"children": ["brokers_mqtt_example_com"]}
    assert listed["brokers_mqtt_example_com"]["hosts"] == ["mqtt1.mqtt.example.com", "mqtt2.mqtt.example.com"]
    variables = listed["_meta"]["hostvars"]["mqtt1.mqtt.example.com"]
    assert variables["pki_organization"] == "Exämple"
    assert variables["pki_permitted_dns"] == ["mqtt.example.com"]
    assert variables["bulwark_serial"] == [1, "25%"]
