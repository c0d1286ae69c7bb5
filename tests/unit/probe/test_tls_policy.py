# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of protocols, suites and groups, and how each software is told."""

from __future__ import annotations

import ssl

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.bulwark.mqtt.plugins.filter.tls_policy import FilterModule
from ansible_collections.bulwark.mqtt.plugins.module_utils._tls_policy import PROFILES, policy

tls_policy = FilterModule().filters()["tls_policy"]
SOFTWARE = ["emqx", "mosquitto", "nginx", "openssl_conf"]
CLASSICAL = "X25519:prime256v1:secp384r1"


@pytest.mark.parametrize("software", SOFTWARE)
@pytest.mark.parametrize(
    ("openssl", "groups"),
    [
        pytest.param("3.0.17", CLASSICAL, id="debian-12"),
        pytest.param("3.4.1", CLASSICAL, id="before-3.5"),
        pytest.param("3.5.0", f"X25519MLKEM768:{CLASSICAL}", id="3.5"),
        pytest.param("3.6.0", f"X25519MLKEM768:{CLASSICAL}", id="debian-14"),
        pytest.param(None, CLASSICAL, id="unknown"),
        pytest.param("", CLASSICAL, id="empty"),
    ],
)
def test_the_hybrid_group_is_named_only_where_openssl_knows_it(software, openssl, groups):
    for profile in PROFILES:
        assert policy(profile=profile, software=software, openssl=openssl)["groups"] == groups


def test_mosquitto_is_told_the_minimum():
    assert tls_policy("intermediate", software="mosquitto")["tls_version"] == "tlsv1.2"
    assert tls_policy("modern", software="mosquitto")["tls_version"] == "tlsv1.3"


def test_nginx_is_told_a_list():
    assert tls_policy("intermediate", software="nginx")["protocols"] == "TLSv1.2 TLSv1.3"
    assert tls_policy("modern", software="nginx")["protocols"] == "TLSv1.3"


def test_emqx_is_told_suites_of_its_versions_only():
    modern = tls_policy("modern", software="emqx")
    assert modern["versions"] == ["tlsv1.3"]
    assert all(suite.startswith("TLS_") for suite in modern["suites"])
    assert tls_policy("intermediate", software="emqx")["versions"] == ["tlsv1.3", "tlsv1.2"]


def test_openssl_is_told_commands():
    settings = tls_policy("modern", software="openssl_conf", openssl="3.5.1")["settings"]
    assert settings["MinProtocol"] == "TLSv1.3"
    assert settings["Groups"].startswith("X25519MLKEM768:")


@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_every_suite_is_forward_secret_and_authenticates_what_it_encrypts(profile):
    chosen = policy(profile=profile, software="nginx", openssl=None)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers(chosen["ciphers"])
    known = {cipher["name"]: cipher for cipher in context.get_ciphers()}
    for name in chosen["ciphers"].split(":") + chosen["ciphersuites"].split(":"):
        assert known[name]["aead"], name
        assert known[name]["kea"] in ("kx-ecdhe", "kx-any"), name


def test_an_unknown_profile_is_an_error_that_names_what_is_known():
    with pytest.raises(AnsibleFilterError) as caught:
        tls_policy("old", software="mosquitto", openssl="3.0.17")
    assert str(caught.value) == "TLS profile 'old' is unknown; known are intermediate, modern"


def test_unknown_software_is_an_error_that_names_what_is_known():
    with pytest.raises(AnsibleFilterError) as caught:
        tls_policy("modern", software="haproxy")
    assert str(caught.value) == "tls_policy knows no software 'haproxy'; it knows emqx, mosquitto, nginx, openssl_conf"


def test_a_version_without_a_number_is_an_error():
    with pytest.raises(AnsibleFilterError) as caught:
        tls_policy("modern", software="mosquitto", openssl="unknown")
    assert str(caught.value) == "tls_policy: OpenSSL version 'unknown' does not begin with a number"
