# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An account's key is changed and kept whatever happens; the scenario does it with certbot's library and a CA."""

from __future__ import annotations

import datetime as dt
import fcntl
import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bulwark.mqtt.plugins.module_utils import _certbot_accounts as accounts
from ansible_collections.bulwark.mqtt.plugins.module_utils import _certbot_acme
from ansible_collections.bulwark.mqtt.plugins.module_utils import _certbot_rollover as rollover
from ansible_collections.bulwark.mqtt.plugins.module_utils._host.errors import StoreError
from ansible_collections.bulwark.mqtt.plugins.module_utils._pki import archive
from ansible_collections.bulwark.mqtt.plugins.module_utils._pki.errors import ArchiveError
from ansible_collections.bulwark.mqtt.plugins.module_utils._pki.passphrase import Passphrase
from ansible_collections.bulwark.mqtt.plugins.modules import certbot_account_key

SERVER = "https://acme.example/v2/dir"
URI = "https://acme.example/account/1"
SECRET = Passphrase("archive passphrase 1", "passphrase")
NOW = dt.datetime(2026, 11, 28, 8, tzinfo=dt.UTC)


class Ca:
    """A CA that remembers in a file which key is the account's, so that it survives a client that is killed."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def identity(self, key: str) -> str:
        return hashlib.sha256(key.encode()).hexdigest()[:8]

    def make_key(self, like: str) -> str:
        return json.dumps({"key": json.loads(like)["key"] + 1})

    def accepts(self, key: str) -> bool:
        return self.path.read_text() == key

    def change(self, old: str, new: str) -> None:
        if not self.accepts(old):
            raise StoreError("not the account's key")
        self.path.write_text(new)


class Certbot:
    """certbot's directory with one account and what is renewed with it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.accounts, self.renewal = root / "accounts", root / "renewal"
        self.ca = Ca(root / "ca")
        self.renewal.mkdir(parents=True)
        first = json.dumps({"key": 1})
        self.ca.path.write_text(first)
        self.add(first)
        for name in ("mqtt", "edge"):
            (self.renewal / f"{name}.conf").write_text(
                f"[renewalparams]\naccount = {self.ca.identity(first)}\nserver = x\n"
            )

    def add(self, key: str, *, uri: str = URI) -> Path:
        directory = self.accounts / "acme.example/v2/dir" / self.ca.identity(key)
        directory.mkdir(parents=True)
        (directory / "private_key.json").write_text(key)
        (directory / "private_key.json").chmod(0o400)
        (directory / "regr.json").write_text(json.dumps({"body": {}, "uri": uri}))
        (directory / "meta.json").write_text("{}")
        return directory

    def names(self) -> list[str]:
        return sorted(path.name for path in (self.accounts / "acme.example/v2/dir").iterdir())

    def used(self) -> set[str]:
        """The accounts that renewals lead to."""
        return {path.read_text().split("account = ")[1].split("\n")[0] for path in self.renewal.glob("*.conf")}

    def find(self, identity: str = "") -> rollover.Account:
        return rollover.find(str(self.accounts), server=SERVER, identity=identity)

    def roll_over(self) -> rollover.Rolled:
        return rollover.roll_over(self.find(), self.ca, renewal=str(self.renewal))

    def key_of(self, name: str) -> str:
        return (self.accounts / "acme.example/v2/dir" / name / "private_key.json").read_text()


@pytest.fixture(name="certbot")
def fixture_certbot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Certbot:
    monkeypatch.setattr(archive, "_COST", {"n": 1024, "r": 8, "p": 1})
    return Certbot(tmp_path / "letsencrypt")


def refusal(function: Callable[[], object]) -> str:
    with pytest.raises((StoreError, ArchiveError)) as refused:
        function()
    return str(refused.value)


def test_the_key_is_changed_and_everything_that_is_renewed_follows(certbot: Certbot) -> None:
    (before,) = certbot.names()
    rolled = certbot.roll_over()
    assert (rolled.before, rolled.resumed) == (before, False)
    assert certbot.names() == [rolled.after]
    assert certbot.used() == {rolled.after}
    assert certbot.ca.accepts(certbot.key_of(rolled.after))
    assert (
        certbot.accounts / "acme.example/v2/dir" / rolled.after / "private_key.json"
    ).stat().st_mode & 0o777 == 0o400
    assert [path.name for path in certbot.accounts.iterdir()] == ["acme.example"]


