# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A connection to the runner that breaks, one that was never there, and a controller that ends."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from integration.progress.support import GOES_ON, Book
from parts import cores
from parts.mariadb import DatabaseServer
from programs.soak import cuts

# Each takes seconds of waiting: more of one kind are for a target of their own, make test-progress.
MORE = pytest.mark.progress
SLOW = "CREATE TABLE a (i INT);\nDO SLEEP(9);\nINSERT INTO a VALUES (1);\n"


def wait_for(server: DatabaseServer, schema: str, what: str, runs: bool = True) -> None:
    """Wait until a statement runs in a schema, or until none does any more."""
    processes = f"SELECT 1 FROM information_schema.processlist WHERE db = '{schema}' AND info LIKE '%{what}%'"
    deadline = time.monotonic() + 60
    while bool(server.query(processes)) is not runs:
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def slow(book: Callable[[str], Book], schemas: Callable[[str], str], tmp_path: Path) -> Callable[..., Book]:
    """Make a playbook for a run of some seconds."""

    def make(way: str, **options: Any) -> Book:
        (tmp_path / "1_a.up.sql").write_text(SLOW)
        playbook = book(way)
        playbook.add(schemas("shop"), tmp_path, **options)
        return playbook

    return make


@MORE
def test_connections_that_are_cut() -> None:
    counted, wrong = cuts.play(4, 7, down=3)
    assert wrong == []
    assert sum(count for name, count in counted.items() if "reattached to" in name) >= 1


def test_a_host_that_is_not_there(slow: Callable[..., Book]) -> None:
    """It is reported at once, as usual."""
    playbook = slow("ssh, pipelining")
    # Nothing listens on the port for nothing.
    playbook.variables = {**playbook.variables, "ansible_port": 9}
    began = time.monotonic()
    printed = playbook.run()
    assert printed.rc == 4
    assert time.monotonic() - began < 20
    assert "UNREACHABLE!" in printed.text
    assert "Trying to reconnect" not in printed.text


@pytest.mark.parametrize(
    "options",
    [{"reconnect": 0}, *(pytest.param(each, marks=MORE) for each in ({"lock": False}, {"history_table": ""}))],
)
def test_where_it_is_not_asked_for_again(slow: Callable[..., Book], options: dict[str, Any]) -> None:
    playbook = slow("ssh", **options)
    [schema] = playbook.hosts
    running = playbook.start()
    wait_for(playbook.server, schema, "SLEEP")
    cuts.kill_sessions(playbook.git_server)
    printed = running.end()
    assert printed.rc == 4, printed.text
    assert "Trying to reconnect" not in printed.text


@MORE
def test_a_host_that_does_not_come_back(slow: Callable[..., Book]) -> None:
    playbook = slow("ssh", reconnect=4)
    [schema] = playbook.hosts
    running = playbook.start()
    wait_for(playbook.server, schema, "SLEEP")
    cuts.kill_sessions(playbook.git_server)
    playbook.git_server.stop()
    try:
        printed = running.end()
    finally:
        playbook.git_server.start()
    assert printed.rc == 4, printed.text
    assert (
        f"{schema}: the connection to the runner was lost. The run continues there. Trying to reconnect for 4 s."
        in (printed.text)
    )
    [event] = printed.tasks
    assert "The connection was lost and could not be restored within 4 s: " in event["result"]["msg"]
    assert "run again when it has finished." in event["result"]["msg"]
    wait_for(playbook.server, schema, "SLEEP", runs=False)


@pytest.mark.parametrize("way", ["ssh", *(pytest.param(way, marks=MORE) for way in ("local", "ssh, pipelining"))])
def test_a_controller_that_is_killed(slow: Callable[..., Book], way: str) -> None:
    playbook = slow(way)
    [schema] = playbook.hosts
    running = playbook.start()
    wait_for(playbook.server, schema, "SLEEP")
    os.killpg(running.process.pid, signal.SIGKILL)
    running.end()
    wait_for(playbook.server, schema, "SLEEP", runs=False)
    printed = playbook.run()
    assert printed.rc == 0, printed.text
    assert playbook.server.query("SELECT i FROM a", schema) == [(1,)]
    assert playbook.server.query("SELECT version, dirty FROM schema_migrations", schema) == [(1, 0)]


@MORE
@pytest.mark.parametrize("core", cores.CORES)
@pytest.mark.parametrize("way", ["local", "ssh", "ssh, pipelining"])
def test_ctrl_c(slow: Callable[..., Book], core: str, way: str) -> None:
    """Over ssh the run continues, which is said before; a local one is ended after its statement, as usual."""
    playbook = slow(way)
    [schema] = playbook.hosts
    running = playbook.start(programs=cores.programs(core))
    deadline = time.monotonic() + 60
    while not running.printed.about(schema):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert (GOES_ON in running.printed.text) == (way != "local")
    # As a terminal does.
    os.killpg(running.process.pid, signal.SIGINT)
    printed = running.end()
    assert printed.rc == 99, printed.text
    assert "User interrupted execution" in printed.text
    wait_for(playbook.server, schema, "SLEEP", runs=False)
    time.sleep(1)
    goes_on = way != "local"
    assert playbook.server.query("SELECT i FROM a", schema) == ([(1,)] if goes_on else [])
    assert playbook.server.query("SELECT version, dirty FROM schema_migrations", schema) == [(1, int(not goes_on))]
