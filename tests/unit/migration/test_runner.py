# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is sent with a statement, what is tried again, and how a run leaves what is open when a statement fails."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Optional

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._migration.model import State, Step
from ansible_collections.dbops.migrations.plugins.module_utils._migration.run.attempt import AttemptRecorder, Phase
from ansible_collections.dbops.migrations.plugins.module_utils._migration.run.runner import (
    Batch,
    LockLost,
    RecordingFailed,
    Sending,
    StatementFailed,
    StatementRunner,
)
from ansible_collections.dbops.migrations.plugins.module_utils._migration.run.transaction import Facts, Owner, TxState
from ansible_collections.dbops.migrations.plugins.module_utils._migration.statements.fingerprints import fingerprint
from ansible_collections.dbops.migrations.plugins.module_utils._migration.tables.checkpoint import InFlightStatement
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.session_track import TransactionReport
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.statements import IMPATIENT, PATIENT
from unit.migration.fakes import (
    COMMIT,
    ROLLBACK,
    START,
    FakeHistory,
    FakeLock,
    FakeSession,
    FakeStateTable,
    record,
    refusal,
    statement,
)

STEP = Step(1, "m", "up", "1_m.up.sql", 1)
SERIALIZABLE = ["SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", "START TRANSACTION"]
ENTRY = ["state 1 dirty", "insert 1 running 0/0"]
BEGINS = ["state 1 dirty", "insert 1 running 0/1"]
ROWS, OTHER = "INSERT INTO a VALUES (1)", "INSERT INTO b VALUES (2)"
DDL, CALL = "ALTER TABLE a ADD b INT", "CALL p()"
LOST_LOCK = 1690


class House:
    """A runner in an attempt that has just been opened, and all that is around it."""

    def __init__(self, locked: bool = False, retries: int = 0, limit: Any = None, without: bool = False) -> None:
        self.session, self.state_table, self.history = FakeSession(), FakeStateTable(), FakeHistory()
        self.lock = FakeLock() if locked else None
        around: Any = (self.session, self.state_table, None if without else self.history, {"tool": "t"}, self.lock)
        self.recorder = AttemptRecorder(*around)
        self.recorder.prepare(State(None, False))
        self.recorder.open(STEP)
        parts: Any = (self.session, self.recorder, self.lock, retries, limit)
        self.runner = StatementRunner(*parts)

    @property
    def packets(self) -> list[list[str]]:
        """What was sent, except for the question whether the server would prepare a statement."""
        return [packet for packet in self.session.packets if "dbops_migrations_check" not in packet[0]]

    def run(self, text: str, number: int = 1, **values: Any) -> Any:
        return self.runner.run(sending(text, number, **values))

    def fails(self, text: str, number: int = 1, **values: Any) -> StatementFailed:
        with pytest.raises(StatementFailed) as caught:
            self.run(text, number, **values)
        assert self.recorder.phase is Phase.OPEN
        return caught.value

    def partly(self, text: str, number: int = 1, **values: Any) -> Optional[InFlightStatement]:
        return self.fails(text, number, **values).partly

    def refuse(self, part: str, *codes: int) -> None:
        self.session.refused[part] = [refusal(code) for code in codes]

    def write(self, done: int) -> None:
        """Have the history say so."""
        self.history.records = [record(1, done=done)]


def sending(
    text: str,
    number: int = 1,
    proven: bool = False,
    before: tuple[Optional[str], ...] = (),
    last: Optional[int] = None,
    ask: bytes = b"",
    meanwhile: Any = None,
    **known: Any,
) -> Sending:
    """Return a statement on its way: what is not given is not known of it."""
    found = statement(text, number)
    effect = found.effect
    values = {"kind": effect.kind, "verb": effect.verb, "batchable": found.batchable, "section": last is not None}
    in_flight = InFlightStatement(found.digest, effect.objects if before else (), before, last)
    return Sending(found, Facts(**{**values, **known}, proven=proven), in_flight, ask, meanwhile)


@pytest.fixture(autouse=True)
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    found: list[float] = []
    monkeypatch.setattr(time, "sleep", found.append)
    return found


# What is sent.


@pytest.mark.parametrize(
    ("text", "values", "guarded"),
    [
        (ROWS, {"proven": True}, False),
        ("SET @a = 1", {"proven": True}, False),
        ("CREATE TABLE c (i INT)", {}, False),
        ("ALTER TABLE a ADD b INT", {}, False),
        (ROWS, {}, True),
        (CALL, {}, True),
        ("CREATE TABLE c AS SELECT i FROM v", {}, True),
        ("CREATE TABLE c (i INT DEFAULT (Release_Lock('x')))", {}, True),
        ("CREATE EVENT e ON SCHEDULE EVERY RELEASE_LOCK('x') DAY DO SELECT 1", {}, True),
        ("CREATE VIEW v AS SELECT 1", {}, False),
    ],
)
def test_the_lock_is_asked_for_behind_what_may_have_let_it_go(text: str, values: dict[str, Any], guarded: bool) -> None:
    house = House(locked=True)
    house.run("DROP TABLE a")
    assert house.packets[-1][0] == "guard"
    house.run(text, 2, **values)
    assert house.packets[-1][0] != "guard"
    house.run("DROP TABLE b", 3)
    assert ("guard" in house.packets[-1]) is guarded


