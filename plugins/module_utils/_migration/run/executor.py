# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Executes a plan, file by file. Nothing else changes a database. Private to the collection."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from ..._core.errors import Error, coded
from ..._mysql.session import LARGE, Answer, ServerError, Session
from .. import messages
from ..files.client import client_command
from ..files.reader import FileReader, dialect_of
from ..files.splitter import Statement
from ..model import Plan, State, Step
from ..statements.classified import ClassifiedStatement, digest
from ..statements.classify import classify
from ..statements.effect import Effect, Object, StatementKind
from ..statements.fingerprints import ABSENT, fingerprint, fingerprints, question, shows
from ..statements.lookahead import Lookahead, changes_reading
from ..statements.session_state import prepared_text
from ..tables.checkpoint import Checkpoint, InFlightStatement, Position
from ..tables.history_table import FAILED, INTERRUPTED, AttemptRecord
from .attempt import AttemptRecorder
from .judge import Judge
from .recovery import Resumption, look_after, retrace
from .runner import LITERAL, Batch, LockLost, RecordingFailed, Sending, StatementFailed, StatementRunner
from .transaction import Facts, Owner

if TYPE_CHECKING:
    from ..progress.watch import Watch

# Seconds for which a transaction of several statements may hold its locks, and an answer about a definition holds.
_LONG = 0.2
# The server cannot carry out an ALTER by this ALGORITHM, or with this LOCK; MySQL has its own words where the rows have
# too many versions for INSTANT, or may become too long for it.
NOT_SO = (1845, 1846, 4092, 4093, 4157)
# So many definitions share a record at most.
_SERIES = 32
_INNODB = re.compile(rb"engine\s*=?\s*innodb", re.IGNORECASE)


class Known(NamedTuple):
    """What is known of a definition (DDL) that is about to be executed.

    :param flight: what is recorded when it begins.
    :param since: when the server was asked, in seconds.
    """

    statement: Statement
    flight: InFlightStatement
    since: float


class Applied(NamedTuple):
    """One migration that was carried out."""

    version: int
    title: str
    direction: str
    statements: int
    seconds: float


