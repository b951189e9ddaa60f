# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The connection to a server; the one place that knows PyMySQL. Private to the collection.

It differs from PyMySQL in this: nothing is sent before the session asks for it (golang-migrate sends no SET NAMES, so
that the server's own settings win), the session state information and the status of each answer are read, whichever
way it ends, and something else can be done while the server is busy.
"""

from __future__ import annotations

import importlib
import os
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn, Optional, Union

from .._core.dependency import Dependency
from .._core.errors import Error, Message
from .errors import HINTS, KEY_UNKNOWN, NO_TLS_ON_SERVER, OLD_PLUGIN, PLUGIN_FAILED, ServerError
from .session_track import MORE_RESULTS, Ending, SessionState, read_eof, read_ok
from .settings import Settings
from .statements import text_literal

Row = tuple[Any, ...]

_PYMYSQL = Dependency("PyMySQL[rsa]")
# PyMySQL loads it along with itself, which takes longer than the rest of it.
_CRYPTOGRAPHY = "cryptography"
with _PYMYSQL:
    _is_loaded = _CRYPTOGRAPHY in sys.modules
    if not _is_loaded:
        sys.modules[_CRYPTOGRAPHY] = None  # type: ignore[assignment]
    try:
        import pymysql
        import pymysql._auth
    finally:
        if not _is_loaded:
            del sys.modules[_CRYPTOGRAPHY]
    from pymysql.connections import MySQLResult
    from pymysql.constants import CLIENT, COMMAND, CR
    from pymysql.err import raise_mysql_exception
    from pymysql.protocol import MysqlPacket

    def _encrypt(*arguments: bytes) -> bytes:
        """Load what only an account needs that logs in without TLS and has its password encrypted."""
        importlib.reload(pymysql._auth)
        try:
            encrypted: bytes = pymysql._auth.sha2_rsa_encrypt(*arguments)
        except RuntimeError:
            # The package is missing.
            raise
        except Exception as error:
            raise Error(1518, f"server_public_key is not a usable RSA key ({error}).") from error
        finally:
            pymysql._auth.sha2_rsa_encrypt = _encrypt  # type: ignore[assignment]
        return encrypted

    pymysql._auth.sha2_rsa_encrypt = _encrypt  # type: ignore[assignment]

    # What PyMySQL does not know.
    _RESET_CONNECTION = 0x1F
    _EXTENSIONS = CLIENT.SESSION_TRACK | CLIENT.DEPRECATE_EOF
    # An EOF packet, which CLIENT_DEPRECATE_EOF leaves out.
    _COLUMNS_END = b"\xfe\0\0\0\0"
    _OK, _ERROR = 0, 0xFF
    # Lengths of a packet that is empty, and of one that the next one continues.
    _NOT_ONE = (b"\0\0\0", b"\xff\xff\xff")
    # Bytes; a row whose first value is longer than any packet begins with the same byte as the packet after the last.
    _LONGEST_ENDING = 0xFFFFFF

    class _Columns:
        """Stands for the connection while columns are read, and adds the EOF packet that PyMySQL wants after them."""

        def __init__(self, connection: Any) -> None:
            self._connection = connection

        def __getattr__(self, name: str) -> Any:
            return getattr(self._connection, name)

        def _read_packet(self, packet_type: Any = None) -> Any:
            if packet_type is None:
                return MysqlPacket(_COLUMNS_END, self._connection.encoding)
            return self._connection._read_packet(packet_type)

    class _Result(MySQLResult):
        """An answer whose rows are kept; takes the session's state out of the packet that ends it."""

        def _read_ok_packet(self, packet: Any) -> None:
            super()._read_ok_packet(packet)  # type: ignore[misc]
            connection: Any = self.connection
            connection.state.end(read_ok(packet.get_all_data()))

        def _get_descriptions(self) -> None:
            connection: Any = self.connection
            columns: Any = _Columns(connection)
            if connection.client_flag & CLIENT.DEPRECATE_EOF:
                self.connection = columns
            try:
                super()._get_descriptions()  # type: ignore[misc]
            finally:
                self.connection = connection

        def _check_packet_is_eof(self, packet: Any) -> bool:
            connection: Any = self.connection
            ending = connection.ending(packet.get_all_data())
            if ending is None:
                return False
            self.has_next = bool(ending.status & MORE_RESULTS)
            return True

    class _Connection(pymysql.connections.Connection):
        meanwhile: Optional[Callable[[], None]] = None

        def __init__(self, public_key: Optional[bytes], **options: Any) -> None:
            self.state = SessionState()
            self._public_key = public_key
            super().__init__(**options)

        @property
        def server_public_key(self) -> Optional[bytes]:
            """What encrypts the password where there is no TLS; never what the server itself sends for that."""
            if self._public_key is None and vars(self)["password"]:
                raise pymysql.err.OperationalError(
                    KEY_UNKNOWN, "the server expects the password encrypted with a key that cannot be verified"
                )
            return self._public_key

        @server_public_key.setter
        def server_public_key(self, _sent: Optional[bytes]) -> None:
            pass

        def _get_server_information(self) -> None:
            super()._get_server_information()  # type: ignore[misc]
            offered: int = vars(self)["server_capabilities"]
            self.client_flag &= ~_EXTENSIONS | offered

        def set_character_set(self, charset: str, collation: Optional[str] = None) -> None:
            """Leave what the handshake, or the server's own settings, have made of it."""

        def escape(self, obj: Any, mapping: Any = None) -> Any:
            """Write a text so that it means the same whatever a migration has set."""
            return text_literal(obj) if isinstance(obj, str) else super().escape(obj, mapping)

        def _execute_command(self, command: int, sql: Any) -> None:
            super()._execute_command(command, sql)  # type: ignore[misc]
            meanwhile, self.meanwhile = self.meanwhile, None
            if meanwhile is not None:
                meanwhile()

        def _read_query_result(self, unbuffered: bool = False) -> Any:
            self._result = None
            result: Any = _Result(self)
            result.read()
            self._result = result
            return result.affected_rows

        def ending(self, packet: bytes) -> Optional[Ending]:
            """Return what follows the last row, and take it in; None if this is a row."""
            if packet[0] != 0xFE or len(packet) >= _LONGEST_ENDING:
                return None
            if self.client_flag & CLIENT.DEPRECATE_EOF:
                ending = read_ok(packet)
            elif len(packet) < 9:
                ending = read_eof(packet)
            else:
                return None
            self.state.end(ending)
            return ending

        def send(self, text: bytes) -> None:
            """Send a packet, whose answers are then read one by one."""
            self._execute_command(COMMAND.COM_QUERY, text)

        def next_answer(self, rows: Optional[list[Row]]) -> bool:
            """Read an answer, and return whether another one follows.

            PyMySQL's cursors take several times as long for it.

            :param rows: what its rows are added to, as bytes; None to drop them.
            """
            data = self._payload()
            if data[0] == _OK:
                ending = read_ok(data)
                self.state.end(ending)
            else:
                ending = self._read_rows(data, rows)
            return bool(ending.status & MORE_RESULTS)

        def _payload(self) -> bytes:
            """Read a packet; an error's is raised."""
            connection: Any = self
            try:
                header = connection._rfile.peek(4)[:4]
            except OSError:
                header = b""
            # Whatever is not plain is for PyMySQL: nothing has been taken yet.
            if len(header) < 4 or header[:3] in _NOT_ONE or header[3] != connection._next_seq_id:
                data: bytes = connection._read_packet().get_all_data()
                return data
            connection._next_seq_id = (header[3] + 1) % 256
            data = connection._read_bytes(4 + int.from_bytes(header[:3], "little"))[4:]
            if data[0] == _ERROR:
                raise_mysql_exception(data)
            return data

        def _read_rows(self, first: bytes, rows: Optional[list[Row]]) -> Ending:
            columns: Optional[int] = MysqlPacket(first, self.encoding).read_length_encoded_integer()
            if columns is None:
                # It would have the client send a file, which nobody has allowed.
                self._force_close()  # type: ignore[attr-defined]
                raise pymysql.err.OperationalError(CR.CR_MALFORMED_PACKET, "The server asks for a file of the client's")
            has_eof = not self.client_flag & CLIENT.DEPRECATE_EOF
            for _packet in range(columns + has_eof):
                self._payload()
            while True:
                data = self._payload()
                ending = self.ending(data)
                if ending is not None:
                    return ending
                if rows is not None:
                    packet: Any = MysqlPacket(data, self.encoding)
                    rows.append(tuple(packet.read_length_coded_string() for _column in range(columns)))


# Characters of what a server says about an error: MySQL's and MariaDB's own texts have 512 bytes at most.
_LONGEST_REASON = 2000

Rows = list[Row]
Answer = Union[Rows, ServerError]


class Wire:
    """An open connection.

    :ivar state: what the server has said about the session.
    :ivar server: the version that the server's greeting names.
    :ivar may_track: whether the server can report changes of the session.
    """

    def __init__(self, settings: Settings) -> None:
        """Log in.

        :raises Error: the library is missing or an option cannot be used.
        :raises ServerError: the server cannot be reached or refuses the user.
        """
        _PYMYSQL.check()
        self._connection = _open(settings)
        self.state: SessionState = self._connection.state
        self.server: str = self._connection.get_server_info()
        self.may_track = bool(self._connection.client_flag & CLIENT.SESSION_TRACK)
        self.results: list[bool] = []

    def close(self) -> None:
        """Log out; without effect on a connection that is gone."""
        if self._connection.open:
            self._connection.close()

    def start_over(self, database: str) -> None:
        """Have the server forget the session, all but who it is and its role, and open a schema, if one is named.

        :raises ServerError: the server refused it, or the connection was lost.
        """
        try:
            self._connection._execute_command(_RESET_CONNECTION, b"")
            self._connection._read_packet()
            if database:
                self._connection.select_db(database)
        except pymysql.err.Error as error:
            raise _server_error(error, f"The session could not be reopened for {database}") from error
        self.state = self._connection.state = SessionState()

    def query(self, sql: str, arguments: Sequence[Any] = ()) -> Rows:
        """Run one statement and return its rows, as Python's values.

        :raises ServerError: the server refused it, or the connection was lost.
        """
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(sql, tuple(arguments) or None)
                return list(cursor.fetchall())
        except pymysql.err.Error as error:
            raise _server_error(error, f"The server refused {sql!r}") from error

    def row(self, question: bytes) -> tuple[tuple[Any, ...], list[int]]:
        """Return the one row of a question, as bytes, and the types of its columns, as the protocol numbers them.

        Without a row, an empty one is returned.

        :raises ServerError: the server refused it, or the connection was lost.
        """
        try:
            with self._bytes(), self._connection.cursor() as cursor:
                cursor.execute(question)
                return next(iter(cursor.fetchall()), ()), [column[1] for column in cursor.description]
        except pymysql.err.Error as error:
            raise _server_error(error, f"The server refused {question!r}") from error

    def send(
        self, text: bytes, kept: Optional[int], place: int = 0, meanwhile: Optional[Callable[[], None]] = None
    ) -> Answer:
        """Send one packet, read every result, and return the rows of the one whose rows are to be kept, as bytes.

        ``results`` then tells about each result whether tables without transactions had been written in the transaction
        that was open after it.

        :param place: added to the place of an error.
        :returns: an error in the kept result is returned.
        :raises ServerError: the server refused a statement, or the connection was lost.
        """
        rows: Rows = []
        results = self.results = []
        try:
            self._connection.meanwhile = meanwhile
            self._connection.send(text)
            more = True
            while more:
                more = self._connection.next_answer(rows if len(results) == kept else None)
                results.append(self.state.wrote_nontransactional)
            return rows
        except pymysql.err.Error as error:
            failure = _server_error(error, "The server refused the statement")
            if len(results) == kept and not failure.lost:
                return failure
            failure.place = place + len(results)
            raise failure from error

    def answers(self, text: bytes) -> list[Answer]:
        """Send a packet of several statements, and return what each has answered: its rows, as bytes.

        A statement that is refused ends the packet: its error is the last answer.

        :raises ServerError: the connection was lost.
        """
        found: list[Answer] = []
        try:
            self._connection.send(text)
            more = True
            while more:
                rows: Rows = []
                more = self._connection.next_answer(rows)
                found.append(rows)
        except pymysql.err.Error as error:
            failure = _server_error(error, "The server refused the statement")
            if failure.lost:
                raise failure from error
            found.append(failure)
        return found

    @contextmanager
    def _bytes(self) -> Iterator[None]:
        """Take what comes back as bytes: it may not be text at all, names of columns included."""
        connection = self._connection
        settings = connection.use_unicode, connection.decoders, connection.encoding
        connection.use_unicode, connection.decoders, connection.encoding = False, {}, "latin1"
        try:
            yield
        finally:
            connection.use_unicode, connection.decoders, connection.encoding = settings


def _open(settings: Settings) -> Any:
    context = settings.tls_context()
    try:
        return _attempt(settings, context)
    except ServerError as error:
        # "preferred" takes plain text from a server that has no TLS, as the mysql client does.
        if settings.tls == "preferred" and context is not None and error.code == NO_TLS_ON_SERVER:
            return _attempt(settings, None)
        raise


def _attempt(settings: Settings, context: Any) -> Any:
    options: dict[str, Any] = {"ssl": context} if context is not None else {"ssl_disabled": True}
    plugins: dict[str, Any] = {"dialog": _Dialog, "mysql_old_password": _OldPasswordRefused}
    if settings.tls in ("disabled", "preferred") and not settings.unix_socket:
        # These send the password as it is.
        plugins |= dict.fromkeys(("mysql_clear_password", "dialog"), _ClearTextRefused)
    options["auth_plugin_map"] = plugins
    if settings.unix_socket:
        options["unix_socket"] = settings.unix_socket
    if settings.config_file:
        _check_readable(settings.config_file)
        options["read_default_file"] = settings.config_file
    if settings.user is not None:
        options["user"] = settings.user
    try:
        connection: Any = _Connection(
            public_key=settings.public_key(),
            host=settings.host,
            port=settings.port,
            # PyMySQL would take a text for Latin-1, as no other client does.
            password=(settings.password or "").encode("utf-8", "surrogateescape"),
            database=settings.database,
            connect_timeout=settings.connect_timeout,
            read_timeout=settings.connect_timeout,
            # Number 45, utf8mb4_general_ci, goes into the handshake, as golang-migrate's driver does it.
            charset="utf8mb4",
            autocommit=None,
            client_flag=CLIENT.MULTI_STATEMENTS | _EXTENSIONS,
            **options,
        )
    except (pymysql.err.Error, OSError, RuntimeError) as error:
        _refuse(error, settings, context is not None)
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


class _Dialog:
    """MariaDB's plugin for PAM. PyMySQL's own way fails where the password is wanted without a question."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def authenticate(self, _packet: Any) -> Any:
        connection = self._connection
        connection.write_packet(connection.password + b"\0")
        answer = connection._read_packet()
        answer.check_error()
        if not answer.is_ok_packet():
            raise pymysql.err.OperationalError(PLUGIN_FAILED, "the server asks for more than a password")
        return answer


class _ClearTextRefused:
    """In place of PyMySQL's own way, which sends the password to any server that asks for it."""

    def __init__(self, connection: Any) -> None:
        pass

    def authenticate(self, packet: Any) -> NoReturn:
        raise pymysql.err.OperationalError(PLUGIN_FAILED, "the server asks for the password in clear text")


_OLD_PASSWORD = "the account has a password in the format used before MySQL 4.1"


class _OldPasswordRefused:
    """In place of PyMySQL's own way, which is not there."""

    def __init__(self, connection: Any) -> None:
        pass

    def authenticate(self, packet: Any) -> NoReturn:
        raise pymysql.err.OperationalError(OLD_PLUGIN, _OLD_PASSWORD)


def _check_readable(path: str) -> None:
    if not os.access(path, os.R_OK):
        raise Error(1519, f"config_file {path} cannot be read on the runner. Check the path and its mode.")


def _refuse(error: Exception, settings: Settings, encrypted: bool) -> NoReturn:
    who = f"{settings.user}@{settings.address}" if settings.user else settings.address
    if isinstance(error, RuntimeError):
        # PyMySQL says so when an account wants RSA and the package for it is missing.
        code, reason = KEY_UNKNOWN, str(error)
        hint = Message(1520, "Use tls: required, or install the cryptography package on the runner.")
    else:
        code, reason = _code_and_reason(error)
        if "unknown auth switch" in reason:
            # So a server asks that does not name the plugin: it is the one of before MySQL 4.1.
            code, reason = OLD_PLUGIN, _OLD_PASSWORD
        hint = settings.hints.get(code) or HINTS.get(code) or Message(1521, "")
    if code == 1045 and settings.server_public_key and not encrypted:
        hint = Message(1522, f"{hint.text} If both are right, server_public_key belongs to another server.")
    doing = f"open the database {settings.database}" if settings.database else "log in"
    failure = ServerError(code, reason, f"Cannot {doing} as {who}", hint.number)
    failure.args = (f"{failure}. {hint.text}".rstrip(),)
    raise failure from error


def _server_error(error: Exception, doing: str) -> ServerError:
    failure = ServerError(*_code_and_reason(error), doing)
    if failure.lost:
        reason = f"({failure.code}) {failure.reason}" if failure.code else "the server closed it"
        failure.number, text = Message(
            1523, f"The connection to the server was lost: {reason}. Run again: it finds out what was done."
        )
        failure.args = (text,)
    return failure


def _code_and_reason(error: Exception) -> tuple[int, str]:
    if len(error.args) >= 2 and isinstance(error.args[0], int):
        return error.args[0], str(error.args[1])[:_LONGEST_REASON] or "the connection was lost"
    return 0, str(error)[:_LONGEST_REASON]
