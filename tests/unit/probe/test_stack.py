# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Versions of the software and what they can do."""

from __future__ import annotations

import pytest
from ansible_collections.bulwark.mqtt.plugins.module_utils import _stack
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


# What the programs print on Debian 12 with Mosquitto removed but not purged, and on EL 9.
DPKG = {
    "mosquitto": "config-files 2.0.11-1.2+deb12u2\n",
    "libssl3": "installed 3.0.19-1~deb12u2\n",
    "libnginx-mod-stream-js": "",
}
POLICY = "{name}:\n  Installed: (none)\n  Candidate: {candidate}\n  Version table:\n     9.9.9 500\n"
APT = {"mosquitto": "2.0.11-1.2+deb12u2", "libssl3": "3.0.22-1~deb12u2", "nginx": "(none)", "libssl4": "5.0"}


def debian(argv):
    name = argv[-1]
    if argv[0] == "dpkg-query":
        return DPKG.get(name, "")
    if argv[0] == "apt-cache":
        return POLICY.format(name=name, candidate=APT[name]) if name in APT else ""
    assert argv == ["dpkg", "--print-architecture"]
    return "arm64\n"


def red_hat(argv):
    if argv[0] == "rpm":
        return "3.5.1-4.el9_7\n" if argv[-1] == "openssl-libs" else f"package {argv[-1]} is not installed\n"
    return "2.0.22-1.el9\n" if argv[-1] == "mosquitto" else ""


def test_what_is_installed_decides_on_debian_and_else_what_would_be():
    result = stack_info.ensure({"software": ["mosquitto", "openssl", "nginx"]}, host=stack_info.Debian(debian))
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
    result = stack_info.ensure({"software": ["mosquitto", "openssl"]}, host=stack_info.RedHat(red_hat))
    assert result["software"]["mosquitto"]["version"] == "2.0.22"
    assert result["software"]["openssl"] == {"version": "3.5.1", "installed": "3.5.1-4.el9_7", "candidate": None}
    assert result["capabilities"]["openssl"]["hybrid_groups"]


def test_the_choices_of_the_module_are_the_software_of_the_table():
    assert (
        f"choices:\n{''.join(f'      - {name}{chr(10)}' for name in sorted(_stack.SOFTWARE))}"
        in stack_info.DOCUMENTATION
    )


def test_the_documentation_names_every_capability():
    for software, known in _stack.SOFTWARE.items():
        assert f"C({software}): " in stack_info.RETURN
        assert all(f"C({name})" in stack_info.RETURN for name in known.capabilities)
