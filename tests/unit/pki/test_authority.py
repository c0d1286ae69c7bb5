# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime as dt
import fcntl
import subprocess

import pki_samples as samples
import pytest
from ansible_collections.bulwark.mqtt.plugins.module_utils._pki import authority, certificates, keys
from ansible_collections.bulwark.mqtt.plugins.module_utils._pki.errors import AuthorityError, PkiError, RefusedKeyError


def message(function, *arguments, **named):
    with pytest.raises(PkiError) as caught:
        function(*arguments, **named)
    return str(caught.value)


def modes(directory):
    return {
        str(path.relative_to(directory)): f"{path.stat().st_mode & 0o777:04o}" for path in sorted(directory.rglob("*"))
    }


def test_a_new_directory_has_two_cas_and_a_ledger_that_nobody_else_can_read(tmp_path):
    directory = tmp_path / "deep" / "pki"
    made = samples.create(directory)
    assert modes(directory) == {
        ".lock": "0600",
        "issuing-1": "0700",
        "issuing-1/cert.pem": "0644",
        "issuing-1/key.pem": "0600",
        "ledger.sqlite": "0600",
        "root-1": "0700",
        "root-1/cert.pem": "0644",
        "root-1/key.pem": "0600",
    }
    assert directory.stat().st_mode & 0o777 == 0o700
    assert made.bundle == certificates.to_pem(made.root.certificate) + made.chain


def test_openssl_accepts_the_chain_and_opens_the_keys_with_their_passphrases(directory):
    made = authority.load(directory)
    (directory / "issuing.pem").write_text(made.chain)
    command = ["openssl", "verify", "-x509_strict", "-CAfile", directory / "root-1/cert.pem", directory / "issuing.pem"]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout.endswith(": OK\n")
    for name, passphrase in (("root-1", samples.ROOT_PASSPHRASE), ("issuing-1", samples.PASSPHRASE)):
        public = ["openssl", "pkey", "-in", directory / name / "key.pem", "-pubout", "-passin", "stdin"]
        subprocess.run(public, check=True, capture_output=True, text=True, input=passphrase.value)


def test_what_is_missing_is_said_before_it_is_created(tmp_path):
    assert authority.missing(tmp_path / "pki") == [
        f"{tmp_path}/pki has no root CA",
        f"{tmp_path}/pki has no issuing CA",
    ]
    assert message(authority.load, tmp_path / "pki") == (
        f"{tmp_path}/pki has no root CA; {tmp_path}/pki has no issuing CA: create the authority first "
        "(module pki_authority), or correct the directory"
    )


def test_creating_again_changes_nothing(directory):
    before = (directory / "root-1/cert.pem").read_bytes()
    samples.create(directory)
    assert (directory / "root-1/cert.pem").read_bytes() == before


@pytest.mark.parametrize("path", ["", "root-1", "issuing-1", "root-1/key.pem", "issuing-1/key.pem", "ledger.sqlite"])
def test_a_mode_that_lets_others_in_is_named_with_its_remedy(directory, path):
    wide = directory / path if path else directory
    right = wide.stat().st_mode & 0o777
    wide.chmod(right | 0o040)
    assert message(authority.load, directory) == (
        f"{wide} has mode {right | 0o040:04o}, which lets others in: run chmod {right:04o} {wide}"
    )


def test_all_wide_modes_are_named_at_once(directory):
    directory.chmod(0o755)
    (directory / "root-1/key.pem").chmod(0o644)
    assert message(authority.load, directory) == (
        f"{directory} has mode 0755, which lets others in: run chmod 0700 {directory}; "
        f"{directory}/root-1/key.pem has mode 0644, which lets others in: run chmod 0600 {directory}/root-1/key.pem"
    )


def test_a_wide_empty_directory_gets_no_keys(tmp_path):
    (tmp_path / "pki").mkdir(mode=0o755)
    (tmp_path / "pki").chmod(0o755)
    assert message(samples.create, tmp_path / "pki") == (
        f"{tmp_path}/pki has mode 0755, which lets others in: run chmod 0700 {tmp_path}/pki"
    )


def remove(path):
    if path.is_dir():
        for child in path.iterdir():
            child.unlink()
        path.rmdir()
    else:
        path.unlink()


