# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Statements that commit a transaction which the file has started. Private to the collection.

Sources: MySQL reference manual, "Statements That Cause an Implicit Commit"; MariaDB knowledge base, "SQL Statements
That Cause an Implicit Commit".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Optional

from .finding import WARNING, Found, Rule
from .script import Script
from .sql import Sql, skip

RULE = Rule("implicit_commit", WARNING, "Move it out of the transaction: statements before it cannot be rolled back.")

_COMMITS = frozenset(
    b"ALTER CREATE DROP RENAME TRUNCATE GRANT REVOKE ANALYZE CHECK OPTIMIZE REPAIR FLUSH LOCK INSTALL UNINSTALL".split()
)
_BEGINS = ((b"BEGIN",), (b"BEGIN", b"WORK"))


def judge(script: Script) -> Iterator[Found]:
    """Find the first statement that commits each transaction before COMMIT does."""
    begun: Optional[int] = None
    for directive in script.directives:
        if directive.words[:1] == ("all-or-nothing",) and directive.at_head:
            begun = directive.line
    for sql in script.statements:
        if begun is not None and commits(sql):
            what = f"{sql.words(sql.tokens)} may commit the transaction that begins in line {begun}."
            yield Found(what, sql.span.first, sql.span.first)
            begun = None
        if _is_begin(sql):
            begun = sql.span.first
        elif sql.starts(b"COMMIT") or (sql.starts(b"ROLLBACK") and not _to_savepoint(sql)):
            begun = None


def commits(sql: Sql) -> bool:
    """Tell whether a statement commits by itself."""
    if not sql.tokens:
        return False
    first, second = sql.tokens[0].text, sql.tokens[1].text if len(sql.tokens) > 1 else b""
    if _is_begin(sql):
        return True
    place = skip(sql.tokens, 1, b"OR", b"REPLACE")
    temporary = sql.tokens[place : place + 1] and sql.tokens[place].text == b"TEMPORARY"
    return first in _COMMITS and not temporary and (first, second) != (b"DROP", b"PREPARE")


def _is_begin(sql: Sql) -> bool:
    return sql.head in _BEGINS or sql.starts(b"START", b"TRANSACTION")


def _to_savepoint(sql: Sql) -> bool:
    return any(token.text == b"TO" for token in sql.tokens)
