# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the probes saw, judged, and the report of it."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.bulwark.mqtt.plugins.filter.posture_proofs import posture_proofs
from ansible_collections.bulwark.mqtt.plugins.module_utils._posture import report, rules
from ansible_collections.bulwark.mqtt.plugins.module_utils._posture.judge import Proof, Seen, judge

ROOT = Path(__file__).resolve().parents[3]
NOW = dt.datetime(2026, 2, 1, tzinfo=dt.UTC)
GRANTED = {"code": 1, "reason": "granted QoS 1", "refused": False}
CERTIFICATE = {
    "subject": "CN=broker.example.com",
    "issuer": "CN=Issuing CA",
    "names": ["broker.example.com"],
    "serial": "A1",
    "not_before": "2026-01-01T00:00:00Z",
    "not_after": "2026-04-01T00:00:00Z",
    "key_type": "ec-p256",
    "sha256": "00",
}
ENDPOINT = {
    "state": "open",
    "error": None,
    "protocol": "TLSv1.3",
    "cipher": "TLS_AES_128_GCM_SHA256",
    "group": "X25519MLKEM768",
    "certificate": CERTIFICATE,
    "verified": True,
    "verification_error": None,
    "stapled": None,
    "foreign_client": "tlsv1 alert unknown ca",
    "suites": ["ECDHE-ECDSA-AES128-GCM-SHA256"],
    "versions": {"TLSv1": "refused", "TLSv1.1": "untestable", "TLSv1.2": "accepted", "TLSv1.3": "accepted"},
}
STAPLE = {"serial": "A1", "status": "good", "next_update": "2026-02-08T00:00:00Z", "fresh": True}
REFUSED = {
    "state": "open",
    "connected": False,
    "connack": None,
    "tls_error": "tlsv13 alert certificate required",
    "error": None,
}
DEVICE = {
    "connected": True,
    "tls_error": None,
    "error": None,
    "roundtrips": [
        {"subscribed": GRANTED, "published": {"code": 0, "reason": "success", "refused": False}, "received": "bulwark"},
        {
            "subscribed": GRANTED,
            "published": {"code": 135, "reason": "not authorized", "refused": True},
            "received": None,
        },
    ],
}
RIVAL = {
    "connected": True,
    "why": None,
    "published": {"code": 0, "reason": "success", "refused": False},
    "overheard": False,
    "took_over": False,
}
CLOSED = {
    "state": "closed",
    **dict.fromkeys(
        ("error", "protocol", "cipher", "group", "certificate", "verified", "verification_error", "foreign_client")
    ),
    "stapled": None,
    "suites": [],
    "versions": {},
}


def seen(**changes):
    endpoint = {**ENDPOINT, **changes.pop("endpoint", {})}
    parts = {"device": DEVICE, "anonymous": REFUSED, "plaintext": [{"port": 1883, "state": "filtered"}], **changes}
    return Seen(client="meter", port=8883, endpoint=endpoint, **parts)


def failed(what, *, profile="intermediate"):
    return {proof.rule: proof.found for proof in judge(what, profile=profile, now=NOW) if proof.result == "failed"}


def certificate(**changes):
    return seen(endpoint={"certificate": {**CERTIFICATE, **changes}})


def test_nothing_stands_against_an_endpoint_in_order():
    proofs = judge(seen(), profile="intermediate", now=NOW)
    assert [(proof.what, proof.found, proof.result) for proof in proofs] == [
        ("Port 8883", "open", "proved"),
        ("Certificate", "verifies, until 2026-04-01T00:00:00Z", "proved"),
        ("Lifetime", "90 days", "proved"),
        ("Left of it", "59 days", "proved"),
        ("Key", "ec-p256", "proved"),
        ("Names", "broker.example.com", "proved"),
        ("Protocol, suite and group", "TLSv1.3, TLS_AES_128_GCM_SHA256, X25519MLKEM768", "proved"),
        ("TLS 1.0", "refused", "proved"),
        ("TLS 1.1", "untestable", "untestable"),
        ("Suites of TLS 1.2", "ECDHE-ECDSA-AES128-GCM-SHA256", "proved"),
        ("No client certificate", "refused (tlsv13 alert certificate required)", "proved"),
        ("Certificate of a foreign authority", "refused (tlsv1 alert unknown ca)", "proved"),
        ("Publish and subscribe on devices/meter/", "received", "proved"),
        ("Publish on devices/not-meter/", "not authorized", "proved"),
        ("Messages of another client", "no second client to ask with", "not applicable"),
        ("Client identifier that another client claims", "no second client to ask with", "not applicable"),
        ("Port 1883", "filtered", "proved"),
    ]


