# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A schema that holds tables and has no state: refused, adopted, or given a baseline, also from another tool's table.

The other tools' tables are made here with the columns that the tools give them; the tools themselves are not run.
"""

from __future__ import annotations

from typing import Any

import pytest
from integration.migration.support import Database

FILES = {
    "0001_accounts.up.sql": "DROP TABLE IF EXISTS accounts;\nCREATE TABLE accounts (id INT PRIMARY KEY);\n",
    "0001_accounts.down.sql": "DROP TABLE accounts;\n",
    "0002_name.up.sql": "ALTER TABLE accounts ADD name VARCHAR(9);\n",
    "0002_name.down.sql": "ALTER TABLE accounts DROP name;\n",
    "0003_email.up.sql": "ALTER TABLE accounts ADD email VARCHAR(9);\n",
    "0003_email.down.sql": "ALTER TABLE accounts DROP email;\n",
}


@pytest.fixture
def shop(there: Database) -> Database:
    """A schema with a table that holds two rows, as the first two migrations would leave it."""
    there.write(FILES)
    there.query("CREATE TABLE accounts (id INT PRIMARY KEY, name VARCHAR(9))")
    there.query("INSERT INTO accounts VALUES (1, 'a'), (2, 'b')")
    return there


def rows(database: Database) -> int:
    [(number,)] = database.query("SELECT COUNT(*) FROM accounts")
    return int(number)


def moves(database: Database) -> list[tuple[Any, ...]]:
    return database.query("SELECT direction, version, leads_to, outcome FROM schema_migrations_history ORDER BY id")


@pytest.mark.parametrize("check", [False, True])
def test_it_is_refused(shop: Database, check: bool) -> None:
    before = shop.snapshot()
    result = shop.apply(adopt=False, check=check)
    assert result["failed"]
    assert result["msg"] == (
        f"{shop.name} holds tables (accounts), but no migration is recorded for it. The first migrations may destroy "
        "what is there. Set baseline to the version that the schema has; or set adopt to true to run all migrations "
        "from the first. Nothing was run. (DBM-1701)"
    )
    assert result["tables"] == ["accounts"]
    assert shop.snapshot() == before


def test_a_state_table_without_a_row_says_nothing(shop: Database) -> None:
    shop.query("CREATE TABLE schema_migrations (version bigint not null primary key, dirty boolean not null)")
    assert "no migration is recorded for it" in shop.refusal(adopt=False)


def test_it_is_adopted(shop: Database) -> None:
    done = shop.apply(adopt=True)
    assert (done["to_version"], rows(shop)) == (3, 0)


def test_what_holds_nothing_needs_no_word(there: Database) -> None:
    there.write(FILES)
    assert there.apply(adopt=False)["to_version"] == 3
    there.apply(target="none", allow_down=True)
    # The history knows what was done here, and so it may be done again.
    there.query("CREATE TABLE left_over (a INT)")
    assert there.apply(adopt=False)["to_version"] == 3


def test_what_has_a_state_needs_no_word(shop: Database) -> None:
    shop.query("CREATE TABLE schema_migrations (version bigint not null primary key, dirty boolean not null)")
    shop.query("INSERT INTO schema_migrations VALUES (2, 0)")
    assert shop.apply(adopt=False)["to_version"] == 3
    assert rows(shop) == 2


def test_no_migrations_yet(there: Database) -> None:
    there.query("CREATE TABLE accounts (id INT)")
    assert there.apply(adopt=False)["msg"] == f"{there.name}: no migrations yet"


def test_migration_apply_records_a_baseline_first(shop: Database) -> None:
    before = shop.snapshot()
    plan = shop.apply(adopt=False, baseline="2", check=True)
    assert (plan["changed"], plan["baseline"], plan["from_version"], plan["to_version"]) == (True, 2, 2, 3)
    assert [step["version"] for step in plan["pending"]] == [3]
    assert shop.snapshot() == before
    done = shop.apply(adopt=False, baseline="2")
    assert (done["changed"], done["baseline"], rows(shop), shop.state()) == (True, 2, 2, [(3, 0)])
    assert done["msg"] == f"{shop.name}: from version 2 to version 3, 1 migration; its baseline is version 2"
    assert moves(shop) == [("baseline", 2, 2, "applied"), ("up", 3, 3, "applied")]
    # It may stay among the variables, and is ignored from now on.
    again = shop.apply(adopt=False, baseline="2")
    assert (again["changed"], "baseline" in again, shop.state()) == (False, False, [(3, 0)])
    assert shop.module("info")["out_of_order"] == []


def test_a_baseline_that_is_the_last_version(shop: Database) -> None:
    done = shop.apply(baseline="3")
    assert (done["changed"], done["applied"], shop.state()) == (True, [], [(3, 0)])
    assert done["msg"] == f"{shop.name}: nothing to do, at version 3; its baseline is version 3"


@pytest.mark.parametrize(
    ("baseline", "complaint"),
    [
        ("7", "baseline is 7, and no file in the directory has that version; the last ones are 1, 2, 3."),
        ("two", "baseline is 'two'. Give the version that the schema has, a number, or auto. (DBM-1702)"),
        (
            "auto",
            " holds no table of another migration tool. Set baseline to the version that the schema has. (DBM-1704)",
        ),
    ],
)
def test_a_baseline_that_cannot_be(shop: Database, baseline: str, complaint: str) -> None:
    before = shop.snapshot()
    assert complaint in shop.refusal(baseline=baseline)
    result = shop.module("baseline", version=baseline)
    assert result["failed"]
    assert complaint in result["msg"]
    assert shop.snapshot() == before


def test_what_cannot_be_planned_is_refused_before_anything_is_recorded(shop: Database) -> None:
    before = shop.snapshot()
    assert "target" in shop.refusal(baseline="2", target="9")
    assert shop.snapshot() == before


def test_migration_baseline_records_a_baseline(shop: Database) -> None:
    before = shop.snapshot()
    plan = shop.module("baseline", version="2", check=True, diff=True)
    assert plan["changed"]
    assert plan["msg"] == (f"{shop.name}: check mode, nothing was changed; it would record version 2 as its baseline")
    assert plan["diff"] == {"before": "no version yet\n", "after": "version 2\n"}
    assert shop.snapshot() == before
    done = shop.module("baseline", version="2", run_by="alice", commit="c" * 40)
    assert (done["changed"], done["to_version"], shop.state()) == (True, 2, [(2, 0)])
    assert done["msg"] == f"{shop.name}: recorded version 2 as its baseline"
    assert moves(shop) == [("baseline", 2, 2, "applied")]
    assert shop.query("SELECT ran_by, git_commit FROM schema_migrations_history") == [("alice", "c" * 40)]
    assert not shop.module("baseline", version="2")["changed"]
    other = shop.module("baseline", version="3")
    assert other["failed"]
    assert other["msg"] == (
        f"{shop.name} already has a state: version 2, clean. To set another version use migration_force (playbook "
        "dbops.migrations.force). Nothing was changed. (DBM-1709)"
    )
    assert shop.apply(adopt=False)["to_version"] == 3
    assert rows(shop) == 2


def test_without_a_history(shop: Database) -> None:
    assert shop.apply(adopt=False, baseline="2", history_table="")["to_version"] == 3
    assert rows(shop) == 2


def test_golang_migrate_continues_from_a_baseline(shop: Database, golang_migrate: Any) -> None:
    shop.module("baseline", version="2")
    assert "3/u email" in shop.golang("up")
    assert rows(shop) == 2


FLYWAY = (
    "CREATE TABLE {} (installed_rank INT NOT NULL PRIMARY KEY, version VARCHAR(50), description VARCHAR(200) NOT NULL, "
    "type VARCHAR(20) NOT NULL, script VARCHAR(1000) NOT NULL, checksum INT, installed_by VARCHAR(100) NOT NULL, "
    "installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, execution_time INT NOT NULL, success BOOL NOT NULL)"
)
STRANGE = "not every version in it is the number of an applied file:"


def flyway(*rows: tuple[object, str, int]) -> list[str]:
    """Return what makes Flyway's table with these rows: a version, a type, and whether it was a success."""
    return [FLYWAY] + [
        f"INSERT INTO {{}} VALUES ({rank}, {'NULL' if version is None else repr(str(version))}, 'd', '{kind}', 's', 1, "
        f"'u', NOW(), 1, {success})"
        for rank, (version, kind, success) in enumerate(rows, 1)
    ]


