# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Statements that take too long or wait too long, runs that are asked to end, and the lock."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.lock import lock_name
from integration.migration.support import Database
from parts.forks import Forks

FILE = "1_a.up.sql"
A = "CREATE TABLE a (i INT)"


def text(*statements: str) -> str:
    return "".join(f"{statement};\n" for statement in statements)


def last(database: Database, columns: str = "outcome, done, begun") -> tuple[Any, ...]:
    """Return the newest row of the history."""
    return database.query(f"SELECT {columns} FROM schema_migrations_history ORDER BY id DESC LIMIT 1")[0]


def wait_for(database: Database, what: str) -> None:
    """Wait until a connection runs something."""
    question = f"SELECT 1 FROM information_schema.processlist WHERE db = '{database.name}' AND id <> CONNECTION_ID()"
    deadline = time.monotonic() + 60
    while not database.query(f"{question} AND info LIKE '%{what}%'"):
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def held(there: Database) -> Iterator[Any]:
    """A connection whose transaction has read the table ``a``; migration 2 is to change that."""
    there.write({FILE: A})
    there.apply()
    there.write({"2_b.up.sql": text("INSERT INTO a VALUES (1)", "ALTER TABLE a ADD j INT")})
    connection = there.server.connect(there.name)
    with connection.cursor() as cursor:
        cursor.execute("START TRANSACTION")
        cursor.execute("SELECT * FROM a")
    yield connection
    if connection.open:
        connection.close()


SLEEPS = {
    "INSERT": "INSERT INTO a SELECT i + SLEEP(30) FROM b",
    "UPDATE": "UPDATE b SET i = i + SLEEP(30)",
    # SLEEP() returns 1 when it is ended.
    "DO": "DO SLEEP(30)",
    "SELECT": "SELECT SLEEP(30)",
    "CALL": "CALL p()",
}


@pytest.mark.parametrize("name", SLEEPS)
def test_a_statement_that_takes_too_long(there: Database, name: str) -> None:
    statement = SLEEPS[name]
    done = text(A, "CREATE TABLE b AS SELECT 1 AS i", "CREATE PROCEDURE p() DO SLEEP(30)")
    there.write({FILE: done + text(statement, "INSERT INTO a VALUES (7)")})
    started = time.monotonic()
    result = there.apply(statement_timeout=1)
    assert time.monotonic() - started < 15
    assert result["failed"], "the statement was cut short and is treated as done"
    assert f"1_a.up.sql:4:1: statement 4 failed: ({result['error_code']})" in result["msg"]
    assert "(statement_timeout: 1 s). " in result["msg"]
    assert there.query("SELECT COUNT(*) FROM a") == [(0,)]
    there.write({FILE: done + text("INSERT INTO a VALUES (7)")})
    options = {"resume_from": 4} if name == "CALL" else {}
    assert not there.apply(statement_timeout=1, **options)["failed"]
    assert there.query("SELECT i FROM a") == [(7,)]


def test_a_statement_that_waits_too_long_for_its_timeout(there: Database, held: Any) -> None:
    result = there.apply(statement_timeout=1)
    assert "2_b.up.sql:2:1: statement 2 failed: (1317)" in result["msg"]
    assert "(statement_timeout: 1 s)" in result["msg"]
    assert last(there) == ("failed", 1, 1)
    held.close()
    assert there.apply(statement_timeout=30)["resumed"] == {"version": 2, "statement": 2}
    assert there.query("SELECT * FROM a") == [(1, None)]


def test_a_lock_that_is_never_released(there: Database, held: Any) -> None:
    result = there.apply(lock_wait_timeout=1, lock_wait_retries=1)
    assert (result["failed"], result["error_code"], result["statement"]) == (True, 1205, 2)
    assert result["warnings"] == ["A statement that had waited too long for a lock was retried, 1 time. (DBM-1809)"]
    assert last(there) == ("failed", 1, 1)
    held.close()
    assert not there.apply()["failed"]
    assert there.query("SELECT * FROM a") == [(1, None)]


