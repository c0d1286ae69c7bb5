# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime as dt
import sys
from dataclasses import replace

import pki_samples as samples
import pytest
from ansible_collections.bulwark.mqtt.plugins.module_utils._pki import (
    authority,
    certificates,
    external,
    keys,
    passphrase,
    permissions,
    programs,
    publish,
)
from ansible_collections.bulwark.mqtt.plugins.module_utils._pki.errors import LedgerError, PkiError
from cryptography.hazmat.primitives import serialization

WHAT = "passphrase_file (role variable pki_passphrase_file)"
COMMAND = "passphrase_command (role variable pki_passphrase_command)"

# As a token does: it gets a digest, or a digest in a DigestInfo, and its PIN in the environment.
TOKEN = """
import os, sys
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, utils
if os.environ["BULWARK_PASSPHRASE"] != "1234":
    sys.exit("CKR_PIN_INCORRECT for " + os.environ["BULWARK_PASSPHRASE"])
key = serialization.load_pem_private_key(open(sys.argv[1], "rb").read(), None)
content = sys.stdin.buffer.read()
if hasattr(key, "curve"):
    size = (key.key_size + 7) // 8
    hash_ = hashes.SHA384() if len(content) == 48 else hashes.SHA256()
    signature = key.sign(content, ec.ECDSA(utils.Prehashed(hash_)))
    if sys.argv[2] == "raw":
        r, s = utils.decode_dss_signature(signature)
        signature = r.to_bytes(size, "big") + s.to_bytes(size, "big")
else:
    numbers = key.private_numbers()
    n, size = numbers.public_numbers.n, key.key_size // 8
    padded = b"\\0\\1" + b"\\xff" * (size - 3 - len(content)) + b"\\0" + content
    signature = pow(int.from_bytes(padded, "big"), numbers.d, n).to_bytes(size, "big")
sys.stdout.buffer.write(signature)
"""


def message(function, *arguments, **named):
    with pytest.raises(PkiError) as caught:
        function(*arguments, **named)
    return str(caught.value)


def from_file(path):
    return passphrase.given({"passphrase_file": str(path)})


def from_command(*command):
    return passphrase.given({"passphrase_command": list(command)})


def test_a_passphrase_comes_from_a_value_a_file_or_a_command_without_white_space(tmp_path):
    path = tmp_path / "passphrase"
    path.write_text("  secret words \n")
    path.chmod(0o600)
    assert passphrase.given({"passphrase": "secret words"}).value == "secret words"
    assert from_file(path).value == "secret words"
    assert from_command("cat", str(path)).value == "secret words"
    assert passphrase.given({}) is None


def test_a_command_is_run_once_and_without_a_shell(tmp_path):
    count = tmp_path / "count"
    source = from_command(sys.executable, "-c", f"open({str(count)!r}, 'a').write('x'); print('$HOME; `id`')")
    assert [source.value, source.value] == ["$HOME; `id`"] * 2
    assert count.read_text() == "x"


@pytest.mark.parametrize(
    ("content", "mode", "expected"),
    [
        pytest.param(None, 0o600, "{0} {1} cannot be read (No such file or directory): correct the path", id="missing"),
        pytest.param(b"x", 0o644, "{1} has mode 0644, which lets others in: run chmod 0600 {1}", id="wide"),
        pytest.param(b" \n", 0o600, "{0} {1} gives nothing: expected is the passphrase", id="empty"),
        pytest.param(
            b"\xff", 0o600, "{0} {1} gives no text in UTF-8: give a passphrase of printable characters", id="binary"
        ),
    ],
)
def test_a_file_that_gives_no_passphrase_is_named(tmp_path, content, mode, expected):
    path = tmp_path / "passphrase"
    if content is not None:
        path.write_bytes(content)
        path.chmod(mode)
    assert message(lambda: from_file(path).value) == expected.format(WHAT, path)


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        pytest.param(
            ("/nowhere",), "/nowhere cannot be started (No such file or directory): correct the command", id="none"
        ),
        pytest.param(("false",), "false failed with 1 (it said nothing): run it by hand on the CA host", id="fails"),
        pytest.param(("true",), "true gives nothing: expected is the passphrase", id="silent"),
    ],
)
def test_a_command_that_gives_no_passphrase_is_named(command, expected):
    assert message(lambda: from_command(*command).value) == f"{COMMAND} {expected}"


