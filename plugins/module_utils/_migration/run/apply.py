# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Migrates one schema, for migration_apply, and for each schema of migration_apply_many.

Private to the collection. Modules that only a run with pending migrations needs are loaded when they are needed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from ..._core.arguments import ArgumentSpec
from ..._core.errors import Error, coded
from ..._core.stop import Stopped
from ..._mysql.lock import Lock, locked
from ..._mysql.session import Session
from ..model import Goal, Plan, Source, State, Step
from ..plan import make_plan, pending
from ..report import difference, digest, few, format_version, steps_result, summary
from ..status import DatabaseStatus, load, running_attempt

if TYPE_CHECKING:
    from ..._mysql.limit import Connect
    from ..progress.file import ProgressFile
    from ..tables.history_table import AttemptRecord
    from .recovery import Resumption

# Documented in the doc fragment dbops.migrations._apply.
APPLY = ArgumentSpec(
    argument_spec={
        "directory": {"type": "path", "required": True},
        "target": {"type": "str"},
        "allow_down": {"type": "bool", "default": False},
        "resume": {"type": "bool", "default": True},
        "out_of_order": {"type": "str", "default": "fail", "choices": ["fail", "ignore", "apply"]},
        "checksums": {"type": "str", "default": "warn", "choices": ["fail", "warn", "ignore"]},
        "history_ahead": {"type": "str", "default": "fail", "choices": ["fail", "ignore"]},
        "adopt": {"type": "bool", "default": True},
        "baseline": {"type": "str"},
        "portability": {"type": "str", "default": "warn", "choices": ["warn", "require", "ignore"]},
        "statement_timeout": {"type": "int"},
        "lock_wait_timeout": {"type": "int"},
        "lock_wait_retries": {"type": "int", "default": 3},
        "batch": {"type": "bool", "default": True},
        "commit": {"type": "str"},
        "run_by": {"type": "str"},
        "job": {"type": "str"},
        "plan_file": {"type": "str"},
        "run_id": {"type": "str"},
        "reconnect": {"type": "int", "default": 300},
    }
)


class Rehearsed(NamedTuple):
    """The result of a rehearsal.

    :param result: as a return value.
    :param before_step: see Executor; is also given what tells why to stop.
    """

    result: dict[str, Any]
    before_step: Callable[[Step, bool, Stopped], Mapping[str, bytes]]


class DriftCheck(NamedTuple):
    """How to handle changes that were made outside of migrations.

    :param look: looks for them, and refuses or warns; returns them as a return value.
    :param keep: keeps what the next one is compared with.
    """

    look: Callable[[], Optional[list[dict[str, str]]]]
    keep: Callable[[], None]


class Order(NamedTuple):
    """What a module was asked to do.

    :param params: the options of APPLY, those of the state table, the history and the lock, and steps, resume_from and
        expected_plan, each of which may be None.
    :param diff: whether check mode is to show the plan.
    :param stopped: returns why to stop; by default signals are heeded from when something is run.
    :param progress: where to write what is being done; None if nobody looks.
    :param rehearse: rehearses a plan, of which the first step may resume a migration. None if that is not wanted.
    :param guard: judges a plan by its rehearsal, if there was one, and returns return values; outside of check mode it
        raises an Error for what is refused. None if that is not wanted.
    :param drift: None if that is not wanted.
    :param document: whether the plan is wanted as a text, too.
    """

    params: Mapping[str, Any]
    check_mode: bool
    diff: bool
    warn: Callable[[str], None]
    stopped: Optional[Stopped] = None
    progress: Optional[ProgressFile] = None
    rehearse: Optional[Callable[[Plan, bool], Rehearsed]] = None
    guard: Optional[Callable[[Plan, Optional[Rehearsed], Session], dict[str, Any]]] = None
    drift: Optional[DriftCheck] = None
    document: bool = False

    @property
    def reattaches(self) -> bool:
        """Whether the run may have been started before, by a connection that was lost."""
        return bool(self.params.get("reattach"))

    @property
    def goal(self) -> Goal:
        """Where a schema is to go."""
        return Goal(self.params["target"] or "latest", self.params["steps"], self.params["allow_down"])


