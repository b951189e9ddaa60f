# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""SQL as MySQL's and MariaDB's lexers see it: quotes, comments, words. Private to the collection.

Rules: MySQL reference manual, "Comments", "String Literals", "Schema Object Names"; MariaDB knowledge base,
"Comment Syntax". Only what decides where a statement ends is told apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, cast


@dataclass(frozen=True)
class Dialect:
    """What the text means depends on the server that reads it.

    :param mariadb: MariaDB rather than MySQL.
    :param version: the server's version as in executable comments, 101119 for 10.11.19.
    :param backslash_escapes: False under sql_mode NO_BACKSLASH_ESCAPES.
    :param ansi_quotes: True under sql_mode ANSI_QUOTES.
    """

    mariadb: bool = True
    version: int = 101100
    backslash_escapes: bool = True
    ansi_quotes: bool = False


class Token(NamedTuple):
    """``kind`` is word, quoted, end (the terminator) or other; ``text`` is in upper case for words."""

    kind: str
    text: bytes
    start: int
    end: int


# What may stand between two quotes, a limited stretch of it: the matcher's memory grows with the repetitions.
_INSIDE_ESCAPED = rb"[^{q}\\]*(?:(?:\\.|{q}{q})[^{q}\\]*){0,400}"
_INSIDE_DOUBLED = rb"[^{q}]*(?:{q}{q}[^{q}]*){0,400}"
# A double dash starts a comment only before a blank, a control character or the end. NUL ends a comment, too.
_LINE_COMMENT = rb"(?:\#|--(?=[\x00-\x20\x7f]|\Z))[^\n\x00]*"
# MySQL 9 quotes the bodies of JavaScript routines so.
_DOLLARS = rb"(?<![0-9A-Za-z_$\x80-\xff])\$[0-9A-Za-z_\x80-\xff]*\$"
_EXECUTABLE = re.compile(rb"/\*(M?)!([0-9]{5,6})?")
# Without one of these, single quotes come in pairs, and a semicolon between two pairs ends the statement.
_COMPLICATED = (b"\\", b'"', b"`", b"#", b"--", b"/*")
_PLAIN_START = re.compile(rb"\s*(?=[A-Za-z(])")
# No rule looks further ahead than this.
_LOOKAHEAD = 16


class MoreNeeded(Exception):
    """The text that is at hand ends before what was looked for."""


