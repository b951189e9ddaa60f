# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is predicted of an ALTER is what the real table then does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pymysql
import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._migration.files.lexer import Dialect
from ansible_collections.dbops.migrations.plugins.module_utils._rehearsal.impact import REFUSED, Target, target
from integration.migration.support import Database, make
from parts.forks import Forks
from parts.mariadb import DatabaseServer, MariaDB

# Each server has its own ways here.
ABOUT_SERVERS = True

# Of each its own table, called @.
ALTERS = (
    "ALTER TABLE @ ADD c INT",
    "ALTER TABLE @ ADD c INT NOT NULL DEFAULT 3 FIRST",
    "ALTER TABLE @ DROP n",
    "ALTER TABLE @ ADD INDEX (n)",
    "ALTER TABLE @ ADD UNIQUE (u)",
    "ALTER TABLE @ ADD FULLTEXT (s)",
    "ALTER TABLE @ DROP INDEX kept",
    "ALTER TABLE @ RENAME INDEX kept TO other",
    "ALTER TABLE @ MODIFY s VARCHAR(60)",
    "ALTER TABLE @ MODIFY s VARCHAR(100)",
    "ALTER TABLE @ MODIFY s VARCHAR(20)",
    "ALTER TABLE @ MODIFY n BIGINT",
    "ALTER TABLE @ MODIFY n INT NOT NULL",
    "ALTER TABLE @ MODIFY u INT NULL",
    "ALTER TABLE @ MODIFY e ENUM('a','b','c')",
    "ALTER TABLE @ MODIFY e ENUM('c','b','a')",
    "ALTER TABLE @ CHANGE n m INT",
    "ALTER TABLE @ ALTER n SET DEFAULT 5",
    "ALTER TABLE @ ALTER n DROP DEFAULT",
    "ALTER TABLE @ MODIFY s VARCHAR(40) AFTER n",
    "ALTER TABLE @ DROP PRIMARY KEY, ADD PRIMARY KEY (u)",
    "ALTER TABLE @ DROP PRIMARY KEY",
    "ALTER TABLE @ ADD v INT AS (n + 1) VIRTUAL",
    "ALTER TABLE @ ADD v INT AS (n + 1) STORED",
    "ALTER TABLE @ ADD CHECK (n > 0)",
    "ALTER TABLE @ CONVERT TO CHARACTER SET latin1",
    "ALTER TABLE @ DEFAULT CHARACTER SET latin1",
    "ALTER TABLE @ ROW_FORMAT = COMPRESSED",
    "ALTER TABLE @ ENGINE = InnoDB",
    "ALTER TABLE @ FORCE",
    "ALTER TABLE @ AUTO_INCREMENT = 1000",
    "ALTER TABLE @ COMMENT = 'x'",
    "ALTER TABLE @ ADD c INT, ADD INDEX (n), DROP INDEX kept",
    "CREATE INDEX more ON @ (n) -- no more",
    "CREATE UNIQUE INDEX more ON @ (u)",
    "DROP INDEX kept ON @",
    "ALTER TABLE @ ADD FOREIGN KEY (n) REFERENCES parent (id)",
)


def table_id(database: Database, table: str) -> Any:
    """Return InnoDB's number of a table."""
    name = "innodb_sys_tables" if isinstance(database.server, MariaDB) else "innodb_tables"
    return database.query(f"SELECT table_id FROM information_schema.{name} WHERE name = '{database.name}/{table}'")


def is_refused(database: Database, statement: bytes) -> bool:
    """Run a statement with a clause in it, and tell whether the server would not do it so."""
    code = 0
    try:
        database.query(statement.decode())
    except pymysql.MySQLError as error:
        code = error.args[0]
    assert code in (0, *REFUSED), (statement, code)
    return code != 0


def rehearsed(database: Database, **options: Any) -> list[dict[str, Any]]:
    """Return the impact of the one migration there is."""
    result = database.module("apply", check=True, rehearse="check", **options)
    [migration] = result["rehearsal"]["migrations"]
    assert (migration["why"], migration["error"]) == (None, None)
    impact: list[dict[str, Any]] = migration["impact"]
    return impact


