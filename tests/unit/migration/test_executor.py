# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""File by file: in which order things are written, when a run stops, and what it says it has done."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Optional

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._core.errors import Error
from ansible_collections.dbops.migrations.plugins.module_utils._migration.model import Plan, State, Step
from ansible_collections.dbops.migrations.plugins.module_utils._migration.run import executor
from ansible_collections.dbops.migrations.plugins.module_utils._migration.run.attempt import AttemptRecorder
from ansible_collections.dbops.migrations.plugins.module_utils._migration.run.executor import Executor
from ansible_collections.dbops.migrations.plugins.module_utils._migration.run.recovery import Resumption
from ansible_collections.dbops.migrations.plugins.module_utils._migration.run.runner import StatementRunner
from ansible_collections.dbops.migrations.plugins.module_utils._migration.statements.classified import digest
from ansible_collections.dbops.migrations.plugins.module_utils._migration.statements.fingerprints import fingerprint
from ansible_collections.dbops.migrations.plugins.module_utils._migration.tables.checkpoint import (
    Checkpoint,
    InFlightStatement,
    Position,
)
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.statements import (
    IMPATIENT,
    PATIENT,
)
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

ROWS, OTHER, DDL = "INSERT INTO a VALUES (1)", "INSERT INTO a VALUES (2)", "ALTER TABLE a ADD b INT"
NOTHING = State(None, False)
ATOMIC = "-- dbops: all-or-nothing\n"
GOOD, MYISAM = [(b"0", b"1", b"1")], [(b"0", b"1", b"0")]
SERIALIZABLE = ["SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", "START TRANSACTION"]


class House:
    """A plan of files, ready to be carried out."""

    def __init__(
        self,
        folder: Path,
        *texts: Optional[str],
        locked: bool = False,
        without: bool = False,
        resumption: Optional[Resumption] = None,
        stops: Sequence[Optional[str]] = (),
        batches: bool = False,
        spelled: Mapping[str, bytes] = MappingProxyType({}),
    ) -> None:
        steps = []
        for version, text in enumerate(texts, 1):
            name = None if text is None else f"{version}_m.up.sql"
            if name is not None and text != "missing":
                (folder / name).write_text(str(text))
            steps.append(Step(version, "m", "up", name, version))
        self.session, self.state_table, self.history = FakeSession(), FakeStateTable(), FakeHistory()
        # There is one table, without triggers.
        self.session.answers["information_schema.tables"] = GOOD
        self.session.answers["SHOW GRANTS"] = [(b"GRANT ALL PRIVILEGES ON *.* TO `u`@`%`",)]
        self.session.answers["SHOW CREATE TABLE"] = [(b"a", b"CREATE TABLE `a` (i INT\n) ENGINE=InnoDB")]
        if resumption is not None:
            self.history.records = [resumption.record]
        lock = FakeLock() if locked else None
        arguments: Any = (self.session, self.state_table, None if without else self.history, {"tool": "t"}, lock)
        recorder = AttemptRecorder(*arguments)
        reasons: Iterator[Optional[str]] = iter(stops)
        parts: Any = (self.session, recorder, lock, 0, None, batches)
        plan = Plan(None, len(steps), tuple(steps))
        runner = StatementRunner(*parts)
        runner.spelled = spelled
        arguments = (self.session, recorder, runner, str(folder), plan, resumption, lambda: next(reasons, None))
        self.executor = Executor(*arguments)

    def run(self, state: State = NOTHING) -> list[str]:
        """Carry the plan out, and return the statements that were sent."""
        self.executor.run(state)
        return self.sent

    def fails(self, state: State = NOTHING) -> Error:
        with pytest.raises(Error) as caught:
            self.executor.run(state)
        return caught.value

    def committed(self, text: str, done: int) -> None:
        """Have the history say so from such a text on."""
        row = record(int(text.split()[1]), done=done)
        self.session.effects[text] = lambda: setattr(self.history, "records", [row])

    @property
    def sent(self) -> list[str]:
        return [text for packet in self.session.packets for text in packet if "dbops_migrations_check" not in text]

    @property
    def applied(self) -> list[int]:
        return [item["version"] for item in self.executor.results()["applied"]]


# The order of things.


def test_the_packets_of_a_file_with_rows_and_a_definition(tmp_path: Path) -> None:
    house = House(tmp_path, f"{ROWS};{DDL};")
    entry = ["state 1 dirty", "insert 1 running 0/0"]
    done = [START, "update 1 applied 2/2", "state 1 clean", COMMIT]
    rows = [START, *entry, COMMIT, START, ROWS, "update 1 1/1", COMMIT]
    assert house.run() == [*rows, START, "update 1 1/2", DDL, *done]
    assert house.applied == [1]
    [applied] = house.executor.results()["applied"]
    assert {**applied, "seconds": 0} == {"version": 1, "title": "m", "direction": "up", "statements": 2, "seconds": 0}
    assert house.executor.results()["from_version"] is None


def test_between_two_files_the_state_goes_from_dirty_to_dirty(tmp_path: Path) -> None:
    house = House(tmp_path, ROWS, OTHER)
    sent = house.run()
    between = [START, "update 1 applied 1/1", "state 2 dirty", "insert 2 running 0/0", COMMIT]
    place = sent.index("update 1 applied 1/1") - 1
    assert sent[place : place + 5] == between
    assert sent[-4:] == [START, "update 2 applied 1/1", "state 2 clean", COMMIT]
    assert "state 1 clean" not in sent
    assert house.applied == [1, 2]


