# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime as dt
import os
import random
import re
import shutil
import signal
import tarfile
import time
from dataclasses import replace

import pki_samples as samples
import pytest
from ansible_collections.bulwark.mqtt.plugins.module_utils._pki import (
    authority,
    build,
    certificates,
    device_files,
    device_rows,
    device_run,
    devices,
    keys,
    ledger,
    names,
    revocation,
)
from ansible_collections.bulwark.mqtt.plugins.module_utils._pki.errors import (
    AuthorityError,
    DevicesError,
    LedgerError,
    RefusedKeyError,
    RefusedRowError,
)
from ansible_collections.bulwark.mqtt.plugins.module_utils._pki.passphrase import Passphrase
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12

SECRET = Passphrase("a secret of devices", "key_passphrase")
WRONG = Passphrase("not the passphrase", "passphrase")
ROWS = [{"common_name": f"meter-{number}"} for number in range(5)]


def run(output, rows=ROWS, *, now=samples.NOW, report=lambda _progress: None, **settings):
    source = rows if isinstance(rows, device_rows.Source) else device_rows.ListSource(rows)
    return device_run.Run(
        source=source, output=output, settings=device_run.Settings(**settings), now=now, report=report
    )


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
    assert outcome.first[0] == device_run.Finding(1, "meter-0", "it has no identity yet")
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


@pytest.mark.parametrize("kind", ["a-list-of-requests", "an-archive"])
def test_a_shorter_lifetime_issues_once_where_the_ledger_alone_knows_what_a_device_has(
    directory, output, archive, tmp_path, kind
):
    rows, _keys = requests("meter-0")
    place = output
    if kind == "an-archive":
        rows, place = [{"common_name": "meter-0"}], archive
    enroll(directory, place, rows)
    # Who has the archive takes it away: its keys are there only.
    (tmp_path / "devices.tar").unlink(missing_ok=True)
    shorter = [{**rows[0], "lifetime": "30d"}]
    outcome = enroll(directory, place, shorter)
    assert [finding.reason for finding in outcome.first] == ["it is valid for 365d, longer than 30d"]
    (tmp_path / "devices.tar").unlink(missing_ok=True)
    assert not enroll(directory, place, shorter).changed


def another_type(_directory, _output):
    return {"key_type": "ed25519"}


def no_key(_directory, output):
    (folder(output) / "privkey.pem").unlink()


def half_a_key(_directory, output):
    path = folder(output) / "privkey.pem"
    path.write_bytes(path.read_bytes()[:100])


def another_key(_directory, output):
    (folder(output) / "privkey.pem").write_bytes(keys.to_pem(keys.generate("ec-p256")))


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
        (another_key, r"privkey\.pem is not the key of fullchain\.pem"),
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


def requests(*names, key_type="ec-p256"):
    made = {name: keys.generate(key_type) for name in names}
    return [{"common_name": name, "csr": samples.csr(key)} for name, key in made.items()], made


def test_of_a_request_only_the_key_counts_and_no_key_is_written(directory, output):
    rows, made = requests("meter-0")
    enroll(directory, output, rows)
    certificate = certificates.from_pem((folder(output) / "fullchain.pem").read_bytes(), where="meter-0")
    assert certificates.common_name(certificate) == "meter-0"
    assert str(certificates.alternative_names(certificate)) == "meter-0"
    assert keys.fingerprint(certificate.public_key()) == keys.fingerprint(made["meter-0"].public_key())
    assert [path.name for path in folder(output).iterdir()] == ["fullchain.pem"]
    assert not enroll(directory, output, rows).changed


def test_files_that_were_lost_are_written_again_without_issuing(directory, output):
    rows, _made = requests("meter-0")
    enroll(directory, output, rows)
    (folder(output) / "fullchain.pem").unlink()
    outcome = enroll(directory, output, rows, passphrase=WRONG)
    assert (outcome.issued, outcome.written) == (0, 1)
    assert outcome.first[0].reason == "its files are missing"
    assert len(leaves(directory)) == 1