def test_the_real_table_does_what_was_predicted(there: Database) -> None:
    """It takes the statement with the clause, refuses any milder one, and is a new table if that was said."""
    there.query("CREATE TABLE parent (id INT PRIMARY KEY)")
    there.query("INSERT INTO parent VALUES (1), (2)")
    statements = [text.replace("@", f"t{number}") for number, text in enumerate(ALTERS)]
    for number in range(len(ALTERS)):
        there.query(
            f"CREATE TABLE t{number} (id INT PRIMARY KEY, n INT, u INT NOT NULL, s VARCHAR(40), e ENUM('a','b'), "
            "KEY kept (u))"
        )
        there.query(f"INSERT INTO t{number} VALUES (1, 1, 1, 'a', 'a'), (2, 2, 2, 'b', 'b')")
    there.write({"0001_all.up.sql": "\n;\n".join(statements)})
    found = rehearsed(there)
    assert [item["statement"] for item in found] == [*range(1, len(ALTERS) + 1)]
    uncertain = [(statements[item["statement"] - 1], item["uncertain"]) for item in found if not item["certain"]]
    assert uncertain == []
    dialect = Dialect(mariadb=isinstance(there.server, MariaDB))
    for number, (item, statement) in enumerate(zip(found, statements)):
        about = target(statement.encode(), dialect)
        assert about is not None
        before = table_id(there, f"t{number}")
        assert milder(there, about, item), statement
        assert not is_refused(there, about.spelled(item["algorithm"], lock(item))), (statement, item)
        assert (table_id(there, f"t{number}") != before) == item["rebuilds"], (statement, item)
        assert item["rows"] == 2


def test_rows_that_may_become_too_long_for_an_addition_at_once_are_rewritten(
    mysql: DatabaseServer, tmp_path: Path, forks: Forks
) -> None:
    """MySQL refuses it then in other words than elsewhere."""
    database = make(mysql, tmp_path / "migrations", forks)
    columns = ", ".join(f"c{number} VARCHAR(40)" for number in range(60))
    database.query(f"CREATE TABLE t (id INT PRIMARY KEY, {columns}) CHARACTER SET utf8mb4")
    database.write({"0001_a.up.sql": "ALTER TABLE t ADD c VARCHAR(40)"})
    [item] = rehearsed(database)
    assert (item["algorithm"], item["rebuilds"], item["certain"]) == ("INPLACE", True, True)
    mysql.query(f"DROP DATABASE `{database.name}`")


def lock(item: dict[str, Any]) -> str | None:
    """Return the lock that was predicted."""
    return None if item["algorithm"] == "INSTANT" else "SHARED" if item["blocks_writes"] else "NONE"


def milder(database: Database, about: Target, item: dict[str, Any]) -> bool:
    """Tell whether each milder way is refused, for rows are there now."""
    ways: list[tuple[str, str | None]] = [("INSTANT", None)] if item["algorithm"] != "INSTANT" else []
    if item["algorithm"] == "COPY":
        ways += [("INPLACE", "NONE"), ("INPLACE", "SHARED")]
    elif item["blocks_writes"]:
        ways += [(item["algorithm"], "NONE")]
    return all(is_refused(database, about.spelled(*way)) for way in ways)


def test_a_past_that_the_definition_does_not_show_is_not_certain(there: Database) -> None:
    """A FULLTEXT index that was dropped has left a hidden column, by which the table is rewritten."""
    there.query("CREATE TABLE t (id INT PRIMARY KEY, s VARCHAR(40), FULLTEXT KEY f (s))")
    there.query("ALTER TABLE t DROP INDEX f")
    there.write({"0001_a.up.sql": "ALTER TABLE t ADD c INT"})
    [item] = rehearsed(there)
    assert not item["certain"]
    assert "hidden column" in item["uncertain"]


@pytest.mark.parametrize(("statement", "certain"), [("ADD c INT", False), ("MODIFY n BIGINT", True)])
def test_without_process_only_the_worst_is_certain(here: Database, statement: str, certain: bool) -> None:
    """Nothing is harder than a copy."""
    here.query("CREATE TABLE t (id INT PRIMARY KEY, n INT)")
    name = f"p_{here.name[-8:]}"
    here.query(f"CREATE USER '{name}'@'%' IDENTIFIED BY 'Secret-1'")
    try:
        for schema in (here.name, "dbops\\_rehearsal\\_%"):
            here.query(f"GRANT ALL ON `{schema}`.* TO '{name}'@'%'")
        here.write({"0001_a.up.sql": f"ALTER TABLE t {statement}"})
        [item] = rehearsed(here, login_user=name, login_password="Secret-1")
        assert item["certain"] is certain
        assert ("PROCESS" in (item["uncertain"] or "")) is not certain
    finally:
        here.query(f"DROP USER '{name}'@'%'")


