# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where statements begin and end; the server has the last word in tests/integration/migration."""

from __future__ import annotations

from io import BytesIO

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._migration.files import splitter as script_module
from ansible_collections.dbops.migrations.plugins.module_utils._migration.files.lexer import Dialect
from ansible_collections.dbops.migrations.plugins.module_utils._migration.files.splitter import Splitter, Statement
from hypothesis import given
from hypothesis import strategies as st

MARIADB = Dialect(mariadb=True, version=101119)
MYSQL = Dialect(mariadb=False, version=90700)


def split(text: bytes, dialect: Dialect = MARIADB) -> list[bytes]:
    return [statement.text.strip() for statement in Splitter(BytesIO(text), dialect).statements()]


def notes(text: bytes) -> list[tuple[int, str]]:
    script = Splitter(BytesIO(text), MARIADB)
    list(script.statements())
    return [(note.line, note.text) for note in script.notes]


@pytest.mark.parametrize(
    "whole",
    [
        rb"SELECT ';'",
        rb"SELECT 'it''s;'",
        rb"SELECT 'a\';'",
        rb'SELECT "a\";"',
        rb"SELECT 'a\\', ';', 'b\\\';', '\'', ';'",
        b"INSERT INTO t VALUES ('a;')" + b", ('a;')" * 1000,
        rb"INSERT INTO t VALUES ('" + rb"a;\'" * 1000 + b"')",
        rb'SELECT "a"";"',
        rb"SELECT `a``;`",
        b"SELECT 1 -- ;\n + 1",
        b"SELECT 1 # ;\n + 1",
        b"SELECT 1 --\t;\n + 1",
        b"SELECT /* ; */ 1",
        b"SELECT /*+ NO_INDEX_MERGE(t) ; */ 1",
        b"SELECT 1--1",
        b"CREATE PROCEDURE p() BEGIN SELECT 1; SELECT 2; END",
        b"CREATE PROCEDURE p() COMMENT 'x;' LANGUAGE SQL NOT DETERMINISTIC SQL SECURITY INVOKER BEGIN SELECT 1; END",
        b"CREATE PROCEDURE p(a INT, b DECIMAL(1,1)) l1: BEGIN l2: LOOP LEAVE l2; END LOOP l2; END l1",
        b"CREATE PROCEDURE p() `l`: LOOP LEAVE `l`; END LOOP `l`",
        b"CREATE PROCEDURE IF NOT EXISTS p() "
        b"BEGIN IF 1 THEN SELECT 1; ELSEIF 2 THEN SELECT 2; ELSE SELECT 3; END IF; END",
        b"CREATE PROCEDURE p() BEGIN CASE 1 WHEN 1 THEN SELECT 1; ELSE BEGIN END; END CASE; SELECT 2; END",
        b"CREATE PROCEDURE p() BEGIN SELECT CASE WHEN 1 THEN 2 END, IF(1, 2, 3), REPEAT('x', 2); SELECT 1; END",
        b"CREATE PROCEDURE p() BEGIN SELECT end, t.end, begin FROM t; SELECT CASE WHEN end THEN end ELSE 1 END; END",
        b"CREATE PROCEDURE p() BEGIN SELECT CASE WHEN 1 THEN @end END; SELECT CASE WHEN 1 THEN @ END; SELECT 1; END",
        b"CREATE PROCEDURE p() BEGIN REPEAT SET @a = 1; UNTIL @a > 1 END REPEAT; SELECT 1; END",
        b"CREATE PROCEDURE p() BEGIN WHILE 1 DO SELECT 1; END WHILE; SELECT 1; END",
        b"CREATE PROCEDURE p() WHILE 1 DO SELECT 1; END WHILE",
        b"CREATE PROCEDURE p() BEGIN DECLARE x INT DEFAULT 1; DECLARE c CURSOR FOR SELECT 1; "
        b"DECLARE EXIT HANDLER FOR NOT FOUND, SQLSTATE VALUE '23000', 1062 BEGIN SELECT 1; END; SELECT 2; END",
        b"CREATE PROCEDURE p() BEGIN DECLARE CONTINUE HANDLER FOR SQLEXCEPTION SET @a = 1; SELECT 2; END",
        b"CREATE DEFINER=`a`@`b` FUNCTION f(x INT) RETURNS VARCHAR(9) CHARSET utf8mb4 COLLATE utf8mb4_bin "
        b"DETERMINISTIC BEGIN RETURN 1; END",
        b"CREATE DEFINER=root@localhost FUNCTION f() RETURNS INT UNSIGNED NO SQL IF 1 THEN RETURN 1; END IF",
        b"CREATE DEFINER=CURRENT_USER() TRIGGER t BEFORE INSERT ON a FOR EACH ROW FOLLOWS b BEGIN SET @a = 1; END",
        b"CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW IF NEW.a THEN SET NEW.b = 1; END IF",
        b"CREATE EVENT IF NOT EXISTS e ON SCHEDULE EVERY 1 DAY COMMENT 'do' DO BEGIN SELECT 1; SELECT 2; END",
        b"ALTER EVENT e ON SCHEDULE EVERY 1 DAY DO BEGIN SELECT 1; END",
        b"create /* x */ procedure p() begin /* end; */ select 1; -- end;\n end",
        b"/*!50003 CREATE PROCEDURE p() BEGIN SELECT 1; END */",
        b"BEGIN NOT ATOMIC IF 1 THEN SELECT 1; END IF; SELECT 2; END",
        b"IF 1 THEN SELECT 1; END IF",
        b"FOR i IN 1..2 DO SELECT i; END FOR",
        b"CREATE PROCEDURE p() BEGIN IF 1 THEN /* x */ -- END\n BEGIN END; ELSE # END;\n SELECT 1; END IF; END",
        b"CREATE PROCEDURE p() BEGIN IF 1 THEN /*!40000 BEGIN */ SELECT 1; END; END IF; END",
        b"CREATE PROCEDURE p() BEGIN SELECT 1; l1: LOOP SELECT 'END'; LEAVE l1; END LOOP l1; END",
        b"CREATE PROCEDURE p() BEGIN SELECT 1" + b", a.end, 'x;'" * 1000 + b"; SELECT 2; /* END; */ END",
        b"CREATE PROCEDURE p() BEGIN FOR i IN 1..2 DO SELECT i; END FOR; END",
    ],
)
def test_one_statement_stays_one(whole: bytes) -> None:
    assert split(whole + b"\n; SELECT 'next';") == [whole, b"SELECT 'next'"]


