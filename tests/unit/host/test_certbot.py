# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What certbot has goes into lineages, what it is asked for, and what it says when it fails."""

from __future__ import annotations

import dataclasses
import urllib.parse
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.bulwark.mqtt.plugins.module_utils._host import (
    certbot,
    certbot_order,
    certbot_rivals,
    operations,
)
from ansible_collections.bulwark.mqtt.plugins.module_utils._host.errors import StoreError
from ansible_collections.bulwark.mqtt.plugins.modules import certbot_certificate, certbot_info
from certbot_samples import NAME, RENEWAL, SERVER, Host

ORDER = certbot_order.Order(
    certificate=certbot.Certificate("mqtt", "mqtt"),
    names=(NAME,),
    server=SERVER,
    key_type="ec-p256",
    authenticator="standalone",
)


@pytest.fixture(name="host")
def fixture_host(tmp_path: Path, pki: Any, monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(tmp_path, pki, monkeypatch)


def test_what_certbot_has_is_installed_once(host: Host) -> None:
    leaf = host.obtain()
    assert [item.changed for item in certbot.deploy(host.configuration)] == [True]
    assert host.served() == leaf.pem
    assert [item.changed for item in certbot.deploy(host.configuration)] == [False]
    assert 'bulwark_certbot_deploy_success{certificate="mqtt",lineage="mqtt"} 1\n' in host.metrics()


def test_a_certificate_of_another_ca_is_not_installed_and_the_metric_says_so(host: Host) -> None:
    leaf = host.obtain()
    certbot.deploy(host.configuration)
    host.public = type(host.pki)()
    host.obtain()
    (found,) = certbot.deploy(host.configuration)
    assert found.failure.startswith("mqtt/cert.pem: does not verify to mqtt/roots.pem: ")
    assert host.served() == leaf.pem
    assert 'bulwark_certbot_deploy_success{certificate="mqtt",lineage="mqtt"} 0\n' in host.metrics()


def test_a_store_without_room_keeps_what_is_served_and_says_what_to_do(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    leaf = host.obtain()
    certbot.deploy(host.configuration)
    host.obtain()

    def full(*_arguments: Any, **_options: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(operations, "install", full)
    (found,) = certbot.deploy(host.configuration)
    assert found.failure == (
        "[Errno 28] No space left on device; the disk is full: make room; what is served stays as it is"
    )
    assert host.served() == leaf.pem
    assert 'bulwark_certbot_deploy_success{certificate="mqtt",lineage="mqtt"} 0\n' in host.metrics()


def test_a_run_that_is_killed_leaves_a_metric_that_says_no(host: Host) -> None:
    host.obtain()
    host.program("kill -9 $$")
    with pytest.raises(StoreError, match=r"^certbot renew failed: "):
        certbot.renew(host.configuration)
    assert "bulwark_certbot_renew_success 0\n" in host.metrics()


def test_a_run_that_renews_nothing_still_installs_what_an_earlier_one_left(host: Host) -> None:
    leaf = host.obtain()
    host.program("exit 0")
    certbot.renew(host.configuration)
    assert host.served() == leaf.pem
    assert "bulwark_certbot_renew_success 1\n" in host.metrics()


def test_metrics_that_cannot_be_written_do_not_end_a_run(host: Host) -> None:
    leaf = host.obtain()
    host.program("exit 0")
    certbot.renew(dataclasses.replace(host.configuration, metrics=str(host.root / "nowhere")))
    assert host.served() == leaf.pem


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        pytest.param(
            "An unexpected error occurred:\nError creating new order :: too many certificates (5) already issued for"
            " this exact set of identifiers in the last 168h0m0s, retry after 2026-11-26 07:00:00 UTC",
            "this is the CA's rate limit: wait for the time that it names, and try changes with certbot_staging",
            id="rate-limit",
        ),
        pytest.param(
            "urn:ietf:params:acme:error:externalAccountRequired",
            "the CA wants an account that it knows: set certbot_eab_kid and certbot_eab_hmac_key to what it gave you",
            id="external-account",
        ),
        pytest.param(
            "Could not bind TCP port 80 because it is already in use",
            "another program listens on port 80: set certbot_authenticator to webroot or to a DNS plugin",
            id="port",
        ),
        pytest.param(
            "Certbot failed to authenticate some domains (authenticator: standalone). The Certificate Authority"
            " reported these problems:\nDomain: a.example.com\nType: connection\nDetail: connection refused\n"
            "Failed to renew certificate mqtt with error: Some challenges have failed.",
            "the CA did not find the challenge: let port 80 reach this host under each name, or use DNS",
            id="challenge",
        ),
        pytest.param(
            "OSError: [Errno 28] No space left on device",
            "the disk is full: make room; what is served stays as it is",
            id="disk",
        ),
    ],
)
def test_what_certbot_says_is_passed_on_with_its_remedy(host: Host, said: str, remedy: str) -> None:
    (host.root / "said").write_text(f"Saving debug log to /var/log/letsencrypt/letsencrypt.log\n{said}\n")
    host.program(f"cat {host.root}/said; exit 1")
    with pytest.raises(StoreError) as failed:
        certbot.certbot(host.configuration, [host.configuration.program, "renew"], timeout=10)
    words = " ".join(said.splitlines())
    assert str(failed.value) == f"certbot renew failed: {words}; {remedy}"


def test_an_order_that_certbot_has_fulfilled_gives_no_reason_to_ask(host: Host) -> None:
    assert certbot_order.drift(host.configuration, ORDER) == [certbot_order.NONE]
    host.obtain()
    assert certbot_order.drift(host.configuration, ORDER) == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"names": (NAME, "www.example")}, f"names differ: it has {NAME}, wanted is {NAME}, www.example"),
        ({"server": "https://other.example"}, f"server differs: it has {SERVER}, wanted is https://other.example"),
        ({"key_type": "ec-p384"}, "elliptic_curve differs: it has secp256r1, wanted is secp384r1"),
        ({"profile": "shortlived"}, "required_profile differs: it has none, wanted is shortlived"),
        ({"authenticator": "webroot"}, "authenticator differs: it has standalone, wanted is webroot"),
        ({"pre_hook": "ufw allow 80/tcp"}, "pre_hook differs: it has none, wanted is ufw allow 80/tcp"),
    ],
)
def test_each_difference_is_a_reason_to_ask(host: Host, change: dict[str, Any], reason: str) -> None:
    host.obtain()
    assert certbot_order.drift(host.configuration, dataclasses.replace(ORDER, **change)) == [reason]


