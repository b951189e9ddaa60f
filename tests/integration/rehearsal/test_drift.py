# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What somebody changes who does not use migrations: it is found and named, and nothing else is."""

from __future__ import annotations

import contextlib
from typing import Any

import pymysql
import pytest
from integration.migration.support import Database
from integration.rehearsal.objects import Dice
from integration.rehearsal.test_rehearsal import SHOP
from parts.mariadb import MariaDB

FIRST = {"1_shop.up.sql": "".join(f"{statement};\n" for statement in SHOP)}
NEXT = {"2_next.up.sql": "CREATE TABLE next (i INT);\n", "2_next.down.sql": "DROP TABLE next;\n"}
# By what somebody types, what is found of it.
CHANGES = {
    "ALTER TABLE other ADD a INT": ["TABLE other changed"],
    "ALTER TABLE other ADD a INT FIRST": ["TABLE other changed"],
    "ALTER TABLE other ADD a INT AS (id + 1)": ["TABLE other changed"],
    "ALTER TABLE other ADD KEY (id)": ["TABLE other changed"],
    "ALTER TABLE other ADD UNIQUE KEY u (id)": ["TABLE other changed"],
    "ALTER TABLE other ADD CHECK (id > 0)": ["TABLE other changed"],
    "ALTER TABLE other DROP PRIMARY KEY": ["TABLE other changed"],
    "ALTER TABLE other MODIFY id BIGINT": ["TABLE other changed"],
    "ALTER TABLE other MODIFY id INT COMMENT 'a'": ["TABLE other changed"],
    "ALTER TABLE other MODIFY id INT DEFAULT 7": ["TABLE other changed"],
    "ALTER TABLE other MODIFY id INT AUTO_INCREMENT": ["TABLE other changed"],
    "ALTER TABLE other RENAME COLUMN id TO number": ["TABLE other changed"],
    "ALTER TABLE other COMMENT 'a'": ["TABLE other changed"],
    "ALTER TABLE other ROW_FORMAT=COMPRESSED": ["TABLE other changed"],
    "ALTER TABLE other ENGINE=MyISAM": ["TABLE other changed"],
    "ALTER TABLE other CONVERT TO CHARACTER SET latin1": ["TABLE other changed"],
    "ALTER TABLE other PARTITION BY HASH (id) PARTITIONS 2": ["TABLE other changed"],
    "ALTER TABLE customer MODIFY name VARCHAR(41) NOT NULL": ["TABLE customer changed"],
    "ALTER TABLE customer MODIFY name VARCHAR(40)": ["TABLE customer changed"],
    "ALTER TABLE customer MODIFY name VARCHAR(40) COLLATE utf8mb4_bin NOT NULL": ["TABLE customer changed"],
    "ALTER TABLE customer MODIFY name VARCHAR(40) NOT NULL AFTER email": ["TABLE customer changed"],
    "ALTER TABLE customer DROP email": ["TABLE customer changed"],
    "CREATE INDEX i ON customer (name)": ["TABLE customer changed"],
    "CREATE INDEX i ON customer (name(10))": ["TABLE customer changed"],
    "CREATE FULLTEXT INDEX i ON customer (name)": ["TABLE customer changed"],
    "CREATE UNIQUE INDEX i ON customer (id, name)": ["TABLE customer changed"],
    "DROP INDEX placed ON orders": ["TABLE orders changed"],
    "ALTER TABLE orders DROP FOREIGN KEY of_customer": ["TABLE orders changed"],
    "ALTER TABLE orders DROP FOREIGN KEY of_customer, ADD CONSTRAINT of_all FOREIGN KEY (customer) REFERENCES "
    "customer (id) ON DELETE CASCADE": ["TABLE orders changed"],
    "ALTER TABLE orders DROP KEY placed, ADD KEY placed (placed, id)": ["TABLE orders changed"],
    "ALTER TABLE orders MODIFY note LONGTEXT": ["TABLE orders changed"],
    "ALTER TABLE orders ADD `Größe` INT": ["TABLE orders changed"],
    "DROP TABLE other": ["TABLE other removed"],
    "RENAME TABLE other TO another": ["TABLE another added", "TABLE other removed"],
    "CREATE TABLE `Tür` (i INT)": ["TABLE Tür added"],
    "CREATE TABLE a LIKE orders": ["TABLE a added"],
    "DROP VIEW placed_orders": ["VIEW placed_orders removed"],
    "ALTER VIEW placed_orders AS SELECT id FROM orders": ["VIEW placed_orders changed"],
    "ALTER VIEW placed_orders AS SELECT id, placed FROM orders WHERE id > 1": ["VIEW placed_orders changed"],
    "ALTER ALGORITHM=MERGE VIEW placed_orders AS SELECT id, placed FROM orders": ["VIEW placed_orders changed"],
    "ALTER SQL SECURITY INVOKER VIEW placed_orders AS SELECT id, placed FROM orders": ["VIEW placed_orders changed"],
    "CREATE VIEW v AS SELECT 1": ["VIEW v added"],
    "DROP TRIGGER named": ["TRIGGER named removed"],
    "DROP TRIGGER named; CREATE TRIGGER named BEFORE INSERT ON customer FOR EACH ROW SET NEW.name = UPPER(NEW.name)": [
        "TRIGGER named changed"
    ],
    "CREATE TRIGGER first_of BEFORE INSERT ON customer FOR EACH ROW PRECEDES named SET NEW.legacy = 1": [
        "TRIGGER first_of added",
        "TRIGGER named changed",
    ],
    "DROP PROCEDURE tidy": ["PROCEDURE tidy removed"],
    "DROP PROCEDURE tidy; CREATE PROCEDURE tidy() DELETE FROM orders": ["PROCEDURE tidy changed"],
    "ALTER PROCEDURE tidy SQL SECURITY INVOKER": ["PROCEDURE tidy changed"],
    "SET SESSION sql_mode = 'ANSI_QUOTES'; DROP PROCEDURE tidy; CREATE PROCEDURE tidy() DELETE FROM orders WHERE "
    "placed < '2000-01-01'": ["PROCEDURE tidy changed"],
    "CREATE FUNCTION one() RETURNS INT DETERMINISTIC RETURN 1": ["FUNCTION one added"],
    "CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO DELETE FROM other": ["EVENT e added"],
}
# What changes no definition.
HARMLESS = (
    "INSERT INTO other VALUES (1), (2)",
    "DELETE FROM customer",
    "ALTER TABLE other FORCE",
    "OPTIMIZE TABLE other",
    "ANALYZE TABLE customer",
    "TRUNCATE other",
    "ALTER TABLE other ADD a INT; ALTER TABLE other DROP a",
    "RENAME TABLE other TO another; RENAME TABLE another TO other",
    "ALTER TABLE orders DROP KEY placed; ALTER TABLE orders ADD KEY placed (placed)",
    "CREATE TABLE a (i INT); DROP TABLE a",
)


