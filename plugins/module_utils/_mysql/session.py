# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One connection to a database; the one place that knows PyMySQL. Private to the collection."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple, NoReturn, Optional, Union

from .._core.dependency import Dependency
from .._core.errors import Error
from .settings import Settings

_PYMYSQL = Dependency("PyMySQL[rsa]")
with _PYMYSQL:
    import pymysql
    from pymysql.constants import CLIENT, SERVER_STATUS
    from pymysql.cursors import SSCursor

    class _Connection(pymysql.connections.Connection):
        """Can do something else between a question and its answer, for which PyMySQL has no way of its own."""

        meanwhile: Optional[Callable[[], None]] = None

        def _execute_command(self, command: int, sql: Any) -> None:
            super()._execute_command(command, sql)  # type: ignore[misc]
            meanwhile, self.meanwhile = self.meanwhile, None
            if meanwhile is not None:
                meanwhile()


# A statement without one of these leaves the character set of the answers as it is.
_MAY_CHANGE_CHARACTER_SET = (b"character", b"charset", b"names", b"execute", b"call")
_NO_LIMIT = " LIMIT 9223372036854775807"
_NO_TLS_ON_SERVER = 2026
# The connection failed; the server ended it (1053, 1927, 3169: shutdown and KILL, 4031: idle for too long).
_LOST = (0, 1053, 1927, 2006, 2013, 3169, 4031)
# The protocol's numbers of types (MySQL internals, "Column Types").
_EXACT = (0, 1, 2, 3, 8, 9, 246)
_FLOATING = (4, 5)
# Bytes; a larger statement has a packet of its own, since there is a limit to a packet's size.
LARGE = 1 << 16
_PLUGIN_FAILED = 2059
_HINTS = {
    1040: "The server has too many connections; try again, or raise max_connections.",
    1044: "Grant the user its privileges on this schema.",
    1045: "Check login_user and login_password, and from which hosts the user may log in.",
    1049: "Create the schema first, or correct login_db.",
    1129: "The server blocks this host after too many failed connections: FLUSH HOSTS on the server.",
    1130: "The server does not let this host in: check the host part of the user's account.",
    1698: "Check login_user and login_password, and from which hosts the user may log in.",
    2013: "Check login_host and login_port: something else may be listening there, or the server is overloaded.",
    2003: "Check login_host and login_port, and that a firewall lets the runner through.",
    2026: "The server offers no TLS, or none that fits: check tls and ca_cert.",
    _PLUGIN_FAILED: "Anybody could pretend to be that server: set tls to required, verify_ca or verify_identity.",
    2061: "Use tls: required, or install the cryptography package on the runner.",
}


class ServerError(Error):
    """What the server, or the connection to it, answered.

    :param code: the server's error code; 0 when the connection itself failed.
    :param reason: the server's text.
    :ivar place: which statement of a packet it was about.
    """

    def __init__(self, code: int, reason: str, doing: str) -> None:
        self.code = code
        self.reason = reason
        self.place = 0
        super().__init__(f"{doing}: ({code}) {reason}", error_code=code)

    @property
    def lost(self) -> bool:
        """Whether the connection is gone."""
        return self.code in _LOST


Rows = list[tuple[Any, ...]]
Answer = Union[Rows, ServerError]


class Packet(NamedTuple):
    """What Session.execute takes."""

    statement: bytes
    before: list[str]
    after: list[str]
    ask: bytes
    meanwhile: Optional[Callable[[], None]]


