# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""What an endpoint really serves: reachability, certificate, versions, group, and whether its broker lets a client in.

Standard library and the ``openssl`` program only, because it runs on hosts as a part of ``bulwark-tls``. A question
that the endpoint does not answer raises ProbeError, whose message names the endpoint; a refusal that was asked about is
an answer.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from . import mqtt, process, tls_wire
from .errors import ProbeError

_VERSION_NAMES = {0x0301: "TLSv1", 0x0302: "TLSv1.1", 0x0303: "TLSv1.2", 0x0304: "TLSv1.3"}
_TLS_1_2 = 0x0303
_OFFERS = {
    "TLSv1": ssl.TLSVersion.TLSv1,
    "TLSv1.1": ssl.TLSVersion.TLSv1_1,
    "TLSv1.2": ssl.TLSVersion.TLSv1_2,
    "TLSv1.3": ssl.TLSVersion.TLSv1_3,
}
# Without a certificate TLS 1.3 ends the handshake for the client before the server has judged it (RFC 8446 section
# 4.4.2.4): its refusal takes another round trip, and Nagle's algorithm can hold it back for up to 0.2 s more.
_REFUSAL_WAIT = 1.0
# What Python warns about is a list of the process, which threads must not change at the same time.
_WARNINGS = threading.Lock()
_LOOPBACK = "127.0.0.1"


class TlsError(ProbeError):
    """The TLS handshake failed: the server refused it, or this client refused the server's certificate."""


@dataclass(frozen=True)
class Served:
    """What the server showed in one handshake; `refused` names the alert when it then turned this client away."""

    der: bytes
    protocol: str
    cipher: str
    refused: str | None = None


@dataclass(frozen=True)
class VersionAnswer:
    """The answer to one offered version.

    accepted: the server chose it. refused: the server answered with `alert`. unanswered: the connection ended, or
    nothing came, without an alert. untestable: this machine's OpenSSL cannot offer the version.
    """

    answer: str
    alert: str | None = None


@dataclass(frozen=True)
class Stapled:
    """What a stapled OCSP response says; times in seconds since 1970."""

    # 40 hexadecimal digits.
    serial: str
    # good, revoked or unknown.
    status: str
    this_update: int
    next_update: int | None


def endpoint(address: str, port: int) -> str:
    """The endpoint as messages write it."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def reason(error: OSError) -> str:
    """What went wrong, without the numbers and source lines that Python adds."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate verify failed: {error.verify_message.rstrip('.')}"
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.replace("_", " ").lower()
    if isinstance(error, socket.timeout):
        return "timed out"
    return error.strerror or str(error)


def reachability(*, address: str, port: int, timeout: float) -> str:
    """open, closed (refused by the host) or filtered (nothing came back, or a router or firewall said no).

    Raises ProbeError when the name does not resolve, which says nothing about the port.
    """
    try:
        with socket.create_connection((address, port), timeout=timeout):
            return "open"
    except socket.gaierror as error:
        raise ProbeError(f"{endpoint(address, port)}: cannot resolve {address}: {error.strerror}") from error
    except ConnectionRefusedError:
        return "closed"
    except socket.timeout:
        return "filtered"
    except OSError as error:
        if error.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EACCES, errno.EPERM, errno.ETIMEDOUT):
            return "filtered"
        raise ProbeError(f"{endpoint(address, port)}: {reason(error)}") from error


def connect_tcp(*, address: str, port: int, timeout: float) -> socket.socket:
    """A connected socket with that timeout on each operation."""
    try:
        return socket.create_connection((address, port), timeout=timeout)
    except OSError as error:
        raise ProbeError(f"{endpoint(address, port)}: cannot connect: {reason(error)}") from error


