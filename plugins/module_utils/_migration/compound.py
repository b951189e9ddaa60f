# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a stored program ends: follows its blocks from BEGIN to END. Private to the collection.

The server's grammar ends a statement at the first terminator outside every block, so a body needs no DELIMITER.
Sources: MySQL reference manual, "Compound Statement Syntax"; MariaDB knowledge base, "Programmatic and Compound
Statements".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Optional

from .lexer import Token

_ROUTINES = (b"PROCEDURE", b"FUNCTION")
_PROGRAMS = (*_ROUTINES, b"TRIGGER", b"EVENT", b"PACKAGE")
# Words of CREATE ... before the kind of object; anything else means an object that has no body.
_BEFORE_KIND = (b"OR", b"REPLACE", b"DEFINER", b"AGGREGATE", b"CURRENT_USER", b"CURRENT_ROLE")
_BLOCKS = (b"BEGIN", b"IF", b"CASE", b"LOOP", b"WHILE", b"REPEAT", b"FOR")
# MariaDB runs these outside stored programs as well; BEGIN only as BEGIN NOT ATOMIC.
_TOP_LEVEL = (b"IF", b"CASE", b"LOOP", b"WHILE", b"REPEAT", b"FOR")
_CHARACTERISTICS = frozenset(b"SQL NOT DETERMINISTIC CONTAINS NO READS MODIFIES DATA SECURITY DEFINER INVOKER".split())
_TYPE_ATTRIBUTES = frozenset(
    b"UNSIGNED SIGNED ZEROFILL BINARY ASCII UNICODE BYTE PRECISION VARYING VARCHAR VARCHARACTER CHAR CHARACTER "
    b"VARBINARY MEDIUMINT LARGE OBJECT".split()
)
_ARGUMENT_FOLLOWS = (b"CHARSET", b"SET", b"COLLATE", b"LANGUAGE", b"COMMENT")
# After one of these an END is a column's name; after anything else it closes a CASE expression.
_OPERAND_EXPECTED = frozenset(
    b"CASE WHEN THEN ELSE AND OR NOT XOR IN IS LIKE BETWEEN REGEXP RLIKE DIV MOD INTERVAL SELECT DISTINCT".split()
)


def may_be_compound(first: Token, second: Token, mariadb: bool) -> bool:
    """Tell by its first two tokens whether a statement may hold terminators of its own."""
    if first.text in (b"CREATE", b"ALTER"):
        return True
    if not mariadb or first.kind != "word":
        return False
    return first.text in _TOP_LEVEL or second.text == b":" or (first.text, second.text) == (b"BEGIN", b"NOT")


def find_end(tokens: Iterator[Token]) -> tuple[Optional[Token], bool]:
    """Return the terminator of the statement whose tokens these are, and whether it stores a program.

    The terminator is None when the text ends before it.
    Where the text leaves a doubt, the end found is the later one: the server splits again what it is given
    as one, but nothing joins what was split too early.
    """
    reader = _Reader(tokens)
    return reader.statement(), reader.stores


