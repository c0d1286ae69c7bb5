# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""Make services use what was put in place, prove that they serve it, and go back after an undo."""

from __future__ import annotations

import os
import ssl
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import files, lineage, probe, process, proxy_v2
from .descriptor import NONE, RELOAD, RESTART, START, Descriptor
from .errors import ActivationError, HostError, ProbeError, StoreError
from .transaction import ACTIVATING

# A reload is a signal: the service answers with the old version until it got round to it.
PROBE_SECONDS = 20
_PROBE_TIMEOUT = 5
_PROBE_PAUSE = 0.2
_SYSTEMCTL_SECONDS = 180
# What the module tls_tool installs.
TOOL = "/usr/local/sbin/bulwark-tls"
_WORDS = 6


@dataclass(frozen=True)
class UnitState:
    """What systemd says of a unit."""

    active: bool
    # Another start, another id.
    invocation: str
    main_pid: str
    can_reload: bool
    # Empty for root.
    user: str


def unit_state(unit: str) -> UnitState:
    """The state of a unit; one that does not exist is not active."""
    properties = "ActiveState,InvocationID,MainPID,CanReload,User"
    result = _run(["systemctl", "show", unit, f"--property={properties}"])
    if result.returncode != 0:
        raise ActivationError(f"systemctl show {unit}: {result.stdout.strip()}")
    values = dict(line.partition("=")[::2] for line in result.stdout.splitlines())
    return UnitState(
        # A unit that systemd tries to start again and again is in use, too.
        active=values.get("ActiveState") in ("active", "reloading", "activating"),
        invocation=values.get("InvocationID", ""),
        main_pid=values.get("MainPID", ""),
        can_reload=values.get("CanReload") == "yes",
        user=values.get("User", ""),
    )


def planned(
    activations: Sequence[tuple[Descriptor, str, Sequence[Mapping[str, Any]]]],
    *,
    daemon_reload: bool = False,
    store: str,
) -> dict[str, Any]:
    """The plan (JSON) of a transaction, from each service's descriptor, activation and the probes that held before."""
    units = []
    for descriptor, action, probes_before in activations:
        state = unit_state(descriptor.unit)
        units.append(
            {
                "unit": descriptor.unit,
                "action": action,
                "active": state.active,
                "invocation": state.invocation,
                "probes": [dict(item) for item in descriptor.probes],
                "probes_before": [dict(item) for item in probes_before],
            }
        )
    return {"store": store, "daemon_reload": daemon_reload, "units": units}


def activate(plan: Mapping[str, Any]) -> None:
    """Make every unit use the files in place and prove that it does; ActivationError or ProbeError if not."""
    if plan["daemon_reload"]:
        _systemctl("daemon-reload")
    for item in plan["units"]:
        if item["action"] != NONE:
            _activate_unit(item["unit"], item["action"], probes=item["probes"], store=plan["store"])


def restore(plan: Mapping[str, Any], phase: str) -> None:
    """After an undo, make every unit use the old files again, without a restart where it cannot have read new ones."""
    failures = []
    if plan["daemon_reload"]:
        _systemctl("daemon-reload")
    for item in plan["units"]:
        try:
            _restore_unit(item, phase, store=plan["store"])
        except HostError as failure:
            failures.append(str(failure))
    if failures:
        raise ActivationError("; ".join(failures))


def restore_before_boot(plan: Mapping[str, Any], _phase: str) -> None:
    """After an undo at boot: no unit of ours has started yet, but systemd has read the unit files."""
    if plan["daemon_reload"]:
        _systemctl("daemon-reload")


def arm_way_back(name: str, *, seconds: int) -> None:
    """Have systemd undo what is not confirmed in so many seconds, whatever becomes of this process."""
    if not os.access(TOOL, os.X_OK):
        raise ActivationError(f"{TOOL}: is not on this host, so nothing could undo a change; run tls_tool first")
    disarm_way_back(name)
    options = [f"--unit={_way_back(name)}", f"--on-active={seconds}", "--timer-property=AccuracySec=100ms", "--collect"]
    result = _run(["systemd-run", *options, "--quiet", TOOL, "recover"])
    if result.returncode != 0:
        raise ActivationError(f"systemd-run {_way_back(name)}: {result.stdout.strip()}")


def disarm_way_back(name: str) -> None:
    """No longer undo it by itself."""
    _systemctl("stop", f"{_way_back(name)}.timer", required=False)


def _way_back(name: str) -> str:
    return f"bulwark-way-back-{name}"


def check_probe(item: Mapping[str, Any], *, store: str) -> None:
    """One probe of a descriptor; ProbeError says what is served instead."""
    if item["kind"] != "socket":
        shown, expected = served(item, store=store)
        if shown != expected:
            where, path = probe.endpoint(item["address"], int(item["port"])), _path(_lineage(item, store))
            raise ProbeError(f"{where}: serves another certificate than {path}")
    check_answer(item, store=store)


def served(item: Mapping[str, Any], *, store: str) -> tuple[bytes, bytes]:
    """The certificate that the endpoint of a probe serves and the one in the lineage, both DER; ProbeError if none."""
    of = _lineage(item, store)
    expected = _certificate(of)
    found = probe.served_certificate(
        address=item["address"], port=int(item["port"]), server_name=_server_name(of), timeout=_PROBE_TIMEOUT
    )
    return found.der, expected


