# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role migrate through its playbooks, on real servers."""

from __future__ import annotations

import getpass
import json
import platform
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from ansible_collections.dbops.migrations.plugins.plugin_utils.step import TOLD_LATER
from integration.roles.support import Team, changed, failure, reasons, said
from parts import CHECKOUT
from parts.secretsmanager import SecretsManager

if TYPE_CHECKING:
    from conftest import PlaybookResult, RunPlaybook

MIGRATE = "dbops.migrations.migrate"
STATUS = "dbops.migrations.status"
ROLLBACK = "dbops.migrations.rollback"
FORCE = "dbops.migrations.force"
ROLE = CHECKOUT / "roles" / "migrate"
THIRD = {
    "db/0003_phone.up.sql": "ALTER TABLE people ADD phone VARCHAR(20);\n",
    "db/0003_phone.down.sql": "ALTER TABLE people DROP phone;\n",
}


def steady(line: str) -> str:
    """Return a line of the status without what differs from run to run."""
    line = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "WHEN", line)
    return re.sub(r"\d+\.\d{3} s", "TIME s", line)


def test_the_whole_way(team: Team, playbook: RunPlaybook) -> None:
    """Status, migrate, status, again, a new commit in check mode, rollback: what the demo shows."""
    inventory = team.inventory()

    before = playbook(STATUS, inventory)
    assert changed(before) == {"orders": 0, "stock": 0}
    assert said(before, "orders")[1:] == ["pending       1 people", "pending       2 email"]
    assert team.version("orders") is None
    assert not [name for name in team.files() if name.startswith("fetched")]

    first = playbook(MIGRATE, inventory, extra_vars={"tower_user_name": "alice", "awx_job_id": 17})
    assert said(first, "stock")[0] == f"{team.databases['stock']}: from no version yet to version 2, 2 migrations"
    assert [line.split(":")[0] for line in said(first, "orders")[1:]] == ["up 1 people", "up 2 email"]
    assert team.version("orders") == team.version("stock") == (2, 0)
    # One repository and directory: one fetched tree for both databases.
    assert len(list((team.home / "fetched").iterdir())) == 1

    table = said(playbook(STATUS, inventory), "orders")
    assert table[0] == f"{team.databases['orders']}: version 2, 0 migrations pending"
    commit = team.repository.git("rev-parse", "main").strip()
    assert [steady(line) for line in table[1:]] == [
        f"attempts      WHEN  applied         TIME s  up 2 email, by alice, job 17, commit {commit[:8]}",
        f"              WHEN  applied         TIME s  up 1 people, by alice, job 17, commit {commit[:8]}",
    ]

    again = playbook(MIGRATE, inventory)
    assert changed(again) == {"orders": 0, "stock": 0}
    [nothing] = said(again, "orders")
    assert nothing.startswith(f"{team.databases['orders']}: nothing to do, at version 2 (last: up 2 at 20")
    assert nothing.endswith("Z, by alice)")

    team.repository.commit(THIRD)
    fetched = [name for name in team.files() if name.startswith("fetched")]
    plan = playbook(MIGRATE, inventory, "--check", "--diff")
    assert (
        "check mode, nothing was changed; it would migrate from version 2 to version 3, 1 migration"
        in said(plan, "orders")[0]
    )
    # By default it is rehearsed, too.
    ran = "1 migration is pending: 3. It ran without an error on copies of the tables."
    lines = said(plan, "orders")
    assert (lines[1], lines[-1]) == (ran, "pending: up 3 phone")
    assert "\nThe file 0003_phone.up.sql:\n\n  ```sql\n" in plan.stdout
    assert f"\n\n{ran}\n\n" in plan.stdout
    assert "\nTABLE people is changed:\n" in plan.stdout
    unrehearsed = playbook(MIGRATE, inventory, "--check", "--diff", extra_vars={"migrate_rehearse": "never"})
    assert "\n**Not rehearsed**: what the migrations do" in unrehearsed.stdout
    assert said(unrehearsed, "orders")[1:] == ["pending: up 3 phone"]
    assert team.version("orders") == (2, 0)
    assert [name for name in team.files() if name.startswith("fetched")] == fetched

    back = playbook(ROLLBACK, inventory, extra_vars={"migrate_steps": 1, "migrate_rollback_all": True})
    assert said(back, "orders")[1].startswith("down 2 email: ")
    assert team.version("orders") == team.version("stock") == (1, 0)


