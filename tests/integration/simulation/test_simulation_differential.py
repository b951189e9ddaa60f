# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The simulated server answers as the real ones do: generated files without faults, statement by statement."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from parts import NotAvailable, private_folder
from parts.mariadb import DatabaseServer, MariaDB
from parts.mysql import MySQL
from simulation.differential import Pair, statements

FILES = 60


@pytest.fixture(scope="module", params=["mariadb", "mysql"])
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[Pair, bool]]:
    """A server of its own, whose schemas bear the names that the simulation knows; skipped where it cannot be had."""
    mariadb = request.param == "mariadb"
    with private_folder("simulation") as folder:
        server: DatabaseServer = MariaDB(folder) if mariadb else MySQL(folder)
        try:
            with server:
                yield Pair(server, mariadb), mariadb
        except NotAvailable as reason:
            pytest.skip(str(reason))


@pytest.mark.parametrize("broken", [False, True], ids=["whole files", "files with statements left out"])
def test_it_answers_as_the_server_does(pair: tuple[Pair, bool], broken: bool) -> None:
    both, mariadb = pair
    found = [
        f"seed {seed}: {difference}"
        for seed in range(FILES)
        for difference in both.differences(statements(seed, mariadb, broken))
    ]
    assert not found
