#!/usr/bin/python
# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: system_facts
version_added: 1.0.0
short_description: What system a host has, told by its shell
author:
  - Bulwark contributors (@bulwark-mqtt)
description:
  - Reads the facts that the roles of this collection branch on from C(/etc/os-release), and whether systemd runs.
  - On Debian and Ubuntu with systemd a shell does it, and no module starts on the host.
  - Elsewhere M(ansible.builtin.setup) reads them, with the subsets C(distribution) and C(service_mgr).
extends_documentation_fragment:
  - bulwark.mqtt.attributes
attributes:
  check_mode:
    support: full
    details: Changes nothing.
  diff_mode:
    support: none
    details: Changes nothing.
  facts:
    description: Returns C(ansible_facts), which become facts of the host.
    support: full
seealso:
  - module: ansible.builtin.setup
"""

EXAMPLES = r"""
- name: Know what system the host has
  when: ansible_facts['os_family'] is not defined
  bulwark.mqtt.system_facts:
"""

RETURN = r"""
ansible_facts:
  description: The facts, under the names that M(ansible.builtin.setup) has for them.
  returned: success
  type: dict
  contains:
    ansible_distribution:
      description: The name of the distribution.
      returned: success
      type: str
      sample: Debian
    ansible_distribution_release:
      description: Its code name.
      returned: success
      type: str
      sample: trixie
    ansible_os_family:
      description: The family of distributions that it is of.
      returned: success
      type: str
      sample: Debian
    ansible_service_mgr:
      description: What starts services.
      returned: success
      type: str
      sample: systemd
"""

from ansible.module_utils.basic import AnsibleModule


def main() -> None:
    """Never called: the action of this name does it on the controller."""
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    module.fail_json(msg="system_facts runs on the controller, as an action of this collection; install it whole")


if __name__ == "__main__":
    main()
