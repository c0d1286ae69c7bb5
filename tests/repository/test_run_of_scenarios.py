# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A scenario runs where it can, counts as passed only when it passed, and its failure is told where it is read."""

from __future__ import annotations

from pathlib import Path

import pytest
import scenarios

RECAP = """
TASK [role : Ask what is refused] ***************
fatal: [debian12]: FAILED! => {"msg": "expected"}

TASK [role : Begin the broker] ******************
fatal: [debian12]: FAILED! =>
    msg: no such unit
fatal: [debian13]: FAILED! => {"msg": "expected too"}

PLAY RECAP *********************
debian12                   : ok=1    changed=0    unreachable=0    failed=1    skipped=0    rescued=1    ignored=0
debian13                   : ok=9    changed=0    unreachable=0    failed=0    skipped=0    rescued=1    ignored=0
"""


class Machine:
    """A project with scenarios, and a `molecule` that does what it is told."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch):
        self.root = root
        self._programs = root / "bin"
        self._programs.mkdir()
        monkeypatch.setenv("PATH", f"{self._programs}:/usr/bin:/bin")

    def program(self, path: str, body: str) -> None:
        """Write a shell program."""
        program = self.root / path
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
        program.chmod(0o755)

    def molecule(self, body: str) -> None:
        """Have molecule do something."""
        self.program("bin/molecule", body)

    def run(self, name: str) -> scenarios.Result:
        """Run a scenario."""
        return scenarios.run(self.root, name)

    def summary(self, *names: str) -> list[str]:
        """What is said at the end."""
        return scenarios.summary(self.root, names)[0]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A project with nothing in it."""
    return Machine(tmp_path, monkeypatch)


def test_molecule_is_given_the_scenario_and_what_it_prints_is_shown(machine: Machine, capfd: pytest.CaptureFixture):
    machine.molecule('echo "$*"')
    assert machine.run("pki") == ("passed", 0, "")
    assert capfd.readouterr().out == "test --scenario-name pki\n"


def test_a_scenario_that_fails_is_told_with_the_tasks_that_ended_it(machine: Machine):
    machine.molecule(f"cat <<'END'\n{RECAP}\nEND\nexit 1")
    assert machine.run("mosquitto").outcome == "failed"
    assert machine.summary("mosquitto") == [
        "failed   mosquitto              0 s",
        "    TASK [role : Begin the broker]",
        "    fatal: [debian12]: FAILED! =>",
        "        msg: no such unit",
        '    fatal: [debian13]: FAILED! => {"msg": "expected too"}',
        "    ",
        "    PLAY RECAP *********************",
        *(f"    {line}" for line in RECAP.splitlines() if line.startswith("debian1")),
        "    ",
        "scenarios: 0 passed, 1 failed, 0 skipped",
    ]


def test_an_item_of_a_loop_that_failed_elsewhere_for_a_host_is_told(machine: Machine):
    printed = [
        "TASK [Ask] ***",
        "failed: [debian13 -> localhost] (item=up) => no",
        "debian13 : ok=1 changed=0 failed=1",
    ]
    machine.molecule("cat <<'END'\n" + "\n".join(printed) + "\nEND\nexit 1")
    machine.run("monitoring")
    assert machine.summary("monitoring")[1:3] == ["    TASK [Ask]", f"    {printed[1]}"]


def test_a_failure_that_is_no_tasks_is_told_with_molecules_word(machine: Machine):
    machine.molecule(
        "echo CRITICAL layout; printf '\\033[31mCRITICAL\\033[0m Idempotence test failed\\nwhich\\n'; exit 1"
    )
    machine.run("pki")
    assert machine.summary("pki")[1:-1] == ["    CRITICAL Idempotence test failed", "    which"]


def test_a_failure_without_a_word_is_told_with_the_end_of_what_was_printed(machine: Machine):
    machine.molecule("seq 20; exit 3")
    machine.run("pki")
    assert machine.summary("pki")[1:-1] == [f"    {number}" for number in range(9, 21)]


def test_a_scenario_that_lacks_something_is_not_run_and_not_passed(machine: Machine):
    machine.molecule("touch ran")
    machine.program("molecule/emqx/requires", "echo no EMQX package; exit 77")
    assert machine.run("emqx") == ("skipped", 0, "no EMQX package")
    assert not (machine.root / "ran").exists()
    assert machine.summary("emqx") == [
        "SKIPPED: no EMQX package (molecule/emqx)",
        "scenarios: 0 passed, 0 failed, 1 skipped",
    ]


def test_a_scenario_that_has_what_it_requires_is_run(machine: Machine):
    machine.molecule("touch ran")
    machine.program("molecule/emqx/requires", "exit 0")
    assert machine.run("emqx").outcome == "passed"
    assert (machine.root / "ran").exists()


def test_what_a_scenario_requires_wrongly_is_a_failure(machine: Machine):
    machine.program("molecule/emqx/requires", "echo correct the path >&2; exit 1")
    assert machine.run("emqx") == ("failed", 0, "correct the path")
    assert machine.summary("emqx")[0] == "failed   emqx                   0 s  correct the path"


def test_a_scenario_that_was_not_run_fails_the_whole(machine: Machine):
    machine.molecule("exit 0")
    machine.run("pki")
    assert scenarios.summary(machine.root, ["pki"]) == (
        ["passed   pki                    0 s", "scenarios: 1 passed, 0 failed, 0 skipped"],
        True,
    )
    lines, passed = scenarios.summary(machine.root, ["pki", "posture"])
    assert not passed
    assert lines[1:] == ["not run  posture                0 s", "scenarios: 1 passed, 1 failed, 0 skipped"]


def test_a_run_that_is_broken_off_leaves_no_earlier_result(machine: Machine, monkeypatch: pytest.MonkeyPatch):
    machine.molecule("exit 0")
    machine.run("pki")
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(FileNotFoundError):
        machine.run("pki")
    assert machine.summary("pki")[0] == "not run  pki                    0 s"
