# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The text of one migration file, as statements. Private to the collection.

golang-migrate sends a file as it is and lets the server split it; so does the ``mysql`` client with whatever
stands between two of its delimiters. Statements found here are sent one by one, their bytes unchanged.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass

from .compound import find_end, may_be_compound
from .lexer import Dialect, Lexer, Token

_DELIMITER = re.compile(rb"delimiter(?:[ \t]+(\S+)?[^\n]*)?(?:\n|\Z)", re.IGNORECASE)
# At the end of a text the server does not look at these.
_NO_MATTER = b"; \t\r\n\f\v"
_NOTHING = Token("nothing", b"", 0, 0)


@dataclass(frozen=True)
class Statement:
    """One statement of a file.

    :param number: from 1.
    :param line: where it starts, from 1.
    :param column: in characters, from 1.
    :param text: its bytes as they stand in the file.
    :param suffix: what to send behind them so that the server stores what it would when given the whole file.
    """

    number: int
    line: int
    column: int
    text: bytes
    suffix: bytes = b""


@dataclass(frozen=True)
class Note:
    """Something in a file that golang-migrate would refuse and we accept."""

    line: int
    text: str


class Script:
    """Splits a script while it is being run: ``dialect`` may be replaced between two statements.

    ``notes`` is complete once ``statements`` is exhausted.
    """

    def __init__(self, text: bytes, dialect: Dialect) -> None:
        self.notes: list[Note] = []
        self._text = text
        self.dialect = dialect
        self._terminator = b";"
        self._place = 0
        self._counted, self._line, self._line_start = 0, 1, 0
        self._number = 0
        self._delimiter_noted = False

    def statements(self) -> Iterator[Statement]:
        """Yield the statements in order."""
        self._skip_byte_order_mark()
        anything = False
        while True:
            lexer = Lexer(self._text, self.dialect, self._terminator)
            start = lexer.begin(self._place)
            self._move_to(start)
            if start == len(self._text):
                break
            if self._delimiter(start):
                continue
            end, after, stores = self._end(lexer, start)
            followed = bool(self._text[after:].strip(_NO_MATTER))
            if end > start:
                anything = True
                yield self._statement(start, end, stores and followed)
            elif followed:
                self._note("has an empty statement before another one")
            self._place = after
        if not anything and not self._text.strip(_NO_MATTER):
            self._note("is empty")

    def _skip_byte_order_mark(self) -> None:
        if self._text.startswith(codecs.BOM_UTF8):
            self._place = self._line_start = len(codecs.BOM_UTF8)
            self._note("starts with a byte order mark")

    def _delimiter(self, start: int) -> bool:
        """Carry out a DELIMITER command, if one starts here."""
        command = _DELIMITER.match(self._text, start)
        if command is None:
            return False
        if command[1]:
            self._terminator = command[1].strip(b"'\"`") or command[1]
        if not self._delimiter_noted:
            self._delimiter_noted = True
            self._note("uses DELIMITER, a command of the mysql client")
        self._place = command.end()
        return True

    def _end(self, lexer: Lexer, start: int) -> tuple[int, int, bool]:
        """Return where the statement and where its terminator end, and whether the statement stores a program."""
        if self._terminator == b";":
            tokens = lexer.tokens(start)
            first, second = next(tokens, _NOTHING), next(tokens, _NOTHING)
            lexer.in_executable = False
            if may_be_compound(first, second, self.dialect.mariadb):
                token, stores = find_end(lexer.tokens(start))
                length = len(self._text)
                return (token.start, token.end, stores) if token else (length, length, False)
        return (*lexer.terminator(start), False)

    def _statement(self, start: int, end: int, stores: bool) -> Statement:
        self._number += 1
        column = len(self._text[self._line_start : start].decode("utf-8", "replace")) + 1
        # The servers cut semicolons and blanks off the end of what they are sent, also from a comment's end; in the
        # middle they stay, and MySQL even stores the semicolon with a program's text.
        suffix = b"; #" if stores else b""
        return Statement(self._number, self._line, column, self._text[start:end], suffix)

    def _move_to(self, place: int) -> None:
        """Count the lines up to a place."""
        lines = self._text.count(b"\n", self._counted, place)
        if lines:
            self._line += lines
            self._line_start = self._text.rfind(b"\n", self._counted, place) + 1
        self._counted = place

    def _note(self, text: str) -> None:
        self.notes.append(Note(self._line, text))
