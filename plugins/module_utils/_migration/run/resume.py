# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From which statement a migration that was cut off goes on. Private to the collection."""

from __future__ import annotations

from ..._core.errors import Error
from ..._mysql.session import ServerError, Session
from ..files.reader import FileReader
from ..files.splitter import Statement
from ..messages import place_of, quoted
from ..model import Step
from ..statements.classified import ClassifiedStatement, digest
from ..statements.classify import StatementKind
from ..statements.fingerprints import InFlightOutcome, fingerprints, outcome
from ..statements.session_state import Entry
from ..tables.checkpoint import InFlightStatement, Position
from ..tables.history_table import FAILED, AttemptRecord
from .recovery import Resumption


def fate(session: Session, piece: ClassifiedStatement, flight: InFlightStatement) -> InFlightOutcome:
    """Find out what became of the statement that was in flight.

    :param piece: the statement that has its place now, which may have been changed.
    :raises ServerError: the connection was lost.
    """
    if piece.digest != flight.digest and piece.effect.kind is StatementKind.REPEATABLE:
        return InFlightOutcome.UNKNOWN
    now = fingerprints(session, flight.objects, len(flight.before) > len(flight.objects))
    return outcome(piece.effect, flight.before, now, True)


def retrace(session: Session, resumption: Resumption, reading: FileReader) -> Position:
    """Go through the statements that are done, and bring the session to where they had brought theirs.

    :raises Error: they are not what they were, or something that their session held is lost.
    """
    row, progress, step = resumption.row, resumption.progress, reading.step
    reached = Position()
    try:
        progress.log.restore(session, 0)
        while reached.done < resumption.done:
            statement = reading.take()
            if statement is None:
                raise _gone(step, reached.done, resumption.done)
            reached = reached.after(digest(statement.text))
            if reached.done <= row.done:
                _compare(step, statement, reached, progress.reached)
                progress.log.restore(session, statement.number)
        if row.last_insert_id:
            session.query("SELECT LAST_INSERT_ID(%s)", (row.last_insert_id,))
    except ServerError as error:
        raise Error(
            f"The session in which {step.file} was begun could not be restored: ({error.code}) {error.reason}. "
            "Nothing was changed.",
            error_code=error.code,
            file=step.file,
            dirty=True,
        ) from error
    lost = progress.log.lost()
    if lost and resumption.at is None:
        raise _lost(row, step, lost[0])
    return reached


def _compare(step: Step, statement: Statement, reached: Position, known: Position) -> None:
    same = reached.digests[-1] == known.digests[reached.done - 1] if reached.done <= len(known.digests) else True
    if same and (reached.done < known.done or reached.chain == known.chain):
        return
    if same:
        raise Error(
            f"{step.file}: one of its statements {len(known.digests) + 1} to {known.done}, which were done by an "
            f"earlier run, has been changed since. {_RESTORE}",
            file=step.file,
            dirty=True,
        )
    raise changed(step, statement)


_RESTORE = (
    "Bring it back as it was, and make the change in what comes after it, or in a new migration; then run again. "
    "Or put the schema right by hand and set its version (module migration_force). Nothing was changed."
)


def changed(step: Step, statement: Statement) -> Error:
    """Return the refusal for a statement that was done and is another one now."""
    return Error(
        f"{step.file}:{statement.line}:{statement.column}: statement {statement.number} was done by an earlier run, "
        f"and has been changed since. {_RESTORE} It is now: {quoted(statement.text)}",
        **place_of(step, statement),
        dirty=True,
    )


def _gone(step: Step, have: int, done: int) -> Error:
    return Error(
        f"{step.file} has {have} statement(s), but an earlier run did {done} of them. {_RESTORE}",
        file=step.file,
        dirty=True,
    )


def _lost(row: AttemptRecord, step: Step, entry: Entry) -> Error:
    where = f"statement {entry.number} of {step.file}" if entry.number else "an earlier file"
    return Error(
        f"{step.file}: an earlier run did {row.done} statement(s); what comes after them may rely on {entry.what} "
        f"of {where}, which went with its connection. Look at what is done, undo what would be repeated, and run again "
        "with resume_from and the number of the statement to go on with. Nothing was changed.",
        file=step.file,
        statement=row.done + 1,
        dirty=True,
    )


def unknown(resumption: Resumption, step: Step, statement: Statement) -> Error:
    """Return the question about a statement of which nobody can know whether it took effect."""
    number = statement.number
    return Error(
        f"{step.file}:{statement.line}:{statement.column}: statement {number} was running when an earlier run "
        f"{'failed' if resumption.row.outcome == FAILED else 'was cut off'}, and the server does not show whether it "
        "took effect. Look at what it changes, then run again with "
        f"resume_from: {number} if it did not, or resume_from: {number + 1} if it did. Nothing was changed. "
        f"The statement: {quoted(statement.text)}",
        **place_of(step, statement),
        dirty=True,
    )
