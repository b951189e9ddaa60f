# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a rehearsal says about migrations: what they change, whether they fail, and whether they can be rolled back."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._rehearsal.scratch import lock_name
from integration.migration.support import Database
from parts.forks import Forks
from parts.mariadb import DatabaseServer

SHOP = (
    "CREATE TABLE customer (id INT PRIMARY KEY, name VARCHAR(40) NOT NULL, legacy INT, email VARCHAR(80))",
    "CREATE TABLE orders (id INT PRIMARY KEY, customer INT, placed DATE, note TEXT, KEY placed (placed), "
    "CONSTRAINT of_customer FOREIGN KEY (customer) REFERENCES customer (id))",
    "CREATE TABLE other (id INT PRIMARY KEY)",
    "CREATE VIEW placed_orders AS SELECT id, placed FROM orders",
    "CREATE TRIGGER named BEFORE INSERT ON customer FOR EACH ROW SET NEW.name = TRIM(NEW.name)",
    "CREATE PROCEDURE tidy() DELETE FROM orders WHERE placed < '2000-01-01'",
    "INSERT INTO customer VALUES (1, 'a', 1, 'a@example.com')",
)
# An up file, and a down file that looks right and is not.
MISTAKES = (
    ("ALTER TABLE customer ADD a INT", "ALTER TABLE customer DROP b"),
    ("ALTER TABLE customer ADD a INT, ADD b INT", "ALTER TABLE customer DROP a"),
    ("ALTER TABLE customer ADD a INT, ADD INDEX (a)", "ALTER TABLE customer DROP INDEX a"),
    ("ALTER TABLE customer DROP legacy", "ALTER TABLE customer ADD legacy BIGINT AFTER name"),
    ("ALTER TABLE customer DROP legacy", "ALTER TABLE customer ADD legacy INT"),
    ("ALTER TABLE customer MODIFY name VARCHAR(60) NOT NULL", "ALTER TABLE customer MODIFY name VARCHAR(40)"),
    ("ALTER TABLE customer MODIFY name VARCHAR(60) NOT NULL", "SELECT 1"),
    ("ALTER TABLE orders DROP INDEX placed", "ALTER TABLE orders ADD INDEX placed_index (placed)"),
    (
        "ALTER TABLE orders DROP FOREIGN KEY of_customer",
        "ALTER TABLE orders ADD FOREIGN KEY (customer) REFERENCES customer (id)",
    ),
    ("CREATE TABLE a (id INT PRIMARY KEY); CREATE TABLE b (id INT)", "DROP TABLE a"),
    ("CREATE TABLE a (id INT PRIMARY KEY)", "DROP TABLE IF EXISTS b"),
    ("DROP TABLE other", "CREATE TABLE other (id INT)"),
    ("DROP VIEW placed_orders", "CREATE VIEW placed_orders AS SELECT id FROM orders"),
    ("CREATE OR REPLACE VIEW placed_orders AS SELECT id, placed, note FROM orders", "DROP VIEW placed_orders"),
    ("DROP TRIGGER named", "CREATE TRIGGER named AFTER INSERT ON customer FOR EACH ROW SET @a = 1"),
    ("DROP PROCEDURE tidy", "CREATE PROCEDURE tidy() DELETE FROM orders"),
    ("CREATE FUNCTION one() RETURNS INT DETERMINISTIC RETURN 1", "DROP FUNCTION IF EXISTS two"),
    ("ALTER TABLE other CONVERT TO CHARACTER SET latin1", "ALTER TABLE other COMMENT = 'as before'"),
    ("RENAME TABLE other TO another", "RENAME TABLE another TO others"),
    ("INSERT INTO other VALUES (1); ALTER TABLE other ADD a INT", "ALTER TABLE other DROP a"),
)
RIGHT = (
    ("CREATE TABLE a (id INT PRIMARY KEY, n INT)", "DROP TABLE a"),
    ("ALTER TABLE customer ADD a INT, ADD INDEX (a)", "ALTER TABLE customer DROP INDEX a, DROP a"),
    ("ALTER TABLE orders DROP INDEX placed, ADD INDEX both_of (placed, customer)",
     "ALTER TABLE orders ADD INDEX placed (placed), DROP INDEX both_of"),
    ("ALTER TABLE orders DROP FOREIGN KEY of_customer",
     "ALTER TABLE orders ADD CONSTRAINT of_customer FOREIGN KEY (customer) REFERENCES customer (id)"),
    ("DROP VIEW placed_orders", "CREATE VIEW placed_orders AS SELECT id, placed FROM orders"),
    ("DROP TRIGGER named", "CREATE TRIGGER named BEFORE INSERT ON customer FOR EACH ROW SET NEW.name = TRIM(NEW.name)"),
    ("DROP PROCEDURE tidy", "CREATE PROCEDURE tidy() DELETE FROM orders WHERE placed < '2000-01-01'"),
    ("CREATE EVENT later ON SCHEDULE EVERY 1 DAY DO DELETE FROM orders", "DROP EVENT later"),
    ("INSERT INTO other VALUES (1), (2)", "DELETE FROM other"),
    ("ALTER TABLE customer MODIFY name VARCHAR(60) NOT NULL", "ALTER TABLE customer MODIFY name VARCHAR(40) NOT NULL"),
)  # fmt: skip


