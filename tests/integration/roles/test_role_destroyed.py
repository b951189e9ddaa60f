# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a migration destroys, in the role and its playbooks: kept, listed, restored, purged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from integration.roles.support import Team, lines_of

if TYPE_CHECKING:
    from conftest import RunPlaybook

KEPT = "dbops.migrations.kept"


def test_what_a_deploy_destroys_is_listed_restored_and_purged(team: Team, playbook: RunPlaybook) -> None:
    schema = team.databases["orders"]
    keep = f"{schema}_kept"
    inventory = team.inventory(migrate_rehearse="always", migrate_keep_destroyed=keep)
    assert playbook("dbops.migrations.migrate", inventory, "-l", "orders").rc == 0
    team.mariadb.query("INSERT INTO people VALUES (1, 'a@example.com')", schema)
    was = team.mariadb.query("CHECKSUM TABLE people", schema)
    team.repository.commit({"db/0003_no_people.up.sql": "DROP TABLE people;\n"})
    try:
        done = playbook("dbops.migrations.migrate", inventory, "-l", "orders")
        assert done.rc == 0, done.stdout
        listed = playbook(KEPT, inventory, "-l", "orders")
        [item] = listed.result("orders", "List, restore or purge")["kept"]
        [report] = [event["result"]["msg"] for event in listed.tasks if "Report the result" in event["task"]]
        assert f"kept          {item['id']}: table people (up 3)" in "\n".join(lines_of([report], "orders"))
        number = str(item["id"])
        predicted = playbook(KEPT, inventory, "-l", "orders", "--check", "-e", f"migrate_restore={number}")
        assert predicted.result("orders", "List, restore or purge")["restored"]["table"] == "people"
        assert team.mariadb.query("SHOW TABLES LIKE 'people'", schema) == []
        assert playbook(KEPT, inventory, "-l", "orders", "-e", f"migrate_restore={number}").rc == 0
        assert team.mariadb.query("CHECKSUM TABLE people", schema) == was
        team.repository.commit({"db/0004_again.up.sql": "DROP TABLE people;\n"})
        assert playbook("dbops.migrations.migrate", inventory, "-l", "orders").rc == 0
        purged = playbook(KEPT, inventory, "-l", "orders", "-e", "migrate_purge_older_than=0")
        assert purged.result("orders", "List, restore or purge")["kept"] == []
        assert team.mariadb.query(f"SHOW TABLES FROM `{keep}`") == [("dbops_kept",)]
    finally:
        team.mariadb.query(f"DROP DATABASE IF EXISTS `{keep}`")
