# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules on what a role's API is and how it is described: defaults/main.yml, meta/argument_specs.yml, vars/main.yml."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import tree

# What a role tells the others, as <role>_<name> in vars/main.yml; playbooks hand it on.
PUBLISHED = ("firewall_rules", "probes", "scrape_targets")

# Options of the spec that the value of another one makes meaningful.
_WITH_ELEMENTS = ("list",)
_WITH_OPTIONS = ("dict",)


def options(role: Path) -> dict[str, Any]:
    """The options of all entry points of a role, by name."""
    specs = tree.read(role / "meta/argument_specs.yml")["argument_specs"]
    return {name: option for entry in specs.values() for name, option in (entry.get("options") or {}).items()}


def known_variables(root: Path) -> set[str]:
    """Every public variable of every role."""
    return {name for role in tree.roles(root) for name in options(role)}


def published(role: Path) -> list[str]:
    """The variables that a role publishes."""
    private = tree.read(role / "vars/main.yml") or {}
    return [name for name in private if name in {f"{role.name}_{suffix}" for suffix in PUBLISHED}]


def _canonical(value: Any) -> str:
    """A form in which equal text means equal values: `1` and `true` differ, the order of keys does not count."""
    return json.dumps(value, sort_keys=True)


def disagreements(role: Path) -> list[str]:
    """Where the defaults and the spec say different things: a missing name, another value, another order."""
    spec = options(role)
    text = (role / "defaults/main.yml").read_text(encoding="utf-8")
    defaults = tree.load(text) or {}
    found = [
        f"{role.name}: {name} has a default but no description in argument_specs"
        for name in defaults
        if name not in spec
    ]
    for name, option in spec.items():
        if "default" not in option:
            if name in defaults:
                found.append(
                    f"{role.name}: {name} has a default in defaults/main.yml that argument_specs does not know"
                )
            elif not re.search(rf"^# {name}:", text, flags=re.MULTILINE):
                found.append(f"{role.name}: {name} has no default and is not in a comment of defaults/main.yml either")
        elif name not in defaults:
            found.append(f"{role.name}: {name} has a default in argument_specs only, where Ansible ignores it")
        elif _canonical(defaults[name]) != _canonical(option["default"]):
            found.append(
                f"{role.name}: {name} is {_canonical(defaults[name])} in defaults/main.yml "
                f"and {_canonical(option['default'])} in argument_specs"
            )
    shared = [name for name in spec if name in defaults]
    if shared != [name for name in defaults if name in spec]:
        found.append(f"{role.name}: defaults/main.yml and argument_specs list the variables in different orders")
    return found


def foreign_names(role: Path) -> list[str]:
    """Public variables without the role's prefix, private ones without the private prefix."""
    found = [
        f"{role.name}: {name} does not begin with {role.name}_"
        for name in options(role)
        if not name.startswith(f"{role.name}_")
    ]
    private = tree.read(role / "vars/main.yml") or {}
    return found + [
        f"{role.name}: {name} in vars/main.yml does not begin with __{role.name}_"
        for name in private
        if not name.startswith(f"__{role.name}_") and name not in published(role)
    ]


def uncommented_defaults(role: Path) -> list[str]:
    """Defaults without a comment directly above them."""
    lines = (role / "defaults/main.yml").read_text(encoding="utf-8").splitlines()
    return [
        f"{role.name}: {line.split(':')[0]} has no comment above it in defaults/main.yml"
        for previous, line in zip(["", *lines], lines, strict=False)
        if re.match(r"\w+:", line) and not previous.startswith("#")
    ]


def _walk(entry: dict[str, Any], *, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, option in (entry.get("options") or {}).items():
        yield f"{path}{name}", option
        yield from _walk(option, path=f"{path}{name}.")


def incomplete(role: Path) -> list[str]:
    """Options, nested ones too, without type or description, or whose parts do not fit together."""
    found = []
    for entry in tree.read(role / "meta/argument_specs.yml")["argument_specs"].values():
        for path, option in _walk(entry, path=""):
            where = f"{role.name}: {path}"
            found += [f"{where} has no {key}" for key in ("type", "description") if not option.get(key)]
            kind = option.get("type")
            if (kind in _WITH_ELEMENTS) != ("elements" in option):
                found.append(f"{where} has type {kind} and {'' if 'elements' in option else 'no '}elements")
            if "options" in option and option.get("elements", kind) not in _WITH_OPTIONS:
                found.append(f"{where} has options, which only a dict or a list of dict can have")
            if option.get("required") and "default" in option:
                found.append(f"{where} is required and has a default")
            if (
                "choices" in option
                and isinstance(option.get("default"), str)
                and option["default"] not in option["choices"]
            ):
                found.append(f"{where} has a default that is not one of its choices")
    return found
