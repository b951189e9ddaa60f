# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The statements of generated files, as a simulated server understands them.

A statement's text is looked up by its first word and compiled once; what is unknown says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Optional

from . import rows
from .definitions import DEFINITIONS
from .expressions import body, expression, split
from .programs import PROGRAMS
from .storage import SqlError, Unknown

if TYPE_CHECKING:
    from .connection import Connection

Rows = Optional[list[tuple[Any, ...]]]
Operation = Callable[["Connection"], Rows]
Maker = Callable[[re.Match[str]], Operation]
_NAME = r"([\w.`$\x80-\U0010ffff]+)"


@lru_cache(maxsize=200_000)
def compile_statement(text: str) -> Operation:
    """Return what carries a statement out.

    :raises Unknown: the simulation does not know it.
    """
    # Behind a body stands what keeps the server from storing what follows with it.
    plain = re.sub(r"\s*/\*.*?\*/\s*|;\s*#\s*$", " ", text).strip().rstrip(";").strip()
    for pattern, maker in (*_STATEMENTS, *DEFINITIONS, *PROGRAMS):
        match = pattern.fullmatch(plain)
        if match is not None:
            return maker(match)
    raise Unknown(f"the simulation does not know this statement: {text!r}")


def _do(match: re.Match[str]) -> Operation:
    value = expression(match[1])

    def run(connection: Connection) -> Rows:
        value(connection)
        connection.row_count = 0
        return None

    return run


def _set(match: re.Match[str]) -> Operation:
    changes = []
    for part in split(match[1], ","):
        name, _equals, value = (piece.strip() for piece in re.sub(":=", "=", part).partition("="))
        words = name.lower().replace("@@", "").replace(".", " ").split()
        scope = words.pop(0) if len(words) > 1 else ""
        bare = re.fullmatch(r"\w*[A-Za-z_]\w*", value) and value.upper() != "NULL" and not words[0].startswith("@")
        constant = {"ON": "1", "OFF": "0"}.get(value.upper(), f"'{value}'") if bare else value
        changes.append((scope, words[0], expression(constant)))

    def run(connection: Connection) -> Rows:
        for scope, name, value in changes:
            assign(connection, scope, name, value(connection))
        connection.row_count = 0
        return None

    return run


def assign(connection: Connection, scope: str, name: str, value: Any) -> None:
    """Give a variable or a setting its value."""
    if name.startswith("@"):
        connection.variables[name[1:].strip("`")] = value
    elif scope == "global":
        connection.server.settings[name] = value
        connection.lasts()
    elif name == "autocommit":
        connection.set_autocommit(str(value).upper() in ("1", "ON"))
    elif name in connection.settings:
        connection.settings[name] = value
    else:
        raise SqlError(1193, f"Unknown system variable '{name}'")


def _set_statement(match: re.Match[str]) -> Operation:
    name, value, following = match[1].lower(), expression(match[2]), compile_statement(match[3])

    def run(connection: Connection) -> Rows:
        if not connection.server.mariadb:
            raise SqlError(1064, "You have an error in your SQL syntax")
        before = connection.settings[name]
        connection.settings[name] = value(connection)
        try:
            return following(connection)
        finally:
            connection.settings[name] = before

    return run


def _does(action: Callable[[Connection], Any]) -> Maker:
    """Return the maker of a statement without operands."""

    def run(connection: Connection) -> Rows:
        action(connection)
        connection.row_count = 0
        return None

    return lambda _match: run


def _named(action: Callable[[Connection, str], Any]) -> Maker:
    """Return the maker of a statement with one name."""

    def make(match: re.Match[str]) -> Operation:
        def run(connection: Connection) -> Rows:
            action(connection, match[1])
            connection.row_count = 0
            return None

        return run

    return make


def _rollback(connection: Connection) -> None:
    if connection.inside:
        raise SqlError(1422, "Explicit or implicit commit is not allowed in stored function or trigger.")
    connection.rollback()


def _commit(connection: Connection) -> None:
    if connection.inside:
        raise SqlError(1422, "Explicit or implicit commit is not allowed in stored function or trigger.")
    connection.commit()


def _release_savepoint(connection: Connection, name: str) -> None:
    if connection.savepoints.pop(name, None) is None:
        raise SqlError(1305, f"SAVEPOINT {name} does not exist")


def _lock_tables(connection: Connection, text: str) -> None:
    connection.lock_tables(dict(part.rsplit(None, 1) for part in split(text, ",")))


def _use(connection: Connection, name: str) -> None:
    connection.schema = name.strip("`")


def _prepare(match: re.Match[str]) -> Operation:
    name, text = match[1].strip("`").lower(), expression(match[2])

    def run(connection: Connection) -> Rows:
        # The one that had the name is gone, also if this one is refused.
        connection.statements.pop(name, None)
        found = text(connection)
        if not found:
            raise SqlError(1064, "You have an error in your SQL syntax near 'NULL'")
        compile_statement(str(found))
        target = re.match(r"(INSERT INTO|CREATE TABLE) (\S+)", str(found))
        if target is not None:
            connection.open_to_prepare(target[2], there=target[1].startswith("INSERT"))
        connection.statements[name] = str(found)
        connection.row_count = 0
        return None

    return run


