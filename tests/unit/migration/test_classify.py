# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What statements leave behind; the servers have the last word in tests/integration/migration."""

from __future__ import annotations

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._migration.files.lexer import Dialect
from ansible_collections.dbops.migrations.plugins.module_utils._migration.statements.classify import (
    Effect,
    Object,
    StatementKind,
    classify,
    depends,
    is_plain_rows,
)
from hypothesis import given
from hypothesis import strategies as st

MARIADB = Dialect(mariadb=True, version=101119)
MYSQL = Dialect(mariadb=False, version=90700)
ANSI = Dialect(mariadb=True, version=101119, ansi_quotes=True)

KINDS = {
    StatementKind.SESSION: [
        "USE a",
        "PREPARE p FROM 'DROP TABLE a'",
        "DEALLOCATE PREPARE p",
        "SAVEPOINT s",
        "RELEASE SAVEPOINT s",
        "ROLLBACK TO s",
        "rollback work to savepoint s",
        "SIGNAL SQLSTATE '45000'",
        "SET NAMES utf8mb4",
        "SET @a = 1",
        "SET ROLE a",
        "GET DIAGNOSTICS @a = ROW_COUNT",
    ],
    StatementKind.ONCE: ["SET TRANSACTION ISOLATION LEVEL READ COMMITTED", "set transaction read only"],
    StatementKind.DATA: [
        "INSERT INTO a VALUES (1)",
        "insert/* x */into a values (1)",
        "REPLACE INTO a VALUES (1)",
        "UPDATE a SET b = 1",
        "DELETE FROM a",
        "SELECT 1",
        "SELECT 1 INTO @a",
        "(SELECT 1) UNION (SELECT 2)",
        "WITH a AS (SELECT 1) SELECT * FROM a",
        "VALUES (1)",
        "TABLE a",
        "DO SLEEP(1)",
        "LOAD DATA INFILE 'x' INTO TABLE a",
        "SHOW TABLES",
        "DESCRIBE a",
        "EXPLAIN SELECT 1",
        "CHECKSUM TABLE a",
        "SET @a = (SELECT 1)",
        "/*!40000 INSERT INTO a VALUES (1) */",
        "-- x\nINSERT INTO a VALUES (1)",
    ],
    StatementKind.REPEATABLE: [
        "GRANT SELECT ON a.* TO b",
        "ANALYZE TABLE a",
        "ANALYZE LOCAL TABLE a",
        "ANALYZE NO_WRITE_TO_BINLOG TABLE a",
        "OPTIMIZE TABLE a",
        "REPAIR TABLE a",
        "CHECK TABLE a",
        "FLUSH PRIVILEGES",
        "SET PASSWORD FOR a = 'b'",
        "ALTER USER a IDENTIFIED BY 'b'",
        "ALTER DATABASE CHARACTER SET utf8mb4",
        "ALTER SCHEMA a COLLATE utf8mb4_bin",
    ],
    StatementKind.BEGIN: ["BEGIN", "BEGIN WORK", "START TRANSACTION", "start /* x */ transaction read only"],
    StatementKind.COMMIT: ["COMMIT", "COMMIT AND CHAIN", "ROLLBACK", "ROLLBACK AND CHAIN", "/*! COMMIT */"],
    StatementKind.LOCK: [
        "LOCK TABLES a WRITE",
        "LOCK TABLE a READ",
        "FLUSH TABLES WITH READ LOCK",
        "FLUSH TABLES a FOR EXPORT",
        "XA START 'a'",
        "XA END 'a'",
    ],
    StatementKind.UNLOCK: ["UNLOCK TABLES", "XA COMMIT 'a'", "XA ROLLBACK 'a'"],
    StatementKind.OPAQUE: [
        "CALL p()",
        "EXECUTE p",
        "EXECUTE IMMEDIATE 'DROP TABLE a'",
        "BEGIN NOT ATOMIC DROP TABLE a; END",
        "IF 1 THEN DROP TABLE a; END IF",
        "ANALYZE UPDATE a SET b = 1",
        "ANALYZE FORMAT=JSON DELETE FROM a",
        "SELECT 1 INTO OUTFILE 'x'",
        "SELECT 1 into\ndumpfile 'x'",
        "START SLAVE",
        "REVOKE SELECT ON a.* FROM b",
        "RENAME USER a TO b",
        "CREATE ROLE a",
        "DROP ROLE a",
        "CREATE SERVER a FOREIGN DATA WRAPPER mysql OPTIONS (HOST 'table')",
        "CREATE TABLESPACE a ADD DATAFILE 'a.ibd'",
        "CREATE SPATIAL REFERENCE SYSTEM 4711 NAME 'a' DEFINITION 'b'",
        "CREATE USER a, b",
        "DROP USER a@b, c@d",
        "DROP DATABASE a",
        "DROP SCHEMA IF EXISTS a",
        "ALTER SEQUENCE a RESTART",
        "ALTER INSTANCE ROTATE INNODB MASTER KEY",
        "ALTER TABLE a EXCHANGE PARTITION p WITH TABLE b",
        "ALTER TABLE a TRUNCATE PARTITION p",
        "ALTER TABLE a DISCARD TABLESPACE",
        "ALTER TABLE a IMPORT TABLESPACE",
        "LOCK INSTANCE FOR BACKUP",
        "KILL 1",
        "INSTALL PLUGIN a SONAME 'b'",
        "HANDLER a OPEN",
        "SET STATEMENT max_statement_time = 1",
        "CREATE",
        "DROP",
        "ALTER",
        "no such statement",
        "",
        ";",
        "'text'",
    ],
}


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in KINDS.items() for text in texts])
def test_the_kind(kind: StatementKind, text: str) -> None:
    assert classify(text.encode(), MARIADB).kind is kind


