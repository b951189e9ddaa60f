# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Statements of ours that mean the same whatever a migration has set. Private to the collection.

They were tried under every sql_mode of MySQL 9.7 and MariaDB 10.5 to 11.8, with completion_type CHAIN and RELEASE, and
after SET SESSION TRANSACTION READ ONLY.
"""

from __future__ import annotations

# SET SESSION TRANSACTION READ ONLY would hold for a transaction that does not say what it is.
START_TRANSACTION = "START TRANSACTION READ WRITE"
# completion_type holds for a COMMIT or ROLLBACK that does not say what is to follow it.
COMMIT = "COMMIT AND NO CHAIN NO RELEASE"
ROLLBACK = "ROLLBACK AND NO CHAIN NO RELEASE"

# Whoever waits for a lock holds others: not for longer than this, in seconds. What held before is set again by PATIENT.
IMPATIENT = (
    "SET @dbops_migrations_wait = @@SESSION.lock_wait_timeout, "
    "@dbops_migrations_row_wait = @@SESSION.innodb_lock_wait_timeout, "
    "SESSION lock_wait_timeout = 1, SESSION innodb_lock_wait_timeout = 1"
)
PATIENT = (
    "SET SESSION lock_wait_timeout = @dbops_migrations_wait, "
    "SESSION innodb_lock_wait_timeout = @dbops_migrations_row_wait, "
    "@dbops_migrations_wait = NULL, @dbops_migrations_row_wait = NULL"
)


def identifier(name: str) -> str:
    """Return a name of a table, a column or the like, quoted for every sql_mode."""
    return "`" + name.replace("`", "``") + "`"


def text_literal(text: str) -> str:
    """Return an SQL literal for a text, in ASCII.

    It means the same in every sql_mode and with every character set of the session: a backslash, a character that the
    session's character sets may lack, and an empty text (MariaDB's EMPTY_STRING_IS_NULL makes NULL of ``''``) are
    written in hexadecimal digits.
    """
    if text and text.isascii() and "\\" not in text and "\0" not in text:
        quoted = text.replace("'", "''")
        return f"'{quoted}'"
    return f"_utf8mb4 X'{text.encode().hex()}'"
