# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Has the programs of this host judge rendered files, each rendered host in namespaces of its own; as root.

judge.py DIRECTORY      judges DIRECTORY/*/HOST; prints, as JSON, how often each program took files, and what it refused
    judge.py --broken DIRECTORY
                            the same of some whose files have a line too many: all of it must be refused
"""

from __future__ import annotations

import importlib
import json
import os
import pwd
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

MATERIAL = Path("/root/material")
BROKER = "/etc/mosquitto/mosquitto.conf"
NGINX = "/etc/bulwark/nginx/nginx.conf"
RULES = "/etc/bulwark/firewall.nft"
MONITORING = "etc/bulwark/monitoring"
# Of packages that are not installed.
PROGRAMS = "/root/programs/usr/bin"
NONSENSE = "\nnonsense nonsense\n"
SECONDS = 10


def call(*command: str, **options: object) -> str:
    """The words of a program that refuses; nothing where it does not."""
    result = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **options
    )
    return result.stdout.strip() or f"exit code {result.returncode}" if result.returncode else ""


def material() -> None:
    """A certificate that is its own CA, with a list of nobody, for every lineage."""
    if MATERIAL.exists():
        return
    MATERIAL.mkdir()
    key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout privkey.pem"
    for command in (
        f"req -x509 {key} -subj /CN=judge -days 2 -out cert.pem",
        "ca -gencrl -batch -config ca.cnf -keyfile privkey.pem -cert cert.pem -crldays 2 -md sha256 -out crl.pem",
    ):
        (MATERIAL / "ca.cnf").write_text("[ca]\ndefault_ca=a\n[a]\ndatabase=index\n", encoding="utf-8")
        (MATERIAL / "index").touch()
        if words := call("openssl", *command.split(), cwd=MATERIAL):
            raise SystemExit(words)
    for name in ("fullchain.pem", "chain.pem", "ca.pem"):
        shutil.copy(MATERIAL / "cert.pem", MATERIAL / name)


def put_in_place(rendered: Path) -> None:
    """The rendered files over the host's own, for this process and its children only."""
    os.makedirs("/mnt/judge", exist_ok=True)
    for where in ("/mnt/judge", "/var/lib/mosquitto"):
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", where], check=True)
    shutil.chown("/var/lib/mosquitto", "mosquitto", "mosquitto")
    for name in ("etc", "upper", "work"):
        os.mkdir(f"/mnt/judge/{name}")
    shutil.copytree(rendered / "etc", "/mnt/judge/etc", dirs_exist_ok=True)
    layers = "lowerdir=/mnt/judge/etc:/etc,upperdir=/mnt/judge/upper,workdir=/mnt/judge/work"
    subprocess.run(["mount", "-t", "overlay", "-o", layers, "overlay", "/etc"], check=True)
    # The deployment makes the user before the rules that name it.
    rules = rendered / RULES.lstrip("/")
    for name in re.findall(r"skuid != { root, (\S+) }", rules.read_text(encoding="utf-8") if rules.exists() else ""):
        if name not in {known.pw_name for known in pwd.getpwall()}:
            subprocess.run(["useradd", "--system", "--no-user-group", name], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)
    for name in ("lock", "mosquitto", "bulwark-nginx", "systemd"):
        os.mkdir(f"/run/{name}")
    for lineage in (rendered / "etc/bulwark/tls").glob("*"):
        current = Path("/etc/bulwark/tls", lineage.name, "current")
        if current.is_symlink():
            current.unlink()
        shutil.copytree(MATERIAL, current, dirs_exist_ok=True)
        # Who reads a key is the deployment's matter.
        for path in (current.parent, current, *current.iterdir()):
            path.chmod(0o755)
    for entry in json.loads((rendered / "manifest.json").read_text(encoding="utf-8"))["files"]:
        if "names" in entry:
            subprocess.run(["touch", entry["path"]], check=True)
            for name in entry["names"]:
                subprocess.run(
                    ["mosquitto_passwd", "-b", entry["path"], name, "secret"], check=True, capture_output=True
                )
        if entry["state"] == "present" and os.path.exists(entry["path"]):
            os.chmod(entry["path"], int(entry["mode"], 8))
            if entry["owner"] in {known.pw_name for known in pwd.getpwall()}:
                shutil.chown(entry["path"], entry["owner"])


def listening() -> set[int]:
    """TCP ports of this namespace that something listens at."""
    lines = [line for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]]
    return {int(line.split()[1].rpartition(":")[2], 16) for line in lines if line.split()[3] == "0A"}


def broker() -> str:
    """Mosquitto is started, and has to open all of its listeners."""
    wanted = re.findall(r"^listener (\S+) ?(\S*)", Path(BROKER).read_text(encoding="utf-8"), re.MULTILINE)
    ports = {int(port) for port, _place in wanted if port != "0"}
    sockets = [place for port, place in wanted if port == "0"]
    with open("/mnt/judge/said", "w+", encoding="utf-8") as said:
        process = subprocess.Popen(
            ["mosquitto", "-c", BROKER],
            stdout=said,
            stderr=said,
            env={**os.environ, "OPENSSL_CONF": "/etc/mosquitto/openssl.cnf"},
        )
        deadline = time.monotonic() + SECONDS
        opened = False
        while not opened and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
            opened = ports <= listening() and all(map(os.path.exists, sockets))
        # It forgets a SIGTERM that comes between its listeners and its loop, and runs on.
        process.kill()
        process.wait()
        said.seek(0)
        return "" if opened else said.read().strip() or "opened none of its listeners"


def units(rendered: Path) -> list[str]:
    """Units of the rendered host whose programs are here."""
    names = []
    for path in sorted((rendered / "etc/systemd/system").iterdir()):
        name = path.name.removesuffix(".d")
        known = [Path(place, "systemd/system", name) for place in ("/etc", "/usr/lib")]
        texts = [known.read_text(encoding="utf-8") for known in known if known.is_file()]
        programs = re.findall(r"^ExecStart=[-+!@:]*(\S+)", texts[0], re.MULTILINE) if texts else [""]
        if all(map(os.path.exists, programs)):
            names.append(name)
    return names


def verify(names: list[str]) -> str:
    """What systemd has against units."""
    return call("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *names)


def descriptor(path: Path) -> str:
    """What our own tool has against the description of a service."""
    sys.path.insert(0, "/usr/local/lib/bulwark")
    parse = importlib.import_module("bulwark_host.descriptor").parse
    try:
        parse(path.read_bytes(), source=str(path))
    except importlib.import_module("bulwark_host.errors").HostError as error:
        return str(error)
    return ""


def questions(rendered: Path) -> Iterator[tuple[str, Callable[[], str]]]:
    """The programs that are here for files that are there, as questions."""
    for path in sorted((rendered / "etc/tmpfiles.d").glob("*")):
        yield "systemd-tmpfiles", lambda name=path.name: call("systemd-tmpfiles", "--create", f"/etc/tmpfiles.d/{name}")
    if (rendered / BROKER.lstrip("/")).exists():
        yield "mosquitto", broker
    if (rendered / NGINX.lstrip("/")).exists() and shutil.which("nginx"):
        yield (
            "nginx",
            lambda: (
                call("sh", "/etc/bulwark/nginx/control.sh", "prepare")
                or call("nginx", "-t", "-q", "-c", NGINX, "-e", "stderr")
            ),
        )
    if (rendered / RULES.lstrip("/")).exists():
        yield "nft", lambda: call("nft", "--check", "--file", RULES)
    for name, command in (
        ("prometheus.yml", ("promtool", "check", "config")),
        ("rules.yml", ("promtool", "check", "rules")),
        ("blackbox.yml", ("prometheus-blackbox-exporter", "--config.check", "--config.file")),
    ):
        if (rendered / MONITORING / name).exists():
            yield command[0], lambda name=name, command=command: call(*command, f"/{MONITORING}/{name}")
    names = units(rendered)
    if names:
        yield "systemd", lambda: verify(names)
    for path in sorted((rendered / "etc/bulwark/services.d").glob("*")):
        yield "bulwark-tls", lambda name=path.name: descriptor(Path("/etc/bulwark/services.d", name))


def one(rendered: Path) -> None:
    """Judge one rendered host, in namespaces that are this process' own; print what each program says."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    os.environ["PATH"] += f":{PROGRAMS}"
    put_in_place(rendered)
    print(json.dumps([(program, ask()) for program, ask in questions(rendered)]))


def judged(rendered: Path) -> list[tuple[str, str]]:
    """What each program says of a rendered host, in namespaces that go away."""
    command = ["unshare", "--mount", "--net", sys.executable, __file__, "--one", str(rendered)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise SystemExit(f"{rendered}: {result.stdout}{result.stderr}")
    return [(program, words) for program, words in json.loads(result.stdout.splitlines()[-1])]


def broken(hosts: list[Path]) -> None:
    """Add a line to the files of hosts, and print what took them nevertheless."""
    copy = Path("/root/broken")
    asked, took = set(), []
    for rendered in hosts:
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(rendered, copy)
        for path in copy.rglob("etc/**/*"):
            # What no program here reads by itself.
            if path.is_file() and not {"tls", "acl", "openssl.cnf", "control.sh", "edge.js", "dashboard.json"} & set(
                path.parts
            ):
                path.write_text(path.read_text(encoding="utf-8") + NONSENSE, encoding="utf-8")
        said = judged(copy)
        asked |= {program for program, _words in said}
        took += [f"{rendered}: {program}" for program, words in said if not words]
    print(json.dumps({"asked": sorted(asked), "took": took}))


def main() -> None:
    """Judge all of them."""
    if sys.argv[1] == "--one":
        one(Path(sys.argv[2]))
        return
    material()
    hosts = sorted(path.parent for path in Path(sys.argv[-1]).glob("*/*/manifest.json"))
    if sys.argv[1] == "--broken":
        of_each = (BROKER, NGINX, f"/{MONITORING}/prometheus.yml")
        with_file = ([host for host in hosts if (host / path.lstrip("/")).exists()] for path in of_each)
        broken([found[0] for found in with_file])
        return
    taken: Counter[str] = Counter()
    refused = []
    for rendered in hosts:
        for program, words in judged(rendered):
            taken[program] += not words
            refused += [f"{rendered}: {program}: {words}"] if words else []
    print(json.dumps({"hosts": len(hosts), "taken": taken, "refused": refused}))


if __name__ == "__main__":
    main()
