# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The history table: what it says about each attempt, and that golang-migrate's own table is as usual."""

from __future__ import annotations

import getpass
import hashlib
import platform
import subprocess
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._migration.status import VERSION
from integration.migration.support import Database, make
from parts.forks import Forks
from parts.mariadb import DatabaseServer

HISTORY = "schema_migrations_history"
ONE, TWO = "CREATE TABLE a (i INT);\nINSERT INTO a VALUES (1);\n", "CREATE TABLE b (i INT);"
FILES = {
    "1_a.up.sql": ONE,
    "1_a.down.sql": "DROP TABLE a;",
    "2_b.up.sql": TWO,
    "2_b.down.sql": "DROP TABLE b;",
}


@pytest.fixture
def here(here: Database) -> Database:
    """An empty schema on MariaDB."""
    here.write(FILES)
    return here


@pytest.fixture
def there(there: Database) -> Database:
    """An empty schema on each server."""
    there.write(FILES)
    return there


def rows(database: Database, columns: str, table: str = HISTORY) -> list[tuple[Any, ...]]:
    return database.query(f"SELECT {columns} FROM `{table}` ORDER BY id")


def moves(database: Database) -> list[tuple[Any, ...]]:
    return rows(database, "version, direction, leads_to, outcome")


def checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def all_tables(database: Database) -> set[str]:
    return {row[0] for row in database.query("SHOW TABLES")}


def test_a_row_for_each_migration(there: Database) -> None:
    there.apply(commit="c0ffee", run_by="Ada", job="4711")
    columns = "id, version, title, direction, from_version, leads_to, outcome, checksum, statements, done, begun, error"
    assert rows(there, columns) == [
        (1, 1, "a", "up", None, 1, "applied", checksum(ONE), 2, 2, 2, None),
        (2, 2, "b", "up", None, 2, "applied", checksum(TWO), 1, 1, 1, None),
    ]
    about = ("c0ffee", "Ada", platform.node(), "4711", f"dbops.migrations {VERSION}", None)
    assert rows(there, "git_commit, ran_by, ran_on, job, tool, progress") == [about, about]


