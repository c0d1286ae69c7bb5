# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import datetime as dt
import shutil
import subprocess

import pki_samples as samples
import pytest
from ansible_collections.bulwark.mqtt.plugins.module_utils._pki import (
    authority,
    certificates,
    crl,
    keys,
    publish,
    rollover,
)
from ansible_collections.bulwark.mqtt.plugins.module_utils._pki.errors import PkiError
from ansible_collections.bulwark.mqtt.plugins.module_utils._pki.passphrase import Passphrase
from ansible_collections.bulwark.mqtt.plugins.modules import pki_info

# OpenSSL judges by the clock of the machine.
NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)
DAY = dt.timedelta(days=1)
PHASES = rollover.PHASES


@pytest.fixture(scope="session", name="template")
def fixture_template(tmp_path_factory):
    directory = tmp_path_factory.mktemp("rolled") / "pki"
    authority.create(directory, samples.wanted(), now=NOW)
    return directory


def roll(directory, phase, *, of="issuing", now=NOW, wanted=None, **options):
    """Bring the rollover to a phase; the authority and what was done."""
    goal = rollover.Goal(of=of, phase=phase, **options)
    return rollover.advance(authority.load(directory), goal, wanted or samples.wanted(), now=now)


def roll_to(directory, phase, *, of="issuing", **options):
    """Bring a rollover up to a phase, from its beginning, leaving behind what it has to."""
    for step in PHASES[: PHASES.index(phase) + 1]:
        found, _done = roll(directory, step, of=of, leave_behind=step in ("cut_over", "retire"), **options)
    return found


def refusal(function, *arguments, **named):
    with pytest.raises(PkiError) as caught:
        function(*arguments, **named)
    return str(caught.value)


def issue(directory, key, common_name="a.example.com", *, now=NOW, lifetime=90 * DAY):
    found = authority.load(directory)
    request = samples.request(common_name=common_name, names=(), key=key)
    [result] = samples.issue_at(found, request, policy=samples.issue.Policy(lifetimes={"server": lifetime}), now=now)
    return result


def phases(found):
    return {ca.name: ca.phase for ca in found.cas}


def names_in(pem):
    blocks = [f"{block}-----END CERTIFICATE-----\n" for block in pem.split("-----END CERTIFICATE-----\n")[:-1]]
    return [certificates.common_name(certificates.from_pem(block.encode(), where="bundle")) for block in blocks]


def verify(tmp_path, certificate, *, roots, chain, lists=()):
    """What OpenSSL says of a certificate whose peer trusts these roots and was sent this chain."""
    (tmp_path / "roots.pem").write_text(roots)
    (tmp_path / "chain.pem").write_text(chain)
    (tmp_path / "crl.pem").write_bytes(b"".join(lists))
    sent = ["-untrusted", tmp_path / "chain.pem"] if chain else []
    checks = ["-crl_check_all", "-CRLfile", tmp_path / "crl.pem"] if lists else []
    command = ["openssl", "verify", "-x509_strict", "-CAfile", tmp_path / "roots.pem"]
    result = subprocess.run(
        [*command, *sent, *checks],
        input=certificates.to_pem(certificate), capture_output=True, text=True, check=False,
    )  # fmt: skip
    return result.returncode, result.stdout + result.stderr


def publish_lists(found, destination, now=NOW):
    settings = publish.Settings(destination=destination)
    published = publish.publish(
        found, settings, passphrase=samples.PASSPHRASE, root_passphrase=samples.ROOT_PASSPHRASE, now=now
    )
    return {name: crl.to_pem(last.der) for name, last in published.lists.items()}


