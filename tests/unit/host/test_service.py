# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from ansible_collections.bulwark.mqtt.plugins.module_utils._host import descriptor, service
from ansible_collections.bulwark.mqtt.plugins.module_utils._host.errors import ActivationError, ProbeError
from ansible_collections.bulwark.mqtt.plugins.module_utils._host.transaction import ACTIVATING, SWAPPING

SOCKET = {"kind": "socket", "path": "/run/x.sock"}


class Systemd:
    """A unit, and every command that was given to systemd about it."""

    def __init__(self) -> None:
        self.commands: list[str] = []
        self.properties = {
            "ActiveState": "active",
            "InvocationID": "1",
            "MainPID": "10",
            "CanReload": "yes",
            "User": "",
        }
        self.failing: set[str] = set()
        # What a command does to the unit.
        self.effects: dict[str, dict[str, str]] = {}

    def run(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        if command[0] == "journalctl":
            return subprocess.CompletedProcess(list(command), 0, "Error: bad\n\n", "")
        if command[1] == "show":
            said = "".join(f"{key}={value}\n" for key, value in self.properties.items())
            return subprocess.CompletedProcess(list(command), 0, said, "")
        self.commands.append(" ".join(command[1:]))
        self.properties.update(self.effects.get(command[1], {}))
        return subprocess.CompletedProcess(list(command), int(command[1] in self.failing), "", "")


@pytest.fixture(name="systemd")
def fixture_systemd(monkeypatch: pytest.MonkeyPatch) -> Systemd:
    systemd = Systemd()
    monkeypatch.setattr(service, "_run", systemd.run)
    monkeypatch.setattr(service, "_PROBE_PAUSE", 0)
    monkeypatch.setattr(service, "PROBE_SECONDS", 0.05)
    return systemd


@pytest.mark.parametrize(
    ("active", "file", "expected"),
    [("active", "enabled", True), ("inactive", "enabled", False), ("active", "disabled", False)],
)
def test_what_runs_and_will_after_a_boot_needs_no_start(systemd: Systemd, active: str, file: str, expected: bool):
    systemd.properties = {"ActiveState": active, "UnitFileState": file}
    assert service.kept_running("x.service") is expected


def test_without_systemd_nothing_is_known_to_run(monkeypatch: pytest.MonkeyPatch):
    def missing(_command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        raise FileNotFoundError

    monkeypatch.setattr(service, "_run", missing)
    assert not service.kept_running("x.service")


def plan(
    action: str,
    *,
    active: bool = True,
    daemon_reload: bool = False,
    probes: int = 0,
    probe_seconds: float | None = None,
) -> dict[str, Any]:
    probe = {"kind": "tls", "address": "127.0.0.1", "port": 1, "lineage": "mqtt"}
    unit = {"unit": "x.service", "action": action, "active": active, "invocation": "1"}
    unit |= {"probes": [probe] * probes, "probes_before": [probe] * probes}
    if probe_seconds is not None:
        unit["probe_seconds"] = probe_seconds
    return {"store": "/nonexistent", "daemon_reload": daemon_reload, "units": [unit]}


@pytest.mark.parametrize("action", ["reload", "restart", "start"])
def test_a_unit_is_activated_once_after_systemd_read_its_files(systemd: Systemd, action: str) -> None:
    service.activate(plan(action, daemon_reload=True))
    assert systemd.commands == ["daemon-reload", f"{action} x.service"]


def test_a_unit_that_needs_nothing_is_left_alone(systemd: Systemd) -> None:
    service.activate(plan("none"))
    assert systemd.commands == []


def test_a_failed_command_is_reported_with_the_units_last_words(systemd: Systemd) -> None:
    systemd.failing.add("restart")
    with pytest.raises(ActivationError, match=r"^systemctl restart x\.service failed: Error: bad$"):
        service.activate(plan("restart"))


@pytest.mark.parametrize(
    "effect",
    [
        pytest.param({"ActiveState": "failed"}, id="quit"),
        pytest.param({"MainPID": "11"}, id="quit-and-started-again-by-systemd"),
    ],
)
def test_a_unit_that_quits_over_a_reload_is_noticed(systemd: Systemd, effect: dict[str, str]) -> None:
    systemd.effects["reload"] = effect
    with pytest.raises(ActivationError, match=r"^x\.service: quit after reload: Error: bad$"):
        service.activate(plan("reload"))


def test_probes_are_repeated_until_the_signal_was_heard(systemd: Systemd, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([ProbeError("old"), ProbeError("old"), None])

    def check(_item: object, *, store: str) -> None:
        answer = next(answers)
        if answer:
            raise answer

    monkeypatch.setattr(service, "check_probe", check)
    monkeypatch.setattr(service, "PROBE_SECONDS", 10)
    service.activate(plan("reload", probes=1))
    assert next(answers, "all asked") == "all asked"


def test_a_probe_that_never_passes_fails_with_its_reason(systemd: Systemd, monkeypatch: pytest.MonkeyPatch) -> None:
    def check(_item: object, *, store: str) -> None:
        raise ProbeError("127.0.0.1:1: serves another certificate")

    monkeypatch.setattr(service, "check_probe", check)
    with pytest.raises(ProbeError, match=r"^x\.service: 127\.0\.0\.1:1: serves another certificate$"):
        service.activate(plan("reload", probes=1))


@pytest.mark.parametrize("patience", [0.02, 0.3])
def test_a_service_that_takes_long_is_given_the_time_that_its_descriptor_says(
    systemd: Systemd, monkeypatch: pytest.MonkeyPatch, patience: float
) -> None:
    begun = time.monotonic()

    def check(_item: object, *, store: str) -> None:
        if time.monotonic() < begun + 0.1:
            raise ProbeError("not yet")

    monkeypatch.setattr(service, "check_probe", check)
    if patience > 0.1:
        service.activate(plan("start", probes=1, probe_seconds=patience))
    else:
        with pytest.raises(ProbeError, match=r"^x\.service: not yet$"):
            service.activate(plan("start", probes=1, probe_seconds=patience))


def test_the_plan_takes_the_time_from_the_descriptor(systemd: Systemd) -> None:
    described = descriptor.parse(
        b'{"unit": "x.service", "check": {"argv": ["x"], "success": "exit"}, "probe_seconds": 90}', source="x.json"
    )
    made = service.planned([(described, "restart", ())], store="/nonexistent")
    assert [unit["probe_seconds"] for unit in made["units"]] == [90]


@pytest.mark.parametrize(
    ("action", "phase", "now", "commands"),
    [
        pytest.param("reload", SWAPPING, {}, ["reload x.service"], id="not-told-yet-keeps-sessions"),
        pytest.param("restart", SWAPPING, {}, ["reload x.service"], id="restart-not-begun-keeps-sessions"),
        pytest.param("reload", ACTIVATING, {}, ["reload x.service"], id="reloaded"),
        pytest.param("restart", ACTIVATING, {}, ["reset-failed x.service", "restart x.service"], id="restarted"),
        pytest.param(
            "reload",
            ACTIVATING,
            {"InvocationID": "2"},
            ["reset-failed x.service", "restart x.service"],
            id="quit-and-back",
        ),
        pytest.param(
            "reload", SWAPPING, {"ActiveState": "failed"}, ["reset-failed x.service", "restart x.service"], id="quit"
        ),
        pytest.param("restart", SWAPPING, {"CanReload": "no"}, [], id="cannot-have-read-it"),
        pytest.param("none", ACTIVATING, {}, [], id="never-concerned"),
    ],
)
def test_an_undo_disturbs_a_unit_as_little_as_it_can(
    systemd: Systemd, action: str, phase: str, now: dict[str, str], commands: list[str]
) -> None:
    systemd.properties.update(now)
    service.restore(plan(action), phase)
    assert systemd.commands == commands


def test_a_unit_that_was_not_running_is_stopped_again(systemd: Systemd) -> None:
    service.restore(plan("start", active=False), ACTIVATING)
    assert systemd.commands == ["stop x.service", "reset-failed x.service"]


def test_an_undo_at_boot_starts_nothing(systemd: Systemd) -> None:
    service.restore_before_boot(plan("restart", daemon_reload=True), ACTIVATING)
    assert systemd.commands == ["daemon-reload"]


@pytest.mark.parametrize(
    ("item", "code", "problem"),
    [
        pytest.param(SOCKET, 5, "", id="any-answer-proves-a-broker"),
        pytest.param({**SOCKET, "proxy_common_name": "probe"}, 0, "", id="the-name-of-the-header-is-let-in"),
        pytest.param(
            {**SOCKET, "proxy_common_name": "probe"},
            5,
            "/run/x.sock: answers CONNECT behind a PROXY header for probe with CONNACK 5",
            id="the-name-of-the-header-is-turned-away",
        ),
        pytest.param(
            {"kind": "loopback", "port": 11883, "proxy_common_name": "probe"},
            5,
            "127.0.0.1:11883: answers CONNECT behind a PROXY header for probe with CONNACK 5",
            id="the-same-at-a-port",
        ),
    ],
)
def test_what_has_no_tls_is_probed_with_connect(
    monkeypatch: pytest.MonkeyPatch, item: dict[str, Any], code: int, problem: str
) -> None:
    headers = []

    @contextmanager
    def answer(*, path: str, port: int, timeout: float, header: bytes) -> Iterator[tuple[None, int]]:
        assert (path, port) == (item.get("path", ""), item.get("port", 0))
        headers.append(header)
        yield None, code

    monkeypatch.setattr(service.probe, "mqtt_session_local", answer)
    try:
        service.check_probe(item, store="/nonexistent")
        found = ""
    except ProbeError as failure:
        found = str(failure)
    assert found == problem
    assert (b"probe" in headers[0]) == ("proxy_common_name" in item)


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        pytest.param("echo joined", "", id="well"),
        pytest.param(
            "echo starting; echo 'mqtt2 is not in the cluster' >&2; exit 1", "mqtt2 is not in the cluster", id="says"
        ),
        pytest.param("exit 3", "/bin/sh -c exit 3: ended with 3", id="says-nothing"),
    ],
)
def test_a_program_says_what_is_wrong(script: str, problem: str) -> None:
    try:
        service.check_probe({"kind": "program", "argv": ["/bin/sh", "-c", script]}, store="/nonexistent")
        found = ""
    except ProbeError as failure:
        found = str(failure)
    assert found == problem


def test_without_the_tool_no_way_back_is_promised(systemd: Systemd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "TOOL", "/nonexistent/bulwark-tls")
    message = "/nonexistent/bulwark-tls: is not on this host, so nothing could undo a change; run tls_tool first"
    with pytest.raises(ActivationError) as failure:
        service.arm_way_back("service-firewall", seconds=60)
    assert str(failure.value) == message


def test_the_way_back_is_a_timer_of_systemd_that_runs_the_tool(
    systemd: Systemd, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[list[str]] = []

    def run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        ran.append(list(command))
        return systemd.run(command)

    monkeypatch.setattr(service, "TOOL", "/bin/sh")
    monkeypatch.setattr(service, "_run", run)
    service.arm_way_back("service-firewall", seconds=60)
    (armed,) = [command for command in ran if command[0] == "systemd-run"]
    assert armed[-2:] == ["/bin/sh", "recover"]
    assert "--on-active=60" in armed
