# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Scripts that try to reach production from a rehearsal, with the ordinary account and with one of its own."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._migration.files.lexer import Dialect
from ansible_collections.dbops.migrations.plugins.module_utils._rehearsal.leaving import why_leaving
from integration.migration.support import Database
from parts.mariadb import DatabaseServer

# What production is: SCHEMA is its name.
PRODUCTION = (
    "CREATE TABLE stock (id INT PRIMARY KEY, n INT NOT NULL, KEY k (n)) ENGINE=InnoDB",
    "INSERT INTO stock VALUES (1, 10), (2, 20), (3, 30)",
    "CREATE TABLE log (id INT AUTO_INCREMENT PRIMARY KEY, t TEXT)",
    "INSERT INTO log (t) VALUES ('begun')",
    "CREATE VIEW stock_view AS SELECT id, n FROM stock",
    "CREATE PROCEDURE empty_stock() BEGIN DELETE FROM SCHEMA.stock; END",
    "CREATE FUNCTION touch() RETURNS INT MODIFIES SQL DATA BEGIN DELETE FROM SCHEMA.stock; RETURN 1; END",
    "CREATE TABLE watched (id INT PRIMARY KEY)",
    "CREATE TRIGGER on_watched AFTER INSERT ON watched FOR EACH ROW INSERT INTO SCHEMA.log (t) VALUES ('escaped')",
    "CREATE EVENT nightly ON SCHEDULE EVERY 1 SECOND DISABLE DO DELETE FROM SCHEMA.stock",
)
ESCAPES = (
    "INSERT INTO SCHEMA.stock VALUES (9, 9)",
    "UPDATE `SCHEMA`.`stock` SET n = 0",
    "DELETE s FROM SCHEMA . stock AS s",
    "DELETE FROM SCHEMA/* */./* */stock",
    "TRUNCATE TABLE SCHEMA.stock",
    "DROP TABLE IF EXISTS SCHEMA.stock",
    "ALTER TABLE SCHEMA.stock ADD escaped INT",
    "CREATE INDEX escaped ON SCHEMA.stock (n, id)",
    "DROP INDEX k ON SCHEMA.stock",
    "RENAME TABLE stock TO SCHEMA.escaped",
    "CREATE TABLE SCHEMA.escaped (id INT)",
    "CREATE VIEW escaped AS SELECT * FROM SCHEMA.stock;\nDELETE FROM escaped",
    "CREATE TRIGGER SCHEMA.escaped BEFORE DELETE ON SCHEMA.stock FOR EACH ROW SET @a = 1",
    "USE SCHEMA;\nDELETE FROM stock",
    "use `SCHEMA`;\nDROP TABLE stock",
    "SET @a = CONCAT('DELETE FROM ', 'SCHEMA', '.stock');\nPREPARE p FROM @a;\nEXECUTE p",
    "CALL empty_stock()",
    "SELECT touch()",
    "SET @a = touch()",
    "INSERT INTO watched VALUES (1)",
    "CREATE PROCEDURE escaped() DELETE FROM SCHEMA.stock;\nCALL escaped()",
    "CREATE TABLE escaped (id INT PRIMARY KEY, s INT, FOREIGN KEY (s) REFERENCES SCHEMA.stock (id));\n"
    "INSERT INTO escaped VALUES (1, 1)",
    "CREATE EVENT escaped ON SCHEDULE AT CURRENT_TIMESTAMP DO DELETE FROM SCHEMA.stock",
    "CREATE EVENT escaped ON SCHEDULE AT CURRENT_TIMESTAMP DO DROP DATABASE SCHEMA",
    "ALTER EVENT nightly ENABLE",
    "CREATE DEFINER='admin'@'%' PROCEDURE escaped() DELETE FROM SCHEMA.stock;\nCALL escaped()",
    "DROP DATABASE SCHEMA",
    "ALTER DATABASE SCHEMA CHARACTER SET latin1",
    "SET GLOBAL max_connections = 151",
    "SET @@global.max_connections = 152",
    "CREATE USER escaped IDENTIFIED BY 'Escaped-1'",
    "GRANT ALL ON SCHEMA.* TO PUBLIC_ESCAPED",
    "FLUSH TABLES WITH READ LOCK",
    "/*!50000 DELETE FROM SCHEMA.stock */",
    "SELECT 1 INTO OUTFILE '/tmp/dbops-escaped'",
    'SET sql_mode = \'ANSI_QUOTES\';\nDELETE FROM "SCHEMA"."stock"',
    "INSERT INTO stock SELECT * FROM SCHEMA.stock;\nDELETE a FROM stock a, SCHEMA.stock b WHERE a.id = b.id",
    "LOCK TABLES SCHEMA.stock WRITE",
)


@pytest.fixture
def production(there: Database) -> Database:
    """A schema with everything in it that a script could make use of."""
    there.query("SET GLOBAL log_bin_trust_function_creators = 1")
    there.query("SET GLOBAL event_scheduler = ON")
    for statement in PRODUCTION:
        there.query(statement.replace("SCHEMA", there.name))
    return there


def state(database: Database) -> list[Any]:
    """Return all that a script could change: definitions, rows, checksums, the server's settings and accounts."""
    tables = ", ".join(("stock", "log", "watched"))
    return [
        database.snapshot(),
        database.query("SELECT * FROM stock"),
        database.query("SELECT * FROM log"),
        database.query(f"CHECKSUM TABLE {tables}"),
        database.query("SELECT @@GLOBAL.max_connections, @@GLOBAL.read_only"),
        database.query("SELECT user, host FROM mysql.user ORDER BY 1, 2"),
        database.query("SHOW DATABASES"),
        database.query("SHOW CREATE DATABASE " + database.name),
    ]


