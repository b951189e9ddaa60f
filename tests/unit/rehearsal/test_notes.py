# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a person reads of a rehearsal."""

from __future__ import annotations

from typing import Any

from ansible_collections.dbops.migrations.plugins.module_utils._rehearsal.notes import notes

PLAIN: dict[str, Any] = {
    "version": 1, "title": "a", "direction": "up", "rehearsed": True, "why": None, "error": None, "changes": [],
    "impact": [], "risks": [], "skipped": [], "reversible": True, "irreversible": None, "not_restored": [],
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


def test_what_an_alter_does_is_one_line() -> None:
    """What is not known is not said."""
    known = {"line": 3, "table": "t", "algorithm": "COPY", "rebuilds": True, "blocks_writes": True, "rows": 1234567,
             "bytes": 98765432, "certain": True, "uncertain": None}  # fmt: skip
    unknown = {**known, "algorithm": None, "rebuilds": None, "blocks_writes": None, "rows": None, "certain": False,
               "uncertain": "partitions"}  # fmt: skip
    [lines] = notes(rehearsal({"impact": [known, unknown]}))
    assert lines[1:] == [
        "line 3, t: COPY, writes wait, all rows are written anew, about 1,234,567 rows, 98.8 MB",
        "line 3, t: how is not known; not certain: partitions",
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
