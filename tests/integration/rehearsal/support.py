# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Schemas to copy, and what their copies are like."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from typing import Any, NamedTuple

import pymysql
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.session import Session, connect
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.settings import MYSQL, read_settings
from ansible_collections.dbops.migrations.plugins.module_utils._rehearsal.copy import row_formats, write
from ansible_collections.dbops.migrations.plugins.module_utils._rehearsal.snapshot import Snapshot, difference, take
from integration.rehearsal.objects import Dice
from parts.mariadb import DatabaseServer, MariaDB


class Copied(NamedTuple):
    """What a copy is like.

    :param left_out: what could not be copied, and why.
    :param differences: between the original and the copy.
    """

    left_out: dict[str, str]
    differences: list[str]
    objects: int
    sorts: set[str]


@contextlib.contextmanager
def made(server: DatabaseServer, seed: int, count: int) -> Iterator[str]:
    """Make a schema of about so many objects of all kinds."""
    schema = f"test_{uuid.uuid4().hex[:12]}"
    server.create_schema(schema)
    try:
        with server.connect(schema) as connection, connection.cursor() as cursor:
            cursor.execute("SET NAMES utf8mb4")
            for statement in Dice(seed, isinstance(server, MariaDB)).statements(count):
                # What the server refuses is not part of the schema.
                with contextlib.suppress(pymysql.MySQLError):
                    cursor.execute(statement)
        yield schema
    finally:
        server.query(f"DROP DATABASE `{schema}`")


def session_of(server: DatabaseServer, schema: str) -> contextlib.AbstractContextManager[Session]:
    """Open a session of ours."""
    options: dict[str, Any] = {name: option.get("default") for name, option in MYSQL.argument_spec.items()}
    login = {"login_host": server.host, "login_port": server.port, "login_user": server.user}
    return connect(
        read_settings({**options, **login, "login_password": server.password, "login_db": schema, "tls": "disabled"})
    )


def copied(server: DatabaseServer, schema: str) -> Copied:
    """Copy all objects of a schema, and compare."""
    copy = f"{schema}_copy"
    server.create_schema(copy)
    try:
        with session_of(server, schema) as session:
            original = take(session)
            assert original.unreadable == {}
            tables = [key.name for key in original.definitions if key.sort == "TABLE"]
            formats = row_formats(session, tables)
        with session_of(server, copy) as session:
            left_out = write(session, original.definitions, formats, None, lambda: None)
        with session_of(server, copy) as session:
            found = take(session)
    finally:
        server.query(f"DROP DATABASE `{copy}`")
    return Copied(
        {str(key): why for key, why in left_out.items()},
        [
            *(f"{change.key}\n{change.diff}" for change in difference(original, found)),
            *(f"{key}: {settings}" for key, settings in _settings(original).items() - _settings(found).items()),
        ],
        len(found.definitions),
        {key.sort for key in found.definitions},
    )


def _settings(snapshot: Snapshot) -> dict[str, str]:
    """Return the settings of each object; those of the connection are not part of a difference."""
    return {str(key): str(definition.settings) for key, definition in snapshot.definitions.items()}
