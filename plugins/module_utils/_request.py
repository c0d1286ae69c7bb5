# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.

"""The key and the signing request of a lineage, on the host that uses the key: where store and PKI core meet."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
from collections.abc import Sequence
from dataclasses import dataclass

from ._host import files
from ._host.lineage import CERTIFICATE, KEY, Lineage
from ._pki import build, certificates, keys
from ._pki.drift import drift
from ._pki.errors import PkiError

with contextlib.suppress(ImportError):  # _module.py says what is missing
    from cryptography.hazmat.primitives import serialization

NO_KEY = "there is no key yet"


@dataclass(frozen=True)
class Request:
    """A signing request in PEM, empty when its key would have to be made; the reasons say why a new key was needed."""

    csr: str
    reasons: tuple[str, ...]


def make(
    lineage: Lineage,
    *,
    profile: str,
    common_name: str | None,
    alternative_names: Sequence[str],
    key_type: str,
    now: dt.datetime,
    write: bool,
) -> Request:
    """A request with the lineage's key or, when that has served its time, with a new one that waits in `pending`."""
    spec = build.leaf_spec(
        profile=profile, common_name=common_name, alternative_names=alternative_names, key_type=key_type
    )
    key, reasons = _usable_key(lineage, spec, now=now)
    if key is None:
        if not write:
            return Request(csr="", reasons=tuple(reasons))
        key = keys.generate(key_type)
        _store(lineage, key)
    csr = build.request(spec, key).public_bytes(serialization.Encoding.PEM).decode()
    return Request(csr=csr, reasons=tuple(reasons))


def _usable_key(lineage: Lineage, spec: build.Spec, *, now: dt.datetime) -> tuple[keys.PrivateKey | None, list[str]]:
    """The key to ask with and no reason, or no key and every reason to make one."""
    pending = _read(lineage.pending_key)
    current = _read(os.path.join(lineage.current, KEY))
    if pending is not None and pending != current:
        return _pending_key(pending, spec)
    if current is None:
        return None, [NO_KEY]
    try:
        key = keys.from_pem(current, where=KEY)
        certificate = certificates.from_pem(_read(os.path.join(lineage.current, CERTIFICATE)) or b"", where=CERTIFICATE)
    except PkiError:
        return None, [f"{KEY} or {CERTIFICATE} cannot be read"]
    reasons = drift(certificate, spec, now=now)
    return (None, reasons) if reasons else (key, [])


def _pending_key(pem: bytes, spec: build.Spec) -> tuple[keys.PrivateKey | None, list[str]]:
    """A key whose certificate never arrived is used again: the CA knows it, and does not issue twice for it."""
    try:
        key = keys.from_pem(pem, where=KEY)
    except PkiError:
        return None, ["the pending key cannot be read"]
    key_type = keys.type_of(key.public_key())
    if key_type != spec.key_type:
        return None, [f"key type differs: it has {key_type}, wanted is {spec.key_type}"]
    return key, []


def _read(path: str) -> bytes | None:
    entry = files.observe(path)
    return entry.content if isinstance(entry, files.File) else None


def _store(lineage: Lineage, key: keys.PrivateKey) -> None:
    """Write the key beside what services read: its directory is closed to their groups until it has a certificate."""
    owner = os.geteuid(), os.getegid()
    for directory in files.missing_parents(os.path.join(lineage.path, KEY)):
        files.put(directory, files.Directory(0o750, *owner))
    files.put(os.path.dirname(lineage.pending_key), files.Directory(0o700, *owner))
    files.put(lineage.pending_key, files.File(keys.to_pem(key), 0o600, *owner))
