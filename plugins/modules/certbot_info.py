#!/usr/bin/python
# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: certbot_info
short_description: What certbot on a host can do, and what renews with it on a schedule
version_added: 1.0.0
description:
  - Asks the program for its version and answers in capabilities, as M(bulwark.mqtt.stack_info) does for packages;
    certbot also comes from pip and as a snap, where no package tells.
  - Looks for schedules that renew with certbot, since two of them race each other and the one without a hook wins.
  - It looks at active timers of systemd, at C(/etc/crontab), C(/etc/cron.d), C(/etc/cron.daily) and its siblings, and
    at the crontabs of users.
author:
  - Bulwark contributors (@bulwark-mqtt)
extends_documentation_fragment:
  - bulwark.mqtt.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
options:
  program:
    description: Path of certbot.
    type: path
    default: /usr/bin/certbot
  version:
    description: Version to answer for where the program is not there yet.
    type: str
    default: ""
  ours:
    description: Timers and files of cron that are no rivals.
    type: list
    elements: str
    default: []
seealso:
  - module: bulwark.mqtt.certbot_certificate
  - module: bulwark.mqtt.stack_info
"""

EXAMPLES = r"""
- name: Look for schedules of others
  bulwark.mqtt.certbot_info:
    ours:
      - certbot.timer
  register: certbot
"""

RETURN = r"""
version:
  description: Version of the program, else the one that was given; V(null) without either.
  type: str
  returned: success
  sample: 4.0.0
installed:
  description: Whether the program is there.
  type: bool
  returned: success
capabilities:
  description: "What it can do: C(addresses), C(ari), C(profiles), C(renewal_by_fraction)."
  type: dict
  returned: success
  sample:
    ari: false
    profiles: true
rivals:
  description: Timers, and lines of cron with their file, that renew with certbot and are not among O(ours).
  type: list
  elements: str
  returned: success
  sample: ["/var/spool/cron/crontabs/root: 0 3 * * * certbot renew"]
"""

import re
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._host import certbot_rivals, process
from ..module_utils._module import run
from ..module_utils._stack import capabilities

SECONDS = 60


def version_of(program: str) -> str | None:
    """The version that the program says it has."""
    try:
        said = process.run([program, "--version"], merged=True, timeout=SECONDS).stdout
    except FileNotFoundError:
        return None
    found = re.search(r"^certbot (\d[\d.]*)", said, re.MULTILINE)
    return found.group(1) if found else None


def ensure(params: Mapping[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """What was found."""
    installed = version_of(params["program"])
    version = installed or params["version"] or None
    return {
        "changed": False,
        "version": version,
        "installed": installed is not None,
        "capabilities": capabilities(software="certbot", version=version),
        "rivals": certbot_rivals.rivals(ours=params["ours"]),
    }


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "program": {"type": "path", "default": "/usr/bin/certbot"},
            "version": {"type": "str", "default": ""},
            "ours": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    run(module, ensure)


if __name__ == "__main__":
    main()