def test_whoever_is_asked_before_a_file_finds_the_state_clean(tmp_path: Path) -> None:
    house = House(tmp_path, ROWS, OTHER, ROWS)
    asked: list[tuple[int, list[str]]] = []

    def ask(step: Step, resumes: bool) -> dict[str, bytes]:
        assert not resumes
        asked.append((step.version, house.sent[-3:]))
        if step.version == 3:
            raise Error(1800, "It was not started.")
        return {}

    house.executor.before_step = ask
    error = house.fails()
    assert str(error) == "It was not started."
    assert error.results["changed"]
    done = [[f"update {number} applied 1/1", f"state {number} clean", COMMIT] for number in (1, 2)]
    assert asked == [(1, []), (2, done[0]), (3, done[1])]
    assert house.sent[-3:] == done[1]
    assert house.applied == [1, 2]


def test_a_state_table_without_transactions_is_written_between_the_rows_of_the_history(tmp_path: Path) -> None:
    house = House(tmp_path, ROWS, OTHER)
    house.state_table.transactional = False
    words = [text for text in house.run() if text.startswith(("state", "insert ", "update", "INSERT"))]
    assert words == [
        "insert 1 running 0/0", "state 1 dirty", ROWS, "update 1 1/1", "state 1 clean", "update 1 applied 1/1",
        "insert 2 running 0/0", "state 2 dirty", OTHER, "update 2 1/1", "state 2 clean", "update 2 applied 1/1",
    ]  # fmt: skip


MADE = "CREATE TABLE a (i INT)"


def made(folder: Path, *rows: str, before: Any = None) -> House:
    """Return a file that makes a table and continues; ``before`` is what the server says about the table before."""
    house = House(folder, ";".join([MADE, *rows]), batches=True)
    house.session.answers["SHOW CREATE TABLE"] = refusal(1146) if before is None else before
    return house


def test_that_a_table_was_made_is_recorded_with_its_first_rows(tmp_path: Path) -> None:
    sent = made(tmp_path, ROWS).run()
    assert sent[sent.index(MADE) :][:7] == [MADE, START, IMPATIENT, ROWS, "update 1 2/2", COMMIT, PATIENT]
    assert "update 1 1/1" not in sent


@pytest.mark.parametrize(
    ("rows", "before"),
    [
        (ROWS, refusal(1142)),
        # It has another engine, which may carry out a definition in part.
        (ROWS, [(b"a", b"CREATE TABLE `a` (i INT\n) ENGINE=MyISAM")]),
        # The rows are another table's, which says nothing of this one's engine.
        ("INSERT INTO c VALUES (1)", None),
        # It may run for long, and is to be seen meanwhile.
        ("INSERT INTO a SELECT 1", None),
        # Its record does not go with it.
        (f"{ROWS};SHOW WARNINGS", None),
    ],
)
def test_what_was_made_is_recorded_before_rows_that_do_not_show_it(tmp_path: Path, rows: str, before: Any) -> None:
    sent = made(tmp_path, rows, before=before).run()
    assert sent[sent.index(MADE) :][:4] == [MADE, START, "update 1 1/1", COMMIT]


INNODB = [(b"a", b"CREATE TABLE `a` (i INT\n) ENGINE=InnoDB")]


@pytest.mark.parametrize(
    ("definition", "before"),
    [
        (DDL, INNODB),
        (f"{DDL}, ENGINE = InnoDB", INNODB),
        (f"{MADE} ENGINE=InnoDB", refusal(1146)),
        ("CREATE TABLE IF NOT EXISTS a (i INT)", INNODB),
        ("DROP TABLE a", INNODB),
    ],
)
@pytest.mark.parametrize(
    "rows",
    [
        "INSERT INTO c VALUES (1)",
        "SET @a = 1;INSERT INTO c VALUES (1)",
        "SET @a = (SELECT COUNT(*) FROM information_schema.tables);INSERT INTO c VALUES (1)",
    ],
)
def test_a_definition_that_shows_is_recorded_with_the_rows_after_it(
    tmp_path: Path, definition: str, rows: str, before: Any
) -> None:
    house = House(tmp_path, f"{definition};{rows}", batches=True)
    house.session.answers["SHOW CREATE"] = before
    house.session.answers["LENGTH("] = [(b"1",)]
    sent = [text for text in house.run() if text.startswith(("insert", "update"))]
    done = rows.count(";") + 2
    assert sent == ["insert 1 running 0/1", f"update 1 {done}/{done}", f"update 1 applied {done}/{done}"]


@pytest.mark.parametrize(
    ("definition", "behind"),
    [
        *(
            (definition, "INSERT INTO c VALUES (1)")
            for definition in (f"{DDL}, ENGINE=MyISAM", "CREATE TABLE a LIKE d", "TRUNCATE TABLE a")
        ),
        # These may run for long.
        (DDL, "UPDATE c SET i = 1"),
        (DDL, "SET @a = (SELECT COUNT(*) FROM c)"),
    ],
)
def test_a_definition_that_may_not_show_is_recorded_first(tmp_path: Path, definition: str, behind: str) -> None:
    house = House(tmp_path, f"{definition};{behind}", batches=True)
    house.session.answers["SHOW CREATE"] = refusal(1146)
    house.session.answers["LENGTH("] = [(b"1",)]
    assert "update 1 1/1" in house.run()


def test_rows_are_recorded_with_the_beginning_of_the_definition_after_them(tmp_path: Path) -> None:
    house = House(tmp_path, f"UPDATE a SET i = 1;{ROWS};{DDL};SELECT 1")
    house.session.answers["SHOW CREATE"] = INNODB
    sent = house.run()
    assert sent[sent.index(ROWS) :][:4] == [ROWS, "update 1 2/3", COMMIT, DDL]
    [flight] = [json.loads(row["progress"]) for row in house.history.values if row["begun"] == 3 and row["done"] == 2]
    assert (flight["objects"], flight["flight"]) == ([["TABLE", "a"]], digest(DDL.encode()))


