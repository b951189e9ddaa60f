# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The transactions of a connection to a simulated server: begin and commit, savepoints, XA.

Sources: MySQL reference manual, "Statements That Cause an Implicit Commit", "XA Transaction States", "SET TRANSACTION",
"InnoDB Error Handling".
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Optional

from .storage import Server, SqlError, Table

_DEFAULT_LEVEL = "REPEATABLE READ"


class Transactions:
    """What is open on a connection.

    :ivar registered: a table with transactions has been used since the last transaction's end.
    :ivar once: what holds for the next transaction only.
    :ivar locked: the tables that LOCK TABLES named, and how; None without.
    :ivar xa: name and state of an XA transaction.
    :ivar undo: what takes back what is not committed.
    :ivar inside: how many triggers and functions are running.
    :ivar marks: where in ``undo`` each statement that is running began.
    :ivar written: what the open transaction has written: ``kept``, ``lasting``.
    """

    def __init__(self, server: Server) -> None:
        self.server = server
        self.autocommit, self.explicit, self.registered = True, False, False
        self.once: Optional[str] = None
        self.level = _DEFAULT_LEVEL
        self.locked: Optional[dict[tuple[str, str], str]] = None
        self.xa: Optional[tuple[str, str]] = None
        self.undo: list[tuple[Any, Any, Any]] = []
        self.savepoints: dict[str, int] = {}
        self.inside = 0
        self.marks: list[int] = []
        self.written: set[str] = set()

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return self.explicit or self.xa is not None or (not self.autocommit and self.registered)

    # -- transactions -------------------------------------------------------------------------------------------------

    def begin(self, read_only: bool = False) -> None:
        """START TRANSACTION."""
        self.commit_first()
        self.locked = None
        self.explicit = True
        self.level = "READ ONLY" if read_only else self.once or _DEFAULT_LEVEL
        self.once = None

    def commit(self) -> None:
        """End the transaction, and keep what it did."""
        self._refuse_in_xa()
        self.close()

    def close(self) -> None:
        """End the transaction, and keep what it did, also behind XA."""
        for thing, _key, _old in self.undo:
            if isinstance(thing, Table):
                thing.updated = int(self.server.now)
        self.forget()

    def forget(self) -> None:
        """Nothing is open any more."""
        self.undo.clear()
        self.savepoints.clear()
        self.written.clear()
        self.marks = [0] * len(self.marks)
        self.explicit = self.registered = False
        self.level = _DEFAULT_LEVEL
        self.once = None

    def commit_first(self) -> None:
        """What many statements do before anything else."""
        if self.inside:
            raise SqlError(1422, "Explicit or implicit commit is not allowed in stored function or trigger.")
        self._refuse_in_xa()
        if self.in_transaction:
            self.close()

    def rollback(self) -> None:
        """End the transaction, and undo what it did."""
        self._refuse_in_xa()
        self.undo_to(0)
        self.forget()

    def _refuse_in_xa(self) -> None:
        if self.xa is not None:
            raise SqlError(1399, "XAER_RMFAIL: The command cannot be executed when global transaction is open")

    def undo_to(self, mark: int) -> None:
        """Take back what was done since."""
        while len(self.undo) > mark:
            undo(self.undo.pop())

    def savepoint(self, name: str) -> None:
        """SAVEPOINT; without a transaction it holds for nothing."""
        self.refuse_if_busy()
        self.savepoints.pop(name, None)
        if self.in_transaction or not self.autocommit:
            self.savepoints[name] = len(self.undo)

    def rollback_to(self, name: str) -> None:
        """ROLLBACK TO SAVEPOINT."""
        if name not in self.savepoints:
            raise SqlError(1305, f"SAVEPOINT {name} does not exist")
        self.undo_to(self.savepoints[name])
        later = list(self.savepoints)[list(self.savepoints).index(name) + 1 :]
        for gone in later:
            del self.savepoints[gone]

    def set_autocommit(self, on: bool) -> None:
        """SET autocommit; switching it on commits."""
        if self.inside:
            raise SqlError(1445, "Not allowed to set autocommit from a stored function or trigger")
        if on and not self.autocommit:
            self.commit_first()
        self.autocommit = on

    def set_once(self, what: str) -> None:
        """SET TRANSACTION."""
        if self.in_transaction:
            raise SqlError(1568, "Transaction characteristics can't be changed while a transaction is in progress")
        self.once = what

    # -- XA -----------------------------------------------------------------------------------------------------------

    def xa_start(self, name: str) -> None:
        """XA START."""
        if self.xa is not None:
            raise SqlError(1399, "XAER_RMFAIL")
        if self.in_transaction or self.locked is not None:
            raise SqlError(1400, "XAER_OUTSIDE: Some work is done outside global transaction")
        if name in self.server.prepared:
            raise SqlError(1440, "XAER_DUPID: The XID already exists")
        self.xa = name, "ACTIVE"
        self.level = self.once or _DEFAULT_LEVEL
        self.once = None

    def xa_move(self, name: str, before: str, after: str) -> None:
        """XA END, XA PREPARE: the state is looked at first, then the name."""
        if self.xa is None or self.xa[1] != before:
            raise SqlError(1399, "XAER_RMFAIL")
        if self.xa[0] != name:
            raise SqlError(1397, "XAER_NOTA: Unknown XID")
        self.xa = name, after
        if after == "PREPARED":
            self.server.prepared[name] = list(self.undo)
            if not self.server.mariadb:
                # MySQL, xa_detach_on_prepare: any connection may end it now.
                self.undo.clear()
                self.xa = None
                self.forget()

    def xa_end(self, name: str, keep: bool, one_phase: bool = False) -> None:
        """XA COMMIT, XA ROLLBACK."""
        if self.xa is None or self.xa[0] != name:
            self._xa_end_another(name, keep, one_phase)
            return
        state = self.xa[1]
        if one_phase and state == "PREPARED":
            raise SqlError(1398, "XAER_INVAL: Invalid arguments")
        if state == "ACTIVE" or (keep and state != ("IDLE" if one_phase else "PREPARED")):
            raise SqlError(1399, "XAER_RMFAIL")
        self.server.prepared.pop(name, None)
        self.xa = None
        if not keep:
            self.undo_to(0)
        self.close()

    def _xa_end_another(self, name: str, keep: bool, one_phase: bool) -> None:
        """End what is not this connection's transaction, which no other may be open for.

        MariaDB looks at what the session is set to, also while nothing has been done; MySQL at what is open. MySQL ends
        what is prepared in one phase, too.
        """
        if self.server.mariadb:
            if self.xa is not None or self.explicit or not self.autocommit:
                raise SqlError(1400, "XAER_OUTSIDE: Some work is done outside global transaction")
            if one_phase:
                raise SqlError(1398, "XAER_INVAL: Invalid arguments")
        elif self.in_transaction:
            raise SqlError(1399, "XAER_RMFAIL")
        if name not in self.server.prepared:
            raise SqlError(1397, "XAER_NOTA: Unknown XID")
        entries = self.server.prepared.pop(name)
        if not keep:
            for entry in reversed(entries):
                undo(entry)

    def refuse_if_busy(self) -> None:
        """Statements that neither write nor read are possible at any time; others not in an XA transaction's end."""
        if self.xa is not None and self.xa[1] != "ACTIVE":
            raise SqlError(1399, "XAER_RMFAIL")


def undo(entry: tuple[Any, Any, Any]) -> None:
    """Take one change back."""
    thing, before, after = entry
    if not isinstance(thing, Table):
        thing[before] = after
    elif thing.rows is after:
        thing.rows = before
    else:
        # Somebody else has written since, which is possible behind XA PREPARE.
        came, went = Counter(map(repr, after)), Counter(map(repr, before))
        gone = came - went
        rows = []
        for row in thing.rows:
            if gone[repr(row)] > 0:
                gone[repr(row)] -= 1
            else:
                rows.append(row)
        thing.rows = rows + [row for row in before if repr(row) in went - came]
