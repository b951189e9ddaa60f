# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""migration_apply, migration_info and migration_force on ordinary files."""

from __future__ import annotations

from integration.migration.support import Database

FILES = {
    "0001_users.up.sql": "CREATE TABLE users (id INT PRIMARY KEY);\nINSERT INTO users VALUES (1), (2);\n",
    "0001_users.down.sql": "DROP TABLE users;\n",
    "0002_orders.up.sql": "CREATE TABLE orders (id INT PRIMARY KEY);\n",
    "0002_orders.down.sql": "DROP TABLE orders;\n",
    "0003_email.up.sql": "ALTER TABLE users ADD email VARCHAR(200);\n",
    "0003_email.down.sql": "ALTER TABLE users DROP email;\n",
}


def pairs(items: list[dict[str, object]]) -> list[tuple[object, object]]:
    return [(item["version"], item["direction"]) for item in items]


def test_all_that_is_pending_then_nothing(database: Database) -> None:
    database.write(FILES)
    first = database.apply()
    assert first["changed"]
    assert (first["from_version"], first["to_version"], first["dirty"], first["pending"]) == (None, 3, False, [])
    assert [(item["title"], item["statements"]) for item in first["applied"]] == [
        ("users", 2),
        ("orders", 1),
        ("email", 1),
    ]
    assert all(0 < item["seconds"] < 60 for item in first["applied"])
    assert first["msg"] == f"{database.name}: from no version yet to version 3, 3 migrations"
    assert database.state() == [(3, 0)]
    assert database.query("SELECT COUNT(*) FROM users") == [(2,)]
    second = database.apply()
    assert (second["changed"], second["applied"], second["to_version"]) == (False, [], 3)
    [attempt] = database.module("info")["history"][:1]
    last = f"last: up 3 at {attempt['started_at']}, by {attempt['ran_by']}"
    assert second["msg"] == f"{database.name}: nothing to do, at version 3 ({last})"


def test_check_mode_returns_the_plan_and_changes_nothing(database: Database) -> None:
    database.write(FILES)
    before = database.snapshot()
    plan = database.apply(check=True, diff=True)
    assert (plan["changed"], plan["applied"], plan["from_version"], plan["to_version"]) == (True, [], None, 3)
    assert pairs(plan["pending"]) == [(1, "up"), (2, "up"), (3, "up")]
    text = plan["diff"].pop("prepared")
    assert plan["diff"] == {}
    assert text.startswith(
        f"## {database.name}: from no version yet to version 3\n\n3 migrations are pending: 1, 2, 3.\n\n"
        "**Not rehearsed**: what the migrations do to tables and rows is unknown.\n\n### Up 1: users\n\n"
    )
    for name in sorted(FILES):
        indented = "\n".join(f"  {line}".rstrip() for line in FILES[name].rstrip("\n").split("\n"))
        assert (f"The file {name}:\n\n  ```sql\n{indented}\n  ```\n" in text) == (".up." in name)
    assert database.apply(check=True, plan_file="plan.md")["plan_text"] == text
    assert database.snapshot() == before == {}
    real = database.apply(diff=True)
    assert real["diff"]["after"] == (
        "version 3\n  up 0001_users.up.sql\n  up 0002_orders.up.sql\n  up 0003_email.up.sql\n"
    )
    assert database.apply(check=True)["changed"] is False


def test_the_plan_that_was_approved(database: Database) -> None:
    database.write(FILES)
    approved = database.apply(check=True)["plan"]
    assert database.apply(check=True, expected_plan=approved)["plan"] == approved
    assert database.apply(target="1")["to_version"] == 1
    before = database.snapshot()
    assert database.refusal(expected_plan=approved) == (
        f"The plan for {database.name} is not the one that was approved (expected_plan): the database or the files "
        "have changed since. It is at version 1, and this would run up 0002_orders.up.sql, up 0003_email.up.sql. "
        "Plan again, and have the new plan approved. Nothing was changed. (DBM-1624)"
    )
    assert database.snapshot() == before
    done = database.apply(expected_plan=database.apply(check=True)["plan"])
    assert (done["to_version"], "plan" in done) == (3, False)
    assert "this would run nothing. Plan again" in database.refusal(expected_plan=approved)


