# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime as dt
import http.server
import ipaddress
import os
import re
import signal
import sys
import threading
import urllib.parse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Any, Protocol

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

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
    def serial(self) -> str:
        """40 digits, as everywhere."""
        return f"{self.certificate.serial_number:040X}"

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
        ocsp_url: str = "",
        crl_url: str = "",
        serial: int | None = None,
    ) -> Identity:
        key = ec.generate_private_key(ec.SECP256R1())
        signer = issuer.private_key if issuer else key
        subject = _name(name)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer.certificate.subject if issuer else subject)
            .public_key(key.public_key())
            # The last six bits clear, as the CA has them: see certificates.random_serial.
            .serial_number(x509.random_serial_number() >> 6 << 6 if serial is None else serial)
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
        if ocsp_url:
            method = x509.AccessDescription(AuthorityInformationAccessOID.OCSP, _uri(ocsp_url))
            builder = builder.add_extension(x509.AuthorityInformationAccess([method]), False)
        if crl_url:
            point = x509.DistributionPoint([_uri(crl_url)], None, None, None)
            builder = builder.add_extension(x509.CRLDistributionPoints([point]), False)
        return Identity(builder.sign(signer, hashes.SHA256()), key)

    def server(
        self,
        *names: str,
        start: dt.timedelta = -DAY,
        end: dt.timedelta = 30 * DAY,
        ocsp_url: str = "",
        crl_url: str = "",
    ) -> Identity:
        return self.sign(
            names[0],
            issuer=self.issuing,
            names=names,
            usage=ExtendedKeyUsageOID.SERVER_AUTH,
            start=start,
            end=end,
            ocsp_url=ocsp_url,
            crl_url=crl_url,
        )

    def client(self, name: str) -> Identity:
        return self.sign(name, issuer=self.issuing, names=[name], usage=ExtendedKeyUsageOID.CLIENT_AUTH)

    def crl(
        self,
        *,
        issuer: Identity | None = None,
        signer: Identity | None = None,
        revoked: Sequence[Identity] = (),
        start: dt.timedelta = -2 * DAY,
        end: dt.timedelta = DAY,
    ) -> bytes:
        issuer = issuer or self.issuing
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(issuer.certificate.subject)
            .last_update(self.now + start)
            .next_update(self.now + end)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.private_key.public_key()), critical=False
            )
        )
        for identity in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(identity.certificate.serial_number)
            builder = builder.add_revoked_certificate(entry.revocation_date(self.now - 3 * DAY).build())
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


@dataclass(frozen=True)
class Page:
    """What a server answers with."""

    status: int
    content: bytes
    headers: Mapping[str, str]


class Web:
    """A web server on this machine with the pages that a test gives it; `asked` is what it was asked for."""

    def __init__(self) -> None:
        self.pages: dict[str, Page] = {}
        # Path -> what answers to a POST there.
        self.programs: dict[str, Callable[[bytes], bytes]] = {}
        self.asked: list[tuple[str, str, str, bytes]] = []
        web = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                web.answer(self)

            def do_POST(self) -> None:
                web.answer(self)

            def log_message(self, *_arguments: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def serve(self, path: str, content: bytes, *, etag: str = "", claimed: int | None = None) -> None:
        headers = {"Content-Length": str(len(content) if claimed is None else claimed)}
        self.pages[path] = Page(200, content, {**headers, **({"ETag": etag} if etag else {})})

    def redirect(self, path: str, place: str) -> None:
        self.pages[path] = Page(302, b"", {"Location": place, "Content-Length": "0"})

    def answer(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["Content-Length"] or 0))
        self.asked.append((handler.command, handler.path, handler.headers["Content-Type"] or "", body))
        # As a static web server does: %2F is a slash, and two are one.
        path = re.sub("/+", "/", urllib.parse.unquote(handler.path))
        page = self.pages.get(path, Page(404, b"", {"Content-Length": "0"}))
        if handler.command == "POST" and path in self.programs:
            content = self.programs[path](body)
            page = Page(200, content, {"Content-Length": str(len(content))})
        if page.headers.get("ETag", "") and handler.headers["If-None-Match"] == page.headers["ETag"]:
            page = Page(304, b"", {})
        handler.send_response(page.status)
        for name, value in page.headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(page.content)

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def web() -> Iterator[Web]:
    server = Web()
    yield server
    server.close()


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _uri(url: str) -> x509.UniformResourceIdentifier:
    return x509.UniformResourceIdentifier(url)


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
