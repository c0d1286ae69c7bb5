# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import json
import os
import subprocess

import pytest
from ansible_collections.bulwark.mqtt.plugins.module_utils._host import lineage, operations
from ansible_collections.bulwark.mqtt.plugins.module_utils._lineage_question import Versions

ITEM = {
    "lineage": "mqtt",
    "certificate": "the certificate\n",
    "chain": "the chain\n",
    "ca": "the CA\n",
    "crl": "the list\n",
    "ocsp": base64.b64encode(b"\x00\nthe response").decode(),
}
FILES = {
    lineage.KEY: b"the key\n",
    lineage.CERTIFICATE: b"the certificate\n",
    lineage.CHAIN: b"the chain\n",
    lineage.FULLCHAIN: b"the certificate\nthe chain\n",
    lineage.CA: b"the CA\n",
    lineage.CRL: b"the list\n",
    lineage.OCSP: b"\x00\nthe response",
}


@pytest.fixture(name="store")
def a_store(tmp_path, monkeypatch):
    monkeypatch.setattr(lineage, "STORE", str(tmp_path / "tls"))
    journals = operations.State(journals=str(tmp_path / "transactions"), lock="", run="")
    monkeypatch.setattr(operations, "HOST_STATE", journals)
    return tmp_path / "tls"


def install(store, name="mqtt", files=None, declaration=None):
    version = files or FILES
    home = store / name
    current = home / "versions" / lineage.version_id(version)
    current.mkdir(parents=True)
    for file, content in version.items():
        (current / file).write_bytes(content)
        (current / file).chmod(0o640)
    current.chmod(0o750)
    current.parent.chmod(0o750)
    (home / "current").symlink_to(current.relative_to(home))
    (home / "lineage.json").write_text(json.dumps(declaration or {"purpose": "server"}, indent=2))
    return current


def are_so(*items):
    wanted = Versions(items)
    asked = subprocess.run(["sh", "-c", wanted.question()], capture_output=True, text=True, check=False)
    assert asked.stderr == ""
    return wanted.is_so(asked.stdout.splitlines())


def test_a_lineage_that_has_all_of_it(store):
    install(store)
    assert are_so(ITEM)


def test_several_of_which_one_is_missing(store):
    install(store)
    install(store, "probe")
    assert are_so(ITEM, {**ITEM, "lineage": "probe"})
    assert not are_so(ITEM, {**ITEM, "lineage": "other"}, {**ITEM, "lineage": "probe"})


def test_no_store(store):
    assert not store.exists()
    assert not are_so(ITEM)


@pytest.mark.parametrize("part", ["certificate", "chain", "ca", "crl", "ocsp"])
def test_something_else_is_given(store, part):
    install(store)
    assert not are_so({**ITEM, part: base64.b64encode(b"another").decode()})


@pytest.mark.parametrize(("part", "file"), [("crl", lineage.CRL), ("ocsp", lineage.OCSP)])
def test_what_a_lineage_may_be_without(store, part, file):
    without = {**ITEM, part: ""}
    install(store, files={name: content for name, content in FILES.items() if name != file})
    assert are_so(without)
    assert not are_so(ITEM)


def test_there_is_more_than_is_given(store):
    install(store)
    assert not are_so({**ITEM, "crl": ""})


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda current: (current / lineage.KEY).write_bytes(b"another key\n"), id="key"),
        pytest.param(lambda current: (current / lineage.KEY).unlink(), id="no-key"),
        pytest.param(lambda current: (current / lineage.KEY).chmod(0o644), id="mode"),
        pytest.param(lambda current: os.chown(current / lineage.KEY, 0, 1), id="group"),
        pytest.param(lambda current: current.chmod(0o755), id="mode-of-the-version"),
        pytest.param(lambda current: current.parent.chmod(0o755), id="mode-of-all-versions"),
        pytest.param(lambda current: (current / "other").write_bytes(b""), id="a-file-of-somebody-else"),
        pytest.param(lambda current: (current / lineage.CA).write_bytes(b"another CA\n"), id="ca"),
        pytest.param(lambda current: (current.parents[1] / "lineage.json").write_text("no JSON"), id="declaration"),
        pytest.param(lambda current: (current.parents[1] / "lineage.json").unlink(), id="no-declaration"),
        pytest.param(lambda current: (current.parents[1] / "current").unlink(), id="no-current-version"),
    ],
)
def test_a_lineage_that_was_changed(store, change):
    change(install(store))
    assert not are_so(ITEM)


def test_the_current_version_is_named_by_its_files(store):
    current = install(store)
    current.rename(current.with_name("0123456789abcdef"))
    (store / "mqtt/current").unlink()
    (store / "mqtt/current").symlink_to("versions/0123456789abcdef")
    assert not are_so(ITEM)


def test_a_key_waits_for_its_certificate(store):
    install(store)
    (store / "mqtt/pending").mkdir()
    (store / "mqtt/pending/privkey.pem").write_text("")
    assert not are_so(ITEM)


def test_a_transaction_that_is_not_done(store):
    install(store)
    journal = store.parent / "transactions/lineage-mqtt/journal.json"
    journal.parent.mkdir(parents=True)
    journal.write_text("{}")
    assert not are_so(ITEM)


def test_the_group_that_reads_the_key(store):
    current = install(store, declaration={"purpose": "server", "group": "daemon"})
    assert not are_so(ITEM)
    for path in (current.parent, current, *current.iterdir()):
        os.chown(path, 0, 1)
    assert are_so(ITEM)


def test_what_the_host_fetches_by_itself_is_looked_at_there(store):
    install(store, declaration={"purpose": "server", "refresh": {"ocsp": True}})
    assert not are_so(ITEM)


def test_a_response_that_is_no_base64(store):
    install(store)
    assert not are_so({**ITEM, "ocsp": "no Base64"})
