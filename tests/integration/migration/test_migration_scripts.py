# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One script, two schemas: golang-migrate runs it on one, we on the other, and both must end up the same."""

from __future__ import annotations

import re

import pytest
from integration.migration.support import Database

# Both tools must give the same schema, the same rows, the same state and the same first error.
SAME = {
    "ordinary": b"CREATE TABLE a (b INT); INSERT INTO a VALUES (1);",
    "crlf": b"CREATE TABLE a (b INT);\r\nINSERT INTO a VALUES (1);\r\n",
    "no last semicolon": b"CREATE TABLE a (b INT);\nINSERT INTO a VALUES (1)\n",
    "semicolons at the end": b"CREATE TABLE a (b INT);;\n ;",
    "only comments": b"-- nothing\n/* here */",
    "comment and semicolon": b"-- nothing\n;",
    "comment at the end": b"CREATE TABLE a (b INT); -- done\n# really\n/* so */",
    "quotes": rb"""CREATE TABLE a (b TEXT COMMENT 'x;y');
    INSERT INTO a VALUES ('it''s; \' \\'), ("a;""\""), ('--;'), ('/*;');""",
    "backticks": b"CREATE TABLE `a``;b` (`c;` INT); INSERT INTO `a``;b` VALUES (1);",
    "comments everywhere": b"CREATE /* ; */ TABLE -- ;\n a # ;\n (b INT /* ' */); INSERT INTO a VALUES (1--1);",
    "utf-8": "CREATE TABLE a (b TEXT); INSERT INTO a VALUES ('ä€😀;'); -- ü;".encode(),
    "connection settings": b"CREATE TABLE a AS SELECT @@collation_connection c, @@character_set_client d, "
    b"@@character_set_results e, @@sql_mode f, @@autocommit g, @@time_zone h, 'x' i, @@transaction_isolation j;",
    "view": b"CREATE VIEW v AS SELECT 'x' /* c */ AS a;",
    "procedure": b"CREATE PROCEDURE p(IN n INT) BEGIN /* ; */ IF n > 1 THEN SELECT 'END;'; END IF; "
    b"l: LOOP LEAVE l; END LOOP; SELECT CASE n WHEN 1 THEN 2 END; END; CREATE TABLE a (b INT);",
    "several results": b"CREATE PROCEDURE p() BEGIN SELECT 1; SELECT 2; END; CALL p(); CREATE TABLE a (b INT);",
    "function": b"CREATE FUNCTION f(n INT) RETURNS INT NO SQL RETURN IF(n, 1, 2);\nCREATE TABLE a AS SELECT f(1);",
    "function at the end": b"CREATE TABLE a (b INT);\nCREATE FUNCTION f() RETURNS INT NO SQL RETURN 1; \n;",
    "function and comment": b"CREATE FUNCTION f() RETURNS INT NO SQL RETURN 1; -- done",
    "function in a comment": b"/*!50003 CREATE FUNCTION f() RETURNS INT NO SQL RETURN 1 */; SELECT 1;",
    "triggers": b"CREATE TABLE a (b INT); CREATE TRIGGER t1 BEFORE INSERT ON a FOR EACH ROW SET NEW.b = NEW.b + 1; "
    b"CREATE TRIGGER t2 AFTER INSERT ON a FOR EACH ROW BEGIN IF NEW.b THEN SET @x = 1; END IF; END; "
    b"CREATE TRIGGER t3 AFTER UPDATE ON a FOR EACH ROW SET @x = 1 -- tail;\n; INSERT INTO a VALUES (1);",
    "event": b"CREATE EVENT e ON SCHEDULE EVERY 1 DAY STARTS '2035-01-01 00:00:00' DO BEGIN SELECT 1; SELECT 2; END;"
    b"CREATE EVENT f ON SCHEDULE EVERY 1 DAY STARTS '2035-01-01 00:00:00' DO SELECT 3;"
    b"ALTER EVENT e DO SELECT 4; SELECT 1",
    "executable comments": b"/*!40101 SET @a = 1 */; /*!50003 CREATE TABLE z (a INT) */;CREATE /*! TABLE */ y (a INT)",
    "skipped comments": b"/*!999999 nonsense ; */ CREATE TABLE c (b INT);",
    "comment of MariaDB": b"CREATE TABLE c (b INT) /*M!100100 COMMENT 'maria' */;",
    "comment of MySQL 8": b"CREATE TABLE c (b INT) /*!80000 COMMENT 'mysql' */;",
    "hints": b"CREATE TABLE a AS SELECT /*+ NO_INDEX_MERGE(x) ; */ 1 AS b;",
    "backslash mode": rb"SET sql_mode = 'NO_BACKSLASH_ESCAPES'; CREATE TABLE a AS SELECT '\\' b; SELECT '';",
    "quotes that are names": b"SET SQL_MODE = 'ANSI'; CREATE TABLE \"a\\\" (b INT); INSERT INTO \"a\\\" VALUES (';');",
    "cp932": b"SET NAMES cp932; CREATE TABLE a (b VARCHAR(9) CHARACTER SET cp932, c TEXT);\n"
    b"INSERT INTO a VALUES ('\x91\xe3\x95\\', 'x;y'); INSERT INTO a VALUES ('\x8b@\x94\\', ';'); SELECT 1 AS \x83\\;",
    "gbk": b"SET NAMES gbk; CREATE TABLE a (b VARCHAR(9) CHARACTER SET gbk, c TEXT); "
    b"INSERT INTO a VALUES ('\xd5\\', ';');",
    "big5": b"SET NAMES big5; CREATE TABLE a (b VARCHAR(9) CHARACTER SET big5, `\xa5`` TEXT); "
    b"INSERT INTO a VALUES ('\xa5\\', ';');",
    "gb18030": b"SET NAMES gb18030; CREATE TABLE a (b TEXT, c TEXT); INSERT INTO a VALUES ('\x810\x810\xd5\\', ';');",
    "latin-1": b"SET NAMES latin1; CREATE TABLE a (b TEXT);\xa0INSERT INTO a\xa0VALUES ('\xe4\xf6;');",
    "character set of a routine": b"SET NAMES gbk; CREATE FUNCTION f() RETURNS VARCHAR(9) CHARSET gbk RETURN '\xd5\\'; "
    b"SET NAMES utf8mb4; CREATE TABLE a AS SELECT f();",
    "set statement": b"SET STATEMENT sql_mode = '' FOR CREATE PROCEDURE p() BEGIN SELECT 1; SELECT 2; END;\n"
    b"CREATE TABLE a (b INT);",
    "oracle mode": b"CREATE TABLE a (b INT); SET sql_mode = 'ORACLE'; CREATE PROCEDURE p AS BEGIN NULL; NULL; END; "
    b"INSERT INTO a VALUES (1); INSERT INTO a VALUES (2);",
    "second statement fails": b"CREATE TABLE a (b INT); CREATE TABLE a (b INT); CREATE TABLE z (b INT);",
    "duplicate row": b"CREATE TABLE a (b INT PRIMARY KEY); INSERT INTO a VALUES (1); INSERT INTO a VALUES (2), (1);",
    "unclosed quote": b"CREATE TABLE a (b INT); SELECT 'x; CREATE TABLE c (b INT);",
    "unclosed comment": b"CREATE TABLE a (b INT); /* CREATE TABLE c (b INT);",
    "NUL": b"CREATE TABLE a (b INT); CREATE TABLE c\0 (b INT);",
    "NUL at the end": b"CREATE TABLE a (b INT);\0",
    "dashes without a space": b"CREATE TABLE a (b INT);--x\nCREATE TABLE c (b INT);",
    "invalid utf-8": b"CREATE TABLE a (b TEXT); INSERT INTO a VALUES ('\xff');",
    "a result that is not text": b"CREATE TABLE a (b INT); SELECT x'ff', 1.5, NOW(); CREATE TABLE c (b INT);",
    "dashes before the last semicolon": b"CREATE TABLE a (b INT)\n--;\n",
    "NUL in a comment": b"CREATE TABLE a (b INT); -- x\0; CREATE TABLE c (b INT);",
    "unclosed in a skipped comment": b"CREATE TABLE a (b INT); /*!999999 x /* y */",
    "dashes before the semicolon": b"CREATE TABLE a (b INT) --; CREATE TABLE c (b INT);",
    "as large as it can be": b"CREATE TABLE a (b INT); -- " + b"x" * (4194303 - 27),
    "invalid utf-8 in a comment": b"CREATE TABLE a (b TEXT); -- \xff\n",
    "command of the client": b"CREATE TABLE a (b INT)\\g",
    "stray end of comment": b"CREATE TABLE a (b INT); */ CREATE TABLE c (b INT);",
    "open transaction": b"CREATE TABLE a (b INT); START TRANSACTION; INSERT INTO a VALUES (1);",
    "autocommit off": b"CREATE TABLE a (b INT); SET autocommit = 0; INSERT INTO a VALUES (1);",
    "killed connection": b"CREATE TABLE a (b INT); KILL CONNECTION_ID(); CREATE TABLE c (b INT);",
}
# golang-migrate fails on these; we run them, and say so with these words.
OURS_ONLY = {
    "DELIMITER": (b"DELIMITER //\nCREATE PROCEDURE p() BEGIN SELECT 1; END//\nDELIMITER ;\n", "uses DELIMITER"),
    "several statements between delimiters": (
        b"DELIMITER //\nCREATE TABLE a (b INT); CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW SET @x = 1;\n"
        b"INSERT INTO a VALUES (1); //\nDELIMITER ;\n",
        "uses DELIMITER",
    ),
    "empty": (b"", "is empty"),
    "blank": (b" \n\t", "is empty"),
    "only a semicolon": (b";", "is empty"),
    "empty statement": (b"CREATE TABLE a (b INT);; CREATE TABLE c (b INT);", "has an empty statement before"),
    "byte order mark": (b"\xef\xbb\xbfCREATE TABLE a (b INT);", "starts with a byte order mark"),
    "large": (b"CREATE TABLE a (b INT); -- " + b"x" * (4194304 - 27), "is larger than a packet of golang-migrate's"),
    "skipped comment as statement": (b"/*!999999 x */; CREATE TABLE a (b INT);", "has an empty statement"),
}


