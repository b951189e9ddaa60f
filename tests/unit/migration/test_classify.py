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
    is_plain_rows,
    reads_diagnostics,
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
        "PREPARE p FROM @a",
        "DEALLOCATE PREPARE p",
        "SAVEPOINT s",
        "RELEASE SAVEPOINT s",
        "ROLLBACK TO s",
        "rollback work to savepoint s",
        "SIGNAL SQLSTATE '45000'",
        "SET NAMES utf8mb4",
        "SET @a = 1",
        "SET ROLE a",
        "SET GLOBAL a = 1, sql_mode = ''",
        "GET DIAGNOSTICS @a = ROW_COUNT",
    ],
    StatementKind.NEXT_TRANSACTION: [
        "SET TRANSACTION ISOLATION LEVEL READ COMMITTED",
        "set transaction read only",
        "SET @@transaction_isolation = 'READ-COMMITTED'",
        "SET @a = 1, @@`tx_read_only` = 1",
    ],
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
        "DO RELEASE_ALL_LOCKS()",
        "LOAD DATA INFILE 'x' INTO TABLE a",
        "SHOW TABLES",
        "DESCRIBE a",
        "EXPLAIN SELECT 1",
        "CHECKSUM TABLE a",
        "SET @a = (SELECT 1)",
        "SET @a = NEXT VALUE FOR s",
        "/*!40000 INSERT INTO a VALUES (1) */",
        "-- x\nINSERT INTO a VALUES (1)",
    ],
    StatementKind.REPEATABLE: [
        "GRANT SELECT ON a.* TO b",
        "GRANT a TO b",
        "ANALYZE TABLE a",
        "ANALYZE LOCAL TABLE a",
        "ANALYZE NO_WRITE_TO_BINLOG TABLE a",
        "OPTIMIZE TABLE a",
        "REPAIR TABLE a",
        "CHECK TABLE a",
        "FLUSH PRIVILEGES",
        "FLUSH TABLES a, b",
        "FLUSH LOCAL BINARY LOGS, STATUS",
        "SET GLOBAL a = 1, @@global.b = -2.5, PERSIST c = 'x'",
        "SET GLOBAL binlog_format = ROW",
        "SET DEFAULT ROLE ALL TO b",
        "ALTER DATABASE CHARACTER SET utf8mb4",
        "ALTER SCHEMA a COLLATE utf8mb4_bin",
    ],
    StatementKind.BEGIN: ["BEGIN", "BEGIN WORK", "START TRANSACTION", "start /* x */ transaction read only"],
    StatementKind.COMMIT: ["COMMIT", "COMMIT AND CHAIN", "ROLLBACK", "ROLLBACK AND CHAIN", "/*! COMMIT */"],
    StatementKind.LOCK: [
        "LOCK TABLES a WRITE",
        "LOCK TABLE a READ",
        "FLUSH TABLES WITH READ LOCK",
        "FLUSH LOCAL TABLES a FOR EXPORT",
        "LOCK INSTANCE FOR BACKUP",
        "BACKUP STAGE START",
        "BACKUP LOCK a",
    ],
    StatementKind.UNLOCK: ["UNLOCK TABLES", "UNLOCK INSTANCE", "BACKUP STAGE END", "BACKUP UNLOCK"],
    StatementKind.XA: ["XA START 'a'", "XA END 'a'", "XA PREPARE 'a'", "xa commit 'a' ONE PHASE", "XA ROLLBACK 'a'"],
    StatementKind.OPAQUE: [
        "CALL p()",
        "EXECUTE p",
        "EXECUTE IMMEDIATE 'DROP TABLE a'",
        "PREPARE p FROM CONCAT('DROP TABLE ', f())",
        "BEGIN NOT ATOMIC DROP TABLE a; END",
        "commit: BEGIN NOT ATOMIC DROP TABLE a; END",
        "`a`: LOOP DROP TABLE a; END LOOP",
        "IF 1 THEN DROP TABLE a; END IF",
        "ANALYZE UPDATE a SET b = 1",
        "ANALYZE FORMAT=JSON DELETE FROM a",
        "EXPLAIN ANALYZE SELECT f()",
        "SELECT 1 INTO OUTFILE 'x'",
        "SELECT 1 into /* x */\ndumpfile 'x'",
        "START SLAVE",
        "REVOKE SELECT ON a.* FROM b",
        "GRANT SELECT ON a.* TO b IDENTIFIED BY 'c'",
        "SET PASSWORD FOR a = 'b'",
        "SET PASSWORD = 'b' RETAIN CURRENT PASSWORD",
        "SET GLOBAL a = @@GLOBAL.a + 10",
        "SET GLOBAL a = (SELECT 1)",
        "SET GLOBAL a = 1 + 1",
        "SET sql_mode = '', PERSIST a = @b",
        "ALTER USER a IDENTIFIED BY 'b'",
        "ALTER DATABASE a UPGRADE DATA DIRECTORY NAME",
        "ALTER DATABASE a READ ONLY = 1",
        "LOAD INDEX INTO CACHE a",
        "FLUSH HOSTS",
        "RENAME USER a TO b",
        "CREATE ROLE a",
        "DROP ROLE a",
        "CREATE SERVER a FOREIGN DATA WRAPPER mysql OPTIONS (HOST 'table')",
        "CREATE TABLESPACE a ADD DATAFILE 'a.ibd'",
        "CREATE SPATIAL REFERENCE SYSTEM 4711 NAME 'a' DEFINITION 'b'",
        "CREATE USER a, b",
        "CREATE FUNCTION f RETURNS STRING SONAME 'f.so'",
        "DROP USER a@b, c@d",
        "DROP DATABASE a",
        "DROP SCHEMA IF EXISTS a",
        "ALTER SEQUENCE a RESTART",
        "ALTER INSTANCE ROTATE INNODB MASTER KEY",
        "ALTER TABLE a EXCHANGE PARTITION p WITH TABLE b",
        "ALTER TABLE a TRUNCATE PARTITION p",
        "ALTER TABLE a DISCARD TABLESPACE",
        "ALTER TABLE a IMPORT TABLESPACE",
        "ALTER TABLE a CONVERT PARTITION p TO TABLE b",
        "KILL 1",
        "INSTALL PLUGIN a SONAME 'b'",
        "HANDLER a OPEN",
        "SET STATEMENT max_statement_time = 1",
        "SET STATEMENT default_storage_engine = MyISAM FOR CREATE TABLE a (i INT)",
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
def test_each_statement_has_its_kind(kind: StatementKind, text: str) -> None:
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
def test_the_objects_that_a_statement_defines(text: str) -> None:
    assert objects(text) == DEFINITIONS[text]


@pytest.mark.parametrize(
    "text", [*sorted(REPLACES), "CREATE OR REPLACE VIEW v AS SELECT 1", "DROP TABLE a", *DEFINITIONS]
)
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
    effect = classify(text.encode(), MARIADB)
    assert effect == Effect(StatementKind.DATA, tuple(Object("TABLE", name) for name in names), verb=verb, plain=True)


@pytest.mark.parametrize(
    ("text", "verb"),
    [
        ("COMMIT", b"COMMIT"),
        ("ROLLBACK", b"ROLLBACK"),
        ("USE a", b"USE"),
        ("PREPARE p FROM @a", b"PREPARE"),
        ("DEALLOCATE PREPARE p", b"DEALLOCATE"),
        ("DROP PREPARE p", b"DEALLOCATE"),
        ("CREATE TABLE a (i INT)", b"CREATE"),
        ("CREATE INDEX i ON a (b)", b"ALTER"),
        ("ALTER TABLE a ADD b INT", b"ALTER"),
        ("DROP INDEX i ON a", b"ALTER"),
        ("DROP TABLE a", b"DROP"),
        ("RENAME TABLE a TO b", b"RENAME"),
        ("TRUNCATE a", b"TRUNCATE"),
        ("SET @a = 1", b"SET"),
        ("XA /* x */ prepare 'a'", b"PREPARE"),
        ("LOCK TABLE a READ", b"TABLES"),
        ("UNLOCK TABLES", b"TABLES"),
        ("LOCK INSTANCE FOR BACKUP", b"INSTANCE"),
        ("INSERT INTO a VALUES (1)", b""),
    ],
)
def test_the_verb_of_a_statement(text: str, verb: bytes) -> None:
    assert classify(text.encode(), MARIADB).verb == verb


PREPARED = [
    ("EXECUTE P", "EXECUTE", "p", ""),
    ("execute `P p` USING @a", "EXECUTE", "p p", ""),
    ("EXECUTE Ä", "EXECUTE", "", ""),
    ("PREPARE P FROM @A", "PREPARE", "p", "@A"),
    ("PREPARE /* x */ `P ``p` -- y\nFROM/* z */'a' 'b'", "PREPARE", "p `p", "'a' 'b'"),
    ("/*!40000 prepare p from 'a' */", "PREPARE", "p", "'a'"),
    ("PREPARE p FROM @`a b`", "PREPARE", "p", "@`a b`"),
    ("PREPARE p FROM CONCAT('a', @b)", "PREPARE", "p", ""),
    ("PREPARE p FROM @a + 1", "PREPARE", "p", ""),
    ("PREPARE ä FROM 'a'", "PREPARE", "", "'a'"),
    ("DEALLOCATE /* x */ PREPARE `P`", "DEALLOCATE", "p", ""),
]


@pytest.mark.parametrize(("text", "verb", "name", "source"), PREPARED)
def test_the_prepared_statement(text: str, verb: str, name: str, source: str) -> None:
    effect = classify(text.encode(), MARIADB)
    assert (effect.verb.decode(), effect.name.decode(), effect.source.decode()) == (verb, name, source)


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
        ("SET GLOBAL a = 1, @@global.b = 2, PERSIST c = 3", StatementKind.REPEATABLE, [b"GLOBAL"] * 3),
        ("SET GLOBAL a = @b, c = 2", StatementKind.OPAQUE, [b"GLOBAL", b"c"]),
        ("SET @@`AutoCommit` = 0", StatementKind.SESSION, [b"autocommit"]),
        ("SET/**/LOCAL autocommit=0", StatementKind.SESSION, [b"autocommit"]),
        ("SET @@session . autocommit = 0", StatementKind.SESSION, [b"autocommit"]),
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
    effect = classify(text.encode(), MARIADB)
    assert (effect.kind, effect.verb, effect.sets) == (kind, b"SET", tuple(sets))


# The tables that are written, what else may be one, and the variables that get a value.
ROWS = [
    ("INSERT INTO a VALUES (1)", "a", "", ""),
    ("INSERT a SET b = 1", "a", "", ""),
    ("INSERT LOW_PRIORITY IGNORE INTO `a`.`b ``c` (x, y) VALUES (1, 2), (3, DEFAULT)", "`a`.`b ``c`", "", ""),
    ("INSERT INTO a(b) VALUES ('it''s', \"x\\\"y\", -1.5e-3, 0x1F, x'41', _utf8mb4'a', NULL, NOW())", "a", "", ""),
    ("INSERT INTO a VALUES (1) ON DUPLICATE KEY UPDATE b = VALUES(b) + 1, c = 2", "a", "b", ""),
    ("INSERT INTO a PARTITION (p0, p1) VALUES (1)", "a", "", ""),
    ("INSERT INTO a (x) SELECT b.y FROM c.b AS z WHERE b.y IN (SELECT q FROM d)", "a", "c.b d", ""),
    ("INSERT INTO a SELECT * FROM b JOIN c ON b.i = c.i, d WHERE e = 1", "a", "b c d", ""),
    ("INSERT INTO a SELECT * FROM b USE INDEX FOR ORDER BY (i), v", "a", "b i v", ""),
    ("INSERT INTO a SELECT * FROM b value, v", "a", "b v", ""),
    ("DELETE QUICK b FROM b x, v y", "QUICK b v", "", ""),
    ("SELECT * FROM LATERAL a, b `c`, `d` e JOIN f", "", "LATERAL a b `d` f", ""),
    ("INSERT INTO a VALUES (@b := 7)", "a", "", "@b"),
    ("INSERT INTO a VALUES (1) RETURNING i", "a", "", ""),
    ("INSERT INTO a TABLE b", "a", "b", ""),
    ("REPLACE a VALUES (1)", "a", "", ""),
    ("UPDATE a SET b = c + 1 WHERE d = 'x'", "a", "", ""),
    ("UPDATE LOW_PRIORITY a.b AS x SET x.c = (SELECT MAX(d) FROM e)", "a.b", "e", ""),
    ("UPDATE a, b JOIN c USING (i) SET a.x = 1", "a b c i", "", ""),
    ("UPDATE a JOIN (SELECT i FROM b WHERE i > 1) c ON a.i = c.i SET x = 1", "a b c", "", ""),
    ("DELETE FROM a WHERE b = 1 ORDER BY c LIMIT 1", "a", "", ""),
    ("DELETE a.*, b FROM a JOIN b ON a.i = b.i WHERE c = 1", "a b", "", ""),
    ("DELETE FROM a USING a JOIN b", "a b", "", ""),
    ("WITH c AS (SELECT i FROM b) UPDATE a JOIN c ON a.i = c.i SET x = 1", "b a c", "", ""),
    ("WITH c AS (SELECT i FROM b) SELECT * FROM c FOR UPDATE", "", "b c", ""),
    ("LOAD DATA LOCAL INFILE 'x' INTO TABLE a (@b, c) SET d = @b", "a", "", "@b"),
    ("SELECT 1, @c INTO /* x */ @a , @`b b`", "", "", "@a @`b b`"),
    ("SELECT @a /* x */ := 1, @@b, @c, @d.e:=2 FROM t", "", "t", "@a @d.e"),
    ("SELECT @ FROM v", "", "v", ""),
    ("(SELECT a FROM b) UNION (SELECT c FROM (d, e))", "", "b d e", ""),
    ("TABLE a", "", "a", ""),
    ("VALUES ROW(1)", "", "", ""),
    ("SELECT a FROM b WHERE c = 'x -- FROM d' /* FROM e */", "", "b", ""),
    ("SELECT EXTRACT(YEAR FROM a), COUNT(*), TRIM(b) FROM c GROUP BY d HAVING e", "", "a c d", ""),
    ("SET @a = (SELECT b FROM c), @d = 1", "", "c", "@a @d"),
    ("EXPLAIN UPDATE a SET b = 1", "a", "", ""),
    ("SELECT CASE WHEN a IN (1, 2) THEN (3) ELSE CAST(b AS DECIMAL(10, 2)) END", "", "", ""),
]


@pytest.mark.parametrize(("text", "writes", "names", "assigns"), ROWS)
def test_the_tables_of_a_statement_about_rows(text: str, writes: str, names: str, assigns: str) -> None:
    effect = classify(text.encode(), MYSQL)
    assert effect.plain
    assert b" ".join(thing.name for thing in effect.writes).decode() == writes
    assert b" ".join(effect.names).decode() == names
    assert b" ".join(effect.assigns).decode() == assigns


@pytest.mark.parametrize(
    "text",
    [
        "INSERT INTO a VALUES (f())",
        "INSERT INTO a VALUES (1), (s.f(1))",
        "INSERT INTO a VALUES (`f`(1))",
        "INSERT INTO a VALUES (5now())",
        "INSERT INTO a VALUES (now ())",
        "INSERT INTO a VALUES (x.now())",
        "INSERT DELAYED INTO a VALUES (1)",
        "LOAD DATA INFILE 'x' INTO TABLE a ALGORITHM=BULK",
        "INSERT INTO .a VALUES (1)",
        "INSERT INTO 'a' VALUES (1)",
        "SELECT COUNT (1)",
        "SELECT f(1) FROM a",
        "SELECT GET_LOCK('a', 1)",
        "DO RELEASE_LOCK('a')",
        "DO RELEASE_ALL_LOCKS()",
        "SELECT NEXTVAL(s)",
        "SELECT NEXT VALUE FOR s",
        "SET @a = NEXT VALUE FOR s",
        "SET @a = f()",
        "SELECT SETVAL(s, 1)",
        "SELECT LASTVAL(s)",
        "SELECT {fn f()}",
        "SELECT 1; DROP TABLE a",
        "UPDATE SET a = 1",
        "SELECT 1 INTO OUTFILE 'x'",
        "CALL p()",
    ],
)
def test_what_is_not_understood_is_not_plain(text: str) -> None:
    for dialect in (MARIADB, MYSQL):
        assert not classify(text.encode(), dialect).plain


def test_a_function_of_one_server_may_be_a_users_on_the_other() -> None:
    text = b"INSERT INTO a VALUES (UUID_TO_BIN('x'))"
    assert [classify(text, dialect).plain for dialect in (MARIADB, MYSQL)] == [False, True]
    text = b"UPDATE a SET b = MD5(c)"
    versions = [MARIADB, MYSQL._replace(version=80400), MYSQL]
    assert [classify(text, dialect).plain for dialect in versions] == [True, True, False]
    text = b"SELECT JSON_OBJECT('a', 1)"
    assert [classify(text, MARIADB._replace(version=version)).plain for version in (100200, 101100)] == [False, True]


def test_double_quotes_may_call_a_function() -> None:
    assert not classify(b"""INSERT INTO a VALUES ("f"(1))""", ANSI).plain
    assert classify(b"""INSERT INTO "a" SELECT "b" FROM "c" """, ANSI).names == (b'"c"',)


def test_rows_may_be_many() -> None:
    row = b"(1, -2.5, 'it''s \\'x\\'', NULL, NOW(), X'4142'),\n"
    text = b"INSERT INTO a (b, c) VALUES " + row * 40_000 + b"(1)"
    assert len(text) > 1 << 20
    effect = classify(text, MARIADB)
    assert (effect.plain, effect.writes) == (True, (Object("TABLE", b"a"),))
    assert classify(text + b" ON DUPLICATE KEY UPDATE b = VALUES(b)", MARIADB).plain
    assert not classify(text + b", (f())", MARIADB).plain
    assert not classify(text.replace(b"NOW()", b"NOX()"), MARIADB).plain


def test_a_text_may_have_many_escapes_and_comments_between() -> None:
    text = b"INSERT INTO a VALUES ('" + b"\\'" * 5_000 + b"'), -- ('x'), f()\n (2), /* f() */ (3)"
    assert classify(text, MARIADB).plain
    assert not classify(text + b", (f())", MARIADB).plain
    assert not classify(text, MARIADB._replace(backslash_escapes=False)).plain


def test_characters_whose_last_byte_is_a_backslash() -> None:
    text = "INSERT INTO a VALUES ('\u8868', f(), ' x')".encode("cp932")
    assert text.count(b"\\") == 1
    for charset, plain in (("cp932", False), ("latin1", True)):
        assert classify(text, MARIADB._replace(character_set=charset)).plain is plain
    text = "INSERT INTO a VALUES ('\u8868'), ('\u8868')".encode("cp932")
    assert classify(text, MARIADB._replace(character_set="cp932")).plain
    # The last byte of this one, in GBK, is a backtick.
    text = b"INSERT INTO `\x81\x60` SELECT i FROM `v` , `\x81\x60`"
    assert classify(text, MARIADB._replace(character_set="gbk")).names == (b"`v`",)


def test_settings_for_one_statement() -> None:
    text = b"SET STATEMENT %b = 1 FOR INSERT INTO a VALUES (1)"
    assert classify(text % b"lock_wait_timeout", MARIADB).plain
    assert not classify(text % b"default_storage_engine", MARIADB).plain
    assert classify(b"SET STATEMENT lock_wait_timeout = 1 FOR SELECT f()", MARIADB).plain is False


# Whether it has done nothing if nothing shows, and whether it has done all if that shows.
SHOWS = [
    ("CREATE TABLE a (i INT, VALUES_ INT COMMENT 'SELECT f()')", True, True),
    ("CREATE TABLE a (i INT) PARTITION BY RANGE (i) (PARTITION p VALUES LESS THAN (1))", True, True),
    ("CREATE TABLE a SELECT 1", True, False),
    ("CREATE TABLE a (i INT) AS SELECT f()", False, False),
    ("CREATE TABLE a TABLE b", True, False),
    ("CREATE TABLE a (i INT) IGNORE VALUES ROW(1)", True, False),
    ("ALTER TABLE a ADD b INT, DROP c, DROP INDEX d, ADD INDEX d (b)", True, True),
    ("ALTER TABLE a DROP COLUMN b, ADD `B` INT", False, True),
    ("ALTER TABLE a DROP b, ADD (b INT)", False, True),
    ("ALTER TABLE a ADD PARTITION (PARTITION p VALUES IN (1))", True, False),
    ("ALTER TABLE a REORGANIZE PARTITION p INTO (PARTITION q VALUES IN (1))", True, False),
    ("ALTER TABLE a REMOVE PARTITIONING", True, False),
    ("CREATE EVENT e ON SCHEDULE AT CURRENT_TIMESTAMP DO DELETE FROM a", False, True),
    ("CREATE EVENT e ON SCHEDULE EVERY 1 DAY ENDS '2030-01-01' DO DELETE FROM a", False, True),
    ("CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO SET @at = 1", True, True),
    ("DROP TABLE a", True, True),
]


@pytest.mark.parametrize(("text", "plain", "whole"), SHOWS)
def test_what_definitions_show(text: str, plain: bool, whole: bool) -> None:
    effect = classify(text.encode(), MYSQL)
    assert effect.kind is StatementKind.DEFINITION
    assert (effect.plain, effect.whole) == (plain, whole)


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
    assert reads_diagnostics(text.encode(), MARIADB) is expected


def test_double_quotes_may_hold_a_name_or_a_text() -> None:
    for dialect in (MARIADB, ANSI):
        assert not reads_diagnostics(b'SELECT "ROW_COUNT()"', dialect)


def test_statements_that_change_rows_by_their_first_word() -> None:
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
