# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The recorder of an attempt at a migration: the only one that writes its checkpoint. Private to the collection.

It returns the statements to write, so that they can be sent in one packet with the migration's own, and only advances
when the server has answered. A call in the wrong phase raises RuntimeError.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from enum import Enum
from typing import Any, NamedTuple, Optional, cast

from ..._core.errors import Error
from ..._core.secrets import clean
from ..._mysql.lock import Lock
from ..._mysql.session import ServerError, Session
from ..._mysql.statements import COMMIT, START_TRANSACTION
from ..model import State, Step
from ..statements.session_state import SessionRecorder
from ..tables.checkpoint import Checkpoint, InFlightStatement, Position
from ..tables.history_table import APPLIED, FAILED, INTERRUPTED, RUNNING, AttemptRecord, HistoryTable, of_run
from ..tables.state_table import StateTable
from .transaction import Act, PacketPlan

# The values of a row that is not about a file.
_NO_FILE = {"title": "", "outcome": APPLIED, "done": 0, "begun": 0}


class Phase(Enum):
    """Where an attempt is."""

    CLOSED = "no attempt is open"
    OPEN = "between two statements"
    SENDING = "a packet is under way"


class Sent(NamedTuple):
    """Our statements in a packet, and what they mean once the server has answered."""

    plan: PacketPlan
    done: Position
    in_flight: Optional[InFlightStatement]
    following: Optional[InFlightStatement]
    before: list[str]
    after: list[str]


