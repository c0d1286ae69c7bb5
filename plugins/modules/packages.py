#!/usr/bin/python
# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: packages
version_added: 1.0.0
short_description: Install packages, and ask apt only when one is missing
author:
  - Bulwark contributors (@bulwark-mqtt)
description:
  - On Debian and Ubuntu, asks C(dpkg-query) which of the packages are installed. When all are, that is all, and no
    module starts on the host.
  - Otherwise, and on a host that has no package lists at all, M(ansible.builtin.apt) installs them, with package lists
    that are at most a day old.
  - On EL, M(ansible.builtin.dnf) does it, which was not tested.
  - Which of them a host is, the fact C(os_family) says, which M(bulwark.mqtt.system_facts) or M(ansible.builtin.setup)
    has read.
extends_documentation_fragment:
  - bulwark.mqtt.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
options:
  name:
    description: Names of the packages. On Debian, one with a version, C(name=1.0), is always left to apt.
    type: list
    elements: str
    required: true
  install_recommends:
    description: Whether to install what they recommend, on Debian; the host's own setting unless it is given.
    type: bool
  policy_rc_d:
    description:
      - What C(policy-rc.d) answers while they are installed, on Debian.
      - V(101) keeps services from being started.
    type: int
seealso:
  - module: ansible.builtin.apt
  - module: ansible.builtin.dnf
"""

EXAMPLES = r"""
- name: Install the broker and start nothing
  bulwark.mqtt.packages:
    name: [mosquitto]
    policy_rc_d: 101
"""

RETURN = r"""
missing:
  description: The packages that were not installed before.
  returned: on Debian
  type: list
  elements: str
  sample: []
"""

from ansible.module_utils.basic import AnsibleModule


def main() -> None:
    """Never called: the action of this name does it on the controller."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "list", "elements": "str", "required": True},
            "install_recommends": {"type": "bool"},
            "policy_rc_d": {"type": "int"},
        },
        supports_check_mode=True,
    )
    module.fail_json(msg="packages runs on the controller, as an action of this collection; install it whole")


if __name__ == "__main__":
    main()
