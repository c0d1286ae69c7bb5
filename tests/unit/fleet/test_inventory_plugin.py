# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The inventory plugin in Ansible: groups and variables arrive, templates and secrets open, problems are told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.vault import VaultLib, VaultSecret
from fleet_samples import ROOT, compiled, intent, refused_by_roles, variables_of

EXAMPLE = ROOT / "examples/gitops/fleet.yml"


def ansible(program: str, *arguments: str, where: Path) -> subprocess.CompletedProcess[str]:
    """Run a program of Ansible in a folder, in which every inventory that does not parse is an error."""
    return subprocess.run(
        [str(Path(sys.executable).with_name(program)), *arguments],
        cwd=where,
        capture_output=True,
        text=True,
        check=False,
        env={
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".cache/collections"),
            "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "true",
            "ANSIBLE_LOCALHOST_WARNING": "false",
        },
    )


def listed(*inventories: str, where: Path) -> dict[str, Any]:
    """The inventory as `ansible-inventory --list` prints it."""
    result = ansible("ansible-inventory", *(f"--inventory={name}" for name in inventories), "--list", where=where)
    assert result.returncode == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def written(folder: Path, document: Any) -> Path:
    """An intent as fleet.yml in a folder."""
    path = folder / "fleet.yml"
    path.write_text(document if isinstance(document, str) else yaml.safe_dump(document, sort_keys=False), "utf-8")
    return path


def test_ansible_shows_what_the_example_compiles_to_and_the_roles_know_all_of_it():
    shown = listed(str(EXAMPLE), where=ROOT)["_meta"]["hostvars"]
    expected = compiled(yaml.safe_load(EXAMPLE.read_text(encoding="utf-8")))
    assert shown.keys() == expected.hosts.keys()
    for host, variables in shown.items():
        assert variables == variables_of(expected, host)
        assert refused_by_roles(variables) == []


def test_the_page_quotes_the_example_word_for_word():
    page = (ROOT / "docs/fleet.md").read_text(encoding="utf-8")
    quoted = EXAMPLE.read_text(encoding="utf-8")
    assert f"```text\n{quoted[quoted.index('plugin:') :]}```\n" in page


def test_group_variables_beside_the_file_have_precedence(tmp_path: Path):
    written(tmp_path, intent())
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars/domain_example_com.yml").write_text("firewall_mode: default_deny\n", "utf-8")
    shown = listed("fleet.yml", where=tmp_path)
    assert shown["_meta"]["hostvars"]["mqtt1.example.com"]["firewall_mode"] == "default_deny"


@pytest.mark.parametrize("order", [("fleet.yml", "cloud.yml"), ("cloud.yml", "fleet.yml")])
def test_hosts_of_another_inventory_are_brokers_whichever_is_read_first(tmp_path: Path, order: tuple[str, str]):
    document = intent()
    document["domains"]["example.com"] = {"brokers_group": "tag_mqtt"}
    written(tmp_path, document)
    (tmp_path / "cloud.yml").write_text("tag_mqtt: {hosts: {i-1.example.com: {}}}\n", "utf-8")
    shown = listed(*order, where=tmp_path)
    assert shown["mosquitto"]["children"] == ["brokers_example_com"]
    assert shown["_meta"]["hostvars"]["i-1.example.com"]["mosquitto_listeners"][0]["port"] == 8883


@pytest.mark.parametrize("order", [("fleet.yml", "cloud.yml"), ("cloud.yml", "fleet.yml")])
def test_templates_are_evaluated_whichever_inventory_is_read_first(tmp_path: Path, order: tuple[str, str]):
    document = intent()
    document["domains"]["example.com"] = {"brokers_group": "tag_mqtt"}
    written(tmp_path, document)
    (tmp_path / "cloud.yml").write_text("tag_mqtt: {hosts: {i-1.example.com: {a_variable: a value}}}\n", "utf-8")
    result = ansible(
        "ansible",
        "tag_mqtt",
        *(f"--inventory={name}" for name in order),
        "--extra-vars=vault_pki_passphrase=opened",
        "--module-name=ansible.builtin.debug",
        "--args=msg='{{ pki_passphrase }}, {{ pki_certificates[0].common_name }}'",
        where=tmp_path,
    )
    assert '"msg": "opened, i-1.example.com"' in result.stdout, result.stdout + result.stderr


def test_templates_are_templates_and_what_is_encrypted_is_opened(tmp_path: Path):
    vault = VaultLib([("default", VaultSecret(b"open sesame"))])
    ciphertext = vault.encrypt("the passphrase", VaultSecret(b"open sesame")).decode()
    indented = "".join(f"      {line}\n" for line in ciphertext.splitlines())
    written(
        tmp_path,
        "plugin: bulwark.mqtt.fleet\n"
        f"authority:\n  passphrase: !vault |\n{indented}"
        "  backup_passphrase: '{{ vault_backup }}'\n"
        "domains: {example.com: {brokers: {mqtt1: }}}\n",
    )
    (tmp_path / "password").write_text("open sesame", "utf-8")
    result = ansible(
        "ansible",
        "mqtt1.example.com",
        "--inventory=fleet.yml",
        "--vault-password-file=password",
        "--extra-vars=vault_backup=another",
        "--connection=local",
        "--module-name=ansible.builtin.debug",
        "--args=msg='{{ pki_passphrase }}, {{ pki_backup_passphrase }}'",
        where=tmp_path,
    )
    assert '"msg": "the passphrase, another"' in result.stdout, result.stdout + result.stderr


def test_problems_come_with_file_line_key_and_remedy(tmp_path: Path):
    written(tmp_path, "plugin: bulwark.mqtt.fleet\nauthority: {passphrase: open}\ndefaults: {edge: ngnix}\n")
    result = ansible("ansible-inventory", "--inventory=fleet.yml", "--list", where=tmp_path)
    assert result.returncode != 0
    said = " ".join(result.stderr.split())
    assert "fleet.yml:2: authority.passphrase: the value (not shown) is in the clear;" in said
    assert "fleet.yml:3: defaults.edge: 'ngnix' is unknown; did you mean nginx?" in said


def test_a_file_of_another_name_is_not_read(tmp_path: Path):
    written(tmp_path, intent()).rename(tmp_path / "other.yml")
    result = ansible("ansible-inventory", "--inventory=other.yml", "--list", where=tmp_path)
    assert result.returncode != 0