def test_every_rule_is_judged():
    dashboard = {"port": 18083, "state": "open", "status": 401}
    what = seen(forged=REFUSED, refused=[{"what": "A lost device", **REFUSED}], dashboard=dashboard)
    assert {proof.rule for proof in judge(what, profile="intermediate", now=NOW)} == set(rules.RULES)


@pytest.mark.parametrize(
    ("answer", "found", "result"),
    [
        ({"tls_error": "sslv3 alert certificate revoked"}, "refused (sslv3 alert certificate revoked)", "proved"),
        (
            {"tls_error": None, "error": "the server closed the connection"},
            "refused (the server closed the connection)",
            "proved",
        ),
        (
            {"tls_error": None, "connack": {"code": 135, "reason": "not authorized"}},
            "refused (not authorized)",
            "proved",
        ),
        ({"tls_error": None, "connected": True}, "let in", "failed"),
        ({"tls_error": None, "state": "closed"}, "closed", "failed"),
    ],
)
def test_an_identity_that_must_be_refused_is_named_with_what_came_of_it(answer, found, result):
    proofs = judge(seen(refused=[{"what": "A lost device", **REFUSED, **answer}]), profile="intermediate", now=NOW)
    assert [(proof.what, proof.found, proof.result) for proof in proofs if proof.rule == "refused_identity"] == [
        ("A lost device", found, result)
    ]


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        (
            seen(endpoint={"verified": False, "verification_error": "certificate has expired"}),
            {"certificate": "certificate has expired"},
        ),
        (certificate(not_before="2025-12-01T00:00:00Z", not_after="2035-12-01T00:00:00Z"), {"lifetime": "3652 days"}),
        (certificate(not_after="2026-02-10T00:00:00Z"), {"renewal": "9 days"}),
        (certificate(not_after="2026-01-10T00:00:00Z"), {"renewal": "0 days"}),
        (certificate(key_type="rsa-2048"), {"key": "rsa-2048"}),
        (certificate(names=[]), {"names": "none"}),
        (
            seen(endpoint={"versions": {"TLSv1": "accepted", "TLSv1.1": "unanswered"}}),
            {"old_versions": "unanswered"},
        ),
        (
            seen(endpoint={"suites": ["ECDHE-RSA-AES128-SHA", "ECDHE-RSA-AES128-GCM-SHA256"]}),
            {"suites": "also ECDHE-RSA-AES128-SHA"},
        ),
        (
            seen(
                anonymous={"state": "open", "connected": True, "connack": {"code": 0}, "tls_error": None, "error": None}
            ),
            {"client_certificate": "connected"},
        ),
        (
            seen(
                anonymous={
                    "state": "open",
                    "connected": False,
                    "connack": {"code": 135, "reason": "not authorized"},
                    "tls_error": None,
                    "error": None,
                }
            ),
            {"client_certificate": "refused (not authorized)"},
        ),
        (seen(endpoint={"foreign_client": None}), {"foreign_authority": "let in"}),
        (
            seen(device={**DEVICE, "roundtrips": []}),
            {"own_topic": "nothing received", "foreign_topic": "no answer"},
        ),
        (
            seen(device={**DEVICE, "roundtrips": [DEVICE["roundtrips"][0]] * 2}),
            {"foreign_topic": "received"},
        ),
        (seen(plaintext=[{"port": 1883, "state": "open"}, {"port": 8083, "state": "closed"}]), {"plaintext": "open"}),
    ],
)
def test_what_is_wrong_is_found_and_nothing_else(what, expected):
    assert failed(what) == expected


def rivals(**changes):
    """The proofs of the two rules about a second client."""
    rival = changes.pop("rival", {**RIVAL, **changes})
    what = seen(other="thermostat", device={**DEVICE, "rival": rival})
    return {
        proof.rule: (proof.found, proof.result)
        for proof in judge(what, profile="intermediate", now=NOW)
        if proof.rule in ("wildcard", "takeover")
    }


@pytest.mark.parametrize(
    ("changes", "wildcard", "takeover"),
    [
        (
            {},
            ("not received by a subscription to #", "proved"),
            ("both stay connected", "proved"),
        ),
        (
            {"overheard": True, "took_over": True},
            ("received by a subscription to #", "failed"),
            ("ended the session", "failed"),
        ),
        (
            {"published": {"code": 135, "reason": "not authorized", "refused": True}},
            ("thermostat could not publish (not authorized)", "untestable"),
            ("both stay connected", "proved"),
        ),
        (
            {"published": None},
            ("thermostat could not publish (no answer)", "untestable"),
            ("both stay connected", "proved"),
        ),
        (
            {"connected": False, "why": "sslv3 alert certificate revoked"},
            ("thermostat was not let in (sslv3 alert certificate revoked)", "untestable"),
            ("thermostat was not let in (sslv3 alert certificate revoked)", "untestable"),
        ),
        ({"rival": None}, ("meter was not let in", "untestable"), ("meter was not let in", "untestable")),
    ],
)
def test_a_second_client_neither_is_overheard_nor_ends_the_first_ones_session(changes, wildcard, takeover):
    assert rivals(**changes) == {"wildcard": wildcard, "takeover": takeover}