# The tool, the name of its table, what makes it, and the version that it is at; None if that is not a number.
FOREIGN: dict[str, tuple[str, str, list[str], int | None]] = {
    "Flyway": ("Flyway", "flyway_schema_history", flyway((1, "SQL", 1), (2, "SQL", 1), (None, "SQL", 1)), 2),
    "Flyway, another name": ("Flyway", "Verlauf", flyway(("001", "SQL", 1)), 1),
    "goose": (
        "goose",
        "goose_db_version",
        [
            "CREATE TABLE {} (id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, version_id BIGINT NOT NULL, "
            "is_applied BOOLEAN NOT NULL, tstamp TIMESTAMP NULL DEFAULT NOW())",
            "INSERT INTO {} (version_id, is_applied) VALUES (0, 1), (1, 1), (2, 1), (3, 1), (3, 0)",
        ],
        2,
    ),
    "dbmate": (
        "dbmate or Rails",
        "dbmate_migrations",
        ["CREATE TABLE {} (version VARCHAR(128) PRIMARY KEY)", "INSERT INTO {} VALUES ('0001'), ('0002')"],
        2,
    ),
    "Phinx": (
        "Phinx",
        "phinxlog",
        [
            "CREATE TABLE {} (version BIGINT NOT NULL PRIMARY KEY, migration_name VARCHAR(100), "
            "start_time TIMESTAMP NULL, end_time TIMESTAMP NULL, breakpoint BOOLEAN NOT NULL DEFAULT 0)",
            "INSERT INTO {} VALUES (1, 'Accounts', NOW(), NOW(), 0)",
        ],
        1,
    ),
    "Prisma": (
        "Prisma",
        "_prisma_migrations",
        [
            "CREATE TABLE {} (id VARCHAR(36) PRIMARY KEY, checksum VARCHAR(64) NOT NULL, finished_at DATETIME(3), "
            "migration_name VARCHAR(255) NOT NULL, logs TEXT, rolled_back_at DATETIME(3), "
            "started_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3), applied_steps_count INT UNSIGNED NOT NULL "
            "DEFAULT 0)",
            "INSERT INTO {} (id, checksum, finished_at, migration_name, rolled_back_at) VALUES "
            "('a', 'x', NOW(), '1_accounts', NULL), ('b', 'x', NOW(), '2_name', NULL), "
            "('c', 'x', NULL, '3_email', NOW())",
        ],
        2,
    ),
    "Liquibase": (
        "Liquibase",
        "DATABASECHANGELOG",
        [
            "CREATE TABLE {} (ID VARCHAR(255) NOT NULL, AUTHOR VARCHAR(255) NOT NULL, FILENAME VARCHAR(255) NOT NULL, "
            "DATEEXECUTED DATETIME NOT NULL, ORDEREXECUTED INT NOT NULL, EXECTYPE VARCHAR(10) NOT NULL, "
            "MD5SUM VARCHAR(35))"
        ],
        None,
    ),
    "Alembic": (
        "Alembic",
        "alembic_version",
        ["CREATE TABLE {} (version_num VARCHAR(32) NOT NULL PRIMARY KEY)", "INSERT INTO {} VALUES ('1975ea83b712')"],
        None,
    ),
    "Django": (
        "Django",
        "django_migrations",
        [
            "CREATE TABLE {} (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, app VARCHAR(255) NOT NULL, "
            "name VARCHAR(255) NOT NULL, applied DATETIME(6) NOT NULL)"
        ],
        None,
    ),
    "golang-migrate": (
        "golang-migrate",
        "migrations",
        [
            "CREATE TABLE {} (version BIGINT NOT NULL PRIMARY KEY, dirty BOOLEAN NOT NULL)",
            "INSERT INTO {} VALUES (2, 0)",
        ],
        None,
    ),
}


