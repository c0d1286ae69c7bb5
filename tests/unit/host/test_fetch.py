# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Any

import pytest
from ansible_collections.bulwark.mqtt.plugins.module_utils._host import fetch


def test_what_is_there_comes_with_what_spares_sending_it_again(web: Any) -> None:
    web.serve("/list", b"content", etag='"1"')
    first = fetch.get(f"{web.url}/list", limit=100)
    assert first.content == b"content"
    second = fetch.get(f"{web.url}/list", limit=100, validators=first.validators)
    assert (second.content, second.validators) == (None, {"ETag": '"1"'})
    web.serve("/list", b"changed", etag='"2"')
    assert fetch.get(f"{web.url}/list", limit=100, validators=first.validators).content == b"changed"


def test_redirects_are_followed_three_times(web: Any) -> None:
    web.serve("/3", b"content")
    for number in (2, 1, 0):
        web.redirect(f"/{number}", f"/{number + 1}")
    assert fetch.get(f"{web.url}/0", limit=100).content == b"content"
    web.redirect("/first", "/0")
    with pytest.raises(fetch.FetchError) as refused:
        fetch.get(f"{web.url}/first", limit=100)
    assert str(refused.value) == f"{web.url}/first: redirects more than 3 times"


def test_a_redirect_does_not_lead_away_from_http(web: Any) -> None:
    for place in ("https://ca.example/list", "file:///etc/shadow"):
        web.redirect("/list", place)
        with pytest.raises(fetch.FetchError) as refused:
            fetch.get(f"{web.url}/list", limit=100)
        assert str(refused.value) == (
            f"{place}: only http:// is fetched; what comes is signed, so give an address without TLS"
        )


def test_too_much_is_not_read(web: Any) -> None:
    web.serve("/list", b"x" * 101)
    with pytest.raises(fetch.FetchError) as refused:
        fetch.get(f"{web.url}/list", limit=100)
    assert str(refused.value) == f"{web.url}/list: sends more than 100 bytes"


def test_what_ends_too_early_is_not_taken_for_the_whole(web: Any) -> None:
    web.serve("/list", b"half", claimed=8)
    with pytest.raises(fetch.FetchError) as refused:
        fetch.get(f"{web.url}/list", limit=100)
    assert str(refused.value) == f"{web.url}/list: ends 4 bytes too early"


@pytest.mark.parametrize("begun", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"])
def test_a_server_that_drips_does_not_keep_the_host_waiting(monkeypatch: pytest.MonkeyPatch, begun: bytes) -> None:
    monkeypatch.setattr(fetch, "TOTAL_SECONDS", 0.3)
    ended = threading.Event()

    def drip(listening: socket.socket) -> None:
        client, _ = listening.accept()
        with client, contextlib.suppress(OSError):
            client.sendall(begun)
            while not ended.wait(0.02):
                client.sendall(b"x")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=drip, args=(listening,))
        thread.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/list"
        with pytest.raises(fetch.FetchError) as refused:
            fetch.get(url, limit=10000)
        ended.set()
        thread.join()
    assert str(refused.value) == f"{url}: takes longer than 0.3 seconds"


def test_a_server_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "CONNECT_SECONDS", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/list"
        with pytest.raises(fetch.FetchError) as refused:
            fetch.get(url, limit=100)
    assert str(refused.value) == f"{url}: does not answer within 0.05 seconds"


def test_a_server_that_is_down_and_a_missing_file_are_named(web: Any) -> None:
    with pytest.raises(fetch.FetchError) as refused:
        fetch.get(f"{web.url}/nothing", limit=100)
    assert str(refused.value) == f"{web.url}/nothing: answers 404 Not Found"
    web.close()
    with pytest.raises(fetch.FetchError) as refused:
        fetch.get(f"{web.url}/list", limit=100)
    assert str(refused.value) == f"{web.url}/list: [Errno 111] Connection refused"


def test_no_proxy_of_the_environment_is_asked(web: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    web.serve("/list", b"content")
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert fetch.get(f"{web.url}/list", limit=100).content == b"content"


@pytest.mark.parametrize("url", ["http://ca.example/a b", "http://", "ftp://ca.example/list", "http://[::1/list"])
def test_what_is_no_address_of_http_is_refused(url: str) -> None:
    with pytest.raises(fetch.FetchError) as refused:
        fetch.get(url, limit=100)
    assert str(refused.value).startswith(f"{url}: ")


def test_a_question_is_posted_with_its_type(web: Any) -> None:
    web.serve("/ocsp", b"answer")
    assert fetch.post(f"{web.url}/ocsp", b"question", kind="application/ocsp-request", limit=100) == b"answer"
    assert web.asked[-1] == ("POST", "/ocsp", "application/ocsp-request", b"question")
