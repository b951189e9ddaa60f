# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The recorder: what it gives out to be written, when it moves, and which calls it refuses."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, Optional

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._migration.model import State, Step
from ansible_collections.dbops.migrations.plugins.module_utils._migration.run.attempt import AttemptRecorder, Phase
from ansible_collections.dbops.migrations.plugins.module_utils._migration.run.transaction import Act, PacketPlan
from ansible_collections.dbops.migrations.plugins.module_utils._migration.statements.session_state import Entry
from ansible_collections.dbops.migrations.plugins.module_utils._migration.tables.checkpoint import (
    Checkpoint,
    InFlightStatement,
    Position,
)
from unit.migration.fakes import (
    COMMIT,
    NOW,
    START,
    FakeHistory,
    FakeLock,
    FakeSession,
    FakeStateTable,
    record,
    refusal,
)

S, R, C = Act.START, Act.RECORD, Act.COMMIT
STEP = Step(1, "m", "up", "1_m.up.sql", 1)
NEXT = Step(2, "n", "up", "2_n.up.sql", 2)
RECORDED = PacketPlan((S, R, C))
PLAIN = PacketPlan()
NOTHING = State(None, False)


class House:
    """A recorder with all that is around it."""

    def __init__(
        self, history: Optional[FakeHistory] = None, lock: Optional[FakeLock] = None, without: bool = False
    ) -> None:
        self.session, self.state_table = FakeSession(), FakeStateTable()
        self.history = history or FakeHistory()
        self.lock = lock
        self.recorder = self.make(None if without else self.history)

    def make(self, history: Any) -> AttemptRecorder:
        about = {"ran_by": "me", "tool": "t"}
        arguments: Any = (self.session, self.state_table, history, about, self.lock)
        return AttemptRecorder(*arguments)

    def opened(self, state: State = NOTHING) -> AttemptRecorder:
        self.recorder.prepare(state)
        self.recorder.open(STEP)
        return self.recorder

    def written(self) -> dict[str, Any]:
        """The values of the row that was to be written last."""
        return self.history.values[-1]


def opened() -> AttemptRecorder:
    return House().opened()


def run(
    recorder: AttemptRecorder,
    plan: PacketPlan = PLAIN,
    lasting: bool = True,
    settled: bool = True,
    sealed: bool = False,
    last: Optional[int] = None,
    digest: str = "d",
) -> list[str]:
    """Run a statement, and return what went with it."""
    sent = recorder.send(plan, [digest], InFlightStatement(digest, last=last))
    recorder.answered(lasting, settled, sealed)
    return [*sent.before, "-", *sent.after]


# Calls.


def send(recorder: AttemptRecorder) -> None:
    recorder.send(RECORDED, ["d"], None)


def answered(recorder: AttemptRecorder) -> None:
    recorder.answered(True, True, False)


def refused(recorder: AttemptRecorder) -> None:
    recorder.refused(0)


def passed(recorder: AttemptRecorder) -> None:
    recorder.passed("d")


def begin_section(recorder: AttemptRecorder) -> None:
    recorder.begin_section(9)


def end(recorder: AttemptRecorder) -> None:
    recorder.end("sum", last=True)


def closing(recorder: AttemptRecorder) -> None:
    recorder.closing("failed", "why", None, None)


def open_again(recorder: AttemptRecorder) -> None:
    recorder.open(NEXT)


def record_move(recorder: AttemptRecorder) -> None:
    recorder.record_move(State(1, False), {"version": 1})


CALLS: dict[Callable[[AttemptRecorder], None], Phase] = {
    send: Phase.OPEN,
    answered: Phase.SENDING,
    refused: Phase.SENDING,
    passed: Phase.OPEN,
    begin_section: Phase.OPEN,
    end: Phase.OPEN,
    closing: Phase.OPEN,
    open_again: Phase.CLOSED,
    record_move: Phase.CLOSED,
}


