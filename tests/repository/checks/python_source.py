# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules on Python sources: what may be imported where, which grammar, which header, which docstrings."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

# The oldest Python on hosts: EL 9.
OLDEST = (3, 9)

# In the standard library of the Python that runs these tests, but not yet in 3.9's.
_NEWER_LIBRARY = {"annotationlib", "compression", "tomllib", "concurrent.interpreters"}

# Keyword arguments that 3.9 refuses, by the function that takes them.
_NEWER_KEYWORDS = {"dataclass": {"slots", "kw_only"}, "zip": {"strict"}, "field": {"kw_only"}}

_HEADER = (
    "# Copyright: (c) 2026, Bulwark contributors",
    "# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)",
    "# SPDX-License-Identifier: GPL-3.0-or-later",
)
_PRIVATE = "# This module util is PRIVATE to the collection: it can change at any time."


def header(path: Path, *, executable: bool = False, private: bool = False) -> list[str]:
    """What is missing at the top of a file: interpreter line of a module, licence, notice of privacy."""
    text = path.read_text(encoding="utf-8")
    if not text.strip():
        return []
    lines = text.splitlines()
    found = []
    if executable and lines[0] != "#!/usr/bin/python":
        found.append(f"{path}: does not begin with #!/usr/bin/python, which Ansible replaces by the host's interpreter")
    licence = 1 if lines[0].startswith("#!") else 0
    if tuple(lines[licence : licence + len(_HEADER)]) != _HEADER:
        found.append(f"{path}: does not begin with copyright, licence and SPDX identifier")
    if private and _PRIVATE not in lines[:8]:
        found.append(f"{path}: does not say '{_PRIVATE}'")
    return found


def imports(path: Path) -> Iterator[tuple[int, int, str]]:
    """Line, level of relativity and top-level name of each import, those inside functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, 0, alias.name.split(".")[0]
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, node.level, (node.module or "").split(".")[0]


def foreign_imports(
    path: Path, *, allowed: frozenset[str] = frozenset(), beside: frozenset[str] = frozenset()
) -> list[str]:
    """Imports of anything but the oldest Python's standard library, the file's own package, and what is allowed.

    `allowed` are other libraries, `beside` are packages next to the file's own.
    """
    found = []
    for line, level, name in imports(path):
        library = name in sys.stdlib_module_names and name not in _NEWER_LIBRARY
        if level > 1 and not (level == 2 and name in beside):
            found.append(
                f"{path}:{line}: imports from outside its package, which is copied to hosts or kept pure on its own"
            )
        elif level == 0 and not library and name not in allowed:
            found.append(f"{path}:{line}: imports {name}, which is not in the standard library of Python 3.9")
    return found


def newer_python(path: Path) -> list[str]:
    """What Python 3.9 refuses: its grammar, and keyword arguments that came later."""
    text = path.read_text(encoding="utf-8")
    try:
        module = ast.parse(text, feature_version=OLDEST)
    except SyntaxError as error:
        return [f"{path}:{error.lineno}: {error.msg}"]
    found = []
    for node in ast.walk(module):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            newer = {keyword.arg for keyword in node.keywords} & _NEWER_KEYWORDS.get(name, set())
            found += [
                f"{path}:{node.lineno}: {name}({keyword}=...) needs a later Python than 3.9"
                for keyword in sorted(map(str, newer))
            ]
        elif isinstance(node, ast.Match):
            found.append(f"{path}:{node.lineno}: match needs a later Python than 3.9")
    return found


def missing_docstrings(path: Path) -> list[str]:
    """Public classes, functions and methods of a file without a docstring, and the file itself where it holds any."""
    module = ast.parse(path.read_text(encoding="utf-8"))
    if not module.body:
        return []
    found = [] if ast.get_docstring(module) else [f"{path}:1: the file has no docstring"]
    return found + [
        f"{path}:{node.lineno}: {name} has no docstring"
        for name, node in _public(module.body)
        if not ast.get_docstring(node)
    ]


def _public(
    body: list[ast.stmt], *, prefix: str = ""
) -> Iterator[tuple[str, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]]:
    for node in body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
            yield f"{prefix}{node.name}", node
            if isinstance(node, ast.ClassDef):
                yield from _public(node.body, prefix=f"{node.name}.")
