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
    listing,
)
from ansible_collections.dbops.migrations.plugins.module_utils._migration.model import Step


def of(folder: Path, *texts: bytes) -> str:
    """Write the files, and list them."""
    steps = []
    for version, text in enumerate(texts, 1):
        (folder / f"{version}_m.up.sql").write_bytes(text)
        steps.append(Step(version, "m", "up", f"{version}_m.up.sql", version))
    return listing(str(folder), steps)


def test_each_file_with_its_text(tmp_path: Path) -> None:
    found = of(tmp_path, b"CREATE TABLE a (i INT);\n\nSELECT 1;\n", "INSERT INTO a VALUES ('größe');".encode())
    assert found == (
        "  up 1_m.up.sql\n    CREATE TABLE a (i INT);\n\n    SELECT 1;\n"
        "  up 2_m.up.sql\n    INSERT INTO a VALUES ('größe');\n"
    )


def test_a_step_without_a_file(tmp_path: Path) -> None:
    assert listing(str(tmp_path), [Step(3, "m", "down", None, 2)]) == "  down 3 (no file)\n"


def test_what_was_found_out_stands_below_the_text(tmp_path: Path) -> None:
    """As comments, each on one line; steps without any have none."""
    register_secret("open-sesame-9")
    (tmp_path / "1_m.up.sql").write_bytes(b"SELECT 1")
    steps = [Step(1, "m", "up", "1_m.up.sql", 1), Step(2, "m", "up", None, 2), Step(3, "m", "up", None, 3)]
    assert listing(str(tmp_path), steps, [["one\ntwo \x1b", "  three open-sesame-9"], ["four"]]) == (
        "  up 1_m.up.sql\n    SELECT 1\n    -- one two ?\n    --   three ********\n"
        "  up 2 (no file)\n    -- four\n  up 3 (no file)\n"
    )


def test_what_could_steer_a_terminal_is_masked(tmp_path: Path) -> None:
    found = of(tmp_path, b"SELECT '\xff\x1b[31m\xe2\x80\xae', 1\tAS\ra;\r\n")
    assert found == "  up 1_m.up.sql\n    SELECT '\\xff?[31m?', 1\tAS?a;\n"


@pytest.mark.parametrize(
    ("text", "shown"),
    [(b"SELECT 1;\n" * (LINES + 1), LINES), (b"x" * 150 + b"\n", 1), (b"x" * (CHARACTERS + 1) + b"\n", 0)],
)
def test_a_long_file_is_cut(tmp_path: Path, text: bytes, shown: int) -> None:
    lines = of(tmp_path, text).splitlines()
    cut = f"    ... not all is shown: the file has {len(text):,} bytes"
    assert (len(lines) - 1 - (cut in lines), cut in lines) == (shown, shown != 1)


def test_there_is_an_end_to_all_files(tmp_path: Path) -> None:
    found = of(tmp_path, *[b"-- long\n" + b"x" * (CHARACTERS - 100) + b"\n"] * 20)
    assert len(found) < ALL + 20 * 100
    assert found.count("up.sql") == 20
    assert found.count("not all is shown") == 10


def test_secrets_are_masked_also_where_a_file_is_cut(tmp_path: Path) -> None:
    secret = "s3cret-of-the-listing-" * 10
    register_secret(secret)
    line = "x" * (CHARACTERS - 30)
    found = of(tmp_path, f"ALTER USER u IDENTIFIED BY '{secret}';\n".encode(), f"{line}{secret}\n".encode())
    assert "IDENTIFIED BY '********'" in found
    assert "s3cret" not in found


def test_a_file_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(Error, match=r"1_m\.up\.sql cannot be read: No such file or directory\."):
        listing(str(tmp_path), [Step(1, "m", "up", "1_m.up.sql", 1)])
