# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role's files, rendered by Ansible as the role does it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[3]
ROLE = ROOT / "roles/emqx"

Rendered = dict[str, str]
Render = Callable[..., Rendered]

REQUIRED = {
    "emqx_version": "5.8.9",
    "emqx_source": "tarball",
    "emqx_package": "/srv/emqx-5.8.9.tar.gz",
    "emqx_node_cookie": "a-cookie-of-this-test",
    "emqx_dashboard_password": "a-password-of-this-test",
}
_PLAY = {
    "hosts": "localhost",
    "connection": "local",
    "gather_facts": False,
    "vars_files": [str(ROLE / name / "main.yml") for name in ("defaults", "vars")],
    "tasks": [
        {
            "name": "Render what the role deploys",
            "ansible.builtin.copy": {
                "content": "{{ __emqx_there | items2dict(key_name='path', value_name='content') | to_json }}",
                "dest": "{{ destination }}",
                "mode": "0600",
            },
            "vars": {"__emqx_there": "{{ __emqx_files | rejectattr('state', 'defined') + __emqx_stated }}"},
        }
    ],
    "vars": {
        "__emqx_stated": ("{{ __emqx_files | selectattr('state', 'defined') | selectattr('state', 'eq', 'present') }}")
    },
}


def run(directory: Path, play: dict[str, Any], *arguments: str) -> str:
    """What a play prints that succeeds; it is written into the directory, which is its home."""
    (directory / "play.yml").write_text(yaml.safe_dump([play]), encoding="utf-8")
    result = subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), *arguments, directory / "play.yml"],
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".cache/collections"), "HOME": str(directory)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def render(directory: Path, variables: dict[str, Any]) -> Rendered:
    """The content of every file of the role by its path; Ansible works in a directory that is empty at first."""
    (directory / "templates").symlink_to(ROLE / "templates")
    given = {
        **REQUIRED,
        **variables,
        "destination": str(directory / "files.json"),
        "ansible_python_interpreter": sys.executable,
    }
    (directory / "variables.json").write_text(json.dumps(given), encoding="utf-8")
    run(directory, _PLAY, "-i", "localhost,", "-e", f"@{directory}/variables.json")
    made: Rendered = json.loads((directory / "files.json").read_text(encoding="utf-8"))
    return made