def migrate(order: Order, session: Session, connect: Connect, source: Source) -> dict[str, Any]:
    """Migrate the session's schema, or only plan it in check mode; return the return values.

    :param connect: opens another session to the same schema.
    :raises Error: it is refused, or it failed.
    """
    if order.reattaches:
        from . import reattach  # noqa: PLC0415

        reattach.wait(session, order.params)
    with locked(session, order.params, order.warn, running_attempt) as lock:
        if session.complaint:
            order.warn(session.complaint)
        status = load(session, order.params)
        check_history(session.database, order, status)
        earlier = reattach.find(status, order, source) if order.reattaches else None
        if earlier is not None:
            order = earlier.rest_of(order, status.state.version)
        resumption = what_is_left(order, status)
        status, plan, baseline = find_way(order, session, lock, source, status, resumption)
        planned = check_plan(order, session.database, plan, resumption)
        moved = status.moved(source) if plan.steps or status.present else None
        drift = {"drift": order.drift.look()} if order.drift is not None and plan.steps else {}
        results: dict[str, Any] = {"from_version": plan.from_version, "applied": []}
        rehearsal: Optional[Rehearsed] = None
        known: dict[str, Any] = {}
        if not order.check_mode:
            # A run that was started before was judged then, as a whole.
            asked = order if earlier is None else order._replace(guard=None)
            rehearsal, known = examined(asked, session, source, plan, resumption)
        if plan.steps or (moved and not order.check_mode):
            # Most runs have nothing to do, and need not load what does it.
            from .start import Work, carry_out  # noqa: PLC0415

            before_step = rehearsal.before_step if rehearsal else None
            work = Work(session, lock, connect, status, source.directory, plan, resumption, moved, before_step)
            try:
                results = carry_out(order, work)
            except Error as error:
                error.results = {**(known or shown(order, session.database, source, plan, {})), **error.results}
                if earlier is not None:
                    error.results = earlier.include(error.results)
                raise
        if order.drift is not None and not order.check_mode:
            order.drift.keep()
    # A plan is rehearsed without the lock, so that other runs do not have to wait.
    if order.check_mode:
        _rehearsal, known = examined(order, session, source, plan, resumption)
    ahead = plan.steps if order.check_mode else pending(source, plan.to_version)
    last = status.last if status.last is not None and status.last.has_led_to(status.state) else None
    found = {
        **report(session.database, plan, resumption, order.check_mode, last),
        **results,
        **drift,
        "pending": steps_result(ahead),
        **known,
    }
    if order.check_mode:
        found["plan"] = planned
    if baseline is not None:
        found.update(changed=True, baseline=baseline, msg=f"{found['msg']}; its baseline is version {baseline}")
    return found if earlier is None else earlier.whole(session.database, found, source)


class Way(NamedTuple):
    """The plan for a schema, with what is known of the schema.

    :param baseline: the version that was recorded as its baseline; None if it had a recorded version.
    """

    status: DatabaseStatus
    plan: Plan
    baseline: Optional[int]


def find_way(
    order: Order,
    session: Session,
    lock: Optional[Lock],
    source: Source,
    status: DatabaseStatus,
    resumption: Optional[Resumption],
) -> Way:
    """Plan, and compare what there is with the directory.

    :raises Error: there is no way, or it is refused.
    """
    unfinished = resumption.unfinished if resumption else None
    plan = make_plan(source, status.state, order.goal, unfinished)
    baseline = find_baseline(order, session, source, status) if plan.steps else None
    if baseline is not None:
        # What cannot be planned is refused before anything is recorded.
        plan = make_plan(source, State(baseline, False), order.goal)
        check_plan(order, session.database, plan, None)
        status = take_baseline(order, session, lock, status, source, baseline)
    if plan.steps and order.params["run_id"] and not order.reattaches:
        check_first(order, status)
    if plan.steps and status.compared:
        status = load(session, {**order.params, "commit": None})
    if not any(step.direction == "down" for step in plan.steps):
        below = check_source(order, source, status, resumption)
        plan = make_plan(source, status.state, order.goal, unfinished, below) if below else plan
    for warning in (*source.warnings, *plan.warnings):
        order.warn(warning)
    return Way(status, plan, baseline)


def examined(
    order: Order, session: Session, source: Source, plan: Plan, resumption: Optional[Resumption]
) -> tuple[Optional[Rehearsed], dict[str, Any]]:
    """Rehearse and judge a plan, if that is wanted and there is something to do; also return it all as return values.

    :raises Error: it is refused; the plan is among the return values then, too.
    """
    rehearsal: Optional[Rehearsed] = None
    known: dict[str, Any] = {}
    try:
        if order.rehearse is not None and plan.steps:
            rehearsal = order.rehearse(plan, resumption is not None)
            known["rehearsal"] = rehearsal.result
        if order.guard is not None and plan.steps:
            known.update(order.guard(plan, rehearsal, session))
    except Error as error:
        error.results = {**known, **error.results}
        error.results.update(shown(order, session.database, source, plan, error.results))
        raise
    return rehearsal, {**known, **shown(order, session.database, source, plan, known)}


