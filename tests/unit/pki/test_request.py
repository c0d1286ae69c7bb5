# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime as dt
import os

import pki_samples as samples
import pytest
from ansible_collections.bulwark.mqtt.plugins.module_utils import _request
from ansible_collections.bulwark.mqtt.plugins.module_utils._host.lineage import Lineage
from ansible_collections.bulwark.mqtt.plugins.module_utils._pki import authority, build, certificates, keys

NAMES = ["a.example.com", "192.0.2.1"]


@pytest.fixture(name="lineage")
def fixture_lineage(tmp_path):
    return Lineage(str(tmp_path / "store"), "mqtt")


def make(lineage, *, now=samples.NOW, write=True, **changes):
    parts = {"profile": "server", "common_name": None, "alternative_names": NAMES, "key_type": "ec-p256"}
    return _request.make(lineage, **{**parts, **changes}, now=now, write=write)


def install(lineage, directory, request):
    """What tls_install does with the certificate for a request, as far as the key is concerned."""
    (result,) = samples.issue_at(authority.load(directory), samples.request(csr=request.csr))
    version = os.path.join(lineage.path, "versions", "1")
    os.makedirs(version)
    os.rename(lineage.pending_key, os.path.join(version, "privkey.pem"))
    with open(os.path.join(version, "cert.pem"), "w", encoding="ascii") as stream:
        stream.write(certificates.to_pem(result.certificate))
    os.symlink("versions/1", lineage.current)


def key_of(request):
    return keys.fingerprint(build.public_key_of_request(request.csr))


def test_the_first_request_makes_a_key_that_only_its_owner_can_read(lineage):
    request = make(lineage)
    assert request.reasons == ("there is no key yet",)
    assert os.stat(lineage.pending_key).st_mode & 0o777 == 0o600
    assert os.stat(os.path.dirname(lineage.pending_key)).st_mode & 0o777 == 0o700
    assert "PRIVATE KEY" not in request.csr


def test_a_key_that_waits_for_its_certificate_is_used_again(lineage):
    first, second = make(lineage), make(lineage)
    assert second.reasons == ()
    assert key_of(second) == key_of(first)


def test_the_installed_key_is_used_as_long_as_its_certificate_is_good(lineage, directory):
    first = make(lineage)
    install(lineage, directory, first)
    second = make(lineage)
    assert second.reasons == ()
    assert key_of(second) == key_of(first)
    assert not os.path.exists(lineage.pending_key)


def test_a_pending_key_that_is_installed_already_does_not_keep_an_old_key_alive(lineage, directory):
    install(lineage, directory, make(lineage))
    with open(os.path.join(lineage.current, "privkey.pem"), "rb") as stream:
        pem = stream.read()
    with open(lineage.pending_key, "wb") as stream:
        stream.write(pem)
    assert make(lineage, now=samples.NOW + dt.timedelta(days=60)).reasons != ()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param(
            {"now": samples.NOW + dt.timedelta(days=60)},
            "one third of the lifetime or less is left: it expires at 2027-02-21T11:59:59Z",
            id="due",
        ),
        pytest.param(
            {"alternative_names": ["a.example.com"]},
            "names differ: it has a.example.com, 192.0.2.1, wanted is a.example.com",
            id="names",
        ),
        pytest.param({"key_type": "ed25519"}, "key type differs: it has ec-p256, wanted is ed25519", id="key-type"),
    ],
)
def test_a_certificate_that_drifted_gets_a_new_key_beside_the_one_in_use(lineage, directory, changes, reason):
    first = make(lineage)
    install(lineage, directory, first)
    predicted = make(lineage, write=False, **changes)
    assert (predicted.csr, predicted.reasons) == ("", (reason,))
    assert not os.path.exists(lineage.pending_key)
    second = make(lineage, **changes)
    assert second.reasons == (reason,)
    assert key_of(second) != key_of(first)
    assert os.path.exists(os.path.join(lineage.current, "privkey.pem"))


@pytest.mark.parametrize("name", ["privkey.pem", "cert.pem"])
def test_installed_files_that_cannot_be_read_are_a_reason(lineage, directory, name):
    install(lineage, directory, make(lineage))
    with open(os.path.join(lineage.current, name), "w", encoding="ascii") as stream:
        stream.write("garbage")
    assert make(lineage).reasons == ("privkey.pem or cert.pem cannot be read",)


def test_a_pending_key_that_cannot_be_read_is_replaced(lineage):
    make(lineage)
    with open(lineage.pending_key, "w", encoding="ascii") as stream:
        stream.write("garbage")
    assert make(lineage).reasons == ("the pending key cannot be read",)
    assert make(lineage).reasons == ()


def test_a_pending_key_of_another_type_is_replaced(lineage):
    make(lineage)
    assert make(lineage, key_type="ec-p384").reasons == ("key type differs: it has ec-p256, wanted is ec-p384",)


def test_without_writing_a_virgin_host_stays_virgin(lineage):
    predicted = make(lineage, write=False)
    assert (predicted.csr, predicted.reasons) == ("", ("there is no key yet",))
    assert not os.path.exists(lineage.store)
