# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""migration_check with a server: all migrations of a directory there, back, and there again, from nothing."""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from signal import SIGKILL, SIGTERM, Signals
from typing import Any

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._migration.check.tried import RULES
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.lock import lock_name
from integration.rehearsal.test_rehearsal import MISTAKES, RIGHT, SHOP
from parts import CHECKOUT, private_folder
from parts.forks import Forks
from parts.mariadb import DatabaseServer, MariaDB
from parts.mysql import MySQL

# What comes before a mistake, and its down file.
BEFORE = {
    "0001_shop.up.sql": ";\n".join(SHOP),
    "0001_shop.down.sql": "DROP PROCEDURE tidy; DROP VIEW placed_orders; DROP TABLE other, orders, customer",
}
DIRECTORIES = sorted({file.parent for file in (CHECKOUT / "tests/parts/demo_repository/database").rglob("*.up.sql")})


@dataclass
class Check:
    """A directory of migrations, and an account that may do all in one schema and nothing elsewhere."""

    server: DatabaseServer
    forks: Forks
    directory: Path
    schema: str
    account: dict[str, Any]

    def write(self, *pairs: tuple[str, str]) -> None:
        """Write a migration for each pair of an up and a down file, behind the first one."""
        for number, (up, down) in enumerate(pairs, 2):
            self.write_files({f"{number:04}_x.up.sql": up, f"{number:04}_x.down.sql": down})

    def write_files(self, files: dict[str, str]) -> None:
        for name, text in files.items():
            (self.directory / name).write_text(text)

    def __call__(self, check: bool = False, **options: Any) -> dict[str, Any]:
        arguments = {"directory": str(self.directory), **self.account, "login_db": self.schema, **options}
        given = {name: value for name, value in arguments.items() if value is not None}
        result = self.forks("migration_check", given, check)
        assert "Traceback" not in str(result)
        return result

    def found(self, **options: Any) -> list[tuple[str, int, str, str]]:
        """Return what the server has shown: file, line, rule and what."""
        result = self(**options)
        assert result.get("tried_on"), result
        rules = {rule.name for rule in RULES}
        return [
            (Path(item["file"]).name, item["line"], item["rule"], item["what"])
            for item in result["findings"]
            if item["rule"] in rules
        ]

    def admin(self, **options: Any) -> dict[str, Any]:
        """Return options for the account that may do all."""
        return {**self.account, "login_user": self.server.user, "login_password": self.server.password, **options}

    def schemas(self) -> set[str]:
        return {name for (name,) in self.server.query("SHOW DATABASES")}


def make(server: DatabaseServer, directory: Path, forks: Forks) -> Iterator[Check]:
    directory.mkdir()
    name, password = f"c_{secrets.token_hex(4)}", secrets.token_urlsafe(12)
    server.query("SET GLOBAL log_bin_trust_function_creators = 1")
    server.query(f"CREATE USER '{name}'@'%' IDENTIFIED BY '{password}'")
    server.query(f"GRANT ALL PRIVILEGES ON `{name}`.* TO '{name}'@'%'")
    account = {"login_host": server.host, "login_port": server.port, "login_user": name, "login_password": password}
    yield Check(server, forks, directory, name, account)
    server.query(f"DROP USER '{name}'@'%'")
    server.query(f"DROP DATABASE IF EXISTS `{name}`")


@pytest.fixture
def anywhere(server: DatabaseServer, tmp_path: Path, forks: Forks) -> Iterator[Check]:
    """On each server in turn."""
    yield from make(server, tmp_path / "migrations", forks)


@pytest.fixture
def check(mariadb: DatabaseServer, tmp_path: Path, forks: Forks) -> Iterator[Check]:
    """On MariaDB, for what does not depend on the server."""
    yield from make(mariadb, tmp_path / "migrations", forks)


