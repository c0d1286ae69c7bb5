# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules on the pages: YAML in them parses and sets variables that exist, quotes are true, links lead somewhere."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import yaml

from . import tree, variables

_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>\w*)\n(?P<body>.*?)^(?P=indent)```", flags=re.MULTILINE | re.DOTALL
)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(.+)$", flags=re.MULTILINE)
_ELSEWHERE = ("http://", "https://", "mailto:")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: Path
    line: int
    language: str
    body: str
    lead: str

    @property
    def where(self) -> str:
        """File and line, as an editor opens it."""
        return f"{self.page}:{self.line}"


def blocks(page: Path, language: str) -> list[Block]:
    """The fenced blocks of a page in one language, each with the paragraph before it."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            page=page,
            line=text.count("\n", 0, match.start()) + 1,
            language=match["language"],
            body=re.sub(rf"^{match['indent']}", "", match["body"], flags=re.MULTILINE),
            lead=text[: match.start()].rstrip().rsplit("\n\n", 1)[-1],
        )
        for match in _FENCE.finditer(text)
        if match["language"] == language
    ]


def bad_yaml(page: Path, known: set[str]) -> list[str]:
    """YAML blocks that do not parse, and variables in them that no role and no playbook reads."""
    found = []
    for block in blocks(page, "yaml"):
        try:
            data = tree.load(block.body)
        except yaml.YAMLError as error:
            found.append(f"{block.where}: the YAML does not parse: {' '.join(str(error).split())}")
            continue
        found += [
            f"{block.where}: sets {name}, which no role and no playbook reads"
            for name in variables.unknown(data, known)
        ]
    return found


def misquoted(page: Path) -> list[str]:
    """YAML blocks whose paragraph names a file of examples/ and which are not in that file, word for word."""
    found = []
    for block in blocks(page, "yaml"):
        for target in _LINK.findall(block.lead):
            source = page.parent / target
            if "examples/" in target and source.is_file() and block.body not in source.read_text(encoding="utf-8"):
                found.append(f"{block.where}: is not what {target} says")
    return found


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = _HEADING.findall(_FENCE.sub("", page.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(page: Path) -> list[str]:
    """Relative links to files, folders or headings that do not exist."""
    found = []
    for target in _LINK.findall(_FENCE.sub("", page.read_text(encoding="utf-8"))):
        if target.startswith(_ELSEWHERE):
            continue
        name, _, anchor = unquote(target).partition("#")
        path = page.parent / name if name else page
        if not path.exists():
            found.append(f"{page}: links to {target}, which is not there")
        elif anchor and path.suffix == ".md" and anchor not in anchors(path):
            found.append(f"{page}: links to {target}; {path.name} has no such heading")
    return found
