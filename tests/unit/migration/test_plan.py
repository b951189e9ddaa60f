# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a state to a goal: the steps, or a refusal that says why."""

from __future__ import annotations

from typing import Any, Optional

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._core.errors import Error
from ansible_collections.dbops.migrations.plugins.module_utils._migration.files.directory import parse_names
from ansible_collections.dbops.migrations.plugins.module_utils._migration.model import (
    Goal,
    Plan,
    Source,
    State,
    Unfinished,
)
from ansible_collections.dbops.migrations.plugins.module_utils._migration.plan import make_plan, pending

SOURCE = parse_names("d", [f"{n}_m{n}.{way}.sql" for n in (1, 3, 7) for way in ("up", "down")])
EMPTY = parse_names("d", [])


def ways(plan: Plan) -> list[tuple[int, str, Optional[int]]]:
    return [(step.version, step.direction, step.leads_to) for step in plan.steps]


def plan(version: Optional[int], source: Source = SOURCE, **goal: Any) -> Plan:
    return make_plan(source, State(version, False), Goal(**goal))


UP = {1: (1, "up", 1), 3: (3, "up", 3), 7: (7, "up", 7)}
DOWN = {1: (1, "down", None), 3: (3, "down", 1), 7: (7, "down", 3)}


@pytest.mark.parametrize(
    ("version", "goal", "expected", "reached"),
    [
        (None, {}, [UP[1], UP[3], UP[7]], 7),
        (1, {}, [UP[3], UP[7]], 7),
        (7, {}, [], 7),
        (None, {"target": "3"}, [UP[1], UP[3]], 3),
        (None, {"target": "0003"}, [UP[1], UP[3]], 3),
        (3, {"target": "3"}, [], 3),
        (None, {"target": "none"}, [], None),
        (7, {"target": "none", "allow_down": True}, [DOWN[7], DOWN[3], DOWN[1]], None),
        (7, {"target": "1", "allow_down": True}, [DOWN[7], DOWN[3]], 1),
        (None, {"steps": 2}, [UP[1], UP[3]], 3),
        (3, {"steps": -1, "allow_down": True}, [DOWN[3]], 1),
        (1, {"steps": -1, "allow_down": True}, [DOWN[1]], None),
        (1, {"allow_down": True}, [UP[3], UP[7]], 7),
    ],
)
def test_the_steps_from_a_version_to_a_goal(
    version: int | None, goal: dict[str, Any], expected: list[object], reached: int | None
) -> None:
    result = plan(version, **goal)
    assert ways(result) == expected
    assert (result.from_version, result.to_version, result.warnings) == (version, reached, ())


@pytest.mark.parametrize(("version", "steps", "taken"), [(3, 5, 1), (7, 1, 0), (3, -5, 2), (None, -1, 0)])
def test_fewer_steps_than_asked_for(version: int | None, steps: int, taken: int) -> None:
    result = plan(version, steps=steps, allow_down=True)
    assert len(result.steps) == taken
    assert result.warnings == (f"Fewer steps are possible than requested: {taken} of {abs(steps)}. (DBM-1616)",)


def test_nothing_at_all_is_a_plan_of_nothing() -> None:
    assert plan(None, EMPTY) == Plan(None, None, ())


@pytest.mark.parametrize(
    ("version", "goal", "message"),
    [
        (7, {"target": "1"}, r"This would roll back 2 migrations: 7, 3\. .*set allow_down: true"),
        (7, {"steps": -1}, r"This would roll back 1 migration: 7\."),
        (None, {"steps": 0}, "steps is 0"),
        (None, {"target": "two"}, "target is 'two'. Give a version"),
        (None, {"target": "-1"}, "target is '-1'. Give a version"),
        (
            None,
            {"target": "2"},
            r"The target is version 2, but no file in d has that version; the directory has 1 to 7",
        ),
        (5, {}, r"The database is at version 5, but no file in d has that version; .*up-to-date ref"),
        (5, {"target": "none", "allow_down": True}, "The database is at version 5"),
    ],
)
def test_goals_that_are_refused(version: int | None, goal: dict[str, Any], message: str) -> None:
    with pytest.raises(Error, match=message):
        plan(version, **goal)


@pytest.mark.parametrize("target", ["8", "two"])
def test_a_target_that_is_not_there_says_where_the_database_is(target: str) -> None:
    with pytest.raises(Error) as caught:
        plan(1, target=target)
    assert caught.value.results["from_version"] == 1


def test_a_version_and_no_files_is_refused() -> None:
    with pytest.raises(Error, match=r"The database is at version 3, .* the directory has no migrations"):
        plan(3, EMPTY)


@pytest.mark.parametrize(("version", "name"), [(3, "version 3"), (None, "no version")])
def test_dirty_is_refused(version: int | None, name: str) -> None:
    with pytest.raises(Error, match=f"dirty: an earlier run failed on its way to {name}. .*force") as caught:
        make_plan(SOURCE, State(version, True), Goal())
    assert caught.value.results == {"dirty": True, "from_version": version}


def test_a_missing_file_is_recorded_and_warned_of() -> None:
    source = parse_names("d", ["1_a.up.sql", "2_b.down.sql"])
    result = make_plan(source, State(None, False), Goal())
    assert [step.file for step in result.steps] == ["1_a.up.sql", None]
    assert result.warnings == ("Version 2 has no up file: only the version is recorded. (DBM-1615)",)


