# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""migration_apply_many on real servers: which schemas it takes, which it opens, and that each goes as alone."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from integration.migration.fleet import Fleet
from parts.forks import Forks
from programs.soak.many import Soak, children

TABLE, ROWS = (
    "CREATE TABLE a (i INT PRIMARY KEY, t TEXT);\nINSERT INTO a VALUES (1, 'x');\n",
    "ALTER TABLE a ADD b INT;\n",
)


def warnings_of(result: dict[str, Any]) -> list[str]:
    found = [item["event"]["msg"] if isinstance(item, dict) else item for item in result.get("warnings", [])]
    return [text for text in found if "is no longer supported" not in text]


def counts(result: dict[str, Any]) -> tuple[int, ...]:
    return tuple(result[name] for name in ("total", "up_to_date", "migrated", "failed_databases", "not_started"))


def test_the_schemas_that_a_list_means(fleet: Fleet) -> None:
    fleet.write(v1_a=TABLE)
    first, second, third = fleet.create(3)
    [other] = fleet.create(1, "other")
    pattern = fleet.prefix + r"\_t%"
    result = fleet.apply([second, pattern, second], parallel=1)
    assert [entry["database"] for entry in result["databases"]] == [second, first, third]
    assert result["msg"] == "3 databases: 3 migrated, 0 up to date"
    assert result["changed"] is True
    assert counts(result) == (3, 0, 3, 0, 0)
    entry = result["databases"][0]
    assert (entry["from_version"], entry["to_version"]) == (None, 1)
    assert entry["msg"] == f"{second}: from no version yet to version 1, 1 migration"
    assert [step["title"] for step in entry["applied"]] == ["a"]
    assert fleet.version(other) is None
    again = fleet.apply([pattern])
    assert again["changed"] is False
    assert again["databases"] == []
    assert again["msg"] == "3 databases: 0 migrated, 3 up to date"


def test_a_name_that_means_nothing_is_refused_before_anything_runs(fleet: Fleet) -> None:
    fleet.write(v1_a=TABLE)
    [name] = fleet.create(1)
    result = fleet.apply([name, "nowhere", r"no\_where%"])
    assert result["failed"]
    assert result["msg"].startswith(
        r"databases names schemas that do not exist: nowhere, no\_where%. Create them first"
    )
    assert fleet.version(name) is None
    assert fleet.apply([])["msg"].startswith("databases is empty. Name the schemas")


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("parallel", 0, "parallel is 0. Give a number from 1 to 1000. (DBM-2003)"),
        ("canary", -1, "canary is -1. Give a number of 0 or more. (DBM-2003)"),
        ("max_fail_percentage", 101, "max_fail_percentage is 101. Give a number from 0 to 100. (DBM-2003)"),
    ],
)
def test_numbers_that_make_no_sense(here: Any, option: str, value: int, said: str) -> None:
    fleet = Fleet(here.server, here.name, here.directory, here.run_module)
    numbers: dict[str, Any] = {option: value}
    assert fleet.apply([here.name], **numbers)["msg"] == said


def test_an_account_that_cannot_log_in(here: Any) -> None:
    fleet = Fleet(here.server, here.name, here.directory, here.run_module)
    result = fleet.apply([here.name], login_user="nobody", login_password="wrong")
    assert result["msg"].startswith("Cannot log in as nobody@127.0.0.1:")
    assert "Check login_user and login_password" in result["msg"]


