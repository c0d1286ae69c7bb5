#!/usr/bin/python
# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: certbot_restore
short_description: Restore the ACME accounts of certbot from an archive
version_added: 1.0.0
description:
  - Restores what M(bulwark.mqtt.certbot_backup) wrote. Accounts that are there already are left as they are. Killed at
    any moment, each account is complete or not there.
  - An archive that is damaged, cut off or under another passphrase is refused before anything changes, and so is one
    with an account in whose place another one is, or the same one with a key that was changed since.
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
  source:
    description: The archive.
    type: path
    required: true
  directory:
    description: Directory of the accounts.
    type: path
    default: /etc/letsencrypt/accounts
  replace:
    description: Put accounts with the same servers aside, see RV(kept).
    type: bool
    default: false
seealso:
  - module: bulwark.mqtt.certbot_backup
"""

EXAMPLES = r"""
- name: Restore the accounts on a new machine
  bulwark.mqtt.certbot_restore:
    source: /var/backups/certbot.accounts
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
kept:
  description: Where accounts are that were put aside.
  returned: success
  type: list
  elements: str
reasons:
  description: What was restored, or would be; empty when all of it is there already.
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
    """Restore the accounts that are missing."""
    restored = _certbot_accounts.restore(
        params["source"],
        params["directory"],
        passphrase=passphrase.required(params, variable="certbot_backup_passphrase"),
        replace=params["replace"],
        check_mode=check_mode,
        now=dt.datetime.now(dt.timezone.utc),
    )
    return {
        "changed": bool(restored.reasons),
        "accounts": list(restored.accounts),
        "created": restored.created,
        "kept": list(restored.kept),
        "reasons": list(restored.reasons),
        "diff": {"prepared": "".join(f"{reason}\n" for reason in restored.reasons)},
    }


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "source": {"type": "path", "required": True},
            "directory": {"type": "path", "default": "/etc/letsencrypt/accounts"},
            "replace": {"type": "bool", "default": False},
            **passphrase.arguments(),
        },
        mutually_exclusive=[passphrase.kinds()],
        required_one_of=[passphrase.kinds()],
        supports_check_mode=True,
    )
    run(module, ensure, needs_cryptography=True)


if __name__ == "__main__":
    main()
