# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import contextlib
import dataclasses
import datetime as dt
import errno
import functools
import http.server
import os
import shutil
import subprocess
import threading
import urllib.parse
import urllib.request

import pki_samples as samples
import pytest
from ansible_collections.bulwark.mqtt.plugins.module_utils._pki import (
    authority,
    certificates,
    crl,
    issue,
    keys,
    publish,
    revocation,
)
from ansible_collections.bulwark.mqtt.plugins.module_utils._pki.errors import AuthorityError, LedgerError, PkiError
from ansible_collections.bulwark.mqtt.plugins.module_utils._pki.passphrase import Passphrase
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509 import ocsp

# OpenSSL judges by the clock of the machine.
NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)
URL = "http://pki.example.com"
DAY = dt.timedelta(days=1)
WRONG = Passphrase("not the passphrase", "passphrase")


@pytest.fixture(scope="session", name="template")
def fixture_template(tmp_path_factory):
    directory = tmp_path_factory.mktemp("published") / "pki"
    authority.create(directory, samples.wanted(), now=NOW)
    return directory


class Site:
    """A CA with a server and a client, and what it published."""

    def __init__(self, directory, tmp_path):
        self.directory = directory
        self.destination = tmp_path / "www"
        self.ca = authority.load(directory)
        requests = samples.request(), samples.request("b/mqtt", profile="client", common_name="b", names=())
        policy = issue.Policy(lifetimes={}, urls=publish.urls(URL, self.ca))
        results = samples.issue_at(self.ca, *requests, now=NOW, policy=policy)
        self.server, self.client = (result.certificate for result in results)
        self.bundle = tmp_path / "ca.pem"
        self.bundle.write_text(self.ca.bundle)

    def settings(self, **changes):
        return publish.Settings(**{"destination": self.destination, **changes})

    def publish(self, *, now=NOW, passphrase=samples.PASSPHRASE, **changes):
        return publish.publish(
            self.ca, self.settings(**changes), passphrase=passphrase, root_passphrase=samples.ROOT_PASSPHRASE, now=now
        )

    def revoke(self, certificate, *, reason="superseded", now=NOW):
        target = revocation.Target(serial=certificates.serial_hex(certificate.serial_number))
        revocation.revoke(self.ca, target, reason=reason, now=now)

    def response(self, algorithm="sha1", certificate=None):
        serial = certificates.serial_hex((certificate or self.server).serial_number)
        return self.destination / f"ocsp/issuing-1/{serial}.{algorithm}.der"

    @property
    def list(self):
        return self.destination / "crl/issuing-1.crl"

    @property
    def listed(self):
        return crl.read(self.list.read_bytes())


@pytest.fixture(name="site")
def fixture_site(directory, tmp_path):
    return Site(directory, tmp_path)


def openssl(*arguments, stdin=""):
    """What OpenSSL says, on both channels; asserted on by the caller."""
    command = ["openssl", *map(str, arguments)]
    result = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    return result.returncode, result.stdout + result.stderr


def verify(site, certificate):
    return openssl(
        "verify", "-x509_strict", "-crl_check", "-CAfile", site.bundle, "-CRLfile", f"{site.list}.pem",
        stdin=certificates.to_pem(certificate),
    )  # fmt: skip


def judge_response(site, path, tmp_path, *, algorithm="sha1"):
    (tmp_path / "server.pem").write_text(certificates.to_pem(site.server))
    (tmp_path / "issuer.pem").write_text(site.ca.chain)
    return openssl(
        "ocsp", "-issuer", tmp_path / "issuer.pem", f"-{algorithm}", "-cert", tmp_path / "server.pem",
        "-respin", path, "-CAfile", site.bundle, "-no_nonce",
    )  # fmt: skip


