# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A file while it is run: the comment that asks for all or nothing, what is looked at ahead, its variables."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._core.errors import Error
from ansible_collections.dbops.migrations.plugins.module_utils._migration.files.reader import FileReader
from ansible_collections.dbops.migrations.plugins.module_utils._migration.model import Step

SESSION = SimpleNamespace(mariadb=True, version=101119, sql_modes=frozenset(), character_set_client="utf8mb4")
DIRECTIVE = b"-- dbops: all-or-nothing"


def reading(folder: Path, text: bytes | None) -> FileReader:
    if text is not None:
        (folder / "1_a.up.sql").write_bytes(text)
    return FileReader(SESSION, str(folder), Step(1, "a", "up", "1_a.up.sql" if text is not None else None, 1))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        DIRECTIVE,
        DIRECTIVE + b"\nSELECT 1;",
        DIRECTIVE + b"\r\nSELECT 1;\r\n",
        DIRECTIVE + b" because of the invoices\nSELECT 1",
        b"--dbops:all-or-nothing\nSELECT 1",
        b"--   dbops:   all-or-nothing\nSELECT 1",
        b"\n\n  \t" + DIRECTIVE + b"\nSELECT 1",
        b"\xef\xbb\xbf" + DIRECTIVE + b"\nSELECT 1",
        b"-- Licence: MIT\n\n# x\n--\n" + DIRECTIVE + b"\nSELECT 1",
        b"-- " + b"x" * 3000 + b"\n" + DIRECTIVE,
        DIRECTIVE + b"\n" + DIRECTIVE,
    ],
)
def test_a_file_asks_to_be_atomic(tmp_path: Path, text: bytes) -> None:
    assert reading(tmp_path, text).atomic


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"SELECT 1",
        b"SELECT 1;\n" + DIRECTIVE,
        b"SELECT 1 " + DIRECTIVE,
        b"-- see " + DIRECTIVE + b"\nSELECT 1",
        b"-- dbops: all-or-nothings\nSELECT 1",
        b"-- dbops: all or nothing\nSELECT 1",
        b"# dbops: all-or-nothing\nSELECT 1",
        b"/* x */\nSELECT 1",
        b"/*\n" + DIRECTIVE + b"\n*/ SELECT 1",
        b"'\n" + DIRECTIVE + b"\n'",
    ],
)
def test_it_does_not_ask(tmp_path: Path, text: bytes) -> None:
    assert not reading(tmp_path, text).atomic


@pytest.mark.parametrize("before", [b"/* Copyright */\n", b"/* a\n-- b */ # c\n"])
def test_it_asks_after_another_comment(tmp_path: Path, before: bytes) -> None:
    """It is a comment before the first statement all the same."""
    assert reading(tmp_path, before + DIRECTIVE + b"\nSELECT 1").atomic


def test_many_comments_take_no_time(tmp_path: Path) -> None:
    for line in (b"--\n", b"#\n", b"\n", b"-- dbops: all-or-nothin\n", b"--", b" "):
        assert not reading(tmp_path, line * 4096).atomic


def test_a_step_without_a_file(tmp_path: Path) -> None:
    found = reading(tmp_path, None)
    assert found.take() is None
    assert (found.atomic, found.checksum) == (False, hashlib.sha256(b"-- no file").hexdigest())


def test_what_was_looked_at_ahead_is_taken(tmp_path: Path) -> None:
    found = reading(tmp_path, b"SELECT 1; SELECT 2")
    assert [found.peek(), found.peek()] == [found.take()] * 2
    assert found.take() is not None
    assert found.peek() is None
    assert found.take() is None


@pytest.mark.parametrize(
    ("change", "ahead", "taken"),
    [
        ({"character_set_client": "cp932"}, [b"SELECT '\x95\\'; SELECT '"], [b"SELECT '\x95\\'", b"SELECT '"]),
        (
            {"sql_modes": frozenset(["NO_BACKSLASH_ESCAPES"])},
            [b"SELECT '\x95\\'; SELECT '"],
            [b"SELECT '\x95\\'", b"SELECT '"],
        ),
        ({"sql_modes": frozenset(["ORACLE"])}, [b"SELECT '\x95\\'; SELECT '"], [b"SELECT '\x95\\'; SELECT '"]),
    ],
)
@pytest.mark.parametrize("start", [b"SET x; ", b"DELIMITER //\nSET x; "])
def test_what_was_looked_at_is_looked_at_again(
    tmp_path: Path, start: bytes, change: dict[str, object], ahead: list[bytes], taken: list[bytes]
) -> None:
    """The statement that is run meanwhile may change how the server reads what follows."""
    text = start + b"SELECT '\x95\\'; SELECT '"
    (tmp_path / "1_a.up.sql").write_bytes(text)
    session = SimpleNamespace(**vars(SESSION))
    found = FileReader(session, str(tmp_path), Step(1, "a", "up", "1_a.up.sql", 1))  # type: ignore[arg-type]
    assert found.take() is not None
    looked_at = [found.peek(0), found.peek(1)]
    assert [statement.text for statement in looked_at if statement] == ahead
    vars(session).update(change)
    statements = [found.peek(), found.take(), found.take(), found.take()]
    assert [statement.text for statement in statements[1:] if statement] == taken
    assert statements[0] is statements[1]
    assert found.checksum == hashlib.sha256(text).hexdigest()


