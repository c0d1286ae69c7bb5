# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""What a host knows of its certificates, as metrics for the textfile collector of node_exporter.

Times are written as they are, never what is left: an alert then fires after an object has ended, too, and goes on to
where nothing writes the file any more. What cannot be read is a metric of its own and hides nothing else.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import ssl
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from . import broker_statistics, descriptor, files, lineage, openssl, process, refresh, service
from .errors import HostError

DIRECTORY = "/var/lib/bulwark/metrics"
FILE = "bulwark_status.prom"
_NFT = "/usr/sbin/nft"
_NFT_SECONDS = 10
_JOURNALCTL = "/usr/bin/journalctl"
_JOURNAL_SECONDS = 30
# What is read of the journal at most: the newest lines of a quarter of an hour.
_JOURNAL_LINES = 50000
# Services whose journal has a line with OpenSSL's words for each handshake that fails. nginx writes it at level info,
# EMQX at level notice, and their roles set neither.
_TELLS_HANDSHAKES = ("mosquitto",)
# An end without goodbye (SSL_R_UNEXPECTED_EOF_WHILE_READING) of a session is none: devices lose their network.
_HANDSHAKE = re.compile(r"(failed: error:|error:(?!0A000126:))[0-9A-F]{8}:SSL routines:")

# Every metric and what it says; a metric that is not here cannot be written.
HELP: Mapping[str, str] = {
    "bulwark_status_timestamp_seconds": "When these metrics were written, by this host's clock.",
    "bulwark_lineage_readable": "Whether the files of the lineage can be read; without, nothing else is known of it.",
    "bulwark_lineage_installed": "Whether the lineage has a certificate.",
    "bulwark_certificate_info": "Serial and issuer of the lineage's certificate.",
    "bulwark_not_before_timestamp_seconds": "Begin of a certificate, a revocation list or a response.",
    "bulwark_not_after_timestamp_seconds": "End of a certificate, a revocation list or a response.",
    "bulwark_ocsp_good": "Whether the response to staple may be shown to peers: signed, good, fresh.",
    "bulwark_pending_key_timestamp_seconds": "When the key was made that waits for its certificate.",
    "bulwark_refresh_success": "Whether the last refresh went well.",
    "bulwark_refresh_last_success_timestamp_seconds": "When a refresh went well last.",
    "bulwark_services_readable": "Whether the descriptors of the services can be read; without, no endpoint is probed.",
    "bulwark_endpoint_up": "Whether the endpoint answers, and lets this host's own client in where it has one.",
    "bulwark_endpoint_current": "Whether the certificate that is served is the one in the file.",
    "bulwark_endpoint_not_after_timestamp_seconds": "End of the certificate that is served.",
    "bulwark_handshake_failures": "Handshakes that failed in the last quarter of an hour, as the journal has them.",
    "bulwark_firewall_packets_total": "Packets that a rule of the firewall counted.",
    "bulwark_mosquitto_readable": "Whether the broker lets this host's own client read what it counts.",
    **dict(broker_statistics.TOPICS.values()),
}
# A client's and a server's certificate are of one kind: the label `purpose` tells them apart.
_CERTIFICATES: Mapping[str, str] = {
    "certificate": lineage.CERTIFICATE,
    "intermediate": lineage.CHAIN,
    "ca": lineage.CA,
    "root": lineage.ROOTS,
}


@dataclass(frozen=True)
class Sample:
    """One value of one metric."""

    metric: str
    labels: Mapping[str, str]
    value: float


def write(directory: str, *, store: str, now: dt.datetime) -> str:
    """Replace the metrics in a directory in one rename, readable by everybody; its path."""
    path = os.path.join(directory, FILE)
    for missing in files.missing_parents(path):
        files.put(missing, files.Directory(0o755, os.geteuid(), os.getegid()))
    content = render(collect(store, now=now)).encode()
    files.put(path, files.File(content, 0o644, os.geteuid(), os.getegid()))
    return path


def collect(store: str, *, now: dt.datetime) -> Iterator[Sample]:
    """Everything that this host knows."""
    for item in lineage.declared_lineages(store):
        yield from _of_lineage(item, now=now)
    yield from _of_services(store)
    yield from _of_firewall()
    yield Sample("bulwark_status_timestamp_seconds", {}, now.timestamp())


def render(samples: Iterator[Sample]) -> str:
    """The exposition format, metrics in the order of HELP."""
    found: dict[str, dict[str, float]] = {}
    for sample in samples:
        series = found.setdefault(sample.metric, {})
        labels = ",".join(f'{name}="{_escaped(value)}"' for name, value in sample.labels.items())
        series[f"{{{labels}}}" if labels else ""] = sample.value
    lines = []
    for metric, help_ in HELP.items():
        if metric in found:
            lines += [
                f"# HELP {metric} {help_}",
                f"# TYPE {metric} {'counter' if metric.endswith('_total') else 'gauge'}",
            ]
            lines += [f"{metric}{labels} {value:.0f}" for labels, value in found[metric].items()]
    return "\n".join(lines) + "\n"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _of_lineage(item: lineage.Lineage, *, now: dt.datetime) -> Iterator[Sample]:
    labels = {"lineage": item.name}
    try:
        declaration = item.declaration()
        found = [*_of_version(item, {**labels, "purpose": declaration.purpose}, now=now)]
        found += _of_refresh(item, declaration.refresh, labels)
        if os.path.exists(item.pending_key):
            found.append(Sample("bulwark_pending_key_timestamp_seconds", labels, os.stat(item.pending_key).st_mtime))
    except (HostError, OSError):
        found = []
    yield Sample("bulwark_lineage_readable", labels, bool(found))
    yield from found