def client_context(
    *,
    server_name: str | None,
    cafile: str | None = None,
    certfile: str | None = None,
    keyfile: str | None = None,
) -> ssl.SSLContext:
    """A client context; with `cafile` it verifies the chain, and the name where there is one.

    Raises ProbeError naming the file.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = cafile is not None and server_name is not None
    context.verify_mode = ssl.CERT_REQUIRED if cafile is not None else ssl.CERT_NONE
    try:
        if cafile is not None:
            context.load_verify_locations(cafile=cafile)
    except OSError as error:
        raise ProbeError(f"{cafile}: cannot be used as CA file: {reason(error)}") from error
    try:
        if certfile is not None:
            context.load_cert_chain(certfile, keyfile)
    except OSError as error:
        files = certfile if keyfile is None else f"{certfile} and {keyfile}"
        raise ProbeError(f"{files}: cannot be used as client certificate and key: {reason(error)}") from error
    return context


def connect_tls(
    *, address: str, port: int, server_name: str | None, timeout: float, context: ssl.SSLContext
) -> ssl.SSLSocket:
    """A socket behind a completed handshake. Raises TlsError when it is refused, ProbeError when nothing answers."""
    connection = connect_tcp(address=address, port=port, timeout=timeout)
    try:
        return context.wrap_socket(connection, server_hostname=server_name)
    except (OSError, ValueError) as error:
        connection.close()
        raise _handshake_failed(address, port, error) from error


def _handshake_failed(address: str, port: int, error: Exception) -> ProbeError:
    text = reason(error) if isinstance(error, OSError) else str(error)
    kind = TlsError if isinstance(error, ssl.SSLError) else ProbeError
    return kind(f"{endpoint(address, port)}: TLS handshake failed: {text}")


class _Conversation:
    """A TLS client over a socket that keeps every byte the server sent, so that a failed handshake can be read too."""

    def __init__(
        self, connection: socket.socket, context: ssl.SSLContext, server_name: str | None, timeout: float
    ) -> None:
        self._connection = connection
        self._deadline = time.monotonic() + timeout
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name)
        self.received = b""
        self.sent = b""

    def handshake(self) -> None:
        """Raises ssl.SSLError when a side refuses, socket.timeout at the deadline, OSError when the peer is gone."""
        while True:
            try:
                self.tls.do_handshake()
                return
            except ssl.SSLWantReadError:
                self._flush()
                self._receive()
            finally:
                self._flush()

    def refusal(self, *, wait: float) -> ssl.SSLError | None:
        """The error with which the server turns the client away after the handshake, None when it does not within the
        wait.

        Raises ConnectionError when the server ends the connection without saying why.
        """
        self._deadline = time.monotonic() + wait
        while True:
            try:
                if self.tls.read(1):
                    return None
                raise ConnectionAbortedError("closed")
            except ssl.SSLWantReadError:
                try:
                    self._receive()
                except socket.timeout:
                    return None
            except ssl.SSLEOFError as error:
                raise ConnectionAbortedError("closed") from error
            except ssl.SSLError as error:
                return error

    def _flush(self) -> None:
        data = self._outgoing.read()
        if data:
            self.sent += data
            self._connection.sendall(data)

    def _receive(self) -> None:
        remaining = self._deadline - time.monotonic()
        if remaining <= 0:
            raise socket.timeout("timed out")
        self._connection.settimeout(remaining)
        data = self._connection.recv(65536)
        if not data:
            self._incoming.write_eof()
        self.received += data
        self._incoming.write(data)


@contextmanager
def _conversation(
    *, address: str, port: int, server_name: str | None, timeout: float, context: ssl.SSLContext
) -> Iterator[_Conversation]:
    with connect_tcp(address=address, port=port, timeout=timeout) as connection:
        try:
            conversation = _Conversation(connection, context, server_name, timeout)
        except ValueError as error:  # a name that cannot be a host name
            raise _handshake_failed(address, port, error) from error
        yield conversation


def served_certificate(
    *,
    address: str,
    port: int,
    server_name: str | None,
    timeout: float,
    cafile: str | None = None,
    certfile: str | None = None,
    keyfile: str | None = None,
) -> Served:
    """The certificate that the server shows, also when it then refuses a client that has none.

    TLS 1.3 shows it in a handshake that is complete for the client; up to TLS 1.2 it is read from the messages in
    clear. With `cafile` the chain and the name were verified before the server could refuse. Raises TlsError when the
    handshake fails before that, ProbeError when nothing answers.
    """
    context = client_context(server_name=server_name, cafile=cafile, certfile=certfile, keyfile=keyfile)
    with _conversation(
        address=address, port=port, server_name=server_name, timeout=timeout, context=context
    ) as conversation:
        try:
            conversation.handshake()
        except OSError as error:
            refused = _refused_after_certificate(context, conversation.received)
            if refused is None:
                raise _handshake_failed(address, port, error) from error
            return refused
        der, cipher, version = conversation.tls.getpeercert(True), conversation.tls.cipher(), conversation.tls.version()
        if der is None or cipher is None or version is None:
            raise TlsError(f"{endpoint(address, port)}: the server showed no certificate")
        return Served(der=der, protocol=version, cipher=cipher[0])


def _refused_after_certificate(context: ssl.SSLContext, received: bytes) -> Served | None:
    """What TLS 1.2 and earlier showed before the server's alert; None without an alert or without a certificate."""
    der, code = tls_wire.certificate(received), tls_wire.alert(received)
    version, suite = tls_wire.chosen_version(received), tls_wire.chosen_suite(received)
    if der is None or code is None or version is None or suite is None:
        return None
    names = {int(cipher["id"]) & 0xFFFF: str(cipher["name"]) for cipher in context.get_ciphers()}
    return Served(
        der=der,
        protocol=_VERSION_NAMES.get(version, f"0x{version:04x}"),
        cipher=names.get(suite, f"0x{suite:04x}"),
        refused=tls_wire.alert_name(code),
    )


