# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write the table of variables in every roles/*/README.md from the role's meta/argument_specs.yml."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import generated
import yaml

MARKER = "variables"
HEADER = ["variable", "type", "default", "description"]

# A default that is longer makes the table unreadable; the file it is in is one click away.
_LONGEST_DEFAULT = 60


def type_of(option: Mapping[str, Any]) -> str:
    """``list of dict`` for a list with elements, the plain type for everything else."""
    kind = str(option.get("type", "str"))
    return f"{kind} of {option['elements']}" if "elements" in option else kind


def default_of(option: Mapping[str, Any]) -> str:
    """The default in backticks, **required**, or nothing for what is optional and has none."""
    if option.get("required"):
        return "**required**"
    if "default" not in option:
        return ""
    default = option["default"]
    literal = default if isinstance(default, str) and default else json.dumps(default, ensure_ascii=False)
    return f"`{literal}`" if len(literal) <= _LONGEST_DEFAULT else "[see defaults](defaults/main.yml)"


def description_of(option: Mapping[str, Any]) -> str:
    """The description, with the choices at its end."""
    text = generated.prose(option["description"])
    if "choices" in option:
        text += " One of " + ", ".join(f"`{choice}`" for choice in option["choices"]) + "."
    return text


def rows(options: Mapping[str, Any], *, prefix: str = "") -> Iterator[list[str]]:
    """One row for each option, each followed by the rows of its own options, whose names show the path to them."""
    for name, option in options.items():
        path = f"{prefix}{name}"
        yield [f"`{path}`", type_of(option), default_of(option), description_of(option)]
        nested = path + ("[]." if option.get("type") == "list" else ".")
        yield from rows(option.get("options", {}), prefix=nested)


def readme(role: Path) -> str:
    """The role's README with the table as it should be; raises MissingMarkersError when it has no place for it."""
    specs = yaml.safe_load((role / "meta/argument_specs.yml").read_text(encoding="utf-8"))
    content = generated.table(HEADER, list(rows(specs["argument_specs"]["main"]["options"])))
    return generated.replace_between((role / "README.md").read_text(encoding="utf-8"), MARKER, content)


def wanted(root: Path) -> dict[Path, str]:
    """Every role's README and the text it should have."""
    return {
        spec.parents[1] / "README.md": readme(spec.parents[1])
        for spec in sorted(root.glob("roles/*/meta/argument_specs.yml"))
    }


if __name__ == "__main__":
    options = generated.arguments(__doc__)
    raise SystemExit(generated.run(wanted(options.root), check=options.check))
