# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""migration_info on every state that a schema can be in, and its promise to change nothing."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.lock import lock_name
from integration.migration.support import Database
from parts.forks import Forks
from parts.mysql import MySQL

FILES = {
    "1_users.up.sql": "CREATE TABLE users (id INT PRIMARY KEY);\nINSERT INTO users VALUES (1);\n",
    "1_users.down.sql": "DROP TABLE users;\n",
    "3_email.up.sql": "ALTER TABLE users ADD email VARCHAR(9);\n",
    "3_email.down.sql": "ALTER TABLE users DROP email;\n",
}
WRONG = {"4_wrong.up.sql": "CREATE TABLE a (i INT);\nINSERT INTO a VALUES (1);\nALTER TABLE nobody ADD i INT;\n"}
HISTORY = "schema_migrations_history"
NOTHING_WRONG: dict[str, Any] = {
    "changed_files": [],
    "missing": [],
    "out_of_order": [],
    "history_ahead": [],
    "attempt": None,
    "running": None,
}


def info(database: Database, **options: Any) -> dict[str, Any]:
    """Return what the module says, having made sure that it leaves everything as it is."""
    before = database.snapshot(), history(database)
    result = database.module("info", **options)
    assert not result["failed"], result
    assert not result["changed"]
    assert (database.snapshot(), history(database)) == before
    return result


def history(database: Database) -> list[tuple[Any, ...]] | None:
    """Return all rows; None if there is no table."""
    if not database.query(f"SHOW TABLES LIKE '{HISTORY}'"):
        return None
    return database.query(f"SELECT * FROM {HISTORY} ORDER BY id")


def part(result: dict[str, Any], like: dict[str, Any]) -> dict[str, Any]:
    return {key: result[key] for key in like}


