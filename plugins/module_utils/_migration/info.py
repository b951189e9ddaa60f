# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What migration_info says about a schema, and migration_info_many of each schema. Private to the collection."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, Optional

from .._core.arguments import ArgumentSpec
from .._core.errors import Error
from .._core.paths import native
from .._mysql.lock import lock_connection
from .._mysql.rights import Account
from .._mysql.session import Session
from .model import Source, State, Step
from .plan import pending
from .progress.ask import statement_of
from .report import attempt_result, count, history_result, progress_text, status_line, steps_result
from .status import Snapshot, snapshot
from .tables.history_table import RUNNING, AttemptRecord

# Documented in the doc fragment dbops.migrations._info.
INFO = ArgumentSpec(
    argument_spec={
        "directory": {"type": "path", "required": True},
        "history_limit": {"type": "int", "default": 20},
    }
)


class Info(NamedTuple):
    """What is said about a schema, as return values.

    :param standing: what it may have in common with others.
    :param own: what is about it alone.
    """

    standing: dict[str, Any]
    own: dict[str, Any]


def check_limit(params: Mapping[str, Any]) -> None:
    """Refuse a history_limit that makes no sense.

    :raises Error: it is below 0.
    """
    limit = params["history_limit"]
    if limit < 0:
        raise Error(1633, f"history_limit is {limit}. Give the number of attempts to return, 0 or more.")


def of_server(session: Session, source: Source) -> dict[str, Any]:
    """Return the values that are the same for all schemas."""
    return {
        "latest": source.migrations[-1].version if source.migrations else None,
        "migrations": [migration._asdict() for migration in source.migrations],
        "server": session.server,
        "supported": session.complaint is None,
    }


def look(
    session: Session,
    params: Mapping[str, Any],
    source: Source,
    account: Account,
    drift: Optional[list[dict[str, str]]] = None,
) -> Info:
    """Look at the session's schema.

    :param params: migrations_table, history_table, lock and history_limit.
    :param drift: what no migration has changed; None if that is not known.
    :raises Error: one of the tables is something else's, or the user may not read it; a file cannot be read.
    """
    found = snapshot(session, params, params["history_limit"])
    stands = {**standing(found, source, account, session.schema), "drift": drift}
    stands["healthy"] = stands["healthy"] and not drift
    running = _running(session, params, found)
    return Info(stands, own(session.database, found, stands, source, params, running))


def standing(found: Snapshot, source: Source, account: Account, schema: str) -> dict[str, Any]:
    """Return what is the same for all schemas of equal states, histories and privileges.

    :raises Error: a file cannot be read.
    """
    status, state = found.status, found.status.state
    known = state.version is None or any(item.version == state.version for item in source.migrations)
    changed, missing, below = status.changed(source), status.known.missing(source), found.out_of_order(source)
    ahead = status.known.ahead_of(state)
    steps = pending(source, state.version)
    held = account.rights(schema)
    return {
        "version": state.version,
        "healthy": known and not (state.dirty or changed or missing or below or ahead),
        "dirty": state.dirty,
        "known": known,
        "pending": steps_result(steps),
        "changed_files": changed,
        "missing": missing,
        "out_of_order": below,
        "history_ahead": ahead,
        # It takes a look at each schema alone.
        "drift": None,
        "missing_privileges": held.missing if held else [],
        "obstacles": [obstacle._asdict() for obstacle in account.obstacles(held, _longest(source, steps))],
    }


def own(
    database: str,
    found: Snapshot,
    stands: Mapping[str, Any],
    source: Source,
    params: Mapping[str, Any],
    running: str = "",
) -> dict[str, Any]:
    """Return what is about one schema alone.

    :param database: its name.
    :param running: who runs the running migration, and what it is doing; empty if none is running.
    """
    record = found.unfinished
    file = _file_of(source, record) if record else None
    # Without a lock it is unknown whether a run is active.
    held = found.holder is not None if params["lock"] else None
    progress = progress_text(record, file, held) if record else None
    if progress and running:
        progress = f"{progress}, {running}"
    return {
        "database": database,
        "attempt": attempt_result(record, file) if record else None,
        "history": history_result(found.records[: params["history_limit"]]),
        "lock_holder": found.holder,
        "running": running or None,
        "msg": line(database, stands, source, progress),
    }


def line(database: str, stands: Mapping[str, Any], source: Source, progress: Optional[str] = None) -> str:
    """Return a schema's status in one line.

    :param progress: the progress of the migration that made the state dirty, if it is known.
    """
    state = State(stands["version"], stands["dirty"])
    versions = [migration.version for migration in source.migrations]
    return status_line(database, state, versions, len(stands["pending"]), progress, list(_troubles(stands)))


def _running(session: Session, params: Mapping[str, Any], found: Snapshot) -> str:
    """Say who runs the running attempt, since when, and what its connection is doing; empty if none is running."""
    record = found.unfinished
    if record is None or record.outcome != RUNNING or found.holder is None or not params["lock"]:
        return ""
    connection = lock_connection(session, params["migrations_table"])
    doing = statement_of(session, connection) if connection is not None else ""
    job = f", job {record.job}" if record.job else ""
    return f"by {record.ran_by} on {record.ran_on}{job} since {record.moment}{f'; {doing}' if doing else ''}"


def _longest(source: Source, steps: Iterable[Step]) -> int:
    """Return the bytes of the longest file of a plan."""
    return max((os.path.getsize(native(f"{source.directory}/{step.file}")) for step in steps if step.file), default=0)


def _troubles(stands: Mapping[str, Any]) -> Iterator[str]:
    for name, noun, what in (
        ("changed_files", "file", "changed"),
        ("missing", "file", "missing"),
        ("out_of_order", "version", "out of order"),
        ("history_ahead", "version", "applied in the history but not in the state table"),
        ("drift", "object", "changed outside migrations"),
        ("missing_privileges", "privilege", "missing"),
    ):
        if stands.get(name):
            yield f"{count(len(stands[name]), noun)} {what}"


def _file_of(source: Source, record: AttemptRecord) -> Optional[str]:
    """Return the file that an attempt is about; None if the directory has none any more."""
    for item in source.migrations:
        if item.version == record.version:
            return item.up if record.direction == "up" else item.down
    return None
