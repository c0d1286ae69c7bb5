# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Versions of the software and what they can do."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bulwark.mqtt.plugins.module_utils import _packages, _stack
from ansible_collections.bulwark.mqtt.plugins.modules import stack_info

SHIPPED = [
    pytest.param("mosquitto", "2.0.11", {"retain_expiry_interval": False, "auth_plugins": False}, id="debian-12"),
    pytest.param("mosquitto", "2.0.21", {"retain_expiry_interval": True, "test_config": False}, id="debian-13"),
    pytest.param(
        "mosquitto", "2.1.2", {"auth_plugins": True, "test_config": True, "proxy_protocol": True}, id="debian-14"
    ),
    pytest.param("openssl", "3.0.19", {"hybrid_groups": False, "optional_groups": False}, id="openssl-3.0"),
    pytest.param("openssl", "3.4.9", {"hybrid_groups": False, "optional_groups": True}, id="openssl-3.4"),
    pytest.param("openssl", "3.5.0", {"hybrid_groups": True, "optional_groups": True}, id="openssl-3.5"),
    pytest.param("openssl", "4.0", {"hybrid_groups": True}, id="openssl-4"),
    pytest.param("nginx", "1.25.4", {"stream_server_name": False}, id="nginx-1.25.4"),
    pytest.param("nginx", "1.25.5", {"stream_server_name": True}, id="nginx-1.25.5"),
    pytest.param("nginx", "1.27.1", {"stream_stapling": False}, id="nginx-1.27.1"),
    pytest.param("nginx", "1.27.2", {"stream_stapling": True, "sends_proxy_v2": False}, id="nginx-1.27.2"),
    pytest.param("nginx", "1.31.4", {"sends_proxy_v2": True}, id="nginx-1.31.4"),
    pytest.param("certbot", "2.1.0", {"ari": False, "profiles": False, "renewal_by_fraction": False}, id="certbot-2.1"),
    pytest.param("certbot", "4.0.0", {"ari": False, "profiles": True, "renewal_by_fraction": True}, id="certbot-4.0"),
    pytest.param("certbot", "5.5.0", {"ari": True, "addresses": True}, id="certbot-5.5"),
    pytest.param("emqx", "5.8.9", {"cluster_needs_licence": False}, id="emqx-5.8"),
    pytest.param("emqx", "5.10.4", {"cluster_needs_licence": True}, id="emqx-5.10"),
]


@pytest.mark.parametrize(("software", "version", "expected"), SHIPPED)
def test_each_shipped_version_has_its_capabilities(software, version, expected):
    found = _stack.capabilities(software=software, version=version)
    assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize("software", sorted(_stack.SOFTWARE))
def test_without_a_version_nothing_is_promised(software):
    assert not any(_stack.capabilities(software=software, version=None).values())


def test_njs_is_a_matter_of_packages():
    assert _stack.capabilities(software="nginx", version="1.22.1", packages={"libnginx-mod-stream-js"})["njs"]
    assert not _stack.capabilities(software="nginx", version="1.31.4", packages={"nginx"})["njs"]


@pytest.mark.parametrize(
    ("package", "upstream"),
    [("2.0.11-1.2+deb12u2", "2.0.11"), ("1:1.30.6-1", "1.30.6"), ("5.5.0+ds1-2", "5.5.0"), ("3.5.1-4.el9", "3.5.1")],
)
def test_the_upstream_version_is_read_from_a_package_version(package, upstream):
    assert _stack.upstream_version(package) == upstream


def test_unknown_software_is_an_error_that_names_what_is_known():
    with pytest.raises(_stack.StackError) as caught:
        _stack.capabilities(software="vernemq", version="2.0")
    assert str(caught.value) == "software 'vernemq' is unknown; known are certbot, emqx, mosquitto, nginx, openssl"


def test_a_version_without_a_number_is_an_error():
    with pytest.raises(_stack.StackError) as caught:
        _stack.capabilities(software="openssl", version="latest")
    assert str(caught.value) == "version 'latest' does not begin with a number"


def test_every_capability_says_where_it_is_written():
    for software in _stack.SOFTWARE.values():
        assert all(capability.source for capability in software.capabilities.values())


# Debian 12 with Mosquitto removed but not purged, and EL 9.
DEBIAN = """\
family debian
config-files mosquitto 2.0.11-1.2+deb12u2
installed libssl3 3.0.19-1~deb12u2
installed libssl3 3.0.19-1~deb12u2
name mosquitto
candidate 2.0.11-1.2+deb12u2
name libssl3
candidate 3.0.22-1~deb12u2
name nginx
name libssl4
candidate 5.0
architecture arm64
"""
RED_HAT = """\
family redhat
package mosquitto is not installed
installed openssl-libs 3.5.1-4.el9_7
name mosquitto
candidate 2.0.22-1.el9
"""


