# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime as dt
import functools

import pki_samples as samples
import pytest
from ansible_collections.bulwark.mqtt.plugins.module_utils._pki import (
    build,
    certificates,
    drift,
    keys,
    names,
    profiles,
    template,
)
from cryptography import x509

URLS = build.Urls(
    ocsp="http://pki.example.com/ocsp",
    ca_issuers="http://pki.example.com/ca/issuing-1.crt",
    crl="http://pki.example.com/" + "a-long-path/" * 12 + "crl/issuing-1.crl",
)
SPEC = build.leaf_spec(profile="client", common_name="meter-0001", alternative_names=())


@functools.lru_cache
def signer(key_type="ec-p256"):
    key = keys.generate(key_type)
    spec = build.Spec(profile=profiles.get("issuing"), common_name="Issuing CA", organization="Example")
    return build.Signer(certificate=build.root(spec, key, now=samples.NOW), key=key)


SIGNER = signer()


def spec(**changes):
    return SPEC._replace(issuer_key_id=certificates.key_id(SIGNER.certificate), urls=build.Urls(), **changes)


def made(by, wanted, public_key, serial, now=samples.NOW):
    form = template.Template(wanted, by.certificate, now=now)
    (signed,) = form.sign(by.key, [serial], [subject(wanted, public_key)])
    return signed


def subject(wanted, public_key):
    return template.Subject(wanted.common_name, wanted.names, keys.info(public_key))


@pytest.mark.parametrize("issuer", keys.KEY_TYPES)
@pytest.mark.parametrize(
    ("key_type", "wanted"),
    [
        pytest.param("ec-p256", SPEC, id="as-short-as-it-gets"),
        pytest.param("ec-p384", SPEC._replace(urls=URLS), id="long-urls"),
        pytest.param("ed25519", SPEC._replace(common_name="7" * 64, names=names.of_common_name("7" * 64)), id="a-urn"),
        pytest.param(
            "rsa-3072",
            SPEC._replace(names=names.parse(["b.example.com", "*.a.example.com", "192.0.2.1", "2001:db8::1"])),
            id="several-names",
        ),
        pytest.param("ec-p256", SPEC._replace(organization="Example Énergie"), id="an-organization"),
        pytest.param("ec-p256", SPEC._replace(profile=profiles.get("cluster_node")), id="another-profile"),
        pytest.param("ec-p256", SPEC._replace(lifetime=dt.timedelta(days=1)), id="a-lifetime"),
        pytest.param("ec-p256", SPEC._replace(lifetime=dt.timedelta(days=36500)), id="longer-than-the-issuer"),
    ],
)
def test_a_certificate_is_to_the_byte_what_the_builder_makes(issuer, key_type, wanted):
    by = signer(issuer)
    public_key = keys.generate(key_type).public_key()
    expected = build.certificate(wanted, public_key, by, now=samples.NOW)
    found = x509.load_der_x509_certificate(made(by, wanted, public_key, expected.serial_number))
    assert found.tbs_certificate_bytes == expected.tbs_certificate_bytes
    assert found.signature_algorithm_oid == expected.signature_algorithm_oid
    samples.verify(found, by.certificate.public_key())


@pytest.mark.parametrize("serial", [1, 0x7F, 0x80, 0xFF, 0x100, 2**158, 2**159 - 1])
def test_a_serial_is_positive_and_as_short_as_it_can_be(serial):
    public_key = keys.generate("ec-p256").public_key()
    found = x509.load_der_x509_certificate(made(SIGNER, SPEC, public_key, serial))
    assert found.serial_number == serial


@pytest.mark.parametrize("year", [2026, 2049, 2050, 2060])
def test_the_form_of_the_dates_is_that_of_their_year(year):
    now = dt.datetime(year, 6, 1, tzinfo=dt.UTC)
    key = keys.generate("ec-p256")
    root = build.root(build.Spec(profile=profiles.get("root"), common_name="R"), key, now=now)
    by = build.Signer(certificate=root, key=key)
    expected = build.certificate(SPEC, key.public_key(), by, now=now)
    found = x509.load_der_x509_certificate(made(by, SPEC, key.public_key(), expected.serial_number, now=now))
    assert found.tbs_certificate_bytes == expected.tbs_certificate_bytes


def fits(der, wanted):
    form = template.Template(wanted, SIGNER.certificate, now=samples.NOW)
    return form.fits(der, common_name=wanted.common_name, names=wanted.names)


def test_a_certificate_of_another_day_fits():
    key = keys.generate("ec-p256").public_key()
    earlier = samples.NOW - dt.timedelta(minutes=10)
    root = build.root(build.Spec(profile=profiles.get("root"), common_name="R"), SIGNER.key, now=earlier)
    older = build.certificate(spec(), key, build.Signer(certificate=root, key=SIGNER.key), now=earlier)
    form = template.Template(spec(), root, now=samples.NOW)
    assert form.fits(certificates.to_der(older), common_name=SPEC.common_name, names=SPEC.names)


@pytest.mark.parametrize(
    "changes",
    [
        {"common_name": "meter-0002"},
        {"names": names.parse(["b.example.com"])},
        {"organization": "Example"},
        {"profile": profiles.get("cluster_node")},
        {"urls": URLS},
    ],
)
def test_what_does_not_fit_has_drifted_and_what_fits_has_not(changes):
    certificate = build.certificate(spec(), keys.generate("ec-p256").public_key(), SIGNER, now=samples.NOW)
    der = certificates.to_der(certificate)
    assert fits(der, spec())
    assert drift.drift(certificate, spec(), now=samples.NOW) == []
    changed = spec()._replace(**changes)
    assert not fits(der, changed)
    assert drift.drift(certificate, changed, now=samples.NOW) != []


@pytest.mark.parametrize("der", [b"", b"0", b"\x30\x82", b"\x30\x03\x02\x01\x01", b"no certificate at all"])
def test_what_is_no_certificate_fits_nothing(der):
    assert not fits(der, spec())


def test_text_without_reading_is_the_same_text():
    certificate = build.certificate(SPEC, keys.generate("rsa-3072").public_key(), SIGNER, now=samples.NOW)
    assert certificates.der_to_pem(certificates.to_der(certificate)).decode() == certificates.to_pem(certificate)
