# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The status of many schemas: of each what migration_info says about it. Private to the collection.

Schemas whose states and histories are equal are evaluated once. A schema that is being migrated, was interrupted, or
cannot be read together with others is looked at alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional

from ..._core.errors import Error
from ..._core.run import failed
from ..._mysql.line import Line
from ..._mysql.rights import Account, Rights
from ..info import Info, look, own, standing
from ..model import Source, State
from ..status import DatabaseStatus, Snapshot, history_name
from ..tables.history_table import AttemptRecord
from .look import Looker, Tables

# What is the same for two schemas: the state, the history's digest if there is one, and whether there is a history.
_Place = tuple[State, Optional[str], bool]


class Statuses:
    """Finds out where schemas are.

    :param params: migrations_table, history_table, lock and history_limit.
    :param line: opens those that have to be looked at alone.
    """

    def __init__(self, looker: Looker, params: Mapping[str, Any], source: Source, account: Account, line: Line) -> None:
        self._looker = looker
        self._params = params
        self._source = source
        self._account = account
        self._line = line
        self._statuses: dict[_Place, DatabaseStatus] = {}
        self._standings: dict[tuple[_Place, Optional[Rights]], dict[str, Any]] = {}

    def of(self, names: Sequence[str]) -> dict[str, Info]:
        """Return the status of each, in order.

        Of one that cannot be read ``standing`` is empty, and ``own`` what a module that fails returns. Of one that is
        healthy ``own`` is empty.
        """
        tables = self._readable(self._looker.tables(names))
        with self._looker.one_moment():
            found = self._together(tables)
        # A run that is under way is looked at again, with what it is doing.
        free = self._looker.free(list(found))
        return {name: found[name] if name in free else self._alone(name) for name in names}

    def _readable(self, found: Mapping[str, Tables]) -> dict[str, Tables]:
        """Leave out those that have a table after all, which the server hides or has only just got."""
        hidden: set[str] = set()
        for table, lacking in (
            (self._params["migrations_table"], [name for name, tables in found.items() if not tables.state]),
            (history_name(self._params), [name for name, tables in found.items() if not tables.history]),
        ):
            hidden.update(name for name in lacking if table and not self._looker.lacks(name, table))
        return {name: tables for name, tables in found.items() if name not in hidden}

    def _together(self, tables: Mapping[str, Tables]) -> dict[str, Info]:
        """Return the status of those of which it is certain without a look at each."""
        states = {name: found.state for name, found in self._looker.states(tables).items()}
        clean = {name: state for name, state in states.items() if state is not None and not state.dirty}
        digests = self._looker.digests([name for name in clean if tables[name].history])
        found: dict[str, Info] = {}
        places: dict[str, _Place] = {}
        for name, state in clean.items():
            place = state, digests.get(name), tables[name].history
            if place[1] is None and place[2]:
                continue
            try:
                found[name] = Info(self._standing(name, place), {})
                places[name] = place
            except Error:
                # Alone it is said what is wrong.
                continue
        healthy = {name: info for name, info in found.items() if info.standing["healthy"]}
        return {**healthy, **self._explained({name: found[name] for name in found if name not in healthy}, places)}

    def _explained(self, found: Mapping[str, Info], places: Mapping[str, _Place]) -> dict[str, Info]:
        """Add what is about each alone."""
        without = [name for name in found if not places[name][2]]
        records: dict[str, list[AttemptRecord]] = {name: [] for name in without}
        with_history = [name for name in found if name not in records]
        records.update(self._looker.records(with_history, self._params["history_limit"]))
        seen = {name: Snapshot(self._statuses[places[name]], rows, None) for name, rows in records.items()}
        return {
            name: info._replace(own=own(name, seen[name], info.standing, self._source, self._params))
            for name, info in found.items()
            if name in seen
        }

    def _standing(self, name: str, place: _Place) -> dict[str, Any]:
        key = place, self._account.rights(name)
        if place not in self._statuses:
            self._statuses[place] = self._looker.status(name, place[0], place[2])
        if key not in self._standings:
            seen = Snapshot(self._statuses[place], [], None)
            self._standings[key] = standing(seen, self._source, self._account, name)
        return self._standings[key]

    def _alone(self, name: str) -> Info:
        try:
            return look(self._line.open(name), self._params, self._source, self._account)
        except Exception as error:
            self._line.close()
            return Info({}, {"database": name, "failed": True, **failed(error)})