@pytest.fixture
def shop(here: Database) -> Database:
    """A schema with objects of several kinds."""
    return _shop(here)


@pytest.fixture
def shops(there: Database) -> Database:
    """The same on each server in turn."""
    return _shop(there)


def _shop(database: Database) -> Database:
    database.query("SET GLOBAL log_bin_trust_function_creators = 1")
    for statement in SHOP:
        database.query(statement)
    return database


def rehearsed(database: Database, **options: Any) -> dict[str, Any]:
    """Return what a rehearsal in check mode gave."""
    result = database.module("apply", check=True, **{"rehearse": "check", **options})
    assert not result["failed"], result
    found: dict[str, Any] = result["rehearsal"]
    return found


def write(database: Database, pairs: tuple[tuple[str, str], ...]) -> None:
    """Write a migration for each pair of an up and a down file."""
    for number, (up, down) in enumerate(pairs, 1):
        database.write({f"{number:04}_x.up.sql": up, f"{number:04}_x.down.sql": down})


# Each takes a run of the module: some of them here, all of them in make test-rehearsal.
@pytest.mark.parametrize(
    "mistakes", [MISTAKES[::6], pytest.param(MISTAKES, marks=pytest.mark.rehearsal)], ids=["some", "all"]
)
def test_a_seeded_mistake_is_found(shops: Database, mistakes: tuple[tuple[str, str], ...]) -> None:
    """Each down file that does not lead back is found, and nothing is changed."""
    shop, before = shops, shops.snapshot()
    for pair in mistakes:
        write(shop, (pair,))
        [migration] = rehearsed(shop)["migrations"]
        assert migration["rehearsed"], (pair, migration["why"])
        assert migration["error"] is None, (pair, migration)
        assert migration["reversible"] is False, (pair, migration)
    assert shop.snapshot() == before


def test_right_down_files_raise_no_alarm(shops: Database) -> None:
    """All of them in one directory."""
    write(shops, RIGHT)
    found = rehearsed(shops)
    assert [(item["reversible"], item["irreversible"]) for item in found["migrations"]] == [(True, None)] * len(RIGHT)
    assert found["complete"]
    assert found["left_out"] == []


def test_migrations_after_a_mistake_are_rehearsed_as_they_would_run(shop: Database) -> None:
    """The copies are made again where a down file has damaged them."""
    write(shop, (MISTAKES[1], RIGHT[0], MISTAKES[8], ("ALTER TABLE customer ADD c INT AFTER a", "SELECT 1")))
    found = rehearsed(shop)["migrations"]
    assert [item["reversible"] for item in found] == [False, True, False, False]
    assert [item["error"] for item in found] == [None] * 4


def test_what_changes_is_said_as_a_difference(shop: Database) -> None:
    """In the result, and below the file's SQL in what is read."""
    shop.write({"0001_a.up.sql": "ALTER TABLE orders ADD paid DATE", "0001_a.down.sql": "ALTER TABLE orders DROP paid"})
    result = shop.module("apply", check=True, diff=True, rehearse="check")
    [change] = result["rehearsal"]["migrations"][0]["changes"]
    assert (change["type"], change["name"], change["change"]) == ("TABLE", "orders", "changed")
    assert "+  `paid` date DEFAULT NULL," in change["diff"].splitlines()
    lines = result["diff"]["prepared"].splitlines()
    assert lines[2] == "1 migration is pending: 1. It ran without an error on copies of the tables."
    assert "- its down file restores the schema" in lines
    assert "  +  `paid` date DEFAULT NULL," in lines
    assert lines.index("  ALTER TABLE orders ADD paid DATE") < lines.index("TABLE orders is changed:")


