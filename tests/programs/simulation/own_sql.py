# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The engine's own SQL, as a simulated server understands it.

What the engine asks and writes in words that no generated file uses; a new question of the engine's is a new row of
``_OWN``. What is in neither list is refused with the words "the simulation does not know this statement".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Optional

from ansible_collections.dbops.migrations.plugins.module_utils._mysql.statements import IMPATIENT, PATIENT

from .storage import OTHER, SCHEMA, Program, SqlError, Table

if TYPE_CHECKING:
    from .connection import Connection

Rows = Optional[list[tuple[Any, ...]]]
Operation = Callable[["Connection"], Rows]
STATE = "schema_migrations"
HISTORY = "schema_migrations_history"
_OWN_TABLE = rf"(?:`{SCHEMA}`\.)?`(?:{STATE}|{HISTORY})`"
_LITERAL = r"(?:_utf8mb4 X'[0-9a-f]*'|'(?:[^']|'')*'|NULL|LAST_INSERT_ID\(\)|-?[\d.]+(?:e[-+]?\d+)?)"
_VALUES = re.compile(_LITERAL)
_CHANGES = re.compile(rf"(\w+) = ({_LITERAL})")
_WRITES = re.compile(
    rf"INSERT INTO ({_OWN_TABLE}) \(([\w, ]+)\) VALUES \((?P<values>.*)\)"
    rf"|UPDATE ({_OWN_TABLE}) SET (?P<changes>.*) WHERE (?P<where>.*)"
    rf"|DELETE FROM ({_OWN_TABLE}) LIMIT 1",
    re.DOTALL,
)
_STARTS = (f"INSERT INTO `{SCHEMA}`.`{STATE}", f"INSERT INTO `{STATE}", f"UPDATE `{SCHEMA}`.`{STATE}", "DELETE FROM `")


def compile_own(text: str) -> Optional[Operation]:
    """Return what carries a statement of the engine's out; None if it is not one of the engine's."""
    if text.startswith(_STARTS) and " SET progress = NULL, error = IF(" not in text:
        match = _WRITES.fullmatch(text)
        if match is not None:
            return lambda connection: _write(connection, match)
    return _compile(text)


@lru_cache(maxsize=50_000)
def _compile(text: str) -> Optional[Operation]:
    for pattern, action in _OWN:
        match = pattern.fullmatch(text)
        if match is not None:
            return lambda connection: action(connection, match)
    return None


def literal(connection: Connection, text: str) -> Any:
    """Return the value of a literal as the engine writes them."""
    if text.startswith("_utf8mb4"):
        return bytes.fromhex(text[text.index("'") + 1 : -1]).decode()
    if text.startswith("'"):
        return text[1:-1].replace("''", "'")
    if text == "NULL":
        return None
    if text.startswith("LAST"):
        return connection.last_insert_id
    return float(text) if "." in text or "e" in text else int(text)


def _write(connection: Connection, match: re.Match[str]) -> Rows:
    name = match[1] or match[4] or match[7]
    table = connection.table(name, write=True)
    if match["values"] is not None:
        columns = match[2].split(", ")
        values = [literal(connection, text) for text in _VALUES.findall(match["values"])]
        assert len(columns) == len(values), match[0]
        row = _row(table, dict(zip(columns, values)))
        key = table.columns[0]
        if any(other[key] == row[key] for other in table.rows):
            raise SqlError(1062, f"Duplicate entry '{row[key]}' for key 'PRIMARY'")
        connection.put(table, [*table.rows, row])
        connection.row_count = 1
    elif match["changes"] is not None:
        changes = {name: literal(connection, text) for name, text in _CHANGES.findall(match["changes"])}
        wanted = _condition(connection, match["where"])
        rows = [_row(table, {**row, **changes}) if wanted(row) else row for row in table.rows]
        connection.row_count = sum(row is not old for row, old in zip(rows, table.rows))
        if connection.row_count:
            connection.put(table, rows)
    else:
        connection.row_count = min(len(table.rows), 1)
        if table.rows:
            connection.put(table, table.rows[1:])
    return None


def _row(table: Table, values: dict[str, Any]) -> dict[str, Any]:
    started = values.get("started_at")
    if isinstance(started, str):
        values["started_at"] = datetime.fromisoformat(started)
    return {name: values.get(name) for name in table.columns}