def test_what_was_known_of_a_definition_does_not_hold_for_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else may have changed it meanwhile."""
    house = House(tmp_path, f"UPDATE a SET i = 1;{ROWS};{DDL}")
    house.session.answers["SHOW CREATE"] = INNODB
    monkeypatch.setattr(executor, "_LONG", -1)
    sent = house.run()
    assert "update 1 2/3" in sent[sent.index(COMMIT, sent.index(ROWS)) :]


def test_rows_that_are_refused_leave_the_table_as_made(tmp_path: Path) -> None:
    house = made(tmp_path, ROWS)
    house.session.refused[ROWS] = [refusal(1062), refusal(1062)]
    assert "Statement 1 is done." in str(house.fails())
    assert house.sent[-2].endswith("1 failed 1/1")


TABLES = ["CREATE TABLE t1 (i INT)", "CREATE TABLE t2 (i INT)", "CREATE TABLE t3 (i INT) ENGINE=InnoDB"]
SERIES = ";".join([*TABLES, "INSERT INTO c VALUES (1)"])


def series(folder: Path, text: str = SERIES, there: Sequence[Any] = ()) -> House:
    """Return a file that makes several tables; ``there`` is what the dictionary says about those behind the first."""
    house = House(folder, text)
    house.session.answers["SHOW CREATE TABLE"] = refusal(1146)
    house.session.answers["default_storage_engine"] = [(b"-1", b"1", b"0"), *there]
    return house


def records(house: House) -> list[str]:
    return [text for text in house.sent if text.startswith(("insert", "update"))]


def test_definitions_of_several_tables_begin_with_one_record(tmp_path: Path) -> None:
    house = series(tmp_path)
    house.run()
    assert records(house) == ["insert 1 running 0/3", "update 1 4/4", "update 1 applied 4/4"]
    flight = json.loads(house.history.values[0]["progress"])
    assert [item["objects"] for item in flight["behind"]] == [[["TABLE", "t2"]], [["TABLE", "t3"]]]


@pytest.mark.parametrize(
    ("behind", "first"),
    [
        # It is there already, or may be what was made just now.
        ([(b"1", b"1", b"1")], "insert 1 running 0/2"),
        ([(b"0", b"0", None)], "insert 1 running 0/1"),
    ],
)
def test_a_table_that_is_there_begins_with_a_record_of_its_own(tmp_path: Path, behind: Any, first: str) -> None:
    house = series(tmp_path, there=behind)
    house.run()
    assert records(house)[0] == first
    assert "update 1 2/3" in records(house)


@pytest.mark.parametrize(
    "second",
    [
        "CREATE TABLE T1 (i INT)",
        "CREATE TABLE s.t2 (i INT)",
        "CREATE TABLE `Ärger` (i INT)",
        "CREATE TABLE t2 (i INT) ENGINE=MyISAM",
        "CREATE TABLE t2 AS SELECT 1",
        "CREATE OR REPLACE TABLE t2 (i INT)",
        "CREATE VIEW t2 AS SELECT 1",
        "ALTER TABLE t2 ADD b INT",
        "INSERT INTO c VALUES (2)",
    ],
)
def test_what_begins_with_a_record_of_its_own(tmp_path: Path, second: str) -> None:
    house = series(tmp_path, f"CREATE TABLE t1 (i INT);{second}")
    house.run()
    assert records(house)[0] == "insert 1 running 0/1"
    assert not any("default_storage_engine" in question for question in house.session.queries)


def test_a_series_has_a_length(tmp_path: Path) -> None:
    house = series(tmp_path, ";".join(f"CREATE TABLE t{number} (i INT)" for number in range(40)))
    house.run()
    assert records(house) == ["insert 1 running 0/32", "update 1 32/40", "update 1 applied 40/40"]


@pytest.mark.parametrize("missing", ["atomic", "engine", "definition"])
def test_without_what_a_series_rests_on_each_has_a_record(tmp_path: Path, missing: str) -> None:
    house = series(tmp_path)
    if missing == "atomic":
        house.session.atomic_ddl = False
    elif missing == "engine":
        house.session.answers["default_storage_engine"] = [(b"-1", b"0", b"0")]
    else:
        house.session.answers["SHOW CREATE TABLE"] = refusal(1142)
    house.run()
    assert records(house)[:3] == ["insert 1 running 0/1", "update 1 1/2", "update 1 2/3"]


def test_one_of_a_series_is_refused(tmp_path: Path) -> None:
    house = series(tmp_path)
    house.session.refused["CREATE TABLE t2"] = [refusal(1050)]
    error = house.fails()
    assert "Statement 1 is done." in str(error)
    assert "in_doubt" not in error.results
    assert records(house)[-1] == "insert 1 failed 1/1"


def test_a_series_is_stopped(tmp_path: Path) -> None:
    house = series(tmp_path)
    house.executor.stopped = lambda: "SIGTERM" if any("t2" in text for text in house.sent) else None
    assert "Statements 1 to 2 are done" in str(house.fails())
    assert records(house)[-1] == "insert 1 interrupted 2/2"


@pytest.mark.parametrize(("made", "expected"), [(refusal(1146), "update 1 4/4"), (INNODB, "update 1 1/3")])
def test_after_a_while_it_is_asked_again_whether_a_table_is_absent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: Any, expected: str
) -> None:
    """Somebody else may have made it; that it has begun is recorded again only then."""
    monkeypatch.setattr(executor, "_LONG", -1)
    house = series(tmp_path)
    house.session.effects["t1"] = lambda: house.session.answers.update({"TABLE t2": made})
    house.run()
    assert records(house)[:2] == ["insert 1 running 0/3", expected]


@pytest.mark.parametrize("done", [0, 1, 2, 3])
def test_a_series_that_was_interrupted_is_found_out_about(tmp_path: Path, done: int) -> None:
    found = [statement(text) for text in TABLES]
    first, *behind = [InFlightStatement(item.digest, item.effect.objects, ("absent",)) for item in found]
    house = House(tmp_path, SERIES, resumption=left(SERIES, 0, 3, first._replace(behind=tuple(behind))))
    house.session.answers["SHOW CREATE TABLE"] = refusal(1146)
    for name in ("t1", "t2", "t3")[:done]:
        house.session.answers[f"SHOW CREATE TABLE {name}"] = INNODB
    house.session.answers["default_storage_engine"] = [(b"-1", b"1", b"0")]
    sent = house.run(State(1, True))
    assert [text for text in sent if text.startswith("CREATE")] == TABLES[done:]
    assert house.executor.results()["applied"][0]["statements"] == 4


def test_the_end_of_a_file_is_recorded_with_the_literal_rows_of_the_next(tmp_path: Path) -> None:
    house = House(tmp_path, OTHER, ROWS, DDL, batches=True)
    sent = house.run()
    records = [START, "update 1 applied 1/1", "state 2 dirty", "insert 2 running 1/1", COMMIT, PATIENT]
    place = sent.index(ROWS)
    assert [*sent[place - 2 : place - 1], *sent[place + 1 :][:5]] == records
    assert house.applied == [1, 2, 3]


def test_the_beginning_of_a_file_is_recorded_before_it_changes_its_session(tmp_path: Path) -> None:
    house = House(tmp_path, OTHER, f"SET autocommit = 0;{ROWS}", batches=True)
    sent = house.run()
    assert "insert 2 running 0/0" in sent[: sent.index("SET autocommit = 0")]


def test_rows_that_wait_are_seen_before_they_are_tried_again(tmp_path: Path) -> None:
    house = House(tmp_path, OTHER, ROWS, batches=True)
    house.session.refused[ROWS] = [refusal(1205)]
    sent = house.run()
    records = ["update 1 applied 1/1", "state 2 dirty", "insert 2 running 0/0", COMMIT, START, ROWS, "update 2 1/1"]
    assert sent[sent.index(PATIENT) + 1 :][:8] == [START, *records]


def test_the_end_of_a_file_does_not_wait_for_rows_that_may_run_for_long(tmp_path: Path) -> None:
    house = House(tmp_path, OTHER, "UPDATE a SET i = 1", batches=True)
    sent = house.run()
    assert "insert 2 running 0/0" in sent[: sent.index("UPDATE a SET i = 1")]


def test_the_end_of_a_file_does_not_wait_where_a_call_is_not_recorded(tmp_path: Path) -> None:
    house = House(tmp_path, f"{OTHER};CALL p()", ROWS, batches=True)
    sent = house.run()
    assert "insert 2 running 0/0" in sent[: sent.index(ROWS)]


def test_a_table_of_the_file_before_shows_nothing(tmp_path: Path) -> None:
    """Its record goes with the state's."""
    house = House(tmp_path, MADE, ROWS)
    house.session.answers["SHOW CREATE TABLE"] = refusal(1146)
    sent = house.run()
    assert sent[sent.index(MADE) + 1 :][:2] == [START, "update 1 applied 1/1"]


