# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""AWX's jobs, run by ansible-runner from directories shaped as AWX makes them, on real servers."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from integration.awx.support import MakeJob, Outcome
from integration.roles.support import Team
from parts.secretsmanager import SecretsManager
from parts.sshd import GitServer

# As AWX's own type of credential names them, a session's token twice.
AWS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SECURITY_TOKEN", "AWS_SESSION_TOKEN")
KEYS = {"database", "from", "to", "applied", "pending", "commit", "seconds"}


def said(outcome: Outcome, host: str) -> Any:
    assert (outcome.rc, outcome.status) == (0, "successful"), outcome.printed
    return outcome.last_message(host)


def test_the_whole_way(job: MakeJob, team: Team) -> None:
    """The templates one after the other; each optional question is answered with nothing."""
    nothing = {"migrate_hosts": "", "survey_ref": ""}
    schema, commit = team.databases["orders"], team.repository.git("rev-parse", "main")

    status = job("Database status", answers=nothing).run()
    assert said(status, "orders")[1:] == ["pending       1 people", "pending       2 email"]
    assert status.stats == {"orders": {"ok": 4}, "stock": {"ok": 3}}
    assert list(status.artifacts) == ["database_report"]

    plan = job("Database plan", answers={**nothing, "migrate_target": ""}).run()
    mood = "check mode, nothing was changed; it would migrate"
    summary = f"{schema}: {mood} from no version yet to version 2, 2 migrations"
    decisive = [
        "2 migrations are pending: 1, 2. Each ran without an error on copies of the tables.",
        "No ALTER blocks writes; nothing with rows is dropped or emptied; each is reversible.",
    ]
    lines = [*decisive, "pending: up 1 people", "pending: up 2 email"]
    assert [line.strip() for line in said(plan, "orders")] == [summary, *lines]
    assert plan.stats["orders"]["changed"] == 2
    text = "\r\n".join(["", decisive[0], "", decisive[1], "", "### Up 1: people", ""])
    assert text in plan.printed or text.replace("\r", "") in plan.printed
    assert "ALTER TABLE people ADD email VARCHAR(99);" in plan.printed
    would = {"database": schema, "from": None, "to": 2, "applied": 0, "pending": 2, "commit": commit, "seconds": 0}
    assert plan.artifacts["database_migrations"]["orders"] == would
    # What the request for approval says.
    report = plan.artifacts["database_report"].splitlines()
    assert report[0] == f"orders ({schema}){summary.removeprefix(schema)}"
    assert [line.strip() for line in report[1:5]] == lines
    assert len(report) == 10
    assert team.version("orders") is None

    # As AWX's workflow continues: what the plan handed on is among the variables. And the most that AWX can print.
    migrate = job("Database migrate", "-vvvvv", answers={**nothing, "migrate_target": ""}, extra=plan.artifacts).run()
    assert said(migrate, "stock")[0] == f"{team.databases['stock']}: from no version yet to version 2, 2 migrations"
    assert list(migrate.artifacts) == ["database_report", "database_migrations"]
    assert "  up 1 people: " in migrate.artifacts["database_report"]
    done = migrate.artifacts["database_migrations"]
    assert {host: set(values) for host, values in done.items()} == {"orders": KEYS, "stock": KEYS}
    assert 0 < done["orders"].pop("seconds") < 60
    assert done["orders"] == {
        "database": schema,
        "from": None,
        "to": 2,
        "applied": 2,
        "pending": 0,
        "commit": commit,
    }
    assert team.version("orders") == team.version("stock") == (2, 0)
    who = team.mariadb.query("SELECT DISTINCT ran_by, job FROM schema_migrations_history", schema)
    assert who == [("alice", "19")]

    again = job("Database migrate").run()
    [line] = said(again, "orders")
    assert line.startswith(f"{schema}: nothing to do, at version 2 (last: up 2 at 20")
    assert [counts.get("changed", 0) for counts in again.stats.values()] == [0, 0]
    assert again.artifacts["database_migrations"]["orders"]["applied"] == 0

    back = job("Database rollback", answers={**nothing, "migrate_steps": 1, "migrate_rollback_all": "yes"}).run()
    assert said(back, "orders")[1].startswith("down 2 email: ")
    assert back.artifacts["database_migrations"]["orders"]["to"] == 1
    assert team.version("orders") == team.version("stock") == (1, 0)


