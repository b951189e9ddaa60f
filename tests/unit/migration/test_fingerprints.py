# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What fingerprints tell about a statement that was interrupted."""

from __future__ import annotations

from typing import Optional

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._migration.files.lexer import Dialect
from ansible_collections.dbops.migrations.plugins.module_utils._migration.statements.classify import classify
from ansible_collections.dbops.migrations.plugins.module_utils._migration.statements.effect import Object
from ansible_collections.dbops.migrations.plugins.module_utils._migration.statements.fingerprints import (
    ABSENT,
    EMPTY,
    InFlightOutcome,
    fingerprint,
    outcome,
)
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.session import ServerError

MYSQL = Dialect(mariadb=False, version=90700)
DONE, NOT_DONE, UNKNOWN = InFlightOutcome.DONE, InFlightOutcome.NOT_DONE, InFlightOutcome.UNKNOWN

# A statement, its objects' fingerprints before and now (- is absent, ? is not told, _ is empty, ! marks an engine that
# is not InnoDB; then the tables' numbers where rows are replaced), and what became of it.
OUTCOMES = [
    ("CREATE TABLE a (i INT)", "-", "x", DONE),
    ("CREATE TABLE a (i INT)", "-", "-", NOT_DONE),
    ("CREATE TABLE IF NOT EXISTS a (i INT)", "x", "x", NOT_DONE),
    ("CREATE TABLE a (i INT)", "-", "?", UNKNOWN),
    ("CREATE TABLE a (i INT)", "?", "x", UNKNOWN),
    ("CREATE TABLE a (i INT)", "-", "x!", UNKNOWN),
    ("CREATE TABLE a SELECT 1", "-", "x", UNKNOWN),
    ("CREATE TABLE a SELECT 1", "-", "-", NOT_DONE),
    ("CREATE TABLE a SELECT f()", "-", "-", UNKNOWN),
    ("CREATE OR REPLACE TABLE a (i INT)", "x 1", "y 2", DONE),
    ("CREATE OR REPLACE TABLE a (i INT)", "x 1", "x 2", DONE),
    ("CREATE OR REPLACE TABLE a (i INT)", "x 1", "x 1", NOT_DONE),
    ("CREATE OR REPLACE TABLE a (i INT)", "x 1", "- ?", UNKNOWN),
    ("CREATE OR REPLACE TABLE a (i INT)", "x ?", "x ?", UNKNOWN),
    ("CREATE OR REPLACE TABLE a (i INT)", "x ?", "x _", NOT_DONE),
    ("CREATE OR REPLACE VIEW v AS SELECT 1", "x", "y", DONE),
    ("CREATE OR REPLACE VIEW v AS SELECT 1", "x", "-", UNKNOWN),
    ("CREATE EVENT e ON SCHEDULE AT NOW() DO DELETE FROM a", "-", "-", UNKNOWN),
    ("CREATE EVENT e ON SCHEDULE AT NOW() DO DELETE FROM a", "-", "x", DONE),
    ("CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO DELETE FROM a", "-", "-", NOT_DONE),
    ("CREATE DATABASE a", "-", "x", UNKNOWN),
    ("CREATE DATABASE a", "-", "-", NOT_DONE),
    ("CREATE USER a", "-", "x", DONE),
    ("CREATE INDEX i ON a (b)", "x", "y", DONE),
    ("CREATE INDEX i ON a (b)", "x", "-", UNKNOWN),
    ("ALTER TABLE a ADD b INT", "x", "y", DONE),
    ("ALTER TABLE a ADD b INT", "x", "x", NOT_DONE),
    ("ALTER TABLE a ADD b INT", "x", "-", UNKNOWN),
    ("ALTER TABLE a ADD b INT", "-", "-", NOT_DONE),
    ("ALTER TABLE a ADD b INT", "x!", "x!", NOT_DONE),
    ("ALTER TABLE a ADD b INT", "x!", "y!", UNKNOWN),
    ("ALTER TABLE a ADD b INT", "x", "x!", NOT_DONE),
    ("ALTER TABLE a ENGINE = MyISAM", "x", "y!", UNKNOWN),
    ("ALTER TABLE a ADD b INT", "x~", "y~", DONE),
    ("ALTER TABLE a ADD b INT", "x~", "x~", NOT_DONE),
    ("ALTER TABLE a ADD b INT", "x~", "y", UNKNOWN),
    ("ALTER TABLE a ADD b INT", "x", "y!~", UNKNOWN),
    ("DROP TABLE a", "x~", "-", DONE),
    ("ALTER TABLE a DROP b, ADD b INT", "x", "x", UNKNOWN),
    ("ALTER TABLE a DROP b, ADD b INT", "x", "y", DONE),
    ("ALTER TABLE a DROP PARTITION p", "x", "x", NOT_DONE),
    ("ALTER TABLE a DROP PARTITION p", "x", "y", UNKNOWN),
    ("ALTER TABLE a RENAME TO b", "x -", "- y", DONE),
    ("ALTER TABLE a RENAME TO b", "x -", "x -", NOT_DONE),
    ("ALTER TABLE a RENAME TO b", "x -", "- -", UNKNOWN),
    ("ALTER TABLE a RENAME TO b", "x -", "x y", UNKNOWN),
    ("ALTER TABLE a RENAME TO b", "x -", "z -", UNKNOWN),
    ("ALTER EVENT e ENABLE", "x", "-", UNKNOWN),
    ("DROP TABLE a", "x", "-", DONE),
    ("DROP TABLE a", "x!", "-", DONE),
    ("DROP TABLE a", "x", "x", NOT_DONE),
    ("DROP TABLE a", "x", "y", UNKNOWN),
    ("DROP TABLE IF EXISTS a", "-", "-", NOT_DONE),
    ("DROP TABLE a, b", "x y", "- -", DONE),
    ("DROP TABLE a, b", "x y", "- y", UNKNOWN),
    ("DROP TABLE IF EXISTS a, b", "x -", "- -", DONE),
    ("DROP INDEX i ON a", "x", "-", UNKNOWN),
    ("DROP USER a", "x", "-", UNKNOWN),
    ("DROP PROCEDURE p", "x", "-", DONE),
    ("RENAME TABLE a TO b", "x -", "- y", DONE),
    ("RENAME TABLE a TO b", "x -", "x -", NOT_DONE),
    ("RENAME TABLE a TO b", "x -", "- -", UNKNOWN),
    ("RENAME TABLE a TO b, c TO d", "x - y -", "- x - y", DONE),
    ("RENAME TABLE a TO b, c TO d", "x - y -", "- x y -", UNKNOWN),
    ("RENAME TABLE a TO c, b TO a, c TO b", "x - y 1 ? 2", "x - y 2 ? 1", DONE),
    ("RENAME TABLE a TO c, b TO a, c TO b", "x - y 1 ? 2", "x - y 1 ? 2", NOT_DONE),
    ("RENAME TABLE a TO c, b TO a, c TO b", "x - y 1 ? 2", "- x y ? 1 2", UNKNOWN),
    ("RENAME TABLE a TO b, b TO c", "x y - 1 2 ?", "- x y ? 1 2", UNKNOWN),
    ("TRUNCATE a", "x 1", "x 2", DONE),
    ("TRUNCATE a", "x 1", "x 1", NOT_DONE),
    ("TRUNCATE a", "x 1", "- ?", UNKNOWN),
    ("TRUNCATE a", "x 1", "y 2", UNKNOWN),
    ("TRUNCATE a", "x ?", "x ?", UNKNOWN),
    ("TRUNCATE a", "x _", "x ?", UNKNOWN),
    ("TRUNCATE a", "x _", "x _", NOT_DONE),
    ("TRUNCATE a", "x 1", "x _", NOT_DONE),
    ("ANALYZE TABLE a", "", "", NOT_DONE),
    ("CALL p()", "", "", UNKNOWN),
    ("INSERT INTO a VALUES (1)", "", "", UNKNOWN),
    ("CREATE TABLE a (i INT)", "", "", UNKNOWN),
]