def test_a_server_without_atomic_definitions_has_it_recorded(tmp_path: Path) -> None:
    house = made(tmp_path, ROWS)
    house.session.atomic_ddl = False
    sent = house.run()
    assert sent[sent.index(MADE) :][:4] == [MADE, START, "update 1 1/1", COMMIT]


def test_a_version_without_a_file_is_recorded(tmp_path: Path) -> None:
    house = House(tmp_path, None)
    assert house.run() == [START, "state 1 dirty", "insert 1 applied 0/0", "state 1 clean", COMMIT]
    assert house.applied == [1]


def test_nothing_to_do_touches_nothing(tmp_path: Path) -> None:
    house = House(tmp_path)
    assert house.run() == []
    assert house.state_table.ensured == 0


def test_a_move_by_something_else_is_recorded_first(tmp_path: Path) -> None:
    house = House(tmp_path, ROWS)
    house.executor.run(State(None, False), {"version": 1, "direction": "external"})
    assert house.sent[:4] == [START, "insert 1 applied 0/0", "forget before 1", COMMIT]
    assert "insert 2 running 0/0" in house.sent


@pytest.mark.parametrize(("texts", "code", "raised"), [((), 1142, False), ((), 2013, True), ((ROWS,), 1142, True)])
def test_a_move_that_may_not_be_recorded(tmp_path: Path, texts: tuple[str, ...], code: int, raised: bool) -> None:
    house = House(tmp_path, *texts)
    house.session.refused["insert 1"] = [refusal(code)]
    if not raised:
        house.executor.run(State(None, False), {"version": 1})
        return
    with pytest.raises(Error, match=f"\\({code}\\)"):
        house.executor.run(State(None, False), {"version": 1})


def test_without_a_history_the_text_alone_is_sent(tmp_path: Path) -> None:
    house = House(tmp_path, f"{ROWS};{DDL}", without=True)
    assert house.run() == [START, "state 1 dirty", COMMIT, ROWS, DDL, START, "state 1 clean", COMMIT]
    assert not any("information_schema" in text for text in house.session.queries)


def test_the_definition_is_asked_for_ahead_of_its_turn(tmp_path: Path) -> None:
    house = House(tmp_path, f"{ROWS};{DDL}")
    house.run()
    [asked] = [values for values in house.history.values if '"objects":[["TABLE","a"]]' in (values["progress"] or "")]
    assert (
        f'"before":["{fingerprint(statement(DDL).effect.objects[0], house.session.answers["SHOW CREATE TABLE"])}"]'
        in asked["progress"]
    )
    # It came with the rows.
    assert not any(text.startswith("SHOW CREATE") for text in house.session.queries)


def test_what_golang_migrate_could_not_run_is_noted(tmp_path: Path) -> None:
    house = House(tmp_path, "DELIMITER //\nDO 1//\n", "DO 2")
    assert [note.split()[0] for note in house.executor.scan()] == ["1_m.up.sql:1"]
    house.run()
    assert [note.split()[0] for note in house.executor.notes] == ["1_m.up.sql:1"]


