# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each rule about a file's text: what it finds, on which line, and what it leaves alone."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible_collections.dbops.migrations.plugins.module_utils._migration.check.checker import RULES, check_script
from ansible_collections.dbops.migrations.plugins.module_utils._migration.guards import GUARDS
from parts import CHECKOUT

DEMO = sorted((CHECKOUT / "tests/parts/demo_repository/database").rglob("*.sql"))


def findings(text: str | bytes, direction: str = "up") -> list[tuple[int, str, str]]:
    data = text.encode() if isinstance(text, str) else text
    return sorted((found.line, rule.name, found.what) for rule, found in check_script(data, direction))


def found(text: str | bytes, rule: str, direction: str = "up") -> list[tuple[int, str]]:
    return [(line, what) for line, name, what in findings(text, direction) if name == rule]


# For each rule: texts in which it finds something, with the line and a piece of what it says.
FINDS = {
    "empty_file": [
        ("", 1, "It is empty."),
        ("-- Nothing yet.\n", 1, "The up file has no statement."),
        ("\n;\n", 1, "The up file has no statement."),
    ],
    "incomplete": [
        ("SELECT 1;\nINSERT INTO a VALUES ('x);\n", 2, "a quote, a comment or a block"),
        ("SELECT 1;\n/* Why?\nDROP TABLE a;\n", 2, "a quote, a comment or a block"),
        ("CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW BEGIN\n  SET @x = 1;\n", 1, "a quote, a comment or a block"),
        ("SELECT 1;\nCREATE TABLE a (\n  id INT,\n  b", 4, "it ends in the middle"),
        ("INSERT INTO a VALUES (1, 2),\n", 1, "it ends in the middle"),
        ("INSERT INTO a VALUES (1, 2), (3", 1, "it ends in the middle"),
        ("UPDATE a SET b =", 1, "it ends in the middle"),
    ],
    "portability": [
        ("\ufeffSELECT 1;", 1, "it starts with a byte order mark"),
        ("SELECT 1;;SELECT 2;", 1, "it has an empty statement"),
        ("SELECT 1;\nDELIMITER //\nSELECT 2//\n", 2, "it uses DELIMITER"),
        ("-- " + "x" * (4 << 20) + "\nSELECT 1", 1, "larger than a packet"),
    ],
    "directive": [
        ("-- dbops: alow destroy\nDROP TABLE a;", 1, "Unknown directive 'alow destroy'."),
        ("-- dbops:\nDROP TABLE a;", 1, "Unknown directive ''."),
        ("-- dbops: allow destory\nDROP TABLE a;", 1, "'allow destory' names no rule that can be allowed."),
        ("-- dbops: allow\nDROP TABLE a;", 1, "'allow' names no rule that can be allowed."),
        ("DROP TABLE a; -- dbops: allow destroy", 1, "'allow destroy' is not above a statement"),
    ],
    "several_clauses": [
        (
            "SELECT 1;\nALTER TABLE a\n ADD b INT,\n ADD INDEX (c);",
            2,
            "ADD COLUMN alone may be instant; with ADD INDEX",
        ),
        (
            "ALTER TABLE s.a DROP COLUMN b, MODIFY c BIGINT",
            1,
            "DROP COLUMN alone may be instant; with MODIFY the server",
        ),
        ("ALTER ONLINE TABLE IF EXISTS a WAIT 5 RENAME COLUMN b TO c, ENGINE=InnoDB", 1, "RENAME COLUMN alone"),
        ("ALTER TABLE a ADD b INT, ADD c INT AS (1) STORED", 1, "with ADD COLUMN the server may rebuild or copy a."),
        ("ALTER TABLE a ADD (b INT, c INT), ADD KEY (b)", 1, "with ADD KEY"),
        ("ALTER TABLE a ALTER b SET DEFAULT 1, ADD CONSTRAINT c CHECK (b > 0)", 1, "ALTER COLUMN alone"),
        ("SET STATEMENT max_statement_time=1 FOR ALTER TABLE a ADD b INT, FORCE", 1, "with FORCE"),
        ("/*!40000 ALTER TABLE a ADD b INT, FORCE */;", 1, "with FORCE"),
    ],
    "inline_references": [
        ("CREATE TABLE a (\n  id INT,\n  `b` INT NOT NULL REFERENCES b (id)\n);", 3, "in the definition of b."),
        ("ALTER TABLE a ADD COLUMN b INT REFERENCES b (id)", 1, "in the definition of b."),
        ("ALTER TABLE a ADD (x INT, b INT REFERENCES b (id))", 1, "in the definition of b."),
        ("CREATE TEMPORARY TABLE IF NOT EXISTS a (b INT REFERENCES c (id))", 1, "in the definition of b."),
    ],
    "foreign_key_index": [
        ("CREATE TABLE a (\n b INT,\n FOREIGN KEY (b) REFERENCES c (id))", 3, "for the foreign key on (b) by itself"),
        ("CREATE TABLE a (b INT, c INT, KEY (c, b), CONSTRAINT x FOREIGN KEY (b) REFERENCES c (id))", 1, "on (b)"),
        ("ALTER TABLE a ADD CONSTRAINT FOREIGN KEY (`b`, c) REFERENCES d (e, f)", 1, "on (b, c)"),
        ("CREATE INDEX i ON other (b);\nALTER TABLE a ADD FOREIGN KEY (b) REFERENCES c (id)", 2, "on (b)"),
    ],
    "implicit_commit": [
        ("START TRANSACTION;\nUPDATE a SET b = 1 WHERE c;\nALTER TABLE a ADD d INT;\nCOMMIT;", 3, "begins in line 1."),
        ("BEGIN;\nSELECT 1;\nBEGIN;\nCOMMIT;", 3, "BEGIN may commit the transaction that begins in line 1."),
        ("BEGIN WORK;\nROLLBACK TO s;\nTRUNCATE a;", 3, "TRUNCATE may commit"),
        ("-- dbops: all-or-nothing\nINSERT INTO a VALUES (1);\nCREATE TABLE b (id INT);", 3, "begins in line 1."),
    ],
    "destroy": [
        ("DROP TABLE IF EXISTS `a`, b;", 1, "DROP TABLE may destroy all that a holds."),
        ("DROP TABLE IF EXISTS `a`, b;", 1, "DROP TABLE may destroy all that b holds."),
        ("DROP DATABASE shop", 1, "DROP DATABASE may destroy all that shop holds."),
        ("TRUNCATE a", 1, "TRUNCATE may destroy the rows of a."),
        ("TRUNCATE TABLE s.a", 1, "the rows of s.a."),
        ("CREATE OR REPLACE TABLE a (id INT)", 1, "all that a holds."),
        ("ALTER TABLE a DROP b", 1, "DROP COLUMN may destroy the values of a.b."),
        ("ALTER TABLE a DROP COLUMN IF EXISTS `b c`", 1, "the values of a.b c."),
        ("ALTER TABLE a DROP PARTITION p0, p1", 1, "DROP PARTITION may destroy the rows of a.p1."),
        ("ALTER TABLE a TRUNCATE PARTITION ALL", 1, "TRUNCATE PARTITION may destroy the rows of a.ALL."),
        ("SELECT 1;\nDELETE FROM a", 2, "DELETE without WHERE may delete all rows of a."),
        ("DELETE a FROM a JOIN b ON a.id = b.id", 1, "may delete all rows of a."),
        ("UPDATE LOW_PRIORITY a SET b = (SELECT 1 FROM c WHERE d)", 1, "may overwrite all rows of a."),
        ("WITH x AS (SELECT 1 FROM c WHERE d) UPDATE a SET b = 1", 1, "may overwrite all rows of a."),
        ("ALTER TABLE a ADD c INT; UPDATE a SET c = 1, b = 2", 1, "may overwrite all rows of a."),
        ("CREATE TABLE IF NOT EXISTS a (id INT); DROP TABLE a", 1, "all that a holds."),
        ("DROP/**/TABLE\n--\na", 1, "all that a holds."),
    ],
    "charset": [
        ("ALTER TABLE a\n CONVERT TO CHARACTER SET utf8mb4", 2, "CONVERT TO may change"),
        ("ALTER TABLE a DEFAULT CHARSET=utf8mb4", 1, "DEFAULT may change the character set or the collation of a."),
        ("ALTER TABLE a MODIFY b VARCHAR(9) COLLATE utf8mb4_bin", 1, "MODIFY may change"),
        ("ALTER TABLE a CHANGE b c VARCHAR(9) CHARACTER SET latin1", 1, "CHANGE may change"),
        ("ALTER DATABASE shop COLLATE utf8mb4_bin", 1, "that new tables get."),
    ],
    "other_schema": [
        ("SELECT 1;\nUSE shop;", 2, "USE changes the schema to shop."),
        ("CREATE DATABASE IF NOT EXISTS shop", 1, "CREATE DATABASE may be about another schema: shop."),
        ("INSERT INTO shop.a VALUES (1)", 1, "shop before a dot may be another schema."),
        ("INSERT INTO a\nSELECT * FROM `shop`.b", 2, "shop before a dot"),
        ("DELETE FROM a WHERE b IN (SELECT c FROM shop . d)", 1, "shop before a dot"),
        ("CREATE TABLE a (b INT, KEY (b), FOREIGN KEY (b) REFERENCES shop.c (d))", 1, "shop before a dot"),
        ("SELECT shop.f(1)", 1, "shop before a dot"),
        ("GRANT SELECT ON shop.* TO u@localhost", 1, "shop before a dot"),
        ("SELECT * FROM shop.shop", 1, "shop before a dot"),
    ],
}
LEAVES = {
    "empty_file": ["SELECT 1", "/*!40000 SELECT 1 */", "/*!80000 SELECT 1 */", "/*M!100100 SELECT 1 */"],
    "incomplete": [
        "SELECT 1",
        "CREATE TABLE a (b ENUM('(', \"((\", ')'), `(` INT) -- (",
        "CREATE PROCEDURE p() BEGIN SELECT 1; END",
        "DELIMITER //\nCREATE PROCEDURE p() BEGIN SELECT 1; END//\n",
        "BEGIN NOT ATOMIC\n SELECT 1;\nEND;",
        "CREATE FUNCTION f() RETURNS INT LANGUAGE JAVASCRIPT AS $$ return 'it; $$;",
        "SET NAMES sjis;\nINSERT INTO a VALUES ('\x95\\');".encode("latin-1"),
        'SET sql_mode = \'ANSI_QUOTES\';\nINSERT INTO "a""\\" VALUES (1);',
        "SET sql_mode = CONCAT(@@sql_mode, ',NO_BACKSLASH_ESCAPES');\nINSERT INTO a VALUES ('\\');",
        "SET SESSION sql_mode = 'NO_BACKSLASH_ESCAPES', @a = 1;\nSELECT '\\';\nSET sql_mode = @old;\nSELECT '\\'';",
        "SET sql_mode = 'ORACLE';\nCREATE PROCEDURE p AS BEGIN NULL; END;",
        "SET NAMES unheardof;\nSELECT 1;",
    ],
    "portability": ["SELECT 1;\nSELECT 2;\n", "/*M!100100 SELECT 1 */; SELECT 2", "/*!80000 SELECT 1 */; SELECT 2"],
    "directive": [
        "-- dbops: all-or-nothing\nSELECT 1",
        "-- dbops: allow destroy a\nDROP TABLE a",
        "-- dbops is nice\nSELECT 1",
        *(f"-- dbops: allow {guard}\n\nSELECT 1" for guard in GUARDS),
    ],
    "several_clauses": [
        "ALTER TABLE a ADD b INT, ADD c INT, DROP d, RENAME COLUMN e TO f",
        "ALTER TABLE a ADD INDEX (b), ADD UNIQUE (c), DROP INDEX d",
        "ALTER TABLE a ADD b INT, ADD INDEX (b), ALGORITHM=INPLACE",
        "ALTER TABLE a ADD b INT, LOCK=NONE",
        "ALTER TABLE a ADD b DECIMAL(5, 2) DEFAULT 1",
        "ALTER TABLE a DROP PARTITION p0, p1",
        "CREATE TABLE a (id INT); ALTER TABLE a ADD b INT, ADD INDEX (b)",
        "CREATE PROCEDURE p() BEGIN ALTER TABLE a ADD b INT, ADD INDEX (b); END",
    ],
    "inline_references": [
        "CREATE TABLE a (b INT, KEY (b), FOREIGN KEY (b) REFERENCES c (id))",
        "ALTER TABLE a ADD CONSTRAINT x FOREIGN KEY (b) REFERENCES c (id)",
        "CREATE TABLE a (b INT COMMENT 'REFERENCES c', `references` INT)",
        "CREATE TABLE a LIKE b",
        "CREATE TABLE a SELECT 1 AS one",
    ],
    "foreign_key_index": [
        "CREATE TABLE a (b INT, KEY (b), FOREIGN KEY (b) REFERENCES c (id))",
        "CREATE TABLE a (b INT PRIMARY KEY, FOREIGN KEY (b) REFERENCES c (id))",
        "CREATE TABLE a (b INT, c INT, PRIMARY KEY (b, c), FOREIGN KEY (b) REFERENCES c (id))",
        "CREATE TABLE a (B INT UNIQUE, FOREIGN KEY (`b`) REFERENCES c (id))",
        "CREATE TABLE a (b INT, CONSTRAINT u UNIQUE KEY i (b), CONSTRAINT x FOREIGN KEY (b) REFERENCES c (id))",
        "CREATE TABLE a (b INT, FOREIGN KEY fk_b (b) REFERENCES c (id))",
        "ALTER TABLE a ADD INDEX i (b), ADD FOREIGN KEY (b) REFERENCES c (id)",
        "CREATE UNIQUE INDEX i ON a (b);\nALTER TABLE a ADD FOREIGN KEY (b) REFERENCES c (id)",
        "ALTER TABLE a DROP FOREIGN KEY x",
    ],
    "implicit_commit": [
        "START TRANSACTION; UPDATE a SET b = 1 WHERE c; COMMIT; ALTER TABLE a ADD d INT",
        "BEGIN; ROLLBACK; DROP TABLE a",
        "START TRANSACTION; CREATE TEMPORARY TABLE a (b INT); DROP TEMPORARY TABLE a; COMMIT",
        "CREATE PROCEDURE p() BEGIN DROP TABLE a; END",
        "BEGIN NOT ATOMIC DROP TABLE a; END",
        "ALTER TABLE a ADD d INT",
        "START SLAVE; DROP TABLE a",
    ],
    "destroy": [
        "CREATE TABLE a (id INT); INSERT INTO a SELECT 1; DELETE FROM a; TRUNCATE a; ALTER TABLE a DROP b",
        "CREATE TABLE a (id INT); DROP TABLE a",
        "ALTER TABLE a ADD (c INT, d INT), ADD COLUMN `E` INT;\nUPDATE a x SET a.c = 1, d = b, e = CONCAT(1, 2)",
        "ALTER TABLE a ADD b INT; ALTER TABLE a DROP b",
        "ALTER TABLE a DROP INDEX i, DROP PRIMARY KEY, DROP FOREIGN KEY f, DROP CONSTRAINT c, DROP CHECK k, DROP KEY l",
        "DROP TEMPORARY TABLE a; DROP VIEW v; DROP INDEX i ON a; DROP PROCEDURE p; DROP TRIGGER t; DROP PREPARE s",
        "DELETE FROM a WHERE b; UPDATE a SET b = 1 WHERE c; DELETE FROM a LIMIT 10",
        "SELECT 'DROP TABLE a' AS `DELETE FROM a` -- TRUNCATE a",
        "SELECT * FROM a FOR UPDATE; INSERT INTO a VALUES (1) ON DUPLICATE KEY UPDATE b = 1",
        "CREATE TABLE b (c INT REFERENCES d (e) ON DELETE CASCADE ON UPDATE CASCADE)",
        "CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW DELETE FROM b",
        "CREATE OR REPLACE VIEW v AS SELECT 1",
        "ALTER TABLE a ALTER b DROP DEFAULT",
    ],
    "charset": [
        "CREATE TABLE a (b VARCHAR(9) COLLATE utf8mb4_bin) DEFAULT CHARSET=utf8mb4",
        "ALTER TABLE a ADD b VARCHAR(9) CHARACTER SET ascii",
        "CREATE TABLE a (b INT); ALTER TABLE a CONVERT TO CHARACTER SET utf8mb4",
        "ALTER TABLE a MODIFY b VARCHAR(9) COMMENT 'COLLATE x'",
        "ALTER TABLE a MODIFY `collate` VARCHAR(9)",
        "SET NAMES utf8mb4",
    ],
    "other_schema": [
        "SELECT o.id, orders.note FROM orders o JOIN orders ON o.id = orders.id",
        "SELECT EXTRACT(YEAR FROM o.created) FROM orders AS o WHERE o.total > 1.5 AND x = .5 AND y = 1.",
        "UPDATE a JOIN b ON a.id = b.id SET a.x = b.x WHERE a.y",
        "INSERT INTO a (b) VALUES (1) AS n ON DUPLICATE KEY UPDATE b = n.b, a.c = VALUES(c)",
        "WITH t AS (SELECT 1 AS one) SELECT t.one FROM t",
        "DELETE a.* FROM a",
        "CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW SET NEW.x = NEW.y",
        "CREATE TRIGGER t BEFORE UPDATE ON a FOR EACH ROW BEGIN IF OLD.x <> NEW.x THEN SET NEW.y = 1; END IF; END",
        "SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = DATABASE()",
        "SELECT @@session.sql_mode, @a.b",
        "CREATE USER u@db.example.com",
        "SELECT JSON_EXTRACT(a, '$.b.c') FROM d",
        "SELECT 'shop.a', `a.b`",
    ],
}