def test_a_change_that_is_killed_anywhere_loses_no_account_and_is_finished(certbot: Certbot, killed_at: Any) -> None:
    number, killed = 0, True
    while killed:
        number += 1
        shutil.rmtree(certbot.root)
        one = Certbot(certbot.root)
        killed = killed_at(number, one.roll_over, within=("_certbot_rollover.py",))
        # Whatever the CA took last is on disk, and what is renewed leads to an account.
        assert one.used() <= set(one.names())
        stored = [one.key_of(name) for name in one.names()]
        stored += [json.loads(path.read_text())["key"] for path in one.accounts.glob(".bulwark-rollover-*")]
        assert one.ca.path.read_text() in stored
        if killed:
            staged = bool(list(one.accounts.glob(".bulwark-rollover-*")))
            assert one.roll_over().resumed is staged
        (name,) = one.names()
        assert one.used() == {name}
        assert one.ca.accepts(one.key_of(name))
        assert [path.name for path in one.accounts.iterdir()] == ["acme.example"]
    assert number > 40


def test_an_answer_that_was_lost_is_asked_for_and_not_sent_again(
    certbot: Certbot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(old: str, new: str) -> None:
        Ca.change(certbot.ca, old, new)
        raise StoreError("the line was cut")

    monkeypatch.setattr(certbot.ca, "change", lost)
    assert refusal(certbot.roll_over) == "the line was cut"
    rolled = certbot.roll_over()
    assert (rolled.resumed, certbot.names()) == (True, [rolled.after])


def test_accounts_that_are_not_there_or_more_than_one_are_named(certbot: Certbot) -> None:
    where = certbot.accounts / "acme.example/v2/dir"
    (first,) = certbot.names()
    assert refusal(lambda: certbot.find("none")) == f"{where}: has no account none; it has {first}"
    certbot.add(json.dumps({"key": 7}))
    known = ", ".join(certbot.names())
    assert refusal(certbot.find) == f"{where}: has the accounts {known}; say which one with account"
    assert certbot.find(first).identity == first
    shutil.rmtree(where)
    assert refusal(certbot.find) == (
        f"{where}: certbot has no account with {SERVER} on this host; run the role certbot first"
    )


def test_certbot_does_not_run_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / ".certbot.lock"
    # Locks of one process do not exclude each other: certbot's is another one.
    with rollover.alone(str(tmp_path)):
        assert path.exists()
    assert not path.exists()


def test_a_running_certbot_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def taken(_descriptor: int, _operation: int) -> None:
        raise BlockingIOError

    monkeypatch.setattr(fcntl, "lockf", taken)
    assert refusal(lambda: rollover.alone(str(tmp_path)).__enter__()) == (
        f"{tmp_path}/.certbot.lock: certbot is running; run this again when it has ended"
    )


def test_a_python_without_certbots_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_certbot_acme, "PROBLEM", "No module named 'acme'")
    monkeypatch.setattr(certbot_account_key.sys, "executable", "/usr/bin/python3")
    assert refusal(lambda: certbot_account_key.ensure({"server": SERVER, "account": ""}, check_mode=False)) == (
        "/usr/bin/python3 has no library acme (No module named 'acme'): run the module with the Python that runs"
        " certbot, by ansible_python_interpreter; that of a snap cannot be used"
    )


def back_up(
    certbot: Certbot, target: Path, *, passphrase: Passphrase = SECRET, check_mode: bool = False
) -> accounts.Result:
    return accounts.back_up(str(certbot.accounts), str(target), passphrase=passphrase, check_mode=check_mode, now=NOW)


def restore(
    certbot: Certbot, source: Path, *, passphrase: Passphrase = SECRET, replace: bool = False, check_mode: bool = False
) -> accounts.Result:
    return accounts.restore(
        str(source), str(certbot.accounts), passphrase=passphrase, replace=replace, check_mode=check_mode, now=NOW
    )


def test_accounts_are_backed_up_once_and_come_back_as_they_were(certbot: Certbot, tmp_path: Path) -> None:
    target = tmp_path / "archive"
    (name,) = certbot.names()
    account = f"acme.example/v2/dir/{name}"
    predicted, done, again = (back_up(certbot, target, check_mode=check) for check in (True, False, False))
    assert predicted.reasons == done.reasons == (f"{target} is not there yet",)
    assert (done.accounts, again.reasons) == ((account,), ())
    assert target.stat().st_mode & 0o777 == 0o600
    assert certbot.key_of(name).encode() not in target.read_bytes()
    key = certbot.key_of(name)
    shutil.rmtree(certbot.accounts)
    predicted = restore(certbot, target, check_mode=True)
    assert not certbot.accounts.exists()
    restored = restore(certbot, target)
    assert predicted.reasons == restored.reasons == (f"{account} is restored from the archive of 2026-11-28T08:00:00Z",)
    assert certbot.key_of(name) == key
    assert (certbot.accounts / account / "private_key.json").stat().st_mode & 0o777 == 0o400
    assert (certbot.accounts / account).stat().st_mode & 0o777 == 0o700
    assert restore(certbot, target).reasons == ()