def files(directory):
    return {path.relative_to(directory): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_openssl_reads_the_list_and_finds_the_issuer_and_the_reason(site):
    site.revoke(site.client, reason="key_compromise")
    site.publish(crl_url=f"{URL}/crl")
    code, text = openssl("crl", "-in", site.list, "-inform", "DER", "-CAfile", site.bundle, "-noout", "-text")
    assert code == 0
    for expected in (
        "verify OK",
        "X509v3 CRL Number: \n                1",
        "Key Compromise",
        f"{URL}/crl/issuing-1.crl",
    ):
        assert expected in text
    assert certificates.key_id(site.ca.issuing.certificate) in text.replace(":", "").lower()


@pytest.mark.parametrize("url", ["", f"{URL}/crl"], ids=["for-all", "for-those-that-name-it"])
def test_openssl_refuses_the_revoked_and_only_that(site, url):
    site.publish(crl_url=url)
    assert verify(site, site.client) == (0, "stdin: OK\n")
    site.revoke(site.client)
    site.publish(crl_url=url)
    code, text = verify(site, site.client)
    assert code == 2
    assert "certificate revoked" in text
    assert verify(site, site.server) == (0, "stdin: OK\n")


def test_a_list_with_a_url_is_not_for_certificates_without(site):
    (other,) = samples.issue_at(site.ca, samples.request("c/mqtt"), now=NOW)
    site.publish()
    assert verify(site, other.certificate) == (0, "stdin: OK\n")
    site.publish(crl_url=f"{URL}/crl")
    code, text = verify(site, other.certificate)
    assert code == 2
    assert "different CRL scope" in text


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_openssl_believes_the_response_and_sees_the_revocation(site, tmp_path, algorithm):
    site.publish()
    code, text = judge_response(site, site.response(algorithm), tmp_path, algorithm=algorithm)
    assert (code, "Response verify OK" in text, f"{tmp_path}/server.pem: good" in text) == (0, True, True), text
    site.revoke(site.server, reason="key_compromise")
    site.publish()
    code, text = judge_response(site, site.response(algorithm), tmp_path, algorithm=algorithm)
    assert (code, "Response verify OK" in text, f"{tmp_path}/server.pem: revoked" in text) == (0, True, True), text
    assert "Reason: keyCompromise" in text


@pytest.mark.skipif(not shutil.which("javac"), reason="there is no Java here")
def test_java_believes_the_response(site, tmp_path):
    site.publish()
    paths = [tmp_path / f"{name}.pem" for name in ("root", "server", "issuing")]
    chain = [site.ca.root.certificate, site.server, site.ca.issuing.certificate]
    for path, certificate in zip(paths, chain, strict=True):
        path.write_text(certificates.to_pem(certificate))
    # It asks with SHA-1.
    assert samples.java(("ocsp", site.response(), *paths)) == ["good"]


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_a_static_web_server_answers_what_openssl_asks_by_get(site, tmp_path, algorithm):
    site.publish()
    (tmp_path / "server.pem").write_text(certificates.to_pem(site.server))
    (tmp_path / "issuer.pem").write_text(site.ca.chain)
    openssl(
        "ocsp", "-issuer", tmp_path / "issuer.pem", f"-{algorithm}", "-cert", tmp_path / "server.pem",
        "-no_nonce", "-reqout", tmp_path / "request.der",
    )  # fmt: skip
    asked = urllib.parse.quote(base64.b64encode((tmp_path / "request.der").read_bytes()).decode(), safe="")
    with serving(site.destination) as base, urllib.request.urlopen(f"{base}/ocsp/{asked}") as answer:
        assert answer.read() == site.response(algorithm).read_bytes()


@contextlib.contextmanager
def serving(directory):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=directory)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


def test_clients_name_the_list_and_servers_the_responses_too(site):
    assert certificates.access_urls(site.server) == {
        "ocsp": (f"{URL}/ocsp",),
        "ca_issuers": (f"{URL}/ca/issuing-1.crt",),
        "crl": (f"{URL}/crl/issuing-1.crl",),
    }
    assert certificates.access_urls(site.client)["ocsp"] == ()


def test_the_certificates_of_the_ca_are_published_in_der(site):
    site.publish()
    for name, ca in (("root-1", site.ca.root), ("issuing-1", site.ca.issuing)):
        published = x509.load_der_x509_certificate((site.destination / f"ca/{name}.crt").read_bytes())
        assert published == ca.certificate


def test_everybody_can_read_the_files_whatever_the_umask(site):
    before = os.umask(0o077)
    try:
        site.publish()
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o777 for path in site.destination.rglob("*") if path.is_file()} == {0o644}
    folders = [site.destination, *(path for path in site.destination.rglob("*") if path.is_dir())]
    assert {path.stat().st_mode & 0o777 for path in folders} == {0o755}


