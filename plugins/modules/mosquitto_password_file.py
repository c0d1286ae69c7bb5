#!/usr/bin/python
# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mosquitto_password_file
version_added: 1.0.0
short_description: Content of Mosquitto's password file with stable salts
author:
  - Bulwark contributors (@bulwark-mqtt)
description:
  - Hashes passwords for Mosquitto (PBKDF2 with HMAC-SHA-512, C($7$)) and returns the content of the file.
  - Nothing is written. Hand the content to M(bulwark.mqtt.service_config).
  - A line of the existing file stays as it is while its password and its iterations are the wanted ones, so a second
    run returns the same bytes.
  - The format is read by Mosquitto 2.0 and 2.1.
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
          - The name that a client sends in CONNECT. It cannot hold a colon or a line break, or begin with C(#).
        type: str
        required: true
      password:
        description:
          - The password in clear.
        type: str
        required: true
  iterations:
    description:
      - PBKDF2 iterations of the hashes.
      - "Mosquitto hashes on its only thread at every CONNECT, and every other client waits. Measured: 101 iterations
        take 0.4 ms, 1000 take 1.1 ms, 20000 take 12.5 ms, 210000 take 139 ms, which is seven password clients a
        second."
      - Generated secrets of 128 bits and more need no stretching. Raise the number only for passwords that people
        chose.
    type: int
    default: 1000
notes:
  - The content holds hashes. Set C(no_log) on the task where they must not be printed at high verbosity.
seealso:
  - module: bulwark.mqtt.service_config
"""

EXAMPLES = r"""
- name: Hash the passwords
  bulwark.mqtt.mosquitto_password_file:
    path: /etc/mosquitto/passwd
    users:
      - name: dashboard
        password: "{{ vault_dashboard_password }}"
  register: passwords

- name: Deploy the file
  bulwark.mqtt.service_config:
    service: mosquitto
    files:
      - path: /etc/mosquitto/passwd
        content: "{{ passwords.content }}"
        owner: mosquitto
        group: mosquitto
        mode: "0600"
        secret: true
        activation: reload
"""

RETURN = r"""
content:
  description: The content of the file, one line for each user.
  returned: success
  type: str
  sample: "dashboard:$7$1000$AAAAAAAAAAAAAAAA$<88 characters of base64>\n"
reasons:
  description: Every way in which the content differs from the file, without passwords or hashes.
  returned: success
  type: list
  elements: str
  sample:
    - "dashboard: new"
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._mosquitto_passwords import FORM
from ..module_utils._password_module import USERS, run_form

# The action of this name reads them, too.
ARGUMENT_SPEC = {
    "path": {"type": "path", "required": True},
    "users": USERS,
    "iterations": {"type": "int", "default": 1000},
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
