# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bulwark.mqtt.plugins.module_utils._host import files, lineage
from ansible_collections.bulwark.mqtt.plugins.module_utils._host.errors import CheckError, StoreError

SERVER = lineage.Declaration(purpose="server", names=("broker.example", "192.0.2.10"), group="")
NAMES = ("broker.example", "192.0.2.10")
HOUR = dt.timedelta(hours=1)


def target(tmp_path: Path) -> lineage.Lineage:
    return lineage.Lineage(str(tmp_path), "mqtt")


def assembled(tmp_path: Path, pki: Any, leaf: Any, **given: bytes) -> dict[str, bytes]:
    key = tmp_path / f"{leaf.certificate.serial_number}.key"
    key.write_bytes(leaf.key)
    material = {"certificate": leaf.pem, "chain": pki.issuing.pem, "ca": pki.ca, **given}
    return lineage.assemble(target(tmp_path), keys=[str(key)], **material)


def check(tmp_path: Path, pki: Any, version: dict[str, bytes], declaration: lineage.Declaration = SERVER) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    lineage.check(target(tmp_path), version, declaration=declaration, scratch=str(scratch), now=pki.now)


def put_in_place(of: lineage.Lineage, version: dict[str, bytes]) -> None:
    for change in lineage.changes(of, version, group=""):
        files.put(change.path, change.entry)


def test_material_that_is_right_in_every_respect_passes(tmp_path: Path, pki: Any) -> None:
    leaf = pki.server(*NAMES)
    crl = pki.crl() + pki.crl(issuer=pki.root)
    check(tmp_path, pki, assembled(tmp_path, pki, leaf, crl=crl, ocsp=pki.ocsp(leaf)))


def test_an_expired_certificate_is_refused(tmp_path: Path, pki: Any) -> None:
    leaf = pki.server(*NAMES, end=-pki.now.resolution * 3600000000)
    with pytest.raises(
        CheckError, match=r"^mqtt/cert\.pem: expired at \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ; issue a new certificate$"
    ):
        check(tmp_path, pki, assembled(tmp_path, pki, leaf))


def test_a_certificate_of_tomorrow_is_refused(tmp_path: Path, pki: Any) -> None:
    leaf = pki.server(*NAMES, start=pki.now.resolution * 86400000000)
    with pytest.raises(CheckError, match=r"^mqtt/cert\.pem: is not valid before .*Z; set this host's clock, or wait$"):
        check(tmp_path, pki, assembled(tmp_path, pki, leaf))


def test_a_certificate_without_a_declared_name_is_refused(tmp_path: Path, pki: Any) -> None:
    with pytest.raises(CheckError) as refused:
        check(tmp_path, pki, assembled(tmp_path, pki, pki.server("other.example", "*.example")))
    assert str(refused.value) == (
        "mqtt/cert.pem: does not cover 192.0.2.10 (it is for other.example, *.example);"
        " issue it for the names of the lineage, or correct tls_store_lineages"
    )


def test_a_client_certificate_is_refused_for_a_server(tmp_path: Path, pki: Any) -> None:
    with pytest.raises(CheckError) as refused:
        check(tmp_path, pki, assembled(tmp_path, pki, pki.client("broker.example")))
    assert str(refused.value) == (
        "mqtt/cert.pem: its extended key usage is TLS Web Client Authentication, a server needs"
        " TLS Web Server Authentication; issue it with the server profile"
    )


def test_a_certificate_of_another_ca_is_refused(tmp_path: Path, pki: Any) -> None:
    other = type(pki)()
    leaf = pki.server(*NAMES)
    with pytest.raises(
        CheckError, match=r"^mqtt/cert\.pem: does not verify to mqtt/ca\.pem: .*; give the chain and CA"
    ):
        check(tmp_path, pki, assembled(tmp_path, pki, leaf, ca=other.ca))


