# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""What cannot be among Mosquitto's bridges: what the file has no way to say, and connections that nobody verifies."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

# The name is a level of $SYS/broker/connection/ and a part of the client id.
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
# A line's words end at blanks.
_WORDS = ("address", "cafile", "alpn", "username", "client_id")
_TOPIC_WORDS = ("pattern", "local_prefix", "remote_prefix")


def problems(bridges: Sequence[Mapping[str, Any]]) -> list[str]:
    """Why the broker could not, or must not, make these connections; each names the bridge and the remedy."""
    names = [str(bridge["name"]) for bridge in bridges]
    found = [f"{bridge['name']} {problem}" for bridge in bridges for problem in _problems(bridge)]
    if len(set(names)) != len(names):
        found.append(f"the names are {', '.join(names)}; give each a name of its own")
    return found


def _problems(bridge: Mapping[str, Any]) -> Iterator[str]:
    if not _NAME.fullmatch(str(bridge["name"])):
        yield "cannot be a name; use at most 64 of the characters A-Z a-z 0-9 . _ -"
    if "lineage" not in bridge and "cafile" not in bridge:
        yield "has neither lineage nor cafile, so nothing could verify the other broker; give one of them"
    if ("username" in bridge) != ("password" in bridge):
        yield "has one of username and password; give both, or a lineage"
    if not bridge["topics"]:
        yield "has no topics, so nothing would be exchanged; give it some"
    for key in _WORDS:
        if re.search(r"\s", str(bridge.get(key, ""))):
            yield f"has a blank in {key}; take it out"
    # The rest of the line, but not more than the line.
    if re.search(r"^\s|\s$|[\r\n\0]", str(bridge.get("password", ""))):
        yield "has a password that begins or ends with a blank, or has a line break; choose another"
    for topic in bridge["topics"]:
        for key in _TOPIC_WORDS:
            if re.search(r"\s", str(topic.get(key, ""))):
                yield f"has a blank in {key} {topic[key]!r}, which the broker's file cannot say; choose another topic"
