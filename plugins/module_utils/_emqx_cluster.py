# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""What cannot be an EMQX cluster: rules across its nodes, how they find each other, and what the version can do."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

# Labels of DNS names (RFC 1123), two at least: Erlang takes no other long name (net_kernel). In lower case, since nodes
# compare names as text.
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_NAME = re.compile(rf"({_LABEL}\.)+(?![0-9]+$){_LABEL}")
_DNS_NAME = re.compile(r"([A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.)+[A-Za-z0-9-]{1,63}")


def problems(
    nodes: Sequence[Mapping[str, Any]],
    *,
    host: str,
    discovery: str = "none",
    dns_name: str = "",
    dns_record: str = "srv",
    version: str = "",
    licence: bool = False,
    needs_licence: bool = False,
    replicants: bool = True,
) -> list[str]:
    """Why these could not be the nodes of one cluster, each with the variable and the remedy.

    `host` is this host among them; `needs_licence` and `replicants` are what the version says of itself.
    """
    if discovery == "none":
        if not nodes:
            return []
        return [
            (
                f"emqx_cluster_nodes has {len(nodes)} nodes and emqx_cluster_discovery is none; choose static or dns,"
                " or take them out"
            )
        ]
    found = []
    if needs_licence and not licence:
        found.append(
            f"emqx_version is {version}, and a cluster of EMQX 5.9 and later needs a licence; give emqx_licence_key, or"
            " take a version of 5.8, the last that clusters without one"
        )
    found += _dns_problems(nodes, discovery=discovery, name=dns_name, record=dns_record)
    found += _node_problems(nodes)
    if host not in [node["host"] for node in nodes]:
        found.append(
            f"emqx_cluster_host is {host}, and emqx_cluster_nodes has no such node; add it, or correct the name"
        )
    # emqx_conf_schema.erl of 5.8, validate_node_role: the open-source edition refuses to start as one.
    away = [str(node["host"]) for node in nodes if node.get("role", "core") == "replicant"]
    if away and not replicants and not licence:
        found.append(
            f"emqx_cluster_nodes: {away[0]} is a replicant, which EMQX {version} knows in its enterprise edition only;"
            " make it a core, or give emqx_licence_key"
        )
    return found


def _dns_problems(nodes: Sequence[Mapping[str, Any]], *, discovery: str, name: str, record: str) -> Iterator[str]:
    if discovery != "dns":
        if name:
            yield (
                f"emqx_cluster_dns_name is {name} and emqx_cluster_discovery is {discovery}; choose dns, or take the"
                " name out"
            )
        return
    if not name:
        yield (
            "emqx_cluster_discovery is dns, and emqx_cluster_dns_name is empty; give the name whose records are the"
            " nodes"
        )
    elif not _DNS_NAME.fullmatch(name):
        yield f"emqx_cluster_dns_name is {name!r}; give a DNS name, such as emqx.example.com"
    # ekka_cluster_dns.erl: what the records say is what comes behind `emqx@`.
    for node in nodes:
        address = _is_address(str(node["host"]))
        if record == "a" and not address:
            yield (
                f"emqx_cluster_dns_record is a, with which nodes are called by their addresses, and emqx_cluster_nodes"
                f" has the host {node['host']}; give addresses as hosts, or take srv"
            )
            return
        if record == "srv" and address:
            yield (
                f"emqx_cluster_dns_record is srv, with which nodes are called by their names, and emqx_cluster_nodes"
                f" has the host {node['host']}; give names as hosts, or take a"
            )
            return


def _node_problems(nodes: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if len(nodes) < 2:
        yield f"emqx_cluster_nodes: there are {len(nodes)}; give all nodes of the cluster, two at least"
    for node in nodes:
        host, address = str(node["host"]), str(node["address"])
        if not _is_address(host) and not _NAME.fullmatch(host):
            yield (
                f"emqx_cluster_nodes: the host {host!r} cannot be a node's; give a full DNS name in lower case, such as"
                " mqtt1.example.com, or an IPv4 address"
            )
        # inet_tls_dist is the distribution over IPv4, inet6_tls_dist another one.
        if not _is_address(address):
            yield (f"emqx_cluster_nodes: {host} has the address {address!r}; give the IPv4 address that the others see")
    for key in ("host", "address"):
        values = [str(node[key]) for node in nodes]
        twice = sorted({value for value in values if values.count(value) > 1})
        if twice:
            yield f"emqx_cluster_nodes: two nodes have the {key} {twice[0]}; give each node its own"
    if nodes and all(node.get("role", "core") == "replicant" for node in nodes):
        yield (
            "emqx_cluster_nodes: all nodes are replicants, which keep no data of their own; make one a core, better"
            " three"
        )


def _is_address(text: str) -> bool:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True