# What is worked on, its sort first.
DEFINITIONS = {
    "CREATE TABLE a (i INT)": "TABLE a",
    "create\n\ttable\nif not exists`a`(i INT)": "TABLE `a`",
    "CREATE TABLE a.b LIKE c": "TABLE a.b",
    "CREATE TABLE `a`.`b ``c` (i INT)": "TABLE `a`.`b ``c`",
    "CREATE TABLE a . b (i INT)": "TABLE a . b",
    "CREATE TABLE ä AS SELECT 1": "TABLE ä",
    "CREATE /* TABLE x */ TABLE -- y\n a (i INT)": "TABLE a",
    "/*!40000 CREATE TABLE a (i INT) */": "TABLE a",
    "CREATE /*!40000 TABLE a */ (i INT)": "TABLE a",
    "CREATE TABLE a (i INT COMMENT 'RENAME TO b')": "TABLE a",
    "CREATE VIEW v AS SELECT 1": "TABLE v",
    "CREATE OR REPLACE ALGORITHM=MERGE DEFINER=`a`@`b` SQL SECURITY INVOKER VIEW c.v AS SELECT 1": "TABLE c.v",
    "CREATE DEFINER=user@table VIEW v AS SELECT 1": "TABLE v",
    "CREATE DEFINER=a@table.event.org VIEW v AS SELECT 1": "TABLE v",
    "CREATE SEQUENCE s": "TABLE s",
    "CREATE INDEX i ON a (b)": "TABLE a",
    "CREATE UNIQUE INDEX IF NOT EXISTS i USING BTREE ON a.b (c)": "TABLE a.b",
    "CREATE FULLTEXT INDEX i ON `a` (b)": "TABLE `a`",
    "CREATE PROCEDURE p() SELECT 1": "PROCEDURE p",
    "CREATE DEFINER=CURRENT_USER() PROCEDURE a.p() BEGIN DROP TABLE b; END": "PROCEDURE a.p",
    "CREATE AGGREGATE FUNCTION IF NOT EXISTS f() RETURNS INT RETURN 1": "FUNCTION f",
    "CREATE /*!50017 DEFINER=`a`@`%`*/ /*!50003 TRIGGER t BEFORE INSERT ON a FOR EACH ROW SET @a = 1 */": "TRIGGER t",
    "CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO TRUNCATE TABLE a": "EVENT e",
    "CREATE PACKAGE p AS END": "PACKAGE p",
    "CREATE OR REPLACE PACKAGE BODY p AS END": "PACKAGE BODY p",
    "CREATE DATABASE IF NOT EXISTS a": "DATABASE a",
    "CREATE SCHEMA a": "DATABASE a",
    "CREATE USER IF NOT EXISTS 'a'@'%' IDENTIFIED BY 'b,c'": "USER 'a'@'%'",
    "CREATE USER a": "USER a",
    "ALTER TABLE a ADD b INT, ADD c INT": "TABLE a",
    "ALTER ONLINE IGNORE TABLE IF EXISTS a.b DROP c": "TABLE a.b",
    "ALTER TABLE a RENAME COLUMN b TO c, RENAME INDEX d TO e": "TABLE a",
    "ALTER TABLE a ADD `RENAME` INT": "TABLE a",
    "ALTER TABLE a RENAME b": "TABLE a, TABLE b",
    "ALTER TABLE a ADD c INT, RENAME TO `x`.b": "TABLE a, TABLE `x`.b",
    "ALTER TABLE a RENAME AS b, ALGORITHM=INPLACE": "TABLE a, TABLE b",
    "ALTER EVENT e RENAME TO f": "EVENT e, EVENT f",
    "ALTER VIEW v AS SELECT 1": "TABLE v",
    "ALTER PROCEDURE p COMMENT 'x'": "PROCEDURE p",
    "DROP TABLE a": "TABLE a",
    "DROP TABLES IF EXISTS a, `b`.c , d RESTRICT": "TABLE a, TABLE `b`.c, TABLE d",
    "DROP VIEW a, b": "TABLE a, TABLE b",
    "DROP INDEX i ON a": "TABLE a",
    "DROP INDEX IF EXISTS i ON a.b ALGORITHM=COPY": "TABLE a.b",
    "DROP TRIGGER IF EXISTS a.t": "TRIGGER a.t",
    "DROP PACKAGE BODY IF EXISTS p": "PACKAGE BODY p",
    "DROP USER IF EXISTS a@localhost": "USER a@localhost",
    "RENAME TABLE a TO b": "TABLE a, TABLE b",
    "RENAME TABLES a TO b.c, d TO e": "TABLE a, TABLE b.c, TABLE d, TABLE e",
    "TRUNCATE a": "TABLE a",
    "TRUNCATE TABLE a.b": "TABLE a.b",
    "SET STATEMENT max_statement_time = 1, sql_mode = 'for' FOR ALTER TABLE a ADD b INT": "TABLE a",
}
REPLACES = {
    "TRUNCATE a",
    "CREATE OR REPLACE TABLE a (i INT)",
    "CREATE OR REPLACE SEQUENCE a",
    "RENAME TABLE a TO c, b TO a, c TO b",
}


