# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compares the simulated server with a real one: the same statements on both, and the same answers and rows."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pymysql
from parts.mariadb import DatabaseServer

from .case import template
from .connection import Connection
from .sections import Item
from .storage import OTHER, SCHEMA, Server, SqlError, Table
from .work import SETUP, Work

_IN_TRANSACTION = 1
_AUTOCOMMIT = 2


def statements(seed: int, mariadb: bool, broken: bool) -> list[Item]:
    """Return the statements of a generated file.

    :param broken: leave some of them out, so that others are refused.
    """
    dice = random.Random(seed)
    files = Work(dice, mariadb, 8).files(2, downs=False)
    found = [item for file in files for item in file.items if not _needs_more(item)]
    # In the middle of an XA transaction the servers differ in what they refuse.
    return [item for item in found if item.kind == "xa" or dice.random() > 0.2] if broken else found


def _needs_more(item: Item) -> bool:
    # An event scheduler, an account.
    return item.text.startswith(("CREATE EVENT", "ALTER USER", "SET GLOBAL"))


class Pair:
    """A real server and a simulated one, with the same content."""

    def __init__(self, server: DatabaseServer, mariadb: bool) -> None:
        self._server, self._mariadb = server, mariadb

    def differences(self, items: list[Item]) -> Iterator[str]:
        """Run statements on both, and yield what differs."""
        simulated = template(self._mariadb).copy()
        simulated.version = 101119 if self._mariadb else 90700
        self._prepare()
        connection = Connection(simulated, SCHEMA)
        with closing(self._connect()) as real, real.cursor() as cursor:
            found = self._first(items, connection, real, cursor)
        connection.end()
        self._end_prepared(simulated)
        yield from [found] if found else self._contents(simulated)

    def _first(self, items: list[Item], connection: Connection, real: Any, cursor: Any) -> str:
        """Return the first statement that is answered in another way; nothing if there is none."""
        for item in items:
            wanted, found = _answer(cursor, real, item.text), _simulated(connection, item.text)
            if wanted != found:
                return f"{item.text}: the server says {wanted}, the simulation {found}"
        return ""

    def _end_prepared(self, simulated: Server) -> None:
        """Undo what XA has left prepared."""
        with closing(self._connect()) as real, real.cursor() as cursor:
            cursor.execute("XA RECOVER")
            for row in cursor.fetchall():
                name = row[3] if isinstance(row[3], str) else row[3].decode()
                cursor.execute(f"XA ROLLBACK '{name}'")
        for name in list(simulated.prepared):
            Connection(simulated, SCHEMA).xa_end(name, keep=False)

    def _contents(self, simulated: Server) -> Iterator[str]:
        """Yield the tables that differ."""
        with closing(self._connect()) as real, real.cursor() as cursor:
            for schema in (SCHEMA, OTHER):
                tables = {thing.name: thing for thing in simulated.of("TABLE", schema) if isinstance(thing, Table)}
                cursor.execute(f"SHOW FULL TABLES IN {schema} WHERE table_type = 'BASE TABLE'")
                names = {row[0] for row in cursor.fetchall()}
                if names != set(tables):
                    yield f"tables {names}, not {set(tables)}"
                    return
                for name, table in tables.items():
                    cursor.execute(f"SELECT v FROM {schema}.`{name}`")
                    rows = sorted((row[0] for row in cursor.fetchall()), key=repr)
                    if rows != sorted(table.rows, key=repr):
                        yield f"{name} holds {rows}, in the simulation {sorted(table.rows, key=repr)}"

    def _connect(self) -> Any:
        return pymysql.connect(
            host=self._server.host, port=self._server.port, user=self._server.user, password=self._server.password,
            database=SCHEMA, autocommit=True, charset="utf8mb4", ssl_disabled=True,
        )  # fmt: skip

    def _prepare(self) -> None:
        for schema in (SCHEMA, OTHER):
            self._server.query(f"DROP DATABASE IF EXISTS {schema}")
            self._server.query(f"CREATE DATABASE {schema} CHARACTER SET utf8mb4")
        with closing(self._connect()) as real, real.cursor() as cursor:
            for text in SETUP:
                cursor.execute(text)


def _answer(cursor: Any, real: Any, text: str) -> tuple[Any, ...]:
    try:
        cursor.execute(text)
        while cursor.nextset():
            pass
    except pymysql.MySQLError as error:
        return ("error", error.args[0])
    cursor.execute("DO 0")
    return "ok", bool(real.server_status & _IN_TRANSACTION), bool(real.server_status & _AUTOCOMMIT)


def _simulated(connection: Connection, text: str) -> tuple[Any, ...]:
    try:
        connection.run(text)
    except SqlError as error:
        return ("error", error.code)
    connection.run("DO 0")
    return "ok", connection.in_transaction, connection.autocommit
