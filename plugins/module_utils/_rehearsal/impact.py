# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The impact of an ALTER on its table: instant, in place or by a copy, and whether writes are blocked. Private.

The server is asked on a copy without rows: a statement with an ALGORITHM and a LOCK clause is refused if it cannot be
executed in that way. They are tried from the mildest on, and the first that is not refused is the execution itself.
MySQL reference manual, "Online DDL Operations"; MariaDB knowledge base, "InnoDB Online DDL Overview".

Not everything that matters is in a table's definition: a dropped FULLTEXT index leaves a hidden column, and columns
that were added instantly are counted. InnoDB's dictionary shows this to accounts with PROCESS.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, NamedTuple, Optional

from .._migration.files.lexer import Dialect
from .._migration.files.splitter import Statement
from .._migration.run.executor import NOT_SO
from .._migration.statements.classified import digest
from .._migration.statements.tokens import Tokens, unquote
from .._mysql.session import ServerError, Session
from .._mysql.statements import text_literal

# From the mildest on; a lock of None goes without saying.
_MYSQL = (("INSTANT", None), ("INPLACE", "NONE"), ("INPLACE", "SHARED"), ("COPY", "SHARED"))
_MARIADB = (
    ("INSTANT", None),
    ("NOCOPY", "NONE"),
    ("INPLACE", "NONE"),
    ("NOCOPY", "SHARED"),
    ("INPLACE", "SHARED"),
    ("COPY", "NONE"),
    ("COPY", "SHARED"),
)
# It cannot be done so; such a lock is not available with that.
REFUSED = (*NOT_SO, 1221)
# Columns that MySQL adds at once are counted, and there is a limit: 64 at first, 255 later.
_VERSIONS = 63
_KINDS = frozenset(b"UNIQUE FULLTEXT SPATIAL VECTOR ONLINE OFFLINE".split())
# InnoDB's dictionary writes other names in another way.
_PLAIN = re.compile(r"[0-9A-Za-z_]+")


class Target(NamedTuple):
    """The table of a statement, and how a clause gets into it.

    :param table: its name.
    :param spelled: with which clause: a function of that clause.
    :param own: the statement names an ALGORITHM or a LOCK itself.
    """

    table: str
    spelled: Callable[[str, Optional[str]], bytes]
    own: bool


class Way(NamedTuple):
    """A way in which a statement is carried out, and the statement that asks for it."""

    algorithm: Optional[str]
    lock: Optional[str]
    text: bytes


class Table(NamedTuple):
    """What the server's dictionary says about a table.

    :param rows: about how many.
    :param bytes: about how many, its indexes included.
    :param hidden: why its past may make it another one than its copy; None if it does not.
    """

    rows: int
    bytes: int
    hidden: Optional[str]


def target(text: bytes, dialect: Dialect) -> Optional[Target]:
    """Return the table of an ALTER TABLE, CREATE INDEX or DROP INDEX; None for another statement."""
    if dialect.oracle or b"/*!" in text or b"/*M!" in text:
        return None
    words = Tokens(text, dialect)
    first = words.take().text
    while words.skip(b"OR", b"REPLACE", b"IGNORE", *_KINDS):
        pass
    thing = words.take().text
    if (first, thing) == (b"ALTER", b"TABLE"):
        return _of_alter(text, words)
    if thing == b"INDEX" and first in (b"CREATE", b"DROP"):
        return _of_index(text, words, first)
    return None


def _of_alter(text: bytes, words: Tokens) -> Optional[Target]:
    if words.skip(b"IF"):
        words.skip(b"EXISTS")
    name = words.name()
    while words.skip(b"WAIT", b"NOWAIT"):
        if words.peek().text.isdigit():
            words.take()
    place = words.peek().start
    own = words.peek().kind != "nothing" and _names_clause(words)

    def spelled(algorithm: str, lock: Optional[str]) -> bytes:
        clause = f" ALGORITHM={algorithm}," + (f" LOCK={lock}," if lock else "") + " "
        return text[:place] + clause.encode() + text[place:]

    return Target(_plain(name), spelled, own) if place and b"." not in name else None


