#!/usr/bin/python
# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pki_backup
short_description: Back up the private CA while it is in use
description:
  - Writes one encrypted archive of the CA directory, in one rename. It has a snapshot of the ledger and everything else
    but what M(bulwark.mqtt.pki_publish) wrote, which can be made again. Keys in it are encrypted under their own
    passphrases as well.
  - An archive that has the content of the CA already is left as it is.
  - The format is described in docs/operations.md, with a program that reads it.
version_added: 1.0.0
author:
  - Bulwark contributors (@bulwark-mqtt)
extends_documentation_fragment:
  - bulwark.mqtt.attributes
  - bulwark.mqtt.passphrase
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
  destination:
    description:
      - The archive, outside of O(directory). The folder that it is in has to exist. The archive gets the mode V(0600).
      - A file that is no archive of a CA is not overwritten.
    type: path
    required: true
  published:
    description:
      - Destination of M(bulwark.mqtt.pki_publish), left out when it is inside of O(directory). The default is
        C(publish) there.
    type: path
seealso:
  - module: bulwark.mqtt.pki_restore
"""

EXAMPLES = r"""
- name: Back up the CA
  bulwark.mqtt.pki_backup:
    directory: /srv/pki
    destination: /srv/backup/pki.backup
    passphrase: "{{ vault_pki_backup_passphrase }}"
  delegate_to: localhost
"""

RETURN = r"""
reasons:
  description: Why the archive was written, or would be; empty when nothing changed since.
  returned: success
  type: list
  elements: str
created:
  description: When the archive was made, in UTC.
  returned: success
  type: str
  sample: "2026-11-25T08:00:00Z"
ledger_certificates:
  description: How many certificates the ledger in the archive knows.
  returned: success
  type: int
ledger_revoked:
  description: How many of them are revoked.
  returned: success
  type: int
root_key:
  description: Whether the key of the root CA is in the archive, or what signs with it; not when it was offline.
  returned: success
  type: bool
"""

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._module import run
from ..module_utils._pki import backup, passphrase


def ensure(params: Mapping[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """Write the archive unless it has what the CA has."""
    directory = Path(params["directory"])
    made = backup.back_up(
        directory,
        Path(params["destination"]),
        published=Path(params["published"] or directory / "publish"),
        passphrase=passphrase.required(params, variable="pki_backup_passphrase"),
        check_mode=check_mode,
        now=dt.datetime.now(dt.timezone.utc),
    )
    return {
        "changed": bool(made.reasons),
        "reasons": list(made.reasons),
        **backup.facts(made.manifest),
        "diff": {"prepared": "".join(f"{reason}\n" for reason in made.reasons)},
    }


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "directory": {"type": "path", "required": True},
            "destination": {"type": "path", "required": True},
            "published": {"type": "path"},
            **passphrase.arguments(),
        },
        mutually_exclusive=[passphrase.kinds()],
        required_one_of=[passphrase.kinds()],
        supports_check_mode=True,
    )
    run(module, ensure, needs_cryptography=True)


if __name__ == "__main__":
    main()
