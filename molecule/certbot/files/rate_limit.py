#!/usr/bin/env python3
# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for a CA whose rate limit is reached: pebble, which has none, but for new orders, refused with 429.

The answer is what RFC 8555, 6.6, asks for, in the words of Let's Encrypt.
"""

import http.server
import json
import ssl
import urllib.request

REFUSAL = {
    "type": "urn:ietf:params:acme:error:rateLimited",
    "detail": "too many certificates (5) already issued for this exact set of identifiers in the last 168h0m0s, retry"
    " after 2026-12-01 07:00:00 UTC",
    "status": 429,
}


class Limited(http.server.BaseHTTPRequestHandler):
    """The directory of pebble with one other address, and what is there."""

    def do_GET(self) -> None:
        trusted = ssl.create_default_context(cafile="/etc/pebble/ca.pem")
        with urllib.request.urlopen("https://localhost:14000/dir", context=trusted, timeout=10) as answer:
            directory = json.load(answer)
        self.answer(200, "application/json", {**directory, "newOrder": "https://localhost:14001/order"})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(429, "application/problem+json", REFUSAL)

    def answer(self, status: int, kind: str, content: object) -> None:
        """Send JSON."""
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/etc/pebble/cert.pem", "/etc/pebble/key.pem")
server = http.server.ThreadingHTTPServer(("127.0.0.1", 14001), Limited)
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
