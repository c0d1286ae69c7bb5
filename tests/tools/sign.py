#!/usr/bin/env python3
# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sign a request (PEM, from standard input) with a test CA as the collection would not: for other names, in the past.

The certificate goes to standard output. The passphrase comes from the environment variable PKI_PASSPHRASE.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import pathlib
import sys

from ansible_collections.bulwark.mqtt.plugins.module_utils._pki import authority, build, certificates, ledger
from ansible_collections.bulwark.mqtt.plugins.module_utils._pki.passphrase import Passphrase


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--directory", type=pathlib.Path, required=True, help="the CA directory")
    parser.add_argument(
        "--names", nargs="+", required=True, help="DNS names and IP addresses; the first is the common name"
    )
    parser.add_argument(
        "--minutes-ago", type=int, default=0, help="as if it were so long ago; a CA is backdated by an hour"
    )
    parser.add_argument("--profile", choices=["server", "client"], default="server")
    parser.add_argument("--lifetime-minutes", type=int, default=90 * 24 * 60)
    return parser.parse_args()


def main() -> int:
    """Sign, record and print."""
    arguments = parse_arguments()
    now = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=arguments.minutes_ago)
    ca = authority.load(arguments.directory)
    passphrase = Passphrase(value=os.environ["PKI_PASSPHRASE"], what="PKI_PASSPHRASE")
    leaf = build.leaf_spec(
        profile=arguments.profile, common_name=arguments.names[0], alternative_names=tuple(arguments.names)
    )
    spec = leaf._replace(lifetime=dt.timedelta(minutes=arguments.lifetime_minutes))
    key = build.public_key_of_request(sys.stdin.read())
    certificate = build.certificate(spec, key, ca.issuing.unlock(passphrase), now=now)
    with authority.locked(ca.directory), ca.open_ledger() as book:
        book.record([ledger.Entry(certificate=certificate, profile=arguments.profile)])
    print(certificates.to_pem(certificate), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
