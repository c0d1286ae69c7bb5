# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a deployment takes that has nothing to do, beside `ansible -m ping` on the same hosts; with the project's .venv.

    python tests/benchmarks/fleet/site.py [HOSTS] [--counts N ...] [--rounds N] [--tasks] [--keep]

The hosts are test hosts with Debian 13, brokers with mutual TLS, an access list and a firewall, deployed by `site` with
the settings that `init` writes. Then, for each count, `ping` and `site` take turns on that many of them. It takes root:
while it runs, fs.inotify.max_user_instances is raised, which twenty hosts need.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
KEY = ROOT / ".cache/hosts/id_ed25519"
SUITE = "trixie"
INSTANCES = Path("/proc/sys/fs/inotify/max_user_instances")

CONFIGURATION = f"""
[defaults]
inventory = fleet.yml
collections_path = {ROOT}/.cache/collections
callback_plugins = {Path(__file__).parent}
forks = 25
host_key_checking = false
private_key_file = {KEY}
remote_user = root
[inventory]
any_unparsed_is_failed = true
[connection]
pipelining = true
[ssh_connection]
ssh_args = -o ControlMaster=auto -o ControlPersist=60s -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR
"""
VARIABLES = """
vault_pki_passphrase: only for benchmarks
vault_dashboard_password: only for benchmarks
pki_directory: "{{ inventory_dir | dirname }}/pki"
bulwark_serial: "100%"
"""
FLEET = """
plugin: bulwark.mqtt.fleet
authority:
  passphrase: "{{ vault_pki_passphrase }}"
  permitted_domains: [example.com]
  revocation_lists: true
  clients: [verify]
devices:
  meters:
    members: everybody
    topics: {readwrite: ["devices/%u/#"]}
  dashboards:
    members: {dashboard: "{{ vault_dashboard_password }}"}
    topics: {read: ["devices/#"]}
domains:
  example.com:
    brokers:
"""


def address(number: int) -> str:
    """Of a host; the third number is none that a scenario has."""
    return f"10.213.0.{100 + number}"


def host(command: str, *arguments: str) -> None:
    """Start or remove test hosts."""
    subprocess.run([ROOT / "tests/hosts/host", command, *arguments], check=True, stdout=subprocess.DEVNULL)


@contextlib.contextmanager
def inotify_instances() -> Iterator[None]:
    """So many that twenty hosts start: each systemd takes some of root's, of which there are 128 by default."""
    before = INSTANCES.read_text(encoding="utf-8")
    INSTANCES.write_text(str(max(int(before), 4096)), encoding="utf-8")
    try:
        yield
    finally:
        INSTANCES.write_text(before, encoding="utf-8")


@contextlib.contextmanager
def hosts(count: int, *, keep: bool) -> Iterator[None]:
    """So many hosts that run."""
    names = [f"bulwark-benchmark-fleet-{number}" for number in range(1, count + 1)]
    try:
        for number, name in enumerate(names, start=1):
            host("up", name, SUITE, address(number), str(KEY))
        yield
    finally:
        if not keep:
            host("down", *names)


def folder(parent: Path, count: int) -> Path:
    """Where Ansible runs for the first hosts: a fleet of them, and its settings."""
    path = parent / str(count)
    (path / "group_vars").mkdir(parents=True)
    (path / "ansible.cfg").write_text(CONFIGURATION, encoding="utf-8")
    (path / "group_vars/all.yml").write_text(VARIABLES, encoding="utf-8")
    brokers = [f"      mqtt{number}: {{address: {address(number)}}}\n" for number in range(1, count + 1)]
    (path / "fleet.yml").write_text(FLEET + "".join(brokers), encoding="utf-8")
    return path


def run(program: str, *arguments: str, where: Path, **environment: str) -> float:
    """Seconds of a run of Ansible that succeeds."""
    start = time.perf_counter()
    result = subprocess.run(
        [Path(sys.executable).with_name(program), *arguments],
        cwd=where,
        env={**os.environ, "ANSIBLE_CONFIG": str(where / "ansible.cfg"), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        raise SystemExit(f"{program} failed:\n{result.stdout}{result.stderr}")
    return time.perf_counter() - start


def site(where: Path) -> tuple[float, list[dict[str, Any]]]:
    """Seconds and tasks of a deployment."""
    report = where / "tasks.json"
    settings = {"ANSIBLE_CALLBACKS_ENABLED": "counted", "BULWARK_COUNTED": str(report)}
    seconds = run("ansible-playbook", "bulwark.mqtt.site", where=where, **settings)
    return seconds, json.loads(report.read_text(encoding="utf-8"))


def ping(where: Path) -> float:
    """Seconds of a ping."""
    return run("ansible", "bulwark", "-m", "ansible.builtin.ping", where=where)


def measure(where: Path, count: int, *, rounds: int, tasks: bool) -> None:
    """Print a line for so many hosts; with `tasks`, what took longest as well."""
    # The first ones open the connections.
    ping(where)
    site(where)
    pings, sites = [], []
    for _round in range(rounds):
        pings.append(ping(where))
        seconds, ran = site(where)
        sites.append(seconds)
    if changed := [task["name"] for task in ran if task["changed"]]:
        raise SystemExit(f"these changed something, so it is not the second time: {', '.join(changed)}")
    pinged, deployed = statistics.median(pings), statistics.median(sites)
    done, modules = sum(task["ran"] for task in ran), sum(task["modules"] for task in ran)
    print(
        f"{count:>5} {pinged:>8.1f} s {deployed:>8.1f} s {deployed / count:>8.2f} s {deployed / pinged:>8.1f}"
        f" {done / count:>8.1f} {modules / count:>8.1f}",
        flush=True,
    )
    if tasks:
        for task in sorted(ran, key=lambda item: -item["seconds"])[:40]:
            print(f"      {task['seconds']:>6.2f} s  {task['modules']:>4} modules  {task['name']}")


def main() -> None:
    """Deploy once, then measure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("hosts", nargs="?", type=int, default=20)
    parser.add_argument("--counts", nargs="*", type=int, default=[1, 5, 10, 20], help="of hosts to measure")
    parser.add_argument("--rounds", type=int, default=3, help="whose median counts")
    parser.add_argument("--tasks", action="store_true", help="say what took longest")
    parser.add_argument("--keep", action="store_true", help="leave the hosts and the CA for another run")
    arguments = parser.parse_args()
    with contextlib.ExitStack() as stack:
        if arguments.keep:
            parent = ROOT / ".cache/benchmark-fleet"
        else:
            parent = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=ROOT / ".cache")))
        stack.enter_context(inotify_instances())
        stack.enter_context(hosts(arguments.hosts, keep=arguments.keep))
        whole = parent / str(arguments.hosts)
        if not whole.exists():
            start = time.perf_counter()
            site(folder(parent, arguments.hosts))
            print(f"first deployment of {arguments.hosts} hosts: {time.perf_counter() - start:.0f} s", flush=True)
        print("hosts       ping       site   a host    ratio    tasks  modules")
        for count in arguments.counts:
            if count <= arguments.hosts:
                where = parent / str(count)
                measure(
                    where if where.exists() else folder(parent, count),
                    count,
                    rounds=arguments.rounds,
                    tasks=arguments.tasks,
                )


if __name__ == "__main__":
    main()
