# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sends statements, each in a packet with what is recorded about it. Private to the collection.

What goes into a packet is decided in transaction.py, what is recorded in attempt.py.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple, Optional

from ..._mysql.limit import Limit
from ..._mysql.lock import Lock
from ..._mysql.session import SEPARATOR, Packet, ServerError, Session
from ..._mysql.session import Answer as Rows
from ..._mysql.statements import IMPATIENT, PATIENT, ROLLBACK, START_TRANSACTION
from ..model import State
from ..statements.classified import ClassifiedStatement
from ..statements.effect import StatementKind
from ..statements.fingerprints import fingerprints
from ..tables.checkpoint import InFlightStatement
from . import transaction
from .attempt import AttemptRecorder
from .transaction import Act, Facts, Owner, PacketPlan, TxState

_LOCK_WAIT_TIMEOUT = 1205
_NO_SUCH_ROUTINE = 1305
_DEADLOCK = 1213
_ENDED = 1317
# Of rows that may be one of a batch, and of what only gives variables a value, before they are sent.
LITERAL = Facts(StatementKind.DATA, proven=True, batchable=True)
_ASSIGNS = Facts(StatementKind.SESSION, proven=True)
# Seconds; others that queue for the lock go first.
_PAUSE = 1.0
# They change nothing but their session, so that repeating them does no harm.
_OF_THE_SESSION = (StatementKind.SESSION, StatementKind.NEXT_TRANSACTION)
_STAY_INSIDE = (StatementKind.SESSION, StatementKind.DATA)
# To create one again would be refused, and to drop one that is gone.
_OF_TEMPORARY_TABLES = (b"CREATE TEMPORARY", b"DROP")
_PREPARED, _TEXT = b"dbops_migrations_check", b"@dbops_migrations_check"
_XID = re.compile(rb"^\W*xa\s+(?:start|begin)\s+|\s+(?:join|resume)\s*$", re.IGNORECASE)
_CALLED = re.compile(rb"call\s+([^\s(;]+)", re.IGNORECASE)


class RecordingFailed(Exception):
    """The state or the history could not be read or written; the statement that comes next was not run.

    :ivar reading: whether it was a question that failed.
    """

    def __init__(self, error: ServerError, reading: bool = False) -> None:
        super().__init__(str(error))
        self.error = error
        self.reading = reading


class LockLost(Exception):
    """The database's lock was lost, and another run holds it or has held it since; nothing more was run."""


class StatementFailed(Exception):
    """The server refused a statement, or the connection was lost while it ran.

    :ivar partly: what may have had an effect nevertheless; None if nothing has.
    :ivar behind: how many statements stood before it in its packet.
    """

    def __init__(self, error: ServerError, partly: Optional[InFlightStatement], behind: int = 0) -> None:
        super().__init__(str(error))
        self.error = error
        self.partly = partly
        self.behind = behind


class Sending(NamedTuple):
    """A statement on its way.

    :param in_flight: what is recorded if its beginning is.
    :param ask: a question of ours to be answered with it.
    :param meanwhile: what to do while the server is busy.
    :param following: what begins next, to be recorded with it.
    """

    statement: ClassifiedStatement
    facts: Facts
    in_flight: InFlightStatement
    ask: bytes = b""
    meanwhile: Optional[Callable[[], None]] = None
    following: Optional[InFlightStatement] = None


class Batch(NamedTuple):
    """Statements on their way in one packet.

    :param statements: INSERTs of literals into tables that are proven to be transactional, which run in one
        transaction; or what only gives user variables and prepared statements a value, each by itself.
    :param rows: whether they are such INSERTs.
    :param shown: as of Facts, of the first of them.
    :param ask: a question of ours to be answered with them.
    :param meanwhile: what to do while the server is busy.
    :param following: what begins next, to be recorded with them.
    """

    statements: Sequence[ClassifiedStatement]
    rows: bool = True
    shown: bool = False
    ask: bytes = b""
    meanwhile: Optional[Callable[[], None]] = None
    following: Optional[InFlightStatement] = None