def report(answer: str, *software: str) -> dict[str, Any]:
    """What a host is said to have that answers so."""
    return _packages.report(software, _packages.read(answer.splitlines()))


def test_what_is_installed_decides_on_debian_and_else_what_would_be():
    result = report(DEBIAN, "mosquitto", "openssl", "nginx")
    assert result["software"] == {
        "mosquitto": {
            "version": "2.0.11",
            "installed": None,
            "candidate": "2.0.11-1.2+deb12u2",
            "plugin_directory": "/usr/lib/aarch64-linux-gnu/mosquitto",
        },
        "openssl": {"version": "3.0.19", "installed": "3.0.19-1~deb12u2", "candidate": "3.0.22-1~deb12u2"},
        "nginx": {"version": None, "installed": None, "candidate": None},
    }
    assert not result["capabilities"]["openssl"]["hybrid_groups"]


def test_what_is_installed_decides_on_red_hat_and_else_what_would_be():
    result = report(RED_HAT, "mosquitto", "openssl")
    assert result["software"]["mosquitto"]["version"] == "2.0.22"
    assert result["software"]["mosquitto"]["plugin_directory"] == "/usr/lib64/mosquitto"
    assert result["software"]["openssl"] == {"version": "3.5.1", "installed": "3.5.1-4.el9_7", "candidate": None}
    assert result["capabilities"]["openssl"]["hybrid_groups"]


def test_plugins_are_where_a_directory_is_that_exists():
    there = report(DEBIAN + "directory /usr/lib/mosquitto\n", "mosquitto")
    assert there["software"]["mosquitto"]["plugin_directory"] == "/usr/lib/mosquitto"


def test_a_package_that_could_be_installed_brings_its_capability():
    offered = report(DEBIAN + "name libnginx-mod-stream-js\ncandidate 0.8\n", "nginx")
    assert offered["capabilities"]["nginx"]["njs"]
    assert not report(DEBIAN, "nginx")["capabilities"]["nginx"]["njs"]


def test_a_host_without_packages_that_are_known_is_an_error():
    with pytest.raises(_packages.HostError) as caught:
        report("", "openssl")
    assert str(caught.value) == (
        "neither dpkg-query nor rpm is on this host; stack_info knows the packages of Debian and Red Hat only"
    )


PROGRAMS = {
    "dpkg-query": r"""printf 'installed libssl3 3.0.19-1~deb12u2\nconfig-files nginx 1.22.1-9\n'; exit 1""",
    "apt-cache": r"""printf 'libssl3:\n  Installed: 3.0.19\n  Candidate: 3.0.22\n  Version table:\n     9.9 500\n'
printf 'nginx:\n  Installed: (none)\n  Candidate: (none)\n'""",
    "dpkg": "echo amd64",
}
EL_PROGRAMS = {
    "rpm": r"""printf 'package nginx is not installed\ninstalled openssl-libs 3.5.1-4.el9\n'; exit 1""",
    "dnf": r"""printf 'name nginx\ncandidate 1.26.3-1.el9\n\n'""",
}


@pytest.mark.parametrize(
    ("programs", "openssl", "nginx"),
    [(PROGRAMS, "3.0.19", None), (EL_PROGRAMS, "3.5.1", "1.26.3")],
    ids=["debian", "red-hat"],
)
def test_the_question_is_one_for_a_posix_shell(
    tmp_path: Path, programs: dict[str, str], openssl: str, nginx: str | None
):
    for name in ("sh", "sed"):
        (tmp_path / name).symlink_to(shutil.which(name) or name)
    for name, text in programs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    asked = ("openssl", "nginx")
    result = subprocess.run(
        ["sh", "-c", _packages.question(asked)],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stderr == ""
    found = report(result.stdout, *asked)["software"]
    assert (found["openssl"]["version"], found["nginx"]["version"]) == (openssl, nginx)


def test_the_choices_of_the_module_are_the_software_of_the_table():
    assert (
        f"choices:\n{''.join(f'      - {name}{chr(10)}' for name in sorted(_stack.SOFTWARE))}"
        in stack_info.DOCUMENTATION
    )


def test_the_documentation_names_every_capability():
    for software, known in _stack.SOFTWARE.items():
        assert f"C({software}): " in stack_info.RETURN
        assert all(f"C({name})" in stack_info.RETURN for name in known.capabilities)
