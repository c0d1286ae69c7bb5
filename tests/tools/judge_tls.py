# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compares what sslyze finds at a TLS endpoint with the collection's policy; prints each finding, exits 1 with any."""

from __future__ import annotations

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

from ansible_collections.bulwark.mqtt.plugins.module_utils._tls_policy import PROFILES, Profile

# sslyze's names of versions, and of curves where OpenSSL has another.
VERSIONS = {
    "SSLv3": "ssl_3_0_cipher_suites",
    "TLSv1": "tls_1_0_cipher_suites",
    "TLSv1.1": "tls_1_1_cipher_suites",
    "TLSv1.2": "tls_1_2_cipher_suites",
    "TLSv1.3": "tls_1_3_cipher_suites",
}
CURVES = {"secp256r1": "prime256v1"}
SCANS = (
    "certinfo sslv3 tlsv1 tlsv1_1 tlsv1_2 tlsv1_3 reneg fallback heartbleed openssl_ccs robot compression resum"
    " elliptic_curves ems"
)
# Where an answer lies, and the one that is no finding.
ANSWERS = {
    ("tls_compression", "supports_compression"): False,
    ("openssl_ccs_injection", "is_vulnerable_to_ccs_injection"): False,
    ("heartbleed", "is_vulnerable_to_heartbleed"): False,
    ("robot", "robot_result"): "NOT_VULNERABLE_RSA_NOT_SUPPORTED",
    ("tls_fallback_scsv", "supports_fallback_scsv"): True,
    ("session_renegotiation", "is_vulnerable_to_client_renegotiation_dos"): False,
    ("tls_extended_master_secret", "supports_ems_extension"): True,
}


def scan(arguments: argparse.Namespace) -> dict[str, Any]:
    """sslyze's answers to each scan."""
    identity = arguments.identity
    with tempfile.NamedTemporaryFile(suffix=".json") as report:
        command = [str(pathlib.Path(sys.executable).with_name("sslyze")), f"--json_out={report.name}"]
        command += [f"--{name}" for name in SCANS.split()] + ["--mozilla_config=disable"]
        command += ["--sni", arguments.server_name, "--certinfo_ca_file", str(identity / "ca.pem")]
        command += ["--cert", str(identity / "fullchain.pem"), "--key", str(identity / "privkey.pem")]
        subprocess.run([*command, arguments.endpoint], check=True, capture_output=True, text=True)
        results = json.loads(pathlib.Path(report.name).read_text(encoding="utf-8"))["server_scan_results"]
    if results[0]["scan_result"] is None:
        raise SystemExit(f"{arguments.endpoint}: sslyze cannot connect: {results[0]['connectivity_error_trace']}")
    found: dict[str, Any] = results[0]["scan_result"]
    if arguments.json:
        arguments.json.write_text(json.dumps(found), encoding="utf-8")
    return found


def findings(found: dict[str, Any], *, policy: Profile, staple: bool) -> Iterator[str]:
    """What is not as the policy wants it."""
    unfinished = [name for name, part in found.items() if part and part["status"] not in ("COMPLETED", "NOT_SCHEDULED")]
    if unfinished:
        yield f"not judged: {', '.join(unfinished)}"
        return
    yield from ciphers(found, policy=policy)
    curves = {
        CURVES.get(curve["name"], curve["name"]) for curve in result(found, "elliptic_curves")["supported_curves"]
    }
    if not curves or curves - set(policy.groups):
        yield f"groups: {', '.join(sorted(curves - set(policy.groups))) or 'none at all'}"
    for (part, answer), wanted in ANSWERS.items():
        # TLS 1.3 knows none of the old ways to fall back, resume or renegotiate: there is nothing to be found then.
        if result(found, part)[answer] != wanted and not (wanted is True and policy.versions == ("TLSv1.3",)):
            yield f"{part}: {answer} is {result(found, part)[answer]}"
    for way in ("session_id_resumption_result", "tls_ticket_resumption_result"):
        if result(found, "session_resumption")[way] not in ("NOT_SUPPORTED", "SERVER_IS_TLS_1_3_ONLY"):
            yield f"session_resumption: {way} is {result(found, 'session_resumption')[way]}"
    for deployment in result(found, "certificate_info")["certificate_deployments"]:
        yield from certificate(deployment, staple=staple)


def ciphers(found: dict[str, Any], *, policy: Profile) -> Iterator[str]:
    """Versions and suites that the policy does not have, or that are missing."""
    for version, part in VERSIONS.items():
        accepted = {suite["cipher_suite"]["openssl_name"] for suite in result(found, part)["accepted_cipher_suites"]}
        wanted = set(policy.ciphersuites if version == "TLSv1.3" else policy.ciphers)
        wanted = wanted if version in policy.versions else set()
        if accepted - wanted:
            yield f"{version}: accepts {', '.join(sorted(accepted - wanted))}"
        if wanted and not accepted:
            yield f"{version}: is refused"


def certificate(deployment: dict[str, Any], *, staple: bool) -> Iterator[str]:
    """What is wrong with a chain, or with the response that is stapled to it."""
    if not any(path["was_validation_successful"] for path in deployment["path_validation_results"]):
        yield "certificate: does not verify to the CA"
    if not deployment["received_chain_has_valid_order"]:
        yield "certificate: the chain is not in order"
    response = deployment["ocsp_response"]
    if staple and not (
        response and response["certificate_status"] == "GOOD" and deployment["ocsp_response_is_trusted"]
    ):
        yield f"staple: {response}"


def result(found: dict[str, Any], part: str) -> dict[str, Any]:
    """The answers of one scan."""
    answers: dict[str, Any] = found[part]["result"]
    return answers


def main() -> None:
    """Judge the endpoint of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("endpoint", help="ADDRESS:PORT")
    parser.add_argument("--server-name", required=True)
    parser.add_argument(
        "--identity", type=pathlib.Path, required=True, help="folder with ca.pem, fullchain.pem, privkey.pem"
    )
    parser.add_argument("--profile", choices=sorted(PROFILES), default="intermediate")
    parser.add_argument("--json", type=pathlib.Path, help="file to keep what sslyze found, for agreement.py")
    parser.add_argument("--staple", action="store_true", help="expect a stapled response that is good and trusted")
    arguments = parser.parse_args()
    found = list(findings(scan(arguments), policy=PROFILES[arguments.profile], staple=arguments.staple))
    print("\n".join(found) or "no findings")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