def test_a_changed_account_is_backed_up_again(certbot: Certbot, tmp_path: Path) -> None:
    back_up(certbot, tmp_path / "archive")
    certbot.roll_over()
    assert back_up(certbot, tmp_path / "archive").reasons == (
        "the accounts changed since the archive of 2026-11-28T08:00:00Z",
    )


def test_an_archive_that_is_none_or_damaged_or_under_another_passphrase_changes_nothing(
    certbot: Certbot, tmp_path: Path
) -> None:
    target, wrong = tmp_path / "archive", Passphrase("another passphrase", "passphrase")
    target.write_text("notes")
    assert refusal(lambda: back_up(certbot, target)) == (
        f"{target} is no archive of accounts of certbot and is not overwritten: give another path"
    )
    assert refusal(lambda: restore(certbot, target)) == (
        f"{target} is no archive of accounts of certbot: give a file that certbot_backup wrote"
    )
    target.unlink()
    back_up(certbot, target)
    assert refusal(lambda: restore(certbot, target, passphrase=wrong)) == (
        f"{target} cannot be opened: the passphrase is wrong, check passphrase"
    )
    target.write_bytes(target.read_bytes()[:-1])
    assert refusal(lambda: restore(certbot, target)) == (
        f"{target} is damaged or incomplete: copy it again, or use another archive"
    )
    assert refusal(lambda: restore(certbot, tmp_path / "none")) == (
        f"{tmp_path}/none cannot be read (No such file or directory): correct the path"
    )


def test_an_account_in_the_place_is_kept_unless_told(certbot: Certbot, tmp_path: Path) -> None:
    target = tmp_path / "archive"
    back_up(certbot, target)
    (name,) = certbot.names()
    where = certbot.accounts / "acme.example/v2/dir"
    shutil.rmtree(where)
    other = certbot.add(json.dumps({"key": 7}), uri=URI + "7")
    assert refusal(lambda: restore(certbot, target)) == (
        f"{other} is in the place of acme.example/v2/dir/{name}, and certbot can use one account with a server: set"
        " replace to true to put it aside"
    )
    restored = restore(certbot, target, replace=True)
    assert restored.kept == (f"{certbot.accounts}.replaced-20261128T080000Z/acme.example/v2/dir/{other.name}",)
    assert Path(restored.kept[0], "private_key.json").exists()
    assert certbot.names() == [name]


def test_a_key_that_was_changed_since_is_not_overwritten_by_the_old_one(certbot: Certbot, tmp_path: Path) -> None:
    target = tmp_path / "archive"
    back_up(certbot, target)
    after = certbot.roll_over().after
    assert refusal(lambda: restore(certbot, target)) == (
        f"{certbot.accounts}/acme.example/v2/dir/{after} has a newer key of {URI} than the archive of"
        " 2026-11-28T08:00:00Z: it was changed since, and the CA accepts the old one no more; back up again, or set"
        " replace to true where it is the newer one that the CA does not accept"
    )


def test_a_change_that_was_under_way_is_in_the_backup(
    certbot: Certbot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(old: str, new: str) -> None:
        Ca.change(certbot.ca, old, new)
        raise StoreError("the line was cut")

    with monkeypatch.context() as cut:
        cut.setattr(certbot.ca, "change", lost)
        refusal(certbot.roll_over)
    back_up(certbot, tmp_path / "archive")
    shutil.rmtree(certbot.accounts)
    restore(certbot, tmp_path / "archive")
    rolled = certbot.roll_over()
    assert rolled.resumed
    assert certbot.ca.accepts(certbot.key_of(rolled.after))


def test_nothing_to_back_up_is_said(certbot: Certbot, tmp_path: Path) -> None:
    shutil.rmtree(certbot.accounts)
    assert refusal(lambda: back_up(certbot, tmp_path / "archive")) == (
        f"{certbot.accounts} has no account: nothing is there to back up, run the role certbot first"
    )
