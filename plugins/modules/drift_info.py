#!/usr/bin/python
# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: drift_info
version_added: 1.0.0
short_description: How a host differs from what was rendered for it
author:
  - Bulwark contributors (@bulwark-mqtt)
description:
  - Compares a host with the manifest that M(bulwark.mqtt.render) wrote, and changes nothing.
  - Finds files that were V(changed) (content, owner, group or mode) and V(missing) ones; V(foreign) ones in
    C(/etc/bulwark) and in the drop-in directories of units; and V(stale) services, which do not run or have not read
    what is in place.
  - Of a file that the host makes itself, C(/etc/mosquitto/passwd) or C(/etc/emqx/users.json), the names of those whom
    it lets in are compared.
extends_documentation_fragment:
  - bulwark.mqtt.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
options:
  manifest:
    description: The manifest of the host.
    type: dict
    required: true
  host:
    description: Name of the host in the inventory, which is in the digests of secret files.
    type: str
    required: true
  digest_key:
    description: Key of the digests of secret files.
    type: str
    default: ""
  ignored:
    description: Patterns of paths, as of a shell, of files that may be there though nobody manages them.
    type: list
    elements: str
    default: []
seealso:
  - module: bulwark.mqtt.render
notes:
  - Needs systemd 248 or later, and has to run as root.
"""

EXAMPLES = r"""
- name: Compare the host with what was rendered
  bulwark.mqtt.drift_info:
    manifest: "{{ lookup('ansible.builtin.file', 'rendered/' ~ inventory_hostname ~ '/manifest.json') | from_json }}"
    host: "{{ inventory_hostname }}"
    digest_key: "{{ vault_digest_key }}"
  register: drift

- name: Expect no difference
  ansible.builtin.assert:
    that: drift.findings | length == 0
"""

RETURN = r"""
findings:
  description: What differs; nothing where the host is as it was rendered.
  returned: success
  type: list
  elements: dict
  contains:
    kind:
      description: V(changed), V(missing), V(foreign) or V(stale).
      type: str
    where:
      description: The path of the file, or the name of the unit.
      type: str
    what:
      description: The difference in words.
      type: str
  sample:
    - kind: changed
      where: /etc/mosquitto/mosquitto.conf
      what: has another content
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import _drift
from ..module_utils._host import process
from ..module_utils._host.errors import HostError
from ..module_utils._module import run

FORMAT = 1
SECONDS = 30


def unit(name: str) -> _drift.Unit:
    """What systemd says of a unit."""
    command = ["systemctl", "show", name, f"--property={_drift.PROPERTIES}", "--timestamp=unix"]
    result = process.run(command, timeout=SECONDS, merged=True)
    if result.returncode != 0:
        raise HostError(f"systemctl show {name}: {result.stdout.strip()}")
    return _drift.parse_unit(result.stdout)


def ensure(params: Mapping[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """What differs. Raises HostError for a manifest of another format."""
    manifest = params["manifest"]
    if manifest.get("format") != FORMAT:
        raise HostError(
            f"manifest: has format {manifest.get('format')}, and this module reads {FORMAT}; run bulwark.mqtt.render "
            "again"
        )
    found = _drift.differences(
        manifest, host=params["host"], key=params["digest_key"], ignored=params["ignored"], unit=unit
    )
    return {"changed": False, "findings": [dataclasses.asdict(finding) for finding in found]}


def main() -> None:
    """The module."""
    module = AnsibleModule(
        argument_spec={
            "manifest": {"type": "dict", "required": True},
            "host": {"type": "str", "required": True},
            "digest_key": {"type": "str", "default": "", "no_log": True},
            "ignored": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    run(module, ensure)


if __name__ == "__main__":
    main()
