# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.bulwark.mqtt.plugins.filter.pki_requests import pki_requests


@pytest.mark.parametrize(
    ("certificate", "expected"),
    [
        pytest.param(
            {"lineage": "mqtt", "profile": "server"},
            {"name": "h/mqtt", "common_name": "h", "names": ["h"], "profile": "server"},
            id="names-of-the-host",
        ),
        pytest.param(
            {"lineage": "mqtt", "profile": "server", "names": ["a", "b"]},
            {"common_name": "a", "names": ["a", "b"]},
            id="common-name-is-the-first-name",
        ),
        pytest.param(
            {"lineage": "mqtt", "profile": "server", "common_name": "c", "names": ["a"], "key_type": "ed25519"},
            {"common_name": "c", "names": ["a"], "key_type": "ed25519"},
            id="all-given",
        ),
        pytest.param(
            {"common_name": "dashboard"},
            {"name": "h/dashboard", "lineage": "dashboard", "profile": "client", "key_type": "ec-p384"},
            id="client",
        ),
    ],
)
def test_what_is_not_said_is_added(certificate, expected):
    (request,) = pki_requests([certificate], prefix="h", names=["h"], key_type="ec-p384")
    assert expected.items() <= request.items()


def test_a_client_has_no_name_beside_its_common_name_unless_it_is_given():
    (request,) = pki_requests([{"common_name": "000017"}], prefix="clients")
    assert (request["common_name"], request["names"]) == ("000017", [])


def test_only_the_signing_request_is_taken_from_the_host():
    certificates = [{"lineage": "mqtt", "profile": "client", "names": ["a"]}, {"lineage": "x", "profile": "client"}]
    made = [
        {"lineage": "x", "name": "other/x", "names": ["evil"], "common_name": "evil", "csr": "second"},
        {"lineage": "mqtt", "profile": "server", "names": ["evil"], "csr": "first"},
    ]
    requests = pki_requests(certificates, prefix="h", names=["h"], made=made)
    assert [(r["name"], r["profile"], r["names"], r["csr"]) for r in requests] == [
        ("h/mqtt", "client", ["a"], "first"),
        ("h/x", "client", ["h"], "second"),
    ]
