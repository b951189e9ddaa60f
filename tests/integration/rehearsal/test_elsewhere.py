# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A rehearsal on another server than the database's own."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from integration.migration.support import Database
from parts import private_folder
from parts.mariadb import DatabaseServer

Twins = Callable[[DatabaseServer], DatabaseServer]
Account = Callable[[DatabaseServer], dict[str, Any]]


@pytest.fixture(scope="module")
def twins() -> Iterator[Twins]:
    """Start a second server of the same kind as one."""
    found: dict[DatabaseServer, DatabaseServer] = {}
    with contextlib.ExitStack() as stack:

        def twin_of(server: DatabaseServer) -> DatabaseServer:
            if server not in found:
                folder = stack.enter_context(private_folder("twin"))
                found[server] = stack.enter_context(type(server)(folder))
                found[server].query("SET GLOBAL log_bin_trust_function_creators = 1")
            return found[server]

        yield twin_of


@pytest.fixture
def account() -> Iterator[Account]:
    """Make an account that has rights on the schemas of rehearsals only, and return it as options."""
    made: list[tuple[DatabaseServer, str]] = []

    def make(server: DatabaseServer) -> dict[str, Any]:
        name, password = f"r_{secrets.token_hex(4)}", secrets.token_urlsafe(12)
        server.query(f"CREATE USER '{name}'@'%' IDENTIFIED BY '{password}'")
        made.append((server, name))
        server.query(f"GRANT ALL PRIVILEGES ON `dbops\\_rehearsal\\_%`.* TO '{name}'@'%'")
        return {
            "rehearsal_login_user": name,
            "rehearsal_login_password": password,
            "rehearsal_login_host": server.host,
            "rehearsal_login_port": server.port,
        }

    yield make
    for server, name in made:
        server.query(f"DROP USER '{name}'@'%'")


def rehearsed(database: Database, options: dict[str, Any]) -> dict[str, Any]:
    result = database.module("apply", check=True, rehearse="check", **options)
    assert not result["failed"], result
    found: dict[str, Any] = result["rehearsal"]
    return found


def test_the_copies_are_on_the_other_server(there: Database, twins: Twins, account: Account) -> None:
    """And the real server is queried for what the tables hold; certain is only what no past can change."""
    twin = twins(there.server)
    there.query("CREATE TABLE parent (id INT PRIMARY KEY)")
    there.query("CREATE TABLE orders (id INT PRIMARY KEY, n INT, p INT, FOREIGN KEY (p) REFERENCES parent (id))")
    there.query("CREATE VIEW numbers AS SELECT n FROM orders")
    there.query("INSERT INTO orders (id, n) VALUES (1, 1), (2, NULL), (3, NULL)")
    up = "ALTER TABLE orders ADD a INT;\nALTER TABLE orders MODIFY n BIGINT NOT NULL"
    there.write({"0001_a.up.sql": up, "0001_a.down.sql": "ALTER TABLE orders DROP a, MODIFY n INT"})
    before = there.snapshot()
    twin.query(f"CREATE DATABASE `{there.name}`")
    found = rehearsed(there, account(twin))
    twin.query(f"DROP DATABASE `{there.name}`")
    assert found["complete"], found
    assert (found["objects"], found["left_out"]) == (3, [])
    [migration] = found["migrations"]
    assert migration["reversible"], migration
    assert [(risk["what"], risk["rows"]) for risk in migration["risks"]] == [("null", 2)]
    first, second = migration["impact"]
    assert (first["algorithm"], first["certain"]) == ("INSTANT", False)
    assert first["uncertain"].startswith("the copy is on another server, where hidden columns and row versions")
    assert (second["algorithm"], second["certain"], second["rows"] is not None) == ("COPY", True, True)
    assert twin.query("SHOW DATABASES LIKE 'dbops%'") == []
    assert there.snapshot() == before
    # A script that leaves the schema is held back by that server, which may have one of the same name.
    there.write({"0001_a.up.sql": f"{up};\nUSE {there.name}"})
    [migration] = rehearsed(there, account(twin))["migrations"]
    assert migration["why"].startswith("the account may not do there what it does; line 3 (statement 3): (1044) ")


