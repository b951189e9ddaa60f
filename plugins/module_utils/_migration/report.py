# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a person reads of a plan, a run and a database's state, and what is returned of them. Private to the collection.

Nothing here decides anything.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Optional

from .model import Plan, State, Step

if TYPE_CHECKING:
    from .tables.history_table import AttemptRecord


def format_version(version: Optional[int]) -> str:
    """Return a version as a person reads it."""
    return "no version yet" if version is None else f"version {version}"


def format_state(state: State) -> str:
    """Return a state as a person reads it."""
    return f"{format_version(state.version)}, {'dirty' if state.dirty else 'clean'}"


def count(number: int, noun: str) -> str:
    """Return a number with its noun."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def few(names: Iterable[object], separator: str = ", ") -> str:
    """Return the first five names, and the number of the others."""
    found = [str(name) for name in names]
    more = f"{separator.rstrip(', ')} and {len(found) - 5} more" if len(found) > 5 else ""
    return separator.join(found[:5]) + more


def steps_result(steps: Iterable[Step]) -> list[dict[str, Any]]:
    """Return steps as a return value."""
    return [{"version": step.version, "title": step.title, "direction": step.direction} for step in steps]


def summary(database: str, plan: Plan, check_mode: bool, last: Optional[AttemptRecord] = None) -> str:
    """Return one line on what a plan does, or would do.

    :param last: the migration that led to the current version, whose outcome the user may not have seen.
    """
    if not plan.steps:
        if plan.from_version is None:
            return f"{database}: no migrations yet"
        return f"{database}: nothing to do, at version {plan.from_version}{_by_whom(last)}"
    if plan.from_version == plan.to_version:
        return f"{database}: {_in_place(plan, check_mode)}"
    mood = "check mode, nothing was changed; it would migrate " if check_mode else ""
    return (
        f"{database}: {mood}from {format_version(plan.from_version)} to {format_version(plan.to_version)}, "
        f"{count(len(plan.steps), 'migration')}"
    )


def _by_whom(last: Optional[AttemptRecord]) -> str:
    if last is None or last.direction not in ("up", "down"):
        return ""
    text = f" (last: {last.direction} {last.version} at {last.moment}, by {last.ran_by})"
    return "".join(filter(str.isprintable, text))


def _in_place(plan: Plan, check_mode: bool) -> str:
    """Say what a plan does that does not change the version: it finishes a migration, or applies late ones."""
    late = [step for step in plan.steps if step.direction == "up" and step.version != plan.from_version]
    did = [
        (f"finish {step.direction} {step.version}" if check_mode else f"{step.direction} {step.version} finished")
        for step in plan.steps
        if step not in late
    ]
    if late:
        which = f"late migration{'' if len(late) == 1 else 's'} {few(step.version for step in late)}"
        did.append(f"apply {which}" if check_mode else f"{which} applied")
    mood = "check mode, nothing was changed; it would " if check_mode else ""
    return f"{mood}{', '.join(did)}, {'still ' if late else ''}at {format_version(plan.to_version)}"


def digest(plan: Plan, done: Optional[int]) -> str:
    """Return a digest of a plan, which is the same as long as the database and the names of the files are the same.

    :param done: how many statements of the first step are done already, if it resumes an attempt; otherwise None.
    """
    steps = [[step.version, step.direction, step.file] for step in plan.steps]
    return hashlib.sha256(json.dumps([plan.from_version, done, steps]).encode()).hexdigest()


def difference(database: str, plan: Plan) -> dict[str, str]:
    """Return what Ansible shows in diff mode: the version, and the files that lead from one to the other."""
    steps = "".join(f"  {step.direction} {step.file or f'{step.version} (no file)'}\n" for step in plan.steps)
    return {
        "before_header": database,
        "after_header": database,
        "before": f"{format_version(plan.from_version)}\n",
        "after": f"{format_version(plan.to_version)}\n{steps}",
    }


def status_line(
    database: str,
    state: State,
    versions: Sequence[int],
    ahead: int,
    progress: Optional[str] = None,
    troubles: Sequence[str] = (),
) -> str:
    """Return one line about the status of a database.

    :param versions: those that the directory has.
    :param ahead: how many migrations are above the database's version.
    :param progress: the progress of the migration that made the state dirty, if it is known.
    :param troubles: other problems.
    """
    where = f"{database}: {format_version(state.version)}"
    more = "".join(f", {trouble}" for trouble in troubles)
    if state.dirty:
        return f"{where}, dirty: {progress or 'a migration is partially applied'}{more}"
    if state.version is None and not versions:
        return f"{database}: no migrations yet{more}"
    if state.version is not None and state.version not in versions:
        return f"{where}, which no file in the directory has{more}"
    return f"{where}, {count(ahead, 'migration')} pending{more}"


def done_text(done: int) -> str:
    """Say how many of a file's statements are done."""
    if done > 1:
        return f"statements 1 to {done} are done"
    return "statement 1 is done" if done else "none of its statements is done"


def doubt_text(first: int, last: int) -> str:
    """Say which statements may have had an effect without being recorded."""
    if first == last:
        return f"statement {first} may have taken effect"
    return f"statements {first} to {last} may have taken effect"


def progress_text(record: AttemptRecord, file: Optional[str], held: Optional[bool]) -> str:
    """Describe the progress of a migration that is running or was interrupted.

    :param file: its file; None where the directory has none.
    :param held: whether somebody holds the lock; None if nobody takes it.
    """
    # The controller loads this file, too, and need not load what talks to a server.
    from .tables.history_table import FAILED, INTERRUPTED, RUNNING  # noqa: PLC0415

    who = file or f"the {record.direction} migration of {format_version(record.version)}"
    if record.outcome == RUNNING and held:
        return f"{who} is running, at statement {record.done + 1}"
    how = {FAILED: "failed", INTERRUPTED: "was stopped"}.get(record.outcome, "was interrupted")
    if record.outcome == RUNNING and held is None:
        how = "is running, or was interrupted"
    doubt = f", and {doubt_text(record.done + 1, record.begun)}" if record.begun > record.done else ""
    return f"{who} {how}; {done_text(record.done)}{doubt}"


def attempt_result(record: AttemptRecord, file: Optional[str]) -> dict[str, Any]:
    """Return a migration that is running or was interrupted as a return value."""
    return {
        "version": record.version,
        "title": record.title,
        "direction": record.direction,
        "file": file,
        "done": record.done,
        "begun": record.begun,
        "outcome": record.outcome,
        "error": record.error,
        "started_at": record.moment,
        "ran_by": record.ran_by,
        "ran_on": record.ran_on,
        "job": record.job,
    }


def history_result(records: Iterable[AttemptRecord]) -> list[dict[str, Any]]:
    """Return the history's rows as a return value."""
    return [
        {
            "version": record.version,
            "title": record.title,
            "direction": record.direction,
            "outcome": record.outcome,
            "checksum": record.checksum,
            "statements": record.statements,
            "done": record.done,
            "started_at": record.moment,
            "seconds": record.seconds,
            "error": record.error,
            "commit": record.git_commit,
            "ran_by": record.ran_by,
            "ran_on": record.ran_on,
            "job": record.job,
            "tool": record.tool,
        }
        for record in records
    ]
