# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is to be written about a run, kept until it can be written together with the work. Private to the collection."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, Optional

from ..._core.errors import Error
from ..._core.secrets import clean
from ..._mysql.session import ServerError, Session
from ..model import State, Step
from ..tables.checkpoint import Checkpoint, InFlightStatement
from ..tables.history_table import APPLIED, FAILED, INTERRUPTED, RUNNING, AttemptRecord, HistoryTable
from ..tables.state_table import StateTable

# What a row says that is about no file.
_NO_FILE = {"title": "", "outcome": APPLIED, "done": 0, "begun": 0}


class AttemptRecorder:
    """The state table's row and the history's rows of one run.

    :param history: None if none is kept.
    :param about: git_commit, ran_by, ran_on, job and tool, as the history has them.
    :ivar progress: of the attempt that is going on.
    """

    def __init__(
        self, session: Session, ledger: StateTable, history: Optional[HistoryTable], about: Mapping[str, Any]
    ) -> None:
        self.history = history
        self.progress = Checkpoint()
        self._session = session
        self._ledger = ledger
        self._about = about
        self._number = self._last_stored = 0
        self._step: Optional[Step] = None
        self._waiting: list[str] = []
        self._stored = self._changed = False
        self._started = 0.0
        # A migration may set the session's clock: the server's is asked for once.
        [(now,)] = session.query("SELECT UNIX_TIMESTAMP(SYSDATE(6))")
        self._clock = float(now) - time.monotonic()

    def prepare(self) -> None:
        """Create the tables that are missing."""
        self._ledger.ensure()
        if self.history is not None:
            if not self.history.exists():
                self.history.create()
            self._number = self.history.last_id()

    def record(self, state: Optional[State], moved: Mapping[str, Any]) -> None:
        """Write a row about a move that ran no file, together with the state if that is what moved.

        :raises ServerError: it cannot be written.
        """
        if self.history is None:
            rows = []
        else:
            self._number += 1
            values = {"id": self._number, "started_at": self._time(time.monotonic()), **moved, **self._about}
            rows = [self.history.insert({**_NO_FILE, **values})]
        if state is not None:
            self._ledger.write(state, *rows)
        elif rows:
            self._session.query(rows[0])

    def begin(self, step: Step, progress: Optional[Checkpoint] = None, resumed: Optional[AttemptRecord] = None) -> None:
        """Start an attempt.

        :param progress: from where it goes on, for an attempt that resumes another one.
        """
        if progress is None:
            self.progress.log.carry_over()
            progress = Checkpoint(log=self.progress.log)
        self.progress = progress
        self._step, self._stored, self._changed = step, False, True
        self._started = time.monotonic()
        if self.history is not None and resumed is not None and resumed.outcome == RUNNING:
            self._waiting.append(self.history.update(resumed.id, {"outcome": INTERRUPTED}))
        if resumed is None:
            self._waiting += self._ledger.writing(State(step.leads_to, True))
        self._number += 1

    def starts(self, flight: InFlightStatement) -> None:
        """The next statement begins with the next commit."""
        self.progress.flight = flight
        self._changed = True

    def passes(self, digest: str, lasting: bool) -> None:
        """The statement of that digest has been run.

        :param lasting: whether it did more than change its session.
        """
        self.progress.reached = self.progress.reached.after(digest)
        if lasting:
            self.progress.flight = None
            self._changed = True

    def end(self, checksum: str, last: bool) -> None:
        """The attempt has succeeded; if no other follows, so has the run."""
        done = self.progress.reached.done
        self._waiting += self._row(outcome=APPLIED, checksum=checksum, statements=done, begun=done, progress=None)
        if last and self._step is not None:
            self._waiting += self._ledger.writing(State(self._step.leads_to, False))
        self._step, self._changed = None, False

    def pending(self) -> list[str]:
        """Return the statements that are to be written."""
        return self._waiting + (self._row() if self._changed else [])

    def written(self) -> None:
        """What was pending has been written, or will be with what is running."""
        self._waiting = []
        if self._changed:
            self._stored, self._last_stored = True, self._number
        self._changed = False

    def abandoning(self, error: str) -> list[str]:
        """Return the statement that records that what was pending could not be written; the rest of the row stays."""
        if self.history is None or not self._last_stored:
            return []
        return [self.history.update(self._last_stored, {"outcome": FAILED, "error": clean(error)})]

    def closing(self, outcome: str, error: str, state: Optional[State]) -> list[str]:
        """Return the statements that record how an attempt ended that has not succeeded.

        :param state: what the state table is to hold again, if the attempt has left nothing behind.
        """
        back = self._ledger.writing(state) if state else []
        row = self.stored()
        # A server quotes what it does not understand, and the table is for more people than the secret.
        values: dict[str, Any] = {"outcome": outcome, "error": clean(error)}
        if row is not None and row.done == self.progress.reached.done:
            # What failed may have changed it since.
            values["last_insert_id"] = row.last_insert_id
        return self._waiting + self._row(**values) + back

    def wait_for_next_second(self) -> None:
        """Note when the state table was last written, and make sure that whoever writes to it next does so later.

        The server counts whole seconds. Without that, golang-migrate failing on the same migration within the second
        would leave nothing to be seen by the next run.
        """
        if self.history is None:
            return
        written = self._ledger.written_at()
        self.progress.written_at = written
        if written is not None:
            time.sleep(min(max(written + 1 - (self._clock + time.monotonic()), 0), 1))

    def state(self) -> Optional[State]:
        """Return what the state table says now; None if it cannot be asked."""
        try:
            return self._ledger.read()
        except (Error, ServerError):
            return None

    @property
    def seconds(self) -> float:
        """How long the attempt has taken."""
        return round(time.monotonic() - self._started, 3)

    def stored(self) -> Optional[AttemptRecord]:
        """Return the attempt's row as it is in the table; None without one."""
        rows = self.history.rows(f"id = {self._number}") if self.history is not None and self._stored else []
        return rows[0] if rows else None

    def _time(self, moment: float) -> str:
        time_of_day = datetime.fromtimestamp(self._clock + moment, timezone.utc).replace(tzinfo=None)
        return time_of_day.isoformat(" ", "microseconds")

    def _row(self, **values: Any) -> list[str]:
        if self.history is None or self._step is None:
            return []
        done = self.progress.reached.done
        values = {
            "done": done,
            "begun": done + 1 if self.progress.flight else done,
            "seconds": self.seconds,
            **values,
        }
        if "progress" not in values:
            values["progress"] = self.progress.dump()
        if self._stored:
            return [self.history.update(self._number, values)]
        first = {
            "id": self._number,
            "version": self._step.version,
            "title": self._step.title,
            "direction": self._step.direction,
            "leads_to": self._step.leads_to,
            "outcome": RUNNING,
            "started_at": self._time(self._started),
            **self._about,
        }
        return [self.history.insert({**first, **values})]
