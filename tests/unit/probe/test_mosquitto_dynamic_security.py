# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import hashlib
import json

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.bulwark.mqtt.plugins.filter.mosquitto_dynamic_security import FilterModule

make = FilterModule().filters()["mosquitto_dynamic_security"]


def test_the_one_client_has_the_password_and_the_role_to_administer() -> None:
    data = json.loads(make("a long password", "admin", iterations=7))
    client = data["clients"][0]
    expected = hashlib.pbkdf2_hmac("sha512", b"a long password", base64.b64decode(client["salt"]), 7, dklen=64)
    assert (client["username"], client["iterations"]) == ("admin", 7)
    assert base64.b64decode(client["password"]) == expected
    assert client["roles"] == [{"rolename": "admin"}]
    assert len(data["clients"]) == 1


def test_a_client_that_nothing_is_said_about_may_not_publish_or_subscribe() -> None:
    access = json.loads(make("a long password", "admin"))["defaultACLAccess"]
    assert (access["publishClientSend"], access["subscribe"]) == (False, False)


def test_every_file_has_a_salt_of_its_own() -> None:
    assert make("a long password", "admin") != make("a long password", "admin")


def test_an_empty_password_is_refused() -> None:
    with pytest.raises(
        AnsibleFilterError, match=r"^mosquitto_dynamic_security: users\[0\] \('admin'\): the password is"
    ):
        make("", "admin")
