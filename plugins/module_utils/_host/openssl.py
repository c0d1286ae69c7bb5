# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""Questions to the `openssl` program (3.0 or later), so that a host needs no Python package for cryptography."""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
import re
import ssl
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from . import process
from .errors import CheckError, StoreError

_DECADES = 30 * 365 * 86400
_PASSPHRASE = "BULWARK_PASSPHRASE"
_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----\r?\n.*?-----END \1-----", re.DOTALL)


@dataclass(frozen=True)
class Certificate:
    """What the checks need to know of a certificate."""

    pem: bytes
    subject: str
    issuer: str
    serial: str
    not_before: dt.datetime
    not_after: dt.datetime
    names: tuple[str, ...]
    # As OpenSSL names them; empty when the extension is absent, which allows every usage (RFC 5280, 4.2.1.12).
    usages: tuple[str, ...]
    public_key: str

    @property
    def self_issued(self) -> bool:
        """Whether this is a root by its names."""
        return self.subject == self.issuer


@dataclass(frozen=True)
class Crl:
    """What the checks need to know of a certificate revocation list."""

    pem: bytes
    issuer: str
    last_update: dt.datetime
    next_update: dt.datetime


@dataclass(frozen=True)
class Ocsp:
    """What an OCSP response whose signature is good says of one certificate."""

    # good, revoked or unknown.
    status: str
    this_update: dt.datetime
    # None: newer information is always there (RFC 6960, 4.2.2.1).
    next_update: dt.datetime | None


@dataclass(frozen=True)
class Urls:
    """Where a certificate says that its status can be asked for."""

    ocsp: tuple[str, ...]
    crl: tuple[str, ...]


def blocks(pem: bytes, label: str) -> list[bytes]:
    """The PEM blocks with this label, each with a final newline."""
    return [match.group(0) + b"\n" for match in _BLOCK.finditer(pem) if match.group(1) == label.encode()]


def certificates(pem: bytes, *, source: str) -> list[Certificate]:
    """Every certificate in `pem`; CheckError names `source` for what OpenSSL cannot parse."""
    return [_certificate(block, source=source) for block in blocks(pem, "CERTIFICATE")]


def crls(pem: bytes, *, source: str) -> list[Crl]:
    """Every revocation list in `pem` with its facts; CheckError names `source` for what OpenSSL cannot parse."""
    found = []
    for block in blocks(pem, "X509 CRL"):
        arguments = ["crl", "-noout", "-issuer", "-nameopt", "RFC2253", "-lastupdate", "-nextupdate"]
        fields = _fields(_parsed(arguments, block, source=source, kind="a revocation list"))
        if fields["nextUpdate"] == "NONE":
            raise CheckError(
                f"{source}: the revocation list of {fields['issuer']} has no nextUpdate, which RFC 5280 requires"
            )
        found.append(Crl(block, fields["issuer"], _time(fields["lastUpdate"]), _time(fields["nextUpdate"])))
    return found


def crl_as_pem(content: bytes, *, source: str) -> bytes:
    """Revocation lists as PEM, whether they came as that or as one in DER (RFC 5280, 4.2.1.13, asks for DER)."""
    if blocks(content, "X509 CRL"):
        return content
    return _parsed(["crl", "-inform", "DER"], content, source=source, kind="a revocation list").encode()


def crl_details(pem: bytes, *, source: str) -> tuple[str, str]:
    """The key of the issuer, by which a CA with the name of another is told from it, and the text of all entries."""
    said = _parsed(["crl", "-noout", "-text"], pem, source=source, kind="a revocation list")
    key = re.search(r"X509v3 Authority Key Identifier: ?\n +(?:keyid:)?([0-9A-F:]+)$", said, re.MULTILINE)
    return key.group(1) if key else "", said.partition("Revoked Certificates")[2].partition("\n    Signature")[0]


