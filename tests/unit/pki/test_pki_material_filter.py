# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.bulwark.mqtt.plugins.filter.pki_material import pki_material

REQUESTS = [
    {"name": "h/mqtt", "lineage": "mqtt", "profile": "server"},
    {"name": "h/probe", "lineage": "probe", "profile": "client"},
]
ISSUED = {
    "h/mqtt": {"certificate": "C1", "chain": "I", "ca": "R", "serial": "01", "issued": True},
    "h/probe": {"certificate": "C2", "chain": "I", "ca": "R", "serial": "02", "issued": False},
}


def test_each_lineage_gets_its_certificate_and_a_server_list_and_response():
    assert pki_material(REQUESTS, issued=ISSUED, crl="L", responses={"01": "O1", "02": "O2"}) == [
        {"lineage": "mqtt", "certificate": "C1", "chain": "I", "ca": "R", "crl": "L", "ocsp": "O1"},
        {"lineage": "probe", "certificate": "C2", "chain": "I", "ca": "R", "crl": "", "ocsp": ""},
    ]


def test_without_list_and_response_those_of_another_time_are_removed():
    (server, _client) = pki_material(REQUESTS, issued=ISSUED)
    assert (server["crl"], server["ocsp"]) == ("", "")


@pytest.mark.parametrize(("responses", "said"), [({}, {}), ({"01": "O1"}, {"ocsp": "O1"})])
def test_a_response_that_nobody_signed_is_left_as_it_is(responses, said):
    (server, client) = pki_material(REQUESTS, issued=ISSUED, responses=responses, unsigned=True)
    assert {key: server[key] for key in server if key == "ocsp"} == said
    assert client["ocsp"] == ""
