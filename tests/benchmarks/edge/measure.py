# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Connects a second, latency and memory of a broker alone and behind nginx; runs on a test host, see `run`."""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import os
import pathlib
import pwd
import socket
import ssl
import statistics
import struct
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier

CLIENTS = 4
ROUNDS = 3
MESSAGES = 2000
CONNECT = b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04"
CONNACK_ACCEPTED = b"\x20\x02\x00\x00"

# Certificate, key and CA: what most pages on the web say, and nothing else.
RECIPE = """
listener 18831 127.0.0.1
cafile {directory}/ca.pem
certfile {directory}/rsa.pem
keyfile {directory}/rsa.key
require_certificate true
allow_anonymous true
"""
# What the role mosquitto adds that counts here.
BROKER = """
set_tcp_nodelay true
listener 18832 127.0.0.1
cafile {directory}/ca.pem
certfile {directory}/ec.pem
keyfile {directory}/ec.key
require_certificate true
use_identity_as_username true
allow_anonymous true
"""
BEHIND = """
set_tcp_nodelay true
allow_anonymous true
listener 0 {directory}/plain.sock
listener 0 {directory}/proxy.sock
enable_proxy_protocol 2
proxy_protocol_v2_require_tls true
require_certificate true
use_identity_as_username true
listener_allow_anonymous true
"""
NGINX = """
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
load_module /usr/lib/nginx/modules/ngx_stream_js_module.so;
pid {directory}/nginx.pid;
error_log stderr error;
worker_processes auto;
worker_rlimit_nofile 20000;
events {{ worker_connections 19900; }}
stream {{
    ssl_certificate {directory}/ec.pem;
    ssl_certificate_key {directory}/ec.key;
    ssl_client_certificate {directory}/ca.pem;
    ssl_verify_client on;
    ssl_session_tickets off;
    ssl_session_cache off;
    proxy_buffer_size 4k;
    js_import edge from /root/edge.js;
    upstream plain {{ zone plain 64k; server unix:{directory}/plain.sock; }}
    upstream proxy {{ zone proxy 64k; server unix:{directory}/proxy.sock; }}
    server {{ listen 127.0.0.1:18833 ssl backlog=4096; proxy_pass plain; }}
    server {{ listen 127.0.0.1:18834 ssl backlog=4096; js_filter edge.identify; proxy_pass proxy; }}
    server {{
        listen 127.0.0.1:18835 ssl backlog=4096;
        ssl_conf_command Options KTLS;
        js_filter edge.identify;
        proxy_pass proxy;
    }}
}}
"""
# Of Linux: the protocol that a TCP connection leaves to the kernel.
TCP_ULP = 31


@dataclass(frozen=True)
class Side:
    """What is measured: a port and the kind of key that its clients have."""

    name: str
    port: int
    key: str


SIDES = (
    Side("broker, usual recipe", 18831, "rsa"),
    Side("broker, by the role", 18832, "ec"),
    Side("edge without identity", 18833, "ec"),
    Side("edge with identity", 18834, "ec"),
)
# As the one before it, with TLS in the kernel; measured where the kernel has it.
KERNEL_TLS = Side("the same, TLS in kernel", 18835, "ec")
# As fork and not the default of Python 3.14: a server of processes would start each one anew.
FORK = multiprocessing.get_context("fork")


def openssl(*arguments: str) -> None:
    """Run it quietly."""
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


def certificates(directory: pathlib.Path) -> None:
    """A CA, and for each kind of key a certificate that serves server and client."""
    ca, key = str(directory / "ca.pem"), str(directory / "ca.key")
    kinds = {"rsa": ["rsa:2048"], "ec": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]}
    command = ["req", "-x509", "-nodes", "-newkey", *kinds["ec"], "-subj", "/CN=ca", "-days", "2"]
    # A client of today wants it.
    openssl(*command, "-addext", "keyUsage=critical,keyCertSign", "-keyout", key, "-out", ca)
    for name, kind in kinds.items():
        command = [
            "req",
            "-x509",
            "-nodes",
            "-newkey",
            *kind,
            "-CA",
            ca,
            "-CAkey",
            key,
            "-subj",
            "/CN=client",
            "-days",
            "2",
        ]
        command += ["-addext", "basicConstraints=critical,CA:FALSE"]
        openssl(*command, "-keyout", str(directory / f"{name}.key"), "-out", str(directory / f"{name}.pem"))


@contextlib.contextmanager
def running(directory: pathlib.Path) -> Iterator[dict[str, int]]:
    """All brokers and nginx, by name with their process ids."""
    processes = {}
    for name, text in (("recipe", RECIPE), ("broker", BROKER), ("behind", BEHIND)):
        path = directory / f"{name}.conf"
        path.write_text(text.format(directory=directory) + "user mosquitto\nlog_type none\n", encoding="utf-8")
        processes[name] = subprocess.Popen(["/usr/sbin/mosquitto", "-c", str(path)])
    path = directory / "nginx.conf"
    path.write_text("daemon off;\nuser mosquitto;\n" + NGINX.format(directory=directory), encoding="utf-8")
    processes["nginx"] = subprocess.Popen(["/usr/sbin/nginx", "-c", str(path), "-e", "stderr"])
    try:
        for side in SIDES:
            wait_for(side.port)
        yield {name: process.pid for name, process in processes.items()}
    finally:
        for process in processes.values():
            process.terminate()
        for process in processes.values():
            process.wait()


