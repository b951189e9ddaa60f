# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whose transaction is open, and what of ours goes with a statement: each kind with each owner is a row."""

from __future__ import annotations

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._migration.run.transaction import (
    Act,
    Answer,
    Facts,
    Owner,
    PacketPlan,
    TxState,
    after,
    plan_packet,
)
from ansible_collections.dbops.migrations.plugins.module_utils._migration.statements.effect import StatementKind
from hypothesis import given
from hypothesis import strategies as st

K = StatementKind
S, R, C = Act.START, Act.RECORD, Act.COMMIT
ROWS = Facts(K.DATA, proven=True)
ROWS_BATCHABLE = Facts(K.DATA, proven=True, batchable=True)
UNPROVEN = Facts(K.DATA)
UNPROVEN_BATCHABLE = Facts(K.DATA, batchable=True)
WRAPPED = Facts(K.DATA, wrapped=True)
WRAPPED_BATCHABLE = Facts(K.DATA, wrapped=True, batchable=True)
SETTING = Facts(K.SESSION, proven=True)
DDL = Facts(K.DEFINITION)
ANALYZE = Facts(K.REPEATABLE)
CALL = Facts(K.OPAQUE, batchable=True)
EXECUTE = Facts(K.OPAQUE)
BEGIN = Facts(K.BEGIN, proven=True)
BEGIN_SECTION = Facts(K.BEGIN, proven=True, section=True)
COMMIT = Facts(K.COMMIT, verb=b"COMMIT", proven=True)
ROLLBACK = Facts(K.COMMIT, verb=b"ROLLBACK", proven=True)
LOCK = Facts(K.LOCK, section=True)
UNLOCK = Facts(K.UNLOCK, proven=True)
XA_START = Facts(K.XA, verb=b"START", section=True)
XA_COMMIT = Facts(K.XA, verb=b"COMMIT")
ISOLATION = Facts(K.NEXT_TRANSACTION, proven=True)
SHOW_WARNINGS = Facts(K.DATA, proven=True, reads_diagnostics=True)

NONE, OURS, USERS, FILES = (TxState(owner) for owner in (Owner.NONE, Owner.RECORDER, Owner.USER, Owner.FILE))


# What is pending is written in each of these.
@pytest.mark.parametrize(
    ("state", "facts", "before", "behind", "begins", "counts"),
    [
        (NONE, ROWS, [S, R, C, S], [], False, False),
        (NONE, ROWS_BATCHABLE, [S, R, C, S], [R, C], False, False),
        (NONE, ROWS_BATCHABLE._replace(observed=True), [S, R, C, S], [], False, False),
        (NONE, ROWS_BATCHABLE._replace(shown=True), [S], [R, C], False, False),
        (NONE, ROWS._replace(shown=True), [S, R, C, S], [], False, False),
        (OURS, ROWS_BATCHABLE._replace(shown=True), [R, C, S], [R, C], False, False),
        (USERS, ROWS_BATCHABLE._replace(shown=True), [R], [], False, False),
        (NONE, UNPROVEN, [S, R, C], [], True, False),
        (NONE, UNPROVEN_BATCHABLE, [S, R, C], [], True, False),
        (NONE, WRAPPED, [S, R, C, S], [], True, False),
        (NONE, WRAPPED_BATCHABLE, [S, R, C, S], [], True, False),
        (NONE, SETTING, [S, R, C], [], False, False),
        (NONE, SETTING._replace(shown=True), [], [], False, False),
        (NONE, DDL, [S, R], [], True, False),
        (NONE, DDL._replace(begun=True), [], [], False, False),
        (OURS, DDL._replace(begun=True), [R], [], True, False),
        (NONE, ANALYZE, [S, R], [], True, False),
        (NONE, CALL, [S, R, C], [], True, False),
        (NONE, EXECUTE, [S, R, C], [], True, False),
        (NONE, BEGIN, [S, R, C], [], False, False),
        (NONE, BEGIN_SECTION, [S, R, C], [], True, False),
        (NONE, COMMIT, [S, R, C], [], False, False),
        (NONE, LOCK, [S, R, C], [], True, False),
        (NONE, UNLOCK, [S, R, C], [], False, False),
        (NONE, XA_START, [S, R, C], [], True, False),
        (NONE, XA_COMMIT, [S, R, C], [], True, False),
        (NONE, ISOLATION, [S, R, C], [], False, False),
        (NONE, SHOW_WARNINGS, [S, R, C, S], [], False, False),
        (OURS, ROWS, [R, C, S], [], False, False),
        (OURS, ROWS_BATCHABLE, [R, C, S], [R, C], False, False),
        (OURS, UNPROVEN, [R, C], [], True, False),
        (OURS, SETTING, [R, C], [], False, False),
        (OURS, DDL, [R], [], True, False),
        (OURS, CALL, [R, C], [], True, False),
        (OURS, BEGIN, [R, C], [], False, False),
        (OURS, SHOW_WARNINGS, [], [], False, False),
        (USERS, ROWS_BATCHABLE, [R], [], False, False),
        (USERS, UNPROVEN, [R], [], False, False),
        (USERS, DDL, [R], [], True, False),
        (USERS, CALL, [R], [], True, False),
        (USERS, COMMIT, [R], [], False, True),
        (USERS, ROLLBACK, [R], [], False, False),
        (USERS, BEGIN, [R], [], False, False),
        (USERS, LOCK, [R], [], True, False),
        (USERS, SHOW_WARNINGS, [], [], False, False),
        (FILES, ROWS_BATCHABLE, [R], [], False, False),
    ],
)
def test_what_goes_with_a_statement(
    state: TxState, facts: Facts, before: list[Act], behind: list[Act], begins: bool, counts: bool
) -> None:
    in_transaction = state.owner is not Owner.NONE
    assert plan_packet(state, facts, True, in_transaction) == PacketPlan(tuple(before), tuple(behind), begins, counts)


