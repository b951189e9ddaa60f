# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Successive sessions on one connection, each like a new one. Private to the collection."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from typing import Optional

from .._core.errors import Error
from .session import Rows, ServerError, Session

# What differs from one session to the next, or is the whole server's.
_DIFFERS = (
    "error_count", "gtid_", "identity", "in_transaction", "innodb_", "last_", "pseudo_", "rand_seed", "rowid",
    "statement_id", "timestamp", "warning_count",
)  # fmt: skip
_RESTORED = ("collation_connection",)


def starting_over(session: Session) -> Optional[list[str]]:
    """Return what makes a session that is started over like a new one; None if nothing does. The session is over then.

    Nothing does where the server runs init_connect at a login, and after what keeps no session for us.

    :param session: a new one.
    """
    try:
        if session.query("SELECT @@GLOBAL.init_connect IN ('', NULL)") == [(0,)]:
            return None
        before = _variables(session)
        session = session.again("")
        found = _variables(session)
        # MySQL forgets which collation a login has asked for.
        restoring = [
            f"SET SESSION {name} = '{before[name]}'" for name in _RESTORED if before.get(name) != found.get(name)
        ]
        same = before == _variables(session.again("", restoring)) if restoring else before == found
        return restoring if same and _account(session) else None
    except ServerError:
        return None


def _variables(session: Session) -> dict[str, str]:
    return {name: value for name, value in session.query("SHOW SESSION VARIABLES") if not name.startswith(_DIFFERS)}


def _account(session: Session) -> Rows:
    # Starting over leaves both as they are.
    return session.query("SELECT CURRENT_USER(), CURRENT_ROLE()")


class Line:
    """Opens sessions one after the other.

    :param connect: logs in, to a schema.
    :param restoring: see ``starting_over``; with None each session has a login of its own.
    """

    def __init__(
        self, connect: Callable[[str], AbstractContextManager[Session]], restoring: Optional[Sequence[str]]
    ) -> None:
        self._connect = connect
        self._restoring = restoring
        self._stack = ExitStack()
        self._session: Optional[Session] = None
        self._account: Rows = []

    def open(self, database: str) -> Session:
        """Return a session that nothing of those before it reaches.

        :raises Error: as a login.
        """
        if self._session is not None and self._restoring is not None:
            with suppress(Error):
                session = self._session.again(database, self._restoring)
                if _account(session) == self._account:
                    self._session = session
                    return session
        self.close()
        session = self._stack.enter_context(self._connect(database))
        if self._restoring is not None:
            self._session, self._account = session, _account(session)
        return session

    def close(self) -> None:
        """Log out. To be called after a failure, too: of a session that has failed not everything is known."""
        self._session = None
        self._stack.close()