def test_rows_share_a_transaction_with_their_record() -> None:
    house = House(locked=True)
    house.run(ROWS, proven=True, batchable=False)
    assert house.packets[-1] == ["guard", START, *ENTRY, COMMIT, START, ROWS]
    assert house.runner.state == TxState(Owner.RECORDER)
    house.run(OTHER, 2, proven=True, batchable=False)
    assert house.packets[-1] == ["update 1 1/1", COMMIT, START, OTHER]
    assert house.recorder.committed.done == 1
    house.run(ROWS, 3, proven=True)
    assert house.packets[-1] == ["update 1 2/2", COMMIT, START, ROWS, "update 1 3/3", COMMIT]
    assert house.runner.state == TxState(Owner.NONE)
    assert (house.recorder.reached.done, house.recorder.committed.done) == (3, 3)


def test_without_a_history_nothing_but_the_state_goes_with_a_statement() -> None:
    house = House(without=True)
    house.run(DDL)
    assert house.packets == [[START, "state 1 dirty", COMMIT, DDL]]


def test_the_answer_to_a_question_is_returned_and_the_time_is_used() -> None:
    house = House()
    house.session.answers["SHOW CREATE TABLE b"] = [(b"b",)]
    seen: list[str] = []
    found = house.run(ROWS, proven=True, ask=b"SHOW CREATE TABLE b", meanwhile=lambda: seen.append("meanwhile"))
    assert (found, seen) == ([(b"b",)], ["meanwhile"])


def test_what_the_server_stores_ends_where_it_would_in_the_file() -> None:
    house = House()
    found = sending("CREATE PROCEDURE p() DO 1")
    text = found.statement.statement._replace(suffix=b" #")
    house.runner.run(found._replace(statement=found.statement._replace(statement=text)))
    assert house.packets[-1][-1] == "CREATE PROCEDURE p() DO 1 #"


def test_a_setting_is_not_worth_a_record() -> None:
    house = House()
    house.runner.flush()
    house.run("SET @a = 1", proven=True)
    assert house.recorder.reached.done == 1
    assert not house.recorder.pending
    house.run(ROWS, 2, proven=True, batchable=False)
    assert house.recorder.pending


def test_rows_under_a_lock_are_not_recorded_and_the_section_continues() -> None:
    house = House()
    house.run("LOCK TABLES a WRITE", last=3)
    assert house.packets[-1] == [START, "state 1 dirty", "insert 1 running 0/3", COMMIT, "LOCK TABLES a WRITE"]
    assert house.runner.state.locked
    house.run(ROWS, 2, proven=True)
    assert house.packets[-1] == [ROWS]
    assert house.recorder.section_last is not None


def test_an_xa_transaction_is_not_settled_until_it_ends() -> None:
    house = House()
    house.run("XA START 'x'", last=4)
    assert house.runner.state.xa
    assert house.recorder.committed.done == 0
    house.run("XA END 'x'", 2)
    house.run("XA PREPARE 'x'", 3)
    assert house.recorder.section_last is not None
    house.run("XA COMMIT 'x'", 4)
    assert not house.runner.state.xa
    assert house.recorder.committed.done == 4


# Tried again.


def test_a_definition_that_waited_too_long_is_tried_again(slept: list[float]) -> None:
    house = House(retries=3)
    house.refuse(DDL, 1205, 1205)
    house.run(DDL)
    # What stood ahead of it waits in its transaction.
    assert house.packets == [[START, *BEGINS, DDL], [DDL], [DDL]]
    assert (house.runner.retried, slept) == (2, [1.0, 1.0])
    assert (house.recorder.reached.done, house.recorder.committed.done) == (1, 1)


def test_rows_that_waited_too_long_are_tried_again_in_a_new_transaction() -> None:
    house = House(retries=3)
    house.refuse(ROWS, 1205)
    house.run(ROWS, proven=True)
    behind = ["update 1 1/1", COMMIT]
    assert house.packets == [[START, *ENTRY, COMMIT, START, ROWS], [ROLLBACK, START, ROWS, *behind]]
    assert house.recorder.committed.done == 1


def test_it_is_not_tried_for_ever(slept: list[float]) -> None:
    house = House(retries=2)
    house.refuse(DDL, *[1205] * 9)
    assert house.fails(DDL).error.code == 1205
    assert [packet[-1] for packet in house.packets].count(DDL) == 3
    assert (house.runner.retried, slept) == (2, [1.0, 1.0])


@pytest.mark.parametrize(
    ("text", "code", "values", "state"),
    [
        (DDL, 1064, {}, TxState()),
        (CALL, 1205, {}, TxState()),
        (ROWS, 1205, {}, TxState()),
        (ROWS, 1205, {"proven": True}, TxState(Owner.USER)),
        (ROWS, 1205, {"proven": True}, TxState(Owner.FILE)),
        (ROWS, 1205, {"proven": True}, TxState(locked=True)),
        (ROWS, 1205, {"proven": True}, TxState(next_only=True)),
        (ROWS, 1205, {"proven": True}, TxState(observed=True)),
    ],
)
def test_what_is_not_tried_again(text: str, code: int, values: dict[str, Any], state: TxState) -> None:
    house = House(retries=3)
    house.runner.state = state
    house.refuse(text, code)
    house.fails(text, **values)
    assert house.runner.retried == 0


