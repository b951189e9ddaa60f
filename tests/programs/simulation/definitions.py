# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Definitions (DDL) and statements on accounts, as a simulated server understands them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Optional

from .storage import SqlError, Table

if TYPE_CHECKING:
    from .connection import Connection

Rows = Optional[list[tuple[Any, ...]]]
Operation = Callable[["Connection"], Rows]
NAME = r"([\w.`$\x80-\U0010ffff]+)"


def pattern(text: str) -> re.Pattern[str]:
    """Compile the form of a statement."""
    return re.compile(text, re.IGNORECASE | re.DOTALL)


def existing(connection: Connection, name: str) -> Table:
    """Return a table; refuse a name that nothing has."""
    schema, plain = connection.split(name)
    found = connection.server.find(schema, "TABLE", plain)
    if not isinstance(found, Table):
        raise SqlError(1146, f"Table '{schema}.{plain}' doesn't exist")
    return found


def _create_table(match: re.Match[str]) -> Operation:
    replace, temporary, softly, name, engine, source = match.groups()

    def run(connection: Connection) -> Rows:
        server = connection.server
        if replace and not server.mariadb:
            raise SqlError(1064, "You have an error in your SQL syntax")
        schema, plain = connection.split(name)
        table = Table(schema, plain, engine or "InnoDB")
        if temporary:
            if (schema, plain) in connection.temporary:
                raise SqlError(1050, f"Table '{plain}' already exists")
            connection.temporary[schema, plain] = table
            # MySQL counts that as a part of a transaction.
            connection.registered |= not server.mariadb and table.transactional
            connection.row_count = 0
            return None
        connection.open_to_define(name)
        old = server.find(schema, "TABLE", plain)
        if old is not None and not replace:
            if softly:
                return None
            raise SqlError(1050, f"Table '{plain}' already exists")
        if source:
            table.rows = list(connection.table(source, write=False).rows)
        connection.define(lambda: server.add(table))
        return None

    return run


def _drop_table(match: re.Match[str]) -> Operation:
    temporary, softly, names = match[1], match[2], [part.strip() for part in match[3].split(",")]

    def run(connection: Connection) -> Rows:
        server = connection.server
        keys = [connection.split(name) for name in names]
        if all(key in connection.temporary for key in keys):
            for key in keys:
                del connection.temporary[key]
            connection.row_count = 0
            return None
        if temporary:
            if softly:
                return None
            raise SqlError(1051, f"Unknown table '{names[0]}'")
        connection.open_to_define(*names)
        missing = [key for key in keys if server.find(key[0], "TABLE", key[1]) is None]
        if missing and not softly and (not server.mariadb or len(keys) == len(missing)):
            raise SqlError(1051, f"Unknown table '{missing[0][1]}'")
        there = [key for key in keys if key not in missing]

        def drop(count: int) -> None:
            for schema, plain in there[:count]:
                del server.objects[schema, "TABLE", plain]
                connection.lock_goes(schema, plain)
                for trigger in [thing for thing in server.of("TRIGGER", schema) if thing.on == plain]:
                    del server.objects[schema, "TRIGGER", trigger.name]

        broken = (lambda: drop(1)) if server.mariadb and len(there) > 1 else None
        connection.define(lambda: drop(len(there)), broken=broken)
        if missing and not softly:
            raise SqlError(1051, f"Unknown table '{missing[0][1]}'")
        return None

    return run


def _alter(match: re.Match[str]) -> Operation:
    name, change = match[1], match[2]

    def run(connection: Connection) -> Rows:
        server = connection.server
        schema, plain = connection.split(name)
        connection.open_to_define(name)
        table = existing(connection, name)

        def apply() -> None:
            server.last_identity += 1
            table.identity = server.last_identity
            if found := re.fullmatch(r"ADD COLUMN (\w+) INT", change):
                table.columns = (*table.columns, found[1])
            elif found := re.fullmatch(r"ADD INDEX (\w+) \(v\)", change):
                table.indexes = (*table.indexes, found[1])
            elif found := re.fullmatch(r"ENGINE ?= ?(\w+)", change):
                table.engine = found[1]
            elif found := re.fullmatch(r"RENAME TO (\w+)", change):
                del server.objects[schema, "TABLE", plain]
                table.name = found[1]
                server.objects[schema, "TABLE", table.name] = table
                connection.lock_moves((schema, plain), (schema, table.name))

        found = re.fullmatch(r"ADD (?:COLUMN|INDEX) (\w+).*", change)
        if found and found[1] in (*table.columns, *table.indexes):
            raise SqlError(1060, f"Duplicate column name '{found[1]}'")

        def gone() -> None:
            server.objects.pop((schema, "TABLE", plain), None)

        connection.define(apply, broken=gone)
        return None

    return run