def test_a_large_file_is_read_again(tmp_path: Path) -> None:
    row = b"INSERT INTO t VALUES ('" + b"x" * 1000 + b"');\n"
    text = row * 5000
    (tmp_path / "1_a.up.sql").write_bytes(text)
    session = SimpleNamespace(**vars(SESSION))
    found = FileReader(session, str(tmp_path), Step(1, "a", "up", "1_a.up.sql", 1))  # type: ignore[arg-type]
    for number in range(1, 5001):
        if number in (1000, 3000):
            assert found.peek(1500) is not None
            session.character_set_client = "latin1"
        statement = found.take()
        assert statement is not None
        assert (statement.number, statement.line, statement.text) == (number, number, row[:-2])
    assert found.take() is None
    assert found.checksum == hashlib.sha256(text).hexdigest()


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (b"SELECT 1", set()),
        (b"SET @A = 1; SELECT @b.c, @@session.d, @`e f`, @'g', @\"h\"", {b"@a", b"@b.c", b"@`e f`", b"@`g`", b"@`h`"}),
        (b"PREPARE p FROM 'SELECT @x'", {b"@x"}),
        (b"GRANT ALL ON a TO b@'%'", {b"@`%`"}),
        (b"SET @`a``b` = 1", None),
        (b'SET @"a`b" = 1', None),
        (b"SET @'a\\'b' = 1", None),
        (None, set()),
    ],
)
def test_which_variables_a_file_mentions(tmp_path: Path, text: bytes | None, names: set[bytes] | None) -> None:
    assert reading(tmp_path, text).variables() == names


@pytest.mark.parametrize(
    ("character_set", "text", "names"),
    [
        # An @ and a quote may be the second byte of a character, and so may a letter of a name.
        ("sjis", b"SELECT '\x8b@\x94\\', @a, @\x83A, \x8b@@b", {b"@a", b"@\x83A", b"@b"}),
        ("cp932", b"SELECT '\x8b@\x94', @`\x83`B`, @'\x83\\'", None),
        ("cp932", b"SELECT @`\x83AB`, @\xb1", {b"@`\x83AB`", b"@\xb1"}),
        ("gbk", b"SELECT '\x8b@x', @\xb0\xa1, @\xb0A", {b"@\xb0\xa1", b"@\xb0A"}),
        ("gb18030", b"SELECT '\x810\x810@a', @b", {b"@a", b"@b"}),
        ("big5", b"SELECT '\xa4@x', @y", {b"@y"}),
        ("latin1", b"SELECT @gr\xf6\xdfe, @A\xa0", {b"@gr\xf6\xdfe", b"@a"}),
    ],
)
def test_variables_are_read_in_the_character_set_of_the_session(
    tmp_path: Path, character_set: str, text: bytes, names: set[bytes] | None
) -> None:
    (tmp_path / "1_a.up.sql").write_bytes(text)
    session = SimpleNamespace(**vars(SESSION))
    found = FileReader(session, str(tmp_path), Step(1, "a", "up", "1_a.up.sql", 1))  # type: ignore[arg-type]
    found.variables()
    session.character_set_client = character_set
    assert found.variables() == names


def test_the_variables_of_a_file_that_is_too_large_are_not_known(tmp_path: Path) -> None:
    assert reading(tmp_path, b"SET @a = 1; -- " + b"x" * (16 << 20)).variables() is None


def test_a_file_that_is_gone(tmp_path: Path) -> None:
    step = Step(1, "a", "up", "1_a.up.sql", 1)
    with pytest.raises(Error, match=r"1_a\.up\.sql cannot be read: No such file or directory\."):
        FileReader(SESSION, str(tmp_path), step)  # type: ignore[arg-type]