def urls(pem: bytes, *, source: str) -> Urls:
    """The addresses in a certificate, of HTTP only."""
    arguments = ["x509", "-noout", "-ext", "authorityInfoAccess,crlDistributionPoints"]
    said = _parsed(arguments, pem, source=source, kind="a certificate")
    return Urls(
        ocsp=tuple(re.findall(r"^ *OCSP - URI:(http://\S+)$", said, re.MULTILINE)),
        crl=tuple(re.findall(r"^ +URI:(http://\S+)$", said, re.MULTILINE)),
    )


def ocsp_request(*, certificate: str, issuer: str, path: str) -> None:
    """Write the question for the status of a certificate to `path`, without a nonce: what can be answered in advance.

    Its CertID is with SHA-1, which every responder knows (RFC 9919, 3.1, leaves it to the client).
    """
    result = _run(["ocsp", "-issuer", issuer, "-cert", certificate, "-no_nonce", "-reqout", path])
    if result.returncode != 0:
        raise StoreError(f"{path}: OpenSSL does not write the OCSP request ({_last_line(result.stderr)})")


def public_key(key: bytes, *, source: str) -> str:
    """The public half of a private key as PEM; CheckError with a passphrase, which no service could ask for at boot."""
    kind = "a private key without a passphrase"
    return _parsed(["pkey", "-pubout", "-passin", "pass:"], key, source=source, kind=kind).strip()


def plain_key(key: bytes, *, passphrase: str, source: str) -> bytes:
    """A private key without its passphrase; CheckError when that does not open it."""
    kind = "a private key that the passphrase opens"
    secret = {_PASSPHRASE: passphrase}
    return _parsed(["pkey", "-passin", f"env:{_PASSPHRASE}"], key, source=source, kind=kind, secret=secret).encode()


def pkcs12(content: bytes, *, passphrase: str, source: str) -> bytes:
    """What a PKCS#12 file holds, as PEM, the key in clear; CheckError when the passphrase does not open it."""
    arguments = ["pkcs12", "-in", "/dev/stdin", "-passin", f"env:{_PASSPHRASE}", "-nodes"]
    secret = {_PASSPHRASE: passphrase}
    # What Windows and old Java export: RC2 and 3DES, which OpenSSL keeps in a provider of its own.
    legacy = _run([*arguments, "-legacy"], content, secret=secret)
    if legacy.returncode == 0:
        return legacy.stdout.encode()
    kind = "PKCS#12 that the passphrase opens"
    return _parsed(arguments, content, source=source, kind=kind, secret=secret).encode()


def verify(*, certificate: str, chain: str, roots: str, purpose: str) -> str:
    """Why the certificate file does not verify to `roots` for `purpose` (sslserver, sslclient); empty if it does."""
    # Security level 2 is what Debian's daemons demand: RSA 2048, no SHA-1.
    strict = ["-x509_strict", "-auth_level", "2", "-no-CApath", "-no-CAstore", "-purpose", purpose]
    untrusted = ["-untrusted", chain] if os.path.getsize(chain) else []
    result = _run(["verify", *strict, "-CAfile", roots, *untrusted, certificate])
    if result.returncode == 0:
        return ""
    reasons = re.findall(r"error \d+ at (\d+) depth lookup: ?(.*)", result.stderr)
    return "; ".join(f"{reason} (depth {depth})" for depth, reason in reasons) or _last_line(result.stderr)


def crl_signed_by(*, crl: str, issuer: str) -> bool:
    """Whether the revocation list's signature is the issuer's; OpenSSL's exit code does not say, its words do."""
    result = _run(["crl", "-in", crl, "-noout", "-CAfile", issuer, "-no-CApath", "-no-CAstore"])
    return "verify OK" in result.stderr


