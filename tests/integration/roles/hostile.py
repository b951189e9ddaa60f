# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Text that would run a command on the controller if it were templated, in what comes from outside."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from integration.roles.support import Team
from parts.ansible import PROGRAMS
from parts.secretsmanager import SecretsManager

if TYPE_CHECKING:
    from conftest import RunPlaybook

# A shell puts the path in, which has a slash, as no file's name has.
TEXT = "{{ lookup('pipe', 'touch $HOSTILE') }}"
AWX = {"awx_job_id": 7, "tower_job_id": 7}


def tries(
    playbook: RunPlaybook, team: Team, secrets_manager: SecretsManager, folder: Path, programs: Path = PROGRAMS
) -> list[str]:
    """Go all ways with such a schema, such files and such errors; return which runs have run the command.

    :param folder: where the command would make a file.
    """
    mark = folder / "hostile"
    server = team.mariadb
    server.query(f"CREATE DATABASE IF NOT EXISTS `{TEXT}`")
    login = {"host": server.host, "port": server.port, "username": server.user, "password": server.password}
    secrets_manager.put("hostile/secret", json.dumps({**login, "dbname": TEXT}))
    team.repository.commit({f"db/0003_{TEXT}.up.sql": "SELECT 1;\n", f"db/0003_{TEXT}.down.sql": "SELECT 1;\n"})
    team.databases = {"orders": TEXT}
    inventory = team.inventory(migrate_secret_id="hostile/secret")
    inventory["all"]["children"]["databases"]["hosts"] = {"orders": {}}
    found = []

    def run(name: str, *options: str, rc: int = 0, **variables: Any) -> None:
        for more in ({}, AWX):
            outcome = playbook(
                f"dbops.migrations.{name}",
                inventory,
                *options,
                extra_vars={**variables, **more},
                env={"HOSTILE": str(mark)},
                programs=programs,
            )
            assert outcome.rc == rc, outcome.stdout + outcome.stderr
            if mark.exists():
                found.append(f"{name} {options} {sorted(more)}")
                mark.unlink()

    try:
        run("migrate", "--check", "--diff")
        run("migrate")
        run("status")
        run("rollback", migrate_steps=1)
        wrong = "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = \"" + TEXT + '";\n'
        team.repository.commit({"db/0004_wrong.up.sql": wrong})
        run("migrate", rc=2)
        run("status")
    finally:
        server.query(f"DROP DATABASE `{TEXT}`")
    return found