def objects(text: str, dialect: Dialect = MARIADB) -> str:
    effect = classify(text.encode(), dialect)
    assert effect.kind is StatementKind.DEFINITION
    return ", ".join(f"{thing.sort} {thing.name.decode()}" for thing in effect.objects)


@pytest.mark.parametrize("text", DEFINITIONS)
def test_the_objects(text: str) -> None:
    assert objects(text) == DEFINITIONS[text]


@pytest.mark.parametrize("text", [*REPLACES, "CREATE OR REPLACE VIEW v AS SELECT 1", "DROP TABLE a", *DEFINITIONS])
def test_what_replaces_rows(text: str) -> None:
    expected = text in REPLACES or text.startswith("TRUNCATE")
    assert classify(text.encode(), MARIADB).replaces is expected


def test_tables_that_change_places_are_named_once() -> None:
    assert objects("RENAME TABLE a TO c, b TO a, c TO b") == "TABLE a, TABLE c, TABLE b"


@pytest.mark.parametrize("wait", ["WAIT 5", "NOWAIT"])
def test_renaming_that_does_not_wait(wait: str) -> None:
    assert objects(f"RENAME TABLE a {wait} TO c, b TO a") == "TABLE a, TABLE c, TABLE b"


def test_names_in_double_quotes() -> None:
    assert objects('DROP TABLE "a;""b"."c", "d"', ANSI) == 'TABLE "a;""b"."c", TABLE "d"'


