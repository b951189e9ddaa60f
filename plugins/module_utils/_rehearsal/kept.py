# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The catalogue of what is kept of tables and columns that migrations destroyed. Private to the collection.

It is in a schema of its own, which may be that of several databases: a table for each thing that is kept,
``kept_NUMBER_TABLE``, and the catalogue ``dbops_kept`` that says what each is. A thing is kept if its row is ``ready``
and its table is there, and not before; so a row is written before its table is made, and deleted after that is gone.

A row is not ready while its copy is being made: nothing has been destroyed then, and the next run drops what there is
of it. That of a table which is to be renamed is ready before its migration begins. Whether the rename has been carried
out is seen by whether the table is there.

A run writes only rows of its own state table, of which it holds the lock. A row with ``what`` of ``step`` says which
migration was started last, and which statements of it may take something away.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence
from datetime import datetime, timezone
from typing import Any, NamedTuple, Optional

from .._core.errors import Error
from .._migration.report import count
from .._mysql.rights import account
from .._mysql.session import ServerError, Session
from .._mysql.statements import COMMIT, ROLLBACK, START_TRANSACTION, identifier, text_literal

TABLE = "dbops_kept"
STEP = "step"
RENAMED, COPIED = "renamed", "copied"
# What is done there: the rows of the catalogue, tables made, filled, renamed there and back, and dropped.
NEEDED = ("SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "DROP")
# No such schema, no such table.
_NOT_THERE = (1049, 1146)
_DENIED = (1044, 1142, 1143)
_NAME = 48
_STRANGE = re.compile(r"\W", re.ASCII)
_COLUMNS = {
    "id": "BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY",
    "from_schema": "VARCHAR(64) NOT NULL",
    "state_table": "VARCHAR(64) NOT NULL",
    "what": "VARCHAR(16) NOT NULL",
    "table_name": "VARCHAR(64) NOT NULL",
    "how": "VARCHAR(16) NOT NULL",
    "version": "BIGINT UNSIGNED NOT NULL",
    "direction": "VARCHAR(8) NOT NULL",
    "rows_kept": "BIGINT UNSIGNED NULL",
    "ready": "BOOLEAN NOT NULL",
    "made_at": "DATETIME NOT NULL",
    "ran_by": "VARCHAR(255) NOT NULL",
    "job": "VARCHAR(255) NULL",
    "details": "MEDIUMTEXT NOT NULL",
}


class Entry(NamedTuple):
    """A row of the catalogue.

    :param state_table: that of the migrations; those of another one in the same schema have another lock.
    :param what: table, rows, partition or columns; or step.
    :param table: its name before the migration.
    :param how: renamed or copied.
    :param rows: how many were copied; None for a table that was renamed.
    :param ready: see the file's docstring.
    :param made_at: UTC, without a time zone.
    :param details: ``columns``, ``key``, ``partitions``, ``now`` (what the table was called after the migration),
        ``statement`` (the digest of the one that drops it), ``definition``; ``since`` and ``suspects`` of a step.
    """

    id: int
    state_table: str
    what: str
    table: str
    how: str
    version: int
    direction: str
    rows: Optional[int]
    ready: bool
    made_at: datetime
    ran_by: str
    job: Optional[str]
    details: dict[str, Any]

    @property
    def name(self) -> str:
        """The name of the table in which it is kept, short enough for what a server adds to it."""
        return f"kept_{self.id}_{_STRANGE.sub('', self.table)}"[:_NAME]


class Kept(NamedTuple):
    """A thing that is kept.

    :param rows: how many, about, of a table that was renamed.
    :param bytes: how many it takes, with its indexes, about.
    """

    entry: Entry
    rows: Optional[int]
    bytes: int

    @property
    def days(self) -> int:
        """Its age."""
        return (datetime.now(timezone.utc).replace(tzinfo=None) - self.entry.made_at).days

    def result(self) -> dict[str, Any]:
        """Return it as a return value."""
        entry = self.entry
        return {
            "id": entry.id,
            "what": entry.what,
            "table": entry.table,
            "columns": entry.details["columns"],
            "partitions": entry.details["partitions"],
            "kept_as": entry.name,
            "how": entry.how,
            "version": entry.version,
            "direction": entry.direction,
            "rows": self.rows,
            "bytes": self.bytes,
            "kept_at": f"{entry.made_at.isoformat(timespec='seconds')}Z",
            "days": self.days,
            "ran_by": entry.ran_by,
            "job": entry.job,
        }


class Catalogue:
    """What is kept of the session's schema.

    :param session: one in which no migration runs.
    :param schema: where it is kept.
    """

    def __init__(self, session: Session, schema: str) -> None:
        self._session = session
        self.schema = schema
        self._table = f"{identifier(schema)}.{identifier(TABLE)}"
        self._own = f"from_schema = {text_literal(session.schema)}"

    def place(self, entry: Entry) -> str:
        """Return the quoted name of the table in which something is kept."""
        return f"{identifier(self.schema)}.{identifier(entry.name)}"

    def exists(self) -> bool:
        """Tell whether the catalogue is there.

        :raises Error: a table of that name is something else's, or the account may not read it.
        """
        try:
            self._session.query(f"SELECT 1 FROM {self._table} LIMIT 0")
        except ServerError as error:
            if error.code in _NOT_THERE:
                return False
            if error.code in _DENIED:
                raise self._denied(f"({error.code}) {error.reason}") from error
            raise
        rows = self._session.query(
            "SELECT LOWER(column_name) FROM information_schema.columns WHERE table_schema = %s AND table_name = %s",
            (self.schema, TABLE),
        )
        if {str(name) for (name,) in rows} != set(_COLUMNS):
            raise Error(
                2212,
                f"The table {TABLE} in {self.schema} is not a catalogue of dbops.migrations: it has other columns. It "
                "belongs to something else and is left alone; choose another schema for keep_destroyed. Nothing was "
                "changed.",
            )
        return True

    def check_rights(self) -> None:
        """Make sure that the account may keep tables there, as far as the server shows what it may.

        :raises Error: it may not.
        """
        held = account(self._session).rights(self.schema)
        if held is not None and "ALL PRIVILEGES" not in held.here:
            missing = [name for name in NEEDED if name not in held.here]
            if missing:
                raise self._denied(f"it lacks {', '.join(missing)} there")

    def _denied(self, why: str) -> Error:
        pattern = self.schema.replace("\\", "\\\\").replace("_", "\\_").replace("%", "\\%").replace("`", "``")
        return Error(
            2213,
            f"The account may not keep in {self.schema} (keep_destroyed) what migrations destroy: {why}. It needs "
            f"GRANT {', '.join(NEEDED)} ON `{pattern}`.* TO the account. Nothing was changed.",
        )

    def create(self) -> None:
        """Create the schema and the catalogue, unless they are there.

        :raises Error: the account may not, or a table of that name is something else's.
        """
        if self.exists():
            return
        columns = ", ".join(f"{name} {kind}" for name, kind in _COLUMNS.items())
        try:
            if not self._session.query(
                "SELECT 1 FROM information_schema.schemata WHERE schema_name = %s", (self.schema,)
            ):
                self._session.query(f"CREATE DATABASE IF NOT EXISTS {identifier(self.schema)}")
            self._session.query(
                f"CREATE TABLE IF NOT EXISTS {self._table} ({columns}, KEY (from_schema)) ENGINE=InnoDB "
                "CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
            )
        except ServerError as error:
            if error.code in _DENIED:
                raise self._denied(f"({error.code}) {error.reason}") from error
            raise

    def entries(self) -> list[Entry]:
        """Return all rows about the schema, the oldest first."""
        names = ", ".join(name for name in _COLUMNS if name != "from_schema")
        rows = self._session.query(f"SELECT {names} FROM {self._table} WHERE {self._own} ORDER BY id")
        found = [Entry(*row) for row in rows]
        return [entry._replace(ready=bool(entry.ready), details=json.loads(str(entry.details))) for entry in found]

    def kept(self) -> list[Kept]:
        """Return what is kept, the oldest first.

        :raises Error: the table that says so is something else's, or the account may not read it.
        """
        if not self.exists():
            return []
        sizes, found = self._sizes(), []
        for entry in self.entries():
            if entry.ready and entry.name.lower() in sizes:
                rows, size = sizes[entry.name.lower()]
                found.append(Kept(entry, rows if entry.rows is None else entry.rows, size))
        return found

    def _sizes(self) -> dict[str, tuple[Optional[int], int]]:
        """Return about how many rows and bytes each table has, by its name in small letters."""
        if self._session.has_stats_expiry:
            self._session.query("SET SESSION information_schema_stats_expiry = 0")
        rows = self._session.query(
            "SELECT table_name, table_rows, data_length + index_length FROM information_schema.tables "
            "WHERE table_schema = %s",
            (self.schema,),
        )
        return {str(name).lower(): (count, int(size or 0)) for name, count, size in rows}

    def add(self, entry: Entry) -> Entry:
        """Write a row that is not ready; return it with its number, whose table is not there."""
        values = {
            "from_schema": self._session.schema,
            "state_table": entry.state_table,
            "what": entry.what,
            "table_name": entry.table,
            "how": entry.how,
            "version": entry.version,
            "direction": entry.direction,
            "ran_by": entry.ran_by,
            "job": entry.job,
            "details": json.dumps(entry.details),
        }
        insert = (
            f"INSERT INTO {self._table} ({', '.join(values)}, ready, made_at) VALUES "
            f"({', '.join(map(_literal, values.values()))}, FALSE, UTC_TIMESTAMP())"
        )
        taken = self._sizes()
        while True:
            self._session.query(insert)
            [(number,)] = self._session.query("SELECT LAST_INSERT_ID()")
            added = entry._replace(id=int(number))
            if added.name.lower() not in taken:
                return added
            # Somebody has deleted the row of what is there.
            self.forget(added)

    def count(self, entry: Entry, rows: int) -> None:
        """Write how many rows were copied."""
        self._session.query(f"UPDATE {self._table} SET rows_kept = {rows} WHERE id = {entry.id}")

    def finish(self, step: Entry, entries: Collection[Entry]) -> None:
        """All is there that a migration needs: the rows are ready, and that of the migration is the only one.

        :raises Error: somebody has deleted a row meanwhile.
        """
        query, chosen = self._session.query, f"id IN ({', '.join(str(entry.id) for entry in (step, *entries))})"
        of_others = f"state_table = {text_literal(step.state_table)} AND what = '{STEP}' AND id <> {step.id}"
        query(START_TRANSACTION)
        query(f"DELETE FROM {self._table} WHERE {self._own} AND {of_others}")
        query(f"UPDATE {self._table} SET ready = TRUE WHERE {chosen}")
        [(found,)] = query(f"SELECT COUNT(*) FROM {self._table} WHERE {chosen}")
        if found != 1 + len(entries):
            query(ROLLBACK)
            raise Error(
                2214,
                f"Someone has removed from {self.schema} what was being kept (keep_destroyed). "
                f"{step.direction} {step.version} was not started. Find out what changes that schema. Run again.",
            )
        query(COMMIT)

    def forget(self, entry: Entry) -> None:
        """Delete a row, of which the table is gone."""
        self._session.query(f"DELETE FROM {self._table} WHERE id = {entry.id}")

    def drop(self, entry: Entry) -> None:
        """Drop a thing that is kept, or what there is of it."""
        if entry.what != STEP:
            self._session.query(f"DROP TABLE IF EXISTS {self.place(entry)}")
        self.forget(entry)

    def tidy(self, state_table: str) -> None:
        """Remove what is left of runs that were interrupted before their migration started."""
        for entry in self.entries():
            if entry.ready or entry.state_table != state_table:
                continue
            if entry.how == COPIED:
                self.drop(entry)
            else:
                self.forget(entry)


def summary(kept: Sequence[Kept]) -> str:
    """Describe how much is kept."""
    return f"{count(len(kept), 'item')} kept, {sum(item.bytes for item in kept) / 1e6:,.1f} MB"


def _literal(value: Any) -> str:
    if isinstance(value, str):
        return text_literal(value)
    return "NULL" if value is None else str(value)
