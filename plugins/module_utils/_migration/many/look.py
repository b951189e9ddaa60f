# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where many schemas are, in a few questions for all of them. Private to the collection.

No lock is taken. Of a schema about which a question fails, or whose tables have other columns than golang-migrate and
we make, nothing is said here: it has to be looked at alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, Optional

from ..._mysql.lock import holding
from ..._mysql.session import ServerError, Session
from ..._mysql.statements import ROLLBACK, identifier
from ..applied import known
from ..model import State
from ..status import DatabaseStatus, history_name, is_there
from ..tables.history_table import COLUMNS, AttemptRecord, HistoryTable
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


class Tables(NamedTuple):
    """Which of the tables a schema has."""

    state: bool
    history: bool


class Found(NamedTuple):
    """What one question says about a schema.

    :param states: the rows of its state table, two at most.
    :param newest: of the history's newest attempt the commit, the outcome and where it led.
    """

    states: list[State]
    newest: Optional[tuple[Any, ...]]

    @property
    def state(self) -> Optional[State]:
        """Its state; None if that is not certain."""
        if len(self.states) > 1:
            return None
        return self.states[0] if self.states else State(None, False)


class Looker:
    """Looks at schemas through one session, without a schema of its own.

    :param params: databases, migrations_table and history_table.
    """

    def __init__(self, session: Session, params: Mapping[str, Any]) -> None:
        self._session = session
        self._asked = params["databases"]
        self._table = params["migrations_table"]
        self._history = history_name(params)
        # Whether schemas may be written in capitals or small letters.
        self._folds = session.query("SELECT @@lower_case_table_names") != [(0,)]

    def names(self) -> list[str]:
        """Return the schemas that are meant.

        :raises Error: one that is named does not exist.
        """
        rows = self._session.query("SELECT schema_name FROM information_schema.schemata")
        return expand(self._asked, [name for (name,) in rows], self._folds)

    def tables(self, names: Iterable[str]) -> dict[str, Tables]:
        """Return which tables schemas have; a schema is left out if one of them is made in another way.

        A table that the account may not read counts as none.
        """
        self._session.query("SET SESSION sql_mode = '', group_concat_max_len = %s", (_LONGEST,))
        shapes: tuple[dict[str, str], dict[str, str]] = ({}, {})
        for kind, digits, shape in self._session.query(_TABLES, (self._table, self._history)):
            name = bytes.fromhex(digits).decode("utf-8", "replace")
            shapes[kind][name.lower() if self._folds else name] = shape
        keys = {name: name.lower() if self._folds else name for name in names}
        found = {name: (shapes[0].get(key), shapes[1].get(key)) for name, key in keys.items()}
        return {
            name: Tables(state is not None, history is not None)
            for name, (state, history) in found.items()
            if state in (None, _STATE) and history in (None, _HISTORY)
        }

    @contextmanager
    def one_moment(self) -> Iterator[None]:
        """Read everything in a ``with`` block from one snapshot, taken at its start."""
        self._session.query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        self._session.query("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
        yield
        self._session.query(ROLLBACK)

    def states(self, tables: Mapping[str, Tables]) -> dict[str, Found]:
        """Return what the state tables say, and the newest rows of the histories."""

        def asking(place: int, name: str) -> str:
            state = (
                f"(SELECT {place}, 0, version, dirty, NULL, NULL FROM {identifier(name)}.{identifier(self._table)} "
                "LIMIT 2)"
            )
            history = (
                f"(SELECT {place}, 1, leads_to, 0, git_commit, outcome FROM {self._of(name).table} "
                "ORDER BY id DESC LIMIT 1)"
            )
            return " UNION ALL ".join([state] * tables[name].state + [history] * tables[name].history)

        found = {name: Found([], None) for name, of in tables.items() if not any(of)}
        for chunk, rows in self._ask([name for name in tables if name not in found], asking):
            found.update({name: Found([], None) for name in chunk})
            for place, kind, version, dirty, commit, outcome in rows:
                name = chunk[place]
                if kind == 0:
                    found[name].states.append(as_state(version, dirty))
                else:
                    found[name] = found[name]._replace(newest=(commit, outcome, version))
        return found

    def digests(self, names: Sequence[str]) -> dict[str, str]:
        """Return digests of the moves of histories: where they are equal, so are the moves."""
        asked = self._ask(names, lambda place, name: f"({self._of(name).digesting(place)})")
        return {chunk[place]: digest for chunk, rows in asked for place, digest in rows if digest is not None}

    def records(self, names: Sequence[str], limit: int) -> dict[str, list[AttemptRecord]]:
        """Return the newest rows of histories, the newest first."""

        def asking(place: int, name: str) -> str:
            return f"(SELECT {place}, {_HISTORY} FROM {self._of(name).table} ORDER BY id DESC LIMIT {limit})"

        found: dict[str, list[AttemptRecord]] = {}
        for chunk, rows in self._ask(names, asking):
            found.update({name: [] for name in chunk})
            for place, *values in rows:
                found[chunk[place]].append(AttemptRecord(*values))
        return {name: sorted(rows, reverse=True) for name, rows in found.items()}

    def free(self, names: Sequence[str]) -> set[str]:
        """Return the schemas whose lock nobody holds."""
        asked = self._ask(names, lambda place, name: f"SELECT {place}, {holding(name, self._table)}")
        return {chunk[place] for chunk, rows in asked for place, holder in rows if holder is None}

    def lacks(self, name: str, table: str) -> bool:
        """Tell whether a schema has no such table for certain."""
        try:
            return not is_there(self._session, table, name)
        except ServerError as error:
            if error.lost:
                raise
            return False

    def status(self, name: str, state: State, present: bool) -> DatabaseStatus:
        """Return what a schema says about itself.

        :param present: whether it has a history.
        :raises Error: something else has written the history, or the server refuses to read it.
        """
        history = self._of(name) if self._history else None
        moves = history.moves() if history is not None and present else ()
        return DatabaseStatus(StateTable(self._session, self._table), history, present, state, known(moves))

    def _of(self, name: str) -> HistoryTable:
        return HistoryTable(self._session, self._history, name)

    def _ask(
        self, names: Sequence[str], asking: Callable[[int, str], str]
    ) -> Iterator[tuple[Sequence[str], list[tuple[Any, ...]]]]:
        """Ask about some schemas at a time; those about which the question fails are left out.

        :raises ServerError: the connection was lost.
        """
        waiting = [names[start : start + _CHUNK] for start in range(0, len(names), _CHUNK)]
        while waiting:
            chunk = waiting.pop()
            question = " UNION ALL ".join(asking(place, name) for place, name in enumerate(chunk))
            try:
                yield chunk, self._session.query(question)
            except ServerError as error:
                if error.lost:
                    raise
                # One is enough for it.
                half = len(chunk) // 2
                waiting += [chunk[:half], chunk[half:]] if half else []
