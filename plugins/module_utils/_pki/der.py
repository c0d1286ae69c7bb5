# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.

"""DER (X.690), as much of it as is written and taken apart here in bulk: tag, length and content."""

from __future__ import annotations

from collections.abc import Sequence

INTEGER, BIT_STRING, OCTET_STRING, ENUMERATED, UTF8_STRING, SEQUENCE, SET = 0x02, 0x03, 0x04, 0x0A, 0x0C, 0x30, 0x31


def element(tag: int, content: bytes) -> bytes:
    """An element of less than 2**64 bytes."""
    length = len(content)
    if length < 0x80:
        return bytes((tag, length)) + content
    digits = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(digits))) + digits + content


def integer(value: int) -> bytes:
    """An integer that is not negative."""
    return element(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def elements(content: bytes) -> Sequence[bytes]:
    """The elements that stand one after the other; IndexError for what is none."""
    found = []
    start, size = 0, len(content)
    while start < size:
        length, end = content[start + 1], start + 2
        if length & 0x80:
            end += length & 0x7F
            length = int.from_bytes(content[start + 2 : end], "big")
        end += length
        found.append(content[start:end])
        start = end
    return found


def content(element_: bytes) -> bytes:
    """What is in an element."""
    length = element_[1]
    return element_[2 + (length & 0x7F) :] if length & 0x80 else element_[2:]
