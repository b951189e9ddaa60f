# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whose transaction is open, and what of ours goes with a statement in its packet. Pure; private to the collection.

These are the rules, and this is their only place:

- Rows that are proven to be undone with their transaction run in one of ours, and are committed with their record.
- A statement that commits by itself (DDL) finds an open transaction that holds the record of its beginning: its own
  first act commits that record, which is there as soon as the statement can have had an effect.
- Any other statement that may have an effect is recorded as started, and the record is committed, before it is sent.
- A user's transaction contains the record of what is done in it, so that they are committed or rolled back together.
- If we cannot write anything (LOCK TABLES, XA), or a user's transaction does something that is not proven, the whole
  section is recorded as started before it.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple, Optional

from ..statements.effect import StatementKind


class Owner(Enum):
    """Whose transaction is open on the session."""

    NONE = "nobody's"
    RECORDER = "ours: rows of the last statement, to be committed with their record"
    USER = "the file's own, or autocommit is off"
    FILE = "ours, around all of a file"


class TxState(NamedTuple):
    """The session between two statements.

    :param locked: LOCK TABLES holds, or a global read lock: nothing of ours can be written.
    :param xa: an XA transaction is open, or prepared: the same.
    :param next_only: SET TRANSACTION waits for the next transaction.
    :param next_bare: that one may not be ours.
    :param observed: the next statement reads the diagnostics of the last one.
    """

    owner: Owner = Owner.NONE
    locked: bool = False
    xa: bool = False
    next_only: bool = False
    next_bare: bool = False
    observed: bool = False

    @property
    def sealed(self) -> bool:
        """Whether nothing of ours can be written."""
        return self.locked or self.xa

    @property
    def held(self) -> bool:
        """Whether a transaction or a lock of the file's is open."""
        return self.sealed or self.owner in (Owner.USER, Owner.FILE)


class Act(Enum):
    """What of ours is in a packet."""

    START = "open a transaction of ours"
    RECORD = "write how far the attempt is"
    COMMIT = "commit"


class Facts(NamedTuple):
    """What is known of a statement before it is sent.

    :param proven: it has no effect, or only one that is undone with its transaction.
    :param wrapped: not proven, but a transaction of ours around it shows whether it wrote what cannot be undone.
    :param reads_diagnostics: it asks about the statement before it.
    :param observed: the statement after it does that.
    :param batchable: statements of ours may follow it in its packet.
    :param section: it opens a section that is recorded as a whole, before it.
    :param shown: of what is done before it and not recorded it shows by itself that it is: it may be recorded with this
        one, or later.
    :param begun: that it has started is recorded already.
    """

    kind: StatementKind
    verb: bytes = b""
    proven: bool = False
    wrapped: bool = False
    reads_diagnostics: bool = False
    observed: bool = False
    batchable: bool = False
    section: bool = False
    shown: bool = False
    begun: bool = False


class PacketPlan(NamedTuple):
    """What goes with a statement in its packet.

    :param begins: what is recorded before it says that it, or its section, has started.
    :param counts: what is recorded before it says that it is done: it is the commit itself.
    """

    before: tuple[Act, ...] = ()
    after: tuple[Act, ...] = ()
    begins: bool = False
    counts: bool = False


# These commit before they do anything, and fail as a whole.
COMMITS = (StatementKind.DEFINITION, StatementKind.REPEATABLE)
_ENDS_TRANSACTION = (*COMMITS, StatementKind.OPAQUE, StatementKind.LOCK, StatementKind.XA)