@pytest.mark.parametrize("name", ["en_US.ISO-8859-1", "POSIX"])
def test_a_title_in_a_locale_that_is_not_utf8(here: Database, run_module: Any, tmp_path: Path, name: str) -> None:
    """Also for a Python that would make it UTF-8."""
    (tmp_path / "locales").mkdir()
    if name != "POSIX":
        make_it = ["localedef", "-i", "en_US", "-f", "ISO-8859-1", str(tmp_path / "locales" / name)]
        subprocess.run(make_it, check=True)
    locale = {"LC_ALL": name, "LOCPATH": f"{tmp_path}/locales", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    here.write({"3_größe.up.sql": "CREATE TABLE c (i INT);", "4_サイズ.up.sql": "CREATE TABLE d (i INT);"})
    for _time in range(2):
        result = run_module("migration_apply", here.arguments("migration_apply", {}), env=locale)
        assert not result["failed"], result["msg"]
    assert rows(here, "version, title, outcome")[2:] == [(3, "größe", "applied"), (4, "サイズ", "applied")]


def test_when_it_ran_and_how_long(there: Database) -> None:
    """In UTC, whatever the server and the migration make of the clock."""
    there.write({"1_a.up.sql": "SET time_zone = '+05:00', timestamp = 86400; SELECT SLEEP(0.2)"})
    there.apply()
    [(now,)] = there.query("SELECT UTC_TIMESTAMP(6)")
    (first, seconds), (second, _seconds) = rows(there, "started_at, seconds")
    assert isinstance(first, datetime)
    assert now - timedelta(seconds=60) < first < second <= now
    assert second - first >= timedelta(seconds=0.2)
    assert 0.2 <= seconds < 30


def test_who_runs_it_is_the_account_otherwise(here: Database) -> None:
    here.apply()
    assert rows(here, "git_commit, ran_by, job") == [(None, getpass.getuser(), None)] * 2


def test_what_is_too_long_is_cut(there: Database) -> None:
    title = "t" * 230
    there.write({f"3_{title}.up.sql": "SELECT 1"})
    long = "ä" * 300
    assert not there.apply(commit="f" * 99, run_by=long, job=long)["failed"]
    assert rows(there, "git_commit, ran_by, job")[-1] == ("f" * 64, long[:255], long[:255])
    assert rows(there, "title")[-1] == (title,)


@pytest.mark.parametrize("text", ['it\'s \\ %s "x" -- ; ☃ 😀', "\\", "'", "%", "\n", "NULL"])
def test_any_text_will_do(here: Database, text: str) -> None:
    here.write({"0_m.up.sql": "SET sql_mode = 'NO_BACKSLASH_ESCAPES,ANSI_QUOTES'; SET NAMES latin1"})
    assert not here.apply(commit=text, run_by=text, job=text)["failed"]
    assert set(rows(here, "git_commit, ran_by, job")) == {(text, text, text)}


def test_a_failed_migration_is_recorded_with_its_error(there: Database) -> None:
    there.write({"2_b.up.sql": "CREATE TABLE b (i INT); SELECT no_such_column; SELECT 1"})
    assert there.apply(job="1")["failed"]
    assert moves(there) == [(1, "up", 1, "applied"), (2, "up", 2, "failed")]
    [_first, (error, done, begun, statements, file, seconds)] = rows(
        there, "error, done, begun, statements, checksum, seconds"
    )
    assert "no_such_column" in error
    assert (done, begun, statements, file) == (1, 1, None, None)
    assert seconds >= 0
    there.write({"2_b.up.sql": "CREATE TABLE b (i INT); SELECT 2"})
    assert not there.apply(job="2")["failed"]
    assert rows(there, "version, outcome, checksum, statements, done, job")[1:] == [
        (2, "failed", None, None, 1, "1"),
        (2, "applied", checksum("CREATE TABLE b (i INT); SELECT 2"), 2, 2, "2"),
    ]


def test_a_failure_of_the_first_statement(there: Database) -> None:
    there.write({"1_a.up.sql": "no such statement"})
    assert there.apply()["failed"]
    assert there.apply()["failed"]
    assert moves(there) == [(1, "up", 1, "failed")] * 2
    assert rows(there, "done, begun") == [(0, 0)] * 2


def test_a_run_that_is_interrupted(there: Database) -> None:
    there.write({"2_b.up.sql": "CREATE TABLE b (i INT); KILL CONNECTION_ID();"})
    assert there.apply()["failed"]
    there.write({"2_b.up.sql": "CREATE TABLE b (i INT); SELECT 1;"})
    result = there.apply(resume_from=2)
    assert not result["failed"], result["msg"]
    assert moves(there)[1:] == [(2, "up", 2, "interrupted"), (2, "up", 2, "applied")]


def test_rollbacks_are_recorded(there: Database) -> None:
    there.apply()
    there.apply(target="none", allow_down=True, job="down")
    assert moves(there)[2:] == [(2, "down", 1, "applied"), (1, "down", None, "applied")]
    assert rows(there, "title, checksum, statements, job")[2:] == [
        ("b", checksum("DROP TABLE b;"), 1, "down"),
        ("a", checksum("DROP TABLE a;"), 1, "down"),
    ]
    assert there.state() == []


def test_a_version_without_a_file(here: Database) -> None:
    (here.directory / "2_b.up.sql").unlink()
    here.apply()
    assert moves(here)[1:] == [(2, "up", 2, "applied")]
    assert not here.apply(checksums="fail")["failed"]


def test_a_forced_version_is_recorded(there: Database) -> None:
    there.apply(target="1")
    there.module("force", version="2", run_by="Ada", job="7")
    columns = "version, title, direction, from_version, leads_to, outcome, checksum, statements, done"
    assert rows(there, columns)[-1] == (2, "", "force", 1, 2, "applied", None, None, 0)
    assert rows(there, "ran_by, ran_on, job, tool")[-1] == ("Ada", platform.node(), "7", f"dbops.migrations {VERSION}")
    [(started,)] = rows(there, "started_at")[-1:]
    assert abs(there.query("SELECT UTC_TIMESTAMP(6)")[0][0] - started) < timedelta(seconds=60)
    there.module("force", version="none")
    assert moves(there)[-1] == (None, "force", None, "applied")
    assert rows(there, "from_version")[-1] == (2,)


def test_force_adds_a_row_only_if_it_sets_something(here: Database) -> None:
    here.module("force", version="none")
    here.module("force", version="2", check=True)
    assert all_tables(here) == set()
    here.module("force", version="2")
    here.module("force", version="2")
    assert moves(here) == [(2, "force", 2, "applied")]


def test_force_of_a_dirty_version(here: Database) -> None:
    here.write({"2_b.up.sql": "no such statement"})
    assert here.apply()["failed"]
    here.module("force", version="2")
    assert moves(here)[1:] == [(2, "up", 2, "failed"), (2, "force", 2, "applied")]
    here.write({"3_c.up.sql": "SELECT 1"})
    assert not here.apply()["failed"]


def test_the_next_run_says_what_force_treated_as_applied(there: Database) -> None:
    there.module("force", version="1")
    there.apply()
    assert moves(there) == [(1, "force", 1, "applied"), (1, "baseline", 1, "applied"), (2, "up", 2, "applied")]
    assert rows(there, "title, from_version, progress")[1] == ("", 1, '{"assumed": [1]}')


def test_force_and_nothing_to_run(here: Database) -> None:
    here.module("force", version="2")
    assert here.apply(check=True)["changed"] is False
    assert len(moves(here)) == 1
    assert here.apply()["changed"] is False
    assert here.apply()["changed"] is False
    assert moves(here) == [(2, "force", 2, "applied"), (2, "baseline", 2, "applied")]


@pytest.mark.usefixtures("golang_migrate")
def test_golang_migrate_moved_it(there: Database) -> None:
    there.apply(target="1")
    there.golang("up")
    assert there.apply(job="7")["changed"] is False
    assert moves(there) == [(1, "up", 1, "applied"), (2, "external", 2, "applied")]
    assert rows(there, "title, from_version, checksum, statements, done, job, progress")[1] == (
        ("", 1, None, None, 0, "7", '{"assumed": [2]}')
    )
    there.golang("down", "1")
    there.apply(history_ahead="ignore")
    assert moves(there)[2:] == [(1, "external", 1, "applied"), (2, "up", 2, "applied")]
    there.golang("down", "-all")
    assert there.apply(steps=1, history_ahead="ignore")["to_version"] == 1
    assert moves(there)[4:] == [(None, "external", None, "applied"), (1, "up", 1, "applied")]


CONTRADICTIONS = {
    "an older backup": ("UPDATE schema_migrations SET version = 1", "version 1, clean", "2"),
    "deleted": ("DELETE FROM schema_migrations", "no version yet, clean", "1, 2"),
    "dropped": ("DROP TABLE schema_migrations", "no version yet, clean", "1, 2"),
}


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_a_state_that_is_older_than_the_history_is_refused(there: Database, name: str) -> None:
    statement, state, ahead = CONTRADICTIONS[name]
    there.apply()
    there.query(statement)
    before = there.snapshot(), rows(there, "*")
    refused = there.apply()
    assert refused["msg"] == (
        f"{there.name}: the state table says {state}, but the history has {ahead} as applied or started. The state "
        "row was deleted, an older backup of it was restored, or golang-migrate rolled back or was forced. If the "
        "history is right, set the version that it has then (module migration_force, playbook "
        "dbops.migrations.force). If the state table is right, run again with history_ahead: ignore. Nothing was "
        "changed. (DBM-1623)"
    )
    versions = [int(version) for version in ahead.split(", ")]
    assert (refused["failed"], refused["history_ahead"], refused["dirty"]) == (True, versions, False)
    for options in ({"check": True}, {"steps": 1}, {"target": "none", "allow_down": True}, {"commit": "c"}):
        assert there.apply(**options)["msg"] == refused["msg"]
    assert (there.snapshot(), rows(there, "*")) == before
    # Each of the two is right for once.
    there.module("force", version="2")
    assert (there.apply()["changed"], there.state()) == (False, [(2, 0)])


@pytest.mark.usefixtures("golang_migrate")
def test_what_golang_migrate_rolled_back_is_refused_unless_the_state_is_to_be_believed(there: Database) -> None:
    there.apply()
    there.golang("down", "1")
    assert there.apply()["history_ahead"] == [2]
    assert there.apply(check=True, history_ahead="ignore")["to_version"] == 2
    assert there.apply()["history_ahead"] == [2]
    result = there.apply(history_ahead="ignore")
    assert [item["version"] for item in result["applied"]] == [2]
    assert moves(there)[2:] == [(1, "external", 1, "applied"), (2, "up", 2, "applied")]
    assert (there.apply()["changed"], there.golang("version").strip()) == (False, "2")


def test_the_state_is_believed_where_there_is_nothing_to_run(there: Database) -> None:
    there.apply()
    there.query("DELETE FROM schema_migrations")
    assert there.apply(target="none", history_ahead="ignore")["changed"] is False
    assert moves(there)[2:] == [(None, "external", None, "applied")]
    assert there.module("info")["history_ahead"] == []


@pytest.mark.usefixtures("golang_migrate")
def test_a_database_of_golang_migrates_is_taken_over(there: Database) -> None:
    there.golang("up", "1")
    there.apply()
    assert moves(there) == [(1, "external", 1, "applied"), (2, "up", 2, "applied")]
    assert there.golang("version").strip() == "2"


@pytest.mark.usefixtures("golang_migrate")
def test_a_database_of_golang_migrates_with_nothing_to_run_is_left_alone(there: Database) -> None:
    there.golang("up")
    before = all_tables(there)
    assert there.apply()["changed"] is False
    assert all_tables(there) == before


def test_nothing_to_do_makes_no_table(there: Database) -> None:
    assert there.apply(target="none")["changed"] is False
    assert there.apply(check=True)["changed"]
    assert all_tables(there) == set()


def test_nothing_to_do_adds_nothing(there: Database) -> None:
    there.apply()
    before = rows(there, "*"), there.snapshot()
    assert there.apply()["changed"] is False
    there.write({"3_c.up.sql": "SELECT 1"})
    assert there.apply(check=True)["changed"]
    assert there.apply(check=True, target="none", allow_down=True)["changed"]
    there.module("info")
    assert (rows(there, "*"), there.snapshot()) == before


def test_the_history_can_have_any_name(there: Database) -> None:
    name = "other `history`"
    there.apply(history_table=name)
    assert all_tables(there) == {"a", "b", "schema_migrations", name}
    assert there.query("SELECT version, outcome FROM `other ``history```") == [(1, "applied"), (2, "applied")]
    assert there.apply(history_table=name, checksums="fail", out_of_order="fail")["changed"] is False


def test_without_a_history_table_none_is_made(there: Database) -> None:
    there.apply(target="1", history_table="")
    there.module("force", version="none", history_table="")
    there.query("DROP TABLE a")
    there.apply(history_table="")
    assert all_tables(there) == {"a", "b", "schema_migrations"}


def test_a_table_of_somebody_elses(there: Database) -> None:
    there.query(f"CREATE TABLE {HISTORY} (id INT PRIMARY KEY, version BIGINT, who TEXT)")
    there.query(f"INSERT INTO {HISTORY} VALUES (1, 2, 'me')")
    before = there.snapshot(), there.query(f"SELECT * FROM {HISTORY}")
    message = there.refusal()
    assert message == (
        f"The table {HISTORY} in {there.name} is not a history table of dbops.migrations: it has the columns id, "
        "version, who. It belongs to something else and is left alone; choose another history_table, or switch the "
        "history off with an empty one. (DBM-1620)"
    )
    assert there.module("force", version="1")["msg"] == message
    assert (there.snapshot(), there.query(f"SELECT * FROM {HISTORY}")) == before
    assert not there.apply(history_table="")["failed"]


@pytest.mark.parametrize("change", ["DROP COLUMN job", "ADD COLUMN mine INT", "RENAME COLUMN job TO jobs"])
def test_a_table_of_ours_that_was_changed(here: Database, change: str) -> None:
    here.apply(target="1")
    here.query(f"ALTER TABLE {HISTORY} {change}")
    assert f"The table {HISTORY} in {here.name} is not a history table of dbops.migrations" in here.refusal()
    assert here.state() == [(1, 0)]


def test_a_view_of_that_name(here: Database) -> None:
    here.query(f"CREATE VIEW {HISTORY} AS SELECT 1 AS a")
    assert "is not a history table of dbops.migrations: it has the columns a." in here.refusal()


def user(database: Database, *grants: str) -> dict[str, Any]:
    """Return the options for a user with these rights and no others."""
    name = f"u{database.name[-8:]}"
    database.query(f"CREATE USER '{name}'@'%' IDENTIFIED BY 'pw'")
    for grant in grants:
        privileges, _on, table = grant.rpartition(" ON ")
        database.query(f"GRANT {privileges} ON `{database.name}`.{table} TO '{name}'@'%'")
    # MySQL's users prove who they are by RSA, or by TLS.
    return {"login_user": name, "login_password": "pw"}


@pytest.mark.parametrize("change", ["progress = 'not JSON'", "done = -1"])
def test_a_row_that_something_else_has_changed(there: Database, change: str) -> None:
    there.write({"9_bad.up.sql": "INSERT INTO nowhere VALUES (1);"})
    there.apply()
    there.query(f"UPDATE {HISTORY} SET {change} ORDER BY id DESC LIMIT 1")
    before = there.snapshot(), rows(there, "*")
    assert there.refusal().startswith("The history has a row that dbops.migrations did not write, or that was")
    assert (there.snapshot(), rows(there, "*")) == before


def test_a_user_who_may_not_read_it(there: Database) -> None:
    there.apply(target="1")
    options = user(there, "SELECT, INSERT, DELETE ON schema_migrations")
    before = rows(there, "*")
    message = there.refusal(**options)
    assert message.startswith(f"The user may not read the table {HISTORY} in {there.name}, if there is one: (1142) ")
    assert message.endswith(
        "Grant the user SELECT on it. A history that is not wanted is switched off with an empty history_table. "
        "(DBM-1607)"
    )
    assert there.module("force", version="2", **options)["msg"] == message
    assert (rows(there, "*"), there.state()) == (before, [(1, 0)])
    assert there.apply(target="1", history_table="", **options)["changed"] is False


def test_a_user_who_may_not_write_it(there: Database) -> None:
    there.apply(target="1")
    grants = f"SELECT ON {HISTORY}", "SELECT, INSERT, DELETE ON schema_migrations", "CREATE ON b"
    result = there.apply(**user(there, *grants))
    assert "(1142)" in result["msg"]
    assert "Nothing after that was run. The database says: version 1, clean." in result["msg"]
    assert (there.state(), there.tables(), len(moves(there))) == ([(1, 0)], {"a"}, 1)


def test_without_the_lock(there: Database) -> None:
    [warning] = there.apply(lock=False)["warnings"]
    assert warning.startswith(f"Locking is off: nothing prevents concurrent runs on {there.name}. ")
    assert moves(there) == [(1, "up", 1, "applied"), (2, "up", 2, "applied")]
    there.module("force", version="1", lock=False)
    assert moves(there)[2:] == [(1, "force", 1, "applied")]


@pytest.mark.usefixtures("golang_migrate")
def test_the_state_table_is_golang_migrates(
    server: DatabaseServer, tmp_path: Path, forks: Forks, there: Database
) -> None:
    theirs = make(server, tmp_path / "migrations", forks)
    question = "SHOW CREATE TABLE schema_migrations"
    there.apply()
    theirs.golang("up")
    assert there.query(question) == theirs.query(question)
    assert there.state() == theirs.state()
    assert there.snapshot() == theirs.snapshot()
    server.query(f"DROP DATABASE `{theirs.name}`")


def test_the_table_is_the_same_on_a_server_with_other_defaults(here: Database) -> None:
    here.query(f"ALTER DATABASE `{here.name}` CHARACTER SET latin1")
    here.apply(run_by="Ада ☃")
    assert rows(here, "ran_by") == [("Ада ☃",)] * 2
    [(_name, text)] = here.query(f"SHOW CREATE TABLE {HISTORY}")
    assert "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4" in text


def test_migrations_may_write_tables_of_other_schemas(here: Database) -> None:
    """The history is beside the state table, wherever a migration has gone."""
    other = f"{here.name}_other"
    here.query(f"CREATE DATABASE {other}")
    here.write({"3_c.up.sql": f"USE {other}; CREATE TABLE c (i INT); USE {here.name};"})
    result = here.apply()
    found = here.query(f"SHOW TABLES FROM {other}")
    here.query(f"DROP DATABASE {other}")
    assert not result["failed"], result["msg"]
    assert (found, moves(here)[2:]) == ([("c",)], [(3, "up", 3, "applied")])
