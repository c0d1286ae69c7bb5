# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a CA directory must survive: kills, full disks, damage, two runs at once, lies. Each leaves it as it was."""

from __future__ import annotations

import base64
import datetime as dt
import os
import random
import resource
import shutil
import subprocess
import sys

import pki_samples as samples
import pytest
from ansible_collections.bulwark.mqtt.plugins.module_utils._pki import (
    archive,
    authority,
    backup,
    certificates,
    crl,
    issue,
    keys,
    publish,
    revocation,
)
from ansible_collections.bulwark.mqtt.plugins.module_utils._pki.errors import PkiError
from ansible_collections.bulwark.mqtt.plugins.module_utils._pki.passphrase import Passphrase
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import NameOID

WRONG = Passphrase("not the passphrase", "passphrase")
ARCHIVE = Passphrase("archive passphrase 1", "passphrase")

# Each run is another life; a failure names the seed, which lives it again.
SEED = int(os.environ.get("BULWARK_SEED", "20261125"))
KILLS = 210


@pytest.fixture(autouse=True)
def _cheap(monkeypatch):
    monkeypatch.setattr(archive, "_COST", {"n": 1024, "r": 8, "p": 1})


def message(function, *arguments, **named):
    with pytest.raises(PkiError) as caught:
        function(*arguments, **named)
    return str(caught.value)


def snapshot(directory):
    """All files but those that hold no content of their own: the lock, and SQLite's side files, empty or not."""
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file() and path.name != ".lock" and not path.name.startswith("ledger.sqlite-")
    }


def rows(directory):
    return [tuple(row) for row in samples.sql(directory / "ledger.sqlite", "SELECT * FROM certificate ORDER BY serial")]


def do_publish(directory, *, passphrase=samples.PASSPHRASE, now=samples.NOW):
    return publish.publish(
        authority.load(directory),
        publish.Settings(destination=directory / "publish"),
        passphrase=passphrase,
        root_passphrase=samples.ROOT_PASSPHRASE,
        now=now,
    )


def do_revoke(directory, common_name="a.example.com"):
    target = revocation.Target(common_name=common_name)
    return revocation.revoke(authority.load(directory), target, reason="superseded", now=samples.NOW)


def do_back_up(directory, target):
    return backup.back_up(
        directory, target, published=directory / "publish", passphrase=ARCHIVE, check_mode=False, now=samples.NOW
    )


def check_whole(directory):
    """No serial twice, a ledger that can be read, and no published file that is half of one."""
    loaded = authority.load(directory)
    with loaded.open_ledger() as book:
        book.check()
    found = [row["serial"] for row in samples.sql(directory / "ledger.sqlite", "SELECT serial FROM certificate")]
    assert len(found) == len(set(found))
    for path in (directory / "publish").rglob("*"):
        if not path.is_file() or path.name.startswith("."):
            continue
        content = path.read_bytes()
        if path.suffix == ".crt":
            x509.load_der_x509_certificate(content)
        elif path.parent.name == "ca":
            x509.load_pem_x509_certificates(content)
        elif path.suffix == ".crl":
            crl.read(content)
        elif path.suffix == ".pem":
            x509.load_pem_x509_crl(content)
        else:
            signer = ocsp.load_der_ocsp_response(content).certificates[0]
            assert certificates.serial_hex(signer.serial_number) in found
    return loaded, set(found)


