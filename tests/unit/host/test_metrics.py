# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime as dt
import json
import os
import socket
import ssl
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bulwark.mqtt.plugins.module_utils._host import (
    cli,
    descriptor,
    files,
    lineage,
    metrics,
    operations,
    refresh,
)

DAY = dt.timedelta(days=1)
NAME = "broker.example"


class Host:
    """A store with one lineage, and what it writes for node_exporter."""

    def __init__(self, root: Path, pki: Any) -> None:
        self.root, self.pki, self.now = root, pki, pki.now
        self.store = root / "store"
        self.target = lineage.Lineage(str(self.store), "mqtt")
        self.declare("mqtt", refresh={"crl": True})

    def declare(self, name: str, **more: Any) -> None:
        (self.store / name).mkdir(parents=True)
        declared = {"purpose": "server", "names": [NAME], "group": "", **more}
        (self.store / name / "lineage.json").write_text(json.dumps(declared))

    def put(self, **content: bytes) -> None:
        """A version as it is on the disk: what is in it need not be good any more."""
        version = {f"{name}.pem" if name != "ocsp" else lineage.OCSP: found for name, found in content.items()}
        for change in lineage.changes(self.target, version, group=""):
            files.put(change.path, change.entry)

    def serve(self, port: int, *, name: str = "broker") -> None:
        probes = [{"kind": "tls", "address": "127.0.0.1", "port": port, "lineage": "mqtt"}]
        found = {"unit": "x.service", "check": {"argv": ["true"], "success": "exit"}, "probes": probes}
        (self.root / f"services.d/{name}.json").write_text(json.dumps(found))

    def metrics(self) -> list[str]:
        path = metrics.write(str(self.root / "made/metrics"), store=str(self.store), now=self.now)
        return [line for line in Path(path).read_text().splitlines() if not line.startswith("#")]


@pytest.fixture(name="host")
def fixture_host(tmp_path: Path, pki: Any, monkeypatch: pytest.MonkeyPatch) -> Host:
    (tmp_path / "services.d").mkdir()
    monkeypatch.setattr(descriptor, "DIRECTORY", str(tmp_path / "services.d"))
    monkeypatch.setattr(metrics, "_NFT", str(tmp_path / "nft"))
    monkeypatch.setattr(metrics, "_JOURNALCTL", str(tmp_path / "journalctl"))
    monkeypatch.setattr(operations, "HOST_STATE", operations.state_of(str(tmp_path / "store")))
    return Host(tmp_path, pki)


