# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Executes one migration on a copy, with the engine's own code, but confined to the copy. Private to the collection."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple, Optional

from .._core.errors import Error
from .._core.stop import Stopped
from .._migration.files.lexer import Dialect
from .._migration.files.reader import FileReader, dialect_of
from .._migration.model import Plan, State, Step
from .._migration.run.attempt import AttemptRecorder
from .._migration.run.executor import Executor
from .._migration.run.runner import Sending, StatementFailed, StatementRunner
from .._migration.statements.classify import classify
from .._migration.statements.effect import OPAQUE, StatementKind
from .._migration.statements.tokens import unquote
from .._migration.status import about, history_name
from .._migration.tables.history_table import HistoryTable
from .._migration.tables.state_table import StateTable
from .._mysql.limit import Connect, Limit
from .._mysql.session import Answer, Session
from .impact import REFUSED, Impact, target
from .leaving import why_leaving
from .risks import Story

# The account may not: no such right on the schema, table, column, routine, proxy; SUPER is wanting, also to define what
# the binary log holds.
_DENIED = (1044, 1045, 1142, 1143, 1227, 1370, 1410, 1418, 1419, 1698)
# A value from a question without rows, no such parent, what SIGNAL says about rows that are not there.
_OF_ROWS = (1048, 1329, 1452, 1643, 1644)
_ENDED = (1028, 1317, 1969, 3024)


class NotRehearsed(Exception):
    """A migration, or all of them, cannot be rehearsed; the text says why, without a full stop.

    :ivar line: the line of the file at which that is so; None if it is about more than a statement.
    """

    def __init__(self, why: str, line: Optional[int] = None) -> None:
        self.line = line
        super().__init__(why)


class Ran(NamedTuple):
    """What became of a migration.

    :param error: why it failed; None if it did not.
    :param line: the line of its file at which it failed, if it was at one.
    :param skipped: the statements that could not be run on tables without rows: the line, and what the server said.
    """

    error: Optional[str]
    line: Optional[int]
    skipped: list[tuple[int, str]]


class RehearsalRunner(StatementRunner):
    """Runs statements that stay in their schema.

    :param schemas: see ``why_leaving``; None where the server makes sure.
    :param impact: is told how each ALTER was carried out; None if nobody wants to know.
    :param stories: are told about each statement before.
    :param longest: seconds that all statements may take together.
    """

    def __init__(
        self,
        session: Session,
        recorder: AttemptRecorder,
        limit: Limit,
        schemas: Optional[Collection[str]],
        impact: Optional[Impact],
        stories: Collection[Story],
        longest: int,
    ) -> None:
        super().__init__(session, recorder, None, 0, limit, batches=False)
        self._schemas = schemas
        self._impact = impact
        self._stories = stories
        self._longest = longest
        self._end = time.monotonic() + longest
        self.skipped: list[tuple[int, str]] = []

    def run(self, sending: Sending) -> Answer:
        """Run a statement; see StatementRunner.

        :raises NotRehearsed: it could leave the schema, or fails for a reason that says nothing of the migration; or
            the migration has taken long enough.
        """
        statement = sending.statement.statement
        place = f"line {statement.line} (statement {statement.number})"
        if time.monotonic() > self._end:
            raise NotRehearsed(f"before {place} it has taken longer than {self._longest} s", statement.line)
        dialect = dialect_of(self._session)
        text = statement.text + statement.suffix
        why = None if self._schemas is None else why_leaving(text, dialect, self._schemas)
        if why is not None:
            raise NotRehearsed(f"{place} {why}", statement.line)
        try:
            return self._run(sending, text, dialect)
        except StatementFailed as failure:
            error = failure.error
            said = f"{place}: ({error.code}) {error.reason}"
            if error.code in _DENIED:
                raise NotRehearsed(f"the account may not do there what it does; {said}", statement.line) from failure
            if error.code in _ENDED:
                why = f"a statement took longer than {self._longest} s; {said}"
                raise NotRehearsed(why, statement.line) from failure
            if error.code not in _OF_ROWS or classify(statement.text, dialect).kind is not StatementKind.DATA:
                raise
            if self._recorder.history is not None:
                raise NotRehearsed(f"it needs rows, and the copy has none; {said}", statement.line) from failure
            self._recorder.carried_out([sending.statement.digest])
            self.skipped.append((statement.line, said))
            return []

    def _run(self, sending: Sending, text: bytes, dialect: Dialect) -> Answer:
        """Run a statement; an ALTER in the mildest way that the server takes."""
        effect = classify(text, dialect) if self._impact is not None else OPAQUE
        for story in self._stories:
            story.notice(text, sending.statement.statement.line, effect, dialect)
        about = target(text, dialect) if effect.kind in (StatementKind.DEFINITION, StatementKind.OPAQUE) else None
        impact, statement = self._impact, sending.statement.statement
        if impact is None or about is None or not impact.concerns(about):
            answer = super().run(sending)
            if impact is not None and effect.verb in (b"CREATE", b"CREATE TEMPORARY"):
                impact.made([unquote(item.name).decode("utf-8", "replace") for item in effect.objects])
            return answer
        asking = impact.begin(about, self._session)
        for way in asking.ladder():
            spelled = sending.statement._replace(statement=statement._replace(text=way.text, suffix=b""))
            try:
                answer = super().run(sending._replace(statement=spelled))
            except StatementFailed as failure:
                if failure.error.code in REFUSED:
                    continue
                # It may be the clause that is wrong there.
                break
            impact.note(asking, statement, way)
            return answer
        answer = super().run(sending)
        impact.note(asking, statement, None)
        return answer


def carry_out(
    session: Session,
    connect: Connect,
    directory: str,
    step: Step,
    params: Mapping[str, Any],
    schemas: Optional[Collection[str]],
    stopped: Stopped,
    longest: int,
    impact: Optional[Impact] = None,
    stories: Collection[Story] = (),
) -> Ran:
    """Carry out a migration in the session's schema.

    :param connect: opens another session, to end a statement that takes too long.
    :param params: the options of the state table and the history, and those about the run.
    :param schemas: see ``why_leaving``.
    :param longest: seconds that it may take.
    :param impact: is told how each ALTER was carried out.
    :param stories: are told about each statement.
    :raises NotRehearsed: it cannot be told how it would go.
    """
    # Without a history statements are sent as golang-migrate sends them; a file that is all-or-nothing needs one.
    atomic = FileReader(session, directory, step).atomic
    history = HistoryTable(session, history_table(params)) if atomic else None
    recorder = AttemptRecorder(session, StateTable(session, params["migrations_table"]), history, about(params), None)
    runner = RehearsalRunner(session, recorder, Limit(session, connect, longest), schemas, impact, stories, longest)
    plan = Plan(None, step.leads_to, (step,))
    executor = Executor(session, recorder, runner, directory, plan, None, stopped)
    try:
        executor.run(State(None, False))
    except Error as error:
        return Ran(_said(error), error.results.get("line"), runner.skipped)
    return Ran(None, None, runner.skipped)


def history_table(params: Mapping[str, Any]) -> str:
    """Return the name of the history table; a usual one where none is kept."""
    return history_name(params) or f"{params['migrations_table']}_history"


def _said(error: Error) -> str:
    """Return what went wrong, without what the engine says about a migration that is partially applied."""
    cause = error.__cause__
    if isinstance(cause, StatementFailed):
        found = error.results
        place = f"{found['file']}:{found['line']} (statement {found['statement']})"
        return f"{place}: ({cause.error.code}) {cause.error.reason}"
    return str(error).partition(". ")[0]
