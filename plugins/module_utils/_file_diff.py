# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""What diff mode shows of a path that changes."""

from __future__ import annotations

import hashlib

from ._host import files


def difference(path: str, before: files.Entry, after: files.Entry, *, secret: bool = False) -> dict[str, str]:
    """An entry of Ansible's `diff`; of a secret file only the digest is in it."""
    return {
        "before": _text(before, secret=secret),
        "after": _text(after, secret=secret),
        "before_header": f"{path}{_attributes(before)}",
        "after_header": f"{path}{_attributes(after)}",
    }


def _text(entry: files.Entry, *, secret: bool) -> str:
    if isinstance(entry, files.File):
        if secret:
            return f"sha256:{hashlib.sha256(entry.content).hexdigest()}\n"
        return entry.content.decode(errors="replace")
    return f"link to {entry.target}\n" if isinstance(entry, files.Link) else ""


def _attributes(entry: files.Entry) -> str:
    if entry is None or isinstance(entry, files.Link):
        return ""
    return f" ({entry.mode:04o}, uid {entry.uid}, gid {entry.gid})"
