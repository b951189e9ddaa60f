# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every text of a failure, as a whole: singular, plural, and each case that they tell apart."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._core.errors import Error
from ansible_collections.dbops.migrations.plugins.module_utils._migration import messages
from ansible_collections.dbops.migrations.plugins.module_utils._migration.files.splitter import Statement
from ansible_collections.dbops.migrations.plugins.module_utils._migration.model import State, Step
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.session import ServerError
from unit.migration.fakes import record, refusal

FORCE = "set the version that it has then (module migration_force, playbook dbops.migrations.force)"
RESTORE = (
    "Restore its original content, and make the change in what comes after it, or in a new migration; then run again. "
    f"Or fix the schema manually and {FORCE}. Nothing was changed."
)
# Both forms of the question.
ONE = "Check what it changes, then run again with resume_from: 2 if it took no effect, or resume_from: 3 if it did."
SEVERAL = (
    "Check what statements 2 to 4 change, then run again with resume_from and the number of the first of them that "
    "took no effect, and undo what took effect after it: resume_from: 2 if none did, resume_from: 5 if all did."
)
STEP = Step(3, "m", "up", "3_m.up.sql", 3)
STATEMENT = Statement(2, 7, 5, b"CALL p()")
PLACE = {"file": "3_m.up.sql", "line": 7, "column": 5, "statement": 2}
DIRTY = State(3, True)
DUPLICATE, LOST = refusal(1062, "Duplicate entry"), refusal(2013, "Lost connection")


def failed(
    error: ServerError = DUPLICATE,
    applied: int = 0,
    done: int | None = 1,
    state: State = DIRTY,
    in_doubt: tuple[int, int] | None = None,
    advice: str = "",
) -> Error:
    return messages.statement_failed(STEP, STATEMENT, error, applied, done, state, in_doubt, advice)


CORRECT = (
    "Correct the statement in the file and run again, which resumes from there; or fix the schema manually and "
    f"{FORCE}."
)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (
            failed(),
            f"failed: (1062) Duplicate entry. Statement 1 is done. The database is now at version 3, dirty. {CORRECT}",
        ),
        (
            failed(done=0, applied=1),
            "failed: (1062) Duplicate entry. 1 migration was applied before this file; none of its statements is "
            f"done. The database is now at version 3, dirty. {CORRECT}",
        ),
        (
            failed(done=2, applied=2, advice="It is so."),
            "failed: (1062) Duplicate entry. 2 migrations were applied before this file; statements 1 to 2 are "
            f"done. The database is now at version 3, dirty. It is so. {CORRECT}",
        ),
        (
            failed(done=0, state=State(None, False)),
            "failed: (1062) Duplicate entry. None of its statements is done. The database is now at no version yet, "
            "clean. "
            "Correct the file and run again.",
        ),
        (
            failed(refusal(1142, "denied"), done=0, state=State(2, False)),
            "failed: (1142) denied. None of its statements is done. The database is now at version 2, clean. The "
            "account lacks "
            "a privilege: grant it what it lacks on the table's schema, and run again.",
        ),
        (
            failed(LOST),
            "did not finish: (2013) Lost connection. Statement 1 is done. The database is now at version 3, "
            "dirty. Run again: it finds out how far the server got, and resumes from there.",
        ),
        (
            failed(done=None),
            "failed: (1062) Duplicate entry. What was done of it is not recorded. The database is now at version 3, "
            f"dirty. Fix the schema manually, {FORCE}, and run again.",
        ),
        (
            failed(LOST, done=None, applied=1),
            "did not finish: (2013) Lost connection. 1 migration was applied before this file; what was done of it "
            f"is not recorded. The database is now at version 3, dirty. Fix the schema manually, {FORCE}, and run "
            "again.",
        ),
        (
            failed(refusal(1142, "denied")),
            "failed: (1142) denied. Statement 1 is done. The database is now at version 3, dirty. The account "
            "lacks a privilege: grant it what it lacks on the table's schema, and run again. It resumes from there.",
        ),
        (
            failed(in_doubt=(2, 2)),
            "failed: (1062) Duplicate entry. Statement 1 is done. The database is now at version 3, dirty. "
            f"Statement 2 may have taken effect before it failed. {ONE}",
        ),
        (
            failed(in_doubt=(2, 4), advice="It is so."),
            "failed: (1062) Duplicate entry. Statement 1 is done. The database is now at version 3, dirty. "
            f"It is so. Statements 2 to 4 may have taken effect before it failed. {SEVERAL}",
        ),
    ],
)
def test_a_statement_that_failed(error: Error, text: str) -> None:
    assert str(error) == f"3_m.up.sql:7:5: statement 2 {text} The statement: CALL p()"


