# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The history table: a row for each attempt at a migration, kept beside golang-migrate's state table.

Private to the collection.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple, Optional

from ..._core.errors import Error
from ..._mysql.session import ServerError, Session
from ..._mysql.statements import identifier, text_literal
from ..model import Move, State

RUNNING = "running"
APPLIED = "applied"
FAILED = "failed"
INTERRUPTED = "interrupted"
# Outcomes of attempts that are not over.
OPEN = (RUNNING, FAILED, INTERRUPTED)
# A direction besides up and down: set by migration_force. See also applied.py.
FORCE = "force"

_NOW = "LAST_INSERT_ID()"
# The columns from which Known is made.
_MOVES = "outcome = 'applied' OR (begun > 0 AND id = (SELECT MAX(id) FROM {table}))"
COLUMNS = {
    "id": "BIGINT NOT NULL PRIMARY KEY",
    "version": "BIGINT NULL",
    "title": "VARCHAR(255) NOT NULL",
    "direction": "VARCHAR(10) NOT NULL",
    "from_version": "BIGINT NULL",
    "leads_to": "BIGINT NULL",
    "outcome": "VARCHAR(12) NOT NULL",
    "checksum": "CHAR(64) NULL",
    "statements": "INT NULL",
    "done": "INT NOT NULL",
    "begun": "INT NOT NULL",
    "started_at": "DATETIME(6) NOT NULL",
    "seconds": "DOUBLE NULL",
    "error": "TEXT NULL",
    "git_commit": "VARCHAR(64) NULL",
    "ran_by": "VARCHAR(255) NULL",
    "ran_on": "VARCHAR(255) NULL",
    "job": "VARCHAR(255) NULL",
    "tool": "VARCHAR(40) NOT NULL",
    "last_insert_id": "BIGINT UNSIGNED NOT NULL",
    "progress": "MEDIUMTEXT NULL",
}


class AttemptRecord(NamedTuple):
    """One attempt, as in the table; times are in UTC.

    :param direction: up, down, force, external or baseline.
    :param from_version: the version before a move by force or from outside.
    :param leads_to: the version that the state table holds, dirty until the attempt has succeeded.
    :param done: how many statements are known to be done.
    :param begun: the number of the last statement that may have started.
    :param progress: JSON, see checkpoint.py; of an attempt that is over, the number of its run.
    """

    id: int
    version: Optional[int]
    title: str
    direction: str
    from_version: Optional[int]
    leads_to: Optional[int]
    outcome: str
    checksum: Optional[str]
    statements: Optional[int]
    done: int
    begun: int
    started_at: Any
    seconds: Optional[float]
    error: Optional[str]
    git_commit: Optional[str]
    ran_by: Optional[str]
    ran_on: Optional[str]
    job: Optional[str]
    tool: str
    last_insert_id: int
    progress: Optional[str]

    def explains(self, state: State) -> bool:
        """Tell whether it is this attempt that has left the state dirty, and could be resumed."""
        is_open = self.direction in ("up", "down") and self.outcome in OPEN
        return state.dirty and is_open and self.leads_to == state.version and self.version is not None

    def has_led_to(self, state: State) -> bool:
        """Tell whether it has succeeded, and nothing has moved the database since."""
        return self.outcome == APPLIED and self.leads_to == state.version and not state.dirty

    @property
    def run(self) -> Optional[str]:
        """The number of its run, if that has one."""
        run: Optional[str] = read_progress(self.progress).get("run")
        return run

    @property
    def moment(self) -> str:
        """When it was started, in ISO 8601 format."""
        return f"{self.started_at.isoformat(timespec='seconds')}Z"


