# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What would fail on the real rows, and what would destroy some of them, is found before anything is run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pymysql
from integration.migration.support import Database, make
from parts import private_folder
from parts.forks import Forks
from parts.mariadb import MariaDB

# Each server has its own ways here.
ABOUT_SERVERS = True

COLUMNS = (
    "id INT PRIMARY KEY, n INT, m INT, s VARCHAR(40), d DECIMAL(10,2), e ENUM('a','b','c'), p INT, b BIGINT, "
    "k VARCHAR(40) COLLATE utf8mb4_bin"
)
# n is NULL in two rows, m has a value twice, s has 30 letters in one, e is c in one, p has no parent in two.
ROWS = (
    "(1, 1, 7, REPEAT('x', 30), 12345678.91, 'a', 1, 5000000000, 'Aa')",
    "(2, NULL, 7, 'y', 1, 'b', 8, 1, 'aA')",
    "(3, NULL, 8, 'zß', 1, 'c', 9, -1, 'b')",
)
# A statement about the table @; kind, what, and how many rows.
RISKS: tuple[tuple[str, str, str, int], ...] = (
    ("ALTER TABLE @ MODIFY n INT NOT NULL", "would_fail", "null", 2),
    ("ALTER TABLE @ CHANGE COLUMN n nn INT NOT NULL", "would_fail", "null", 2),
    ("ALTER TABLE `@` ADD x INT, MODIFY COLUMN `n` BIGINT NOT NULL", "would_fail", "null", 2),
    ("ALTER TABLE @ CHANGE N NN INT NOT NULL", "would_fail", "null", 2),
    ("ALTER TABLE @ ADD UNIQUE (m)", "would_fail", "duplicate", 1),
    ("ALTER TABLE @ ADD CONSTRAINT one UNIQUE KEY (m)", "would_fail", "duplicate", 1),
    ("CREATE UNIQUE INDEX one ON @ (m)", "would_fail", "duplicate", 1),
    ("ALTER TABLE @ DROP PRIMARY KEY, ADD PRIMARY KEY (m, id), ADD UNIQUE one (m)", "would_fail", "duplicate", 1),
    ("ALTER TABLE @ ADD UNIQUE (k), MODIFY k VARCHAR(40) COLLATE utf8mb4_general_ci", "would_fail", "duplicate", 1),
    ("ALTER TABLE @ MODIFY s VARCHAR(20)", "would_fail", "does_not_fit", 1),
    ("ALTER TABLE @ MODIFY s CHAR(1)", "would_fail", "does_not_fit", 2),
    ("ALTER TABLE @ CHANGE s t VARBINARY(29)", "would_fail", "does_not_fit", 1),
    ("ALTER TABLE @ MODIFY b INT", "would_fail", "does_not_fit", 1),
    ("ALTER TABLE @ MODIFY b BIGINT UNSIGNED", "would_fail", "does_not_fit", 1),
    ("ALTER TABLE @ MODIFY d DECIMAL(6,2)", "would_fail", "does_not_fit", 1),
    ("ALTER TABLE @ MODIFY e ENUM('a','b')", "would_fail", "does_not_fit", 1),
    ("ALTER TABLE @ MODIFY s VARCHAR(40) CHARACTER SET ascii", "would_fail", "character_set", 1),
    ("ALTER TABLE @ ADD CHECK (m > 7)", "would_fail", "check", 2),
    ("ALTER TABLE @ ADD CONSTRAINT large CHECK (`m` > 7 AND n IS NULL)", "would_fail", "check", 2),
    ("ALTER TABLE @ ADD FOREIGN KEY (p) REFERENCES parent (id)", "would_fail", "orphan", 2),
    ("ALTER TABLE @ ADD CONSTRAINT up FOREIGN KEY (p) REFERENCES `parent` (`id`) ON DELETE CASCADE", "would_fail",
     "orphan", 2),
    ("ALTER TABLE @ CHANGE p Pa INT, ADD FOREIGN KEY (pA) REFERENCES parent (ID)", "would_fail", "orphan", 2),
    ("DROP TABLE @", "destroy", "table", 3),
    ("DROP TABLE IF EXISTS `@` /* gone */", "destroy", "table", 3),
    ("DROP TABLE empty_one, @", "destroy", "table", 3),
    ("DROP TABLE @; CREATE TABLE @ (id INT)", "destroy", "table", 3),
    ("ALTER TABLE @ DROP n", "destroy", "column", 1),
    ("ALTER TABLE @ DROP COLUMN `s`", "destroy", "column", 3),
    ("ALTER TABLE @ DROP n, ADD n INT", "destroy", "column", 1),
    ("ALTER TABLE @ DROP N, ADD n INT", "destroy", "column", 1),
    ("ALTER TABLE @ DROP m, RENAME COLUMN n TO m", "destroy", "column", 3),
    ("TRUNCATE TABLE @", "destroy", "rows", 3),
    ("TRUNCATE @", "destroy", "rows", 3),
    ("DELETE FROM @", "destroy", "rows", 3),
    ("delete from `@` -- all", "destroy", "rows", 3),
    ("UPDATE @ SET n = 1", "destroy", "values", 3),
    ("ALTER TABLE parts DROP PARTITION p0", "destroy", "partition", 2),
    ("ALTER TABLE parts_too TRUNCATE PARTITION p0", "destroy", "rows", 2),
)  # fmt: skip
HARMLESS = (
    "ALTER TABLE @ MODIFY id BIGINT NOT NULL",
    "ALTER TABLE @ ADD UNIQUE (k)",
    "ALTER TABLE @ ADD UNIQUE (m, id)",
    "ALTER TABLE @ MODIFY s VARCHAR(30)",
    "ALTER TABLE @ MODIFY m SMALLINT",
    "ALTER TABLE @ MODIFY e ENUM('c','b','a','d')",
    "ALTER TABLE @ ADD CHECK (m > 6)",
    "ALTER TABLE @ ADD x DATE",
    "ALTER TABLE @ CHANGE n nn INT",
    "ALTER TABLE @ RENAME COLUMN n TO m2, ADD INDEX (m2)",
    "RENAME TABLE @ TO @_old",
    "ALTER TABLE @ RENAME TO @_older, ADD x INT",
    "ALTER TABLE @ CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci",
    "DELETE FROM @ WHERE id > 5",
    "UPDATE @ SET n = 1 WHERE id = 2",
    "DROP TABLE empty_two",
    "DROP VIEW IF EXISTS nothing",
    "ALTER TABLE parts_as_well REORGANIZE PARTITION p0 INTO (PARTITION q0 VALUES LESS THAN (1), "
    "PARTITION q1 VALUES LESS THAN (10))",
)