def _refusal_wait(started: float) -> float:
    """How long to wait for a refusal after a handshake that took this long."""
    return max(_REFUSAL_WAIT, 3 * (time.monotonic() - started))


def client_certificate_required(*, address: str, port: int, server_name: str | None, timeout: float) -> bool | None:
    """Whether a client without a certificate is turned away; None when the server ends the connection and says nothing.

    TLS 1.3 says certificate_required after the handshake; up to TLS 1.2 the handshake fails after the server asked for
    a certificate. Raises TlsError when the handshake fails for another reason, ProbeError when nothing answers.
    """
    context = client_context(server_name=server_name)
    started = time.monotonic()
    with _conversation(
        address=address, port=port, server_name=server_name, timeout=timeout, context=context
    ) as conversation:
        try:
            conversation.handshake()
        except OSError as error:
            if tls_wire.asks_for_certificate(conversation.received) and tls_wire.alert(conversation.received):
                return True
            raise _handshake_failed(address, port, error) from error
        if conversation.tls.version() != "TLSv1.3":
            return False
        try:
            refused = conversation.refusal(wait=min(timeout, _refusal_wait(started)))
        except ConnectionError:
            return None
        return refused is not None and "CERTIFICATE_REQUIRED" in refused.reason


def refusal(
    *, address: str, port: int, server_name: str | None, timeout: float, certfile: str, keyfile: str
) -> str | None:
    """How the server turns away a client with this certificate; None when it lets it in.

    Raises ProbeError when nothing answers.
    """
    context = client_context(server_name=server_name, certfile=certfile, keyfile=keyfile)
    started = time.monotonic()
    with _conversation(
        address=address, port=port, server_name=server_name, timeout=timeout, context=context
    ) as conversation:
        try:
            conversation.handshake()
            refused = conversation.refusal(wait=min(timeout, _refusal_wait(started)))
        except ssl.SSLError as error:
            return reason(error)
        except ConnectionError:
            return "the server closed the connection"
        except OSError as error:
            raise _handshake_failed(address, port, error) from error
    return None if refused is None else reason(refused)


def suites(*, address: str, port: int, server_name: str | None, timeout: float) -> list[str]:
    """The TLS 1.2 suites that the server takes from a client that offers all it can, the one it takes first in front.

    What this machine's OpenSSL was built without is not offered. Raises ProbeError when the endpoint is not reached.
    """
    context = _only(ssl.TLSVersion.TLSv1_2)
    if context is None:
        return []
    offered = {
        int(cipher["id"]) & 0xFFFF: str(cipher["name"])
        for cipher in context.get_ciphers()
        if cipher["protocol"] != "TLSv1.3"
    }
    taken = []
    while offered:
        context.set_ciphers(":".join([*offered.values(), "@SECLEVEL=0"]))
        asked = _conversation(address=address, port=port, server_name=server_name, timeout=timeout, context=context)
        # The suite is in the server's first message, whatever becomes of the handshake.
        with asked as conversation, suppress(OSError):
            conversation.handshake()
        chosen = tls_wire.chosen_suite(conversation.received)
        if tls_wire.chosen_version(conversation.received) != _TLS_1_2 or chosen not in offered:
            break
        taken.append(offered.pop(chosen))
    return taken


