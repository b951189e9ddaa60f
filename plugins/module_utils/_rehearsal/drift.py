# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Detects changes of a schema that were made outside of migrations. Private to the collection.

After a run, the definitions of all objects are kept in a table beside the history, with the version and the number of
the history's newest attempt. While these two are unchanged, no migration has run since, and any difference from the
stored definitions is drift. If they have changed, for example after golang-migrate has run, nothing is reported.

The definitions are kept, and not their fingerprints: what counts as equal is decided when they are compared.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, Optional

from .._core.errors import Error, coded
from .._migration.report import few
from .._migration.run.apply import DriftCheck
from .._migration.status import definitions_name, load, own_tables
from .._mysql.limit import Connect
from .._mysql.session import ServerError, Session
from .._mysql.statements import COMMIT, START_TRANSACTION, identifier, text_literal
from .snapshot import Change, Definition, Key, Settings, Snapshot, changes, take

_NO_SUCH_TABLE = 1146
_NO_SUCH_COLUMN = 1054
# Bytes of a statement that keeps definitions, about.
_PACKET = 1 << 20
_COLUMNS = {
    "sort": "VARCHAR(16) NOT NULL",
    "name": "VARCHAR(64) NOT NULL",
    "definition": "MEDIUMBLOB NULL",
    "details": "TEXT NOT NULL",
}


class Position(NamedTuple):
    """What moves with each migration.

    :param version: the state table's.
    :param attempt: the number of the history's newest row; 0 without one.
    """

    version: Optional[int]
    attempt: int


class Kept(NamedTuple):
    """What was kept.

    :param definitions: None for an object whose definition the server did not show.
    :param unlisted: the sorts that the server did not list to the account of then.
    """

    position: Optional[Position]
    definitions: dict[Key, Optional[Definition]]
    unlisted: frozenset[str] = frozenset()


class Drift:
    """The definitions that are kept of the session's schema.

    :param params: migrations_table and history_table.
    """

    def __init__(self, session: Session, params: Mapping[str, Any]) -> None:
        self._session = session
        self._params = params
        self._table = f"{identifier(session.schema)}.{identifier(definitions_name(params))}"

    def find(self) -> Optional[list[Change]]:
        """Return what was changed; None if that is not known."""
        position = self._position()
        if position is None or self._kept_at() != position:
            return None
        kept, now = self._kept(), self._take()
        # Somebody may migrate meanwhile.
        if self._position() != position or kept.position != position:
            return None
        before = {key: item for key, item in kept.definitions.items() if item is not None}
        # What was hidden from the account at one time or the other may be as it was.
        hidden = {*now.unreadable, *(kept.definitions.keys() - before.keys())}
        unlisted = kept.unlisted | now.unlisted
        return [
            change
            for change in changes(before, now.definitions)
            if change.key not in hidden and change.key.sort not in unlisted
        ]

    def keep(self) -> None:
        """Keep the definitions as they are now, unless those of this position are kept.

        :raises ServerError: the server refuses, or a table of that name is not ours.
        """
        position = self._position()
        if position is None or self._kept_at() == position:
            return
        kept, now = self._kept(), self._take()
        found: dict[Key, Optional[Definition]] = {**now.definitions, **dict.fromkeys(now.unreadable)}
        columns = ", ".join(f"{name} {kind}" for name, kind in _COLUMNS.items())
        self._session.query(
            f"CREATE TABLE IF NOT EXISTS {self._table} ({columns}, PRIMARY KEY (sort, name)) ENGINE=InnoDB "
            "CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
        )
        self._session.query(START_TRANSACTION)
        for key in kept.definitions.keys() - found.keys():
            sort, name = map(text_literal, key)
            self._session.query(f"DELETE FROM {self._table} WHERE sort = {sort} AND name = {name}")
        new = {key: item for key, item in found.items() if key not in kept.definitions or kept.definitions[key] != item}
        details = {**position._asdict(), "unlisted": sorted(now.unlisted)}
        rows = [_row(Key("", ""), None, details), *(_row(key, item) for key, item in new.items())]
        for part in _packets(rows):
            self._session.query(f"REPLACE INTO {self._table} ({', '.join(_COLUMNS)}) VALUES {part}")
        self._session.query(COMMIT)

    def _position(self) -> Optional[Position]:
        """Return where the schema is; None if a migration is not over."""
        status = load(self._session, self._params)
        if status.state.dirty:
            return None
        return Position(status.state.version, status.history.last_id() if status.history and status.present else 0)

    def _take(self) -> Snapshot:
        return take(self._session, own_tables(self._params))

    def _kept_at(self) -> Optional[Position]:
        rows = self._ask("SELECT details FROM {table} WHERE sort = ''")
        return _position(json.loads(rows[0][0])) if rows else None

    def _kept(self) -> Kept:
        kept = Kept(None, {})
        for sort, name, digits, details in self._ask("SELECT sort, name, HEX(definition), details FROM {table}"):
            if sort:
                kept.definitions[Key(sort, name)] = _definition(Key(sort, name), digits, details)
            else:
                values = json.loads(details)
                kept = kept._replace(position=_position(values), unlisted=frozenset(values["unlisted"]))
        return kept

    def _ask(self, question: str) -> list[tuple[Any, ...]]:
        try:
            return self._session.query(question.format(table=self._table))
        except ServerError as error:
            # A table of that name may be somebody else's.
            if error.code in (_NO_SUCH_TABLE, _NO_SUCH_COLUMN):
                return []
            raise