def fill(database: Database, statements: tuple[str, ...], first: str) -> list[str]:
    """Make a table for each statement; return them with their tables' names."""
    found = []
    for number, statement in enumerate(statements):
        table = f"{first}{number}"
        found.append(statement.replace("@", table))
        database.query(f"CREATE TABLE {table} ({COLUMNS})")
        database.query(f"INSERT INTO {table} VALUES {', '.join(ROWS)}")
    return found


def rehearsed(database: Database, *files: list[str]) -> list[list[dict[str, Any]]]:
    """Write a migration of each list of statements, and return the risks of each."""
    for number, statements in enumerate(files, 1):
        database.write({f"{number:04}_x.up.sql": "\n;\n".join(statements)})
    rehearsal = database.module("apply", check=True, rehearse="check")["rehearsal"]
    found = [(item["why"], item["error"]) for item in rehearsal["migrations"]]
    assert found == [(None, None)] * len(files)
    return [item["risks"] for item in rehearsal["migrations"]]


def test_what_would_fail_or_go_is_counted(there: Database) -> None:
    """Each of the risks, with the number of rows; nothing of what does no harm; and what would fail does."""
    there.query("CREATE TABLE parent (id INT PRIMARY KEY)")
    there.query("INSERT INTO parent VALUES (1)")
    for table in ("empty_one", "empty_two"):
        there.query(f"CREATE TABLE {table} (id INT)")
    for table in ("parts", "parts_too", "parts_as_well"):
        there.query(
            f"CREATE TABLE {table} (id INT PRIMARY KEY) PARTITION BY RANGE (id) "
            "(PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN MAXVALUE)"
        )
        there.query(f"INSERT INTO {table} VALUES (1), (2), (30)")
    risky = fill(there, tuple(risk[0] for risk in RISKS), "r")
    harmless = fill(there, HARMLESS, "h")
    [found] = rehearsed(there, [*harmless, *risky])
    own = {f"r{place}": place for place in range(len(RISKS))}
    own |= {risk[0].split()[2]: place for place, risk in enumerate(RISKS) if "@" not in risk[0]}
    seen = {own[item["table"]]: (item["kind"], item["what"], item["rows"]) for item in found if item["table"] in own}
    assert {place: seen.get(place) for place in range(len(RISKS))} == {
        place: risk[1:] for place, risk in enumerate(RISKS)
    }
    assert [item["text"] for item in found if item["table"] not in own] == []
    assert len(found) == len(RISKS)
    assert all(item["certain"] for item in found), found
    for place, (statement, (_text, kind, _what, _rows)) in enumerate(zip(risky, RISKS)):
        refused = False
        with there.server.connect(there.name) as connection, connection.cursor() as cursor:
            try:
                for part in statement.split("; "):
                    cursor.execute(part)
            except pymysql.MySQLError:
                refused = True
        assert refused == (kind == "would_fail"), (place, statement)