def in_phase(phase: Phase) -> AttemptRecorder:
    house = House()
    if phase is not Phase.CLOSED:
        house.opened()
    if phase is Phase.SENDING:
        send(house.recorder)
    return house.recorder


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.__name__)
def test_a_call_in_the_wrong_phase_is_refused_and_changes_nothing(
    call: Callable[[AttemptRecorder], None], phase: Phase
) -> None:
    recorder = in_phase(phase)
    reached, pending = recorder.reached, recorder.pending
    if CALLS[call] is phase:
        call(recorder)
        return
    with pytest.raises(RuntimeError, match=f"the attempt is {phase.name}, not {CALLS[call].name}"):
        call(recorder)
    assert (recorder.phase, recorder.reached, recorder.pending) == (phase, reached, pending)


@pytest.mark.parametrize(
    ("phase", "call", "then"),
    [
        (Phase.CLOSED, open_again, Phase.OPEN),
        (Phase.CLOSED, record_move, Phase.CLOSED),
        (Phase.OPEN, send, Phase.SENDING),
        (Phase.SENDING, answered, Phase.OPEN),
        (Phase.SENDING, refused, Phase.OPEN),
        (Phase.OPEN, passed, Phase.OPEN),
        (Phase.OPEN, begin_section, Phase.OPEN),
        (Phase.OPEN, end, Phase.CLOSED),
        (Phase.OPEN, closing, Phase.CLOSED),
        (Phase.SENDING, lambda recorder: recorder.abandoning("why"), Phase.CLOSED),
    ],
)
def test_the_phase_after_each_call(phase: Phase, call: Callable[[AttemptRecorder], None], then: Phase) -> None:
    recorder = in_phase(phase)
    call(recorder)
    assert recorder.phase is then


# The session's settings.


@pytest.mark.parametrize(
    ("mariadb", "settings", "isolates"),
    [
        (True, (1, "STATEMENT", "READ-COMMITTED"), True),
        (True, (1, "STATEMENT", "READ-UNCOMMITTED"), True),
        (False, (1, "STATEMENT", "READ-COMMITTED"), True),
        (True, (1, "STATEMENT", "REPEATABLE-READ"), False),
        (True, (1, "MIXED", "READ-COMMITTED"), False),
        (True, (0, "STATEMENT", "READ-COMMITTED"), False),
    ],
)
def test_a_log_of_statements_takes_rows_of_our_own_isolation_only(
    mariadb: bool, settings: tuple[Any, ...], isolates: bool
) -> None:
    house = House()
    house.session = FakeSession(mariadb)
    house.session.answers["SYSDATE(6)"] = [(NOW, *settings)]
    house.recorder = house.make(house.history)
    asked = "@@SESSION.tx_isolation" if mariadb else "@@SESSION.transaction_isolation"
    assert house.session.queries[0].endswith(asked)
    assert house.recorder.isolates is isolates
    level = ["SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"] if isolates else []
    house.opened()
    # The one that is to hold the statement has the session's own.
    sent = run(house.recorder, PacketPlan((S, R, C, S)))
    assert sent == [*level, START, "state 1 dirty", "insert 1 running 0/0", COMMIT, START, "-"]
    recorder = house.recorder
    assert recorder.writing() == [*level, START, "update 1 1/1", COMMIT]


# The tables.


def test_tables_that_are_missing_are_created() -> None:
    house = House(FakeHistory(record(4)))
    house.history.there = False
    house.recorder.prepare(State(None, False))
    assert (house.state_table.ensured, house.history.created) == (1, 1)
    house.recorder.prepare(State(None, False))
    assert (house.state_table.ensured, house.history.created) == (2, 1)


def test_attempts_are_counted_on_from_the_newest_row() -> None:
    house = House(FakeHistory(record(4)))
    house.opened()
    assert run(house.recorder, RECORDED) == [START, "state 1 dirty", "insert 5 running 0/0", COMMIT, "-"]


