# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the rules of migration_check assume about servers, checked on servers."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pymysql
import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._migration.check.checker import check_script
from parts.mariadb import DatabaseServer
from parts.mysql import MySQL

INSTANT = [
    "ADD COLUMN z INT",
    "ADD z INT NOT NULL DEFAULT 5",
    "ADD (z INT, y INT)",
    "ADD z INT AS (a + 1) VIRTUAL",
    "DROP COLUMN b",
    "DROP b",
    "RENAME COLUMN b TO bb",
    "ALTER COLUMN a SET DEFAULT 3",
    "ALTER a DROP DEFAULT",
]
SLOWER = [
    "ADD z INT AS (a + 1) STORED",
    "ADD z INT REFERENCES p (id)",
    "ADD z INT UNIQUE",
    "ADD INDEX (b)",
    "DROP INDEX ia",
    "DROP KEY ia",
    "ADD UNIQUE (a)",
    "ADD FULLTEXT (b)",
    "ADD CONSTRAINT FOREIGN KEY (a) REFERENCES p (id)",
    "ADD CHECK (a > -5)",
    "DROP PRIMARY KEY",
    "CONVERT TO CHARACTER SET latin1",
    "ENGINE=InnoDB",
    "FORCE",
    "ROW_FORMAT=COMPACT",
    "MODIFY a BIGINT",
    "CHANGE c c INT NULL",
]
SLOWER_ON_MYSQL = ["RENAME INDEX ia TO ib", "COMMENT='x'", "AUTO_INCREMENT=50", "DEFAULT CHARACTER SET latin1"]
NOT_SLOWER = [
    "ADD COLUMN z INT, ADD y INT",
    "DROP b, ADD z INT",
    "ADD z INT, RENAME TO t2",
    "ADD z INT, DROP CONSTRAINT ck",
]
TABLE = """CREATE TABLE t (id INT PRIMARY KEY, a INT NOT NULL DEFAULT 1, b VARCHAR(10), c INT NOT NULL,
    INDEX ia (a), CONSTRAINT ck CHECK (c > 0))"""
COMMITS = [
    "CREATE TABLE n (id INT)",
    "CREATE OR REPLACE VIEW v AS SELECT 1 AS one",
    "CREATE INDEX ib ON t (b)",
    "ALTER TABLE t ADD z INT",
    "RENAME TABLE t TO t2",
    "TRUNCATE TABLE t",
    "DROP TABLE t",
    "GRANT SELECT ON *.* TO admin@'%'",
    "ANALYZE TABLE t",
    "CHECK TABLE t",
    "OPTIMIZE TABLE t",
    "REPAIR TABLE t",
    "FLUSH STATUS",
    "LOCK TABLES p READ",
    "BEGIN",
    "BEGIN WORK",
    "START TRANSACTION",
    "START TRANSACTION READ ONLY",
    "CREATE PROCEDURE r() SELECT 1",
]
COMMITS_NOT = [
    "CREATE TEMPORARY TABLE n (id INT)",
    "DROP TEMPORARY TABLE IF EXISTS n",
    "INSERT INTO t (id, c) VALUES (1, 1)",
    "SELECT 1",
    "SAVEPOINT s",
    "SET @a = 1",
    "CHECKSUM TABLE t",
    "DROP PREPARE s",
    "SHOW TABLES",
]


@pytest.fixture
def connection(server: DatabaseServer) -> Iterator[pymysql.Connection]:
    """A schema with the tables t and p."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    server.create_schema(name)
    connection = server.connect(name)
    run(connection, "CREATE TABLE p (id INT PRIMARY KEY)")
    yield connection
    connection.close()
    server.query(f"DROP DATABASE `{name}`")


def run(connection: pymysql.Connection, text: str) -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(text)
        return list(cursor.fetchall())


def rules(text: str) -> set[str]:
    return {rule.name for rule, _found in check_script(text.encode(), "up")}


def test_what_is_instant_alone_and_not_together(connection: pymysql.Connection, server: DatabaseServer) -> None:
    def is_instant(clauses: str) -> bool:
        run(connection, "DROP TABLE IF EXISTS t, t2")
        run(connection, TABLE)
        try:
            run(connection, f"ALTER TABLE t {clauses}, ALGORITHM=INSTANT")
        except pymysql.err.Error as error:
            if error.args[0] not in (1845, 1846):
                raise
            return False
        return True

    slower = SLOWER + (SLOWER_ON_MYSQL if isinstance(server, MySQL) else [])
    assert {clause for clause in INSTANT if not is_instant(clause)} == set()
    assert {clause for clause in slower if is_instant(f"ADD COLUMN zz INT, {clause}")} == set()
    assert {clauses for clauses in NOT_SLOWER if not is_instant(clauses)} == set()


def test_the_rule_for_several_clauses_says_so() -> None:
    for clause in SLOWER + SLOWER_ON_MYSQL:
        assert "several_clauses" in rules(f"ALTER TABLE t ADD COLUMN zz INT, {clause}"), clause
        assert "several_clauses" in rules(f"ALTER TABLE t {clause}, DROP COLUMN zz"), clause
        assert "several_clauses" not in rules(f"ALTER TABLE t {clause}"), clause
    for clauses in [*INSTANT, *NOT_SLOWER]:
        assert "several_clauses" not in rules(f"ALTER TABLE t {clauses}"), clauses


def test_statements_that_commit_implicitly(connection: pymysql.Connection) -> None:
    def is_committed(text: str) -> bool:
        run(connection, "DROP TABLE IF EXISTS t, t2, n")
        run(connection, TABLE)
        run(connection, "PREPARE s FROM 'SELECT 1'")
        run(connection, "DELETE FROM p")
        run(connection, "COMMIT")
        run(connection, "START TRANSACTION")
        run(connection, "INSERT INTO p VALUES (1)")
        run(connection, text)
        run(connection, "ROLLBACK")
        run(connection, "UNLOCK TABLES")
        return run(connection, "SELECT * FROM p") != []

    assert {text for text in COMMITS if not is_committed(text)} == set()
    assert {text for text in COMMITS_NOT if is_committed(text)} == set()


def test_the_rule_for_implicit_commits_says_so() -> None:
    for text in COMMITS:
        assert "implicit_commit" in rules(f"START TRANSACTION; INSERT INTO p VALUES (1); {text}; COMMIT;"), text
    for text in COMMITS_NOT:
        assert "implicit_commit" not in rules(f"START TRANSACTION; INSERT INTO p VALUES (1); {text}; COMMIT;"), text


def test_what_servers_make_of_references(connection: pymysql.Connection) -> None:
    keys = "SELECT COUNT(*) FROM information_schema.referential_constraints WHERE constraint_schema = DATABASE()"
    run(connection, "CREATE TABLE i (id INT, p_id INT REFERENCES p (id))")
    old = str(run(connection, "SELECT VERSION()")[0][0]).startswith("8.")
    assert run(connection, keys) == [(0 if old else 1,)]
    run(connection, "CREATE TABLE f (id INT, p_id INT, FOREIGN KEY (p_id) REFERENCES p (id))")
    index = "SELECT COUNT(*) FROM information_schema.statistics WHERE table_schema = DATABASE() AND table_name = 'f'"
    assert run(connection, index) == [(1,)]
