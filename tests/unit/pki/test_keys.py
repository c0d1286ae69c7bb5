# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.bulwark.mqtt.plugins.module_utils._pki import keys
from ansible_collections.bulwark.mqtt.plugins.module_utils._pki.errors import RefusedKeyError
from cryptography.hazmat.primitives.asymmetric import ec, rsa

SECRET = b"correct horse battery"


@pytest.mark.parametrize("key_type", keys.KEY_TYPES)
def test_a_key_of_every_type_comes_back_from_its_encrypted_file(key_type):
    key = keys.generate(key_type)
    pem = keys.to_pem(key, passphrase=SECRET)
    assert pem.startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
    again = keys.from_pem(pem, where="key.pem", passphrase=SECRET)
    assert keys.type_of(again.public_key()) == key_type
    assert keys.fingerprint(again.public_key()) == keys.fingerprint(key.public_key())


def test_a_type_that_is_not_known_is_refused():
    with pytest.raises(RefusedKeyError) as caught:
        keys.generate("rsa-1024")
    assert str(caught.value) == (
        "key_type 'rsa-1024' is unknown: use one of ec-p256, ec-p384, rsa-3072, rsa-4096, ed25519"
    )


@pytest.mark.parametrize(
    ("key", "key_type"),
    [
        pytest.param(rsa.generate_private_key(65537, 2048), "rsa-2048", id="short-rsa"),
        pytest.param(ec.generate_private_key(ec.SECP521R1()), "ec-secp521r1", id="other-curve"),
    ],
)
def test_keys_that_are_weak_or_unusual_are_not_certified(key, key_type):
    with pytest.raises(RefusedKeyError) as caught:
        keys.check_public(key.public_key())
    assert str(caught.value) == (
        f"a key of type {key_type} is refused: use one of ec-p256, ec-p384, rsa-3072, rsa-4096, ed25519"
    )


ENCRYPTED = keys.to_pem(keys.generate("ec-p256"), passphrase=SECRET)
CLEAR = keys.to_pem(keys.generate("ec-p256"))
DAMAGED = "key.pem is damaged: it is no private key in PEM form; restore it from a backup"


@pytest.mark.parametrize(
    ("pem", "passphrase", "message"),
    [
        pytest.param(
            ENCRYPTED, b"wrong", "key.pem cannot be opened: the passphrase is wrong, check passphrase", id="wrong"
        ),
        pytest.param(ENCRYPTED, None, "key.pem is encrypted: give its passphrase in passphrase", id="none"),
        pytest.param(b"", SECRET, DAMAGED, id="empty"),
        pytest.param(ENCRYPTED[: len(ENCRYPTED) // 2], SECRET, DAMAGED, id="truncated"),
        pytest.param(ENCRYPTED.replace(b"\n", b"", 3), SECRET, DAMAGED, id="header-run-into-the-body"),
        pytest.param(CLEAR.replace(CLEAR[40:60], b""), None, DAMAGED, id="bytes-missing"),
        pytest.param(b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n", None, DAMAGED, id="no-key"),
    ],
)
def test_what_is_wrong_with_a_key_file_is_said(pem, passphrase, message):
    with pytest.raises(RefusedKeyError) as caught:
        keys.from_pem(pem, where="key.pem", passphrase=passphrase)
    assert str(caught.value) == message


def test_a_short_passphrase_protects_no_new_key():
    with pytest.raises(RefusedKeyError) as caught:
        keys.check_passphrase("hunter2", what="passphrase")
    assert str(caught.value) == (
        "passphrase has 7 characters: use 12 or more, generated at random (for example: openssl rand -base64 24)"
    )


@pytest.mark.parametrize("key_type", keys.KEY_TYPES)
def test_a_key_in_der_is_known_by_its_public_key_alone(key_type):
    key, other = keys.generate(key_type), keys.generate(key_type)
    info = keys.info(key.public_key())
    assert keys.type_of_info(info) == key_type
    der = keys.plain(keys.to_pem(key), where="key.pem")
    assert keys.is_of(der, info)
    assert not keys.is_of(keys.plain(keys.to_pem(other), where="key.pem"), info)
    assert not keys.is_of(der[:40], info)


def test_what_is_no_public_key_has_no_type():
    # Its message is that of cryptography, whichever it is.
    with pytest.raises(ValueError, match=r"."):
        keys.type_of_info(b"\x30\x03abc")