def _condition(connection: Connection, text: str) -> Callable[[dict[str, Any]], bool]:
    tests = []
    for part in text.split(" AND "):
        if part == "1 = 1":
            continue
        match = re.fullmatch(rf"(\w+) (=|<|>|<=|>=|<>) ({_LITERAL})", part)
        if match is None:
            raise SqlError(1064, f"the simulation does not know this condition: {part!r}")
        tests.append((match[1], match[2], literal(connection, match[3])))
    return lambda row: all(_OPERATORS[sign](row[name], value) for name, sign, value in tests)


_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda one, other: bool(one == other),
    "<>": lambda one, other: bool(one != other),
    "<": lambda one, other: bool(one < other),
    ">": lambda one, other: bool(one > other),
    "<=": lambda one, other: bool(one <= other),
    ">=": lambda one, other: bool(one >= other),
}


def _moves(connection: Connection, match: re.Match[str]) -> Rows:
    rows = sorted(connection.table(match[2], write=False).rows, key=lambda row: int(row["id"]))
    names = match[1].split(", ")
    return [
        (*(row[name] for name in names), int(row["outcome"] != "applied"))
        for row in rows
        if row["outcome"] == "applied" or (row["begun"] > 0 and row is rows[-1])
    ]


def _read(connection: Connection, match: re.Match[str]) -> Rows:
    rows: list[dict[str, Any]] = list(connection.table(match["table"], write=False).rows)
    if match["where"]:
        wanted = _condition(connection, match["where"])
        rows = [row for row in rows if wanted(row)]
    rows.sort(key=lambda row: int(row.get("id", 0)), reverse=bool(match["down"]))
    if match["what"].startswith("MAX("):
        return [(max((row[match["what"][4:-1]] for row in rows), default=None),)]
    names = match["what"].split(", ")
    rows = rows[: int(match["limit"])] if match["limit"] else rows
    return [tuple(1 if name == "1" else row[name] for name in names) for row in rows]


def _create(connection: Connection, match: re.Match[str]) -> Rows:
    schema, name = connection.split(match[1])
    columns = [part.split()[0] for part in re.sub(r"\(\d+\)", "", match[2]).split(",")]
    connection.define(lambda: connection.server.add(Table(schema, name, "InnoDB", columns)))
    return None


def _columns(connection: Connection, match: re.Match[str]) -> Rows:
    table = connection.server.find(match["schema"], "TABLE", match["name"])
    if not isinstance(table, Table):
        return []
    kinds = {"version": "bigint", "dirty": "tinyint"}
    wanted = 3 if match["more"] else 2 if match["kind"] else 1
    return [(name, kinds.get(name, "text"), 0)[:wanted] for name in table.columns]


def _forget(connection: Connection, match: re.Match[str]) -> Rows:
    """Empty what older attempts kept to be resumed."""
    table = connection.table(match[1], write=True)
    rows = [
        {**row, "progress": None, "error": None}
        if row["id"] < int(match[2]) and row["progress"] is not None and row["direction"] in ("up", "down")
        else row
        for row in table.rows
    ]
    if rows != table.rows:
        connection.put(table, rows)
    return None


def _is_transactional(connection: Connection, match: re.Match[str]) -> Rows:
    table = connection.server.find(match["schema"], "TABLE", match["name"])
    return [(int(table.transactional),)] if isinstance(table, Table) else []


def _dictionary(connection: Connection, match: re.Match[str]) -> Rows:
    """Tell of each table whether it is one, whether its engine has transactions, and which triggers it has."""
    found: list[tuple[Any, ...]] = []
    for number, of, schema, name in _ASKED.findall(match[0]):
        key = bytes.fromhex(schema).decode(), "TABLE", bytes.fromhex(name).decode()
        thing = connection.server.objects.get(key)
        if thing is None:
            continue
        if of == "triggers":
            triggers = connection.server.triggers(thing) if isinstance(thing, Table) else []
            found += [(number, 1, 0)] * len(triggers)
        elif isinstance(thing, Table):
            found.append((number, 1, int(thing.transactional)))
        else:
            found.append((number, 0, None))
    return found


