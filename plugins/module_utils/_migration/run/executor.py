# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Carries a plan out; the only thing that changes a database. Private to the collection."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Optional

from ..._core.errors import Error
from ..._mysql.session import ServerError, Session
from ..files.reader import FileReader
from ..files.splitter import Statement
from ..messages import place_of, quoted, stated
from ..model import Plan, State, Step
from ..plan import named
from ..statements.classified import ClassifiedStatement
from ..statements.classify import Effect, StatementKind, classify
from ..statements.fingerprints import InFlightOutcome, fingerprint, fingerprints, question
from ..statements.lookahead import Lookahead, changes_reading
from ..statements.nontransactional import TransactionalTables
from ..tables.checkpoint import Checkpoint, InFlightStatement, Position
from ..tables.history_table import FAILED, INTERRUPTED
from .attempt import AttemptRecorder
from .recovery import Resumption
from .resume import changed, fate, retrace, unknown
from .runner import RecordingFailed, Sent, StatementFailed, StatementRunner

_IN_TRANSACTION = 1568
_OPEN = "It leaves a transaction open, which the server has undone: end it with COMMIT in the file, and run again."


class Applied(NamedTuple):
    """One migration that was carried out."""

    version: int
    title: str
    direction: str
    statements: int
    seconds: float


@dataclass
class Executor:
    """Carries a plan out, and knows at any time how far it got.

    :param directory: where the plan's files are.
    :param resumption: the attempt that the plan's first step goes on with.
    :param stopped: returns why to stop after the statement that is running; None to go on.
    :ivar notes: what golang-migrate could not run in the files that were run.
    """

    session: Session
    journal: AttemptRecorder
    guard: StatementRunner
    directory: str
    plan: Plan
    resumption: Optional[Resumption] = None
    stopped: Callable[[], Optional[str]] = lambda: None
    applied: list[Applied] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    engines: TransactionalTables = field(init=False)
    _ahead: Lookahead = field(init=False)
    _ran: list[Applied] = field(default_factory=list)
    _before: Optional[State] = None
    _known: Optional[tuple[Statement, InFlightStatement]] = None

    def __post_init__(self) -> None:
        self.engines = TransactionalTables(self.session)
        self._look_ahead()

    def _look_ahead(self) -> None:
        self._ahead = Lookahead(self.session, self.directory, self.plan.steps, self.journal.history is not None)

    def run(self, moved: Optional[Mapping[str, Any]] = None) -> None:
        """Carry out every step, in order.

        :param moved: a move by something else that is to be recorded first.

        Between two steps the state goes from one dirty to the next one dirty in one transaction: whoever reads it in
        the meantime sees no less than golang-migrate shows, and a commit is saved.

        :raises Error: a statement failed. The state table then holds the version that the step leads to, dirty.
        """
        if self.plan.steps or moved:
            self.journal.prepare()
        if moved:
            self._record(moved)
        reason = self.stopped() if self.plan.steps else None
        if reason is not None:
            raise Error(f"{reason}: stopped before anything was run. Run again to go on.", **self.results())
        reading = self._open()
        if reading is None:
            return
        if self.resumption is not None:
            self._resume(self.resumption, reading)
        else:
            self._before = State(self.plan.from_version, False)
            self._begin(reading, None)
        while True:
            step = reading.step
            self._run_script(reading)
            if self._has_strayed(step):
                raise self._left(reading)
            following, trouble = self._follow()
            reason = self.stopped() if following or trouble else None
            count = self.journal.progress.reached.done
            self._ran.append(Applied(step.version, step.title, step.direction, count, self.journal.seconds))
            self.notes += reading.notes()
            self.journal.end(reading.checksum, last=following is None or reason is not None)
            if following is None or reason is not None:
                self._flush(f"after {step.file or step.version}", step)
                if trouble or reason:
                    raise Error(trouble or self._stopped_between(reason or "", step), **self.results())
                return
            reading = following
            self._before = State(step.leads_to, False)
            self._begin(reading, step)

    def _record(self, moved: Mapping[str, Any]) -> None:
        try:
            self.journal.record(None, moved)
        except ServerError as error:
            # A user who may only read can have nothing to do all the same.
            if error.lost or self.plan.steps:
                raise

    def scan(self) -> list[str]:
        """Return what golang-migrate could not run in the plan's files, without running them.

        :raises Error: a file cannot be read, or cannot be gone on with.
        """
        found: list[str] = []
        resumption = self.resumption
        while True:
            reading = self._open()
            if reading is None:
                self._look_ahead()
                return found
            if resumption is not None:
                self.find_place(resumption, reading)
                resumption = None
            while reading.take() is not None:
                pass
            found += reading.notes()

    def results(self) -> dict[str, Any]:
        """Return what has been carried out, as return values."""
        return {"from_version": self.plan.from_version, "applied": [item._asdict() for item in self.applied]}

    def _open(self) -> Optional[FileReader]:
        """Return the next step's file; None if there is none.

        :raises Error: it cannot be read, or asks for more than can be had.
        """
        reading = self._ahead.open()
        if reading is not None and reading.atomic:
            step = reading.step
            if self.journal.history is None:
                raise Error(f"{step.file} asks to be all-or-nothing, which needs the history: set history_table.")
            check_atomic(FileReader(self.session, self.directory, step), self.engines)
        return reading

    def _follow(self) -> tuple[Optional[FileReader], Optional[str]]:
        """Open the file of the step that follows; return it, or why that cannot be done."""
        try:
            return self._open(), None
        except Error as error:
            return None, str(error)

    def _has_strayed(self, step: Step) -> bool:
        """Tell whether the session has been left in another schema, by this run or by the one that it resumes."""
        if not self.journal.progress.log.has_used():
            return False
        try:
            return self.session.query("SELECT DATABASE()") != [(self.session.schema,)]
        except ServerError as error:
            self.guard.abandon(error)
            raise self._unrecorded(f"after {step.file or step.version}", step, error) from error

    def _left(self, reading: FileReader) -> Error:
        """Return the refusal to go on in another schema, into which golang-migrate would write its state."""
        step, schema = reading.step, self.session.schema
        reason = f"it leaves the session in another schema than {schema}"
        try:
            self.guard.stop()
        except RecordingFailed as failure:
            return self._unrecorded(f"after {step.file}", step, failure.error)
        self._settle()
        self.guard.close(FAILED, reason)
        return Error(
            f"{step.file}: all of it was run, but {reason}, and golang-migrate would write its state there. "
            f"The database is now at {stated(State(step.leads_to, True))}. End it with USE {schema}, and run again.",
            file=step.file,
            dirty=True,
            to_version=step.leads_to,
            **self.results(),
        )

    def _begin(self, reading: FileReader, before: Optional[Step]) -> None:
        self.journal.begin(reading.step)
        self.guard.safe = Position()
        if self.guard.holds and before is not None:
            # golang-migrate's own transaction ends what a file has left open, or fails at it.
            self._flush(f"after {before.file or before.version}", before)
        self._begin_whole(reading)

    def _begin_whole(self, reading: FileReader) -> None:
        if reading.atomic:
            try:
                self.guard.open_for_file()
            except RecordingFailed as failure:
                self.guard.abandon(failure.error)
                raise self._unrecorded(f"before {reading.step.file}", reading.step, failure.error) from failure
            self._settle()

    def _flush(self, where: str, step: Step) -> None:
        try:
            self.guard.flush()
        except RecordingFailed as failure:
            self.guard.abandon(failure.error)
            raise self._unrecorded(where, step, failure.error) from failure
        self._settle()

    def _settle(self) -> None:
        """What was waiting for its record has been committed."""
        self.applied += self._ran
        self._ran = []

    def _resume(self, resumption: Resumption, reading: FileReader) -> None:
        """Bring the session and the reading to the statement that is the next one.

        :raises Error: what was done has been changed, or it cannot be known what was done.
        """
        reached = self.find_place(resumption, reading)
        self.journal.begin(reading.step, Checkpoint(reached, None, resumption.progress.log), resumption.row)
        self.guard.safe = reached
        if not self.session.autocommit:
            self._flush(f"before {reading.step.file}", reading.step)
        self._begin_whole(reading)

    def find_place(self, resumption: Resumption, reading: FileReader) -> Position:
        """Find the statement that is the next one, and change nothing but the session.

        :raises Error: what was done has been changed, or it cannot be known what was done.
        """
        reached = retrace(self.session, resumption, reading)
        progress = resumption.progress
        flight = progress.flight if resumption.at is None and resumption.row.begun > resumption.row.done else None
        statement = reading.peek()
        if flight is not None and statement is not None:
            piece = self._ahead.classified(statement, progress.log)
            became = fate(self.session, piece, flight)
            if became is InFlightOutcome.UNKNOWN:
                raise unknown(resumption, reading.step, statement)
            if became is InFlightOutcome.DONE:
                if piece.digest != flight.digest:
                    raise changed(reading.step, statement)
                reading.take()
                reached = reached.after(piece.digest)
                progress.log.record(statement.number, piece.resolved_text, piece.effect, self.session)
        return reached

    def _run_script(self, reading: FileReader) -> None:
        """Run a file statement by statement."""
        while True:
            statement = reading.take()
            if statement is None:
                return
            reason = self.stopped()
            if reason is not None and self.journal.progress.reached.done:
                raise self._interrupted(reason, reading.step, statement)
            try:
                self._run_piece(self._ahead.classified(statement, self.journal.progress.log), reading)
            except StatementFailed as failure:
                if not failure.error.lost:
                    self._settle()
                back = self._before if reading.atomic else None
                self.guard.close(FAILED, str(failure.error.reason), failure.partly, back)
                raise self._failure(reading.step, statement, failure, back) from failure
            except RecordingFailed as failure:
                self.guard.abandon(failure.error)
                where = f"before {reading.step.file}:{statement.line}:{statement.column} (statement {statement.number})"
                raise self._unrecorded(where, reading.step, failure.error) from failure
            self._settle()

    def _run_piece(self, piece: ClassifiedStatement, reading: FileReader) -> None:
        following = self._ahead.following(reading, piece)
        ask = b""
        sent = self._judged(piece)
        if following is not None and following.reads_diagnostics and reading.peek() is following.statement:
            sent = sent._replace(asked_about=following.effect.kind)
        elif following is not None and piece.batchable and shows_in_one(following.effect):
            # A call has nobody knows how many answers.
            once = piece.effect.kind is not StatementKind.OPAQUE and not self.session.foreign_results
            ask = question(following.effect.objects[0]) if once else b""
        answer = self.guard.run(sent, self._flight(piece), ask, lambda: self._ahead.look_further(reading, following))
        self._known = None
        if ask and following is not None:
            objects = following.effect.objects
            known = InFlightStatement(following.digest, objects, (fingerprint(objects[0], answer),))
            self._known = (following.statement, known)
        try:
            if piece.resolved_text is not piece.statement.text and changes_reading(piece):
                self.session.read_sql_mode()
            self.engines.passed(piece.effect)
            number = piece.statement.number
            self.journal.progress.log.record(number, piece.resolved_text, piece.effect, self.session)
        except ServerError as error:
            raise RecordingFailed(error) from error

    def _judged(self, piece: ClassifiedStatement) -> Sent:
        # A question would come between the statement and the one that it asks about.
        if self.journal.history is None or piece.reads_diagnostics:
            return Sent(*piece)
        try:
            return Sent(*piece, unguarded=not self.engines.proven(piece.effect))
        except ServerError as error:
            raise RecordingFailed(error) from error

    def _flight(self, piece: ClassifiedStatement) -> Optional[InFlightStatement]:
        """Return the definitions of what a statement is about to define."""
        if piece.effect.kind is not StatementKind.DEFINITION or piece.reads_diagnostics:
            return None
        if self._known is not None and self._known[0] is piece.statement:
            return self._known[1]
        try:
            before = fingerprints(self.session, piece.effect.objects, piece.effect.replaces)
        except ServerError as error:
            raise RecordingFailed(error) from error
        return InFlightStatement(piece.digest, piece.effect.objects, tuple(before))

    def _interrupted(self, reason: str, step: Step, statement: Statement) -> Error:
        try:
            self.guard.stop()
        except RecordingFailed as failure:
            return self._unrecorded(f"before {step.file}:{statement.line}:{statement.column}", step, failure.error)
        self._settle()
        self.guard.close(INTERRUPTED, reason)
        return Error(
            f"{reason}: stopped before {step.file}:{statement.line}:{statement.column} (statement {statement.number}). "
            f"{self._standing(State(step.leads_to, True))} {self._way_on()}",
            **place_of(step, statement),
            dirty=True,
            to_version=step.leads_to,
            **self.results(),
        )

    def _stopped_between(self, reason: str, step: Step) -> str:
        left = len(self.plan.steps) - len(self.applied)
        return (
            f"{reason}: stopped after {step.file or step.version}; {len(self.applied)} migration(s) were applied, "
            f"{left} were not begun. The database is at version {named(step.leads_to)}. Run again to go on."
        )

    def _unrecorded(self, where: str, step: Step, error: ServerError) -> Error:
        all_of_it = f"All of {step.file or step.version} was run"
        run = all_of_it if where.startswith("after") else "Nothing after that was run"
        state = self.journal.state()
        stands = f"The database says: {stated(state)}" if state else "The database cannot be asked any more"
        return Error(
            f"The state table could not be written {where}: ({error.code}) {error.reason}. {run}. {stands}. "
            f"{_OPEN if error.code == _IN_TRANSACTION else self._way_on()}",
            error_code=error.code,
            file=step.file,
            dirty=state.dirty if state else True,
            to_version=state.version if state else step.leads_to,
            **self.results(),
        )

    def _failure(self, step: Step, statement: Statement, failure: StatementFailed, back: Optional[State]) -> Error:
        error = failure.error
        stands = back if back and not error.lost else State(step.leads_to, True)
        what = "failed" if not error.lost else "did not come to its end"
        return Error(
            f"{step.file}:{statement.line}:{statement.column}: statement {statement.number} {what}: "
            f"({error.code}) {error.reason}. {self._standing(stands)} {self._way_on(failure)} "
            f"The statement: {quoted(statement.text)}",
            **place_of(step, statement),
            error_code=error.code,
            dirty=stands.dirty,
            to_version=stands.version,
            **self.results(),
        )

    def _standing(self, state: State) -> str:
        done = self.guard.safe.done if self.journal.history else self.journal.progress.reached.done
        before = f"its first {done} statement(s) are done" if done else "nothing of it is done"
        return (
            f"{len(self.applied)} migration(s) were applied before this file; {before}. "
            f"The database is now at {stated(state)}."
        )

    def _way_on(self, failure: Optional[StatementFailed] = None) -> str:
        by_hand = "put it right by hand and set the version that the schema has then (module migration_force, playbook "
        by_hand += "dbops.migrations.force)"
        if self.journal.history is None:
            return f"{by_hand[0].upper()}{by_hand[1:]}, and run again."
        if failure is not None and failure.partly:
            return "It may have had an effect before it failed: look, and run again with resume_from."
        if failure is not None and not failure.error.lost:
            return f"Correct the statement in the file and run again, which goes on from there; or {by_hand}."
        return "Run again: it finds out how far the server got, and goes on from there."


def check_atomic(reading: FileReader, engines: TransactionalTables) -> None:
    """Check that a file can take effect as a whole or not at all.

    :raises Error: one of its statements cannot be undone, or ends the transaction.
    """
    while True:
        statement = reading.take()
        if statement is None:
            return
        effect = classify(statement.text, reading.script.dialect)
        rows = (
            effect.kind in (StatementKind.DATA, StatementKind.SESSION) and b"autocommit" not in statement.text.lower()
        )
        if not rows or not engines.proven(effect):
            raise Error(
                f"{reading.step.file}:{statement.line}:{statement.column}: the file asks to be all-or-nothing, and "
                f"statement {statement.number} cannot be undone: only statements that change rows of transactional "
                f"tables can. Nothing of the file was run. The statement: {quoted(statement.text)}",
                **place_of(reading.step, statement),
            )


def shows_in_one(effect: Effect) -> bool:
    """Tell whether the definition of one object shows whether a statement has been carried out."""
    return effect.kind is StatementKind.DEFINITION and len(effect.objects) == 1 and not effect.replaces
