# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host that is as it was rendered, and each way in which it can differ."""

from __future__ import annotations

import grp
import json
import os
import pwd
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bulwark.mqtt.plugins.filter.drift_report import drift_report
from ansible_collections.bulwark.mqtt.plugins.module_utils import _drift
from ansible_collections.bulwark.mqtt.plugins.module_utils._drift import Finding, Unit, differences, parse_unit
from ansible_collections.bulwark.mqtt.plugins.module_utils._host.errors import HostError
from ansible_collections.bulwark.mqtt.plugins.module_utils._rendering import manifest
from ansible_collections.bulwark.mqtt.plugins.modules import drift_info

KEY = "a key of the digests"
RUNNING = Unit(active=True, started=1_000, told=2_000, needs_daemon_reload=False)


class Host:
    """A directory that is taken for /etc/bulwark, deployed as the manifest says."""

    def __init__(self, root: Path) -> None:
        self.root = root
        owner, group = pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(os.getgid()).gr_name
        common = {"owner": owner, "group": group, "mode": "0640"}
        passwords = json.dumps([{"name": "dashboard", "password": "x"}, {"name": "meter", "password": "y"}])
        self.files = [
            manifest.file(
                {
                    **common,
                    "path": f"{root}/services.d/broker.json",
                    "content": '{"unit": "b.service"}',
                    "activation": "none",
                },
                role="broker",
                service="broker",
            ),
            manifest.file({**common, "path": f"{root}/conf", "content": "conf\n"}, role="broker", service="broker"),
            manifest.file(
                {**common, "path": f"{root}/acl", "content": "acl\n", "activation": "reload"},
                role="broker",
                service="broker",
            ),
            manifest.file(
                {**common, "path": f"{root}/secret", "content": "secret\n", "secret": True},
                role="broker",
                service="broker",
            ),
            manifest.file({**common, "path": f"{root}/none", "state": "absent"}, role="broker", service="broker"),
            manifest.file(
                {**common, "path": f"{root}/tls/mqtt/lineage.json", "content": "{}", "activation": "none"},
                role="tls_store",
                service="tls_store",
            ),
            manifest.file(
                {**common, "path": f"{root}/passwd", "content": passwords, "secret": True},
                role="broker",
                service="broker",
            ),
        ]
        for item in self.files:
            if item.content is not None:
                content = "dashboard:$7$1\nmeter:$7$2\n" if item.path.endswith("passwd") else item.content
                self.put(item.path, content)

    def put(self, path: str, content: str) -> None:
        """Write a file that is older than its service."""
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(content)
        os.chmod(path, 0o640)
        os.utime(path, (500, 500))

    def findings(self, unit: Callable[[str], Unit] = lambda _name: RUNNING, *, ignored: list[str] | None = None) -> Any:
        """What differs, with paths below the root."""
        known = manifest.manifest(self.files, host="mqtt1", key=KEY)
        found = differences(known, host="mqtt1", key=KEY, ignored=ignored or [], unit=unit)
        return [
            (item.kind, item.where.replace(str(self.root), ""), item.what.replace(str(self.root), "")) for item in found
        ]


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    monkeypatch.setattr(_drift, "ROOT", str(tmp_path))
    monkeypatch.setattr(_drift, "_STORE", f"{tmp_path}/tls")
    monkeypatch.setattr(manifest, "MADE_ON_HOSTS", {f"{tmp_path}/passwd"})
    monkeypatch.setattr(manifest, "_DESCRIPTORS", f"{tmp_path}/services.d/")
    return Host(tmp_path)


def test_a_host_as_it_was_rendered_does_not_differ(host: Host):
    for version in ("tls/mqtt/versions/1/privkey.pem", "tls/mqtt/current/x"):
        host.put(f"{host.root}/{version}", "the store's own")
    assert host.findings() == []


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("conf", "conf", ("changed", "/conf", "has another content")),
        ("secret", "secret", ("changed", "/secret", "has another content")),
        ("passwd", "dashboard:$7$1\nmeter:$7$2\nintruder:$7$3\n", ("changed", "/passwd", "lets in intruder")),
        ("passwd", "dashboard:$7$1\n", ("changed", "/passwd", "does not let in meter")),
        (
            "passwd",
            '[{"user_id": "dashboard", "password_hash": "x", "salt": "y"}]',
            ("changed", "/passwd", "does not let in meter"),
        ),
        ("none", "", ("foreign", "/none", "is there, and is to be absent")),
        ("notes", "", ("foreign", "/notes", "is nobody's")),
        ("tls/gone/versions/1/cert.pem", "", ("foreign", "/tls/gone/versions/1/cert.pem", "is nobody's")),
    ],
)
def test_a_file_that_differs(host: Host, name: str, content: str, expected: tuple[str, str, str]):
    host.put(f"{host.root}/{name}", content)
    assert host.findings() == [expected]