@dataclass
class Executor:
    """Executes a plan, and knows its progress at any time.

    :param directory: where the plan's files are.
    :param resumption: the attempt that the plan's first step resumes.
    :param stopped: returns why to stop after the statement that is running; None to continue.
    :param watch: is shown each statement as it is sent; None if nobody looks.
    :param before_step: is called before anything of a step is run or recorded, with whether the step resumes a
        migration that is partially applied; returns what is sent in place of its statements, see StatementRunner.
        Raises Error to have it not started.
    :ivar notes: what golang-migrate could not run in the files that were run.
    :ivar warnings: what else a person should know.
    """

    session: Session
    recorder: AttemptRecorder
    runner: StatementRunner
    directory: str
    plan: Plan
    resumption: Optional[Resumption] = None
    stopped: Callable[[], Optional[str]] = lambda: None
    watch: Optional[Watch] = None
    before_step: Optional[Callable[[Step, bool], Mapping[str, bytes]]] = None
    applied: list[Applied] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    _lookahead: Lookahead = field(init=False)
    _judge: Judge = field(init=False)
    _ran: list[Applied] = field(default_factory=list)
    _before: Optional[State] = None
    _known: Optional[Known] = None
    # When it was asked whether the tables are absent that definitions in flight make.
    _since: float = 0.0
    # Where the run is, for messages.
    _taken: Optional[Statement] = None
    _whole: bool = False
    # SET SESSION TRANSACTION READ ONLY: the server is asked whether it holds.
    _mentions_only: bool = False
    # Of whatever is done and not recorded it shows by itself that it is.
    _shows: bool = False
    # The same, if this table, which it has made, is InnoDB's.
    _made: Optional[Object] = None
    # How many statements may run in one transaction, and how many of the next ones go alone.
    _most: int = 32
    _alone: int = 0

    def __post_init__(self) -> None:
        self._look_ahead()

    def _look_ahead(self) -> None:
        self._lookahead = Lookahead(self.session, self.directory, self.plan.steps, self.recorder.history is not None)
        self._judge = Judge(self.session, self._lookahead, not self.recorder.isolates)

    def run(self, state: State, moved: Optional[Mapping[str, Any]] = None) -> None:
        """Carry out every step, in order.

        :param state: what the state table holds.
        :param moved: a move by something else that is to be recorded first.

        Between two steps the state goes from one dirty to the next one dirty in one transaction: whoever reads it in
        the meantime sees no less than golang-migrate shows, and a commit is saved.

        :raises Error: a statement failed. The state table then holds the version that the step leads to, dirty.
        """
        try:
            self._run(state, moved)
        except Error as error:
            changed = bool(self.applied) or self._taken is not None
            error.results = {"changed": changed, **self.results(), **error.results}
            raise

    def _run(self, state: State, moved: Optional[Mapping[str, Any]]) -> None:
        if self.plan.steps or moved:
            self.recorder.prepare(state)
        if moved:
            self._record(moved)
        reason = self.stopped() if self.plan.steps else None
        if reason is not None:
            raise Error(1808, f"{reason}: stopped before anything was run. Run again to continue.")
        reader = self._open()
        resumes = self.resumption is not None
        # What it was before an attempt that is resumed, nobody has written down.
        self._before = None if resumes else State(self.plan.from_version, False)
        while reader is not None:
            if self.before_step is not None:
                self.runner.spelled = self.before_step(reader.step, resumes)
            reader, resumes = self._run_step(reader, resumes), False

    def _run_step(self, reader: FileReader, resumes: bool) -> Optional[FileReader]:
        """Run a step's file; return the next one."""
        try:
            self._begin(reader, resumes)
            self._run_file(reader)
            if self.session.current_schema != self.session.schema:
                self._stop(reader)
                self.runner.close(FAILED, "left the session in another schema")
                raise messages.strayed(reader.step, self.session.schema)
            return self._end(reader)
        except LockLost as failure:
            raise messages.lock_lost(self.session.database, reader.step) from failure
        except RecordingFailed as failure:
            raise self._unrecorded(reader, failure) from failure

    def _end(self, reader: FileReader) -> Optional[FileReader]:
        """Record that a file is done; return the next one."""
        step, trouble = reader.step, None
        try:
            following = self._open()
        except Error as error:
            following, trouble = None, error
        reason = self.stopped() if following or trouble else None
        count = self.recorder.reached.done
        self._ran.append(Applied(step.version, step.title, step.direction, count, self.recorder.seconds))
        self.notes += reader.notes()
        # What the file leaves behind is met by the state's own write, as golang-migrate's meets it.
        read_only = self._is_read_only()
        left_open = self.runner.state.held or self.runner.state.next_only or read_only
        # What happens before the next one may take long, or fail: the state is clean then.
        apart = self.recorder.apart or self.before_step is not None
        ends = following is None or reason is not None or left_open or apart
        self.recorder.end(reader.checksum, last=ends)
        if ends:
            self._flush(read_only)
            if trouble is not None:
                raise trouble
            if reason is not None:
                left = len(self.plan.steps) - len(self.applied)
                raise messages.stopped_between(reason, step, len(self.applied), left)
        self._before = State(step.leads_to, False)
        return following

    def _is_read_only(self) -> bool:
        """Tell whether the session's transactions may only read, so that golang-migrate's would fail."""
        if not self._mentions_only:
            return False
        name = "transaction_read_only" if self.session.has_stats_expiry else "tx_read_only"
        try:
            return self.session.query(f"SELECT @@SESSION.{name}") == [(1,)]
        except ServerError as error:
            raise RecordingFailed(error, reading=True) from error

    def _record(self, moved: Mapping[str, Any]) -> None:
        try:
            self.recorder.record_move(None, moved)
        except ServerError as error:
            # A user who may only read can have nothing to do all the same.
            if error.lost or self.plan.steps:
                raise

    def scan(self) -> list[str]:
        """Return what golang-migrate could not run in the plan's files, without running them.

        :raises Error: a file cannot be read, or cannot be resumed.
        """
        found: list[str] = []
        resumption = self.resumption
        while True:
            reader = self._open()
            if reader is None:
                self._look_ahead()
                return found
            if resumption is not None:
                self.find_place(resumption, reader)
                resumption = None
            while reader.take() is not None:
                pass
            found += reader.notes()

    def results(self) -> dict[str, Any]:
        """Return what has been carried out, as return values."""
        return {"from_version": self.plan.from_version, "applied": [item._asdict() for item in self.applied]}

    def _open(self) -> Optional[FileReader]:
        """Return the next step's file; None if there is none.

        :raises Error: it cannot be read, or asks for more than is available.
        """
        reader = self._lookahead.open()
        if reader is not None and reader.atomic:
            if self.recorder.history is None:
                raise Error(
                    1632, f"{reader.step.file} asks to be all-or-nothing, which needs the history: set history_table."
                )
            self._check_atomic(FileReader(self.session, self.directory, reader.step))
        return reader

    def _check_atomic(self, reader: FileReader) -> None:
        """Check that a file can take effect as a whole or not at all.

        :raises Error: one of its statements is not proven to be undone with its transaction.
        """
        while True:
            statement = reader.take()
            if statement is None:
                return
            classified = self._lookahead.classified(statement)
            if not (_is_rows(classified.effect) and self._judge.proven(classified)):
                raise messages.not_atomic(reader.step, statement)
            if changes_reading(classified):
                # What follows is judged when it has its turn.
                return

    def _begin(self, reader: FileReader, resumes: bool) -> None:
        """Start the attempt at a file, or bring session and reader to where another one is to be resumed.

        :raises Error: what was done has been changed, or it cannot be known what was done.
        """
        self._taken, self._whole, self._made = None, False, None
        self._shows = self._shows and not resumes
        locks: list[bytes] = []
        if resumes and self.resumption is not None:
            reached = self.find_place(self.resumption, reader)
            log = self.resumption.checkpoint.log
            locks = log.locks()
            self.recorder.open(reader.step, Checkpoint(reached, None, log), self.resumption.record)
        else:
            self.recorder.open(reader.step)
        if not self.session.autocommit or self.recorder.apart:
            self._flush()
        if reader.atomic:
            self.runner.open_for_file()
            self._settle()
        if locks:
            self.runner.lock_again(locks, self._judge.locked_until(reader, self.recorder.reached.done))

    def _flush(self, plainly: bool = False) -> None:
        self.runner.flush(plainly)
        self._settle()

    def _settle(self) -> None:
        """What was waiting for its record has been committed."""
        self.applied += self._ran
        self._ran = []

    def find_place(self, resumption: Resumption, reader: FileReader) -> Position:
        """Find the statement that is the next one, and change nothing but the session.

        :raises Error: what was done has been changed, or it cannot be known what was done.
        """
        log, record = resumption.checkpoint.log, resumption.record
        believed: list[ClassifiedStatement] = []

        def classify(found: Statement) -> ClassifiedStatement:
            believed.append(self._lookahead.classified(found, log))
            return believed[-1]

        reached = retrace(self.session, resumption, reader, classify)
        self._warn_of_values(reader.step, believed)
        in_doubt, statement = resumption.in_doubt, reader.peek()
        if statement is not None and reached.done and resumption.at is None:
            self._check_diagnostics(reader.step, record, self._lookahead.classified(statement, log))
        if in_doubt is None:
            return reached
        if statement is None:
            raise messages.doubt_is_gone(reader.step, record.done + 1, record.begun)
        count = 1 + len(in_doubt.behind)
        statements = [item for item in map(reader.peek, range(count)) if item is not None]
        classifieds = [self._lookahead.classified(item, log) for item in statements]
        found = look_after(self.session, classifieds, in_doubt)
        if found.unknown is not None:
            first, last = found.unknown
            if first >= len(statements):
                raise messages.doubt_is_gone(reader.step, reached.done + first + 1, record.begun)
            last = record.begun if count == 1 else reached.done + last + 1
            raise messages.outcome_unknown(reader.step, statements[first], record.outcome, last)
        for item in classifieds[: found.done]:
            reader.take()
            reached = reached.after(item.digest)
            log.record(item.statement.number, item.resolved_text, item.effect, self.session)
        return reached

    def _check_diagnostics(self, step: Step, record: AttemptRecord, following: ClassifiedStatement) -> None:
        """Check that what comes next does not rely on what the last statement has reported to its session.

        :raises Error: it does.
        """
        effect = following.effect
        if following.reads_diagnostics and (effect.writes or effect.assigns or not effect.plain):
            raise messages.session_lost(step, record.done, record.begun, "the diagnostics", record.done)

    def _warn_of_values(self, step: Step, believed: Sequence[ClassifiedStatement]) -> None:
        """Say which values are lost, of statements that are done only because the user says so."""
        names: list[bytes] = []
        for item in believed:
            if item.effect.kind is not StatementKind.SESSION:
                names += item.effect.assigns if item.effect.plain else item.effect.variables
        if names:
            self.warnings.append(
                coded(*messages.values_unknown(step, [name.decode("utf-8", "replace") for name in names]))
            )

    def _run_file(self, reader: FileReader) -> None:
        """Run a file statement by statement."""
        while True:
            statement = reader.take()
            if statement is None:
                self._whole = True
                return
            self._taken = statement
            reason = self.stopped()
            if reason is not None and self.recorder.reached.done and self.runner.may_stop:
                self._stop(reader)
                self.runner.close(INTERRUPTED, reason)
                raise messages.stopped_inside(reason, reader.step, statement, len(self.applied), self._done())
            first = self._lookahead.classified(statement, self.recorder.log)
            alone, self._alone = self._alone, max(self._alone - 1, 0)
            batch = [] if alone else self._batch(first, reader) or self._assignments(first, reader)
            if self.watch is not None:
                self.watch.now = reader, first
            try:
                if batch:
                    self._run_batch(batch, reader)
                else:
                    self._run_statement(first, reader)
            except StatementFailed as failure:
                raise self._failed([first, *batch[1:]][failure.behind], reader, failure) from failure
            except ServerError as error:
                raise RecordingFailed(error, reading=True) from error
            self._settle()

    def _batch(self, first: ClassifiedStatement, reader: FileReader) -> list[ClassifiedStatement]:
        """Return the statements that may run in one transaction: the one that was taken last, and others after it.

        None, where it had better run alone: what is wanting of records is written before a statement that may run for
        long, or wait, so that it is seen.
        """
        found, size = [first], len(first.statement.text)
        if not (_is_literal(first) and self.runner.may_batch and self._judge.shares):
            return []
        while True:
            statement = reader.peek(len(found) - 1)
            item = None if statement is None else self._lookahead.classified(statement)
            if item is not None and item.reads_diagnostics:
                # It asks about the one before it, which runs alone.
                found.pop()
                break
            size += 0 if item is None else len(item.statement.text)
            if item is None or not _is_literal(item) or len(found) == self._most or size > LARGE:
                break
            found.append(item)
        tables = {item.effect.writes: item for item in found}
        pays = len(found) > 1 or (len(found) == 1 and self.recorder.pending and self._is_shown(first))
        return found if pays and all(self._judge.proven(item) for item in tables.values()) else []

    def _assignments(self, first: ClassifiedStatement, reader: FileReader) -> list[ClassifiedStatement]:
        """Return statements that do nothing but give user variables and prepared statements a value, to go together.

        None, where it had better go alone. Only the last may prepare: what is executed then has to be known first.
        """
        found: list[ClassifiedStatement] = []
        item: Optional[ClassifiedStatement] = first
        if not self.runner.may_batch:
            return []
        while item is not None and not item.reads_diagnostics and self._only_assigns(item):
            found.append(item)
            statement = reader.peek(len(found) - 1)
            prepares = item.effect.verb == b"PREPARE" or sum(len(each.statement.text) for each in found) > LARGE
            item = None if statement is None else self._lookahead.classified(statement)
            if prepares or len(found) == _SERIES:
                break
        if item is not None and item.reads_diagnostics:
            # It asks about the one before it, which runs alone.
            found = found[:-1]
        return found if len(found) > 1 else []

    def _only_assigns(self, item: ClassifiedStatement) -> bool:
        effect, statement = item.effect, item.statement
        if not (effect.plain and statement.bounded) or statement.suffix or statement.text.endswith(b"\0"):
            return False
        if effect.verb in (b"PREPARE", b"DEALLOCATE"):
            return effect.kind is StatementKind.SESSION and bool(effect.name)
        # One that is refused has done nothing then, and may be run again.
        one = effect.verb == b"SET" and len(effect.sets) == 1 and effect.sets == effect.assigns
        return one and not self._judge.tables.reads(effect)

    def _run_batch(self, batch: Sequence[ClassifiedStatement], reader: FileReader) -> None:
        """Run statements in one packet; those that cannot be run so, alone."""
        last, others, rows = batch[-1], len(batch) - 1, _is_literal(batch[0])
        following = self._lookahead.following(reader, last, others)
        self.recorder.log.read_values(self.session, reader.variables)
        about, ask = self._question(last, following, reader, others) if rows else (None, self._prepared(last))
        began = time.monotonic()
        ran = self.runner.run_batch(
            Batch(
                batch,
                rows,
                self._is_shown(batch[0]) if rows else self._shows and not self.recorder.state_waits,
                ask,
                lambda: self._lookahead.look_further(reader, following, others),
                self._begins_behind(reader, others) if rows else None,
            )
        )
        self._alone = ran.alone
        if rows:
            self._most = _next_size(self._most, len(batch), time.monotonic() - began)
        if not self.recorder.pending:
            self._shows, self._made = True, None
        for item in batch[: ran.done]:
            if item is not batch[0]:
                reader.take()
            if not rows:
                self._log(item, ran.answer if item is last else None)
        if not ran.done:
            self._alone -= 1
            self._run_statement(batch[0], reader)
        if ran.done == len(batch) and about is not None:
            self._learn(about, ran.answer)

    def _prepared(self, statement: ClassifiedStatement) -> bytes:
        """Return the question for the text that a statement prepares."""
        prepares = statement.effect.verb == b"PREPARE" and not self.session.foreign_results
        return prepared_text(statement.effect.source) if prepares else b""

    def _log(self, statement: ClassifiedStatement, prepared: Optional[Answer]) -> None:
        number, text, effect = statement.statement.number, statement.resolved_text, statement.effect
        self.recorder.log.record(number, text, effect, self.session, prepared=prepared)

    def _run_statement(self, statement: ClassifiedStatement, reader: FileReader) -> None:
        facts, last = self._judge.judge(statement, reader, self.runner.state) if self._judges else (_AS_IT_IS, None)
        facts = facts._replace(shown=not self.recorder.state_waits and self._is_shown(statement, facts))
        if self.runner.state.owner is Owner.FILE and not (_is_rows(statement.effect) and facts.proven):
            self._stop(reader)
            self.runner.close(FAILED, "not all-or-nothing", state=self._before)
            raise messages.not_atomic(reader.step, statement.statement)
        following = None
        if not (facts.observed or facts.kind is StatementKind.NEXT_TRANSACTION):
            following = self._lookahead.following(reader, statement)
        if not (facts.reads_diagnostics or self.runner.state.sealed or self.runner.state.next_only):
            self.recorder.log.read_values(self.session, reader.variables)
        if facts.kind is StatementKind.OPAQUE and self.runner.state.owner is Owner.USER:
            # It may commit, and continue in another transaction.
            last = last or self.recorder.section_last
        in_flight = self._in_flight(statement, facts, reader)._replace(last=last)
        # Of a series all is known.
        about, ask = (None, b"") if in_flight.behind else self._question(statement, following, reader)
        facts = facts._replace(begun=in_flight == self.recorder.in_flight)
        following_flight = self._begins_behind(reader) if _is_literal(statement) else None
        settings = None if facts.proven else self.session.settings
        answer = self.runner.run(
            Sending(
                statement,
                facts,
                in_flight,
                ask,
                lambda: self._lookahead.look_further(reader, following),
                following_flight,
            )
        )
        if not _is_literal(statement):
            self._known = self._next_of_series(reader)
        if not (facts.shown and self.recorder.pending):
            self._shows, self._made = not self.recorder.pending, None
        if self._judges and shows(statement.effect, in_flight.before, self.session.atomic_ddl):
            self._shows = _stays_innodb(statement, in_flight)
            self._made = statement.effect.objects[0] if in_flight.before == (ABSENT,) else None
        if self._judges:
            # Without IF NOT EXISTS, that it succeeded says so; with it, that the table was absent just now.
            plainly = in_flight.before == (ABSENT,) or b"exists" not in statement.resolved_text.lower()
            new = statement.effect.verb == b"CREATE" and plainly
            self._judge.tables.passed(statement.effect, new)
            known = facts.proven or facts.kind is StatementKind.DEFINITION
            number, text, effect = statement.statement.number, statement.resolved_text, statement.effect
            self.recorder.log.record(number, text, effect, self.session, known)
            if facts.observed:
                self.recorder.log.record_diagnostics(number)
            if settings is not None:
                self.recorder.log.record_settings(number, settings, self.session.settings)
            if effect.kind in (StatementKind.SESSION, StatementKind.OPAQUE) and b"only" in text.lower():
                self._mentions_only = True
            if self._mentions_only and not facts.observed:
                # Ours would be READ WRITE, and let rows be written that golang-migrate has refused.
                self._judge.shares = not (self.recorder.isolates or self._is_read_only())
        if about is not None:
            self._learn(about, answer)

    @property
    def _judges(self) -> bool:
        return self.recorder.history is not None

    def _is_shown(self, statement: ClassifiedStatement, facts: Facts = LITERAL) -> bool:
        """Tell whether a statement need not wait until what is done before it is recorded.

        Whoever finds what was defined, and not its record, knows that it was: it is InnoDB's, or rows of it were not
        proven. What may run for long is not sent before, so that it is seen.
        """
        if facts.kind is StatementKind.SESSION:
            return self._shows and not self._judge.tables.reads(statement.effect)
        return _is_literal(statement) and (self._shows or self._made in statement.effect.writes)

    def _question(
        self,
        statement: ClassifiedStatement,
        following: Optional[ClassifiedStatement],
        reader: FileReader,
        distance: int = 0,
    ) -> tuple[Optional[ClassifiedStatement], bytes]:
        """Return what is to be asked together with a statement, and about which of those after it."""
        # A call has nobody knows how many answers.
        opaque = statement.effect.kind is StatementKind.OPAQUE or not statement.batchable
        if following is None or opaque or self.session.foreign_results or following.reads_diagnostics:
            return None, b""
        if not self.session.autocommit:
            # It would begin a transaction.
            return None, b""
        about, ask = following, b""
        if about.effect.kind is StatementKind.DATA:
            ask = self._judge.tables.question(about.effect)
        if not ask and _is_literal(about):
            about = self._behind_rows(reader, distance) or about
        effect = about.effect
        if effect.kind is StatementKind.DEFINITION and len(effect.objects) == 1 and not effect.replaces:
            ask = question(effect.objects[0])
        return (about, ask) if ask else (None, b"")

    def _behind_rows(self, reader: FileReader, distance: int) -> Optional[ClassifiedStatement]:
        """Return the statement of the same file that comes after the literal rows that come next."""
        size = 0
        for place in range(distance, distance + self._most):
            statement = reader.peek(place)
            size += len(statement.text) if statement is not None else 0
            if statement is None or size > LARGE:
                return None
            item = self._lookahead.classified(statement)
            if not _is_literal(item):
                return None if item.reads_diagnostics else item
        return None

    def _learn(self, about: ClassifiedStatement, answer: Any) -> None:
        """Take in what was asked about one of the statements behind the one that has been run."""
        effect = about.effect
        if effect.kind is StatementKind.DATA:
            self._judge.tables.learn(effect, answer)
            return
        before = (fingerprint(effect.objects[0], answer),)
        flight = InFlightStatement(about.digest, effect.objects, before)
        self._known = Known(about.statement, flight, time.monotonic())

    def _known_of(self, statement: Optional[Statement]) -> Optional[InFlightStatement]:
        """Return what is known of a definition; None if nothing is, or if it may have changed meanwhile."""
        known = self._known
        if known is None or known.statement is not statement or time.monotonic() - known.since > _LONG:
            return None
        return known.flight

    def _begins_behind(self, reader: FileReader, distance: int = 0) -> Optional[InFlightStatement]:
        """Return what begins behind literal rows, so that their record can say it; None if it is not known."""
        return self._known_of(reader.peek(distance))

    def _next_of_series(self, reader: FileReader) -> Optional[Known]:
        """Return what is known of the next definition, if it begins without a record of its own."""
        flight, statement = self.recorder.in_flight, reader.peek()
        if flight is None or flight.last is not None or statement is None:
            return None
        return Known(statement, flight, self._since) if digest(statement.text) == flight.digest else None

    def _in_flight(self, statement: ClassifiedStatement, facts: Facts, reader: FileReader) -> InFlightStatement:
        """Return what is recorded when a statement begins: the definitions of what it is about to define."""
        effect = statement.effect
        asks_nobody = facts.observed or statement.reads_diagnostics or self.runner.state.next_only
        if effect.kind is not StatementKind.DEFINITION or asks_nobody:
            return InFlightStatement(statement.digest)
        if effect.names and not self._judge.tables.proven(effect._replace(kind=StatementKind.DATA, writes=())):
            # What its SELECT calls may have an effect that its definition does not show.
            return InFlightStatement(statement.digest)
        known = self._known_of(statement.statement)
        if known is not None:
            return known if known == self.recorder.in_flight else self._with_series(statement, known, reader)
        before = fingerprints(self.session, effect.objects, effect.replaces)
        flight = InFlightStatement(statement.digest, effect.objects, tuple(before))
        return self._with_series(statement, flight, reader)

    def _with_series(
        self, first: ClassifiedStatement, flight: InFlightStatement, reader: FileReader
    ) -> InFlightStatement:
        """Add the definitions after one that can begin with its record: each makes another table, that is absent.

        They take no time, so that little can happen to what is known of the last of them.
        """
        table, tables = _table_made(first), set()
        found: list[ClassifiedStatement] = []
        if not shows(first.effect, flight.before, self.session.atomic_ddl):
            return flight
        while table is not None and table not in tables and len(found) < _SERIES:
            tables.add(table)
            statement = reader.peek(len(found))
            if statement is None:
                break
            found.append(self._lookahead.classified(statement))
            table = _table_made(found[-1])
        # The last one that was looked at makes none, or one of those before it.
        found = found[: len(tables) - 1]
        if not found:
            return flight
        self._since = time.monotonic()
        absent = self._judge.tables.absent([item.effect.objects[0] for item in found])
        behind = [InFlightStatement(item.digest, item.effect.objects, (ABSENT,)) for item in found[: len(absent)]]
        return flight._replace(behind=tuple(behind))

    def _failed(self, classified: ClassifiedStatement, reader: FileReader, failure: StatementFailed) -> Error:
        error, step, statement = failure.error, reader.step, classified.statement
        if not error.lost:
            self.runner.write_state()
            self._settle()
        first = self.recorder.committed.done + 1
        in_doubt = None if failure.partly is None else (first, failure.partly.last or first)
        # The file had no effect: it was one transaction, or nothing else of it was sent.
        nothing = reader.atomic or (statement.number == 1 and self._refused_to_begin(classified, error))
        back = self._before if nothing and in_doubt is None else None
        done = 0 if back else self._done()
        # Nothing is left to be resumed then, nor any later attempt that would release what a server has quoted.
        reason = f"({error.code})" if back else messages.reason_text(error)
        self.runner.close(FAILED, reason, failure.partly, back)
        state = back if back and not error.lost else State(step.leads_to, True)
        advice = self._advice(classified, error)
        return messages.statement_failed(step, statement, error, len(self.applied), done, state, in_doubt, advice)

    def _refused_to_begin(self, classified: ClassifiedStatement, error: ServerError) -> bool:
        """Tell whether the server refused the clause by which a statement was rehearsed, which it does at once."""
        return classified.digest in self.runner.spelled and error.code in NOT_SO

    def _advice(self, classified: ClassifiedStatement, error: ServerError) -> str:
        """Return what is to be known about a statement of that kind."""
        if self._refused_to_begin(classified, error):
            return (
                "It was sent with the clause by which it was rehearsed, and the server cannot run it that way here. "
                "To let it run in any way, set assert_impact to false."
            )
        if classified.digest in self.runner.spelled and classified.effect.verb == b"DROP":
            return "RENAME TABLE was sent in its place, to keep what it drops (keep_destroyed)."
        command = client_command(classified.statement.text)
        if command:
            return (
                f"{command} is a command of the mysql client, which the server does not know: remove it from the file."
            )
        effect = classify(classified.statement.text, dialect_of(self.session))
        if effect.verb == b"EXECUTE":
            number = self.recorder.log.prepared_at(effect.name)
            if number is not None:
                return (
                    f"Its text was prepared by statement {number}: if that one, or what it was made of, must be "
                    "changed, change it and run again, which says how to resume."
                )
        return ""

    def _done(self) -> Optional[int]:
        return self.recorder.committed.done if self._judges else None

    def _stop(self, reader: FileReader) -> None:
        try:
            self.recorder.log.read_values(self.session, reader.variables)
        except ServerError as error:
            raise RecordingFailed(error, reading=True) from error
        self.runner.stop()
        self._settle()

    def _unrecorded(self, reader: FileReader, failure: RecordingFailed) -> Error:
        with suppress(LockLost):
            self.runner.abandon(failure.error)
        step, statement = reader.step, self._taken
        if self._whole or statement is None:
            where = f"{'after' if self._whole else 'before'} {step.file or step.version}"
        else:
            where = f"before {step.file}:{statement.line}:{statement.column} (statement {statement.number})"
        state = self.recorder.state()
        return messages.recording_failed(where, self._whole, step, failure.error, failure.reading, state, self._judges)


