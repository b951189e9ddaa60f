# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which attempt is resumed, from which statement, and what became of the one that was interrupted."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Optional

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._core.errors import Error
from ansible_collections.dbops.migrations.plugins.module_utils._migration.files.reader import FileReader
from ansible_collections.dbops.migrations.plugins.module_utils._migration.model import State, Step, Unfinished
from ansible_collections.dbops.migrations.plugins.module_utils._migration.run.recovery import (
    Found,
    Resumption,
    became,
    find,
    look_after,
    retrace,
)
from ansible_collections.dbops.migrations.plugins.module_utils._migration.statements.classified import digest
from ansible_collections.dbops.migrations.plugins.module_utils._migration.statements.fingerprints import (
    ABSENT,
    InFlightOutcome,
    fingerprint,
)
from ansible_collections.dbops.migrations.plugins.module_utils._migration.statements.session_state import (
    Entry,
    SessionRecorder,
)
from ansible_collections.dbops.migrations.plugins.module_utils._migration.tables.checkpoint import (
    Checkpoint,
    InFlightStatement,
    Position,
)
from ansible_collections.dbops.migrations.plugins.module_utils._migration.tables.history_table import AttemptRecord
from unit.migration.fakes import FakeHistory, FakeSession, FakeStateTable, record, refusal, statement

STEP = Step(1, "m", "up", "1_m.up.sql", 1)
TEXTS = ("SET @a = 1", "INSERT INTO a VALUES (1)", "SET @b = 2", "CALL p()")
DIRTY = State(1, True)
STARTED = datetime(2026, 11, 5, 12, 30, 15, tzinfo=timezone.utc)


def reached(*texts: str) -> Position:
    place = Position()
    for text in texts:
        place = place.after(digest(text.encode()))
    return place


def resumption(
    texts: tuple[str, ...] = TEXTS[:2],
    at: Optional[int] = None,
    begun: Optional[int] = None,
    flight: Optional[InFlightStatement] = None,
    entries: tuple[Entry, ...] = (),
    **values: Any,
) -> Resumption:
    """Return an attempt in which these statements are done."""
    checkpoint = Checkpoint(reached(*texts), flight, SessionRecorder(entries))
    return Resumption(record(3, "failed", len(texts), begun, **values), checkpoint, at)


# Which attempt.


def found(*records: AttemptRecord, state: State = DIRTY, at: Optional[int] = None, written: Any = None) -> Any:
    state_table = FakeStateTable()
    state_table.written = written
    arguments: Any = (FakeHistory(*records), state_table, state, at)
    return find(*arguments)


@pytest.mark.parametrize("outcome", ["running", "failed", "interrupted"])
def test_the_newest_attempt_explains_the_state(outcome: str) -> None:
    text = Checkpoint().dump(reached("a", "b"), InFlightStatement("d"))
    row = record(2, outcome, 2, 3, progress=text)
    of = found(record(1), row)
    assert (of.record, of.at) == (row, None)
    assert (of.checkpoint.reached, of.checkpoint.in_flight) == (reached("a", "b"), InFlightStatement("d"))


@pytest.mark.parametrize(
    ("row", "state"),
    [
        (None, DIRTY),
        (record(1, "applied"), DIRTY),
        (record(1, leads_to=2), DIRTY),
        (record(1, direction="force"), DIRTY),
        (record(1), State(1, False)),
    ],
)
def test_what_the_history_does_not_explain(row: Optional[AttemptRecord], state: State) -> None:
    assert found(*([row] if row else []), state=state) is None


def test_only_the_newest_one_counts() -> None:
    assert found(record(1), record(2, "applied")) is None


@pytest.mark.parametrize("at", [0, -1])
def test_statements_are_counted_from_one(at: int) -> None:
    with pytest.raises(Error, match=f"resume_from is {at}. Give the number of the statement to resume from, from 1."):
        found(record(1), at=at)


LATER = int(STARTED.timestamp()) + 60


@pytest.mark.parametrize(
    ("noted", "written", "elsewhere"),
    [
        (None, None, False),
        (None, int(STARTED.timestamp()), False),
        # It counts whole seconds, and the two clocks are not the same.
        (None, int(STARTED.timestamp()) + 2, False),
        (None, int(STARTED.timestamp()) + 3, True),
        (LATER, LATER, False),
        (LATER, LATER + 1, True),
        (LATER, LATER - 1, True),
        # The server has forgotten it.
        (LATER, None, False),
    ],
)
def test_whether_something_else_has_written_the_state(
    noted: Optional[int], written: Optional[int], elsewhere: bool
) -> None:
    row = record(1, progress=Checkpoint(written_at=noted).dump(Position(), None))
    assert found(row, at=1, written=written).at == 1
    if not elsewhere:
        assert found(row, written=written).record == row
        return
    with pytest.raises(Error, match="something else has written the state table since"):
        found(row, written=written)


