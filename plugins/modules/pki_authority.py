#!/usr/bin/python
# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pki_authority
short_description: Create and check the directory of a private CA
description:
  - Creates a root and an issuing CA in one directory, with keys that are encrypted under a passphrase and a ledger of
    every certificate that is signed.
  - An existing CA is never changed or replaced. Where it differs from what is asked for, the module warns.
  - A creation that was interrupted is completed by the next run. A CA, a key or a ledger that was lost is an error.
version_added: 1.0.0
author:
  - Bulwark contributors (@bulwark-mqtt)
extends_documentation_fragment:
  - bulwark.mqtt.attributes
requirements:
  - cryptography >= 38
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
options:
  directory:
    description:
      - Directory of the CA, on a local file system. Created with mode V(0700) when it is missing.
      - The module fails when others than its owner can use it, its keys or its ledger.
    type: path
    required: true
  passphrase:
    description:
      - Encrypts the key of the issuing CA. At least 12 characters, generated at random.
    type: str
    required: true
  root_passphrase:
    description:
      - Encrypts the key of the root CA. The default is the value of O(passphrase).
    type: str
  organization:
    description:
      - Organization in the names of both CAs, none when it is empty.
    type: str
    default: ""
  root_common_name:
    description:
      - Name of the root CA.
    type: str
    default: Bulwark Root CA
  issuing_common_name:
    description:
      - Name of the issuing CA.
    type: str
    default: Bulwark Issuing CA
  root_key_type:
    description:
      - Type of the root CA's key.
    type: str
    choices: [ec-p256, ec-p384, rsa-3072, rsa-4096, ed25519]
    default: ec-p256
  issuing_key_type:
    description:
      - Type of the issuing CA's key.
    type: str
    choices: [ec-p256, ec-p384, rsa-3072, rsa-4096, ed25519]
    default: ec-p256
  root_lifetime:
    description:
      - How long the root CA is valid, such as V(7300d).
    type: str
    default: 7300d
  issuing_lifetime:
    description:
      - How long the issuing CA is valid, such as V(1825d), and never longer than the root CA.
    type: str
    default: 1825d
seealso:
  - module: bulwark.mqtt.pki_request
  - module: bulwark.mqtt.pki_issue
"""

EXAMPLES = r"""
- name: Create the CA
  bulwark.mqtt.pki_authority:
    directory: /srv/pki
    passphrase: "{{ vault_pki_passphrase }}"
    organization: Example Energy
  delegate_to: localhost
  run_once: true
"""

RETURN = r"""
reasons:
  description: What was created, or would be; empty when the CA was there.
  returned: success
  type: list
  elements: str
  sample: ["/srv/pki has no root CA", "/srv/pki has no issuing CA"]
root:
  description: The root CA. Its values are empty in check mode when it would be created.
  returned: success
  type: dict
  contains: &ca
    certificate:
      description: The certificate in PEM form.
      type: str
    common_name:
      description: Common name of the subject.
      type: str
    serial:
      description: Serial number in hexadecimal.
      type: str
    not_after:
      description: End of the validity in UTC.
      type: str
      sample: "2046-11-18T12:00:00Z"
issuing:
  description: The issuing CA, with the same keys as RV(root).
  returned: success
  type: dict
  contains: *ca
chain:
  description: What a server sends after its own certificate, in PEM form.
  returned: success
  type: str
ca:
  description: What peers trust, in PEM form, the root first.
  returned: success
  type: str
"""

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._module import run
from ..module_utils._pki import authority, build, certificates, keys, lifetimes, names, profiles


def wanted(params: Mapping[str, Any]) -> authority.Wanted:
    """The authority that the parameters describe."""
    return authority.Wanted(
        root=_spec(params, "root"),
        issuing=_spec(params, "issuing"),
        root_passphrase=authority.root_passphrase(params["root_passphrase"], else_=params["passphrase"]),
        issuing_passphrase=authority.issuing_passphrase(params["passphrase"]),
    )


def ensure(params: Mapping[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """Create what is missing of the authority, check the rest."""
    directory = Path(params["directory"])
    goal = wanted(params)
    now = dt.datetime.now(dt.timezone.utc)
    reasons = authority.missing(directory)
    result = {
        "changed": bool(reasons),
        "reasons": reasons,
        "diff": {"prepared": "".join(f"{reason}\n" for reason in reasons)},
    }
    if reasons and check_mode:
        return {**result, "root": _facts(None), "issuing": _facts(None), "chain": "", "ca": ""}
    found = authority.create(directory, goal, now=now) if reasons else authority.load(directory)
    # Finds a wrong passphrase and a damaged file now, not on the day on which something has to be signed.
    found.issuing.unlock(goal.issuing_passphrase)
    with found.open_ledger() as ledger:
        ledger.check()
    return {
        **result,
        "root": _facts(found.root),
        "issuing": _facts(found.issuing),
        "chain": found.chain,
        "ca": found.bundle,
        "warnings": [
            f"{difference}; an existing CA is not changed" for difference in authority.differences(found, goal, now=now)
        ],
    }


def _spec(params: Mapping[str, Any], profile: str) -> build.Spec:
    return build.Spec(
        profile=profiles.get(profile),
        common_name=names.check_title(params[f"{profile}_common_name"], what=f"{profile}_common_name"),
        organization=params["organization"] and names.check_title(params["organization"], what="organization"),
        key_type=params[f"{profile}_key_type"],
        lifetime=lifetimes.parse(params[f"{profile}_lifetime"], what=f"{profile}_lifetime"),
    )


def _facts(ca: authority.Ca | None) -> dict[str, str]:
    if ca is None:
        return {"certificate": "", "common_name": "", "serial": "", "not_after": ""}
    return {
        "certificate": certificates.to_pem(ca.certificate),
        "common_name": certificates.common_name(ca.certificate),
        "serial": certificates.serial_hex(ca.certificate.serial_number),
        "not_after": lifetimes.show(certificates.not_after(ca.certificate)),
    }


def main() -> None:
    """Run the module."""
    key_type = {"type": "str", "choices": list(keys.KEY_TYPES), "default": "ec-p256"}
    module = AnsibleModule(
        argument_spec={
            "directory": {"type": "path", "required": True},
            "passphrase": {"type": "str", "required": True, "no_log": True},
            "root_passphrase": {"type": "str", "no_log": True},
            "organization": {"type": "str", "default": ""},
            "root_common_name": {"type": "str", "default": "Bulwark Root CA"},
            "issuing_common_name": {"type": "str", "default": "Bulwark Issuing CA"},
            "root_key_type": key_type,
            "issuing_key_type": key_type,
            "root_lifetime": {"type": "str", "default": "7300d"},
            "issuing_lifetime": {"type": "str", "default": "1825d"},
        },
        supports_check_mode=True,
    )
    run(module, ensure, needs_cryptography=True)


if __name__ == "__main__":
    main()