def test_each_goes_as_alone(fleet: Fleet) -> None:
    """Whatever was there before: nothing, an older version, golang-migrate's state, a failure to be resumed."""
    ours, alone = fleet.create(6), fleet.create(6, "alone")
    fleet.write(v1_a=TABLE)
    for names in (ours, alone):
        for name in names[1:5]:
            assert not fleet.of(name).apply(run_by="me")["failed"]
        fleet.server.query(f"DROP TABLE `{names[2]}`.schema_migrations_history")
    fleet.write(v2_b=ROWS, v3_c="INSERT INTO a (i) VALUES (2);\nCREATE TABLE c (i INT);\nINSERT INTO c VALUES (1);\n")
    for names in (ours, alone):
        fleet.server.query(f"CREATE TABLE `{names[3]}`.c (i INT)")
        assert fleet.of(names[3]).apply(run_by="me")["failed"]
        fleet.server.query(f"DROP TABLE `{names[3]}`.c")
        assert not fleet.of(names[4]).apply(run_by="me")["failed"]
    result = fleet.apply(ours, parallel=3, commit="abc")
    assert counts(result) == (6, 1, 5, 0, 0)
    for name in alone:
        assert not fleet.of(name).apply(run_by="me", commit="abc")["failed"]
    for one, other in zip(ours, alone):
        found = json.dumps(fleet.found(one), default=str).replace(one, other)
        assert found == json.dumps(fleet.found(other), default=str)
    [resumed] = [entry for entry in result["databases"] if entry["database"] == ours[3]]
    assert resumed["resumed"] == {"version": 3, "statement": 2}


def test_golang_migrate_continues(fleet: Fleet, golang_migrate: Path) -> None:
    fleet.write(v1_a=TABLE)
    name = fleet.create(3)[1]
    fleet.apply()
    fleet.write(v2_b=ROWS)
    assert "2/u b" in fleet.of(name).golang("up")
    result = fleet.apply()
    assert counts(result) == (3, 1, 2, 0, 0)
    history = fleet.server.query(f"SELECT direction, version FROM `{name}`.schema_migrations_history ORDER BY id")
    assert history == [("up", 1), ("external", 2)]


def test_a_canary_that_fails_is_the_only_one_begun(fleet: Fleet) -> None:
    fleet.write(v1_a=TABLE)
    names = fleet.create(5)
    fleet.server.query(f"CREATE TABLE `{names[0]}`.a (i INT)")
    result = fleet.apply(max_fail_percentage=100)
    assert result["failed"]
    assert result["msg"].startswith(
        "5 databases: 0 migrated, 0 up to date, 1 failed, 4 not started. "
        f"{names[0]} failed: 1_a.up.sql:1:1: statement 1 "
    )
    assert counts(result) == (5, 0, 0, 1, 4)
    [entry] = result["databases"]
    assert (entry["database"], entry["failed"], entry["error_code"], entry["file"]) == (
        names[0],
        True,
        1050,
        "1_a.up.sql",
    )
    assert fleet.version(names[0]) == (1, 1)
    assert [fleet.version(name) for name in names[1:]] == [None] * 4


def test_a_schema_that_has_only_something_to_say_is_not_a_canary(fleet: Fleet) -> None:
    fleet.write(v1_a=TABLE)
    said, broken, other = fleet.create(3)
    fleet.apply([said])
    fleet.server.query(f"UPDATE `{said}`.schema_migrations_history SET checksum = REPEAT('a', 64)")
    fleet.server.query(f"CREATE TABLE `{broken}`.a (i INT)")
    result = fleet.apply([said, broken, other])
    assert counts(result) == (3, 0, 0, 1, 2)
    assert [entry["database"] for entry in result["databases"]] == [broken]
    assert warnings_of(result) == []


def test_no_more_are_started_than_may_fail(fleet: Fleet) -> None:
    fleet.write(v1_a=TABLE)
    names = fleet.create(10)
    for place in (1, 3, 4, 8):
        fleet.server.query(f"CREATE TABLE `{names[place]}`.a (i INT)")
    result = fleet.apply(parallel=1, max_fail_percentage=20)
    assert counts(result) == (10, 0, 2, 3, 5)
    assert f" {names[1]} failed: 1_a.up.sql:1:1" in result["msg"]
    assert result["msg"].endswith(f" {names[3]}, {names[4]} failed like {names[1]}. (DBM-2004)")
    assert [fleet.version(name) for name in names[5:]] == [None] * 5
    for place in (1, 3, 4, 8):
        fleet.server.query(f"DROP TABLE `{names[place]}`.a")
    assert counts(fleet.apply()) == (10, 2, 8, 0, 0)
    assert {fleet.version(name) for name in names} == {(1, 0)}


def test_more_at_once_than_there_are_schemas(fleet: Fleet) -> None:
    fleet.write(v1_a=TABLE)
    fleet.create(2)
    assert counts(fleet.apply(parallel=50, canary=9)) == (2, 0, 2, 0, 0)


