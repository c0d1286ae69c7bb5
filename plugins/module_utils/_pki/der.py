# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.

"""DER (X.690), as much of it as is written and taken apart here in bulk: tag, length and content."""

from __future__ import annotations

import functools
from collections.abc import Sequence

INTEGER, BIT_STRING, OCTET_STRING, ENUMERATED, UTF8_STRING, SEQUENCE, SET = 0x02, 0x03, 0x04, 0x0A, 0x0C, 0x30, 0x31


def element(tag: int, content: bytes) -> bytes:
    """An element of less than 2**64 bytes."""
    return _head((tag,), len(content)) + content


def nested(layers: tuple[int | bytes, ...], content: bytes) -> bytes:
    """Content in layers, from the outside in: a tag makes an element of all that follows, bytes stand before it."""
    return _head(layers, len(content)) + content


# What is made in bulk has few forms and lengths, again and again.
@functools.lru_cache(maxsize=4096)
def _head(layers: tuple[int | bytes, ...], length: int) -> bytes:
    head = b""
    for layer in reversed(layers):
        head = (layer if isinstance(layer, bytes) else _tag(layer, length + len(head))) + head
    return head


def _tag(tag: int, length: int) -> bytes:
    if length < 0x80:
        return bytes((tag, length))
    digits = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(digits))) + digits


def integer(value: int) -> bytes:
    """An integer that is not negative."""
    return element(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def end(content: bytes, start: int = 0) -> int:
    """Where the element ends that begins at a place; IndexError when there is none."""
    length, after = content[start + 1], start + 2
    if length & 0x80:
        after += length & 0x7F
        length = int.from_bytes(content[start + 2 : after], "big")
    return after + length


def elements(content: bytes) -> Sequence[bytes]:
    """The elements that stand one after the other; IndexError for what is none."""
    found = []
    start, size = 0, len(content)
    while start < size:
        after = end(content, start)
        found.append(content[start:after])
        start = after
    return found


def content(element_: bytes) -> bytes:
    """What is in an element."""
    length = element_[1]
    return element_[2 + (length & 0x7F) :] if length & 0x80 else element_[2:]
