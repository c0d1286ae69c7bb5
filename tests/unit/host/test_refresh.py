# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import datetime as dt
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bulwark.mqtt.plugins.module_utils._host import (
    cli,
    lineage,
    operations,
    published,
    refresh,
)
from ansible_collections.bulwark.mqtt.plugins.module_utils._host.errors import CheckError, StoreError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp

NAME = "broker.example"
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
# Not half way, half way, and nearly over, of a statement from two days ago until in a day.
YOUNG, OLD, LATE = -1 * DAY, dt.timedelta(0), 22 * HOUR


class Host:
    """A lineage on a host, a CA, and the web server that publishes for it."""

    def __init__(self, root: Path, pki: Any, web: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.pki, self.web, self.monkeypatch = pki, web, monkeypatch
        self.target = lineage.Lineage(str(root / "store"), "mqtt")
        os.makedirs(self.target.path)
        self.leaf = self.certify()
        self.key = root / "server.key"
        self.key.write_bytes(self.leaf.key)
        self.at(YOUNG)

    def certify(self) -> Any:
        url = self.web.url
        return self.pki.server(NAME, start=-9 * DAY, ocsp_url=f"{url}/ocsp", crl_url=f"{url}/list.crl")

    def declare(self, **what: Any) -> None:
        declared = {"purpose": "server", "names": [NAME], "group": "", "refresh": what}
        Path(self.target.path, "lineage.json").write_text(json.dumps(declared))

    def install(self, **more: Any) -> operations.Installed:
        given = {"certificate": self.leaf.pem, "chain": self.pki.issuing.pem, "ca": self.pki.ca, "key": str(self.key)}
        material = operations.Material(**{**given, **more})
        return operations.install(self.target, material, declaration=self.target.declaration())

    def at(self, moment: dt.timedelta) -> None:
        self.now = self.pki.now + moment
        self.monkeypatch.setattr(operations, "_now", lambda: self.now)

    def refresh(self, *, always: bool = False) -> list[tuple[str, str, str]]:
        found = refresh.refresh(self.target, now=self.now, always=always)
        return [(outcome.part, outcome.result, outcome.detail) for outcome in found]

    def publish_response(self, response: bytes, leaf: Any = None) -> str:
        """At the path where a static web server has it; the path as the client has to ask for it."""
        leaf = leaf or self.leaf
        builder = ocsp.OCSPRequestBuilder()
        question = builder.add_certificate(leaf.certificate, self.pki.issuing.certificate, hashes.SHA1()).build()
        text = base64.b64encode(question.public_bytes(serialization.Encoding.DER)).decode()
        self.web.serve("/ocsp/" + "/".join(part for part in text.split("/") if part), response)
        return text

    def current(self, name: str) -> bytes | None:
        return self.target.read(self.target.current_version()).get(name)

    def remembered(self, part: str) -> dict[str, Any]:
        found: dict[str, Any] = refresh.remembered(self.target)[part]
        return found


@pytest.fixture(name="host")
def fixture_host(tmp_path: Path, pki: Any, web: Any, monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(tmp_path, pki, web, monkeypatch)


def show(moment: dt.datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def der(pem: bytes) -> bytes:
    return x509.load_pem_x509_crl(pem).public_bytes(serialization.Encoding.DER)


def test_a_response_is_fetched_by_get_from_static_files(host: Host) -> None:
    host.declare(ocsp=True)
    host.install(ocsp=b"")
    response = host.pki.ocsp(host.leaf)
    host.publish_response(response)
    assert host.refresh() == [("ocsp", "installed", f"until {show(host.pki.now + DAY)}")]
    assert host.current(lineage.OCSP) == response
    assert [method for method, *_ in host.web.asked] == ["GET"]
    # RFC 9919, section 5: whoever is in between must not take a slash of the Base64 for one of the path.
    assert set(host.web.asked[0][1].removeprefix("/ocsp/")).isdisjoint("/+=")


def test_a_certificate_comes_with_a_response_at_once(host: Host) -> None:
    host.declare(ocsp=True)
    response = host.pki.ocsp(host.leaf)
    host.publish_response(response)
    assert host.install().notes == []
    assert host.current(lineage.OCSP) == response


def test_a_certificate_is_installed_without_when_none_comes_and_that_is_said(host: Host) -> None:
    host.declare(ocsp=True)
    (note,) = host.install().notes
    assert note.startswith(f"mqtt: installed without a stapled response: GET {host.web.url}/ocsp/")
    assert "answers 404 Not Found; POST" in note
    assert host.current(lineage.OCSP) is None


def test_nothing_is_asked_before_half_of_the_validity_is_over(host: Host) -> None:
    host.declare(ocsp=True)
    host.install(ocsp=host.pki.ocsp(host.leaf))
    assert host.refresh() == [("ocsp", "not due", f"until {show(host.pki.now + DAY)}")]
    assert host.web.asked == []


def test_a_newer_response_replaces_one_that_is_due(host: Host) -> None:
    host.declare(ocsp=True)
    host.install(ocsp=host.pki.ocsp(host.leaf))
    host.at(OLD)
    newer = host.pki.ocsp(host.leaf, start=-HOUR, end=2 * DAY)
    host.publish_response(newer)
    assert host.refresh() == [("ocsp", "installed", f"until {show(host.pki.now + 2 * DAY)}")]
    assert host.current(lineage.OCSP) == newer


def test_the_same_response_changes_nothing_and_is_a_failure_only_near_its_end(host: Host) -> None:
    host.declare(ocsp=True)
    response = host.pki.ocsp(host.leaf)
    host.install(ocsp=response)
    version = host.target.current_version()
    host.publish_response(response)
    host.at(OLD)
    assert host.refresh() == [("ocsp", "unchanged", f"until {show(host.pki.now + DAY)}")]
    host.at(LATE)
    assert host.refresh() == [
        ("ocsp", "failed", f"nothing newer came than the response that expires at {show(host.pki.now + DAY)}")
    ]
    assert host.target.current_version() == version


def test_a_server_that_is_down_leaves_the_last_good_response_and_is_reported(host: Host) -> None:
    host.declare(ocsp=True)
    response = host.pki.ocsp(host.leaf)
    host.publish_response(host.pki.ocsp(host.leaf, start=-HOUR))
    host.install(ocsp=response)
    host.at(OLD)
    assert host.refresh()[0][1] == "installed"
    success = show(host.now)
    kept = host.current(lineage.OCSP)
    host.web.close()
    host.at(LATE)
    ((_, result, detail),) = host.refresh()
    assert result == "failed"
    assert detail.count("[Errno 111] Connection refused") == 2
    assert host.current(lineage.OCSP) == kept
    remembered = host.remembered("ocsp")
    assert (remembered["last_attempt"], remembered["last_success"]) == (show(host.now), success)
    assert remembered["detail"] == detail


@pytest.mark.parametrize("kind", ["stale", "foreign", "forged", "a-web-page"])
def test_a_response_that_must_not_be_stapled_is_not_installed(host: Host, kind: str) -> None:
    host.declare(ocsp=True)
    response = host.pki.ocsp(host.leaf)
    host.install(ocsp=response)
    host.at(OLD)
    host.publish_response(
        {
            "stale": lambda: host.pki.ocsp(host.leaf, end=-HOUR),
            "foreign": lambda: host.pki.ocsp(host.certify()),
            "forged": lambda: type(host.pki)().ocsp(host.leaf),
            "a-web-page": lambda: b"<html>",
        }[kind]()
    )
    ((_, result, detail),) = host.refresh()
    assert result == "failed"
    assert {
        "stale": f"it expired at {show(host.pki.now - HOUR)}",
        "foreign": "it is not for this certificate",
        "forged": "its signature does not verify (signer certificate not found)",
        "a-web-page": "it is not an OCSP response",
    }[kind] in detail
    assert host.current(lineage.OCSP) == response


def test_a_revoked_certificate_loses_its_response_and_gets_no_other(host: Host) -> None:
    host.declare(ocsp=True)
    host.install(ocsp=host.pki.ocsp(host.leaf))
    host.at(OLD)
    host.publish_response(host.pki.ocsp(host.leaf, status="revoked"))
    place = f"{host.web.url}/ocsp: says that the certificate is revoked"
    removed = f"{place}; the stapled response was removed, issue a new certificate"
    assert host.refresh() == [("ocsp", "failed", removed)]
    assert host.current(lineage.OCSP) is None
    assert host.refresh() == [("ocsp", "failed", f"{place}; issue a new certificate")]


def test_a_service_that_cannot_do_without_the_response_is_named_with_the_revocation(host: Host) -> None:
    host.declare(ocsp=True)
    host.install(ocsp=host.pki.ocsp(host.leaf))
    host.at(OLD)
    host.publish_response(host.pki.ocsp(host.leaf, status="revoked"))

    def refuse(*_arguments: Any, **_options: Any) -> None:
        raise CheckError("edge.service: the candidate was refused: no response")

    host.monkeypatch.setattr(operations, "_judge", refuse)
    ((_, result, detail),) = host.refresh()
    assert result == "failed"
    assert detail == (
        f"{host.web.url}/ocsp: says that the certificate is revoked; issue a new certificate, for the stapled response"
        " could not be removed: edge.service: the candidate was refused: no response"
    )
    assert host.current(lineage.OCSP) is not None


def test_a_real_responder_that_takes_post_only_is_asked_by_post(host: Host, tmp_path: Path) -> None:
    host.declare(ocsp=True)
    host.at(dt.timedelta(seconds=2))
    host.install(ocsp=b"")
    host.web.programs["/ocsp"] = openssl_responder(host, tmp_path)
    assert host.refresh()[0][1] == "installed"
    assert [(method, kind) for method, _path, kind, _body in host.web.asked] == [
        ("GET", ""),
        ("POST", "application/ocsp-request"),
    ]
    said = ocsp.load_der_ocsp_response(host.current(lineage.OCSP) or b"")
    assert said.serial_number == host.leaf.certificate.serial_number


def openssl_responder(host: Host, tmp_path: Path) -> Callable[[bytes], bytes]:
    """OpenSSL's responder for the certificates of the issuing CA, which signs itself."""
    end = host.leaf.certificate.not_valid_after_utc
    index = f"V\t{end:%y%m%d%H%M%SZ}\t\t{host.leaf.serial}\tunknown\t/CN={NAME}\n".encode()
    for name, content in (("index", index), ("ca", host.pki.issuing.pem), ("key", host.pki.issuing.key)):
        (tmp_path / name).write_bytes(content)
    command = ["openssl", "ocsp", "-index", "index", "-CA", "ca", "-rsigner", "ca", "-rkey", "key", "-nmin", "60"]

    def respond(question: bytes) -> bytes:
        (tmp_path / "question").write_bytes(question)
        files = ["-reqin", "question", "-respout", "answer"]
        subprocess.run([*command, *files], cwd=tmp_path, check=True, capture_output=True)
        return (tmp_path / "answer").read_bytes()

    return respond


def test_a_certificate_without_addresses_has_nothing_to_refresh(host: Host, tmp_path: Path) -> None:
    host.declare(ocsp=True, crl=True)
    host.leaf = host.pki.server(NAME, start=-9 * DAY)
    host.key.write_bytes(host.leaf.key)
    assert host.refresh() == [
        ("ocsp", "not applicable", "there is no certificate yet"),
        ("crl", "not applicable", "there is no certificate yet"),
    ]
    host.install()
    assert host.refresh() == [
        ("ocsp", "not applicable", "the certificate names no OCSP responder, and refresh.ocsp_url is not set"),
        ("crl", "not applicable", "the certificate names no revocation list, and refresh.crl_urls is not set"),
    ]


@pytest.mark.parametrize("form", ["der", "pem"])
def test_a_list_is_fetched_from_where_the_certificate_says(host: Host, form: str) -> None:
    host.declare(crl=True)
    host.install()
    pem = host.pki.crl()
    host.web.serve("/list.crl", pem if form == "pem" else der(pem))
    assert host.refresh() == [("crl", "installed", f"until {show(host.pki.now + DAY)}")]
    assert host.current(lineage.CRL) == pem


def test_a_revocation_is_installed_at_once_and_a_list_that_says_the_same_is_not(host: Host) -> None:
    host.declare(crl=True)
    host.install(crl=host.pki.crl())
    version = host.target.current_version()
    host.web.serve("/list.crl", host.pki.crl(start=-1 * DAY, end=3 * DAY))
    host.at(-HOUR * 20)
    assert host.refresh() == [("crl", "unchanged", f"until {show(host.pki.now + DAY)}")]
    assert host.target.current_version() == version
    revoked = host.pki.crl(start=-1 * DAY, end=3 * DAY, revoked=[host.pki.client("stolen")])
    host.web.serve("/list.crl", revoked)
    assert host.refresh() == [("crl", "installed", f"until {show(host.pki.now + 3 * DAY)}")]
    assert host.current(lineage.CRL) == revoked


def test_a_list_that_is_due_is_replaced_by_one_that_says_the_same(host: Host) -> None:
    host.declare(crl=True)
    host.install(crl=host.pki.crl())
    host.at(OLD)
    newer = host.pki.crl(start=-1 * DAY, end=3 * DAY)
    host.web.serve("/list.crl", newer)
    assert host.refresh()[0][1] == "installed"
    assert host.current(lineage.CRL) == newer


def test_a_list_that_did_not_change_is_not_sent_again(host: Host) -> None:
    host.declare(crl=True)
    host.install()
    host.web.serve("/list.crl", host.pki.crl(), etag='"1"')
    results = [host.refresh()[0][1] for _ in range(2)]
    assert results == ["installed", "unchanged"]
    assert host.remembered("crl")["validators"] == {f"{host.web.url}/list.crl": {"ETag": '"1"'}}
    # What is installed is another by now: the server has to send its own again.
    host.install(crl=b"")
    assert host.refresh()[0][1] == "installed"


def test_an_older_list_does_not_undo_a_revocation(host: Host) -> None:
    host.declare(crl=True)
    revoked = host.pki.crl(start=-1.5 * DAY, revoked=[host.pki.client("stolen")])
    host.install(crl=revoked)
    host.web.serve("/list.crl", host.pki.crl())
    ((_, result, detail),) = host.refresh()
    assert result == "failed"
    assert detail == (
        f"{host.web.url}/list.crl: the list of CN=Issuing is of {show(host.pki.now - 2 * DAY)},"
        f" older than the one here; until {show(host.pki.now + DAY)}"
    )
    assert host.current(lineage.CRL) == revoked


@pytest.mark.parametrize("kind", ["stale", "foreign", "empty", "a-web-page"])
def test_a_list_that_would_lock_out_clients_is_not_installed(host: Host, kind: str) -> None:
    host.declare(crl=True)
    kept = host.pki.crl()
    host.install(crl=kept)
    content, reason = {
        "stale": lambda: (host.pki.crl(end=YOUNG - HOUR), f"expired at {show(host.now - HOUR)}; publish it again"),
        "foreign": lambda: (type(host.pki)().crl(), "is not signed by a CA in mqtt/ca.pem; publish it again"),
        "empty": lambda: (b"", "is not a revocation list that OpenSSL reads"),
        "a-web-page": lambda: (b"<html>", "is not a revocation list that OpenSSL reads"),
    }[kind]()  # fmt: skip
    host.web.serve("/list.crl", content)
    ((_, result, detail),) = host.refresh()
    assert result == "failed"
    assert detail.startswith(f"{host.web.url}/list.crl: ")
    assert reason in detail
    assert host.current(lineage.CRL) == kept


def test_one_list_for_each_issuer_and_one_server_that_is_down_does_not_keep_the_other_out(host: Host) -> None:
    down, up = f"{host.web.url}/nothing", f"{host.web.url}/list.crl"
    host.declare(crl=True, crl_urls=[down, up])
    root = host.pki.crl(issuer=host.pki.root)
    host.install(crl=root)
    issuing = host.pki.crl()
    host.web.serve("/list.crl", der(issuing))
    ((_, result, detail),) = host.refresh()
    assert (result, detail) == ("failed", f"{down}: answers 404 Not Found; until {show(host.pki.now + DAY)}")
    assert host.current(lineage.CRL) == root + issuing


def test_several_lists_at_one_place_are_judged_one_by_one(host: Host) -> None:
    host.declare(crl=True)
    host.install()
    good = host.pki.crl() + host.pki.crl(issuer=host.pki.root)
    host.web.serve("/list.crl", type(host.pki)().crl() + good)
    ((_, result, detail),) = host.refresh()
    assert result == "failed"
    assert "is not signed by a CA in mqtt/ca.pem; publish it again; until" in detail
    assert host.current(lineage.CRL) == good


def test_a_list_that_expired_makes_room_for_a_fresh_one_of_another_ca(host: Host) -> None:
    host.declare(crl=True)
    host.install(crl=host.pki.crl(issuer=host.pki.root, end=YOUNG + HOUR))
    fresh = host.pki.crl()
    host.web.serve("/list.crl", fresh)
    host.at(YOUNG + 2 * HOUR)
    ((_, result, detail),) = host.refresh()
    assert (result, detail.partition(";")[0]) == (
        "failed",
        f"nothing newer came than the list of CN=Root that expired at {show(host.pki.now + YOUNG + HOUR)}",
    )
    assert host.current(lineage.CRL) == fresh


def test_what_was_changed_meanwhile_is_not_overwritten(host: Host) -> None:
    host.declare(crl=True)
    host.install()
    with pytest.raises(StoreError) as refused:
        operations.install(
            host.target,
            operations.Material(crl=host.pki.crl()),
            declaration=host.target.declaration(),
            expected="another",
        )
    assert str(refused.value) == (
        f"{host.target.current}: was changed by another run in the meantime; the next run looks again"
    )


def test_the_hosts_of_a_fleet_do_not_come_all_at_once() -> None:
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    moments = {published.due(start, start + 10 * DAY, who=f"mqtt{number}/mqtt") for number in range(50)}
    assert len(moments) == 50
    assert min(moments) >= start + 4.5 * DAY
    assert max(moments) <= start + 5.5 * DAY


def test_rolling_back_keeps_the_list_and_drops_a_stale_response(host: Host) -> None:
    host.declare(ocsp=True)
    first = host.leaf
    host.install(ocsp=host.pki.ocsp(first, end=YOUNG + HOUR))
    host.leaf = host.certify()
    host.key.write_bytes(host.leaf.key)
    newest = host.pki.crl(revoked=[host.pki.client("stolen")])
    host.install(ocsp=host.pki.ocsp(host.leaf), crl=newest)
    host.at(OLD)
    operations.roll_back(host.target)
    assert host.current(lineage.CERTIFICATE) == first.pem
    assert host.current(lineage.CRL) == newest
    assert host.current(lineage.OCSP) is None


def test_a_declaration_that_is_not_understood_is_named(host: Host) -> None:
    host.declare(oscp=True)
    with pytest.raises(
        StoreError, match=r"lineage\.json: refresh is not understood \(.*'oscp'\); run the role tls_store$"
    ):
        host.target.declaration()


def test_a_declaration_with_a_word_for_a_truth_value_is_refused(host: Host) -> None:
    host.declare(ocsp="no")
    with pytest.raises(StoreError) as refused:
        host.target.declaration()
    assert str(refused.value) == f"{host.target.path}/lineage.json: refresh.ocsp is 'no', it must be true or false"


def test_the_tool_refreshes_shows_and_exits_with_one_on_a_failure(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    state = operations.state_of(host.target.store)
    monkeypatch.setattr(refresh, "DIRECTORY", str(tmp_path / "refresh"))
    monkeypatch.setattr(lineage, "STORE", host.target.store)
    monkeypatch.setattr(operations, "HOST_STATE", state)
    monkeypatch.setattr(operations.descriptor, "DIRECTORY", str(tmp_path / "services.d"))
    host.declare(crl=True, ocsp=True)
    host.install(ocsp=b"")
    assert cli.main(["status"]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == [
        "  refresh of crl: not yet, the timer has not come yet",
        "  refresh of ocsp: not yet, the timer has not come yet",
    ]
    host.web.serve("/list.crl", host.pki.crl())
    assert cli.main(["refresh"]) == 1
    said = capsys.readouterr()
    assert said.out == f"mqtt: crl: installed, until {show(host.pki.now + DAY)}\n"
    assert said.err.startswith(f"bulwark-tls: mqtt: ocsp: failed, GET {host.web.url}/ocsp/")
    host.publish_response(host.pki.ocsp(host.leaf))
    assert cli.main(["refresh", "--now", "mqtt"]) == 0
    capsys.readouterr()
    assert cli.main(["status", "--json"]) == 0
    (status,) = json.loads(capsys.readouterr().out)
    end = show(host.pki.now + DAY)
    assert status["crl"] == [{"issuer": "CN=Issuing", "next_update": end}]
    assert status["ocsp"] == {"next_update": end, "problem": ""}
    assert {part: known["result"] for part, known in status["refresh"].items()} == {
        "crl": "unchanged",
        "ocsp": "installed",
    }
    assert cli.main(["status"]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == [
        f"  crl of CN=Issuing: until {end}",
        f"  ocsp: good until {end}",
        f"  refresh of crl: unchanged, until {end}",
        f"  refresh of ocsp: installed, until {end}",
    ]
    host.declare()
    assert cli.main(["refresh", "mqtt"]) == 0
    assert capsys.readouterr().out == "mqtt: not applicable, its declaration has nothing to refresh\n"


def test_monitors_can_read_what_became_of_it_whatever_the_umask(host: Host) -> None:
    host.declare(crl=True)
    host.install()
    before = os.umask(0o077)
    try:
        host.refresh()
    finally:
        os.umask(before)
    directory = Path(host.target.store, ".state", "refresh")
    assert (directory.stat().st_mode & 0o777, (directory / "mqtt.json").stat().st_mode & 0o777) == (0o755, 0o644)


def test_two_refreshes_do_not_work_at_the_same_time(host: Host) -> None:
    host.declare(crl=True)
    host.install()
    directory = os.path.join(host.target.store, ".state", "refresh")
    with refresh._alone(host.target), pytest.raises(StoreError) as refused:
        host.refresh()
    assert str(refused.value) == f"{directory}: another refresh is at work; let it end"


def test_a_foreign_scheme_is_never_asked(host: Host) -> None:
    host.declare(crl=True, crl_urls=["https://ca.example/list.crl"])
    host.install()
    ((_, result, detail),) = host.refresh()
    assert result == "failed"
    assert detail == (
        "https://ca.example/list.crl: only http:// is fetched; what comes is signed, so give an address without TLS;"
        " there is no list"
    )
