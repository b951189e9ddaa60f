# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is known of a statement before it is sent, and how far its section goes. Private to the collection.

The text says what a statement is; that it can be undone is said by the server's dictionary (nontransactional.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, takewhile
from typing import NamedTuple, Optional

from ..._mysql.session import Session
from ..files.reader import FileReader
from ..files.splitter import Statement
from ..statements.classified import ClassifiedStatement
from ..statements.effect import Effect, StatementKind
from ..statements.lookahead import Lookahead
from ..statements.nontransactional import TransactionalTables
from .transaction import COMMITS, Facts, Owner, TxState

# They have no effect but on the session, or only end what others did.
_HARMLESS = (
    StatementKind.SESSION,
    StatementKind.BEGIN,
    StatementKind.COMMIT,
    StatementKind.UNLOCK,
    StatementKind.NEXT_TRANSACTION,
)
_TEMPORARY = (b"CREATE TEMPORARY", b"DROP")
# Ours may be the transaction that it waits for: it says nothing of READ ONLY.
_ISOLATION = re.compile(
    rb"\s*set\s+transaction\s+isolation\s+level\s+(?:read\s+(?:un)?committed|repeatable\s+read|serializable)\s*",
    re.IGNORECASE,
)
_XA_OPENS = (b"START", b"BEGIN")

Proven = Callable[[ClassifiedStatement], bool]


class Judgement(NamedTuple):
    """What is known of a statement.

    :param last: of the section that it opens, the last statement's number; None if it opens none.
    """

    facts: Facts
    last: Optional[int]


class Judge:
    """Judges statements before they are sent.

    :ivar shares: whether rows may share a transaction with their record.
    :ivar tables: what the dictionary says about the tables that they name.
    """

    def __init__(self, session: Session, lookahead: Lookahead, shares: bool) -> None:
        self.tables = TransactionalTables(session)
        self._session = session
        self._lookahead = lookahead
        self._wraps: Optional[bool] = None
        self.shares = shares
        # The file in the rest of which nothing ends a transaction.
        self._looked_through: Optional[FileReader] = None
        # Statements that come after the one that was judged last, and whether they are proven: it may be too late to
        # ask then. They are held, so that no other one has the same identity.
        self._known: dict[int, tuple[Statement, bool]] = {}

    def judge(self, statement: ClassifiedStatement, reader: FileReader, state: TxState) -> Judgement:
        """Return what is known of the statement that was taken last.

        :raises ServerError: the connection was lost.
        """
        effect = statement.effect
        if id(statement.statement) in self._known:
            proven = self._was_proven(statement)
        else:
            proven = not statement.reads_diagnostics and self.proven(statement)
        observers = list(takewhile(lambda item: item.reads_diagnostics, self._behind(reader, statement)))
        last = None
        if not (state.sealed or state.next_only):
            self._foresee(statement, observers)
            last = self._last(statement, reader, state, observers)
        temporary = _is_temporary(effect) and proven
        rows = effect.kind is StatementKind.DATA and not _is_temporary(effect)
        # What only reads needs no transaction, but counts in the file's, and uses up what SET TRANSACTION waits for.
        reads = rows and proven and not (effect.writes or state.next_only or state.held)
        own = temporary or reads or (rows and proven and not self.shares)
        facts = Facts(
            kind=StatementKind.SESSION if own else effect.kind,
            verb=effect.verb,
            proven=proven,
            wrapped=rows and not proven and not statement.reads_diagnostics and self.shares and self._may_wrap(),
            reads_diagnostics=statement.reads_diagnostics,
            observed=bool(observers),
            batchable=statement.batchable,
            section=last is not None,
        )
        return Judgement(facts, last)

    def proven(self, statement: ClassifiedStatement) -> bool:
        """Tell whether a statement has no effect, or only one that is undone with its transaction.

        :raises ServerError: the connection was lost.
        """
        effect = statement.effect
        if _is_temporary(effect):
            # It goes with its session, except for what its SELECT may do.
            return effect.plain and (not effect.names or self.tables.proven(effect._replace(writes=())))
        if effect.kind is StatementKind.DATA:
            return self.tables.proven(effect)
        return effect.kind in _HARMLESS

    def locked_until(self, reader: FileReader, done: int) -> int:
        """Return the last statement of a section that is resumed under LOCK TABLES."""
        return locks_last(done, self._lookahead.section(reader, None))

    def _behind(self, reader: FileReader, statement: ClassifiedStatement) -> Iterator[ClassifiedStatement]:
        return self._lookahead.section(reader, statement)

    def _foresee(self, statement: ClassifiedStatement, observers: Iterable[ClassifiedStatement]) -> None:
        """Judge the statements that ask about one, or about each other: there is no time to ask then."""
        if not statement.reads_diagnostics:
            self._known = {id(item.statement): (item.statement, self.proven(item)) for item in observers}

    def _was_proven(self, statement: ClassifiedStatement) -> bool:
        """Tell whether a statement is known to be proven, without asking."""
        return self._known.get(id(statement.statement), (None, False))[1]

    def _last(
        self,
        statement: ClassifiedStatement,
        reader: FileReader,
        state: TxState,
        observers: list[ClassifiedStatement],
    ) -> Optional[int]:
        proven = self._was_proven if statement.reads_diagnostics else self.proven
        kind, verb = statement.effect.kind, statement.effect.verb
        number = statement.statement.number
        if kind is StatementKind.LOCK:
            return locks_last(number, self._behind(reader, statement))
        if kind is StatementKind.XA and verb in _XA_OPENS:
            return xa_last(number, self._behind(reader, statement))
        if kind is StatementKind.NEXT_TRANSACTION:
            return self._next_last(statement, reader)
        if kind is StatementKind.BEGIN:
            return transaction_last(self._behind(reader, statement), proven)
        if kind is StatementKind.OPAQUE and state.owner is not Owner.USER:
            # There may be thousands of calls, and nothing in the file that ends a transaction.
            if not self._ends_transactions(reader, statement):
                return None
            return left_open_last(self._behind(reader, statement), proven)
        if state.owner is Owner.USER:
            if self._session.in_transaction:
                return None
            # With autocommit off, it opens a transaction.
            return transaction_last(chain([statement], self._behind(reader, statement)), proven)
        return None if all(self._was_proven(item) for item in observers) else observers[-1].statement.number

    def _ends_transactions(self, reader: FileReader, statement: ClassifiedStatement) -> bool:
        if self._looked_through is not reader:
            kinds = (item.effect.kind for item in self._behind(reader, statement))
            if not any(kind is StatementKind.COMMIT for kind in kinds):
                self._looked_through = reader
        return self._looked_through is not reader

    def _next_last(self, statement: ClassifiedStatement, reader: FileReader) -> Optional[int]:
        """Say how far SET TRANSACTION reaches: nothing of ours may come between it and its transaction."""
        behind = self._behind(reader, statement)
        for item in behind:
            if item.effect.kind is StatementKind.SESSION:
                continue
            if item.effect.kind is StatementKind.BEGIN:
                return transaction_last(behind, self.proven)
            rows = item.effect.kind is StatementKind.DATA and _ISOLATION.fullmatch(statement.resolved_text)
            observed = next((one.reads_diagnostics for one in behind), False)
            if rows:
                self._known[id(item.statement)] = item.statement, self.proven(item)
            return None if rows and self._was_proven(item) and not observed else item.statement.number
        return None

    def _may_wrap(self) -> bool:
        """Tell whether a transaction of ours may be around rows that none guards.

        Under enforce_gtid_consistency a server with a binary log refuses them there (MySQL reference manual,
        "Restrictions on Replication with GTIDs"); and where it does not say what a transaction wrote, the wrapping
        would be for nothing.
        """
        if self._wraps is None:
            self._wraps = self._session.tracked
            if self._wraps and not self._session.mariadb:
                [(enforced, log)] = self._session.query("SELECT @@GLOBAL.enforce_gtid_consistency, @@GLOBAL.log_bin")
                self._wraps = enforced == "OFF" or not log
        return self._wraps