@pytest.mark.parametrize(
    ("state", "facts", "before"),
    [
        (NONE, ROWS, [S]),
        (NONE, SETTING, []),
        (NONE, DDL, [S, R]),
        (NONE, CALL, [S, R, C]),
        (NONE, BEGIN, []),
        # What runs in our transaction is pending: it is committed before anything else.
        (OURS, SETTING, [R, C]),
        (OURS, ROWS, [R, C, S]),
        (USERS, ROWS, []),
        (USERS, COMMIT, [R]),
        (USERS, DDL, [R]),
    ],
)
def test_what_is_recorded_is_not_written_again(state: TxState, facts: Facts, before: list[Act]) -> None:
    assert plan_packet(state, facts, False, state.owner is not Owner.NONE).before == tuple(before)


@pytest.mark.parametrize("facts", [DDL, CALL, ROWS, SETTING, COMMIT])
def test_with_autocommit_off_and_no_transaction_open_the_record_has_one_of_its_own(facts: Facts) -> None:
    plan = plan_packet(USERS, facts, True, False)
    assert (plan.before, plan.counts) == ((S, R, C), False)


ALL = st.builds(
    Facts,
    st.sampled_from(StatementKind),
    verb=st.sampled_from([b"", b"COMMIT", b"ROLLBACK", b"START"]),
    proven=st.booleans(),
    wrapped=st.booleans(),
    reads_diagnostics=st.booleans(),
    observed=st.booleans(),
    batchable=st.booleans(),
    section=st.booleans(),
    shown=st.booleans(),
)
STATES = st.builds(
    TxState,
    st.sampled_from(Owner),
    locked=st.booleans(),
    xa=st.booleans(),
    next_only=st.booleans(),
    observed=st.booleans(),
)


@pytest.mark.parametrize(("bare", "before", "behind"), [(False, (S,), (R, C)), (True, (), ())])
def test_the_next_transaction_is_ours_only_if_it_may_be(
    bare: bool, before: tuple[Act, ...], behind: tuple[Act, ...]
) -> None:
    state = NONE._replace(next_only=True, next_bare=bare)
    assert plan_packet(state, ROWS_BATCHABLE, False, False) == PacketPlan(before, behind)


@given(STATES, ALL, st.booleans(), st.booleans())
def test_nothing_of_ours_is_written_where_that_cannot_be(
    state: TxState, facts: Facts, pending: bool, in_transaction: bool
) -> None:
    plan = plan_packet(state, facts, pending, in_transaction)
    if state.sealed or (facts.reads_diagnostics and state.observed):
        assert plan == PacketPlan()
    if facts.observed or not facts.batchable:
        assert plan.after == ()
    if state.next_only:
        assert R not in plan.before


