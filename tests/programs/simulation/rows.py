# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Statements that read and write rows, as a simulated server understands them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Optional

from .expressions import expression, run_inside, split
from .storage import SqlError, Table

if TYPE_CHECKING:
    from .connection import Connection

Rows = Optional[list[tuple[Any, ...]]]
Operation = Callable[["Connection"], Rows]


def insert_rows(connection: Connection, table: Table, values: list[Any]) -> None:
    """Add rows one by one, and run what the table's triggers say for each."""
    for trigger in connection.server.triggers(table):
        connection.open_for(trigger)
    for value in values:
        connection.put(table, [*table.rows, value])
        for trigger in connection.server.triggers(table):
            run_inside(connection, trigger.text, {"new.v": value})
    connection.row_count = len(values)


def insert(match: re.Match[str]) -> Operation:
    """INSERT … VALUES."""
    name = match[1]
    values = [expression(row.strip()[1:-1]) for row in split(match[2], ",")]

    def run(connection: Connection) -> Rows:
        table = connection.table(name, write=True)
        count = connection.row_count
        for value in values:
            # What asks about the statement before has its answer from before the first row.
            after, connection.row_count = connection.row_count, count
            found = value(connection)
            connection.row_count = after
            if not isinstance(found, (int, type(None))):
                raise SqlError(1366, f"Incorrect integer value: {found!r} for column 'v'")
            insert_rows(connection, table, [found])
        connection.row_count = len(values)
        return None

    return run


def insert_select(match: re.Match[str]) -> Operation:
    """INSERT … SELECT of one value, or of a table's rows."""
    name, value, source = match[1], match[2], match[3]
    found = None if source and value.strip() == "v" else expression(value)

    def run(connection: Connection) -> Rows:
        table = connection.table(name, write=True)
        rows = list(connection.table(source, write=False).rows) if source else []
        insert_rows(connection, table, rows if found is None else [found(connection)])
        return None

    return run


def update(match: re.Match[str]) -> Operation:
    """UPDATE of all rows, or of those with a value."""
    name, change, where = match[1], expression(match[2]), expression(match[3]) if match[3] else None

    def run(connection: Connection) -> Rows:
        table = connection.table(name, write=True)
        wanted = where(connection) if where else None
        count = 0
        for place, row in enumerate(table.rows):
            if where is None or row == wanted:
                moved = None if row is None else row + change(connection)
                connection.put(table, [*table.rows[:place], moved, *table.rows[place + 1 :]])
                count += 1
        connection.row_count = count
        return None

    return run


def delete(match: re.Match[str]) -> Operation:
    """DELETE of one row."""
    name, where = match[1], expression(match[2])

    def run(connection: Connection) -> Rows:
        table, wanted = connection.table(name, write=True), where(connection)
        connection.row_count = 0
        if wanted in table.rows:
            place = table.rows.index(wanted)
            connection.put(table, [*table.rows[:place], *table.rows[place + 1 :]])
            connection.row_count = 1
        return None

    return run


def select(match: re.Match[str]) -> Operation:
    """SELECT of values, perhaps into variables."""
    values = [expression(part) for part in split(match[1], ",")]
    variables = [name.strip().lstrip("@").lower() for name in match[2].split(",")] if match[2] else None

    def run(connection: Connection) -> Rows:
        found = [value(connection) for value in values]
        connection.row_count = -1
        if variables is None:
            return [tuple(found)]
        connection.variables.update(zip(variables, found))
        connection.row_count = 1
        return None

    return run


def select_rows(match: re.Match[str]) -> Operation:
    """SELECT of a table's rows."""

    def run(connection: Connection) -> Rows:
        rows = [(row,) for row in connection.table(match[1], write=False).rows]
        connection.row_count = -1
        return rows

    return run
