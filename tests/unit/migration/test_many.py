# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many schemas: which are meant, which is started next, and what is said about all of them."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Optional

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._core.alike import alike
from ansible_collections.dbops.migrations.plugins.module_utils._core.errors import Error
from ansible_collections.dbops.migrations.plugins.module_utils._core.stop import Stopped
from ansible_collections.dbops.migrations.plugins.module_utils._migration.applied import Known
from ansible_collections.dbops.migrations.plugins.module_utils._migration.info import Info
from ansible_collections.dbops.migrations.plugins.module_utils._migration.many.look import Found, Looker, Tables
from ansible_collections.dbops.migrations.plugins.module_utils._migration.many.names import expand, is_pattern
from ansible_collections.dbops.migrations.plugins.module_utils._migration.many.outcome import Outcome, Work
from ansible_collections.dbops.migrations.plugins.module_utils._migration.many.overview import overview
from ansible_collections.dbops.migrations.plugins.module_utils._migration.many.schedule import Schedule
from ansible_collections.dbops.migrations.plugins.module_utils._migration.many.statuses import Statuses
from ansible_collections.dbops.migrations.plugins.module_utils._migration.many.workers import work
from ansible_collections.dbops.migrations.plugins.module_utils._migration.model import Migration, Source, State
from ansible_collections.dbops.migrations.plugins.module_utils._migration.run.apply import Order
from ansible_collections.dbops.migrations.plugins.module_utils._migration.status import DatabaseStatus
from ansible_collections.dbops.migrations.plugins.module_utils._migration.tables.history_table import AttemptRecord
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.errors import ServerError
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.rights import Account

EXISTING = ["shop", "tenant_2", "tenant_10", "tenantx3", "Tenant_1", "a%b", "a\nb", "mysql", "sys"]


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("shop", False), ("tenant_1", False), ("tenant_%", True), (r"tenant\_1", True), (r"a\%b", False),
        (r"a\\%", True), ("%", True), ("", False), ("a\\", False),
    ],
)  # fmt: skip
def test_what_is_a_pattern(text: str, pattern: bool) -> None:
    assert is_pattern(text) is pattern


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (["shop"], ["shop"]),
        ([r"tenant\_%"], ["tenant_10", "tenant_2"]),
        (["tenant_%"], ["tenant_10", "tenant_2", "tenantx3"]),
        (["tenant_2", r"tenant\_%", "tenant_2"], ["tenant_2", "tenant_10"]),
        ([r"a\%%"], ["a%b"]),
        (["a_%"], ["a\nb", "a%b"]),
        (["%"], ["Tenant_1", "a\nb", "a%b", "shop", "tenant_10", "tenant_2", "tenantx3"]),
        (["mysql", "sho%"], ["mysql", "shop"]),
    ],
)
def test_which_schemas_are_meant(asked: list[str], found: list[str]) -> None:
    assert expand(asked, EXISTING, folds=False) == found


def test_capitals_count_as_the_server_counts_them() -> None:
    assert expand(["SHOP", "shop", "TENANT\\_%"], EXISTING, folds=True) == ["SHOP", "Tenant_1", "tenant_10", "tenant_2"]
    with pytest.raises(Error, match="databases names schemas that do not exist: SHOP"):
        expand(["SHOP"], EXISTING, folds=False)


def test_all_that_is_not_there_is_named() -> None:
    with pytest.raises(
        Error, match=r"databases names schemas that do not exist: shops, b%, c, d, e and 1 more\. Create"
    ):
        expand(["shops", "shop", "b%", "c", "d", "e", "f"], EXISTING, folds=False)
    with pytest.raises(Error, match="databases is empty"):
        expand([], EXISTING, folds=False)


def begun(schedule: Schedule) -> list[str]:
    found: list[str] = []
    while True:
        name = schedule.next()
        if name is None:
            return found
        found.append(name)


def test_the_canaries_come_alone() -> None:
    schedule = Schedule("abcdef", 2, 0)
    assert begun(schedule) == ["a", "b"]
    schedule.end(failed=False)
    assert begun(schedule) == []
    schedule.end(failed=False)
    assert begun(schedule) == ["c", "d", "e", "f"]
    assert schedule.not_begun == 0