def said(database: str, found: list[Change]) -> str:
    """Describe what was changed."""
    names = few(f"{change.key} {change.change}" for change in found)
    return f"{database} has drifted: these objects were changed since the last run, and not by a migration: {names}."


def refusal(database: str, found: list[Change]) -> Error:
    """Return why nothing is run, and what to do."""
    return Error(
        2116,
        f"{said(database, found)} Undo the changes, or make them in a migration; or set drift to warn for one run, "
        "which accepts them. Nothing was run.",
        drift=result(found),
    )


def result(found: Optional[list[Change]]) -> Optional[list[dict[str, str]]]:
    """Return what was changed, as a return value."""
    if found is None:
        return None
    return [{"type": key.sort, "name": key.name, "change": change, "diff": diff} for key, change, diff in found]


def _position(values: Mapping[str, Any]) -> Position:
    return Position(values["version"], values["attempt"])


def _row(key: Key, definition: Optional[Definition], details: Optional[dict[str, Any]] = None) -> str:
    if definition is not None:
        details = {**definition.settings._asdict(), "table": definition.table, "order": definition.order}
    text = "NULL" if definition is None else f"X'{definition.text.hex()}'"
    return f"({text_literal(key.sort)}, {text_literal(key.name)}, {text}, {text_literal(json.dumps(details or {}))})"


def _definition(key: Key, digits: Optional[str], details: str) -> Optional[Definition]:
    if digits is None:
        return None
    values = json.loads(details)
    table, order = values.pop("table"), values.pop("order")
    return Definition(key, bytes.fromhex(digits), Settings(**values), table, order)


def _packets(rows: list[str]) -> Iterator[str]:
    """Join rows to lists that are not too long."""
    part: list[str] = []
    size = 0
    for row in rows:
        if part and size + len(row) > _PACKET:
            yield ", ".join(part)
            part, size = [], 0
        part.append(row)
        size += len(row)
    yield ", ".join(part)


def check(params: Mapping[str, Any], warn: Callable[[str], None], database: str, connect: Connect) -> DriftCheck:
    """Return what a run does about changes that were made outside of migrations.

    :param params: the options of migration_apply.
    :param warn: shows a person a warning.
    :param connect: opens a session to the database.
    """

    def look() -> Optional[list[dict[str, str]]]:
        # What reading definitions takes is not to be in force when a migration runs.
        with connect() as session:
            found = Drift(session, params).find()
        if found:
            if params["drift"] == "refuse":
                raise refusal(database, found)
            warn(coded(2117, said(database, found)))
        return result(found)

    def keep() -> None:
        try:
            with connect() as session:
                Drift(session, params).keep()
        except Error as error:
            # What was to be done is done.
            warn(coded(2118, f"The definitions could not be saved, so drift will not be detected: {error}"))

    return DriftCheck(look, keep)