# The lock is gone.


def test_a_lock_that_was_released_is_taken_again() -> None:
    house = House(locked=True)
    house.refuse("guard", LOST_LOCK)
    house.run(ROWS, proven=True)
    whole = ["guard", START, *ENTRY, COMMIT, START, ROWS, "update 1 1/1", COMMIT]
    assert house.packets == [["guard"], whole]
    assert house.recorder.committed.done == 1


def lost(house: House, kind: str) -> None:
    assert house.lock is not None
    if kind == "taken":
        house.lock.free = False
    elif kind == "state":
        house.state_table.state = State(9, False)
    else:
        house.history.records = [record(8)]


@pytest.mark.parametrize("kind", ["taken", "state", "history"])
def test_a_lock_that_another_run_has_or_has_had_stops(kind: str) -> None:
    house = House(locked=True)
    lost(house, kind)
    house.refuse("guard", LOST_LOCK)
    with pytest.raises(LockLost):
        house.run(ROWS, proven=True)
    assert house.packets == [["guard"]]
    assert house.session.queries[-1] == ROLLBACK
    assert (house.recorder.phase, house.recorder.reached.done) == (Phase.OPEN, 0)


def test_a_call_that_releases_the_lock_is_done() -> None:
    house = House(locked=True)
    house.session.effects[CALL] = lambda: house.refuse("guard", LOST_LOCK)
    house.state_table.state = State(1, True)
    house.history.records = [record(1)]
    house.run(CALL)
    # Nothing goes after it in its packet, as it may have done whatever.
    assert house.packets == [["guard", START, *BEGINS, COMMIT, CALL]]
    assert house.recorder.reached.done == 1
    house.run(DDL, 2)
    assert house.packets[1:] == [["guard"], ["guard", START, "update 1 1/2", DDL]]


@pytest.mark.parametrize("kind", ["taken", "state", "history"])
def test_a_call_that_releases_the_lock_to_another_run_stops_the_next_statement(kind: str) -> None:
    house = House(locked=True)
    house.session.effects[CALL] = lambda: house.refuse("guard", LOST_LOCK)
    house.state_table.state = State(1, True)
    house.history.records = [record(1)]
    house.run(CALL)
    lost(house, kind)
    with pytest.raises(LockLost):
        house.run(DDL, 2)
    assert house.packets[1:] == [["guard"]]
    # Its beginning is written, and that it is done is not.
    assert house.recorder.pending
    assert house.recorder.phase is Phase.OPEN


def test_whether_the_lock_can_be_taken_again_cannot_be_asked() -> None:
    house = House(locked=True)
    house.refuse("guard", LOST_LOCK)
    house.state_table.error = refusal(2013)
    with pytest.raises(RecordingFailed) as caught:
        house.run(ROWS, proven=True)
    assert (caught.value.error.code, caught.value.reading) == (2013, True)
    assert house.recorder.phase is Phase.OPEN


def test_without_a_lock_that_error_is_the_statements() -> None:
    house = House()
    house.refuse(ROWS, LOST_LOCK)
    assert house.fails(ROWS, proven=True).error.code == LOST_LOCK


# Refused.


@pytest.mark.parametrize(
    ("text", "part", "code"),
    [(ROWS, "state 1 dirty", 1290), (ROWS, "update 1 1/1", 1114), (ROWS, "state 1 dirty", 2013)],
)
def test_what_could_not_be_recorded_is_said(text: str, part: str, code: int) -> None:
    house = House()
    house.refuse(part, code)
    with pytest.raises(RecordingFailed) as caught:
        house.run(text, proven=True)
    assert (caught.value.error.code, caught.value.reading) == (code, False)
    assert (house.session.queries[-1] == ROLLBACK) is (code != 2013)
    assert house.recorder.reached.done == 0


def test_what_a_call_answers_in_the_end_is_the_calls() -> None:
    """How many answers it has, nobody knows beforehand, and each counts as a place."""
    house = House()
    error = refusal(1644)
    error.place = 9

    def fail() -> None:
        raise error

    house.session.effects[CALL] = fail
    assert house.fails(CALL).error is error


def test_after_a_cut_nothing_more_is_sent() -> None:
    house = House()
    house.run(ROWS, proven=True, batchable=False)
    house.refuse(OTHER, 2013)
    assert house.partly(OTHER, 2, proven=True) is None
    assert house.packets[-1][-1] == OTHER
    assert ROLLBACK not in house.session.queries


@pytest.mark.parametrize("values", [{"proven": True, "reads_diagnostics": True}, {"kind": None}])
def test_what_has_succeeded_in_the_transaction_is_committed(values: dict[str, Any]) -> None:
    house = House()
    house.run(ROWS, proven=True, batchable=False)
    assert house.recorder.committed.done == 0
    house.runner.state = house.runner.state._replace(observed="reads_diagnostics" in values)
    if "kind" in values:
        house.refuse(DDL, 1060)
        assert house.partly(DDL, 2) is None
        assert house.packets[-2:] == [["update 1 1/2", DDL], [COMMIT]]
    else:
        house.refuse(OTHER, 1062)
        assert house.partly(OTHER, 2, **values) is None
        assert house.packets[-2:] == [[OTHER], ["update 1 1/1", COMMIT]]
    assert house.session.queries[-1] == ROLLBACK
    assert house.recorder.committed.done == 1
    assert not house.recorder.pending
    assert house.runner.state == TxState(Owner.NONE)