def test_a_failure_is_found_before_anything_is_run(shop: Database) -> None:
    """Check mode warns of it; a run that always rehearses does nothing."""
    shop.write(
        {
            "0001_a.up.sql": "CREATE TABLE a (id INT);\nALTER TABLE orders ADD note INT;",
            "0002_b.up.sql": "CREATE TABLE b (id INT)",
        }
    )
    result = shop.module("apply", check=True, rehearse="check")
    first, second = result["rehearsal"]["migrations"]
    assert first["error"].startswith("0001_a.up.sql:2 (statement 2): (1060) ")
    assert second["why"] == "version 1, which comes before it, fails"
    found = "up 1, would_fail: it fails on copies of the tables: 0001_a.up.sql:2 (statement 2): (1060) "
    assert any(text.startswith(found) for text in result["warnings"])
    before = shop.snapshot()
    message = shop.refusal(rehearse="always")
    assert message.startswith(f"The guards refuse this plan: {found}")
    assert message.endswith("Nothing was run. (DBM-2111)")
    assert shop.snapshot() == before
    # In a run, "check" rehearses nothing.
    assert "rehearsal" not in shop.module("apply", rehearse="check")
    assert "a" in shop.tables()


def test_a_run_that_always_rehearses_applies_what_passes(shop: Database) -> None:
    """The result has both."""
    write(shop, RIGHT[:2])
    result = shop.apply(rehearse="always")
    assert [item["version"] for item in result["applied"]] == [1, 2]
    assert result["rehearsal"]["complete"]
    assert "rehearsal" not in shop.apply(rehearse="always")
    rollback = shop.module("apply", check=True, rehearse="check", target="none", allow_down=True)["rehearsal"]
    assert [(item["direction"], item["error"], item["reversible"]) for item in rollback["migrations"]] == [
        ("down", None, None),
        ("down", None, None),
    ]


def test_what_needs_rows_is_left_out_and_said(shop: Database) -> None:
    """The copies hold none, so that a parent is not there; what comes after is rehearsed."""
    up = "INSERT INTO orders (id, customer) VALUES (1, 1);\nALTER TABLE orders ADD a INT"
    write(shop, ((up, "ALTER TABLE orders DROP a"),))
    [migration] = rehearsed(shop)["migrations"]
    assert migration["reversible"]
    [skipped] = migration["skipped"]
    assert skipped.startswith("line 1 (statement 1): (1452) ")


def test_a_file_that_is_all_or_nothing(shop: Database) -> None:
    """It is run in one transaction there, too."""
    write(shop, (("-- dbops: all-or-nothing\nINSERT INTO other VALUES (7);\nDELETE FROM other", "SELECT 1"),))
    assert rehearsed(shop)["migrations"][0]["reversible"]


def test_without_a_down_file_it_cannot_be_rolled_back(shop: Database) -> None:
    """It is said, and no reason to end."""
    shop.write({"0001_a.up.sql": "CREATE TABLE a (id INT)", "0002_b.up.sql": "DROP TABLE a"})
    found = rehearsed(shop)["migrations"]
    assert [(item["reversible"], item["irreversible"]) for item in found] == [(False, "it has no down file")] * 2
    assert [item["changes"][0]["change"] for item in found] == ["added", "removed"]


def test_an_account_that_may_not_make_the_schema_is_told_the_grant(shop: Database) -> None:
    """The check itself succeeds."""
    write(shop, RIGHT[:1])
    name = f"p_{shop.name[-8:]}"
    shop.query(f"CREATE USER '{name}'@'%' IDENTIFIED BY 'Secret-1'")
    shop.query(f"GRANT ALL ON `{shop.name}`.* TO '{name}'@'%'")
    try:
        result = shop.module(
            "apply", check=True, diff=True, rehearse="check", login_user=name, login_password="Secret-1"
        )
        found = result["rehearsal"]
        assert not found["complete"]
        assert "GRANT ALL PRIVILEGES ON `dbops\\_rehearsal\\_%`.* TO the account lets it" in found["why"]
        plan = " ".join(result["diff"]["prepared"].split())
        assert "**Not rehearsed**: " in plan
        assert found["why"] in plan
        shop.query(f"GRANT ALL PRIVILEGES ON `dbops\\_rehearsal\\_%`.* TO '{name}'@'%'")
        assert rehearsed(shop, login_user=name, login_password="Secret-1")["complete"]
    finally:
        shop.query(f"DROP USER '{name}'@'%'")


