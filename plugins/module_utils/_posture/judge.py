# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""Judge what the probes saw of one endpoint: for each rule what was found, and whether that proves it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._tls_policy import PROFILES
from .rules import RULES

PROVED, FAILED, UNTESTABLE, NOT_APPLICABLE = "proved", "failed", "untestable", "not applicable"

_SPOKEN = {"TLSv1": "TLS 1.0", "TLSv1.1": "TLS 1.1", "TLSv1.2": "TLS 1.2", "TLSv1.3": "TLS 1.3"}

# With a third of its lifetime left a certificate is renewed: with less than a quarter, somebody did not.
_LEFT = 4
_LONGEST = dt.timedelta(days=366)
# What the profile of the strictest guideline in use demands (BSI TR-02102-1, 2026: 3000 bits).
_RSA_BITS = 3000
# What EMQX's login answers (RFC 9110, section 15).
_LET_IN, _REFUSALS = 200, (401, 403)


@dataclass(frozen=True)
class Proof:
    """What was found about one rule."""

    rule: str
    what: str
    found: str
    result: str

    def facts(self, *, broker: str, edge: bool) -> dict[str, Any]:
        """It and its rule as data, with the remedy for such a host."""
        rule = RULES[self.rule]
        remedy = rule.remedy_for(broker=broker, edge=edge)
        return {
            "rule": self.rule,
            "what": self.what,
            "found": self.found,
            "result": self.result,
            "severity": rule.severity,
            "remedy": remedy,
            "clauses": list(dict.fromkeys(rule.clauses)),
            "line": f"{self.what}: {self.found}" + (f" ({rule.severity}); {remedy}" if self.result == FAILED else ""),
        }


@dataclass(frozen=True)
class Seen:
    """What posture_info answered about an endpoint, and who asked.

    `device` published on the client's own topic first, then on another client's; then it subscribed to everything, and
    its rival, where there is an `other` client, published and claimed its client identifier. `refused` are the answers
    to identities that must be refused, each with what it is. `forged` is the answer to a client that claims another
    name in a PROXY header, asked where an edge is in front of the broker. `dashboard` is the answer to the login that
    EMQX comes with, asked where there is one.
    """

    client: str
    port: int
    endpoint: Mapping[str, Any]
    device: Mapping[str, Any]
    anonymous: Mapping[str, Any]
    plaintext: Sequence[Mapping[str, Any]]
    refused: Sequence[Mapping[str, Any]] = ()
    other: str = ""
    forged: Mapping[str, Any] | None = None
    dashboard: Mapping[str, Any] | None = None
    staple_required: bool = False


def judge(seen: Seen, *, profile: str, now: dt.datetime) -> list[Proof]:
    """Every rule's proof, or what stands against it, in the order of a connection."""
    return [
        _proof("endpoint", f"Port {seen.port}", seen.endpoint["state"], seen.endpoint["state"] == "open"),
        *_judge_certificate(seen.endpoint, now=now),
        *_judge_tls(seen.endpoint, profile=profile),
        *_judge_identity(seen),
        *_judge_topics(seen),
        *_judge_rival(seen),
        *_judge_edge(seen),
        *(
            _proof("plaintext", f"Port {answer['port']}", answer["state"], answer["state"] in ("closed", "filtered"))
            for answer in seen.plaintext
        ),
        *_judge_dashboard(seen.dashboard),
    ]


def _judge_certificate(endpoint: Mapping[str, Any], *, now: dt.datetime) -> Iterator[Proof]:
    certificate = endpoint["certificate"]
    if not certificate:
        yield _proof("certificate", "Certificate", _why(endpoint), False)
        return
    verified = endpoint["verified"] is True
    found = f"verifies, until {certificate['not_after']}" if verified else _why(endpoint)
    yield _proof("certificate", "Certificate", found, verified)
    start, end = (moment(certificate[name]) for name in ("not_before", "not_after"))
    yield _proof("lifetime", "Lifetime", f"{(end - start).days} days", end - start <= _LONGEST)
    left = end - now
    days = max(0, left.days)
    yield _proof("renewal", "Left of it", f"{days} days", left * _LEFT >= end - start)
    yield _proof("key", "Key", certificate["key_type"], not _weak(certificate["key_type"]))
    yield _proof("names", "Names", ", ".join(certificate["names"]) or "none", bool(certificate["names"]))


def _judge_tls(endpoint: Mapping[str, Any], *, profile: str) -> Iterator[Proof]:
    policy = PROFILES[profile]
    agreed = [endpoint["protocol"], endpoint["cipher"], endpoint["group"]]
    found = ", ".join(part for part in agreed if part) or _why(endpoint)
    yield _proof("protocol", "Protocol, suite and group", found, endpoint["protocol"] in policy.versions)
    for name, answer in endpoint["versions"].items():
        if name not in policy.versions:
            result = {"refused": PROVED, "untestable": UNTESTABLE}.get(answer, FAILED)
            yield Proof("old_versions", _SPOKEN[name], answer, result)
    wrong = [suite for suite in endpoint["suites"] if suite not in policy.ciphers]
    found = f"also {', '.join(wrong)}" if wrong else ", ".join(endpoint["suites"]) or "none"
    spoke = bool(endpoint["protocol"])
    yield _proof("suites", "Suites of TLS 1.2", found if spoke else _why(endpoint), spoke and not wrong)