def test_looking_at_files_runs_nothing(tmp_path: Path) -> None:
    house = House(tmp_path, ROWS, OTHER)
    assert house.executor.scan() == []
    assert house.sent == []
    house.run()
    assert house.applied == [1, 2]


@pytest.mark.parametrize("text", ["CALL p()", DDL])
def test_what_a_statement_has_done_to_its_settings_is_kept(tmp_path: Path, text: str) -> None:
    house = House(tmp_path, f"{text};{ROWS}")
    house.session.effects[text] = lambda: house.session.changed.update(sql_mode="ANSI")
    house.run()
    kept = "".join(str(values["progress"]) for values in house.history.values)
    assert "SET sql_mode = 'ANSI'" in kept
    assert "SET autocommit" not in kept


# All or nothing.


def test_a_file_that_is_all_or_nothing_is_one_transaction(tmp_path: Path) -> None:
    house = House(tmp_path, f"{ATOMIC}{ROWS};{OTHER}")
    assert house.run() == [
        START, "state 1 dirty", "insert 1 running 0/0", COMMIT, START, ROWS, "update 1 1/1", OTHER,
        "update 1 applied 2/2", "state 1 clean", COMMIT,
    ]  # fmt: skip


def test_a_file_that_is_all_or_nothing_goes_back_to_what_was(tmp_path: Path) -> None:
    house = House(tmp_path, ROWS, f"{ATOMIC}{ROWS};{OTHER}")
    house.session.refused[OTHER] = [refusal(1062)]
    house.committed("insert 2", 0)
    error = house.fails()
    assert house.sent[-4:] == [START, "update 2 failed 0/0", "state 1 clean", COMMIT]
    assert "1 migration was applied before this file; none of its statements is done." in str(error)
    assert "The database is now at version 1, clean." in str(error)
    assert (error.results["dirty"], error.results["to_version"]) == (False, 1)
    assert house.session.queries[-2:].count(ROLLBACK) == 1


def test_a_file_that_is_all_or_nothing_and_was_interrupted_is_dirty(tmp_path: Path) -> None:
    house = House(tmp_path, f"{ATOMIC}{ROWS};{OTHER}")
    house.session.refused[OTHER] = [refusal(2013)]
    error = house.fails()
    assert (error.results["dirty"], error.results["to_version"]) == (True, 1)


# A clause by which a statement was rehearsed.


CLAUSE = "ALTER TABLE a ALGORITHM=INSTANT, ADD b INT"
SPELLED = {digest(DDL.encode()): CLAUSE.encode()}


@pytest.mark.parametrize("code", [1845, 1846])
@pytest.mark.parametrize("without", [False, True])
def test_a_file_of_which_the_server_refuses_to_begin_the_first_statement_is_not_started(
    tmp_path: Path, code: int, without: bool
) -> None:
    house = House(tmp_path, ROWS, f"{DDL};{ROWS}", without=without, spelled=SPELLED)
    house.session.refused[CLAUSE] = [refusal(code)]
    house.committed("insert 2", 0)
    error = house.fails()
    assert "1 migration was applied before this file; none of its statements is done." in str(error)
    assert "The database is now at version 1, clean. It was sent with the clause by which it was rehearsed" in str(
        error
    )
    assert (error.results["dirty"], error.results["to_version"]) == (False, 1)
    record = [] if without else ["update 2 failed 0/0"]
    assert house.sent[-3 - len(record) :] == [START, *record, "state 1 clean", COMMIT]
    assert DDL not in house.sent


@pytest.mark.parametrize(
    ("text", "code"), [(f"{ROWS};{DDL}", 1845), (f"SET @a = 1;{DDL}", 1846), (DDL, 1205), (DDL, 2013)]
)
def test_a_file_that_was_started_is_dirty(tmp_path: Path, text: str, code: int) -> None:
    house = House(tmp_path, text, spelled=SPELLED)
    house.session.refused[CLAUSE] = [refusal(code)]
    error = house.fails()
    assert (error.results["dirty"], error.results["to_version"]) == (True, 1)
    assert "state 0 clean" not in house.sent


def test_a_file_that_refuses_an_algorithm_of_its_own_is_dirty(tmp_path: Path) -> None:
    house = House(tmp_path, DDL)
    house.session.refused[DDL] = [refusal(1845)]
    assert house.fails().results["dirty"]


@pytest.mark.parametrize(
    ("text", "answer"),
    [(DDL, GOOD), (OTHER, MYISAM), ("CALL p()", GOOD), ("COMMIT", GOOD), ("SET autocommit = 0", GOOD)],
)
def test_what_cannot_be_undone_is_refused_before_anything_runs(tmp_path: Path, text: str, answer: Any) -> None:
    house = House(tmp_path, f"{ATOMIC}SET @a = 1;{text}")
    house.session.answers["information_schema.tables"] = answer
    error = house.fails()
    assert "statement 2 cannot be rolled back for certain" in str(error)
    assert house.sent == []


def test_all_or_nothing_needs_the_history(tmp_path: Path) -> None:
    house = House(tmp_path, f"{ATOMIC}{ROWS}", without=True)
    error = house.fails()
    assert "asks to be all-or-nothing, which needs the history" in str(error)
    assert (error.results["from_version"], error.results["applied"]) == (None, [])
    assert house.sent == []


def test_what_is_read_in_another_way_is_judged_in_its_turn(tmp_path: Path) -> None:
    house = House(tmp_path, f"{ATOMIC}{ROWS};SET sql_mode = '';{DDL}")
    house.committed("insert 1", 0)
    error = house.fails()
    assert "statement 3 cannot be rolled back for certain" in str(error)
    assert DDL not in house.sent
    assert house.session.queries[-1] == ROLLBACK
    assert house.sent[-3:] == ["update 1 failed 0/0", "state None clean", COMMIT]


