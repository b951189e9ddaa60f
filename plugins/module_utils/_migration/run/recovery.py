# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds the statement at which an interrupted attempt resumes. Private to the collection."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timezone
from typing import NamedTuple, Optional

from ..._core.errors import Error
from ..._mysql.session import ServerError, Session
from .. import messages
from ..files.reader import FileReader
from ..files.splitter import Statement
from ..model import State, Step, Unfinished
from ..statements.classified import ClassifiedStatement, digest
from ..statements.effect import StatementKind
from ..statements.fingerprints import InFlightOutcome, fingerprints, outcome
from ..statements.session_state import SessionRecorder
from ..tables.checkpoint import Checkpoint, InFlightStatement, Position, load
from ..tables.history_table import AttemptRecord, HistoryTable
from ..tables.state_table import StateTable

Classify = Callable[[Statement], ClassifiedStatement]

# Not savepoints, which went with their transaction.
_REPEATED = (b"SET", b"USE", b"PREPARE", b"DEALLOCATE")
# Seconds by which the state table may have been written later than its attempt started.
_SLACK = 2


class Resumption(NamedTuple):
    """An attempt that is to be resumed.

    :param at: the statement that the user says is the next one.
    """

    record: AttemptRecord
    checkpoint: Checkpoint
    at: Optional[int] = None

    @property
    def unfinished(self) -> Unfinished:
        """The migration that the plan must start with."""
        return Unfinished(self.record.version or 0, self.record.direction)

    @property
    def done(self) -> int:
        """The number of statements to skip."""
        return self.record.done if self.at is None else self.at - 1

    @property
    def in_doubt(self) -> Optional[InFlightStatement]:
        """What may have taken effect without being recorded; None if nothing, or if the user has said what."""
        if self.at is not None or self.record.begun <= self.record.done:
            return None
        return self.checkpoint.in_flight or InFlightStatement("")


def find(history: HistoryTable, state_table: StateTable, state: State, at: Optional[int]) -> Optional[Resumption]:
    """Return the attempt that left the state dirty; None if the history does not know it.

    :param at: the number of the statement to resume from, if the user has said it.
    :raises Error: somebody else has written to the state table since, or ``at`` is not a statement's number.
    """
    record = history.last()
    if record is None or not record.explains(state):
        return None
    if at is not None and at < 1:
        raise Error(1904, f"resume_from is {at}. Give the number of the statement to resume from, from 1.")
    checkpoint = load(record.done, record.begun, record.progress)
    if at is None and _written_since(state_table, record, checkpoint):
        raise messages.written_elsewhere(record, state)
    return Resumption(record, checkpoint, at)


def _written_since(state_table: StateTable, record: AttemptRecord, checkpoint: Checkpoint) -> bool:
    """Tell whether somebody else is known to have written to the state table since."""
    written = state_table.written_at()
    if written is None:
        return False
    if checkpoint.written_at is not None:
        return written != checkpoint.written_at
    return bool(written > record.started_at.replace(tzinfo=timezone.utc).timestamp() + _SLACK)


def became(session: Session, statement: ClassifiedStatement, in_flight: InFlightStatement) -> InFlightOutcome:
    """Find out what became of a statement that was interrupted.

    :param statement: the one that has its place now, which may have been changed.
    :raises ServerError: the connection was lost.
    """
    if in_flight.last is not None:
        return InFlightOutcome.UNKNOWN
    if statement.digest != in_flight.digest:
        # What has its place now says nothing about what ran.
        return InFlightOutcome.UNKNOWN
    identities = len(in_flight.before) > len(in_flight.objects)
    now = fingerprints(session, in_flight.objects, identities)
    return outcome(statement.effect, in_flight.before, now, session.atomic_ddl)


class Found(NamedTuple):
    """What became of statements that were interrupted.

    :param done: how many of them are done.
    :param unknown: the first and the last place behind those, among them, of which it cannot be known.
    """

    done: int
    unknown: Optional[tuple[int, int]]


def look_after(session: Session, statements: Sequence[ClassifiedStatement], in_flight: InFlightStatement) -> Found:
    """Find out what became of a statement that was interrupted, and of the definitions after it.

    They are carried out one after the other: where one is done, so are those before it, though it may not show.

    :param statements: those that have their places now; there may be fewer.
    :raises ServerError: the connection was lost.
    """
    flights = [in_flight._replace(behind=()), *in_flight.behind]
    outcomes = [became(session, statement, flight) for statement, flight in zip(statements, flights)]
    outcomes += [InFlightOutcome.UNKNOWN] * (len(flights) - len(outcomes))
    done = max((place + 1 for place, found in enumerate(outcomes) if found is InFlightOutcome.DONE), default=0)
    unknown = [place for place in range(done, len(outcomes)) if outcomes[place] is InFlightOutcome.UNKNOWN]
    return Found(done, (unknown[0], unknown[-1]) if unknown else None)


def retrace(session: Session, resumption: Resumption, reader: FileReader, classify: Classify) -> Position:
    """Go through the statements that are done, and restore the session state that they had created.

    Of those that are done only because the user says so, what they did to their session is done again. Table locks are
    not taken again: nothing can be recorded after that.

    :raises Error: they are not what they were, or something that their session held is lost.
    """
    record, checkpoint, step = resumption.record, resumption.checkpoint, reader.step
    if resumption.at is not None:
        # What is run again is not done yet.
        checkpoint.log.forget_from(resumption.at)
    reached = Position()
    try:
        checkpoint.log.restore(session, 0)
        while reached.done < resumption.done:
            statement = reader.take()
            if statement is None:
                if resumption.done > record.done:
                    raise messages.no_such_statement(step, reached.done, resumption.done + 1)
                raise messages.fewer_statements(step, reached.done, resumption.done)
            reached = reached.after(digest(statement.text))
            if reached.done <= record.done:
                _compare(step, statement, reached, checkpoint.reached)
                checkpoint.log.restore(session, statement.number)
            else:
                _repeat_in_session(session, checkpoint.log, classify(statement))
        if record.last_insert_id:
            session.query("SELECT LAST_INSERT_ID(%s)", (record.last_insert_id,))
    except ServerError as error:
        raise messages.session_not_restored(step, error) from error
    lost = checkpoint.log.lost()
    if lost and resumption.at is None:
        raise messages.session_lost(step, record.done, record.begun, lost[0].what, lost[0].number)
    return reached


def _repeat_in_session(session: Session, log: SessionRecorder, statement: ClassifiedStatement) -> None:
    effect = statement.effect
    repeats = effect.kind is StatementKind.SESSION and effect.verb in _REPEATED
    if repeats:
        session.execute(statement.statement.text)
    if repeats or effect.kind in (StatementKind.LOCK, StatementKind.UNLOCK, StatementKind.BEGIN):
        log.record(statement.statement.number, statement.resolved_text, effect, session)


def _compare(step: Step, statement: Statement, reached: Position, known: Position) -> None:
    same = reached.digests[-1] == known.digests[reached.done - 1] if reached.done <= len(known.digests) else True
    if same and (reached.done < known.done or reached.chain == known.chain):
        return
    if same:
        raise messages.changed_somewhere(step, len(known.digests) + 1, known.done)
    raise messages.changed_statement(step, statement)
