# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a migration destroys is kept, and is restored; and whatever ends a run, nothing is lost."""

from __future__ import annotations

import os
import signal
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._core.errors import Error
from ansible_collections.dbops.migrations.plugins.module_utils._migration.model import Source, Step
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.session import Session
from ansible_collections.dbops.migrations.plugins.module_utils._rehearsal.destroyed import Loss, Losses
from ansible_collections.dbops.migrations.plugins.module_utils._rehearsal.keep import Keeper
from ansible_collections.dbops.migrations.plugins.module_utils._rehearsal.kept import Catalogue, Entry
from integration.migration.support import Database, make
from integration.rehearsal.support import session_of
from parts import private_folder
from parts.forks import Forks
from parts.mariadb import DatabaseServer, MariaDB

COLUMNS = "id INT PRIMARY KEY, n INT, s VARCHAR(40), d DECIMAL(10,2), m INT NOT NULL DEFAULT 7"
ROWS = "(1, 1, 'Aa', 12345678.91, 1), (2, NULL, 'aA', -0.5, 2), (3, 3, NULL, NULL, 3)"
PARTS = "PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (3), PARTITION p1 VALUES LESS THAN MAXVALUE)"
# A statement about the table @; what is kept, and how; nothing for one that destroys nothing.
SPELLINGS: tuple[tuple[str, str, str], ...] = (
    ("DROP TABLE @", "table", "renamed"),
    ("drop table @", "table", "renamed"),
    ("DROP TABLE `@`", "table", "renamed"),
    ("DROP TABLE IF EXISTS @", "table", "renamed"),
    ("DROP TABLE @ CASCADE", "table", "renamed"),
    ("DROP TABLE IF EXISTS @ RESTRICT", "table", "renamed"),
    ("DROP TABLE @ -- gone", "table", "renamed"),
    ("/* first */ DROP /* then */ TABLE @", "table", "renamed"),
    ("DROP\n\tTABLE\n@", "table", "renamed"),
    ("DROP TABLE @, @_too", "table", "renamed"),
    ("DROP TABLE IF EXISTS @, @_not_there", "table", "copied"),
    ("DROP TABLES @", "table", "copied"),
    ("/*!40000 DROP TABLE @ */", "table", "renamed"),
    ("DROP TABLE @; CREATE TABLE @ (id INT)", "table", "copied"),
    ("DROP TABLE @; DROP TABLE IF EXISTS @", "table", "copied"),
    ("RENAME TABLE @ TO @_old; DROP TABLE @_old", "table", "copied"),
    ("ALTER TABLE @ RENAME TO @_old; DROP TABLE @_old", "table", "copied"),
    ("CREATE TABLE @_new LIKE @; RENAME TABLE @ TO @_old, @_new TO @; DROP TABLE @_old", "table", "copied"),
    ("ALTER TABLE @ DROP n", "columns", "copied"),
    ("ALTER TABLE @ DROP COLUMN `s`", "columns", "copied"),
    ("ALTER TABLE @ DROP COLUMN m, DROP n, ADD x INT", "columns", "copied"),
    ("ALTER TABLE @ DROP d, ADD d DECIMAL(10,2)", "columns", "copied"),
    ("ALTER TABLE @ DROP m, RENAME COLUMN n TO m", "columns", "copied"),
    ("ALTER TABLE @ RENAME TO @_other, DROP COLUMN n", "columns", "copied"),
    ("ALTER TABLE @ DROP N, ADD n INT", "columns", "copied"),
    ("ALTER TABLE @ RENAME COLUMN n TO x; ALTER TABLE @ ADD n INT; ALTER TABLE @ DROP x", "columns", "copied"),
    ("ALTER TABLE @ DROP PRIMARY KEY, DROP n", "rows", "copied"),
    ("ALTER TABLE @ DROP PRIMARY KEY, DROP id, ADD id INT AUTO_INCREMENT PRIMARY KEY", "rows", "copied"),
    ("UPDATE @ SET id = id + 10 WHERE n = 1; ALTER TABLE @ DROP m", "rows", "copied"),
    ("UPDATE @ SET id = id + 10", "rows", "copied"),
    ("TRUNCATE TABLE @", "rows", "copied"),
    ("truncate @", "rows", "copied"),
    ("DELETE FROM @", "rows", "copied"),
    ("DELETE FROM `@` /* all */", "rows", "copied"),
    ("UPDATE @ SET n = 1, s = CONCAT(s, ',')", "columns", "copied"),
    ("UPDATE `@` AS a SET a.n = (SELECT 5)", "columns", "copied"),
    ("ALTER TABLE @ ADD x INT; UPDATE @ SET x = n", "", ""),
    ("DELETE FROM @ WHERE id = 7", "", ""),
    ("RENAME TABLE @ TO @_moved", "", ""),
    ("ALTER TABLE @ CHANGE n nn BIGINT", "", ""),
    ("ALTER TABLE @ RENAME COLUMN n TO x; ALTER TABLE @ RENAME COLUMN x TO n", "", ""),
    ("UPDATE @ SET id = 7 WHERE id = 8", "", ""),
)  # fmt: skip


