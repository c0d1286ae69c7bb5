# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""What certbot has on a host, which lineages serve it, and how it is given up: revoked, deleted."""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass

from . import files, lineage, openssl
from .certbot import HOOK, Configuration, certbot
from .certbot_order import renewal_parameters
from .errors import HostError, StoreError

SECONDS = 120
# What certbot calls the reasons of RFC 5280, 5.3.1, that an owner may give.
REASONS = ("unspecified", "keycompromise", "affiliationchanged", "superseded", "cessationofoperation")


@dataclass(frozen=True)
class Version:
    """One certificate of several that certbot obtained under one name."""

    path: str
    serial: str
    issuer: str
    not_after: dt.datetime


@dataclass(frozen=True)
class Held:
    """What certbot has under a name; `ours` when it was asked for with the hook of the role."""

    name: str
    server: str
    account: str
    ours: bool
    # The newest first: it is what certbot would install.
    versions: tuple[Version, ...]


def held(configuration: Configuration) -> list[Held]:
    """Everything that certbot has, by name."""
    directory = os.path.join(configuration.directory, "renewal")
    names = sorted(os.listdir(directory)) if os.path.isdir(directory) else []
    return [_held(configuration, name[: -len(".conf")]) for name in names if name.endswith(".conf")]


def _held(configuration: Configuration, name: str) -> Held:
    entry = files.observe(os.path.join(configuration.directory, "renewal", f"{name}.conf"))
    stored = renewal_parameters(entry.content.decode(errors="replace") if isinstance(entry, files.File) else "")
    hook = stored.get("renew_hook", stored.get("deploy_hook", ""))
    return Held(
        name=name,
        server=stored.get("server", ""),
        account=stored.get("account", ""),
        ours=hook == HOOK,
        versions=tuple(_versions(os.path.join(configuration.directory, "archive", name))),
    )


def _versions(directory: str) -> list[Version]:
    found = []
    names = os.listdir(directory) if os.path.isdir(directory) else []
    for name in names:
        number = re.fullmatch(r"cert(\d+)\.pem", name)
        entry = files.observe(os.path.join(directory, name)) if number else None
        if number and isinstance(entry, files.File):
            path = os.path.join(directory, name)
            leaf = openssl.certificates(entry.content, source=path)[0]
            found.append((int(number.group(1)), Version(path, leaf.serial, leaf.issuer, leaf.not_after)))
    return [version for _number, version in sorted(found, key=lambda item: item[0], reverse=True)]


def serving(version: Version) -> list[str]:
    """The lineages whose current certificate is this one."""
    found = []
    for item in lineage.declared_lineages(lineage.STORE):
        try:
            current = item.read(item.current_version()).get(lineage.CERTIFICATE, b"")
            leaves = openssl.certificates(current, source=item.name)[:1]
        except (HostError, OSError):
            continue
        found += [item.name for leaf in leaves if (leaf.issuer, leaf.serial) == (version.issuer, version.serial)]
    return found


def chosen(found: Held, *, serial: str, now: dt.datetime) -> tuple[Version, ...]:
    """What to revoke: the version with a serial, else all that have not expired; StoreError for no such serial."""
    if not serial:
        return tuple(version for version in found.versions if version.not_after > now)
    wanted = serial.replace(":", "").lower().lstrip("0")
    for version in found.versions:
        if version.serial.lower().lstrip("0") == wanted:
            return (version,)
    known = ", ".join(version.serial for version in found.versions) or "none"
    raise StoreError(f"{found.name}: certbot has no version with the serial {serial}; it has {known}")


def refuse_served(found: Held, versions: Sequence[Version]) -> None:
    """StoreError for a version that a lineage still serves."""
    for version in versions:
        for name in serving(version):
            raise StoreError(
                f"{found.name}: lineage {name} still serves the certificate {version.serial}, until"
                f" {lineage.show(version.not_after)}: give the lineage another one first, or set served to true to have"
                " its clients shown a revoked certificate until it has"
            )


def revoke(configuration: Configuration, found: Held, version: Version, *, reason: str) -> bool:
    """Have the CA revoke a version; False when it was revoked before."""
    command = [configuration.program, "revoke", "--non-interactive", "--no-delete-after-revoke"]
    command += ["--cert-path", version.path, "--reason", reason, "--server", found.server]
    command += ["--account", found.account] if found.account else []
    try:
        certbot(configuration, command, timeout=SECONDS)
    except StoreError as failure:
        # A run that was killed had it revoked already.
        if re.search(r"alreadyRevoked|already revoked", str(failure)):
            return False
        raise
    return True


def delete(configuration: Configuration, name: str) -> None:
    """Delete all that certbot has under a name; lineages have files of their own."""
    certbot(configuration, [configuration.program, "delete", "--non-interactive", "--cert-name", name], timeout=SECONDS)


def unlisted(configuration: Configuration) -> list[Held]:
    """What the role once asked for and the inventory lists no more; what others asked certbot for is theirs."""
    listed = {certificate.name for certificate in configuration.certificates}
    return [found for found in held(configuration) if found.ours and found.name not in listed]
