#!/usr/bin/env python3
# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deactivate every authorization that the accounts of certbot have at an ACME server (RFC 8555, 7.5.2).

pebble uses one in a hundred of them again even with PEBBLE_AUTHZREUSE=0, and a challenge that must be refused would not
even be asked for. Runs on the test host with the Python that runs certbot, which has the library acme.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import sys
from typing import Any

import josepy
from acme import client, messages


class Json:
    """A request as the library wants one."""

    def __init__(self, **content: object) -> None:
        self.content = content

    def json_dumps(self, **_options: object) -> str:
        """The request's text."""
        return json.dumps(self.content)


def authorizations(ask: Any, account: str) -> list[str]:
    """The addresses of all authorizations of the account's orders."""
    found: list[str] = []
    page = ask(account).json()["orders"]
    while page:
        answer = ask(page)
        for order in answer.json()["orders"] or []:
            found += ask(order).json()["authorizations"]
        page = answer.links.get("next", {}).get("url")
    return found


def main() -> int:
    """Say how many were deactivated."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("server", help="URL of the directory; REQUESTS_CA_BUNDLE has its CA")
    parser.add_argument("accounts", type=pathlib.Path, help="certbot's directory of the accounts with it")
    arguments = parser.parse_args()
    deactivated = 0
    for directory in arguments.accounts.iterdir():
        key = josepy.JWK.json_loads((directory / "private_key.json").read_text())
        account = messages.RegistrationResource.json_loads((directory / "regr.json").read_text())
        network = client.ClientNetwork(key, account=account)
        nonce = network.get(arguments.server).json()["newNonce"]

        def ask(url: str, request: Json | None = None, *, network: Any = network, nonce: str = nonce) -> Any:
            return network.post(url, request, new_nonce_url=nonce)

        for url in authorizations(ask, account.uri):
            if ask(url).json()["status"] in ("valid", "pending"):
                ask(url, Json(status="deactivated"))
                deactivated += 1
    print(deactivated)
    return 0


if __name__ == "__main__":
    sys.exit(main())
