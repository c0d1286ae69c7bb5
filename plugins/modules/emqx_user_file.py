#!/usr/bin/python
# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: emqx_user_file
version_added: 1.0.0
short_description: Content of EMQX's file of users with stable salts
author:
  - Bulwark contributors (@bulwark-mqtt)
description:
  - Hashes passwords for EMQX's built-in database (PBKDF2 with HMAC-SHA-512) and returns the content of its bootstrap
    file of the type V(hash).
  - Nothing is written. Hand the content to M(bulwark.mqtt.service_config).
  - A user of the existing file stays as it is while its password and the iterations are the wanted ones, so a second
    run returns the same bytes.
extends_documentation_fragment:
  - bulwark.mqtt.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
options:
  path:
    description:
      - The existing file whose salts are kept. It need not exist.
    type: path
    required: true
  users:
    description:
      - The users in the order of the file. Users that are not named here are not in the content.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - The name that a client sends in CONNECT. It cannot hold C(+), C(#) or C(/), with which a client may do
            nothing.
        type: str
        required: true
      password:
        description:
          - The password in clear.
        type: str
        required: true
  iterations:
    description:
      - PBKDF2 iterations of the hashes, those of C(password_hash_algorithm) in EMQX's configuration.
      - Generated secrets of 128 bits and more need no stretching. Raise the number for passwords that people chose;
        EMQX hashes at every CONNECT.
    type: int
    default: 10000
notes:
  - The content holds hashes. Set C(no_log) on the task where they must not be printed at high verbosity.
seealso:
  - module: bulwark.mqtt.service_config
  - module: bulwark.mqtt.mosquitto_password_file
"""

EXAMPLES = r"""
- name: Hash the passwords
  bulwark.mqtt.emqx_user_file:
    path: /etc/emqx/users.json
    users:
      - name: dashboard
        password: "{{ vault_dashboard_password }}"
  register: users

- name: Deploy the file
  bulwark.mqtt.service_config:
    service: emqx
    files:
      - path: /etc/emqx/users.json
        content: "{{ users.content }}"
        owner: root
        group: emqx
        mode: "0640"
        secret: true
        activation: reload
"""

RETURN = r"""
content:
  description: The content of the file, a JSON list with one object for each user.
  returned: success
  type: str
  sample: '[{"user_id": "dashboard", "password_hash": "<hexadecimal>", "salt": "<hexadecimal>", "is_superuser": false}]'
reasons:
  description: Every way in which the content differs from the file, without passwords or hashes.
  returned: success
  type: list
  elements: str
  sample:
    - "dashboard: new"
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._emqx_users import FORM
from ..module_utils._password_module import USERS, run_form

# The action of this name reads them, too.
ARGUMENT_SPEC = {
    "path": {"type": "path", "required": True},
    "users": USERS,
    "iterations": {"type": "int", "default": 10000},
}


def main() -> None:
    """The module."""
    module = AnsibleModule(
        argument_spec=ARGUMENT_SPEC,
        supports_check_mode=True,
    )
    run_form(module, FORM)


if __name__ == "__main__":
    main()
