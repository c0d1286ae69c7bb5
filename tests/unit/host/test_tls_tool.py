# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the controller thinks the command's code is, and what the module installs of it, is the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from ansible_collections.bulwark.mqtt.plugins.module_utils import _host, _tool_code

# In a process of its own, as on a host: the module goes by what has been imported.
INSTALL = """
import sys
from ansible_collections.bulwark.mqtt.plugins.modules import tls_tool
tls_tool.ensure({"directory": sys.argv[1], "command": sys.argv[2]}, check_mode=False)
"""


def test_the_controller_expects_what_the_module_installs(tmp_path: Path):
    command = tmp_path / "bulwark-tls"
    subprocess.run(
        [sys.executable, "-c", INSTALL, tmp_path, command], check=True, env={"PYTHONPATH": ":".join(sys.path)}
    )
    package = Path(_tool_code.package(str(tmp_path)))
    installed = {path.name: path.read_bytes() for path in package.iterdir() if path.is_file()}
    assert installed == _tool_code.sources(Path(str(_host.__file__)).parent)
    assert command.read_text() == _tool_code.command(str(tmp_path))