def _execute(connection: Connection, name: str) -> Rows:
    text = connection.statements.get(name.strip("`").lower())
    if text is None:
        raise SqlError(1243, f"Unknown prepared statement handler ({name}) given to EXECUTE")
    return compile_statement(text)(connection)


def _deallocate(connection: Connection, name: str) -> None:
    if connection.statements.pop(name.strip("`").lower(), None) is None:
        raise SqlError(1243, f"Unknown prepared statement handler ({name}) given to DEALLOCATE PREPARE")


def _call(match: re.Match[str]) -> Operation:
    name, arguments = match[1], [expression(part) for part in split(match[2], ",") if part]

    def run(connection: Connection) -> Rows:
        schema, plain = connection.split(name)
        procedure = connection.server.find(schema, "PROCEDURE", plain)
        if procedure is None:
            raise SqlError(1305, f"PROCEDURE {schema}.{plain} does not exist")
        values = dict(zip(procedure.parameters, [argument(connection) for argument in arguments]))
        connection.environment.append(values)
        try:
            for statement in body(procedure.text):
                connection.run(statement)
                connection.passed()
                connection.server.point("between", connection)
        finally:
            connection.environment.pop()
        connection.row_count = 0
        return None

    return run


def _diagnostics(match: re.Match[str]) -> Operation:
    def run(connection: Connection) -> Rows:
        connection.variables[match[1].lower()] = connection.row_count
        return None

    return run


def _prepared(match: re.Match[str]) -> Operation:
    return partial(_execute, name=match[1])


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE | re.DOTALL)


_STATEMENTS: list[tuple[re.Pattern[str], Maker]] = [
    (_pattern(rf"INSERT INTO {_NAME} \(v\) VALUES (.+)"), rows.insert),
    (_pattern(rf"INSERT INTO {_NAME} \(v\) SELECT (.+?)(?: FROM {_NAME})?"), rows.insert_select),
    (_pattern(rf"UPDATE {_NAME} SET v = v \+ (\S+)(?: WHERE v = (\S+))?"), rows.update),
    (_pattern(rf"DELETE FROM {_NAME} WHERE v = (\S+)"), rows.delete),
    (_pattern(rf"SELECT v FROM {_NAME}"), rows.select_rows),
    (_pattern(r"SELECT (.+?)(?: INTO (@[\w, @]+))?(?: LIMIT \d+)?"), rows.select),
    (_pattern(r"DO (.+)"), _do),
    (_pattern(r"SET STATEMENT (\w+) = (.+?) FOR (.+)"), _set_statement),
    (
        _pattern(r"SET (?:SESSION )?TRANSACTION ISOLATION LEVEL (.+)"),
        _named(lambda c, level: c.set_once(level.upper())),
    ),
    (_pattern(r"SET TRANSACTION (READ ONLY)"), _named(lambda c, level: c.set_once(level.upper()))),
    (_pattern(r"SET (.+)"), _set),
    (_pattern(r"BEGIN|START TRANSACTION"), _does(lambda c: c.begin())),
    (_pattern(r"START TRANSACTION READ ONLY"), _does(lambda c: c.begin(read_only=True))),
    (_pattern(r"COMMIT"), _does(_commit)),
    (_pattern(r"ROLLBACK"), _does(_rollback)),
    (_pattern(r"ROLLBACK TO (?:SAVEPOINT )?(\w+)"), _named(lambda c, name: c.rollback_to(name))),
    (_pattern(r"SAVEPOINT (\w+)"), _named(lambda c, name: c.savepoint(name))),
    (_pattern(r"RELEASE SAVEPOINT (\w+)"), _named(_release_savepoint)),
    (_pattern(r"LOCK TABLES (.+)"), _named(_lock_tables)),
    (_pattern(r"UNLOCK TABLES"), _does(lambda c: c.unlock_tables())),
    (_pattern(r"XA START '(\w+)'"), _named(lambda c, name: c.xa_start(name))),
    (_pattern(r"XA END '(\w+)'"), _named(lambda c, name: c.xa_move(name, "ACTIVE", "IDLE"))),
    (_pattern(r"XA PREPARE '(\w+)'"), _named(lambda c, name: c.xa_move(name, "IDLE", "PREPARED"))),
    (_pattern(r"XA COMMIT '(\w+)'"), _named(lambda c, name: c.xa_end(name, keep=True))),
    (_pattern(r"XA COMMIT '(\w+)' ONE PHASE"), _named(lambda c, name: c.xa_end(name, keep=True, one_phase=True))),
    (_pattern(r"XA ROLLBACK '(\w+)'"), _named(lambda c, name: c.xa_end(name, keep=False))),
    (_pattern(rf"PREPARE {_NAME} FROM (.+)"), _prepare),
    (_pattern(rf"EXECUTE {_NAME}"), _prepared),
    (_pattern(rf"(?:DEALLOCATE|DROP) PREPARE {_NAME}"), _named(_deallocate)),
    (_pattern(r"CALL ([\w.`]+)\((.*)\)"), _call),
    (_pattern(r"GET DIAGNOSTICS @(\w+) = ROW_COUNT"), _diagnostics),
    (_pattern(rf"USE {_NAME}"), _named(_use)),
]
