# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""golang-migrate's state table, read and written exactly as golang-migrate does. Private to the collection.

Source: golang-migrate v4.19.1, database/mysql/mysql.go (ensureVersionTable, Version, SetVersion).
"""

from __future__ import annotations

from typing import Optional

from ..._core.errors import Error
from ..._mysql.session import ServerError, Session
from ..._mysql.statements import identifier
from ..model import State

# Seconds that a server takes at most to undo what was open when it was killed.
_RECOVERY = 5
# golang-migrate's number for "nothing is applied".
_NIL = -1


class StateTable:
    """The state table of one database.

    :param table: its name, ``schema_migrations`` unless the user chose another.
    """

    def __init__(self, session: Session, table: str) -> None:
        self._session = session
        self._table = table
        self._quoted = identifier(table)
        # A migration may have left the schema, by USE.
        self._qualified = f"{identifier(session.schema)}.{self._quoted}"
        self._found = False

    def read(self, now: bool = False) -> State:
        """Return what the table says; a table that is not there says that nothing is applied.

        :param now: what is committed, whatever the open transaction sees.
        :raises Error: a table of that name has another shape, or more than one row.
        """
        if not self._exists():
            return State(None, False)
        sharing = " LOCK IN SHARE MODE" if now else ""
        rows = self._session.query(f"SELECT version, dirty FROM {self._qualified} LIMIT 2{sharing}")
        if len(rows) > 1:
            raise Error(
                1617,
                f"The state table {self._table} in {self._session.database} has more than one row; golang-migrate "
                "keeps one at most. Look at the rows and delete the wrong ones. Nothing was changed.",
            )
        if not rows:
            return State(None, False)
        return as_state(*rows[0])

    def ensure(self) -> None:
        """Create the table unless it is there, or was when it was last looked for.

        :raises Error: the server refuses.
        """
        if self._found or self._exists():
            return
        try:
            self._session.query(
                f"CREATE TABLE {self._quoted} (version bigint not null primary key, dirty boolean not null)"
            )
        except ServerError as error:
            if error.lost:
                raise
            raise Error(
                1618,
                f"The state table {self._table} could not be created: ({error.code}) {error.reason}. Let the account "
                f"create tables: GRANT CREATE ON {identifier(self._session.schema)}.* TO the account. Nothing was run.",
                error_code=error.code,
            ) from error

    def is_transactional(self) -> bool:
        """Tell whether what is written to the table is undone with its transaction."""
        rows = self._session.query(
            "SELECT e.transactions = 'YES' FROM information_schema.tables t JOIN information_schema.engines e "
            "ON e.engine = t.engine WHERE t.table_schema = %s AND t.table_name = %s",
            (self._session.schema, self._table),
        )
        return rows == [(1,)]

    def writing(self, state: State) -> list[str]:
        """Return the statements that replace the row.

        A clean state of None is an empty table; a dirty one is a row of -1.
        """
        number = _NIL if state.version is None else state.version
        delete = f"DELETE FROM {self._qualified} LIMIT 1"
        if number < 0 and not state.dirty:
            return [delete]
        return [delete, f"INSERT INTO {self._qualified} (version, dirty) VALUES ({number}, {state.dirty:d})"]

    def written_at(self) -> Optional[int]:
        """Return when somebody last wrote to the table, in seconds since 1970 of the server's clock.

        None if the server does not know: it forgets when it is stopped, and its recovery writes, too.
        """
        if self._session.has_stats_expiry:
            # MySQL shows figures of yesterday otherwise.
            self._session.query("SET SESSION information_schema_stats_expiry = 0")
        [(now, written)] = self._session.query(
            "SELECT UNIX_TIMESTAMP(SYSDATE()), MAX(UNIX_TIMESTAMP(update_time)) FROM information_schema.tables "
            "WHERE table_schema = %s AND table_name = %s",
            (self._session.schema, self._table),
        )
        # Nothing comes back when a migration has set sql_select_limit to 0.
        uptime = sum(int(value) for _name, value in self._session.query("SHOW GLOBAL STATUS LIKE 'Uptime'"))
        if written is None or int(written) < int(now) - uptime + _RECOVERY:
            return None
        return int(written)

    def _exists(self) -> bool:
        """Tell whether the table is there.

        :raises Error: it is, but is not golang-migrate's.
        """
        columns = self._session.query(
            "SELECT LOWER(column_name), LOWER(data_type), is_nullable = 'YES' OR column_default IS NOT NULL OR "
            "extra <> '' FROM information_schema.columns WHERE table_schema = %s AND table_name = %s",
            (self._session.schema, self._table),
        )
        kinds = {name: kind for name, kind, _optional in columns}
        ours = all(kinds.get(name, "").endswith("int") for name in ("version", "dirty"))
        # golang-migrate leaves the others to their defaults, too.
        fits = all(optional for name, _kind, optional in columns if name not in ("version", "dirty"))
        if columns and not (ours and fits):
            names = ", ".join(f"{name} {kind}" for name, kind in kinds.items())
            raise Error(
                1619,
                f"The table {self._table} in {self._session.database} is not golang-migrate's state table: it has the "
                f"columns {names}; it should have version and dirty, and no other column without a default. It "
                f"belongs to {_owner(self._table, kinds)} and is left alone; choose another migrations_table.",
            )
        self._found = bool(columns)
        return self._found


def as_state(version: int, dirty: int) -> State:
    """Return what a row of the table says."""
    return State(None if version == _NIL else version, bool(dirty))


def _owner(table: str, columns: dict[str, str]) -> str:
    # Next to no table is somebody else's.
    from .foreign_table import recognised  # noqa: PLC0415

    found = recognised({table: columns})
    return found[0].tool.name if found else "something else"