def _table_made(statement: ClassifiedStatement) -> Optional[bytes]:
    """Return the table that a statement plainly makes, in the default engine or in InnoDB; None if it does not."""
    effect, text = statement.effect, statement.resolved_text
    if effect.kind is not StatementKind.DEFINITION or effect.verb != b"CREATE" or not statement.batchable:
        return None
    thing = effect.objects[0]
    made = effect.plain and effect.whole and not (effect.replaces or effect.names or statement.reads_diagnostics)
    engine = b"engine" not in text.lower() or _INNODB.search(text) is not None
    # What another spelling of a name may be is not asked.
    known = thing.sort == "TABLE" and thing.name.isascii() and b"." not in thing.name
    return thing.name.strip(b'`"').lower() if made and engine and known else None


def _stays_innodb(statement: ClassifiedStatement, in_flight: InFlightStatement) -> bool:
    """Tell whether what a statement has defined is InnoDB's, or no table at all."""
    text, effect = statement.resolved_text, statement.effect
    if effect.objects[0].sort != "TABLE" or effect.verb == b"DROP" or _INNODB.search(text):
        return True
    return in_flight.before != (ABSENT,) and b"engine" not in text.lower()


def _is_literal(statement: ClassifiedStatement) -> bool:
    return statement.effect.literal and statement.batchable and not statement.reads_diagnostics


def _next_size(most: int, size: int, seconds: float) -> int:
    """Return how many statements may run in one transaction, so that nobody waits long for it.

    :param most: how many they may be now.
    :param size: how many the last were.
    :param seconds: how long they took.
    """
    if seconds > _LONG:
        return max(size // 2, 2)
    return 2 * most if size == most and seconds < _LONG / 4 else most


def _is_rows(effect: Effect) -> bool:
    """Tell whether a statement may be in a file that is all-or-nothing, if it is proven."""
    return effect.kind in (StatementKind.DATA, StatementKind.SESSION) and b"autocommit" not in effect.sets


# Without a history nothing can be recorded of a statement, and it is sent as golang-migrate sends it.
_AS_IT_IS = Facts(StatementKind.SESSION, proven=True)
