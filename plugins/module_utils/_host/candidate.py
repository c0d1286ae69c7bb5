# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""The candidate check: let the program itself judge the staged files, at their real paths, beside the running service.

It runs in namespaces of its own: a read-only overlay over /etc shows the future, the rest of the host can be read, not
written, the network is empty (same ports, no conflict), and all of it ends with SIGKILL.
"""

from __future__ import annotations

import os
import pwd
import re
import selectors
import shlex
import shutil
import socket
import stat
import subprocess
import time
from collections.abc import Mapping, Sequence
from typing import IO, cast

from . import files, process
from .descriptor import Check
from .errors import CheckError, StoreError

# Private to the candidate and never hidden by a scratch directory.
_NOTIFY_DIRECTORY = "/dev/shm/bulwark"
_TEMPORARY_DIRECTORIES = ("/tmp", "/var/tmp")
# proc is the namespace's own, nodes in /dev do not mind read-only, and /etc is done. What cannot be made read-only
# must not be there at all; a mount point that is none is covered by another one, which is in the list, too.
_READ_ONLY = r"""set -f
IFS='
'
for mount in $(cut -d' ' -f5 /proc/self/mountinfo); do
    case $mount in /proc | /proc/* | /dev | /dev/* | /etc | /etc/*) continue ;; esac
    mount=$(printf %b "$mount")
    mount -o remount,bind,ro "$mount" 2>/dev/null || ! mountpoint --quiet "$mount" || umount --lazy "$mount"
done
unset IFS"""
# Listeners can be bound to addresses that the empty network does not have, and to low ports without a capability.
_NETWORK: Mapping[str, int] = {
    "/proc/sys/net/ipv4/ip_nonlocal_bind": 1,
    "/proc/sys/net/ipv6/ip_nonlocal_bind": 1,
    "/proc/sys/net/ipv4/ip_unprivileged_port_start": 0,
}
_WORDS = 4
# Mosquitto's, where log_timestamp is on, and EMQX's.
_TIME_STAMP = re.compile(r"^(\d{10}: |\d{4}-\d\d-\d\dT[\d:.]+[+-]\d\d:\d\d )")


def present(check: Check) -> bool:
    """Whether the program that judges is on this host."""
    return os.access(check.argv[0], os.X_OK)


def judge(check: Check, changes: Sequence[files.Change], *, unit: str, user: str, scratch: str) -> None:
    """Start the candidate with `changes` in view; CheckError with its own last words when it refuses them.

    `user` is the unit's, empty for root; `scratch` is a private directory. Needs root with CAP_SYS_ADMIN.
    """
    if not present(check):
        raise CheckError(
            f"{unit}: {check.argv[0]} is not on this host, so nothing can check its files; install it first"
        )
    future = os.path.join(scratch, "future")
    stage(changes, future)
    notify = os.path.join(scratch, "notify")
    os.mkdir(notify, 0o755)
    os.chmod(notify, 0o755)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as ready:
        ready.bind(os.path.join(notify, "ready"))
        # The daemon has dropped to its own user by then; nobody outside its namespace can reach the directory.
        os.chmod(os.path.join(notify, "ready"), 0o666)
        _watch(_start(check, user=user, future=future, notify=notify), ready, check, unit=unit)


def stage(changes: Sequence[files.Change], root: str) -> None:
    """Write `changes` below `root` as an upper layer for /etc: same owners and modes, whiteouts for what goes."""
    os.mkdir(root, 0o755)
    wanted = {change.path: change.entry for change in changes}
    os.mkdir(os.path.join(root, "etc"), 0o755)
    files.put(os.path.join(root, "etc"), files.observe("/etc"))
    for path, entry in wanted.items():
        if not path.startswith("/etc/"):
            raise StoreError(f"{path}: is not below /etc, where a candidate could see it; move it there")
        _stage_parents(path, root, wanted)
        target = root + path
        if entry is not None:
            files.put(target, entry)
        elif os.path.lexists(path):
            # An overlay's whiteout; no capability is needed to make one.
            os.mknod(target, stat.S_IFCHR | 0o600, os.makedev(0, 0))


def _stage_parents(path: str, root: str, wanted: Mapping[str, files.Entry]) -> None:
    """The upper layer decides owner and mode of a merged directory, so give it those of the real or the future one."""
    parts = path.split("/")
    for length in range(3, len(parts)):
        parent = "/".join(parts[:length])
        if not os.path.lexists(root + parent):
            entry = wanted.get(parent, files.observe(parent))
            files.put(root + parent, entry if isinstance(entry, files.Directory) else files.Directory(0o755, 0, 0))


def _start(check: Check, *, user: str, future: str, notify: str) -> subprocess.Popen[bytes]:
    """Start the candidate; it ends when its pid namespace does, and that when this process does, however it does."""
    script = mount_script(future=future, notify=notify, scratch=check.scratch, keep=check.keep)
    namespaces = ["--mount", "--net", "--ipc", "--pid", "--fork", "--kill-child=KILL", "--mount-proc"]
    environment = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        **check.environment,
        "NOTIFY_SOCKET": f"{_NOTIFY_DIRECTORY}/ready",
    }
    identity = ["setpriv", "--reuid", user, "--regid", _group_of(user), "--init-groups"] if user else []
    shell = ["sh", "-c", script, "candidate", *identity, *_reading(check), *check.argv]
    command = ["setpriv", "--pdeathsig", "KILL", "unshare", *namespaces, *shell]
    if shutil.which("setpriv") is None or shutil.which("unshare") is None:
        raise StoreError("setpriv, unshare: not on this host; install the package util-linux")
    return process.start(command, environment=environment)


def _reading(check: Check) -> list[str]:
    """What goes in front of the program to try, as its user, whether the files that it will need can be read."""
    if not check.reads:
        return []
    tried = " ".join(shlex.quote(path) for path in check.reads)
    script = f"""for path in {tried}; do
        [ -r "$path" ] && [ -s "$path" ] && continue
        echo "Error: $path: $(id --user --name) cannot read it, or it is empty"
        exit 1
    done
    exec "$@\""""
    return ["sh", "-c", script, "reads"]


def mount_script(*, future: str, notify: str, scratch: Mapping[str, str], keep: Sequence[str] = ()) -> str:
    """The shell script that turns fresh namespaces into the candidate's view of the host, then runs its arguments."""
    quoted = shlex.quote
    lines = [
        "set -e",
        "mount -t tmpfs -o mode=0755 tmpfs /dev/shm",
        f"mkdir {_NOTIFY_DIRECTORY}",
        f"mount --bind {quoted(notify)} {_NOTIFY_DIRECTORY}",
        f"mount -t overlay -o lowerdir={quoted(future + '/etc')}:/etc overlay /etc",
    ]
    lines += _READ_ONLY.splitlines()
    lines += [f"mount -t tmpfs -o mode=1777 tmpfs {path}" for path in _TEMPORARY_DIRECTORIES]
    kept = {quoted(path): f"/dev/shm/kept-{number}" for number, path in enumerate(keep)}
    lines += [f"[ ! -e {path} ] || cp -p {path} {copy}" for path, copy in kept.items()]
    for path, owner in scratch.items():
        lines += _missing(path)
        lines += [
            f"mount -t tmpfs -o mode=0700 tmpfs {quoted(path)}",
            f"chown {quoted(owner)} {quoted(path)}",
        ]
    lines += [f"[ ! -e {copy} ] || cp -p {copy} {path}" for path, copy in kept.items()]
    lines += [f"[ ! -e {path} ] || echo {value} >{path}" for path, value in _NETWORK.items()]
    # Not exec: this shell stays root and pid 1, so that the kernel's death signal survives the daemon's change of user.
    lines += ["ip link set lo up", '"$@" || exit $?', "exit 0"]
    return "\n".join(lines)


def _missing(path: str) -> list[str]:
    """What makes a directory that only the service's start makes, without the host seeing it."""
    if os.path.isdir(path):
        return []
    parent = os.path.dirname(path)
    while not os.path.isdir(parent):
        parent = os.path.dirname(parent)
    layers = f"/dev/shm/missing{path}"
    options = f"lowerdir={parent},upperdir={layers}/upper,workdir={layers}/work"
    return [
        f"mkdir -p {shlex.quote(layers)}/upper {shlex.quote(layers)}/work",
        # The upper layer decides mode and owner of the merged directory.
        f"chmod --reference={shlex.quote(parent)} {shlex.quote(layers)}/upper",
        f"mount -t overlay -o {shlex.quote(options)} overlay {shlex.quote(parent)}",
        f"mkdir -p {shlex.quote(path)}",
    ]


def _group_of(user: str) -> str:
    try:
        return str(pwd.getpwnam(user).pw_gid)
    except KeyError:
        raise StoreError(f"{user}: the unit's user is not on this host; install its package again") from None


def _watch(started: subprocess.Popen[bytes], ready: socket.socket, check: Check, *, unit: str) -> None:
    """Wait for the verdict, then kill the candidate and wait until its last process is gone."""
    output = cast("IO[bytes]", started.stdout)
    said = bytearray()
    try:
        verdict = _verdict(output, ready, said, deadline=time.monotonic() + check.timeout)
    finally:
        started.kill()
        # Every process of the candidate holds the pipe: its end is theirs.
        rest = started.communicate()[0]
    said += rest
    if verdict == "ready" and check.success == "ready":
        return
    if verdict == "ended" and check.success == "exit" and started.returncode == 0:
        return
    words = "; ".join(word.rstrip(".") for word in _last_words(bytes(said))) or "it said nothing"
    if verdict == "late":
        raise CheckError(f"{unit}: the candidate was not ready after {check.timeout} seconds: {words}")
    raise CheckError(f"{unit}: the candidate was refused: {words}")


def _verdict(output: IO[bytes], ready: socket.socket, said: bytearray, *, deadline: float) -> str:
    """ready, ended or late."""
    with selectors.DefaultSelector() as selector:
        selector.register(output, selectors.EVENT_READ)
        selector.register(ready, selectors.EVENT_READ)
        while True:
            events = selector.select(max(0.0, deadline - time.monotonic()))
            if not events:
                return "late"
            for key, _mask in events:
                if key.fileobj is ready:
                    if b"READY=1" in ready.recv(4096).split(b"\n"):
                        return "ready"
                else:
                    block = os.read(output.fileno(), 65536)
                    if not block:
                        return "ended"
                    said += block


def _last_words(output: bytes) -> list[str]:
    """Why a program gave up: what it says from its first error on, without time stamps, or else its last lines."""
    lines = [_TIME_STAMP.sub("", line.strip()) for line in output.decode(errors="replace").splitlines()]
    lines = [line for line in lines if line]
    # A warning can speak of an error that nobody gave up over: a bridge's name that does not resolve here.
    errors = [
        number
        for number, line in enumerate(lines)
        if "error" in line.lower() and not line.lower().startswith("warning")
    ]
    return lines[errors[0] :][:_WORDS] if errors else lines[-_WORDS:]