def cases(table: dict[str, list[object]]) -> list[object]:
    return [
        pytest.param(rule, case, id=f"{rule}-{place}")
        for rule, some in table.items()
        for place, case in enumerate(some)
    ]


@pytest.mark.parametrize(("rule", "case"), cases(FINDS))  # type: ignore[arg-type]
def test_a_rule_finds_its_place(rule: str, case: tuple[str, int, str]) -> None:
    text, line, piece = case
    some = found(text, rule)
    assert [at for at, what in some if piece in what] == [line], some


@pytest.mark.parametrize(("rule", "text"), cases(LEAVES))  # type: ignore[arg-type]
def test_a_rule_leaves_alone_what_is_right(rule: str, text: str | bytes) -> None:
    assert found(text, rule) == []


def test_every_rule_about_a_text_has_both() -> None:
    about_names = {"not_a_migration", "not_sql", "version_too_large", "duplicate_version", "titles_differ", "gap"}
    about_servers = {"does_not_apply", "no_way_back", "needs_rows", "not_tried"}
    assert FINDS.keys() == LEAVES.keys() == RULES.keys() - about_names - about_servers - {"no_up_file", "no_down_file"}


def test_a_down_file_may_destroy() -> None:
    text = "DROP TABLE a; ALTER TABLE b DROP c; DELETE FROM d;"
    assert found(text, "destroy", "down") == []
    assert len(found(text, "destroy", "up")) == 3


