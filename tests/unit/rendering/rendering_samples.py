# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Render a fleet as users do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[3]
VARIABLES = {"bulwark_digest_key": "a key of the digests", "vault": "only for tests"}


def rendered(
    folder: Path, release: str, *, passwords: bool = True, **domains: dict[str, object]
) -> subprocess.CompletedProcess[str]:
    """Render the brokers of domains below example.com as hosts of a release, with a client that has a password."""
    fleet = {
        "plugin": "bulwark.mqtt.fleet",
        "authority": {"passphrase": "{{ vault }}", "revocation_lists": True},
        "domains": {f"{name}.example.com": domain for name, domain in domains.items()},
        "devices": {
            "apps": {"members": {"app": "{{ vault }}"} if passwords else ["app"], "topics": {"read": ["apps/#"]}}
        },
    }
    (folder / "group_vars").mkdir(parents=True)
    (folder / "fleet.yml").write_text(yaml.safe_dump(fleet), encoding="utf-8")
    (folder / "group_vars/all.yml").write_text(yaml.safe_dump({**VARIABLES, "bulwark_release": release}), "utf-8")
    return subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), "--inventory=fleet.yml", "bulwark.mqtt.render"],
        cwd=folder,
        env={
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".cache/collections"),
            "ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml",
            "ANSIBLE_NOCOLOR": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