class _Reader:
    """Takes tokens one by one and keeps the open blocks."""

    def __init__(self, tokens: Iterator[Token]) -> None:
        self._tokens = tokens
        self._kept: list[Token] = []
        self.stores = False

    def _take(self) -> Optional[Token]:
        return self._kept.pop() if self._kept else next(self._tokens, None)

    def _peek(self) -> Token:
        token = self._take()
        if token is None:
            return Token("nothing", b"", 0, 0)
        self._kept.append(token)
        return token

    def statement(self) -> Optional[Token]:
        first = self._peek()
        if first.text == b"CREATE":
            self._take()
            return self._create()
        if first.text == b"ALTER":
            self._take()
            return self._header_to_do() if self._reach_kind() == b"EVENT" else self._plain()
        return self._body()

    def _plain(self) -> Optional[Token]:
        token = self._take()
        while token is not None and token.kind != "end":
            token = self._take()
        return token

    def _create(self) -> Optional[Token]:
        kind = self._reach_kind()
        if kind in _ROUTINES:
            return self._routine()
        if kind == b"TRIGGER":
            return self._trigger()
        if kind == b"EVENT":
            return self._header_to_do()
        if kind == b"PACKAGE":
            return self._package()
        return self._plain()

    def _reach_kind(self) -> bytes:
        """Take CREATE's words up to the kind of object; return it, or nothing for an object without a body."""
        previous = b""
        while True:
            token = self._peek()
            if token.kind in ("end", "nothing"):
                return b""
            named = previous in (b"=", b"@", b".")
            if token.kind == "word" and not named and token.text not in _BEFORE_KIND:
                if token.text in _PROGRAMS:
                    self.stores = True
                    self._take()
                    return token.text
                return b""
            previous = token.text if token.kind == "other" else b""
            self._take()

    def _parenthesis(self) -> None:
        """Take everything from an opening parenthesis to the one that closes it; nothing if none is next."""
        depth = 0
        while True:
            token = self._peek()
            if token.kind in ("end", "nothing"):
                return
            depth += {b"(": 1, b")": -1}.get(token.text, 0)
            if depth == 0 and token.text != b")":
                return
            self._take()
            if depth == 0:
                return

    def _routine(self) -> Optional[Token]:
        """PROCEDURE and FUNCTION: a name, parameters, characteristics, and whatever comes then is the body."""
        while self._peek().kind not in ("end", "nothing") and self._peek().text not in (b"(", b"RETURNS", b"SONAME"):
            self._take()
        self._parenthesis()
        while True:
            token = self._peek()
            if token.text == b"RETURNS":
                self._take()
                self._take()
                self._parenthesis()
            elif token.text in _ARGUMENT_FOLLOWS:
                self._take()
                self._take()
            elif token.text in _CHARACTERISTICS or token.text in _TYPE_ATTRIBUTES:
                self._take()
                self._parenthesis()
            else:
                return self._body()

    def _trigger(self) -> Optional[Token]:
        """TRIGGER: the body follows FOR EACH ROW, and perhaps FOLLOWS or PRECEDES another trigger."""
        previous = b""
        while self._peek().kind not in ("end", "nothing"):
            token = self._take()
            if token is None or (previous == b"EACH" and token.text == b"ROW"):
                break
            previous = token.text
        if self._peek().text in (b"FOLLOWS", b"PRECEDES"):
            self._take()
            self._take()
        return self._body()

    def _header_to_do(self) -> Optional[Token]:
        """EVENT: the body follows DO; ALTER EVENT may have none."""
        while True:
            token = self._take()
            if token is None or token.kind == "end":
                return token
            if token.text == b"DO":
                return self._body()

    def _package(self) -> Optional[Token]:
        """PACKAGE (MariaDB): everything up to the END that stands outside its routines' blocks."""
        self._kept.append(Token("word", b"BEGIN", 0, 0))
        return self._body()

    def _body(self) -> Optional[Token]:
        """Follow a body's blocks and return the terminator outside all of them."""
        blocks: list[bytes] = []
        at_start, previous = True, Token("nothing", b"", 0, 0)
        while True:
            token = self._take()
            if token is None or (token.kind == "end" and not blocks):
                return token
            if token.kind == "end":
                at_start = True
            elif token.kind == "other":
                # A label: its statement starts behind the colon.
                at_start = token.text == b":" and previous.kind in ("word", "quoted")
            elif token.kind == "quoted" or previous.text == b".":
                at_start = False
            elif at_start:
                at_start = self._at_start(token, blocks)
            else:
                at_start = self._inside(token, previous, blocks)
            previous = token

    def _at_start(self, token: Token, blocks: list[bytes]) -> bool:
        """Take a statement's first word; return whether another statement starts behind it."""
        word = token.text
        if word == b"END":
            if blocks:
                blocks.pop()
            if self._peek().text in _BLOCKS:
                self._take()
            return False
        if word == b"DECLARE":
            return self._declare()
        if word in _BLOCKS:
            blocks.append(word)
        if word == b"BEGIN" and self._peek().text == b"NOT":
            self._take()
            self._take()
        if word == b"UNTIL" and blocks:
            blocks[-1] = word
        return word in (b"BEGIN", b"LOOP", b"REPEAT", b"ELSE")

    def _inside(self, token: Token, previous: Token, blocks: list[bytes]) -> bool:
        """Take a word within a statement; return whether a statement starts behind it."""
        word, innermost = token.text, blocks[-1] if blocks else b""
        if word == b"CASE":
            blocks.append(b"expression")
        elif word == b"BEGIN" and not blocks:
            # The header held something that is not known here; the block is a body all the same.
            blocks.append(word)
            return True
        elif word == b"END" and innermost in (b"expression", b"UNTIL") and _is_operand(previous, token):
            blocks.pop()
            if innermost == b"UNTIL":
                self._take()
        elif word == b"THEN":
            return innermost in (b"IF", b"CASE")
        elif word == b"DO":
            return innermost in (b"WHILE", b"FOR")
        return False

    def _declare(self) -> bool:
        """DECLARE ... HANDLER FOR conditions is followed by a statement; every other DECLARE is a whole one."""
        kind, handler = self._take(), self._peek()
        if kind is None or kind.kind != "word" or handler.text != b"HANDLER":
            if kind is not None:
                self._kept.append(kind)
            return False
        self._take()
        if self._peek().text == b"FOR":
            self._take()
        while self._condition() and self._peek().text == b",":
            self._take()
        return True

    def _condition(self) -> bool:
        """Take one condition of a handler."""
        token = self._take()
        if token is None:
            return False
        if token.text == b"SQLSTATE" and self._peek().text == b"VALUE":
            self._take()
        if token.text in (b"SQLSTATE", b"NOT"):
            self._take()
        return True


def _is_operand(token: Token, following: Token) -> bool:
    """Tell whether an expression may end with a token, so that END behind it closes the expression."""
    if token.text == b"@":
        # The variable without a name; @end is a variable, too.
        return following.start > token.end
    return token.text == b")" if token.kind == "other" else token.text not in _OPERAND_EXPECTED
