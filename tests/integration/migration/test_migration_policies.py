# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that were changed, skipped, or are gone: what is said, what is done, and when nothing is."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from integration.migration.support import Database

HISTORY = "schema_migrations_history"
BAD = "SELECT no_such_column;"


def table(number: int) -> dict[str, str]:
    """Return the files of one version."""
    return {
        f"{number}_m.up.sql": f"CREATE TABLE t{number} (i INT);",
        f"{number}_m.down.sql": f"DROP TABLE t{number};",
    }


@pytest.fixture
def here(here: Database) -> Database:
    """A schema at version 3, to which nobody has applied a version 2 that is there now."""
    here.write({**table(1), **table(3)})
    assert here.apply()["to_version"] == 3
    here.write(table(2))
    return here


@pytest.fixture
def empty(there: Database) -> Database:
    """An empty schema on each server, and two migrations."""
    there.write({**table(1), **table(2)})
    return there


def rows(database: Database, columns: str = "version, direction, leads_to, outcome") -> list[tuple[Any, ...]]:
    return database.query(f"SELECT {columns} FROM {HISTORY} ORDER BY id")


def everything(database: Database) -> tuple[Any, ...]:
    return database.snapshot(), rows(database, "*")


def versions(result: dict[str, Any], key: str = "applied") -> list[int]:
    assert not result["failed"], result["msg"]
    return [item["version"] for item in result[key]]


def warnings(result: dict[str, Any]) -> list[str]:
    """Return the warnings of a run that has not failed; one that has returns none."""
    assert not result["failed"], result["msg"]
    return list(result["warnings"])


def test_out_of_order_fails(here: Database) -> None:
    before = everything(here)
    here.write(table(4))
    result = here.apply()
    assert result["msg"] == (
        "Never applied, and below the current version 3: version 2. golang-migrate would silently skip that. Give "
        "new migrations a version above the current one; or set out_of_order to apply, which runs them now, or to "
        "ignore. Nothing was run. (DBM-1628)"
    )
    assert (result["failed"], result["out_of_order"]) == (True, [2])
    assert here.refusal(check=True) == here.refusal(target="4") == here.refusal(steps=1) == result["msg"]
    assert everything(here) == before


def test_many_out_of_order(here: Database) -> None:
    here.write({**table(20), "20_m.up.sql": "SELECT 1"})
    here.apply(out_of_order="ignore")
    for number in range(10, 17):
        here.write(table(number))
    result = here.apply()
    assert result["msg"].startswith(
        "Never applied, and below the current version 20: version 2, 10, 11, 12, 13 and 3 more. "
    )
    assert result["out_of_order"] == [2, *range(10, 17)]


def test_out_of_order_is_ignored(here: Database) -> None:
    assert here.apply(out_of_order="ignore")["changed"] is False
    here.write(table(4))
    result = here.apply(out_of_order="ignore")
    assert (versions(result), result["warnings"]) == ([4], [])
    assert (here.state(), here.tables()) == ([(4, 0)], {"t1", "t3", "t4"})
    assert here.apply()["out_of_order"] == [2]


@pytest.mark.usefixtures("golang_migrate")
def test_out_of_order_is_applied(here: Database) -> None:
    here.write(table(4))
    plan = here.apply(check=True, out_of_order="apply")
    assert (versions(plan, "pending"), plan["to_version"]) == ([2, 4], 4)
    result = here.apply(out_of_order="apply")
    assert versions(result) == [2, 4]
    assert (result["from_version"], result["to_version"], result["pending"]) == (3, 4, [])
    [warning] = result["warnings"]
    assert warning == (
        "Applied although below the current version 3: version 2. golang-migrate treats that as applied, too, "
        "and will roll it back in the order of the versions. (DBM-1629)"
    )
    assert plan["warnings"] == [warning]
    assert rows(here)[2:] == [(2, "up", 3, "applied"), (4, "up", 4, "applied")]
    assert here.golang("version").strip() == "4"
    assert here.golang("up").strip() == "no change"
    assert here.apply()["changed"] is False
    assert "4/d m" in here.golang("down", "1")
    assert "3/d m" in here.golang("down", "1")
    assert "2/d m" in here.golang("down", "1")
    assert (here.state(), here.tables()) == ([(1, 0)], {"t1"})


