# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from typing import Any

from ansible_collections.bulwark.mqtt.plugins.module_utils._monitoring import target_files, unreachable

HOST = {
    "name": "mqtt1",
    "address": "mqtt1.example.com",
    "loopback": False,
    "port": 9100,
    "scheme": "https",
    "outside": "mqtt1.example.com",
    "probes": [],
    "scrape_targets": [],
    "plaintext_ports": [1883],
}


def groups(job: str, *, here: str = "prometheus", **changed: Any) -> Any:
    """What Prometheus on the host `here` reads of one host for one job."""
    found = target_files([{**HOST, **changed}], directory="/t", inventory=["mqtt1"], there=[], here=here)
    (content,) = (file["content"] for file in found if file["path"] == f"/t/{job}/mqtt1.json")
    return json.loads(content)


def test_the_exporter_is_asked_by_the_scheme_that_it_speaks() -> None:
    labels = {"instance": "mqtt1", "__scheme__": "https"}
    assert groups("node") == [{"targets": ["mqtt1.example.com:9100"], "labels": labels}]


def test_an_endpoint_is_reached_by_the_name_that_its_certificate_must_have() -> None:
    probes = [{"kind": "tls", "port": 8883, "server_name": "broker.example.com"}, {"port": 8884, "server_name": ""}]
    found = [group["targets"] for group in groups("tls", probes=probes)]
    assert found == [["broker.example.com:8883"], ["mqtt1.example.com:8884"]]


def test_a_service_with_metrics_of_its_own_is_scraped_with_tls_unless_it_says_otherwise() -> None:
    (group,) = groups("services", scrape_targets=[{"port": 18084, "path": "/stats"}])
    assert group["labels"] == {"instance": "mqtt1", "__scheme__": "https", "__metrics_path__": "/stats"}


EMQX = {"job": "emqx", "port": 18083, "path": "/api/v5/prometheus/stats", "scheme": "http", "loopback": True}


def test_what_emqx_counts_on_loopback_is_asked_from_its_own_host_only_and_apart_from_what_needs_no_key() -> None:
    (group,) = groups("emqx", here="mqtt1", scrape_targets=[EMQX])
    assert group == {
        "targets": ["127.0.0.1:18083"],
        "labels": {"instance": "mqtt1", "__scheme__": "http", "__metrics_path__": "/api/v5/prometheus/stats"},
    }
    assert groups("services", here="mqtt1", scrape_targets=[EMQX]) == []
    assert groups("emqx", scrape_targets=[EMQX]) == []


def test_what_emqx_counts_is_asked_with_tls_where_its_dashboard_can_be_reached() -> None:
    reached = {**EMQX, "scheme": "https", "loopback": False}
    (group,) = groups("emqx", scrape_targets=[reached])
    assert (group["targets"], group["labels"]["__scheme__"]) == (["mqtt1.example.com:18083"], "https")


def test_plaintext_ports_are_tried_from_outside_also_where_the_exporter_is_on_loopback() -> None:
    found = groups("plaintext", address="127.0.0.1", loopback=True)
    assert [group["targets"] for group in found] == [["mqtt1.example.com:1883"]]


def test_an_address_of_ipv6_is_written_with_brackets() -> None:
    assert groups("plaintext", outside="2001:db8::1")[0]["targets"] == ["[2001:db8::1]:1883"]


def test_a_host_that_left_the_inventory_is_not_looked_at_any_more_and_one_that_was_left_out_is() -> None:
    there = ["/t/tls/mqtt1.json", "/t/tls/mqtt2.json", "/t/tls/gone.json"]
    found = target_files([HOST], directory="/t", inventory=["mqtt1", "mqtt2"], there=there, here="mqtt1")
    assert [file["path"] for file in found if file.get("state") == "absent"] == ["/t/tls/gone.json"]
    assert not [file for file in found if "mqtt2" in file["path"]]


def test_a_host_reaches_its_own_exporter_on_loopback_and_no_other() -> None:
    hosts = [{"name": "mqtt1", "loopback": True}, {"name": "mqtt2", "loopback": True}]
    assert unreachable(hosts, here="mqtt1") == ["mqtt2"]