def _of_version(item: lineage.Lineage, labels: Mapping[str, str], *, now: dt.datetime) -> Iterator[Sample]:
    version = item.read(item.current_version())
    yield Sample("bulwark_lineage_installed", labels, lineage.CERTIFICATE in version)
    spans = []
    for kind, name in _CERTIFICATES.items():
        for found in openssl.certificates(version.get(name, b""), source=f"{item.name}/{name}"):
            if kind == "certificate":
                about = {"serial": found.serial, "issuer": found.issuer}
                yield Sample("bulwark_certificate_info", {**labels, **about}, 1)
            spans.append((found.not_after, found.not_before, kind, found.subject))
    for listed in openssl.crls(version.get(lineage.CRL, b""), source=f"{item.name}/{lineage.CRL}"):
        spans.append((listed.next_update, listed.last_update, "crl", listed.issuer))
    if lineage.OCSP in version:
        said, problem = lineage.response(item, version, now=now)
        yield Sample("bulwark_ocsp_good", labels, not problem)
        if said and said.next_update:
            spans.append((said.next_update, said.this_update, "ocsp", "response"))
    # What ends first comes last and is what is written: two CAs can have one name (a root and its cross certificate).
    for end, start, kind, name in sorted(spans, reverse=True):
        of = {**labels, "kind": kind, "name": name}
        yield Sample("bulwark_not_before_timestamp_seconds", of, start.timestamp())
        yield Sample("bulwark_not_after_timestamp_seconds", of, end.timestamp())


def _of_refresh(item: lineage.Lineage, wanted: lineage.Refresh, labels: Mapping[str, str]) -> Iterator[Sample]:
    """What the timer left, for what the lineage wants refreshed; nothing before its first run."""
    for part, known in refresh.remembered(item).items():
        if not getattr(wanted, part, False):
            continue
        of = {**labels, "part": part}
        yield Sample("bulwark_refresh_success", of, known.get("result") != refresh.FAILED)
        if known.get("last_success"):
            last = lineage.moment(known["last_success"]).timestamp()
            yield Sample("bulwark_refresh_last_success_timestamp_seconds", of, last)


def _of_services(store: str) -> Iterator[Sample]:
    try:
        installed = descriptor.installed()
    except (HostError, OSError):
        yield Sample("bulwark_services_readable", {}, 0)
        return
    yield Sample("bulwark_services_readable", {}, 1)
    for name, item in installed.items():
        if name in _TELLS_HANDSHAKES:
            yield from _of_journal(name, item.unit)
        for asked in item.probes:
            # What a program judges after a change costs too much to ask each time.
            if asked["kind"] == "program":
                continue
            yield from _of_endpoint(name, asked, store=store)
            if asked.get("statistics"):
                yield from _of_broker(name, asked, store=store)


def _of_endpoint(name: str, asked: Mapping[str, object], *, store: str) -> Iterator[Sample]:
    labels = {"service": name, "endpoint": service.place(asked)}
    if not service.without_tls(asked):
        labels["lineage"] = str(asked["lineage"])
        try:
            served, expected = service.served(asked, store=store)
        except (HostError, OSError):
            yield Sample("bulwark_endpoint_up", labels, 0)
            return
        yield Sample("bulwark_endpoint_current", labels, served == expected)
        shown = openssl.certificates(ssl.DER_cert_to_PEM_cert(served).encode(), source=labels["endpoint"])[0]
        yield Sample("bulwark_endpoint_not_after_timestamp_seconds", labels, shown.not_after.timestamp())
    try:
        service.check_answer(asked, store=store)
    except (HostError, OSError):
        yield Sample("bulwark_endpoint_up", labels, 0)
    else:
        yield Sample("bulwark_endpoint_up", labels, 1)


def _of_broker(name: str, asked: Mapping[str, object], *, store: str) -> Iterator[Sample]:
    labels = {"service": name}
    try:
        found = broker_statistics.read(asked, store=store)
    except (HostError, OSError):
        found = {}
    yield Sample("bulwark_mosquitto_readable", labels, bool(found))
    for metric, value in found.items():
        yield Sample(metric, labels, value)


def _of_journal(name: str, unit: str) -> Iterator[Sample]:
    """The handshakes that failed, nothing where the journal cannot be read."""
    newest = [f"--unit={unit}", "--since=-15min", f"--lines={_JOURNAL_LINES}", "--output=cat", "--no-pager", "--quiet"]
    try:
        read = process.run([_JOURNALCTL, *newest], timeout=_JOURNAL_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return
    if read.returncode == 0:
        failed = sum(_HANDSHAKE.search(line) is not None for line in read.stdout.splitlines())
        yield Sample("bulwark_handshake_failures", {"service": name}, failed)


def _of_firewall() -> Iterator[Sample]:
    """The counters of our table, where there is one."""
    try:
        listed = process.run([_NFT, "--json", "list", "counters", "table", "inet", "bulwark"], timeout=_NFT_SECONDS)
        found = json.loads(listed.stdout)["nftables"] if listed.returncode == 0 else []
    except (OSError, subprocess.TimeoutExpired, ValueError, KeyError):
        return
    for item in found:
        if "counter" in item:
            rule, _dot, event = item["counter"]["name"].partition(".")
            labels = {"rule": rule, "event": event or "dropped"}
            yield Sample("bulwark_firewall_packets_total", labels, item["counter"]["packets"])