@pytest.mark.usefixtures("golang_migrate")
def test_out_of_order_is_all_there_is(here: Database) -> None:
    plan = here.apply(out_of_order="apply", check=True)
    assert plan["msg"] == (
        f"{here.name}: check mode, nothing was changed; it would apply late migration 2, still at version 3"
    )
    result = here.apply(out_of_order="apply")
    assert (versions(result), result["changed"], result["to_version"]) == ([2], True, 3)
    assert result["msg"] == f"{here.name}: late migration 2 applied, still at version 3"
    assert (here.state(), here.tables()) == ([(3, 0)], {"t1", "t2", "t3"})
    assert here.golang("version").strip() == "3"
    assert "3/d m" in here.golang("down", "1")
    assert here.golang("version").strip() == "2"
    assert versions(here.apply(history_ahead="ignore")) == [3]


def test_what_was_applied_out_of_order_is_undone_in_order(here: Database) -> None:
    here.apply(out_of_order="apply")
    assert versions(here.apply(target="1", allow_down=True)) == [3, 2]
    assert versions(here.apply()) == [2, 3]


@pytest.mark.usefixtures("golang_migrate")
def test_out_of_order_fails_and_is_resumed(here: Database) -> None:
    good = "CREATE TABLE t2 (i INT);\nINSERT INTO t2 VALUES (1);\n"
    here.write({**table(4), "2_m.up.sql": good + BAD})
    result = here.apply(out_of_order="apply")
    assert (result["failed"], result["to_version"], result["dirty"]) == (True, 3, True)
    assert result["msg"].startswith("2_m.up.sql:3:1: statement 3 failed")
    assert here.state() == [(3, 1)]
    assert here.golang("version").strip() == "3 (dirty)"
    here.write({"2_m.up.sql": good})
    result = here.apply()
    assert (versions(result), result["resumed"]) == ([2, 4], {"version": 2, "statement": 3})
    assert (here.state(), here.query("SELECT * FROM t2")) == ([(4, 0)], [(1,)])
    assert rows(here)[2:] == [(2, "up", 3, "failed"), (2, "up", 3, "applied"), (4, "up", 4, "applied")]
    assert here.apply()["changed"] is False


def test_out_of_order_fails_and_another_one_waits(here: Database) -> None:
    here.write({**table(0), "2_m.up.sql": BAD})
    assert here.apply(out_of_order="apply")["failed"]
    assert rows(here)[2:] == [(0, "up", 3, "applied"), (2, "up", 3, "failed")]
    here.write({**table(2), "1_m.up.sql": "CREATE TABLE t1 (i INT)"})
    assert versions(here.apply()) == [2]
    assert here.tables() == {"t0", "t1", "t2", "t3"}


def test_what_arrives_below_while_a_file_is_interrupted(here: Database) -> None:
    here.write({"4_m.up.sql": BAD})
    assert here.apply(out_of_order="ignore")["failed"]
    here.write(table(4))
    assert here.apply()["out_of_order"] == [2]
    assert here.state() == [(4, 1)]
    assert versions(here.apply(out_of_order="apply")) == [4, 2]
    assert here.state() == [(4, 0)]


def test_a_dirty_database_is_refused_for_that(here: Database) -> None:
    here.write({"4_m.up.sql": BAD})
    assert here.apply(out_of_order="ignore")["failed"]
    for policy in ("fail", "ignore", "apply"):
        assert here.refusal(resume=False, out_of_order=policy).startswith("The database is dirty: an earlier run")


@pytest.mark.parametrize("way", [{"steps": -1}, {"target": "1"}, {"target": "none"}])
def test_a_rollback_asks_for_no_order_and_no_checksums(here: Database, way: dict[str, Any]) -> None:
    here.write({"1_m.up.sql": "SELECT 'changed'", "2_m.down.sql": "SELECT 1"})
    result = here.apply(**way, allow_down=True, checksums="fail")
    assert (result["failed"], result["warnings"]) == (False, [])


def test_nothing_is_out_of_order_on_an_empty_schema(empty: Database) -> None:
    assert versions(empty.apply()) == [1, 2]
    assert empty.apply(checksums="fail")["changed"] is False


@pytest.mark.usefixtures("golang_migrate")
@pytest.mark.parametrize("pending", [True, False])
def test_a_database_of_golang_migrates_has_nothing_out_of_order(empty: Database, pending: bool) -> None:
    empty.golang("up")
    (empty.directory / "1_m.up.sql").write_text("SELECT 'changed'")
    if pending:
        empty.write(table(3))
    result = empty.apply(checksums="fail")
    assert (versions(result), result["warnings"]) == ([3] if pending else [], [])
    empty.write(table(4))
    assert versions(empty.apply()) == [4]
    if pending:
        empty.write({"0_m.up.sql": "SELECT 1"})
        assert empty.apply()["out_of_order"] == [0]


