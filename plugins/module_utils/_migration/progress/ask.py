# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asks a server over a second connection what the first one is doing. Private to the collection.

Each answer is optional: it is missing if the server is too old, or the account lacks a privilege.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NamedTuple, Optional

from ..._mysql.session import Rows, ServerError, Session
from .look import Holder, Look, Subject, first_words, state_text

# The server refuses a table (1142), or what takes a global privilege (1227).
_NO_TABLE, _NO_PRIVILEGE = 1142, 1227
_STAGES = "SELECT ON performance_schema.*"
_PROCESS = "PROCESS ON *.*"
_METADATA_WAIT = "Waiting for table metadata lock"
# Locks that conflict with every other lock on the same table.
_STRONG = ("EXCLUSIVE", "SHARED_NO_WRITE", "SHARED_NO_READ_WRITE", "SHARED_READ_ONLY")
_INNODB_STAGE = re.compile(r"alter table \((.+)\)$")
_ROWS = "copy to tmp table"
_MOST = 50


def statement_of(session: Session, connection: int) -> str:
    """Say what a connection runs now, for somebody who only looks; nothing if it runs nothing, or nobody may see it.

    :raises ServerError: the connection was lost.
    """
    questions = Questions(session, connection)
    found = questions.statement()
    if found is None:
        return ""
    words, seconds = found
    look = questions.look(Subject("", "", 0, words, of_rows=True), seconds)
    return f"{words}: {state_text(seconds, look)}"


class _Lock(NamedTuple):
    """A row of metadata_locks."""

    connection: int
    thing: tuple[Any, ...]
    kind: str
    granted: bool