def test_a_dirty_schema_that_nothing_is_known_of(fleet: Fleet) -> None:
    fleet.write(v1_a=TABLE)
    names = fleet.create(3)
    fleet.apply()
    fleet.server.query(f"UPDATE `{names[1]}`.schema_migrations SET dirty = 1")
    result = fleet.apply()
    assert counts(result) == (3, 2, 0, 1, 0)
    assert f"{names[1]} failed: The database is dirty" in result["msg"]
    assert result["databases"][0]["dirty"] is True


@pytest.mark.parametrize(
    ("sql", "options", "said"),
    [
        ("UPDATE schema_migrations_history SET checksum = REPEAT('a', 64)", {}, "Changed since applied: 1_a.up.sql."),
        ("INSERT INTO schema_migrations VALUES (9, 0)", {}, "has more than one row"),
        ("UPDATE schema_migrations SET version = 9", {}, "no file in"),
        ("DELETE FROM schema_migrations", {}, "the history has"),
        ("ALTER TABLE schema_migrations ADD x INT NOT NULL", {}, "is not golang-migrate's state table"),
        ("ALTER TABLE schema_migrations_history ADD x INT", {}, "is not a history table of dbops.migrations"),
        ("UPDATE schema_migrations_history SET version = 0", {}, "No file has version 0"),
        ("UPDATE schema_migrations_history SET checksum = ''", {"checksums": "fail", "target": "none"}, "roll back"),
    ],
)
def test_what_alone_would_refuse_or_warn_of(fleet: Fleet, sql: str, options: dict[str, Any], said: str) -> None:
    """Also where the schema is at its target, and whichever schema it is."""
    fleet.write(v1_a=TABLE)
    names = fleet.create(4)
    fleet.apply(commit="abc")
    for name in names:
        assert fleet.server.query(sql, name) == []
        alone = fleet.of(name).apply(**options)
        result = fleet.apply(commit="def", max_fail_percentage=100, canary=0, **options)
        texts = " ".join([result["msg"], *warnings_of(result)])
        assert said.lower() in texts.lower()
        assert said.lower() in " ".join([alone["msg"], *alone["warnings"]]).lower()
        if not options:
            # The others are quiet still.
            assert texts.count(name) > 0
        if name == names[1]:
            break


def test_warnings_are_given_once(fleet: Fleet) -> None:
    fleet.write(v1_a=f"DELIMITER //\n{TABLE.replace(';', '//')}")
    first, *others = fleet.create(3)
    (fleet.directory / "2_b.sql").touch()
    result = fleet.apply(parallel=1)
    skipped, unportable = warnings_of(result)
    assert skipped.startswith("2_b.sql is not a migration and is skipped")
    assert unportable.startswith(f"{first}: golang-migrate could not run this file: 1_a.up.sql:1 ")
    assert unportable.endswith(f" The same holds for {', '.join(others)}.")