def test_an_issuing_ca_is_replaced_in_four_steps(directory):
    key = keys.generate("ec-p256")
    old = issue(directory, key).certificate
    serial = certificates.serial_hex(old.serial_number)

    found, done = roll(directory, "introduce")
    assert done == ["issuing-2 is introduced"]
    assert phases(found) == {"root-1": "signing", "issuing-1": "signing", "issuing-2": "introduced"}
    assert names_in(found.bundle) == ["Test Root CA", "Test Issuing CA", "Test Issuing CA 2"]
    assert names_in(found.chain) == ["Test Issuing CA"]
    assert not issue(directory, key).issued

    found, done = roll(directory, "reissue")
    assert done == ["issuing-2 signs, certificates of issuing-1 are due: 1"]
    assert phases(found) == {"root-1": "signing", "issuing-1": "replaced", "issuing-2": "signing"}
    assert names_in(found.chain) == ["Test Issuing CA 2"]
    assert names_in(found.bundle) == ["Test Root CA", "Test Issuing CA", "Test Issuing CA 2"]
    assert refusal(roll, directory, "cut_over") == (
        f"certificates of issuing-1 that are in use and not replaced: 1: server a.example.com ({serial}, until "
        f"{certificates.not_after(old):%Y-%m-%dT%H:%M:%SZ}); issue them again (pki_info lists them with status: left), "
        "or go on without them with leave_behind: true, which revokes them"
    )
    again = issue(directory, key)
    assert again.reasons == ("another CA issued it",)
    assert certificates.issuer_key_id(again.certificate) == found.issuing.key_id

    found, done = roll(directory, "cut_over")
    assert done == ["issuing-1 is cut over"]
    assert names_in(found.bundle) == ["Test Root CA", "Test Issuing CA", "Test Issuing CA 2"]

    found, done = roll(directory, "retire")
    assert done == ["issuing-1 is retired and leaves the bundle"]
    assert phases(found) == {"root-1": "signing", "issuing-1": "retired", "issuing-2": "signing"}
    assert names_in(found.bundle) == ["Test Root CA", "Test Issuing CA 2"]
    assert not issue(directory, key).issued


def test_a_root_is_replaced_with_the_issuing_ca_below_it(directory, tmp_path):
    key = keys.generate("ec-p256")
    before = authority.load(directory)
    issue(directory, key)
    found, done = roll(directory, "introduce", of="root")
    assert done == ["root-2 is introduced", "issuing-2 is introduced"]
    assert names_in(found.bundle) == ["Test Root CA", "Test Root CA 2", "Test Issuing CA", "Test Issuing CA 2"]
    found, _done = roll(directory, "reissue", of="root")
    assert names_in(found.chain) == ["Test Issuing CA 2", "Test Root CA 2"]
    new = issue(directory, key).certificate
    # Who has only the old root accepts it because of the cross-certificate, who has only the new one without it.
    old_root, new_root = (certificates.to_pem(ca.certificate) for ca in (before.root, found.root))
    alone = certificates.to_pem(found.issuing.certificate)
    assert verify(tmp_path, new, roots=old_root, chain=found.chain)[0] == 0
    assert verify(tmp_path, new, roots=old_root, chain=alone)[0] == 2
    assert verify(tmp_path, new, roots=new_root, chain=found.chain)[0] == 0
    assert verify(tmp_path, new, roots=new_root, chain=alone)[0] == 0
    roll(directory, "cut_over", of="root")
    found, _done = roll(directory, "retire", of="root")
    assert phases(found) == {
        "root-1": "retired",
        "root-2": "signing",
        "issuing-1": "retired",
        "issuing-2": "signing",
    }
    assert names_in(found.bundle) == ["Test Root CA 2", "Test Issuing CA 2"]
    assert names_in(found.chain) == ["Test Issuing CA 2"]


def test_every_phase_has_the_lists_that_openssl_needs_for_all_that_is_trusted(directory, tmp_path):
    key = keys.generate("ec-p256")
    old = issue(directory, key).certificate
    expected = ["root-1", "root-2", "issuing-1", "issuing-2"]
    for phase in PHASES[:3]:
        found, _done = roll(directory, phase, of="root")
        lists = publish_lists(found, tmp_path / "www")
        assert list(lists) == expected
        current = issue(directory, key).certificate
        for certificate in (old, current):
            assert verify(tmp_path, certificate, roots=found.bundle, chain="", lists=lists.values())[0] == 0
    found, _done = roll(directory, "retire", of="root")
    lists = publish_lists(found, tmp_path / "www")
    assert list(lists) == ["root-2", "issuing-2"]
    assert verify(tmp_path, current, roots=found.bundle, chain="", lists=lists.values())[0] == 0
    assert verify(tmp_path, old, roots=found.bundle, chain="", lists=lists.values())[0] == 2


