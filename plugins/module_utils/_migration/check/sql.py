# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A statement's tokens, and the parts of it that rules look at. Private to the collection."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import NamedTuple, Optional

from ..files.directives import Span
from ..files.lexer import Dialect, Token
from ..files.splitter import Statement
from ..statements.definitions import NO_COLUMN
from ..statements.rows import read_values
from ..statements.tokens import LONGEST, read, unquote
from .finding import printable

# A part of a statement: a clause of ALTER TABLE, a column or an index of CREATE TABLE.
Clause = Sequence[Token]
_HEAD = 6
_CLOSES = {b"(": 1, b")": -1}
# What a clause of ALTER TABLE begins with. A comma that something else follows is inside of one.
_BEGINS = frozenset(
    b"ADD DROP ALTER CHANGE MODIFY RENAME CONVERT ORDER ENGINE TYPE AUTO_INCREMENT COMMENT DEFAULT CHARACTER CHARSET "
    b"COLLATE ALGORITHM LOCK FORCE ENABLE DISABLE DISCARD IMPORT ROW_FORMAT KEY_BLOCK_SIZE WITH WITHOUT "
    b"STATS_PERSISTENT STATS_AUTO_RECALC STATS_SAMPLE_PAGES AVG_ROW_LENGTH MAX_ROWS MIN_ROWS CHECKSUM "
    b"DELAY_KEY_WRITE PACK_KEYS UNION INSERT_METHOD DATA INDEX TABLESPACE ENCRYPTION COMPRESSION CONNECTION "
    b"PAGE_COMPRESSED PAGE_COMPRESSION_LEVEL TRANSACTIONAL".split()
)
# The words that a message repeats behind the first one of a statement or a clause.
_SAID = NO_COLUMN | frozenset(
    b"TABLE TABLES COLUMN DATABASE SCHEMA VIEW PROCEDURE FUNCTION TRIGGER EVENT SEQUENCE USER ROLE TRANSACTION SET TO "
    b"BY".split()
)


@dataclass(frozen=True)
class Sql:
    """One statement.

    :ivar number: its place among the statements of its file, from 0.
    :ivar span: where it stands.
    :ivar tokens: all of it; of an INSERT of nothing but literals what comes before them, of another statement longer
        than 64 KiB nothing. For MariaDB's SET STATEMENT they are those of the statement that is carried out.
    :ivar head: the texts of the first tokens.
    :ivar bounded: False if it is not certain that this is one whole statement.
    """

    number: int
    span: Span
    text: bytes
    dialect: Dialect
    tokens: Sequence[Token]
    head: tuple[bytes, ...]
    bounded: bool

    def line(self, tokens: Clause) -> int:
        """Return the line on which a part of it begins."""
        return self.span.first + (self.text.count(b"\n", 0, tokens[0].start) if tokens else 0)

    def is_name(self, token: Token) -> bool:
        """Tell whether a token may name something."""
        quote = self.text[token.start : token.start + 1]
        return token.kind == "word" or quote == b"`" or (quote == b'"' and self.dialect.ansi_quotes)

    def plain(self, token: Token) -> str:
        """Return a name without its quotes."""
        return printable(unquote(self.text[token.start : token.end]).decode("utf-8", "replace"))

    def words(self, tokens: Clause) -> str:
        """Return the first words of a part, as far as they are words of SQL: ``ADD INDEX``."""
        said = [token.text for token in tokens[:1]] + [token.text for token in tokens[1:2] if token.text in _SAID]
        return printable(b" ".join(said).decode("ascii", "replace"))

    def name(self, tokens: Clause, place: int) -> tuple[str, int]:
        """Return the name at a place, with its schema if it has one, and the place after it; nothing if none is."""
        parts: list[str] = []
        while place < len(tokens) and self.is_name(tokens[place]):
            parts.append(self.plain(tokens[place]))
            place += 1
            if place >= len(tokens) or tokens[place].text != b".":
                break
            place += 1
        return ".".join(parts), place

    def all_tokens(self) -> Clause:
        """Return all tokens, however many there are."""
        return tuple(read(self.text, self.dialect))

    def starts(self, *words: bytes) -> bool:
        """Tell whether it starts with these words."""
        return self.head[: len(words)] == words


def tokenized(number: int, statement: Statement, dialect: Dialect) -> Sql:
    """Read a statement."""
    span = Span(statement.line, statement.line + statement.text.rstrip().count(b"\n"))
    tokens = _carried_out(tuple(_tokens(statement.text, dialect)))
    head = tuple(token.text for token in tokens[:_HEAD])
    return Sql(number, span, statement.text, dialect, tokens, head, statement.bounded)