@pytest.mark.parametrize("changes_role", [False, True])
def test_nothing_of_a_session_reaches_the_next_schema(fleet: Fleet, changes_role: bool) -> None:
    """What a file finds is what it finds alone, whatever the one before it has left.

    No server gives a role back that was set: then there is another login.
    """
    server, role = fleet.server, f"r{fleet.prefix}"
    [shared] = fleet.create(1, "shared")
    asked = (
        "@@sql_mode, @@autocommit, @@collation_connection, @@character_set_client, @@character_set_results, "
        "@@lock_wait_timeout, @@time_zone, @@foreign_key_checks, @@collation_database, @@group_concat_max_len, "
        "CURRENT_ROLE(), LAST_INSERT_ID(), IS_FREE_LOCK('leak')"
    )
    columns = ", ".join(f"{value} AS c{place}" for place, value in enumerate(asked.split(", ")))
    fleet.write(
        v1_look=f"CREATE TABLE seen AS SELECT @leak AS variable, {columns};\n",
        v2_leave=f"CREATE TEMPORARY TABLE `{shared}`.leak (i INT);\nSET SESSION sql_mode = 'ANSI_QUOTES', @leak = 1, "
        "lock_wait_timeout = 77, time_zone = '+05:00', foreign_key_checks = 0, group_concat_max_len = 99;\n"
        "SET NAMES latin1;\nCREATE TABLE n (i INT AUTO_INCREMENT PRIMARY KEY);\nINSERT INTO n VALUES (NULL);\n"
        "PREPARE leak FROM 'SELECT 1';\nSELECT GET_LOCK('leak', 1);\nSET autocommit = 0;\n",
    )
    server.query(f"CREATE ROLE {role}")
    try:
        server.query(f"GRANT {role} TO {server.user}")
        if changes_role:
            fleet.write(v3_role=f"SET ROLE {role};\nCREATE TABLE r (i INT);\n")
        names, [alone] = fleet.create(9), fleet.create(1, "alone")
        assert not fleet.of(alone).apply(run_by="me")["failed"]
        before = _logins(fleet)
        assert counts(fleet.apply(names, parallel=1)) == (9, 0, 9, 0, 0)
        assert (_logins(fleet) - before > 9) is changes_role
    finally:
        server.query(f"DROP ROLE {role}")
    seen = {str(server.query("SELECT * FROM seen", name)) for name in [*names, alone]}
    assert len(seen) == 1, seen


def _logins(fleet: Fleet) -> int:
    return int(fleet.server.query("SHOW GLOBAL STATUS LIKE 'Connections'")[0][1])


def test_a_file_that_leaves_its_schema_leaves_the_next_one_alone(fleet: Fleet) -> None:
    [shared] = fleet.create(1, "shared")
    fleet.write(v1_a=f"CREATE TABLE a (i INT);\nUSE `{shared}`;\n")
    names = fleet.create(3)
    result = fleet.apply(names, parallel=1, max_fail_percentage=100, canary=0)
    assert counts(result) == (3, 0, 0, 3, 0)
    assert "it leaves the session in a schema other than" in result["msg"]
    assert [len(fleet.server.query(f"SHOW TABLES FROM `{name}` LIKE 'a'")) for name in names] == [1, 1, 1]
    assert fleet.server.query(f"SHOW TABLES FROM `{shared}`") == []


def test_a_server_with_init_connect(fleet: Fleet) -> None:
    """It runs it at a login only, so that each schema has one."""
    server = fleet.server
    fleet.write(v1_a="CREATE TABLE seen AS SELECT @@lock_wait_timeout AS waits;\n")
    names = fleet.create(3)
    account = f"u{fleet.prefix}"
    before = server.query("SELECT @@GLOBAL.init_connect")[0][0]
    server.query(f"CREATE USER {account}@'%' IDENTIFIED BY 'Secret-1'")
    try:
        server.query(f"GRANT ALL PRIVILEGES ON `{fleet.prefix.replace('_', '%')}%`.* TO {account}@'%'")
        server.query("SET GLOBAL init_connect = 'SET SESSION lock_wait_timeout = 71'")
        tls: dict[str, Any] = {} if "mariadb" in type(server).__name__.lower() else {"tls": "required"}
        result = fleet.apply(names, parallel=1, login_user=account, login_password="Secret-1", **tls)
        assert counts(result) == (3, 0, 3, 0, 0), result
        assert [server.query(f"SELECT waits FROM `{name}`.seen") for name in names] == [[(71,)]] * 3
    finally:
        server.query(f"SET GLOBAL init_connect = '{before}'")
        server.query(f"DROP USER {account}@'%'")


