# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""What roles learn on a host, answered without it: from what a host said when it was recorded, or from its release."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .._stack import SOFTWARE, Package, capabilities
from .errors import RenderError

# What the roles branch on. The versions are those of the releases' own packages on 2026-11-28, for amd64.
_PLUGINS = "/usr/lib/x86_64-linux-gnu/mosquitto"


def _debian(name: str, *, mosquitto: str, nginx: str, openssl: str) -> dict[str, Any]:
    return {
        "facts": {
            "distribution": "Debian",
            "distribution_release": name,
            "os_family": "Debian",
            "service_mgr": "systemd",
        },
        "software": {
            "mosquitto": {"version": mosquitto, "plugin_directory": _PLUGINS},
            "nginx": {"version": nginx, "brought": ["njs"]},
            "openssl": {"version": openssl},
        },
    }


RELEASES: Mapping[str, Mapping[str, Any]] = {
    "debian-12": _debian("bookworm", mosquitto="2.0.11", nginx="1.22.1", openssl="3.0.20"),
    "debian-13": _debian("trixie", mosquitto="2.0.21", nginx="1.26.3", openssl="3.5.9"),
    "debian-14": _debian("forky", mosquitto="2.1.2", nginx="1.30.6", openssl="3.6.5"),
}

# What is hashed on the host: there the content has salts. Who may log in with what it is made from.
_MOSQUITTO_USERS = "{{ mosquitto_users | rejectattr('name', 'in', __mosquitto_denied) | to_json(sort_keys=true) }}"
_EMQX_USERS = "{{ emqx_users | rejectattr('name', 'in', __emqx_denied) | to_json(sort_keys=true) }}"
MADE_ON_HOSTS = frozenset({"/etc/mosquitto/passwd", "/etc/emqx/users.json"})


def of_release(name: str, *, variable: str = "bulwark_release") -> Mapping[str, Any]:
    """The record of a host with nothing but its release's packages. Raises RenderError for one that is not known."""
    if name not in RELEASES:
        raise RenderError(f"{variable} is {name!r}; it can be {', '.join(RELEASES)}")
    return RELEASES[name]


def record(facts: Mapping[str, Any], stack: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of a host: facts that roles branch on, versions, and what packages brought."""
    software = {}
    for name, found in stack["software"].items():
        software[name] = {key: found[key] for key in ("version", "plugin_directory") if key in found}
        brought = [
            capability
            for capability, known in SOFTWARE[name].capabilities.items()
            if isinstance(known, Package) and stack["capabilities"][name][capability]
        ]
        if brought:
            software[name]["brought"] = brought
    return {"facts": {key: facts[key] for key in RELEASES["debian-13"]["facts"]}, "software": software}


def stack_of(recorded: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """What the module stack_info would say of this software. Raises RenderError where no version is known."""
    software: dict[str, Any] = {}
    able: dict[str, Any] = {}
    for name in names:
        found = recorded["software"].get(name, {})
        if not found.get("version"):
            raise RenderError(
                f"its record has no version of {name}: the host's package index did not know it; "
                "run bulwark.mqtt.record again once the host can install it"
            )
        packages = [package for capability in found.get("brought", ()) for package in _packages_of(name, capability)]
        software[name] = {key: value for key, value in found.items() if key != "brought"}
        able[name] = capabilities(software=name, version=found["version"], packages=packages)
    return {"software": software, "capabilities": able}


def _packages_of(software: str, capability: str) -> tuple[str, ...]:
    known = SOFTWARE[software].capabilities.get(capability)
    return known.names if isinstance(known, Package) else ()


def _mosquitto(recorded: Mapping[str, Any], template: Callable[[str], str]) -> dict[str, Any]:
    return {
        "__mosquitto_stack": stack_of(recorded, "mosquitto", "openssl"),
        "__mosquitto_passwords": {"content": template(_MOSQUITTO_USERS)},
    }


def _emqx(recorded: Mapping[str, Any], template: Callable[[str], str]) -> dict[str, Any]:
    return {"__emqx_passwords": {"content": template(_EMQX_USERS)}}


def _nginx_stream(recorded: Mapping[str, Any], template: Callable[[str], str]) -> dict[str, Any]:
    return {"__nginx_stream_stack": stack_of(recorded, "nginx", "openssl")}


_ANSWERS = {"mosquitto": _mosquitto, "emqx": _emqx, "nginx_stream": _nginx_stream}


def answers(role: str, recorded: Mapping[str, Any], *, template: Callable[[str], str]) -> dict[str, Any]:
    """The variables that the role registers on a host and its files are made from; `template` marks a template."""
    return _ANSWERS[role](recorded, template) if role in _ANSWERS else {}
