# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime as dt
import ipaddress
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Any, Protocol

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = dt.timedelta(days=1)


@dataclass(frozen=True)
class Identity:
    """A certificate and its key."""

    certificate: x509.Certificate
    private_key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key(self) -> bytes:
        encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        return self.private_key.private_bytes(encoding, form, serialization.NoEncryption())


class Pki:
    """A root, an issuing CA, and whatever a test wants signed."""

    def __init__(self) -> None:
        self.now = dt.datetime.now(dt.UTC).replace(microsecond=0)
        self.root = self.sign("Root", authority=True)
        self.issuing = self.sign("Issuing", issuer=self.root, authority=True)

    @property
    def ca(self) -> bytes:
        return self.root.pem + self.issuing.pem

    def sign(
        self,
        name: str,
        *,
        issuer: Identity | None = None,
        authority: bool = False,
        names: Sequence[str] = (),
        usage: x509.ObjectIdentifier | None = None,
        start: dt.timedelta = -DAY,
        end: dt.timedelta = 30 * DAY,
    ) -> Identity:
        key = ec.generate_private_key(ec.SECP256R1())
        signer = issuer.private_key if issuer else key
        subject = _name(name)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer.certificate.subject if issuer else subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(self.now + start)
            .not_valid_after(self.now + end)
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
            .add_extension(_key_usage(authority=authority), critical=True)
        )
        if usage:
            builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName([_general(item) for item in names]), False)
        return Identity(builder.sign(signer, hashes.SHA256()), key)

    def server(self, *names: str, start: dt.timedelta = -DAY, end: dt.timedelta = 30 * DAY) -> Identity:
        usage = ExtendedKeyUsageOID.SERVER_AUTH
        return self.sign(names[0], issuer=self.issuing, names=names, usage=usage, start=start, end=end)

    def client(self, name: str) -> Identity:
        return self.sign(name, issuer=self.issuing, names=[name], usage=ExtendedKeyUsageOID.CLIENT_AUTH)

    def crl(self, *, issuer: Identity | None = None, signer: Identity | None = None, end: dt.timedelta = DAY) -> bytes:
        issuer = issuer or self.issuing
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(issuer.certificate.subject)
            .last_update(self.now - 2 * DAY)
            .next_update(self.now + end)
        )
        crl = builder.sign((signer or issuer).private_key, hashes.SHA256())
        return crl.public_bytes(serialization.Encoding.PEM)

    def ocsp(
        self,
        leaf: Identity,
        *,
        status: str = "good",
        signer: Identity | None = None,
        start: dt.timedelta = -2 * DAY,
        end: dt.timedelta | None = DAY,
    ) -> bytes:
        """A response of the issuing CA, or of a delegated `signer` that comes with it."""
        by = signer or self.issuing
        builder = (
            ocsp.OCSPResponseBuilder()
            .add_response(
                cert=leaf.certificate,
                issuer=self.issuing.certificate,
                algorithm=hashes.SHA1(),
                cert_status=ocsp.OCSPCertStatus[status.upper()],
                this_update=self.now + start,
                next_update=None if end is None else self.now + end,
                revocation_time=self.now - 3 * DAY if status == "revoked" else None,
                revocation_reason=None,
            )
            .responder_id(ocsp.OCSPResponderEncoding.HASH, by.certificate)
        )
        if signer:
            builder = builder.certificates([signer.certificate])
        return builder.sign(by.private_key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)

    def ocsp_signer(
        self, *, usage: x509.ObjectIdentifier | None = ExtendedKeyUsageOID.OCSP_SIGNING, end: dt.timedelta = 30 * DAY
    ) -> Identity:
        """Whom the issuing CA delegated OCSP to."""
        return self.sign("OCSP signer", issuer=self.issuing, usage=usage, end=end)


@pytest.fixture(scope="session")
def pki() -> Pki:
    return Pki()


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


class KilledAt(Protocol):
    """A process that is killed at the Nth statement of the code under test, by the kernel, as `kill -9` would."""

    def __call__(self, number: int, function: Callable[[], object], *, within: tuple[str, ...]) -> bool: ...


@pytest.fixture(name="killed_at")
def fixture_killed_at() -> KilledAt:
    return _killed_at


def _killed_at(number: int, function: Callable[[], object], *, within: tuple[str, ...]) -> bool:
    """Run `function` in a fork that is killed at its `number`-th statement in `within`; False when it ended before."""
    child = os.fork()
    if child == 0:
        _trace(number, within)
        try:
            function()
        except BaseException:
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0, "the function failed before it could be killed"
    return False


def _trace(number: int, within: tuple[str, ...]) -> None:
    left = number

    def trace(frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal left
        if event == "call":
            return trace if frame.f_code.co_filename.endswith(within) else None
        if event in ("line", "return"):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    sys.settrace(trace)
