#!/usr/bin/python
# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lineage_info
version_added: 1.0.0
short_description: Tell which lineages of a host have a certificate, and what else they have
author:
  - Bulwark contributors (@bulwark-mqtt)
description:
  - Looks into the current version of each lineage. Nothing is read but names and owners of files.
  - All is asked at once, of the host's shell, and no module starts there.
extends_documentation_fragment:
  - bulwark.mqtt.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
options:
  names:
    description: Names of the lineages.
    type: list
    elements: str
    required: true
  store:
    description: Directory of all lineages.
    type: str
    default: /etc/bulwark/tls
seealso:
  - module: bulwark.mqtt.tls_install
"""

EXAMPLES = r"""
- name: Look for the certificates
  bulwark.mqtt.lineage_info:
    names: [mqtt, metrics]
  register: store
  failed_when: "'mqtt' not in store.lineages"
"""

RETURN = r"""
lineages:
  description: Those of the lineages that have a certificate, by name.
  returned: success
  type: dict
  sample:
    mqtt:
      group: mosquitto
      files: [ca.pem, cert.pem, chain.pem, crl.pem, fullchain.pem, ocsp.der, privkey.pem]
  contains:
    group:
      description: Name of the group that may read it.
      type: str
    files:
      description: Names of the files in its current version.
      type: list
      elements: str
"""

from ansible.module_utils.basic import AnsibleModule


def main() -> None:
    """Never called: the action of this name does it on the controller."""
    module = AnsibleModule(
        argument_spec={
            "names": {"type": "list", "elements": "str", "required": True},
            "store": {"type": "str", "default": "/etc/bulwark/tls"},
        },
        supports_check_mode=True,
    )
    module.fail_json(msg="lineage_info runs on the controller, as an action of this collection; install it whole")


if __name__ == "__main__":
    main()
