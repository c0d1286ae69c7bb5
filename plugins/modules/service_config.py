#!/usr/bin/python
# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: service_config
short_description: Put all configuration files of a service in place as one change, safely
version_added: 1.0.0
description:
  - Deploys a list of files that belong to one service. The service's own program judges a candidate first, started in
    private namespaces where the future files are at their real paths and where it can disturb nothing.
  - Only then the files are swapped, the service is activated once with the strongest activation that a changed content
    needs, and its endpoints are probed. Whatever fails, the old files come back and the module fails with the reason.
  - A service that is not running is started when a changed file has an activation other than V(none).
  - A wrong owner or mode alone is put right without an activation, because the service has read the content already;
    the candidate proves that it can be read the next time.
author:
  - Bulwark contributors (@bulwark-mqtt)
extends_documentation_fragment:
  - bulwark.mqtt.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
options:
  service:
    description:
      - Name of the service.
      - Its descriptor, C(/etc/bulwark/services.d/<service>.json), is among O(files) or on the host.
    type: str
    required: true
  files:
    description: The files. Directories above them are made when they are missing, with mode 0755.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: Absolute path below C(/etc).
        type: path
        required: true
      content:
        description: Content of the file; needed unless O(files[].state=absent).
        type: str
      mode:
        description: Permissions in octal.
        type: str
        default: "0644"
      owner:
        description: User who owns the file.
        type: str
        default: root
      group:
        description: Group of the file.
        type: str
        default: root
      secret:
        description: Whether to show a digest instead of the content in the diff.
        type: bool
        default: false
      activation:
        description: What makes the service use a new content.
        type: str
        choices:
          - none
          - reload
          - restart
        default: restart
      state:
        description: Whether the file is to be there.
        type: str
        choices:
          - present
          - absent
        default: present
seealso:
  - module: bulwark.mqtt.tls_install
notes:
  - Needs C(unshare), C(mount) and C(setpriv) of util-linux, C(ip) of iproute2, systemd, and CAP_SYS_ADMIN.
"""

EXAMPLES = r"""
- name: Configure the broker
  bulwark.mqtt.service_config:
    service: mosquitto
    files:
      - path: /etc/mosquitto/mosquitto.conf
        content: "{{ lookup('bulwark.mqtt.template', 'mosquitto.conf.j2') }}"
        group: mosquitto
        mode: "0640"
        activation: restart
      - path: /etc/mosquitto/acl
        content: "{{ lookup('bulwark.mqtt.template', 'acl.j2') }}"
        owner: mosquitto
        group: mosquitto
        mode: "0640"
        activation: reload
"""

RETURN = r"""
changed_files:
  description: Paths of the files that were changed, or would be in check mode.
  type: list
  elements: str
  returned: always
  sample: [/etc/mosquitto/acl]
activation:
  description: What was done to the service, or would be in check mode.
  type: str
  returned: always
  sample: reload
checks:
  description: Commands that judged the candidate; none when nothing changed, or when check mode finds no program yet.
  type: list
  elements: str
  returned: always
  sample: ["/usr/sbin/mosquitto -c /etc/mosquitto/mosquitto.conf"]
confirm_seconds:
  description:
    - Seconds in which C(bulwark-tls confirm <service>) must follow, or the change is undone by itself, at boot too.
    - V(0) when it holds already.
    - The service's descriptor asks for it with C(confirm_seconds). In check mode what it would be.
  type: int
  returned: always
  sample: 0
recovered:
  description: Interrupted transactions of earlier runs that were undone first.
  type: list
  elements: str
  returned: always
  sample: []
running:
  description: Whether the service runs, and will after a boot, so that nobody has to start it.
  type: bool
  returned: always
  sample: true
"""

import grp
import os
import pwd
from collections.abc import Callable, Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import _file_diff
from ..module_utils._host import files, operations
from ..module_utils._host.errors import StoreError
from ..module_utils._module import run

# The action of this name reads them, too.
ARGUMENT_SPEC = {
    "service": {"type": "str", "required": True},
    "files": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "path": {"type": "path", "required": True},
            "content": {"type": "str", "no_log": True},
            "mode": {"type": "str", "default": "0644"},
            "owner": {"type": "str", "default": "root"},
            "group": {"type": "str", "default": "root"},
            "secret": {"type": "bool", "default": False, "no_log": False},
            "activation": {"type": "str", "choices": ["none", "reload", "restart"], "default": "restart"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
    },
}

# fchown leaves the owner alone; a file that exists never equals it.
_UNKNOWN = -1


def ensure(params: Mapping[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """Make the files of a service be as given; HostError when they cannot be."""
    wanted = [_managed(item, number, check_mode=check_mode) for number, item in enumerate(params["files"])]
    result = operations.configure(params["service"], wanted, check_mode=check_mode)
    secrets = {item["path"] for item in params["files"] if item["secret"]}
    return {
        "changed": bool(result.changed_files),
        "changed_files": result.changed_files,
        "activation": result.activation,
        "checks": result.checks,
        "confirm_seconds": result.confirm_seconds,
        "recovered": result.recovered,
        "running": operations.is_kept_running(params["service"], wanted),
        "diff": [
            _file_diff.difference(item.path, result.before[item.path], item.entry, secret=item.path in secrets)
            for item in wanted
            if item.path in result.changed_files
        ],
    }


def _managed(item: Mapping[str, Any], number: int, *, check_mode: bool) -> operations.ManagedFile:
    path, source = item["path"], f"files[{number}]"
    if not path.startswith("/etc/") or os.path.normpath(path) != path:
        raise StoreError(
            f"{source}.path: {path} is not a plain path below /etc, where a candidate could be checked; move it"
        )
    if item["state"] == "absent":
        return operations.ManagedFile(path, None, item["activation"])
    if item["content"] is None:
        raise StoreError(f"{source}.content: is missing for {path}; give it, or set state to absent")
    try:
        mode = int(item["mode"], 8)
    except ValueError:
        raise StoreError(f"{source}.mode: {item['mode']!r} is not octal; write it like '0640'") from None
    uid = _id(
        lambda: pwd.getpwnam(item["owner"]).pw_uid, f"{source}.owner: no user {item['owner']}", check_mode=check_mode
    )
    gid = _id(
        lambda: grp.getgrnam(item["group"]).gr_gid, f"{source}.group: no group {item['group']}", check_mode=check_mode
    )
    return operations.ManagedFile(path, files.File(item["content"].encode(), mode, uid, gid), item["activation"])


def _id(look_up: Callable[[], int], problem: str, *, check_mode: bool) -> int:
    """The number of a user or group; on a virgin host in check mode, the package that brings it is not there yet."""
    try:
        return look_up()
    except KeyError:
        if check_mode:
            return _UNKNOWN
        raise StoreError(f"{problem} on this host; install the package that makes it first") from None


def main() -> None:
    module = AnsibleModule(
        argument_spec=ARGUMENT_SPEC,
        supports_check_mode=True,
    )
    # No content reaches the host's log; in the result only that of secret files is hidden, or there would be no diff.
    shown = {item["content"] for item in module.params["files"] if not item["secret"]}
    module.no_log_values.difference_update(shown)
    run(module, ensure)


if __name__ == "__main__":
    main()
