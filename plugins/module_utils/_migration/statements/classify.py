# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a statement leaves behind, read from its text. Private to the collection.

The text alone can make a statement safer to repeat only where all of it is understood; the rest is OPAQUE, or is not
``plain``. What the tables are that a statement writes is for nontransactional.py to find out.

Sources: MySQL reference manual, "Statements That Cause an Implicit Commit", "SET TRANSACTION Statement"; MariaDB
knowledge base, "SQL Statements That Cause an Implicit Commit", "SET STATEMENT".
"""

from __future__ import annotations

import re

from ..files.lexer import Dialect
from .definitions import read_definition
from .effect import OPAQUE, Effect, Object, StatementKind
from .rows import Rows, read_behind_values, read_rows, read_values
from .settings import read_set
from .tokens import Tokens, read, unquote

__all__ = ["Effect", "Object", "StatementKind", "classify", "is_plain_rows", "reads_diagnostics"]

_ROWS = frozenset(
    b"INSERT REPLACE UPDATE DELETE SELECT WITH VALUES TABLE DO LOAD ( SHOW DESCRIBE DESC EXPLAIN HELP CHECKSUM".split()
)
_DEFINITIONS = frozenset(b"CREATE ALTER DROP RENAME TRUNCATE".split())
_PLAIN_ROWS = re.compile(rb"(?:insert|update|delete|replace)\s", re.IGNORECASE)
_MAINTAINS = frozenset(b"ANALYZE CHECK OPTIMIZE REPAIR".split())
_FLUSHES = frozenset(
    b"PRIVILEGES STATUS LOGS BINARY ENGINE ERROR GENERAL SLOW RELAY , LOCAL NO_WRITE_TO_BINLOG".split()
)
_MAKES_ACCOUNTS = frozenset(b"IDENTIFIED PASSWORD VIA".split())
# With these a statement asks about the one before it.
_ASKS_BACK = frozenset(b"ROW_COUNT FOUND_ROWS DIAGNOSTICS WARNINGS WARNING_COUNT ERRORS ERROR_COUNT".split())


def is_plain_rows(text: bytes) -> bool:
    """Tell whether a statement plainly writes rows."""
    return _PLAIN_ROWS.match(text) is not None


def classify(text: bytes, dialect: Dialect) -> Effect:
    """Return what a statement leaves behind.

    Whatever is not known here is OPAQUE.
    """
    if dialect.oracle:
        # It may be several statements.
        return OPAQUE
    table, place = read_values(text, dialect)
    if table:
        # REPLACE may have any number of rows go that refer to those that it replaces.
        literal = place == len(text) and text[:1] in b"Ii"
        return _of_rows(read_behind_values(text, dialect, table, place))._replace(literal=literal)
    return _classify(Tokens(text, dialect))


def reads_diagnostics(text: bytes, dialect: Dialect) -> bool:
    """Tell whether a statement asks about the one before it, so that nothing may come between the two."""
    upper = text.upper()
    # Rows can be long, and hardly ever hold one of these words.
    if not any(word in upper for word in _ASKS_BACK):
        return False
    return any(token.kind == "word" and token.text in _ASKS_BACK for token in read(text, dialect))


def _classify(tokens: Tokens) -> Effect:
    token = tokens.take()
    first, second = token.text, tokens.peek().text
    if token.kind not in ("word", "other") or second == b":":
        # A label: a compound statement of MariaDB's.
        return _opaque(tokens)
    if first in _ROWS:
        return _rows(tokens, first)
    if first in _DEFINITIONS and (first, second) != (b"DROP", b"PREPARE"):
        return _with_variables(read_definition(tokens, first), tokens)
    if first == b"SET":
        if tokens.skip(b"STATEMENT"):
            return _set_statement(tokens)
        return _with_variables(read_set(tokens), tokens)
    if first in (b"LOCK", b"UNLOCK", b"FLUSH", b"BACKUP"):
        return _lock(tokens, first)
    if first == b"XA":
        return Effect(StatementKind.XA, verb=second)
    if first in (b"BEGIN", b"START", b"COMMIT", b"ROLLBACK"):
        return _transaction(tokens, first)
    if first in _MAINTAINS or first == b"GRANT":
        return _repeatable(tokens, first)
    return _session(tokens, first)


def _of_rows(rows: Rows) -> Effect:
    writes = tuple(Object("TABLE", name) for name in rows.writes)
    kind = StatementKind.OPAQUE if rows.to_file else StatementKind.DATA
    return Effect(kind, writes=writes, names=rows.names, plain=rows.plain, assigns=rows.assigns)


def _rows(tokens: Tokens, first: bytes) -> Effect:
    second = tokens.peek().text
    if (first == b"LOAD" and second == b"INDEX") or (
        first in (b"EXPLAIN", b"DESC", b"DESCRIBE") and second == b"ANALYZE"
    ):
        # The second one carries the statement out.
        return _opaque(tokens)
    effect = _of_rows(read_rows(tokens, first))
    if first in (b"INSERT", b"REPLACE", b"UPDATE", b"DELETE", b"LOAD") and not effect.writes:
        return effect._replace(plain=False, variables=tuple(tokens.variables))
    return effect._replace(variables=tuple(tokens.variables))


def _opaque(tokens: Tokens) -> Effect:
    tokens.drain()
    return OPAQUE._replace(variables=tuple(dict.fromkeys(tokens.variables)))


def _with_variables(effect: Effect, tokens: Tokens) -> Effect:
    return (
        _opaque(tokens)._replace(verb=effect.verb, sets=effect.sets) if effect.kind is StatementKind.OPAQUE else effect
    )


# MariaDB's settings for one statement that cannot change what it does to tables or how it can be undone.
_HARMLESS_SETTINGS = frozenset(
    b"sql_mode max_statement_time lock_wait_timeout innodb_lock_wait_timeout foreign_key_checks unique_checks "
    b"sort_buffer_size join_buffer_size read_buffer_size read_rnd_buffer_size tmp_table_size max_heap_table_size "
    b"optimizer_switch optimizer_search_depth group_concat_max_len max_recursive_iterations alter_algorithm".split()
)


def _set_statement(tokens: Tokens) -> Effect:
    """MariaDB: settings for the statement that follows."""
    known, expected = True, True
    while tokens.peek().kind != "nothing":
        token = tokens.take()
        if token.text == b"FOR":
            effect = _classify(tokens)
            if known:
                return effect
            if effect.kind is StatementKind.DEFINITION:
                return OPAQUE
            return effect._replace(plain=False)
        if expected:
            known = known and token.text.lower() in _HARMLESS_SETTINGS
        known = known and token.text not in (b"(", b"@")
        expected = token.text == b","
    return OPAQUE


def _lock(tokens: Tokens, first: bytes) -> Effect:
    second = tokens.peek().text
    if first == b"FLUSH":
        return _flush(tokens)
    if first == b"BACKUP":
        words = (tokens.take().text, tokens.peek().text)
        ends = words[0] == b"UNLOCK" or words == (b"STAGE", b"END")
        return Effect(StatementKind.UNLOCK if ends else StatementKind.LOCK, verb=first)
    if second not in (b"TABLE", b"TABLES", b"INSTANCE"):
        return _opaque(tokens)
    verb = b"INSTANCE" if second == b"INSTANCE" else b"TABLES"
    return Effect(StatementKind.LOCK if first == b"LOCK" else StatementKind.UNLOCK, verb=verb)


def _flush(tokens: Tokens) -> Effect:
    tokens.skip(b"LOCAL", b"NO_WRITE_TO_BINLOG")
    if tokens.skip(b"TABLE", b"TABLES"):
        locks = tokens.reach(b"WITH", b"FOR")
        return Effect(StatementKind.LOCK, verb=b"TABLES") if locks else Effect(StatementKind.REPEATABLE)
    while tokens.peek().kind != "nothing":
        if tokens.take().text not in _FLUSHES:
            return OPAQUE
    return Effect(StatementKind.REPEATABLE)


def _transaction(tokens: Tokens, first: bytes) -> Effect:
    second = tokens.peek().text
    if first in (b"BEGIN", b"START"):
        tokens.skip(b"WORK")
        begins = second == b"TRANSACTION" if first == b"START" else tokens.peek().kind == "nothing"
        return Effect(StatementKind.BEGIN) if begins else _opaque(tokens)
    if first == b"ROLLBACK" and tokens.reach(b"TO"):
        return Effect(StatementKind.SESSION, verb=first, plain=True)
    return Effect(StatementKind.COMMIT, verb=first)


def _repeatable(tokens: Tokens, first: bytes) -> Effect:
    if first == b"GRANT":
        while tokens.peek().kind != "nothing":
            if tokens.take().text in _MAKES_ACCOUNTS:
                return OPAQUE
        return Effect(StatementKind.REPEATABLE)
    tokens.skip(b"LOCAL", b"NO_WRITE_TO_BINLOG")
    # MariaDB's ANALYZE carries out a statement that follows.
    return Effect(StatementKind.REPEATABLE) if tokens.skip(b"TABLE", b"TABLES") else _opaque(tokens)


def _session(tokens: Tokens, first: bytes) -> Effect:
    second = tokens.peek().text
    effect = Effect(StatementKind.SESSION, verb=first, plain=True)
    if first in (b"USE", b"SAVEPOINT", b"SIGNAL") or (first == b"RELEASE" and second == b"SAVEPOINT"):
        return effect
    if first == b"GET":
        # Diagnostics, into variables.
        tokens.drain()
        return effect._replace(assigns=tuple(dict.fromkeys(tokens.variables)))
    if first in (b"DEALLOCATE", b"DROP") and tokens.skip(b"PREPARE"):
        return effect._replace(verb=b"DEALLOCATE", name=_prepared(tokens))
    if first == b"PREPARE":
        return _prepare(tokens, effect)
    if first == b"EXECUTE" and second != b"IMMEDIATE":
        name = _prepared(tokens)
        return _opaque(tokens)._replace(verb=first, name=name)
    return _opaque(tokens)


def _prepared(tokens: Tokens) -> bytes:
    """Take a prepared statement's name.

    The server compares names without regard to case and accents; which accents, is not known here.
    """
    token = tokens.take()
    name = unquote(tokens.text[token.start : token.end])
    return name.lower() if tokens.is_name(token) and name.isascii() else b""


def _prepare(tokens: Tokens, effect: Effect) -> Effect:
    name = _prepared(tokens)
    tokens.skip(b"FROM")
    first = last = tokens.take()
    if first.text == b"@":
        source = tokens.variable()
    elif first.kind == "quoted" and not tokens.quotes_name(first):
        while tokens.peek().kind == "quoted":
            last = tokens.take()
        source = tokens.text[first.start : last.end]
    else:
        source = tokens.text[first.start : first.end] if first.kind == "name" else b""
    if not source or tokens.peek().kind != "nothing":
        # MariaDB takes any expression.
        return _opaque(tokens)._replace(verb=b"PREPARE", name=name)
    return effect._replace(name=name, source=source)