def test_a_command_that_fails_may_say_why_but_not_the_passphrase():
    source = from_command(sys.executable, "-c", "import sys; print('hush'); sys.exit('no hush today')")
    assert message(lambda: source.value).endswith("failed with 1 (no ******** today): run it by hand on the CA host")


def test_a_command_that_does_not_end_is_named(monkeypatch):
    monkeypatch.setattr(programs, "SECONDS", 0.1)
    assert message(lambda: from_command("sleep", "60").value) == (
        f"{COMMAND} sleep 60 did not end within 0.1 seconds: run it by hand on the CA host"
    )


def test_a_directory_above_that_others_may_write_is_named(template, tmp_path):
    above = tmp_path / "above"
    above.mkdir()
    directory = above / "pki"
    samples.create(directory)
    above.chmod(0o777)
    assert message(authority.load, directory) == (
        f"{above} has mode 0777, so others could replace what is in it: run chmod go-w {above}"
    )
    above.chmod(0o1777)
    assert authority.load(directory)


@pytest.mark.parametrize(("members", "accepted"), [({"alice"}, True), ({"alice", "bob"}, False)])
def test_a_group_of_its_owner_alone_may_write(monkeypatch, members, accepted):
    monkeypatch.setattr(permissions.pwd, "getpwall", list)
    monkeypatch.setattr(permissions.grp, "getgrgid", lambda _gid: type("Group", (), {"gr_mem": list(members)}))
    monkeypatch.setattr(permissions, "_user", lambda uid: "alice" if uid else "root")
    assert permissions._is_private_group(1000, owner=1000) is accepted


def test_what_belongs_to_somebody_else_is_named(directory, monkeypatch):
    monkeypatch.setattr(permissions.os, "geteuid", lambda: 12345)
    found = message(authority.load, directory)
    assert found.startswith(
        f"{directory} belongs to root, this runs as user 12345: run it as its owner, or change the owner of the whole "
        f"directory; {directory}/ledger.sqlite belongs to root"
    )


def test_a_clock_behind_the_last_certificate_issues_nothing(directory):
    loaded = authority.load(directory)
    (last,) = samples.issue_at(loaded, samples.request())
    serial = certificates.serial_hex(last.certificate.serial_number)
    samples.issue_at(loaded, samples.request("b/mqtt"), now=samples.NOW + dt.timedelta(days=2))
    row = samples.sql(directory / "ledger.sqlite", "SELECT serial FROM certificate ORDER BY rowid DESC LIMIT 1")[0]
    with pytest.raises(LedgerError) as caught:
        samples.issue_at(loaded, samples.request("c/mqtt"), now=samples.NOW)
    assert str(caught.value) == (
        f"{directory}/ledger.sqlite: the last certificate, {row['serial']}, is valid from 2026-11-25T11:00:00Z, it is "
        "2026-11-23T12:00:00Z here: set the clock, or revoke that certificate if the clock was wrong then"
    )
    with loaded.open_ledger() as book:
        book.revoke([row["serial"]], reason="superseded", at=samples.NOW)
    assert samples.issue_at(loaded, samples.request("c/mqtt"))[0].issued
    assert serial != row["serial"]


class Token:
    """A key that only a program can use."""

    def __init__(self, directory, key_type, *, name="token", form="der"):
        self.key = keys.generate(key_type)
        path = directory / f"{name}.pem"
        path.write_bytes(keys.to_pem(self.key))
        program = directory / "signs.py"
        program.write_text(TOKEN)
        self.command = (sys.executable, str(program), str(path), form)

    def signer(self, what="issuing_signer", public=None):
        pem = (public or self.key.public_key()).public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return external.Signer(command=self.command, public_key=pem.decode(), what=what)


PIN = passphrase.Passphrase("1234", "passphrase")


def create(directory, token, key_type, **changes):
    goal = samples.wanted()
    goal = replace(
        goal,
        issuing=goal.issuing._replace(key_type=key_type),
        issuing_passphrase=PIN,
        **{"issuing_signer": token.signer(), **changes},
    )
    return authority.create(directory, goal, now=samples.NOW)


