#!/usr/bin/python
# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pki_info
short_description: What the private CA issued and revoked
description:
  - Lists the ledger of the CA, every certificate that was ever issued, the first to expire first. It changes nothing
    and needs no passphrase.
  - What is given restricts the list; everything that is given has to hold.
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
    support: none
options:
  directory:
    description:
      - Directory of the CA, made by M(bulwark.mqtt.pki_authority).
    type: path
    required: true
  common_name:
    description:
      - Certificates with this common name.
    type: str
  serial:
    description:
      - The certificate with this serial, in hexadecimal.
    type: str
  profiles:
    description:
      - Certificates of these profiles, all when it is empty.
    type: list
    elements: str
    choices: [root, cross, issuing, server, client, ocsp_signer, cluster_node]
    default: []
  status:
    description:
      - V(valid) are those that are neither revoked nor expired, V(expired) those that were not revoked before.
      - V(left) are valid ones of a CA that is being replaced, which the new CA has not replaced yet.
    type: str
    choices: [any, valid, expired, revoked, left]
    default: any
  expires_within:
    description:
      - Certificates that expire within this time from now, such as V(30d). Those that have expired are left out.
    type: str
seealso:
  - module: bulwark.mqtt.pki_revoke
"""

EXAMPLES = r"""
- name: Find what expires within a month
  bulwark.mqtt.pki_info:
    directory: /srv/pki
    status: valid
    expires_within: 30d
  delegate_to: localhost
  register: expiring

- name: Show it
  ansible.builtin.debug:
    var: expiring.table
"""

RETURN = r"""
certificates:
  description: The certificates, without the certificates themselves.
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
    names:
      description: Alternative names.
      type: str
      sample: mqtt1.example.com, 192.0.2.10
    profile:
      description: What the certificate is for.
      type: str
    ca:
      description: Name of the CA that issued it, such as V(issuing-1).
      type: str
    status:
      description: One of V(valid), V(expired) and V(revoked).
      type: str
    not_before:
      description: Start of the validity in UTC.
      type: str
    not_after:
      description: End of the validity in UTC.
      type: str
      sample: "2027-02-21T12:00:00Z"
    revoked_at:
      description: When it was revoked, in UTC; empty when it was not.
      type: str
    reason:
      description: Why it was revoked; empty when it was not.
      type: str
table:
  description: The same for a reader, a line each below a heading.
  returned: success
  type: list
  elements: str
  sample:
    - "not after             status  profile  common name        ca         serial           reason"
    - "2027-02-21T12:00:00Z  valid   server   mqtt1.example.com  issuing-1  4B92B2FA5D0D..."
cas:
  description: The CAs, roots first, the oldest first.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Such as V(issuing-1), the name of its folder and of the files about it.
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
    phase:
      description: >-
        V(signing), or during a replacement V(introduced), V(replaced) and V(cut_over), at its end V(retired), or
        V(cancelled) for one that was introduced and never signed.
      type: str
    since:
      description: When that began in UTC, empty when the ledger does not know.
      type: str
    key:
      description: Whether its key is here; that of a root can be kept offline.
      type: bool
    crl:
      description: Its last revocation list, empty before the first.
      type: dict
      contains:
        number:
          description: Its number.
          type: int
        this_update:
          description: Start of its validity in UTC.
          type: str
        next_update:
          description: End of its validity in UTC.
          type: str
