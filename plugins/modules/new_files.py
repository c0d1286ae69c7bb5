#!/usr/bin/python
# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: new_files
short_description: Write files that are not there yet, all of them or none
version_added: 1.0.0
description:
  - Writes files into a directory for somebody who will change them. What is there is never overwritten.
  - When one of the files is there and has another content, the task fails with the names of all such files before it
    has written one. A file that has the content already is left as it is.
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
    description: Directory that the files are written to. It is made when it is not there.
    type: path
    required: true
  files:
    description:
      - The files, each under its path in the directory with its content as text.
    type: dict
    required: true
  executable:
    description: Those of O(files) that are programs.
    type: list
    elements: str
    default: []
seealso:
  - module: ansible.builtin.copy
"""

EXAMPLES = r"""
- name: Begin a repository
  bulwark.mqtt.new_files:
    directory: /srv/fleet
    files:
      ansible.cfg: |
        [defaults]
        inventory = fleet.yml
      scripts/render: |
        #!/bin/sh
        ansible-playbook bulwark.mqtt.render
    executable:
      - scripts/render
"""

RETURN = r"""
changed_files:
  description: The files that were written, or would be.
  returned: success
  type: list
  elements: str
  sample:
    - /srv/fleet/ansible.cfg
    - /srv/fleet/scripts/render
"""

import os
from collections.abc import Iterator, Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._host import files
from ..module_utils._host.errors import CheckError
from ..module_utils._module import run


def ensure(params: Mapping[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """Write the files that are not there; CheckError, and nothing written, when one is something else."""
    directory = params["directory"].rstrip("/")
    for name in params["files"]:
        if not name or os.path.isabs(name) or ".." in name.split("/"):
            raise CheckError(f"files: {name!r} is no path below the directory; give a relative one without ..")
    wanted = {os.path.join(directory, name): text for name, text in params["files"].items()}
    programs = {os.path.join(directory, name) for name in params["executable"]}
    others = sorted({other for path, text in wanted.items() for other in _in_the_way(directory, path, text)})
    if others:
        raise CheckError(
            f"{directory} has other files than would be written: {', '.join(others)}; "
            "nothing was written: move them away, or choose another directory"
        )
    missing = [path for path in wanted if files.observe(path) is None]
    if not check_mode:
        for path in missing:
            os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
            mode = 0o755 if path in programs else 0o644
            files.put(path, files.File(wanted[path].encode(), mode, os.geteuid(), os.getegid()))
    return {
        "changed": bool(missing),
        "changed_files": missing,
        "diff": [
            {"before_header": path, "after_header": path, "before": "", "after": wanted[path]} for path in missing
        ],
    }


def _in_the_way(directory: str, path: str, text: str) -> Iterator[str]:
    """What keeps a file from being written, relative to the directory: itself, or what a folder of it should be."""
    entry = files.observe(path)
    if entry is not None and not (isinstance(entry, files.File) and entry.content == text.encode()):
        yield os.path.relpath(path, directory)
    folder = os.path.dirname(path)
    while len(folder) > len(directory):
        # Not through a link either: it leads out of the directory, to files of somebody else.
        if not isinstance(files.observe(folder), (files.Directory, type(None))):
            yield os.path.relpath(folder, directory)
        folder = os.path.dirname(folder)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "directory": {"type": "path", "required": True},
            "files": {"type": "dict", "required": True},
            "executable": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    run(module, ensure)


if __name__ == "__main__":
    main()
