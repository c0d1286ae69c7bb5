# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules on messages: what a troubleshooting table explains is what the code prints."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import yaml

from . import tree

# In a table and in what is compared with it, this stands for what differs from case to case.
_VARIABLE = "…"
_ROW = re.compile(r"^\| *`(?P<message>[^`|]+)` *\|", flags=re.MULTILINE)
_TABLE = re.compile(r"^\| *message *\|.*\n(?:\|.*\n)+", flags=re.MULTILINE)
_JINJA = re.compile(r"{{.*?}}", flags=re.DOTALL)

# Shorter agreement than this says nothing: `: is ` is in every second message, `run again` in every fifth.
_ENOUGH = 11
_PHRASE = 14


def explained(page: Path) -> list[str]:
    """The messages in the first column of a page's tables that begin with `message`."""
    text = page.read_text(encoding="utf-8")
    return [row["message"].strip() for found in _TABLE.finditer(text) for row in _ROW.finditer(found[0])]


def printed(root: Path) -> set[str]:
    """Every text in the code of plugins, roles and playbooks that could be printed, variable parts as one character."""
    found: set[str] = set()
    for path in root.glob("plugins/**/*.py"):
        found.update(_python_texts(path))
    for pattern in ("roles/*/tasks/*.yml", "roles/*/vars/*.yml", "playbooks/*.yml"):
        for path in root.glob(pattern):
            found.update(_yaml_texts(path))
    return {" ".join(text.split()) for text in found}


def _python_texts(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else _VARIABLE for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _yaml_texts(path: Path) -> Iterator[str]:
    for node in _scalars(yaml.compose(path.read_text(encoding="utf-8"), Loader=tree.Loader)):
        yield _JINJA.sub(_VARIABLE, node)


def _scalars(node: yaml.Node | None) -> Iterator[str]:
    if isinstance(node, yaml.ScalarNode):
        yield node.value
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _scalars(item)
    elif isinstance(node, yaml.MappingNode):
        for _, value in node.value:
            yield from _scalars(value)


def _agrees(message: str, text: str) -> bool:
    """Whether the fixed parts of one are in the other; the message may give an example for a variable."""
    quoted = [part.strip() for part in message.split(_VARIABLE) if part.strip()]
    if sum(map(len, quoted)) >= _ENOUGH and _in_order(quoted, text):
        return True
    phrases = [part.strip() for part in re.split(rf"[{_VARIABLE}:;,]", text)]
    return any(len(part) >= _PHRASE and part in message for part in phrases)


def _in_order(parts: list[str], text: str) -> bool:
    position = 0
    for part in parts:
        position = text.find(part, position)
        if position < 0:
            return False
        position += len(part)
    return True


def unheard_of(page: Path, texts: set[str]) -> list[str]:
    """Messages that a page explains and no code prints."""
    return [
        f"{page}: explains '{message}', which nothing prints"
        for message in explained(page)
        if not any(_agrees(message, text) for text in texts)
    ]
