# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Interchange: the real golang-migrate and this collection take turns on one schema, and neither notices."""

from __future__ import annotations

import threading
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from integration.migration import scenarios
from integration.migration.scenarios import KINDS, Scenario, scenario
from integration.migration.support import Database
from integration.migration.turns import turns
from parts.forks import Forks
from parts.mariadb import DatabaseServer, MariaDB

SEEDS = range(78)
# With these, each part of the grammar, each failure and each step by each tool occurs on each server.
ENOUGH = {
    1, 2, 3, 4, 6, 9, 13, 14, 15, 19, 21, 25, 26, 27, 29, 31, 32, 33, 37, 39, 43, 45, 46, 50, 51, 54, 57, 61, 62, 63,
    64, 70, 74,
}  # fmt: skip
TOO_MANY = pytest.mark.interchange

FILES = {
    f"{n}_m{n}.{way}.sql": text
    for n in (1, 2, 3)
    for way, text in (
        ("up", f"CREATE TABLE t{n} (id INT PRIMARY KEY, note TEXT); INSERT INTO t{n} VALUES ({n}, 'it''s; {n}');"),
        ("down", f"DROP TABLE t{n};"),
    )
}


@pytest.fixture
def shared(twins: tuple[Database, Database]) -> Database:
    """A schema on which both tools work."""
    twins[0].write(FILES)
    return twins[0]


def test_golang_migrate_after_ours(shared: Database) -> None:
    shared.apply()
    assert shared.golang("version").strip() == "3"
    assert shared.golang("up").strip() == "no change"
    assert "3/d m3" in shared.golang("down", "1")
    assert (shared.state(), shared.tables()) == ([(2, 0)], {"t1", "t2"})
    again = shared.apply(history_ahead="ignore")
    assert [item["version"] for item in again["applied"]] == [3]
    assert shared.golang("up").strip() == "no change"


def test_ours_after_golang_migrate(shared: Database) -> None:
    assert "3/u m3" in shared.golang("up")
    assert shared.apply()["changed"] is False
    assert [item["version"] for item in shared.apply(steps=-2, allow_down=True)["applied"]] == [3, 2]
    assert shared.golang("version").strip() == "1"
    assert "2/u m2" in shared.golang("up", "1")
    assert shared.module("info")["version"] == 2


def test_all_down_and_up_a_second_time(shared: Database) -> None:
    shared.apply()
    assert "1/d m1" in shared.golang("down", "-all")
    assert shared.module("info")["version"] is None
    shared.apply(history_ahead="ignore")
    shared.apply(target="none", allow_down=True)
    assert "no migration" in shared.golang("version")
    assert "3/u m3" in shared.golang("up")


def test_a_failure_of_ours_is_golang_migrates_to_fix(shared: Database) -> None:
    shared.write({"4_bad.up.sql": "CREATE TABLE t4 (id INT); CREATE TABLE t4 (id INT);"})
    shared.apply()
    assert shared.golang("version").strip() == "4 (dirty)"
    assert "Dirty database version 4. Fix and force version." in shared.golang("up")
    shared.golang("force", "3")
    shared.query("DROP TABLE t4")
    shared.write({"4_bad.up.sql": "CREATE TABLE t4 (id INT);"})
    assert shared.apply()["to_version"] == 4


def test_a_failure_of_golang_migrates_is_ours_to_fix(shared: Database) -> None:
    shared.write({"4_bad.up.sql": "CREATE TABLE t1 (id INT);"})
    shared.golang("up")
    assert "on its way to version 4" in shared.refusal()
    shared.module("force", version="3")
    assert shared.golang("version").strip() == "3"


def test_force_to_none_is_golang_migrates_minus_one(shared: Database) -> None:
    shared.apply()
    shared.module("force", version="none")
    assert "no migration" in shared.golang("version")
    shared.golang("force", "2")
    assert shared.module("info")["version"] == 2


def test_another_state_table_is_the_same_one(shared: Database) -> None:
    shared.apply(migrations_table="other_table", target="2")
    assert shared.golang("version", table="other_table").strip() == "2"
    assert "3/u m3" in shared.golang("up", table="other_table")
    assert shared.module("info", migrations_table="other_table")["version"] == 3


