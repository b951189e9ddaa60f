# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A limit on how long a statement may take; the timer is a fake that goes off when it is told to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._core.errors import Error
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.errors import ServerError
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.limit import Limit


class Session:
    """Takes note of what it is asked."""

    connection_id = 7

    def __init__(self) -> None:
        self.queries: list[str] = []
        self.error: Error | None = None

    def query(self, sql: str, arguments: tuple[Any, ...] = ()) -> list[Any]:
        self.queries.append(sql % arguments)
        if self.error is not None:
            raise self.error
        return []


class Timer:
    """What threading.Timer is made of, without a thread."""

    made: list[Timer]

    def __init__(self, seconds: float, work: Callable[[], None]) -> None:
        self.seconds, self.go_off = seconds, work
        self.steps: list[str] = []
        Timer.made.append(self)

    def start(self) -> None:
        self.steps.append("start")

    def cancel(self) -> None:
        self.steps.append("cancel")

    def join(self) -> None:
        self.steps.append("join")


class House:
    """A session with a limit, and the session that would end its statement."""

    def __init__(self, cannot_connect: bool = False) -> None:
        self.session, self.other = Session(), Session()
        self.closed = False

        @contextmanager
        def connect() -> Iterator[Any]:
            if cannot_connect:
                raise Error(1500, "no more connections")
            yield self.other
            self.closed = True

        arguments: Any = (self.session, connect, 5)
        self.limit = Limit(*arguments)


@pytest.fixture(autouse=True)
def timers(monkeypatch: pytest.MonkeyPatch) -> list[Timer]:
    Timer.made = []
    monkeypatch.setattr(threading, "Timer", Timer)
    return Timer.made


def test_a_statement_that_is_quick_enough(timers: list[Timer]) -> None:
    house = House()
    with house.limit.watch():
        assert timers[0].steps == ["start"]
    [timer] = timers
    assert (timer.seconds, timer.steps) == (5, ["start", "cancel", "join"])
    assert not house.limit.exceeded
    assert (house.session.queries, house.other.queries) == ([], [])


def test_a_statement_that_takes_too_long_is_ended(timers: list[Timer]) -> None:
    house = House()

    def run() -> None:
        timers[0].go_off()
        raise ServerError(1317, "interrupted", "The server")

    with pytest.raises(ServerError), house.limit.watch():
        run()
    assert house.limit.exceeded
    assert house.other.queries == ["KILL QUERY 7"]
    assert house.closed
    # The order may come when there is nothing to end any more; then it hits this.
    assert house.session.queries == ["DO 0"]


def test_the_next_statement_has_a_limit_of_its_own(timers: list[Timer]) -> None:
    house = House()
    with house.limit.watch():
        timers[0].go_off()
    with house.limit.watch():
        assert not house.limit.exceeded
    assert not house.limit.exceeded
    assert len(timers) == 2


def test_the_order_hits_what_is_for_it(timers: list[Timer]) -> None:
    house = House()
    house.session.error = ServerError(1317, "interrupted", "The server")
    with house.limit.watch():
        timers[0].go_off()
    assert house.session.queries == ["DO 0"]


@pytest.mark.parametrize("cannot_connect", [True, False])
def test_a_statement_that_cannot_be_ended_continues(timers: list[Timer], cannot_connect: bool) -> None:
    house = House(cannot_connect)
    house.other.error = ServerError(1094, "no such thread", "The server")
    with house.limit.watch():
        timers[0].go_off()
    assert house.limit.exceeded
