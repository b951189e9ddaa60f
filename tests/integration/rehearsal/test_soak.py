# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A few of the kills of ``make soak-rehearsal``, and of the ALTERs of ``make soak-impact``."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from integration.migration.support import Database, make
from parts.forks import Forks
from programs.soak.impact import Seen, impact, pasts, verdict
from programs.soak.rehearsal import soak


def test_kills_leave_nothing_that_the_next_run_does_not_drop(here: Database, forks: Forks) -> None:
    """Definitions and rows of the database itself are what they were."""
    wrong, _left = soak(here, forks, trials=4, dice=random.Random(5))
    assert wrong == 0


def test_tables_do_what_was_predicted(here: Database, forks: Forks, tmp_path: Path) -> None:
    """A few ALTERs, and a table with a past, with which the server refuses to begin."""
    twin = make(here.server, tmp_path / "twin", forks)
    alters = ("ALTER TABLE @ ADD c INT", "ALTER TABLE @ MODIFY n BIGINT")
    found = impact(here, twin, 3000, alters, pasts(mariadb=True)[:1])
    here.query(f"DROP DATABASE `{twin.name}`")
    assert (found["wrong"], found["certain"], found["pasts not certain"]) == (0, 2, 1)
    assert found["refused before it began"] == 1


PREDICTED = {"algorithm": "INPLACE", "rebuilds": False, "blocks_writes": False, "certain": True}


@pytest.mark.parametrize(
    ("predicted", "seen", "wrong"),
    [
        ({}, Seen(10, False, 1, 1, True), []),
        ({}, Seen(10, False, 6, 1, True), ["writes waited"]),
        ({}, Seen(1, False, 1, 1, True), []),
        ({}, Seen(10, False, 1, 9, True), ["reads waited"]),
        ({}, Seen(10, True, 1, 1, True), ["it is rewritten"]),
        ({}, Seen(10, None, 1, 1, True), []),
        ({}, Seen(10, False, 1, 1, False), ["the server takes a milder way"]),
        ({"rebuilds": True, "blocks_writes": True}, Seen(10, True, 10, 1, True), []),
        ({"rebuilds": True, "blocks_writes": True}, Seen(10, False, 1, 1, True),
         ["it is not rewritten", "writes continued"]),
        ({"certain": False}, Seen(10, True, 1, 1, True), []),
        ({"certain": False}, Seen(10, True, 9, 1, True), ["writes waited"]),
    ],
)  # fmt: skip
def test_what_was_predicted_wrongly_is_noticed(predicted: dict[str, bool], seen: Seen, wrong: list[str]) -> None:
    """Whether writes wait is judged where it takes long enough; what was not certain may only not be too mild."""
    assert verdict({**PREDICTED, **predicted}, seen) == wrong
