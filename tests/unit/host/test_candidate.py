# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from ansible_collections.bulwark.mqtt.plugins.module_utils._host import candidate, files
from ansible_collections.bulwark.mqtt.plugins.module_utils._host.descriptor import Check
from ansible_collections.bulwark.mqtt.plugins.module_utils._host.errors import CheckError, StoreError

needs_namespaces = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("unshare") is None or shutil.which("ip") is None,
    reason="needs root, util-linux and iproute2",
)
READY = """
import os, socket
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
    notify.connect(os.environ["NOTIFY_SOCKET"])
    notify.send(b"STATUS=up\\nREADY=1")

import time; time.sleep(600)
"""


def check(*argv: str, success: str = "exit", scratch: Mapping[str, str] | None = None, timeout: int = 10) -> Check:
    return Check(argv=argv, environment={"COLOUR": "blue"}, success=success, scratch=scratch or {}, timeout=timeout)


def shell(script: str, **options: object) -> Check:
    return check("/bin/sh", "-c", script, **options)  # type: ignore[arg-type]


def judge(tmp_path: Path, how: Check, changes: list[files.Change], user: str = "") -> None:
    candidate.judge(how, changes, unit="x.service", user=user, scratch=str(tmp_path))


def new(path: str, content: str) -> files.Change:
    return files.Change(path, files.File(content.encode(), 0o640, 0, 0))


@needs_namespaces
def test_the_candidate_sees_the_future_at_its_real_path_and_the_host_does_not(tmp_path: Path) -> None:
    changes = [
        new("/etc/bulwark-unit-test/conf", "future"),
        files.Change("/etc/fstab", None),
        new("/etc/hostname", "b"),
    ]
    script = (
        '[ "$(cat /etc/bulwark-unit-test/conf)" = future ] && [ ! -e /etc/fstab ] && [ "$(cat /etc/hostname)" = b ]'
    )
    before = files.observe("/etc/hostname"), files.observe("/etc/fstab")
    judge(tmp_path, shell(script + ' && [ -e /etc/passwd ] && [ "$COLOUR" = blue ]'), changes)
    assert not os.path.exists("/etc/bulwark-unit-test")
    assert (files.observe("/etc/hostname"), files.observe("/etc/fstab")) == before


@needs_namespaces
def test_a_refusal_quotes_the_program_from_its_first_error_on(tmp_path: Path) -> None:
    script = "echo 1795471312: hello; echo '1795471312: Error: bad line.'; echo at /etc/conf:3. >&2; exit 3"
    with pytest.raises(CheckError, match=r"^x\.service: the candidate was refused: Error: bad line; at /etc/conf:3$"):
        judge(tmp_path, shell(script), [])


@needs_namespaces
@pytest.mark.parametrize("path", ["/etc", "/usr", "/var/lib", "/root"])
def test_the_candidate_cannot_write_on_the_host(tmp_path: Path, path: str) -> None:
    with pytest.raises(CheckError, match="Read-only file system"):
        judge(tmp_path, shell(f"echo error; touch {path}/bulwark-unit-test"), [])


@needs_namespaces
def test_a_scratch_directory_is_empty_belongs_to_its_owner_and_vanishes(tmp_path: Path) -> None:
    script = 'cd /var/lib/dpkg && [ -z "$(ls -A)" ] && [ "$(stat -c %U .)" = daemon ] && touch x'
    judge(tmp_path, shell(script, scratch={"/var/lib/dpkg": "daemon:daemon"}), [])
    assert not os.path.exists("/var/lib/dpkg/x")


@needs_namespaces
@pytest.mark.parametrize("path", ["/run/bulwark-unit-test", "/run/bulwark-unit-test/below"])
def test_a_scratch_directory_that_only_the_services_start_makes_is_there_and_its_neighbours_are(
    tmp_path: Path, path: str
) -> None:
    script = f'cd {path} && [ "$(stat -c %U .)" = daemon ] && touch x && [ "$(stat -c %a /run)" = 755 ]'
    neighbour = os.listdir("/run")[0]
    judge(tmp_path, shell(f"{script} && [ -e /run/{neighbour} ]", scratch={path: "daemon:daemon"}), [])
    assert not os.path.exists("/run/bulwark-unit-test")


@needs_namespaces
def test_state_that_is_to_be_kept_is_a_copy_in_the_scratch_directory(tmp_path: Path) -> None:
    how = Check(
        argv=("/bin/sh", "-c", "cd /var/lib/dpkg && [ -s status ] && [ ! -e info ] && echo >>status"),
        environment={},
        success="exit",
        scratch={"/var/lib/dpkg": "root:root"},
        timeout=10,
        keep=("/var/lib/dpkg/status", "/var/lib/dpkg/is-not-there"),
    )
    before = files.observe("/var/lib/dpkg/status")
    judge(tmp_path, how, [])
    assert files.observe("/var/lib/dpkg/status") == before