@pytest.mark.parametrize("in_doubt", [None, (2, 2), (2, 4)])
def test_what_is_returned_of_a_statement_that_failed(in_doubt: tuple[int, int] | None) -> None:
    doubt = {"in_doubt": {"first": in_doubt[0], "last": in_doubt[1]}} if in_doubt else {}
    expected = {**PLACE, "error_code": 1062, "dirty": False, "to_version": 2, **doubt}
    assert failed(state=State(2, False), in_doubt=in_doubt).results == expected


@pytest.mark.parametrize("code", [1044, 1142, 1143, 1227, 1290, 1370, 1419, 1836])
def test_a_cause_that_is_not_the_statement_is_named(code: int) -> None:
    assert "Correct the statement" not in str(failed(refusal(code)))
    error = messages.recording_failed("before it", False, STEP, refusal(code), False, DIRTY, True)
    assert "finds out how far the server got" not in str(error)


# Each of the other messages, as a whole, with what is returned.
MESSAGES: list[tuple[Error, str, dict[str, object]]] = [
    (
        messages.stopped_inside("SIGTERM", STEP, STATEMENT, 1, 1),
        "SIGTERM: stopped before 3_m.up.sql:7:5 (statement 2). 1 migration was applied before this file; statement 1 "
        "is done. The database is now at version 3, dirty. Run again: it resumes from there.",
        {**PLACE, "dirty": True, "to_version": 3},
    ),
    (
        messages.stopped_inside("SIGTERM", STEP, STATEMENT, 0, None),
        "SIGTERM: stopped before 3_m.up.sql:7:5 (statement 2). What was done of it is not recorded. The database is "
        f"now at version 3, dirty. Fix the schema manually, {FORCE}, and run again.",
        {**PLACE, "dirty": True, "to_version": 3},
    ),
    (
        messages.recording_failed("before 3_m.up.sql:7:5 (statement 2)", False, STEP, DUPLICATE, False, DIRTY, True),
        "The state and the history could not be written before 3_m.up.sql:7:5 (statement 2): (1062) Duplicate entry. "
        "Nothing after that was run. The database says: version 3, dirty. Run again: it finds out how far the server "
        "got, and resumes from there.",
        {"error_code": 1062, "file": "3_m.up.sql", "dirty": True, "to_version": 3},
    ),
    (
        messages.recording_failed("after 3_m.up.sql", True, STEP, LOST, True, None, False),
        "The state and the history could not be read after 3_m.up.sql: (2013) Lost connection. All of 3_m.up.sql was "
        f"run. The database can no longer be queried. Fix the schema manually, {FORCE}, and run again.",
        {"error_code": 2013, "file": "3_m.up.sql", "dirty": True, "to_version": 3},
    ),
    (
        messages.recording_failed("after 4", True, Step(4, "m", "up", None, 4), LOST, False, State(3, False), True),
        "The state and the history could not be written after 4: (2013) Lost connection. All of 4 was run. The "
        "database says: version 3, clean. Run again: it finds out how far the server got, and resumes from there.",
        {"error_code": 2013, "file": None, "dirty": False, "to_version": 3},
    ),
    (
        messages.recording_failed("after 3_m.up.sql", True, STEP, refusal(1568, "open"), False, DIRTY, True),
        "The state and the history could not be written after 3_m.up.sql: (1568) open. All of 3_m.up.sql was run. The "
        "database says: version 3, dirty. The file leaves a transaction open, which the server has rolled back: end it "
        "with COMMIT in the file, and run again.",
        {"error_code": 1568, "file": "3_m.up.sql", "dirty": True, "to_version": 3},
    ),
    (
        messages.recording_failed("before 3_m.up.sql", False, STEP, refusal(1290, "read-only"), False, DIRTY, True),
        "The state and the history could not be written before 3_m.up.sql: (1290) read-only. Nothing after that was "
        "run. The database says: version 3, dirty. The server is read-only, perhaps a replica: run on the one that "
        "takes writes.",
        {"error_code": 1290, "file": "3_m.up.sql", "dirty": True, "to_version": 3},
    ),
    (
        messages.lock_lost("shop", STEP),
        "3_m.up.sql: the lock on shop was released, and another migration run has taken it or has run since. "
        "Stopped: nothing more was run or recorded. Check the migration status, then run again.",
        {"file": "3_m.up.sql", "dirty": True, "to_version": 3},
    ),
    (
        messages.strayed(STEP, "shop"),
        "3_m.up.sql: all of it was run, but it leaves the session in a schema other than shop, and golang-migrate "
        "would write its state there. The database is now at version 3, dirty. End the file with USE shop, and run "
        "again.",
        {"file": "3_m.up.sql", "dirty": True, "to_version": 3},
    ),
    (
        messages.not_atomic(STEP, STATEMENT),
        "3_m.up.sql:7:5: the file asks to be all-or-nothing, but statement 2 cannot be rolled back for certain: only "
        "statements that change rows of transactional tables can. Nothing of the file took effect. The statement: "
        "CALL p()",
        PLACE,
    ),
    (
        messages.changed_statement(STEP, STATEMENT),
        f"3_m.up.sql:7:5: statement 2 was done by an earlier run and has been changed since. {RESTORE} To run it and "
        "what follows it again, set resume_from: 2. It is now: CALL p()",
        {**PLACE, "dirty": True},
    ),
    (
        messages.changed_somewhere(STEP, 251, 300),
        "3_m.up.sql: one of its statements 251 to 300, which were done by an earlier run, has been changed since. "
        f"{RESTORE}",
        {"file": "3_m.up.sql", "dirty": True},
    ),
    (
        messages.fewer_statements(STEP, 1, 2),
        f"3_m.up.sql has 1 statement, but an earlier run completed 2. {RESTORE}",
        {"file": "3_m.up.sql", "dirty": True},
    ),
    (
        messages.fewer_statements(STEP, 0, 1),
        f"3_m.up.sql has 0 statements, but an earlier run completed 1. {RESTORE}",
        {"file": "3_m.up.sql", "dirty": True},
    ),
    (
        messages.no_such_statement(STEP, 1, 6),
        "resume_from is 6, but 3_m.up.sql has 1 statement. Give 2 if all of them are done. Nothing was changed.",
        {"file": "3_m.up.sql", "dirty": True},
    ),
    (
        messages.session_not_restored(STEP, refusal(1193, "Unknown system variable")),
        "The session state in which 3_m.up.sql was started could not be restored: (1193) Unknown system variable. "
        f"Nothing was changed. Fix the cause and run again; or fix the schema manually and {FORCE}.",
        {"error_code": 1193, "file": "3_m.up.sql", "dirty": True},
    ),
    (
        messages.session_not_restored(STEP, LOST),
        "The session state in which 3_m.up.sql was started could not be restored: (2013) Lost connection. Nothing "
        "was changed. Run again.",
        {"error_code": 2013, "file": "3_m.up.sql", "dirty": True},
    ),
    (
        messages.session_lost(STEP, 1, 1, "the temporary table shop.x", 1),
        "3_m.up.sql: an earlier run completed 1 statement; what follows may rely on the temporary table shop.x of "
        "statement 1 of 3_m.up.sql, which was lost with its connection. Check what is done, undo what would be "
        "repeated, and run again with resume_from and the number of the statement to resume from. Nothing was "
        "changed.",
        {"file": "3_m.up.sql", "statement": 2, "dirty": True},
    ),
    (
        messages.session_lost(STEP, 2, 4, "the variable @a", 0),
        "3_m.up.sql: an earlier run completed 2 statements, and statements 3 to 4 may have taken effect; what "
        "follows may rely on the variable @a of an earlier file, which was lost with its connection. Check what is "
        "done, undo what would be repeated, and run again with resume_from and the number of the statement to resume "
        "from. Nothing was changed.",
        {"in_doubt": {"first": 3, "last": 4}, "file": "3_m.up.sql", "statement": 3, "dirty": True},
    ),
    (
        messages.outcome_unknown(STEP, STATEMENT, "failed", 2),
        "3_m.up.sql:7:5: statement 2 was running when an earlier run failed, and the server does not show whether it "
        f"took effect. {ONE} Nothing was changed. Statement 2: CALL p()",
        {**PLACE, "in_doubt": {"first": 2, "last": 2}, "dirty": True},
    ),
    (
        messages.outcome_unknown(STEP, STATEMENT, "running", 4),
        "3_m.up.sql:7:5: statements 2 to 4 may have run when an earlier run was interrupted, and the server does not "
        f"show which of them took effect. {SEVERAL} Nothing was changed. Statement 2: CALL p()",
        {**PLACE, "in_doubt": {"first": 2, "last": 4}, "dirty": True},
    ),
    (
        messages.doubt_is_gone(STEP, 2, 2),
        "3_m.up.sql: statement 2 may have taken effect in an earlier run, but the file now ends before that. Check "
        "what it changed, and run again with resume_from: 2 if nothing of that is left to do. Nothing was changed.",
        {"file": "3_m.up.sql", "in_doubt": {"first": 2, "last": 2}, "dirty": True},
    ),
    (
        messages.doubt_is_gone(STEP, 2, 4),
        "3_m.up.sql: statements 2 to 4 may have taken effect in an earlier run, but the file now ends before that. "
        "Check what they changed, and run again with resume_from: 2 if nothing of that is left to do. Nothing was "
        "changed.",
        {"file": "3_m.up.sql", "in_doubt": {"first": 2, "last": 4}, "dirty": True},
    ),
    (
        messages.written_elsewhere(record(1), State(1, True)),
        "The up migration of version 1 was interrupted, and something else has written the state table since, "
        "perhaps golang-migrate, which may have run it again. Check how far it got, then run again with resume_from "
        f"and the number of the statement to resume from; or fix the schema manually and {FORCE}. Nothing was changed.",
        {"dirty": True, "from_version": 1},
    ),
    (
        messages.history_ahead("shop", State(1, False), [2, 3]),
        "shop: the state table says version 1, clean, but the history has 2, 3 as applied or started. The state row "
        "was deleted, an older backup of it was restored, or golang-migrate rolled back or was forced. If the "
        f"history is right, {FORCE}. If the state table is right, run again with history_ahead: ignore. Nothing was "
        "changed.",
        {"from_version": 1, "dirty": False, "history_ahead": [2, 3]},
    ),
]


@pytest.mark.parametrize(("error", "text", "results"), MESSAGES)
def test_the_text_and_results_of_each_message(error: Error, text: str, results: dict[str, object]) -> None:
    assert str(error) == text
    assert error.results == results


def test_each_message_is_tested() -> None:
    """A name that a message is made by is looked for in this file."""
    makers = {
        name
        for name, maker in inspect.getmembers(messages, inspect.isfunction)
        if maker.__module__ == messages.__name__ and not name.startswith("_")
    }
    text = Path(__file__).read_text()
    assert {name for name in makers if f"messages.{name}(" not in text} == set()


def test_a_place_as_return_values() -> None:
    assert messages.place_of(STEP, STATEMENT) == PLACE


def test_a_run_that_stops_between_two_files() -> None:
    assert str(messages.stopped_between("SIGTERM", STEP, 1, 2)) == (
        "SIGTERM: stopped after 3_m.up.sql; 1 migration applied, 2 not started. The database is at version 3. Run "
        "again to continue."
    )
    down = Step(1, "m", "down", None, None)
    assert str(messages.stopped_between("SIGINT", down, 2, 1)) == (
        "SIGINT: stopped after 1; 2 migrations applied, 1 not started. The database is at no version yet. Run again to "
        "continue."
    )


def test_values_that_are_lost() -> None:
    assert messages.values_unknown(STEP, ["@a", "@b", "@a"]).text == (
        "3_m.up.sql: the values that statements before resume_from gave to @a, @b were lost with their connection; "
        "what follows finds them unset."
    )


