# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Changes of character sets and collations. Private to the collection.

A collation determines which values a unique index treats as equal. Both determine whether an index can be used in a
join. The table is copied (MySQL reference manual, "Column Character Set Conversion").
"""

from __future__ import annotations

from collections.abc import Iterator

from .finding import WARNING, Found, Rule
from .script import Script
from .sql import Clause, Sql, altered, has

RULE = Rule("charset", WARNING, "Try it on a copy: the table may be copied, and unique values may become equal.")

_WORDS = (b"CHARSET", b"COLLATE")
_CHANGES = frozenset(b"CONVERT DEFAULT CHARACTER CHARSET COLLATE MODIFY CHANGE".split())


def judge(script: Script) -> Iterator[Found]:
    """Find ALTER that may change a character set or a collation, once a statement."""
    for sql in script.statements:
        table = altered(sql)
        if table is not None and not script.makes(table.name, sql):
            clauses = [part for part in table.parts if part[0].text in _CHANGES and _names_one(part)]
        else:
            clauses = [sql.tokens] if _is_of_schema(sql) and _names_one(sql.tokens) else []
        for clause in clauses[:1]:
            about = f"of {table.name}" if table is not None else "that new tables get"
            what = f"{sql.words(clause)} may change the character set or the collation {about}."
            yield Found(what, sql.line(clause), sql.span.first)


def _is_of_schema(sql: Sql) -> bool:
    return sql.starts(b"ALTER", b"DATABASE") or sql.starts(b"ALTER", b"SCHEMA")


def _names_one(clause: Clause) -> bool:
    texts = [token.text for token in clause]
    return has(clause, *_WORDS) or any(pair == (b"CHARACTER", b"SET") for pair in zip(texts, texts[1:]))