def test_a_version_that_the_state_table_cannot_hold() -> None:
    source = parse_names("d", [f"{2**63}_x.up.sql"])
    with pytest.raises(Error, match=f"Version {2**63} .* is larger than the state table's BIGINT can hold"):
        make_plan(source, State(None, False), Goal())


@pytest.mark.parametrize(("version", "versions"), [(None, [1, 3, 7]), (3, [7]), (5, [7]), (9, [])])
def test_versions_above_the_current_one_are_pending(version: int | None, versions: list[int]) -> None:
    assert [step.version for step in pending(SOURCE, version)] == versions


def finish(version: int, direction: str, at: Optional[int], **goal: Any) -> Plan:
    """Plan what comes after a migration that was interrupted, the state being ``at``, dirty."""
    return make_plan(SOURCE, State(at, True), Goal(**goal), Unfinished(version, direction))


@pytest.mark.parametrize(
    ("unfinished", "at", "goal", "expected"),
    [
        ((1, "up"), 1, {}, [UP[1], UP[3], UP[7]]),
        ((3, "up"), 3, {}, [UP[3], UP[7]]),
        ((7, "up"), 7, {}, [UP[7]]),
        ((3, "up"), 3, {"target": "3"}, [UP[3]]),
        ((3, "up"), 3, {"steps": 1}, [UP[3]]),
        ((3, "up"), 3, {"steps": 2}, [UP[3], UP[7]]),
        # A version below the current one, which the state table continues to say.
        ((3, "up"), 7, {}, [(3, "up", 7)]),
        ((1, "up"), 3, {}, [(1, "up", 3), UP[7]]),
        ((7, "down"), 3, {"target": "3", "allow_down": True}, [DOWN[7]]),
        ((7, "down"), 3, {"steps": -1, "allow_down": True}, [DOWN[7]]),
        ((7, "down"), 3, {"steps": -2, "allow_down": True}, [DOWN[7], DOWN[3]]),
        ((1, "down"), None, {"target": "none", "allow_down": True}, [DOWN[1]]),
        ((3, "down"), 1, {"target": "none", "allow_down": True}, [DOWN[3], DOWN[1]]),
    ],
)
def test_what_was_interrupted_comes_first(
    unfinished: tuple[int, str], at: Optional[int], goal: dict[str, Any], expected: list[object]
) -> None:
    result = finish(*unfinished, at, **goal)
    assert ways(result) == expected
    assert (result.from_version, result.to_version, result.warnings) == (at, result.steps[-1].leads_to, ())


@pytest.mark.parametrize(
    ("unfinished", "at", "goal", "message"),
    [
        (
            (3, "up"),
            3,
            {"target": "1", "allow_down": True},
            "The up migration of version 3 was interrupted, but the req",
        ),
        ((3, "up"), 3, {"steps": -2, "allow_down": True}, r"goes the other way\. Finish it first by running without"),
        ((7, "down"), 3, {"allow_down": True}, "The down migration of version 7 was interrupted, but the requested"),
        ((7, "down"), 3, {"target": "3"}, r"This would roll back 1 migration: 7\. "),
        ((3, "up"), 3, {"steps": 0}, "steps is 0"),
        ((5, "up"), 5, {}, "The up migration of version 5 was interrupted, and d no longer has a file for it"),
    ],
)
def test_what_was_left_cannot_be_finished(
    unfinished: tuple[int, str], at: Optional[int], goal: dict[str, Any], message: str
) -> None:
    with pytest.raises(Error, match=message):
        finish(*unfinished, at, **goal)


def test_what_was_left_has_a_file_of_the_other_direction_only() -> None:
    source = parse_names("d", ["1_a.down.sql"])
    with pytest.raises(Error, match=r"The up migration of version 1 .* no longer has a file for it") as caught:
        make_plan(source, State(1, True), Goal(), Unfinished(1, "up"))
    assert caught.value.results == {"dirty": True, "from_version": 1}


@pytest.mark.parametrize(
    ("version", "goal", "below", "expected"),
    [
        (7, {}, [3], [(3, "up", 7)]),
        (7, {}, [1, 3], [(1, "up", 7), (3, "up", 7)]),
        (7, {}, [3, 1], [(1, "up", 7), (3, "up", 7)]),
        (3, {}, [1], [(1, "up", 3), UP[7]]),
        (3, {"target": "3"}, [1], [(1, "up", 3)]),
        (3, {"target": "7"}, [1], [(1, "up", 3), UP[7]]),
        (7, {"target": "1", "allow_down": True}, [1, 3], [DOWN[7], DOWN[3]]),
    ],
)
def test_what_is_below_is_applied_first(
    version: int, goal: dict[str, Any], below: list[int], expected: list[object]
) -> None:
    result = make_plan(SOURCE, State(version, False), Goal(**goal), below=below)
    assert ways(result) == expected
    assert result.to_version == result.steps[-1].leads_to


def test_what_is_below_comes_after_what_was_interrupted() -> None:
    result = make_plan(SOURCE, State(7, True), Goal(), Unfinished(3, "up"), below=[1])
    assert ways(result) == [(3, "up", 7), (1, "up", 7)]


def test_what_is_below_counts_as_a_step() -> None:
    result = make_plan(SOURCE, State(3, False), Goal(steps=1), below=[1])
    assert len(result.steps) == 1