# Each takes a run of the module: some of them here, all of them in make test-rehearsal.
@pytest.mark.parametrize(
    "escapes", [ESCAPES[::7], pytest.param(ESCAPES, marks=pytest.mark.rehearsal)], ids=["some", "all"]
)
@pytest.mark.parametrize("guarded", [False, True], ids=["ordinary", "own"])
def test_no_script_reaches_production(
    production: Database, account: dict[str, Any], guarded: bool, escapes: tuple[str, ...]
) -> None:
    """It is not changed, and what tries to is not rehearsed or fails."""
    before = state(production)
    reached: set[str] = set()
    for script in escapes:
        production.write({"0001_escape.up.sql": script.replace("SCHEMA", production.name)})
        result = production.module("apply", check=True, rehearse="check", **(account if guarded else {}))
        assert not result["failed"], (script, result["msg"])
        [migration] = result["rehearsal"]["migrations"]
        if migration["rehearsed"] and not migration["error"]:
            reached.add(script)
        assert state(production) == before, script
    # What the copies do themselves stays inside: a trigger that could leave is not copied; an event's own account may
    # do no more than the one that rehearses.
    assert reached <= ({"ALTER EVENT nightly ENABLE"} if guarded else {"INSERT INTO watched VALUES (1)"})


# What reaches the whole server, and cannot be tried on one that others use.
SERVER_WIDE = (
    "CREATE FUNCTION f() RETURNS INT LANGUAGE JAVASCRIPT AS 'return 1'",
    "START REPLICA",
    "START GROUP_REPLICATION",
    "LOCK INSTANCE FOR BACKUP",
    "SELECT GET_LOCK('the one that an application takes', 0)",
)


@pytest.mark.parametrize("escape", [*ESCAPES, *SERVER_WIDE])
def test_what_could_leave_is_known_by_its_text(escape: str) -> None:
    """One of a script's statements at least; except for what only the bodies of other objects do."""
    dialect = Dialect(mariadb=True, version=101100, ansi_quotes="ANSI_QUOTES" in escape)
    found = [
        why_leaving(text.encode(), dialect, {"schema", "mysql"})
        for text in escape.replace("SCHEMA", "schema").replace("DATABASE schema", "DATABASE `schema`").split(";\n")
    ]
    of_others = ("SELECT touch()", "SET @a = touch()", "INSERT INTO watched VALUES (1)", "ALTER EVENT nightly ENABLE")
    assert any(found) == (escape not in of_others)


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO t (a) SELECT u.a FROM u JOIN w AS x ON x.id = u.id WHERE u.b > 1.5",
        "SELECT a FROM t USE INDEX (k) WHERE MATCH (a) AGAINST ('x' IN NATURAL LANGUAGE MODE)",
        "CREATE TABLE t (engine VARCHAR(20), user INT, role INT, INDEX (engine)) ENGINE=InnoDB",
        "ALTER TABLE t RENAME COLUMN engine TO motor",
        "CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW BEGIN SET NEW.a = DATABASE(); END",
        "CREATE OR REPLACE ALGORITHM=MERGE DEFINER=CURRENT_USER SQL SECURITY INVOKER VIEW v AS SELECT t.a FROM t",
        "INSERT INTO t VALUES ('mysql.user; USE mysql; CALL p()')",
        "SET STATEMENT lock_wait_timeout = 1 FOR ALTER TABLE t ADD b INT",
        "CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO DELETE FROM t WHERE a < 5",
        "/* mysql.user */ UPDATE t SET a = 1 -- GLOBAL",
    ],
)
def test_what_plainly_stays_inside_is_rehearsed(statement: str) -> None:
    """Names of columns, texts and comments are not mistaken for something else."""
    assert why_leaving(statement.encode(), Dialect(mariadb=True, version=101100), {"schema", "mysql"}) is None


def test_an_account_with_more_rights_is_refused(production: Database, account: dict[str, Any]) -> None:
    """Its scripts could reach production."""
    production.write({"0001_a.up.sql": "CREATE TABLE a (id INT)"})
    user = account["rehearsal_login_user"]
    for more in (f"SELECT ON `{production.name}`.stock", f"INSERT ON `{production.name}`.*", "PROCESS ON *.*"):
        production.query(f"GRANT {more} TO '{user}'@'%'")
        result = production.module("apply", check=True, rehearse="check", **account)
        assert result["failed"]
        assert "The account of rehearsal_login_user has more privileges than a rehearsal needs" in result["msg"]
        production.query(f"REVOKE {more} FROM '{user}'@'%'")
    result = production.module("apply", check=True, rehearse="check", **account)
    assert result["rehearsal"]["complete"]


def test_nothing_is_left_behind(production: Database, server: DatabaseServer) -> None:
    """The schema of a rehearsal is gone, and so is its lock."""
    production.write({"0001_a.up.sql": "ALTER TABLE stock ADD m INT", "0001_a.down.sql": "ALTER TABLE stock DROP m"})
    assert production.module("apply", check=True, rehearse="check")["rehearsal"]["complete"]
    assert server.query("SHOW DATABASES LIKE 'dbops\\_rehearsal%'") == []