@pytest.mark.usefixtures("golang_migrate")
def test_what_golang_migrate_passed_is_treated_as_applied(here: Database) -> None:
    """It went up from 3, so that 2 is still one that nobody ran."""
    here.write({**table(4), **table(5)})
    here.golang("up")
    assert here.apply()["out_of_order"] == [2]
    assert versions(here.apply(out_of_order="apply")) == [2]
    assert here.apply()["changed"] is False
    assert rows(here)[2:] == [(5, "external", 5, "applied"), (2, "up", 5, "applied")]


def test_a_baseline_has_nothing_out_of_order(empty: Database) -> None:
    empty.module("force", version="2")
    empty.write(table(3))
    assert versions(empty.apply(checksums="fail")) == [3]
    empty.write({"0_m.up.sql": "SELECT 1"})
    assert empty.apply()["out_of_order"] == [0]


def test_force_treats_what_is_below_as_applied(here: Database) -> None:
    here.module("force", version="1")
    here.query("DROP TABLE t3")
    here.module("force", version="2")
    assert versions(here.apply()) == [3]
    here.write({"0_m.up.sql": "SELECT 1"})
    assert here.apply()["out_of_order"] == [0]


@pytest.mark.usefixtures("golang_migrate")
@pytest.mark.parametrize("by", ["ours", "golang"])
def test_force_treats_what_is_below_as_applied_on_the_same_commit(empty: Database, by: str) -> None:
    empty.write(table(3))
    empty.apply(commit="c", target="2")
    empty.module("force", version="1")
    empty.module("force", version="2") if by == "ours" else empty.golang("force", "2")
    assert versions(empty.apply(commit="c")) == [3]
    result = empty.apply(commit="d")
    assert not result["failed"], result["msg"]


def test_no_file_but_one_that_undoes(here: Database) -> None:
    (here.directory / "2_m.up.sql").unlink()
    assert here.apply()["changed"] is False


def test_a_file_that_was_changed(here: Database) -> None:
    (here.directory / "2_m.up.sql").unlink()
    # What the server sees is the same.
    here.write({"1_m.up.sql": "CREATE TABLE t1 (i INT); -- changed"})
    before = everything(here)
    text = "Changed since applied: 1_m.up.sql. What was applied is not what the directory has now."
    result = here.apply(checksums="fail")
    assert result["msg"] == (
        f"{text} Restore its original content and put the change into a new migration, or set checksums to warn. "
        "Nothing was run. (DBM-1625)"
    )
    assert (result["failed"], result["changed_files"]) == (True, ["1_m.up.sql"])
    assert here.refusal(checksums="fail", check=True) == result["msg"]
    assert everything(here) == before
    assert warnings(here.apply()) == [f"{text} (DBM-1626)"]
    assert warnings(here.apply(checksums="warn", check=True)) == [f"{text} (DBM-1626)"]
    assert warnings(here.apply(checksums="ignore")) == []
    here.write(table(1))
    assert warnings(here.apply(checksums="fail")) == []


def test_files_that_were_changed_do_not_keep_others_back(here: Database) -> None:
    here.write({"1_m.up.sql": "SELECT 1", "3_m.up.sql": "SELECT 3", **table(4)})
    result = here.apply(out_of_order="ignore")
    assert (versions(result), len(result["warnings"])) == ([4], 1)
    assert result["warnings"][0].startswith("Changed since applied: 1_m.up.sql, 3_m.up.sql.")


def test_a_file_that_undoes_may_be_changed(here: Database) -> None:
    here.write({"3_m.down.sql": "DROP TABLE IF EXISTS t3"})
    assert here.apply(checksums="fail", out_of_order="ignore")["failed"] is False


def test_a_file_may_be_renamed(here: Database) -> None:
    (here.directory / "1_m.up.sql").rename(here.directory / "0001_other.up.sql")
    (here.directory / "1_m.down.sql").unlink()
    assert warnings(here.apply(checksums="fail", out_of_order="ignore")) == []


def test_what_was_undone_and_applied_again_is_what_counts(here: Database) -> None:
    here.apply(steps=-1, allow_down=True)
    here.write({"3_m.up.sql": "CREATE TABLE t3 (j INT)", "2_m.up.sql": "SELECT 2"})
    here.apply(target="3", out_of_order="ignore")
    assert warnings(here.apply(checksums="fail", out_of_order="ignore")) == []


