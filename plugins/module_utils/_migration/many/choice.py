# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which of many schemas have something to do. Private to the collection.

Nothing is decided here but which schemas need not be opened: those of which it is certain that migration_apply would
find nothing to do and nothing to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Optional

from ..._core.errors import Error
from ..model import Source, State
from ..plan import make_plan
from ..run.apply import Order, check_history, check_source
from ..status import history_name, may_be_known
from ..tables.history_table import APPLIED
from .look import Looker, Tables


class Choice:
    """Chooses the schemas that are to be opened."""

    def __init__(self, looker: Looker, order: Order, source: Source) -> None:
        self._looker = looker
        self._order = order
        self._source = source
        self._ways: dict[State, bool] = {}

    def to_open(self, names: Sequence[str]) -> list[str]:
        """Return those that have something to do, and after them those of which something is to be said only."""
        both = Tables(True, bool(history_name(self._order.params)))
        usual = {name: tables for name, tables in self._looker.tables(names).items() if tables == both}
        with self._looker.one_moment():
            settled, at_target = self._sorted(usual)
        to_do = [name for name in names if name not in settled and name not in at_target]
        return to_do + [name for name in names if name in at_target and name not in settled]

    def _sorted(self, usual: dict[str, Tables]) -> tuple[set[str], dict[str, State]]:
        """Return those of which nothing is to be said, and those at the target whose histories had to be looked at."""
        settled: set[str] = set()
        at_target: dict[str, State] = {}
        for name, found in self._looker.states(usual).items():
            state = found.state
            if state is None or state.dirty or self._leads_on(state):
                continue
            if not usual[name].history or self._is_known(found.newest, state):
                settled.add(name)
            else:
                at_target[name] = state
        verdicts: dict[tuple[State, str], bool] = {}
        for name, digest in self._looker.digests(list(at_target)).items():
            state = at_target[name]
            if (state, digest) not in verdicts:
                verdicts[state, digest] = self._is_quiet(name, state)
            if verdicts[state, digest]:
                settled.add(name)
        return settled, at_target

    def _is_known(self, newest: Optional[tuple[Any, ...]], state: State) -> bool:
        known_there = (self._order.params["commit"], APPLIED, state.version)
        return may_be_known(self._order.params) and newest == known_there

    def _leads_on(self, state: State) -> bool:
        """Tell whether there is a way to go from a state, or none can be found."""
        if state not in self._ways:
            try:
                self._ways[state] = bool(make_plan(self._source, state, self._order.goal).steps)
            except Error:
                self._ways[state] = True
        return self._ways[state]

    def _is_quiet(self, name: str, state: State) -> bool:
        """Tell whether migration_apply would say nothing of a history, and add nothing to it."""
        said: list[str] = []
        order = self._order._replace(warn=said.append)
        try:
            status = self._looker.status(name, state, True)
            check_history(name, order, status)
            check_source(order, self._source, status, None)
            return not said and status.moved(self._source) is None
        except Error:
            return False
