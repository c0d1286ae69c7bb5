#!/usr/bin/python
# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pki_request
short_description: Make keys and signing requests on the host that uses them
description:
  - Makes a signing request for each lineage, with the key that the lineage has, or with a new key when it has none or
    when its certificate has to be replaced.
  - A new key waits in C(pending) below the lineage until M(bulwark.mqtt.tls_install) puts it in place together with its
    certificate. What services read is not touched, and the private key never leaves the host.
version_added: 1.0.0
author:
  - Bulwark contributors (@bulwark-mqtt)
extends_documentation_fragment:
  - bulwark.mqtt.attributes
requirements:
  - cryptography >= 38
notes:
  - In check mode on a host that has no C(cryptography) yet, the module answers as for a host without any key.
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
options:
  store:
    description:
      - Directory with one directory for each lineage.
    type: path
    default: /etc/bulwark/tls
  prefix:
    description:
      - What the names of the requests begin with, such as the host's name in the inventory.
      - Needed for requests without O(requests[].name).
    type: str
    default: ""
  requests:
    description:
      - The certificates to ask for.
    type: list
    elements: dict
    required: true
    suboptions:
      lineage:
        description:
          - Name of the lineage.
        type: str
        required: true
      profile:
        description:
          - What the certificate is for.
        type: str
        choices: [server, client, cluster_node]
        required: true
      name:
        description:
          - Name of the request. The default is O(prefix), a slash and the lineage.
        type: str
      common_name:
        description:
          - Common name, 1 to 64 of the characters C(A-Z a-z 0-9 . _ -). The default is the first of the names.
        type: str
      names:
        description:
          - DNS names and IP addresses. The default is the common name; one of the two has to be given.
        type: list
        elements: str
        default: []
      key_type:
        description:
          - Type of the key.
        type: str
        choices: [ec-p256, ec-p384, rsa-3072, rsa-4096, ed25519]
        default: ec-p256
seealso:
  - module: bulwark.mqtt.pki_issue
  - module: bulwark.mqtt.tls_install
"""

EXAMPLES = r"""
- name: Make the signing request of the broker
  bulwark.mqtt.pki_request:
    prefix: "{{ inventory_hostname }}"
    requests:
      - lineage: mqtt
        profile: server
        common_name: mqtt1.example.com
        names: [mqtt1.example.com, 192.0.2.10]
  register: request
"""

RETURN = r"""
requests:
  description: The requests, in order; M(bulwark.mqtt.pki_issue) takes them as they are.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the request.
      type: str
      sample: mqtt1.example.com/mqtt
    lineage:
      description: Name of the lineage.
      type: str
    profile:
      description: What the certificate is for.
      type: str
    common_name:
      description: Common name.
      type: str
    names:
      description: DNS names and IP addresses.
      type: list
      elements: str
    key_type:
      description: Type of the key.
      type: str
    csr:
      description: The signing request in PEM form, empty in check mode when the key would be made.
      type: str
    reasons:
      description: Why a new key was made, or would be; empty when the key is the one that the lineage had.
      type: list
      elements: str
      sample: ["there is no key yet"]
"""

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import _request as request
from ..module_utils._host.lineage import Lineage
from ..module_utils._module import CRYPTOGRAPHY_VERSION, cryptography_problem, run
from ..module_utils._pki import keys


def ensure(params: Mapping[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """Make the keys that are missing or due, and a request for each lineage."""
    store = Path(params["store"])
    results = [_request(store, wanted, params["prefix"], check_mode=check_mode) for wanted in params["requests"]]
    return {
        "changed": any(result["reasons"] for result in results),
        "requests": results,
        "diff": {
            "prepared": "".join(
                f"{store / result['lineage']}: new key, {reason}\n"
                for result in results
                for reason in result["reasons"]
            )
        },
    }


def _request(store: Path, wanted: Mapping[str, Any], prefix: str, *, check_mode: bool) -> dict[str, Any]:
    made = request.Request(csr="", reasons=(request.NO_KEY,))
    if not (check_mode and cryptography_problem(CRYPTOGRAPHY_VERSION)):
        made = request.make(
            Lineage(str(store), wanted["lineage"]),
            profile=wanted["profile"],
            common_name=wanted["common_name"],
            alternative_names=wanted["names"],
            key_type=wanted["key_type"],
            now=dt.datetime.now(dt.timezone.utc),
            write=not check_mode,
        )
    return {
        **wanted,
        "name": wanted["name"] or f"{prefix}/{wanted['lineage']}",
        "common_name": wanted["common_name"] or wanted["names"][0],
        "csr": made.csr,
        "reasons": list(made.reasons),
    }


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "store": {"type": "path", "default": "/etc/bulwark/tls"},
            "prefix": {"type": "str", "default": ""},
            "requests": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "required_one_of": [["common_name", "names"]],
                "options": {
                    "lineage": {"type": "str", "required": True},
                    "profile": {"type": "str", "choices": ["server", "client", "cluster_node"], "required": True},
                    "name": {"type": "str"},
                    "common_name": {"type": "str"},
                    "names": {"type": "list", "elements": "str", "default": []},
                    "key_type": {"type": "str", "choices": list(keys.KEY_TYPES), "default": "ec-p256", "no_log": False},
                },
            },
        },
        supports_check_mode=True,
    )
    run(module, ensure, needs_cryptography=not module.check_mode)


if __name__ == "__main__":
    main()
