# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Carries a plan out; the only thing that changes a database. Private to the collection."""

from __future__ import annotations

import io
import os
import time
from dataclasses import asdict, dataclass, field
from typing import Any, BinaryIO, Optional

from .._core.errors import Error
from .._mysql.session import ServerError, Session
from .ledger import Ledger
from .lexer import Dialect
from .plan import Plan, Step
from .script import Script, Statement

# How much of a statement a message quotes, in characters.
_QUOTED = 200
# golang-migrate records a version without a file and runs nothing: neither does a comment.
_NO_FILE = b"-- no file"


@dataclass(frozen=True)
class Applied:
    """One migration that was carried out."""

    version: int
    title: str
    direction: str
    statements: int
    seconds: float


@dataclass
class Execution:
    """Carries a plan out, and knows at any time how far it got.

    :param directory: where the plan's files are.
    :ivar notes: what golang-migrate could not run in the files that were run.
    """

    session: Session
    ledger: Ledger
    directory: str
    plan: Plan
    applied: list[Applied] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    _ran: Optional[Applied] = None

    def run(self) -> None:
        """Carry out every step, in order.

        Between two steps the state goes from one dirty to the next one dirty in one transaction: whoever reads it in
        the meantime sees no less than golang-migrate shows, and a commit is saved.

        :raises Error: a statement failed. The state table then holds the version that the step leads to, dirty.
        """
        if self.plan.steps:
            self.ledger.ensure()
        before: Optional[Step] = None
        for step in self.plan.steps:
            started = time.monotonic()
            with self._open(step, before) as file:
                self._write(before, step)
                count = self._run_script(step, file)
            before = step
            self._ran = Applied(step.version, step.title, step.direction, count, round(time.monotonic() - started, 3))
        if before is not None:
            self._write(before, None)

    def scan(self) -> list[str]:
        """Return what golang-migrate could not run in the plan's files, without running them."""
        found = []
        for step in self.plan.steps:
            with self._open(step) as file:
                script = Script(file, dialect_of(self.session))
                for _statement in script.statements():
                    pass
            found += _noted(step, script)
        return found

    def results(self) -> dict[str, Any]:
        """Return what has been carried out, as return values."""
        return {"from_version": self.plan.from_version, "applied": [asdict(item) for item in self.applied]}

    def _open(self, step: Step, before: Optional[Step] = None) -> BinaryIO:
        if step.file is None:
            return io.BytesIO(_NO_FILE)
        path = os.path.join(self.directory, step.file)
        try:
            return open(path, "rb")
        except OSError as error:
            if before is not None:
                self._write(before, None)
            raise Error(f"{path} cannot be read: {error.strerror}.", **self.results()) from error

    def _write(self, before: Optional[Step], step: Optional[Step]) -> None:
        """Write the state between two steps: ``before`` has been run, and ``step``, if there is one, comes next."""
        leading = step or before
        try:
            self.ledger.write(leading.leads_to if leading else None, dirty=step is not None)
        except ServerError as error:
            raise self._unwritten(before, step, error) from error
        if self._ran is not None:
            self.applied.append(self._ran)
            self._ran = None

    def _unwritten(self, before: Optional[Step], step: Optional[Step], error: ServerError) -> Error:
        if before is not None:
            file, where = before.file, f"after {before.file or before.version}"
            rest = "All of this file was run; the state is dirty."
        else:
            file, where = (step.file, f"before {step.file or step.version}") if step else (None, "")
            rest = "Nothing of this file was run."
        return Error(
            f"The state table could not be written {where}: ({error.code}) {error.reason}. {rest}",
            error_code=error.code,
            file=file,
            dirty=before is not None,
            to_version=before.leads_to if before else self.plan.from_version,
            **self.results(),
        )

    def _run_script(self, step: Step, file: BinaryIO) -> int:
        """Run a file statement by statement and return how many there were."""
        script = Script(file, dialect_of(self.session))
        count = 0
        for statement in script.statements():
            try:
                self.session.execute(statement.text + statement.suffix)
            except ServerError as error:
                raise self._failure(step, statement, error) from error
            count += 1
            # The statement may have changed sql_mode.
            script.dialect = dialect_of(self.session)
        self.notes += _noted(step, script)
        return count

    def _failure(self, step: Step, statement: Statement, error: ServerError) -> Error:
        quoted = statement.text[: _QUOTED * 4].decode("utf-8", "replace")
        quoted = quoted[:_QUOTED] + ("…" if len(quoted) > _QUOTED or len(statement.text) > _QUOTED * 4 else "")
        done = (
            f"its {statement.number - 1} statement(s) before that are done"
            if statement.number > 1
            else "nothing of it is done"
        )
        version = "none" if step.leads_to is None else step.leads_to
        return Error(
            f"{step.file}:{statement.line}:{statement.column}: statement {statement.number} failed: "
            f"({error.code}) {error.reason}. {len(self.applied)} migration(s) were applied before this file; "
            f"{done}. The database is now at version {version}, dirty. Put it right by hand, set the version that "
            "the schema has then (module migration_force, playbook dbops.migrations.force), and run again. "
            f"The statement: {quoted}",
            file=step.file,
            line=statement.line,
            column=statement.column,
            statement=statement.number,
            error_code=error.code,
            dirty=True,
            to_version=step.leads_to,
            **self.results(),
        )


def _noted(step: Step, script: Script) -> list[str]:
    return [f"{step.file}:{note.line} {note.text}" for note in script.notes]


def dialect_of(session: Session) -> Dialect:
    """Return how the session's server reads a text now."""
    modes = session.sql_modes
    return Dialect(
        mariadb=session.mariadb,
        version=session.version,
        backslash_escapes="NO_BACKSLASH_ESCAPES" not in modes,
        ansi_quotes="ANSI_QUOTES" in modes,
    )
