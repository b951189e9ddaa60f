# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes a plan: the ordered steps from the current version to the target. Private to the collection.

Pure: nothing here touches a database or a file. The rules are those of golang-migrate's up, down and goto.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

from .._core.errors import Error, coded
from .model import MAX_STATE, Goal, Migration, Plan, Source, State, Step, Unfinished, as_version
from .report import count


def make_plan(
    source: Source,
    state: State,
    goal: Goal,
    unfinished: Optional[Unfinished] = None,
    below: Sequence[int] = (),
) -> Plan:
    """Return the plan from ``state`` to ``goal``.

    :param unfinished: what has to be finished first when the state is dirty.
    :param below: versions below the current one that are to be applied, too.
    :raises Error: the state is dirty and nothing is known of what was left, the current version or the target has no
        file, or a rollback is needed and not allowed.
    """
    if state.dirty and unfinished is None:
        where = "no version" if state.version is None else f"version {state.version}"
        raise Error(
            1609,
            f"The database is dirty: an earlier run failed on its way to {where}. "
            "Find out what it did and fix the schema, then set the version that it has "
            "(module migration_force, playbook dbops.migrations.force) and run again.",
            dirty=True,
            from_version=state.version,
        )
    if goal.steps == 0:
        raise Error(1610, "steps is 0. Give a number of migrations, negative for down, or leave it out.")
    first = _rest_of(source, unfinished, state) if unfinished else ()
    if first and goal.steps is not None:
        goal = goal._replace(steps=goal.steps - (1 if goal.steps > 0 else -1))
    here = _position(source, state.version, "The database is at", state)
    there = _destination(source, here, goal, state)
    missed = [migration for migration in source.migrations[:here] if migration.version in below]
    if goal.steps is not None and goal.steps > 0:
        missed = missed[: goal.steps]
        there = min(here + goal.steps - len(missed), len(source.migrations))
    if there >= here:
        steps = tuple(_up(migration)._replace(leads_to=state.version) for migration in missed)
        steps += tuple(_up(migration) for migration in source.migrations[here:there])
    else:
        steps = tuple(_down(source.migrations, place) for place in range(here - 1, there - 1, -1))
    steps = first + steps
    _check_directions(steps, goal)
    for step in steps:
        if step.version > MAX_STATE:
            raise Error(1611, f"Version {step.version} ({step.file}) is larger than the state table's BIGINT can hold.")
    to_version = steps[-1].leads_to if steps else state.version
    return Plan(state.version, to_version, steps, tuple(_warnings(steps, goal)))


def pending(source: Source, version: Optional[int]) -> tuple[Step, ...]:
    """Return the up steps above ``version``, whether the source knows that version or not."""
    return tuple(_up(item) for item in source.migrations if version is None or item.version > version)


def _destination(source: Source, here: int, goal: Goal, state: State) -> int:
    if goal.steps is not None:
        return min(max(here + goal.steps, 0), len(source.migrations))
    if goal.target == "latest":
        return len(source.migrations)
    if goal.target == "none":
        return 0
    version = as_version(goal.target)
    if version is None:
        raise Error(
            1612, f"target is {goal.target!r}. Give a version (a number), latest, or none.", from_version=state.version
        )
    return _position(source, version, "The target is", state)


def _position(source: Source, version: Optional[int], who: str, state: State) -> int:
    """Return how many migrations are at or below a version."""
    if version is None:
        return 0
    for index, migration in enumerate(source.migrations):
        if migration.version == version:
            return index + 1
    known = [migration.version for migration in source.migrations]
    have = f"has {known[0]} to {known[-1]} ({len(known)} versions)" if known else "has no migrations"
    raise Error(
        1613,
        f"{who} version {version}, but no file in {source.directory} has that version; the directory {have}. "
        "Is this the right directory and an up-to-date ref? Nothing was changed.",
        from_version=state.version,
    )


def _up(migration: Migration) -> Step:
    return Step(migration.version, migration.title, "up", migration.up, migration.version)


def _down(migrations: tuple[Migration, ...], place: int) -> Step:
    migration = migrations[place]
    return Step(
        migration.version,
        migration.title,
        "down",
        migration.down,
        migrations[place - 1].version if place else None,
    )


def _rest_of(source: Source, unfinished: Unfinished, state: State) -> tuple[Step, ...]:
    """Return the step that finishes the interrupted migration.

    :raises Error: its file is not there.
    """
    for place, migration in enumerate(source.migrations):
        if migration.version == unfinished.version:
            step = _up(migration) if unfinished.direction == "up" else _down(source.migrations, place)
            if step.file is not None:
                return (step._replace(leads_to=state.version),)
    raise Error(
        1901,
        f"The {unfinished.direction} migration of version {unfinished.version} was interrupted, and "
        f"{source.directory} no longer has a file for it. Restore it and run again, or fix the schema manually and "
        "set its version (module migration_force). Nothing was changed.",
        dirty=True,
        from_version=state.version,
    )


def _check_directions(steps: tuple[Step, ...], goal: Goal) -> None:
    down = [str(step.version) for step in steps if step.direction == "down"]
    if down and len(down) < len(steps):
        raise Error(
            1902,
            f"The {steps[0].direction} migration of version {steps[0].version} was interrupted, but the requested "
            "migration goes the other way. Finish it first by running without a target, or fix the schema manually "
            "and set its version (module migration_force). Nothing was changed.",
            dirty=True,
        )
    if down and not goal.allow_down:
        raise Error(
            1614,
            f"This would roll back {count(len(down), 'migration')}: {', '.join(down)}. Down migrations destroy data; "
            "set allow_down: true if that is meant. Nothing was changed.",
        )


def _warnings(steps: tuple[Step, ...], goal: Goal) -> list[str]:
    warnings = [
        coded(1615, f"Version {step.version} has no {step.direction} file: only the version is recorded.")
        for step in steps
        if step.file is None
    ]
    if goal.steps is not None and len(steps) < abs(goal.steps):
        warnings.append(coded(1616, f"Fewer steps are possible than requested: {len(steps)} of {abs(goal.steps)}."))
    return warnings
