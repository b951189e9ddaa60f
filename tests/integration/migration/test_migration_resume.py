# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A migration that failed or was interrupted is resumed where it was, and ends as if nothing had happened."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from integration.migration.support import Database, make
from parts.forks import Forks
from parts.mariadb import DatabaseServer, MariaDB

FILE = "1_a.up.sql"
# Where a script fails, and what fails there.
CUT = "!"
BAD = "SELECT no_such_column"
SEEN = "CREATE TABLE seen (v TEXT)"


@pytest.fixture
def pair(
    server: DatabaseServer, tmp_path: Path, forks: Forks, golang_migrate: Path
) -> Iterator[tuple[Database, Database]]:
    """Two empty schemas of each server over one directory."""
    found = make(server, tmp_path / "migrations", forks), make(server, tmp_path / "migrations", forks)
    yield found
    for database in found:
        server.query(f"DROP DATABASE IF EXISTS `{database.name}`")


def text(statements: list[str]) -> str:
    return "".join(f"{statement};\n" for statement in statements)


SCRIPTS = {
    "settings": [
        SEEN,
        "SET sql_mode = 'ANSI_QUOTES,NO_ENGINE_SUBSTITUTION'",
        "SET NAMES latin1",
        "SET foreign_key_checks = 0, @@session.unique_checks = 0",
        "SET SESSION group_concat_max_len = 4711",
        "INSERT INTO seen VALUES (1)",
        CUT,
        'INSERT INTO "seen" VALUES (CONCAT_WS(0x20, @@sql_mode, @@foreign_key_checks, @@unique_checks, '
        "@@group_concat_max_len, @@character_set_client, @@collation_connection))",
    ],
    "settings that are computed": [
        SEEN,
        "SET sql_mode = CONCAT(@@sql_mode, ',ANSI_QUOTES')",
        CUT,
        "SET @@session.group_concat_max_len = (SELECT COUNT(*) + 4711 FROM seen)",
        "INSERT INTO seen VALUES (1)",
        CUT,
        'INSERT INTO "seen" VALUES (CONCAT(@@sql_mode, @@group_concat_max_len))',
    ],
    "variables": [
        SEEN,
        "SET @i = -5, @u = 18446744073709551615, @d = 1.50, @f = 1.5e300, @n = NULL, @b = X'00ff27', @e = ''",
        "SET @s = _latin1 X'e4' COLLATE latin1_german1_ci, @t = 'it''s ä;', @h = 0xC328",
        "INSERT INTO seen VALUES (1)",
        CUT,
        "CREATE TABLE types AS SELECT @i, @u, @d, @n, @b, @s, @t",
        "INSERT INTO seen SELECT CONCAT_WS('|', @i, @u, @d, @f, @n, HEX(@b), HEX(@s), CHARSET(@s), COLLATION(@s), @t, "
        "HEX(@h), CHARSET(@b), CHARSET(@e), @e = '')",
    ],
    "variables that are computed": [
        SEEN,
        "INSERT INTO seen VALUES ('a'), ('b')",
        "SET @i = (SELECT COUNT(*) FROM seen), @u = CAST(18446744073709551615 AS UNSIGNED), @f = SQRT(2)",
        "SELECT COUNT(*), MAX(v), UNHEX('00FF') INTO @c, @m, @b FROM seen",
        "SELECT @a := COUNT(*) FROM seen",
        "SET @d = CAST(1.10 AS DECIMAL(10, 2)), @n = NULLIF(1, 1)",
        "INSERT INTO seen VALUES ('c')",
        CUT,
        "INSERT INTO seen VALUES (CONCAT_WS('|', @i, @u, @f, @c, @m, HEX(@b), @a, @d, @n, @i + @c))",
    ],
    "a variable that counts": [
        SEEN,
        "SET @n = 1",
        "SET @n = @n + 1",
        "INSERT INTO seen VALUES (@n)",
        CUT,
        "SET @n = @n * 10",
        "INSERT INTO seen VALUES (@n)",
        CUT,
        "INSERT INTO seen VALUES (@n)",
    ],
    "a variable that a transaction changes": [
        SEEN,
        "SET @x = 1",
        "INSERT INTO seen VALUES ('before')",
        "START TRANSACTION",
        "INSERT INTO seen VALUES (@x)",
        "SET @x = 2",
        CUT,
        "INSERT INTO seen VALUES (@x)",
        "COMMIT",
    ],
    "a setting that a transaction changes": [
        SEEN,
        "SET group_concat_max_len = 4711",
        "INSERT INTO seen VALUES ('before')",
        "START TRANSACTION",
        "INSERT INTO seen VALUES (@@group_concat_max_len)",
        "SET group_concat_max_len = 4712",
        "SET group_concat_max_len = 4711",
        CUT,
        "COMMIT",
    ],
    "prepared statements": [
        SEEN,
        "PREPARE a FROM 'INSERT INTO seen VALUES (1)'",
        "SET @t = 'INSERT INTO seen VALUES (?)', @v = 'two'",
        "PREPARE `B b` FROM @t",
        "SET @t = 'no more'",
        "EXECUTE a",
        CUT,
        "EXECUTE a",
        "EXECUTE `b B` USING @v",
        CUT,
        "EXECUTE `b B` USING @t",
        "DEALLOCATE PREPARE a",
        "DROP PREPARE `B b`",
        "PREPARE c FROM 'CREATE TABLE made (i INT)'",
        "EXECUTE c",
        CUT,
        "INSERT INTO made VALUES (1)",
    ],
    "LAST_INSERT_ID": [
        SEEN,
        "CREATE TABLE a (id INT AUTO_INCREMENT PRIMARY KEY)",
        "INSERT INTO a VALUES (41), (NULL)",
        "INSERT INTO seen VALUES ('other')",
        CUT,
        "INSERT INTO seen VALUES (LAST_INSERT_ID())",
        "DO LAST_INSERT_ID(7)",
        "UPDATE seen SET v = CONCAT(v, '!')",
        CUT,
        "INSERT INTO seen VALUES (LAST_INSERT_ID())",
    ],
    "LAST_INSERT_ID that a transaction changes": [
        SEEN,
        "DO LAST_INSERT_ID(5)",
        "INSERT INTO seen VALUES ('before')",
        "START TRANSACTION",
        "INSERT INTO seen VALUES (LAST_INSERT_ID())",
        "DO LAST_INSERT_ID(9)",
        CUT,
        "INSERT INTO seen VALUES (LAST_INSERT_ID())",
        "COMMIT",
    ],
    "ROW_COUNT": [
        SEEN,
        "INSERT INTO seen VALUES (1), (2), (3)",
        "INSERT INTO seen VALUES (ROW_COUNT())",
        "UPDATE seen SET v = v + 1",
        CUT,
        "INSERT INTO seen VALUES (7)",
    ],
    "ROW_COUNT in a transaction": [
        SEEN,
        "INSERT INTO seen VALUES (1), (2), (3)",
        "START TRANSACTION",
        "UPDATE seen SET v = v + 1",
        "INSERT INTO seen VALUES (ROW_COUNT())",
        "COMMIT",
    ],
    "ROW_COUNT without autocommit": [
        SEEN,
        "INSERT INTO seen VALUES (1), (2), (3)",
        "SET autocommit = 0",
        "UPDATE seen SET v = v + 1",
        "INSERT INTO seen VALUES (ROW_COUNT())",
        "COMMIT",
        "SET autocommit = 1",
    ],
    "ROW_COUNT in a definition": [
        SEEN,
        "INSERT INTO seen VALUES (1), (2), (3)",
        "CREATE TABLE made AS SELECT ROW_COUNT() AS n",
    ],
    "FOUND_ROWS": [
        SEEN,
        "INSERT INTO seen VALUES (1), (2), (3)",
        "SELECT * FROM seen",
        "INSERT INTO seen VALUES (FOUND_ROWS())",
        "START TRANSACTION",
        "SELECT * FROM seen",
        "INSERT INTO seen VALUES (FOUND_ROWS())",
        "COMMIT",
    ],
    "without autocommit": [
        SEEN,
        "SET autocommit = 0",
        "INSERT INTO seen VALUES (1)",
        "COMMIT",
        "INSERT INTO seen VALUES (2)",
        CUT,
        "INSERT INTO seen VALUES (3)",
        "COMMIT",
        CUT,
        "INSERT INTO seen VALUES (4)",
        "SET autocommit = 1",
    ],
    "a definition without autocommit": [
        SEEN,
        "SET autocommit = 0",
        "INSERT INTO seen VALUES (1)",
        "CREATE TABLE made (i INT)",
        "INSERT INTO seen VALUES (2)",
        CUT,
        "COMMIT",
    ],
    "a transaction": [
        SEEN,
        "INSERT INTO seen VALUES (0)",
        "START TRANSACTION",
        "INSERT INTO seen VALUES (1)",
        "UPDATE seen SET v = v + 1",
        CUT,
        "INSERT INTO seen VALUES (3)",
        "COMMIT",
        CUT,
        "INSERT INTO seen VALUES (4)",
        "BEGIN",
        "UPDATE seen SET v = v + 1",
        "ROLLBACK",
        CUT,
        "UPDATE seen SET v = v + 1",
    ],
    "a chained transaction": [
        SEEN,
        "START TRANSACTION",
        "INSERT INTO seen VALUES (1)",
        "COMMIT AND CHAIN",
        "INSERT INTO seen VALUES (2)",
        CUT,
        "COMMIT",
    ],
    "savepoints": [
        SEEN,
        "START TRANSACTION",
        "INSERT INTO seen VALUES (1)",
        "SAVEPOINT s",
        "INSERT INTO seen VALUES (2)",
        "ROLLBACK TO SAVEPOINT s",
        CUT,
        "COMMIT",
        CUT,
        "INSERT INTO seen VALUES (3)",
    ],
    "a definition in a transaction": [
        SEEN,
        "START TRANSACTION",
        "INSERT INTO seen VALUES (1)",
        "CREATE TABLE made (i INT)",
        CUT,
        "INSERT INTO made VALUES (1)",
        "INSERT INTO seen VALUES (2)",
        CUT,
        "COMMIT",
    ],
    "a reserved isolation level": [
        SEEN,
        "INSERT INTO seen VALUES (1)",
        "SET TRANSACTION ISOLATION LEVEL READ COMMITTED",
        "START TRANSACTION",
        "INSERT INTO seen SELECT * FROM seen",
        CUT,
        "COMMIT",
    ],
    "another reading of backslashes": [
        SEEN,
        "SET sql_mode = 'NO_BACKSLASH_ESCAPES'",
        "CREATE TABLE made (c CHAR(9) DEFAULT '\\')",
        CUT,
        "INSERT INTO made VALUES ('\\'), ('x')",
        "SET sql_mode = ''",
        CUT,
        "INSERT INTO made VALUES ('\\''), ('y')",
    ],
    "locked tables": [
        SEEN,
        "INSERT INTO seen VALUES (1)",
        "LOCK TABLES seen WRITE",
        "INSERT INTO seen VALUES (2)",
        "ALTER TABLE seen ADD w INT",
        "UNLOCK TABLES",
        CUT,
        "INSERT INTO seen VALUES (3, 3)",
    ],
    "temporary tables that are gone": [
        SEEN,
        "CREATE TEMPORARY TABLE tmp (i INT)",
        "INSERT INTO tmp VALUES (1)",
        "DROP TEMPORARY TABLE tmp",
        "CREATE TEMPORARY TABLE IF NOT EXISTS more (i INT)",
        "DROP TABLE more",
        CUT,
        "INSERT INTO seen VALUES (1)",
    ],
    "a procedure": [
        SEEN,
        "CREATE PROCEDURE p() BEGIN INSERT INTO seen VALUES (1); SELECT 1; SELECT 2; END",
        "CALL p()",
        CUT,
        "CALL p()",
        "DROP PROCEDURE p",
    ],
    "a variable and a setting at once": [
        SEEN,
        "SET @x = 1, sql_mode = 'ANSI_QUOTES'",
        "INSERT INTO seen VALUES (1)",
        CUT,
        'INSERT INTO "seen" VALUES (@x)',
    ],
    "a word of SET in a string": [
        SEEN,
        "SET sql_mode = 'ANSI_QUOTES', @scope = 'global'",
        "INSERT INTO seen VALUES (1)",
        CUT,
        'INSERT INTO "seen" VALUES (@scope)',
    ],
    "settings in comments for the server": [
        SEEN,
        "/*!40101 SET @old = @@sql_mode */",
        "/*!40101 SET sql_mode = 'ANSI_QUOTES' */",
        "INSERT INTO seen VALUES (1)",
        CUT,
        'INSERT INTO "seen" VALUES (@old)',
        "/*!40101 SET sql_mode = @old */",
        "INSERT INTO seen VALUES (1)",
        CUT,
        'INSERT INTO seen VALUES ("text")',
    ],
    "the clock": [
        "SET time_zone = '+05:00'",
        "SET timestamp = 86400",
        "CREATE TABLE t (a TIMESTAMP NULL, b DATETIME)",
        "INSERT INTO t VALUES (NOW(), NOW())",
        CUT,
        "INSERT INTO t VALUES (NOW(), NOW())",
    ],
    "limits of the session": [
        SEEN,
        "SET sql_select_limit = 1, sql_quote_show_create = 0",
        "INSERT INTO seen VALUES (1)",
        CUT,
        "INSERT INTO seen VALUES (2)",
        "ALTER TABLE seen ADD w INT",
        CUT,
        "INSERT INTO seen SELECT * FROM seen",
    ],
    "results in another character set": [
        SEEN,
        "SET character_set_results = utf16",
        "INSERT INTO seen VALUES ('ä')",
        "CREATE TABLE made (i INT COMMENT 'ä')",
        CUT,
        "ALTER TABLE made ADD j INT COMMENT 'ö'",
        "SET character_set_results = NULL",
        CUT,
        "DROP TABLE made",
    ],
    "results in another character set, by other words": [
        SEEN,
        "PREPARE p FROM 'SET character_set_results = utf16'",
        "CREATE TABLE made (i INT COMMENT 'ä')",
        "EXECUTE p",
        "ALTER TABLE made ADD j INT COMMENT 'ö'",
        CUT,
        "ALTER TABLE made ADD k INT COMMENT 'ü'",
        "SET CHARSET latin1",
        "ALTER TABLE made ADD l INT COMMENT 'ß'",
        CUT,
        "DROP TABLE made",
    ],
}