def test_a_deadlock_has_undone_what_was_in_the_transaction() -> None:
    house = House()
    house.run(ROWS, proven=True, batchable=False)
    house.refuse(OTHER, 1213)
    house.runner.state = house.runner.state._replace(observed=True)
    assert house.partly(OTHER, 2, proven=True, reads_diagnostics=True) is None
    assert house.packets[-1] == [OTHER]
    assert house.recorder.committed.done == 0


def test_a_refused_row_is_not_committed_with_what_stood_ahead_of_it() -> None:
    house = House()
    house.refuse(ROWS, 1062)
    house.fails(ROWS, proven=True)
    assert house.packets == [[START, *ENTRY, COMMIT, START, ROWS]]
    assert house.session.queries[-1] == ROLLBACK


def test_a_transaction_of_the_files_is_undone_to_what_the_history_says() -> None:
    house = House()
    house.run("BEGIN", proven=True)
    assert house.runner.state.owner is Owner.USER
    house.run(ROWS, 2, proven=True)
    house.refuse(OTHER, 1062)
    house.write(0)
    assert house.partly(OTHER, 3, proven=True) is None
    assert house.packets[-1][-1] == OTHER
    assert house.session.queries[-1] == ROLLBACK
    assert (house.recorder.committed.done, house.runner.state.owner) == (0, Owner.NONE)


def test_a_commit_that_was_refused_may_have_been_one() -> None:
    house = House()
    house.run("BEGIN", proven=True)
    house.run(ROWS, 2, proven=True)
    house.refuse("COMMIT", 1180)
    house.write(3)
    house.partly("COMMIT", 3, proven=True)
    assert house.recorder.committed.done == 3


def test_what_is_locked_or_of_xa_is_released() -> None:
    house = House()
    house.runner.state = TxState(locked=True)
    house.refuse(ROWS, 1062)
    house.fails(ROWS, proven=True)
    assert house.session.queries[-2:] == [ROLLBACK, "UNLOCK TABLES"]
    assert house.runner.state == TxState()


@pytest.mark.parametrize("text", ["XA START 'x', 'y'", "xa begin 'x', 'y' JOIN", "/**/ XA START 'x', 'y' RESUME"])
def test_an_xa_transaction_is_ended_by_its_name(text: str) -> None:
    house = House()
    house.run(text, last=3)
    house.refuse(ROWS, 1062)
    house.fails(ROWS, 2, proven=True)
    assert house.packets[-2:] == [["XA END 'x', 'y'"], ["XA ROLLBACK 'x', 'y'"]]
    assert not house.runner.state.xa


def test_with_autocommit_off_the_next_transaction_is_the_files_too() -> None:
    house = House()
    house.run("SET autocommit = 0", proven=True)
    house.refuse(ROWS, 1062)
    house.fails(ROWS, 2, proven=True)
    assert house.runner.state == TxState(Owner.USER)


def test_with_autocommit_on_again_a_savepoint_is_gone() -> None:
    """Otherwise what comes next would be recorded in a transaction that does not exist, and lost with it."""
    house = House()
    house.run("SET autocommit = 0", proven=True)
    house.run("SAVEPOINT s", 2)
    assert house.session.has_savepoint
    house.session.autocommit = True
    house.run("SET @a = 1", 3, proven=True)
    assert not house.session.has_savepoint


# What a refused statement may have left behind.


def definitions(*names: str) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), b"CREATE TABLE `%b` (i INT\n) ENGINE=InnoDB" % name.encode()) for name in names]


THING = statement(DDL).effect.objects[0]
SHOWN: Any = definitions("a")
BEFORE = (fingerprint(THING, SHOWN),)


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        (ROWS, {"proven": True}, False),
        (ROWS, {}, True),
        ("SET @a = 1", {"proven": True}, False),
        ("ANALYZE TABLE a", {}, False),
        # Of one object nothing is done; of several, one may be.
        (DDL, {}, False),
        ("DROP TABLE a, b", {}, True),
        ("CREATE TABLE a SELECT * FROM b", {}, True),
        (CALL, {}, True),
    ],
)
def test_a_refused_statement_may_have_had_an_effect(text: str, values: dict[str, Any], expected: bool) -> None:
    house = House()
    house.refuse(text, 1644)
    partly = house.partly(text, **values)
    assert (partly is not None) is expected
    if partly is not None:
        assert (partly.digest, partly.last) == (statement(text).digest, None)


@pytest.mark.parametrize(("shown", "partly"), [("a", False), ("b", True)])
def test_a_refused_definition_is_compared(shown: str, partly: bool) -> None:
    house = House()
    house.refuse(DDL, 1060)
    house.session.answers["SHOW CREATE TABLE a"] = definitions(shown)
    assert (house.partly(DDL, before=BEFORE) is not None) is partly


