# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The truth about a trial: what the database holds after each statement, as a plain client carries them out.

What is found after a fault is compared with that: it shows which statements took effect, and how often.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from typing import Any

import pymysql
from parts.mariadb import DatabaseServer
from parts.snapshot import snapshot
from pymysql.constants import CLIENT, SERVER_STATUS

from .script import OTHER, SCHEMA, File, Work

STATE = "schema_migrations"
# Seconds that an event which is due may take.
_PATIENCE = 20

View = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """A place between two statements of a file.

    :ivar file: which of the files, in the order in which they are run, from 0.
    :ivar done: how many of its statements are done.
    :ivar whole: a new session can continue from here: no transaction and no temporary table is needed that it has not.
    """

    file: int
    done: int
    view: View
    whole: bool


def connect(server: DatabaseServer, user: str | None = None, password: str | None = None) -> Any:
    """Open a connection as golang-migrate's user would."""
    return pymysql.connect(
        host=server.host,
        port=server.port,
        user=user or server.user,
        password=password or server.password,
        database=SCHEMA if user is None else None,
        charset="utf8mb4",
        collation="utf8mb4_general_ci",
        autocommit=True,
        client_flag=CLIENT.MULTI_STATEMENTS,
        ssl_disabled=True,
    )


def settle(server: DatabaseServer) -> None:
    """Wait until nobody else uses the schemas, and no event is due any more."""
    limit = time.monotonic() + _PATIENCE
    while True:
        others = server.query(f"SELECT id FROM information_schema.processlist WHERE db IN ('{SCHEMA}', '{OTHER}')")
        due = server.query(
            f"SELECT 1 FROM information_schema.events WHERE event_schema = '{SCHEMA}' AND execute_at <= NOW()"
        )
        if not others and not due:
            return
        if time.monotonic() > limit:
            raise RuntimeError(f"Still running: {others} {due}")
        time.sleep(0.003)


def look(server: DatabaseServer, work: Work) -> View:
    """Return all that the work may have changed."""
    found = snapshot(server, SCHEMA, without="_history")
    for name in found:
        if name.startswith(("procedure ", "function ", "trigger ", "event ")):
            # MySQL keeps the semicolon if another statement is in the packet.
            found[name] = found[name].replace("; | ", " | ", 1)
    for question in (question for piece in work.pieces for question in piece.watch):
        if question.startswith("LOGIN "):
            _login, user, password = question.split()
            found[question] = _can_log_in(server, user, password)
        else:
            found[question] = sorted(map(repr, server.query(question)))
    found.pop(f"table {STATE}", None)
    found.pop(f"rows {STATE}", None)
    return found


def _can_log_in(server: DatabaseServer, user: str, password: str) -> bool:
    try:
        connect(server, user, password).close()
    except pymysql.MySQLError:
        return False
    return True


def prepare(server: DatabaseServer, work: Work) -> None:
    """Make the schemas empty, and do what is to be there beforehand."""
    clean(server, work)
    for schema in (SCHEMA, OTHER):
        server.create_schema(schema)
    with contextlib.closing(connect(server)) as connection, connection.cursor() as cursor:
        for text in (text for piece in work.pieces for text in piece.before):
            cursor.execute(text)


def clean(server: DatabaseServer, work: Work) -> None:
    """Undo what a trial has left, and remove the schemas."""
    for row in server.query("XA RECOVER"):
        server.query(f"XA ROLLBACK '{row[3]}'")
    for text in (text for piece in work.pieces for text in piece.after):
        server.query(text)
    for schema in (SCHEMA, OTHER):
        server.query(f"DROP DATABASE IF EXISTS {schema}")


def places(server: DatabaseServer, work: Work) -> list[Place]:
    """Carry the work out as a plain client, and return each place with what there is then."""
    prepare(server, work)
    found: list[Place] = []
    view = look(server, work)
    with contextlib.closing(connect(server)) as connection:
        # golang-migrate and we go down in another session than up.
        for number, file in enumerate(work.ups):
            view = _file(server, work, connection, number, file, found, view)
    if work.downs:
        with contextlib.closing(connect(server)) as connection:
            for number, file in enumerate(work.downs, len(work.ups)):
                view = _file(server, work, connection, number, file, found, view)
    return found


def _file(
    server: DatabaseServer, work: Work, connection: Any, number: int, file: File, found: list[Place], view: View
) -> View:
    found.append(Place(number, 0, view, True))
    held = False
    texts = [statement.sql for statement in file.statements]
    if file.head:
        # All or nothing.
        _run(connection, b"START TRANSACTION")
        texts[-1] += b";COMMIT"
    for done, statement in enumerate(file.statements, 1):
        try:
            # What it locks could not be looked at; the locks change nothing else.
            if not statement.sql.startswith((b"LOCK TABLES", b"UNLOCK TABLES")):
                _run(connection, texts[done - 1])
        except pymysql.MySQLError as error:
            raise RuntimeError(f"{work.kind}: {file.name}: {statement.sql!r}: {error}") from error
        held = (held or statement.holds) and not statement.lets_go
        _wait_for_events(server, statement.sql)
        view = look(server, work)
        inside = bool(connection.server_status & SERVER_STATUS.SERVER_STATUS_IN_TRANS)
        found.append(Place(number, done, view, not inside and not held))
    return view


def _wait_for_events(server: DatabaseServer, sql: bytes) -> None:
    limit = time.monotonic() + _PATIENCE
    while sql.startswith(b"CREATE EVENT") and server.query(
        f"SELECT 1 FROM information_schema.events WHERE event_schema = '{SCHEMA}'"
    ):
        assert time.monotonic() < limit
        time.sleep(0.01)


def _run(connection: Any, sql: bytes) -> None:
    with connection.cursor() as cursor:
        cursor._query(sql)
        while cursor.nextset():
            pass
        rows = cursor.description is not None
    if rows:
        # They come without word of whether a transaction is open.
        connection.ping(reconnect=False)


def matching(known: list[Place], view: View) -> list[Place]:
    """Return the places at which there is just this."""
    return [place for place in known if place.view == view]


def part_of(work: Work, known: list[Place], view: View) -> tuple[Place, tuple[str, ...]] | None:
    """Return the place before a statement that is there in part, and what takes that back.

    Statements that share what takes them back are one in that.
    """
    files = (*work.ups, *work.downs)
    for place in known:
        statements = files[place.file].statements
        if not place.whole or place.done == len(statements) or not statements[place.done].parts:
            continue
        parts = statements[place.done].parts
        for after in known:
            between = statements[place.done : after.done] if after.file == place.file else []
            if between and all(each.parts == parts for each in between) and _between(place.view, view, after.view):
                return place, parts
    return None


def _between(before: View, view: View, after: View) -> bool:
    """Tell whether a view is that before a statement with some of the rows that the statement adds."""
    if {*view} != {*before}:
        return False
    for name, value in view.items():
        if value == before[name]:
            continue
        if not isinstance(value, list):
            return False
        missing, added = list(value), list(after.get(name, []))
        for row in before[name]:
            if row not in missing:
                return False
            missing.remove(row)
            if row in added:
                added.remove(row)
        if any(row not in added for row in missing):
            return False
    return True
