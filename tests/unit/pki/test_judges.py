# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""pkilint judges all that the PKI core signs, and Java where it is; zlint and GnuTLS do so in the scenario `pki`."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import shutil
from pathlib import Path

import pki_samples as samples
import pytest
from ansible_collections.bulwark.mqtt.plugins.module_utils._pki import (
    authority,
    build,
    certificates,
    issue,
    keys,
    names,
    publish,
    responses,
    revocation,
    rollover,
)
from pkilint.bin import lint_crl, lint_ocsp_response, lint_pkix_cert, lint_pkix_signer_signee_cert_chain

# Its programs leave files to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")

NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)
URL = "http://pki.example.com"
PROFILES = ("server", "client", "cluster_node")
KEY = keys.generate("ec-p256")

# Findings that are accepted: how they begin, and the reason.
ACCEPTED = {
    'ERROR pkix.invalid_uri_syntax: Invalid URI syntax: "urn:bulwark:': (
        "pkilint knows URLs only; a URN is a URI (RFC 8141), and it has no host that could be taken for a DNS name"
    ),
}


def lint(capsys, linter, *arguments, path):
    """What a linter of pkilint finds, from NOTICE on, as `where: severity code: message`."""
    linter.main(["lint", *arguments, "--severity", "NOTICE", "--format", "JSON", *map(str, path)])
    findings = [
        (result["node_path"], f"{finding['severity']} {finding['code']}: {finding.get('message', '')}")
        for result in json.loads(capsys.readouterr().out)["results"]
        for finding in result["finding_descriptions"]
    ]
    return [f"{where}: {finding}" for where, finding in findings if not finding.startswith(tuple(ACCEPTED))]


def make(folder: Path, key_type: str) -> Path:
    """A CA with keys of one type whose root was replaced, with a certificate of each profile, one of them revoked."""
    wanted = dataclasses.replace(
        samples.wanted(key_type=key_type),
        issuing=build.Spec(
            profile=samples.profiles.get("issuing"),
            common_name="Test Issuing CA",
            organization="Test",
            key_type=key_type,
            constraints=names.parse_constraints(["example.com"], ["192.0.2.0/24", "2001:db8::/32"]),
        ),
        publish_url=URL,
    )
    authority.create(folder / "pki", wanted, now=NOW)
    for phase in ("introduce", "reissue"):
        goal = rollover.Goal(of="root", phase=phase)
        rollover.advance(authority.load(folder / "pki"), goal, wanted, now=NOW)
    ca = authority.load(folder / "pki")
    requests = [
        samples.request(f"a/{profile}", profile=profile, names=("a.example.com", "192.0.2.1", "2001:db8::1"),
                        csr=samples.csr(keys.generate(key_type)))
        for profile in PROFILES
    ]  # fmt: skip
    requests.append(samples.request("a/device", profile="client", common_name="0815", names=()))
    policy = issue.Policy(lifetimes={}, urls=publish.urls(URL, ca))
    for result in samples.issue_at(ca, *requests, now=NOW, policy=policy):
        _write(folder, result.name.partition("/")[2], result.certificate)
    revoked = revocation.Target(common_name="a.example.com")
    revocation.revoke(ca, revoked, reason="key_compromise", now=NOW)
    for found in ca.cas:
        _write(folder, found.name, found.certificate)
        if found.cross:
            _write(folder, f"{found.name}.cross", found.cross)
    signer = responses.delegate(ca.issuing.unlock(samples.PASSPHRASE), lifetime=dt.timedelta(days=7), now=NOW)
    _write(folder, "ocsp_signer", signer.certificate)
    settings = publish.Settings(destination=folder / "www", crl_url=f"{URL}/crl")
    publish.publish(ca, settings, passphrase=samples.PASSPHRASE, root_passphrase=samples.ROOT_PASSPHRASE, now=NOW)
    return folder


def _write(folder, name, certificate):
    (folder / f"{name}.pem").write_text(certificates.to_pem(certificate))


@pytest.fixture(scope="module", name="made", params=keys.KEY_TYPES)
def fixture_made(request, tmp_path_factory):
    return make(tmp_path_factory.mktemp(request.param), request.param)


def test_pkilint_finds_nothing_in_any_certificate(made, capsys):
    found = {path.name: lint(capsys, lint_pkix_cert, path=[path]) for path in sorted(made.glob("*.pem"))}
    assert len(found) == 10
    assert {name: findings for name, findings in found.items() if findings} == {}


def test_pkilint_is_able_to_find_something(capsys, tmp_path):
    root = build.root(build.Spec(profile=samples.profiles.get("root"), common_name="Root"), KEY, now=NOW)
    spec = build.Spec(
        profile=dataclasses.replace(samples.profiles.get("server"), key_usage=("key_cert_sign",)), common_name="a_b"
    )
    signer = build.Signer(certificate=root, key=KEY)
    _write(tmp_path, "bad", build.certificate(spec, KEY.public_key(), signer, now=NOW))
    finding = "ERROR pkix.ee_certificate_keycertsign_keyusage_set: None"
    assert any(found.endswith(finding) for found in lint(capsys, lint_pkix_cert, path=[tmp_path / "bad.pem"]))


def test_pkilint_finds_nothing_between_a_certificate_and_its_issuer(made, capsys):
    pairs = [("issuing-2", leaf) for leaf in (*PROFILES, "device", "ocsp_signer")]
    pairs += [("root-2", "issuing-2"), ("root-1", "issuing-1"), ("root-1", "root-2.cross"), ("root-1", "root-1")]
    for issuer, subject in pairs:
        path = [made / f"{issuer}.pem", made / f"{subject}.pem"]
        assert lint(capsys, lint_pkix_signer_signee_cert_chain, path=path) == []


def test_pkilint_finds_nothing_in_any_revocation_list(made, capsys):
    lists = sorted((made / "www/crl").glob("*.crl"))
    assert [path.name for path in lists] == ["issuing-1.crl", "issuing-2.crl", "root-1.crl", "root-2.crl"]
    for path in lists:
        kind = "ARL" if path.name.startswith("root") else "CRL"
        for profile in ("PKIX", "BR"):
            assert lint(capsys, lint_crl, "--type", kind, "--profile", profile, path=[path]) == []


def test_pkilint_finds_nothing_in_any_ocsp_response(made, capsys):
    answers = sorted((made / "www/ocsp/issuing-2").glob("*.der"))
    assert len(answers) == 4
    for path in answers:
        assert lint(capsys, lint_ocsp_response, path=[path]) == []


@pytest.mark.skipif(not shutil.which("javac"), reason="there is no Java here")
def test_java_accepts_what_is_valid_and_refuses_the_revoked(made):
    root, issuing = made / "root-2.pem", made / "issuing-2.pem"
    lists = made / "www/crl/trusted.pem"
    server = certificates.from_pem((made / "server.pem").read_bytes(), where="server")
    response = made / f"www/ocsp/issuing-2/{certificates.serial_hex(server.serial_number)}.sha1.der"
    assert samples.java(
        ("crl", lists, root, made / "device.pem", issuing),
        # Who has the old root only.
        ("crl", lists, made / "root-1.pem", made / "device.pem", issuing, made / "root-2.cross.pem"),
        ("crl", lists, root, made / "server.pem", issuing),
        ("ocsp", response, root, made / "server.pem", issuing),
    ) == ["good", "good", "REVOKED", "REVOKED"]