def test_a_device_that_gives_up_its_generated_key_has_none_left_here(directory, output):
    enroll(directory, output, [{"common_name": "meter-0"}])
    rows, _made = requests("meter-0")
    enroll(directory, output, rows)
    assert [path.name for path in folder(output).iterdir()] == ["fullchain.pem"]


def test_a_request_whose_certificate_was_revoked_gets_another_unless_the_key_is_compromised(directory, output):
    rows, _made = requests("meter-0")
    enroll(directory, output, rows)
    loaded = authority.load(directory)
    serial = leaves(directory)[0]["serial"]
    revocation.revoke(loaded, revocation.Target(serial=serial), reason="superseded", now=samples.NOW)
    outcome = enroll(directory, output, rows)
    assert outcome.first[0].reason == f"certificate {serial} was revoked (superseded)"
    revocation.revoke(loaded, revocation.Target(common_name="meter-0"), reason="key_compromise", now=samples.NOW)
    assert refusal(directory, output, rows) == (
        f"devices: 1 of 1 rows are refused: item 1: its key is compromised, certificate {serial} was revoked for that "
        "at 2026-11-23T12:00:00Z; remove the key where it is used, so that a new one is made"
    )


def test_every_row_that_is_refused_is_named_with_its_line_and_nothing_is_signed(directory, output):
    (typed, twin), made = requests("typed", "twin")
    rows = [
        {"common_name": "lying", "csr": samples.lying_csr()},
        {"common_name": "weak", "csr": samples.csr(rsa.generate_private_key(65537, 1024))},  # noqa: S505  (the point)
        typed | {"key_type": "ed25519"},
        twin,
        {"common_name": "twin-2", "csr": samples.csr(made["twin"])},
        {"common_name": "meter-0"},
        {"common_name": "meter-0"},
    ]
    assert refusal(directory, output, rows) == (
        "devices: 5 of 7 rows are refused: "
        "item 1: the signature of the signing request does not match its key: make a new request; "
        "item 2: a key of type rsa-1024 is refused: use one of ec-p256, ec-p384, rsa-3072, rsa-4096, ed25519; "
        "item 3: its key is of type ec-p256, key_type is ed25519; "
        "item 5: its key is that of item 4; "
        "item 7: its common_name is that of item 6"
    )
    assert leaves(directory) == []


def test_of_many_refused_rows_the_first_are_shown_and_all_are_counted(directory, output):
    found = refusal(directory, output, [{"common_name": "a/b"} for _ in range(3000)], processes=2)
    assert found.startswith("devices: 3000 of 3000 rows are refused: item 1: common_name 'a/b'")
    assert "item 20: " in found
    assert "item 21: " not in found
    assert found.endswith("; and 2980 more")


def test_keys_are_encrypted_where_that_is_asked_for(directory, output):
    rows = [{"common_name": "meter-0"}]
    enroll(directory, output, rows)
    plain, certificate = identity(output)
    outcome = enroll(directory, output, rows, key_passphrase=SECRET)
    assert (outcome.issued, outcome.written) == (0, 1)
    assert outcome.first[0].reason == "privkey.pem is not encrypted"
    encrypted, same = identity(output, passphrase=SECRET.value.encode())
    assert keys.to_pem(encrypted) == keys.to_pem(plain)
    assert same == certificate
    assert not enroll(directory, output, rows, key_passphrase=SECRET).changed
    assert not enroll(directory, output, rows).changed


def test_a_key_that_others_can_read_is_written_again(directory, output):
    rows = [{"common_name": "meter-0"}]
    enroll(directory, output, rows)
    (folder(output) / "privkey.pem").chmod(0o644)
    outcome = enroll(directory, output, rows)
    assert outcome.first[0].reason == "privkey.pem has mode 0644, which lets others in"
    assert (folder(output) / "privkey.pem").stat().st_mode & 0o777 == 0o600


