# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import bisect
import functools
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.bulwark.mqtt.plugins.module_utils._host import files, transaction
from ansible_collections.bulwark.mqtt.plugins.module_utils._host.errors import ActivationError, StoreError

# What the transaction runs itself, down to the single removals of rmtree.
TRACED = ("_host/transaction.py", "_host/files.py", "/shutil.py")
KilledAt = Callable[..., bool]
OWNER = (os.geteuid(), os.getegid())


@pytest.fixture(name="tmp_path")
def fixture_tmp_path(in_memory: Path) -> Path:
    return in_memory


@pytest.fixture(autouse=True)
def _fast_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is killed loses nothing that it has written: only a power cut would need fsync."""
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)


class Host:
    """A few files as a service would have them, and a change of all of them."""

    def __init__(self, root: Path) -> None:
        self.etc = root / "etc"
        self.state = transaction.State(journals=str(root / "journals"), lock=str(root / "lock"), run=str(root / "run"))
        self.restored: list[tuple[dict[str, str], str]] = []
        for path in ("versions/one", "versions/zero"):
            (self.etc / path).mkdir(parents=True)
            (self.etc / path / "key").write_text(path)
        (self.etc / "conf").write_text("old")
        (self.etc / "conf").chmod(0o600)
        (self.etc / "obsolete").write_text("old")
        (self.etc / "current").symlink_to("versions/one")

    def changes(self) -> list[files.Change]:
        return [
            files.Change(str(self.etc / "versions/two"), files.Directory(0o750, *OWNER)),
            files.Change(str(self.etc / "versions/two/key"), files.File(b"versions/two", 0o640, *OWNER)),
            files.Change(str(self.etc / "conf"), files.File(b"new", 0o640, *OWNER)),
            files.Change(str(self.etc / "obsolete"), None),
            files.Change(str(self.etc / "current"), files.Link("versions/two")),
        ]

    def run(self, activate: transaction.Activate = lambda plan: None, *, confirmed: bool = True) -> None:
        with transaction.locked(self.state, restore=self.restore), self.state.scratch():
            transaction.run(
                state=self.state,
                name="change",
                changes=self.changes(),
                plan={"unit": "x.service"},
                activate=activate,
                restore=self.restore,
                rubbish=[str(self.etc / "versions/zero")],
                confirmed=confirmed,
            )

    def recover(self) -> None:
        with transaction.locked(self.state, restore=self.restore):
            pass

    def restore(self, plan: transaction.Plan, phase: str) -> None:
        self.restored.append((dict(plan), phase))

    def tree(self) -> dict[str, object]:
        return {
            str(path.relative_to(self.etc)): files.observe(str(path))
            for path in sorted(self.etc.rglob("*"))
            if not path.is_dir() or path.is_symlink()
        } | {str(path.relative_to(self.etc)): "directory" for path in self.etc.rglob("*") if path.is_dir()}

    def leftovers(self) -> list[str]:
        root = self.etc.parent
        return [str(path) for path in root.rglob(".bulwark-*")] + [
            str(path) for name in ("journals", "run") for path in (root / name).glob("*")
        ]


def outcomes(tmp_path: Path) -> tuple[dict[str, object], dict[str, object]]:
    host = Host(tmp_path / "reference")
    old = host.tree()
    host.run()
    return old, host.tree()


def test_a_change_replaces_everything_and_leaves_nothing_behind(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.run()
    assert (host.etc / "conf").read_text() == "new"
    assert (host.etc / "conf").stat().st_mode & 0o777 == 0o640
    assert (host.etc / "current/key").read_text() == "versions/two"
    assert not (host.etc / "obsolete").exists()
    assert not (host.etc / "versions/zero").exists()
    assert host.leftovers() == []


def test_a_failed_activation_puts_the_old_version_back_and_says_why(tmp_path: Path) -> None:
    host = Host(tmp_path)
    old = host.tree()

    def refuse(_plan: transaction.Plan) -> None:
        assert (host.etc / "conf").read_text() == "new"
        raise ActivationError("x.service: quit")

    with pytest.raises(ActivationError, match=r"^rolled back: x\.service: quit$"):
        host.run(refuse)
    assert host.tree() == old
    assert host.restored == [({"unit": "x.service"}, transaction.ACTIVATING)]
    assert host.leftovers() == []


def test_a_full_disk_during_the_swap_puts_the_old_version_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host(tmp_path)
    old = host.tree()
    create = files.create

    def full(path: str, entry: files.File) -> None:
        if path.endswith("etc/.bulwark-conf") and entry.content == b"new":
            raise OSError(28, "No space left on device", path)
        create(path, entry)

    monkeypatch.setattr(files, "create", full)
    with pytest.raises(StoreError, match=r"^rolled back: .*No space left on device: '.*/etc/\.bulwark-conf'$"):
        host.run()
    assert host.tree() == old
    assert host.leftovers() == []


def test_a_restored_version_that_does_not_come_up_is_reported_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = Host(tmp_path)

    def refuse(_plan: transaction.Plan) -> None:
        raise ActivationError("x.service: quit")

    def broken(_plan: transaction.Plan, _phase: str) -> None:
        raise ActivationError("x.service: quit again")

    monkeypatch.setattr(host, "restore", broken)
    with pytest.raises(ActivationError) as failed:
        host.run(refuse)
    assert str(failed.value) == (
        "rolled back: x.service: quit; the previous version is back in place but did not come up: x.service: quit again"
    )


def test_a_kill_at_any_statement_leaves_the_old_or_the_new_version_after_recovery(
    tmp_path: Path, killed_at: KilledAt
) -> None:
    old, new = outcomes(tmp_path)
    seen = set()
    phases = set()
    number = 0
    alive = False
    while not alive:
        number += 1
        host = Host(tmp_path / str(number))
        alive = not killed_at(number, host.run, within=TRACED)
        host.recover()
        assert host.tree() in (old, new), f"killed before statement {number}"
        assert host.leftovers() == [], f"killed before statement {number}"
        seen.add("old" if host.tree() == old else "new")
        phases.update(phase for _plan, phase in host.restored)
    assert seen == {"old", "new"}
    assert phases == {transaction.SWAPPING, transaction.ACTIVATING}
    assert number > 200


def statements(tmp_path: Path, killed_at: KilledAt) -> int:
    """The first number at which a run ends by itself."""

    def ends(number: int) -> bool:
        return not killed_at(number, Host(tmp_path / f"length-{number}").run, within=TRACED)

    return bisect.bisect_left(range(10_000), True, lo=1, key=ends)


def test_a_kill_during_the_undo_of_a_failure_leaves_the_old_version_after_recovery(
    tmp_path: Path, killed_at: KilledAt
) -> None:
    old, _new = outcomes(tmp_path)

    def refuse(_plan: transaction.Plan) -> None:
        raise ActivationError("x.service: quit")

    def fail(host: Host) -> None:
        with pytest.raises(ActivationError):
            host.run(refuse)

    number = 0
    alive = False
    while not alive:
        number += 3
        host = Host(tmp_path / str(number))
        alive = not killed_at(number, functools.partial(fail, host), within=TRACED)
        host.recover()
        assert host.tree() == old, f"killed before statement {number}"
        assert host.leftovers() == [], f"killed before statement {number}"


@pytest.mark.parametrize(
    "first", [pytest.param(share, id=f"killed-first-at-{share}-percent") for share in (50, 65, 80, 95)]
)
def test_a_kill_during_recovery_is_recovered_in_the_same_way(tmp_path: Path, killed_at: KilledAt, first: int) -> None:
    old, new = outcomes(tmp_path)
    length = statements(tmp_path, killed_at)
    number = 0
    alive = False
    while not alive:
        number += 7
        host = Host(tmp_path / str(number))
        assert killed_at(length * first // 100, host.run, within=TRACED)
        alive = not killed_at(number, host.recover, within=TRACED)
        host.recover()
        assert host.tree() in (old, new), f"recovery killed before statement {number}"
        assert host.leftovers() == [], f"recovery killed before statement {number}"


def test_the_journal_goes_before_the_copies_it_refers_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host(tmp_path)
    journals = []
    remove = shutil.rmtree

    def watched(path: str, **options: bool) -> None:
        journals.extend(Path(path).glob("journal.json"))
        remove(path, **options)

    def refuse(_plan: transaction.Plan) -> None:
        raise ActivationError("x.service: quit")

    monkeypatch.setattr(shutil, "rmtree", watched)
    host.run()
    with pytest.raises(ActivationError):
        host.run(refuse)
    assert journals == []


def test_a_damaged_journal_stops_everything_with_the_remedy(tmp_path: Path) -> None:
    host = Host(tmp_path)
    home = Path(host.state.journals) / "change"
    home.mkdir(parents=True)
    (home / "journal.json").write_text("{")
    with pytest.raises(
        StoreError, match=r"journal\.json: is damaged \(.*\); compare the paths in it with .*/change/old by hand$"
    ):
        host.recover()
    assert (home / "journal.json").exists()


def test_two_runs_do_not_overlap(tmp_path: Path) -> None:
    host = Host(tmp_path)
    impatient = transaction.locked(host.state, restore=host.restore, patience=0)
    with transaction.locked(host.state, restore=host.restore), pytest.raises(StoreError) as refused, impatient:
        pass
    assert str(refused.value) == (
        f"{host.state.lock}: another change has held the lock for 0 seconds; let it end, then run again"
    )
    host.recover()


def test_what_waits_to_be_confirmed_holds_while_others_change_things(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.run(confirmed=False)
    new = host.tree()
    host.recover()
    assert (host.tree(), host.restored) == (new, [])
    assert (host.etc / "conf").read_text() == "new"


def test_what_is_confirmed_is_finished(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.run(confirmed=False)
    with transaction.locked(host.state, restore=host.restore):
        transaction.confirm(host.state, "change")
    assert host.leftovers() == []
    assert not (host.etc / "versions/zero").exists()


def test_what_nobody_confirms_is_undone_as_if_the_services_knew_it(tmp_path: Path) -> None:
    host = Host(tmp_path)
    old = host.tree()
    host.run(confirmed=False)
    with transaction.locked(host.state, restore=host.restore):
        assert transaction.undo_unconfirmed(host.state, restore=host.restore) == ["change"]
    assert host.tree() == old
    assert host.restored == [({"unit": "x.service"}, transaction.ACTIVATING)]
    assert host.leftovers() == []


def test_a_confirmation_that_comes_too_late_is_refused(tmp_path: Path) -> None:
    host = Host(tmp_path)
    message = "change: nothing waits to be confirmed; it was undone when its time was up, so run it again"
    with transaction.locked(host.state, restore=host.restore), pytest.raises(StoreError) as failure:
        transaction.confirm(host.state, "change")
    assert str(failure.value) == message
