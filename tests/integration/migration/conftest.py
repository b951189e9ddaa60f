# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixtures of the tests of the modules that migrate."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from integration.migration.fleet import Fleet, make_fleet
from integration.migration.support import Database, make, server_names
from parts.forks import Forks
from parts.mariadb import DatabaseServer


@pytest.fixture
def database(mariadb: DatabaseServer, tmp_path: Path, run_module: Any) -> Iterator[Database]:
    """An empty schema on MariaDB and an empty directory."""
    database = make(mariadb, tmp_path / "migrations", run_module)
    yield database
    mariadb.query(f"DROP DATABASE IF EXISTS `{database.name}`")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    # A case names its servers itself.
    if "server" in metafunc.fixturenames and "case" not in metafunc.fixturenames:
        metafunc.parametrize("server", server_names(metafunc), indirect=True)


@pytest.fixture
def server(request: pytest.FixtureRequest, servers: Any) -> DatabaseServer:
    """Each of the servers in turn that the option ``--servers`` names."""
    found: DatabaseServer = servers.get(request.param)
    return found


@pytest.fixture
def twins(
    server: DatabaseServer, tmp_path: Path, run_module: Any, golang_migrate: Path
) -> Iterator[tuple[Database, Database]]:
    """Two empty schemas over one directory: one for us, one for golang-migrate."""
    ours = make(server, tmp_path / "migrations", run_module)
    theirs = make(server, tmp_path / "migrations", run_module)
    yield ours, theirs
    for database in (ours, theirs):
        server.query(f"DROP DATABASE IF EXISTS `{database.name}`")


@pytest.fixture(scope="session")
def forks() -> Iterator[Forks]:
    """Our modules, each in a process of its own that starts at once and can be killed."""
    forks = Forks()
    yield forks
    forks.close()


@pytest.fixture
def here(mariadb: DatabaseServer, tmp_path: Path, forks: Forks) -> Iterator[Database]:
    """An empty schema on MariaDB, for what does not depend on the server, and an empty directory."""
    yield from _schema(mariadb, tmp_path, forks)


@pytest.fixture
def there(server: DatabaseServer, tmp_path: Path, forks: Forks) -> Iterator[Database]:
    """The same on each server in turn."""
    yield from _schema(server, tmp_path, forks)


@pytest.fixture
def fleet(server: DatabaseServer, tmp_path: Path, forks: Forks) -> Iterator[Fleet]:
    """Schemas on each server in turn, none at first."""
    fleet = make_fleet(server, tmp_path / "migrations", forks)
    yield fleet
    fleet.drop()


def _schema(server: DatabaseServer, folder: Path, forks: Forks) -> Iterator[Database]:
    found = make(server, folder / "migrations", forks)
    yield found
    server.query(f"DROP DATABASE IF EXISTS `{found.name}`")
