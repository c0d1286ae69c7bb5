# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run a Molecule scenario and note how it ended, or sum up how all of them did.

    scenarios.py run NAME           skipped where its `requires` says that it cannot run here
    scenarios.py summary NAME...    a line for each, why the failed ones failed; ends with 1 if any did or was not run

A scenario can have a program `requires`, which ends with 77 and a reason where something that it needs is not there.
A skipped scenario is never counted as passed.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
RESULTS = Path(".cache/scenarios")
SKIP = 77

# Of what a failed scenario printed; the whole is beside its result.
_LINES_OF_A_FAILURE = 12

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
# A host's line of a recap in which something failed.
_FAILED_HOST = re.compile(r"^(\S+)\s+: ok=.*(?:unreachable=[1-9]|failed=[1-9])")


class Result(NamedTuple):
    """How a scenario ended."""

    outcome: str
    seconds: int
    reason: str = ""


class Results:
    """What is known of scenarios: a result and what was printed, each in a file with the scenario's name."""

    def __init__(self, root: Path):
        self._folder = root / RESULTS

    def log(self, name: str) -> Path:
        """Where what a scenario prints is kept."""
        return self._folder / f"{name}.log"

    def write(self, name: str, result: Result) -> None:
        """Note how a scenario ended."""
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / f"{name}.json").write_text(json.dumps(result._asdict()), encoding="utf-8")

    def read(self, name: str) -> Result:
        """How a scenario ended; `not run` where nothing was noted."""
        path = self._folder / f"{name}.json"
        return Result(**json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else Result("not run", 0)

    def begin(self, name: str) -> None:
        """Forget what an earlier run noted."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for path in (self.log(name), self._folder / f"{name}.json"):
            path.unlink(missing_ok=True)


def run(root: Path, name: str) -> Result:
    """Run a scenario if what it requires is here, print what it prints, and note how it ended."""
    results = Results(root)
    results.begin(name)
    begun = time.monotonic()
    requires = root / "molecule" / name / "requires"
    if requires.exists():
        asked = subprocess.run([requires], cwd=root, capture_output=True, text=True, check=False)
        if asked.returncode:
            skipped = asked.returncode == SKIP
            result = Result("skipped" if skipped else "failed", 0, (asked.stdout if skipped else asked.stderr).strip())
            results.write(name, result)
            print(line(name, result), flush=True)
            return result
    with (
        results.log(name).open("w", encoding="utf-8", buffering=1) as log,
        subprocess.Popen(
            ["molecule", "test", "--scenario-name", name],
            cwd=root,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process,
    ):
        assert process.stdout is not None
        for printed in process.stdout:
            log.write(printed)
            print(printed, end="", flush=True)
    result = Result("failed" if process.returncode else "passed", round(time.monotonic() - begun))
    results.write(name, result)
    return result


def line(name: str, result: Result) -> str:
    """A scenario's line of the summary."""
    if result.outcome == "skipped":
        return f"SKIPPED: {result.reason} (molecule/{name})"
    return f"{result.outcome:8} {name:18} {result.seconds:5} s  {result.reason}".rstrip()


def failures(printed: Sequence[str]) -> Iterator[str]:
    """The tasks after which hosts were given up, as Ansible printed them; else the end of what was printed."""
    ends = list(dict.fromkeys(_last_failures(printed)))
    for end in ends:
        task = next((text for text in reversed(printed[:end]) if text.startswith("TASK [")), "")
        yield task.rstrip(" *")
        yield from printed[end : end + _LINES_OF_A_FAILURE]
    if not ends:
        # The first is about Molecule's own layout.
        critical = next((number for number in reversed(range(len(printed))) if "CRITICAL" in printed[number]), None)
        where = len(printed) - _LINES_OF_A_FAILURE if critical is None else critical
        yield from printed[max(where, 0) :][:_LINES_OF_A_FAILURE]


def _last_failures(printed: Sequence[str]) -> Iterator[int]:
    """Where each host that a recap gives up failed last: what was expected is rescued, and the host goes on."""
    recap = {number: match[1] for number, text in enumerate(printed) if (match := _FAILED_HOST.match(text))}
    for host in dict.fromkeys(recap.values()):
        # `failed` is an item of a loop; the host that a task was delegated to may follow.
        failed = re.compile(rf"(fatal|failed): \[{re.escape(host)}( -> |\])")
        yield from [number for number, text in enumerate(printed[: min(recap)]) if failed.match(text)][-1:]


def summary(root: Path, names: Sequence[str]) -> tuple[list[str], bool]:
    """A line for each scenario, those that failed last and with their reason; whether all that could run passed."""
    results = Results(root)
    of = {name: results.read(name) for name in names}
    order = ["passed", "skipped", "not run", "failed"]
    lines = []
    for name in sorted(names, key=lambda name: (order.index(of[name].outcome), name)):
        lines.append(line(name, of[name]))
        if of[name].outcome == "failed" and results.log(name).is_file():
            printed = _COLOUR.sub("", results.log(name).read_text(encoding="utf-8")).splitlines()
            lines += [f"    {text}" for text in failures(printed)]
    count = Counter(result.outcome for result in of.values())
    bad = count["failed"] + count["not run"]
    lines.append(f"scenarios: {count['passed']} passed, {bad} failed, {count['skipped']} skipped")
    return lines, not bad


def main(arguments: Sequence[str]) -> int:
    """Do what the first argument says with the scenarios that the others name."""
    match arguments:
        case ["run", name]:
            return int(run(ROOT, name).outcome == "failed")
        case ["summary", *names] if names:
            lines, passed = summary(ROOT, names)
            print("\n".join(lines))
            return int(not passed)
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