def test_an_account_that_was_given_up_is_a_reason_to_ask(host: Host) -> None:
    host.obtain(renewal=RENEWAL.replace("0123", "4567"))
    assert certbot_order.drift(host.configuration, ORDER) == [
        "account 4567 is not there any more, the next one is made"
    ]


def test_another_argument_of_the_authenticator_is_a_reason_where_certbot_has_written_it_down(host: Host) -> None:
    host.obtain(renewal=RENEWAL.replace("standalone", "webroot") + "webroot_path = /var/www/html,\n")
    order = dataclasses.replace(ORDER, authenticator="webroot", arguments=("--webroot-path", "/var/www/html"))
    assert certbot_order.drift(host.configuration, order) == []
    order = dataclasses.replace(order, arguments=("--webroot-path=/srv",))
    assert certbot_order.drift(host.configuration, order) == [
        "webroot_path differs: it has /var/www/html, wanted is /srv"
    ]


def test_the_arguments_name_the_file_of_the_secrets_and_take_addresses_for_what_they_are() -> None:
    order = dataclasses.replace(ORDER, names=(NAME, "192.0.2.10"), secrets="/etc/bulwark/certbot.ini")
    found = certbot_order.arguments(order)
    assert "--config=/etc/bulwark/certbot.ini" in found
    assert found[-3:] == [f"--domain={NAME}", "--ip-address=192.0.2.10", "--renew-with-new-domains"]
    assert "--force-renewal" not in found


