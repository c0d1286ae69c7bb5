# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.

"""What a run over a list of devices is given, and what it reports."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Callable

from . import build, profiles
from .device_files import COMBINED, PKCS12, Output
from .device_rows import Source
from .passphrase import Passphrase

PROFILE = profiles.get("client")

# Files beside key and chain that a device can have.
FORMATS = {"combined": COMBINED, "pkcs12": PKCS12}

# How many refused rows a message shows, and how many devices with their reasons a result has.
SHOWN = 20


@dataclass(frozen=True)
class Settings:
    """What holds for all devices, and for those whose row says nothing else."""

    key_type: str = "ec-p256"
    lifetime: dt.timedelta = PROFILE.lifetime
    urls: build.Urls = field(default_factory=build.Urls)
    formats: tuple[str, ...] = ()
    key_passphrase: Passphrase | None = None
    processes: int = 1

    @property
    def batch(self) -> int:
        """How many devices are worked on at once, and again after a kill: some seconds of work at most."""
        slow = self.key_type.startswith("rsa") or "pkcs12" in self.formats
        return 20 if slow else 1000


@dataclass(frozen=True, order=True)
class Finding:
    """A device that gets something new, with the reason, or a row that is refused."""

    line: int
    common_name: str
    reason: str


@dataclass(frozen=True)
class Progress:
    """How far a run is; the total is not known while the list is examined."""

    phase: str
    done: int
    total: int | None
    issued: int
    seconds: float


def silent(_progress: Progress) -> None:
    """Report nothing."""


@dataclass(frozen=True)
class Run:
    """A list of devices and what is made of it, at one moment."""

    source: Source
    output: Output
    settings: Settings
    now: dt.datetime
    report: Callable[[Progress], None] = silent
