# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a stored program ends: follows its blocks from BEGIN to END. Private to the collection.

The server's grammar ends a statement at the first terminator outside every block, so a body needs no DELIMITER.
Sources: MySQL reference manual, "Compound Statement Syntax"; MariaDB knowledge base, "Programmatic and Compound
Statements".
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple, Optional, cast

from .charsets import byte_class, character_set
from .lexer import Dialect, Lexer, Token, blank, dull_marks, letter, line_comment, variable

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
# Words that decide something: anywhere, by what they are before, and at the start of a statement.
_INSIDE = (b"CASE", b"BEGIN", b"END")
_BEFORE_START = (b"THEN", b"DO")
_AT_START = (*_INSIDE, *_BEFORE_START, *_BLOCKS, b"DECLARE", b"UNTIL", b"ELSE")
_NOTHING = Token("nothing", b"", 0, 0)
_TERMINATOR = Token("end", b";", 0, 0)
_QUOTES = (b"'", b'"', b"`")
_STARTS_WORD = re.compile(rb"[0-9A-Za-z_$\x80-\xff]")
# What does not matter to where a parenthesis ends.
_IN_PARENTHESIS = re.compile(rb"[^();'\"`#/*\-$@\x80-\xff]*")
# After one of these an END is a column's name; after anything else it closes a CASE expression.
_OPERAND_EXPECTED = frozenset(
    b"CASE WHEN THEN ELSE AND OR NOT XOR IN IS LIKE BETWEEN REGEXP RLIKE DIV MOD INTERVAL SELECT DISTINCT".split()
)


class End(NamedTuple):
    """Where a statement ends.

    :param terminator: None when the text ends before it.
    :param stores: whether the statement stores a program.
    :param certain: False where the text leaves a doubt.
    """

    terminator: Optional[Token]
    stores: bool
    certain: bool


def may_be_compound(first: Token, second: Optional[Token], mariadb: bool) -> bool:
    """Tell by its first two tokens whether a statement may hold terminators of its own."""
    if first.text in (b"CREATE", b"ALTER"):
        return True
    if not mariadb or first.kind != "word":
        return False
    following = second.text if second else b""
    pair = first.text, following
    return first.text in _TOP_LEVEL or following == b":" or pair in ((b"BEGIN", b"NOT"), (b"SET", b"STATEMENT"))


def find_end(lexer: Lexer, start: int) -> End:
    """Return where the statement that starts there ends.

    Where the text leaves a doubt, the end found is the later one: the server splits again what it is given
    as one, but nothing joins what was split too early.
    """
    reader = _Reader(lexer, start)
    return End(reader.statement(), reader.stores, reader.certain)


@lru_cache(maxsize=64)
def _dull(dialect: Dialect, at_start: bool) -> re.Pattern[bytes]:
    """Return a pattern for the tokens in a block that decide nothing, a limited number of them, and the next word.

    ``last`` is the last token of those, ``word`` the word after them, ``first`` as well if it starts a statement.
    It takes whole tokens only, and what it is unsure of it leaves.
    """
    one, space = letter(dialect), blank(dialect)
    word = rb"(?!\$)" + one + rb"+"
    comment = rb"(?:" + line_comment(dialect) + rb"(?![^\n\x00])|/\*(?!M?!)[^*]*(?:\*(?!/)[^*]*){0,100}\*/)"
    gap = space + rb"*(?:" + comment + space + rb"*){0,9}"
    dull_follows = rb"(?=" + gap + rb"(?:(?!" + _any_of(_AT_START, one) + rb")" + one + rb"|['\"`(@]))"
    matters = _any_of(_INSIDE, one) + rb"|" + _any_of(_BEFORE_START, one) + rb"(?!" + dull_follows + rb")"
    known, name = character_set(dialect.character_set), variable(dialect)
    # Most words can be told by their first letter.
    easy = rb"[0-9AF-SU-Zaf-su-z_" + byte_class(known.high) + rb"]"
    tokens = [
        *([name] if name else []),
        (rb"(?:" + easy + rb"|" + known.wide + rb")" if known.lead else easy) + one + rb"*",
        rb"(?!" + matters + rb")" + word,
        rb"[^\w\s$;:'\"`#/*\-\x80-\xff]|:=",
        rb";" + dull_follows,
        *dull_marks(dialect).values(),
    ]
    dull = space + rb"*(?:(?:(?P<last>" + b"|".join(tokens) + rb")|" + comment + rb")" + space + rb"*){0,400}"
    if at_start:
        dull = rb"(?:" + dull_follows + dull + rb")?" + gap
    return re.compile(dull + rb"(?:(?P<word>" + word + rb")|;" + gap + rb"(?P<first>" + word + rb"))?", re.DOTALL)


