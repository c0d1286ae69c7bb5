#!/usr/bin/env python3
# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Be every client that a broker must refuse, and report what each saw and when, so that the broker's log can be asked.

The certificates that no CA should sign are made here, with the key of the test CA. The clients are paho-mqtt. The
passphrase comes from the environment variable PKI_PASSPHRASE.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import pathlib
import ssl
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import paho.mqtt.client as mqtt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PATIENCE_SECONDS = 5
# The broker's lines about a client are written while it is answered, or at the next turn of its loop.
SETTLE_SECONDS = 0.4
CERTIFICATE_PORT, PASSWORD_PORT = 8883, 8884


def name_of(common_name: str) -> x509.Name:
    """A name of one part."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


@dataclass(frozen=True)
class Signer:
    """A certificate and its key, which sign others."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def of_scenario(cls, directory: pathlib.Path) -> Signer:
        """The scenario's issuing CA."""
        passphrase = os.environ["PKI_PASSPHRASE"].encode()
        key = serialization.load_pem_private_key((directory / "issuing-1/key.pem").read_bytes(), passphrase)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return cls(x509.load_pem_x509_certificate((directory / "issuing-1/cert.pem").read_bytes()), key)

    @classmethod
    def foreign(cls) -> Signer:
        """A CA that nobody trusts."""
        key = ec.generate_private_key(ec.SECP256R1())
        made = build(name_of("Foreign CA"), key.public_key()).issuer_name(name_of("Foreign CA"))
        made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        return cls(made.sign(key, hashes.SHA256()), key)

    def leaf(
        self, directory: pathlib.Path, common_name: str, *, server: bool = False, expired: bool = False
    ) -> pathlib.Path:
        """A file with a leaf certificate of that name, its issuer's and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        usage = ExtendedKeyUsageOID.SERVER_AUTH if server else ExtendedKeyUsageOID.CLIENT_AUTH
        made = build(name_of(common_name), key.public_key(), ended=dt.timedelta(minutes=5) if expired else None)
        made = made.issuer_name(self.certificate.subject)
        made = made.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        signed = made.sign(self.key, hashes.SHA256())
        path = directory / f"{signed.serial_number}.pem"
        text = [certificate.public_bytes(serialization.Encoding.PEM) for certificate in (signed, self.certificate)]
        text.append(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        path.write_bytes(b"".join(text))
        return path


def build(
    subject: x509.Name, key: ec.EllipticCurvePublicKey, *, ended: dt.timedelta | None = None
) -> x509.CertificateBuilder:
    """A certificate of half an hour, which ended a while ago where that is asked for."""
    until = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=15)
    if ended is not None:
        until = dt.datetime.now(dt.UTC) - ended
    made = x509.CertificateBuilder(subject_name=subject, public_key=key, serial_number=x509.random_serial_number())
    return made.not_valid_before(until - dt.timedelta(minutes=30)).not_valid_after(until)


@dataclass
class Client:
    """A client, what it was told, and what it received."""

    name: str
    answers: list[str] = field(default_factory=list)
    heard: threading.Event = field(default_factory=threading.Event)

    def open(
        self,
        address: str,
        port: int,
        *,
        ca: pathlib.Path,
        identity: pathlib.Path | None = None,
        client_id: str = "",
        login: tuple[str, str] | None = None,
    ) -> str:
        """Connect and return what came of it."""
        context = ssl.create_default_context(cafile=str(ca))
        context.check_hostname = False
        if identity is not None:
            context.load_cert_chain(identity)
        self.client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2,
            client_id=client_id or self.name,
            protocol=mqtt.MQTTv5,
            reconnect_on_failure=False,
        )
        self.client.tls_set_context(context)
        self.client.tls_insecure_set(True)
        if login is not None:
            self.client.username_pw_set(*login)
        self.client.on_connect = lambda _c, _u, _f, reason, _p: self._tell(str(reason))
        self.client.on_publish = lambda _c, _u, _m, reason, _p: self._tell(str(reason))
        self.client.on_disconnect = lambda _c, _u, _f, reason, _p: self._tell(f"disconnected: {reason}")
        try:
            self.client.connect(address, port, keepalive=30)
        except OSError as error:
            return str(error)
        self.client.loop_start()
        return self._answer()

    def publish(self, topic: str) -> str:
        """Publish and return the broker's answer."""
        self.heard.clear()
        self.client.publish(topic, "x", qos=1)
        return self._answer()

    def close(self) -> None:
        """Go."""
        self.client.disconnect()
        self.client.loop_stop()

    def _tell(self, answer: str) -> None:
        self.answers.append(answer)
        self.heard.set()

    def _answer(self) -> str:
        return self.answers[-1] if self.heard.wait(PATIENCE_SECONDS) else "no answer"


