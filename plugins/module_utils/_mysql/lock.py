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

from .._core.errors import Error
from .session import ServerError, Session

UnderWay = Callable[[Session, Mapping[str, Any]], str]


def lock_name(database: str, table: str) -> str:
    """Return the name golang-migrate locks (database/util.go, GenerateAdvisoryLockId).

    :param database: as typed in the connection settings, case included.
    """
    return str((zlib.crc32(f"{database}:{table}".encode()) * 1486364155) & 0xFFFFFFFF)


@contextmanager
def locked(
    session: Session, params: Mapping[str, Any], warn: Callable[[str], None], under_way: UnderWay
) -> Iterator[None]:
    """Hold the lock for the length of a ``with`` block. The server frees it if the connection dies.

    :param params: migrations_table, lock and lock_timeout, which is in seconds.
    :param warn: is told when there is no lock.
    :param under_way: is asked what is known of the run that holds it, as a sentence or nothing.
    :raises Error: another run holds it.
    """
    if not params["lock"]:
        warn(
            f"Nothing keeps another run off {session.database}, because lock is false: make sure that neither this "
            "collection nor golang-migrate works on it at the same time."
        )
        yield
        return
    table, timeout = params["migrations_table"], params["lock_timeout"]
    name = lock_name(session.database, table)
    if session.query("SELECT GET_LOCK(%s, %s)", (name, timeout)) != [(1,)]:
        holder = lock_holder(session, table) or "a run that has just ended"
        raise Error(
            f"Another run is at work on {session.database}: its lock was not free within {timeout} s. "
            f"It is held by {holder}. {under_way(session, params)}Wait for it, or raise lock_timeout.",
            lock_holder=holder,
        )
    try:
        yield
    finally:
        # A connection that is gone has freed the lock already.
        with suppress(ServerError):
            session.query("SELECT RELEASE_LOCK(%s)", (name,))


def lock_holder(session: Session, table: str) -> Optional[str]:
    """Return who holds the lock, as far as the server lets this user see; None if nobody does."""
    [(connection,)] = session.query("SELECT IS_USED_LOCK(%s)", (lock_name(session.database, table),))
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
