# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the role writes, parsed as HOCON and compared with EMQX's own schema."""

from __future__ import annotations

import json
import re
import subprocess
from typing import Any

import pytest
from ansible_collections.bulwark.mqtt.plugins.module_utils._host import descriptor
from emqx_samples import Render, Rendered
from hocon_schema import Schema
from pyhocon import ConfigFactory

CONF, SECRETS = "/etc/emqx/emqx.conf", "/etc/emqx/secrets.conf"
TLS = "/etc/bulwark/tls/mqtt/current"

PLAIN: dict[str, Any] = {}
FULL = {
    "pki_publish_url": "http://pki.example.com",
    "emqx_listeners": [
        {"port": 8883, "lineage": "mqtt", "crl": True, "stapling": True, "max_connections": 1000},
        {"port": 8084, "lineage": "mqtt", "protocol": "websockets", "address": "[::]", "extra": {"acceptors": 8}},
    ],
    "emqx_tls_profile": "modern",
    "emqx_dashboard_address": "192.0.2.10",
    "emqx_dashboard_lineage": "dashboard",
    "emqx_api_keys": [{"key": "prometheus", "secret": "a-secret-of-this-test"}],
    "emqx_licence_key": "a licence",
    "emqx_denied": ["meter 0815's"],
    "emqx_metrics_clients": ["metrics"],
    "emqx_retained_on_disk": False,
    "emqx_durable_sessions_enabled": True,
    "emqx_kernel_settings": {"net.core.somaxconn": 32768, "fs.nr_open": 2097152},
    "emqx_extra_config": {"sysmon": {"os": {"cpu_check_interval": "120s"}}, "mqtt.max_topic_alias": 100},
}
PROXIED = {
    "emqx_listeners": [{"port": 11883, "proxy_protocol": True, "max_connections": 1000, "extra": {"acceptors": 8}}]
}
BOTH = pytest.mark.parametrize("variables", [PLAIN, FULL], ids=["defaults", "everything"])


def parsed(files: Rendered) -> dict[str, Any]:
    """The configuration with the secrets that it includes, which are on no host of this test."""
    including, text = re.subn(r'(?m)^include "(.+)"$', "", files[CONF]), files[CONF]
    assert f'include "{SECRETS}"' in text
    assert including[1] == 1
    made = ConfigFactory.parse_string(files["/etc/emqx/base.hocon"] + including[0] + files[SECRETS])
    return made.as_plain_ordered_dict()


@BOTH
def test_the_configuration_is_what_the_schema_of_emqx_knows(
    rendered: Render, schema: Schema, variables: dict[str, Any]
):
    assert schema.problems(parsed(rendered(**variables))) == []


def test_the_schema_finds_what_is_wrong(schema: Schema, rendered: Render):
    config = parsed(rendered(**PLAIN))
    listener = config["listeners"]["ssl"]["tls_8883"]
    listener["verify"] = "verify_peer"
    listener["ssl_options"]["verify"] = "verify_everybody"
    config["mqtt"]["strict_mode"] = "maybe"
    config["mqtts"] = {}
    assert sorted(schema.problems(config)) == [
        "listeners.ssl.tls_8883.ssl_options.verify: 'verify_everybody' is none of ['verify_peer', 'verify_none']",
        "listeners.ssl.tls_8883.verify: emqx:mqtt_ssl_listener has no such field",
        "mqtt.strict_mode: 'maybe' is neither true nor false",
        "mqtts: emqx:Root Config Keys has no such field",
    ]


@BOTH
def test_every_listener_that_emqx_makes_by_itself_is_off(rendered: Render, variables: dict[str, Any]):
    listeners = parsed(rendered(**variables))["listeners"]
    for kind in ("tcp", "ssl", "ws", "wss"):
        assert listeners[kind]["default"] == {"enable": False}
    assert set(listeners["tcp"]) | set(listeners["ws"]) == {"default"}


