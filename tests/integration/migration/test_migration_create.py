# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""migration_create makes files that both programs take for a migration, above all others, and overwrites none."""

from __future__ import annotations

import re
import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._core.errors import Error
from ansible_collections.dbops.migrations.plugins.module_utils._migration.files.directory import read_source
from ansible_collections.dbops.migrations.plugins.modules.migration_create import write
from integration.migration.support import Database

if TYPE_CHECKING:
    from conftest import RunModule

HIGHEST = 2**63 - 1


class Directory:
    """A directory of migrations that the module works on."""

    def __init__(self, path: Path, run_module: RunModule) -> None:
        self.path = path
        self._run_module = run_module

    def create(self, title: str, check: bool = False, diff: bool = False, **options: Any) -> dict[str, Any]:
        arguments = {"directory": str(self.path), "title": title, **options}
        result = self._run_module("migration_create", arguments, check, diff)
        assert "Traceback" not in str(result)
        return result

    def refusal(self, title: str, **options: Any) -> str:
        """Return the message of a run that fails, as it does in check mode."""
        before = self.names()
        result = self.create(title, **options)
        assert result["failed"]
        assert self.create(title, check=True, **options) == result
        assert self.names() == before
        message: str = result["msg"]
        return message

    def names(self) -> list[str]:
        return sorted(path.name for path in self.path.iterdir()) if self.path.is_dir() else []

    def write(self, *names: str) -> None:
        self.path.mkdir(exist_ok=True)
        for name in names:
            (self.path / name).write_text(name)


@pytest.fixture
def directory(tmp_path: Path, run_module: RunModule) -> Directory:
    """A directory that does not exist yet."""
    return Directory(tmp_path / "db" / "migrations", run_module)


def test_the_first_one(directory: Directory) -> None:
    result = directory.create("add email to users")
    files = ["000001_add_email_to_users.up.sql", "000001_add_email_to_users.down.sql"]
    assert result["files"] == [str(directory.path / name) for name in files]
    assert (result["changed"], result["version"], result["title"]) == (True, 1, "add_email_to_users")
    assert result["msg"] == f"{directory.path} has the new migration 000001_add_email_to_users"
    assert [(directory.path / name).read_text() for name in files] == [
        "-- Write the SQL statements of 000001_add_email_to_users here, each ending with a semicolon.\n",
        "-- Write the SQL statements that undo 000001_add_email_to_users here, each ending with a semicolon.\n",
    ]


def test_a_second_run_changes_nothing(directory: Directory) -> None:
    first = directory.create("add email")
    path = Path(first["files"][0])
    path.write_text("SELECT 1;")
    for check in (True, False):
        again = directory.create(" add\temail ", check=check)
        assert again["changed"] is False
        assert [again[key] for key in ("version", "title", "files")] == [
            first[key] for key in ("version", "title", "files")
        ]
        assert again["msg"] == f"{directory.path} has the migration 000001_add_email.up.sql already"
    assert path.read_text() == "SELECT 1;"
    assert len(directory.names()) == 2
    # Further down it is another migration that happens to do the same.
    directory.create("drop email")
    assert directory.create("add email")["version"] == 3


def test_the_half_of_a_pair_is_left_as_it_is(directory: Directory) -> None:
    directory.path.parent.mkdir()
    directory.write("3_only_up.up.sql")
    assert directory.create("only up")["files"] == [str(directory.path / "3_only_up.up.sql")]
    directory.write("4_only_down.down.sql")
    assert directory.create("only down")["files"] == [str(directory.path / "4_only_down.down.sql")]
    assert directory.create("next")["version"] == 5


@pytest.mark.parametrize(
    ("present", "options", "number"),
    [
        (["1_a.up.sql"], {}, "2"),
        (["9_a.up.sql"], {}, "10"),
        (["0009_a.up.sql"], {}, "0010"),
        (["0009_a.down.sql"], {}, "0010"),
        (["9_a.up.sql", "10_b.up.sql"], {}, "11"),
        (["0009_a.up.sql"], {"digits": 6}, "000010"),
        (["0099_a.up.sql"], {"digits": 1}, "100"),
        ([], {"digits": 3}, "001"),
        ([], {"digits": 19}, "0000000000000000001"),
        (["notes.txt", "7_sub.up"], {}, "000001"),
        (["20260101120000_a.up.sql"], {}, "20260101120001"),
        ([f"{HIGHEST - 1}_a.up.sql"], {}, str(HIGHEST)),
    ],
)
def test_the_next_number(directory: Directory, present: list[str], options: dict[str, Any], number: str) -> None:
    directory.path.mkdir(parents=True)
    directory.write(*present)
    result = directory.create("next", **options)
    assert Path(result["files"][0]).name == f"{number}_next.up.sql"
    assert result["version"] == int(number)


def test_a_timestamp_is_the_time_in_utc(directory: Directory) -> None:
    directory.path.mkdir(parents=True)
    directory.write("0009_a.up.sql")
    before = datetime.now(timezone.utc).replace(microsecond=0)
    version = directory.create("now", format="timestamp", digits=3)["version"]
    made = datetime.strptime(str(version), "%Y%m%d%H%M%S").replace(tzinfo=timezone.utc)
    assert before <= made <= datetime.now(timezone.utc)
    # A clock that is ahead, or two in one second.
    ahead = int((made + timedelta(hours=1)).strftime("%Y%m%d%H%M%S"))
    directory.write(f"{ahead}_b.up.sql")
    assert directory.create("after", format="timestamp")["version"] == ahead + 1


