# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the benchmarks share: the collection in reach, a CA, a clock for wall and processor."""

from __future__ import annotations

import argparse
import datetime as dt
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / ".cache/collections"))

from ansible_collections.bulwark.mqtt.plugins.module_utils._pki import (  # noqa: E402  (found through the path above)
    authority,
    build,
    profiles,
)
from ansible_collections.bulwark.mqtt.plugins.module_utils._pki.passphrase import Passphrase  # noqa: E402

PASSPHRASE = Passphrase("only for benchmarks", "passphrase")
NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)


@dataclass(frozen=True)
class Measured:
    """How long something took, and how much of all processors together."""

    wall: float
    processor: float


def add_folder(parser: argparse.ArgumentParser) -> None:
    """The option that says where what is measured is written."""
    # Not below /tmp, which may be in memory: what is measured by default is what somebody with a disk gets.
    parser.add_argument(
        "--folder",
        type=Path,
        default=ROOT / ".cache",
        help="where to write; one in memory, as /dev/shm, shows what all of it takes but the disk",
    )


def measure(action: Callable[[], object]) -> Measured:
    """What it takes, with the processes that it starts and waits for."""
    wall, processor = time.perf_counter(), _processor()
    action()
    return Measured(wall=time.perf_counter() - wall, processor=_processor() - processor)


def peak() -> tuple[int, int]:
    """The most memory that this process, and the largest of those it waited for, ever had, in MiB."""
    own, children = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own // 1024, children // 1024


def create(directory: Path) -> authority.Authority:
    """A new CA with keys of P-256."""
    wanted = authority.Wanted(
        root=build.Spec(profile=profiles.get("root"), common_name="Root"),
        issuing=build.Spec(profile=profiles.get("issuing"), common_name="Issuing"),
        root_passphrase=PASSPHRASE,
        issuing_passphrase=PASSPHRASE,
    )
    return authority.create(directory, wanted, now=NOW)


def say(what: str, count: int, measured: Measured, plain: Measured | None = None) -> None:
    """One line of the result; the ratios are to a plain loop of the same run."""
    ratios = f"  {plain.wall / measured.wall:5.2f}  {plain.processor / measured.processor:5.2f}" if plain else ""
    print(f"{what:<34}{count / measured.wall:10.0f}/s{measured.processor / count * 1e6:9.0f} µs{ratios}", flush=True)


def _processor() -> float:
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )
