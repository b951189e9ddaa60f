# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A MariaDB server."""

from __future__ import annotations

import os
import pwd
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pymysql

from .process import Server

FAST = (
    "--innodb-flush-log-at-trx-commit=0",
    "--sync-binlog=0",
    "--skip-log-bin",
    "--innodb-doublewrite=0",
    "--innodb-flush-method=nosync",
    "--innodb-buffer-pool-size=64M",
    "--innodb-log-file-size=48M",
    "--performance-schema=OFF",
)
DURABLE = ("--innodb-flush-log-at-trx-commit=1",)


def _server_account() -> str:
    # The servers refuse to run as root. A package that has only the programs makes no account.
    try:
        pwd.getpwnam("mysql")
    except KeyError:
        return "nobody"
    return "mysql"


class DatabaseServer(Server):
    """What MariaDB and MySQL have in common: an account ``admin`` with all rights, reachable over TCP."""

    user = "admin"
    # Whether the collection supports it, as docs/versions.md says.
    supported = True
    account = None if os.geteuid() else _server_account()

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.socket = folder / "socket"
        self.password = secrets.token_urlsafe(18)

    def common_options(self) -> list[str]:
        """Write the file that makes the account, and return the options that both servers understand."""
        accounts = self.folder / "accounts.sql"
        accounts.touch(mode=0o600)
        accounts.write_text(
            f"CREATE USER IF NOT EXISTS '{self.user}'@'%' IDENTIFIED BY '{self.password}';\n"
            f"GRANT ALL PRIVILEGES ON *.* TO '{self.user}'@'%' WITH GRANT OPTION;\n"
            "DROP USER IF EXISTS 'root'@'localhost', 'root'@'127.0.0.1', 'root'@'::1';\n"
        )
        if self.account is not None:
            accounts.chmod(0o640)
            os.chown(accounts, -1, self.folder.stat().st_gid)
        return [
            f"--datadir={self.folder / 'data'}",
            f"--socket={self.socket}",
            f"--pid-file={self.folder / 'pid'}",
            "--bind-address=127.0.0.1",
            f"--port={self.port}",
            f"--tmpdir={self.folder}",
            f"--init-file={accounts}",
            "--skip-name-resolve",
        ]

    def connect(self, database: str | None = None) -> pymysql.Connection[Any]:
        """Open a connection of the account ``admin``."""
        return pymysql.connect(
            host=self.host,
            port=self.port,
            user=self.user,
            password=self.password,
            database=database,
            autocommit=True,
            ssl_disabled=True,
        )

    def ready(self) -> bool:
        """Tell whether the account can log in."""
        try:
            self.connect().close()
        except pymysql.MySQLError:
            return False
        return True

    def query(self, sql: str, database: str | None = None) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows."""
        with self.connect(database) as connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())

    def create_schema(self, name: str) -> None:
        """Create an empty schema."""
        self.query(f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4")


class MariaDB(DatabaseServer):
    """The MariaDB server of this machine's packages.

    :param durable: whether a commit reaches the disk, as in production; the tests are quicker without.
    :param options: further options of the server, for instance those that switch TLS on.
    """

    def __init__(self, folder: Path, durable: bool = False, options: Sequence[str] = ()) -> None:
        super().__init__(folder)
        self._options = [*(DURABLE if durable else FAST), *options]

    def prepare(self) -> None:
        self.run(
            [
                "mariadb-install-db",
                "--no-defaults",
                f"--datadir={self.folder / 'data'}",
                # Each server that starts removes the temporary tables of all others that share its folder for them.
                f"--tmpdir={self.folder}",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
                "--skip-name-resolve",
            ]
        )

    def command(self) -> Sequence[str | Path]:
        return [_mariadbd(), "--no-defaults", *self.common_options(), *self._options]


def _mariadbd() -> str:
    # A plain account's PATH has no sbin on Debian, and CentOS keeps the server beside the libraries.
    for candidate in ("/usr/sbin/mariadbd", "/usr/libexec/mariadbd"):
        if Path(candidate).exists():
            return candidate
    return "mariadbd"
