# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rules, their tests, their runbooks and the dashboard belong together; promtool itself runs in the scenario."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml
from ansible_collections.bulwark.mqtt.plugins.module_utils._host import certbot, metrics

ROOT = Path(__file__).resolve().parents[3]
ROLE = ROOT / "roles/monitoring"
# What others write that the rules and the dashboard look at: Prometheus, node_exporter and blackbox_exporter.
FOREIGN = {
    "ALERTS",
    # EMQX 5.8.9
    "emqx_authorization_deny",
    "emqx_bytes_received",
    "emqx_bytes_sent",
    "emqx_cluster_nodes_running",
    "emqx_cluster_nodes_stopped",
    "emqx_connections_count",
    "emqx_delivery_dropped",
    "emqx_delivery_dropped_queue_full",
    "emqx_live_connections_count",
    "emqx_messages_received",
    "emqx_messages_sent",
    "emqx_packets_connack_error",
    "emqx_packets_received",
    "emqx_packets_sent",
    "emqx_retained_count",
    "emqx_subscriptions_count",
    "node_textfile_scrape_error",
    "node_time_seconds",
    "probe_duration_seconds",
    "probe_success",
    "up",
}


def rules() -> list[dict[str, Any]]:
    """Every rule as it is with the defaults."""
    defaults = yaml.safe_load((ROLE / "defaults/main.yml").read_text())
    delimiters = yaml.safe_load((ROLE / "vars/main.yml").read_text())["__monitoring_delimiters"]
    template = (ROLE / "templates/rules.yml.j2").read_text()
    text = jinja2.Environment(trim_blocks=True, **delimiters).from_string(template).render(defaults)
    return [rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]


RULES = rules()
ALERTS = [rule for rule in RULES if "alert" in rule]
NAMES = sorted({rule["alert"] for rule in ALERTS})
TESTS = yaml.safe_load((ROOT / "molecule/monitoring/files/rules_test.yml").read_text())["tests"]
DASHBOARD = json.loads((ROLE / "files/dashboard.json").read_text())
every_alert = pytest.mark.parametrize("alert", ALERTS, ids=lambda rule: rule["alert"] + rule["labels"].get("data", ""))


def expectations() -> list[dict[str, Any]]:
    """Every expectation about an alert."""
    return [expected for test in TESTS for expected in test.get("alert_rule_test", [])]


def panels() -> list[dict[str, Any]]:
    """The panels of the dashboard that ask for something."""
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def measured() -> set[str]:
    """Every metric that is written here, recorded by a rule, or written by the exporters."""
    with_certbot = re.findall(r"# TYPE (\w+)", certbot._deploy_metrics([]) + certbot._renew_metrics(success=True))
    return {*metrics.HELP, *with_certbot, *FOREIGN, *(rule["record"] for rule in RULES if "record" in rule)}


def names_in(expression: str) -> set[str]:
    """The metrics that an expression names."""
    bare = re.sub(r'"[^"]*"|\{[^}]*\}|\[[^\]]*\]|\b(?:by|on|without|ignoring)\s*\([^)]*\)', " ", expression)
    words = re.findall(r"[a-zA-Z_:][\w:]*(?!\s*\()(?![\w:])", bare)
    return {word for word in words if "_" in word or ":" in word or word in FOREIGN} - {"group_left"}


@pytest.mark.parametrize("name", NAMES)
def test_every_alert_is_tested_firing_and_silent(name: str) -> None:
    expected = [bool(item.get("exp_alerts")) for item in expectations() if item["alertname"] == name]
    assert True in expected, "no test in which it fires"
    # The one that always fires has no silent case.
    assert False in expected or name == "BulwarkWatchdog", "no test in which it is silent"


def test_every_kind_of_missing_data_is_tested() -> None:
    kinds = {rule["labels"]["data"] for rule in ALERTS if rule["alert"] == "BulwarkNoData"}
    seen = {
        alert["exp_labels"]["data"]
        for item in expectations()
        if item["alertname"] == "BulwarkNoData"
        for alert in item["exp_alerts"]
    }
    assert seen == kinds


def test_no_test_is_about_an_alert_that_does_not_exist() -> None:
    assert {item["alertname"] for item in expectations()} == set(NAMES)