def names(result: dict[str, Any]) -> list[str] | None:
    """Return what a result says has changed."""
    found = result["drift"]
    return None if found is None else [f"{row['type']} {row['name']} {row['change']}" for row in found]


def type_in(database: Database, sql: str) -> None:
    """Do what somebody does manually."""
    with database.server.connect(database.name) as connection, connection.cursor() as cursor:
        cursor.execute("SET NAMES utf8mb4")
        for statement in sql.split("; "):
            cursor.execute(statement)


@pytest.fixture
def shop(there: Database) -> Database:
    """A schema whose definitions are kept."""
    there.write(FIRST)
    assert names(there.apply(drift="warn")) is None
    return there


# Each takes two runs of the module: some of them here, all of them in make test-rehearsal.
@pytest.mark.parametrize("every", [4, pytest.param(1, marks=pytest.mark.rehearsal)], ids=["some", "all"])
def test_each_change_is_named(shop: Database, every: int) -> None:
    assert len(CHANGES) > 50
    for sql, found in [*CHANGES.items()][::every]:
        # As it was, whatever the one before has done.
        shop.query(f"DROP DATABASE `{shop.name}`")
        shop.server.create_schema(shop.name)
        shop.apply(drift="warn")
        type_in(shop, sql)
        result = shop.module("info")
        assert names(result) == found, sql
        assert not result["healthy"]
        assert all(row["diff"] for row in result["drift"])
        count = f"{len(found)} object{'s' if len(found) > 1 else ''} changed outside migrations"
        assert result["msg"] == f"{shop.name}: version 1, 0 migrations pending, {count}"


def test_nothing_else_is(shop: Database) -> None:
    for sql in HARMLESS:
        type_in(shop, sql)
        result = shop.module("info")
        assert (names(result), result["healthy"]) == ([], True), sql


def test_schemas_of_all_kinds_of_objects(there: Database) -> None:
    there.write({"1_a.up.sql": "SELECT 1;\n"})
    with there.server.connect(there.name) as connection, connection.cursor() as cursor:
        cursor.execute("SET NAMES utf8mb4")
        for statement in Dice(7, isinstance(there.server, MariaDB)).statements(60):
            # What the server refuses is not part of the schema.
            with contextlib.suppress(pymysql.MySQLError):
                cursor.execute(statement)
    there.apply(drift="warn")
    [(count,)] = there.query("SELECT COUNT(*) FROM schema_migrations_definitions")
    assert count > 50
    assert names(there.module("info")) == []