def test_of_a_refused_definition_the_numbers_of_tables_do_not_matter() -> None:
    house = House()
    house.refuse(DDL, 1060)
    house.session.answers["SHOW CREATE TABLE a"] = definitions("a")
    assert house.partly(DDL, before=(*BEFORE, "12")) is None


@pytest.mark.parametrize(
    ("wrote", "reported", "expected"), [(False, False, False), (True, False, True), (False, True, True)]
)
@pytest.mark.parametrize("where", ["transaction", "wrapped"])
def test_the_server_says_whether_anything_was_written_that_stays(
    where: str, wrote: bool, reported: bool, expected: bool
) -> None:
    house = House()
    if where == "transaction":
        house.run("BEGIN", proven=True)
    session = house.session
    session.wrote_nontransactional = wrote
    session.transaction = TransactionReport(nontransactional_writes=reported)
    house.refuse(ROWS, 1062)
    assert (house.partly(ROWS, 2, wrapped=where == "wrapped") is not None) is expected


@pytest.mark.parametrize(
    ("tracked", "first", "second", "expected"),
    [
        (False, True, True, False),
        (False, False, True, True),
        (False, True, False, True),
        (True, False, False, False),
    ],
)
def test_where_the_server_does_not_say_so_a_transaction_with_what_is_not_proven_is_in_doubt(
    tracked: bool, first: bool, second: bool, expected: bool
) -> None:
    house = House()
    house.session.tracked = tracked
    house.run("BEGIN", proven=True)
    house.run(ROWS, 2, proven=first)
    assert house.runner.may_stop is (tracked or first)
    house.refuse(OTHER, 1062)
    assert (house.partly(OTHER, 3, proven=second) is not None) is expected


def test_a_transaction_that_has_ended_is_not_in_doubt() -> None:
    house = House()
    house.session.tracked = False
    house.run("BEGIN", proven=True)
    house.run(ROWS, 2)
    house.run("COMMIT", 3, proven=True)
    assert house.runner.may_stop
    house.run("BEGIN", 4, proven=True)
    house.refuse(OTHER, 1062)
    assert house.partly(OTHER, 5, proven=True) is None


def test_a_transaction_of_the_files_that_has_written_for_good_is_run_to_completion() -> None:
    house = House()
    house.run("BEGIN", proven=True)
    house.session.wrote_nontransactional = True
    house.run(ROWS, 2)
    assert not house.runner.may_stop
    house.run(OTHER, 3, proven=True)
    assert not house.runner.may_stop
    house.refuse("UPDATE a", 1062)
    assert house.partly("UPDATE a SET i = 1", 4, proven=True) is not None
    assert house.runner.may_stop


@pytest.mark.parametrize("end", ["COMMIT", "ROLLBACK"])
def test_where_the_transaction_has_ended_it_may_stop(end: str) -> None:
    house = House()
    house.run("BEGIN", proven=True)
    house.session.wrote_nontransactional = True
    house.run(ROWS, 2)
    house.session.wrote_nontransactional = False
    house.run(end, 3, proven=True)
    assert house.runner.may_stop


def test_in_a_transaction_of_ours_it_may_stop() -> None:
    house = House()
    house.session.wrote_nontransactional = True
    house.run(ROWS, proven=True, batchable=False)
    assert house.runner.may_stop


def test_nothing_stops_between_a_statement_and_one_that_asks_about_it() -> None:
    house = House()
    house.run(ROWS, proven=True, observed=True)
    assert not house.runner.may_stop
    house.run("SHOW WARNINGS", 2, proven=True, reads_diagnostics=True)
    assert house.runner.may_stop


@pytest.mark.parametrize("number", [2, 3])
def test_the_doubt_reaches_from_what_is_committed_to_the_refused_statement(number: int) -> None:
    house = House()
    house.run("BEGIN", proven=True)
    if number > 2:
        house.run(ROWS, 2, proven=True)
    house.session.wrote_nontransactional = True
    house.refuse(OTHER, 1062)
    partly = house.partly(OTHER, number)
    assert partly is not None
    assert partly.last == number


def test_a_call_that_was_refused_behind_others_is_in_doubt_alone() -> None:
    house = House()
    house.run(ROWS, proven=True)
    house.refuse(CALL, 1644)
    partly = house.partly(CALL, 2)
    assert partly is not None
    assert partly.last is None


def test_without_a_history_nobody_asks() -> None:
    house = House(without=True)
    house.refuse(CALL, 1644)
    assert house.partly(CALL) is None


# Refused before it began.


@pytest.mark.parametrize(("code", "expected"), [(1064, False), (1146, True), (None, True)])
def test_what_the_server_refuses_to_prepare_has_not_started(code: Optional[int], expected: bool) -> None:
    house = House()
    house.refuse(CALL, 1064)
    if code is not None:
        house.refuse("PREPARE dbops_migrations_check FROM @dbops_migrations_check", code)
    assert (house.partly(CALL) is not None) is expected
    sets = f"SET @dbops_migrations_check = _utf8mb4 X'{CALL.encode().hex()}'"
    asked = "PREPARE dbops_migrations_check FROM @dbops_migrations_check"
    assert house.session.packets[-2:] == [[sets], [asked]]


