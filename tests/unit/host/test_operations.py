# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime as dt
import json
import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bulwark.mqtt.plugins.module_utils._host import cli, lineage, operations
from ansible_collections.bulwark.mqtt.plugins.module_utils._host.errors import CheckError

NAME = "broker.example"
HOUR = dt.timedelta(hours=1)


class Store:
    """A lineage in a store of its own, with a directory per certificate to install from."""

    def __init__(self, root: Path, pki: Any) -> None:
        self.root, self.pki = root, pki
        self.target = lineage.Lineage(str(root / "store"), "mqtt")
        os.makedirs(self.target.path)
        declared = {"purpose": "server", "names": [NAME], "group": ""}
        Path(self.target.path, "lineage.json").write_text(json.dumps(declared))

    def directory(self, leaf: Any, **more: bytes) -> Path:
        directory = self.root / f"{leaf.certificate.serial_number}"
        directory.mkdir()
        files = {
            "cert.pem": leaf.pem,
            "chain.pem": self.pki.issuing.pem,
            "ca.pem": self.pki.ca,
            "privkey.pem": leaf.key,
        }
        for name, content in {**files, **more}.items():
            (directory / name).write_bytes(content)
        return directory

    def install(self, leaf: Any, *, check_mode: bool = False, **more: bytes) -> operations.Installed:
        material = operations.Material(
            certificate=leaf.pem,
            chain=self.pki.issuing.pem,
            ca=self.pki.ca,
            key=self.key(leaf),
            **more,
        )
        return operations.install(self.target, material, declaration=self.target.declaration(), check_mode=check_mode)

    def key(self, leaf: Any) -> str:
        path = self.root / f"{leaf.certificate.serial_number}.key"
        path.write_bytes(leaf.key)
        return str(path)

    def everything(self) -> set[str]:
        return {str(path) for path in Path(self.target.store).rglob("*")}


@pytest.fixture(name="store")
def fixture_store(tmp_path: Path, pki: Any) -> Store:
    return Store(tmp_path, pki)


def test_check_mode_writes_nothing_and_says_what_would_change(store: Store) -> None:
    before = store.everything()
    result = store.install(store.pki.server(NAME), check_mode=True)
    assert (result.changed, result.before, result.after["names"]) == (True, {}, [NAME])
    assert store.everything() == before


def test_a_lineage_goes_from_a_private_ca_to_a_public_one_and_back(store: Store) -> None:
    public = type(store.pki)()
    store.install(store.pki.server(NAME))
    leaf = public.server(NAME)
    bought = operations.Material(
        certificate=leaf.pem, chain=public.issuing.pem, roots=public.root.pem, key=store.key(leaf)
    )
    declaration = store.target.declaration()
    operations.install(store.target, bought, declaration=declaration)
    between = store.target.read(store.target.current_version())
    assert (between[lineage.ROOTS], between[lineage.CA]) == (public.root.pem, store.pki.ca)
    # A new revocation list alone is about the peers' CA and leaves the rest as it is.
    crl = store.pki.crl()
    operations.install(store.target, operations.Material(crl=crl), declaration=declaration)
    assert store.target.read(store.target.current_version()) == {**between, lineage.CRL: crl}
    store.install(store.pki.server(NAME))
    assert lineage.ROOTS not in store.target.read(store.target.current_version())


def test_the_second_installation_of_the_same_changes_nothing(store: Store) -> None:
    leaf = store.pki.server(NAME)
    first, second = store.install(leaf), store.install(leaf)
    assert (first.changed, second.changed, second.version) == (True, False, first.version)
    assert not store.install(leaf, check_mode=True).changed


def test_a_refused_certificate_leaves_the_current_one_and_nothing_else(store: Store) -> None:
    store.install(store.pki.server(NAME))
    before = store.everything()
    with pytest.raises(CheckError, match=r"^mqtt/cert\.pem: does not cover broker\.example"):
        store.install(store.pki.server("other.example"))
    assert store.everything() == before


def test_what_is_not_given_stays_except_a_response_for_another_certificate(store: Store) -> None:
    first, second = store.pki.server(NAME), store.pki.server(NAME)
    store.install(first, crl=store.pki.crl(), ocsp=store.pki.ocsp(first))
    assert not store.install(first).changed
    store.install(second)
    current = store.target.read(store.target.current_version())
    assert lineage.CRL in current
    assert lineage.OCSP not in current
    store.install(second, crl=b"")
    assert lineage.CRL not in store.target.read(store.target.current_version())


def test_a_kept_response_that_went_stale_is_dropped_and_hinders_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    leaf = store.pki.server(NAME)
    store.install(leaf, ocsp=store.pki.ocsp(leaf, end=HOUR))
    monkeypatch.setattr(operations, "_now", lambda: store.pki.now + 2 * HOUR)
    assert store.install(leaf, crl=store.pki.crl()).changed
    current = store.target.read(store.target.current_version())
    assert lineage.CRL in current
    assert lineage.OCSP not in current


def test_a_response_alone_is_installed_with_what_is_current(store: Store) -> None:
    leaf = store.pki.server(NAME)
    store.install(leaf)
    response = store.pki.ocsp(leaf)
    material = operations.Material(ocsp=response)
    declaration = store.target.declaration()
    assert operations.install(store.target, material, declaration=declaration).changed
    assert store.target.read(store.target.current_version())[lineage.OCSP] == response
    assert not operations.install(store.target, material, declaration=declaration).changed


def test_rolling_back_serves_the_version_before_with_the_same_checks(store: Store) -> None:
    old = store.install(store.pki.server(NAME)).version
    store.install(store.pki.server(NAME))
    assert operations.roll_back(store.target).version == old
    assert store.target.current_version() == old


def test_the_tool_installs_shows_and_refuses(
    store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    state = operations.state_of(store.target.store)
    monkeypatch.setattr(lineage, "STORE", store.target.store)
    monkeypatch.setattr(operations, "HOST_STATE", state)
    monkeypatch.setattr(operations.descriptor, "DIRECTORY", str(store.root / "services.d"))
    assert cli.main(["install", "mqtt", "--from", str(store.directory(store.pki.server(NAME)))]) == 0
    assert "is now current" in capsys.readouterr().out
    assert cli.main(["status", "--json"]) == 0
    (status,) = json.loads(capsys.readouterr().out)
    assert (status["lineage"], status["names"], len(status["versions"])) == ("mqtt", [NAME], 1)
    assert cli.main(["rollback", "mqtt"]) == 1
    assert "has no version before" in capsys.readouterr().err
    empty = store.root / "empty"
    empty.mkdir()
    assert cli.main(["install", "mqtt", "--from", str(empty)]) == 1
    assert capsys.readouterr().err == (
        f"bulwark-tls: {empty}: has none of privkey.pem, cert.pem, chain.pem, fullchain.pem, roots.pem, ca.pem,"
        " crl.pem, ocsp.der; name the directory that has them\n"
    )
    assert cli.main(["recover"]) == 0
    assert cli.main(["confirm", "firewall"]) == 1
    assert capsys.readouterr().err == (
        "bulwark-tls: service-firewall: nothing waits to be confirmed;"
        " it was undone when its time was up, so run it again\n"
    )


def test_wrong_usage_is_two(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main(["install", "mqtt"])
    assert left.value.code == 2
    assert "--from" in capsys.readouterr().err