def test_what_is_allowed_is_not_found() -> None:
    text = """-- dbops: allow charset

-- dbops: allow destroy a.b
ALTER TABLE a DROP b, DROP c;
-- dbops: allow destroy
-- dbops: allow several_clauses
ALTER TABLE d DROP e, ADD INDEX (f);
ALTER TABLE d DROP g, CONVERT TO CHARACTER SET utf8mb4;
"""
    assert [(line, what) for line, _rule, what in findings(text)] == [
        (4, "DROP COLUMN may destroy the values of a.c."),
        (8, "DROP COLUMN may destroy the values of d.g."),
        (8, "DROP COLUMN alone may be instant; with CONVERT TO the server may rebuild or copy d."),
    ]


def test_a_file_for_one_kind_of_server_is_read_as_this_one_reads_it() -> None:
    assert findings("/*M!100100 DROP TABLE a */; SELECT 1") == [
        (1, "destroy", "DROP TABLE may destroy all that a holds.")
    ]
    assert findings("/*!80000 DROP TABLE a */; SELECT 1") == [
        (1, "destroy", "DROP TABLE may destroy all that a holds.")
    ]
    assert findings("/*!999999 DROP TABLE a */ SELECT 1") == []


def test_names_in_messages_cannot_steer_a_terminal() -> None:
    [(_line, what)] = found("DROP TABLE `a\x1b[31m\n::error::b\u202e`", "destroy")
    assert what == "DROP TABLE may destroy all that a\\x1b[31m\\n::error::b\\u202e holds."


