# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run whose result was lost is reattached to; and what others see of one that is on."""

from __future__ import annotations

import json
import os
import re
import signal
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from integration.migration.support import Database
from parts.forks import Forks

FILES = {"1_a.up.sql": "CREATE TABLE a (i INT);\n", "2_b.up.sql": "INSERT INTO a VALUES (1);\nDO SLEEP(0.2);\n"}
KEYS = ("changed", "from_version", "to_version", "pending", "msg", "database", "dirty", "diff")


def applied(result: dict[str, Any]) -> list[tuple[Any, ...]]:
    return [(item["version"], item["direction"], item["statements"]) for item in result["applied"]]


def wait_for(database: Database, what: str) -> None:
    """Wait until a connection runs something."""
    question = f"SELECT 1 FROM information_schema.processlist WHERE db = '{database.name}' AND id <> CONNECTION_ID()"
    deadline = time.monotonic() + 60
    while not database.query(f"{question} AND info LIKE '%{what}%'"):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_run_that_is_over(there: Database) -> None:
    there.write(FILES)
    run = uuid.uuid4().hex
    first = there.apply(run_id=run)
    again = there.apply(run_id=run, reattach=True)
    assert {key: again[key] for key in KEYS} == {key: first[key] for key in KEYS}
    assert applied(again) == applied(first)
    assert again["reattached"] is True
    assert "reattached" not in first
    assert there.query("SELECT i FROM a") == [(1,)]
    marks = there.query("SELECT progress FROM schema_migrations_history")
    assert [json.loads(mark) for (mark,) in marks] == [{"run": run}] * 2


def test_a_part_of_what_is_there(there: Database) -> None:
    """Not all is at the beginning, and not all is to be done."""
    there.write({**FILES, "3_c.up.sql": "INSERT INTO a VALUES (3);\n", "4_d.up.sql": "INSERT INTO a VALUES (4);\n"})
    there.apply(target="1")
    run = uuid.uuid4().hex
    first = there.apply(run_id=run, steps=2)
    again = there.apply(run_id=run, steps=2, reattach=True)
    assert {key: again[key] for key in KEYS} == {key: first[key] for key in KEYS}
    assert (again["from_version"], again["to_version"]) == (1, 3)
    assert there.state() == [(3, 0)]
    assert applied(there.apply(target="latest")) == [(4, "up", 1)]


def test_a_rollback_is_reattached_to(there: Database) -> None:
    there.write({**FILES, "2_b.down.sql": "DELETE FROM a;\n", "1_a.down.sql": "DROP TABLE a;\n"})
    there.apply()
    run = uuid.uuid4().hex
    first = there.apply(run_id=run, steps=-1, allow_down=True)
    again = there.apply(run_id=run, steps=-1, allow_down=True, reattach=True)
    assert {key: again[key] for key in KEYS} == {key: first[key] for key in KEYS}
    assert there.state() == [(1, 0)]


def test_a_call_that_comes_late(here: Database) -> None:
    """It was on its way when the connection was lost, and arrives when another one has done its work."""
    here.write({**FILES, "2_b.down.sql": "DELETE FROM a;\n", "1_a.down.sql": "DROP TABLE a;\n"})
    here.apply()
    options = {"run_id": uuid.uuid4().hex, "steps": -1, "allow_down": True}
    here.apply(**options, reattach=True)
    assert here.refusal(**options) == (
        "This call came too late: another call has taken over its run (run_id) and has the result. Nothing was run. "
        "(DBM-1811)"
    )
    assert here.state() == [(1, 0)]


def test_a_run_that_has_not_started(there: Database) -> None:
    there.write(FILES)
    result = there.apply(run_id=uuid.uuid4().hex, reattach=True)
    assert applied(result) == [(1, "up", 1), (2, "up", 2)]
    assert "reattached" not in result
    assert there.apply(run_id=uuid.uuid4().hex, reattach=True)["changed"] is False


def test_a_run_that_has_failed(there: Database) -> None:
    there.write({**FILES, "3_c.up.sql": "INSERT INTO a VALUES (3);\nALTER TABLE a ADD i INT;\n"})
    run = uuid.uuid4().hex
    first = there.apply(run_id=run)
    again = there.apply(run_id=run, reattach=True)
    same = ("failed", "changed", "from_version", "to_version", "dirty", "file", "statement")
    assert applied(again) == applied(first)
    assert {key: again[key] for key in same} == {key: first[key] for key in same}
    assert again["msg"] == (
        "3_c.up.sql failed; statement 1 is done. It failed while the connection to this host was lost: (1060) "
        "Duplicate column name 'i'. Fix the cause and run again: it resumes from there. (DBM-1810)"
    )
    assert there.query("SELECT i FROM a") == [(1,), (3,)]
    there.write({"3_c.up.sql": "INSERT INTO a VALUES (3);\nALTER TABLE a ADD j INT;\n"})
    assert there.apply()["resumed"] == {"version": 3, "statement": 2}