@pytest.mark.parametrize(
    ("answer", "expected"), [(refusal(1305), False), (refusal(1370), True), ([(b"p", b"", b"CREATE")], True)]
)
def test_a_procedure_that_is_not_there_has_not_started(answer: Any, expected: bool) -> None:
    house = House()
    house.refuse(CALL, 1305)
    house.session.answers["SHOW CREATE PROCEDURE p"] = answer
    assert (house.partly(CALL) is not None) is expected
    assert house.session.queries[-1] == "SHOW CREATE PROCEDURE p"


def test_a_function_that_is_not_there_may_be_missed_in_the_middle() -> None:
    house = House()
    text = "EXECUTE p"
    house.refuse(text, 1305)
    assert house.partly(text) is not None
    assert house.session.queries[-1] == ROLLBACK


def test_what_may_be_several_statements_may_have_begun() -> None:
    house = House()
    found = sending(CALL)
    unbounded = found.statement.statement._replace(bounded=False)
    house.refuse(CALL, 1064)
    with pytest.raises(StatementFailed) as caught:
        house.runner.run(found._replace(statement=found.statement._replace(statement=unbounded)))
    assert caught.value.partly is not None
    assert house.session.packets == house.packets


# A limit on the time.


class Limit:
    """Says that the statement was ended."""

    seconds = 5

    def __init__(self, exceeded: bool) -> None:
        self.exceeded, self.watched = exceeded, 0

    @contextmanager
    def watch(self) -> Iterator[None]:
        self.watched += 1
        yield


def test_only_the_statement_is_watched_and_its_record_is_sent_behind() -> None:
    house = House(limit=Limit(False))
    house.session.answers["SHOW"] = [(b"x",)]
    assert house.run(ROWS, proven=True, ask=b"SHOW") == [(b"x",)]
    assert house.packets == [[START, *ENTRY, COMMIT, START, ROWS], ["update 1 1/1", COMMIT]]
    assert house.recorder.committed.done == 1
    assert house.run("SET @a = 1", 2, proven=True, ask=b"SHOW") == [(b"x",)]


def test_a_statement_that_was_ended_and_succeeded_has_failed() -> None:
    house = House(limit=Limit(True))
    failure = house.fails(ROWS, proven=True)
    assert failure.error.code == 1317
    assert failure.error.reason == "the statement was ended (statement_timeout: 5 s)"
    assert house.packets == [[START, *ENTRY, COMMIT, START, ROWS]]
    assert house.session.queries[-1] == ROLLBACK
    # What stood ahead of it is written.
    assert not house.recorder.pending


def test_a_definition_that_was_ended_and_succeeded_is_done() -> None:
    house = House(limit=Limit(True))
    house.run(DDL)
    assert house.recorder.committed.done == 1


def test_a_refusal_that_has_nothing_to_do_with_the_limit() -> None:
    house = House(limit=Limit(False))
    house.refuse(ROWS, 1062)
    assert house.fails(ROWS, proven=True).error.reason == "no"


def test_behind_a_watched_statement_the_record_may_fail() -> None:
    house = House(limit=Limit(False))
    house.refuse("update 1 1/1", 1114)
    with pytest.raises(RecordingFailed):
        house.run(ROWS, proven=True)
    assert not house.recorder.pending
    assert house.recorder.reached.done == 0


# What is pending.


@pytest.mark.parametrize(
    ("state", "plainly", "start"),
    [
        (TxState(), False, [START]),
        (TxState(Owner.RECORDER), False, []),
        (TxState(Owner.FILE), False, []),
        (TxState(Owner.USER), False, SERIALIZABLE),
        (TxState(locked=True), False, SERIALIZABLE),
        (TxState(), True, SERIALIZABLE),
    ],
)
def test_what_is_pending_is_written(state: TxState, plainly: bool, start: list[str]) -> None:
    house = House(locked=True)
    house.runner.state = state
    house.runner.flush(plainly)
    assert house.packets == [["guard", *start, *ENTRY, COMMIT]]
    assert not house.recorder.pending
    assert house.runner.state == TxState()
    house.runner.flush()
    assert len(house.packets) == 1


def test_a_transaction_is_committed_although_nothing_is_pending() -> None:
    house = House()
    house.runner.flush()
    house.runner.state = TxState(Owner.FILE)
    house.runner.flush()
    assert house.packets[-1] == [COMMIT]


def test_values_are_asked_for_before_they_are_written() -> None:
    house = House()
    found = statement("SET @a = 1")
    session: Any = house.session
    house.recorder.log.record(1, b"SET @a = 1", found.effect, session)
    house.runner.flush()
    assert [entry.sql for entry in house.recorder.log.entries] == ["SET @a = 'value of @a'"]


def test_with_autocommit_off_what_comes_next_is_the_files() -> None:
    house = House()
    house.session.autocommit = False
    house.runner.flush()
    assert house.runner.state == TxState(Owner.USER)


def test_what_is_pending_cannot_be_written() -> None:
    house = House()
    house.refuse("state 1 dirty", 1290)
    with pytest.raises(RecordingFailed):
        house.runner.flush()
    assert house.session.queries[-1] == ROLLBACK
    assert house.recorder.pending