def edge(staple=STAPLE, **changes):
    return seen(
        **{"endpoint": {"stapled": staple}, "forged": {**REFUSED, "error": "closed", "tls_error": None}, **changes}
    )


def test_nothing_stands_against_an_edge_in_order():
    proofs = {proof.rule: (proof.found, proof.result) for proof in judge(edge(), profile="intermediate", now=NOW)}
    assert proofs["staple"] == ("good until 2026-02-08T00:00:00Z", "proved")
    assert proofs["proxy_header"] == ("refused (closed)", "proved")


@pytest.mark.parametrize("wrong", [{"status": "revoked"}, {"fresh": False}, {"serial": "A2"}])
def test_a_staple_must_be_good_fresh_and_the_certificates_own(wrong):
    assert list(failed(edge({**STAPLE, **wrong}))) == ["staple"]


def test_no_staple_is_wrong_only_where_one_is_required():
    assert failed(edge(None)) == {}
    assert failed(edge(None, staple_required=True)) == {"staple": "none"}


def test_a_forged_header_must_not_be_believed():
    assert failed(edge(forged={**REFUSED, "connected": True})) == {"proxy_header": "connected"}


def test_an_edge_may_hang_up_on_a_client_without_a_certificate_and_a_broker_may_not():
    silent = {**REFUSED, "tls_error": None, "error": "the server closed the connection"}
    assert failed(edge(anonymous=silent)) == {}
    assert list(failed(seen(anonymous=silent))) == ["client_certificate"]


def test_modern_wants_tls_1_2_refused():
    assert failed(seen(), profile="modern") == {"old_versions": "accepted"}


def test_a_closed_port_proves_nothing_that_is_behind_it():
    nobody = {
        "state": "closed",
        "connected": False,
        "connack": None,
        "tls_error": None,
        "error": None,
        "roundtrips": [],
    }
    assert failed(seen(endpoint=CLOSED, device=nobody, anonymous=nobody)) == {
        "endpoint": "closed",
        "certificate": "port closed",
        "protocol": "port closed",
        "suites": "port closed",
        "client_certificate": "refused (no answer)",
        "foreign_authority": "port closed",
        "own_topic": "nothing received",
        "foreign_topic": "no answer",
    }


def test_an_unknown_profile_is_refused_by_name():
    with pytest.raises(AnsibleFilterError) as refused:
        posture_proofs({}, client="meter", port=8883, profile="old", now=NOW)
    assert str(refused.value) == "posture_proofs: profile 'old' is unknown; use one of modern, intermediate"


def test_proofs_carry_what_their_rule_says():
    answers = vars(seen(plaintext=[{"port": 1883, "state": "open"}]))
    facts = posture_proofs(answers, client="meter", port=8883, profile="intermediate", now=NOW)
    assert facts[-1] == {
        "rule": "plaintext",
        "what": "Port 1883",
        "found": "open",
        "result": "failed",
        "severity": "critical",
        "remedy": "close the port with the role firewall, and remove the listener",
        "clauses": [
            "ETSI EN 303 645 5.6-1",
            "IEC 62443-3-3 SR 7.7",
            "ETSI EN 303 645 5.5-1",
            "IEC 62443-3-3 SR 3.1",
            "IEC 62443-3-3 SR 4.1",
            "IEC 62443-3-3 SR 4.3",
            "(EU) 2024/2690 Annex 9.2",
        ],
        "line": "Port 1883: open (critical); close the port with the role firewall, and remove the listener",
    }
    assert facts[0]["line"] == "Port 8883: open"