def make(database: Database, table: str, statements: list[str]) -> None:
    for statement in statements:
        database.query(statement.replace("{}", f"`{table}`"))


@pytest.mark.parametrize("name", FOREIGN)
def test_the_table_of_another_tool(shop: Database, name: str) -> None:
    tool, table, statements, version = FOREIGN[name]
    make(shop, table, statements)
    refusal = shop.refusal(adopt=False)
    assert f"The table {table} is {tool}'s." in refusal
    if version is None:
        assert " or auto to take it from there" not in refusal
        wanted = "Set migrations_table" if tool == "golang-migrate" else "Find the migration here that leads to"
        assert wanted in refusal
        result = shop.module("baseline", version="auto")
        assert result["failed"]
        assert result["msg"].startswith(
            f"The table {table} is {tool}'s, whose versions are not numbers of files. {wanted}"
        )
        return
    assert "Set baseline to the version that the schema has, or auto to take it from there; or set adopt" in refusal
    done = shop.module("baseline", version="auto")
    assert (done["baseline"], shop.state()) == (version, [(version, 0)])
    assert moves(shop) == [("baseline", version, version, "applied")]


def test_rails_has_the_very_name_of_the_state_table(shop: Database) -> None:
    make(shop, "schema_migrations", ["CREATE TABLE {} (version VARCHAR(255) NOT NULL PRIMARY KEY)"])
    shop.query("INSERT INTO schema_migrations VALUES ('1'), ('2')")
    refusal = shop.refusal()
    assert "It belongs to dbmate or Rails and is left alone; choose another migrations_table." in refusal
    done = shop.apply(adopt=False, baseline="auto", migrations_table="schema_versions")
    assert (done["baseline"], done["to_version"], rows(shop)) == (2, 3, 2)