def test_the_first_row_says_what_is_attempted() -> None:
    house = House()
    house.opened()
    run(house.recorder, RECORDED)
    row = house.written()
    progress = row.pop("progress")
    assert json.loads(progress) == {"chain": "", "digests": ""}
    assert row.pop("started_at").startswith("2023-11-14 22:13:20")
    assert 0 <= row.pop("seconds") < 60
    assert row == {
        "id": 1, "version": 1, "title": "m", "direction": "up", "leads_to": 1, "outcome": "running", "done": 0,
        "begun": 0, "ran_by": "me", "tool": "t",
    }  # fmt: skip


def test_before_the_first_attempt_nothing_is_pending() -> None:
    recorder = House().recorder
    assert not recorder.pending
    assert (recorder.reached, recorder.committed) == (Position(), Position())


# What goes with a statement.

ENTRY = ["state 1 dirty", "insert 1 running 0/0"]


@pytest.mark.parametrize(
    ("plan", "last", "expected"),
    [
        (PLAIN, None, ["-"]),
        (PacketPlan((S, R, C)), None, [START, *ENTRY, COMMIT, "-"]),
        (PacketPlan((R,)), None, [*ENTRY, "-"]),
        (PacketPlan((S,)), None, [START, "-"]),
        (PacketPlan((S, R, C, S), (R, C)), None, [START, *ENTRY, COMMIT, START, "-", "update 1 1/1", COMMIT]),
        (PacketPlan((S,), (R, C)), None, [START, "-", "state 1 dirty", "insert 1 running 1/1", COMMIT]),
        (PacketPlan((S, R), begins=True), None, [START, "state 1 dirty", "insert 1 running 0/1", "-"]),
        (PacketPlan((S, R), begins=True), 5, [START, "state 1 dirty", "insert 1 running 0/5", "-"]),
        (PacketPlan((R,), counts=True), None, ["state 1 dirty", "insert 1 running 1/1", "-"]),
        (
            PacketPlan((S, R, C), (R,), begins=True),
            None,
            [START, "state 1 dirty", "insert 1 running 0/1", COMMIT, "-", "update 1 1/1"],
        ),
    ],
)
def test_what_goes_with_a_statement(plan: PacketPlan, last: Optional[int], expected: list[str]) -> None:
    recorder = opened()
    assert run(recorder, plan, last=last) == expected


def test_a_row_that_is_there_is_changed() -> None:
    recorder = opened()
    run(recorder, RECORDED)
    assert run(recorder, RECORDED) == [START, "update 1 1/1", COMMIT, "-"]


@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        (PLAIN, ["-"]),
        (PacketPlan((S,)), [START, "-"]),
        (PacketPlan((S, R, C)), ["guard", START, *ENTRY, COMMIT, "-"]),
        # What is proven cannot have released the lock.
        (PacketPlan((S, R, C, S), (R, C)), ["guard", START, *ENTRY, COMMIT, START, "-", "update 1 1/1", COMMIT]),
        (PacketPlan((S, R, C), begins=True), ["guard", START, "state 1 dirty", "insert 1 running 0/1", COMMIT, "-"]),
        (PacketPlan((S, R), begins=True), ["guard", START, "state 1 dirty", "insert 1 running 0/1", "-"]),
    ],
)
def test_every_write_depends_on_the_lock(plan: PacketPlan, expected: list[str]) -> None:
    house = House(lock=FakeLock())
    assert run(house.opened(), plan) == expected


def test_what_is_in_flight_is_recorded_with_its_beginning_only() -> None:
    house = House()
    house.opened()
    run(house.recorder, RECORDED, digest="abc")
    assert "flight" not in json.loads(house.written()["progress"])
    run(house.recorder, PacketPlan((S, R), begins=True), digest="xyz")
    assert json.loads(house.written()["progress"])["flight"] == "xyz"


# It moves on the server's answer only.


def test_nothing_moves_while_a_packet_is_under_way() -> None:
    recorder = opened()
    send(recorder)
    assert (recorder.reached, recorder.committed, recorder.pending) == (Position(), Position(), True)


