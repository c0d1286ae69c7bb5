# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.

"""One function for many batches, on all cores.

The pools of Python's own library wait for ever for a worker that was killed, or start threads before they fork, which
OpenSSL and newer Pythons do not like; and they read all batches before the first result. This one does neither.
"""

from __future__ import annotations

import contextlib
import gc
import itertools
import multiprocessing
import os
import traceback
from collections.abc import Iterable, Iterator
from multiprocessing.connection import Connection, wait
from typing import Any, Callable, TypeVar

_KILLED = "a process of this run was killed: look for the reason in the kernel's log, then run again"

Batch = TypeVar("Batch")
Result = TypeVar("Result")


def available() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0))


def each(
    function: Callable[[Batch], Result], batches: Iterable[Batch], *, processes: int, error: type[Exception]
) -> Iterator[Result]:
    """What the function returns for each batch, as they are finished; a single batch, or process, in this one.

    The function and what it refers to are those of the moment of the call: open no file of a database before. An
    `error` of the function is raised here, and is what is raised when a worker was killed.
    """
    source = iter(batches)
    first = list(itertools.islice(source, processes))
    source = itertools.chain(first, source)
    if len(first) <= 1 or processes == 1:
        yield from map(function, source)
        return
    with _started(function, len(first), error) as connections:
        # A worker has one batch at a time: two that send to each other at once would both wait for ever.
        busy: list[Any] = [connection for connection in connections if _send(connection, source, error)]
        while busy:
            for connection in wait(busy):
                result = _receive(connection, error)
                if not _send(connection, source, error):
                    busy.remove(connection)
                yield result


@contextlib.contextmanager
def _started(function: Callable[[Batch], Result], processes: int, error: type[Exception]) -> Iterator[list[Connection]]:
    context = multiprocessing.get_context("fork")
    connections: list[Connection] = []
    workers = []
    try:
        for _number in range(processes):
            ours, theirs = context.Pipe()
            # A worker closes what it inherits of ours: it ends when its own pipe is closed, by us or by our death.
            worker = context.Process(target=_work, args=(function, error, theirs, [*connections, ours]), daemon=True)
            worker.start()
            theirs.close()
            connections.append(ours)
            workers.append(worker)
        yield connections
    finally:
        for connection in connections:
            connection.close()
        for worker in workers:
            worker.join()


def _send(connection: Any, source: Iterator[Batch], error: type[Exception]) -> bool:
    """Send one more batch; False when there is none."""
    for batch in source:
        try:
            connection.send(batch)
        except BrokenPipeError as died:
            raise error(_KILLED) from died
        return True
    return False


def _receive(connection: Any, error: type[Exception]) -> Any:
    try:
        raised, result = connection.recv()
    except (EOFError, ConnectionResetError) as died:
        raise error(_KILLED) from died
    if raised is not None:
        raise raised
    return result


def _work(
    function: Callable[[Batch], Result], error: type[Exception], connection: Connection, inherited: list[Connection]
) -> None:
    for other in inherited:
        other.close()
    # What was inherited stays as it is; to look for cycles in it would copy its memory.
    gc.freeze()
    # What a batch leaves behind has no cycles; to look for some takes a tenth of the time.
    gc.disable()
    with contextlib.suppress(EOFError, OSError):
        while True:
            batch = connection.recv()
            answer: tuple[Exception | None, Any]
            try:
                answer = (None, function(batch))
            except error as raised:
                answer = (raised, None)
            except Exception:
                answer = (RuntimeError(traceback.format_exc()), None)
            connection.send(answer)
