# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A schema that has tables but no recorded migrations. Private to the collection.

Its first migration may drop and recreate tables that have been filled since.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Optional

from ..._core.errors import Error
from ..._mysql.lock import Lock
from ..._mysql.session import Session
from ..applied import assumed
from ..model import Source, State, as_version
from ..report import few, format_version
from ..status import DatabaseStatus, about, own_tables
from ..tables.foreign_table import ForeignTable, applied_versions, columns_of, names, recognised
from .attempt import AttemptRecorder

# In place of a version: the one that another tool has recorded.
AUTO = "auto"


class Unmanaged(NamedTuple):
    """A schema for which no migration is recorded.

    :param tables: those that it holds, beside the state table and the history.
    :param foreign: those of them that are other tools' own.
    """

    tables: list[str]
    foreign: list[ForeignTable]


def is_recorded(status: DatabaseStatus) -> bool:
    """Tell whether the state table or the history says anything of migrations."""
    known = status.known
    return status.state != State(None, False) or known.state is not None or known.unfinished is not None


def look(session: Session, params: Mapping[str, Any]) -> Unmanaged:
    """Look at what a schema holds."""
    ours = {name.lower() for name in own_tables(params)}
    tables = {name: columns for name, columns in columns_of(session).items() if name.lower() not in ours}
    return Unmanaged(list(tables), recognised(tables))


def refusal(session: Session, found: Unmanaged) -> Error:
    """Return why a schema is not migrated, and what to do."""
    auto = "" if not found.foreign or found.foreign[0].tool.question is None else f", or {AUTO} to take it from there"
    return Error(
        1701,
        f"{session.database} holds tables ({few(found.tables)}), but no migration is recorded for "
        f"it.{names(found.foreign)} The first migrations may destroy what is there. Set baseline to the version that "
        f"the schema has{auto}; or set adopt to true to run all migrations from the first. Nothing was run.",
        tables=found.tables,
    )


def baseline_version(session: Session, source: Source, found: Unmanaged, text: str) -> int:
    """Return the baseline version of a schema.

    :param text: a number, or ``auto``.
    :raises Error: no file has it, or what another tool has recorded is not the files up to one of them.
    """
    have = [item.version for item in source.migrations]
    if text == AUTO:
        return _recorded(session, have, found)
    version = as_version(text)
    if version is None:
        raise Error(1702, f"baseline is {text!r}. Give the version that the schema has, a number, or {AUTO}.")
    if version not in have:
        raise Error(
            1703,
            f"baseline is {text}, and no file in the directory has that version; the last ones are "
            f"{few(have[-5:]) or 'none'}. Nothing was changed.",
        )
    return version


def _recorded(session: Session, have: list[int], found: Unmanaged) -> int:
    if len(found.foreign) != 1:
        raise Error(
            1704,
            f"{session.database} holds {'no' if not found.foreign else 'more than one'} table of another migration "
            f"tool.{names(found.foreign)} Set baseline to the version that the schema has.",
        )
    [foreign] = found.foreign
    versions = applied_versions(session, foreign)
    if not versions:
        raise Error(
            1705,
            f"{session.database}: {foreign}, and it has applied nothing. To run all migrations from the first, set "
            "adopt to true.",
        )
    last = versions[-1]
    without = [version for version in versions if version not in have]
    skipped = [version for version in have if version < last and version not in versions]
    if without or skipped:
        said = [
            f"no file here has version {few(without)}" if without else "",
            f"it has not applied version {few(skipped)}" if skipped else "",
        ]
        raise Error(
            1706,
            f"{session.database}: {foreign}, and it is at version {last}, but {' and '.join(filter(None, said))}. "
            "Name the files as it numbers its versions, or set baseline to the version that the schema has.",
        )
    return last


def record(
    session: Session,
    lock: Optional[Lock],
    status: DatabaseStatus,
    source: Source,
    version: int,
    params: Mapping[str, Any],
) -> None:
    """Write a baseline into the state table and the history."""
    recorder = AttemptRecorder(session, status.state_table, status.history, about(params), lock)
    recorder.prepare(status.state)
    row = {
        "version": version,
        "from_version": None,
        "leads_to": version,
        "direction": "baseline",
        "progress": assumed(source, -1, version),
    }
    recorder.record_move(State(version, False), row)


def said(database: str, version: int, check_mode: bool) -> str:
    """Say what a baseline has done, or would do."""
    did = "check mode, nothing was changed; it would record" if check_mode else "recorded"
    return f"{database}: {did} {format_version(version)} as its baseline"
