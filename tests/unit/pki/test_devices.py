# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime as dt
import re

import pki_samples as samples
import pytest
from ansible_collections.bulwark.mqtt.plugins.module_utils._pki import (
    authority,
    build,
    certificates,
    device_files,
    device_rows,
    devices,
    keys,
    ledger,
    revocation,
)
from ansible_collections.bulwark.mqtt.plugins.module_utils._pki.errors import (
    RefusedKeyError,
    RefusedRowError,
)
from cryptography import x509

SECRET = authority.Passphrase("a secret of devices", "key_passphrase")
WRONG = authority.Passphrase("not the passphrase", "passphrase")
ROWS = [{"common_name": f"meter-{number}"} for number in range(5)]


def run(output, rows=ROWS, *, now=samples.NOW, report=lambda _progress: None, **settings):
    source = rows if isinstance(rows, device_rows.Source) else device_rows.ListSource(rows)
    return devices.Run(source=source, output=output, settings=devices.Settings(**settings), now=now, report=report)


def enroll(directory, output, rows=ROWS, *, passphrase=samples.PASSPHRASE, **options):
    return devices.enroll(authority.load(directory), run(output, rows, **options), passphrase=passphrase)


def plan(directory, output, rows=ROWS, **options):
    return devices.plan(authority.load(directory), run(output, rows, **options))


def refusal(directory, output, rows, **options):
    with pytest.raises(RefusedRowError) as caught:
        enroll(directory, output, rows, **options)
    return str(caught.value)


def leaves(directory):
    return samples.sql(directory / "ledger.sqlite", "SELECT * FROM certificate WHERE profile = 'client' ORDER BY rowid")


@pytest.fixture(name="output")
def fixture_output(tmp_path):
    return device_files.Folders(tmp_path / "devices")


@pytest.fixture(name="archive")
def fixture_archive(tmp_path):
    return device_files.Archive(tmp_path / "devices.tar", moment=int(samples.NOW.timestamp()))


def folder(output, name="meter-0"):
    return output.directory / device_files.place(name)


def identity(output, name="meter-0", passphrase=None):
    """The key and the certificate of a device; the one belongs to the other."""
    key = keys.from_pem((folder(output, name) / "privkey.pem").read_bytes(), where=name, passphrase=passphrase)
    certificate = certificates.from_pem((folder(output, name) / "fullchain.pem").read_bytes(), where=name)
    assert keys.fingerprint(key.public_key()) == keys.fingerprint(certificate.public_key())
    return key, certificate


def test_every_device_gets_a_key_and_a_chain_that_the_ledger_knows(directory, output):
    outcome = enroll(directory, output)
    assert (outcome.total, outcome.issued, outcome.written, outcome.changed) == (5, 5, 0, True)
    assert outcome.first[0] == devices.Finding(1, "meter-0", "it has no identity yet")
    for row in ROWS:
        name = row["common_name"]
        _key, certificate = identity(output, name)
        assert certificates.common_name(certificate) == name
        assert certificates.extended_usage(certificate) == ("1.3.6.1.5.5.7.3.2",)
        assert sorted(path.name for path in folder(output, name).iterdir()) == ["fullchain.pem", "privkey.pem"]
        assert (folder(output, name) / "privkey.pem").stat().st_mode & 0o777 == 0o600
        assert folder(output, name).stat().st_mode & 0o777 == 0o700
    loaded = authority.load(directory)
    assert (output.directory / "ca.pem").read_text() == loaded.bundle
    assert (folder(output) / "fullchain.pem").read_text().endswith(loaded.chain)
    assert len({row["serial"] for row in leaves(directory)}) == 5


def test_what_the_ledger_has_of_a_device_is_what_it_has_of_any_certificate(directory, output):
    enroll(
        directory, output, [{"common_name": "meter-0"}, {"common_name": "7" * 64, "names": "a.example.com 192.0.2.1"}]
    )
    for row in leaves(directory):
        certificate = x509.load_der_x509_certificate(row["der"])
        expected = ledger.row(ledger.Entry(certificate=certificate, profile="client"))
        assert {name: row[name] for name in expected._fields} == expected._asdict()


def test_a_second_run_changes_nothing_and_needs_no_passphrase(directory, output):
    enroll(directory, output)
    before = {path: path.read_bytes() for path in output.directory.rglob("*") if path.is_file()}
    outcome = enroll(directory, output, passphrase=WRONG)
    assert outcome == devices.Outcome(total=5)
    assert not outcome.changed
    assert not plan(directory, output).changed
    assert {path: path.read_bytes() for path in output.directory.rglob("*") if path.is_file()} == before