@pytest.mark.parametrize("percentage", [0, 100])
def test_a_canary_that_fails_is_the_end(percentage: int) -> None:
    schedule = Schedule("abc", 1, percentage)
    assert begun(schedule) == ["a"]
    schedule.end(failed=True)
    assert begun(schedule) == []
    assert (schedule.over, schedule.not_begun) == (True, 2)


@pytest.mark.parametrize(("percentage", "most"), [(0, 0), (19, 0), (20, 1), (39, 1), (40, 2), (100, 5)])
def test_so_many_may_fail(percentage: int, most: int) -> None:
    schedule = Schedule("abcde", 0, percentage)
    for number in range(1, 6):
        assert schedule.next() is not None
        schedule.end(failed=True)
        assert schedule.over is (number > most)
        if schedule.over:
            break


def test_more_canaries_than_schemas() -> None:
    schedule = Schedule("ab", 9, 0)
    assert begun(schedule) == ["a", "b"]


def test_names_are_told_apart_from_what_is_like_them() -> None:
    texts = {"shop": "shop is full", "shop_1": "shop_1 is full", "c": "c is full", "ba": "c is full"}
    assert alike(texts) == [["shop", "shop_1"], ["c", "ba"]]


class Jobs:
    """What the processes do: a name says what becomes of it."""

    def __init__(self, stopped: Stopped) -> None:
        self._stopped = stopped

    def __call__(self, name: str) -> dict[str, Any]:
        if name.startswith("dies"):
            os.kill(os.getpid(), signal.SIGKILL)
        if name.startswith("exits"):
            os._exit(3)
        if name.startswith("waits"):
            end = time.monotonic() + 10
            while self._stopped() is None and time.monotonic() < end:
                time.sleep(0.01)
        return {"failed": name.startswith("fails"), "stopped": self._stopped(), "number": os.getpid()}


def do(names: list[str], most: int = 2, canary: int = 0, percentage: int = 100, stop: Any = None) -> dict[str, Any]:
    make: Any = Jobs
    schedule = Schedule(names, canary, percentage)
    return work(schedule, most, make, stop or (lambda: None))


def test_work_is_shared() -> None:
    found = do(["a", "b", "c", "fails", "d"])
    assert set(found) == {"a", "b", "c", "d", "fails"}
    numbers = {result["number"] for result in found.values()}
    assert len(numbers) in (1, 2)
    assert not any(Path(f"/proc/{number}").exists() for number in numbers)
    assert [name for name, result in found.items() if result["failed"]] == ["fails"]


def test_a_process_that_dies_is_replaced() -> None:
    found = do(["dies", "a", "exits", "b"], most=1)
    assert found["dies"]["msg"].startswith("Its worker process ended by signal 9. Run again")
    assert found["exits"]["msg"].startswith("Its worker process ended with code 3. Run again")
    assert not found["a"]["failed"]
    assert not found["b"]["failed"]


def test_a_signal_reaches_those_running_and_begins_no_other() -> None:
    start = time.monotonic()

    def stop() -> Optional[str]:
        return "SIGTERM" if time.monotonic() - start > 0.5 else None

    found = do(["waits 1", "waits 2", "a"], stop=stop)
    assert {name: result["stopped"] for name, result in found.items()} == {"waits 1": "SIGTERM", "waits 2": "SIGTERM"}


def test_workers_end_when_the_module_is_gone() -> None:
    """Its end is noticed at the next place where a run may stop."""
    reader, writer = os.pipe()
    module = os.fork()
    if module == 0:

        class Told(Jobs):
            def __call__(self, name: str) -> dict[str, Any]:
                os.write(writer, b"begun ")
                result = super().__call__(name)
                os.write(writer, str(result["stopped"]).encode())
                return result

        work(Schedule(["waits"], 0, 0), 1, Told, lambda: None)
        os._exit(0)
    os.close(writer)
    assert os.read(reader, 6) == b"begun "
    os.kill(module, signal.SIGKILL)
    os.waitpid(module, 0)
    assert os.read(reader, 100) == b"The module was killed"
    assert os.read(reader, 100) == b""
    os.close(reader)


SOURCE = Source("/nowhere", tuple(Migration(number, f"m{number}", f"{number}_m.up.sql", None) for number in (1, 2)), ())