def test_a_lock_that_is_released_in_time(there: Database, held: Any) -> None:
    timer = threading.Timer(1.5, held.close)
    timer.start()
    result = there.apply(lock_wait_timeout=1, lock_wait_retries=20)
    timer.join()
    assert not result["failed"], result["msg"]
    assert result["warnings"] == ["A statement that had waited too long for a lock was retried, 1 time. (DBM-1809)"]
    assert there.query("SELECT * FROM a") == [(1, None)]


def test_nothing_is_tried_again_in_a_transaction_of_the_users(there: Database, held: Any) -> None:
    there.write({"2_b.up.sql": text("START TRANSACTION", "INSERT INTO a VALUES (1)", "ALTER TABLE a ADD j INT")})
    result = there.apply(lock_wait_timeout=1)
    assert (result["error_code"], result["statement"], result["warnings"]) == (1205, 3, [])
    held.close()
    # What the transaction had done was committed by the definition that failed.
    assert there.apply()["resumed"] == {"version": 2, "statement": 3}
    assert there.query("SELECT * FROM a") == [(1, None)]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_asked_to_end(there: Database, forks: Forks, number: signal.Signals) -> None:
    there.write({FILE: text(A, "INSERT INTO a VALUES (SLEEP(1))", "INSERT INTO a VALUES (2)")})
    process = forks.begin("migration_apply", there.arguments("apply", {}))
    wait_for(there, "SLEEP")
    os.kill(process, number)
    result = forks.result()
    assert result["msg"] == (
        f"{number.name}: stopped before 1_a.up.sql:3:1 (statement 3). Statements 1 to 2 are done. The database "
        "is now at version 1, dirty. Run again: it resumes from there. (DBM-1802)"
    )
    expected = {"failed": True, "file": FILE, "line": 3, "statement": 3, "dirty": True, "to_version": 1}
    assert {key: result[key] for key in expected} == expected
    assert last(there, "outcome, done, begun, error") == ("interrupted", 2, 2, number.name)
    assert there.apply()["resumed"] == {"version": 1, "statement": 3}
    assert there.query("SELECT i FROM a") == [(0,), (2,)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_a_signal_that_was_ignored_before_does_not_change(here: Database, forks: Forks, number: signal.Signals) -> None:
    """As ``nohup`` and what starts a job in the background have it; SIGTERM ends it all the same."""
    here.write({FILE: text(A, "DO SLEEP(1)"), "2_b.up.sql": text("DO SLEEP(1)"), "3_c.up.sql": "SELECT 1"})
    process = forks.begin("migration_apply", here.arguments("apply", {"target": "1"}), ignored=[number])
    wait_for(here, "SLEEP")
    os.kill(process, number)
    assert not forks.result()["failed"]
    process = forks.begin("migration_apply", here.arguments("apply", {}), ignored=[number])
    wait_for(here, "SLEEP")
    os.kill(process, number)
    os.kill(process, signal.SIGTERM)
    assert forks.result()["msg"].startswith("SIGTERM: stopped after 2_b.up.sql; 1 migration applied, 1 not started.")


def test_asked_to_end_between_two_files(there: Database, forks: Forks) -> None:
    there.write({FILE: text(A, "DO SLEEP(1)"), "2_b.up.sql": "INSERT INTO a VALUES (1)", "3_c.up.sql": "SELECT 1"})
    process = forks.begin("migration_apply", there.arguments("apply", {}))
    wait_for(there, "SLEEP")
    os.kill(process, signal.SIGTERM)
    result = forks.result()
    assert result["msg"] == (
        "SIGTERM: stopped after 1_a.up.sql; 1 migration applied, 2 not started. The database is at version 1. Run "
        "again to continue. (DBM-1803)"
    )
    assert (there.state(), last(there)) == ([(1, 0)], ("applied", 2, 2))
    assert there.apply()["from_version"] == 1


def test_asked_to_end_in_the_last_statement(there: Database, forks: Forks) -> None:
    there.write({FILE: text(A, "DO SLEEP(1)")})
    process = forks.begin("migration_apply", there.arguments("apply", {}))
    wait_for(there, "SLEEP")
    os.kill(process, signal.SIGTERM)
    assert not forks.result()["failed"]
    assert there.state() == [(1, 0)]


OPENINGS = {
    "a transaction": (["START TRANSACTION", "INSERT INTO a VALUES (1)"], 2),
    "autocommit": (["SET autocommit = 0", "INSERT INTO a VALUES (1)", "COMMIT"], 6),
}


@pytest.mark.parametrize("name", OPENINGS)
def test_asked_to_end_in_a_transaction_of_the_users(there: Database, forks: Forks, name: str) -> None:
    statements, resumed = OPENINGS[name]
    there.write({FILE: text(A, *statements, "DO SLEEP(1)", "INSERT INTO a VALUES (2)", "COMMIT", "SET autocommit = 1")})
    process = forks.begin("migration_apply", there.arguments("apply", {}))
    wait_for(there, "SLEEP")
    os.kill(process, signal.SIGTERM)
    assert "SIGTERM: stopped before" in forks.result()["msg"]
    assert there.apply()["resumed"] == {"version": 1, "statement": resumed}
    assert there.query("SELECT i FROM a") == [(1,), (2,)]


@pytest.mark.usefixtures("golang_migrate")
def test_asked_to_end_before_the_first_statement(there: Database, forks: Forks) -> None:
    there.write({FILE: A, "2_b.up.sql": "CREATE TABLE b (i INT)"})
    # The server does not trust what it remembers from its start.
    while int(there.query("SHOW GLOBAL STATUS LIKE 'Uptime'")[0][1]) < 7:
        time.sleep(0.2)
    there.golang("up", "1")
    time.sleep(1.1)
    with there.server.connect(there.name) as other, other.cursor() as cursor:
        cursor.execute("FLUSH TABLES WITH READ LOCK")
        process = forks.begin("migration_apply", there.arguments("apply", {}))
        wait_for(there, "CREATE TABLE")
        os.kill(process, signal.SIGTERM)
        cursor.execute("UNLOCK TABLES")
    assert "SIGTERM" in forks.result()["msg"]
    result = there.apply()
    assert not result["failed"], result["msg"]


def test_without_a_lock(there: Database) -> None:
    there.write({FILE: A})
    with there.server.connect(there.name) as other, other.cursor() as cursor:
        cursor.execute("SELECT GET_LOCK(%s, 0)", (lock_name(there.name, "schema_migrations"),))
        assert there.apply(lock=False)["warnings"] == [
            f"Locking is off: nothing prevents concurrent runs on {there.name}. Make sure that neither this "
            "collection nor golang-migrate works on it at the same time. (DBM-1533)"
        ]
    assert there.state() == [(1, 0)]


def test_who_holds_the_lock(there: Database) -> None:
    with there.server.connect(there.name) as other:
        with other.cursor() as cursor:
            cursor.execute("SELECT GET_LOCK(%s, 0)", (lock_name(there.name, "schema_migrations"),))
        thread = threading.Thread(target=lambda: other.cursor().execute("SELECT SLEEP(2)"))
        thread.start()
        wait_for(there, "SLEEP")
        result = there.apply(lock_timeout=0)
        thread.join()
    assert result["msg"].startswith(
        f"Another migration run holds the lock on {there.name}: it was not free within 0 s. It is held by connection "
        f"{other.thread_id()}, admin@127.0.0.1:"
    )
    assert "running SELECT SLEEP … for " in result["msg"]
    assert "(2)" not in result["lock_holder"], "a statement may hold a password"
    assert result["msg"].endswith(" s. Wait for it, or raise lock_timeout. (DBM-1534)")
    assert result["lock_holder"] in result["msg"]