@pytest.fixture(name="endpoint")
def fixture_endpoint(tmp_path: Path) -> Iterator[Any]:
    """Serves one certificate to whoever comes; its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def answer(context: ssl.SSLContext) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            try:
                with context.wrap_socket(connection, server_side=True) as tls:
                    tls.recv(1)
            except OSError:
                pass

    def serve(identity: Any) -> int:
        (tmp_path / "served.pem").write_bytes(identity.pem + identity.key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tmp_path / "served.pem")
        threading.Thread(target=answer, args=(context,), daemon=True).start()
        return int(listener.getsockname()[1])

    yield serve
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def test_an_expired_certificate_stays_in_the_metrics_with_its_times(host: Host) -> None:
    leaf = host.pki.server(NAME, start=-30 * DAY, end=-DAY)
    host.put(cert=leaf.pem, chain=host.pki.issuing.pem, ca=host.pki.root.pem)
    labels = 'lineage="mqtt",purpose="server",kind="certificate",name="CN=broker.example"'
    found = host.metrics()
    assert f"bulwark_not_before_timestamp_seconds{{{labels}}} {(host.now - 30 * DAY).timestamp():.0f}" in found
    assert f"bulwark_not_after_timestamp_seconds{{{labels}}} {(host.now - DAY).timestamp():.0f}" in found
    assert f"bulwark_status_timestamp_seconds {host.now.timestamp():.0f}" in found


def test_every_kind_of_object_is_measured(host: Host) -> None:
    leaf = host.pki.server(NAME)
    host.put(
        cert=leaf.pem,
        chain=host.pki.issuing.pem,
        ca=host.pki.root.pem,
        roots=host.pki.root.pem,
        crl=host.pki.crl(),
        ocsp=host.pki.ocsp(leaf),
    )
    ends = [line for line in host.metrics() if line.startswith("bulwark_not_after_timestamp_seconds")]
    assert sorted(line.split('kind="')[1].split('"')[0] for line in ends) == [
        "ca",
        "certificate",
        "crl",
        "intermediate",
        "ocsp",
        "root",
    ]


def test_a_response_that_expired_is_not_good_and_has_its_times(host: Host) -> None:
    leaf = host.pki.server(NAME)
    stale = host.pki.ocsp(leaf, end=-DAY)
    host.put(cert=leaf.pem, chain=host.pki.issuing.pem, ca=host.pki.root.pem, ocsp=stale)
    found = host.metrics()
    assert 'bulwark_ocsp_good{lineage="mqtt",purpose="server"} 0' in found
    labels = 'lineage="mqtt",purpose="server",kind="ocsp",name="response"'
    assert f"bulwark_not_after_timestamp_seconds{{{labels}}} {(host.now - DAY).timestamp():.0f}" in found


def test_of_two_cas_with_one_name_the_one_that_ends_first_is_measured(host: Host) -> None:
    long, short = (host.pki.sign("Twin", authority=True, end=days * DAY) for days in (300, 30))
    host.put(cert=host.pki.server(NAME).pem, chain=b"", ca=short.pem + long.pem)
    twins = [line for line in host.metrics() if "not_after" in line and "CN=Twin" in line]
    labels = 'lineage="mqtt",purpose="server",kind="ca",name="CN=Twin"'
    assert twins == [
        f"bulwark_not_after_timestamp_seconds{{{labels}}} {(host.now + 30 * DAY).timestamp():.0f}",
    ]


def test_a_lineage_that_cannot_be_read_hides_no_other(host: Host) -> None:
    host.declare("broken")
    (host.store / "broken/lineage.json").write_text("{")
    host.put(cert=host.pki.server(NAME).pem, ca=host.pki.root.pem)
    found = host.metrics()
    assert 'bulwark_lineage_readable{lineage="broken"} 0' in found
    assert 'bulwark_lineage_readable{lineage="mqtt"} 1' in found
    assert 'bulwark_lineage_installed{lineage="mqtt",purpose="server"} 1' in found


def test_a_lineage_without_a_certificate_says_so(host: Host) -> None:
    assert 'bulwark_lineage_installed{lineage="mqtt",purpose="server"} 0' in host.metrics()


def test_a_key_that_waits_for_its_certificate_is_measured(host: Host) -> None:
    pending = Path(host.target.pending_key)
    pending.parent.mkdir()
    pending.write_bytes(b"key")
    os.utime(pending, (1000, 1000))
    assert 'bulwark_pending_key_timestamp_seconds{lineage="mqtt"} 1000' in host.metrics()


def test_the_last_refresh_is_measured_where_the_lineage_has_one(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"result": refresh.FAILED, "detail": "…", "last_success": "2026-01-02T03:04:05Z"}
    monkeypatch.setattr(refresh, "remembered", lambda _item: {"crl": known, "ocsp": known})
    found = [line for line in host.metrics() if line.startswith("bulwark_refresh")]
    assert found == [
        'bulwark_refresh_success{lineage="mqtt",part="crl"} 0',
        'bulwark_refresh_last_success_timestamp_seconds{lineage="mqtt",part="crl"} 1767323045',
    ]


def test_what_is_served_is_compared_with_the_file(host: Host, endpoint: Any) -> None:
    old, new = host.pki.server(NAME), host.pki.server(NAME, end=60 * DAY)
    port = endpoint(old)
    host.serve(port)
    labels = f'service="broker",endpoint="127.0.0.1:{port}",lineage="mqtt"'
    host.put(cert=old.pem, ca=host.pki.root.pem)
    assert f"bulwark_endpoint_current{{{labels}}} 1" in host.metrics()
    host.put(cert=new.pem, ca=host.pki.root.pem)
    found = host.metrics()
    assert f"bulwark_endpoint_current{{{labels}}} 0" in found
    assert f"bulwark_endpoint_up{{{labels}}} 1" in found
    ends = (host.now + 30 * DAY).timestamp()
    assert f"bulwark_endpoint_not_after_timestamp_seconds{{{labels}}} {ends:.0f}" in found


def test_an_endpoint_that_is_down_is_not_said_to_serve_anything(host: Host) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    host.serve(port)
    host.put(cert=host.pki.server(NAME).pem, ca=host.pki.root.pem)
    found = [line for line in host.metrics() if line.startswith("bulwark_endpoint")]
    assert [line.split("{")[0] + line[-2:] for line in found] == ["bulwark_endpoint_up 0"]


def test_a_descriptor_that_cannot_be_read_is_a_metric(host: Host) -> None:
    (host.root / "services.d/broker.json").write_text("{")
    assert "bulwark_services_readable 0" in host.metrics()


def test_the_counters_of_the_firewall_are_metrics(host: Host) -> None:
    said = {"nftables": [{"metainfo": {}}]}
    said["nftables"] += [
        {"counter": {"name": name, "packets": packets, "bytes": 0}}
        for name, packets in (("mosquitto-8883.rate", 7), ("plaintext", 3))
    ]
    program = host.root / "nft"
    program.write_text(f"#!/bin/sh\necho '{json.dumps(said)}'\n")
    program.chmod(0o755)
    found = host.metrics()
    assert 'bulwark_firewall_packets_total{rule="mosquitto-8883",event="rate"} 7' in found
    assert 'bulwark_firewall_packets_total{rule="plaintext",event="dropped"} 3' in found


JOURNAL = """\
New connection from 192.0.2.7:40000 on port 8883.
OpenSSL Error[0]: error:0A00010B:SSL routines::wrong version number
OpenSSL Error while trying to get the error[0]: error:0A000086:SSL routines::certificate verify failed
OpenSSL Error while trying to get the error[1]: error:80000020:system library::Broken pipe
OpenSSL Error[0]: error:0A000126:SSL routines::unexpected eof while reading
Client connection from 192.0.2.7 failed: error:0A000126:SSL routines::unexpected eof while reading.
"""


def test_handshakes_that_failed_are_counted_for_a_service_whose_journal_has_them(host: Host) -> None:
    host.serve(1, name="mosquitto")
    host.serve(1, name="nginx_stream")
    program = host.root / "journalctl"
    program.write_text(f"#!/bin/sh\ncase $* in *--unit=x.service*--since=-15min*) cat <<'EOF'\n{JOURNAL}EOF\nesac\n")
    program.chmod(0o755)
    found = [line for line in host.metrics() if line.startswith("bulwark_handshake_failures")]
    assert found == ['bulwark_handshake_failures{service="mosquitto"} 3']


def test_without_a_journal_nothing_is_said_of_handshakes(host: Host) -> None:
    host.serve(1, name="mosquitto")
    assert not [line for line in host.metrics() if line.startswith("bulwark_handshake_failures")]
    (host.root / "journalctl").write_text("#!/bin/sh\nexit 1\n")
    (host.root / "journalctl").chmod(0o755)
    assert not [line for line in host.metrics() if line.startswith("bulwark_handshake_failures")]


def test_the_file_replaces_the_one_before_and_everybody_reads_it(host: Host) -> None:
    before = os.umask(0o077)
    try:
        host.metrics()
        host.metrics()
    finally:
        os.umask(before)
    directory = host.root / "made/metrics"
    assert [path.name for path in directory.iterdir()] == [metrics.FILE]
    assert stat.S_IMODE((directory / metrics.FILE).stat().st_mode) == 0o644
    assert stat.S_IMODE(directory.stat().st_mode) == 0o755


def test_a_value_of_a_label_is_escaped() -> None:
    sample = metrics.Sample("bulwark_certificate_info", {"issuer": 'CN=a\\,"b"\n{}'}, 1)
    said = metrics.render(iter([sample]))
    assert said.splitlines()[-1] == 'bulwark_certificate_info{issuer="CN=a\\\\,\\"b\\"\\n{}"} 1'


def test_every_sample_follows_the_type_of_its_metric(host: Host) -> None:
    host.put(cert=host.pki.server(NAME).pem, ca=host.pki.root.pem, crl=host.pki.crl())
    host.metrics()
    metric = ""
    for line in (host.root / "made/metrics" / metrics.FILE).read_text().splitlines():
        if line.startswith("# TYPE "):
            metric = line.split()[2]
        elif not line.startswith("#"):
            assert line.startswith((f"{metric}{{", f"{metric} "))
            float(line.rpartition(" ")[2])


def test_the_tool_writes_where_it_is_told(
    host: Host, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(lineage, "STORE", str(host.store))
    assert cli.main(["status", "--metrics", str(host.root / "there")]) == 0
    assert (host.root / "there" / metrics.FILE).is_file()
    assert capsys.readouterr().out == ""


def test_a_directory_that_cannot_be_written_fails_the_command(
    host: Host, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(lineage, "STORE", str(host.store))
    (host.root / "file").write_text("")
    assert cli.main(["status", "--metrics", str(host.root / "file")]) == 1
    assert "Not a directory" in capsys.readouterr().err