# Each takes a run of the module: some of them here, all of them in make test-rehearsal.
@pytest.mark.parametrize(
    "mistakes", [MISTAKES[1::6], pytest.param(MISTAKES, marks=pytest.mark.rehearsal)], ids=["some", "all"]
)
def test_a_seeded_mistake_is_found(anywhere: Check, mistakes: tuple[tuple[str, str], ...]) -> None:
    """In the down file that does not lead back, and nowhere else."""
    anywhere.write_files(BEFORE)
    for pair in mistakes:
        anywhere.write(pair)
        result = anywhere.found()
        assert [(file, rule) for file, _line, rule, _what in result] == [("0002_x.down.sql", "no_way_back")], result
    assert anywhere.schema not in anywhere.schemas()


def test_right_down_files_raise_no_alarm(anywhere: Check) -> None:
    """In one directory, and in those of the demo; in a schema that is made for it, too."""
    anywhere.write_files(BEFORE)
    anywhere.write(*RIGHT)
    assert anywhere.found() == []
    assert len(DIRECTORIES) > 1
    for directory in DIRECTORIES:
        shutil.rmtree(anywhere.directory)
        shutil.copytree(directory, anywhere.directory)
        assert anywhere.found(**anywhere.admin(login_db=None)) == [], directory
    assert not any(name.startswith("dbops_rehearsal_") for name in anywhere.schemas())


def test_migrations_behind_a_mistake_are_tried(check: Check) -> None:
    """Each mistake is found, also behind another one, with the line at which a down file fails."""
    check.write_files(BEFORE)
    check.write(MISTAKES[1], RIGHT[0], ("ALTER TABLE customer ADD c INT AFTER a", "\nSELECT 1;\nDROP TABLE c;"))
    found = check.found()
    assert [(file, line, rule) for file, line, rule, _what in found] == [
        ("0002_x.down.sql", 1, "no_way_back"),
        ("0004_x.down.sql", 3, "no_way_back"),
    ]
    assert found[0][3] == "Its down file does not restore TABLE customer (different)."
    assert found[1][3].startswith("Its down file fails: 0004_x.down.sql:3 (statement 2): (1051) ")


def test_an_up_file_that_fails(check: Check) -> None:
    """With its line; what comes after is counted, and the check fails in all its forms."""
    check.write_files(BEFORE)
    check.write(("SELECT 1;\n\nALTER TABLE nothing ADD a INT", "SELECT 1"), RIGHT[0], RIGHT[1])
    report = check.directory.parent / "report.txt"
    result = check(annotations_file=str(report))
    assert (result["failed"], result["passed"]) == (True, False)
    [(file, line, rule, what)] = check.found()
    assert (file, line, rule) == ("0002_x.up.sql", 3, "does_not_apply")
    assert what.startswith("On an empty database it fails: 0002_x.up.sql:3 (statement 2): (1146) ")
    assert what.endswith("What follows it was not tried either: 2 migrations.")
    assert report.read_text().startswith(f"::error file={check.directory}/0002_x.up.sql,line=3,title=does_not_apply::")
    assert check(ignore=["does_not_apply"])["passed"]


def test_what_a_comment_allows(check: Check) -> None:
    """Above the statement that fails, and at the head of a down file."""
    check.write_files(BEFORE)
    check.write(("CREATE TABLE a (id INT)", "-- dbops: allow no_way_back\n\nSELECT 1"), RIGHT[1])
    assert check.found() == []
    check.write(("SELECT 1;\n-- dbops: allow does_not_apply\nALTER TABLE nothing ADD a INT", "SELECT 1"))
    assert check.found() == []


def test_what_needs_rows_is_said_and_does_not_fail(check: Check) -> None:
    """The rest of the file is tried. Rows that a migration has written itself are there."""
    check.write_files(BEFORE)
    up = "INSERT INTO orders (id, customer) VALUES (1, 1);\nINSERT INTO orders (id, customer) VALUES (2, 7)"
    check.write((up, "DELETE FROM orders"))
    [(file, line, rule, what)] = check.found()
    assert (file, line, rule) == ("0002_x.up.sql", 2, "needs_rows")
    assert what.startswith("It was tried without a statement that needs rows: line 2 (statement 2): (1452) ")
    assert check()["passed"]