def test_a_key_of_another_certificate_is_refused(tmp_path: Path, pki: Any) -> None:
    leaf, foreign = pki.server(*NAMES), tmp_path / "foreign.key"
    foreign.write_bytes(pki.server(*NAMES).key)
    with pytest.raises(CheckError) as refused:
        lineage.assemble(target(tmp_path), certificate=leaf.pem, chain=pki.issuing.pem, ca=pki.ca, keys=[str(foreign)])
    assert str(refused.value) == (
        f"{foreign}: does not match mqtt/cert.pem (serial {leaf.serial}); request a certificate for this key"
    )


def test_a_key_that_does_not_parse_is_refused(tmp_path: Path, pki: Any) -> None:
    (tmp_path / "broken.key").write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    with pytest.raises(
        CheckError, match=r"broken\.key: is not a private key without a passphrase that OpenSSL reads \(.*\)$"
    ):
        lineage.assemble(
            target(tmp_path),
            certificate=pki.server(*NAMES).pem,
            chain=pki.issuing.pem,
            ca=pki.ca,
            keys=[str(tmp_path / "broken.key")],
        )


def test_a_missing_key_is_refused(tmp_path: Path, pki: Any) -> None:
    with pytest.raises(
        CheckError, match=r"^mqtt/privkey\.pem: there is no key on this host; run bulwark\.mqtt\.pki_request"
    ):
        lineage.assemble(
            target(tmp_path),
            certificate=pki.server(*NAMES).pem,
            chain=pki.issuing.pem,
            ca=pki.ca,
            keys=["/nonexistent"],
        )


def test_of_two_keys_the_one_of_the_certificate_is_taken(tmp_path: Path, pki: Any) -> None:
    leaf = pki.server(*NAMES)
    paths = []
    for name, key in (("pending", pki.server(*NAMES).key), ("current", leaf.key)):
        (tmp_path / name).write_bytes(key)
        paths.append(str(tmp_path / name))
    version = lineage.assemble(target(tmp_path), certificate=leaf.pem, chain=pki.issuing.pem, ca=pki.ca, keys=paths)
    assert version[lineage.KEY] == leaf.key


def test_a_chain_in_the_wrong_order_with_roots_and_strangers_is_repaired(tmp_path: Path, pki: Any) -> None:
    second = pki.sign("Second", issuer=pki.issuing, authority=True)
    leaf = pki.sign("leaf", issuer=second, names=NAMES)
    stranger = type(pki)().root
    given = pki.root.pem + stranger.pem + pki.issuing.pem + second.pem
    version = assembled(tmp_path, pki, leaf, chain=given)
    assert version[lineage.CHAIN] == second.pem + pki.issuing.pem
    assert version[lineage.FULLCHAIN] == leaf.pem + second.pem + pki.issuing.pem


def test_a_public_certificate_verifies_to_its_roots_and_not_to_the_ca_of_the_peers(tmp_path: Path, pki: Any) -> None:
    public = type(pki)()
    others = type(pki)().sign("Another Root", authority=True).pem
    leaf = public.server(*NAMES)
    version = assembled(tmp_path, pki, leaf, chain=public.issuing.pem, roots=others + public.root.pem)
    assert (version[lineage.ROOTS], version[lineage.CA]) == (public.root.pem, pki.ca)
    check(tmp_path, pki, version)


def test_without_roots_a_public_certificate_is_refused(tmp_path: Path, pki: Any) -> None:
    public = type(pki)()
    version = assembled(tmp_path, pki, public.server(*NAMES), chain=public.issuing.pem)
    with pytest.raises(CheckError, match=r"^mqtt/cert\.pem: does not verify to mqtt/ca\.pem: "):
        check(tmp_path, pki, version)


def test_a_public_certificate_needs_no_ca_of_peers(tmp_path: Path, pki: Any) -> None:
    version = assembled(tmp_path, pki, pki.server(*NAMES), ca=b"", roots=pki.root.pem)
    assert version[lineage.CA] == b""
    check(tmp_path, pki, version)