@pytest.mark.parametrize(
    ("rule", "mosquitto", "emqx", "edge"),
    [
        (
            "suites",
            "set mosquitto_tls_profile to intermediate or modern",
            "set emqx_tls_profile to intermediate or modern",
            "set nginx_stream_tls_profile to intermediate or modern",
        ),
        (
            "foreign_topic",
            "bind patterns of mosquitto_acl to the client with %u",
            "bind patterns of emqx_acl to the client with %u",
            "bind patterns of emqx_acl to the client with %u",
        ),
        (
            "refused_identity",
            "run bulwark.mqtt.refresh, so that the broker has the revocation list; give the listener crl: true",
            "run bulwark.mqtt.refresh; give the listener crl: true; EMQX 5.8 lets servers' certificates in",
            "run bulwark.mqtt.refresh, so that nginx has the list; give its server crl: true",
        ),
        (
            "takeover",
            "set use_username_as_clientid of the listener to true",
            "set emqx_bind_client_id to true",
            "set emqx_bind_client_id to true",
        ),
        (
            "client_certificate",
            "give the listener identity: certificate",
            "run bulwark.mqtt.site; what answers there is no listener of emqx_listeners",
            "give the server of nginx_stream_servers identity: certificate",
        ),
    ],
)
def test_a_remedy_names_the_variables_of_the_role_that_serves(rule, mosquitto, emqx, edge):
    found = rules.RULES[rule]
    assert found.remedy_for(broker="mosquitto", edge=False) == mosquitto
    assert found.remedy_for(broker="emqx", edge=False) == emqx
    assert found.remedy_for(broker="emqx", edge=True) == edge


@pytest.mark.parametrize("edge", [False, True])
@pytest.mark.parametrize("broker", ["mosquitto", "emqx"])
def test_every_variable_in_a_remedy_exists_and_is_of_this_host(broker, edge):
    known = set()
    roles = [broker, "pki", *(["nginx_stream"] if edge else [])]
    for role in roles:
        known |= set(yaml.safe_load((ROOT / f"roles/{role}/defaults/main.yml").read_text()) or {})
    known |= {"posture_address", "posture_port"}
    for rule in rules.RULES.values():
        remedy = rule.remedy_for(broker=broker, edge=edge)
        assert "{" not in remedy
        named = re.findall(r"\b(?:mosquitto|emqx|nginx_stream|pki|posture)_\w+", remedy)
        assert set(named) <= known, remedy


@pytest.mark.parametrize(
    ("answer", "found", "result"),
    [
        ({"state": "open", "status": 200}, "let in", "failed"),
        ({"state": "open", "status": 401}, "refused (401)", "proved"),
        ({"state": "filtered", "status": None}, "filtered", "proved"),
        ({"state": "open", "status": 404}, "no dashboard (404)", "untestable"),
        ({"state": "open", "status": None}, "no dashboard (no HTTP)", "untestable"),
    ],
)
def test_the_login_that_everybody_knows_is_judged(answer, found, result):
    proof = judge(seen(dashboard={"port": 18083, **answer}), profile="intermediate", now=NOW)[-1]
    assert (proof.rule, proof.found, proof.result) == ("dashboard", found, result)
    assert proof.what == "Login at the dashboard's port 18083 that everybody knows"


def host(name, what):
    proofs = [proof.facts(broker="mosquitto", edge=False) for proof in judge(what, profile="intermediate", now=NOW)]
    return {"host": name, "certificate": what.endpoint["certificate"], "proofs": proofs}


def assemble(*hosts, previous=None):
    return report.assemble(hosts, time="2026-02-01T00:00:00Z", previous=previous)


@pytest.mark.parametrize("rule", sorted(rules.RULES))
def test_no_clause_is_told_twice(rule):
    clauses = Proof(rule, "", "", "proved").facts(broker="mosquitto", edge=False)["clauses"]
    assert len(clauses) == len(set(clauses))


def test_a_report_counts_and_begins_with_the_most_severe():
    made = assemble(
        host("one", certificate(key_type="rsa-2048")), host("two", seen(plaintext=[{"port": 1883, "state": "open"}]))
    )
    assert made["summary"] == {
        "hosts": 2,
        "proved": 26,
        "failed": 2,
        "untestable": 2,
        "not applicable": 4,
        "severities": {"critical": 1, "high": 0, "medium": 1, "low": 0},
    }
    assert [(item["host"], item["rule"]) for item in made["findings"]] == [("two", "plaintext"), ("one", "key")]
    assert [item["elapsed"] for item in made["hosts"]] == [34, 34]


def test_a_report_says_what_is_new_and_what_is_resolved():
    first = assemble(host("one", certificate(key_type="rsa-2048")))
    assert (first["new"], first["resolved"], first["compared_with"]) == ([], [], "")
    second = assemble(host("one", seen(plaintext=[{"port": 1883, "state": "open"}])), previous=first)
    assert (second["new"], second["resolved"]) == (["one: Port 1883"], ["one: Key"])
    assert second["compared_with"] == first["time"]


def test_a_host_that_shows_no_certificate_has_none_of_its_lifetime_behind_it():
    assert assemble(host("one", seen(endpoint=CLOSED)))["hosts"][0]["elapsed"] == 0
