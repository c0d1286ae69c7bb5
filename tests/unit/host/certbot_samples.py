# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host with certbot's files, for tests."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bulwark.mqtt.plugins.module_utils._host import certbot, lineage, operations

NAME = "broker.example"
SERVER = "https://acme.example/directory"
RENEWAL = f"""# renew_before_expiry = 30 days
cert = /etc/letsencrypt/live/mqtt/cert.pem

# Options used in the renewal process
[renewalparams]
account = 0123
authenticator = standalone
server = {SERVER}
key_type = ecdsa
renew_hook = {certbot.HOOK}
"""


class Host:
    """A store, a directory of certbot, and a program in certbot's place."""

    def __init__(self, root: Path, pki: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root, self.pki = root, pki
        self.public = type(pki)()
        self.target = lineage.Lineage(str(root / "store"), "mqtt")
        os.makedirs(self.target.path)
        declared = {"purpose": "server", "names": [NAME], "group": ""}
        Path(self.target.path, "lineage.json").write_text(json.dumps(declared))
        monkeypatch.setattr(lineage, "STORE", self.target.store)
        monkeypatch.setattr(operations, "HOST_STATE", operations.state_of(self.target.store))
        monkeypatch.setattr(operations.descriptor, "DIRECTORY", str(root / "services.d"))
        (root / "roots.pem").write_bytes(self.public.root.pem)
        (root / "metrics").mkdir()
        self.configuration = certbot.Configuration(
            program=str(root / "certbot"),
            directory=str(root / "letsencrypt"),
            environment={},
            roots=str(root / "roots.pem"),
            metrics=str(root / "metrics"),
            certificates=(certbot.Certificate("mqtt", "mqtt"),),
        )

    def obtain(self, *, renewal: str = RENEWAL, name: str = "mqtt") -> Any:
        leaf = self.public.server(NAME)
        root = Path(self.configuration.directory)
        live, archive = root / "live" / name, root / "archive" / name
        for directory in (live, archive, root / "renewal", root / "accounts" / "acme.example" / "0123"):
            directory.mkdir(parents=True, exist_ok=True)
        number = len(list(archive.iterdir())) + 1
        (archive / f"cert{number}.pem").write_bytes(leaf.pem)
        found = {"cert.pem": leaf.pem, "chain.pem": self.public.issuing.pem, "privkey.pem": leaf.key}
        for part, content in found.items():
            (live / part).write_bytes(content)
        (root / "renewal" / f"{name}.conf").write_text(renewal)
        return leaf

    def called(self) -> list[str]:
        """What the program in certbot's place was called with, when it writes it down."""
        path = self.root / "called"
        return path.read_text().splitlines() if path.exists() else []

    def program(self, script: str) -> None:
        path = self.root / "certbot"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def metrics(self) -> str:
        return "".join(path.read_text() for path in sorted((self.root / "metrics").iterdir()))

    def served(self) -> bytes:
        return self.target.read(self.target.current_version()).get(lineage.CERTIFICATE, b"")
