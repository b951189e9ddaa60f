# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What comes next in a plan: files and statements, some of them looked at ahead of time. Private to the collection."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice
from typing import Optional

from ..._core.errors import Error
from ..._mysql.session import LARGE, Session
from ..files.reader import FileReader, dialect_of
from ..files.splitter import Statement
from ..model import Step
from ..run.runner import ClassifiedStatement
from ..tables.checkpoint import digest
from .classify import Effect, StatementKind, classify, depends, is_plain_rows
from .session_state import SessionRecorder

_SQL_MODE = b"sql_mode"
_CALL = re.compile(rb"call\b[^@]+$", re.IGNORECASE)
# Where a statement says what it is, in bytes.
_BEGINNING = 200


class Lookahead:
    """The files of some steps, in order, and the statements of the one that is being run and of those that follow.

    :param directory: where the files are.
    :param judges: whether the effects of statements are asked for; without, each counts as harmless.
    """

    def __init__(self, session: Session, directory: str, steps: Iterable[Step], judges: bool) -> None:
        self._session = session
        self._directory = directory
        self._steps = deque(steps)
        self._judges = judges
        self._opened: deque[FileReader] = deque()
        self._pieces: deque[ClassifiedStatement] = deque(maxlen=2)

    def open(self) -> Optional[FileReader]:
        """Return the file of the next step; None if there is none.

        :raises Error: it cannot be read.
        """
        if not self._opened and self._steps:
            self._open()
        return self._opened.popleft() if self._opened else None

    def _open(self) -> None:
        self._opened.append(FileReader(self._session, self._directory, self._steps[0]))
        self._steps.popleft()

    def following(self, reading: FileReader, piece: ClassifiedStatement) -> Optional[ClassifiedStatement]:
        """Return the piece that comes after the one that was taken last, be it in this file or in the next one.

        None at the end, and where the server's reading of what follows may depend on what comes first.
        """
        return self._find(reading, 0) if self._judges and not mentions_sql_mode(piece.meaning) else None

    def look_further(self, reading: FileReader, following: Optional[ClassifiedStatement]) -> None:
        """Look at the piece behind the following one, for which there is time while the server is at work."""
        if following is not None and following.effect.verb != b"EXECUTE" and not mentions_sql_mode(following.meaning):
            self._find(reading, 1)

    def _find(self, reading: FileReader, distance: int) -> Optional[ClassifiedStatement]:
        statement = next(islice(self._statements(reading), distance, None), None)
        return None if statement is None else self.piece(statement)

    def _statements(self, reading: FileReader) -> Iterator[Statement]:
        for file in self._files(reading):
            place = 0
            while True:
                statement = file.peek(place)
                if statement is None:
                    break
                yield statement
                place += 1
            if not place and file is not reading:
                # There may be any number of files without a statement.
                return

    def _files(self, reading: FileReader) -> Iterator[FileReader]:
        yield reading
        place = 0
        while True:
            if place == len(self._opened) and self._steps:
                # What is wrong with it matters when it has its turn.
                with suppress(Error):
                    self._open()
            if place == len(self._opened):
                return
            yield self._opened[place]
            place += 1

    def piece(self, statement: Statement, log: Optional[SessionRecorder] = None) -> ClassifiedStatement:
        """Return what is known of a statement.

        :param log: what its session has been through; None for a statement whose turn has not come yet: what it
            executes is not known before.
        """
        for known in self._pieces:
            if known.statement is statement and known.effect.verb != b"EXECUTE":
                return known
        found = self._piece(statement, log)
        self._pieces.append(found)
        return found

    def _piece(self, statement: Statement, log: Optional[SessionRecorder]) -> ClassifiedStatement:
        if not self._judges:
            return ClassifiedStatement(statement, "", Effect(StatementKind.SESSION), statement.text)
        dialect = dialect_of(self._session)
        effect, meaning = classify(statement.text, dialect), statement.text
        if effect.verb == b"EXECUTE" and log is not None:
            meaning = log.prepared.get(effect.name.decode("utf-8", "surrogateescape"), meaning)
            effect = effect if meaning is statement.text else classify(meaning, dialect)
        asks_back, closable = depends(statement.text, dialect), is_closable(statement, effect)
        return ClassifiedStatement(statement, digest(statement.text), effect, meaning, asks_back, closable)


def is_closable(statement: Statement, effect: Effect) -> bool:
    """Tell whether statements may follow in the same packet: nothing of them is kept with it, or swallowed by it.

    It has one result then, unless it is a call.
    """
    text = statement.text
    # The server limits a packet, and the user's statement may need all of it.
    if statement.suffix or text.endswith(b"\0") or len(text) > LARGE:
        return False
    if effect.kind is StatementKind.DEFINITION:
        return effect.objects[0].sort == "TABLE" and b"VIEW" not in text[:_BEGINNING].upper()
    # The variables that it sets are to be asked for before it is recorded.
    return (
        is_plain_rows(text) and b":=" not in text
        if effect.kind is StatementKind.DATA
        else _CALL.match(text) is not None
    )


def mentions_sql_mode(text: bytes) -> bool:
    """Tell whether what follows a statement may have to be read in another way."""
    return _SQL_MODE in text.lower()
