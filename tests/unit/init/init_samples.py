# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tests of the generated repository share: how it is made, and how programs are run in it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
VAULT_PASSWORD = "not a secret in a test"

# What the fixture `repository` is: it takes a pipeline and a keeper of secrets, and returns where it wrote them.
Repository = Callable[[str, str], Path]

# What would be asked for secrets: nobody in a test has them, or the collection that opens those of SOPS.
_CLOSED = {"ANSIBLE_VARS_ENABLED": "host_group_vars"}


def run(
    *command: str, where: Path, stdin: str = "", environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program of the test environment in a folder, as somebody who has this collection and no settings."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "GIT_", "GITHUB_"))}
    return subprocess.run(
        command,
        cwd=where,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        env={
            **kept,
            **_CLOSED,
            "PATH": f"{Path(sys.executable).parent}:{kept['PATH']}",
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".cache/collections"),
            "ANSIBLE_NOCOLOR": "true",
            "GIT_CONFIG_GLOBAL": os.devnull,
            **(environment or {}),
        },
    )


def passes(*command: str, where: Path, stdin: str = "", environment: dict[str, str] | None = None) -> str:
    """What a program prints; fails with all that it says when it does not succeed."""
    result = run(*command, where=where, stdin=stdin, environment=environment)
    assert result.returncode == 0, f"{' '.join(command)}\n{result.stdout}{result.stderr}"
    return result.stdout


def init(*arguments: str, where: Path, **answers: str) -> subprocess.CompletedProcess[str]:
    """Run the playbook in a folder with its answers, without the prefix of their names."""
    extra = [f"--extra-vars=bulwark_init_{name}={value}" for name, value in answers.items()]
    return run("ansible-playbook", "bulwark.mqtt.init", *extra, *arguments, where=where)


def message(result: subprocess.CompletedProcess[str]) -> str:
    """The one message that a play failed with."""
    assert result.returncode != 0, result.stdout
    [line] = [line for line in (result.stdout + result.stderr).splitlines() if line.startswith("[ERROR]: ")]
    return re.sub(r"^\[ERROR\]: Task failed: (Module|Action) failed: ", "", line)


def files(folder: Path) -> dict[str, str]:
    """The text of each file of a repository, Git's own left out."""
    return {
        str(path.relative_to(folder)): path.read_text(encoding="utf-8")
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".git" not in path.relative_to(folder).parts
    }


def commit(folder: Path) -> None:
    """Commit all of a folder."""
    who = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.com")
    passes("git", "add", "--all", where=folder)
    passes("git", *who, "commit", "--quiet", "--message", "Change", where=folder)
