# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the names of a directory's files alone show."""

from __future__ import annotations

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._migration.check.names import judge


def findings(*names: str) -> list[tuple[str, str, str]]:
    return [(name, rule.name, found.what) for name, rule, found in judge(names)]


def pairs(*versions: int | str) -> list[str]:
    return [f"{version}_x.{direction}.sql" for version in versions for direction in ("up", "down")]


@pytest.mark.parametrize(
    "names",
    [
        [],
        ["README.md", ".gitkeep", "notes.txt"],
        pairs("0001", "0002", "0003"),
        [*pairs(1), "seed.sql"],
        pairs(10, 20, 30, 40),
        pairs(20260101120000, 20260102120000, 20260102120001, 20260103120000),
        pairs(1764288000, 1764288001, 1764374400),
        pairs(7, 8, 9),
        pairs(1, 2, 3, 20260101120000, 20260301120000),
        pairs(1, 5),
    ],
)
def test_names_that_are_as_they_should_be(names: list[str]) -> None:
    assert findings(*names) == []


def test_gaps_where_versions_follow_each_other() -> None:
    assert findings(*pairs(1, 2, 3, 5, 6, 10)) == [
        ("5_x.down.sql", "gap", "Version 4 has no file."),
        ("10_x.down.sql", "gap", "Versions 7 to 9 have no files."),
    ]


def test_a_version_used_twice() -> None:
    found = findings("0002_a.up.sql", "0002_a.down.sql", "2_b.up.sql")
    assert found == [("2_b.up.sql", "duplicate_version", "Version 2 is used twice: 0002_a.up.sql is its up file, too.")]
    assert [name for name, _rule, _what in findings("1_a.up.sql", "1_b.up.sql", "1_c.up.sql", "1_a.down.sql")] == [
        "1_b.up.sql",
        "1_c.up.sql",
    ]


def test_files_that_are_missing() -> None:
    assert findings("1_a.up.sql", "2_b.down.sql") == [
        ("1_a.up.sql", "no_down_file", "Version 1 has no down file."),
        ("2_b.down.sql", "no_up_file", "Version 2 has no up file."),
    ]


def test_two_files_that_hardly_belong_together() -> None:
    [(name, rule, what)] = findings("0002_a.up.sql", "0002_b.down.sql")
    assert (name, rule) == ("0002_b.down.sql", "titles_differ")
    assert what == "The up file of version 2, 0002_a.up.sql, has another title."


@pytest.mark.parametrize(
    "name", ["0003_x.sql", "0003_x.dow.sql", "0003_x.UP.sql", "0003-x.up.sql", "V3__x.sql", "3.up.sql"]
)
def test_names_that_are_almost_those_of_migrations(name: str) -> None:
    [(found, rule, what)] = findings(*pairs(1), name)
    assert (found, rule) == (name, "not_a_migration")
    assert what.startswith("It looks like a migration and is skipped: a migration is called VERSION_TITLE.up.sql")


def test_where_there_is_no_migration_all_sql_is_meant_as_one() -> None:
    assert [(name, rule) for name, rule, _what in findings("seed.sql", "README")] == [("seed.sql", "not_a_migration")]


def test_versions_that_are_too_large() -> None:
    [(_name, rule, what), *_more] = findings("9223372036854775808_x.up.sql")
    assert (rule, what) == (
        "version_too_large",
        "Version 9223372036854775808 is larger than the state table's BIGINT can hold.",
    )
    [(_name, rule, what)] = findings(*pairs(1), "18446744073709551616_x.up.sql")
    assert rule == "not_a_migration"
    assert "64 bits" in what


def test_a_migration_that_is_not_sql_by_its_name() -> None:
    assert ("1_x.up.sql.orig", "not_sql") in [(name, rule) for name, rule, _what in findings("1_x.up.sql.orig")]
    assert findings("1_x.up.SQL", "1_x.down.SQL") == []
