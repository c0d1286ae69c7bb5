#!/usr/bin/python
# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: stack_info
version_added: 1.0.0
short_description: What the software on a host can do
author:
  - Bulwark contributors (@bulwark-mqtt)
description:
  - Reads which versions of the software are installed, or would be installed from the package sources that the host
    knows, and answers in capabilities, so that roles never compare versions.
  - Needs nothing but Python on the host.
  - Debian and Ubuntu are tested. Hosts with C(rpm) and C(dnf) are supported by data and untested.
extends_documentation_fragment:
  - bulwark.mqtt.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
options:
  software:
    description:
      - What to look for.
    type: list
    elements: str
    choices:
      - certbot
      - emqx
      - mosquitto
      - nginx
      - openssl
    default:
      - certbot
      - emqx
      - mosquitto
      - nginx
      - openssl
notes:
  - The versions are those of packages. Software that was installed otherwise is not seen.
seealso:
  - plugin: bulwark.mqtt.tls_policy
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Learn what the broker can do
  bulwark.mqtt.stack_info:
    software:
      - mosquitto
      - openssl
  register: stack

- name: Say whether the broker takes identities from a proxy
  ansible.builtin.debug:
    msg: "{{ stack.capabilities.mosquitto.proxy_protocol }}"
"""

RETURN = r"""
software:
  description: What was found, by the names that were asked for.
  returned: success
  type: dict
  sample:
    mosquitto:
      version: 2.1.2
      installed: 2.1.2-3
      candidate: 2.1.2-3
      plugin_directory: /usr/lib/x86_64-linux-gnu/mosquitto
  contains:
    version:
      description:
        - The upstream version that is installed, else the one that would be.
        - V(null) when the package sources do not have it.
      type: str
    installed:
      description: The version of the installed package, V(null) when it is not installed.
      type: str
    candidate:
      description: The version that the package sources offer, V(null) when they have none.
      type: str
    plugin_directory:
      description: Where the broker's own plugins are, or will be. Only for C(mosquitto).
      type: str
capabilities:
  description:
    - What each software can do, by name; all V(false) when there is no version.
    - "C(certbot): C(addresses), C(ari), C(profiles), C(renewal_by_fraction)."
    - "C(emqx): C(base_hocon), C(cluster_needs_licence), C(one_package), C(replicants), C(security_profile)."
    - "C(mosquitto): C(argon2_passwords), C(auth_plugins), C(bridge_ciphers), C(builtin_websockets), C(global_limits),
      C(listener_allow_anonymous), C(proxy_protocol), C(restricted_files_nofollow), C(retain_expiry_interval),
      C(test_config)."
    - "C(nginx): C(njs), C(sends_proxy_v2), C(stream_server_name), C(stream_stapling)."
    - "C(openssl): C(hybrid_groups), C(optional_groups)."
  returned: success
  type: dict
  sample:
    openssl:
      hybrid_groups: true
      optional_groups: true
"""

import os
import re
import shutil
from collections.abc import Mapping
from typing import Any, Callable

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._host.errors import HostError
from ..module_utils._module import run
from ..module_utils._stack import SOFTWARE, Package, Software, capabilities, upstream_version

# Runs a command and returns its output, whatever its return code.
Output = Callable[[list[str]], str]

# Debian's names of architectures and of the directories that libraries are in (wiki.debian.org/Multiarch/Tuples).
TRIPLETS = {
    "amd64": "x86_64-linux-gnu",
    "arm64": "aarch64-linux-gnu",
    "armhf": "arm-linux-gnueabihf",
    "i386": "i386-linux-gnu",
    "ppc64el": "powerpc64le-linux-gnu",
    "riscv64": "riscv64-linux-gnu",
    "s390x": "s390x-linux-gnu",
}


class Debian:
    """The packages of a host with dpkg and apt."""

    def __init__(self, output: Output) -> None:
        self._output = output

    def packages(self, software: Software) -> tuple[str, ...]:
        """The names of the software here."""
        return software.debian

    def installed(self, name: str) -> str | None:
        """The version of an installed package; one that left its configuration behind is not installed."""
        answer = self._output(["dpkg-query", "--show", "--showformat=${db:Status-Status} ${Version}\n", name])
        found = re.search(r"^installed (\S+)$", answer, re.MULTILINE)
        return found.group(1) if found else None

    def candidate(self, name: str) -> str | None:
        """The version that apt would install."""
        found = re.search(r"^ +Candidate: (\d\S*)$", self._output(["apt-cache", "policy", name]), re.MULTILINE)
        return found.group(1) if found else None

    def plugin_directory(self) -> str:
        """Where the package puts Mosquitto's plugins."""
        architecture = self._output(["dpkg", "--print-architecture"]).strip()
        return f"/usr/lib/{TRIPLETS.get(architecture, architecture)}/mosquitto"


