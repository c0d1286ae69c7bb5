# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tool that compares what we found with sslyze and testssl.sh can tell a difference; scenario posture runs it."""

from __future__ import annotations

import copy
import importlib.util
import sys
from pathlib import Path

import pytest

PATH = Path(__file__).resolve().parents[2] / "tools/agreement.py"
SPEC = importlib.util.spec_from_file_location("agreement", PATH)
agreement = importlib.util.module_from_spec(SPEC)
sys.modules["agreement"] = agreement
SPEC.loader.exec_module(agreement)

ANSWERS = {
    "versions": {"TLSv1": "refused", "TLSv1.1": "untestable", "TLSv1.2": "accepted", "TLSv1.3": "accepted"},
    "suites": ["ECDHE-RSA-AES128-GCM-SHA256", "AES128-SHA"],
    "certificate": {"serial": "0" * 38 + "A1", "names": ["server.example"], "key_type": "rsa-2048"},
    "verified": True,
    "stapled": {"status": "good"},
}


def accepted(*names):
    return {"result": {"accepted_cipher_suites": [{"cipher_suite": {"openssl_name": name}} for name in names]}}


def sslyze(**changed):
    leaf = {
        "serial_number": 0xA1,
        "subject_alternative_name": {"dns_names": ["server.example"], "ip_addresses": []},
        "public_key": {"algorithm": "RSAPublicKey", "key_size": 2048},
    }
    deployment = {
        "received_certificate_chain": [{**leaf, **changed.pop("leaf", {})}],
        "ocsp_response": {"certificate_status": "GOOD"},
        "path_validation_results": [{"was_validation_successful": True}],
        **changed.pop("deployment", {}),
    }
    return {
        "tls_1_0_cipher_suites": accepted(),
        "tls_1_1_cipher_suites": accepted(),
        "tls_1_2_cipher_suites": accepted("ECDHE-RSA-AES128-GCM-SHA256", "AES128-SHA"),
        "tls_1_3_cipher_suites": accepted("TLS_AES_128_GCM_SHA256"),
        "certificate_info": {"result": {"certificate_deployments": [deployment]}},
        **changed,
    }


TESTSSL = [
    {"id": "TLS1", "finding": "not offered"},
    {"id": "TLS1_1", "finding": "not offered"},
    {"id": "TLS1_2", "finding": "offered"},
    {"id": "TLS1_3", "finding": "offered with final"},
    {"id": "cipher-tls1_2_xc02f", "finding": "TLSv1.2   xc02f   ECDHE-RSA-AES128-GCM-SHA256   ECDH 253"},
    {"id": "cipher-tls1_2_x2f", "finding": "TLSv1.2   x2f   AES128-SHA   RSA"},
]


def differences(other):
    return list(agreement.disagreements(agreement.of_module(ANSWERS), other))


def test_all_three_can_agree():
    assert differences(agreement.of_sslyze(sslyze())) == []
    assert differences(agreement.of_testssl(TESTSSL)) == []


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({"tls_1_0_cipher_suites": accepted("AES128-SHA")}, "versions: tls_endpoint_info lacks TLSv1"),
        (
            {"tls_1_2_cipher_suites": accepted("AES128-SHA")},
            "suites of TLS 1.2: only tls_endpoint_info has ECDHE-RSA-AES128-GCM-SHA256",
        ),
        ({"leaf": {"serial_number": 1}}, "serial: 161 here, 1 there"),
        ({"leaf": {"public_key": {"algorithm": "EC", "key_size": 256}}}, "key: rsa-2048 here, ec-p256 there"),
        ({"deployment": {"ocsp_response": None}}, "staple: good here, None there"),
        (
            {"deployment": {"path_validation_results": [{"was_validation_successful": False}]}},
            "verified: True here, False there",
        ),
    ],
)
def test_each_difference_with_sslyze_is_told(changed, found):
    assert differences(agreement.of_sslyze(sslyze(**changed))) == [found]


def test_a_suite_that_only_testssl_saw_is_told():
    more = [*copy.deepcopy(TESTSSL), {"id": "cipher-tls1_2_xc013", "finding": "TLSv1.2 xc013 ECDHE-RSA-AES128-SHA"}]
    assert differences(agreement.of_testssl(more)) == [
        "suites of TLS 1.2: tls_endpoint_info lacks ECDHE-RSA-AES128-SHA"
    ]