class HistoryTable:
    """The history table of one database; each text it returns is one statement, in ASCII whatever the session's mode.

    :param table: its name.
    :param schema: another one than the session's.
    """

    def __init__(self, session: Session, table: str, schema: str = "") -> None:
        self._session = session
        self._name = table
        self.table = f"{identifier(schema or session.schema)}.{identifier(table)}"
        self._found = False

    def exists(self) -> bool:
        """Tell whether the table is there; once it was, that is not asked again.

        :raises Error: a table of that name has other columns.
        """
        if self._found:
            return True
        rows = self._session.query(
            "SELECT LOWER(column_name) FROM information_schema.columns WHERE table_schema = %s AND table_name = %s",
            (self._session.schema, self._name),
        )
        found = {name for (name,) in rows}
        if found and found != set(COLUMNS):
            raise Error(
                1620,
                f"The table {self._name} in {self._session.database} is not a history table of dbops.migrations: it "
                f"has the columns {', '.join(sorted(found))[:300]}. It belongs to something else and is left alone; "
                "choose another history_table, or switch the history off with an empty one.",
            )
        self._found = bool(found)
        return self._found

    def create(self) -> None:
        """Create the table.

        :raises Error: the server refuses.
        """
        columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
        try:
            self._session.query(f"CREATE TABLE {self.table} ({columns}) ENGINE=InnoDB CHARACTER SET utf8mb4")
        except ServerError as error:
            raise Error(
                1621,
                f"The history table {self._name} could not be created: ({error.code}) {error.reason}. Let the "
                f"account create tables: GRANT CREATE ON {identifier(self._session.schema)}.* TO the account. Or "
                "switch the history off with an empty history_table; then a failed migration cannot be resumed. "
                "Nothing was run.",
                error_code=error.code,
            ) from error

    def rows(self, where: str = "1 = 1 ORDER BY id") -> list[AttemptRecord]:
        """Return rows, the oldest first unless ``where`` says otherwise."""
        names = ", ".join(COLUMNS)
        return [AttemptRecord(*row) for row in self._session.query(f"SELECT {names} FROM {self.table} WHERE {where}")]

    def last(self) -> Optional[AttemptRecord]:
        """Return the newest row."""
        rows = self.rows("1 = 1 ORDER BY id DESC LIMIT 1")
        return rows[0] if rows else None

    def of_run(self, run: str) -> list[AttemptRecord]:
        """Return the attempts of a run that has a number, the oldest first."""
        return self.rows(f"progress LIKE '%{_mark(run)}%' ORDER BY id")

    def moves(self) -> list[Move]:
        """Return all that has succeeded, the oldest first, and at last an attempt that is unfinished."""
        rows = self._session.query(
            f"SELECT version, direction, leads_to, checksum, progress, outcome <> 'applied' FROM {self.table} WHERE "
            f"{_MOVES.format(table=self.table)} ORDER BY id"
        )
        return [Move(*values)._replace(unfinished=bool(unfinished)) for *values, unfinished in rows]

    def digesting(self, place: int) -> str:
        """Return a question for a number and a digest of the moves; NULL if there are none, or too many.

        Equal digests are equal moves, except for what an attempt keeps to be resumed. Moves are too many if they do not
        fit into the session's group_concat_max_len. Without a derived table: MariaDB would write each to the disk.
        """
        kept = "IF(direction IN ('up', 'down'), NULL, progress)"
        values = ", ".join(f"QUOTE({name})" for name in ("version", "direction", "leads_to", "checksum", kept))
        row = f"SHA2(CONCAT_WS(',', {values}, outcome <> 'applied'), 256)"
        sums = f"GROUP_CONCAT({row} ORDER BY id SEPARATOR '')"
        return (
            f"SELECT {place}, IF(LENGTH({sums}) = 64 * COUNT(*), SHA2({sums}, 256), NULL) FROM {self.table} WHERE "
            f"{_MOVES.format(table=self.table)}"
        )

    def last_id(self, now: bool = False) -> int:
        """Return the number of the newest row; 0 if there is none.

        :param now: of those that are committed, whatever the open transaction sees.
        """
        sharing = " LOCK IN SHARE MODE" if now else ""
        rows = self._session.query(f"SELECT id FROM {self.table} ORDER BY id DESC LIMIT 1{sharing}")
        return int(rows[0][0]) if rows else 0

    def insert(self, values: Mapping[str, Any]) -> str:
        """Return the statement that adds a row; what is not given is empty."""
        names, texts = list(values), [literal(value) for value in values.values()]
        if "last_insert_id" not in values:
            names, texts = ["last_insert_id", *names], [_NOW, *texts]
        return f"INSERT INTO {self.table} ({', '.join(names)}) VALUES ({', '.join(texts)})"

    def update(self, number: int, values: Mapping[str, Any]) -> str:
        """Return the statement that changes a row."""
        changes = [f"{name} = {literal(value)}" for name, value in values.items()]
        if "last_insert_id" not in values:
            changes = [f"last_insert_id = {_NOW}", *changes]
        return f"UPDATE {self.table} SET {', '.join(changes)} WHERE id = {number}"

    def forgetting(self, number: int) -> str:
        """Return the statement that empties what attempts before that row kept to be resumed; the run's number stays.

        Their checkpoints hold values and texts of the migrations, and servers quote texts in errors, of which the code
        stays.
        """
        return (
            f"UPDATE {self.table} SET progress = NULL, error = IF(error LIKE '(%', CONCAT(SUBSTRING_INDEX(error, ')', "
            f"1), ')'), IF(outcome = '{FAILED}', NULL, error)) WHERE id < {number} AND progress IS NOT NULL AND "
            f"direction IN ('up', 'down') AND progress NOT LIKE '{{\"run\":%'"
        )


def of_run(run: Optional[str]) -> Optional[str]:
    """Return what the column ``progress`` holds of an attempt that is over: nothing but the number of its run."""
    return None if run is None else f"{{{_mark(run)}}}"


def _mark(run: str) -> str:
    # As it is in the checkpoint, too.
    return f'"run":"{run}"'


def literal(value: Any) -> str:
    """Return a value as SQL that means the same in every sql_mode and character set."""
    if isinstance(value, str):
        return text_literal(value)
    return "NULL" if value is None else repr(value)


def read_progress(text: Optional[str]) -> dict[str, Any]:
    """Return the values of the column ``progress``.

    :raises Error: something else has written it.
    """
    try:
        values = json.loads(text or "{}")
    except ValueError:
        raise broken() from None
    if not isinstance(values, dict):
        raise broken()
    return values


def broken() -> Error:
    """Return what is said about a row that cannot have been written by us."""
    return Error(
        1622,
        "The history has a row that dbops.migrations did not write, or that was changed since. Restore the history "
        "table from a backup, or choose another history_table. Nothing was changed.",
    )
