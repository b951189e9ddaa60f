# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A statement's tokens, taken one by one. Private to the collection."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Optional

from ..files.lexer import Dialect, Lexer, Token

NOTHING = Token("nothing", b"", 0, 0)
# Bytes of a statement that are read token by token; what is longer is not understood.
LONGEST = 1 << 16


def read(text: bytes, dialect: Dialect, start: int = 0) -> Iterator[Token]:
    """Yield a statement's tokens."""
    lexer = lexer_of(dialect)
    lexer.text = text
    # It may have been left inside an executable comment.
    return lexer.tokens(lexer.begin(start))


@lru_cache(maxsize=16)
def lexer_of(dialect: Dialect) -> Lexer:
    """Return a lexer for whole texts; making one takes longer than reading a statement."""
    lexer = Lexer(dialect)
    lexer.final = True
    return lexer


class Tokens:
    """Takes a statement's tokens one by one.

    :ivar text: the statement.
    :ivar dialect: how its server reads it.
    :ivar variables: the user variables that have been taken, as they stand, with their ``@``.
    """

    def __init__(self, text: bytes, dialect: Dialect, start: int = 0) -> None:
        self.text = text
        self.dialect = dialect
        self.variables: list[bytes] = []
        self._tokens = read(text, dialect, start)
        self._next: Optional[Token] = None
        self._last = NOTHING

    def peek(self) -> Token:
        """Return the next token and leave it."""
        if self._next is None:
            self._next = next(self._tokens, NOTHING)
        return self._next

    def take(self) -> Token:
        """Return the next token; after the last one, NOTHING."""
        token = self.peek()
        self._next = None
        previous, self._last = self._last, token
        # In an account's name @ follows what it belongs to.
        if token.text == b"@" and not (previous.end == token.start and previous.kind in ("word", "quoted")):
            self._note_variable(token, previous)
        elif token.kind == "name":
            self.variables.append(self.text[token.start : token.end])
        return token

    def _note_variable(self, at: Token, previous: Token) -> None:
        following = self.peek()
        if following.start == at.end and following.kind in ("word", "quoted") and previous.text != b"@":
            self.variables.append(self.text[at.start : following.end])

    def skip(self, *words: bytes) -> bool:
        """Take the next token if it is one of these words."""
        found = self.peek().text in words
        if found:
            self.take()
        return found

    def reach(self, *words: bytes) -> bytes:
        """Take tokens outside parentheses up to one of these words; return it, or nothing."""
        depth = 0
        while self.peek().kind != "nothing":
            token = self.take()
            depth += {b"(": 1, b")": -1}.get(token.text, 0)
            if depth == 0 and token.text in words:
                return token.text
        return b""

    def name(self) -> bytes:
        """Take a name, with its schema if it has one, as it stands."""
        first = last = self.take()
        while self.peek().text == b".":
            self.take()
            last = self.take()
        return self.text[first.start : last.end]

    def variable(self) -> bytes:
        """Take the rest of a user variable whose ``@`` has been taken; return all of it as it stands."""
        start = end = self._last.end
        while self._continues(end):
            end = self.take().end
        found = b"@" + self.text[start:end]
        if end > start and self.variables:
            self.variables[-1] = found
        return found

    def _continues(self, end: int) -> bool:
        """Tell whether a variable's name continues; there is one with an empty name, too."""
        following = self.peek()
        return following.start == end and (following.kind in ("word", "quoted") or following.text == b".")

    def is_name(self, token: Token) -> bool:
        """Tell whether a token may name something."""
        return token.kind == "word" or (token.kind == "quoted" and self.quotes_name(token))

    def quotes_name(self, token: Token) -> bool:
        """Tell whether a token in quotes is a name."""
        quote = self.text[token.start : token.start + 1]
        return quote == b"`" or (quote == b'"' and self.dialect.ansi_quotes)

    def drain(self) -> None:
        """Take all that is left, for its variables; of a long statement nothing."""
        while len(self.text) <= LONGEST and self.take().kind != "nothing":
            pass


def unquote(name: bytes) -> bytes:
    """Return one part of a name without its quotes."""
    quote = name[:1]
    if quote in (b"`", b'"') and len(name) > 1:
        return name[1:-1].replace(quote * 2, quote)
    return name
