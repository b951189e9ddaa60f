# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A plan in the words of return values, diffs and messages. Private to the collection."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Optional

from .plan import Plan, State, Step


def listed(steps: Iterable[Step]) -> list[dict[str, Any]]:
    """Return steps as a return value."""
    return [{"version": step.version, "title": step.title, "direction": step.direction} for step in steps]


def named(version: Optional[int]) -> str:
    """Return a version as a person reads it."""
    return "none" if version is None else str(version)


def summary(database: str, plan: Plan) -> str:
    """Return one line on what a plan does."""
    if plan.steps:
        return (
            f"{database}: from version {named(plan.from_version)} to {named(plan.to_version)}, "
            f"{len(plan.steps)} migration(s)"
        )
    if plan.from_version is None:
        return f"{database}: no migrations yet"
    return f"{database}: nothing to do, at version {named(plan.from_version)}"


def difference(database: str, plan: Plan) -> dict[str, str]:
    """Return what Ansible shows in diff mode: the version, and the files that lead from one to the other."""
    steps = "".join(f"  {step.direction} {step.file or f'{step.version} (no file)'}\n" for step in plan.steps)
    return {
        "before_header": database,
        "after_header": database,
        "before": f"version {named(plan.from_version)}\n",
        "after": f"version {named(plan.to_version)}\n{steps}",
    }


def stated(state: State) -> str:
    """Return a state as a person reads it."""
    return f"version {named(state.version)}, {'dirty' if state.dirty else 'clean'}"


def standing(database: str, state: State, versions: Sequence[int], ahead: int) -> str:
    """Return one line on where a database stands.

    :param versions: those that the directory has.
    :param ahead: how many migrations are above the database's version.
    """
    if state.dirty:
        return f"{database}: version {named(state.version)}, dirty: a migration failed part way"
    if state.version is None and not versions:
        return f"{database}: no migrations yet"
    if state.version is not None and state.version not in versions:
        return f"{database}: version {state.version}, which no file in the directory has"
    return f"{database}: version {named(state.version)}, {ahead} migration(s) pending"
