# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""Kinds of values: each reads a YAML node, reports what is wrong with it, and describes itself as JSON Schema.

One description serves the validator and the editors, so they cannot disagree. A kind looks at one value; what values
mean to each other is in `rules.py`.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Callable, Protocol

from .problems import Reading, unknown

with contextlib.suppress(ImportError):  # ansible-core brings it; hosts, which get no inventory, may lack it
    import yaml

_STR = "tag:yaml.org,2002:str"
_NULL = "tag:yaml.org,2002:null"
_TYPES = {
    "tag:yaml.org,2002:int": "a number",
    "tag:yaml.org,2002:float": "a number",
    "tag:yaml.org,2002:bool": "true or false",
    "tag:yaml.org,2002:timestamp": "a date",
    _NULL: "empty",
}


@dataclass(frozen=True)
class Encrypted:
    """A value that ansible-vault encrypted; whoever hands it to Ansible says so."""

    ciphertext: str


class Kind(Protocol):
    """What a value may be."""

    def read(self, node: yaml.Node, at: str, reading: Reading) -> Any:
        """The value; None when it is none, which is reported."""

    def schema(self) -> dict[str, Any]:
        """The same as JSON Schema."""


def _is(node: yaml.Node) -> str:
    """What a node is, in words."""
    if isinstance(node, yaml.MappingNode):
        return "is a mapping"
    if isinstance(node, yaml.SequenceNode):
        return "is a list"
    if node.tag == _NULL:
        return "is empty"
    if node.tag in _TYPES:
        return f"{node.value!r} is {_TYPES[node.tag]}"
    return f"{node.value!r} is text"


def _below(at: str, key: str) -> str:
    """A key of what is at a key; the file itself has none."""
    return f"{at}.{key}" if at else key


def _anchored(pattern: str) -> str:
    return f"^(?:{pattern})$"


@dataclass(frozen=True)
class Text:
    """Text in one line; `remedy` says what to give instead of what does not match."""

    pattern: str = r"[^\x00-\x1f\x7f]+"
    remedy: str = "give text in one line"
    longest: int = 8192

    def admits(self, text: str) -> bool:
        """Whether this can be the text."""
        return len(text) <= self.longest and re.fullmatch(self.pattern, text) is not None

    def read(self, node: yaml.Node, at: str, reading: Reading) -> str | None:
        """The text."""
        if not isinstance(node, yaml.ScalarNode) or node.tag == _NULL:
            reading.report(at, f"{_is(node)}; {self.remedy}")
        elif node.tag != _STR:
            reading.report(at, f"{_is(node)}; {self.remedy}, in quotes")
        elif not self.admits(node.value):
            reading.report(at, f"{_shown(node.value)} cannot be; {self.remedy}")
        else:
            return str(node.value)
        return None

    def schema(self) -> dict[str, Any]:
        """A string with a pattern."""
        return {"type": "string", "pattern": _anchored(self.pattern), "maxLength": self.longest}


def _shown(value: str) -> str:
    return repr(value if len(value) <= 80 else f"{value[:77]}...")


@dataclass(frozen=True)
class Secret:
    """A template that names a variable, or a value that ansible-vault encrypted. In the clear it is refused, unseen."""

    def read(self, node: yaml.Node, at: str, reading: Reading) -> str | Encrypted | None:
        """The template, or what is encrypted."""
        if not isinstance(node, yaml.ScalarNode) or node.tag == _NULL:
            reading.report(at, f'{_is(node)}; name a variable of Vault, such as "{{{{ vault_passphrase }}}}"')
        elif re.match(r"\$ANSIBLE_VAULT;", node.value):
            return Encrypted(ciphertext=str(node.value))
        elif not re.fullmatch(r"\{\{.*\}\}", node.value):
            reading.report(
                at,
                'the value (not shown) is in the clear; name a variable of Vault, such as "{{ vault_passphrase }}", '
                "or encrypt it with ansible-vault encrypt_string, and give it a new one",
            )
        else:
            return str(node.value)
        return None

    def schema(self) -> dict[str, Any]:
        """A string with a pattern."""
        return {"type": "string", "pattern": r"^(\{\{.*\}\}$|\$ANSIBLE_VAULT;)"}


