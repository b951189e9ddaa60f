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
from typing import NamedTuple


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


_ESCAPED = rb"{q}[^{q}\\]*(?:(?:\\.|{q}{q})[^{q}\\]*)*{q}(?!{q})"
_DOUBLED = rb"{q}[^{q}]*(?:{q}{q}[^{q}]*)*{q}(?!{q})"
# A double dash starts a comment only before a blank, a control character or the end.
_LINE_COMMENT = rb"(?:\#|--(?=[\x00-\x20\x7f]|\Z))[^\n]*"
# MySQL 9 quotes the bodies of JavaScript routines so.
_DOLLARS = rb"(?<![0-9A-Za-z_$\x80-\xff])\$(?P<tag>[0-9A-Za-z_\x80-\xff]*)\$.*?\$(?P=tag)\$"
_EXECUTABLE = re.compile(rb"/\*(M?)!([0-9]{5,6})?")


def _quoted(pattern: bytes, quote: bytes) -> bytes:
    return pattern.replace(b"{q}", quote)


class Lexer:
    """Reads a text from any place on; knows whether that place is inside an executable comment.

    :param text: the whole script.
    :param terminator: what ends a statement, ``;`` unless a DELIMITER command changed it.
    """

    def __init__(self, text: bytes, dialect: Dialect, terminator: bytes = b";") -> None:
        self.text = text
        self.dialect = dialect
        self.in_executable = False
        string = _ESCAPED if dialect.backslash_escapes else _DOUBLED
        double = _DOUBLED if dialect.ansi_quotes else string
        quotes = [_quoted(string, b"'"), _quoted(double, b'"'), _quoted(_DOUBLED, b"`")]
        if not dialect.mariadb and dialect.version >= 90000:
            quotes.append(_DOLLARS)
        common = [rb"(?P<end>" + re.escape(terminator) + rb")", rb"(?P<quoted>" + rb"|".join(quotes) + rb")"]
        common += [
            rb"(?P<comment>" + _LINE_COMMENT + rb")",
            rb"(?P<open>/\*)",
            rb"(?P<close>\*/)",
            rb"(?P<unclosed>['\"`])",
        ]
        self._landmark = re.compile(b"|".join(common), re.DOTALL)
        words = [rb"(?P<blank>\s+)", rb"(?P<word>[0-9A-Za-z_$\x80-\xff]+)", rb"(?P<other>:=|.)"]
        self._token = re.compile(b"|".join(common + words), re.DOTALL)

    def tokens(self, start: int) -> Iterator[Token]:
        """Yield every token from ``start`` on; comments and blanks are left out, executable comments are read."""
        place = start
        while place < len(self.text):
            match = self._token.match(self.text, place)
            assert match is not None  # the last alternative takes any byte
            kind = match.lastgroup or ""
            place = self._after(kind, match)
            if kind == "word":
                yield Token(kind, match[0].upper(), match.start(), place)
            elif kind in ("quoted", "unclosed"):
                yield Token("quoted", match[0], match.start(), place)
            elif kind in ("end", "other"):
                yield Token(kind, match[0], match.start(), place)

    def begin(self, start: int) -> int:
        """Return where the first thing at or after ``start`` stands that the server would not pass over."""
        self.in_executable = False
        place = start
        while place < len(self.text):
            match = self._token.match(self.text, place)
            assert match is not None  # the last alternative takes any byte
            kind = match.lastgroup or ""
            after = self._after(kind, match)
            if self.in_executable or kind not in ("blank", "comment", "open"):
                break
            if kind == "open" and self.text.find(b"*/", match.end()) < 0:
                break  # an unclosed comment is an error, and the server is to say so
            place = after
        self.in_executable = False
        return place

    def terminator(self, start: int) -> tuple[int, int]:
        """Return where the next terminator outside quotes and comments starts and ends; the text's end if none."""
        place = start
        while True:
            match = self._landmark.search(self.text, place)
            if match is None:
                return len(self.text), len(self.text)
            if match.lastgroup == "end":
                return match.start(), match.end()
            place = self._after(match.lastgroup or "", match)

    def _after(self, kind: str, match: re.Match[bytes]) -> int:
        """Return where reading goes on after a match."""
        if kind == "unclosed":
            return len(self.text)
        if kind == "close":
            self.in_executable = False
        if kind != "open":
            return match.end()
        executable = _EXECUTABLE.match(self.text, match.start())
        if executable and self._executes(executable):
            self.in_executable = True
            return executable.end()
        return self._skip_comment(match.end(), nested=executable is not None)

    def _executes(self, comment: re.Match[bytes]) -> bool:
        if comment[1] and not self.dialect.mariadb:
            return False
        version = int(comment[2] or 0)
        if self.dialect.mariadb and not comment[1] and 50700 <= version <= 99999:
            # MariaDB leaves to MySQL what is meant for MySQL 5.7 and later.
            return False
        return version <= self.dialect.version

    def _skip_comment(self, place: int, nested: bool) -> int:
        """Return the place behind ``*/``; a version comment that is not executed may hold comments itself."""
        end = self.text.find(b"*/", place)
        inner = self.text.find(b"/*", place, end) if nested else -1
        while inner >= 0 and end >= 0:
            place = end + 2
            end = self.text.find(b"*/", place)
            inner = self.text.find(b"/*", place, end)
        return end + 2 if end >= 0 else len(self.text)
