# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a person sees of files before they are run: bounded, printable, without secrets."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._core.errors import Error
from ansible_collections.dbops.migrations.plugins.module_utils._core.secrets import register_secret
from ansible_collections.dbops.migrations.plugins.module_utils._migration.listing import (
    ALL,
    CHARACTERS,
    LINES,
    Listed,
    first,
    listing,
)
from ansible_collections.dbops.migrations.plugins.module_utils._migration.model import Step


def of(folder: Path, *texts: bytes) -> list[Listed]:
    """Write the files, and list them."""
    steps = []
    for version, text in enumerate(texts, 1):
        (folder / f"{version}_m.up.sql").write_bytes(text)
        steps.append(Step(version, "m", "up", f"{version}_m.up.sql", version))
    return listing(str(folder), steps)


def test_each_file_with_its_text(tmp_path: Path) -> None:
    found = of(tmp_path, b"CREATE TABLE a (i INT);\n\nSELECT 1;\n", "INSERT INTO a VALUES ('größe');".encode())
    assert found == [
        Listed("1_m.up.sql", ["CREATE TABLE a (i INT);", "", "SELECT 1;"]),
        Listed("2_m.up.sql", ["INSERT INTO a VALUES ('größe');"]),
    ]


def test_a_step_without_a_file(tmp_path: Path) -> None:
    assert listing(str(tmp_path), [Step(3, "m", "down", None, 2)]) == [Listed(None, [])]


def test_what_could_steer_a_terminal_is_masked(tmp_path: Path) -> None:
    [found] = of(tmp_path, b"SELECT '\xff\x1b[31m\xe2\x80\xae\xd8\x9c', 1\tAS\ra;\r\n")
    assert found.lines == ["SELECT '\\xff?[31m??', 1\tAS?a;"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [(b"SELECT 1;\n" * (LINES + 1), LINES), (b"x" * 150 + b"\n", 1), (b"x" * (CHARACTERS + 1) + b"\n", 0)],
)
def test_a_long_file_is_cut(tmp_path: Path, text: bytes, shown: int) -> None:
    [found] = of(tmp_path, text)
    assert (len(found.lines), found.size) == (shown, None if shown == 1 else len(text))


def test_there_is_an_end_to_all_files(tmp_path: Path) -> None:
    found = of(tmp_path, *[b"-- long\n" + b"x" * (CHARACTERS - 100) + b"\n"] * 20)
    assert ALL - CHARACTERS < sum(len(line) for file in found for line in file.lines) <= ALL
    assert len(found) == 20
    assert [file.size for file in found].count(None) == 10


def test_of_other_lines_no_more_is_shown_than_of_a_file() -> None:
    """Nor more than is left for all."""
    assert len(first(["x"] * 300, ALL)) == LINES
    assert first(["abc", "de", "f"], 5) == ["abc", "de"]
    assert first(["abc"], 0) == []


def test_secrets_are_masked_also_where_a_file_is_cut(tmp_path: Path) -> None:
    secret = "s3cret-of-the-listing-" * 10
    register_secret(secret)
    line = "x" * (CHARACTERS - 30)
    found = of(tmp_path, f"ALTER USER u IDENTIFIED BY '{secret}';\n".encode(), f"{line}{secret}\n".encode())
    assert found[0].lines == ["ALTER USER u IDENTIFIED BY '********';"]
    assert "s3cret" not in str(found)


def test_a_file_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(Error, match=r"1_m\.up\.sql cannot be read: No such file or directory\."):
        listing(str(tmp_path), [Step(1, "m", "up", "1_m.up.sql", 1)])