@pytest.mark.parametrize("verb", ["issue", "revoke", "publish"])
def test_a_kill_at_any_statement_leaves_nothing_half_done(directory, tmp_path, killed_at, boundaries, verb):
    samples.issue_at(authority.load(directory), samples.request())
    requests = [samples.request("b/mqtt"), samples.request("c/mqtt")]
    handed_out = tmp_path / "handed-out"

    def run(place):
        if verb == "issue":
            results = samples.issue_at(authority.load(place), *requests)
            text = "\n".join(certificates.serial_hex(result.certificate.serial_number) for result in results)
            handed_out.write_text(text)
        elif verb == "revoke":
            do_revoke(place)
        else:
            do_publish(place)

    before = len(rows(directory))
    trial = shutil.copytree(directory, tmp_path / "trial")
    numbers = boundaries(lambda: run(trial))
    assert len(numbers) > 50
    # All of the batch or none of it; an OCSP signer is one certificate.
    expected = {"issue": {0, 2}, "revoke": {0}, "publish": {0, 1}}[verb]
    kills, recorded = 0, set()
    for number in numbers:
        handed_out.unlink(missing_ok=True)
        place = shutil.copytree(directory, tmp_path / "place")
        kills += killed_at(number, lambda place=place: run(place))
        _loaded, known = check_whole(place)
        assert set(handed_out.read_text().split() if handed_out.exists() else []) <= known, number
        recorded.add(len(known) - before)
        assert recorded <= expected, number
        run(place)
        _loaded, after = check_whole(place)
        assert known <= after
        # What was recorded before the kill is handed out, not issued again.
        assert verb != "issue" or len(after) - before == 2, number
        shutil.rmtree(place)
    # The last boundaries are where SQLite is closed: a run may have ended there.
    assert kills >= len(numbers) - 5
    # Some came before it was recorded and some after.
    assert recorded == expected


def test_a_life_of_random_kills_uses_no_serial_twice_and_issues_nothing_unknown(directory, tmp_path, killed_at):
    chance = random.Random(SEED)
    received = tmp_path / "received"
    received.mkdir()
    target = tmp_path / "ca.backup"
    everything: dict[str, bytes] = {}
    kills = number = 0
    lists: dict[str, int] = {}

    def act(verb):
        if verb == "issue":
            name = f"h{number}.example.com"
            batch = [samples.request(f"{number}/{n}", common_name=name, names=(name,)) for n in range(2)]
            for result in samples.issue_at(authority.load(directory), *batch):
                serial = certificates.serial_hex(result.certificate.serial_number)
                (received / serial).write_bytes(certificates.to_der(result.certificate))
        elif verb == "revoke":
            known = sorted({row["common_name"] for row in samples.sql(directory / "ledger.sqlite", _LEAVES)})
            if known:
                do_revoke(directory, chance.choice(known))
        elif verb == "publish":
            do_publish(directory)
        else:
            do_back_up(directory, target)

    while kills < KILLS:
        number += 1
        verb = chance.choice(["issue", "issue", "revoke", "publish", "publish", "backup"])
        # Long runs are killed late as well: the number of statements differs by two orders of magnitude.
        kills += killed_at(int(10 ** chance.uniform(0.5, 4)), lambda verb=verb: act(verb))
        where = f"seed {SEED}, run {number}, {verb}"
        _loaded, known = check_whole(directory)
        for path in received.iterdir():
            assert path.name in known, where
            everything.setdefault(path.name, path.read_bytes())
            assert everything[path.name] == path.read_bytes(), where
        for path in (directory / "publish/crl").glob("*.crl"):
            listed = crl.read(path.read_bytes()).number
            assert listed >= lists.get(path.name, 0), where
            lists[path.name] = listed
    do_publish(directory)
    do_back_up(directory, target)
    assert len(everything) > 10
    assert crl.read((directory / "publish/crl/issuing-1.crl").read_bytes()).number >= 2


_LEAVES = "SELECT common_name FROM certificate WHERE profile = 'server'"


def test_every_verb_at_once_on_one_directory_loses_nothing(directory, tmp_path):
    samples.issue_at(authority.load(directory), samples.request())
    head = (
        "import pki_samples as s, test_survival as t; from pathlib import Path\n"
        "from ansible_collections.bulwark.mqtt.plugins.module_utils._pki import authority\n"
        f"d = Path({str(directory)!r})\n"
    )
    programs = [
        "for n in range(10): s.issue_at(authority.load(d), s.request(f'x/{n}'))\n",
        "for n in range(10): s.issue_at(authority.load(d), s.request(f'y/{n}'))\n",
        "t.do_revoke(d)\n",
        "for n in range(5): t.do_publish(d)\n",
        f"for n in range(5): t.do_back_up(d, Path({str(tmp_path)!r}) / f'{{n}}.backup')\n",
    ]
    samples.side_by_side([head + program for program in programs])
    check_whole(directory)
    assert len([row for row in rows(directory) if "server" in row]) == 21


