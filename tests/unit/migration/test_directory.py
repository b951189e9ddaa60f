# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which files are migrations, and which only look so."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._core.errors import Error
from ansible_collections.dbops.migrations.plugins.module_utils._migration.files.directory import (
    parse_names,
    read_directory,
    read_source,
)
from ansible_collections.dbops.migrations.plugins.module_utils._migration.model import Migration


def test_files_of_one_version_make_one_migration() -> None:
    source = parse_names("d", ["0002_b.up.sql", "0001_a.up.sql", "0001_other.down.sql"])
    assert source.migrations == (
        Migration(1, "a", "0001_a.up.sql", "0001_other.down.sql"),
        Migration(2, "b", "0002_b.up.sql", None),
    )
    assert source.warnings == ()


@pytest.mark.parametrize("name", ["1_.up.sql", "007_a.b.c.up.sql", "18446744073709551615_x.down.sql", "0_zero.up.sql"])
def test_odd_names_that_golang_migrate_accepts(name: str) -> None:
    assert len(parse_names("d", [name]).migrations) == 1


def test_title_takes_as_much_as_it_can() -> None:
    [migration] = parse_names("d", ["1_a.down.up.up.sql"]).migrations
    assert (migration.title, migration.up, migration.down) == ("a.down.up", "1_a.down.up.up.sql", None)


@pytest.mark.parametrize("name", ["README.md", "seed.sql", "notes_1.txt", ".gitkeep", "1.up.sql.d", "run1_x.up.sql"])
def test_other_files_are_silently_ignored(name: str) -> None:
    source = parse_names("d", [name])
    assert (source.migrations, source.warnings) == ((), ())


@pytest.mark.parametrize(
    "name",
    ["0003_x.sql", "0003_x.dow.sql", "0003_x.UP.sql", "0003-x.up.sql", "V3__x.sql", "3.up.sql", "0003_x.up"],
)
def test_a_name_that_means_a_migration_and_is_none_is_warned_of(name: str) -> None:
    source = parse_names("d", [name])
    assert source.migrations == ()
    [warning] = source.warnings
    assert warning.startswith(f"{name} is not a migration and is skipped: a migration is called VERSION_TITLE.up.sql")


def test_a_version_beyond_64_bits_is_warned_of() -> None:
    [warning] = parse_names("d", ["18446744073709551616_x.up.sql"]).warnings
    assert "larger than 64 bits can hold" in warning


def test_another_extension_counts_and_is_warned_of() -> None:
    source = parse_names("d", ["1_x.up.sql.bak"])
    assert len(source.migrations) == 1
    assert source.warnings == (
        "1_x.up.sql.bak counts as a migration although it does not end in .sql (golang-migrate runs it too). "
        "(DBM-1605)",
    )


def test_two_files_of_one_version_and_direction_are_refused() -> None:
    with pytest.raises(Error, match=r"Two files are the up migration of version 1: 01_b.up.sql and 1_a.up.sql in d\."):
        parse_names("d", ["1_a.up.sql", "01_b.up.sql"])


def test_subdirectories_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "1_x.up.sql").mkdir()
    (tmp_path / "2_y.up.sql").touch()
    assert [migration.version for migration in read_source(str(tmp_path)).migrations] == [2]


def test_a_directory_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(Error, match=r"cannot be read: No such file or directory\. Check the option directory"):
        read_source(str(tmp_path / "missing"))


def test_many_files_with_the_same_fault_are_one_warning() -> None:
    names = [f"20191100000001{number:06}_a.up.sql" for number in range(212)]
    source = parse_names("d", [*names, "1_x.up.sql", "x.txt", "1_x.UP.sql", "2_y.up.sql.bak", "3_z.up.sql~"])
    assert len(source.migrations) == 3
    assert source.warnings == (
        "1_x.UP.sql is not a migration and is skipped: a migration is called VERSION_TITLE.up.sql or "
        "VERSION_TITLE.down.sql, in lower case. (DBM-1604)",
        "20191100000001000000_a.up.sql and 211 more are not migrations and are skipped: their version is larger than "
        "64 bits can hold. (DBM-1604)",
        "2_y.up.sql.bak and 1 more count as migrations although they do not end in .sql (golang-migrate runs them "
        "too). (DBM-1605)",
    )


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["V1__x.sql"], ": V1__x.sql. A migration is called VERSION_TITLE.up.sql or VERSION_TITLE.down.sql, in lower"),
        (["1_x.UP.sql", "README.md"], ": 1_x.UP.sql. A migration is called"),
        (["schema.sql"], ": schema.sql. A migration is called"),
        (["20191100000001000000_a.up.sql"], "_a.up.sql. A version is at most 18446744073709551615, which is 64 bits."),
        (
            [f"V{number}__x.sql" for number in range(9)],
            ": V0__x.sql, V1__x.sql, V2__x.sql, V3__x.sql, V4__x.sql and 4 more. A migration",
        ),
    ],
)
def test_a_directory_in_which_no_file_can_be_used(tmp_path: Path, names: list[str], words: str) -> None:
    for name in names:
        (tmp_path / name).touch()
    with pytest.raises(Error) as refusal:
        read_source(str(tmp_path))
    assert f"No file in {tmp_path} can be used as a migration" in str(refusal.value)
    assert words in str(refusal.value)
    assert read_directory(str(tmp_path)).migrations == ()


@pytest.mark.parametrize("names", [[], ["README.md", ".gitkeep", "notes.txt"]])
def test_a_directory_without_migrations_yet(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        (tmp_path / name).touch()
    assert read_source(str(tmp_path)).migrations == ()
