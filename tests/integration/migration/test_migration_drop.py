# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""migration_drop does what golang-migrate's drop does, says what goes, and drops nothing by mistake."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.lock import lock_name
from integration.migration.support import Database

SCHEMA = (
    "CREATE TABLE a (id INT PRIMARY KEY, b_id INT)",
    "CREATE TABLE b (id INT PRIMARY KEY, a_id INT, CONSTRAINT to_a FOREIGN KEY (a_id) REFERENCES a (id))",
    "ALTER TABLE a ADD CONSTRAINT to_b FOREIGN KEY (b_id) REFERENCES b (id)",
    "INSERT INTO a VALUES (1, NULL), (2, NULL)",
    "INSERT INTO b VALUES (1, 1), (2, 2), (3, NULL)",
    "CREATE TABLE `with blank` (id INT)",
    "CREATE TABLE `100%s` (id INT)",
    "CREATE TABLE `Größe` (id INT)",
    "CREATE TABLE `schema_migrations_history` (id INT)",
    "CREATE TABLE `schema_migrations` (version bigint not null primary key, dirty boolean not null)",
    "INSERT INTO `schema_migrations` VALUES (7, 0)",
    "CREATE TRIGGER on_a BEFORE INSERT ON a FOR EACH ROW SET @x = 1",
    "CREATE VIEW seen AS SELECT 1 AS one",
    "CREATE VIEW a_seen AS SELECT id FROM a",
    "CREATE PROCEDURE routine() SELECT 1",
    "CREATE EVENT later ON SCHEDULE EVERY 1 YEAR DO DO 1",
)


def fill(database: Database, *more: str) -> None:
    for statement in (*SCHEMA, *more):
        database.query(statement)


def drop(database: Database, **options: Any) -> dict[str, Any]:
    return database.module("drop", **{"confirm_database": database.name, **options})


def objects(database: Database) -> dict[str, set[Any]]:
    return {
        "tables": set(database.query("SHOW FULL TABLES")),
        "routines": {row[1] for row in database.query("SHOW PROCEDURE STATUS WHERE Db = DATABASE()")},
        "events": {row[1] for row in database.query("SHOW EVENTS")},
        "triggers": {row[0] for row in database.query("SHOW TRIGGERS")},
    }


def test_the_same_as_golang_migrates(twins: tuple[Database, Database]) -> None:
    ours, theirs = twins
    for database in twins:
        fill(database)
    assert theirs.golang("drop", "-f") == ""
    result = drop(ours)
    assert objects(ours) == objects(theirs)
    assert objects(ours) == {
        "tables": {("seen", "VIEW"), ("a_seen", "VIEW")},
        "routines": {"routine"},
        "events": {"later"},
        "triggers": set(),
    }
    rows = {"a": 2, "b": 3, "with blank": 0, "100%s": 0, "Größe": 0, "schema_migrations_history": 0}
    assert {table["name"]: table["rows"] for table in result["tables"]} == {**rows, "schema_migrations": 1}
    assert (result["changed"], result["warnings"]) == (True, [])
    assert result["msg"] == f"{ours.name}: dropped 7 tables with 6 rows"
    # Either continues from there.
    ours.write({"1_a.up.sql": "CREATE TABLE a (id INT)"})
    assert "1/u a" in ours.golang("up")
    assert theirs.apply()["to_version"] == 1
    drop(theirs)
    assert objects(theirs) == objects(ours) | {"tables": {("seen", "VIEW"), ("a_seen", "VIEW")}}


def test_what_only_mariadb_has(database: Database, golang_migrate: Path) -> None:
    database.query("CREATE VIEW seen AS SELECT 1 AS one")
    for theirs in (True, False):
        database.query("CREATE SEQUENCE numbers")
        database.query("CREATE TABLE versioned (id INT) WITH SYSTEM VERSIONING")
        if theirs:
            assert database.golang("drop", "-f") == ""
        else:
            assert drop(database)["tables"] == [{"name": "numbers", "rows": 1}, {"name": "versioned", "rows": 0}]
        assert database.query("SHOW FULL TABLES") == [("seen", "VIEW")]


def test_a_backtick_stops_golang_migrate_and_not_us(twins: tuple[Database, Database]) -> None:
    ours, theirs = twins
    for database in twins:
        fill(database, "CREATE TABLE `a``b` (id INT)")
    assert "1064" in theirs.golang("drop", "-f")
    assert ("a`b", "BASE TABLE") in theirs.query("SHOW FULL TABLES")
    assert "a`b" in {table["name"] for table in drop(ours)["tables"]}
    assert {kind for name, kind in ours.query("SHOW FULL TABLES")} == {"VIEW"}


