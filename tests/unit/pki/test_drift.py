# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime as dt

import pki_samples as samples
import pytest
from ansible_collections.bulwark.mqtt.plugins.module_utils._pki import build, certificates, keys, names, profiles
from ansible_collections.bulwark.mqtt.plugins.module_utils._pki.drift import drift

NOW = samples.NOW
DAY = dt.timedelta(days=1)
ROOT_KEY = keys.generate("ec-p256")
ROOT = build.root(build.Spec(profile=profiles.get("root"), common_name="Root"), ROOT_KEY, now=NOW)
SPEC = build.Spec(
    profile=profiles.get("server"),
    common_name="a.example",
    names=names.parse(["a.example", "192.0.2.1"]),
    lifetime=90 * DAY,
    key_type="ec-p256",
    issuer_key_id=certificates.key_id(ROOT),
    urls=build.Urls(),
)
CERTIFICATE = build.certificate(
    SPEC, keys.generate("ec-p256").public_key(), build.Signer(certificate=ROOT, key=ROOT_KEY), now=NOW
)


@pytest.mark.parametrize(
    ("now", "reasons"),
    [
        pytest.param(NOW, [], id="new"),
        pytest.param(NOW + 59 * DAY, [], id="more-than-a-third-left"),
        pytest.param(
            NOW + 60 * DAY,
            ["one third of the lifetime or less is left: it expires at 2027-02-21T11:59:59Z"],
            id="a-third-left",
        ),
        pytest.param(NOW + 90 * DAY, ["expired at 2027-02-21T11:59:59Z"], id="expired"),
        pytest.param(NOW - DAY, ["not valid before 2026-11-23T11:00:00Z"], id="clock-set-back"),
    ],
)
def test_age_is_a_reason_by_fraction_of_the_lifetime(now, reasons):
    assert drift(CERTIFICATE, SPEC, now=now) == reasons


def test_backdating_does_not_make_a_short_lifetime_due_at_once():
    spec = SPEC._replace(lifetime=dt.timedelta(minutes=1))
    signer = build.Signer(certificate=ROOT, key=ROOT_KEY)
    certificate = build.certificate(spec, ROOT_KEY.public_key(), signer, now=NOW)
    assert drift(certificate, spec, now=NOW + dt.timedelta(seconds=30)) == []
    assert drift(certificate, spec, now=NOW + dt.timedelta(seconds=45)) != []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"common_name": "b"}, "common name differs: it has a.example, wanted is b"),
        ({"organization": "Acme"}, "organization differs: it has none, wanted is Acme"),
        ({"names": names.Names(dns=("b",))}, "names differ: it has a.example, 192.0.2.1, wanted is b"),
        ({"key_type": "rsa-3072"}, "key type differs: it has ec-p256, wanted is rsa-3072"),
        ({"profile": profiles.get("client")}, "extended key usage differs: it has serverAuth, wanted is clientAuth"),
        ({"issuer_key_id": "00"}, "another CA issued it"),
        ({"lifetime": 30 * DAY}, "it is valid for 90d, longer than 30d"),
        ({"urls": build.Urls(crl="http://c/")}, "crl URL differs: it has none, wanted is http://c/"),
        ({"urls": build.Urls(ocsp="http://o/")}, "ocsp URL differs: it has none, wanted is http://o/"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_each_difference_is_a_reason_of_its_own(change, reason):
    assert drift(CERTIFICATE, SPEC._replace(**change), now=NOW) == [reason]


def test_every_reason_is_given_not_only_the_first():
    spec = SPEC._replace(common_name="b", key_type="ed25519")
    assert len(drift(CERTIFICATE, spec, now=NOW + 60 * DAY)) == 3


def test_what_a_spec_leaves_open_is_no_reason():
    spec = SPEC._replace(key_type=None, issuer_key_id=None, urls=None, lifetime=None)
    assert drift(CERTIFICATE, spec, now=NOW) == []


def test_a_longer_lifetime_waits_for_the_next_renewal():
    assert drift(CERTIFICATE, SPEC._replace(lifetime=180 * DAY), now=NOW) == []