def test_check_mode_of_a_way_down(database: Database) -> None:
    database.write(FILES)
    database.apply()
    before = database.snapshot()
    plan = database.apply(check=True, target="none", allow_down=True)
    assert pairs(plan["pending"]) == [(3, "down"), (2, "down"), (1, "down")]
    assert plan["to_version"] is None
    assert database.snapshot() == before


def test_targets_and_steps(database: Database) -> None:
    database.write(FILES)
    assert database.apply(target="2")["pending"] == [{"version": 3, "title": "email", "direction": "up"}]
    assert database.state() == [(2, 0)]
    assert pairs(database.apply(steps=1)["applied"]) == [(3, "up")]
    down = database.apply(steps=-2, allow_down=True)
    assert pairs(down["applied"]) == [(3, "down"), (2, "down")]
    assert database.state() == [(1, 0)]
    assert database.tables() == {"users"}
    none = database.apply(target="none", allow_down=True)
    assert (none["from_version"], none["to_version"]) == (1, None)
    assert (database.state(), database.tables()) == ([], set())
    more = database.apply(steps=9)
    assert more["warnings"] == ["Fewer steps are possible than requested: 3 of 9. (DBM-1616)"]


def test_down_needs_permission(database: Database) -> None:
    database.write(FILES)
    database.apply()
    before = database.snapshot()
    assert "set allow_down: true if that is meant. Nothing was changed." in database.refusal(target="1")
    assert "set allow_down: true" in database.refusal(steps=-1, check=True)
    assert database.snapshot() == before


def test_no_migrations_yet_is_a_success_that_says_so(database: Database) -> None:
    for check in (True, False):
        result = database.apply(check=check)
        assert (result["failed"], result["changed"], result["to_version"]) == (False, False, None)
        assert result["msg"] == f"{database.name}: no migrations yet"
    assert database.snapshot() == {}


def test_another_state_table(database: Database) -> None:
    database.write(FILES)
    database.apply(migrations_table="odd`name")
    assert database.query("SELECT * FROM `odd``name`") == [(3, 0)]


def test_migration_info_lists_what_is_applied_and_pending(database: Database) -> None:
    database.write(FILES)
    before = database.snapshot()
    fresh = database.module("info")
    assert (fresh["version"], fresh["dirty"], fresh["latest"], fresh["known"]) == (None, False, 3, True)
    assert pairs(fresh["pending"]) == [(1, "up"), (2, "up"), (3, "up")]
    assert fresh["migrations"][0] == {
        "version": 1,
        "title": "users",
        "up": "0001_users.up.sql",
        "down": "0001_users.down.sql",
    }
    assert database.snapshot() == before
    assert "MariaDB" in fresh["server"]
    database.apply(target="2")
    then = database.module("info", check=True)
    assert (then["version"], pairs(then["pending"]), then["lock_holder"]) == (2, [(3, "up")], None)
    assert then["msg"] == f"{database.name}: version 2, 1 migration pending"


def test_info_on_a_state_that_apply_refuses(database: Database) -> None:
    database.write(FILES)
    database.module("force", version="7")
    ahead = database.module("info")
    assert (ahead["version"], ahead["known"], ahead["pending"]) == (7, False, [])
    assert ahead["msg"] == f"{database.name}: version 7, which no file in the directory has"
    database.query("UPDATE schema_migrations SET dirty = 1")
    dirty = database.module("info")
    assert dirty["dirty"]
    assert dirty["msg"] == f"{database.name}: version 7, dirty: a migration is partially applied"


def test_info_of_nothing(database: Database) -> None:
    result = database.module("info")
    assert (result["version"], result["latest"], result["msg"]) == (None, None, f"{database.name}: no migrations yet")


