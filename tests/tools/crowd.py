#!/usr/bin/env python3
# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many MQTT clients of a cluster, which go to the next node when theirs is gone, and a report of what happened to them.

Each has a client identifier and a topic of its own, a session that is to be kept, and publishes to itself. A scenario
starts this before it does harm. Whenever the file --ask appears, the report up to then is written beside it, with
`.answer` behind the name, and counting begins anew.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import pathlib
import ssl
import sys
import time
from dataclasses import dataclass, field

CONNACK, PUBLISH, PUBACK, SUBACK, PINGRESP = 2, 3, 4, 9, 13
KEEPALIVE_SECONDS = 30
HANDSHAKES_AT_ONCE = 25


def text(value: str) -> bytes:
    """A string of MQTT (section 1.5.3)."""
    encoded = value.encode()
    return len(encoded).to_bytes(2, "big") + encoded


def packet(head: int, body: bytes) -> bytes:
    """A packet with its length in front (section 2.2.3)."""
    size, length = bytearray(), len(body)
    while True:
        length, digit = divmod(length, 128)
        size.append(digit | (128 if length else 0))
        if not length:
            return bytes([head]) + bytes(size) + body


async def receive(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """The type and the body of the next packet."""
    head, length, shift = (await reader.readexactly(1))[0], 0, 0
    while True:
        digit = (await reader.readexactly(1))[0]
        length |= (digit & 127) << shift
        shift += 7
        if not digit & 128:
            return head >> 4, await reader.readexactly(length)


@dataclass
class Counted:
    """What happened since it was asked last."""

    disconnects: int = 0
    connects: int = 0
    refused: int = 0
    resumed: int = 0
    retained: int = 0
    # From the loss of a connection until the next CONNACK.
    longest_gap_seconds: float = 0.0
    reasons: dict[str, int] = field(default_factory=dict)


@dataclass
class Crowd:
    """The clients, and what they have in common."""

    targets: list[tuple[str, int]]
    context: ssl.SSLContext
    topic: str
    retained_topic: str
    counted: Counted = field(default_factory=Counted)
    connected: set[int] = field(default_factory=set)
    published: int = 0
    received: int = 0

    def __post_init__(self) -> None:
        self.handshakes = asyncio.Semaphore(HANDSHAKES_AT_ONCE)

    async def live(self, number: int) -> None:
        """One client: connects, publishes to itself, and begins again at the next node when that ends."""
        turn, lost = number, 0.0
        while True:
            host, port = self.targets[turn % len(self.targets)]
            writer = None
            try:
                async with self.handshakes, asyncio.timeout(20):
                    reader, writer = await asyncio.open_connection(host, port, ssl=self.context)
                    await self.enter(number, reader, writer)
                if lost:
                    self.counted.longest_gap_seconds = max(self.counted.longest_gap_seconds, time.monotonic() - lost)
                self.connected.add(number)
                await self.stay(number, reader, writer)
            except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
                if number in self.connected:
                    self.connected.discard(number)
                    self.counted.disconnects += 1
                    lost = time.monotonic()
                name = type(error).__name__
                self.counted.reasons[name] = self.counted.reasons.get(name, 0) + 1
                turn += 1
                await asyncio.sleep(0.5)
            finally:
                if writer:
                    writer.close()

    async def enter(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """CONNECT with a session that stays, and the subscriptions."""
        body = text("MQTT") + bytes([4, 0]) + KEEPALIVE_SECONDS.to_bytes(2, "big") + text(f"crowd-{number}")
        writer.write(packet(0x10, body))
        kind, answer = await receive(reader)
        if kind != CONNACK or answer[1]:
            self.counted.refused += 1
            raise ConnectionRefusedError(f"CONNACK {answer!r}")
        self.counted.connects += 1
        self.counted.resumed += answer[0] & 1
        wanted = text(f"{self.topic}/{number}") + b"\x01" + text(self.retained_topic) + b"\x01"
        writer.write(packet(0x82, b"\x00\x01" + wanted))
        await writer.drain()

    async def stay(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Publish and answer until the connection ends, which raises."""
        beating = asyncio.create_task(self.beat(number, writer))
        try:
            while True:
                kind, body = await asyncio.wait_for(receive(reader), 2 * KEEPALIVE_SECONDS)
                if kind == PUBLISH:
                    size = int.from_bytes(body[:2], "big")
                    if body[2 : 2 + size].decode() == self.retained_topic:
                        self.counted.retained += 1
                    else:
                        self.received += 1
                    writer.write(packet(0x40, body[2 + size : 4 + size]))
        finally:
            beating.cancel()
            with contextlib.suppress(asyncio.CancelledError, OSError):
                await beating

    async def beat(self, number: int, writer: asyncio.StreamWriter) -> None:
        """A message to itself every few seconds, which is a sign of life to the broker as well."""
        identifier = 1
        while True:
            await asyncio.sleep(3 + number % 10 / 5)
            identifier = identifier % 65535 + 1
            body = text(f"{self.topic}/{number}") + identifier.to_bytes(2, "big") + b"x"
            writer.write(packet(0x32, body))
            self.published += 1
            await writer.drain()

    def report(self) -> dict[str, object]:
        """What happened since the last report."""
        now = {
            **vars(self.counted),
            "connected": len(self.connected),
            "published": self.published,
            "received": self.received,
        }
        self.counted, self.published, self.received = Counted(), 0, 0
        return now


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--identity", type=pathlib.Path, required=True, help="folder with fullchain.pem, privkey.pem, ca.pem"
    )
    parser.add_argument("--count", type=int, required=True, help="clients")
    parser.add_argument("--topic", required=True, help="topic that the identity may use; the client's number is added")
    parser.add_argument("--retained", required=True, help="topic of a retained message")
    parser.add_argument("--ready", type=pathlib.Path, required=True, help="written when all are connected")
    parser.add_argument("--ask", type=pathlib.Path, required=True, help="a report is written when this file appears")
    parser.add_argument("--stop", type=pathlib.Path, required=True, help="ends when this file appears")
    parser.add_argument("--seconds", type=float, default=1800, help="ends after this time in any case")
    parser.add_argument("targets", nargs="+", metavar="ADDRESS:PORT")
    return parser.parse_args()


async def run(arguments: argparse.Namespace) -> int:
    """Hold them until told to stop."""
    context = ssl.create_default_context(cafile=str(arguments.identity / "ca.pem"))
    # The name is checked by the scenario's other clients; these connect by address.
    context.check_hostname = False
    context.load_cert_chain(arguments.identity / "fullchain.pem", arguments.identity / "privkey.pem")
    targets = [(address, int(port)) for address, _, port in (target.rpartition(":") for target in arguments.targets)]
    crowd = Crowd(targets=targets, context=context, topic=arguments.topic, retained_topic=arguments.retained)
    clients = [asyncio.create_task(crowd.live(number)) for number in range(arguments.count)]
    deadline = time.monotonic() + arguments.seconds
    while not arguments.stop.exists() and time.monotonic() < deadline:
        if not arguments.ready.exists() and len(crowd.connected) == arguments.count:
            crowd.report()
            arguments.ready.touch()
        if arguments.ask.exists():
            arguments.ask.unlink()
            answer = arguments.ask.with_name(f"{arguments.ask.name}.answer")
            answer.with_suffix(".part").write_text(json.dumps(crowd.report()), encoding="utf-8")
            answer.with_suffix(".part").rename(answer)
        broken = [client for client in clients if client.done()]
        if broken:
            print(f"a client ended: {broken[0].exception()!r}", file=sys.stderr)
            return 1
        await asyncio.sleep(0.2)
    print(json.dumps(crowd.report()))
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(run(parse_arguments())))