@pytest.mark.parametrize(
    ("statements", "complaint"),
    [
        (flyway(), "is Flyway's, and it has applied nothing. To run all migrations from the first, set adopt to true."),
        (flyway((1, "SQL", 1), (3, "SQL", 1)), "it is at version 3, but it has not applied version 2. Name"),
        (flyway((1, "SQL", 1), (2, "SQL", 1), (9, "SQL", 1)), "at version 9, but no file here has version 9 and"),
        (flyway((1, "SQL", 1), ("1.1", "SQL", 1)), f"{STRANGE} 1.1."),
        (flyway((1, "SQL", 1), (2, "SQL", 0)), f"{STRANGE} SQL 2."),
        (flyway((1, "SQL", 1), (1, "UNDO_SQL", 1)), f"{STRANGE} UNDO_SQL 1."),
        (
            ["CREATE TABLE {} (version VARCHAR(9000) NOT NULL)", "INSERT INTO {} VALUES (REPEAT('9', 5000))"],
            f"{STRANGE} {'9' * 100}. ",
        ),
    ],
)  # fmt: skip
def test_what_another_tool_has_applied_is_not_what_is_here(
    shop: Database, statements: list[str], complaint: str
) -> None:
    make(shop, "flyway_schema_history", statements)
    before = shop.snapshot()
    result = shop.module("baseline", version="auto")
    assert result["failed"]
    assert complaint in result["msg"]
    assert shop.snapshot() == before


def test_tables_of_two_tools(shop: Database) -> None:
    for name in ("Phinx", "dbmate"):
        make(shop, FOREIGN[name][1], FOREIGN[name][2])
    assert "holds more than one table of another migration tool. The table" in shop.refusal(baseline="auto")


@pytest.mark.parametrize(
    "columns",
    [
        "version INT",
        "version VARCHAR(9), name INT",
        "id INT, app INT, name INT, applied INT, more INT",
        "version_num INT, a INT",
    ],
)
def test_a_table_that_only_looks_like_one(shop: Database, columns: str) -> None:
    shop.query(f"CREATE TABLE other ({columns})")
    assert "The table other" not in shop.refusal(adopt=False)
