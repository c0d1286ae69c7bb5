# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates that somebody bought, in whatever form and order."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from ansible_collections.bulwark.mqtt.plugins.module_utils._host import provided
from ansible_collections.bulwark.mqtt.plugins.module_utils._host.errors import CheckError
from ansible_collections.bulwark.mqtt.plugins.modules import provided_certificate
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12

NAME = "broker.example"


def found_in(certificates: bytes, leaf: Any) -> provided.Provided:
    return provided.sort(certificates, key=leaf.key, passphrase="", source="private_key")


def exported(pki: Any, leaf: Any, algorithm: Any) -> bytes:
    return pkcs12.serialize_key_and_certificates(
        b"broker", leaf.private_key, leaf.certificate, [pki.root.certificate, pki.issuing.certificate], algorithm
    )


def test_the_certificate_is_the_one_of_the_key_wherever_it_stands(pki: Any) -> None:
    leaf = pki.server(NAME)
    found = found_in(pki.root.pem + pki.issuing.pem + leaf.pem, leaf)
    assert (found.certificate, found.chain) == (leaf.pem, pki.root.pem + pki.issuing.pem)


def test_a_key_of_another_certificate_is_refused(pki: Any) -> None:
    with pytest.raises(CheckError) as refused:
        found_in(pki.server(NAME).pem, pki.server(NAME))
    assert str(refused.value) == (
        f"private_key: no certificate belongs to the private key (certificates: CN={NAME}); give its own"
    )


def test_pkcs12_is_read_with_its_passphrase(pki: Any) -> None:
    leaf = pki.server(NAME)
    content = exported(pki, leaf, serialization.BestAvailableEncryption(b"secret"))
    certificates, key = provided.from_pkcs12(content, passphrase="secret", source="pkcs12")
    found = provided.sort(certificates, key=key, passphrase="", source="pkcs12")
    assert (found.certificate, key) == (leaf.pem, leaf.key)


def test_pkcs12_of_old_windows_is_read(pki: Any) -> None:
    leaf = pki.server(NAME)
    old = serialization.PrivateFormat.PKCS12.encryption_builder().key_cert_algorithm(
        pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC
    )
    content = exported(pki, leaf, old.build(b"secret"))
    assert provided.from_pkcs12(content, passphrase="secret", source="pkcs12")[1] == leaf.key


def test_a_wrong_passphrase_is_said_to_be_wrong(pki: Any) -> None:
    content = exported(pki, pki.server(NAME), serialization.BestAvailableEncryption(b"secret"))
    with pytest.raises(CheckError, match=r"^pkcs12: is not PKCS#12 that the passphrase opens that OpenSSL reads \("):
        provided.from_pkcs12(content, passphrase="wrong", source="pkcs12")


def test_a_key_with_a_passphrase_is_opened(pki: Any) -> None:
    leaf = pki.server(NAME)
    key = leaf.private_key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    assert provided.sort(leaf.pem, key=key, passphrase="secret", source="private_key").key == leaf.key


@pytest.mark.parametrize(
    ("issued", "days", "noted"),
    [
        pytest.param("2026-03-14", 398, False, id="before-the-limits"),
        pytest.param("2026-11-01", 200, False, id="at-the-limit"),
        pytest.param("2026-11-01", 201, True, id="over-the-limit"),
        pytest.param("2027-03-15", 101, True, id="over-the-next-limit"),
        pytest.param("2029-03-15", 47, False, id="at-the-last-limit"),
    ],
)
def test_a_lifetime_that_no_public_ca_may_issue_is_explained(issued: str, days: int, noted: bool) -> None:
    not_before = dt.datetime.fromisoformat(f"{issued}T12:00:00+00:00")
    found = provided.Provided(b"", b"", b"", dt.timedelta(days=days), not_before)
    note = (
        f"it is valid for {days} days, which no public CA may issue (at most 200 from 2026-03-15, 100 from 2027-03-15,"
        " 47 from 2029-03-15): who enforces that refuses it; a private CA's is fine"
    )
    assert provided.lifetime_note(found) == (note if noted else "")


def test_content_that_is_not_base64_names_the_remedy() -> None:
    params = {"pkcs12": "not base64", "pkcs12_path": None, "passphrase": "", "chain": ""}
    with pytest.raises(
        provided_certificate.StoreError, match=r"^pkcs12: is not Base64 \(.*\); give the file in Base64$"
    ):
        provided_certificate.ensure({**params, "lineage": "mqtt"}, check_mode=False)