@pytest.mark.parametrize(
    ("lost", "expected"),
    [
        pytest.param(
            ["root-1"],
            "{0}/root-1 is missing, but the ledger knows 1 certificates that were issued: "
            "restore the CA directory from a backup",
            id="root",
        ),
        pytest.param(
            ["root-1", "issuing-1"],
            "{0}/root-1 and {0}/issuing-1 is missing, but the ledger knows 1 certificates that were issued: "
            "restore the CA directory from a backup",
            id="both",
        ),
        pytest.param(
            ["issuing-1", "ledger.sqlite"],
            "{0}/ledger.sqlite is missing: restore the CA directory from a backup",
            id="ledger",
        ),
        pytest.param(
            ["root-1/cert.pem"],
            "{0}/root-1/cert.pem is missing: restore the CA directory from a backup",
            id="certificate",
        ),
    ],
)
def test_what_was_lost_is_never_created_anew(directory, lost, expected):
    samples.issue_at(authority.load(directory), samples.request())
    for name in lost:
        remove(directory / name)
    assert message(samples.create, directory) == expected.format(directory)


def test_the_root_key_may_be_away_until_it_is_needed(directory):
    (directory / "root-1/key.pem").unlink()
    loaded = authority.load(directory)
    assert all(result.issued for result in samples.issue_at(loaded, samples.request()))
    assert message(loaded.root.unlock, samples.ROOT_PASSPHRASE) == (
        f"{directory}/root-1/key.pem is missing: bring back the key of Test Root CA (SHA-256 of its public key: "
        f"{keys.fingerprint(loaded.root.certificate.public_key())}) from where it is kept offline, then run again"
    )


def test_each_key_has_its_own_passphrase(directory):
    loaded = authority.load(directory)
    with pytest.raises(RefusedKeyError) as caught:
        loaded.issuing.unlock(samples.ROOT_PASSPHRASE)
    assert str(caught.value) == (
        f"{directory}/issuing-1/key.pem cannot be opened: the passphrase is wrong, check root_passphrase"
    )


def test_a_key_of_another_ca_is_noticed(directory, tmp_path):
    pem = keys.to_pem(keys.generate("ec-p256"), passphrase=samples.PASSPHRASE.value.encode())
    (directory / "issuing-1/key.pem").write_bytes(pem)
    assert message(authority.load(directory).issuing.unlock, samples.PASSPHRASE) == (
        f"{directory}/issuing-1/key.pem does not belong to cert.pem beside it: restore both from one backup"
    )


def test_a_damaged_certificate_is_named(directory):
    (directory / "issuing-1/cert.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    assert message(authority.load, directory) == (
        f"{directory}/issuing-1/cert.pem is damaged: it is no certificate in PEM form; restore it from a backup"
    )


def test_where_an_existing_ca_is_not_what_is_wanted_is_said(directory):
    wanted = samples.wanted(organization="Other", lifetime=dt.timedelta(days=365))
    assert authority.differences(authority.load(directory), wanted, now=samples.NOW) == [
        f"{directory}/root-1: it is valid for 7300d, longer than 365d",
        f"{directory}/root-1: organization differs: it has Test, wanted is Other",
    ]


def test_a_run_that_does_not_end_is_reported(directory, monkeypatch):
    monkeypatch.setattr(authority, "LOCK_SECONDS", 0.1)
    with open(directory / ".lock") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(AuthorityError) as caught, authority.locked(directory):
            pytest.fail("two runs at once")
    assert str(caught.value) == f"{directory} has been in use by another run for 0.1 seconds: wait for it to end"


def test_a_creation_that_is_killed_anywhere_is_completed_by_the_next_run(tmp_path, killed_at):
    number, kills = 0, 0
    while True:
        directory = tmp_path / f"pki-{number}"
        killed = killed_at(number, lambda directory=directory: samples.create(directory))
        kills += killed
        made = samples.create(directory)
        with made.open_ledger() as book:
            book.check()
            for profile, ca in (("root", made.root), ("issuing", made.issuing)):
                key = keys.fingerprint(ca.certificate.public_key())
                assert book.newest(key=key, profile=profile) == ca.certificate
        assert not [path for path in directory.iterdir() if path.name.endswith(".new")]
        if not killed:
            break
        number += 13
    assert kills > 20


def test_two_creations_at_once_make_one_ca(tmp_path):
    directory = tmp_path / "pki"
    program = f"import pki_samples; from pathlib import Path; pki_samples.create(Path({str(directory)!r}))"
    samples.side_by_side([program, program, program])
    profiles = [row["profile"] for row in samples.sql(directory / "ledger.sqlite", "SELECT profile FROM certificate")]
    assert sorted(profiles) == ["issuing", "root"]
