# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Restores what is kept, or drops it permanently. Private to the collection.

A table is restored by a rename, which the server refuses if there is a table of that name. Its row is deleted after
that: a row without a table means nothing. Values are written in one transaction, and compared before it is committed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional

from .._core.errors import Error
from .._migration.report import count, few
from .._migration.status import load
from .._mysql.session import ServerError, Session
from .._mysql.statements import COMMIT, ROLLBACK, START_TRANSACTION, identifier
from .kept import Catalogue, Entry


def restore(session: Session, catalogue: Catalogue, params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Restore an item; return it as a return value, with ``changed``.

    :param params: restore and restore_as; the options of the state table and the history.
    :raises Error: it is not kept, or cannot be restored.
    """
    [entry] = _chosen(catalogue, [params["restore"]])
    if load(session, params).state.dirty:
        raise Error(
            2216,
            f"A migration of {session.database} is partially applied: restoring something now could hide how far it "
            "got. Finish it first, or set the version. Nothing was restored.",
        )
    columns = entry.what == "columns"
    table = params["restore_as"] or (entry.details["now"] if columns else entry.table)
    exists = bool(
        session.query(
            "SELECT 1 FROM information_schema.tables WHERE table_schema = %s AND table_name = %s",
            (session.schema, table),
        )
    )
    if columns and not exists:
        raise Error(
            2217,
            f"There is no table {table} in {session.database}, into which the values of "
            f"{', '.join(entry.details['columns'])} could be restored. Name it in restore_as. Nothing was restored.",
        )
    if exists and not columns:
        raise Error(
            2218,
            f"There is a table {table} in {session.database}, so {entry.id} cannot be restored under that name. Name "
            "another one in restore_as. Nothing was restored.",
        )
    found = {"id": entry.id, "table": table, "rows": None, "missing": None, "definition": "", "changed": True}
    try:
        if columns:
            return {**found, **_restore_columns(session, catalogue, entry, table, check_mode)}
        if not check_mode:
            session.query(f"RENAME TABLE {catalogue.place(entry)} TO {_place(session, table)}")
            catalogue.forget(entry)
    except ServerError as error:
        raise Error(
            2219,
            f"{entry.id} could not be restored to {table} of {session.database}: ({error.code}) {error.reason}. It is "
            "still kept. Fix the cause and run again.",
            error_code=error.code,
        ) from error
    return {**found, "definition": entry.details["definition"]}


def _restore_columns(
    session: Session, catalogue: Catalogue, entry: Entry, table: str, check_mode: bool
) -> dict[str, Any]:
    """Write values back into a table."""
    names, key = entry.details["columns"], entry.details["key"]
    rows = session.query(
        "SELECT column_name, extra FROM information_schema.columns WHERE table_schema = %s AND table_name = %s",
        (session.schema, table),
    )
    there = {str(name): str(extra).lower() for name, extra in rows}
    missing = [name for name in (*key, *names) if name not in there]
    if missing:
        raise Error(
            2220,
            f"{table} of {session.database} has no column {few(missing)} to restore values into. Add what is missing, "
            "as it was. Nothing was restored.",
        )
    on = " AND ".join(f"t.{identifier(name)} = k.{identifier(name)}" for name in key)
    both = f"{_place(session, table)} t JOIN {catalogue.place(entry)} k ON {on}"
    differ = " OR ".join(f"NOT ({_same(identifier(name))})" for name in names)
    # A value that does not fit is an error, but one that the table held once is not.
    session.query("SET SESSION sql_mode = 'STRICT_ALL_TABLES,ALLOW_INVALID_DATES,NO_AUTO_VALUE_ON_ZERO'")
    [(matched,)] = session.query(f"SELECT COUNT(*) FROM {both}")
    [(differing,)] = session.query(f"SELECT COUNT(*) FROM {both} WHERE {differ}")
    gone = int(entry.rows or 0) - int(matched)
    if differing and not check_mode:
        # Columns with ON UPDATE CURRENT_TIMESTAMP must not change.
        kept = [name for name, extra in there.items() if "on update" in extra and name not in names]
        values = [f"t.{identifier(name)} = k.{identifier(name)}" for name in names]
        values += [f"t.{identifier(name)} = t.{identifier(name)}" for name in kept]
        session.query(START_TRANSACTION)
        session.query(f"UPDATE {both} SET {', '.join(values)}")
        [(left,)] = session.query(f"SELECT COUNT(*) FROM {both} WHERE {differ}")
        if left:
            session.query(ROLLBACK)
            raise Error(
                2221,
                f"{table} of {session.database} did not take the values unchanged, in {count(int(left), 'row')}: its "
                "columns differ, or a trigger changes them. Nothing was restored.",
            )
        session.query(COMMIT)
    return {"rows": int(differing), "missing": gone, "changed": bool(differing)}


def purge(
    catalogue: Catalogue, numbers: Optional[Sequence[int]], older_than: Optional[int], check_mode: bool
) -> list[int]:
    """Drop items permanently; return their numbers.

    :param numbers: which; None for those that are older.
    :param older_than: days.
    :raises Error: one is not kept.
    """
    if older_than is not None and older_than < 0:
        raise Error(2222, f"purge_older_than is {older_than}. Give a number of days, 0 or more.")
    if numbers is not None:
        chosen = _chosen(catalogue, numbers)
    else:
        chosen = [item.entry for item in catalogue.kept() if item.days >= (older_than or 0)]
    for entry in () if check_mode else chosen:
        catalogue.drop(entry)
    return [entry.id for entry in chosen]


def said(restored: Optional[Mapping[str, Any]], purged: Sequence[int], kept: str, check_mode: bool) -> str:
    """Describe what was done, or would be.

    :param kept: how much is kept, for a call that did nothing.
    """
    mood, ending = ("check mode, nothing was changed; it would ", "") if check_mode else ("", "d")
    if purged:
        return f"{mood}purge{ending} {few(map(str, purged))}"
    if restored and restored["rows"] is None:
        return f"{mood}restore{ending} {restored['id']}, the table {restored['table']}"
    if restored:
        gone = f"; {count(restored['missing'], 'row')} no longer exist{'s' * (restored['missing'] == 1)}"
        return (
            f"{mood}restore{ending} {restored['id']}, values in {count(restored['rows'], 'row')} of {restored['table']}"
            f"{gone if restored['missing'] else ''}"
        )
    return kept


def _chosen(catalogue: Catalogue, numbers: Sequence[int]) -> list[Entry]:
    known = {item.entry.id: item.entry for item in catalogue.kept()}
    missing = [number for number in numbers if number not in known]
    if missing:
        raise Error(
            2223,
            f"Not kept of this database in {catalogue.schema}: {few(map(str, missing))}. Kept are "
            f"{few(map(str, known)) or 'no things'}. Nothing was changed.",
        )
    return [known[number] for number in dict.fromkeys(numbers)]


def _place(session: Session, table: str) -> str:
    return f"{identifier(session.schema)}.{identifier(table)}"


def _same(name: str) -> str:
    """Return whether a column's two values are the same, byte by byte; HEX rounds numbers, and <=> knows no case."""
    return f"t.{name} <=> k.{name} AND HEX(t.{name}) <=> HEX(k.{name})"
