# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Statements of up files that may destroy what tables hold. Private to the collection.

Only the server knows whether there is anything to destroy. What the file itself created or filled is ignored.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..statements.definitions import NO_COLUMN
from .finding import WARNING, Found, Rule
from .script import Script
from .sql import Clause, Sql, altered, has, outside, parted, skip

RULE = Rule("destroy", WARNING, "If this is intended, allow it in a comment above: -- dbops: allow destroy NAME")

_DOES = {b"DELETE": "delete", b"UPDATE": "overwrite"}


def judge(script: Script) -> Iterator[Found]:
    """Find what may destroy something, one by one."""
    for sql in script.statements if script.direction == "up" else ():
        for name, what in _destroyed(script, sql):
            yield Found(f"{what}.", sql.span.first, sql.span.first, (name,))


def _destroyed(script: Script, sql: Sql) -> Iterator[tuple[str, str]]:
    """Yield the names of what goes, and a sentence about it."""
    first = sql.tokens[0].text if sql.tokens else b""
    if first in (b"DROP", b"TRUNCATE", b"CREATE"):
        for name, what in _dropped(sql, first):
            if not script.makes(name, sql):
                yield name, what
    elif first == b"ALTER":
        yield from _altered(script, sql)
    elif first in (b"DELETE", b"UPDATE", b"WITH"):
        yield from _changed(script, sql)


def _dropped(sql: Sql, first: bytes) -> Iterator[tuple[str, str]]:
    tokens = sql.tokens
    if first == b"TRUNCATE":
        name, _place = sql.name(tokens, skip(tokens, 1, b"TABLE"))
        yield name, f"TRUNCATE may destroy the rows of {name}"
    elif first == b"CREATE":
        if sql.starts(b"CREATE", b"OR", b"REPLACE", b"TABLE"):
            name, _place = sql.name(tokens, 4)
            yield name, f"CREATE OR REPLACE TABLE may destroy all that {name} holds"
    elif tokens[1:2] and tokens[1].text in (b"TABLE", b"TABLES", b"DATABASE", b"SCHEMA"):
        for part in parted(tokens[skip(tokens, 2, b"IF", b"EXISTS") :]):
            name, _place = sql.name(part, 0)
            yield name, f"{sql.words(tokens)} may destroy all that {name} holds"


def _altered(script: Script, sql: Sql) -> Iterator[tuple[str, str]]:
    table = altered(sql)
    if table is None or script.makes(table.name, sql):
        return
    for clause in table.parts:
        verb, second = clause[0].text, clause[1].text if len(clause) > 1 else b""
        if verb in (b"DROP", b"TRUNCATE") and second == b"PARTITION":
            for part in parted(clause[skip(clause, 2, b"IF", b"EXISTS") :]):
                name = f"{table.name}.{sql.plain(part[0])}"
                yield name, f"{verb.decode()} PARTITION may destroy the rows of {name}"
        elif verb == b"DROP" and len(clause) > 1 and second not in NO_COLUMN:
            place = skip(clause, skip(clause, 1, b"COLUMN"), b"IF", b"EXISTS")
            name, _place = sql.name(clause, place)
            if not script.adds(table.name, name, sql):
                yield f"{table.name}.{name}", f"DROP COLUMN may destroy the values of {table.name}.{name}"


def _changed(script: Script, sql: Sql) -> Iterator[tuple[str, str]]:
    """DELETE and UPDATE without WHERE; LIMIT means that not all are meant."""
    places = list(outside(sql.tokens, b"DELETE", b"UPDATE"))[:1]
    for place, verb in places:
        rest = sql.tokens[place + 1 :]
        if has(rest, b"WHERE", b"LIMIT"):
            continue
        start = skip(rest, 0, b"LOW_PRIORITY", b"QUICK", b"IGNORE", b"FROM")
        name, _place = sql.name(rest, start)
        name = name or "the table"
        if script.makes(name, sql) or (verb.text == b"UPDATE" and _fills(script, sql, name, rest)):
            continue
        yield name, f"{verb.text.decode()} without WHERE may {_DOES[verb.text]} all rows of {name}"


def _fills(script: Script, sql: Sql, table: str, rest: Clause) -> bool:
    """Tell whether UPDATE gives values to nothing but columns that the file has added."""
    for place, _token in list(outside(rest, b"SET"))[:1]:
        names = [sql.name(part, 0)[0].split(".")[-1] for part in parted(rest[place + 1 :])]
        return all(script.adds(table, name, sql) for name in names)
    return False
