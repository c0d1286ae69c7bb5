# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What test hosts and the `.venv` do with modules that come in archives: the same, in less time."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

HOSTS = Path(__file__).resolve().parents[1] / "hosts"


@pytest.fixture(name="run")
def fixture_run(tmp_path):
    """Import `made`, of this source, from an archive in a folder of its own; what Python says."""
    # An environment of its own, and with it a cache of its own.
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)

    def run(source, *, folder="first"):
        archive = tmp_path / folder / "made.zip"
        archive.parent.mkdir(exist_ok=True)
        with zipfile.ZipFile(archive, "w") as written:
            written.writestr("made.py", source)
        result = subprocess.run(
            [tmp_path / "venv/bin/python", "-c", "import compiled_once, made"],
            env={**os.environ, "PYTHONPATH": f"{HOSTS}:{archive}"},
            capture_output=True,
            text=True,
            check=False,
        )
        return result.stdout, result.stderr

    return run


def kept(tmp_path):
    return sorted(path for path in (tmp_path / "venv/compiled-once").rglob("*") if path.is_file())


def test_a_file_is_compiled_once_and_a_changed_one_anew(run, tmp_path):
    assert run("print('one')") == ("one\n", "")
    [first] = kept(tmp_path)
    # Wherever it is: Ansible makes a folder each time.
    assert run("print('one')", folder="second") == ("one\n", "")
    assert kept(tmp_path) == [first]
    assert run("print('two')") == ("two\n", "")
    assert len(kept(tmp_path)) == 2


def test_an_error_names_the_file_that_was_imported(run, tmp_path):
    source = "def fail():\n    raise ValueError('no')\n\nfail()\n"
    for folder in ("first", "second"):
        _output, error = run(source, folder=folder)
        assert f'File "{tmp_path}/{folder}/made.zip/made.py", line 2, in fail' in error


def test_what_was_kept_and_is_damaged_is_compiled_again(run, tmp_path):
    run("print('one')")
    [first] = kept(tmp_path)
    whole = first.read_bytes()
    for damaged in (b"", whole[:20], b"no code"):
        first.write_bytes(damaged)
        assert run("print('one')") == ("one\n", "")
        assert first.read_bytes() == whole
