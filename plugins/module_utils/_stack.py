# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""What each version of the software can do: the one place where versions are compared.

Templates and preflight checks branch on the names below and never on a version.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from ._host.errors import HostError


class StackError(HostError):
    """Software that the table does not know, or a version that is none."""


@dataclass(frozen=True)
class Since:
    """A capability that came with an upstream version; `source` is where that is written."""

    version: tuple[int, ...]
    source: str


@dataclass(frozen=True)
class Package:
    """A capability that one of these packages brings, whatever the version."""

    names: tuple[str, ...]
    source: str


@dataclass(frozen=True)
class Software:
    """The packages that hold the software, the preferred first, and what its versions can do."""

    debian: tuple[str, ...]
    redhat: tuple[str, ...]
    capabilities: Mapping[str, Since | Package]


_MOSQUITTO_2_1 = "mosquitto ChangeLog 2.1.0"

SOFTWARE = {
    "mosquitto": Software(
        debian=("mosquitto",),
        redhat=("mosquitto",),
        capabilities={
            "test_config": Since((2, 1), f"{_MOSQUITTO_2_1}: --test-config"),
            "proxy_protocol": Since((2, 1), f"{_MOSQUITTO_2_1}: PROXY protocol v1 and v2"),
            # mosquitto_acl_file.so, mosquitto_password_file.so, global_plugin, plugin_load, plugin_use.
            "auth_plugins": Since((2, 1), f"{_MOSQUITTO_2_1}: acl_file and password_file are deprecated for plugins"),
            "listener_allow_anonymous": Since((2, 1), f"{_MOSQUITTO_2_1}: listener_allow_anonymous"),
            "restricted_files_nofollow": Since((2, 1), "mosquitto 2.1.0 libcommon/file_common.c: O_NOFOLLOW"),
            "global_limits": Since((2, 1), f"{_MOSQUITTO_2_1}: global_max_clients, global_max_connections"),
            # Only of a build with libargon2, which Debian's is.
            "argon2_passwords": Since((2, 1), "mosquitto 2.1.0 libcommon/password_common.c"),
            # libwebsockets has its own TLS: no identity from certificates, no revocation list, no reload.
            "builtin_websockets": Since((2, 1), f"{_MOSQUITTO_2_1}: WebSockets without libwebsockets"),
            "bridge_ciphers": Since((2, 1), f"{_MOSQUITTO_2_1}: bridge_ciphers, bridge_ciphers_tls1.3"),
            "retain_expiry_interval": Since((2, 0, 21), "mosquitto ChangeLog 2.0.21: retain_expiry_interval"),
        },
    ),
    "openssl": Software(
        # The library is what servers use; the program of the same version is only its front end.
        debian=("libssl4", "libssl3t64", "libssl3", "openssl"),
        redhat=("openssl-libs",),
        capabilities={
            "hybrid_groups": Since((3, 5), "OpenSSL 3.5 CHANGES: ML-KEM, X25519MLKEM768"),
            "optional_groups": Since((3, 3), "OpenSSL 3.3 CHANGES: unknown entries in Groups that start with ?"),
        },
    ),
    "nginx": Software(
        debian=("nginx",),
        redhat=("nginx",),
        capabilities={
            "stream_server_name": Since((1, 25, 5), "nginx CHANGES 1.25.5: server_name in the stream module"),
            "stream_stapling": Since((1, 27, 2), "nginx CHANGES 1.27.2: ssl_stapling in the stream module"),
            "sends_proxy_v2": Since((1, 31, 4), "nginx CHANGES 1.31.4: proxy_protocol v2 in the stream module"),
            "njs": Package(("libnginx-mod-stream-js", "nginx-module-njs"), "Debian; nginx.org linux_packages"),
        },
    ),
    "certbot": Software(
        debian=("certbot",),
        redhat=("certbot",),
        capabilities={
            "ari": Since((4, 1), "certbot CHANGELOG 4.1.0: ACME Renewal Information"),
            "renewal_by_fraction": Since((4, 0), "certbot CHANGELOG 4.0.0: renewal at one third of the lifetime"),
            "addresses": Since((5, 4), "certbot CHANGELOG 5.3.0 and 5.4.0: --ip-address with standalone, then webroot"),
            "profiles": Since((4, 0), "certbot CHANGELOG 4.0.0: --preferred-profile, --required-profile"),
        },
    ),
    "emqx": Software(
        debian=("emqx-enterprise", "emqx"),
        redhat=("emqx-enterprise", "emqx"),
        capabilities={
            # What operators may change later has a file of its own, below what the role pins in emqx.conf.
            "base_hocon": Since((5, 8, 4), "emqx 5.8.4 apps/emqx_conf/etc/base.hocon"),
            "cluster_needs_licence": Since((5, 9), "emqx LICENSE 5.9.0: BSL 1.1, production use of a single node"),
            # In 5.8 the enterprise edition has them, which no version tells apart from the other one.
            "replicants": Since((5, 9), "emqx 5.8.9 emqx_conf_schema.erl, validate_node_role; one edition from 5.9 on"),
            # emqx-enterprise is the only package from then on.
            "one_package": Since((5, 9), "emqx .github/workflows/release.yaml 5.9.0: unified package"),
            # EMQX_SECURITY_PROFILE=hardened; 6.0 and 6.1 have it in later patches than this table can tell apart.
            "security_profile": Since((6, 2, 1), "emqx 6.2.1 emqx_security_profile.erl"),
        },
    ),
}


def find(software: str) -> Software:
    """The table's entry. Raises StackError for a name that it does not have."""
    if software not in SOFTWARE:
        raise StackError(f"software {software!r} is unknown; known are {', '.join(sorted(SOFTWARE))}")
    return SOFTWARE[software]


def upstream_version(package_version: str) -> str:
    """The upstream part of a package's version: ``1:2.0.11-1.2+deb12u2`` is ``2.0.11``.

    Raises StackError when it has none.
    """
    found = re.match(r"(?:\d+:)?(\d+(?:\.\d+)*)", package_version)
    if found is None:
        raise StackError(f"version {package_version!r} does not begin with a number")
    return found.group(1)


def version_tuple(version: str) -> tuple[int, ...]:
    """The numbers of a version, to compare."""
    return tuple(int(part) for part in upstream_version(version).split("."))


def capabilities(*, software: str, version: str | None, packages: Collection[str] = ()) -> dict[str, bool]:
    """What this version can do; nothing when no version is known. `packages` are those the host has or would install.

    Raises StackError for unknown software or a version without a number.
    """
    known = find(software).capabilities
    numbers = version_tuple(version) if version else None
    return {name: _has(capability, numbers, packages) for name, capability in known.items()}


def _has(capability: Since | Package, numbers: tuple[int, ...] | None, packages: Collection[str]) -> bool:
    if isinstance(capability, Package):
        return any(name in packages for name in capability.names)
    return numbers is not None and numbers >= capability.version