@pytest.mark.parametrize(
    "parts",
    [
        [b"BEGIN", b"INSERT INTO t VALUES (1)", b"COMMIT"],
        [b"CREATE TABLE t (begin INT, end INT)", b"SELECT 1"],
        [b"CREATE PROCEDURE p() DROP TABLE IF EXISTS t", b"SELECT 1"],
        [b"CREATE PROCEDURE p() SELECT IF(1, 2, 3)", b"SELECT 1"],
        [b"CREATE FUNCTION f() RETURNS INT RETURN CASE 1 WHEN 1 THEN 2 END", b"SELECT 1"],
        [b"CREATE FUNCTION f RETURNS STRING SONAME 'f.so'", b"SELECT 1"],
        [b"CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW SET NEW.a = 1", b"SELECT 1"],
        [b"CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO SELECT 1", b"SELECT 1"],
        [b"ALTER EVENT e RENAME TO f", b"SELECT 1"],
        [b"CREATE VIEW v AS SELECT 1", b"ALTER TABLE t ADD begin INT", b"SELECT 1"],
        [b"DROP PROCEDURE IF EXISTS p", b"SELECT 1"],
    ],
)
def test_simple_statements_are_told_apart(parts: list[bytes]) -> None:
    assert split(b";\n".join(parts)) == parts


def test_delimiter() -> None:
    text = b"delimiter //\nSELECT 1; SELECT '//' //\nDELIMITER $$\nSELECT 2$$ SELECT 3 $$\n  DELIMITER ;\nSELECT 4;"
    assert split(text) == [b"SELECT 1", b"SELECT '//'", b"SELECT 2", b"SELECT 3", b"SELECT 4"]


def test_places_are_counted_in_lines_and_characters() -> None:
    text = "\ufeff-- ä\n/* x\n */ SELECT 1;  SELECT 'ä\n'; SELECT 3;\r\n\r\n  CREATE TABLE t (a INT);".encode()
    places = [(item.number, item.line, item.column) for item in Splitter(BytesIO(text), MARIADB).statements()]
    assert places == [(1, 3, 5), (2, 3, 16), (3, 4, 4), (4, 6, 3)]


def test_places_of_statements_that_each_start_a_line() -> None:
    text = b"SELECT 1;\nSELECT '\n;\n';\r\n\n\nSELECT\n3;\nSELECT 4; SELECT 5;\n SELECT 6;\nSELECT 7;" + b"\n" * 20
    places = [(item.number, item.line, item.column) for item in Splitter(BytesIO(text), MARIADB).statements()]
    assert places == [(1, 1, 1), (2, 2, 1), (3, 7, 1), (4, 9, 1), (5, 9, 11), (6, 10, 2), (7, 11, 1)]


def test_executable_comments_depend_on_the_server() -> None:
    text = b"/*!50003 SELECT 1; */ /*M!100100 SELECT 2; */ /*!999999 SELECT 3; */ SELECT 4;"
    assert split(text, MARIADB) == [
        b"/*!50003 SELECT 1",
        b"*/ /*M!100100 SELECT 2",
        b"*/ /*!999999 SELECT 3; */ SELECT 4",
    ]
    assert split(text, MYSQL) == [b"/*!50003 SELECT 1", b"*/ /*M!100100 SELECT 2; */ /*!999999 SELECT 3; */ SELECT 4"]


def test_mariadb_leaves_mysqls_versions_alone() -> None:
    text = b"/*!80000 SELECT 1; */ SELECT 2;"
    assert split(text, MARIADB) == [b"SELECT 2"]
    assert split(text, MYSQL) == [b"/*!80000 SELECT 1", b"*/ SELECT 2"]


