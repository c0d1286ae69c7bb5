# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a batch costs beside the signing alone; run it with the project's .venv.

    python tests/benchmarks/pki/issue_batch.py [REQUESTS]

Both sides run in this process, one after the other, on the same requests; the ratio is what verifying the requests, the
drift and the ledger leave of the speed of signing.
"""

from __future__ import annotations

import datetime as dt
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / ".cache/collections"))

from ansible_collections.bulwark.mqtt.plugins.module_utils._pki import (  # noqa: E402  (found through the path above)
    authority,
    build,
    issue,
    keys,
    profiles,
)
from ansible_collections.bulwark.mqtt.plugins.module_utils._pki.passphrase import Passphrase  # noqa: E402
from cryptography.hazmat.primitives import serialization  # noqa: E402

PASSPHRASE = Passphrase("only for benchmarks", "passphrase")
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


def seconds(action: Callable[[], object]) -> float:
    """How long it takes."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def main() -> None:
    """Print one line for each side, and the ratio."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    now = dt.datetime.now(dt.UTC)
    batch = requests(count)
    with tempfile.TemporaryDirectory() as parent:
        wanted = authority.Wanted(
            root=build.Spec(profile=profiles.get("root"), common_name="Root"),
            issuing=build.Spec(profile=profiles.get("issuing"), common_name="Issuing"),
            root_passphrase=PASSPHRASE,
            issuing_passphrase=PASSPHRASE,
        )
        made = authority.create(Path(parent) / "pki", wanted, now=now)
        signer = made.issuing.unlock(PASSPHRASE)
        pairs = [
            (
                build.leaf_spec(profile="client", common_name=request.name, alternative_names=()),
                build.public_key_of_request(request.csr),
            )
            for request in batch
        ]

        def sign() -> None:
            for spec, public_key in pairs:
                build.certificate(spec, public_key, signer, now=now)

        def issue_all() -> None:
            issue.issue(made, batch, policy=POLICY, passphrase=PASSPHRASE, now=now)

        plain, full, again = seconds(sign), seconds(issue_all), seconds(issue_all)
    print(f"sign only       {count / plain:8.0f} certificates/s")
    print(f"issue a batch   {count / full:8.0f} certificates/s   ratio {plain / full:.2f}")
    print(f"nothing to do   {count / again:8.0f} requests/s")


if __name__ == "__main__":
    main()
