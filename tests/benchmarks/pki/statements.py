# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A long revocation list, and pre-signed OCSP responses beside the plain loop; run it with the project's .venv.

    python tests/benchmarks/pki/statements.py [ENTRIES] [CERTIFICATES]

The plain loop signs the same responses, two for each certificate, and does nothing with them; another one writes each
to the two files that it is published as, and nothing more. Columns as in devices.py, the ratios to the loop before.
"""

from __future__ import annotations

import datetime as dt
import sys
import tempfile
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
from cryptography.hazmat.primitives import serialization

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
    given = [int(argument) for argument in (sys.argv[1:] if arguments is None else arguments)]
    entries, count = [*given, *[100_000, 2_000][len(given) :]]
    with tempfile.TemporaryDirectory(dir=sample.ROOT / ".cache") as parent:
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
            questions = [
                responses.Question(book.certificate(record.serial), made.issuing.certificate, record)
                for record in records
            ]
        delegate = responses.signer(signer, lifetime=LIFETIME, now=sample.NOW)

        def sign() -> None:
            for question in questions:
                for algorithm in responses.ALGORITHMS:
                    responses.answer(question, delegate, algorithm=algorithm, lifetime=LIFETIME, now=sample.NOW)

        def sign_and_write() -> None:
            for question in questions:
                for algorithm in responses.ALGORITHMS:
                    der = responses.answer(question, delegate, algorithm=algorithm, lifetime=LIFETIME, now=sample.NOW)
                    asked = responses.request_path(question, algorithm=algorithm)
                    for name in (f"{question.record.serial}.{algorithm}.der", asked):
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
        sample.say("OCSP responses, published", signed, sample.measure(publish_all), written)
        sample.say("OCSP responses, nothing to do", signed, sample.measure(publish_all))


if __name__ == "__main__":
    main()