def read(text: str) -> list[Optional[str]]:
    return [{"-": ABSENT, "?": None, "_": EMPTY}.get(word, word) for word in text.split()]


@pytest.mark.parametrize(("text", "before", "now", "expected"), OUTCOMES)
def test_what_became_of_a_statement(text: str, before: str, now: str, expected: InFlightOutcome) -> None:
    assert outcome(classify(text.encode(), MYSQL), read(before), read(now), True) is expected


@pytest.mark.parametrize(("text", "before", "now", "expected"), OUTCOMES)
def test_nothing_is_known_where_definitions_are_not_carried_out_as_a_whole(
    text: str, before: str, now: str, expected: InFlightOutcome
) -> None:
    found = outcome(classify(text.encode(), MYSQL), read(before), read(now), False)
    assert found is (expected if text.startswith("ANALYZE") else UNKNOWN)


TABLE = Object("TABLE", b"a")


def shown(text: str) -> Optional[str]:
    return fingerprint(TABLE, [(b"a", text.encode())])


def test_a_fingerprint_tells_definitions_apart() -> None:
    text = "CREATE TABLE `a` (\n  `i` int\n) ENGINE=InnoDB AUTO_INCREMENT=7 DEFAULT CHARSET=utf8mb4"
    found = shown(text)
    assert found == shown(text.replace("=7", "=8"))
    assert found != shown(text.replace("int", "text"))
    assert fingerprint(TABLE, ServerError(1146, "", "")) == ABSENT
    assert fingerprint(TABLE, ServerError(1142, "", "")) is None


def test_what_sql_mode_does_to_a_definition_is_not_a_change_of_it() -> None:
    texts = "CREATE TABLE `a` (\n  `i` int\n) ENGINE=InnoDB", 'CREATE TABLE "a" (\n  "i" int\n)', "CREATE TABLE a (\n)"
    assert [str(shown(text))[32:] for text in texts] == ["", "!~", "!~"]
    view = b"CREATE ALGORITHM=UNDEFINED DEFINER=`a`@`b` VIEW `v` AS select 1"
    assert len(str(fingerprint(TABLE, [(b"v", view)]))) == 32


@pytest.mark.parametrize("engine", ["MyISAM", "Aria", "MEMORY"])
def test_another_engine_is_marked(engine: str) -> None:
    text = "CREATE TABLE `a` (\n  `i` int COMMENT ') ENGINE=MyISAM'\n) ENGINE={} DEFAULT CHARSET=utf8mb4"
    assert not str(shown(text.format("InnoDB"))).endswith("!")
    assert str(shown(text.format(engine))).endswith("!")
