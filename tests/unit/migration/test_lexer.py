# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the lexer makes of quotes, comments and words, by server, sql_mode and character set."""

from __future__ import annotations

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._migration.files.lexer import Dialect, Lexer, MoreNeeded

MARIADB = Dialect(mariadb=True, version=101119)
MYSQL = Dialect(mariadb=False, version=90700)


def lexer(text: bytes, dialect: Dialect = MARIADB, terminator: bytes = b";", final: bool = True) -> Lexer:
    found = Lexer(dialect, terminator)
    found.text, found.final = text, final
    return found


def tokens(text: bytes, dialect: Dialect = MARIADB) -> list[tuple[str, bytes]]:
    return [(token.kind, token.text or text[token.start : token.end]) for token in lexer(text, dialect).tokens(0)]


def test_tokens() -> None:
    assert tokens(b"select `a;`, 'b' -- c\n/* d */ :=x_1$;") == [
        ("word", b"SELECT"),
        ("quoted", b"`a;`"),
        ("other", b","),
        ("quoted", b"'b'"),
        ("other", b":="),
        ("word", b"X_1$"),
        ("end", b";"),
    ]


@pytest.mark.parametrize(
    ("text", "dialect", "words"),
    [
        (b"/*!50003 a */ b", MARIADB, [b"A", b"*/", b"B"]),
        (b"/*!50699 a */ b", MARIADB, [b"A", b"*/", b"B"]),
        (b"/*!50700 a */ b", MARIADB, [b"B"]),
        (b"/*!80000 a */ b", MARIADB, [b"B"]),
        (b"/*!99999 a */ b", MARIADB, [b"B"]),
        (b"/*!100000 a */ b", MARIADB, [b"A", b"*/", b"B"]),
        (b"/*M!50700 a */ b", MARIADB, [b"A", b"*/", b"B"]),
        (b"/*!%06d a */ b" % MARIADB.version, MARIADB, [b"A", b"*/", b"B"]),
        (b"/*!%06d a */ b" % (MARIADB.version + 1), MARIADB, [b"B"]),
        (b"/*!80000 a */ b", MYSQL, [b"A", b"*/", b"B"]),
        (b"/*M!100100 a */ b", MARIADB, [b"A", b"*/", b"B"]),
        (b"/*M!100100 a */ b", MYSQL, [b"B"]),
        (b"/*!999999 a /* c */ d */ b", MYSQL, [b"B"]),
        (b"$x$ ; $x$ b", MYSQL, [b"$x$ ; $x$", b"B"]),
        (b"$x$ b", MARIADB, [b"$X$", b"B"]),
    ],
)
def test_what_a_server_reads(text: bytes, dialect: Dialect, words: list[bytes]) -> None:
    assert [word for _kind, word in tokens(text, dialect) if word not in (b"*", b"/")] == [
        word for word in words if word != b"*/"
    ]


@pytest.mark.parametrize(
    ("character_set", "text", "found"),
    [
        ("utf8mb4", b"'\xc3\\' x", [b"'\xc3\\' x"]),
        ("cp932", b"'\x95\\' x", [b"'\x95\\'", b"X"]),
        ("cp932", b"'\xb1\\' x", [b"'\xb1\\' x"]),
        ("cp932", b"'\\\x95\\' x", [b"'\\\x95\\' x"]),
        ("cp932", b"'\x95' x", [b"'\x95'", b"X"]),
        ("cp932", b"`\x83`` x", [b"`\x83``", b"X"]),
        ("cp932", b"\x83` x", [b"\x83`", b"X"]),
        ("cp932", b"a\x83\\b x", [b"A\x83\\B", b"X"]),
        ("gbk", b"@\xd5\xd5` x`", [b"@\xd5\xd5", b"` x`"]),
        ("gbk", b"@\x81` x", [b"@", b"\x81`", b"X"]),
        ("gb18030", b"'\x810\x810\\'' x", [b"'\x810\x810\\''", b"X"]),
        ("gb18030", b"'\x810\x81\\' x", [b"'\x810\x81\\'", b"X"]),
        ("big5", b"'\x95\\' x", [b"'\x95\\' x"]),
        ("latin1", b"a\xa0b", [b"A", b"B"]),
        ("latin1", b"a --\xa0b\n c", [b"A", b"C"]),
        ("cp1251", b"a --\x7f b", [b"A", b"-", b"-", b"\x7f", b"B"]),
        ("cp852", b"a\xffb --\xffc", [b"A", b"B"]),
        ("nothing of the kind", b"a\xa0b", [b"A\xa0B"]),
    ],
)
def test_what_a_character_is(character_set: str, text: bytes, found: list[bytes]) -> None:
    dialect = MYSQL._replace(character_set=character_set)
    assert [word for _kind, word in tokens(text, dialect)] == found


@pytest.mark.parametrize("character_set", ["cp932", "gbk", "big5", "gb18030", "utf8mb4"])
@pytest.mark.parametrize("escapes", [True, False])
def test_a_backslash_is_an_escape_only_in_its_mode(character_set: str, escapes: bool) -> None:
    dialect = MARIADB._replace(character_set=character_set, backslash_escapes=escapes)
    assert lexer(b"'\\'; '; x", dialect).terminator(0)[0] == (6 if escapes else 3)
    assert lexer(b"`\\`; `; x", dialect).terminator(0)[0] == 3


def test_the_terminator_may_be_any() -> None:
    assert lexer(b"a; 'b//' // c", terminator=b"//").terminator(0) == (9, 11)
    assert lexer(b"'\x95\\' \x83| |", MARIADB._replace(character_set="cp932"), b"|").terminator(0) == (8, 9)
    text = b"a; 'x\ndelimiter y'\n  Delimiter //\n"
    assert lexer(text, terminator=b"").terminator(0) == (18, 21)


@pytest.mark.parametrize(
    ("text", "unclosed", "in_executable"),
    [
        (b"a 'b", True, False),
        (b"a /* b", True, False),
        (b'a "b\\"', True, False),
        (b"a /*!50003 b", False, True),
        (b"a /*!50003 b */", False, False),
        (b"a 'b' /* c */", False, False),
    ],
)
def test_it_is_known_where_the_text_ends(text: bytes, unclosed: bool, in_executable: bool) -> None:
    found = lexer(text)
    assert found.begin(0) == 0
    assert found.terminator(0) == (len(text), len(text))
    assert (found.unclosed, found.in_executable) == (unclosed, in_executable)


def test_more_is_needed_unless_the_text_is_final() -> None:
    for question in (
        lambda found: found.begin(0),
        lambda found: found.terminator(0),
        lambda found: found.token(0),
        lambda found: found.followed(6),
    ):
        with pytest.raises(MoreNeeded):
            question(lexer(b"SELECT", final=False))
        question(lexer(b"SELECT"))


@pytest.mark.parametrize(
    ("character_set", "rest", "followed"),
    [
        ("utf8mb4", b"; \t\r\n;", False),
        ("utf8mb4", b"; -- x", True),
        ("utf8mb4", b"\xa0", True),
        ("latin1", b"\xa0;\xa0", False),
        ("cp866", b"\xff", False),
    ],
)
def test_what_matters_at_the_end(character_set: str, rest: bytes, followed: bool) -> None:
    assert lexer(b"x" + rest, MARIADB._replace(character_set=character_set)).followed(1) is followed
