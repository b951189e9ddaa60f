# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The few expressions that the statements of generated files hold, and their values on a simulated server."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Optional

from .storage import SqlError, Unknown

if TYPE_CHECKING:
    from .connection import Connection

Value = Callable[["Connection"], Any]
_NUMBER = re.compile(r"-?\d+(?:e0)?")
_TEXT = re.compile(r"(?:_(?:utf8mb4|latin1) ?)?'((?:[^']|'')*)'")
_HEX = re.compile(r"_\w+ X'([0-9a-fA-F]*)'(?: COLLATE \w+)?")
_VARIABLE = re.compile(r"@`?(\w+)`?")
_SETTING = re.compile(r"@@(?:(session|global)\.)?(\w+)", re.IGNORECASE)
_CALL = re.compile(r"(\w+)\s*\((.*)\)", re.DOTALL)
_COUNT = re.compile(r"\(\s*SELECT COUNT\(\*\) FROM ([\w.`$\x80-\U0010ffff]+)\s*\)", re.IGNORECASE)
_NAME = re.compile(r"[\w.]+")


def split(text: str, mark: str) -> list[str]:
    """Split at a character that stands outside parentheses and quotes."""
    parts, depth, start, quote = [], 0, 0, False
    for place, character in enumerate(text):
        if character == "'":
            quote = not quote
        elif quote:
            continue
        elif character == "(":
            depth += 1
        elif character == ")":
            depth -= 1
        elif character == mark and depth == 0:
            parts.append(text[start:place].strip())
            start = place + 1
    return [*parts, text[start:].strip()]


@lru_cache(maxsize=100_000)
def expression(text: str) -> Value:
    """Return what gives an expression's value.

    :raises Unknown: the simulation does not know it.
    """
    text = text.strip()
    parts = split(text, "+")
    if len(parts) > 1:
        values = [expression(part) for part in parts]
        return lambda connection: _sum([value(connection) for value in values])
    if _NUMBER.fullmatch(text):
        number = int(text.replace("e0", ""))
        return lambda _connection: number
    if match := _TEXT.fullmatch(text):
        constant = match[1].replace("''", "'")
        return lambda _connection: constant
    if match := _HEX.fullmatch(text):
        decoded = bytes.fromhex(match[1]).decode()
        return lambda _connection: decoded
    if text.upper() == "NULL":
        return lambda _connection: None
    if match := _VARIABLE.fullmatch(text):
        variable = match[1].lower()
        return lambda connection: connection.variables.get(variable)
    if match := _SETTING.fullmatch(text):
        scope, setting = (match[1] or "").lower(), match[2].lower()
        return lambda connection: read_setting(connection, scope, setting)
    if match := _COUNT.fullmatch(text):
        table = match[1]
        return lambda connection: len(connection.table(table, write=False).rows)
    if match := _CALL.fullmatch(text):
        name, arguments = match[1], [expression(part) for part in split(match[2], ",") if part]
        return lambda connection: _call(connection, name, [argument(connection) for argument in arguments])
    if _NAME.fullmatch(text):
        return lambda connection: _named(connection, text)
    raise Unknown(f"the simulation does not know this expression: {text!r}")


def _sum(values: list[Any]) -> Any:
    return None if None in values else sum(int(value) if str(value).lstrip("-").isdigit() else 0 for value in values)


def _named(connection: Connection, name: str) -> Any:
    for environment in (connection.environment[-1], connection.environment[0]):
        if name.lower() in environment:
            return environment[name.lower()]
    raise SqlError(1054, f"Unknown column '{name}' in 'field list'")


def read_setting(connection: Connection, scope: str, name: str) -> Any:
    """Return the value of a system variable."""
    if scope == "global":
        return connection.server.settings.get(name)
    if name == "autocommit":
        return int(connection.autocommit)
    if name in ("warning_count", "error_count"):
        return 0
    if name not in connection.settings:
        raise SqlError(1193, f"Unknown system variable '{name}'")
    return connection.settings[name]


def _call(connection: Connection, name: str, arguments: list[Any]) -> Any:
    known = _FUNCTIONS.get(name.upper())
    if known is not None:
        return known(connection, *arguments)
    schema, plain = connection.split(name)
    function = connection.server.find(schema, "FUNCTION", plain)
    if function is None:
        raise SqlError(1305, f"FUNCTION {schema}.{name} does not exist")
    connection.open_for(function)
    # Its last argument is what it returns.
    run_inside(connection, function.text, dict(zip(function.parameters, arguments)))
    return arguments[-1] if arguments else None


def run_inside(connection: Connection, text: str, environment: dict[str, Any]) -> None:
    """Run the body of a trigger or a function: a part of the statement that has come to it."""
    if connection.inside > 5:
        raise SqlError(1436, "Recursion")
    connection.inside += 1
    connection.environment.append(environment)
    try:
        for statement in body(text):
            connection.run(statement)
    finally:
        connection.environment.pop()
        connection.inside -= 1


@lru_cache(maxsize=10_000)
def body(text: str) -> tuple[str, ...]:
    """Return the statements of a body."""
    match = re.fullmatch(r"\s*BEGIN\s+(.*?)\s*END\s*", text, re.DOTALL)
    parts = split(match[1], ";") if match else [text]
    return tuple(part for part in parts if part and not part.upper().startswith("RETURN"))


def _last_insert_id(connection: Connection, value: Optional[int] = None) -> int:
    if value is not None:
        connection.last_insert_id = value
    return connection.last_insert_id


def _release_all(connection: Connection) -> int:
    mine = [name for name, (holder, _count) in connection.server.locks.items() if holder == connection.id]
    for name in mine:
        connection.server.unlock(name, connection.id, entirely=True)
    return len(mine)


def _holder(connection: Connection, name: Any) -> Optional[int]:
    found = connection.server.locks.get(str(name))
    return found[0] if found else None


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "LAST_INSERT_ID": _last_insert_id,
    "ROW_COUNT": lambda connection: connection.row_count,
    "CONNECTION_ID": lambda connection: connection.id,
    "DATABASE": lambda connection: connection.schema,
    "GET_LOCK": lambda connection, name, _seconds: int(connection.server.lock(str(name), connection.id)),
    "RELEASE_LOCK": lambda connection, name: connection.server.unlock(str(name), connection.id),
    "RELEASE_ALL_LOCKS": _release_all,
    "IS_USED_LOCK": _holder,
    "IS_FREE_LOCK": lambda connection, name: int(_holder(connection, name) is None),
    "UNIX_TIMESTAMP": lambda connection, _moment=None: connection.server.now,
    "SYSDATE": lambda connection, _digits=0: connection.server.now,
    "LENGTH": lambda _connection, value: len(str(value)),
}
