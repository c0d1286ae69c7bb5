# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""What Prometheus is to look at, from what each host publishes: one file for a host and a job, read by file_sd. Pure.

A file for a host, not one for all: a run that sees some hosts only leaves what is known of the others as it is.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ._host.probe import endpoint


def target_files(
    hosts: Iterable[Mapping[str, Any]], *, directory: str, inventory: Sequence[str], there: Iterable[str], here: str
) -> list[dict[str, Any]]:
    """The files with targets of `hosts`, for service_config; those that are `there` of no host in `inventory` go.

    What a service gives on loopback only, Prometheus can ask where it is `here`.
    """
    wanted = [_file(host["name"], job, groups, directory) for host in hosts for job, groups in _jobs(host, here)]
    gone = [path for path in sorted(there) if os.path.basename(path)[: -len(".json")] not in inventory]
    return [*wanted, *({"path": path, "state": "absent", "activation": "none"} for path in gone)]


def unreachable(hosts: Iterable[Mapping[str, Any]], *, here: str) -> list[str]:
    """The hosts whose exporter listens on loopback, where only the host itself reaches it."""
    return [host["name"] for host in hosts if host["loopback"] and host["name"] != here]


def _jobs(host: Mapping[str, Any], here: str) -> Iterable[tuple[str, list[dict[str, Any]]]]:
    address, outside, instance = host["address"], host["outside"], {"instance": host["name"]}
    yield "node", [_group(address, host["port"], {**instance, "__scheme__": host["scheme"]})]
    within_reach = [item for item in host["scrape_targets"] if not item.get("loopback") or host["name"] == here]
    for job in ("services", "emqx"):
        wanted = [item for item in within_reach if item.get("job", "services") == job]
        yield job, [_service(item, outside, instance) for item in wanted]
    # The name that the certificate must have is the name to connect to: what clients do, DNS included.
    yield "tls", [_group(item.get("server_name") or outside, item["port"], instance) for item in host["probes"]]
    yield "plaintext", [_group(outside, port, instance) for port in host["plaintext_ports"]]


def _service(target: Mapping[str, Any], outside: str, instance: Mapping[str, str]) -> dict[str, Any]:
    address = "127.0.0.1" if target.get("loopback") else outside
    labels = {"__scheme__": target.get("scheme", "https"), "__metrics_path__": target.get("path", "/metrics")}
    return _group(address, target["port"], {**instance, **labels})


def _group(address: str, port: int, labels: Mapping[str, str]) -> dict[str, Any]:
    return {"targets": [endpoint(address, port)], "labels": dict(labels)}


def _file(name: str, job: str, groups: Sequence[Mapping[str, Any]], directory: str) -> dict[str, Any]:
    return {
        "path": f"{directory}/{job}/{name}.json",
        "content": json.dumps(groups, indent=2, sort_keys=True) + "\n",
        "owner": "root",
        "group": "root",
        "mode": "0644",
        # Prometheus looks at these files by itself.
        "activation": "none",
    }