rollover:
  description: Where the last replacement of a CA is, see RV(bulwark.mqtt.pki_authority#module:rollover).
  returned: success
  type: dict
"""

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._module import run
from ..module_utils._pki import authority, certificates, crl, ledger, lifetimes, profiles, revocation, rollover

# What a status means for the column of the ledger; with a status in terms of time, see _filter.
_REVOKED = {"any": None, "valid": False, "expired": False, "revoked": True, "left": False}

# What a table has of each certificate, what is asked for most first.
_COLUMNS = ("not_after", "status", "profile", "common_name", "ca", "serial", "reason")


def ensure(params: Mapping[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """List what the ledger has; check mode makes no difference."""
    found = authority.load(Path(params["directory"]))
    now = dt.datetime.now(dt.timezone.utc)
    with found.open_ledger() as book:
        records = book.find(_filter(params, now=now))
        if params["status"] == "left":
            left = {record.serial for record in rollover.left(found, book, now=now)}
            records = [record for record in records if record.serial in left]
        cas = [_ca_facts(ca, book.revocation_list(ca.key_id)) for ca in found.cas]
    names = {ca.key_id: ca.name for ca in found.cas}
    found_certificates = [{**_facts(record, now=now), "ca": names.get(record.issuer, "")} for record in records]
    return {
        "changed": False,
        "certificates": found_certificates,
        "table": _table(found_certificates),
        "cas": cas,
        "rollover": rollover.facts(found, now=now),
    }


def _filter(params: Mapping[str, Any], *, now: dt.datetime) -> ledger.Filter:
    within = params["expires_within"]
    return ledger.Filter(
        serial=None if params["serial"] is None else revocation.normal_serial(params["serial"]),
        common_name=params["common_name"],
        profiles=tuple(params["profiles"]),
        revoked=_REVOKED[params["status"]],
        expires_from=now if within or params["status"] == "valid" else None,
        expires_before=_end(params, now=now),
    )


def _end(params: Mapping[str, Any], *, now: dt.datetime) -> dt.datetime | None:
    if params["status"] == "expired":
        return now
    if params["expires_within"] is None:
        return None
    return now + lifetimes.parse(params["expires_within"], what="expires_within")


def _facts(record: ledger.Record, *, now: dt.datetime) -> dict[str, str]:
    return {
        "serial": record.serial,
        "common_name": record.common_name,
        "names": record.names,
        "profile": record.profile,
        "status": "revoked" if record.revoked else "expired" if record.not_after < now else "valid",
        "not_before": lifetimes.show(record.not_before),
        "not_after": lifetimes.show(record.not_after),
        "revoked_at": lifetimes.show(record.revoked_at) if record.revoked_at else "",
        "reason": record.reason,
    }


def _table(rows: list[dict[str, str]]) -> list[str]:
    """The certificates for a reader: a line each below a heading, in columns as wide as what is in them."""
    heading = {column: column.replace("_", " ") for column in _COLUMNS}
    lines = [heading, *rows]
    widths = [max(len(line[column]) for line in lines) for column in _COLUMNS]
    return ["  ".join(line[column].ljust(width) for column, width in zip(_COLUMNS, widths)).rstrip() for line in lines]


def _ca_facts(ca: authority.Ca, last: ledger.RevocationList | None) -> dict[str, Any]:
    return {
        "name": ca.name,
        "common_name": certificates.common_name(ca.certificate),
        "serial": certificates.serial_hex(ca.certificate.serial_number),
        "not_after": lifetimes.show(certificates.not_after(ca.certificate)),
        "phase": ca.phase,
        "since": lifetimes.show(ca.since) if ca.since else "",
        "key": ca.key_is_here,
        "crl": _list_facts(last) if last else {},
    }


def _list_facts(last: ledger.RevocationList) -> dict[str, Any]:
    listed = crl.read(last.der)
    return {
        "number": listed.number,
        "this_update": lifetimes.show(listed.this_update),
        "next_update": lifetimes.show(listed.next_update),
    }


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "directory": {"type": "path", "required": True},
            "common_name": {"type": "str"},
            "serial": {"type": "str"},
            "profiles": {
                "type": "list",
                "elements": "str",
                "choices": list(profiles.PROFILES),
                "default": [],
            },
            "status": {"type": "str", "choices": ["any", "valid", "expired", "revoked", "left"], "default": "any"},
            "expires_within": {"type": "str"},
        },
        supports_check_mode=True,
    )
    run(module, ensure, needs_cryptography=True)


if __name__ == "__main__":
    main()
