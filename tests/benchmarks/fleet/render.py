# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What it takes to compile and render a fleet, beside template tasks in check mode; with the project's .venv.

    python tests/benchmarks/fleet/render.py [HOSTS ...] [--tasks N]

The fleet has domains of ten brokers, of which a third have nginx in front. The other side is a playbook with a task of
`template` or `copy` for each file that the roles write, run with `--check` on a fleet of N hosts, with the same
variables, the same templates and no connection to anywhere; of one host the files of both sides are compared.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / ".cache/collections"))

from ansible_collections.bulwark.mqtt.plugins.module_utils._fleet.compilation import compile_fleet  # noqa: E402
from ansible_collections.bulwark.mqtt.plugins.module_utils._fleet.source import read  # noqa: E402  (the path above)
from ansible_collections.bulwark.mqtt.plugins.module_utils._rendering import answers  # noqa: E402

RELEASE = "debian-14"
VARIABLES = {
    "bulwark_release": RELEASE,
    "bulwark_digest_key": "only for benchmarks",
    "vault_pki_passphrase": "only for benchmarks",
    "vault_dashboard_password": "only for benchmarks",
}
CONFIGURATION = f"""
[defaults]
inventory = fleet.yml
collections_path = {ROOT}/.cache/collections
forks = 25
[inventory]
any_unparsed_is_failed = true
"""
ROLES = ("tls_store", "firewall", "mosquitto", "nginx_stream")
LOOKUP = re.compile(r"\{\{ lookup\('[a-z]+\.[a-z]+\.(template|file)', '([\w./-]+)'(, rstrip=false)?\) \}\}")


@dataclass(frozen=True)
class Taken:
    """What a run took."""

    wall: float
    processor: float
    # MiB of the largest process
    memory: int


