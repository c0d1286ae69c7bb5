# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.

"""Lifetimes as they are written (`90d`) and moments as they are shown."""

from __future__ import annotations

import datetime as dt
import re

from .errors import PkiError

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_LIFETIME = re.compile(r"([1-9][0-9]{0,8})([smhdw])")


def parse(text: str, *, what: str) -> dt.timedelta:
    """The lifetime that `90d`, `12h`, `30m`, `45s` or `2w` says; PkiError names ``what`` was set to something else."""
    match = _LIFETIME.fullmatch(text)
    if not match:
        raise PkiError(f"{what} is {text!r}: write a whole number and a unit, for example 90d, 12h or 30m")
    return dt.timedelta(**{_UNITS[match[2]]: int(match[1])})


def written(lifetime: dt.timedelta) -> str:
    """A lifetime as `parse` reads it, in the largest unit but weeks that it is a whole number of."""
    seconds = int(lifetime.total_seconds())
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def show(moment: dt.datetime) -> str:
    """A moment in UTC to the second, as RFC 3339 writes it."""
    return moment.astimezone(dt.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