@dataclass(frozen=True)
class Choice:
    """One of some words. `make` turns the word into a value; `absent` are words that a later release will know."""

    words: Sequence[str]
    make: Callable[[str], Any] = str
    absent: Mapping[str, str] = field(default_factory=dict)

    def read(self, node: yaml.Node, at: str, reading: Reading) -> Any:
        """What the word stands for."""
        if not isinstance(node, yaml.ScalarNode) or node.tag != _STR:
            reading.report(at, f"{_is(node)}; give one of {', '.join(self.words)}")
        elif node.value in self.absent:
            reading.report(at, f"{node.value!r} {self.absent[node.value]}; give one of {', '.join(self.words)}")
        elif node.value not in self.words:
            reading.report(at, unknown(node.value, self.words))
        else:
            return self.make(node.value)
        return None

    def schema(self) -> dict[str, Any]:
        """An enumeration."""
        return {"enum": list(self.words)}


@dataclass(frozen=True)
class Number:
    """A whole number in a range."""

    least: int
    most: int

    def read(self, node: yaml.Node, at: str, reading: Reading) -> int | None:
        """The number."""
        remedy = f"give a number from {self.least} to {self.most}"
        # Decimal only: YAML 1.1 takes 0755 and 1:30 for numbers, JSON and YAML 1.2 do not.
        if not isinstance(node, yaml.ScalarNode) or not re.fullmatch(r"0|-?[1-9][0-9]{0,17}", node.value):
            reading.report(at, f"{_is(node)}; {remedy}")
        elif node.tag != "tag:yaml.org,2002:int":
            reading.report(at, f"{_is(node)}; {remedy}, without quotes")
        elif not self.least <= int(node.value) <= self.most:
            reading.report(at, f"{node.value} is out of range; {remedy}")
        else:
            return int(node.value)
        return None

    def schema(self) -> dict[str, Any]:
        """An integer with its bounds."""
        return {"type": "integer", "minimum": self.least, "maximum": self.most}


@dataclass(frozen=True)
class Flag:
    """True or false."""

    def read(self, node: yaml.Node, at: str, reading: Reading) -> bool | None:
        """The truth."""
        if isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:bool":
            return str(node.value).lower() in {"true", "yes", "on"}
        reading.report(at, f"{_is(node)}; give true or false")
        return None

    def schema(self) -> dict[str, Any]:
        """A boolean."""
        return {"type": "boolean"}


@dataclass(frozen=True)
class ListOf:
    """A list, of at least `least`, in which nothing is twice."""

    of: Kind
    least: int = 0

    def read(self, node: yaml.Node, at: str, reading: Reading) -> tuple[Any, ...]:
        """The values, in their order."""
        if not isinstance(node, yaml.SequenceNode):
            reading.report(at, f"{_is(node)}; give a list")
            return ()
        if len(node.value) < self.least:
            reading.report(at, f"is an empty list; give at least {self.least}, or leave it out")
        values: list[Any] = []
        for number, item in enumerate(node.value):
            where = f"{at}[{number}]"
            reading.lines[where] = item.start_mark.line + 1
            value = self.of.read(item, where, reading)
            if value is not None and value in values:
                reading.report(where, f"{value!r} is there twice; keep one")
            values.append(value)
        return tuple(values)

    def schema(self) -> dict[str, Any]:
        """An array of unique items."""
        return {"type": "array", "items": self.of.schema(), "minItems": self.least, "uniqueItems": True}


def _entries(node: yaml.MappingNode, at: str, reading: Reading) -> dict[str, yaml.Node]:
    """Keys with their nodes; a key that is there twice, or is no text, is reported."""
    found: dict[str, yaml.Node] = {}
    first: dict[str, int] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode) or key_node.tag != _STR:
            text = f"the key {_is(key_node)}; give text, in quotes where it looks like something else"
            if key_node.tag == "tag:yaml.org,2002:merge":
                text = "the key '<<' merges; put what is shared into defaults, or repeat it with an alias"
            reading.report(at or "the file", text, line=line)
            continue
        key = str(key_node.value)
        where = _below(at, key)
        if key in found:
            reading.report(where, f"is there twice, first in line {first[key]}; keep one", line=line)
            continue
        found[key] = value_node
        first[key] = reading.lines[where] = line
    return found


