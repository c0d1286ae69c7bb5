# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What it takes to publish a list with many entries, and to find that nothing is due; run it with the project's .venv.

    python tests/benchmarks/pki/publish_list.py [ENTRIES]

The goal is under three seconds for 100,000. The entries come from a ledger, as in a real run. What counts is processor
time, which other work on the machine changes little.
"""

from __future__ import annotations

import datetime as dt
import secrets
import sqlite3
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
    certificates,
    profiles,
    publish,
)
from ansible_collections.bulwark.mqtt.plugins.module_utils._pki.passphrase import Passphrase  # noqa: E402

PASSPHRASE = Passphrase("only for benchmarks", "passphrase")


def revoke(path: Path, count: int, *, issuer: str, now: dt.datetime) -> None:
    """Put revoked certificates into the ledger without signing any: publishing reads no certificate of a client."""
    seconds = int(now.timestamp())
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


def seconds(action: Callable[[], object]) -> float:
    """How much processor time it takes."""
    start = time.process_time()
    action()
    return time.process_time() - start


def main() -> None:
    """Print one line for each run."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    with tempfile.TemporaryDirectory() as parent:
        wanted = authority.Wanted(
            root=build.Spec(profile=profiles.get("root"), common_name="Root"),
            issuing=build.Spec(profile=profiles.get("issuing"), common_name="Issuing"),
            root_passphrase=PASSPHRASE,
            issuing_passphrase=PASSPHRASE,
        )
        directory = Path(parent) / "pki"
        made = authority.create(directory, wanted, now=now)
        issuer = certificates.key_id(made.issuing.certificate)
        revoke(directory / "ledger.sqlite", count, issuer=issuer, now=now)
        settings = publish.Settings(destination=directory / "publish")

        def run() -> None:
            publish.publish(made, settings, passphrase=PASSPHRASE, now=now)

        print(f"publish {count} entries   {seconds(run):6.2f} s")
        print(f"nothing to do            {seconds(run):6.2f} s")


if __name__ == "__main__":
    main()