class Lexer:
    """Reads a text from any place on; knows whether that place is inside an executable comment.

    :param terminator: what ends a statement, ``;`` unless a DELIMITER command changed it.
    :ivar text: what of the script is at hand.
    :ivar final: whether that is all there is; if not, MoreNeeded is raised where it is not enough.
    """

    def __init__(self, dialect: Dialect, terminator: bytes = b";") -> None:
        self.text = b""
        self.final = False
        self.dialect = dialect
        self.terminator_text = terminator
        self.in_executable = False
        self._unclosed = False
        string = _INSIDE_ESCAPED if dialect.backslash_escapes else _INSIDE_DOUBLED
        double = _INSIDE_DOUBLED if dialect.ansi_quotes else string
        self._inside = {
            quote: re.compile(pattern.replace(b"{q}", quote), re.DOTALL)
            for quote, pattern in ((b"'", string), (b'"', double), (b"`", _INSIDE_DOUBLED))
        }
        dollars = [rb"(?P<dollars>" + _DOLLARS + rb")"] if not dialect.mariadb and dialect.version >= 90000 else []
        marks = [rb"(?P<end>" + re.escape(terminator) + rb")", rb"(?P<quote>['\"`])", *dollars]
        marks += [rb"(?P<comment>" + _LINE_COMMENT + rb")", rb"(?P<open>/\*)", rb"(?P<close>\*/)"]
        self._mark = re.compile(b"|".join(marks), re.DOTALL)
        # Any mark starts with one of these; looking for a set of bytes is quick.
        self._hint = re.compile(b"[" + re.escape(terminator[:1]) + b"'\"`$#/*-]")
        words = [rb"(?P<blank>\s+)", rb"(?P<word>[0-9A-Za-z_$\x80-\xff]+)", rb"(?P<other>:=|.)"]
        self._token = re.compile(b"|".join(marks + words), re.DOTALL)
        self._simple = terminator == b";" and not dollars

    def tokens(self, start: int) -> Iterator[Token]:
        """Yield every token from ``start`` on; comments and blanks are left out, executable comments are read."""
        for kind, begin, end in self._read(start):
            if kind == "word":
                yield Token(kind, self.text[begin:end].upper(), begin, end)
            elif kind in ("quote", "dollars"):
                yield Token("quoted", b"", begin, end)
            elif kind in ("end", "other"):
                yield Token(kind, self.text[begin:end], begin, end)

    def begin(self, start: int) -> int:
        """Return where the first thing at or after ``start`` stands that the server would not pass over."""
        self.in_executable = False
        match = _PLAIN_START.match(self.text, start)
        if match and match.end() + _LOOKAHEAD <= len(self.text):
            return match.end()
        self._unclosed = False
        for kind, begin, _end in self._read(start):
            passed_over = kind in ("blank", "comment") or (kind == "open" and not self.in_executable)
            # An unclosed comment is an error, and the server is to say so.
            if not passed_over or self._unclosed:
                self.in_executable = False
                return begin
        return len(self.text)

    def terminator(self, start: int) -> tuple[int, int]:
        """Return where the next terminator outside quotes and comments starts and ends; the text's end if none."""
        simple = self._simple_terminator(start) if self._simple else -1
        if simple >= 0:
            return simple, simple + 1
        place = start
        while True:
            hint = self._hint.search(self.text, place)
            if hint is None:
                self._check(len(self.text))
                return len(self.text), len(self.text)
            self._check(hint.end())
            match = self._mark.match(self.text, hint.start())
            if match is None:
                place = hint.end()
                continue
            if match.lastgroup == "end":
                return match.start(), match.end()
            place = self._after(match.lastgroup or "", match)

    def _simple_terminator(self, start: int) -> int:
        """Return where the terminator is if nothing but single quotes stands before it; -1 if something does."""
        text = self.text
        quotes, place = 0, start
        while True:
            end = text.find(b";", place)
            if end < 0 or end + _LOOKAHEAD > len(text):
                return -1
            for mark in _COMPLICATED:
                if text.find(mark, place, end) >= 0:
                    return -1
            quotes += text.count(b"'", place, end)
            if quotes % 2 == 0:
                return end
            place = end + 1

    def _read(self, start: int) -> Iterator[tuple[str, int, int]]:
        """Yield kind, start and end of everything from ``start`` on."""
        place = start
        while place < len(self.text):
            # Its last alternative takes any byte.
            match = cast("re.Match[bytes]", self._token.match(self.text, place))
            self._check(match.end())
            kind = match.lastgroup or ""
            after = self._after(kind, match)
            yield kind, place, after
            place = after
        self._check(place)

    def _check(self, place: int) -> None:
        """Raise MoreNeeded unless everything up to ``place`` is certain."""
        if not self.final and place + _LOOKAHEAD > len(self.text):
            raise MoreNeeded

    def _after(self, kind: str, match: re.Match[bytes]) -> int:
        """Return where reading goes on after a match."""
        if kind == "quote":
            return self._after_quote(match[0], match.end())
        if kind == "dollars":
            return self._after_text(match[0], match.end())
        if kind == "close":
            self.in_executable = False
        if kind != "open":
            return match.end()
        executable = _EXECUTABLE.match(self.text, match.start())
        if executable and self._executes(executable):
            self.in_executable = True
            return executable.end()
        # To MySQL, a comment that is meant for MariaDB is like any other.
        nested = executable is not None and (self.dialect.mariadb or not executable[1])
        return self._after_comment(match.end(), nested)

    def _after_quote(self, quote: bytes, place: int) -> int:
        """Return the place behind the quote that closes what was opened before ``place``."""
        inside = self._inside[quote]
        while True:
            # It matches nothing at all, too.
            match = cast("re.Match[bytes]", inside.match(self.text, place))
            self._check(match.end())
            if self.text[match.end() : match.end() + 1] == quote != self.text[match.end() + 1 : match.end() + 2]:
                return match.end() + 1
            if match.end() == place:
                return len(self.text)
            place = match.end()

    def _after_text(self, text: bytes, place: int) -> int:
        """Return the place behind the next ``text``; the end if there is none."""
        found = self.text.find(text, place)
        self._check(found if found >= 0 else len(self.text))
        self._unclosed = found < 0
        return found + len(text) if found >= 0 else len(self.text)

    def _executes(self, comment: re.Match[bytes]) -> bool:
        if comment[1] and not self.dialect.mariadb:
            return False
        version = int(comment[2] or 0)
        if self.dialect.mariadb and not comment[1] and 50700 <= version <= 99999:
            # MariaDB leaves to MySQL what is meant for MySQL 5.7 and later.
            return False
        return version <= self.dialect.version

    def _after_comment(self, place: int, nested: bool) -> int:
        """Return the place behind ``*/``; a version comment that is not executed may hold comments itself."""
        after = self._after_text(b"*/", place)
        while nested and self.text.find(b"/*", place, after - 2) >= 0:
            place = after
            after = self._after_text(b"*/", place)
        return after