def test_a_retired_issuing_ca_is_on_its_roots_list_since_the_root_is_still_trusted(directory, tmp_path):
    old = issue(directory, keys.generate("ec-p256")).certificate
    before = authority.load(directory)
    found = roll_to(directory, "retire")
    lists = publish_lists(found, tmp_path / "www")
    assert list(lists) == ["root-1", "issuing-2"]
    everything = [*lists.values(), (tmp_path / "www/crl/issuing-1.crl.pem").read_bytes()]
    code, text = verify(tmp_path, old, roots=found.bundle, chain=before.chain, lists=everything)
    assert code == 2
    assert "certificate revoked" in text


def test_the_list_of_a_retired_ca_is_published_until_its_last_certificate_has_ended(directory, tmp_path):
    issue(directory, keys.generate("ec-p256"))
    found = roll_to(directory, "retire")
    published = tmp_path / "www/crl/issuing-1.crl"
    publish_lists(found, tmp_path / "www")
    first = published.read_bytes()
    publish_lists(found, tmp_path / "www", now=NOW + 60 * DAY)
    assert published.read_bytes() != first
    publish_lists(found, tmp_path / "www", now=NOW + 100 * DAY)
    assert not published.exists()


def test_a_retired_ca_whose_key_was_destroyed_early_holds_up_nobody_and_one_that_signs_does(directory, tmp_path):
    issue(directory, keys.generate("ec-p256"))
    found = roll_to(directory, "retire")
    (directory / "issuing-1/key.pem").unlink()
    assert list(publish_lists(found, tmp_path / "www")) == ["root-1", "issuing-2"]
    (directory / "issuing-2/key.pem").unlink()
    assert refusal(publish_lists, found, tmp_path / "www", now=NOW + 6 * DAY) == (authority.offline(found.issuing))


def test_what_is_left_behind_is_revoked_and_what_was_replaced_is_not(directory):
    replaced, lost = keys.generate("ec-p256"), keys.generate("ec-p256")
    issue(directory, replaced)
    serial = certificates.serial_hex(issue(directory, lost, "lost.example.com").certificate.serial_number)
    roll_to(directory, "reissue")
    issue(directory, replaced)
    _found, done = roll(directory, "cut_over", leave_behind=True)
    assert done == ["issuing-1 is cut over", f"server lost.example.com is left behind: {serial} is revoked"]
    rows = samples.sql(
        directory / "ledger.sqlite", "SELECT serial, revoke_reason FROM certificate WHERE status = 'revoked'"
    )
    assert [tuple(row) for row in rows] == [(serial, "superseded")]


def test_the_module_lists_what_is_left_and_who_issued_it(directory):
    kept, due = keys.generate("ec-p256"), keys.generate("ec-p256")
    issue(directory, kept)
    issue(directory, due, "due.example.com")
    roll_to(directory, "reissue")
    issue(directory, kept)
    asked = {"directory": str(directory), "common_name": None, "serial": None, "profiles": [], "expires_within": None}
    found = pki_info.ensure({**asked, "status": "left"}, check_mode=False)
    assert [(one["common_name"], one["ca"]) for one in found["certificates"]] == [("due.example.com", "issuing-1")]
    assert found["rollover"] == {
        "of": "issuing",
        "phase": "reissue",
        "next_phase": "cut_over",
        "old": ["issuing-1"],
        "new": ["issuing-2"],
        "left": 1,
        "cancelled": False,
    }
    assert [(ca["name"], ca["phase"], ca["key"]) for ca in found["cas"]] == [
        ("root-1", "signing", True),
        ("issuing-1", "replaced", True),
        ("issuing-2", "signing", True),
    ]


def test_an_expired_certificate_is_not_left(directory):
    issue(directory, keys.generate("ec-p256"))
    roll_to(directory, "reissue")
    found = authority.load(directory)
    with found.open_ledger() as book:
        assert len(rollover.left(found, book, now=NOW)) == 1
        assert rollover.left(found, book, now=NOW + 91 * DAY) == []


def test_each_phase_is_reached_once(directory):
    for phase in PHASES:
        assert roll(directory, phase)[1]
        assert roll(directory, phase)[1] == []


def test_after_a_rollover_another_one_can_begin(directory):
    roll_to(directory, "retire")
    roll_to(directory, "retire", of="root")
    found = roll_to(directory, "introduce", now=NOW + DAY)
    assert phases(found) == {
        "root-1": "retired",
        "root-2": "signing",
        "issuing-1": "retired",
        "issuing-2": "retired",
        "issuing-3": "signing",
        "issuing-4": "introduced",
    }