def play(ours: Database, theirs: Database, statements: list[str]) -> None:
    """Let a script fail at each cut in turn, correct it each time, and compare with what golang-migrate makes of it."""
    corrected = [statement for statement in statements if statement != CUT]
    for cut in [place for place, statement in enumerate(statements) if statement == CUT]:
        place = cut - statements[:cut].count(CUT)
        ours.write({FILE: text([*corrected[:place], BAD, *corrected[place:]])})
        result = ours.apply()
        assert (result["failed"], result.get("error_code"), result.get("statement")) == (True, 1054, place + 1), result
    ours.write({FILE: text(corrected)})
    result = ours.apply()
    assert not result["failed"], result["msg"]
    assert "1/u a" in theirs.golang("up")
    assert ours.snapshot() == theirs.snapshot()


@pytest.mark.parametrize("name", SCRIPTS)
def test_as_if_nothing_had_happened(pair: tuple[Database, Database], name: str) -> None:
    play(*pair, SCRIPTS[name])


def history(database: Database, columns: str = "version, direction, outcome, done, begun") -> list[tuple[Any, ...]]:
    return database.query(f"SELECT {columns} FROM schema_migrations_history ORDER BY id")


def interrupted(database: Database, *statements: str, name: str = FILE, **options: Any) -> dict[str, Any]:
    """Apply a file that fails."""
    database.write({name: text(list(statements))})
    result = database.apply(**options)
    assert result["failed"], result
    return result


