# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A session with a server: it runs statements, and tracks how they change the session. Private to the collection.

The server reports in its answers what a statement changed. If it does not (because it is too old, or a proxy drops the
information), it is queried after each statement of the user's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from itertools import takewhile
from typing import Any, NamedTuple, Optional

from .._core.errors import Error
from .errors import ServerError
from .session_track import AUTOCOMMIT, TransactionReport
from .settings import Settings
from .statements import ROLLBACK
from .versions import Support, read_version
from .wire import Answer, Rows, Wire

__all__ = ["LARGE", "SEPARATOR", "Answer", "Packet", "Rows", "ServerError", "Session", "TransactionReport", "connect"]

# Bytes; a larger statement has a packet of its own, since there is a limit to a packet's size.
LARGE = 1 << 16
# A migration may have set sql_select_limit, which holds for questions without a limit of their own.
_NO_LIMIT = " LIMIT 9223372036854775807"
_TRACKED = (
    "sql_mode",
    "character_set_client",
    "character_set_connection",
    "character_set_results",
    "autocommit",
    "completion_type",
)
_TRACK = (
    f"SESSION session_track_system_variables = '{','.join(_TRACKED)}', SESSION session_track_schema = 1, "
    "SESSION session_track_transaction_info = 'STATE', "
)
# Set, not believed: init_connect may have switched it off.
_AUTOCOMMIT = "SESSION autocommit = 1"
# MariaDB keeps what a statement that failed has changed until another one changes something that is tracked.
_DELIVER = b"SET SESSION completion_type = @@SESSION.completion_type;"
_ASKED = ("sql_mode", "character_set_client", "character_set_connection", "character_set_results")
_VALUES = f"SELECT {', '.join(f'@@{name}' for name in _ASKED)}, HEX(DATABASE())"
# The protocol's numbers of types (MySQL's source documentation, "Column Definition").
_EXACT = (0, 1, 2, 3, 8, 9, 246)
_FLOATING = (4, 5)


# Ends the user's text, also one that ends in a comment.
SEPARATOR = "\n;"


@lru_cache(maxsize=64)
def _modes(text: str) -> frozenset[str]:
    return frozenset(filter(None, text.split(",")))


class Packet(NamedTuple):
    """What Session.execute takes."""

    statement: bytes
    before: list[str]
    after: list[str]
    ask: bytes
    meanwhile: Optional[Callable[[], None]]
    undisturbed: bool


