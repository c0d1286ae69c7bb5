# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""EMQX's configuration as HOCON, and what settings of the operator's own must not do.

`emqx check_config` accepts a root key that it does not know, so those are looked up here. The rest is left to it: it
knows the keys of its version and names the path of a wrong one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

# emqx_conf_schema.erl and emqx_schema.erl, roots(), of 5.8, hidden ones included, and what came up to 6.3.
# fmt: off
_ROOTS = frozenset([
    "actions", "alarm", "api_key", "auto_subscribe", "banned", "bridges", "broker", "cluster", "conn_congestion",
    "connectors", "crl_cache", "delayed", "durable_sessions", "durable_storage", "exhook", "file_transfer",
    "flapping_detect", "force_gc", "force_shutdown", "license", "limiter", "log", "message_transformation", "mqtt",
    "multi_tenancy", "node", "opentelemetry", "overload_protection", "plugins", "prometheus", "psk_authentication",
    "retainer", "rewrite", "rpc", "rule_engine", "schema_registry", "schema_validation", "slow_subs", "sources",
    "stats", "sys_topics", "sysmon", "telemetry", "topic_metrics", "trace", "zones",
])
# fmt: on
# What opens ports, lets clients in, or says who may do what: the role's own variables are for it.
_OURS = {
    "api_key": "emqx_api_keys",
    "authentication": "emqx_users",
    "authorization": "emqx_acl",
    "dashboard": "emqx_dashboard_address and emqx_dashboard_port",
    "gateway": "",
    "node.cookie": "emqx_node_cookie",
    "node.name": "",
    "node.data_dir": "",
    "node.role": "emqx_cluster_nodes",
    "cluster.discovery_strategy": "emqx_cluster_discovery",
    "cluster.static": "emqx_cluster_nodes",
    "cluster.dns": "emqx_cluster_dns_name",
    "cluster.proto_dist": "",
    "rpc.listen_address": "",
    "rpc.protocol": "",
    "rpc.driver": "",
    "rpc.port_discovery": "",
    "rpc.certfile": "emqx_cluster_lineage",
    "rpc.keyfile": "emqx_cluster_lineage",
    "rpc.cacertfile": "emqx_cluster_lineage",
    "rpc.tls_versions": "",
    "rpc.insecure_fallback": "",
    "listeners": "emqx_listeners",
    "mqtt.peer_cert_as_username": "",
    "mqtt.peer_cert_as_clientid": "",
    "mqtt.use_username_as_clientid": "",
    "mqtt.clientid_override": "",
}
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


class ConfigError(ValueError):
    """A value that HOCON cannot write."""


def problems(settings: Mapping[str, Any]) -> list[str]:
    """Why settings of the operator's own cannot be beside the role's; each names the key and the remedy."""
    found = []
    for path in _paths(settings):
        owner = next((ours for ours in _OURS if path == ours or path.startswith(f"{ours}.")), None)
        if owner is not None:
            instead = f"use {_OURS[owner]}" if _OURS[owner] else "take it out"
            found.append(f"{path} is the role's own; {instead}")
        elif path.split(".", 1)[0] not in _ROOTS:
            found.append(f"{path}: EMQX knows no {path.split('.', 1)[0]}, and would say nothing; correct the name")
    return found


def render(settings: Mapping[str, Any], *, indent: int = 0) -> str:
    """HOCON of nested settings, in their order, without a line break at the end. Raises ConfigError."""
    return "\n".join(_lines(settings, "  " * indent))


def _paths(settings: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """The path of every value; a key can be a path as well."""
    for key, value in settings.items():
        path = f"{above}.{key}" if above else str(key)
        if isinstance(value, Mapping) and value:
            yield from _paths(value, path)
        else:
            yield path


def _lines(settings: Mapping[str, Any], margin: str) -> Iterator[str]:
    for key, value in settings.items():
        name = ".".join(part if _PLAIN_KEY.fullmatch(part) else json.dumps(part) for part in str(key).split("."))
        if isinstance(value, Mapping):
            yield f"{margin}{name} {{"
            yield from _lines(value, margin + "  ")
            yield f"{margin}}}"
        else:
            yield f"{margin}{name} = {_value(value, str(key))}"


def _value(value: Any, where: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, str):
        # A quoted string of HOCON is one of JSON (HOCON.md, "Unquoted strings"), and nothing in it is a substitution.
        return json.dumps(str(value), ensure_ascii=False)
    if isinstance(value, Mapping):
        inner = ", ".join(f"{json.dumps(str(key))} = {_value(item, where)}" for key, item in value.items())
        return f"{{{inner}}}"
    if isinstance(value, Sequence):
        return f"[{', '.join(_value(item, where) for item in value)}]"
    raise ConfigError(f"{where} is {value!r}; give a string, a number, true or false, a list or a dictionary")