def test_a_refusal_ahead_of_the_statement_moves_nothing() -> None:
    recorder = opened()
    send(recorder)
    recorder.refused(3)
    assert (recorder.reached, recorder.committed, recorder.pending) == (Position(), Position(), True)
    assert run(recorder, RECORDED) == [START, *ENTRY, COMMIT, "-"]


def test_a_refusal_of_the_statement_leaves_what_stood_ahead_of_it_written() -> None:
    recorder = opened()
    run(recorder, RECORDED)
    recorder.send(RECORDED, ["d"], None)
    recorder.refused(3)
    assert recorder.pending is False
    assert recorder.reached.done == 1
    assert recorder.committed.done == 1


def test_a_refused_statement_is_not_done_but_its_beginning_is_written() -> None:
    recorder = opened()
    recorder.send(PacketPlan((S, R, C), (R,), begins=True), ["d"], InFlightStatement("d"))
    recorder.refused(4)
    assert (recorder.reached, recorder.pending) == (Position(), False)


@pytest.mark.parametrize(
    ("plan", "lasting", "settled", "pending", "committed"),
    [
        (PLAIN, True, True, True, 2),
        (PLAIN, True, False, True, 1),
        # It changed nothing but its session.
        (PLAIN, False, True, False, 1),
        (PacketPlan((S,), (R, C)), True, True, False, 2),
        (PacketPlan((), (R,)), True, False, False, 1),
        (PacketPlan((R,), counts=True), True, True, False, 2),
        (PacketPlan((R,), counts=True), False, True, False, 2),
    ],
)
def test_what_an_answer_says(plan: PacketPlan, lasting: bool, settled: bool, pending: bool, committed: int) -> None:
    recorder = opened()
    run(recorder, PacketPlan((S, R, C, S), (R, C)))
    run(recorder, plan, lasting, settled)
    assert recorder.reached == Position().after("d").after("d")
    assert (recorder.pending, recorder.committed.done) == (pending, committed)


def test_a_statement_that_an_earlier_run_has_done() -> None:
    recorder = opened()
    run(recorder, PacketPlan((S, R, C, S), (R, C)))
    assert not recorder.pending
    recorder.passed("e")
    assert recorder.pending
    assert recorder.reached == recorder.committed == Position().after("d").after("e")
    assert recorder.writing() == [START, "update 1 2/2", COMMIT]


# Sections.


def test_a_section_is_recorded_as_begun_until_it_is_over() -> None:
    recorder = opened()
    whole = PacketPlan((S, R, C), begins=True)
    assert run(recorder, whole, settled=False, last=3)[2] == "insert 1 running 0/3"
    assert recorder.section_last is not None
    assert run(recorder, PacketPlan((R,)), settled=False) == ["update 1 1/3", "-"]
    assert recorder.section_last is not None
    assert run(recorder, PLAIN, settled=False) == ["-"]
    assert recorder.section_last is None
    assert recorder.writing() == [START, "update 1 3/3", COMMIT]


def test_a_section_that_the_server_says_is_over_is_over() -> None:
    recorder = opened()
    run(recorder, PacketPlan((S, R, C), begins=True), settled=False, last=5)
    run(recorder, PLAIN, settled=True)
    assert recorder.section_last is None
    assert recorder.writing() == [START, "update 1 2/2", COMMIT]


def test_a_section_continues_where_nothing_can_be_written() -> None:
    recorder = opened()
    run(recorder, PacketPlan((S, R, C), begins=True), sealed=True, last=5)
    run(recorder, PLAIN, settled=True, sealed=True)
    assert recorder.section_last is not None
    assert recorder.writing() == [START, "update 1 2/5", COMMIT]


def test_a_section_outlives_what_changes_the_session_alone() -> None:
    recorder = opened()
    run(recorder, PacketPlan((S, R, C), begins=True), sealed=True, last=5)
    run(recorder, PLAIN, lasting=False)
    assert recorder.section_last is not None