def test_other_formats_hold_the_same_identity(directory, output):
    rows = [{"common_name": "meter-0"}]
    enroll(directory, output, rows, key_passphrase=SECRET)
    options = {"key_passphrase": SECRET, "formats": ("combined", "pkcs12")}
    outcome = enroll(directory, output, rows, **options)
    assert outcome.first[0].reason == "combined.pem and identity.p12 are missing"
    key, certificate = identity(output, passphrase=SECRET.value.encode())
    assert (folder(output) / "combined.pem").read_bytes() == (
        (folder(output) / "privkey.pem").read_bytes() + (folder(output) / "fullchain.pem").read_bytes()
    )
    found = pkcs12.load_pkcs12((folder(output) / "identity.p12").read_bytes(), SECRET.value.encode())
    assert keys.to_pem(found.key) == keys.to_pem(key)
    assert found.cert.certificate == certificate
    assert found.cert.friendly_name == b"meter-0"
    assert [extra.certificate for extra in found.additional_certs] == [authority.load(directory).issuing.certificate]
    assert not enroll(directory, output, rows, **options).changed


def test_a_key_under_another_passphrase_is_kept_until_it_has_to_be_opened(directory, output):
    rows = [{"common_name": "meter-0"}]
    enroll(directory, output, rows, key_passphrase=SECRET)
    other = Passphrase("another of devices", "key_passphrase")
    assert not enroll(directory, output, rows, key_passphrase=other).changed
    with pytest.raises(RefusedKeyError) as caught:
        enroll(directory, output, rows, key_passphrase=other, formats=("pkcs12",))
    assert str(caught.value) == (
        f"{folder(output)}/privkey.pem cannot be opened: the passphrase is wrong, check key_passphrase"
    )


def test_a_bundle_that_is_not_what_peers_trust_is_written_again(directory, output):
    enroll(directory, output)
    (output.directory / "ca.pem").write_text("")
    assert plan(directory, output).ca_changed
    assert enroll(directory, output).changed
    assert (output.directory / "ca.pem").read_text() == authority.load(directory).bundle


def members(path):
    with tarfile.open(path) as archive:
        return {member.name: archive.extractfile(member).read() for member in archive}


def test_an_archive_has_the_devices_that_are_new(directory, archive, tmp_path):
    rows, _made = requests("meter-9")
    outcome = enroll(directory, archive, [*ROWS, *rows])
    assert outcome.first[0].reason == "no certificate was issued for this name yet"
    found = members(tmp_path / "devices.tar")
    assert len(found) == 5 * 2 + 1 + 1
    assert found["ca.pem"].decode() == authority.load(directory).bundle
    assert f"{device_files.place('meter-9')}/fullchain.pem" in found
    place = device_files.place("meter-0")
    key = keys.from_pem(found[f"{place}/privkey.pem"], where="meter-0")
    certificate = certificates.from_pem(found[f"{place}/fullchain.pem"], where="meter-0")
    assert keys.fingerprint(key.public_key()) == keys.fingerprint(certificate.public_key())
    assert (tmp_path / "devices.tar").stat().st_mode & 0o777 == 0o600
    assert not enroll(directory, archive, [*ROWS, *rows]).changed


def test_an_archive_with_keys_in_it_is_not_replaced(directory, archive, tmp_path):
    enroll(directory, archive)
    before = (tmp_path / "devices.tar").read_bytes()
    for attempt in (enroll, plan):
        with pytest.raises(DevicesError) as caught:
            attempt(directory, archive, [{"common_name": "meter-9"}])
        assert str(caught.value) == (
            f"{tmp_path}/devices.tar exists, with the keys of an earlier run: move it to where the devices get them, "
            "then run again"
        )
    assert (tmp_path / "devices.tar").read_bytes() == before
    (tmp_path / "devices.tar").rename(tmp_path / "delivered.tar")
    assert enroll(directory, archive, [{"common_name": "meter-9"}]).issued == 1


def test_what_needs_nothing_leaves_no_archive(directory, archive, output, tmp_path):
    enroll(directory, output)
    assert not enroll(directory, archive).changed
    assert not (tmp_path / "devices.tar").exists()