def ocsp(*, response: str, certificate: str, issuer: str, roots: str) -> Ocsp:
    """What the response in a file says of the certificate, signed by its issuer or by whom that delegated it to.

    CheckError is the reason alone: why this is no such response (RFC 6960, 3.2 and 4.2.2.2).
    """
    # Freshness is judged by who asks: OpenSSL would print its doubts into the middle of the answer.
    arguments = ["ocsp", "-respin", response, "-no_nonce", "-issuer", issuer, "-cert", certificate]
    arguments += ["-validity_period", str(_DECADES), "-CAfile", roots, "-verify_other", issuer]
    result = _run([*arguments, "-no-CApath", "-no-CAstore"])
    refused = re.search(r"^Responder Error: (\w+)", result.stdout, re.MULTILINE)
    if refused:
        raise CheckError(f"the responder answered {refused.group(1)}")
    if "Error reading OCSP response" in result.stdout + result.stderr:
        raise CheckError("it is not an OCSP response")
    if "Response verify OK" not in result.stderr:
        raise CheckError(f"its signature does not verify ({_reason(result.stderr)})")
    said = re.search(re.escape(certificate) + r": (good|revoked|unknown)$", result.stdout, re.MULTILINE)
    if said is None:
        raise CheckError("it is not for this certificate")
    times = dict(re.findall(r"^\t(This|Next) Update: (.*)$", result.stdout, re.MULTILINE))
    return Ocsp(said.group(1), _time(times["This"]), _time(times["Next"]) if "Next" in times else None)


def covers(pattern: str, name: str) -> bool:
    """Whether a subject alternative name covers a host name or address (RFC 9525, 6.3: a wildcard is one label)."""
    try:
        return ipaddress.ip_address(pattern) == ipaddress.ip_address(name)
    except ValueError:
        pass
    pattern, name = pattern.lower(), name.lower()
    if pattern.startswith("*."):
        return name.partition(".")[2] == pattern[2:]
    return pattern == name


def _certificate(pem: bytes, *, source: str) -> Certificate:
    arguments = ["x509", "-noout", "-subject", "-issuer", "-serial", "-dates", "-nameopt", "RFC2253", "-pubkey"]
    said = _parsed([*arguments, "-ext", "subjectAltName,extendedKeyUsage"], pem, source=source, kind="a certificate")
    fields = _fields(said)
    return Certificate(
        pem=pem,
        subject=fields["subject"],
        issuer=fields["issuer"],
        # OpenSSL leaves out octets of zero in front; all else here has 40 digits, so that serials compare as text.
        serial=fields["serial"].zfill(40),
        not_before=_time(fields["notBefore"]),
        not_after=_time(fields["notAfter"]),
        names=tuple(
            name.partition(":")[2]
            for name in _extension(said, "Subject Alternative Name")
            if name.startswith(("DNS:", "IP Address:"))
        ),
        usages=tuple(_extension(said, "Extended Key Usage")),
        public_key=blocks(said.encode(), "PUBLIC KEY")[0].decode().strip(),
    )


def _extension(said: str, name: str) -> list[str]:
    match = re.search(rf"^X509v3 {name}:.*\n +(.*)$", said, re.MULTILINE)
    return match.group(1).strip().split(", ") if match else []


def _fields(said: str) -> dict[str, str]:
    return dict(re.findall(r"^([A-Za-z]+)=(.*)$", said, re.MULTILINE))


def _time(text: str) -> dt.datetime:
    return dt.datetime.fromtimestamp(ssl.cert_time_to_seconds(text), tz=dt.timezone.utc)


def _parsed(
    arguments: Sequence[str], content: bytes, *, source: str, kind: str, secret: Mapping[str, str] | None = None
) -> str:
    result = _run(arguments, content, secret=secret)
    if result.returncode != 0:
        raise CheckError(f"{source}: is not {kind} that OpenSSL reads ({_last_line(result.stderr)})")
    return result.stdout


def _run(
    arguments: Sequence[str], content: bytes = b"", *, secret: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run openssl in English, and without a service's OPENSSL_CONF; only root and itself read its environment."""
    environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", **(secret or {})}
    try:
        return process.run(["openssl", *arguments], content=content, environment=environment)
    except FileNotFoundError:
        raise StoreError("openssl: the program is not installed; install the package openssl") from None


def _reason(text: str) -> str:
    """The first reason on OpenSSL's error stack, which is nearest to the cause, without file, function and thread."""
    match = re.search(r":error:[0-9A-F]+:[^:]*:[^:]*:([^:]*):[^:]*:\d+:(?:Verify error: )?(.*)$", text, re.MULTILINE)
    return (match.group(2) or match.group(1)) if match else _last_line(text)


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "without saying why"