# What a file leaves behind.


def test_a_session_in_another_schema_stops(tmp_path: Path) -> None:
    house = House(tmp_path, "USE other", ROWS)
    house.committed("insert 1", 0)
    house.session.effects["USE other"] = lambda: setattr(house.session, "current_schema", "other")
    error = house.fails()
    assert "it leaves the session in a schema other than shop" in str(error)
    assert ROWS not in house.sent
    # What changes the session alone is to be done again.
    assert house.sent[-3:] == [START, "update 1 failed 0/0", COMMIT]
    assert error.results["applied"] == []


@pytest.mark.parametrize(("answer", "start"), [(1, SERIALIZABLE), (0, [START])])
def test_a_session_that_may_only_read_is_met_by_golang_migrates_words(
    tmp_path: Path, answer: int, start: list[str]
) -> None:
    house = House(tmp_path, "SET SESSION TRANSACTION READ ONLY")
    house.session.answers["tx_read_only"] = [(answer,)]
    sent = house.run()
    assert sent[sent.index("update 1 applied 1/1") - len(start) : sent.index("update 1 applied 1/1")] == start


def test_whether_it_may_only_read_is_asked_where_the_file_says_so(tmp_path: Path) -> None:
    house = House(tmp_path, "SET @a = 1", ROWS)
    house.run()
    assert not any("read_only" in text for text in house.session.queries)


def test_a_transaction_that_is_left_open_is_met_by_golang_migrates_words(tmp_path: Path) -> None:
    house = House(tmp_path, f"BEGIN;{ROWS}", OTHER)
    house.session.refused[SERIALIZABLE[0]] = [refusal(1568)]
    error = house.fails()
    assert "The file leaves a transaction open" in str(error)
    assert OTHER not in house.sent
    assert house.applied == []


# Stopping.


def test_stopped_before_anything(tmp_path: Path) -> None:
    house = House(tmp_path, ROWS, stops=["SIGTERM"])
    assert str(house.fails()) == "SIGTERM: stopped before anything was run. Run again to continue."
    assert house.sent == []


def test_stopped_inside_a_file(tmp_path: Path) -> None:
    house = House(tmp_path, f"{ROWS};{OTHER};{DDL}", stops=[None, None, None, "SIGTERM"])
    house.committed("update 1 2/3", 2)
    error = house.fails()
    assert str(error).startswith("SIGTERM: stopped before 1_m.up.sql:1:51 (statement 3). Statements 1 to 2 are done")
    assert DDL not in house.sent
    assert house.sent[-3:] == [START, "update 1 interrupted 2/2", COMMIT]
    assert error.results["applied"] == []


def test_before_its_first_statement_a_file_is_not_stopped(tmp_path: Path) -> None:
    """It is not recorded yet; it is stopped before the next one."""
    house = House(tmp_path, f"{ROWS};{OTHER}", stops=[None, "SIGTERM", "SIGTERM"])
    assert "(statement 2)" in str(house.fails())


def test_stopped_between_two_files(tmp_path: Path) -> None:
    house = House(tmp_path, ROWS, OTHER, DDL, stops=[None, None, "SIGTERM"])
    error = house.fails()
    assert str(error).startswith("SIGTERM: stopped after 1_m.up.sql; 1 migration applied, 2 not started.")
    assert house.sent[-4:] == [START, "update 1 applied 1/1", "state 1 clean", COMMIT]
    assert [item["version"] for item in error.results["applied"]] == [1]


def test_after_the_last_file_nothing_is_stopped(tmp_path: Path) -> None:
    house = House(tmp_path, ROWS, stops=[None, None, "SIGTERM"])
    house.run()
    assert house.applied == [1]


# Failing.


def test_what_is_applied_is_said_about_a_failure(tmp_path: Path) -> None:
    house = House(tmp_path, ROWS, f"{ROWS};{DDL}")
    house.session.refused[DDL] = [refusal(1060, "Duplicate column")]
    error = house.fails()
    assert [item["version"] for item in error.results["applied"]] == [1]
    assert "2_m.up.sql:1:26: statement 2 failed: (1060) Duplicate column. 1 migration was applied before" in str(error)
    assert error.results["from_version"] is None
    assert error.results["changed"] is True


def test_a_run_that_stops_before_its_first_statement_has_changed_nothing(tmp_path: Path) -> None:
    house = House(tmp_path, "missing")
    assert house.fails().results["changed"] is False


def test_a_file_that_cannot_be_read_stops_behind_the_one_before(tmp_path: Path) -> None:
    house = House(tmp_path, ROWS, "missing")
    error = house.fails()
    assert "2_m.up.sql cannot be read" in str(error)
    assert house.sent[-4:] == [START, "update 1 applied 1/1", "state 1 clean", COMMIT]
    assert house.applied == [1]


def test_what_could_not_be_recorded_says_before_which_statement(tmp_path: Path) -> None:
    house = House(tmp_path, f"{ROWS};\n {OTHER}")
    house.session.refused["update 1 1/1"] = [refusal(1114, "full")]
    error = house.fails()
    assert "could not be written before 1_m.up.sql:1:1 (statement 1): (1114) full." in str(error)
    assert house.sent[-3:] == [START, "update 1 failed", COMMIT]


def test_what_could_not_be_recorded_behind_a_file(tmp_path: Path) -> None:
    house = House(tmp_path, ROWS)
    house.session.refused["state 1 clean"] = [refusal(1114, "full")]
    error = house.fails()
    assert "could not be written after 1_m.up.sql: (1114) full. All of 1_m.up.sql was run." in str(error)
    assert house.applied == []


