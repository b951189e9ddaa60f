# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Executes a directory's migrations on an empty schema, each forward, back and forward again, on a server for tests.

Private to the collection. It uses a scratch schema like a rehearsal, or one that the user names, which must be empty or
missing, and is left like that.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

from .._core.errors import Error
from .._core.stop import Stop
from .._migration.report import few
from .._mysql.lock import lock_name
from .._mysql.session import ServerError, Session
from . import account, scratch
from .rehearse import Rehearsal, Request, Room
from .runner import NotRehearsed
from .snapshot import take, things

# Seconds for all migrations. A pipeline has a limit of its own.
LONGEST = 3600
_NO_SCHEMA = 1049


class Tried(NamedTuple):
    """The result of it.

    :param server: what it was tried on, for a person.
    :param migrations: one for each of the plan's, as rehearse.py describes them.
    """

    server: str
    migrations: list[dict[str, Any]]


class Place(NamedTuple):
    """Where it happens.

    :param there: the schema is the user's, and there already.
    """

    schema: str
    collation: str
    there: bool


def try_all(request: Request, database: str) -> Tried:
    """Execute a plan on an empty schema.

    :param database: the schema to work in; an empty text for one that is made for it.
    :raises Error: the server cannot be reached, the schema is not empty or cannot be made, or a signal came.
    """
    rehearsal = Rehearsal(request, Stop())
    with request.there("") as owner:
        # It has the lock, and nothing to do until all is over.
        owner.query(f"SET SESSION wait_timeout = {24 * LONGEST}")
        place = _named(request, owner, database) if database else _own(owner)
        try:
            with place as found, ExitStack() as stack:
                schemas = account.within_reach(owner, found.schema)
                room = Room(request, owner, found.schema, found.collation, schemas, rehearsal.stop, stack)
                _walk(rehearsal, room, found.there)
        except NotRehearsed as reason:
            raise Error(
                2404,
                f"The account may not make a schema on the server. Give it {account.needed()}, or name an empty schema "
                "in login_db on which it has all privileges.",
            ) from reason
        rehearsal.stop()
        number = f"{owner.version // 10000}.{owner.version // 100 % 100}.{owner.version % 100}"
        return Tried(f"{'MariaDB' if owner.mariadb else 'MySQL'} {number}", rehearsal.migrations)


def _walk(rehearsal: Rehearsal, room: Room, there: bool) -> None:
    def refill() -> None:
        room.make()
        room.fill({}, {})

    if not there:
        refill()
        rehearsal.walk(room, refill)
        return
    room.fill({}, {})
    try:
        rehearsal.walk(room, refill)
    finally:
        room.make()


@contextmanager
def _own(owner: Session) -> Iterator[Place]:
    # Another check uses another schema.
    with scratch.scratch(owner, f"check {owner.connection_id}", 0) as name:
        yield Place(name, _collation(owner), False)


@contextmanager
def _named(request: Request, owner: Session, database: str) -> Iterator[Place]:
    # The one of migrations: the first of them may be about to be applied. It goes with the session.
    if not scratch.takes(owner, lock_name(database, request.params["migrations_table"]), 0):
        raise Error(
            2405,
            f"Another run holds the lock on {database}. Wait for it, or name another schema in login_db. Nothing was "
            "run.",
        )
    try:
        with request.there(database) as session:
            _check_empty(session, database)
            place = Place(session.schema, _collation(session), True)
    except ServerError as error:
        if error.code != _NO_SCHEMA:
            raise
        place = Place(database, _collation(owner), False)
    try:
        yield place
    finally:
        if not place.there:
            scratch.drop(owner, database)


def _collation(session: Session) -> str:
    [(collation,)] = session.query("SELECT @@collation_database")
    return str(collation)


def _check_empty(session: Session, database: str) -> None:
    """Make sure that nothing can be lost.

    :raises Error: something can.
    """
    found = things(session)
    if found:
        raise Error(
            2406,
            f"login_db {database} is not empty: it has {few(str(thing.key) for thing in found)}. Name a schema that is "
            "empty or not there, or none. Nothing was run.",
        )
    unlisted = take(session).unlisted
    if unlisted:
        raise Error(
            2407,
            f"Whether login_db {database} is empty is not known: the server does not list to this account every "
            f"{few(sorted(unlisted))} in it. Grant the account all privileges on it. Nothing was run.",
        )