@pytest.fixture
def keep(request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of a schema that is not there."""
    database = request.getfixturevalue("there" if "there" in request.fixturenames else "here")
    name = f"kept_{uuid.uuid4().hex[:12]}"
    yield name
    database.server.query(f"DROP DATABASE IF EXISTS `{name}`")


def write(database: Database, version: int, *statements: str, down: str = "") -> None:
    name = f"{version:04}_x"
    database.write(
        {
            f"{name}.up.sql": "".join(f"{text}\n;\n" if "--" in text else f"{text};\n" for text in statements),
            **({f"{name}.down.sql": down} if down else {}),
        }
    )


def apply(database: Database, keep: str, **options: Any) -> dict[str, Any]:
    """Apply everything, and keep what goes."""
    result = database.apply(rehearse="always", keep_destroyed=keep, **options)
    assert not result.get("failed"), result["msg"]
    return result


def refusal(database: Database, keep: str, **options: Any) -> str:
    """Return the message of a run that keeps, and fails; what it would fail on is allowed."""
    return database.refusal(rehearse="always", keep_destroyed=keep, guards={"would_fail": "allow"}, **options)


def kept(database: Database, keep: str) -> list[dict[str, Any]]:
    result = database.module("info", keep_destroyed=keep)
    assert not result.get("failed"), result["msg"]
    found: list[dict[str, Any]] = result["kept"]
    return found


def handle(database: Database, keep: str, check: bool = False, **options: Any) -> dict[str, Any]:
    """Run migration_kept."""
    arguments = {**database.arguments("force", {}), "keep_destroyed": keep, **options}
    result: dict[str, Any] = database.run_module("migration_kept", arguments, check, False)
    assert "Traceback" not in str(result)
    return result


def checksum(database: Database, table: str, schema: str = "") -> Any:
    [(_name, value)] = database.query(f"CHECKSUM TABLE `{schema or database.name}`.`{table}`")
    assert value is not None
    return value


def test_each_spelling_is_kept_and_comes_back(there: Database, keep: str) -> None:
    """A table with all it was, values of columns by their key; nothing of what does no harm."""
    sums, statements = {}, []
    for number, (statement, *_expected) in enumerate(SPELLINGS):
        for table in (f"t{number}", f"t{number}_too") if "_too" in statement else (f"t{number}",):
            there.query(f"CREATE TABLE {table} ({COLUMNS})")
            there.query(f"INSERT INTO {table} VALUES {ROWS}")
            sums[table] = checksum(there, table)
        statements += [part.replace("@", f"t{number}") for part in statement.split("; ")]
    write(there, 1, *statements)
    result = apply(there, keep)
    found = {item["table"]: item for item in kept(there, keep)}
    seen = [(found[f"t{number}"]["what"], found[f"t{number}"]["how"]) if f"t{number}" in found else ("", "")
            for number in range(len(SPELLINGS))]  # fmt: skip
    assert dict(zip((item[0] for item in SPELLINGS), seen)) == {item[0]: item[1:] for item in SPELLINGS}
    assert result["rehearsal"]["migrations"][0]["not_kept"] == []
    for table, item in found.items():
        name = f"{table}_restored"
        if item["what"] == "columns":
            # The table as it was, without its values.
            there.query(f"CREATE TABLE {name} ({COLUMNS})")
            others = [column for column in ("n", "s", "d", "m") if column not in item["columns"]]
            there.query(f"INSERT INTO {name} ({', '.join(['id', *others])}) VALUES "
                        + ", ".join(f"({', '.join(row)})" for row in picked(others)))  # fmt: skip
        restored = handle(there, keep, restore=item["id"], restore_as=name)
        assert not restored.get("failed"), (table, restored["msg"])
        assert checksum(there, name) == sums[table], table
    assert {item["what"] for item in kept(there, keep)} == {"columns"}


def picked(columns: list[str]) -> list[list[str]]:
    """Return the literals of the key and of some columns of each row."""
    rows = [row.split(", ") for row in ROWS[1:-1].split("), (")]
    return [[row[place] for place in (0, *(" nsdm".index(column) for column in columns))] for row in rows]


def test_tables_of_all_kinds_come_back(there: Database, keep: str) -> None:
    """Generated columns, AUTO_INCREMENT with a gap and a 0, triggers, foreign keys, no key, partitions, MyISAM."""
    there.query("CREATE TABLE parent (id INT PRIMARY KEY)")
    there.query("INSERT INTO parent VALUES (1), (2)")
    tables = {
        "child": "id INT AUTO_INCREMENT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES parent (id)",
        "computed": "id INT PRIMARY KEY, p INT, v INT AS (p + 1) VIRTUAL, w INT AS (p * 2) STORED, KEY (w)",
        "counted": "id INT AUTO_INCREMENT PRIMARY KEY, p INT",
        "watched": "id INT PRIMARY KEY, p INT",
        "keyless": "id INT, p INT",
        "elsewhere": "id INT PRIMARY KEY, p INT",
    }
    for table, columns in tables.items():
        engine = "MyISAM" if table == "elsewhere" else "InnoDB"
        there.query(f"CREATE TABLE {table} ({columns}) ENGINE={engine}")
        there.query(f"INSERT INTO {table} (id, p) VALUES (5, 1), (9, 2)")
    there.query(f"CREATE TABLE parted (id INT PRIMARY KEY, p INT) {PARTS}")
    there.query("INSERT INTO parted VALUES (1, 1), (2, 2), (3, 3)")
    there.query("UPDATE counted SET id = 0 WHERE id = 5")
    there.query("ALTER TABLE counted AUTO_INCREMENT = 77")
    there.query("CREATE TRIGGER w BEFORE INSERT ON watched FOR EACH ROW SET NEW.p = NEW.p + 1")
    names = ["child", "parent", *(name for name in tables if name != "child"), "parted"]
    sums = {name: checksum(there, name) for name in names}
    write(there, 1, "DROP TABLE child, parent", *(f"DROP TABLE {name}" for name in names[2:]))
    apply(there, keep)
    found = kept(there, keep)
    copied = {"child", "parent", "watched"}
    assert {item["table"]: item["how"] for item in found} == {
        name: "copied" if name in copied else "renamed" for name in names
    }
    assert there.tables() == set()
    for item in found:
        result = handle(there, keep, restore=item["id"])
        assert not result.get("failed"), result["msg"]
        assert result["restored"]["table"] == item["table"]
    assert {name: checksum(there, name) for name in names} == sums
    there.query("INSERT INTO counted (p) VALUES (3)")
    assert there.query("SELECT MAX(id) FROM counted") == [(77,)]
    assert kept(there, keep) == []


def test_rows_of_partitions_are_kept(there: Database, keep: str) -> None:
    """Of the partitions that go, and no others."""
    for table in ("dropped", "emptied", "moved"):
        there.query(f"CREATE TABLE {table} (id INT PRIMARY KEY, n INT) {PARTS}")
        there.query(f"INSERT INTO {table} VALUES (1, 1), (2, 2), (3, 3)")
    write(
        there, 1, "ALTER TABLE dropped DROP PARTITION p0", "ALTER TABLE emptied TRUNCATE PARTITION p1",
        "ALTER TABLE moved REORGANIZE PARTITION p0 INTO (PARTITION q0 VALUES LESS THAN (2), "
        "PARTITION q1 VALUES LESS THAN (3))",
    )  # fmt: skip
    apply(there, keep)
    found = {item["table"]: item for item in kept(there, keep)}
    assert {table: (item["partitions"], item["rows"]) for table, item in found.items()} == {
        "dropped": (["p0"], 2), "emptied": (["p1"], 1),
    }  # fmt: skip
    refused = handle(there, keep, restore=found["dropped"]["id"])
    assert "There is a table dropped in" in refused["msg"]
    handle(there, keep, restore=found["dropped"]["id"], restore_as="again")
    assert there.query("SELECT * FROM again ORDER BY id") == [(1, 1), (2, 2)]


def test_a_column_comes_back_and_nothing_else_changes(there: Database, keep: str) -> None:
    """Texts that differ in case alone, numbers, NULL, a column that sets itself to the present time; rows that went."""
    there.query(
        "CREATE TABLE t (id INT, part VARCHAR(9), note VARCHAR(40), price DECIMAL(8,3), f DOUBLE, b BLOB, at TIMESTAMP "
        "DEFAULT '2001-01-01 01:01:01' ON UPDATE CURRENT_TIMESTAMP, PRIMARY KEY (part, id))"
    )
    there.query(
        "INSERT INTO t (id, part, note, price, f, b) VALUES (1, 'a', 'Aa', 0.125, 0.1, X'00FF'), "
        "(2, 'a', 'aA', NULL, 1e300, NULL), (1, 'b', NULL, 1, NULL, ''), (3, 'b', NULL, NULL, NULL, NULL)"
    )
    was = checksum(there, "t")
    rows = there.query("SELECT * FROM t ORDER BY part, id")
    write(there, 1, "ALTER TABLE t DROP note, DROP price, DROP f, DROP b", down="SELECT 1")
    apply(there, keep)
    [item] = kept(there, keep)
    assert (item["columns"], item["rows"], item["direction"]) == (["note", "price", "f", "b"], 4, "up")
    refused = handle(there, keep, restore=item["id"])
    assert "has no column note, price, f, b to restore values into" in refused["msg"]
    there.query("ALTER TABLE t ADD note VARCHAR(40) DEFAULT 'AA' AFTER part, ADD price DECIMAL(8,3) AFTER note, "
                "ADD f DOUBLE AFTER price, ADD b BLOB AFTER f")  # fmt: skip
    predicted = handle(there, keep, check=True, restore=item["id"])
    assert (predicted["changed"], predicted["restored"]["rows"]) == (True, 4)
    assert checksum(there, "t") != was
    result = handle(there, keep, restore=item["id"])
    assert (result["changed"], result["restored"]["rows"], result["restored"]["missing"]) == (True, 4, 0)
    assert there.query("SELECT * FROM t ORDER BY part, id") == rows
    # To MySQL's sum a default counts where there is none.
    there.query("ALTER TABLE t MODIFY note VARCHAR(40)")
    assert checksum(there, "t") == was
    there.query("DELETE FROM t WHERE id = 1")
    again = handle(there, keep, restore=item["id"])
    assert (again["changed"], again["restored"]["missing"]) == (False, 2)
    there.query("UPDATE t SET note = NULL")
    there.query("ALTER TABLE t MODIFY note VARCHAR(1)")
    refused = handle(there, keep, restore=item["id"])
    assert "could not be restored to t of" in refused["msg"]
    assert there.query("SELECT COUNT(note) FROM t") == [(0,)]


def test_a_rollback_keeps_too(here: Database, keep: str) -> None:
    """What a down file drops."""
    write(here, 1, "CREATE TABLE t (id INT)", down="DROP TABLE t")
    apply(here, keep)
    here.query("INSERT INTO t VALUES (1)")
    apply(here, keep, steps=-1, allow_down=True)
    [item] = kept(here, keep)
    assert (item["table"], item["direction"], item["version"]) == ("t", "down", 1)
    assert here.query(f"SELECT * FROM `{keep}`.`{item['kept_as']}`") == [(1,)]


def test_what_an_earlier_migration_of_the_plan_makes_is_kept(here: Database, keep: str) -> None:
    """It is not here when the plan is made."""
    here.query("CREATE TABLE a (id INT)")
    here.query("INSERT INTO a VALUES (1), (2)")
    write(here, 1, "CREATE TABLE b (id INT)", "INSERT INTO b SELECT id FROM a", "DROP TABLE a")
    write(here, 2, "RENAME TABLE b TO c")
    write(here, 3, "DROP TABLE c")
    result = apply(here, keep)
    assert [item["version"] for item in result["applied"]] == [1, 2, 3]
    assert [(item["table"], item["version"]) for item in kept(here, keep)] == [("a", 1), ("c", 3)]


def test_check_mode_says_what_would_be_kept(here: Database, keep: str) -> None:
    """How, why it is copied, how large; what is not seen; and makes nothing."""
    here.query(f"CREATE TABLE t ({COLUMNS})")
    here.query(f"CREATE TABLE u ({COLUMNS})")
    write(here, 1, "DROP TABLE t", "ALTER TABLE u DROP n")
    result = here.module("apply", check=True, diff=True, rehearse="always", keep_destroyed=keep)
    found = result["rehearsal"]["migrations"][0]["kept"]
    assert [(item["what"], item["table"], item["columns"], item["how"], item["why"]) for item in found] == [
        ("table", "t", [], "renamed", None), ("columns", "u", ["n"], "copied", "the table stays"),
    ]  # fmt: skip
    assert found[0]["rows"] == 0
    assert found[0]["bytes"] >= 16384
    assert "- keeps the table t, of about 0 rows and 0.0 MB: renamed" in result["diff"]["prepared"].splitlines()
    assert here.server.query(f"SHOW DATABASES LIKE '{keep}'") == []


def test_what_is_interrupted_keeps_what_is_left(here: Database, keep: str) -> None:
    """The run that resumes cannot rehearse; what follows is for another one."""
    here.query("CREATE TABLE t (id INT)")
    here.query("INSERT INTO t VALUES (1), (1)")
    here.query("CREATE TABLE u (id INT)")
    here.query("INSERT INTO u VALUES (7)")
    write(here, 1, "CREATE TABLE v (id INT)", "ALTER TABLE t ADD UNIQUE (id)", "DROP TABLE u")
    write(here, 2, "DROP TABLE t")
    assert "(1062)" in refusal(here, keep)
    assert kept(here, keep) == []
    here.query("DELETE FROM t LIMIT 1")
    message = refusal(here, keep)
    assert message.startswith("up 2 was not started: it follows a partially applied migration")
    assert here.state() == [(1, 0)]
    [item] = kept(here, keep)
    assert (item["table"], item["how"]) == ("u", "renamed")
    assert here.query(f"SELECT * FROM `{keep}`.`{item['kept_as']}`") == [(7,)]
    apply(here, keep)
    assert [item["table"] for item in kept(here, keep)] == ["u", "t"]


@pytest.mark.rehearsal
def test_what_is_left_of_a_migration_that_nothing_was_kept_of_is_refused(here: Database, keep: str) -> None:
    """It was started without that, or the file was changed since; what takes nothing away may be changed."""
    here.query("CREATE TABLE t (id INT)")
    here.query("INSERT INTO t VALUES (1), (1)")
    here.query("CREATE TABLE u (id INT)")
    write(here, 1, "CREATE TABLE v (id INT)", "ALTER TABLE t ADD UNIQUE (id)", "DROP TABLE u")
    here.refusal()
    here.query("DELETE FROM t LIMIT 1")
    message = refusal(here, keep)
    assert message.startswith("What is left of up 1 may destroy what is not kept (keep_destroyed)")
    assert "u" in here.tables()
    here.apply()
    write(here, 2, "CREATE TABLE w (id INT)", "ALTER TABLE t ADD x INT NOT NULL", "ALTER TABLE t ADD UNIQUE (x)")
    here.query("INSERT INTO t VALUES (2)")
    here.query("CREATE TABLE z (id INT)")
    assert "(1062)" in refusal(here, keep)
    write(here, 2, "CREATE TABLE w (id INT)", "ALTER TABLE t ADD x INT NOT NULL", "DROP TABLE z")
    message = refusal(here, keep)
    assert "0002_x.up.sql:3" in message
    assert "z" in here.tables()
    write(here, 2, "CREATE TABLE w (id INT)", "ALTER TABLE t ADD x INT NOT NULL", "INSERT INTO z VALUES (1)")
    apply(here, keep)


class Cut(BaseException):
    """The process ends here."""


def test_a_run_that_ends_while_it_keeps_has_lost_nothing(here: Database, keep: str) -> None:
    """At each of its questions, before the server has it and after; the next one begins again, and leaves no rest."""
    here.query(f"CREATE TABLE t ({COLUMNS})")
    here.query(f"INSERT INTO t VALUES {ROWS}")
    here.query(f"CREATE TABLE u ({COLUMNS})")
    here.query(f"INSERT INTO u VALUES {ROWS}")
    write(here, 1, "CREATE TABLE x (id INT)")
    write(here, 2, "DELETE FROM t", "ALTER TABLE u DROP n, DROP s")
    apply(here, keep, target="1")
    sums = [checksum(here, table) for table in "tu"]
    step = Step(2, "x", "up", "0002_x.up.sql", 2)
    losses = [Loss("rows", "t"), Loss("columns", "u", ("n", "s"), key=("id",), now="u")]
    params = {
        "migrations_table": "schema_migrations", "history_table": None, "lock": True, "lock_wait_timeout": None,
        "run_by": "test", "job": None, "commit": None,
    }  # fmt: skip
    cuts = 0
    for after in (False, True):
        place = 0
        while True:
            connect = partial(cut, here, [place], after)
            keeper = Keeper(keep, here.name, connect, Source(str(here.directory), (), ()), params)
            keeper._lost = {(2, "up"): Losses(losses, [])}
            try:
                keeper.before_step(step, False, lambda: None)
            except Cut:
                pass
            else:
                break
            cuts += 1
            place += 1
            assert [checksum(here, table) for table in "tu"] == sums
            with session_of(here.server, here.name) as session:
                found = Catalogue(session, keep).kept()
            # Both or none, and what is here is whole.
            assert [item.rows for item in found[-2:]] in ([], [3, 3]), (place, after)
            for item in found:
                handle(here, keep, purge=[item.entry.id])
        handle(here, keep, purge_older_than=0)
    assert cuts > 40
    apply(here, keep)
    assert [(item["what"], item["rows"]) for item in kept(here, keep)] == [("rows", 3), ("columns", 3)]
    tables = {row[0] for row in here.server.query(f"SHOW TABLES FROM `{keep}`")}
    assert tables == {"dbops_kept", *(item["kept_as"] for item in kept(here, keep))}


@contextmanager
def cut(here: Database, left: list[int], after: bool) -> Iterator[Session]:
    """Open a session that ends the process at a question; ``cut_at`` says at which."""
    with session_of(here.server, here.name) as session:
        yield cut_at(session, left, after)


def cut_at(session: Session, left: list[int], after: bool) -> Session:
    """Have a session end the process at a question; left is how many come before that."""
    ask = session.query

    def query(sql: str, arguments: Any = ()) -> Any:
        left[0] -= 1
        if left[0] < 0 and not after:
            raise Cut
        answer = ask(sql, arguments)
        if left[0] < 0:
            raise Cut
        return answer

    session.query = query  # type: ignore[method-assign]
    return session


def test_a_table_that_is_written_meanwhile_is_refused(here: Database) -> None:
    """Its copy is not known to be whole."""
    keep = f"kept_{uuid.uuid4().hex[:12]}"
    here.query(f"CREATE TABLE t ({COLUMNS})")
    here.query(f"INSERT INTO t VALUES {ROWS}")
    # The real thing that cannot be timed: each copy meets a row more.
    write(here, 1, "DELETE FROM t")
    numbers = iter(range(10, 99))

    @contextmanager
    def connect() -> Iterator[Session]:
        with session_of(here.server, here.name) as session:
            ask = session.query

            def query(sql: str, arguments: Any = ()) -> Any:
                answer = ask(sql, arguments)
                if sql.startswith("INSERT INTO") and " SELECT " in sql:
                    here.query(f"INSERT INTO t (id) VALUES ({next(numbers)})")
                return answer

            session.query = query  # type: ignore[method-assign]
            yield session

    params = {"migrations_table": "schema_migrations", "history_table": None, "lock": True, "lock_wait_timeout": None}
    keeper = Keeper(keep, here.name, connect, Source(str(here.directory), (), ()), params)
    keeper._lost = {(1, "up"): Losses([Loss("rows", "t")], [])}
    try:
        with session_of(here.server, here.name) as session:
            Catalogue(session, keep).create()
        here.query("CREATE TABLE schema_migrations_history (id BIGINT)")
        with pytest.raises(Exception, match="t was written to while it was copied"):
            keeper.before_step(Step(1, "x", "up", "0001_x.up.sql", 1), False, lambda: None)
        keeper._lost = {(1, "up"): Losses([Loss("columns", "t", ("n",), key=("id",), now="t")], [])}
        with pytest.raises(Exception, match="SIGTERM: stopped while what up 1 destroys was being kept"):
            keeper.before_step(Step(1, "x", "up", "0001_x.up.sql", 1), False, lambda: "SIGTERM")
    finally:
        here.server.query(f"DROP DATABASE IF EXISTS `{keep}`")


def test_who_may_not_keep_is_told_what_to_grant(there: Database, keep: str) -> None:
    """Before anything is run, in check mode too."""
    there.query("CREATE TABLE t (id INT)")
    write(there, 1, "DROP TABLE t")
    user = f"u{uuid.uuid4().hex[:8]}"
    there.server.query(f"CREATE USER '{user}'@'%' IDENTIFIED BY 'Secret-123'")
    try:
        there.server.query(f"GRANT ALL ON `{there.name}`.* TO '{user}'@'%'")
        there.server.query(f"GRANT ALL ON `dbops\\_rehearsal\\_%`.* TO '{user}'@'%'")
        login: dict[str, Any] = {"login_user": user, "login_password": "Secret-123"}
        for check in (True, False):
            result = there.module("apply", check=check, rehearse="always", keep_destroyed=keep, **login)
            assert result["failed"]
            assert f"The account may not keep in {keep} (keep_destroyed)" in result["msg"]
            name = keep.replace("_", "\\_")
            assert f"GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP ON `{name}`.* TO" in result["msg"]
        assert there.tables() == {"t"}
        there.server.query(f"GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP ON `{name}`.* TO '{user}'@'%'")
        apply(there, keep, **login)
        [item] = kept(there, keep)
        assert handle(there, keep, restore=item["id"], **login)["changed"]
    finally:
        there.server.query(f"DROP USER '{user}'@'%'")


def test_kept_things_are_listed_and_purged(here: Database, keep: str) -> None:
    """With size and age; by number, or by age; those of this database only."""
    assert handle(here, keep)["msg"] == f"{here.name}: 0 items kept, 0.0 MB"
    for name in ("t", "u"):
        here.query(f"CREATE TABLE {name} (id INT)")
    write(here, 1, "DROP TABLE t", "DROP TABLE u")
    apply(here, keep)
    [first, second] = kept(here, keep)
    assert (first["days"], first["version"], first["bytes"] >= 16384) == (0, 1, True)
    here.server.query(f"UPDATE `{keep}`.dbops_kept SET made_at = made_at - INTERVAL 40 DAY WHERE id = {first['id']}")
    assert kept(here, keep)[0]["days"] == 40
    assert handle(here, keep, check=True, purge_older_than=30)["purged"] == [first["id"]]
    assert len(kept(here, keep)) == 2
    assert handle(here, keep, purge_older_than=30)["purged"] == [first["id"]]
    assert "Not kept of this database" in handle(here, keep, purge=[first["id"]])["msg"]
    assert handle(here, keep, purge=[second["id"]])["changed"]
    assert kept(here, keep) == []
    assert handle(here, keep, purge_older_than=0)["changed"] is False
    assert "Give a number of days" in handle(here, keep, purge_older_than=-1)["msg"]


def test_what_cannot_be_kept_is_refused(here: Database) -> None:
    """Options that do not go together, a migration that is not rehearsed, a schema or a table that is not for that."""
    here.query("CREATE TABLE t (id INT)")
    write(here, 1, "DROP TABLE t", "CALL nothing()")
    assert "Set rehearse to always" in here.refusal(keep_destroyed="kept_x")
    assert "needs the lock and the history" in here.refusal(rehearse="always", keep_destroyed="kept_x", lock=False)
    assert "which is the database itself" in here.refusal(rehearse="always", keep_destroyed=here.name)
    keep = f"kept_{uuid.uuid4().hex[:12]}"
    try:
        message = here.refusal(rehearse="always", keep_destroyed=keep)
        assert message.startswith("It is not known what up 1 destroys, so it cannot be kept")
        checked = here.module("apply", check=True, rehearse="always", keep_destroyed=keep)
        assert any("A run would be refused." in warning for warning in checked["warnings"])
        write(here, 1, "DROP TABLE t", "DROP TABLE nothing")
        message = here.refusal(rehearse="always", keep_destroyed=keep, guards={"would_fail": "allow"})
        assert "it fails on copies: 0001_x.up.sql:2 (statement 2)" in message
        write(here, 1, "DROP TABLE t", "CALL nothing()")
        here.server.query(f"DROP TABLE `{keep}`.dbops_kept")
        here.server.query(f"CREATE TABLE `{keep}`.dbops_kept (id INT)")
        assert f"The table dbops_kept in {keep} is not a catalogue of dbops.migrations" in here.refusal(
            rehearse="always", keep_destroyed=keep
        )
    finally:
        here.server.query(f"DROP DATABASE IF EXISTS `{keep}`")
    assert "t" in here.tables()


def test_a_restore_waits_until_a_migration_is_over(here: Database, keep: str) -> None:
    here.query("CREATE TABLE u (id INT)")
    here.query("CREATE TABLE t (id INT)")
    here.query("INSERT INTO t VALUES (1), (1)")
    write(here, 1, "DROP TABLE u", "ALTER TABLE t ADD UNIQUE (id)")
    refusal(here, keep)
    [item] = kept(here, keep)
    assert "is partially applied" in handle(here, keep, restore=item["id"])["msg"]
    here.query("DELETE FROM t LIMIT 1")
    apply(here, keep)
    assert handle(here, keep, restore=item["id"])["msg"] == f"{here.name}: restored {item['id']}, the table u"


def test_what_a_call_may_do_is_said(here: Database, keep: str) -> None:
    """With an account that rehearses everything; a table that goes by it is seen all the same."""
    here.query("CREATE TABLE t (id INT)")
    here.query("CREATE PROCEDURE tidy() DROP TABLE t")
    write(here, 1, "CALL tidy() -- t")
    user = f"u{uuid.uuid4().hex[:8]}"
    here.server.query(f"CREATE USER '{user}'@'%' IDENTIFIED BY 'Secret-123'")
    try:
        here.server.query(f"GRANT ALL ON `dbops\\_rehearsal\\_%`.* TO '{user}'@'%'")
        result = apply(here, keep, rehearsal_login_user=user, rehearsal_login_password="Secret-123")
    finally:
        here.server.query(f"DROP USER '{user}'@'%'")
    assert "Of up 1 is not kept: what CALL tidy() may do to rows is not seen (DBM-2215)" in result["warnings"]
    [item] = kept(here, keep)
    assert (item["table"], item["how"]) == ("t", "copied")


def test_former_versions_of_rows_are_not_lost_in_silence(there: Database, keep: str) -> None:
    """A table with system versioning is renamed with all of them, and not copied without."""
    if not isinstance(there.server, MariaDB):
        there.query("DO 0")
        return
    there.query("CREATE TABLE t (id INT) WITH SYSTEM VERSIONING")
    there.query("INSERT INTO t VALUES (1)")
    there.query("UPDATE t SET id = 2")
    write(there, 1, "DELETE FROM t")
    assert "t is system-versioned, and a copy would lose its old rows" in refusal(there, keep)
    write(there, 1, "DROP TABLE t")
    apply(there, keep)
    [item] = kept(there, keep)
    assert there.query(f"SELECT COUNT(*) FROM `{keep}`.`{item['kept_as']}` FOR SYSTEM_TIME ALL") == [(2,)]


def test_what_goes_with_what_a_statement_names_is_kept(there: Database, keep: str) -> None:
    """Rows that refer to others, at any distance; those that an exchange of partitions gives away; a view is said."""
    there.query("CREATE TABLE a (id INT PRIMARY KEY)")
    there.query(
        "CREATE TABLE b (id INT PRIMARY KEY, a INT, CONSTRAINT up FOREIGN KEY (a) REFERENCES a (id) ON DELETE CASCADE)"
    )
    there.query("CREATE TABLE c (id INT PRIMARY KEY, b INT, FOREIGN KEY (b) REFERENCES b (id) ON DELETE SET NULL)")
    there.query(f"CREATE TABLE parts (id INT PRIMARY KEY, n INT) {PARTS}")
    there.query("CREATE TABLE other (id INT PRIMARY KEY, n INT)")
    there.query("CREATE VIEW v AS SELECT * FROM other")
    for row in ("a VALUES (1)", "b VALUES (2, 1)", "c VALUES (3, 2)", "parts VALUES (1, 1), (5, 5)"):
        there.query(f"INSERT INTO {row}")
    write(
        there, 1, "DELETE FROM a", "ALTER TABLE b DROP FOREIGN KEY up", "DROP TABLE a",
        "ALTER TABLE parts EXCHANGE PARTITION p0 WITH TABLE other", "ALTER TABLE parts TRUNCATE PARTITION P1",
        "DELETE FROM v",
    )  # fmt: skip
    result = apply(there, keep)
    assert result["rehearsal"]["migrations"][0]["not_kept"] == ["what DELETE does to rows by the view v is not seen"]
    found = {item["table"]: (item["what"], item["partitions"], item["rows"]) for item in kept(there, keep)}
    assert found == {
        "a": ("table", [], 1),
        **dict.fromkeys("bc", ("rows", [], 1)),
        "parts": ("partition", ["p0", "p1"], 2),
    }


def test_what_is_kept_takes_nobodys_name(there: Database, keep: str) -> None:
    """Neither a table's that the catalogue does not know, nor that of a CHECK; a long name, and a strange one."""
    there.server.query(f"CREATE DATABASE `{keep}`")
    for number in range(1, 6):
        there.server.query(f"CREATE TABLE `{keep}`.kept_{number}_t SELECT 8 AS mine")
    for version in (1, 2):
        there.query("CREATE TABLE t (id INT PRIMARY KEY, n INT, CONSTRAINT positive CHECK (n > 0), CHECK (n < 9))")
        write(there, version, "DROP TABLE t")
        apply(there, keep)
    for number in range(1, 6):
        assert there.server.query(f"SELECT * FROM `{keep}`.kept_{number}_t") == [(8,)]
    # MySQL's CHECKs have names of their own in a schema.
    how = "renamed" if isinstance(there.server, MariaDB) else "copied"
    assert [(item["table"], item["how"]) for item in kept(there, keep)] == [("t", how), ("t", how)]
    name = "x" * 58 + " '.é"
    there.query(f"CREATE TABLE `{name}` (id INT PRIMARY KEY, n INT, s VARCHAR(9), FULLTEXT (s))")
    there.query(f"INSERT INTO `{name}` VALUES (1, 1, 'a')")
    was = checksum(there, name)
    write(there, 3, f"UPDATE `{name}` SET n = 2", f"DELETE FROM `{name}`")
    write(there, 4, f"DROP TABLE `{name}`")
    apply(there, keep)
    item = kept(there, keep)[-2]
    assert (item["what"], item["table"], item["rows"]) == ("rows", name, 1)
    assert handle(there, keep, restore=item["id"])["changed"]
    assert checksum(there, name) == was


@pytest.mark.rehearsal
def test_a_rename_that_outlives_its_run_is_found(there: Database, keep: str, forks: Forks) -> None:
    """The process is killed while the server waits to rename; then it does, or it does not."""
    write(there, 1, "CREATE TABLE v (id INT)", "DROP TABLE t", "DROP TABLE v")
    for renames in (True, False):
        there.query("CREATE TABLE t (id INT PRIMARY KEY)")
        there.query("INSERT INTO t VALUES (1)")
        with there.server.connect(there.name) as reader, reader.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("SELECT * FROM t")
            run = {**there.arguments("apply", {}), "rehearse": "always", "keep_destroyed": keep}
            child = forks.begin("migration_apply", run)
            try:
                waiting = wait_for_rename(there.server)
            finally:
                os.kill(child, signal.SIGKILL)
                forks.status()
            if not renames:
                there.server.query(f"KILL {waiting}")
        apply(there, keep)
        assert there.tables() == set()
        found = kept(there, keep)
        assert [(item["table"], item["how"]) for item in found] == [("t", "renamed")] * (1 if renames else 2)
        there.query("DROP TABLE schema_migrations, schema_migrations_history")


def wait_for_rename(server: DatabaseServer) -> int:
    """Wait until a connection waits to rename; return its number."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        rows = server.query("SELECT id FROM information_schema.processlist WHERE info LIKE 'RENAME TABLE%'")
        if rows:
            return int(rows[0][0])
        time.sleep(0.02)
    raise AssertionError("nothing is renamed")


@pytest.mark.rehearsal
def test_golang_migrate_continues(there: Database, keep: str, golang_migrate: Path) -> None:
    """The schema and the state are what they are without keeping."""
    there.query("CREATE TABLE t (id INT PRIMARY KEY, n INT)")
    there.query("CREATE TABLE u (id INT PRIMARY KEY)")
    write(there, 1, "DROP TABLE u", down="CREATE TABLE u (id INT PRIMARY KEY)")
    write(there, 2, "ALTER TABLE t DROP n", "DELETE FROM t", down="ALTER TABLE t ADD n INT")
    apply(there, keep)
    ours = there.snapshot()
    there.golang("down", "-all")
    assert (there.tables(), there.state()) == ({"t", "u"}, [])
    there.golang("up")
    assert there.snapshot() == ours
    there.golang("goto", "1")
    apply(there, keep, history_ahead="ignore")
    assert there.snapshot() == ours
    assert [item["table"] for item in kept(there, keep)] == ["u", "t", "t"]


def test_a_run_of_another_state_table_is_left_alone(here: Database, keep: str) -> None:
    """It has another lock, and may be copying now; whose row is taken away meanwhile begins nothing."""
    here.query("CREATE TABLE t (id INT)")
    write(here, 1, "DROP TABLE t")
    with session_of(here.server, here.name) as session:
        catalogue = Catalogue(session, keep)
        catalogue.create()
        now = datetime.now(timezone.utc)
        entry = Entry(0, "others", "rows", "u", "copied", 7, "up", None, False, now, "somebody", None, {})
        theirs = catalogue.add(entry)
        session.query(f"CREATE TABLE {catalogue.place(theirs)} (id INT)")
        apply(here, keep)
        assert [item["table"] for item in kept(here, keep)] == ["t"]
        assert session.query(f"SELECT * FROM {catalogue.place(theirs)}") == []
        step = catalogue.add(entry._replace(what="step", table=""))
        catalogue.drop(theirs)
        with pytest.raises(Error, match="Someone has removed"):
            catalogue.finish(step, [theirs])
        assert [item.ready for item in catalogue.entries() if item.state_table == "others"] == [False]


@pytest.mark.rehearsal
def test_a_server_may_take_no_notice_of_case(tmp_path: Path, forks: Forks) -> None:
    """What a file names in other letters is kept nevertheless."""
    with private_folder("case") as folder, MariaDB(folder, options=["--lower-case-table-names=1"]) as server:
        database = make(server, tmp_path / "migrations", forks)
        for name, number in (("Orders", 1), ("Wares", 1), ("Old", 5)):
            database.query(f"CREATE TABLE {name} (Id INT PRIMARY KEY, N INT)")
            database.query(f"INSERT INTO {name} VALUES (1, {number})")
        write(
            database, 1, "ALTER TABLE ORDERS DROP n, ADD N INT", "DROP TABLE WARES", "RENAME TABLE OLD TO Older",
            "CREATE TABLE IF NOT EXISTS Old (Id INT PRIMARY KEY, N INT)", "DROP TABLE oldeR",
        )  # fmt: skip
        apply(database, "Kept")
        for item in kept(database, "Kept"):
            name = "back" if item["table"] == "old" else item["table"]
            assert handle(database, "Kept", restore=item["id"], restore_as=name)["changed"]
        assert database.query("SELECT * FROM orders") == database.query("SELECT * FROM wares") == [(1, 1)]
        assert database.query("SELECT * FROM back") == [(1, 5)]
