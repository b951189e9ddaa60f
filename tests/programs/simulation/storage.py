# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a simulated server keeps: its tables, other objects, named locks, clock, and what really took effect."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Optional

SCHEMA = "app"
OTHER = "other"
# The connection of somebody else, who holds a lock.
STRANGER = 1
Key = tuple[str, str, str]
_WRITES = re.compile(r"INSERT INTO ([\w.`$]+)", re.IGNORECASE)


class SqlError(Exception):
    """What the server answers to a statement that it refuses.

    :param code: the server's error code.
    """

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class Unknown(Exception):
    """The simulation does not know a statement; nothing is said about the engine."""


class Table:
    """A table. ``rows`` is replaced, never changed in place, so that a copy costs nothing."""

    __slots__ = ("columns", "engine", "identity", "indexes", "name", "rows", "schema", "updated")

    def __init__(self, schema: str, name: str, engine: str = "InnoDB", columns: Sequence[str] = ("v",)) -> None:
        self.schema, self.name, self.engine = schema, name, engine
        self.columns = tuple(columns)
        self.indexes: tuple[str, ...] = ()
        self.rows: list[Any] = []
        self.identity = 0
        self.updated: Optional[int] = None

    @property
    def transactional(self) -> bool:
        """Whether a rollback takes its rows back."""
        return self.engine == "InnoDB"

    def copy(self) -> Table:
        """Return another table with the same content."""
        other = Table.__new__(Table)
        name: str
        for name in Table.__slots__:
            setattr(other, name, getattr(self, name))
        return other

    def definition(self) -> str:
        """Return what SHOW CREATE says."""
        parts = [f"`{name}` int" for name in self.columns] + [f"KEY `{name}`" for name in self.indexes]
        return f"CREATE TABLE `{self.name}` (\n  {', '.join(parts)}\n) ENGINE={self.engine}"


class Program:
    """A view, trigger, routine or event.

    :param text: its body, or the table that a view shows.
    :param on: the trigger's table.
    :param parameters: those of a routine.
    """

    __slots__ = ("name", "on", "parameters", "schema", "sort", "text")

    def __init__(
        self, schema: str, sort: str, name: str, text: str, on: str = "", parameters: Sequence[str] = ()
    ) -> None:
        self.schema, self.sort, self.name, self.text = schema, sort, name, text
        self.on, self.parameters = on, tuple(parameters)

    @property
    def shows(self) -> tuple[str, str]:
        """The table that a view shows: its schema, and its name."""
        return self._key(self.text)

    @property
    def written(self) -> list[tuple[str, str]]:
        """The tables that a body writes."""
        return [self._key(name) for name in _WRITES.findall(self.text)]

    def _key(self, name: str) -> tuple[str, str]:
        schema, _dot, plain = name.replace("`", "").rpartition(".")
        return schema or self.schema, plain

    def definition(self) -> str:
        """Return what SHOW CREATE says."""
        return f"CREATE {self.sort} `{self.name}` {self.on} ({', '.join(self.parameters)}) {self.text}"


