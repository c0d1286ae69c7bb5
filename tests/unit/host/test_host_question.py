# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import subprocess

import pytest
from ansible_collections.bulwark.mqtt.plugins.module_utils._host_question import Host, Unit

ROOT = {"owner": "root", "group": "root"}

# What systemctl says of units by their name, in the form in which it does.
SYSTEMCTL = """#!/bin/sh
shift
for name in "$@"; do
  case $name in
    --*) ;;
    broker.service) printf 'ActiveState=active\\nUnitFileState=enabled\\n\\n' ;;
    started.service) printf 'ActiveState=active\\nUnitFileState=disabled\\n\\n' ;;
    starting.service) printf 'ActiveState=activating\\nUnitFileState=enabled\\n\\n' ;;
    *) printf 'ActiveState=inactive\\nUnitFileState=\\n\\n' ;;
  esac
done
"""


@pytest.fixture(name="host")
def host_with_a_file(tmp_path, monkeypatch):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/systemctl").write_text(SYSTEMCTL)
    (tmp_path / "bin/systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    (tmp_path / "a directory").mkdir(mode=0o750)
    (tmp_path / "a directory/a file").write_text("content\n")
    (tmp_path / "a directory/a file").chmod(0o640)
    return tmp_path


def wanted(host, **changes):
    given = {
        "files": [
            {"path": f"{host}/a directory/a file", "content": "content\n", "mode": "0640", "state": "present", **ROOT},
            {"path": f"{host}/gone", "content": None, "mode": "0644", "state": "absent", **ROOT},
        ],
        "directories": [{"path": f"{host}/a directory", "mode": "0750", **ROOT}],
        "groups": ["root", "daemon"],
        "units": [Unit("broker.service"), Unit("other.service", running=False)],
        "journals": f"{host}/transactions",
        **changes,
    }
    return Host(**given)


def said(wanted_):
    asked = subprocess.run(["sh", "-c", wanted_.question()], capture_output=True, text=True, check=False)
    assert asked.stderr == ""
    return asked.stdout.splitlines()


def is_so(wanted_):
    return wanted_.is_so(said(wanted_))


def test_a_host_that_has_all_of_it(host):
    assert is_so(wanted(host))


def test_nothing_is_wanted(host):
    nothing = Host(files=())
    assert is_so(nothing)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda host: (host / "a directory/a file").write_text("other\n"), id="content"),
        pytest.param(lambda host: (host / "a directory/a file").chmod(0o644), id="mode"),
        pytest.param(lambda host: os.chown(host / "a directory/a file", 1, 0), id="owner"),
        pytest.param(lambda host: os.chown(host / "a directory/a file", 0, 1), id="group"),
        pytest.param(lambda host: (host / "a directory/a file").unlink(), id="missing"),
        pytest.param(lambda host: (host / "a directory").chmod(0o755), id="mode-of-a-directory"),
        pytest.param(lambda host: (host / "gone").write_text(""), id="a-file-that-is-to-be-absent"),
        pytest.param(lambda host: (host / "gone").symlink_to("nowhere"), id="a-link-where-nothing-is-to-be"),
        pytest.param(lambda host: (host / "transactions/x").mkdir(parents=True), id="none"),
    ],
)
def test_a_host_that_was_changed(host, change, request):
    change(host)
    assert is_so(wanted(host)) == request.node.callspec.id.startswith("none")


def test_a_link_to_the_right_content_is_no_file(host):
    file = host / "a directory/a file"
    file.rename(host / "elsewhere")
    file.symlink_to(host / "elsewhere")
    assert not is_so(wanted(host))


def test_a_transaction_that_is_not_done(host):
    (host / "transactions/service-broker").mkdir(parents=True)
    (host / "transactions/service-broker/journal.json").write_text("{}")
    assert not is_so(wanted(host))


@pytest.mark.parametrize(
    ("units", "expected"),
    [
        ([], True),
        ([Unit("broker.service")], True),
        ([Unit("broker.service", running=False)], False),
        ([Unit("started.service")], False),
        ([Unit("started.service", running=False)], False),
        ([Unit("starting.service")], False),
        ([Unit("other.service")], False),
        ([Unit("other.service", running=False), Unit("broker.service")], True),
    ],
)
def test_units(host, units, expected):
    assert is_so(wanted(host, units=units)) == expected


def test_a_group_that_is_not_there(host):
    assert not is_so(wanted(host, groups=["root", "no-such-group"]))


@pytest.mark.parametrize("lines", [[], [""], ["", "", "", "", "", ""], ["sh: find: not found"]])
def test_an_answer_that_is_none(host, lines):
    assert not wanted(host).is_so(lines)


def test_names_are_no_commands(host):
    name = host / "$(touch gone)'; touch gone; '"
    name.write_text("content\n")
    name.chmod(0o644)
    assert is_so(
        wanted(host, files=[{"path": str(name), "content": "content\n", "mode": "0644", **ROOT}], directories=())
    )
    assert not os.path.exists("gone")