def ended(name: str, version: int, **more: Any) -> dict[str, Any]:
    step = {"version": version, "title": f"m{version}", "direction": "up"}
    return {
        "changed": True, "from_version": version - 1, "to_version": version, "applied": [step], "resumed": None,
        "msg": f"{name}: moved", "pending": [step], **more,
    }  # fmt: skip


def broken(name: str, reason: str, **more: Any) -> dict[str, Any]:
    return {"failed": True, "msg": f"{name}: {reason}", "warnings": [], **more}


def outcome(results: dict[str, Any], total: int = 10, not_begun: int = 0, **more: Any) -> Outcome:
    order = Order({}, more.pop("check", False), more.pop("diff", False), lambda _text: None)
    return Outcome(order, SOURCE, Work(results, not_begun, more.get("signal")), total)


def test_what_is_said_about_a_success() -> None:
    found = outcome({"one": ended("one", 1), "two": ended("two", 2), "idle": {"changed": False}}).returned()
    assert found["msg"] == "10 databases: 2 migrated, 8 up to date"
    assert [entry["database"] for entry in found["databases"]] == ["one", "two"]
    assert "diff" not in found
    assert outcome({}, total=1).returned()["msg"] == "1 database: 0 migrated, 1 up to date"


def test_each_reason_is_said_once() -> None:
    results = {
        f"kind{kind}_{number}": broken(f"kind{kind}_{number}", f"reason {kind}")
        for kind in range(8)
        for number in (1, 2)
    }
    with pytest.raises(Error) as raised:
        outcome({"one": ended("one", 1), **results}, total=40, not_begun=3).returned()
    said = str(raised.value)
    assert said.startswith(
        "40 databases: 1 migrated, 20 up to date, 16 failed, 3 not started. kind0_1 failed: kind0_1: reason 0 "
    )
    assert " kind0_2 failed like kind0_1. kind1_1 failed: kind1_1: reason 1 " in said
    assert said.endswith(" kind4_2 failed like kind4_1. kind5_1, kind6_1, kind7_1 failed for other reasons.")
    assert raised.value.results["changed"] is True
    assert len(raised.value.results["databases"]) == 17


def test_a_signal_is_said() -> None:
    with pytest.raises(Error, match=r"2 not started\. SIGTERM: stopped, and no other was started\. Run again"):
        outcome({"one": ended("one", 1)}, not_begun=2, signal="SIGTERM").returned()


def test_what_a_failed_run_has_changed() -> None:
    with pytest.raises(Error) as raised:
        outcome({"one": broken("one", "no", changed=True, applied=[])}).returned()
    assert raised.value.results["changed"] is True
    assert raised.value.results["migrated"] == 0


def test_plans_that_are_equal_are_one(tmp_path: Path) -> None:
    results = {"a": ended("a", 1), "b": ended("b", 2), "c": ended("c", 1), "d": ended("d", 1, baseline=1)}
    found = outcome(results, check=True).returned()
    assert [(plan["first"], plan.get("baseline")) for plan in found["plans"]] == [
        (["a", "c"], None), (["b"], None), (["d"], 1),
    ]  # fmt: skip
    assert found["databases"] == []
    assert found["migrated"] == 0
    some = {name: results[name] for name in "abc"}
    shown = outcome(some, diff=True).returned()["diff"]
    assert [(item["before_header"], item["after"]) for item in shown] == [
        ("a, c", "version 1\n  up 1_m.up.sql\n"),
        ("b", "version 2\n  up 2_m.up.sql\n"),
    ]


def test_warnings_that_are_alike_are_one() -> None:
    results = {
        "one": {"warnings": ["told", "one is odd", "only here"]},
        "two": {"warnings": ["told", "two is odd"]},
        "six": {"warnings": ["other"]},
    }
    assert list(outcome(results).warnings(["told"])) == [
        "one: one is odd The same holds for two.",
        "six: other",
        "one: only here",
    ]


def standing(version: Optional[int], healthy: bool = True, **more: Any) -> dict[str, Any]:
    return {
        "version": version, "healthy": healthy, "dirty": False, "known": True, "pending": [], "changed_files": [],
        "missing": [], "out_of_order": [], "history_ahead": [], "missing_privileges": [], "obstacles": [], **more,
    }  # fmt: skip