def test_a_lock_that_is_lost_is_said(tmp_path: Path) -> None:
    house = House(tmp_path, ROWS, locked=True)
    house.session.refused["guard"] = [refusal(1690)]
    house.state_table.state = State(9, False)
    assert "1_m.up.sql: the lock on shop was released" in str(house.fails())


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("source a.sql", "source is a command of the mysql client"),
        ("PREPARE p FROM 'DROP TABLE a'; EXECUTE p", "Its text was prepared by statement 1"),
    ],
)
def test_what_is_known_of_such_a_statement_is_said(tmp_path: Path, text: str, advice: str) -> None:
    house = House(tmp_path, text)
    house.session.answers["SELECT HEX(CONVERT('"] = [(b"DROP TABLE a".hex().encode(),)]
    house.session.answers["SELECT HEX(CONVERT(@"] = refusal(1366)
    house.session.refused[text.rsplit("; ", maxsplit=1)[-1]] = [refusal(1064)]
    assert advice in str(house.fails())


def test_a_lock_that_is_lost_while_a_failure_is_recorded(tmp_path: Path) -> None:
    house = House(tmp_path, ROWS, locked=True)

    def lose() -> None:
        house.session.refused["guard"] = [refusal(1690)]
        house.state_table.state = State(9, False)

    house.session.effects[ROWS] = lose
    house.session.refused["update 1 1/1"] = [refusal(1114, "full")]
    assert "could not be written" in str(house.fails())


# Resuming.


def left(text: str, done: int, begun: int, flight: Optional[InFlightStatement] = None) -> Resumption:
    place = Position()
    for part in text.split(";")[:done]:
        place = place.after(digest(part.encode()))
    return Resumption(record(3, "failed", done, begun), Checkpoint(place, flight))


def test_it_resumes_behind_what_is_done(tmp_path: Path) -> None:
    text = f"{ROWS};{OTHER}"
    house = House(tmp_path, text, resumption=left(text, 1, 1))
    sent = house.run(State(1, True))
    assert ROWS not in sent
    assert [text for text in sent if text[:6] in ("insert", "update", "state ", "INSERT", "forget")] == [
        "insert 4 running 1/1", OTHER, "update 4 2/2", "update 4 applied 2/2", "forget before 4", "state 1 clean",
    ]  # fmt: skip


@pytest.mark.parametrize("done", [True, False])
def test_a_definition_that_was_interrupted_is_found_out_about(tmp_path: Path, done: bool) -> None:
    text = f"{ROWS};{DDL};{OTHER}"
    thing = statement(DDL).effect.objects[0]
    house = House(tmp_path, text)
    before = "other" if done else fingerprint(thing, house.session.answers["SHOW CREATE TABLE"])
    flight = InFlightStatement(statement(DDL).digest, (thing,), (before,))
    house = House(tmp_path, text, resumption=left(text, 1, 2, flight))
    sent = house.run(State(1, True))
    assert (DDL in sent) is not done
    assert OTHER in sent
    assert house.executor.results()["applied"][0]["statements"] == 3


def test_nobody_knows_what_became_of_it(tmp_path: Path) -> None:
    text = f"{ROWS};CALL p();{OTHER}"
    flight = InFlightStatement(statement("CALL p()").digest)
    house = House(tmp_path, text, resumption=left(text, 1, 2, flight))
    error = house.fails(State(1, True))
    assert "statement 2 was running when an earlier run failed" in str(error)
    assert error.results["in_doubt"] == {"first": 2, "last": 2}
    assert house.sent == []


def test_check_mode_asks_as_a_run_does(tmp_path: Path) -> None:
    text = f"{ROWS};CALL p();{OTHER}"
    house = House(tmp_path, text, resumption=left(text, 1, 2, InFlightStatement(statement("CALL p()").digest)))
    with pytest.raises(Error, match="statement 2 was running when an earlier run failed"):
        house.executor.scan()


def test_the_statement_in_doubt_is_not_there_any_more(tmp_path: Path) -> None:
    house = House(tmp_path, ROWS, resumption=left(ROWS, 1, 2, InFlightStatement("d")))
    error = house.fails(State(1, True))
    assert "statement 2 may have taken effect in an earlier run, but the file now ends before" in str(error)
    assert house.sent == []


def test_a_resumed_file_that_is_all_or_nothing_does_not_go_back(tmp_path: Path) -> None:
    """What the state was before, nobody has written down."""
    house = House(tmp_path, f"{ATOMIC}{ROWS}", resumption=left("", 0, 0))
    house.session.refused[ROWS] = [refusal(1062)]
    error = house.fails(State(1, True))
    assert (error.results["dirty"], error.results["to_version"]) == (True, 1)
    assert not any(text.endswith("clean") for text in house.sent)


# Several statements in one transaction.


def batched(packets: Sequence[Sequence[str]]) -> list[int]:
    """Return how many statements each batch had."""
    return [sum(text.startswith("INSERT") for text in packet) for packet in packets if IMPATIENT in packet]


def inserts(count: int) -> str:
    return "".join(f"INSERT INTO a VALUES ({number});" for number in range(count))


def test_inserts_of_literals_share_a_transaction(tmp_path: Path) -> None:
    house = House(tmp_path, inserts(3) + f"{DDL};" + inserts(2), batches=True)
    house.run()
    assert batched(house.session.packets) == [3, 2]
    assert "update 1 applied 6/6" in house.sent
    assert house.applied == [1]


def test_a_batch_ends_with_its_file(tmp_path: Path) -> None:
    house = House(tmp_path, inserts(2), inserts(2), batches=True)
    house.run()
    assert batched(house.session.packets) == [2, 2]
    assert house.applied == [1, 2]


@pytest.mark.parametrize(
    "other",
    [
        "REPLACE INTO a VALUES (1)",
        "UPDATE a SET i = 1",
        "INSERT INTO a SELECT 1",
        "INSERT INTO a VALUES (SLEEP(1))",
        "INSERT INTO a VALUES (@a)",
        "SET @a = 1",
        "START TRANSACTION",
    ],
)
def test_what_shares_no_transaction(tmp_path: Path, other: str) -> None:
    house = House(tmp_path, f"{inserts(2)}{other};{inserts(1)}COMMIT;", batches=True)
    house.run()
    assert batched(house.session.packets) == [2]


