#!/usr/bin/python
# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: certbot_revoke
short_description: Revoke a certificate of an ACME server, and delete it from certbot
version_added: 1.0.0
description:
  - Has the CA revoke what certbot has under a name, all versions that have not expired, and deletes it from certbot.
    With O(serial) it revokes one version; older ones are left and what certbot would install is not deleted.
  - A certificate that a lineage still serves is refused, unless O(served) says otherwise.
  - Killed at any moment, the next run goes on. What certbot does not have any more changes nothing.
  - The role P(bulwark.mqtt.certbot#role) writes C(/etc/bulwark/certbot.json), which this reads.
author:
  - Bulwark contributors (@bulwark-mqtt)
extends_documentation_fragment:
  - bulwark.mqtt.attributes
attributes:
  check_mode:
    support: full
    details:
      - The CA is not asked, so that what it has revoked already is predicted to change.
  diff_mode:
    support: full
options:
  name:
    description: Name of the certificate in certbot.
    type: str
    required: true
  serial:
    description:
      - Serial of the version to revoke, in hexadecimal, as C(bulwark-tls status) shows it.
      - All that have not expired when it is empty.
    type: str
    default: ""
  reason:
    description: Why, in the words of certbot.
    type: str
    choices:
      - unspecified
      - keycompromise
      - affiliationchanged
      - superseded
      - cessationofoperation
    default: unspecified
  served:
    description:
      - Revoke although a lineage still serves the certificate. Its clients see a revoked one until it has another.
    type: bool
    default: false
seealso:
  - module: bulwark.mqtt.certbot_certificate
  - module: bulwark.mqtt.certbot_unlisted
"""

EXAMPLES = r"""
- name: Give up a certificate that nothing serves any more
  bulwark.mqtt.certbot_revoke:
    name: mqtt
    reason: cessationofoperation

- name: Revoke the version before the renewal, whose key has leaked
  bulwark.mqtt.certbot_revoke:
    name: mqtt
    serial: 4B92B2FA01
    reason: keycompromise
"""

RETURN = r"""
revoked:
  description: Serials that the CA revoked now, or would.
  type: list
  elements: str
  returned: success
  sample: ["4B92B2FA01"]
deleted:
  description: Whether certbot has nothing under the name any more.
  type: bool
  returned: success
"""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._host import certbot, certbot_held
from ..module_utils._module import run


def ensure(params: Mapping[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """Revoke, then delete; StoreError, and nothing is revoked, for what is still served."""
    configuration = certbot.load()
    name = params["name"]
    found = next((item for item in certbot_held.held(configuration) if item.name == name), None)
    if found is None:
        return _result(name, [], deleted=False)
    versions = certbot_held.chosen(found, serial=params["serial"], now=dt.datetime.now(dt.timezone.utc))
    # What certbot would install at its next run; without it, it would install what is revoked.
    deleted = not params["serial"] or found.versions[0] in versions
    if not params["served"]:
        certbot_held.refuse_served(found, versions)
    if check_mode:
        return _result(name, [version.serial for version in versions], deleted=deleted)
    revoked = [
        version.serial
        for version in versions
        if certbot_held.revoke(configuration, found, version, reason=params["reason"])
    ]
    if deleted:
        certbot_held.delete(configuration, name)
    warnings = []
    if deleted and any(certificate.name == name for certificate in configuration.certificates):
        warnings.append(f"{name}: certbot_certificates still lists it, the next run of the role asks for another one")
    return {**_result(name, revoked, deleted=deleted), "warnings": warnings}


def _result(name: str, revoked: list[str], *, deleted: bool) -> dict[str, Any]:
    lines = [f"{name}: {serial} revoked\n" for serial in revoked] + [f"{name}: deleted from certbot\n"] * deleted
    return {
        "changed": bool(lines),
        "revoked": revoked,
        "deleted": deleted,
        "diff": {"prepared": "".join(lines)},
    }


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "serial": {"type": "str", "default": ""},
            "reason": {"type": "str", "choices": list(certbot_held.REASONS), "default": "unspecified"},
            "served": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    run(module, ensure)


if __name__ == "__main__":
    main()
