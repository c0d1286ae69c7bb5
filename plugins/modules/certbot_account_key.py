#!/usr/bin/python
# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: certbot_account_key
short_description: Give an ACME account of certbot another key
version_added: 1.0.0
description:
  - certbot has no command for it, so this asks the CA itself (RFC 8555, 7.3.5), with the library that certbot comes
    with. The account, its certificates, authorizations and limits stay what they are.
  - The new key is on disk before the CA hears of it. Killed at any moment, the next run asks the CA which key is valid
    and brings the same change to its end.
  - Each run changes the key, so it is no part of a role's run. certbot must not run meanwhile; its lock is taken.
  - The role P(bulwark.mqtt.certbot#role) writes C(/etc/bulwark/certbot.json), which this reads.
author:
  - Bulwark contributors (@bulwark-mqtt)
extends_documentation_fragment:
  - bulwark.mqtt.attributes
requirements:
  - The Python library acme, which certbot ships with. Where certbot is in an environment of its own, run the module
    with that one's Python, by C(ansible_python_interpreter). A snap's cannot be used.
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
options:
  server:
    description: URL of the ACME server's directory.
    type: str
    required: true
  account:
    description:
      - Name of the account's directory below C(/etc/letsencrypt/accounts).
      - It may be empty where certbot has one account with the server.
    type: str
    default: ""
seealso:
  - module: bulwark.mqtt.certbot_backup
"""

EXAMPLES = r"""
- name: Change the key of the account at Let's Encrypt
  bulwark.mqtt.certbot_account_key:
    server: https://acme-v02.api.letsencrypt.org/directory
"""

RETURN = r"""
account_uri:
  description: What the CA calls the account; it stays.
  type: str
  returned: success
  sample: https://acme-v02.api.letsencrypt.org/acme/acct/1
before:
  description: Name of the account's directory with the old key.
  type: str
  returned: success
  sample: 1c8bb3e3c1c1d6d7a2e3c7a3c0a6e4e9
after:
  description: Name with the new one, empty in check mode.
  type: str
  returned: success
  sample: 93b4f1a4bd3c4b4c9a5ddc5e4c3b2a10
resumed:
  description: Whether a change that was interrupted was brought to its end, instead of another one.
  type: bool
  returned: success
"""

import os
import sys
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import _certbot_acme, _certbot_rollover
from ..module_utils._host import certbot
from ..module_utils._host.errors import StoreError
from ..module_utils._module import run


def ensure(params: Mapping[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """Change the key, or bring to its end what was begun."""
    if _certbot_acme.PROBLEM:
        raise StoreError(
            f"{sys.executable} has no library acme ({_certbot_acme.PROBLEM}): run the module with the Python that runs"
            " certbot, by ansible_python_interpreter; that of a snap cannot be used"
        )
    configuration = certbot.load()
    os.environ.update(configuration.environment)
    accounts = os.path.join(configuration.directory, "accounts")
    if check_mode:
        account = _certbot_rollover.find(accounts, server=params["server"], identity=params["account"])
        return _result(account.uri, _certbot_rollover.Rolled(account.identity, "", bool(account.staged)))
    with _certbot_rollover.alone(configuration.directory):
        account = _certbot_rollover.find(accounts, server=params["server"], identity=params["account"])
        ca = _certbot_acme.AcmeCa(params["server"], account.uri)
        rolled = _certbot_rollover.roll_over(account, ca, renewal=os.path.join(configuration.directory, "renewal"))
    return _result(account.uri, rolled)


def _result(uri: str, rolled: _certbot_rollover.Rolled) -> dict[str, Any]:
    word = "the change of its key that was begun is finished" if rolled.resumed else "has another key"
    return {
        "changed": True,
        "account_uri": uri,
        "before": rolled.before,
        "after": rolled.after,
        "resumed": rolled.resumed,
        "diff": {"prepared": f"{uri}: {word}\n"},
    }


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={"server": {"type": "str", "required": True}, "account": {"type": "str", "default": ""}},
        supports_check_mode=True,
    )
    run(module, ensure)


if __name__ == "__main__":
    main()