def test_roots_of_other_cas_are_refused(tmp_path: Path, pki: Any) -> None:
    others = type(pki)().sign("Another Root", authority=True).pem
    with pytest.raises(CheckError) as refused:
        assembled(tmp_path, pki, pki.server(*NAMES), chain=pki.ca, roots=others)
    assert str(refused.value) == (
        "mqtt/roots.pem: holds no certificate of CN=Root, which issued CN=Issuing; add the root of that CA"
    )


def test_a_missing_intermediate_is_named(tmp_path: Path, pki: Any) -> None:
    leaf = pki.server(*NAMES)
    with pytest.raises(CheckError) as refused:
        assembled(tmp_path, pki, leaf, chain=b"", ca=pki.root.pem)
    assert str(refused.value) == (
        "mqtt/chain.pem: the intermediate certificate CN=Issuing, issuer of CN=broker.example, is missing;"
        " add it to the chain, or to mqtt/ca.pem if it is a root"
    )


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        pytest.param("stale", r"the list of CN=Issuing expired at .*Z; publish it again", id="next-update-in-the-past"),
        pytest.param(
            "forged", r"the list of CN=Issuing is not signed by a CA in mqtt/ca\.pem; publish it again", id="forged"
        ),
        pytest.param("empty", r"holds no revocation list; give it as PEM", id="no-list"),
    ],
)
def test_a_revocation_list_that_would_lock_out_clients_is_refused(
    tmp_path: Path, pki: Any, kind: str, reason: str
) -> None:
    crl = {
        "stale": lambda: pki.crl(end=-pki.now.resolution * 3600000000),
        "forged": lambda: pki.crl(signer=type(pki)().issuing),
        "empty": lambda: b"nothing\n",
    }[kind]()
    with pytest.raises(CheckError, match=rf"^mqtt/crl\.pem: {reason}$"):
        check(tmp_path, pki, assembled(tmp_path, pki, pki.server(*NAMES), crl=crl))


def test_a_response_of_a_delegated_signer_is_stapled(tmp_path: Path, pki: Any) -> None:
    leaf = pki.server(*NAMES)
    check(tmp_path, pki, assembled(tmp_path, pki, leaf, ocsp=pki.ocsp(leaf, signer=pki.ocsp_signer())))


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        pytest.param(lambda pki, leaf: pki.ocsp(leaf, status="revoked"), "it says revoked", id="revoked"),
        pytest.param(lambda pki, leaf: pki.ocsp(leaf, status="unknown"), "it says unknown", id="unknown"),
        pytest.param(lambda pki, leaf: pki.ocsp(leaf, end=-HOUR), "it expired at {past}", id="stale"),
        pytest.param(
            lambda pki, leaf: pki.ocsp(leaf, end=None),
            "it has no nextUpdate, so nobody knows until when it holds",
            id="without-an-end",
        ),
        pytest.param(
            lambda pki, leaf: pki.ocsp(leaf, start=HOUR, end=2 * HOUR),
            "it is not valid before {future}, check this host's clock",
            id="of-tomorrow",
        ),
        pytest.param(
            lambda pki, leaf: pki.ocsp(pki.server(*NAMES)),
            "it is not for this certificate",
            id="of-another-certificate",
        ),
        pytest.param(
            lambda pki, leaf: type(pki)().ocsp(leaf),
            "its signature does not verify (signer certificate not found)",
            id="of-another-ca",
        ),
        pytest.param(
            lambda pki, leaf: pki.ocsp(leaf, signer=pki.ocsp_signer(usage=None)),
            "its signature does not verify (missing ocspsigning usage)",
            id="signer-that-may-not",
        ),
        pytest.param(
            lambda pki, leaf: pki.ocsp(leaf, signer=pki.ocsp_signer(end=-HOUR)),
            "its signature does not verify (certificate has expired)",
            id="signer-that-expired",
        ),
        pytest.param(
            lambda pki, leaf: pki.ocsp(leaf)[:-8] + b"tampered",
            "its signature does not verify ({words})",
            id="tampered",
        ),
        pytest.param(lambda pki, leaf: b"\x30\x03\x0a\x01\x03", "the responder answered trylater", id="try-later"),
        pytest.param(lambda pki, leaf: b"<html>", "it is not an OCSP response", id="a-web-page"),
    ],
)
def test_a_response_that_must_not_be_stapled_is_refused(
    tmp_path: Path, pki: Any, make: Callable[[Any, Any], bytes], reason: str
) -> None:
    leaf = pki.server(*NAMES)
    with pytest.raises(CheckError) as refused:
        check(tmp_path, pki, assembled(tmp_path, pki, leaf, ocsp=make(pki, leaf)))
    said = str(refused.value)
    # What OpenSSL says of a broken signature depends on the bytes that broke.
    words = said.partition("(")[2].partition(")")[0]
    times = {name: (pki.now + by).strftime("%Y-%m-%dT%H:%M:%SZ") for name, by in (("past", -HOUR), ("future", HOUR))}
    expected = reason.format(words=words, **times)
    assert said == f"mqtt/ocsp.der: cannot be stapled: {expected}; get a new one from the CA"