def version_answers(*, address: str, port: int, server_name: str | None, timeout: float) -> dict[str, VersionAnswer]:
    """The endpoint's answer to each version of TLS, offered alone. Raises ProbeError when it is not reached."""
    return {
        name: _version_answer(address=address, port=port, server_name=server_name, timeout=timeout, name=name)
        for name in _OFFERS
    }


def _version_answer(*, address: str, port: int, server_name: str | None, timeout: float, name: str) -> VersionAnswer:
    context = _only(_OFFERS[name])
    if context is None:
        return VersionAnswer("untestable")
    offer = _conversation(address=address, port=port, server_name=server_name, timeout=timeout, context=context)
    # Whoever fails, and why: the bytes say what the server answered.
    with offer as conversation, suppress(OSError):
        conversation.handshake()
    # OpenSSL that cannot offer the version sends an alert instead of a ClientHello, or nothing.
    if not tls_wire.is_handshake(conversation.sent):
        return VersionAnswer("untestable")
    chosen = tls_wire.chosen_version(conversation.received)
    if chosen is not None and _VERSION_NAMES.get(chosen) == name:
        return VersionAnswer("accepted")
    code = tls_wire.alert(conversation.received)
    if code is not None:
        return VersionAnswer("refused", tls_wire.alert_name(code))
    return VersionAnswer("unanswered")


def _only(version: ssl.TLSVersion) -> ssl.SSLContext | None:
    """A context that offers this version alone, None when this Python's OpenSSL was built without it.

    TLS 1.0 and 1.1 sign with SHA-1, which OpenSSL 3 offers at security level 0 only (SSL_CTX_set_security_level(3)).
    """
    context = client_context(server_name=None)
    try:
        context.set_ciphers("ALL:@SECLEVEL=0")
        with _WARNINGS, warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = version
            context.maximum_version = version
    except (ValueError, ssl.SSLError):
        return None
    return context


def negotiated_group(
    *,
    address: str,
    port: int,
    server_name: str | None,
    timeout: float,
    certfile: str | None = None,
    keyfile: str | None = None,
) -> str | None:
    """The key exchange group that the `openssl` program and the server agree on; None without the program or a
    handshake.

    Python's ``ssl`` does not tell the group. The client's OpenSSL decides what is offered: hybrid groups from 3.5 on.
    """
    output = _s_client(
        ["-brief"],
        address=address,
        port=port,
        server_name=server_name,
        timeout=timeout,
        certfile=certfile,
        keyfile=keyfile,
    )
    return group_in(output)


def stapled_response(
    *,
    address: str,
    port: int,
    server_name: str | None,
    timeout: float,
    certfile: str | None = None,
    keyfile: str | None = None,
) -> Stapled | None:
    """The OCSP response that the server staples in one handshake; None without one, without the program `openssl` or
    a handshake.

    Python's ``ssl`` cannot ask for it. Its signature is not judged here: that is done before it is installed.
    """
    output = _s_client(
        ["-status"],
        address=address,
        port=port,
        server_name=server_name,
        timeout=timeout,
        certfile=certfile,
        keyfile=keyfile,
    )
    return stapled_in(output)


def stapled_in(output: str) -> Stapled | None:
    """The response in what ``openssl s_client -status`` prints; None when there is none, or it answers nothing."""
    found = {
        name: re.search(rf"^ +{name}: (.+)$", output, re.MULTILINE)
        for name in ("Serial Number", "Cert Status", "This Update", "Next Update")
    }
    serial, status, start, end = found.values()
    if serial is None or status is None or start is None:
        return None
    return Stapled(
        serial=serial.group(1).strip().rjust(40, "0"),
        status=status.group(1).strip(),
        this_update=ssl.cert_time_to_seconds(start.group(1)),
        next_update=ssl.cert_time_to_seconds(end.group(1)) if end else None,
    )


