# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs statements so that the ledger always knows how far they got. Private to the collection.

A statement that changes rows is committed together with the record that it is done. One that commits by itself has
the record that it begins written in a transaction which that very commit ends: the record is there as soon as the
statement can have had an effect, and costs no commit of its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from typing import NamedTuple, Optional

from ..._mysql.limit import Limit
from ..._mysql.session import Answer, Packet, ServerError, Session
from ..files.splitter import Statement
from ..model import State
from ..statements.classify import Effect, StatementKind, is_plain_rows
from ..statements.fingerprints import fingerprints
from ..tables.checkpoint import InFlightStatement, Position
from ..tables.history_table import AttemptRecord
from .attempt import AttemptRecorder

_START = "START TRANSACTION"
_COMMIT = "COMMIT"
_LOCK_WAIT_TIMEOUT = 1205
_DEADLOCK = 1213
_ENDED = 1317
# With these a call has not begun: syntax, no such routine, wrong number of arguments, no privilege.
_NOT_BEGUN = (1064, 1305, 1318, 1370)
# Seconds; what has queued up behind the statement goes first.
_PAUSE = 1.0
# These commit before they do anything, and fail as a whole.
_COMMITS = (StatementKind.DEFINITION, StatementKind.REPEATABLE)


class Transaction(Enum):
    """Whose transaction is open on the session; a file's holds all of it."""

    NONE = 0
    OURS = 1
    USERS = 2
    FILES = 3


class Sent(NamedTuple):
    """A ClassifiedStatement, and what is known about it when it is sent.

    :param unguarded: rows that it changes may stay when its transaction is undone.
    :param asked_about: the kind of the statement behind it, if that one asks about this one.
    """

    statement: Statement
    digest: str
    effect: Effect
    resolved_text: bytes
    reads_diagnostics: bool = False
    batchable: bool = False
    unguarded: bool = False
    asked_about: Optional[StatementKind] = None


class RecordingFailed(Exception):
    """The state or the history could not be written; the statement that comes next was not run."""

    def __init__(self, error: ServerError) -> None:
        super().__init__(str(error))
        self.error = error


class StatementFailed(Exception):
    """The server refused a statement.

    :param partly: it may have had an effect all the same.
    """

    def __init__(self, error: ServerError, partly: bool) -> None:
        super().__init__(str(error))
        self.error = error
        self.partly = partly


