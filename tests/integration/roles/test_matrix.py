# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The main path, by one ansible-core on one Python, on runners with other Pythons: ``make test-matrix``.

Each runner is a host with a Python, a home and a database of its own, reached over SSH.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from integration.roles.hostile import tries
from integration.roles.support import Team, lines_of
from parts import cores
from parts.secretsmanager import SecretsManager
from parts.sshd import GitServer, make_key

if TYPE_CHECKING:
    from conftest import PlaybookResult, RunPlaybook

BROKEN = {"db/0003_wrong.up.sql": "ALTER TABLE people ADD a INT;\n  ALTER TABLE nobody ADD b INT;\n"}


@dataclass
class Runners:
    """The runners, by the minor version of their Python; each has a database of the same name.

    :ivar wrong: what went wrong on each.
    """

    team: Team
    minors: list[int]
    wrong: dict[int, list[str]] = field(default_factory=dict)

    def name(self, minor: int) -> str:
        return f"python3{minor:02}"

    def inventory(self) -> dict[str, Any]:
        """Return the inventory of all."""
        inventory = self.team.inventory()
        inventory["all"]["children"]["databases"]["hosts"] = {
            self.name(minor): {
                "migrate_secret_id": f"{self.team.databases[self.name(minor)]}/secret",
                "migrate_python": str(cores.host(minor)),
                "migrate_home": str(self.team.home / self.name(minor)),
            }
            for minor in self.minors
        }
        return inventory

    def see(self, step: str, result: PlaybookResult, says: str, version: object, **counts: int) -> None:
        """Look at what a step did on each runner.

        :param says: what the playbook has to say about a runner at its end.
        :param version: what the database's state table must hold then.
        :param counts: some of those in the recap.
        """
        for_all = [event["result"]["msg"] for event in result.tasks if "Report the result" in event["task"]]
        for minor in self.minors:
            name = self.name(minor)
            results = [event["result"] for event in result.tasks if event["host"] == name]
            own = results[-1].get("msg") if results else result.stderr[-500:]
            said = json.dumps(lines_of(for_all, name) or own)
            recap = {count: result.stats.get(name, {}).get(count) for count in counts}
            if says not in said or recap != counts or self.team.version(name) != version:
                self.wrong.setdefault(minor, []).append(f"{step}: {self.team.version(name)}, {recap}, {said}")


@pytest.fixture
def runners(team: Team, git_server: GitServer, secrets_manager: SecretsManager, tmp_path: Path) -> Runners:
    """The runners whose Pythons the variable MATRIX_HOSTS names."""
    runners = Runners(team, [int(minor) for minor in os.environ["MATRIX_HOSTS"].split()])
    server = team.mariadb
    for minor in runners.minors:
        schema = team.databases[runners.name(minor)] = f"{team.databases['orders']}_{minor}"
        server.create_schema(schema)
        login = {"host": server.host, "port": server.port, "username": server.user, "password": server.password}
        secrets_manager.put(f"{schema}/secret", json.dumps({**login, "dbname": schema}))
    make_key(tmp_path / "login_key")
    git_server.let_in((tmp_path / "login_key.pub").read_text())
    (tmp_path / "known_hosts").write_text(git_server.known_hosts)
    team.variables |= {
        "ansible_connection": "ssh",
        "ansible_host": git_server.host,
        "ansible_port": git_server.port,
        "ansible_user": git_server.user,
        "ansible_ssh_private_key_file": str(tmp_path / "login_key"),
        "ansible_ssh_common_args": f"-F none -o UserKnownHostsFile={tmp_path / 'known_hosts'}",
        # What ssh keeps open would keep the playbook's output open for a minute.
        "ansible_ssh_args": "-o ControlMaster=auto -o ControlPersist=1",
        "ansible_remote_tmp": str(tmp_path / "remote"),
    }
    return runners


each_core = pytest.mark.parametrize(
    ("core", "minor"),
    [
        pytest.param(core, minor, id=f"{core}-3.{minor}")
        for core, versions in cores.CORES.items()
        for minor in versions.controllers
    ],
)


@pytest.mark.matrix
@each_core
def test_nothing_is_a_template(
    playbook: RunPlaybook, team: Team, secrets_manager: SecretsManager, tmp_path: Path, core: str, minor: int
) -> None:
    team.variables["migrate_python"] = str(cores.host(int(os.environ["MATRIX_HOSTS"].split()[0])))
    assert tries(playbook, team, secrets_manager, tmp_path, cores.programs(core, minor)) == []


@pytest.mark.matrix
@each_core
def test_main_path(
    runners: Runners, playbook: RunPlaybook, core: str, minor: int, record_property: Callable[[str, object], None]
) -> None:
    programs, inventory = cores.programs(core, minor), runners.inventory()

    def run(name: str, *options: str, **variables: Any) -> PlaybookResult:
        forks = f"--forks={len(runners.minors)}"
        return playbook(f"dbops.migrations.{name}", inventory, forks, *options, extra_vars=variables, programs=programs)

    see = runners.see
    see("check mode", run("migrate", "--check"), '"pending: up 1 people", "pending: up 2 email"', None, failures=0)
    see("migrate", run("migrate"), "from no version yet to version 2, 2 migrations", (2, 0), failures=0)
    see("again", run("migrate"), "nothing to do, at version 2", (2, 0), changed=0, failures=0)
    see("rollback", run("rollback", migrate_steps=1, migrate_rollback_all=True), "down 2 email: ", (1, 0), failures=0)
    runners.team.repository.commit(BROKEN)
    see("a broken migration", run("migrate"), "0003_wrong.up.sql:2:3: statement 2 failed: (1146)", (3, 1), failures=1)
    for host in runners.minors:
        record_property(f"3.{host}", "; ".join(runners.wrong.get(host, [])) or "passed")
    assert runners.wrong == {}
