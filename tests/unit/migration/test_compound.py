# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where stored programs and compound statements end, and where that is in doubt; more of them are in cases/."""

from __future__ import annotations

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._migration.files.compound import (
    End,
    find_end,
    may_be_compound,
)
from ansible_collections.dbops.migrations.plugins.module_utils._migration.files.lexer import Dialect, Lexer

MARIADB = Dialect(mariadb=True, version=101119)


def end(text: bytes, dialect: Dialect = MARIADB) -> End:
    lexer = Lexer(dialect)
    lexer.text, lexer.final = text, True
    return find_end(lexer, 0)


@pytest.mark.parametrize(
    ("text", "mariadb", "answer"),
    [
        (b"CREATE x", False, True),
        (b"ALTER x", False, True),
        (b"IF x", True, True),
        (b"IF x", False, False),
        (b"BEGIN NOT", True, True),
        (b"BEGIN x", True, False),
        (b"BEGIN NOT", False, False),
        (b"SET STATEMENT", True, True),
        (b"SET STATEMENT", False, False),
        (b"SET x", True, False),
        (b"x : LOOP", True, True),
        (b"`SET` STATEMENT", True, False),
    ],
)
def test_which_statements_may_hold_others(text: bytes, mariadb: bool, answer: bool) -> None:
    lexer = Lexer(MARIADB)
    lexer.text, lexer.final = text, True
    first = lexer.token(0)
    assert first is not None
    assert may_be_compound(first, lexer.token(first.end), mariadb) is answer


@pytest.mark.parametrize(
    ("whole", "stores"),
    [
        (b"CREATE PROCEDURE p() BEGIN IF 1 THEN SELECT 1; END IF; END", True),
        (b"ALTER EVENT e DO BEGIN SELECT 1; END", True),
        (b"ALTER TABLE t ADD begin INT", False),
        (b"CREATE TABLE t (a INT)", False),
        (b"SET STATEMENT a = 1 FOR CREATE FUNCTION f() RETURNS INT BEGIN RETURN 1; END", True),
        (b"SET STATEMENT a = 1, b = (SELECT ';' FOR UPDATE) FOR BEGIN NOT ATOMIC SELECT 1; END", False),
        (b"SET STATEMENT a = 1 FOR SELECT begin, if(1, 2, 3) FROM t", False),
        (b"SET STATEMENT a = @for FOR l: LOOP LEAVE l; END LOOP", False),
        (b"SET STATEMENT a = 1", False),
        (b"SET STATEMENT a = 1 FOR SET STATEMENT b = 2 FOR IF 1 THEN SELECT 1; END IF", False),
    ],
)
def test_where_it_ends(whole: bytes, stores: bool) -> None:
    found = end(whole + b"; SELECT 2;")
    assert found.terminator is not None
    assert (found.terminator.start, found.stores, found.certain) == (len(whole), stores, True)
    assert end(whole) == End(None, stores, True)


@pytest.mark.parametrize(
    "text",
    [
        b"CREATE PROCEDURE p() BEGIN SELECT 1;",
        b"CREATE PROCEDURE p() BEGIN IF 1 THEN SELECT 1; END;",
        b"BEGIN NOT ATOMIC SELECT CASE 1 WHEN 1 THEN 2; END",
    ],
)
def test_a_block_that_is_open_at_the_end_is_not_certain(text: bytes) -> None:
    assert end(text)[::2] == (None, False)


def test_an_unknown_header_is_not_certain() -> None:
    text = b"CREATE PROCEDURE p() SOMETHING NEW BEGIN SELECT 1; END; SELECT 2;"
    found = end(text)
    assert found.terminator is not None
    assert (text[: found.terminator.start], found.certain) == (text[:54], False)


@pytest.mark.parametrize("character_set", ["cp932", "gbk", "big5", "gb18030", "latin1", "utf8mb4"])
def test_characters_in_a_body(character_set: str) -> None:
    character = {"latin1": b"\xa0", "utf8mb4": b"\xc3\xa4", "cp932": b"\x95`"}.get(character_set, b"\xa5`")
    whole = b"CREATE PROCEDURE p() BEGIN SELECT '%b;', 1 AS x%b; SELECT 2; IF 1 THEN SELECT `%b`; END IF; END"
    whole = whole.replace(b"%b", character)
    found = end(whole + b"; SELECT 3", MARIADB._replace(character_set=character_set))
    assert found.terminator is not None
    assert (found.terminator.start, found.certain) == (len(whole), True)
