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
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from . import files, lineage, mqtt, probe, process, proxy_v2
from .descriptor import NONE, PROBE_SECONDS, RELOAD, RESTART, START, Descriptor
from .errors import ActivationError, HostError, ProbeError, StoreError
from .transaction import ACTIVATING

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


def kept_running(unit: str) -> bool:
    """Whether a unit runs, and will after a boot; not where there is no systemd to say so."""
    try:
        result = _run(["systemctl", "show", unit, "--property=ActiveState,UnitFileState"])
    except FileNotFoundError:
        return False
    return result.returncode == 0 and set(result.stdout.split()) == {"ActiveState=active", "UnitFileState=enabled"}


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
                "probe_seconds": descriptor.probe_seconds,
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
            _activate_unit(item, store=plan["store"])


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
    if item["kind"] == "program":
        _check_program(item["argv"])
        return
    if not without_tls(item):
        shown, expected = served(item, store=store)
        if shown != expected:
            raise ProbeError(f"{place(item)}: serves another certificate than {_path(_lineage(item, store))}")
    check_answer(item, store=store)


def served(item: Mapping[str, Any], *, store: str) -> tuple[bytes, bytes]:
    """The certificate that the endpoint of a probe serves and the one in the lineage, both DER; ProbeError if none."""
    of = _lineage(item, store)
    expected = _certificate(of)
    certfile, keyfile = _identity_files(item, store)
    found = probe.served_certificate(
        address=item["address"],
        port=int(item["port"]),
        server_name=_server_name(of),
        timeout=_PROBE_TIMEOUT,
        certfile=certfile,
        keyfile=keyfile,
    )
    return found.der, expected


def check_answer(item: Mapping[str, Any], *, store: str) -> None:
    """The part of a probe that is not about which certificate is served: CONNECT, where the endpoint speaks MQTT."""
    if without_tls(item):
        _check_local(item, store=store)
    elif item["kind"] == "mqtt":
        _check_connect(item, store=store)


def without_tls(item: Mapping[str, Any]) -> bool:
    """Whether the endpoint of a probe is one of this host only, behind what ends TLS."""
    return item["kind"] in ("socket", "loopback")


def place(item: Mapping[str, Any]) -> str:
    """Where the endpoint of a probe is: a path, or an address with its port."""
    return item["path"] if "path" in item else probe.endpoint(item.get("address", "127.0.0.1"), int(item["port"]))


def _lineage(item: Mapping[str, Any], store: str) -> lineage.Lineage:
    return lineage.Lineage(store, item["lineage"])


def session(item: Mapping[str, Any], *, store: str) -> AbstractContextManager[tuple[mqtt.Client, int]]:
    """A client at an endpoint that speaks MQTT, as this host is known there, and its CONNACK code; see `probe`."""
    if without_tls(item):
        name = item.get("proxy_common_name")
        header = proxy_v2.header(common_name=name) if name else b""
        return probe.mqtt_session_local(
            path=item.get("path", ""), port=int(item.get("port", 0)), timeout=_PROBE_TIMEOUT, header=header
        )
    of = _lineage(item, store)
    certfile, keyfile = _identity_files(item, store)
    return probe.mqtt_session(
        address=item["address"],
        port=int(item["port"]),
        server_name=_server_name(of),
        timeout=_PROBE_TIMEOUT,
        cafile=os.path.join(of.current, lineage.anchor_file(_files(of))),
        certfile=certfile,
        keyfile=keyfile,
    )


def _identity(item: Mapping[str, Any], store: str) -> lineage.Lineage | None:
    client = item.get("client_lineage")
    return lineage.Lineage(store, client) if client else None


def _identity_files(item: Mapping[str, Any], store: str) -> tuple[str | None, str | None]:
    """The certificate and the key that the host shows, where it has any."""
    identity = _identity(item, store)
    if not identity or not identity.current_version():
        return None, None
    return os.path.join(identity.current, lineage.FULLCHAIN), os.path.join(identity.current, lineage.KEY)


def _check_local(item: Mapping[str, Any], *, store: str) -> None:
    """Behind the PROXY header of a client with a certificate, CONNECT must be let in; without, any CONNACK will do."""
    name = item.get("proxy_common_name")
    with session(item, store=store) as (_client, code):
        if name and code != 0:
            raise ProbeError(f"{place(item)}: answers CONNECT behind a PROXY header for {name} with CONNACK {code}")


def _check_program(argv: Sequence[str]) -> None:
    """The program must end with 0; what it says last is what is wrong."""
    result = _run(argv)
    if result.returncode != 0:
        words = [line.strip() for line in result.stdout.splitlines() if line.strip()]
        raise ProbeError(words[-1] if words else f"{' '.join(argv)}: ended with {result.returncode}")


def _check_connect(item: Mapping[str, Any], *, store: str) -> None:
    """A CONNECT with the host's client certificate must be let in; without one, any CONNACK proves a broker."""
    identity = _identity(item, store)
    if identity and not identity.current_version():
        return
    with session(item, store=store) as (_client, code):
        if identity and code != 0:
            raise ProbeError(
                f"{place(item)}: answers CONNECT with the certificate of lineage {identity.name} with CONNACK {code}"
            )


def _activate_unit(item: Mapping[str, Any], *, store: str) -> None:
    unit, action = item["unit"], item["action"]
    before = unit_state(unit)
    _systemctl(action, unit)
    _await_probes(item, item["probes"], store=store)
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
    _await_probes(item, item["probes_before"], store=store)


def _await_probes(planned_unit: Mapping[str, Any], probes: Sequence[Mapping[str, Any]], *, store: str) -> None:
    unit = planned_unit["unit"]
    # The journal of a version before this one has no time in it.
    deadline = time.monotonic() + planned_unit.get("probe_seconds", PROBE_SECONDS)
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
