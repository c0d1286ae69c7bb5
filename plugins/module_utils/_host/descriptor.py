# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""What a service role tells the store of its service: `/etc/bulwark/services.d/<service>.json`."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from . import files
from .errors import StoreError

DIRECTORY = "/etc/bulwark/services.d"

# A reload is a signal: the service answers with the old version until it got round to it.
PROBE_SECONDS = 20

# Activations from weak to strong.
NONE, RELOAD, RESTART, START = "none", "reload", "restart", "start"
_STRENGTH = (NONE, RELOAD, RESTART, START)
# Kind of probe -> what it must say. One over TLS with `client_lineage` shows that certificate. One with `statistics` is
# where the host reads what Mosquitto counts.
_PROBES = {
    "tls": ("address", "port", "lineage"),
    "mqtt": ("address", "port", "lineage"),
    # A unix socket, without TLS; with `proxy_common_name`, one behind a proxy that tells this name.
    "socket": ("path",),
    # The same at a port of the loopback.
    "loopback": ("port", "proxy_common_name"),
    # A program that ends with 0 when all is well, and says what is not.
    "program": ("argv",),
}


@dataclass(frozen=True)
class Check:
    """How a candidate is checked: a daemon that must get ready or a command that must exit with 0."""

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    success: str
    # Directory -> owner, as "user:group": covered with an empty one while the candidate runs.
    scratch: Mapping[str, str]
    timeout: int
    # Files in those directories that the candidate finds there as copies: state without which it does not start.
    keep: tuple[str, ...] = ()
    # Whom the candidate runs as; empty for whom the unit says.
    user: str = ""
    # Files that this user must be able to read, for a program whose check does not open them.
    reads: tuple[str, ...] = ()


@dataclass(frozen=True)
class Descriptor:
    """A service."""

    unit: str
    check: Check
    # Lineage -> part (certificate, crl, ca, ocsp) -> the least activation that makes the service use a new one.
    lineages: Mapping[str, Mapping[str, str]]
    probes: tuple[Mapping[str, Any], ...]
    # Seconds in which somebody must confirm a change before it is undone; 0 needs nobody.
    confirm_seconds: int
    # Seconds in which the probes must hold after an activation: how long the service takes to start, and to spare.
    probe_seconds: int = PROBE_SECONDS

    def activation(self, lineage: str, parts: Collection[str]) -> str:
        """The least activation that makes the service use these changed parts of a lineage."""
        return strongest(action for part, action in self.lineages.get(lineage, {}).items() if part in parts)


def strongest(activations: Iterable[str]) -> str:
    """The one of several activations that includes the others."""
    return max(activations, key=_STRENGTH.index, default=NONE)


def path_of(service: str) -> str:
    """Where the descriptor of a service is."""
    return os.path.join(DIRECTORY, f"{service}.json")


def installed() -> dict[str, Descriptor]:
    """The descriptors on this host by service."""
    try:
        names = sorted(name for name in os.listdir(DIRECTORY) if name.endswith(".json"))
    except FileNotFoundError:
        return {}
    found = {}
    for name in names:
        entry = files.observe(os.path.join(DIRECTORY, name))
        if isinstance(entry, files.File):
            found[name[: -len(".json")]] = parse(entry.content, source=os.path.join(DIRECTORY, name))
    return found


def parse(content: bytes, *, source: str) -> Descriptor:
    """Read a descriptor; StoreError names the file and what is wrong in it."""
    try:
        data = json.loads(content)
        check = data["check"]
        descriptor = Descriptor(
            unit=data["unit"],
            check=Check(
                argv=tuple(check["argv"]),
                environment=dict(check.get("environment", {})),
                success=check["success"],
                scratch=dict(check.get("scratch", {})),
                timeout=int(check.get("timeout", 10)),
                keep=tuple(check.get("keep", ())),
                user=check.get("user", ""),
                reads=tuple(check.get("reads", ())),
            ),
            lineages={name: dict(parts) for name, parts in data.get("lineages", {}).items()},
            probes=tuple(dict(probe) for probe in data.get("probes", ())),
            confirm_seconds=int(data.get("confirm_seconds", 0)),
            probe_seconds=int(data.get("probe_seconds", PROBE_SECONDS)),
        )
    except KeyError as failure:
        raise StoreError(f"{source}: has no {failure.args[0]!r}; add it") from None
    except (ValueError, TypeError, AttributeError) as failure:
        raise StoreError(
            f"{source}: is not a service descriptor ({failure}); correct the template that writes it"
        ) from None
    _require(descriptor.check.success, ("ready", "exit"), source=f"{source}: check.success")
    for name, parts in descriptor.lineages.items():
        for part, action in parts.items():
            _require(part, ("certificate", "crl", "ca", "ocsp"), source=f"{source}: lineages.{name}")
            _require(action, (NONE, RELOAD, RESTART), source=f"{source}: lineages.{name}.{part}")
    for number, probe in enumerate(descriptor.probes):
        _require(probe.get("kind"), tuple(_PROBES), source=f"{source}: probes[{number}].kind")
        for key in _PROBES[probe["kind"]]:
            if key not in probe:
                raise StoreError(f"{source}: probes[{number}] has no {key!r}; add it")
    return descriptor


def _require(value: Any, allowed: Collection[str], *, source: str) -> None:
    if value not in allowed:
        raise StoreError(f"{source} is {value!r}, it must be one of {', '.join(allowed)}")
