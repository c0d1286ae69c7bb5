# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime as dt
import shutil

import pki_samples as samples
import pytest
from ansible_collections.bulwark.mqtt.plugins.module_utils._pki import (
    authority,
    certificates,
    issue,
    keys,
    ledger,
    revocation,
)
from ansible_collections.bulwark.mqtt.plugins.module_utils._pki.errors import (
    RefusedRequestError,
    RefusedRevocationError,
)

LATER = samples.NOW + dt.timedelta(days=1)


def serial_of(result):
    return certificates.serial_hex(result.certificate.serial_number)


def revoke(directory, *, reason="unspecified", now=samples.NOW, **target):
    return revocation.revoke(authority.load(directory), revocation.Target(**target), reason=reason, now=now)


def refusal(directory, **target):
    with pytest.raises(RefusedRevocationError) as caught:
        revoke(directory, **target)
    return str(caught.value)


def rows(directory):
    statement = "SELECT serial, status, revoked_at, revoke_reason FROM certificate WHERE profile = 'server'"
    return [tuple(row) for row in samples.sql(directory / "ledger.sqlite", statement)]


@pytest.fixture(name="issued")
def fixture_issued(directory):
    (result,) = samples.issue_at(authority.load(directory), samples.request())
    return result


def test_a_serial_is_revoked_at_once(directory, issued):
    (outcome,) = revoke(directory, serial=serial_of(issued), reason="superseded")
    assert outcome.changed
    assert rows(directory) == [(serial_of(issued), "revoked", int(samples.NOW.timestamp()), "superseded")]


@pytest.mark.parametrize("form", ["{:x}", "0x{:X}", "{:050X}"], ids=["plain", "prefixed", "too-long"])
def test_a_serial_is_understood_in_the_forms_it_is_printed_in(directory, issued, form):
    text = form.format(issued.certificate.serial_number)
    if len(text) > 42:
        assert refusal(directory, serial=text) == (
            f"serial {text!r} is refused: give it in hexadecimal, as `openssl x509 -noout -serial` prints it"
        )
    else:
        assert revoke(directory, serial=text)[0].before.serial == serial_of(issued)


def test_colons_between_the_bytes_of_a_serial_are_ignored(directory, issued):
    text = serial_of(issued)
    colons = ":".join(text[place : place + 2] for place in range(0, len(text), 2)).lower()
    assert revoke(directory, serial=colons)[0].before.serial == text


def test_all_certificates_of_a_common_name_are_revoked_and_no_other(directory):
    loaded = authority.load(directory)
    samples.issue_at(loaded, samples.request(), samples.request("b/mqtt"))
    samples.issue_at(loaded, samples.request("c/mqtt", common_name="c.example.com"))
    outcomes = revoke(directory, common_name="a.example.com")
    assert [outcome.changed for outcome in outcomes] == [True, True]
    assert [row[1] for row in rows(directory)] == ["revoked", "revoked", "valid"]


def test_a_certificate_in_a_file_is_revoked(directory, issued, tmp_path):
    path = tmp_path / "cert.pem"
    path.write_text(certificates.to_pem(issued.certificate))
    assert revoke(directory, path=path)[0].before.serial == serial_of(issued)


def test_a_certificate_of_another_ca_is_unknown(directory, issued, tmp_path):
    path = tmp_path / "cert.pem"
    other = samples.create(tmp_path / "other").issuing.certificate
    path.write_text(certificates.to_pem(other))
    assert refusal(directory, path=path) == (
        f"{path} is unknown: this CA did not issue the certificate in it "
        f"(serial {certificates.serial_hex(other.serial_number)}); ask the CA that did"
    )
    assert refusal(directory, path=tmp_path / "nothing.pem") == (
        f"{tmp_path}/nothing.pem cannot be read (No such file or directory): correct the path"
    )


def test_what_the_ledger_does_not_know_is_an_error(directory):
    assert refusal(directory, serial="AB") == (
        f"serial {'AB':0>40} is unknown: no certificate in the ledger has it; list those that do exist with pki_info"
    )
    assert refusal(directory, common_name="nobody") == (
        "common name 'nobody' is unknown: no certificate in the ledger has it; list those that do exist with pki_info"
    )


@pytest.mark.parametrize("profile", ["root", "issuing"])
def test_a_ca_is_not_revoked_by_accident(directory, profile):
    certificate = getattr(authority.load(directory), profile).certificate
    serial, name = certificates.serial_hex(certificate.serial_number), certificates.common_name(certificate)
    expected = (
        f"{name} (serial {serial}) is the {profile} CA and is not revoked here: begin a new CA instead, "
        "as docs/trust_model.md describes"
    )
    assert refusal(directory, serial=serial) == expected
    assert refusal(directory, common_name=name) == expected