class Session:
    """One open connection, with autocommit on, on which everything of a run happens.

    :ivar database: the schema's name as it was given.
    :ivar mariadb: MariaDB rather than MySQL.
    :ivar server: the server's version text.
    :ivar version: the version as a number, 101119 for 10.11.19.
    :ivar sql_modes: the session's sql_mode now.
    :ivar schema: the name of the schema that was opened, as the server writes it.
    :ivar foreign_results: whether the character set in which the server answers may have been changed.
    """

    def __init__(self, connection: Any, database: str) -> None:
        self._connection = connection
        self.database = database
        self.server: str = connection.get_server_info()
        self.mariadb = "mariadb" in self.server.lower()
        self.version = _version_number(self.server)
        self.foreign_results = False
        [(modes, self.schema)] = self.query("SELECT @@sql_mode, DATABASE()")
        self.sql_modes = frozenset(modes.split(","))

    def query(self, sql: str, arguments: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run one statement of ours and return its rows.

        :param sql: with ``%s`` for each argument.
        :raises ServerError: the server refused it, or the connection was lost.
        """
        if sql.startswith("SELECT") and " LIMIT " not in sql:
            # A migration may have set sql_select_limit, which holds for questions without a limit of their own.
            sql += _NO_LIMIT
        try:
            with self._plain_results(), self._connection.cursor() as cursor:
                cursor.execute(sql, tuple(arguments) or None)
                return list(cursor.fetchall())
        except pymysql.err.Error as error:
            raise _server_error(error, f"The server refused {sql!r}") from error

    @contextmanager
    def _plain_results(self) -> Iterator[None]:
        """Have the server answer in the character set that we read, whatever a migration has set."""
        if not self.foreign_results:
            yield
            return
        with self._bytes(), self._connection.cursor() as cursor:
            cursor.execute(b"SELECT @@character_set_results" + _NO_LIMIT.encode())
            [(name,)] = cursor.fetchall()
            self.foreign_results = name != b"utf8mb4"
            if self.foreign_results:
                cursor.execute(b"SET character_set_results = utf8mb4")
        if not self.foreign_results:
            yield
            return
        try:
            yield
        finally:
            # Its name may itself have come in UTF-16 or UTF-32.
            back = b"NULL" if name is None else bytes(name).replace(b"\0", b"")
            with suppress(pymysql.err.Error), self._bytes(), self._connection.cursor() as cursor:
                cursor.execute(b"SET character_set_results = " + back)

    @contextmanager
    def _bytes(self) -> Iterator[None]:
        """Take what comes back as bytes: it may be no text at all, names of columns included."""
        connection = self._connection
        settings = connection.use_unicode, connection.decoders, connection.encoding
        connection.use_unicode, connection.decoders, connection.encoding = False, {}, "latin1"
        try:
            yield
        finally:
            connection.use_unicode, connection.decoders, connection.encoding = settings

    def execute(
        self,
        statement: bytes,
        before: Sequence[str] = (),
        after: Sequence[str] = (),
        ask: bytes = b"",
        meanwhile: Optional[Callable[[], None]] = None,
    ) -> Answer:
        """Run a statement of the user's as it stands, and read all that comes back without keeping it.

        :param before: statements of ours, each with one result, that go ahead of it in the same packet.
        :param after: the same behind it, for which the user's statement must have one result.
        :param ask: a question of ours, the last of the packet.
        :param meanwhile: what to do while the server is at work; it may not use the session, nor fail.
        :returns: the rows that answer ``ask``, as bytes, or the error that the server answered.
        :raises ServerError: the server refused a statement, or the connection was lost; its ``place`` tells which one
            of the packet's, ``len(before)`` for the user's.
        """
        behind = b"".join(b"\n;" + text for text in (*(text.encode() for text in after), *([ask] if ask else ())))
        ahead = b"".join(text.encode() + b";" for text in before)
        kept = len(before) + 1 + len(after) if ask else None
        if len(statement) > LARGE and before:
            self._send(ahead[:-1], None)
            kept = kept - len(before) if kept else None
            answer = self._send(statement + behind, kept, len(before), meanwhile)
        else:
            answer = self._send(ahead + statement + behind, kept, 0, meanwhile)
        lowered = statement.lower()
        if any(word in lowered for word in _MAY_CHANGE_CHARACTER_SET):
            self.foreign_results = True
        if b"sql_mode" in lowered:
            self.read_sql_mode()
        return answer

    def rows(self, question: bytes) -> Answer:
        """Return the rows of a question, as bytes, or the error that the server answered.

        :raises ServerError: the connection was lost.
        """
        with self._plain_results():
            return self._send(question, 0)

    def constant(self, expression: bytes) -> bytes:
        """Return SQL that has the value, the type and the character set that an expression has now.

        :raises ServerError: the server refused it, or the connection was lost.
        """
        question = b"SELECT %b, HEX(%b), CHARSET(%b), COLLATION(%b)" % ((expression,) * 4) + _NO_LIMIT.encode()
        try:
            with self._plain_results(), self._bytes(), self._connection.cursor() as cursor:
                cursor.execute(question)
                [(value, digits, charset, collation)] = cursor.fetchall()
                kind = cursor.description[0][1]
        except pymysql.err.Error as error:
            raise _server_error(error, f"The server refused {expression!r}") from error
        if value is None:
            return b"NULL"
        if kind in _EXACT or kind in _FLOATING:
            return bytes(value) if kind in _EXACT or b"e" in value.lower() else bytes(value) + b"e0"
        if not digits:
            return b"''"
        return b"X'%b'" % digits if charset == b"binary" else b"_%b X'%b' COLLATE %b" % (charset, digits, collation)

    def _send(
        self, text: bytes, kept: Optional[int], place: int = 0, meanwhile: Optional[Callable[[], None]] = None
    ) -> Answer:
        """Send one packet, read every result, and return the rows of the one whose rows are to be kept."""
        result = 0
        rows: Rows = []
        try:
            with self._bytes(), self._connection.cursor(SSCursor) as cursor:
                self._connection.meanwhile = meanwhile
                cursor.execute(text)
                while True:
                    if result == kept:
                        rows = list(cursor.fetchall())
                    while cursor.fetchmany(1000):
                        pass
                    result += 1
                    if not cursor.nextset():
                        return rows
        except pymysql.err.Error as error:
            failure = _server_error(error, "The server refused the statement")
            if result == kept and not failure.lost:
                return failure
            failure.place = place + result
            raise failure from error

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction was open after the last statement that had no rows."""
        return bool(self._connection.server_status & SERVER_STATUS.SERVER_STATUS_IN_TRANS)

    @property
    def autocommit(self) -> bool:
        """Whether autocommit was on after the last statement that had no rows."""
        return bool(self._connection.server_status & SERVER_STATUS.SERVER_STATUS_AUTOCOMMIT)

    def read_sql_mode(self) -> None:
        """Ask for the session's sql_mode.

        :raises ServerError: the connection was lost.
        """
        # Asked only when it may have changed: the question itself changes what ROW_COUNT() says.
        [(modes,)] = self.query("SELECT @@sql_mode")
        self.sql_modes = frozenset(modes.split(","))


@contextmanager
def connect(settings: Settings) -> Iterator[Session]:
    """Open a session for the length of a ``with`` block.

    :raises Error: the library is missing or an option cannot be used.
    :raises ServerError: the server cannot be reached or refuses the user.
    """
    _PYMYSQL.check()
    connection = _open(settings)
    try:
        yield Session(connection, settings.database)
    finally:
        if connection.open:
            connection.close()


def _open(settings: Settings) -> Any:
    context = settings.tls_context()
    try:
        return _attempt(settings, context)
    except ServerError as error:
        # "preferred" takes plain text from a server that has no TLS, as the mysql client does.
        if settings.tls == "preferred" and context is not None and error.code == _NO_TLS_ON_SERVER:
            return _attempt(settings, None)
        raise


def _attempt(settings: Settings, context: Any) -> Any:
    options: dict[str, Any] = {"ssl": context} if context is not None else {"ssl_disabled": True}
    if settings.tls in ("disabled", "preferred") and not settings.unix_socket:
        options["auth_plugin_map"] = {"mysql_clear_password": _ClearTextRefused}
    if settings.unix_socket:
        options["unix_socket"] = settings.unix_socket
    if settings.config_file:
        _check_readable(settings.config_file)
        options["read_default_file"] = settings.config_file
    if settings.user is not None:
        options["user"] = settings.user
    try:
        connection: Any = _Connection(
            host=settings.host,
            port=settings.port,
            # PyMySQL would take a text for Latin-1, as no other client does.
            password=(settings.password or "").encode("utf-8", "surrogateescape"),
            database=settings.database,
            connect_timeout=settings.connect_timeout,
            read_timeout=settings.connect_timeout,
            # golang-migrate's driver names this collation in its handshake; the server's own default differs
            # between versions, and literals in views, defaults and routines would keep it.
            charset="utf8mb4",
            collation="utf8mb4_general_ci",
            autocommit=True,
            client_flag=CLIENT.MULTI_STATEMENTS,
            **options,
        )
    except (pymysql.err.Error, OSError, RuntimeError) as error:
        _refuse(error, settings)
    sock = connection._sock
    if sock.family != socket.AF_UNIX:
        # A network that goes away during a long statement is noticed after a minute and a half, and whatever forgets
        # idle connections is kept from it.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in ((socket.TCP_KEEPIDLE, 30), (socket.TCP_KEEPINTVL, 10), (socket.TCP_KEEPCNT, 6)):
            sock.setsockopt(socket.IPPROTO_TCP, option, value)
    # PyMySQL has one limit for the greeting, which must come soon, and for every answer after it; a statement
    # may take as long as it takes.
    connection._read_timeout = None
    return connection


class _ClearTextRefused:
    """In place of PyMySQL's own way, which sends the password to any server that asks for it."""

    def __init__(self, connection: Any) -> None:
        pass

    def authenticate(self, packet: Any) -> NoReturn:
        raise pymysql.err.OperationalError(_PLUGIN_FAILED, "the server asks for the password in clear text")


def _check_readable(path: str) -> None:
    if not os.access(path, os.R_OK):
        raise Error(f"config_file {path} cannot be read on the runner. Check the path and its mode.")


def _refuse(error: Exception, settings: Settings) -> NoReturn:
    who = f"{settings.user}@{settings.address}" if settings.user else settings.address
    if isinstance(error, RuntimeError):
        # PyMySQL says so when an account wants RSA and the package for it is missing.
        code: int = 2061
        reason = str(error)
    else:
        code, reason = _code_and_reason(error)
    hint = settings.hints.get(code) or _HINTS.get(code, "")
    failure = ServerError(code, reason, f"Cannot open the database {settings.database} as {who}")
    failure.args = (f"{failure}. {hint}".rstrip(),)
    raise failure from error


def _server_error(error: Exception, doing: str) -> ServerError:
    return ServerError(*_code_and_reason(error), doing)


def _code_and_reason(error: Exception) -> tuple[int, str]:
    if len(error.args) >= 2 and isinstance(error.args[0], int):
        return error.args[0], str(error.args[1]) or "the connection was lost"
    return 0, str(error)


def _version_number(text: str) -> int:
    # MariaDB may put 5.5.5- before its version for the sake of old replicas.
    plain = text[6:] if text.startswith("5.5.5-") else text
    numbers = [int("".join(filter(str.isdigit, part)) or 0) for part in plain.split("-")[0].split(".")[:3]]
    major, minor, patch = [*numbers, 0, 0, 0][:3]
    return major * 10000 + minor * 100 + patch
