# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The status of a database: its state, and what its history knows about a directory. Private to the collection."""

from __future__ import annotations

import getpass
import hashlib
import os
import platform
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from typing import Any, NamedTuple, Optional

from .._core.errors import Error
from .._core.paths import native
from .._mysql.lock import lock_holder
from .._mysql.session import ServerError, Session
from .._mysql.statements import COMMIT, ROLLBACK, identifier
from .applied import Known, known
from .model import Source, State
from .tables.history_table import RUNNING, AttemptRecord, HistoryTable
from .tables.state_table import StateTable

VERSION = "0.2.0"
# The widths of the history's columns.
_WIDTH = 255
_HASH = 64
_DENIED = (1142, 1143)
_NO_SUCH_TABLE = 1146
# A table was made after the moment that is looked at.
_MADE_SINCE = 1412


class DatabaseStatus(NamedTuple):
    """What a database says about itself.

    :param history: None if none is kept.
    :param present: whether there is a history table.
    :param compared: the last migration was applied from this very commit, so that its files need no second look.
    :param last: the newest attempt, where the history was asked for it.
    """

    state_table: StateTable
    history: Optional[HistoryTable]
    present: bool
    state: State
    known: Known
    compared: bool = False
    last: Optional[AttemptRecord] = None

    def changed(self, source: Source) -> list[str]:
        """Return the files that are not what they were when they were applied.

        :raises Error: one cannot be read.
        """
        found = []
        for item in source.migrations:
            checksum = self.known.checksums.get(item.version)
            if checksum and item.up and _sum(os.path.join(source.directory, item.up)) != checksum:
                found.append(item.up)
        return found

    def moved(self, source: Source) -> Optional[dict[str, Any]]:
        """Return the row about a move that the history does not know; None if there is none, or nowhere to write it."""
        return self.known.moved(source, self.state) if self.history is not None and not self.compared else None


def load(session: Session, params: Mapping[str, Any]) -> DatabaseStatus:
    """Read the state and the history.

    :param params: migrations_table and history_table; commit, if it is known of which one the directory is.
    :raises Error: one of the tables is something else's.
    """
    state_table = StateTable(session, params["migrations_table"])
    name = history_name(params)
    history = HistoryTable(session, name) if name else None
    present = history is not None and history.exists()
    state = state_table.read()
    if history is not None and not present:
        check_readable(session, name)
    if history is None or not present:
        return DatabaseStatus(state_table, history, present, state, known(()))
    last = history.last()
    if may_be_known(params) and last is not None and last.has_led_to(state) and last.git_commit == params["commit"]:
        return DatabaseStatus(state_table, history, present, state, known(()), True, last)
    return DatabaseStatus(state_table, history, present, state, known(history.moves()), last=last)


class Snapshot(NamedTuple):
    """What can be seen without holding the lock.

    :param records: the history's newest rows, the newest first.
    :param holder: who holds the lock; None if nobody does.
    """

    status: DatabaseStatus
    records: list[AttemptRecord]
    holder: Optional[str]

    @property
    def unfinished(self) -> Optional[AttemptRecord]:
        """The attempt that has made the state dirty; None if it is clean, or if the history does not know."""
        last = self.records[0] if self.records else None
        return last if last is not None and last.explains(self.status.state) else None

    def out_of_order(self, source: Source) -> list[int]:
        """Return the versions below the current one that have never been applied, as far as the history knows."""
        record, state = self.unfinished, self.status.state
        if state.dirty and record is None:
            # Another tool is running here, or was, and it is unknown yet which versions it applied.
            return []
        below = self.status.known.below(source, state)
        return [version for version in below if record is None or record.version != version]


def snapshot(session: Session, params: Mapping[str, Any], limit: int) -> Snapshot:
    """Read everything from one snapshot without the lock, while other runs may be active.

    :param params: migrations_table and history_table.
    :param limit: how many of the history's rows are wanted; there is one at least.
    :raises Error: one of the tables is something else's, or the user may not read it.
    """
    for table in (params["migrations_table"], history_name(params)):
        if table:
            check_readable(session, table)
    found = _snapshot(session, params, limit)
    if found.status.state.dirty and found.holder is None:
        # The run may have ended after the one question and before the other.
        return _snapshot(session, params, limit)
    return found