def test_a_retired_ca_may_be_destroyed(directory):
    issue(directory, keys.generate("ec-p256"))
    roll_to(directory, "retire", of="root")
    shutil.rmtree(directory / "root-1")
    shutil.rmtree(directory / "issuing-1")
    assert authority.load(directory).issuing.name == "issuing-2"


def test_a_ca_that_signs_is_never_taken_for_one_that_was_not_made_yet(directory):
    issue(directory, keys.generate("ec-p256"))
    roll_to(directory, "reissue")
    shutil.rmtree(directory / "issuing-2")
    assert refusal(authority.missing, directory) == (
        f"{directory}/issuing-2 is missing, but the ledger knows 1 certificates that were issued: "
        "restore the CA directory from a backup"
    )


@pytest.mark.parametrize(
    ("reached", "asked", "expected"),
    [
        ("", "reissue", "there is no rollover to reissue: begin one with the phase introduce"),
        (
            "introduce", "cut_over",
            "the rollover to issuing-2 is in the phase introduce, cut_over would skip reissue: run that first",
        ),
        (
            "reissue", "retire",
            "the rollover to issuing-2 is in the phase reissue, retire would skip cut_over: run that first",
        ),
        (
            "reissue", "introduce",
            "the rollover to issuing-2 is in the phase reissue and does not go back to introduce: go on with cut_over",
        ),
        (
            "retire", "reissue",
            "there is no rollover to reissue: the last one is complete; begin one with the phase introduce",
        ),
    ],
)  # fmt: skip
def test_a_phase_out_of_its_order_is_refused(directory, reached, asked, expected):
    if reached:
        roll_to(directory, reached)
    before = phases(authority.load(directory))
    assert refusal(roll, directory, asked, leave_behind=True) == expected
    assert phases(authority.load(directory)) == before


@pytest.mark.parametrize("of", ["issuing", "root"])
def test_a_ca_that_was_only_introduced_is_cancelled_for_good(directory, tmp_path, of):
    key = keys.generate("ec-p256")
    before = authority.load(directory)
    certificate = issue(directory, key).certificate
    introduced = roll_to(directory, "introduce", of=of)
    publish_lists(introduced, tmp_path / "www")
    new = rollover.status(introduced).new
    # Whatever `of` is: there is one at most.
    found, done = roll(directory, rollover.CANCEL, of="issuing")
    assert done == [f"{' and '.join(ca.name for ca in new)} is cancelled and leaves the bundle"]
    assert {ca.phase for ca in found.cas if ca.name in [one.name for one in new]} == {"cancelled"}
    assert (found.bundle, found.chain) == (before.bundle, before.chain)
    assert rollover.facts(found, now=NOW) == {}
    assert not issue(directory, key).issued
    # The root that is still trusted certified it, and so everything that its key could sign: the list says so.
    lists = publish_lists(found, tmp_path / "www")
    assert list(lists) == ["root-1", "issuing-1"]
    revoked = {entry.serial for entry in crl.read((tmp_path / "www/crl/root-1.crl").read_bytes()).entries}
    one = new[0].cross if of == "root" else new[0].certificate
    assert revoked == {certificates.serial_hex(one.serial_number)}
    assert verify(tmp_path, certificate, roots=found.bundle, chain="", lists=lists.values())[0] == 0
    assert roll(directory, rollover.CANCEL)[1] == []
    # It may be destroyed, and its name is not used again while it is there.
    found, done = roll(directory, "introduce")
    assert done == ["issuing-3 is introduced"]