@dataclass(frozen=True)
class MapOf:
    """A mapping whose keys are names."""

    names: Text
    of: Kind
    least: int = 1

    def read(self, node: yaml.Node, at: str, reading: Reading) -> dict[str, Any]:
        """The values by name, in their order."""
        if not isinstance(node, yaml.MappingNode):
            reading.report(at, f"{_is(node)}; give names with what belongs to them")
            return {}
        if len(node.value) < self.least:
            reading.report(at, f"is empty; give at least {self.least}, or leave it out")
        values = {}
        for name, value in _entries(node, at, reading).items():
            where = f"{at}.{name}"
            if not self.names.admits(name):
                reading.report(where, f"the name {_shown(name)} cannot be; {self.names.remedy}")
            values[name] = self.of.read(value, where, reading)
        return values

    def schema(self) -> dict[str, Any]:
        """An object with patterns for its keys."""
        names = {"pattern": _anchored(self.names.pattern), "maxLength": self.names.longest}
        return {
            "type": "object",
            "propertyNames": names,
            "additionalProperties": self.of.schema(),
            "minProperties": self.least,
        }


@dataclass(frozen=True)
class Field:
    """A key of a record."""

    kind: Kind
    about: str
    required: bool = False
    default: Any = None


@dataclass(frozen=True)
class Record:
    """A mapping with known keys. `make` gets their values and `at`, the record's own key."""

    fields: Mapping[str, Field]
    make: Callable[..., Any]
    # An empty value is a record without keys.
    nullable: bool = False
    exactly_one: bool = False
    # Keys that a later release will know, with the words for it.
    absent: Mapping[str, str] = field(default_factory=dict)

    def read(self, node: yaml.Node, at: str, reading: Reading) -> Any:
        """What `make` makes of it."""
        given: dict[str, yaml.Node] = {}
        if isinstance(node, yaml.MappingNode):
            given = _entries(node, at, reading)
        elif not (self.nullable and node.tag == _NULL):
            reading.report(at or "the file", f"{_is(node)}; give some of the keys {', '.join(self.fields)}")
            return None
        values = {}
        for key, known in self.fields.items():
            where = _below(at, key)
            values[key] = known.kind.read(given[key], where, reading) if key in given else known.default
            if known.required and key not in given:
                reading.report(where, f"is missing; {known.about}", line=node.start_mark.line + 1)
        for key in given:
            where = _below(at, key)
            if key in self.absent:
                reading.report(where, self.absent[key])
            elif key not in self.fields:
                reading.report(where, f"the key {unknown(key, list(self.fields))}")
        if self.exactly_one and len(given) != 1:
            reading.report(at, f"has {len(given)} keys; give exactly one of {', '.join(self.fields)}")
        return self.make(at=at, **values)

    def schema(self) -> dict[str, Any]:
        """An object with its properties, and no others."""
        count = {"minProperties": 1, "maxProperties": 1} if self.exactly_one else {}
        required = [key for key, known in self.fields.items() if known.required]
        return {
            "type": ["object", "null"] if self.nullable else "object",
            "properties": {
                key: {**known.kind.schema(), "description": known.about} for key, known in self.fields.items()
            },
            "additionalProperties": False,
            **({"required": required} if required else {}),
            **count,
        }


@dataclass(frozen=True)
class Either:
    """A word, a list or a mapping: which of them, the node's own form decides."""

    word: Kind | None = None
    items: Kind | None = None
    mapping: Kind | None = None

    def read(self, node: yaml.Node, at: str, reading: Reading) -> Any:
        """What the kind for the node's form reads."""
        if isinstance(node, yaml.MappingNode):
            kind, form = self.mapping, "a mapping"
        elif isinstance(node, yaml.SequenceNode):
            kind, form = self.items, "a list"
        else:
            kind, form = self.word, "a word"
        if kind is None:
            forms = {"a word": self.word, "a list": self.items, "a mapping": self.mapping}
            reading.report(at, f"is {form}; give {' or '.join(name for name, known in forms.items() if known)}")
            return None
        return kind.read(node, at, reading)

    def schema(self) -> dict[str, Any]:
        """Any of them."""
        return {"anyOf": [kind.schema() for kind in (self.word, self.items, self.mapping) if kind]}
