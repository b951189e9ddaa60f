# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a statement changes the reading of what comes after it, as far as its text shows. Private to the collection.

The engine asks the server. Here constants are believed, and anything else is treated as a return to the default, as in
``SET sql_mode = @old``.
"""

from __future__ import annotations

from ..files.lexer import Dialect, Token
from .sql import Clause, Sql, parted

# Modes in which double quotes enclose names; MariaDB's combinations among them ("SQL_MODE", MariaDB knowledge base).
_ANSI_QUOTES = frozenset(b"ANSI ANSI_QUOTES DB2 MAXDB MSSQL ORACLE POSTGRESQL".split())
_SCOPES = frozenset(b"SESSION LOCAL @ .".split())


def reading_after(sql: Sql, dialect: Dialect, default: Dialect) -> Dialect:
    """Return how what follows a statement is read; the same object if that is as before.

    :param default: how a new session reads.
    """
    if not sql.starts(b"SET"):
        return dialect
    new = dialect
    for assignment in parted(sql.tokens[1:]):
        new = _assigned(sql, assignment, new, default)
    return dialect if new == dialect else new


def _assigned(sql: Sql, tokens: Clause, dialect: Dialect, default: Dialect) -> Dialect:
    rest = list(tokens)
    while rest and rest[0].text in _SCOPES:
        rest.pop(0)
    name = rest[0].text if rest else b""
    if name == b"NAMES":
        return dialect._replace(character_set=_character_set(sql, rest[1:2], default))
    if name == b"CHARSET" or [token.text for token in rest[:2]] == [b"CHARACTER", b"SET"]:
        value = rest[1:2] if name == b"CHARSET" else rest[2:3]
        return dialect._replace(character_set=_character_set(sql, value, default))
    if name == b"CHARACTER_SET_CLIENT":
        return dialect._replace(character_set=_character_set(sql, rest[2:3], default))
    return _modes(sql, rest[2:], dialect) if name == b"SQL_MODE" else dialect


def _character_set(sql: Sql, value: Clause, default: Dialect) -> str:
    name = _text(sql, value[0]).lower() if value else ""
    return name if name.isidentifier() and name != "default" else default.character_set


def _modes(sql: Sql, value: Clause, dialect: Dialect) -> Dialect:
    """Take the modes from whatever texts are in the value, which may add them to those that hold."""
    texts = [_text(sql, token) for token in value if token.kind in ("word", "quoted")]
    modes = {mode.strip().encode("ascii", "replace") for text in texts for mode in text.upper().split(",")}
    return dialect._replace(
        ansi_quotes=bool(modes & _ANSI_QUOTES),
        backslash_escapes=b"NO_BACKSLASH_ESCAPES" not in modes,
        oracle=dialect.mariadb and b"ORACLE" in modes,
    )


def _text(sql: Sql, token: Token) -> str:
    return sql.text[token.start : token.end].decode("utf-8", "replace").strip("'\"`")
