# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Definitions of views, triggers, routines and events, as a simulated server understands them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Optional

from .definitions import NAME, existing, must, pattern
from .expressions import expression, split
from .storage import Program, SqlError

if TYPE_CHECKING:
    from .connection import Connection

Rows = Optional[list[tuple[Any, ...]]]
Operation = Callable[["Connection"], Rows]


def _open(connection: Connection, sort: str, *tables: str) -> None:
    """Refuse what LOCK TABLES does not let: a trigger's table must be locked, and nothing else can be defined."""
    if sort == "TRIGGER":
        connection.open_to_define(*tables)
    else:
        connection.refuse_under_lock()


def _create_program(match: re.Match[str]) -> Operation:
    replace, sort, softly, name, rest = match.groups()
    sort = sort.upper()
    parameters: list[str] = []
    if sort == "VIEW":
        found = must(r"(?is)(AS SELECT v FROM) ([\w.`\x80-\U0010ffff]+)", rest.strip())
        on, text = "", found[2].replace("`", "")
    elif sort == "TRIGGER":
        found = must(r"(?is)AFTER INSERT ON ([\w`]+) FOR EACH ROW (.+)", rest.strip())
        on, text = found[1].strip("`"), found[2]
    else:
        found = must(r"(?is)\((.*?)\)\s+(?:RETURNS INT )?(?:DETERMINISTIC )?(.+)", rest.strip())
        on, text = "", found[2]
        parameters = [part.split()[0] for part in split(found[1], ",") if part]

    def run(connection: Connection) -> Rows:
        schema, plain = connection.split(name)
        kind = "TABLE" if sort == "VIEW" else sort
        _open(connection, sort, f"{schema}.{on}")
        if connection.server.find(schema, kind, plain) is not None and not replace:
            if softly:
                return None
            raise SqlError(1304, f"{sort} {plain} already exists")
        if sort == "TRIGGER":
            existing(connection, f"{schema}.{on}")
        thing = Program(schema, sort, plain, text, on, parameters)
        connection.define(lambda: connection.server.add(thing, kind))
        return None

    return run


def _drop_program(match: re.Match[str]) -> Operation:
    sort, softly, name = match[1].upper(), match[2], match[3]
    kind = "TABLE" if sort == "VIEW" else sort

    def run(connection: Connection) -> Rows:
        schema, plain = connection.split(name)
        found = connection.server.find(schema, kind, plain)
        _open(connection, sort, *([] if found is None else [f"{schema}.{found.on}"]))
        if found is None:
            if softly:
                return None
            raise SqlError(1305 if sort != "TRIGGER" else 1360, f"{sort} {plain} does not exist")

        def drop() -> None:
            del connection.server.objects[schema, kind, plain]

        connection.define(drop)
        return None

    return run


def _event(match: re.Match[str]) -> Operation:
    """An event that runs at once, and is gone then."""
    table, value = match[2], expression(match[3])

    def run(connection: Connection) -> Rows:
        target, number = existing(connection, table), value(connection)

        def apply() -> None:
            target.rows = [*target.rows, number]

        connection.define(apply)
        return None

    return run


PROGRAMS: list[tuple[re.Pattern[str], Callable[[re.Match[str]], Operation]]] = [
    (
        pattern(rf"CREATE (OR REPLACE )?(VIEW|TRIGGER|PROCEDURE|FUNCTION) (IF NOT EXISTS )?{NAME}(\(.+|\s.+)"),
        _create_program,
    ),
    (pattern(rf"DROP (VIEW|TRIGGER|PROCEDURE|FUNCTION) (IF EXISTS )?{NAME}"), _drop_program),
    (
        pattern(rf"CREATE EVENT {NAME} ON SCHEDULE AT CURRENT_TIMESTAMP DO INSERT INTO {NAME} \(v\) VALUES \((.+)\)"),
        _event,
    ),
]
