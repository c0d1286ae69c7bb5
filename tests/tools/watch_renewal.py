#!/usr/bin/env python3
# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Watch a renewal on a host: can a stranger open a private key at any moment, and how late is the new one served.

Runs as root on the test host until a file appears. All the while it tries, as nobody, to open every key below the
directories of certbot and of the lineage store, those that are half made and those of old versions too.
"""

from __future__ import annotations

import argparse
import json
import os
import ssl
import sys
import time

sys.path.insert(0, "/usr/local/lib/bulwark")

from bulwark_host import errors, probe

NOBODY = 65534
DIRECTORIES = ("/etc/letsencrypt", "/etc/bulwark")
MARK = b"PRIVATE KEY-----"


def keys() -> list[str]:
    """Every file that holds a private key now."""
    found = []
    for directory in DIRECTORIES:
        for parent, _directories, names in os.walk(directory):
            for name in names:
                path = os.path.join(parent, name)
                try:
                    with open(path, "rb") as stream:
                        if MARK in stream.read():
                            found.append(path)
                except OSError:
                    continue  # gone since it was listed
    return found


def opened_by_a_stranger(paths: list[str]) -> list[str]:
    """Those of the paths that nobody in particular can open."""
    opened = []
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        for path in paths:
            try:
                os.close(os.open(path, os.O_RDONLY))
            except OSError:
                continue
            opened.append(path)
    finally:
        os.seteuid(0)
        os.setegid(0)
    return opened


def main() -> int:
    """Print what was seen, as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--certificate", required=True, help="path of the certificate as certbot has it")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--name", required=True, help="server name to ask for")
    parser.add_argument("--stop", required=True, help="ends when this file appears")
    parser.add_argument("--ready", required=True, help="written when the watch has begun")
    arguments = parser.parse_args()
    os.setgroups([])
    before = renewed_at = served_at = None
    looks, seen, opened = 0, set(), set()
    while not os.path.exists(arguments.stop):
        paths = keys()
        seen.update(paths)
        opened.update(opened_by_a_stranger(paths))
        with open(arguments.certificate, encoding="ascii") as stream:
            has = ssl.PEM_cert_to_DER_cert(stream.read())
        before = before or has
        if has != before and renewed_at is None:
            renewed_at = time.monotonic()
        if renewed_at is not None and served_at is None:
            try:
                served = probe.served_certificate(
                    address="127.0.0.1", port=arguments.port, server_name=arguments.name, timeout=5
                )
            except errors.HostError:
                continue
            if served.der == has:
                served_at = time.monotonic()
        looks += 1
        # What is watched needs the processor, too.
        time.sleep(0.02)
        if looks == 1:
            with open(arguments.ready, "w", encoding="ascii"):
                pass
    late = None if renewed_at is None or served_at is None else round(served_at - renewed_at, 2)
    print(json.dumps({"looks": looks, "keys": len(seen), "opened": sorted(opened), "seconds_until_served": late}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