@pytest.mark.parametrize("kind", ["output", "archive"])
def test_processes_share_the_work_and_the_progress_says_how_far_it_is(directory, kind, request):
    rows = [{"common_name": f"meter-{number}"} for number in range(2500)]
    reported = []
    outcome = enroll(directory, request.getfixturevalue(kind), rows, processes=2, report=reported.append)
    assert (outcome.total, outcome.issued) == (2500, 2500)
    assert [finding.line for finding in outcome.first] == list(range(1, 21))
    assert len({row["serial"] for row in leaves(directory)}) == 2500
    assert [report.done for report in reported if report.phase == "enroll"][-1] == 2500
    assert reported[-1].issued == reported[-1].total == 2500
    assert not enroll(directory, request.getfixturevalue(kind), rows, processes=2).changed


def test_a_list_that_changes_during_the_run_issues_nothing_that_was_not_examined(directory, output):
    class Changing(device_rows.ListSource):
        reads = 0

        def rows(self):
            Changing.reads += 1
            return iter([device_rows.Raw(1, {"common_name": "a/b" if Changing.reads > 1 else "meter-0"})])

    with pytest.raises(DevicesError) as caught:
        enroll(directory, output, Changing([]))
    assert str(caught.value) == (
        f"devices or {output.directory} was changed during the run: run again, with nobody else at work there"
    )
    assert leaves(directory) == []


def test_a_file_system_that_cannot_exchange_folders_is_refused_before_anything_is_signed(
    directory, output, monkeypatch
):
    def refuse(_one, _other):
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(device_files.filesystem, "exchange", refuse)
    with pytest.raises(DevicesError) as caught:
        enroll(directory, output)
    assert str(caught.value) == (
        f"{output.directory} is on a file system that cannot exchange two folders (Invalid argument): "
        "use a local one, such as ext4 or XFS"
    )
    assert leaves(directory) == []


def test_a_disk_that_is_full_is_named_and_the_next_run_converges(directory, output, monkeypatch):
    create = device_files._create
    written = []

    def full(path, content, *, mode):
        if len(written) == 3:
            raise OSError(28, "No space left on device")
        written.append(path)
        create(path, content, mode=mode)

    with monkeypatch.context() as patched:
        patched.setattr(device_files, "_create", full)
        with pytest.raises(AuthorityError) as caught:
            enroll(directory, output)
    assert str(caught.value) == (f"{output.directory} cannot be written, the disk is full: free space, then run again")
    assert leaves(directory) == []
    assert enroll(directory, output).issued == 5
    assert list((output.directory / ".staged").iterdir()) == []


def snapshot(directory):
    return {row["serial"]: row["der"] for row in leaves(directory)}


def visible(output):
    """The chains that can be seen, of folders or of a finished archive; what is seen of a device is complete."""
    if isinstance(output, device_files.Archive):
        path = output.directory / "devices.tar"
        found = members(path) if path.exists() else {}
        places = {name.rpartition("/")[0] for name in found if "/" in name}
        return [(found[f"{place}/privkey.pem"], found[f"{place}/fullchain.pem"]) for place in places]
    folders = output.directory.glob("???/*")
    return [((path / "privkey.pem").read_bytes(), (path / "fullchain.pem").read_bytes()) for path in folders]


def expect_whole(output, known):
    for pem, chain in visible(output):
        key = keys.from_pem(pem, where="seen")
        certificate = certificates.from_pem(chain, where="seen")
        assert keys.fingerprint(key.public_key()) == keys.fingerprint(certificate.public_key())
        assert certificates.to_der(certificate) == known[certificates.serial_hex(certificate.serial_number)]


