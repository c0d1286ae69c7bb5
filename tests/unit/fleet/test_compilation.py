# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What intents compile to."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.bulwark.mqtt.plugins.module_utils._fleet.model import BUILT_IN
from fleet_samples import compiled, intent, refused_by_roles, variables_of


def test_a_broker_is_in_the_groups_of_its_domain_and_of_the_playbooks():
    found = compiled(intent())
    assert found.groups["brokers_example_com"].hosts == ("mqtt1.example.com",)
    assert found.groups["domain_example_com"].children == ("brokers_example_com",)
    assert found.groups["mosquitto"].children == ("brokers_example_com",)
    assert found.groups["bulwark"].children == ("domain_example_com",)
    assert "nginx_stream" not in found.groups


def test_the_smallest_intent_is_a_broker_with_a_certificate_of_the_private_ca():
    assert variables_of(compiled(intent()), "mqtt1.example.com") == {
        "firewall_state": "present",
        "firewall_mode": "close_plaintext",
        "mosquitto_listeners": [{"port": 8883, "lineage": "mqtt", "identity": "certificate"}],
        "mosquitto_tls_profile": "intermediate",
        "mosquitto_users": [],
        "pki_certificates": [
            {
                "lineage": "mqtt",
                "profile": "server",
                "names": ["mqtt1.example.com"],
                "common_name": "mqtt1.example.com",
            },
            {"lineage": "probe", "profile": "client", "names": ["probe.mqtt1.example.com"]},
        ],
        "pki_clients": [],
        "pki_crl_enabled": False,
        "pki_ocsp_enabled": False,
        "pki_passphrase": "{{ vault_pki_passphrase }}",
        "pki_permitted_addresses": [],
        "pki_permitted_dns": [],
        "posture_port": 8883,
        "posture_tls_profile": "intermediate",
        "tls_store_lineages": [
            {"name": "mqtt", "purpose": "server", "names": ["mqtt1.example.com"], "group": "mosquitto"},
            {"name": "probe", "purpose": "client", "names": ["probe.mqtt1.example.com"], "group": "root"},
        ],
    }


def test_a_domain_setting_takes_the_place_of_the_default_and_the_others_stay():
    document = intent(defaults={"tls_profile": "modern", "firewall": "default_deny"})
    document["domains"]["example.com"]["tls_profile"] = "intermediate"
    variables = variables_of(compiled(document), "mqtt1.example.com")
    assert variables["mosquitto_tls_profile"] == "intermediate"
    assert variables["firewall_mode"] == "default_deny"


def test_nginx_on_the_broker_talks_to_it_over_sockets_and_holds_the_keys():
    document = intent(
        authority={"passphrase": "{{ vault }}", "revocation_lists": True},
        defaults={"edge": {"topology": "nginx", "stapling": "required"}},
        devices={"dashboards": {"members": {"dashboard": "{{ vault_d }}"}, "topics": {"read": ["devices/#"]}}},
    )
    found = compiled(document)
    variables = variables_of(found, "mqtt1.example.com")
    assert found.groups["nginx_stream"].children == ("brokers_example_com",)
    assert variables["mosquitto_listeners"] == [
        {"socket": "/run/bulwark-mqtt/proxy.sock", "proxy_protocol": True, "identity": "certificate"},
        {"socket": "/run/bulwark-mqtt/password.sock", "identity": "password"},
    ]
    assert [(server["port"], server["brokers"]) for server in variables["nginx_stream_servers"]] == [
        (8883, ["unix:/run/bulwark-mqtt/proxy.sock"]),
        (8884, ["unix:/run/bulwark-mqtt/password.sock"]),
    ]
    assert variables["tls_store_lineages"][0]["group"] == "bulwark-nginx"
    assert variables["pki_ocsp_enabled"]
    assert variables["posture_staple_required"]


