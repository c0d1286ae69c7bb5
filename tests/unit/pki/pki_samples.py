# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the PKI core share: a fixed clock, a CA directory, requests."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

from ansible_collections.bulwark.mqtt.plugins.module_utils._pki import authority, build, issue, keys, profiles
from ansible_collections.bulwark.mqtt.plugins.module_utils._pki.passphrase import Passphrase
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding

NOW = dt.datetime(2026, 11, 23, 12, 0, 0, tzinfo=dt.UTC)
ROOT_PASSPHRASE = Passphrase("root passphrase 1", "root_passphrase")
PASSPHRASE = Passphrase("issuing passphrase 1", "passphrase")
POLICY = issue.Policy(lifetimes={})


def wanted(**root: object) -> authority.Wanted:
    """An authority; the keyword arguments replace parts of its root's spec."""
    spec = {"profile": profiles.get("root"), "common_name": "Test Root CA", "organization": "Test", **root}
    return authority.Wanted(
        root=build.Spec(**spec),
        issuing=build.Spec(profile=profiles.get("issuing"), common_name="Test Issuing CA", organization="Test"),
        root_passphrase=ROOT_PASSPHRASE,
        issuing_passphrase=PASSPHRASE,
    )


def create(directory: Path) -> authority.Authority:
    """A new authority, created at NOW."""
    return authority.create(directory, wanted(), now=NOW)


def csr(key: keys.PrivateKey, common_name: str = "whoever") -> str:
    """A signing request, whose names do not matter."""
    spec = build.leaf_spec(profile="server", common_name=common_name, alternative_names=())
    return build.request(spec, key).public_bytes(serialization.Encoding.PEM).decode()


def lying_csr() -> str:
    """A signing request with the signature of another key."""
    honest = x509.load_pem_x509_csr(csr(keys.generate("ec-p256")).encode())
    der = bytearray(honest.public_bytes(serialization.Encoding.DER))
    der[-1] ^= 1
    return x509.load_der_x509_csr(bytes(der)).public_bytes(serialization.Encoding.PEM).decode()


def request(name: str = "a/mqtt", *, key: keys.PrivateKey | None = None, **changes: object) -> issue.Request:
    """A server's request with a key of its own; the keyword arguments replace parts of it."""
    parts = {
        "name": name,
        "profile": "server",
        "common_name": "a.example.com",
        "names": ("a.example.com", "192.0.2.1"),
        "csr": csr(key or keys.generate("ec-p256")),
    }
    return issue.Request(**{**parts, **changes})


def issue_at(authority_: authority.Authority, *requests: issue.Request, now: dt.datetime = NOW, **options: object):
    """The results of issuing these requests."""
    return issue.issue(authority_, requests, **{"policy": POLICY, "passphrase": PASSPHRASE, "now": now, **options})


def verify(certificate: x509.Certificate, issuer: keys.PublicKey) -> None:
    """Raise InvalidSignature unless this key signed it; certificates verify themselves since cryptography 40."""
    signature, signed, algorithm = (
        certificate.signature,
        certificate.tbs_certificate_bytes,
        certificate.signature_hash_algorithm,
    )
    if algorithm is None:
        issuer.verify(signature, signed)
    elif isinstance(issuer, ec.EllipticCurvePublicKey):
        issuer.verify(signature, signed, ec.ECDSA(algorithm))
    else:
        issuer.verify(signature, signed, padding.PKCS1v15(), algorithm)


def sql(path: Path, statement: str) -> list[sqlite3.Row]:
    """The rows of a statement, committed, run behind the ledger's back."""
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.row_factory = sqlite3.Row
        return connection.execute(statement).fetchall()


def side_by_side(programs: list[str]) -> None:
    """Run Python programs at the same time; all must succeed."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    running = [subprocess.Popen([sys.executable, "-c", program], env=environment) for program in programs]
    assert [process.wait(timeout=60) for process in running] == [0] * len(programs)


def java(*chains):
    """What a peer in Java says of chains: each `crl` or `ocsp`, the statement, the root, the leaf and the CAs above."""
    arguments = [argument for chain in chains for argument in (",", *chain)][1:]
    command = ["java", Path(__file__).with_name("Judge.java"), *arguments]
    result = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return [line.partition(":")[0] for line in result.stdout.splitlines()]
