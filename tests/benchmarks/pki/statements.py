# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A long revocation list, and pre-signed OCSP responses beside the plain loop; run it with the project's .venv.

    python tests/benchmarks/pki/statements.py [ENTRIES] [CERTIFICATES] [--folder FOLDER]

The plain loop signs the same responses with `cryptography`, two for each certificate, and does nothing with them;
another one writes each to the two files that it is published as, and nothing more. Columns as in devices.py, the ratios
to the loop that is named.
"""

from __future__ import annotations

import argparse
import datetime as dt
import tempfile
from collections.abc import Iterator
from pathlib import Path

import sample
from ansible_collections.bulwark.mqtt.plugins.module_utils._pki import (
    build,
    certificates,
    crl,
    issue,
    keys,
    ledger,
    publish,
    responses,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp

LIFETIME = dt.timedelta(days=7)


def requests(count: int) -> list[issue.Request]:
    """Requests for server certificates, all with keys of their own."""
    made = []
    for number in range(count):
        name = f"broker-{number}.example.com"
        spec = build.leaf_spec(profile="server", common_name=name, alternative_names=())
        csr = build.request(spec, keys.generate("ec-p256")).public_bytes(serialization.Encoding.PEM).decode()
        made.append(issue.Request(name=name, profile="server", common_name=name, names=(), csr=csr))
    return made


def main(arguments: list[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("entries", nargs="?", type=int, default=100_000)
    parser.add_argument("certificates", nargs="?", type=int, default=2_000)
    sample.add_folder(parser)
    options = parser.parse_args(arguments)
    entries, count = options.entries, options.certificates
    with tempfile.TemporaryDirectory(dir=options.folder) as parent:
        made = sample.create(Path(parent) / "pki")
        signer = made.issuing.unlock(sample.PASSPHRASE)
        revoked = [
            crl.Entry(certificates.serial_hex(x509.random_serial_number()), sample.NOW, "superseded")
            for _number in range(entries)
        ]
        listed = sample.measure(lambda: crl.build(signer, revoked, number=1, lifetime=LIFETIME, url="", now=sample.NOW))
        print(f"list with {entries} entries: {listed.wall:.2f} s")

        policy = issue.Policy(lifetimes={})
        issue.issue(made, requests(count), policy=policy, passphrase=sample.PASSPHRASE, now=sample.NOW)
        with made.open_ledger() as book:
            records = book.find(ledger.Filter(profiles=("server",)))
            issued = [book.certificate(record.serial) for record in records]
        delegate = responses.delegate(signer, lifetime=LIFETIME, now=sample.NOW)
        issuer = made.issuing.certificate

        def answers() -> Iterator[tuple[x509.Certificate, str, bytes]]:
            for certificate in issued:
                for name, algorithm in (("sha1", hashes.SHA1()), ("sha256", hashes.SHA256())):
                    builder = ocsp.OCSPResponseBuilder().add_response(
                        cert=certificate,
                        issuer=issuer,
                        algorithm=algorithm,
                        cert_status=ocsp.OCSPCertStatus.GOOD,
                        this_update=sample.NOW,
                        next_update=sample.NOW + LIFETIME,
                        revocation_time=None,
                        revocation_reason=None,
                    )
                    builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, delegate.certificate)
                    signed = builder.certificates([delegate.certificate]).sign(delegate.key, hashes.SHA256())
                    yield certificate, name, signed.public_bytes(serialization.Encoding.DER)

        def sign() -> None:
            for _answer in answers():
                pass

        def sign_and_write() -> None:
            asking = responses.Issuer(issuer)
            for certificate, algorithm, der in answers():
                serial = certificates.serial_hex(certificate.serial_number)
                for name in (f"{serial}.{algorithm}.der", asking.request_path(serial, algorithm)):
                    path = Path(parent) / "plain" / name
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(der)

        def publish_all() -> None:
            settings = publish.Settings(destination=Path(parent) / "publish")
            published = publish.publish(made, settings, passphrase=sample.PASSPHRASE, now=sample.NOW)
            assert len(published.ocsp) == count

        plain = sample.measure(sign)
        signed = 2 * count
        sample.say("OCSP responses, plain loop", signed, plain)
        written = sample.measure(sign_and_write)
        sample.say("OCSP responses, plain with files", signed, written, plain)
        published = sample.measure(publish_all)
        sample.say("OCSP responses, published", signed, published, plain)
        sample.say("    to the loop with files", signed, published, written)
        sample.say("OCSP responses, nothing to do", signed, sample.measure(publish_all))


if __name__ == "__main__":
    main()