def test_an_edge_that_passes_through_has_no_certificate_but_that_of_its_probe():
    document = intent(defaults={"edge": "passthrough"})
    document["domains"]["example.com"] = {
        "brokers": {"mqtt1": {"address": "192.0.2.11"}, "mqtt2": {"address": "2001:db8::12"}},
        "edges": {"edge1": None},
    }
    variables = variables_of(compiled(document), "edge1.example.com")
    assert [lineage["name"] for lineage in variables["tls_store_lineages"]] == ["probe"]
    assert variables["nginx_stream_servers"] == [
        {"port": 8883, "topology": "passthrough", "brokers": ["192.0.2.11:8883", "[2001:db8::12]:8883"]}
    ]
    assert "mosquitto_listeners" not in variables


def test_an_edge_that_encrypts_again_verifies_the_brokers_by_the_name_of_the_domain():
    document = intent(
        defaults={"edge": "reencrypt"},
        devices={"apps": {"members": {"app": "{{ vault_app }}"}, "topics": {"readwrite": ["apps/%u/#"]}}},
    )
    document["domains"]["example.com"] = {
        "brokers": {"mqtt1": {"address": "192.0.2.11"}},
        "edges": {"edge1": None},
        "names": ["mqtt.example.com"],
    }
    found = compiled(document)
    [server] = variables_of(found, "edge1.example.com")["nginx_stream_servers"]
    assert (server["port"], server["broker_name"], server["identity"]) == (8884, "mqtt.example.com", "password")
    assert "mqtt.example.com" in variables_of(found, "mqtt1.example.com")["tls_store_lineages"][0]["names"]


def test_a_certificate_of_certbot_leaves_the_clients_to_the_private_ca():
    found = compiled(intent(defaults={"certificates": {"certbot": {"email": "ops@example.com"}}}))
    variables = variables_of(found, "mqtt1.example.com")
    assert variables["certbot_certificates"] == [{"lineage": "mqtt", "names": ["mqtt1.example.com"]}]
    assert variables["certbot_email"] == "ops@example.com"
    assert variables["pki_trusting_lineages"] == ["mqtt"]
    assert [certificate["lineage"] for certificate in variables["pki_certificates"]] == ["probe"]


def test_hosts_of_another_inventory_get_the_intent_by_group():
    document = intent()
    document["domains"]["example.com"] = {"brokers_group": "tag_mqtt"}
    found = compiled(document)
    assert found.hosts == {}
    assert found.groups["brokers_example_com"].children == ("tag_mqtt",)
    variables = variables_of(found, "tag_mqtt")
    assert variables["tls_store_lineages"][0]["names"] == ["{{ inventory_hostname }}"]
    assert refused_by_roles(variables) == []


def test_classes_become_patterns_groups_and_users_where_they_connect():
    document = intent(
        devices={
            "meters": {"members": "everybody", "topics": {"readwrite": ["devices/%u/#"]}},
            "gateways": {
                "members": ["gateway-1"],
                "topics": {"write": ["readings/%u"], "read": ["tariffs/#"]},
                "domains": ["more.example.com"],
            },
        }
    )
    document["domains"]["more.example.com"] = {"brokers": {"mqtt1": None}}
    found = compiled(document)
    pattern = {"access": "readwrite", "topic": "devices/%u/#"}
    assert variables_of(found, "mqtt1.example.com")["mosquitto_acl"] == {"patterns": [pattern], "groups": []}
    assert variables_of(found, "mqtt1.more.example.com")["mosquitto_acl"]["groups"] == [
        {
            "name": "gateways",
            "members": ["gateway-1"],
            "topics": [{"access": "read", "topic": "tariffs/#"}, {"access": "write", "topic": "readings/%u"}],
        }
    ]


@pytest.mark.parametrize(
    ("given", "state", "mode"),
    [
        ("absent", "absent", "close_plaintext"),
        ({"mode": "default_deny"}, "present", "default_deny"),
        (None, "present", "close_plaintext"),
    ],
)
def test_the_firewall_is_a_mode_or_a_mapping_with_one(given: Any, state: str, mode: str):
    document = intent(defaults={"firewall": given}) if given else intent()
    variables = variables_of(compiled(document), "mqtt1.example.com")
    assert (variables["firewall_state"], variables["firewall_mode"]) == (state, mode)


def test_every_setting_has_a_default_of_its_own():
    assert all(value is not None for value in vars(BUILT_IN).values())
