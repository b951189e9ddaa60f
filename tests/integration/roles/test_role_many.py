# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The status and the rollback of many schemas of one host, through the role's playbooks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from integration.roles.support import Team, reasons
from parts.ansible import PROGRAMS, environment

if TYPE_CHECKING:
    from conftest import PlaybookResult, RunPlaybook

MIGRATE, STATUS, ROLLBACK = "dbops.migrations.migrate", "dbops.migrations.status", "dbops.migrations.rollback"
# Lines of two screens.
SCREENS = 50


@dataclass
class Customers:
    """A host that stands for many schemas, and a run of a playbook on it."""

    team: Team
    playbook: RunPlaybook
    names: list[str]

    def create(self, number: int) -> list[str]:
        """Create schemas, whose names come after those that are there."""
        first = len(self.names)
        made = [f"{self.prefix}_{place:04}" for place in range(first, first + number)]
        with self.team.mariadb.connect() as connection, connection.cursor() as cursor:
            for name in made:
                cursor.execute(f"CREATE DATABASE `{name}`")
        self.names += made
        return made

    @property
    def prefix(self) -> str:
        """What their names begin with."""
        return f"m{self.team.databases['orders'].split('_')[1]}"

    @property
    def inventory(self) -> dict[str, Any]:
        """The one host."""
        server = self.team.mariadb
        variables = {
            **self.team.variables, "migrate_login_host": server.host, "migrate_login_port": server.port,
            "migrate_login_user": server.user, "migrate_login_password": server.password,
            "migrate_databases": rf"{self.prefix}\_%",
        }  # fmt: skip
        return {"all": {"vars": variables, "children": {"databases": {"hosts": {"customers": {}}}}}}

    def run(self, book: str, *options: str, **variables: Any) -> PlaybookResult:
        """Run a playbook."""
        result = self.playbook(book, self.inventory, *options, extra_vars=variables)
        assert "Traceback" not in result.stdout + result.stderr
        return result

    def refusal(self, book: str, **variables: Any) -> str:
        """Return what the report says about a run that fails."""
        result = self.run(book, **variables)
        assert result.rc == 2, result.stdout
        return reasons(result)["customers"]

    def versions(self) -> list[Any]:
        """Return the version of each; a pair where it is dirty, None where there is none."""
        found: list[Any] = []
        for name in self.names:
            quoted = name.replace("`", "``")
            if not self.team.mariadb.query(f"SHOW TABLES FROM `{quoted}` LIKE 'schema_migrations'"):
                found.append(None)
                continue
            rows = self.team.mariadb.query(f"SELECT version, dirty FROM `{quoted}`.schema_migrations")
            found.append((rows[0] if rows[0][1] else rows[0][0]) if rows else None)
        return found


@pytest.fixture
def customers(team: Team, playbook: RunPlaybook) -> Iterator[Customers]:
    """A host without schemas as yet."""
    found = Customers(team, playbook, [])
    yield found
    with team.mariadb.connect() as connection, connection.cursor() as cursor:
        for name in found.names:
            quoted = name.replace("`", "``")
            cursor.execute(f"DROP DATABASE `{quoted}`")


def report(result: PlaybookResult) -> list[str]:
    [lines] = [event["result"]["msg"] for event in result.tasks if "Report the result" in event["task"]]
    return list(lines)


