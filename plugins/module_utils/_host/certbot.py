# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""What certbot obtained goes into the lineage store: as its hook, after each scheduled run, and in a play.

It compares what certbot has with what the lineage has, so a hook that was killed, or was never called, is made up
for by the next run. Metrics say whether a run ended well: they say no from its start on, until it has.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import subprocess
import syslog
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from . import files, lineage, operations, process
from .errors import HostError, StoreError

CONFIGURATION = "/etc/bulwark/certbot.json"
HOOK = "/usr/local/sbin/bulwark-tls certbot deploy"
# certbot waits 90 seconds for a validation, and a run can have many certificates.
_RENEW_SECONDS = 1800
_DEPLOY_METRICS, _RENEW_METRICS = "bulwark_certbot_deploy.prom", "bulwark_certbot_renew.prom"
_WORDS = 12


@dataclass(frozen=True)
class Certificate:
    """A certificate of certbot and the lineage that it goes into."""

    name: str
    lineage: str


@dataclass(frozen=True)
class Configuration:
    """What the role declares on a host."""

    program: str
    directory: str
    # For the runs of certbot: where its own TLS finds the CA of a private ACME server.
    environment: Mapping[str, str]
    # File with the roots that certificates verify to.
    roots: str
    # Directory of node_exporter's textfile collector; empty for none.
    metrics: str
    certificates: tuple[Certificate, ...]


@dataclass(frozen=True)
class Deployed:
    """What became of one certificate; `failure` is empty unless it is not in the lineage."""

    certificate: Certificate
    changed: bool = False
    failure: str = ""
    not_after: str = ""


def load(path: str = "") -> Configuration:
    """The configuration on this host; StoreError names the file and what is wrong in it."""
    path = path or CONFIGURATION
    entry = files.observe(path)
    if not isinstance(entry, files.File):
        raise StoreError(f"{path}: is missing; run the role certbot")
    try:
        data = json.loads(entry.content)
        return Configuration(
            program=data["program"],
            directory=data["directory"],
            environment=dict(data["environment"]),
            roots=data["roots"],
            metrics=data["metrics"],
            certificates=tuple(Certificate(**item) for item in data["certificates"]),
        )
    except (ValueError, KeyError, TypeError) as failure:
        raise StoreError(f"{path}: is not understood ({failure}); run the role certbot") from None


def live(configuration: Configuration, name: str) -> str:
    """The directory of what certbot obtained last."""
    return os.path.join(configuration.directory, "live", name)


def deploy(configuration: Configuration, *, only: str = "", check_mode: bool = False) -> list[Deployed]:
    """Install what certbot has into the lineages, each with all checks; one that fails does not hold up the others."""
    found = []
    for certificate in configuration.certificates:
        if only in ("", certificate.name):
            outcome = _deploy(configuration, certificate, check_mode=check_mode)
            found.append(outcome)
            if outcome.failure:
                _log(syslog.LOG_ERR, f"{certificate.name}: not installed into {certificate.lineage}: {outcome.failure}")
            elif outcome.changed and not check_mode:
                _log(
                    syslog.LOG_NOTICE,
                    f"{certificate.name}: is served as {certificate.lineage}, until {outcome.not_after}",
                )
    if not check_mode and not only:
        _measure(configuration, _DEPLOY_METRICS, _deploy_metrics(found))
    return found


def renew(configuration: Configuration, *, arguments: Sequence[str] = ()) -> None:
    """One scheduled run: certbot renews what is due, then everything is installed; HostError says what did not work."""
    _measure(configuration, _RENEW_METRICS, _renew_metrics(success=False))
    command = [configuration.program, "renew", "--non-interactive", "--no-random-sleep-on-renew", *arguments]
    failures = []
    try:
        certbot(configuration, command, timeout=_RENEW_SECONDS)
    except HostError as failure:
        failures.append(str(failure))
        _log(syslog.LOG_ERR, str(failure).replace("\n", "; "))
    failures += [f"{item.certificate.name}: {item.failure}" for item in deploy(configuration) if item.failure]
    if failures:
        raise StoreError("; ".join(failures))
    _measure(configuration, _RENEW_METRICS, _renew_metrics(success=True))


def certbot(configuration: Configuration, command: Sequence[str], *, timeout: float) -> str:
    """Run certbot; HostError with its own words, and what to do about them, when it fails."""
    environment = {**os.environ, "LC_ALL": "C.UTF-8", **configuration.environment}
    try:
        result = process.run(command, environment=environment, timeout=timeout, merged=True)
    except FileNotFoundError:
        raise StoreError(f"{command[0]}: the program is not on this host; run the role certbot") from None
    except subprocess.TimeoutExpired:
        raise StoreError(f"{command[0]} did not end after {timeout:.0f} seconds; see its log") from None
    if result.returncode != 0:
        raise StoreError(f"certbot {command[1]} failed: {_words(result.stdout)}{remedy(result.stdout)}")
    return result.stdout