def plan_packet(state: TxState, facts: Facts, pending: bool, in_transaction: bool, history: bool = True) -> PacketPlan:
    """Return what goes ahead of a statement and after it.

    :param pending: something is done that is not recorded.
    :param in_transaction: what the server said last.
    :param history: whether there is a history to record in; without one only the state is written, as golang-migrate
        writes it.
    """
    chained = facts.reads_diagnostics and (state.observed or state.owner is not Owner.NONE)
    if state.sealed or chained:
        return PacketPlan()
    if state.next_only:
        return _in_next_transaction(facts) if history and not state.next_bare else PacketPlan()
    if state.owner in (Owner.USER, Owner.FILE):
        return _in_users(facts, pending, in_transaction)
    lead = () if state.owner is Owner.RECORDER else (Act.START,)
    committed = (*lead, Act.RECORD, Act.COMMIT)
    if not history:
        return PacketPlan(committed if pending else ())
    if facts.section:
        return PacketPlan(committed, begins=True)
    if facts.kind in COMMITS:
        if facts.begun and lead:
            return PacketPlan()
        return PacketPlan((*lead, Act.RECORD), begins=True)
    flush = committed if pending or not lead else ()
    if facts.proven and facts.kind is StatementKind.DATA:
        behind = _behind(facts)
        # The disk is waited for once less. Without a record at its end the statement would rest on nothing.
        ahead = () if facts.shown and lead and behind else flush
        return PacketPlan((*ahead, Act.START), behind)
    if facts.proven:
        return PacketPlan(() if facts.shown and lead else flush)
    return PacketPlan((*committed, Act.START) if facts.wrapped else committed, begins=True)


def _behind(facts: Facts) -> tuple[Act, ...]:
    """Sent along, the server records it even if nobody is there any more when the statement is done.

    What a statement that is not proven has done to its session is to be recorded, too, and has to be asked for first.
    """
    return (Act.RECORD, Act.COMMIT) if facts.batchable and not facts.observed else ()


def _in_next_transaction(facts: Facts) -> PacketPlan:
    """The transaction that SET TRANSACTION waits for may be ours only if it holds the statement."""
    if facts.proven and facts.kind is StatementKind.DATA and not facts.section:
        return PacketPlan((Act.START,), _behind(facts))
    return PacketPlan()


def _in_users(facts: Facts, pending: bool, in_transaction: bool) -> PacketPlan:
    """The record goes with the user's own transaction; where none is open, into one of ours."""
    counts = facts.kind is StatementKind.COMMIT and facts.verb == b"COMMIT" and in_transaction
    begins = facts.section or facts.kind in _ENDS_TRANSACTION
    if not (pending or begins or counts):
        return PacketPlan()
    before = (Act.RECORD,) if in_transaction else (Act.START, Act.RECORD, Act.COMMIT)
    return PacketPlan(before, begins=begins, counts=counts)


class Answer(NamedTuple):
    """What the server said about the session after a packet.

    :param table_locks: LOCK TABLES holds; None if the server does not say.
    """

    in_transaction: bool
    autocommit: bool
    table_locks: Optional[bool] = None


def after(state: TxState, facts: Facts, answer: Answer) -> TxState:
    """Return the session's state after a statement that has succeeded, with its packet."""
    kind = facts.kind
    waits = kind is StatementKind.NEXT_TRANSACTION or (state.next_only and kind is StatementKind.SESSION)
    return TxState(
        _owner(state, facts, answer),
        _is_locked(state, facts, answer),
        facts.verb not in (b"COMMIT", b"ROLLBACK") if kind is StatementKind.XA else state.xa,
        waits,
        waits and (facts.section or state.next_bare),
        facts.observed,
    )


def _owner(state: TxState, facts: Facts, answer: Answer) -> Owner:
    if not answer.autocommit:
        return Owner.USER
    if not answer.in_transaction:
        return Owner.NONE
    if state.owner in (Owner.USER, Owner.FILE):
        return state.owner
    # What we opened for such a statement is ours also where it has not committed after all.
    ours = facts.kind in COMMITS or (facts.kind is StatementKind.DATA and (facts.proven or facts.wrapped))
    chained = facts.reads_diagnostics and state.owner is Owner.RECORDER
    return Owner.RECORDER if ours or chained else Owner.USER


def _is_locked(state: TxState, facts: Facts, answer: Answer) -> bool:
    if facts.kind is StatementKind.LOCK:
        return True
    if facts.kind in (StatementKind.UNLOCK, StatementKind.BEGIN):
        # BEGIN lets table locks go, but not a global read lock: then our next record is refused, and the run stops.
        return bool(answer.table_locks)
    return state.locked or bool(answer.table_locks)
