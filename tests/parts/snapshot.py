# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Everything that one schema holds, as text that can be compared with another schema's."""

from __future__ import annotations

import re
from typing import Any

from .mariadb import DatabaseServer

# What differs from run to run and says nothing about what a script did.
_VOLATILE = re.compile(r" AUTO_INCREMENT=\d+|STARTS '[^']*'")


def snapshot(server: DatabaseServer, schema: str) -> dict[str, Any]:
    """Return the definition of every object in a schema, and every row of its tables.

    The schema's own name is replaced, so that two schemas can be equal.
    """
    found: dict[str, Any] = {}
    for name, kind in server.query("SHOW FULL TABLES", schema):
        found[f"table {name}"] = _create(server, schema, "VIEW" if kind == "VIEW" else "TABLE", name, 1)
        if kind == "BASE TABLE":
            found[f"rows {name}"] = sorted(map(repr, server.query(f"SELECT * FROM {_quoted(name)}", schema)))
    for kind, sql in (
        ("PROCEDURE", "SHOW PROCEDURE STATUS WHERE Db = DATABASE()"),
        ("FUNCTION", "SHOW FUNCTION STATUS WHERE Db = DATABASE()"),
        ("TRIGGER", "SHOW TRIGGERS"),
        ("EVENT", "SHOW EVENTS"),
    ):
        for row in server.query(sql, schema):
            name = row[0] if kind == "TRIGGER" else row[1]
            column = 3 if kind == "EVENT" else 2
            found[f"{kind.lower()} {name}"] = _create(server, schema, kind, name, column)
    return found


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _create(server: DatabaseServer, schema: str, kind: str, name: str, column: int) -> str:
    [row] = server.query(f"SHOW CREATE {kind} {_quoted(name)}", schema)
    # The session's settings that the server keeps with a program stand in the other columns.
    settings = [
        str(value) for place, value in enumerate(row) if place not in (0, column) and "20" not in str(value)[:2]
    ]
    return _VOLATILE.sub("", " | ".join([str(row[column]), *settings])).replace(schema, "SCHEMA")
