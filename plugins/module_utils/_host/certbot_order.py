# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""A certificate as a play wants it of certbot: the arguments, and why the CA has to be asked."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import files, lineage
from .certbot import HOOK, Certificate, Configuration, live

_KEY_ARGUMENTS: Mapping[str, tuple[str, ...]] = {
    "ec-p256": ("--key-type", "ecdsa", "--elliptic-curve", "secp256r1"),
    "ec-p384": ("--key-type", "ecdsa", "--elliptic-curve", "secp384r1"),
    "rsa-2048": ("--key-type", "rsa", "--rsa-key-size", "2048"),
    "rsa-3072": ("--key-type", "rsa", "--rsa-key-size", "3072"),
    "rsa-4096": ("--key-type", "rsa", "--rsa-key-size", "4096"),
}
KEY_TYPES = tuple(_KEY_ARGUMENTS)


# The reason when there is no certificate yet.
NONE = "certbot has none"


@dataclass(frozen=True)
class Order:
    """A certificate as a play wants it."""

    certificate: Certificate
    names: tuple[str, ...]
    server: str
    key_type: str
    authenticator: str
    email: str = ""
    profile: str = ""
    # More of certbot's options, for the authenticator.
    arguments: tuple[str, ...] = ()
    pre_hook: str = ""
    post_hook: str = ""
    # File with what must not be among the arguments, where every user of the host reads it.
    secrets: str = ""


def arguments(order: Order, *, forced: bool = False, dry_run: bool = False) -> list[str]:
    """The arguments of certbot for an order."""
    found = ["certonly", "--non-interactive", "--agree-tos", "--cert-name", order.certificate.name]
    found += ["--server", order.server, f"--authenticator={order.authenticator}", *_KEY_ARGUMENTS[order.key_type]]
    found += [f"--email={order.email}"] if order.email else ["--register-unsafely-without-email"]
    found += [f"--config={order.secrets}"] if order.secrets else []
    found += [f"--required-profile={order.profile}"] if order.profile else []
    found += [f"--pre-hook={order.pre_hook}"] if order.pre_hook else []
    found += [f"--post-hook={order.post_hook}"] if order.post_hook else []
    found += [f"--deploy-hook={HOOK}", *order.arguments]
    found += [f"--{'ip-address' if _is_address(name) else 'domain'}={name}" for name in order.names]
    # Names that were taken out are meant to be, and the key type too: nobody is there to be asked.
    found += ["--force-renewal"] if forced else []
    found += ["--dry-run"] if dry_run else ["--renew-with-new-domains"]
    return found


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def drift(configuration: Configuration, order: Order) -> list[str]:
    """Every reason to ask the CA for a certificate now; renewals are the schedule's."""
    name = order.certificate.name
    path = os.path.join(configuration.directory, "renewal", f"{name}.conf")
    entry = files.observe(path)
    held = files.observe(os.path.realpath(os.path.join(live(configuration, name), lineage.CERTIFICATE)))
    if not isinstance(entry, files.File) or not isinstance(held, files.File):
        return [NONE]
    stored = renewal_parameters(entry.content.decode(errors="replace"))
    version = {lineage.CERTIFICATE: held.content}
    names = set(lineage.facts(version, source=name)["names"])
    reasons = []
    if names != set(order.names):
        reasons.append(f"names differ: it has {', '.join(sorted(names))}, wanted is {', '.join(sorted(order.names))}")
    account = stored.get("account", "")
    if not _has_account(configuration, account):
        reasons.append(f"account {account or 'none'} is not there any more, the next one is made")
    wanted = {
        "server": order.server,
        "authenticator": order.authenticator,
        "required_profile": order.profile,
        "pre_hook": order.pre_hook,
        "post_hook": order.post_hook,
        "renew_hook": HOOK,
        **_options(_KEY_ARGUMENTS[order.key_type]),
        **{key: value for key, value in _options(order.arguments).items() if key in stored},
    }
    # certbot does not write down what is its default.
    defaults = {"elliptic_curve": "secp256r1", "rsa_key_size": "2048"}
    for key, value in wanted.items():
        has = stored.get("deploy_hook", "") if key == "renew_hook" and key not in stored else stored.get(key, "")
        has = has.rstrip(",") or defaults.get(key, "")
        if has != value:
            reasons.append(f"{key} differs: it has {has or 'none'}, wanted is {value or 'none'}")
    return reasons


def _has_account(configuration: Configuration, account: str) -> bool:
    """Whether the account that a certificate was asked with still exists: without it, no renewal succeeds."""
    accounts = os.path.join(configuration.directory, "accounts")
    return any(account in directories for _path, directories, _files in os.walk(accounts))


def renewal_parameters(text: str) -> dict[str, str]:
    """The renewal parameters of certbot's file, as text."""
    section = text.partition("[renewalparams]")[2].partition("\n[")[0]
    return {key: value.strip() for key, value in re.findall(r"^(\w+) *= *(.*)$", section, re.MULTILINE)}


def _options(given: Sequence[str]) -> dict[str, str]:
    """Of the arguments, the options that have a value, by the names that certbot stores them under."""
    joined = dict(item.split("=", 1) for item in given if item.startswith("--") and "=" in item)
    apart = {
        option: value
        for option, value in zip(given, given[1:])
        if option.startswith("--") and "=" not in option and not value.startswith("--")
    }
    return {option[2:].replace("-", "_"): value for option, value in {**joined, **apart}.items()}


def order(wanted: Mapping[str, Any]) -> Order:
    """An order from a module's parameters."""
    fields = {key: wanted[key] for key in ("server", "key_type", "authenticator", "email", "profile", "secrets")}
    return Order(
        certificate=Certificate(wanted["name"], wanted["lineage"]),
        names=tuple(wanted["names"]),
        arguments=tuple(wanted["arguments"]),
        pre_hook=wanted["pre_hook"],
        post_hook=wanted["post_hook"],
        **fields,
    )
