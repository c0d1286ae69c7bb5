# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compares what tls_endpoint_info found with what sslyze or testssl.sh did; prints where they differ, and exits 1 then.

Only what both look at: versions, suites of TLS 1.2, and of sslyze the certificate, whether it verifies, and the staple.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

VERSIONS = ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
SSLYZE = dict(zip(VERSIONS, ("tls_1_0", "tls_1_1", "tls_1_2", "tls_1_3"), strict=True))
TESTSSL = dict(zip(VERSIONS, ("TLS1", "TLS1_1", "TLS1_2", "TLS1_3"), strict=True))


@dataclass(frozen=True)
class View:
    """What one program says of an endpoint; it says nothing of what is not in `facts`."""

    accepted: frozenset[str]
    suites: frozenset[str]
    facts: Mapping[str, Any] = field(default_factory=dict)


def of_module(answers: Mapping[str, Any]) -> View:
    """The view of tls_endpoint_info."""
    certificate, staple = answers["certificate"], answers["stapled"]
    return View(
        accepted=frozenset(name for name, answer in answers["versions"].items() if answer == "accepted"),
        suites=frozenset(answers["suites"]),
        facts={
            "serial": int(certificate["serial"], 16),
            "names": certificate["names"],
            "key": certificate["key_type"],
            "verified": answers["verified"],
            "staple": staple["status"] if staple else None,
        },
    )


def of_sslyze(found: Mapping[str, Any]) -> View:
    """The view of sslyze, from its JSON."""
    accepted = {
        name: {suite["cipher_suite"]["openssl_name"] for suite in suites["accepted_cipher_suites"]}
        for name, suites in ((name, found[f"{part}_cipher_suites"]["result"]) for name, part in SSLYZE.items())
    }
    (deployment, *_more) = found["certificate_info"]["result"]["certificate_deployments"]
    leaf = deployment["received_certificate_chain"][0]
    alternative = leaf["subject_alternative_name"]
    names = sorted([*alternative["dns_names"], *alternative["ip_addresses"]])
    key, response = leaf["public_key"], deployment["ocsp_response"]
    facts = {
        "serial": leaf["serial_number"],
        "names": names,
        "key": f"{'rsa-' if 'RSA' in key['algorithm'] else 'ec-p'}{key['key_size']}",
        "staple": response["certificate_status"].lower() if response else None,
    }
    # It takes no certificate without names, where OpenSSL goes by the common name.
    if names:
        facts["verified"] = any(path["was_validation_successful"] for path in deployment["path_validation_results"])
    return View(
        accepted=frozenset(name for name, suites in accepted.items() if suites),
        suites=frozenset(accepted["TLSv1.2"]),
        facts=facts,
    )


def of_testssl(rows: Sequence[Mapping[str, str]]) -> View:
    """The view of testssl.sh, from its JSON."""
    said = {row["id"]: row["finding"] for row in rows}
    return View(
        accepted=frozenset(name for name, row in TESTSSL.items() if said[row].startswith("offered")),
        suites=frozenset(finding.split()[2] for row, finding in said.items() if row.startswith("cipher-tls1_2_")),
    )


def disagreements(module: View, other: View) -> Iterator[str]:
    """Where the two differ."""
    for what, mine, theirs in (
        ("versions", module.accepted, other.accepted),
        ("suites of TLS 1.2", module.suites, other.suites),
    ):
        if mine - theirs:
            yield f"{what}: only tls_endpoint_info has {', '.join(sorted(mine - theirs))}"
        if theirs - mine:
            yield f"{what}: tls_endpoint_info lacks {', '.join(sorted(theirs - mine))}"
    for what, value in other.facts.items():
        if module.facts[what] != value:
            yield f"{what}: {module.facts[what]} here, {value} there"


def main() -> None:
    """Compare the files of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("answers", type=pathlib.Path, help="what tls_endpoint_info returned")
    parser.add_argument("--sslyze", type=pathlib.Path, help="what judge_tls --json wrote")
    parser.add_argument("--testssl", type=pathlib.Path, help="what testssl --jsonfile wrote")
    arguments = parser.parse_args()
    if not (arguments.sslyze or arguments.testssl):
        parser.error("give --sslyze, --testssl or both")

    def read(path: pathlib.Path) -> Any:
        return json.loads(path.read_text(encoding="utf-8"))

    module = of_module(read(arguments.answers))
    found = []
    if arguments.sslyze:
        found += [f"sslyze: {text}" for text in disagreements(module, of_sslyze(read(arguments.sslyze)))]
    if arguments.testssl:
        found += [f"testssl.sh: {text}" for text in disagreements(module, of_testssl(read(arguments.testssl)))]
    print("\n".join(found) or "no differences")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