def test_any_statement_is_tried_where_nothing_else_is_in_reach(anywhere: Check) -> None:
    """An account that may do nothing elsewhere: the server keeps it from all others."""
    name = anywhere.schema
    anywhere.write_files(
        {
            "0001_a.up.sql": f"USE {name};\nCREATE TABLE {name}.a (id INT);\nSET @a = 'DROP TABLE a';\n"
            f"PREPARE p FROM @a;\nEXECUTE p;\nCREATE TABLE a (id INT);\nCREATE PROCEDURE p() DELETE FROM a;\nCALL p()",
            "0001_a.down.sql": f"DROP PROCEDURE p; DROP TABLE {name}.a",
        }
    )
    assert anywhere.found() == []
    anywhere.write_files({"0001_a.up.sql": "CREATE USER nobody_else", "0001_a.down.sql": "DROP USER nobody_else"})
    [(file, line, rule, what)] = anywhere.found()
    assert (file, line, rule) == ("0001_a.up.sql", 1, "not_tried")
    assert what.startswith("It was not tried: the account may not do there what it does; line 1 (statement 1): (1227) ")
    assert anywhere()["passed"]


def test_what_could_reach_another_schema_is_not_tried(anywhere: Check) -> None:
    """With an account that has rights everywhere, on a server that has a schema of somebody's."""
    other = f"other_{anywhere.schema}"
    anywhere.server.create_schema(other)
    try:
        anywhere.server.query("CREATE TABLE kept (id INT)", other)
        anywhere.write_files({"0001_a.up.sql": "CREATE TABLE z (id INT)", "0001_a.down.sql": "DROP TABLE z"})
        anywhere.write((f"CREATE TABLE b (id INT);\nDROP TABLE {other}.kept", "DROP TABLE b"), RIGHT[0])
        for options in (anywhere.admin(), anywhere.admin(login_db=None)):
            [(file, line, rule, what)] = anywhere.found(**options)
            assert (file, line, rule) == ("0002_x.up.sql", 2, "not_tried")
            assert what == (
                f"It was not tried: line 2 (statement 2) names another schema ({other}). What follows it was not "
                "tried either: 1 migration."
            )
        anywhere.write(("CREATE TABLE b (id INT)", f"DROP TABLE b;\nDROP TABLE {other}.kept"))
        [(file, line, rule, what)] = anywhere.found(**anywhere.admin())
        assert (file, line, rule) == ("0002_x.down.sql", 2, "not_tried")
        assert what.startswith("Its down file is not rehearsed: line 2 (statement 2) names another schema")
        assert anywhere.server.query("SHOW TABLES", other) == [("kept",)]
    finally:
        anywhere.server.query(f"DROP DATABASE `{other}`")


@pytest.mark.parametrize("kind", [MariaDB, MySQL])
def test_any_statement_is_tried_on_an_empty_server(
    kind: type[MariaDB] | type[MySQL], tmp_path: Path, forks: Forks
) -> None:
    """One that has no schemas but its own, with an account that may do all."""
    with private_folder("empty") as folder, kind(folder) as server:
        for check in make(server, tmp_path / "migrations", forks):
            up, down = "CREATE USER nobody_else;\nSET GLOBAL max_connections = 150", "DROP USER nobody_else"
            check.write_files({"0001_a.up.sql": up, "0001_a.down.sql": down})
            for options in (check.admin(), check.admin(login_db=None)):
                assert check.found(**options) == []
                # What is not part of the schema stays.
                server.query("DROP USER nobody_else")
            assert check.schemas() == {"information_schema", "mysql", "performance_schema", "sys"}
            assert check(**check.admin())["tried_on"].startswith(kind.__name__)
            # An account that cannot see all may have others in reach.
            server.query(f"GRANT CREATE USER ON *.* TO '{check.schema}'@'%'")
            [(_file, _line, rule, what)] = check.found()
            assert (rule, what) == ("not_tried", "It was not tried: line 1 (statement 1) has CREATE USER.")