@given(STATES, ALL, st.booleans(), st.booleans())
def test_what_is_not_proven_is_recorded_as_begun(
    state: TxState, facts: Facts, pending: bool, in_transaction: bool
) -> None:
    plan = plan_packet(state, facts, pending, in_transaction)
    alone = state.owner in (Owner.NONE, Owner.RECORDER) and not (state.sealed or state.next_only or state.observed)
    chained = facts.reads_diagnostics and state.owner is Owner.RECORDER
    if not alone or chained or facts.proven:
        return
    definition = facts.kind in (StatementKind.DEFINITION, StatementKind.REPEATABLE) and not facts.section
    if facts.begun and definition and state.owner is Owner.NONE:
        assert plan == PacketPlan()
        return
    assert plan.begins
    # Committed before it, or by its own first act.
    assert plan.before[-2:] in ((R, C), (S, R), (C, S)) or plan.before == (R,)


@given(ALL, st.booleans())
def test_without_a_history_statements_are_sent_as_they_are(facts: Facts, pending: bool) -> None:
    plan = plan_packet(NONE, facts._replace(reads_diagnostics=False), pending, False, history=False)
    assert plan == PacketPlan((S, R, C) if pending else ())


OPEN, CLOSED, OFF = Answer(True, True), Answer(False, True), Answer(False, False)


@pytest.mark.parametrize(
    ("state", "facts", "answer", "expected"),
    [
        (NONE, ROWS, OPEN, OURS),
        (NONE, ROWS, CLOSED, NONE),
        (NONE, WRAPPED, OPEN, OURS),
        # Only what we open for it is ours.
        (NONE, UNPROVEN, OPEN, USERS),
        (NONE, CALL, OPEN, USERS),
        (NONE, BEGIN, OPEN, USERS),
        (OURS, BEGIN, OPEN, USERS),
        (NONE, DDL, CLOSED, NONE),
        # A statement that has not committed after all.
        (NONE, ANALYZE, OPEN, OURS),
        (USERS, DDL, CLOSED, NONE),
        (USERS, ROWS, OPEN, USERS),
        (USERS, COMMIT, CLOSED, NONE),
        # AND CHAIN
        (USERS, COMMIT, OPEN, USERS),
        (FILES, ROWS, OPEN, FILES),
        (NONE, SETTING, OFF, USERS),
        (OURS, SHOW_WARNINGS, OPEN, OURS),
        (NONE, ROWS._replace(observed=True), OPEN, OURS._replace(observed=True)),
        (NONE, ISOLATION, CLOSED, NONE._replace(next_only=True)),
        (NONE._replace(next_only=True), SETTING, CLOSED, NONE._replace(next_only=True)),
        (NONE._replace(next_only=True), ROWS, CLOSED, NONE),
        (NONE, ISOLATION._replace(section=True), CLOSED, NONE._replace(next_only=True, next_bare=True)),
        (
            NONE._replace(next_only=True, next_bare=True),
            SETTING,
            CLOSED,
            NONE._replace(next_only=True, next_bare=True),
        ),
        (NONE, LOCK, CLOSED, NONE._replace(locked=True)),
        (NONE._replace(locked=True), ROWS, CLOSED, NONE._replace(locked=True)),
        (NONE._replace(locked=True), UNLOCK, CLOSED, NONE),
        (NONE._replace(locked=True), BEGIN, OPEN, USERS),
        # The server says that tables are locked although no statement was known to do that.
        (NONE, CALL, Answer(False, True, True), NONE._replace(locked=True)),
        (NONE._replace(locked=True), UNLOCK, Answer(False, True, True), NONE._replace(locked=True)),
        (NONE, XA_START, OPEN, USERS._replace(xa=True)),
        (USERS._replace(xa=True), ROWS, OPEN, USERS._replace(xa=True)),
        (USERS._replace(xa=True), XA_COMMIT, CLOSED, NONE),
    ],
)
def test_how_a_statement_leaves_the_session(state: TxState, facts: Facts, answer: Answer, expected: TxState) -> None:
    assert after(state, facts, answer) == expected
