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


def test_a_domain_of_emqx_is_in_its_group_with_the_variables_of_its_role():
    document = intent(
        authority={"passphrase": "{{ v }}", "revocation_lists": True, "publish_url": "http://pki.example.com"},
        devices={"meters": {"members": "everybody", "topics": {"readwrite": ["devices/%u/#"]}}},
    )
    emqx = {
        "version": "5.8.9",
        "source": "tarball",
        "package": "/srv/emqx-5.8.9.tar.gz",
        "node_cookie": "{{ vault_cookie }}",
        "dashboard_password": "{{ vault_dashboard }}",
    }
    document["domains"]["example.com"] |= {"engine": "emqx", "emqx": emqx, "sources": ["192.0.2.0/24"]}
    found = compiled(document)
    variables = variables_of(found, "mqtt1.example.com")
    assert found.groups["emqx"].children == ("brokers_example_com",)
    assert "mosquitto" not in found.groups
    assert {name: value for name, value in variables.items() if name.startswith(("emqx_", "mosquitto_"))} == {
        **{f"emqx_{key}": value for key, value in emqx.items()},
        "emqx_tls_profile": "intermediate",
        "emqx_listeners": [
            {"port": 8883, "lineage": "mqtt", "identity": "certificate", "crl": True, "sources": ["192.0.2.0/24"]}
        ],
        "emqx_acl": {"patterns": [{"access": "readwrite", "topic": "devices/%u/#"}], "groups": []},
    }
    assert variables["tls_store_lineages"][0]["group"] == "emqx"
    assert refused_by_roles(variables) == []


def test_clients_with_passwords_have_a_listener_of_emqx():
    document = intent(devices={"boards": {"members": {"board": "{{ b }}"}, "topics": {"read": ["tariffs/#"]}}})
    emqx = {"version": "5.8.9", "node_cookie": "{{ c }}", "dashboard_password": "{{ d }}"}
    document["domains"]["example.com"] |= {"engine": "emqx", "emqx": emqx}
    variables = variables_of(compiled(document), "mqtt1.example.com")
    assert variables["emqx_listeners"] == [
        {"port": 8883, "lineage": "mqtt", "identity": "certificate"},
        {"port": 8884, "lineage": "mqtt", "identity": "password"},
    ]
    assert variables["emqx_users"] == [{"name": "board", "password": "{{ b }}"}]
    assert [group["members"] for group in variables["emqx_acl"]["groups"]] == [["board"]]
    assert refused_by_roles(variables) == []


def test_emqx_behind_nginx_hears_it_on_the_loopback():
    document = intent(authority={"passphrase": "{{ v }}", "revocation_lists": True})
    emqx = {"version": "5.8.9", "node_cookie": "{{ c }}", "dashboard_password": "{{ d }}"}
    document["domains"]["example.com"] |= {"engine": "emqx", "emqx": emqx, "edge": "nginx", "sources": ["192.0.2.0/24"]}
    found = compiled(document)
    variables = variables_of(found, "mqtt1.example.com")
    assert [found.groups[name].children for name in ("emqx", "nginx_stream")] == [("brokers_example_com",)] * 2
    assert variables["emqx_listeners"] == [{"port": 11883, "proxy_protocol": True}]
    (server,) = variables["nginx_stream_servers"]
    assert server["brokers"] == ["127.0.0.1:11883"]
    assert server["sources"] == ["192.0.2.0/24"]
    assert variables["tls_store_lineages"][0]["group"] == "bulwark-nginx"
    assert refused_by_roles(variables) == []


def test_a_host_that_watches_asks_the_others_with_certificates_on_both_sides():
    found = compiled(intent(monitoring={"hosts": {"watch.example.com": {"address": "192.0.2.40"}}}))
    assert found.groups["monitoring"].hosts == ("watch.example.com",)
    watcher, broker = (variables_of(found, name) for name in ("watch.example.com", "mqtt1.example.com"))
    assert [lineage["name"] for lineage in broker["tls_store_lineages"]] == ["mqtt", "probe", "exporter"]
    assert watcher["tls_store_lineages"] == [
        {"name": "exporter", "purpose": "server", "names": ["watch.example.com"], "group": "prometheus"},
        {"name": "monitoring", "purpose": "client", "names": ["monitoring.watch.example.com"], "group": "prometheus"},
    ]
    for variables in (watcher, broker):
        assert variables["monitoring_exporter_lineage"] == "exporter"
        assert variables["monitoring_exporter_sources"] == ["192.0.2.40"]
        assert refused_by_roles(variables) == []
    assert watcher["monitoring_client_lineage"] == "monitoring"
    assert "monitoring_client_lineage" not in broker


def test_hosts_of_another_inventory_can_watch_and_be_watched():
    document = intent(monitoring={"hosts_group": "tag_watch", "sources": ["192.0.2.0/24"]})
    document["domains"]["example.com"] = {"brokers_group": "tag_mqtt"}
    found = compiled(document)
    broker, watcher = variables_of(found, "tag_mqtt"), variables_of(found, "tag_watch")
    assert broker["tls_store_lineages"][-1]["names"] == ["{{ inventory_hostname }}"]
    assert watcher["tls_store_lineages"][-1]["names"] == ["monitoring.{{ inventory_hostname }}"]
    assert watcher["monitoring_exporter_sources"] == ["192.0.2.0/24"]


@pytest.mark.parametrize(
    ("cluster", "names", "variables"),
    [
        pytest.param(
            "static",
            ["mqtt1.example.com", "mqtt2.example.com"],
            {"emqx_cluster_discovery": "static"},
            id="static",
        ),
        pytest.param(
            {"dns_name": "emqx.example.com", "dns_record": "a"},
            ["192.0.2.11", "192.0.2.12"],
            {
                "emqx_cluster_discovery": "dns",
                "emqx_cluster_dns_name": "emqx.example.com",
                "emqx_cluster_dns_record": "a",
            },
            id="addresses",
        ),
        pytest.param(
            {"dns_name": "_emqx._tcp.example.com"},
            ["mqtt1.example.com", "mqtt2.example.com"],
            {
                "emqx_cluster_discovery": "dns",
                "emqx_cluster_dns_name": "_emqx._tcp.example.com",
                "emqx_cluster_dns_record": "srv",
            },
            id="names",
        ),
    ],
)
def test_the_brokers_of_a_domain_are_a_cluster_where_it_says_so(
    cluster: Any, names: list[str], variables: dict[str, Any]
):
    document = intent()
    emqx = {"version": "5.8.9", "node_cookie": "{{ c }}", "dashboard_password": "{{ d }}", "cluster": cluster}
    brokers = {"mqtt1": {"address": "192.0.2.11"}, "mqtt2": {"address": "192.0.2.12"}}
    document["domains"]["example.com"] |= {"engine": "emqx", "emqx": emqx, "brokers": brokers}
    found = variables_of(compiled(document), "mqtt2.example.com")
    assert {name: value for name, value in found.items() if name.startswith("emqx_cluster_")} == {
        **variables,
        "emqx_cluster_host": names[1],
        "emqx_cluster_nodes": [
            {"host": names[0], "address": "192.0.2.11"},
            {"host": names[1], "address": "192.0.2.12"},
        ],
    }
    assert found["pki_certificates"][-1] == {"lineage": "cluster", "profile": "cluster_node", "names": [names[1]]}
    assert found["tls_store_lineages"][-1] == {
        "name": "cluster", "purpose": "server", "names": [names[1]], "group": "emqx"
    }  # fmt: skip
    assert refused_by_roles(found) == []


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
