# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which objects a copy needs, and how they are written into another schema. Private to the collection."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Optional

from .._migration.files.lexer import Dialect
from .._mysql.session import ServerError, Session
from .._mysql.statements import identifier, text_literal
from .leaving import why_leaving
from .snapshot import SORTS, Definition, Key, Snapshot, read, things

_WORD = re.compile(rb"[0-9A-Za-z_$\x80-\xff]+")
_SEQUENCE = re.compile(rb"(?:nextval|lastval|setval)\(`((?:[^`]|``)+)`")
_ROW_FORMAT = re.compile(rb"\n\)[^\n]* ROW_FORMAT=")
_OPTIONS = re.compile(rb"\n\) ENGINE=\w+")


def needed(session: Session, without: Collection[str], scripts: Iterable[bytes]) -> Snapshot:
    """Read the definitions of the objects that scripts may have to do with.

    A schema may have thousands of tables, and it is the reading of them that takes time.

    :param without: tables that are left out.
    :raises ServerError: the connection was lost, or the server does not list the schema's objects.
    """
    all_things = things(session, without)
    programs = read(session, [thing for thing in all_things if thing.key.sort not in ("TABLE", "SEQUENCE")])
    tables = [thing.key for thing in all_things if thing.key.sort in ("TABLE", "SEQUENCE")]
    keys = closure(tables, programs, _all_parents(session), scripts)
    found = read(session, [thing for thing in all_things if thing.key in keys and thing.key.sort == "TABLE"])
    wanted = {name for table in found.definitions.values() for name in _sequences(table)}
    sequences = [thing for thing in all_things if thing.key.sort == "SEQUENCE"]
    counted = read(session, [thing for thing in sequences if thing.key in keys or thing.key.name in wanted])
    parts = (counted, found, programs)
    keys |= counted.definitions.keys()
    return Snapshot(
        {key: item for part in parts for key, item in part.definitions.items() if key in keys},
        {key: why for part in parts for key, why in part.unreadable.items() if key in keys},
    )


def closure(
    tables: Iterable[Key], programs: Snapshot, parents: Mapping[str, set[str]], scripts: Iterable[bytes]
) -> set[Key]:
    """Return the objects that scripts may have to do with.

    Those whose names stand anywhere in a script; the views over such tables and their foreign keys' children; and of
    all these the triggers, the foreign keys' parents, and what views, triggers and routines name.

    :param programs: all objects but tables.
    :param parents: the tables to which each table's foreign keys refer.
    """
    definitions = programs.definitions
    names = Names([*tables, *definitions, *programs.unreadable])
    named = names.within(b"\n".join(scripts))
    touched = {key.name for key in named if key.sort == "TABLE"}
    for key, definition in definitions.items():
        if key.sort == "VIEW" and any(item.name in touched for item in names.within(definition.text)):
            named.add(key)
    named |= names.of([child for child, of in parents.items() if not touched.isdisjoint(of)])
    triggers: dict[str, list[Key]] = {}
    for key, definition in definitions.items():
        if key.sort == "TRIGGER":
            triggers.setdefault(definition.table, []).append(key)
    found: set[Key] = set()
    left = list(named)
    while left:
        key = left.pop()
        if key in found:
            continue
        found.add(key)
        if key.sort == "TABLE":
            left += [*triggers.get(key.name, ()), *names.of(parents.get(key.name, ()))]
        elif key in definitions:
            known = definitions[key]
            left += names.within(known.text)
            left += names.of([known.table] if known.table else [])
    return found


def _all_parents(session: Session) -> dict[str, set[str]]:
    """Return the tables of the schema to which each table's foreign keys refer."""
    found: dict[str, set[str]] = {}
    rows = session.query(
        "SELECT table_name, referenced_table_name FROM information_schema.referential_constraints "
        "WHERE constraint_schema = %s AND unique_constraint_schema = %s",
        (session.schema, session.schema),
    )
    for table, parent in rows:
        found.setdefault(str(table), set()).add(str(parent))
    return found


class Names:
    """Finds objects by their names in texts, without regard to case: the server may not regard it either."""

    def __init__(self, keys: Iterable[Key]) -> None:
        self._plain: dict[bytes, list[Key]] = {}
        self._others: dict[bytes, list[Key]] = {}
        for key in keys:
            name = key.name.encode()
            group = self._plain if _WORD.fullmatch(name) else self._others
            group.setdefault(name.lower(), []).append(key)

    def within(self, text: bytes) -> set[Key]:
        lower = text.lower()
        found = [self._plain[word] for word in set(_WORD.findall(lower)) & self._plain.keys()]
        single = _single(lower)
        found += [keys for name, keys in self._others.items() if _single(name) in single]
        return {key for keys in found for key in keys}

    def of(self, names: Iterable[str]) -> set[Key]:
        wanted = [name.encode().lower() for name in names]
        return {key for name in wanted for key in (*self._plain.get(name, ()), *self._others.get(name, ()))}


def _single(text: bytes) -> bytes:
    """Return a text in which no quote is doubled, as those inside a name are."""
    return text.replace(b"``", b"`").replace(b'""', b'"')