def wait_for(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 60
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return found


def test_a_schema_that_was_never_migrated(there: Database) -> None:
    there.write(FILES)
    result = info(there)
    assert part(result, NOTHING_WRONG) == NOTHING_WRONG
    assert (result["healthy"], result["history"], result["version"]) == (True, [], None)
    assert result["msg"] == f"{there.name}: no version yet, 2 migrations pending"
    assert there.query("SHOW TABLES") == []


def test_the_history_of_what_was_done(there: Database) -> None:
    there.write(FILES)
    there.apply(target="1", commit="abc123", run_by="alice", job="17")
    there.apply()
    there.module("force", version="1")
    result = info(there)
    assert (result["healthy"], result["version"]) == (True, 1)
    assert [(row["direction"], row["version"], row["title"], row["outcome"]) for row in result["history"]] == [
        ("force", 1, "", "applied"),
        ("up", 3, "email", "applied"),
        ("up", 1, "users", "applied"),
    ]
    first = result["history"][-1]
    assert 0 < first.pop("seconds") < 60
    started = first.pop("started_at")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", started)
    [(now,)] = there.query("SELECT UTC_TIMESTAMP()")
    assert started[:10] in (now.strftime("%Y-%m-%d"), time.strftime("%Y-%m-%d", time.gmtime(time.time() - 60)))
    assert first.pop("tool").startswith("dbops.migrations ")
    assert first == {
        "version": 1,
        "title": "users",
        "direction": "up",
        "outcome": "applied",
        "checksum": hashlib.sha256(FILES["1_users.up.sql"].encode()).hexdigest(),
        "statements": 2,
        "done": 2,
        "error": None,
        "commit": "abc123",
        "ran_by": "alice",
        "ran_on": platform.node(),
        "job": "17",
    }
    assert result["history"][1]["commit"] is result["history"][1]["job"] is None
    assert result["history"][0]["seconds"] is result["history"][0]["checksum"] is None

    assert [row["direction"] for row in info(there, history_limit=1)["history"]] == ["force"]
    assert info(there, history_limit=0)["history"] == []
    refused = there.module("info", history_limit=-1)
    assert refused["msg"] == "history_limit is -1. Give the number of attempts to return, 0 or more. (DBM-1633)"


def test_a_move_to_none_has_no_version(database: Database) -> None:
    database.write(FILES)
    database.apply()
    database.module("force", version="none")
    assert info(database)["history"][0]["version"] is None


def test_a_migration_that_failed(there: Database) -> None:
    there.write({**FILES, **WRONG, "5_later.up.sql": "SELECT 1"})
    assert there.apply(run_by="bob", job="18")["failed"]
    for limit in (20, 0):
        result = info(there, history_limit=limit)
        expected = {**NOTHING_WRONG, "healthy": False, "dirty": True, "known": True, "version": 4, "lock_holder": None}
        attempt = expected["attempt"] = result["attempt"]
        assert part(result, expected) == expected
        assert attempt["started_at"].endswith("Z")
        assert "nobody" in attempt["error"]
        assert {**attempt, "started_at": "", "error": ""} == {
            "version": 4,
            "title": "wrong",
            "direction": "up",
            "file": "4_wrong.up.sql",
            "done": 2,
            "begun": 2,
            "outcome": "failed",
            "error": "",
            "started_at": "",
            "ran_by": "bob",
            "ran_on": platform.node(),
            "job": "18",
        }
        assert result["msg"] == (f"{there.name}: version 4, dirty: 4_wrong.up.sql failed; statements 1 to 2 are done")
        assert [step["version"] for step in result["pending"]] == [5]

    (there.directory / "4_wrong.up.sql").unlink()
    result = info(there)
    assert (result["attempt"]["file"], result["known"]) == (None, False)
    assert "dirty: the up migration of version 4 failed;" in result["msg"]

    there.write({"4_wrong.up.sql": WRONG["4_wrong.up.sql"].replace("nobody", "a").replace("i INT;", "j INT;")})
    assert not there.apply(resume_from=3)["failed"]
    result = info(there)
    assert (result["healthy"], result["attempt"], result["version"]) == (True, None, 5)
    assert [(row["version"], row["outcome"]) for row in result["history"][:3]] == [
        (5, "applied"),
        (4, "applied"),
        (4, "failed"),
    ]


def test_a_way_down_that_failed(database: Database) -> None:
    database.write({**FILES, "3_email.down.sql": "SELECT nothing"})
    database.apply()
    assert database.apply(steps=-1, allow_down=True)["failed"]
    result = info(database)
    assert (result["version"], result["healthy"], result["missing"]) == (1, False, [])
    assert part(result["attempt"], {"version": 3, "direction": 0, "file": 0}) == {
        "version": 3,
        "direction": "down",
        "file": "3_email.down.sql",
    }
    assert "dirty: 3_email.down.sql failed; none of its statements is done" in result["msg"]


def test_a_migration_that_is_running_then_is_interrupted(there: Database, forks: Forks, run_module: Any) -> None:
    slow = "CREATE TABLE a (i INT);\nINSERT INTO a SELECT SLEEP(60);\n"
    there.write({**FILES, "4_slow.up.sql": slow})
    # forks runs one module at a time.
    other = Database(there.server, there.name, there.directory, run_module)
    number = forks.begin("migration_apply", there.arguments("apply", {"job": "19"}))
    asleep = f"SELECT id FROM information_schema.processlist WHERE db = '{there.name}' AND info LIKE '%SLEEP(60)%'"
    try:
        wait_for(lambda: there.server.query(f"{asleep} AND state = 'User sleep'"))
        result = info(other)
        assert result["msg"] == (
            f"{there.name}: version 4, dirty: 4_slow.up.sql is running, at statement 2, {result['running']}"
        )
        assert re.fullmatch(r"by \S+ on \S+, job 19 since \S+Z; INSERT INTO: User sleep, .*\d+ s", result["running"])
        expected = {"version": 4, "done": 1, "outcome": "running", "error": None, "job": "19"}
        assert part(result["attempt"], expected) == expected
        assert (result["dirty"], result["healthy"], result["out_of_order"]) == (True, False, [])
        assert result["lock_holder"].startswith("connection ")
        unlocked = info(other, lock=False)
        assert "4_slow.up.sql is running, or was interrupted; statement 1 is done" in unlocked["msg"]
    finally:
        os.kill(number, signal.SIGKILL)
        assert forks.status() == -signal.SIGKILL
        for (connection,) in there.server.query(f"{asleep} AND id <> CONNECTION_ID()"):
            there.server.query(f"KILL {connection}")
    wait_for(lambda: info(there)["lock_holder"] is None)
    result = info(there)
    assert result["msg"] == (f"{there.name}: version 4, dirty: 4_slow.up.sql was interrupted; statement 1 is done")
    assert (result["attempt"]["outcome"], result["healthy"]) == ("running", False)


def test_a_statement_that_had_begun_when_it_was_interrupted(database: Database) -> None:
    body = "BEGIN CREATE TABLE b (i INT); KILL CONNECTION_ID(); END"
    database.write({"1_a.up.sql": f"CREATE PROCEDURE a() {body};\nCALL a();\n"})
    assert database.apply()["failed"]
    attempt = info(database)["attempt"]
    assert (attempt["done"], attempt["begun"]) == (1, 2)
    assert "statement 1 is done, and statement 2 may have taken effect" in info(database)["msg"]


def test_a_run_that_a_signal_stopped(database: Database, forks: Forks, run_module: Any) -> None:
    database.write({"1_a.up.sql": "CREATE TABLE a (i INT);\nINSERT INTO a SELECT SLEEP(1);\nDROP TABLE a;\n"})
    number = forks.begin("migration_apply", database.arguments("apply", {}))
    asleep = f"SELECT id FROM information_schema.processlist WHERE db = '{database.name}' AND state = 'User sleep'"
    wait_for(lambda: database.server.query(asleep))
    os.kill(number, signal.SIGTERM)
    assert forks.result()["failed"]
    result = info(database)
    assert result["attempt"]["outcome"] == "interrupted"
    assert "1_a.up.sql was stopped; statements 1 to 2 are done" in result["msg"]


def test_files_that_were_changed_are_gone_or_came_late(there: Database) -> None:
    there.write(FILES)
    there.apply()
    there.write({"1_users.up.sql": "CREATE TABLE users (id BIGINT PRIMARY KEY);\n"})
    changed = info(there)
    expected = {**NOTHING_WRONG, "healthy": False, "known": True, "changed_files": ["1_users.up.sql"]}
    assert part(changed, expected) == expected
    assert changed["msg"] == f"{there.name}: version 3, 0 migrations pending, 1 file changed"

    for name in ("1_users.up.sql", "1_users.down.sql"):
        (there.directory / name).unlink()
    missing = info(there)
    expected = {**NOTHING_WRONG, "healthy": False, "known": True, "missing": [1]}
    assert part(missing, expected) == expected
    assert missing["msg"].endswith(", 1 file missing")

    there.write({"1_users.up.sql": FILES["1_users.up.sql"], "2_late.up.sql": "SELECT 1", "4_next.up.sql": "SELECT 1"})
    late = info(there)
    expected = {**NOTHING_WRONG, "healthy": False, "known": True, "out_of_order": [2]}
    assert part(late, expected) == expected
    assert late["msg"] == f"{there.name}: version 3, 1 migration pending, 1 version out of order"
    assert [step["version"] for step in late["pending"]] == [4]

    assert not there.apply(out_of_order="apply")["failed"]
    assert info(there)["healthy"]


def test_one_that_came_late_and_failed_is_no_longer_out_of_order(database: Database) -> None:
    database.write(FILES)
    database.apply()
    database.write({"2_late.up.sql": "CREATE TABLE b (i INT);\nSELECT nothing;\n"})
    assert database.apply(out_of_order="apply")["failed"]
    result = info(database)
    assert (result["version"], result["attempt"]["version"], result["out_of_order"]) == (3, 2, [])


def test_what_golang_migrate_did_is_not_a_fault(twins: tuple[Database, Database]) -> None:
    database, _other = twins
    database.write(FILES)
    database.apply(target="1")
    database.golang("up")
    assert info(database)["healthy"]
    database.write({"4_more.up.sql": "SELECT 1", "5_wrong.up.sql": "SELECT nothing"})
    database.golang("up")
    result = info(database)
    expected = {**NOTHING_WRONG, "healthy": False, "dirty": True, "version": 5}
    assert part(result, expected) == expected
    assert result["msg"] == f"{database.name}: version 5, dirty: a migration is partially applied"


@pytest.mark.usefixtures("golang_migrate")
def test_a_history_that_is_ahead_of_the_state(there: Database) -> None:
    there.write(FILES)
    there.apply()
    there.golang("down", "1")
    result = info(there)
    expected = {**NOTHING_WRONG, "healthy": False, "dirty": False, "version": 1, "history_ahead": [3]}
    assert part(result, expected) == expected
    assert [step["version"] for step in result["pending"]] == [3]
    assert result["msg"] == (
        f"{there.name}: version 1, 1 migration pending, 1 version applied in the history but not in the state table"
    )
    there.query("DELETE FROM schema_migrations")
    assert info(there)["history_ahead"] == [1, 3]
    assert info(there)["msg"].endswith(", 2 versions applied in the history but not in the state table")
    there.module("force", version="3")
    assert (info(there)["healthy"], info(there)["history_ahead"]) == (True, [])
    assert info(there, history_table="")["history_ahead"] == []


def test_a_version_without_a_file_is_not_healthy(database: Database) -> None:
    database.write(FILES)
    database.module("force", version="9")
    result = info(database)
    assert (result["known"], result["healthy"]) == (False, False)


def test_a_lock_that_somebody_holds_is_not_a_fault(there: Database) -> None:
    there.write(FILES)
    there.apply()
    with there.server.connect(there.name) as other, other.cursor() as cursor:
        cursor.execute("SELECT GET_LOCK(%s, 0)", (lock_name(there.name, "schema_migrations"),))
        result = info(there)
        assert (result["healthy"], bool(result["lock_holder"])) == (True, True)


def test_the_history_is_switched_off(database: Database) -> None:
    database.write({**FILES, **WRONG})
    assert database.apply()["failed"]
    database.write({"1_users.up.sql": "SELECT 1"})
    result = info(database, history_table="")
    expected = {**NOTHING_WRONG, "history": [], "dirty": True, "healthy": False}
    assert part(result, expected) == expected
    assert result["msg"].endswith("dirty: a migration is partially applied")
    assert info(database, history_table="another_name")["history"] == []


def test_a_history_table_of_something_else(database: Database) -> None:
    database.query(f"CREATE TABLE {HISTORY} (i INT)")
    assert "is not a history table of dbops.migrations" in database.module("info")["msg"]


def test_a_table_that_may_not_be_read(there: Database) -> None:
    """The server hides a table from whom it gives no right to it; that must not look as if there were none."""
    there.write(FILES)
    there.apply()
    user = f"u{there.name[-8:]}"
    login: dict[str, Any] = {"login_user": user, "login_password": "pw-Passw0rd"}
    there.query(f"CREATE USER '{user}'@'%' IDENTIFIED BY 'pw-Passw0rd'")
    try:
        there.query(f"GRANT SELECT ON schema_migrations TO '{user}'@'%'")
        for grant in (None, f"GRANT INSERT ON {HISTORY} TO '{user}'@'%'"):
            if grant:
                there.query(grant)
            refused = there.module("info", **login)
            assert (refused["failed"], refused["error_code"]) == (True, 1142)
            assert refused["msg"].startswith(
                f"The user may not read the table {HISTORY} in {there.name}, if there is one: (1142) SELECT command"
            )
            assert "Grant the user SELECT on it." in refused["msg"]
        off = info(there, **login, history_table="")
        assert (off["version"], off["history"], off["healthy"]) == (3, [], True)

        there.query(f"GRANT SELECT ON {HISTORY} TO '{user}'@'%'")
        assert len(info(there, **login)["history"]) == 2
        there.query(f"REVOKE SELECT ON schema_migrations FROM '{user}'@'%'")
        refused = there.module("info", **login)
        assert refused["msg"].startswith(f"The user may not read the table schema_migrations in {there.name}, if there")
    finally:
        there.query(f"DROP USER '{user}'@'%'")


def test_many_looks_while_migrations_run(there: Database, forks: Forks, run_module: Any) -> None:
    """Whatever the moment: what is said about the state, the history and the lock belongs together."""
    there.write({f"{number}_t.up.sql": f"CREATE TABLE t{number} (i INT);" for number in range(1, 201)})
    looks = Forks()
    try:
        other = Database(there.server, there.name, there.directory, looks)
        # Its process is ready then.
        other.module("info")
        forks.begin("migration_apply", there.arguments("apply", {}))
        seen = []
        while not forks.ended():
            seen.append(other.module("info"))
        assert not forks.result()["failed"]
    finally:
        looks.close()
    for result in seen:
        assert not result["failed"], result
        assert part(result, {"missing": [], "changed_files": [], "out_of_order": []}) == {
            "missing": [],
            "changed_files": [],
            "out_of_order": [],
        }
        if result["dirty"]:
            assert re.search(r"dirty: \d+_t.up.sql is running, at statement [12](, by \S+ on .*)?$", result["msg"])
            assert result["attempt"]["version"] == result["version"] == result["history"][0]["version"]
        else:
            assert (result["attempt"], result["healthy"]) == (None, True)
    assert any(result["dirty"] for result in seen)


# What the account may do, and what the server refuses.


@pytest.fixture
def account(database: Database) -> Iterator[dict[str, str]]:
    """A new account without privileges but to log in to the schema."""
    user = f"u{database.name[-8:]}"
    database.query(f"CREATE USER '{user}'@'%' IDENTIFIED BY 'pw'")
    yield {"login_user": user, "login_password": "pw"}
    database.query(f"DROP USER '{user}'@'%'")


def test_privileges_that_are_missing(database: Database, account: dict[str, str]) -> None:
    database.write(FILES)
    user = account["login_user"]
    pattern = database.name.replace("_", "\\_")
    database.query(f"GRANT SELECT, INSERT, CREATE ON `{pattern}`.* TO '{user}'@'%'")
    result = info(database, **account)
    assert result["missing_privileges"] == ["UPDATE", "DELETE", "ALTER", "DROP", "INDEX", "REFERENCES"]
    assert result["msg"].endswith("2 migrations pending, 6 privileges missing")
    database.query(f"GRANT ALL ON `{pattern[:-1]}%`.* TO '{user}'@'%'")
    assert info(database, **account)["missing_privileges"] == []


def test_privileges_of_a_role(database: Database, account: dict[str, str]) -> None:
    user, role = account["login_user"], f"r{database.name[-8:]}"
    database.query(f"CREATE ROLE {role}")
    database.query(f"GRANT SELECT ON `{database.name}`.* TO '{user}'@'%'")
    database.query(f"GRANT ALL ON `{database.name}`.* TO {role}")
    database.query(f"GRANT {role} TO '{user}'@'%'")
    assert "DROP" in info(database, **account)["missing_privileges"]
    if isinstance(database.server, MySQL):
        database.query(f"SET DEFAULT ROLE {role} TO '{user}'@'%'")
    else:
        database.query(f"SET DEFAULT ROLE {role} FOR '{user}'@'%'")
    assert info(database, **account)["missing_privileges"] == []
    database.query(f"DROP ROLE {role}")


def test_settings_that_are_in_the_way(database: Database, account: dict[str, str]) -> None:
    """What the server says it refuses is tried."""
    database.query(f"GRANT ALL ON `{database.name}`.* TO '{account['login_user']}'@'%'")
    trigger = "CREATE TRIGGER u BEFORE INSERT ON t FOR EACH ROW SET @a = 1;"
    database.write({"1_t.up.sql": f"CREATE TABLE t (i INT PRIMARY KEY);\n{trigger}"})
    [(logs,)] = database.query("SELECT @@log_bin")
    obstacles = {row["name"]: row for row in info(database, **account)["obstacles"]}
    assert ("log_bin_trust_function_creators" in obstacles) == bool(logs)
    result = database.apply(**account)
    assert result.get("error_code", 0) == (1419 if logs else 0)
    assert info(database)["obstacles"] == []
    database.query("SET GLOBAL read_only = 1")
    try:
        obstacles = {row["name"]: row for row in info(database, **account)["obstacles"]}
        assert obstacles["read_only"]["effect"] == "every write is refused (1290), as on a replica"
        database.write({"2_t.up.sql": "CREATE TABLE v (i INT PRIMARY KEY)"})
        assert database.apply(**account)["error_code"] == 1290
    finally:
        database.query("SET GLOBAL read_only = 0")