class RedHat:
    """The packages of a host with rpm and dnf."""

    def __init__(self, output: Output) -> None:
        self._output = output

    def packages(self, software: Software) -> tuple[str, ...]:
        """The names of the software here."""
        return software.redhat

    def installed(self, name: str) -> str | None:
        """The version of an installed package."""
        found = re.search(
            r"^(\d\S*)$", self._output(["rpm", "-q", "--qf", "%{VERSION}-%{RELEASE}\n", name]), re.MULTILINE
        )
        return found.group(1) if found else None

    def candidate(self, name: str) -> str | None:
        """The version that dnf would install."""
        query = ["dnf", "-q", "repoquery", "--latest-limit", "1", "--qf", "%{version}-%{release}\n", name]
        found = re.search(r"^(\d\S*)$", self._output(query), re.MULTILINE)
        return found.group(1) if found else None

    def plugin_directory(self) -> str:
        """Where the package puts Mosquitto's plugins."""
        return "/usr/lib64/mosquitto"


def look(software: str, host: Debian | RedHat) -> dict[str, Any]:
    """The version of one software: of the first of its packages that is installed, else of the first that could be."""
    names = host.packages(SOFTWARE[software])
    installed = {name: host.installed(name) for name in names}
    present = [name for name in names if installed[name]]
    candidates = {name: host.candidate(name) for name in present[:1] or names}
    offered = [name for name in candidates if candidates[name]]
    version = installed[present[0]] if present else None
    candidate = candidates[offered[0]] if offered else None
    known = version or candidate
    return {"version": upstream_version(known) if known else None, "installed": version, "candidate": candidate}


def companions(software: str, host: Debian | RedHat) -> set[str]:
    """Packages beside the software's own that bring it a capability and are, or could be, installed."""
    names = {
        name
        for capability in SOFTWARE[software].capabilities.values()
        if isinstance(capability, Package)
        for name in capability.names
    }
    return {name for name in names if host.installed(name) or host.candidate(name)}


def plugin_directory(host: Debian | RedHat) -> str:
    """The directory of Mosquitto's plugins that exists, else the one where the package will put them."""
    expected = host.plugin_directory()
    found = [path for path in (expected, "/usr/lib64/mosquitto", "/usr/lib/mosquitto") if os.path.isdir(path)]
    return found[0] if found else expected


def ensure(params: Mapping[str, Any], *, host: Debian | RedHat) -> dict[str, Any]:
    """What was found and what it can do."""
    software = {name: look(name, host) for name in params["software"]}
    able = {
        name: capabilities(software=name, version=found["version"], packages=companions(name, host))
        for name, found in software.items()
    }
    if "mosquitto" in software:
        software["mosquitto"]["plugin_directory"] = plugin_directory(host)
    return {"changed": False, "software": software, "capabilities": able}


def host_of(module: AnsibleModule) -> Debian | RedHat:
    """The package system of this host. Raises HostError when it is neither."""

    def output(argv: list[str]) -> str:
        return str(module.run_command(argv, environ_update={"LC_ALL": "C"})[1])

    if shutil.which("dpkg-query"):
        return Debian(output)
    if shutil.which("rpm"):
        return RedHat(output)
    raise HostError(
        "neither dpkg-query nor rpm is on this host; stack_info knows the packages of Debian and Red Hat only"
    )


def main() -> None:
    """The module."""
    module = AnsibleModule(
        argument_spec={
            "software": {
                "type": "list",
                "elements": "str",
                "choices": ["certbot", "emqx", "mosquitto", "nginx", "openssl"],
                "default": ["certbot", "emqx", "mosquitto", "nginx", "openssl"],
            },
        },
        supports_check_mode=True,
    )
    run(module, lambda params, check_mode: ensure(params, host=host_of(module)))


if __name__ == "__main__":
    main()