def test_check_mode_and_diff_mode(database: Database) -> None:
    fill(database)
    before = database.snapshot()
    planned = drop(database, check=True, diff=True)
    assert database.snapshot() == before
    done = drop(database, diff=True)
    assert planned.pop("msg") == f"{database.name}: check mode, nothing was changed; it would drop 7 tables with 6 rows"
    assert done.pop("msg") == f"{database.name}: dropped 7 tables with 6 rows"
    assert planned == done
    assert "a, rows: 2\n" in done["diff"]["before"]
    assert (done["diff"]["after"], done["diff"]["before_header"]) == ("", database.name)


def test_an_empty_schema(database: Database) -> None:
    for check in (True, False):
        result = drop(database, check=check)
        assert (result["changed"], result["tables"]) == (False, [])
        assert result["msg"] == f"{database.name}: nothing to drop, it has no tables"
    assert database.snapshot() == {}


def test_a_second_run_changes_nothing(database: Database) -> None:
    fill(database)
    assert drop(database)["changed"] is True
    assert drop(database)["changed"] is False


@pytest.mark.parametrize("given", ["", "other", "UPPER", " {} "])
def test_another_name_is_refused(database: Database, given: str) -> None:
    fill(database)
    before = database.snapshot()
    confirmed = database.name.upper() if given == "UPPER" else given.format(database.name)
    for check in (True, False):
        assert drop(database, check=check, confirm_database=confirmed)["msg"] == (
            f"confirm_database is {confirmed!r}, and login_db is {database.name!r}. Repeat the name of the schema "
            "exactly to have all its tables dropped. Nothing was changed. (DBM-2307)"
        )
    assert database.snapshot() == before


def test_no_name_at_all(database: Database) -> None:
    assert "confirm_database" in drop(database, confirm_database=None)["msg"]
    assert drop(database, login_db="", confirm_database="")["msg"].startswith("login_db is empty")


def test_another_run_holds_the_lock(database: Database) -> None:
    fill(database)
    with database.server.connect(database.name) as other, other.cursor() as cursor:
        cursor.execute("SELECT GET_LOCK(%s, 0)", (lock_name(database.name, "schema_migrations"),))
        refused = drop(database, lock_timeout=1)["msg"]
        assert f"Another migration run holds the lock on {database.name}: it was not free within 1 s." in refused
        assert "a" in database.tables()
        [warning] = drop(database, lock=False)["warnings"]
        assert warning == (
            f"Locking is off: nothing prevents concurrent runs on {database.name}. Make sure that neither this "
            "collection nor golang-migrate works on it at the same time. (DBM-1533)"
        )
    assert database.query("SHOW FULL TABLES WHERE table_type = 'BASE TABLE'") == []


def test_the_server_refuses_to_drop_one(database: Database) -> None:
    user = f"u{database.name[-8:]}"
    for statement in (
        "CREATE TABLE a (id INT)",
        "CREATE TABLE b (id INT)",
        "CREATE TABLE c (id INT)",
        f"CREATE USER '{user}'@'%' IDENTIFIED BY 'pw'",
        f"GRANT SELECT ON `{database.name}`.* TO '{user}'@'%'",
        f"GRANT DROP ON `{database.name}`.a TO '{user}'@'%'",
        f"GRANT DROP ON `{database.name}`.c TO '{user}'@'%'",
    ):
        database.query(statement)
    result = drop(database, login_user=user, login_password="pw")
    assert result["failed"]
    assert result["msg"].startswith(
        f"The table b of {database.name} could not be dropped: (1142) DROP command denied to user"
    )
    assert result["msg"].endswith("1 table was dropped before it; 2 are left. Fix the cause and run again. (DBM-2309)")
    assert (result["error_code"], result["tables"]) == (1142, [{"name": "a", "rows": 0}])
    assert database.tables() == {"b", "c"}
    database.query(f"DROP USER '{user}'@'%'")


def test_a_damaged_table_goes_too(database: Database) -> None:
    database.query("CREATE TABLE good (id INT)")
    database.query("INSERT INTO good VALUES (1)")
    database.query("CREATE TABLE damaged (id INT) ENGINE=MyISAM")
    database.query("FLUSH TABLES")
    (database.server.folder / "data" / database.name / "damaged.MYI").write_bytes(b"")
    result = drop(database, diff=True)
    assert result["tables"] == [{"name": "damaged", "rows": None}, {"name": "good", "rows": 1}]
    assert result["msg"] == f"{database.name}: dropped 2 tables with at least 1 row"
    [warning] = result["warnings"]
    assert warning.startswith("The rows of damaged could not be counted: (")
    assert database.tables() == set()
