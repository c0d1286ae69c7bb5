# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""Rules of the firewall: completed from what a role publishes, with the reasons why one cannot be. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

# What nft takes as part of a set's name, and an operator can read in a counter.
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,39}")
_INTERFACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,14}")
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}|[0-9]{1,10}")
# TCP_LISTEN of include/net/tcp_states.h
_LISTENING = "0A"
_LIMITS = ("rate", "burst", "ceiling", "ceiling_per_source")


def complete(rules: Sequence[Mapping[str, Any]], limits: Mapping[str, int]) -> list[dict[str, Any]]:
    """The rules with `limits` where they have none of their own, sources by family, and `problems`."""
    return [_completed(rule, limits, earlier=rules[:number]) for number, rule in enumerate(rules)]


def of_listeners(listeners: Iterable[Mapping[str, Any]], prefix: str) -> list[dict[str, Any]]:
    """A rule for each listener of a service: its port, and its sources where it has some."""
    return [
        {
            "name": f"{prefix}-{listener['port']}",
            **{key: listener[key] for key in ("port", "sources") if key in listener},
        }
        for listener in listeners
    ]


def families(sources: Iterable[Any]) -> dict[str, Any]:
    """Addresses and networks by family as nft names it, without those that are within others, and what is neither."""
    networks, refused = [], []
    for source in sources:
        try:
            networks.append(ipaddress.ip_network(str(source)))
        except ValueError as failure:
            refused.append(_reason(str(source), failure))
    four = [network for network in networks if isinstance(network, ipaddress.IPv4Network)]
    six = [network for network in networks if isinstance(network, ipaddress.IPv6Network)]
    # An interval of nft must not overlap another one of its set.
    return {
        "ip": [str(network) for network in ipaddress.collapse_addresses(four)],
        "ip6": [str(network) for network in ipaddress.collapse_addresses(six)],
        "refused": refused,
    }


def listening_sockets(tables: Iterable[str], *, order: Literal["little", "big"]) -> list[dict[str, Any]]:
    """Each port that other hosts could reach, with an address to try it at, from what is in /proc/net/tcp.

    `order` is that of bytes in the host's words, in which the kernel shows addresses.
    """
    found: dict[int, str] = {}
    for table in tables:
        for line in table.splitlines()[1:]:
            _number, local, _remote, state = line.split()[:4]
            if state != _LISTENING:
                continue
            words, _separator, port = local.partition(":")
            parsed = _address(words, order)
            if (getattr(parsed, "ipv4_mapped", None) or parsed).is_loopback:
                continue
            address = str(parsed)
            if parsed.is_unspecified:
                address = "127.0.0.1" if parsed.version == 4 else "::1"
            # An address of link scope alone leads nowhere without its interface.
            if not parsed.is_link_local:
                found.setdefault(int(port, 16), address)
    return [{"port": port, "address": found[port]} for port in sorted(found)]


def _address(words: str, order: Literal["little", "big"]) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """The address that the kernel shows as the numbers of its 32-bit words."""
    parts = [int(words[start : start + 8], 16).to_bytes(4, order) for start in range(0, len(words), 8)]
    return ipaddress.ip_address(b"".join(parts))


def _reason(source: str, failure: ValueError) -> str:
    if "has host bits set" in str(failure):
        return f"{source!r} has bits beyond its prefix; write {ipaddress.ip_interface(source).network}"
    return f"{source!r} is no address and no network; write one such as 192.0.2.0/24 or 2001:db8::/32"


def _completed(
    rule: Mapping[str, Any], limits: Mapping[str, int], *, earlier: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    # An option that an argument spec describes and nobody gave is not there, or is None.
    given = {key: value for key, value in rule.items() if value is not None}
    sources = given.get("sources", [])
    by_family = families(sources if isinstance(sources, list) else [sources])
    return {
        "name": str(given.get("name", "")),
        "protocol": given.get("protocol", "tcp"),
        "ports": str(given.get("port", "")),
        "interface": given.get("interface", ""),
        "skuid": str(given.get("skuid", "")),
        "sources": by_family,
        "everyone": not sources,
        **{key: given.get(key, limits[key]) for key in _LIMITS},
        "problems": [f"firewall_rules: {problem}" for problem in _problems(given, by_family, earlier)],
    }


def _problems(rule: Mapping[str, Any], by_family: Mapping[str, Any], earlier: Sequence[Mapping[str, Any]]) -> list[str]:
    name = str(rule.get("name", ""))
    if not _NAME.fullmatch(name):
        return [f"a rule has the name {name!r}; give 1 to 40 letters, digits, '_', '.' or '-', a letter first"]
    found = []
    if name in [other.get("name") for other in earlier]:
        found.append(f"two rules have the name {name}; give each a name of its own")
    ports = _ports(rule)
    if not ports:
        found.append(f"{name} has port {rule.get('port')!r}; give one from 1 to 65535, or a range such as '8000-8010'")
    found += [
        f"{other['name']} and {name} have a port in common; make it one rule"
        for other in earlier
        if _kind(other) == _kind(rule) and {*_ports(other)} & {*ports}
    ]
    found += [f"{name}: the source {reason}" for reason in by_family["refused"]]
    if not _INTERFACE.fullmatch(str(rule.get("interface", "lo"))):
        found.append(f"{name} has interface {rule['interface']!r}; give the name of one, such as eth0")
    if not _USER.fullmatch(str(rule.get("skuid", "root"))):
        found.append(f"{name} has skuid {rule['skuid']!r}; give the name or number of a user")
    if "skuid" in rule and (rule.get("sources") or rule.get("interface")):
        found.append(f"{name} has skuid, so only this host comes in; take its sources and interface away")
    found += [
        f"{name} has {key} {rule[key]!r}; give a whole number, 0 for no limit"
        for key in _LIMITS
        if key in rule and int(rule[key]) < 0
    ]
    return found


def _kind(rule: Mapping[str, Any]) -> tuple[str, bool]:
    """What comes from this host and what comes from others are judged apart; each protocol has ports of its own."""
    return rule.get("protocol") or "tcp", bool(rule.get("skuid"))


def _ports(rule: Mapping[str, Any]) -> range:
    """The ports of a rule, none when it is not one port or one range of them."""
    numbers = re.fullmatch("([0-9]{1,5})(?:-([0-9]{1,5}))?", str(rule.get("port")))
    if not numbers:
        return range(0)
    first, last = int(numbers[1]), int(numbers[2] or numbers[1])
    return range(first, last + 1) if 1 <= first <= last <= 65535 else range(0)
