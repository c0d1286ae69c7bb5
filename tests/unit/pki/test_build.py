# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime as dt

import pki_samples as samples
import pytest
from ansible_collections.bulwark.mqtt.plugins.module_utils._pki import build, certificates, keys, profiles
from ansible_collections.bulwark.mqtt.plugins.module_utils._pki.errors import (
    AuthorityError,
    RefusedKeyError,
    RefusedRequestError,
)
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

NOW = samples.NOW
HOUR = dt.timedelta(hours=1)
ROOT_KEY = keys.generate("ec-p384")
ROOT = build.root(build.Spec(profile=profiles.get("root"), common_name="Root"), ROOT_KEY, now=NOW)
SIGNER = build.Signer(certificate=ROOT, key=ROOT_KEY)


def leaf(profile="server", **changes):
    spec = build.Spec(**{"profile": profiles.get(profile), "common_name": "a.example.com", **changes})
    return build.certificate(spec, keys.generate("ec-p256").public_key(), SIGNER, now=NOW)


def extension(certificate, kind):
    return certificate.extensions.get_extension_for_class(kind)


@pytest.mark.parametrize(
    ("profile", "usage", "extended", "days"),
    [
        ("root", ("key_cert_sign", "crl_sign"), (), 7300),
        ("issuing", ("key_cert_sign", "crl_sign"), (), 1825),
        ("server", ("digital_signature",), (profiles.SERVER_AUTH,), 90),
        ("client", ("digital_signature",), (profiles.CLIENT_AUTH,), 365),
        ("ocsp_signer", ("digital_signature",), (profiles.OCSP_SIGNING,), 30),
        ("cluster_node", ("digital_signature",), (profiles.SERVER_AUTH, profiles.CLIENT_AUTH), 90),
    ],
)
def test_a_profile_fixes_usage_and_lifetime(profile, usage, extended, days):
    certificate = ROOT if profile == "root" else leaf(profile)
    constraints = extension(certificate, x509.BasicConstraints)
    assert constraints.critical
    assert constraints.value.ca == (profile in ("root", "issuing"))
    assert constraints.value.path_length == (0 if profile == "issuing" else None)
    assert extension(certificate, x509.KeyUsage).critical
    assert certificates.key_usage(certificate) == usage
    assert certificates.extended_usage(certificate) == extended
    assert certificates.not_before(certificate) == NOW - HOUR
    assert certificates.not_after(certificate) == NOW + dt.timedelta(days=days, seconds=-1)


def test_only_the_signer_of_ocsp_responses_is_exempt_from_revocation_checks():
    assert extension(leaf("ocsp_signer"), x509.OCSPNoCheck)
    with pytest.raises(x509.ExtensionNotFound):
        extension(leaf("server"), x509.OCSPNoCheck)


def test_a_serial_is_positive_random_and_at_most_20_octets_long():
    serials = {leaf().serial_number for _ in range(50)}
    assert len(serials) == 50
    assert all(0 < serial < 2**159 for serial in serials)
    # 50 numbers below 2**152 would be chance in one of 2**350 runs.
    assert max(serials) > 2**152


def test_no_serial_makes_a_question_end_with_a_slash(monkeypatch):
    drawn = iter([0x7F, 0x3F, 0x40])
    monkeypatch.setattr(x509, "random_serial_number", lambda: next(drawn))
    assert certificates.random_serial() == 0x40


def test_the_key_identifiers_lead_from_the_leaf_to_its_issuer():
    assert certificates.issuer_key_id(leaf()) == certificates.key_id(ROOT) == certificates.issuer_key_id(ROOT)


def test_the_urls_are_in_the_certificate_when_there_are_any():
    urls = build.Urls(ocsp="http://o.example/", ca_issuers="http://i.example/ca.der", crl="http://c.example/ca.crl")
    assert certificates.access_urls(leaf(urls=urls)) == {
        "ocsp": ("http://o.example/",),
        "ca_issuers": ("http://i.example/ca.der",),
        "crl": ("http://c.example/ca.crl",),
    }
    assert certificates.access_urls(leaf()) == {"ocsp": (), "ca_issuers": (), "crl": ()}


def test_no_certificate_outlives_its_issuer():
    assert certificates.not_after(leaf(lifetime=dt.timedelta(days=9000))) == certificates.not_after(ROOT)


@pytest.mark.parametrize("now", [NOW - 2 * HOUR, NOW + dt.timedelta(days=7300)], ids=["clock-set-back", "expired"])
def test_a_ca_that_is_not_valid_signs_nothing(now):
    spec = build.Spec(profile=profiles.get("server"), common_name="a")
    with pytest.raises(AuthorityError) as caught:
        build.certificate(spec, ROOT_KEY.public_key(), SIGNER, now=now)
    assert str(caught.value) == (
        f"Root cannot issue at {now:%Y-%m-%dT%H:%M:%SZ}: it is valid from 2026-11-23T11:00:00Z to "
        "2046-11-18T11:59:59Z; check the clock, or replace the CA"
    )


def pem(csr):
    return csr.public_bytes(serialization.Encoding.PEM).decode()


def test_the_public_key_of_a_genuine_request_is_believed():
    key = keys.generate("ed25519")
    assert keys.fingerprint(build.public_key_of_request(samples.csr(key))) == keys.fingerprint(key.public_key())


def test_a_request_with_another_keys_signature_is_refused():
    der = bytearray(
        x509.load_pem_x509_csr(samples.csr(keys.generate("ec-p256")).encode()).public_bytes(serialization.Encoding.DER)
    )
    der[-1] ^= 1
    with pytest.raises(RefusedRequestError) as caught:
        build.public_key_of_request(pem(x509.load_der_x509_csr(bytes(der))))
    assert str(caught.value) == "the signature of the signing request does not match its key: make a new request"


@pytest.mark.parametrize(
    "text", ["", "nonsense", "-----BEGIN CERTIFICATE REQUEST-----\nMAA=\n-----END CERTIFICATE REQUEST-----\n"]
)
def test_what_is_no_request_is_refused(text):
    with pytest.raises(RefusedRequestError) as caught:
        build.public_key_of_request(text)
    assert str(caught.value) == "the signing request cannot be read: give one in PEM form (PKCS#10)"


def test_a_request_with_a_short_rsa_key_is_refused():
    key = rsa.generate_private_key(65537, 1024)  # noqa: S505  (refusing it is the point)
    with pytest.raises(RefusedKeyError) as caught:
        build.public_key_of_request(samples.csr(key))
    assert str(caught.value) == (
        "a key of type rsa-1024 is refused: use one of ec-p256, ec-p384, rsa-3072, rsa-4096, ed25519"
    )
