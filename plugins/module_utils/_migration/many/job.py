# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The work on many schemas, for each of which it is what migration_apply does. Private to the collection."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Optional

from ..._core.run import failed
from ..._core.secrets import without_secrets
from ..._core.stop import Stop, Stopped
from ..._mysql.line import Line
from ..._mysql.session import Session
from ..model import Source

# Loaded once, and not by each process.
from ..run import adoption, recovery, start  # noqa: F401 # pylint: disable=unused-import
from ..run.apply import Order, migrate
from .outcome import Work
from .schedule import Schedule
from .tally import Tally
from .workers import work

Connect = Callable[[str], AbstractContextManager[Session]]


class Job:
    """Brings one schema after the other to where it should be.

    :param connect: logs in, to a schema.
    :param restoring: what makes a session that is started over like a new one, see line.py.
    """

    def __init__(self, order: Order, source: Source, connect: Connect, restoring: Optional[Sequence[str]]) -> None:
        self._order = order
        self._source = source
        self._connect = connect
        self._line = Line(connect, restoring)

    def __call__(self, name: str) -> dict[str, Any]:
        """Return what migration_apply would; ``failed`` if it failed, and the ``warnings``."""
        warnings: list[str] = []
        order = self._order._replace(warn=warnings.append)
        try:
            session = self._line.open(name)
            result = migrate(order, session, lambda: self._connect(name), self._source)
        except Exception as error:
            result = {**failed(error), "failed": True}
            self._line.close()
        cleaned: dict[str, Any] = without_secrets({**result, "warnings": warnings})
        return cleaned


def migrate_each(
    order: Order, source: Source, connect: Connect, names: Sequence[str], restoring: Optional[Sequence[str]]
) -> Work:
    """Bring schemas to where they should be, several at once; in check mode all are planned, whatever fails."""
    params, stop = order.params, Stop()
    canary, percentage = (0, 100) if order.check_mode else (params["canary"], params["max_fail_percentage"])
    schedule = Schedule(names, canary, percentage)

    def begin(stopped: Stopped) -> Job:
        # The text of the files is shown once for all.
        return Job(
            order._replace(diff=False, document=False, stopped=stopped, progress=None), source, connect, restoring
        )

    tally = Tally(order.progress, len(names))
    try:
        results = work(schedule, min(params["parallel"], len(names)), begin, stop, tally.tell)
    finally:
        tally.end()
    done = {name: results[name] for name in names if name in results}
    return Work(done, schedule.not_begun, stop())
