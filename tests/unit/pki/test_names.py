# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.bulwark.mqtt.plugins.module_utils._pki import names
from ansible_collections.bulwark.mqtt.plugins.module_utils._pki.errors import RefusedNameError


@pytest.mark.parametrize("common_name", ["a", "mqtt1.example.com", "meter_17", "A-Z.0", "x" * 64])
def test_a_common_name_of_the_allowed_characters_is_taken(common_name):
    assert names.check_common_name(common_name) == common_name


@pytest.mark.parametrize(
    "common_name",
    [
        pytest.param("", id="empty"),
        pytest.param("x" * 65, id="65-characters"),
        pytest.param("a/b", id="slash"),
        pytest.param("+", id="plus"),
        pytest.param("#", id="hash"),
        pytest.param("a\x00b", id="nul"),
        pytest.param("a b", id="space"),
        pytest.param("a\n", id="newline-at-the-end"),
        pytest.param("CN=a,O=b", id="two-attributes"),
        pytest.param("müller", id="not-ascii"),
        pytest.param("2001:db8::1", id="ipv6"),
    ],
)
def test_any_other_common_name_is_refused(common_name):
    with pytest.raises(RefusedNameError) as caught:
        names.check_common_name(common_name)
    assert str(caught.value) == (
        f"common_name {common_name!r} ({len(common_name)} characters, by default the first of the names) is refused: "
        "give one of 1 to 64 of the characters A-Z a-z 0-9 . _ -"
    )


@pytest.mark.parametrize(
    ("given", "dns", "addresses"),
    [
        pytest.param(["b.example", "a.example"], ("a.example", "b.example"), (), id="sorted"),
        pytest.param(["A.Example", "a.example"], ("a.example",), (), id="case-does-not-count"),
        pytest.param(["a.example", "192.0.2.1"], ("a.example",), ("192.0.2.1",), id="both-kinds"),
        pytest.param(["2001:DB8:0::1"], (), ("2001:db8::1",), id="ipv6-is-compressed"),
        pytest.param(["*.example.com"], ("*.example.com",), (), id="wildcard"),
        pytest.param(["xn--mller-kva.example"], ("xn--mller-kva.example",), (), id="a-label"),
        pytest.param(["debian_12"], ("debian_12",), (), id="underscore"),
    ],
)
def test_names_are_sorted_into_kinds_in_one_form(given, dns, addresses):
    assert names.parse(given) == names.Names(dns=dns, addresses=addresses)


_NEITHER = (
    "it is neither an IP address nor a DNS name (labels of 1 to 63 of the characters a-z 0-9 _ -, separated by dots, "
    "253 in all)"
)
_NUMBER = "it ends in a number, so it could be taken for an IP address"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        pytest.param("müller.example", "it is not ASCII, give the A-label of each part (xn--...)", id="idna"),
        pytest.param("", _NEITHER, id="empty"),
        pytest.param("a..example", _NEITHER, id="empty-label"),
        pytest.param("a.example.", _NEITHER, id="dot-at-the-end"),
        pytest.param("-a.example", _NEITHER, id="hyphen-first"),
        pytest.param("x" * 64 + ".example", _NEITHER, id="long-label"),
        pytest.param(".".join(["a" * 49] * 6), _NEITHER, id="long-name"),
        pytest.param("a.*.example", _NEITHER, id="wildcard-inside"),
        pytest.param("w*.example.com", _NEITHER, id="wildcard-in-a-label"),
        pytest.param("*.com", _NEITHER, id="wildcard-for-all-of-a-top-level"),
        pytest.param("192.0.2.0/24", _NEITHER, id="network"),
        pytest.param("a.example\x00.evil", _NEITHER, id="nul"),
        pytest.param("10.0.0.256", _NUMBER, id="mistyped-address"),
        pytest.param("fe80::1%eth0", "an address in a certificate has no zone, remove '%' and what follows", id="zone"),
    ],
)
def test_what_is_neither_a_name_nor_an_address_is_refused(name, reason):
    with pytest.raises(RefusedNameError) as caught:
        names.parse([name])
    assert str(caught.value) == f"name {name!r} is refused: {reason}"


@pytest.mark.parametrize(
    ("common_name", "expected"),
    [
        pytest.param("Meter-1", names.Names(dns=("meter-1",)), id="dns"),
        pytest.param("192.0.2.1", names.Names(addresses=("192.0.2.1",)), id="address"),
        pytest.param("f" * 64, names.Names(uris=(f"urn:bulwark:{'f' * 64}",)), id="too-long-for-a-label"),
        pytest.param("000123", names.Names(uris=("urn:bulwark:000123",)), id="number"),
    ],
)
def test_every_common_name_has_an_alternative_name(common_name, expected):
    assert names.of_common_name(common_name) == expected


@pytest.mark.parametrize("title", ["", "x" * 65, "a\tb"])
def test_the_name_of_a_ca_has_1_to_64_printable_characters(title):
    with pytest.raises(RefusedNameError) as caught:
        names.check_title(title, what="root_common_name")
    assert str(caught.value) == (
        f"root_common_name {title!r} is refused: use 1 to 64 characters, none of them a control character"
    )
