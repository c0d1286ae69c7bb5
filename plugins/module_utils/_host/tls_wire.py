# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""What a TLS server says before encryption starts, read from the bytes it sent.

Python's ``ssl`` tells nothing about a handshake that the server ended, but its first messages travel in clear: the
chosen version in every TLS, and the certificate up to TLS 1.2 (RFC 5246 section 7.4, RFC 8446 section 4.1.3). Standard
library only.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

_ALERT, _HANDSHAKE = 21, 22
_SERVER_HELLO, _CERTIFICATE, _CERTIFICATE_REQUEST = 2, 11, 13
_SUPPORTED_VERSIONS = 43

# RFC 8446 section 6 and RFC 5246 section 7.2: what servers answer to a hello or to a missing certificate.
ALERTS = {
    0: "close_notify",
    10: "unexpected_message",
    20: "bad_record_mac",
    40: "handshake_failure",
    42: "bad_certificate",
    43: "unsupported_certificate",
    44: "certificate_revoked",
    45: "certificate_expired",
    46: "certificate_unknown",
    47: "illegal_parameter",
    48: "unknown_ca",
    49: "access_denied",
    50: "decode_error",
    51: "decrypt_error",
    70: "protocol_version",
    71: "insufficient_security",
    80: "internal_error",
    86: "inappropriate_fallback",
    90: "user_canceled",
    109: "missing_extension",
    112: "unrecognized_name",
    116: "certificate_required",
    120: "no_application_protocol",
}


def alert_name(code: int) -> str:
    """The standard's name of an alert, ``alert N`` when it is not in the table."""
    return ALERTS.get(code, f"alert {code}")


def _records(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The complete records up to the first that can be encrypted."""
    offset = 0
    while offset + 5 <= len(data):
        kind, _version, size = struct.unpack("!BHH", data[offset : offset + 5])
        fragment = data[offset + 5 : offset + 5 + size]
        if kind not in (_ALERT, _HANDSHAKE) or len(fragment) < size:
            return
        yield kind, fragment
        offset += 5 + size


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The handshake messages in clear, which can be split over records and share them."""
    stream = b"".join(fragment for kind, fragment in _records(data) if kind == _HANDSHAKE)
    offset = 0
    while offset + 4 <= len(stream):
        size = int.from_bytes(stream[offset + 1 : offset + 4], "big")
        body = stream[offset + 4 : offset + 4 + size]
        if len(body) < size:
            return
        yield stream[offset], body
        offset += 4 + size


def _message(data: bytes, kind: int) -> bytes | None:
    return next((body for found, body in _messages(data) if found == kind), None)


def is_handshake(data: bytes) -> bool:
    """Whether one side's bytes begin with a handshake message, such as a hello."""
    return data[:1] == bytes([_HANDSHAKE])


def alert(data: bytes) -> int | None:
    """The alert that the server sent in clear, None when it sent none."""
    return next((fragment[1] for kind, fragment in _records(data) if kind == _ALERT and len(fragment) == 2), None)


def chosen_version(data: bytes) -> int | None:
    """The protocol version of the ServerHello (0x0303 is TLS 1.2), None when there is no ServerHello."""
    hello = _message(data, _SERVER_HELLO)
    if hello is None or len(hello) < 38:
        return None
    offset = 38 + hello[34]  # version 2, random 32, session id 1 + n, cipher suite 2, compression 1
    offset += 2  # length of all extensions
    while offset + 4 <= len(hello):
        kind, size = struct.unpack("!HH", hello[offset : offset + 4])
        if kind == _SUPPORTED_VERSIONS and size == 2:
            return int.from_bytes(hello[offset + 4 : offset + 6], "big")
        offset += 4 + size
    return int.from_bytes(hello[:2], "big")


def chosen_suite(data: bytes) -> int | None:
    """The number of the cipher suite in the ServerHello, None when there is no ServerHello."""
    hello = _message(data, _SERVER_HELLO)
    if hello is None or len(hello) < 38:
        return None
    return int.from_bytes(hello[35 + hello[34] : 37 + hello[34]], "big")


def certificate(data: bytes) -> bytes | None:
    """The server's own certificate (DER) as TLS 1.2 and earlier show it, None when it is not in clear."""
    body = _message(data, _CERTIFICATE)
    if body is None or len(body) < 6:
        return None
    return body[6 : 6 + int.from_bytes(body[3:6], "big")]


def asks_for_certificate(data: bytes) -> bool:
    """Whether the server asked the client for a certificate, where TLS 1.2 and earlier show it."""
    return _message(data, _CERTIFICATE_REQUEST) is not None
