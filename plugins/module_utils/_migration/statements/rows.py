# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which tables a statement about rows writes, what else it names, and whether all of it is understood. Private.

A name that may be a table's counts as one: a name that is not a table does no harm. The words that end such a
place are reserved on both servers (MySQL reference manual, "Keywords and Reserved Words"; MariaDB knowledge base,
"Reserved Words"), so that none of them can be a table's name or an alias.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple, Optional, cast

from ..files.lexer import Dialect, Token, dull_marks
from .functions import KEYWORDS, harmless
from .tokens import LONGEST, Tokens, lexer_of, unquote

# So many names are too many to be asked for.
_MOST_NAMES = 64
# What is after one of these may be a table, and so may what is after a comma, until a word of the other kind.
_TABLES_FOLLOW = frozenset(b"FROM JOIN STRAIGHT_JOIN INTO UPDATE TABLE USING DELETE INSERT REPLACE".split())
_VALUES_FOLLOW = frozenset(b"SELECT WHERE SET VALUES HAVING".split())
RESERVED = _TABLES_FOLLOW | _VALUES_FOLLOW
RESERVED |= frozenset(
    b"AS ON INNER LEFT RIGHT CROSS NATURAL OUTER USE FORCE IGNORE INDEX KEY FOR GROUP ORDER BY LIMIT UNION ALL "
    b"DISTINCT PARTITION AND OR NOT IN IS NULL LOW_PRIORITY HIGH_PRIORITY DUAL WITH RECURSIVE EXISTS "
    b"CASE WHEN THEN ELSE".split()
)
_MODIFIERS = (b"LOW_PRIORITY", b"HIGH_PRIORITY", b"IGNORE", b"DELAYED")
# No reserved words, and yet a table's name may follow them.
_MAY_PRECEDE = (b"QUICK", b"LATERAL", b"ONLY")
_MARKS = frozenset(b"( ) , = < > ! + - * / % & | ^ ~ := ?".split())
_NUMBER = re.compile(rb"[0-9]+(?:[Ee][0-9]*)?\Z|0[Xx][0-9A-Fa-f]+\Z|0[Bb][01]+\Z")
_WORD = rb"[0-9A-Za-z_$\x80-\xff]"
_NAME = rb"(?:[A-Za-z_]" + _WORD + rb"*|`[^`\\]+`)"
_HEAD = re.compile(
    rb"(?:insert|replace)\s+(?:(?:low_priority|high_priority|ignore)\s+)*into\s+("
    + _NAME
    + rb"(?:\."
    + _NAME
    + rb")?)\s*"
    rb"(?:\(\s*" + _NAME + rb"(?:\s*,\s*" + _NAME + rb"){0,500}\s*\)\s*)?values?(?=[\s(])",
    re.IGNORECASE,
)
# Functions that are frequent among literals, and what may be before a literal.
_FREQUENT = b"NOW CURDATE CURRENT_TIMESTAMP UTC_TIMESTAMP UNHEX UUID CONCAT JSON_OBJECT JSON_ARRAY".split()
_LITERAL_WORD = (
    rb"(?:null|default|true|false|current_timestamp|_binary|_utf8|_utf8mb3|_utf8mb4|_latin1|[xbn]|date|timestamp)"
)
_TABLE, _CONDITION, _VALUE = "table", "condition", "value"


class Rows(NamedTuple):
    """What is known of a statement about rows.

    :param plain: all of it is understood, and nothing in it has an effect of its own.
    :param writes: what may be a table that it writes, as in the text.
    :param names: what else may be a table or a view, as in the text.
    :param assigns: the user variables that it gives a value to.
    :param to_file: it writes a file on the server.
    """

    plain: bool
    writes: tuple[bytes, ...] = ()
    names: tuple[bytes, ...] = ()
    assigns: tuple[bytes, ...] = ()
    to_file: bool = False


def read_values(text: bytes, dialect: Dialect) -> tuple[bytes, int]:
    """Read INSERT ... VALUES as far as it is made of literals, at the speed of a pattern.

    :returns: the table as it stands, nothing for another statement; and where the literals end.
    """
    head = _HEAD.match(text)
    if head is None or not head[0].isascii():
        return b"", 0
    literals, lexer, place = _literals(dialect), lexer_of(dialect), head.end()
    lexer.text = text
    while place < len(text):
        # It matches nothing at all, too.
        end = cast("re.Match[bytes]", literals.match(text, place)).end()
        if end > place:
            # More literals than one match may take, perhaps.
            place = end
            continue
        # A text with many escapes, or a comment.
        token = lexer.token(place)
        if token is None:
            break
        if token.start == place:
            if text[place : place + 1] not in _string_quotes(dialect):
                return head[1], place
            place = token.end
        else:
            place = token.start
    return head[1], len(text)