@pytest.mark.parametrize(
    ("kind", "later"),
    [
        pytest.param("folders", None, id="new-in-folders"),
        pytest.param("folders", dt.timedelta(days=300), id="renewed-in-folders"),
        pytest.param("archive", None, id="new-in-an-archive"),
    ],
)
def test_a_run_that_is_killed_anywhere_is_completed_by_the_next(
    directory, tmp_path, killed_at, monkeypatch, kind, later
):
    # What was written outlives a kill; waiting for the disk takes most of the time here.
    monkeypatch.setattr(device_files.filesystem, "sync", lambda _directory: None)
    rows = ROWS[:2]
    now = samples.NOW + (later or dt.timedelta())

    def made(place):
        if kind == "archive":
            return device_files.Archive(place / "devices.tar", moment=int(samples.NOW.timestamp()))
        return device_files.Folders(place / "devices")

    if later:
        # Another type of key as well, so that whole folders are exchanged.
        enroll(directory, made(tmp_path), rows, key_type="ed25519")
    number, kills, known_after = 0, 0, 0
    while True:
        place = tmp_path / f"run-{number}"
        copy = shutil.copytree(directory, place / "pki")
        if later:
            shutil.copytree(tmp_path / "devices", place / "devices")
        earlier = snapshot(copy)
        killed = killed_at(number, lambda copy=copy, place=place: enroll(copy, made(place), rows, now=now))
        known = snapshot(copy)
        expect_whole(made(place), known)
        # More often from where a device is staged on; primes, so that loops are killed at another statement each time.
        number += 5 if made(place).unfinished() or len(known) > len(earlier) else 61
        enroll(copy, made(place), rows, now=now)
        after = snapshot(copy)
        assert known.items() <= after.items()
        assert len(after) - len(earlier) == 2, "what was issued before the kill was issued again"
        assert len(visible(made(place))) == 2
        expect_whole(made(place), after)
        assert not enroll(copy, made(place), rows, now=now).changed
        assert not [path for path in place.rglob("*.staged*") if path.is_file() or any(path.iterdir())]
        shutil.rmtree(place)
        if not killed:
            break
        kills += 1
        known_after += len(known) > len(earlier)
    assert kills > 40
    assert known_after > 5


def test_a_run_on_all_cores_that_is_killed_at_any_moment_is_completed_by_the_next(directory, output):
    rows = [{"common_name": f"meter-{number}"} for number in range(4000)]
    chance = random.Random(5)
    for _attempt in range(8):
        child = os.fork()
        if child == 0:
            os.setsid()
            try:
                enroll(directory, output, rows, processes=2)
            finally:
                os._exit(0)
        time.sleep(chance.uniform(0.02, 0.5))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        expect_whole(output, snapshot(directory))
    outcome = enroll(directory, output, rows, processes=2)
    assert outcome.total == 4000
    expect_whole(output, snapshot(directory))
    assert len(visible(output)) == 4000
    assert len(snapshot(directory)) == 4000
    assert not enroll(directory, output, rows).changed


def test_two_runs_at_once_enrol_each_device_once(directory, output):
    program = (
        "import pki_samples as s; from pathlib import Path\n"
        "from ansible_collections.bulwark.mqtt.plugins.module_utils._pki import (\n"
        "    authority, device_files, device_rows, device_run, devices)\n"
        "run = device_run.Run(\n"
        "    source=device_rows.ListSource([{'common_name': f'meter-{number}'} for number in range(300)]),\n"
        f"    output=device_files.Folders(Path({str(output.directory)!r})),\n"
        "    settings=device_run.Settings(), now=s.NOW)\n"
        f"devices.enroll(authority.load(Path({str(directory)!r})), run, passphrase=s.PASSPHRASE)\n"
    )
    samples.side_by_side([program] * 3)
    assert len(snapshot(directory)) == 300
    expect_whole(output, snapshot(directory))


def test_devices_stay_within_the_name_constraints_of_the_ca(tmp_path, output):
    wanted = samples.wanted()
    constrained = wanted.issuing._replace(constraints=names.parse_constraints(["example.com"], []))
    authority.create(tmp_path / "constrained", replace(wanted, issuing=constrained), now=samples.NOW)
    rows = [{"common_name": "meter-0"}, {"common_name": "meter-1", "names": ["meter.example.org"]}]
    assert "item 2: issuing-1 may not certify meter.example.org: its name constraints permit example.com" in refusal(
        tmp_path / "constrained", output, rows
    )
    enroll(tmp_path / "constrained", output, rows[:1])
    assert certificates.alternative_names(identity(output)[1]).uris == ("urn:bulwark:meter-0",)


def test_a_clock_behind_the_last_certificate_enrols_nobody(directory, output):
    enroll(directory, output, ROWS[:1], now=samples.NOW + dt.timedelta(hours=4))
    with pytest.raises(LedgerError, match="set the clock"):
        enroll(directory, output)
    assert len(leaves(directory)) == 1
