# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is encoded in bulk is what the library builds, byte for byte."""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt

import pki_samples as samples
import pytest
from ansible_collections.bulwark.mqtt.plugins.module_utils._pki import (
    authority,
    build,
    certificates,
    crl,
    keys,
    ledger,
    responses,
)
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp

LIFETIME = dt.timedelta(days=7)
HASHES = {"sha1": hashes.SHA1(), "sha256": hashes.SHA256()}
SPEC = build.leaf_spec(profile="server", common_name="a.example.com", alternative_names=())


@pytest.fixture(scope="module", name="issuing", params=["ec-p256", "ec-p384", "ed25519", "rsa-3072"])
def fixture_issuing(request, tmp_path_factory):
    wanted = samples.wanted()
    wanted = dataclasses.replace(wanted, issuing=wanted.issuing._replace(key_type=request.param))
    ca = authority.create(tmp_path_factory.mktemp("answers") / "pki", wanted, now=samples.NOW)
    return ca.issuing.unlock(samples.PASSPHRASE)


@pytest.fixture(name="server")
def fixture_server(issuing):
    return build.certificate(SPEC, keys.generate("ec-p256").public_key(), issuing, now=samples.NOW)


def record(certificate, *, reason="", revoked=False):
    return ledger.Record(
        serial=certificates.serial_hex(certificate.serial_number),
        issuer="",
        profile="server",
        common_name="",
        names="",
        not_before=samples.NOW,
        not_after=samples.NOW,
        revoked=revoked,
        revoked_at=samples.NOW - dt.timedelta(days=1) if revoked else None,
        reason=reason,
    )


def plain(certificate, issuer, delegate, found, algorithm):
    """The response of the library, with an exception: it takes the time of the machine as that of the response."""
    start, end = crl.window(delegate.certificate, lifetime=LIFETIME, now=samples.NOW)
    builder = ocsp.OCSPResponseBuilder().add_response(
        cert=certificate,
        issuer=issuer,
        algorithm=HASHES[algorithm],
        cert_status=ocsp.OCSPCertStatus.REVOKED if found.revoked else ocsp.OCSPCertStatus.GOOD,
        this_update=start,
        next_update=end,
        revocation_time=found.revoked_at,
        revocation_reason=crl.FLAGS.get(found.reason) if found.revoked else None,
    )
    builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, delegate.certificate)
    return builder.certificates([delegate.certificate]).sign(delegate.key, keys.signature_hash(delegate.key))


@pytest.mark.parametrize("algorithm", responses.ALGORITHMS)
@pytest.mark.parametrize("reason", ["", "unspecified", *crl.FLAGS])
def test_a_response_is_what_the_library_builds(issuing, server, algorithm, reason):
    delegate = responses.delegate(issuing, lifetime=LIFETIME, now=samples.NOW)
    found = record(server, reason=reason, revoked=bool(reason))
    question = responses.Question(record=found, algorithm=algorithm)
    signer = responses.Signer(issuing.certificate, delegate, lifetime=LIFETIME, now=samples.NOW)
    made = ocsp.load_der_ocsp_response(*signer.answer([question]))
    expected = plain(server, issuing.certificate, delegate, found, algorithm)
    produced = expected.tbs_response_bytes.replace(_produced(expected), _produced(made), 1)
    assert made.tbs_response_bytes == produced
    assert made.signature_algorithm_oid == expected.signature_algorithm_oid
    assert made.certificates == expected.certificates == [delegate.certificate]
    verify(delegate, made)


def _produced(response):
    try:
        produced = response.produced_at_utc
    except AttributeError:
        produced = response.produced_at
    return f"{produced:%Y%m%d%H%M%SZ}".encode()


def verify(delegate, response):
    public_key, algorithm = delegate.certificate.public_key(), response.signature_hash_algorithm
    public_key.verify(response.signature, response.tbs_response_bytes, responses.keys.ec.ECDSA(algorithm))


@pytest.mark.parametrize("algorithm", responses.ALGORITHMS)
@pytest.mark.parametrize("serial", [1, 0x7F, 0x80, 2**159 - 1, 2**158])
def test_a_question_is_what_the_library_asks(issuing, algorithm, serial):
    builder = build.unsigned(SPEC, issuing.key.public_key(), issuing.certificate, now=samples.NOW)
    builder._serial_number = serial
    certificate = builder.sign(issuing.key, keys.signature_hash(issuing.key))
    asking = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuing.certificate, HASHES[algorithm])
    asked = asking.build()
    text = base64.b64encode(asked.public_bytes(serialization.Encoding.DER)).decode()
    issuer = responses.Issuer(issuing.certificate)
    path = issuer.request_path(certificates.serial_hex(serial), algorithm)
    assert path == "/".join(part for part in text.split("/") if part)
    assert issuer.key_hash(algorithm) == asked.issuer_key_hash


@pytest.mark.parametrize("response", [b"", b"0", b"\x30\x03\x0a\x01\x06", b"no response at all"])
def test_what_is_no_response_is_made_again(issuing, server, response):
    question = responses.Question(record=record(server), algorithm="sha1")
    issuer = responses.Issuer(issuing.certificate)
    found = responses.reasons(response, question, issuer, lifetime=LIFETIME, now=samples.NOW)
    assert found == ["the response cannot be read"]
    assert not responses.expired(response, now=samples.NOW)


def test_a_response_about_another_certificate_is_made_again(issuing, server):
    other = build.certificate(SPEC, keys.generate("ec-p256").public_key(), issuing, now=samples.NOW)
    delegate = responses.delegate(issuing, lifetime=LIFETIME, now=samples.NOW)
    signer = responses.Signer(issuing.certificate, delegate, lifetime=LIFETIME, now=samples.NOW)
    issuer = responses.Issuer(issuing.certificate)
    about = [responses.Question(record=record(one), algorithm="sha256") for one in (server, other)]
    asked = {"lifetime": LIFETIME, "now": samples.NOW}
    assert responses.reasons(*signer.answer([about[0]]), about[0], issuer, **asked) == []
    assert responses.reasons(*signer.answer([about[1]]), about[0], issuer, **asked) == [
        "the response is about another certificate"
    ]
    in_sha1 = dataclasses.replace(about[0], algorithm="sha1")
    assert responses.reasons(*signer.answer([in_sha1]), about[0], issuer, **asked) == [
        "the response is about another certificate"
    ]
