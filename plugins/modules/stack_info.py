#!/usr/bin/python
# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: stack_info
version_added: 1.0.0
short_description: What the software on a host can do
author:
  - Bulwark contributors (@bulwark-mqtt)
description:
  - Reads which versions of the software are installed, or would be installed from the package sources that the host
    knows, and answers in capabilities, so that roles never compare versions.
  - Needs nothing but a shell on the host, and starts no module there.
  - Debian and Ubuntu are tested. Hosts with C(rpm) and C(dnf) are supported by data and untested.
extends_documentation_fragment:
  - bulwark.mqtt.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
options:
  software:
    description:
      - What to look for.
    type: list
    elements: str
    choices:
      - certbot
      - emqx
      - mosquitto
      - nginx
      - openssl
    default:
      - certbot
      - emqx
      - mosquitto
      - nginx
      - openssl
notes:
  - The versions are those of packages. Software that was installed otherwise is not seen.
seealso:
  - plugin: bulwark.mqtt.tls_policy
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Learn what the broker can do
  bulwark.mqtt.stack_info:
    software:
      - mosquitto
      - openssl
  register: stack

- name: Say whether the broker takes identities from a proxy
  ansible.builtin.debug:
    msg: "{{ stack.capabilities.mosquitto.proxy_protocol }}"
"""

RETURN = r"""
software:
  description: What was found, by the names that were asked for.
  returned: success
  type: dict
  sample:
    mosquitto:
      version: 2.1.2
      installed: 2.1.2-3
      candidate: 2.1.2-3
      plugin_directory: /usr/lib/x86_64-linux-gnu/mosquitto
  contains:
    version:
      description:
        - The upstream version that is installed, else the one that would be.
        - V(null) when the package sources do not have it.
      type: str
    installed:
      description: The version of the installed package, V(null) when it is not installed.
      type: str
    candidate:
      description: The version that the package sources offer, V(null) when they have none.
      type: str
    plugin_directory:
      description: Where the broker's own plugins are, or will be. Only for C(mosquitto).
      type: str
capabilities:
  description:
    - What each software can do, by name; all V(false) when there is no version.
    - "C(certbot): C(addresses), C(ari), C(profiles), C(renewal_by_fraction)."
    - "C(emqx): C(base_hocon), C(cluster_needs_licence), C(one_package), C(replicants), C(security_profile)."
    - "C(mosquitto): C(argon2_passwords), C(auth_plugins), C(bridge_ciphers), C(builtin_websockets), C(global_limits),
      C(listener_allow_anonymous), C(proxy_protocol), C(restricted_files_nofollow), C(retain_expiry_interval),
      C(test_config)."
    - "C(nginx): C(njs), C(sends_proxy_v2), C(stream_server_name), C(stream_stapling)."
    - "C(openssl): C(hybrid_groups), C(optional_groups)."
  returned: success
  type: dict
  sample:
    openssl:
      hybrid_groups: true
      optional_groups: true
"""

from ansible.module_utils.basic import AnsibleModule


def main() -> None:
    """Never called: the action of this name does it on the controller."""
    module = AnsibleModule(
        argument_spec={
            "software": {
                "type": "list",
                "elements": "str",
                "choices": ["certbot", "emqx", "mosquitto", "nginx", "openssl"],
                "default": ["certbot", "emqx", "mosquitto", "nginx", "openssl"],
            },
        },
        supports_check_mode=True,
    )
    module.fail_json(msg="stack_info runs on the controller, as an action of this collection; install it whole")


if __name__ == "__main__":
    main()