@needs_namespaces
@pytest.mark.parametrize("wrong", ["unreadable", "empty", "missing"])
def test_a_file_that_the_programs_user_cannot_read_refuses_the_candidate(tmp_path: Path, wrong: str) -> None:
    good = new("/etc/bulwark-unit-test/good", "x")
    changes = [files.Change(good.path, files.File(b"x", 0o644, 0, 0))]
    path = f"/etc/bulwark-unit-test/{wrong}"
    if wrong != "missing":
        changes.append(
            files.Change(
                path, files.File(b"" if wrong == "empty" else b"x", 0o600 if wrong != "empty" else 0o644, 0, 0)
            )
        )
    how = Check(argv=("/bin/true",), environment={}, success="exit", scratch={}, timeout=10, reads=(good.path, path))
    message = f"x.service: the candidate was refused: Error: {path}: daemon cannot read it, or it is empty"
    with pytest.raises(CheckError) as refused:
        judge(tmp_path, how, changes, user="daemon")
    assert str(refused.value) == message


@needs_namespaces
def test_files_that_can_be_read_leave_the_judgement_to_the_program(tmp_path: Path) -> None:
    how = Check(
        argv=("/bin/sh", "-c", 'echo "Error: $1"; exit 1', "sh", "a b"),
        environment={},
        success="exit",
        scratch={},
        timeout=10,
        reads=("/etc/bulwark-unit-test/it's good",),
    )
    with pytest.raises(CheckError, match=r"^x\.service: the candidate was refused: Error: a b$"):
        judge(
            tmp_path,
            how,
            [files.Change("/etc/bulwark-unit-test/it's good", files.File(b"x", 0o644, 0, 0))],
            user="daemon",
        )


@needs_namespaces
def test_the_candidate_can_listen_where_the_service_does(tmp_path: Path) -> None:
    script = "import socket; [socket.create_server((a, 443)) for a in ('127.0.0.1', '192.0.2.10')]"
    judge(tmp_path, check("/usr/bin/python3", "-c", script), [], user="daemon")


@needs_namespaces
def test_a_daemon_passes_when_it_is_ready_and_is_gone_at_once(tmp_path: Path) -> None:
    script = READY
    started = time.monotonic()
    judge(tmp_path, check("/usr/bin/python3", "-c", script, success="ready"), [], user="daemon")
    assert time.monotonic() - started < 10
    marker = script.encode()
    alive = [pid for pid in os.listdir("/proc") if pid.isdigit() and marker in _command_line(pid)]
    assert alive == []


@needs_namespaces
def test_a_daemon_that_exits_well_without_getting_ready_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckError, match=r"^x\.service: the candidate was refused: it said nothing$"):
        judge(tmp_path, shell("exit 0", success="ready"), [])


@needs_namespaces
def test_a_daemon_that_never_gets_ready_is_killed(tmp_path: Path) -> None:
    with pytest.raises(CheckError, match=r"^x\.service: the candidate was not ready after 1 seconds: waiting$"):
        judge(tmp_path, shell("echo waiting; sleep 601", success="ready", timeout=1), [])
    assert [pid for pid in os.listdir("/proc") if pid.isdigit() and _command_line(pid) == b"sleep\0601\0"] == []


@needs_namespaces
def test_the_candidate_dies_with_a_play_that_is_killed(tmp_path: Path) -> None:
    child = os.fork()
    if child == 0:
        judge(tmp_path, shell("setpriv --reuid 1 --clear-groups sleep 602", success="ready", timeout=600), [])
        os._exit(0)
    _until(lambda: _sleepers(b"602"))
    os.kill(child, 9)
    os.waitpid(child, 0)
    _until(lambda: not _sleepers(b"602"))


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckError) as refused:
        judge(tmp_path, check("/nonexistent/broker"), [])
    assert str(refused.value) == (
        "x.service: /nonexistent/broker is not on this host, so nothing can check its files; install it first"
    )


def test_a_file_outside_etc_cannot_be_staged(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"^/var/x: is not below /etc, where a candidate could see it; move it there$"):
        candidate.stage([files.Change("/var/x", None)], str(tmp_path / "future"))


def test_scratch_directories_are_quoted_for_the_shell() -> None:
    script = candidate.mount_script(future="/run/f", notify="/run/n", scratch={"/var/lib/x y": "a:b"})
    assert "mount -t tmpfs -o mode=0700 tmpfs '/var/lib/x y'\nchown a:b '/var/lib/x y'\n" in script


def _command_line(pid: str) -> bytes:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as stream:
            return stream.read()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def _sleepers(seconds: bytes) -> list[str]:
    return [pid for pid in os.listdir("/proc") if pid.isdigit() and _command_line(pid) == b"sleep\0" + seconds + b"\0"]


def _until(condition: object) -> None:
    deadline = time.monotonic() + 10
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_warning_that_speaks_of_an_error_is_not_why_a_program_gave_up() -> None:
    said = (
        b"1700000000: Warning: Error resolving bridge address: x\nConfig loaded\nError: no key\nError found at conf:3\n"
    )
    assert candidate._last_words(said) == ["Error: no key", "Error found at conf:3"]


def test_the_time_that_a_program_puts_before_its_words_is_left_out() -> None:
    said = b"2026-11-28T13:11:57.943840+00:00 [error] unknown_fields\n1700000000: it was that\n"
    assert candidate._last_words(said) == ["[error] unknown_fields", "it was that"]
