#!/usr/bin/python
# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: certbot_unlisted
short_description: What certbot has and the inventory lists no more
version_added: 1.0.0
description:
  - Finds certificates that the role P(bulwark.mqtt.certbot#role) once asked for, which their hook tells, and that
    C(/etc/bulwark/certbot.json) lists no more. certbot goes on renewing them. What others asked certbot for is theirs.
  - Deletes them when told, but for those that a lineage still serves.
author:
  - Bulwark contributors (@bulwark-mqtt)
extends_documentation_fragment:
  - bulwark.mqtt.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
options:
  delete:
    description: Delete them from certbot. They are not revoked, see M(bulwark.mqtt.certbot_revoke).
    type: bool
    default: false
seealso:
  - module: bulwark.mqtt.certbot_certificate
  - module: bulwark.mqtt.certbot_revoke
"""

EXAMPLES = r"""
- name: Look for what is renewed for nobody
  bulwark.mqtt.certbot_unlisted:
  register: certbot_leftovers
"""

RETURN = r"""
unlisted:
  description: What was found.
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description: Name in certbot.
      type: str
    not_after:
      description: End of its newest version, empty without one.
      type: str
    lineages:
      description: Lineages that serve it.
      type: list
      elements: str
  sample:
    - name: mqtt
      not_after: "2027-02-21T12:00:00Z"
      lineages: []
deleted:
  description: Names of those that were deleted, or would be.
  type: list
  elements: str
  returned: success
"""

import os
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._host import certbot, certbot_held, lineage
from ..module_utils._module import run


def ensure(params: Mapping[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """Find them, and delete those that nothing serves when told."""
    if check_mode and not os.path.exists(certbot.CONFIGURATION):
        return _result([], [])
    configuration = certbot.load()
    found: list[dict[str, Any]] = [
        {
            "name": item.name,
            "not_after": lineage.show(item.versions[0].not_after) if item.versions else "",
            "lineages": sorted({name for version in item.versions for name in certbot_held.serving(version)}),
        }
        for item in certbot_held.unlisted(configuration)
    ]
    if not params["delete"]:
        return _result(found, [])
    deleted = [item["name"] for item in found if not item["lineages"]]
    if not check_mode:
        for name in deleted:
            certbot_held.delete(configuration, name)
    warnings = [
        f"{item['name']}: is listed no more and not deleted, because lineage {', '.join(item['lineages'])} still"
        f" serves it, until {item['not_after']}: give the lineage another certificate"
        for item in found
        if item["lineages"]
    ]
    return {**_result(found, deleted), "warnings": warnings}


def _result(found: list[dict[str, Any]], deleted: list[str]) -> dict[str, Any]:
    return {
        "changed": bool(deleted),
        "unlisted": found,
        "deleted": deleted,
        "diff": {"prepared": "".join(f"{name}: deleted from certbot\n" for name in deleted)},
    }


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec={"delete": {"type": "bool", "default": False}}, supports_check_mode=True)
    run(module, ensure)


if __name__ == "__main__":
    main()
