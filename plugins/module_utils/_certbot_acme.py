# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.

"""The CA by way of the library `acme`, which certbot comes with; so it runs with the Python that runs certbot."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator
from typing import Any

from ._host.certbot import remedy
from ._host.errors import StoreError

try:
    import josepy
    from acme import client, errors, jws, messages
except ImportError as error:
    PROBLEM = str(error)
else:
    PROBLEM = ""

with contextlib.suppress(ImportError):  # acme needs it too
    import requests
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

_CURVES = {256: "ES256", 384: "ES384", 521: "ES512"}


class AcmeCa:
    """One account at a CA."""

    def __init__(self, server: str, uri: str) -> None:
        """Remember whom to ask; nobody is asked yet."""
        self._server, self._uri = server, uri

    def identity(self, key: str) -> str:
        """certbot's: the MD5 of the public key."""
        public = _load(key).key.public_key()
        pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        return hashlib.md5(pem, usedforsecurity=False).hexdigest()

    def make_key(self, like: str) -> str:
        """A new key of the other's type and size."""
        old = _load(like)
        if old.typ == "EC":
            return str(josepy.JWKEC(key=josepy.ComparableECKey(ec.generate_private_key(old.key.curve))).json_dumps())
        made = rsa.generate_private_key(public_exponent=65537, key_size=old.key.key_size)
        return str(josepy.JWKRSA(key=josepy.ComparableRSAKey(made)).json_dumps())

    def accepts(self, key: str) -> bool:
        """Ask for the account with this key (RFC 8555, 7.1.2 and 6.3)."""
        with _said(self._server):
            network, directory = self._connect(key)
            try:
                network.post(self._uri, None, new_nonce_url=directory["newNonce"])
            except messages.Error as error:
                if error.code in ("unauthorized", "malformed", "accountDoesNotExist"):
                    return False
                raise
            return True

    def change(self, old: str, new: str) -> None:
        """Send the request that both keys sign (RFC 8555, 7.3.5)."""
        with _said(self._server):
            network, directory = self._connect(old)
            url = directory["keyChange"]
            request = {"account": self._uri, "oldKey": _load(old).public_key().to_json()}
            key = _load(new)
            # The header of the inner one has the key itself, and no nonce.
            inner = jws.JWS.sign(json.dumps(request).encode(), key=key, alg=_algorithm(key), nonce=None, url=url)
            network.post(url, inner, new_nonce_url=directory["newNonce"])

    def _connect(self, key: str) -> tuple[Any, Any]:
        loaded = _load(key)
        registration = messages.RegistrationResource(uri=self._uri, body=messages.Registration())
        network = client.ClientNetwork(
            loaded, account=registration, alg=_algorithm(loaded), user_agent="bulwark.mqtt certbot_account_key"
        )
        return network, messages.Directory.from_json(network.get(self._server).json())


def _load(key: str) -> Any:
    return josepy.JWK.json_loads(key)


def _algorithm(key: Any) -> Any:
    return getattr(josepy, _CURVES[key.key.key_size] if key.typ == "EC" else "RS256")


@contextlib.contextmanager
def _said(server: str) -> Iterator[None]:
    """StoreError in the words of the CA, or of the network, with what to do about it."""
    try:
        yield
    except (messages.Error, errors.Error, requests.exceptions.RequestException, ValueError, KeyError) as error:
        said = " ".join(str(error).split())
        raise StoreError(f"{server}: the key was not changed: {said}{remedy(said)}") from error
