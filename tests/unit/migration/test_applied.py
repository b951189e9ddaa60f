# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the history knows about a directory."""

from __future__ import annotations

import json
from typing import Optional

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._migration.applied import Known, assumed, known
from ansible_collections.dbops.migrations.plugins.module_utils._migration.files.directory import parse_names
from ansible_collections.dbops.migrations.plugins.module_utils._migration.model import Move, Source, State


def source(*versions: int) -> Source:
    return parse_names("d", [f"{version}_m.up.sql" for version in versions])


def up(version: int, leads_to: Optional[int] = None, checksum: Optional[str] = None) -> Move:
    return Move(version, "up", leads_to or version, checksum or f"sum {version}", None)


def down(version: int, leads_to: Optional[int]) -> Move:
    return Move(version, "down", leads_to, "down's", None)


def forced(version: Optional[int]) -> Move:
    return Move(version, "force", version, None, None)


def external(version: Optional[int], *versions: int) -> Move:
    return Move(version, "external", version, None, json.dumps({"assumed": versions}))


def clean(version: Optional[int]) -> State:
    return State(version, False)


def test_nothing_is_known_without_a_history() -> None:
    assert known(()) == Known({}, None)


def test_ups_and_downs() -> None:
    moves = [up(1), up(3), up(7), down(7, 3), down(3, 1), up(3, checksum="another")]
    assert known(moves) == Known({1: "sum 1", 3: "another"}, clean(3))


def test_nothing_is_applied_after_everything_was_rolled_back() -> None:
    assert known([up(1), down(1, None)]) == Known({}, clean(None))


def test_a_version_below_the_current_one_keeps_it() -> None:
    assert known([up(1), up(3), up(2, leads_to=3)]) == Known({1: "sum 1", 3: "sum 3", 2: "sum 2"}, clean(3))


@pytest.mark.parametrize(
    ("moves", "expected"),
    [
        ([up(1), external(3, 2, 3)], {1: "sum 1", 2: None, 3: None}),
        ([up(1), up(2), up(3), external(2, 1, 2)], {1: "sum 1", 2: "sum 2"}),
        ([external(2, 1, 2), up(3)], {1: None, 2: None, 3: "sum 3"}),
        ([up(1), external(None)], {}),
    ],
)
def test_moves_from_outside(moves: list[Move], expected: dict[int, Optional[str]]) -> None:
    assert known(moves) == Known(expected, clean(moves[-1].leads_to))


def test_force_keeps_what_is_below_and_knows_no_more() -> None:
    assert known([up(1), up(2), up(3), forced(2)]) == Known({1: "sum 1", 2: "sum 2"}, clean(2), settled=False)
    assert known([up(1), forced(7)]) == Known({1: "sum 1"}, clean(7), settled=False)
    assert known([up(1), forced(None)]) == Known({}, clean(None), settled=False)
    assert known([forced(7), external(7, 1, 7)]) == Known({1: None, 7: None}, clean(7))


@pytest.mark.parametrize(
    ("moves", "at", "expected"),
    [
        # Nothing is known: nothing is said.
        ([], 7, []),
        ([], None, []),
        ([up(1), up(3), up(7)], 7, []),
        ([up(1), up(7)], 7, [3]),
        ([up(7)], 7, [1, 3]),
        ([up(7), up(3, leads_to=7)], 7, [1]),
        ([up(1), up(3)], 3, []),
        ([up(1), down(1, None)], None, []),
        # Whoever moved the state passed them.
        ([up(1)], 7, []),
        ([up(3)], 7, [1]),
        ([up(7)], 3, []),
        ([forced(7)], 7, []),
        ([up(1), forced(3)], 7, []),
        ([forced(7), external(7, 7)], 7, [1, 3]),
    ],
)
def test_pending_versions_below_the_current_one_are_out_of_order(
    moves: list[Move], at: Optional[int], expected: list[int]
) -> None:
    assert known(moves).below(source(1, 3, 7, 9), clean(at)) == expected


def test_below_needs_a_file_to_apply() -> None:
    only_down = parse_names("d", ["1_a.down.sql", "2_b.up.sql"])
    assert known([up(2)]).below(only_down, clean(2)) == []


def test_below_of_a_dirty_state() -> None:
    """The move that failed is not a move; the versions that were passed before it still are."""
    assert known([up(3)]).below(source(1, 3, 7), State(7, True)) == [1]


