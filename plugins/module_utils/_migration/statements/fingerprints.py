# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fingerprints of definitions, to tell whether a statement that was cut off took effect. Private to the collection.

Both servers carry such a statement out as a whole or not at all: MySQL 8.0 and later ("Atomic Data Definition
Statement Support"), MariaDB 10.6 and later ("Atomic DDL"; DROP of several objects goes one by one).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import Optional

from ..._mysql.session import Answer, ServerError, Session
from .classify import Object

ABSENT = "absent"
# Why SHOW CREATE finds nothing: no such schema, table, routine, user, trigger, event.
_NOT_THERE = (1049, 1146, 1305, 1141, 1269, 1360, 1396, 1539, 3162)
# Rows that the application writes meanwhile move the counter.
_COUNTER = re.compile(rb" AUTO_INCREMENT=\d+")
_CREATED = 6
_CHARACTERS = 32


def question(thing: Object) -> bytes:
    """Return the statement that asks for an object's definition."""
    return b"SHOW CREATE %b %b" % (thing.sort.encode(), thing.name)


def fingerprint(thing: Object, answer: Answer) -> Optional[str]:
    """Return a text that differs when the definition does; None if the server would not tell."""
    if isinstance(answer, ServerError):
        return ABSENT if answer.code in _NOT_THERE else None
    # A trigger has the time of its creation beside it, which is not part of what it is.
    shown = [value for row in answer for column, value in enumerate(row) if column != _CREATED]
    text = _COUNTER.sub(b"", b"\0".join(value or b"" for value in shown))
    return hashlib.sha256(text).hexdigest()[:_CHARACTERS]


def fingerprints(session: Session, objects: Iterable[Object], identities: bool) -> list[Optional[str]]:
    """Ask the server for the definitions of objects.

    :param identities: ask for each table's number, too, and add them.
    :raises ServerError: the connection was lost.
    """
    found = [fingerprint(thing, session.rows(question(thing))) for thing in objects]
    if identities:
        found += [_identity(session, thing) for thing in objects]
    return found


def _identity(session: Session, thing: Object) -> Optional[str]:
    """Return InnoDB's number of a table, a new one of which comes with TRUNCATE; None where it may not be seen."""
    table = "innodb_sys_tables" if session.mariadb else "innodb_tables"
    parts = [part.strip("`") for part in thing.name.decode("utf-8", "replace").split(".")]
    schema = "DATABASE()" if len(parts) == 1 else "X'" + parts[0].encode().hex() + "'"
    name = f"CONCAT({schema}, '/', X'{parts[-1].encode().hex()}')"
    answer = session.rows(f"SELECT table_id FROM information_schema.{table} WHERE name = {name}".encode())
    if isinstance(answer, ServerError) or len(answer) != 1:
        return None
    return str(answer[0][0].decode())
