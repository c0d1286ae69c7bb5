# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Make lineages that went bad, and the same as they should be: objects.py DIRECTORY."""

from __future__ import annotations

import datetime as dt
import json
import sys
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = dt.timedelta(days=1)
NOW = dt.datetime.now(dt.UTC)
# Begin and end in days from now: of the certificate, and of a revocation list where there is one.
GOOD = {"ending": ((-1, 89), None), "ended": ((-1, 89), None), "listed": ((-1, 89), (-1, 6))}
BAD = {"ending": ((-88, 2), None), "ended": ((-91, -1), None), "listed": ((-1, 89), (-6, 1))}


def put(directory: Path, lineage: str, certificate: tuple[int, int], revoked: tuple[int, int] | None) -> None:
    """Write the files of one version."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, lineage)])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    start, end = (NOW + days * DAY for days in certificate)
    made = builder.not_valid_before(start).not_valid_after(end).sign(key, hashes.SHA256())
    directory.mkdir(parents=True)
    (directory / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    if revoked:
        start, end = (NOW + days * DAY for days in revoked)
        listed = x509.CertificateRevocationListBuilder().issuer_name(name).last_update(start).next_update(end)
        signed = listed.sign(key, hashes.SHA256())
        (directory / "crl.pem").write_bytes(signed.public_bytes(serialization.Encoding.PEM))


def main() -> None:
    """Write each lineage with both versions."""
    for lineage, good in GOOD.items():
        home = Path(sys.argv[1]) / lineage
        put(home / "versions/good", lineage, *good)
        put(home / "versions/bad", lineage, *BAD[lineage])
        declared = {"purpose": "client", "names": [lineage], "group": "root"}
        (home / "lineage.json").write_text(json.dumps(declared))


main()
