# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""SQL as MySQL's and MariaDB's lexers see it: quotes, comments, words. Private to the collection.

Rules: MySQL reference manual, "Comments", "String Literals", "Schema Object Names"; MariaDB knowledge base,
"Comment Syntax". Only tokens that determine where a statement ends are distinguished.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple, Optional, cast

from .charsets import byte_class, character_set


class Dialect(NamedTuple):
    """What the text means depends on the server that reads it.

    :param mariadb: MariaDB rather than MySQL.
    :param version: the server's version as in executable comments, 101119 for 10.11.19.
    :param backslash_escapes: False under sql_mode NO_BACKSLASH_ESCAPES.
    :param ansi_quotes: True under sql_mode ANSI_QUOTES.
    :param oracle: True under MariaDB's sql_mode ORACLE, whose blocks are of another language.
    :param character_set: character_set_client.
    """

    mariadb: bool = True
    version: int = 101100
    backslash_escapes: bool = True
    ansi_quotes: bool = False
    oracle: bool = False
    character_set: str = "utf8mb4"


class Token(NamedTuple):
    """``kind`` is word, quoted, end (the terminator) or other; ``text`` is in upper case for words."""

    kind: str
    text: bytes
    start: int
    end: int


# What may be between two quotes, a limited stretch of it: the matcher's memory grows with the repetitions.
_INSIDE_ESCAPED = rb"[^{q}\\{l}]*(?:(?:\\.|{q}{q}{w})[^{q}\\{l}]*){0,400}"
_INSIDE_DOUBLED = rb"[^{q}{l}]*(?:(?:{q}{q}{w})[^{q}{l}]*){0,400}"
# A whole text in quotes, if it has few escapes. A doubled quote looks like the end of one text and the start of
# another, which comes to the same. To look for a quote, and then at what is before it, is much quicker than to look at
# every byte: no backslash, and the text ends; one, and it continues. For several there is the last pattern; a text must
# not match two of them, or the time that a match takes doubles with every text.
_DOUBLED = rb"{q}[^{q}]*{q}"
_ESCAPED = _DOUBLED + rb"(?:(?<!\\{q})|(?:(?<=[^\\]\\{q})[^{q}]*{q}){1,20}(?<!\\{q}))"
_ESCAPED += rb"|(?!" + _ESCAPED + rb"){q}[^{q}\\]*(?:\\.[^{q}\\]*){1,20}{q}"
# Where a backslash or a quote may be a part of a character, there is no way but from the start.
_WIDE_DOUBLED = rb"{q}[^{q}{l}]*(?:(?:{w})[^{q}{l}]*){0,200}{q}"
_WIDE_ESCAPED = rb"{q}[^{q}\\{l}]*(?:(?:\\.|{w})[^{q}\\{l}]*){0,200}{q}"
# MySQL 9 quotes the bodies of JavaScript routines so.
_DOLLARS = rb"(?<![0-9A-Za-z_$\x80-\xff])\$[0-9A-Za-z_\x80-\xff]*\$"
# What ends a text that cannot be split: the client's command at the start of a line.
_COMMAND = rb"\n[ \t]*(?=(?i:delimiter)[ \t])"
_INDENT = re.compile(rb"\n?[ \t]*")
_EXECUTABLE = re.compile(rb"/\*(M?)!([0-9]{5,6})?")
_PLAIN_START = re.compile(rb"\s*(?=[A-Za-z(])")
_BLANKS = b"; \t\r\n\f\v"
# No rule looks further ahead than this.
LOOKAHEAD = 16


class MoreNeeded(Exception):
    """The text that is at hand ends before what was looked for."""


def letter(dialect: Dialect) -> bytes:
    """Return a pattern for one letter, of one byte or of several."""
    known = character_set(dialect.character_set)
    single = b"[0-9A-Za-z_$" + byte_class(known.high) + b"]"
    return b"(?:" + single + b"|" + known.wide + b")" if known.lead else single


def blank(dialect: Dialect) -> bytes:
    """Return a pattern for one blank."""
    further = character_set(dialect.character_set).blank
    return rb"[\s" + byte_class(further) + b"]" if further else rb"\s"


def line_comment(dialect: Dialect) -> bytes:
    """Return a pattern for a comment up to the end of its line.

    Two dashes start one only before a space, a control character or the end. NUL ends a comment, too.
    """
    known = character_set(dialect.character_set)
    follows = rb"[\x00-\x20" + byte_class(known.control) + b"]"
    return rb"(?:\#|--(?=" + follows + rb"|\Z))[^\n\x00]*"


def variable(dialect: Dialect) -> Optional[bytes]:
    """Return a pattern for a user variable whose name is read byte by byte; None if it makes no difference."""
    known = character_set(dialect.character_set)
    if not known.variable:
        return None
    ascii_, high = b"0-9A-Za-z._$", byte_class(known.variable)
    return b"@[" + ascii_ + b"]*[" + high + b"][" + ascii_ + high + b"]*"