def test_a_run_that_rehearses_there(there: Database, twins: Twins, account: Account) -> None:
    """With the clauses by which the statements were carried out there."""
    there.query("CREATE TABLE orders (id INT PRIMARY KEY, n INT)")
    there.write({"0001_a.up.sql": "ALTER TABLE orders ADD a INT", "0001_a.down.sql": "ALTER TABLE orders DROP a"})
    result = there.apply(rehearse="always", assert_impact=True, **account(twins(there.server)))
    assert [item["version"] for item in result["applied"]] == [1], result
    assert result["rehearsal"]["complete"]


def test_a_server_that_is_not_alike_is_not_a_place_for_it(
    here: Database, twins: Twins, account: Account, mysql: DatabaseServer
) -> None:
    """Of another series, or with another setting; what differs is said."""
    here.write({"0001_a.up.sql": "CREATE TABLE a (id INT)"})
    twin, text = twins(here.server), "the server of rehearsal_login_host is not like this one: "
    found = rehearsed(here, account(mysql))
    assert not found["complete"]
    assert found["why"].startswith(f"{text}it is MySQL ")
    assert " and this one is MariaDB " in found["why"]
    [(mode,)] = twin.query("SELECT @@GLOBAL.sql_mode")
    twin.query("SET GLOBAL sql_mode = '', GLOBAL innodb_default_row_format = compact")
    options = account(twin)
    assert rehearsed(here, options)["why"] == (
        f"{text}innodb_default_row_format is compact there, and dynamic here; sql_mode is empty there, and {mode} here"
    )
    twin.query(f"SET GLOBAL sql_mode = '{mode}', GLOBAL innodb_default_row_format = dynamic")
    assert rehearsed(here, options)["complete"]


def test_the_account_there_may_do_no_more(here: Database, twins: Twins, account: Account) -> None:
    """The other server may have what somebody needs; and without an account it is not named."""
    here.write({"0001_a.up.sql": "CREATE TABLE a (id INT)"})
    twin = twins(here.server)
    options = account(twin)
    twin.query(f"GRANT SELECT ON mysql.* TO '{options['rehearsal_login_user']}'@'%'")
    result = here.module("apply", check=True, rehearse="check", **options)
    assert "The account of rehearsal_login_user has more privileges than a rehearsal needs" in result["msg"]
    del options["rehearsal_login_user"]
    result = here.module("apply", check=True, rehearse="check", **options)
    assert "rehearsal_login_user" in result["msg"]
    assert result["failed"]


def test_a_server_that_cannot_be_reached_is_said(here: Database) -> None:
    """The check itself succeeds; what to look at are the options of that server."""
    here.write({"0001_a.up.sql": "CREATE TABLE a (id INT)"})
    options: dict[str, Any] = {"rehearsal_login_user": "a", "rehearsal_login_host": "127.0.0.1"}
    found = rehearsed(here, {**options, "rehearsal_login_port": 1})
    assert not found["complete"]
    assert "127.0.0.1:1" in found["why"]
    assert "Check rehearsal_login_host and rehearsal_login_port, and that a firewall" in found["why"]
    found = rehearsed(here, {**options, "rehearsal_login_port": here.server.port})
    assert "Check rehearsal_login_user and rehearsal_login_password, and from which" in found["why"]


def test_the_option_file_is_not_for_that_server(here: Database, twins: Twins, account: Account, tmp_path: Path) -> None:
    """It may name the socket of the database's own, and has the password for that."""
    here.write({"0001_a.up.sql": "CREATE TABLE a (id INT)"})
    file = tmp_path / "options.cnf"
    [(socket,)] = here.server.query("SELECT @@socket")
    file.write_text(f"[client]\nsocket = {socket}\npassword = {here.server.password}\n")
    assert rehearsed(here, {**account(twins(here.server)), "config_file": str(file)})["complete"]
