#!/usr/bin/python
# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: certbot_certificate
short_description: Have a certificate from an ACME server with certbot, and its lineage serve it
version_added: 1.0.0
description:
  - Asks the CA through certbot when there is no certificate yet, or when names, key type, server, profile,
    authenticator or hooks differ from what certbot has written down. Renewing what is due is the schedule's task.
  - Then installs what certbot has into the lineage, with all checks of M(bulwark.mqtt.tls_install). It fails when the
    certificate is not served in the end, whatever the exit code of certbot's hook.
  - The role P(bulwark.mqtt.certbot#role) writes C(/etc/bulwark/certbot.json), which this reads.
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
  name:
    description: Name of the certificate in certbot.
    type: str
    required: true
  lineage:
    description: Lineage that it is installed into.
    type: str
    required: true
  names:
    description: DNS names of the certificate, and addresses where certbot can.
    type: list
    elements: str
    required: true
  server:
    description: URL of the ACME server's directory.
    type: str
    required: true
  email:
    description: Address for the account; none when it is empty.
    type: str
    default: ""
  secrets:
    description:
      - File on the host with the EAB credentials in certbot's format, readable by root only.
      - They must not be among the arguments of a program, which every user of a host can read.
    type: path
    default: ""
  key_type:
    description: Type of the key.
    type: str
    choices:
      - ec-p256
      - ec-p384
      - rsa-2048
      - rsa-3072
      - rsa-4096
    default: ec-p256
  profile:
    description: Profile that the CA must use; its default one when it is empty.
    type: str
    default: ""
  authenticator:
    description: Plugin of certbot that answers the challenge.
    type: str
    default: standalone
  arguments:
    description: More arguments for the authenticator.
    type: list
    elements: str
    default: []
  pre_hook:
    description: Command before each attempt, such as one that opens port 80.
    type: str
    default: ""
  post_hook:
    description: Command after each attempt.
    type: str
    default: ""
  dry_run:
    description: Go through the whole exchange with the CA once without keeping its result, before anything else.
    type: bool
    default: false
seealso:
  - module: bulwark.mqtt.certbot_info
  - module: bulwark.mqtt.tls_install
"""

EXAMPLES = r"""
- name: Have a certificate from the CA
  bulwark.mqtt.certbot_certificate:
    name: mqtt
    lineage: mqtt
    names:
      - broker.example.com
    server: https://acme-v02.api.letsencrypt.org/directory
    authenticator: webroot
    arguments:
      - --webroot-path
      - /var/www/html
"""

RETURN = r"""
reasons:
  description: Why the CA was asked, or would be; empty when what certbot has is what is wanted.
  type: list
  elements: str
  returned: success
  sample: ["names differ: it has a.example.com, wanted is b.example.com"]
not_after:
  description: End of what the lineage serves, empty in check mode without a certificate.
  type: str
  returned: success
  sample: "2027-02-21T12:00:00Z"
"""

import os
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._host import certbot, certbot_order
from ..module_utils._host.errors import StoreError
from ..module_utils._module import run

SECONDS = 600


def ensure(params: Mapping[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """Ask the CA where there is a reason, install what certbot has; HostError when that is not served in the end."""
    order = certbot_order.order(params)
    if check_mode and not os.path.exists(certbot.CONFIGURATION):
        return _result(order, [certbot_order.NONE], changed=True, not_after="")
    configuration = certbot.load()
    if params["dry_run"] and not check_mode:
        _ask(configuration, order, dry_run=True)
    reasons = certbot_order.drift(configuration, order)
    if reasons and check_mode:
        return _result(order, reasons, changed=True, not_after="")
    if reasons:
        _ask(configuration, order, forced=reasons != [certbot_order.NONE])
    (deployed,) = certbot.deploy(configuration, only=order.certificate.name, check_mode=check_mode)
    if deployed.failure:
        raise StoreError(
            f"{order.certificate.name}: not installed into lineage {order.certificate.lineage}: {deployed.failure}"
        )
    return _result(order, reasons, changed=bool(reasons) or deployed.changed, not_after=deployed.not_after)


def _ask(
    configuration: certbot.Configuration, order: certbot_order.Order, *, forced: bool = False, dry_run: bool = False
) -> None:
    arguments = certbot_order.arguments(order, forced=forced, dry_run=dry_run)
    certbot.certbot(configuration, [configuration.program, *arguments], timeout=SECONDS)


def _result(order: certbot_order.Order, reasons: list[str], *, changed: bool, not_after: str) -> dict[str, Any]:
    prepared = "".join(f"{order.certificate.name}: asked the CA, {reason}\n" for reason in reasons)
    if changed and not reasons:
        prepared = f"{order.certificate.name}: installed into lineage {order.certificate.lineage}\n"
    return {"changed": changed, "reasons": reasons, "not_after": not_after, "diff": {"prepared": prepared}}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "lineage": {"type": "str", "required": True},
            "names": {"type": "list", "elements": "str", "required": True},
            "server": {"type": "str", "required": True},
            "email": {"type": "str", "default": ""},
            # The path of a file, not what is in it.
            "secrets": {"type": "path", "default": "", "no_log": False},
            "key_type": {
                "type": "str",
                "choices": list(certbot_order.KEY_TYPES),
                "default": "ec-p256",
                "no_log": False,
            },
            "profile": {"type": "str", "default": ""},
            "authenticator": {"type": "str", "default": "standalone"},
            "arguments": {"type": "list", "elements": "str", "default": []},
            "pre_hook": {"type": "str", "default": ""},
            "post_hook": {"type": "str", "default": ""},
            "dry_run": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    run(module, ensure)


if __name__ == "__main__":
    main()