def _index(match: re.Match[str]) -> Operation:
    return _alter(must(r"([\w.`]+) (.+)", f"{match[2]} ADD INDEX {match[1]} (v)"))


def must(form: str, text: str) -> re.Match[str]:
    """Return the match of a text that has a form."""
    match = re.fullmatch(form, text)
    assert match is not None
    return match


def _rename(match: re.Match[str]) -> Operation:
    pairs = [re.split(r"\s+TO\s+", part.strip(), flags=re.IGNORECASE) for part in match[1].split(",")]

    def run(connection: Connection) -> Rows:
        server = connection.server
        if server.mariadb:
            connection.refuse_under_lock()
        connection.open_to_define(*(old for old, _new in pairs[:2]))
        known = {(key[0], key[2]): thing for key, thing in server.objects.items() if key[1] == "TABLE"}
        for old, new in pairs:
            if connection.split(old) not in known:
                raise SqlError(1146, f"Table '{old}' doesn't exist")
            known[connection.split(new)] = known.pop(connection.split(old))

        def apply() -> None:
            for key in [key for key in server.objects if key[1] == "TABLE"]:
                del server.objects[key]
            for (schema, plain), thing in known.items():
                if thing.name != plain and isinstance(thing, Table):
                    thing.name = plain
                server.objects[schema, "TABLE", plain] = thing
            for old, new in pairs:
                connection.lock_moves(connection.split(old), connection.split(new))

        connection.define(apply)
        return None

    return run


def _truncate(match: re.Match[str]) -> Operation:
    def run(connection: Connection) -> Rows:
        connection.open_to_define(match[1])
        table = existing(connection, match[1])

        def apply() -> None:
            connection.server.last_identity += 1
            table.rows, table.identity = [], connection.server.last_identity

        connection.define(apply)
        return None

    return run


def _password(match: re.Match[str]) -> Operation:
    """ALTER USER … RETAIN CURRENT PASSWORD: the one before the last one is forgotten."""

    def run(connection: Connection) -> Rows:
        accounts = connection.server.accounts

        def apply() -> None:
            accounts[match[1]] = (match[2], *accounts.get(match[1], ("old",)))[:2]

        connection.define(apply)
        return None

    return run


def _harmless(_match: re.Match[str]) -> Operation:
    """A statement that commits, and that may be repeated."""

    def run(connection: Connection) -> Rows:
        connection.commit_first()
        connection.server.point("define", connection)
        connection.row_count = 0
        return None

    return run


def _analyze(match: re.Match[str]) -> Operation:
    def run(connection: Connection) -> Rows:
        connection.commit_first()
        return [(f"{connection.schema}.{match[1]}", "analyze", "status", "OK")]

    return run


DEFINITIONS: list[tuple[re.Pattern[str], Callable[[re.Match[str]], Operation]]] = [
    (
        pattern(
            rf"CREATE (OR REPLACE )?(TEMPORARY )?TABLE (IF NOT EXISTS )?{NAME}(?: \(v INT\))?(?: ENGINE=(\w+))?"
            rf"(?: AS SELECT v FROM {NAME})?"
        ),
        _create_table,
    ),
    (pattern(r"DROP (TEMPORARY )?TABLE (IF EXISTS )?(.+)"), _drop_table),
    (pattern(rf"ALTER TABLE {NAME} (.+)"), _alter),
    (pattern(rf"CREATE INDEX (\w+) ON {NAME} \(v\)"), _index),
    (pattern(r"RENAME TABLE (.+)"), _rename),
    (pattern(rf"TRUNCATE (?:TABLE )?{NAME}"), _truncate),
    (pattern(r"ALTER USER (\w+) IDENTIFIED BY '(\w+)' RETAIN CURRENT PASSWORD"), _password),
    (pattern(r"GRANT .+|FLUSH TABLES|FLUSH STATUS"), _harmless),
    (pattern(rf"ANALYZE TABLE {NAME}"), _analyze),
]
