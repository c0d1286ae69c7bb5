# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where things are in the repository, and how its files are read."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[3]


# What the fixture `write` is: it takes a path and a text, and returns where it wrote it.
Write = Callable[[str, str], Path]


class Loader(yaml.SafeLoader):
    """YAML as Ansible writes it: ``!vault`` and ``!unsafe`` are read as the text they carry."""


def _tagged_scalar(loader: Loader, _suffix: str, node: yaml.Node) -> Any:
    return loader.construct_scalar(node) if isinstance(node, yaml.ScalarNode) else None


Loader.add_multi_constructor("!", _tagged_scalar)


def load(text: str) -> Any:
    """The one document in a YAML text; raises yaml.YAMLError."""
    return Loader(text).get_single_data()


def read(path: Path) -> Any:
    """The one document in a YAML file; raises yaml.YAMLError and OSError."""
    return load(path.read_text(encoding="utf-8"))


def roles(root: Path) -> list[Path]:
    """The folder of each role."""
    return sorted(path for path in root.glob("roles/*") if path.is_dir())


def modules(root: Path) -> list[Path]:
    """The file of each module."""
    return sorted(path for path in root.glob("plugins/modules/*.py") if path.name != "__init__.py")


def filters(root: Path) -> list[Path]:
    """The file of each filter plugin."""
    return sorted(path for path in root.glob("plugins/filter/*.py") if path.name != "__init__.py")


def scenarios(root: Path) -> list[Path]:
    """The folder of each Molecule scenario."""
    return sorted(path for path in root.glob("molecule/*") if path.is_dir())


def targets(root: Path) -> list[Path]:
    """The folder of each integration target that is a test; ``setup_*`` ones only serve others."""
    return sorted(
        path
        for path in root.glob("tests/integration/targets/*")
        if path.is_dir() and not path.name.startswith("setup_")
    )


def playbooks(root: Path) -> list[Path]:
    """The playbooks that users run."""
    return sorted(root.glob("playbooks/*.yml"))


def markdown(root: Path) -> list[Path]:
    """The pages that people read."""
    return sorted([*root.glob("*.md"), *root.glob("docs/**/*.md"), *root.glob("roles/*/README.md")])


def tracked(root: Path) -> list[Path]:
    """The files that are, or would be, in Git: everything that no ignore rule excludes."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        check=True,
        capture_output=True,
    ).stdout.decode()
    return sorted(path for name in listing.split("\0") if name and (path := root / name).is_file())


def text_of(path: Path) -> str | None:
    """The text of a file, None for a binary one."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


def mappings(data: Any) -> Iterator[dict[Any, Any]]:
    """Every mapping in a YAML document, outermost first."""
    if isinstance(data, dict):
        yield data
        for value in data.values():
            yield from mappings(value)
    elif isinstance(data, list):
        for value in data:
            yield from mappings(value)
