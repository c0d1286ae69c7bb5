# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""The directory of rendered files: what is there, what is to be, and the difference for those who review it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import manifest
from .errors import RenderError
from .manifest import File

# From the weakest to the strongest.
CLASSES = ("none", "reload", "restart")


@dataclass(frozen=True)
class Side:
    """A file on one side of a change: how it is shown, and its attributes."""

    text: str = ""
    attributes: str = ""


@dataclass(frozen=True)
class Change:
    """A rendered file of a host that is not as it was."""

    host: str
    path: str
    service: str
    needs: str
    before: Side
    after: Side


@dataclass(frozen=True)
class Host:
    """What is to be below a host's directory."""

    name: str
    manifest: Mapping[str, Any]
    # By their path on the host.
    texts: Mapping[str, str]


def host(name: str, files: Iterable[File], *, key: str) -> Host:
    """A host's directory from its files; a path is that of the last file that has it."""
    known = list({item.path: item for item in files}.values())
    return Host(
        name=name,
        manifest=manifest.manifest(known, host=name, key=key),
        texts={item.path: item.content for item in known if item.content is not None and not item.secret},
    )


@dataclass(frozen=True)
class Comparison:
    """How what is rendered of a host differs from what is to be; `wanted` is None where it does not."""

    host: str
    new: bool
    changes: Sequence[Change]
    wanted: Host | None


def compare(directory: Path, wanted: Host) -> Comparison:
    """What is below the directory of a host, to the last file, beside what is to be."""
    root = directory / wanted.name
    written = _read(root / manifest.NAME)
    before = json.loads(written).get("files", ()) if written else ()
    found = list(_changes(root, before, wanted))
    return Comparison(
        host=wanted.name,
        new=not root.is_dir(),
        changes=found,
        wanted=wanted if found or _is_left_over(root, written, wanted) else None,
    )


def _is_left_over(root: Path, written: str | None, wanted: Host) -> bool:
    """Whether there is something to write or remove beside the files that are listed."""
    texts = _texts(root, wanted)
    return written != texts[root / manifest.NAME] or bool(_strays(root, texts))


def _changes(root: Path, before: Iterable[Mapping[str, Any]], wanted: Host) -> Iterator[Change]:
    entries_before = {entry["path"]: entry for entry in before}
    entries = {entry["path"]: entry for entry in wanted.manifest["files"]}
    for path in sorted(entries_before.keys() | entries.keys()):
        old, new = entries_before.get(path), entries.get(path)
        there = _read(_below(root, path))
        if old == new and there == wanted.texts.get(path):
            continue
        either = new or old or {}
        yield Change(
            host=wanted.name,
            path=path,
            service=either["service"],
            needs=_needs(old, new),
            before=Side(_shown(old, there), _attributes(old)),
            after=Side(_shown(new, wanted.texts.get(path)), _attributes(new)),
        )


def write(directory: Path, wanted: Host) -> None:
    """Make a host's directory be what is to be. Raises RenderError where it cannot be written."""
    root = directory / wanted.name
    texts = _texts(root, wanted)
    try:
        for path, text in texts.items():
            if _read(path) != text:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(text.encode())
        for path in _strays(root, texts):
            path.unlink()
    except OSError as error:
        raise RenderError(f"{error.filename}: cannot be written ({error.strerror})") from error


def _texts(root: Path, wanted: Host) -> dict[Path, str]:
    """All files of a host's directory."""
    texts = {_below(root, path): text for path, text in wanted.texts.items()}
    texts[root / manifest.NAME] = json.dumps(wanted.manifest, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    return texts


def gone(directory: Path, inventory: Iterable[str]) -> list[str]:
    """Hosts that are rendered and in the inventory no more."""
    known = set(inventory)
    return sorted(path.parent.name for path in directory.glob(f"*/{manifest.NAME}") if path.parent.name not in known)


def remove(directory: Path, name: str) -> None:
    """Forget a host."""
    shutil.rmtree(directory / name)


def _strays(root: Path, texts: Mapping[Path, str]) -> list[Path]:
    found = []
    for folder, _folders, names in os.walk(root):
        found += [path for name in names if (path := Path(folder, name)) not in texts]
    return sorted(found)


def _below(root: Path, path: str) -> Path:
    return root / path.lstrip("/")


def _read(path: Path) -> str | None:
    try:
        return path.read_bytes().decode(errors="replace")
    except FileNotFoundError:
        return None


def _needs(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> str:
    """What a deployment will do to the service: nothing for an owner or a mode, nor for what is managed no more."""
    if new is None or (new["state"] == "absent" and (old is None or old["state"] == "absent")):
        return "none"
    content = ("state", "sha256", "hmac_sha256")
    if old is not None and all(old.get(name) == new.get(name) for name in content):
        return "none"
    return str(new["change"])


def _shown(entry: Mapping[str, Any] | None, text: str | None) -> str:
    if entry is None or entry["state"] == "absent":
        return ""
    if "hmac_sha256" in entry:
        return f"hmac_sha256:{entry['hmac_sha256']}\n"
    return text or ""


def _attributes(entry: Mapping[str, Any] | None) -> str:
    if entry is None:
        return "not managed"
    if entry["state"] == "absent":
        return "absent"
    return f"{entry['mode']} {entry['owner']}:{entry['group']}"
