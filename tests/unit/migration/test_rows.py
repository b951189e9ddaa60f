# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which tables a statement about rows writes, what else it names, and whether all of it is understood."""

from __future__ import annotations

from typing import Optional

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._migration.files.lexer import Dialect
from ansible_collections.dbops.migrations.plugins.module_utils._migration.statements.rows import (
    Rows,
    parts_of,
    read_behind_values,
    read_rows,
    read_values,
)
from ansible_collections.dbops.migrations.plugins.module_utils._migration.statements.tokens import LONGEST, Tokens

MARIADB = Dialect(mariadb=True, version=101119)
ANSI = MARIADB._replace(ansi_quotes=True)


def rows(text: bytes) -> Rows:
    tokens = Tokens(text, MARIADB)
    return read_rows(tokens, tokens.take().text)


@pytest.mark.parametrize(
    ("text", "writes", "names"),
    [
        (b"INSERT INTO a SELECT i FROM b", [b"a"], [b"b"]),
        (b"INSERT LOW_PRIORITY IGNORE a.b VALUES (1)", [b"a.b"], []),
        (b"UPDATE a JOIN b ON a.i = b.i SET a.j = 1 WHERE i IN (SELECT i FROM c)", [b"a", b"b"], [b"c"]),
        (b"DELETE FROM a WHERE EXISTS (SELECT 1 FROM b)", [b"a"], [b"b"]),
        (b"SELECT * FROM a, `b c` JOIN d.e USING (i)", [], [b"a", b"`b c`", b"d.e"]),
        (b"TABLE a", [], [b"a"]),
        (b"WITH c AS (SELECT i FROM b) UPDATE a JOIN c USING (i) SET j = 1", [b"a", b"b", b"c"], []),
        (b"LOAD DATA INFILE 'x' INTO TABLE a", [b"a"], []),
    ],
)
def test_what_is_written_and_named(text: bytes, writes: list[bytes], names: list[bytes]) -> None:
    found = rows(text)
    # A column may be among them where it could be a table: that errs to the safe side.
    assert set(found.writes) - {b"i"} == set(writes)
    assert set(found.names) - {b"i"} == set(names)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        (b"INSERT INTO a VALUES (1, NOW(), 'x')", True),
        (b"INSERT INTO a VALUES (f())", False),
        (b"INSERT INTO a VALUES (NOW ())", False),
        (b"INSERT DELAYED INTO a VALUES (1)", False),
        (b"INSERT INTO a VALUES (NEXT VALUE FOR s)", False),
        (b"SELECT 1 INTO OUTFILE 'x'", False),
        (b"SELECT GET_LOCK('a', 1)", False),
        (b"SELECT {fn NOW()}", False),
    ],
)
def test_whether_all_is_understood(text: bytes, plain: bool) -> None:
    assert rows(text).plain is plain


def test_a_file_on_the_server_is_known_as_one() -> None:
    assert rows(b"SELECT 1 INTO DUMPFILE 'x'").to_file
    assert not rows(b"SELECT 1 INTO @a").to_file


def test_variables_that_get_a_value() -> None:
    assert rows(b"SELECT 1, @c := 2 INTO @a, @b").assigns == (b"@c", b"@a", b"@b")


def test_what_is_too_long_or_has_too_many_names_is_not_understood() -> None:
    assert rows(b"SELECT '" + b"x" * LONGEST + b"'") == Rows(False)
    few, many = (b", ".join(b"t%d" % number for number in range(count)) for count in (64, 65))
    assert (rows(b"SELECT 1 FROM " + few).plain, rows(b"SELECT 1 FROM " + many).plain) == (True, False)


@pytest.mark.parametrize(
    ("text", "table", "left"),
    [
        (b"INSERT INTO a VALUES (1, 'x', NULL)", b"a", b""),
        (b"insert ignore into `a`.b (i, j) values (1, -2.5e3), (x'00', NOW())", b"`a`.b", b""),
        (b"INSERT INTO a VALUES (1, f())", b"a", b"f())"),
        (b"INSERT INTO a VALUES (1) ON DUPLICATE KEY UPDATE i = 2", b"a", b"ON DUPLICATE KEY UPDATE i = 2"),
        (b"UPDATE a SET i = 1", b"", b"UPDATE a SET i = 1"),
        (b"INSERT INTO \xc4 VALUES (1)", b"", b"INSERT INTO \xc4 VALUES (1)"),
    ],
)
def test_values_are_read_up_to_what_is_not_a_literal(text: bytes, table: bytes, left: bytes) -> None:
    found, place = read_values(text, MARIADB)
    assert (found, text[place:].lstrip()) == (table, left)


def test_many_values_are_read_to_completion() -> None:
    text = b"INSERT INTO a VALUES " + b", ".join([b"(1, 'it\\'s', \"x\")"] * 2000)
    assert read_values(text, MARIADB) == (b"a", len(text))
    # There it is a name.
    assert read_values(text, ANSI)[1] < 40


def test_what_is_after_the_values() -> None:
    text = b"INSERT INTO a VALUES (1) ON DUPLICATE KEY UPDATE i = f()"
    table, place = read_values(text, MARIADB)
    assert not read_behind_values(text, MARIADB, table, place).plain
    assert read_behind_values(b"x", MARIADB, b"a", 1) == Rows(True, (b"a",))
    assert read_behind_values(b"x" * (LONGEST + 2), MARIADB, b"a", 1) == Rows(False)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        (b"a", [b"a"]),
        (b"`a.b`.c", [b"a.b", b"c"]),
        (b"a.b.c", [b"a", b"b", b"c"]),
        (b"a b", None),
        (b"a.", None),
        (b"'a'", None),
        (b"", None),
    ],
)
def test_the_parts_of_a_name(name: bytes, parts: Optional[list[bytes]]) -> None:
    assert parts_of(name, MARIADB) == parts