def code(golang: str) -> int | None:
    found = re.search(r"Error (\d+)", golang)
    return int(found[1]) if found else None


@pytest.mark.parametrize("name", SAME)
def test_both_end_up_the_same(twins: tuple[Database, Database], name: str) -> None:
    ours, theirs = twins
    ours.write({"1_x.up.sql": SAME[name]})
    result = ours.apply()
    golang = theirs.golang("up")
    assert ours.snapshot() == theirs.snapshot()
    assert result.get("error_code") == code(golang), (result["msg"], golang)
    assert [warning for warning in result["warnings"] if "golang-migrate could not run" in warning] == []


def test_a_statement_may_take_the_whole_packet(twins: tuple[Database, Database]) -> None:
    ours, theirs = twins
    [(usual,)] = ours.query("SELECT @@GLOBAL.max_allowed_packet")
    largest = 1 << 20
    start, end = "INSERT INTO a VALUES ('", "')"
    # Some bytes of the packet are the protocol's.
    row = start + "x" * (largest - 64 - len(start) - len(end)) + end
    ours.write({"1_a.up.sql": "CREATE TABLE a (b LONGTEXT);", "2_b.up.sql": row, "3_c.up.sql": "DROP TABLE a"})
    try:
        ours.query(f"SET GLOBAL max_allowed_packet = {largest}")
        result = ours.apply(target="2")
        assert not result["failed"], result["msg"][:300]
    finally:
        ours.query(f"SET GLOBAL max_allowed_packet = {usual}")
    assert ours.query("SELECT LENGTH(b) FROM a") == [(len(row) - len(start) - len(end),)]
    assert not theirs.apply()["failed"]


