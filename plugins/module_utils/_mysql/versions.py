# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which servers are supported, and what they can do. Pure. Private to the collection.

- Supported: MySQL 8.0 and later, MariaDB 10.6 and later. Their definitions (DDL) are atomic: an interrupted one took
  effect as a whole or not at all, and it can be found out afterwards which.
- Old: MySQL 5.6 and 5.7, MariaDB 10.2 to 10.5. They work, but the user has to be asked about interrupted statements
  more often. The user is warned.
- Refused: anything older. It lacks what the history or the transactions need, and cannot be tested.

A version newer than those that were tested (MySQL 9.7, MariaDB 11.8) is accepted without a warning. Both servers keep
their protocol and SQL compatible, golang-migrate does not check the version at all, and a warning in each run that
nobody can act on teaches people to ignore warnings.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple, Optional

from .._core.errors import coded

_SUPPORTED = {False: 80000, True: 100600}
_OLDEST = {False: 50600, True: 100200}


class Support(Enum):
    """How far a server is supported."""

    SUPPORTED = "supported"
    OLD = "old"
    REFUSED = "refused"


class Version(NamedTuple):
    """A server's product and version.

    :ivar mariadb: MariaDB rather than MySQL.
    :ivar number: 101119 for 10.11.19.
    """

    mariadb: bool
    number: int

    @property
    def support(self) -> Support:
        """How far it is supported."""
        if self.number < _OLDEST[self.mariadb]:
            return Support.REFUSED
        return Support.OLD if self.number < _SUPPORTED[self.mariadb] else Support.SUPPORTED

    @property
    def atomic_ddl(self) -> bool:
        """Whether a definition that was interrupted took effect as a whole or not at all.

        MySQL's reference manual, "Atomic Data Definition Statement Support"; MariaDB's documentation, "Atomic DDL".
        """
        return self.number >= _SUPPORTED[self.mariadb]

    @property
    def has_stats_expiry(self) -> bool:
        """Whether the server has the variable information_schema_stats_expiry."""
        return not self.mariadb and self.number >= 80003

    @property
    def complaint(self) -> Optional[str]:
        """What is to be said about a server that is not supported; None for one that is."""
        if self.support is Support.SUPPORTED:
            return None
        name = "MariaDB" if self.mariadb else "MySQL"
        text = f"{name} {self.number // 10000}.{self.number // 100 % 100}"
        wanted = "Supported are MySQL 8.0 and later and MariaDB 10.6 and later."
        if self.support is Support.REFUSED:
            return f"{text} is too old for this collection. {wanted} Upgrade the server."
        return coded(
            1524,
            f"{text} is no longer supported. {wanted} There, an interrupted DDL statement may take effect in part; "
            "the next run then stops until resume_from is set.",
        )


def read_version(text: str) -> Version:
    """Read the text that a server gives as its version.

    :param text: for instance ``9.7.1``, ``10.11.19-MariaDB-log``, ``8.0.mysql_aurora.3.08.0``.
    """
    # MariaDB puts 5.5.5- before its version in its greeting, for the sake of old replicas.
    plain = text[6:] if text.startswith("5.5.5-") else text
    numbers = [int("".join(filter(str.isdigit, part)) or 0) for part in plain.split("-")[0].split(".")[:3]]
    major, minor, patch = [*numbers, 0, 0, 0][:3]
    return Version("mariadb" in text.lower(), major * 10000 + minor * 100 + patch)