def test_the_case_of_names_does_not_matter_where_the_server_does_not_regard_it(tmp_path: Path, forks: Forks) -> None:
    """Neither in what is emptied, nor in what was renamed or written before."""
    with private_folder("case") as folder, MariaDB(folder, options=["--lower-case-table-names=1"]) as server:
        database = make(server, tmp_path / "migrations", forks)
        one, two, three, four = (f"t{number}" for number in range(4))
        fill(database, ("@", "@", "@", "@"), "T")
        first, second = rehearsed(
            database,
            ["DELETE FROM T0", "RENAME TABLE T1 TO Other", f"UPDATE {three.upper()} SET n = 0 WHERE n IS NULL"],
            ["ALTER TABLE OTHER MODIFY n INT NOT NULL", "ALTER TABLE T2 MODIFY n INT NOT NULL", "DROP TABLE T3",
             "CREATE TABLE t3 (id INT)"],
        )  # fmt: skip
        assert [(item["table"], item["what"], item["rows"], item["certain"]) for item in first] == [
            (one, "rows", 3, True),
        ]
        assert [(item["table"], item["what"], item["rows"], item["certain"]) for item in second] == [
            (four, "table", 3, True),
            (two, "null", 2, True),
            (three, "null", 2, False),
        ]


def test_a_zero_date_is_predicted_where_it_is_refused(there: Database) -> None:
    """MariaDB takes it, MySQL does not."""
    [statement] = fill(there, ("ALTER TABLE @ ADD placed DATE NOT NULL",), "z")
    [found] = rehearsed(there, [statement])
    expected = [] if isinstance(there.server, MariaDB) else [("would_fail", "zero_date", 3)]
    assert [(item["kind"], item["what"], item["rows"]) for item in found] == expected


def test_what_a_statement_before_may_have_fixed_is_not_certain(here: Database) -> None:
    """In the same migration, or in one before it; by the names that the real table has."""
    [one, two, three] = fill(here, ("@", "@", "@"), "t")
    first, second = rehearsed(
        here,
        [f"UPDATE {one} SET n = 0 WHERE n IS NULL", f"ALTER TABLE {one} MODIFY n INT NOT NULL",
         f"RENAME TABLE {two} TO other", "ALTER TABLE other CHANGE n renamed INT"],
        ["ALTER TABLE other MODIFY renamed INT NOT NULL", f"DELETE FROM {three}", f"ALTER TABLE {three} DROP n"],
    )  # fmt: skip
    assert [(item["table"], item["what"], item["certain"]) for item in first] == [(one, "null", False)]
    text = f"{one}: rows with NULL in n, which becomes NOT NULL (1138, 1265): 2"
    assert first[0]["text"] == f"{text}, unless another statement of the plan changes that"
    assert [(item["table"], item["what"], item["name"], item["certain"]) for item in second] == [
        (three, "rows", "", True),
        (two, "null", "n", True),
        (three, "column", "n", False),
    ]