A, ONE, TWO = "CREATE TABLE a (i INT)", "INSERT INTO a VALUES (1)", "INSERT INTO a VALUES (2)"


def test_from_the_statement_that_failed_on(there: Database) -> None:
    interrupted(there, A, ONE, BAD, TWO)
    there.write({FILE: text([A, ONE, TWO, "CREATE TABLE b (i INT)"]), "2_b.up.sql": "DROP TABLE b"})
    result = there.apply()
    assert (result["resumed"], result["from_version"], result["to_version"]) == ({"version": 1, "statement": 3}, 1, 2)
    assert [(item["version"], item["statements"]) for item in result["applied"]] == [(1, 4), (2, 1)]
    assert result["msg"] == f"{there.name}: from version 1 to version 2, 2 migrations"
    assert there.query("SELECT i FROM a") == [(1,), (2,)]
    assert (there.state(), there.tables()) == ([(2, 0)], {"a"})
    assert there.apply()["resumed"] is None


def test_nothing_is_left_after_the_statements_that_are_done(there: Database) -> None:
    interrupted(there, A, ONE, BAD)
    there.write({FILE: text([A, ONE])})
    assert there.apply()["applied"][0]["statements"] == 2
    assert there.query("SELECT i FROM a") == [(1,)]


def test_a_definition_that_fails_after_rows(there: Database) -> None:
    interrupted(there, A, ONE, "ALTER TABLE a DROP COLUMN x", TWO)
    assert there.query("SELECT i FROM a") == [(1,)]
    there.write({FILE: text([A, ONE, "ALTER TABLE a ADD x INT DEFAULT 7", "INSERT INTO a (i) VALUES (2)"])})
    assert there.apply()["resumed"] == {"version": 1, "statement": 3}
    assert there.query("SELECT i, x FROM a") == [(1, 7), (2, 7)]


