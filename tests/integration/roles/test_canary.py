# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""No secret is printed, logged, put in an argument list or left on disk, whether the run succeeds or fails."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from integration.roles.support import MIGRATIONS, Team
from integration.roles.watch import Watch
from parts.secretsmanager import SecretsManager
from parts.sshd import GitServer

if TYPE_CHECKING:
    from conftest import RunPlaybook

MIGRATE = "dbops.migrations.migrate"
# Everything a run could leave traces of itself in: the planted play writes the password to each place.
PLANTED = [
    {"ansible.builtin.debug": {"msg": "{{ canary }}"}},
    {"ansible.builtin.command": {"argv": ["sh", "-c", "sleep 1", "{{ canary }}"]}},
    {"ansible.builtin.copy": {"content": "{{ canary }}", "dest": "{{ item }}", "mode": "0600"}, "loop": "{{ files }}"},
]


@dataclass
class Canaries:
    """The secrets to look for, and what the team's runs are made of."""

    team: Team
    folder: Path
    password: str
    aws_id: str
    aws_key: str
    private_key: str
    servers: list[Path]

    @property
    def texts(self) -> list[str]:
        """What to look for. The first line of every key's body is the same, and the last may be short."""
        return [self.password, self.aws_id, self.aws_key, *self.private_key.splitlines()[2:-2]]

    def watch(self) -> Watch:
        """Watch everything but the servers' own folders, which hold the secrets by right."""
        return Watch(self.texts, [self.folder], self.servers)

    def account(self) -> dict[str, str]:
        """The environment of a run: a home of its own, so that all that is left there is this run's."""
        home = self.folder / "account"
        home.mkdir(mode=0o700, exist_ok=True)
        return {"HOME": str(home)}


@pytest.fixture
def canaries(team: Team, git_server: GitServer, secrets_manager: SecretsManager, tmp_path: Path) -> Iterator[Canaries]:
    """The team, with a password, an AWS key and a deploy key that appear nowhere else."""
    unique = uuid.uuid4().hex
    password, aws_key = f"canary-password-{unique}", f"canaryawskey{unique}"
    server = team.mariadb
    account = f"canary_{unique[:8]}"
    server.query(f"CREATE USER '{account}'@'%' IDENTIFIED BY '{password}'")
    for schema in team.databases.values():
        server.query(f"GRANT ALL ON `{schema}`.* TO '{account}'@'%'")
        secret = {"host": server.host, "port": server.port, "dbname": schema, "username": account}
        secrets_manager.put(f"{schema}/secret", json.dumps({**secret, "password": password}))
    aws_id = f"CANARYID{unique[:12].upper()}"
    team.variables |= {"migrate_aws_access_key": aws_id, "migrate_aws_secret_key": aws_key}
    servers = [git_server.folder, secrets_manager.folder, server.folder]
    yield Canaries(team, tmp_path, password, aws_id, aws_key, git_server.private_key, servers)
    server.query(f"DROP USER '{account}'@'%'")


def runs(canaries: Canaries, git_server: GitServer) -> Iterator[tuple[str, Any, Sequence[str], dict[str, Any]]]:
    """Every run to watch: playbook, inventory, options, variables. Between them the repository changes."""
    team, one = canaries.team, ("--limit", "orders")
    inventory = team.inventory()
    yield MIGRATE, inventory, ("--diff",), {}
    team.repository.commit({"db/0003_phone.up.sql": "ALTER TABLE people ADD phone INT;\n"})
    yield MIGRATE, inventory, ("--check", "--diff", *one), {}
    yield "dbops.migrations.status", inventory, one, {}
    yield "dbops.migrations.rollback", inventory, one, {"migrate_steps": 1}
    yield "dbops.migrations.force", inventory, one, {"migrate_version": 2}
    team.repository.commit({"db/0004_wrong.up.sql": "ALTER TABLE nobody ADD a INT;\n"})
    # Each secret at the place where it is wrong or where its receiver refuses.
    failing = team.each(
        refused={"migrate_login_user": "nobody"},
        no_secret={"migrate_secret_id": "no/such/secret"},
        no_manager={"migrate_aws_endpoint_url": "http://127.0.0.1:1"},
        no_field={"migrate_secret_fields": {"password": "no_such_field"}},
        host_key={"migrate_known_hosts": git_server.known_hosts.replace("AAAA", "AAAB", 1)},
        no_key={"migrate_private_key": canaries.private_key.replace("END", "EMD")},
        statement={},
    )
    yield MIGRATE, failing, (), {}


def controllers_own(canaries: Canaries) -> list[str]:
    """The folders with the inventory and the variables that the tests wrote for ansible-playbook."""
    return [str(path) for path in canaries.folder.glob("playbook-*")]


def test_no_secret_is_left_anywhere(canaries: Canaries, git_server: GitServer, playbook: RunPlaybook) -> None:
    canaries.team.repository.commit(MIGRATIONS)
    with canaries.watch() as watch:
        for book, inventory, options, variables in runs(canaries, git_server):
            result = playbook(book, inventory, "-vvvv", *options, extra_vars=variables, env=canaries.account())
            # The team's two hosts do well, and each other one fails.
            failed = {host for host, counts in result.stats.items() if counts["failures"]}
            assert failed == {*result.stats} - {*canaries.team.databases}, result.stdout[-3000:]
            watch.output += (result.stdout + result.stderr).encode()
    watch.exempt += controllers_own(canaries)
    assert watch.places() == {}
    # The watch was awake: it saw the programs, and the modules' notes in the log.
    assert any(b"ansible-playbook" in process for process in watch.processes)
    assert any(process.startswith(b"ssh ") for process in watch.processes)
    assert not watch.messages or b"Invoked with" in watch.messages


def test_the_watch_finds_what_is_planted(canaries: Canaries, playbook: RunPlaybook, tmp_path: Path) -> None:
    account = Path(canaries.account()["HOME"])
    stray = Path("/tmp") / f"canary-{uuid.uuid4().hex}"
    files = [
        canaries.team.home / "fetched" / "left",
        canaries.team.home / "left",
        account / ".ansible" / "tmp" / "left",
        stray,
    ]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
    book = tmp_path / "planted.yml"
    book.write_text(json.dumps([{"hosts": "databases", "gather_facts": False, "tasks": PLANTED}]))
    variables = {
        "files": [str(file) for file in files],
        "ansible_python_interpreter": canaries.team.variables["migrate_python"],
    }
    try:
        with canaries.watch() as watch:
            result = playbook(
                book,
                canaries.team.inventory(),
                "-vvvv",
                "--limit",
                "orders",
                extra_vars={**variables, "canary": " ".join(canaries.texts)},
                env=canaries.account(),
            )
            watch.output += result.stdout.encode()
        assert result.rc == 0, result.stdout
        watch.exempt += controllers_own(canaries)
        for text in canaries.texts:
            watch.texts = [text.encode()]
            places = watch.places()
            assert set(places) == {"output", "processes", "log", "files", "passing"}
            assert set(places["files"]) == {str(file) for file in files}
            assert str(stray) in places["passing"]
    finally:
        stray.unlink(missing_ok=True)
        shutil.rmtree(account)