def test_check_mode_on_a_host_that_never_fetched(team: Team, playbook: RunPlaybook) -> None:
    plan = playbook(MIGRATE, team.inventory(), "--check", "--limit", "orders")
    assert said(plan, "orders")[-2:] == ["pending: up 1 people", "pending: up 2 email"]
    assert team.version("orders") is None
    assert not (team.home / "fetched").exists()


def test_a_dry_run_is_like_check_mode(team: Team, playbook: RunPlaybook) -> None:
    """For AWX, whose survey can ask for a variable, but not for check mode."""

    def dry(book: str, answer: str, **variables: Any) -> PlaybookResult:
        result = playbook(book, team.inventory(), "-l", "orders", extra_vars={"migrate_dry_run": answer, **variables})
        assert "check mode, nothing was changed" in said(result, "orders")[0]
        return result

    assert said(dry(MIGRATE, "yes"), "orders")[-2:] == ["pending: up 1 people", "pending: up 2 email"]
    assert team.version("orders") is None
    assert not (team.home / "fetched").exists()
    assert playbook(MIGRATE, team.inventory(), "-l", "orders", extra_vars={"migrate_dry_run": "no"}).rc == 0
    dry(ROLLBACK, "true", migrate_steps=1)
    dry(FORCE, "true", migrate_version=1)
    assert team.version("orders") == (2, 0)


def test_steps_and_targets(team: Team, playbook: RunPlaybook) -> None:
    """As AWX and the command line give them: numbers, texts, empty answers."""

    def run(name: str, *options: str, **variables: Any) -> PlaybookResult:
        return playbook(name, team.inventory(), "--limit", "orders", *options, extra_vars=variables)

    assert ", 1 migration" in said(run(MIGRATE, "-e", "migrate_steps=1"), "orders")[0]
    assert team.version("orders") == (1, 0)
    # An empty answer is none; a 0 is one, and must not become "all that is pending".
    assert run(MIGRATE, migrate_steps=0).rc != 0 or team.version("orders") == (1, 0)
    assert run(MIGRATE, migrate_steps="", migrate_target="").rc == 0
    assert team.version("orders") == (2, 0)

    refused = failure(run(MIGRATE, migrate_steps=-1), "orders", "Apply the migrations")
    assert "allow_down" in refused
    assert run(MIGRATE, migrate_steps=-1, migrate_allow_down="yes").rc == 0
    assert team.version("orders") == (1, 0)
    both = failure(run(MIGRATE, migrate_steps=1, migrate_target=2), "orders")
    assert "mutually exclusive" in both

    ahead = failure(run(ROLLBACK, migrate_target=2), "orders", "Check the target version")
    assert "at version 1, so going to 2 is not a rollback" in ahead
    assert run(ROLLBACK, "-e", "migrate_target=none").rc == 0
    assert team.version("orders") is None
    assert run(MIGRATE, migrate_target=2).rc == 0
    assert run(ROLLBACK, "-e", "migrate_target=1").rc == 0
    assert team.version("orders") == (1, 0)


@pytest.mark.parametrize("variables", [{}, {"migrate_steps": 1, "migrate_target": 1}, {"migrate_steps": -1}])
def test_rollback_wants_to_know_how_far(team: Team, playbook: RunPlaybook, variables: dict[str, Any]) -> None:
    result = playbook(ROLLBACK, team.inventory(), "--limit", "orders", extra_vars=variables)
    assert failure(result, "orders").startswith("A rollback needs either migrate_steps")


def test_one_of_several_fails(team: Team, playbook: RunPlaybook) -> None:
    """The last message is about all of them, and AWX gets what became of the others."""
    team.mariadb.query("CREATE TABLE people (id INT)", team.databases["orders"])
    result = playbook(
        MIGRATE,
        team.inventory(migrate_adopt=True),
        extra_vars={"awx_job_id": 1},
        env={"ANSIBLE_SHOW_CUSTOM_STATS": "yes"},
    )
    assert failure(result, "orders").startswith("0001_people.up.sql:1:1: statement 1 failed: (1050)")
    message = result.result("orders", "Report the result")["msg"]
    assert message[0] == f"stock ({team.databases['stock']}): from no version yet to version 2, 2 migrations"
    at = message.index("orders: failed")
    assert message[at + 1].startswith("  0001_people.up.sql:1:1: statement 1 failed: (1050)")
    assert max(map(len, message)) <= 120
    stats = result.stdout.partition("CUSTOM STATS")[2]
    assert '"stock": {' in stats
    assert '"orders": {' not in stats
    assert team.version("stock") == (2, 0)