def _sequences(table: Definition) -> list[str]:
    return [name.replace(b"``", b"`").decode() for name in _SEQUENCE.findall(table.text)]


def write(
    session: Session,
    definitions: Mapping[Key, Definition],
    row_formats: Mapping[str, str],
    schemas: Optional[Collection[str]],
    stop: Callable[[], None],
) -> dict[Key, str]:
    """Write objects into the session's schema; return those that are left out, and why.

    They have the account as their definer, and no event is enabled.

    :param session: one of its own.
    :param row_formats: of tables that have another one than a new table gets.
    :param schemas: see ``why_leaving``, by which objects are left out; None where the server makes sure.
    :param stop: raises what ends the work.
    :raises ServerError: the connection was lost.
    """
    session.query("SET SESSION foreign_key_checks = 0, SESSION lock_wait_timeout = 2")
    left_out: dict[Key, str] = {}
    views: list[Definition] = []
    collation = _Collation(session)
    for definition in sorted(definitions.values(), key=lambda item: (SORTS.index(item.key.sort), item.order)):
        stop()
        why = None if schemas is None else why_leaving(definition.text, dialect(session, definition), schemas)
        if why is not None:
            left_out[definition.key] = why
            continue
        if definition.key.sort == "TRIGGER" and views:
            left_out.update(_write_views(session, views))
            views = []
        if definition.key.sort == "VIEW":
            views.append(definition)
            continue
        row_format = row_formats.get(definition.key.name) if definition.key.sort == "TABLE" else None
        collation.use(definition.settings.schema_collation)
        error = _create(session, definition, row_format)
        if error is not None:
            left_out[definition.key] = f"({error.code}) {error.reason}"
    left_out.update(_write_views(session, views))
    collation.use("")
    return left_out


class _Collation:
    """The schema's collation, which programs keep as it was when they were made."""

    def __init__(self, session: Session) -> None:
        self._session = session
        [(self._own,)] = session.query("SELECT @@collation_database")
        self._now = self._own

    def use(self, collation: str) -> None:
        wanted = collation or self._own
        if wanted != self._now:
            self._session.query(f"ALTER DATABASE {identifier(self._session.schema)} COLLATE {wanted}")
            self._now = wanted


def _write_views(session: Session, views: Iterable[Definition]) -> dict[Key, str]:
    """Write views, each after those that it is over; return what cannot be written."""
    left, errors = list(views), dict[Key, ServerError]()
    while left:
        errors = {view.key: error for view in left for error in [_create(session, view, None)] if error is not None}
        if len(errors) == len(left):
            break
        left = [view for view in left if view.key in errors]
    return {key: f"({error.code}) {error.reason}" for key, error in errors.items()}


def _create(session: Session, definition: Definition, row_format: Optional[str]) -> Optional[ServerError]:
    settings, text = definition.settings, definition.text
    if row_format and not _ROW_FORMAT.search(text):
        text = _OPTIONS.sub(lambda options: options[0] + b" ROW_FORMAT=" + row_format.encode(), text, count=1)
    setting = (
        f"SET SESSION sql_mode = {text_literal(settings.sql_mode)}, "
        f"SESSION character_set_client = {settings.character_set or 'utf8mb4'}, "
        f"SESSION collation_connection = {settings.collation or 'utf8mb4_general_ci'}"
    )
    if settings.time_zone:
        setting += f", SESSION time_zone = {text_literal(settings.time_zone)}"
    statements = [setting.encode(), text]
    if definition.table:
        # MySQL reads a table's CHECKs in the sql_mode of whoever opens it first.
        statements = [
            b"SET SESSION sql_mode = '', SESSION character_set_client = utf8mb4",
            f"SELECT 1 FROM {identifier(definition.table)} LIMIT 0".encode(),
            *statements,
        ]
    answer = session.answers(statements)[-1]
    return answer if isinstance(answer, ServerError) else None


def row_formats(session: Session, tables: Collection[str]) -> dict[str, str]:
    """Return the row formats of the session's tables that are not what a new table gets.

    :raises ServerError: the connection was lost.
    """
    if not tables:
        return {}
    names = ", ".join(map(text_literal, tables))
    rows = session.query(
        "SELECT table_name, UPPER(row_format) FROM information_schema.tables "
        f"WHERE table_schema = {text_literal(session.schema)} AND table_name IN ({names}) AND engine = 'InnoDB' AND "
        "UPPER(row_format) <> UPPER(@@GLOBAL.innodb_default_row_format) "
        "AND row_format IN ('Compact', 'Redundant', 'Dynamic')"
    )
    return {str(name): str(form) for name, form in rows}


def dialect(session: Session, definition: Definition) -> Dialect:
    """Return how the server reads a definition."""
    modes = definition.settings.sql_mode.split(",")
    return Dialect(
        mariadb=session.mariadb,
        version=session.version,
        backslash_escapes="NO_BACKSLASH_ESCAPES" not in modes,
        ansi_quotes="ANSI_QUOTES" in modes,
        oracle=session.mariadb and "ORACLE" in modes,
        character_set=definition.settings.character_set or "utf8mb4",
    )