def test_what_the_plan_starts_with() -> None:
    assert resumption(direction="down").unfinished == Unfinished(1, "down")


@pytest.mark.parametrize(("at", "done"), [(None, 2), (1, 0), (3, 2), (5, 4)])
def test_how_many_statements_are_not_run(at: Optional[int], done: int) -> None:
    assert resumption(at=at).done == done


FLIGHT = InFlightStatement("d", last=None)


@pytest.mark.parametrize(
    ("begun", "at", "flight", "expected"),
    [
        (2, None, None, None),
        (2, None, FLIGHT, None),
        (3, None, FLIGHT, FLIGHT),
        (3, None, None, InFlightStatement("")),
        (3, 3, FLIGHT, None),
    ],
)
def test_what_is_in_doubt(
    begun: int, at: Optional[int], flight: Optional[InFlightStatement], expected: Optional[InFlightStatement]
) -> None:
    assert resumption(at=at, begun=begun, flight=flight).in_doubt == expected


# What became of the statement that was interrupted.

DDL = statement("ALTER TABLE a ADD b INT")
OLD, NEW = (b"a", b"CREATE TABLE `a` (i INT\n) ENGINE=InnoDB"), (b"a", b"CREATE TABLE `a` (j INT\n) ENGINE=InnoDB")


def cut_off(text: str, *before: Optional[str], **values: Any) -> InFlightStatement:
    found = statement(text)
    return InFlightStatement(found.digest, found.effect.objects, before)._replace(**values)


BEFORE = fingerprint(DDL.effect.objects[0], [OLD])


@pytest.mark.parametrize(
    ("flight", "shown", "expected"),
    [
        (cut_off("ALTER TABLE a ADD b INT", BEFORE), NEW, InFlightOutcome.DONE),
        (cut_off("ALTER TABLE a ADD b INT", BEFORE), OLD, InFlightOutcome.NOT_DONE),
        (cut_off("ALTER TABLE a ADD b INT", None), NEW, InFlightOutcome.UNKNOWN),
        # A section, or another text: what has its place now says nothing about what ran.
        (cut_off("ALTER TABLE a ADD b INT", BEFORE, last=3), NEW, InFlightOutcome.UNKNOWN),
        (cut_off("ALTER TABLE a ADD b INT", BEFORE, digest="d"), NEW, InFlightOutcome.UNKNOWN),
    ],
)
def test_what_became_of_a_definition(flight: InFlightStatement, shown: Any, expected: InFlightOutcome) -> None:
    session: Any = FakeSession()
    session.answers["SHOW CREATE TABLE a"] = [shown]
    assert became(session, DDL, flight) is expected


SERIES = [statement(f"CREATE TABLE {name} (i INT)") for name in "abc"]


@pytest.mark.parametrize(
    ("there", "count", "expected"),
    [
        ("", 3, Found(0, None)),
        ("a", 3, Found(1, None)),
        ("abc", 3, Found(3, None)),
        # Somebody has dropped the first one since.
        ("b", 3, Found(2, None)),
        # Another engine's table need not be whole.
        ("aB", 3, Found(1, (1, 1))),
        ("Ab", 3, Found(2, None)),
        ("ABC", 3, Found(0, (0, 2))),
        # The file has become shorter.
        ("a", 1, Found(1, (1, 2))),
    ],
)
def test_what_became_of_a_series(there: str, count: int, expected: Found) -> None:
    session: Any = FakeSession()
    for item, name in zip(SERIES, "abc"):
        engine = "InnoDB" if name in there else "MyISAM"
        shown = [(b"x", f"CREATE TABLE `{name}` (i INT\n) ENGINE={engine}".encode())]
        found = shown if name in there.lower() else refusal(1146)
        session.answers[f"SHOW CREATE TABLE {name}"] = found
        assert item.effect.objects[0].name == name.encode()
    first, *behind = [InFlightStatement(item.digest, item.effect.objects, (ABSENT,)) for item in SERIES]
    assert look_after(session, SERIES[:count], first._replace(behind=tuple(behind))) == expected


def test_a_server_that_is_not_atomic_shows_nothing() -> None:
    session: Any = FakeSession()
    session.answers["SHOW CREATE TABLE a"] = [NEW]
    session.atomic_ddl = False
    assert became(session, DDL, cut_off("ALTER TABLE a ADD b INT", BEFORE)) is InFlightOutcome.UNKNOWN


