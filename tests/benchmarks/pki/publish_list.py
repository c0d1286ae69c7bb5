# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What it takes to publish a list with many entries, and to find that nothing is due; run it with the project's .venv.

    python tests/benchmarks/pki/publish_list.py [ENTRIES]

The goal is under three seconds for 100,000. The entries come from a ledger, as in a real run. What counts is processor
time, which other work on the machine changes little.
"""

from __future__ import annotations

import secrets
import sqlite3
import sys
import tempfile
from pathlib import Path

import sample
from ansible_collections.bulwark.mqtt.plugins.module_utils._pki import certificates, publish


def revoke(path: Path, count: int, *, issuer: str) -> None:
    """Put revoked certificates into the ledger without signing any: publishing reads no certificate of a client."""
    seconds = int(sample.NOW.timestamp())
    rows = (
        (f"{secrets.randbits(158):040X}", issuer, seconds, seconds + 86400 * 300, seconds, secrets.token_hex(32))
        for _number in range(count)
    )
    connection = sqlite3.connect(path)
    with connection:
        connection.executemany(
            "INSERT INTO certificate (serial, issuer, profile, subject, common_name, names, not_before, not_after,"
            " status, revoked_at, revoke_reason, key, der)"
            " VALUES (?, ?, 'client', 'CN=x', 'x', '', ?, ?, 'revoked', ?, 'key_compromise', ?, x'00')",
            rows,
        )
    connection.close()


def main() -> None:
    """Print one line for each run."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as parent:
        directory = Path(parent) / "pki"
        made = sample.create(directory)
        revoke(directory / "ledger.sqlite", count, issuer=certificates.key_id(made.issuing.certificate))
        settings = publish.Settings(destination=directory / "publish")

        def run() -> None:
            publish.publish(made, settings, passphrase=sample.PASSPHRASE, now=sample.NOW)

        print(f"publish {count} entries   {sample.measure(run).processor:6.2f} s")
        print(f"nothing to do            {sample.measure(run).processor:6.2f} s")


if __name__ == "__main__":
    main()
