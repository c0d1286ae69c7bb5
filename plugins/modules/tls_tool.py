#!/usr/bin/python
# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tls_tool
short_description: Install the command bulwark-tls on a host
version_added: 1.0.0
description:
  - Installs the command C(bulwark-tls), which changes the certificates of a host as M(bulwark.mqtt.tls_install) does.
  - The command is the code of this collection's own modules as it is, so that a play and the command cannot differ.
  - It needs nothing but Python's standard library and the C(openssl) program.
  - Asks the host first what it has. When all is as it is to be, no module starts there.
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
  directory:
    description:
      - Directory of the code, for nothing else. What does not belong to the code is removed from it.
    type: path
    default: /usr/local/lib/bulwark
  command:
    description: Path of the command.
    type: path
    default: /usr/local/sbin/bulwark-tls
seealso:
  - module: bulwark.mqtt.tls_install
"""

EXAMPLES = r"""
- name: Install the command
  bulwark.mqtt.tls_tool:
"""

RETURN = r"""
changed_files:
  description: The files that were written or removed, or would be.
  returned: success
  type: list
  elements: str
  sample:
    - /usr/local/sbin/bulwark-tls
"""

import os
import sys
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import _tool_code
from ..module_utils._host import cli, files
from ..module_utils._host.errors import StoreError
from ..module_utils._module import run

# Python writes it when the command runs, and renews it when the code changes.
_COMPILED = "__pycache__"

# The action of this name reads them, too.
ARGUMENT_SPEC = {
    "directory": {"type": "path", "default": "/usr/local/lib/bulwark"},
    "command": {"type": "path", "default": "/usr/local/sbin/bulwark-tls"},
}


def ensure(params: Mapping[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """Make the command and its code be those of this collection; HostError when a path is something else."""
    directory, command = params["directory"], params["command"]
    package = _tool_code.package(directory)
    uid, gid = os.geteuid(), os.getegid()
    wanted: dict[str, files.Entry] = {
        os.path.join(package, name): files.File(source.encode(), 0o644, uid, gid) for name, source in _code().items()
    }
    # The last, so that it never runs code that is not there yet.
    wanted[command] = files.File(_tool_code.command(directory).encode(), 0o755, uid, gid)
    for path in _foreign(package, wanted):
        wanted[path] = None
    before = {path: _observe(path) for path in wanted}
    changed = [path for path, entry in wanted.items() if before[path] != entry]
    if not check_mode:
        for path in changed:
            _put(path, wanted[path])
    return {
        "changed": bool(changed),
        "changed_files": changed,
        "diff": [
            {"before_header": path, "after_header": path, "before": _text(before[path]), "after": _text(wanted[path])}
            for path in changed
        ],
    }


def _code() -> dict[str, str]:
    """File name -> source of all that the command imports; Ansible ships modules in an archive, so no file is read."""
    root = cli.__name__.rpartition(".")[0]
    found = {"__init__.py": _source(root)}
    for name in sorted(sys.modules):
        if name.startswith(f"{root}."):
            found[f"{name[len(root) + 1 :]}.py"] = _source(name)
    return found


def _source(name: str) -> str:
    spec = sys.modules[name].__spec__
    source = spec.loader.get_source(name) if spec and spec.loader else None  # type: ignore[attr-defined]
    if source is None:
        raise StoreError(f"{name}: its source did not come with the module; install the collection again")
    return str(source)


def _foreign(package: str, wanted: Mapping[str, files.Entry]) -> list[str]:
    """What an earlier version left among the code."""
    if not os.path.isdir(package):
        return []
    names = sorted(name for name in os.listdir(package) if name != _COMPILED)
    return [path for path in (os.path.join(package, name) for name in names) if path not in wanted]


def _observe(path: str) -> files.Entry:
    entry = files.observe(path)
    if entry is not None and not isinstance(entry, files.File):
        raise StoreError(f"{path}: is not a file; remove it, or name another path")
    return entry


def _put(path: str, entry: files.Entry) -> None:
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    files.put(path, entry)


def _text(entry: files.Entry) -> str:
    return entry.content.decode() if isinstance(entry, files.File) else ""


def main() -> None:
    module = AnsibleModule(
        argument_spec=ARGUMENT_SPEC,
        supports_check_mode=True,
    )
    run(module, ensure)


if __name__ == "__main__":
    main()