class Questions:
    """Questions about one connection, put to the server by another.

    :param connection: the number of the one that is looked at.
    :ivar lacks: privileges without which the server has refused an answer.
    """

    def __init__(self, session: Session, connection: int) -> None:
        self._session = session
        self._connection = connection
        self.lacks: list[str] = []
        [(on,)] = session.query("SELECT @@GLOBAL.performance_schema")
        self._records = bool(on)

    def look(self, about: Subject, seconds: float) -> Look:
        """Return what the server says about a statement that has been running for so long.

        :raises ServerError: the connection was lost.
        """
        stage, percent = self._process()
        transaction = self._transaction()
        look = Look(stage, percent, behind=self._behind(about, seconds))
        if "lock" in stage and stage.startswith("Waiting for "):
            holders, certain = self._metadata_holders(about, seconds)
            name = "a metadata lock" if stage == _METADATA_WAIT else stage[len("Waiting for ") :]
            look = look._replace(waits_for=name, holders=holders, certain=certain)
        elif transaction is not None and transaction[0] == "LOCK WAIT":
            look = look._replace(waits_for="a row lock", holders=self._holders(self._row_holders()))
        elif transaction is not None and transaction[0] == "ROLLING BACK":
            look = look._replace(rolling_back=True, changed=transaction[1])
        else:
            look = self._with_stage(look)
            if about.of_rows and transaction is not None:
                look = look._replace(changed=transaction[1])
        return look._replace(lacks=tuple(self.lacks))

    def statement(self) -> Optional[tuple[str, int]]:
        """Return the first words of what the connection runs, and for how many seconds it has; None if it is idle."""
        rows = self._ask(
            "SELECT LEFT(info, 1000), time FROM information_schema.processlist WHERE id = %s AND command <> 'Sleep'",
            self._connection,
        )
        words = first_words(str(rows[0][0] or "")) if rows else ""
        return (words, int(rows[0][1])) if rows and words else None

    def _ask(self, question: str, *arguments: Any, needs: str = "") -> Optional[Rows]:
        """Return the answer to a question; None if there is none.

        :param needs: the privilege that it takes.
        :raises ServerError: the connection was lost.
        """
        try:
            return self._session.query(question, arguments)
        except ServerError as error:
            if error.lost:
                raise
            if needs and error.code in (_NO_TABLE, _NO_PRIVILEGE) and needs not in self.lacks:
                self.lacks.append(needs)
            return None

    def _process(self) -> tuple[str, Optional[int]]:
        """Return the connection's state, and how much of it is done in percent, where the server has that."""
        columns = "state, max_stage, progress" if self._session.mariadb else "state, 0, 0"
        rows = self._ask(f"SELECT {columns} FROM information_schema.processlist WHERE id = %s", self._connection)
        if not rows:
            return "", None
        state, stages, percent = rows[0]
        return str(state or ""), int(percent) if stages else None

    def _with_stage(self, look: Look) -> Look:
        """Add what performance_schema says about the stage, where it is recorded."""
        if not self._records:
            return look
        rows = self._ask(
            "SELECT s.event_name, s.work_completed, s.work_estimated FROM performance_schema.events_stages_current s "
            "JOIN performance_schema.threads t ON t.thread_id = s.thread_id WHERE t.processlist_id = %s "
            "AND s.work_estimated > 0",
            self._connection,
            needs=_STAGES,
        )
        if not rows:
            return look
        name, done, total = rows[0]
        stage = str(name).rpartition("/")[2]
        found = _INNODB_STAGE.match(stage)
        percent = 100 * int(done) // int(total) if done <= total else None
        look = look._replace(stage=found[1] if found else stage, percent=percent, done=(int(done), int(total)))
        return look._replace(unit="rows" if stage == _ROWS else "")

    def _transaction(self) -> Optional[tuple[str, int]]:
        """Return the state of the connection's transaction in InnoDB, and how many rows it has changed."""
        rows = self._ask(
            "SELECT trx_state, trx_rows_modified FROM information_schema.innodb_trx WHERE trx_mysql_thread_id = %s",
            self._connection,
            needs=_PROCESS,
        )
        return (str(rows[0][0]), int(rows[0][1])) if rows else None

    def _locks(self) -> list[_Lock]:
        """Return all metadata locks on what the connection has one of, or waits for; none where that is not known."""
        if not self._records:
            return []
        rows = self._ask(
            "SELECT t.processlist_id, m.object_type, m.object_schema, m.object_name, m.lock_type, "
            "m.lock_status = 'GRANTED' FROM performance_schema.metadata_locks m "
            "JOIN performance_schema.threads t ON t.thread_id = m.owner_thread_id "
            "JOIN performance_schema.metadata_locks o ON o.object_type = m.object_type "
            "AND o.object_schema <=> m.object_schema AND o.object_name <=> m.object_name "
            "JOIN performance_schema.threads u ON u.thread_id = o.owner_thread_id "
            "WHERE u.processlist_id = %s AND t.processlist_id IS NOT NULL",
            self._connection,
            needs=_STAGES,
        )
        return [_Lock(int(number), tuple(thing), kind, bool(granted)) for number, *thing, kind, granted in rows or ()]

    def _behind(self, about: Subject, seconds: float) -> int:
        """Return how many connections wait for a table that the statement has locked, or is the next to lock."""
        locks = self._locks()
        if locks:
            waiting = {lock.connection for lock in locks if lock.thing[0] == "TABLE" and not lock.granted}
            return len(waiting - {self._connection})
        if not about.table:
            return 0
        rows = self._ask(
            "SELECT LEFT(info, 1000) FROM information_schema.processlist WHERE id <> %s AND state = %s AND time <= %s",
            self._connection,
            _METADATA_WAIT,
            int(seconds) + 1,
        )
        named = re.compile(rf"(?<!\w){re.escape(about.table)}(?!\w)", re.IGNORECASE)
        return sum(named.search(str(text)) is not None for (text,) in rows or ())

    def _metadata_holders(self, about: Subject, seconds: float) -> tuple[tuple[Holder, ...], bool]:
        """Return who holds the lock that the connection waits for, and whether that is certain."""
        locks, numbers = self._locks(), set()
        for wanted in locks:
            if wanted.connection == self._connection and not wanted.granted:
                strong = wanted.kind in _STRONG
                others = [lock for lock in locks if lock.thing == wanted.thing and lock.connection != self._connection]
                numbers |= {lock.connection for lock in others if lock.granted and (strong or lock.kind in _STRONG)}
        if not numbers and self._session.mariadb and about.table:
            # A plugin has it, which few servers have.
            rows = self._ask(
                "SELECT thread_id FROM information_schema.metadata_lock_info WHERE table_name = %s AND thread_id <> %s",
                about.table,
                self._connection,
            )
            numbers = {int(number) for (number,) in rows or ()}
        if numbers:
            return self._holders(numbers), True
        # Whoever has had a transaction open for longer than this has waited could be it.
        rows = self._ask(
            "SELECT trx_mysql_thread_id FROM information_schema.innodb_trx WHERE trx_mysql_thread_id NOT IN (%s, 0) "
            "AND trx_started <= NOW() - INTERVAL %s SECOND",
            self._connection,
            int(seconds),
            needs=_PROCESS,
        )
        return self._holders({int(number) for (number,) in rows or ()}), False

    def _row_holders(self) -> set[int]:
        """Return the connections whose rows the connection waits for."""
        if self._session.mariadb:
            rows = self._ask(
                "SELECT b.trx_mysql_thread_id FROM information_schema.innodb_lock_waits w "
                "JOIN information_schema.innodb_trx b ON b.trx_id = w.blocking_trx_id "
                "JOIN information_schema.innodb_trx r ON r.trx_id = w.requesting_trx_id "
                "WHERE r.trx_mysql_thread_id = %s",
                self._connection,
                needs=_PROCESS,
            )
        else:
            rows = self._ask(
                "SELECT b.processlist_id FROM performance_schema.data_lock_waits w "
                "JOIN performance_schema.threads b ON b.thread_id = w.blocking_thread_id "
                "JOIN performance_schema.threads r ON r.thread_id = w.requesting_thread_id "
                "WHERE r.processlist_id = %s",
                self._connection,
                needs=_STAGES,
            )
        return {int(number) for (number,) in rows or () if number}

    def _holders(self, numbers: Iterable[int]) -> tuple[Holder, ...]:
        """Return what is known of connections."""
        wanted = ", ".join(str(number) for number in sorted(numbers)[:_MOST])
        if not wanted:
            return ()
        rows = self._ask(
            "SELECT id, user, host, time, command, LEFT(info, 1000) FROM information_schema.processlist WHERE id IN "
            f"({wanted}) ORDER BY time DESC, id"
        )
        opened = self._ask(
            "SELECT trx_mysql_thread_id, TIMESTAMPDIFF(SECOND, trx_started, NOW()) FROM information_schema.innodb_trx "
            f"WHERE trx_mysql_thread_id IN ({wanted})"
        )
        since = {int(number): int(age) for number, age in opened or ()}
        found = []
        for number, user, host, time, command, text in rows or ():
            words = first_words(str(text or "")) or self._last_words(int(number))
            does = f"running {words} …" if text else f"in state {command}"
            age = int(time)
            if command == "Sleep":
                does = f"idle{f' after {words} …' if words else ''}"
                if int(number) in since:
                    does, age = f"{does}, its transaction open", since[int(number)]
            found.append(Holder(int(number), f"{user}@{host}", does, age))
        return tuple(found)

    def _last_words(self, number: int) -> str:
        """Return the first words of the statement that a connection has run last."""
        rows = None
        if self._records:
            rows = self._ask(
                "SELECT LEFT(s.sql_text, 1000) FROM performance_schema.events_statements_current s "
                "JOIN performance_schema.threads t ON t.thread_id = s.thread_id WHERE t.processlist_id = %s",
                number,
                needs=_STAGES,
            )
        return first_words(str(rows[0][0] or "")) if rows else ""
