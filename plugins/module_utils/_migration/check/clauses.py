# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ALTER TABLE whose clauses are slower together than one by one. Private to the collection.

A server takes the slowest way that any clause needs, for all of them. Sources: MySQL reference manual, "Online DDL
Operations"; MariaDB knowledge base, "InnoDB Online DDL Operations with the INSTANT Alter Algorithm".
"""

from __future__ import annotations

from collections.abc import Iterator

from ..statements.definitions import NO_COLUMN
from .finding import WARNING, Found, Rule
from .script import Script
from .sql import Clause, Sql, altered, columns, has

RULE = Rule("several_clauses", WARNING, "Move the instant clauses to a statement of their own.")

# What a column that is added must not have, for that to be instant.
_NOT_INSTANT = (b"AUTO_INCREMENT", b"STORED", b"PERSISTENT", b"UNIQUE", b"PRIMARY", b"KEY", b"REFERENCES", b"CHECK")


def judge(script: Script) -> Iterator[Found]:
    """Find an ALTER TABLE of which a part alone would be instant, and which as a whole is not."""
    for sql in script.statements:
        table = altered(sql)
        if table is None or script.makes(table.name, sql) or has(sql.tokens, b"ALGORITHM"):
            continue
        instant = [clause for clause in table.parts if is_instant(sql, clause)]
        others = [clause for clause in table.parts if clause not in instant and not _matters_not(clause)]
        if instant and others:
            alone, with_it = _said(sql, instant[0]), _said(sql, others[0])
            what = f"{alone} alone may be instant; with {with_it} the server may rebuild or copy {table.name}."
            yield Found(what, sql.span.first, sql.span.first)


def is_instant(sql: Sql, clause: Clause) -> bool:
    """Tell whether a clause alone changes nothing but the dictionary, on servers of today."""
    verb, second = clause[0].text, clause[1].text if len(clause) > 1 else b""
    if verb == b"ADD":
        found = columns(sql, clause)
        return bool(found) and not any(has(one, *_NOT_INSTANT) for one in found)
    if verb == b"DROP":
        return second not in NO_COLUMN
    if verb == b"ALTER":
        return second not in (b"INDEX", b"KEY", b"CHECK", b"CONSTRAINT")
    return verb == b"RENAME" and second == b"COLUMN"


def _matters_not(clause: Clause) -> bool:
    """Tell whether a clause is instant with others, too, or says how the server is to go about it."""
    texts = [token.text for token in clause[:2]]
    renames = texts[0] == b"RENAME" and texts[1:] not in ([b"INDEX"], [b"KEY"])
    return renames or texts in ([b"DROP", b"CHECK"], [b"DROP", b"CONSTRAINT"]) or texts[0] == b"LOCK"


def _said(sql: Sql, clause: Clause) -> str:
    named = sql.words(clause)
    return f"{named} COLUMN" if named in ("ADD", "DROP", "ALTER") else named
