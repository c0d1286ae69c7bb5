#!/usr/bin/python
# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pki_restore
short_description: Restore the private CA from an archive
description:
  - Restores what M(bulwark.mqtt.pki_backup) wrote. Killed at any moment, it leaves the CA that was there or the
    restored one, never a mixture.
  - An archive that is damaged, cut off or under another passphrase is refused before anything changes, and so is one
    that does not know every certificate and revocation that the ledger in place knows, or that was published.
  - In check mode the archive is unpacked and checked for the time of the task.
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
  source:
    description:
      - The archive.
    type: path
    required: true
  directory:
    description:
      - Directory of the CA. It is missing, empty, or holds a CA, see O(replace).
    type: path
    required: true
  published:
    description:
      - Destination of M(bulwark.mqtt.pki_publish), where lists and responses can be newer than the archive. The default
        is C(publish) in O(directory).
    type: path
  replace:
    description:
      - Put the restored CA in the place of one that is there. The old one is kept beside it, see RV(kept).
    type: bool
    default: false
  older:
    description:
      - Restore although certificates were issued or revoked since. The restored CA does not know them, so nobody can
        revoke them or answer for them.
    type: bool
    default: false
seealso:
  - module: bulwark.mqtt.pki_backup
"""

EXAMPLES = r"""
- name: Restore the CA on a new machine
  bulwark.mqtt.pki_restore:
    source: /srv/backup/pki.backup
    directory: /srv/pki
    passphrase: "{{ vault_pki_backup_passphrase }}"
  delegate_to: localhost
"""

RETURN = r"""
reasons:
  description: What was restored, or would be, and what the archive lacks; empty when the CA is there already.
  returned: success
  type: list
  elements: str
kept:
  description: Where the CA is that was replaced, empty when there was none.
  returned: success
  type: str
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
    """Restore the CA unless it is there as it is in the archive."""
    directory = Path(params["directory"])
    order = backup.Order(
        source=Path(params["source"]),
        directory=directory,
        published=Path(params["published"] or directory / "publish"),
        replace=params["replace"],
        older=params["older"],
    )
    restored = backup.restore(
        order,
        passphrase=passphrase.required(params, variable="pki_backup_passphrase"),
        check_mode=check_mode,
        now=dt.datetime.now(dt.timezone.utc),
    )
    return {
        "changed": bool(restored.reasons),
        "reasons": list(restored.reasons),
        "kept": str(restored.kept or ""),
        **backup.facts(restored.manifest),
        "diff": {"prepared": "".join(f"{reason}\n" for reason in restored.reasons)},
        "warnings": list(restored.warnings),
    }


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "source": {"type": "path", "required": True},
            "directory": {"type": "path", "required": True},
            "published": {"type": "path"},
            "replace": {"type": "bool", "default": False},
            "older": {"type": "bool", "default": False},
            **passphrase.arguments(),
        },
        mutually_exclusive=[passphrase.kinds()],
        required_one_of=[passphrase.kinds()],
        supports_check_mode=True,
    )
    run(module, ensure, needs_cryptography=True)


if __name__ == "__main__":
    main()