def test_revoking_again_keeps_date_and_reason(directory, issued):
    revoke(directory, serial=serial_of(issued), reason="superseded")
    before = rows(directory)
    (again,) = revoke(directory, serial=serial_of(issued), reason="privilege_withdrawn", now=LATER)
    assert not again.changed
    assert rows(directory) == before


def test_a_key_that_turns_out_to_be_compromised_becomes_the_reason(directory, issued):
    revoke(directory, serial=serial_of(issued), reason="superseded")
    (again,) = revoke(directory, serial=serial_of(issued), reason="key_compromise", now=LATER)
    assert again.changed
    assert rows(directory) == [(serial_of(issued), "revoked", int(samples.NOW.timestamp()), "key_compromise")]


def test_a_plan_says_the_same_and_changes_nothing(directory, issued):
    before = rows(directory)
    target = revocation.Target(serial=serial_of(issued))
    planned = revocation.plan(authority.load(directory), target, reason="superseded")
    assert rows(directory) == before
    assert planned == revoke(directory, serial=serial_of(issued), reason="superseded")


def test_a_key_that_was_not_compromised_gets_a_new_certificate(directory):
    request = samples.request()
    loaded = authority.load(directory)
    (first,) = samples.issue_at(loaded, request)
    revoke(directory, serial=serial_of(first), reason="superseded")
    (planned,) = issue.plan(loaded, [request], policy=samples.POLICY, now=samples.NOW)
    (second,) = samples.issue_at(loaded, request)
    assert second.reasons == planned.reasons == (f"certificate {serial_of(first)} was revoked (superseded)",)
    assert second.certificate.serial_number != first.certificate.serial_number
    assert samples.issue_at(loaded, request)[0].reasons == ()


def test_of_several_that_were_revoked_the_last_one_is_named_not_the_one_that_was_valid_longest(directory):
    request = samples.request()
    loaded = authority.load(directory)
    (longer,) = samples.issue_at(loaded, request)
    shortened = issue.Policy(lifetimes={"server": dt.timedelta(days=10)})
    (shorter,) = samples.issue_at(loaded, request, policy=shortened)
    for result in (longer, shorter):
        revoke(directory, serial=serial_of(result), reason="superseded")
    (planned,) = issue.plan(loaded, [request], policy=shortened, now=samples.NOW)
    assert planned.reasons == (f"certificate {serial_of(shorter)} was revoked (superseded)",)


@pytest.mark.parametrize("profile", ["server", "client"])
def test_a_compromised_key_gets_no_certificate_of_any_profile(directory, profile):
    key = keys.generate("ec-p256")
    loaded = authority.load(directory)
    (first,) = samples.issue_at(loaded, samples.request(key=key))
    revoke(directory, serial=serial_of(first), reason="key_compromise")
    request = samples.request(key=key, profile=profile)
    expected = (
        f"a/mqtt: its key is compromised, certificate {serial_of(first)} was revoked for that at 2026-11-23T12:00:00Z; "
        "remove the key where it is used, so that a new one is made"
    )
    with pytest.raises(RefusedRequestError) as caught:
        samples.issue_at(loaded, request)
    assert str(caught.value) == expected
    with pytest.raises(RefusedRequestError) as caught:
        issue.plan(loaded, [request], policy=samples.POLICY, now=samples.NOW)
    assert str(caught.value) == expected
    assert samples.issue_at(loaded, samples.request())[0].issued


def test_a_revocation_that_is_killed_anywhere_is_whole_or_not_there(directory, tmp_path, killed_at):
    samples.issue_at(authority.load(directory), samples.request(), samples.request("b/mqtt"))
    number, states = 0, set()
    while True:
        copy = shutil.copytree(directory, tmp_path / f"pki-{number}")
        killed = killed_at(number, lambda copy=copy: revoke(copy, common_name="a.example.com"))
        with authority.load(copy).open_ledger() as book:
            book.check()
            states.add((killed, len(book.find(ledger.Filter(revoked=True)))))
        assert all(outcome.reason == "unspecified" for outcome in revoke(copy, common_name="a.example.com"))
        assert [row[1] for row in rows(copy)] == ["revoked", "revoked"]
        shutil.rmtree(copy)
        if not killed:
            break
        number += 7
    assert states == {(True, 0), (True, 2), (False, 2)}