def test_a_ca_that_signed_already_is_cancelled_by_changing_places(directory, tmp_path):
    kept, due = keys.generate("ec-p256"), keys.generate("ec-p256")
    before = authority.load(directory)
    issue(directory, kept)
    issue(directory, due, "due.example.com")
    roll_to(directory, "reissue", of="root")
    issue(directory, kept)
    serial = certificates.serial_hex(issue(directory, due, "due.example.com").certificate.serial_number)

    found, done = roll(directory, rollover.CANCEL)
    assert done == ["back to root-1 and issuing-1, certificates of root-2 and issuing-2 are due: 2"]
    assert phases(found) == {
        "root-1": "signing", "root-2": "replaced", "issuing-1": "signing", "issuing-2": "replaced",
    }  # fmt: skip
    assert found.chain == before.chain
    assert roll(directory, rollover.CANCEL)[1] == []
    state = rollover.facts(found, now=NOW)
    assert state == {
        "of": "root",
        "phase": "reissue",
        "next_phase": "cut_over",
        "old": ["root-2", "issuing-2"],
        "new": ["root-1", "issuing-1"],
        "left": 2,
        "cancelled": True,
    }
    # What the old CA had issued before is no replacement: who has the new certificate needs another one.
    assert refusal(roll, directory, "cut_over", of="root").startswith("certificates of issuing-2 that are in use")
    again = issue(directory, kept)
    assert again.reasons == ("another CA issued it",)
    assert certificates.issuer_key_id(again.certificate) == before.issuing.key_id
    found, done = roll(directory, "cut_over", of="root", leave_behind=True)
    assert done[1:] == [f"server due.example.com is left behind: {serial} is revoked"]
    found, _done = roll(directory, "retire", of="root")
    assert found.bundle == before.bundle
    assert roll(directory, rollover.CANCEL)[1] == []
    lists = publish_lists(found, tmp_path / "www")
    cross = certificates.serial_hex(authority.load(directory).cas[1].cross.serial_number)
    assert cross in {entry.serial for entry in crl.read((tmp_path / "www/crl/root-1.crl").read_bytes()).entries}
    assert verify(tmp_path, again.certificate, roots=found.bundle, chain="", lists=lists.values())[0] == 0
    assert roll(directory, "introduce")[1] == ["issuing-3 is introduced"]


def test_a_certificate_that_outlives_the_ones_of_a_cancelled_ca_is_issued_again_once(directory):
    key = keys.generate("ec-p256")
    old = issue(directory, key, lifetime=90 * DAY).certificate
    roll_to(directory, "reissue")
    new = issue(directory, key, lifetime=30 * DAY).certificate
    assert certificates.not_after(new) < certificates.not_after(old)
    assert not issue(directory, key, lifetime=30 * DAY).issued
    _found, done = roll(directory, rollover.CANCEL)
    # The first one is of the CA that stays and was replaced: nobody uses it any more.
    assert done == ["back to issuing-1, certificates of issuing-2 are due: 1"]
    assert issue(directory, key, lifetime=30 * DAY).reasons == ("another CA issued it",)
    assert not issue(directory, key, lifetime=30 * DAY).issued
    _found, done = roll(directory, "cut_over")
    assert done == ["issuing-2 is cut over"]


def test_an_interrupted_introduction_can_be_cancelled(directory, monkeypatch):
    def fail(*_arguments, **_named):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(authority, "add_issuing", fail)
        with pytest.raises(KeyboardInterrupt):
            roll(directory, "introduce", of="root")
    found, done = roll(directory, rollover.CANCEL)
    assert done == ["root-2 is cancelled and leaves the bundle"]
    assert names_in(found.bundle) == ["Test Root CA", "Test Issuing CA"]


def test_a_cancelled_ca_may_be_destroyed(directory):
    issue(directory, keys.generate("ec-p256"))
    roll_to(directory, "introduce", of="root")
    roll(directory, rollover.CANCEL)
    shutil.rmtree(directory / "root-2")
    shutil.rmtree(directory / "issuing-2")
    assert authority.load(directory).issuing.name == "issuing-1"


@pytest.mark.parametrize(
    ("reached", "expected"),
    [
        ("", "there is no rollover to cancel"),
        (
            "cut_over",
            (
                "the rollover to issuing-2 is in the phase cut_over, what was left behind is revoked: it cannot be "
                "cancelled, go on with retire"
            ),
        ),
        ("retire", "there is no rollover to cancel"),
    ],
)
def test_what_cannot_be_cancelled_is_refused(directory, reached, expected):
    if reached:
        roll_to(directory, reached)
    before = phases(authority.load(directory))
    assert refusal(roll, directory, rollover.CANCEL) == expected
    assert phases(authority.load(directory)) == before


def test_a_rollover_is_not_cancelled_to_a_key_that_is_gone(directory):
    roll_to(directory, "reissue")
    (directory / "issuing-1/key.pem").unlink()
    found = authority.load(directory)
    assert refusal(roll, directory, rollover.CANCEL) == authority.offline(rollover.status(found).old[0])
    assert phases(authority.load(directory)) == phases(found)


