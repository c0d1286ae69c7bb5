# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mosquitto's password file: its format, its stable salts, what it cannot hold."""

from __future__ import annotations

import itertools

import pytest
from ansible_collections.bulwark.mqtt.plugins.module_utils import _password_file
from ansible_collections.bulwark.mqtt.plugins.module_utils._mosquitto_passwords import FORM, entry
from ansible_collections.bulwark.mqtt.plugins.module_utils._password_file import PasswordFileError, Rendered, User

# Written by mosquitto_passwd 2.0.11 for the password `pw`.
REAL = (
    "$7$101$BUDl+y6cJqUoIXpo$66JFk9hw57OhsO7GUPFXSn7VzerFfFNC4NTtnKiw4In4tN0haHlxz9m3tUOtF6T8OfbREBKYULBMKMte0cy8uw=="
)
ALICE, BOB = User("alice", "first secret"), User("bob", "second secret")


@pytest.fixture
def salt():
    """Salts that count, so that a fresh one shows."""
    numbers = itertools.count(1)
    return lambda size: next(numbers).to_bytes(size, "big")


def render(**options):
    return _password_file.render(FORM, **options)


def file_of(*users, salt, iterations=1000):
    return render(users=list(users), existing="", iterations=iterations, salt=salt).content


def test_what_mosquitto_passwd_wrote_is_recognized():
    assert FORM.fits(REAL, password="pw", iterations=101)
    assert not FORM.fits(REAL, password="pW", iterations=101)
    assert not FORM.fits(REAL, password="pw", iterations=102)


def test_what_mosquitto_passwd_wrote_is_kept(salt):
    rendered = render(users=[User("x", "pw")], existing=f"x:{REAL}\n", iterations=101, salt=salt)
    assert rendered == Rendered(content=f"x:{REAL}\n", reasons=())


def test_a_second_run_changes_nothing(salt):
    existing = file_of(ALICE, BOB, salt=salt)
    again = render(users=[ALICE, BOB], existing=existing, iterations=1000, salt=salt)
    assert again == Rendered(content=existing, reasons=())


@pytest.mark.parametrize(
    ("users", "iterations", "reasons"),
    [
        pytest.param(
            [User("alice", "other"), BOB],
            1000,
            ["alice: the password or the length of the salt differs"],
            id="password",
        ),
        pytest.param([ALICE], 1000, ["bob: removed"], id="removed"),
        pytest.param([ALICE, BOB, User("carol", "third")], 1000, ["carol: new"], id="new"),
        pytest.param([BOB, ALICE], 1000, ["order or comments differ"], id="order"),
        pytest.param(
            [ALICE, BOB],
            2000,
            ["alice: 1000 iterations become 2000", "bob: 1000 iterations become 2000"],
            id="iterations",
        ),
    ],
)
def test_every_difference_is_a_reason_and_touches_only_its_line(salt, users, iterations, reasons):
    existing = file_of(ALICE, BOB, salt=salt)
    rendered = render(users=users, existing=existing, iterations=iterations, salt=salt)
    assert list(rendered.reasons) == reasons
    untouched = {user.name for user in users} - {reason.partition(":")[0] for reason in reasons}
    for name in untouched & {"alice", "bob"}:
        assert FORM.read(rendered.content)[name] == FORM.read(existing)[name]
    assert [line.partition(":")[0] for line in rendered.content.splitlines()] == [user.name for user in users]


@pytest.mark.parametrize(
    "stored",
    ["$6$c2FsdA==$aGFzaA==", "$argon2id$v=19$m=47104,t=1,p=1$c2FsdA$aGFzaA", "$7$0$YQ==$YQ==", "$7$1000$a$b", "clear"],
    ids=["sha512", "argon2id", "no-iterations", "broken-base64", "clear"],
)
def test_another_kind_of_hash_is_replaced(salt, stored):
    rendered = render(users=[ALICE], existing=f"alice:{stored}\n", iterations=1000, salt=salt)
    assert len(rendered.reasons) == 1
    assert FORM.fits(FORM.read(rendered.content)["alice"], password=ALICE.password, iterations=1000)


def test_a_salt_that_2_0_cannot_read_is_replaced(salt):
    long = entry(password=ALICE.password, iterations=1000, salt=bytes(64))
    assert render(users=[ALICE], existing=f"alice:{long}\n", iterations=1000, salt=salt).reasons


def test_nobody_is_an_empty_file(salt):
    assert render(users=[], existing="", iterations=1000, salt=salt) == Rendered(content="", reasons=())


@pytest.mark.parametrize(
    ("user", "message"),
    [
        (User("", "p"), "users[1] (''): the name is empty"),
        (
            User("a:b", "p"),
            "users[1] ('a:b'): the name contains a colon, a line break or a NUL, which end it in the file",
        ),
        (
            User("a\nb", "p"),
            "users[1] ('a\\nb'): the name contains a colon, a line break or a NUL, which end it in the file",
        ),
        (User("#a", "p"), "users[1] ('#a'): the name begins with #, which makes the line a comment"),
        (User(" a", "p"), "users[1] (' a'): the name begins or ends with a blank, which the broker strips"),
        (User("ü" * 32768, "p"), f"users[1] ({'ü' * 32768!r}): the name is longer than 65535 bytes, the limit of MQTT"),
        (User("alice", "p"), "users[1] ('alice'): the name is there twice"),
        (User("b", ""), "users[1] ('b'): the password is empty"),
        (User("b", "secret\0"), "users[1] ('b'): the password contains a NUL, at which the broker stops reading"),
        (User("b", "x" * 65536), "users[1] ('b'): the password is longer than 65535 bytes, the limit of MQTT"),
    ],
    ids=["no-name", "colon", "line-break", "comment", "blank", "long-name", "twice", "no-password", "nul", "long"],
)
def test_what_the_file_cannot_hold_is_an_error_that_names_the_entry(salt, user, message):
    with pytest.raises(PasswordFileError) as caught:
        render(users=[ALICE, user], existing="", iterations=1000, salt=salt)
    assert str(caught.value) == message


def test_no_iterations_are_an_error(salt):
    with pytest.raises(PasswordFileError) as caught:
        render(users=[ALICE], existing="", iterations=0, salt=salt)
    assert str(caught.value) == "iterations is 0; the broker refuses less than 1"