def test_all_fail_for_one_reason(team: Team, playbook: RunPlaybook) -> None:
    """The fetch that they share is tried once, its failure told by one of them, and the report has it for both."""
    result = playbook(MIGRATE, team.inventory(migrate_ref="no-such-branch"))
    told = [event["result"]["msg"] for event in result.tasks if event["status"] == "failed"]
    assert told == [TOLD_LATER] * 2
    assert "ref 'no-such-branch' does not exist" in reasons(result)["orders"]
    assert reasons(result)["orders"] == reasons(result)["stock"]
    message = result.result("orders", "Report the result")["msg"]
    assert message[0] in ("orders, stock: failed", "stock, orders: failed")
    assert result.stdout.count("no-such-branch") == 1
    # With -v the reason appears where it came up, too.
    wordy = playbook(MIGRATE, team.inventory(migrate_ref="no-such-branch"), "-v")
    told = [event["result"]["msg"] for event in wordy.tasks if event["status"] == "failed"]
    [reason] = [text for text in told if "no-such-branch" in text]
    [other] = [text for text in told if text != reason]
    assert re.fullmatch(
        r"The fetch failed: it is the one of (orders|stock), whose message says why\. \(DBM-1241\)", other
    )


def test_failed_migration_then_force(team: Team, playbook: RunPlaybook) -> None:
    inventory = team.inventory(migrate_history_table="attempts", migrate_lock="no", migrate_history_limit=2)
    team.repository.commit({"db/0003_wrong.up.sql": "ALTER TABLE people ADD a INT;\nALTER TABLE nobody ADD b INT;\n"})
    result = playbook(MIGRATE, inventory, "--limit", "orders")
    message = failure(result, "orders", "Apply the migrations")
    assert message.startswith("0003_wrong.up.sql:2:1: statement 2 failed: (1146)")
    # The migrations' own failure is reported once.
    assert result.stats["orders"]["rescued"] == 0
    assert result.stdout.count("(1146)") == 1
    assert team.version("orders") == (3, 1)
    assert "Locking is off: nothing prevents concurrent runs on" in " ".join((result.stdout + result.stderr).split())

    status = playbook(STATUS, inventory, "--limit", "orders")
    commit, schema, account = team.repository.git("rev-parse", "main")[:8], team.databases["orders"], getpass.getuser()
    assert [steady(line) for line in said(status, "orders")] == [
        f"{schema}: version 3, dirty: 0003_wrong.up.sql failed; statement 1 is done",
        "interrupted   up 3 wrong, at statement 2",
        f"started       WHEN by {account} on {platform.node()}",
        f"error         (1146) Table '{schema}.nobody' doesn't exist",
        f"attempts      WHEN  failed          TIME s  up 3 wrong, by {account}, commit {commit}",
        f"              WHEN  applied         TIME s  up 2 email, by {account}, commit {commit}",
    ]

    planned = playbook(FORCE, inventory, "--limit", "orders", "--check", extra_vars={"migrate_version": 2})
    would = "check mode, nothing was changed; it would be set to version 2, clean; it was version 3, dirty"
    assert said(planned, "orders") == [f"{schema}: {would}"]
    assert team.version("orders") == (3, 1)
    forced = playbook(FORCE, inventory, "--limit", "orders", extra_vars={"migrate_version": 2})
    assert said(forced, "orders") == [f"{schema}: set to version 2, clean; it was version 3, dirty"]
    assert team.version("orders") == (2, 0)
    assert team.attempts("orders", "attempts")[-1] == ("force", 2, "applied")