def test_a_run_that_is_on(there: Database, forks: Forks, run_module: Any) -> None:
    there.write({**FILES, "3_c.up.sql": "INSERT INTO a VALUES (3);\nDO SLEEP(14);\nINSERT INTO a VALUES (4);\n"})
    run = uuid.uuid4().hex
    forks.begin("migration_apply", there.arguments("apply", {"run_id": run, "run_by": "ann", "job": "41"}))
    wait_for(there, "SLEEP(14)")
    with ThreadPoolExecutor(1) as pool:
        options = {"run_id": run, "reattach": True, "lock_timeout": 1}
        waiting = pool.submit(run_module, "migration_apply", there.arguments("apply", options))
        seen = run_module("migration_info", there.arguments("info", {}))
        assert not waiting.done()
        again = waiting.result()
    first = forks.result()
    assert {key: again[key] for key in KEYS} == {key: first[key] for key in KEYS}
    assert applied(again) == applied(first) == [(1, "up", 1), (2, "up", 2), (3, "up", 3)]
    assert there.query("SELECT i FROM a") == [(1,), (3,), (4,)]
    expected = r"by ann on \S+, job 41 since \S+Z; DO SLEEP: User sleep, \d+ s"
    assert re.fullmatch(expected, seen["running"]), seen["running"]
    assert seen["msg"].startswith(f"{there.name}: version 3, dirty: 3_c.up.sql is running, at statement 2, by ann on ")


def test_another_run_holds_the_lock(there: Database, forks: Forks, run_module: Any) -> None:
    there.write({"1_a.up.sql": "DO SLEEP(8);\n"})
    forks.begin("migration_apply", there.arguments("apply", {"run_id": uuid.uuid4().hex}))
    wait_for(there, "SLEEP(8)")
    options = {"run_id": uuid.uuid4().hex, "reattach": True, "lock_timeout": 1}
    result = run_module("migration_apply", there.arguments("apply", options))
    assert result["msg"].startswith(
        f"Another migration run holds the lock on {there.name}: it was not free within 1 s."
    )
    assert not forks.result()["failed"]


@pytest.mark.parametrize("moment", [pytest.param("SLEEP(5)", marks=pytest.mark.progress), "SLEEP(6)"])
def test_a_run_that_was_killed(there: Database, forks: Forks, moment: str) -> None:
    there.write({**FILES, "3_c.up.sql": "INSERT INTO a VALUES (3);\nDO SLEEP(5);\nDO SLEEP(6);\n"})
    run = uuid.uuid4().hex
    process = forks.begin("migration_apply", there.arguments("apply", {"run_id": run}))
    wait_for(there, moment)
    os.kill(process, signal.SIGKILL)
    assert forks.status() == -signal.SIGKILL
    again = there.apply(run_id=run, reattach=True)
    assert (again["from_version"], again["to_version"], again["changed"]) == (None, 3, True)
    assert applied(again) == [(1, "up", 1), (2, "up", 2), (3, "up", 3)]
    assert again["reattached"] is True
    # And again.
    once_more = there.apply(run_id=run, reattach=True)
    assert applied(once_more) == applied(again)
    assert there.query("SELECT i FROM a") == [(1,), (3,)]


def test_a_run_that_is_detached(here: Database, forks: Forks) -> None:
    here.write({"1_a.up.sql": "DO SLEEP(3);\nCREATE TABLE a (i INT);\n"})
    options = {"run_id": uuid.uuid4().hex, "detached": True}
    process = forks.begin("migration_apply", here.arguments("apply", options))
    wait_for(here, "SLEEP")
    assert os.getsid(process) == os.getpgid(process) == process
    os.kill(process, signal.SIGHUP)
    assert not forks.result()["failed"]
    here.write({"2_b.up.sql": "DO SLEEP(3);\nDO 1;\n"})
    options["run_id"] = uuid.uuid4().hex
    process = forks.begin("migration_apply", here.arguments("apply", options))
    wait_for(here, "SLEEP")
    os.kill(process, signal.SIGTERM)
    assert forks.result()["msg"].startswith("SIGTERM: stopped before 2_b.up.sql:2:1")


@pytest.mark.parametrize("option", ["detached", "reattach"])
def test_neither_without_a_number(here: Database, option: str) -> None:
    here.write(FILES)
    assert "run_id" in here.refusal(**{option: True})