def test_a_file_that_was_corrected_is_known_as_it_is_now(here: Database) -> None:
    good = "CREATE TABLE t4 (i INT);\nINSERT INTO t4 VALUES (1);\n"
    here.write({"4_m.up.sql": good + BAD})
    assert here.apply(out_of_order="ignore")["failed"]
    here.write({"4_m.up.sql": good})
    here.apply(out_of_order="ignore")
    assert rows(here, "checksum")[-1] == (hashlib.sha256(good.encode()).hexdigest(),)
    assert warnings(here.apply(out_of_order="ignore", checksums="fail")) == []
    here.write({"4_m.up.sql": good + BAD})
    assert here.apply(out_of_order="ignore", checksums="fail")["changed_files"] == ["4_m.up.sql"]


def test_a_file_that_cannot_be_read(here: Database) -> None:
    (here.directory / "1_m.up.sql").unlink()
    (here.directory / "1_m.up.sql").symlink_to("/nowhere")
    assert here.refusal() == f"{here.directory}/1_m.up.sql cannot be read: No such file or directory. (DBM-1606)"


def test_a_file_that_is_gone(here: Database) -> None:
    for way in ("up", "down"):
        (here.directory / f"1_m.{way}.sql").unlink()
    text = "No file has version 1, which the history says was applied. (DBM-1627)"
    for policy in ("fail", "warn", "ignore"):
        assert warnings(here.apply(out_of_order="ignore", checksums=policy)) == [text]
    assert here.state() == [(3, 0)]


def few_files(database: Database) -> None:
    """Change one file and take another one away."""
    database.write({"3_m.up.sql": "SELECT 'changed'"})
    for way in ("up", "down"):
        (database.directory / f"1_m.{way}.sql").unlink()


def test_a_commit_that_was_applied_last_is_not_compared_again_as_it_cannot_have_changed(here: Database) -> None:
    (here.directory / "2_m.up.sql").unlink()
    here.write(table(4))
    here.apply(commit="c")
    few_files(here)
    assert warnings(here.apply(commit="c")) == []
    for commit in ("d", None):
        assert len(warnings(here.apply(commit=commit))) == 2
    # Another policy wants to know all the same.
    assert here.apply(commit="c", checksums="fail")["changed_files"] == ["3_m.up.sql"]


def test_a_commit_that_was_not_applied_last_is_compared(here: Database) -> None:
    (here.directory / "2_m.up.sql").unlink()
    here.write(table(4))
    here.apply(commit="c")
    here.write(table(5))
    here.apply(commit="d")
    few_files(here)
    assert here.apply(commit="c", checksums="fail")["changed_files"] == ["3_m.up.sql"]
    here.apply(commit="d", steps=-1, allow_down=True)
    here.apply(commit="d", steps=-1, allow_down=True)
    assert here.apply(commit="e", checksums="fail", target="3")["changed_files"] == ["3_m.up.sql"]


def test_what_was_skipped_at_a_commit_can_still_be_applied(here: Database) -> None:
    here.write(table(4))
    here.apply(commit="c", out_of_order="ignore")
    assert versions(here.apply(commit="c", out_of_order="apply")) == [2]


def test_what_was_warned_of_at_a_commit_can_still_be_refused(here: Database) -> None:
    here.write({**table(4), "1_m.up.sql": "SELECT 'changed'"})
    assert len(here.apply(commit="c", out_of_order="ignore")["warnings"]) == 1
    assert here.apply(commit="c", out_of_order="ignore", checksums="fail")["failed"]


def test_without_the_history_nothing_is_known(here: Database) -> None:
    few_files(here)
    before = rows(here, "*")
    result = here.apply(history_table="", checksums="fail", out_of_order="fail")
    assert (result["changed"], result["warnings"]) == (False, [])
    here.write(table(4))
    assert versions(here.apply(history_table="", checksums="fail", out_of_order="apply")) == [4]
    assert rows(here, "*") == before


def test_two_state_tables_in_one_schema(here: Database, tmp_path: Path) -> None:
    """In golang-migrate's way, with x-migrations-table."""
    (here.directory / "2_m.up.sql").unlink()
    other = {"migrations_table": "other", "directory": str(tmp_path)}
    (tmp_path / "1_other.up.sql").write_text("SELECT 1")
    assert versions(here.apply(**other)) == [1]
    assert warnings(here.apply(checksums="fail")) == []