def test_those_that_have_the_same_status_are_one_group() -> None:
    shared = standing(2)
    step = {"version": 2, "title": "m2", "direction": "up"}
    found = {
        "a": Info(standing(1, pending=[step]), {}),
        **{f"b{number}": Info(shared, {}) for number in range(6)},
        "c": Info(standing(2, False, missing=[9]), {"database": "c", "lock_holder": None}),
        # Equal, but not the same object: it was looked at alone.
        "d": Info(standing(2), {"database": "d", "lock_holder": "connection 7"}),
        "e": Info({}, {"database": "e", "failed": True, "msg": "no"}),
        "f": Info(standing(2), {"database": "f", "lock_holder": None}),
    }
    result = overview(found, SOURCE)
    assert result["msg"] == "11 databases: 8 up to date, 1 behind, 1 unhealthy, 1 unreadable"
    assert [(group["count"], group["first"]) for group in result["groups"]] == [
        (8, ["b0", "b1", "b2", "b3", "b4"]), (1, ["a"]), (1, ["c"]),
    ]  # fmt: skip
    assert result["groups"][0]["msg"] == "b0, b1, b2, b3, b4 and 3 more: version 2, 0 migrations pending"
    assert [entry["database"] for entry in result["databases"]] == ["c", "d", "e"]
    assert result["healthy"] is False
    assert overview({"a": found["a"]}, SOURCE)["healthy"] is True
    assert overview({"e": found["e"]}, SOURCE)["healthy"] is False


class Long:
    """A looker, and a line, of schemas of which one has a history that is too long for a digest."""

    def __init__(self) -> None:
        self.opened: list[str] = []

    def tables(self, names: list[str]) -> dict[str, Tables]:
        return {name: Tables(True, True) for name in names}

    @contextmanager
    def one_moment(self) -> Iterator[None]:
        yield

    def states(self, names: list[str]) -> dict[str, Found]:
        return {name: Found([State(2, False)], None) for name in names}

    def digests(self, names: list[str]) -> dict[str, str]:
        return {name: "same" for name in names if name != "long"}

    def status(self, _name: str, state: State, present: bool) -> DatabaseStatus:
        nothing: Any = None
        return DatabaseStatus(nothing, nothing, present, state, Known({}, state))

    def free(self, names: list[str]) -> list[str]:
        return names

    def records(self, names: list[str], _limit: int) -> dict[str, list[AttemptRecord]]:
        return {name: [] for name in names}

    def open(self, name: str) -> Any:
        self.opened.append(name)
        raise Error(2000, f"{name} was opened")

    def close(self) -> None:
        self.opened.append("closed")


def test_a_history_that_has_no_digest_is_read_where_it_is() -> None:
    long: Any = Long()
    params = {"migrations_table": "m", "history_table": None, "lock": True, "history_limit": 5}
    found = Statuses(long, params, SOURCE, Account(None, {}), long).of(["a", "long", "b"])
    assert list(found) == ["a", "long", "b"]
    assert found["a"].standing is found["b"].standing
    assert found["a"].standing["out_of_order"] == [1]
    assert (found["long"].standing, found["long"].own) == (
        {}, {"database": "long", "failed": True, "msg": "long was opened (DBM-2000)"},
    )  # fmt: skip
    assert long.opened == ["long", "closed"]


class Asked:
    """A session that refuses each question about some schemas."""

    def __init__(self, refused: set[str]) -> None:
        self.refused = refused
        self.questions: list[str] = []

    def query(self, sql: str, _arguments: Any = ()) -> list[tuple[Any, ...]]:
        if "@@lower_case_table_names" in sql:
            return [(0,)]
        self.questions.append(sql)
        if any(f"`{name}`" in sql for name in self.refused):
            raise ServerError(1142, "denied", "asked")
        return [(int(place), 0, 3, 0, None, None) for place in re.findall(r"\(SELECT (\d+), 0", sql)]


def test_one_that_cannot_be_read_costs_the_others_nothing() -> None:
    session: Any = Asked({"t77", "t150"})
    params = {"databases": [], "migrations_table": "m", "history_table": ""}
    tables = {f"t{number}": Tables(True, False) for number in range(300)}
    found = Looker(session, params).states(tables)
    assert set(tables) - set(found) == {"t77", "t150"}
    assert {str(one.state) for one in found.values()} == {str(State(3, False))}
    assert len(session.questions) < 40
    session.refused = {"t5"}
    assert Looker(session, params).lacks("t5", "m") is False
