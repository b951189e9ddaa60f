# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a person is warned of after a rehearsal."""

from __future__ import annotations

from typing import Any

from ansible_collections.dbops.migrations.plugins.module_utils._rehearsal.notes import warnings

PLAIN: dict[str, Any] = {
    "version": 1, "title": "a", "direction": "up", "rehearsed": True, "why": None, "error": None, "changes": [],
    "impact": [], "risks": [], "skipped": [], "reversible": True, "irreversible": None, "not_restored": [],
}  # fmt: skip


def rehearsal(*migrations: dict[str, Any], why: str | None = None) -> dict[str, Any]:
    """Return a rehearsal of migrations that differ in something from a plain one."""
    return {"why": why, "migrations": [{**PLAIN, **migration} for migration in migrations]}


def test_failures_and_ways_back_that_are_wanting_are_warned_of() -> None:
    """What is not known is not."""
    found = rehearsal({"error": "(1060)", "reversible": None}, {"reversible": False, "irreversible": "no"}, {})
    assert list(warnings(found)) == [
        "The rehearsal of up 1 failed: (1060)",
        "The rehearsal found no way back from up 1: no",
    ]