def test_a_statement_that_is_done_was_changed(there: Database) -> None:
    interrupted(there, A, ONE, BAD)
    there.write({FILE: f"{A};\n\n  INSERT INTO a VALUES (7);\nSELECT 1;"})
    before = there.snapshot(), history(there, "*")
    result = there.apply()
    assert result["msg"] == (
        "1_a.up.sql:3:3: statement 2 was done by an earlier run and has been changed since. Restore its original "
        "content, and make the change in what comes after it, or in a new migration; then run again. Or fix the "
        "schema manually and set the version that it has then (module migration_force, playbook "
        "dbops.migrations.force). Nothing was changed. To run it and what follows it again, set resume_from: 2. It "
        "is now: INSERT INTO a VALUES (7) (DBM-1905)"
    )
    expected = {"file": FILE, "line": 3, "column": 3, "statement": 2, "dirty": True}
    assert {key: result[key] for key in expected} == expected
    assert (there.snapshot(), history(there, "*")) == before


def test_fewer_statements_than_are_done(here: Database) -> None:
    interrupted(here, A, ONE, BAD)
    here.write({FILE: text([A])})
    assert here.refusal() == (
        "1_a.up.sql has 1 statement, but an earlier run completed 2. Restore its original content, and make the "
        "change in what comes after it, or in a new migration; then run again. Or fix the schema manually and set "
        "the version that it has then (module migration_force, playbook dbops.migrations.force). Nothing was "
        "changed. (DBM-1907)"
    )


def test_a_late_one_of_many_statements_was_changed(here: Database) -> None:
    many = [A, *[f"INSERT INTO a VALUES ({number})" for number in range(260)]]
    interrupted(here, *many, BAD)
    here.write({FILE: text([*many[:-1], "INSERT INTO a VALUES (-1)"])})
    assert "one of its statements 251 to 261, which were done by an earlier run, has been changed" in here.refusal()
    here.write({FILE: text([*many[:9], "DO 1", *many[10:]])})
    assert "1_a.up.sql:10:1: statement 10 was done by an earlier run and has been changed" in here.refusal()
    here.write({FILE: text(many)})
    assert here.apply()["resumed"] == {"version": 1, "statement": 262}
    assert here.query("SELECT COUNT(*) FROM a") == [(260,)]


def test_resuming_can_be_switched_off(here: Database) -> None:
    interrupted(here, A, BAD)
    here.write({FILE: text([A])})
    assert here.refusal(resume=False).startswith("The database is dirty: an earlier run failed on its way to version 1")
    assert "The database is dirty" in here.refusal(history_table="")
    assert not here.apply()["failed"]


@pytest.mark.parametrize(("number", "rows"), [(2, [1, 1, 2]), (3, [1, 2]), (4, [1])])
def test_the_user_says_where_to_resume(here: Database, number: int, rows: list[int]) -> None:
    interrupted(here, A, ONE, BAD)
    here.write({FILE: text([A, ONE, TWO])})
    assert here.apply(resume_from=number)["resumed"] == {"version": 1, "statement": number}
    assert here.query("SELECT i FROM a ORDER BY i") == [(row,) for row in rows]


def test_where_to_resume_is_not_a_statement(here: Database) -> None:
    interrupted(here, A, ONE, BAD)
    before = here.snapshot(), history(here, "*")
    assert here.refusal(resume_from=0) == (
        "resume_from is 0. Give the number of the statement to resume from, from 1. (DBM-1904)"
    )
    assert here.refusal(resume_from=5) == (
        "resume_from is 5, but 1_a.up.sql has 3 statements. Give 4 if all of them are done. Nothing was changed. "
        "(DBM-1908)"
    )
    assert (here.snapshot(), history(here, "*")) == before


def test_nothing_to_resume(here: Database) -> None:
    here.write({FILE: A})
    message = "resume_from is for a migration that was interrupted, and there is none. Leave it out. (DBM-1903)"
    assert here.refusal(resume_from=1) == message
    here.apply()
    assert here.refusal(resume_from=1) == message


