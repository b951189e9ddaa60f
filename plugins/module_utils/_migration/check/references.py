# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Foreign keys that are not what they look like: inline REFERENCES, and keys whose index nobody names. Private.

Sources: MySQL reference manual, "FOREIGN KEY Constraints" (an index is made if there is none, and may be dropped
silently later), and of 8.4 "CREATE TABLE Statement" (inline REFERENCES are parsed but ignored; 9.0 honours them, and so
does MariaDB since 10.5).
"""

from __future__ import annotations

from collections.abc import Iterator

from ..statements.definitions import NO_COLUMN
from .finding import WARNING, Found, Rule
from .script import Script
from .sql import Clause, Sql, altered, columns, created, has, inside, outside, parted, skip

INLINE_REFERENCES = Rule("inline_references", WARNING, "Write FOREIGN KEY (COLUMN) REFERENCES … as a separate clause.")
FOREIGN_KEY_INDEX = Rule("foreign_key_index", WARNING, "Define an index that begins with these columns.")

_INDEXES = (b"INDEX", b"KEY", b"UNIQUE", b"PRIMARY")


def inline(script: Script) -> Iterator[Found]:
    """Find columns that are defined with REFERENCES."""
    for sql in script.statements:
        for definition in _definitions(sql):
            if has(definition, b"REFERENCES"):
                what = f"MySQL before 9.0 ignores the REFERENCES in the definition of {sql.plain(definition[0])}."
                yield Found(what, sql.line(definition), sql.span.first)


def _definitions(sql: Sql) -> Iterator[Clause]:
    new, changed = created(sql), altered(sql)
    if new is not None:
        yield from (part for part in new.parts if part[0].text not in NO_COLUMN)
    for clause in changed.parts if changed is not None else ():
        yield from columns(sql, clause)


def unindexed(script: Script) -> Iterator[Found]:
    """Find foreign keys for which the file has no index up to the end of their statement."""
    indexes: dict[str, list[list[str]]] = {}
    for sql in script.statements:
        table = created(sql) or altered(sql)
        known = indexes.setdefault(table.name if table else "", [])
        if table is None:
            _add_index(sql, indexes)
            continue
        known += [found for definition in _definitions(sql) for found in _of_column(sql, definition)]
        parts = [part[1:] if part[0].text == b"ADD" else part for part in table.parts]
        known += [found for part in parts for found in _of_part(sql, part)]
        for part in parts:
            key, named = _foreign_key(sql, part)
            if key and not named and not any(index[: len(key)] == key for index in known):
                what = f"The server may add an index for the foreign key on ({', '.join(key)}) by itself."
                yield Found(what, sql.line(part), sql.span.first)


def _names(sql: Sql, tokens: Clause, place: int) -> list[str]:
    """Return the columns that are in the parenthesis at a place."""
    return [sql.plain(part[0]).lower() for part in parted(inside(tokens, place))]


def _foreign_key(sql: Sql, part: Clause) -> tuple[list[str], bool]:
    """Return the columns of a foreign key, none if it is something else, and whether it names its index."""
    place = 0
    if part and part[0].text == b"CONSTRAINT":
        place = 1 if [token.text for token in part[1:3]] == [b"FOREIGN", b"KEY"] else 2
    if [token.text for token in part[place : place + 2]] != [b"FOREIGN", b"KEY"]:
        return [], False
    place = skip(part, place + 2, b"IF", b"NOT", b"EXISTS")
    named = place < len(part) and part[place].text != b"("
    return _names(sql, part, place + named), named


def _of_column(sql: Sql, definition: Clause) -> Iterator[list[str]]:
    if has(definition, b"UNIQUE", b"PRIMARY", b"KEY"):
        yield [sql.plain(definition[0]).lower()]


def _of_part(sql: Sql, part: Clause) -> Iterator[list[str]]:
    if has(part[:3], *_INDEXES) and not has(part[:4], b"FOREIGN"):
        yield from (_names(sql, part, place) for place in _first_parenthesis(part))


def _add_index(sql: Sql, indexes: dict[str, list[list[str]]]) -> None:
    """Take in CREATE INDEX name ON table (columns)."""
    if sql.starts(b"CREATE") and has(sql.tokens[:6], b"INDEX"):
        for place, _token in list(outside(sql.tokens, b"ON"))[:1]:
            name, behind = sql.name(sql.tokens, place + 1)
            indexes.setdefault(name, []).append(_names(sql, sql.tokens, behind))


def _first_parenthesis(part: Clause) -> list[int]:
    return [place for place, token in enumerate(part) if token.text == b"("][:1]