def check_answer(item: Mapping[str, Any], *, store: str) -> None:
    """The part of a probe that is not about which certificate is served: CONNECT, where the endpoint speaks MQTT."""
    if item["kind"] == "socket":
        _check_socket(item)
    elif item["kind"] == "mqtt":
        of = _lineage(item, store)
        _check_connect(item, of, server_name=_server_name(of))


def _lineage(item: Mapping[str, Any], store: str) -> lineage.Lineage:
    return lineage.Lineage(store, item["lineage"])


def _check_socket(item: Mapping[str, Any]) -> None:
    """Behind the PROXY header of a client with a certificate, CONNECT must be let in; without, any CONNACK will do."""
    name = item.get("proxy_common_name")
    header = proxy_v2.header(common_name=name) if name else b""
    code = probe.mqtt_connect_local(path=item["path"], timeout=_PROBE_TIMEOUT, header=header)
    if name and code != 0:
        raise ProbeError(f"{item['path']}: answers CONNECT behind a PROXY header for {name} with CONNACK {code}")


def _check_connect(item: Mapping[str, Any], served_lineage: lineage.Lineage, *, server_name: str | None) -> None:
    """A CONNECT with the host's client certificate must be let in; without one, any CONNACK proves a broker."""
    client = item.get("client_lineage")
    identity = lineage.Lineage(served_lineage.store, client) if client else None
    if identity and not identity.current_version():
        return
    certfile, keyfile = (
        f"{identity.current}/{name}" if identity else None for name in (lineage.FULLCHAIN, lineage.KEY)
    )
    code = probe.mqtt_connect(
        address=item["address"],
        port=int(item["port"]),
        server_name=server_name,
        timeout=_PROBE_TIMEOUT,
        cafile=os.path.join(served_lineage.current, lineage.anchor_file(_files(served_lineage))),
        certfile=certfile,
        keyfile=keyfile,
    )
    if identity and code != 0:
        where = probe.endpoint(item["address"], int(item["port"]))
        raise ProbeError(
            f"{where}: answers CONNECT with the certificate of lineage {identity.name} with CONNACK {code}"
        )


def _activate_unit(unit: str, action: str, *, probes: Sequence[Mapping[str, Any]], store: str) -> None:
    before = unit_state(unit)
    _systemctl(action, unit)
    _await_probes(unit, probes, store=store)
    after = unit_state(unit)
    # A probe is several rounds of the service's loop after the signal: what it quits over, it has quit over by now.
    if not after.active or (action == RELOAD and after.main_pid != before.main_pid):
        raise ActivationError(f"{unit}: quit after {action}: {_journal(unit)}")


def _restore_unit(item: Mapping[str, Any], phase: str, *, store: str) -> None:
    unit = item["unit"]
    state = unit_state(unit)
    if not item["active"]:
        if item["action"] == START and phase == ACTIVATING:
            _systemctl("stop", unit)
            _systemctl("reset-failed", unit, required=False)
        return
    if item["action"] == NONE:
        return
    undisturbed = state.active and state.invocation == item["invocation"]
    if undisturbed and (item["action"] == RELOAD or phase != ACTIVATING):
        if state.can_reload:
            _systemctl(RELOAD, unit)
    else:
        # Failed starts must not count against the one that is needed.
        _systemctl("reset-failed", unit, required=False)
        _systemctl(RESTART, unit)
    _await_probes(unit, item["probes_before"], store=store)


def _await_probes(unit: str, probes: Sequence[Mapping[str, Any]], *, store: str) -> None:
    deadline = time.monotonic() + PROBE_SECONDS
    for item in probes:
        while True:
            try:
                check_probe(item, store=store)
                break
            except ProbeError as failure:
                if time.monotonic() > deadline:
                    raise ProbeError(f"{unit}: {failure}") from None
                # No need to wait for one that has quit.
                if not unit_state(unit).active:
                    raise ActivationError(f"{unit}: quit: {_journal(unit)}") from None
            time.sleep(_PROBE_PAUSE)


def _certificate(of: lineage.Lineage) -> bytes:
    path = _path(of)
    entry = files.observe(os.path.realpath(path))
    if not isinstance(entry, files.File):
        raise StoreError(f"{path}: is missing; install a certificate for lineage {of.name}")
    return ssl.PEM_cert_to_DER_cert(entry.content.decode("ascii"))


def _files(of: lineage.Lineage) -> Mapping[str, bytes]:
    return of.read(of.current_version())


def _path(of: lineage.Lineage) -> str:
    return os.path.join(of.current, lineage.CERTIFICATE)


def _server_name(of: lineage.Lineage) -> str | None:
    names = of.declaration().names
    return names[0] if names else None


def _systemctl(verb: str, *units: str, required: bool = True) -> None:
    result = _run(["systemctl", verb, *units])
    if required and result.returncode != 0:
        words = _journal(units[0]) if units else result.stdout.strip()
        raise ActivationError(f"{' '.join(['systemctl', verb, *units])} failed: {words}")


def _journal(unit: str) -> str:
    """The unit's own last words."""
    result = _run(["journalctl", "--unit", unit, "--output", "cat", "--lines", str(_WORDS), "--no-pager", "--quiet"])
    return "; ".join(line.strip() for line in result.stdout.splitlines() if line.strip()) or "the journal says nothing"


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    try:
        return process.run(command, timeout=_SYSTEMCTL_SECONDS, merged=True)
    except FileNotFoundError:
        raise ActivationError(f"{command[0]}: the program is not on this host; it is not managed by systemd") from None
    except subprocess.TimeoutExpired:
        raise ActivationError(f"{' '.join(command)}: did not end after {_SYSTEMCTL_SECONDS} seconds") from None
