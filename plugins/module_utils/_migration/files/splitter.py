# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The text of one migration file, as statements. Private to the collection.

golang-migrate sends a file as it is and lets the server split it; so does the ``mysql`` client with whatever
is between two of its delimiters: a piece. Statements found here are sent one by one, their bytes unchanged.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Generator, Iterator
from functools import lru_cache
from typing import BinaryIO, NamedTuple, Optional, cast

from .charsets import character_set, is_known
from .client import DELIMITER
from .compound import find_end, may_be_compound
from .lexer import LOOKAHEAD, Dialect, Lexer, MoreNeeded

# How much is read at once, in bytes.
_CHUNK = 1 << 20
# golang-migrate's driver sends a file as one packet of 4 MiB at most, a byte of which is its own.
_LARGEST_PORTABLE = (4 << 20) - 1
_NOTHING = b"; \t\r\n\f\v"
_EMPTY = re.compile(rb"[;\s]*")
# The usual statements that are neither stored programs nor compound; the others are looked at word by word.
_ORDINARY = (
    rb"(?i:insert|update|delete|replace|select|set(?!\s+(?:statement|[/#-]))|drop|truncate|grant|revoke|use|rename|call"
    rb"|with|create\s+(?:table|temporary|index|unique|fulltext|spatial|view|database|schema|user|role)"
    rb"|alter\s+(?:table|database|schema|user|view))\s+(?=[^:\s])"
)
_STARTS_ORDINARY = re.compile(_ORDINARY)
_EMPTY_STATEMENT = "has an empty statement before another one"


@lru_cache(maxsize=64)
def _ordinary_line(dull: bytes) -> re.Pattern[bytes]:
    """Return a pattern for whitespace and an ordinary statement at the start of a line, or for nothing."""
    return re.compile(rb"(?:(\s*\n[ \t]*)(" + _ORDINARY + dull + rb");)?", re.DOTALL)


def _ends_oddly(text: bytes) -> bool:
    """Tell whether a text ends in what has another meaning at the very end, where the servers cut whitespace off."""
    return text.rstrip(_NOTHING).endswith((b"--", b"\0"))


class Statement(NamedTuple):
    """One statement of a file.

    :param number: from 1.
    :param line: where it starts, from 1.
    :param column: in characters, from 1.
    :param text: its bytes as they are in the file.
    :param suffix: what to send after them so that the server stores what it would when given the whole file.
    :param bounded: False where it is not certain that this is one whole statement to the server: it may be several, or
        it may reach into whatever is sent after it.
    """

    number: int
    line: int
    column: int
    text: bytes
    suffix: bytes = b""
    bounded: bool = True


class Note(NamedTuple):
    """Something in a file that golang-migrate would refuse and we accept."""

    line: int
    text: str


class Mark(NamedTuple):
    """A place between two statements of a script."""

    started: bool
    size: int
    text: bytes
    offset: int
    final: bool
    piece: Optional[tuple[bytes, int, int]]
    delimiter: bytes
    counters: tuple[int, int, int, int, int]