def shown(order: Order, database: str, source: Source, plan: Plan, results: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a person is to see of a plan, as return values.

    :param results: those that are known, of which the plan has the rehearsal and the guards.
    """
    diff = order.diff and order.check_mode
    if not plan.steps or not (diff or order.document):
        return {}
    from ..listing import listing  # noqa: PLC0415
    from ..plan_text import plan_text  # noqa: PLC0415

    files = listing(source.directory, plan.steps)
    text = plan_text(database, plan, files, results.get("rehearsal"), results.get("guards", ()))
    return {**({"diff": {"prepared": text}} if diff else {}), **({"plan_text": text} if order.document else {})}


def check_plan(order: Order, database: str, plan: Plan, resumption: Optional[Resumption]) -> str:
    """Return a plan's digest; refuse a plan that nobody has approved."""
    planned = digest(plan, resumption.done if resumption else None)
    if order.params["expected_plan"] in (None, planned):
        return planned
    names = few(f"{step.direction} {step.file or step.version}" for step in plan.steps) or "nothing"
    raise Error(
        1624,
        f"The plan for {database} is not the one that was approved (expected_plan): the database or the files have "
        f"changed since. It is at {format_version(plan.from_version)}, and this would run {names}. Plan again, and "
        "have the new plan approved. Nothing was changed.",
        from_version=plan.from_version,
    )


def find_baseline(order: Order, session: Session, source: Source, status: DatabaseStatus) -> Optional[int]:
    """Return the version that a schema has for which no migration is recorded; None to run all of them."""
    text = order.params["baseline"]
    if text is None and order.params["adopt"]:
        return None
    from . import adoption  # noqa: PLC0415

    if adoption.is_recorded(status):
        return None
    found = adoption.look(session, order.params)
    if text is not None:
        return adoption.baseline_version(session, source, found, text)
    if found.tables:
        raise adoption.refusal(session, found)
    return None


def take_baseline(
    order: Order,
    session: Session,
    lock: Optional[Lock],
    status: DatabaseStatus,
    source: Source,
    baseline: int,
) -> DatabaseStatus:
    from . import adoption  # noqa: PLC0415

    if order.check_mode:
        return status._replace(state=State(baseline, False), history=None)
    adoption.record(session, lock, status, source, baseline, order.params)
    return load(session, order.params)


def check_first(order: Order, status: DatabaseStatus) -> None:
    """Refuse a call that comes late: another one has already reattached to its run.

    Data that was sent over a lost connection may still arrive when the connection is restored.
    """
    if status.history is not None and status.present and status.history.of_run(order.params["run_id"]):
        raise Error(
            1811,
            "This call came too late: another call has taken over its run (run_id) and has the result. Nothing was "
            "run.",
        )


def check_history(database: str, order: Order, status: DatabaseStatus) -> None:
    ahead = status.known.ahead_of(status.state)
    if ahead and order.params["history_ahead"] == "fail":
        from ..messages import (  # noqa: PLC0415
            history_ahead,
        )

        raise history_ahead(database, status.state, ahead)


def what_is_left(order: Order, status: DatabaseStatus) -> Optional[Resumption]:
    at = order.params["resume_from"]
    if status.state.dirty and status.history is not None and status.present and order.params["resume"]:
        from .recovery import (  # noqa: PLC0415
            find,
        )

        return find(status.history, status.state_table, status.state, at)
    if at is not None and not status.state.dirty:
        raise Error(1903, "resume_from is for a migration that was interrupted, and there is none. Leave it out.")
    return None


def check_source(order: Order, source: Source, status: DatabaseStatus, resumption: Optional[Resumption]) -> list[int]:
    """Compare the directory with the history; return the versions below the current one that are to be applied."""
    if status.compared:
        return []
    changed = status.changed(source)
    if changed and order.params["checksums"] != "ignore":
        text = f"Changed since applied: {few(changed)}. What was applied is not what the directory has now."
        if order.params["checksums"] == "fail":
            raise Error(
                1625,
                f"{text} Restore its original content and put the change into a new migration, or set checksums to "
                "warn. Nothing was run.",
                changed_files=changed,
            )
        order.warn(coded(1626, text))
    missing = status.known.missing(source)
    if missing:
        order.warn(coded(1627, f"No file has version {few(missing)}, which the history says was applied."))
    below = status.known.below(source, status.state)
    if resumption is not None and resumption.record.version in below:
        below.remove(resumption.record.version)
    if not below or order.params["out_of_order"] == "ignore":
        return []
    if order.params["out_of_order"] == "fail":
        raise Error(
            1628,
            f"Never applied, and below the current version {status.state.version}: version {few(below)}. "
            "golang-migrate would silently skip that. Give new migrations a version above the current one; or set "
            "out_of_order to apply, which runs them now, or to ignore. Nothing was run.",
            out_of_order=below,
        )
    order.warn(
        coded(
            1629,
            f"Applied although below the current version {status.state.version}: version {few(below)}. "
            "golang-migrate treats that as applied, too, and will roll it back in the order of the versions.",
        )
    )
    return below


def report(
    database: str, plan: Plan, resumption: Optional[Resumption], check_mode: bool, last: Optional[AttemptRecord]
) -> dict[str, Any]:
    resumed = {"version": resumption.record.version, "statement": resumption.done + 1} if resumption else None
    return {
        "changed": bool(plan.steps),
        "from_version": plan.from_version,
        "to_version": plan.to_version,
        "resumed": resumed,
        "dirty": False,
        "database": database,
        "msg": summary(database, plan, check_mode, last),
        "diff": difference(database, plan),
    }