@pytest.mark.skipif(os.geteuid() != 0, reason="a file system of its own takes root; the limit on sizes is tested below")
def test_a_full_disk_changes_nothing_and_is_named(directory, tmp_path):
    place = tmp_path / "disk"
    place.mkdir()
    program = f"""
import shutil, subprocess, sys
from pathlib import Path
import pki_samples as s, test_survival as t
from ansible_collections.bulwark.mqtt.plugins.module_utils._pki import authority
from ansible_collections.bulwark.mqtt.plugins.module_utils._pki.errors import PkiError
place = Path({str(place)!r})
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m,mode=0700", "none", place], check=True)
directory = shutil.copytree({str(directory)!r}, place / "pki")
s.issue_at(authority.load(directory), s.request())
requests = [s.request(f"{{n}}/mqtt") for n in range(24)]
verbs = {{
    "issue": lambda: s.issue_at(authority.load(directory), *requests),
    "publish": lambda: t.do_publish(directory),
    "backup": lambda: t.do_back_up(directory, place / "ca.backup"),
}}
refused = 0
for verb, run in verbs.items():
    for free in (0, 4096, 16384):
        before, known = t.snapshot(directory), t.rows(directory)
        filler = place / "filler"
        with filler.open("wb", buffering=0) as stream:
            try:
                while stream.write(bytes(4096)): pass
            except OSError: pass
            stream.truncate(max(0, stream.tell() - free))
        problem = None
        try:
            run()
        except PkiError as error:
            problem = str(error)
        filler.unlink()
        if problem:
            refused += 1
            assert "the disk is full" in problem or "disk I/O error" in problem, (verb, free, problem)
            assert t.rows(directory) == known, (verb, free)
            kept = [{{n for n in files if not n.startswith("publish")}} for files in (before, t.snapshot(directory))]
            assert kept[0] == kept[1], (verb, free)
        t.check_whole(directory)
assert refused >= 4, refused
for run in verbs.values(): run()
t.check_whole(directory)
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = ["unshare", "--mount", "--propagation", "private", sys.executable, "-c", program]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if "unshare failed" in result.stderr:
        pytest.skip("this machine allows no mount namespace; the limit on sizes is tested below")
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("verb", ["publish", "backup"])
def test_a_write_that_fails_half_way_leaves_no_half_of_a_file(directory, tmp_path, verb):
    samples.issue_at(authority.load(directory), samples.request())
    target = tmp_path / "ca.backup"
    do_publish(directory)
    do_revoke(directory)
    before = snapshot(directory)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (128, hard))
    try:
        found = message(do_publish, directory) if verb == "publish" else message(do_back_up, directory, target)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert str(directory) in found or str(target.parent) in found
    assert not target.exists()
    assert snapshot(directory).keys() == before.keys()
    check_whole(directory)
    do_publish(directory)
    do_back_up(directory, target)


DAMAGE = {
    "emptied": lambda content: b"",
    "truncated": lambda content: content[: len(content) // 2],
    "overwritten": lambda content: b"garbage" * 500,
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("name", ["ledger.sqlite", "issuing-1/key.pem", "issuing-1/cert.pem"])
@pytest.mark.parametrize("verb", ["issue", "publish"])
def test_damage_is_named_with_the_file_and_changes_nothing(directory, name, damage, verb):
    path = directory / name
    path.write_bytes(DAMAGE[damage](path.read_bytes()))
    before = snapshot(directory)
    if verb == "issue":
        found = message(lambda: samples.issue_at(authority.load(directory), samples.request()))
    else:
        found = message(lambda: do_publish(directory))
    assert found.startswith(f"{path} is damaged (" if name.endswith("sqlite") else f"{path} is damaged: ")
    assert "from a backup" in found
    assert snapshot(directory) == before


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_published_list_that_is_damaged_is_put_right(directory, damage):
    do_publish(directory)
    path = directory / "publish/crl/issuing-1.crl"
    good = path.read_bytes()
    path.write_bytes(DAMAGE[damage](good))
    assert f"crl/{path.name}: it is not what was published" in do_publish(directory).changes
    assert path.read_bytes() == good


def test_a_wrong_passphrase_changes_nothing(directory):
    before = snapshot(directory)
    expected = f"{directory}/issuing-1/key.pem cannot be opened: the passphrase is wrong, check passphrase"
    loaded = authority.load(directory)
    assert message(samples.issue_at, loaded, samples.request(), passphrase=WRONG) == expected
    assert message(do_publish, directory, passphrase=WRONG) == expected
    assert snapshot(directory) == before


def test_a_clock_set_back_issues_and_publishes_nothing(directory):
    later = samples.NOW + dt.timedelta(days=3)
    samples.issue_at(authority.load(directory), samples.request(), now=later)
    do_publish(directory, now=later)
    before = snapshot(directory)
    assert message(samples.issue_at, authority.load(directory), samples.request("b/mqtt")).endswith(
        "set the clock, or revoke that certificate if the clock was wrong then"
    )
    assert message(do_publish, directory).endswith("it is 2026-11-23T12:00:00Z here: set the clock")
    assert snapshot(directory) == before


def lying_csr(*, names=(), ca=False, key=None):
    key = key or keys.generate("ec-p256")
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "admin")])
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), critical=False)
    if ca:
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return builder.sign(key, keys.signature_hash(key)).public_bytes(serialization.Encoding.DER)


def pem(der):
    body = base64.encodebytes(der).decode()
    return f"-----BEGIN CERTIFICATE REQUEST-----\n{body}-----END CERTIFICATE REQUEST-----\n"


def broken(der):
    return der[:-1] + bytes([der[-1] ^ 1])


REFUSED_NAME = (
    "common_name {0!r} ({1} characters, by default the first of the names) is refused: give one of 1 to 64 of the "
    "characters A-Z a-z 0-9 . _ -"
)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param(
            {"csr": pem(broken(lying_csr()))},
            "the signature of the signing request does not match its key: make a new request",
            id="wrong-signature",
        ),
        pytest.param(
            {"csr": pem(lying_csr(key=rsa.generate_private_key(public_exponent=65537, key_size=1024)))},  # noqa: S505
            "a key of type rsa-1024 is refused: use one of ec-p256, ec-p384, rsa-3072, rsa-4096, ed25519",
            id="rsa-1024",
        ),
        pytest.param(
            {"csr": "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n"},
            "the signing request cannot be read: give one in PEM form (PKCS#10)",
            id="no-request",
        ),
        *(
            pytest.param({"common_name": name}, REFUSED_NAME.format(name, len(name)), id=f"cn-{number}")
            for number, name in enumerate(["a/b", "a+b", "a#b", "a\0b", "x" * 65])
        ),
    ],
)
def test_a_request_that_lies_is_refused_by_name_and_changes_nothing(directory, changes, expected):
    before = snapshot(directory)
    good = samples.request("good/mqtt")
    assert message(samples.issue_at, authority.load(directory), good, samples.request("bad/mqtt", **changes)) == (
        f"bad/mqtt: {expected}"
    )
    assert snapshot(directory) == before


@pytest.mark.parametrize(
    "csr", [pem(lying_csr(names=("bank.example",))), pem(lying_csr(ca=True))], ids=["foreign-name", "ca"]
)
def test_a_request_gets_nothing_that_it_asks_for_itself(directory, csr):
    (result,) = samples.issue_at(authority.load(directory), samples.request(csr=csr))
    assert str(certificates.alternative_names(result.certificate)) == "a.example.com, 192.0.2.1"
    assert certificates.common_name(result.certificate) == "a.example.com"
    assert not result.certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert issue.Request