class Splitter:
    """Splits a script while it is being read and run; in memory is one statement, or one piece, and a little more.

    ``dialect`` may be replaced between two statements. ``notes`` is complete once ``statements`` is exhausted; it
    tells about each thing once, with the first line where it is so.
    """

    def __init__(self, file: BinaryIO, dialect: Dialect) -> None:
        self.notes: list[Note] = []
        self.dialect = dialect
        self._file = file
        self._lexer = Lexer(dialect)
        self._delimiter = b";"
        # While a piece is read, its text is the lexer's: the lexer of the script, and where the piece ends in it.
        self._script: Optional[tuple[Lexer, int, int]] = None
        self._place = 0
        self._counted, self._line, self._column = 0, 1, 1
        self._number = 0
        self._started = False
        self._matters = False
        self._size = 0

    def statements(self) -> Generator[Statement, None, None]:
        """Yield the statements that come next, in order; it may be left and called again."""
        if not self._started:
            self._started = True
            self._load()
            self._skip_byte_order_mark()
        while True:
            yield from self._quick()
            try:
                statement = self._next()
            except MoreNeeded:
                self._load()
                continue
            if statement is None:
                break
            yield statement
        if not self._matters:
            self._note("is empty")
        if self._size > _LARGEST_PORTABLE:
            self._note("is larger than a packet of golang-migrate's (4 MiB)", 1)

    def mark(self) -> Mark:
        """Return where the script has got to; ``statements`` must not be suspended in the middle."""
        script, end, after = self._script or (self._lexer, 0, 0)
        piece = (self._lexer.text, end, after) if self._script else None
        counters = self._place, self._counted, self._line, self._column, self._number
        text = script.text, script.offset, script.final
        return Mark(self._started, self._size, *text, piece, self._delimiter, counters)

    def back(self, mark: Mark) -> None:
        """Go back to a place in a file that can be read again; ``statements`` must not be suspended in the middle."""
        self._file.seek(mark.size)
        script = Lexer(self.dialect)
        script.text, script.offset, script.final = mark.text, mark.offset, mark.final
        self._started, self._size, self._delimiter = mark.started, mark.size, mark.delimiter
        self._lexer, self._script = script, None
        if mark.piece is not None:
            text, end, after = mark.piece
            self._lexer, self._script = self._whole(text), (script, end, after)
        self._place, self._counted, self._line, self._column, self._number = mark.counters

    def _quick(self) -> Iterator[Statement]:
        """Yield the statements that come next, as long as each is ordinary, starts a line and is not too long."""
        self._use_dialect()
        lexer, dialect = self._lexer, self.dialect
        if lexer.terminator_text != b";" or dialect.oracle or not is_known(dialect.character_set):
            return
        self._move_to(self._place)
        line, column, inside, number, last = self._line, 1, 0, self._number, None
        try:
            for match in _ordinary_line(lexer.dull).finditer(lexer.text, self._place, len(lexer.text) - LOOKAHEAD):
                text = match[2]
                if text is None:
                    break
                blank = match[1]
                line += inside + (1 if blank == b"\n" else blank.count(b"\n"))
                column = 1 if blank == b"\n" else len(blank) - blank.rfind(b"\n")
                inside = text.count(b"\n") if b"\n" in text else 0
                number += 1
                last = match
                # Statement(...) takes twice as long.
                yield tuple.__new__(Statement, (number, line, column, text, b"", True))
                if self.dialect is not dialect:
                    break
        finally:
            # It is left here, too.
            if last is not None:
                self._place, self._counted = last.end(), last.start(2)
                self._number, self._line, self._column = number, line, column
                self._matters = True

    def _next(self) -> Optional[Statement]:
        """Return the next statement; None at the end. Nothing has happened when it raises MoreNeeded."""
        while True:
            self._use_dialect()
            lexer = self._lexer
            start = lexer.begin(self._place)
            if start == len(lexer.text):
                self._matters = self._matters or lexer.followed(self._place)
                if self._script is None:
                    return None
                self._leave_piece()
            elif self._script is None and self._carry_out(start):
                continue
            elif self.dialect.oracle:
                end, after = lexer.terminator(start) if self._script is None else (len(lexer.text),) * 2
                if lexer.text[start:end].strip(_NOTHING):
                    return self._statement(start, end, after, exact=False, certain=False)
                self._pass_over(start, after)
            elif lexer.terminator_text != b";":
                self._enter_piece(start, *lexer.terminator(start))
            else:
                if lexer.text.startswith(b"\0", start) and not lexer.followed(start + 1):
                    # It ends the text, and a comment before it is a statement to the server.
                    start -= len(lexer.text[self._place : start].lstrip())
                end, after, stores, certain = self._end(start)
                if end > start:
                    exact = stores or _ends_oddly(lexer.text[start:end])
                    return self._statement(start, end, after, exact and lexer.followed(after), certain)
                # It matches nothing at all, too.
                self._pass_over(start, cast("re.Match[bytes]", _EMPTY.match(lexer.text, start)).end())

    def _pass_over(self, start: int, after: int) -> None:
        """Continue after one or more statements that are empty."""
        followed = self._lexer.followed(after)
        self._move_to(start)
        if followed:
            self._note(_EMPTY_STATEMENT)
        self._matters = self._matters or bool(self._lexer.text[self._place : start].strip())
        self._place = after

    def _enter_piece(self, start: int, end: int, after: int) -> None:
        """Read what is before the client's delimiter as the server does, which knows only its own."""
        if start == end:
            self._pass_over(start, after)
            return
        self._move_to(start)
        self._script = self._lexer, end, after
        self._lexer = self._whole(self._lexer.text[start:end])
        self._place = self._counted = 0

    def _whole(self, piece: bytes) -> Lexer:
        lexer = Lexer(self.dialect)
        lexer.text, lexer.final = piece, True
        return lexer

    def _leave_piece(self) -> None:
        if self._script is not None:
            self._move_to(len(self._lexer.text))
            (self._lexer, self._counted, self._place), self._script = self._script, None

    def _use_dialect(self) -> None:
        dialect, terminator = self.dialect, self._delimiter
        if self._script is not None:
            terminator = b";"
        elif terminator != b";":
            # The client never asks whether a text in double quotes is a name.
            dialect = dialect._replace(ansi_quotes=False)
        elif dialect.oracle:
            terminator = b""
        old = self._lexer
        if old.dialect != dialect or old.terminator_text != terminator:
            self._lexer = Lexer(dialect, terminator)
            self._lexer.text, self._lexer.offset, self._lexer.final = old.text, old.offset, old.final

    def _load(self) -> None:
        """Read on: as much again as is at hand, so that a long statement is not looked through too often."""
        self._move_to(self._place)
        rest = self._lexer.text[self._place :]
        self._lexer.offset += self._place
        self._place = self._counted = 0
        wanted = max(_CHUNK, len(rest))
        more = self._file.read(wanted)
        self._size += len(more)
        self._lexer.text = rest + more
        self._lexer.final = len(more) < wanted

    def _skip_byte_order_mark(self) -> None:
        if self._lexer.text.startswith(codecs.BOM_UTF8):
            self._place = self._counted = len(codecs.BOM_UTF8)
            self._matters = True
            self._note("starts with a byte order mark")

    def _carry_out(self, start: int) -> bool:
        """Carry out a DELIMITER command, if one starts here."""
        lexer = self._lexer
        command = DELIMITER.match(lexer.text, start)
        if command is None:
            return False
        if not lexer.final and not command[0].endswith(b"\n"):
            raise MoreNeeded
        self._move_to(start)
        self._note("uses DELIMITER, a command of the mysql client")
        if command[1]:
            self._delimiter = command[1].strip(b"'\"`") or command[1]
        self._matters = True
        self._place = command.end()
        return True

    def _end(self, start: int) -> tuple[int, int, bool, bool]:
        """Return where the statement and its terminator end, whether it stores a program, and if that is certain."""
        lexer = self._lexer
        if not _STARTS_ORDINARY.match(lexer.text, start):
            first = lexer.token(start)
            second = first and lexer.token(first.end)
            if first and may_be_compound(first, second, self.dialect.mariadb):
                token, stores, certain = find_end(lexer, start)
                end, after = (token.start, token.end) if token else (len(lexer.text),) * 2
                return end, after, stores, certain
        return (*lexer.terminator(start), False, True)

    def _statement(self, start: int, end: int, after: int, exact: bool, certain: bool) -> Statement:
        self._matters = True
        self._number += 1
        self._move_to(start)
        self._place = after
        lexer = self._lexer
        text = lexer.text[start:end]
        # The servers cut semicolons and whitespace off the end of what they are sent, also from a comment's end; in the
        # middle they stay, and MySQL even stores the semicolon with a program's text. Two dashes are a comment, and
        # a NUL is the end, only at the very end.
        suffix = b"; #" if exact else b""
        bounded = certain and is_known(self.dialect.character_set) and not lexer.unclosed and not lexer.in_executable
        bounded = bounded and not text.startswith(b"*/") and not _ends_oddly(text)
        return Statement(self._number, self._line, self._column, text, suffix, bounded)

    def _move_to(self, place: int) -> None:
        """Count lines and characters up to a place."""
        text = self._lexer.text
        lines = text.count(b"\n", self._counted, place)
        if lines:
            self._line += lines
            self._column = 1
            self._counted = text.rfind(b"\n", self._counted, place) + 1
        self._column += len(text[self._counted : place].decode(self._codec, "replace"))
        self._counted = place

    @property
    def _codec(self) -> str:
        return character_set(self.dialect.character_set).codec

    def _note(self, text: str, line: Optional[int] = None) -> None:
        if all(note.text != text for note in self.notes):
            self.notes.append(Note(line or self._line, text))