# What certbot's words mean, for who was woken by them; the first that matches is said.
_REMEDIES: Sequence[tuple[str, str]] = (
    (
        r"rateLimited|too many (certificates|failed authorizations|registrations|new orders)",
        "this is the CA's rate limit: wait for the time that it names, and try changes with certbot_staging",
    ),
    (
        r"externalAccount|[Ee]xternal [Aa]ccount|\bEAB\b|MAC key",
        "the CA wants an account that it knows: set certbot_eab_kid and certbot_eab_hmac_key to what it gave you",
    ),
    (
        r"Could not bind TCP port 80|Problem binding to port 80",
        "another program listens on port 80: set certbot_authenticator to webroot or to a DNS plugin",
    ),
    (
        r"acme:error:(connection|dns|unauthorized|incorrectResponse|caa)|challenges have failed|failed to authenticate",
        "the CA did not find the challenge: let port 80 reach this host under each name, or use DNS",
    ),
    (
        r"CERTIFICATE_VERIFY_FAILED|certificate verify failed",
        "the certificate of the ACME server is of a CA that this host does not know: set certbot_server_ca",
    ),
    (
        r"Connection refused|Max retries exceeded|Name or service not known|timed out|No route to host",
        "the ACME server cannot be reached: check certbot_server, DNS and the way out; the next run tries again",
    ),
    (r"No space left on device|Errno 28", "the disk is full: make room; what is served stays as it is"),
    (
        r"(?i)invalid.?profile|profile.{0,80}(not|unknown|invalid)",
        "the CA has no such profile: correct certbot_profile",
    ),
)


def remedy(said: str) -> str:
    """What to do about a failure of certbot, as the end of a message; empty for one that is unknown."""
    return next((f"; {text}" for pattern, text in _REMEDIES if re.search(pattern, said)), "")


def _deploy(configuration: Configuration, certificate: Certificate, *, check_mode: bool) -> Deployed:
    directory = live(configuration, certificate.name)
    target = lineage.Lineage(lineage.STORE, certificate.lineage)
    try:
        material = operations.Material(
            certificate=_read(os.path.join(directory, lineage.CERTIFICATE)),
            chain=_read(os.path.join(directory, lineage.CHAIN)),
            roots=_read(configuration.roots),
            key=os.path.join(directory, lineage.KEY),
        )
        result = operations.install(target, material, declaration=target.declaration(), check_mode=check_mode)
    except (HostError, OSError) as failure:
        said = str(failure)
        full = remedy(said) if "No space left" in said else ""
        return Deployed(certificate, failure=f"{said}{full}", not_after=_not_after(target))
    return Deployed(certificate, changed=result.changed, not_after=str(result.after["not_after"]))


def _not_after(target: lineage.Lineage) -> str:
    """The end of what is served now."""
    try:
        return str(lineage.facts(target.read(target.current_version()), source=target.name).get("not_after", ""))
    except (HostError, OSError):
        return ""


def _read(path: str) -> bytes:
    entry = files.observe(os.path.realpath(path))
    if not isinstance(entry, files.File):
        raise StoreError(f"{path}: is missing; certbot has not obtained this certificate, run the role certbot")
    return entry.content


def _deploy_metrics(found: Iterable[Deployed]) -> str:
    lines = [
        "# HELP bulwark_certbot_deploy_success Whether what certbot has is what the lineage has.",
        "# TYPE bulwark_certbot_deploy_success gauge",
    ]
    for item in found:
        labels = f'{{certificate="{item.certificate.name}",lineage="{item.certificate.lineage}"}}'
        lines.append(f"bulwark_certbot_deploy_success{labels} {0 if item.failure else 1}")
    return "\n".join(lines) + "\n"


def _renew_metrics(*, success: bool) -> str:
    now = dt.datetime.now(dt.timezone.utc).timestamp()
    return (
        "# HELP bulwark_certbot_renew_success Whether the last scheduled run ended well; 0 from its start on.\n"
        "# TYPE bulwark_certbot_renew_success gauge\n"
        f"bulwark_certbot_renew_success {int(success)}\n"
        "# HELP bulwark_certbot_renew_timestamp_seconds When that was written.\n"
        "# TYPE bulwark_certbot_renew_timestamp_seconds gauge\n"
        f"bulwark_certbot_renew_timestamp_seconds {now:.0f}\n"
    )


def _measure(configuration: Configuration, name: str, content: str) -> None:
    """Leave metrics, where there is a place for them; what cannot be written must not end a renewal."""
    if not configuration.metrics:
        return
    path = os.path.join(configuration.metrics, name)
    try:
        files.put(path, files.File(content.encode(), 0o644, os.geteuid(), os.getegid()))
    except OSError as failure:
        _log(syslog.LOG_ERR, f"{path}: cannot be written ({failure.strerror}); alert on the age of its metrics")


def _log(priority: int, line: str) -> None:
    syslog.openlog("bulwark-certbot", 0, syslog.LOG_DAEMON)
    syslog.syslog(priority, line)


def _words(said: str) -> str:
    """certbot's last words, without its advice where to ask for help."""
    noise = ("Saving debug log", "Ask for help", "See the logfile", "- - -", "Processing /etc", "https://community")
    lines = [line.strip() for line in said.splitlines()]
    return " ".join([line for line in lines if line and not line.startswith(noise)][-_WORDS:]) or "without saying why"
