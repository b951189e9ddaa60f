# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reattaches to a run whose result was lost with the connection to its host. Private to the collection.

The run either continued without the connection or ended with it. The rows of the history have the identifier of the
run: they tell which, and are the result. An interrupted run is resumed as after any other interruption.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, NamedTuple, Optional

from ..._core.errors import Error
from ..._mysql.lock import lock_holder
from ..._mysql.session import Session
from ..model import Plan, Source, Step
from ..report import difference, progress_text, summary
from ..status import DatabaseStatus, history_name
from ..tables.history_table import APPLIED, FAILED, AttemptRecord, HistoryTable
from .apply import Order

_PAUSE = 0.5


def wait(session: Session, params: Mapping[str, Any]) -> None:
    """Wait as long as the run holds the lock."""
    name = history_name(params)
    history = HistoryTable(session, name) if name else None
    while history is not None and lock_holder(session, params["migrations_table"]) is not None:
        last = history.last() if history.exists() else None
        if last is None or last.run != params["run_id"]:
            # The lock belongs to another run, or the run has only just started: lock_timeout applies.
            return
        time.sleep(_PAUSE)


class Earlier(NamedTuple):
    """What the run did before this call.

    :param from_version: where the database was when it began.
    :param records: its attempts, the oldest first.
    """

    from_version: Optional[int]
    records: list[AttemptRecord]

    @property
    def applied(self) -> list[AttemptRecord]:
        """Those that have succeeded."""
        return [record for record in self.records if record.outcome == APPLIED]

    def rest_of(self, order: Order, version: Optional[int]) -> Order:
        """Return what is still to be done of an order.

        :param version: where the database is now.
        """
        params = {**order.params, "resume_from": None, "expected_plan": None}
        steps = params["steps"]
        if steps is not None:
            left = max(abs(steps) - len(self.applied), 0)
            params["steps"] = left if steps > 0 else -left
            if not left:
                params.update(steps=None, target="none" if version is None else str(version))
        return order._replace(params=params)

    def include(self, found: Mapping[str, Any]) -> dict[str, Any]:
        """Return return values with what was done before."""
        before = [
            {
                "version": record.version,
                "title": record.title,
                "direction": record.direction,
                "statements": record.statements,
                "seconds": record.seconds,
            }
            for record in self.applied
        ]
        applied = [*before, *found.get("applied", ())]
        return {**found, "changed": True, "from_version": self.from_version, "applied": applied, "reattached": True}

    def whole(self, database: str, found: Mapping[str, Any], source: Source) -> dict[str, Any]:
        """Return the return values of the whole run."""
        result = self.include(found)
        files = _files(source)
        places = [(item["version"], item["title"], item["direction"]) for item in result["applied"]]
        steps = tuple(Step(*place, files.get((place[0], place[2])), None) for place in places)
        plan = Plan(self.from_version, result["to_version"], steps)
        return {**result, "msg": summary(database, plan, False), "diff": difference(database, plan)}


def find(status: DatabaseStatus, order: Order, source: Source) -> Optional[Earlier]:
    """Return what the run has done; None if it has not started anything.

    :raises Error: it has failed.
    """
    history = status.history
    records = history.of_run(order.params["run_id"]) if history is not None and status.present else []
    if history is None or not records:
        return None
    before = history.rows(f"id < {records[0].id} ORDER BY id DESC LIMIT 1")
    earlier = Earlier(before[0].leads_to if before else None, records)
    last = records[-1]
    if last.outcome == FAILED and last.explains(status.state):
        raise _failed(status, earlier, source)
    return earlier


def _failed(status: DatabaseStatus, earlier: Earlier, source: Source) -> Error:
    last = earlier.records[-1]
    file = _files(source).get((last.version, last.direction))
    found = {"to_version": status.state.version, "dirty": True, "file": file, "statement": last.done + 1}
    return Error(
        1810,
        f"{progress_text(last, file, None)}. It failed while the connection to this host was lost: {last.error}. Fix "
        "the cause and run again: it resumes from there.",
        **earlier.include(found),
    )


def _files(source: Source) -> dict[tuple[Optional[int], str], Optional[str]]:
    """Return the file of each version and direction."""
    both = (((item.version, name), getattr(item, name)) for item in source.migrations for name in ("up", "down"))
    return dict(both)