def test_numbers_of_tables_are_asked_for_where_they_were() -> None:
    session: Any = FakeSession()
    session.answers["SHOW CREATE TABLE a"] = [OLD]
    session.answers["innodb_sys_tables"] = [(b"12",)]
    text = "TRUNCATE TABLE a"
    assert became(session, statement(text), cut_off(text, BEFORE, "11")) is InFlightOutcome.DONE
    assert became(session, statement(text), cut_off(text, BEFORE, "12")) is InFlightOutcome.NOT_DONE
    asked = len(session.queries)
    became(session, statement(text), cut_off(text, BEFORE))
    assert session.queries[asked:] == ["SHOW CREATE TABLE a"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ANALYZE TABLE a", InFlightOutcome.NOT_DONE),
        ("INSERT INTO a VALUES (1)", InFlightOutcome.UNKNOWN),
        ("CALL p()", InFlightOutcome.UNKNOWN),
    ],
)
def test_what_became_of_other_statements(text: str, expected: InFlightOutcome) -> None:
    session: Any = FakeSession()
    assert became(session, statement(text), InFlightStatement(statement(text).digest)) is expected
    assert session.queries == []


def test_an_object_that_is_gone() -> None:
    session: Any = FakeSession()
    session.answers["SHOW CREATE TABLE a"] = refusal(1146)
    assert became(session, statement("DROP TABLE a"), cut_off("DROP TABLE a", BEFORE)) is InFlightOutcome.DONE
    assert became(session, statement("DROP TABLE a"), cut_off("DROP TABLE a", ABSENT)) is InFlightOutcome.NOT_DONE


# The statements that are done.


class House:
    """A file and a new session, in which an attempt is to be resumed."""

    def __init__(self, folder: Path, *texts: str) -> None:
        (folder / "1_m.up.sql").write_text(";\n".join(texts))
        self.session = FakeSession()
        session: Any = self.session
        self.reader = FileReader(session, str(folder), STEP)

    def retrace(self, of: Resumption) -> Position:
        session: Any = self.session
        return retrace(session, of, self.reader, lambda taken: statement(taken.text.decode(), taken.number))

    def refuses(self, of: Resumption) -> Error:
        with pytest.raises(Error) as caught:
            self.retrace(of)
        return caught.value

    @property
    def executed(self) -> list[str]:
        return [text for packet in self.session.packets for text in packet]

    def next(self) -> str:
        following = self.reader.peek()
        return following.text.decode() if following else ""


def test_the_next_statement_is_the_first_that_is_not_done(tmp_path: Path) -> None:
    house = House(tmp_path, *TEXTS)
    assert house.retrace(resumption()) == reached(*TEXTS[:2])
    assert house.next() == TEXTS[2]
    assert (house.executed, house.session.queries) == ([], [])


def test_nothing_is_done(tmp_path: Path) -> None:
    house = House(tmp_path, *TEXTS)
    assert house.retrace(resumption(())) == Position()
    assert house.next() == TEXTS[0]


def test_what_the_session_held_comes_back_in_its_order(tmp_path: Path) -> None:
    entries = (
        Entry(2, "SET @x = 'second'"),
        Entry(0, "SET @y = 'of an earlier file'"),
        Entry(1, "SET @z = 'first'"),
        Entry(3, "SET @n = 'not done'"),
        Entry(1, "LOCK TABLES a WRITE", key="LOCK TABLES"),
    )
    house = House(tmp_path, *TEXTS)
    house.retrace(resumption(entries=entries, last_insert_id=7))
    assert house.executed == ["SET @y = 'of an earlier file'", "SET @z = 'first'", "SET @x = 'second'"]
    assert house.session.queries == ["SELECT LAST_INSERT_ID(7)"]


def test_the_session_cannot_be_restored(tmp_path: Path) -> None:
    house = House(tmp_path, *TEXTS)
    house.session.refused["SET @z"] = [refusal(1193, "no such variable")]
    error = house.refuses(resumption(entries=(Entry(1, "SET @z = 1"),)))
    assert "could not be restored: (1193) no such variable" in str(error)


@pytest.mark.parametrize("at", [None, 3])
def test_a_statement_that_was_changed_is_named(tmp_path: Path, at: Optional[int]) -> None:
    house = House(tmp_path, TEXTS[0], "INSERT INTO a VALUES (2)", *TEXTS[2:])
    error = house.refuses(resumption(at=at))
    assert "statement 2 was done by an earlier run and has been changed since" in str(error)
    assert (error.results["statement"], error.results["line"]) == (2, 2)