def test_what_was_approved_is_what_runs(job: MakeJob, team: Team) -> None:
    """Somebody pushes, or moves the database, while the approval waits."""
    plan = job("Database plan").run()
    approved = plan.artifacts["database_plans"]
    commit = team.repository.git("rev-parse", "main")
    assert {known["commit"] for known in approved.values()} == {commit}
    assert all(re.fullmatch("[0-9a-f]{64}", known["plan"]) for known in approved.values())

    pushed = team.repository.commit({"db/migrations/0009_late.up.sql": "CREATE TABLE late (i INT);\n"})
    overtaken = job("Database migrate", extra=plan.artifacts).run()
    assert overtaken.status == "failed"
    assert f"is at commit {pushed}, but" in " ".join(overtaken.printed.split())
    assert team.version("orders") is None
    team.repository.git("update-ref", "refs/heads/main", commit)

    team.mariadb.query(
        "CREATE TABLE schema_migrations (version bigint primary key, dirty boolean)", team.databases["orders"]
    )
    team.mariadb.query("INSERT INTO schema_migrations VALUES (1, 0)", team.databases["orders"])
    moved = job("Database migrate", extra=plan.artifacts).run()
    assert moved.status == "failed"
    said_why = " ".join(moved.printed.split())
    assert "is not the one that was approved" in said_why
    assert "It is at version 1, and this would run up 0002_email.up.sql." in moved.failure("orders")
    assert team.version("orders") == (1, 0)
    other = {"database_plans": {"orders": approved["orders"]}}
    late = job("Database migrate", "--limit", "stock", extra=other).run()
    assert late.failure("stock") == (
        "No plan was approved for this database: the previous job planned other databases. (DBM-1021)"
    )
    # The other database is as it was when its plan was approved.
    assert team.version("stock") == (2, 0)


def test_a_status_after_a_failure_fails(job: MakeJob, team: Team) -> None:
    """So that the workflow does: its last node decides."""
    after = job("Database status after a failure", extra={"migrate_status_fail": ["always"]}).run()
    assert after.status == "failed"
    assert "pending       1 people" in after.printed
    assert after.failure("orders") == "The status is: always. (DBM-1025)"


def runner_elsewhere(folder: Path, python: str) -> dict[str, str]:
    """Return variables for a runner that is this machine, and does not have a job's environment, as one elsewhere."""
    interpreter = folder / "python"
    interpreter.write_text(f'#!/bin/sh\nexec env -u {" -u ".join(AWS)} {python} "$@"\n')
    interpreter.chmod(0o755)
    return {"migrate_python": str(interpreter)}


def test_the_credential_of_aws_that_awx_knows(
    job: MakeJob, team: Team, git_server: GitServer, secrets_manager: SecretsManager, tmp_path: Path
) -> None:
    """Its variables are in the controller's environment, and nothing else gives keys."""
    key = {"migrate_private_key": git_server.private_key, "migrate_known_hosts": git_server.known_hosts}
    # A session's token, which the stand-in for AWS does not look at, goes with the keys.
    values = (secrets_manager.access_key, secrets_manager.secret_key, "a-token", "a-token")
    details = {"credentials": [key], "extra": runner_elsewhere(tmp_path, team.variables["migrate_python"])}
    status = job("Database status", environment=dict(zip(AWS, values)), **details).run()
    assert said(status, "orders")[1:] == ["pending       1 people", "pending       2 email"]
    without = job("Database status", **details).run()
    assert without.status == "failed"
    assert "credentials" in without.failure("orders")


def test_keys_of_the_inventory_come_before_that_credential(job: MakeJob, team: Team, tmp_path: Path) -> None:
    """The fixture's credential gives variables. Nothing of two identities is mixed."""
    values = ("AKIAOTHER", "another-key", "another-token", "another-token")
    details = {"extra": runner_elsewhere(tmp_path, team.variables["migrate_python"])}
    status = job("Database status", "-vvvv", environment=dict(zip(AWS, values)), **details).run()
    assert said(status, "orders")[1:] == ["pending       1 people", "pending       2 email"]
    assert "AKIAOTHER" not in status.printed


def test_a_slice_and_a_dry_run(job: MakeJob, team: Team) -> None:
    """AWX gives each slice an inventory with its share of the hosts."""
    dry = job("Database migrate", only="stock", answers={"migrate_dry_run": "yes"}).run()
    assert said(dry, "stock")[-2:] == ["pending: up 1 people", "pending: up 2 email"]
    assert dry.stats == {"stock": {"ok": 4, "changed": 2}}
    assert list(dry.artifacts["database_migrations"]) == ["stock"]
    assert (team.version("orders"), team.version("stock")) == (None, None)


