# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that take effect as a whole or not at all, and tables that know no such thing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from integration.migration.support import Database, make
from parts.mariadb import DatabaseServer

ATOMIC = "-- Fix the totals.\n\n-- dbops: all-or-nothing\n"


@pytest.fixture
def schema(server: DatabaseServer, tmp_path: Path, run_module: Any) -> Iterator[Database]:
    """A schema on each server, with a table a of one row."""
    database = make(server, tmp_path / "migrations", run_module)
    database.write({"1_a.up.sql": "CREATE TABLE a (i INT); INSERT INTO a VALUES (1)"})
    database.apply()
    yield database
    server.query(f"DROP DATABASE IF EXISTS `{database.name}`")


def test_all_of_a_file_is_one_transaction(schema: Database) -> None:
    schema.write({"2_b.up.sql": f"{ATOMIC}INSERT INTO a VALUES (2);\nINSERT INTO a VALUES (3);\nSELECT nothing;\n"})
    result = schema.apply()
    assert "2_b.up.sql:6:1: statement 3 failed: (1054)" in result["msg"]
    assert "None of its statements is done. The database is now at version 1, clean." in result["msg"]
    assert (result["dirty"], result["to_version"]) == (False, 1)
    assert (schema.state(), schema.query("SELECT i FROM a")) == ([(1, 0)], [(1,)])
    schema.write({"2_b.up.sql": f"{ATOMIC}UPDATE a SET i = 4;\nINSERT INTO a VALUES (3);"})
    schema.write({"3_c.up.sql": "CREATE TABLE c (i INT)"})
    assert [item["statements"] for item in schema.apply()["applied"]] == [2, 1]
    assert (schema.state(), schema.query("SELECT i FROM a")) == ([(3, 0)], [(4,), (3,)])


def test_golang_migrate_runs_such_a_file(schema: Database, golang_migrate: Path) -> None:
    schema.write({"2_b.up.sql": f"{ATOMIC}UPDATE a SET i = 4;\nINSERT INTO a VALUES (3);"})
    assert "2/u b" in schema.golang("up")
    assert schema.query("SELECT i FROM a") == [(4,), (3,)]


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE b (i INT)",
        "COMMIT",
        "SET autocommit = 0",
        "CALL p()",
        "LOCK TABLES a WRITE",
        "INSERT INTO m VALUES (1)",
    ],
)
def test_what_cannot_be_undone_is_refused(schema: Database, statement: str) -> None:
    schema.query("CREATE TABLE m (i INT) ENGINE=MyISAM")
    schema.write({"2_b.up.sql": f"{ATOMIC}INSERT INTO a VALUES (2); {statement}"})
    for check in (True, False):
        message = schema.module("apply", check=check)["msg"]
        assert message == (
            "2_b.up.sql:4:27: the file asks to be all-or-nothing, but statement 2 cannot be rolled back for certain: "
            "only statements that change rows of transactional tables can. Nothing of the file took effect. The "
            f"statement: {statement} (DBM-1807)"
        )
    assert (schema.state(), schema.query("SELECT i FROM a")) == ([(1, 0)], [(1,)])


def test_it_needs_the_history(schema: Database) -> None:
    schema.write({"2_b.up.sql": f"{ATOMIC}INSERT INTO a VALUES (2)"})
    assert "2_b.up.sql asks to be all-or-nothing, which needs the history" in schema.refusal(history_table="")


@pytest.mark.parametrize("through", ["m", "v", "t"])
def test_rows_that_stay_after_a_failure_lead_to_a_question(schema: Database, through: str) -> None:
    schema.write(
        {
            "2_m.up.sql": "CREATE TABLE m (i INT PRIMARY KEY) ENGINE=MyISAM; CREATE VIEW v AS SELECT i FROM m; "
            "CREATE TABLE t (i INT); CREATE TRIGGER tt BEFORE INSERT ON t FOR EACH ROW INSERT INTO m VALUES (NEW.i);",
            "3_n.up.sql": f"INSERT INTO a VALUES (5); INSERT INTO {through} VALUES (7), (8), (7), (9)",
        }
    )
    result = schema.apply()
    assert "3_n.up.sql:1:27: statement 2 failed: (1062)" in result["msg"]
    assert (
        "Statement 2 may have taken effect before it failed. Check what it changes, then run again with resume_from: "
        "2 if it took no effect, or resume_from: 3 if it did."
    ) in result["msg"]
    assert result["in_doubt"] == {"first": 2, "last": 2}
    assert schema.query("SELECT i FROM m ORDER BY i") == [(7,), (8,)]
    question = schema.apply()
    assert question["msg"] == (
        "3_n.up.sql:1:27: statement 2 was running when an earlier run failed, and the server does not show whether "
        "it took effect. Check what it changes, then run again with resume_from: 2 if it took no effect, or "
        f"resume_from: 3 if it did. Nothing was changed. Statement 2: INSERT INTO {through} VALUES (7), (8), (7), (9) "
        "(DBM-1911)"
    )
    assert (question["failed"], question["in_doubt"]) == (True, {"first": 2, "last": 2})
    assert [item["version"] for item in schema.apply(resume_from=3)["applied"]] == [3]
    assert (schema.state(), schema.query("SELECT i FROM a")) == ([(3, 0)], [(1,), (5,)])
