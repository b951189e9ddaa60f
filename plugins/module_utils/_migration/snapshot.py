# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can be seen of a database without its lock, while others may be at work. Private to the collection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Optional

from .._mysql.lock import lock_holder
from .._mysql.session import ServerError, Session
from .model import Source
from .status import DatabaseStatus, check_readable, history_name, look
from .tables.history_table import AttemptRecord

# A table was made after the moment that is looked at.
_MADE_SINCE = 1412


class Snapshot(NamedTuple):
    """What somebody sees who holds no lock.

    :param rows: the history's newest rows, the newest first.
    :param holder: who holds the lock; None if nobody does.
    """

    standing: DatabaseStatus
    rows: list[AttemptRecord]
    holder: Optional[str]

    @property
    def unfinished(self) -> Optional[AttemptRecord]:
        """The attempt that has made the state dirty; None if it is clean, or if the history does not know."""
        state, last = self.standing.state, self.rows[0] if self.rows else None
        ours = last is not None and state.dirty and last.open and last.leads_to == state.version
        return last if ours else None

    def below(self, source: Source) -> list[int]:
        """Return the versions below the current one that have never been applied, as far as the history knows."""
        row = self.unfinished
        if self.standing.state.dirty and row is None:
            # Something else is at work here, or was, and nothing says yet which versions it has passed.
            return []
        return [version for version in self.standing.known.below(source, self.standing.state) if not _is(row, version)]


def see(session: Session, params: Mapping[str, Any], limit: int) -> Snapshot:
    """Look at everything without the lock, as it was at one moment, while others may be at work.

    :param params: migrations_table and history_table.
    :param limit: how many of the history's rows are wanted; there is one at least.
    :raises Error: one of the tables is something else's, or the user may not read it.
    """
    for table in (params["migrations_table"], history_name(params)):
        if table:
            check_readable(session, table)
    try:
        sight = _see(session, params, limit)
    except ServerError as error:
        if error.code != _MADE_SINCE:
            raise
        session.query("ROLLBACK")
        return _see(session, params, limit)
    if sight.standing.state.dirty and sight.holder is None:
        # The run may have ended after the one question and before the other.
        return _see(session, params, limit)
    return sight


def _see(session: Session, params: Mapping[str, Any], limit: int) -> Snapshot:
    session.query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    session.query("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
    standing, rows = look(session, params), []
    if standing.history is not None and standing.present:
        rows = standing.history.rows(f"1 = 1 ORDER BY id DESC LIMIT {max(limit, 1)}")
    session.query("COMMIT")
    return Snapshot(standing, rows, lock_holder(session, params["migrations_table"]))


def _is(row: Optional[AttemptRecord], version: int) -> bool:
    return row is not None and row.version == version