def test_a_comment_for_the_other_server_is_none_of_ours() -> None:
    text = b"/*M!100100 DROP TABLE a */"
    assert classify(text, MARIADB).kind is StatementKind.DEFINITION
    assert classify(text, MYSQL).kind is StatementKind.OPAQUE
    text = b"CREATE TABLE /*!80000 IF NOT EXISTS a */ /*M! b */ (i INT)"
    assert [classify(text, dialect).objects for dialect in (MARIADB, MYSQL)] == [
        (Object("TABLE", b"b"),),
        (Object("TABLE", b"a"),),
    ]


@pytest.mark.parametrize(
    ("text", "verb", "names"),
    [
        ("CREATE TEMPORARY TABLE IF NOT EXISTS a (i INT)", b"CREATE TEMPORARY", [b"a"]),
        ("CREATE OR REPLACE TEMPORARY TABLE a.b (i INT)", b"CREATE TEMPORARY", [b"a.b"]),
        ("DROP TEMPORARY TABLE IF EXISTS a, b", b"DROP", [b"a", b"b"]),
    ],
)
def test_temporary_tables(text: str, verb: bytes, names: list[bytes]) -> None:
    expected = Effect(StatementKind.DATA, tuple(Object("TABLE", name) for name in names), verb=verb)
    assert classify(text.encode(), MARIADB) == expected


@pytest.mark.parametrize(
    ("text", "verb"),
    [
        ("COMMIT", b"COMMIT"),
        ("ROLLBACK", b"ROLLBACK"),
        ("USE a", b"USE"),
        ("PREPARE p FROM @a", b"PREPARE"),
        ("DEALLOCATE PREPARE p", b"DEALLOCATE"),
        ("DROP PREPARE p", b"DEALLOCATE"),
        ("DROP TABLE a", b"DROP"),
        ("SET @a = 1", b"SET"),
        ("INSERT INTO a VALUES (1)", b""),
    ],
)
def test_the_verb(text: str, verb: bytes) -> None:
    assert classify(text.encode(), MARIADB).verb == verb


@pytest.mark.parametrize(("text", "name"), [("EXECUTE P", b"p"), ("execute `P p` USING @a", b"p p")])
def test_the_prepared_statement(text: str, name: bytes) -> None:
    assert classify(text.encode(), MARIADB) == Effect(StatementKind.OPAQUE, verb=b"EXECUTE", name=name)


@pytest.mark.parametrize(
    ("text", "kind", "sets"),
    [
        ("SET NAMES utf8mb4", StatementKind.SESSION, [b"names"]),
        ("SET sql_mode = ''", StatementKind.SESSION, [b"sql_mode"]),
        ("set SQL_MODE=DEFAULT", StatementKind.SESSION, [b"sql_mode"]),
        (
            "SET SESSION sql_mode = '', LOCAL foreign_key_checks = 0",
            StatementKind.SESSION,
            [b"sql_mode", b"foreign_key_checks"],
        ),
        ("SET @@sql_mode = '', @@session.a = 1, @@LOCAL . b = 2", StatementKind.SESSION, [b"sql_mode", b"a", b"b"]),
        ("SET GLOBAL a = 1, @@global.b = 2, PERSIST c = 3", StatementKind.SESSION, [b"GLOBAL"] * 3),
        ("SET @a = 1, @B := 'x, @c = 1', @`d e` = 2", StatementKind.SESSION, [b"@a", b"@B", b"@`d e`"]),
        ("SET @a.b = 1, @'c' = 2", StatementKind.SESSION, [b"@a.b", b"@'c'"]),
        ("SET @a = @b + 1", StatementKind.SESSION, [b"@a"]),
        ("SET @a = CONCAT(1, 2), b = 3", StatementKind.DATA, [b"@a", b"b"]),
        ("SET a = (SELECT MAX(b) FROM c)", StatementKind.DATA, [b"a"]),
        ("/*!40101 SET @old = @@sql_mode, sql_mode = '' */", StatementKind.SESSION, [b"@old", b"sql_mode"]),
        ("SET SESSION TRANSACTION READ ONLY", StatementKind.SESSION, [b"transaction"]),
        ("SET STATEMENT sql_mode = '' FOR SET @a = 1", StatementKind.SESSION, [b"@a"]),
    ],
)
def test_what_is_set(text: str, kind: StatementKind, sets: list[bytes]) -> None:
    assert classify(text.encode(), MARIADB) == Effect(kind, verb=b"SET", sets=tuple(sets))


