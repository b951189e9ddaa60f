# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the guards refuse is not run, and nothing is changed; what is meant is run."""

from __future__ import annotations

import os
import signal
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from integration.migration.support import Database
from parts.forks import Forks

# Each server has its own ways here.
ABOUT_SERVERS = True

DROP = "DROP TABLE IF EXISTS nothing;\nALTER TABLE orders DROP note;"


def fill(database: Database) -> Database:
    """Make two tables with rows, at version 1."""
    database.query("CREATE TABLE orders (id INT PRIMARY KEY, note TEXT, n INT, KEY kept (n))")
    database.query("INSERT INTO orders VALUES (1, 'a', NULL), (2, NULL, 1), (3, 'b', 1)")
    database.query("CREATE TABLE customer (id INT PRIMARY KEY, name VARCHAR(20))")
    database.query("INSERT INTO customer VALUES (1, 'x')")
    database.write({"0001_start.up.sql": "SELECT 1", "0001_start.down.sql": "SELECT 1"})
    assert not database.apply()["failed"]
    return database


def write(database: Database, up: str, down: str | None = "SELECT 1", version: int = 2) -> None:
    """Write a migration."""
    database.write({f"{version:04}_x.up.sql": up, **({} if down is None else {f"{version:04}_x.down.sql": down})})


@contextmanager
def unchanged(database: Database) -> Iterator[None]:
    """Make sure that nothing is changed: no definition and row, no checksum, neither state nor history."""

    def all_of_it() -> tuple[Any, ...]:
        tables = ", ".join(sorted(database.tables() | {"schema_migrations", "schema_migrations_history"}))
        return database.snapshot(), database.query(f"CHECKSUM TABLE {tables}"), database.state()

    before = all_of_it()
    yield
    assert all_of_it() == before
    assert before[2][0][1] == 0


