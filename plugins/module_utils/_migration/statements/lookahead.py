# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What comes next in a plan: files and statements, some of them looked at ahead of time. Private to the collection."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Optional

from ..._core.errors import Error
from ..._mysql.session import Session
from ..files.reader import FileReader, dialect_of
from ..files.splitter import Statement
from ..model import Step
from .classified import ClassifiedStatement, classified, digest
from .classify import Effect, StatementKind
from .session_state import SessionRecorder

# Settings on which the server's reading of what follows depends, as SET names them.
_READING = frozenset(b"sql_mode names character charset character_set_client".split())
# How far a section is looked into.
_MOST_STATEMENTS = 10_000
_MOST_BYTES = 8 << 20


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
        self._known: dict[int, ClassifiedStatement] = {}

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

    def following(
        self, reader: FileReader, statement: ClassifiedStatement, distance: int = 0
    ) -> Optional[ClassifiedStatement]:
        """Return the statement that comes after the one that was taken last, be it in this file or in the next one.

        None at the end, and where the server's reading of what follows may depend on what comes first.

        :param distance: how many statements between the two are sent with the one that was taken last, ``statement`` as
            the last of them.
        """
        return self._find(reader, distance) if self._judges and not changes_reading(statement) else None

    def look_further(self, reader: FileReader, following: Optional[ClassifiedStatement], distance: int = 0) -> None:
        """Look at what is after the following statement, for which there is time while the server is busy.

        :param distance: as for ``following``; so many more of that kind may come.
        """
        if following is None or following.effect.verb == b"EXECUTE" or changes_reading(following):
            return
        self._find(reader, distance + 1)
        for place in range(distance + 1, 2 * distance if following.effect.literal else 0):
            statement = reader.peek(place)
            if statement is None or not self.classified(statement).effect.literal:
                return

    def section(self, reader: FileReader, first: Optional[ClassifiedStatement]) -> Iterator[ClassifiedStatement]:
        """Yield the statements of the same file that follow the one that was taken last, and take none.

        It ends with the file, after 10,000 statements or 8 MiB, and after a statement on which the server's reading of
        what follows may depend.
        """
        place, size, last = 0, 0, first
        while self._judges and place < _MOST_STATEMENTS and size < _MOST_BYTES and not (last and changes_reading(last)):
            statement = reader.peek(place)
            if statement is None:
                return
            last = self.classified(statement)
            yield last
            place += 1
            size += len(statement.text)

    def _find(self, reader: FileReader, distance: int) -> Optional[ClassifiedStatement]:
        for file in self._files(reader):
            statement = file.peek(distance)
            if statement is not None:
                return self.classified(statement)
            if not file.left and file is not reader:
                # There may be any number of files without a statement.
                return None
            distance -= file.left
        return None

    def _files(self, reader: FileReader) -> Iterator[FileReader]:
        yield reader
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

    def classified(self, statement: Statement, recorder: Optional[SessionRecorder] = None) -> ClassifiedStatement:
        """Return what is known of a statement.

        :param recorder: what its session has been through; None for a statement whose turn has not come yet: what it
            executes is not known before.
        """
        known = self._known.get(id(statement))
        if known is None or (known.effect.verb == b"EXECUTE" and recorder is not None):
            known = self._classify(statement, recorder)
        if recorder is not None:
            # Its turn has come.
            self._known.pop(id(statement), None)
            return known
        if len(self._known) > _MOST_STATEMENTS:
            # Some were split again, in another way.
            self._known.clear()
        # It holds its statement, so that no other one has the same identity.
        self._known[id(statement)] = known
        return known

    def _classify(self, statement: Statement, recorder: Optional[SessionRecorder]) -> ClassifiedStatement:
        if not self._judges:
            return ClassifiedStatement(statement, digest(statement.text), Effect(StatementKind.SESSION), statement.text)
        return classified(statement, dialect_of(self._session), recorder)


def changes_reading(statement: ClassifiedStatement) -> bool:
    """Tell whether what follows a statement may have to be read in another way."""
    effect = statement.effect
    if effect.kind is not StatementKind.OPAQUE:
        return not _READING.isdisjoint(effect.sets)
    text = statement.resolved_text.lower()
    return effect.verb == b"EXECUTE" or any(word in text for word in _READING)
