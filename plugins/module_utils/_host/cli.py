# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""The command bulwark-tls: what a play does to the lineage store, for certbot's hook, timers and people on the host."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from . import certbot, files, lineage, metrics, operations, refresh
from .errors import HostError, StoreError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command: 0 done, 1 refused or rolled back (the reason is on stderr), 2 wrong usage."""
    options = _parser().parse_args(arguments)
    try:
        _COMMANDS[options.command](options)
    except (HostError, OSError) as failure:
        sys.stderr.write(f"bulwark-tls: {failure}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bulwark-tls", description="Change the certificates of this host safely.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    install = commands.add_parser("install", help="make the files of a directory the current version of a lineage")
    install.add_argument("lineage")
    install.add_argument(
        "--from",
        dest="source",
        metavar="DIR",
        required=True,
        help=f"has any of {', '.join(lineage.PARTS)}; what is missing stays as it is",
    )
    status = commands.add_parser("status", help="show the lineages, their certificates and versions")
    form = status.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="for programs")
    form.add_argument(
        "--metrics",
        metavar="DIR",
        nargs="?",
        const=metrics.DIRECTORY,
        help=f"probe the endpoints, write {metrics.FILE} for node_exporter into a directory ({metrics.DIRECTORY})",
    )
    refresh_ = commands.add_parser("refresh", help="fetch revocation lists and stapled responses where that is due")
    refresh_.add_argument("lineage", nargs="*", help="only these; all that declare a refresh unless given")
    refresh_.add_argument("--now", action="store_true", help="ask even where it is not due")
    certbot_ = commands.add_parser("certbot", help="install what certbot obtained into the lineages")
    certbot_.add_argument(
        "action",
        choices=["check", "deploy", "renew"],
        help="check: read the configuration; deploy: what is there; renew: let certbot renew first",
    )
    certbot_.add_argument("arguments", nargs=argparse.REMAINDER, help="more arguments of certbot renew")
    rollback = commands.add_parser("rollback", help="go back to the version before the current one")
    rollback.add_argument("lineage")
    confirm = commands.add_parser("confirm", help="let a service's change hold that would be undone by itself")
    confirm.add_argument("service")
    recover = commands.add_parser("recover", help="undo what was interrupted or not confirmed")
    recover.add_argument("--before-boot", action="store_true", help="without touching services, which start later")
    return parser


def _install(options: argparse.Namespace) -> None:
    target = lineage.Lineage(lineage.STORE, options.lineage)
    key = os.path.join(options.source, lineage.KEY)
    material = operations.Material(
        certificate=_given(options.source, lineage.CERTIFICATE),
        chain=_given(options.source, lineage.CHAIN),
        ca=_given(options.source, lineage.CA),
        roots=_given(options.source, lineage.ROOTS),
        crl=_given(options.source, lineage.CRL),
        ocsp=_given(options.source, lineage.OCSP),
        key=key if os.path.exists(key) else None,
    )
    if material == operations.Material():
        raise StoreError(f"{options.source}: has none of {', '.join(lineage.PARTS)}; name the directory that has them")
    _report(target, operations.install(target, material, declaration=target.declaration()))


def _refresh(options: argparse.Namespace) -> None:
    chosen = [lineage.Lineage(lineage.STORE, name) for name in options.lineage]
    failed = []
    for target in chosen or lineage.declared_lineages(lineage.STORE):
        try:
            outcomes = refresh.refresh(target, now=dt.datetime.now(dt.timezone.utc), always=options.now)
        except (HostError, OSError) as failure:
            outcomes = [refresh.Outcome("refresh", refresh.FAILED, str(failure))]
        if not outcomes and chosen:
            _say(f"{target.name}: {refresh.NOT_APPLICABLE}, its declaration has nothing to refresh")
        for outcome in outcomes:
            line = f"{target.name}: {outcome.part}: {outcome.result}, {outcome.detail}"
            if outcome.result == refresh.FAILED:
                failed.append(line)
            else:
                _say(line)
    if failed:
        raise StoreError("\nbulwark-tls: ".join(failed))


def _certbot(options: argparse.Namespace) -> None:
    configuration = certbot.load()
    if options.action == "renew":
        certbot.renew(configuration, arguments=options.arguments)
    found = certbot.deploy(configuration) if options.action == "deploy" else []
    for item in found:
        if not item.failure:
            state = "is now" if item.changed else "was already"
            of = item.certificate
            _say(f"{of.name}: {state} current in lineage {of.lineage}, until {item.not_after}")
    failures = [f"{item.certificate.name}: {item.failure}" for item in found if item.failure]
    if failures:
        raise StoreError("; ".join(failures))


def _rollback(options: argparse.Namespace) -> None:
    target = lineage.Lineage(lineage.STORE, options.lineage)
    _report(target, operations.roll_back(target))


def _recover(options: argparse.Namespace) -> None:
    for name in operations.recover(before_boot=options.before_boot):
        _say(f"{name}: was interrupted or not confirmed, the version before it is back in place")


def _confirm(options: argparse.Namespace) -> None:
    operations.confirm(options.service)
    _say(f"{options.service}: confirmed")


def _status(options: argparse.Namespace) -> None:
    if options.metrics:
        metrics.write(options.metrics, store=lineage.STORE, now=dt.datetime.now(dt.timezone.utc))
        return
    found = [_status_of(item) for item in lineage.declared_lineages(lineage.STORE)]
    if options.json:
        _say(json.dumps(found, indent=2, sort_keys=True))
        return
    for item in found:
        ends = f"until {item['not_after']}, serial {item['serial']}" if item["version"] else "no certificate yet"
        _say(f"{item['lineage']} ({item['purpose']}, {', '.join(item['names'])}): {ends}")
        for found in item["crl"]:
            _say(f"  crl of {found['issuer']}: until {found['next_update']}")
        if item["ocsp"]:
            said = item["ocsp"]
            _say(f"  ocsp: {said['problem'] or 'good until ' + said['next_update']}")
        for part, known in sorted(item["refresh"].items()):
            _say(f"  refresh of {part}: {known['result']}, {known['detail']}{_last_success(known)}")


def _status_of(item: lineage.Lineage) -> dict[str, Any]:
    declaration = item.declaration()
    version = item.current_version()
    content = item.read(version)
    facts = lineage.facts(content, source=item.name)
    return {
        "lineage": item.name,
        "purpose": declaration.purpose,
        "group": declaration.group,
        "version": version,
        "versions": item.versions(),
        "serial": facts.get("serial", ""),
        "not_after": facts.get("not_after", ""),
        "issuer": facts.get("issuer", ""),
        "names": facts.get("names", list(declaration.names)),
        "crl": lineage.list_facts(item, content),
        "ocsp": lineage.response_facts(item, content, now=dt.datetime.now(dt.timezone.utc)),
        "refresh": _refresh_of(item, declaration.refresh),
    }


def _refresh_of(item: lineage.Lineage, wanted: lineage.Refresh) -> dict[str, dict[str, str]]:
    """What became of each part that the host refreshes, as a person or a monitor asks for it."""
    remembered = refresh.remembered(item)
    never = {"result": refresh.NOT_YET, "detail": "the timer has not come yet"}
    names = ("result", "detail", "last_attempt", "last_success")
    return {
        part: {name: remembered.get(part, never).get(name, "") for name in names}
        for part in ("crl", "ocsp")
        if getattr(wanted, part)
    }


def _last_success(known: Mapping[str, Any]) -> str:
    return f" (last success {known['last_success'] or 'never'})" if known["result"] == refresh.FAILED else ""


def _report(target: lineage.Lineage, result: operations.Installed) -> None:
    for name in result.recovered:
        _say(f"{name}: was interrupted, the version before it was put back first")
    state = "is now" if result.changed else "was already"
    _say(f"{target.name}: version {result.version} {state} current, until {result.after['not_after']}")
    for line in result.activated:
        _say(line)
    for line in result.notes:
        sys.stderr.write(f"bulwark-tls: {line}\n")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def _given(directory: str, name: str) -> bytes | None:
    entry = files.observe(os.path.realpath(os.path.join(directory, name)))
    return entry.content if isinstance(entry, files.File) else None


_COMMANDS = {
    "install": _install,
    "status": _status,
    "refresh": _refresh,
    "certbot": _certbot,
    "rollback": _rollback,
    "confirm": _confirm,
    "recover": _recover,
}