def test_a_missing_or_damaged_configuration_names_the_file_and_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "certbot.json"
    with pytest.raises(StoreError, match=rf"^{path}: is missing; run the role certbot$"):
        certbot.load(str(path))
    path.write_text("{}")
    with pytest.raises(StoreError, match=rf"^{path}: is not understood \('program'\); run the role certbot$"):
        certbot.load(str(path))


def test_lines_of_cron_that_renew_are_rivals_and_comments_and_the_packages_own_are_not(tmp_path: Path) -> None:
    crond = tmp_path / "cron.d"
    crond.mkdir()
    (crond / "certbot").write_text(
        "0 */12 * * * root test -x /usr/bin/certbot -a \\! -d /run/systemd/system && certbot -q renew\n"
    )
    (crond / "ours").write_text("1 2 * * * root bulwark-tls certbot renew\n")
    (crond / "theirs").write_text("# certbot renew\n0 3 * * * root certbot renew\n")
    found = certbot_rivals.rival_crontabs({str(crond / "ours")}, places=[str(crond), str(tmp_path / "none")])
    assert found == [f"{crond}/theirs: 0 3 * * * root certbot renew"]


def test_the_module_asks_once_installs_and_says_why(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certbot, "load", lambda: host.configuration)
    monkeypatch.setattr(certbot, "CONFIGURATION", str(host.root))
    params = {
        **dict.fromkeys(("email", "profile", "pre_hook", "post_hook", "secrets"), ""),
        "name": "mqtt",
        "lineage": "mqtt",
        "names": [NAME],
        "server": SERVER,
        "key_type": "ec-p256",
        "authenticator": "standalone",
        "arguments": [],
        "dry_run": False,
    }
    host.program("exit 1")
    assert certbot_certificate.ensure(params, check_mode=True)["reasons"] == [certbot_order.NONE]
    with pytest.raises(StoreError, match=r"^certbot certonly failed: without saying why$"):
        certbot_certificate.ensure(params, check_mode=False)
    host.obtain()
    first, second = (certbot_certificate.ensure(params, check_mode=False) for _ in range(2))
    assert (first["changed"], first["diff"]) == (True, {"prepared": "mqtt: installed into lineage mqtt\n"})
    assert (second["changed"], second["reasons"]) == (False, [])


def test_the_version_is_what_the_program_says_else_what_is_given(host: Host) -> None:
    params = {"program": str(host.root / "certbot"), "version": "2.1.0-4", "ours": []}
    assert certbot_info.ensure(params, check_mode=False)["capabilities"]["profiles"] is False
    host.program("echo certbot 4.0.0")
    found = certbot_info.ensure(params, check_mode=False)
    assert (found["version"], found["installed"], found["capabilities"]["profiles"]) == ("4.0.0", True, True)


ROLE = Path(__file__).resolve().parents[3] / "roles" / "certbot"
PRESETS = yaml.safe_load((ROLE / "vars" / "main.yml").read_text(encoding="utf-8"))["__certbot_servers"]


@pytest.mark.parametrize("name", PRESETS)
def test_a_ca_that_is_known_by_name_has_the_shape_that_the_role_needs_and_is_in_the_readme(name: str) -> None:
    preset = PRESETS[name]
    assert set(preset) == {"url", "staging", "eab"}
    assert isinstance(preset["eab"], bool)
    for url in filter(None, (preset["url"], preset["staging"])):
        parts = urllib.parse.urlsplit(url)
        assert (parts.scheme, parts.query, parts.fragment) == ("https", "", "")
        assert "." in parts.netloc
        assert parts.path.startswith("/")
    assert preset["url"] not in (preset["staging"], "")
    assert f"`{name}`" in (ROLE / "README.md").read_text(encoding="utf-8")


def test_no_two_names_stand_for_one_server() -> None:
    urls = [preset[kind] for preset in PRESETS.values() for kind in ("url", "staging") if preset[kind]]
    assert len(urls) == len(set(urls))
