# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Scripts and their statements, readable without Python: ``cases/NAME.sql`` and ``cases/NAME.SERVER.WAY.expected``.

WAY is a sql_mode or a character set, or is left out. In the second file each statement stands, byte by byte, behind a
line with its number and its place; ``suffix`` in that line says that something is sent after it so that the server
stores the right text, ``unbounded`` that its borders are not certain. What golang-migrate cannot run comes at the end.
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._migration.files.lexer import Dialect
from ansible_collections.dbops.migrations.plugins.module_utils._migration.files.splitter import Splitter

CASES = Path(__file__).parent / "cases"
EXPECTED = sorted(CASES.glob("*.expected"))
SERVERS = {"mariadb": Dialect(mariadb=True, version=101119), "mysql": Dialect(mariadb=False, version=90700)}
MODES = {
    "ansi": {"ansi_quotes": True},
    "no-backslash-escapes": {"backslash_escapes": False},
    "oracle": {"oracle": True, "ansi_quotes": True},
}


def dialect_of(expected: Path) -> tuple[str, Dialect]:
    """Return the script's name and how it is to be read."""
    name, server, *way = expected.name.split(".")[:-1]
    dialect = SERVERS[server]
    if way:
        dialect = dialect._replace(**MODES.get(way[0], {"character_set": way[0]}))
    return name, dialect


def described(text: bytes, dialect: Dialect) -> bytes:
    """Return a script's statements as they are written down."""
    script = Splitter(BytesIO(text), dialect)
    lines = []
    for number, line, column, statement, suffix, bounded in script.statements():
        words = f"== {number} at {line}:{column}" + (" suffix" if suffix else "") + ("" if bounded else " unbounded")
        lines += [words.encode(), statement]
    lines += [f"!! line {note.line} {note.text}".encode() for note in script.notes]
    return b"\n".join(lines) + b"\n"


@pytest.mark.parametrize("expected", EXPECTED, ids=lambda path: path.stem)
def test_a_script_is_split_as_expected(expected: Path) -> None:
    name, dialect = dialect_of(expected)
    assert described((CASES / f"{name}.sql").read_bytes(), dialect) == expected.read_bytes()


def test_each_script_is_expected_to_be_something() -> None:
    assert {path.stem for path in CASES.glob("*.sql")} == {dialect_of(path)[0] for path in EXPECTED}
    assert len(EXPECTED) > 30