def test_another_schema_at_the_end_fails_alike(twins: tuple[Database, Database]) -> None:
    """golang-migrate writes its state there; we say so, and leave that schema alone."""
    ours, theirs = twins
    ours.write({"1_x.up.sql": "CREATE TABLE a (b INT); USE mysql;"})
    message = ours.refusal()
    assert "1_x.up.sql: all of it was run, but it leaves the session in a schema other than" in message
    assert f"End the file with USE {ours.name}, and run again." in message
    assert code(theirs.golang("up")) == 1146
    assert ours.snapshot() == theirs.snapshot()
    ours.write({"1_x.up.sql": f"CREATE TABLE a (b INT); USE mysql; USE {ours.name}"})
    assert ours.apply()["resumed"] == {"version": 1, "statement": 2}


@pytest.mark.parametrize("name", OURS_ONLY)
def test_what_only_we_accept_is_flagged(twins: tuple[Database, Database], name: str) -> None:
    ours, theirs = twins
    text, note = OURS_ONLY[name]
    ours.write({"1_x.up.sql": text})
    [warning] = ours.apply()["warnings"]
    assert warning.startswith("golang-migrate could not run this file: 1_x.up.sql:1 ") or name == "blank"
    assert note in warning
    assert ours.state() == [(1, 0)]
    golang = theirs.golang("up")
    assert code(golang) in (1064, 1065) or "packet for query is too large" in golang
    assert theirs.state() == [(1, 1)]
