# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import functools
import json
import multiprocessing
import os
import signal

import pytest
from ansible_collections.bulwark.mqtt.plugins.module_utils._pki import filesystem, progress
from ansible_collections.bulwark.mqtt.plugins.module_utils._pki.device_run import Progress
from ansible_collections.bulwark.mqtt.plugins.module_utils._pki.errors import AuthorityError, PkiError
from ansible_collections.bulwark.mqtt.plugins.module_utils._workers import each as with_error

each = functools.partial(with_error, error=PkiError)


@pytest.mark.parametrize("processes", [1, 2, 5])
def test_each_batch_is_worked_on_once_and_no_process_stays(processes):
    found = each(lambda number: number * 2, range(30), processes=processes)
    assert sorted(found) == [number * 2 for number in range(30)]
    assert multiprocessing.active_children() == []


def test_the_work_is_done_by_other_processes():
    assert os.getpid() not in set(each(lambda _batch: os.getpid(), range(4), processes=2))


def test_a_single_batch_is_done_here():
    assert list(each(lambda _batch: os.getpid(), [1], processes=2)) == [os.getpid()]


def test_batches_are_read_as_they_are_needed():
    read = []
    found = each(lambda number: number, (read.append(number) or number for number in range(1000)), processes=2)
    next(found)
    assert len(read) <= 4
    found.close()
    assert multiprocessing.active_children() == []


def test_large_batches_and_results_do_not_wait_for_each_other():
    batches = [bytes(1_000_000) for _ in range(8)]
    assert list(each(lambda batch: batch, batches, processes=2)) == batches


@pytest.mark.parametrize(("error", "raised"), [(PkiError("refused"), PkiError), (KeyError("bug"), RuntimeError)])
def test_what_a_worker_raises_is_raised_here(error, raised):
    def fail(_batch):
        raise error

    with pytest.raises(raised, match=r"refused|KeyError: 'bug'"):
        list(each(fail, range(4), processes=2))
    assert multiprocessing.active_children() == []


def test_a_worker_that_is_killed_ends_the_run():
    def die(batch):
        if batch == 3:
            os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(PkiError) as caught:
        list(each(die, range(10), processes=2))
    assert str(caught.value) == (
        "a process of this run was killed: look for the reason in the kernel's log, then run again"
    )


def test_two_folders_change_places(tmp_path):
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    filesystem.exchange(tmp_path / "one", tmp_path / "other")
    assert (tmp_path / "one/other").exists()
    assert (tmp_path / "other/one").exists()
    with pytest.raises(FileNotFoundError):
        filesystem.exchange(tmp_path / "one", tmp_path / "missing")


def test_a_folder_that_is_not_there_is_not_brought_to_the_disk(tmp_path):
    filesystem.sync(tmp_path)
    with pytest.raises(FileNotFoundError):
        filesystem.sync(tmp_path / "missing")


def written(path, *reports):
    report = progress.ProgressFile(path)
    found = []
    for one in reports:
        report(one)
        found.append(json.loads(path.read_text()))
    return found


def test_the_progress_is_written_once_a_second_and_at_the_end(tmp_path):
    moments = [(0, 0.0), (10, 0.5), (30, 1.5), (40, 1.6), (100, 1.7)]
    found = written(
        tmp_path / "progress.json",
        *(Progress("enroll", done=done, total=100, issued=done, seconds=seconds) for done, seconds in moments),
    )
    assert [one["done"] for one in found] == [0, 0, 30, 30, 100]
    assert found[2] == {
        "phase": "enroll",
        "done": 30,
        "total": 100,
        "issued": 30,
        "seconds": 1.5,
        "per_second": 20,
        "seconds_left": 3.5,
    }


def test_what_is_left_is_not_known_before_the_total_is(tmp_path):
    (found,) = written(tmp_path / "progress.json", Progress("examine", done=9, total=None, issued=0, seconds=3.0))
    assert found["seconds_left"] is None


def test_a_progress_that_cannot_be_written_is_said_before_the_work(tmp_path):
    with pytest.raises(AuthorityError) as caught:
        written(tmp_path / "missing/progress.json", Progress("examine", done=0, total=None, issued=0, seconds=0.0))
    assert str(caught.value) == (
        f"{tmp_path}/missing/.progress.json.new cannot be used (No such file or directory): check its owner and mode"
    )
