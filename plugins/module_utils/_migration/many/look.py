# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which of many schemas have something to do, in a few questions for all of them. Private to the collection.

Nothing is decided here but which schemas need not be opened: those of which it is certain that migration_apply would
find nothing to do and nothing to say. No lock is taken. A schema about which a question fails is opened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, Optional

from ..._core.errors import Error
from ..._mysql.session import ServerError, Session
from ..._mysql.statements import ROLLBACK, identifier
from ..applied import known
from ..model import Source, State
from ..plan import make_plan
from ..run.apply import Order, check_history, check_source
from ..status import DatabaseStatus, history_name, may_be_known
from ..tables.history_table import APPLIED, COLUMNS, HistoryTable
from ..tables.state_table import StateTable, as_state
from .names import expand

# So many schemas are asked about in one question.
_CHUNK = 200
# Bytes; a history of more than a million moves is read where it is.
_LONGEST = 1 << 26
# The columns of the tables as golang-migrate and we make them, in the words of _TABLES.
_STATE = "version bigint 0,dirty tinyint 0"
_HISTORY = ",".join(COLUMNS)
_TABLES = (
    "SELECT 0, HEX(table_schema), GROUP_CONCAT(LOWER(column_name), ' ', LOWER(data_type), ' ', is_nullable = 'YES' OR "
    "column_default IS NOT NULL OR extra <> '' ORDER BY ordinal_position) FROM information_schema.columns "
    "WHERE table_name = %s GROUP BY HEX(table_schema) UNION ALL "
    "SELECT 1, HEX(table_schema), GROUP_CONCAT(LOWER(column_name) ORDER BY ordinal_position) FROM "
    "information_schema.columns WHERE table_name = %s GROUP BY HEX(table_schema)"
)


class _Found(NamedTuple):
    """What one question says of a schema.

    :param newest: of the history's newest attempt the commit, the outcome and where it led.
    """

    states: list[State]
    newest: Optional[tuple[Any, ...]]


class Looker:
    """Looks at schemas through one session, without a schema of its own."""

    def __init__(self, session: Session, order: Order, source: Source) -> None:
        self._session = session
        self._order = order
        self._source = source
        self._table = order.params["migrations_table"]
        self._history = history_name(order.params)
        self._ways: dict[State, bool] = {}
        # Whether schemas may be written in capitals or small letters.
        self._folds = session.query("SELECT @@lower_case_table_names") != [(0,)]

    def names(self) -> list[str]:
        """Return the schemas that are meant.

        :raises Error: one that is named does not exist.
        """
        rows = self._session.query("SELECT schema_name FROM information_schema.schemata")
        return expand(self._order.params["databases"], [name for (name,) in rows], self._folds)

    def to_open(self, names: Sequence[str]) -> list[str]:
        """Return those that have something to do, and behind them those of which something is to be said only."""
        self._session.query("SET SESSION sql_mode = '', group_concat_max_len = %s", (_LONGEST,))
        states, histories = self._shapes()
        keys = {name: name.lower() if self._folds else name for name in names}
        usual = [name for name, key in keys.items() if states.get(key) == _STATE]
        if self._history:
            usual = [name for name in usual if histories.get(keys[name]) == _HISTORY]
        self._session.query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        self._session.query("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
        settled, at_target = self._sorted(usual)
        self._session.query(ROLLBACK)
        to_do = [name for name in names if name not in settled and name not in at_target]
        return to_do + [name for name in names if name in at_target and name not in settled]

    def _shapes(self) -> tuple[dict[str, str], dict[str, str]]:
        """Return the columns of state tables and of histories, by their schemas."""
        found: tuple[dict[str, str], dict[str, str]] = ({}, {})
        for kind, digits, shape in self._session.query(_TABLES, (self._table, self._history)):
            name = bytes.fromhex(digits).decode("utf-8", "replace")
            found[kind][name.lower() if self._folds else name] = shape
        return found

    def _sorted(self, names: Sequence[str]) -> tuple[set[str], dict[str, State]]:
        """Return those of which nothing is to be said, and those at the target whose histories had to be looked at."""
        settled: set[str] = set()
        at_target: dict[str, State] = {}
        for name, found in self._states(names):
            state = found.states[0] if found.states else State(None, False)
            if len(found.states) > 1 or state.dirty or self._leads_on(state):
                continue
            if not self._history or self._is_known(found.newest, state):
                settled.add(name)
            else:
                at_target[name] = state
        verdicts: dict[tuple[State, str], bool] = {}
        for name, digest in self._digests(list(at_target)):
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
        history = HistoryTable(self._session, self._history, name)
        try:
            status = DatabaseStatus(
                StateTable(self._session, self._table), history, True, state, known(history.moves())
            )
            check_history(name, order, status)
            check_source(order, self._source, status, None)
            return not said and status.moved(self._source) is None
        except Error:
            return False

    def _states(self, names: Sequence[str]) -> Iterator[tuple[str, _Found]]:
        for chunk, rows in self._ask(names, self._asking_state):
            found = {name: _Found([], None) for name in chunk}
            for place, kind, version, dirty, commit, outcome in rows:
                name = chunk[place]
                if kind == 0:
                    found[name].states.append(as_state(version, dirty))
                else:
                    found[name] = found[name]._replace(newest=(commit, outcome, version))
            yield from found.items()

    def _asking_state(self, place: int, name: str) -> str:
        schema = identifier(name)
        state = f"(SELECT {place}, 0, version, dirty, NULL, NULL FROM {schema}.{identifier(self._table)} LIMIT 2)"
        if not self._history:
            return state
        return (
            f"{state} UNION ALL (SELECT {place}, 1, leads_to, 0, git_commit, outcome "
            f"FROM {schema}.{identifier(self._history)} ORDER BY id DESC LIMIT 1)"
        )

    def _digests(self, names: Sequence[str]) -> Iterator[tuple[str, str]]:
        for chunk, rows in self._ask(names, self._asking_digest):
            yield from ((chunk[place], digest) for place, digest in rows if digest is not None)

    def _asking_digest(self, place: int, name: str) -> str:
        return f"({HistoryTable(self._session, self._history, name).digesting(place)})"

    def _ask(
        self, names: Sequence[str], asking: Callable[[int, str], str]
    ) -> Iterator[tuple[Sequence[str], list[tuple[Any, ...]]]]:
        """Ask about some schemas at a time; of those about which the question fails nothing is said.

        :raises ServerError: the connection was lost.
        """
        for start in range(0, len(names), _CHUNK):
            chunk = names[start : start + _CHUNK]
            question = " UNION ALL ".join(asking(place, name) for place, name in enumerate(chunk))
            try:
                yield chunk, self._session.query(question)
            except ServerError as error:
                if error.lost:
                    raise
