# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where statements begin and end, beside what test_cases.py shows; the server has the last word (make fuzz)."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._migration.files import splitter as script_module
from ansible_collections.dbops.migrations.plugins.module_utils._migration.files.lexer import Dialect, Lexer
from ansible_collections.dbops.migrations.plugins.module_utils._migration.files.splitter import Splitter, Statement
from hypothesis import given, settings
from hypothesis import strategies as st

MARIADB = Dialect(mariadb=True, version=101119)


def split(text: bytes, dialect: Dialect = MARIADB) -> list[bytes]:
    return [statement.text.strip() for statement in Splitter(BytesIO(text), dialect).statements()]


def work(text: bytes, chunk: int = 1 << 9) -> int:
    """Return how much splitting a script takes, in steps of the interpreter and in bytes that are looked at."""
    steps = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal steps
        steps += event in ("call", "c_call")

    class Counted:
        """A pattern that counts what it takes."""

        def __init__(self, pattern: re.Pattern[bytes]) -> None:
            self._pattern = pattern

        def match(self, text: bytes, place: int = 0) -> re.Match[bytes] | None:
            nonlocal steps
            found = self._pattern.match(text, place)
            steps += found.end() - place if found else 1
            return found

    class Text(bytes):
        """A text that counts how much of it is stripped."""

        def rstrip(self, blanks: Any = None, /) -> bytes:
            nonlocal steps
            left = bytes(self).rstrip(blanks)
            steps += len(self) - len(left)
            return left

    class Watched(Lexer):
        def __init__(self, dialect: Dialect, terminator: bytes = b";") -> None:
            super().__init__(dialect, terminator)
            self._mark, self._token, self._dull = map(Counted, (self._mark, self._token, self._dull))  # type: ignore[assignment]
            self._inside = {quote: Counted(pattern) for quote, pattern in self._inside.items()}  # type: ignore[misc]

        def followed(self, place: int) -> bool:
            if not isinstance(self.text, Text):
                self.text = Text(self.text)
            return super().followed(place)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(script_module, "Lexer", Watched)
        patch.setattr(script_module, "_CHUNK", chunk)
        sys.setprofile(count)
        try:
            for _statement in Splitter(BytesIO(text), MARIADB).statements():
                pass
        finally:
            sys.setprofile(None)
    return steps


def notes(text: bytes) -> list[tuple[int, str]]:
    script = Splitter(BytesIO(text), MARIADB)
    list(script.statements())
    return [(note.line, note.text) for note in script.notes]


def test_the_dialect_may_change_between_statements() -> None:
    script = Splitter(BytesIO(rb"SET sql_mode = 'x'; SELECT '\'; SELECT 2;"), MARIADB)
    found = []
    for statement in script.statements():
        found.append(statement.text)
        script.dialect = Dialect(backslash_escapes=False)
    assert found == [b"SET sql_mode = 'x'", rb"SELECT '\'", b"SELECT 2"]


@pytest.mark.parametrize("text", [b"", b" \n", b";", b";;\n;"])
def test_a_file_of_nothing_is_noted(text: bytes) -> None:
    assert split(text) == []
    assert "is empty" in [note for _line, note in notes(text)]


@pytest.mark.parametrize(
    "text", [b"-- x\n", b"/* x */", b"SELECT 1;;", b"SELECT 1;\n; ;", b"SELECT 1; -- x", b"-- x\n;"]
)
def test_what_golang_migrate_can_run_has_no_note(text: bytes) -> None:
    assert notes(text) == []


def test_what_golang_migrate_cannot_run_is_noted_with_its_line() -> None:
    assert notes(b"\xef\xbb\xbfSELECT 1") == [(1, "starts with a byte order mark")]
    assert notes(b"SELECT 1;\n;\nSELECT 2;;SELECT 3") == [(2, "has an empty statement before another one")]
    assert notes(b"\nDELIMITER //\nSELECT 1//\nDELIMITER ;") == [(2, "uses DELIMITER, a command of the mysql client")]


@given(st.lists(st.text(st.characters(exclude_characters=";'\"`#-/*$", exclude_categories=["Cs"]), min_size=1)))
def test_plain_words_are_cut_at_semicolons_and_nowhere_else(words: list[str]) -> None:
    marked = [f"x{word}x".encode() for word in words]
    assert split(b";".join(marked)) == [word.strip() for word in marked]


