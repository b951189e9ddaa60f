# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Watches a run from a separate thread and keeps its progress line up to date. Private to the collection.

The run does no more than to set an attribute when it sends a statement. The thread looks at it now and then; it asks
the server, by a second connection, only about a statement that takes long.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, NamedTuple, Optional

from ..._core.errors import Error
from ..._mysql.limit import Connect
from ..._mysql.session import Session
from ..files.lexer import Dialect
from ..files.reader import FileReader, open_file
from ..files.splitter import Splitter
from ..statements.classified import ClassifiedStatement
from .ask import Questions
from .file import ProgressFile
from .look import Look, Subject, between_line, hint, progress_line, subject

# Seconds: of a statement that takes longer the server is asked, and of a run that does there is a line, which whoever
# looks after 5 s finds.
_LONG, _RUN = 5.0, 4.0
# Seconds from one glance to the next, from one line to the next, and from a connection that failed to the next.
_GLANCE, _LINE, _REFUSED = 0.5, 2.0, 30.0
# Bytes; a longer file's statements are not counted.
_LARGEST = 1 << 20

Sent = tuple[FileReader, ClassifiedStatement]


class Watch:
    """What a run is doing.

    :ivar now: the file, and the statement that was sent last.
    """

    def __init__(self, session: Session, connect: Connect, file: ProgressFile) -> None:
        self.now: Optional[Sent] = None
        self._database = session.database
        self._asker = _Asker(connect, session.connection_id)
        self._file = file
        self._over = threading.Event()
        self._counted: Optional[_Count] = None

    @contextmanager
    def on(self) -> Iterator[None]:
        """Watch for the length of a ``with`` block."""
        thread = threading.Thread(target=self._run, name="progress", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            # Do not wait for a server that does not answer.
            thread.join(1)
            self._file.remove()

    def _run(self) -> None:
        began = since = time.monotonic()
        seen, told = None, 0.0
        # A failure here must neither fail the run nor disturb its output.
        with suppress(Exception):
            while not self._over.wait(_GLANCE):
                now, moment = self.now, time.monotonic()
                if now is not seen:
                    seen, since = now, moment
                    self._asker.close()
                if now is None or moment - began < _RUN or moment - told < _LINE:
                    continue
                told = moment
                values = self._between(now, moment - began)
                if moment - since >= _LONG:
                    values = self._of_statement(now, moment - since)
                self._file.write({**values, "number": now[1].statement.number, "since": time.time() - (moment - since)})
        self._asker.close()

    def _of_statement(self, now: Sent, seconds: float) -> dict[str, Any]:
        reader, item = now
        about = subject(self._database, reader.step.file or "", item)
        look = self._asker.look(about, seconds)
        return {"text": progress_line(about, seconds, look), "hint": hint(look.lacks)}

    def _between(self, now: Sent, seconds: float) -> dict[str, Any]:
        reader, item = now
        number, file = item.statement.number, reader.step.file or ""
        return {"text": between_line(self._database, file, number, self._count(reader), seconds)}

    def _count(self, reader: FileReader) -> Optional[int]:
        """Return how many statements a file has; None if it is too long to be counted, or what it sets changes that."""
        counted = self._counted
        if counted is None or counted.reader is not reader:
            counted = self._counted = _Count(reader, reader.script.dialect, _statements(reader))
        return counted.statements if reader.script.dialect == counted.dialect else None


class _Count(NamedTuple):
    reader: FileReader
    dialect: Dialect
    statements: Optional[int]


def _statements(reader: FileReader) -> Optional[int]:
    with suppress(Error), open_file(reader.directory, reader.step) as file:
        if file.seek(0, os.SEEK_END) <= _LARGEST:
            file.seek(0)
            return sum(1 for _statement in Splitter(file, reader.script.dialect).statements())
    return None


class _Asker:
    """Asks about a connection by another one, which it opens when it is asked for the first time."""

    def __init__(self, connect: Connect, connection: int) -> None:
        self._connect = connect
        self._connection = connection
        self._stack = ExitStack()
        self._questions: Optional[Questions] = None
        self._again = 0.0

    def look(self, about: Subject, seconds: float) -> Look:
        """Return what the server says; nothing if it cannot be asked."""
        if time.monotonic() < self._again:
            return Look()
        try:
            if self._questions is None:
                self._questions = Questions(self._stack.enter_context(self._connect()), self._connection)
            return self._questions.look(about, seconds)
        except Error:
            self.close()
            self._again = time.monotonic() + _REFUSED
            return Look()

    def close(self) -> None:
        """Close the connection; another question opens it again."""
        self._questions = None
        with suppress(Exception):
            self._stack.close()