def test_the_status_of_many(customers: Customers) -> None:
    """One task for all of them: groups, and what is to be said about some."""
    team, names = customers.team, customers.create(12)
    assert customers.run(MIGRATE, migrate_databases=names[:9]).rc == 0
    assert customers.run(MIGRATE, migrate_databases=names[9:11], migrate_target="1").rc == 0
    team.mariadb.query(f"UPDATE `{names[1]}`.schema_migrations SET dirty = 1")
    team.mariadb.query(f"INSERT INTO `{names[2]}`.schema_migrations VALUES (9, 0)")
    team.mariadb.query(f"UPDATE `{names[3]}`.schema_migrations_history SET checksum = '' WHERE version = 1")
    team.mariadb.query(f"UPDATE `{names[4]}`.schema_migrations_history SET checksum = REPEAT('a', 64)")
    team.mariadb.query(f"CREATE TABLE `{names[9]}`.email (i INT)")
    result = customers.run(STATUS)
    assert result.rc == 2
    assert "The status is: unreachable." in reasons(result)["customers"]
    result = customers.run(STATUS, migrate_status_fail=[])
    assert result.rc == 0, result.stdout
    assert report(result) == [
        "customers: 12 databases: 6 up to date, 3 behind, 2 unhealthy, 1 unreadable",
        f"       6  {', '.join([names[0], names[3], *names[5:8]])} and 1 more: version 2, 0 migrations pending",
        f"       2  {', '.join(names[9:11])}: version 1, 1 migration pending",
        "          pending       2 email",
        f"       1  {names[1]}: version 2, dirty: a migration is partially applied",
        f"       1  {names[4]}: version 2, 0 migrations pending, 2 files changed",
        "          changed       0001_people.up.sql",
        "          changed       0002_email.up.sql",
        f"       1  {names[11]}: no version yet, 2 migrations pending",
        "          pending       1 people",
        "          pending       2 email",
        f"  {names[2]}: The state table schema_migrations in {names[2]} has more than one row; golang-migrate keeps "
        "one at most. Look at the rows and delete the wrong ones. Nothing was changed. (DBM-1617)",
    ]
    assert result.stats["customers"]["changed"] == 0
    [told] = [event["result"] for event in result.tasks if "Get the migration status" in event["task"]]
    assert told["total"] == 12
    every = ["always", "changed", "dirty", "missing", "pending", "unreachable"]
    refused = customers.refusal(STATUS, migrate_status_fail=every)
    assert "The status is: dirty, pending, changed, unreachable, always." in refused
    assert customers.run(STATUS, migrate_status_fail=["missing", "out_of_order"]).rc == 0
    # One of them alone.
    single = customers.run(STATUS, "-e", "migrate_databases=", migrate_login_database=names[9])
    assert report(single)[0] == f"customers ({names[9]}): version 1, 1 migration pending"


def test_the_status_of_a_thousand_fits_two_screens(customers: Customers) -> None:
    """Whatever is the matter with them."""
    names = customers.create(1000)
    server = customers.team.mariadb
    with server.connect() as connection, connection.cursor() as cursor:
        for place, name in enumerate(names):
            cursor.execute(
                f"CREATE TABLE `{name}`.schema_migrations (version bigint primary key, dirty boolean not null)"
            )
            if place % 3:
                # Half a hundred groups, and hundreds of which something is to be said.
                rows = f"({place % 50}, 0)" if place % 3 == 1 else f"({place}, 0), (-1, 0)"
                cursor.execute(f"INSERT INTO `{name}`.schema_migrations VALUES {rows}")
    result = customers.run(STATUS, migrate_status_fail=[])
    lines = report(result)
    assert lines[0] == "customers: 1000 databases: 7 up to date, 341 behind, 319 unhealthy, 333 unreadable"
    assert len(lines) <= SCREENS
    assert any("The same holds for" in line and "and 327 more." in line for line in lines), lines