@BOTH
def test_every_other_listener_requires_a_certificate_and_names_files_of_its_lineage(
    rendered: Render, variables: dict[str, Any]
):
    listeners = parsed(rendered(**variables))["listeners"]
    ours = [item for kind in ("ssl", "wss") for name, item in listeners[kind].items() if name != "default"]
    assert len(ours) == len(variables.get("emqx_listeners", [{}]))
    for listener in ours:
        options = listener["ssl_options"]
        assert (options["verify"], options["fail_if_no_peer_cert"]) == ("verify_peer", True)
        assert {options[key] for key in ("certfile", "keyfile", "cacertfile")} == {
            f"{TLS}/fullchain.pem", f"{TLS}/privkey.pem", f"{TLS}/ca.pem"
        }  # fmt: skip
        assert options["ciphers"]
        assert not [suite for suite in options["ciphers"] if "CBC" in suite or not suite.startswith(("TLS_", "ECDHE-"))]


def test_revocation_and_stapling_are_of_the_listener_that_asked_for_them(rendered: Render):
    listeners = parsed(rendered(**FULL))["listeners"]
    options = listeners["ssl"]["tls_8883"]["ssl_options"]
    assert options["enable_crl_check"] is True
    assert options["ocsp"] == {
        "enable_ocsp_stapling": True,
        "responder_url": "http://pki.example.com/ocsp/",
        "issuer_pem": f"{TLS}/chain.pem",
    }
    assert not {"enable_crl_check", "ocsp"} & set(listeners["wss"]["tls_8084"]["ssl_options"])
    assert not {"enable_crl_check", "ocsp"} & set(
        parsed(rendered(**PLAIN))["listeners"]["ssl"]["tls_8883"]["ssl_options"]
    )


def test_the_listener_behind_nginx_is_on_the_loopback_and_hears_its_header(rendered: Render, schema: Schema):
    files = rendered(**PROXIED)
    config = parsed(files)
    assert schema.problems(config) == []
    assert config["listeners"]["tcp"]["proxied_11883"] == {
        "bind": "127.0.0.1:11883",
        "max_connections": 1000,
        "enable_authn": False,
        "proxy_protocol": True,
        "acceptors": 8,
    }
    assert {name for kind in ("ssl", "ws", "wss") for name in config["listeners"][kind]} == {"default"}
    path = "/etc/bulwark/services.d/emqx.json"
    described = descriptor.parse(files[path].encode(), source=path)
    assert described.lineages == {}
    assert described.probes == ({"kind": "loopback", "port": 11883, "proxy_common_name": "bulwark-probe"},)


def test_nothing_but_the_listeners_reaches_beyond_loopback(rendered: Render):
    files = rendered(**PLAIN)
    config = parsed(files)
    assert config["rpc"]["listen_address"] == "127.0.0.1"
    assert config["dashboard"]["listeners"]["http"]["bind"] == "127.0.0.1:18083"
    assert config["cluster"]["discovery_strategy"] == "singleton"
    assert "-kernel inet_dist_use_interface {127,0,0,1}" in files["/etc/emqx/vm.args"].splitlines()


def test_a_dashboard_on_the_network_has_tls(rendered: Render):
    listeners = parsed(rendered(**FULL))["dashboard"]["listeners"]
    assert listeners["http"] == {"bind": 0}
    assert listeners["https"]["bind"] == "192.0.2.10:18083"
    assert listeners["https"]["ssl_options"]["certfile"] == "/etc/bulwark/tls/dashboard/current/fullchain.pem"
    assert listeners["https"]["ssl_options"]["versions"] == ["tlsv1.3"]


@BOTH
def test_secrets_are_in_files_of_their_own(rendered: Render, variables: dict[str, Any]):
    files = rendered(**variables)
    for secret in ("a-cookie-of-this-test", "a-password-of-this-test", "a-secret-of-this-test", "a licence"):
        holding = {path for path, content in files.items() if secret in content}
        assert holding <= {SECRETS, "/etc/emqx/api_keys"}


def test_the_file_of_keys_is_as_emqx_reads_it(rendered: Render):
    assert rendered(**FULL)["/etc/emqx/api_keys"] == "prometheus:a-secret-of-this-test\n"
    assert "/etc/emqx/api_keys" not in rendered(**PLAIN)