def test_failed_migration_then_corrected(team: Team, playbook: RunPlaybook) -> None:
    """The role's variables for that, and for files that came late or were changed."""

    def run(book: str, **variables: Any) -> PlaybookResult:
        return playbook(book, team.inventory(), "--limit", "orders", extra_vars=variables)

    slow = "INSERT INTO people SELECT SLEEP(99), '', 1;\n"
    team.repository.commit({"db/0003_slow.up.sql": f"ALTER TABLE people ADD a INT;\n{slow}"})
    assert "(migrate_statement_timeout: 1 s)" in failure(run(MIGRATE, migrate_statement_timeout=1), "orders")
    assert "The database is dirty" in failure(run(MIGRATE, migrate_resume="no"), "orders")

    wait = "SELECT @@lock_wait_timeout, 'mail', 1;\n"
    team.repository.commit({"db/0003_slow.up.sql": f"ALTER TABLE people ADD a INT;\nINSERT INTO people {wait}"})
    corrected = run(MIGRATE, migrate_resume_from="2", migrate_lock_wait_timeout=7, migrate_lock_wait_retries=1)
    assert said(corrected, "orders")[1] == "resuming version 3 at statement 2"
    assert team.mariadb.query("SELECT id FROM people", team.databases["orders"]) == [(7,)]

    people = "CREATE TABLE people (id BIGINT PRIMARY KEY);\n"
    team.repository.commit({"db/0000_late.up.sql": "SELECT 1;\n", "db/0001_people.up.sql": people})
    assert "Changed since applied: 0001_people.up.sql." in failure(run(MIGRATE, migrate_checksums="fail"), "orders")
    status = said(run(STATUS), "orders")
    assert status[0].endswith("version 3, 0 migrations pending, 1 file changed, 1 version out of order")
    assert status[1:3] == ["changed       0001_people.up.sql", "out of order  0"]
    late = run(MIGRATE, migrate_out_of_order="apply", migrate_checksums="ignore")
    assert said(late, "orders")[1].startswith("up 0 late: ")
    assert "Changed since applied" not in late.stdout + late.stderr
    assert team.attempts("orders") == [
        ("up", 1, "applied"),
        ("up", 2, "applied"),
        ("up", 3, "failed"),
        ("up", 3, "applied"),
        ("up", 0, "applied"),
    ]


def test_no_migrations_yet(team: Team, playbook: RunPlaybook) -> None:
    """A directory that is not in the repository: fine for a new database, wrong for one that has a version."""
    inventory = team.inventory(migrate_directory="later/migrations")
    result = playbook(MIGRATE, inventory, "--limit", "orders")
    assert said(result, "orders") == [f"{team.databases['orders']}: no migrations yet"]
    assert "later/migrations" in result.stdout + result.stderr
    assert said(playbook(STATUS, inventory, "--limit", "orders"), "orders") == [
        f"{team.databases['orders']}: no migrations yet"
    ]

    assert playbook(MIGRATE, team.inventory(), "--limit", "orders").rc == 0
    assert "2" in failure(playbook(MIGRATE, inventory, "--limit", "orders"), "orders", "Apply the migrations")
    assert team.version("orders") == (2, 0)


def test_inputs_that_are_missing(team: Team, playbook: RunPlaybook) -> None:
    signed = {"migrate_verify": "signed_commit"}
    inventory = team.each(
        nothing={"migrate_repository": ""},
        other={"migrate_expected_commit": "0" * 40, "migrate_keep": 1},
        signers={**signed, "migrate_allowed_signers": "# nobody"},
        keys={**signed, "migrate_gpg_public_keys": "# nobody"},
        both={
            "migrate_use_ssh_agent": True,
            "migrate_known_hosts": "",
            "migrate_known_hosts_fingerprints": ["SHA256:x"],
            "migrate_fast_forward_only": True,
            "migrate_ssh_options": {"MACs": "+hmac-md5"},
        },
        nowhere={"migrate_secret_id": ""},
    )
    result = playbook(MIGRATE, inventory, "-v")
    said = {host: failure(result, host) for host in result.stats}
    assert said["nothing"] == "migrate_repository is not set. (DBM-1004)"
    assert f"but migrate_expected_commit is {'0' * 40}. Nothing was changed." in said["other"]
    assert "migrate_allowed_signers contains no key" in said["signers"]
    assert "migrate_gpg_public_keys contains something other than OpenPGP" in said["keys"]
    exclusive = "migrate_use_ssh_agent and migrate_private_key are mutually exclusive. Give one of them. (DBM-1316)"
    assert said["both"] == exclusive
    given = result.result("both", "dbops.migrations.migrate : Fetch the migrations")["invocation"]["module_args"]
    assert (given["known_hosts_fingerprints"], given["fast_forward_only"]) == (["SHA256:x"], True)
    assert given["ssh_options"] == {"MACs": "+hmac-md5"}
    assert said["nowhere"] == (
        "migrate_login_database is empty: name the schema to work on, here or in the secret of migrate_secret_id. "
        "(DBM-1504)"
    )
    no_version = playbook(FORCE, team.inventory(), "--limit", "orders")
    assert failure(no_version, "orders") == "migrate_version is not set. (DBM-1004)"