def test_a_change_ahead_of_resume_from_only_matters(tmp_path: Path) -> None:
    house = House(tmp_path, TEXTS[0], "INSERT INTO a VALUES (2)", *TEXTS[2:])
    assert house.retrace(resumption(at=2)) == reached(TEXTS[0])
    assert house.next() == "INSERT INTO a VALUES (2)"


def test_a_change_that_cannot_be_placed(tmp_path: Path) -> None:
    texts = [f"DO {number}" for number in range(253)]
    done = resumption(tuple(texts))
    assert House(tmp_path, *texts).retrace(done) == reached(*texts)
    error = House(tmp_path, *texts[:251], "DO 1", "DO 252").refuses(done)
    assert "one of its statements 251 to 253, which were done by an earlier run, has been changed" in str(error)
    error = House(tmp_path, *texts[:249], "DO 1", *texts[250:]).refuses(done)
    assert "statement 250 was done by an earlier run" in str(error)


def test_a_file_that_has_become_shorter(tmp_path: Path) -> None:
    error = House(tmp_path, TEXTS[0]).refuses(resumption())
    assert "1_m.up.sql has 1 statement, but an earlier run completed 2. " in str(error)


# What the user says is done.


def test_what_is_done_on_the_users_word_is_repeated_in_the_session(tmp_path: Path) -> None:
    house = House(tmp_path, *TEXTS)
    of = resumption(TEXTS[:1], at=5)
    assert house.retrace(of) == reached(*TEXTS)
    # Rows and calls are done.
    assert house.executed == ["SET @b = 2"]
    session: Any = house.session
    of.checkpoint.log.read_values(session)
    assert [(entry.number, entry.sql) for entry in of.checkpoint.log.entries] == [(3, "SET @b = 'value of @b'")]
    assert house.next() == ""


def test_locks_are_taken_note_of_and_not_taken(tmp_path: Path) -> None:
    house = House(tmp_path, "LOCK TABLES a WRITE", "INSERT INTO a VALUES (1)", "DO 1")
    of = resumption((), at=3)
    house.retrace(of)
    assert house.executed == []
    assert of.checkpoint.log.locks() == [b"LOCK TABLES a WRITE"]


@pytest.mark.parametrize("end", ["UNLOCK TABLES", "BEGIN"])
def test_locks_that_are_released_are_not_taken_again(tmp_path: Path, end: str) -> None:
    house = House(tmp_path, "LOCK TABLES a WRITE", end, "DO 1")
    of = resumption((), at=3)
    house.retrace(of)
    assert of.checkpoint.log.locks() == []


def test_what_is_run_again_is_not_what_the_session_has_been_through(tmp_path: Path) -> None:
    house = House(tmp_path, "SET @a = 1", "LOCK TABLES a WRITE", "SET @b = 2")
    entries = (
        Entry(1, "SET @a = 1", key="@a"),
        Entry(2, "LOCK TABLES a WRITE", "the locks", "LOCK TABLES"),
        Entry(3, "SET @b = 2", key="@b"),
    )
    of = resumption(("SET @a = 1", "LOCK TABLES a WRITE", "SET @b = 2"), at=2, entries=entries)
    house.retrace(of)
    assert of.checkpoint.log.entries == [entries[0]]


def test_there_is_no_such_statement(tmp_path: Path) -> None:
    error = House(tmp_path, *TEXTS).refuses(resumption(at=6))
    assert str(error).startswith("resume_from is 6, but 1_m.up.sql has 4 statements. Give 5 if all of them are done.")
    assert House(tmp_path, *TEXTS).retrace(resumption(at=5)).done == 4


# What went with the session.

LOST = Entry(2, None, "the temporary table shop.x")


def test_what_is_lost_is_named(tmp_path: Path) -> None:
    error = House(tmp_path, *TEXTS).refuses(resumption(entries=(LOST,)))
    assert "what follows may rely on the temporary table shop.x of statement 2 of 1_m.up.sql" in str(error)
    assert error.results["statement"] == 3


def test_the_first_of_what_is_lost_is_named(tmp_path: Path) -> None:
    entries = (Entry(0, None, "the variable @a"), LOST)
    assert "may rely on the variable @a of an earlier file" in str(
        House(tmp_path, *TEXTS).refuses(resumption(entries=entries))
    )


def test_the_user_knows_what_is_lost(tmp_path: Path) -> None:
    assert House(tmp_path, *TEXTS).retrace(resumption(at=3, entries=(LOST,))).done == 2