def _string_quotes(dialect: Dialect) -> tuple[bytes, ...]:
    return (b"'",) if dialect.ansi_quotes else (b"'", b'"')


@lru_cache(maxsize=16)
def _literals(dialect: Dialect) -> re.Pattern[bytes]:
    marks, known = dull_marks(dialect), harmless(dialect)
    functions = b"|".join(name for name in _FREQUENT if name in known)
    no_letter = rb"(?!" + _WORD + rb"|\.)"
    pieces = [
        *(rb"(?:" + marks[quote] + rb")" for quote in _string_quotes(dialect)),
        rb"[0-9]*\.?[0-9]+(?:[Ee][-+]?[0-9]+)?" + no_letter,
        rb"0[xX][0-9A-Fa-f]+" + no_letter,
        rb"-(?!-)",
        rb"(?i:" + functions + rb")\(",
        rb"(?i:" + _LITERAL_WORD + rb")(?!" + _WORD + rb"|\s*[.(])",
    ]
    return re.compile(rb"(?:[\s,()+]*(?:" + b"|".join(pieces) + rb")){0,400}[\s,()+]*", re.DOTALL)


def read_rows(tokens: Tokens, first: bytes) -> Rows:
    """Read a statement whose first token has been taken.

    :param first: that token, in upper case.
    """
    if len(tokens.text) > LONGEST:
        return Rows(False)
    return _Reader(tokens).read(first)


def read_behind_values(text: bytes, dialect: Dialect, table: bytes, place: int) -> Rows:
    """Read what is left of INSERT ... VALUES after its first literals; ``place`` is where they end."""
    if place == len(text):
        return Rows(True, (table,))
    if len(text) - place > LONGEST:
        return Rows(False)
    return _Reader(Tokens(text, dialect, place), table).read(b"")


