# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether another server is similar enough to the database's own to rehearse on it. Private to the collection."""

from __future__ import annotations

from .._mysql.session import Session
from .._mysql.statements import text_literal

# What a definition becomes, whether a statement is taken, and how an ALTER is carried out depends on these. A server
# has those that its series knows.
_SETTINGS = (
    "alter_algorithm",
    "character_set_collations",
    "character_set_server",
    "collation_server",
    "default_collation_for_utf8mb4",
    "default_storage_engine",
    "explicit_defaults_for_timestamp",
    "innodb_default_row_format",
    "innodb_instant_alter_column_allowed",
    "innodb_page_size",
    "innodb_strict_mode",
    "lower_case_table_names",
    "old_alter_table",
    "old_mode",
    "restrict_fk_on_non_standard_key",
    "sql_generate_invisible_primary_key",
    "sql_mode",
    "sql_require_primary_key",
)


def differences(own: Session, other: Session) -> list[str]:
    """Return the relevant differences between another server and the database's own, as texts.

    :raises ServerError: a connection was lost.
    """
    if _series(own) != _series(other):
        return [f"it is {_series(other)}, and this one is {_series(own)}"]
    here, there = _settings(own), _settings(other)
    return [
        f"{name} is {there.get(name) or 'empty'} there, and {here.get(name) or 'empty'} here"
        for name in sorted({*here, *there})
        if here.get(name) != there.get(name)
    ]


def full_name(session: Session) -> str:
    """Return a name of a database that is unique among servers.

    :raises ServerError: the connection was lost.
    """
    [(host, port)] = session.query("SELECT @@hostname, @@port")
    return f"{host}:{port}/{session.schema}"


def _series(session: Session) -> str:
    return f"{'MariaDB' if session.mariadb else 'MySQL'} {session.version // 10000}.{session.version // 100 % 100}"


def _settings(session: Session) -> dict[str, str]:
    names = ", ".join(map(text_literal, _SETTINGS))
    rows = session.query(f"SHOW GLOBAL VARIABLES WHERE variable_name IN ({names})")
    return {str(name).lower(): str(value) for name, value in rows}
