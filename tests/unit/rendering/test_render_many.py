# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many hosts, which several processes render, are rendered as few are."""

from __future__ import annotations

from pathlib import Path

from rendering_samples import rendered


def domain(number: int, **more: object) -> dict[str, object]:
    """A domain of ten brokers."""
    return {"brokers": {f"mqtt{host}": {"address": f"192.0.{number}.{host}"} for host in range(10)}, **more}


def files(folder: Path) -> dict[str, bytes]:
    """The content of all files by their paths."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_many_hosts_are_rendered_as_few_are(tmp_path: Path):
    many = rendered(tmp_path / "many", "debian-14", d0=domain(0), d1=domain(1, edge="nginx"), d2=domain(2))
    assert many.returncode == 0, many.stdout + many.stderr
    few = rendered(tmp_path / "few", "debian-14", d1=domain(1, edge="nginx"))
    assert few.returncode == 0, few.stdout + few.stderr
    hosts = sorted(path.name for path in (tmp_path / "many/rendered").iterdir())
    assert hosts == sorted(f"mqtt{host}.d{number}.example.com" for host in range(10) for number in range(3))
    for name in hosts[1::3]:
        assert files(tmp_path / "many/rendered" / name) == files(tmp_path / "few/rendered" / name)


def test_what_cannot_be_rendered_is_told_once_for_all(tmp_path: Path):
    domains = {f"d{number}": domain(number, edge="nginx") for number in range(3)}
    refused = rendered(tmp_path / "many", "debian-13", **domains)
    assert refused.returncode != 0
    words = refused.stdout + refused.stderr
    assert words.count("proxy_protocol needs Mosquitto 2.1") == 1
    assert "30 hosts (mqtt0.d0.example.com, mqtt0.d1.example.com, " in words
    assert not (tmp_path / "many/rendered").exists()
