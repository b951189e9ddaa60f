# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""golang-migrate's lock: one run at a time per database and state table. Private to the collection."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Optional

from .._core.errors import Error, coded
from .session import ServerError, Session

# BIGINT UNSIGNED value is out of range.
_OUT_OF_RANGE = 1690

UnderWay = Callable[[Session, Mapping[str, Any]], str]


def lock_name(database: str, table: str) -> str:
    """Return the name golang-migrate locks (database/util.go, GenerateAdvisoryLockId).

    :param database: as typed in the connection settings, case included.
    """
    return str((zlib.crc32(f"{database}:{table}".encode()) * 1486364155) & 0xFFFFFFFF)


class Lock:
    """A lock that this session has taken, and may have lost since: a migration can release it.

    :ivar name: golang-migrate's.
    :ivar guard: a statement to be put ahead of writes of ours in their packet. It is answered with OK and has no effect
        if this session holds the lock; otherwise it fails, so that the server does not run what is after it.
    """

    def __init__(self, session: Session, name: str) -> None:
        self._session = session
        self.name = name
        # Only an error ends a packet. DO hides errors and SELECT has rows, so a variable is set to what it is; this one
        # matters to no statement. The sum is too large for any integer if the lock is not ours. The value of a function
        # that asks for a lock is never computed beforehand.
        held = f"IF({_used(name)} <=> CONNECTION_ID(), 0, 1)"
        value = "@@SESSION.net_retry_count"
        self.guard = f"SET SESSION net_retry_count = IF(~0 + {held}, {value}, {value})"

    def lost(self, error: ServerError) -> bool:
        """Tell whether an error is the guard's, which says that the lock is lost."""
        return error.code == _OUT_OF_RANGE and "is_used_lock(" in error.reason and self.name in error.reason

    def retake(self) -> bool:
        """Take the lock again, without waiting; return whether this session holds it now.

        :raises ServerError: the connection was lost.
        """
        # MySQL and MariaDB count how often a session takes a lock, and would want it released as often.
        taken = f"IF({_used(self.name)} <=> CONNECTION_ID(), 1, GET_LOCK({_quoted(self.name)}, 0))"
        return self._session.query(f"SELECT {taken}") == [(1,)]

    def release(self) -> None:
        """Release the lock. If the connection is gone, the server has released it already."""
        with suppress(ServerError):
            self._session.query(f"SELECT RELEASE_LOCK({_quoted(self.name)})")


def _quoted(name: str) -> str:
    # MariaDB compares the bytes, which depend on the session's character set without this.
    return f"_latin1'{name}'"


def _used(name: str) -> str:
    return f"IS_USED_LOCK({_quoted(name)})"


@contextmanager
def locked(
    session: Session, params: Mapping[str, Any], warn: Callable[[str], None], under_way: UnderWay
) -> Iterator[Optional[Lock]]:
    """Hold the lock for the length of a ``with`` block; None if there is to be none.

    The server frees it if the connection dies.

    :param params: migrations_table, lock and lock_timeout, which is in seconds.
    :param warn: is told when there is no lock.
    :param under_way: is asked what is known of the run that holds it, as a sentence or nothing.
    :raises Error: another run holds it.
    """
    if not params["lock"]:
        warn(
            coded(
                1533,
                f"Locking is off: nothing prevents concurrent runs on {session.database}. Make sure that neither this "
                "collection nor golang-migrate works on it at the same time.",
            )
        )
        yield None
        return
    table, timeout = params["migrations_table"], params["lock_timeout"]
    lock = Lock(session, lock_name(session.database, table))
    if session.query(f"SELECT GET_LOCK({_quoted(lock.name)}, {timeout})") != [(1,)]:
        holder = lock_holder(session, table) or "a run that has just ended"
        raise Error(
            1534,
            f"Another migration run holds the lock on {session.database}: it was not free within {timeout} s. "
            f"It is held by {holder}. {under_way(session, params)}Wait for it, or raise lock_timeout.",
            lock_holder=holder,
        )
    try:
        yield lock
    finally:
        lock.release()


def holding(database: str, table: str) -> str:
    """Return SQL for the number of the connection that holds the lock; NULL if none does."""
    return _used(lock_name(database, table))


def lock_connection(session: Session, table: str) -> Optional[int]:
    """Return the number of the connection that holds the lock; None if nobody does."""
    [(connection,)] = session.query(f"SELECT {holding(session.database, table)}")
    return None if connection is None else int(connection)


def lock_holder(session: Session, table: str) -> Optional[str]:
    """Return who holds the lock, as far as the server lets this user see; None if nobody does."""
    connection = lock_connection(session, table)
    if connection is None:
        return None
    rows = session.query(
        "SELECT user, host, time, command, LEFT(info, 100) FROM information_schema.processlist WHERE id = %s",
        (connection,),
    )
    if not rows:
        return f"connection {connection}"
    user, host, seconds, command, text = rows[0]
    # Its first words tell what it does; what follows may be data, or a password.
    words = re.match(r"\w+(?:\s+\w+){0,2}", str(text or "").lstrip())
    what = f"running {' '.join(words[0].split())} …" if words else f"in state {command}"
    return f"connection {connection}, {user}@{host}, {what} for {seconds} s"
