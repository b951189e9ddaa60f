# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a person reads of a rehearsal."""

from __future__ import annotations

from typing import Any

from ansible_collections.dbops.migrations.plugins.module_utils._rehearsal.notes import notes, warnings

PLAIN: dict[str, Any] = {
    "version": 1, "title": "a", "direction": "up", "rehearsed": True, "why": None, "error": None, "changes": [],
    "skipped": [], "reversible": True, "irreversible": None, "not_restored": [],
}  # fmt: skip


def rehearsal(*migrations: dict[str, Any], why: str | None = None) -> dict[str, Any]:
    """Return a rehearsal of migrations that differ in something from a plain one."""
    return {"why": why, "migrations": [{**PLAIN, **migration} for migration in migrations]}


def test_each_migration_has_its_lines() -> None:
    """What became of it, and what it changes."""
    change = {"sort": "TABLE", "name": "t", "change": "added", "diff": "@@\n+x\n"}
    found = notes(
        rehearsal(
            {"changes": [change]},
            {"reversible": False, "irreversible": "it has no down file", "skipped": ["line 1"]},
            {"reversible": None, "error": "(1060)"},
            {"rehearsed": False, "why": "it names VIEW v"},
            {"reversible": None},
        )
    )
    assert found == [
        ["rehearsed: its down file restores the schema", "TABLE t added:", "  @@", "  +x"],
        ["rehearsed: no way back: it has no down file", "left out, as the copies hold no rows: line 1"],
        ["rehearsed: it fails: (1060)"],
        ["not rehearsed: it names VIEW v"],
        ["rehearsed"],
    ]


def test_why_nothing_was_rehearsed_is_said_once() -> None:
    """Not of each migration."""
    left = {"rehearsed": False, "why": "no schema"}
    assert notes(rehearsal({}, left, left, why="no schema"))[1:] == [["not rehearsed: no schema"], []]


def test_a_long_difference_is_cut() -> None:
    """How much is left out is said."""
    change = {"sort": "TABLE", "name": "t", "change": "added", "diff": "+x\n" * 300}
    [lines] = notes(rehearsal({"changes": [change]}))
    assert (len(lines), lines[-1]) == (202, "... and 101 more lines")


def test_failures_and_ways_back_that_are_wanting_are_warned_of() -> None:
    """What is not known is not."""
    found = rehearsal({"error": "(1060)", "reversible": None}, {"reversible": False, "irreversible": "no"}, {})
    assert list(warnings(found)) == [
        "The rehearsal of up 1 failed: (1060)",
        "The rehearsal found no way back from up 1: no",
    ]
