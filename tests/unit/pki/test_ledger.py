# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import resource
import sqlite3

import pki_samples as samples
import pytest
from ansible_collections.bulwark.mqtt.plugins.module_utils._pki import authority, certificates, keys, ledger
from ansible_collections.bulwark.mqtt.plugins.module_utils._pki.errors import LedgerError


@pytest.fixture(name="path")
def fixture_path(directory):
    return directory / "ledger.sqlite"


def message(function, *arguments, **named):
    with pytest.raises(LedgerError) as caught:
        function(*arguments, **named)
    return str(caught.value)


def test_it_knows_every_certificate_in_full(directory, path):
    (result,) = samples.issue_at(authority.load(directory), samples.request())
    rows = {row["profile"]: dict(row) for row in samples.sql(path, "SELECT * FROM certificate")}
    assert set(rows) == {"root", "issuing", "server"}
    assert rows["server"] == {
        "serial": f"{result.certificate.serial_number:040X}",
        "issuer": certificates.key_id(authority.load(directory).issuing.certificate),
        "profile": "server",
        "subject": "CN=a.example.com",
        "common_name": "a.example.com",
        "names": "a.example.com, 192.0.2.1",
        "not_before": int(samples.NOW.timestamp()) - 3600,
        "not_after": int(samples.NOW.timestamp()) + 90 * 86400 - 1,
        "status": "valid",
        "revoked_at": None,
        "revoke_reason": None,
        "key": keys.fingerprint(result.certificate.public_key()),
        "der": certificates.to_der(result.certificate),
    }


def test_a_serial_is_recorded_once_and_a_batch_whole_or_not_at_all(directory, path):
    (result,) = samples.issue_at(authority.load(directory), samples.request())
    (other,) = samples.issue_at(authority.load(directory), samples.request("b/mqtt"))
    entry = ledger.Entry(certificate=result.certificate, profile="client")
    with ledger.Ledger(path) as book:
        assert message(book.record, [entry]) == (
            f"{path} refused a certificate (UNIQUE constraint failed: certificate.serial): nothing was issued; "
            "report this as a bug"
        )
        assert book.count_leaves() == 2
        assert book.newest(key=keys.fingerprint(other.certificate.public_key()), profile="server") == other.certificate


def test_a_revoked_certificate_is_not_handed_out_again(directory, path):
    request = samples.request()
    (first,) = samples.issue_at(authority.load(directory), request)
    serial = certificates.serial_hex(first.certificate.serial_number)
    with ledger.Ledger(path) as book:
        book.revoke([serial], reason="superseded", at=samples.NOW)
    (second,) = samples.issue_at(authority.load(directory), request)
    assert second.reasons == (f"certificate {serial} was revoked (superseded)",)
    assert second.certificate.serial_number != first.certificate.serial_number


def test_a_missing_ledger_is_not_made_anew(path):
    path.unlink()
    assert message(ledger.Ledger, path) == f"{path} is missing: restore the CA directory from a backup"


@pytest.mark.parametrize(
    ("content", "finding"),
    [
        pytest.param(b"", "it is no ledger of this collection", id="emptied"),
        pytest.param(b"garbage" * 1000, "file is not a database", id="overwritten"),
    ],
)
def test_what_is_no_ledger_is_not_taken_for_one(path, content, finding):
    path.write_bytes(content)
    assert message(ledger.Ledger, path) == f"{path} is damaged ({finding}): restore the CA directory from a backup"


def test_a_truncated_ledger_is_found_by_the_check(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])

    def open_and_check():
        with ledger.Ledger(path) as book:
            book.check()

    found = message(open_and_check)
    assert found.startswith(f"{path} is damaged (")
    assert found.endswith("): restore the CA directory from a backup")


def test_a_certificate_that_was_damaged_in_the_ledger_is_not_handed_out(directory, path):
    request = samples.request()
    samples.issue_at(authority.load(directory), request)
    samples.sql(path, "UPDATE certificate SET der = x'00' WHERE profile = 'server'")
    assert message(samples.issue_at, authority.load(directory), request) == (
        f"{path} is damaged (a certificate in it cannot be read): restore the CA directory from a backup"
    )


def test_a_ledger_of_a_later_version_is_left_alone(path):
    samples.sql(path, "PRAGMA user_version = 9")
    assert message(ledger.Ledger, path) == (
        f"{path} has format 9, this version of the collection knows 1: update the collection"
    )


def test_a_writer_that_does_not_end_is_reported(directory, path, monkeypatch):
    monkeypatch.setattr(ledger, "BUSY_SECONDS", 0.1)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        assert message(samples.issue_at, authority.load(directory), samples.request()) == (
            f"{path} has been in use for 0.1 seconds: wait for the other run to end"
        )
    finally:
        other.close()


def full(path):
    """SQLite's limit on the pages of a file stands for the end of the disk: it is the same error."""
    book = ledger.Ledger(path)
    book._connection.execute("PRAGMA max_page_count = 1")
    return book


def test_a_full_disk_issues_nothing(directory, path, monkeypatch):
    loaded = authority.load(directory)
    requests = [samples.request(f"{number}/mqtt") for number in range(32)]
    with monkeypatch.context() as limited:
        limited.setattr(authority.Authority, "open_ledger", lambda _self: full(path))
        assert message(samples.issue_at, loaded, *requests) == (
            f"{path} cannot be written, the disk is full: nothing was issued; free space, then run again"
        )
    with loaded.open_ledger() as book:
        assert book.count_leaves() == 0
    assert all(result.issued for result in samples.issue_at(loaded, *requests))


def test_a_write_that_fails_issues_nothing(directory, path):
    """The kernel's limit on the size of files makes a write fail half-way."""
    loaded = authority.load(directory)
    requests = [samples.request(f"{number}/mqtt") for number in range(64)]
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 8192, hard))
    try:
        found = message(samples.issue_at, loaded, *requests)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert found == f"{path} cannot be used (disk I/O error): check its owner, its mode and the disk"
    with loaded.open_ledger() as book:
        assert book.count_leaves() == 0
    assert all(result.issued for result in samples.issue_at(loaded, *requests))


def test_readers_and_writers_work_side_by_side(directory, path):
    with ledger.Ledger(path) as reader:
        samples.issue_at(authority.load(directory), samples.request())
        assert reader.count_leaves() == 1
    assert path.stat().st_mode & 0o777 == 0o600