def test_a_plan_says_the_same_and_signs_and_writes_nothing(directory, output):
    planned = plan(directory, output)
    assert not output.directory.exists()
    assert leaves(directory) == []
    assert planned.first == enroll(directory, output).first


def test_a_plan_copes_with_a_ca_that_is_not_there_yet(output):
    outcome = devices.plan(None, run(output))
    assert (outcome.issued, outcome.first[0].reason) == (5, "there is no CA yet")


def test_a_wrong_passphrase_signs_nothing(directory, output):
    with pytest.raises(RefusedKeyError, match="the passphrase is wrong, check passphrase"):
        enroll(directory, output, passphrase=WRONG)
    assert leaves(directory) == []


def test_a_device_is_renewed_when_a_third_is_left_and_keeps_its_key(directory, output):
    enroll(directory, output)
    key, old = identity(output)
    later = samples.NOW + dt.timedelta(days=244)
    outcome = enroll(directory, output, now=later)
    assert outcome.issued == 5
    assert outcome.first[0].reason == "one third of the lifetime or less is left: it expires at 2027-11-23T11:59:59Z"
    renewed_key, new = identity(output)
    assert keys.to_pem(renewed_key) == keys.to_pem(key)
    assert new.serial_number != old.serial_number
    assert not enroll(directory, output, now=later).changed


@pytest.mark.parametrize(
    ("changes", "settings", "reason"),
    [
        pytest.param(
            {"names": ["a.example.com"]},
            {},
            "names differ: it has meter-0, wanted is a.example.com",
            id="other-names",
        ),
        pytest.param({"lifetime": "30d"}, {}, "it is valid for 365d, longer than 30d", id="a-shorter-lifetime"),
        pytest.param(
            {},
            {"urls": build.Urls(crl="http://pki.example.com/crl")},
            "crl URL differs: it has none, wanted is http://pki.example.com/crl",
            id="a-revocation-list",
        ),
    ],
)
def test_what_drifted_is_issued_again_for_the_same_key(directory, output, changes, settings, reason):
    rows = [{"common_name": "meter-0"}]
    enroll(directory, output, rows)
    key, _certificate = identity(output)
    outcome = enroll(directory, output, [{**rows[0], **changes}], **settings)
    assert [finding.reason for finding in outcome.first] == [reason]
    assert keys.to_pem(identity(output)[0]) == keys.to_pem(key)
    assert not enroll(directory, output, [{**rows[0], **changes}], **settings).changed


def another_type(_directory, _output):
    return {"key_type": "ed25519"}


def no_key(_directory, output):
    (folder(output) / "privkey.pem").unlink()


def half_a_key(_directory, output):
    path = folder(output) / "privkey.pem"
    path.write_bytes(path.read_bytes()[:100])


def no_chain(_directory, output):
    (folder(output) / "fullchain.pem").unlink()


def another_chain(_directory, output):
    (folder(output) / "fullchain.pem").write_text("-----BEGIN CERTIFICATE-----\n")


def revoked(directory, _output):
    target = revocation.Target(common_name="meter-0")
    revocation.revoke(authority.load(directory), target, reason="key_compromise", now=samples.NOW)


@pytest.mark.parametrize(
    ("accident", "reason"),
    [
        (another_type, r"key type differs: it has ec-p256, wanted is ed25519"),
        (no_key, r"privkey\.pem is missing"),
        (half_a_key, r"privkey\.pem is damaged: it is no private key in PEM form; restore it from a backup"),
        (no_chain, r"it has no identity yet"),
        (another_chain, r"the ledger does not know the certificate in fullchain\.pem"),
        (revoked, r"certificate [0-9A-F]{40} was revoked \(key_compromise\)"),
    ],
)
def test_a_key_that_cannot_be_kept_is_replaced_with_its_reason(directory, output, accident, reason):
    rows = [{"common_name": "meter-0"}]
    enroll(directory, output, rows)
    old, _certificate = identity(output)
    changes = accident(directory, output) or {}
    outcome = enroll(directory, output, [{**rows[0], **changes}])
    assert (outcome.issued, outcome.written) == (1, 0)
    assert re.fullmatch(reason, outcome.first[0].reason)
    assert keys.to_pem(identity(output)[0]) != keys.to_pem(old)
    assert sorted(path.name for path in folder(output).iterdir()) == ["fullchain.pem", "privkey.pem"]
    assert not enroll(directory, output, [{**rows[0], **changes}]).changed