@pytest.mark.parametrize("kind", ["", "taken", "history"])
def test_what_is_pending_needs_the_lock(kind: str) -> None:
    house = House(locked=True)
    house.refuse("guard", LOST_LOCK)
    if kind:
        lost(house, kind)
        with pytest.raises(LockLost):
            house.runner.flush()
        assert house.packets == [["guard"]]
        return
    house.runner.flush()
    assert house.packets == [["guard"], ["guard", START, *ENTRY, COMMIT]]


def test_only_the_guards_own_error_says_that_the_lock_is_lost() -> None:
    house = House(locked=True)
    house.refuse("state 1 dirty", LOST_LOCK)
    with pytest.raises(RecordingFailed):
        house.runner.flush()


def test_a_guard_that_fails_for_another_reason_says_nothing_of_the_lock() -> None:
    house = House(locked=True)
    house.refuse("guard", 2013)
    with pytest.raises(RecordingFailed):
        house.runner.flush()
    assert house.lock is not None
    assert house.lock.retaken == 0


# Sections that are resumed, and files that are one transaction.


def test_table_locks_are_taken_again_once_their_section_is_recorded() -> None:
    house = House()
    house.runner.lock_again([b"LOCK TABLES a WRITE"], 4)
    assert house.packets == [[START, "state 1 dirty", "insert 1 running 0/4", COMMIT], ["LOCK TABLES a WRITE"]]
    assert house.runner.state == TxState(locked=True)
    assert house.recorder.section_last is not None


def test_table_locks_cannot_be_taken_again() -> None:
    house = House()
    house.refuse("LOCK TABLES", 1146)
    with pytest.raises(RecordingFailed):
        house.runner.lock_again([b"LOCK TABLES a WRITE"], 4)
    assert house.session.queries[-1] == ROLLBACK


def test_a_file_in_one_transaction() -> None:
    house = House()
    house.runner.open_for_file()
    assert house.packets == [[START, *ENTRY, COMMIT], [START]]
    assert house.runner.state == TxState(Owner.FILE)
    house.run(ROWS, proven=True)
    house.run(OTHER, 2, proven=True)
    house.runner.flush()
    assert house.packets[-1] == ["update 1 2/2", COMMIT]
    assert house.recorder.committed.done == 2


def test_a_file_in_one_transaction_that_cannot_be_opened() -> None:
    house = House()
    house.runner.flush()
    house.refuse(START, 2013)
    with pytest.raises(RecordingFailed):
        house.runner.open_for_file()


# Stopping.


def test_what_is_done_is_recorded_when_it_stops() -> None:
    house = House()
    house.run(ROWS, proven=True, batchable=False)
    house.runner.stop()
    assert house.packets[-1] == ["update 1 1/1", COMMIT]
    assert house.recorder.committed.done == 1


def test_a_transaction_of_the_files_is_undone_when_it_stops() -> None:
    house = House()
    house.run(DDL)
    house.run("BEGIN", 2, proven=True)
    house.run(ROWS, 3, proven=True)
    house.write(1)
    house.runner.stop()
    assert house.session.queries[-1] == ROLLBACK
    assert house.recorder.committed.done == 1


def test_where_nothing_is_open_nothing_is_left() -> None:
    house = House()
    house.run(DDL)
    sent = len(house.packets)
    house.runner.stop()
    assert len(house.packets) == sent
    assert ROLLBACK not in house.session.queries


def test_what_is_committed_cannot_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    house = House()
    house.run("BEGIN", proven=True)

    def rows(_where: str) -> Any:
        raise refusal(2013)

    monkeypatch.setattr(house.history, "rows", rows)
    with pytest.raises(RecordingFailed) as caught:
        house.runner.stop()
    assert caught.value.reading


# The last words.


def test_the_end_of_an_attempt_depends_on_the_lock() -> None:
    house = House(locked=True)
    house.runner.flush()
    house.write(0)
    house.runner.close("failed", "why", InFlightStatement("d"), State(None, False))
    assert house.packets[-1] == ["guard", START, "update 1 failed 0/1", "state None clean", COMMIT]
    assert house.recorder.phase is Phase.CLOSED


@pytest.mark.parametrize("kind", ["", "taken"])
def test_the_last_words_need_the_lock(kind: str) -> None:
    house = House(locked=True)
    house.runner.flush()
    house.write(0)
    house.state_table.state = State(1, True)
    house.refuse("guard", LOST_LOCK)
    if kind:
        lost(house, kind)
        with pytest.raises(LockLost):
            house.runner.close("failed", "why")
    else:
        house.runner.close("failed", "why")
    assert house.packets[-1] == (["guard"] if kind else ["guard", START, "update 1 failed 0/0", COMMIT])


def test_a_failure_to_record_is_recorded_if_it_can_be() -> None:
    house = House(locked=True)
    house.runner.flush()
    house.runner.abandon(refusal(1290, "read-only"))
    assert house.packets[-1] == ["guard", START, "update 1 failed", COMMIT]
    assert house.history.values[-1]["error"] == "read-only"


def test_without_a_row_there_is_nothing_to_say() -> None:
    house = House(locked=True)
    house.runner.abandon(refusal(1290))
    assert house.packets == []


def test_last_words_that_nobody_hears() -> None:
    house = House()
    house.refuse(START, 2013, 2013)
    house.runner.close("failed", "why")
    assert house.packets == [[START], [START]]


