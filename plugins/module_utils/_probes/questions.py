# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""All that posture asks of an endpoint, and of many at once: most of the time is spent on waiting for answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from .._host import probe
from .._host.errors import ProbeError
from . import ANSWERS, client, dashboard, endpoint

PAYLOAD = "bulwark"


def ask(asked: Sequence[Mapping[str, Any]], *, timeout: float, parallel: int) -> list[dict[str, Any]]:
    """The answers of each endpoint, in their order, with `parallel` questions at a time.

    An endpoint that cannot be asked, because of a file or a name, has that as its `problem` and no answers.
    """
    entries = [{**entry, "timeout": timeout} for entry in asked]
    with endpoint.foreign_identity() as foreign, ThreadPoolExecutor(max_workers=parallel) as pool:
        looks = [pool.submit(_look, entry, foreign) for entry in entries]
        talks = {lane: pool.submit(_talks, [entries[number] for number in lane]) for lane in lanes(entries)}
        knocks = [[pool.submit(_knock, entry, port) for port in entry["plaintext_ports"]] for entry in entries]
        logins = [pool.submit(_log_in, entry) for entry in entries]
        talked = {number: answers for lane, future in talks.items() for number, answers in zip(lane, future.result())}
        return [
            _answers(entry["name"], looks[number], talked[number], knocks[number], logins[number])
            for number, entry in enumerate(entries)
        ]


def lanes(entries: Sequence[Mapping[str, Any]]) -> list[tuple[int, ...]]:
    """The numbers of the endpoints whose broker is the same, which are asked as a client one after the other.

    A broker that knows a client by its name ends the older session of that name.
    """
    lanes: dict[str, list[int]] = {}
    for number, entry in enumerate(entries):
        lanes.setdefault(f"broker {entry['broker']}" if entry["broker"] else f"entry {number}", []).append(number)
    return [tuple(numbers) for numbers in lanes.values()]


def _answers(
    name: str,
    look: Future[dict[str, Any]],
    talked: dict[str, Any] | ProbeError,
    knocks: Sequence[Future[dict[str, Any]]],
    login: Future[dict[str, Any] | None],
) -> dict[str, Any]:
    try:
        looked = look.result()
        if isinstance(talked, ProbeError):
            raise talked
        asked = {"plaintext": [knock.result() for knock in knocks], "dashboard": login.result()}
    except ProbeError as error:
        return {"name": name, "problem": str(error), **dict.fromkeys(ANSWERS)}
    return {"name": name, "problem": None, "endpoint": looked, **talked, **asked}


def _look(entry: Mapping[str, Any], foreign: str) -> dict[str, Any]:
    asked = {name: entry[name] for name in ("address", "port", "server_name", "timeout", "ca")}
    return endpoint.examine({**asked, **_files(entry["client"])}, foreign=foreign)


def _talks(entries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any] | ProbeError]:
    """What came of each; what cannot be asked of one is no reason to leave out the others."""
    return [_talk(entry) for entry in entries]


def _talk(entry: Mapping[str, Any]) -> dict[str, Any] | ProbeError:
    """The answers to each client that connects to the endpoint."""
    mine = _files(entry["client"])
    try:
        return {
            "device": _probe(entry, **mine, roundtrips=roundtrips(entry), rival=rival(entry)),
            "anonymous": _probe(entry),
            "refused": [{"what": item["what"], **_probe(entry, **_files(item))} for item in entry["refused"] or []],
            "forged": _probe(entry, **mine, forged_name=f"not-{entry['client']['name']}") if entry["edge"] else None,
        }
    except ProbeError as error:
        return error


def roundtrips(entry: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the client tries: its own topic, another's, and everything where there is somebody to overhear."""
    name = entry["client"]["name"]
    own, foreign = f"devices/{name}/verify", f"devices/not-{name}/verify"
    return [
        _roundtrip(publish_topic=own, subscribe_topic=own, payload=PAYLOAD),
        _roundtrip(publish_topic=foreign, subscribe_topic=foreign, payload=PAYLOAD, expect_nothing=True),
        *([_roundtrip(subscribe_topic="#", expect_nothing=True)] if entry["other"] else []),
    ]


def rival(entry: Mapping[str, Any]) -> dict[str, Any] | None:
    """What the other client does meanwhile, None where there is no other."""
    other = entry["other"]
    if not other:
        return None
    return {
        **_files(other),
        "username": None,
        "password": None,
        "publish_topic": f"devices/{other['name']}/verify",
        "payload": "for nobody else",
    }


def _roundtrip(**changes: Any) -> dict[str, Any]:
    quiet = {"subscribe_topic": None, "publish_topic": None, "payload": "", "qos": 1, "expect_nothing": False}
    return {**quiet, **changes}


def _probe(entry: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    # Without the CA: whether the certificate verifies is one question, what is behind it another.
    asked = dict.fromkeys(("ca", "certificate", "private_key", "username", "password", "client_id", "forged_name"))
    where = {name: entry[name] for name in ("address", "port", "server_name", "timeout", "websocket")}
    return client.probe_as(
        {**asked, **where, "tls": True, "protocol_version": "5", "roundtrips": [], "rival": None, **changes}
    )


def _knock(entry: Mapping[str, Any], port: int) -> dict[str, Any]:
    state = probe.reachability(address=entry["address"], port=port, timeout=entry["timeout"])
    return {"port": port, "state": state}


def _log_in(entry: Mapping[str, Any]) -> dict[str, Any] | None:
    port = entry["dashboard_port"]
    return dashboard.log_in(address=entry["address"], port=port, timeout=entry["timeout"]) if port else None


def _files(identity: Mapping[str, Any]) -> dict[str, str]:
    """Joined as in the paths that an operator writes."""
    directory = identity["identity"]
    return {"certificate": f"{directory}/fullchain.pem", "private_key": f"{directory}/privkey.pem"}