def test_credentials_without_a_secret_and_beside_one(team: Team, playbook: RunPlaybook) -> None:
    server = team.mariadb
    login = {"host": server.host, "port": server.port, "user": server.user, "password": server.password}
    variables = {f"migrate_login_{name}": value for name, value in login.items()}
    inventory = team.inventory(**variables, migrate_login_database=team.databases["stock"])
    assert playbook(MIGRATE, inventory, "--limit", "orders", extra_vars={"migrate_secret_id": ""}).rc == 0
    assert (team.version("orders"), team.version("stock")) == (None, (2, 0))

    # The secret names the database orders; what is given beside it counts.
    inventory = team.inventory(migrate_login_password="not this one")
    message = failure(playbook(MIGRATE, inventory, "--limit", "orders"), "orders", "Apply the migrations")
    assert "1045" in message
    assert "not this one" not in message


def test_a_secret_that_is_of_no_use(team: Team, playbook: RunPlaybook, secrets_manager: SecretsManager) -> None:
    name = f"{team.databases['orders']}/useless"
    secrets_manager.put(name, json.dumps({"username": "someone"}))
    inventory = team.each(missing={"migrate_secret_id": "no/such/secret"}, useless={"migrate_secret_id": name})
    for book, variables in ((MIGRATE, {}), (FORCE, {"migrate_version": 1})):
        result = playbook(book, inventory, extra_vars=variables)
        assert "no/such/secret" in failure(result, "missing")
        assert "password" in failure(result, "useless")


def test_fetch_error_is_readable(team: Team, playbook: RunPlaybook) -> None:
    result = playbook(MIGRATE, team.inventory(migrate_ref="no-such-branch"), "--limit", "orders")
    assert "no-such-branch" in failure(result, "orders", "Fetch the migrations")


def test_runner_that_was_not_prepared(team: Team, playbook: RunPlaybook) -> None:
    for book, variables in ((MIGRATE, {}), (STATUS, {}), (FORCE, {"migrate_version": 1, "migrate_secret_id": ""})):
        result = playbook(
            book,
            team.inventory(migrate_python=None, migrate_login_database="any"),
            "-l",
            "orders",
            extra_vars=variables,
        )
        message = failure(result, "orders")
        assert message.startswith(f"{team.home}/venv/bin/python on orders does not exist")
        assert "dbops.migrations.prepare_runner" in message


def test_defaults_and_argument_specs_are_in_step() -> None:
    for role in (ROLE, ROLE.parent / "runner"):
        defaults = yaml.safe_load((role / "defaults" / "main.yml").read_text())
        specs = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text())["argument_specs"]
        options: dict[str, Any] = {}
        for entry in specs.values():
            options.update(entry["options"])
        required = {"migrate_repository", "migrate_version"} if role == ROLE else set()
        assert set(options) - required == set(defaults)
        documented = {name: option["default"] for name, option in options.items() if "default" in option}
        assert documented == {name: defaults[name] for name in documented}


def test_role_stays_small() -> None:
    """Each task on the runner costs the controller 0.2 s of processor for every database."""

    def modules(path: Path) -> list[str]:
        found = re.findall(r"^ *(dbops\.migrations\.\w+:)$", path.read_text(), re.MULTILINE)
        # It stays on the controller.
        return [name for name in found if name != "dbops.migrations.role_variables:"]

    tasks = ROLE / "tasks"
    on_the_runner = [*modules(tasks / "main.yml"), *modules(tasks / "fetch.yml")]
    assert sorted(on_the_runner) == ["dbops.migrations.git_fetch:", "dbops.migrations.migration_apply:"]


def test_a_database_that_was_made_in_another_way(team: Team, playbook: RunPlaybook) -> None:
    team.mariadb.query("CREATE TABLE people (id INT PRIMARY KEY)", team.databases["orders"])
    refused = playbook(MIGRATE, team.inventory(), "--limit", "orders")
    assert "but no migration is recorded for it." in failure(refused, "orders", "Apply the migrations")
    assert team.version("orders") is None

    def baseline(*options: str, **variables: Any) -> PlaybookResult:
        return playbook("dbops.migrations.baseline", team.inventory(), "-l", "orders", *options, extra_vars=variables)

    assert failure(baseline(), "orders", "Check the variables") == "migrate_baseline is not set. (DBM-1004)"
    assert "would record version 1 as its baseline" in said(baseline("--check", migrate_baseline=1), "orders")[0]
    assert team.version("orders") is None
    done = said(baseline(migrate_baseline="1"), "orders")
    assert done == [f"{team.databases['orders']}: recorded version 1 as its baseline"]
    assert team.version("orders") == (1, 0)
    assert playbook(MIGRATE, team.inventory(), "--limit", "orders").rc == 0
    assert team.attempts("orders") == [("baseline", 1, "applied"), ("up", 2, "applied")]


