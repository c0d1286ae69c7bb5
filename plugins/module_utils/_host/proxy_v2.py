# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""The header of the PROXY protocol, version 2, with which a proxy tells who the client is.

haproxy doc/proxy-protocol.txt, section 2.2.
"""

from __future__ import annotations

import struct

_SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
_PROXY = 0x21  # version 2, command PROXY: a server closes a connection with LOCAL
_TCP_OVER_IPV4 = 0x11
_TLV_SSL, _TLV_VERSION, _TLV_CN = 0x20, 0x21, 0x22
# PP2_CLIENT_SSL, PP2_CLIENT_CERT_CONN, PP2_CLIENT_CERT_SESS: TLS, with a certificate; `verify` 0 says that it verified.
_CLIENT = 0x01 | 0x02 | 0x04


def header(*, common_name: str) -> bytes:
    """The header of a client that came over TLS with a verified certificate of that name."""
    inner = _tlv(_TLV_VERSION, b"TLSv1.3") + _tlv(_TLV_CN, common_name.encode())
    tls = _tlv(_TLV_SSL, struct.pack("!BI", _CLIENT, 0) + inner)
    addresses = bytes([127, 0, 0, 1, 127, 0, 0, 1]) + struct.pack("!HH", 1, 8883)
    body = addresses + tls
    return _SIGNATURE + struct.pack("!BBH", _PROXY, _TCP_OVER_IPV4, len(body)) + body


def _tlv(kind: int, value: bytes) -> bytes:
    return struct.pack("!BH", kind, len(value)) + value