def fleet(hosts: int) -> dict[str, Any]:
    """An intent for so many brokers."""
    domains: dict[str, Any] = {}
    for number in range(hosts):
        name = f"d{number // 10}.example.com"
        domain = domains.setdefault(name, {"brokers": {}, **({"edge": "nginx"} if number // 10 % 3 == 2 else {})})
        domain["brokers"][f"mqtt{number % 10}"] = {
            "address": f"10.{number // 65536}.{number // 256 % 256}.{number % 256}"
        }
    return {
        "plugin": "bulwark.mqtt.fleet",
        "authority": {
            "passphrase": "{{ vault_pki_passphrase }}",
            "permitted_domains": ["example.com"],
            "revocation_lists": True,
        },
        "defaults": {"firewall": {"mode": "default_deny", "management_sources": ["198.51.100.0/24"]}},
        "domains": domains,
        "devices": {
            "meters": {"members": "everybody", "topics": {"readwrite": ["devices/%u/#"]}},
            "dashboards": {
                "members": {"dashboard": "{{ vault_dashboard_password }}"},
                "topics": {"read": ["devices/#"]},
            },
        },
    }


def written(directory: Path, hosts: int) -> Path:
    """A folder with the fleet and Ansible's settings."""
    directory.mkdir()
    (directory / "ansible.cfg").write_text(CONFIGURATION, encoding="utf-8")
    (directory / "fleet.yml").write_text(yaml.safe_dump(fleet(hosts), sort_keys=False), encoding="utf-8")
    (directory / "group_vars").mkdir()
    (directory / "group_vars/all.yml").write_text(yaml.safe_dump(VARIABLES), encoding="utf-8")
    return directory


def playbook(where: Path, *arguments: str) -> Taken:
    """Run ansible-playbook, which has to succeed."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [Path(sys.executable).with_name("ansible-playbook"), *arguments],
        cwd=where,
        env={**os.environ, "ANSIBLE_CONFIG": str(where / "ansible.cfg"), "ANSIBLE_STDOUT_CALLBACK": "minimal"},
        stdout=(where / "output").open("wb"),
        stderr=subprocess.STDOUT,
    )
    # This process' usage and that of all it has waited for.
    _pid, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    if status:
        raise SystemExit(f"ansible-playbook {' '.join(arguments)} failed:\n{(where / 'output').read_text()[-3000:]}")
    return Taken(wall=wall, processor=usage.ru_utime + usage.ru_stime, memory=usage.ru_maxrss // 1024)


def compilation(where: Path) -> Taken:
    """Read and compile alone, in this process."""
    start, before = time.perf_counter(), time.process_time()
    compile_fleet(read((where / "fleet.yml").read_text(encoding="utf-8"), file="fleet.yml"))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return Taken(wall=time.perf_counter() - start, processor=time.process_time() - before, memory=memory)


def tasks(destination: Path) -> list[dict[str, Any]]:
    """A play with one task for each file of each role, as a playbook without `render` would be."""
    found = [_task(role, item, destination) for role in ROLES for item in _entries(role)]
    answered = {
        name: value
        for role in ROLES
        for name, value in answers.answers(role, answers.of_release(RELEASE), template=str).items()
    }
    play = {
        "hosts": "mosquitto",
        "connection": "local",
        "gather_facts": False,
        "vars": {
            **answered,
            "ansible_facts": answers.of_release(RELEASE)["facts"],
            "ansible_python_interpreter": sys.executable,
            "firewall_rules": "{{ mosquitto_firewall_rules + (nginx_stream_firewall_rules if edge else []) }}",
            "edge": "{{ 'nginx_stream' in group_names }}",
        },
        # For their variables: their tasks have other tags.
        "roles": [f"bulwark.mqtt.{role}" for role in ROLES],
        "tasks": found,
    }
    return [play]


def _entries(role: str) -> Iterator[Mapping[str, Any]]:
    """The entries of a role's list of files, with those that it names; a filter's list stays one entry with a loop."""
    own = yaml.safe_load((ROOT / f"roles/{role}/vars/main.yml").read_text(encoding="utf-8"))
    waiting = [own[f"__{role}_files"]]
    while waiting:
        item = waiting.pop(0)
        if isinstance(item, list):
            waiting = [*item, *waiting]
        elif isinstance(item, str) and "|" in item:
            yield {"path": "{{ item.path }}", "content": "{{ item.content }}", "mode": "{{ item.mode }}", "loop": item}
        elif isinstance(item, str):
            waiting = [*(own[name] for name in re.findall(r"\w+", item)), *waiting]
        else:
            yield item


def _task(role: str, item: Mapping[str, Any], destination: Path) -> dict[str, Any]:
    content = str(item["content"])
    common = {"dest": f"{destination}/{{{{ inventory_hostname }}}}{item['path']}", "mode": item["mode"]}
    found = LOOKUP.fullmatch(content)
    if not found:
        module = {"ansible.builtin.copy": {"content": content, **common}}
    elif found[1] == "template":
        module = {"ansible.builtin.template": {"src": f"{ROOT}/roles/{role}/templates/{found[2]}", **common}}
    else:
        module = {"ansible.builtin.copy": {"src": f"{ROOT}/roles/{role}/files/{found[2]}", **common}}
    conditions = ["edge"] if role == "nginx_stream" else []
    state = str(item.get("state", "present"))
    if state != "present":
        conditions.append(f"({state.removeprefix('{{').removesuffix('}}').strip()}) == 'present'")
    loop = {"loop": item["loop"]} if "loop" in item else {}
    return {"name": f"{role}: {item['path']}", **module, **loop, "when": conditions, "tags": "measured"}


def differing(rendered: Path, made: Path) -> list[str]:
    """Files of a host that are not the same on both sides; those that `render` keeps secret are on one only."""
    manifest = json.loads((rendered / "manifest.json").read_text(encoding="utf-8"))
    paths = [entry["path"].lstrip("/") for entry in manifest["files"] if "sha256" in entry]
    return [path for path in paths if (rendered / path).read_bytes() != (made / path).read_bytes()]


def say(what: str, hosts: int, taken: Taken, other: Taken | None = None) -> None:
    """One line of the result; the ratios are to the other side, on as many hosts."""
    ratios = f"{other.wall / taken.wall:>8.1f} {other.processor / taken.processor:>8.1f}" if other else ""
    print(
        f"{what:<34}{hosts:>6} {taken.wall:>8.1f} s {taken.processor:>8.1f} s {taken.memory:>6} MiB{ratios}",
        flush=True,
    )


def compare(parent: Path, hosts: int) -> None:
    """The same files both ways. Raises SystemExit where they are not the same."""
    where = written(parent / "both", hosts)
    made, selected = where / "made", ["play.yml", "--tags=measured", "--skip-tags=always"]
    (where / "play.yml").write_text(yaml.safe_dump(tasks(made), sort_keys=False), encoding="utf-8")
    checked = playbook(where, *selected, "--check")
    rendered = playbook(where, "bulwark.mqtt.render")
    say("template tasks in check mode", hosts, checked)
    say("compile and render", hosts, rendered, checked)
    name = max(path.name for path in (where / "rendered").iterdir())
    for path in (where / "rendered" / name).rglob("*/"):
        (made / name / path.relative_to(where / "rendered" / name)).mkdir(parents=True)
    playbook(where, *selected, f"--limit={name}")
    if found := differing(where / "rendered" / name, made / name):
        raise SystemExit(f"{name}: these differ: {', '.join(found)}")


def main() -> None:
    """Print a line for each side."""
    parser = argparse.ArgumentParser()
    parser.add_argument("hosts", nargs="*", type=int, default=[1000, 10000])
    parser.add_argument("--tasks", type=int, default=20, help="hosts of the other side")
    arguments = parser.parse_args()
    print("                                   hosts       wall  processor     memory   ratios: wall, processor")
    with tempfile.TemporaryDirectory(dir=ROOT / ".cache") as name:
        compare(Path(name), arguments.tasks)
        for hosts in arguments.hosts:
            where = written(Path(name) / str(hosts), hosts)
            say("compile", hosts, compilation(where))
            say("compile and render", hosts, playbook(where, "bulwark.mqtt.render"))
            say("nothing to do", hosts, playbook(where, "bulwark.mqtt.render"))


if __name__ == "__main__":
    main()
