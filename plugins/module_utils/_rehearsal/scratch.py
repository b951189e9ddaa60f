# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The temporary schema of a rehearsal, which is dropped however the run ends. Private to the collection.

A lock on the server makes sure that there is only one for a database. A run that is killed leaves its schema behind;
the server releases the lock, so that the next run can recognize the schema as left over.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from .._core.errors import Error
from .._mysql.session import ServerError, Session
from .._mysql.statements import identifier, text_literal

PREFIX = "dbops_rehearsal_"
_NAME = re.compile(PREFIX + r"([0-9a-f]{8})_[0-9]+")


class Busy(Error):
    """Another rehearsal of the database is running."""


def lock_name(database: str) -> str:
    """Return the name of the lock, which is the beginning of the schema's name, too."""
    return f"{PREFIX}{zlib.crc32(database.encode()):08x}"


@contextmanager
def scratch(session: Session, database: str, timeout: int) -> Iterator[str]:
    """Give the name of a schema that is to be made, for the length of a ``with`` block; it is gone afterwards.

    :param session: one of the account that rehearses, which does nothing else.
    :param database: the schema that is to be copied.
    :param timeout: seconds to wait for another rehearsal of it.
    :raises Busy: that one has not ended.
    :raises ServerError: the connection was lost.
    """
    lock = lock_name(database)
    if not takes(session, lock, timeout):
        raise Busy(2114, f"another rehearsal of {database} did not finish within {timeout} s")
    try:
        remove_left(session, lock)
        name = f"{lock}_{session.connection_id}"
        try:
            yield name
        finally:
            drop(session, name)
    finally:
        with suppress(ServerError):
            session.query(f"SELECT RELEASE_LOCK({text_literal(lock)})")


def remove_left(session: Session, own: str) -> None:
    """Drop what runs have left that were killed.

    :param own: a lock that the session holds.
    :raises ServerError: the connection was lost.
    """
    for lock in {*_locks(session), own}:
        if lock != own and not takes(session, lock, 0):
            continue
        # What another run has made meanwhile, it has made under the lock.
        for name in _schemas(session):
            if name.startswith(f"{lock}_"):
                drop(session, name)
        if lock != own:
            session.query(f"SELECT RELEASE_LOCK({text_literal(lock)})")


def make(session: Session, name: str, collation: str) -> None:
    """Make an empty schema.

    :param collation: what its tables have that name none.
    :raises ServerError: the account may not, or the connection was lost.
    """
    session.query(f"CREATE DATABASE {identifier(name)} COLLATE {collation}")


def drop(session: Session, name: str) -> None:
    """Drop a schema, if the account may.

    :raises ServerError: the connection was lost.
    """
    try:
        session.query("SET SESSION foreign_key_checks = 0")
        session.query(f"DROP DATABASE IF EXISTS {identifier(name)}")
    except ServerError as error:
        if error.lost:
            raise


def takes(session: Session, lock: str, timeout: int) -> bool:
    """Take a lock of the server's, which the session has until its end; return whether it has it."""
    return session.query(f"SELECT GET_LOCK({text_literal(lock)}, {timeout})") == [(1,)]


def _locks(session: Session) -> set[str]:
    return {name.rpartition("_")[0] for name in _schemas(session)}


def _schemas(session: Session) -> list[str]:
    rows = session.query(
        f"SELECT schema_name FROM information_schema.schemata WHERE LEFT(schema_name, {len(PREFIX)}) = '{PREFIX}'"
    )
    return [str(name) for (name,) in rows if _NAME.fullmatch(str(name))]