class RanBatch(NamedTuple):
    """What has become of statements that were to run in one packet.

    :param done: how many of them are done.
    :param alone: how many of the next ones are to be run alone.
    :param answer: to the question, if all are done.
    """

    done: int
    alone: int
    answer: Rows


class Open(NamedTuple):
    """The transaction that was open before a statement.

    :param is_open: whether one was.
    :param wrote: it has written what a rollback does not undo.
    :param unproven: something was run in it that is not proven.
    :param called: something was run in it, or before it in one statement with its beginning, that may have committed.
    """

    is_open: bool
    wrote: bool
    unproven: bool
    called: bool

    def lasting(self, session: Session, facts: Facts, plan: PacketPlan) -> bool:
        """Tell whether something of it may be left after a statement that was refused, and is not recorded."""
        if not self.is_open or Act.COMMIT in plan.before:
            return False
        # A definition commits before it fails.
        committed = not session.in_transaction and Act.RECORD not in plan.before and facts.kind not in _STAY_INSIDE
        return self.wrote or self.called or committed or (self.unproven and not session.tracked)


class StatementRunner:
    """Runs one statement after the other.

    :param lock: the database's lock; None if none is taken.
    :param retries: how often a statement is tried again that waited too long for a lock.
    :param limit: how long a statement may take.
    :param batches: whether several statements may run in one transaction.
    :param spelled: what is sent in place of a statement, by its digest: the same with a clause that has the server
        refuse to carry it out in another way.
    :ivar state: of the session.
    :ivar retried: how often that happened.
    """

    def __init__(
        self,
        session: Session,
        recorder: AttemptRecorder,
        lock: Optional[Lock],
        retries: int = 0,
        limit: Optional[Limit] = None,
        batches: bool = True,
    ) -> None:
        self._session = session
        self._recorder = recorder
        self._lock = lock
        self._retries = retries
        self._limit = limit
        self._batches = batches and limit is None
        self.spelled: Mapping[str, bytes] = {}
        self.state = TxState()
        self.retried = 0
        self._xid = b""
        # In a transaction of the file's something was run that is not proven.
        self._unproven = False
        # In the open transaction something was written that a rollback does not undo. A deadlock ends it.
        self._wrote = False
        # A call was run that may have committed, and opened it again.
        self._called = False
        # A statement since the last guard may have released the lock.
        self._unguarded = True

    def run(self, sending: Sending) -> Rows:
        """Run a statement.

        :returns: the answer to its question.
        :raises StatementFailed: the server refused it, or the connection was lost while it ran.
        :raises RecordingFailed: what came before it, or the statement itself, could not be recorded.
        :raises LockLost: the lock is gone.
        """
        recorder, session, facts = self._recorder, self._session, sending.facts
        history = recorder.history is not None
        inside = session.in_transaction or session.has_savepoint
        if self._unguarded:
            # The guard goes with a record ahead.
            facts = facts._replace(shown=False, begun=False)
        plan = transaction.plan_packet(self.state, facts, recorder.pending, inside, history)
        open_before = Open(inside, self._wrote, self._unproven, self._called)
        self._unproven |= self.state.owner is Owner.USER and not facts.proven
        of_users = self.state.owner is Owner.USER and inside
        answer = self._send(sending, plan, open_before)
        if facts.kind is StatementKind.XA and facts.verb in (b"START", b"BEGIN"):
            self._xid = _XID.sub(b"", sending.statement.statement.text)
        self.state = transaction.after(self.state, facts, self._answer())
        self._unguarded = (self._unguarded and Act.RECORD not in plan.before) or not (
            history and _keeps_lock(sending.statement, facts)
        )
        self._unproven = self._unproven and session.in_transaction
        self._wrote = session.in_transaction and session.wrote_nontransactional
        self._called = session.in_transaction and (self._called or facts.kind is StatementKind.OPAQUE)
        set_now = facts.verb == b"SAVEPOINT" and self.state.owner is Owner.USER
        # SET autocommit = 1 ends a transaction, too, as a call may.
        outside = session.autocommit and not session.in_transaction
        ended = outside or facts.kind in (StatementKind.COMMIT, StatementKind.BEGIN, *transaction.COMMITS)
        session.has_savepoint = set_now or (session.has_savepoint and not ended)
        # In the file's own transaction savepoints count, too, and SET autocommit = 1, which ends it.
        of_transaction = of_users or (self.state.owner is Owner.USER and session.in_transaction)
        recorder.answered(
            lasting=facts.kind not in _OF_THE_SESSION or facts.verb in _OF_TEMPORARY_TABLES or of_transaction,
            settled=not session.in_transaction and not self.state.xa,
            sealed=self.state.sealed,
        )
        return answer

    def _answer(self) -> transaction.Answer:
        session = self._session
        locks = session.transaction.table_locks if session.tracked else None
        return transaction.Answer(session.in_transaction, session.autocommit, locks)

    def _send(self, sending: Sending, plan: PacketPlan, open_before: Open) -> Rows:
        """Send a statement with what goes ahead of it and after it; again if it has waited too long for a lock."""
        statement, facts = sending.statement, sending.facts
        sent = self._recorder.send(plan, [statement.digest], sending.in_flight, self._unguarded, sending.following)
        text = self.spelled.get(statement.digest, statement.statement.text + statement.statement.suffix)
        packet = Packet(text, sent.before, sent.after, sending.ask, sending.meanwhile, facts.observed)
        left = self._retries if self._may_be_repeated(facts) else 0
        while True:
            try:
                return self._watched(packet, facts)
            except ServerError as error:
                place = len(packet.before)
                if self._lock is not None and self._lock.lost(error):
                    self._take_lock_again(self._lock, error)
                    continue
                # What a call answers, and how often, nobody knows beforehand.
                behind = error.place > place and facts.kind is not StatementKind.OPAQUE
                if error.place < place or behind:
                    self._recorder.refused(error.place)
                    raise self._unrecorded(error) from error
                if error.code != _LOCK_WAIT_TIMEOUT or not left:
                    self._recorder.refused(len(sent.before))
                    raise StatementFailed(error, self._leave(sending, plan, open_before, error)) from error
                # The statement had no effect.
                left -= 1
                self.retried += 1
                time.sleep(_PAUSE)
                packet = packet._replace(
                    before=[ROLLBACK, START_TRANSACTION] if plan.before[-1:] == (Act.START,) else []
                )

    @property
    def may_batch(self) -> bool:
        """Whether statements may run in one packet now: nothing else is running, and none has a time limit."""
        state = self.state
        idle = not (state.held or state.next_only or state.observed) and self._session.autocommit
        return idle and self._batches and self._recorder.history is not None

    def run_batch(self, batch: Batch) -> RanBatch:
        """Run statements in one packet; rows in one transaction that ends with their record.

        Whatever one of them meets that a statement may meet, what came before it is committed with its record, if the
        server has left that, and it is to be run again by itself. No row waits for a lock for more than a second, as it
        holds those of the others.

        :raises StatementFailed: the connection was lost, or somebody has ended the statement.
        :raises RecordingFailed: what came before them, or they themselves, could not be recorded.
        :raises LockLost: the lock is gone.
        """
        recorder, session = self._recorder, self._session
        digests = [statement.digest for statement in batch.statements]
        facts = LITERAL if batch.rows else _ASSIGNS
        facts = facts._replace(shown=batch.shown and not self._unguarded)
        plan = transaction.plan_packet(self.state, facts, recorder.pending, session.in_transaction)
        sent = recorder.send(plan, digests, None, self._unguarded, batch.following)
        text = SEPARATOR.encode().join([statement.statement.text for statement in batch.statements])
        before, after = ([*sent.before, IMPATIENT], [*sent.after, PATIENT]) if batch.rows else (sent.before, sent.after)
        while True:
            try:
                answer = session.execute(text, before, after, batch.ask, batch.meanwhile, count=len(digests))
                break
            except ServerError as error:
                if self._lock is not None and self._lock.lost(error):
                    self._take_lock_again(self._lock, error)
                    continue
                place = error.place - len(before)
                recorder.refused(error.place)
                if not 0 <= place < len(digests):
                    raise self._unrecorded(error) from error
                done = self._end_batch(batch.rows, digests[:place], error)
                return RanBatch(done, place + 1 - done, [])
        self.state = transaction.after(self.state, facts, self._answer())
        self._unguarded = self._unguarded and Act.RECORD not in plan.before
        recorder.answered(lasting=batch.rows, settled=not session.in_transaction, sealed=False)
        return RanBatch(len(digests), 0, answer)

    def _end_batch(self, rows: bool, digests: Sequence[str], error: ServerError) -> int:
        """End a packet of statements of which one was refused; return how many of them are done.

        :param digests: of those before it.
        :raises StatementFailed: that one is not to be run again.
        :raises RecordingFailed: those before it could not be recorded.
        """
        done = 0
        if rows and not error.lost:
            done = self._end_rows(digests, error)
        elif not rows:
            self._recorder.carried_out(digests, lasting=False)
            done = len(digests)
        if error.lost or error.code == _ENDED:
            raise StatementFailed(error, None, len(digests)) from error
        return done

    def _end_rows(self, digests: Sequence[str], error: ServerError) -> int:
        recorder, session, done = self._recorder, self._session, 0
        try:
            if digests and session.in_transaction and error.code != _DEADLOCK:
                recorder.carried_out(digests)
                self._execute(recorder.writing([]))
                recorder.wrote()
                done = len(digests)
            else:
                session.query(ROLLBACK)
            session.execute(PATIENT.encode())
        except ServerError as failure:
            raise self._unrecorded(failure) from failure
        self._is_over()
        return done

    def _may_be_repeated(self, facts: Facts) -> bool:
        if self.state.held or self.state.next_only or self.state.observed:
            return False
        return facts.kind is StatementKind.DEFINITION or (facts.kind is StatementKind.DATA and facts.proven)

    def _watched(self, packet: Packet, facts: Facts) -> Rows:
        if self._limit is None:
            return self._session.execute(*packet)
        opening, closing = packet.before, packet.after
        try:
            with self._limit.watch():
                # Whether it was ended is to be known before it is committed.
                answer = self._session.execute(*packet._replace(after=[], ask=b"" if closing else packet.ask))
            if self._limit.exceeded and facts.kind is not StatementKind.DEFINITION:
                # There are statements that the server lets succeed when they are ended.
                failure = ServerError(_ENDED, "the statement was ended", "The server")
                failure.place = len(opening)
                raise failure
        except ServerError as error:
            if self._limit.exceeded:
                error.reason += f" (statement_timeout: {self._limit.seconds} s)"
            raise
        if closing:
            try:
                answer = self._session.execute(closing[-1].encode(), closing[:-1], [], packet.ask)
            except ServerError as error:
                error.place = len(opening) + 1
                raise
        return answer

    def _take_lock_again(self, lock: Lock, error: ServerError) -> None:
        """Take the lock again that the file has released, unless another run has held it since.

        :raises LockLost: somebody has, or has the lock.
        """
        try:
            if lock.retake() and self._recorder.is_untouched():
                return
        except ServerError as failure:
            self._recorder.refused(0)
            raise RecordingFailed(failure, reading=True) from failure
        self._recorder.refused(0)
        self._roll_back()
        raise LockLost from error

    def _leave(
        self, sending: Sending, plan: PacketPlan, open_before: Open, error: ServerError
    ) -> Optional[InFlightStatement]:
        """Leave whatever is open after an error; return what may have had an effect all the same."""
        if error.lost:
            return None
        state, recorder, session = self.state, self._recorder, self._session
        number, facts = sending.statement.statement.number, sending.facts
        inside = state.owner is Owner.USER or (facts.wrapped and plan.before[-1:] == (Act.START,))
        wrote = session.wrote_nontransactional or session.transaction.nontransactional_writes
        # An error that ends the transaction leaves no word of what the statement had written in it.
        unsaid = not facts.proven and not (session.tracked and session.in_transaction)
        earlier = open_before.lasting(session, facts, plan)
        with suppress(ServerError):
            joined = not state.held and (Act.RECORD in plan.before or state.owner is Owner.RECORDER)
            if joined and Act.COMMIT not in plan.before and session.in_transaction:
                # The statements before this one in its transaction have succeeded.
                self._execute(recorder.writing([]))
                recorder.wrote()
            self._roll_back()
            recorder.find_committed()
            earlier = earlier and recorder.history is not None and recorder.committed.done < number - 1
            if not earlier and not self._had_effect(sending, inside, wrote or unsaid, error):
                return None
        last = number if number > recorder.committed.done + 1 else None
        return sending.in_flight._replace(last=last, behind=())

    def _had_effect(self, sending: Sending, inside: bool, wrote: bool, error: ServerError) -> bool:
        """Tell whether a refused statement, or its transaction, may have left something behind.

        :param inside: it ran in a transaction, so that the server says what it wrote.
        """
        statement, facts, flight = sending.statement, sending.facts, sending.in_flight
        if self._recorder.history is None:
            return False
        if facts.kind is StatementKind.DEFINITION:
            if not flight.before:
                # Of several objects one may be done when the next one is refused, and a SELECT may call what writes.
                return len(statement.effect.objects) > 1 or bool(statement.effect.names)
            now = fingerprints(self._session, flight.objects, identities=False)
            return tuple(now) != flight.before[: len(flight.objects)]
        if self._never_began(statement, error):
            return False
        if facts.kind is StatementKind.OPAQUE:
            return True
        if inside:
            return wrote
        return facts.kind is StatementKind.DATA and not facts.proven

    def _never_began(self, statement: ClassifiedStatement, error: ServerError) -> bool:
        """Tell whether the server refused to begin, by its own word: it refuses to prepare the statement, too.

        Such an error may also come from inside a program; then the statement can be prepared.
        """
        text = statement.statement.text
        if not statement.statement.bounded:
            return False
        if error.code == _NO_SUCH_ROUTINE:
            called = _CALLED.match(text)
            answer = self._session.rows(b"SHOW CREATE PROCEDURE %b" % called[1]) if called else []
            return isinstance(answer, ServerError) and answer.code == _NO_SUCH_ROUTINE
        charset = self._session.character_set_client.encode()
        try:
            self._session.execute(b"SET %b = _%b X'%b'" % (_TEXT, charset, text.hex().encode()))
            self._session.execute(b"PREPARE %b FROM %b" % (_PREPARED, _TEXT))
        except ServerError as refusal:
            return refusal.code == error.code
        return False

    def _roll_back(self) -> None:
        """Undo what is open, and release what keeps us from writing."""
        session = self._session
        with suppress(ServerError):
            session.query(ROLLBACK)
        if self.state.locked:
            with suppress(ServerError):
                session.query("UNLOCK TABLES")
        for word in (b"END", b"ROLLBACK") if self.state.xa else ():
            # As the server does with one that is not prepared when its session ends.
            with suppress(ServerError):
                session.execute(b"XA %b %b" % (word, self._xid))
        self._is_over()

    def _is_over(self) -> None:
        """No transaction is open any more, nor any lock of the file's."""
        self.state = TxState(Owner.NONE if self._session.autocommit else Owner.USER)
        self._session.has_savepoint = self._unproven = self._wrote = self._called = False

    def _unrecorded(self, error: ServerError) -> RecordingFailed:
        if not error.lost:
            self._roll_back()
        return RecordingFailed(error)

    def flush(self, plainly: bool = False) -> None:
        """Write what is pending and commit it.

        :param plainly: by golang-migrate's own words, in a session whose transactions may only read.

        :raises RecordingFailed: that failed; so it does with a transaction of the file's open, as golang-migrate does.
        :raises LockLost: the lock is gone.
        """
        recorder, state = self._recorder, self.state
        try:
            recorder.log.read_values(self._session)
            start: Optional[list[str]] = [] if state.owner in (Owner.RECORDER, Owner.FILE) else None
            if state.sealed or state.owner is Owner.USER or plainly:
                # golang-migrate's first words, which the server refuses while a transaction is open.
                start = ["SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", "START TRANSACTION"]
            if recorder.pending or state.owner is not Owner.NONE:
                guard = [self._lock.guard] if self._lock is not None else []
                self._execute_guarded([*guard, *recorder.writing(start)])
                recorder.wrote()
        except ServerError as error:
            raise self._unrecorded(error) from error
        self._is_over()

    def _execute_guarded(self, statements: list[str]) -> None:
        try:
            self._execute(statements)
        except ServerError as error:
            if error.place != 0 or self._lock is None or not self._lock.lost(error):
                raise
            if not (self._lock.retake() and self._recorder.is_untouched()):
                raise LockLost from error
            self._execute(statements)

    def _execute(self, statements: list[str]) -> None:
        self._session.execute(statements[-1].encode(), statements[:-1])

    def lock_again(self, locks: Sequence[bytes], last: int) -> None:
        """Take the table locks that an interrupted attempt held; the section continues that they seal.

        :param locks: the statements.
        :param last: the section's last statement.
        :raises RecordingFailed: its beginning could not be recorded, or the tables could not be locked.
        :raises LockLost: the lock is gone.
        """
        self._recorder.begin_section(last)
        self.flush()
        try:
            for statement in locks:
                self._session.execute(statement)
        except ServerError as error:
            raise self._unrecorded(error) from error
        self.state = TxState(self.state.owner, locked=True)

    def open_for_file(self) -> None:
        """Open a transaction that holds all of a file; what is pending is committed first.

        :raises RecordingFailed: that failed.
        :raises LockLost: the lock is gone.
        """
        self.flush()
        try:
            self._session.execute(START_TRANSACTION.encode())
        except ServerError as error:
            raise RecordingFailed(error) from error
        self.state = TxState(Owner.FILE)

    @property
    def may_stop(self) -> bool:
        """Whether the run may stop here.

        Not between a statement and one that reads its diagnostics; nor in a transaction of the file's that has done
        what a rollback does not undo, or may have: both are run to completion.
        """
        session = self._session
        inside = self.state.owner is Owner.USER and session.in_transaction
        lasting = self._wrote or self._called or (self._unproven and not session.tracked)
        return not (self.state.observed or (inside and lasting))

    def stop(self) -> None:
        """Leave whatever transaction is open: what is done is committed, a transaction of the file's is undone.

        :raises RecordingFailed: the server did not take it.
        """
        if self.state.owner is Owner.RECORDER:
            self.flush()
        elif self.state.held:
            self._roll_back()
            try:
                self._recorder.find_committed()
            except ServerError as error:
                raise RecordingFailed(error, reading=True) from error

    def close(
        self, outcome: str, error: str, partly: Optional[InFlightStatement] = None, state: Optional[State] = None
    ) -> None:
        """Record how an attempt ended that has not succeeded; without a connection the next run will.

        :param partly: what may have had an effect.
        :param state: what the state table is to hold again, if the attempt has left nothing behind.
        """
        self.write_state()
        self._write_last(lambda: self._recorder.closing(outcome, error, partly, state))

    def write_state(self) -> None:
        """Write the state if it is wanting, with all else: when that was is a part of what is recorded last."""
        if self._recorder.state_waits:
            with suppress(RecordingFailed):
                self.flush()

    def abandon(self, error: ServerError) -> None:
        """Record that a run ended because something could not be recorded."""
        self._write_last(lambda: self._recorder.abandoning(error.reason))

    def _write_last(self, statements: Callable[[], list[str]]) -> None:
        with suppress(ServerError):
            self._recorder.wait_for_next_second()
            last = statements()
            if last:
                self._execute_guarded([*([self._lock.guard] if self._lock is not None else []), *last])


def _keeps_lock(statement: ClassifiedStatement, facts: Facts) -> bool:
    """Tell whether a statement cannot release the lock: nothing in it calls what could."""
    effect = statement.effect
    if facts.kind is StatementKind.DEFINITION:
        tables = all(thing.sort == "TABLE" for thing in effect.objects)
        return effect.plain and tables and not effect.names and b"release_" not in statement.resolved_text.lower()
    return facts.proven