def _written(connection: Connection, match: re.Match[str]) -> Rows:
    table = connection.server.find(match["schema"], "TABLE", match["name"])
    return [(int(connection.server.now), table.updated if table else None)]


def _show_create(connection: Connection, match: re.Match[str]) -> Rows:
    schema, name = connection.split(match[2])
    sort = "TABLE" if match[1] == "VIEW" else match[1]
    if sort == "USER":
        return [(repr(connection.server.accounts.get(match[2])),)]
    thing = connection.temporary.get((schema, name)) or connection.server.find(schema, sort, name)
    if connection.locked is not None and sort == "TABLE" and (schema, name) not in connection.locked:
        raise SqlError(1100, f"Table '{name}' was not locked with LOCK TABLES")
    if thing is None:
        raise SqlError({"TABLE": 1146, "TRIGGER": 1360, "EVENT": 1539}.get(sort, 1305), f"{name} doesn't exist")
    return [(name, thing.definition())]


def _unguarded(connection: Connection, match: re.Match[str]) -> Rows:
    schema = connection.schema if match[1] == "DATABASE()" else match[1].strip("'")
    tables = [thing for thing in connection.server.of("TABLE", schema) if isinstance(thing, Table)]
    return [(table.name,) for table in tables if not table.transactional]


def _programs(connection: Connection, match: re.Match[str]) -> Rows:
    server, schema = connection.server, connection.schema
    if match[1] == "triggers":
        return [(thing.on, thing.text) for thing in server.of("TRIGGER", schema)]
    if match[1] == "views":
        return [(thing.name, thing.text) for thing in server.of("TABLE", schema) if isinstance(thing, Program)]
    routines = [*server.of("PROCEDURE", schema), *server.of("FUNCTION", schema)]
    return [(thing.name, thing.text) for thing in routines]


def _identity(connection: Connection, match: re.Match[str]) -> Rows:
    schema = connection.schema if match[1] == "DATABASE()" else bytes.fromhex(match[1][2:-1]).decode()
    table = connection.server.find(schema, "TABLE", bytes.fromhex(match[2]).decode())
    return [(table.identity,)] if isinstance(table, Table) and table.transactional else []


def _text_of(connection: Connection, match: re.Match[str]) -> Rows:
    from .expressions import expression  # noqa: PLC0415

    value = expression(match[1])(connection)
    return [(None if value is None else str(value).encode().hex().upper(),)]


def _guard(connection: Connection, match: re.Match[str]) -> Rows:
    holder, _count = connection.server.locks.get(match[1], (None, 0))
    if holder != connection.id:
        raise SqlError(1690, f"BIGINT UNSIGNED value is out of range in '(~(0) + if(is_used_lock('{match[1]}')...'")
    return None


def _retake(connection: Connection, match: re.Match[str]) -> Rows:
    holder, _count = connection.server.locks.get(match[1], (None, 0))
    return [(1 if holder == connection.id else int(connection.server.lock(match[1], connection.id)),)]


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.DOTALL)