def test_who_may_do_what_ends_with_a_denial(rendered: Render):
    rules = [line for line in rendered(**FULL)["/etc/emqx/acl.conf"].splitlines() if not line.startswith("%")]
    assert rules == [
        '{deny, {username, {re, "[+#/]"}}, all, all}.',
        '{deny, {username, "meter 0815\'s"}, all, all}.',
        '{allow, {username, "metrics"}, subscribe, ["$SYS/#"]}.',
        '{deny, {username, "metrics"}, all, all}.',
        '{allow, all, all, ["devices/${username}/#"]}.',
        "{deny, all}.",
    ]
    authorization = parsed(rendered(**FULL))["authorization"]
    assert (authorization["no_match"], len(authorization["sources"])) == ("deny", 1)


@BOTH
def test_the_descriptor_says_what_a_change_takes(rendered: Render, variables: dict[str, Any]):
    path = "/etc/bulwark/services.d/emqx.json"
    described = descriptor.parse(rendered(**variables)[path].encode(), source=path)
    assert described.check.argv == ("/opt/emqx/5.8.9/bin/emqx", "check_config")
    assert described.activation("mqtt", {"certificate", "ca"}) == "reload"
    assert described.activation("mqtt", {"crl", "ocsp"}) == "none"
    assert {f"{TLS}/privkey.pem", f"{TLS}/fullchain.pem", f"{TLS}/ca.pem"} <= set(described.check.reads)
    assert described.probe_seconds == 90
    assert [probe["port"] for probe in described.probes] == [
        listener["port"] for listener in variables.get("emqx_listeners", [{"port": 8883}])
    ]


def test_an_address_of_all_is_probed_on_loopback(rendered: Render):
    path = "/etc/bulwark/services.d/emqx.json"
    probes = descriptor.parse(rendered(**FULL)[path].encode(), source=path).probes
    assert [(probe["kind"], probe["address"]) for probe in probes] == [("mqtt", "127.0.0.1"), ("tls", "127.0.0.1")]


@BOTH
def test_the_script_that_reloads_is_one(rendered: Render, variables: dict[str, Any]):
    script = rendered(**variables)["/etc/bulwark/emqx/control.sh"]
    assert subprocess.run(["sh", "-n"], input=script, text=True, check=False).returncode == 0
    assert "emqx:update_config([authorization, sources], {{replace, file}, #{" in script
    kicked = [line for line in script.splitlines() if line.startswith("emqx ctl clients kick")]
    expected = ["emqx ctl clients kick 'meter 0815'\"'\"'s' || true"] if variables else []
    assert kicked == expected


def test_the_unit_runs_the_version_that_is_pinned_and_hardens_what_knows_the_word(rendered: Render):
    unit = "/etc/systemd/system/emqx.service"
    old, new = rendered(**PLAIN)[unit], rendered(emqx_version="6.3.0", emqx_source="vendor")[unit]
    assert "ExecStart=/opt/emqx/5.8.9/bin/emqx foreground" in old.splitlines()
    assert "ExecStart=/usr/bin/emqx foreground" in new.splitlines()
    assert [("EMQX_SECURITY_PROFILE=hardened" in text) for text in (old, new)] == [False, True]


def test_the_kernel_is_set_before_the_start_where_it_was_asked_for(rendered: Render):
    unit, sysctl = "/etc/systemd/system/emqx.service", "/etc/sysctl.d/60-bulwark-emqx.conf"
    plain, full = rendered(**PLAIN), rendered(**FULL)
    before = f"ExecStartPre=+/usr/sbin/sysctl --quiet --load={sysctl}"
    assert [before in files[unit].splitlines() for files in (plain, full)] == [False, True]
    assert sysctl not in plain
    lines = [line for line in full[sysctl].splitlines() if line and not line.startswith("#")]
    assert lines == ["fs.nr_open = 2097152", "net.core.somaxconn = 32768"]


def test_the_same_variables_are_the_same_files(rendered: Render):
    again = dict(reversed(FULL.items()))
    assert json.dumps(rendered(**FULL)) == json.dumps(rendered(**again))