# What is quoted.


def test_a_long_statement_is_cut() -> None:
    assert messages.quoted(b"a" * 200) == "a" * 200
    assert messages.quoted(b"a" * 201) == "a" * 200 + "…"
    assert messages.quoted("ä".encode() * 5000) == "ä" * 200 + "…"
    assert messages.quoted("😀".encode() * 200) == "😀" * 200
    assert messages.quoted(b"\xff") == "\ufffd"


def test_secrets_in_a_statement_are_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "clean", lambda text: text.replace("pw", "********"))
    assert messages.quoted(b"SET @a = 'pw'") == "SET @a = '********'"
    # It is masked before it is cut.
    assert "p" not in messages.quoted(b"a" * 199 + b"pw")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ALTER USER a IDENTIFIED BY 'Canary'", "ALTER USER a IDENTIFIED BY …"),
        ('CREATE USER a identified with x by "Canary" REQUIRE SSL', "CREATE USER a identified with x by … REQUIRE SSL"),
        ("GRANT ALL ON *.* TO a IDENTIFIED BY PASSWORD 'Canary'", "GRANT ALL ON *.* TO a IDENTIFIED BY PASSWORD …"),
        ("SET PASSWORD FOR a = PASSWORD('Canary')", "SET PASSWORD FOR a = PASSWORD(…)"),
        ("SET PASSWORD = 'Can''ary\\'", "SET PASSWORD = …"),
        ("INSERT INTO password VALUES ('kept')", "INSERT INTO password VALUES ('kept')"),
    ],
)
def test_what_an_account_logs_in_with_is_not_quoted(text: str, expected: str) -> None:
    assert messages.quoted(text.encode()) == expected


def test_what_the_server_says_is_one_line_and_bounded() -> None:
    assert messages.reason_text(refusal(1064, "near '\n  x'")) == "(1064) near ' x'"
    assert messages.reason_text(refusal(1064, "a" * 400)) == "(1064) " + "a" * 400
    assert messages.reason_text(refusal(1064, "a" * 401)) == "(1064) " + "a" * 400 + "…"


def test_a_message_is_of_bounded_length() -> None:
    long = Statement(2, 7, 5, b"x" * 100_000)
    error = messages.statement_failed(STEP, long, refusal(1064, "y" * 100_000), 10, 20, DIRTY, (21, 300), "It is so.")
    assert len(str(error)) < 1400