class Server:
    """A server with two schemas.

    :param version: as a number, 101119 for 10.11.19.
    :param atomic: whether DDL is carried out as a whole or not at all.
    :param tracks: whether it tells its client what a statement changed in the session.
    :ivar kept: how often each statement of a file has written in a transaction, as far as that is committed or open.
    :ivar lasting: how often each statement of a file has done what no rollback takes back.
    :ivar came: the rows that each of them has brought: the table, its rows before, and after.
    :ivar levels: in which isolation level each statement wrote.
    :ivar point: is notified of every point at which something may go wrong.
    :ivar trespass: the statements that were sent while somebody else held the lock, or after a take-over.
    :ivar taken_over: somebody has set another version while the lock was free.
    :ivar thief: what somebody else does with a lock that has been released, if there is anybody.
    """

    def __init__(self, mariadb: bool, version: int, atomic: bool = True, tracks: bool = True) -> None:
        self.mariadb, self.version, self.atomic, self.tracks = mariadb, version, atomic, tracks
        self.objects: dict[Key, Any] = {}
        self.settings: dict[str, Any] = {
            "max_connect_errors": 100, "sql_mode": "STRICT_TRANS_TABLES", "log_bin": 0,
            "enforce_gtid_consistency": "OFF",
        }  # fmt: skip
        self.accounts: dict[str, tuple[str, ...]] = {}
        self.locks: dict[str, tuple[int, int]] = {}
        self.prepared: dict[str, list[Any]] = {}
        self.kept: dict[str, int] = {}
        self.lasting: dict[str, int] = {}
        self.came: dict[str, tuple[Any, ...]] = {}
        self.levels: dict[str, str] = {}
        self.now, self.started = 1_800_000_000.0, 1_799_000_000.0
        self.last_id = STRANGER
        self.last_identity = 0
        self.connections: dict[int, Any] = {}
        self.point: Callable[[str, Any], None] = _nothing
        self.thief: Optional[Callable[[str], None]] = None
        self.trespass: list[str] = []
        self.taken_over = False

    @property
    def version_text(self) -> str:
        """The version as the server writes it."""
        number = f"{self.version // 10000}.{self.version // 100 % 100}.{self.version % 100}"
        return f"{number}-MariaDB" if self.mariadb else number

    def copy(self) -> Server:
        """Return another server with the same content, and nobody connected."""
        other = Server(self.mariadb, self.version, self.atomic, self.tracks)
        other.objects = {
            key: thing.copy() if isinstance(thing, Table) else thing for key, thing in self.objects.items()
        }
        other.settings, other.accounts = dict(self.settings), dict(self.accounts)
        other.kept, other.lasting, other.levels = dict(self.kept), dict(self.lasting), dict(self.levels)
        # What has come is only known of the server itself.
        other.now, other.started = self.now, self.started
        other.last_id, other.last_identity = self.last_id, self.last_identity
        other.prepared = dict(self.prepared)
        return other

    def add(self, thing: Any, sort: str = "") -> None:
        """Put a table or a program into its schema."""
        if isinstance(thing, Table):
            sort = "TABLE"
            self.last_identity += 1
            thing.identity = self.last_identity
        self.objects[thing.schema, sort or thing.sort, thing.name] = thing

    def find(self, schema: str, sort: str, name: str) -> Any:
        """Return an object; None if it does not exist."""
        return self.objects.get((schema, sort, name))

    def of(self, sort: str, schema: str) -> list[Any]:
        """Return the objects of one sort in a schema."""
        return [thing for (where, kind, _name), thing in self.objects.items() if (where, kind) == (schema, sort)]

    def triggers(self, table: Table) -> list[Program]:
        """Return what runs when a row comes into a table."""
        return [thing for thing in self.of("TRIGGER", table.schema) if thing.on == table.name]

    def lock(self, name: str, connection: int) -> bool:
        """Take a named lock, or take it again."""
        holder, count = self.locks.get(name, (connection, 0))
        if holder != connection:
            return False
        self.locks[name] = connection, count + 1
        return True

    def unlock(self, name: str, connection: int, entirely: bool = False) -> Optional[int]:
        """Release a named lock; return 1, 0 if it is somebody else's, None if it is nobody's."""
        if name not in self.locks:
            return None
        holder, count = self.locks[name]
        if holder != connection:
            return 0
        if count > 1 and not entirely:
            self.locks[name] = holder, count - 1
            return 1
        del self.locks[name]
        if self.thief is not None:
            self.thief(name)
        return 1

    def crash(self) -> None:
        """End and start again: what was not committed is undone, and nobody is connected any more."""
        for connection in list(self.connections.values()):
            connection.end()
        self.now += 2
        self.started = self.now
        for thing in self.objects.values():
            if isinstance(thing, Table):
                thing.updated = None

    def content(self, own: Sequence[str]) -> dict[Any, Any]:
        """Return all that users see, without the tables named."""
        found: dict[Any, Any] = {}
        for key, thing in self.objects.items():
            if key[2] not in own:
                found[key] = thing.definition()
                if isinstance(thing, Table):
                    found[key, "rows"] = sorted(thing.rows, key=repr)
        return {**found, "settings": self.settings, "accounts": self.accounts}


def _nothing(_where: str, _connection: Any) -> None:
    pass