def test_migration_force_sets_the_version(database: Database) -> None:
    plan = database.module("force", check=True, version="2")
    assert (plan["changed"], plan["from_version"], plan["to_version"], database.snapshot()) == (True, None, 2, {})
    assert (plan["was_dirty"], plan["dirty"]) == (False, False)
    assert plan["diff"] == {"before": "no version yet, clean\n", "after": "version 2, clean\n"}
    assert database.module("force", version="2")["changed"]
    assert database.state() == [(2, 0)]
    assert database.module("force", version="2")["changed"] is False
    database.query("UPDATE schema_migrations SET dirty = 1")
    planned = database.module("force", version="2", check=True)
    assert (planned["changed"], planned["was_dirty"], planned["dirty"]) == (True, True, True)
    cleared = database.module("force", version="2")
    assert (cleared["changed"], cleared["was_dirty"], cleared["dirty"]) == (True, True, False)
    assert cleared["msg"] == f"{database.name}: set to version 2, clean; it was version 2, dirty"
    assert database.module("force", version="none", check=True)["changed"]
    assert database.state() == [(2, 0)]
    database.module("force", version="none")
    assert database.state() == []
    assert database.module("force", version="none")["changed"] is False


def test_force_refuses_what_is_not_a_version(database: Database) -> None:
    for version in ("latest", "-1", str(2**63)):
        result = database.module("force", version=version)
        assert result["failed"]
        assert result["msg"].startswith(f"version is '{version}'. Give the version that the schema has")


def test_warnings_reach_the_user(database: Database) -> None:
    database.write(
        {"0001_a.up.sql": "DELIMITER //\nSELECT 1//\n", "0003_x.sql": "", "0003_x.dow.sql": "", "2_b.down.sql": ""}
    )
    result = database.apply()
    assert result["warnings"][0].startswith("0003_x.dow.sql and 1 more are not migrations and are skipped: ")
    assert result["warnings"][1:] == [
        "Version 2 has no up file: only the version is recorded. (DBM-1615)",
        "golang-migrate could not run this file: 0001_a.up.sql:1 uses DELIMITER, a command of the mysql client. "
        "(DBM-1631)",
    ]
    assert database.state() == [(2, 0)]


def test_stored_programs_with_and_without_delimiter(database: Database) -> None:
    body = "BEGIN DECLARE i INT DEFAULT 0; WHILE i < 3 DO SET i = i + 1; END WHILE; SELECT i; END"
    database.write(
        {
            "1_a.up.sql": f"CREATE PROCEDURE a() {body};\nCALL a();\n",
            "2_b.up.sql": f"DELIMITER $$\nCREATE PROCEDURE b() {body} $$\nDELIMITER ;\nCALL b();\n",
        }
    )
    result = database.apply()
    assert [item["statements"] for item in result["applied"]] == [2, 2]
    texts = [database.query(f"SHOW CREATE PROCEDURE {name}")[0][2].strip() for name in ("a", "b")]
    assert texts[0].replace("`a`", "`b`") == texts[1]


def test_portability(database: Database) -> None:
    database.write({"1_a.up.sql": "CREATE TABLE a (i INT)", "1_a.down.sql": "DROP TABLE a"})
    database.write({"2_b.up.sql": "\n\nDELIMITER //\nCREATE TABLE b (i INT)//\n", "2_b.down.sql": "DROP TABLE b"})
    note = "2_b.up.sql:3 uses DELIMITER, a command of the mysql client"
    assert database.apply(check=True)["warnings"] == [f"golang-migrate could not run this file: {note}. (DBM-1631)"]
    for check in (True, False):
        refused = database.apply(check=check, portability="require")
        assert refused["msg"] == (
            f"golang-migrate could not run these files as they are: {note}. "
            "Change them, or set portability to warn. Nothing was run. (DBM-1630)"
        )
    assert database.snapshot() == {}
    assert database.apply(check=True, portability="ignore")["warnings"] == []
    assert database.apply(portability="ignore")["warnings"] == []
    assert database.state() == [(2, 0)]


def test_portability_of_a_plan_that_is(database: Database) -> None:
    database.write(FILES)
    assert database.apply(portability="require")["to_version"] == 3


def test_a_refusal_for_many_files_fits_on_a_screen(database: Database) -> None:
    database.write({f"{number}_m.up.sql": "" for number in range(1, 9)})
    message = database.refusal(portability="require")
    assert "5_m.up.sql:1 is empty; and 3 more. Change them" in message
    assert "6_m" not in message
