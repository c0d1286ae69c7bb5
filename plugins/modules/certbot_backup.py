#!/usr/bin/python
# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: certbot_backup
short_description: Back up the ACME accounts of certbot
version_added: 1.0.0
description:
  - Writes one encrypted archive of the accounts, in one rename. certbot stores their keys in clear.
  - An archive that has the same accounts already is left as it is.
  - The format is that of M(bulwark.mqtt.pki_backup), described in docs/operations.md, under another first line.
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
    description: Directory of the accounts.
    type: path
    default: /etc/letsencrypt/accounts
  destination:
    description:
      - The archive. The folder that it is in has to exist. The archive gets the mode V(0600).
      - A file that is no such archive is not overwritten.
    type: path
    required: true
seealso:
  - module: bulwark.mqtt.certbot_restore
"""

EXAMPLES = r"""
- name: Back up the accounts
  bulwark.mqtt.certbot_backup:
    destination: /var/backups/certbot.accounts
    passphrase: "{{ vault_certbot_backup_passphrase }}"
"""

RETURN = r"""
accounts:
  description: The accounts in the archive, by server and name.
  returned: success
  type: list
  elements: str
  sample: ["acme-v02.api.letsencrypt.org/directory/1c8bb3e3c1c1d6d7a2e3c7a3c0a6e4e9"]
created:
  description: When the archive was made, in UTC.
  returned: success
  type: str
  sample: "2026-11-25T08:00:00Z"
reasons:
  description: Why the archive was written, or would be; empty when nothing changed since.
  returned: success
  type: list
  elements: str
"""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import _certbot_accounts
from ..module_utils._module import run
from ..module_utils._pki import passphrase


def ensure(params: Mapping[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """Write the archive unless it has what certbot has."""
    made = _certbot_accounts.back_up(
        params["directory"],
        params["destination"],
        passphrase=passphrase.required(params, variable="certbot_backup_passphrase"),
        check_mode=check_mode,
        now=dt.datetime.now(dt.timezone.utc),
    )
    return {
        "changed": bool(made.reasons),
        "accounts": list(made.accounts),
        "created": made.created,
        "reasons": list(made.reasons),
        "diff": {"prepared": "".join(f"{reason}\n" for reason in made.reasons)},
    }


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "directory": {"type": "path", "default": "/etc/letsencrypt/accounts"},
            "destination": {"type": "path", "required": True},
            **passphrase.arguments(),
        },
        mutually_exclusive=[passphrase.kinds()],
        required_one_of=[passphrase.kinds()],
        supports_check_mode=True,
    )
    run(module, ensure, needs_cryptography=True)


if __name__ == "__main__":
    main()
