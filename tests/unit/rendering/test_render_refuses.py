# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a release cannot do is refused at rendering, in the words of the role's own preflight; once for many hosts."""

from __future__ import annotations

from pathlib import Path

import pytest
from rendering_samples import rendered

BROKERS = {"brokers": {"mqtt1": {"address": "192.0.2.11"}, "mqtt2": {"address": "192.0.2.12"}}}
ENCRYPTED_AGAIN = {
    "edge": {"topology": "reencrypt", "stapling": "required"},
    "names": ["mqtt.example.com"],
    "edges": {"edge1": None},
}


NO_PROXY = (
    "2 hosts (mqtt1.site.example.com, mqtt2.site.example.com): mosquitto_listeners: proxy_protocol needs Mosquitto 2.1"
    " and the host has 2.0.21: install a package of 2.1 (Debian 14 has it), or let the broker end TLS with a port and a"
    " lineage"
)
NO_STAPLING = (
    "1 host (edge1.site.example.com): nginx 1.26.3 cannot staple in stream; 1.27.2 or later can: set "
    "nginx_stream_source: nginx_org"
)


@pytest.mark.parametrize(
    ("domain", "words"),
    [({"edge": "nginx"}, NO_PROXY), (ENCRYPTED_AGAIN, NO_STAPLING)],
    ids=["identity", "stapling"],
)
def test_what_a_release_cannot_do_is_refused_in_the_words_of_the_role(
    tmp_path: Path, domain: dict[str, object], words: str
):
    result = rendered(tmp_path, "debian-13", site={**BROKERS, **domain})
    assert result.returncode != 0
    assert words in result.stdout + result.stderr
    assert not (tmp_path / "rendered").exists()


def test_emqx_behind_nginx_is_rendered_with_the_rule_that_closes_it(tmp_path: Path):
    emqx = {"version": "5.8.9", "source": "tarball", "package": "/srv/emqx-5.8.9.tar.gz"}
    secrets = {"node_cookie": "{{ vault }}", "dashboard_password": "{{ vault }}"}
    domain = {
        "brokers": {"mqtt1": {"address": "192.0.2.11"}},
        "engine": "emqx",
        "emqx": {**emqx, **secrets},
        "edge": "nginx",
    }
    result = rendered(tmp_path, "debian-14", passwords=False, site=domain)
    assert result.returncode == 0, result.stdout + result.stderr
    host = tmp_path / "rendered/mqtt1.site.example.com"
    assert 'bind = "127.0.0.1:11883"' in (host / "etc/emqx/emqx.conf").read_text()
    rule = (
        "tcp dport 11883 meta skuid != { root, bulwark-nginx } counter name emqx-proxied.foreign reject with tcp reset"
    )
    assert rule in (host / "etc/bulwark/firewall.nft").read_text()


def test_what_it_can_do_is_rendered(tmp_path: Path):
    result = rendered(tmp_path, "debian-14", site={**BROKERS, "edge": {"topology": "nginx", "stapling": "required"}})
    assert result.returncode == 0, result.stdout + result.stderr
    assert (tmp_path / "rendered/mqtt1.site.example.com/etc/bulwark/nginx/nginx.conf").is_file()