def test_the_file_is_gone(here: Database) -> None:
    interrupted(here, A, BAD)
    (here.directory / FILE).unlink()
    here.write({"2_b.up.sql": "SELECT 1"})
    assert here.refusal() == (
        f"The up migration of version 1 was interrupted, and {here.directory} no longer has a file for it. Restore it "
        "and run again, or fix the schema manually and set its version (module migration_force). Nothing was changed. "
        "(DBM-1901)"
    )


def test_the_target_leads_the_other_way(here: Database) -> None:
    interrupted(here, A, BAD)
    here.write({FILE: text([A]), "1_a.down.sql": "DROP TABLE a"})
    assert "was interrupted, but the requested migration goes the other way. Finish it first" in here.refusal(
        target="none", allow_down=True
    )
    assert here.state() == [(1, 1)]


def test_a_down_migration_is_finished(there: Database) -> None:
    there.write({FILE: text([A, "CREATE TABLE b (i INT)"]), "2_b.up.sql": "CREATE TABLE c (i INT)"})
    there.write(
        {"2_b.down.sql": text(["DROP TABLE c", BAD, ONE]), "1_a.down.sql": text(["DROP TABLE a", "DROP TABLE b"])}
    )
    there.apply()
    assert there.apply(steps=-1, allow_down=True)["failed"]
    assert there.state() == [(1, 1)]
    there.write({"2_b.down.sql": text(["DROP TABLE c", ONE])})
    assert "This would roll back 1 migration: 2." in there.refusal(steps=-1)
    result = there.apply(steps=-1, allow_down=True)
    assert (result["resumed"], result["to_version"]) == ({"version": 2, "statement": 2}, 1)
    assert (there.state(), there.query("SELECT i FROM a")) == ([(1, 0)], [(1,)])
    assert not there.apply(target="none", allow_down=True)["failed"]
    assert (there.state(), there.tables()) == ([], set())


def test_the_step_that_is_resumed_counts(here: Database) -> None:
    here.write({"2_b.up.sql": "CREATE TABLE b (i INT)", "3_c.up.sql": "CREATE TABLE c (i INT)"})
    interrupted(here, A, BAD)
    here.write({FILE: text([A])})
    assert here.apply(steps=1)["to_version"] == 1
    assert here.state() == [(1, 0)]


def test_check_mode_shows_how_it_would_continue(here: Database) -> None:
    here.write({"2_b.up.sql": "CREATE TABLE b (i INT)"})
    interrupted(here, A, ONE, BAD)
    here.write({FILE: text([A, ONE, TWO])})
    before = here.snapshot(), history(here, "*")
    plan = here.apply(check=True, diff=True)
    assert (plan["changed"], plan["resumed"], plan["applied"]) == (True, {"version": 1, "statement": 3}, [])
    assert [item["version"] for item in plan["pending"]] == [1, 2]
    shown = plan["diff"]["prepared"]
    assert [line for line in shown.splitlines() if line.startswith("#")] == [
        f"## {here.name}: from version 1 to version 2", "### Up 1: a", "### Up 2: b",
    ]  # fmt: skip
    assert f"\n  {ONE}" in shown
    assert (here.snapshot(), history(here, "*")) == before
    assert not here.apply()["failed"]


def test_a_file_may_be_renamed(here: Database) -> None:
    interrupted(here, A, BAD)
    (here.directory / FILE).unlink()
    here.write({"0001_b.up.sql": text([A, ONE])})
    plan = here.apply(check=True)
    assert plan["msg"] == f"{here.name}: check mode, nothing was changed; it would finish up 1, at version 1"
    result = here.apply()
    assert (result["resumed"], result["msg"]) == (
        {"version": 1, "statement": 2},
        f"{here.name}: up 1 finished, at version 1",
    )
    assert here.query("SELECT i FROM a") == [(1,)]


def test_settings_of_an_earlier_file_of_the_run(there: Database) -> None:
    there.write(
        {"0_s.up.sql": text([SEEN, "SET @x = 'kept'", "SET sql_mode = 'ANSI_QUOTES'", "PREPARE p FROM 'DO 1'"])}
    )
    interrupted(there, "INSERT INTO seen VALUES (1)", BAD)
    there.write({FILE: text(["INSERT INTO seen VALUES (1)", 'INSERT INTO "seen" VALUES (@x)', "EXECUTE p"])})
    assert there.apply()["resumed"] == {"version": 1, "statement": 2}
    assert there.query("SELECT v FROM seen") == [("1",), ("kept",)]


def test_a_variable_that_is_not_text(there: Database) -> None:
    """A file need not be UTF-8."""
    whole = b"CREATE TABLE a (v VARBINARY(9)); SET @x = _binary '\xff\xfe;'; INSERT INTO a VALUES (1); "
    there.write({FILE: whole + BAD.encode()})
    assert there.apply()["failed"]
    there.write({FILE: whole + b"INSERT INTO a VALUES (@x)"})
    assert not there.apply()["failed"]
    assert there.query("SELECT v FROM a") == [(b"1",), (b"\xff\xfe;",)]


def test_a_temporary_table_is_asked_for(there: Database) -> None:
    done = [A, "CREATE TEMPORARY TABLE tmp (i INT)", "INSERT INTO tmp VALUES (1)"]
    interrupted(there, *done, BAD)
    last = "INSERT INTO a SELECT i FROM tmp"
    there.write({FILE: text([*done, last])})
    assert there.refusal() == (
        "1_a.up.sql: an earlier run completed 3 statements; what follows may rely on the temporary table "
        f"{there.name}.tmp of statement 2 of 1_a.up.sql, which was lost with its connection. Check what is done, undo "
        "what would be repeated, and run again with resume_from and the number of the statement to resume from. "
        "Nothing was changed. (DBM-1910)"
    )
    assert not there.apply(resume_from=2)["failed"]
    assert there.query("SELECT i FROM a") == [(1,)]