def test_an_object_that_could_not_be_copied_is_not_a_failure(shop: Database) -> None:
    """A view of the mysql schema is not copied; a file that names it is not rehearsed, nor what comes after."""
    shop.query("CREATE VIEW users AS SELECT user FROM mysql.user")
    write(shop, (RIGHT[0], ("DROP VIEW users", "SELECT 1"), RIGHT[1]))
    found = rehearsed(shop)
    assert [item["rehearsed"] for item in found["migrations"]] == [True, False, False]
    why = found["migrations"][1]["why"]
    assert why == "it names VIEW users, which could not be copied: names another schema (mysql)"
    assert found["left_out"] == [{"object": "VIEW users", "why": "names another schema (mysql)"}]


def test_too_many_objects_are_not_copied(here: Database) -> None:
    """The number is said."""
    for number in range(201):
        here.query(f"CREATE TABLE t{number} (id INT)")
    here.write({"0001_a.up.sql": "".join(f"ALTER TABLE t{number} ADD n INT;\n" for number in range(201))})
    assert rehearsed(here)["why"] == "201 objects would have to be copied; the limit is 200"


def test_only_what_is_named_is_copied(shop: Database) -> None:
    """With views, triggers and the other ends of foreign keys."""
    write(shop, (("ALTER TABLE orders ADD a INT", "ALTER TABLE orders DROP a"),))
    # orders, its view, its parent, and the parent's trigger.
    assert rehearsed(shop)["objects"] == 4


def test_one_rehearsal_of_a_database_at_a_time(here: Database) -> None:
    """Another one waits as long as for the lock of migrations, and then says so."""
    write(here, RIGHT[:1])
    with here.server.connect(here.name) as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT GET_LOCK('{lock_name(here.name)}', 0)")
        found = rehearsed(here, lock_timeout=1)
    assert found["why"] == f"another rehearsal of {here.name} did not finish within 1 s"


def test_what_a_killed_run_has_left_is_dropped_by_the_next(here: Database, forks: Forks) -> None:
    """SIGKILL leaves the schema, SIGTERM does not."""
    write(here, (("CREATE TABLE a (id INT); DO SLEEP(20)", "DROP TABLE a"),))
    options = here.arguments("apply", {"rehearse": "check"})

    def begin() -> int:
        number = forks.begin("migration_apply", {**options, "_ansible_check_mode": True, "_ansible_diff": False})
        deadline = time.monotonic() + 30
        while not here.server.query("SELECT 1 FROM information_schema.processlist WHERE info LIKE 'DO SLEEP%'"):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        return number

    def left() -> list[Any]:
        return here.server.query("SHOW DATABASES LIKE 'dbops\\_rehearsal\\_%'")

    os.kill(begin(), signal.SIGKILL)
    forks.status()
    assert len(left()) == 1
    _end_statements(here.server)
    write(here, RIGHT[:1])
    assert rehearsed(here)["complete"]
    assert left() == []
    write(here, (("CREATE TABLE a (id INT); DO SLEEP(20)", "DROP TABLE a"),))
    os.kill(begin(), signal.SIGTERM)
    _end_statements(here.server)
    result = forks.result()
    assert result["msg"] == "SIGTERM: stopped during the rehearsal. Nothing was run. (DBM-2113)"
    assert left() == []


def _end_statements(server: DatabaseServer) -> None:
    for (number,) in server.query("SELECT id FROM information_schema.processlist WHERE info LIKE 'DO SLEEP%'"):
        server.query(f"KILL QUERY {number}")


def test_names_that_mean_something_to_a_program(there: Database) -> None:
    """A question with arguments has percent signs, too."""
    name = "100 %s `of` 'it'"
    quoted = name.replace("`", "``")
    there.query(f"CREATE TABLE `{quoted}` (id INT PRIMARY KEY)")
    there.write(
        {
            "0001_x.up.sql": f"ALTER TABLE `{quoted}` ADD n INT",
            "0001_x.down.sql": f"ALTER TABLE `{quoted}` DROP n",
        }
    )
    result = there.apply(rehearse="always", drift="warn")
    [migration] = result["rehearsal"]["migrations"]
    assert (migration["rehearsed"], migration["error"], migration["reversible"]) == (True, None, True), migration
    assert [impact["table"] for impact in migration["impact"]] == [name]
    there.query(f"DROP TABLE `{quoted}`")
    assert [row["name"] for row in there.module("info")["drift"]] == [name]
    there.write({"0002_x.up.sql": "CREATE TABLE t (id INT)"})
    assert not there.apply(drift="warn")["failed"]
    assert there.module("info")["drift"] == []
