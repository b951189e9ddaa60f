# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every database server that the tests know, by its name."""

from __future__ import annotations

from .mariadb import MariaDB
from .mariadb_versions import MariaDB105, MariaDB114, MariaDB118
from .mysql import MySQL, MySQL80

# Those without a version are this machine's MariaDB (10.11 on Debian 12) and the newest MySQL.
SERVERS: dict[str, type[MariaDB] | type[MySQL]] = {
    "mariadb-10.5": MariaDB105,
    "mariadb": MariaDB,
    "mariadb-11.4": MariaDB114,
    "mariadb-11.8": MariaDB118,
    "mysql-8.0": MySQL80,
    "mysql": MySQL,
}
