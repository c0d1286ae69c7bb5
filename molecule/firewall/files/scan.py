# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Print the TCP ports of an address that take connections: `scan.py ADDRESS`, all 65535 of them."""

from __future__ import annotations

import resource
import select
import socket
import sys
import time

AT_ONCE = 2000
SECONDS = 0.25


def opened(address: str, ports: range) -> list[int]:
    poll = select.poll()
    clients = {}
    for port in ports:
        client = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        client.setblocking(False)
        client.connect_ex((address, port))
        clients[client.fileno()] = (port, client)
        poll.register(client, select.POLLOUT)
    found = []
    deadline = time.monotonic() + SECONDS
    while clients and (left := deadline - time.monotonic()) > 0:
        for number, _event in poll.poll(1000 * left):
            poll.unregister(number)
            port, client = clients.pop(number)
            if client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
                found.append(port)
            client.close()
    for _port, client in clients.values():
        client.close()
    return found


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_NOFILE, (2 * AT_ONCE, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    for first in range(1, 65536, AT_ONCE):
        for number in sorted(opened(sys.argv[1], range(first, min(first + AT_ONCE, 65536)))):
            print(number)