@pytest.mark.parametrize("reached", ["introduce", "reissue"])
def test_a_rollover_whose_cancelling_is_killed_anywhere_is_cancelled_by_the_next_run(
    template, tmp_path, killed_at, boundaries, reached
):
    start = shutil.copytree(template, tmp_path / "start")
    leaf = issue(start, keys.generate("ec-p256")).certificate
    roll_to(start, reached, of="root")
    trial = shutil.copytree(start, tmp_path / "trial")
    numbers = boundaries(lambda: roll(trial, rollover.CANCEL))
    ended = phases(authority.load(trial))
    for number in numbers:
        directory = shutil.copytree(start, tmp_path / "pki")
        killed_at(number, lambda directory=directory: roll(directory, rollover.CANCEL))
        assert phases(authority.load(directory)) in (phases(authority.load(start)), ended)
        found, _done = roll(directory, rollover.CANCEL)
        assert phases(found) == ended
        with found.open_ledger() as book:
            book.check()
            assert book.certificate(certificates.serial_hex(leaf.serial_number)) == leaf
        shutil.rmtree(directory)
    assert len(numbers) > 30


def test_two_rollovers_at_once_are_refused(directory):
    roll_to(directory, "introduce")
    assert refusal(roll, directory, "introduce", of="root") == (
        "a rollover of the issuing CA is under way (issuing-1 to issuing-2, phase introduce): "
        "finish it before one of the root CA begins"
    )


def test_a_root_key_that_is_offline_is_named_and_nothing_changes(directory):
    (directory / "root-1/key.pem").unlink()
    before = sorted(directory.rglob("*"))
    for of in ("issuing", "root"):
        assert refusal(roll, directory, "introduce", of=of) == authority.offline(authority.load(directory).root)
    assert sorted(directory.rglob("*")) == before
    # Without a cross-certificate the old root has nothing to sign.
    found, _done = roll(directory, "introduce", of="root", cross_certificate=False)
    assert found.cas[1].cross is None


def test_a_wrong_passphrase_is_found_before_the_new_ca_signs(directory):
    roll_to(directory, "introduce")
    wrong = dataclasses.replace(samples.wanted(), issuing_passphrase=Passphrase("another passphrase", "passphrase"))
    assert refusal(roll, directory, "reissue", wanted=wrong) == (
        f"{directory}/issuing-2/key.pem cannot be opened: the passphrase is wrong, check passphrase"
    )
    assert rollover.status(authority.load(directory)).phase == "introduce"


def test_a_wrong_root_passphrase_introduces_nothing(directory):
    wrong = dataclasses.replace(samples.wanted(), root_passphrase=Passphrase("another passphrase", "root_passphrase"))
    assert refusal(roll, directory, "introduce", wanted=wrong) == (
        f"{directory}/root-1/key.pem cannot be opened: the passphrase is wrong, check root_passphrase"
    )
    assert rollover.status(authority.load(directory)) == rollover.Status()


def test_a_short_passphrase_encrypts_no_new_key(directory):
    short = dataclasses.replace(samples.wanted(), issuing_passphrase=Passphrase("short", "passphrase"))
    assert refusal(roll, directory, "introduce", wanted=short) == (
        "passphrase has 5 characters: use 12 or more, generated at random (for example: openssl rand -base64 24)"
    )
    assert not (directory / "issuing-2").exists()


def test_a_clock_that_was_set_back_moves_nothing(directory):
    roll_to(directory, "introduce")
    assert refusal(roll, directory, "reissue", now=NOW - DAY) == (
        f"root-1 is signing since {NOW:%Y-%m-%dT%H:%M:%SZ}, it is {NOW - DAY:%Y-%m-%dT%H:%M:%SZ} here: set the clock"
    )


def test_an_old_root_that_allows_one_ca_below_it_is_told_before_it_certifies_another_root(tmp_path, monkeypatch):
    profile = dataclasses.replace(samples.profiles.get("root"), path_length=1)
    directory = tmp_path / "pki"
    authority.create(directory, samples.wanted(profile=profile), now=NOW)
    assert refusal(roll, directory, "introduce", of="root") == (
        "root-1 allows 1 CA below it, so it cannot certify a new root with an issuing CA: set "
        "cross_certificate: false, and give every client the new bundle before the phase reissue"
    )
    assert not (directory / "root-2").exists()


