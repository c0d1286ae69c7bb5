# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A small authority and TLS servers on the loopback that behave in one chosen way."""

from __future__ import annotations

import datetime as dt
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

Handler = Callable[[socket.socket], None]


@dataclass(frozen=True)
class Authority:
    """Files of a root, a server certificate for `server.example` and 127.0.0.1, a client certificate, a foreign one."""

    directory: Path

    @property
    def ca(self) -> str:
        return str(self.directory / "ca.pem")

    def certificate(self, name: str) -> str:
        return str(self.directory / f"{name}.pem")

    def key(self, name: str) -> str:
        return str(self.directory / f"{name}.key")

    def der(self, name: str) -> bytes:
        return ssl.PEM_cert_to_DER_cert(Path(self.certificate(name)).read_text())


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _write(directory: Path, name: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    (directory / f"{name}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (directory / f"{name}.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    directory = tmp_path_factory.mktemp("authority")
    now = dt.datetime.now(dt.UTC)
    root_key = ec.generate_private_key(ec.SECP256R1())
    ca = x509.BasicConstraints(ca=True, path_length=None)

    def sign(
        subject: str,
        key: ec.EllipticCurvePrivateKey,
        *extensions: x509.ExtensionType,
        issuer: tuple[str, ec.EllipticCurvePrivateKey] = ("root", root_key),
    ) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(_name(subject))
            .issuer_name(_name(issuer[0]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
        )
        for extension in extensions:
            builder = builder.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
        return builder.sign(issuer[1], hashes.SHA256())

    _write(directory, "ca", sign("root", root_key, ca), root_key)
    for name, usage in (("server", ExtendedKeyUsageOID.SERVER_AUTH), ("client", ExtendedKeyUsageOID.CLIENT_AUTH)):
        key = ec.generate_private_key(ec.SECP256R1())
        address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        names = x509.SubjectAlternativeName([x509.DNSName(f"{name}.example"), address])
        _write(directory, name, sign(name, key, names, x509.ExtendedKeyUsage([usage])), key)
    foreign_key = ec.generate_private_key(ec.SECP256R1())
    _write(directory, "foreign", sign("foreign", foreign_key, issuer=("foreign", foreign_key)), foreign_key)
    return Authority(directory)


class Server:
    """A listening socket on the loopback, whose connections are handled in one thread, one after the other."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with suppress(OSError):  # close() ends accept()
            while True:
                connection, _peer = self._listening.accept()
                with connection, suppress(OSError):
                    connection.settimeout(5)
                    self._handler(connection)

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(timeout=5)


@pytest.fixture
def serve() -> Iterator[Callable[[Handler], int]]:
    """Start a server for a handler and return its port."""
    with ExitStack() as stack:

        def start(handler: Handler) -> int:
            server = Server(handler)
            stack.callback(server.close)
            return server.port

        yield start


def read_until_closed(connection: socket.socket) -> None:
    """Wait as a broker without a keep-alive does."""
    while connection.recv(4096):
        pass


@pytest.fixture
def serve_tls(serve: Callable[[Handler], int], authority: Authority) -> Callable[..., int]:
    """Start a TLS server that speaks these versions, may require a client certificate, and then runs `after`."""

    def start(
        *,
        minimum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2,
        maximum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
        client_required: bool = False,
        ciphers: str | None = None,
        after: Handler = read_until_closed,
    ) -> int:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(authority.certificate("server"), authority.key("server"))
        context.minimum_version, context.maximum_version = minimum, maximum
        if ciphers:
            context.set_ciphers(ciphers)
        if client_required:
            context.load_verify_locations(authority.ca)
            context.verify_mode = ssl.CERT_REQUIRED

        def handle(connection: socket.socket) -> None:
            with context.wrap_socket(connection, server_side=True) as tls:
                after(tls)

        return serve(handle)

    return start
