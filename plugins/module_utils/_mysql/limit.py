# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A limit on how long a statement may take. Private to the collection.

MySQL's own limit holds for SELECT only; so a second connection ends the statement, as a person would.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress

from .._core.errors import Error
from .session import ServerError, Session

Connect = Callable[[], AbstractContextManager[Session]]


class Limit:
    """Ends statements of a session that take too long; the server then answers with error 1317, or 1028 or 3024.

    :param connect: opens another session.
    :param seconds: how long one may take.
    :ivar exceeded: whether the last statement was ended.
    """

    def __init__(self, session: Session, connect: Connect, seconds: int) -> None:
        self._session = session
        self._connect = connect
        self.seconds = seconds
        self.exceeded = False

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Watch what is run in a ``with`` block."""
        self.exceeded = False
        timer = threading.Timer(self.seconds, self._end)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()
            if self.exceeded:
                # The order may have come when there was nothing to end any more; then it hits this.
                with suppress(ServerError):
                    self._session.query("DO 0")

    def _end(self) -> None:
        self.exceeded = True
        with suppress(Error), self._connect() as other:
            other.query("KILL QUERY %s", (self._session.connection_id,))
