# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import pki_samples as samples


@pytest.fixture(name="tmp_path")
def fixture_tmp_path(in_memory):
    return in_memory


@pytest.fixture(scope="session", name="template")
def fixture_template(tmp_path_factory):
    """A CA directory to copy: making one takes longer than most tests."""
    directory = tmp_path_factory.mktemp("template") / "pki"
    samples.create(directory)
    return directory


@pytest.fixture(name="directory")
def fixture_directory(template, tmp_path):
    """A CA directory of this test's own."""
    return shutil.copytree(template, tmp_path / "pki")


@pytest.fixture(name="killed_at")
def fixture_killed_at():
    return killed_at


def killed_at(number, function):
    """Run a function in a process that kills itself before that statement of the PKI core; False when it ended."""
    child = os.fork()
    if child == 0:
        _run_and_die(number, function)
    _pid, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


@pytest.fixture(name="boundaries")
def fixture_boundaries(tmp_path):
    return lambda function: boundaries(function, tmp_path / "boundaries")


def boundaries(function, path):
    """The numbers for `killed_at` of all statements that a function runs, each the first and the last time."""
    child = os.fork()
    if child == 0:
        _run_and_record(function, path)
    assert os.waitpid(child, 0)[1] == 0
    first, last = {}, {}
    for number, statement in enumerate(path.read_text().splitlines()):
        first.setdefault(statement, number)
        last[statement] = number
    return sorted({*first.values(), *last.values()})


def _run_and_record(function, path):
    seen = []

    def on_line(frame, event, _argument):
        if "/module_utils/_pki/" not in frame.f_code.co_filename:
            return None
        if event == "line":
            seen.append(f"{frame.f_code.co_filename}:{frame.f_lineno}")
        return on_line

    status = 1
    try:
        sys.settrace(on_line)
        function()
        sys.settrace(None)
        path.write_text("\n".join(seen))
        status = 0
    finally:
        os._exit(status)


def _run_and_die(number, function):
    left = number

    def on_line(frame, event, _argument):
        nonlocal left
        if "/module_utils/_pki/" not in frame.f_code.co_filename:
            return None
        if event == "line":
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return on_line

    status = 1
    try:
        sys.settrace(on_line)
        function()
        sys.settrace(None)
        status = 0
    finally:
        os._exit(status)
