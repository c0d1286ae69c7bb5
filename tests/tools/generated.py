# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the documentation generators share: markers in Markdown files, table cells, and Ansible's markup as Markdown."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]

# The marks whose content is a literal; parentheses inside are part of it when they are a pair or escaped.
_LITERAL = re.compile(r"\b(?:C|O|V|E|RV|M|P)\(((?:[^()\\]|\\.|\([^()]*\))*)\)")
_ITALIC = re.compile(r"\bI\(([^()]*)\)")
_BOLD = re.compile(r"\bB\(([^()]*)\)")
_LINK = re.compile(r"\bL\(([^,()]*),\s*([^()]*)\)")
_URL = re.compile(r"\bU\(([^()]*)\)")


class MissingMarkersError(ValueError):
    """A file that should hold generated text has no place for it."""


def markdown(text: str) -> str:
    """Ansible's documentation markup as Markdown."""
    text = _LITERAL.sub(lambda match: "`" + match[1].replace("\\", "") + "`", text)
    text = _ITALIC.sub(r"*\1*", text)
    text = _BOLD.sub(r"**\1**", text)
    text = _LINK.sub(r"[\1](\2)", text)
    return _URL.sub(r"<\1>", text)


def prose(description: str | Sequence[str]) -> str:
    """A description, which may be a list of paragraphs, as one line of Markdown."""
    paragraphs = [description] if isinstance(description, str) else description
    return markdown(" ".join(" ".join(paragraph.split()) for paragraph in paragraphs))


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; a bar inside a cell is escaped, because it would end the cell even within backticks."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def replace_between(text: str, marker: str, content: str) -> str:
    """The text with what stands between ``<!-- marker:begin -->`` and ``<!-- marker:end -->`` replaced.

    Raises MissingMarkersError when the text does not have exactly one such place.
    """
    begin, end = f"<!-- {marker}:begin -->", f"<!-- {marker}:end -->"
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise MissingMarkersError(f"needs one line '{begin}' and one line '{end}' after it")
    before, rest = text.split(begin)
    _, after = rest.split(end)
    return f"{before}{begin}\n{content}\n{end}{after}"


def outdated(wanted: Mapping[Path, str]) -> list[Path]:
    """The files that are missing or say something else than is wanted."""
    return [path for path, text in wanted.items() if not path.exists() or path.read_text(encoding="utf-8") != text]


def run(wanted: Mapping[Path, str], *, check: bool) -> int:
    """Write the files that are outdated; with ``check`` name them instead. Returns the exit code."""
    paths = outdated(wanted)
    for path in paths:
        if check:
            print(f"{path}: is not up to date: run `make docs`", file=sys.stderr)
        else:
            path.write_text(wanted[path], encoding="utf-8")
            print(f"wrote {path}")
    return 1 if check and paths else 0


def arguments(description: str | None) -> Any:
    """The command line that every generator has: ``--check``, and ``--root`` of the tree to work on."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 when a file is not up to date")
    parser.add_argument("--root", type=Path, default=ROOT, help="the collection's root (default: this one)")
    return parser.parse_args()