def test_many_schemas_of_one_host(team: Team, playbook: RunPlaybook) -> None:
    """One task for all of them, and a line for each that was migrated or has failed."""
    mariadb, prefix = team.mariadb, team.databases["orders"].split("_")[1]
    names = [f"m{prefix}_{number:02}" for number in range(25)]
    for name in names:
        mariadb.create_schema(name)
    variables = {
        "migrate_login_host": mariadb.host, "migrate_login_port": mariadb.port, "migrate_login_user": mariadb.user,
        "migrate_login_password": mariadb.password, "migrate_databases": rf"m{prefix}\_%", **team.variables,
    }  # fmt: skip
    inventory = {"all": {"vars": variables, "children": {"databases": {"hosts": {"customers": {}}}}}}

    def report(result: PlaybookResult) -> list[str]:
        [lines] = [event["result"]["msg"] for event in result.tasks if "Report the result" in event["task"]]
        return list(lines)

    try:
        plan = playbook(MIGRATE, inventory, "--check", "--diff")
        assert plan.rc == 0, plan.stdout
        assert report(plan) == [
            "customers: 25 databases: check mode, nothing was changed; 25 would be migrated, 0 up to date",
            f"  {', '.join(names[:5])} and 20 more:",
            "    pending: up 1 people",
            "    pending: up 2 email",
        ]
        assert plan.stdout.count("ALTER TABLE people ADD email") == 1
        mariadb.query(f"CREATE TABLE `{names[0]}`.people (i INT)")
        failed = playbook(MIGRATE, inventory, extra_vars={"migrate_adopt": True})
        assert failed.rc == 2
        lines = "\n".join(report(failed)).replace("\n    ", " ").splitlines()
        assert lines[0] == "customers: failed"
        assert lines[1].startswith("  25 databases: 0 migrated, 0 up to date, 1 failed, 24 not started. ")
        assert f" started. {names[0]} failed: 0001_people.up.sql:1:1: " in lines[1]
        assert lines[2:] == [f"  {names[0]}: failed"]
        mariadb.query(f"DROP TABLE `{names[0]}`.people")
        for column, name in ((1, names[3]), (2, names[7])):
            mariadb.query(f"CREATE TABLE `{name}`.people (i{column} INT)")
        mixed = playbook(MIGRATE, inventory, extra_vars={"migrate_max_fail_percentage": 50})
        told = "\n".join(report(mixed)).replace("\n    ", " ")
        assert f"25 databases: 23 migrated, 0 up to date, 2 failed. {names[3]} failed: {names[3]} holds tables" in told
        assert f" {names[7]} failed like {names[3]}." in told
        assert f"\n  {names[0]}: from version 1 to version 2, 2 migrations\n" in told
        assert f"\n  {names[3]}: failed\n" in told
        assert told.endswith("\n  and 5 more lines")
        left = playbook(MIGRATE, inventory, extra_vars={"migrate_databases": names[:3]})
        assert left.rc == 0, left.stdout
        assert report(left) == ["customers: 3 databases: 0 migrated, 3 up to date"]
        assert changed(left)["customers"] == 0
    finally:
        for name in names:
            mariadb.query(f"DROP DATABASE `{name}`")


def test_many_schemas_are_refused(team: Team, playbook: RunPlaybook) -> None:
    many = {"migrate_databases": [team.databases["orders"]]}
    inventory = team.each(
        steps={**many, "migrate_steps": 1},
        nowhere={"migrate_databases": ["nowhere"]},
        parallel={**many, "migrate_parallel": 0},
    )
    result = playbook(MIGRATE, inventory)
    said = {
        "steps": "migrate_steps, migrate_resume_from and migrate_expected_plan are for one schema: name it",
        "nowhere": "migrate_databases names schemas that do not exist: nowhere. Create them first,",
        "parallel": "migrate_parallel is 0. Give a number from 1 to 1000. (DBM-2003)",
    }
    assert {host: failure(result, host)[: len(text)] for host, text in said.items()} == said