def test_a_file_that_is_missing_or_is_none(host: Host):
    (host.root / "conf").unlink()
    (host.root / "acl").unlink()
    (host.root / "acl").mkdir()
    os.utime(host.root / "acl", (500, 500))
    (host.root / "link").symlink_to("/etc")
    assert host.findings() == [
        ("changed", "/acl", "is no file"),
        ("missing", "/conf", "is not there"),
        ("foreign", "/link", "is nobody's"),
    ]


def test_a_mode_an_owner_and_a_group(host: Host):
    (host.root / "conf").chmod(0o4755)
    host.files[2] = manifest.file(
        {"path": f"{host.root}/acl", "content": "acl\n", "owner": "mosquitto", "group": "metrics", "mode": "0640"},
        role="broker",
        service="broker",
    )
    mine = pwd.getpwuid(os.getuid()).pw_name
    assert host.findings() == [
        (
            "changed",
            "/acl",
            f"belongs to {mine}, not to mosquitto; has group {grp.getgrgid(os.getgid()).gr_name}, not metrics",
        ),
        ("changed", "/conf", "has mode 4755, not 0640"),
    ]


def test_a_foreign_file_can_be_ignored(host: Host):
    host.put(f"{host.root}/rfc2136.ini", "")
    assert host.findings(ignored=[f"{host.root}/*.ini"]) == []


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        (Unit(active=False, started=0, told=0, needs_daemon_reload=False), "does not run"),
        (
            Unit(active=True, started=400, told=2_000, needs_daemon_reload=False),
            "was started before /conf, /secret changed",
        ),
        (Unit(active=True, started=1_000, told=400, needs_daemon_reload=False), "was reloaded before /acl changed"),
        (
            Unit(active=True, started=500, told=500, needs_daemon_reload=True),
            "has a unit file that systemd has not read",
        ),
    ],
)
def test_a_service_that_is_stale(host: Host, unit: Unit, expected: str):
    host.files = host.files[:-1]
    (host.root / "passwd").unlink()
    assert host.findings(lambda _name: unit) == [("stale", "b.service", expected)]


def test_the_module_reads_the_manifest_that_is_written_and_no_other(host: Host, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(drift_info, "unit", lambda _name: RUNNING)
    (host.root / "conf").unlink()
    params = {
        "manifest": manifest.manifest(host.files, host="mqtt1", key=KEY),
        "host": "mqtt1",
        "digest_key": KEY,
        "ignored": [],
    }
    finding = {"kind": "missing", "where": f"{host.root}/conf", "what": "is not there"}
    assert drift_info.ensure(params, check_mode=True) == {"changed": False, "findings": [finding]}
    with pytest.raises(HostError) as refused:
        drift_info.ensure({**params, "manifest": {"format": 2}}, check_mode=True)
    assert str(refused.value) == "manifest: has format 2, and this module reads 1; run bulwark.mqtt.render again"


def test_what_systemd_says_is_read():
    said = "ActiveState=active\nActiveEnterTimestamp=@1732\nStateChangeTimestamp=@1733\nNeedDaemonReload=yes\n"
    assert parse_unit(said) == Unit(active=True, started=1732, told=1733, needs_daemon_reload=True)
    said = "ActiveState=inactive\nActiveEnterTimestamp=\nStateChangeTimestamp=\nNeedDaemonReload=no\n"
    assert parse_unit(said) == Unit(active=False, started=0, told=0, needs_daemon_reload=False)


def test_the_report_counts_and_says_who_could_not_be_asked():
    finding = {"kind": _drift.MISSING, "where": "/etc/x", "what": "is not there"}
    assert drift_report({"b": [finding], "a": []}, ["c"]) == {
        "drifted": True,
        "asked": ["a", "b"],
        "silent": ["c"],
        "hosts": {"b": [finding]},
        "counts": {"missing": 1},
        "lines": ["b: missing: /etc/x is not there", "c: could not be asked"],
    }
    assert drift_report({"a": []})["lines"] == ["nothing differs"]
    assert Finding(**finding).kind == "missing"