def test_a_rollback_of_many(customers: Customers) -> None:
    names = customers.create(6)
    assert customers.run(MIGRATE).rc == 0
    customers.team.mariadb.query(f"DELETE FROM `{names[5]}`.schema_migrations_history")
    assert customers.run(ROLLBACK, migrate_databases=names[:1], migrate_target=1, migrate_rollback_all=True).rc == 0
    plan = customers.run(ROLLBACK, "--check", "--diff", migrate_target=1, migrate_rollback_all=True)
    assert plan.rc == 0, plan.stdout
    assert report(plan) == [
        "customers: 6 databases: check mode, nothing was changed; 5 would be migrated, 1 up to date",
        f"  {', '.join(names[1:6])}:",
        "    pending: down 2 email",
    ]
    assert plan.stdout.count("ALTER TABLE people DROP email") == 1
    assert customers.versions() == [1, 2, 2, 2, 2, 2]
    done = customers.run(ROLLBACK, migrate_target="1", migrate_rollback_all=True)
    assert report(done) == [
        "customers: 6 databases: 5 migrated, 1 up to date",
        *[f"  {name}: from version 2 to version 1, 1 migration" for name in names[1:]],
    ]
    assert customers.versions() == [1] * 6
    again = customers.run(ROLLBACK, migrate_target=1, migrate_rollback_all=True)
    assert report(again) == ["customers: 6 databases: 0 migrated, 6 up to date"]
    assert again.stats["customers"]["changed"] == 0
    assert customers.run(ROLLBACK, migrate_target="none", migrate_rollback_all=True).rc == 0
    assert customers.versions() == [None] * 6
    assert {len(customers.team.mariadb.query(f"SHOW TABLES FROM `{name}` LIKE 'people'")) for name in names} == {0}


def test_a_canary_of_a_rollback_that_fails(customers: Customers) -> None:
    names = customers.create(5)
    assert customers.run(MIGRATE).rc == 0
    for name in names[:2]:
        customers.team.mariadb.query(f"ALTER TABLE `{name}`.people DROP email")
    told = customers.refusal(ROLLBACK, migrate_target=1, migrate_rollback_all=True, migrate_max_fail_percentage=100)
    assert told.startswith("5 databases: 0 migrated, 0 up to date, 1 failed, 4 not started. ")
    assert f"{names[0]} failed: 0002_email.down.sql:1:1: statement 1 failed: (1091)" in told
    assert customers.versions() == [(1, 1), 2, 2, 2, 2]
    told = customers.refusal(
        ROLLBACK, migrate_target=1, migrate_rollback_all=True, migrate_max_fail_percentage=40, migrate_canary=0
    )
    assert told.startswith("5 databases: 3 migrated, 0 up to date, 2 failed. ")
    for name in names[:2]:
        customers.team.mariadb.query(f"ALTER TABLE `{name}`.people ADD email INT")
    assert customers.run(ROLLBACK, migrate_target=1, migrate_rollback_all=True).rc == 0
    assert customers.versions() == [1] * 5


def test_a_rollback_of_many_is_refused(customers: Customers) -> None:
    customers.create(2)
    assert customers.run(MIGRATE).rc == 0
    needs = "A rollback of migrate_databases needs migrate_target (the version to go back to, or"
    hosts: dict[str, tuple[dict[str, Any], str]] = {
        "steps": ({"migrate_steps": 1}, needs),
        "nothing": ({}, needs),
        "both": (
            {"migrate_target": 1, "migrate_steps": 1},
            "and not migrate_steps: schemas at different versions would",
        ),
        "resumed": (
            {"migrate_target": 1, "migrate_resume_from": 2},
            "migrate_resume_from is for one schema: name it with migrate_login_database, and leave migrate_databases",
        ),
        "unsure": (
            {"migrate_target": 1, "migrate_rollback_all": False},
            "This would roll back all of migrate_databases. Set migrate_rollback_all to true; or name one schema with",
        ),
        "nowhere": (
            {"migrate_target": 1, "migrate_databases": ["nowhere"]},
            "migrate_databases names schemas that do not exist: nowhere.",
        ),
    }
    inventory = customers.inventory
    inventory["all"]["vars"]["migrate_rollback_all"] = True
    inventory["all"]["children"]["databases"]["hosts"] = {name: variables for name, (variables, _said) in hosts.items()}
    told = reasons(customers.playbook(ROLLBACK, inventory))
    assert {name for name, (_variables, said) in hosts.items() if said not in told[name]} == set()
    assert customers.versions() == [2, 2]