def _tokens(text: bytes, dialect: Dialect) -> Iterator[Token]:
    table, place = read_values(text, dialect)
    if table and place == len(text):
        return takewhile(lambda token: token.text not in (b"VALUES", b"VALUE"), read(text, dialect))
    return read(text, dialect) if len(text) <= LONGEST else iter(())


def _carried_out(tokens: Sequence[Token]) -> Sequence[Token]:
    if [token.text for token in tokens[:2]] != [b"SET", b"STATEMENT"]:
        return tokens
    place = next((place for place, _token in outside(tokens, b"FOR")), len(tokens) - 1)
    return tokens[place + 1 :]


def outside(tokens: Clause, *words: bytes) -> Iterator[tuple[int, Token]]:
    """Yield the places of these words, outside parentheses."""
    depth = 0
    for place, token in enumerate(tokens):
        depth += _CLOSES.get(token.text, 0)
        if depth == 0 and token.text in words:
            yield place, token


def has(tokens: Clause, *words: bytes) -> bool:
    """Tell whether a part has one of these words outside parentheses."""
    return next(outside(tokens, *words), None) is not None


def parted(tokens: Clause, before: Collection[bytes] = ()) -> list[Clause]:
    """Part tokens at the commas outside parentheses.

    :param before: words of which one must follow; any token may by default.
    """
    parts, start = [], 0
    for place, _token in outside(tokens, b","):
        if not before or (tokens[place + 1 : place + 2] and tokens[place + 1].text in before):
            parts.append(tokens[start:place])
            start = place + 1
    return [part for part in [*parts, tokens[start:]] if part]


def inside(tokens: Clause, place: int) -> Clause:
    """Return what is within the parenthesis at a place; nothing if none is there."""
    if place >= len(tokens) or tokens[place].text != b"(":
        return ()
    end = next(outside(tokens[place:], b")"), None)
    return tokens[place + 1 : place + end[0] if end else len(tokens)]


class Table(NamedTuple):
    """A statement about a table: its name, and its clauses or columns and indexes."""

    name: str
    parts: list[Clause]


def skip(tokens: Clause, place: int, *words: bytes) -> int:
    """Return the place behind any of these words."""
    while place < len(tokens) and tokens[place].text in words:
        place += 1
    return place


def altered(sql: Sql) -> Optional[Table]:
    """Return the clauses of ALTER TABLE; None for another statement."""
    place = skip(sql.tokens, 1, b"ONLINE", b"OFFLINE", b"IGNORE")
    if not sql.starts(b"ALTER") or not sql.tokens[place : place + 1] or sql.tokens[place].text != b"TABLE":
        return None
    name, place = sql.name(sql.tokens, skip(sql.tokens, place + 1, b"IF", b"EXISTS"))
    if sql.tokens[place : place + 1] and sql.tokens[place].text in (b"WAIT", b"NOWAIT"):
        place += 2 if sql.tokens[place].text == b"WAIT" else 1
    return Table(name, parted(sql.tokens[place:], _BEGINS))


def created(sql: Sql) -> Optional[Table]:
    """Return the columns and indexes of CREATE TABLE that has some; None for another statement."""
    place = skip(sql.tokens, 1, b"OR", b"REPLACE", b"TEMPORARY")
    if not sql.starts(b"CREATE") or not sql.tokens[place : place + 1] or sql.tokens[place].text != b"TABLE":
        return None
    name, place = sql.name(sql.tokens, skip(sql.tokens, place + 1, b"IF", b"NOT", b"EXISTS"))
    return Table(name, [part for part in parted(inside(sql.tokens, place)) if part[0].text != b"LIKE"])


def columns(sql: Sql, clause: Clause) -> list[Clause]:
    """Return the definitions of columns that ADD, CHANGE or MODIFY has, from their names on.

    CHANGE begins with the old name.
    """
    if not clause or clause[0].text not in (b"ADD", b"CHANGE", b"MODIFY"):
        return []
    place = skip(clause, skip(clause, 1, b"COLUMN"), b"IF", b"NOT", b"EXISTS")
    found = parted(inside(clause, place)) or [clause[place:]]
    return [one for one in found if one and one[0].text not in NO_COLUMN]


def column_name(sql: Sql, definition: Clause) -> str:
    """Return the name that a column's definition begins with, in small letters, as servers compare it."""
    return sql.plain(definition[0]).lower()