class Session:
    """One open connection, with autocommit on, on which everything of a run happens.

    :ivar database: the schema's name as it was given.
    :ivar server: the server's version text.
    :ivar mariadb: MariaDB rather than MySQL.
    :ivar version: the version as a number, 101119 for 10.11.19.
    :ivar atomic_ddl: whether a definition that was interrupted took effect as a whole or not at all.
    :ivar has_stats_expiry: whether the server has the variable information_schema_stats_expiry.
    :ivar complaint: a warning, if the server's version is no longer supported.
    :ivar connection_id: the connection's number, as the server counts.
    :ivar schema: the name of the schema that was opened, as the server writes it.
    :ivar tracked: whether the server says by itself what a statement changes.
    :ivar has_savepoint: a savepoint of the file's may be where the server calls no transaction open yet, as with
        autocommit off; whoever runs the file says so.
    :ivar stale: what is known of the session may be out of date.
    :ivar wrote_nontransactional: whether the user's statement in the last packet, or one before it in its transaction,
        wrote a table without transactions; said about statements in a transaction only, and where ``tracked``.
    """

    def __init__(self, wire: Wire, database: str) -> None:
        """Set up the session, in one round trip.

        :raises Error: the server is too old.
        :raises ServerError: the connection was lost.
        """
        self._wire = wire
        self._state = wire.state
        self.database = database
        self.wrote_nontransactional = False
        self.stale = False
        self.has_savepoint = False
        row = self._set_up()
        # A proxy's greeting may name another version than its server has.
        self.server = row[5]
        known = read_version(self.server)
        if known.support is Support.REFUSED:
            raise Error(1525, str(known.complaint))
        self.mariadb, self.version = known
        self.atomic_ddl = known.atomic_ddl
        self.has_stats_expiry = known.has_stats_expiry
        self.complaint = known.complaint
        self.connection_id = int(row[6])
        self.schema = self._state.schema or database

    def again(self, database: str, restoring: Sequence[str] = ()) -> Session:
        """Return a new session on the same connection, as after a login except for the role; this one is over.

        :param restoring: what else is to be set.
        :raises ServerError: the server refused it, or the connection was lost.
        """
        self._wire.start_over(database)
        session = Session(self._wire, database)
        for statement in restoring:
            session.query(statement)
        return session

    def _set_up(self) -> tuple[str, ...]:
        question = _VALUES + ", VERSION(), CONNECTION_ID()" + _NO_LIMIT
        if self._wire.may_track:
            with suppress(ServerError):
                answer = self._wire.send(f"SET {_TRACK}{_AUTOCOMMIT};{question}".encode(), 1)
                # Setting it is such a change: who does not report this one reports none.
                self.tracked = "autocommit" in self._state.variables
                return self._take(answer)
        self.tracked = False
        return self._take(self._wire.send(f"SET {_AUTOCOMMIT};{question}".encode(), 1))

    @property
    def sql_modes(self) -> frozenset[str]:
        """The session's sql_mode."""
        return _modes(self._state.variables["sql_mode"])

    @property
    def character_set_client(self) -> str:
        """In which character set the server reads statements, for instance ``utf8mb4``."""
        return self._state.variables["character_set_client"]

    @property
    def character_set_results(self) -> str:
        """In which character set the server answers; empty if each value comes in its own."""
        return self._state.variables["character_set_results"]

    @property
    def settings(self) -> dict[str, str]:
        """The values of the settings that are known at any time, by their names in SET."""
        names = ("sql_mode", "character_set_client", "character_set_connection", "character_set_results")
        known = {name: self._state.variables[name] for name in names}
        return {**known, "autocommit": "1" if self.autocommit else "0"}

    @property
    def foreign_results(self) -> bool:
        """Whether the server answers in another character set than UTF-8."""
        return self.character_set_results != "utf8mb4"

    @property
    def current_schema(self) -> Optional[str]:
        """What DATABASE() is; None if there is none."""
        return self._state.schema

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return self._state.in_transaction

    @property
    def autocommit(self) -> bool:
        """Whether autocommit is on."""
        return bool(self._state.status & AUTOCOMMIT)

    @property
    def transaction(self) -> TransactionReport:
        """What the open transaction has done, and whether tables are locked; nothing where not ``tracked``."""
        return self._state.transaction

    def query(self, sql: str, arguments: Sequence[Any] = ()) -> Rows:
        """Run one statement of ours and return its rows.

        :param sql: with ``%s`` for each argument.
        :raises ServerError: the server refused it, or the connection was lost.
        """
        if not sql.startswith("SELECT"):
            with self._in_utf8("character_set_client", "character_set_results"):
                return self._wire.query(sql, arguments)
        if " LIMIT " not in sql:
            sql += _NO_LIMIT
        with self._in_utf8("character_set_client", "character_set_results"), self._beginning_nothing():
            return self._wire.query(sql, arguments)

    def rows(self, question: bytes) -> Answer:
        """Return the rows of a question, as bytes, or the error that the server answered.

        :raises ServerError: the connection was lost.
        """
        with self._in_utf8("character_set_results"), self._beginning_nothing():
            return self._wire.send(question, 0)

    def answers(self, statements: Sequence[bytes]) -> list[Answer]:
        """Run statements of ours in one packet, in the character sets that the session has now.

        One that is refused ends the packet: its error is the last answer.

        :raises ServerError: the connection was lost.
        """
        return self._wire.answers(SEPARATOR.encode().join(statements))

    def constant(self, expression: bytes) -> bytes:
        """Return SQL that has the value, the type and the character set that an expression has now.

        :raises ServerError: the server refused it, or the connection was lost.
        """
        return self._constants([expression], b"")[0]

    def short_constants(self, expressions: Sequence[bytes], size: int) -> list[bytes]:
        """Return the same of several expressions, in one question; nothing if one has ``size`` bytes or more.

        :raises ServerError: the server refused one, or the connection was lost.
        """
        short = b" AND ".join([b"COALESCE(LENGTH(%b), 0) < %d" % (each, size) for each in expressions])
        return self._constants(expressions, b" FROM DUAL WHERE " + short)

    def _constants(self, expressions: Sequence[bytes], where: bytes) -> list[bytes]:
        columns = b", ".join([b"%b, HEX(%b), CHARSET(%b), COLLATION(%b)" % ((each,) * 4) for each in expressions])
        with self._in_utf8("character_set_results"):
            row, kinds = self._wire.row(b"SELECT " + columns + where + _NO_LIMIT.encode())
        return [_constant(row[place : place + 4], kinds[place]) for place in range(0, len(row), 4)]

    def execute(
        self,
        statement: bytes,
        before: Sequence[str] = (),
        after: Sequence[str] = (),
        ask: bytes = b"",
        meanwhile: Optional[Callable[[], None]] = None,
        undisturbed: bool = False,
        count: int = 1,
    ) -> Answer:
        """Run a statement of the user's as it stands, and read all that comes back without keeping it.

        :param before: statements of ours, each with one result, that go ahead of it in the same packet.
        :param after: the same after it, for which the user's statement must have one result.
        :param ask: a question of ours, the last of the packet.
        :param meanwhile: what to do while the server is busy; it may not use the session, nor fail.
        :param undisturbed: the next statement asks about this one: no question of ours may come between them, so that
            what is known of the session may be out of date until the next one has run.
        :param count: how many statements ``statement`` holds, each with one result if there are several.
        :returns: the rows that answer ``ask``, as bytes, or the error that the server answered.
        :raises ServerError: the server refused a statement, or the connection was lost; its ``place`` tells which one
            of the packet's, ``len(before)`` for the user's.
        """
        behind = "".join([SEPARATOR + text for text in after]).encode() + (SEPARATOR.encode() + ask if ask else b"")
        ahead = "".join([f"{text};" for text in before]).encode()
        first = len(before)
        self._state.changed = self.wrote_nontransactional = False
        try:
            if len(statement) > LARGE and before:
                self._wire.send(ahead[:-1], None)
                answer = self._send(statement + behind, 0, count, after, ask, meanwhile, first)
            else:
                answer = self._send(ahead + statement + behind, first, count, after, ask, meanwhile)
        except ServerError as error:
            error.reason = _without(behind.decode("utf-8", "replace"), error.reason)
            if not error.lost:
                self._ask_again(_DELIVER if self.tracked else b"")
                self.wrote_nontransactional |= self.transaction.nontransactional_writes
            raise
        # SET STATEMENT and the hint SET_VAR are reported, too, although their change is over by now: a change is asked
        # for again.
        self.stale |= not self.tracked or self._state.changed
        if self.stale and not undisturbed:
            self._ask_again()
        return answer

    def _send(
        self,
        packet: bytes,
        first: int,
        count: int,
        after: Sequence[str],
        ask: bytes,
        meanwhile: Optional[Callable[[], None]],
        place: int = 0,
    ) -> Answer:
        kept = first + count + len(after) if ask else None
        results: list[bool] = []
        try:
            answer = self._wire.send(packet, kept, place, meanwhile)
            results = self._wire.results
            results = results[: len(results) - len(after) - (bool(ask) and not isinstance(answer, ServerError))]
        finally:
            # Of a packet that failed it is not known where the user's results end.
            self.wrote_nontransactional = any((results or self._wire.results)[first:])
        return answer

    def _ask_again(self, first: bytes = b"") -> None:
        """Ask what the session is like now, unless the connection is gone, which the next statement will say."""
        self.stale = True
        with suppress(ServerError):
            self._take(self._wire.send(first + (_VALUES + _NO_LIMIT).encode(), 1 if first else 0))
            self.stale = False

    def _take(self, answer: Answer) -> tuple[str, ...]:
        """Take in the answer to _VALUES, and return all of it."""
        if isinstance(answer, ServerError):
            raise answer
        # In UTF-16 or UTF-32, if the session's results are.
        row = tuple((value or b"").replace(b"\0", b"").decode() for value in answer[0])
        self._state.variables.update(zip(_ASKED, row))
        self._state.schema = bytes.fromhex(row[4]).decode() or None
        return row

    @contextmanager
    def _beginning_nothing(self) -> Iterator[None]:
        """Leave no transaction open that a question of ours has started.

        With autocommit off the dictionary of MySQL begins one. What the file does next would pass for a part of it.
        """
        nothing_open = not (self.autocommit or self.in_transaction or self.has_savepoint)
        yield
        if nothing_open and self.in_transaction:
            self._wire.query(ROLLBACK)

    @contextmanager
    def _in_utf8(self, *names: str) -> Iterator[None]:
        """Have the server read and answer in UTF-8, whatever a migration has set.

        :param names: the variables that matter.
        """
        before = {name: self._state.variables[name] for name in names if self._state.variables[name] != "utf8mb4"}
        if not before:
            yield
            return
        self._wire.query("SET " + ", ".join(f"{name} = utf8mb4" for name in before))
        try:
            yield
        finally:
            with suppress(ServerError):
                self._wire.query("SET " + ", ".join(f"{name} = {value or 'NULL'}" for name, value in before.items()))


