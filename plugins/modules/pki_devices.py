#!/usr/bin/python
# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pki_devices
short_description: Enrol devices in bulk with the private CA
description:
  - Gives each device of a list a client certificate of the private CA, with a key that is generated here or for the
    public key of its signing request. A list of a million devices takes no more memory than one of a thousand.
  - The whole list is examined before anything is signed. Rows that are malformed, refused or there twice are reported
    together, with their lines.
  - A device is issued a certificate again when there is a reason to, such as a third or less of its lifetime being
    left, or other names. It then keeps its key, unless that is lost, of another type, not the one of the certificate,
    or its certificate was revoked. Keys that are encrypted are not opened to find out whose they are.
  - Work is spread over the cores, in batches. A batch is in the ledger before its files appear, each device at once. A
    run that was killed loses nothing; run it again to complete it.
  - Of a signing request only the public key is used, after its signature was verified. Names are what the list says.
  - A device that is taken off the list keeps its certificate and its files. Revoke it with
    M(bulwark.mqtt.pki_revoke).
version_added: 1.0.0
author:
  - Bulwark contributors (@bulwark-mqtt)
extends_documentation_fragment:
  - bulwark.mqtt.attributes
  - bulwark.mqtt.passphrase
requirements:
  - cryptography >= 38
  - Linux
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
  source:
    description:
      - File on the CA host with the devices, one a row. Its columns are those of O(devices).
      - A name that ends in C(.csv) is for comma-separated values with the columns in the first line. One that ends in
        C(.jsonl) or C(.ndjson) is for JSON objects, one a line.
      - In CSV, O(devices[].names) are separated by spaces.
    type: path
  devices:
    description:
      - The devices. For more than some thousands use O(source), which is not held in memory.
    type: list
    elements: dict
    suboptions:
      common_name:
        description:
          - Name of the device, 1 to 64 of the characters C(A-Z a-z 0-9 . _ -), the first of them no dot. With Mosquitto
            it becomes the user name.
        type: str
        required: true
      names:
        description:
          - DNS names and IP addresses in the certificate. The default is the common name.
        type: list
        elements: str
      csr:
        description:
          - Signing request in PEM form, or the path of a file with one; a relative path starts at the folder of
            O(source). The key then never leaves the device.
          - Without one, a key is generated.
        type: str
      key_type:
        description:
          - Type of the key, instead of O(key_type). A signing request with another type is refused.
        type: str
      lifetime:
        description:
          - How long the certificate is valid, instead of O(lifetime).
        type: str
  destination:
    description:
      - Folder on the CA host for the files of the devices. It is created, for its owner only.
      - A device has a folder of its own, C(XXX/COMMON_NAME), where C(XXX) is the beginning of SHA-256 over the name in
        hexadecimal. It holds C(fullchain.pem) and, for a generated key, C(privkey.pem).
      - C(ca.pem), which devices verify the broker with, is the same for all and in the folder itself.
      - The files of a device are part of its state. When its key is missing here, it gets a new one.
      - The file system must be able to exchange two folders, as local ones of Linux are.
    type: path
  archive:
    description:
      - Write one tar archive instead, with the paths of O(destination), of those devices only that get something new.
      - A device is left out when the ledger has a certificate for its name, or for the key of its request, that needs
        no renewal. A renewed device gets a new key.
      - The file must not exist when something is to be issued, since nobody else has the keys in it. Deliver it, then
        delete it.
    type: path
  formats:
    description:
      - Files to write beside C(privkey.pem), for generated keys.
      - V(combined) is C(combined.pem), key and chain in one file. V(pkcs12) is C(identity.p12), which takes
        O(key_passphrase), and some milliseconds more for each device.
    type: list
    elements: str
    choices: [combined, pkcs12]
    default: []
  key_type:
    description:
      - Type of the keys that are generated. RSA takes a thousand times longer than the others.
    type: str
    choices: [ec-p256, ec-p384, rsa-3072, rsa-4096, ed25519]
    default: ec-p256
  key_passphrase:
    description:
      - Encrypt the generated keys with it. Keys that were written without are encrypted by the next run.
      - Keys that are encrypted already keep their passphrase.
    type: str
  lifetime:
    description:
      - How long the certificates are valid, such as V(365d), and never longer than the issuing CA.
      - A certificate that is valid for longer than this is replaced.
    type: str
    default: 365d
  publish_url:
    description:
      - Where the files of M(bulwark.mqtt.pki_publish) are served, such as V(http://pki.example.com). The certificates
        then name the revocation list and the certificate of the issuing CA there. With V(""), they name none.
      - Certificates with other URLs are replaced.
    type: str
    default: ""
  progress:
    description:
      - File that says how far the run is, as JSON, replaced once a second, since a module prints nothing before it
        ends. Not written in check mode.
    type: path
  processes:
    description:
      - How many processes work at once. V(0) is one for each core.
    type: int
    default: 0
seealso:
  - module: bulwark.mqtt.pki_authority
  - module: bulwark.mqtt.pki_issue
  - module: bulwark.mqtt.pki_revoke
  - module: bulwark.mqtt.pki_info
"""

EXAMPLES = r"""
- name: Enrol the meters
  bulwark.mqtt.pki_devices:
    directory: /srv/pki
    passphrase: "{{ vault_pki_passphrase }}"
    source: /srv/meters.csv
    destination: /srv/meters
    progress: /srv/meters.progress.json
  delegate_to: localhost

- name: Enrol two devices that keep their keys to themselves
  bulwark.mqtt.pki_devices:
    directory: /srv/pki
    passphrase: "{{ vault_pki_passphrase }}"
    devices:
      - common_name: gateway-1
        csr: /srv/requests/gateway-1.csr
      - common_name: gateway-2
        csr: /srv/requests/gateway-2.csr
        names: [gateway-2.example.com, 192.0.2.2]
    archive: /srv/gateways.tar
  delegate_to: localhost
"""

RETURN = r"""
total:
  description: How many devices the list has.
  returned: success
  type: int
issued:
  description: How many certificates were issued, or would be.
  returned: success
  type: int
written:
  description: How many devices kept their certificate and got its files again, or would.
  returned: success
  type: int
completed:
  description:
    - How many devices of a run that was killed got their files. In check mode, V(1) when there are any.
  returned: success
  type: int
ca_changed:
  description: Whether C(ca.pem) in O(destination) is new, or would be.
  returned: success
  type: bool
first:
  description: The first 20 devices that get something new, in the order of the list.
  returned: success
  type: list
  elements: dict
  contains:
    line:
      description: Line of the file, or place in O(devices), counted from 1.
      type: int
    common_name:
      description: Name of the device.
      type: str
    reason:
      description: Why it gets something new.
      type: str
      sample: "one third of the lifetime or less is left: it expires at 2027-02-21T12:00:00Z"
seconds:
  description: How long it took.
  returned: success
  type: float
per_second:
  description: How many devices that are a second.
  returned: success
  type: int
"""

import datetime as dt
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._module import run
from ..module_utils._pki import (
    authority,
    device_files,
    device_rows,
    device_run,
    devices,
    keys,
    lifetimes,
    passphrase,
    progress,
    publish,
)
from ..module_utils._pki.errors import PkiError
from ..module_utils._workers import available


def ensure(params: Mapping[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """Give every device of the list what is due."""
    started = time.monotonic()
    directory = Path(params["directory"])
    with _source(params) as source:
        now = dt.datetime.now(dt.timezone.utc)
        if check_mode:
            # On a virgin CA host there is no authority to load yet.
            found = authority.find(directory)
            outcome = devices.plan(found, _run(params, source, found, now=now))
        else:
            given, made = passphrase.required(params), authority.load(directory)
            outcome = devices.enroll(made, _run(params, source, made, now=now), passphrase=given)
    seconds = time.monotonic() - started
    return {
        "changed": outcome.changed,
        "total": outcome.total,
        "issued": outcome.issued,
        "written": outcome.written,
        "completed": outcome.completed,
        "ca_changed": outcome.ca_changed,
        "first": [
            {"line": finding.line, "common_name": finding.common_name, "reason": finding.reason}
            for finding in outcome.first
        ],
        "seconds": round(seconds, 1),
        "per_second": round(outcome.total / seconds),
        "diff": {"prepared": _text(outcome)},
    }


def _source(params: Mapping[str, Any]) -> device_rows.Source:
    if params["source"]:
        return device_rows.open_file(Path(params["source"]))
    return device_rows.ListSource(params["devices"])


def _run(
    params: Mapping[str, Any],
    source: device_rows.Source,
    authority_: authority.Authority | None,
    *,
    now: dt.datetime,
) -> device_run.Run:
    output = (
        device_files.Folders(Path(params["destination"]))
        if params["destination"]
        else device_files.Archive(Path(params["archive"]), moment=int(now.timestamp()))
    )
    key_passphrase = params["key_passphrase"]
    if "pkcs12" in params["formats"] and key_passphrase is None:
        raise PkiError("formats has pkcs12, but key_passphrase is not given: give the passphrase that opens the files")
    if key_passphrase is not None:
        keys.check_passphrase(key_passphrase, what="key_passphrase")
    settings = device_run.Settings(
        key_type=params["key_type"],
        lifetime=lifetimes.parse(params["lifetime"], what="lifetime"),
        urls=publish.urls(params["publish_url"], authority_),
        formats=tuple(params["formats"]),
        key_passphrase=passphrase.Passphrase(key_passphrase, "key_passphrase") if key_passphrase else None,
        processes=params["processes"] or available(),
    )
    report = progress.ProgressFile(Path(params["progress"])) if params["progress"] else device_run.silent
    return device_run.Run(source=source, output=output, settings=settings, now=now, report=report)


def _text(outcome: devices.Outcome) -> str:
    """The diff: numbers and the first reasons, whatever the size of the list."""
    lines = [f"{finding.common_name}: {finding.reason}" for finding in outcome.first]
    more = outcome.issued + outcome.written - len(lines)
    if more > 0:
        lines.append(f"and {more} more")
    if outcome.completed:
        lines.append("what an earlier run left unfinished is completed")
    if outcome.ca_changed:
        lines.append("ca.pem is written")
    return "".join(f"{line}\n" for line in lines)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "directory": {"type": "path", "required": True},
            **passphrase.arguments(),
            "source": {"type": "path"},
            "devices": {
                "type": "list",
                "elements": "dict",
                "options": {
                    "common_name": {"type": "str", "required": True},
                    "names": {"type": "list", "elements": "str"},
                    "csr": {"type": "str"},
                    "key_type": {"type": "str", "no_log": False},
                    "lifetime": {"type": "str"},
                },
            },
            "destination": {"type": "path"},
            "archive": {"type": "path"},
            "formats": {"type": "list", "elements": "str", "choices": list(device_run.FORMATS), "default": []},
            "key_type": {"type": "str", "choices": list(keys.KEY_TYPES), "default": "ec-p256", "no_log": False},
            "key_passphrase": {"type": "str", "no_log": True},
            "lifetime": {"type": "str", "default": "365d"},
            "publish_url": {"type": "str", "default": ""},
            "progress": {"type": "path"},
            "processes": {"type": "int", "default": 0},
        },
        mutually_exclusive=[["source", "devices"], ["destination", "archive"], passphrase.kinds()],
        required_one_of=[["source", "devices"], ["destination", "archive"], passphrase.kinds()],
        supports_check_mode=True,
    )
    run(module, ensure, needs_cryptography=True)


if __name__ == "__main__":
    main()
