# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A team's situation: one repository of migrations, two databases, a secret for each, one runner."""

from __future__ import annotations

import json
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from integration.roles.support import MIGRATIONS, Team
from parts.mariadb import MariaDB
from parts.secretsmanager import SecretsManager
from parts.sshd import GitServer

COLUMNS = ["core", "Python", "way", "runs", "processes", "passing files", "streams, events", "files left", "findings"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table of ``make canary``."""
    reports = [report for outcome in ("passed", "failed") for report in terminalreporter.stats.get(outcome, [])]
    found = [dict(report.user_properties) for report in reports if hasattr(report, "user_properties")]
    rows = sorted(properties["canary"].split("|") for properties in found if "canary" in properties)
    if rows:
        terminalreporter.section("canary")
        widths = [max(map(len, column)) for column in zip(COLUMNS, *rows)]
        for row in [COLUMNS, *rows]:
            terminalreporter.write_line("  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip())


@pytest.fixture
def team(mariadb: MariaDB, git_server: GitServer, secrets_manager: SecretsManager, tmp_path: Path) -> Iterator[Team]:
    """A team with a repository of two migrations and the new databases orders and stock."""
    unique = uuid.uuid4().hex[:8]
    repository = git_server.create(f"team-{unique}")
    repository.commit(MIGRATIONS)
    variables = {
        "ansible_connection": "local",
        # The role must not care: it brings its own.
        "ansible_python_interpreter": "/nowhere/python",
        "migrate_python": sys.executable,
        "migrate_home": str(tmp_path / "home"),
        "migrate_repository": repository.url,
        "migrate_ref": "main",
        "migrate_directory": "db",
        "migrate_private_key": git_server.private_key,
        "migrate_known_hosts": git_server.known_hosts,
        "migrate_aws_region": secrets_manager.region,
        "migrate_aws_access_key": secrets_manager.access_key,
        "migrate_aws_secret_key": secrets_manager.secret_key,
        "migrate_aws_endpoint_url": secrets_manager.endpoint_url,
    }
    team = Team(repository, mariadb, tmp_path / "home", variables)
    team.databases = {name: f"{name}_{unique}" for name in ("orders", "stock")}
    for schema in team.databases.values():
        mariadb.create_schema(schema)
    account = {"host": mariadb.host, "port": mariadb.port, "username": mariadb.user, "password": mariadb.password}
    old_shape = {"hostname": account["host"], "port": str(account["port"]), "database": team.databases["orders"]}
    put = secrets_manager.put
    put(
        f"{team.databases['orders']}/secret",
        json.dumps({**old_shape, "username": account["username"], "password": account["password"]}),
    )
    put(
        f"{team.databases['stock']}/secret",
        json.dumps({**account, "engine": "mariadb", "dbname": team.databases["stock"]}),
    )
    yield team
    for schema in team.databases.values():
        mariadb.query(f"DROP DATABASE IF EXISTS `{schema}`")
