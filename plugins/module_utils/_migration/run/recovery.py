# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a migration that was cut off can be gone on with. Private to the collection."""

from __future__ import annotations

from datetime import timezone
from typing import NamedTuple, Optional

from ..._core.errors import Error
from ..model import State, Unfinished
from ..tables.checkpoint import Checkpoint, load
from ..tables.history_table import AttemptRecord, HistoryTable
from ..tables.state_table import StateTable

# Seconds by which the state table may have been written later than its attempt started.
_SLACK = 2


class Resumption(NamedTuple):
    """An attempt that is to be gone on with.

    :param at: the statement that the user says is the next one.
    """

    row: AttemptRecord
    progress: Checkpoint
    at: Optional[int] = None

    @property
    def unfinished(self) -> Unfinished:
        """What the plan has to start with."""
        return Unfinished(self.row.version or 0, self.row.direction)

    @property
    def done(self) -> int:
        """How many statements are not to be run."""
        return self.row.done if self.at is None else self.at - 1


def find(history: HistoryTable, ledger: StateTable, state: State, at: Optional[int]) -> Optional[Resumption]:
    """Return the attempt that left the state dirty; None if the history does not know it.

    :param at: the number of the statement to go on with, if the user has said it.
    :raises Error: somebody else has written to the state table since, or ``at`` is no statement's number.
    """
    row = history.last()
    if row is None or not row.open or row.leads_to != state.version or row.version is None:
        return None
    if at is not None and at < 1:
        raise Error(f"resume_from is {at}. Give the number of the statement to go on with, from 1.")
    progress = load(row.done, row.progress)
    if at is None and _written_since(ledger, row, progress):
        raise Error(
            f"The {row.direction} migration of version {row.version} was left half done, and the state table has "
            "been written since by something else, perhaps golang-migrate, which may have run it again. See how far it "
            "got, then run again with resume_from and the number of the statement to go on with; or put the schema "
            "right by hand and set its version (module migration_force). Nothing was changed.",
            dirty=True,
            from_version=state.version,
        )
    return Resumption(row, progress, at)


def _written_since(ledger: StateTable, row: AttemptRecord, progress: Checkpoint) -> bool:
    """Tell whether somebody else is known to have written to the state table since."""
    written = ledger.written_at()
    if written is None:
        return False
    if progress.written_at is not None:
        return written != progress.written_at
    return bool(written > row.started_at.replace(tzinfo=timezone.utc).timestamp() + _SLACK)
