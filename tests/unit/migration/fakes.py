# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stands in for a server in the engine's unit tests: a session, its tables and its lock, each as small as can be.

They decide nothing. A test says what the session answers, and looks at what was sent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Optional

from ansible_collections.dbops.migrations.plugins.module_utils._migration.files.reader import dialect_of
from ansible_collections.dbops.migrations.plugins.module_utils._migration.files.splitter import Statement
from ansible_collections.dbops.migrations.plugins.module_utils._migration.model import State
from ansible_collections.dbops.migrations.plugins.module_utils._migration.statements.classified import (
    ClassifiedStatement,
    classified,
)
from ansible_collections.dbops.migrations.plugins.module_utils._migration.tables.history_table import AttemptRecord
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.session import SEPARATOR, ServerError
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.session_track import TransactionReport

NOW = 1_700_000_000.0
START, COMMIT, ROLLBACK = (
    "START TRANSACTION READ WRITE",
    "COMMIT AND NO CHAIN NO RELEASE",
    "ROLLBACK AND NO CHAIN NO RELEASE",
)
_OPENS = re.compile(r"START TRANSACTION|BEGIN|opens", re.IGNORECASE)
_ENDS = re.compile(r"COMMIT|ROLLBACK|CREATE|ALTER|DROP|LOCK", re.IGNORECASE)
_ROWS = re.compile(r"INSERT|UPDATE|DELETE", re.IGNORECASE)


def refusal(code: int = 1062, reason: str = "no") -> ServerError:
    """Return what a server answers to a statement that it refuses; code 2013 is a connection that is lost."""
    return ServerError(code, reason, "The server refused the statement")


class FakeSession:
    """Takes every statement, and knows whether a transaction is open by the first word of each.

    :ivar packets: the statements of each packet that was executed, up to the one that was refused.
    :ivar queries: our own questions, in order.
    :ivar answers: the rows, or the error, that answer a question with such a part, the newest first.
    :ivar refused: the errors that answer the next statements with such a part, one after the other.
    :ivar effects: what a statement with such a part does besides.
    :ivar changed: settings beside autocommit.
    """

    def __init__(self, mariadb: bool = True, version: int = 101119) -> None:
        self.mariadb, self.version = mariadb, version
        self.database = self.schema = "shop"
        self.current_schema: Optional[str] = "shop"
        self.sql_modes: frozenset[str] = frozenset()
        self.character_set_client = "utf8mb4"
        self.foreign_results = False
        self.atomic_ddl, self.has_stats_expiry = True, not mariadb
        self.connection_id = 7
        self.tracked, self.autocommit, self.in_transaction = True, True, False
        self.transaction = TransactionReport()
        self.wrote_nontransactional = self.has_savepoint = False
        self.changed: dict[str, str] = {}
        self.packets: list[list[str]] = []
        self.queries: list[str] = []
        self.answers: dict[str, Any] = {"SYSDATE(6)": [(NOW, 0, "ROW", "REPEATABLE-READ")]}
        self.refused: dict[str, list[ServerError]] = {}
        self.effects: dict[str, Callable[[], None]] = {}

    @property
    def settings(self) -> dict[str, str]:
        return {"autocommit": "ON" if self.autocommit else "OFF", **self.changed}

    def execute(
        self,
        statement: bytes,
        before: Sequence[str] = (),
        after: Sequence[str] = (),
        ask: bytes = b"",
        meanwhile: Optional[Callable[[], None]] = None,
        undisturbed: bool = False,
        count: int = 1,
    ) -> Any:
        sent: list[str] = []
        self.packets.append(sent)
        texts = statement.decode().split(SEPARATOR) if count > 1 else [statement.decode()]
        for place, text in enumerate((*before, *texts, *after)):
            sent.append(text)
            self._run(text, place)
        if meanwhile is not None:
            meanwhile()
        return self._answer(ask.decode()) if ask else []

    def query(self, sql: str, arguments: Sequence[Any] = ()) -> Any:
        self.queries.append(sql % tuple(repr(value) for value in arguments) if arguments else sql)
        self._run(sql, 0)
        answer = self._answer(sql)
        if isinstance(answer, ServerError):
            raise answer
        return answer

    def rows(self, question: bytes) -> Any:
        self.queries.append(question.decode())
        self._run(question.decode(), 0)
        return self._answer(question.decode())

    def constant(self, expression: bytes) -> bytes:
        return b"'value of %b'" % expression

    def short_constants(self, expressions: Sequence[bytes], _size: int) -> list[bytes]:
        return [self.constant(each) for each in expressions]

    def _answer(self, question: str) -> Any:
        return next((found for part, found in reversed(self.answers.items()) if part in question), [])

    def _run(self, text: str, place: int) -> None:
        for part, errors in self.refused.items():
            if part in text and errors:
                error = errors.pop(0)
                error.place = place
                if error.lost or error.code in (1206, 1213):
                    self.in_transaction = False
                raise error
        if _OPENS.match(text):
            self.in_transaction = True
        elif _ENDS.match(text):
            self.in_transaction = False
        elif _ROWS.match(text):
            self.in_transaction |= not self.autocommit
        elif text == "SET autocommit = 0":
            self.autocommit = False
        for part, effect in self.effects.items():
            if part in text:
                effect()


