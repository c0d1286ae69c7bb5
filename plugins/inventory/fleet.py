# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory plugin `fleet`: hosts, groups and variables of roles from an intent in one file."""

from __future__ import annotations

DOCUMENTATION = r"""
name: fleet
version_added: 1.0.0
short_description: A fleet of MQTT brokers from an intent in one file
author:
  - Bulwark contributors (@bulwark-mqtt)
description:
  - Reads C(fleet.yml), which describes domains, brokers, certificates, edges, classes of devices and the firewall, and
    compiles it to hosts, groups and plain variables of the collection's roles. C(ansible-inventory --list) shows them.
  - What is wrong in the file is reported all at once, each with its line, key, value and remedy. First what no value
    may be, then what does not fit together.
  - Variables in C(group_vars) and C(host_vars) beside the file have precedence, as with every inventory. The groups are
    C(bulwark) for all hosts; C(domain_NAME), C(brokers_NAME) and C(edges_NAME) for each domain, with C(_) in the place
    of what is no letter or digit; and those of the playbooks, C(mosquitto) and C(nginx_stream).
  - Hosts can come from other inventories beside this one, by O(domains.brokers_group) and O(domains.edges_group).
  - The page docs/fleet.md explains the keys, and docs/fleet.schema.json describes them to editors.
requirements:
  - PyYAML, which comes with ansible-core
options:
  plugin:
    description: Marks the file as one for this plugin.
    type: str
    required: true
    choices: [bulwark.mqtt.fleet]
  organization:
    description: Organization in the names of the CA.
    type: str
  authority:
    description:
      - The private CA, at least its C(passphrase).
      - Secrets are templates that name a variable, or encrypted with ansible-vault.
    type: dict
    required: true
  defaults:
    description: Settings of every domain; one that a domain has itself takes the place of the whole of the one here.
    type: dict
  domains:
    description: The brokers by domain, with the settings of the domain.
    type: dict
    required: true
    suboptions:
      brokers_group:
        description: Group of another inventory that the brokers are in, instead of C(brokers).
        type: str
      edges_group:
        description: Group of another inventory that the hosts of nginx are in, instead of C(edges).
        type: str
  devices:
    description: Classes of devices by name, with their members and topics.
    type: dict
"""

EXAMPLES = r"""
# fleet.yml
plugin: bulwark.mqtt.fleet
organization: Example Energy
authority:
  passphrase: "{{ vault_pki_passphrase }}"
  clients: [verify]
defaults:
  tls_profile: intermediate
  firewall: default_deny
domains:
  example.com:
    brokers:
      mqtt1:
      mqtt2: {address: 192.0.2.12}
  cloud.example.com:
    # Hosts that another inventory plugin puts into this group.
    brokers_group: tag_mqtt
devices:
  meters:
    members: everybody
    topics:
      readwrite: ["devices/%u/#"]
  dashboards:
    members:
      dashboard: "{{ vault_dashboard_password }}"
    topics:
      read: ["devices/#"]
"""

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleParserError
from ansible.parsing.vault import EncryptedString
from ansible.plugins.inventory import BaseInventoryPlugin
from ansible.template import trust_as_template
from ansible_collections.bulwark.mqtt.plugins.module_utils._fleet.compilation import compile_fleet
from ansible_collections.bulwark.mqtt.plugins.module_utils._fleet.kinds import Encrypted
from ansible_collections.bulwark.mqtt.plugins.module_utils._fleet.problems import FleetError
from ansible_collections.bulwark.mqtt.plugins.module_utils._fleet.source import read

_NAMES = ("fleet.yml", "fleet.yaml")


class InventoryModule(BaseInventoryPlugin):
    """Ansible looks for this name."""

    NAME = "bulwark.mqtt.fleet"

    def verify_file(self, path: str) -> bool:
        """Whether the file is one for this plugin, by its name."""
        return super().verify_file(path) and Path(path).name in _NAMES

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        """Give the inventory what the file compiles to; AnsibleParserError has a line for each problem."""
        super().parse(inventory, loader, path, cache)
        try:
            compiled = compile_fleet(read(Path(path).read_text(encoding="utf-8"), file=Path(path).name))
        except (FleetError, OSError, UnicodeDecodeError) as error:
            raise AnsibleParserError(str(error)) from error
        for name in compiled.groups:
            inventory.add_group(name)
        for name, variables in compiled.hosts.items():
            inventory.add_host(name)
            for variable, value in variables.items():
                inventory.set_variable(name, variable, _for_ansible(value))
        for name, group in compiled.groups.items():
            for host in group.hosts:
                inventory.add_child(name, host)
            for child in group.children:
                # A group of another inventory may be read later than this one.
                inventory.add_group(child)
                inventory.add_child(name, child)
            for variable, value in group.variables.items():
                inventory.set_variable(name, variable, _for_ansible(value))


def _for_ansible(value: Any) -> Any:
    """The value with what is encrypted as Ansible decrypts it, and its templates as those of the operator."""
    if isinstance(value, Encrypted):
        return EncryptedString(ciphertext=value.ciphertext)
    if isinstance(value, str):
        # They come from the file and from nowhere else. `trusted_by_default` would say so for all of them, but
        # ansible-core 2.19 asks it of the first plugin of a run only: none would be evaluated after a YAML inventory.
        return trust_as_template(value)
    if isinstance(value, dict):
        return {key: _for_ansible(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_for_ansible(item) for item in value]
    return value