def test_a_section_that_is_started_manually() -> None:
    recorder = opened()
    recorder.begin_section(4)
    assert recorder.section_last is not None
    assert recorder.writing() == [START, "state 1 dirty", "insert 1 running 0/4", COMMIT]


def test_one_statement_in_flight_is_not_a_section() -> None:
    recorder = opened()
    run(recorder, PacketPlan((S, R, C), begins=True), sealed=True)
    assert recorder.section_last is None


# What waits to be written.


def test_what_is_pending_does_not_change_until_it_is_written() -> None:
    recorder = opened()
    expected = [START, *ENTRY, COMMIT]
    assert recorder.writing() == recorder.writing() == expected
    assert recorder.pending
    recorder.wrote()
    assert not recorder.pending
    assert recorder.writing() == [START, COMMIT]


def test_it_may_be_written_in_a_transaction_that_is_open() -> None:
    assert opened().writing([]) == [*ENTRY, COMMIT]


def test_what_is_written_is_committed() -> None:
    recorder = opened()
    run(recorder, PLAIN, settled=False)
    recorder.writing()
    recorder.wrote()
    assert recorder.committed == recorder.reached == Position().after("d")


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        (True, ["update 1 applied 1/1", "state 1 clean"]),
        (False, ["update 1 applied 1/1"]),
    ],
)
def test_the_end_is_written_with_what_comes_next(last: bool, expected: list[str]) -> None:
    house = House()
    recorder = house.opened()
    run(recorder, RECORDED)
    recorder.end("sum", last)
    assert recorder.pending
    row = house.written()
    assert (row["checksum"], row["statements"], row["progress"]) == ("sum", 1, None)
    assert recorder.writing() == [START, *expected, COMMIT]
    recorder.open(NEXT)
    assert run(recorder, RECORDED) == [START, *expected, "state 2 dirty", "insert 2 running 0/0", COMMIT, "-"]


def test_each_attempt_starts_at_its_own_first_statement() -> None:
    recorder = opened()
    run(recorder, RECORDED)
    recorder.end("sum", last=False)
    recorder.open(NEXT)
    assert recorder.reached == recorder.committed == Position()


def test_the_session_is_carried_over_to_the_next_file() -> None:
    recorder = opened()
    log = recorder.log
    log.entries.append(Entry(3, "SET @a = 1"))
    recorder.end("sum", last=False)
    recorder.open(NEXT)
    assert recorder.log is log
    assert log.entries == [Entry(0, "SET @a = 1")]


# A state table without transactions.


def apart() -> House:
    house = House()
    house.state_table.transactional = False
    house.opened()
    return house


def test_a_state_that_is_apart_is_written_after_the_attempt_and_ahead_of_its_end() -> None:
    recorder = apart().recorder
    assert recorder.apart
    assert recorder.pending
    expected = [START, "insert 1 running 0/0", COMMIT, "state 1 dirty"]
    assert recorder.writing() == recorder.writing() == expected
    recorder.wrote()
    assert recorder.writing() == [START, COMMIT]
    run(recorder, PLAIN)
    # Although another file follows.
    recorder.end("sum", last=False)
    assert recorder.writing() == ["state 1 clean", START, "update 1 applied 1/1", COMMIT]


def test_a_state_with_transactions_is_not_apart() -> None:
    assert not opened().apart


@pytest.mark.parametrize("ended", [False, True])
def test_a_state_that_is_apart_is_pending(ended: bool) -> None:
    recorder = apart().recorder
    recorder.writing()
    recorder.wrote()
    assert not recorder.pending
    if ended:
        recorder.end("sum", last=False)
    else:
        recorder = House(without=True).recorder
        recorder.open(STEP)
    assert recorder.pending


# Attempts that resume others.


