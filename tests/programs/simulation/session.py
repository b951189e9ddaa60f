# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""In place of Session: the same public interface, answered by a simulated server, with faults in between."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Optional

from ansible_collections.dbops.migrations.plugins.module_utils._mysql.session import (
    SEPARATOR,
    Answer,
    ServerError,
)
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.session_track import TransactionReport

from .connection import Connection
from .faults import Broken, Faults, Killed
from .storage import STRANGER, Server, SqlError

_LOST = 2013
# What the splitter puts behind a body, so that the server does not store what follows it in the packet; and the mark of
# a statement that has been corrected.
_SUFFIX = re.compile(r";\s*#\s*$| /\* corrected \*/")


class SimulatedSession:
    """One open connection; see Session, whose docstrings hold.

    :ivar statements: the texts of the statements that were sent as a user's, in order.
    """

    def __init__(self, server: Server, faults: Faults, schema: str) -> None:
        self._connection = Connection(server, schema)
        self._server, self._faults = server, faults
        self.database = self.schema = schema
        self.server, self.mariadb, self.version = server.version_text, server.mariadb, server.version
        self.atomic_ddl, self.has_stats_expiry = server.atomic, not server.mariadb
        self.complaint: Optional[str] = None
        self.connection_id = self._connection.id
        self.tracked = server.tracks
        self.wrote_nontransactional = self.stale = self.has_savepoint = False
        faults.sessions.append(self)

    @property
    def sql_modes(self) -> frozenset[str]:
        return frozenset(filter(None, str(self._connection.settings["sql_mode"]).split(",")))

    @property
    def character_set_client(self) -> str:
        return str(self._connection.settings["character_set_client"])

    @property
    def character_set_results(self) -> str:
        return str(self._connection.settings["character_set_results"])

    @property
    def settings(self) -> dict[str, str]:
        names = ("sql_mode", "character_set_client", "character_set_connection", "character_set_results")
        known = {name: str(self._connection.settings[name]) for name in names}
        return {**known, "autocommit": "1" if self.autocommit else "0"}

    @property
    def foreign_results(self) -> bool:
        return self.character_set_results != "utf8mb4"

    @property
    def current_schema(self) -> Optional[str]:
        return self._connection.schema

    @property
    def in_transaction(self) -> bool:
        return self._connection.in_transaction

    @property
    def autocommit(self) -> bool:
        return self._connection.autocommit

    @property
    def transaction(self) -> Any:
        """What the real session takes from the server's ``trx_state``; see TransactionReport."""
        connection = self._connection
        report = TransactionReport()
        if not self.tracked:
            return report
        return report._replace(
            explicit=connection.explicit,
            implicit=connection.in_transaction and not connection.explicit,
            nontransactional_writes=connection.in_transaction and "lasting" in connection.written,
            writes=connection.in_transaction and "kept" in connection.written,
            table_locks=connection.locked is not None,
        )

    def query(self, sql: str, arguments: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        if arguments:
            sql %= tuple(value if isinstance(value, int) else f"'{value}'" for value in arguments)
        return self._packet(lambda: self._one(sql, f"The server refused {sql!r}")) or []

    def execute(
        self,
        statement: bytes,
        before: Sequence[str] = (),
        after: Sequence[str] = (),
        ask: bytes = b"",
        meanwhile: Optional[Callable[[], None]] = None,
        undisturbed: bool = False,
        count: int = 1,
    ) -> Answer:
        self.wrote_nontransactional = False
        self._faults.packet = _SUFFIX.sub("", statement.decode())
        texts = statement.decode().split(SEPARATOR) if count > 1 else [statement.decode()]
        assert len(texts) == count
        answer = self._packet(lambda: self._all(texts, before, after, ask, meanwhile))
        return answer if answer is not None else []

    def _all(
        self,
        statements: Sequence[str],
        before: Sequence[str],
        after: Sequence[str],
        ask: bytes,
        meanwhile: Optional[Callable[[], None]],
    ) -> Answer:
        place = 0
        try:
            for text in before:
                self._one(text)
                place += 1
            for text in statements:
                self._users(text)
                place += 1
            if meanwhile is not None:
                meanwhile()
            for text in after:
                self._one(text)
                place += 1
            if not ask:
                return []
            try:
                return _as_bytes(self._one(ask.decode()))
            except ServerError as error:
                return error
        except ServerError as error:
            error.place = place
            raise
        except Broken:
            self._faults.place = place
            raise

    def _users(self, text: str) -> None:
        """Have the server carry a statement of the user's out."""
        self._connection.text = _SUFFIX.sub("", text)
        server = self._server
        if server.taken_over or any(holder == STRANGER for holder, _count in server.locks.values()):
            server.trespass.append(self._connection.text)
        try:
            self._one(text)
        finally:
            self._connection.text = ""
            self.wrote_nontransactional = self.transaction.nontransactional_writes

    def rows(self, question: bytes) -> Answer:
        def ask() -> Answer:
            try:
                return _as_bytes(self._one(question.decode()))
            except ServerError as error:
                return error

        return self._packet(ask) or []

    def constant(self, expression: bytes) -> bytes:
        [(value,)] = self.query(f"SELECT {expression.decode()}")
        if value is None:
            return b"NULL"
        if isinstance(value, int):
            return b"%d" % value
        digits = str(value).encode().hex().upper()
        return f"_utf8mb4 X'{digits}' COLLATE utf8mb4_general_ci".encode() if digits else b"''"

    def short_constants(self, expressions: Sequence[bytes], _size: int) -> list[bytes]:
        return [self.constant(each) for each in expressions]

    def close(self) -> None:
        """Close the connection, as the end of the process does."""
        self._connection.end()

    def _packet(self, work: Callable[[], Any]) -> Any:
        """Send one packet, and notice what becomes of it."""
        faults, connection = self._faults, self._connection
        faults.check_alive()
        if not connection.alive:
            raise ServerError(2006, "Server has gone away", "The server refused the statement")
        faults.place = 0
        try:
            self._server.point("arrival", connection)
            try:
                answer = work()
            finally:
                faults.finish("packet", connection)
            self._server.point("answer", connection)
            faults.finish("statement", connection)
            return answer
        except Broken as broken:
            if broken.crash:
                connection.dies_inside()
                self._server.crash()
            connection.end()
            if broken.client_too:
                raise Killed from broken
            error = ServerError(_LOST, "Lost connection to server during query", "The server refused the statement")
            error.place = faults.place
            raise error from broken

    def _one(self, text: str, doing: str = "The server refused the statement") -> Any:
        """Have the server carry one statement of a packet out."""
        connection, point = self._connection, self._server.point
        if self._faults.trace is not None:
            self._faults.trace.append(f"    {self._faults.count}: {text[:300]}")
        connection.running = text
        point("before", connection)
        try:
            rows = connection.run(text)
        except SqlError as error:
            self._faults.finish("statement", connection)
            self._faults.refused(connection, text, error)
            raise ServerError(error.code, str(error), doing) from error
        self._faults.finish("statement", connection)
        point("after", connection)
        return rows


def _as_bytes(rows: Optional[list[tuple[Any, ...]]]) -> list[tuple[Any, ...]]:
    return [tuple(None if value is None else str(value).encode() for value in row) for row in rows or ()]