class _Reader:
    """Follows a statement's tokens; keeps for each open parenthesis whether tables or values are named there."""

    def __init__(self, tokens: Tokens, table: bytes = b"") -> None:
        self._tokens = tokens
        self._functions = harmless(tokens.dialect)
        self._places = [_VALUE]
        self._plain = True
        self._to_file = False
        self._writes = [table] if table else []
        self._names: list[bytes] = []
        self._assigns: list[bytes] = []
        self._previous = b""
        # What is named now is written, too.
        self._writing = False
        # A name right after that of a table is an alias.
        self._after_table = False
        self._loads = False

    def read(self, first: bytes) -> Rows:
        self._head(first)
        tokens = self._tokens
        while tokens.peek().kind != "nothing":
            token = tokens.take()
            if tokens.is_name(token):
                self._word(token)
                continue
            self._after_table = False
            if token.kind == "other":
                self._mark(token)
                self._previous = token.text
            elif token.kind == "name":
                self._variable(tokens.variables[-1])
                self._previous = b""
            else:
                self._plain = self._plain and token.kind == "quoted"
                self._previous = b""
        if first == b"LOAD":
            self._assigns = list(tokens.variables)
        names = [name for name in dict.fromkeys(self._names) if name not in self._writes]
        plain = self._plain and len(names) + len(self._writes) <= _MOST_NAMES
        writes = tuple(dict.fromkeys(self._writes))
        return Rows(plain, writes, tuple(names), tuple(dict.fromkeys(self._assigns)), self._to_file)

    def _head(self, first: bytes) -> None:
        """Take what comes before the names of a statement that writes."""
        tokens = self._tokens
        if first in (b"INSERT", b"REPLACE"):
            while tokens.peek().text in _MODIFIERS:
                self._plain = tokens.take().text != b"DELAYED" and self._plain
            tokens.skip(b"INTO")
            self._target()
        elif first == b"LOAD":
            self._loads = True
            while tokens.peek().kind != "nothing" and not (
                self._previous == b"INTO" and tokens.peek().text == b"TABLE"
            ):
                self._previous = tokens.take().text
            tokens.take()
            self._target()
        elif first in (b"UPDATE", b"DELETE"):
            self._places, self._writing = [_TABLE], True
        elif first == b"(":
            self._places.append(_VALUE)
        elif first == b"TABLE":
            self._places = [_TABLE]
        self._previous = first

    def _target(self) -> None:
        if self._tokens.is_name(self._tokens.peek()):
            self._writes.append(self._tokens.name())
        else:
            self._plain = False

    def _mark(self, token: Token) -> None:
        text, places = token.text, self._places
        if text == b"(":
            places.append(_TABLE if places[-1] == _TABLE else _VALUE)
        elif text == b")":
            if len(places) > 1:
                places.pop()
        elif text == b",":
            places[-1] = _TABLE if places[-1] == _CONDITION else places[-1]
        elif text == b"@":
            self._at()
        elif text == b".":
            # A number may start with its point, and so may a table's name.
            self._plain = self._plain and _NUMBER.match(self._tokens.take().text) is not None
        elif text not in _MARKS:
            self._plain = False

    def _at(self) -> None:
        tokens = self._tokens
        if tokens.skip(b"@"):
            tokens.name()
            return
        self._variable(tokens.variable())

    def _variable(self, name: bytes) -> None:
        tokens = self._tokens
        into = self._previous == b"INTO"
        if into or tokens.peek().text == b":=":
            self._assigns.append(name)
        while into and tokens.skip(b","):
            if tokens.peek().kind == "name":
                tokens.take()
                self._assigns.append(tokens.variables[-1])
            elif tokens.skip(b"@"):
                self._assigns.append(tokens.variable())
            else:
                return

    def _word(self, token: Token) -> None:
        tokens, text = self._tokens, self._tokens.text
        after_table, self._after_table = self._after_table, False
        if token.kind == "word" and _NUMBER.match(token.text):
            if tokens.skip(b".") and _NUMBER.match(tokens.peek().text):
                tokens.take()
            self._previous = b""
            return
        parts, last = [token], token
        while tokens.peek().text == b".":
            tokens.take()
            last = tokens.take()
            parts.append(last)
        before, following = self._previous, tokens.peek()
        word = token.text if len(parts) == 1 and token.kind == "word" else b""
        self._previous = word or b"name"
        if last.text == b"*":
            # All columns of a table that is named elsewhere; in DELETE it may be one that is written.
            last = parts[-2]
        if following.text == b"(" and before != b"AS":
            adjacent = following.start == last.end
            self._plain = self._plain and (word in KEYWORDS or (adjacent and word in self._functions))
            if word not in KEYWORDS:
                return
        if word:
            self._keyword(word, before, following.text)
        if self._places[-1] == _TABLE and before != b"AS" and word not in RESERVED and not after_table:
            self._after_table = word not in _MAY_PRECEDE
            (self._writes if self._writing else self._names).append(text[token.start : last.end])

    def _keyword(self, word: bytes, before: bytes, following: bytes) -> None:
        if (before in (b"NEXT", b"PREVIOUS") and word == b"VALUE") or (self._loads and word == b"ALGORITHM"):
            # MySQL's bulk load commits.
            self._plain = False
        elif before == b"INTO" and word in (b"OUTFILE", b"DUMPFILE"):
            self._plain, self._to_file = False, True
        elif word == b"ON" and self._places[-1] == _TABLE:
            self._places[-1] = _CONDITION
        elif word in _VALUES_FOLLOW:
            self._places[-1] = _VALUE
            self._writing = self._writing and len(self._places) > 1
        elif word in _TABLES_FOLLOW and not (word == b"INTO" and following == b"@"):
            self._places[-1] = _TABLE
            outer = len(self._places) == 1 and before not in (b"FOR", b"KEY", b"")
            if word in (b"UPDATE", b"DELETE") and outer and not self._writes:
                # WITH ... UPDATE: what has been named may be one of them.
                self._writes, self._names, self._writing = self._names, [], True


def parts_of(name: bytes, dialect: Dialect) -> Optional[list[bytes]]:
    """Return the parts of a name without their quotes; None for anything but a name."""
    parts = []
    tokens = Tokens(name, dialect)
    while True:
        token = tokens.take()
        if not tokens.is_name(token):
            return None
        parts.append(unquote(name[token.start : token.end]))
        if tokens.peek().kind == "nothing":
            return parts
        if tokens.take().text != b".":
            return None
