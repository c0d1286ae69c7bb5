# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Devices in bulk beside the plain loop; run it with the project's .venv, on a machine that has nothing else to do.

    python tests/benchmarks/pki/devices.py [DEVICES] [--only archive|folders] [--folder FOLDER]

The plain loop is what one writes with `cryptography` in an afternoon: a key, a certificate of the same content, both as
PEM, in one process, nothing recorded and nothing written. As many of it as there are cores, at once, say what the cores
are worth: two that are threads of one are less than twice as fast. Columns: devices a second; processor time for each
device, of all processes; and both as ratios to the plain loop. With --only, there is no plain loop: to look at the
memory.
"""

from __future__ import annotations

import argparse
import functools
import tempfile
from pathlib import Path

import sample
from ansible_collections.bulwark.mqtt.plugins.module_utils._pki import (
    authority,
    build,
    device_files,
    device_rows,
    device_run,
    devices,
    keys,
)
from ansible_collections.bulwark.mqtt.plugins.module_utils._workers import available, each
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


def name(number: int) -> str:
    """The common name of a device."""
    return f"meter-{number:07}"


def plain(signer: build.Signer, count: int) -> None:
    """The loop that everything is compared with."""
    start, end = sample.NOW - build.BACKDATE, sample.NOW + device_run.PROFILE.lifetime
    constraints = x509.BasicConstraints(ca=False, path_length=None)
    flags = ["content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign"]
    others = dict.fromkeys([*flags, "crl_sign", "encipher_only", "decipher_only"], False)
    usage = x509.KeyUsage(digital_signature=True, **others)
    purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
    issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.key.public_key())
    for number in range(count):
        key = ec.generate_private_key(ec.SECP256R1())
        public_key = key.public_key()
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name(number))]))
            .issuer_name(signer.certificate.subject)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(end)
            .add_extension(constraints, critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
            .add_extension(issuer_key, critical=False)
            .add_extension(purpose, critical=False)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name(number))]), critical=False)
            .sign(signer.key, hashes.SHA256())
        )
        certificate.public_bytes(serialization.Encoding.PEM)
        keys.to_pem(key)


def plain_at_once(signer: build.Signer, count: int) -> None:
    """As many loops as cores, for as many devices together."""
    processes = available()
    for _none in each(
        functools.partial(plain, signer), [count // processes] * processes, processes=processes, error=RuntimeError
    ):
        pass


def run(source: Path, output: device_files.Output) -> device_run.Run:
    """All devices of the list, on all cores."""
    return device_run.Run(
        source=device_rows.open_file(source),
        output=output,
        settings=device_run.Settings(processes=available()),
        now=sample.NOW,
    )


def enroll(made: authority.Authority, source: Path, output: device_files.Output, *, issued: int) -> None:
    """Enrol them, and find what was expected."""
    wanted = run(source, output)
    with wanted.source:
        outcome = devices.enroll(made, wanted, passphrase=sample.PASSPHRASE)
    assert outcome.issued == issued, outcome


def main(arguments: list[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("count", nargs="?", type=int, default=100_000)
    parser.add_argument("--only", choices=["archive", "folders"])
    sample.add_folder(parser)
    options = parser.parse_args(arguments)
    count, only = options.count, options.only
    with tempfile.TemporaryDirectory(dir=options.folder) as parent:
        base = Path(parent)
        source = base / "meters.csv"
        with source.open("w", encoding="ascii") as stream:
            stream.write("common_name\n")
            stream.writelines(f"{name(number)}\n" for number in range(count))
        outputs = {
            "archive": device_files.Archive(base / "meters.tar", moment=int(sample.NOW.timestamp())),
            "folders": device_files.Folders(base / "meters"),
        }
        loop = None
        print(f"{count} devices, {available()} cores", flush=True)
        if not only:
            signer = sample.create(base / "plain").issuing.unlock(sample.PASSPHRASE)
            loop = sample.measure(lambda: plain(signer, count))
            sample.say("plain loop", count, loop)
            sample.say(
                "plain loops, one for each core", count, sample.measure(lambda: plain_at_once(signer, count)), loop
            )
        for kind, output in outputs.items():
            if only in (None, kind):
                made = sample.create(base / f"pki-{kind}")
                first = sample.measure(functools.partial(enroll, made, source, output, issued=count))
                sample.say(f"{kind}: keys, ledger, files", count, first, loop)
                again = sample.measure(functools.partial(enroll, made, source, output, issued=0))
                sample.say(f"{kind}: nothing to do", count, again)
                print(f"{'':<34}{again.wall:10.2f} s", flush=True)
    own, worker = sample.peak()
    print(f"memory at most: {own} MiB, and {worker} MiB in each of the other processes")


if __name__ == "__main__":
    main()
