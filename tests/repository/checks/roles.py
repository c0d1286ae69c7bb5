# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules on the shape of a role."""

from __future__ import annotations

import re
from pathlib import Path

from . import specs, tree

FILES = (
    "README.md",
    "defaults/main.yml",
    "meta/argument_specs.yml",
    "meta/main.yml",
    "tasks/main.yml",
    "tasks/preflight.yml",
    "vars/main.yml",
)

SECTIONS = ("## How it behaves", "## Variables", "## Rollback", "## Troubleshooting")

# Names in vars/main.yml without underscores in front are what the role publishes: in the play, and no mistakes.
_PUBLISHED = (
    "{{{{ lookup('ansible.builtin.file', role_path ~ '/vars/main.yml') | from_yaml | select('match', '{name}_') }}}}"
)
_SPEC = "{{ lookup('ansible.builtin.file', role_path ~ '/meta/argument_specs.yml') | from_yaml }}"

# Static imports: a tag written here is inherited by every task inside, and `--list-tasks` shows them.
_STAGE_KEYS = {"name", "ansible.builtin.import_tasks", "tags", "when"}


def missing_files(role: Path) -> list[str]:
    """Files that every role has and this one does not."""
    return [f"{role.name}: has no {name}" for name in FILES if not (role / name).is_file()]


def table_of_contents(role: Path) -> list[str]:
    """What makes tasks/main.yml more than a table of contents whose first entry is preflight, under `always`."""
    stages = tree.read(role / "tasks/main.yml")
    found = []
    for number, stage in enumerate(stages, start=1):
        if unexpected := set(stage) - _STAGE_KEYS:
            found.append(f"{role.name}: entry {number} of tasks/main.yml has {', '.join(sorted(unexpected))}")
        if "ansible.builtin.import_tasks" not in stage:
            found.append(f"{role.name}: entry {number} of tasks/main.yml imports nothing")
        elif not (role / "tasks" / stage["ansible.builtin.import_tasks"]).is_file():
            found.append(
                f"{role.name}: tasks/main.yml imports {stage['ansible.builtin.import_tasks']}, which is not there"
            )
    if stages[0].get("ansible.builtin.import_tasks") != "preflight.yml" or stages[0].get("tags") != ["always"]:
        found.append(f"{role.name}: tasks/main.yml does not begin with preflight.yml under tags: [always]")
    return found


def typo_check(role: Path) -> list[str]:
    """How tasks/preflight.yml differs from beginning with the check that refuses mistyped variables by name."""
    name = role.name
    publishes = bool(specs.published(role))
    subtracted = f" | difference(__{name}_spec.argument_specs.main.options)"
    subtracted += f" | difference(__{name}_published)" if publishes else ""
    wanted = {
        "name": "Preflight | Reject mistyped variables",
        "when": f"__{name}_unknown | length > 0",
        "ansible.builtin.fail": {
            "msg": f"Unknown variables, check the spelling: {{{{ __{name}_unknown | join(', ') }}}}",
        },
        "vars": {
            f"__{name}_spec": _SPEC,
            **({f"__{name}_published": _PUBLISHED.format(name=name)} if publishes else {}),
            f"__{name}_unknown": f"{{{{ query('ansible.builtin.varnames', '^{name}_'){subtracted} }}}}",
        },
    }
    first = tree.read(role / "tasks/preflight.yml")[0]
    variables = {key: " ".join(str(value).split()) for key, value in first.get("vars", {}).items()}
    if {**first, "vars": variables} != wanted:
        return [f"{name}: tasks/preflight.yml does not begin with the check for mistyped variables in its usual form"]
    return []


def readme_sections(role: Path) -> list[str]:
    """Sections that every role's README has and this one does not."""
    lines = (role / "README.md").read_text(encoding="utf-8").splitlines()
    return [f"{role.name}: README.md has no section '{section}'" for section in SECTIONS if section not in lines]


def unordered(role: Path) -> list[str]:
    """Lists made with the filter `union`, whose order is another one in each run: files made from them would change."""
    paths = [path for part in ("defaults", "vars", "templates") for path in sorted((role / part).glob("*"))]
    return [
        f"{path.relative_to(role.parent)}:{number}: has union, which keeps no order; write (a + b) | unique"
        for path in paths
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if re.search(r"\|\s*union\b", line)
    ]


def untested(role: Path, root: Path) -> list[str]:
    """The role without a Molecule scenario of its name."""
    if (root / "molecule" / role.name).is_dir():
        return []
    return [f"{role.name}: has no Molecule scenario molecule/{role.name}"]
