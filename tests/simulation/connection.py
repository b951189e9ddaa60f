# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A connection to a simulated server: the rules of transactions, implicit commits, table locks and XA.

Sources: MySQL reference manual, "Statements That Cause an Implicit Commit", "LOCK TABLES and UNLOCK TABLES",
"XA Transaction States", "SET TRANSACTION", "InnoDB Error Handling".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, Optional

from .own_sql import compile_own
from .sql import compile_statement
from .storage import Program, Server, SqlError, Table

DEADLOCK = 1213
_DEFAULT_LEVEL = "REPEATABLE READ"
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


class Connection:
    """One connection.

    :ivar text: the statement of a file that is being carried out; empty for any other.
    :ivar running: the statement that is being carried out.
    :ivar once: what holds for the next transaction only.
    :ivar locked: the tables that LOCK TABLES named, and how; None without.
    :ivar xa: name and state of an XA transaction.
    :ivar inside: how many triggers and functions are running.
    :ivar written: what the open transaction has written: ``kept``, ``lasting``.
    """

    def __init__(self, server: Server, schema: str) -> None:
        server.last_id += 1
        self.server, self.schema, self.id = server, schema, server.last_id
        server.connections[self.id] = self
        self.alive = True
        self.text = self.running = ""
        self.autocommit, self.explicit, self.registered = True, False, False
        self.once: Optional[str] = None
        self.level = _DEFAULT_LEVEL
        self.locked: Optional[dict[tuple[str, str], str]] = None
        self.xa: Optional[tuple[str, str]] = None
        self.undo: list[tuple[Any, Any, Any]] = []
        self.savepoints: dict[str, int] = {}
        self.temporary: dict[tuple[str, str], Table] = {}
        self.variables: dict[str, Any] = {}
        self.settings = {**_SETTINGS, "sql_mode": server.settings["sql_mode"]}
        self.settings["group_concat_max_len"] = 1 << 20 if server.mariadb else 1024
        self.statements: dict[str, str] = {}
        self.row_count, self.last_insert_id = -1, 0
        self.inside = 0
        self.marks: list[int] = []
        self.environment: list[dict[str, Any]] = [{}]
        self.written: set[str] = set()

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return self.explicit or self.xa is not None or (not self.autocommit and self.registered)

    # -- transactions -------------------------------------------------------------------------------------------------

    def begin(self, read_only: bool = False) -> None:
        """START TRANSACTION."""
        self.commit_first()
        self.locked = None
        self.explicit = True
        self.level = "READ ONLY" if read_only else self.once or _DEFAULT_LEVEL
        self.once = None

    def commit(self) -> None:
        """End the transaction, and keep what it did."""
        self._refuse_in_xa()
        self._close()

    def _close(self) -> None:
        for thing, _key, _old in self.undo:
            if isinstance(thing, Table):
                thing.updated = int(self.server.now)
        self._forget()

    def _forget(self) -> None:
        self.undo.clear()
        self.savepoints.clear()
        self.written.clear()
        self.marks = [0] * len(self.marks)
        self.explicit = self.registered = False
        self.level = _DEFAULT_LEVEL
        self.once = None

    def commit_first(self) -> None:
        """What many statements do before anything else."""
        if self.inside:
            raise SqlError(1422, "Explicit or implicit commit is not allowed in stored function or trigger.")
        self._refuse_in_xa()
        if self.in_transaction:
            self._close()

    def rollback(self) -> None:
        """End the transaction, and undo what it did."""
        self._refuse_in_xa()
        self._undo_to(0)
        self._forget()

    def _refuse_in_xa(self) -> None:
        if self.xa is not None:
            raise SqlError(1399, "XAER_RMFAIL: The command cannot be executed when global transaction is open")

    def _undo_to(self, mark: int) -> None:
        while len(self.undo) > mark:
            undo(self.undo.pop())

    def savepoint(self, name: str) -> None:
        """SAVEPOINT; without a transaction it holds for nothing."""
        self.refuse_if_busy()
        self.savepoints.pop(name, None)
        if self.in_transaction or not self.autocommit:
            self.savepoints[name] = len(self.undo)

    def rollback_to(self, name: str) -> None:
        """ROLLBACK TO SAVEPOINT."""
        if name not in self.savepoints:
            raise SqlError(1305, f"SAVEPOINT {name} does not exist")
        self._undo_to(self.savepoints[name])
        later = list(self.savepoints)[list(self.savepoints).index(name) + 1 :]
        for gone in later:
            del self.savepoints[gone]

    def set_autocommit(self, on: bool) -> None:
        """SET autocommit; switching it on commits."""
        if self.inside:
            raise SqlError(1445, "Not allowed to set autocommit from a stored function or trigger")
        if on and not self.autocommit:
            self.commit_first()
        self.autocommit = on

    def set_once(self, what: str) -> None:
        """SET TRANSACTION."""
        if self.in_transaction:
            raise SqlError(1568, "Transaction characteristics can't be changed while a transaction is in progress")
        self.once = what

    # -- XA -----------------------------------------------------------------------------------------------------------

    def xa_start(self, name: str) -> None:
        """XA START."""
        if self.xa is not None:
            raise SqlError(1399, "XAER_RMFAIL")
        if self.in_transaction or self.locked is not None:
            raise SqlError(1400, "XAER_OUTSIDE: Some work is done outside global transaction")
        if name in self.server.prepared:
            raise SqlError(1440, "XAER_DUPID: The XID already exists")
        self.xa = name, "ACTIVE"
        self.level = self.once or _DEFAULT_LEVEL
        self.once = None

    def xa_move(self, name: str, before: str, after: str) -> None:
        """XA END, XA PREPARE."""
        if self.xa != (name, before):
            raise SqlError(1399, "XAER_RMFAIL")
        self.xa = name, after
        if after == "PREPARED":
            self.server.prepared[name] = list(self.undo)
            if not self.server.mariadb:
                # MySQL, xa_detach_on_prepare: any connection may end it now.
                self.undo.clear()
                self.xa = None
                self._forget()

    def xa_end(self, name: str, keep: bool, one_phase: bool = False) -> None:
        """XA COMMIT, XA ROLLBACK."""
        if self.xa is None:
            if one_phase and self.in_transaction:
                raise SqlError(1400 if self.server.mariadb else 1399, "XAER_OUTSIDE")
            if name not in self.server.prepared or one_phase:
                raise SqlError(1397, "XAER_NOTA: Unknown XID")
            entries = self.server.prepared.pop(name)
            if not keep:
                for entry in reversed(entries):
                    undo(entry)
            return
        state = "IDLE" if one_phase or not keep else "PREPARED"
        if self.xa[0] != name or (self.xa[1] not in (state, "PREPARED") and keep) or self.xa[1] == "ACTIVE":
            raise SqlError(1399, "XAER_RMFAIL")
        self.server.prepared.pop(name, None)
        self.xa = None
        if not keep:
            self._undo_to(0)
        self._close()

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
                self._undo_to(0)
                if self.xa is None:
                    self._forget()
                else:
                    self.xa = self.xa[0], "ROLLBACK ONLY"
            else:
                self._undo_to(self.marks[-1])
            self._leave(touched)
            raise
        finally:
            self.marks.pop()
        self._leave(touched)
        return rows

    def _leave(self, touched: bool) -> None:
        if self.registered and not self.inside and not self.in_transaction:
            self._close()

    def passed(self) -> None:
        """A statement of a procedure is done: what fails after it leaves it as it is."""
        self.marks[-1] = len(self.undo)

    def refuse_if_busy(self) -> None:
        """Statements that neither write nor read are possible at any time; others not in an XA transaction's end."""
        if self.xa is not None and self.xa[1] != "ACTIVE":
            raise SqlError(1399, "XAER_RMFAIL")

    # -- tables -------------------------------------------------------------------------------------------------------

    def split(self, name: str) -> tuple[str, str]:
        """Return the schema and the name of an object."""
        schema, _dot, plain = name.replace("`", "").rpartition(".")
        return schema or self.schema, plain

    def exists(self, name: str) -> None:
        """Refuse a table that is not there."""
        key = self.split(name)
        if key not in self.temporary and self.server.find(key[0], "TABLE", key[1]) is None:
            raise SqlError(1146, f"Table '{key[0]}.{key[1]}' doesn't exist")

    def table(self, name: str, write: bool) -> Table:
        """Return the table that a statement reads or writes, by way of a view if the name is one's.

        :raises SqlError: there is none, or LOCK TABLES does not let it.
        """
        self.refuse_if_busy()
        key = self.split(name)
        found = self.temporary.get(key) or self.server.find(key[0], "TABLE", key[1])
        if self.locked is not None and key not in self.temporary and not self.inside and key[0] != "performance_schema":
            how = self.locked.get(key)
            if how is None:
                raise SqlError(1100, f"Table '{key[1]}' was not locked with LOCK TABLES")
            if write and how != "WRITE":
                raise SqlError(1099, f"Table '{key[1]}' was locked with a READ lock and can't be updated")
        if found is None:
            raise SqlError(1146, f"Table '{key[0]}.{key[1]}' doesn't exist")
        if isinstance(found, Program):
            locked, self.locked = self.locked, None
            try:
                return self.table(f"{found.schema}.{found.text}" if "." not in found.text else found.text, write)
            finally:
                self.locked = locked
        if write and key not in self.temporary and (self.level == "READ ONLY" or self.once == "READ ONLY"):
            raise SqlError(1792, "Cannot execute statement in a READ ONLY transaction.")
        if found.transactional:
            self.registered = True
        return found

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

    def define(self, change: Callable[[], None], *tables: str, broken: Optional[Callable[[], None]] = None) -> None:
        """Carry DDL out, which commits before it does anything.

        :param tables: those that LOCK TABLES must have locked.
        :param broken: what is left when a server without atomic DDL dies in the middle.
        """
        self.commit_first()
        if self.locked is not None:
            for name in tables:
                if self.locked.get(self.split(name)) != "WRITE":
                    raise SqlError(1100, f"Table '{name}' was not locked with LOCK TABLES")
        self._broken = broken
        self.server.point("define", self)
        self._broken = None
        change()
        self.once = None
        self.row_count = 0
        self.lasts()

    _broken: Optional[Callable[[], None]] = None

    def dies_inside(self) -> None:
        """The server dies in the middle of a definition; without atomic DDL something is left of it."""
        if self._broken is not None and not self.server.atomic:
            self._broken()

    def lock_tables(self, tables: dict[str, str]) -> None:
        """LOCK TABLES."""
        self.commit_first()
        self.locked = None
        found = {}
        for name, how in tables.items():
            key = self.split(name)
            table = self.server.find(key[0], "TABLE", key[1])
            if table is None:
                raise SqlError(1146, f"Table '{name}' doesn't exist")
            found[key] = how
            self.registered |= isinstance(table, Table) and table.transactional
        self.locked = found

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
            self._undo_to(0)
        self.xa = None
        self._forget()
        self.temporary.clear()
        self.server.connections.pop(self.id, None)
        for name, (holder, _count) in list(self.server.locks.items()):
            if holder == self.id:
                self.server.unlock(name, self.id, entirely=True)


def undo(entry: tuple[Any, Any, Any]) -> None:
    """Take one change back."""
    thing, before, after = entry
    if not isinstance(thing, Table):
        thing[before] = after
    elif thing.rows is after:
        thing.rows = before
    else:
        # Somebody else has written since, which is possible behind XA PREPARE.
        came, went = Counter(map(repr, after)), Counter(map(repr, before))
        gone = came - went
        rows = []
        for row in thing.rows:
            if gone[repr(row)] > 0:
                gone[repr(row)] -= 1
            else:
                rows.append(row)
        thing.rows = rows + [row for row in before if repr(row) in went - came]


def compiled(text: str) -> Callable[[Connection], Optional[list[tuple[Any, ...]]]]:
    """Return what carries a statement out: one of the engine's, or one of a file."""
    return compile_own(text) or compile_statement(text)
