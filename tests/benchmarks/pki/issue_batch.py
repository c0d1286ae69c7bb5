# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a batch costs beside the signing alone; run it with the project's .venv.

    python tests/benchmarks/pki/issue_batch.py [REQUESTS]

Both sides run in this process, one after the other, on the same requests; the ratio is what verifying the requests, the
drift and the ledger leave of the speed of signing.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import sample
from ansible_collections.bulwark.mqtt.plugins.module_utils._pki import build, issue, keys
from cryptography.hazmat.primitives import serialization

POLICY = issue.Policy(lifetimes={})


def requests(count: int) -> list[issue.Request]:
    """Requests for the certificates of clients, each with its own key."""
    made = []
    for number in range(count):
        name = f"device-{number}"
        spec = build.leaf_spec(profile="client", common_name=name, alternative_names=())
        csr = build.request(spec, keys.generate("ec-p256")).public_bytes(serialization.Encoding.PEM).decode()
        made.append(issue.Request(name=name, profile="client", common_name=name, names=(), csr=csr))
    return made


def main() -> None:
    """Print one line for each side, and the ratio."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    batch = requests(count)
    with tempfile.TemporaryDirectory() as parent:
        made = sample.create(Path(parent) / "pki")
        signer = made.issuing.unlock(sample.PASSPHRASE)
        pairs = [
            (
                build.leaf_spec(profile="client", common_name=request.name, alternative_names=()),
                build.public_key_of_request(request.csr),
            )
            for request in batch
        ]

        def sign() -> None:
            for spec, public_key in pairs:
                build.certificate(spec, public_key, signer, now=sample.NOW)

        def issue_all() -> None:
            issue.issue(made, batch, policy=POLICY, passphrase=sample.PASSPHRASE, now=sample.NOW)

        plain = sample.measure(sign)
        sample.say("sign only", count, plain)
        sample.say("issue a batch", count, sample.measure(issue_all), plain)
        sample.say("nothing to do", count, sample.measure(issue_all))


if __name__ == "__main__":
    main()