def test_a_version_in_place_needs_no_changes_and_a_wrong_mode_only_its_own(tmp_path: Path, pki: Any) -> None:
    of = target(tmp_path)
    version = assembled(tmp_path, pki, pki.server(*NAMES))
    put_in_place(of, version)
    assert lineage.changes(of, version, group="") == []
    key = Path(of.current, lineage.KEY).resolve()
    key.chmod(0o644)
    assert [change.path for change in lineage.changes(of, version, group="")] == [str(key)]


def test_the_pending_key_goes_when_its_certificate_comes(tmp_path: Path, pki: Any) -> None:
    of, leaf = target(tmp_path), pki.server(*NAMES)
    pending = Path(of.pending_key)
    pending.parent.mkdir(parents=True)
    pending.write_bytes(leaf.key)
    put_in_place(of, lineage.assemble(of, certificate=leaf.pem, chain=pki.issuing.pem, ca=pki.ca, keys=[str(pending)]))
    assert not pending.exists()
    assert Path(of.current, lineage.KEY).read_bytes() == leaf.key


def versions(tmp_path: Path, ids: Sequence[str], current: str) -> lineage.Lineage:
    of = target(tmp_path)
    for number, name in enumerate(ids):
        os.makedirs(of.version_path(name))
        os.utime(of.version_path(name), (number, number))
    os.symlink(f"versions/{current}", of.current)
    return of


@pytest.mark.parametrize(
    ("current", "successor", "gone"),
    [
        pytest.param("4", "5", ["1", "2"], id="too-old"),
        pytest.param("3", "5", ["1", "4"], id="rolled-back-from"),
        pytest.param("3", "4", ["1"], id="forward-again"),
        pytest.param("4", "3", [], id="going-back"),
    ],
)
def test_the_current_and_two_versions_before_it_are_kept(
    tmp_path: Path, current: str, successor: str, gone: list[str]
) -> None:
    of = versions(tmp_path, ["1", "2", "3", "4"], current)
    assert lineage.superfluous(of, successor=successor) == [of.version_path(name) for name in gone]


def test_going_back_leads_to_the_version_before_and_ends_at_the_first(tmp_path: Path) -> None:
    of = versions(tmp_path, ["1", "2", "3"], "2")
    assert lineage.previous_version(of) == "1"
    os.remove(of.current)
    os.symlink("versions/1", of.current)
    with pytest.raises(StoreError, match=rf"^{of.path}: has no version before 1 to go back to$"):
        lineage.previous_version(of)


def test_a_lineage_without_a_purpose_names_the_file_and_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(StoreError) as refused:
        target(tmp_path).declaration()
    assert str(refused.value) == (
        f"{tmp_path}/mqtt/lineage.json: purpose is '', it must be server or client; declare it in tls_store_lineages"
    )


@pytest.mark.parametrize("name", ["..", ".", "a/b", "", "x" * 65])
def test_a_name_that_would_leave_the_store_is_refused(name: str) -> None:
    with pytest.raises(StoreError, match="is not a name; use letters, digits"):
        lineage.Lineage("/store", name)
