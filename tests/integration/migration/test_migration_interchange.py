# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Interchange: the real golang-migrate and this collection take turns on one schema, and neither notices."""

from __future__ import annotations

import threading
import time

import pytest
from integration.migration.support import Database

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
    again = shared.apply()
    assert [item["version"] for item in again["applied"]] == [3]
    assert shared.golang("up").strip() == "no change"


def test_ours_after_golang_migrate(shared: Database) -> None:
    assert "3/u m3" in shared.golang("up")
    assert shared.apply()["changed"] is False
    assert [item["version"] for item in shared.apply(steps=-2, allow_down=True)["applied"]] == [3, 2]
    assert shared.golang("version").strip() == "1"
    assert "2/u m2" in shared.golang("up", "1")
    assert shared.module("info")["version"] == 2


def test_all_down_and_up_again(shared: Database) -> None:
    shared.apply()
    assert "1/d m1" in shared.golang("down", "-all")
    assert shared.module("info")["version"] is None
    shared.apply()
    shared.apply(target="none", allow_down=True)
    assert "no migration" in shared.golang("version")
    assert "3/u m3" in shared.golang("up")


def test_a_failure_of_ours_is_golang_migrates_to_mend(shared: Database) -> None:
    shared.write({"4_bad.up.sql": "CREATE TABLE t4 (id INT); CREATE TABLE t4 (id INT);"})
    shared.apply()
    assert shared.golang("version").strip() == "4 (dirty)"
    assert "Dirty database version 4. Fix and force version." in shared.golang("up")
    shared.golang("force", "3")
    shared.query("DROP TABLE t4")
    shared.write({"4_bad.up.sql": "CREATE TABLE t4 (id INT);"})
    assert shared.apply()["to_version"] == 4


def test_a_failure_of_golang_migrates_is_ours_to_mend(shared: Database) -> None:
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
    shared.write({"4_slow.up.sql": "SELECT SLEEP(20);"})
    ours = threading.Thread(target=shared.apply)
    ours.start()
    deadline = time.monotonic() + 60
    while shared.module("info")["version"] != 4:
        assert time.monotonic() < deadline
    assert "can't acquire lock" in shared.golang("up")
    ours.join()
    assert shared.golang("up").strip() == "no change"