def test_what_a_lenient_server_may_ignore_is_not_certain(here: Database) -> None:
    """What it destroys is, and what it fails on in any sql_mode."""
    [one, two, three] = fill(here, ("@", "@", "@"), "t")
    before, found = rehearsed(
        here,
        [f"ALTER TABLE {one} ADD UNIQUE (m)"],
        ["SET SESSION sql_mode = ''", f"ALTER TABLE {one} MODIFY n INT NOT NULL", f"DROP TABLE {two}",
         f"ALTER TABLE {three} ADD UNIQUE (m)"],
    )  # fmt: skip
    assert [item["certain"] for item in before] == [True]
    assert [(item["what"], item["certain"]) for item in found] == [
        ("table", True), ("null", False), ("duplicate", True)
    ]  # fmt: skip
    assert found[1]["text"].endswith("which becomes NOT NULL (1138, 1265): 2, unless the server accepts them")


def test_risks_are_shown_and_warned_of(here: Database) -> None:
    """Above the file's SQL, and as warnings."""
    [statement] = fill(here, ("DROP TABLE @",), "t")
    here.write({"0001_x.up.sql": statement})
    result = here.module("apply", check=True, diff=True, rehearse="check")
    line = "- **warning** (destroy): the table `t0` with 3 rows is **destroyed** (line 1)"
    assert line in result["diff"]["prepared"].splitlines()
    assert "up 1, destroy: t0: rows lost with the table: 3 (line 1) (DBM-2102)" in result["warnings"]


@contextmanager
def running(database: Database, forks: Forks, **more: Any) -> Iterator[None]:
    """Begin a run that rehearses, and is held up in the real table ``gate``; let it continue afterwards."""
    with database.server.connect(database.name) as connection, connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("UPDATE gate SET n = 1")
        options = database.arguments("apply", {"rehearse": "always", **more})
        forks.begin("migration_apply", {**options, "_ansible_check_mode": False, "_ansible_diff": False})
        processes = f"SELECT 1 FROM information_schema.processlist WHERE db = '{database.name}'"
        waiting = f"{processes} AND info LIKE '%gate SET n%'"
        deadline = time.monotonic() + 30
        while not database.server.query(waiting):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield
        connection.rollback()


def test_rows_that_come_after_the_rehearsal_are_found_before_the_migration(there: Database, forks: Forks) -> None:
    """By the names that the migrations before it have given. It is not run, and the next run continues there."""
    there.query("CREATE TABLE gate (n INT)")
    there.query("INSERT INTO gate VALUES (0)")
    [rename] = fill(there, ("RENAME TABLE @ TO renamed",), "t")
    there.write(
        {
            "0001_x.up.sql": f"{rename};\nALTER TABLE renamed CHANGE id number INT NOT NULL;\nUPDATE gate SET n = 2",
            "0002_x.up.sql": "CREATE TABLE a (id INT)",
            "0003_x.up.sql": "DELETE FROM gate;\n"
            "ALTER TABLE renamed ADD UNIQUE (number, m), MODIFY d DECIMAL(10,2) NOT NULL",
            "0004_x.up.sql": "CREATE TABLE b (id INT)",
        }
    )
    with running(there, forks):
        there.query("INSERT INTO renamed (number, m) VALUES (9, 9)")
    result = forks.result()
    assert result["msg"] == (
        "up 3 was not started, because of rows that the rehearsal did not find: renamed: rows with NULL in d, which "
        "becomes NOT NULL (1138, 1265): 1. The migrations before it are applied. Correct these "
        "rows, or the file, or have the guards allow it, and run again. (DBM-2112)"
    )
    assert [item["version"] for item in result["applied"]] == [1, 2]
    assert result["changed"]
    assert there.state() == [(2, 0)]
    assert there.query("SELECT n FROM gate") == [(2,)]
    there.query("UPDATE renamed SET d = 1 WHERE number = 9")
    result = there.apply(rehearse="always")
    assert [item["version"] for item in result["applied"]] == [3, 4]