def _any_of(words: tuple[bytes, ...], one: bytes) -> bytes:
    """Return a pattern for any of these words; it is quicker than one that ignores case."""
    spelled = (b"".join(b"[%c%c]" % (capital, capital + 32) for capital in word) for word in words)
    return rb"(?:" + b"|".join(spelled) + rb")(?!" + one + rb")"


class _Reader:
    """Takes tokens one by one and keeps the open blocks."""

    def __init__(self, lexer: Lexer, start: int) -> None:
        self._lexer = lexer
        self._place = start
        self._dull = _dull(lexer.dialect, at_start=False), _dull(lexer.dialect, at_start=True)
        self._kept: list[Token] = []
        self.stores = False
        self.certain = True

    def _take(self) -> Optional[Token]:
        if self._kept:
            return self._kept.pop()
        token = self._lexer.token(self._place)
        if token is not None:
            self._place = token.end
        return token

    def _skip(self, at_start: bool, previous: Token) -> tuple[bool, Token, Optional[Token]]:
        """Skip tokens in a block that decide nothing, and take the next one.

        Return whether it starts a statement, what is before it, and the token.
        """
        # It matches nothing at all, too.
        match = cast("re.Match[bytes]", self._dull[at_start].match(self._lexer.text, self._place))
        self._lexer.check(match.end())
        self._place = match.end()
        last = match["last"]
        if last:
            at_start = False
            quoted = last[:1] in _QUOTES or (last[:1] == b"@" != last)
            kind = "quoted" if quoted else "word" if _STARTS_WORD.match(last) else "other"
            previous = Token(kind, last.upper() if kind != "quoted" else b"", *match.span("last"))
        if match["first"]:
            at_start, previous = True, _TERMINATOR
        word = "first" if match["first"] else "word"
        if match[word] is None:
            return at_start, previous, self._take()
        return at_start, previous, Token("word", match[word].upper(), *match.span(word))

    def _peek(self) -> Token:
        if not self._kept:
            token = self._take()
            if token is None:
                return _NOTHING
            self._kept.append(token)
        return self._kept[-1]

    def statement(self) -> Optional[Token]:
        first = self._peek()
        if first.text == b"CREATE":
            self._take()
            return self._create()
        if first.text == b"ALTER":
            self._take()
            return self._header_to_do() if self._reach_kind() == b"EVENT" else self._plain()
        if first.text == b"SET":
            return self._set_statement()
        return self._body()

    def _set_statement(self) -> Optional[Token]:
        """SET STATEMENT variables FOR (MariaDB): any other statement follows."""
        previous = b""
        while self._peek().kind not in ("end", "nothing"):
            self._parenthesis()
            token = self._take()
            if token is None:
                break
            if token.text == b"FOR" and previous not in (b"@", b"."):
                return self._any_statement()
            previous = token.text
            if token.kind == "end":
                return token
        return self._plain()

    def _any_statement(self) -> Optional[Token]:
        first = self._take()
        if first is None:
            return None
        compound = may_be_compound(first, self._peek(), mariadb=True)
        self._kept.append(first)
        return self.statement() if compound else self._plain()

    def _plain(self) -> Optional[Token]:
        # What was kept are tokens of the statement, or its terminator; the first is the last in the list.
        if self._kept:
            self._place = self._kept[-1].start
            self._kept.clear()
        start, end = self._lexer.terminator(self._place)
        return Token("end", b";", start, end) if end > start else None

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
            if depth and not self._kept:
                # It matches nothing at all, too.
                self._place = cast("re.Match[bytes]", _IN_PARENTHESIS.match(self._lexer.text, self._place)).end()
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
        token = self._peek()
        while token.kind not in ("end", "nothing") and token.text not in (b"(", b"RETURNS", b"SONAME"):
            self._take()
            token = self._peek()
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
        at_start, previous = True, _NOTHING
        while True:
            if blocks and not self._kept:
                at_start, previous, token = self._skip(at_start, previous)
            else:
                token = self._take()
            if token is None or (token.kind == "end" and not blocks):
                self.certain = self.certain and not blocks
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
        """Take a statement's first word; return whether another statement starts after it."""
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
        """Take a word within a statement; return whether a statement starts after it."""
        word, innermost = token.text, blocks[-1] if blocks else b""
        if word == b"CASE":
            blocks.append(b"expression")
        elif word == b"BEGIN" and not blocks:
            # The header held something that is not known here; the block is a body all the same.
            self.certain = False
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
    """Tell whether an expression may end with a token, so that END after it closes the expression."""
    if token.text == b"@":
        # The variable without a name; @end is a variable, too.
        return following.start > token.end
    return token.text == b")" if token.kind == "other" else token.text not in _OPERAND_EXPECTED
