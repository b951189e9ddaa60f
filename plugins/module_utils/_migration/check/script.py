# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A migration's file, as rules look at it. Private to the collection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

from ..files.directives import Directive, read_directives
from ..files.lexer import Dialect
from ..files.splitter import Note, Splitter
from .reading import reading_after
from .sql import Sql, altered, column_name, columns, created, tokenized


@dataclass(frozen=True)
class Script:
    """One file.

    :ivar direction: ``up`` or ``down``.
    :ivar notes: what golang-migrate would refuse in it.
    :ivar tables: the tables that it makes for certain, each with the number of the statement.
    :ivar columns: the columns that it adds to tables, the same way.
    """

    direction: str
    text: bytes
    statements: Sequence[Sql]
    notes: Sequence[Note]
    directives: Sequence[Directive]
    tables: dict[str, int]
    columns: dict[tuple[str, str], int]

    def makes(self, table: str, sql: Sql) -> bool:
        """Tell whether the file has made a table before a statement: it was empty then, and nobody used it."""
        return self.tables.get(table, sql.number) < sql.number

    def adds(self, table: str, column: str, sql: Sql) -> bool:
        """Tell whether the file has added a column before a statement."""
        return self.columns.get((table, column.lower()), sql.number) < sql.number


def read_script(text: bytes, direction: str, dialect: Dialect) -> Script:
    """Read a file's text as a server does whose dialect is the given one when it begins."""
    splitter = Splitter(BytesIO(text), dialect)
    found: list[Sql] = []
    for statement in splitter.statements():
        sql = tokenized(len(found), statement, splitter.dialect)
        found.append(sql)
        splitter.dialect = reading_after(sql, splitter.dialect, dialect)
    tables: dict[str, int] = {}
    added: dict[tuple[str, str], int] = {}
    for sql in found:
        new, changed = created(sql), altered(sql)
        # With IF NOT EXISTS and CREATE OR REPLACE there may have been one.
        if new is not None and not {b"EXISTS", b"REPLACE"} & {*sql.head}:
            tables.setdefault(new.name, sql.number)
        if changed is not None:
            for one in (one for clause in changed.parts if clause[0].text == b"ADD" for one in columns(sql, clause)):
                added.setdefault((changed.name, column_name(sql, one)), sql.number)
    directives = read_directives(text, dialect, [sql.span for sql in found])
    return Script(direction, text, found, splitter.notes, directives, tables, added)