def _of_index(text: bytes, words: Tokens, first: bytes) -> Optional[Target]:
    begin = words.peek().start
    if not words.reach(b"ON"):
        return None
    dropped = text[begin : words.peek().start].rstrip()[: -len(b"ON")].rstrip()
    name = words.name()
    own = _names_clause(words)

    def spelled(algorithm: str, lock: Optional[str]) -> bytes:
        if first == b"DROP":
            # MariaDB's DROP INDEX takes no clause.
            clause = f" ALGORITHM={algorithm}," + (f" LOCK={lock}," if lock else "")
            return b"ALTER TABLE %b%b DROP INDEX %b" % (name, clause.encode(), dropped)
        clause = f"\nALGORITHM={algorithm}" + (f" LOCK={lock}" if lock else "")
        return text + clause.encode()

    return Target(_plain(name), spelled, own) if b"." not in name else None


def _names_clause(words: Tokens) -> bool:
    found = False
    while words.peek().kind != "nothing":
        token = words.take()
        found = found or (token.kind == "word" and token.text in (b"ALGORITHM", b"LOCK"))
    return found


def _plain(name: bytes) -> str:
    return unquote(name).decode("utf-8", "replace")


class Impact:
    """Asks the server what statements will do, as they are carried out on the copies.

    :param tables: the real tables, by their names in small letters.
    :param identity: returns InnoDB's number of a table of the copies, which a rebuild changes; None if that may not be
        seen.
    :ivar found: what is known of the statements that were carried out.
    :ivar spelled: statements with the clause by which they were carried out, by the digest of their text; none that was
        carried out in different ways, nor by a copy, for nothing is harder.
    """

    def __init__(self, tables: Mapping[str, Table], identity: Callable[[str], Optional[int]]) -> None:
        self._tables = tables
        self._identity = identity
        self._made: set[str] = set()
        self._ways: dict[str, set[bytes]] = {}
        self.found: list[dict[str, Any]] = []

    @property
    def spelled(self) -> dict[str, bytes]:
        return {key: next(iter(ways)) for key, ways in self._ways.items() if len(ways) == 1 and b"" not in ways}

    def made(self, tables: Collection[str]) -> None:
        """Note tables that the plan itself makes: they have no rows that would matter."""
        self._made |= {name.lower() for name in tables}

    def concerns(self, about: Target) -> bool:
        """Tell whether a statement is about a table that is there, or may be by another name."""
        name = about.table.lower()
        return name in self._tables or name not in self._made

    def begin(self, about: Target, session: Session) -> _Asking:
        """Begin to ask about a statement.

        :raises ServerError: the connection was lost.
        """
        names = "'alter_algorithm', 'old_alter_table'"
        rows = session.query(f"SHOW SESSION VARIABLES WHERE variable_name IN ({names})")
        usual = all(str(value).upper() in ("DEFAULT", "OFF", "") for _name, value in rows)
        # Only MySQL does not say by the algorithm whether it rebuilds the table.
        return _Asking(about, session.mariadb, usual, None if session.mariadb else self._identity(about.table))

    def note(self, asking: _Asking, statement: Statement, way: Optional[Way]) -> None:
        """Note how a statement was carried out.

        :param way: None if that is not known.
        """
        algorithm, lock, spelled = way or Way(None, None, b"")
        key = digest(statement.text)
        self._ways.setdefault(key, set()).add(b"" if algorithm == "COPY" else spelled)
        about, table = asking.about, self._tables.get(asking.about.table.lower())
        rebuilds = None if algorithm is None else algorithm == "COPY"
        if algorithm == "INPLACE":
            now = None if asking.mariadb else self._identity(about.table)
            known = asking.identity is not None and now is not None
            rebuilds = True if asking.mariadb else (now != asking.identity) if known else None
        why = self._why(asking, table, algorithm)
        self.found.append(
            {
                "statement": statement.number,
                "line": statement.line,
                "table": about.table,
                "algorithm": algorithm,
                "rebuilds": rebuilds,
                "blocks_writes": None if algorithm is None else lock == "SHARED",
                "rows": table.rows if table else None,
                "bytes": table.bytes if table else None,
                "certain": why is None,
                "uncertain": why,
            }
        )

    def _why(self, asking: _Asking, table: Optional[Table], algorithm: Optional[str]) -> Optional[str]:
        if asking.about.own:
            return "the statement sets its own ALGORITHM or LOCK, and was run unchanged"
        if algorithm is None:
            return "the server does not report how it executes such a statement"
        if table is None:
            return "there is no table of this name before the plan begins"
        if not asking.usual:
            return "alter_algorithm or old_alter_table is set and may change the algorithm"
        # Nothing is harder than that.
        return table.hidden if algorithm != "COPY" else None