def test_warn_and_refuse(shop: Database) -> None:
    shop.write(NEXT)
    type_in(shop, "ALTER TABLE other ADD a INT; DROP VIEW placed_orders")
    said = (
        f"{shop.name} has drifted: these objects were changed since the last run, and not by a migration: TABLE other "
        "changed, VIEW placed_orders removed."
    )
    for check in (True, False):
        result = shop.module("apply", check, drift="refuse")
        assert result["failed"]
        assert result["msg"] == (
            f"{said} Undo the changes, or make them in a migration; or set drift to warn for one run, which accepts "
            "them. Nothing was run. (DBM-2116)"
        )
        assert [row["name"] for row in result["drift"]] == ["other", "placed_orders"]
        assert "\n+  `a` int" in result["drift"][0]["diff"]
    result = shop.module("apply", True, drift="warn")
    assert result["warnings"] == [f"{said} (DBM-2117)"]
    assert names(shop.module("info")) == ["TABLE other changed", "VIEW placed_orders removed"]
    result = shop.apply(drift="warn")
    assert (result["warnings"], names(result)) == (
        [f"{said} (DBM-2117)"],
        ["TABLE other changed", "VIEW placed_orders removed"],
    )
    assert names(shop.module("info")) == []
    assert names(shop.apply(target="1", allow_down=True, drift="refuse")) == []
    assert "drift" not in shop.apply(target="1", drift="refuse")


def test_where_it_is_not_known(shop: Database) -> None:
    """Something else has run since, or something is not over."""
    type_in(shop, "ALTER TABLE other ADD a INT")
    shop.write({**NEXT, "3_fails.up.sql": "CREATE TABLE b (i INT);\nSELECT nothing;\n"})
    shop.golang("up", "1")
    assert shop.state() == [(2, 0)]
    assert shop.module("info")["drift"] is None
    result = shop.module("apply", drift="refuse")
    assert result["failed"]
    assert result["dirty"]
    assert shop.module("info")["drift"] is None
    shop.write({"3_fails.up.sql": "CREATE TABLE b (i INT);\nSELECT 1;\n"})
    assert shop.apply(resume_from=2, drift="refuse")["drift"] is None
    assert names(shop.module("info")) == []
    shop.write({"4_d.up.sql": "CREATE TABLE d (i INT);\n"})
    # Whoever does without does not keep it up.
    assert "drift" not in shop.apply()
    assert shop.module("info")["drift"] is None
    # With nothing to do, it is kept again.
    shop.apply(drift="warn")
    assert names(shop.module("info")) == []


def test_an_account_that_may_not_see_all(shop: Database) -> None:
    """What it does not see at one time or the other counts as equal."""
    user = f"{shop.name}_u"
    shop.server.query(f"CREATE USER '{user}'@'%' IDENTIFIED BY 'pw'")
    try:
        rights = "SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, REFERENCES"
        shop.server.query(f"GRANT {rights} ON `{shop.name}`.* TO '{user}'@'%'")
        account: dict[str, Any] = {"login_user": user, "login_password": "pw"}
        assert names(shop.module("info", **account)) == []
        shop.write(NEXT)
        shop.apply(drift="refuse", **account)
        assert names(shop.module("info")) == []
        shop.server.query(f"REVOKE DELETE, CREATE, DROP ON `{shop.name}`.* FROM '{user}'@'%'")
        shop.write({"3_a.up.sql": "ALTER TABLE next ADD j INT;\n"})
        shop.query("DROP TABLE schema_migrations_definitions")
        shop.server.query(f"GRANT DELETE ON `{shop.name}`.* TO '{user}'@'%'")
        result = shop.apply(drift="warn", **account)
        [warning] = result["warnings"]
        assert warning.startswith("The definitions could not be saved, so drift will not be detected: ")
        assert "1142" in warning
        assert shop.state() == [(3, 0)]
    finally:
        shop.server.query(f"DROP USER '{user}'@'%'")


def test_a_table_of_somebody_else(here: Database) -> None:
    here.write(FIRST)
    here.query("CREATE TABLE schema_migrations_definitions (word TEXT)")
    result = here.apply(drift="warn")
    [warning] = result["warnings"]
    assert warning.startswith("The definitions could not be saved, so drift will not be detected: ")
    assert "(1054)" in warning
    assert here.module("info")["drift"] is None
    assert here.query("SHOW COLUMNS FROM schema_migrations_definitions")[0][0] == "word"
