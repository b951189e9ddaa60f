# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One migration's file while it is being run. Private to the collection."""

from __future__ import annotations

import hashlib
import io
import os
import re
from collections import deque
from functools import lru_cache
from typing import BinaryIO, Optional

from ..._core.errors import Error
from ..._core.paths import native
from ..._mysql.session import Session
from ..model import Step
from .charsets import byte_class, character_set
from .lexer import Dialect
from .splitter import Mark, Splitter, Statement

# golang-migrate records a version without a file and runs nothing: neither does a comment.
_NO_FILE = b"-- no file"
# A file that is to take effect as a whole or not at all says so in a comment before its first statement.
_COMMENT = rb"(?:(?:--|#)[^\n]*\n|/\*(?!!|M!).*?\*/)"
_ATOMIC = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:" + _COMMENT + rb"\s*)*?--\s*dbops:\s*all-or-nothing\b", re.DOTALL)
_HEAD = 1 << 12
# No more bytes are looked through for variables.
_LARGEST_SCAN = 16 << 20
_QUOTES = (b"`", b"'", b'"')


class _Hashing(io.RawIOBase):
    """Passes a file's bytes on and digests them, those that are read again only once."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._place = self._digested = 0
        self.sum = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self.sum.update(data[self._digested - self._place :])
        self._place += len(data)
        self._digested = max(self._digested, self._place)
        return data

    def seek(self, place: int, whence: int = os.SEEK_SET) -> int:
        self._place = self._file.seek(place, whence)
        return self._place


class FileReader:
    """A step's statements, which may be looked at ahead of time.

    :ivar atomic: whether the file asks to take effect as a whole or not at all.
    :ivar directory: where the file is.

    :raises Error: the file cannot be read.
    """

    def __init__(self, session: Session, directory: str, step: Step) -> None:
        self.step = step
        self._session = session
        self._file = open_file(directory, step)
        self.atomic = _ATOMIC.match(self._file.read(_HEAD)) is not None
        self._file.seek(0)
        self._hashing = _Hashing(self._file)
        self._reading = session.sql_modes, session.character_set_client
        self.script = Splitter(self._hashing, dialect_of(session))  # type: ignore[arg-type]
        self._statements = self.script.statements()
        self._ahead: deque[tuple[Mark, Statement]] = deque()
        # Nothing comes after what is ahead, read as the session reads texts now.
        self._ended = False
        self.directory = directory
        self._variables: dict[str, Optional[frozenset[bytes]]] = {}

    def take(self) -> Optional[Statement]:
        """Return the next statement; None at the end.

        It is another one than ``peek`` gave if the session reads texts in another way since.
        """
        self._use_dialect()
        if self._ahead:
            return self._ahead.popleft()[1]
        statement = None if self._ended else next(self._statements, None)
        if statement is None:
            self._file.close()
        return statement

    def peek(self, distance: int = 0) -> Optional[Statement]:
        """Return a statement after the one that was taken last, 0 for the next one; None after the end.

        It is what it is as long as the session reads texts as it does now.
        """
        self._use_dialect()
        while len(self._ahead) <= distance and not self._ended:
            self._leave()
            mark = self.script.mark()
            statement = next(self._statements, None)
            if statement is None:
                self._ended = True
            else:
                self._ahead.append((mark, statement))
        return self._ahead[distance][1] if distance < len(self._ahead) else None

    @property
    def left(self) -> int:
        """How many statements there are after the one that was taken last, once ``peek`` has found the end."""
        return len(self._ahead)

    def _use_dialect(self) -> None:
        """Take what the last statement changed into account, also for what has been split already."""
        reading = self._session.sql_modes, self._session.character_set_client
        if reading == self._reading:
            return
        self._reading = reading
        dialect = dialect_of(self._session)
        if dialect == self.script.dialect:
            return
        self.script.dialect = dialect
        self._ended = False
        if self._ahead:
            self._leave()
            self.script.back(self._ahead[0][0])
            self._ahead.clear()

    def _leave(self) -> None:
        self._statements.close()
        self._statements = self.script.statements()

    def variables(self) -> Optional[frozenset[bytes]]:
        """Return the user variables that the file's text mentions, as SQL in small letters; None if that is not known.

        The text is read in the session's character set. There may be too many: what a comment or a string mentions is
        among them; what only a stored program mentions is not.

        :raises Error: the file cannot be read.
        """
        character_set = self._session.character_set_client
        if character_set not in self._variables:
            with open_file(self.directory, self.step) as file:
                text = file.read(_LARGEST_SCAN + 1)
            self._variables[character_set] = _variables(text, character_set)
        return self._variables[character_set]

    @property
    def checksum(self) -> str:
        """SHA-256 of the file, once all of it has been read."""
        return self._hashing.sum.hexdigest()

    def notes(self) -> list[str]:
        """Return what golang-migrate could not run, once all of the file has been read."""
        return [f"{self.step.file}:{note.line} {note.text}" for note in self.script.notes]


def open_file(directory: str, step: Step) -> BinaryIO:
    """Open a step's file.

    :raises Error: it cannot be read.
    """
    if step.file is None:
        return io.BytesIO(_NO_FILE)
    path = os.path.join(directory, step.file)
    try:
        return open(native(path), "rb")
    except OSError as error:
        raise Error(1606, f"{path} cannot be read: {error.strerror}.") from error


def _variables(text: bytes, name: str) -> Optional[frozenset[bytes]]:
    """Return the user variables that a text in a character set mentions."""
    found = {_lower(one) for one in _variable(name).findall(text)} - {b""}
    quoted = {one for one in found if one[:1] in b"`'\""}
    # A quote within a name, or an escape: it is not worth the trouble.
    if len(text) > _LARGEST_SCAN or any(_is_involved(one) for one in quoted):
        return None
    return frozenset(b"@" + one for one in found - quoted | {b"`%b`" % one[1:-1] for one in quoted})


def _lower(name: bytes) -> bytes:
    # A letter may be the second byte of a character.
    return name.lower() if name.isascii() else name


def _is_involved(name: bytes) -> bool:
    return b"\\" in name or b"`" in name[1:-1] or name[:1] * 2 in name[1:]


@lru_cache(maxsize=8)
def _variable(name: str) -> re.Pattern[bytes]:
    """Return a pattern whose group is a variable's name; an ``@`` that is a part of something else goes with that."""
    known = character_set(name)
    wide = b"|" + known.wide if known.lead else b""
    letters = b"0-9A-Za-z._$" + byte_class(known.variable or known.high)
    word = b"(?:[" + letters + b"]" + (b"" if known.variable else wide) + b")+"
    quoted = (b"%b(?:[^%b%b]%b)*%b+" % (quote, quote, byte_class(known.lead), wide, quote) for quote in _QUOTES)
    return re.compile(b"@@|@(" + b"|".join((word, *quoted)) + b")" + wide)


def dialect_of(session: Session) -> Dialect:
    """Return how the session's server reads a text now."""
    return _dialect(session.mariadb, session.version, session.sql_modes, session.character_set_client)


# It is asked for with every statement.
@lru_cache(maxsize=64)
def _dialect(mariadb: bool, version: int, modes: frozenset[str], character_set: str) -> Dialect:
    return Dialect(
        mariadb=mariadb,
        version=version,
        backslash_escapes="NO_BACKSLASH_ESCAPES" not in modes,
        ansi_quotes="ANSI_QUOTES" in modes,
        oracle=mariadb and "ORACLE" in modes,
        character_set=character_set,
    )