def test_a_temporary_table_of_an_earlier_file_is_asked_for(here: Database) -> None:
    here.write({"0_t.up.sql": "CREATE TEMPORARY TABLE tmp (i INT)"})
    interrupted(here, A, BAD)
    assert f"may rely on the temporary table {here.name}.tmp of an earlier file" in here.refusal()


@pytest.mark.parametrize("change", ["TRUNCATE TABLE a", "ALTER TABLE a ADD j INT", "CREATE INDEX x ON a (i)"])
def test_a_temporary_table_that_was_changed_is_asked_for(here: Database, change: str) -> None:
    """It may come before a table of the same name."""
    done = [A, ONE, "CREATE TEMPORARY TABLE a (i INT)", change]
    interrupted(here, *done, BAD)
    here.write({FILE: text([*done, "DELETE FROM a"])})
    here.apply()
    assert here.query("SELECT i FROM a") == [(1,)]


def test_another_schema_is_used(pair: tuple[Database, Database]) -> None:
    ours, other = pair
    other.query("CREATE TABLE schema_migrations (version bigint not null primary key, dirty boolean not null)")
    other.query("INSERT INTO schema_migrations VALUES (77, 0)")
    interrupted(ours, A, f"USE {other.name}", "CREATE TABLE b (i INT)", BAD)
    ours.write(
        {
            FILE: text(
                [A, f"USE {other.name}", "CREATE TABLE b (i INT)", "INSERT INTO b VALUES (1)", f"USE {ours.name}", ONE]
            )
        }
    )
    assert not ours.apply()["failed"]
    assert (ours.query("SELECT i FROM a"), other.query("SELECT i FROM b")) == ([(1,)], [(1,)])
    assert (ours.state(), other.state()) == ([(1, 0)], [(77, 0)])


def test_another_schema_is_left_alone_when_a_corrected_file_ends_there(pair: tuple[Database, Database]) -> None:
    """The USE was run by the attempt that failed; the one that resumes it has only brought it back."""
    ours, other = pair
    other.query("CREATE TABLE schema_migrations (version bigint not null primary key, dirty boolean not null)")
    other.query("INSERT INTO schema_migrations VALUES (77, 0)")
    whole = [A, f"USE {other.name}", "CREATE TABLE b (i INT)"]
    interrupted(ours, *whole, BAD)
    ours.write({FILE: text(whole)})
    assert f"it leaves the session in a schema other than {ours.name}" in ours.refusal()
    assert (ours.state(), other.state()) == ([(1, 1)], [(77, 0)])
    ours.write({FILE: text([*whole, f"USE {ours.name}"])})
    assert not ours.apply()["failed"]
    assert (ours.state(), other.state()) == ([(1, 0)], [(77, 0)])


def test_what_comes_first_is_split_as_the_session_that_was_brought_back_reads_it(there: Database) -> None:
    done = [SEEN, "SET sql_mode = CONCAT(@@sql_mode, ',NO_BACKSLASH_ESCAPES')", "INSERT INTO seen VALUES ('a')"]
    last = ["INSERT INTO seen VALUES ('\\')", "INSERT INTO seen VALUES (';')"]
    for place in (2, 3):
        there.query("DROP TABLE IF EXISTS seen, schema_migrations, schema_migrations_history")
        interrupted(there, *done[:place], BAD, *done[place:], *last)
        there.write({FILE: text([*done[:place], *last, *done[place:]])})
        assert not there.apply()["failed"]
        assert sorted(there.query("SELECT v FROM seen")) == sorted([("\\",), (";",), ("a",)])


def test_another_schema_without_a_state_table_is_used(pair: tuple[Database, Database]) -> None:
    ours, other = pair
    interrupted(ours, A, f"USE {other.name}", "CREATE TABLE b (i INT)", BAD)
    ours.write({FILE: text([A, f"USE {other.name}", "CREATE TABLE b (i INT)", f"USE {ours.name}", ONE])})
    assert not ours.apply()["failed"]
    assert (ours.tables(), other.tables()) == ({"a"}, {"b"})


def test_a_transaction_that_is_left_open(there: Database) -> None:
    whole = [A, "START TRANSACTION", ONE]
    result = interrupted(there, *whole)
    assert result["error_code"] == 1568
    assert result["msg"].endswith(
        "The file leaves a transaction open, which the server has rolled back: end it with COMMIT in the file, and run "
        "again. (DBM-1804)"
    )
    there.write({FILE: text([*whole, "COMMIT"])})
    assert there.apply()["resumed"] == {"version": 1, "statement": 2}
    assert there.query("SELECT i FROM a") == [(1,)]


def test_a_procedure_that_commits_and_fails(there: Database) -> None:
    body = "BEGIN INSERT INTO a VALUES (1); COMMIT; INSERT INTO a SELECT no_such_column; END"
    done = [A, f"CREATE PROCEDURE p() {body}"]
    result = interrupted(there, *done, "CALL p()")
    assert (
        "Statement 3 may have taken effect before it failed. Check what it changes, then run again with resume_from: "
        "3 if it took no effect, or resume_from: 4 if it did."
    ) in result["msg"]
    assert result["in_doubt"] == {"first": 3, "last": 3}
    assert there.refusal() == (
        "1_a.up.sql:3:1: statement 3 was running when an earlier run failed, and the server does not show whether it "
        "took effect. Check what it changes, then run again with resume_from: 3 if it took no effect, or "
        "resume_from: 4 if it did. Nothing was changed. Statement 3: CALL p() (DBM-1911)"
    )
    assert not there.apply(resume_from=4)["failed"]
    assert (there.state(), there.query("SELECT i FROM a")) == ([(1, 0)], [(1,)])