def dull_marks(dialect: Dialect) -> dict[bytes, bytes]:
    """Return patterns for what looks like a mark and decides nothing, each by the byte that it starts with."""
    wide = bool(character_set(dialect.character_set).lead)
    doubled, escaped = (_WIDE_DOUBLED, _WIDE_ESCAPED) if wide else (_DOUBLED, _ESCAPED)
    string = escaped if dialect.backslash_escapes else doubled
    texts = {b"'": string, b'"': doubled if dialect.ansi_quotes else string, b"`": doubled}
    patterns = {quote: _fill(pattern, quote, dialect) for quote, pattern in texts.items()}
    return {**patterns, b"-": rb"-(?!-)", b"/": rb"/(?!\*)", b"*": rb"\*(?!/)"}


def _fill(pattern: bytes, quote: bytes, dialect: Dialect) -> bytes:
    known = character_set(dialect.character_set)
    # In the patterns for all sets of characters an alternative for characters of several bytes comes last.
    wide = known.wide if pattern in (_WIDE_DOUBLED, _WIDE_ESCAPED) else b"|" + known.wide if known.lead else b""
    lead = byte_class(known.lead)
    return pattern.replace(b"{q}", quote).replace(b"{l}", lead).replace(b"{w}", wide)


class _Patterns(NamedTuple):
    mark: re.Pattern[bytes]
    token: re.Pattern[bytes]
    dull: bytes
    skip: re.Pattern[bytes]
    inside: dict[bytes, re.Pattern[bytes]]
    blanks: bytes


@lru_cache(maxsize=64)
def _patterns(dialect: Dialect, terminator: bytes) -> _Patterns:
    known = character_set(dialect.character_set)
    string = _INSIDE_ESCAPED if dialect.backslash_escapes else _INSIDE_DOUBLED
    double = _INSIDE_DOUBLED if dialect.ansi_quotes else string
    inside = {
        quote: re.compile(_fill(pattern, quote, dialect), re.DOTALL)
        for quote, pattern in ((b"'", string), (b'"', double), (b"`", _INSIDE_DOUBLED))
    }
    has_dollars = not dialect.mariadb and dialect.version >= 90000
    dollars = [rb"(?P<dollars>" + _DOLLARS + rb")"] if has_dollars else []
    marks = [rb"(?P<end>" + (re.escape(terminator) or _COMMAND) + rb")", rb"(?P<quote>['\"`])", *dollars]
    marks += [rb"(?P<comment>" + line_comment(dialect) + rb")", rb"(?P<open>/\*)", rb"(?P<close>\*/)"]
    name = variable(dialect)
    words = [rb"(?P<name>" + name + rb")"] if name else []
    words += [rb"(?P<word>" + letter(dialect) + rb"+)", rb"(?P<other>:=|[^\s" + byte_class(known.blank) + rb"])"]
    token = re.compile(blank(dialect) + rb"*(?:" + b"|".join(marks + words) + rb")", re.DOTALL)
    # Any mark starts with one of these; a NUL is looked at because it may be the end of what the server reads.
    starts = rb"'\"`#/*\-\x00" + re.escape(terminator[:1]) + (b"$" if has_dollars else b"")
    starts += (b"" if terminator else rb"\n") + byte_class(known.lead) + (b"@" if name else b"")
    dull = [pattern for start, pattern in dull_marks(dialect).items() if start != terminator[:1]]
    dull += [known.wide] if known.lead else []
    dull += [name, rb"@(?!" + name + rb")"] if name and not terminator.startswith(b"@") else []
    skip = rb"[^{s}]*(?:(?:{d})[^{s}]*){0,100}".replace(b"{d}", b"|".join(dull)).replace(b"{s}", starts)
    mark = re.compile(b"|".join(marks), re.DOTALL)
    return _Patterns(mark, token, skip, re.compile(skip, re.DOTALL), inside, _BLANKS + known.blank)


