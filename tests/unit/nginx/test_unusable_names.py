# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The patterns with which an nginx that writes the PROXY header itself refuses subjects, as edge.js does below it."""

from __future__ import annotations

import pathlib
import re

import pytest
import yaml

VARS = pathlib.Path(__file__).parents[3] / "roles/nginx_stream/vars/main.yml"
UNUSABLE = yaml.safe_load(VARS.read_text(encoding="utf-8"))["__nginx_stream_unusable"]
TWO, CONTROL, EMPTY = "two common names", "control characters in the subject", "an empty common name"


def flaw(subject):
    """What nginx's map says: the first pattern that is found."""
    return next((reason for pattern, reason in UNUSABLE.items() if re.search(pattern, subject)), "")


@pytest.mark.parametrize(
    "subject",
    [
        "CN=meter-0815",
        "C=DE,O=Example,CN=meter",
        "CN=a\\,b,O=x",
        "CN=a\\,CN=b",
        "O=x\\,CN=admin,CN=meter",
        "CN=CN=admin,O=x",
        "OU=a+CN=meter+UID=7,O=x",
        "CN=a\\+CN\\=b",
        "CN=a\\+CN=b",
        "CN=Z\\C3\\A4hler \\E2\\82\\AC",
        "CN=a\\\\00",
        "CN=a\\\\\\\\1F",
        "CN=\\#1",
        "XCN=,CN=meter",
    ],
)
def test_a_name_that_says_what_it_means_is_told(subject):
    assert flaw(subject) == ""


@pytest.mark.parametrize(
    ("subject", "reason"),
    [
        ("CN=a,CN=b", TWO),
        ("CN=a+CN=b", TWO),
        ("O=x,CN=a,OU=y,CN=b", TWO),
        ("CN=a\\\\,CN=b", TWO),
        ("CN=admin\\00x", CONTROL),
        ("CN=a\\0Ab", CONTROL),
        ("CN=a\\7F", CONTROL),
        ("CN=a\\\\\\1F", CONTROL),
        ("O=\\00,CN=a", CONTROL),
        ("CN=,O=x", EMPTY),
        ("O=x,CN=", EMPTY),
        ("CN=+OU=a", EMPTY),
        ("O=a\\\\,CN=", EMPTY),
    ],
)
def test_a_name_that_a_broker_could_misread_is_refused(subject, reason):
    assert flaw(subject) == reason