def test_a_procedure_that_fails_at_once_is_run_again(there: Database) -> None:
    interrupted(there, A, "CALL p()")
    there.write({FILE: text([A, "CREATE PROCEDURE p() INSERT INTO a VALUES (1)", "CALL p()"])})
    assert there.apply()["resumed"] == {"version": 1, "statement": 2}
    assert there.query("SELECT i FROM a") == [(1,)]


def test_a_drop_that_goes_part_of_the_way(there: Database) -> None:
    """MariaDB drops those that are there; MySQL none."""
    done = [A, "CREATE TABLE b (i INT)"]
    message = interrupted(there, *done, "DROP TABLE a, nothing, b")["msg"]
    if isinstance(there.server, MariaDB):
        assert "Statement 3 may have taken effect before it failed. Check what it changes" in message
    else:
        there.write({FILE: text([*done, "DROP TABLE a, b"])})
    if there.server.supported:
        # It is seen that the tables are gone.
        answer: dict[str, int] = {}
    else:
        answer = {"resume_from": 4}
        assert "resume_from: 4 if it did" in there.refusal()
    assert not there.apply(**answer)["failed"]
    assert there.tables() == set()


def test_a_table_without_transactions(there: Database) -> None:
    done = ["CREATE TABLE a (i INT PRIMARY KEY) ENGINE=MyISAM"]
    result = interrupted(there, *done, "INSERT INTO a VALUES (1), (2), (1)")
    answers = "run again with resume_from: 2 if it took no effect, or resume_from: 3 if it did."
    assert (
        f"Statement 2 may have taken effect before it failed. Check what it changes, then {answers}" in (result["msg"])
    )
    assert result["in_doubt"] == {"first": 2, "last": 2}
    assert f"Check what it changes, then {answers}" in there.refusal()


def test_a_section_that_was_interrupted_is_one_question(there: Database) -> None:
    """Nothing can be recorded under LOCK TABLES; message, result, history and status name the same statements."""
    section = ["LOCK TABLES a WRITE", ONE, "KILL CONNECTION_ID()", TWO, "UNLOCK TABLES"]
    interrupted(there, A, *section)
    assert history(there)[-1][3:] == (1, 6)
    assert there.module("info")["msg"].endswith("statement 1 is done, and statements 2 to 6 may have taken effect")
    question = there.apply()
    assert question["msg"] == (
        "1_a.up.sql:2:1: statements 2 to 6 may have run when an earlier run was interrupted, and the server does not "
        "show which of them took effect. Check what statements 2 to 6 change, then run again with resume_from and "
        "the number of the first of them that took no effect, and undo what took effect after it: resume_from: 2 if "
        "none did, resume_from: 7 if all did. Nothing was changed. Statement 2: LOCK TABLES a WRITE (DBM-1911)"
    )
    assert (question["failed"], question["in_doubt"]) == (True, {"first": 2, "last": 6})
    assert there.query("SELECT i FROM a") == [(1,)]
    there.write({FILE: text([A, *section[:2], "SELECT 1", *section[3:]])})
    assert there.apply(resume_from=4)["resumed"] == {"version": 1, "statement": 4}
    assert (there.state(), there.query("SELECT i FROM a")) == ([(1, 0)], [(1,), (2,)])


@pytest.mark.usefixtures("golang_migrate")
def test_golang_migrate_forced_a_version_since(there: Database) -> None:
    there.write({FILE: A, "2_b.up.sql": text(["CREATE TABLE b (i INT)", BAD])})
    assert there.apply()["failed"]
    there.query("DROP TABLE b")
    there.golang("force", "1")
    there.write({"2_b.up.sql": text(["CREATE TABLE b (i INT)", ONE])})
    result = there.apply()
    assert (result["resumed"], result["from_version"], result["failed"]) == (None, 1, False)
    assert [(row[0], row[1], row[2]) for row in history(there)] == [
        (1, "up", "applied"),
        (2, "up", "failed"),
        (2, "up", "applied"),
    ]


def test_our_own_force_since(here: Database) -> None:
    here.write({FILE: A, "2_b.up.sql": text(["CREATE TABLE b (i INT)", BAD])})
    assert here.apply()["failed"]
    here.query("DROP TABLE b")
    here.module("force", version="1")
    here.write({"2_b.up.sql": "CREATE TABLE b (i INT)"})
    result = here.apply()
    assert (result["resumed"], result["failed"]) == (None, False)


@pytest.mark.usefixtures("golang_migrate")
def test_golang_migrate_failed_at_the_same_migration_since(there: Database) -> None:
    """Within the second, if the run had not waited for the next one."""
    wait_for_uptime(there)
    there.write({FILE: A, "2_b.up.sql": text(["CREATE TABLE b (i INT)", BAD])})
    assert there.apply()["failed"]
    there.golang("force", "1")
    assert "already exists" in there.golang("up")
    assert there.state() == [(2, 1)]
    before = there.snapshot(), history(there, "*")
    assert there.refusal() == (
        "The up migration of version 2 was interrupted, and something else has written the state table since, "
        "perhaps golang-migrate, which may have run it again. Check how far it got, then run again with resume_from "
        "and the number of the statement to resume from; or fix the schema manually and set the version that it has "
        "then (module migration_force, playbook dbops.migrations.force). Nothing was changed. (DBM-1914)"
    )
    assert (there.snapshot(), history(there, "*")) == before
    there.write({"2_b.up.sql": text(["CREATE TABLE b (i INT)", ONE])})
    assert not there.apply(resume_from=2)["failed"]


