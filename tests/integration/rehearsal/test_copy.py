# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Copies are what they are copies of, and drift is what somebody has changed."""

from __future__ import annotations

import pytest
from integration.rehearsal.support import copied, made
from parts.mariadb import DatabaseServer

# Each server has its own ways here.
ABOUT_SERVERS = True


# 750 objects on three servers in make test-rehearsal.
@pytest.mark.parametrize(
    "seeds", [range(1), pytest.param(range(1, 14), marks=pytest.mark.rehearsal)], ids=["few", "many"]
)
def test_a_copy_of_everything_differs_in_nothing(server: DatabaseServer, seeds: range) -> None:
    """SHOW CREATE of each object is the same, but for its definer, AUTO_INCREMENT, and whether an event is enabled."""
    sorts: set[str] = set()
    for seed in seeds:
        with made(server, seed, count=60) as schema:
            found = copied(server, schema)
        assert (found.left_out, found.differences) == ({}, []), seed
        assert found.objects > 50
        sorts |= found.sorts
    assert sorts >= {"TABLE", "VIEW", "TRIGGER", "PROCEDURE", "FUNCTION", "EVENT"}