def test_sql_modes_change_what_a_quote_is() -> None:
    text = rb"SELECT '\'; SELECT 2;"
    assert split(text, Dialect(backslash_escapes=False)) == [rb"SELECT '\'", b"SELECT 2"]
    assert split(rb'SELECT "\"; SELECT 2;', Dialect(ansi_quotes=True)) == [rb'SELECT "\"', b"SELECT 2"]


def test_the_dialect_may_change_between_statements() -> None:
    script = Splitter(BytesIO(rb"SET sql_mode = 'x'; SELECT '\'; SELECT 2;"), MARIADB)
    found = []
    for statement in script.statements():
        found.append(statement.text)
        script.dialect = Dialect(backslash_escapes=False)
    assert found == [b"SET sql_mode = 'x'", rb"SELECT '\'", b"SELECT 2"]


def test_mysql_quotes_javascript_with_dollars() -> None:
    whole = b"CREATE FUNCTION f() RETURNS INT LANGUAGE JAVASCRIPT AS $js$ let a = 1; return a; $js$"
    assert split(whole + b"; SELECT 1", MYSQL) == [whole, b"SELECT 1"]


@pytest.mark.parametrize("text", [b"SELECT 'x; SELECT 2;", b"SELECT `x; SELECT 2;", b"/* x; SELECT 2;"])
def test_what_is_not_closed_goes_to_the_server_as_it_is(text: bytes) -> None:
    assert split(text) == [text]


@pytest.mark.parametrize("text", [b"", b" \n", b";", b";;\n;"])
def test_a_file_of_nothing_is_noted(text: bytes) -> None:
    assert split(text) == []
    assert "is empty" in [note for _line, note in notes(text)]


@pytest.mark.parametrize(
    "text", [b"-- x\n", b"/* x */", b"SELECT 1;;", b"SELECT 1;\n; ;", b"SELECT 1; -- x", b"-- x\n;"]
)
def test_what_golang_migrate_can_run_has_no_note(text: bytes) -> None:
    assert notes(text) == []


def test_what_golang_migrate_cannot_run_is_noted_with_its_line() -> None:
    assert notes(b"\xef\xbb\xbfSELECT 1") == [(1, "starts with a byte order mark")]
    assert notes(b"SELECT 1;\n;\nSELECT 2") == [(2, "has an empty statement before another one")]
    assert notes(b"\nDELIMITER //\nSELECT 1//\nDELIMITER ;") == [(2, "uses DELIMITER, a command of the mysql client")]


@given(st.lists(st.text(st.characters(exclude_characters=";'\"`#-/*$", exclude_categories=["Cs"]), min_size=1)))
def test_plain_words_are_cut_at_semicolons_and_nowhere_else(words: list[str]) -> None:
    marked = [f"x{word}x".encode() for word in words]
    assert split(b";".join(marked)) == [word.strip() for word in marked]


@given(st.binary(max_size=80))
def test_any_bytes_are_read_to_their_end(text: bytes) -> None:
    statements: list[Statement] = list(Splitter(BytesIO(text), MARIADB).statements())
    assert [statement.number for statement in statements] == list(range(1, len(statements) + 1))
    assert all(statement.text in text for statement in statements)


HARD = st.sampled_from(
    [
        b"SELECT 'a;''\\';' -- x;\n",
        b"/*!50003 SET @a=1 */",
        b"/*!999999 ; /* ; */ */",
        b"CREATE PROCEDURE p() BEGIN IF 1 THEN SELECT 1; END IF; END",
        b"INSERT INTO t VALUES ('x;y', 1)",
        b"DELIMITER //\n",
        b"\nDELIMITER ;\n",
        b"\xc3\xa4",
        *b"; ' \\ -- // /* */ \" ` BEGIN x: END SELECT".split(),
        *(b" ", b"\n", b"# ;\n", b'"a;"', b"`;`"),
    ]
)


@given(st.lists(HARD, max_size=30).map(b"".join), st.integers(1, 64))
def test_it_does_not_matter_how_much_is_read_at_once(text: bytes, chunk: int) -> None:
    def run() -> tuple[list[Statement], list[tuple[int, str]]]:
        return list(Splitter(BytesIO(text), MARIADB).statements()), notes(text)

    whole = run()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(script_module, "_CHUNK", chunk)
        assert run() == whole


def test_a_string_of_many_escapes() -> None:
    text = b"INSERT INTO t VALUES ('" + rb"\0''" * 100_000 + b"'); SELECT 2;"
    assert [len(part) for part in split(text)] == [len(text) - 11, 8]


def test_many_strings_with_escapes() -> None:
    row = rb"('a;\'b', '\n', 'c\\', 'd\\\';''', '\\\\\'')"
    whole = b"INSERT INTO t VALUES " + b",".join([row] * 1000)
    assert split(b"SELECT 1;\n" + whole + b";\nSELECT 2;") == [b"SELECT 1", whole, b"SELECT 2"]