def test_a_ledger_from_before_phases_is_the_first_generation(directory):
    samples.sql(directory / "ledger.sqlite", "DROP TABLE authority")
    assert phases(authority.load(directory)) == {"root-1": "signing", "issuing-1": "signing"}
    found = roll_to(directory, "reissue")
    assert phases(found) == {"root-1": "signing", "issuing-1": "replaced", "issuing-2": "signing"}


def test_a_ledger_that_is_older_than_a_ca_is_noticed(directory, tmp_path):
    old = shutil.copy(directory / "ledger.sqlite", tmp_path / "old.sqlite")
    roll_to(directory, "introduce")
    shutil.copy(old, directory / "ledger.sqlite")
    assert refusal(authority.load, directory) == (
        f"{directory}/issuing-2 is not known to the ledger: restore the whole CA directory from one backup"
    )


@pytest.mark.parametrize("phase", PHASES)
def test_a_phase_that_is_killed_anywhere_is_completed_by_the_next_run(template, tmp_path, killed_at, phase):
    start = shutil.copytree(template, tmp_path / "start")
    leaf = issue(start, keys.generate("ec-p256")).certificate
    if phase != "introduce":
        roll_to(start, PHASES[PHASES.index(phase) - 1], of="root")
    number, kills = 0, 0
    step = 61 if phase == "introduce" else 17
    while True:
        directory = shutil.copytree(start, tmp_path / f"pki-{number}")
        killed = killed_at(
            number, lambda directory=directory: roll(directory, phase, of="root", leave_behind=phase != "introduce")
        )
        kills += killed
        # Whatever was reached, the CA can be read and can sign, and who was certified is known.
        found = authority.load(directory)
        assert names_in(found.bundle)
        found, _done = roll(directory, phase, of="root", leave_behind=phase != "introduce")
        assert rollover.status(found).phase == phase
        with found.open_ledger() as book:
            book.check()
            assert book.certificate(certificates.serial_hex(leaf.serial_number)) == leaf
            for ca in found.cas:
                for certificate in filter(None, (ca.certificate, ca.cross)):
                    assert book.certificate(certificates.serial_hex(certificate.serial_number)) == certificate
                if ca.trusted:
                    ca.unlock(samples.ROOT_PASSPHRASE if ca.kind == "root" else samples.PASSPHRASE)
        assert not [path for path in directory.iterdir() if path.name.endswith(".new")]
        shutil.rmtree(directory)
        if not killed:
            break
        number += step
    assert kills > 20


def test_an_interrupted_introduction_is_completed_before_anything_signs(directory, monkeypatch):
    def fail(*_arguments, **_named):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(authority, "add_issuing", fail)
        with pytest.raises(KeyboardInterrupt):
            roll(directory, "introduce", of="root")
    assert phases(authority.load(directory))["root-2"] == "introduced"
    assert refusal(roll, directory, "reissue", of="root") == (
        "the introduction of root-2 was interrupted: run the phase introduce again"
    )
    _found, done = roll(directory, "introduce", of="root")
    assert done == ["issuing-2 is introduced"]


def test_runs_side_by_side_introduce_one_ca(directory):
    program = (
        "import datetime as dt, pki_samples as samples; from pathlib import Path;"
        "from ansible_collections.bulwark.mqtt.plugins.module_utils._pki import authority, rollover;"
        f"rollover.advance(authority.load(Path({str(directory)!r})), rollover.Goal(of='root', phase='introduce'),"
        " samples.wanted(), now=dt.datetime.now(dt.UTC))"
    )
    samples.side_by_side([program, program, program])
    found = authority.load(directory)
    assert [ca.name for ca in found.cas] == ["root-1", "root-2", "issuing-1", "issuing-2"]


def test_a_certificate_is_not_signed_by_a_ca_that_another_run_has_just_replaced(directory):
    stale = authority.load(directory)
    roll_to(directory, "reissue")
    assert refusal(samples.issue_at, stale, samples.request(), now=NOW) == (
        f"{directory}: another run made issuing-2 sign in the place of issuing-1; run again"
    )