def _snapshot(session: Session, params: Mapping[str, Any], limit: int) -> Snapshot:
    # A database's first run makes both tables, one after the other, and each may come between.
    for _table in ("state", "history"):
        try:
            return _snapshot_of_now(session, params, limit)
        except ServerError as error:
            if error.code != _MADE_SINCE:
                raise
            session.query(ROLLBACK)
    return _snapshot_of_now(session, params, limit)


def _snapshot_of_now(session: Session, params: Mapping[str, Any], limit: int) -> Snapshot:
    session.query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    session.query("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
    status, records = load(session, params), []
    if status.history is not None and status.present:
        records = status.history.rows(f"1 = 1 ORDER BY id DESC LIMIT {max(limit, 1)}")
    session.query(COMMIT)
    return Snapshot(status, records, lock_holder(session, params["migrations_table"]))


def running_attempt(session: Session, params: Mapping[str, Any]) -> str:
    """Return what the history says about an attempt that is running: a sentence and a space, or nothing.

    Nothing, too, if it cannot be read: it is for a message about something else.
    """
    row = None
    with suppress(Error):
        if history_name(params):
            row = HistoryTable(session, history_name(params)).last()
    if row is None or row.outcome != RUNNING:
        return ""
    job = f", job {row.job}" if row.job else ""
    text = f"The history has {row.direction} {row.version} as running since {row.moment}, by {row.ran_by}{job}. "
    return "".join(filter(str.isprintable, text))


def history_name(params: Mapping[str, Any]) -> str:
    """Return the name of the history table; an empty one for none."""
    name: Optional[str] = params["history_table"]
    return f"{params['migrations_table']}_history" if name is None else name


def definitions_name(params: Mapping[str, Any]) -> str:
    """Return the name of the table in which definitions are kept, to find drift."""
    return f"{params['migrations_table']}_definitions"


def own_tables(params: Mapping[str, Any]) -> set[str]:
    """Return the names of the tables that are ours or golang-migrate's, whether they are there or not."""
    table = params["migrations_table"]
    return {table, history_name(params) or f"{table}_history", definitions_name(params)}


def may_be_known(params: Mapping[str, Any]) -> bool:
    """Tell whether a history that ends with this very commit need not be compared with the files."""
    # What another policy let pass is to be looked at again.
    return bool(params.get("commit")) and (params["out_of_order"], params["checksums"]) == ("fail", "warn")


def is_there(session: Session, table: str, schema: str = "") -> bool:
    """Ask the table itself: from a user who may not read a table the server hides that it is there.

    :param schema: another one than the session's.
    :raises ServerError: the user may not.
    """
    try:
        session.query(f"SELECT 1 FROM {identifier(schema or session.schema)}.{identifier(table)} LIMIT 0")
    except ServerError as error:
        if error.code == _NO_SUCH_TABLE:
            return False
        raise
    return True


def check_readable(session: Session, table: str) -> None:
    """Make sure that a table may be read, if there is one.

    :raises Error: the user may not.
    """
    try:
        is_there(session, table)
    except ServerError as error:
        if error.code not in _DENIED:
            raise
        raise Error(
            1607,
            f"The user may not read the table {table} in {session.database}, if there is one: ({error.code}) "
            f"{error.reason}. Grant the user SELECT on it. A history that is not wanted is switched off with an empty "
            "history_table.",
            error_code=error.code,
        ) from error


def about(params: Mapping[str, Any]) -> dict[str, Optional[str]]:
    """Return what the history says about a run, from the options commit, run_by and job."""
    return {
        "git_commit": params["commit"][:_HASH] if params.get("commit") else None,
        "ran_by": (params.get("run_by") or getpass.getuser())[:_WIDTH],
        "ran_on": platform.node()[:_WIDTH],
        "job": params["job"][:_WIDTH] if params.get("job") else None,
        "tool": f"dbops.migrations {VERSION}",
    }


@cache
def _sum(path: str) -> str:
    # Of many schemas, which may have applied the same file.
    try:
        with open(native(path), "rb") as file:
            sums = hashlib.sha256()
            for chunk in iter(lambda: file.read(1 << 20), b""):
                sums.update(chunk)
            return sums.hexdigest()
    except OSError as error:
        raise Error(1606, f"{path} cannot be read: {error.strerror}.") from error