@given(st.binary(max_size=80))
def test_any_bytes_are_read_to_completion(text: bytes) -> None:
    statements: list[Statement] = list(Splitter(BytesIO(text), MARIADB).statements())
    assert [statement.number for statement in statements] == list(range(1, len(statements) + 1))
    assert all(statement.text in text for statement in statements)


HARD = st.sampled_from(
    [
        b"SELECT 'a;''\\';' -- x;\n",
        b"/*!50003 SET @a=1 */",
        b"/*!999999 ; /* ; */ */",
        b"CREATE PROCEDURE p() BEGIN IF 1 THEN SELECT 1; END IF; END",
        b"INSERT INTO t VALUES ('x;y', 1)",
        b"DELIMITER //\n",
        b"\nDELIMITER ;\n",
        b"\xc3\xa4",
        *b"; ' \\ -- // /* */ \" ` BEGIN x: END SELECT".split(),
        *(b" ", b"\n", b"# ;\n", b'"a;"', b"`;`"),
    ]
)


@given(st.lists(HARD, max_size=30).map(b"".join), st.integers(1, 64))
def test_it_does_not_matter_how_much_is_read_at_once(text: bytes, chunk: int) -> None:
    def run() -> tuple[list[Statement], list[tuple[int, str]]]:
        return list(Splitter(BytesIO(text), MARIADB).statements()), notes(text)

    whole = run()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(script_module, "_CHUNK", chunk)
        assert run() == whole


def test_a_string_of_many_escapes() -> None:
    text = b"INSERT INTO t VALUES ('" + rb"\0''" * 100_000 + b"'); SELECT 2;"
    assert [len(part) for part in split(text)] == [len(text) - 11, 8]


def test_many_strings_with_escapes() -> None:
    row = rb"('a;\'b', '\n', 'c\\', 'd\\\';''', '\\\\\'')"
    whole = b"INSERT INTO t VALUES " + b",".join([row] * 1000)
    assert split(b"SELECT 1;\n" + whole + b";\nSELECT 2;") == [b"SELECT 1", whole, b"SELECT 2"]


@pytest.mark.parametrize(
    "whole",
    [
        b"INSERT INTO t VALUES ('a;')" + b", ('a;')" * 1000,
        rb"INSERT INTO t VALUES ('" + rb"a;\'" * 1000 + b"')",
        b"CREATE PROCEDURE p() BEGIN SELECT 1" + b", a.end, 'x;'" * 1000 + b"; SELECT 2; /* END; */ END",
    ],
)
def test_a_long_statement_stays_one(whole: bytes) -> None:
    assert split(whole + b"\n; SELECT 'next';") == [whole, b"SELECT 'next'"]


