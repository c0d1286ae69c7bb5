# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import datetime as dt
import subprocess

import pki_samples as samples
import pytest
from ansible_collections.bulwark.mqtt.plugins.module_utils._pki import (
    authority,
    build,
    certificates,
    keys,
    names,
    profiles,
)
from ansible_collections.bulwark.mqtt.plugins.module_utils._pki.drift import drift
from ansible_collections.bulwark.mqtt.plugins.module_utils._pki.errors import PkiError
from cryptography import x509

# OpenSSL judges by the clock of the machine.
NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)
PERMITTED = names.parse_constraints(["Example.com", "broker"], ["192.0.2.0/24"])


def constrained(permitted=PERMITTED):
    wanted = samples.wanted()
    return dataclasses.replace(wanted, issuing=wanted.issuing._replace(constraints=permitted))


@pytest.fixture(scope="session", name="template")
def fixture_template(tmp_path_factory):
    directory = tmp_path_factory.mktemp("constrained") / "pki"
    authority.create(directory, constrained(), now=NOW)
    return directory


def issue(directory, **parts):
    [result] = samples.issue_at(authority.load(directory), samples.request(**parts), now=NOW)
    return result.certificate


def refusal(function, *arguments, **named):
    with pytest.raises(PkiError) as caught:
        function(*arguments, **named)
    return str(caught.value)


def verify(directory, certificate):
    ca = directory.parent / "ca.pem"
    ca.write_text(authority.load(directory).bundle)
    command = ["openssl", "verify", "-x509_strict", "-CAfile", ca]
    result = subprocess.run(
        command, input=certificates.to_pem(certificate), capture_output=True, text=True, check=False
    )
    return result.returncode, result.stdout + result.stderr


def test_the_extension_is_critical_and_says_what_was_asked_for(directory):
    issuing = authority.load(directory).issuing.certificate
    extension = issuing.extensions.get_extension_for_class(x509.NameConstraints)
    assert extension.critical
    assert extension.value.excluded_subtrees is None
    assert certificates.constraints(issuing) == names.Constraints(("broker", "example.com"), ("192.0.2.0/24",))


def test_without_networks_every_address_is_excluded(tmp_path):
    permitted = names.parse_constraints(["example.com"], [])
    made = authority.create(tmp_path / "pki", constrained(permitted), now=NOW)
    extension = made.issuing.certificate.extensions.get_extension_for_class(x509.NameConstraints).value
    assert [str(name.value) for name in extension.excluded_subtrees] == ["0.0.0.0/0", "::/0"]
    assert certificates.constraints(made.issuing.certificate) == permitted
    assert refusal(issue, tmp_path / "pki") == (
        "a/mqtt: issuing-1 may not certify 192.0.2.1: its name constraints permit example.com; ask for other names, "
        "or roll over to an issuing CA that may"
    )


@pytest.mark.parametrize("profile", profiles.REQUESTABLE)
def test_openssl_accepts_what_is_within(directory, profile):
    certificate = issue(directory, profile=profile, names=("a.example.com", "broker", "192.0.2.1"))
    assert verify(directory, certificate) == (0, "stdin: OK\n")


@pytest.mark.parametrize(
    ("parts", "outside"),
    [
        ({"names": ("a.example.com", "a.example.net")}, "a.example.net"),
        ({"names": ("badexample.com",)}, "badexample.com"),
        ({"names": ("*.example.org",), "common_name": "a.example.com"}, "*.example.org"),
        ({"names": ("broker", "198.51.100.1", "2001:db8::1")}, "198.51.100.1, 2001:db8::1"),
        ({"profile": "client", "common_name": "a.example.net", "names": ()}, "a.example.net"),
        ({"common_name": "meter", "names": ()}, "meter"),
    ],
)
def test_what_is_outside_is_refused_before_anything_is_signed(directory, parts, outside):
    assert refusal(issue, directory, **parts) == (
        f"a/mqtt: issuing-1 may not certify {outside}: its name constraints permit broker, example.com, 192.0.2.0/24; "
        "ask for other names, or roll over to an issuing CA that may"
    )
    assert samples.sql(directory / "ledger.sqlite", "SELECT 1 FROM certificate WHERE profile = 'server'") == []


def test_openssl_refuses_what_this_code_refuses(directory):
    ca = authority.load(directory)
    for outside in (["a.example.net"], ["badexample.com"], ["198.51.100.1"]):
        spec = build.leaf_spec(profile="server", common_name="a", alternative_names=outside)
        certificate = build.certificate(
            spec, keys.generate("ec-p256").public_key(), ca.issuing.unlock(samples.PASSPHRASE), now=NOW
        )
        code, text = verify(directory, certificate)
        assert code == 2
        assert "permitted subtree violation" in text


def test_a_client_whose_name_is_no_host_name_gets_it_as_a_urn(directory):
    key = keys.generate("ec-p256")
    certificate = issue(directory, key=key, profile="client", common_name="meter-0815", names=())
    assert str(certificates.alternative_names(certificate)) == "urn:bulwark:meter-0815"
    assert verify(directory, certificate) == (0, "stdin: OK\n")
    again = issue(directory, key=key, profile="client", common_name="meter-0815", names=())
    assert again == certificate
    # The host that asks does not know about it.
    asked = build.leaf_spec(profile="client", common_name="meter-0815", alternative_names=())
    assert drift(certificate, asked, now=NOW) == []


def test_a_ca_with_other_constraints_is_a_difference(directory):
    assert authority.differences(authority.load(directory), constrained(), now=NOW) == []
    assert authority.differences(authority.load(directory), samples.wanted(), now=NOW) == [
        f"{directory}/issuing-1: name constraint differs: it has broker, example.com, 192.0.2.0/24, wanted is none"
    ]


@pytest.mark.parametrize(
    ("dns", "networks", "expected"),
    [
        (
            [".example.com"], [],
            ("permitted_dns '.example.com' is refused: give the domain alone, such as example.com, which permits "
                "itself "
            "and all that is below it"),
        ),
        (
            ["*.example.com"], [],
            ("permitted_dns '*.example.com' is refused: give the domain alone, such as example.com, which permits "
                "itself "
            "and all that is below it"),
        ),
        (["192.0.2.1"], [], "permitted_dns '192.0.2.1' is refused: it is an address, give it in permitted_addresses"),
        (
            ["example.com"], ["192.0.2.1/24"],
            ("permitted_addresses '192.0.2.1/24' is refused (192.0.2.1/24 has host bits set): give networks such as "
            "192.0.2.0/24"),
        ),
        (
            [], ["192.0.2.0/24"],
            ("permitted_addresses 192.0.2.0/24 without permitted_dns would permit every name: give the domains of "
            "brokers and clients in permitted_dns as well"),
        ),
    ],
)  # fmt: skip
def test_what_is_no_domain_or_network_is_refused(dns, networks, expected):
    assert refusal(names.parse_constraints, dns, networks) == expected
