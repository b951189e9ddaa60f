# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A plan in the words of return values, diffs and messages. Private to the collection."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Optional

from .._core.secrets import clean
from .model import Plan, State, Step
from .plan import named
from .tables.history_table import FAILED, INTERRUPTED, RUNNING, AttemptRecord

if TYPE_CHECKING:
    from .files.splitter import Statement

# How much of a statement a message quotes, in characters.
_QUOTED = 200


def listed(steps: Iterable[Step]) -> list[dict[str, Any]]:
    """Return steps as a return value."""
    return [{"version": step.version, "title": step.title, "direction": step.direction} for step in steps]


def summary(database: str, plan: Plan, check_mode: bool) -> str:
    """Return one line on what a plan does, or would do."""
    if plan.steps:
        mood = "check mode, nothing was changed; it would go " if check_mode else ""
        return (
            f"{database}: {mood}from version {named(plan.from_version)} to {named(plan.to_version)}, "
            f"{len(plan.steps)} migration(s)"
        )
    if plan.from_version is None:
        return f"{database}: no migrations yet"
    return f"{database}: nothing to do, at version {named(plan.from_version)}"


def difference(database: str, plan: Plan) -> dict[str, str]:
    """Return what Ansible shows in diff mode: the version, and the files that lead from one to the other."""
    steps = "".join(f"  {step.direction} {step.file or f'{step.version} (no file)'}\n" for step in plan.steps)
    return {
        "before_header": database,
        "after_header": database,
        "before": f"version {named(plan.from_version)}\n",
        "after": f"version {named(plan.to_version)}\n{steps}",
    }


def stated(state: State) -> str:
    """Return a state as a person reads it."""
    return f"version {named(state.version)}, {'dirty' if state.dirty else 'clean'}"


def standing(
    database: str,
    state: State,
    versions: Sequence[int],
    ahead: int,
    half_done: Optional[str] = None,
    troubles: Sequence[str] = (),
) -> str:
    """Return one line on where a database stands.

    :param versions: those that the directory has.
    :param ahead: how many migrations are above the database's version.
    :param half_done: how far the migration got that has made the state dirty, if that is known.
    :param troubles: what else is not as it should be.
    """
    where = f"{database}: version {named(state.version)}"
    more = "".join(f", {trouble}" for trouble in troubles)
    if state.dirty:
        return f"{where}, dirty: {half_done or 'a migration failed part way'}{more}"
    if state.version is None and not versions:
        return f"{database}: no migrations yet{more}"
    if state.version is not None and state.version not in versions:
        return f"{where}, which no file in the directory has{more}"
    return f"{where}, {ahead} migration(s) pending{more}"


def how_far(row: AttemptRecord, file: Optional[str], held: Optional[bool]) -> str:
    """Say how far a migration got that is running or was left half done.

    :param file: its file; None where the directory has none.
    :param held: whether somebody holds the lock; None if nobody takes it.
    """
    who = file or f"the {row.direction} migration of version {named(row.version)}"
    if row.outcome == RUNNING and held:
        return f"{who} is running, at statement {row.done + 1}"
    how = {FAILED: "failed", INTERRUPTED: "was stopped"}.get(row.outcome, "was cut off")
    if row.outcome == RUNNING and held is None:
        how = "is running, or was cut off"
    done = f"its first {row.done} statement(s) are done" if row.done else "nothing of it is known to be done"
    begun = f", and statement {row.begun} had begun" if row.begun > row.done else ""
    return f"{who} {how}; {done}{begun}"


def unfinished(row: AttemptRecord, file: Optional[str]) -> dict[str, Any]:
    """Return a migration that is running or was left half done as a return value."""
    return {
        "version": row.version,
        "title": row.title,
        "direction": row.direction,
        "file": file,
        "done": row.done,
        "begun": row.begun,
        "outcome": row.outcome,
        "error": row.error,
        "started_at": row.moment,
        "ran_by": row.ran_by,
        "ran_on": row.ran_on,
        "job": row.job,
    }


def attempts(rows: Iterable[AttemptRecord]) -> list[dict[str, Any]]:
    """Return the history's rows as a return value."""
    return [
        {
            "version": row.version,
            "title": row.title,
            "direction": row.direction,
            "outcome": row.outcome,
            "checksum": row.checksum,
            "statements": row.statements,
            "done": row.done,
            "started_at": row.moment,
            "seconds": row.seconds,
            "error": row.error,
            "commit": row.git_commit,
            "ran_by": row.ran_by,
            "ran_on": row.ran_on,
            "job": row.job,
            "tool": row.tool,
        }
        for row in rows
    ]


def quoted(text: bytes) -> str:
    """Return a statement's beginning."""
    # A character has four bytes at most.
    beginning = clean(text[: _QUOTED * 4].decode("utf-8", "replace"))
    more = len(beginning) > _QUOTED or len(text) > _QUOTED * 4
    return beginning[:_QUOTED] + ("…" if more else "")


def place_of(step: Step, statement: Statement) -> dict[str, Any]:
    """Return where a statement stands, as return values."""
    return {"file": step.file, "line": statement.line, "column": statement.column, "statement": statement.number}
