# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A connection to a simulated server: statements, tables and their locks.

Sources: MySQL reference manual, "LOCK TABLES and UNLOCK TABLES", "InnoDB Error Handling".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Optional

from .own_sql import compile_own
from .sql import compile_statement
from .storage import Program, Server, SqlError, Table
from .transactions import Transactions

DEADLOCK = 1213
_SETTINGS: dict[str, Any] = {
    "character_set_client": "utf8mb4",
    "character_set_results": "utf8mb4",
    "character_set_connection": "utf8mb4",
    "collation_connection": "utf8mb4_general_ci",
    "lock_wait_timeout": 86400,
    "binlog_format": "ROW",
    "transaction_isolation": "REPEATABLE-READ",
    "tx_isolation": "REPEATABLE-READ",
    "max_allowed_packet": 1 << 24,
}


class Connection(Transactions):
    """One connection.

    :ivar text: the statement of a file that is being carried out; empty for any other.
    :ivar running: the statement that is being carried out.
    """

    def __init__(self, server: Server, schema: str) -> None:
        super().__init__(server)
        server.last_id += 1
        self.schema, self.id = schema, server.last_id
        server.connections[self.id] = self
        self.alive = True
        self.text = self.running = ""
        self.temporary: dict[tuple[str, str], Table] = {}
        self.variables: dict[str, Any] = {}
        self.settings = {**_SETTINGS, "sql_mode": server.settings["sql_mode"]}
        self.settings["group_concat_max_len"] = 1 << 20 if server.mariadb else 1024
        self.statements: dict[str, str] = {}
        # That of the login, which both servers count as a statement.
        self.row_count, self.last_insert_id = 0, 0
        self.environment: list[dict[str, Any]] = [{}]
        self._broken: Optional[Callable[[], None]] = None

    # -- statements ---------------------------------------------------------------------------------------------------

    def run(self, text: str) -> Optional[list[tuple[Any, ...]]]:
        """Carry a statement out; return its rows, None if it is of a kind that has none.

        :raises SqlError: it is refused.
        """
        self.server.now += 0.0005
        self.marks.append(len(self.undo))
        touched = self.registered
        try:
            rows = compiled(text)(self)
        except SqlError as error:
            self.row_count = -1
            if error.code == DEADLOCK:
                self.undo_to(0)
                if self.xa is None:
                    self.forget()
                else:
                    self.xa = self.xa[0], "ROLLBACK ONLY"
            else:
                self.undo_to(self.marks[-1])
            self._leave(touched)
            raise
        finally:
            self.marks.pop()
        self._leave(touched)
        return rows

    def _leave(self, touched: bool) -> None:
        if self.registered and not self.inside and not self.in_transaction:
            self.close()

    def passed(self) -> None:
        """A statement of a procedure is done: what fails after it leaves it as it is."""
        self.marks[-1] = len(self.undo)

    # -- tables -------------------------------------------------------------------------------------------------------

    def split(self, name: str) -> tuple[str, str]:
        """Return the schema and the name of an object."""
        schema, _dot, plain = name.replace("`", "").rpartition(".")
        return schema or self.schema, plain

    def open_to_prepare(self, name: str, there: bool) -> None:
        """Refuse a table that is not there if it must be, or that LOCK TABLES has not locked in any way."""
        self.refuse_if_busy()
        key = self.split(name)
        self._refuse_unlocked(key, write=False)
        if there and key not in self.temporary and self.server.find(key[0], "TABLE", key[1]) is None:
            raise SqlError(1146, f"Table '{key[0]}.{key[1]}' doesn't exist")

    def table(self, name: str, write: bool) -> Table:
        """Return the table that a statement reads or writes, by way of a view if the name is one's.

        :raises SqlError: there is none, or LOCK TABLES does not let it.
        """
        self.refuse_if_busy()
        key = self.split(name)
        found = self.temporary.get(key) or self.server.find(key[0], "TABLE", key[1])
        self._refuse_unlocked(key, write)
        if found is None:
            raise SqlError(1146, f"Table '{key[0]}.{key[1]}' doesn't exist")
        if isinstance(found, Program):
            locked, self.locked = self.locked, None
            try:
                return self.table(".".join(found.shows), write)
            finally:
                self.locked = locked
        if write and key not in self.temporary and (self.level == "READ ONLY" or self.once == "READ ONLY"):
            raise SqlError(1792, "Cannot execute statement in a READ ONLY transaction.")
        if found.transactional:
            self.registered = True
        return found

    def _refuse_unlocked(self, key: tuple[str, str], write: bool) -> None:
        """Refuse a table that LOCK TABLES has not locked, or not so."""
        if self.locked is None or key in self.temporary or key[0] == "performance_schema":
            return
        how = self.locked.get(key)
        if how is None:
            raise SqlError(1100, f"Table '{key[1]}' was not locked with LOCK TABLES")
        if write and how != "WRITE":
            raise SqlError(1099, f"Table '{key[1]}' was locked with a READ lock and can't be updated")

    def open_for(self, program: Program) -> None:
        """Open what a trigger or a function writes, as servers do before they carry anything of the statement out."""
        if self.locked is not None:
            for key in program.written:
                self._refuse_unlocked(key, write=True)

    def put(self, table: Table, rows: list[Any]) -> None:
        """Replace a table's rows: one row comes, goes, or becomes another."""
        self.server.point("row" if table.transactional else "raw row", self)
        server = self.server
        if table.transactional:
            self.undo.append((table, table.rows, rows))
            if self.text and self._is_lasting(table):
                self.undo.append((server.kept, self.text, server.kept.get(self.text, 0)))
                server.kept[self.text] = server.kept.get(self.text, 0) + 1
                server.levels[self.text] = self.once or self.level
                came = server.came.get(self.text, ())
                self.undo.append((server.came, self.text, came))
                server.came[self.text] = (*came, (table, table.rows, rows))
            self.written.add("kept")
        else:
            self.lasts(table)
            self.written.add("lasting")
            if self.text:
                server.came[self.text] = (*server.came.get(self.text, ()), (table, table.rows, rows))
            table.updated = int(server.now)
        table.rows = rows

    def _is_lasting(self, table: Table) -> bool:
        return (table.schema, table.name) not in self.temporary

    def lasts(self, table: Optional[Table] = None) -> None:
        """What is being done cannot be undone by a rollback."""
        if self.text and (table is None or self._is_lasting(table)):
            self.server.lasting[self.text] = self.server.lasting.get(self.text, 0) + 1

    def define(self, change: Callable[[], None], broken: Optional[Callable[[], None]] = None) -> None:
        """Carry DDL out, which commits before it does anything.

        :param broken: what is left when a server without atomic DDL dies in the middle.
        """
        self.commit_first()
        self._broken = broken
        self.server.point("define", self)
        self._broken = None
        change()
        self.once = None
        self.row_count = 0
        self.lasts()

    def open_to_define(self, *tables: str) -> None:
        """Commit, and then refuse what LOCK TABLES has not locked, which comes before what else is wrong."""
        self.commit_first()
        for name in tables:
            self._refuse_unlocked(self.split(name), write=True)

    def refuse_under_lock(self) -> None:
        """Commit, and then refuse what cannot be done under LOCK TABLES at all."""
        self.commit_first()
        if self.locked is not None:
            raise SqlError(1192, "Can't execute the given command because you have active locked tables")

    def lock_goes(self, schema: str, name: str) -> None:
        """A locked table is no more; with the last one LOCK TABLES holds no longer."""
        if self.locked is not None and self.locked.pop((schema, name), None) is not None and not self.locked:
            self.locked = None

    def lock_moves(self, old: tuple[str, str], new: tuple[str, str]) -> None:
        """A locked table has another name: MySQL's lock goes with it, MariaDB's is lost, and the others still hold."""
        if self.locked is not None and old in self.locked:
            how = self.locked.pop(old)
            if not self.server.mariadb:
                self.locked[new] = how

    def dies_inside(self) -> None:
        """The server dies in the middle of a definition; without atomic DDL something is left of it."""
        if self._broken is not None and not self.server.atomic:
            self._broken()

    def lock_tables(self, tables: dict[str, str]) -> None:
        """LOCK TABLES."""
        self.commit_first()
        self.locked = None
        found: dict[tuple[str, str], str] = {}
        for name, how in tables.items():
            key = self.split(name)
            if self.server.find(key[0], "TABLE", key[1]) is None:
                raise SqlError(1146, f"Table '{name}' doesn't exist")
            self._lock_table(key, how, found)
        self.locked = found

    def _lock_table(self, key: tuple[str, str], how: str, found: dict[tuple[str, str], str]) -> None:
        """Lock a table, and what a view shows and triggers write that are there now."""
        table = self.server.find(key[0], "TABLE", key[1])
        if table is None or found.get(key) in (how, "WRITE"):
            return
        found[key] = how
        if isinstance(table, Program):
            self._lock_table(table.shows, how, found)
            return
        self.registered |= table.transactional
        if how == "WRITE":
            for trigger in self.server.triggers(table):
                for written in trigger.written:
                    self._lock_table(written, how, found)

    def unlock_tables(self) -> None:
        """UNLOCK TABLES; commits if there were any."""
        if self.locked is not None:
            self.commit_first()
            self.locked = None

    def end(self) -> None:
        """Close the connection: what is open is undone, what belongs to it goes."""
        if not self.alive:
            return
        self.alive = False
        if self.xa is None or self.xa[1] != "PREPARED":
            self.undo_to(0)
        self.xa = None
        self.forget()
        self.temporary.clear()
        self.server.connections.pop(self.id, None)
        for name, (holder, _count) in list(self.server.locks.items()):
            if holder == self.id:
                self.server.unlock(name, self.id, entirely=True)


def compiled(text: str) -> Callable[[Connection], Optional[list[tuple[Any, ...]]]]:
    """Return what carries a statement out: one of the engine's, or one of a file."""
    return compile_own(text) or compile_statement(text)