def test_check_mode_and_diff_mode(directory: Directory) -> None:
    planned = directory.create("add email", check=True, diff=True)
    assert not directory.path.exists()
    assert directory.create("add email", diff=True) == planned
    assert planned["changed"] is True
    assert [part["after_header"] for part in planned["diff"]] == planned["files"]
    assert [part["after"] for part in planned["diff"]] == [Path(file).read_text() for file in planned["files"]]
    assert {part["before"] for part in planned["diff"]} == {""}


TITLES = ["a", "100%", "it's `quoted`; DROP", "Größe", "a.up.sql", "2_b", "_", "-- x * DELIMITER $$", "x" * 239]


def test_both_programs_take_them_for_migrations(twins: tuple[Database, Database], run_module: RunModule) -> None:
    ours, theirs = twins
    directory = Directory(ours.directory, run_module)
    for title in TITLES:
        assert directory.create(title)["changed"]
    source = read_source(str(ours.directory))
    assert source.warnings == ()
    assert [migration.title for migration in source.migrations] == [re.sub(" ", "_", title) for title in TITLES]
    assert all(migration.up and migration.down for migration in source.migrations)
    result = ours.apply(portability="require")
    assert (result["to_version"], result["warnings"]) == (len(TITLES), [])
    assert f"{len(TITLES)}/u" in theirs.golang("up")
    assert ours.apply(target="none", allow_down=True)["to_version"] is None
    assert "1/d a" in theirs.golang("down", "-all")


def test_golang_migrate_counts_on(directory: Directory, golang_migrate: Path) -> None:
    directory.create("ours")
    subprocess.run(
        [golang_migrate, "create", "-ext", "sql", "-dir", directory.path, "-seq", "theirs"],
        check=True,
        capture_output=True,
    )
    assert "000002_theirs.up.sql" in directory.names()
    assert directory.create("ours again")["version"] == 3


def test_a_warning_about_other_files(directory: Directory) -> None:
    directory.path.mkdir(parents=True)
    directory.write("V1__flyway.sql")
    assert "V1__flyway.sql is not a migration" in str(directory.create("a")["warnings"])


@pytest.mark.parametrize("title", ["", "  \n"])
def test_no_title(directory: Directory, title: str) -> None:
    assert directory.refusal(title) == "title is empty. Say in a few words what the migration does. (DBM-2303)"


@pytest.mark.parametrize("title", ["a/b", "../../etc/x", "a\\b", "bell\a", "nul\0", "zero\u200bwidth"])
def test_a_title_that_is_not_a_file_name(directory: Directory, title: str) -> None:
    assert directory.refusal(title) == (
        f"title is {title!r}, which cannot be used in a file name. Leave out /, \\ and unprintable characters. "
        "(DBM-2304)"
    )


@pytest.mark.parametrize("title", ["x" * 240, "ö" * 120])
def test_a_title_that_is_too_long(directory: Directory, title: str) -> None:
    message = "The title is too long for a file's name, which takes 255 bytes. Shorten it. (DBM-2302)"
    assert directory.refusal(title) == message
    directory.path.mkdir(parents=True)
    assert directory.refusal(title) == message
    assert directory.create(title[:-1])["changed"]


@pytest.mark.parametrize("digits", [0, -1, 20])
def test_a_number_of_digits_that_no_version_has_is_refused(directory: Directory, digits: int) -> None:
    assert directory.refusal("a", digits=digits) == f"digits is {digits}. Give a number from 1 to 19. (DBM-2301)"


@pytest.mark.parametrize("form", ["sequential", "timestamp"])
def test_no_number_is_left(directory: Directory, form: str) -> None:
    directory.path.mkdir(parents=True)
    directory.write(f"{HIGHEST}_a.up.sql")
    assert directory.refusal("b", format=form) == (
        f"The directory's highest version is {HIGHEST}, and the state table holds none above {HIGHEST}. "
        "Give that migration a lower version. (DBM-2305)"
    )


def test_two_files_of_one_version(directory: Directory) -> None:
    directory.path.mkdir(parents=True)
    directory.write("1_a.up.sql", "01_b.up.sql")
    assert "Two files are the up migration of version 1" in directory.refusal("c")


def test_a_file_where_the_directory_should_be(directory: Directory) -> None:
    directory.path.parent.mkdir()
    directory.path.touch()
    assert directory.refusal("a") == (
        f"The migrations' directory {directory.path} cannot be read: Not a directory. "
        "Check the option directory; it is a path on the runner. (DBM-1601)"
    )


def test_a_directory_that_cannot_be_made(directory: Directory) -> None:
    directory.path.parent.touch()
    result = directory.create("a")
    assert result["failed"]
    assert result["msg"] == (
        f"{directory.path} cannot be written: Not a directory. No file of the new migration is left behind. (DBM-2306)"
    )


def test_a_file_that_another_run_makes_first(directory: Directory) -> None:
    directory.path.mkdir(parents=True)
    directory.write("1_a.down.sql")
    with pytest.raises(Error) as caught:
        write(str(directory.path), {"1_a.up.sql": "up", "1_a.down.sql": "down"})
    assert str(caught.value) == (
        f"{directory.path}/1_a.down.sql cannot be written: File exists. No file of the new migration is left behind."
    )
    assert directory.names() == ["1_a.down.sql"]
    assert (directory.path / "1_a.down.sql").read_text() == "1_a.down.sql"