class FakeStateTable:
    """The state table: what is to be written is ``state VERSION`` with ``dirty`` or ``clean``."""

    def __init__(self) -> None:
        self.state, self.transactional, self.ensured = State(None, False), True, 0
        self.written: Optional[int] = None
        self.error: Optional[ServerError] = None
        self.read_now: list[bool] = []

    def ensure(self) -> None:
        self.ensured += 1

    def is_transactional(self) -> bool:
        return self.transactional

    def read(self, now: bool = False) -> State:
        self.read_now.append(now)
        if self.error is not None:
            raise self.error
        return self.state

    def writing(self, state: State) -> list[str]:
        return [f"state {state.version} {'dirty' if state.dirty else 'clean'}"]

    def written_at(self) -> Optional[int]:
        return self.written


class FakeHistory:
    """The history table: what is to be written is ``insert`` or ``update``, the row's number, and how far it is.

    :ivar records: its rows, the oldest first.
    :ivar values: the values of all rows that were to be written, in order.
    """

    def __init__(self, *records: AttemptRecord) -> None:
        self.records = list(records)
        self.values: list[dict[str, Any]] = []
        self.created = 0
        self.there = True
        self.read_now: list[bool] = []

    def exists(self) -> bool:
        return self.there

    def create(self) -> None:
        self.created += 1
        self.there = True

    def rows(self, where: str) -> list[AttemptRecord]:
        return [record for record in self.records if where == f"id = {record.id}"]

    def last(self) -> Optional[AttemptRecord]:
        return self.records[-1] if self.records else None

    def last_id(self, now: bool = False) -> int:
        self.read_now.append(now)
        return self.records[-1].id if self.records else 0

    def insert(self, values: Mapping[str, Any]) -> str:
        return self._row("insert", values["id"], values)

    def update(self, number: int, values: Mapping[str, Any]) -> str:
        return self._row("update", number, values)

    def forgetting(self, number: int) -> str:
        return f"forget before {number}"

    def _row(self, word: str, number: int, values: Mapping[str, Any]) -> str:
        self.values.append(dict(values))
        parts = [word, str(number)]
        if "outcome" in values:
            parts.append(values["outcome"])
        if "done" in values:
            parts.append(f"{values['done']}/{values['begun']}")
        return " ".join(parts)


class FakeLock:
    """The lock: its guard is ``guard``, whose failure is error 1690.

    :ivar free: whether it can be taken again.
    """

    guard = "guard"

    def __init__(self) -> None:
        self.free, self.retaken = True, 0

    def lost(self, error: ServerError) -> bool:
        return error.code == 1690

    def retake(self) -> bool:
        self.retaken += 1
        return self.free


def statement(text: str, number: int = 1, session: Optional[FakeSession] = None) -> ClassifiedStatement:
    """Return a statement with what its text tells."""
    dialect = dialect_of(session or FakeSession())  # type: ignore[arg-type]
    return classified(Statement(number, number, 1, text.encode()), dialect, None)


def record(
    id: int = 1, outcome: str = "running", done: int = 0, begun: Optional[int] = None, **values: Any
) -> AttemptRecord:
    """Return an attempt at version 1, up, as in the history."""
    row: dict[str, Any] = {**dict.fromkeys(AttemptRecord._fields), "title": "m", "direction": "up", "tool": "t"}
    row.update(id=id, version=1, leads_to=1, outcome=outcome, done=done, begun=done if begun is None else begun)
    row.update(started_at=datetime(2026, 11, 5, 12, 30, 15), last_insert_id=0)
    return AttemptRecord(**{**row, **values})