def test_rows_that_are_allowed_to_go_may_come_after_the_rehearsal(there: Database, forks: Forks) -> None:
    """By a comment, by the name that its file has, or by the version; others hold the run up if the guard refuses."""
    there.query("CREATE TABLE gate (n INT)")
    there.query("INSERT INTO gate VALUES (0)")
    for name in "abc":
        there.query(f"CREATE TABLE {name} (id INT, note TEXT)")
    there.write(
        {
            "0001_x.up.sql": "RENAME TABLE a TO renamed;\nUPDATE gate SET n = 2 WHERE n < 9",
            "0002_x.up.sql": "SELECT 1;\n-- dbops: allow destroy renamed.note\nALTER TABLE renamed DROP note",
            "0003_x.up.sql": "ALTER TABLE b DROP note",
            "0004_x.up.sql": "-- dbops: allow destroy c.id\nALTER TABLE c DROP note",
        }
    )
    with running(there, forks, guards={"destroy": "refuse"}, allow={"destroy": [3]}):
        for name in ("renamed", "b", "c"):
            there.query(f"INSERT INTO {name} VALUES (1, 'x')")
    result = forks.result()
    assert result["msg"] == (
        "up 4 was not started, because of rows that the rehearsal did not find: c: values lost with the column "
        "note: 1. The migrations before it are applied. Correct these rows, or the file, or "
        "have the guards allow it, and run again. (DBM-2112)"
    )
    assert [item["version"] for item in result["applied"]] == [1, 2, 3]
    assert there.query("SELECT * FROM c") == [(1, "x")]
    # With a guard that only warns, nobody is to be held up.
    there.query("UPDATE c SET note = NULL")
    there.query("UPDATE gate SET n = 0")
    there.write({"0004_x.up.sql": "SELECT 1;\nALTER TABLE c DROP note"})
    assert there.apply(rehearse="always")["applied"][0]["version"] == 4


def test_what_a_migration_before_has_fixed_is_not_a_reason_to_refuse(there: Database) -> None:
    """Nor what the file's own statements fix, in the table itself or in a foreign key's parents."""
    [own, other] = fill(there, ("@", "@"), "t")
    there.query("CREATE TABLE parent (id INT PRIMARY KEY)")
    there.write(
        {
            "0001_x.up.sql": f"UPDATE {own} SET n = 0 WHERE n IS NULL",
            "0002_x.up.sql": f"ALTER TABLE {own} MODIFY n INT NOT NULL",
            "0003_x.up.sql": f"UPDATE {other} SET n = 0 WHERE n IS NULL;\nALTER TABLE {other} MODIFY n INT NOT NULL",
            "0004_x.up.sql": "INSERT INTO parent VALUES (1), (8), (9);\n"
            f"ALTER TABLE {own} ADD FOREIGN KEY (p) REFERENCES parent (id)",
        }
    )
    result = there.apply(rehearse="always")
    assert not result["failed"], result["msg"]
    assert [item["version"] for item in result["applied"]] == [1, 2, 3, 4]


def test_what_a_migration_before_has_left_is_found_before_the_next_one(here: Database) -> None:
    """Also in a table that it has made itself."""
    here.write(
        {
            "0001_x.up.sql": "CREATE TABLE made (id INT, n INT);\nINSERT INTO made VALUES (1, NULL), (2, NULL)",
            "0002_x.up.sql": "ALTER TABLE made MODIFY n INT NOT NULL",
        }
    )
    # The copies have its rows, too: it is found there.
    message = here.refusal(rehearse="always")
    fails = "up 2, would_fail: it fails on copies of the tables: 0002_x.up.sql:1 (statement 1): (1265) "
    assert message.startswith(f"The guards refuse this plan: {fails}")
    here.query("CREATE TABLE source (id INT, n INT)")
    here.query("INSERT INTO source VALUES (1, NULL)")
    here.write({"0001_x.up.sql": "CREATE TABLE made (id INT, n INT);\nINSERT INTO made SELECT * FROM source"})
    assert here.refusal(rehearse="always").startswith(
        "up 2 was not started, because of rows that the rehearsal did not find: made: rows with NULL in n, which "
        "becomes"
    )
    assert here.state() == [(1, 0)]