_ASKED = re.compile(
    r"SELECT (\d+), [^;]*? FROM information_schema\.(tables|triggers) WHERE \w+ = _utf8mb4 X'([0-9a-f]*)' "
    r"AND \w+ = _utf8mb4 X'([0-9a-f]*)'"
)
_NAMED = r"(?:t\.)?table_schema = '(?P<schema>\w+)' AND (?:t\.)?table_name = '(?P<name>\w+)'"
# Nobody waits here: what is kept of the settings is all that can be seen.
_WAITING = {"@dbops_migrations_wait": 86400, "@dbops_migrations_row_wait": 50}
_USED = r"IF\(IS_USED_LOCK\(_latin1'(\d+)'\) <=> CONNECTION_ID\(\), "
_OWN: list[tuple[re.Pattern[str], Callable[[Any, re.Match[str]], Rows]]] = [
    (
        _pattern(
            rf"SELECT ([\w, ]+), outcome <> 'applied' FROM ({_OWN_TABLE}) "
            r"WHERE outcome = 'applied' OR \(begun > 0 AND id = \(SELECT MAX\(id\) FROM \S+\)\) ORDER BY id"
        ),
        _moves,
    ),
    (
        _pattern(
            rf"SELECT (?P<what>[\w, ()]+) FROM (?P<table>{_OWN_TABLE})(?: WHERE (?P<where>.*?))?"
            r"(?: ORDER BY id(?P<down> DESC)?)?(?: LIMIT (?P<limit>\d+))?(?: LOCK IN SHARE MODE)?"
        ),
        _read,
    ),
    (_pattern(rf"CREATE TABLE ({_OWN_TABLE}) \((.*)\)(?: ENGINE=InnoDB CHARACTER SET utf8mb4)?"), _create),
    (
        _pattern(
            r"SELECT LOWER\(column_name\)(?P<kind>, LOWER\(data_type\)(?P<more>, is_nullable [^)]*)?)? FROM "
            r"information_schema.columns WHERE " + _NAMED
        ),
        _columns,
    ),
    (
        _pattern(
            r"SELECT UNIX_TIMESTAMP\(SYSDATE\(\)\), MAX\(UNIX_TIMESTAMP\(update_time\)\) FROM "
            r"information_schema.tables WHERE " + _NAMED
        ),
        _written,
    ),
    (
        _pattern("SHOW GLOBAL STATUS LIKE 'Uptime'"),
        lambda connection, _match: [("Uptime", int(connection.server.now - connection.server.started))],
    ),
    (
        _pattern("SET SESSION information_schema_stats_expiry = 0"),
        lambda _connection, _match: None,
    ),
    (_pattern(r"SHOW CREATE (\w+) ([\w.`@$\x80-\U0010ffff]+)"), _show_create),
    (_pattern(r"SELECT table_name FROM information_schema.tables WHERE .* AND table_schema = (\S+)"), _unguarded),
    (
        _pattern(r"SELECT schema_name FROM information_schema.schemata WHERE .*"),
        lambda connection, _match: [(OTHER if connection.schema == SCHEMA else SCHEMA,)],
    ),
    (_pattern(r"SELECT \w+, \w+ FROM information_schema.(\w+) WHERE \w+_schema = DATABASE\(\)"), _programs),
    (
        _pattern(r"SELECT table_id FROM information_schema.\w+ WHERE name = CONCAT\((\S+), '/', X'([0-9a-f]*)'\)"),
        _identity,
    ),
    (_pattern(r"SET SESSION net_retry_count = IF\(~0 \+ " + _USED + r"0, 1\), .*"), _guard),
    (_pattern(r"SELECT " + _USED + r"1, GET_LOCK\(_latin1'\d+', 0\)\)"), _retake),
    (_pattern(rf"UPDATE ({_OWN_TABLE}) SET progress = NULL, .* WHERE id < (\d+) AND .*"), _forget),
    (
        _pattern(r"SELECT e.transactions = 'YES' FROM information_schema.tables t JOIN .* WHERE " + _NAMED),
        _is_transactional,
    ),
    (_pattern(r"SELECT \d+, table_type IN .*"), _dictionary),
    (
        _pattern(r"SELECT -1, @@SESSION.default_storage_engine IN .*"),
        lambda connection, match: [("-1", 1, 0), *(_dictionary(connection, match) or ())],
    ),
    (_pattern("SHOW GRANTS"), lambda _connection, _match: [("GRANT ALL PRIVILEGES ON *.* TO `admin`@`%`",)]),
    (_pattern("COMMIT AND NO CHAIN NO RELEASE"), lambda connection, _match: connection.commit()),
    (_pattern("ROLLBACK AND NO CHAIN NO RELEASE"), lambda connection, _match: connection.rollback()),
    (_pattern(re.escape(IMPATIENT)), lambda connection, _match: connection.variables.update(_WAITING)),
    (_pattern(re.escape(PATIENT)), lambda connection, _match: connection.variables.update(dict.fromkeys(_WAITING))),
    (_pattern("START TRANSACTION READ WRITE"), lambda connection, _match: connection.begin()),
    (
        _pattern("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"),
        lambda connection, _match: connection.begin(True),
    ),
    (_pattern(r"SELECT HEX\(CONVERT\((.+) USING utf8mb4\)\)"), _text_of),
    (
        _pattern(r"SELECT user, host, time, command, .* FROM information_schema.processlist WHERE id = \d+"),
        lambda _connection, _match: [("stranger", "localhost", 1, "Sleep", None)],
    ),
]
