# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules on modules and filters: documentation that parses, is complete, and has examples that agree with it."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from ansible.playbook.task import Task

from . import tree

NAMESPACE = "bulwark.mqtt"

# `ARGUMENT_SPEC = {...}` and `AnsibleModule(argument_spec={...})`.
_GIVES_VALUE = (ast.Assign, ast.keyword)

BLOCKS = ("DOCUMENTATION", "EXAMPLES", "RETURN")

# What a task may say beside its module.
_KEYWORDS = set(Task.fattributes)


def blocks(module: Path) -> dict[str, str]:
    """The documentation strings of a module, found without importing it."""
    found = {}
    for node in ast.parse(module.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id in BLOCKS:
            found[node.targets[0].id] = str(ast.literal_eval(node.value))
    return found


def undocumented(module: Path) -> list[str]:
    """Documentation that is missing, does not parse, or is not about this module."""
    text = blocks(module)
    found = [f"{module.name}: has no {name}" for name in BLOCKS if not text.get(name, "").strip()]
    for name, source in text.items():
        try:
            tree.load(source)
        except yaml.YAMLError as error:
            found.append(f"{module.name}: {name} does not parse: {' '.join(str(error).split())}")
    if not found and tree.load(text["DOCUMENTATION"]).get("module") != module.stem:
        found.append(f"{module.name}: DOCUMENTATION is about another module")
    return found


def untyped_returns(module: Path) -> list[str]:
    """Return values without description, type or a word on when they are returned."""
    values = tree.load(blocks(module)["RETURN"]) or {}
    return [
        f"{module.name}: return value {name} has no {key}"
        for name, value in values.items()
        for key in ("description", "type", "returned")
        if key not in value
    ]


def argument_spec_names(module: Path) -> set[str] | None:
    """The parameters in the module's own argument_spec; None where it is not written as a literal."""
    parsed = ast.parse(module.read_text(encoding="utf-8"))
    shared = {
        node.target.id: node.value
        for node in ast.walk(parsed)
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and isinstance(node.value, ast.Dict)
    }
    for node in ast.walk(parsed):
        if isinstance(node, ast.Assign):
            called = [getattr(target, "id", "").lower() for target in node.targets]
        else:
            called = [str(getattr(node, "arg", ""))]
        names = (
            _literal_keys(node.value, shared) if "argument_spec" in called and isinstance(node, _GIVES_VALUE) else None
        )
        if names is not None:
            return names
    return None


def _literal_keys(node: ast.expr, shared: Mapping[str, ast.Dict]) -> set[str] | None:
    """The keys of a literal, and those of the shared ones that it unpacks by name."""
    if isinstance(node, ast.Dict):
        parts = zip(node.keys, node.values, strict=True)
        unpacked = [shared.get(value.id) for key, value in parts if key is None and isinstance(value, ast.Name)]
        keys = [*node.keys, *(key for part in unpacked if part for key in part.keys)]
        return {key.value for key in keys if isinstance(key, ast.Constant) and isinstance(key.value, str)}
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "dict":
        return {keyword.arg for keyword in node.keywords if keyword.arg}
    return None


def unlike_its_spec(module: Path) -> list[str]:
    """Parameters that the code takes and the documentation does not name, and the other way round."""
    documented = set(tree.load(blocks(module)["DOCUMENTATION"]).get("options") or {})
    taken = argument_spec_names(module)
    if taken is None:
        return []
    return [
        f"{module.name}: takes {name}, which DOCUMENTATION does not name" for name in sorted(taken - documented)
    ] + [f"{module.name}: DOCUMENTATION names {name}, which it does not take" for name in sorted(documented - taken)]


def bad_examples(module: Path) -> list[str]:
    """Examples without the module's full name, with parameters it does not document, or without those it requires."""
    doc = tree.load(blocks(module)["DOCUMENTATION"])
    full_name = f"{NAMESPACE}.{module.stem}"
    found = []
    uses = 0
    for task in tree.load(blocks(module)["EXAMPLES"]):
        found += [
            f"{module.name}: an example uses {key} without its full name"
            for key in task
            if "." not in key and key not in _KEYWORDS
        ]
        if full_name in task:
            uses += 1
            found += _bad_arguments(
                task[full_name] or {}, _options(module, doc), where=f"{module.name}: example '{task.get('name')}'"
            )
        if not task.get("name"):
            found.append(f"{module.name}: an example has no name")
    return found if uses else [*found, f"{module.name}: no example uses {full_name}"]


def _options(module: Path, doc: dict[str, Any]) -> dict[str, Any]:
    """The options of a module, those of the collection's fragments that it extends among them."""
    options = dict(doc.get("options") or {})
    for name in doc.get("extends_documentation_fragment") or []:
        fragment = module.parent.parent / "doc_fragments" / f"{name.removeprefix(f'{NAMESPACE}.')}.py"
        if fragment.is_file():
            classes = [
                node for node in ast.parse(fragment.read_text(encoding="utf-8")).body if isinstance(node, ast.ClassDef)
            ]
            text = next(str(ast.literal_eval(node.value)) for node in classes[0].body if isinstance(node, ast.Assign))
            options.update(tree.load(text).get("options") or {})
    return options


def _bad_arguments(arguments: Any, options: dict[str, Any], *, where: str) -> list[str]:
    if not isinstance(arguments, dict):
        return []
    found = [f"{where} sets {name}, which is not documented" for name in arguments if name not in options]
    for name, option in options.items():
        if name not in arguments:
            if option.get("required"):
                found.append(f"{where} does not set {name}, which is required")
            continue
        if "suboptions" in option:
            values = arguments[name] if isinstance(arguments[name], list) else [arguments[name]]
            for value in values:
                found += _bad_arguments(value, option["suboptions"], where=f"{where}, {name}")
    return found


def untested(module: Path, root: Path) -> list[str]:
    """The module without an integration target of its name and without a unit test that imports it."""
    if (root / "tests/integration/targets" / module.stem / "tasks/main.yml").is_file():
        return []
    imported = re.compile(rf"plugins\.modules(\.{module.stem}\b|\s+import\s+\(?[\w\s,]*\b{module.stem}\b)")
    if any(imported.search(test.read_text(encoding="utf-8")) for test in root.glob("tests/unit/**/test_*.py")):
        return []
    return [f"{module.name}: has neither tests/integration/targets/{module.stem} nor a unit test that imports it"]


def filter_names(plugin: Path) -> set[str]:
    """The filters that a plugin file offers: the keys of what FilterModule.filters returns."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(plugin.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef) and node.name == "filters":
            for returned in ast.walk(node):
                if isinstance(returned, ast.Return) and returned.value is not None:
                    names |= _literal_keys(returned.value, {}) or set()
    return names


def undocumented_filters(plugin: Path) -> list[str]:
    """Filters without a documentation file of their name beside them, or with one that is incomplete."""
    names = filter_names(plugin)
    if not names:
        return [f"{plugin.name}: offers no filter that can be read from the source"]
    found = []
    for name in sorted(names):
        sidecar = plugin.parent / f"{name}.yml"
        if not sidecar.is_file():
            found.append(f"{plugin.name}: filter {name} has no {sidecar.name} beside it")
            continue
        doc = tree.read(sidecar)
        found += [f"{sidecar.name}: has no {block}" for block in BLOCKS if not doc.get(block)]
        if doc.get("DOCUMENTATION", {}).get("name") != name:
            found.append(f"{sidecar.name}: DOCUMENTATION is about another filter")
        if f"{NAMESPACE}.{name}" not in str(doc.get("EXAMPLES")):
            found.append(f"{sidecar.name}: no example uses {NAMESPACE}.{name}")
    return found
