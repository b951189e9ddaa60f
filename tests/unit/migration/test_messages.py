# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lines that say where a database is, and what a run did: singular, plural, and each case that they tell apart."""

from __future__ import annotations

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._migration import messages
from ansible_collections.dbops.migrations.plugins.module_utils._migration.files.splitter import Statement
from ansible_collections.dbops.migrations.plugins.module_utils._migration.model import Plan, State, Step
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.session import ServerError


def up(version: int, leads_to: int | None = None) -> Step:
    return Step(version, "m", "up", f"{version}_m.up.sql", version if leads_to is None else leads_to)


DOWN = Step(3, "m", "down", "3_m.down.sql", 2)


@pytest.mark.parametrize(
    ("plan", "done", "planned"),
    [
        (
            Plan(None, 1, (up(1),)),
            "from no version yet to version 1, 1 migration",
            "go from no version yet to version 1, 1 migration",
        ),
        (Plan(1, 3, (up(2), up(3))), "from version 1 to version 3, 2 migrations", "go from version 1 to version 3, 2 "),
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
    assert messages.summary("shop", plan, check_mode=False) == f"shop: {done}"
    would = f"shop: check mode, nothing was changed; it would {planned}"
    assert messages.summary("shop", plan, check_mode=True).startswith(would)


def test_a_plan_without_steps() -> None:
    assert messages.summary("shop", Plan(None, None, ()), check_mode=True) == "shop: no migrations yet"
    assert messages.summary("shop", Plan(3, 3, ()), check_mode=False) == "shop: nothing to do, at version 3"


def test_five_names_and_how_many_more() -> None:
    assert messages.few(range(5)) == "0, 1, 2, 3, 4"
    assert messages.few(range(7)) == "0, 1, 2, 3, 4 and 2 more"


@pytest.mark.parametrize(
    ("in_doubt", "question"),
    [
        (
            (2, 2),
            "Statement 2 may have taken effect before it failed. Look at what it changes, then run again with "
            "resume_from: 2 if it took no effect, or resume_from: 3 if it did.",
        ),
        (
            (2, 4),
            "Statements 2 to 4 may have taken effect before it failed. Look at what statements 2 to 4 change, then run "
            "again with resume_from and the number of the first of them that took no effect, and undo what took effect "
            "behind it: resume_from: 2 if none did, resume_from: 5 if all did.",
        ),
    ],
)
def test_a_question_has_its_range_and_each_answer(in_doubt: tuple[int, int], question: str) -> None:
    error = messages.statement_failed(
        up(1), Statement(4, 7, 1, b"CALL p()"), ServerError(1062, "Duplicate", "x"), 0, 1, State(1, True), in_doubt
    )
    assert question in str(error)
    assert error.results["in_doubt"] == {"first": in_doubt[0], "last": in_doubt[1]}
    assert (error.results["file"], error.results["dirty"], error.results["to_version"]) == ("1_m.up.sql", True, 1)
