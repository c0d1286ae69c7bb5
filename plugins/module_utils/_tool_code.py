# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""The files of the command bulwark-tls on a host."""

from __future__ import annotations

import os
import re
from pathlib import Path

_PACKAGE = "bulwark_host"
_ENTRY = "cli"
# As ruff writes it; a test compares it with what Python imports. To parse all of it would take longer than all else.
_IMPORT = re.compile(r"^ *from \.(\w*) import (\([^)]*\)|.*)$", re.MULTILINE)
_COMMAND = """\
#!/usr/bin/python3 -I
# Managed by Ansible, module bulwark.mqtt.tls_tool.
# Changes the certificates of this host safely; `bulwark-tls --help` says how.
import sys

sys.path.insert(0, "{directory}")

from {package}.cli import main

raise SystemExit(main())
"""


def package(directory: str) -> str:
    """Where the code is."""
    return os.path.join(directory, _PACKAGE)


def command(directory: str) -> str:
    """The program's text."""
    return _COMMAND.format(directory=directory, package=_PACKAGE)


def sources(folder: Path) -> dict[str, bytes]:
    """File name -> content of what the command imports from the collection's folder `_host`, on the controller.

    The module itself has its imports to go by, but runs on the host.
    """
    found: dict[str, bytes] = {}
    todo = ["__init__", _ENTRY]
    while todo:
        name = f"{todo.pop()}.py"
        path = folder / name
        if name in found or not path.is_file():
            continue
        found[name] = path.read_bytes()
        for module, names in _IMPORT.findall(found[name].decode()):
            todo += [module] if module else re.findall(r"\w+", names)
    return found