@pytest.mark.parametrize("text", ["SET DEFAULT ROLE a FOR b", "SET DEFAULT ROLE ALL TO b"])
def test_a_default_role_is_no_setting_of_the_session(text: str) -> None:
    assert classify(text.encode(), MYSQL).kind in (StatementKind.REPEATABLE, StatementKind.OPAQUE)


def test_loading_an_index_is_not_loading_rows() -> None:
    assert classify(b"LOAD INDEX INTO CACHE a", MARIADB).kind in (StatementKind.REPEATABLE, StatementKind.OPAQUE)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT ROW_COUNT()", True),
        ("INSERT INTO a SELECT found_rows ( )", True),
        ("SET @a = @@warning_count", True),
        ("SHOW COUNT(*) ERRORS", True),
        ("SHOW WARNINGS LIMIT 1", True),
        ("GET CURRENT DIAGNOSTICS @a = NUMBER", True),
        ("/*!40000 SELECT ROW_COUNT() */", True),
        ("SELECT 1", False),
        ("SELECT `row_count` FROM a", False),
        ("SELECT 'ROW_COUNT()'", False),
        ("SELECT 1 -- ROW_COUNT()", False),
        ("SELECT 1 /* SHOW WARNINGS */", False),
        ("SELECT my_row_count()", False),
    ],
)
def test_what_asks_about_the_statement_before(text: str, expected: bool) -> None:
    assert depends(text.encode(), MARIADB) is expected


def test_double_quotes_may_hold_a_name_or_a_text() -> None:
    for dialect in (MARIADB, ANSI):
        assert not depends(b'SELECT "ROW_COUNT()"', dialect)


def test_plain_rows() -> None:
    for word in (b"insert ", b"UPDATE\n", b"Delete\t", b"REPLACE  "):
        assert is_plain_rows(word + b"x")
    for text in (b"insert", b"SELECT 1", b"INSERTED x", b"/*!40000 INSERT */"):
        assert not is_plain_rows(text)


STATEMENT = """
CREATE ALTER DROP RENAME TABLE VIEW USER INDEX ON SET STATEMENT FOR @ @@ GLOBAL SESSION . , ( ) = := a `b` 'c' "d" /* */
/*! /*M! -- # IF EXISTS NOT TO TEMPORARY EXECUTE TRUNCATE ANALYZE ROLLBACK FLUSH PACKAGE BODY
"""
WORDS = st.sampled_from(STATEMENT.split())


@given(st.lists(WORDS, max_size=12).map(" ".join) | st.binary(max_size=40).map(lambda data: data.decode("latin-1")))
def test_no_text_is_too_odd(text: str) -> None:
    for dialect in (MARIADB, MYSQL, ANSI):
        effect = classify(text.encode("latin-1"), dialect)
        assert effect.kind is not StatementKind.DEFINITION or effect.objects
        assert all(thing.name in text.encode("latin-1") for thing in effect.objects)
