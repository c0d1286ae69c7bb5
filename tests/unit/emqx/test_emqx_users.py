# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""EMQX's file of users: its form, its stable salts, whom it cannot hold."""

from __future__ import annotations

import itertools
import json

import pytest
from ansible_collections.bulwark.mqtt.plugins.module_utils import _password_file
from ansible_collections.bulwark.mqtt.plugins.module_utils._emqx_users import FORM
from ansible_collections.bulwark.mqtt.plugins.module_utils._password_file import PasswordFileError, User

ALICE, BOB = User("alice", "first secret"), User('bob, "the second"', "second secret")
# openssl kdf -keylen 64 -kdfopt digest:SHA512 -kdfopt pass:pw -kdfopt salt:salt -kdfopt iter:1000 PBKDF2
OF_OPENSSL = (
    "dba2956d5d8f05e6f06dc9732ca6037d32a4fcbcdde4b35e62594b632d059275a4612b69ad28703b5340833cb47d99636d088ef65309684a"
    "c39b5c45372b025e"
)


@pytest.fixture
def salt():
    """Salts that count, so that a fresh one shows."""
    numbers = itertools.count(1)
    return lambda size: next(numbers).to_bytes(size, "big")


def render(*users, existing="", iterations=1000, salt):
    return _password_file.render(FORM, users=list(users), existing=existing, iterations=iterations, salt=salt)


def test_a_user_has_what_emqx_reads_and_is_no_superuser(salt):
    [alice] = json.loads(render(ALICE, salt=salt).content)
    assert (alice["user_id"], alice["salt"], alice["is_superuser"]) == ("alice", "0" * 31 + "1", False)
    assert set(alice) == {"user_id", "password_hash", "salt", "is_superuser"}
    assert len(alice["password_hash"]) == 128


def test_the_hash_is_that_of_openssl():
    stored = {"password_hash": OF_OPENSSL, "salt": "salt"}
    assert FORM.fits(stored, password="pw", iterations=1000)
    assert not FORM.fits(stored, password="pW", iterations=1000)
    assert not FORM.fits(stored, password="pw", iterations=1001)


def test_a_second_run_changes_nothing(salt):
    first = render(ALICE, BOB, salt=salt)
    again = render(ALICE, BOB, existing=first.content, salt=salt)
    assert (again.content, again.reasons) == (first.content, ())


@pytest.mark.parametrize(
    ("users", "iterations", "reasons"),
    [
        ([User("alice", "other"), BOB], 1000, ["alice: the password or the number of iterations differs"]),
        ([BOB], 1000, ["alice: removed"]),
        ([ALICE, BOB, User("carol", "third")], 1000, ["carol: new"]),
        ([BOB, ALICE], 1000, ["order or comments differ"]),
        ([BOB], 2000, [f"{BOB.name}: the password or the number of iterations differs", "alice: removed"]),
    ],
    ids=["password", "removed", "new", "order", "iterations"],
)
def test_every_difference_is_a_reason(salt, users, iterations, reasons):
    existing = render(ALICE, BOB, salt=salt).content
    assert list(render(*users, existing=existing, iterations=iterations, salt=salt).reasons) == reasons


@pytest.mark.parametrize("existing", ["{", '{"a": 1}', '[{"user_id": "alice"}]', "[1]"])
def test_a_file_of_another_kind_is_replaced(salt, existing):
    rendered = render(ALICE, existing=existing, salt=salt)
    assert rendered.reasons == ("alice: new",)
    assert rendered.content == render(ALICE, salt=lambda size: (1).to_bytes(size, "big")).content


def test_nobody_is_an_empty_list(salt):
    rendered = render(salt=salt)
    assert (rendered.content, rendered.reasons) == ("[]\n", ("there is no file yet",))


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("a/b", "users[1] ('a/b'): the name contains +, # or /, and a client with such a name may do nothing"),
        ("+", "users[1] ('+'): the name contains +, # or /, and a client with such a name may do nothing"),
        ("a\nb", "users[1] ('a\\nb'): the name contains a control character, which MQTT does not allow"),
        ("alice", "users[1] ('alice'): the name is there twice"),
    ],
)
def test_whom_the_file_cannot_hold_is_an_error_that_names_the_entry(salt, name, problem):
    with pytest.raises(PasswordFileError) as caught:
        render(ALICE, User(name, "p"), salt=salt)
    assert str(caught.value) == problem
