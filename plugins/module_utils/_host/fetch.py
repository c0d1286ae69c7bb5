# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""Fetch small signed things by plain HTTP: revocation lists and OCSP responses.

HTTP on purpose: what comes is signed, and HTTPS would need a verified certificate to find out whether a certificate is
verified (RFC 5280, section 8). Nothing of the environment decides where a request goes: no proxy, no credentials.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
import time
import urllib.parse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from .errors import HostError

# A host that does not answer must not keep the others waiting for the lock or the timer.
CONNECT_SECONDS = 10
TOTAL_SECONDS = 60
REDIRECTS = 3

_CHUNK = 65536
_MOVED = (301, 302, 303, 307, 308)
_NOT_MODIFIED = 304


class FetchError(HostError):
    """Nothing usable came; the message names the URL and the reason."""


@dataclass(frozen=True)
class Answer:
    """What a server sent; no content for one that says that nothing changed."""

    content: bytes | None
    # For the next request, so that a server need not send again what is known: RFC 9110, 8.8.
    validators: Mapping[str, str]


def get(url: str, *, limit: int, validators: Mapping[str, str] | None = None) -> Answer:
    """What is at the URL, of at most `limit` bytes, after three redirects at most; FetchError when it does not come."""
    deadline = time.monotonic() + TOTAL_SECONDS
    headers = {
        header: validators[name]
        for name, header in (("ETag", "If-None-Match"), ("Last-Modified", "If-Modified-Since"))
        if validators and name in validators
    }
    place = url
    for _number in range(REDIRECTS + 1):
        status, answer, content = _ask("GET", place, None, headers, limit=limit, deadline=deadline)
        if status == _NOT_MODIFIED and headers:
            return Answer(None, validators or {})
        if status not in _MOVED:
            _require_success(place, status, answer.reason)
            return Answer(
                content, {name: value for name in ("ETag", "Last-Modified") if (value := answer.headers[name])}
            )
        place = urllib.parse.urljoin(place, answer.headers["Location"] or "")
    raise FetchError(f"{url}: redirects more than {REDIRECTS} times")


def post(url: str, content: bytes, *, kind: str, limit: int) -> bytes:
    """The answer to `content` of the media type `kind`; FetchError when none comes. No redirect is followed."""
    deadline = time.monotonic() + TOTAL_SECONDS
    status, answer, found = _ask("POST", url, content, {"Content-Type": kind}, limit=limit, deadline=deadline)
    _require_success(url, status, answer.reason)
    return found


def _require_success(url: str, status: int, reason: str) -> None:
    if status != http.client.OK:
        raise FetchError(f"{url}: answers {status} {reason}".rstrip())


def _ask(
    method: str, url: str, body: bytes | None, headers: Mapping[str, str], *, limit: int, deadline: float
) -> tuple[int, http.client.HTTPResponse, bytes]:
    try:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise FetchError(f"{url}: only http:// is fetched; what comes is signed, so give an address without TLS")
        path = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=CONNECT_SECONDS)
        try:
            connection.connect()
            with _ended_at(deadline, connection.sock):
                connection.request(method, path, body, {"User-Agent": "bulwark-tls", "Connection": "close", **headers})
                with connection.getresponse() as answer:
                    content = _read(answer, url, limit=limit, deadline=deadline)
                    _require_time(url, deadline)
                    return answer.status, answer, content
        finally:
            connection.close()
    except (OSError, http.client.HTTPException, ValueError) as failure:
        _require_time(url, deadline)
        raise FetchError(f"{url}: {_words(failure)}") from None


def _require_time(url: str, deadline: float) -> None:
    """Whatever was read after the deadline ended because the connection was shut."""
    if time.monotonic() > deadline:
        raise FetchError(f"{url}: takes longer than {TOTAL_SECONDS:g} seconds")


@contextlib.contextmanager
def _ended_at(deadline: float, sock: socket.socket) -> Iterator[None]:
    """Shut the connection at the deadline: a server that sends a byte now and then never meets a socket's timeout."""

    def shut() -> None:
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)

    watch = threading.Timer(deadline - time.monotonic(), shut)
    watch.daemon = True
    watch.start()
    try:
        yield
    finally:
        watch.cancel()


def _read(answer: http.client.HTTPResponse, url: str, *, limit: int, deadline: float) -> bytes:
    expected = answer.length
    chunks, size = [], 0
    while chunk := answer.read(_CHUNK):
        size += len(chunk)
        if size > limit:
            raise FetchError(f"{url}: sends more than {limit} bytes")
        chunks.append(chunk)
    if expected is not None and size < expected:
        _require_time(url, deadline)
        raise FetchError(f"{url}: ends {expected - size} bytes too early")
    return b"".join(chunks)


def _words(failure: Exception) -> str:
    # Two names for one thing from Python 3.10 on.
    if isinstance(failure, (TimeoutError, socket.timeout)):
        return f"does not answer within {CONNECT_SECONDS} seconds"
    return str(failure) or type(failure).__name__
