# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Measure TLS handshakes from one network while another one floods: `flood.py QUIET_NETNS FLOOD_NETNS`, prints JSON.

Idle and flooded phases take turns, so that whatever else this machine does slows both.
"""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import statistics
import subprocess
import sys
import time

ADDRESSES = {"ip": ("192.0.2.1", "192.0.2.9"), "ip6": ("2001:db8::1", "2001:db8:f::1")}
PORT = 8883
ROUNDS = 2
SAMPLES = 40
CONNECTS_PER_SECOND = 2000


def context() -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    return made


def measure(address: str) -> None:
    """Milliseconds that each of some handshakes takes."""
    took = []
    tls = context()
    for _ in range(SAMPLES):
        started = time.perf_counter()
        with socket.create_connection((address, PORT), timeout=5) as plain, tls.wrap_socket(plain):
            took.append(1000 * (time.perf_counter() - started))
        time.sleep(0.01)
    print(json.dumps(took))


def flood(address: str) -> None:
    """Open connections without an end, each with a ClientHello where it gets in, and let each go after a moment."""
    outgoing = ssl.MemoryBIO()
    try:
        context().wrap_bio(ssl.MemoryBIO(), outgoing).do_handshake()
    except ssl.SSLWantReadError:
        hello = outgoing.read()
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    pending: list[tuple[float, socket.socket]] = []
    started, count = time.monotonic(), 0
    while True:
        now = time.monotonic()
        while count < (now - started) * CONNECTS_PER_SECOND:
            client = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
            client.connect_ex((address, PORT))
            pending.append((now, client))
            count += 1
        while pending and pending[0][0] < now - 0.2:
            client = pending.pop(0)[1]
            with contextlib.suppress(OSError):  # it was not let in
                client.send(hello)
            client.close()
        time.sleep(0.005)


def within(netns: str, *arguments: str) -> list[str]:
    return ["ip", "netns", "exec", netns, sys.executable, __file__, *arguments]


def compare(quiet: str, flooded: str) -> None:
    result = {}
    for family, (quiet_address, flooded_address) in ADDRESSES.items():
        idle: list[float] = []
        busy: list[float] = []
        for _ in range(ROUNDS):
            idle += json.loads(subprocess.check_output(within(quiet, "measure", quiet_address)))
            with subprocess.Popen(within(flooded, "flood", flooded_address)) as attacker:
                time.sleep(1)
                busy += json.loads(subprocess.check_output(within(quiet, "measure", quiet_address)))
                attacker.kill()
        result[family] = {
            "idle": round(statistics.median(idle), 2),
            "flooded": round(statistics.median(busy), 2),
            "ratio": round(statistics.median(busy) / statistics.median(idle), 2),
        }
    print(json.dumps(result))


if __name__ == "__main__":
    {"measure": measure, "flood": flood}.get(sys.argv[1], lambda *_: compare(*sys.argv[1:3]))(*sys.argv[2:3])