def test_nothing_is_signed_or_written_while_nothing_changed(site):
    first = site.publish()
    before = files(site.destination)
    assert first.changes[:2] == ("crl/root-1.crl: there is no list yet", "crl/issuing-1.crl: there is no list yet")
    again = site.publish(now=NOW + 2 * DAY, passphrase=WRONG)
    assert again.changes == ()
    assert (
        again.ocsp == first.ocsp == {certificates.serial_hex(site.server.serial_number): site.response().read_bytes()}
    )
    assert files(site.destination) == before


def test_all_is_signed_again_when_less_than_two_thirds_are_left(site):
    site.publish()
    later = site.publish(now=NOW + 3 * DAY)
    reason = f"less than two thirds of its validity are left: it expires at {NOW + 7 * DAY:%Y-%m-%dT%H:%M:%SZ}"
    assert later.changes == tuple(
        f"{path.relative_to(site.destination)}: {reason}"
        for path in (site.list, site.response("sha1"), site.response("sha256"))
    )
    assert site.listed.number == 2
    assert site.listed.next_update == NOW + 10 * DAY


def test_a_revocation_is_published_under_the_next_number(site):
    site.publish()
    site.revoke(site.client)
    assert site.publish().changes == ("crl/issuing-1.crl: revocations that it lacks: 1",)
    assert site.listed.number == 2
    site.revoke(site.client, reason="key_compromise")
    assert site.publish().changes == ("crl/issuing-1.crl: revocations that it lacks: 1",)
    assert [entry.reason for entry in site.listed.entries] == ["key_compromise"]


def test_a_revoked_server_is_in_list_and_response(site):
    site.publish()
    site.revoke(site.server)
    reason = "it says good, the ledger says revoked (superseded)"
    assert site.publish().changes == (
        "crl/issuing-1.crl: revocations that it lacks: 1",
        f"{site.response('sha1').relative_to(site.destination)}: {reason}",
        f"{site.response('sha256').relative_to(site.destination)}: {reason}",
    )


def test_a_revoked_certificate_has_nothing_to_staple(site):
    serial = certificates.serial_hex(site.server.serial_number)
    assert list(site.publish().ocsp) == [serial]
    site.revoke(site.server)
    for published in (publish.plan(site.ca, site.settings(), now=NOW), site.publish(), site.publish()):
        assert (published.ocsp, published.revoked) == ({}, {serial})


def test_an_entry_stays_on_one_list_after_the_certificate_expired(site):
    site.publish()
    site.revoke(site.server)
    site.publish()
    numbers = []
    for days in (89, 92, 95):
        site.publish(now=NOW + days * DAY)
        numbers.append(len(site.listed.entries))
    assert numbers == [1, 1, 0]


def test_responses_go_when_the_certificate_expired(site):
    site.publish()
    paths = [path for path in site.destination.glob("ocsp/**/*") if path.is_file()]
    assert len(paths) == 4
    foreign = site.destination / "ocsp/robots.txt"
    foreign.write_text("somebody else's")
    site.publish(now=NOW + 91 * DAY)
    assert [path for path in site.destination.glob("ocsp/**/*") if path.is_file()] == [foreign]


@pytest.mark.parametrize("damage", [None, b"", b"garbage"], ids=["removed", "emptied", "overwritten"])
def test_what_happened_to_the_files_is_put_right(site, damage):
    site.publish()
    before = files(site.destination)
    number = site.listed.number
    for path in (path for path in site.destination.rglob("*") if path.is_file()):
        path.unlink() if damage is None else path.write_bytes(damage)
    planned = publish.plan(site.ca, site.settings(), now=NOW)
    assert site.publish().changes == planned.changes
    assert site.listed.number == number
    assert files(site.destination).keys() == before.keys()
    assert site.publish().changes == ()


def asked_names(site):
    """What a client asks for by GET, beside the names to staple by."""
    return [path for path in site.destination.glob("ocsp/**/*") if path.is_file() and path.suffix != ".der"]


def test_both_names_of_a_response_are_of_one_file(site):
    site.publish()
    assert len(asked_names(site)) == 2
    named = {path.stat().st_ino for path in asked_names(site)}
    assert named == {site.response(algorithm).stat().st_ino for algorithm in ("sha1", "sha256")}
    # What somebody copied here has files of their own, which say the same.
    for path in asked_names(site):
        content = path.read_bytes()
        path.unlink()
        path.write_bytes(content)
    assert publish.plan(site.ca, site.settings(), now=NOW).changes == site.publish().changes == ()


