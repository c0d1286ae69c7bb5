# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime as dt
import re
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pki_samples as samples
import pytest
from ansible_collections.bulwark.mqtt.plugins.module_utils._pki import archive, authority, backup, publish
from ansible_collections.bulwark.mqtt.plugins.module_utils._pki.errors import PkiError
from ansible_collections.bulwark.mqtt.plugins.module_utils._pki.passphrase import Passphrase

SECRET = Passphrase("archive passphrase 1", "passphrase")
WRONG = Passphrase("not the passphrase", "passphrase")
LATER = samples.NOW + dt.timedelta(hours=1)
OPERATIONS = Path(__file__).parents[3] / "docs/operations.md"


@pytest.fixture(autouse=True)
def _cheap(monkeypatch):
    monkeypatch.setattr(archive, "_COST", {"n": 1024, "r": 8, "p": 1})


@pytest.fixture(name="target")
def fixture_target(tmp_path):
    (tmp_path / "safe").mkdir()
    return tmp_path / "safe/ca.backup"


def back_up(directory, target, *, passphrase=SECRET, check_mode=False, now=samples.NOW):
    published = directory / "publish"
    return backup.back_up(directory, target, published=published, passphrase=passphrase, check_mode=check_mode, now=now)


def restore(source, directory, *, passphrase=SECRET, check_mode=False, now=LATER, published=None, **switches):
    order = backup.Order(source=source, directory=directory, published=published or directory / "publish", **switches)
    return backup.restore(order, passphrase=passphrase, check_mode=check_mode, now=now)


def message(function, *arguments, **named):
    with pytest.raises(PkiError) as caught:
        function(*arguments, **named)
    return str(caught.value)


def content(path):
    """A ledger as its rows: SQLite counts the changes of a file in the file."""
    if path.name != "ledger.sqlite":
        return path.read_bytes()
    try:
        return [tuple(row) for row in samples.sql(path, "SELECT * FROM certificate")]
    except sqlite3.DatabaseError:
        return path.read_bytes()


def files(directory):
    return {
        str(path.relative_to(directory)): (path.lstat().st_mode, content(path) if path.is_file() else None)
        for path in sorted(directory.rglob("*"))
        if not path.name.startswith((".lock", "ledger.sqlite-"))
    }


def test_a_restored_ca_is_the_one_that_was_backed_up(directory, target, tmp_path):
    samples.issue_at(authority.load(directory), samples.request())
    client = directory / "clients/meter/versions/1"
    client.mkdir(parents=True, mode=0o750)
    (client / "privkey.pem").write_text("key")
    (directory / "clients/meter/current").symlink_to("versions/1")
    made = back_up(directory, target)
    assert made.reasons == (f"{target} is not there yet",)
    assert (made.manifest.certificates, made.manifest.revoked, made.manifest.root_key) == (3, 0, True)
    assert target.stat().st_mode & 0o777 == 0o600
    assert list(target.parent.iterdir()) == [target]
    restored = restore(target, tmp_path / "new")
    assert restored.reasons == (f"{tmp_path}/new is restored from the archive of 2026-11-23T12:00:00Z",)
    assert files(tmp_path / "new") == files(directory)
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
    (result,) = samples.issue_at(authority.load(tmp_path / "new"), samples.request("b/mqtt"), now=LATER)
    assert result.issued


def test_an_archive_is_written_again_only_when_something_changed(directory, target):
    back_up(directory, target)
    before = target.read_bytes()
    assert back_up(directory, target, now=LATER).reasons == ()
    assert target.read_bytes() == before
    samples.issue_at(authority.load(directory), samples.request())
    expected = ("the CA changed since the archive of 2026-11-23T12:00:00Z",)
    assert back_up(directory, target, now=LATER, check_mode=True).reasons == expected
    assert target.read_bytes() == before
    assert back_up(directory, target, now=LATER).reasons == expected


def test_an_archive_that_cannot_be_opened_is_replaced(directory, target):
    back_up(directory, target, passphrase=WRONG)
    assert back_up(directory, target).reasons == (
        f"the archive that is there is replaced: {target} cannot be opened: the passphrase is wrong, check passphrase",
    )


def test_neither_names_nor_keys_can_be_read_in_an_archive(directory, target):
    back_up(directory, target)
    content = target.read_bytes()
    assert b"ledger" not in content
    assert b"PRIVATE KEY" not in content


def test_what_would_not_do_as_a_target_is_refused(directory, tmp_path):
    assert message(back_up, directory, directory / "a") == (
        f"{directory}/a is inside {directory}: keep the archive apart from what it is a copy of"
    )
    assert message(back_up, directory, tmp_path / "none/a") == (
        f"{tmp_path}/none is no directory: create it, or give another path for the archive"
    )
    (tmp_path / "letter").write_text("dear reader")
    assert message(back_up, directory, tmp_path / "letter") == (
        f"{tmp_path}/letter is no archive of a CA and is not overwritten: give another path"
    )
    assert message(back_up, directory, tmp_path / "a", passphrase=Passphrase("short", "passphrase")).startswith(
        "passphrase has 5 characters: use 12 or more"
    )


