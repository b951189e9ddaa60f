# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every text about a plan, a run and a state, as a whole: singular, plural, and each case that they tell apart."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._migration import report
from ansible_collections.dbops.migrations.plugins.module_utils._migration.model import Plan, State, Step
from ansible_collections.dbops.migrations.plugins.module_utils._migration.tables.history_table import AttemptRecord
from unit.migration.fakes import record


def up(version: int, leads_to: int | None = None) -> Step:
    return Step(version, "m", "up", f"{version}_m.up.sql", version if leads_to is None else leads_to)


DOWN = Step(3, "m", "down", "3_m.down.sql", 2)


@pytest.mark.parametrize(
    ("plan", "done", "planned"),
    [
        (
            Plan(None, 1, (up(1),)),
            "from no version yet to version 1, 1 migration",
            "migrate from no version yet to version 1, 1 migration",
        ),
        (
            Plan(1, 3, (up(2), up(3))),
            "from version 1 to version 3, 2 migrations",
            "migrate from version 1 to version 3, 2 migrations",
        ),
        (Plan(10, 10, (up(9, 10),)), "late migration 9 applied, still at version 10", "apply late migration 9, still"),
        (
            Plan(10, 10, (up(8, 10), up(9, 10))),
            "late migrations 8, 9 applied, still at version 10",
            "apply late migrations 8, 9, still at version 10",
        ),
        (Plan(3, 3, (up(3),)), "up 3 finished, at version 3", "finish up 3, at version 3"),
        (Plan(2, 2, (DOWN,)), "down 3 finished, at version 2", "finish down 3, at version 2"),
        (
            Plan(4, 4, (up(4), up(2, 4))),
            "up 4 finished, late migration 2 applied, still at version 4",
            "finish up 4, apply late migration 2, still at version 4",
        ),
    ],
)
def test_what_a_plan_did_and_would_do(plan: Plan, done: str, planned: str) -> None:
    assert report.summary("shop", plan, check_mode=False) == f"shop: {done}"
    would = f"shop: check mode, nothing was changed; it would {planned}"
    assert report.summary("shop", plan, check_mode=True).startswith(would)


def test_a_plan_without_steps() -> None:
    assert report.summary("shop", Plan(None, None, ()), check_mode=True) == "shop: no migrations yet"
    assert report.summary("shop", Plan(3, 3, ()), check_mode=False) == "shop: nothing to do, at version 3"


def test_who_has_brought_a_database_to_where_it_is() -> None:
    def said(**values: Any) -> str:
        return report.summary("shop", Plan(3, 3, ()), False, record(version=3, **values))

    where = "shop: nothing to do, at version 3"
    assert said(direction="up", ran_by="ann\x1b[2J") == f"{where} (last: up 3 at 2026-11-05T12:30:15Z, by ann[2J)"
    assert said(direction="force") == where


def test_five_names_and_how_many_more() -> None:
    assert report.few(range(5)) == "0, 1, 2, 3, 4"
    assert report.few(range(7)) == "0, 1, 2, 3, 4 and 2 more"


# Where a database is.


@pytest.mark.parametrize(
    ("state", "versions", "options", "expected"),
    [
        (State(None, False), [], {}, "shop: no migrations yet"),
        (State(None, False), [1, 2], {}, "shop: no version yet, 2 migrations pending"),
        (State(1, False), [1, 2], {}, "shop: version 1, 2 migrations pending"),
        (State(5, False), [1, 2], {}, "shop: version 5, which no file in the directory has"),
        (State(1, True), [1], {}, "shop: version 1, dirty: a migration is partially applied"),
        (State(1, True), [1], {"progress": "x"}, "shop: version 1, dirty: x"),
        (State(1, False), [1], {"troubles": ["a", "b"]}, "shop: version 1, 2 migrations pending, a, b"),
        (State(None, False), [], {"troubles": ["a"]}, "shop: no migrations yet, a"),
    ],
)
def test_the_line_on_where_a_database_is(
    state: State, versions: list[int], options: dict[str, Any], expected: str
) -> None:
    assert report.status_line("shop", state, versions, 2, **options) == expected


@pytest.mark.parametrize(
    ("row", "held", "expected"),
    [
        (record(outcome="running", done=2), True, "f is running, at statement 3"),
        (record(outcome="running", done=2), False, "f was interrupted; statements 1 to 2 are done"),
        (record(outcome="running", done=1), None, "f is running, or was interrupted; statement 1 is done"),
        (record(outcome="failed", done=0), True, "f failed; none of its statements is done"),
        (record(outcome="interrupted", done=2), False, "f was stopped; statements 1 to 2 are done"),
        (
            record(outcome="failed", done=2, begun=3),
            False,
            "f failed; statements 1 to 2 are done, and statement 3 may have taken effect",
        ),
        (
            record(outcome="running", done=2, begun=5),
            False,
            "f was interrupted; statements 1 to 2 are done, and statements 3 to 5 may have taken effect",
        ),
    ],
)
def test_how_far_a_migration_got(row: AttemptRecord, held: bool | None, expected: str) -> None:
    assert report.progress_text(row, "f", held) == expected
    without = report.progress_text(row, None, held)
    assert without == expected.replace("f ", "the up migration of version 1 ", 1)


def test_states_and_versions() -> None:
    assert report.format_version(None) == "no version yet"
    assert report.format_state(State(3, True)) == "version 3, dirty"
    assert report.format_state(State(3, False)) == "version 3, clean"
    assert [report.done_text(done) for done in range(3)] == [
        "none of its statements is done", "statement 1 is done", "statements 1 to 2 are done",
    ]  # fmt: skip
    assert report.doubt_text(2, 2) == "statement 2 may have taken effect"
    assert report.count(1, "statement") == "1 statement"
    assert report.count(0, "statement") == "0 statements"


# Return values.


def test_steps_as_return_values() -> None:
    assert report.steps_result([up(3)]) == [{"version": 3, "title": "m", "direction": "up"}]


def test_the_difference_that_diff_mode_shows() -> None:
    assert report.difference("shop", Plan(None, 4, (up(3), up(4)._replace(file=None)))) == {
        "before_header": "shop",
        "after_header": "shop",
        "before": "no version yet\n",
        "after": "version 4\n  up 3_m.up.sql\n  up 4 (no file)\n",
    }


def test_rows_of_the_history_as_return_values() -> None:
    row = record(
        outcome="failed", done=2, begun=3, checksum="c", statements=4, seconds=1.5, error="e", git_commit="g",
        ran_by="b", ran_on="o", job="j",
    )  # fmt: skip
    common = {
        "version": 1, "title": "m", "direction": "up", "outcome": "failed", "done": 2, "error": "e", "ran_by": "b",
        "ran_on": "o", "job": "j", "started_at": "2026-11-05T12:30:15Z",
    }  # fmt: skip
    assert report.attempt_result(row, "f") == {**common, "file": "f", "begun": 3}
    assert report.history_result([row]) == [
        {**common, "checksum": "c", "statements": 4, "seconds": 1.5, "commit": "g", "tool": "t"}
    ]