def _judge_identity(seen: Seen) -> Iterator[Proof]:
    anonymous = seen.anonymous
    why = _refusal(anonymous)
    # Refused by TLS: a password listener asks for a password only, and would tell everybody so. nginx says nothing to a
    # client without a certificate and hangs up.
    silent = seen.forged is not None and anonymous["state"] == "open" and anonymous["connack"] is None
    turned_away = not anonymous["connected"] and (anonymous["tls_error"] is not None or silent)
    found = "connected" if anonymous["connected"] else f"refused ({why})"
    yield _proof("client_certificate", "No client certificate", found, turned_away)
    refusal = seen.endpoint["foreign_client"]
    found = f"refused ({refusal})" if refusal else "let in" if seen.endpoint["protocol"] else _why(seen.endpoint)
    yield _proof("foreign_authority", "Certificate of a foreign authority", found, bool(refusal))
    for answer in seen.refused:
        # A port that nobody listens on refuses everybody.
        refused = not answer["connected"] and answer["state"] == "open"
        why = _refusal(answer) if answer["state"] == "open" else answer["state"]
        yield _proof(
            "refused_identity",
            answer["what"],
            f"refused ({why})" if refused else "let in" if answer["connected"] else why,
            refused,
        )


def _judge_topics(seen: Seen) -> Iterator[Proof]:
    own, foreign = (_roundtrip(seen.device["roundtrips"], number) for number in (0, 1))
    found = "received" if own["received"] else seen.device["tls_error"] or seen.device["error"] or "nothing received"
    yield _proof("own_topic", f"Publish and subscribe on devices/{seen.client}/", found, bool(own["received"]))
    published = foreign["published"] or {}
    refused = bool(published.get("refused")) and foreign["received"] is None
    found = published.get("reason", "no answer") if foreign["received"] is None else "received"
    yield _proof("foreign_topic", f"Publish on devices/not-{seen.client}/", found, refused)


def _judge_rival(seen: Seen) -> Iterator[Proof]:
    """Two clients of one broker; with one identity there is nothing to ask."""
    heard, ended = f"Messages of {seen.other or 'another client'}", "Client identifier that another client claims"
    rival = seen.device["rival"] if seen.other else None
    if not rival or not rival["connected"]:
        found = f"{seen.other} was not let in ({rival['why']})" if rival else f"{seen.client} was not let in"
        silence = (found, UNTESTABLE) if seen.other else ("no second client to ask with", NOT_APPLICABLE)
        yield Proof("wildcard", heard, *silence)
        yield Proof("takeover", ended, *silence)
        return
    published = rival["published"]
    if not published or published["refused"]:
        reason = published["reason"] if published else "no answer"
        yield Proof("wildcard", heard, f"{seen.other} could not publish ({reason})", UNTESTABLE)
    else:
        found = "received by a subscription to #" if rival["overheard"] else "not received by a subscription to #"
        yield _proof("wildcard", heard, found, not rival["overheard"])
    found = "ended the session" if rival["took_over"] else "both stay connected"
    yield _proof("takeover", ended, found, not rival["took_over"])


def _judge_edge(seen: Seen) -> Iterator[Proof]:
    """What an edge in front of the broker adds to what the broker promises."""
    if seen.forged is None:
        return
    staple, certificate = seen.endpoint["stapled"], seen.endpoint["certificate"] or {}
    if staple:
        good = staple["status"] == "good" and staple["fresh"] and staple["serial"] == certificate.get("serial")
        yield _proof("staple", "OCSP staple", f"{staple['status']} until {staple['next_update']}", good)
    else:
        result = FAILED if seen.staple_required else NOT_APPLICABLE
        yield Proof("staple", "OCSP staple", "none", result)
    forged = seen.forged
    refused = not forged["connected"] and forged["state"] == "open"
    why = forged["error"] or forged["tls_error"] or forged["state"]
    found = "connected" if forged["connected"] else f"refused ({why})"
    yield _proof("proxy_header", "PROXY header of a client that claims another name", found, refused)


def _judge_dashboard(answer: Mapping[str, Any] | None) -> Iterator[Proof]:
    """A dashboard that nobody here reaches lets nobody in."""
    if answer is None:
        return
    status = answer["status"]
    what = f"Login at the dashboard's port {answer['port']} that everybody knows"
    if answer["state"] != "open":
        yield Proof("dashboard", what, answer["state"], PROVED)
    elif status in _REFUSALS:
        yield Proof("dashboard", what, f"refused ({status})", PROVED)
    elif status == _LET_IN:
        yield Proof("dashboard", what, "let in", FAILED)
    else:
        yield Proof("dashboard", what, f"no dashboard ({status or 'no HTTP'})", UNTESTABLE)


def _proof(rule: str, what: str, found: str, proved: bool) -> Proof:
    return Proof(rule, what, found, PROVED if proved else FAILED)


def _refusal(answer: Mapping[str, Any]) -> str:
    return str(answer["tls_error"] or answer["error"] or (answer["connack"] or {}).get("reason") or "no answer")


def _why(endpoint: Mapping[str, Any]) -> str:
    return str(endpoint["verification_error"] or endpoint["error"] or f"port {endpoint['state']}")


def _weak(key_type: str) -> bool:
    kind, _separator, size = key_type.partition("-")
    return kind == "rsa" and int(size) < _RSA_BITS


def _roundtrip(roundtrips: Sequence[Mapping[str, Any]], number: int) -> Mapping[str, Any]:
    """An entry that the conversation did not come to has neither answer nor message."""
    return roundtrips[number] if len(roundtrips) > number else {"published": None, "received": None}


def moment(text: str) -> dt.datetime:
    """The time that a probe writes, in UTC."""
    return dt.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=dt.timezone.utc)
