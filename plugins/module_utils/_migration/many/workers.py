# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Work on several schemas at once, in processes of their own. Private to the collection."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, Pipe, wait
from typing import Any, NamedTuple, NoReturn, Optional

from ..._core.errors import coded
from ..._core.stop import Stop, Stopped
from .schedule import Schedule

Job = Callable[[str], dict[str, Any]]
Tell = Callable[[Mapping[str, Any], Sequence[str]], None]

# Seconds after which a signal is noticed.
_SOON = 0.1


class _Worker(NamedTuple):
    number: int
    pipe: Connection


def work(
    schedule: Schedule,
    most: int,
    begin: Callable[[Stopped], Job],
    stop: Stopped,
    tell: Tell = lambda results, busy: None,
) -> dict[str, Any]:
    """Do a job for each schema of a schedule; return what each job returned, with ``failed`` if it failed.

    :param most: how many processes there may be.
    :param begin: called in each process, makes the job. A job raises nothing.
    :param stop: returns the name of a signal that asks to stop, which the processes are told, too.
    :param tell: is told again and again what has been done, and which schemas are being worked on.
    """
    results: dict[str, Any] = {}
    workers: list[_Worker] = []
    idle: list[_Worker] = []
    busy: dict[Connection, tuple[_Worker, str]] = {}
    told = False
    try:
        while True:
            reason = stop()
            if reason is not None and not told:
                told = schedule.over = True
                for worker, _name in busy.values():
                    os.kill(worker.number, signal.Signals[reason])
            while idle or len(workers) < most:
                name = schedule.next()
                if name is None:
                    break
                if not idle:
                    idle.append(_start(workers, begin))
                worker = idle.pop()
                # One that has died says nothing more, which is noticed below.
                with suppress(OSError):
                    worker.pipe.send(name)
                busy[worker.pipe] = worker, name
            if not busy:
                return results
            tell(results, [name for _worker, name in busy.values()])
            ready = wait(list(busy), _SOON)
            for pipe in [pipe for pipe in busy if pipe in ready]:
                worker, name = busy.pop(pipe)
                try:
                    results[name] = worker.pipe.recv()
                    idle.append(worker)
                except (EOFError, OSError):
                    results[name] = {"failed": True, "msg": _ended(worker)}
                    workers.remove(worker)
                schedule.end(bool(results[name].get("failed")))
    finally:
        for worker in workers:
            worker.pipe.close()
        for worker in workers:
            os.waitpid(worker.number, 0)


def _ended(worker: _Worker) -> str:
    worker.pipe.close()
    code = os.waitpid(worker.number, 0)[1]
    how = f"by signal {os.WTERMSIG(code)}" if os.WIFSIGNALED(code) else f"with code {os.WEXITSTATUS(code)}"
    return coded(2005, f"Its worker process ended {how}. Run again: it finds out what was done.")


def _start(workers: list[_Worker], begin: Callable[[Stopped], Job]) -> _Worker:
    parent = os.getpid()
    ours, theirs = Pipe()
    number = os.fork()
    if number == 0:
        # Whoever holds the other end of a pipe keeps its worker waiting.
        for pipe in (ours, *(worker.pipe for worker in workers)):
            pipe.close()
        _serve(theirs, parent, begin)
    theirs.close()
    workers.append(_Worker(number, ours))
    return workers[-1]


def _serve(pipe: Connection, parent: int, begin: Callable[[Stopped], Job]) -> NoReturn:
    signalled = Stop()

    def stopped() -> Optional[str]:
        return signalled() or (None if os.getppid() == parent else "The module was killed")

    # Nothing that the process has left to do at its end is ours.
    try:
        job = begin(stopped)
        while True:
            pipe.send(job(pipe.recv()))
    except (EOFError, OSError):
        os._exit(0)
    finally:
        os._exit(1)
