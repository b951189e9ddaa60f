# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the history knows about a directory: files that were changed, skipped, or are gone.

Private to the collection. Pure: nothing here touches a database or a file.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Optional

from .model import Move, Source, State
from .tables.history_table import read_progress


class Known(NamedTuple):
    """What the history says is applied.

    :param checksums: by version; None for a version whose file was not run by this collection.
    :param state: what the state table held after the last move; None if there is no history.
    :param settled: whether the last move recorded which versions it treated as applied; migration_force cannot.
    :param unfinished: the version of which an attempt was started after that move, and has not succeeded.
    """

    checksums: Mapping[int, Optional[str]]
    state: Optional[State]
    settled: bool = True
    unfinished: Optional[int] = None

    def below(self, source: Source, state: State) -> list[int]:
        """Return the versions below the current one that have never been applied."""
        if self.state is None or state.version is None:
            return []
        row = self.moved(source, state)
        applied = {*self.checksums, *(_assumed(row["progress"]) if row else ())}
        return [
            item.version
            for item in source.migrations
            if item.up and item.version < state.version and item.version not in applied
        ]

    def ahead_of(self, state: State) -> list[int]:
        """Return the versions that are applied or started according to the history, and that would be applied again.

        An attempt that was started only counts if the state table has no row: otherwise somebody used golang-migrate's
        own way to recover from a failure, which is to force the previous version.
        """
        if state.dirty:
            return []
        if state.version is None:
            return sorted({*self.checksums, *([self.unfinished] if self.unfinished is not None else [])})
        return sorted(version for version in self.checksums if version > state.version)

    def missing(self, source: Source) -> list[int]:
        """Return the versions that were applied and have no file."""
        have = {item.version for item in source.migrations}
        return sorted(version for version in self.checksums if version not in have)

    def moved(self, source: Source, state: State) -> Optional[dict[str, Any]]:
        """Return the row about a move that the history does not know; None if there was none.

        Whatever made the move, the versions in the directory up to its target are treated as applied.
        """
        before = self.state.version if self.state else None
        if state.dirty or (state.version == before and self.settled):
            return None
        up = before is not None and state.version is not None and state.version > before
        low = before if before is not None and up and self.settled else -1
        return {
            "version": state.version,
            "from_version": before,
            "leads_to": state.version,
            "direction": "external" if state.version != before else "baseline",
            "progress": assumed(source, low, state.version),
        }


def assumed(source: Source, above: int, version: Optional[int]) -> str:
    """Return the directory's versions above one up to another, as a row keeps them."""
    top = -1 if version is None else version
    return json.dumps({"assumed": [item.version for item in source.migrations if above < item.version <= top]})


def known(moves: Iterable[Move]) -> Known:
    """Add up the history, the oldest move first."""
    checksums: dict[int, Optional[str]] = {}
    state: Optional[State] = None
    settled = True
    unfinished: Optional[int] = None
    for move in moves:
        if move.unfinished:
            unfinished = move.version if move.direction == "up" else None
            continue
        state = State(move.leads_to, False)
        if move.direction == "up" and move.version is not None:
            checksums[move.version] = move.checksum
        elif move.direction == "down" and move.version is not None:
            checksums.pop(move.version, None)
        elif move.direction not in ("up", "down"):
            top = -1 if move.leads_to is None else move.leads_to
            checksums = {version: checksum for version, checksum in checksums.items() if version <= top}
            for version in _assumed(move.progress):
                checksums.setdefault(version, None)
        settled = move.direction in ("up", "down") or move.progress is not None
    return Known(checksums, state, settled, unfinished)


def _assumed(progress: Optional[str]) -> list[int]:
    found: list[int] = read_progress(progress).get("assumed", [])
    return found