@pytest.mark.parametrize("path", DEMO, ids=lambda path: path.name)
def test_no_false_alarm_in_the_demo(path: Path) -> None:
    # Its foreign key has no index of its own, which is what the rule is about.
    expected = {"foreign_key_index"} if path.name == "0002_create_orders.up.sql" else set()
    assert {rule for _line, rule, _what in findings(path.read_bytes(), path.name.split(".")[-2])} == expected
    assert DEMO


# What the cases of the splitter are about: texts with mistakes, or for a session of other settings than the default.
ODD = {
    "ansi.sql": {"incomplete"},
    "cp932.sql": {"incomplete"},
    "delimiter-ansi.sql": {"incomplete", "portability"},
    "delimiter-pieces.sql": {"portability"},
    "delimiter-unended.sql": {"portability"},
    "delimiter.sql": {"portability"},
    "ends-in-dashes.sql": {"incomplete"},
    "executable.sql": {"incomplete"},
    "gbk.sql": {"incomplete"},
    "no-backslash-escapes.sql": {"incomplete"},
    "oracle-nothing-left.sql": {"empty_file"},
    "oracle.sql": {"portability"},
    "places.sql": {"portability"},
    "sjis.sql": {"incomplete"},
    "unclosed-block.sql": {"incomplete"},
    "unclosed-comment.sql": {"incomplete"},
    "unclosed-name.sql": {"incomplete"},
    "unclosed-quote.sql": {"incomplete"},
}