def test_the_lock_is_the_same_one(shared: Database) -> None:
    """golang-migrate gives up after ten seconds while a migration of ours sleeps."""
    shared.write({"4_slow.up.sql": "SELECT SLEEP(15);"})
    ours = threading.Thread(target=shared.apply)
    ours.start()
    deadline = time.monotonic() + 60
    while shared.module("info")["version"] != 4:
        assert time.monotonic() < deadline
    assert "can't acquire lock" in shared.golang("up")
    ours.join()
    assert shared.golang("up").strip() == "no change"


@pytest.mark.usefixtures("golang_migrate")
@pytest.mark.parametrize(
    "seed",
    [
        pytest.param(seed, id=f"{seed}-{KINDS[seed % len(KINDS)]}", marks=[] if seed in ENOUGH else TOO_MANY)
        for seed in SEEDS
    ],
)
def test_generated_scenarios_end_alike_whoever_did_the_steps(
    server: DatabaseServer, tmp_path: Path, forks: Forks, seed: int
) -> None:
    """After every step of a generated scenario two schemas are the same, whoever did the steps on one of them."""
    written = scenario(seed, isinstance(server, MariaDB))
    with turns(server, tmp_path / "migrations", forks, written) as game:
        game.play()
        assert bool(game.kills) == (written.kind == "killed")


@pytest.mark.parametrize("mariadb", [True, False])
def test_the_scenarios_that_run_always_hold_everything_once(mariadb: bool) -> None:
    some, others = set[object](), set[object]()
    for seed in SEEDS:
        written = scenario(seed, mariadb)
        steps = [(step.tool, step.action, step.number is None) for step in written.steps]
        (some if seed in ENOUGH else others).update(written.parts, steps, pairwise(tools_of(written)))
    assert others - some == set()


@pytest.mark.parametrize("mariadb", [True, False])
def test_all_scenarios_hold_everything_several_times(mariadb: bool) -> None:
    """Every part of the grammar, every kind of step by each tool, and each tool after each."""
    written = [scenario(seed, mariadb) for seed in SEEDS]
    assert [item.files for item in written] == [scenario(seed, mariadb).files for seed in SEEDS]
    assert min(Counter(item.kind for item in written).values()) >= 6
    assert min(len(tools_of(item)) for item in written) >= 6
    parts = Counter(part for item in written for part in item.parts)
    hard = {**scenarios.HARD, **(scenarios.HARD_ON_MARIADB if mariadb else scenarios.HARD_ON_MYSQL)}
    for names, least in (
        (("ordinary", "hard", "failing", "missing"), 25),
        (("killed", "killed: up", "killed: down", "fails: up", "fails: down", "no up", "no down"), 3),
        (("stray names", "huge versions", "gaps", "fixed", "taken as done", "duplicate"), 3),
        (("lost current version", "lost target", "arrives later", "arrives below"), 1),
        (scenarios.ORDINARY, 3),
        (hard, 2),
        ([f"fails: {name}" for name in scenarios.FAILURES], 1),
        ([f"killed: {name}" for name in (*scenarios.SLEEPS, *scenarios.NAPS)], 1),
        (scenarios.LEFT_OPEN, 1),
    ):
        assert {name: parts[name] for name in names if parts[name] < least} == {}
    steps = Counter((step.tool, step.action, step.number is None) for item in written for step in item.steps)
    some, every = ("up", "down", "goto", "force"), ("up", "down", "version")
    for tool in ("ours", "golang"):
        assert min(steps[tool, action, False] for action in some) >= 10
        assert min(steps[tool, action, True] for action in every) >= 10
        assert steps[tool, "drop", True] >= 2
    assert sum(step.dirty for item in written for step in item.steps) >= 5
    pairs = Counter(pair for item in written for pair in pairwise(tools_of(item)))
    assert len(pairs) == 4
    assert min(pairs.values()) >= 50


def tools_of(written: Scenario) -> list[str]:
    """Return who does each step of a scenario on the schema that is shared."""
    return [step.tool for step in written.steps if step.action != "files"]
