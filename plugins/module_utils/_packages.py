# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""Which versions of the software a host has or could have: what a shell is asked, and what its answer says.

Text in and text out, so that the controller can ask without a module, whose start takes longer than the question.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ._host.errors import HostError
from ._stack import SOFTWARE, Package, capabilities, upstream_version

# Debian's names of architectures and of the directories that libraries are in (wiki.debian.org/Multiarch/Tuples).
_TRIPLETS = {
    "amd64": "x86_64-linux-gnu",
    "arm64": "aarch64-linux-gnu",
    "armhf": "arm-linux-gnueabihf",
    "i386": "i386-linux-gnu",
    "ppc64el": "powerpc64le-linux-gnu",
    "riscv64": "riscv64-linux-gnu",
    "s390x": "s390x-linux-gnu",
}
_DEBIAN, _REDHAT = "debian", "redhat"
_PLUGINS = {_DEBIAN: "/usr/lib/{triplet}/mosquitto", _REDHAT: "/usr/lib64/mosquitto"}
_OTHER_PLUGINS = ("/usr/lib64/mosquitto", "/usr/lib/mosquitto")

# A line is a word that says what it is about, and what there is to say.
_QUESTION = r"""
export LC_ALL=C
if command -v dpkg-query >/dev/null 2>&1; then
  echo "family debian"
  dpkg-query --show --showformat='${{db:Status-Status}} ${{Package}} ${{Version}}\n' {debian} 2>/dev/null
  apt-cache policy {debian} 2>/dev/null | sed -n 's/^\([^ ].*\):$/name \1/p; s/^ *Candidate: \([0-9]\)/candidate \1/p'
  echo "architecture $(dpkg --print-architecture)"
elif command -v rpm >/dev/null 2>&1; then
  echo "family redhat"
  rpm -q --qf 'installed %{{NAME}} %{{VERSION}}-%{{RELEASE}}\n' {redhat} 2>/dev/null
  dnf -q repoquery --latest-limit 1 --qf 'name %{{name}}\ncandidate %{{version}}-%{{release}}\n' {redhat} 2>/dev/null
fi
for path in /usr/lib/*/mosquitto {plugins}; do test ! -d "$path" || echo "directory $path"; done
"""


@dataclass(frozen=True)
class Host:
    """The packages of a host, by name, and where it has plugins of Mosquitto."""

    family: str
    installed: dict[str, str]
    candidates: dict[str, str]
    architecture: str
    directories: tuple[str, ...]


def question(software: Iterable[str]) -> str:
    """What to ask a POSIX shell."""
    wanted = list(software)

    def listed(family: str) -> str:
        names = (name for item in wanted for name in (*_packages(item, family), *_companions(item)))
        return shlex.join(dict.fromkeys(names))

    return _QUESTION.format(debian=listed(_DEBIAN), redhat=listed(_REDHAT), plugins=" ".join(_OTHER_PLUGINS))


def read(lines: Sequence[str]) -> Host:
    """What the shell said. Raises HostError for a host with neither dpkg nor rpm."""
    installed: dict[str, str] = {}
    candidates: dict[str, str] = {}
    directories = []
    family = architecture = name = ""
    for line in lines:
        word, rest = [*line.strip().split(" ", 1), ""][:2]
        if word == "family":
            family = rest
        elif word == "installed" and re.fullmatch(r"\S+ \d\S*", rest):
            # Of several architectures the first: they have one version.
            installed.setdefault(*rest.split())
        elif word == "name":
            name = rest
        elif word == "candidate":
            candidates.setdefault(name, rest)
        elif word == "architecture":
            architecture = rest
        elif word == "directory":
            directories.append(rest)
    if not family:
        raise HostError(
            "neither dpkg-query nor rpm is on this host; stack_info knows the packages of Debian and Red Hat only"
        )
    return Host(family, installed, candidates, architecture, tuple(directories))


def report(software: Iterable[str], host: Host) -> dict[str, Any]:
    """What the host has of the software, and what that can do."""
    found = {name: _look(name, host) for name in software}
    known = host.installed.keys() | host.candidates.keys()
    able = {
        name: capabilities(software=name, version=item["version"], packages=known & _companions(name))
        for name, item in found.items()
    }
    if "mosquitto" in found:
        found["mosquitto"]["plugin_directory"] = _plugin_directory(host)
    return {"software": found, "capabilities": able}


def _packages(software: str, family: str) -> tuple[str, ...]:
    entry = SOFTWARE[software]
    return entry.debian if family == _DEBIAN else entry.redhat


def _companions(software: str) -> set[str]:
    """Packages beside the software's own that bring it a capability."""
    known = SOFTWARE[software].capabilities.values()
    return {name for capability in known if isinstance(capability, Package) for name in capability.names}


def _look(software: str, host: Host) -> dict[str, Any]:
    """The version of one software: of the first of its packages that is installed, else of the first that could be."""
    names = _packages(software, host.family)
    present = [name for name in names if name in host.installed]
    offered = [name for name in present[:1] or names if name in host.candidates]
    installed = host.installed[present[0]] if present else None
    candidate = host.candidates[offered[0]] if offered else None
    known = installed or candidate
    return {"version": upstream_version(known) if known else None, "installed": installed, "candidate": candidate}


def _plugin_directory(host: Host) -> str:
    """The directory of Mosquitto's plugins that exists, else the one where the package will put them."""
    triplet = _TRIPLETS.get(host.architecture, host.architecture)
    expected = _PLUGINS[host.family].format(triplet=triplet)
    return next((path for path in (expected, *_OTHER_PLUGINS) if path in host.directories), expected)
