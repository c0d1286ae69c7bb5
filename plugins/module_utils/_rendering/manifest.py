# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""What is known of a rendered file: where it goes, whose it is, what a change of it does, and its digest."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .answers import MADE_ON_HOSTS
from .errors import RenderError

FORMAT = 1
NAME = "manifest.json"
KEY_LENGTH = 16
_DESCRIPTORS = "/etc/bulwark/services.d/"


@dataclass(frozen=True)
class File:
    """A file as a role writes it; without a content where it is not to be there."""

    path: str
    role: str
    service: str
    owner: str
    group: str
    mode: str
    change: str
    content: str | None
    secret: bool

    @property
    def made_on_host(self) -> bool:
        """Whether the host makes the content, and `content` is what it is made from."""
        return self.path in MADE_ON_HOSTS


def file(item: Mapping[str, Any], *, role: str, service: str) -> File:
    """The file of one entry in a role's list, with the defaults of the module that deploys it."""
    present = item.get("state", "present") == "present"
    return File(
        path=str(item["path"]),
        role=role,
        service=service,
        owner=str(item.get("owner", "root")),
        group=str(item.get("group", "root")),
        mode=str(item.get("mode", "0644")),
        change=str(item.get("activation", "restart")),
        content=str(item["content"]) if present else None,
        secret=bool(item.get("secret", False)),
    )


def manifest(files: Iterable[File], *, host: str, key: str) -> dict[str, Any]:
    """All that is known of a host's files. Raises RenderError where there are secrets and no key."""
    ordered = sorted(files, key=lambda known: known.path)
    return {
        "format": FORMAT,
        "files": [_entry(known, host, key) for known in ordered],
        "units": {
            known.service: json.loads(known.content)["unit"]
            for known in ordered
            if known.content and known.path.startswith(_DESCRIPTORS)
        },
    }


def _entry(known: File, host: str, key: str) -> dict[str, Any]:
    entry: dict[str, Any] = {"path": known.path, "role": known.role, "service": known.service, "change": known.change}
    if known.content is None:
        return {**entry, "state": "absent"}
    entry.update(state="present", owner=known.owner, group=known.group, mode=known.mode)
    if not known.secret:
        return {**entry, "sha256": hashlib.sha256(known.content.encode()).hexdigest()}
    entry["hmac_sha256"] = digest(known.content, host=host, path=known.path, key=key)
    if known.made_on_host:
        entry.update(made_on_host=True, names=sorted(user["name"] for user in json.loads(known.content)))
    return entry


def digest(content: str, *, host: str, path: str, key: str) -> str:
    """A digest of a secret that nobody can compare with guesses who has no key, nor two hosts with each other."""
    if len(key) < KEY_LENGTH:
        raise RenderError(
            f"{path} is secret, and bulwark_digest_key is {'shorter than ' + str(KEY_LENGTH) if key else 'missing'}"
            f"{' characters' if key else ''}: make one (openssl rand -base64 24) and keep it in Vault"
        )
    return hmac.new(key.encode(), f"{host}\0{path}\0{content}".encode(), hashlib.sha256).hexdigest()
