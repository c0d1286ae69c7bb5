#!/usr/bin/python
# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: render
version_added: 1.0.0
short_description: Render every file that a deployment would write, for review in Git
author:
  - Bulwark contributors (@bulwark-mqtt)
description:
  - Evaluates the lists of files of the roles that the playbook C(bulwark.mqtt.site) runs, with the variables of each
    host of the play, and writes them below a directory on the controller. No host is asked, and one task renders all.
  - Each host has a folder with its files at their paths and C(manifest.json), which says of each file its owner, group,
    mode, a digest, and what a change of it does to the service.
  - Secret files are not written. The manifest has a digest of them under a key, so that a change shows.
  - The same inventory gives the same bytes, on any controller. In check mode nothing is written, and the diff is what
    would change.
extends_documentation_fragment:
  - bulwark.mqtt.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
options:
  directory:
    description:
      - Directory on the controller, with a folder for each host. That of a host that left the inventory is removed.
    type: path
    required: true
  facts:
    description:
      - Directory on the controller with what C(bulwark.mqtt.record) has written of each host.
      - A host without such a file needs the variable that O(release_variable) names.
    type: path
    required: true
  release_variable:
    description: Name of the variable of a host that has the release of a host without a record.
    type: str
    default: bulwark_release
  digest_key:
    description: Key of the digests of secret files, at least 16 characters. Needed where there are any.
    type: str
    default: ""
seealso:
  - module: bulwark.mqtt.drift_info
"""

EXAMPLES = r"""
- name: Render the hosts of the play
  bulwark.mqtt.render:
    directory: "{{ inventory_dir }}/rendered"
    facts: "{{ inventory_dir }}/facts"
    digest_key: "{{ vault_digest_key }}"
  run_once: true
"""

RETURN = r"""
hosts:
  description: The hosts that were rendered.
  returned: success
  type: list
  elements: str
  sample: [mqtt1.example.com]
new_hosts:
  description: Those of them that were not there before.
  returned: success
  type: list
  elements: str
  sample: []
removed_hosts:
  description: Hosts that were rendered before and are not in the inventory any more.
  returned: success
  type: list
  elements: str
  sample: []
summary:
  description: What a deployment would do, the strongest first.
  returned: success
  type: list
  elements: str
  sample:
    - restart mosquitto on 2 hosts (mqtt1.example.com, mqtt2.example.com)
"""