def wait_for_uptime(database: Database) -> None:
    """Wait until the server trusts its own record of who wrote when."""
    while int(database.query("SHOW GLOBAL STATUS LIKE 'Uptime'")[0][1]) < 7:
        time.sleep(0.2)


@pytest.mark.parametrize("cut", ["SLEEP(1)", "INSERT INTO a SELECT SLEEP(1) + 2"])
def test_killed_while_rows_are_written(there: Database, forks: Forks, cut: str) -> None:
    there.write({FILE: text([A, ONE, f"DO {cut}" if cut == "SLEEP(1)" else cut, "INSERT INTO a VALUES (3)"])})
    process = forks.begin("migration_apply", there.arguments("apply", {}))
    wait_for(there, f"info LIKE '%{cut}%'")
    os.kill(process, signal.SIGKILL)
    forks.status()
    assert history(there) == [(1, "up", "running", 2, 2)]
    # The lock is free as soon as the server has seen that nobody is there any more. It carries out what it was sent,
    # and the record that the rows are written was sent along with them.
    resumed = 3 if cut == "SLEEP(1)" else 4
    assert there.apply(lock_timeout=30)["resumed"] == {"version": 1, "statement": resumed}
    rows = [1, 3] if cut == "SLEEP(1)" else [1, 2, 3]
    assert there.query("SELECT i FROM a ORDER BY i") == [(row,) for row in rows]
    assert [row[2] for row in history(there)] == ["interrupted", "applied"]


DEFINITIONS = {
    "ALTER TABLE": ["ALTER TABLE a ADD x INT"],
    "EXECUTE": ["PREPARE s FROM 'ALTER TABLE a ADD x INT'", "EXECUTE s"],
    "CREATE INDEX": ["CREATE INDEX x ON a (i)"],
    "DROP INDEX": ["DROP INDEX y ON a"],
    "DROP TABLE": ["DROP TABLE a"],
    "RENAME TABLE": ["RENAME TABLE a TO c"],
    "ALTER TABLE RENAME": ["ALTER TABLE a RENAME TO c"],
    "TRUNCATE": ["TRUNCATE TABLE a"],
    "TRUNCATE twice": ["TRUNCATE TABLE a", "TRUNCATE TABLE a"],
    "CREATE TRIGGER": ["CREATE TRIGGER x BEFORE INSERT ON a FOR EACH ROW SET NEW.i = 1"],
    "tables that change places": ["RENAME TABLE a TO c, b TO a, c TO b"],
    "CREATE OR REPLACE TABLE": ["CREATE OR REPLACE TABLE a (i INT)"],
}


@pytest.mark.parametrize("carried_out", [True, False], ids=["carried out", "ended"])
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.of_mariadb] if "REPLACE" in name else []) for name in DEFINITIONS]
)
def test_killed_while_a_definition_waits(
    pair: tuple[Database, Database], forks: Forks, name: str, carried_out: bool
) -> None:
    """The server continues when its client is gone, unless the connection is ended there, too."""
    there, straight = pair
    statements = ["INSERT INTO b VALUES (7)", *DEFINITIONS[name], "INSERT INTO b VALUES (8)"]
    made = [A, ONE, "CREATE INDEX y ON a (i)", "CREATE TABLE b (i INT)", "INSERT INTO b VALUES (9)"]
    there.write({FILE: text(made), "2_b.up.sql": text(statements)})
    straight.apply()
    there.apply(target="1")
    with there.server.connect(there.name) as other, other.cursor() as cursor:
        cursor.execute("START TRANSACTION")
        cursor.execute("SELECT * FROM a")
        process = forks.begin("migration_apply", there.arguments("apply", {}))
        [connection] = wait_for(there, "state LIKE '%metadata lock%'")
        os.kill(process, signal.SIGKILL)
        forks.status()
        if not carried_out:
            there.query(f"KILL {connection}")
    wait_for_nobody(there)
    result = there.apply(lock_timeout=30)
    if not there.server.supported:
        # A definition that was interrupted may have taken effect in part.
        number = 3 if name == "EXECUTE" else 2
        assert f"statement {number} was running when an earlier run was interrupted" in result["msg"]
        result = there.apply(resume_from=number + carried_out)
    assert not result["failed"], result["msg"]
    assert there.snapshot() == straight.snapshot()


def wait_for(database: Database, condition: str) -> list[int]:
    """Wait until connections are in a certain state, and return their numbers."""
    question = f"SELECT id FROM information_schema.processlist WHERE db = '{database.name}' AND id <> CONNECTION_ID()"
    deadline = time.monotonic() + 60
    while True:
        found = [number for (number,) in database.query(f"{question} AND {condition}")]
        if found:
            return found
        assert time.monotonic() < deadline
        time.sleep(0.02)


def wait_for_nobody(database: Database) -> None:
    """Wait until nobody else is connected."""
    question = f"SELECT 1 FROM information_schema.processlist WHERE db = '{database.name}' AND id <> CONNECTION_ID()"
    deadline = time.monotonic() + 60
    while database.query(question):
        assert time.monotonic() < deadline
        time.sleep(0.02)
