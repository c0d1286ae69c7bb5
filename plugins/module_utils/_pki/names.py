# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.

"""The names that may stand in a certificate: common names by allow-list, DNS names and addresses in canonical form."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from .errors import RefusedNameError

# A client's common name becomes its MQTT username and stands in ACL patterns and topics: nothing that a broker, a shell
# or a file system reads as syntax (`/`, `+`, `#`, NUL, ...). 64 is ub-common-name of RFC 5280, appendix A.1.
COMMON_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
# The underscore is no host name character (RFC 952), but inventories have it and every TLS library accepts it.
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_TITLE = re.compile(r"[^\x00-\x1f\x7f]{1,64}")


# A tuple: a device has one, and it is made in a quarter of the time that a dataclass takes.
class Names(NamedTuple):
    """The subject alternative names of a certificate, canonical, sorted, each one once."""

    dns: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    uris: tuple[str, ...] = ()

    def __str__(self) -> str:
        return ", ".join(self.dns + self.addresses + self.uris) or "none"

    def __bool__(self) -> bool:
        return bool(self.dns or self.addresses or self.uris)


@dataclass(frozen=True)
class Constraints:
    """What a CA may certify: names in these domains, addresses in these networks; empty for anything."""

    dns: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()

    def __str__(self) -> str:
        return ", ".join(self.dns + self.networks) or "none"

    def __bool__(self) -> bool:
        return bool(self.dns)

    def outside(self, names: Names) -> list[str]:
        """The names that are not permitted; URIs are not restricted."""
        if not self:
            return []
        networks = [ipaddress.ip_network(network) for network in self.networks]
        return [
            *(name for name in names.dns if not self.permit_dns(name)),
            *(
                address
                for address in names.addresses
                # An address of the other version is in no network.
                if not any(ipaddress.ip_address(address) in network for network in networks)
            ),
        ]

    def permit_dns(self, name: str) -> bool:
        """Whether a DNS name is one of the domains or below one (RFC 5280, 4.2.1.10)."""
        name = name.lower()
        return not self or any(name == domain or name.endswith(f".{domain}") for domain in self.dns)


def parse_constraints(dns: Iterable[str], networks: Iterable[str]) -> Constraints:
    """Domains and networks in canonical form; RefusedNameError names the first that cannot be one."""
    domains = tuple(sorted({_domain(name) for name in dns}))
    found = tuple(sorted({_network(network) for network in networks}))
    if found and not domains:
        raise RefusedNameError(
            f"permitted_addresses {', '.join(found)} without permitted_dns would permit every name: give the domains "
            "of brokers and clients in permitted_dns as well"
        )
    return Constraints(dns=domains, networks=found)


def _domain(name: str) -> str:
    # OpenSSL and RFC 5280 disagree about a leading dot, and a wildcard is no domain.
    if name.startswith((".", "*")):
        raise RefusedNameError(
            f"permitted_dns {name!r} is refused: give the domain alone, such as example.com, which permits itself and "
            "all that is below it"
        )
    if _address(name):
        raise RefusedNameError(f"permitted_dns {name!r} is refused: it is an address, give it in permitted_addresses")
    return _dns(name)


def _network(network: str) -> str:
    try:
        return str(ipaddress.ip_network(network))
    except ValueError as error:
        raise RefusedNameError(
            f"permitted_addresses {network!r} is refused ({error}): give networks such as 192.0.2.0/24"
        ) from error


def check_common_name(common_name: str) -> str:
    """Return the common name of a server, client or device; RefusedNameError when it is not `[A-Za-z0-9._-]{1,64}`."""
    if not COMMON_NAME.fullmatch(common_name):
        raise RefusedNameError(
            f"common_name {common_name!r} ({len(common_name)} characters, by default the first of the names) "
            "is refused: give one of 1 to 64 of the characters A-Z a-z 0-9 . _ -"
        )
    return common_name


def check_title(title: str, *, what: str) -> str:
    """Return the name of a CA or an organization, which may have spaces; RefusedNameError if empty or too long."""
    if not _TITLE.fullmatch(title):
        raise RefusedNameError(f"{what} {title!r} is refused: use 1 to 64 characters, none of them a control character")
    return title


def parse(names: Iterable[str]) -> Names:
    """DNS names and IP addresses, mixed, in canonical form; RefusedNameError names the first that may not be there."""
    dns: set[str] = set()
    addresses: set[str] = set()
    for name in names:
        address = _address(name)
        if address:
            addresses.add(address)
        else:
            dns.add(_dns(name))
    return Names(dns=tuple(sorted(dns)), addresses=tuple(sorted(addresses)))


def of_common_name(common_name: str) -> Names:
    """The alternative name that says the same as a common name, so that no certificate is without one (RFC 9525, 6.3).

    Identifiers such as 64 hexadecimal digits or a bare number are no DNS names; they become a URN.
    """
    check_common_name(common_name)
    try:
        address = _address(common_name)
        return Names(addresses=(address,)) if address else Names(dns=(_dns(common_name),))
    except RefusedNameError:
        return as_urn(common_name)


def as_urn(common_name: str) -> Names:
    """A common name as the alternative name of what is no host."""
    return Names(uris=(f"urn:bulwark:{common_name}",))


def _address(name: str) -> str:
    # Found out a million times for a million devices, so without an exception for most of them.
    if ":" not in name and name.count(".") != 3:
        return ""
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return ""
    if "%" in name:
        raise RefusedNameError(
            f"name {name!r} is refused: an address in a certificate has no zone, remove '%' and what follows"
        )
    return str(address)


def _dns(name: str) -> str:
    if not name.isascii():
        raise RefusedNameError(f"name {name!r} is refused: it is not ASCII, give the A-label of each part (xn--...)")
    labels = name.lower().split(".")
    # RFC 9525, 6.3: a wildcard is the whole left-most label, nothing else.
    checked = labels[1:] if labels[0] == "*" and len(labels) > 2 else labels
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in checked):
        raise RefusedNameError(
            f"name {name!r} is refused: it is neither an IP address nor a DNS name (labels of 1 to 63 "
            "of the characters a-z 0-9 _ -, separated by dots, 253 in all)"
        )
    if labels[-1].isdigit():
        raise RefusedNameError(f"name {name!r} is refused: it ends in a number, so it could be taken for an IP address")
    return ".".join(labels)