@every_alert
def test_every_alert_says_what_it_is_and_how_bad(alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in {"critical", "warning", "none"}
    assert alert["annotations"]["summary"]


@every_alert
def test_every_alert_names_a_section_of_the_operations_page(alert: dict[str, Any]) -> None:
    page, _, anchor = alert["annotations"]["runbook_url"].partition("#")
    assert page.endswith("/docs/operations.md")
    headings = re.findall(r"^#+ (.+)$", (ROOT / "docs/operations.md").read_text(), re.MULTILINE)
    assert anchor in {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.get("alert", rule.get("record")))
def test_every_rule_asks_for_metrics_that_somebody_writes(rule: dict[str, Any]) -> None:
    assert names_in(rule["expr"]) <= measured()


def test_every_metric_of_the_host_is_looked_at_by_a_rule_or_the_dashboard() -> None:
    asked = " ".join(
        [rule["expr"] for rule in RULES] + [target["expr"] for panel in panels() for target in panel["targets"]]
    )
    assert [metric for metric in metrics.HELP if metric not in asked] == []


def test_an_alert_about_an_end_outlives_the_exporter() -> None:
    recorded = {rule["record"]: rule["expr"] for rule in RULES if "record" in rule}
    assert "last_over_time(" in recorded["bulwark:not_after:last"]
    for name in ("BulwarkExpired", "BulwarkExpiresSoon", "BulwarkRenewalOverdue", "BulwarkCaExpires"):
        (expression,) = (rule["expr"] for rule in ALERTS if rule["alert"] == name)
        assert names_in(expression) <= set(recorded)


def recipe() -> list[Any]:
    """The YAML in the section of the operations page on letting an alert renew."""
    page = (ROOT / "docs/operations.md").read_text()
    section = page.partition("### Let an alert renew")[2].partition("\n## ")[0]
    return [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", section, re.DOTALL)]


def test_the_recipe_renews_for_the_alerts_that_are_sent_to_it_and_these_exist() -> None:
    (ruleset,), variables = recipe()
    (source,), (rule,) = ruleset["sources"], ruleset["rules"]
    asked = re.findall(r'"(Bulwark\w+)"', rule["condition"])
    route = variables["monitoring_routes"][0]
    (sent,) = re.findall(r'alertname=~"(.+)"', " ".join(route["matchers"]))
    assert asked == sent.split("|")
    assert set(asked) <= set(NAMES)
    # Those alerts have the labels by which it runs once for each.
    for alert in (rule for rule in ALERTS if rule["alert"] in asked):
        assert "$labels.lineage" in alert["annotations"]["summary"]
    assert rule["throttle"]["group_by_attributes"] == ["event.labels.instance", "event.labels.lineage"]
    # Where one listens the other one speaks.
    webhook = source["eda.builtin.webhook"]
    (receiver,) = (item for item in variables["monitoring_receivers"] if item["name"] == route["receiver"])
    assert receiver["webhook_configs"][0]["url"] == f"http://{webhook['host']}:{webhook['port']}/endpoint"
    # A notification of Alertmanager has its alerts below that name.
    assert source["filters"] == [{"eda.builtin.event_splitter": {"splitter_key": "payload.alerts"}}]
    playbook = rule["action"]["run_playbook"]["name"].removeprefix("bulwark.mqtt.")
    assert (ROOT / f"playbooks/{playbook}.yml").exists()


def test_the_dashboard_can_be_imported() -> None:
    assert {"title", "uid"} <= set(DASHBOARD)
    assert DASHBOARD["schemaVersion"] >= 36
    # What Grafana asks for at an import, and sets.
    (given,) = DASHBOARD["__inputs"]
    assert (given["type"], given["pluginId"]) == ("datasource", "prometheus")
    assert "id" not in DASHBOARD or DASHBOARD["id"] is None
    for panel in panels():
        assert panel["datasource"] == {"type": "prometheus", "uid": f"${{{given['name']}}}"}, panel["title"]


def test_every_panel_has_an_id_a_title_and_a_place_of_its_own() -> None:
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        assert panel["title"]
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells


@pytest.mark.parametrize("panel", panels(), ids=lambda panel: panel["title"])
def test_every_panel_asks_for_metrics_that_somebody_writes(panel: dict[str, Any]) -> None:
    assert panel["targets"]
    for target in panel["targets"]:
        found = names_in(target["expr"])
        assert found, target["expr"]
        assert found <= measured(), target["expr"]
