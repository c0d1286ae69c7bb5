# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime as dt

import pytest
from ansible_collections.bulwark.mqtt.plugins.module_utils._pki import lifetimes
from ansible_collections.bulwark.mqtt.plugins.module_utils._pki.errors import PkiError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("45s", dt.timedelta(seconds=45)),
        ("30m", dt.timedelta(minutes=30)),
        ("12h", dt.timedelta(hours=12)),
        ("90d", dt.timedelta(days=90)),
        ("2w", dt.timedelta(weeks=2)),
    ],
)
def test_a_number_and_a_unit_are_a_lifetime(text, expected):
    assert lifetimes.parse(text, what="lifetime") == expected


@pytest.mark.parametrize("text", ["", "90", "d", "0d", "-1d", "1.5d", "90 d", "90days", "9" * 10 + "d"])
def test_anything_else_is_refused_by_name(text):
    with pytest.raises(PkiError) as caught:
        lifetimes.parse(text, what="lifetimes.server")
    assert str(caught.value) == (
        f"lifetimes.server is {text!r}: write a whole number and a unit, for example 90d, 12h or 30m"
    )


@pytest.mark.parametrize("text", ["45s", "90m", "12h", "90d"])
def test_a_lifetime_is_written_as_it_is_read(text):
    assert lifetimes.written(lifetimes.parse(text, what="lifetime")) == text


def test_a_moment_is_shown_in_utc():
    zone = dt.timezone(dt.timedelta(hours=2))
    assert lifetimes.show(dt.datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=zone)) == "2026-01-02T01:04:05Z"
