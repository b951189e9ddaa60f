# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Guards in the role: a plan that is refused is shown, and fails; a run that is refused does nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from integration.roles.support import Team, failure, lines_of

if TYPE_CHECKING:
    from conftest import RunPlaybook

MIGRATE = "dbops.migrations.migrate"
ROLLBACK = "dbops.migrations.rollback"
DROP = {
    "db/0003_no_email.up.sql": "-- The application does without.\nALTER TABLE people DROP email;\n",
    "db/0003_no_email.down.sql": "ALTER TABLE people ADD email VARCHAR(99);\n",
}
FOUND = "destroy: people: values that go with the column email: 1 (line 2)"
REFUSED = (
    f"The guards refuse this plan: up 3, {FOUND}. Correct the files. Or allow what is meant, with {{destroy: [3]}} in "
    "migrate_allow, or in the file, above the statement or at its head, with the comment -- dbops: allow destroy. Or "
    "set such a guard to warn in migrate_guards. Nothing was run."
)
JUDGED = "Refuse a plan that the guards refuse"


def test_a_plan_and_a_run_are_refused_by_a_file_that_a_team_keeps(
    team: Team, playbook: RunPlaybook, tmp_path: Path
) -> None:
    """In words of the role; what the file allows is run."""
    inventory = team.inventory()
    assert playbook(MIGRATE, inventory, "-l", "orders").rc == 0
    schema = team.databases["orders"]
    team.mariadb.query("INSERT INTO people VALUES (1, 'a@example.com')", schema)
    team.repository.commit(DROP)
    file = tmp_path / "guards.yml"
    rules: dict[str, Any] = {"migrate_rehearse": "always", "migrate_guards": {"destroy": "refuse"}}
    file.write_text(yaml.safe_dump(rules))
    options = ("-l", "orders", "-e", f"@{file}")

    def everything() -> list[Any]:
        checksum = team.mariadb.query("CHECKSUM TABLE people, schema_migrations, schema_migrations_history", schema)
        return [checksum, team.version("orders"), team.attempts("orders")]

    before = everything()
    plan = playbook(MIGRATE, inventory, "--check", "--diff", *options, extra_vars={"awx_job_id": 7})
    assert failure(plan, "orders", "") == REFUSED
    # The plan is shown nevertheless, with the file.
    assert "ALTER TABLE people DROP email" in plan.stdout
    [report] = [event["result"]["msg"] for event in plan.tasks if "Say what happened" in event["task"]]
    assert lines_of([report], "orders")[1:] == ["pending: up 3 no_email"]
    assert plan.result("orders", "Apply the migrations")["refusal"] is not None
    dry = playbook(MIGRATE, inventory, *options, extra_vars={"migrate_dry_run": True})
    assert failure(dry, "orders") == REFUSED
    run = playbook(MIGRATE, inventory, *options)
    assert failure(run, "orders") == REFUSED
    assert [event["status"] for event in run.tasks if JUDGED in event["task"]] == []
    assert everything() == before

    file.write_text(yaml.safe_dump({**rules, "migrate_allow": {"destroy": [3]}}))
    done = playbook(MIGRATE, inventory, *options)
    assert done.rc == 0, done.stdout
    assert team.version("orders") == (3, 0)


def test_a_rollback_is_refused(team: Team, playbook: RunPlaybook) -> None:
    """In check mode, and in a run."""
    inventory = team.inventory(migrate_rehearse="always", migrate_guards={"destroy": "refuse"})
    assert playbook(MIGRATE, inventory, "-l", "orders").rc == 0
    team.mariadb.query("INSERT INTO people VALUES (1, 'a@example.com')", team.databases["orders"])
    for options in (("--check",), ()):
        result = playbook(ROLLBACK, inventory, "-l", "orders", *options, extra_vars={"migrate_steps": 1})
        message = failure(result, "orders")
        assert message.startswith(f"The guards refuse this plan: down 2, {FOUND.replace('line 2', 'line 1')}. Correct")
    assert team.version("orders") == (2, 0)


def test_a_guard_or_a_level_that_is_not_known_is_refused_at_once(team: Team, playbook: RunPlaybook) -> None:
    """Before anything is fetched."""
    guards = {"destory": "warn", "rename": "no", "rebuild_above": "much"}
    result = playbook(MIGRATE, team.inventory(migrate_guards=guards, migrate_allow={"drop": 3}), "-l", "orders")
    message = failure(result, "orders", "Check the variables")
    for said in (
        "migrate_guards.destory",
        "migrate_allow.drop",
        "rename must be one of: allow, warn, refuse, got: no found in migrate_guards",
        "rebuild_above",
    ):
        assert said in message