class Lexer:
    """Reads a text from any place on.

    :param terminator: what ends a statement; with an empty one it is a DELIMITER command at the start of a line.
    :ivar text: what of the script is at hand.
    :ivar offset: how much of the script came before it.
    :ivar final: whether that is all there is; if not, MoreNeeded is raised where it is not enough.
    :ivar dull: a pattern for what cannot matter to where a statement ends, a limited stretch of it.
    :ivar unclosed: whether the text ended in quotes or in a comment, since ``begin``.
    :ivar in_executable: whether what was read last is within an executable comment.
    """

    def __init__(self, dialect: Dialect, terminator: bytes = b";") -> None:
        self.text = b""
        self.final = False
        self.offset = 0
        self.dialect = dialect
        self.terminator_text = terminator
        self.unclosed = False
        self.in_executable = False
        self._looked_through = -1, 0, False
        self._last: Optional[tuple[int, int, int]] = None
        patterns = _patterns(dialect, terminator)
        self.dull = patterns.dull
        self._mark, self._token, self._dull = patterns.mark, patterns.token, patterns.skip
        self._inside, self._blanks = patterns.inside, patterns.blanks

    def token(self, place: int) -> Optional[Token]:
        """Return the first token from a place on, None at the end.

        Comments and whitespace are skipped, executable comments are read.
        """
        while True:
            match = self._token.match(self.text, place)
            if match is None:
                self.check(len(self.text))
                return None
            kind = match.lastgroup or ""
            begin, end = match.span(kind)
            self.check(end)
            if kind == "word":
                return Token(kind, match[kind].upper(), begin, end)
            if kind in ("end", "other"):
                return Token(kind, match[kind], begin, end)
            place = self._after(kind, match)
            if kind in ("quote", "dollars", "name"):
                return Token("quoted", b"", begin, place)

    def tokens(self, start: int) -> Iterator[Token]:
        """Yield every token from ``start`` on."""
        token = self.token(start)
        while token is not None:
            yield token
            token = self.token(token.end)

    def line_comments(self) -> Iterator[tuple[int, int]]:
        """Yield where each comment starts and ends that goes up to the end of its line; ``text`` must be all there is.

        One in a comment that is not executed, or in quotes, is none.
        """
        place = 0
        while True:
            place = cast("re.Match[bytes]", self._dull.match(self.text, place)).end()
            match = self._mark.match(self.text, place)
            if match is not None:
                place = self._after(match.lastgroup or "", match)
                if match.lastgroup == "comment":
                    yield match.span()
            elif place < len(self.text):
                place += 1
            else:
                return

    def begin(self, start: int) -> int:
        """Return where the first thing at or after ``start`` stands that the server would not skip."""
        self.in_executable = self.unclosed = False
        match = _PLAIN_START.match(self.text, start)
        if match and match.end() + LOOKAHEAD <= len(self.text):
            return match.end()
        place = start
        while True:
            match = self._token.match(self.text, place)
            if match is None:
                self.check(len(self.text))
                return len(self.text)
            self.check(match.end())
            kind = match.lastgroup or ""
            place = self._after(kind, match)
            passed_over = kind == "comment" or (kind == "open" and not self.in_executable)
            # An unclosed comment is an error, and the server is to say so.
            if not passed_over or self.unclosed:
                return match.start(kind)

    def terminator(self, start: int) -> tuple[int, int]:
        """Return where the next terminator outside quotes and comments starts and ends; the text's end if none."""
        # Where it was looked for in vain before more was read, it need not be looked for again.
        looked_from, place, in_executable = self._looked_through
        if looked_from != self.offset + start:
            place = self.offset + start
        else:
            self.in_executable = in_executable
        place -= self.offset
        while True:
            self.check(place)
            self._looked_through = self.offset + start, self.offset + place, self.in_executable
            # It matches nothing at all, too.
            place = cast("re.Match[bytes]", self._dull.match(self.text, place)).end()
            self.check(cast("re.Match[bytes]", _INDENT.match(self.text, place)).end() + 1)
            match = self._mark.match(self.text, place)
            if match is not None and match.lastgroup == "end":
                return match.start(), match.end()
            if place == len(self.text):
                return place, place
            place = self._after(match.lastgroup or "", match) if match is not None else place + 1

    def check(self, place: int) -> None:
        """Raise MoreNeeded unless everything up to ``place`` is certain."""
        if not self.final and place + LOOKAHEAD > len(self.text):
            raise MoreNeeded

    def followed(self, place: int) -> bool:
        """Tell whether anything comes later that matters to the server: semicolons and whitespace at the end do not.

        :raises MoreNeeded: it cannot be told yet.
        """
        known = self.offset, len(self.text)
        if self._last is None or self._last[:2] != known:
            self._last = (*known, len(self.text.rstrip(self._blanks)))
        found = place < self._last[2]
        if not found and not self.final:
            raise MoreNeeded
        return found

    def _after(self, kind: str, match: re.Match[bytes]) -> int:
        """Return where reading continues after a match."""
        if kind == "quote":
            return self._after_quote(match[kind], match.end())
        if kind == "dollars":
            return self._after_text(match[kind], match.end())
        if kind == "close":
            self.in_executable = False
        if kind != "open":
            return match.end()
        executable = _EXECUTABLE.match(self.text, match.start(kind))
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
            self.check(match.end())
            if self.text[match.end() : match.end() + 1] == quote != self.text[match.end() + 1 : match.end() + 2]:
                return match.end() + 1
            if match.end() == place:
                self.unclosed = True
                return len(self.text)
            place = match.end()

    def _after_text(self, text: bytes, place: int) -> int:
        """Return the place behind the next ``text``; the end if there is none."""
        found = self.text.find(text, place)
        self.check(found if found >= 0 else len(self.text))
        self.unclosed = found < 0
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