def _is_temporary(effect: Effect) -> bool:
    return effect.kind is StatementKind.DATA and effect.verb in _TEMPORARY


def transaction_last(statements: Iterable[ClassifiedStatement], proven: Proven) -> Optional[int]:
    """Return the last statement of a transaction of the file's; None if all that it does is proven.

    :param statements: those that come next.
    """
    harmless, last = True, None
    for item in statements:
        if item.effect.kind in (*COMMITS, StatementKind.LOCK, StatementKind.BEGIN):
            break
        last = item.statement.number
        harmless = harmless and proven(item)
        if item.effect.kind is StatementKind.COMMIT:
            break
    return None if harmless else last


def left_open_last(statements: Iterable[ClassifiedStatement], proven: Proven) -> Optional[int]:
    """Return the last statement of a transaction that a call may leave open; None if nothing suggests that it does."""
    seen = []
    for item in statements:
        if item.effect.kind in (*COMMITS, StatementKind.LOCK, StatementKind.BEGIN):
            return None
        seen.append(item)
        if item.effect.kind is StatementKind.COMMIT:
            return None if all(proven(one) for one in seen) else item.statement.number
    return None


def locks_last(number: int, statements: Iterable[ClassifiedStatement]) -> int:
    """Return the last statement before which locks are released, which is part of the section."""
    for item in statements:
        number = item.statement.number
        if item.effect.kind in (StatementKind.UNLOCK, StatementKind.BEGIN):
            break
    return number


def xa_last(number: int, statements: Iterable[ClassifiedStatement]) -> int:
    """Return the statement that ends an XA transaction, or the file's last."""
    for item in statements:
        number = item.statement.number
        if item.effect.kind is StatementKind.XA and item.effect.verb in (b"COMMIT", b"ROLLBACK"):
            break
    return number
