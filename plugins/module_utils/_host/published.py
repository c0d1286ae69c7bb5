# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""Ask a CA's servers what is revoked: a response about the own certificate, and the lists about those of peers."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import os
import tempfile
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass

from . import fetch, files, lineage, openssl
from .errors import CheckError

# RFC 6960, appendix A.1.
_REQUEST = "application/ocsp-request"
# Longer ones are asked by POST: RFC 9919, section 5.
_GET_BYTES = 255
# A response with its signer's certificates has some thousand bytes; a list has 40 for each certificate.
_RESPONSE_LIMIT = 64 * 1024
_LIST_LIMIT = 64 * 1024 * 1024


class RevokedError(CheckError):
    """The CA says that the certificate of the lineage is revoked."""


@dataclass(frozen=True)
class Response:
    """A response that can be stapled."""

    der: bytes
    this_update: dt.datetime
    next_update: dt.datetime


def responders(version: Mapping[str, bytes], refresh: lineage.Refresh) -> tuple[str, ...]:
    """Where to ask about the version's certificate; empty when nothing names a place."""
    if refresh.ocsp_url:
        return (refresh.ocsp_url,)
    return openssl.urls(version[lineage.CERTIFICATE], source=lineage.CERTIFICATE).ocsp


def list_places(version: Mapping[str, bytes], refresh: lineage.Refresh) -> tuple[str, ...]:
    """Where the revocation lists are; those of the CA that issued the certificate unless others are named."""
    if refresh.crl_urls:
        return refresh.crl_urls
    return openssl.urls(version[lineage.CERTIFICATE], source=lineage.CERTIFICATE).crl


def response(
    target: lineage.Lineage, version: Mapping[str, bytes], places: tuple[str, ...], *, scratch: str, now: dt.datetime
) -> Response:
    """A good response about the version's certificate, from the first place that has one.

    By GET, which static files and caches can answer, and by POST where that does not give a good one.
    FetchError has the reason of each attempt; RevokedError when a signed answer says so.
    """
    question = _question(target, version, scratch=scratch)
    reasons = []
    for place in places:
        for how, ask in (("GET", _by_get), ("POST", _by_post)):
            try:
                der = ask(place, question)
                said = lineage.answered(target, {**version, lineage.OCSP: der}, scratch=scratch)
                if said.status == "revoked":
                    raise RevokedError(f"{place}: says that the certificate is revoked")
                return Response(der, said.this_update, lineage.require_good(said, now=now))
            except RevokedError:
                raise
            except (fetch.FetchError, CheckError) as failure:
                reason = str(failure)
                reasons.append(f"{how} {reason if reason.startswith(place) else f'{place}: {reason}'}")
    raise fetch.FetchError("; ".join(reasons))


def lists(place: str, validators: Mapping[str, str]) -> tuple[list[openssl.Crl], Mapping[str, str]]:
    """The revocation lists at a place, none when they are those that the validators came with, and new validators."""
    answer = fetch.get(place, limit=_LIST_LIMIT, validators=validators)
    if answer.content is None:
        return [], answer.validators
    return openssl.crls(openssl.crl_as_pem(answer.content, source=place), source=place), answer.validators


def due(start: dt.datetime, end: dt.datetime, *, who: str) -> dt.datetime:
    """When a statement is to be replaced: half way through its validity, a twentieth sooner or later by who asks.

    The hosts of a fleet got theirs at the same time; they need not come for the next one together.
    """
    spread = int.from_bytes(hashlib.sha256(who.encode()).digest()[:4], "big") / 2**32
    return start + (end - start) * (0.45 + spread / 10)


def late(start: dt.datetime, end: dt.datetime, *, now: dt.datetime) -> bool:
    """Whether a statement that should have been replaced is so near its end that somebody has to look.

    Not at half way: the list of an offline root is replaced in its last weeks.
    """
    return now >= end - (end - start) / 10


def _question(target: lineage.Lineage, version: Mapping[str, bytes], *, scratch: str) -> bytes:
    with tempfile.TemporaryDirectory(prefix="question-", dir=scratch) as directory:
        certificate, issuer, path = (os.path.join(directory, name) for name in ("leaf", "issuer", "request"))
        for place, pem in ((certificate, version[lineage.CERTIFICATE]), (issuer, lineage.issuer(target, version))):
            files.create(place, files.File(pem, 0o600, os.geteuid(), os.getegid()))
        openssl.ocsp_request(certificate=certificate, issuer=issuer, path=path)
        with open(path, "rb") as stream:
            return stream.read()


def _by_get(place: str, question: bytes) -> bytes:
    asked = urllib.parse.quote(base64.b64encode(question), safe="")
    if len(asked) > _GET_BYTES:
        raise fetch.FetchError(f"{place}: the question is too long for GET ({len(asked)} bytes)")
    content = fetch.get(f"{place.rstrip('/')}/{asked}", limit=_RESPONSE_LIMIT).content
    return content or b""


def _by_post(place: str, question: bytes) -> bytes:
    return fetch.post(place, question, kind=_REQUEST, limit=_RESPONSE_LIMIT)
