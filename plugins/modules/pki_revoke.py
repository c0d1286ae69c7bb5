#!/usr/bin/python
# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pki_revoke
short_description: Revoke certificates of the private CA
description:
  - Marks certificates as revoked in the ledger of the CA, all that are meant or none. It needs no passphrase.
  - From then on M(bulwark.mqtt.pki_issue) does not hand them out. Others learn of it from the revocation list and the
    OCSP responses, which M(bulwark.mqtt.pki_publish) signs.
  - A revocation cannot be taken back. What is revoked already keeps its date. It keeps its reason too, unless the new
    one is V(key_compromise).
  - A CA cannot be revoked with this module.
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
      - Directory of the CA, made by M(bulwark.mqtt.pki_authority).
    type: path
    required: true
  serial:
    description:
      - Revoke the certificate with this serial, in hexadecimal as C(openssl x509 -noout -serial) prints it.
      - Quote it in YAML, where a serial of digits only would be a number.
    type: str
  common_name:
    description:
      - Revoke every certificate with this common name, those that have expired too.
    type: str
  certificate:
    description:
      - Revoke the certificate in this file, in PEM form.
    type: path
  reason:
    description:
      - Why, in the words of RFC 5280.
      - After V(key_compromise), M(bulwark.mqtt.pki_issue) refuses every request with that key. After the others it
        issues a new certificate for the same key when one is asked for.
    type: str
    choices:
      - unspecified
      - key_compromise
      - affiliation_changed
      - superseded
      - cessation_of_operation
      - privilege_withdrawn
    default: unspecified
seealso:
  - module: bulwark.mqtt.pki_publish
  - module: bulwark.mqtt.pki_info
"""

EXAMPLES = r"""
- name: Revoke all certificates of a stolen meter
  bulwark.mqtt.pki_revoke:
    directory: /srv/pki
    common_name: meter-0815
    reason: key_compromise
  delegate_to: localhost

- name: Revoke one certificate
  bulwark.mqtt.pki_revoke:
    directory: /srv/pki
    serial: "4B92B2FA5D0D1B5EFD80B7A3E1E5C6F8C0D11A27"
    reason: superseded
  delegate_to: localhost
"""

RETURN = r"""
certificates:
  description: The certificates that are revoked now, or would be.
  returned: success
  type: list
  elements: dict
  contains:
    serial:
      description: Serial number in hexadecimal.
      type: str
    common_name:
      description: Common name of the subject.
      type: str
    profile:
      description: What the certificate is for.
      type: str
    not_after:
      description: End of the validity in UTC.
      type: str
      sample: "2027-02-21T12:00:00Z"
    reason:
      description: The reason in the ledger.
      type: str
    changed:
      description: Whether the ledger says something new about it, or would.
      type: bool
"""

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._module import run
from ..module_utils._pki import authority, lifetimes, revocation


def ensure(params: Mapping[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """Revoke what is meant and not revoked yet."""
    found = authority.load(Path(params["directory"]))
    target = revocation.Target(
        serial=params["serial"],
        common_name=params["common_name"],
        path=Path(params["certificate"]) if params["certificate"] else None,
    )
    if check_mode:
        outcomes = revocation.plan(found, target, reason=params["reason"])
    else:
        now = dt.datetime.now(dt.timezone.utc)
        outcomes = revocation.revoke(found, target, reason=params["reason"], now=now)
    return {
        "changed": any(outcome.changed for outcome in outcomes),
        "certificates": [_facts(outcome) for outcome in outcomes],
        "diff": {"before": _text(outcomes, before=True), "after": _text(outcomes, before=False)},
    }


def _facts(outcome: revocation.Outcome) -> dict[str, Any]:
    record = outcome.before
    return {
        "serial": record.serial,
        "common_name": record.common_name,
        "profile": record.profile,
        "not_after": lifetimes.show(record.not_after),
        "reason": outcome.reason,
        "changed": outcome.changed,
    }


def _text(outcomes: list[revocation.Outcome], *, before: bool) -> str:
    return "".join(
        f"{outcome.before.serial} {outcome.before.common_name}: {_status(outcome, before=before)}\n"
        for outcome in outcomes
    )


def _status(outcome: revocation.Outcome, *, before: bool) -> str:
    if not before:
        return f"revoked ({outcome.reason})"
    return f"revoked ({outcome.before.reason})" if outcome.before.revoked else "valid"


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "directory": {"type": "path", "required": True},
            "serial": {"type": "str"},
            "common_name": {"type": "str"},
            "certificate": {"type": "path"},
            "reason": {"type": "str", "choices": list(revocation.REASONS), "default": "unspecified"},
        },
        mutually_exclusive=[["serial", "common_name", "certificate"]],
        required_one_of=[["serial", "common_name", "certificate"]],
        supports_check_mode=True,
    )
    run(module, ensure, needs_cryptography=True)


if __name__ == "__main__":
    main()