@pytest.mark.parametrize(("outcome", "first"), [("running", ["update 1 interrupted"]), ("failed", [])])
def test_an_attempt_that_resumes_another_one(outcome: str, first: list[str]) -> None:
    earlier = record(1, outcome, 2)
    house = House(FakeHistory(earlier))
    recorder = house.recorder
    recorder.prepare(State(1, True))
    reached = Position(2, "chain", ("a", "b"))
    recorder.open(STEP, Checkpoint(reached), earlier)
    assert recorder.reached == recorder.committed == reached
    # The state is dirty already.
    assert run(recorder, RECORDED) == [START, *first, "insert 2 running 2/2", COMMIT, "-"]
    recorder.end("sum", last=True)
    expected = ["update 2 applied 3/3", "forget before 2", "state 1 clean"]
    assert recorder.writing() == [START, *expected, COMMIT]


# Attempts that fail.


def test_a_failure_is_recorded_where_everything_is_committed() -> None:
    house = House()
    recorder = house.opened()
    run(recorder, RECORDED)
    run(recorder, PLAIN, settled=False)
    house.history.records = [record(1, done=1, last_insert_id=7)]
    assert recorder.closing("failed", "why", None, None) == [START, "update 1 failed 1/1", COMMIT]
    assert (house.written()["error"], house.written()["last_insert_id"]) == ("why", 7)


def test_what_may_have_had_an_effect_is_recorded_with_the_failure() -> None:
    house = House()
    recorder = house.opened()
    run(recorder, RECORDED)
    house.history.records = [record(1, done=0, last_insert_id=7)]
    partly = InFlightStatement("d", last=4)
    assert recorder.closing("failed", "why", partly, None) == [START, "update 1 failed 1/4", COMMIT]
    # It is not that of the place which is recorded.
    assert "last_insert_id" not in house.written()


def test_a_failure_before_anything_was_written() -> None:
    recorder = opened()
    expected = [START, "state 1 dirty", "insert 1 failed 0/0", "state None clean", COMMIT]
    assert recorder.closing("failed", "why", None, State(None, False)) == expected


def test_secrets_are_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    module = "ansible_collections.dbops.migrations.plugins.module_utils._migration.run.attempt.clean"
    monkeypatch.setattr(module, lambda text: text.replace("pw", "***"))
    house = House()
    run(house.opened(), RECORDED)
    house.recorder.abandoning("the pw")
    assert house.written() == {"outcome": "failed", "error": "the ***"}
    other = House()
    other.opened().closing("failed", "a pw", None, None)
    assert other.written()["error"] == "a ***"


def test_a_run_that_could_not_record_says_so_of_its_last_row() -> None:
    recorder = opened()
    run(recorder, RECORDED)
    recorder.send(RECORDED, ["d"], None)
    assert recorder.abandoning("why") == [START, "update 1 failed", COMMIT]


@pytest.mark.parametrize("written", [True, False])
def test_an_attempt_whose_end_is_written_has_not_failed(written: bool) -> None:
    recorder = opened()
    run(recorder, RECORDED)
    recorder.end("sum", last=True)
    recorder.writing()
    if written:
        recorder.wrote()
    assert recorder.abandoning("why") == ([] if written else [START, "update 1 failed", COMMIT])


def test_a_run_that_has_no_row_has_nothing_to_say() -> None:
    recorder = opened()
    assert recorder.abandoning("why") == []
    # Although the row of an earlier run would have the number.
    assert recorder.phase is Phase.CLOSED


# What the server is asked.


@pytest.mark.parametrize("done", [None, 1, 2, 9])
def test_what_the_history_has_is_committed(done: Optional[int]) -> None:
    house = House()
    recorder = house.opened()
    run(recorder, PacketPlan((S, R, C, S), (R, C)))
    run(recorder, PLAIN, settled=False)
    run(recorder, PacketPlan((R,)), settled=False)
    assert (recorder.reached.done, recorder.committed.done) == (3, 1)
    house.history.records = [] if done is None else [record(1, done=done)]
    recorder.find_committed()
    # Nothing of ours has written 9.
    assert recorder.committed == (Position().after("d").after("d") if done == 2 else Position().after("d"))


