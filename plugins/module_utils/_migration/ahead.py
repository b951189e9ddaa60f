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

from .._core.errors import Error
from .._mysql.session import LARGE, Session
from .effects import Effect, Kind, depends, effect_of, is_plain_rows
from .guard import Piece
from .plan import Step
from .progress import digest
from .reading import Reading, dialect_of
from .replay import SessionLog
from .script import Statement

_SQL_MODE = b"sql_mode"
_CALL = re.compile(rb"call\b[^@]+$", re.IGNORECASE)
# Where a statement says what it is, in bytes.
_BEGINNING = 200


class Ahead:
    """The files of some steps, in order, and the statements of the one that is being run and of those that follow.

    :param directory: where the files are.
    :param judges: whether the effects of statements are asked for; without, each counts as harmless.
    """

    def __init__(self, session: Session, directory: str, steps: Iterable[Step], judges: bool) -> None:
        self._session = session
        self._directory = directory
        self._steps = deque(steps)
        self._judges = judges
        self._opened: deque[Reading] = deque()
        self._pieces: deque[Piece] = deque(maxlen=2)

    def open(self) -> Optional[Reading]:
        """Return the file of the next step; None if there is none.

        :raises Error: it cannot be read.
        """
        if not self._opened and self._steps:
            self._open()
        return self._opened.popleft() if self._opened else None

    def _open(self) -> None:
        self._opened.append(Reading(self._session, self._directory, self._steps[0]))
        self._steps.popleft()

    def following(self, reading: Reading, piece: Piece) -> Optional[Piece]:
        """Return the piece that comes after the one that was taken last, be it in this file or in the next one.

        None at the end, and where the server's reading of what follows may depend on what comes first.
        """
        return self._find(reading, 0) if self._judges and not mentions_sql_mode(piece.meaning) else None

    def look_further(self, reading: Reading, following: Optional[Piece]) -> None:
        """Look at the piece behind the following one, for which there is time while the server is at work."""
        if following is not None and following.effect.verb != b"EXECUTE" and not mentions_sql_mode(following.meaning):
            self._find(reading, 1)

    def _find(self, reading: Reading, distance: int) -> Optional[Piece]:
        statement = next(islice(self._statements(reading), distance, None), None)
        return None if statement is None else self.piece(statement)

    def _statements(self, reading: Reading) -> Iterator[Statement]:
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

    def _files(self, reading: Reading) -> Iterator[Reading]:
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

    def piece(self, statement: Statement, log: Optional[SessionLog] = None) -> Piece:
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

    def _piece(self, statement: Statement, log: Optional[SessionLog]) -> Piece:
        if not self._judges:
            return Piece(statement, "", Effect(Kind.SESSION), statement.text)
        dialect = dialect_of(self._session)
        effect, meaning = effect_of(statement.text, dialect), statement.text
        if effect.verb == b"EXECUTE" and log is not None:
            meaning = log.prepared.get(effect.name.decode("utf-8", "surrogateescape"), meaning)
            effect = effect if meaning is statement.text else effect_of(meaning, dialect)
        asks_back, closable = depends(statement.text, dialect), is_closable(statement, effect)
        return Piece(statement, digest(statement.text), effect, meaning, asks_back, closable)


def is_closable(statement: Statement, effect: Effect) -> bool:
    """Tell whether statements may follow in the same packet: nothing of them is kept with it, or swallowed by it.

    It has one result then, unless it is a call.
    """
    text = statement.text
    # The server limits a packet, and the user's statement may need all of it.
    if statement.suffix or text.endswith(b"\0") or len(text) > LARGE:
        return False
    if effect.kind is Kind.DEFINITION:
        return effect.objects[0].sort == "TABLE" and b"VIEW" not in text[:_BEGINNING].upper()
    # The variables that it sets are to be asked for before it is recorded.
    return is_plain_rows(text) and b":=" not in text if effect.kind is Kind.DATA else _CALL.match(text) is not None


def mentions_sql_mode(text: bytes) -> bool:
    """Tell whether what follows a statement may have to be read in another way."""
    return _SQL_MODE in text.lower()
