# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Guards in the role: a plan that is refused is shown, and fails."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from integration.roles.support import Team, failure

if TYPE_CHECKING:
    from conftest import RunPlaybook

MIGRATE = "dbops.migrations.migrate"
ROLLBACK = "dbops.migrations.rollback"
DROP = {
    "db/0003_no_email.up.sql": "-- The application does without.\nALTER TABLE people DROP email;\n",
    "db/0003_no_email.down.sql": "ALTER TABLE people ADD email VARCHAR(99);\n",
}
FOUND = "destroy: people: values lost with the column email: 1 (line 2)"
REFUSED = (
    f"The guards refuse this plan: up 3, {FOUND}. Correct the files. Or allow what is meant, with {{destroy: [3]}} in "
    "migrate_allow, or in the file, above the statement or at its head, with the comment -- dbops: allow destroy. Or "
    "set such a guard to warn in migrate_guards. Nothing was run. (DBM-2111)"
)


def test_a_plan_is_refused_by_a_file_that_a_team_keeps(team: Team, playbook: RunPlaybook, tmp_path: Path) -> None:
    """In words of the role, and that of a rollback, too."""
    schema = team.databases["orders"]
    team.mariadb.query("CREATE TABLE people (id INT PRIMARY KEY, email VARCHAR(99))", schema)
    team.mariadb.query("INSERT INTO people VALUES (1, 'a@example.com')", schema)
    team.mariadb.query("CREATE TABLE schema_migrations (version BIGINT PRIMARY KEY, dirty BOOLEAN NOT NULL)", schema)
    team.mariadb.query("INSERT INTO schema_migrations VALUES (2, 0)", schema)
    team.repository.commit(DROP)
    file = tmp_path / "guards.yml"
    file.write_text("migrate_rehearse: always\nmigrate_guards:\n  destroy: refuse\n")
    options = ("-l", "orders", "-e", f"@{file}")

    def everything() -> list[Any]:
        tables = team.mariadb.query("SHOW TABLES", schema)
        return [tables, team.mariadb.query("CHECKSUM TABLE people, schema_migrations", schema)]

    before = everything()
    plan = playbook(MIGRATE, team.inventory(), "--check", "--diff", *options, extra_vars={"awx_job_id": 7})
    assert failure(plan, "orders") == REFUSED
    # The plan is shown nevertheless, with the file.
    assert "ALTER TABLE people DROP email" in plan.stdout
    [report] = [event["result"]["msg"] for event in plan.tasks if "Report the result" in event["task"]]
    assert "orders: failed" in report
    assert "The guards refuse this plan: up 3, destroy: people: values" in " ".join(report)
    back = playbook(ROLLBACK, team.inventory(), "--check", *options, extra_vars={"migrate_steps": 1})
    message = failure(back, "orders")
    assert message.startswith(f"The guards refuse this plan: down 2, {FOUND.replace('line 2', 'line 1')}. Correct")
    assert everything() == before


def test_a_guard_or_a_level_that_is_not_known_is_refused_at_once(team: Team, playbook: RunPlaybook) -> None:
    """Before anything is fetched."""
    guards = {"destory": "warn", "rename": "no", "rebuild_above": "much"}
    result = playbook(MIGRATE, team.inventory(migrate_guards=guards, migrate_allow={"drop": 3}), "-l", "orders")
    *wrong, unknown = failure(result, "orders", "Check the variables").splitlines()
    assert wrong == [
        "Argument 'rebuild_above' is of type str found in 'migrate_guards'. and we were unable to convert to bytes: it "
        "cannot be converted to a Byte value. (DBM-1003)",
        "Value of rename must be one of: allow, warn, refuse, got: no found in migrate_guards. (DBM-1003)",
    ]
    assert unknown.startswith(
        "There is no migrate_allow.drop, migrate_guards.destory. Supported parameters include: bl"
    )
    result = playbook(MIGRATE, team.inventory(migrate_guards="refuse"), "-l", "orders")
    assert "Argument 'migrate_guards' is of type str" in failure(result, "orders", "Check the variables")
