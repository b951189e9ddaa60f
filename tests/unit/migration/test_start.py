# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the options to a run: what is made of them, what is warned of, and that check mode runs nothing."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any, Optional

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._core.errors import Error
from ansible_collections.dbops.migrations.plugins.module_utils._migration.applied import Known
from ansible_collections.dbops.migrations.plugins.module_utils._migration.model import Plan, State, Step
from ansible_collections.dbops.migrations.plugins.module_utils._migration.run import start
from ansible_collections.dbops.migrations.plugins.module_utils._migration.run.apply import Order
from ansible_collections.dbops.migrations.plugins.module_utils._migration.run.start import Work, carry_out
from ansible_collections.dbops.migrations.plugins.module_utils._migration.status import DatabaseStatus
from unit.migration.fakes import FakeHistory, FakeSession, FakeStateTable, refusal

PARAMS: dict[str, Any] = {
    "portability": "warn", "statement_timeout": None, "lock_wait_timeout": None, "lock_wait_retries": 3, "batch": True,
    "commit": "abc", "run_by": "me", "job": None, "run_id": None,
}  # fmt: skip
ROWS, ODD = "ALTER TABLE a ADD b INT", "DELIMITER //\nALTER TABLE a ADD b INT//\n"


class House:
    """One migration that is pending, and the module."""

    def __init__(self, folder: Path, text: str = ROWS, check: bool = False, **params: Any) -> None:
        (folder / "1_m.up.sql").write_text(text)
        self.session, self.state_table, self.history = FakeSession(), FakeStateTable(), FakeHistory()
        self.session.answers["SHOW CREATE TABLE"] = [(b"a", b"CREATE TABLE `a` (i INT\n) ENGINE=InnoDB")]
        self.warnings: list[str] = []
        self.order = Order({**PARAMS, **params}, check, False, self.warnings.append)
        tables: Any = (self.state_table, self.history, True, State(None, False), Known({}, None))
        plan = Plan(None, 1, (Step(1, "m", "up", "1_m.up.sql", 1),))
        work: Any = (self.session, None, "connect", DatabaseStatus(*tables), str(folder), plan, None, None)
        self.work = Work(*work)

    def run(self) -> dict[str, Any]:
        return carry_out(self.order, self.work)


@pytest.fixture(autouse=True)
def signals(monkeypatch: pytest.MonkeyPatch) -> dict[int, Any]:
    """The process's own handlers stay what they are."""
    found: dict[int, Any] = {}
    monkeypatch.setattr(signal, "signal", found.__setitem__)
    return found


def test_a_run_applies_and_is_recorded(tmp_path: Path) -> None:
    house = House(tmp_path)
    results = house.run()
    assert [item["version"] for item in results["applied"]] == [1]
    assert house.warnings == []
    assert not any("lock_wait_timeout" in text for text in house.session.queries)
    row = house.history.values[0]
    assert (row["git_commit"], row["ran_by"], row["job"]) == ("abc", "me", None)


def test_a_move_by_something_else_comes_first(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.work = house.work._replace(moved={"version": 1, "direction": "external"})
    house.run()
    assert house.history.values[0]["direction"] == "external"


def test_a_signal_stops_it(tmp_path: Path, signals: dict[int, Any]) -> None:
    house = House(tmp_path)
    house.session.effects["SYSDATE(6)"] = lambda: signals[signal.SIGTERM](signal.SIGTERM, None)
    with pytest.raises(Error, match="SIGTERM: stopped before anything was run"):
        house.run()


def test_check_mode_runs_nothing(tmp_path: Path) -> None:
    house = House(tmp_path, ODD, check=True)
    assert house.run() == {"from_version": None, "applied": []}
    assert house.session.packets == []
    assert house.state_table.ensured == 0
    [warning] = house.warnings
    assert warning.startswith("golang-migrate could not run this file: 1_m.up.sql:1 ")


@pytest.mark.parametrize(("portability", "warned"), [("warn", 1), ("ignore", 0)])
def test_what_golang_migrate_could_not_run_is_warned_of(tmp_path: Path, portability: str, warned: int) -> None:
    house = House(tmp_path, ODD, portability=portability)
    house.run()
    assert len(house.warnings) == warned
    assert house.session.packets


def test_it_is_warned_of_after_a_failure_too(tmp_path: Path) -> None:
    house = House(tmp_path, f"{ODD}DELIMITER ;\n", portability="warn")
    house.session.refused["state 1 clean"] = [refusal(1290)]
    with pytest.raises(Error, match="1290"):
        house.run()
    assert len(house.warnings) == 1


@pytest.mark.parametrize("check", [True, False])
def test_portability_may_be_required(tmp_path: Path, check: bool) -> None:
    house = House(tmp_path, ODD, check, portability="require")
    with pytest.raises(Error, match=r"could not run these files as they are: 1_m\.up\.sql:1 .* Nothing was run\."):
        house.run()
    assert house.session.packets == []
    plain = House(tmp_path, ROWS, check, portability="require")
    plain.run()
    assert bool(plain.session.packets) is not check


@pytest.mark.parametrize(
    ("params", "retried"),
    [({"lock_wait_timeout": 2}, 1), ({"lock_wait_timeout": 2, "lock_wait_retries": 0}, 0), ({}, 0)],
)
def test_a_statement_that_waits_too_long_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, params: dict[str, Any], retried: int
) -> None:
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    house = House(tmp_path, **params)
    house.session.refused[ROWS] = [refusal(1205)]
    if not retried:
        with pytest.raises(Error, match="1205"):
            house.run()
        assert house.warnings == []
        return
    house.run()
    assert house.warnings == ["A statement that had waited too long for a lock was tried again, 1 time."]
    assert "SET SESSION lock_wait_timeout = 2" in house.session.queries


@pytest.mark.parametrize("seconds", [None, 0, 5])
def test_a_statement_may_take_so_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: Optional[int]) -> None:
    made: list[Any] = []

    def limit(*arguments: Any) -> None:
        made.append(arguments)

    monkeypatch.setattr(start, "Limit", limit)
    house = House(tmp_path, statement_timeout=seconds)
    house.run()
    assert made == ([(house.session, "connect", 5)] if seconds else [])
