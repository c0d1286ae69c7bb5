# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A configuration against EMQX's own schema, as a node prints it: a list of structs with their fields."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

ROOT = "emqx:Root Config Keys"

# The printed schema leaves out what is of hidden importance (emqx_schema.erl, emqx_conf_schema.erl).
HIDDEN = {
    "emqx:mqtt_tcp_listener": {"enable"},
    "emqx:mqtt_ssl_listener": {"enable"},
    "emqx:mqtt_ws_listener": {"enable"},
    "emqx:mqtt_wss_listener": {"enable"},
    "emqx:rpc": {"listen_address", "insecure_fallback"},
    "emqx:log_file_handler": {"enable"},
    "authz:file": {"enable"},
}
HIDDEN_ROOTS = {"crl_cache", "license"}

_INTEGER = re.compile(r"(pos_integer|non_neg_integer|integer|number)\(\)|\d+\.\.(\d+|inf)")


class Schema:
    """The structs by name."""

    def __init__(self, structs: Sequence[Mapping[str, Any]]) -> None:
        self._structs = {struct["full_name"]: struct for struct in structs}

    def problems(self, config: Mapping[str, Any]) -> list[str]:
        """Every key that the schema does not know and every value that is not of its type, with the path."""
        return list(self._struct(ROOT, config, ""))

    def _struct(self, name: str, value: Any, path: str) -> Iterator[str]:
        if not isinstance(value, Mapping):
            yield f"{path}: {value!r} is no {name}"
            return
        fields = {}
        for field in self._structs[name]["fields"]:
            fields.update(dict.fromkeys([field["name"], *field["aliases"]], field["type"]))
        for key, item in value.items():
            below = f"{path}.{key}" if path else key
            if key in fields:
                yield from self._value(fields[key], item, below)
            elif key not in HIDDEN.get(name, ()) and not (name == ROOT and key in HIDDEN_ROOTS):
                yield f"{below}: {name} has no such field"

    def _value(self, kind: Mapping[str, Any], value: Any, path: str) -> Iterator[str]:
        if kind["kind"] == "struct":
            yield from self._struct(kind["name"], value, path)
        elif kind["kind"] == "union":
            tried = [list(self._value(member, value, path)) for member in kind["members"]]
            if all(tried):
                # What is wrong in a struct says more than that it is no word of a choice.
                members = zip(kind["members"], tried, strict=True)
                structs = [found for member, found in members if member["kind"] == "struct"]
                yield from min(structs if structs and isinstance(value, Mapping) else tried, key=len)
        elif kind["kind"] == "map":
            for key, item in value.items():
                yield from self._value(kind["values"], item, f"{path}.{key}")
        elif kind["kind"] == "array":
            if not isinstance(value, list):
                yield f"{path}: {value!r} is no list"
                return
            for number, item in enumerate(value):
                yield from self._value(kind["elements"], item, f"{path}[{number}]")
        elif kind["kind"] == "enum":
            if str(value).lower() not in [str(symbol) for symbol in kind["symbols"]]:
                yield f"{path}: {value!r} is none of {kind['symbols']}"
        elif kind["kind"] == "singleton":
            if str(value) != str(kind["name"]):
                yield f"{path}: {value!r} is not {kind['name']}"
        else:
            yield from self._primitive(kind["name"], value, path)

    @staticmethod
    def _primitive(name: str, value: Any, path: str) -> Iterator[str]:
        if name == "boolean()" and not isinstance(value, bool):
            yield f"{path}: {value!r} is neither true nor false"
        elif _INTEGER.fullmatch(name) and (isinstance(value, bool) or not isinstance(value, (int, float))):
            yield f"{path}: {value!r} is no number"
        elif isinstance(value, (Mapping, list)) and name != "map()":
            yield f"{path}: {value!r} is no {name}"
