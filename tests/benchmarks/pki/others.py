# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The same devices with other tools: keys and certificates of P-256, one CA, all in one run; with the project's .venv.

    python tests/benchmarks/pki/others.py [DEVICES] [--only TOOL ...]

community.crypto is installed into an environment that is thrown away; it comes with PyPI's `ansible`. easy-rsa and
cfssl are Debian's packages (`easy-rsa`, `golang-cfssl`). What is not installed is named and left out.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import sample

PASSPHRASE = "only for benchmarks"


class NotInstalledError(Exception):
    """A tool that is not there; the message names it."""


def call(*command: str | Path, directory: Path, **environment: str) -> None:
    """Run a program; its output is shown when it fails."""
    result = subprocess.run(
        list(map(str, command)),
        cwd=directory,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        raise RuntimeError(f"{command[0]} failed: {result.stdout}{result.stderr}")


def program(name: str, package: str) -> str:
    """Where a program is."""
    # Debian's easy-rsa is not in PATH.
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/share/easy-rsa")
    if not found:
        raise NotInstalledError(f"{name} is not installed (Debian's package {package})")
    return found


def playbook(directory: Path, tasks: list[dict[str, object]], *, python: Path, **environment: str) -> None:
    """Run tasks on this machine with the ansible-playbook of a Python environment."""
    play = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "vars": {"ansible_python_interpreter": str(python)},
        "tasks": tasks,
    }
    (directory / "play.yml").write_text(json.dumps([play]), encoding="utf-8")
    call(python.parent / "ansible-playbook", "play.yml", directory=directory, **environment)


def report(what: str, count: int, run: Callable[[], None], *, again: bool = False) -> None:
    """Measure the first run and, where a tool knows what is there, the second; print seconds and milliseconds each."""
    for line in [what, f"{what}: nothing to do"] if again else [what]:
        wall = sample.measure(run).wall
        print(f"{line:<46}{wall:8.1f} s{wall / count * 1000:10.1f} ms", flush=True)


def bulwark(directory: Path, count: int) -> None:
    """This collection, by ansible-playbook like community.crypto."""
    devices = [{"common_name": f"device-{number}"} for number in range(count)]
    common = {"directory": str(directory / "pki"), "passphrase": PASSPHRASE}
    tasks = [
        {"bulwark.mqtt.pki_authority": common},
        {"bulwark.mqtt.pki_devices": {**common, "devices": devices, "destination": str(directory / "devices")}},
    ]
    collections = str(sample.ROOT / ".cache/collections")

    def run() -> None:
        playbook(directory, tasks, python=Path(sys.executable), ANSIBLE_COLLECTIONS_PATH=collections)

    report("pki_devices, one task", count, run, again=True)


def community_crypto(directory: Path, count: int) -> None:
    """Three modules for each device."""
    python = directory / "venv/bin/python"
    call(sys.executable, "-m", "venv", "venv", directory=directory)
    call(python, "-m", "pip", "install", "--quiet", "ansible", "cryptography", directory=directory)

    def three(name: str, csr: dict[str, object], certificate: dict[str, object], **options: object) -> list[object]:
        key, request = f"{directory}/{name}.key", f"{directory}/{name}.csr"
        return [
            {"community.crypto.openssl_privatekey": {"path": key, "type": "ECC", "curve": "secp256r1"}, **options},
            {"community.crypto.openssl_csr": {"path": request, "privatekey_path": key, **csr}, **options},
            {
                "community.crypto.x509_certificate": {
                    "path": f"{directory}/{name}.pem",
                    "csr_path": request,
                    **certificate,
                },
                **options,
            },
        ]

    authority = three(
        "ca",
        {"common_name": "CA", "basic_constraints": ["CA:TRUE"], "basic_constraints_critical": True},
        {"provider": "selfsigned", "privatekey_path": f"{directory}/ca.key"},
    )
    devices = three(
        "device-{{ item }}",
        {"common_name": "device-{{ item }}", "extended_key_usage": ["clientAuth"]},
        {
            "provider": "ownca",
            "ownca_path": f"{directory}/ca.pem",
            "ownca_privatekey_path": f"{directory}/ca.key",
        },
        loop=list(range(count)),
    )

    def run() -> None:
        playbook(directory, [*authority, *devices], python=python)

    report("community.crypto, three tasks", count, run, again=True)


def openssl(directory: Path, count: int) -> None:
    """The shell loop of many a tutorial."""
    program("openssl", "openssl")
    curve = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
    script = f"""set -e
openssl req -x509 {curve} -keyout ca.key -out ca.pem -subj /CN=CA -days 365
printf 'extendedKeyUsage = clientAuth\\n' >device.ext
for number in $(seq {count}); do
  openssl req -new {curve} -keyout $number.key -out $number.csr -subj /CN=device-$number
  openssl x509 -req -in $number.csr -CA ca.pem -CAkey ca.key -CAcreateserial \\
    -extfile device.ext -days 365 -out $number.pem
done
"""
    report("openssl, a shell loop", count, lambda: call("sh", "-c", script, directory=directory))


def easy_rsa(directory: Path, count: int) -> None:
    """What OpenVPN's documentation uses."""
    easyrsa = program("easyrsa", "easy-rsa")
    settings = {
        "EASYRSA_BATCH": "1",
        "EASYRSA_ALGO": "ec",
        "EASYRSA_CURVE": "prime256v1",
        "EASYRSA_PKI": str(directory / "pki"),
        "EASYRSA": str(Path(easyrsa).resolve().parent),
    }

    def run() -> None:
        call(easyrsa, "init-pki", directory=directory, **settings)
        call(easyrsa, "build-ca", "nopass", directory=directory, **settings)
        for number in range(count):
            call(easyrsa, "build-client-full", f"device-{number}", "nopass", directory=directory, **settings)

    report("easy-rsa, a loop", count, run)


def cfssl(directory: Path, count: int) -> None:
    """CloudFlare's tool, called for each device."""
    tool, writer = program("cfssl", "golang-cfssl"), program("cfssljson", "golang-cfssl")
    request = {"CN": "device", "key": {"algo": "ecdsa", "size": 256}}
    config = {"signing": {"default": {"expiry": "8760h", "usages": ["digital signature", "client auth"]}}}
    (directory / "ca.json").write_text(json.dumps({**request, "CN": "CA"}), encoding="utf-8")
    (directory / "device.json").write_text(json.dumps(request), encoding="utf-8")
    (directory / "config.json").write_text(json.dumps(config), encoding="utf-8")
    script = f"""set -e
{tool} gencert -initca ca.json | {writer} -bare ca
for number in $(seq {count}); do
  {tool} gencert -ca ca.pem -ca-key ca-key.pem -config config.json -cn device-$number device.json |
    {writer} -bare $number
done
"""
    report("cfssl, a shell loop", count, lambda: call("sh", "-c", script, directory=directory))


TOOLS = {
    "bulwark": bulwark,
    "openssl": openssl,
    "easy-rsa": easy_rsa,
    "cfssl": cfssl,
    "community.crypto": community_crypto,
}


def main(arguments: list[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("count", nargs="?", type=int, default=100)
    parser.add_argument("--only", nargs="*", choices=list(TOOLS), default=list(TOOLS))
    options = parser.parse_args(arguments)
    for name in options.only:
        with tempfile.TemporaryDirectory(dir=sample.ROOT / ".cache") as directory:
            try:
                TOOLS[name](Path(directory), options.count)
            except NotInstalledError as error:
                print(f"{name}: left out, {error}")


if __name__ == "__main__":
    main()
