# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a person sees when ten databases fail: two screens, and each reason once."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from integration.roles.support import Team
from parts.secretsmanager import SecretsManager

if TYPE_CHECKING:
    from conftest import PlaybookResult, RunPlaybook

# Lines of 120 characters on a screen.
SCREEN = 50
NAMES = [f"shop{number:02}" for number in range(10)]


@dataclass
class Fleet:
    """Ten new databases, with a secret for each."""

    team: Team
    secrets_manager: SecretsManager
    playbook: RunPlaybook
    unique: str = field(default_factory=lambda: uuid.uuid4().hex[:6])

    def store(self, name: str, **other: Any) -> None:
        """Store the secret of a database."""
        server = self.team.mariadb
        right = {"host": server.host, "port": server.port, "username": server.user, "password": server.password}
        secret = {**right, "dbname": f"{name}_{self.unique}", **other}
        self.secrets_manager.put(f"{name}_{self.unique}", json.dumps(secret))

    def run(self, *options: str, book: str = "migrate", **variables: Any) -> PlaybookResult:
        """Run a playbook on all of them, with the team's variables, some of which differ."""
        given = {name: value for name, value in {**self.team.variables, **variables}.items() if value is not None}
        hosts = {name: {"migrate_secret_id": f"{name}_{self.unique}"} for name in NAMES}
        inventory = {"all": {"vars": given, "children": {"databases": {"hosts": hosts}}}}
        result = self.playbook(f"dbops.migrations.{book}", inventory, *options)
        assert result.rc == 2, result.stdout
        return result


@pytest.fixture
def fleet(team: Team, secrets_manager: SecretsManager, playbook: RunPlaybook) -> Iterator[Fleet]:
    fleet = Fleet(team, secrets_manager, playbook)
    for name in NAMES:
        team.mariadb.create_schema(f"{name}_{fleet.unique}")
        fleet.store(name)
    yield fleet
    for name in NAMES:
        team.mariadb.query(f"DROP DATABASE `{name}_{fleet.unique}`")


def screens(result: PlaybookResult) -> float:
    """Return how many screens the output fills, none of whose lines is broken on one.

    Ansible itself puts the place of the task that failed in a line that is as long as the path.
    """
    lines = (result.stdout + result.stderr).splitlines()
    assert [line for line in lines if len(line) > 120 and not line.startswith("Origin: ")] == []
    return len(lines) / SCREEN


def test_the_same_statement_fails_everywhere(fleet: Fleet) -> None:
    fleet.team.repository.commit({"db/0003_wrong.up.sql": "ALTER TABLE people ADD email INT;\n"})
    result = fleet.run()
    assert screens(result) <= 2
    assert result.stdout.count("Duplicate column name 'email'") == 1
    assert result.stdout.count(f"{', '.join(NAMES)}: failed") == 1
    # What was applied before is a change.
    assert all(result.result(name, "Apply the migrations")["changed"] for name in NAMES)


def test_each_has_the_same_reason_with_its_own_names(fleet: Fleet) -> None:
    for name in NAMES:
        fleet.store(name, password="wrong")
    result = fleet.run()
    assert screens(result) <= 2
    assert result.stdout.count("Access denied") == 1
    assert f"{', '.join(NAMES[1:])}: failed like {NAMES[0]}" in result.stdout


def test_some_have_reasons_of_their_own(fleet: Fleet) -> None:
    fleet.team.repository.commit({"db/0003_wrong.up.sql": "ALTER TABLE people ADD email INT;\n"})
    fleet.store(NAMES[1], password="wrong")
    fleet.store(NAMES[2], port=1)
    fleet.store(NAMES[3], password="")
    fleet.team.mariadb.query(f"CREATE TABLE `{NAMES[4]}_{fleet.unique}`.old (id INT)")
    result = fleet.run()
    assert screens(result) <= 2
    for reason in (
        "Duplicate column name",
        "Access denied",
        "Can't connect",
        "which should hold the password, is empty",
        "holds tables (old)",
    ):
        assert result.stdout.count(reason) == 1, result.stdout


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"migrate_ref": "nowhere"}, "ref 'nowhere' does not exist"),
        ({"migrate_repository": None}, "migrate_repository is not set. (DBM-1004)"),
        ({"migrate_tls": "maybe"}, "Value of migrate_tls must be one of"),
        ({"migrate_lock_timeout": "soon"}, "migrate_lock_timeout"),
        ({"migrate_python": "/nowhere/python"}, "/nowhere/python on"),
    ],
)
def test_a_mistake_that_all_share(fleet: Fleet, variables: dict[str, Any], reason: str) -> None:
    result = fleet.run(**variables)
    assert screens(result) <= 2
    assert result.stdout.count(reason) == 1, result.stdout


@pytest.mark.parametrize(
    ("book", "variables", "reason"),
    [
        ("rollback", {"migrate_steps": 1}, "This would roll back 10 databases."),
        ("rollback", {"migrate_target": 9, "migrate_rollback_all": True}, "so going to 9 is not a rollback"),
        ("force", {}, "migrate_version is not set. (DBM-1004)"),
        ("baseline", {"migrate_baseline": 7}, "no file in the directory has that version"),
        ("status", {"migrate_login_password": "wrong"}, "Access denied"),
    ],
)
def test_the_other_playbooks(fleet: Fleet, book: str, variables: dict[str, Any], reason: str) -> None:
    result = fleet.run(book=book, **variables)
    assert screens(result) <= 2
    assert result.stdout.count(reason) == 1, result.stdout


def test_with_v_the_reason_appears_where_it_came_up(fleet: Fleet) -> None:
    result = fleet.run("-v", migrate_ref="nowhere")
    told = {result.result(name, "Fetch the migrations")["msg"] for name in NAMES}
    assert len([text for text in told if "ref 'nowhere' does not exist" in text]) == 1