def _s_client(
    options: list[str],
    *,
    address: str,
    port: int,
    server_name: str | None,
    timeout: float,
    certfile: str | None,
    keyfile: str | None,
) -> str:
    """What ``openssl s_client`` prints about a handshake; empty without the program, or when it takes too long."""
    program = shutil.which("openssl")
    if program is None:
        return ""
    argv = [program, "s_client", *options, "-connect", endpoint(address, port)]
    argv += ["-servername", server_name] if server_name else ["-noservername"]
    argv += ["-cert", certfile] if certfile else []
    argv += ["-key", keyfile] if keyfile else []
    try:
        finished = process.run(argv, environment={**os.environ, "LC_ALL": "C"}, timeout=timeout, merged=True)
    except subprocess.TimeoutExpired:
        return ""
    return finished.stdout


def group_in(output: str) -> str | None:
    """The group in what ``openssl s_client -brief`` prints: a line of its own from 3.5 on, else the temporary key."""
    found = re.search(r"^Negotiated TLS1\.3 group: (\S+)$", output, re.MULTILINE)
    if found is None:
        found = re.search(r"^(?:Server|Peer) Temp Key: (?:ECDH, )?([^,\n]+)", output, re.MULTILINE)
    return found.group(1) if found else None


@contextmanager
def mqtt_session(
    *,
    address: str,
    port: int,
    server_name: str | None,
    timeout: float,
    cafile: str | None,
    certfile: str | None = None,
    keyfile: str | None = None,
    username: str | None = None,
    password: str | None = None,
) -> Iterator[tuple[mqtt.Client, int]]:
    """A client of MQTT 3.1.1 over TLS and its CONNACK code, 0 when the broker lets it in.

    Raises TlsError when the handshake is refused by either side, ProbeError when there is no CONNACK or the
    conversation breaks.
    """
    context = client_context(server_name=server_name, cafile=cafile, certfile=certfile, keyfile=keyfile)
    with connect_tls(
        address=address, port=port, server_name=server_name, timeout=timeout, context=context
    ) as connection:
        where = endpoint(address, port)
        with _session(connection, where, timeout=timeout, username=username, password=password) as session:
            yield session


@contextmanager
def mqtt_session_local(
    *, path: str = "", port: int = 0, timeout: float, header: bytes = b""
) -> Iterator[tuple[mqtt.Client, int]]:
    """The same without TLS, on the unix socket `path` or else the loopback's `port`, `header` sent in front of CONNECT.

    Raises ProbeError when nothing listens there, there is no CONNACK or the conversation breaks.
    """
    where = path or endpoint(_LOOPBACK, port)
    with socket.socket(socket.AF_UNIX if path else socket.AF_INET, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout)
        try:
            connection.connect(path or (_LOOPBACK, port))
            connection.sendall(header)
        except OSError as error:
            raise ProbeError(f"{where}: cannot connect: {reason(error)}") from error
        with _session(connection, where, timeout=timeout) as session:
            yield session


@contextmanager
def _session(
    connection: socket.socket, where: str, *, timeout: float, username: str | None = None, password: str | None = None
) -> Iterator[tuple[mqtt.Client, int]]:
    client = mqtt.Client(connection=connection, version=mqtt.V311, timeout=timeout)
    try:
        connack = client.connect(client_id=mqtt.random_id(), username=username, password=password)
    except mqtt.MqttError as error:
        raise ProbeError(f"{where}: no CONNACK: {mqtt_failure(error)}") from error
    try:
        yield client, connack.code
    except mqtt.MqttError as error:
        raise ProbeError(f"{where}: {mqtt_failure(error)}") from error
    finally:
        if connack.code == 0:
            with suppress(mqtt.MqttError):
                client.disconnect()


def is_tls(error: ProbeError) -> bool:
    """Whether TLS is what failed below the error."""
    return isinstance(error.__cause__, ssl.SSLError)


def cause_text(error: ProbeError) -> str:
    """What failed below the error, without the endpoint that its message names; a TLS alert in its own words."""
    return reason(error.__cause__) if isinstance(error.__cause__, OSError) else str(error)


def mqtt_failure(error: mqtt.MqttError) -> str:
    """Why an MQTT conversation ended."""
    return f"the server ended TLS: {cause_text(error)}" if is_tls(error) else str(error)
