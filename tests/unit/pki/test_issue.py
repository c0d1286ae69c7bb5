# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime as dt

import pki_samples as samples
import pytest
from ansible_collections.bulwark.mqtt.plugins.module_utils._pki import authority, certificates, issue, keys
from ansible_collections.bulwark.mqtt.plugins.module_utils._pki.errors import RefusedKeyError, RefusedRequestError
from ansible_collections.bulwark.mqtt.plugins.module_utils._pki.passphrase import Passphrase
from cryptography import x509

WRONG = Passphrase("not the passphrase", "passphrase")


def refusal(directory, *requests):
    with pytest.raises(RefusedRequestError) as caught:
        samples.issue_at(authority.load(directory), *requests)
    return str(caught.value)


def serials(directory):
    return {row["serial"] for row in samples.sql(directory / "ledger.sqlite", "SELECT serial FROM certificate")}


def test_a_request_is_answered_once_and_then_from_the_ledger(directory):
    request = samples.request()
    loaded = authority.load(directory)
    (first,) = samples.issue_at(loaded, request)
    (second,) = samples.issue_at(loaded, request)
    assert first.reasons == ("no certificate was issued for this key yet",)
    assert second.reasons == ()
    assert second.certificate == first.certificate


def test_the_names_are_those_of_the_task_not_those_of_the_request(directory):
    key = keys.generate("ec-p256")
    (result,) = samples.issue_at(authority.load(directory), samples.request(csr=samples.csr(key, "evil.example")))
    assert certificates.common_name(result.certificate) == "a.example.com"
    assert str(certificates.alternative_names(result.certificate)) == "a.example.com, 192.0.2.1"


def test_a_request_for_a_ca_gets_a_leaf(directory):
    key = keys.generate("ec-p256")
    liar = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([]))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, keys.signature_hash(key))
    )
    pem = liar.public_bytes(certificates.serialization.Encoding.PEM).decode()
    (result,) = samples.issue_at(authority.load(directory), samples.request(csr=pem))
    assert not result.certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


@pytest.mark.parametrize("names", [(), ("a.example.com",)])
def test_a_client_always_has_an_alternative_name(directory, names):
    request = samples.request(profile="client", common_name="a.example.com", names=names)
    (result,) = samples.issue_at(authority.load(directory), request)
    assert str(certificates.alternative_names(result.certificate)) == "a.example.com"


def test_the_ca_key_is_opened_only_when_something_is_signed(directory):
    request = samples.request()
    loaded = authority.load(directory)
    samples.issue_at(loaded, request)
    samples.issue_at(loaded, request, passphrase=WRONG)
    with pytest.raises(RefusedKeyError) as caught:
        samples.issue_at(loaded, samples.request("b/mqtt"), passphrase=WRONG)
    assert str(caught.value) == (
        f"{directory}/issuing-1/key.pem cannot be opened: the passphrase is wrong, check passphrase"
    )


def test_it_is_renewed_when_a_third_of_the_lifetime_is_left(directory):
    request = samples.request()
    loaded = authority.load(directory)
    (first,) = samples.issue_at(loaded, request)
    later = samples.NOW + dt.timedelta(days=60)
    (second,) = samples.issue_at(loaded, request, now=later)
    (third,) = samples.issue_at(loaded, request, now=later)
    assert second.reasons == ("one third of the lifetime or less is left: it expires at 2027-02-21T11:59:59Z",)
    assert second.certificate.serial_number != first.certificate.serial_number
    assert third.certificate == second.certificate
    assert third.reasons == ()


def test_a_shorter_lifetime_issues_once_though_the_old_certificate_outlives_the_new_one(directory):
    request = samples.request()
    loaded = authority.load(directory)
    (first,) = samples.issue_at(loaded, request)
    shorter = issue.Policy(lifetimes={"server": dt.timedelta(days=30)})
    (second,) = samples.issue_at(loaded, request, policy=shorter)
    (third,) = samples.issue_at(loaded, request, policy=shorter)
    assert second.reasons == ("it is valid for 90d, longer than 30d",)
    assert certificates.not_after(second.certificate) < certificates.not_after(first.certificate)
    assert third.certificate == second.certificate
    assert third.reasons == ()


def test_a_plan_says_the_same_and_signs_nothing(directory):
    request = samples.request()
    loaded = authority.load(directory)
    before = serials(directory)
    (planned,) = issue.plan(loaded, [request], policy=samples.POLICY, now=samples.NOW)
    assert planned.certificate is None
    assert serials(directory) == before
    (issued,) = samples.issue_at(loaded, request)
    assert planned.reasons == issued.reasons


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({"csr": ""}, "there is no key yet", id="without-a-key"),
        pytest.param({}, "there is no CA yet", id="without-a-ca"),
    ],
)
def test_a_plan_copes_with_what_is_not_there_yet(directory, changes, reason):
    loaded = None if "CA" in reason else authority.load(directory)
    (planned,) = issue.plan(loaded, [samples.request(**changes)], policy=samples.POLICY, now=samples.NOW)
    assert planned.reasons == (reason,)


def test_nothing_is_signed_without_a_key(directory):
    assert refusal(directory, samples.request(csr="")) == (
        "a/mqtt: the signing request is empty; make one with pki_request, not in check mode"
    )


def test_a_key_of_another_type_than_asked_for_is_refused(directory):
    assert refusal(directory, samples.request(key_type="rsa-3072")) == (
        "a/mqtt: its key is of type ec-p256, key_type is rsa-3072"
    )


def test_two_hosts_with_one_key_are_refused(directory):
    key = keys.generate("ec-p256")
    requests = samples.request("a/mqtt", key=key), samples.request("b/mqtt", key=key)
    assert refusal(directory, *requests) == "a/mqtt and b/mqtt: they use the same key; remove it on all but one"


def test_every_refused_request_is_named_and_none_is_granted(directory):
    before = serials(directory)
    good = samples.request("good/mqtt")
    found = refusal(
        directory, good, good, samples.request("c/mqtt", common_name="a/b"), samples.request("d/mqtt", profile="root")
    )
    assert found == (
        "good/mqtt: asked for 2 times; "
        "c/mqtt: common_name 'a/b' (3 characters, by default the first of the names) is refused: give one of 1 to 64 "
        "of the characters A-Z a-z 0-9 . _ -; "
        "d/mqtt: profile 'root' is unknown: use one of server, client, cluster_node"
    )
    assert serials(directory) == before


def test_two_runs_at_once_issue_one_certificate_for_each_request(directory):
    requests = [samples.request(f"{number}/mqtt") for number in range(5)]
    program = (
        "import pki_samples as s; from pathlib import Path\n"
        "from ansible_collections.bulwark.mqtt.plugins.module_utils._pki import authority, issue\n"
        f"requests = {[(r.name, r.csr) for r in requests]!r}\n"
        f"a = authority.load(Path({str(directory)!r}))\n"
        "s.issue_at(a, *[s.request(name, csr=csr) for name, csr in requests])\n"
    )
    samples.side_by_side([program] * 4)
    assert len(serials(directory)) == 2 + 5