@pytest.mark.parametrize("path", sorted((Path(__file__).parent / "cases").glob("*.sql")), ids=lambda path: path.stem)
def test_no_false_alarm_in_the_cases_of_the_splitter(path: Path) -> None:
    assert {rule for _line, rule, _what in findings(path.read_bytes())} == ODD.get(path.name, set())


def test_no_false_error_in_the_cases_of_the_engine() -> None:
    """What a server carries out is not an error."""
    folder = CHECKOUT / "tests/integration/migration/cases"
    errors = {
        f"{path.name}:{case.get('name', '')}:{name}"
        for path in sorted(folder.glob("*.yml"))
        for case in yaml.safe_load_all(path.read_text())
        for name, text in case.get("files", {}).items()
        if text is not None and (".up." in name or ".down." in name)
        for rule, _found in check_script(text if isinstance(text, bytes) else text.encode(), name.split(".")[1])
        if rule.severity == "error"
    }
    assert errors == {
        # The character set comes from a text that is prepared, and from the file before.
        "charsets.yml:by-execute:1_a.up.sql",
        "charsets.yml:next-file:2_b.up.sql",
        # It is truncated.
        "messages.yml:error-at-the-files-end:1_a.up.sql",
    }


@pytest.mark.parametrize(
    ("statement", "comment"),
    [
        ("DROP TABLE a", "-- dbops: allow destroy a"),
        ("ALTER TABLE `o.x`.a DROP b", "-- dbops: allow destroy o.x.a.b"),
        ("TRUNCATE `two words`", "-- dbops: allow destroy"),
        ("DELETE FROM ", "-- dbops: allow destroy"),
    ],
)
def test_the_advice_can_be_copied(statement: str, comment: str) -> None:
    [advice] = [one.advice(rule) for rule, one in check_script(statement.encode(), "up") if rule.name == "destroy"]
    assert advice == f"If this is intended, allow it in a comment above: {comment}"
    assert not found(f"{comment}\n{statement}", "destroy")