def test_an_archive_of_a_changing_ca_is_of_one_moment(directory, target, tmp_path):
    writer = (
        "import pki_samples as s; from pathlib import Path\n"
        "from ansible_collections.bulwark.mqtt.plugins.module_utils._pki import authority\n"
        f"a = authority.load(Path({str(directory)!r}))\n"
        "for n in range(40): s.issue_at(a, s.request(f'{n}/a'), s.request(f'{n}/b'))\n"
    )
    reader = (
        "import test_backup as t; from pathlib import Path\n"
        f"for n in range(10): t.back_up(Path({str(directory)!r}), Path({str(target)!r} + str(n)))\n"
    )
    samples.side_by_side([writer, reader])
    for number in range(10):
        place = tmp_path / f"new-{number}"
        restored = restore(Path(f"{target}{number}"), place)
        # Whole batches of two, and the two CAs.
        assert restored.manifest.certificates % 2 == 0


@pytest.mark.parametrize("where", ["magic", "header", "first", "middle", "last"])
def test_a_damaged_archive_is_refused_and_nothing_is_left(directory, target, tmp_path, where):
    back_up(directory, target)
    content = bytearray(target.read_bytes())
    at = {"magic": 0, "header": 30, "first": 1000, "middle": len(content) // 2, "last": len(content) - 1}[where]
    content[at] ^= 1
    target.write_bytes(content)
    found = message(restore, target, tmp_path / "new")
    assert found == (
        f"{target} is no archive of a CA: give a file that pki_backup wrote"
        if where == "magic"
        else f"{target} is damaged or incomplete: copy it again, or use another archive"
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pki", "safe"]


def test_a_truncated_archive_is_refused_wherever_it_ends(directory, target, tmp_path):
    (directory / "large").write_bytes(bytes(300000))
    back_up(directory, target)
    content = target.read_bytes()
    start = sum(map(len, content.split(b"\n", 4)[:4])) + 4
    chunk = archive._CHUNK + archive._TAG
    for size in (start, start + 5, start + chunk, start + chunk + 1, len(content) - 1):
        target.write_bytes(content[:size])
        assert message(restore, target, tmp_path / "new") == (
            f"{target} is damaged or incomplete: copy it again, or use another archive"
        )
    assert not (tmp_path / "new").exists()


def test_a_wrong_passphrase_and_a_missing_archive_are_named(directory, target, tmp_path):
    back_up(directory, target)
    assert message(restore, target, tmp_path / "new", passphrase=WRONG) == (
        f"{target} cannot be opened: the passphrase is wrong, check passphrase"
    )
    assert message(restore, tmp_path / "none", tmp_path / "new") == (
        f"{tmp_path}/none cannot be read (No such file or directory): correct the path"
    )


def test_what_is_no_place_for_a_ca_is_refused(directory, target, tmp_path):
    back_up(directory, target)
    (tmp_path / "full").mkdir()
    (tmp_path / "full/letter").touch()
    assert message(restore, target, tmp_path / "full") == (
        f"{tmp_path}/full is not empty and holds no CA: give another directory, or empty it"
    )
    wide = tmp_path / "wide"
    wide.mkdir()
    wide.chmod(0o777)
    assert message(restore, target, wide / "pki") == (
        f"{wide} has mode 0777, so others could replace what is in it: run chmod go-w {wide}"
    )


def test_an_archive_behind_the_ledger_in_place_is_refused_unless_told_to(directory, target, tmp_path):
    request = samples.request()
    samples.issue_at(authority.load(directory), request)
    back_up(directory, target)
    (late,) = samples.issue_at(authority.load(directory), samples.request("b/mqtt"))
    with authority.load(directory).open_ledger() as book:
        book.revoke(
            # The first leaf, which the archive knows: root and issuing CA come before it, and no order is implied.
            [samples.sql(directory / "ledger.sqlite", "SELECT serial FROM certificate ORDER BY rowid")[2]["serial"]],
            reason="superseded",
            at=samples.NOW,
        )
    before = files(directory)
    lacks = f"{directory}/ledger.sqlite knows what it lacks: 1 certificates, 1 revocations"
    for switches in ({}, {"replace": True}):
        assert message(restore, target, directory, **switches) == (
            f"{target} of 2026-11-23T12:00:00Z is behind: {lacks}; restore a newer archive, or set older: true, "
            "after which nobody can revoke what it lacks"
        )
    assert files(directory) == before
    restored = restore(target, directory, replace=True, older=True)
    assert restored.reasons[1:] == (lacks,)
    assert restored.kept == tmp_path / "pki.replaced-20261123T130000Z"
    assert files(restored.kept) == before
    assert late.issued


def test_a_ca_in_place_is_replaced_only_when_told_to_and_not_when_it_is_the_same(directory, target, tmp_path):
    back_up(directory, target)
    assert restore(target, directory).reasons == ()
    (directory / "issuing-1/key.pem").write_text("damaged")
    planned = message(restore, target, directory)
    assert planned == (
        f"{directory} holds a CA: set replace: true to put the one of 2026-11-23T12:00:00Z in its place, the old one "
        "is kept beside it"
    )
    before = files(directory)
    assert restore(target, directory, replace=True, check_mode=True).reasons
    assert files(directory) == before
    restore(target, directory, replace=True)
    assert authority.load(directory).issuing.unlock(samples.PASSPHRASE)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pki", "pki.replaced-20261123T130000Z", "safe"]


def test_what_was_issued_is_unknown_when_the_ledger_in_place_is_damaged(directory, target):
    back_up(directory, target)
    (directory / "ledger.sqlite").write_bytes(b"garbage" * 999)
    assert "what was issued since cannot be known" in message(restore, target, directory, replace=True)
    assert restore(target, directory, replace=True, older=True).kept


def test_what_was_published_since_is_found_without_a_ledger(directory, target, tmp_path):
    back_up(directory, target)
    loaded = authority.load(directory)
    samples.issue_at(loaded, samples.request())
    www = tmp_path / "www"
    publish.publish(
        loaded, publish.Settings(destination=www), passphrase=samples.PASSPHRASE,
        root_passphrase=samples.ROOT_PASSPHRASE, now=samples.NOW,
    )  # fmt: skip
    assert message(restore, target, tmp_path / "new", published=www) == (
        f"{target} of 2026-11-23T12:00:00Z is behind: {www}/crl/issuing-1.crl has number 1, its ledger knows 0; "
        f"{www}/crl/root-1.crl has number 1, its ledger knows 0; {www}/ocsp has responses for 1 certificates that it "
        "lacks; restore a newer archive, or set older: true, after which nobody can revoke what it lacks"
    )


def test_what_is_published_in_the_directory_is_served_on(directory, target):
    loaded = authority.load(directory)
    publish.publish(
        loaded, publish.Settings(destination=directory / "publish"), passphrase=samples.PASSPHRASE,
        root_passphrase=samples.ROOT_PASSPHRASE, now=samples.NOW,
    )  # fmt: skip
    back_up(directory, target)
    (directory / "issuing-1/key.pem").unlink()
    before = set(files(directory / "publish"))
    restore(target, directory, replace=True)
    assert set(files(directory / "publish")) == before


def test_a_root_that_was_offline_is_not_in_the_archive_and_said_to_be_missing(directory, target, tmp_path):
    (directory / "root-1/key.pem").unlink()
    assert not back_up(directory, target).manifest.root_key
    assert restore(target, tmp_path / "new").warnings == (
        f"the key of the root CA was offline: bring it back to {tmp_path}/new/root-1/key.pem when the root is needed",
    )


def test_a_restore_that_is_killed_anywhere_leaves_one_whole_ca(directory, target, tmp_path, killed_at):
    back_up(directory, target)
    old = shutil.copytree(directory, tmp_path / "old/pki")
    samples.sql(old / "ledger.sqlite", "UPDATE certificate SET names = 'old'")
    number = kills = 0
    seen = set()
    while True:
        place = shutil.copytree(old, tmp_path / f"place-{number}/pki")
        killed = killed_at(number, lambda place=place: restore(target, place, replace=True, now=LATER))
        with authority.load(place).open_ledger() as book:
            book.check()
        authority.load(place).issuing.unlock(samples.PASSPHRASE)
        seen.add({row["names"] for row in samples.sql(place / "ledger.sqlite", "SELECT names FROM certificate")}.pop())
        kept = restore(target, place, replace=True)
        assert samples.sql(place / "ledger.sqlite", "SELECT names FROM certificate")[0]["names"] == "none"
        others = [path for path in place.parent.iterdir() if path != place]
        # The old CA is kept, wherever the kill was.
        assert len(others) >= 1, (number, kept)
        assert all(authority.load(path) for path in others)
        shutil.rmtree(place.parent)
        if not killed:
            break
        kills += 1
        number += 37
    assert kills > 10
    assert seen == {"none", "old"}


def test_the_program_in_the_documentation_reads_an_archive(directory, target, tmp_path):
    back_up(directory, target)
    program = re.search(r"```python\n(.*?)```", OPERATIONS.read_text(), re.DOTALL)[1]
    (tmp_path / "read.py").write_text(program)
    with (tmp_path / "out.tar").open("wb") as output:
        subprocess.run(
            [sys.executable, tmp_path / "read.py", target], input=SECRET.value.encode(), stdout=output, check=True
        )
    names = subprocess.run(["tar", "-tf", tmp_path / "out.tar"], capture_output=True, text=True, check=True).stdout
    assert names.split()[:2] == ["manifest.json", "ledger.sqlite"]
    assert "issuing-1/key.pem" in names.split()