def test_what_cannot_be_answered_is_not_certain(here: Database) -> None:
    """Partitions, a clause of the file's own, a table that has another name by then; a new table is of no interest."""
    here.query("CREATE TABLE t (id INT PRIMARY KEY, n INT)")
    here.query("CREATE TABLE u (id INT PRIMARY KEY, n INT)")
    here.write(
        {
            "0001_a.up.sql": "CREATE TABLE fresh (id INT); CREATE TEMPORARY TABLE tt (id INT);\n"
            "ALTER TABLE fresh ADD a INT; ALTER TABLE tt ADD a INT;\n"
            "ALTER TABLE t PARTITION BY HASH (id) PARTITIONS 2;\nALTER TABLE u ADD b INT, ALGORITHM=COPY;\n"
            "RENAME TABLE u TO w;\nALTER TABLE w ADD c INT;\nINSERT INTO w VALUES (1, 1, 1, 1)"
        }
    )
    result = here.module("apply", check=True, diff=True, rehearse="check")
    [migration] = result["rehearsal"]["migrations"]
    found = [(item["line"], item["table"], item["algorithm"], item["certain"]) for item in migration["impact"]]
    assert found == [(3, "t", None, False), (4, "u", None, False), (6, "w", "INSTANT", False)]
    plan = " ".join(result["diff"]["prepared"].split())
    assert "`w`: INSTANT, writes continue (line 6)" in plan
    assert "line 6: there is no table of this name before the plan begins" in plan


def test_a_surprise_is_refused_before_it_begins(there: Database) -> None:
    """A table that would be rewritten is not; what was predicted is done, and the definition is the file's own."""
    for table in ("one", "two", "three"):
        there.query(f"CREATE TABLE {table} (id INT PRIMARY KEY, s VARCHAR(40), n INT, FULLTEXT KEY f (s))")
    there.query("ALTER TABLE three DROP INDEX f")
    there.write(
        {"0001_a.up.sql": "ALTER TABLE one ADD c INT;\nALTER TABLE two ADD INDEX (n);\nALTER TABLE three ADD c INT"}
    )
    before = table_id(there, "three")
    message = there.refusal(rehearse="always", assert_impact=True)
    assert message.startswith("0001_a.up.sql:3:1: statement 3 failed: (184")
    assert "It was sent with the clause by which it was rehearsed" in message
    assert table_id(there, "three") == before
    sent = there.apply()
    assert not sent["failed"]
    assert sent["resumed"] == {"version": 1, "statement": 3}
    assert table_id(there, "three") != before
    columns = there.query("SHOW COLUMNS FROM one")
    assert [row[0] for row in columns] == ["id", "s", "n", "c"]
    assert there.query("SHOW INDEX FROM two WHERE column_name = 'n'")


def test_a_surprise_in_the_first_statement_leaves_the_version_as_it_was(there: Database) -> None:
    """Nothing in the file took effect, so that golang-migrate, too, can continue from there."""
    for table in ("t", "u"):
        there.query(f"CREATE TABLE {table} (id INT PRIMARY KEY, s VARCHAR(40), FULLTEXT KEY f (s))")
        there.query(f"ALTER TABLE {table} DROP INDEX f")
    there.write({"0001_t.up.sql": "ALTER TABLE t ADD c INT"})
    refused(there, None)
    assert "1/u t" in there.golang("up")
    there.write({"0002_a.up.sql": "CREATE TABLE a (id INT)", "0003_u.up.sql": "ALTER TABLE u ADD c INT;\nDROP TABLE a"})
    refused(there, 2)
    refused(there, 2, history_table="")
    # There is nothing to resume.
    result = there.apply()
    assert (result["failed"], result["resumed"], [item["version"] for item in result["applied"]]) == (False, None, [3])
    assert there.tables() == {"t", "u"}
    outcomes = there.query("SELECT version, outcome, done FROM schema_migrations_history ORDER BY id")
    # golang-migrate's own work is known by the state.
    assert outcomes == [(1, "failed", 0), (1, "applied", 0), (2, "applied", 1), (3, "failed", 0), (3, "applied", 2)]


def refused(there: Database, version: int | None, **options: Any) -> None:
    """Have the server refuse to begin a migration, which leaves a version."""
    before = there.snapshot()
    result = there.apply(rehearse="always", assert_impact=True, **options)
    assert result["failed"]
    for text in (
        "one of its statements is done. The database is now at ",
        "It was sent with the clause by which it was rehearsed",
        "set assert_impact to false. Correct the file and run again. The statement: ALTER TABLE",
    ):
        assert text in result["msg"]
    assert (result["dirty"], result["to_version"]) == (False, version)
    assert result["error_code"] in REFUSED
    assert there.state() == ([] if version is None else [(version, 0)])
    if version is None:
        # The table of the state has been made.
        assert there.snapshot().items() >= before.items()
    info = there.module("info")
    assert (info["version"], info["dirty"], info["healthy"]) == (version, False, True)


def test_nothing_can_be_asserted_without_a_rehearsal(here: Database) -> None:
    """A run that always rehearses is needed."""
    here.write({"0001_a.up.sql": "CREATE TABLE a (id INT)"})
    expected = "assert_impact needs a rehearsal. Set rehearse to always. (DBM-2101)"
    assert here.refusal(assert_impact=True) == expected