def test_check_mode_groups_the_plans(fleet: Fleet) -> None:
    fleet.write(v1_a=TABLE)
    old, new = fleet.create(7), fleet.create(2, "new")
    [broken] = fleet.create(1, "broken")
    fleet.apply(old)
    fleet.apply([broken])
    fleet.server.query(f"UPDATE `{broken}`.schema_migrations SET dirty = 1")
    fleet.write(v2_b=ROWS)
    result = fleet.apply([*old, *new], check=True, diff=True)
    assert result["changed"] is True
    assert result["msg"] == "9 databases: check mode, nothing was changed; 9 would be migrated, 0 up to date"
    step = {"title": "b", "direction": "up", "version": 2}
    first, second = result["plans"]
    assert first == {"from_version": 1, "to_version": 2, "steps": [step], "count": 7, "first": old[:5]}
    assert (second["from_version"], second["count"], second["first"]) == (None, 2, new)
    assert result["databases"] == []
    texts = [item["prepared"] for item in result["diff"]]
    assert [text.splitlines()[0] for text in texts] == [
        f"## {', '.join(old[:5])} and 2 more: from version 1 to version 2",
        f"## {', '.join(new)}: from no version yet to version 2",
    ]
    assert texts[0].endswith("\nThe file 2_b.up.sql:\n\n  ```sql\n  ALTER TABLE a ADD b INT;\n  ```\n")
    assert fleet.apply([*old, *new], check=True, plan_file="plan.md")["plan_text"] == "\n".join(texts)
    failed = fleet.apply([broken, *old, *new], check=True)
    assert failed["failed"]
    assert counts(failed) == (10, 0, 0, 1, 0)
    assert [plan["count"] for plan in failed["plans"]] == [7, 2]
    assert {fleet.version(name) for name in old} == {(1, 0)}
    assert [fleet.version(name) for name in new] == [None] * 2
    done = fleet.apply([*old, *new], diff=True)
    assert done["diff"][0]["after"] == "version 2\n  up 2_b.up.sql\n"
    assert "plans" not in done


def test_two_runs_at_once(fleet: Fleet, run_module: Any) -> None:
    fleet.write(v1_a=TABLE, v2_b=ROWS, v3_c="CREATE TABLE c (i INT);\n")
    names = fleet.create(16)
    fleet.run_module = run_module
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(fleet.apply, (names[:12], names[::-1][:12])))
    assert [result["failed"] for result in results] == [False, False], results
    assert sum(result["migrated"] for result in results) == 16
    assert {fleet.version(name) for name in names} == {(3, 0)}
    assert {len(fleet.found(name)["history"]) for name in names} == {3}


def wait_for_work(fleet: Fleet, text: str) -> None:
    end = time.monotonic() + 20
    while not any(
        text in str(row[7]) for row in fleet.server.query("SHOW FULL PROCESSLIST") if "SHOW" not in str(row[7])
    ):
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_signal_ends_it_after_the_statements_that_run(fleet: Fleet, forks: Forks) -> None:
    fleet.write(v1_a="DO SLEEP(1);\nCREATE TABLE a (i INT);\n")
    names = fleet.create(6)
    number = forks.begin("migration_apply_many", fleet.arguments(names, parallel=2, canary=0))
    wait_for_work(fleet, "SLEEP")
    time.sleep(0.3)
    os.kill(number, signal.SIGTERM)
    result = forks.result()
    assert result["failed"]
    assert counts(result) == (6, 0, 0, 2, 4)
    assert " SIGTERM: stopped, and no other was started. Run again to continue." in result["msg"]
    assert "SIGTERM: stopped before 1_a.up.sql:2:1 (statement 2)" in result["databases"][0]["msg"]
    assert [fleet.version(name) for name in names[2:]] == [None] * 4
    assert counts(fleet.apply(parallel=6)) == (6, 0, 6, 0, 0)


def test_a_worker_that_dies(fleet: Fleet, forks: Forks) -> None:
    fleet.write(v1_a="DO SLEEP(1);\nCREATE TABLE a (i INT);\n")
    names = fleet.create(3)
    number = forks.begin("migration_apply_many", fleet.arguments(names, parallel=1))
    wait_for_work(fleet, "SLEEP")
    os.kill(children(number)[0], signal.SIGKILL)
    result = forks.result()
    assert counts(result) == (3, 0, 0, 1, 2)
    said = "Its worker process ended by signal 9. Run again: it finds out what was done. (DBM-2005)"
    assert f"{names[0]} failed: {said}" in result["msg"]


def test_killed_at_any_moment(fleet: Fleet, forks: Forks) -> None:
    """A share of ``make soak-many``."""
    soak = Soak(fleet, forks, 30)
    soak.prepare()
    for number in range(6):
        assert soak.trial(random.Random(number)) == []
    assert soak.found.total() - soak.found["late"] >= 3, soak.found
