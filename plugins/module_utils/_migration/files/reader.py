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
from typing import BinaryIO, Optional

from ..._core.errors import Error
from ..._mysql.session import Session
from ..model import Step
from .lexer import Dialect
from .splitter import Splitter, Statement

# golang-migrate records a version without a file and runs nothing: neither does a comment.
_NO_FILE = b"-- no file"
# A file that is to take effect as a whole or not at all says so in a comment before its first statement.
_COMMENT = rb"(?:(?:--|#)[^\n]*\n|/\*(?!!|M!).*?\*/)"
_ATOMIC = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:" + _COMMENT + rb"\s*)*?--\s*dbops:\s*all-or-nothing\b", re.DOTALL)
_HEAD = 1 << 12


class _Hashing(io.RawIOBase):
    """Passes a file's bytes on and digests them."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.sum = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self.sum.update(data)
        return data


class FileReader:
    """A step's statements, which may be looked at ahead of time.

    :ivar atomic: whether the file asks to take effect as a whole or not at all.

    :raises Error: the file cannot be read.
    """

    def __init__(self, session: Session, directory: str, step: Step) -> None:
        self.step = step
        self._session = session
        self._file = open_file(directory, step)
        self.atomic = _ATOMIC.match(self._file.read(_HEAD)) is not None
        self._file.seek(0)
        self._hashing = _Hashing(self._file)
        self.script = Splitter(self._hashing, dialect_of(session))  # type: ignore[arg-type]
        self._statements = self.script.statements()
        self._ahead: deque[Statement] = deque()

    def take(self) -> Optional[Statement]:
        """Return the next statement; None at the end."""
        return self._ahead.popleft() if self._ahead else self._split()

    def peek(self, distance: int = 0) -> Optional[Statement]:
        """Return a statement after the one that was taken last, 0 for the next one; None behind the end."""
        while len(self._ahead) <= distance:
            statement = self._split()
            if statement is None:
                return None
            self._ahead.append(statement)
        return self._ahead[distance]

    def _split(self) -> Optional[Statement]:
        # What was run last, or brought back, may have changed sql_mode.
        self.script.dialect = dialect_of(self._session)
        statement = next(self._statements, None)
        if statement is None:
            self._file.close()
        return statement

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
        return open(path, "rb")
    except OSError as error:
        raise Error(f"{path} cannot be read: {error.strerror}.") from error


def dialect_of(session: Session) -> Dialect:
    """Return how the session's server reads a text now."""
    modes = session.sql_modes
    return Dialect(
        mariadb=session.mariadb,
        version=session.version,
        backslash_escapes="NO_BACKSLASH_ESCAPES" not in modes,
        ansi_quotes="ANSI_QUOTES" in modes,
        oracle=session.mariadb and "ORACLE" in modes,
    )