def test_a_schema_that_is_there_is_empty_again_afterwards(anywhere: Check) -> None:
    """With its collation; also behind a mistake, and after a check mode."""
    anywhere.server.query(f"CREATE DATABASE `{anywhere.schema}` COLLATE utf8mb4_unicode_ci")
    anywhere.write_files(BEFORE)
    anywhere.write(MISTAKES[1])
    for check in (False, True):
        assert anywhere(check=check)["tried_on"]
        question = "SELECT @@collation_database, (SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = "
        assert anywhere.server.query(f"{question} DATABASE())", anywhere.schema) == [("utf8mb4_unicode_ci", 0)]


def test_a_schema_with_anything_in_it_is_refused(check: Check) -> None:
    """Whatever it is; it is not changed."""
    check.write_files(BEFORE)
    check.server.create_schema(check.schema)
    event = "EVENT e ON SCHEDULE EVERY 1 DAY DO DO 1"
    for thing in ("TABLE a (id INT)", "PROCEDURE p() SELECT 1", "SEQUENCE s", event):
        check.server.query(f"CREATE {thing}", check.schema)
        key = " ".join(thing.split()[:2]).removesuffix("()")
        message = check()["msg"]
        assert message.startswith(f"login_db {check.schema} is not empty: it has {key}. Name a schema that is empty or")
        check.server.query(f"DROP {key}", check.schema)
    user = f"'{check.schema}'@'%'"
    check.server.query(f"REVOKE ALL PRIVILEGES ON `{check.schema}`.* FROM {user}")
    check.server.query(f"GRANT CREATE, DROP ON `{check.schema}`.* TO {user}")
    assert "is empty is not known: the server does not list to this account every EVENT, FUNC" in check()["msg"]


@pytest.mark.parametrize("signal", [SIGTERM, SIGKILL], ids=["asked", "killed"])
def test_a_check_that_is_ended_leaves_nothing_for_long(check: Check, forks: Forks, signal: Signals) -> None:
    """It drops its schema, or the next one does."""
    check.write_files(BEFORE)
    check.write(("DO SLEEP(1.3)", "SELECT 1"))
    options = {"directory": str(check.directory), **check.admin()}
    process = forks.begin("migration_check", {**options, "_ansible_check_mode": False, "_ansible_diff": False})
    sleeping = "SELECT 1 FROM information_schema.processlist WHERE info LIKE 'DO SLEEP%'"
    deadline = time.monotonic() + 30
    while not check.server.query(sleeping):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert sum(name.startswith("dbops_rehearsal_") for name in check.schemas()) == 1
    os.kill(process, signal)
    if signal is SIGTERM:
        assert forks.result()["msg"].startswith("SIGTERM: stopped during the rehearsal.")
    else:
        assert forks.status() == -SIGKILL
        check.write_files({"0002_x.up.sql": "SELECT 1"})
        assert check.found(**check.admin(login_db=None)) == []
    assert not any(name.startswith("dbops_rehearsal_") for name in check.schemas())


def test_what_else_is_refused(check: Check) -> None:
    check.write_files(BEFORE)
    with check.server.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT GET_LOCK('{lock_name(check.schema, 'schema_migrations')}', 0)")
        message = check()["msg"]
    assert message.startswith(f"Another run holds the lock on {check.schema}. Wait for it, or name another schema in")
    message = check(login_db=None)["msg"]
    assert message.startswith("The account may not make a schema on the server. Give it GRANT ALL PRIVILEGES ON `dbops")
    assert "Check login_user and login_password" in check(login_password="wrong")["msg"]
    assert "login_user" in check(login_user=None)["msg"]


def test_names_that_are_wrong_are_found_and_nothing_is_tried(check: Check) -> None:
    """The server is not even asked."""
    check.write_files({"0001_a.up.sql": "SELECT 1", "0001_b.up.sql": "SELECT 1"})
    result = check(login_port=1)
    assert result["tried_on"] is None
    assert "duplicate_version" in [item["rule"] for item in result["findings"]]
    assert result["report"][-1].endswith("in 2 files, and nothing was tried on the server")
