# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a database server says about itself, to an account that is logged in there. Private to the collection.

Only SELECT and SHOW are used. No text of a statement and no password is read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Optional

from ..._core.errors import Error
from ..document import Account, MySQL, Replication, Schema, Unseen
from .redaction import redacted
from .texts import shown

_Rows = Sequence[tuple[Any, ...]]
# Seconds for one question. Of many tables each may have to be opened.
_LONGEST = 20
# Any of them shows all schemas, with their sizes.
_SEES_SCHEMAS = {"ALL PRIVILEGES", "SELECT", "SHOW VIEW"}
_SEES_CONNECTIONS = {"ALL PRIVILEGES", "PROCESS"}
# What the servers answer when the time is over.
_TOO_LONG = (1969, 3024)
# These connections are the server's own, or nobody's yet.
_NOBODY = ("system user", "event_scheduler", "unauthenticated user")


class Server(NamedTuple):
    """A server that somebody is logged in to.

    :ivar query: runs one statement and returns its rows, or raises Error with an ``error_code``.
    :ivar text: the version as the server says it.
    :ivar number: the same as a number, 101119 for 10.11.19.
    :ivar held: the privileges that the account has on the whole server, in capital letters.
    """

    query: Callable[[str], _Rows]
    text: str
    mariadb: bool
    number: int
    held: frozenset[str]


def database(server: Server) -> tuple[MySQL, list[Unseen]]:
    """Ask a server."""
    asked = _Asked(server)
    schemas = asked.schemas()
    connections = asked.connections()
    sources = asked.sources()
    role: Optional[Replication] = None
    if sources is not None and connections is not None:
        read = any(command.startswith("Binlog Dump") for *_who, command in connections)
        role = ("both" if read else "replica") if sources else ("source" if read else "none")
    found = MySQL(
        version=shown(server.text),
        flavour="mariadb" if server.mariadb else "mysql",
        schemas=schemas,
        accounts=asked.accounts(connections or []),
        replication=role,
        source=", ".join(sources or []) or None,
    )
    return found, asked.unseen


class _Asked:
    """Asks, and keeps what the account may not see in ``unseen``."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.unseen: list[Unseen] = []

    def schemas(self) -> list[Schema]:
        if not self._server.held & _SEES_SCHEMAS:
            why = "The database server shows an account only the schemas and tables on which it has a right."
            self._cannot(why, _grant("SHOW DATABASES, SHOW VIEW ON *.*"))
        names = self._rows(
            "SELECT schema_name FROM information_schema.schemata "
            "WHERE schema_name NOT IN ('information_schema', 'performance_schema') ORDER BY schema_name",
            "The schemas of the database server could not be listed",
        )
        sizes = self._rows(
            "SELECT table_schema, SUM(COALESCE(data_length, 0) + COALESCE(index_length, 0)), "
            "SUM(table_type IN ('BASE TABLE', 'SYSTEM VERSIONED')) FROM information_schema.tables "
            "WHERE table_schema NOT IN ('information_schema', 'performance_schema') GROUP BY table_schema",
            "The tables of the database server could not be counted",
        )
        if sizes is None:
            return [Schema(shown(name), None, None) for (name,) in names or []]
        counted = {name: (int(size), int(tables)) for name, size, tables in sizes}
        return [Schema(shown(name), *counted.get(name, (0, 0))) for (name,) in names or []]

    def connections(self) -> Optional[_Rows]:
        """Return number, user, host, schema and command of each; None if only the account's own are to be seen."""
        if not self._server.held & _SEES_CONNECTIONS:
            why = "The database server shows an account only its own connections."
            self._cannot(why, _grant("PROCESS ON *.*"))
            return None
        rows = self._rows(
            "SELECT id, user, COALESCE(host, ''), db, command FROM information_schema.processlist "
            "WHERE id <> CONNECTION_ID()",
            "The connections to the database server could not be listed",
        )
        return rows and [row for row in rows if row[1] not in _NOBODY]

    def accounts(self, connections: _Rows) -> list[Account]:
        """Count the connections of each account, address, program and schema."""
        programs = self._programs() if connections else {}
        counts = Counter(
            (shown(user), shown(_address(host)), programs.get(number), schema if schema is None else shown(schema))
            for number, user, host, schema, _command in connections
        )
        return sorted((Account(*who, count) for who, count in counts.items()), key=str)

    def _programs(self) -> dict[int, str]:
        """Return what clients say that they are, by the numbers of their connections."""
        setting = self._rows("SELECT @@performance_schema", "The database server's settings could not be read")
        if setting and not setting[0][0]:
            why = "The database server does not report program names: performance_schema is off."
            self._cannot(why, "Start the server with performance_schema=ON.")
            return {}
        rows = self._rows(
            "SELECT processlist_id, attr_value FROM performance_schema.session_connect_attrs "
            "WHERE attr_name = 'program_name'",
            "The account may not read the program names of connections",
            _grant("SELECT ON performance_schema.session_connect_attrs"),
        )
        return {number: redacted([str(program)], 100) for number, program in rows or []}

    def sources(self) -> Optional[list[str]]:
        """Return host and port of each server of which this is a replica; None if that is not known."""
        mariadb, number = self._server.mariadb, self._server.number
        statement, place = "SHOW SLAVE STATUS", 1
        right = "REPLICATION CLIENT"
        if mariadb:
            statement, place = "SHOW ALL SLAVES STATUS", 3
            right = "SLAVE MONITOR" if number >= 100502 else right
        elif number >= 80022:
            statement = "SHOW REPLICA STATUS"
        rows = self._rows(statement, "The replication status could not be read", _grant(f"{right} ON *.*"))
        if rows is None:
            return None
        # Channels of group replication have no host.
        return [f"{shown(row[place])}:{row[place + 2]}" for row in rows if row[place] not in ("", "<NULL>")]

    def _rows(self, statement: str, failed: str, remedy: str = "Run the survey again.") -> Optional[_Rows]:
        """Return the rows; None if the server refused, or was not done in time."""
        if statement.startswith("SELECT"):
            statement = (
                f"SET STATEMENT max_statement_time = {_LONGEST} FOR {statement}"
                if self._server.mariadb
                else statement.replace("SELECT", f"SELECT /*+ MAX_EXECUTION_TIME({int(_LONGEST * 1000)}) */", 1)
            )
        try:
            return list(self._server.query(statement))
        except Error as error:
            code = error.results.get("error_code")
            if code in _TOO_LONG:
                self._cannot(f"{failed}: it took more than {_LONGEST} seconds.", "Repeat it at a time with less load.")
            else:
                self._cannot(f"{failed} (error {code}).", remedy)
            return None

    def _cannot(self, why: str, remedy: str) -> None:
        self.unseen.append(Unseen("mysql", why, remedy))


def _grant(what: str) -> str:
    return f"GRANT {what} TO the account of the survey."


def _address(host: str) -> str:
    """Return a client's address without its port."""
    address, colon, port = host.rpartition(":")
    return address if colon and port.isdigit() else host
