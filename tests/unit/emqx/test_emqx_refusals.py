# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the role's preflight refuses, and in which words: the list of the scenario, which needs EMQX, without it."""

from __future__ import annotations

import sys
from pathlib import Path

import yaml
from emqx_samples import ROOT, run

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
    printed = run(tmp_path, asking, "-i", "debian13,")
    (loop,) = yaml.safe_load(TASKS.read_text(encoding="utf-8"))
    assert f"rescued={len(loop['loop'])} " in printed