@dataclass(frozen=True)
class Broker:
    """One broker, and the certificates to try on it."""

    name: str
    address: str
    clients: pathlib.Path
    certificates: dict[str, pathlib.Path]

    def try_all(self) -> list[dict[str, Any]]:
        """Every client that must be refused, one after the other."""
        return [self._timed(case, refused) for case, refused in self._cases()]

    def _cases(self) -> list[tuple[str, Any]]:
        return [
            ("foreign topic", lambda: self._publishes(self._own("verify"), "devices/not-verify/x")),
            ("foreign client id", self._takes_over),
            ("name +", lambda: self._publishes(self.certificates["plus"], "devices/meter/y")),
            ("name #", lambda: self._publishes(self.certificates["hash"], "devices/meter/y")),
            ("no certificate", lambda: self._connects(CERTIFICATE_PORT)),
            ("no password", lambda: self._connects(PASSWORD_PORT)),
            ("wrong password", lambda: self._connects(PASSWORD_PORT, login=("dashboard", "wrong"))),
            ("certificate of a foreign CA", lambda: self._connects(CERTIFICATE_PORT, self.certificates["foreign"])),
            ("server certificate", lambda: self._connects(CERTIFICATE_PORT, self.certificates["server"])),
            ("expired certificate", lambda: self._connects(CERTIFICATE_PORT, self.certificates["expired"])),
        ]

    @staticmethod
    def _timed(case: str, attempt: Any) -> dict[str, Any]:
        since = time.time_ns() // 1000
        refused, saw = attempt()
        time.sleep(SETTLE_SECONDS)
        # As the journal writes its times.
        return {
            "case": case, "refused": refused, "saw": saw, "since": str(since), "until": str(time.time_ns() // 1000)
        }  # fmt: skip

    @property
    def _ca(self) -> pathlib.Path:
        return self.clients / "verify/current/ca.pem"

    def _own(self, name: str) -> pathlib.Path:
        """The identity of a client of the scenario in one file, as the others are."""
        path = self.certificates["directory"] / f"{self.name}-{name}.pem"
        parts = [self.clients / name / "current" / part for part in ("fullchain.pem", "privkey.pem")]
        path.write_bytes(b"".join(part.read_bytes() for part in parts))
        return path

    def _connects(
        self, port: int, identity: pathlib.Path | None = None, login: tuple[str, str] | None = None
    ) -> tuple[bool, str]:
        client = Client("refused")
        saw = client.open(self.address, port, ca=self._ca, identity=identity, login=login)
        if saw == "Success":
            client.close()
        return saw != "Success", saw

    def _publishes(self, identity: pathlib.Path, topic: str) -> tuple[bool, str]:
        client = Client("refused")
        saw = client.open(self.address, CERTIFICATE_PORT, ca=self._ca, identity=identity)
        if saw != "Success":
            return True, saw
        saw = client.publish(topic)
        client.close()
        return saw == "Not authorized", saw

    def _takes_over(self) -> tuple[bool, str]:
        """One client asks for the id of another, which is connected: it must stay so."""
        victim, thief = Client("meter"), Client("refused")
        victim.open(self.address, CERTIFICATE_PORT, ca=self._ca, identity=self._own("meter"))
        saw = thief.open(
            self.address, CERTIFICATE_PORT, ca=self._ca, identity=self._own("verify"), client_id=victim.name
        )
        time.sleep(SETTLE_SECONDS)
        kept = victim.answers == ["Success"] and victim.publish("devices/meter/x") in (
            "Success",
            "No matching subscribers",
        )
        thief.close()
        victim.close()
        return kept and saw == "Success", f"its own id, and the other's session {'stays' if kept else 'ends'}"


def main() -> int:
    """Try all brokers at once and print the findings."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pki", type=pathlib.Path, required=True, help="the CA directory")
    parser.add_argument("targets", nargs="+", metavar="NAME=ADDRESS")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        issuing, foreign = Signer.of_scenario(arguments.pki), Signer.foreign()
        certificates = {
            "directory": directory,
            "plus": issuing.leaf(directory, "+"),
            "hash": issuing.leaf(directory, "#"),
            "foreign": foreign.leaf(directory, "verify"),
            "server": issuing.leaf(directory, "verify", server=True),
            "expired": issuing.leaf(directory, "verify", expired=True),
        }
        brokers = [
            Broker(
                *target.split("=", 1),
                clients=arguments.pki / "clients",
                certificates=certificates,
            )
            for target in arguments.targets
        ]
        with ThreadPoolExecutor() as pool:
            found = dict(
                zip(
                    [broker.name for broker in brokers],
                    pool.map(Broker.try_all, brokers),
                    strict=True,
                )
            )
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
