# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run whose controller was killed: what somebody else reads while it continues, and afterwards."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from integration.progress.support import Running
from integration.roles.support import MIGRATIONS, Team, failure, said
from parts import private_folder
from parts.ansible import PROGRAMS, environment
from parts.sshd import GitServer, make_key

if TYPE_CHECKING:
    from conftest import RunPlaybook

MIGRATE, STATUS = "dbops.migrations.migrate", "dbops.migrations.status"
SLOW = "INSERT INTO people (id) VALUES (1);\nALTER TABLE people ADD phone INT;\n"


def over_ssh(folder: Path, server: GitServer, pipelining: bool) -> dict[str, Any]:
    """Return the variables with which a runner is reached over SSH."""
    make_key(folder / "login_key")
    server.let_in((folder / "login_key.pub").read_text())
    (folder / "known_hosts").write_text(server.known_hosts)
    return {
        "ansible_connection": "ssh",
        "ansible_host": server.host,
        "ansible_port": server.port,
        "ansible_user": server.user,
        "ansible_ssh_private_key_file": str(folder / "login_key"),
        "ansible_ssh_common_args": f"-F none -o UserKnownHostsFile={folder / 'known_hosts'}",
        "ansible_pipelining": pipelining,
    }


def wait_for(team: Team, schema: str, runs: bool) -> None:
    """Wait until the slow statement runs, or until it does no more."""
    question = f"SELECT 1 FROM information_schema.processlist WHERE db = '{schema}' AND info LIKE 'ALTER%phone%'"
    deadline = time.monotonic() + 60
    while bool(team.mariadb.query(question)) is not runs:
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.progress
@pytest.mark.parametrize("pipelining", [False, True])
def test_what_others_read(team: Team, git_server: GitServer, playbook: RunPlaybook, pipelining: bool) -> None:
    schema = team.databases["orders"]
    since = r"\d{4}-\d\d-\d\dT[\d:]{8}Z"
    with private_folder("left") as folder:
        inventory = team.inventory(**over_ssh(folder, git_server, pipelining))
        (folder / "inventory.json").write_text(json.dumps(inventory))
        (folder / "results").touch()

        def ben(book: str, **variables: Any) -> Any:
            return playbook(book, inventory, "--limit", "orders", extra_vars={"migrate_run_by": "ben", **variables})

        def said_to_ben(book: str) -> list[str]:
            lines: list[str] = said(ben(book), "orders")
            return lines

        team.repository.commit(MIGRATIONS)
        ben(MIGRATE)
        team.repository.commit({"db/0003_slow.up.sql": SLOW})
        with team.mariadb.connect(schema) as holder:
            holder.cursor().execute("START TRANSACTION")
            holder.cursor().execute("SELECT id FROM people")
            command = [PROGRAMS / "ansible-playbook", MIGRATE, "-i", folder / "inventory.json", "--limit", "orders"]
            ann = Running([*command, "-e", "migrate_run_by=ann"], environment(folder / "results"), folder / "results")
            wait_for(team, schema, True)
            os.killpg(ann.process.pid, signal.SIGKILL)
            ann.end()
            first, *more = said_to_ben(STATUS)
            assert re.fullmatch(
                rf"{schema}: version 3, dirty: 0003_slow\.up\.sql is running, at statement 2, by ann on \S+ since "
                rf"{since}; ALTER TABLE: waiting for a metadata lock, perhaps held by connection \d+ \(.*\), \d+ s",
                first,
            ), first
            assert "running       up 3 slow, at statement 2" in more
            refused = failure(ben(MIGRATE, migrate_lock_timeout=1), "orders")
        assert re.fullmatch(
            rf"Another migration run holds the lock on {schema}: it was not free within 1 s\. It is held by "
            r"connection \d+, \S+, running ALTER TABLE people … for \d+ s\. "
            rf"The history has up 3 as running since {since}, by ann\. Wait for it, or raise migrate_lock_timeout\. "
            r"\(DBM-1534\)",
            refused,
        ), refused
        wait_for(team, schema, False)
        [nothing] = said_to_ben(MIGRATE)
        text = rf"{schema}: nothing to do, at version 3 \(last: up 3 at {since}, by ann\)"
        assert re.fullmatch(text, nothing), nothing
        first, *more = said_to_ben(STATUS)
        assert first == f"{schema}: version 3, 0 migrations pending"
        assert re.fullmatch(rf"attempts +{since}  applied +\d+\.\d{{3}} s  up 3 slow, by ann, .*", more[0])
        assert team.mariadb.query("SELECT id, phone FROM people", schema) == [(1, None)]
