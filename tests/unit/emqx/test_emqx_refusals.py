# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the role's preflight refuses, and in which words: the list of the scenario, which needs EMQX, without it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import yaml
from emqx_samples import ROOT

TASKS = ROOT / "molecule/emqx/tasks/refusals_of_preflight.yml"


def test_preflight_refuses_each_of_them_in_these_words(tmp_path: Path):
    package = tmp_path / "emqx-5.8.9.tar.gz"
    package.touch()
    asking = {
        "hosts": "debian13",
        "connection": "local",
        "gather_facts": False,
        "vars": {
            "ansible_facts": {"os_family": "Debian", "distribution_release": "trixie"},
            "ansible_python_interpreter": sys.executable,
            "given_package": str(package),
            "refusal_stage": "preflight",
        },
        "tasks": [{"name": "Be refused", "ansible.builtin.include_tasks": str(TASKS)}],
    }
    (tmp_path / "play.yml").write_text(yaml.safe_dump([asking]), encoding="utf-8")
    result = subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), "-i", "debian13,", tmp_path / "play.yml"],
        env={
            **os.environ,
            "HOME": str(tmp_path),
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".cache/collections"),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    (loop,) = yaml.safe_load(TASKS.read_text(encoding="utf-8"))
    assert f"rescued={len(loop['loop'])} " in result.stdout