class _Asking(NamedTuple):
    """A statement that the server is asked about.

    :param usual: no setting has it done in another way than the mildest.
    :param identity: InnoDB's number of the table before.
    """

    about: Target
    mariadb: bool
    usual: bool
    identity: Optional[int]

    def ladder(self) -> Iterator[Way]:
        """Yield what to try, from the mildest on."""
        for algorithm, lock in () if self.about.own else _MARIADB if self.mariadb else _MYSQL:
            yield Way(algorithm, lock, self.about.spelled(algorithm, lock))


def look(session: Session, tables: Collection[str], copies: Session, copy: str) -> dict[str, Table]:
    """Return what the dictionary says about the session's tables, by their names in small letters.

    :param copies: a session of which the server has copies of them.
    :param copy: the schema that has them.
    :raises ServerError: the connection was lost.
    """
    if not tables:
        return {}
    if session.has_stats_expiry:
        # Otherwise MySQL shows cached figures, up to a day old.
        session.query("SET SESSION information_schema_stats_expiry = 0")
    names = ", ".join(map(text_literal, tables))
    rows = session.query(
        "SELECT table_name, COALESCE(table_rows, 0), COALESCE(data_length + index_length, 0), engine "
        f"FROM information_schema.tables WHERE table_schema = {text_literal(session.schema)} "
        f"AND table_name IN ({names})"
    )
    real, copied = _dictionary(session, session.schema, tables), _dictionary(copies, copy, tables)
    return {
        str(name).lower(): Table(int(count), int(size), _hidden(str(name), str(engine), real, copied))
        for name, count, size, engine in rows
    }


def _hidden(
    name: str,
    engine: str,
    real: Optional[dict[str, tuple[int, int]]],
    copies: Optional[dict[str, tuple[int, int]]],
) -> Optional[str]:
    if engine.lower() != "innodb":
        return None
    if real is None:
        return "without the privilege PROCESS, hidden columns and row versions of the table are not visible"
    if copies is None:
        return "the copy is on another server, where hidden columns and row versions are not visible"
    columns, versions = real.get(name, (0, 0))
    if not columns or name not in copies:
        return "the table is not in InnoDB's dictionary under this name"
    if columns != copies[name][0]:
        return "the table has a hidden column, such as a dropped FULLTEXT index leaves behind"
    if versions >= _VERSIONS:
        return f"columns were added instantly {versions} times, which is close to the limit"
    return None


def _dictionary(session: Session, schema: str, tables: Collection[str]) -> Optional[dict[str, tuple[int, int]]]:
    """Return the numbers of columns and of versions of rows in InnoDB's dictionary; None if it may not be seen."""
    names = [name for name in tables if _PLAIN.fullmatch(name)]
    if not names or not _PLAIN.fullmatch(schema):
        return {}
    wanted = ", ".join(text_literal(f"{schema}/{name}") for name in names)
    rows = _ask(session, wanted)
    return (
        None
        if rows is None
        else {str(name).partition("/")[2]: (int(columns), int(count)) for name, columns, count in rows}
    )


def _ask(session: Session, wanted: str) -> Optional[list[tuple[Any, ...]]]:
    table = "innodb_sys_tables" if session.mariadb else "innodb_tables"
    for versions in ("0",) if session.mariadb else ("total_row_versions", "0"):
        try:
            return session.query(
                f"SELECT name, n_cols, {versions} FROM information_schema.{table} WHERE name IN ({wanted})"
            )
        except ServerError as error:
            if error.lost:
                raise
    return None


def identity(session: Session, schema: str, table: str) -> Optional[int]:
    """Return InnoDB's number of a table; None if it may not be seen.

    :raises ServerError: the connection was lost.
    """
    name = "innodb_sys_tables" if session.mariadb else "innodb_tables"
    try:
        rows = session.query(f"SELECT table_id FROM information_schema.{name} WHERE name = %s", (f"{schema}/{table}",))
    except ServerError as error:
        if error.lost:
            raise
        return None
    return int(rows[0][0]) if len(rows) == 1 else None
