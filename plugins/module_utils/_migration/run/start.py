# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Executes a plan, once there is something to do. Private to the collection.

This is a separate file because most runs have nothing to do and need not load it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple, Optional

from ..._core.errors import Error, coded
from ..._core.stop import Stop, Stopped
from ..._mysql.limit import Connect, Limit
from ..._mysql.lock import Lock
from ..._mysql.session import Session
from ..model import Plan, Step
from ..report import count, few
from ..status import DatabaseStatus, about
from .apply import Order
from .attempt import AttemptRecorder
from .executor import Executor
from .recovery import Resumption
from .runner import StatementRunner


class Work(NamedTuple):
    """All that a run needs.

    :param lock: the database's lock; None if none is taken.
    :param connect: opens another session.
    :param moved: a move by something else that is to be recorded first.
    :param before_step: see Rehearsed.
    """

    session: Session
    lock: Optional[Lock]
    connect: Connect
    status: DatabaseStatus
    directory: str
    plan: Plan
    resumption: Optional[Resumption]
    moved: Optional[dict[str, Any]]
    before_step: Optional[Callable[[Step, bool, Stopped], Mapping[str, bytes]]] = None


def carry_out(order: Order, work: Work) -> dict[str, Any]:
    """Execute a plan, or only read its files in check mode; return the return values.

    :raises Error: a statement failed, or the files are not as portable as is asked for.
    """
    stopped = order.stopped or Stop()
    params, status = order.params, work.status
    recorder = AttemptRecorder(
        work.session, status.state_table, status.history, about(params), work.lock, params["run_id"]
    )
    runner = _runner(params, work, recorder)
    executor = Executor(work.session, recorder, runner, work.directory, work.plan, work.resumption, stopped)
    before_step = work.before_step
    if before_step is not None:
        executor.before_step = lambda step, resumes: before_step(step, resumes, stopped)
    if params["portability"] == "require":
        _require_portability(executor.scan())
    elif order.check_mode:
        _warn_of(order, executor.scan())
    if not order.check_mode:
        try:
            with _watched(order, work, executor):
                executor.run(status.state, work.moved)
        finally:
            _warn_of(order, executor.notes)
            for warning in executor.warnings:
                order.warn(warning)
            if runner.retried:
                order.warn(
                    coded(
                        1809,
                        "A statement that had waited too long for a lock was retried, "
                        f"{count(runner.retried, 'time')}.",
                    )
                )
    return executor.results()


def _watched(order: Order, work: Work, executor: Executor) -> AbstractContextManager[None]:
    if order.progress is None:
        return nullcontext()
    from ..progress.watch import Watch  # noqa: PLC0415

    executor.watch = Watch(work.session, work.connect, order.progress)
    return executor.watch.on()


def _runner(params: Mapping[str, Any], work: Work, recorder: AttemptRecorder) -> StatementRunner:
    seconds, wait = params["statement_timeout"], params["lock_wait_timeout"]
    if wait is not None:
        work.session.query("SET SESSION lock_wait_timeout = %s", (wait,))
    limit = Limit(work.session, work.connect, seconds) if seconds else None
    retries = params["lock_wait_retries"] if wait is not None else 0
    return StatementRunner(work.session, recorder, work.lock, retries, limit, params["batch"])


def _require_portability(notes: list[str]) -> None:
    if notes:
        raise Error(
            1630,
            f"golang-migrate could not run these files as they are: {few(notes, '; ')}. "
            "Change them, or set portability to warn. Nothing was run.",
        )


def _warn_of(order: Order, notes: list[str]) -> None:
    for note in notes if order.params["portability"] != "ignore" else ():
        order.warn(coded(1631, f"golang-migrate could not run this file: {note}."))
