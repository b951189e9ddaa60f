# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tables whose rows outlive a rollback, and what leads to them. Private to the collection."""

from __future__ import annotations

import re
from typing import Any, Optional

from ..._mysql.session import ServerError, Session
from .classify import Effect, StatementKind

# Where an engine may come in that the schema did not have.
_BRINGS_ENGINE = re.compile(rb"engine|\blike\b.*\.|^\s*use\b", re.IGNORECASE | re.DOTALL)
_OWN_SCHEMAS = "'mysql', 'sys', 'performance_schema', 'information_schema'"
_UNGUARDED = (
    "SELECT table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE' AND engine IN (SELECT engine "
    "FROM information_schema.engines WHERE transactions IS NULL OR transactions <> 'YES') AND table_schema ="
)
# What runs when another name is used, and its text.
_PROGRAMS = (
    "SELECT event_object_table, action_statement FROM information_schema.triggers WHERE trigger_schema = DATABASE()",
    "SELECT table_name, view_definition FROM information_schema.views WHERE table_schema = DATABASE()",
    "SELECT routine_name, routine_definition FROM information_schema.routines WHERE routine_schema = DATABASE()",
)


class NonTransactionalTables:
    """Knows the names that lead to rows which no transaction guards, in the session's schema and in those named."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._names: set[bytes] = set()
        self._others: dict[bytes, Optional[bool]] = {}
        self._stale = True

    def unguarded(self, text: bytes, effect: Effect) -> bool:
        """Tell whether rows that a statement changes may stay when its transaction is undone.

        A transaction that the user opens counts as soon as there are such tables at all.

        :raises ServerError: the connection was lost.
        """
        if (
            effect.kind is not StatementKind.DATA
            and effect.kind is not StatementKind.BEGIN
            and b"autocommit" not in text.lower()
        ):
            return False
        try:
            return self._leads_there(text, effect)
        except ServerError as error:
            if error.lost:
                raise
            # A migration may have set limits that a question of ours is too large for.
            return True

    def _leads_there(self, text: bytes, effect: Effect) -> bool:
        if self._stale:
            self._read()
        if effect.kind is not StatementKind.DATA:
            return bool(self._names)
        if not self._names and not self._others:
            return False
        lowered = text.lower().replace(b"`", b"")
        if any(name in lowered for name in self._names):
            return True
        return any(self._has(schema) for schema in self._others if schema + b"." in lowered)

    def passed(self, text: bytes, effect: Effect) -> None:
        """Take note of a statement that has been run."""
        changes = effect.kind in (StatementKind.DEFINITION, StatementKind.OPAQUE) and bool(self._names)
        if changes or (effect.kind is not StatementKind.DATA and _BRINGS_ENGINE.search(text)):
            self._stale = True

    def _read(self) -> None:
        self._names = {_lowered(name) for (name,) in self._session.query(f"{_UNGUARDED} DATABASE()")}
        others = self._session.query(
            f"SELECT schema_name FROM information_schema.schemata WHERE schema_name NOT IN ({_OWN_SCHEMAS}, DATABASE())"
        )
        self._others = dict.fromkeys(_lowered(name) for (name,) in others)
        self._stale = False
        if self._names:
            self._follow()

    def _has(self, schema: bytes) -> bool:
        """Tell whether another schema has such tables; asked when a statement names it, as it may be large."""
        known = self._others[schema]
        if known is None:
            rows = self._session.query(f"{_UNGUARDED} %s", (schema.decode("utf-8", "replace"),))
            known = self._others[schema] = bool(rows)
        return known

    def _follow(self) -> None:
        """Add what reaches the tables by a trigger, a view or a routine."""
        programs = [row for question in _PROGRAMS for row in self._session.query(question)]
        texts = [(_lowered(name), _lowered(text)) for name, text in programs]
        while True:
            found = {name for name, text in texts if not text or any(known in text for known in self._names)}
            if found <= self._names:
                return
            self._names |= found


def _lowered(value: Any) -> bytes:
    return str(value or "").lower().encode("utf-8", "replace")