@pytest.mark.parametrize(
    "made_of",
    [
        lambda size: b"SELECT 1;" + b";" * size,
        lambda size: b"SELECT 1;" + b"; -- x\n" * size,
        lambda size: b"SELECT 1;" + b"\n" * size + b"x",
        lambda size: b"SELECT 1;" + b"/**/" * size + b"x",
        lambda size: b"SELECT 1;/*!999999 " + b"/*" * size + b"*/" * size,
        lambda size: b"SELECT 1 " + b"/*!" * size,
        lambda size: b"SELECT 'a" + b"x;\n" * size,
        lambda size: b"INSERT INTO t VALUES ('a');" * (size // 20) + b"SELECT `a" + b"x\"';\n" * size,
        lambda size: b"SELECT 'a" + b"\\'" * size,
        lambda size: b"CREATE PROCEDURE p() BEGIN " + b"SELECT CASE WHEN 1 " * size,
        lambda size: b"DELIMITER //\n" + b"SELECT 1; SELECT 2 //\n" * size,
        lambda size: b"DELIMITER //\n" + b"SELECT 1;\n" * size,
        lambda size: b"DELIMITER //\n" + b"//" * size,
    ],
)
def test_the_work_grows_as_the_text_does(made_of: Callable[[int], bytes]) -> None:
    # Patterns are made once.
    work(made_of(10))
    # It would be sixteen times as much if it grew with the square. Whether more has to be read again is chance.
    assert work(made_of(4000)) < 8 * work(made_of(1000))


def test_the_rest_is_looked_at_once_for_what_matters() -> None:
    size = 2_000
    # All of it is at hand at once.
    empty = work(b"SELECT 1;" + b"; /**/" * size, 1 << 20)
    assert work(b"SELECT 1;" + b"; /**/" * size + b";" * size, 1 << 20) < 2 * empty


@pytest.mark.parametrize(("character_set", "character"), [("cp932", b"\x95\\"), ("gbk", b"\xd5`"), ("big5", b"\xa5\\")])
def test_many_characters_whose_second_byte_is_a_mark(character_set: str, character: bytes) -> None:
    whole = b"INSERT INTO t VALUES ('" + character * 10_000 + b"', `" + character * 300 + b"`)"
    dialect = MARIADB._replace(character_set=character_set)
    assert split(whole + b";\nSELECT 2; SELECT '" + character + b"';", dialect) == [
        whole,
        b"SELECT 2",
        b"SELECT '" + character + b"'",
    ]


WIDE = st.sampled_from(
    [b"\x95\\", b"\x83`", b"\x95", b"'", b"`", b'"', b"\\", b";", b" ", b"\n", b"@", b"a", b"--", b"//"]
)


@settings(deadline=None)
@given(st.lists(WIDE, max_size=30).map(b"".join), st.integers(1, 64), st.sampled_from(["cp932", "gbk", "gb18030"]))
def test_it_does_not_matter_how_much_of_a_character_is_read(text: bytes, chunk: int, character_set: str) -> None:
    dialect = MARIADB._replace(character_set=character_set)
    for start in (b"", b"DELIMITER //\n"):
        whole = list(Splitter(BytesIO(start + text), dialect).statements())
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(script_module, "_CHUNK", chunk)
            assert list(Splitter(BytesIO(start + text), dialect).statements()) == whole


@settings(deadline=None)
@given(st.lists(HARD, max_size=30).map(b"".join), st.integers(1, 64), st.data())
def test_going_back_leads_to_the_same_statements(text: bytes, chunk: int, data: st.DataObject) -> None:
    whole = list(Splitter(BytesIO(text), MARIADB).statements())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(script_module, "_CHUNK", chunk)
        script = Splitter(BytesIO(text), MARIADB)
        found, mark = [], None
        place = data.draw(st.integers(0, len(whole)))
        statements = script.statements()
        for number in range(len(whole)):
            if number == place:
                statements.close()
                mark, statements = script.mark(), script.statements()
            found.append(next(statements))
        statements.close()
        if mark is not None:
            script.back(mark)
            found = found[:place] + list(script.statements())
    assert found == whole


def test_the_mode_may_change_within_a_piece() -> None:
    script = Splitter(BytesIO(b"DELIMITER //\nSET a; SELECT 2; SELECT 3; SELECT 4 //\nSELECT 5; SELECT 6//"), MARIADB)
    found = []
    for statement in script.statements():
        found.append((statement.text, statement.bounded))
        if statement.text == b"SELECT 2":
            script.dialect = MARIADB._replace(oracle=True)
    assert found == [
        (b"SET a", True),
        (b"SELECT 2", True),
        (b"SELECT 3; SELECT 4 ", False),
        (b"SELECT 5; SELECT 6", False),
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (b"SELECT 1; -- x\0\n", [(b"SELECT 1", b"", True), (b"-- x\0\n", b"", False)]),
        (b"SELECT 1;\0", [(b"SELECT 1", b"", True), (b"\0", b"", False)]),
        (b"SELECT 1; -- x\0; SELECT 2", [(b"SELECT 1", b"", True), (b"\0", b"; #", False), (b"SELECT 2", b"", True)]),
    ],
)
def test_a_nul_is_the_end_only_at_the_end(text: bytes, found: list[tuple[bytes, bytes, bool]]) -> None:
    assert [statement[3:] for statement in Splitter(BytesIO(text), MARIADB).statements()] == found


def test_a_nul_before_spaces_is_not_the_end_if_more_follows() -> None:
    statements = list(Splitter(BytesIO(b"SET a\0\n;\nSELECT 1"), MARIADB).statements())
    assert [(statement.suffix, statement.bounded) for statement in statements] == [(b"; #", False), (b"", True)]