class AttemptRecorder:
    """Writes the state table's row and the history's rows of one run.

    :param history: None if none is kept.
    :param about: git_commit, ran_by, ran_on, job and tool, as the history has them.
    :param lock: on which each write depends; None if none is taken.
    :param run: the number of the run, if it has one.
    :ivar committed: the last place up to which everything is known to be committed.
    """

    def __init__(
        self,
        session: Session,
        state_table: StateTable,
        history: Optional[HistoryTable],
        about: Mapping[str, Any],
        lock: Optional[Lock],
        run: Optional[str] = None,
    ) -> None:
        self.history = history
        self._run = run
        self.phase = Phase.CLOSED
        self.committed = Position()
        self._session = session
        self._state_table = state_table
        self._about = about
        self._lock = lock
        self._checkpoint = Checkpoint()
        self._state = State(None, False)
        self._number = 0
        self._step: Optional[Step] = None
        self._sent: Optional[Sent] = None
        self._waiting: list[str] = []
        self._waiting_state: Optional[State] = None
        self._waiting_apart: list[str] = []
        self._stored = self._changed = self._resumes = False
        # The last row that was written, and the one that says that its attempt is running.
        self._last_stored = self._running = 0
        self._written: dict[int, Position] = {}
        self._started = 0.0
        # golang-migrate's table may have been made under another default_storage_engine.
        self._apart = False
        isolation = "@@SESSION.transaction_isolation" if session.has_stats_expiry else "@@SESSION.tx_isolation"
        # A migration may set the session's clock, so the server's is read once.
        [(now, binary_log, form, level)] = session.query(
            f"SELECT UNIX_TIMESTAMP(SYSDATE(6)), @@GLOBAL.log_bin, @@SESSION.binlog_format, {isolation}"
        )
        self._clock = float(now) - time.monotonic()
        # A statement-based binary log accepts no rows from such a transaction; golang-migrate's own are SERIALIZABLE.
        self.isolates = bool(binary_log) and form == "STATEMENT" and level in ("READ-COMMITTED", "READ-UNCOMMITTED")
        level = ["SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"] if self.isolates else []
        self._start = [*level, START_TRANSACTION]

    @property
    def reached(self) -> Position:
        """The position after the last statement that the server has executed."""
        return self._checkpoint.reached

    @property
    def log(self) -> SessionRecorder:
        """What the statements have done to their session."""
        return self._checkpoint.log

    @property
    def pending(self) -> bool:
        """Whether something is done that is not written."""
        return self._changed or bool(self._waiting) or bool(self._waiting_apart)

    @property
    def state_waits(self) -> bool:
        """Whether the state table is to be written, too."""
        return self._waiting_state is not None

    @property
    def in_flight(self) -> Optional[InFlightStatement]:
        """What is recorded as begun and not known to be done."""
        return self._checkpoint.in_flight

    @property
    def section_last(self) -> Optional[int]:
        """The last statement of the section that is recorded as begun; None if none is open."""
        section = self._open_section(self.reached.done)
        return section.last if section is not None else None

    @property
    def seconds(self) -> float:
        """How long the attempt has taken."""
        return round(time.monotonic() - self._started, 3)

    def prepare(self, state: State) -> None:
        """Create the tables that are missing.

        :param state: what the state table holds.
        """
        self._state = state
        self._state_table.ensure()
        self._apart = not self._state_table.is_transactional()
        if self.history is not None:
            if not self.history.exists():
                self.history.create()
            self._number = self.history.last_id()

    def record_move(self, state: Optional[State], moved: Mapping[str, Any]) -> None:
        """Write a row about a move that ran no file, together with the state if that is what moved.

        :raises ServerError: it cannot be written.
        """
        self._expect(Phase.CLOSED)
        rows = []
        if self.history is not None:
            self._number += 1
            values = {"id": self._number, "started_at": self._time(time.monotonic()), **moved, **self._about}
            rows = [self.history.insert({**_NO_FILE, **values}), self.history.forgetting(self._number)]
        guard = [self._lock.guard] if self._lock is not None else []
        writes = [*(self._state_table.writing(state) if state is not None else ()), *rows]
        if writes:
            self._session.execute(COMMIT.encode(), [*guard, *self._start, *writes])

    def open(
        self, step: Step, checkpoint: Optional[Checkpoint] = None, resumed: Optional[AttemptRecord] = None
    ) -> None:
        """Start an attempt.

        :param checkpoint: where it resumes from.
        :param resumed: the attempt that it resumes.
        """
        self._expect(Phase.CLOSED)
        if checkpoint is None:
            self.log.carry_over()
            checkpoint = Checkpoint(log=self.log)
        self.phase = Phase.OPEN
        checkpoint.run = self._run
        self._checkpoint, self._step, self._stored, self._changed = checkpoint, step, False, True
        self._resumes = resumed is not None
        self._started = time.monotonic()
        self.committed, self._written = checkpoint.reached, {}
        if self.history is not None and resumed is not None and resumed.outcome == RUNNING:
            self._waiting.append(self.history.update(resumed.id, {"outcome": INTERRUPTED}))
        if resumed is None:
            self._wait_for_state(State(step.leads_to, True))
        self._number += 1

    def send(
        self,
        plan: PacketPlan,
        digests: Sequence[str],
        in_flight: Optional[InFlightStatement],
        guarded: bool = True,
        following: Optional[InFlightStatement] = None,
    ) -> Sent:
        """Return what of ours goes with statements in their packet.

        :param digests: of the statements, in order.
        :param in_flight: what has started once the packet is sent, if the plan records that.
        :param following: what begins next, to be recorded with the statements.
        :param guarded: a statement since the last guard may have released the lock.
        """
        self._expect(Phase.OPEN)
        self.phase = Phase.SENDING
        done = self.reached
        for digest in digests:
            done = done.after(digest)
        # A section that was recorded as a whole remains so until it is over.
        begun = in_flight if plan.begins else self._open_section(self.reached.done)
        before = self._render(plan.before, self._waiting, done if plan.counts else self.reached, begun, self._stored)
        written = Act.RECORD in plan.before
        waiting = [] if written else self._waiting
        after = self._render(plan.after, waiting, done, following, self._stored or written)
        if self._lock is not None and guarded and written:
            before = [self._lock.guard, *before]
        self._sent = Sent(plan, done, begun, following, before, after)
        return self._sent

    def answered(self, lasting: bool, settled: bool, sealed: bool) -> None:
        """The server has carried out the statements and all that went with them.

        :param lasting: whether they did more than change their session.
        :param settled: whether no transaction is open any more.
        :param sealed: whether nothing of ours can be written, so that a section continues.
        """
        sent = self._take_sent()
        behind = Act.RECORD in sent.plan.after
        recorded = behind or sent.plan.counts
        self._went_ahead(sent)
        done = self._checkpoint.reached = sent.done
        if behind:
            self._was_written(done)
        if recorded:
            # Perhaps in a transaction that the statement has left open, and that another one commits.
            self._written[done.done] = done
        if lasting or recorded:
            ended = self._checkpoint.in_flight
            following = sent.following if behind else ended.rest if ended is not None else None
            self._checkpoint.in_flight = self._open_section(done.done) if sealed or not settled else following
        self._changed = self._changed or (lasting and not recorded)
        if (lasting or recorded) and settled:
            self._is_committed(done)

    def refused(self, place: int) -> None:
        """The server has carried out the packet's first statements only, up to that place.

        What of ours stood there is written, and perhaps not committed.
        """
        sent = self._take_sent()
        if place >= len(sent.before):
            self._went_ahead(sent)

    def carried_out(self, digests: Sequence[str], lasting: bool = True) -> None:
        """The server has carried out statements of a packet that it has refused then; what stood after it is not.

        :param lasting: whether they did more than change their session.
        """
        self._expect(Phase.OPEN)
        for digest in digests:
            self._checkpoint.reached = self.reached.after(digest)
        if lasting:
            self._checkpoint.in_flight = None
            self._changed = True

    def passed(self, digest: str) -> None:
        """An earlier run has carried out the next statement, as its effect shows."""
        self._expect(Phase.OPEN)
        self._checkpoint.reached = self.committed = self.reached.after(digest)
        self._checkpoint.in_flight = None
        self._changed = True

    def begin_section(self, last: int) -> None:
        """From here on nothing can be recorded, up to the statement of that number."""
        self._expect(Phase.OPEN)
        self._checkpoint.in_flight = InFlightStatement("", last=last)
        self._changed = True

    @property
    def apart(self) -> bool:
        """Whether the state is written in no transaction: its table has none."""
        return self._apart

    def writing(self, start: Optional[Sequence[str]] = None) -> list[str]:
        """Return the statements that write what is pending and commit it, which remains so until ``wrote`` is called.

        :param start: what opens the transaction, if that is not the usual; nothing where one is open.
        """
        row = self._row(self.reached, self._checkpoint.in_flight, self._stored) if self._changed else []
        rows = [*(self._start if start is None else start), *self._waiting, *row, COMMIT]
        if not self._apart:
            return rows
        # What is between the two is found by the next run: an attempt whose state is not written has run nothing, and
        # one whose state is written is done.
        return [*self._waiting_apart, *rows] if self.phase is Phase.CLOSED else [*rows, *self._waiting_apart]

    def wrote(self) -> None:
        """What ``writing`` returned is written and committed, and so is all that was done before it."""
        self._waiting_apart = []
        self._was_written(self.reached)
        self._is_committed(self.reached)

    def end(self, checksum: str, last: bool) -> None:
        """The attempt has succeeded; if no other follows, so has the run. It is written with what comes next."""
        self._expect(Phase.OPEN)
        done = self.reached.done
        values = {"outcome": APPLIED, "checksum": checksum, "statements": done, "progress": of_run(self._run)}
        self._waiting += self._row(self.reached, None, self._stored, **values)
        if self._resumes and self.history is not None:
            self._waiting.append(self.history.forgetting(self._number))
        if (last or self._apart) and self._step is not None:
            self._wait_for_state(State(self._step.leads_to, False))
        self._changed = False
        self.phase = Phase.CLOSED

    def closing(
        self, outcome: str, error: str, partly: Optional[InFlightStatement], state: Optional[State]
    ) -> list[str]:
        """End an attempt that has not succeeded; return the statements that record it.

        :param partly: what may have had an effect all the same.
        :param state: what the state table is to hold again, if the attempt has left nothing behind.
        """
        self._expect(Phase.OPEN)
        self.phase = Phase.CLOSED
        stored = self.stored()
        # A server quotes what it does not understand, and more people can read the table than may know the secret.
        values: dict[str, Any] = {"outcome": outcome, "error": clean(error)}
        if stored is not None and stored.done == self.committed.done:
            # What failed may have changed it since.
            values["last_insert_id"] = stored.last_insert_id
        back = self._state_table.writing(state) if state else []
        if back:
            # Nothing is left that could be resumed.
            values["progress"] = of_run(self._run)
        row = self._row(self.committed, partly, stored is not None, **values)
        return [*self._start, *self._waiting, *row, *back, COMMIT]

    def abandoning(self, error: str) -> list[str]:
        """End an attempt because something could not be recorded; return the statement that says so of the last row."""
        self.phase = Phase.CLOSED
        if self.history is None or not self._running:
            return []
        row = self.history.update(self._running, {"outcome": FAILED, "error": clean(error)})
        return [*self._start, row, COMMIT]

    def find_committed(self) -> None:
        """Nothing is open any more: what the history says is committed is."""
        row = self.stored()
        if row is not None and row.done > self.committed.done and row.done in self._written:
            self._is_committed(self._written[row.done])

    def stored(self) -> Optional[AttemptRecord]:
        """Return the attempt's row as it is in the table; None without one."""
        rows = self.history.rows(f"id = {self._number}") if self.history is not None else []
        return rows[0] if rows else None

    def is_untouched(self) -> bool:
        """Tell whether nobody else has written to the tables since this attempt did.

        :raises ServerError: they cannot be read.
        """
        last = self._last_stored or self._number - 1
        return self._state_table.read(now=True) == self._state and (
            self.history is None or self.history.last_id(now=True) == last
        )

    def wait_for_next_second(self) -> None:
        """Note when the state table was last written, and make sure that whoever writes to it next does so later.

        The server counts whole seconds. Without that, golang-migrate failing on the same migration within the second
        would leave nothing to be seen by the next run.
        """
        if self.history is None:
            return
        written = self._state_table.written_at()
        self._checkpoint.written_at = written
        if written is not None:
            time.sleep(min(max(written + 1 - (self._clock + time.monotonic()), 0), 1))

    def state(self) -> Optional[State]:
        """Return what the state table says now; None if it cannot be asked."""
        try:
            return self._state_table.read()
        except (Error, ServerError):
            return None

    def _expect(self, phase: Phase) -> None:
        if self.phase is not phase:
            raise RuntimeError(f"the attempt is {self.phase.name}, not {phase.name}")

    def _take_sent(self) -> Sent:
        self._expect(Phase.SENDING)
        self.phase = Phase.OPEN
        sent, self._sent = self._sent, None
        return cast(Sent, sent)

    def _open_section(self, done: int) -> Optional[InFlightStatement]:
        flight = self._checkpoint.in_flight
        return flight if flight is not None and flight.last is not None and flight.last > done else None

    def _wait_for_state(self, state: State) -> None:
        waiting = self._waiting_apart if self._apart else self._waiting
        waiting += self._state_table.writing(state)
        self._waiting_state = state

    def _went_ahead(self, sent: Sent) -> None:
        """What is before the statement has been carried out."""
        if Act.RECORD in sent.plan.before:
            self._was_written(sent.done if sent.plan.counts else self.reached)
        if sent.plan.begins:
            self._checkpoint.in_flight = sent.in_flight
        if Act.COMMIT in sent.plan.before:
            self._is_committed(self.reached)

    def _was_written(self, reached: Position) -> None:
        self._waiting = []
        self._state, self._waiting_state = self._waiting_state or self._state, None
        if self._step is not None and self.phase is not Phase.CLOSED:
            self._stored, self._last_stored = True, self._number
            self._running = self._number
        elif self.phase is Phase.CLOSED:
            self._running = 0
        self._changed = False
        self._written[reached.done] = reached

    def _is_committed(self, reached: Position) -> None:
        self.committed = reached
        self._written = {}
        self.log.compact(reached.done)

    def _render(
        self,
        acts: tuple[Act, ...],
        waiting: Sequence[str],
        reached: Position,
        in_flight: Optional[InFlightStatement],
        stored: bool,
    ) -> list[str]:
        texts = []
        for act in acts:
            if act is Act.RECORD:
                texts += [*waiting, *self._row(reached, in_flight, stored)]
            elif act is Act.COMMIT:
                texts.append(COMMIT)
            else:
                # One that holds the statement has the session's isolation.
                texts += self._start if acts[1:2] == (Act.RECORD,) and not texts else [START_TRANSACTION]
        return texts

    def _row(self, reached: Position, in_flight: Optional[InFlightStatement], stored: bool, **values: Any) -> list[str]:
        if self.history is None or self._step is None:
            return []
        begun = reached.done
        if in_flight is not None:
            begun = in_flight.until(reached.done)
        values = {"done": reached.done, "begun": begun, "seconds": self.seconds, **values}
        if "progress" not in values:
            values["progress"] = self._checkpoint.dump(reached, in_flight)
        if stored:
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

    def _time(self, moment: float) -> str:
        time_of_day = datetime.fromtimestamp(self._clock + moment, timezone.utc).replace(tzinfo=None)
        return time_of_day.isoformat(" ", "microseconds")
