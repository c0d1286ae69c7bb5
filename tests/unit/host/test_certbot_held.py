# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What certbot has is revoked and deleted only where no lineage serves it, and nobody else's is touched."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bulwark.mqtt.plugins.module_utils._host import certbot
from ansible_collections.bulwark.mqtt.plugins.module_utils._host.errors import StoreError
from ansible_collections.bulwark.mqtt.plugins.modules import certbot_revoke, certbot_unlisted
from certbot_samples import RENEWAL, Host

PARAMS = {"name": "mqtt", "serial": "", "reason": "superseded", "served": False}


@pytest.fixture(name="host")
def fixture_host(tmp_path: Path, pki: Any, monkeypatch: pytest.MonkeyPatch) -> Host:
    host = Host(tmp_path, pki, monkeypatch)
    monkeypatch.setattr(certbot, "load", lambda: host.configuration)
    monkeypatch.setattr(certbot, "CONFIGURATION", str(tmp_path))
    host.program(f'echo "$*" >>{host.root}/called')
    return host


def revoke(*, check_mode: bool = False, **changed: Any) -> dict[str, Any]:
    return certbot_revoke.ensure({**PARAMS, **changed}, check_mode=check_mode)


def unlisted(*, delete: bool, check_mode: bool = False) -> dict[str, Any]:
    return certbot_unlisted.ensure({"delete": delete}, check_mode=check_mode)


def expected_call(host: Host, number: int) -> str:
    path = f"{host.configuration.directory}/archive/mqtt/cert{number}.pem"
    options = "--reason superseded --server https://acme.example/directory --account 0123"
    return f"revoke --non-interactive --no-delete-after-revoke --cert-path {path} {options}"


DELETED = "delete --non-interactive --cert-name mqtt"


def test_all_versions_are_revoked_the_newest_first_and_then_deleted(host: Host) -> None:
    older, newer = host.obtain(), host.obtain()
    predicted, done = revoke(check_mode=True), revoke()
    assert host.called() == [expected_call(host, 2), expected_call(host, 1), DELETED]
    assert (done["changed"], done["revoked"], done["deleted"]) == (True, [newer.serial, older.serial], True)
    assert done["diff"]["prepared"] == (
        f"mqtt: {newer.serial} revoked\nmqtt: {older.serial} revoked\nmqtt: deleted from certbot\n"
    )
    assert {key: predicted[key] for key in ("changed", "revoked", "deleted", "diff")} == {
        key: done[key] for key in ("changed", "revoked", "deleted", "diff")
    }
    assert done["warnings"] == [
        "mqtt: certbot_certificates still lists it, the next run of the role asks for another one"
    ]


def test_one_version_is_revoked_by_its_serial_and_the_newer_one_stays(host: Host) -> None:
    older = host.obtain()
    host.obtain()
    certbot.deploy(host.configuration)
    done = revoke(serial=older.serial.lower())
    assert host.called() == [expected_call(host, 1)]
    assert (done["changed"], done["deleted"], done["warnings"]) == (True, False, [])


def test_an_unknown_serial_is_refused_with_those_that_there_are(host: Host) -> None:
    leaf = host.obtain()
    with pytest.raises(StoreError) as refused:
        revoke(serial="AB")
    assert str(refused.value) == f"mqtt: certbot has no version with the serial AB; it has {leaf.serial}"


def test_what_a_lineage_serves_is_refused_unless_told(host: Host) -> None:
    leaf = host.obtain()
    (deployed,) = certbot.deploy(host.configuration)
    for check_mode in (True, False):
        with pytest.raises(StoreError) as refused:
            revoke(check_mode=check_mode)
        assert str(refused.value) == (
            f"mqtt: lineage mqtt still serves the certificate {leaf.serial}, until {deployed.not_after}: give the"
            " lineage another one first, or set served to true to have its clients shown a revoked certificate until it"
            " has"
        )
    assert host.called() == []
    assert revoke(served=True)["revoked"] == [leaf.serial]


def test_what_a_run_that_was_killed_revoked_already_is_deleted(host: Host) -> None:
    host.obtain()
    said = "urn:ietf:params:acme:error:alreadyRevoked"
    host.program(f'echo "$*" >>{host.root}/called; case $1 in revoke) echo {said}; exit 1; esac')
    done = revoke()
    assert (done["changed"], done["revoked"], done["deleted"]) == (True, [], True)
    assert host.called()[-1] == DELETED


def test_a_refusal_of_the_ca_deletes_nothing(host: Host) -> None:
    host.obtain()
    host.program(f'echo "$*" >>{host.root}/called; echo Connection refused; exit 1')
    with pytest.raises(StoreError) as failed:
        revoke()
    assert str(failed.value) == (
        "certbot revoke failed: Connection refused; the ACME server cannot be reached: check certbot_server, DNS and"
        " the way out; the next run tries again"
    )
    assert len(host.called()) == 1


def test_what_certbot_does_not_have_changes_nothing(host: Host) -> None:
    assert revoke()["changed"] is False
    assert host.called() == []


def test_only_what_the_role_asked_for_and_is_listed_no_more_is_deleted_when_told(host: Host) -> None:
    host.obtain()
    host.obtain(name="web", renewal=RENEWAL.replace(certbot.HOOK, "systemctl reload nginx"))
    assert unlisted(delete=True)["unlisted"] == []
    host.configuration = dataclasses.replace(host.configuration, certificates=())
    found = unlisted(delete=False)
    assert (found["changed"], [item["name"] for item in found["unlisted"]], found["deleted"]) == (False, ["mqtt"], [])
    predicted, done = unlisted(delete=True, check_mode=True), unlisted(delete=True)
    assert predicted["deleted"] == done["deleted"] == ["mqtt"]
    assert done["diff"]["prepared"] == "mqtt: deleted from certbot\n"
    assert host.called() == [DELETED]


def test_what_a_lineage_serves_is_not_deleted_and_said(host: Host) -> None:
    host.obtain()
    (deployed,) = certbot.deploy(host.configuration)
    host.configuration = dataclasses.replace(host.configuration, certificates=())
    found = unlisted(delete=True)
    assert found["unlisted"] == [{"name": "mqtt", "not_after": deployed.not_after, "lineages": ["mqtt"]}]
    assert (found["changed"], host.called()) == (False, [])
    (warning,) = found["warnings"]
    assert warning == (
        "mqtt: is listed no more and not deleted, because lineage mqtt still serves it, until"
        f" {deployed.not_after}: give the lineage another certificate"
    )


def test_a_virgin_host_has_nothing_in_check_mode(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certbot, "CONFIGURATION", str(host.root / "none"))
    assert unlisted(delete=True, check_mode=True)["changed"] is False
