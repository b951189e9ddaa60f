# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One connection to a database; the one place that knows PyMySQL. Private to the collection."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

from .._core.dependency import Dependency
from .._core.errors import Error
from .settings import Settings

_PYMYSQL = Dependency("PyMySQL[rsa]")
with _PYMYSQL:
    import pymysql
    from pymysql.constants import CLIENT
    from pymysql.cursors import SSCursor

_MENTIONS_SQL_MODE = re.compile(rb"sql_mode", re.IGNORECASE)
_NO_TLS_ON_SERVER = 2026
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
    2061: "Use tls: required, or install the cryptography package on the runner.",
}


class ServerError(Error):
    """What the server, or the connection to it, answered.

    :param code: the server's error code; 0 when the connection itself failed.
    :param reason: the server's text.
    """

    def __init__(self, code: int, reason: str, doing: str) -> None:
        self.code = code
        self.reason = reason
        super().__init__(f"{doing}: ({code}) {reason}", error_code=code)


class Session:
    """One open connection, with autocommit on, on which everything of a run happens.

    :ivar database: the schema's name as it was given.
    :ivar mariadb: MariaDB rather than MySQL.
    :ivar server: the server's version text.
    :ivar version: the version as a number, 101119 for 10.11.19.
    :ivar sql_modes: the session's sql_mode now.
    """

    def __init__(self, connection: Any, database: str) -> None:
        self._connection = connection
        self.database = database
        self.server: str = connection.get_server_info()
        self.mariadb = "mariadb" in self.server.lower()
        self.version = _version_number(self.server)
        self._read_sql_mode()

    def query(self, sql: str, arguments: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run one statement of ours and return its rows.

        :param sql: with ``%s`` for each argument.
        :raises ServerError: the server refused it, or the connection was lost.
        """
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(sql, tuple(arguments) or None)
                return list(cursor.fetchall())
        except pymysql.err.Error as error:
            raise _server_error(error, f"The server refused {sql!r}") from error

    def execute(self, statement: bytes) -> None:
        """Run a statement of the user's as it stands, and read all that comes back without keeping it.

        :raises ServerError: the server refused it, or the connection was lost.
        """
        connection = self._connection
        kept = connection.use_unicode, connection.decoders
        # What comes back may be no text at all.
        connection.use_unicode, connection.decoders = False, {}
        try:
            with connection.cursor(SSCursor) as cursor:
                cursor.execute(statement)
                while True:
                    while cursor.fetchmany(1000):
                        pass
                    if not cursor.nextset():
                        break
        except pymysql.err.Error as error:
            raise _server_error(error, "The server refused the statement") from error
        finally:
            connection.use_unicode, connection.decoders = kept
        if _MENTIONS_SQL_MODE.search(statement):
            self._read_sql_mode()

    def _read_sql_mode(self) -> None:
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
    if settings.unix_socket:
        options["unix_socket"] = settings.unix_socket
    if settings.config_file:
        _check_readable(settings.config_file)
        options["read_default_file"] = settings.config_file
    if settings.user is not None:
        options["user"] = settings.user
    try:
        connection: Any = pymysql.connect(
            host=settings.host,
            port=settings.port,
            password=settings.password or "",
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
    # PyMySQL has one limit for the greeting, which must come soon, and for every answer after it; a statement
    # may take as long as it takes.
    connection._read_timeout = None
    return connection


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
    hint = _HINTS.get(code, "")
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