def test_whoever_writes_next_does_so_later(slept: list[float]) -> None:
    house = House()
    house.state_table.written = 1 << 40
    house.runner.close("failed", "why")
    assert slept == [1]


# Several statements in one transaction.

THIRD = "INSERT INTO c VALUES (3)"


def batch_of(*texts: str) -> Batch:
    return Batch([statement(text, number) for number, text in enumerate(texts, 1)])


def in_batch(house: House) -> Any:
    return house.runner.run_batch(batch_of(ROWS, OTHER, THIRD))


def test_a_batch_is_recorded_once() -> None:
    house = House()
    house.run("SET @a = 1", proven=True)
    house.runner.flush()
    house.session.packets.clear()
    ran = house.runner.run_batch(batch_of(ROWS, OTHER, THIRD)._replace(ask=b"SELECT 1"))
    assert (ran.done, ran.alone, ran.answer) == (3, 0, [])
    assert house.packets == [[START, IMPATIENT, ROWS, OTHER, THIRD, "update 1 4/4", COMMIT, PATIENT]]
    assert house.recorder.committed.done == 4
    assert house.runner.state == TxState()


def test_what_waits_for_its_record_goes_ahead_of_a_batch() -> None:
    house = House(locked=True)
    in_batch(house)
    assert house.packets == [
        ["guard", START, *ENTRY, COMMIT, START, IMPATIENT, ROWS, OTHER, THIRD, "update 1 3/3", COMMIT, PATIENT]
    ]


def test_a_refused_statement_of_a_batch_takes_only_itself_back() -> None:
    house = House()
    house.refuse(OTHER, 1062)
    ran = in_batch(house)
    assert (ran.done, ran.alone) == (1, 1)
    assert house.packets[1:] == [["update 1 1/1", COMMIT], [PATIENT]]
    assert house.recorder.committed.done == 1
    assert not house.recorder.pending
    house.run(OTHER, 2, proven=True)
    assert house.packets[-1] == [START, OTHER, "update 1 2/2", COMMIT]


def test_the_first_one_of_a_batch_is_refused() -> None:
    house = House()
    house.refuse(ROWS, 1205)
    ran = in_batch(house)
    assert (ran.done, ran.alone) == (0, 1)
    assert (house.session.queries[-1], house.packets[1:]) == (ROLLBACK, [[PATIENT]])
    assert house.recorder.committed.done == 0


def test_a_deadlock_takes_a_batch_back() -> None:
    house = House()
    house.refuse(THIRD, 1213)
    ran = in_batch(house)
    assert (ran.done, ran.alone) == (0, 3)
    assert (house.session.queries[-1], house.packets[1:]) == (ROLLBACK, [[PATIENT]])
    assert (house.recorder.committed.done, house.recorder.reached.done) == (0, 0)


def test_a_transaction_that_the_server_has_ended_takes_a_batch_back() -> None:
    """There is no room for more locks."""
    house = House()
    house.refuse(THIRD, 1206)
    ran = in_batch(house)
    assert (ran.done, ran.alone) == (0, 3)
    assert house.recorder.committed.done == 0


def test_somebody_ends_a_statement_of_a_batch() -> None:
    house = House()
    house.refuse(OTHER, 1317)
    with pytest.raises(StatementFailed) as caught:
        in_batch(house)
    assert (caught.value.behind, caught.value.partly) == (1, None)
    assert house.recorder.committed.done == 1


def test_the_connection_is_lost_in_a_batch() -> None:
    house = House()
    house.refuse(THIRD, 2013)
    with pytest.raises(StatementFailed) as caught:
        in_batch(house)
    assert caught.value.behind == 2
    assert len(house.packets) == 1
    assert house.recorder.committed.done == 0


@pytest.mark.parametrize("part", [IMPATIENT, "update 1 3/3", PATIENT])
def test_a_batch_that_cannot_be_recorded(part: str) -> None:
    house = House()
    house.refuse(part, 1290)
    with pytest.raises(RecordingFailed):
        in_batch(house)
    assert house.session.queries[-1] == ROLLBACK


def test_a_batch_that_cannot_be_recorded_as_far_as_it_came() -> None:
    house = House()
    house.refuse(OTHER, 1062)
    house.refuse("update 1 1/1", 1290)
    with pytest.raises(RecordingFailed):
        in_batch(house)


def test_a_batch_takes_the_lock_again() -> None:
    house = House(locked=True)
    house.refuse("guard", LOST_LOCK)
    assert in_batch(house).done == 3
    assert house.recorder.committed.done == 3


def test_when_statements_may_share_a_transaction() -> None:
    house = House()
    assert house.runner.may_batch
    house.runner.state = TxState(Owner.RECORDER)
    assert house.runner.may_batch
    for state in (TxState(Owner.USER), TxState(Owner.FILE), TxState(locked=True), TxState(next_only=True)):
        house.runner.state = state
        assert not house.runner.may_batch
    house.runner.state = TxState(observed=True)
    assert not house.runner.may_batch
    house.runner.state = TxState()
    house.session.autocommit = False
    assert not house.runner.may_batch
    assert not House(limit=object()).runner.may_batch
    assert not House(without=True).runner.may_batch