def test_a_share_without_what_is_asked_for(job: MakeJob, team: Team) -> None:
    """The other slice of a job for one database: it has nothing to do, and says so without failing."""
    other = job(
        "Database migrate", only="stock", answers={"migrate_hosts": "orders"}, extra={"migrate_sliced": True}
    ).run()
    assert (other.rc, other.status, other.stats) == (0, "successful", {})
    assert team.version("stock") is None


def test_a_database_that_is_misspelt(job: MakeJob, team: Team) -> None:
    failed = job("Database migrate", answers={"migrate_hosts": "ordres"}).run()
    assert failed.status == "failed"
    assert "No host of the inventory matches ordres. (DBM-1012)" in failed.printed
    assert (team.version("orders"), team.version("stock")) == (None, None)


def test_a_failed_job_reports_the_statement_and_the_databases(job: MakeJob, team: Team) -> None:
    team.repository.commit({"db/0003_wrong.up.sql": "INSERT INTO people VALUES (1, 'a@example.com');\nSELEC 1;\n"})
    failed = job("Database migrate", "-l", "orders").run()
    assert (failed.rc, failed.status) == (2, "failed")
    assert failed.failure("orders").startswith("0003_wrong.up.sql:2:1: statement 2 failed: (1064)")
    assert failed.stats == {"orders": {"ok": 3, "changed": 1, "failures": 1}}
    assert list(failed.artifacts) == ["database_report"]
    report = "orders: failed\n  0003_wrong.up.sql:2:1: statement 2 failed: (1064) You have an error in your SQL syntax"
    assert failed.artifacts["database_report"].startswith(report)
    assert (team.version("orders"), team.version("stock")) == ((3, 1), None)


def test_force_says_what_it_did_and_what_failed(job: MakeJob, team: Team) -> None:
    forced = job("Database force", answers={"migrate_hosts": "orders", "migrate_version": "1"}).run()
    schema = team.databases["orders"]
    assert said(forced, "orders")[0].startswith(f"{schema}: set to version 1")
    assert list(forced.artifacts) == ["database_report"]
    assert forced.artifacts["database_report"].startswith(f"orders ({schema}): set to version 1")
    wrong = job("Database force", answers={"migrate_hosts": "orders", "migrate_version": "one"}).run()
    assert wrong.status == "failed"
    assert wrong.artifacts["database_report"].startswith("orders: failed\n  ")
    assert "'one'" in wrong.artifacts["database_report"]


@contextlib.contextmanager
def in_use(team: Team, table: str) -> Iterator[None]:
    """Keep a table in use by a transaction, so that whoever changes it waits."""
    with team.mariadb.connect(team.databases["orders"]) as connection, connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute(f"SELECT * FROM {table}")
        yield


def test_two_jobs_at_once(job: MakeJob, team: Team) -> None:
    """The database's lock is the only thing that keeps them apart, and it is enough."""
    schema = team.databases["orders"]
    team.repository.commit({"slow/0001_age.up.sql": "ALTER TABLE people ADD age INT;\n"})
    team.mariadb.query("CREATE TABLE people (id INT)", schema)
    slow = {"migrate_directory": "slow", "migrate_lock_timeout": 0, "migrate_adopt": True}
    first = job("Database migrate", only="orders", extra=slow)
    with in_use(team, "people"):
        first.start()
        deadline = time.monotonic() + 60
        while not team.mariadb.query(
            "SELECT 1 FROM information_schema.processlist WHERE info LIKE '%ADD age%' AND id <> CONNECTION_ID()"
        ):
            assert time.monotonic() < deadline
            assert first.process is not None
            assert first.process.poll() is None
            time.sleep(0.1)
        second = job("Database migrate", only="orders", extra=slow).run()
    one = first.end()
    assert one.artifacts["database_migrations"]["orders"]["applied"] == 1
    assert (second.rc, second.status) == (2, "failed")
    message = second.failure("orders")
    assert message.startswith(
        f"Another migration run holds the lock on {schema}: it was not free within 0 s. It is held by "
    )
    known = (
        r" The history has up 1 as running since \d{4}-\d\d-\d\dT[\d:]{8}Z, by alice, job 17\. Wait for it, or raise"
    )
    assert re.search(known, message), message
    assert list(second.artifacts) == ["database_report"]
    assert team.attempts("orders") == [("up", 1, "applied")]
