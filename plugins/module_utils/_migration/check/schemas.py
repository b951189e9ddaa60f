# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Statements that leave the schema that is migrated. Private to the collection.

The same files go to schemas of other names, in other stages and in tests.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Optional

from .finding import WARNING, Found, Rule
from .script import Script
from .sql import Sql, skip

RULE = Rule("other_schema", WARNING, "Omit the schema: the connection already selects it.")

# What is before a point and is not a schema; the servers' own ones are the same everywhere.
_KNOWN = frozenset(("new", "old", "information_schema", "performance_schema"))


def judge(script: Script) -> Iterator[Found]:
    """Find USE, statements about schemas, and names with a schema before them, the first of each statement."""
    for sql in script.statements:
        # In Oracle's language a package's name is before a point, too.
        found = None if sql.dialect.oracle else _named(sql) or _qualifier(sql)
        if found is not None:
            what, line = found
            yield Found(what, line, sql.span.first)


def _named(sql: Sql) -> Optional[tuple[str, int]]:
    tokens = sql.tokens
    if sql.starts(b"USE"):
        return f"USE changes the schema to {sql.name(tokens, 1)[0]}.", sql.span.first
    place = skip(tokens, 1, b"OR", b"REPLACE")
    if not sql.starts(b"CREATE") and not sql.starts(b"ALTER") and not sql.starts(b"DROP"):
        return None
    if place >= len(tokens) or tokens[place].text not in (b"DATABASE", b"SCHEMA"):
        return None
    name, _place = sql.name(tokens, skip(tokens, place + 1, b"IF", b"NOT", b"EXISTS"))
    return f"{sql.words(tokens)} may be about another schema: {name}.", sql.span.first


def _qualifier(sql: Sql) -> Optional[tuple[str, int]]:
    """Return the first name before a point that is nothing else in the statement: no table, no alias."""
    tokens = sql.tokens
    qualifiers: dict[str, int] = {}
    others = set(_KNOWN)
    for place, token in enumerate(tokens):
        before = tokens[place - 1].text if place else b""
        after = tokens[place + 1].text if place + 1 < len(tokens) else b""
        # Numbers have points, too, and so have settings and the hosts of accounts.
        if not sql.is_name(token) or before == b"@" or (token.kind == "word" and token.text[:1].isdigit()):
            continue
        name = sql.plain(token)
        if before != b"." and after == b".":
            qualifiers.setdefault(name, place)
        elif before != b".":
            others.add(name.lower())
    for name, place in qualifiers.items():
        if name.lower() not in others:
            return f"{name} before a dot may be another schema.", sql.line(tokens[place:])
    return None