@pytest.mark.parametrize(
    ("key_type", "form"),
    [("ec-p256", "der"), ("ec-p256", "raw"), ("ec-p384", "raw"), ("rsa-3072", "raw")],
)
def test_a_token_signs_certificates_lists_and_ocsp_signers(tmp_path, key_type, form):
    directory = tmp_path / "pki"
    made = create(directory, Token(tmp_path, key_type, form=form), key_type)
    assert not (directory / "issuing-1/key.pem").exists()
    assert (directory / "issuing-1/signer.json").stat().st_mode & 0o777 == 0o600
    (result,) = samples.issue_at(made, samples.request(), passphrase=PIN)
    issuer = made.issuing.certificate.public_key()
    settings = publish.Settings(destination=tmp_path / "www")
    published = publish.publish(
        made, settings, passphrase=PIN, root_passphrase=samples.ROOT_PASSPHRASE, now=samples.NOW
    )
    crl = publish.crl.x509.load_der_x509_crl(published.lists["issuing-1"].der)
    assert crl.is_signature_valid(issuer)
    assert published.ocsp
    external_signature = result.certificate
    publish.crl.x509.load_der_x509_certificate(certificates.to_der(external_signature))
    samples.verify(external_signature, issuer)


def test_a_root_can_be_in_a_token_too(tmp_path):
    goal = samples.wanted()
    token = Token(tmp_path, "ec-p256")
    goal = replace(goal, root_passphrase=PIN, root_signer=token.signer("root_signer"))
    made = authority.create(tmp_path / "pki", goal, now=samples.NOW)
    samples.verify(made.root.certificate, token.key.public_key())
    samples.verify(made.issuing.certificate, token.key.public_key())


def test_a_wrong_pin_issues_nothing_and_is_not_in_the_message(tmp_path):
    token = Token(tmp_path, "ec-p256")
    made = create(tmp_path / "pki", token, "ec-p256")
    wrong = passphrase.Passphrase("999999", "passphrase")
    assert message(samples.issue_at, made, samples.request(), passphrase=wrong) == (
        f"{tmp_path}/pki/issuing-1/signer.json: {' '.join(token.command)} failed with 1 "
        "(CKR_PIN_INCORRECT for ********): check the token and its PIN"
    )
    with made.open_ledger() as book:
        assert book.count_leaves() == 0


def test_a_program_that_signs_with_another_key_makes_no_ca(tmp_path):
    token, other = Token(tmp_path, "ec-p256"), Token(tmp_path, "ec-p256", name="other")
    signer = token.signer(public=other.key.public_key())
    assert message(create, tmp_path / "pki", token, "ec-p256", issuing_signer=signer) == (
        f"issuing_signer: {' '.join(token.command)} returned no signature of the CA's key: "
        "name the key that belongs to its certificate"
    )
    assert not (tmp_path / "pki/issuing-1").exists()


def test_what_a_token_cannot_be_is_refused(tmp_path):
    token = Token(tmp_path, "ed25519")
    assert message(create, tmp_path / "pki", token, "ed25519") == (
        "issuing_signer: a key of type ed25519 cannot be used through a program: "
        "use one of ec-p256, ec-p384, rsa-3072, rsa-4096"
    )
    token = Token(tmp_path, "ec-p384")
    assert message(create, tmp_path / "pki", token, "ec-p256") == (
        "issuing_signer names a key of type ec-p384, wanted is ec-p256: set the type of the key"
    )
    token = Token(tmp_path, "ec-p256")
    twice = replace(token.signer("root_signer"))
    assert (
        message(create, tmp_path / "pki2", token, "ec-p256", root_signer=twice, root_passphrase=PIN)
        == "issuing_signer names the key of root-1: make another key in the token"
    )


def test_a_damaged_signer_file_is_named(tmp_path):
    made = create(tmp_path / "pki", Token(tmp_path, "ec-p256"), "ec-p256")
    path = tmp_path / "pki/issuing-1/signer.json"
    path.write_text("{}")
    assert message(made.issuing.unlock, PIN) == (
        f'{path} is damaged: expected is {{"command": ["program", "argument", ...]}}; restore it from a backup'
    )