def test_applied_versions_without_a_file_are_missing() -> None:
    assert known([up(9), up(1), external(3, 2, 3)]).missing(source(1, 4)) == [2, 3]
    assert known(()).missing(source()) == []


@pytest.mark.parametrize(
    ("moves", "at", "direction", "versions"),
    [
        ([], 3, "external", [1, 3]),
        ([up(1)], 7, "external", [3, 7]),
        ([up(3)], 7, "external", [7]),
        ([up(7)], 3, "external", [1, 3]),
        ([up(7)], None, "external", []),
        ([forced(3)], 3, "baseline", [1, 3]),
        ([up(1), forced(3)], 7, "external", [1, 3, 7]),
        ([forced(None)], None, "baseline", []),
        # Not a version of this directory at all.
        ([up(1)], 5, "external", [3]),
    ],
)
def test_a_move_that_is_not_known(moves: list[Move], at: Optional[int], direction: str, versions: list[int]) -> None:
    assert known(moves).moved(source(1, 3, 7), clean(at)) == {
        "version": at,
        "from_version": moves[-1].leads_to if moves else None,
        "leads_to": at,
        "direction": direction,
        "progress": json.dumps({"assumed": versions}),
    }


@pytest.mark.parametrize(
    ("moves", "state"),
    [
        ([], clean(None)),
        ([up(3)], clean(3)),
        ([up(3)], State(7, True)),
        ([forced(3)], State(3, True)),
        ([down(1, None)], clean(None)),
        ([forced(3), external(3, 3)], clean(3)),
    ],
)
def test_a_recorded_state_is_not_an_external_move(moves: list[Move], state: State) -> None:
    assert known(moves).moved(source(1, 3, 7), state) is None


def test_a_move_that_is_recorded_is_known_from_then_on() -> None:
    files = source(1, 3, 7)
    for moves in ([], [up(1)], [up(7)], [forced(3)], [up(3), forced(7)]):
        for version in (None, 1, 3, 7):
            found = known(moves).moved(files, clean(version))
            if found is not None:
                row = Move(found["version"], found["direction"], found["leads_to"], None, found["progress"])
                assert known([*moves, row]).moved(files, clean(version)) is None
                assert known([*moves, row]).below(files, clean(version)) == known(moves).below(files, clean(version))


def test_versions_assumed_applied_are_written_down() -> None:
    assert assumed(source(1, 3, 7), 1, 3) == '{"assumed": [3]}'
    assert assumed(source(0, 1), -1, 1) == '{"assumed": [0, 1]}'
    assert assumed(source(0, 1), -1, None) == '{"assumed": []}'


@pytest.mark.parametrize(
    ("moves", "state", "expected"),
    [
        ([up(1), up(3)], clean(3), []),
        ([up(1), up(3)], clean(7), []),
        ([up(1), up(7), up(3, leads_to=7)], clean(1), [3, 7]),
        ([up(1), up(3)], clean(None), [1, 3]),
        ([up(1), up(3), down(3, 1)], clean(1), []),
        ([up(1), forced(1)], clean(None), [1]),
        ([external(3, 1, 3)], clean(1), [3]),
        # What is under way is known to be.
        ([up(1), up(3)], State(1, True), []),
        ([], clean(None), []),
        # Of an attempt that has not succeeded something may be there.
        ([up(1), up(2)._replace(unfinished=True)], clean(1), []),
        ([up(1), up(2)._replace(unfinished=True)], clean(None), [1, 2]),
        ([up(1)._replace(unfinished=True)], clean(None), [1]),
        ([up(1), up(2)._replace(unfinished=True)], clean(2), []),
        ([up(1), up(2), down(2, 1)._replace(unfinished=True)], clean(1), [2]),
    ],
)
def test_what_the_history_has_and_the_state_has_not(moves: list[Move], state: State, expected: list[int]) -> None:
    assert known(moves).ahead_of(state) == expected


def test_an_attempt_that_has_not_succeeded_is_not_a_move() -> None:
    assert known([up(1), up(2)._replace(unfinished=True)]) == Known({1: "sum 1"}, clean(1), unfinished=2)
    assert known([up(1), down(1, None)._replace(unfinished=True)]) == Known({1: "sum 1"}, clean(1))