@pytest.mark.parametrize("number", [errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP])
def test_where_a_file_has_one_name_only_there_are_two_files(site, monkeypatch, number):
    def refuse(*_arguments):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(publish.os, "link", refuse)
    site.publish()
    assert len(asked_names(site)) == 2
    contents = {path.read_bytes() for path in asked_names(site)}
    assert contents == {site.response(algorithm).read_bytes() for algorithm in ("sha1", "sha256")}
    assert site.publish().changes == ()


def test_a_link_that_fails_for_another_reason_is_named(site, monkeypatch):
    def refuse(*_arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(publish.os, "link", refuse)
    with pytest.raises(AuthorityError, match=r"cannot be written, the disk is full: free space, then run again$"):
        site.publish()


def test_what_a_killed_run_staged_is_in_nobodys_way(site):
    site.publish()
    for path in [*asked_names(site), site.response("sha1")]:
        path.with_name(f".{path.name}.new").write_bytes(b"half of")
    site.publish(now=NOW + 3 * DAY)
    assert [path.name for path in site.destination.rglob(".*")] == []
    assert site.publish(now=NOW + 3 * DAY).changes == ()


def test_responses_are_signed_on_all_cores_as_on_one(site, monkeypatch):
    monkeypatch.setattr(publish, "_BATCH", 2)
    requests = [
        samples.request(f"{n}/mqtt", common_name=f"h{n}.example.com", names=(f"h{n}.example.com",)) for n in range(9)
    ]
    samples.issue_at(site.ca, *requests, now=NOW)
    published = site.publish(processes=3)
    serials = {row["serial"] for row in samples.sql(site.directory / "ledger.sqlite", SERVERS)}
    assert published.ocsp.keys() == serials
    assert len(serials) == 10
    assert len(asked_names(site)) == 20
    for serial, der in published.ocsp.items():
        assert (site.destination / f"ocsp/issuing-1/{serial}.sha1.der").read_bytes() == der
    assert site.publish(processes=3).changes == ()


SERVERS = "SELECT serial FROM certificate WHERE profile = 'server'"


def test_each_run_has_a_signer_of_its_own_that_the_ledger_knows_and_no_key_on_disk(site):
    site.publish()
    first = ocsp.load_der_ocsp_response(site.response().read_bytes()).certificates[0]
    site.publish(now=NOW + 3 * DAY)
    second = ocsp.load_der_ocsp_response(site.response().read_bytes()).certificates[0]
    known = samples.sql(site.directory / "ledger.sqlite", "SELECT der FROM certificate WHERE profile = 'ocsp_signer'")
    assert {row["der"] for row in known} == {certificates.to_der(first), certificates.to_der(second)}
    assert first.extensions.get_extension_for_class(x509.OCSPNoCheck)
    assert certificates.not_after(first) < NOW + 9 * DAY
    holders = [path for path in site.directory.rglob("*") if path.is_file() and b"PRIVATE KEY" in path.read_bytes()]
    assert sorted(holders) == [site.directory / "issuing-1/key.pem", site.directory / "root-1/key.pem"]


def test_a_response_whose_signer_expires_first_is_signed_again(site, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(publish.responses, "_MARGIN", -5 * DAY)
        patched.setattr(publish.responses.crl, "window", lambda _issuer, *, lifetime, now: (NOW, now + lifetime))
        site.publish()
    reason = f"its signer expires at {NOW + 2 * DAY - dt.timedelta(seconds=1):%Y-%m-%dT%H:%M:%SZ}"
    assert f"{site.response().relative_to(site.destination)}: {reason}" in site.publish().changes
    assert site.publish().changes == ()


def test_a_plan_says_the_same_and_writes_nothing(site):
    planned = publish.plan(site.ca, site.settings(), now=NOW)
    assert not site.destination.exists()
    assert planned.lists == {}
    published = site.publish()
    assert set(planned.changes) <= set(published.changes)
    assert publish.plan(None, site.settings(), now=NOW).changes == ("there is no CA yet",)


def test_a_number_never_goes_back_after_an_old_ledger_was_restored(site, tmp_path):
    site.publish()
    backup = shutil.copytree(site.directory, tmp_path / "backup")
    site.publish(now=NOW + 3 * DAY)
    site.publish(now=NOW + 6 * DAY)
    published = site.listed.number
    assert published == 3
    shutil.rmtree(site.directory)
    backup.rename(site.directory)
    reason = f"crl/issuing-1.crl: the published list has number {published}, the ledger knows 1"
    assert reason in site.publish(now=NOW + 6 * DAY).changes
    assert site.listed.number == published + 1


def test_a_ledger_from_before_revocation_lists_gets_its_table(site):
    samples.sql(site.directory / "ledger.sqlite", "DROP TABLE revocation_list")
    assert "crl/issuing-1.crl: there is no list yet" in site.publish().changes
    assert site.publish().changes == ()


def test_openssl_checks_the_whole_chain_with_the_lists_of_root_and_issuing_ca(site, tmp_path):
    published = site.publish()
    assert list(published.lists) == ["root-1", "issuing-1"]
    lists = tmp_path / "crl.pem"
    lists.write_bytes(b"".join(crl.to_pem(last.der) for last in published.lists.values()))
    command = "verify", "-x509_strict", "-crl_check_all", "-CAfile", site.bundle, "-CRLfile", lists
    assert openssl(*command, stdin=certificates.to_pem(site.client)) == (0, "stdin: OK\n")


def test_a_root_whose_key_is_offline_is_a_warning_and_the_rest_is_published(site):
    key = site.directory / "root-1/key.pem"
    pem = key.read_bytes()
    key.unlink()
    published = site.publish()
    assert list(published.lists) == ["issuing-1"]
    missing = authority.offline(authority.load(site.directory).root)
    assert published.warnings == (f"crl/root-1.crl: there is no list yet; {missing}",)
    key.write_bytes(pem)
    key.chmod(0o600)
    assert site.publish().changes == ("crl/root-1.crl: there is no list yet",)
    key.unlink()
    # From two thirds on it would be signed again if the key were here, from one third on somebody has to bring it.
    assert site.publish(now=NOW + 200 * DAY).warnings == ()
    late = site.publish(now=NOW + 300 * DAY)
    age = f"less than two thirds of its validity are left: it expires at {NOW + 360 * DAY:%Y-%m-%dT%H:%M:%SZ}"
    assert late.warnings == (f"crl/root-1.crl: {age}; {missing}",)
    assert list(late.lists) == ["root-1", "issuing-1"]
    expired = site.publish(now=NOW + 361 * DAY)
    assert list(expired.lists) == ["issuing-1"]
    assert not (site.destination / "crl/root-1.crl").exists()
    assert site.publish(now=NOW + 361 * DAY).changes == ()


def test_a_list_that_was_damaged_in_the_ledger_is_reported(site):
    site.publish()
    samples.sql(site.directory / "ledger.sqlite", "UPDATE revocation_list SET der = x'00'")
    with pytest.raises(LedgerError) as caught:
        site.publish()
    assert str(caught.value) == (
        f"{site.directory}/ledger.sqlite is damaged (a revocation list in it cannot be read): "
        "restore the CA directory from a backup"
    )


def test_a_clock_that_was_set_back_publishes_nothing(site):
    site.publish()
    before = files(site.destination)
    with pytest.raises(AuthorityError) as caught:
        site.publish(now=NOW - DAY)
    assert str(caught.value) == (
        f"revocation list 1 was made for {NOW - dt.timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ} and later, "
        f"it is {NOW - DAY:%Y-%m-%dT%H:%M:%SZ} here: set the clock"
    )
    assert files(site.destination) == before


def test_a_destination_that_cannot_be_written_is_named(site):
    site.destination.write_text("a file")
    with pytest.raises(AuthorityError) as caught:
        site.publish()
    assert str(caught.value) == (f"{site.destination} cannot be used (File exists): check its owner and mode")


@pytest.mark.parametrize("url", ["https://pki.example.com", "http://pki.example.com/", "pki.example.com"])
def test_a_url_that_would_not_do_is_refused(url):
    with pytest.raises(PkiError) as caught:
        publish.urls(url, None)
    assert str(caught.value) == (
        f"publish_url is {url!r}: give an address that begins with http:// and does not end with a slash"
    )


@pytest.mark.parametrize("key_type", ["ed25519", "rsa-3072"])
def test_an_issuing_ca_with_another_type_of_key_publishes_too(tmp_path, key_type):
    goal = samples.wanted()
    issuing = goal.issuing._replace(key_type=key_type)
    authority.create(tmp_path / "pki", dataclasses.replace(goal, issuing=issuing), now=NOW)
    site = Site(tmp_path / "pki", tmp_path)
    site.revoke(site.client)
    site.publish()
    assert verify(site, site.server) == (0, "stdin: OK\n")
    code, text = judge_response(site, site.response(), tmp_path)
    assert (code, "Response verify OK" in text) == (0, True), text


def test_a_run_that_is_killed_anywhere_leaves_whole_files_and_a_number_that_only_grows(site, tmp_path, killed_at):
    site.publish()
    site.revoke(site.server)
    old = site.destination.rename(tmp_path / "old")
    number, kills, completed = 0, 0, 0
    while True:
        directory = shutil.copytree(site.directory, tmp_path / f"pki-{number}")
        destination = shutil.copytree(old, tmp_path / f"www-{number}")
        ca, settings = authority.load(directory), publish.Settings(destination=destination)

        def run(ca=ca, settings=settings):
            publish.publish(ca, settings, passphrase=samples.PASSPHRASE, now=NOW)

        killed = killed_at(number, run)
        for name, content in files(destination).items():
            if name.parts[0] == "ocsp" and not name.name.endswith(".new"):
                assert ocsp.load_der_ocsp_response(content).certificates
        left = crl.read((destination / "crl/issuing-1.crl").read_bytes()).number
        openssl_code, text = openssl("crl", "-in", destination / "crl/issuing-1.crl.pem", "-noout", "-crlnumber")
        assert openssl_code == 0, text
        run()
        final = crl.read((destination / "crl/issuing-1.crl").read_bytes()).number
        assert left in (1, 2)
        assert final == 2
        completed += killed and left == 2
        assert publish.plan(ca, settings, now=NOW).changes == ()
        shutil.rmtree(directory)
        shutil.rmtree(destination)
        if not killed:
            break
        kills += 1
        number += 23
    assert kills > 20
    assert completed > 0


def test_thousands_of_entries_are_read_as_they_were_written():
    key = keys.generate("ec-p256")
    root = samples.build.root(samples.wanted().root, key, now=NOW)
    entries = [crl.Entry(serial=f"{number:040X}", revoked_at=NOW, reason="superseded") for number in range(1, 5001)]
    signer = samples.build.Signer(certificate=root, key=key)
    der = crl.build(signer, entries, number=1, lifetime=DAY, url="", now=NOW)
    assert crl.read(der).entries == frozenset(entries)


def test_a_list_is_read_as_the_library_reads_it():
    key = keys.generate("ec-p256")
    root = samples.build.root(samples.wanted().root, key, now=NOW)
    signer = samples.build.Signer(certificate=root, key=key)
    # The dates are of both kinds; 2050 begins the other one.
    dates = [NOW, NOW.replace(year=1999), NOW.replace(year=2049), NOW.replace(year=2051)]
    pairs = [(reason, date) for reason in (*crl.FLAGS, "unspecified") for date in dates]
    entries = [crl.Entry(f"{number:040X}", date, reason) for number, (reason, date) in enumerate(pairs, start=2**158)]
    der = crl.build(signer, entries, number=1, lifetime=DAY, url="", now=NOW)
    loaded = x509.load_der_x509_crl(der)
    assert loaded.public_bytes(serialization.Encoding.PEM) == crl.to_pem(der)
    found = []
    for one in loaded:
        flags = [extension.value.reason for extension in one.extensions]
        reason = next((name for name, flag in crl.FLAGS.items() if flag in flags), "unspecified")
        found.append(crl.Entry(certificates.serial_hex(one.serial_number), crl.moment(one, "revocation_date"), reason))
    assert crl.read(der).entries == frozenset(found) == frozenset(entries)
    assert crl.read(crl.build(signer, [], number=1, lifetime=DAY, url="", now=NOW)).entries == frozenset()
    code = x509.CRLReason(x509.ReasonFlags.ca_compromise)
    builder = x509.RevokedCertificateBuilder().serial_number(7).revocation_date(NOW).add_extension(code, critical=False)
    other = (
        x509.CertificateRevocationListBuilder(revoked_certificates=[builder.build()])
        .issuer_name(root.subject)
        .last_update(NOW)
    )
    other = other.next_update(NOW + DAY).add_extension(x509.CRLNumber(1), critical=False)
    signed = other.sign(key, keys.signature_hash(key)).public_bytes(serialization.Encoding.DER)
    assert crl.read(signed).entries == {crl.Entry(f"{7:040X}", NOW, "2")}
