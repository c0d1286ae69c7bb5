# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write docs/modules.md, one line for each module and filter, from their own documentation."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import generated
import yaml

MARKER = "plugins"
PAGE = "docs/modules.md"
FRAME = f"""# Modules and filters

`ansible-doc bulwark.mqtt.<name>` prints the whole of what is listed here; `-t filter` does so for a filter.

<!-- {MARKER}:begin -->
<!-- {MARKER}:end -->
"""


def documentation(module: Path) -> str:
    """The DOCUMENTATION of a module as it stands in the source, found without importing it; '' when it has none."""
    for node in ast.parse(module.read_text(encoding="utf-8")).body:
        names = [target.id for target in getattr(node, "targets", []) if isinstance(target, ast.Name)]
        if isinstance(node, ast.Assign) and "DOCUMENTATION" in names:
            return str(ast.literal_eval(node.value))
    return ""


def rows(root: Path) -> Iterator[list[str]]:
    """Name, kind and purpose of each module and of each filter."""
    for module in sorted(root.glob("plugins/modules/[!_]*.py")):
        doc = yaml.safe_load(documentation(module))
        yield [
            f"[`{module.stem}`](../plugins/modules/{module.name})",
            "module",
            generated.prose(doc["short_description"]),
        ]
    for sidecar in sorted(root.glob("plugins/filter/*.yml")):
        doc = yaml.safe_load(sidecar.read_text(encoding="utf-8"))["DOCUMENTATION"]
        yield [
            f"[`{sidecar.stem}`](../plugins/filter/{sidecar.name})",
            "filter",
            generated.prose(doc["short_description"]),
        ]


def wanted(root: Path) -> dict[Path, str]:
    """The page and the text it should have."""
    content = generated.table(["name", "kind", "purpose"], list(rows(root)))
    return {root / PAGE: generated.replace_between(FRAME, MARKER, content)}


if __name__ == "__main__":
    options = generated.arguments(__doc__)
    raise SystemExit(generated.run(wanted(options.root), check=options.check))
