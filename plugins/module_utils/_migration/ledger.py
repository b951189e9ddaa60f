# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""golang-migrate's state table, read and written exactly as golang-migrate does. Private to the collection.

Source: golang-migrate v4.19.1, database/mysql/mysql.go (ensureVersionTable, Version, SetVersion).
"""

from __future__ import annotations

from contextlib import suppress
from typing import Optional

from .._core.errors import Error
from .._mysql.session import ServerError, Session
from .plan import State

# golang-migrate's number for "nothing is applied".
_NIL = -1


class Ledger:
    """The state table of one database.

    :param table: its name, ``schema_migrations`` unless the user chose another.
    """

    def __init__(self, session: Session, table: str) -> None:
        self._session = session
        self._table = table
        self._quoted = "`" + table.replace("`", "``") + "`"

    def read(self) -> State:
        """Return what the table says; a table that is not there says that nothing is applied.

        :raises Error: a table of that name has another shape, or more than one row.
        """
        if not self._exists():
            return State(None, False)
        rows = self._session.query(f"SELECT version, dirty FROM {self._quoted} LIMIT 2")
        if len(rows) > 1:
            raise Error(
                f"The state table {self._table} in {self._session.database} has more than one row; golang-migrate "
                "keeps one at most. Look at the rows and delete the wrong ones. Nothing was changed."
            )
        if not rows:
            return State(None, False)
        version, dirty = rows[0]
        return State(None if version == _NIL else version, bool(dirty))

    def ensure(self) -> None:
        """Create the table unless it is there."""
        if not self._exists():
            self._session.query(
                f"CREATE TABLE {self._quoted} (version bigint not null primary key, dirty boolean not null)"
            )

    def write(self, version: Optional[int], dirty: bool) -> None:
        """Replace the row in one transaction, sent as one packet.

        A clean state of None is an empty table; a dirty one is a row of -1.
        """
        number = _NIL if version is None else version
        insert = (
            ""
            if number < 0 and not dirty
            else f"INSERT INTO {self._quoted} (version, dirty) VALUES ({number}, {dirty:d});"
        )
        try:
            self._session.execute(
                "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE; START TRANSACTION; "
                f"DELETE FROM {self._quoted} LIMIT 1; {insert} COMMIT".encode()
            )
        except ServerError:
            with suppress(ServerError):
                self._session.query("ROLLBACK")
            raise

    def _exists(self) -> bool:
        """Tell whether the table is there.

        :raises Error: it is, but is not golang-migrate's.
        """
        columns = self._session.query(
            "SELECT LOWER(column_name), LOWER(data_type) FROM information_schema.columns "
            "WHERE table_schema = DATABASE() AND table_name = %s",
            (self._table,),
        )
        if columns and {name: kind.endswith("int") for name, kind in columns} != {"version": True, "dirty": True}:
            names = ", ".join(f"{name} {kind}" for name, kind in columns)
            raise Error(
                f"The table {self._table} in {self._session.database} is not golang-migrate's state table: it has the "
                f"columns {names}, not version and dirty. It belongs to something else and is left alone; "
                "choose another migrations_table."
            )
        return bool(columns)