class StatementRunner:
    """Runs one statement after the other.

    :param retries: how often a statement is tried again that waited too long for a lock.
    :param limit: how long a statement may take.
    :ivar safe: the last place that is known to be committed, of the attempt that is going on.
    :ivar retried: how often that happened.
    """

    def __init__(
        self, session: Session, journal: AttemptRecorder, retries: int = 0, limit: Optional[Limit] = None
    ) -> None:
        self._session = session
        self._journal = journal
        self._retries = retries
        self._limit = limit
        self._transaction = Transaction.NONE
        self._locked = False
        # Nothing may come between the last statement and the next one: if that asks back, or in any case.
        self._bare = self._once = False
        self._recorded: dict[int, Position] = {}
        self.safe = Position()
        self.retried = 0

    @property
    def holds(self) -> bool:
        """Whether a transaction or a lock of the user's is open."""
        return self._locked or self._transaction in (Transaction.USERS, Transaction.FILES)

    def run(
        self,
        piece: Sent,
        known: Optional[InFlightStatement] = None,
        ask: bytes = b"",
        meanwhile: Optional[Callable[[], None]] = None,
    ) -> Answer:
        """Run a statement.

        :param known: what is known about it beforehand.
        :param ask: a question of ours to be answered with it.
        :param meanwhile: what to do while the server is at work.
        :returns: the answer to ``ask``.
        :raises Refused: the server refused the statement.
        :raises Unrecorded: what came before it, or the statement itself, could not be recorded.
        """
        journal = self._journal
        before = journal.progress.reached
        chained = piece.reads_diagnostics and (self._bare or self._transaction is not Transaction.NONE)
        as_it_is = self._locked or self._once or chained
        commits = piece.effect.verb == b"COMMIT" and self._transaction is Transaction.USERS
        if commits:
            # The user's own commit carries the record that it has been reached.
            journal.passes(piece.digest, lasting=True)
        try:
            opening = [] if as_it_is else self._opening(piece, known or InFlightStatement(piece.digest))
        except ServerError as error:
            raise self._undone(error) from error
        closing: list[str] = []
        if not as_it_is and self._closes(piece, opening):
            # Sent along, so that the server records it even if nobody is there any more when it is done.
            self._written()
            journal.passes(piece.digest, lasting=True)
            closing = [*journal.pending(), _COMMIT if piece.effect.kind is StatementKind.DATA else "DO 0"]
        packet = Packet(piece.statement.text + piece.statement.suffix, opening, closing, ask, meanwhile)
        answer = self._send(piece, packet, before, chained)
        if opening:
            self._written()
        self._settle(piece, before, passed=commits or bool(closing), committed=_COMMIT in opening)
        return answer

    def _closes(self, piece: Sent, opening: list[str]) -> bool:
        """Tell whether the record that a statement is done can go with it in its packet."""
        if not piece.batchable or piece.asked_about is not None or self.holds or self._journal.history is None:
            return False
        return piece.effect.kind is StatementKind.OPAQUE or opening[-1:] == [_START]

    def _opening(self, piece: Sent, flight: InFlightStatement) -> list[str]:
        """Return what goes ahead of a statement in its packet."""
        journal, effect = self._journal, piece.effect
        journal.progress.log.read_values(self._session)
        if self._transaction in (Transaction.USERS, Transaction.FILES):
            if effect.kind in (*_COMMITS, StatementKind.OPAQUE, StatementKind.LOCK):
                journal.starts(flight)
            pending = journal.pending()
            # Without an open transaction, what we write must not open one.
            return pending if self._session.in_transaction or not pending else [_START, *pending, _COMMIT]
        start = [] if self._transaction is Transaction.OURS else [_START]
        if journal.history is None:
            pending = journal.pending()
            return [*start, *pending, _COMMIT] if pending else []
        if effect.kind in _COMMITS:
            journal.starts(flight if piece.asked_about is None else InFlightStatement(flight.digest))
            return start + journal.pending()
        pair = piece.asked_about not in (None, StatementKind.DATA, StatementKind.SESSION)
        if (
            effect.kind in (StatementKind.LOCK, StatementKind.XA, StatementKind.OPAQUE, StatementKind.NEXT_TRANSACTION)
            or piece.unguarded
            or pair
        ):
            journal.starts(flight)
        pending = journal.pending()
        opening = [*start, *pending, _COMMIT] if pending or not start else []
        guarded = effect.kind is StatementKind.DATA and not piece.unguarded and not pair
        return [*opening, _START] if guarded else opening

    def _send(self, piece: Sent, packet: Packet, before: Position, chained: bool) -> Answer:
        """Send a statement with what goes ahead of it and behind it; again if it has waited too long for a lock."""
        alone = not (chained or self.holds or self._once) and piece.effect.kind in (
            StatementKind.DATA,
            StatementKind.DEFINITION,
        )
        left = self._retries if alone else 0
        while True:
            try:
                return self._watched(piece, packet)
            except ServerError as error:
                place = len(packet.before)
                # What a call answers, and how often, nobody knows beforehand.
                behind = error.place > place and piece.effect.kind is not StatementKind.OPAQUE
                if error.place < place or behind:
                    raise self._undone(error) from error
                self._written(not packet.after)
                if error.code != _LOCK_WAIT_TIMEOUT or not left:
                    raise StatementFailed(error, self._give_up(piece, chained, before, error)) from error
                # Nothing of the statement has happened.
                left -= 1
                self.retried += 1
                time.sleep(_PAUSE)
                packet = packet._replace(before=["ROLLBACK", _START] if packet.before[-1:] == [_START] else [])

    def _watched(self, piece: Sent, packet: Packet) -> Answer:
        if self._limit is None:
            return self._session.execute(*packet)
        opening, closing = packet.before, packet.after
        try:
            with self._limit.watch():
                # Whether it was ended is to be known before it is committed.
                answer = self._session.execute(*packet._replace(after=[], ask=b"" if closing else packet.ask))
            if self._limit.exceeded and piece.effect.kind is not StatementKind.DEFINITION:
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

    def _settle(self, piece: Sent, before: Position, passed: bool, committed: bool) -> None:
        """Take in that a statement has been run."""
        effect, session, journal = piece.effect, self._session, self._journal
        if committed:
            self._is_safe(before)
        if not session.autocommit and not is_plain_rows(piece.statement.text) and piece.asked_about is None:
            # Rows come without word of whether a transaction is open.
            try:
                session.query("DO 0")
            except ServerError as error:
                raise self._undone(error) from error
        self._transaction = self._after(effect)
        self._locked = effect.kind in (StatementKind.LOCK, StatementKind.XA) or (
            self._locked and effect.kind not in (StatementKind.UNLOCK, StatementKind.BEGIN)
        )
        self._once = effect.kind is StatementKind.NEXT_TRANSACTION
        self._bare = piece.asked_about is not None
        lasting = effect.kind not in (StatementKind.SESSION, StatementKind.NEXT_TRANSACTION)
        if not passed:
            journal.passes(piece.digest, lasting)
        if (lasting and not session.in_transaction) or (passed and effect.kind is StatementKind.COMMIT):
            self._is_safe(journal.progress.reached)

    def _is_safe(self, reached: Position) -> None:
        self.safe = reached
        self._recorded.clear()
        self._journal.progress.log.compact(reached.done)

    def _written(self, remember: bool = True) -> None:
        self._journal.written()
        reached = self._journal.progress.reached
        if remember:
            self._recorded[reached.done] = reached

    def _after(self, effect: Effect) -> Transaction:
        """Return whose transaction is open after a statement."""
        session = self._session
        if not session.autocommit:
            return Transaction.USERS
        if not session.in_transaction:
            return Transaction.NONE
        if self._transaction is Transaction.FILES:
            return Transaction.FILES
        if effect.kind in (StatementKind.BEGIN, StatementKind.OPAQUE) or self._transaction is Transaction.USERS:
            return Transaction.USERS
        return Transaction.OURS

    def _give_up(self, piece: Sent, chained: bool, before: Position, error: ServerError) -> bool:
        """Leave a transaction after an error; return whether the statement may have had an effect all the same."""
        kind, ours = piece.effect.kind, self._transaction in (Transaction.NONE, Transaction.OURS)
        if error.lost:
            return False
        with suppress(ServerError):
            if chained and ours and error.code not in (_LOCK_WAIT_TIMEOUT, _DEADLOCK):
                # The statements before this one in its transaction have succeeded.
                self._journal.progress.reached = before
                self._session.execute(_COMMIT.encode(), self._journal.pending())
                self._is_safe(before)
            elif kind in _COMMITS and ours:
                self._session.query(_COMMIT)
                self._is_safe(before)
            row = self._roll_back()
            flight = self._journal.progress.flight
            if kind is StatementKind.OPAQUE and ours:
                self._journal.progress.flight = InFlightStatement(piece.digest)
                return error.code not in _NOT_BEGUN
            if kind is StatementKind.OPAQUE and row is not None:
                return row.begun > before.done
            if kind is StatementKind.DEFINITION and flight is not None and flight.before:
                count = len(flight.objects)
                return tuple(fingerprints(self._session, flight.objects, False)) != flight.before[:count]
        return piece.unguarded and kind is StatementKind.DATA

    def _roll_back(self) -> Optional[AttemptRecord]:
        """Undo what is open; how far the history then says it got is safe."""
        self._session.query("ROLLBACK")
        self._transaction = Transaction.NONE
        row = self._journal.stored()
        if row is not None and row.done > self.safe.done and row.done in self._recorded:
            self._is_safe(self._recorded[row.done])
        return row

    def _undone(self, error: ServerError) -> RecordingFailed:
        if not error.lost:
            with suppress(ServerError):
                self._session.query("ROLLBACK")
        return RecordingFailed(error)

    def flush(self) -> None:
        """Write what is pending and commit it.

        :raises Unrecorded: that failed, or a transaction of the user's is open, at which golang-migrate fails, too.
        """
        try:
            self._journal.progress.log.read_values(self._session)
            pending = self._journal.pending()
            start = [_START] if self._transaction is Transaction.NONE else []
            if self._locked or self._transaction is Transaction.USERS:
                # golang-migrate's first words, which the server refuses while a transaction is open.
                start = ["SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", _START]
            if pending or self._transaction is not Transaction.NONE:
                self._session.execute(_COMMIT.encode(), [*start, *pending])
        except ServerError as error:
            raise self._undone(error) from error
        self._written()
        self._locked = self._once = self._bare = False
        self._transaction = Transaction.NONE if self._session.autocommit else Transaction.USERS

    def open_for_file(self) -> None:
        """Open a transaction that holds all of a file; what is pending is committed first.

        :raises Unrecorded: that failed.
        """
        self.flush()
        try:
            self._session.execute(_START.encode())
        except ServerError as error:
            raise RecordingFailed(error) from error
        self._transaction = Transaction.FILES

    def stop(self) -> None:
        """Leave whatever transaction is open: what is done is committed, a transaction of the user's is undone.

        :raises Unrecorded: the server did not take it.
        """
        if self._transaction is Transaction.OURS:
            self.flush()
            self._is_safe(self._journal.progress.reached)
        elif self.holds:
            try:
                self._roll_back()
            except ServerError as error:
                raise RecordingFailed(error) from error

    def close(self, outcome: str, error: str, partly: bool = False, state: Optional[State] = None) -> None:
        """Record how an attempt ended that has not succeeded; without a connection the next run will.

        :param partly: the statement that failed may have had an effect.
        :param state: what the state table is to hold again, if the attempt has left nothing behind.
        """
        progress = self._journal.progress
        progress.reached = self.safe
        if not partly:
            progress.flight = None
        self._write_last(lambda: self._journal.closing(outcome, error, state))

    def abandon(self, error: ServerError) -> None:
        """Record that a run ended because something could not be recorded."""
        self._write_last(lambda: self._journal.abandoning(error.reason))

    def _write_last(self, statements: Callable[[], list[str]]) -> None:
        with suppress(ServerError):
            self._journal.wait_for_next_second()
            last = statements()
            if last:
                self._session.execute(_COMMIT.encode(), [_START, *last])