def _constant(columns: Sequence[Any], kind: int) -> bytes:
    value, digits, charset, collation = columns
    if value is None:
        return b"NULL"
    if kind in _EXACT or kind in _FLOATING:
        return bytes(value) if kind in _EXACT or b"e" in value.lower() else bytes(value) + b"e0"
    return b"X'%b'" % digits if charset == b"binary" else b"_%b X'%b' COLLATE %b" % (charset, digits, collation)


def _without(ours: str, reason: str) -> str:
    """Take out of what the server quotes what is ours: it quotes whatever comes after the place of an error."""
    # After the end of the user's text the quotation begins with the first word that is ours.
    for beginning, separator in ((ours, SEPARATOR), (f"'{ours.lstrip()}", "';")):
        place = reason.find(separator) if ours else -1
        while place >= 0:
            pairs = takewhile(lambda pair: pair[0] == pair[1], zip(beginning, reason[place:]))
            length = len(list(pairs))
            if length > len(separator):
                return reason[:place] + "'" * separator.startswith("'") + reason[place + length :]
            place = reason.find(separator, place + 1)
    return reason


@contextmanager
def connect(settings: Settings) -> Iterator[Session]:
    """Open a session for the length of a ``with`` block.

    :raises Error: the library is missing, an option cannot be used, or the server is too old.
    :raises ServerError: the server cannot be reached or refuses the user.
    """
    wire = Wire(settings)
    try:
        yield Session(wire, settings.database)
    finally:
        wire.close()