def verdicts(result: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Return what each guard has found."""
    return [(item["version"], item["guard"], item["verdict"]) for item in result["guards"]]


def texts(result: dict[str, Any], guard: str) -> list[str]:
    return [item["text"] for item in result["guards"] if item["guard"] == guard]


def test_a_run_that_is_refused_changes_nothing(there: Database) -> None:
    """Check mode says the same, and does not fail; the file may allow it, for what it names."""
    fill(there)
    write(there, DROP, "ALTER TABLE orders ADD note TEXT AFTER id")
    write(there, "CREATE TABLE later (id INT)", "DROP TABLE later", 3)
    refusing: dict[str, Any] = {"guards": {"destroy": "refuse"}}
    found = "orders: values lost with the column note: 2 (line 2)"
    with unchanged(there):
        result = there.module("apply", rehearse="always", **refusing)
        plan = there.module("apply", check=True, rehearse="check", **refusing)
    assert result["failed"]
    assert (
        result["msg"]
        == plan["refusal"]
        == (
            f"The guards refuse this plan: up 2, destroy: {found}. Correct the files. Or allow what is meant, with "
            "{destroy: [2]} in allow, or in the file, above the statement or at its head, with the comment "
            "-- dbops: allow destroy. Or set such a guard to warn in guards. Nothing was run. (DBM-2111)"
        )
    )
    assert result["rehearsal"]["complete"]
    entry = {"version": 2, "title": "x", "direction": "up", "guard": "destroy", "text": found, "allowed_by": None}
    assert plan["guards"] == result["guards"] == [{**entry, "verdict": "refuse"}]
    assert (plan["failed"], plan["warnings"]) == (False, [f"up 2, destroy: {found} (DBM-2102)"])

    write(there, DROP.replace(";\n", ";\n-- dbops: allow destroy orders.note\n"))
    result = there.apply(rehearse="always", **refusing)
    assert result["guards"][0]["verdict"] == "allowed"
    assert result["guards"][0]["allowed_by"] == "line 2 of 0002_x.up.sql"
    assert [item["version"] for item in result["applied"]] == [2, 3]
    assert [row[0] for row in there.query("SHOW COLUMNS FROM orders")] == ["id", "n"]


def test_a_version_may_be_allowed(here: Database) -> None:
    """One that is not pending is ignored; what is allowed is not warned of."""
    fill(here)
    write(here, DROP, "ALTER TABLE orders ADD note TEXT AFTER id")
    refusing = {"rehearse": "always", "guards": {"destroy": "refuse"}}
    with unchanged(here):
        here.refusal(**refusing, allow={"destroy": [1, 99], "rename": [2]})
    result = here.apply(**refusing, allow={"destroy": [99, 2]})
    assert [item["allowed_by"] for item in result["guards"]] == ["migrate_allow"]
    assert (result["warnings"], result["refusal"], here.state()) == ([], None, [(2, 0)])


def test_what_would_fail_is_refused_by_default(here: Database) -> None:
    """Rows do so, and so does a file that is wrong; what the plan fixes itself is warned of."""
    fill(here)
    write(here, "ALTER TABLE orders MODIFY n INT NOT NULL", "ALTER TABLE orders MODIFY n INT")
    with unchanged(here):
        message = here.refusal(rehearse="always")
    found = "up 2, would_fail: orders: rows with NULL in n, which becomes NOT NULL (1138, 1265): 1 (line 1)"
    assert message.startswith(f"The guards refuse this plan: {found}. Correct the files.")
    assert here.module("apply", check=True, rehearse="check")["refusal"] == message
    write(here, "ALTER TABLE orders ADD n INT")
    with unchanged(here):
        message = here.refusal(rehearse="always")
    assert ": up 2, would_fail: it fails on copies of the tables: 0002_x.up.sql:1 (statement 1): (1060) " in message
    write(
        here,
        "UPDATE orders SET n = 0 WHERE n IS NULL;\nALTER TABLE orders MODIFY n INT NOT NULL",
        "ALTER TABLE orders MODIFY n INT",
    )
    result = here.apply(rehearse="always")
    assert verdicts(result) == [(2, "would_fail", "warn")]
    assert "unless another statement of the plan changes that (line 2)" in result["warnings"][0]
    assert here.state() == [(2, 0)]


def test_a_failure_on_the_copies_can_be_let_pass(here: Database) -> None:
    """Then it is the real table that refuses it."""
    fill(here)
    write(here, "ALTER TABLE orders ADD n INT")
    message = here.refusal(rehearse="always", guards={"would_fail": "warn"})
    assert message.startswith("0002_x.up.sql:1:1: statement 1 failed: (1060) ")


def test_writes_that_wait_count_above_a_size(here: Database) -> None:
    """So do rows that are rewritten."""
    fill(here)
    write(here, "ALTER TABLE orders ADD INDEX (n);\nALTER TABLE orders MODIFY n BIGINT")
    below = {"block_writes": "refuse", "rebuild": "refuse", "block_writes_above": "1M", "rebuild_above": "1M"}
    assert verdicts(here.module("apply", check=True, rehearse="check", guards=below)) == [(2, "irreversible", "warn")]
    above = {**below, "block_writes_above": 1000, "rebuild_above": "1K"}
    with unchanged(here):
        result = here.module("apply", rehearse="always", guards=above)
    assert verdicts(result)[:2] == [(2, "block_writes", "refuse"), (2, "rebuild", "refuse")]
    [text] = texts(result, "block_writes")
    assert text.startswith("orders: writes wait, about 3 rows, 0.0 MB (line 2)")
    assert "orders: all rows are rewritten, about 3 rows" in result["msg"]
    write(
        here,
        "ALTER TABLE orders ADD INDEX (n);\n-- dbops: allow block_writes orders\n-- dbops: allow rebuild orders\n"
        "ALTER TABLE orders MODIFY n BIGINT",
    )
    assert here.apply(rehearse="always", guards=above)["applied"]


# What a migration renames of the tables a@ and b@, each as (table, column, to, line).
RENAMES: tuple[tuple[str, list[tuple[str, str, str, int | None]]], ...] = (
    ("RENAME TABLE a@ TO old@", [("a@", "", "old@", 1)]),
    ("SELECT 1;\nALTER TABLE a@ RENAME AS old@", [("a@", "", "old@", 2)]),
    ("ALTER TABLE a@ CHANGE note remark TEXT", [("a@", "note", "remark", 1)]),
    ("ALTER TABLE a@ ADD x INT;\nALTER TABLE a@ RENAME COLUMN note TO remark", [("a@", "note", "remark", 2)]),
    ("RENAME TABLE a@ TO o@, b@ TO a@, o@ TO b@", [("b@", "", "a@", 1), ("a@", "", "b@", 1)]),
    ("CREATE TABLE fresh@ LIKE a@;\nRENAME TABLE a@ TO kept@, fresh@ TO a@", [("a@", "", "kept@", 2)]),
    (
        "ALTER TABLE a@ RENAME TO o@;\nALTER TABLE o@ RENAME COLUMN n TO m",
        [("a@", "", "o@", 1), ("a@", "n", "m", None)],
    ),
    ("RENAME TABLE a@ TO o@;\nRENAME TABLE o@ TO a@", []),
    ("CREATE TABLE fresh@ (a INT);\nALTER TABLE fresh@ RENAME COLUMN a TO b;\nRENAME TABLE fresh@ TO new@", []),
    ("ALTER TABLE a@ RENAME INDEX kept TO other, ADD x INT", []),
)


def test_what_gets_another_name_is_found(there: Database) -> None:
    """Real tables and columns; what the plan has made itself has nobody who asks for it."""
    fill(there)
    for number, (statements, _expected) in enumerate(RENAMES, 2):
        there.query(f"CREATE TABLE a{number} LIKE orders")
        there.query(f"CREATE TABLE b{number} LIKE customer")
        write(there, statements.replace("@", str(number)), None, number)
    with unchanged(there):
        result = there.module("apply", rehearse="always", guards={"rename": "refuse"})
    found = {
        item["version"]: {(one["table"], one["column"], one["to"], one["line"]) for one in item["renames"]}
        for item in result["rehearsal"]["migrations"]
    }
    assert found == {
        number: {tuple(str(word).replace("@", str(number)) for word in one[:3]) + one[3:] for one in expected}
        for number, (_statements, expected) in enumerate(RENAMES, 2)
    }
    assert len(texts(result, "rename")) == sum(len(expected) for _statements, expected in RENAMES)
    text = "up 4, rename: a4.note is renamed to remark; a running application still uses the old name (line 1);"
    assert text in result["msg"]


def test_the_line_is_that_of_the_statement_or_none(here: Database) -> None:
    """Where several may be meant, only a comment about the whole file allows it."""
    fill(here)
    here.query("CREATE TABLE parts (id INT PRIMARY KEY) PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (10), "
               "PARTITION p1 VALUES LESS THAN (20), PARTITION p2 VALUES LESS THAN MAXVALUE)")  # fmt: skip
    here.query("INSERT INTO parts VALUES (1), (11), (30)")
    write(
        here,
        "UPDATE orders SET n = n + 1;\nALTER TABLE orders ADD x INT;\n\nALTER TABLE orders DROP note, DROP n;\n"
        "ALTER TABLE customer ADD UNIQUE named (name), ADD y INT;\nALTER TABLE customer ADD z INT AFTER name;\n"
        "ALTER TABLE customer DROP name;\nALTER TABLE parts TRUNCATE PARTITION p0, p1;\nDELETE FROM parts;\n"
        "DROP TABLE parts",
    )
    result = here.module("apply", check=True, rehearse="check")
    risks = result["rehearsal"]["migrations"][0]["risks"]
    assert {(item["table"], item["what"], item["name"], item["line"]) for item in risks} == {
        ("orders", "values", "", 1),
        ("parts", "rows", "p0", 8),
        ("parts", "rows", "p1", 8),
        ("parts", "rows", "", 9),
        ("parts", "table", "", 10),
        ("customer", "column", "name", None),
        ("orders", "column", "note", 4),
        ("orders", "column", "n", 4),
    }
    write(here, "ALTER TABLE orders ADD x INT AFTER note;\n-- dbops: allow destroy\nALTER TABLE orders DROP note")
    refusing: dict[str, Any] = {"rehearse": "always", "guards": {"destroy": "refuse"}}
    with unchanged(here):
        assert "values lost with the column note: 2. Correct" in here.refusal(**refusing)
    statements = "ALTER TABLE orders ADD x INT AFTER note;\nALTER TABLE orders DROP note"
    write(here, f"-- dbops: allow destroy orders.note\n\n{statements}")
    assert here.apply(**refusing)["guards"][0]["allowed_by"] == "line 1 of 0002_x.up.sql"


def test_a_migration_without_a_down_file_is_seen_without_a_rehearsal(here: Database) -> None:
    """It is said once, and in check mode; a run is not held up by what it would only warn of."""
    fill(here)
    write(here, "CREATE TABLE a (id INT)", None)
    write(here, "CREATE TABLE b (id INT)", None, 3)
    plan = here.module("apply", check=True)
    assert plan["warnings"] == ["up 2, up 3, no_down_file: there is no down file (DBM-2109)"]
    assert (plan["refusal"], "rehearsal" in plan) == (None, False)
    with unchanged(here):
        message = here.refusal(guards={"no_down_file": "refuse"})
    assert ": up 2, up 3, no_down_file: there is no down file. Correct" in message
    write(here, "-- dbops: allow no_down_file\n\nCREATE TABLE a (id INT)", None)
    result = here.apply(guards={"no_down_file": "refuse"}, allow={"no_down_file": [3]})
    assert verdicts(result) == [(2, "no_down_file", "allowed"), (3, "no_down_file", "allowed")]
    write(here, "CREATE TABLE c (id INT)", None, 4)
    result = here.apply()
    assert (result["changed"], result["warnings"], "guards" in result) == (True, [], False)


def test_what_cannot_be_rolled_back_or_is_not_rehearsed_can_be_refused(here: Database) -> None:
    """A comment at the head allows it."""
    fill(here)
    write(here, "ALTER TABLE orders ADD x INT", "ALTER TABLE orders ADD y INT")
    guards = {"irreversible": "refuse", "not_rehearsed": "refuse"}
    with unchanged(here):
        message = here.refusal(rehearse="always", guards=guards)
        assert ": up 2, irreversible: its down file does not restore TABLE orders (different). Correct" in message
        write(here, "USE mysql", "SELECT 1")
        message = here.refusal(rehearse="always", guards=guards)
        assert ": up 2, not_rehearsed: it was not rehearsed: line 1 (statement 1) has USE. Correct" in message
        write(here, "ALTER TABLE orders ADD x INT", "USE mysql")
        message = here.refusal(rehearse="always", guards=guards)
        assert ": up 2, not_rehearsed: its down file is not rehearsed: line 1 (statement 1) has USE. Correct" in message
    write(here, "-- dbops: allow irreversible\nALTER TABLE orders ADD x INT", "SELECT 1")
    assert verdicts(here.apply(rehearse="always", guards=guards)) == [(2, "irreversible", "allowed")]


def test_a_rollback_is_guarded_by_what_makes_sense_there(here: Database) -> None:
    """What it would destroy, and not that it cannot be rolled back."""
    fill(here)
    write(here, "CREATE TABLE more (id INT);\nINSERT INTO more VALUES (1)", "DROP TABLE more")
    write(here, "ALTER TABLE orders RENAME COLUMN n TO m", "ALTER TABLE orders RENAME COLUMN m TO n", 3)
    here.apply()
    back: dict[str, Any] = {"target": "1", "allow_down": True, "rehearse": "always"}
    with unchanged(here):
        message = here.refusal(**back, guards={"destroy": "refuse", "rename": "refuse", "irreversible": "refuse"})
    assert message.startswith(
        "The guards refuse this plan: down 2, destroy: more: rows lost with the table: 1 (line 1). Correct"
    )
    write(here, "CREATE TABLE more (id INT)", "-- dbops: allow destroy more\nDROP TABLE more")
    result = here.apply(**back, guards={"destroy": "refuse", "rename": "refuse"}, checksums="ignore")
    assert [item["allowed_by"] for item in result["guards"]] == ["line 1 of 0002_x.down.sql"]
    assert here.state() == [(1, 0)]


def test_the_rest_of_a_run_that_was_started_is_not_judged_again(here: Database, forks: Forks) -> None:
    """Its connection was lost; it must not be left partially applied because of what was not known when it began."""
    fill(here)
    write(here, "CREATE TABLE a (id INT);\nDO SLEEP(1);\nCREATE TABLE b (id INT)", None)
    run = uuid.uuid4().hex
    process = forks.begin("migration_apply", here.arguments("apply", {"run_id": run}))
    deadline = time.monotonic() + 30
    while not here.server.query("SELECT 1 FROM information_schema.processlist WHERE info LIKE 'DO SLEEP(1)%'"):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(process, signal.SIGKILL)
    forks.status()
    result = here.apply(run_id=run, reattach=True, guards={"no_down_file": "refuse"})
    assert (result["failed"], result["reattached"], here.state()) == (False, True, [(2, 0)])
    assert "guards" not in result


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"guards": {"destory": "warn"}}, ("guards.destory",)),
        ({"guards": {"destroy": "forbid"}}, ("destroy must be one of: allow, warn, refuse, got: forbid", "guards")),
        ({"guards": {"rebuild_above": "lots"}}, ("rebuild_above", "guards", "Byte")),
        ({"allow": {"drop": [12]}}, ("allow.drop",)),
        ({"allow": {"destroy": ["twelve"]}}, ("destroy", "allow", "twelve")),
    ],
)
def test_an_option_that_is_wrong_is_named(here: Database, options: dict[str, Any], said: tuple[str, ...]) -> None:
    """Whether or not something is pending."""
    message = here.refusal(**options)
    assert [text for text in said if text not in message] == [], message