def wait_for(port: int) -> None:
    """Until something listens there."""
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def context_for(side: Side, directory: pathlib.Path) -> ssl.SSLContext:
    """A client that trusts the CA and has a certificate of the side's kind."""
    context = ssl.create_default_context(cafile=str(directory / "ca.pem"))
    context.check_hostname = False
    context.load_cert_chain(directory / f"{side.key}.pem", directory / f"{side.key}.key")
    return context


def connect(side: Side, context: ssl.SSLContext, number: int) -> ssl.SSLSocket:
    """A client that the broker has let in."""
    connection = context.wrap_socket(socket.create_connection(("127.0.0.1", side.port)))
    connection.sendall(CONNECT + f"{number % 10000:04d}".encode())
    if connection.recv(4) != CONNACK_ACCEPTED:
        raise SystemExit(f"{side.name}: the broker refused the client")
    return connection


def connects(side: Side, directory: pathlib.Path, seconds: float, first: int, together: Barrier, counts: Queue) -> None:
    """How often one synchronous client gets in within that time, which begins when all are ready."""
    context = context_for(side, directory)
    together.wait()
    deadline = time.monotonic() + seconds
    count = 0
    while time.monotonic() < deadline:
        connect(side, context, first + count % 1000).close()
        count += 1
    counts.put(count)


def connect_rate(side: Side, directory: pathlib.Path, seconds: float) -> float:
    """Connects a second of several synchronous clients."""
    together, counts = FORK.Barrier(CLIENTS), FORK.Queue()
    clients = [
        FORK.Process(target=connects, args=(side, directory, seconds, 1000 * number, together, counts))
        for number in range(CLIENTS)
    ]
    for client in clients:
        client.start()
    total = sum(counts.get(timeout=seconds + 60) for _client in clients)
    for client in clients:
        client.join()
    return total / seconds


def latency(side: Side, directory: pathlib.Path) -> float:
    """Median milliseconds from PUBLISH to PUBACK."""
    times = []
    with connect(side, context_for(side, directory), 9999) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for number in range(1, MESSAGES + 1):
            start = time.perf_counter()
            connection.sendall(b"\x32\x08\x00\x01t" + struct.pack("!H", number) + b"abc")
            connection.recv(4)
            times.append(time.perf_counter() - start)
    return statistics.median(times) * 1000


def has_kernel_tls() -> bool:
    """Whether the kernel can take TLS over from OpenSSL."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as connection:
        try:
            connection.setsockopt(socket.IPPROTO_TCP, TCP_ULP, b"tls")
        except OSError:
            return False
    return True


def memory(pid: int) -> int:
    """Bytes of a process and its children that are theirs alone."""
    total = 0
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    for process in [str(pid), *children]:
        for line in pathlib.Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith(("Private_Clean:", "Private_Dirty:")):
                total += int(line.split()[1]) * 1024
    return total


def per_connection(side: Side, directory: pathlib.Path, pids: dict[str, int], count: int) -> dict[str, float]:
    """KiB that an idle connection takes in each process that holds it."""
    before = {name: memory(pid) for name, pid in pids.items()}
    context = context_for(side, directory)
    held = [connect(side, context, number) for number in range(count)]
    grown = {name: (memory(pid) - before[name]) / count / 1024 for name, pid in pids.items()}
    for connection in held:
        connection.close()
    return {name: size for name, size in grown.items() if size > 0.1}


def main() -> None:
    """Print a line for each side, then the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4, help="of each measurement of connects")
    parser.add_argument("--idle", type=int, default=10000, help="idle connections to measure memory with")
    arguments = parser.parse_args()
    sides = (*SIDES, KERNEL_TLS) if has_kernel_tls() else SIDES
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        certificates(directory)
        owner = pwd.getpwnam("mosquitto")
        for path in (directory, *directory.iterdir()):
            os.chown(path, owner.pw_uid, owner.pw_gid)
        with running(directory) as pids:
            print(f"{os.cpu_count()} CPUs, load average {os.getloadavg()[0]:.1f}, median of {ROUNDS} rounds")
            rounds = [[connect_rate(side, directory, arguments.seconds) for side in sides] for _number in range(ROUNDS)]
            rates = [statistics.median(rates) for rates in zip(*rounds, strict=True)]
            waits = [[latency(side, directory) for side in sides] for _number in range(ROUNDS)]
            delays = [statistics.median(delays) for delays in zip(*waits, strict=True)]
            for side, rate, delay in zip(sides, rates, delays, strict=True):
                print(f"{side.name:<23} {rate:>6.0f} connects/s  {delay:>6.3f} ms a message")
            if KERNEL_TLS not in sides:
                print(f"{KERNEL_TLS.name}: not measured, this kernel has none")
            print(f"edge with identity / usual recipe: {rates[3] / rates[0]:.1f}")
            print(f"edge with identity / without:      {rates[3] / rates[2]:.2f}")
            print(f"latency that the edge adds:        {delays[3] - delays[1]:.3f} ms")
            for side in SIDES[1:2] + SIDES[3:]:
                sizes = per_connection(side, directory, pids, arguments.idle)
                shown = ", ".join(f"{name} {size:.1f} KiB" for name, size in sizes.items())
                print(f"{side.name}: {arguments.idle} idle connections take, each: {shown}")


if __name__ == "__main__":
    main()
