# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Everything that one schema holds, as text that can be compared with another schema's."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from .mariadb import DatabaseServer

Ask = Callable[[str], list[tuple[Any, ...]]]

# What differs from run to run and says nothing about what a script did.
_VOLATILE = re.compile(r" AUTO_INCREMENT=\d+|STARTS '[^']*'")


def snapshot(server: DatabaseServer, schema: str, without: str | None = None) -> dict[str, Any]:
    """Return the definition of every object in a schema, and every row of its tables.

    The schema's own name is replaced, so that two schemas can be equal.

    :param without: the end of the names of tables that are left out.
    """
    with server.connect(schema) as connection, connection.cursor() as cursor:

        def ask(sql: str) -> list[tuple[Any, ...]]:
            cursor.execute(sql)
            return list(cursor.fetchall())

        return _objects(ask, schema, without)


def _objects(ask: Ask, schema: str, without: str | None) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, kind in ask("SHOW FULL TABLES"):
        if without is not None and name.endswith(without):
            continue
        found[f"table {name}"] = _create(ask, schema, "VIEW" if kind == "VIEW" else "TABLE", name, 1)
        if kind == "BASE TABLE":
            found[f"rows {name}"] = sorted(map(repr, ask(f"SELECT * FROM {_quoted(name)}")))
    for kind, sql in (
        ("PROCEDURE", "SHOW PROCEDURE STATUS WHERE Db = DATABASE()"),
        ("FUNCTION", "SHOW FUNCTION STATUS WHERE Db = DATABASE()"),
        ("TRIGGER", "SHOW TRIGGERS"),
        ("EVENT", "SHOW EVENTS"),
    ):
        for row in ask(sql):
            name = row[0] if kind == "TRIGGER" else row[1]
            column = 3 if kind == "EVENT" else 2
            found[f"{kind.lower()} {name}"] = _create(ask, schema, kind, name, column)
    return found


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _create(ask: Ask, schema: str, kind: str, name: str, column: int) -> str:
    [row] = ask(f"SHOW CREATE {kind} {_quoted(name)}")
    # The session's settings that the server keeps with a program are in the other columns.
    settings = [
        str(value) for place, value in enumerate(row) if place not in (0, column) and "20" not in str(value)[:2]
    ]
    return _VOLATILE.sub("", " | ".join([str(row[column]), *settings])).replace(schema, "SCHEMA")