def test_a_rollback_that_would_go_up(customers: Customers) -> None:
    """It is refused before anything is run, and says which schemas are below it, whatever they are called."""
    names = customers.create(8)
    assert customers.run(MIGRATE, migrate_databases=names[:2]).rc == 0
    assert customers.run(MIGRATE, migrate_databases=names[2:4], migrate_target=1).rc == 0
    strange = f"{customers.prefix}_{{{{ 7 * 7 }}}}"
    customers.team.mariadb.query(f"CREATE DATABASE `{strange}`")
    customers.names.append(strange)
    told = customers.refusal(ROLLBACK, migrate_target=2, migrate_rollback_all=True)
    assert told == (
        f"These schemas are below version 2, so going there is not a rollback: {', '.join(names[4:])} and 1 more: "
        "no version yet, 2 migrations pending".replace(f"{names[7]} and 1 more", f"{names[7]}, {strange}")
        + f"; {', '.join(names[2:4])}: version 1, 1 migration pending. Leave them out of migrate_databases, or bring "
        "them up first with the playbook dbops.migrations.migrate. Nothing was run. (DBM-2014)"
    )
    assert customers.versions() == [2, 2, 1, 1] + [None] * 5
    told = customers.refusal(ROLLBACK, migrate_databases=names[2:5], migrate_target=1, migrate_rollback_all=True)
    assert told.startswith(
        f"These schemas are below version 1, so going there is not a rollback: {names[4]}: no version yet, "
    )
    customers.team.mariadb.query(f"INSERT INTO `{names[0]}`.schema_migrations VALUES (9, 0)")
    told = customers.refusal(ROLLBACK, migrate_databases=names[:4], migrate_target=1, migrate_rollback_all=True)
    assert told.startswith(
        f"The versions of these schemas could not be read, so going to 1 might not be a rollback: {names[0]}. "
        f"The first one: The state table schema_migrations in {names[0]} has more than one row;"
    )
    customers.team.mariadb.query(f"DELETE FROM `{names[0]}`.schema_migrations WHERE version = 9")
    # No version is below none.
    assert customers.run(ROLLBACK, migrate_target="none", migrate_rollback_all=True).rc == 0
    assert customers.versions() == [None] * 9


def test_a_rollback_that_is_killed(customers: Customers, tmp_path: Path) -> None:
    """The next run brings all to the target."""
    team = customers.team
    names = customers.create(6)
    slow = "ALTER TABLE people ADD a INT;\nDO SLEEP(1);\nALTER TABLE people DROP a;\nALTER TABLE people DROP email;\n"
    team.repository.commit({"db/0002_email.down.sql": slow})
    assert customers.run(MIGRATE).rc == 0
    variables = {"migrate_target": 1, "migrate_rollback_all": True, "migrate_parallel": 2, "migrate_canary": 0}
    (tmp_path / "variables.json").write_text(json.dumps(variables))
    (tmp_path / "inventory.json").write_text(json.dumps(customers.inventory))
    command: list[str | Path] = [PROGRAMS / "ansible-playbook", ROLLBACK, "-i", tmp_path / "inventory.json"]
    (tmp_path / "results").touch()
    run = subprocess.Popen(
        [*command, "-e", f"@{tmp_path / 'variables.json'}"],
        env=environment(tmp_path / "results", PROGRAMS),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    end = time.monotonic() + 60
    while not any("SLEEP" in str(row[7]) for row in team.mariadb.query("SHOW FULL PROCESSLIST") if row[4] == "Query"):
        assert time.monotonic() < end
        time.sleep(0.05)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    assert any(isinstance(version, tuple) for version in customers.versions()), customers.versions()
    done = customers.run(ROLLBACK, **{**variables, "migrate_lock_timeout": 30})
    assert done.rc == 0, done.stdout
    assert customers.versions() == [1] * 6
    for name in names:
        assert [row[0] for row in team.mariadb.query(f"SHOW COLUMNS FROM `{name}`.people")] == ["id"]
        history = team.mariadb.query(
            f"SELECT direction, version FROM `{name}`.schema_migrations_history WHERE outcome = 'applied' ORDER BY id"
        )
        assert history == [("up", 1), ("up", 2), ("down", 2)]
