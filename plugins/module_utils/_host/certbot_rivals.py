# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""What else on a host renews with certbot on a schedule: two schedules race, and the one without a hook wins."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Sequence

from . import files, process


def rivals(*, ours: Collection[str] = ()) -> list[str]:
    """What else on this host renews with certbot on a schedule; `ours` are timers and files that do not count."""
    return [*_rival_timers(set(ours)), *rival_crontabs(set(ours))]


def _rival_timers(ours: set[str]) -> list[str]:
    found = []
    for timer in _systemctl("list-units", "--type=timer", "--state=active", "--plain", "--no-legend").splitlines():
        name = timer.split()[0] if timer.split() else ""
        if not name or name in ours:
            continue
        unit = _systemctl("show", name, "--property=Unit", "--value").strip()
        command = _systemctl("show", unit, "--property=ExecStart", "--value") if unit else ""
        if "certbot" in name or "certbot" in command:
            found.append(name)
    return found


_CRONTABS = ("/etc/crontab", "/etc/anacrontab", "/etc/cron.d", "/var/spool/cron/crontabs", "/var/spool/cron")
_CRON_SCRIPTS = ("/etc/cron.hourly", "/etc/cron.daily", "/etc/cron.weekly", "/etc/cron.monthly")
# The package's own entry, which does nothing where systemd runs.
_NOT_WITH_SYSTEMD = re.compile(r"!\s+-d\s+/run/systemd/system")


def rival_crontabs(ours: set[str], *, places: Sequence[str] = (*_CRONTABS, *_CRON_SCRIPTS)) -> list[str]:
    """Lines of cron that run certbot, with their file; `ours` are files that do not count."""
    found = []
    for path in _files_of(places):
        if path in ours:
            continue
        entry = files.observe(os.path.realpath(path))
        content = entry.content.decode(errors="replace") if isinstance(entry, files.File) else ""
        for line in content.splitlines():
            text = line.strip()
            if not text.startswith("#") and "certbot" in text and not _NOT_WITH_SYSTEMD.search(text):
                found.append(f"{path}: {text}")
    return found


def _files_of(places: Sequence[str]) -> list[str]:
    paths = []
    for place in places:
        if os.path.isdir(place):
            paths += sorted(os.path.join(place, name) for name in os.listdir(place))
        else:
            paths.append(place)
    return [path for path in paths if os.path.isfile(path)]


def _systemctl(*arguments: str) -> str:
    try:
        return process.run(["systemctl", *arguments]).stdout
    except FileNotFoundError:
        return ""