def test_a_statement_that_is_asked_about_runs_alone(tmp_path: Path) -> None:
    house = House(tmp_path, f"{inserts(3)}INSERT INTO a VALUES (ROW_COUNT());", batches=True)
    house.run()
    assert batched(house.session.packets) == [2]


def test_rows_of_a_table_without_transactions_share_none(tmp_path: Path) -> None:
    house = House(tmp_path, inserts(3), batches=True)
    house.session.answers["information_schema.tables"] = MYISAM
    house.run()
    assert batched(house.session.packets) == []


def test_what_was_refused_in_a_batch_is_run_again_alone(tmp_path: Path) -> None:
    house = House(tmp_path, inserts(4), batches=True)
    house.session.refused["VALUES (2)"] = [refusal(1062)]
    assert house.run().count("INSERT INTO a VALUES (2)") == 2
    assert [house.sent.count(f"INSERT INTO a VALUES ({number})") for number in (0, 1, 3)] == [1, 1, 1]
    assert house.applied == [1]


def test_after_a_deadlock_each_is_run_alone(tmp_path: Path) -> None:
    house = House(tmp_path, inserts(4), batches=True)
    house.session.refused["VALUES (2)"] = [refusal(1213)]
    house.run()
    assert [house.sent.count(f"INSERT INTO a VALUES ({number})") for number in range(4)] == [2, 2, 2, 1]
    assert batched(house.session.packets) == [3]
    assert house.applied == [1]


def test_a_batch_that_is_refused_again_names_the_statement(tmp_path: Path) -> None:
    house = House(tmp_path, inserts(4), batches=True)
    house.session.refused["VALUES (2)"] = [refusal(1062), refusal(1062)]
    error = house.fails()
    assert str(error).startswith("1_m.up.sql:1:51: statement 3 failed: (1062) no")
    assert error.results["statement"] == 3


def test_the_connection_is_lost_in_a_batch(tmp_path: Path) -> None:
    house = House(tmp_path, inserts(4), batches=True)
    house.session.refused["VALUES (2)"] = [refusal(2013)]
    assert house.fails().results["statement"] == 3


def test_a_batch_grows_while_it_is_quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    house = House(tmp_path, inserts(300), batches=True)
    house.run()
    assert batched(house.session.packets) == [32, 64, 128, 76]
    house = House(tmp_path, inserts(100), batches=True)
    house.session.effects["update"] = lambda: now.__setitem__(0, now[0] + 0.3)
    house.run()
    assert batched(house.session.packets) == [32, 16, 8, 4, 2, *[2] * 19]


ASSIGNMENTS = "SET @a = 1;SET @b = (SELECT 2);PREPARE p FROM @b"


@pytest.mark.parametrize(
    ("text", "packets"),
    [
        (f"{ASSIGNMENTS};EXECUTE p;DEALLOCATE PREPARE p;{ASSIGNMENTS}", [3, 1, 4]),
        (f"SET @a = 1;{ROWS};SET @a = 2", [1, 1, 1]),
        # What follows may be read in another way, or hold for the next transaction only.
        ("SET @a = 1;SET sql_mode = '';SET @a = 2;SET @b = 3", [1, 1, 2]),
        # If it is refused, a part of it may have been done.
        ("SET @a = 1;SET @b = 2, @c = 3;SET @a = 2", [1, 1, 1]),
        # It may take long.
        ("SET @a = 1;SET @b = (SELECT COUNT(*) FROM c);SET @c = 2", [1, 1, 1]),
        # The last one is asked about.
        ("SET @a = 1;SET @b = 2;SET @c = 3;SET @d = ROW_COUNT()", [2, 1, 1]),
        (";".join(f"SET @a = {number}" for number in range(40)), [32, 8]),
        (";".join(f"SET @a = '{number}{'x' * 25_000}'" for number in range(5)), [3, 2]),
    ],
)
def test_what_gives_variables_a_value_goes_together(tmp_path: Path, text: str, packets: list[int]) -> None:
    house = House(tmp_path, text, batches=True)
    house.session.answers["CONVERT("] = [(b"53454c4543542031",)]
    house.run()
    sent = text.split(";")
    found = [sum(item in sent for item in packet) for packet in house.session.packets]
    assert [count for count in found if count] == packets
    assert house.executor.results()["applied"][0]["statements"] == len(sent)


def test_what_was_prepared_in_a_packet_is_known(tmp_path: Path) -> None:
    house = House(tmp_path, f"{ASSIGNMENTS};EXECUTE p", batches=True)
    house.session.answers["CONVERT("] = [(b"ALTER TABLE a ADD b INT".hex().encode(),)]
    house.run()
    assert not any("CONVERT(" in question for question in house.session.queries)
    assert any("SHOW CREATE TABLE a" in question for question in house.session.queries)


@pytest.mark.parametrize(("code", "times"), [(1064, 2), (1317, 1), (2013, 1)])
def test_an_assignment_that_is_refused_is_named(tmp_path: Path, code: int, times: int) -> None:
    house = House(tmp_path, f"{DDL};{ASSIGNMENTS}", batches=True)
    house.session.refused["SELECT 2"] = [refusal(code), refusal(code)]
    error = house.fails()
    assert error.results["statement"] == 3
    assert house.sent.count("SET @b = (SELECT 2)") == times
    assert house.sent.count("SET @a = 1") == 1
    assert code == 2013 or "insert 1 failed 1/1" in house.sent[-2]


def test_a_batch_has_a_size(tmp_path: Path) -> None:
    long = "INSERT INTO a VALUES ('" + "x" * 30_000 + "');"
    house = House(tmp_path, long * 5, batches=True)
    house.run()
    assert batched(house.session.packets) == [2, 2]