def test_a_record_behind_a_statement_that_leaves_a_transaction_open_may_be_committed_by_another_one() -> None:
    house = House()
    recorder = house.opened()
    run(recorder, PacketPlan((S, R, C), (R,), begins=True), settled=False)
    run(recorder, PLAIN, settled=False)
    assert recorder.committed.done == 0
    house.history.records = [record(1, done=1)]
    recorder.find_committed()
    assert recorder.committed == Position().after("d")


@pytest.mark.parametrize(
    ("state", "newest", "untouched"),
    [
        (State(1, True), 1, True),
        (State(1, False), 1, False),
        (State(None, False), 1, False),
        (State(1, True), 2, False),
        (State(1, True), 0, False),
    ],
)
def test_whether_somebody_else_has_written(state: State, newest: int, untouched: bool) -> None:
    house = House()
    recorder = house.opened()
    run(recorder, RECORDED)
    house.state_table.state = state
    house.history.records = [record(newest)] if newest else []
    assert recorder.is_untouched() is untouched
    assert house.state_table.read_now == [True]


def test_before_the_first_write_the_tables_are_as_they_were() -> None:
    house = House(FakeHistory(record(4)))
    recorder = house.opened(State(7, False))
    house.state_table.state = State(7, False)
    assert recorder.is_untouched()
    assert house.history.read_now[-1] is True
    house.history.records.append(record(5))
    assert not recorder.is_untouched()


def test_whoever_writes_next_does_so_in_a_later_second(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)
    house = House()
    recorder = house.opened()
    for written in (None, int(NOW), int(NOW) - 5, int(NOW) + 60):
        house.state_table.written = written
        recorder.wait_for_next_second()
        recorder.writing()
        assert json.loads(house.written()["progress"]).get("written_at") == written
    assert slept == [1, 0, 1]


def test_without_a_history_nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    house = House(without=True)
    house.opened()
    house.state_table.written = int(NOW)
    monkeypatch.setattr(time, "sleep", lambda _seconds: pytest.fail("it waits"))
    house.recorder.wait_for_next_second()


def test_the_state_as_it_is_now() -> None:
    house = House()
    house.state_table.state = State(3, True)
    assert house.recorder.state() == State(3, True)
    house.state_table.error = refusal(2013)
    assert house.recorder.state() is None


# Without a history, only the state is written.


def test_without_a_history() -> None:
    house = House(without=True)
    recorder = house.opened()
    assert run(recorder, RECORDED) == [START, "state 1 dirty", COMMIT, "-"]
    assert recorder.stored() is None
    recorder.end("sum", last=True)
    assert recorder.writing() == [START, "state 1 clean", COMMIT]
    recorder.wrote()
    recorder.open(NEXT)
    assert recorder.closing("failed", "why", None, None) == [START, "state 2 dirty", COMMIT]
    assert recorder.abandoning("why") == []


# Moves that ran no file.


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (State(3, False), ["guard", START, "state 3 clean", "insert 5 applied 0/0", "forget before 5", COMMIT]),
        (None, ["guard", START, "insert 5 applied 0/0", "forget before 5", COMMIT]),
    ],
)
def test_a_move_is_one_transaction(state: Optional[State], expected: list[str]) -> None:
    house = House(FakeHistory(record(4)), FakeLock())
    house.recorder.prepare(State(None, False))
    house.recorder.record_move(state, {"version": 3, "direction": "force"})
    assert house.session.packets == [expected]
    row = house.written()
    assert (row["title"], row["direction"], row["version"], row["ran_by"]) == ("", "force", 3, "me")
    assert row["started_at"].startswith("2023-11-14 22:13:2")


def test_a_move_without_a_history() -> None:
    house = House(without=True)
    house.recorder.record_move(State(3, False), {"version": 3})
    assert house.session.packets == [[START, "state 3 clean", COMMIT]]
    house.recorder.record_move(None, {"version": 3})
    assert len(house.session.packets) == 1
