# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.bulwark.mqtt.plugins.module_utils._host import descriptor
from ansible_collections.bulwark.mqtt.plugins.module_utils._host.errors import StoreError


def described(**changes: Any) -> bytes:
    data = {
        "unit": "broker.service",
        "check": {"argv": ["/usr/sbin/broker"], "success": "ready"},
        "lineages": {"mqtt": {"certificate": "reload", "ca": "restart", "ocsp": "none"}},
        "probes": [{"kind": "tls", "address": "127.0.0.1", "port": 8883, "lineage": "mqtt"}],
    }
    return json.dumps({**data, **changes}).encode()


@pytest.mark.parametrize(
    ("parts", "activation"),
    [
        pytest.param({"certificate"}, "reload", id="certificate"),
        pytest.param({"certificate", "ca"}, "restart", id="the-stronger-of-two"),
        pytest.param({"ocsp"}, "none", id="nothing-to-do"),
        pytest.param({"crl"}, "none", id="not-used-by-the-service"),
    ],
)
def test_the_least_activation_that_works_is_chosen(parts: set[str], activation: str) -> None:
    assert descriptor.parse(described(), source="x.json").activation("mqtt", parts) == activation


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"{}", "x.json: has no 'check'; add it", id="no-check"),
        pytest.param(
            described(check={"argv": ["x"], "success": "maybe"}),
            "x.json: check.success is 'maybe', it must be one of ready, exit",
            id="unknown-success",
        ),
        pytest.param(
            described(lineages={"mqtt": {"certificate": "hup"}}),
            "x.json: lineages.mqtt.certificate is 'hup', it must be one of none, reload, restart",
            id="unknown-activation",
        ),
        pytest.param(
            described(lineages={"mqtt": {"key": "reload"}}),
            "x.json: lineages.mqtt is 'key', it must be one of certificate, crl, ca, ocsp",
            id="unknown-part",
        ),
        pytest.param(
            described(probes=[{"kind": "tls"}]), "x.json: probes[0] has no 'address'; add it", id="incomplete-probe"
        ),
        pytest.param(
            described(probes=[{"kind": "socket"}]), "x.json: probes[0] has no 'path'; add it", id="socket-without-path"
        ),
        pytest.param(
            described(probes=[{"kind": "loopback", "port": 11883}]),
            "x.json: probes[0] has no 'proxy_common_name'; add it",
            id="loopback-without-a-name",
        ),
        pytest.param(
            described(probes=[{"kind": "program"}]),
            "x.json: probes[0] has no 'argv'; add it",
            id="program-without-argv",
        ),
    ],
)
def test_a_wrong_descriptor_is_refused_with_the_place(content: bytes, message: str) -> None:
    with pytest.raises(StoreError) as refused:
        descriptor.parse(content, source="x.json")
    assert str(refused.value) == message


def test_what_is_not_json_is_refused() -> None:
    with pytest.raises(
        StoreError, match=r"^x\.json: is not a service descriptor \(.*\); correct the template that writes it$"
    ):
        descriptor.parse(b"{", source="x.json")


def test_what_only_some_services_need_has_a_value_for_the_others() -> None:
    plain = descriptor.parse(described(), source="x.json")
    check = {"argv": ["/usr/sbin/broker"], "success": "exit", "reads": ["/etc/x"]}
    slow = descriptor.parse(described(check=check, probe_seconds=60), source="x.json")
    assert (plain.check.reads, plain.probe_seconds) == ((), 20)
    assert (slow.check.reads, slow.probe_seconds) == (("/etc/x",), 60)
